//! The real binary as people use it: started, talked to, killed, started again.
#![cfg(unix)]

mod account;
mod backups;
mod home;
mod refusals;
mod restarts;
mod tasks;
mod workers;
