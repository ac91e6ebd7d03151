//! Good input, damaged in a thousand ways: for code that reads what strangers send.
//!
//! Such code is given real input to which the same is done as accidents and attackers do: bytes changed, numbers made huge, pieces
//! cut out, doubled and put together. A test runs some hundred cases, always the same; with `STOA_SOAK` it runs many, and
//! others each time. What fails is made as small as it can be before it is told.

use proptest::{
    collection::vec,
    prelude::*,
    sample::Index,
    test_runner::{Config, RngAlgorithm, TestError, TestRng, TestRunner},
};

/// How often something is tried: in `make test`, and in `make soak`.
#[derive(Clone, Copy, Debug)]
pub struct Cases {
    /// In a test run.
    pub short: u32,
    /// With `STOA_SOAK`.
    pub long: u32,
}

/// Gives damaged input to the judge, who panics if something is not as it must be.
///
/// # Panics
///
/// If the judge does, with the smallest input for which it did.
pub fn damaged(cases: Cases, seeds: &[&[u8]], judge: impl Fn(&[u8])) {
    let damage = (any::<Index>(), vec(damage(), 0..8));
    let made = |(seed, damage): &(Index, Vec<Damage>)| {
        let mut input = seed.get(seeds).to_vec();
        for one in damage {
            one.apply(&mut input, seeds);
        }
        input
    };
    run(cases, &damage, |damage| judge(&made(damage)), |damage| format!("{:02x?}", made(damage)));
}

/// Gives values of a strategy to the judge, who panics if something is not as it must be.
///
/// # Panics
///
/// If the judge does, with the smallest value for which it did.
pub fn values<S: Strategy>(cases: Cases, strategy: S, judge: impl Fn(&S::Value)) {
    run(cases, &strategy, judge, |value| format!("{value:?}"));
}

#[expect(clippy::panic, reason = "this is how a test fails")]
fn run<S: Strategy>(
    cases: Cases,
    strategy: &S,
    judge: impl Fn(&S::Value),
    told: impl Fn(&S::Value) -> String,
) {
    let soak = std::env::var_os("STOA_SOAK").is_some_and(|value| value == "1");
    let config = Config {
        cases: if soak { cases.long } else { cases.short },
        failure_persistence: None,
        ..Config::default()
    };
    let mut runner = if soak {
        TestRunner::new(config)
    } else {
        TestRunner::new_with_rng(config, TestRng::deterministic_rng(RngAlgorithm::ChaCha))
    };
    let tried = runner.run(strategy, |value| {
        judge(&value);
        Ok(())
    });
    match tried {
        Ok(()) => {}
        Err(TestError::Fail(reason, smallest)) => panic!("{reason}, for {}", told(&smallest)),
        Err(TestError::Abort(reason)) => panic!("{reason}"),
    }
}

/// Something that may happen to input. Places are parts of its length, so they fit whatever happened before.
#[derive(Clone, Debug)]
enum Damage {
    Change(Index, u8),
    /// A number of one, two, four or eight bytes, in either order.
    Number {
        at: Index,
        bytes: Vec<u8>,
    },
    CutOff(Index),
    Remove(Index, Index),
    Double(Index, Index),
    Insert(Index, Vec<u8>),
    /// The front of this, the back of another.
    Cross(Index, Index, Index),
}

fn damage() -> impl Strategy<Value = Damage> {
    let at = any::<Index>;
    prop_oneof![
        4 => (at(), any::<u8>()).prop_map(|(at, byte)| Damage::Change(at, byte)),
        4 => (at(), number()).prop_map(|(at, bytes)| Damage::Number { at, bytes }),
        1 => at().prop_map(Damage::CutOff),
        1 => (at(), at()).prop_map(|(from, to)| Damage::Remove(from, to)),
        1 => (at(), at()).prop_map(|(from, to)| Damage::Double(from, to)),
        1 => (at(), vec(any::<u8>(), 1..32)).prop_map(|(at, bytes)| Damage::Insert(at, bytes)),
        1 => (at(), at(), at()).prop_map(|(at, other, from)| Damage::Cross(at, other, from)),
    ]
}

/// Mostly those that break sums and comparisons.
fn number() -> impl Strategy<Value = Vec<u8>> {
    let value = prop_oneof![
        Just(0_u64),
        Just(1),
        Just(u64::MAX),
        Just(u64::MAX / 2),
        Just(u64::MAX / 2 + 1),
        any::<u64>(),
        0..70_000_u64
    ];
    (value, prop_oneof![Just(1_usize), Just(2), Just(4), Just(8)], any::<bool>()).prop_map(
        |(value, width, big_endian)| {
            let mut bytes: Vec<u8> = value.to_le_bytes().into_iter().take(width).collect();
            if big_endian {
                bytes.reverse();
            }
            bytes
        },
    )
}

impl Damage {
    fn apply(&self, input: &mut Vec<u8>, seeds: &[&[u8]]) {
        // One place more than there are bytes: the end is a place too.
        let place = |index: &Index, of: usize| index.index(of + 1);
        let stretch = |from: &Index, to: &Index, of: usize| {
            let (from, to) = (place(from, of), place(to, of));
            from.min(to)..from.max(to)
        };
        let length = input.len();
        match self {
            Self::Change(at, byte) => put(input, place(at, length), &[*byte]),
            Self::Number { at, bytes } => put(input, place(at, length), bytes),
            Self::CutOff(at) => input.truncate(place(at, length)),
            Self::Remove(from, to) => drop(input.drain(stretch(from, to, length))),
            Self::Double(from, to) if length < LONGEST => {
                let stretch = stretch(from, to, length);
                let copy = input.get(stretch.clone()).unwrap_or_default().to_vec();
                drop(input.splice(stretch.end..stretch.end, copy));
            }
            Self::Double(..) => {}
            Self::Insert(at, bytes) => {
                let at = place(at, length);
                drop(input.splice(at..at, bytes.iter().copied()));
            }
            Self::Cross(at, other, from) => {
                let other = other.get(seeds);
                input.truncate(place(at, length));
                input.extend_from_slice(other.get(place(from, other.len())..).unwrap_or_default());
            }
        }
    }
}

/// What is doubled once more must be shorter than this.
const LONGEST: usize = 1024 * 1024;

fn put(input: &mut [u8], at: usize, bytes: &[u8]) {
    for (target, byte) in input.iter_mut().skip(at).zip(bytes) {
        *target = *byte;
    }
}

#[cfg(test)]
mod tests {
    use std::{cell::RefCell, collections::HashSet, panic};

    use super::*;

    const CASES: Cases = Cases { short: 300, long: 300 };

    #[test]
    fn the_cases_differ_and_the_whole_ones_are_among_them() {
        let seen = RefCell::new(HashSet::new());
        damaged(CASES, &[b"one seed", b"and another"], |input| {
            seen.borrow_mut().insert(input.to_vec());
        });
        let seen = seen.into_inner();
        assert!(seen.len() > 200, "{}", seen.len());
        assert!(seen.contains(&b"one seed"[..]) && seen.contains(&b"and another"[..]));
    }

    #[test]
    fn what_fails_is_told_at_its_smallest() {
        let failed =
            panic::catch_unwind(|| values(CASES, 0..1_000_000_u32, |value| assert!(*value < 1234, "large")));
        let told = *failed.unwrap_err().downcast::<String>().unwrap();
        assert!(told.ends_with("for 1234"), "{told}");
    }
}
