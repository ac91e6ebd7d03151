//! Where random bits come from. Everything that needs them is handed a [`Random`].

use std::{
    fmt,
    sync::{Arc, Mutex, PoisonError},
};

use base64::{Engine, prelude::BASE64_URL_SAFE_NO_PAD};
use rand::{Rng, SeedableRng, rngs::StdRng};

/// A source of random bits: the system's, fit for secrets, or a seeded one for demonstrations and tests.
#[derive(Clone)]
pub struct Random(Source);

#[derive(Clone)]
enum Source {
    System,
    Seeded(Arc<Mutex<StdRng>>),
}

impl Random {
    /// A cryptographically secure source seeded by the operating system.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// Always the same bits for the same seed; never for secrets.
    pub fn seeded(seed: u64) -> Self {
        Self(Source::Seeded(Arc::new(Mutex::new(StdRng::seed_from_u64(seed)))))
    }

    /// `N` random bytes.
    #[expect(clippy::disallowed_methods, reason = "the one place where the system's randomness is read")]
    pub fn bytes<const N: usize>(&self) -> [u8; N] {
        let mut bytes = [0; N];
        match &self.0 {
            Source::System => rand::rng().fill_bytes(&mut bytes),
            Source::Seeded(rng) => {
                rng.lock().unwrap_or_else(PoisonError::into_inner).fill_bytes(&mut bytes);
            }
        }
        bytes
    }

    /// A number in `0..bound`, for jitter and sampling; 0 when `bound` is 0.
    pub fn below(&self, bound: u64) -> u64 {
        let bits = u128::from(u64::from_le_bytes(self.bytes()));
        u64::try_from((bits * u128::from(bound)) >> 64).unwrap_or(0)
    }

    /// An unguessable word of 256 bits in URL-safe base64, for tokens that are secrets.
    pub fn secret(&self) -> String {
        BASE64_URL_SAFE_NO_PAD.encode(self.bytes::<32>())
    }
}

impl fmt::Debug for Random {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Random")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_seed_repeats_itself_and_the_system_does_not() {
        assert_eq!(Random::seeded(7).bytes::<16>(), Random::seeded(7).bytes::<16>());
        assert_ne!(Random::system().bytes::<16>(), Random::system().bytes::<16>());
    }

    #[test]
    fn below_stays_below() {
        let random = Random::seeded(1);
        assert!((0..1_000).all(|_| random.below(3) < 3));
        assert_eq!(random.below(0), 0);
    }
}
