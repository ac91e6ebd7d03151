//! HTTPS with certificates from an ACME directory (RFC 8555), which come and are renewed by themselves.
//!
//! That a name is ours is proved on the server's own port (`tls-alpn-01`, RFC 8737): the directory connects, asks for
//! the protocol `acme-tls/1`, and is shown a certificate made for that one question. Until there is a certificate the
//! port answers nothing else. A task asks, waits and asks again; the server never waits for it.

mod certificate;
mod error;
mod files;
mod order;
mod shown;

use std::{
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};

use rustls::crypto::{CryptoProvider, aws_lc_rs};
use stoa_kernel::{Clock, Timestamp};
use tokio::time::{sleep, timeout};

pub use self::files::FolderError;
pub(crate) use self::shown::{CHALLENGE_PROTOCOL, Shown};
use self::{certificate::Certificate, error::AcmeError, files::Folder};

/// How long one attempt may take, however it ends.
const LONGEST_ATTEMPT: Duration = Duration::from_mins(5);
/// The longest pause between two attempts that failed.
const LONGEST_PAUSE: Duration = Duration::from_hours(6);

/// For which names certificates are asked, and whom.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AcmeSettings {
    /// The names that the certificate bears.
    pub domains: Vec<String>,
    /// Whom the directory may write to.
    pub email: Option<String>,
    /// The address of the directory.
    pub directory: String,
    /// A root that vouches for the directory itself, in PEM; those of the system otherwise.
    pub ca_file: Option<PathBuf>,
    /// How often it is looked whether it is time to renew.
    pub look_every: Duration,
    /// The pause after the first attempt that failed; each next one is twice as long.
    pub first_pause: Duration,
}

impl AcmeSettings {
    /// Certificates for these names from a directory whose terms are accepted.
    pub fn of(domains: Vec<String>, directory: String) -> Self {
        Self {
            domains,
            email: None,
            directory,
            ca_file: None,
            look_every: Duration::from_mins(1),
            // Let's Encrypt bears five failures an hour.
            first_pause: Duration::from_mins(1),
        }
    }
}

/// Keeps a certificate in use; to be run for as long as the server.
pub(crate) struct Keeper {
    settings: AcmeSettings,
    folder: Folder,
    shown: Arc<Shown>,
    clock: Clock,
    provider: Arc<CryptoProvider>,
    kept: Option<Certificate>,
}

impl Keeper {
    /// Takes up what an earlier run has left in the data folder.
    pub(crate) fn new(settings: AcmeSettings, data_dir: &Path, clock: Clock) -> Result<Self, FolderError> {
        let folder = Folder::open(data_dir, &settings.directory)?;
        let provider = Arc::new(aws_lc_rs::default_provider());
        let kept = folder.certificate()?.and_then(|pem| match Certificate::parse(&pem) {
            Ok(kept) => Some(kept),
            Err(error) => {
                tracing::warn!(%error, "the kept certificate cannot be used; another is asked for");
                None
            }
        });
        Ok(Self { settings, folder, shown: Arc::default(), clock, provider, kept })
    }

    /// What is shown to whoever connects.
    pub(crate) fn shown(&self) -> Arc<Shown> {
        Arc::clone(&self.shown)
    }

    /// Asks for a certificate whenever it is time to.
    pub(crate) async fn run(mut self) {
        if let Some(kept) = &self.kept {
            self.serve(kept);
        }
        let mut pause = self.settings.first_pause;
        loop {
            if !self.is_due(self.clock.now()) {
                pause = self.settings.first_pause;
                sleep(self.settings.look_every).await;
                continue;
            }
            match timeout(LONGEST_ATTEMPT, self.renew()).await.unwrap_or(Err(AcmeError::Late)) {
                Ok(()) if self.is_due(self.clock.now()) => {
                    let cure = "check the clock of this machine";
                    tracing::warn!("the new certificate is already to be renewed; {cure}");
                }
                Ok(()) => continue,
                Err(error) => {
                    let (domains, again_in) = (self.settings.domains.join(", "), pause.as_secs());
                    tracing::error!(%error, domains, again_in, "no certificate was given");
                }
            }
            sleep(pause).await;
            pause = (pause * 2).min(LONGEST_PAUSE);
        }
    }

    fn is_due(&self, now: Timestamp) -> bool {
        !self.kept.as_ref().is_some_and(|kept| now < kept.renew_at() && kept.is_for(&self.settings.domains))
    }

    async fn renew(&mut self) -> Result<(), AcmeError> {
        let pem = order::certificate(&self.settings, &self.folder, &self.shown).await?;
        let renewed = Certificate::parse(pem.as_bytes())?;
        self.folder.keep_certificate(&pem)?;
        let (domains, until) = (self.settings.domains.join(", "), renewed.not_after());
        tracing::info!(domains, %until, "took over a certificate from the ACME directory");
        self.serve(&renewed);
        self.kept = Some(renewed);
        Ok(())
    }

    fn serve(&self, certificate: &Certificate) {
        match certificate.certified(&self.provider) {
            Ok(certified) => self.shown.serve(certified),
            Err(error) => tracing::error!(%error, "a certificate of the ACME directory cannot be used"),
        }
    }
}

/// Until when the certificate in the data folder is good, if there is one; for `stoa doctor`.
pub(crate) fn kept_until(settings: &AcmeSettings, data_dir: &Path) -> Result<Option<Timestamp>, FolderError> {
    let pem = Folder::look(data_dir, &settings.directory).certificate()?;
    Ok(pem.and_then(|pem| Certificate::parse(&pem).ok()).map(|kept| kept.not_after()))
}
