//! `garageswarm usage`: runs, tokens, money and time, summed by day, person, worker, tool or model.

use std::time::Duration;

use clap::Args;
use comfy_table::Cell;
use swarm_model::ToolName;
use swarm_model::day::Day;
use swarm_model::usage::{UsageBy, UsageSums};
use swarm_proto::usage::{ReadUsage, UsageItem, UsageReport};

use crate::commands::worker;
use crate::context::Context;
use crate::failure::Failure;
use crate::output::table::{Table, styled};
use crate::readable::{BOLD, DIM, NORMAL, count, dollars, plain, read_span, span};

#[derive(Debug, Args)]
pub(crate) struct UsageArgs {
    /// By what sums are told apart: day, user, worker, tool, model, with commas between them.
    #[arg(long, value_name = "WHAT", value_delimiter = ',', default_value = "day", value_parser = read_by)]
    by: Vec<UsageBy>,
    /// Only of the days since then, as 7d; the last 30 days unless said otherwise.
    #[arg(long, value_name = "TIME", value_parser = read_span, conflicts_with = "from")]
    since: Option<Duration>,
    /// The first day, as 2026-01-31. Days are those of UTC.
    #[arg(long, value_name = "DAY")]
    from: Option<Day>,
    /// The last day; today unless said otherwise.
    #[arg(long, value_name = "DAY")]
    to: Option<Day>,
    /// Only what ran on this worker.
    #[arg(long)]
    worker: Option<String>,
    /// Only with this tool.
    #[arg(long)]
    tool: Option<ToolName>,
    /// Only with this model.
    #[arg(long)]
    model: Option<String>,
    /// Only of your own tasks, without what others ran on your machines.
    #[arg(long)]
    mine: bool,
}

fn read_by(text: &str) -> Result<UsageBy, String> {
    UsageBy::parse(text.trim()).ok_or_else(|| {
        let names = UsageBy::ALL.map(UsageBy::as_str).join(", ");
        format!("there is no such way; there are {names}")
    })
}

pub(crate) async fn run(args: UsageArgs, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    let worker_id = match &args.worker {
        Some(named) => Some(worker::find(&client, named).await?.worker_id),
        None => None,
    };
    let user_id = if args.mine { Some(client.me().await?.user_id) } else { None };
    let by: Vec<_> = args.by.iter().map(|by| by.as_str()).collect();
    let since = args.since.map(|since| Day::of(context.now().minus(since)));
    let query = ReadUsage {
        by: Some(by.join(",")),
        from: args.from.or(since),
        to: args.to,
        user_id,
        worker_id,
        tool: args.tool.map(|tool| tool.to_string()),
        model: args.model,
    };
    let report = client.usage(&query).await?;
    context.output.object(&report, words)
}

