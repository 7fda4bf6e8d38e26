//! The three HTTP APIs on the wire: each scenario runs for all of them.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use serde_json::{Value, json};
use swarm_model::task::{CostKind, Outcome, TaskInput};
use swarm_model::time::{Clock, SystemClock};
use swarm_model::tool::{ToolHealth, ToolInfo};
use swarm_model::{FailureClass, Timestamp};
use swarm_tools::{Registry, ToolEvent, ToolSettings};

use crate::harness::{Bench, DEADLINE, Done};
use crate::model_server::{Counted, ModelServer, Recorded, Step, WRONG_KEY};

const KEY: &str = "sk-test-4711";

/// One of the three, as a person finds it: a key and an address in the environment.
#[derive(Debug, Clone, Copy)]
struct Api {
    tool: &'static str,
    key_variable: &'static str,
    url_variable: &'static str,
    /// What stands behind the server's address.
    path: &'static str,
    /// The header that carries the key, and what stands before it.
    header: (&'static str, &'static str),
    /// A model whose price is known, and what one answer of the server's costs with it.
    model: (&'static str, u64),
    /// How it says that a model is not there.
    unknown: (&'static str, &'static str),
}

const APIS: [Api; 3] = [
    Api {
        tool: "anthropic-api",
        key_variable: "ANTHROPIC_API_KEY",
        url_variable: "ANTHROPIC_BASE_URL",
        path: "",
        header: ("x-api-key", ""),
        model: ("claude-sonnet-5", 317),
        unknown: ("not_found_error", "model: nosuch"),
    },
    Api {
        tool: "openai-api",
        key_variable: "OPENAI_API_KEY",
        url_variable: "OPENAI_BASE_URL",
        path: "/v1",
        header: ("authorization", "Bearer "),
        model: ("gpt-5.4-mini", 122),
        unknown: ("model_not_found", "The model `nosuch` does not exist"),
    },
    Api {
        tool: "gemini-api",
        key_variable: "GEMINI_API_KEY",
        url_variable: "GOOGLE_GEMINI_BASE_URL",
        path: "",
        header: ("x-goog-api-key", ""),
        model: ("gemini-2.5-flash", 56),
        unknown: ("NOT_FOUND", "models/nosuch is not found for API version v1beta"),
    },
];

impl Api {
    fn bench(&self, server: &ModelServer, prompt: &str) -> Bench {
        self.bench_with(server, prompt, KEY)
    }

    fn bench_with(&self, server: &ModelServer, prompt: &str, key: &str) -> Bench {
        let mut bench = Bench::prompt(self.tool, prompt);
        let url = format!("{}{}", server.url(), self.path);
        bench.variables = [(self.key_variable, key.to_owned()), (self.url_variable, url)].into_iter().collect();
        bench.request.model = Some(self.model.0.to_owned());
        bench
    }

    async fn run(&self, script: impl IntoIterator<Item = Step>) -> (ModelServer, Done) {
        let server = ModelServer::start(script).await.unwrap();
        let done = self.bench(&server, "hi there").run().await;
        (server, done)
    }

    fn key_in<'a>(&self, request: &'a Recorded) -> Option<&'a str> {
        let (name, before) = self.header;
        request.headers.get(name).map(|value| value.strip_prefix(before).unwrap())
    }

    /// The prompt and the system text of a request.
    fn texts(&self, body: &Value) -> (Value, Value) {
        match self.tool {
            "anthropic-api" => (body["messages"][0]["content"].clone(), body["system"].clone()),
            "openai-api" => {
                let n = body["messages"].as_array().unwrap().len();
                let system = if n == 2 { body["messages"][0]["content"].clone() } else { Value::Null };
                (body["messages"][n - 1]["content"].clone(), system)
            }
            _ => {
                (body["contents"][0]["parts"][0]["text"].clone(), body["systemInstruction"]["parts"][0]["text"].clone())
            }
        }
    }
}

