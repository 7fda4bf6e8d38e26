//! When a limit of the account ends, in every way in which providers say it.
//!
//! What is said exactly comes first: the end of a subscription's window, then `retry-after`, then Google's details,
//! then the window that is empty, then the words. A time in the past is now, and one beyond a month is none: it
//! would park work for ever.

use std::time::{Duration, UNIX_EPOCH};

use reqwest::header::{HeaderMap, RETRY_AFTER};
use serde_json::Value;
use swarm_model::{FailureClass, Timestamp};

const FARTHEST: Duration = Duration::from_hours(31 * 24);
const DAY: i64 = 24 * 60 * 60;
/// Google's days end at midnight in California: at 8 in the morning of UTC, or an hour earlier in summer.
const GOOGLES_MIDNIGHT: i64 = 8 * 60 * 60;

/// When the limit ends.
pub(super) fn time_of(
    headers: &HeaderMap,
    details: &[Value],
    words: &str,
    class: FailureClass,
    now: Timestamp,
) -> Option<Timestamp> {
    let daily = || (class == FailureClass::Quota && is_daily(details)).then(|| googles_midnight(now));
    let found = unified(headers)
        // Beside a spent day Google advises to come again in seconds.
        .or_else(daily)
        .or_else(|| retry_after(headers, now))
        .or_else(|| in_details(details).map(|span| now + span))
        .or_else(|| empty_windows(headers, now))
        .or_else(|| in_words(words).map(|span| now + span));
    found.map(|at| at.max(now)).filter(|at| at.since(now) <= FARTHEST)
}

/// Which limit it is, in the provider's words.
pub(super) fn window_of(headers: &HeaderMap, details: &[Value]) -> Option<String> {
    let claim = text(headers, "anthropic-ratelimit-unified-representative-claim").map(str::to_owned);
    claim.or_else(|| violations(details).find_map(|violation| violation["quotaId"].as_str().map(str::to_owned)))
}

/// Whether a window of a subscription is used up.
pub(super) fn is_window_spent(headers: &HeaderMap) -> bool {
    text(headers, "anthropic-ratelimit-unified-status") == Some("rejected")
}

/// Whether Google names a quota of a day.
pub(super) fn is_daily(details: &[Value]) -> bool {
    let quotas = violations(details).map(|violation| &violation["quotaId"]);
    let limits = details.iter().map(|detail| &detail["metadata"]["quota_limit"]);
    quotas.chain(limits).filter_map(Value::as_str).any(|name| name.contains("PerDay"))
}

fn violations(details: &[Value]) -> impl Iterator<Item = &Value> {
    details.iter().filter_map(|detail| detail["violations"].as_array()).flatten()
}

fn text<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    headers.get(name)?.to_str().ok().map(str::trim)
}

fn unified(headers: &HeaderMap) -> Option<Timestamp> {
    is_window_spent(headers).then(|| text(headers, "anthropic-ratelimit-unified-reset"))?.and_then(of_unix_seconds)
}

fn of_unix_seconds(text: &str) -> Option<Timestamp> {
    let seconds: i64 = text.parse().ok()?;
    Some(Timestamp::from_micros(seconds.checked_mul(1_000_000)?))
}

/// Milliseconds, seconds, or a date of HTTP.
fn retry_after(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    if let Some(ms) = text(headers, "retry-after-ms").and_then(|text| text.parse::<f64>().ok()) {
        return Some(now + of_seconds(ms / 1000.0)?);
    }
    let text = text(headers, RETRY_AFTER.as_str())?;
    match text.parse::<f64>() {
        Ok(seconds) => Some(now + of_seconds(seconds)?),
        Err(_) => {
            let since_epoch = httpdate::parse_http_date(text).ok()?.duration_since(UNIX_EPOCH).ok()?;
            Some(Timestamp::EPOCH + since_epoch)
        }
    }
}

fn of_seconds(seconds: f64) -> Option<Duration> {
    Duration::try_from_secs_f64(seconds).ok()
}

/// Google's `RetryInfo`.
fn in_details(details: &[Value]) -> Option<Duration> {
    details.iter().find_map(|detail| detail["retryDelay"].as_str()).and_then(span)
}

