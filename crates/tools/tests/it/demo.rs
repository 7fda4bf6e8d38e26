use std::time::{Duration, Instant};

use swarm_model::task::{CostKind, Outcome};
use swarm_tools::ToolEvent;

use crate::harness::Bench;

fn demo(model: &str) -> Bench {
    let mut bench = Bench::prompt("demo", "Explain leases?");
    bench.request.model = Some(model.to_owned());
    bench
}

#[tokio::test]
async fn it_streams_its_answer_word_by_word() {
    let done = demo("demo-fast").run().await;
    assert_eq!(done.text(), done.result().text);
    assert!(done.text().starts_with("This is a demonstration"), "{}", done.text());
    assert_eq!(done.result().usage.cost_kind, CostKind::None);
    assert_eq!(done.record.model.as_deref(), Some("demo-fast"));
}

#[tokio::test]
async fn its_words_take_time_and_a_cancel_keeps_those_that_came() {
    let bench = demo("demo");
    let mut going = bench.start();
    let started = Instant::now();
    let mut n_words = 0;
    going
        .until(|event| {
            n_words += u32::from(matches!(event, ToolEvent::Text(_)));
            n_words == 5
        })
        .await;
    assert!(started.elapsed() >= Duration::from_millis(150), "{:?}", started.elapsed());
    going.cancel.cancel();
    let done = going.finish().await;
    assert!(matches!(done.outcome, Outcome::Cancelled { .. }), "{:?}", done.outcome);
    assert!(done.partial().starts_with("This is a demonstration"));
    assert_eq!(done.partial(), done.text());
}

#[tokio::test]
async fn a_slow_reader_gets_every_word() {
    let bench = demo("demo-fast");
    let mut going = bench.start_with_room(1);
    let first = going.events.recv().await.unwrap();
    going.seen.push(first);
    tokio::task::yield_now().await;
    let done = going.finish().await;
    assert_eq!(done.text(), done.result().text);
}