fn resets_at(done: &Done) -> Option<Timestamp> {
    match &done.outcome {
        Outcome::Failed { resets_at, .. } => *resets_at,
        other => panic!("not failed: {other:?}"),
    }
}

fn refuse(status: u16, kind: &str, message: &str, headers: &[(&str, &str)]) -> Step {
    Step::Refuse {
        status,
        kind: kind.to_owned(),
        message: message.to_owned(),
        headers: headers.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect(),
    }
}

async fn detect(bench: &Bench) -> ToolInfo {
    Registry::standard(&bench.variables).get(&bench.request.tool).unwrap().detect(&bench.settings).await
}

#[tokio::test]
async fn an_answer_streams_while_it_is_made_and_is_counted() {
    for api in APIS {
        let server = ModelServer::start([Step::held("Hello from", " the script.")]).await.unwrap();
        let mut bench = api.bench(&server, "-v --help");
        bench.request.input = TaskInput::Prompt { system: Some("be kind".to_owned()), session: None };
        let mut going = bench.start();
        going.until(|event| matches!(event, ToolEvent::Text(text) if text.contains("Hello"))).await;
        server.release();
        let done = going.finish().await;
        assert_eq!(done.result().text, "Hello from the script.", "{api:?}");
        assert_eq!(done.text(), done.result().text);
        assert_eq!(done.record.model.as_deref(), Some(api.model.0));
        assert_eq!((done.record.turns, done.record.tool_calls), (Some(1), Some(0)));

        let (usage, counted) = (&done.result().usage, server.counted());
        assert_eq!(usage.input_tokens, Some(counted.input), "{api:?}");
        assert_eq!(usage.output_tokens, Some(counted.output));
        assert_eq!(usage.cache_read_tokens, Some(counted.cache_read));
        assert_eq!(usage.cache_write_tokens.unwrap_or(0), counted.cache_write);
        assert_eq!((usage.cost_kind, usage.cost_microusd), (CostKind::Priced, Some(api.model.1)), "{api:?}");

        let question = &server.questions()[0];
        assert_eq!(api.key_in(question), Some(KEY));
        assert_eq!(api.texts(&question.body), (json!("-v --help"), json!("be kind")));
        assert!(question.body["model"] == api.model.0 || question.line.contains(api.model.0), "{}", question.line);
    }
}

#[tokio::test]
async fn reasoning_is_not_the_answer() {
    for api in APIS {
        let (_, done) = api.run([Step::think("let me see", "It is so.")]).await;
        assert_eq!(done.result().text, "It is so.", "{api:?}");
        let thoughts = done.events.iter().filter_map(|event| match event {
            ToolEvent::Thinking(text) => Some(text.as_str()),
            _ => None,
        });
        assert_eq!(thoughts.collect::<String>(), "let me see");
    }
}

#[tokio::test]
async fn a_model_that_is_not_there_is_refused_by_its_name() {
    for api in APIS {
        let server = ModelServer::start([refuse(404, api.unknown.0, api.unknown.1, &[])]).await.unwrap();
        let mut bench = api.bench(&server, "hi");
        bench.request.model = Some("nosuch".to_owned());
        let done = bench.run().await;
        assert_eq!(done.failure().0, FailureClass::Refused, "{api:?}");
        assert!(done.failure().1.starts_with("the model \"nosuch\""), "{:?}", done.failure());
    }
}

#[tokio::test]
async fn a_refused_key_is_one_and_is_not_shown() {
    for api in APIS {
        let quoted = format!("no such key: {KEY}");
        for status in [401, 403] {
            let (_, done) = api.run([refuse(status, "authentication_error", &quoted, &[])]).await;
            assert_eq!(done.failure().0, FailureClass::Auth, "{api:?}");
            assert!(!format!("{done:?}").contains(KEY), "{done:?}");
        }
    }
}

