//! The real binary as people use it: started, talked to, killed, started again.
#![cfg(unix)]
#![expect(clippy::unwrap_used, clippy::panic, reason = "helpers of tests fail as tests do")]

mod account;
mod backups;
mod home;
mod panel;
mod refusals;
mod restarts;
mod tasks;
mod workers;
