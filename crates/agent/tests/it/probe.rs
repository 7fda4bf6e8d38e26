//! An agent as a process of its own, for tests that kill it: `probe DATA_DIR COORDINATOR KEY`, or `probe guard`; and
//! a stranger at its control socket: `probe knock SOCKET`.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use swarm_agent::{Agent, AgentConfig, FileHost, Key};
use swarm_tools::{GuardBinary, guard};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [guard::SUBCOMMAND, ..] => guard::main(),
        #[cfg(unix)]
        ["knock", socket] => match knock(socket) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&error),
        },
        [data_dir, coordinator, key] => match live(data_dir, coordinator, key) {
            Ok(()) => ExitCode::SUCCESS,
            Err(error) => fail(&*error),
        },
        _ => ExitCode::from(2),
    }
}

#[tokio::main(flavor = "current_thread")]
async fn live(data_dir: &str, coordinator: &str, key: &str) -> Result<(), Box<dyn std::error::Error>> {
    let config = AgentConfig {
        coordinator: Some(coordinator.parse()?),
        key: Some(Key::new(key)),
        slots: Some(4),
        allow_tools: vec!["command".parse()?],
        drain: Duration::from_secs(1),
        ..AgentConfig::default()
    };
    let host = Arc::new(FileHost::new(data_dir, GuardBinary::current()?));
    Agent::run(config, host, CancellationToken::new()).await?;
    Ok(())
}

/// Asks how the agent stands, and prints what comes.
#[cfg(unix)]
fn knock(socket: &str) -> std::io::Result<()> {
    use std::io::{Read as _, Write as _};
    let mut stream = std::os::unix::net::UnixStream::connect(socket)?;
    // Where it was turned away already, nothing comes.
    drop(stream.write_all(b"{\"v\":1,\"ask\":\"status\"}\n"));
    stream.shutdown(std::net::Shutdown::Write)?;
    let mut heard = Vec::new();
    drop(stream.read_to_end(&mut heard));
    std::io::stdout().write_all(&heard)
}

#[expect(clippy::print_stderr, reason = "the test that started this process reads it there")]
fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}
