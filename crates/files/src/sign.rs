//! Links that open a private file for a while, and addresses at which something may be sent: each says what it is for and
//! until when, and a signature that only this shop can make proves it.

use aws_lc_rs::{
    error::Unspecified,
    hkdf::{HKDF_SHA256, KeyType, Salt},
    hmac::{self, HMAC_SHA256, Key},
};
use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use stoa_contracts::files::FileId;
use stoa_kernel::{Refusal, RefusalKind, Timestamp};

/// What a link is for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    /// Reading a file.
    Read,
    /// Sending one.
    Send,
}

/// What is wrong with a link.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum LinkFlaw {
    /// It was altered, or signed by somebody else.
    Altered,
    /// It was good once.
    Expired,
}

impl LinkFlaw {
    pub(crate) fn refusal(self) -> Refusal {
        let (code, detail) = match self {
            Self::Altered => ("INVALID_SIGNATURE", "The signature of this link is not ours."),
            Self::Expired => ("LINK_EXPIRED", "This link has expired. Ask for a new one."),
        };
        Refusal::new(RefusalKind::Forbidden, code, detail)
    }
}

/// Signs links, and knows those that were signed.
pub(crate) struct Links(Key);

const KEY_LENGTH: usize = 32;

struct Length;

impl KeyType for Length {
    fn len(&self) -> usize {
        KEY_LENGTH
    }
}

impl Links {
    /// The same secret makes the same signatures, on every node.
    pub(crate) fn signed_by(secret: &[u8]) -> Result<Self, Unspecified> {
        let root = Salt::new(HKDF_SHA256, b"stoa").extract(secret);
        let mut bytes = [0; KEY_LENGTH];
        root.expand(&[b"signed addresses of files".as_slice()], Length)?.fill(&mut bytes)?;
        Ok(Self(Key::new(HMAC_SHA256, &bytes)))
    }

    /// The query of a link.
    pub(crate) fn sign(&self, purpose: Purpose, file: FileId, expires: Timestamp) -> String {
        let expires = expires.as_seconds();
        let signature = hmac::sign(&self.0, &message(purpose, file, expires));
        format!("expires={expires}&signature={}", BASE64_URL_SAFE_NO_PAD.encode(signature))
    }

    /// Whether a link is ours and still holds. The signature is compared in constant time.
    pub(crate) fn check(
        &self,
        purpose: Purpose,
        file: FileId,
        (expires, signature): (&str, &str),
        now: Timestamp,
    ) -> Result<(), LinkFlaw> {
        let expires: i64 = expires.parse().map_err(|_| LinkFlaw::Altered)?;
        let signature = BASE64_URL_SAFE_NO_PAD.decode(signature).map_err(|_| LinkFlaw::Altered)?;
        hmac::verify(&self.0, &message(purpose, file, expires), &signature).map_err(|_| LinkFlaw::Altered)?;
        if now.as_seconds() < expires { Ok(()) } else { Err(LinkFlaw::Expired) }
    }
}

fn message(purpose: Purpose, file: FileId, expires: i64) -> Vec<u8> {
    let purpose = match purpose {
        Purpose::Read => b'r',
        Purpose::Send => b's',
    };
    [&[purpose], file.uuid().as_bytes().as_slice(), &expires.to_be_bytes()].concat()
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    const NOW: Timestamp = Timestamp::from_seconds(1_000);

    fn query(links: &Links, purpose: Purpose) -> (String, String) {
        let text = links.sign(purpose, Uuid::nil().into(), Timestamp::from_seconds(1_060));
        let (expires, signature) = text.split_once('&').unwrap();
        let value = |pair: &str| pair.split_once('=').unwrap().1.to_owned();
        (value(expires), value(signature))
    }

    #[test]
    fn a_link_holds_for_its_file_its_purpose_and_its_time() {
        let links = Links::signed_by(b"a secret that is good for tests alone").unwrap();
        let (expires, signature) = query(&links, Purpose::Read);
        let check = |purpose, file: Uuid, expires: &str, signature: &str, now| {
            links.check(purpose, file.into(), (expires, signature), Timestamp::from_seconds(now))
        };
        assert_eq!(check(Purpose::Read, Uuid::nil(), &expires, &signature, 1_059), Ok(()));
        assert_eq!(check(Purpose::Read, Uuid::nil(), &expires, &signature, 1_060), Err(LinkFlaw::Expired));
        let altered = Err(LinkFlaw::Altered);
        assert_eq!(check(Purpose::Send, Uuid::nil(), &expires, &signature, 1_000), altered);
        assert_eq!(check(Purpose::Read, Uuid::max(), &expires, &signature, 1_000), altered);
        assert_eq!(check(Purpose::Read, Uuid::nil(), "1061", &signature, 1_000), altered);
        assert_eq!(check(Purpose::Read, Uuid::nil(), "soon", &signature, 1_000), altered);
        for odd in ["", "AAAA", "%%%", signature.get(1..).unwrap()] {
            assert_eq!(check(Purpose::Read, Uuid::nil(), &expires, odd, 1_000), altered, "{odd:?}");
        }
        let others = Links::signed_by(b"another secret that is good for tests").unwrap();
        let (theirs, file) = (query(&others, Purpose::Read), Uuid::nil().into());
        assert_eq!(links.check(Purpose::Read, file, (&theirs.0, &theirs.1), NOW), altered);
    }
}
