//! For maps whose keys are 64 bits of a hash already: hashing them again would only take time.

use std::hash::{BuildHasherDefault, Hasher};

/// Takes a key as its own hash.
pub(crate) type Prehashed = BuildHasherDefault<AsItIs>;

#[derive(Default)]
pub(crate) struct AsItIs(u64);

impl Hasher for AsItIs {
    /// Never called by keys that are one u64; still tells keys apart if it is.
    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.0 = self.0.rotate_left(8) ^ u64::from(*byte);
        }
    }

    fn write_u64(&mut self, value: u64) {
        self.0 = value;
    }

    fn finish(&self) -> u64 {
        self.0
    }
}
