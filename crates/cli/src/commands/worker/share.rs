//! Sharing workers with other people, and what they ran there.

use std::collections::BTreeSet;

use clap::{Args, ValueEnum};
use swarm_model::rights::WorkerRole;
use swarm_model::worker::ToolGrant;
use swarm_model::{Timestamp, ToolName, UserId};
use swarm_proto::workers::{ChangeWorker, ListRuns, RunOnWorker, Share, ShareWorker};

use super::find;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::table::{Table, styled};
use crate::readable::{DIM, NORMAL, WARN, ago, plain, span};

/// How people say "all of them".
const EVERYONE: &str = "everyone";

#[derive(Debug, Args)]
#[command(
    after_help = "Two must agree: the coordinator, which hears it here, and the machine itself, where its owner says
`garageswarm worker grant PERSON TOOL`. Neither lets anybody do more than the other does."
)]
pub(crate) struct ShareArgs {
    /// Your worker's name, its id, or the end of its id.
    worker: String,
    /// The name of the person; `everyone` opens it to all who have an account.
    person: String,
    /// What they may do.
    #[arg(long, value_enum, default_value = "operator")]
    role: Role,
    /// Only this tool; may be given several times. Every tool that the machine grants them unless said otherwise.
    #[arg(long = "tool", value_name = "TOOL")]
    tools: Vec<ToolName>,
    /// Runs of theirs at once.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    slots: Option<u32>,
}

#[derive(Debug, Args)]
pub(crate) struct UnshareArgs {
    /// Your worker's name, its id, or the end of its id.
    worker: String,
    /// The name or the id of the person; `everyone` closes it to all who have no role on it.
    person: String,
}

#[derive(Debug, Args)]
pub(crate) struct RunsArgs {
    /// Your worker's name, its id, or the end of its id.
    worker: String,
    /// The newest so many.
    #[arg(short = 'n', long, value_name = "N", default_value = "20", value_parser = clap::value_parser!(u16).range(1..=200))]
    limit: u16,
}

#[derive(Debug, Args)]
pub(crate) struct RenameArgs {
    /// Your worker's name, its id, or the end of its id.
    worker: String,
    /// What people call it from now on.
    name: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Role {
    /// Sees that it is there and how it is.
    Viewer,
    /// Sends tasks to it.
    Operator,
    /// Decides about it, like you.
    Owner,
}

impl From<Role> for WorkerRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Viewer => Self::Viewer,
            Role::Operator => Self::Operator,
            Role::Owner => Self::Owner,
        }
    }
}

pub(super) async fn shares(named: &str, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let worker = find(&client, named).await?;
    let shares = client.shares(worker.worker_id).await?;
    context.output.object(&shares, |shares| list(shares, worker.shared, context.now()))
}

pub(super) async fn share(args: ShareArgs, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let worker = find(&client, &args.worker).await?;
    let name = plain(&worker.machine_name);
    if args.person == EVERYONE {
        if !args.tools.is_empty() || args.slots.is_some() || !matches!(args.role, Role::Operator) {
            return Err(Failure::usage("what everyone may do is said on the machine alone").advise(
                "leave out --role, --tool and --slots; there: `garageswarm worker grant everyone TOOL --slots N`",
            ));
        }
        let change = ChangeWorker { shared: Some(true), ..ChangeWorker::default() };
        let worker = client.change_worker(worker.worker_id, &change).await?;
        context.output.object(&worker, |_| format!("{name} is open to everyone"))?;
        if !worker.capabilities.grants.iter().any(|grant| grant.user_id.is_none()) {
            context
                .output
                .remark("its machine grants them no tool yet; there: `garageswarm worker grant everyone TOOL`");
        }
        return Ok(());
    }
    let tools: BTreeSet<_> = args.tools.into_iter().collect();
    let wish = ShareWorker {
        username: args.person,
        role: Some(args.role.into()),
        tools: (!tools.is_empty()).then_some(tools),
        slots: args.slots,
    };
    let share = client.share_worker(worker.worker_id, &wish).await?;
    let person = plain(&share.username);
    context.output.object(&share, |share| format!("{person} is {} of {name}", share.role.as_str()))?;
    let is_usable = share.granted.iter().any(|grant| share.limits.admits(&grant.tool));
    if share.role != WorkerRole::Viewer && !is_usable {
        context.output.remark(&format!(
            "its machine grants them no such tool yet; there: `garageswarm worker grant {} TOOL`",
            share.user_id
        ));
    }
    Ok(())
}

