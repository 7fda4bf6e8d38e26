//! What a provider's refusal means for the next try: its class, a sentence for people, and when a limit ends.
//!
//! The status decides, and where it is silent the provider's code, and only then its words. Providers do not agree
//! on much: Google refuses a wrong key with 400, OpenAI a spent balance with the 429 of too many requests, and some
//! say everything in the middle of a stream under status 200.

mod reset;

use reqwest::StatusCode;
use reqwest::header::{HeaderMap, LOCATION};
use serde_json::Value;
use swarm_model::{FailureClass, Timestamp};

pub(crate) use self::reset::googles_midnight;
use crate::account::Account;
use crate::event::{Failure, RateLimit, head};
use crate::framer::lossy;

/// What is read of an error's body.
pub(crate) const MAX_BODY: usize = 64 * 1024;
/// What is shown of a body without JSON.
const SHOWN_BODY: usize = 200;
/// What is shown of a provider's words.
const SHOWN_WORDS: usize = 1000;

/// Who was asked for what, as sentences name it.
#[derive(Debug, Clone)]
pub(crate) struct Asked<'a> {
    pub(crate) who: String,
    pub(crate) account: &'a Account,
    pub(crate) model: Option<&'a str>,
    /// What a model that is not there means: another model mends it, or another machine.
    pub(crate) unknown_model: FailureClass,
}

/// What a provider said in place of an answer.
#[derive(Debug, Default)]
pub(crate) struct Told {
    status: u16,
    headers: HeaderMap,
    /// For people, without our key.
    pub(crate) words: String,
    /// The provider's names for it, in lower case.
    codes: Vec<String>,
    details: Vec<Value>,
    is_json: bool,
}

impl Told {
    /// What an answer of HTTP says that is none.
    pub(crate) fn by_reply(account: &Account, status: StatusCode, headers: &HeaderMap, body: &[u8]) -> Self {
        let told = match serde_json::from_slice::<Value>(body) {
            Ok(body) if body.is_object() || body.is_array() => Self::by_json(account, &body),
            _ => {
                let text = lossy(body);
                let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
                let words = account.without_key(words);
                Self { words: head(&words, SHOWN_BODY).to_owned(), ..Self::default() }
            }
        };
        Self { status: status.as_u16(), headers: headers.clone(), ..told }
    }

    /// What an event in the middle of a stream says.
    pub(crate) fn by_json(account: &Account, body: &Value) -> Self {
        // Google streams an error as a list of one.
        let body = body.get(0).unwrap_or(body);
        let error = if body["error"].is_object() { &body["error"] } else { body };
        let words = [&body["error"], &error["message"], &body["detail"], &body["detail"][0]["msg"], &body["message"]];
        let words = words.into_iter().find_map(Value::as_str).map_or_else(|| body.to_string(), str::to_owned);
        // A router between quotes whom it asked.
        let raw = error["metadata"]["raw"].as_str().map(|raw| format!(" ({})", head(raw, SHOWN_BODY)));
        let words = account.without_key(format!("{words}{}", raw.unwrap_or_default()));
        let place = &body["detail"][0]["loc"];
        let codes = [&error["type"], &error["code"], &error["status"], &place[0], &place[1]];
        let details: Vec<Value> = error["details"].as_array().cloned().unwrap_or_default();
        let reasons = details.iter().map(|detail| &detail["reason"]);
        Self {
            status: error["code"]
                .as_u64()
                .and_then(|code| u16::try_from(code).ok())
                .filter(|code| *code < 600)
                .unwrap_or(0),
            words: head(words.trim(), SHOWN_WORDS).to_owned(),
            codes: codes.into_iter().chain(reasons).filter_map(Value::as_str).map(str::to_lowercase).collect(),
            details,
            is_json: true,
            headers: HeaderMap::new(),
        }
    }

    /// Whether an option of our request was refused by its name.
    pub(crate) fn names_option(&self, option: &str) -> bool {
        matches!(self.status, 400 | 422)
            && (self.words.contains(option) || self.codes.iter().any(|code| code == option))
    }

    /// The failure, and the limit that was hit if it is one.
    pub(crate) fn failure(&self, asked: &Asked<'_>, now: Timestamp) -> (Failure, Option<RateLimit>) {
        let class = self.class(asked);
        let error = self.sentence(asked, class);
        if !matches!(class, FailureClass::RateLimited | FailureClass::Quota) {
            return (Failure::new(class, error), None);
        }
        let resets_at = reset::time_of(&self.headers, &self.details, &self.words, class, now);
        let window = reset::window_of(&self.headers, &self.details);
        // Providers seldom say in their words which of their limits it is.
        let error = match window.as_deref().filter(|window| !error.contains(window)) {
            Some(window) => format!("{error} (limit {window})"),
            None => error,
        };
        let limit = RateLimit { rejected: true, window, utilization: None, resets_at };
        (Failure { class, error, resets_at }, Some(limit))
    }

