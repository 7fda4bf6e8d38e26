//! The proxy on the wire, before the scripted model.

use std::collections::BTreeSet;
use std::io::Write as _;

use futures_util::StreamExt;
use reqwest::StatusCode;
use serde_json::{Value, json};
use swarm_model::task::{Limits, Usage};
use tokio::io::{AsyncReadExt, AsyncWriteExt};

use self::model_server::{Counted, ModelServer, Step};
use super::*;
use crate::account::{ANTHROPIC, GEMINI, OLLAMA, OPENAI};
use crate::event::ToolEvent;
use crate::settings::ToolSettings;
use crate::variables::Variables;

#[expect(
    dead_code,
    unreachable_pub,
    reason = "the file belongs to the testkit, whose other parts would pull in the server"
)]
#[path = "../../../testkit/src/model_server.rs"]
mod model_server;

const KEY: &str = "sk-the-real-key-4711";

/// A language, as its clients speak it.
#[derive(Debug, Clone, Copy)]
struct Language {
    provider: &'static Provider,
    path: &'static str,
    whole_path: &'static str,
    key_header: &'static str,
}

const LANGUAGES: [Language; 5] = [
    Language {
        provider: &ANTHROPIC,
        path: "/v1/messages?beta=true",
        whole_path: "/v1/messages",
        key_header: "x-api-key",
    },
    Language {
        provider: &OPENAI,
        path: "/v1/chat/completions",
        whole_path: "/v1/chat/completions",
        key_header: "authorization",
    },
    Language { provider: &OPENAI, path: "/v1/responses", whole_path: "", key_header: "authorization" },
    Language {
        provider: &GEMINI,
        path: "/v1beta/models/the-model:streamGenerateContent?alt=sse",
        whole_path: "/v1beta/models/the-model:generateContent",
        key_header: "x-goog-api-key",
    },
    Language { provider: &OLLAMA, path: "/api/chat", whole_path: "/api/chat", key_header: "authorization" },
];

/// A proxy before a scripted model.
struct Stand {
    server: ModelServer,
    proxy: Proxy,
    meter: Meter,
    client: reqwest::Client,
}

impl Stand {
    async fn new(language: Language, limits: Limits, script: impl IntoIterator<Item = Step>) -> Self {
        let server = ModelServer::start(script).await.unwrap();
        let url = server.url();
        Self::before(language, &url, limits, server).await
    }

    async fn before(language: Language, url: &str, limits: Limits, server: ModelServer) -> Self {
        let provider = language.provider;
        let variables: Variables = provider.keys.first().map(|(name, _)| (*name, KEY)).into_iter().collect();
        let settings = ToolSettings { url: Some(url.to_owned()), ..ToolSettings::default() };
        let account = match provider.keys.first() {
            Some((name, _)) => {
                let env = [((*name).to_owned(), KEY.to_owned())].into();
                Account::resolve(provider, &ToolSettings { env, ..settings.clone() }, &variables).unwrap()
            }
            None => Account::resolve(provider, &settings, &variables).unwrap(),
        };
        let meter = Meter::of(&limits, &settings);
        let metered = Metered { provider, account, address_variable: None, token_variable: "TOKEN" };
        let proxy = Proxy::start(&metered, &meter).await.unwrap();
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        Self { server, proxy, meter, client }
    }

    fn url(&self, path: &str) -> String {
        format!("http://127.0.0.1:{}{path}", self.proxy.port())
    }

    fn post(&self, language: Language, path: &str, body: &Value) -> reqwest::RequestBuilder {
        let token = match language.key_header {
            "authorization" => format!("Bearer {}", self.proxy.token),
            _ => self.proxy.token.clone(),
        };
        self.client.post(self.url(path)).header(language.key_header, token).json(body)
    }

    async fn ask(&self, language: Language) -> reqwest::Response {
        self.post(language, language.path, &question(language)).send().await.unwrap()
    }

    fn tokens(&self) -> (u64, u64, u64) {
        let Usage { input_tokens, output_tokens, cache_read_tokens, .. } = self.meter.usage().unwrap_or_default();
        (input_tokens.unwrap_or(0), output_tokens.unwrap_or(0), cache_read_tokens.unwrap_or(0))
    }
}

