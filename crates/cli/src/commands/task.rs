//! `garageswarm task`: from submitting to the result.

mod budget;
mod record;
mod submit;
mod wait;
mod words;

use std::io::IsTerminal as _;
use std::time::Duration;

use clap::{Args, Subcommand};
use swarm_client::{Client, ClientError};
use swarm_model::{TaskRef, TaskStatus, ToolName};
use swarm_proto::ErrorCode;
use swarm_proto::tasks::{ListTasks, Task};

use crate::commands::worker;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::follow::{Follower, Printer};
use crate::readable::read_span;

#[derive(Debug, Subcommand)]
pub(crate) enum TaskCommand {
    /// Submit a prompt, or a command with `--tool command -- ARGV...`.
    Submit(submit::SubmitArgs),
    /// Your tasks, newest first.
    List(ListArgs),
    /// One task with its result, and what became of each attempt.
    Show(OneTask),
    /// What a task said.
    Logs(LogsArgs),
    /// End tasks: the whole tree of processes, where they run.
    Cancel(Tasks),
    /// Submit ended tasks anew.
    Retry(Tasks),
    /// How much a task may use. One that waits for more goes on with it.
    Budget(budget::BudgetArgs),
    /// Why a task is where it is, or why nothing fits.
    Placement(OneTask),
}

#[derive(Debug, Args)]
pub(crate) struct ListArgs {
    /// Only these states: queued, assigned, running, waiting, completed, failed, cancelled.
    #[arg(long, value_name = "STATE", value_delimiter = ',', value_parser = read_status)]
    status: Vec<TaskStatus>,
    /// Only those that wish for this tool.
    #[arg(long)]
    tool: Option<ToolName>,
    /// Only those that this worker has, or had last.
    #[arg(long)]
    worker: Option<String>,
    /// Only those whose prompt has this text.
    #[arg(long)]
    text: Option<String>,
    /// Only those submitted so long ago at most, as 2h.
    #[arg(long, value_name = "TIME", value_parser = read_span)]
    since: Option<Duration>,
    /// How many, at most 500.
    #[arg(long, value_name = "N", default_value_t = 50, value_parser = clap::value_parser!(u32).range(1..=500))]
    limit: u32,
    /// Where the last page ended.
    #[arg(long)]
    cursor: Option<String>,
}

#[derive(Debug, Args)]
pub(crate) struct OneTask {
    /// Its number, as 12 or #12, or its id.
    task: TaskRef,
}

#[derive(Debug, Args)]
pub(crate) struct Tasks {
    /// Numbers or ids.
    #[arg(required = true, value_name = "TASK")]
    tasks: Vec<TaskRef>,
}

#[derive(Debug, Args)]
pub(crate) struct LogsArgs {
    /// Its number, as 12 or #12, or its id.
    task: TaskRef,
    /// Go on until the task ends; the exit code says how.
    #[arg(short, long)]
    follow: bool,
    /// Only what comes after the entry with this number.
    #[arg(long, value_name = "SEQ", default_value_t = 0)]
    after: u64,
}

fn read_status(text: &str) -> Result<TaskStatus, String> {
    TaskStatus::parse(text).ok_or_else(|| {
        let names = TaskStatus::ALL.map(TaskStatus::as_str).join(", ");
        format!("there is no such state; there are {names}")
    })
}

pub(crate) async fn run(command: TaskCommand, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        TaskCommand::Submit(args) => submit::run(args, context, &client).await,
        TaskCommand::List(args) => list(args, context, &client).await,
        TaskCommand::Show(args) => {
            let task = client.task(args.task).await.map_err(|error| missing(error, args.task))?;
            let machines = words::machines(&client, &task, context.output).await;
            context.output.object(&task, |task| words::show(task, &machines, context.now()))
        }
        TaskCommand::Logs(args) => logs(args, context, &client).await,
        TaskCommand::Cancel(args) => {
            let mut kept = Vec::new();
            for task in args.tasks {
                kept.push(client.cancel_task(task).await.map_err(|error| missing(error, task))?);
            }
            tell(context, &kept, words::cancelled)
        }
        TaskCommand::Retry(args) => {
            let mut new = Vec::new();
            for task in args.tasks {
                new.push(client.retry_task(task).await.map_err(|error| missing(error, task))?);
            }
            tell(context, &new, words::submitted)
        }
        TaskCommand::Budget(args) => budget::run(args, context, &client).await,
        TaskCommand::Placement(args) => {
            let placement = client.placement(args.task).await.map_err(|error| missing(error, args.task))?;
            context.output.object(&placement, words::placement)
        }
    }
}

/// Says which task is not there, and where to look.
fn missing(error: ClientError, task: TaskRef) -> Failure {
    if error.code() != Some(ErrorCode::NotFound) {
        return error.into();
    }
    Failure::new(Exit::Refused, format!("there is no task {task}, or you may not see it"))
        .advise("`garageswarm task list` shows yours")
}

/// One object where one was named, as REST gives it; each on its own where there are several.
fn tell(context: &Context, tasks: &[Task], words: impl Fn(&Task) -> String) -> Result<(), Failure> {
    tasks.iter().try_for_each(|task| context.output.object(task, &words))
}

async fn list(args: ListArgs, context: &Context, client: &Client) -> Result<(), Failure> {
    let worker_id = match &args.worker {
        Some(named) => Some(worker::find(client, named).await?.worker_id),
        None => None,
    };
    let statuses: Vec<_> = args.status.iter().map(|status| status.as_str()).collect();
    let filter = ListTasks {
        status: (!statuses.is_empty()).then(|| statuses.join(",")),
        tool: args.tool.map(|tool| tool.to_string()),
        worker_id,
        text: args.text,
        created_after: args.since.map(|span| context.now().minus(span)),
        created_before: None,
        cursor: args.cursor,
        limit: Some(args.limit),
    };
    let is_filtered = filter != ListTasks { limit: filter.limit, ..ListTasks::default() };
    let page = client.tasks(&filter).await?;
    context.output.object(&page, |page| words::list(page, is_filtered, context.now()))?;
    if let Some(cursor) = page.next_cursor {
        context.output.remark(&format!("there are more: --cursor {cursor}"));
    }
    Ok(())
}

async fn logs(args: LogsArgs, context: &Context, client: &Client) -> Result<(), Failure> {
    let task = client.task(args.task).await.map_err(|error| missing(error, args.task))?;
    let mut printer = Printer::new(context.output, std::io::stdout().is_terminal());
    let follower = Follower::new(client, context.output, task.task_id, args.after);
    if !args.follow {
        follower.so_far(|entry| printer.print(entry)).await?;
        return printer.finish();
    }
    let ended = wait::or_interrupted(&task, follower.until_ended(|entry| printer.print(entry))).await?;
    printer.finish()?;
    context.output.remark(&words::ended(&ended));
    how(ended.status)
}

/// Success, or a failure that has been told already.
fn how(status: TaskStatus) -> Result<(), Failure> {
    if status == TaskStatus::Completed { Ok(()) } else { Err(Failure::silent(Exit::NotDone)) }
}

#[cfg(test)]
mod tests;
