//! Keys change by the clock: a new one is published a while before it signs, the old one verifies until its last token
//! has run out.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use serde_json::json;
use stoa_kernel::Timestamp;
use stoa_platform::{
    Occasion,
    database::Tx,
    jobs::{Handler, Job, JobContext, Schedule},
};

use super::{KNOWN_FOR, KeptKey, KeptPair};
use crate::{
    Accounts,
    audit::{Note, kind},
    error::AccountError,
    settings::JwtAlgorithm,
    store::signing_keys,
};

/// How long a key is published before it signs at most: verifiers that keep the list, and other nodes, know it by then.
const LONGEST_LEAD: Duration = Duration::from_hours(1);
/// Often enough for the shortest rotation.
const OFTEN: &str = "*/10 * * * *";

/// Publishes the next signing key when the present one has signed long enough.
#[derive(Clone, Debug, Serialize, Deserialize)]
pub(crate) struct RotateSigningKeys {}

impl Job for RotateSigningKeys {
    const QUEUE: &'static str = "maintenance";
    const KIND: &'static str = "rotate-signing-keys";

    fn key(&self) -> Option<String> {
        Some("all".into())
    }
}

impl Accounts {
    pub(crate) fn rotation_handler(&self) -> Handler {
        let accounts = self.clone();
        Handler::of::<RotateSigningKeys>(move |_: RotateSigningKeys, context: JobContext| {
            let accounts = accounts.clone();
            async move { Ok(accounts.rotate(context.occasion()).await?) }
        })
    }

    pub(crate) fn rotation_schedule() -> Schedule {
        Schedule::of("rotate-signing-keys", OFTEN, RotateSigningKeys {})
    }

    /// Publishes a successor when it is time. While the secret signs, keys that are left come to their end instead.
    async fn rotate(&self, occasion: Occasion) -> Result<(), AccountError> {
        let now = occasion.at;
        let keys = self.keys(Duration::ZERO, now).await?;
        if self.settings().jwt_algorithm == JwtAlgorithm::Hs256 {
            return if keys.generation() == 0 { Ok(()) } else { self.retire_all(now).await };
        }
        let rotation = self.settings().jwt_key_rotation;
        let lead = LONGEST_LEAD.min(rotation / 2);
        if keys.signer(now, self.longest_token_life()).is_none() {
            self.introduce_key(keys.generation(), now, occasion).await?;
        } else if keys.wants_successor(now, rotation, lead) {
            self.introduce_key(keys.generation(), now + lead, occasion).await?;
        }
        Ok(())
    }

    async fn retire_all(&self, now: Timestamp) -> Result<(), AccountError> {
        let end = now + self.longest_token_life();
        self.database().write(move |tx| signing_keys::retire_before(tx, i64::MAX, end)).await?;
        Ok(())
    }

    /// Makes the successor of the key of this generation, unless another node was quicker. This node knows of it at once,
    /// the others within a minute.
    pub(super) async fn introduce_key(
        &self,
        predecessor: i64,
        signs_from: Timestamp,
        occasion: Occasion,
    ) -> Result<(), AccountError> {
        let now = occasion.at;
        let key = KeptKey {
            generation: predecessor.saturating_add(1),
            pair: KeptPair::new(&self.signing_keys().seal, &occasion.random)?,
            created_at: now,
            signs_from,
            verifies_until: None,
        };
        let old_ends = signs_from + self.longest_token_life() + KNOWN_FOR;
        let kid = key.pair.kid.clone();
        if self.database().write(move |tx| publish(tx, &key, old_ends, &occasion)).await? {
            tracing::info!(%kid, %signs_from, "published a signing key");
        }
        self.keys(Duration::ZERO, now).await?;
        Ok(())
    }
}

fn publish(
    tx: &mut Tx<'_>,
    key: &KeptKey,
    old_ends: Timestamp,
    occasion: &Occasion,
) -> Result<bool, AccountError> {
    if !signing_keys::insert(tx, key)? {
        return Ok(false);
    }
    signing_keys::retire_before(tx, key.generation, old_ends)?;
    let note = Note::new(kind::SIGNING_KEY_CREATED, format!("signing-key:{}", key.pair.kid));
    note.with(json!({"signsFrom": key.signs_from})).write(tx, occasion)?;
    Ok(true)
}
