//! Passwords: what they must be like, and their hashes, made on a few threads of their own.

use std::{collections::HashSet, sync::LazyLock};

use argon2::{
    Algorithm, Argon2, Params, PasswordHash, PasswordHasher, PasswordVerifier, Version,
    password_hash::phc::{Output, ParamsString, Salt},
};
use stoa_kernel::{Flaw, Random};
use stoa_platform::processor_pool::ProcessorPool;

use crate::{error::AccountError, settings::SettingsError};

/// More is never a password, and hashing it would be work for nothing.
const LONGEST_PASSWORD: usize = 1024;
const HASH_LENGTH: usize = 32;
/// How many may wait for each thread; at some 20 ms each nobody waits longer than a second.
const WAITING_PER_THREAD: usize = 32;

/// In lower case, one to a line.
static COMMON: LazyLock<HashSet<&'static str>> =
    LazyLock::new(|| include_str!("common_passwords.txt").lines().collect());

/// What a password must be like.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum PasswordPolicy {
    /// At least 8 characters with upper case, lower case and digit, and not a common one.
    Strict,
    /// At least 6 characters, and not a common one.
    Basic,
}

impl PasswordPolicy {
    /// Whether a new password will do.
    pub fn check(self, password: &str) -> Result<(), Flaw> {
        let least = if self == Self::Strict { 8 } else { 6 };
        if password.len() > LONGEST_PASSWORD {
            return Err(too_long());
        }
        if password.chars().count() < least {
            return Err(match self {
                Self::Strict => Flaw::new("PASSWORD_TOO_SHORT", "A password has at least 8 characters."),
                Self::Basic => Flaw::new("PASSWORD_TOO_SHORT", "A password has at least 6 characters."),
            });
        }
        let has = |wanted: fn(char) -> bool| password.chars().any(wanted);
        let mixed = has(char::is_uppercase) && has(char::is_lowercase) && has(char::is_numeric);
        if self == Self::Strict && !mixed {
            let message = "A password needs an upper case letter, a lower case letter and a digit.";
            return Err(Flaw::new("PASSWORD_TOO_WEAK", message));
        }
        if COMMON.contains(password.to_lowercase().as_str()) {
            return Err(Flaw::new(
                "PASSWORD_TOO_COMMON",
                "This password is one of those that are tried first.",
            ));
        }
        Ok(())
    }
}

/// Whether a password is short enough to be looked at, as signing in asks no more of it.
pub(crate) fn bounded(password: String) -> Result<String, Flaw> {
    if password.len() > LONGEST_PASSWORD { Err(too_long()) } else { Ok(password) }
}

const fn too_long() -> Flaw {
    Flaw::new("TOO_LONG", "A password has at most 1024 bytes.")
}

/// What hashing a password costs (argon2id).
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PasswordCost {
    /// Memory in KiB.
    pub memory: u32,
    /// Passes over the memory.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl PasswordCost {
    /// What OWASP recommends for argon2id.
    pub const OWASP: Self = Self { memory: 19_456, passes: 2, lanes: 1 };

    /// So cheap that it is good for tests alone.
    pub const FOR_TESTS: Self = Self { memory: 8, passes: 1, lanes: 1 };

    fn params(self) -> Result<Params, argon2::Error> {
        Params::new(self.memory, self.passes, self.lanes, Some(HASH_LENGTH))
    }
}

/// The hash of a password, as it is kept (a PHC string).
#[derive(Clone, PartialEq, Eq)]
pub struct HashedPassword(String);

impl HashedPassword {
    pub(crate) fn stored(phc: String) -> Self {
        Self(phc)
    }

    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

/// Not shown.
impl std::fmt::Debug for HashedPassword {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("HashedPassword")
    }
}

/// Hashes and verifies passwords on threads of its own, with a bound on how many wait. The threads end with it.
pub(crate) struct Passwords {
    pool: ProcessorPool,
    params: Params,
    random: Random,
    nobodys: HashedPassword,
}

impl Passwords {
    pub(crate) fn start(cost: PasswordCost, threads: usize, random: Random) -> Result<Self, SettingsError> {
        let params = cost.params().map_err(SettingsError::PasswordCost)?;
        let nobodys = hash_of_nothing(&params, &random)
            .map_err(|_| SettingsError::PasswordCost(argon2::Error::AlgorithmInvalid))?;
        let pool =
            ProcessorPool::start("passwords", threads, WAITING_PER_THREAD).map_err(SettingsError::Threads)?;
        Ok(Self { pool, params, random, nobodys })
    }

    /// Hashes a password.
    pub(crate) async fn hash(&self, password: String) -> Result<HashedPassword, AccountError> {
        let (params, salt) = (self.params.clone(), self.random.bytes::<16>());
        let hashed = self.pool.run(move || {
            argon2(params).hash_password_with_salt(password.as_bytes(), &salt).map(|hash| hash.to_string())
        });
        hashed.await?.map(HashedPassword).map_err(AccountError::Hashing)
    }

