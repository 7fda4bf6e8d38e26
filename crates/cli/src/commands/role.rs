//! `garageswarm role`: who plans, writes, reviews, deploys and supervises for you, best first.

use clap::{Args, Subcommand};
use swarm_model::{AtLimit, ModelChoice, Role};
use swarm_proto::roles::{RoleList, Roles, SetAtLimit, SetRole};

use crate::context::Context;
use crate::failure::Failure;
use crate::output::table::{Table, styled};
use crate::readable::{BOLD, DIM, NORMAL, plain};

#[derive(Debug, Subcommand)]
pub(crate) enum RoleCommand {
    /// Every role with who does it, and what happens at a limit.
    List,
    /// Who does a role.
    Show(OneRole),
    /// Choose who does a role, or what your tasks do at a limit of an account.
    Set(SetArgs),
    /// Take the shipped list of a role again.
    Reset(OneRole),
}

#[derive(Debug, Args)]
pub(crate) struct OneRole {
    /// planner, coder, reviewer, deployer or supervisor.
    role: Role,
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  garageswarm role set coder claude-code gemini-cli:gemini-2.5-pro ollama:qwen3:8b
  garageswarm role set --at-limit next")]
pub(crate) struct SetArgs {
    /// planner, coder, reviewer, deployer or supervisor.
    #[arg(required_unless_present = "at_limit", requires = "entries")]
    role: Option<Role>,
    /// Who does it, best first, as TOOL or TOOL:MODEL.
    #[arg(value_name = "TOOL[:MODEL]")]
    entries: Vec<ModelChoice>,
    /// What a task with such a list does at a limit of an account: wait, or go on with the next entry.
    #[arg(long, value_name = "RULE")]
    at_limit: Option<AtLimit>,
}

pub(crate) async fn run(command: RoleCommand, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        RoleCommand::List => context.output.object(&client.roles().await?, list),
        RoleCommand::Show(args) => context.output.object(&client.role(args.role).await?, show),
        RoleCommand::Set(args) => {
            if let Some(at_limit) = args.at_limit {
                let roles = client.set_at_limit(&SetAtLimit { at_limit }).await?;
                if args.role.is_none() {
                    return context.output.object(&roles, list);
                }
            }
            let Some(role) = args.role else { return Ok(()) };
            let chosen = client.set_role(role, &SetRole { entries: args.entries }).await?;
            context.output.object(&chosen, show)
        }
        RoleCommand::Reset(args) => {
            client.reset_role(args.role).await?;
            context.output.object(&client.role(args.role).await?, show)
        }
    }
}

fn entries(list: &RoleList) -> String {
    list.entries.iter().map(|entry| plain(&entry.to_string())).collect::<Vec<_>>().join(", ")
}

fn from(list: &RoleList) -> &'static str {
    if list.is_own { "yours" } else { "shipped" }
}

fn show(list: &RoleList) -> String {
    let mut lines = vec![format!("{BOLD}{}{BOLD:#} {DIM}{}{DIM:#}", list.role, from(list))];
    let numbered = (1..).zip(&list.entries).map(|(n, entry)| format!("{n}. {}", plain(&entry.to_string())));
    lines.extend(numbered);
    lines.join("\n")
}

fn list(roles: &Roles) -> String {
    let mut table = Table::new(&["ROLE", "LIST", "BEST FIRST"]);
    for role in &roles.items {
        table.row([styled(role.role, BOLD), styled(from(role), DIM), styled(entries(role), NORMAL)]);
    }
    let rule = match roles.at_limit {
        AtLimit::Wait => "at a limit of an account a task waits",
        AtLimit::Next => "at a limit of an account a task goes on with the next entry",
    };
    let table = table.or("");
    format!("{table}\n\n{DIM}{rule}; shipped lists are of {}{DIM:#}", roles.shipped_as_of)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn roles_in_words() {
        let roles = Roles {
            at_limit: AtLimit::Wait,
            shipped_as_of: "2026-11-21".to_owned(),
            items: vec![RoleList {
                role: Role::Coder,
                is_own: true,
                entries: vec!["codex".parse().unwrap(), "ollama:qwen3:8b".parse().unwrap()],
            }],
        };
        let text = format!("{}\n\n{}", list(&roles), show(&roles.items[0]));
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
    }
}
