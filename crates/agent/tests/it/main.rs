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
#[cfg(target_os = "linux")]
mod isolation;
#[cfg(target_os = "linux")]
#[expect(
    dead_code,
    unreachable_pub,
    reason = "the file belongs to the testkit, whose other parts would pull in the server"
)]
#[path = "../../../testkit/src/model_server.rs"]
mod model_server;
#[cfg(target_os = "linux")]
mod resume;
mod session;
#[cfg(unix)]
mod steering;
#[cfg(target_os = "linux")]
mod weight;
