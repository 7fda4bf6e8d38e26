//! Cascades and budgets through everything: the real program, its worker, and a scripted model behind two tools.

use swarm_testkit::model_server::{ModelServer, Step};
use tokio::runtime::Runtime;

use crate::home::{Home, Running, eventually};

/// A model server on a runtime of its own; it answers while these live.
struct Scripted {
    server: ModelServer,
    _runtime: Runtime,
}

impl Scripted {
    fn start(steps: impl IntoIterator<Item = Step>) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
        let server = runtime.block_on(ModelServer::start(steps)).unwrap();
        Self { server, _runtime: runtime }
    }
}

/// `up` with keys and addresses of the scripted model in its environment, and both tools switched on.
fn up(home: &Home, model: &Scripted, listen: &str) -> Running {
    let mut up = home.command(&["up", "--listen", listen]);
    up.env("ANTHROPIC_API_KEY", "sk-test-1")
        .env("ANTHROPIC_BASE_URL", model.server.url())
        .env("OPENAI_API_KEY", "sk-test-2")
        .env("OPENAI_BASE_URL", format!("{}/v1", model.server.url()));
    let mut up = Running::start(up);
    up.wait_for("twice stops at once");
    up
}

/// Waits until the worker of `up` can use both tools.
fn both_ready(home: &Home) {
    let ready = |tools: &serde_json::Value| {
        let all = tools["items"].as_array().cloned().unwrap_or_default();
        let text = serde_json::Value::Array(all).to_string();
        text.contains("anthropic-api") && text.contains("openai-api")
    };
    eventually(|| home.json(&["worker", "list"]), |workers| ready(workers));
}

const TRIES: [&str; 4] = ["--try", "anthropic-api:claude-scripted-20260101", "--try", "openai-api:gpt-scripted"];

