//! The tools of this machine as their owner sees and sets them.

use std::io::{BufRead as _, BufReader, Write as _};
use std::net::TcpListener;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use serde_json::Value;

use crate::account::with_input;
use crate::home::{Home, Running, eventually};

const GOOD: &str = "sk-good-key-0123456789";

/// A provider that knows one key, and lists one model for it.
fn provider() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v1", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let lines = BufReader::new(&stream).lines().map_while(Result::ok);
            let asked: Vec<_> = lines.take_while(|line| !line.is_empty()).collect();
            let is_known =
                asked.iter().any(|line| line.to_ascii_lowercase() == format!("authorization: bearer {GOOD}"));
            let (status, body) = if is_known {
                ("200 OK", "{\"data\":[{\"id\":\"model-one\"}]}")
            } else {
                ("401 Unauthorized", "{\"error\":{\"message\":\"Incorrect API key provided\"}}")
            };
            let length = body.len();
            let answer = format!(
                "HTTP/1.1 {status}\r\ncontent-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
            );
            (&stream).write_all(answer.as_bytes()).ok();
        }
    });
    url
}

fn tool<'a>(tools: &'a Value, name: &str) -> &'a Value {
    tools.as_array().unwrap().iter().find(|tool| tool["name"] == name).unwrap_or_else(|| panic!("{name}: {tools}"))
}

/// As the coordinator knows it.
fn told(home: &Home, name: &str) -> Value {
    let worker = home.json(&["worker", "list"])["items"][0].clone();
    tool(&worker["tools"], name).clone()
}

#[test]
fn tools_are_set_and_it_counts_at_once() {
    let home = Home::new();
    let _up = home.up(&[]);
    eventually(|| home.run(&["worker", "status"]), |said| said.code == Some(0));
    let tools = home.json(&["tool", "list"]);
    assert_eq!(tools.as_array().unwrap().len(), 9, "{tools}");
    let demo = tool(&tools, "demo");
    assert_eq!((&demo["health"]["state"], &demo["enabled"]), (&"ready".into(), &true.into()), "{demo}");
    let shown = home.ok(&["tool", "list"]);
    for words in ["HEALTH", "demo", "ready", "garageswarm tool login anthropic-api"] {
        assert!(shown.contains(words), "{words}: {shown}");
    }

    let url = provider();
    home.ok(&["tool", "set", "openai-api", &format!("url={url}"), "model=model-one", "max_concurrent=2"]);
    let set = home.json(&["tool", "show", "openai-api"]);
    assert_eq!((&set["settings"]["model"], &set["max_concurrent"]), (&"model-one".into(), &2.into()), "{set}");
    assert_eq!(set["health"]["state"], "needs_login", "{set}");
    eventually(
        || told(&home, "openai-api"),
        |tool| tool["max_concurrent"] == 2 && tool["health"]["state"] == "needs_login",
    );
    home.ok(&["tool", "set", "openai-api", "max_concurrent=", "free="]);
    assert!(home.json(&["tool", "show", "openai-api"])["max_concurrent"].is_null());
    home.ok(&["tool", "set", "demo", "enabled=false"]);
    eventually(|| told(&home, "demo"), |tool| tool["health"]["state"] == "not_allowed");

    for (args, said) in [
        (&["openai-api", "modle=x"][..], "no setting \"modle\"; there are enabled, path, url"),
        (&["openai-api", "model=y", "max_concurrent=many"], "nothing was changed"),
        (&["nothing", "model=x"], "there is no tool \"nothing\"; there are anthropic-api"),
        (&["claude-code", "args=--output-format=text"], "is what the worker itself says to Claude Code"),
        (&["claude-code", "args=[\"--max-turns=3\", \"say this\"]"], "is not of the form"),
        (&["codex", "args=--config=sandbox_mode=danger-full-access"], "of its configuration"),
        (&["gemini-cli", "args=--yolo"], "is what the worker itself says to Gemini CLI"),
        (&["demo", "args=--x"], "starts no program of its own"),
    ] {
        let refused = home.run(&[&["tool", "set"], args].concat());
        assert_eq!(refused.code, Some(4), "{args:?}: {refused:?}");
        assert!(refused.stderr.contains(said), "{args:?}: {refused:?}");
    }
    assert_eq!(home.json(&["tool", "show", "openai-api"])["settings"]["model"], "model-one", "all or none");
    home.ok(&["tool", "set", "claude-code", "args=--max-turns=3"]);
    home.ok(&["tool", "set", "claude-code", "env.MY_TOKEN=hidden-word"]);
    let claude = home.json(&["tool", "show", "claude-code"]);
    assert_eq!(claude["settings"]["args"], serde_json::json!(["--max-turns=3"]), "{claude}");
    assert!(!claude.to_string().contains("hidden-word"), "{claude}");
    assert_eq!(home.run(&["tool", "set", "demo", "enabled"]).code, Some(2));
}