fn question(language: Language) -> Value {
    let text = "tell me";
    match language.path.split('?').next().unwrap() {
        "/v1/responses" => json!({ "model": "the-model", "stream": true, "input": text }),
        path if path.contains("generateContent") || path.contains("GenerateContent") => {
            json!({ "contents": [{ "role": "user", "parts": [{ "text": text }] }] })
        }
        "/v1/messages" => json!({
            "model": "the-model", "stream": true, "max_tokens": 32_000, "messages": [{ "role": "user", "content": text }],
        }),
        _ => json!({ "model": "the-model", "stream": true, "messages": [{ "role": "user", "content": text }] }),
    }
}

fn tokens(most: u64) -> Limits {
    Limits { tokens: Some(most), ..Limits::default() }
}

/// Waits until a call is counted: the last byte is there before its sum is.
async fn settled(stand: &Stand) {
    while stand.meter.by_model().is_empty() {
        tokio::time::timeout(std::time::Duration::from_secs(10), stand.meter.changed()).await.unwrap();
    }
}

#[tokio::test]
async fn an_answer_is_counted_as_the_model_counts_and_the_key_stays_here() {
    for language in LANGUAGES {
        for step in
            [Step::say("Hello from the script."), Step::think("let me see", "It is so."), Step::call("f", json!({}))]
        {
            let stand = Stand::new(language, Limits::default(), [step]).await;
            let response = stand.ask(language).await;
            assert_eq!(response.status(), StatusCode::OK, "{language:?}");
            let body = response.text().await.unwrap();
            settled(&stand).await;
            let Counted { input, output, cache_read, .. } = stand.server.counted();
            assert_eq!(stand.tokens(), (input, output, cache_read), "{language:?} {body}");
            let used = stand.meter.by_model();
            assert_eq!((used.len(), used[0].calls), (1, 1));
            assert!(used[0].first_byte_ms.is_some() && used[0].model != "scripted", "{used:?}");
            let asked = format!("{:?}", stand.server.requests());
            assert!(!asked.contains(&stand.proxy.token), "the token went out: {asked}");
            assert_eq!(asked.contains(KEY), !language.provider.keys.is_empty());
            assert!(!body.contains(KEY) && !body.contains(&stand.proxy.token));
        }
    }
}

#[tokio::test]
async fn a_whole_answer_is_counted_too() {
    for language in LANGUAGES.into_iter().filter(|language| !language.whole_path.is_empty()) {
        let stand = Stand::new(language, Limits::default(), [Step::say("Hello.")]).await;
        let mut body = question(language);
        body["stream"] = json!(false);
        let response = stand.post(language, language.whole_path, &body).send().await.unwrap();
        response.json::<Value>().await.unwrap();
        settled(&stand).await;
        let Counted { input, output, .. } = stand.server.counted();
        assert_eq!((stand.tokens().0, stand.tokens().1), (input, output), "{language:?}");
    }
    // A stream of Google's that is no stream of events is one array.
    let gemini = LANGUAGES[3];
    let stand = Stand::new(gemini, Limits::default(), [Step::say("Hello you there.")]).await;
    let path = gemini.path.split('?').next().unwrap();
    stand.post(gemini, path, &question(gemini)).send().await.unwrap().text().await.unwrap();
    settled(&stand).await;
    assert_eq!(stand.tokens(), (100, 10, 20));
}

#[tokio::test]
async fn bytes_pass_as_they_are() {
    let body = "event: odd\r\ndata: {\"type\":\"message_start\",\"message\":{\"usage\":{\"input_tokens\":3}}}\r\n\r\n: \u{0}\ndata: no json\n\ndata: \u{e9}";
    let headers = [("content-type", "text/event-stream; charset=utf-8"), ("x-own", "kept"), ("request-id", "req_1")];
    let headers = headers.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let stand =
        Stand::new(LANGUAGES[0], Limits::default(), [Step::Raw { status: 200, headers, body: body.to_owned() }]).await;
    let mut asked = question(LANGUAGES[0]);
    asked["messages"][0]["content"] = json!("é\"\\ 😀".repeat(100_000));
    let response =
        stand.post(LANGUAGES[0], LANGUAGES[0].path, &asked).header("anthropic-beta", "b").send().await.unwrap();
    assert_eq!(response.headers()["x-own"], "kept");
    assert_eq!(response.headers()["request-id"], "req_1");
    assert_eq!(response.text().await.unwrap(), body);
    let came = &stand.server.questions()[0];
    assert_eq!(came.body, asked);
    assert_eq!((came.line.as_str(), came.headers["anthropic-beta"].as_str()), ("POST /v1/messages?beta=true", "b"));
}

