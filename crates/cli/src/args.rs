//! The words of the command line.

use clap::{Args, Parser, Subcommand};
use swarm_client::Address;

use crate::commands::{
    account, audit, backup, budget, completions, config, discover, doctor, key, role, serve, session, swarm, task,
    tool, up, usage, user, worker,
};
use crate::readable::{STYLES, exit_codes};

/// Run your own AI swarm on the machines you already own.
#[derive(Debug, Parser)]
#[command(name = "garageswarm", version, styles = STYLES, after_help = exit_codes(), propagate_version = true)]
pub(crate) struct Cli {
    #[command(flatten)]
    pub(crate) global: Global,
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What every command understands.
#[derive(Debug, Clone, Default, Args)]
#[command(next_help_heading = "Everywhere")]
pub(crate) struct Global {
    /// Print JSON: the same objects and field names as the REST interface.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    /// The coordinator to talk to; the one signed in to last unless said otherwise.
    #[arg(long, global = true, value_name = "URL", env = "GARAGESWARM_URL", hide_env_values = true)]
    pub(crate) coordinator: Option<Address>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Start everything here: coordinator, panel and a local worker. The one command for a new machine.
    Up(up::UpArgs),
    /// Start the coordinator alone.
    Serve(serve::ServeArgs),
    /// Run a worker on this machine, and steer the workers of the swarm.
    #[command(subcommand)]
    Worker(worker::WorkerCommand),
    /// Submit tasks, watch them, end them.
    #[command(subcommand)]
    Task(task::TaskCommand),
    /// The tools of this machine: what is found, its settings, its keys.
    #[command(subcommand)]
    Tool(tool::ToolCommand),
    /// Keys: `worker` keys enrol machines, `api` keys act for you in programs.
    #[command(subcommand)]
    Key(key::KeyCommand),
    /// The people of the swarm, for admins: invite them, let them go.
    #[command(subcommand)]
    User(user::UserCommand),
    /// Where you are signed in.
    #[command(subcommand)]
    Session(session::SessionCommand),
    /// Set your password, or a new one. Every other session ends.
    Password,
    /// Who changed which right, key, setting or worker; of everybody for an admin, else what you did.
    Audit(audit::AuditArgs),
    /// Sign this command line in.
    Login(account::LoginArgs),
    /// Sign this command line out.
    Logout,
    /// Who is signed in, and where.
    Whoami,
    /// The coordinators on the local network.
    Discover(discover::DiscoverArgs),
    /// The swarm at a glance.
    Status,
    /// What was used: runs, tokens, money and time of your tasks and on your machines; of everybody for an admin.
    Usage(usage::UsageArgs),
    /// How many tokens, or how much money, may be used in a day, in a month, or in all.
    #[command(subcommand)]
    Budget(budget::BudgetCommand),
    /// Who plans, writes, reviews, deploys and supervises for you: lists of tools and models, best first.
    #[command(subcommand)]
    Role(role::RoleCommand),
    /// Serve the swarm to an AI client that starts this program, over the Model Context Protocol.
    #[command(after_help = "Examples:
  claude mcp add garageswarm -- garageswarm mcp
  codex mcp add garageswarm -- garageswarm mcp
It acts as whom this command line is signed in, or as the key in GARAGESWARM_TOKEN. docs/mcp.md has more.")]
    Mcp,
    /// Pause or resume the whole swarm.
    #[command(subcommand)]
    Swarm(swarm::SwarmCommand),
    /// The coordinator's settings.
    #[command(subcommand)]
    Config(config::ConfigCommand),
    /// What is found on this machine, what is missing, and how to mend it.
    Doctor(doctor::DoctorArgs),
    /// Copy the embedded store to a folder, while the coordinator runs.
    Backup(backup::BackupArgs),
    /// Put a backup in place of the embedded store.
    Restore(backup::RestoreArgs),
    /// Print a script that completes these commands in a shell.
    Completions(completions::CompletionsArgs),
    /// Owns the processes of one run. Started by the worker only.
    #[command(hide = true)]
    Guard,
}

#[cfg(test)]
mod tests;
