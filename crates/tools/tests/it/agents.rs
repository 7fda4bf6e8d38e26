//! What every command-line agent must do, as one list: each tool says how it is set up and called, and
//! [`agent_tests`] stamps the list for it. The real tool runs, against a scripted model.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use serde_json::json;
use swarm_model::task::{CostKind, Outcome};
use swarm_model::tool::ToolHealth;
use swarm_model::{FailureClass, Isolation};
use swarm_tools::{Confinement, RunDirs, ToolEvent, ToolSettings};

use crate::harness::{Bench, Done, eventually, n_sleeping};
use crate::model_server::{Counted, ModelServer, Step};

/// How one tool differs from the others.
pub(crate) struct Agent {
    pub(crate) tool: &'static str,
    /// Where the path of the real one stands, and how it is got.
    pub(crate) variable: &'static str,
    pub(crate) advice: &'static str,
    /// What stands behind the address of the scripted model.
    pub(crate) base: &'static str,
    /// What lets it write files and run commands.
    pub(crate) settings: fn(ToolSettings) -> ToolSettings,
    /// The model's call that writes a file.
    pub(crate) write: fn(&Path, &str) -> Step,
    /// The model's call that runs a command.
    pub(crate) shell: fn(&str) -> Step,
    /// The header that brings the key.
    pub(crate) key: (&'static str, &'static str),
    /// Whether it takes up an answer whose connection broke.
    pub(crate) survives_cut: bool,
    /// How many of it two cores bear at once.
    pub(crate) at_once: usize,
}

/// A run of the real tool, before it starts.
pub(crate) struct Real {
    pub(crate) server: ModelServer,
    pub(crate) bench: Bench,
}

impl Agent {
    /// The real program, or a word on how to get it.
    pub(crate) fn program(&self) -> Option<PathBuf> {
        let program = std::env::var_os(self.variable).map(PathBuf::from);
        if program.is_none() {
            println!(
                "left out: {} is not installed ({}, then set {} to its path)",
                self.tool, self.advice, self.variable
            );
        }
        program
    }

    /// A run of the real tool, or none where it is not installed.
    pub(crate) async fn real(&self, prompt: &str, script: impl IntoIterator<Item = Step>) -> Option<Real> {
        let program = self.program()?;
        let server = ModelServer::start(script).await.unwrap();
        let mut bench = Bench::prompt(self.tool, prompt);
        let key = bench.folder.path().join("key");
        std::fs::write(&key, "sk-test\n").unwrap();
        // Their shells read the profile of whoever runs the tests, and one that is killed may leave a lock there.
        let home = bench.folder.path().join("person");
        std::fs::create_dir(&home).unwrap();
        bench.settings = (self.settings)(ToolSettings {
            path: Some(program),
            url: Some(format!("{}{}", server.url(), self.base)),
            api_key_file: Some(key),
            env: [("HOME".to_owned(), home.to_str().unwrap().to_owned())].into(),
            ..ToolSettings::default()
        });
        Some(Real { server, bench })
    }

    pub(crate) async fn run(&self, prompt: &str, script: impl IntoIterator<Item = Step>) -> Option<(Real, Done)> {
        let real = self.real(prompt, script).await?;
        let done = real.bench.run().await;
        Some((real, done))
    }

    async fn fails_with(&self, step: Step, expected: FailureClass) -> Option<Done> {
        let (_, done) = self.run("Say hello", [step]).await?;
        assert_eq!(done.failure().0, expected, "{:?}", done.outcome);
        Some(done)
    }