    fn class(&self, asked: &Asked<'_>) -> FailureClass {
        let words = self.words.to_lowercase();
        let has_code = |names: &[&str]| self.codes.iter().any(|code| names.contains(&code.as_str()));
        match self.status {
            401 | 403 => FailureClass::Auth,
            400 if has_code(&["api_key_invalid"]) || words.contains("api key not valid") => FailureClass::Auth,
            402 => FailureClass::Quota,
            400 | 500 if self.is_overflow() => FailureClass::ContextOverflow,
            413 => FailureClass::ContextOverflow,
            429 if self.is_spent() => FailureClass::Quota,
            429 => FailureClass::RateLimited,
            400 if is_spent(&words) => FailureClass::Quota,
            _ if self.is_about_model() => asked.unknown_model,
            // There is no such API at all.
            300..=399 | 404 | 405 => FailureClass::ToolMissing,
            408 => FailureClass::Network,
            400..=499 => FailureClass::Refused,
            500.. => FailureClass::Server,
            // An event of a stream that names no status.
            _ if has_code(&["authentication_error", "permission_error", "invalid_api_key"]) => FailureClass::Auth,
            _ if has_code(&["insufficient_quota", "billing_error"]) => FailureClass::Quota,
            _ if has_code(&["rate_limit_error", "rate_limit_exceeded"]) => FailureClass::RateLimited,
            _ if self.is_overflow() => FailureClass::ContextOverflow,
            _ => FailureClass::Server,
        }
    }

    fn sentence(&self, asked: &Asked<'_>, class: FailureClass) -> String {
        let Asked { who, account, model, .. } = asked;
        let Self { status, words, .. } = self;
        if let Some(target) = self.headers.get(LOCATION).filter(|_| (300..400).contains(status)) {
            let target = account.without_key(lossy(target.as_bytes()));
            return format!("{who} sends us on to {}: set that address where it is right", head(&target, SHOWN_BODY));
        }
        let words = if words.is_empty() { "without a word of why" } else { words };
        match (class, model) {
            (FailureClass::Refused, Some(model)) if self.is_about_model() => {
                format!("the model \"{model}\" is not to be had from {who}: {words}")
            }
            (FailureClass::ToolMissing, _) if !self.is_about_model() => {
                let base = crate::http::shown(&account.base);
                format!("there is no such API at {base} (it answered {status}: {words})")
            }
            _ if *status == 0 => format!("{who} broke off: {words}"),
            _ => format!("{who} answered {status}: {words}"),
        }
    }

    /// Whether the model is not there, or not for this account.
    fn is_about_model(&self) -> bool {
        let words = self.words.to_lowercase();
        match self.status {
            404 => self.is_json && (words.contains("model") || self.codes.iter().any(|code| code.contains("model"))),
            400 => {
                self.codes.iter().any(|code| code == "model_not_found")
                    || words.contains("model")
                        && ["not found", "does not exist", "not a valid model", "unknown model"]
                            .iter()
                            .any(|needle| words.contains(needle))
            }
            _ => false,
        }
    }

    fn is_overflow(&self) -> bool {
        let named = ["context_length_exceeded", "exceed_context_size_error", "request_too_large"];
        self.codes.iter().any(|code| named.contains(&code.as_str())) || is_overflow(&self.words.to_lowercase())
    }

    /// Whether the allowance of a day, a month or a balance is used up, and not only that of a minute.
    fn is_spent(&self) -> bool {
        let named = ["insufficient_quota", "billing_hard_limit_reached", "billing_not_active", "billing_error"];
        self.codes.iter().any(|code| named.contains(&code.as_str()))
            || reset::is_window_spent(&self.headers)
            || reset::is_daily(&self.details)
            || is_spent(&self.words.to_lowercase())
    }
}

/// Whether words in lower case say that the conversation no longer fits the model.
pub(crate) fn is_overflow(words: &str) -> bool {
    [
        "too long",
        "context length",
        "context window",
        "context limit",
        "context size",
        "exceeds the maximum",
        "maximum number of tokens",
        "input length exceeds",
    ]
    .iter()
    .any(|needle| words.contains(needle))
}

/// Whether words in lower case say that the account has nothing left.
///
/// Google says "exceeded your current quota, please check your plan and billing" of every minute, so that these are
/// not among them.
pub(crate) fn is_spent(words: &str) -> bool {
    [
        "credit balance",
        "insufficient balance",
        "insufficient credits",
        "usage limit",
        "per day",
        "per-day",
        "daily limit",
    ]
    .iter()
    .any(|needle| words.contains(needle))
}

#[cfg(test)]
mod tests;
