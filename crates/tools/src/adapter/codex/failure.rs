//! What the words of a failed turn mean for the next try.
//!
//! Codex tells a failure in one sentence, with the status in it where there was one. Some answers of the
//! provider it replaces by sentences of its own, which stand here in parts that have outlived its versions.

use jiff::tz::TimeZone;
use swarm_model::{FailureClass, Timestamp};

use crate::adapter::failure::{has, is_network, is_overflow, is_spent, of_status};
use crate::adapter::reset::time_in;
use crate::event::{Failure, head};

/// The failure that the words tell. Times of day in them are in `zone`.
pub(super) fn of_words(words: &str, now: Timestamp, zone: &TimeZone) -> Failure {
    let class = class_of(words);
    let resets_at = match class {
        FailureClass::Quota | FailureClass::RateLimited => time_in(words, now, zone),
        _ => None,
    };
    Failure { class, error: head(words.trim(), 1000).to_owned(), resets_at }
}

fn class_of(words: &str) -> FailureClass {
    if is_spent(words) || has(words, &["quota exceeded", "exceeded your current quota", "out of credits"]) {
        FailureClass::Quota
    } else if is_overflow(words) {
        FailureClass::ContextOverflow
    } else if let Some(status) = status_in(words) {
        of_status(status, words)
    } else if has(words, &["environment variable", "not logged in", "codex login", "sign in again", "log in again"]) {
        FailureClass::NeedsLogin
    } else if has(words, &["api key", "unauthorized"]) {
        FailureClass::Auth
    } else if has(words, &["rate limit", "too many requests"]) {
        FailureClass::RateLimited
    } else if has(words, &["does not exist or you do not have access", "model_not_found", "model is not supported"]) {
        FailureClass::Refused
    } else if has(words, &["high demand", "overloaded", "at capacity", "internal server error"]) {
        FailureClass::Server
    } else if is_network(words) {
        FailureClass::Network
    } else if has(words, &["stream disconnected"]) {
        // What follows are the provider's own words about its fault.
        FailureClass::Server
    } else if has(words, &["flagged", "usage policy", "content policy"]) {
        FailureClass::Refused
    } else {
        FailureClass::ProcessFailed
    }
}

/// The status in `unexpected status 401 Unauthorized` and `last status: 429 Too Many Requests`.
fn status_in(words: &str) -> Option<u64> {
    let (_, behind) = words.split_once("status")?;
    let status = behind.trim_start_matches([':', ' ']).get(..3)?.parse().ok()?;
    (400..600).contains(&status).then_some(status)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(words: &str) -> Failure {
        of_words(words, Timestamp::EPOCH, &TimeZone::UTC)
    }

    fn check(words: &str, expected: FailureClass) {
        let failure = of(words);
        assert_eq!((failure.class, failure.error.as_str()), (expected, words));
    }

    #[test]
    fn its_sentences_are_understood() {
        use FailureClass as F;
        check("unexpected status 401 Unauthorized: Incorrect API key provided: x, url: http://h/v1/responses", F::Auth);
        check("exceeded retry limit, last status: 429 Too Many Requests", F::RateLimited);
        check("rate limit exceeded: Rate limit reached for gpt-5.5. Please try again in 2s", F::RateLimited);
        check("You’ve hit your usage limit. Upgrade to Pro or try again at 12:28 PM.", F::Quota);
        check("Quota exceeded. Check your plan and billing details.", F::Quota);
        check("We’re currently experiencing high demand, which may cause temporary errors.", F::Server);
        check("unexpected status 503 Service Unavailable: overloaded, url: http://h/v1/responses", F::Server);
        check("The model `no-such` does not exist or you do not have access to it.", F::Refused);
        check("Codex ran out of room in the model's context window. Start a new thread.", F::ContextOverflow);
        check("stream disconnected before completion: Transport error: network error: error decoding", F::Network);
        check("stream disconnected before completion: something broke", F::Server);
        check("Connection failed: error sending request", F::Network);
        check("Missing environment variable: `OPENAI_API_KEY`.", F::NeedsLogin);
        check("something else", F::ProcessFailed);
        check("the status is odd", F::ProcessFailed);
    }

    #[test]
    fn a_limit_tells_its_end_where_the_words_do() {
        let resets_at = |words| of(words).resets_at.map(|at| at.to_string());
        assert_eq!(resets_at("hit your usage limit. Try again at 12:28 PM.").unwrap(), "1970-01-01T12:29:00.000000Z");
        assert_eq!(resets_at("rate limit exceeded: try again in 2s").unwrap(), "1970-01-01T00:00:02.000000Z");
        assert_eq!(resets_at("last status: 429 Too Many Requests"), None);
    }
}
