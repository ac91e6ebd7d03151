//! Tokens of mailed links. They are made when the mail is, by the job that sends it, so that no token ever lies in the job
//! table; and made of the job's id and the server's secret, so that a job that runs again writes the same mail.

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use hmac::{Hmac, KeyInit, Mac};
use sha2::Sha256;
use stoa_platform::jobs::JobId;

use crate::{
    Accounts,
    tokens::{Secret, hash_of},
};

/// What a link is good for. A token made for one thing is good for no other.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(crate) enum Purpose {
    ResetPassword,
    VerifyEmail,
}

impl Purpose {
    /// The page of the web app that the link leads to.
    const fn page(self) -> &'static str {
        match self {
            Self::ResetPassword => "reset-password",
            Self::VerifyEmail => "verify-email",
        }
    }

    /// The token of the mail that `job` sends.
    fn token(self, key: &[u8], job: JobId) -> Secret {
        // A key of any length will do for HMAC, so there is always one.
        let made = Hmac::<Sha256>::new_from_slice(key).map(|mac| {
            let text = format!("stoa mailed link {} {job}", self.page());
            mac.chain_update(text).finalize().into_bytes()
        });
        let token = BASE64_URL_SAFE_NO_PAD.encode(made.unwrap_or_default());
        Secret { hash: hash_of(&token), token }
    }
}

impl Accounts {
    /// The secret of the mail that `job` sends, and the link that holds it.
    pub(crate) fn mailed_link(&self, purpose: Purpose, job: JobId) -> (Secret, String) {
        let secret = purpose.token(&self.settings().jwt_secret, job);
        let base = self.settings().issuer.trim_end_matches('/');
        let link = format!("{base}/{}?token={}", purpose.page(), secret.token);
        (secret, link)
    }
}

#[cfg(test)]
mod tests {
    use stoa_kernel::{Random, Timestamp};

    use super::*;

    #[test]
    fn a_token_belongs_to_one_job_one_purpose_and_one_server() {
        let random = Random::seeded(1);
        let job = || JobId::new(Timestamp::from_seconds(1), &random);
        let (first, second) = (job(), job());
        let made = Purpose::ResetPassword.token(b"a secret", first);
        assert_eq!(made.token.len(), 43);
        assert_eq!(Purpose::ResetPassword.token(b"a secret", first).hash, made.hash);
        assert_ne!(Purpose::ResetPassword.token(b"a secret", second).hash, made.hash);
        assert_ne!(Purpose::VerifyEmail.token(b"a secret", first).hash, made.hash);
        assert_ne!(Purpose::ResetPassword.token(b"another", first).hash, made.hash);
        assert_eq!(hash_of(&made.token), made.hash);
    }
}