#[tokio::test]
async fn who_has_no_token_asks_nobody() {
    for language in LANGUAGES {
        let stand = Stand::new(language, Limits::default(), [Step::say("no")]).await;
        let other = Stand::new(language, Limits::default(), [Step::say("no")]).await;
        // The token of another run, the key itself, and nothing.
        for brought in [other.proxy.token.as_str(), KEY, ""] {
            let request = stand.client.post(stand.url(language.path)).json(&question(language));
            let brought = format!("{}{brought}", if language.key_header == "authorization" { "Bearer " } else { "" });
            let response = request.header(language.key_header, brought).send().await.unwrap();
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{language:?}");
            assert!(response.json::<Value>().await.unwrap()["error"].to_string().contains("token"));
        }
        assert!(stand.server.requests().is_empty() && other.server.requests().is_empty());
        assert_eq!(stand.meter.usage(), None);
    }
    // Google's clients may bring it in the query, and it goes no further.
    let gemini = LANGUAGES[3];
    let stand = Stand::new(gemini, Limits::default(), [Step::say("yes")]).await;
    let url = stand.url(&format!("{}&key={}", gemini.path, stand.proxy.token));
    let response = stand.client.post(url).json(&question(gemini)).send().await.unwrap();
    assert_eq!(response.status(), StatusCode::OK);
    assert_eq!(stand.server.requests()[0].line, format!("POST {}", gemini.path));
}

#[tokio::test]
async fn only_what_can_be_counted_passes() {
    let stand = Stand::new(LANGUAGES[0], Limits::default(), []).await;
    let header = ("x-api-key", stand.proxy.token.as_str());
    let get = |path: &str| {
        stand.client.get(stand.url(path)).header(header.0, header.1).header("anthropic-version", "1").send()
    };
    assert_eq!(get("/v1/models").await.unwrap().status(), StatusCode::OK);
    let count = stand.post(LANGUAGES[0], "/v1/messages/count_tokens", &json!({})).send().await.unwrap();
    assert_eq!(count.json::<Value>().await.unwrap()["input_tokens"], 10);
    let n = stand.server.requests().len();
    for path in ["/v1/files", "/v1/models/../files", "/v1/models/%2E%2e/files"] {
        assert_eq!(get(path).await.unwrap().status(), StatusCode::NOT_FOUND, "{path}");
    }
    let batch = stand.post(LANGUAGES[0], "/v1/messages/batches", &json!({})).send().await.unwrap();
    assert_eq!(batch.status(), StatusCode::NOT_FOUND);
    assert_eq!(stand.server.requests().len(), n, "it was passed on");
    assert_eq!(stand.meter.usage(), None);
}

#[tokio::test]
async fn a_refusal_passes_whole_and_says_when_to_come_again() {
    for language in LANGUAGES {
        for (step, status) in [
            (Step::unauthorized(), 401),
            (Step::rate_limited(37), 429),
            (Step::outage(500), 500),
            (Step::outage(529), 529),
            (Step::unknown_model(), 404),
        ] {
            let stand = Stand::new(language, Limits::default(), [step]).await;
            let response = stand.ask(language).await;
            assert_eq!(response.status().as_u16(), status, "{language:?}");
            if status == 429 {
                assert_eq!(response.headers()["retry-after"], "37");
            }
            assert!(response.json::<Value>().await.unwrap()["error"].is_object() || language.path == "/api/chat");
            settled(&stand).await;
            assert_eq!(stand.tokens(), (0, 0, 0));
            assert_eq!(stand.meter.last_limit().is_some_and(|limit| limit.resets_at.is_some()), status == 429);
        }
    }
}

