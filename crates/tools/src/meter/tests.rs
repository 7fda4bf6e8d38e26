use serde_json::json;
use swarm_model::task::CostKind;

use super::*;

fn meter(limits: Limits) -> Meter {
    Meter::of(&limits, &ToolSettings::default())
}

fn tokens(most: u64) -> Limits {
    Limits { tokens: Some(most), ..Limits::default() }
}

fn money(most: u64) -> Limits {
    Limits { cost_microusd: Some(most), ..Limits::default() }
}

fn question(model: &str, prompt_bytes: u64) -> Question<'_> {
    Question { model, prompt_bytes, is_streamed: true, wished: None }
}

fn counted(input: u64, output: u64) -> Seen {
    let tokens = Tokens { input: Some(input), output: Some(output), ..Tokens::default() };
    Seen { tokens: Some(tokens), ..Seen::default() }
}

fn written(pieces: u64, bytes: u64) -> Seen {
    Seen { bytes, pieces, ..Seen::default() }
}

/// A whole call, as a provider counts it.
fn call(meter: &Meter, prompt_bytes: u64, input: u64, output: u64) -> Result<(), Denied> {
    let call = meter.ask(question("m", prompt_bytes))?;
    call.answered(200);
    let noted = call.note(counted(input, output));
    call.finish();
    noted
}

fn warnings(meter: &Meter) -> usize {
    let news = meter.news();
    news.iter().filter(|event| matches!(event, ToolEvent::Notice(text) if text.contains("budget"))).count()
}

#[test]
fn a_run_without_limits_is_not_bounded() {
    let bound = |limits: Limits, model: &str| meter(limits).ask(question(model, 400)).map(|call| call.bound());
    assert_eq!(bound(Limits::default(), "m"), Ok(None));
    assert_eq!(bound(tokens(1_000_000), "m"), Ok(None));
    assert_eq!(bound(tokens(1_100), "m"), Ok(Some(1_000)));
    assert_eq!(bound(tokens(20_000), "m"), Ok(Some(8_192)));
    assert_eq!(bound(tokens(20_000), "gpt-5"), Ok(Some(19_900)));
    assert_eq!(bound(tokens(100), "m").unwrap_err().failure().class, FailureClass::Budget);
    assert_eq!(bound(money(10_200), "claude-sonnet-5"), Ok(Some(1_000)));
    assert_eq!(bound(money(10_200), "m"), Ok(None));
}

#[test]
fn calls_are_summed_by_model_and_what_is_unknown_stays_so() {
    let prices = json!({ "m": { "input": 1.0, "output": 10.0 } });
    let settings = ToolSettings { prices: serde_json::from_value(prices).unwrap(), ..ToolSettings::default() };
    let meter = Meter::of(&Limits::default(), &settings);
    assert_eq!(meter.usage(), None);
    call(&meter, 0, 100, 10).unwrap();
    call(&meter, 0, 50, 5).unwrap();
    let usage = meter.usage().unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens), (Some(150), Some(15)));
    assert_eq!((usage.cost_kind, usage.cost_microusd), (CostKind::Priced, Some(300)));
    let refused = meter.ask(question("other", 0)).unwrap();
    refused.answered(429);
    refused.finish();
    assert_eq!(meter.usage().unwrap(), usage, "a refusal costs nothing");
    let silent = meter.ask(question("other", 0)).unwrap();
    silent.answered(200);
    silent.finish();
    let usage = meter.usage().unwrap();
    assert_eq!((usage.input_tokens, usage.cost_kind, usage.cost_microusd), (Some(150), CostKind::Unknown, None));
    let models: Vec<_> = meter.by_model().into_iter().map(|used| (used.model, used.calls)).collect();
    assert_eq!(models, [("m".to_owned(), 2), ("other".to_owned(), 2)]);
}

#[test]
fn a_call_that_is_broken_off_counts_with_what_was_seen() {
    let meter = meter(Limits::default());
    let cut = meter.ask(question("m", 400)).unwrap();
    cut.answered(200);
    cut.note(written(3, 30)).unwrap();
    drop(cut);
    let usage = meter.usage().unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens), (Some(100), Some(10)));
    let counted_before = meter.ask(question("m", 400)).unwrap();
    counted_before.answered(200);
    counted_before
        .note(Seen { tokens: Some(Tokens { input: Some(7), ..Tokens::default() }), ..Seen::default() })
        .unwrap();
    counted_before.note(written(2, 3)).unwrap();
    drop(counted_before);
    let usage = meter.usage().unwrap();
    assert_eq!((usage.input_tokens, usage.output_tokens), (Some(107), Some(12)));
}

