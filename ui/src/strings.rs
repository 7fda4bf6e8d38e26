//! Every word of the panel, by page. Say what is, then why, then what happens next; sentence case; unknown is said.

pub mod account;
pub mod budgets;
pub mod home;
pub mod limits;
pub mod log;
pub mod record;
pub mod register;
pub mod shell;
pub mod signin;
pub mod task;
pub mod tasks;
pub mod tools;
pub mod usage;
pub mod workers;