#[tokio::test]
async fn a_rate_limit_ends_when_the_provider_says() {
    for api in APIS {
        let before = SystemClock.now();
        let (_, done) = api.run([Step::rate_limited(37)]).await;
        assert_eq!(done.failure().0, FailureClass::RateLimited, "{api:?}");
        let after = resets_at(&done).unwrap().since(before);
        assert!((Duration::from_secs(37)..Duration::from_secs(67)).contains(&after), "{api:?}: {after:?}");
        let told = done.events.iter().any(|event| matches!(event, ToolEvent::RateLimit(limit) if limit.rejected));
        assert!(told, "{:?}", done.events);

        let (_, done) = api.run([refuse(429, "rate_limit_error", "slow down", &[])]).await;
        assert_eq!((done.failure().0, resets_at(&done)), (FailureClass::RateLimited, None), "{api:?}");
    }
}

#[tokio::test]
async fn a_spent_quota_is_no_rate_limit() {
    for api in APIS {
        let in_two_hours = SystemClock.now().as_micros() / 1_000_000 + 7200;
        let spent = match api.tool {
            "anthropic-api" => Step::quota_spent(in_two_hours),
            _ => refuse(429, "insufficient_quota", "You exceeded your current quota", &[("retry-after", "7200")]),
        };
        let (_, done) = api.run([spent]).await;
        assert_eq!(done.failure().0, FailureClass::Quota, "{api:?}");
        let resets_at = resets_at(&done).unwrap().as_micros() / 1_000_000;
        // Google's days have their own end.
        assert!(api.tool == "gemini-api" || (in_two_hours..in_two_hours + 30).contains(&resets_at), "{api:?}");
        assert!(resets_at <= in_two_hours + 86_400);
    }
}

#[tokio::test]
async fn an_outage_is_the_providers() {
    for api in APIS {
        for status in [500, 503, 529] {
            let (_, done) = api.run([Step::outage(status)]).await;
            assert_eq!(done.failure().0, FailureClass::Server, "{api:?} {status}");
            assert!(done.failure().1.contains(&status.to_string()), "{:?}", done.failure());
        }
    }
}

#[tokio::test]
async fn an_error_in_the_middle_keeps_what_came_before() {
    for api in APIS {
        let step = Step::FailMidway { before: vec!["half".to_owned()], message: "overloaded".to_owned() };
        let (_, done) = api.run([step]).await;
        assert_eq!(done.failure().0, FailureClass::Server, "{api:?}");
        assert!(done.failure().1.contains("overloaded"));
        assert_eq!(done.partial(), "half");
    }
}

#[tokio::test]
async fn a_cut_connection_and_an_end_without_its_event_are_failures() {
    for api in APIS {
        let (_, done) = api.run([Step::Cut(vec!["half".to_owned()])]).await;
        assert_eq!((done.failure().0, done.partial()), (FailureClass::Network, "half"), "{api:?}");
        let (_, done) = api.run([Step::raw("text/event-stream", ": nothing\n\n")]).await;
        assert_eq!(done.failure().0, FailureClass::Network, "{api:?}");
    }
}

#[tokio::test]
async fn a_silent_hang_is_noticed() {
    for api in APIS {
        let server = ModelServer::start([Step::held("", "too late")]).await.unwrap();
        let mut bench = api.bench(&server, "hi");
        bench.request.limits.silence_ms = Some(400);
        let started = Instant::now();
        let done = bench.run().await;
        assert_eq!(done.failure().0, FailureClass::Stalled, "{api:?}");
        assert!(started.elapsed() < Duration::from_secs(10), "{:?}", started.elapsed());
        tokio::time::timeout(DEADLINE, server.wait_held(0)).await.unwrap();
    }
}

#[tokio::test]
async fn a_long_prompt_comes_whole() {
    for api in APIS {
        let server = ModelServer::start([Step::say("read")]).await.unwrap();
        let prompt = format!("-{}", "é \"\\\n\u{1}x".repeat(128 * 1024));
        assert!(prompt.len() > 1024 * 1024);
        let done = api.bench(&server, &prompt).run().await;
        assert_eq!(done.result().text, "read");
        assert!(api.texts(&server.questions()[0].body).0 == json!(prompt), "{api:?}");
    }
}