pub(super) async fn unshare(args: UnshareArgs, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let worker = find(&client, &args.worker).await?;
    let name = plain(&worker.machine_name);
    if args.person == EVERYONE {
        let change = ChangeWorker { shared: Some(false), ..ChangeWorker::default() };
        client.change_worker(worker.worker_id, &change).await?;
        context.output.remark(&format!("{name} is open to those who have a role on it only"));
        return Ok(());
    }
    let by_id = args.person.parse::<UserId>().ok();
    let is_meant = |share: &Share| Some(share.user_id) == by_id || share.username.eq_ignore_ascii_case(&args.person);
    let share = client.shares(worker.worker_id).await?.into_iter().find(is_meant).ok_or_else(|| {
        Failure::new(Exit::Refused, format!("{name} is not shared with \"{}\"", plain(&args.person)))
            .advise(format!("`garageswarm worker shares {name}` shows with whom it is"))
    })?;
    client.unshare_worker(worker.worker_id, share.user_id).await?;
    context.output.remark(&format!("{} may no longer use {name}", plain(&share.username)));
    Ok(())
}

pub(super) async fn runs(args: RunsArgs, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let worker = find(&client, &args.worker).await?;
    let query = ListRuns { cursor: None, limit: Some(args.limit.into()) };
    let page = client.runs_on(worker.worker_id, &query).await?;
    context.output.object(&page, |page| run_list(&page.items, context.now()))
}

pub(super) async fn rename(args: RenameArgs, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let worker = find(&client, &args.worker).await?;
    let change = ChangeWorker { machine_name: Some(args.name), ..ChangeWorker::default() };
    let worker = client.change_worker(worker.worker_id, &change).await?;
    context.output.object(&worker, |worker| format!("it is called {} now", plain(&worker.machine_name)))
}

fn list(shares: &[Share], with_everyone: bool, now: Timestamp) -> String {
    let mut table = Table::new(&["PERSON", "ROLE", "TOOLS", "RUNS", "THE MACHINE GRANTS", "SINCE"]);
    for share in shares {
        let is_owner = share.role == WorkerRole::Owner;
        let tools = match &share.limits.tools {
            Some(tools) => tools.iter().map(ToolName::as_str).collect::<Vec<_>>().join(" "),
            None => "any".to_owned(),
        };
        let slots = share.limits.slots.map_or_else(|| "any".to_owned(), |slots| slots.to_string());
        let (granted, style) = match (grants(&share.granted), is_owner) {
            (_, true) => ("everything".to_owned(), NORMAL),
            (granted, _) if granted.is_empty() => ("nothing yet".to_owned(), WARN),
            (granted, _) => (granted, NORMAL),
        };
        table.row([
            styled(plain(&share.username), NORMAL),
            styled(share.role.as_str(), NORMAL),
            styled(tools, NORMAL),
            styled(slots, NORMAL),
            styled(granted, style),
            styled(ago(now, share.added_at), DIM),
        ]);
    }
    let people = table.or("nobody has a role on it");
    if with_everyone { format!("{people}\nopen to everyone who has an account") } else { people }
}

fn grants(granted: &[ToolGrant]) -> String {
    let one = |grant: &ToolGrant| match grant.slots {
        Some(slots) => format!("{} (at most {slots})", grant.tool),
        None => grant.tool.to_string(),
    };
    granted.iter().map(one).collect::<Vec<_>>().join(" ")
}

fn run_list(runs: &[RunOnWorker], now: Timestamp) -> String {
    let mut table = Table::new(&["TASK", "PERSON", "TOOL", "STATE", "TOOK", "COST", "WHEN"]);
    for run in runs {
        let state = run.failure_class.map_or_else(|| run.status.as_str().to_owned(), |class| class.to_string());
        let took = run.started_at.zip(run.ended_at).map(|(start, end)| span(end.since(start)));
        let cost = run.usage.cost_microusd.map(|micros| format!("${:.4}", micros as f64 / 1e6));
        let user = run.user_id.to_string();
        table.row([
            styled(format!("#{}", run.number), NORMAL),
            styled(&user[user.len() - 8..], DIM),
            styled(&run.tool, NORMAL),
            styled(state, NORMAL),
            styled(took.unwrap_or_else(|| "-".to_owned()), NORMAL),
            styled(cost.unwrap_or_else(|| "-".to_owned()), NORMAL),
            styled(ago(now, run.assigned_at), DIM),
        ]);
    }
    table.or("nothing ran on it yet")
}