#[tokio::test]
async fn a_broken_answer_breaks_here_too_and_counts_with_what_was_seen() {
    for language in LANGUAGES {
        let stand = Stand::new(language, Limits::default(), [Step::Cut(vec!["half an ".to_owned()])]).await;
        assert!(stand.ask(language).await.text().await.is_err(), "{language:?}");
        settled(&stand).await;
        assert!(stand.tokens().1 >= 1, "{language:?} {:?}", stand.tokens());

        let midway = Step::FailMidway { before: vec!["half".to_owned()], message: "something broke".to_owned() };
        stand.server.script([midway]);
        let text = stand.ask(language).await.text().await.unwrap();
        assert!(text.contains("half") && text.contains("something broke"), "{language:?} {text}");
    }
}

#[tokio::test]
async fn a_client_that_goes_away_ends_the_answer_and_a_run_that_ends_counts_it() {
    for language in LANGUAGES {
        let stand = Stand::new(language, Limits::default(), [Step::held("before ", "after")]).await;
        let mut body = stand.ask(language).await.bytes_stream();
        body.next().await.unwrap().unwrap();
        stand.server.wait_held(1).await;
        drop(body);
        stand.server.wait_held(0).await;

        let mut body = stand.ask(language).await.bytes_stream();
        body.next().await.unwrap().unwrap();
        stand.server.wait_held(1).await;
        let Stand { server, proxy, meter, .. } = stand;
        proxy.close().await;
        assert_eq!(meter.by_model().iter().map(|used| used.calls).sum::<u32>(), 2, "{language:?}");
        server.wait_held(0).await;
    }
}

#[tokio::test]
async fn a_model_that_is_not_allowed_is_never_asked() {
    let limits = Limits { models: vec!["another".to_owned()], ..Limits::default() };
    for language in LANGUAGES {
        let stand = Stand::new(language, limits.clone(), [Step::say("no")]).await;
        let response = stand.ask(language).await;
        assert_eq!(response.status(), StatusCode::BAD_REQUEST, "{language:?}");
        let words = response.text().await.unwrap();
        assert!(words.contains("the-model") && words.contains("another"), "{words}");
        assert!(stand.server.requests().is_empty());
        assert!(stand.meter.denied_model().is_some());
    }
    // Nor as one that a router may take instead.
    let chat = LANGUAGES[1];
    let stand = Stand::new(chat, limits, [Step::say("no")]).await;
    let mut body = question(chat);
    (body["model"], body["models"]) = (json!("another"), json!(["another", "the-model"]));
    assert_eq!(stand.post(chat, chat.path, &body).send().await.unwrap().status(), StatusCode::BAD_REQUEST);
    assert!(stand.server.requests().is_empty());
}

#[tokio::test]
async fn a_question_that_cannot_be_read_is_not_passed_on() {
    let stand = Stand::new(LANGUAGES[0], Limits::default(), [Step::say("no")]).await;
    let send = |body: &'static str| {
        let request = stand.client.post(stand.url("/v1/messages")).header("x-api-key", &stand.proxy.token);
        request.body(body).send()
    };
    for body in ["", "no json", "[]", r#"{"model":"a","model":"b"}"#] {
        assert_eq!(send(body).await.unwrap().status(), StatusCode::BAD_REQUEST, "{body}");
    }
    assert!(stand.server.requests().is_empty());
}

/// The bound on the reply in a question.
fn bound(body: &Value) -> Option<u64> {
    let places = [
        &body["max_tokens"],
        &body["max_output_tokens"],
        &body["generationConfig"]["maxOutputTokens"],
        &body["options"]["num_predict"],
    ];
    places.into_iter().find_map(Value::as_u64)
}