/// The latest end of the windows in which nothing is left. Where nobody says which those are, the latest end counts.
fn empty_windows(headers: &HeaderMap, now: Timestamp) -> Option<Timestamp> {
    let mut ends: Vec<(bool, Timestamp)> = Vec::new();
    for name in headers.keys().map(reqwest::header::HeaderName::as_str) {
        let Some((before, after)) = name.split_once("-reset") else { continue };
        let remaining = if let Some(window) = before.strip_prefix("anthropic-ratelimit-") {
            format!("anthropic-ratelimit-{window}-remaining")
        } else if before == "x-ratelimit" || before == "ratelimit" {
            format!("{before}-remaining{after}")
        } else {
            continue;
        };
        let Some(end) = text(headers, name).and_then(|text| end_of(text, now)) else { continue };
        ends.push((text(headers, &remaining) == Some("0"), end));
    }
    let empty = ends.iter().filter(|(is_empty, _)| *is_empty).map(|(_, end)| *end).max();
    empty.or_else(|| ends.iter().map(|(_, end)| *end).max())
}

/// The end of a window: an instant (RFC 3339, seconds or milliseconds since 1970), or how long it lasts.
fn end_of(text: &str, now: Timestamp) -> Option<Timestamp> {
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    match text.parse::<f64>() {
        Ok(millis) if millis > 1e12 => Some(Timestamp::from_micros((millis * 1e3) as i64)),
        Ok(seconds) if seconds > 1e9 => Some(Timestamp::from_micros((seconds * 1e6) as i64)),
        Ok(seconds) => Some(now + of_seconds(seconds)?),
        Err(_) => span(text).map(|span| now + span),
    }
}

/// "Please try again in 6m0s."
fn in_words(words: &str) -> Option<Duration> {
    let lower = words.to_lowercase();
    let (_, rest) = ["try again in ", "retry in ", "retry after "].iter().find_map(|lead| lower.split_once(lead))?;
    let mut words = rest.split_whitespace();
    let first = words.next()?.trim_end_matches(['.', ',', ';', ')']);
    match first.parse::<f64>() {
        Ok(number) => {
            let unit = words.next().unwrap_or("seconds");
            let factor = [("ms", 1e-3), ("milli", 1e-3), ("s", 1.0), ("m", 60.0), ("h", 3600.0)];
            let (_, factor) = factor.into_iter().find(|(name, _)| unit.starts_with(name))?;
            of_seconds(number * factor)
        }
        Err(_) => span(first),
    }
}

/// A span such as `20ms`, `1.5s`, `6m0s` or `1h2m3s`.
fn span(text: &str) -> Option<Duration> {
    let (mut rest, mut sum) = (text.trim(), Duration::ZERO);
    if rest.is_empty() {
        return None;
    }
    while !rest.is_empty() {
        let digits = rest.find(|c: char| !(c.is_ascii_digit() || c == '.')).unwrap_or(rest.len());
        let (number, behind) = rest.split_at(digits);
        let letters = behind.find(|c: char| !c.is_ascii_alphabetic()).unwrap_or(behind.len());
        let (unit, next) = behind.split_at(letters);
        let seconds = match unit {
            "ms" => 1e-3,
            "s" => 1.0,
            "m" => 60.0,
            "h" => 3600.0,
            "d" => 86_400.0,
            _ => return None,
        };
        sum = sum.checked_add(of_seconds(number.parse::<f64>().ok()? * seconds)?)?;
        rest = next;
    }
    Some(sum)
}

