//! An agent as a process of its own, for tests that kill it: `probe DATA_DIR COORDINATOR KEY`, or `probe guard`.

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use swarm_agent::{Agent, AgentConfig, FileHost, Key};
use swarm_tools::{GuardBinary, guard};
use tokio_util::sync::CancellationToken;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    match arguments.iter().map(String::as_str).collect::<Vec<_>>()[..] {
        [guard::SUBCOMMAND] => guard::main(),
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

#[expect(clippy::print_stderr, reason = "the test that started this process reads it there")]
fn fail(error: &dyn std::error::Error) -> ExitCode {
    eprintln!("{error}");
    ExitCode::FAILURE
}
