//! Every word of the panel, by page. Say what is, then why, then what happens next; sentence case; unknown is said.

pub mod account;
pub mod home;
pub mod log;
pub mod register;
pub mod shell;
pub mod signin;
pub mod task;
pub mod tasks;
pub mod workers;
