//! Secrets that are planted everywhere, and looked for everywhere they must not be: in logs at every level, in errors,
//! in the arguments and the environment of what is started, in backups, in the store, in the metrics.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::account::with_input;
use crate::home::{Home, Running, Said, eventually, said};
use crate::plain_http::{body, cookie, http, post};

const METRICS_TOKEN: &str = "metrics-canary-0123456789";
const FIRST_PASSWORD: &str = "first canary password";
const SECOND_PASSWORD: &str = "second canary password";
const WRONG_PASSWORD: &str = "wrong canary password";

/// What must not be found, by what it is.
#[derive(Default)]
struct Canaries(BTreeMap<&'static str, String>);

impl Canaries {
    fn plant(&mut self, what: &'static str, secret: impl Into<String>) -> String {
        let secret = secret.into();
        assert!(secret.len() >= 16, "{what} is no secret: {secret}");
        self.0.insert(what, secret.clone());
        secret
    }

    /// Which of them stand in `content`.
    fn found_in(&self, content: &[u8]) -> Vec<&'static str> {
        let stands = |secret: &str| content.windows(secret.len()).any(|window| window == secret.as_bytes());
        self.0.iter().filter(|(_, secret)| stands(secret)).map(|(what, _)| *what).collect()
    }

    fn assert_absent(&self, place: &str, content: impl AsRef<[u8]>) {
        let found = self.found_in(content.as_ref());
        assert!(found.is_empty(), "{place} holds: {found:?}");
    }
}

fn talkative(home: &Home, args: &[&str]) -> Running {
    let mut command = home.command(args);
    command.env("GARAGESWARM_LOG__FILTER", "trace").env("GARAGESWARM_LOG__FORMAT", "json");
    command.env("GARAGESWARM_METRICS__TOKEN", METRICS_TOKEN);
    Running::start(command)
}

/// Every file below a folder.
fn files(folder: &Path, visit: &mut impl FnMut(&Path, Vec<u8>)) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files(&path, visit);
        } else if path.is_file() {
            visit(&path, fs::read(&path).unwrap());
        }
    }
}

