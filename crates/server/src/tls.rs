//! HTTPS by rustls: a certificate and its key from two PEM files, read again when they are renewed; or from an ACME
//! directory, see [`acme`](crate::acme).

use std::{
    fmt, fs,
    path::{Path, PathBuf},
    sync::Arc,
    time::{Duration, SystemTime},
};

use rustls::{
    ServerConfig,
    crypto::{CryptoProvider, aws_lc_rs},
    pki_types::{
        CertificateDer, PrivateKeyDer,
        pem::{Error as PemError, PemObject},
    },
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};
use stoa_kernel::Clock;
use tokio::task::AbortHandle;
use tokio_rustls::TlsAcceptor;

use crate::acme::{AcmeSettings, CHALLENGE_PROTOCOL, FolderError, Keeper};

/// How often the files are looked at. Renewals come weeks before the end of a certificate.
const LOOK_EVERY: Duration = Duration::from_mins(1);

/// Where certificate and key are.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct TlsSettings {
    /// The certificate and those above it, in PEM.
    pub certificate: PathBuf,
    /// Its private key, in PEM.
    pub key: PathBuf,
}

/// Why no HTTPS can be spoken.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file cannot be read, or is no PEM.
    #[error("{} cannot be read: {source}; check {setting}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// The setting that names it.
        setting: &'static str,
        /// Why.
        source: PemError,
    },
    /// There is no certificate in the file.
    #[error("{} holds no certificate; check STOA_TLS_CERTIFICATE", .0.display())]
    NoCertificate(PathBuf),
    /// The two do not belong together, or cannot be used.
    #[error("certificate and key cannot be used: {0}; check STOA_TLS_CERTIFICATE and STOA_TLS_KEY")]
    Unusable(#[from] rustls::Error),
    /// What an ACME directory gave cannot be kept.
    #[error(transparent)]
    Acme(#[from] FolderError),
    /// The root that vouches for an ACME directory cannot be used.
    #[error("{} is no certificate in PEM: {source}; check STOA_ACME_CA_FILE", path.display())]
    AcmeRoot {
        /// The file.
        path: PathBuf,
        /// Why.
        source: PemError,
    },
}

/// Speaks TLS with whoever connects.
#[derive(Clone)]
pub(crate) struct Tls {
    acceptor: TlsAcceptor,
    _renewal: Arc<Renewal>,
}

impl Tls {
    /// Loads the files and keeps looking at them. To be called on a runtime.
    pub(crate) fn start(settings: TlsSettings) -> Result<Self, TlsError> {
        let provider = Arc::new(aws_lc_rs::default_provider());
        let loaded = load(&settings, &provider)?;
        let kept = Arc::new(Kept(parking_lot::RwLock::new(Arc::new(loaded))));
        let config = config(Arc::clone(&provider), Arc::clone(&kept) as _)?;
        let renewal = tokio::spawn(renew(settings, kept, provider)).abort_handle();
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), _renewal: Arc::new(Renewal(renewal)) })
    }

    /// Speaks with the certificate that an ACME directory gave, as soon as there is one. To be called on a runtime.
    pub(crate) fn by_acme(settings: AcmeSettings, data_dir: &Path, clock: Clock) -> Result<Self, TlsError> {
        if let Some(path) = &settings.ca_file {
            let unreadable = |source| TlsError::AcmeRoot { path: path.clone(), source };
            CertificateDer::from_pem_file(path).map_err(unreadable)?;
        }
        let keeper = Keeper::new(settings, data_dir, clock)?;
        let mut config = config(Arc::new(aws_lc_rs::default_provider()), keeper.shown())?;
        config.alpn_protocols.push(CHALLENGE_PROTOCOL.to_vec());
        let renewal = tokio::spawn(keeper.run()).abort_handle();
        Ok(Self { acceptor: TlsAcceptor::from(Arc::new(config)), _renewal: Arc::new(Renewal(renewal)) })
    }

    pub(crate) fn acceptor(&self) -> &TlsAcceptor {
        &self.acceptor
    }
}

