//! What a `result` line that is none means for the next try.
//!
//! `subtype` says "success" for 401, 429, 500 and 529 too, and exit codes do not tell failures apart: only
//! `is_error`, `api_error_status` and, where both are silent, the words decide.

use serde_json::Value;
use swarm_model::FailureClass;

use crate::event::{Failure, RateLimit, head};
use crate::refusal;

/// The failure that a `result` line tells, if it tells one. `limit` is the last one that was refused.
pub(super) fn of_result(result: &Value, limit: Option<&RateLimit>) -> Option<Failure> {
    let subtype = result["subtype"].as_str().unwrap_or("");
    if result["is_error"] != true && subtype == "success" {
        return None;
    }
    let words = words_of(result, subtype);
    let status = result["api_error_status"].as_u64();
    let class = match status {
        Some(status) => of_status(status, &words, limit),
        None => of_subtype(subtype).unwrap_or_else(|| of_words(&words, limit)),
    };
    let resets_at = match class {
        FailureClass::Quota | FailureClass::RateLimited => limit.and_then(|limit| limit.resets_at),
        _ => None,
    };
    Some(Failure { class, error: words, resets_at })
}

fn words_of(result: &Value, subtype: &str) -> String {
    let told = result["result"].as_str().filter(|text| !text.trim().is_empty()).map(str::to_owned);
    let listed = || {
        let errors: Vec<_> = result["errors"].as_array()?.iter().filter_map(Value::as_str).collect();
        (!errors.is_empty()).then(|| errors.join("; "))
    };
    let words = told.or_else(listed).unwrap_or_else(|| format!("Claude Code ended with {subtype}"));
    head(words.trim(), 1000).to_owned()
}

fn of_status(status: u64, words: &str, limit: Option<&RateLimit>) -> FailureClass {
    match status {
        401 | 403 => FailureClass::Auth,
        402 => FailureClass::Quota,
        429 => of_limit(words, limit),
        400 | 413 if is_overflow(words) => FailureClass::ContextOverflow,
        400 if is_spent(words) => FailureClass::Quota,
        408 => FailureClass::Network,
        400..=499 => FailureClass::Refused,
        _ => FailureClass::Server,
    }
}

/// Subtypes that are clear by themselves.
fn of_subtype(subtype: &str) -> Option<FailureClass> {
    match subtype {
        "error_max_turns" | "error_max_budget_usd" => Some(FailureClass::Budget),
        "error_max_structured_output_retries" => Some(FailureClass::EmptyOutput),
        _ => None,
    }
}

fn of_words(words: &str, limit: Option<&RateLimit>) -> FailureClass {
    let lower = words.to_lowercase();
    let has = |needles: &[&str]| needles.iter().any(|needle| lower.contains(needle));
    if has(&["not logged in", "please run /login", "run `claude login`"]) {
        FailureClass::NeedsLogin
    } else if has(&["invalid api key", "authentication", "oauth token"]) {
        FailureClass::Auth
    } else if has(&["hit your", "usage limit", "rate limit", "rate_limit"]) {
        of_limit(words, limit)
    } else if is_spent(words) {
        FailureClass::Quota
    } else if is_overflow(words) {
        FailureClass::ContextOverflow
    } else if has(&["overloaded", "internal server error"]) {
        FailureClass::Server
    } else if has(&[
        "connection",
        "econnrefused",
        "econnreset",
        "enotfound",
        "unable to connect",
        "timed out",
        "fetch failed",
    ]) {
        FailureClass::Network
    } else {
        FailureClass::ProcessFailed
    }
}

/// A window of the account that is used up, or only too many requests at once.
fn of_limit(words: &str, limit: Option<&RateLimit>) -> FailureClass {
    let lower = words.to_lowercase();
    let spent =
        ["usage limit", "session limit", "weekly limit", "hit your"].iter().any(|needle| lower.contains(needle));
    if spent || limit.is_some_and(|limit| limit.rejected) { FailureClass::Quota } else { FailureClass::RateLimited }
}

fn is_overflow(words: &str) -> bool {
    refusal::is_overflow(&words.to_lowercase())
}

fn is_spent(words: &str) -> bool {
    refusal::is_spent(&words.to_lowercase())
}

#[cfg(test)]
mod tests {
    use serde_json::json;
    use swarm_model::Timestamp;

    use super::*;

    fn check(status: Option<u64>, subtype: &str, words: &str, expected: FailureClass) {
        let result = json!({ "subtype": subtype, "is_error": true, "api_error_status": status, "result": words });
        let failure = of_result(&result, None).unwrap();
        assert_eq!(failure.class, expected, "{status:?} {subtype} {words}");
        assert_eq!(failure.error, words);
    }

    #[test]
    fn the_status_decides_whatever_the_subtype_says() {
        use FailureClass as F;
        check(Some(401), "success", "Failed to authenticate", F::Auth);
        check(Some(429), "success", "API Error: Request rejected (429)", F::RateLimited);
        check(Some(429), "success", "You've hit your session limit · resets 8pm", F::Quota);
        check(Some(400), "success", "Prompt is too long", F::ContextOverflow);
        check(Some(400), "success", "Your credit balance is too low", F::Quota);
        check(Some(404), "success", "model not found", F::Refused);
        check(Some(500), "success", "API Error: 500", F::Server);
        check(Some(529), "success", "Overloaded", F::Server);
    }

    #[test]
    fn without_a_status_subtype_and_words_decide() {
        use FailureClass as F;
        check(None, "success", "Not logged in · Please run /login", F::NeedsLogin);
        check(None, "success", "Invalid API key", F::Auth);
        check(None, "success", "Unable to connect to API (ECONNREFUSED)", F::Network);
        check(None, "error_max_turns", "Reached maximum number of turns (3)", F::Budget);
        check(None, "error_during_execution", "something broke", F::ProcessFailed);
    }

    #[test]
    fn a_refused_window_gives_the_time_of_its_end() {
        let at = Timestamp::from_micros(1_800_000_000_000_000);
        let limit = RateLimit { rejected: true, resets_at: Some(at), ..RateLimit::default() };
        let result = json!({ "subtype": "success", "is_error": true, "api_error_status": 429, "result": "no" });
        let failure = of_result(&result, Some(&limit)).unwrap();
        assert_eq!((failure.class, failure.resets_at), (FailureClass::Quota, Some(at)));
    }

    #[test]
    fn a_result_without_an_error_is_none() {
        assert!(of_result(&json!({ "subtype": "success", "is_error": false, "result": "ok" }), None).is_none());
        assert!(of_result(&json!({ "subtype": "error_new_kind", "is_error": false }), None).is_some());
    }
}
