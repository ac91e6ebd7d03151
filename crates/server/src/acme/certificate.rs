//! A certificate and its key, as they are kept, and when it is time for the next.

use rustls::{
    client::verify_server_name,
    crypto::CryptoProvider,
    pki_types::{
        CertificateDer, PrivateKeyDer, ServerName,
        pem::{Error as PemError, PemObject},
    },
    server::ParsedCertificate,
    sign::CertifiedKey,
};
use stoa_kernel::Timestamp;
use yasna::{ASN1Result, BERReader, Tag, tags::TAG_UTCTIME};

/// Why a certificate cannot be used.
#[derive(Debug, thiserror::Error)]
pub(super) enum BadCertificate {
    #[error("it is no PEM with a key and a certificate: {0}")]
    Pem(#[from] PemError),
    #[error("it holds no certificate")]
    Empty,
    #[error("it cannot be read: {0}")]
    Unreadable(#[from] yasna::ASN1Error),
}

pub(super) struct Certificate {
    chain: Vec<CertificateDer<'static>>,
    key: PrivateKeyDer<'static>,
    not_before: Timestamp,
    not_after: Timestamp,
}

impl Certificate {
    /// Reads a key and the certificates from the one in use upwards.
    pub(super) fn parse(pem: &[u8]) -> Result<Self, BadCertificate> {
        let chain: Vec<_> = CertificateDer::pem_slice_iter(pem).collect::<Result<_, _>>()?;
        let key = PrivateKeyDer::from_pem_slice(pem)?;
        let first = chain.first().ok_or(BadCertificate::Empty)?;
        let (not_before, not_after) = yasna::parse_der(first, validity)?;
        Ok(Self { chain, key, not_before, not_after })
    }

    /// When two thirds of its life are over.
    pub(super) fn renew_at(&self) -> Timestamp {
        self.not_before + self.not_after.since(self.not_before) * 2 / 3
    }

    pub(super) const fn not_after(&self) -> Timestamp {
        self.not_after
    }

    /// Whether it bears all of these names.
    pub(super) fn is_for(&self, domains: &[String]) -> bool {
        let Some(Ok(parsed)) = self.chain.first().map(ParsedCertificate::try_from) else { return false };
        domains.iter().all(|domain| {
            ServerName::try_from(domain.as_str()).is_ok_and(|name| verify_server_name(&parsed, &name).is_ok())
        })
    }

    pub(super) fn certified(&self, provider: &CryptoProvider) -> Result<CertifiedKey, rustls::Error> {
        CertifiedKey::from_der(self.chain.clone(), self.key.clone_key(), provider)
    }
}

/// RFC 5280, section 4.1: the validity is the fourth part after a version that may be absent.
fn validity(certificate: BERReader<'_, '_>) -> ASN1Result<(Timestamp, Timestamp)> {
    certificate.read_sequence(|parts| {
        let validity = parts.next().read_sequence(|signed| {
            signed.read_optional(|version| version.read_tagged(Tag::context(0), |inner| inner.read_der()))?;
            for _serial_algorithm_issuer in 0..3 {
                signed.next().read_der()?;
            }
            let validity =
                signed.next().read_sequence(|both| Ok((time(both.next())?, time(both.next())?)))?;
            while signed.read_optional(|part| part.read_der())?.is_some() {}
            Ok(validity)
        })?;
        for _algorithm_signature in 0..2 {
            parts.next().read_der()?;
        }
        Ok(validity)
    })
}

fn time(reader: BERReader<'_, '_>) -> ASN1Result<Timestamp> {
    let seconds = if reader.lookahead_tag()? == TAG_UTCTIME {
        reader.read_utctime()?.datetime().unix_timestamp()
    } else {
        reader.read_generalized_time()?.datetime().unix_timestamp()
    };
    Ok(Timestamp::from_seconds(seconds))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rcgen::{CertificateParams, KeyPair, date_time_ymd};
    use rustls::crypto::aws_lc_rs;

    use super::*;

    fn made(names: &[&str], until: (i32, u8, u8)) -> String {
        let names: Vec<String> = names.iter().map(|name| (*name).to_owned()).collect();
        let key = KeyPair::generate().unwrap();
        let mut parameters = CertificateParams::new(names).unwrap();
        parameters.not_before = date_time_ymd(2026, 1, 1);
        parameters.not_after = date_time_ymd(until.0, until.1, until.2);
        let certificate = parameters.self_signed(&key).unwrap();
        format!("{}{}", key.serialize_pem(), certificate.pem())
    }

    #[test]
    fn it_is_renewed_when_two_thirds_of_its_life_are_over() {
        let day = Duration::from_hours(24);
        let kept = Certificate::parse(made(&["a.example"], (2026, 4, 1)).as_bytes()).unwrap();
        let begun = Timestamp::parse("2026-01-01T00:00:00Z").unwrap();
        assert_eq!((kept.renew_at(), kept.not_after()), (begun + day * 60, begun + day * 90));
        // From 2050 on times are written in another way.
        let long = Certificate::parse(made(&["a.example"], (2060, 1, 1)).as_bytes()).unwrap();
        assert_eq!(long.not_after(), Timestamp::parse("2060-01-01T00:00:00Z").unwrap());
    }

    #[test]
    fn it_is_for_the_names_it_bears() {
        let kept = Certificate::parse(made(&["a.example", "b.example"], (2026, 4, 1)).as_bytes()).unwrap();
        let is_for =
            |names: &[&str]| kept.is_for(&names.iter().map(|name| (*name).to_owned()).collect::<Vec<_>>());
        assert!(is_for(&["a.example"]) && is_for(&["b.example", "a.example"]));
        assert!(!is_for(&["a.example", "c.example"]));
        assert!(kept.certified(&aws_lc_rs::default_provider()).is_ok());
    }

    #[test]
    fn what_is_no_certificate_is_refused() {
        let whole = made(&["a.example"], (2026, 4, 1));
        let key = whole.split_inclusive("-----END PRIVATE KEY-----").next().unwrap();
        for bad in ["", "half written", key, whole.strip_prefix(key).unwrap()] {
            assert!(Certificate::parse(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
