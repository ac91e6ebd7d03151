//! One Ed25519 key: made, sealed for the table, opened again, published.

use aws_lc_rs::{
    aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey},
    error::Unspecified,
    hkdf::{HKDF_SHA256, Salt},
    signature::{Ed25519KeyPair, KeyPair as _},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use jsonwebtoken::{Algorithm, DecodingKey, EncodingKey, Header};
use serde::Serialize;
use sha2::{Digest, Sha256};
use stoa_kernel::Random;
use utoipa::ToSchema;

use crate::{error::AccountError, tokens::Signer};

/// How long the public part is, and the seed that the private part is made of.
const PUBLIC_LENGTH: usize = 32;
const SEED_LENGTH: usize = 32;

/// Seals the private part of keys, so that who reads the table cannot sign.
pub(crate) struct Seal(LessSafeKey);

impl Seal {
    /// The seal that this secret makes.
    pub(crate) fn of(secret: &[u8]) -> Result<Self, Unspecified> {
        let root = Salt::new(HKDF_SHA256, b"stoa").extract(secret);
        let key = root.expand(&[b"private parts of signing keys"], &AES_256_GCM)?;
        Ok(Self(LessSafeKey::new(UnboundKey::from(key))))
    }

    /// `nonce || ciphertext || tag`, bound to the key's name.
    fn close(&self, seed: &[u8], kid: &str, random: &Random) -> Result<Vec<u8>, Unspecified> {
        let nonce: [u8; NONCE_LEN] = random.bytes();
        let mut sealed = seed.to_vec();
        let bound = Aad::from(kid.as_bytes());
        self.0.seal_in_place_append_tag(Nonce::assume_unique_for_key(nonce), bound, &mut sealed)?;
        Ok([&nonce[..], &sealed].concat())
    }

    /// What was sealed under this name; an error when it was altered, or sealed by another secret.
    fn open(&self, sealed: &[u8], kid: &str) -> Result<Vec<u8>, Unspecified> {
        let (nonce, sealed) = sealed.split_first_chunk::<NONCE_LEN>().ok_or(Unspecified)?;
        let mut seed = sealed.to_vec();
        let nonce = Nonce::assume_unique_for_key(*nonce);
        let length = self.0.open_in_place(nonce, Aad::from(kid.as_bytes()), &mut seed)?.len();
        seed.truncate(length);
        Ok(seed)
    }
}

/// A key as the table keeps it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct KeptPair {
    pub(crate) kid: String,
    pub(crate) public: Vec<u8>,
    pub(crate) sealed: Vec<u8>,
}

impl KeptPair {
    /// A fresh key, its private part sealed.
    pub(crate) fn new(seal: &Seal, random: &Random) -> Result<Self, AccountError> {
        let seed: [u8; SEED_LENGTH] = random.bytes();
        let pair = Ed25519KeyPair::from_seed_unchecked(&seed).map_err(|_| AccountError::SigningKey)?;
        let public = pair.public_key().as_ref().to_vec();
        let kid = thumbprint(&public);
        let sealed = seal.close(&seed, &kid, random).map_err(|Unspecified| AccountError::SigningKey)?;
        Ok(Self { kid, public, sealed })
    }

    /// What signs with this key; `None` when its private part was sealed by another secret.
    pub(crate) fn signer(&self, seal: &Seal) -> Option<Signer> {
        let seed = seal.open(&self.sealed, &self.kid).ok()?;
        let pair = Ed25519KeyPair::from_seed_and_public_key(&seed, &self.public).ok()?;
        let der = pair.to_pkcs8().ok()?;
        let header = Header { kid: Some(self.kid.clone()), ..Header::new(Algorithm::EdDSA) };
        Some(Signer::new(header, EncodingKey::from_ed_der(der.as_ref())))
    }

    /// What verifies what this key signed; `None` when the table holds nonsense.
    pub(crate) fn verifier(&self) -> Option<DecodingKey> {
        (self.public.len() == PUBLIC_LENGTH).then(|| DecodingKey::from_ed_der(&self.public))
    }

    /// The public part for verifiers outside.
    pub(crate) fn published(&self) -> PublicKey {
        PublicKey {
            kty: "OKP",
            crv: "Ed25519",
            usage: "sig",
            alg: "EdDSA",
            kid: self.kid.clone(),
            x: BASE64_URL_SAFE_NO_PAD.encode(&self.public),
        }
    }
}

/// A public key as a JSON Web Key (RFC 8037).
#[derive(Clone, PartialEq, Eq, Debug, Serialize, ToSchema)]
pub(crate) struct PublicKey {
    kty: &'static str,
    crv: &'static str,
    #[serde(rename = "use")]
    usage: &'static str,
    alg: &'static str,
    /// Its name in the header of tokens: its thumbprint (RFC 7638).
    kid: String,
    x: String,
}

fn thumbprint(public: &[u8]) -> String {
    let x = BASE64_URL_SAFE_NO_PAD.encode(public);
    let members = format!(r#"{{"crv":"Ed25519","kty":"OKP","x":"{x}"}}"#);
    BASE64_URL_SAFE_NO_PAD.encode(Sha256::digest(members))
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECRET: &[u8] = b"0123456789abcdef0123456789abcdef";

    #[test]
    fn a_sealed_key_opens_with_its_secret_and_name_alone() {
        let (seal, random) = (Seal::of(SECRET).unwrap(), Random::system());
        let kept = KeptPair::new(&seal, &random).unwrap();
        assert!(kept.signer(&seal).is_some());
        assert!(kept.signer(&Seal::of(&SECRET[1..]).unwrap()).is_none());
        let other = KeptPair::new(&seal, &random).unwrap();
        assert!(KeptPair { sealed: other.sealed.clone(), ..kept.clone() }.signer(&seal).is_none());
        let mut altered = kept.sealed.clone();
        altered[20] ^= 1;
        for sealed in [altered, vec![], kept.sealed[..12].to_vec()] {
            assert!(KeptPair { sealed, ..kept.clone() }.signer(&seal).is_none());
        }
        assert_ne!(
            kept.sealed[..12],
            KeptPair::new(&seal, &random).unwrap().sealed[..12],
            "a nonce of its own"
        );
    }

    #[test]
    fn nothing_private_stands_in_what_is_kept() {
        let random = Random::seeded(7);
        let seed: [u8; SEED_LENGTH] = Random::seeded(7).bytes();
        let kept = KeptPair::new(&Seal::of(SECRET).unwrap(), &random).unwrap();
        assert!(!kept.sealed.windows(8).any(|part| seed.windows(8).any(|private| private == part)));
    }

    /// The example of RFC 8037, appendix A.
    #[test]
    fn names_and_public_parts_are_those_of_the_standard() {
        let public = BASE64_URL_SAFE_NO_PAD.decode("11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo").unwrap();
        let kid = thumbprint(&public);
        assert_eq!(kid, "kPrK_qmxVWaYVA9wwBF6Iuo3vVzz7TxHCTwXBygrS4k");
        let published = KeptPair { kid, public, sealed: vec![] }.published();
        assert_eq!(published.x, "11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo");
    }
}
