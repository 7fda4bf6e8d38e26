use swarm_model::Timestamp;
use swarm_proto::Page;
use swarm_proto::tasks::Placement;

use super::*;

fn task(changes: serde_json::Value) -> Task {
    let mut task = serde_json::json!({
        "task_id": "01890000-0000-7000-8000-000000000001", "number": 12,
        "user_id": "01890000-0000-7000-8000-0000000000aa", "worker_id": null, "workflow_id": null,
        "description": "say hello to everybody in the garage, and to those who stand outside of it too",
        "input": {"kind": "prompt"}, "tool": null, "model": null, "queue": {"kind": "user"}, "requirements": {},
        "limits": {}, "retry": {}, "on_loss": "requeue", "status": "queued", "progress": null, "priority": 5,
        "result": null, "error": null, "failure_class": null, "attempt": 0, "failures": 0,
        "ready_at": "2026-11-20T12:00:00Z", "log_seq": 0, "version": 1,
        "created_at": "2026-11-20T12:00:00Z", "started_at": null, "completed_at": null,
    });
    for (name, value) in changes.as_object().unwrap() {
        task[name] = value.clone();
    }
    serde_json::from_value(task).unwrap()
}

fn parked() -> serde_json::Value {
    serde_json::json!({
        "attempt": 1, "worker_id": "01890000-0000-7000-8000-0000000000cc", "tool": "demo", "model": "m1",
        "status": "failed", "outcome": "parked", "assigned_at": "2026-11-20T12:00:00Z",
        "started_at": "2026-11-20T12:00:01Z", "ended_at": "2026-11-20T12:00:03Z", "failure_class": "quota",
        "error": "the five-hour limit is used up", "retryable": true, "has_late_result": false,
        "record": {
            "tool": "demo", "tool_version": "1.0", "exit_code": 1, "resets_at": "2026-11-20T16:20:00Z",
            "raw_tail": "{\"type\":\"result\"}\n\u{1b}[31mlimit\u{1b}[0m\n\n", "usage": {"cost_kind": "unknown"},
        },
    })
}

fn completed() -> serde_json::Value {
    serde_json::json!({
        "attempt": 2, "worker_id": "01890000-0000-7000-8000-0000000000bb", "tool": "demo", "model": "m1",
        "status": "completed", "outcome": "completed", "assigned_at": "2026-11-20T12:02:00Z",
        "started_at": "2026-11-20T12:02:01Z", "ended_at": "2026-11-20T12:04:13Z", "failure_class": null,
        "error": null, "has_late_result": false,
        "record": {
            "tool": "demo", "tool_version": "1.0", "model": "m1-latest", "session": "s-77", "first_output_ms": 1200,
            "duration_ms": 132_000, "turns": 4, "tool_calls": 12, "files_changed": 1, "exit_code": 0,
            "usage": {
                "input_tokens": 1200, "cache_read_tokens": 1000, "output_tokens": 30, "reasoning_tokens": 12,
                "cost_microusd": 4200, "cost_kind": "reported",
            },
            "models": [
                { "model": "m1-latest", "calls": 4, "first_byte_ms": 1500, "usage": { "cost_kind": "reported" } },
                { "model": "m1-small", "calls": 1, "usage": { "cost_kind": "unknown" } },
            ],
        },
    })
}

fn lost() -> serde_json::Value {
    serde_json::json!({
        "attempt": 1, "worker_id": "01890000-0000-7000-8000-0000000000cc", "tool": "command", "model": null,
        "status": "lost", "outcome": "lost", "assigned_at": "2026-11-20T11:00:00Z",
        "started_at": "2026-11-20T11:00:01Z", "ended_at": "2026-11-20T11:00:26Z", "failure_class": "lost",
        "error": "lost contact with the machine", "retryable": true, "has_late_result": true, "record": null,
    })
}

fn declined() -> serde_json::Value {
    serde_json::json!({
        "attempt": 2, "worker_id": "01890000-0000-7000-8000-0000000000cc", "tool": "command", "model": null,
        "status": "refused", "outcome": "refused", "assigned_at": "2026-11-20T12:00:00Z",
        "started_at": null, "ended_at": "2026-11-20T12:00:00Z", "failure_class": "refused",
        "error": "every slot of the machine is taken", "retryable": false, "has_late_result": false, "record": null,
    })
}

fn running() -> serde_json::Value {
    serde_json::json!({
        "attempt": 3, "worker_id": "01890000-0000-7000-8000-0000000000cc", "tool": "command", "model": null,
        "status": "running", "assigned_at": "2026-11-20T12:00:00Z", "started_at": "2026-11-20T12:00:01Z",
        "ended_at": null, "failure_class": null, "error": null, "has_late_result": false, "record": null,
    })
}

