//! When a limit ends, where a tool tells it in words only.
//!
//! A time of day is in the time zone of the machine, which the tool shares with us. The words leave out the
//! seconds, so that the next minute is the first one that is safe.

use std::time::Duration;

use jiff::civil::{Date, DateTime, Time};
use jiff::tz::TimeZone;
use swarm_model::Timestamp;

/// What stands before a span of time.
const BEFORE_SPAN: [&str; 6] = ["again in ", "retry after ", "reset after ", "resets in ", "reset in ", "retry in "];
const MINUTE: Duration = Duration::from_mins(1);
const HALF_A_DAY: Duration = Duration::from_hours(12);
/// Beyond this it is no time that anybody meant, and would park work for ever.
const FARTHEST: Duration = Duration::from_hours(31 * 24);
const DAY: Duration = Duration::from_hours(24);

/// The time that the words name, if they name one.
pub(super) fn time_in(words: &str, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let lower = words.to_lowercase();
    let span = BEFORE_SPAN.iter().find_map(|before| span_of(lower.split_once(before)?.1));
    let found = span.map(|span| now + span).or_else(|| clock_time(lower.split_once("again at ")?.1, now, zone));
    found.filter(|at| at.since(now) <= FARTHEST)
}

/// The span at the beginning of a text: `1.5s`, `13h5m32s`, `4 days 20 hours 6 minutes`.
fn span_of(text: &str) -> Option<Duration> {
    let mut rest = text;
    let mut span = None;
    loop {
        let text = rest.trim_start_matches([' ', ',']);
        let digits = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let Ok(count) = text[..digits].parse::<f64>() else { return span };
        let text = text[digits..].trim_start_matches(' ');
        let letters = text.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(text.len());
        let Some(unit) = seconds_in(&text[..letters]) else { return span };
        // Out of range is no time that anybody waits for.
        let more = Duration::try_from_secs_f64(count * unit).ok()?;
        span = Some(span.unwrap_or_default().checked_add(more)?);
        rest = &text[letters..];
    }
}

fn seconds_in(unit: &str) -> Option<f64> {
    match unit {
        "ms" => Some(0.001),
        "s" | "sec" | "secs" | "second" | "seconds" => Some(1.0),
        "m" | "min" | "mins" | "minute" | "minutes" => Some(60.0),
        "h" | "hr" | "hrs" | "hour" | "hours" => Some(3600.0),
        "d" | "day" | "days" => Some(86400.0),
        _ => None,
    }
}

/// `12:28 pm` of today, or `mar 17th, 2030 5:46 pm`.
fn clock_time(text: &str, now: Timestamp, zone: &TimeZone) -> Option<Timestamp> {
    let words: Vec<_> = text.split_whitespace().map(|word| word.trim_matches(['.', ',', ')'])).collect();
    if let [month, day, year, hour, half, ..] = words.as_slice()
        && let Ok(date) =
            Date::strptime("%b %d %Y", format!("{month} {} {year}", day.trim_end_matches(char::is_alphabetic)))
    {
        return instant(date.to_datetime(time_of_day(hour, half)?), zone);
    }
    let [hour, half, ..] = words.as_slice() else { return None };
    let today = jiff::Timestamp::from_microsecond(now.as_micros()).ok()?.to_zoned(zone.clone()).date();
    let at = instant(today.to_datetime(time_of_day(hour, half)?), zone)?;
    // Told before midnight, read after it.
    Some(if now.since(at) > HALF_A_DAY { at + DAY } else { at })
}

fn time_of_day(hour: &str, half: &str) -> Option<Time> {
    Time::strptime("%I:%M %p", format!("{hour} {half}")).ok()
}

fn instant(at: DateTime, zone: &TimeZone) -> Option<Timestamp> {
    let micros = at.to_zoned(zone.clone()).ok()?.timestamp().as_microsecond();
    Some(Timestamp::from_micros(micros) + MINUTE)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &str, expected: Option<&str>) {
        let now = "2026-11-21T12:20:30Z".parse().unwrap();
        let zone = TimeZone::fixed(jiff::tz::offset(1));
        let expected = expected.map(|at| at.parse().unwrap());
        assert_eq!(time_in(words, now, &zone), expected, "{words}");
    }

    #[test]
    fn a_time_of_day_is_the_machines() {
        check("Upgrade to Pro or try again at 1:28 PM.", Some("2026-11-21T12:29:00Z"));
        check("try again at Nov 23rd, 2026 5:46 PM.", Some("2026-11-23T16:47:00Z"));
        check("try again at Dec 1st, 2026 12:05 AM or so", Some("2026-11-30T23:06:00Z"));
        // Shortly over is over, and long over is tomorrow.
        check("try again at 1:10 PM", Some("2026-11-21T12:11:00Z"));
        check("try again at 12:05 AM", Some("2026-11-21T23:06:00Z"));
    }

    #[test]
    fn a_span_begins_now() {
        check("Please try again in 1.5s. Visit us", Some("2026-11-21T12:20:31.5Z"));
        check("Please try again in 500ms.", Some("2026-11-21T12:20:30.5Z"));
        check("Suggested retry after 2s.]", Some("2026-11-21T12:20:32Z"));
        check("Your quota will reset after 13h5m32s.", Some("2026-11-22T01:26:02Z"));
        check("Try again in 4 days 20 hours 6 minutes.", Some("2026-11-26T08:26:30Z"));
    }

    #[test]
    fn other_words_name_no_time() {
        check("try again later", None);
        check("try again at noon", None);
        check("try again in 10000000000000000000s 10000000000000000000s", None);
        check("try again in less than a minute", None);
        check("try again at Mar 17th, 2030 5:46 PM.", None);
        check("try again in 99999999999999999999999 days", None);
        check("", None);
    }
}