#[tokio::test]
async fn a_reply_may_have_what_is_left_and_then_nobody_is_asked() {
    for language in LANGUAGES {
        let stand = Stand::new(language, tokens(1_000), [Step::say("short")]).await;
        stand.server.count_each(Counted { input: 300, output: 60, ..Counted::default() });
        for left in [1_000, 640] {
            assert_eq!(stand.ask(language).await.status(), StatusCode::OK, "{language:?}");
            let body = stand.server.questions().last().unwrap().body.clone();
            let bound = bound(&body).unwrap();
            assert!((left - 350..=left).contains(&bound), "{language:?} {bound} of {left}");
            while stand
                .meter
                .usage()
                .is_none_or(|usage| usage.output_tokens.is_none_or(|n| n < (1_000 - left) / 6 + 60))
            {
                stand.meter.changed().await;
            }
        }
        // 720 are used, and a third prompt would have 300 again.
        let refused = stand.ask(language).await;
        assert_eq!(refused.status(), StatusCode::BAD_REQUEST);
        assert!(refused.text().await.unwrap().contains("1000 tokens"));
        assert_eq!(stand.server.questions().len(), 2);
        assert!(stand.meter.stop().is_some());
        let news = stand.meter.news();
        let warnings =
            news.iter().filter(|event| matches!(event, ToolEvent::Notice(text) if text.contains("720 of 1000")));
        assert_eq!(warnings.count(), 1, "{news:?}");
    }
}

#[tokio::test]
async fn an_endless_answer_is_ended_as_the_provider_would() {
    for language in LANGUAGES {
        let stand = Stand::new(language, tokens(2_000), [Step::Endless("again ".to_owned())]).await;
        let text = stand.ask(language).await.text().await.unwrap();
        let last = text.trim().rsplit("data: ").next().unwrap().lines().last().unwrap();
        let last: Value = serde_json::from_str(last).unwrap();
        assert!(last.to_string().contains("more than 2000 tokens"), "{language:?} {last}");
        settled(&stand).await;
        let Counted { input, output, .. } = stand.server.counted();
        let passed = text.matches("again ").count() as u64;
        assert!(input + passed < 2_400, "{language:?}: {input} and {passed}");
        assert!(output < 20_000, "the model went on: {output}");
        assert!(matches!(stand.meter.stop(), Some(crate::run::Stop::Tokens(2_000))));
        assert_eq!(stand.ask(language).await.status(), StatusCode::BAD_REQUEST);
    }
}

#[tokio::test]
async fn usage_is_asked_for_and_given_up_where_a_server_knows_none() {
    let chat = LANGUAGES[1];
    let refusal = Step::Refuse {
        status: 400,
        kind: "invalid_request_error".to_owned(),
        message: "Unrecognized request argument supplied: stream_options".to_owned(),
        headers: Vec::new(),
    };
    let stand = Stand::new(chat, Limits::default(), [refusal, Step::say("hello")]).await;
    assert_eq!(stand.ask(chat).await.status(), StatusCode::OK);
    let questions = stand.server.questions();
    assert_eq!(questions[0].body["stream_options"]["include_usage"], true);
    assert_eq!(questions[1].body, question(chat));
    settled(&stand).await;
    assert_eq!(stand.meter.usage().unwrap().input_tokens, None);
    assert_eq!(stand.meter.by_model()[0].calls, 1);
}

#[tokio::test]
async fn nobody_there_is_a_broken_connection_and_a_remark() {
    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let server = ModelServer::start([]).await.unwrap();
    let stand = Stand::before(LANGUAGES[0], &format!("http://{nobody}"), Limits::default(), server).await;
    let sent = stand.post(LANGUAGES[0], LANGUAGES[0].path, &question(LANGUAGES[0])).send().await;
    assert!(sent.is_err());
    let news = stand.meter.news();
    assert!(
        news.iter().any(|event| matches!(event, ToolEvent::Notice(text) if text.contains("nobody answers"))),
        "{news:?}"
    );
}

#[tokio::test]
async fn a_connection_is_kept() {
    let language = LANGUAGES[0];
    let stand = Stand::new(language, Limits::default(), [Step::say("one"), Step::say("two")]).await;
    let mut stream = TcpStream::connect(("127.0.0.1", stand.proxy.port())).await.unwrap();
    for word in ["one", "two"] {
        let body = json!({ "model": "m", "messages": [], "max_tokens": 9 }).to_string();
        let request = format!(
            "POST /v1/messages HTTP/1.1\r\nhost: x\r\nx-api-key: {}\r\ncontent-length: {}\r\n\r\n{body}",
            stand.proxy.token,
            body.len()
        );
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut seen = Vec::new();
        while !String::from_utf8_lossy(&seen).contains("\"type\":\"message\"") {
            let mut chunk = [0; 4096];
            let n = stream.read(&mut chunk).await.unwrap();
            assert!(n > 0, "the connection was closed");
            seen.extend_from_slice(&chunk[..n]);
        }
        assert!(String::from_utf8_lossy(&seen).contains(word));
    }
}

