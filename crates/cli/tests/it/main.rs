//! The real binary as people use it: started, talked to, killed, started again.
#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]
#![expect(clippy::print_stdout, reason = "what is left out is said")]

mod account;
mod backups;
#[cfg(target_os = "linux")]
mod canary;
mod cascades;
mod consent;
mod hardships;
mod home;
#[cfg(target_os = "linux")]
mod isolation;
mod keychains;
mod lan;
mod machine;
mod mcp;
#[cfg(target_os = "linux")]
mod namespaces;
mod panel;
mod plain_http;
mod refusals;
mod restarts;
mod sessions;
mod tasks;
mod tools;
mod workers;
