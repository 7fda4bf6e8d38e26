//! `garageswarm task submit`.

use std::io::Read as _;
use std::time::Duration;

use backon::{ExponentialBuilder, Retryable as _};
use clap::Args;
use swarm_client::Client;
use swarm_model::id::{Entropy as _, SystemEntropy};
use swarm_model::task::{Limits, Priority, Repository, Requirements, RetryPolicy, TaskInput};
use swarm_model::{AtLimit, Isolation, ModelChoice, Role, ToolName};
use swarm_proto::tasks::{CreateTask, Task};

use super::{wait, words};
use crate::commands::budget::read_dollars;
use crate::commands::worker;
use crate::context::Context;
use crate::failure::Failure;
use crate::readable::read_span;

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  garageswarm task submit \"say hello\" --follow
  git diff | garageswarm task submit - --wait
  garageswarm task submit --tool command --wait -- make test")]
pub(crate) struct SubmitArgs {
    /// The prompt; `-` reads it from standard input.
    #[arg(conflicts_with = "argv")]
    prompt: Option<String>,
    /// The tool; the best that a machine has unless said otherwise.
    #[arg(long)]
    tool: Option<ToolName>,
    /// The model, as the tool names it.
    #[arg(long)]
    model: Option<String>,
    /// From 1 (whenever) to 10 (first).
    #[arg(long, value_parser = read_priority)]
    priority: Option<Priority>,
    /// Only on this machine: its name, its id, or the end of its id.
    #[arg(long)]
    worker: Option<String>,
    /// What it is in a team of models: who does it is the list of this role.
    #[arg(long, value_name = "ROLE", conflicts_with_all = ["tool", "model", "entries"])]
    role: Option<Role>,
    /// Who does it, best first, as TOOL or TOOL:MODEL; may be given more than once.
    #[arg(long = "try", id = "entries", value_name = "TOOL[:MODEL]", conflicts_with_all = ["tool", "model"])]
    entries: Vec<ModelChoice>,
    /// What it does at a limit of an account: wait, or go on with the next of `--role` and `--try`, or, where no tool is
    /// named, of every tool. As you chose with `role set` unless said otherwise.
    #[arg(long, value_name = "RULE")]
    at_limit: Option<AtLimit>,
    /// The repository to work on: an address, or a path on the machine.
    #[arg(long, value_name = "URL")]
    repo: Option<String>,
    /// The branch, tag or commit to begin from.
    #[arg(long, value_name = "REF", requires = "repo")]
    base: Option<String>,
    /// How far the run must be kept away from the machine, at least: own, sandbox or container.
    #[arg(long, value_name = "LEVEL")]
    isolation: Option<Isolation>,
    /// A host that the run may reach, and no other; may be given more than once.
    #[arg(long, value_name = "HOST")]
    network: Vec<String>,
    /// The run may reach nothing but its own model.
    #[arg(long, conflicts_with = "network")]
    no_network: bool,
    /// Tokens that it may use, in and out.
    #[arg(long, value_name = "N")]
    tokens: Option<u64>,
    /// US dollars that it may cost.
    #[arg(long, value_name = "DOLLARS", value_parser = read_dollars)]
    cost: Option<u64>,
    /// A model that may be asked, and no other; may be given more than once.
    #[arg(long, value_name = "MODEL")]
    allow_model: Vec<String>,
    /// How long one attempt may run, as 90s, 10m or 2h.
    #[arg(long, value_name = "TIME", value_parser = read_span)]
    timeout: Option<Duration>,
    /// Failures after which it is given up.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=100))]
    max_attempts: Option<u32>,
    /// The same key gives the same task, however often it is submitted.
    #[arg(long, value_name = "KEY")]
    idempotency_key: Option<String>,
    /// Wait for the end and print the result; the exit code says how it ended.
    #[arg(long)]
    wait: bool,
    /// Print what it says while it says it, until the end; the exit code says how it ended.
    #[arg(long)]
    follow: bool,
    /// With `--tool command`: a program and its arguments, never a shell.
    #[arg(last = true)]
    argv: Vec<String>,
}

fn read_priority(text: &str) -> Result<Priority, String> {
    text.parse().ok().and_then(Priority::new).ok_or_else(|| "a priority is a number from 1 to 10".to_owned())
}

pub(super) async fn run(args: SubmitArgs, context: &Context, client: &Client) -> Result<(), Failure> {
    let worker_id = match &args.worker {
        Some(named) => Some(worker::find(client, named).await?.worker_id),
        None => None,
    };
    let (wait, follow) = (args.wait, args.follow);
    let wish = CreateTask { worker_id, ..wish(args)? };
    let task = create(client, &wish).await?;
    if !wait && !follow {
        return context.output.object(&task, words::submitted);
    }
    context.output.remark(&words::submitted(&task));
    wait::for_result(task, follow, context, client).await
}