/// The arguments and the environment of the processes that run below a folder.
fn processes_below(folder: &Path) -> Vec<Vec<u8>> {
    let below = |process: &Path| fs::read_link(process.join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
    let processes = fs::read_dir("/proc").unwrap().filter_map(|entry| Some(entry.ok()?.path()));
    let of = |process: &Path, name| fs::read(process.join(name)).unwrap_or_default();
    processes
        .filter(|process| below(process))
        .map(|process| [of(&process, "cmdline"), of(&process, "environ")].concat())
        .collect()
}

fn words(said: &Said) -> String {
    format!("{}{}", said.stdout, said.stderr)
}

#[test]
fn no_secret_is_found_where_it_must_not_be() {
    let home = Home::new();
    let mut canaries = Canaries::default();
    canaries.plant("the metrics token", METRICS_TOKEN);
    canaries.plant("the first password", FIRST_PASSWORD);
    canaries.plant("the second password", SECOND_PASSWORD);
    canaries.plant("a wrong password", WRONG_PASSWORD);

    // The owner comes in by the set-up token, which is shown on purpose, once.
    let mut serve =
        talkative(&home, &["serve", "--listen", "127.0.0.1:0", "--lan", "127.0.0.1:0", "--no-announce", "--json"]);
    serve.wait_for("setup_token");
    let ready: Value = serde_json::from_str(serve.stdout().lines().next().unwrap()).unwrap();
    let url = ready["url"].as_str().unwrap().to_owned();
    let listen = url.trim_start_matches("http://").to_owned();
    let setup = ready["setup_token"].as_str().unwrap().to_owned();
    let login = ["login", "--coordinator", url.as_str(), "--user", "ada"];
    let first = with_input(&home, &[&login[..], &["--invitation", &setup]].concat(), &format!("{FIRST_PASSWORD}\n"));
    assert_eq!(first.code, Some(0), "{first:?}");
    canaries.plant("the set-up token", setup);
    let changed = with_input(&home, &["password"], &format!("{FIRST_PASSWORD}\n{SECOND_PASSWORD}\n"));
    assert_eq!(changed.code, Some(0), "{changed:?}");
    let refused = with_input(&home, &login, &format!("{WRONG_PASSWORD}\n"));
    assert_eq!(refused.code, Some(3), "{refused:?}");
    canaries.assert_absent("what a wrong password is answered", words(&refused));

    // A browser: access token, cookie, ticket.
    let credentials = format!("{{\"username\":\"ada\",\"password\":\"{SECOND_PASSWORD}\"}}");
    let session = post(&listen, "/auth/login", None, &credentials);
    canaries.plant("a refresh token", cookie(&session).split_once('=').unwrap().1);
    let access = canaries.plant("an access token", body(&session)["access_token"].as_str().unwrap());
    let user = body(&session)["user"]["user_id"].as_str().unwrap().to_owned();
    let ticket = post(&listen, "/auth/ticket", Some(&access), "");
    let ticket = canaries.plant("a ticket", body(&ticket)["ticket"].as_str().unwrap());
    let socket =
        format!("GET /api/v1/ws/client/{user}?ticket={ticket} HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\n\r\n");
    http(&listen, &socket);
    let again = http(&listen, &socket);
    canaries.assert_absent("what a spent ticket is answered", again);

    // Keys of both kinds, links of every kind.
    let api = canaries.plant("an api key", home.ok(&["key", "create", "--kind", "api"]).trim());
    let listed = http(
        &listen,
        &format!(
            "GET /api/v1/tasks HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nAuthorization: Bearer {api}\r\n\r\n"
        ),
    );
    assert!(listed.starts_with("HTTP/1.1 200"), "{listed}");
    let worker_key = canaries.plant("a worker key", home.ok(&["key", "create"]).trim());
    let invitation = home.json(&["user", "invite"]);
    canaries.plant("an invitation", invitation["invitation"].as_str().unwrap());
    let machine = home.json(&["worker", "invite"]);
    let code = canaries.plant("the code of a joining link", machine["code"].as_str().unwrap());
    let spent = post(&listen, "/auth/link", None, "{\"token\":\"gs_link_canary_that_nobody_issued\"}");
    canaries.plant("a link that nobody issued", "gs_link_canary_that_nobody_issued");
    canaries.assert_absent("what an unknown link is answered", spent);

    // Machines by both ways, one of them with a run under way.
    let by_key = home.path("by-key").display().to_string();
    let key_file = home.path("worker.key");
    fs::write(&key_file, &worker_key).unwrap();
    let key_file = key_file.display().to_string();
    let mut cellar = talkative(
        &home,
        &[
            "worker",
            "run",
            "--coordinator",
            &url,
            "--key-file",
            &key_file,
            "--name",
            "cellar",
            "--data-dir",
            &by_key,
            "--allow-tool",
            "command",
        ],
    );
    cellar.wait_for("ready cellar");
    let link = machine["link"].as_str().unwrap();
    let by_link = home.path("by-link").display().to_string();
    let mut command = home.command(&["worker", "run", "--yes", "--name", "attic", "--data-dir", &by_link]);
    command.env("GARAGESWARM_LOG__FILTER", "trace").env("GARAGESWARM_JOIN", link);
    let mut attic = Running::start(command);
    attic.wait_for("ready attic");
    let credential = |folder: &str| {
        let mut found = None;
        files(&Path::new(folder).join("secrets"), &mut |path, content| {
            if path.to_string_lossy().contains("credential") {
                found = Some(String::from_utf8(content).unwrap().trim().to_owned());
            }
        });
        found.unwrap()
    };
    canaries.plant("the credential of the cellar", credential(&by_key));
    canaries.plant("the credential of the attic", credential(&by_link));
    // A key for a tool, which goes to the worker over its own socket and stays there.
    let tool_key = canaries.plant("the key of a tool", "sk-canary-0123456789-of-a-tool");
    let login = ["tool", "login", "openai-api", "--no-check", "--data-dir", &by_key];
    let kept = with_input(&home, &login, &format!("{tool_key}\n"));
    assert_eq!(kept.code, Some(0), "{kept:?}");
    canaries.assert_absent("what login says", words(&kept));
    for args in
        [&["tool", "list"][..], &["tool", "show", "openai-api"], &["worker", "prefs", "show"], &["worker", "status"]]
    {
        for format in [&[][..], &["--json"]] {
            let shown = home.run(&[args, &["--data-dir", &by_key], format].concat());
            assert_eq!(shown.code, Some(0), "{shown:?}");
            canaries.assert_absent("what is shown of a tool", words(&shown));
        }
    }
    let settings = fs::read(Path::new(&by_key).join("worker.toml")).unwrap();
    canaries.assert_absent("the settings of a worker", settings);
    home.ok(&["task", "submit", "--tool", "command", "--worker", "cellar", "--", "sleep", "600"]);
    let runs = Path::new(&by_key).join("runs");
    let below = eventually(|| processes_below(&runs), |found| !found.is_empty());
    for process in &below {
        canaries.assert_absent("a process of a run", process);
    }

    let twice = said(home.command(&[
        "worker",
        "run",
        "--join",
        link,
        "--yes",
        "--data-dir",
        &home.path("other").display().to_string(),
    ]));
    assert_eq!(twice.code, Some(3), "{twice:?}");
    canaries.assert_absent("what a spent code is answered", words(&twice));
    assert!(!words(&twice).contains(&code));

    // What is read by others.
    let metrics = http(
        &listen,
        &format!(
            "GET /metrics HTTP/1.1\r\nHost: HOST\r\nConnection: close\r\nAuthorization: Bearer {METRICS_TOKEN}\r\n\r\n"
        ),
    );
    assert!(metrics.contains("garageswarm") || metrics.contains("ai_swarm"), "{metrics}");
    canaries.assert_absent("/metrics", metrics);
    canaries.assert_absent("the audit", home.ok(&["audit", "--json"]));
    canaries.assert_absent("the list of keys", home.ok(&["key", "list", "--json"]));
    canaries.assert_absent("config print", home.ok(&["config", "print"]));
    let backup = home.path("backup");
    home.ok(&["backup", &backup.display().to_string()]);
    files(&backup, &mut |path, content| canaries.assert_absent(&path.display().to_string(), content));
    files(&home.path("data"), &mut |path, content| canaries.assert_absent(&path.display().to_string(), content));

    cellar.signal(Signal::SIGTERM);
    cellar.wait_for_remark("finishing what runs here");
    for worker in [&mut cellar, &mut attic] {
        worker.signal(Signal::SIGTERM);
        worker.ended();
        canaries.assert_absent("the log of a worker", worker.stderr());
        canaries.assert_absent("the output of a worker", worker.stdout());
    }
    serve.signal(Signal::SIGTERM);
    serve.ended();
    assert!(serve.stderr().contains("/auth/login"), "it was to tell what it is asked: {}", serve.stderr());
    canaries.assert_absent("the log of the coordinator", serve.stderr());
}
