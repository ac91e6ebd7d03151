//! How PostgreSQL is connected to: what its address says, and TLS where it asks for it.
//!
//! `sslmode` means what libpq means by it. The two modes that promise something are spoken: `require` encrypts, against
//! whoever only listens; `verify-full` also makes sure who answers. What is in between promises little or is easily
//! taken for more than it is, so it is refused.

use std::{
    future::Future,
    io,
    path::PathBuf,
    pin::Pin,
    sync::Arc,
    task::{Context, Poll},
    time::Duration,
};

use postgres::{
    Client, Config, NoTls,
    config::SslMode,
    tls::{ChannelBinding, MakeTlsConnect, TlsConnect},
};
use rustls::{
    ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme,
    client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier},
    crypto::{CryptoProvider, aws_lc_rs, verify_tls12_signature, verify_tls13_signature},
    pki_types::{CertificateDer, ServerName, UnixTime, pem::PemObject},
};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio_rustls::{TlsConnector, client::TlsStream};

use super::{DatabaseError, PostgresConfig};

/// What is wrong with the address of a PostgreSQL server, to follow its name: "has …; give …".
#[derive(Clone, PartialEq, Eq, Debug, thiserror::Error)]
#[error("{0}")]
pub struct BadAddress(String);

/// A server that can be connected to.
#[derive(Clone)]
pub(crate) struct Dialling {
    config: Config,
    tls: Option<Tls>,
}

/// What an address asks of the line.
#[derive(Clone, PartialEq, Eq, Debug)]
enum Secrecy {
    None,
    Encrypted,
    /// With the roots in this file, or those of the system.
    Verified(Option<PathBuf>),
}

impl Dialling {
    /// Timeouts on everything that could hang, and no JIT, which costs more than our short statements.
    pub(crate) fn of(config: &PostgresConfig) -> Result<Self, DatabaseError> {
        let refused = |error: &dyn std::fmt::Display| {
            DatabaseError::Unavailable(format!("DATABASE_URL is not a PostgreSQL address: {error}"))
        };
        let (address, secrecy) = parted(&config.url).map_err(|error| refused(&error))?;
        let mut settings: Config = address.parse().map_err(|error: postgres::Error| refused(&error))?;
        let options = "-c statement_timeout=30s -c idle_in_transaction_session_timeout=30s -c lock_timeout=15s -c jit=off \
                       -c client_min_messages=warning -c default_transaction_isolation=read\\ committed";
        let options =
            settings.get_options().map_or_else(|| options.to_owned(), |given| format!("{options} {given}"));
        settings
            .options(&options)
            .application_name("stoa")
            .ssl_mode(if secrecy == Secrecy::None { SslMode::Disable } else { SslMode::Require })
            .connect_timeout(Duration::from_secs(5))
            .tcp_user_timeout(Duration::from_secs(15))
            .keepalives_idle(Duration::from_secs(30));
        Ok(Self { config: settings, tls: Tls::of(&secrecy)? })
    }

    pub(crate) fn connect(&self) -> Result<Client, postgres::Error> {
        match &self.tls {
            None => self.config.connect(NoTls),
            Some(tls) => self.config.connect(tls.clone()),
        }
    }
}

impl PostgresConfig {
    /// Whether `url` is the address of a PostgreSQL server that can be connected to as it asks. Connects to nothing.
    pub fn check_address(url: &str) -> Result<(), BadAddress> {
        let (address, _) = parted(url)?;
        let flaw = "is not a PostgreSQL address; give postgres://user:password@host:5432/name";
        address.parse::<Config>().map(drop).map_err(|_| BadAddress(flaw.to_owned()))
    }
}