    /// An answer comes as it is, whatever stands in it, and everything of the run is known.
    pub(crate) async fn answers(&self) {
        let words = "Hello \"you\", {\"type\":\"result\"}\n\\ 😀 end.";
        let Some(Real { server, bench }) = self.real("Say hello", [Step::say(words)]).await else { return };
        // As a worker does; what it costs to ask for a version is paid then.
        bench.adapter().detect(&bench.settings).await;
        let done = bench.run().await;
        assert_eq!((done.result().text.as_str(), done.text().as_str()), (words, words));
        let usage = &done.result().usage;
        let counted = (usage.input_tokens, usage.output_tokens, usage.cache_read_tokens);
        let Counted { input, output, cache_read, .. } = server.counted();
        assert_eq!(counted, (Some(input), Some(output), Some(cache_read)), "{usage:?}");
        let record = &done.record;
        assert!(record.session.is_some() && record.tool_version.is_some() && record.model.is_some(), "{record:?}");
        let question = &server.questions()[0];
        assert_eq!(question.headers[self.key.0], self.key.1);
        assert!(question.body.to_string().contains("Say hello"));
    }

    pub(crate) async fn writes_a_file(&self) {
        let Some(real) = self.real("Write a note", []).await else { return };
        let file = real.bench.work().join("note.txt");
        real.server.script([(self.write)(&file, "written by a script\n"), Step::say("It is written.")]);
        let done = real.bench.run().await;
        assert_eq!(done.result().text, "It is written.");
        assert_eq!(std::fs::read_to_string(file).unwrap(), "written by a script\n");
        assert!(done.events.iter().any(|event| matches!(event, ToolEvent::ToolCall { .. })));
        assert!(done.events.iter().any(|event| matches!(event, ToolEvent::ToolResult { is_error: false, .. })));
        assert_eq!(done.record.tool_calls, Some(1));
    }

    /// A command within a command; the model sees what came of it, and the key is nowhere in its environment.
    pub(crate) async fn runs_a_nested_command(&self) {
        // Gemini CLI takes a shell at the very beginning away, and its quotes only where nothing follows.
        let command = "true; sh -c 'echo nested-$((6 * 7)); env | grep -c sk-test' | tee out.txt";
        let Some((real, done)) = self.run("Run it", [(self.shell)(command), Step::say("done")]).await else { return };
        assert_eq!(done.result().text, "done");
        let out = std::fs::read_to_string(real.bench.work().join("out.txt")).unwrap();
        assert!(out.starts_with("nested-42\n"), "{out}");
        assert!(
            real.server.questions().last().unwrap().body.to_string().contains("nested-42"),
            "the model was not told"
        );
        assert_eq!(out, "nested-42\n0\n", "the command sees the key");
    }

    /// In a sandbox it writes and runs commands as it does outside, reaches its model, and finds nothing.
    pub(crate) async fn works_in_a_sandbox(&self) {
        const CANARY: &str = "canary-71c0aa";
        for network in [None, Some(Vec::new())] {
            let Some(mut real) = self.real("Write a note", []).await else { return };
            let home = real.bench.settings.env["HOME"].clone();
            std::fs::create_dir(format!("{home}/.ssh")).unwrap();
            for file in [format!("{home}/.ssh/id"), format!("{home}/../secret")] {
                std::fs::write(file, CANARY).unwrap();
            }
            real.bench.request.confinement =
                Confinement { level: Isolation::Sandbox, network, ..Confinement::default() };
            let file = real.bench.work().join("note.txt");
            let look = format!("true; cat {home}/.ssh/id ~/.ssh/id {home}/../secret; id -u | tee out.txt");
            real.server.script([(self.write)(&file, "written\n"), (self.shell)(&look), Step::say("done")]);
            let done = real.bench.run().await;
            assert_eq!(done.result().text, "done", "{:?}", done.events);
            assert_eq!(done.record.isolation, Some(Isolation::Sandbox));
            assert_eq!(std::fs::read_to_string(file).unwrap(), "written\n");
            let user = std::fs::read_to_string(real.bench.work().join("out.txt")).unwrap();
            assert_ne!(user, "0\n", "{:?}", done.events);
            let asked: String = real.server.questions().iter().map(|question| question.body.to_string()).collect();
            assert!(asked.contains("No such file"), "the command was not run: {:?}", done.events);
            assert!(!asked.contains(CANARY) && !format!("{:?}", done.events).contains(CANARY));
        }
    }

