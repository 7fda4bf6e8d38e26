//! What the answers of providers mean for the next try, in whatever tool's words they come.

use swarm_model::FailureClass;

use crate::refusal;

/// The class of an answer with a status of HTTP that is no success.
pub(super) fn of_status(status: u64, words: &str) -> FailureClass {
    match status {
        401 | 403 => FailureClass::Auth,
        402 => FailureClass::Quota,
        429 if is_spent(words) => FailureClass::Quota,
        429 => FailureClass::RateLimited,
        400 | 413 if is_overflow(words) => FailureClass::ContextOverflow,
        400 if is_spent(words) => FailureClass::Quota,
        408 => FailureClass::Network,
        400..=499 => FailureClass::Refused,
        _ => FailureClass::Server,
    }
}

/// Whether the conversation no longer fits the model.
pub(super) fn is_overflow(words: &str) -> bool {
    refusal::is_overflow(&words.to_lowercase())
}

/// Whether what the account may use is used up, and not only used too fast.
pub(super) fn is_spent(words: &str) -> bool {
    refusal::is_spent(&words.to_lowercase()) || has(words, &["insufficient_quota", "daily quota"])
}

/// Whether the connection, and not what came over it, is at fault.
pub(super) fn is_network(words: &str) -> bool {
    const SIGNS: [&str; 14] = [
        "connection",
        "econnrefused",
        "econnreset",
        "enotfound",
        "eai_again",
        "unable to connect",
        "timed out",
        "timeout",
        "fetch failed",
        "error sending request",
        "transport error",
        "network error",
        "socket",
        "terminated",
    ];
    has(words, &SIGNS)
}

/// Whether one of the signs stands in the words. Signs are written in lower case.
pub(super) fn has(words: &str, signs: &[&str]) -> bool {
    let words = words.to_lowercase();
    signs.iter().any(|sign| words.contains(sign))
}
