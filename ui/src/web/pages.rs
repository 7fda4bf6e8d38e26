//! The pages.

mod account;
mod first_run;
mod home;
mod missing;
mod register;
mod signin;
mod task;
mod tasks;
mod tools;
mod usage;
mod workers;

pub(crate) use account::Account;
pub(crate) use home::Home;
pub(crate) use missing::Missing;
pub(crate) use register::{Already, Register};
pub(crate) use signin::SignIn;
pub(crate) use task::Task;
pub(crate) use tasks::Tasks;
pub(crate) use tools::Tools;
pub(crate) use usage::Usage;
pub(crate) use workers::Workers;