    /// Goes on with a session in another working folder, as another attempt has one, and counts it once.
    pub(crate) async fn goes_on_with_a_session(&self) {
        let Some((mut real, first)) = self.run("One", [Step::say("first")]).await else { return };
        real.bench.request.session = first.record.session.clone();
        real.bench.request.attempt = 2;
        real.bench.request.dirs.work = real.bench.folder.path().join("work-2");
        real.server.script([Step::say("second")]);
        let second = real.bench.run().await;
        assert_eq!(second.result().text, "second");
        assert!(real.server.questions().last().unwrap().body.to_string().contains("first"), "the tool forgot");
        let used = |run: &Done| (run.result().usage.input_tokens, run.result().usage.output_tokens);
        assert_eq!(used(&second), used(&first));
        // And once more: the session has the name under which it went on.
        real.bench.request.session = second.record.session.clone();
        real.bench.request.attempt = 3;
        real.server.script([Step::say("third")]);
        assert_eq!(real.bench.run().await.result().text, "third");
        assert!(real.server.questions().last().unwrap().body.to_string().contains("second"), "the tool forgot");
    }

    /// Its cost is what the owner of the machine says that the model costs, also of a session that went on.
    pub(crate) async fn is_priced(&self) {
        let Some(mut real) = self.real("One", [Step::say("first")]).await else { return };
        let price = json!({ "input": 1.0, "output": 10.0, "cache_read": 0.1 });
        real.bench.settings.prices = serde_json::from_value(json!({ "gpt-": price, "gemini-": price })).unwrap();
        let first = real.bench.run().await;
        real.bench.request.session = first.record.session.clone();
        real.bench.request.attempt = 2;
        for done in [&first, &real.bench.run().await] {
            let usage = &done.result().usage;
            assert_eq!((usage.cost_kind, usage.cost_microusd), (CostKind::Priced, Some(202)), "{usage:?}");
        }
    }

    pub(crate) async fn knows_no_such_model(&self) {
        self.fails_with(Step::unknown_model(), FailureClass::Refused).await;
    }

    pub(crate) async fn has_a_wrong_credential(&self) {
        self.fails_with(Step::unauthorized(), FailureClass::Auth).await;
    }

    /// The provider's fault, at once and in the middle of an answer.
    pub(crate) async fn meets_an_outage(&self) {
        for status in [500, 503] {
            self.fails_with(Step::outage(status), FailureClass::Server).await;
        }
        let midway = Step::FailMidway { before: vec!["half an ".to_owned()], message: "something broke".to_owned() };
        self.fails_with(midway, FailureClass::Server).await;
    }

    pub(crate) async fn waits_for_one_rate_limit(&self) {
        let script = [Step::rate_limited(1), Step::say("after the wait")];
        let Some((_, done)) = self.run("Say hello", script).await else { return };
        assert_eq!(done.result().text, "after the wait");
        let tells = |event: &ToolEvent| match event {
            ToolEvent::Notice(text) | ToolEvent::Stderr(text) => text.contains("429") || text.contains("Retrying"),
            _ => false,
        };
        assert!(done.events.iter().any(tells), "{:?}", done.events);
    }

    pub(crate) async fn gives_up_on_a_rate_limit(&self) {
        self.fails_with(Step::rate_limited(0), FailureClass::RateLimited).await;
    }

    /// A broken connection: taken up, or a failure that says so.
    pub(crate) async fn loses_its_connection(&self) {
        let cut = Step::Cut(vec!["half an ".to_owned()]);
        let Some((_, done)) = self.run("Say hello", [cut, Step::say("whole")]).await else { return };
        if self.survives_cut {
            assert_eq!(done.result().text, "whole");
        } else {
            assert_eq!((done.failure().0, done.partial()), (FailureClass::Network, "half an "));
        }
    }

    pub(crate) async fn is_stopped_when_it_falls_silent(&self) {
        let Some(mut real) = self.real("Say hello", [Step::held("Hm.", "never")]).await else { return };
        real.bench.request.limits.silence_ms = Some(6_000);
        let done = real.bench.run().await;
        assert_eq!(done.failure().0, FailureClass::Stalled, "{:?}", done.outcome);
    }

