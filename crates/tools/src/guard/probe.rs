//! The probe: a program that tries to get at what a run must not see, and tells what it got.
//!
//! The worker starts it exactly as it starts a tool, so that what it says holds for tools too. It is our own binary,
//! because that is there on every machine. It reads and connects, and writes nothing that is not empty.

use std::io::Write as _;
use std::net::{SocketAddr, TcpStream};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use serde::{Deserialize, Serialize};

/// The word behind the guard's own that selects the probe.
pub const PROBE: &str = "probe";

/// How long a connection may take: all of them are on this machine.
const PATIENCE: Duration = Duration::from_secs(2);

/// What the probe tries to get at.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Targets {
    /// A file in the worker's data folder.
    pub secret: PathBuf,
    /// A socket in the worker's data folder.
    pub socket: PathBuf,
    /// A socket without a file.
    pub nameless_socket: String,
    /// The person's home folder, and which one it is.
    pub home: Option<(PathBuf, u64)>,
    /// The worker.
    pub process: u32,
    /// An address of this machine that nobody allowed.
    pub forbidden: SocketAddr,
    /// One that was allowed.
    pub permitted: SocketAddr,
}

impl Targets {
    /// What the probe tries to make beside the secret.
    pub(crate) fn mark(&self) -> PathBuf {
        self.secret.with_extension("mark")
    }
}

/// What a probe got at.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Sight {
    /// It wrote into its own working folder, as it should.
    Work,
    /// It reached the address that was allowed, as it should.
    Permitted,
    /// It read the secret.
    Secret,
    /// It wrote beside it, as the worker found.
    Writes,
    /// It saw the person's home.
    Home,
    /// It read the worker's environment, or could have sent it a signal.
    Process,
    /// It reached the worker's socket.
    Socket,
    /// It reached a socket without a file.
    NamelessSocket,
    /// It reached the address that was not allowed.
    Forbidden,
}

impl Sight {
    /// What it got, for people.
    pub fn sentence(self) -> &'static str {
        match self {
            Self::Work => "it wrote into its working folder",
            Self::Permitted => "it reached the address that was allowed",
            Self::Secret => "it read a secret file of the worker",
            Self::Writes => "it wrote into the worker's folder",
            Self::Home => "it saw the home folder",
            Self::Process => "it got at the worker's process",
            Self::Socket => "it reached a socket of the worker",
            Self::NamelessSocket => "it reached a socket without a file",
            Self::Forbidden => "it reached a forbidden address",
        }
    }
}

/// Tries everything, and prints what it got as one line.
pub(super) fn main(targets: Option<&str>) -> ExitCode {
    let Some(targets) = targets.and_then(|text| serde_json::from_str(text).ok()) else { return ExitCode::from(2) };
    let told = serde_json::to_vec(&look(&targets)).map(|line| std::io::stdout().write_all(&line));
    if matches!(told, Ok(Ok(()))) { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

fn look(targets: &Targets) -> Vec<Sight> {
    let Targets { secret, forbidden, permitted, .. } = targets;
    let reaches = |address: &SocketAddr| TcpStream::connect_timeout(address, PATIENCE).is_ok();
    let tries = [
        (Sight::Work, std::fs::write("probe", "").is_ok()),
        (Sight::Permitted, reaches(permitted)),
        (Sight::Secret, std::fs::read(secret).is_ok() || through_the_process(targets)),
        (Sight::Home, sees_home(targets)),
        (Sight::Process, gets_at_process(targets)),
        (Sight::Socket, connects_to_socket(targets)),
        (Sight::NamelessSocket, connects_to_nameless_socket(targets)),
        (Sight::Forbidden, reaches(forbidden)),
    ];
    // The worker looks for it: a folder of that name can be the run's own.
    drop(std::fs::write(targets.mark(), ""));
    tries.into_iter().filter_map(|(sight, got)| got.then_some(sight)).collect()
}

/// By way of the worker's own root, and of the first process's.
fn through_the_process(targets: &Targets) -> bool {
    let Ok(path) = targets.secret.strip_prefix("/") else { return false };
    ["1".to_owned(), targets.process.to_string()]
        .iter()
        .any(|process| std::fs::read(PathBuf::from("/proc").join(process).join("root").join(path)).is_ok())
}

#[cfg(unix)]
fn sees_home(targets: &Targets) -> bool {
    use std::os::unix::fs::MetadataExt as _;
    let Some((home, which)) = &targets.home else { return false };
    std::fs::metadata(home).is_ok_and(|found| found.ino() == *which)
}

#[cfg(not(unix))]
fn sees_home(targets: &Targets) -> bool {
    targets.home.as_ref().is_some_and(|(home, _)| std::fs::read_dir(home).is_ok())
}

#[cfg(unix)]
fn gets_at_process(targets: &Targets) -> bool {
    use nix::sys::signal::kill;
    use nix::unistd::Pid;
    let number = targets.process.cast_signed();
    // In a namespace of its own the number is nobody's, or that of another process of the run.
    std::fs::read(format!("/proc/{number}/environ")).is_ok_and(|read| !read.is_empty())
        || kill(Pid::from_raw(number), None).is_ok()
}

#[cfg(not(unix))]
fn gets_at_process(_targets: &Targets) -> bool {
    false
}

#[cfg(unix)]
fn connects_to_socket(targets: &Targets) -> bool {
    std::os::unix::net::UnixStream::connect(&targets.socket).is_ok()
}

#[cfg(not(unix))]
fn connects_to_socket(_targets: &Targets) -> bool {
    false
}

#[cfg(target_os = "linux")]
fn connects_to_nameless_socket(targets: &Targets) -> bool {
    use std::os::linux::net::SocketAddrExt as _;
    use std::os::unix::net::{SocketAddr, UnixStream};
    SocketAddr::from_abstract_name(&targets.nameless_socket)
        .is_ok_and(|address| UnixStream::connect_addr(&address).is_ok())
}

#[cfg(not(target_os = "linux"))]
fn connects_to_nameless_socket(_targets: &Targets) -> bool {
    false
}