fn done() -> Task {
    task(serde_json::json!({
        "number": 7, "status": "completed", "tool": "demo", "model": "m1", "attempt": 2, "failures": 1, "log_seq": 9,
        "started_at": "2026-11-20T12:00:01Z", "completed_at": "2026-11-20T12:04:13Z",
        "worker_id": "01890000-0000-7000-8000-0000000000bb",
        "attempts": [parked(), completed()],
        "result": {
            "text": "Hello!\n\u{1b}[2J", "artifacts": [{"name": "out/a.txt", "size": 4210, "hash": "00"}],
            "usage": {"input_tokens": 1200, "output_tokens": 30, "cost_microusd": 4200, "cost_kind": "reported"},
        },
    }))
}

fn failed() -> Task {
    task(serde_json::json!({
        "number": 123, "status": "failed", "failure_class": "process_failed", "error": "it ended with exit code 3",
        "tool": "command", "description": "make test", "input": {"kind": "command", "argv": ["make", "test"]},
        "attempt": 3, "failures": 3, "started_at": "2026-11-20T12:00:01Z", "completed_at": "2026-11-20T12:00:03Z",
        "attempts": [lost(), declined(), running()],
    }))
}

fn now() -> Timestamp {
    "2026-11-20T12:10:00Z".parse().unwrap()
}

fn plainly(text: &str) -> String {
    anstream::adapter::strip_str(text).to_string()
}

fn attic() -> words::Machines {
    let worker = "01890000-0000-7000-8000-0000000000bb".parse().unwrap();
    [(worker, "attic".to_owned())].into()
}

#[test]
fn the_list() {
    let running = task(serde_json::json!({
        "number": 8, "status": "running", "progress": 40, "tool": "claude-code", "started_at": "2026-11-20T12:09:30Z",
    }));
    let ending = task(serde_json::json!({
        "number": 9, "status": "running", "started_at": "2026-11-20T10:09:30Z", "cancel_requested_at": "2026-11-20T12:09:30Z",
    }));
    let backing_off = task(serde_json::json!({"number": 10, "ready_at": "2026-11-20T12:10:30Z", "attempt": 1}));
    let waiting = task(
        serde_json::json!({"number": 11, "status": "waiting", "wait_reason": "quota", "wait_until": "2026-11-20T12:30:00Z"}),
    );
    let page = Page { items: vec![failed(), waiting, backing_off, ending, running, done()], next_cursor: None };
    insta::assert_snapshot!(plainly(&words::list(&page, false, now())));
    let empty = Page { items: Vec::new(), next_cursor: None };
    assert_eq!(plainly(&words::list(&empty, true, now())), "no such tasks");
}

#[test]
fn one_that_is_done() {
    insta::assert_snapshot!(plainly(&words::show(&done(), &attic(), now())));
}

#[test]
fn one_that_failed() {
    insta::assert_snapshot!(plainly(&words::show(&failed(), &Default::default(), now())));
}

#[test]
fn a_result_cannot_steer_the_terminal() {
    assert!(!words::show(&done(), &Default::default(), now()).contains("\u{1b}[2J"));
}

#[test]
fn the_end_in_one_line() {
    assert_eq!(words::ended(&failed()), "task #123 failed after 2.0s: it ended with exit code 3");
    assert_eq!(
        words::ended(&done()),
        "task #7 completed after 4m 12s (1200 tokens in, 30 out, $0.0042); 1 file left behind"
    );
}

#[test]
fn why_it_is_where_it_is() {
    let placement: Placement = serde_json::from_value(serde_json::json!({
        "summary": "it waits for a free slot", "ahead": 2,
        "candidates": [
            {"worker_id": "01890000-0000-7000-8000-000000000001", "machine_name": "attic", "eligible": true, "reasons": [],
             "score": {"match": 40.0, "availability": 22.5, "balance": 20.0, "affinity": 0.0, "total": 82.5}},
            {"worker_id": "01890000-0000-7000-8000-000000000002", "machine_name": "cellar", "eligible": false, "score": null,
             "reasons": ["the tool is not on this machine", "it is paused"]},
        ],
    }))
    .unwrap();
    insta::assert_snapshot!(plainly(&words::placement(&placement)));
}

#[test]
fn one_that_waits_for_a_budget_at_the_second_of_its_models() {
    let detail = "used 1,000 of 1,000 tokens; raise it with `garageswarm task budget 12 --tokens 2000`";
    let waiting = task(serde_json::json!({
        "status": "waiting", "wait_reason": "budget", "wait_detail": detail, "role": "coder", "attempt": 2,
        "cascade": [{"tool": "codex"}, {"tool": "ollama", "model": "qwen3:8b"}, {"tool": "demo"}],
        "tries": [{"tool": "codex", "attempt": 1, "class": "context_overflow", "error": "too\nlong"}],
        "limits": {"tokens": 1000}, "used": {"tokens": 1000, "cost_microusd": 0},
    }));
    insta::assert_snapshot!(plainly(&words::show(&waiting, &Default::default(), now())));
    assert!(words::submitted(&waiting).ends_with(&format!("and waits: {detail}")));
}