    /// What lies in the working folder is heeded by nobody: neither hooks nor servers nor variables.
    pub(crate) async fn heeds_no_settings_of_its_folder(&self) {
        let Some(real) = self.real("Say hello", [Step::say("Hello.")]).await else { return };
        let mark = real.bench.folder.path().join("mark");
        let touch = format!("touch {}", mark.display());
        let hooks = json!({ "SessionStart": [{ "hooks": [{ "type": "command", "command": touch, "name": "x" }] }] });
        let servers = json!({ "x": { "command": "touch", "args": [mark] } });
        let settings = json!({ "hooks": hooks, "mcpServers": servers }).to_string();
        let toml = format!("[mcp_servers.x]\ncommand = \"touch\"\nargs = [{}]\n", json!(mark));
        let planted = [
            (".claude/settings.json", settings.as_str()),
            (".gemini/settings.json", settings.as_str()),
            (".codex/config.toml", toml.as_str()),
            (".env", "GOOGLE_CLOUD_PROJECT=theirs\n"),
        ];
        for (name, content) in planted {
            let file = real.bench.work().join(name);
            std::fs::create_dir_all(file.parent().unwrap()).unwrap();
            std::fs::write(file, content).unwrap();
        }
        assert_eq!(real.bench.run().await.result().text, "Hello.");
        assert!(!mark.exists(), "what lay in the folder was run");
    }

    /// A megabyte that begins like a flag.
    pub(crate) async fn takes_any_prompt(&self) {
        let prompt = format!("--help {} the end", "word ".repeat(200 * 1024));
        let Some((real, done)) = self.run(&prompt, [Step::say("Read.")]).await else { return };
        assert_eq!(done.result().text, "Read.");
        assert!(real.server.questions()[0].body.to_string().contains(&prompt), "the prompt did not arrive");
    }

    /// A cancel in the middle of a nested command, which has put itself out of every group: nobody is left.
    pub(crate) async fn leaves_nobody_behind(&self) {
        let Some(real) = self.real("Run it", []).await else { return };
        let mark = unique_mark();
        let command = format!("sh -c 'setsid sh -c \"exec sleep 1000.{mark}\" & exec sleep 1001.{mark}'");
        real.server.script([(self.shell)(&command), Step::say("done")]);
        let going = real.bench.start();
        eventually("both commands run", || n_sleeping(&mark) == 2).await;
        let asked = Instant::now();
        going.cancel.cancel();
        let done = going.finish().await;
        assert!(asked.elapsed() < Duration::from_secs(4), "{:?}", asked.elapsed());
        assert!(matches!(done.outcome, Outcome::Cancelled { .. }), "{:?}", done.outcome);
        assert_eq!(n_sleeping(&mark), 0, "left behind");
        assert_eq!(swarm_tools::guard::sweep_marked(&real.bench.request.mark_prefix()).unwrap(), 0);
    }

    /// Several runs share what the tool keeps between them.
    pub(crate) async fn runs_many_at_once(&self) {
        let Some(real) = self.real("Say hello", [Step::say("Hello.")]).await else { return };
        let benches: Vec<_> = (0..self.at_once).map(|_| real.bench.beside()).collect();
        let going: Vec<_> = benches.iter().map(Bench::start).collect();
        for going in going {
            assert_eq!(going.finish().await.result().text, "Hello.");
        }
        assert_eq!(real.server.questions().len(), self.at_once);
    }

