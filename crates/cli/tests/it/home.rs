//! A person's machine: a home folder of its own, commands in it, and processes whose words can be waited for.

use std::io::Read;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use swarm_tools::Variables;

/// How long anything may take that must happen. The machines that run this are busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(60);

/// A home folder.
pub(crate) struct Home {
    folder: tempfile::TempDir,
}

/// What a command said and how it ended.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Home {
    pub(crate) fn new() -> Self {
        Self { folder: tempfile::tempdir().unwrap() }
    }

    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// A command of this person, not started yet.
    pub(crate) fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_garageswarm"));
        // Keys of whoever runs the tests among them: they would be found, and used.
        let ours = |name: &std::ffi::OsString| {
            let name = name.to_string_lossy();
            name.starts_with("GARAGESWARM_") || Variables::PREFIXES.iter().any(|prefix| name.starts_with(prefix))
        };
        std::env::vars_os().map(|(name, _)| name).filter(ours).for_each(|name| {
            command.env_remove(name);
        });
        command
            .args(args)
            .env("HOME", self.path("home"))
            .env("USER", "ada")
            .env("GARAGESWARM_CONFIG_DIR", self.path("config"))
            .env("GARAGESWARM_DATA_DIR", self.path("data"))
            .env("GARAGESWARM_KEYCHAIN", "off")
            .stdin(Stdio::null());
        command
    }

    /// Runs a command to its end.
    pub(crate) fn run(&self, args: &[&str]) -> Said {
        said(self.command(args))
    }

    /// Runs a command that must succeed, and gives what it printed.
    pub(crate) fn ok(&self, args: &[&str]) -> String {
        let said = self.run(args);
        assert_eq!(said.code, Some(0), "{args:?}: {said:?}");
        said.stdout
    }

    /// The same as JSON.
    pub(crate) fn json(&self, args: &[&str]) -> serde_json::Value {
        let printed = self.ok(&[args, &["--json"]].concat());
        serde_json::from_str(&printed).unwrap_or_else(|error| panic!("{args:?} printed no JSON ({error}): {printed}"))
    }

    /// Starts `up` on a free port and waits until it is ready.
    pub(crate) fn up(&self, args: &[&str]) -> Running {
        self.up_at("127.0.0.1:0", args)
    }

    /// Starts `up` at an address and waits until it is ready.
    pub(crate) fn up_at(&self, listen: &str, args: &[&str]) -> Running {
        let mut up = Running::start(self.command(&[&["up", "--listen", listen], args].concat()));
        // It comes in pieces, of which these words are the last.
        up.wait_for("twice stops at once");
        up
    }
}

/// Runs a command to its end.
pub(crate) fn said(mut command: Command) -> Said {
    let output = command.output().unwrap();
    Said {
        code: output.status.code(),
        stdout: String::from_utf8(output.stdout).unwrap(),
        stderr: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A process that goes on, and what it has said so far. It dies with the test.
pub(crate) struct Running {
    child: Child,
    stdout: Heard,
    stderr: Heard,
}

impl Running {
    pub(crate) fn start(mut command: Command) -> Self {
        let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let stdout = Heard::listen(child.stdout.take().unwrap());
        let stderr = Heard::listen(child.stderr.take().unwrap());
        Self { child, stdout, stderr }
    }

    /// Waits until standard output holds the text.
    pub(crate) fn wait_for(&mut self, text: &str) {
        let heard = self.stdout.wait_until(|heard| heard.contains(text));
        assert!(heard, "never said \"{text}\":\n{}\n{}", self.stdout(), self.stderr());
    }

    /// Waits until standard error holds the text.
    pub(crate) fn wait_for_remark(&mut self, text: &str) {
        let heard = self.stderr.wait_until(|heard| heard.contains(text));
        assert!(heard, "never remarked \"{text}\":\n{}\n{}", self.stdout(), self.stderr());
    }

    pub(crate) fn stdout(&self) -> String {
        self.stdout.so_far()
    }

    pub(crate) fn stderr(&self) -> String {
        self.stderr.so_far()
    }

    /// The address behind `ready`.
    pub(crate) fn url(&self) -> String {
        let heard = self.stdout();
        let line = heard.lines().find_map(|line| line.strip_prefix("ready ")).unwrap();
        line.trim().to_owned()
    }

    /// Its address without the scheme.
    pub(crate) fn listen(&self) -> String {
        self.url().trim_start_matches("http://").to_owned()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id() as i32), signal).unwrap();
    }

    /// Kills it as a power cut would.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Waits for its end.
    pub(crate) fn ended(&mut self) -> ExitStatus {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if let Some(status) = self.child.try_wait().unwrap() {
                self.stdout.wait_for_end();
                self.stderr.wait_for_end();
                return status;
            }
            assert!(Instant::now() < deadline, "does not end:\n{}\n{}", self.stdout(), self.stderr());
            std::thread::sleep(Duration::from_millis(10));
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What came through a pipe.
struct Heard(Arc<(Mutex<(String, bool)>, Condvar)>);

impl Heard {
    fn listen(mut pipe: impl Read + Send + 'static) -> Self {
        let heard = Arc::new((Mutex::new((String::new(), false)), Condvar::new()));
        let listening = Arc::clone(&heard);
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            loop {
                let n_read = pipe.read(&mut buffer).unwrap_or(0);
                let mut heard = listening.0.lock().unwrap();
                heard.0.push_str(&String::from_utf8_lossy(&buffer[..n_read]));
                heard.1 = n_read == 0;
                listening.1.notify_all();
                if n_read == 0 {
                    return;
                }
            }
        });
        Self(heard)
    }

    /// Whether the condition came true before the pipe ended or patience did.
    fn wait_until(&self, condition: impl Fn(&str) -> bool) -> bool {
        let waited =
            self.0.1.wait_timeout_while(self.0.0.lock().unwrap(), PATIENCE, |heard| !heard.1 && !condition(&heard.0));
        condition(&waited.unwrap().0.0)
    }

    fn wait_for_end(&self) {
        drop(self.0.1.wait_timeout_while(self.0.0.lock().unwrap(), PATIENCE, |heard| !heard.1).unwrap());
    }

    fn so_far(&self) -> String {
        self.0.0.lock().unwrap().0.clone()
    }
}

/// Asks again until the answer is what must come.
pub(crate) fn eventually<T: std::fmt::Debug>(mut ask: impl FnMut() -> T, is_it: impl Fn(&T) -> bool) -> T {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let answer = ask();
        if is_it(&answer) {
            return answer;
        }
        assert!(Instant::now() < deadline, "it stays {answer:?}");
        std::thread::sleep(Duration::from_millis(50));
    }
}

/// The processes whose command line holds a text.
pub(crate) fn processes_with(text: &str) -> Vec<String> {
    let Ok(processes) = std::fs::read_dir("/proc") else { return Vec::new() };
    processes
        .filter_map(|entry| std::fs::read(entry.ok()?.path().join("cmdline")).ok())
        .map(|line| String::from_utf8_lossy(&line).replace('\0', " "))
        .filter(|line| line.contains(text))
        .collect()
}
