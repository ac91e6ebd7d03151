//! clamd, a real one that knows one virus; and what answers in its place and is none.

use std::{
    io::{Read, Write},
    net::{TcpListener, TcpStream},
    path::PathBuf,
    thread,
    time::Duration,
};

use stoa_drivers::{
    clamd::{Clamd, ClamdAddress, ClamdSettings},
    testing::ClamdServer,
};
use stoa_kernel::Refusal;
use stoa_platform::{
    database::Engine,
    scan::{ScanError, Scanner},
    testing::{engines_under_test, storage::noise},
};
use tempfile::TempDir;

/// Where the run is to have servers.
fn server() -> Option<ClamdServer> {
    engines_under_test().contains(&Engine::Postgres).then(ClamdServer::start)
}

/// Files to be looked into.
struct Files(TempDir);

impl Files {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn with(&self, bytes: &[u8]) -> PathBuf {
        let path = self.0.path().join(bytes.len().to_string());
        std::fs::write(&path, bytes).unwrap();
        path
    }
}

/// Whoever listens at a port and does this with each connection.
fn impostor(answer: impl Fn(TcpStream) + Send + 'static) -> ClamdSettings {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let port = listener.local_addr().unwrap().port();
    thread::spawn(move || {
        for stream in listener.incoming() {
            answer(stream.unwrap());
        }
    });
    let address = ClamdAddress::Tcp { host: "127.0.0.1".into(), port };
    ClamdSettings { patience: Duration::from_millis(200), ..ClamdSettings::of(address) }
}

fn found() -> String {
    "Eicar-Test-Signature.UNOFFICIAL".into()
}

#[tokio::test]
async fn a_virus_is_found_and_other_files_are_clean() {
    let Some(server) = server() else { return };
    let (clamd, files) = (Clamd::new(server.settings()), Files::new());
    assert_eq!(clamd.scan(&files.with(ClamdServer::VIRUS.as_bytes())).await, Ok(Some(found())));
    assert_eq!(clamd.scan(&files.with(b"")).await, Ok(None));
    assert_eq!(clamd.scan(&files.with(b"Earl Grey")).await, Ok(None));
    // Over several pieces, and exactly at the end of one.
    assert_eq!(clamd.scan(&files.with(&noise(300_000, 1))).await, Ok(None));
    assert_eq!(clamd.scan(&files.with(&noise(65_536, 1))).await, Ok(None));
    assert!(clamd.version().await.unwrap().starts_with("ClamAV "));
}

#[tokio::test]
async fn many_files_are_looked_into_each_for_itself() {
    let Some(server) = server() else { return };
    let (clamd, files) = (Clamd::new(server.settings()), Files::new());
    let (bad, good) = (files.with(ClamdServer::VIRUS.as_bytes()), files.with(&noise(200_000, 2)));
    let scans = (0..40).map(|n| {
        let (clamd, file) = (std::sync::Arc::clone(&clamd), if n % 2 == 0 { &bad } else { &good }.clone());
        let wanted = if n % 2 == 0 { Some(found()) } else { None };
        tokio::spawn(async move { assert_eq!(clamd.scan(&file).await, Ok(wanted)) })
    });
    for scan in scans.collect::<Vec<_>>() {
        scan.await.unwrap();
    }
}

#[tokio::test]
async fn a_file_longer_than_it_takes_is_not_clean() {
    let Some(server) = server() else { return };
    let (clamd, files) = (Clamd::new(server.settings()), Files::new());
    let long = clamd.scan(&files.with(&noise(ClamdServer::LONGEST * 4, 3))).await;
    assert!(long.is_err(), "{long:?}");
    assert_eq!(clamd.scan(&files.with(b"Earl Grey")).await, Ok(None));
}

#[tokio::test]
async fn nothing_is_clean_while_it_is_away() {
    let Some(mut server) = server() else { return };
    let (clamd, files) = (Clamd::new(server.settings()), Files::new());
    let file = files.with(b"Earl Grey");
    server.kill();
    let away = clamd.scan(&file).await.unwrap_err();
    let refusal = Refusal::from(away);
    assert_eq!(refusal.code, "SCAN_UNAVAILABLE");
    assert!(clamd.version().await.is_err());
    server.restart();
    assert_eq!(clamd.scan(&file).await, Ok(None));
}

#[tokio::test]
async fn a_file_that_is_not_there_is_not_clean() {
    let Some(server) = server() else { return };
    let clamd = Clamd::new(server.settings());
    assert!(clamd.scan(&Files::new().0.path().join("none")).await.is_err());
}

#[tokio::test]
async fn silence_is_no_verdict_and_is_not_waited_for_for_ever() {
    let files = Files::new();
    let kept = std::sync::Mutex::new(Vec::new());
    let silent = Clamd::new(impostor(move |stream| kept.lock().unwrap().push(stream)));
    assert!(silent.scan(&files.with(b"Earl Grey")).await.is_err());
    // It does not even read, so the line is full at some point.
    assert!(silent.scan(&files.with(&noise(16 << 20, 4))).await.is_err());
    assert!(silent.version().await.is_err());
}

#[tokio::test]
async fn one_who_answers_a_byte_at_a_time_is_not_listened_to_for_ever() {
    let files = Files::new();
    let slow = Clamd::new(impostor(|mut stream| {
        while stream.write_all(b"s").is_ok() {
            thread::sleep(Duration::from_millis(50));
        }
    }));
    let never: Result<Option<String>, ScanError> = slow.scan(&files.with(b"Earl Grey")).await;
    assert!(never.is_err(), "{never:?}");
}

#[tokio::test]
async fn nonsense_is_no_verdict() {
    let files = Files::new();
    for said in [&b""[..], b"OK\0", b"stream: OK", b"HTTP/1.1 200 OK\r\n\r\n", b"stream: \0", &[b's'; 5_000]]
    {
        let nonsense = Clamd::new(impostor(move |mut stream| {
            let mut heard = [0; 1_024];
            let _ = stream.read(&mut heard);
            let _ = stream.write_all(said);
        }));
        let scanned = nonsense.scan(&files.with(b"Earl Grey")).await;
        assert!(scanned.is_err(), "{}: {scanned:?}", String::from_utf8_lossy(said));
    }
}
