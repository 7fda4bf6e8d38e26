use reqwest::header::HeaderMap;
use serde_json::json;

use super::*;
use crate::account::{Account, OPENAI};
use crate::settings::ToolSettings;
use crate::variables::Variables;

fn account() -> Account {
    let variables: Variables = [("OPENAI_API_KEY", "sk-secret")].into_iter().collect();
    Account::resolve(&OPENAI, &ToolSettings::default(), &variables).unwrap()
}

fn failure(told: &Told, account: &Account) -> Failure {
    let asked = Asked { who: "the API".to_owned(), account, model: Some("m-1"), unknown_model: FailureClass::Refused };
    told.failure(&asked, Timestamp::EPOCH).0
}

fn refused(status: u16, body: &str) -> Failure {
    let account = account();
    let status = StatusCode::from_u16(status).unwrap();
    failure(&Told::by_reply(&account, status, &HeaderMap::new(), body.as_bytes()), &account)
}

fn check(status: u16, body: Value, expected: FailureClass) {
    let failure = refused(status, &body.to_string());
    assert_eq!(failure.class, expected, "{status} {body}: {}", failure.error);
}

fn openai(code: &str, message: &str) -> Value {
    json!({ "error": { "message": message, "type": "invalid_request_error", "param": null, "code": code } })
}

fn anthropic(kind: &str, message: &str) -> Value {
    json!({ "type": "error", "error": { "type": kind, "message": message }, "request_id": "req_1" })
}

fn gemini(status: &str, message: &str, details: Value) -> Value {
    json!({ "error": { "code": 400, "message": message, "status": status, "details": details } })
}

#[test]
fn each_providers_refusals_have_their_class() {
    use FailureClass as F;
    check(401, anthropic("authentication_error", "invalid x-api-key"), F::Auth);
    check(403, anthropic("permission_error", "no"), F::Auth);
    check(402, anthropic("billing_error", "pay"), F::Quota);
    check(400, anthropic("invalid_request_error", "Your credit balance is too low to access the API"), F::Quota);
    check(
        400,
        anthropic("invalid_request_error", "prompt is too long: 210000 tokens > 200000 maximum"),
        F::ContextOverflow,
    );
    check(413, anthropic("request_too_large", "Request exceeds the maximum size"), F::ContextOverflow);
    check(404, anthropic("not_found_error", "model: m-1"), F::Refused);
    check(429, anthropic("rate_limit_error", "slow down"), F::RateLimited);
    check(529, anthropic("overloaded_error", "Overloaded"), F::Server);
    check(400, anthropic("invalid_request_error", "max_tokens: 9 > 8"), F::Refused);

    check(401, openai("invalid_api_key", "Incorrect API key provided"), F::Auth);
    check(
        404,
        openai("model_not_found", "The model `m-1` does not exist or you do not have access to it."),
        F::Refused,
    );
    check(429, openai("insufficient_quota", "You exceeded your current quota"), F::Quota);
    check(429, openai("rate_limit_exceeded", "Rate limit reached"), F::RateLimited);
    check(
        400,
        openai("context_length_exceeded", "This model's maximum context length is 8192 tokens."),
        F::ContextOverflow,
    );
    check(500, openai("server_error", "The server had an error"), F::Server);
    check(400, json!({ "object": "error", "message": "The model `x` does not exist.", "code": 40401 }), F::Refused);
    check(
        422,
        json!({ "detail": [{ "loc": ["body", "stream_options"], "msg": "Extra inputs are not permitted" }] }),
        F::Refused,
    );
    check(402, json!({ "error": { "code": 402, "message": "Insufficient credits" } }), F::Quota);

    check(400, gemini("INVALID_ARGUMENT", "API key not valid.", json!([{ "reason": "API_KEY_INVALID" }])), F::Auth);
    check(404, gemini("NOT_FOUND", "models/m-1 is not found for API version v1beta", json!([])), F::Refused);
    let quota = |id: &str| json!([{ "violations": [{ "quotaId": id }] }]);
    let words = "You exceeded your current quota, please check your plan and billing details.";
    check(429, gemini("RESOURCE_EXHAUSTED", words, quota("GenerateRequestsPerMinutePerProject")), F::RateLimited);
    check(429, gemini("RESOURCE_EXHAUSTED", words, quota("GenerateRequestsPerDayPerProject")), F::Quota);
    check(
        400,
        gemini(
            "INVALID_ARGUMENT",
            "The input token count (9) exceeds the maximum number of tokens allowed (8).",
            json!([]),
        ),
        F::ContextOverflow,
    );
    check(503, gemini("UNAVAILABLE", "The model is overloaded.", json!([])), F::Server);
    check(400, json!([gemini("INVALID_ARGUMENT", "API key not valid.", json!([]))]), F::Auth);
}