#[tokio::test]
async fn a_packed_answer_passes_packed_and_is_counted() {
    let plain = "data: {\"type\":\"message_start\",\"message\":{\"model\":\"m\",\"usage\":{\"input_tokens\":7}}}\n\n\
                 data: {\"type\":\"message_delta\",\"usage\":{\"output_tokens\":5}}\n\n";
    let mut packer = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
    packer.write_all(plain.as_bytes()).unwrap();
    let packed = packer.finish().unwrap();
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let sent = packed.clone();
    let answering = tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.unwrap();
        let mut request = vec![0; 64 * 1024];
        let n = stream.read(&mut request).await.unwrap();
        let head = format!(
            "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ncontent-encoding: gzip\r\ncontent-length: {}\r\n\r\n",
            sent.len()
        );
        stream.write_all(head.as_bytes()).await.unwrap();
        stream.write_all(&sent).await.unwrap();
        String::from_utf8_lossy(&request[..n]).into_owned()
    });
    let server = ModelServer::start([]).await.unwrap();
    let stand = Stand::before(LANGUAGES[0], &url, Limits::default(), server).await;
    let response = stand.ask(LANGUAGES[0]).await;
    assert_eq!(response.headers()["content-encoding"], "gzip");
    assert_eq!(response.bytes().await.unwrap(), packed);
    settled(&stand).await;
    assert_eq!(stand.tokens(), (7, 5, 0));
    assert!(answering.await.unwrap().contains("accept-encoding: identity"));
}

#[tokio::test]
async fn a_program_gets_the_token_and_no_key() {
    let stand = Stand::new(LANGUAGES[3], Limits::default(), []).await;
    let account = Account::resolve(&GEMINI, &ToolSettings::default(), &Variables::default()).unwrap();
    let metered = Metered {
        provider: &GEMINI,
        account,
        address_variable: Some("GOOGLE_GEMINI_BASE_URL"),
        token_variable: "GEMINI_API_KEY",
    };
    let set = [("GEMINI_API_KEY", KEY), ("GOOGLE_API_KEY", KEY), ("NO_PROXY", "intern.example"), ("OTHER", "stays")];
    let mut env: BTreeMap<String, String> = set.map(|(name, value)| (name.to_owned(), value.to_owned())).into();
    let mut argv = vec!["tool".to_owned(), format!("--url=\"{ADDRESS}\"")];
    stand.proxy.equip(&metered, &mut argv, &mut env);
    let address = format!("http://127.0.0.1:{}", stand.proxy.port());
    assert_eq!(env["GOOGLE_GEMINI_BASE_URL"], address);
    assert_eq!(env["GEMINI_API_KEY"], stand.proxy.token);
    assert_eq!((env["NO_PROXY"].as_str(), env["no_proxy"].as_str()), ("intern.example,127.0.0.1", "127.0.0.1"));
    assert!(env["OTHER"] == "stays" && !env.values().any(|value| value == KEY), "{env:?}");
    assert_eq!(argv[1], format!("--url=\"{address}\""));
    assert!(!format!("{:?}{metered:?}", stand.proxy).contains(KEY));
}

#[tokio::test]
async fn many_ask_at_once() {
    let language = LANGUAGES[0];
    let stand = Stand::new(language, Limits::default(), [Step::say("Hello.")]).await;
    let asked = (0..200).map(|_| async { stand.ask(language).await.text().await.unwrap().len() });
    let lengths: BTreeSet<usize> = futures_util::future::join_all(asked).await.into_iter().collect();
    assert_eq!(lengths.len(), 1);
    let Stand { proxy, meter, .. } = stand;
    proxy.close().await;
    assert_eq!(meter.by_model()[0].calls, 200);
    assert_eq!(meter.usage().unwrap().input_tokens, Some(200 * 100));
}