    /// Whether the password is the one of the hash. Without a hash the answer is no, after the same work.
    pub(crate) async fn verify(
        &self,
        password: String,
        hash: Option<HashedPassword>,
    ) -> Result<bool, AccountError> {
        let known = hash.is_some();
        let hash = hash.unwrap_or_else(|| self.nobodys.clone());
        let verified = self.pool.run(move || {
            let hash = PasswordHash::new(hash.as_str())?;
            match Argon2::default().verify_password(password.as_bytes(), &hash) {
                Ok(()) => Ok(true),
                Err(argon2::password_hash::Error::PasswordInvalid) => Ok(false),
                Err(error) => Err(error),
            }
        });
        Ok(verified.await?.map_err(AccountError::Hashing)? && known)
    }

    /// Whether a hash was made at another cost than today's.
    pub(crate) fn is_outdated(&self, hash: &HashedPassword) -> bool {
        let Ok(hash) = PasswordHash::new(hash.as_str()) else { return true };
        let Ok(params) = Params::try_from(&hash) else { return true };
        let cost = |params: &Params| (params.m_cost(), params.t_cost(), params.p_cost());
        hash.algorithm != Algorithm::Argon2id.ident() || cost(&params) != cost(&self.params)
    }
}

fn argon2(params: Params) -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

/// A hash that no password has, at the cost of a real one, so that an unknown address takes as long as a known one.
fn hash_of_nothing(params: &Params, random: &Random) -> argon2::password_hash::Result<HashedPassword> {
    let hash = PasswordHash {
        algorithm: Algorithm::Argon2id.ident(),
        version: Some(Version::V0x13.into()),
        params: ParamsString::try_from(params)?,
        salt: Some(Salt::new(&random.bytes::<16>())?),
        hash: Some(Output::new(&random.bytes::<HASH_LENGTH>())?),
    };
    Ok(HashedPassword(hash.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn passwords(cost: PasswordCost) -> Passwords {
        Passwords::start(cost, 1, Random::seeded(1)).unwrap()
    }

    fn refused(policy: PasswordPolicy, password: &str) -> Option<&'static str> {
        policy.check(password).err().map(|flaw| flaw.code)
    }

    #[test]
    fn the_strict_policy_asks_for_length_mixture_and_rarity() {
        use PasswordPolicy::Strict;
        assert_eq!(refused(Strict, "Tr0mbone-Lake"), None);
        assert_eq!(refused(Strict, "Ab1defg"), Some("PASSWORD_TOO_SHORT"));
        assert_eq!(refused(Strict, "trombone-lake-1"), Some("PASSWORD_TOO_WEAK"));
        assert_eq!(refused(Strict, "TROMBONE-LAKE-1"), Some("PASSWORD_TOO_WEAK"));
        assert_eq!(refused(Strict, "Trombone-Lake"), Some("PASSWORD_TOO_WEAK"));
        assert_eq!(refused(Strict, "Password123"), Some("PASSWORD_TOO_COMMON"));
        assert_eq!(refused(Strict, &"Aa1".repeat(400)), Some("TOO_LONG"));
    }

    #[test]
    fn the_basic_policy_asks_for_less() {
        use PasswordPolicy::Basic;
        assert_eq!(refused(Basic, "lakes7"), None);
        assert_eq!(refused(Basic, "lakes"), Some("PASSWORD_TOO_SHORT"));
        assert_eq!(refused(Basic, "qwerty"), Some("PASSWORD_TOO_COMMON"));
    }

    #[test]
    fn the_list_is_long_and_in_the_form_it_is_compared_in() {
        assert!(COMMON.len() > 1_000);
        assert!(COMMON.iter().all(|word| word.to_lowercase() == **word && word.trim() == *word));
    }

    #[tokio::test]
    async fn a_password_is_known_again_and_another_is_not() {
        let passwords = passwords(PasswordCost::FOR_TESTS);
        let hash = passwords.hash("Tr0mbone".into()).await.unwrap();
        assert!(hash.as_str().starts_with("$argon2id$v=19$m=8,t=1,p=1$"));
        assert!(passwords.verify("Tr0mbone".into(), Some(hash.clone())).await.unwrap());
        assert!(!passwords.verify("tr0mbone".into(), Some(hash)).await.unwrap());
        assert!(!passwords.verify("Tr0mbone".into(), None).await.unwrap());
    }

    #[tokio::test]
    async fn equal_passwords_have_different_hashes() {
        let passwords = passwords(PasswordCost::FOR_TESTS);
        let one = passwords.hash("Tr0mbone".into()).await.unwrap();
        assert_ne!(one, passwords.hash("Tr0mbone".into()).await.unwrap());
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_is_outdated() {
        let cheap = passwords(PasswordCost::FOR_TESTS);
        let dear = passwords(PasswordCost { memory: 16, ..PasswordCost::FOR_TESTS });
        let hash = cheap.hash("Tr0mbone".into()).await.unwrap();
        assert!(!cheap.is_outdated(&hash));
        assert!(dear.is_outdated(&hash));
        assert!(dear.verify("Tr0mbone".into(), Some(hash)).await.unwrap(), "it still opens");
        assert!(cheap.is_outdated(&HashedPassword::stored("nonsense".into())));
    }

    #[test]
    fn the_hash_of_nothing_costs_what_a_real_one_does() {
        let passwords = passwords(PasswordCost::OWASP);
        assert!(passwords.nobodys.as_str().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
        assert!(!passwords.is_outdated(&passwords.nobodys));
    }
}