#[test]
fn a_stream_without_counts_is_broken_off_a_tenth_above_the_limit() {
    let meter = meter(tokens(1_000));
    let call = meter.ask(question("m", 0)).unwrap();
    call.answered(200);
    let n_written = (1..5_000).find(|_| call.note(written(1, 3)).is_err()).unwrap();
    assert!((1_000..=1_101).contains(&n_written), "{n_written}");
    assert_eq!(meter.stop(), Some(Stop::Tokens(1_000)));
    assert!(matches!(meter.ask(question("m", 0)), Err(Denied::Spent(_))));
}

#[test]
fn a_runaway_stops_before_the_call_that_would_be_too_much() {
    for (input, output) in [(3_000, 500), (900, 10), (10, 2_000), (9_000, 100)] {
        let meter = meter(tokens(20_000));
        let mut used = 0;
        // Its prompts have fewer bytes in a token than is thought.
        while call(&meter, input * 3, input, output).is_ok() {
            used += input + output;
        }
        assert!(used < 24_000, "{used} with {input} and {output}");
        assert!(used > 10_000, "{used} with {input} and {output}");
        assert_eq!(warnings(&meter), 1);
        assert_eq!(meter.stop().unwrap().failure().unwrap().class, FailureClass::Budget);
    }
}

#[test]
fn what_a_cache_holds_does_not_count() {
    let meter = meter(tokens(10_000));
    for _ in 0..50 {
        let call = meter.ask(question("m", 20_000)).unwrap();
        call.answered(200);
        let tokens = Tokens { cache_read: Some(5_000), ..counted(10, 10).tokens.unwrap() };
        call.note(Seen { tokens: Some(tokens), ..Seen::default() }).unwrap();
        call.finish();
    }
    let usage = meter.usage().unwrap();
    assert_eq!((usage.input_tokens, usage.cache_read_tokens), (Some(500), Some(250_000)));
}

#[test]
fn answers_that_cannot_be_broken_off_are_reserved() {
    let meter = meter(tokens(10_000));
    let whole = |wished| Question { is_streamed: false, wished, ..question("m", 0) };
    let first = meter.ask(whole(Some(4_000))).unwrap();
    assert_eq!(meter.ask(question("m", 0)).unwrap().left(), Some(6_000));
    drop(first);
    assert_eq!(meter.ask(question("m", 0)).unwrap().left(), Some(10_000));
}

#[test]
fn only_allowed_models_are_asked() {
    let models = vec!["claude-sonnet-5".to_owned(), "llama3.2".to_owned(), "gemini-2.5-flash".to_owned()];
    let meter = meter(Limits { models, ..Limits::default() });
    for model in ["claude-sonnet-5", "claude-sonnet-5-20260101", "llama3.2:latest", "models/gemini-2.5-flash"] {
        assert!(meter.ask(question(model, 0)).is_ok(), "{model}");
    }
    assert_eq!(meter.denied_model(), None);
    for model in ["claude-sonnet-5-5", "claude-opus-5", "", "llama3"] {
        assert!(matches!(meter.ask(question(model, 0)), Err(Denied::Model(_))), "{model}");
    }
    assert!(meter.denied_model().unwrap().contains("claude-sonnet-5, llama3.2"));
    assert_eq!(meter.stop(), None);
}

#[test]
fn what_a_tool_reports_counts_until_a_call_is_seen() {
    let meter = meter(tokens(1_000));
    let reported = |input| Usage { input_tokens: Some(input), output_tokens: Some(0), ..Usage::default() };
    meter.report(&reported(699));
    assert_eq!((warnings(&meter), meter.stop()), (0, None));
    meter.report(&reported(700));
    meter.report(&reported(800));
    assert_eq!((warnings(&meter), meter.stop()), (1, None));
    meter.report(&reported(1_001));
    assert_eq!(meter.stop(), Some(Stop::Tokens(1_000)));
    assert_eq!(meter.usage(), None);
}

#[test]
fn a_tools_own_sum_of_money_counts_where_the_price_is_unknown() {
    let meter = meter(Limits::default());
    call(&meter, 0, 5, 5).unwrap();
    meter.report(&Usage { cost_microusd: Some(77), cost_kind: CostKind::Reported, ..Usage::default() });
    let usage = meter.usage().unwrap();
    assert_eq!((usage.input_tokens, usage.cost_kind, usage.cost_microusd), (Some(5), CostKind::Reported, Some(77)));
}

#[test]
fn a_limit_on_money_that_cannot_be_kept_is_said_once() {
    let meter = meter(money(10));
    for _ in 0..3 {
        call(&meter, 0, 1_000, 1_000).unwrap();
    }
    let news = meter.news();
    assert_eq!(news.iter().filter(|event| matches!(event, ToolEvent::Notice(_))).count(), 1, "{news:?}");
}
