use std::sync::Arc;

use axum::Router;
use axum::http::StatusCode;
use axum::response::IntoResponse;
use swarm_model::FailureClass;
use swarm_model::task::{CostKind, Outcome};
use swarm_model::tool::ToolHealth;
use swarm_tools::{Registry, ToolEvent, ToolSettings, Variables};

use crate::harness::{Bench, Done};
use crate::model_server::{ModelServer, Step};

/// Answers as a real server was recorded, in chunks that end anywhere.
async fn replay(status: u16, chat: &'static str) -> String {
    let chat: Arc<str> = chat.into();
    let app = Router::new().fallback(move |request: axum::extract::Request| {
        let chat = chat.clone();
        async move {
            match request.uri().path() {
                "/api/tags" => include_str!("../fixtures/ollama/tags.body.json").into_response(),
                "/api/version" => include_str!("../fixtures/ollama/version.body.json").into_response(),
                _ => {
                    let chunks: Vec<_> =
                        chat.as_bytes().chunks(37).map(|chunk| Ok::<_, std::io::Error>(chunk.to_vec())).collect();
                    let body = axum::body::Body::from_stream(futures_util::stream::iter(chunks));
                    (StatusCode::from_u16(status).unwrap(), body).into_response()
                }
            }
        }
    });
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, app).await });
    url
}

fn bench(url: String) -> Bench {
    let mut bench = Bench::prompt("ollama", "hi there");
    bench.settings = ToolSettings { url: Some(url), ..ToolSettings::default() };
    bench
}

async fn ask(status: u16, chat: &'static str) -> Done {
    bench(replay(status, chat).await).run().await
}

#[tokio::test]
async fn a_recorded_answer_streams() {
    let done = ask(200, include_str!("../fixtures/ollama/chat_stream.body.ndjson")).await;
    assert_eq!(done.result().text, "Hello from a tiny scripted model.");
    assert_eq!(done.text(), done.result().text);
    let usage = &done.result().usage;
    assert!(usage.input_tokens.is_some() && usage.output_tokens.is_some(), "{usage:?}");
    assert_eq!(usage.cost_kind, CostKind::None);
}

#[tokio::test]
async fn thinking_is_not_the_answer() {
    let done = ask(200, include_str!("../fixtures/ollama/chat_think_true_stream.body.ndjson")).await;
    assert!(done.events.iter().any(|event| matches!(event, ToolEvent::Thinking(text) if text.starts_with("let"))));
    assert!(done.result().text.starts_with("It is"), "{}", done.result().text);
}

#[tokio::test]
async fn a_cut_answer_is_one_and_says_so() {
    let done = ask(200, include_str!("../fixtures/ollama/chat_num_predict_3_stream.body.ndjson")).await;
    assert_eq!(done.result().text, "Hello from a");
    assert!(done.events.iter().any(|event| matches!(event, ToolEvent::Notice(text) if text.contains("cut"))));
}

#[tokio::test]
async fn an_error_under_status_200_is_a_failure() {
    let tail = include_str!("../fixtures/ollama/runner_killed_midstream.tail.ndjson");
    // The recording begins in the middle of a line.
    let whole_lines = tail.split_once('\n').unwrap().1;
    let done = ask(200, whole_lines).await;
    assert_eq!(
        done.failure(),
        (FailureClass::Server, "an error was encountered while running the model: unexpected EOF")
    );
    assert_eq!(done.partial(), " n9 n0");
}

#[tokio::test]
async fn recorded_refusals_have_their_class() {
    let unknown = ask(404, include_str!("../fixtures/ollama/err_unknown_model_chat.body.json")).await;
    assert_eq!(unknown.failure(), (FailureClass::ToolMissing, "Ollama answered 404: model 'nosuch' not found"));
    let full = ask(503, include_str!("../fixtures/ollama/queue_full.body.json")).await;
    assert_eq!(full.failure().0, FailureClass::Server);
    let broken = ask(500, include_str!("../fixtures/ollama/load_missingtensor_chat.body.json")).await;
    assert_eq!(broken.failure().0, FailureClass::Server);
}

#[tokio::test]
async fn an_end_without_done_is_a_failure() {
    let half = "{\"model\":\"m\",\"message\":{\"role\":\"assistant\",\"content\":\"half\"},\"done\":false}\n";
    let done = ask(200, half).await;
    assert_eq!(done.failure().0, FailureClass::Network);
    assert_eq!(done.partial(), "half");
}

