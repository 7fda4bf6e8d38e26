//! `garageswarm mcp` as AI clients start it: by a real client of the protocol, by one that talks nonsense, without a
//! coordinator, and by the real Claude Code.

use std::io::Write as _;
use std::process::Stdio;

use rmcp::model::CallToolRequestParams;
use rmcp::service::RunningService;
use rmcp::transport::TokioChildProcess;
use rmcp::{RoleClient, ServiceExt as _};
use serde_json::{Value, json};
use swarm_testkit::model_server::{ModelServer, Step};

use crate::home::{Home, Said, eventually, said};

type Connected = RunningService<RoleClient, ()>;

async fn connect(home: &Home, args: &[&str], env: &[(&str, &str)]) -> Connected {
    let mut command = tokio::process::Command::from(home.command(&[&["mcp"], args].concat()));
    command.envs(env.iter().copied());
    ().serve(TokioChildProcess::new(command).unwrap()).await.unwrap()
}

/// What a tool answers, or the sentence of its refusal.
async fn call(client: &Connected, tool: &'static str, arguments: Value) -> Result<Value, String> {
    let arguments = arguments.as_object().unwrap().clone();
    let answer = client.call_tool(CallToolRequestParams::new(tool).with_arguments(arguments)).await.unwrap();
    if answer.is_error == Some(true) {
        return Err(answer.content[0].as_text().unwrap().text.clone());
    }
    Ok(answer.structured_content.unwrap())
}

