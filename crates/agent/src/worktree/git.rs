//! Runs the `git` program: an argument vector, an environment of its own, and an end that is sure.
//!
//! What lies in a repository is somebody else's: no hook runs, no monitor, nothing that a file there could name.
//! Every process carries the mark of its run, so that what a killed agent leaves of it is swept with the run.

use std::ffi::{OsStr, OsString};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use swarm_tools::guard::RUN_MARK;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::Child;
use tokio_util::sync::CancellationToken;

use super::source::Source;

/// What is kept of what git says in the end.
const MAX_WORDS: usize = 1000;
/// What git may answer where nobody said otherwise.
const MAX_ANSWER: u64 = 4 * 1024 * 1024;
/// Between asking git to end, in which it removes its locks, and making sure.
const GRACE: Duration = Duration::from_secs(2);

/// What passes from the environment of the worker. The rest may hold a key, or change what git does.
const PASSED: [&str; 19] = [
    "PATH",
    "LANG",
    "TZ",
    "HTTP_PROXY",
    "HTTPS_PROXY",
    "NO_PROXY",
    "http_proxy",
    "https_proxy",
    "no_proxy",
    "SSL_CERT_FILE",
    "SSL_CERT_DIR",
    "SYSTEMROOT",
    "SYSTEMDRIVE",
    "WINDIR",
    "COMSPEC",
    "PATHEXT",
    "TMPDIR",
    "TEMP",
    "TMP",
];
/// By which git finds its owner's settings and credentials.
const OF_OWNER: [&str; 12] = [
    "HOME",
    "USER",
    "LOGNAME",
    "USERNAME",
    "USERPROFILE",
    "HOMEDRIVE",
    "HOMEPATH",
    "APPDATA",
    "LOCALAPPDATA",
    "XDG_CONFIG_HOME",
    "SSH_AUTH_SOCK",
    "DBUS_SESSION_BUS_ADDRESS",
];

/// Why git did not do what it was asked for.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GitError {
    /// It is not there.
    #[error("git is not on PATH")]
    Missing,
    /// It cannot be started, or not be read.
    #[error("git cannot be run")]
    Io(#[from] std::io::Error),
    /// It said no.
    #[error("{words}")]
    Failed {
        /// In its words.
        words: String,
    },
    /// It took too long.
    #[error("git took longer than {} s", after.as_secs())]
    TimedOut {
        /// After this time.
        after: Duration,
    },
    /// It said more than there is room for.
    #[error("git had more to say than {max} bytes")]
    TooMuch {
        /// How much there is room for.
        max: u64,
    },
    /// Somebody asked for the end.
    #[error("it was cancelled")]
    Cancelled,
}

/// The program, and as whom it works.
#[derive(Debug, Clone)]
pub(crate) struct Git {
    program: PathBuf,
    /// Settings that count before all others.
    settings: Vec<String>,
    /// One that nobody may read: everybody on the machine sees arguments.
    secret: Option<(String, String)>,
    env: Vec<(OsString, OsString)>,
}

/// How far a call may go.
#[derive(Debug)]
pub(crate) struct Bounds<'a> {
    pub(crate) time: Duration,
    pub(crate) cancel: &'a CancellationToken,
}

impl Git {
    /// Git that knows nobody: for what is done within a folder.
    pub(crate) fn of_nobody(mark: &str) -> Result<Self, GitError> {
        let null = if cfg!(windows) { "NUL" } else { "/dev/null" };
        let mut git = Self::bare(mark)?;
        git.set_env("GIT_CONFIG_GLOBAL", null);
        git.set_env("GIT_CONFIG_NOSYSTEM", "1");
        git.set_env("GIT_ALLOW_PROTOCOL", "");
        Ok(git)
    }

    /// Git that asks a repository: with its owner's settings and credentials where it is the owner's task.
    pub(crate) fn of_source(source: &Source, mark: &str) -> Result<Self, GitError> {
        let mut git = if source.is_of_owner() { Self::bare(mark)? } else { Self::of_nobody(mark)? };
        if source.is_of_owner() {
            git.env.extend(passed(&OF_OWNER));
            match std::env::var_os("GIT_SSH_COMMAND") {
                Some(command) => git.env.push(("GIT_SSH_COMMAND".into(), command)),
                // Nobody is there to be asked for a passphrase.
                None => git.set_env("GIT_SSH_COMMAND", "ssh -o BatchMode=yes"),
            }
        } else {
            git.set("credential.helper", "");
        }
        git.set_env("GIT_ALLOW_PROTOCOL", source.protocols());
        git.secret = source.credential().map(|(key, value)| (key.to_owned(), value.to_owned()));
        Ok(git)
    }