fn config(
    provider: Arc<CryptoProvider>,
    certificates: Arc<dyn ResolvesServerCert>,
) -> Result<ServerConfig, rustls::Error> {
    let mut config = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()?
        .with_no_client_auth()
        .with_cert_resolver(certificates);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// Ends with the last handle.
struct Renewal(AbortHandle);

impl Drop for Renewal {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// The certificate that is shown now.
struct Kept(parking_lot::RwLock<Arc<CertifiedKey>>);

impl fmt::Debug for Kept {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Kept")
    }
}

impl ResolvesServerCert for Kept {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.read()))
    }
}

/// Whether certificate and key can be used, for `stoa doctor`.
pub(crate) fn check(settings: &TlsSettings) -> Result<(), TlsError> {
    load(settings, &Arc::new(aws_lc_rs::default_provider())).map(drop)
}

fn load(settings: &TlsSettings, provider: &Arc<CryptoProvider>) -> Result<CertifiedKey, TlsError> {
    let TlsSettings { certificate, key } = settings;
    let unreadable = |path: &PathBuf, setting| {
        let path = path.clone();
        move |source| TlsError::Unreadable { path, setting, source }
    };
    let chain = CertificateDer::pem_file_iter(certificate)
        .and_then(Iterator::collect::<Result<Vec<_>, _>>)
        .map_err(unreadable(certificate, "STOA_TLS_CERTIFICATE"))?;
    if chain.is_empty() {
        return Err(TlsError::NoCertificate(certificate.clone()));
    }
    let key = PrivateKeyDer::from_pem_file(key).map_err(unreadable(key, "STOA_TLS_KEY"))?;
    Ok(CertifiedKey::from_der(chain, key, provider)?)
}

/// Takes over renewed files. Files that cannot be used, as halfway through a renewal, leave the old certificate in use.
async fn renew(settings: TlsSettings, kept: Arc<Kept>, provider: Arc<CryptoProvider>) {
    let mut seen = changed_at(&settings).await;
    loop {
        tokio::time::sleep(LOOK_EVERY).await;
        let now = changed_at(&settings).await;
        if now == seen {
            continue;
        }
        let (files, provider) = (settings.clone(), Arc::clone(&provider));
        match tokio::task::spawn_blocking(move || load(&files, &provider)).await {
            Ok(Ok(renewed)) => {
                *kept.0.write() = Arc::new(renewed);
                seen = now;
                tracing::info!("took over a renewed certificate");
            }
            Ok(Err(error)) => {
                tracing::warn!(%error, "a renewed certificate cannot be used; the old one stays");
            }
            Err(error) => tracing::error!(%error, "reading a renewed certificate failed"),
        }
    }
}

async fn changed_at(settings: &TlsSettings) -> [Option<SystemTime>; 2] {
    let files = [settings.certificate.clone(), settings.key.clone()];
    let look = || files.map(|file| fs::metadata(file).and_then(|file| file.modified()).ok());
    tokio::task::spawn_blocking(look).await.unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn write_new_files(folder: &Path) -> (TlsSettings, CertificateDer<'static>) {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let settings =
            TlsSettings { certificate: folder.join("certificate.pem"), key: folder.join("key.pem") };
        fs::write(&settings.key, made.signing_key.serialize_pem()).unwrap();
        fs::write(&settings.certificate, made.cert.pem()).unwrap();
        (settings, made.cert.der().clone())
    }

    #[tokio::test(start_paused = true)]
    async fn renewed_files_are_taken_over_and_broken_ones_are_not() {
        let folder = tempfile::tempdir().unwrap();
        let (settings, first) = write_new_files(folder.path());
        let provider = Arc::new(aws_lc_rs::default_provider());
        let loaded = Arc::new(load(&settings, &provider).unwrap());
        let kept = Arc::new(Kept(parking_lot::RwLock::new(loaded)));
        let task = tokio::spawn(renew(settings.clone(), Arc::clone(&kept), provider));
        let shown = || kept.0.read().cert.first().cloned().unwrap();
        // The first look of the task, before anything changes.
        tokio::time::sleep(LOOK_EVERY / 2).await;
        assert_eq!(shown(), first);

        fs::write(&settings.certificate, "half written").unwrap();
        tokio::time::sleep(LOOK_EVERY * 3).await;
        assert_eq!(shown(), first, "the old one stays");

        let (_, second) = write_new_files(folder.path());
        while shown() != second {
            tokio::time::sleep(LOOK_EVERY).await;
        }
        task.abort();
    }
}
