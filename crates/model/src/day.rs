//! Days in UTC, by which what was used is summed.

use std::fmt;
use std::str::FromStr;
use std::time::Duration;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::Timestamp;

const SPAN: Duration = Duration::from_hours(24);
const MICROS: i64 = 24 * 60 * 60 * 1_000_000;

/// A day in UTC: the days since 1970-01-01. Written as `2026-01-31`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Day(i64);

/// A text that is not a day.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a day such as 2026-01-31")]
pub struct ParseDayError(String);

impl Day {
    /// The day of an instant.
    pub const fn of(at: Timestamp) -> Self {
        Self(at.as_micros().div_euclid(MICROS))
    }

    /// The day with this number, as it is stored.
    pub const fn from_number(number: i64) -> Self {
        Self(number)
    }

    /// Days since 1970-01-01.
    pub const fn number(self) -> i64 {
        self.0
    }

    /// When it begins.
    pub const fn begins(self) -> Timestamp {
        Timestamp::from_micros(self.0.saturating_mul(MICROS))
    }

    /// When it is over.
    pub fn ends(self) -> Timestamp {
        self.begins() + SPAN
    }

    /// The first day of its month.
    #[must_use]
    pub fn month_begins(self) -> Self {
        let text = self.to_string();
        // A day beyond every calendar has no month: it stays itself.
        text.get(..7).and_then(|month| format!("{month}-01").parse().ok()).unwrap_or(self)
    }

    /// The first day of the month after its own.
    #[must_use]
    pub fn next_month(self) -> Self {
        // No month is longer than 31 days, and none shorter than 28.
        Self(self.month_begins().0.saturating_add(31)).month_begins()
    }

    /// So many days earlier.
    #[must_use]
    pub const fn minus(self, days: u32) -> Self {
        Self(self.0.saturating_sub(days as i64))
    }
}

impl fmt::Display for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let begins = self.begins().to_string();
        f.write_str(begins.split('T').next().unwrap_or_default())
    }
}

impl fmt::Debug for Day {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Day {
    type Err = ParseDayError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let refused = || ParseDayError(text.chars().take(64).collect());
        let is_plain = text.len() == 10
            && text.bytes().enumerate().all(|(place, byte)| match place {
                4 | 7 => byte == b'-',
                _ => byte.is_ascii_digit(),
            });
        if !is_plain {
            return Err(refused());
        }
        let begins: Timestamp = format!("{text}T00:00:00Z").parse().map_err(|_| refused())?;
        // Nothing ran before, and every day that is read can be counted back from.
        if begins < Timestamp::EPOCH { Err(refused()) } else { Ok(Self::of(begins)) }
    }
}

impl Serialize for Day {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Day {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        text.parse().map_err(serde::de::Error::custom)
    }
}

#[cfg(feature = "openapi")]
mod openapi {
    use utoipa::openapi::RefOr;
    use utoipa::openapi::schema::{KnownFormat, ObjectBuilder, Schema, SchemaFormat, Type};

    impl utoipa::PartialSchema for super::Day {
        fn schema() -> RefOr<Schema> {
            ObjectBuilder::new()
                .schema_type(Type::String)
                .format(Some(SchemaFormat::KnownFormat(KnownFormat::Date)))
                .description(Some("A day in UTC"))
                .into()
        }
    }

    impl utoipa::ToSchema for super::Day {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_day_is_written_as_people_write_it_and_read_back() {
        for text in ["1970-01-01", "2026-11-21", "2024-02-29", "9999-12-30"] {
            assert_eq!(text.parse::<Day>().unwrap().to_string(), text);
        }
        for text in
            ["", "1969-12-31", "2026-11-31", "2026-11-21T00:00:00Z", "26-11-21", "2026/11/21", "today", "2026-1-021"]
        {
            assert!(text.parse::<Day>().is_err(), "{text}");
        }
        assert!("x".repeat(100_000).parse::<Day>().unwrap_err().to_string().len() < 200);
    }

    #[test]
    fn a_day_begins_and_ends_at_midnight_in_utc() {
        let noon: Timestamp = "2026-11-21T12:00:00Z".parse().unwrap();
        let day = Day::of(noon);
        assert_eq!(day.begins().to_string(), "2026-11-21T00:00:00.000000Z");
        assert_eq!(Day::of(day.ends()), Day::from_number(day.number() + 1));
        assert_eq!(Day::of(Timestamp::from_micros(-1)), Day::from_number(-1));
        assert_eq!(day.minus(21).to_string(), "2026-10-31");
    }

    /// What a store holds is shown, whatever it is.
    #[test]
    fn a_day_beyond_every_calendar_is_still_shown() {
        for number in [i64::MIN, i64::MAX] {
            assert!(!Day::from_number(number).to_string().is_empty());
        }
    }
}