    fn bare(mark: &str) -> Result<Self, GitError> {
        let program = program().ok_or(GitError::Missing)?;
        let mut git = Self { program, settings: Vec::new(), secret: None, env: passed(&PASSED) };
        for (name, value) in [
            (RUN_MARK, mark),
            ("LC_ALL", "C"),
            ("GIT_TERMINAL_PROMPT", "0"),
            ("GIT_ASKPASS", ""),
            ("SSH_ASKPASS_REQUIRE", "never"),
            ("GCM_INTERACTIVE", "never"),
            ("GIT_OPTIONAL_LOCKS", "0"),
        ] {
            git.set_env(name, value);
        }
        let nowhere = if cfg!(windows) { "NUL" } else { "/dev/null" };
        for (key, value) in [
            ("core.hooksPath", nowhere),
            ("core.fsmonitor", "false"),
            ("core.askPass", ""),
            ("gc.auto", "0"),
            ("maintenance.auto", "false"),
            ("submodule.recurse", "false"),
            ("protocol.ext.allow", "never"),
            ("http.lowSpeedLimit", "1000"),
            ("http.lowSpeedTime", "60"),
            ("advice.detachedHead", "false"),
            ("advice.addEmbeddedRepo", "false"),
            ("core.safecrlf", "false"),
        ] {
            git.set(key, value);
        }
        Ok(git)
    }

    fn set(&mut self, key: &str, value: &str) {
        self.settings.push(format!("{key}={value}"));
    }

    fn set_env(&mut self, name: &str, value: impl Into<OsString>) {
        self.env.push((name.into(), value.into()));
    }

    /// The same for one repository, whatever the folder says that it works in.
    pub(crate) fn at(&self, git_dir: &Path) -> Self {
        self.with("GIT_DIR", git_dir)
    }

    /// The same with a variable.
    pub(crate) fn with(&self, name: &str, value: impl AsRef<OsStr>) -> Self {
        let mut git = self.clone();
        git.set_env(name, value.as_ref());
        git
    }

    /// The call as a command that nobody has started.
    fn command<S: AsRef<OsStr>>(&self, words: &[S]) -> Command {
        let mut command = Command::new(&self.program);
        for setting in &self.settings {
            command.args(["-c", setting]);
        }
        command.args(words).env_clear().envs(self.env.iter().map(|(name, value)| (name, value)));
        if let Some((key, value)) = &self.secret {
            command.env("GIT_CONFIG_COUNT", "1").env("GIT_CONFIG_KEY_0", key).env("GIT_CONFIG_VALUE_0", value);
        }
        command.stdin(Stdio::null());
        command
    }

    /// Runs it to its end on a thread that may block: for what asks nobody and is done in a moment.
    pub(crate) fn run_now<S: AsRef<OsStr>>(&self, words: &[S]) -> Result<String, GitError> {
        let output = self.command(words).output()?;
        if output.status.success() {
            return Ok(String::from_utf8_lossy(&output.stdout).trim_end().to_owned());
        }
        Err(GitError::Failed { words: end_of(&String::from_utf8_lossy(&output.stderr)) })
    }

    /// Runs it, and gives what it answers.
    pub(crate) async fn run<S: AsRef<OsStr>>(&self, words: &[S], bounds: &Bounds<'_>) -> Result<String, GitError> {
        let mut answer = Vec::new();
        self.run_into(words, bounds, &mut answer, MAX_ANSWER, |_| ()).await?;
        Ok(String::from_utf8_lossy(&answer).trim_end().to_owned())
    }

    /// Runs it; what it answers goes into `answer`, and what it tells of its progress to `heard`.
    pub(crate) async fn run_into<S: AsRef<OsStr>>(
        &self,
        words: &[S],
        bounds: &Bounds<'_>,
        answer: &mut (dyn tokio::io::AsyncWrite + Send + Unpin),
        max: u64,
        heard: impl FnMut(&str) + Send,
    ) -> Result<(), GitError> {
        let mut command = tokio::process::Command::from(self.command(words));
        command.stdout(Stdio::piped()).stderr(Stdio::piped()).kill_on_drop(true);
        // What git starts ends with it, and Ctrl-C in the terminal is for the worker.
        #[cfg(unix)]
        command.process_group(0);
        let mut going = Going::new(command.spawn()?);
        let Bounds { time, cancel } = *bounds;
        let ended = tokio::select! {
            ended = converse(&mut going.child, answer, max, heard) => ended,
            () = cancel.cancelled() => Err(GitError::Cancelled),
            () = tokio::time::sleep(time) => Err(GitError::TimedOut { after: time }),
        };
        if ended.is_err() {
            going.end().await;
        }
        going.is_over = true;
        ended
    }
}

/// Where git is.
pub(crate) fn program() -> Option<PathBuf> {
    which::which("git").ok()
}

fn passed(names: &[&str]) -> Vec<(OsString, OsString)> {
    names.iter().filter_map(|name| Some((OsString::from(name), std::env::var_os(name)?))).collect()
}

