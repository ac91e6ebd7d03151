//! Points in time and the clock they come from. Everything that needs "now" is handed a [`Clock`].

use std::{
    fmt,
    ops::{Add, Sub},
    sync::{
        Arc,
        atomic::{AtomicI64, Ordering},
    },
    time::Duration,
};

use chrono::{DateTime, Datelike, SecondsFormat, Timelike, Utc};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// A point in time: microseconds since the Unix epoch, written as RFC 3339 in UTC with milliseconds.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Timestamp(i64);

impl Timestamp {
    /// From microseconds since the Unix epoch, as stored.
    pub const fn from_micros(micros: i64) -> Self {
        Self(micros)
    }

    /// From whole seconds since the Unix epoch, as in tokens.
    pub const fn from_seconds(seconds: i64) -> Self {
        Self(seconds.saturating_mul(1_000_000))
    }

    /// Microseconds since the Unix epoch.
    pub const fn as_micros(self) -> i64 {
        self.0
    }

    /// Milliseconds since the Unix epoch, rounded down.
    pub const fn as_millis(self) -> i64 {
        self.0.div_euclid(1_000)
    }

    /// Seconds since the Unix epoch, rounded down.
    pub const fn as_seconds(self) -> i64 {
        self.0.div_euclid(1_000_000)
    }

    /// Time passed since `earlier`, zero when that lies ahead.
    pub fn since(self, earlier: Self) -> Duration {
        Duration::from_micros(u64::try_from(self.0.saturating_sub(earlier.0)).unwrap_or(0))
    }

    /// The same instant for calendar computations.
    pub fn to_datetime(self) -> DateTime<Utc> {
        DateTime::from_timestamp_micros(self.0).unwrap_or(DateTime::<Utc>::MAX_UTC)
    }

    /// `2024-02-29T12:00:00.000Z`, for years of four digits: every resource holds times, and formatting them field by
    /// field through `fmt` was a tenth of the cost of a page.
    fn digits(self) -> Option<[u8; 24]> {
        let at = self.to_datetime();
        let year = u32::try_from(at.year()).ok().filter(|year| *year <= 9_999)?;
        let mut text = *b"0000-00-00T00:00:00.000Z";
        let [y1, y2, y3, y4, _, mo1, mo2, _, d1, d2, _, h1, h2, _, mi1, mi2, _, s1, s2, _, ms1, ms2, ms3, _] =
            &mut text;
        for (fields, value) in [
            (&mut [y1, y2, y3, y4][..], year),
            (&mut [mo1, mo2], at.month()),
            (&mut [d1, d2], at.day()),
            (&mut [h1, h2], at.hour()),
            (&mut [mi1, mi2], at.minute()),
            (&mut [s1, s2], at.second()),
            (&mut [ms1, ms2, ms3], at.timestamp_subsec_millis()),
        ] {
            put(fields, value);
        }
        Some(text)
    }

    /// Reads RFC 3339 with any offset.
    pub fn parse(text: &str) -> Option<Self> {
        DateTime::parse_from_rfc3339(text).ok().map(|at| Self(at.timestamp_micros()))
    }
}

impl From<DateTime<Utc>> for Timestamp {
    fn from(at: DateTime<Utc>) -> Self {
        Self(at.timestamp_micros())
    }
}

impl Add<Duration> for Timestamp {
    type Output = Self;

    fn add(self, span: Duration) -> Self {
        Self(self.0.saturating_add(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl Sub<Duration> for Timestamp {
    type Output = Self;

    fn sub(self, span: Duration) -> Self {
        Self(self.0.saturating_sub(i64::try_from(span.as_micros()).unwrap_or(i64::MAX)))
    }
}

impl fmt::Display for Timestamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.digits() {
            Some(digits) => f.write_str(std::str::from_utf8(&digits).map_err(|_| fmt::Error)?),
            None => f.write_str(&self.to_datetime().to_rfc3339_opts(SecondsFormat::Millis, true)),
        }
    }
}

impl Serialize for Timestamp {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        match self.digits() {
            Some(digits) => serializer.serialize_str(std::str::from_utf8(&digits).unwrap_or_default()),
            None => serializer.collect_str(self),
        }
    }
}

/// Writes a number into a field of digits, zeros in front.
fn put(field: &mut [&mut u8], value: u32) {
    let mut rest = value;
    for digit in field.iter_mut().rev() {
        **digit = b'0' + u8::try_from(rest % 10).unwrap_or(0);
        rest /= 10;
    }
}

impl<'de> Deserialize<'de> for Timestamp {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("this must be a date and time as in RFC 3339"))
    }
}

