//! What accounts can be told by configuration.

use std::{fmt, time::Duration};

use crate::password::{PasswordCost, PasswordPolicy};

/// Settings of accounts.
#[derive(Clone)]
pub struct AccountsSettings {
    /// The secret that signs access tokens; at least 32 bytes.
    pub jwt_secret: Vec<u8>,
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
}

impl AccountsSettings {
    /// The usual settings with this secret and public address.
    pub fn new(jwt_secret: Vec<u8>, issuer: impl Into<String>) -> Self {
        Self {
            jwt_secret,
            issuer: issuer.into(),
            access_token_ttl: Duration::from_mins(15),
            refresh_token_ttl: Duration::from_hours(7 * 24),
            v0_token_ttl: Duration::from_hours(24),
            password_policy: PasswordPolicy::Strict,
            password_cost: PasswordCost::OWASP,
            hashing_threads: 2,
            machine_keys: Vec::new(),
        }
    }
}

/// Secrets and keys are not shown.
impl fmt::Debug for AccountsSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AccountsSettings")
            .field("issuer", &self.issuer)
            .field("access_token_ttl", &self.access_token_ttl)
            .field("refresh_token_ttl", &self.refresh_token_ttl)
            .field("v0_token_ttl", &self.v0_token_ttl)
            .field("password_policy", &self.password_policy)
            .field("password_cost", &self.password_cost)
            .field("hashing_threads", &self.hashing_threads)
            .field("machine_keys", &self.machine_keys.len())
            .finish_non_exhaustive()
    }
}

/// Why accounts cannot be opened with the settings given.
#[derive(Debug, thiserror::Error)]
pub enum SettingsError {
    /// The secret is too easily guessed.
    #[error("STOA_JWT_SECRET has {0} bytes; it must have at least 32, e.g. from `openssl rand -base64 48`")]
    ShortSecret(usize),
    /// argon2 does not work with the cost asked for.
    #[error("passwords cannot be hashed at this cost: {0}")]
    PasswordCost(argon2::Error),
    /// The system gave no thread to hash on.
    #[error("no thread for hashing passwords could be started")]
    Threads(#[source] std::io::Error),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_are_not_shown() {
        let mut settings = AccountsSettings::new(b"very secret secret".to_vec(), "http://localhost");
        settings.machine_keys = vec!["till-key".into()];
        let shown = format!("{settings:?}");
        assert!(!shown.contains("secret secret") && !shown.contains("till-key"));
        let bytes: Vec<String> = settings.jwt_secret.iter().map(ToString::to_string).collect();
        assert!(!shown.contains(&bytes.join(", ")));
    }
}
