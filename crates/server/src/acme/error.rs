//! Why there is no certificate, and what to mend.

use instant_acme::{Error, Problem};

use super::{certificate::BadCertificate, files::FolderError};

#[derive(Debug, thiserror::Error)]
pub(super) enum AcmeError {
    #[error(
        "the directory cannot be asked: {0}; check STOA_ACME_DIRECTORY, STOA_ACME_CA_FILE and that this machine may \
         connect to it"
    )]
    Unreachable(#[source] Error),
    #[error("the directory refuses: {told}; {cure}")]
    Refused { told: String, cure: &'static str },
    #[error(
        "{domain} could not be verified: {told}; its name must lead to this node, and port 443 from outside to the port \
         it listens on"
    )]
    Unverified { domain: String, told: String },
    #[error("the directory offers no tls-alpn-01 for {0}; use another directory, or STOA_TLS_CERTIFICATE")]
    NoChallenge(String),
    #[error("the directory took too long; nothing is to be done, unless it happens again")]
    Late,
    #[error("a certificate for {0} cannot be made: {1}; check STOA_ACME_DOMAINS")]
    Making(String, #[source] rcgen::Error),
    #[error("the key of {0} cannot be used: {1}")]
    Key(String, #[source] rustls::Error),
    #[error(transparent)]
    Certificate(#[from] BadCertificate),
    #[error(transparent)]
    Folder(#[from] FolderError),
}

impl AcmeError {
    /// Whether the directory does not know the account that was used.
    pub(super) fn is_unknown_account(error: &Error) -> bool {
        matches!(error, Error::Api(problem) if kind(problem) == "accountDoesNotExist")
    }
}

impl From<Error> for AcmeError {
    fn from(error: Error) -> Self {
        match error {
            Error::Api(problem) => Self::Refused { told: told(&problem), cure: cure(kind(&problem)) },
            Error::Timeout(_) => Self::Late,
            other => Self::Unreachable(other),
        }
    }
}

/// What a directory says of a problem.
pub(super) fn told(problem: &Problem) -> String {
    problem.detail.clone().unwrap_or_else(|| kind(problem).to_owned())
}

fn kind(problem: &Problem) -> &str {
    problem.r#type.as_deref().and_then(|kind| kind.rsplit(':').next()).unwrap_or("no reason")
}

/// RFC 8555, section 6.7.
fn cure(kind: &str) -> &'static str {
    match kind {
        "rateLimited" => {
            "it is asked again later; a staging directory has wider limits for trying things out"
        }
        "rejectedIdentifier" | "unsupportedIdentifier" | "caa" => {
            "check STOA_ACME_DOMAINS and the CAA records of its names"
        }
        "invalidContact" | "unsupportedContact" => "check STOA_ACME_EMAIL",
        "externalAccountRequired" => "that directory wants an account made elsewhere; use another",
        "userActionRequired" => "its terms have changed: read them where it says",
        "connection" | "dns" | "tls" | "unauthorized" => {
            "each name must lead to this node, and port 443 from outside to the port it listens on"
        }
        _ => "check STOA_ACME_DIRECTORY and STOA_ACME_DOMAINS",
    }
}
