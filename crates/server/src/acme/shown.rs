//! What whoever connects is shown: the certificate in use, or the answer to a challenge.

use std::{collections::HashMap, fmt, sync::Arc};

use parking_lot::RwLock;
use rcgen::{CertificateParams, CustomExtension, DistinguishedName, KeyPair};
use rustls::{
    crypto::CryptoProvider,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    server::{ClientHello, ResolvesServerCert},
    sign::CertifiedKey,
};

use super::error::AcmeError;

/// The protocol that a directory asks for, and nobody else (RFC 8737, section 6.2).
pub(crate) const CHALLENGE_PROTOCOL: &[u8] = b"acme-tls/1";

/// The certificates of a port.
#[derive(Default)]
pub(crate) struct Shown {
    serving: RwLock<Option<Arc<CertifiedKey>>>,
    challenges: RwLock<HashMap<String, Arc<CertifiedKey>>>,
}

impl Shown {
    pub(super) fn serve(&self, certified: CertifiedKey) {
        *self.serving.write() = Some(Arc::new(certified));
    }

    /// Shows the answer to a challenge until the answer is dropped.
    pub(super) fn answer(
        &self,
        domain: &str,
        digest: &[u8],
        provider: &CryptoProvider,
    ) -> Result<Answer<'_>, AcmeError> {
        let certified = challenge_certificate(domain, digest, provider)?;
        self.challenges.write().insert(domain.to_owned(), Arc::new(certified));
        Ok(Answer { shown: self, domain: domain.to_owned() })
    }
}

impl fmt::Debug for Shown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Shown")
    }
}

impl ResolvesServerCert for Shown {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let mut protocols = hello.alpn().into_iter().flatten();
        if (protocols.next(), protocols.next()) == (Some(CHALLENGE_PROTOCOL), None) {
            let name = hello.server_name()?.to_ascii_lowercase();
            return self.challenges.read().get(&name).cloned();
        }
        self.serving.read().clone()
    }
}

/// An answer that is shown.
pub(super) struct Answer<'s> {
    shown: &'s Shown,
    domain: String,
}

impl Drop for Answer<'_> {
    fn drop(&mut self) {
        self.shown.challenges.write().remove(&self.domain);
    }
}

/// RFC 8737, section 3: signed by itself, for one name, with the digest in an extension of its own.
fn challenge_certificate(
    domain: &str,
    digest: &[u8],
    provider: &CryptoProvider,
) -> Result<CertifiedKey, AcmeError> {
    let making = |error| AcmeError::Making(domain.to_owned(), error);
    let key = KeyPair::generate().map_err(making)?;
    let mut parameters = CertificateParams::new([domain.to_owned()]).map_err(making)?;
    parameters.distinguished_name = DistinguishedName::new();
    parameters.custom_extensions = vec![CustomExtension::new_acme_identifier(digest)];
    let certificate = parameters.self_signed(&key).map_err(making)?;
    let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let key = provider.key_provider.load_private_key(key);
    let key = key.map_err(|error| AcmeError::Key(domain.to_owned(), error))?;
    // Not looked into: to anybody but a directory that extension makes it no certificate.
    Ok(CertifiedKey::new(vec![certificate.der().clone()], key))
}
