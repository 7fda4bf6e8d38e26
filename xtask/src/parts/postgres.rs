//! A PostgreSQL server of our own, in a temporary folder, on loopback, for as long as the tests run.
//!
//! PostgreSQL refuses to run as root: there it runs as the user of its package. It ends with us, also when we are
//! killed (on Linux, by the signal of a parent's death), and leaves nothing behind when we end in order.

use std::{
    fs,
    net::{Ipv4Addr, TcpListener},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    thread,
    time::{Duration, Instant},
};

use anyhow::{Context, Result, bail};

use super::{apt, on_path};
use crate::cargo::{output, run};

const PATIENCE: Duration = Duration::from_secs(30);

/// The folder with `initdb` and `postgres`: on PATH, or where Debian hides it.
pub(crate) fn programs() -> Option<PathBuf> {
    let on_path = on_path("initdb").and_then(|path| fs::canonicalize(path).ok()).and_then(|path| {
        let folder = path.parent()?.to_owned();
        folder.join("postgres").is_file().then_some(folder)
    });
    on_path.or_else(|| {
        let versions = fs::read_dir("/usr/lib/postgresql").ok()?.flatten().map(|entry| entry.path().join("bin"));
        versions.filter(|folder| folder.join("postgres").is_file()).max()
    })
}

/// Whether what is committed must be on the disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Durability {
    /// For tests: the server is thrown away, and nobody cuts its power.
    Off,
    /// For measurements.
    On,
}

/// A running server, empty; it is thrown away in the end.
#[derive(Debug)]
pub(crate) struct Server {
    child: Child,
    folder: PathBuf,
    port: u16,
}

impl Server {
    pub(crate) fn start(programs: &Path, durability: Durability) -> Result<Self> {
        let folder = std::env::temp_dir().join(format!("garageswarm-postgres-{}", std::process::id()));
        fs::create_dir(&folder).with_context(|| folder.display().to_string())?;
        let started = Self::start_in(programs, &folder, durability);
        if started.is_err() {
            // The reason counts more than what stays behind.
            drop(fs::remove_dir_all(&folder));
        }
        started
    }

    fn start_in(programs: &Path, folder: &Path, durability: Durability) -> Result<Self> {
        let user = unprivileged()?;
        if let Some(user) = &user {
            run(Command::new("chown").arg(format!("{}:{}", user.uid, user.gid)).arg(folder))?;
        }
        let data = folder.join("data");
        let mut initdb = as_user(user.as_ref(), &programs.join("initdb"));
        initdb.args(["--username=postgres", "--auth=trust", "--encoding=UTF8", "--locale=C", "--no-sync", "--pgdata"]);
        output(initdb.arg(&data).current_dir("/"))?;

        let port = TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?.local_addr()?.port();
        let mut postgres = as_user(user.as_ref(), &programs.join("postgres"));
        postgres.arg("-D").arg(&data).arg("-k").arg(folder).args(["-h", "127.0.0.1", "-p", &port.to_string()]);
        let fsync = if durability == Durability::On { "fsync=on" } else { "fsync=off" };
        postgres.args(["-c", fsync, "-c", "max_connections=200"]).current_dir("/");
        let log = fs::File::create(folder.join("log"))?;
        let child = postgres.stdin(Stdio::null()).stdout(log.try_clone()?).stderr(log).spawn()?;
        let server = Self { child, folder: folder.to_owned(), port };
        server.wait_until_ready(programs)
    }

    fn wait_until_ready(mut self, programs: &Path) -> Result<Self> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let mut ready = Command::new(programs.join("pg_isready"));
            ready.args(["-q", "-h", "127.0.0.1", "-p", &self.port.to_string()]);
            if ready.status()?.success() {
                return Ok(self);
            }
            if self.child.try_wait()?.is_some() || Instant::now() > deadline {
                bail!("it does not start: {}", fs::read_to_string(self.folder.join("log")).unwrap_or_default());
            }
            thread::sleep(Duration::from_millis(50));
        }
    }

    /// Where the tests find it. Each of them makes a database or schema of its own.
    pub(crate) fn url(&self) -> String {
        format!("postgres://postgres@127.0.0.1:{}/postgres", self.port)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // SIGQUIT is PostgreSQL's immediate stop; a SIGKILL would leave its children.
        let asked = Command::new("kill").args(["-QUIT", &self.child.id().to_string()]).status();
        if !asked.is_ok_and(|status| status.success()) {
            drop(self.child.kill());
        }
        drop(self.child.wait());
        drop(fs::remove_dir_all(&self.folder));
    }
}

struct User {
    uid: String,
    gid: String,
}

/// Who runs the server: somebody else if we are root.
fn unprivileged() -> Result<Option<User>> {
    if !apt::is_root() {
        return Ok(None);
    }
    let id = |flag, name| {
        let output = Command::new("id").args([flag, name]).stderr(Stdio::null()).output().ok()?;
        output.status.success().then(|| String::from_utf8_lossy(output.stdout.trim_ascii()).into_owned())
    };
    ["postgres", "nobody"]
        .into_iter()
        .find_map(|name| Some(User { uid: id("-u", name)?, gid: id("-g", name)? }))
        .map(Some)
        .context("PostgreSQL does not run as root, and there is neither a user `postgres` nor `nobody`")
}

/// A command as that user, which ends when we do where the system can do that.
fn as_user(user: Option<&User>, program: &Path) -> Command {
    if !cfg!(target_os = "linux") || on_path("setpriv").is_none() {
        return Command::new(program);
    }
    let mut command = Command::new("setpriv");
    if let Some(user) = user {
        command.args(["--reuid", &user.uid, "--regid", &user.gid, "--clear-groups"]);
    }
    command.args(["--pdeathsig", "QUIT", "--"]).arg(program);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_server_starts_answers_and_goes_without_a_trace() {
        let Some(programs) = programs() else {
            println!("left out: PostgreSQL (apt-get install postgresql)");
            return;
        };
        let server = Server::start(&programs, Durability::Off).unwrap();
        let (folder, port) = (server.folder.clone(), server.port);
        assert!(std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_ok());
        drop(server);
        assert!(!folder.exists());
        assert!(std::net::TcpStream::connect((Ipv4Addr::LOCALHOST, port)).is_err());
    }
}
