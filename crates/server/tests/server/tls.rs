//! HTTPS from outside: the certificate that was configured, and nobody hurt by who does not speak TLS.

use std::{
    fs,
    io::{self, Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
};

use rcgen::{CertifiedKey, generate_simple_self_signed};
use rustls::{
    ClientConfig, ClientConnection, RootCertStore, StreamOwned,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName},
};

use crate::commands::Machine;

/// A machine with a certificate for `localhost`, and that certificate.
fn machine() -> (Machine, CertificateDer<'static>) {
    let CertifiedKey { cert, signing_key } = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let machine =
        Machine::new().with("STOA_TLS_CERTIFICATE", "certificate.pem").with("STOA_TLS_KEY", "key.pem");
    fs::write(machine.path("certificate.pem"), cert.pem()).unwrap();
    fs::write(machine.path("key.pem"), signing_key.serialize_pem()).unwrap();
    (machine, cert.der().clone())
}

/// The answer of `localhost`.
pub(crate) fn get(address: SocketAddr, trusted: CertificateDer<'static>, path: &str) -> String {
    try_get(address, "localhost", trusted, path).unwrap().0
}

/// The answer of a server of this name, and its certificate.
pub(crate) fn try_get(
    address: SocketAddr,
    name: &'static str,
    trusted: CertificateDer<'static>,
    path: &str,
) -> io::Result<(String, CertificateDer<'static>)> {
    let mut roots = RootCertStore::empty();
    roots.add(trusted).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let session = ClientConnection::new(Arc::new(config), ServerName::try_from(name).unwrap()).unwrap();
    let mut stream = StreamOwned::new(session, TcpStream::connect(address)?);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {name}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let shown = stream.conn.peer_certificates().and_then(|chain| chain.first()).expect("a certificate");
    Ok((answer, shown.clone().into_owned()))
}

#[test]
fn https_is_spoken_with_the_configured_certificate() {
    let (machine, certificate) = machine();
    let server = machine.serve();
    assert!(server.line.contains("https://"), "{}", server.line);
    let answer = get(server.address, certificate, "/api/products");
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
    assert!(answer.to_lowercase().contains("\r\nstrict-transport-security: "), "{answer}");
}

#[test]
fn who_does_not_speak_tls_is_left_and_hurts_nobody() {
    let (machine, certificate) = machine();
    let server = machine.serve();
    for said in [&b"GET / HTTP/1.1\r\nHost: a\r\n\r\n"[..], b"\x16\x03\x01\xff\xff", b"", b"\0\0\0\0\0\0\0\0"]
    {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.write_all(said).unwrap();
        stream.shutdown(std::net::Shutdown::Write).unwrap();
        let mut heard = Vec::new();
        // Reset or closed: either is an end.
        let _ = stream.read_to_end(&mut heard);
        assert!(!heard.starts_with(b"HTTP"), "{heard:?}");
    }
    assert!(get(server.address, certificate, "/health/live").starts_with("HTTP/1.1 200"));
}

#[test]
fn files_that_cannot_be_used_stop_the_start_and_name_the_cure() {
    let (machine, _) = machine();
    fs::write(machine.path("key.pem"), "no key").unwrap();
    machine.run(&["serve"]).ended(1).complained(&["key.pem", "STOA_TLS_KEY"]);
    let other = generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    fs::write(machine.path("key.pem"), other.signing_key.serialize_pem()).unwrap();
    machine.run(&["serve"]).ended(1).complained(&["cannot be used", "STOA_TLS_CERTIFICATE"]);
    fs::write(machine.path("certificate.pem"), "").unwrap();
    machine.run(&["serve"]).ended(1).complained(&["certificate.pem", "STOA_TLS_CERTIFICATE"]);
    Machine::new()
        .with("STOA_TLS_KEY", "key.pem")
        .run(&["serve"])
        .ended(2)
        .complained(&["STOA_TLS_CERTIFICATE"]);
}