#[tokio::test]
async fn a_task_is_handed_in_watched_and_ended() {
    let home = Home::new();
    let _up = home.up(&[]);
    let client = connect(&home, &[], &[]).await;
    assert_eq!(client.list_all_tools().await.unwrap().len(), 9);
    let wish = json!({ "prompt": "say hello", "tool": "demo", "model": "demo-fast" });
    assert_eq!(call(&client, "submit_task", wish).await.unwrap()["number"], 1);
    let ended = call(&client, "wait_for_task", json!({ "task": 1 })).await.unwrap();
    assert_eq!((&ended["status"], &ended["ended"]), (&json!("completed"), &json!(true)), "{ended}");
    assert!(ended["result"]["text"].as_str().unwrap().starts_with("This is a demonstration"), "{ended}");
    let log = call(&client, "read_log", json!({ "task": 1 })).await.unwrap();
    assert_eq!(log["complete"], true, "{log}");

    assert_eq!(call(&client, "submit_task", json!({ "argv": ["sleep", "600"] })).await.unwrap()["number"], 2);
    eventually(|| home.json(&["task", "show", "2"])["status"].clone(), |status| *status == "running");
    call(&client, "cancel_task", json!({ "task": 2 })).await.unwrap();
    let cancelled = call(&client, "wait_for_task", json!({ "task": 2 })).await.unwrap();
    assert_eq!(cancelled["status"], "cancelled", "{cancelled}");
    let refused = call(&client, "cancel_task", json!({ "task": 2 })).await.unwrap_err();
    assert!(refused.contains("has ended already"), "{refused}");
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn a_key_lends_its_rights_and_no_more() {
    let home = Home::new();
    let up = home.up(&["--no-worker"]);
    let reader = home.ok(&["key", "create", "--kind", "api", "--scope", "tasks:read"]);
    let elsewhere = Home::new();
    let url = up.url();
    let env = [("GARAGESWARM_TOKEN", reader.trim()), ("GARAGESWARM_URL", url.as_str())];
    let client = connect(&elsewhere, &[], &env).await;
    assert_eq!(call(&client, "list_tasks", json!({})).await.unwrap()["tasks"], json!([]));
    let refused = call(&client, "submit_task", json!({ "prompt": "x" })).await.unwrap_err();
    assert!(refused.contains("does not have the scope tasks:write"), "{refused}");
    client.cancel().await.unwrap();
}

#[tokio::test]
async fn without_a_coordinator_every_tool_says_what_to_do_and_goes_on_when_it_is_there() {
    let home = Home::new();
    let client = connect(&home, &[], &[]).await;
    let refused = call(&client, "list_tasks", json!({})).await.unwrap_err();
    assert!(refused.contains("not signed in") && refused.contains("garageswarm up"), "{refused}");
    let _up = home.up(&["--no-worker"]);
    assert_eq!(call(&client, "list_tasks", json!({})).await.unwrap()["tasks"], json!([]));
    client.cancel().await.unwrap();

    let nobody = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
    let client = connect(&home, &["--coordinator", &nobody], &[("GARAGESWARM_TOKEN", "gs_api_x")]).await;
    let refused = call(&client, "list_workers", json!({})).await.unwrap_err();
    assert!(refused.contains("nothing answers at") && refused.contains("garageswarm up"), "{refused}");
    client.cancel().await.unwrap();
}

/// What the program says to these lines, which then end.
fn answered(home: &Home, lines: &[u8]) -> Said {
    let mut command = home.command(&["mcp"]);
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // It may have had enough before the last one.
    child.stdin.take().unwrap().write_all(lines).ok();
    let output = child.wait_with_output().unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    Said { code: output.status.code(), stdout: text(output.stdout), stderr: text(output.stderr) }
}

#[test]
fn nonsense_neither_ends_it_nor_gets_anything_but_the_protocol() {
    let home = Home::new();
    for nothing in [&b""[..], b"\n\n", b"{", b"hello\n"] {
        let said = answered(&home, nothing);
        assert_eq!((said.code, said.stdout.as_str()), (Some(0), ""), "{said:?}");
    }
    let hello = json!({ "jsonrpc": "2.0", "id": 1, "method": "initialize", "params": {
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": { "name": "test", "version": "1" } } });
    let ready = json!({ "jsonrpc": "2.0", "method": "notifications/initialized" });
    let list = json!({ "jsonrpc": "2.0", "id": 2, "method": "tools/list" });
    let mut lines = b"no json\n\xff\xfe\n".to_vec();
    lines.extend(format!("{hello}\n{ready}\n{{\"half\": \n[1, 2\n{list}\n").into_bytes());
    let said = answered(&home, &lines);
    assert_eq!(said.code, Some(0), "{said:?}");
    let answers: Vec<Value> = said.stdout.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let of = |id: u64| answers.iter().find(|answer| answer["id"] == id).unwrap_or_else(|| panic!("{id}: {said:?}"));
    assert_eq!(of(1)["result"]["serverInfo"]["name"], "garageswarm");
    assert_eq!(of(2)["result"]["tools"].as_array().unwrap().len(), 9);
}

/// The real Claude Code, told by a scripted model to hand work to the swarm.
#[tokio::test]
async fn claude_code_hands_work_to_the_swarm() {
    let Some(claude) = std::env::var_os("GARAGESWARM_TEST_CLAUDE").map(std::path::PathBuf::from) else {
        println!("left out: Claude Code (npm install @anthropic-ai/claude-code, then set GARAGESWARM_TEST_CLAUDE)");
        return;
    };
    let home = Home::new();
    let up = home.up(&[]);
    let wish = json!({ "prompt": "hello from claude", "tool": "demo", "model": "demo-fast" });
    let server = ModelServer::start([
        Step::call("mcp__garageswarm__submit_task", wish),
        Step::call("mcp__garageswarm__wait_for_task", json!({ "task": 1 })),
        Step::say("It is done."),
    ])
    .await
    .unwrap();
    let token = home.ok(&["key", "create", "--kind", "api"]);
    let config = json!({ "mcpServers": { "garageswarm": {
        "command": env!("CARGO_BIN_EXE_garageswarm"),
        "args": ["mcp"],
        "env": { "GARAGESWARM_URL": up.url(), "GARAGESWARM_TOKEN": token.trim(), "GARAGESWARM_KEYCHAIN": "off" },
    } } });
    let path = home.path("mcp.json");
    std::fs::write(&path, config.to_string()).unwrap();
    std::fs::create_dir_all(home.path("home")).unwrap();
    let mut command = home.command(&[]);
    let environment: Vec<_> =
        command.get_envs().map(|(name, value)| (name.to_owned(), value.map(ToOwned::to_owned))).collect();
    command = std::process::Command::new(claude);
    for (name, value) in environment {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    command
        .args(["-p", "Say hello with the swarm", "--output-format=json", "--strict-mcp-config", "--model=sonnet"])
        .arg(format!("--mcp-config={}", path.display()))
        .arg("--allowedTools=mcp__garageswarm__submit_task,mcp__garageswarm__wait_for_task")
        .env("ANTHROPIC_BASE_URL", server.url())
        .env("ANTHROPIC_API_KEY", "sk-test")
        .env("CLAUDE_CONFIG_DIR", home.path("claude"))
        .env("CLAUDE_CODE_DISABLE_NONESSENTIAL_TRAFFIC", "1")
        .current_dir(home.path("home"))
        .stdin(Stdio::null());
    let told = tokio::task::spawn_blocking(move || said(command)).await.unwrap();
    assert_eq!(told.code, Some(0), "{told:?}");
    assert!(told.stdout.contains("It is done."), "{told:?}");
    let task = home.json(&["task", "show", "1"]);
    assert_eq!((&task["description"], &task["status"]), (&json!("hello from claude"), &json!("completed")), "{task}");
    // The model was shown the answer of the tool.
    let last = server.questions().pop().unwrap();
    assert!(format!("{last:?}").contains("This is a demonstration"), "{last:?}");
}
