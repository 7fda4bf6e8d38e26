//! `garageswarm task budget`: how much one task may use. One that waits for more goes on with it.

use clap::Args;
use swarm_client::Client;
use swarm_model::task::Limits;
use swarm_model::{TaskRef, TaskStatus};
use swarm_proto::tasks::{Task, UpdateTask};

use super::missing;
use crate::commands::budget::read_dollars;
use crate::context::Context;
use crate::failure::Failure;

#[derive(Debug, Args)]
#[group(id = "more", required = true, multiple = true, args = ["tokens", "cost"])]
pub(crate) struct BudgetArgs {
    /// Its number, as 12 or #12, or its id.
    task: TaskRef,
    /// Tokens that it may use in all, in and out.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    tokens: Option<u64>,
    /// US dollars that it may cost in all.
    #[arg(long, value_name = "DOLLARS", value_parser = read_dollars)]
    cost: Option<u64>,
}

pub(super) async fn run(args: BudgetArgs, context: &Context, client: &Client) -> Result<(), Failure> {
    let task = client.task(args.task).await.map_err(|error| missing(error, args.task))?;
    let limits = Limits {
        tokens: args.tokens.or(task.limits.tokens),
        cost_microusd: args.cost.or(task.limits.cost_microusd),
        ..task.limits
    };
    let change = UpdateTask { version: task.version, description: None, priority: None, limits: Some(limits) };
    let changed = client.update_task(task.task_id, &change).await?;
    context.output.object(&changed, words)
}

fn words(task: &Task) -> String {
    let number = task.number;
    match (task.status, &task.wait_detail) {
        (TaskStatus::Waiting, Some(detail)) => format!("task #{number} still waits: {detail}"),
        _ => format!("task #{number} is {}", task.status),
    }
}
