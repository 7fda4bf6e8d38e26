//! The REST interface under schemathesis, which reads the OpenAPI document and tries everything that it allows, and
//! much that it does not: nothing may be answered with a fault of ours, nor with what the document does not name, nor
//! never.
//!
//! A real coordinator is asked, on a free port and with a data folder that is thrown away, by a worker, by an admin who
//! signed in, and by a program whose key has every scope. Where a path names a worker or a task, it is one that is
//! there: of identifiers that are made up nothing is ever found.

use std::{
    fs,
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::mpsc,
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};
use serde_json::{Value, json};

use crate::{
    build::build_bin,
    cargo::Workspace,
    parts::{self, python::SCHEMATHESIS},
    tiers::{LeftOut, Tally},
};

/// How long each of the three runs goes on.
const SECONDS: &str = "30";

/// How long an answer may take: a little longer than the longest wait that can be asked for.
const PATIENCE: &str = "35";

const CHECKS: &str = "not_a_server_error,status_code_conformance,content_type_conformance";

/// What would end the run early: they end the credential that asks, the worker, or everything.
const SPARED: [&str; 7] = [
    "logout",
    "change_password",
    "end_session",
    "end_other_sessions",
    "pause_swarm",
    "reset_password",
    "remove_worker",
];

const SCOPES: [&str; 5] = ["tasks:read", "tasks:write", "workers:read", "workers:write", "swarm:write"];

/// Another binary than the one of this workspace, as for the benchmark.
const BINARY: &str = "GARAGESWARM_BIN";

/// Builds the binary, unless another one is named, and runs it for all three.
pub(crate) fn build_and_check(workspace: &Workspace) -> Result<Tally> {
    if std::env::var_os(BINARY).is_none() {
        build_bin(workspace, "garageswarm")?;
    }
    Ok(check(workspace, true))
}

/// Runs it for all three, on the binary that is there: the tests before it have built it. An operation counts as one
/// test.
pub(crate) fn check(workspace: &Workspace, install: bool) -> Tally {
    println!("-- schemathesis");
    let mut tally = Tally::default();
    match program(workspace, install) {
        Ok(Some(program)) => {
            if let Err(error) = asked(workspace, &program, &mut tally) {
                tally.fail(format!("schemathesis: {error:#}"));
            }
        }
        Ok(None) => {
            let what = "schemathesis (cargo xtask schemathesis installs it)".to_owned();
            tally.left_out.push(LeftOut { test: "schemathesis".to_owned(), what });
        }
        Err(error) => tally.fail(format!("schemathesis: {error:#}")),
    }
    tally
}

fn program(workspace: &Workspace, install: bool) -> Result<Option<PathBuf>> {
    let cache = parts::cache(workspace)?;
    if install && SCHEMATHESIS.found(&cache).is_none() {
        SCHEMATHESIS.install(&cache)?;
    }
    Ok(SCHEMATHESIS.found(&cache))
}

fn asked(workspace: &Workspace, program: &Path, tally: &mut Tally) -> Result<()> {
    let coordinator = Coordinator::start(workspace)?;
    let session = coordinator.sign_in()?;
    let as_admin = |path: &str, body: Value| coordinator.post(path, Some(&session), &body);
    for words in ["say hello", "write a page", "count to ten"] {
        as_admin("/api/v1/tasks", json!({ "description": words }))?;
    }
    let enrols = as_admin("/api/v1/keys", json!({ "kind": "worker", "name": "laptop" }))?;
    let machine = json!({
        "machine_id": "laptop", "machine_name": "laptop", "slots": 2, "os": "linux", "arch": "x86_64",
        "tools": [{ "name": "demo", "health": { "state": "ready" } }],
    });
    let worker = coordinator.post("/api/v1/workers/register", Some(&text_of(&enrols, "secret")?), &machine)?;

    let folder = workspace.target.join("schemathesis");
    fs::create_dir_all(&folder)?;
    fs::write(folder.join("config.toml"), config(&text_of(&worker, "worker_id")?))?;
    let run = Run { program, coordinator: &coordinator, folder };
    run.ask_as("a worker", &text_of(&worker, "credential")?, &["--include-path-regex", r"/workers/\{id\}/"], tally)?;
    run.ask_as("an admin", &session, &[], tally)?;
    // Made now: the admin may have come across it and revoked it.
    let key = as_admin("/api/v1/keys", json!({ "kind": "api", "name": "program", "scopes": SCOPES }))?;
    run.ask_as("a program", &text_of(&key, "secret")?, &[], tally)
}

