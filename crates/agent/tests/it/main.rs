//! The agent against a coordinator that does as the test says, over real sockets, with real runs.
#![expect(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::print_stderr,
    reason = "helpers of tests fail as tests do"
)]

mod coordinator;
mod crash;
mod ending;
#[cfg(target_os = "linux")]
mod folders;
mod session;
#[cfg(unix)]
mod steering;
#[cfg(target_os = "linux")]
mod weight;