#[tokio::test]
async fn what_is_no_json_is_a_fault_of_the_server() {
    for api in APIS {
        let page = "<html><body>Sign in to the hotel</body></html>";
        for (content_type, body) in [
            ("text/event-stream", format!("data: {page}\n\n")),
            ("text/html; charset=utf-8", page.to_owned()),
            ("application/json", "{\"hotel\": true}".to_owned()),
        ] {
            let (_, done) = api.run([Step::raw(content_type, &body)]).await;
            assert_eq!(done.failure().0, FailureClass::Server, "{api:?} {content_type}");
            assert!(done.failure().1.contains("hotel"), "{:?}", done.failure());
        }
        let (_, done) = api.run([Step::Raw { status: 502, headers: Vec::new(), body: page.repeat(1000) }]).await;
        assert_eq!(done.failure().0, FailureClass::Server);
        assert!(done.failure().1.contains("hotel") && done.failure().1.len() < 400, "{:?}", done.failure());
    }
}

#[tokio::test]
async fn silence_is_no_answer() {
    for api in APIS {
        let (_, done) = api.run([Step::Say(Vec::new())]).await;
        assert_eq!(done.failure().0, FailureClass::EmptyOutput, "{api:?}");
    }
}

#[tokio::test]
async fn a_cancel_closes_the_connection_and_keeps_what_came() {
    for api in APIS {
        let server = ModelServer::start([Step::held("first half", " second half")]).await.unwrap();
        let mut going = api.bench(&server, "hi").start();
        going.until(|event| matches!(event, ToolEvent::Text(text) if text.contains("half"))).await;
        tokio::time::timeout(DEADLINE, server.wait_held(1)).await.unwrap();
        going.cancel.cancel();
        let done = going.finish().await;
        assert!(matches!(done.outcome, Outcome::Cancelled { .. }), "{api:?}");
        assert_eq!(done.partial(), "first half");
        tokio::time::timeout(DEADLINE, server.wait_held(0)).await.unwrap();
    }
}

#[tokio::test]
async fn ten_at_once_are_counted_as_the_server_counts() {
    for api in APIS {
        let server = ModelServer::start([Step::held("one", " of ten")]).await.unwrap();
        let benches: Vec<_> = (0..10).map(|_| api.bench(&server, "hi")).collect();
        let going: Vec<_> = benches.iter().map(Bench::start).collect();
        tokio::time::timeout(DEADLINE, server.wait_held(10)).await.unwrap();
        (0..10).for_each(|_| server.release());
        let all = join_all(going.into_iter().map(crate::harness::Going::finish)).await;
        let sum = all.iter().fold(Counted::default(), |sum, done| {
            assert_eq!(done.result().text, "one of ten");
            let usage = &done.result().usage;
            Counted {
                input: sum.input + usage.input_tokens.unwrap(),
                output: sum.output + usage.output_tokens.unwrap(),
                cache_read: sum.cache_read + usage.cache_read_tokens.unwrap(),
                cache_write: sum.cache_write + usage.cache_write_tokens.unwrap_or(0),
            }
        });
        assert_eq!(sum, server.counted(), "{api:?}");
    }
}

#[tokio::test]
async fn a_key_of_the_environment_goes_to_no_other_server() {
    for api in APIS {
        let [home, other] = [(); 2].map(|()| ModelServer::start([Step::say("hi")]));
        let (home, other) = (home.await.unwrap(), other.await.unwrap());
        let mut bench = api.bench(&home, "hi");
        bench.settings.url = Some(format!("{}{}", other.url(), api.path));
        detect(&bench).await;
        assert_eq!(bench.run().await.result().text, "hi");
        assert!(home.requests().is_empty() && other.requests().len() == 2, "{:?}", other.requests());
        for request in other.requests() {
            assert!(!format!("{request:?}").contains(KEY), "{api:?}: {request:?}");
        }
        // The same key, named for this server, is sent to it.
        bench.settings.env.insert(api.key_variable.to_owned(), KEY.to_owned());
        bench.run().await;
        assert_eq!(api.key_in(other.questions().last().unwrap()), Some(KEY));
    }
}