async fn converse(
    child: &mut Child,
    answer: &mut (dyn tokio::io::AsyncWrite + Send + Unpin),
    max: u64,
    heard: impl FnMut(&str) + Send,
) -> Result<(), GitError> {
    let (stdout, stderr) = (child.stdout.take(), child.stderr.take());
    let copied = async {
        let Some(stdout) = stdout else { return Ok(()) };
        let n = tokio::io::copy(&mut stdout.take(max + 1), answer).await?;
        answer.flush().await?;
        if n > max { Err(GitError::TooMuch { max }) } else { Ok(()) }
    };
    let listened = async {
        match stderr {
            Some(stderr) => listen(stderr, heard).await,
            None => Ok(String::new()),
        }
    };
    let ((), words) = tokio::try_join!(copied, listened)?;
    if child.wait().await?.success() { Ok(()) } else { Err(GitError::Failed { words: end_of(&words) }) }
}

/// Takes what git tells, line by line; a line of its progress ends with a return. Gives the end of all of it.
async fn listen(mut stderr: impl AsyncRead + Unpin, mut heard: impl FnMut(&str)) -> Result<String, GitError> {
    let (mut words, mut line, mut chunk) = (String::new(), Vec::new(), [0; 4096]);
    loop {
        let n = stderr.read(&mut chunk).await?;
        for byte in &chunk[..n] {
            if !matches!(byte, b'\n' | b'\r') {
                line.push(*byte);
                continue;
            }
            let text = String::from_utf8_lossy(&line);
            heard(text.trim());
            if *byte == b'\n' {
                words.push_str(text.trim());
                words.push('\n');
                words.drain(..words.ceil_char_boundary(words.len().saturating_sub(4 * MAX_WORDS)));
            }
            line.clear();
        }
        if n == 0 {
            words.push_str(&String::from_utf8_lossy(&line));
            return Ok(words);
        }
        // Without any end of a line it is no line.
        if line.len() > MAX_WORDS {
            line.clear();
        }
    }
}

/// What counts of git's words: those that tell of a failure, else the end.
fn end_of(words: &str) -> String {
    let lines: Vec<_> = words.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let tells = |line: &&&str| ["fatal:", "error:", "remote:", "ERROR:"].iter().any(|mark| line.starts_with(mark));
    let telling: Vec<_> = lines.iter().filter(tells).copied().collect();
    let kept = if telling.is_empty() { &lines[lines.len().saturating_sub(4)..] } else { &telling[..] };
    let text = kept.join("; ");
    text[..text.floor_char_boundary(MAX_WORDS)].to_owned()
}

/// A git that runs, and what it started. Dropped in the middle, all of it ends.
#[derive(Debug)]
struct Going {
    child: Child,
    #[cfg(unix)]
    group: Option<i32>,
    is_over: bool,
}

impl Going {
    fn new(child: Child) -> Self {
        Self {
            #[cfg(unix)]
            group: child.id().and_then(|id| i32::try_from(id).ok()),
            child,
            is_over: false,
        }
    }

    /// Ends it, softly first: then it takes its locks and halves with it.
    async fn end(&mut self) {
        self.signal(false);
        drop(tokio::time::timeout(GRACE, self.child.wait()).await);
        // Also what outlives git itself; nothing more can be done about one that outlives this.
        self.signal(true);
        drop(tokio::time::timeout(GRACE, self.child.wait()).await);
    }

    #[cfg(unix)]
    fn signal(&mut self, for_good: bool) {
        use nix::sys::signal::{Signal, killpg};
        let signal = if for_good { Signal::SIGKILL } else { Signal::SIGTERM };
        // A group without anybody left is no failure.
        if let Some(group) = self.group {
            killpg(nix::unistd::Pid::from_raw(group), signal).ok();
        }
    }

    #[cfg(not(unix))]
    fn signal(&mut self, _for_good: bool) {
        drop(self.child.start_kill());
    }
}

impl Drop for Going {
    fn drop(&mut self) {
        if !self.is_over {
            self.signal(true);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_tells_of_the_failure_is_kept() {
        let words = "Cloning...\nremote: Repository not found.\nReceiving 5%\nfatal: repository 'x' not found\n";
        assert_eq!(end_of(words), "remote: Repository not found.; fatal: repository 'x' not found");
        assert_eq!(end_of("one\n\ntwo\n"), "one; two");
    }

    #[test]
    fn a_credential_is_no_argument() {
        let source = Source::parse("https://ann:secret@git.example/a", true).unwrap();
        let command = Git::of_source(&source, "m").unwrap().command(&["fetch"]);
        assert!(command.get_args().all(|word| !word.to_string_lossy().contains("Basic")));
        assert!(command.get_envs().any(|(_, value)| value.is_some_and(|v| v.to_string_lossy().contains("Basic"))));
        let others = Source::parse("https://git.example/a", false).unwrap();
        let command = Git::of_source(&others, "m").unwrap().command(&["fetch"]);
        let names: Vec<_> = command.get_envs().map(|(name, _)| name.to_string_lossy().into_owned()).collect();
        assert!(!names.iter().any(|name| name == "HOME" || name.starts_with("SSH_AUTH")), "{names:?}");
    }
}