fn submit<'a>(prompt: &'a str, rest: &[&'a str]) -> Vec<&'a str> {
    [&["task", "submit", prompt][..], &TRIES, rest].concat()
}

#[test]
fn the_second_model_does_what_the_first_could_not() {
    let home = Home::new();
    let model = Scripted::start([Step::outage(529), Step::say("Hello from the second.")]);
    let _up = up(&home, &model, "127.0.0.1:0");
    both_ready(&home);
    let done = home.run(&submit("say hello", &["--wait"]));
    assert_eq!((done.code, done.stdout.trim()), (Some(0), "Hello from the second."), "{done:?}");
    let task = home.json(&["task", "show", "1"]);
    assert_eq!((&task["tries"][0]["tool"], &task["tries"][0]["class"]), (&"anthropic-api".into(), &"server".into()));
    let tools: Vec<_> = task["attempts"].as_array().unwrap().iter().map(|one| one["tool"].clone()).collect();
    assert_eq!(tools, ["anthropic-api", "openai-api"]);
    let shown = home.ok(&["task", "show", "1"]);
    assert!(shown.contains("tried") && shown.contains("anthropic-api:claude-scripted-20260101: server"), "{shown}");
}

#[test]
fn when_none_can_do_it_the_task_says_what_became_of_each() {
    let home = Home::new();
    let model = Scripted::start([Step::unknown_model(), Step::outage(500)]);
    let _up = up(&home, &model, "127.0.0.1:0");
    both_ready(&home);
    let failed = home.run(&submit("say hello", &["--wait", "--max-attempts", "1"]));
    assert_eq!(failed.code, Some(1), "{failed:?}");
    let task = home.json(&["task", "show", "1"]);
    assert_eq!(task["failure_class"], "models_exhausted", "{task}");
    let error = task["error"].as_str().unwrap();
    for said in ["1. anthropic-api claude-scripted-20260101: refused", "2. openai-api gpt-scripted: server"] {
        assert!(error.contains(said), "{error}");
    }
}

#[test]
fn a_coordinator_that_is_killed_in_the_middle_goes_on_at_the_same_entry() {
    let home = Home::new();
    let model = Scripted::start([Step::outage(529), Step::held("half an", " answer")]);
    let first = up(&home, &model, "127.0.0.1:0");
    let listen = first.listen();
    both_ready(&home);
    home.ok(&submit("say hello", &[]));
    eventually(|| home.json(&["task", "show", "1"]), |task| task["status"] == "running" && task["attempt"] == 2);
    first.kill();
    model.server.script([Step::say("A whole answer.")]);
    let _second = up(&home, &model, &listen);
    let task = eventually(|| home.json(&["task", "show", "1"]), |task| task["status"] == "completed");
    assert_eq!(task["result"]["text"], "A whole answer.", "{task}");
    assert_eq!(task["tries"].as_array().unwrap().len(), 1, "the first was not tried again: {task}");
    let last = task["attempts"].as_array().unwrap().last().unwrap().clone();
    assert_eq!(last["tool"], "openai-api", "{task}");
}

#[test]
fn a_budget_is_hit_raised_and_the_task_goes_on() {
    let home = Home::new();
    let model = Scripted::start([Step::say("Hello.")]);
    let _up = up(&home, &model, "127.0.0.1:0");
    both_ready(&home);
    // The prompt alone is more than that.
    let prompt = "word ".repeat(400);
    home.ok(&["task", "submit", &prompt, "--tool", "openai-api", "--model", "gpt-scripted", "--tokens", "50"]);
    let waits = eventually(|| home.json(&["task", "show", "1"]), |task| task["status"] == "waiting");
    assert_eq!(waits["wait_reason"], "budget", "{waits}");
    let shown = home.ok(&["task", "show", "1"]);
    assert!(shown.contains("raise it with `garageswarm task budget 1 --tokens 100`"), "{shown}");
    let status = home.ok(&["status"]);
    assert!(status.contains("waiting") && status.contains("task budget 1"), "{status}");
    let raised = home.ok(&["task", "budget", "1", "--tokens", "100000"]);
    assert!(!raised.contains("still waits"), "{raised}");
    let done = eventually(|| home.json(&["task", "show", "1"]), |task| task["status"] == "completed");
    assert_eq!(done["result"]["text"], "Hello.", "{done}");
}

#[test]
fn roles_and_budgets_are_chosen_at_the_command_line() {
    let home = Home::new();
    let _up = home.up(&[]);
    assert!(home.ok(&["role", "list"]).contains("gemini-cli:gemini-2.5-pro"));
    home.ok(&["role", "set", "coder", "demo:demo-fast", "ollama:qwen3:8b"]);
    assert!(home.ok(&["role", "show", "coder"]).contains("2. ollama:qwen3:8b"));
    home.ok(&["role", "set", "--at-limit", "next"]);
    let done = home.run(&["task", "submit", "say hello", "--role", "coder", "--wait"]);
    assert_eq!(done.code, Some(0), "{done:?}");
    let task = home.json(&["task", "show", "1"]);
    assert_eq!((&task["role"], &task["at_limit"]), (&"coder".into(), &"next".into()), "{task}");
    home.ok(&["role", "reset", "coder"]);
    assert!(!home.ok(&["role", "show", "coder"]).contains("qwen3"));
    assert_eq!(home.run(&["role", "set", "coder"]).code, Some(2));
    assert_eq!(home.run(&["role", "set", "poet", "demo"]).code, Some(2));

    let budget = home.json(&["budget", "set", "--tokens", "1000", "--tool", "codex"]);
    let id = budget["budget_id"].as_str().unwrap().to_owned();
    let raised = home.ok(&["budget", "set", &id[28..], "--tokens", "2000"]);
    assert!(raised.contains("2,000 tokens"), "{raised}");
    let again = home.json(&["budget", "set", "--tokens", "3000", "--tool", "codex"]);
    assert_eq!(again["budget_id"], id.as_str(), "one that counts the same is changed");
    assert_ne!(home.json(&["budget", "set", "--tokens", "3000"])["budget_id"], id.as_str(), "another one counts more");
    let other = home.json(&["budget", "list"])["items"].as_array().unwrap().clone();
    let other = other.iter().find(|budget| budget["tool"].is_null()).unwrap()["budget_id"].as_str().unwrap().to_owned();
    home.ok(&["budget", "remove", &other]);
    assert_eq!(home.run(&["budget", "set", &id, "--cost", "1"]).code, Some(2), "what it counts stays");
    assert!(home.ok(&["budget", "list"]).contains("codex"));
    home.ok(&["budget", "remove", &id]);
    assert!(home.ok(&["budget", "list"]).contains("no budgets"));
}