#[tokio::test]
async fn a_server_that_sends_us_on_gets_no_further() {
    for api in APIS {
        let elsewhere = ModelServer::start([Step::say("thank you for the key")]).await.unwrap();
        for status in [301, 307, 308] {
            let headers = vec![("location".to_owned(), format!("{}/v1/messages", elsewhere.url()))];
            let (_, done) = api.run([Step::Raw { status, headers, body: String::new() }]).await;
            assert_eq!(done.failure().0, FailureClass::ToolMissing, "{api:?}");
            assert!(done.failure().1.contains(&elsewhere.url()), "{:?}", done.failure());
        }
        assert!(elsewhere.requests().is_empty(), "{:?}", elsewhere.requests());
    }
}

#[tokio::test]
async fn a_limit_on_tokens_bounds_the_reply() {
    for api in APIS {
        let server = ModelServer::start([Step::say("short")]).await.unwrap();
        let mut bench = api.bench(&server, &"word ".repeat(600));
        bench.request.limits.tokens = Some(1_000);
        assert_eq!(bench.run().await.result().text, "short");
        let body = &server.questions()[0].body;
        let bound =
            [&body["max_tokens"], &body["generationConfig"]["maxOutputTokens"]].into_iter().find_map(Value::as_u64);
        assert_eq!(bound, Some(1_000 - 3000 / 4), "{api:?}");

        bench.request.limits.tokens = Some(700);
        assert_eq!(bench.run().await.failure().0, FailureClass::Budget);
        assert_eq!(server.questions().len(), 1, "a prompt beyond the limit is not sent");

        bench.request.limits.tokens = None;
        bench.request.limits.cost_microusd = Some(1);
        assert_eq!(bench.run().await.failure().0, FailureClass::Budget);
        assert_eq!(server.questions().len(), 1);
    }
}

#[tokio::test]
async fn an_endless_answer_ends_at_the_budget() {
    for api in APIS {
        let server = ModelServer::start([Step::Endless("again-# ".to_owned())]).await.unwrap();
        let mut bench = api.bench(&server, "go on and on");
        bench.request.limits.tokens = Some(2_000);
        let done = bench.run().await;
        assert_eq!(done.failure(), (FailureClass::Budget, "the run used more than 2000 tokens"), "{api:?}");
        let used = done.record.usage.input_tokens.unwrap() + done.record.usage.output_tokens.unwrap();
        assert!((1_400..2_400).contains(&used), "{api:?} {used}");
        assert!(done.partial().starts_with("again-0 "), "{api:?}");
        let warned = |event: &&ToolEvent| matches!(event, ToolEvent::Notice(text) if text.contains("budget is used"));
        assert_eq!(done.events.iter().filter(warned).count(), 1, "{api:?}");
    }
}

#[tokio::test]
async fn only_models_that_the_task_allows_are_asked() {
    for api in APIS {
        let server = ModelServer::start([Step::say("hello")]).await.unwrap();
        let mut bench = api.bench(&server, "hi");
        bench.request.limits.models = vec![api.model.0.to_owned()];
        assert_eq!(bench.run().await.result().text, "hello", "{api:?}");
        bench.request.limits.models = vec!["another".to_owned()];
        let done = bench.run().await;
        assert_eq!(done.failure().0, FailureClass::Refused);
        assert!(done.failure().1.contains("(another)"), "{:?}", done.failure());
        assert_eq!(server.questions().len(), 1);
    }
}

