//! An ACME directory of a test's own: Pebble, with a name server that finds every name on this machine.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::PathBuf,
    process::{Child, Command, Stdio},
    thread,
    time::Duration,
};

use rcgen::generate_simple_self_signed;
use rustls::pki_types::{CertificateDer, pem::PemObject};
use serde_json::json;
use tempfile::TempDir;

use crate::tls::get;

/// How often a start is tried: somebody may be quicker to take a port that was free.
const TRIES: usize = 20;

/// A directory that is running or stopped; it ends when this is dropped.
pub(super) struct Pebble {
    folder: TempDir,
    directory: u16,
    management: u16,
    names: Child,
    names_port: u16,
    running: Option<Child>,
}

/// A port that nobody has, a moment ago.
pub(super) fn free_port() -> u16 {
    TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap().local_addr().unwrap().port()
}

impl Pebble {
    /// One that proves names on this port, and has not started yet.
    pub(super) fn stopped(proves_on: u16) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let own = generate_simple_self_signed(["localhost".to_owned(), "127.0.0.1".to_owned()]).unwrap();
        fs::write(folder.path().join("own.pem"), own.cert.pem()).unwrap();
        fs::write(folder.path().join("own.key"), own.signing_key.serialize_pem()).unwrap();
        let (directory, management) = (free_port(), free_port());
        let config = json!({"pebble": {
            "listenAddress": format!("127.0.0.1:{directory}"),
            "managementListenAddress": format!("127.0.0.1:{management}"),
            "certificate": folder.path().join("own.pem"),
            "privateKey": folder.path().join("own.key"),
            "httpPort": 1,
            "tlsPort": proves_on,
            "certificateValidityPeriod": 90 * 24 * 3_600,
        }});
        fs::write(folder.path().join("pebble.json"), config.to_string()).unwrap();
        let (names, names_port) = name_server();
        Self { folder, directory, management, names, names_port, running: None }
    }

    pub(super) fn started(proves_on: u16) -> Self {
        let mut pebble = Self::stopped(proves_on);
        pebble.start();
        pebble
    }

    pub(super) fn start(&mut self) {
        let mut child = Command::new("pebble")
            .arg("-config")
            .arg(self.folder.path().join("pebble.json"))
            .args(["-strict", "-dnsserver", &format!("127.0.0.1:{}", self.names_port)])
            .envs([("PEBBLE_VA_NOSLEEP", "1"), ("PEBBLE_VA_ALWAYS_VALID", "0"), ("PEBBLE_AUTHZREUSE", "0")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pebble, of the Debian package of that name");
        for port in [self.directory, self.management] {
            assert!(listens(&mut child, port), "pebble does not start");
        }
        self.running = Some(child);
    }

    pub(super) fn stop(&mut self) {
        if let Some(mut child) = self.running.take() {
            child.kill().unwrap();
            child.wait().unwrap();
        }
    }

    /// The address of the directory.
    pub(super) fn address(&self) -> String {
        format!("https://localhost:{}/dir", self.directory)
    }

    /// What vouches for the directory itself.
    pub(super) fn ca_file(&self) -> PathBuf {
        self.folder.path().join("own.pem")
    }

    /// What vouches for the certificates it gives; another after each start.
    pub(super) fn root(&self) -> CertificateDer<'static> {
        let own = CertificateDer::from_pem_file(self.ca_file()).unwrap();
        let address = SocketAddr::from((Ipv4Addr::LOCALHOST, self.management));
        let answer = get(address, own, "/roots/0");
        CertificateDer::from_pem_slice(answer.as_bytes()).unwrap()
    }
}

impl Drop for Pebble {
    fn drop(&mut self) {
        for child in self.running.iter_mut().chain([&mut self.names]) {
            // It may have ended already.
            let _ = child.kill();
            let _ = child.wait();
        }
    }
}

fn name_server() -> (Child, u16) {
    for _ in 0..TRIES {
        let (port, management) = (free_port(), free_port());
        let mut child = Command::new("pebble-challtestsrv")
            .args([
                "-defaultIPv4",
                "127.0.0.1",
                "-defaultIPv6",
                "",
                "-http01",
                "",
                "-https01",
                "",
                "-tlsalpn01",
                "",
            ])
            .args(["-dns01", &format!("127.0.0.1:{port}"), "-management", &format!("127.0.0.1:{management}")])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("pebble-challtestsrv, of the Debian package pebble");
        if listens(&mut child, port) {
            return (child, port);
        }
    }
    panic!("pebble-challtestsrv does not start");
}

/// Waits until it listens; false when it ended instead.
fn listens(child: &mut Child, port: u16) -> bool {
    loop {
        if TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok() {
            return true;
        }
        if child.try_wait().unwrap().is_some() {
            return false;
        }
        thread::sleep(Duration::from_millis(5));
    }
}
