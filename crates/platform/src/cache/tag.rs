//! Names of what an answer was made of, small enough to be carried by the dozen.

use std::fmt::{self, Write as _};

/// What an answer depends on, such as one product or the whole list of them: 64 bits made of a name.
///
/// Two names that meet in the same bits only invalidate each other, which costs a fill and is never wrong. The bits
/// depend on the name alone, so every node makes the same.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Debug)]
pub struct Tag(u64);

impl Tag {
    /// The tag of a name such as `products`.
    pub const fn named(name: &str) -> Self {
        Digest::new().with(name.as_bytes()).tag()
    }

    /// The tag of one thing of a kind; the same as that of the name `kind:id`.
    pub fn of(kind: &str, id: impl fmt::Display) -> Self {
        let mut digest = Digest::new().with(kind.as_bytes());
        // Writing into a digest cannot fail, and a Display that fails has written what it could.
        let _ = write!(digest, ":{id}");
        digest.tag()
    }

    /// Its bits, by which a store outside knows it.
    pub const fn bits(self) -> u64 {
        self.0
    }

    /// The tag of these bits.
    pub const fn of_bits(bits: u64) -> Self {
        Self(bits)
    }
}

/// FNV-1a of 64 bits, fed as text is written so that no string is made.
struct Digest(u64);

impl Digest {
    const fn new() -> Self {
        Self(0xcbf2_9ce4_8422_2325)
    }

    const fn with(self, bytes: &[u8]) -> Self {
        let (mut state, mut rest) = (self.0, bytes);
        while let [byte, tail @ ..] = rest {
            state = (state ^ *byte as u64).wrapping_mul(0x0000_0100_0000_01b3);
            rest = tail;
        }
        Self(state)
    }

    /// Spreads the state over all bits (the finish of `SplitMix64`), since maps take the tag as its own hash.
    const fn tag(self) -> Tag {
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        Tag(mixed ^ (mixed >> 31))
    }
}

impl fmt::Write for Digest {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 = Self(self.0).with(text.as_bytes()).0;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn a_tag_of_a_thing_is_the_tag_of_its_name() {
        assert_eq!(Tag::of("product", 17), Tag::named("product:17"));
        assert_ne!(Tag::of("product", 17), Tag::of("product", 18));
        assert_ne!(Tag::named("products"), Tag::named("product"));
    }

    #[test]
    fn many_names_make_as_many_tags() {
        let tags: HashSet<_> = (0..200_000).map(|n| Tag::of("product", n)).collect();
        assert_eq!(tags.len(), 200_000);
    }
}