#[test]
fn a_model_that_is_not_there_is_named() {
    let failure = refused(404, &openai("model_not_found", "no such thing").to_string());
    assert_eq!(failure.error, "the model \"m-1\" is not to be had from the API: no such thing");
}

#[test]
fn a_body_without_json_is_shown_shortened() {
    let page = format!("<html>\n  <body>502 Bad Gateway</body> {}", "x".repeat(10_000));
    let failure = refused(502, &page);
    assert_eq!(failure.class, FailureClass::Server);
    assert!(failure.error.starts_with("the API answered 502: <html> <body>502 Bad Gateway"), "{}", failure.error);
    assert!(failure.error.len() < 300, "{}", failure.error);
    assert_eq!(refused(500, "").error, "the API answered 500: without a word of why");
    let elsewhere = refused(404, "404 page not found");
    assert_eq!(elsewhere.class, FailureClass::ToolMissing);
    assert!(elsewhere.error.contains("no such API at https://api.openai.com/v1"), "{}", elsewhere.error);
}

#[test]
fn a_key_that_is_quoted_is_not_shown() {
    for body in [openai("invalid_api_key", "wrong: sk-secret").to_string(), "wrong: sk-secret".to_owned()] {
        let failure = refused(401, &body);
        assert_eq!(failure.error, "the API answered 401: wrong: (the key)");
    }
}

#[test]
fn a_redirect_is_told_and_not_followed() {
    let account = account();
    let headers = [(LOCATION, "https://elsewhere.example/v1".parse().unwrap())].into_iter().collect();
    let failure = failure(&Told::by_reply(&account, StatusCode::FOUND, &headers, b""), &account);
    assert_eq!(failure.class, FailureClass::ToolMissing);
    assert!(failure.error.contains("https://elsewhere.example/v1"), "{}", failure.error);
}

#[test]
fn an_event_in_the_middle_of_a_stream_says_the_same() {
    let account = account();
    let class = |event: Value| failure(&Told::by_json(&account, &event), &account).class;
    assert_eq!(class(anthropic("overloaded_error", "Overloaded")), FailureClass::Server);
    assert_eq!(class(anthropic("rate_limit_error", "slow down")), FailureClass::RateLimited);
    assert_eq!(class(json!({ "error": { "code": 429, "message": "slow down" } })), FailureClass::RateLimited);
    assert_eq!(
        class(json!({ "error": { "code": 503, "message": "later", "status": "UNAVAILABLE" } })),
        FailureClass::Server
    );
    assert_eq!(class(json!({ "error": "runner died" })), FailureClass::Server);
}

#[test]
fn an_option_that_is_not_known_is_named() {
    let account = account();
    let names = |status: u16, body: Value| {
        let status = StatusCode::from_u16(status).unwrap();
        let told = Told::by_reply(&account, status, &HeaderMap::new(), body.to_string().as_bytes());
        told.names_option("stream_options")
    };
    assert!(names(400, openai("x", "Unrecognized request argument supplied: stream_options")));
    assert!(names(422, json!({ "detail": [{ "loc": ["body", "stream_options"], "msg": "Extra inputs" }] })));
    assert!(!names(500, openai("x", "stream_options")));
    assert!(!names(400, openai("x", "something else")));
}
