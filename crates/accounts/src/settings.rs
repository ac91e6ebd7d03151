//! What accounts can be told by configuration.

use std::{fmt, time::Duration};

use crate::password::{PasswordCost, PasswordPolicy};

/// Keys do not change more often: verifiers outside keep the list of public keys for minutes.
pub const SHORTEST_KEY_ROTATION: Duration = Duration::from_hours(1);

/// What signs access tokens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum JwtAlgorithm {
    /// The secret itself: whoever verifies must know it.
    Hs256,
    /// Ed25519 keys that change by the clock; their public parts are published.
    EdDsa,
}

/// Settings of accounts.
#[derive(Clone)]
pub struct AccountsSettings {
    /// The secret that signs access tokens, or seals the keys that do; at least 32 bytes.
    pub jwt_secret: Vec<u8>,
    /// What signs access tokens.
    pub jwt_algorithm: JwtAlgorithm,
    /// How long a signing key signs before the next does; at least [`SHORTEST_KEY_ROTATION`].
    pub jwt_key_rotation: Duration,
    /// The public address of this server: the issuer of tokens and the beginning of links in mails.
    pub issuer: String,
    /// How long an access token is good for.
    pub access_token_ttl: Duration,
    /// How long a refresh token is good for.
    pub refresh_token_ttl: Duration,
    /// How long the one token of the v0 surface is good for.
    pub v0_token_ttl: Duration,
    /// What a password must be like.
    pub password_policy: PasswordPolicy,
    /// What hashing a password costs.
    pub password_cost: PasswordCost,
    /// How many passwords are hashed at once.
    pub hashing_threads: usize,
    /// API keys for machines, with full catalogue and order scope.
    pub machine_keys: Vec<String>,
    /// Where an outer system's copy of the users is kept up to date, if anywhere.
    pub sync: Option<SyncSettings>,
}

/// Where users are synced to. The address may hold a password, so it is not shown.
#[derive(Clone)]
pub struct SyncSettings {
    /// The address that batches of users are sent to by POST.
    pub url: String,
    /// How long a request may take.
    pub timeout: Duration,
}

impl SyncSettings {
    /// The usual settings for an address.
    pub fn to(url: impl Into<String>) -> Self {
        Self { url: url.into(), timeout: Duration::from_secs(20) }
    }
}

impl AccountsSettings {
    /// The usual settings with this secret and public address.
    pub fn new(jwt_secret: Vec<u8>, issuer: impl Into<String>) -> Self {
        Self {
            jwt_secret,
            jwt_algorithm: JwtAlgorithm::Hs256,
            jwt_key_rotation: Duration::from_hours(30 * 24),
            issuer: issuer.into(),
            access_token_ttl: Duration::from_mins(15),
            refresh_token_ttl: Duration::from_hours(7 * 24),
            v0_token_ttl: Duration::from_hours(24),
            password_policy: PasswordPolicy::Strict,
            password_cost: PasswordCost::OWASP,
            hashing_threads: 2,
            machine_keys: Vec::new(),
            sync: None,
        }
    }
}

/// Secrets and keys are not shown.
impl fmt::Debug for AccountsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountsSettings")
            .field("jwt_algorithm", &self.jwt_algorithm)
            .field("jwt_key_rotation", &self.jwt_key_rotation)
            .field("issuer", &self.issuer)
            .field("access_token_ttl", &self.access_token_ttl)
            .field("refresh_token_ttl", &self.refresh_token_ttl)
            .field("v0_token_ttl", &self.v0_token_ttl)
            .field("password_policy", &self.password_policy)
            .field("password_cost", &self.password_cost)
            .field("hashing_threads", &self.hashing_threads)
            .field("machine_keys", &self.machine_keys.len())
            .field("sync", &self.sync.is_some())
            .finish_non_exhaustive()
    }
}

/// Why accounts cannot be opened with the settings given.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The secret is too easily guessed.
    #[error("STOA_JWT_SECRET has {0} bytes; it must have at least 32, e.g. from `openssl rand -base64 48`")]
    ShortSecret(usize),
    /// The cipher that seals signing keys cannot be made.
    #[error("signing keys cannot be sealed with STOA_JWT_SECRET")]
    Seal,
    /// argon2 does not work with the cost asked for.
    #[error("passwords cannot be hashed at this cost: {0}")]
    PasswordCost(argon2::Error),
    /// The system gave no thread to hash on.
    #[error("no thread for hashing passwords could be started")]
    Threads(#[source] std::io::Error),
    /// The system's certificates cannot be read, or the like.
    #[error("users cannot be synced: {0}; check the system's certificates, or unset STOA_SYNC_URL")]
    Sync(#[source] reqwest::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let mut settings = AccountsSettings::new(b"very secret secret".to_vec(), "http://localhost");
        settings.machine_keys = vec!["till-key".into()];
        settings.sync = Some(SyncSettings::to("https://stoa:outer-password@crm.example/users"));
        let shown = format!("{settings:?}");
        assert!(!shown.contains("secret secret") && !shown.contains("till-key"));
        assert!(!shown.contains("outer-password"));
        let bytes: Vec<String> = settings.jwt_secret.iter().map(ToString::to_string).collect();
        assert!(!shown.contains(&bytes.join(", ")));
    }
}