    /// While it works, and afterwards, the key is in no process and in no file of the run's.
    pub(crate) async fn holds_no_key(&self) {
        let Some(mut real) = self.real("Run it", []).await else { return };
        let mark = unique_mark();
        let canary = format!("sk-canary-{mark}");
        let key = real.bench.folder.path().join("key");
        std::fs::write(&key, &canary).unwrap();
        // As people do who know no better.
        let variables = ["ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY"];
        real.bench.variables = variables.into_iter().map(|name| (name, canary.clone())).collect();
        let command = format!("env > env.txt; sh -c 'env > nested.txt; exec sleep 1000.{mark}'");
        real.server.script([(self.shell)(&command), Step::say("done")]);
        let going = real.bench.start();
        eventually("the nested command runs", || n_sleeping(&mark) == 1).await;
        let own = std::process::id().to_string();
        let processes = std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
            let name = entry.file_name();
            name.to_str().is_some_and(|name| name.bytes().all(|byte| byte.is_ascii_digit()) && name != own)
        });
        let mut n_seen = 0;
        for process in processes {
            for part in ["environ", "cmdline"] {
                let Ok(content) = std::fs::read(process.path().join(part)) else { continue };
                n_seen += usize::from(content.windows(mark.len()).any(|window| window == mark.as_bytes()));
                assert!(!holds(&content, &canary), "{part} of {} holds the key", process.path().display());
            }
        }
        assert!(n_seen > 0, "the processes of the run were not looked at");
        let folders = |dirs: &RunDirs| [dirs.work.clone(), dirs.state.clone(), dirs.tmp.clone(), dirs.control.clone()];
        let dirs = real.bench.request.dirs.clone();
        let n_files: usize = folders(&dirs).iter().map(|folder| no_file_holds(folder, &canary)).sum();
        assert!(n_files > 2, "the files of the run were not looked at");
        let told = &real.server.questions()[0].headers[self.key.0];
        assert!(told.ends_with(&canary), "the provider did not get the key");
        going.cancel.cancel();
        going.finish().await;
        no_file_holds(&dirs.state, &canary);
        no_file_holds(&dirs.work, &canary);
    }

    /// A model that calls a tool again and again ends at the budget, is warned of before, and goes on where it was.
    pub(crate) async fn stays_within_its_budget(&self) {
        const MOST: u64 = 40_000;
        // Some tools notice a call that is repeated.
        let calls = (0..100).map(|n| (self.shell)(&format!("true {n}")));
        let Some(mut real) = self.real("Run it", calls).await else { return };
        real.server.count_each(Counted { input: 4_000, output: 300, ..Counted::default() });
        real.bench.request.limits.tokens = Some(MOST);
        let done = real.bench.run().await;
        assert_eq!(done.failure().0, FailureClass::Budget, "{:?}", done.outcome);
        let Counted { input, output, .. } = real.server.counted();
        let used = input + output;
        assert!((MOST * 7 / 10..MOST * 12 / 10).contains(&used), "{used} of {MOST}");
        let usage = &done.record.usage;
        assert_eq!(usage.input_tokens.zip(usage.output_tokens), Some((input, output)));
        assert_eq!(done.record.models.iter().map(|model| u64::from(model.calls)).sum::<u64>(), used / 4_300);
        let warned =
            |event: &&ToolEvent| matches!(event, ToolEvent::Notice(text) if text.contains("most of the budget"));
        assert_eq!(done.events.iter().filter(warned).count(), 1);

        assert!(done.record.session.is_some(), "{:?}", done.record);
        real.bench.request.session = done.record.session;
        real.bench.request.attempt = 2;
        real.bench.request.limits.tokens = None;
        real.server.script([Step::say("on it went")]);
        assert_eq!(real.bench.run().await.result().text, "on it went");
    }

    /// An answer without an end is cut.
    pub(crate) async fn ends_an_endless_answer(&self) {
        const MOST: u64 = 30_000;
        let Some(mut real) = self.real("Say hello", [Step::Endless("again-# ".to_owned())]).await else { return };
        real.bench.request.limits.tokens = Some(MOST);
        let done = real.bench.run().await;
        assert_eq!(done.failure().0, FailureClass::Budget, "{:?}", done.outcome);
        let usage = &done.record.usage;
        let used = usage.input_tokens.unwrap() + usage.output_tokens.unwrap();
        assert!((MOST / 2..MOST * 12 / 10).contains(&used), "{usage:?}");
    }

    /// Another model than the task allows is not even asked.
    pub(crate) async fn asks_no_other_model(&self) {
        let Some(mut real) = self.real("Say hello", [Step::say("Hello.")]).await else { return };
        real.bench.request.limits.models = vec!["the-only-one".to_owned()];
        let done = real.bench.run().await;
        assert_eq!(done.failure().0, FailureClass::Refused, "{:?}", done.outcome);
        assert!(done.failure().1.contains("the-only-one"), "{:?}", done.outcome);
        assert!(real.server.questions().is_empty());
    }

    pub(crate) async fn is_detected(&self, version: &str) {
        let Some(real) = self.real("x", []).await else { return };
        let adapter = real.bench.adapter();
        let info = adapter.detect(&real.bench.settings).await;
        assert_eq!(info.health, ToolHealth::Ready);
        assert!(info.version.as_ref().is_some_and(|found| found.starts_with(version)), "{info:?}");
        let started = Instant::now();
        assert_eq!(adapter.detect(&real.bench.settings).await.version, info.version);
        assert!(started.elapsed() < Duration::from_millis(100), "it was started again");
        let settings = real.bench.settings.clone();
        let without_key = ToolSettings { api_key_file: None, url: None, own_login: Some(false), ..settings };
        assert!(matches!(adapter.detect(&without_key).await.health, ToolHealth::NeedsLogin { .. }));
    }
}