#[tokio::test]
async fn a_broken_connection_is_a_failure() {
    let server = ModelServer::start([Step::Cut(vec!["half".to_owned()])]).await.unwrap();
    let done = bench(server.url()).run().await;
    assert_eq!(done.failure().0, FailureClass::Network);
    assert_eq!(done.partial(), "half");
}

#[tokio::test]
async fn an_error_in_the_middle_keeps_what_came_before() {
    let step = Step::FailMidway { before: vec!["half".to_owned()], message: "runner died".to_owned() };
    let server = ModelServer::start([step]).await.unwrap();
    let done = bench(server.url()).run().await;
    assert_eq!((done.failure(), done.partial()), ((FailureClass::Server, "runner died"), "half"));
}

#[tokio::test]
async fn without_a_wish_the_first_model_answers_and_the_system_text_stands_first() {
    let server = ModelServer::start([Step::say("good day")]).await.unwrap();
    let mut bench = bench(server.url());
    bench.request.input = swarm_model::task::TaskInput::Prompt { system: Some("be kind".to_owned()), session: None };
    assert_eq!(bench.run().await.result().text, "good day");
    let body = &server.questions()[0].body;
    assert_eq!(body["model"], "scripted:latest");
    assert_eq!(body["messages"][0]["content"], "be kind");
    assert_eq!(body["messages"][1]["content"], "hi there");
}

#[tokio::test]
async fn a_cancel_closes_the_connection_and_keeps_what_came() {
    let server = ModelServer::start([Step::held("first half", " second half")]).await.unwrap();
    let bench = bench(server.url());
    let mut going = bench.start();
    going.until(|event| matches!(event, ToolEvent::Text(text) if text.contains("half"))).await;
    tokio::time::timeout(crate::harness::DEADLINE, server.wait_held(1)).await.unwrap();
    going.cancel.cancel();
    let done = going.finish().await;
    assert!(matches!(done.outcome, Outcome::Cancelled { .. }));
    assert_eq!(done.partial(), "first half");
    // The server sees that nobody listens any more.
    tokio::time::timeout(crate::harness::DEADLINE, server.wait_held(0)).await.unwrap();
}

#[tokio::test]
async fn a_held_answer_goes_on_when_it_is_released() {
    let server = ModelServer::start([Step::held("first half", " second half")]).await.unwrap();
    let bench = bench(server.url());
    let mut going = bench.start();
    going.until(|event| matches!(event, ToolEvent::Text(_))).await;
    server.release();
    assert_eq!(going.finish().await.result().text, "first half second half");
}

#[tokio::test]
async fn nobody_there_is_a_failure_of_the_network() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let done = bench(url.clone()).run().await;
    assert_eq!(done.failure().0, FailureClass::Network);
    let info = detect(url).await;
    assert!(matches!(info.health, ToolHealth::Missing { .. }), "{info:?}");
}

#[tokio::test]
async fn the_server_tells_its_version_and_models() {
    let info = detect(replay(200, "").await).await;
    assert_eq!(info.health, ToolHealth::Ready);
    assert_eq!(info.version.as_deref(), Some("0.17.4"));
    assert!(info.models.contains(&"tiny-random:latest".to_owned()), "{:?}", info.models);
}

async fn detect(url: String) -> swarm_model::tool::ToolInfo {
    let settings = ToolSettings { url: Some(url), ..ToolSettings::default() };
    Registry::standard(&Variables::default()).get(&"ollama".parse().unwrap()).unwrap().detect(&settings).await
}

#[tokio::test]
async fn a_limit_on_tokens_bounds_the_reply_and_ends_one_without_an_end() {
    let server = ModelServer::start([Step::say("short")]).await.unwrap();
    let mut bench = bench(server.url());
    bench.request.limits.tokens = Some(1_000);
    assert_eq!(bench.run().await.result().text, "short");
    assert_eq!(server.questions()[0].body["options"]["num_predict"], 998);
    server.script([Step::Endless("again-# ".to_owned())]);
    let done = bench.run().await;
    assert_eq!(done.failure().0, FailureClass::Budget, "{:?}", done.outcome);
    let usage = &done.record.usage;
    assert!(usage.output_tokens.is_some_and(|output| (900..1_200).contains(&output)), "{usage:?}");
    assert_eq!(usage.cost_kind, CostKind::None);
}
