//! Certificates from an ACME directory: given, kept, renewed, and refused without harm.

mod pebble;

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr},
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    thread,
    time::Duration,
};

use rustls::pki_types::CertificateDer;
use stoa_platform::{
    database::Engine,
    testing::{engines_under_test, on_engine},
};
use stoa_server::{Settings, acme::AcmeSettings, wiring};
use stoa_testing::TestApp;

use self::pebble::{Pebble, free_port};
use crate::{commands::Machine, tls::try_get};

const NAME: &str = "shop.example.com";
/// Time enough for anything but a test that has failed.
const LOOKS: usize = 6_000;
const PAUSE: Duration = Duration::from_millis(10);

/// Pebble is among the servers of a test run, so a run without servers has none.
fn has_servers() -> bool {
    engines_under_test().contains(&Engine::Postgres)
}

fn machine(pebble: &Pebble, port: u16) -> Machine {
    Machine::new()
        .with("STOA_PORT", &port.to_string())
        .with("STOA_ACME_DOMAINS", &format!("{NAME},www.example.com"))
        .with("STOA_ACME_ACCEPT_TERMS", "true")
        .with("STOA_ACME_EMAIL", "admin@example.com")
        .with("STOA_ACME_DIRECTORY", &pebble.address())
        .with("STOA_ACME_CA_FILE", pebble.ca_file().to_str().unwrap())
}

fn local(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, port))
}

/// The answer and the certificate that it came with, as soon as it comes.
fn served(
    port: u16,
    root: &CertificateDer<'static>,
    name: &'static str,
) -> (String, CertificateDer<'static>) {
    let mut last = None;
    for _ in 0..LOOKS {
        match try_get(local(port), name, root.clone(), "/health/live") {
            Ok(answer) => return answer,
            Err(error) => last = Some(error),
        }
        thread::sleep(PAUSE);
    }
    panic!("no certificate was given: {last:?}");
}

fn kept(data: &Path) -> (Vec<u8>, u32) {
    let folder = fs::read_dir(data.join("acme")).unwrap().next().unwrap().unwrap().path();
    let file = folder.join("certificate.pem");
    (fs::read(&file).unwrap(), fs::metadata(file).unwrap().permissions().mode() & 0o777)
}

#[test]
fn the_first_certificate_comes_by_itself_and_a_restart_takes_the_kept_one() {
    if !has_servers() {
        return;
    }
    let port = free_port();
    let mut pebble = Pebble::started(port);
    let (machine, root) = (machine(&pebble, port), pebble.root());
    let server = machine.serve();
    assert!(server.line.contains("https://"), "{}", server.line);
    let (answer, first) = served(port, &root, NAME);
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.to_lowercase().contains("\r\nstrict-transport-security: "), "{answer}");
    assert_eq!(served(port, &root, "www.example.com").1, first, "one certificate bears all names");
    let (pem, mode) = kept(&machine.path("data"));
    assert_eq!(mode, 0o600);
    let doctor = machine.run(&["doctor"]).ended(0).out;
    assert!(doctor.contains("the kept certificate is good until"), "{doctor}");
    drop(server);

    // Nobody is there to be asked for another.
    pebble.stop();
    let server = machine.serve();
    assert_eq!(served(port, &root, NAME).1, first);
    assert_eq!(kept(&machine.path("data")).0, pem);
    drop(server);

    let file = fs::read_dir(machine.path("data/acme"))
        .unwrap()
        .next()
        .unwrap()
        .unwrap()
        .path()
        .join("certificate.pem");
    fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
    machine.run(&["serve"]).ended(1).complained(&["certificate.pem", "chmod 600"]);
}

#[test]
fn a_refused_challenge_leaves_the_server_up_and_says_why() {
    if !has_servers() {
        return;
    }
    let port = free_port();
    // Nobody listens where it looks.
    let pebble = Pebble::started(free_port());
    let machine = machine(&pebble, port);
    let server = machine.serve();
    server.says("no certificate was given");
    server.says("could not be verified");
    server.says("port 443 from outside");
    assert!(try_get(local(port), NAME, pebble.root(), "/").is_err(), "without a certificate nothing is said");
    assert!(std::net::TcpStream::connect(local(port)).is_ok(), "and it still listens");
}

#[test]
fn a_root_that_cannot_be_used_stops_the_start() {
    let machine = Machine::new()
        .with("STOA_ACME_DOMAINS", NAME)
        .with("STOA_ACME_ACCEPT_TERMS", "true")
        .with("STOA_ACME_CA_FILE", "root.pem");
    fs::write(machine.path("root.pem"), "no root").unwrap();
    machine.run(&["serve"]).ended(1).complained(&["root.pem", "STOA_ACME_CA_FILE"]);
}

#[test]
fn terms_that_nobody_accepted_stop_the_start() {
    let machine = Machine::new().with("STOA_ACME_DOMAINS", NAME);
    machine.run(&["serve"]).ended(2).complained(&["STOA_ACME_ACCEPT_TERMS"]);
}

/// For a node that asks often.
fn acme(directory: String, ca_file: PathBuf) -> AcmeSettings {
    AcmeSettings {
        ca_file: Some(ca_file),
        look_every: PAUSE,
        first_pause: PAUSE,
        ..AcmeSettings::of(vec![NAME.to_owned()], directory)
    }
}

/// Runs a test with a node whose clock the test moves.
fn with_node<F: Future<Output = ()>>(acme: AcmeSettings, port: u16, test: impl FnOnce(TestApp) -> F) {
    on_engine(Engine::Postgres, &wiring::migrations(), |database| async move {
        let change = move |settings: &mut Settings| {
            settings.port = port;
            settings.acme = Some(acme.clone());
        };
        test(TestApp::start(database, change).await).await;
    });
}

async fn served_soon(port: u16, root: CertificateDer<'static>) -> CertificateDer<'static> {
    tokio::task::spawn_blocking(move || served(port, &root, NAME).1).await.unwrap()
}

#[test]
fn a_certificate_is_renewed_without_a_restart() {
    if !has_servers() {
        return;
    }
    let port = free_port();
    let pebble = Pebble::started(port);
    let root = pebble.root();
    with_node(acme(pebble.address(), pebble.ca_file()), port, |app| async move {
        let first = served_soon(port, root.clone()).await;
        // Long past two thirds of the 90 days that it was given, whenever that was.
        app.clock.advance(Duration::from_hours(24 * 365 * 5));
        let mut next = first.clone();
        while next == first {
            next = served_soon(port, root.clone()).await;
        }
        app.finish().await;
    });
}

#[test]
fn a_directory_that_is_down_is_asked_again() {
    if !has_servers() {
        return;
    }
    let port = free_port();
    let mut pebble = Pebble::stopped(port);
    let (address, ca_file) = (pebble.address(), pebble.ca_file());
    with_node(acme(address, ca_file), port, |app| async move {
        assert!(
            std::net::TcpStream::connect(local(port)).is_ok(),
            "it serves, though nobody gave it a certificate"
        );
        pebble.start();
        served_soon(port, pebble.root()).await;
        app.finish().await;
    });
}