/// The address without what it says of TLS, and that.
fn parted(url: &str) -> Result<(String, Secrecy), BadAddress> {
    if !url.contains("://") && url.contains("ssl") {
        let flaw = "asks for TLS as words; give postgres://user:password@host:5432/name?sslmode=require";
        return Err(BadAddress(flaw.to_owned()));
    }
    // A password may hold any character but the @ that ends it.
    let from = url.find('@').unwrap_or(0);
    let Some(at) = url.get(from..).and_then(|rest| rest.find('?')).map(|at| from + at) else {
        return Ok((url.to_owned(), Secrecy::None));
    };
    let (bare, query) = url.split_at(at);
    let (mut mode, mut roots, mut rest) = (None, None, Vec::new());
    for pair in query.trim_start_matches('?').split('&') {
        match pair.split_once('=') {
            Some(("sslmode", value)) => mode = Some(value),
            Some(("sslrootcert", value)) => roots = Some(value),
            _ => rest.push(pair),
        }
    }
    let address = if rest.is_empty() { bare.to_owned() } else { format!("{bare}?{}", rest.join("&")) };
    Ok((address, secrecy(mode, roots)?))
}

fn secrecy(mode: Option<&str>, roots: Option<&str>) -> Result<Secrecy, BadAddress> {
    let cure = "give require to encrypt, verify-full to make sure of the server as well, or disable";
    let refused =
        |why: &str| Err(BadAddress(format!("has sslmode={}, {why}; {cure}", mode.unwrap_or_default())));
    let of_system = |file: &&str| *file != "system";
    match mode {
        Some("verify-full") => {
            let file = roots.filter(of_system).map(percent_encoding::percent_decode_str);
            Ok(Secrecy::Verified(file.map(|file| PathBuf::from(file.decode_utf8_lossy().into_owned()))))
        }
        _ if roots.is_some() => Err(BadAddress(
            "has an sslrootcert that nothing is verified by; give sslmode=verify-full beside it".to_owned(),
        )),
        None | Some("disable") => Ok(Secrecy::None),
        Some("require") => Ok(Secrecy::Encrypted),
        Some("allow" | "prefer") => refused("which falls back to a line in clear unasked"),
        Some("verify-ca") => refused("which takes any server that the root has vouched for"),
        Some(_) => refused("which is not known"),
    }
}

/// TLS for the client of PostgreSQL.
#[derive(Clone)]
struct Tls(Arc<ClientConfig>);

impl Tls {
    fn of(secrecy: &Secrecy) -> Result<Option<Self>, DatabaseError> {
        let roots = match secrecy {
            Secrecy::None => return Ok(None),
            Secrecy::Encrypted => None,
            Secrecy::Verified(file) => Some(roots(file.as_ref()).map_err(DatabaseError::Unavailable)?),
        };
        let provider = Arc::new(aws_lc_rs::default_provider());
        let config = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .map_err(|error| DatabaseError::Unavailable(error.to_string()))?;
        let config = if let Some(roots) = roots {
            config.with_root_certificates(roots).with_no_client_auth()
        } else {
            let anybody = Arc::new(Anybody(provider));
            config.dangerous().with_custom_certificate_verifier(anybody).with_no_client_auth()
        };
        Ok(Some(Self(Arc::new(config))))
    }
}

fn roots(file: Option<&PathBuf>) -> Result<RootCertStore, String> {
    let mut store = RootCertStore::empty();
    let Some(file) = file else {
        let found = rustls_native_certs::load_native_certs();
        store.add_parsable_certificates(found.certs);
        let why =
            "this system has no roots that vouch for a server; name a file by sslrootcert in DATABASE_URL";
        return if store.is_empty() { Err(why.to_owned()) } else { Ok(store) };
    };
    let unusable =
        |why: String| format!("{} cannot be used: {why}; check sslrootcert in DATABASE_URL", file.display());
    for root in CertificateDer::pem_file_iter(file).map_err(|error| unusable(error.to_string()))? {
        let root = root.map_err(|error| unusable(error.to_string()))?;
        store.add(root).map_err(|error| unusable(error.to_string()))?;
    }
    if store.is_empty() { Err(unusable("it holds no certificate".to_owned())) } else { Ok(store) }
}

/// Takes whoever answers: `sslmode=require` asks for encryption and nothing else.
#[derive(Debug)]
struct Anybody(Arc<CryptoProvider>);