#[test]
fn a_key_is_checked_kept_used_and_forgotten() {
    let home = Home::new();
    let _up = home.up(&[]);
    eventually(|| home.run(&["worker", "status"]), |said| said.code == Some(0));
    home.ok(&["tool", "set", "openai-api", &format!("url={}", provider())]);

    let wrong = with_input(&home, &["tool", "login", "openai-api"], "sk-wrong-key-0123456789\n");
    assert_eq!(wrong.code, Some(4), "{wrong:?}");
    assert!(wrong.stderr.contains("nothing was kept") && !wrong.stderr.contains("sk-wrong"), "{wrong:?}");
    assert!(home.json(&["tool", "show", "openai-api"])["key_place"].is_null());

    let good = with_input(&home, &["tool", "login", "openai-api"], &format!("{GOOD}\n"));
    assert_eq!(good.code, Some(0), "{good:?}");
    assert!(
        good.stdout.contains("in a file that only you may read") && good.stdout.contains("lists 1 models"),
        "{good:?}"
    );
    assert!(!good.stdout.contains(GOOD) && !good.stderr.contains(GOOD), "{good:?}");
    let shown = home.json(&["tool", "show", "openai-api"]);
    assert_eq!((&shown["health"]["state"], &shown["key_place"]), (&"ready".into(), &"file".into()), "{shown}");
    assert!(shown["source"].as_str().unwrap().contains("garageswarm tool login"), "{shown}");
    eventually(|| told(&home, "openai-api"), |tool| tool["models"] == serde_json::json!(["model-one"]));
    let kept = home.path("data").join("local-worker/secrets/tool-key-openai-api");
    assert_eq!(std::fs::metadata(&kept).unwrap().permissions().mode() & 0o777, 0o600);
    let doctor = home.run(&["doctor"]).stdout;
    assert!(doctor.contains("local-worker key of openai-api") && doctor.contains("that only you may read"), "{doctor}");

    // Another address does not get it.
    let other = provider();
    home.ok(&["tool", "set", "openai-api", &format!("url={other}")]);
    let withheld = home.json(&["tool", "show", "openai-api"]);
    assert!(withheld["source"].as_str().unwrap().contains("is for another address"), "{withheld}");
    assert_eq!(withheld["health"]["state"], "needs_login", "{withheld}");

    home.ok(&["tool", "logout", "openai-api"]);
    assert!(!kept.exists());
    let none = home.run(&["tool", "login", "openai-api", "--remove"]);
    assert!(none.code == Some(4) && none.stderr.contains("keeps no key"), "{none:?}");
    let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    home.ok(&["tool", "set", "openai-api", &format!("url=http://{nobody}/v1")]);
    let away = with_input(&home, &["tool", "login", "openai-api"], &format!("{GOOD}\n"));
    assert!(away.code == Some(4) && away.stderr.contains("--no-check"), "{away:?}");
    let unchecked = with_input(&home, &["tool", "login", "openai-api", "--no-check"], &format!("{GOOD}\n"));
    assert!(unchecked.code == Some(0) && unchecked.stdout.contains("it was not checked"), "{unchecked:?}");
}

#[test]
fn a_tool_with_a_login_of_its_own_says_how_and_takes_a_key_all_the_same() {
    let home = Home::new();
    let _up = home.up(&[]);
    eventually(|| home.run(&["worker", "status"]), |said| said.code == Some(0));
    let own = home.run(&["tool", "login", "claude-code"]);
    assert_eq!(own.code, Some(0), "{own:?}");
    assert!(own.stdout.contains("run `claude` once") && own.stderr.contains("claude-code --key"), "{own:?}");
    let key = with_input(&home, &["tool", "login", "claude-code", "--key", "--no-check"], &format!("{GOOD}\n"));
    assert_eq!(key.code, Some(0), "{key:?}");
    let source = home.json(&["tool", "show", "claude-code"])["source"].clone();
    assert!(source.as_str().unwrap().contains("garageswarm tool login"), "{source}");
    let demo = with_input(&home, &["tool", "login", "demo"], &format!("{GOOD}\n"));
    assert!(demo.code == Some(4) && demo.stderr.contains("demo needs no key"), "{demo:?}");
    let empty = with_input(&home, &["tool", "login", "openai-api"], "\n");
    assert_eq!(empty.code, Some(2), "{empty:?}");
}

#[test]
fn without_a_worker_tools_are_shown_and_not_set() {
    let home = Home::new();
    let list = home.run(&["tool", "list"]);
    assert_eq!(list.code, Some(0), "{list:?}");
    assert!(list.stdout.contains("demo") && list.stderr.contains("no worker runs here"), "{list:?}");
    let set = home.run(&["tool", "set", "demo", "enabled=false"]);
    assert!(set.code == Some(3) && set.stderr.contains("garageswarm up"), "{set:?}");
    let login = with_input(&home, &["tool", "login", "openai-api"], &format!("{GOOD}\n"));
    assert_eq!(login.code, Some(3), "{login:?}");

    // What a worker was given is seen without it, and stays where it is.
    let up: Running = home.up(&[]);
    eventually(|| home.run(&["worker", "status"]), |said| said.code == Some(0));
    let key = with_input(&home, &["tool", "login", "openai-api", "--no-check"], &format!("{GOOD}\n"));
    assert_eq!(key.code, Some(0), "{key:?}");
    up.kill();
    let shown = home.json(&["tool", "show", "openai-api"]);
    assert_eq!(shown["key_place"], "file", "{shown}");
    let secrets = home.path("data").join("local-worker/secrets");
    assert!(Path::new(&secrets).join("tool-key-openai-api").exists());
    let _up = home.up(&[]);
    eventually(|| home.json(&["tool", "show", "openai-api"]), |tool| tool["key_place"] == "file");
}
