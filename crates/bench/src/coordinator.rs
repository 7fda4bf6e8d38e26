//! The coordinator under measurement: a process of its own, as production runs it.
//!
//! This program starts itself again as the coordinator, through the same library, router and store that
//! `garageswarm serve` hosts, and gets the first user's token and a key from it on one line.

use std::io::{BufRead as _, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;

use anyhow::{Context as _, Result, ensure};
use serde::{Deserialize, Serialize};
use swarm_client::{Client, Coordinator};
use swarm_model::time::SystemClock;
use swarm_proto::keys::{CreateKey, KeyKind};
use swarm_server::ServerConfig;
use swarm_server::setup::bootstrap_first_user;
use swarm_store::{DatabaseUrl, Holder, OpenOptions, Stores};
use tempfile::TempDir;
use tokio_util::sync::CancellationToken;

/// What the coordinator says when it is ready.
#[derive(Debug, Serialize, Deserialize)]
struct Ready {
    url: String,
    token: String,
}

/// A coordinator that serves, until it is dropped.
#[derive(Debug)]
pub(crate) struct Running {
    child: Child,
    folder: TempDir,
    coordinator: Coordinator,
    client: Client,
    key: String,
}

impl Drop for Running {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// A process that is ended when it is dropped.
#[derive(Debug)]
pub(crate) struct Agent(Child);

impl Agent {
    pub(crate) fn pid(&self) -> u32 {
        self.0.id()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        end(&mut self.0);
    }
}

fn end(child: &mut Child) {
    // It may have ended by itself.
    child.kill().ok();
    child.wait().ok();
}

impl Running {
    /// Starts a coordinator with an empty store.
    pub(crate) async fn start(database: Option<&str>) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let mut command = Command::new(std::env::current_exe()?);
        command.arg("--serve").arg(folder.path());
        if let Some(database) = database {
            command.args(["--database", database]);
        }
        let mut child = command.stdout(Stdio::piped()).spawn()?;
        let mut line = String::new();
        let stdout = child.stdout.take().context("the coordinator has no output")?;
        BufReader::new(stdout).read_line(&mut line)?;
        let ready: Ready = serde_json::from_str(&line).context("the coordinator did not get ready")?;
        let coordinator = Coordinator::at(ready.url.parse()?)?;
        let client = coordinator.signed_in(ready.token);
        let key =
            CreateKey { kind: KeyKind::Worker, name: "bench".to_owned(), uses: Some(0), hours: Some(24), scopes: None };
        let key = client.create_key(&key).await?.secret;
        Ok(Self { child, folder, coordinator, client, key })
    }

    pub(crate) fn coordinator(&self) -> &Coordinator {
        &self.coordinator
    }

    pub(crate) fn client(&self) -> &Client {
        &self.client
    }

    pub(crate) fn key(&self) -> &str {
        &self.key
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Starts the real headless worker of `binary`.
    pub(crate) fn start_agent(&self, binary: &Path, more: &[&str]) -> Result<Agent> {
        let folder = self.folder();
        let key_file = folder.join("worker.key");
        std::fs::write(&key_file, &self.key)?;
        let child = Command::new(binary)
            .args([
                "worker",
                "run",
                "--name",
                "bench",
                "--coordinator",
                &self.coordinator.address().to_string(),
                "--key-file",
            ])
            .arg(&key_file)
            .args(more)
            .env("GARAGESWARM_DATA_DIR", folder.join("machine"))
            .env("GARAGESWARM_CONFIG_DIR", folder.join("config"))
            .env("GARAGESWARM_KEYCHAIN", "off")
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{} does not start: build it with `cargo xtask build`", binary.display()))?;
        Ok(Agent(child))
    }
}

/// Is the coordinator: serves until it is killed.
#[expect(clippy::print_stdout, reason = "the process that started this one reads the line")]
pub(crate) async fn serve(folder: &Path, database: Option<&str>) -> Result<()> {
    let data_dir = folder.join("coordinator");
    std::fs::create_dir_all(&data_dir)?;
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await?;
    let address = listener.local_addr()?;
    let url = match database {
        Some(url) => url.parse()?,
        None => DatabaseUrl::in_folder(&data_dir),
    };
    let holder = Holder::this_process("bench", address.to_string());
    let stores = Stores::open(&url, &OpenOptions::new(holder, data_dir.join("blobs"))).await?;
    let clock = Arc::new(SystemClock);
    let mut config = ServerConfig::default();
    config.server.listen = address;
    // The strangers of a flood name their addresses themselves.
    config.server.trusted_proxies = vec![address.ip()];
    config.storage.data_dir = data_dir;
    let first = bootstrap_first_user(&stores, &*clock, "bench").await?;
    let coordinator = swarm_server::Coordinator::start(config, stores, clock).await?;
    let token = coordinator.state().issue_cli_token(first.user_id).await?;
    println!("{}", serde_json::to_string(&Ready { url: format!("http://{address}"), token })?);
    coordinator.serve(listener, CancellationToken::new()).await?;
    Ok(())
}

/// Memory of a process: its resident set in MB.
pub(crate) fn memory_mb(pid: u32) -> Result<f64> {
    let status = std::fs::read_to_string(format!("/proc/{pid}/status")).context("memory is read from /proc")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("no VmRSS")?;
    let kilobytes: f64 = line.trim().trim_end_matches(" kB").parse()?;
    Ok(kilobytes / 1024.0)
}

/// Processor time of a process so far, in seconds (`proc(5)`: fields 14 and 15, in ticks of 10 ms).
pub(crate) fn cpu_seconds(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).context("processor time is read from /proc")?;
    let (_, fields) = stat.rsplit_once(") ").context("an odd /proc/stat")?;
    let fields: Vec<&str> = fields.split(' ').collect();
    ensure!(fields.len() > 12, "an odd /proc/stat");
    Ok((fields[11].parse::<f64>()? + fields[12].parse::<f64>()?) / 100.0)
}