/// Which worker and which task the paths name.
fn config(worker: &str) -> String {
    let named = |path: &str, id: &str| {
        format!("[[operations]]\ninclude-path-regex = '/{path}/\\{{id\\}}'\nparameters = {{ id = \"{id}\" }}\n")
    };
    named("workers", worker) + &named("tasks", "1")
}

struct Run<'a> {
    program: &'a Path,
    coordinator: &'a Coordinator,
    folder: PathBuf,
}

impl Run<'_> {
    fn ask_as(&self, who: &str, credential: &str, selection: &[&str], tally: &mut Tally) -> Result<()> {
        let found = self.run(credential, selection).with_context(|| format!("as {who}"))?;
        println!("  as {who}: {} operations, {} requests, seed {}", found.tested, found.requests, found.seed);
        tally.passed += found.tested.saturating_sub(found.failures.len());
        for failure in found.failures {
            tally.fail(format!("schemathesis as {who}: {failure}"));
        }
        // Whoever is signed out half-way proves nothing any more.
        let (status, _) = self.coordinator.request("GET", "/api/v1/status", Some(credential), "")?;
        if status == 401 {
            tally.fail(format!("schemathesis as {who}: the credential ended on the way"));
        }
        Ok(())
    }

    fn run(&self, credential: &str, selection: &[&str]) -> Result<Found> {
        let Self { program, coordinator, folder } = self;
        let report = folder.join("report.json");
        drop(fs::remove_file(&report));
        let mut command = Command::new(program);
        command.arg("--config-file").arg(folder.join("config.toml"));
        command.args(["run", &format!("{}/api/v1/openapi.json", coordinator.url)]).args(selection);
        // The coordinator and all that is in it are thrown away: here a credential may stand among arguments.
        command.args(["--header", &format!("Authorization: Bearer {credential}")]);
        command.args([
            "--checks",
            CHECKS,
            "--phases",
            "coverage,fuzzing",
            "--max-examples",
            "20",
            "--max-time",
            SECONDS,
        ]);
        command.args(["--request-timeout", PATIENCE, "--continue-on-failure", "--generation-database", "none"]);
        command.args(["--warnings", "off", "--suppress-health-check", "all", "--no-color", "--report", "json"]);
        command.arg("--report-json-path").arg(&report).current_dir(folder);
        for operation in SPARED {
            command.args(["--exclude-operation-id", operation]);
        }
        let ended =
            command.stdin(Stdio::null()).output().with_context(|| format!("cannot start {}", program.display()))?;
        let said = format!("{}{}", String::from_utf8_lossy(&ended.stdout), String::from_utf8_lossy(&ended.stderr));
        let text = fs::read_to_string(&report).with_context(|| format!("it left no report:\n{said}"))?;
        let mut found = read(&serde_json::from_str(&text)?);
        // A number too long for JSON's readers.
        said.lines().find_map(|line| line.strip_prefix("Seed: ")).unwrap_or("unknown").clone_into(&mut found.seed);
        if !ended.status.success() {
            println!("{said}");
            if found.failures.is_empty() {
                found.failures.push(format!("it ended with {}", ended.status));
            }
        }
        if found.tested == 0 {
            bail!("nothing was tried:\n{said}");
        }
        Ok(found)
    }
}

/// What came of a run.
#[derive(Debug, PartialEq, Eq)]
struct Found {
    tested: usize,
    requests: u64,
    seed: String,
    failures: Vec<String>,
}

/// Reads the report.
fn read(report: &Value) -> Found {
    let all = |name: &str| report[name].as_array().cloned().unwrap_or_default();
    let shown = |failure: Value| {
        let word = |name: &str| failure[name].as_str().unwrap_or_default().to_owned();
        let words = [word("operation"), word("check"), word("title"), word("message")];
        let words: Vec<_> = words.into_iter().filter(|word| !word.is_empty()).collect();
        if words.is_empty() { failure.to_string() } else { words.join(": ") }
    };
    Found {
        tested: report["operations"]["tested"].as_u64().unwrap_or(0) as usize,
        requests: report["test_cases"]["generated"].as_u64().unwrap_or(0),
        seed: String::new(),
        failures: all("failures").into_iter().chain(all("errors")).map(shown).collect(),
    }
}

/// A coordinator of our own; it ends with us.
struct Coordinator {
    child: Child,
    folder: PathBuf,
    url: String,
    link: String,
}