impl utoipa::PartialSchema for Timestamp {
    fn schema() -> utoipa::openapi::RefOr<utoipa::openapi::Schema> {
        use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, SchemaFormat, Type};
        ObjectBuilder::new()
            .schema_type(Type::String)
            .format(Some(SchemaFormat::KnownFormat(KnownFormat::DateTime)))
            .into()
    }
}

impl utoipa::ToSchema for Timestamp {}

/// Where "now" comes from: the system, or a test's hand.
#[derive(Clone)]
pub struct Clock(Source);

#[derive(Clone)]
enum Source {
    System,
    Manual(Arc<AtomicI64>),
}

impl Clock {
    /// The machine's wall clock.
    pub const fn system() -> Self {
        Self(Source::System)
    }

    /// The present moment.
    #[expect(clippy::disallowed_methods, reason = "the one place where the wall clock is read")]
    pub fn now(&self) -> Timestamp {
        match &self.0 {
            Source::System => Utc::now().into(),
            Source::Manual(micros) => Timestamp(micros.load(Ordering::SeqCst)),
        }
    }
}

impl fmt::Debug for Clock {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Clock({})", self.now())
    }
}

/// A clock that moves only when told; every [`Clock`] taken from it shows the same time.
#[derive(Clone, Debug)]
pub struct ManualClock(Arc<AtomicI64>);

impl ManualClock {
    /// A clock that stands at `start`.
    pub fn starting_at(start: Timestamp) -> Self {
        Self(Arc::new(AtomicI64::new(start.0)))
    }

    /// A view of this clock to hand to the code under test.
    pub fn clock(&self) -> Clock {
        Clock(Source::Manual(Arc::clone(&self.0)))
    }

    /// Moves the hand forward.
    pub fn advance(&self, by: Duration) {
        self.0.fetch_add(i64::try_from(by.as_micros()).unwrap_or(i64::MAX), Ordering::SeqCst);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn is_written_in_utc_with_milliseconds() {
        assert_eq!(Timestamp::from_micros(1_700_000_000_123_456).to_string(), "2023-11-14T22:13:20.123Z");
    }

    #[test]
    fn is_written_as_the_calendar_library_writes_it() {
        let ends =
            [0, 951_782_399_999_999, 951_782_400_000_000, 253_402_300_799_999_999, 253_402_300_800_000_000];
        let steps = (-40..400).map(|step| step * 5_123_456_789_123);
        for micros in ends.into_iter().chain(steps).chain([-62_135_596_800_000_001]) {
            let at = Timestamp::from_micros(micros);
            assert_eq!(at.to_string(), at.to_datetime().to_rfc3339_opts(SecondsFormat::Millis, true));
            assert_eq!(serde_json::to_string(&at).unwrap(), format!("\"{at}\""));
        }
    }

    #[test]
    fn reads_any_offset() {
        let noon = Timestamp::parse("2024-02-29T14:00:00+02:00").unwrap();
        assert_eq!(noon.to_string(), "2024-02-29T12:00:00.000Z");
        assert!(Timestamp::parse("yesterday").is_none());
    }

    #[test]
    fn a_manual_clock_moves_only_when_told() {
        let hand = ManualClock::starting_at(Timestamp::from_seconds(10));
        let clock = hand.clock();
        hand.advance(Duration::from_secs(5));
        assert_eq!(clock.now(), Timestamp::from_seconds(15));
    }
}
