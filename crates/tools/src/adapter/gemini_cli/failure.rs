//! What a `result` line with an error, or an end without one, means for the next try.
//!
//! Of an answer of the provider the tool's words hold the whole body, or its message alone; its exit code is the
//! status, of which it has only the lowest eight bits.

use serde_json::Value;
use swarm_model::{FailureClass, Timestamp};

use crate::adapter::failure::{has, is_network, is_overflow, is_spent, of_status};
use crate::adapter::reset::time_in;
use crate::event::{Failure, head};
use crate::refusal::googles_midnight;

/// The failure that the words tell, with the exit code where it is known. Times of day do not occur in them.
pub(super) fn of_words(words: &str, code: Option<i32>, now: Timestamp) -> Failure {
    let (words, status) = unwrapped(words);
    let class = class_of(&words, status.or_else(|| code.and_then(status_of_code)));
    let told = || time_in(&words, now, &jiff::tz::TimeZone::UTC);
    let resets_at = match class {
        // Of a day the words do not tell when the next one begins.
        FailureClass::Quota if has(&words, &["daily quota"]) => Some(googles_midnight(now)),
        FailureClass::Quota | FailureClass::RateLimited => told(),
        _ => None,
    };
    Failure { class, error: head(words.trim(), 1000).to_owned(), resets_at }
}

/// The failure of an end without a result, where the code tells it.
pub(super) fn of_code(code: i32) -> Option<FailureClass> {
    match code {
        41 => Some(FailureClass::NeedsLogin),
        53 => Some(FailureClass::Budget),
        // The folder is not trusted.
        55 => Some(FailureClass::Refused),
        _ => status_of_code(code).map(|status| of_status(status, "")),
    }
}

/// The status behind an exit code, among those that providers answer with.
fn status_of_code(code: i32) -> Option<u64> {
    const STATUSES: [u64; 12] = [400, 401, 402, 403, 404, 408, 413, 429, 500, 502, 503, 504];
    STATUSES.into_iter().find(|status| i32::try_from(status % 256).is_ok_and(|low| low == code))
}

/// `[API Error: ...]` without its frame, and the status if the body stands in it.
fn unwrapped(words: &str) -> (String, Option<u64>) {
    let Some((before, framed)) = words.split_once("[API Error: ") else { return (words.to_owned(), None) };
    let (inner, after) = framed.rsplit_once(']').unwrap_or((framed, ""));
    match serde_json::from_str::<Value>(inner) {
        Ok(body) => {
            let error = &body["error"];
            (error["message"].as_str().unwrap_or(inner).to_owned(), error["code"].as_u64())
        }
        Err(_) => (format!("{before}{inner}{after}"), None),
    }
}

fn class_of(words: &str, status: Option<u64>) -> FailureClass {
    if has(words, &["api key not valid", "api key expired", "api_key_invalid"]) {
        return FailureClass::Auth;
    }
    if is_spent(words) || has(words, &["exhausted your capacity", "quota will reset"]) {
        return FailureClass::Quota;
    }
    if is_overflow(words) || has(words, &["exceeded the token limit"]) {
        return FailureClass::ContextOverflow;
    }
    if let Some(status) = status {
        return of_status(status, words);
    }
    if has(words, &["resource has been exhausted", "rate limit", "current quota"]) {
        FailureClass::RateLimited
    } else if has(words, &["is not found for api version", "model not found", "was blocked due to"]) {
        FailureClass::Refused
    } else if has(words, &["empty response", "no final response"]) {
        FailureClass::EmptyOutput
    } else if has(words, &["overloaded", "unavailable", "internal error", "without a finish reason"]) {
        FailureClass::Server
    } else if has(words, &["session turns"]) {
        FailureClass::Budget
    } else if is_network(words) {
        FailureClass::Network
    } else {
        FailureClass::ProcessFailed
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(words: &str, code: i32, expected: FailureClass, told: &str) {
        let failure = of_words(words, Some(code), Timestamp::EPOCH);
        assert_eq!((failure.class, failure.error.as_str()), (expected, told), "{words}");
    }

    #[test]
    fn words_and_code_decide_together() {
        use FailureClass as F;
        let body = |code: u16, message: &str| {
            format!("[API Error: {{\"error\":{{\"code\":{code},\"message\":\"{message}\",\"status\":\"X\"}}}}]")
        };
        check(&body(401, "not you"), 145, F::Auth, "not you");
        check(&body(400, "API key not valid. Please"), 144, F::Auth, "API key not valid. Please");
        check(
            &body(400, "The input token count exceeds the maximum"),
            144,
            F::ContextOverflow,
            "The input token count exceeds the maximum",
        );
        check(&body(500, "broke"), 244, F::Server, "broke");
        check(&body(500, "an inner ] bracket"), 244, F::Server, "an inner ] bracket");
        check("[API Error: overloaded]", 247, F::Server, "overloaded");
        check("[API Error: something]", 173, F::RateLimited, "something");
        check(
            "[API Error: models/x is not found for API version v1beta, or]",
            1,
            F::Refused,
            "models/x is not found for API version v1beta, or",
        );
        check("[API Error: terminated]", 1, F::Network, "terminated");
        check(
            "[API Error: You have exhausted your daily quota on this model.]\nPlease wait",
            173,
            F::Quota,
            "You have exhausted your daily quota on this model.\nPlease wait",
        );
        check(
            "Model stream ended without a finish reason.",
            0,
            F::Server,
            "Model stream ended without a finish reason.",
        );
        check("something else", 1, F::ProcessFailed, "something else");
    }

    #[test]
    fn a_limit_tells_its_end_where_the_words_do() {
        let words = "[API Error: You exceeded your current quota\nSuggested retry after 2s.]\nPlease wait";
        let failure = of_words(words, Some(173), Timestamp::EPOCH);
        assert_eq!(
            (failure.class, failure.resets_at),
            (FailureClass::RateLimited, Some(Timestamp::from_micros(2_000_000)))
        );
        let spent = of_words("[API Error: Your quota will reset after 1h2m.]", Some(173), Timestamp::EPOCH);
        assert_eq!((spent.class, spent.resets_at), (FailureClass::Quota, Some(Timestamp::from_micros(3_720_000_000))));
    }

    #[test]
    fn a_code_alone_tells_some() {
        use FailureClass as F;
        let expected = [(0, None), (1, None), (41, Some(F::NeedsLogin)), (42, None), (53, Some(F::Budget))];
        let statuses =
            [(55, Some(F::Refused)), (145, Some(F::Auth)), (173, Some(F::RateLimited)), (247, Some(F::Server))];
        for (code, class) in expected.into_iter().chain(statuses) {
            assert_eq!(of_code(code), class, "{code}");
        }
    }
}