fn holds(content: &[u8], text: &str) -> bool {
    content.windows(text.len()).any(|window| window == text.as_bytes())
}

/// How many files there are below a folder, none of which holds a text.
fn no_file_holds(folder: &Path, text: &str) -> usize {
    let mut n_files = 0;
    for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
        let Ok(kind) = entry.file_type() else { continue };
        if kind.is_dir() {
            n_files += no_file_holds(&entry.path(), text);
        } else if kind.is_file()
            && let Ok(content) = std::fs::read(entry.path())
        {
            n_files += 1;
            assert!(!holds(&content, text), "{} holds the key", entry.path().display());
        }
    }
    n_files
}

/// Digits that no other test's commands carry.
fn unique_mark() -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    format!("{:07}{:03}7", std::process::id(), NEXT.fetch_add(1, Ordering::Relaxed))
}

/// The list, as tests of one tool.
macro_rules! agent_tests {
    ($agent:expr, $($name:ident => $check:ident($($argument:expr)?)),* $(,)?) => {$(
        #[tokio::test]
        async fn $name() {
            $agent.$check($($argument)?).await;
        }
    )*};
    ($agent:expr, version $version:literal) => {
        $crate::agents::agent_tests! { $agent,
            an_answer_comes_as_it_is => answers(),
            it_writes_a_file_into_its_working_folder => writes_a_file(),
            it_runs_a_nested_command => runs_a_nested_command(),
            it_works_in_a_sandbox => works_in_a_sandbox(),
            a_session_goes_on_elsewhere => goes_on_with_a_session(),
            a_model_that_does_not_exist_is_refused => knows_no_such_model(),
            a_refused_credential_is_one => has_a_wrong_credential(),
            an_outage_is_the_servers => meets_an_outage(),
            one_rate_limit_is_waited_for => waits_for_one_rate_limit(),
            a_rate_limit_for_ever_is_one => gives_up_on_a_rate_limit(),
            a_lost_connection_is_noticed => loses_its_connection(),
            a_silent_one_is_stopped => is_stopped_when_it_falls_silent(),
            settings_of_the_working_folder_are_not_heeded => heeds_no_settings_of_its_folder(),
            any_prompt_arrives => takes_any_prompt(),
            a_cancel_in_the_middle_of_a_nested_command_leaves_nobody => leaves_nobody_behind(),
            many_run_at_once => runs_many_at_once(),
            the_key_is_in_no_process_and_no_file => holds_no_key(),
            a_runaway_ends_within_its_budget_and_can_go_on => stays_within_its_budget(),
            an_endless_answer_is_cut => ends_an_endless_answer(),
            a_model_that_is_not_allowed_is_not_asked => asks_no_other_model(),
            it_is_detected_with_its_version => is_detected($version),
        }
    };
}

pub(crate) use agent_tests;