/// What each sum is shown as. A column of which there is nothing at all is left out.
type Column = (&'static str, fn(&UsageSums) -> String, fn(&UsageSums) -> bool);

const COLUMNS: [Column; 8] = [
    ("RUNS", |sums| whole(sums.runs), |_| true),
    ("TIME", |sums| span(Duration::from_millis(sums.run_ms.unsigned_abs())), |_| true),
    ("TOKENS IN", |sums| whole(sums.input_tokens), |all| all.input_tokens + all.output_tokens > 0),
    ("OUT", |sums| whole(sums.output_tokens), |all| all.input_tokens + all.output_tokens > 0),
    ("FROM CACHE", |sums| whole(sums.cache_read_tokens), |all| all.cache_read_tokens > 0),
    ("TO CACHE", |sums| whole(sums.cache_write_tokens), |all| all.cache_write_tokens > 0),
    ("REASONING", |sums| whole(sums.reasoning_tokens), |all| all.reasoning_tokens > 0),
    ("COST", cost, |_| true),
];

fn whole(sum: i64) -> String {
    count(sum.unsigned_abs())
}

/// What is known to have been spent, and of how many runs that is not known.
fn cost(sums: &UsageSums) -> String {
    let unknown = sums.unknown_cost_runs;
    if sums.reported_runs + sums.priced_runs == 0 {
        return if unknown == 0 { "free".to_owned() } else { format!("{} unknown", whole(unknown)) };
    }
    let known = dollars(sums.known_microusd().unsigned_abs());
    if unknown == 0 { known } else { format!("{known} + {} unknown", whole(unknown)) }
}

fn words(report: &UsageReport) -> String {
    let days = format!("{DIM}{} to {}, days of UTC{DIM:#}", report.from, report.to);
    if report.items.is_empty() {
        return format!("{DIM}nothing ran{DIM:#}\n{days}");
    }
    let columns: Vec<_> = COLUMNS.iter().filter(|(_, _, is_shown)| is_shown(&report.total)).collect();
    let keys = report.by.len().max(1);
    let head = report.by.iter().map(|by| heading(*by)).chain(report.by.is_empty().then_some("OF"));
    let names: Vec<_> = head.chain(columns.iter().map(|(name, ..)| *name)).collect();
    let mut table = Table::new(&names);
    for column in keys..names.len() {
        table = table.numbers(column);
    }
    let cells = |sums: &UsageSums, style| -> Vec<Cell> {
        columns.iter().map(|(_, shown, _)| styled(shown(sums), style)).collect()
    };
    for item in &report.items {
        let mut row: Vec<_> = report.by.iter().map(|by| styled(key(*by, item), NORMAL)).collect();
        if row.is_empty() {
            row.push(styled("everything", NORMAL));
        }
        row.extend(cells(&item.sums, NORMAL));
        table.row(row);
    }
    if report.items.len() > 1 {
        let mut row = vec![styled("total", BOLD)];
        row.extend((1..keys).map(|_| styled("", NORMAL)));
        row.extend(cells(&report.total, BOLD));
        table.row(row);
    }
    format!("{}\n\n{}\n{days}", table.or(""), remarks(&report.total))
}

fn heading(by: UsageBy) -> &'static str {
    match by {
        UsageBy::Day => "DAY",
        UsageBy::User => "PERSON",
        UsageBy::Worker => "WORKER",
        UsageBy::Tool => "TOOL",
        UsageBy::Model => "MODEL",
    }
}

/// A name where there is one; people and machines that have none are told apart by the end of their id.
fn key(by: UsageBy, item: &UsageItem) -> String {
    let named = |name: &Option<String>, id: Option<String>| {
        let end = || id.map(|id| id[id.len().saturating_sub(8)..].to_owned());
        name.as_deref().map(plain).or_else(end)
    };
    let key = match by {
        UsageBy::Day => item.day.map(|day| day.to_string()),
        UsageBy::User => named(&item.username, item.user_id.map(|id| id.to_string())),
        UsageBy::Worker => named(&item.machine_name, item.worker_id.map(|id| id.to_string())),
        UsageBy::Tool => item.tool.as_ref().map(ToString::to_string),
        UsageBy::Model => item.model.as_deref().map(plain),
    };
    key.unwrap_or_else(|| "-".to_owned())
}

/// How the cost is known, and what is in no sum.
fn remarks(total: &UsageSums) -> String {
    let runs = |count: i64| format!("{} {}", whole(count), if count == 1 { "run" } else { "runs" });
    let mut known = Vec::new();
    if total.reported_runs > 0 {
        let spent = dollars(total.reported_microusd.unsigned_abs());
        known.push(format!("{spent} as the tools of {} say", runs(total.reported_runs)));
    }
    if total.priced_runs > 0 {
        let spent = dollars(total.priced_microusd.unsigned_abs());
        known.push(format!("{spent} of {} by price list", runs(total.priced_runs)));
    }
    if total.free_runs > 0 {
        known.push(format!("{} at no cost", runs(total.free_runs)));
    }
    if total.unknown_cost_runs > 0 {
        known.push(format!("{} of unknown cost, in no sum", runs(total.unknown_cost_runs)));
    }
    let mut lines = vec![format!("{DIM}cost: {}{DIM:#}", known.join("; "))];
    if total.unknown_token_runs > 0 {
        lines.push(format!("{DIM}tokens: {} told none{DIM:#}", runs(total.unknown_token_runs)));
    }
    lines.join("\n")
}

#[cfg(test)]
mod tests;