/// When Google's next day begins.
pub(crate) fn googles_midnight(now: Timestamp) -> Timestamp {
    let seconds = now.as_micros().div_euclid(1_000_000) - GOOGLES_MIDNIGHT;
    Timestamp::from_micros((seconds.div_euclid(DAY) * DAY + DAY + GOOGLES_MIDNIGHT) * 1_000_000)
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// 2026-11-21T12:00:00Z.
    const NOW: Timestamp = Timestamp::from_micros(1_795_262_400_000_000);

    fn headers(of: &[(&str, &str)]) -> HeaderMap {
        of.iter().map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap())).collect()
    }

    /// After how many milliseconds the limit ends.
    fn check(of: &[(&str, &str)], details: Value, words: &str, expected: Option<u64>) {
        let details: Vec<Value> = serde_json::from_value(details).unwrap();
        let class = if is_daily(&details) { FailureClass::Quota } else { FailureClass::RateLimited };
        let found = time_of(&headers(of), &details, words, class, NOW);
        assert_eq!(found.map(|at| at.since(NOW).as_millis()), expected.map(u128::from), "{of:?} {details:?} {words}");
    }

    #[test]
    fn the_header_for_it_is_read_in_each_of_its_forms() {
        assert_eq!(NOW.to_string(), "2026-11-21T12:00:00.000000Z");
        check(&[("retry-after", "37")], json!([]), "", Some(37_000));
        check(&[("retry-after", "1.5")], json!([]), "", Some(1_500));
        check(&[("retry-after", "Sat, 21 Nov 2026 12:01:00 GMT")], json!([]), "", Some(60_000));
        check(&[("retry-after", "Sat, 21 Nov 2026 11:00:00 GMT")], json!([]), "", Some(0));
        check(&[("retry-after", "9"), ("retry-after-ms", "1250")], json!([]), "", Some(1_250));
        check(&[("retry-after", "soon")], json!([]), "", None);
        check(&[("retry-after", "-1")], json!([]), "", None);
    }

    #[test]
    fn the_empty_window_counts() {
        let anthropic = [
            ("anthropic-ratelimit-requests-remaining", "12"),
            ("anthropic-ratelimit-requests-reset", "2026-11-21T13:00:00Z"),
            ("anthropic-ratelimit-tokens-remaining", "0"),
            ("anthropic-ratelimit-tokens-reset", "2026-11-21T12:00:40Z"),
        ];
        check(&anthropic, json!([]), "", Some(40_000));
        let openai = [
            ("x-ratelimit-remaining-requests", "0"),
            ("x-ratelimit-reset-requests", "6m0s"),
            ("x-ratelimit-remaining-tokens", "149984"),
            ("x-ratelimit-reset-tokens", "1h2m3.5s"),
        ];
        check(&openai, json!([]), "", Some(360_000));
        check(&openai[1..2], json!([]), "", Some(360_000));
        check(&[("x-ratelimit-reset", "1795262460000")], json!([]), "", Some(60_000));
        check(&[("x-ratelimit-reset", "1795262460")], json!([]), "", Some(60_000));
        check(&[("ratelimit-reset", "30")], json!([]), "", Some(30_000));
        let subscription = [
            ("anthropic-ratelimit-unified-status", "rejected"),
            ("anthropic-ratelimit-unified-reset", "1795269600"),
            ("retry-after", "3600"),
        ];
        check(&subscription, json!([]), "", Some(7_200_000));
    }

    #[test]
    fn google_says_it_in_its_details() {
        let retry = json!({ "@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "37.5s" });
        check(&[], json!([retry]), "", Some(37_500));
        let quota = json!({ "violations": [{ "quotaId": "GenerateRequestsPerDayPerProjectPerModel-FreeTier" }] });
        check(&[], json!([quota, retry]), "", Some(20 * 3_600_000));
        let minute = json!({ "violations": [{ "quotaId": "GenerateRequestsPerMinutePerProject" }] });
        check(&[], json!([minute, retry]), "", Some(37_500));
        assert_eq!(window_of(&HeaderMap::new(), &[minute]).as_deref(), Some("GenerateRequestsPerMinutePerProject"));
    }

    #[test]
    fn words_are_better_than_nothing() {
        check(&[], json!([]), "Rate limit reached. Please try again in 6m0s. Visit ...", Some(360_000));
        check(&[], json!([]), "Please retry in 37.25s.", Some(37_250));
        check(&[], json!([]), "Please try again in 20ms.", Some(20));
        check(&[], json!([]), "Please retry after 26 seconds.", Some(26_000));
        check(&[], json!([]), "try again in 2 minutes", Some(120_000));
        check(&[], json!([]), "Please try again in a while", None);
        check(&[], json!([]), "Please try again later", None);
    }

    #[test]
    fn a_time_beyond_reason_is_none() {
        check(&[("retry-after", "99999999")], json!([]), "", None);
        check(&[("retry-after", "1e300")], json!([]), "", None);
        check(&[("x-ratelimit-reset", "9223372036854775807")], json!([]), "", None);
        check(&[("anthropic-ratelimit-tokens-reset", "9999-01-01T00:00:00Z")], json!([]), "", None);
    }

    #[test]
    fn googles_day_ends_in_the_morning() {
        for (now, expected) in [
            ("2026-11-21T07:59:59Z", "2026-11-21T08:00:00.000000Z"),
            ("2026-11-21T08:00:00Z", "2026-11-22T08:00:00.000000Z"),
            ("2026-12-31T23:00:00Z", "2027-01-01T08:00:00.000000Z"),
        ] {
            assert_eq!(googles_midnight(now.parse().unwrap()).to_string(), expected);
        }
    }
}