#[tokio::test]
async fn what_is_there_is_found_without_asking_twice() {
    for api in APIS {
        let server = ModelServer::start([]).await.unwrap();
        let bench = api.bench(&server, "hi");
        let registry = Registry::standard(&bench.variables);
        let adapter = registry.get(&bench.request.tool).unwrap();
        for _ in 0..3 {
            let info = adapter.detect(&bench.settings).await;
            assert_eq!(info.health, ToolHealth::Ready, "{api:?}");
            let expected: &[&str] = match api.tool {
                "anthropic-api" => &["claude-scripted-20260101", "claude-scripted"],
                "openai-api" => &["scripted-chat", "gpt-scripted"],
                _ => &["gemini-scripted"],
            };
            assert_eq!(info.models, expected);
        }
        assert_eq!(server.requests().len(), 1, "{:?}", server.requests());
        assert_eq!(api.key_in(&server.requests()[0]), Some(KEY));
        let told = adapter.account(&bench.settings).unwrap();
        assert!(told.contains(api.key_variable) && told.contains(&server.url()) && !told.contains(KEY), "{told}");
        // Other settings are looked at anew.
        let other = ToolSettings { url: Some(format!("{}/other/v1", server.url())), ..ToolSettings::default() };
        adapter.detect(&other).await;
        assert_eq!(server.requests().len(), 2);
    }
}

#[tokio::test]
async fn what_is_missing_is_said_with_a_way_to_mend_it() {
    for api in APIS {
        let server = ModelServer::start([]).await.unwrap();
        let wrong = detect(&api.bench_with(&server, "hi", WRONG_KEY)).await;
        let ToolHealth::NeedsLogin { fix } = &wrong.health else { panic!("{wrong:?}") };
        assert!(fix.contains("garageswarm tool login ") && !fix.contains(WRONG_KEY), "{fix}");

        let nobody = api.bench(&server, "hi");
        drop(server);
        let started = Instant::now();
        let info = detect(&nobody).await;
        assert!(matches!(info.health, ToolHealth::Missing { .. }), "{api:?}: {info:?}");
        assert!(started.elapsed() < Duration::from_secs(3));
        assert_eq!(nobody.run().await.failure().0, FailureClass::Network);

        let keyless = detect(&Bench::prompt(api.tool, "hi")).await;
        let ToolHealth::NeedsLogin { fix } = &keyless.health else { panic!("{keyless:?}") };
        assert!(
            fix.contains(&format!("garageswarm tool login {}", api.tool)) && fix.contains(api.key_variable),
            "{fix}"
        );
    }
}

#[tokio::test]
async fn a_server_that_knows_no_usage_is_asked_without_it() {
    let api = APIS[1];
    let refusal = refuse(400, "invalid_request_error", "Unrecognized request argument supplied: stream_options", &[]);
    let (server, done) = api.run([refusal, Step::say("hello")]).await;
    assert_eq!(done.result().text, "hello");
    assert!(!server.questions()[1].body.to_string().contains("stream_options"));
    let usage = &done.result().usage;
    assert_eq!((usage.input_tokens, usage.output_tokens, usage.cost_microusd), (None, None, None));
    assert_eq!(usage.cost_kind, CostKind::Unknown);
}

#[tokio::test]
async fn a_bound_has_another_name_for_some_models() {
    let api = APIS[1];
    let words =
        "Unsupported parameter: 'max_tokens' is not supported with this model. Use 'max_completion_tokens' instead.";
    let server =
        ModelServer::start([refuse(400, "unsupported_parameter", words, &[]), Step::say("hello")]).await.unwrap();
    let mut bench = api.bench(&server, "hi");
    bench.request.limits.tokens = Some(500);
    assert_eq!(bench.run().await.result().text, "hello");
    assert_eq!(server.questions()[1].body["max_completion_tokens"], 500);
}

#[tokio::test]
async fn a_server_of_ones_own_wants_no_key_and_its_first_model_answers_for_nothing() {
    let server = ModelServer::start([Step::say("hello")]).await.unwrap();
    let mut bench = Bench::prompt("openai-api", "hi");
    bench.settings = ToolSettings { url: Some(server.url()), free: Some(true), ..ToolSettings::default() };
    let done = bench.run().await;
    assert_eq!(done.result().usage.cost_kind, CostKind::None);
    assert_eq!(done.record.model.as_deref(), Some("scripted-chat"));
    assert_eq!(server.questions()[0].line, "POST /v1/chat/completions");
    assert!(!server.questions()[0].headers.contains_key("authorization"));
}