impl Coordinator {
    fn start(workspace: &Workspace) -> Result<Self> {
        let binary = std::env::var_os(BINARY).map_or_else(|| workspace.binary(), PathBuf::from);
        let folder = std::env::temp_dir().join(format!("garageswarm-schemathesis-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
        let mut command = Command::new(&binary);
        for (name, _) in std::env::vars_os() {
            if name.to_string_lossy().starts_with("GARAGESWARM_") {
                command.env_remove(name);
            }
        }
        command.args(["up", "--no-worker", "--listen", "127.0.0.1:0"]).env("HOME", &folder);
        command.env("GARAGESWARM_CONFIG_DIR", folder.join("config")).env("GARAGESWARM_DATA_DIR", folder.join("data"));
        command.env("GARAGESWARM_KEYCHAIN", "off").stdin(Stdio::null()).stdout(Stdio::piped());
        command.stderr(fs::File::create(folder.join("log"))?);
        let child = command.spawn().with_context(|| format!("cannot start {}", binary.display()))?;
        let mut coordinator = Self { child, folder, url: String::new(), link: String::new() };
        coordinator.hear()?;
        Ok(coordinator)
    }

    /// Waits until it has said where it is and how one signs in.
    fn hear(&mut self) -> Result<()> {
        let lines = BufReader::new(self.child.stdout.take().context("its output")?).lines();
        let (sender, receiver) = mpsc::channel();
        // It goes on reading, so that the coordinator never waits for us.
        thread::spawn(move || lines.map_while(Result::ok).for_each(|line| drop(sender.send(line))));
        let deadline = Instant::now() + Duration::from_secs(60);
        while self.url.is_empty() || self.link.is_empty() {
            let Ok(line) = receiver.recv_timeout(deadline.saturating_duration_since(Instant::now())) else {
                let log = fs::read_to_string(self.folder.join("log")).unwrap_or_default();
                bail!("the coordinator does not come up:\n{log}");
            };
            if let Some(url) = line.strip_prefix("ready ") {
                url.trim().clone_into(&mut self.url);
            } else if let Some((_, link)) = line.split_once("/signin#") {
                link.trim().clone_into(&mut self.link);
            }
        }
        Ok(())
    }

    fn sign_in(&self) -> Result<String> {
        let session = self.post("/api/v1/auth/link", None, &json!({ "token": self.link, "kind": "cli" }))?;
        text_of(&session, "access_token")
    }

    fn post(&self, path: &str, credential: Option<&str>, body: &Value) -> Result<Value> {
        let (status, answer) = self.request("POST", path, credential, &body.to_string())?;
        if !(200..300).contains(&status) {
            bail!("POST {path}: {status}: {answer}");
        }
        Ok(serde_json::from_str(&answer)?)
    }

    /// Asks in plain HTTP: the status and the body. It is loopback, and the answer has a length.
    fn request(&self, method: &str, path: &str, credential: Option<&str>, body: &str) -> Result<(u16, String)> {
        let host = self.url.trim_start_matches("http://");
        let mut stream = TcpStream::connect(host).with_context(|| self.url.clone())?;
        stream.set_read_timeout(Some(Duration::from_secs(30)))?;
        let bearer = credential.map(|it| format!("Authorization: Bearer {it}\r\n")).unwrap_or_default();
        let length = body.len();
        write!(
            stream,
            "{method} {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\nContent-Type: application/json\r\n\
             Content-Length: {length}\r\n{bearer}\r\n{body}"
        )?;
        let mut answer = String::new();
        stream.read_to_string(&mut answer)?;
        let (head, body) = answer.split_once("\r\n\r\n").context("no answer in HTTP")?;
        let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).context("no status")?;
        Ok((status, body.to_owned()))
    }
}

impl Drop for Coordinator {
    fn drop(&mut self) {
        drop(self.child.kill());
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.folder));
    }
}

fn text_of(value: &Value, name: &str) -> Result<String> {
    Ok(value[name].as_str().with_context(|| format!("no {name} in the answer"))?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn failures_and_errors_are_read_from_the_report() {
        let report = json!({
            "operations": { "tested": 3 }, "test_cases": { "generated": 120 },
            "failures": [{ "operation": "GET /x", "title": "Server error" }], "errors": [{ "a": 1 }],
        });
        let failures = vec!["GET /x: Server error".to_owned(), "{\"a\":1}".to_owned()];
        assert_eq!(read(&report), Found { tested: 3, requests: 120, seed: String::new(), failures });
    }
}