/// What is wished for, but for the machine.
fn wish(args: SubmitArgs) -> Result<CreateTask, Failure> {
    let is_command = args.tool.as_ref().is_some_and(|tool| tool.as_str() == ToolName::COMMAND);
    let (description, input) = match (args.prompt, args.argv.is_empty()) {
        (None, false) if is_command => (
            String::new(),
            Some(TaskInput::Command { argv: args.argv, stdin: None, env: std::collections::BTreeMap::new() }),
        ),
        (None, false) => return Err(Failure::usage("a program and its arguments go with `--tool command` only")),
        (Some(_), _) | (None, true) if is_command => {
            return Err(Failure::usage("the tool `command` takes a program and its arguments")
                .advise("put them behind two dashes: garageswarm task submit --tool command -- make test"));
        }
        (Some(prompt), _) if prompt == "-" => (read_stdin()?, None),
        (Some(prompt), _) => (prompt, None),
        (None, true) => {
            return Err(Failure::usage("there is no prompt")
                .advise("write it behind `submit`, or `-` to read it from standard input"));
        }
    };
    let limits = Limits {
        wall_clock_ms: args.timeout.map(|span| span.as_millis() as u64),
        tokens: args.tokens,
        cost_microusd: args.cost,
        models: args.allow_model,
        ..Limits::default()
    };
    let network = if args.no_network { Some(Vec::new()) } else { Some(args.network).filter(|hosts| !hosts.is_empty()) };
    let retry = args.max_attempts.map(|max_attempts| RetryPolicy { max_attempts, ..RetryPolicy::default() });
    Ok(CreateTask {
        description,
        tool: args.tool,
        model: args.model,
        role: args.role,
        cascade: args.entries,
        at_limit: args.at_limit,
        repository: args.repo.map(|url| Repository { url, base: args.base }),
        network,
        input,
        priority: args.priority,
        requirements: args.isolation.map(|level| Requirements { isolation: Some(level), ..Requirements::default() }),
        limits: Some(limits).filter(|limits| *limits != Limits::default()),
        retry,
        idempotency_key: Some(args.idempotency_key.unwrap_or_else(new_key)),
        ..CreateTask::default()
    })
}

fn read_stdin() -> Result<String, Failure> {
    let mut prompt = String::new();
    std::io::stdin()
        .read_to_string(&mut prompt)
        .map_err(|error| Failure::usage(format!("the prompt cannot be read from standard input: {error}")))?;
    Ok(prompt)
}

/// A key nobody else has: with it the request may be sent again when the answer got lost.
fn new_key() -> String {
    let random = SystemEntropy.ten_bytes().into_iter().fold(0_u128, |number, byte| number << 8 | u128::from(byte));
    format!("cli-{random:020x}")
}

/// Submits it. Where the answer got lost it is sent again, which the key makes safe; where nobody answers at
/// all the person is told at once.
async fn create(client: &Client, wish: &CreateTask) -> Result<Task, Failure> {
    let tries = ExponentialBuilder::new().with_min_delay(Duration::from_millis(200)).with_max_times(5).with_jitter();
    let submit = || client.create_task(wish);
    let worth_it = |error: &swarm_client::ClientError| {
        error.is_transient() && !matches!(error, swarm_client::ClientError::Unreachable { .. })
    };
    Ok(submit.retry(tries).when(worth_it).await?)
}

#[cfg(test)]
mod tests {
    use clap::Parser;

    use super::*;
    use crate::failure::Exit;

    #[derive(Debug, Parser)]
    struct Line {
        #[command(flatten)]
        args: SubmitArgs,
    }

    fn wished(words: &[&str]) -> Result<CreateTask, Failure> {
        let line =
            Line::try_parse_from([&["submit"], words].concat()).map_err(|error| Failure::usage(error.to_string()))?;
        wish(line.args)
    }

    #[test]
    fn a_prompt_with_its_wishes() {
        let wish =
            wished(&["say hello", "--tool", "demo", "--priority", "7", "--timeout", "10m", "--max-attempts", "2"])
                .unwrap();
        assert_eq!((wish.description.as_str(), wish.tool.unwrap().as_str()), ("say hello", "demo"));
        assert_eq!((wish.priority.unwrap().get(), wish.limits.unwrap().wall_clock_ms), (7, Some(600_000)));
        assert_eq!(wish.retry.unwrap().max_attempts, 2);
        assert!(wish.idempotency_key.unwrap().starts_with("cli-"));
    }

    #[test]
    fn a_command_keeps_its_arguments_as_they_are() {
        let wish = wished(&["--tool", "command", "--wait", "--", "sh", "-c", "echo $HOME; false", "--wait"]).unwrap();
        let Some(TaskInput::Command { argv, .. }) = wish.input else { panic!("no command") };
        assert_eq!(argv, ["sh", "-c", "echo $HOME; false", "--wait"]);
    }

    #[test]
    fn what_makes_no_sense_is_said() {
        for words in [
            &[][..],
            &["--tool", "command", "make"],
            &["--tool", "command"],
            &["--", "make"],
            &["hello", "--tool", "command", "--", "make"],
            &["hello", "--priority", "11"],
            &["hello", "--tool", "No Tool"],
        ] {
            assert_eq!(wished(words).unwrap_err().exit, Exit::Usage, "{words:?}");
        }
    }
}
