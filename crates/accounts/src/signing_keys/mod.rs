//! Keys that sign access tokens and are published, so that others can verify tokens without a secret. They are shared by
//! all nodes through the database, and each has a successor in time.

mod key_pair;
mod key_set;
mod rotate;

use std::{
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use jsonwebtoken::Algorithm;
use stoa_kernel::{Refusal, SessionId, Timestamp};
use stoa_platform::{Occasion, database::DatabaseError};

use self::key_set::KeySet;
pub(crate) use self::{
    key_pair::{KeptPair, PublicKey, Seal},
    key_set::KeptKey,
};
use crate::{
    Accounts,
    account::User,
    error::AccountError,
    settings::JwtAlgorithm,
    store::signing_keys,
    tokens::{Bearer, invalid_token},
};

/// How long the keys that were read are believed to be all; much shorter than the time between publishing and signing.
const KNOWN_FOR: Duration = Duration::from_mins(1);
/// How soon they are read again for a token whose key is not among them.
const LOOKED_AGAIN_AFTER: Duration = Duration::from_secs(1);
/// How often a key is made until one is there that this node can sign with; nodes of different secrets might race.
const TRIES: u32 = 3;

/// The keys this node knows of, and the seal it opens them with.
pub(crate) struct SigningKeys {
    seal: Seal,
    known: Mutex<Arc<KeySet>>,
}

impl SigningKeys {
    pub(crate) fn sealed_by(seal: Seal) -> Self {
        Self { seal, known: Mutex::new(Arc::new(KeySet::unread())) }
    }

    fn known(&self) -> Arc<KeySet> {
        Arc::clone(&self.known.lock().unwrap_or_else(PoisonError::into_inner))
    }

    /// Keeps what was read, unless somebody read later.
    fn keep(&self, read: KeySet) -> Arc<KeySet> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if read.is_as_fresh_as(&known) {
            *known = Arc::new(read);
        }
        Arc::clone(&known)
    }
}

impl Accounts {
    /// A token for a session of `user`, signed as the settings say.
    pub(crate) async fn sign_token(
        &self,
        user: &User,
        session: SessionId,
        now: Timestamp,
        lifetime: Duration,
    ) -> Result<String, AccountError> {
        let tokens = self.tokens();
        match self.settings().jwt_algorithm {
            JwtAlgorithm::Hs256 => tokens.sign(tokens.secret(), user, session, now, lifetime),
            JwtAlgorithm::EdDsa => {
                let keys = self.keys_to_sign_with(now).await?;
                let signer = keys.signer(now, self.longest_token_life()).ok_or(AccountError::SigningKey)?;
                tokens.sign(signer, user, session, now, lifetime)
            }
        }
    }

    /// What a token says, if it is ours, unaltered and not out of date. Its algorithm chooses among keys of its own kind
    /// only, so no key is ever used for what it was not made for.
    pub(crate) async fn verify_token(&self, token: &str, now: Timestamp) -> Result<Bearer, Refusal> {
        let tokens = self.tokens();
        let bearer = match tokens.known(token) {
            Some(bearer) => bearer,
            None => match jsonwebtoken::decode_header(token).map_err(|_| invalid_token())? {
                header if header.alg == Algorithm::HS256 => {
                    self.require_time_of_the_secret(now).await?;
                    tokens.read_by_secret(token)?
                }
                header if header.alg == Algorithm::EdDSA => {
                    let kid = header.kid.ok_or_else(invalid_token)?;
                    let keys = self.keys_with(&kid, now).await?;
                    tokens.read_by_key(token, keys.verifier(&kid).ok_or_else(invalid_token)?)?
                }
                _ => return Err(invalid_token()),
            },
        };
        bearer.require_life(now)?;
        Ok(bearer)
    }

    /// The public keys for verifiers outside; there are none while the secret signs, but those whose tokens still live.
    pub(crate) async fn public_keys(&self, now: Timestamp) -> Result<Vec<PublicKey>, AccountError> {
        let keys = match self.settings().jwt_algorithm {
            JwtAlgorithm::Hs256 => self.keys(KNOWN_FOR, now).await?,
            JwtAlgorithm::EdDsa => self.keys_to_sign_with(now).await?,
        };
        Ok(keys.published(now))
    }

    /// Once keys sign, the secret vouches only for tokens that were given out before: else whoever knows it, and once
    /// verified tokens with it, could go on making them.
    async fn require_time_of_the_secret(&self, now: Timestamp) -> Result<(), Refusal> {
        if self.settings().jwt_algorithm == JwtAlgorithm::Hs256 {
            return Ok(());
        }
        let keys = self.keys(KNOWN_FOR, now).await?;
        match keys.secret_verifies_until(self.longest_token_life()) {
            Some(end) if end <= now => Err(invalid_token()),
            _ => Ok(()),
        }
    }

    /// The keys, one of which signs now; the first is made when it is wanted.
    async fn keys_to_sign_with(&self, now: Timestamp) -> Result<Arc<KeySet>, AccountError> {
        let mut keys = self.keys(KNOWN_FOR, now).await?;
        for _ in 0..TRIES {
            if keys.signer(now, self.longest_token_life()).is_some() {
                return Ok(keys);
            }
            // Another node may have made one since.
            keys = self.keys(Duration::ZERO, now).await?;
            if keys.signer(now, self.longest_token_life()).is_none() {
                let occasion = Occasion::system(self.clock(), self.random(), "sign-in");
                self.introduce_key(keys.generation(), now, occasion).await?;
                keys = self.keys(KNOWN_FOR, now).await?;
            }
        }
        Ok(keys)
    }

    /// The keys, read again when none is called so: another node may have made it a moment ago.
    async fn keys_with(&self, kid: &str, now: Timestamp) -> Result<Arc<KeySet>, DatabaseError> {
        let keys = self.keys(KNOWN_FOR, now).await?;
        if keys.verifier(kid).is_some() {
            return Ok(keys);
        }
        // The very first key signs as soon as it is made.
        let expected = keys.generation() == 0 && self.settings().jwt_algorithm == JwtAlgorithm::EdDsa;
        self.keys(if expected { Duration::ZERO } else { LOOKED_AGAIN_AFTER }, now).await
    }

    /// The keys, as they were no longer than `age` ago.
    async fn keys(&self, age: Duration, now: Timestamp) -> Result<Arc<KeySet>, DatabaseError> {
        let known = self.signing_keys().known();
        if known.is_younger(age, now) {
            return Ok(known);
        }
        let kept = self.database().get(signing_keys::all).await?;
        Ok(self.signing_keys().keep(KeySet::of(kept, &self.signing_keys().seal, now)))
    }

    /// How long a token lives at most.
    fn longest_token_life(&self) -> Duration {
        self.settings().access_token_ttl.max(self.settings().v0_token_ttl)
    }
}