impl ServerCertVerifier for Anybody {
    fn verify_server_cert(
        &self,
        _: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        Ok(ServerCertVerified::assertion())
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls12_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signed: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        verify_tls13_signature(message, certificate, signed, &self.0.signature_verification_algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.0.signature_verification_algorithms.supported_schemes()
    }
}

impl<S> MakeTlsConnect<S> for Tls
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Line<S>;
    type TlsConnect = Connecting;
    type Error = rustls::pki_types::InvalidDnsNameError;

    fn make_tls_connect(&mut self, host: &str) -> Result<Connecting, Self::Error> {
        let name = ServerName::try_from(host)?.to_owned();
        Ok(Connecting { connector: TlsConnector::from(Arc::clone(&self.0)), name })
    }
}

/// One connection about to be made.
struct Connecting {
    connector: TlsConnector,
    name: ServerName<'static>,
}

impl<S> TlsConnect<S> for Connecting
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    type Stream = Line<S>;
    type Error = io::Error;
    type Future = Pin<Box<dyn Future<Output = io::Result<Line<S>>> + Send>>;

    fn connect(self, stream: S) -> Self::Future {
        Box::pin(async move { self.connector.connect(self.name, stream).await.map(Line) })
    }
}

/// A line that is encrypted.
struct Line<S>(TlsStream<S>);

impl<S: AsyncRead + AsyncWrite + Unpin> postgres::tls::TlsStream for Line<S> {
    /// Passwords are not bound to the channel: who wants to be sure of the server gives `verify-full`.
    fn channel_binding(&self) -> ChannelBinding {
        ChannelBinding::none()
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncRead for Line<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_read(context, buffer)
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> AsyncWrite for Line<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        Pin::new(&mut self.0).poll_write(context, bytes)
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.0).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_an_address_says_of_tls_is_taken_out_of_it() {
        let of = |url: &str| parted(url).unwrap();
        assert_eq!(of("postgres://u:p@h/d"), ("postgres://u:p@h/d".into(), Secrecy::None));
        assert_eq!(
            of("postgres://u:p?a=b@h/d?sslmode=require"),
            ("postgres://u:p?a=b@h/d".into(), Secrecy::Encrypted)
        );
        let (address, secrecy) = of(
            "postgres://h/d?connect_timeout=3&sslmode=verify-full&sslrootcert=%2Fetc%2Froot.pem&keepalives=1",
        );
        assert_eq!(address, "postgres://h/d?connect_timeout=3&keepalives=1");
        assert_eq!(secrecy, Secrecy::Verified(Some("/etc/root.pem".into())));
        let system = of("postgres://h/d?sslmode=verify-full&sslrootcert=system").1;
        assert_eq!(system, Secrecy::Verified(None));
        assert_eq!(of("dbname=d host=h"), ("dbname=d host=h".into(), Secrecy::None));
        assert!(parted("dbname=d host=h sslmode=require").is_err(), "not silently in clear");
    }

    #[test]
    fn modes_that_promise_little_are_refused_by_name() {
        for mode in ["allow", "prefer", "verify-ca", "always", ""] {
            let refused = PostgresConfig::check_address(&format!("postgres://u:hush@h/d?sslmode={mode}"));
            let refused = refused.unwrap_err().to_string();
            assert!(
                refused.contains(&format!("sslmode={mode},")) && refused.contains("verify-full"),
                "{refused}"
            );
            assert!(!refused.contains("hush"), "{refused}");
        }
        let lonely = PostgresConfig::check_address("postgres://h/d?sslrootcert=root.pem").unwrap_err();
        assert!(lonely.to_string().contains("sslmode=verify-full"), "{lonely}");
        assert!(PostgresConfig::check_address("postgres://h/d?colour=blue").is_err());
        assert!(PostgresConfig::check_address("postgres://h/d?sslmode=disable").is_ok());
    }

    #[test]
    fn a_root_that_cannot_be_read_is_named() {
        let url = "postgres://h/d?sslmode=verify-full&sslrootcert=/nowhere/root.pem".to_owned();
        let Err(refused) = Dialling::of(&PostgresConfig { url, connections: 1 }) else {
            panic!("it is taken")
        };
        assert!(refused.to_string().contains("/nowhere/root.pem"), "{refused}");
    }
}
