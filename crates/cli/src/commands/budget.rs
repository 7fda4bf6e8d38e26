//! `garageswarm budget`: how many tokens, or how much money, may be used in a day, in a month, or in all.

use clap::{Args, Subcommand, ValueEnum};
use swarm_agent::{Dollars, ParseDollarsError};
use swarm_client::Client;
use swarm_model::budget::{BudgetPeriod, BudgetUnit};
use swarm_model::{BudgetId, Timestamp, ToolName};
use swarm_proto::budgets::{Budget, BudgetState, CreateBudget, UpdateBudget};

use crate::commands::worker;
use crate::context::Context;
use crate::failure::{Exit, Failure};
use crate::output::table::{Table, styled};
use crate::readable::{DIM, ERROR, GOOD, NORMAL, WARN, plain, until};

#[derive(Debug, Subcommand)]
pub(crate) enum BudgetCommand {
    /// The budgets that you may see, and what is used of each.
    List,
    /// Set a budget, or give one another amount.
    Set(SetArgs),
    /// Remove a budget. What waited for it goes on.
    Remove(RemoveArgs),
}

#[derive(Debug, Args)]
#[command(after_help = "Examples:
  garageswarm budget set --cost 5 --per day
  garageswarm budget set --tokens 2000000 --worker attic --tool claude-code
  garageswarm budget set 01890a5d-ac96-774b-bcce-b302099a8057 --cost 10")]
pub(crate) struct SetArgs {
    /// The budget to change, by its id or the end of it; where it is left out, the one of yours that counts the same,
    /// or a new one.
    #[arg(conflicts_with_all = ["per", "worker", "user", "tool"])]
    budget: Option<String>,
    /// Tokens that may be used, in and out.
    #[arg(long, value_name = "N", required_unless_present = "cost", value_parser = clap::value_parser!(u64).range(1..))]
    tokens: Option<u64>,
    /// US dollars that may be spent.
    #[arg(long, value_name = "DOLLARS", conflicts_with = "tokens", value_parser = read_dollars)]
    cost: Option<u64>,
    /// In what time; days and months are those of UTC.
    #[arg(long, value_enum, default_value = "day")]
    per: Per,
    /// Whatever runs on this machine of yours: its name, its id, or the end of its id.
    #[arg(long, conflicts_with = "user")]
    worker: Option<String>,
    /// What this person uses; for admins.
    #[arg(long, value_name = "NAME")]
    user: Option<String>,
    /// Only with this tool.
    #[arg(long)]
    tool: Option<ToolName>,
}

#[derive(Debug, Args)]
pub(crate) struct RemoveArgs {
    /// The budget's id, or the end of it.
    budget: String,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Per {
    /// Each day.
    Day,
    /// Each month.
    Month,
    /// All that ever ran.
    Total,
}

/// Millionths of a dollar from dollars.
pub(crate) fn read_dollars(text: &str) -> Result<u64, String> {
    let dollars: Dollars = text.parse().map_err(|error: ParseDollarsError| error.to_string())?;
    Ok(dollars.as_micros())
}

pub(crate) async fn run(command: BudgetCommand, context: &Context) -> Result<(), Failure> {
    let client = context.client()?;
    match command {
        BudgetCommand::List => {
            let budgets = client.budgets().await?;
            context.output.object(&budgets, |page| list(&page.items, context.now()))
        }
        BudgetCommand::Set(args) => set(args, context, &client).await,
        BudgetCommand::Remove(args) => {
            let budget = find(&client, &args.budget).await?;
            client.remove_budget(budget.budget_id).await?;
            context.output.remark("the budget is removed");
            Ok(())
        }
    }
}

async fn set(args: SetArgs, context: &Context, client: &Client) -> Result<(), Failure> {
    let (unit, amount) = match (args.tokens, args.cost) {
        (Some(tokens), _) => (BudgetUnit::Tokens, tokens),
        (None, Some(cost)) => (BudgetUnit::Microusd, cost),
        (None, None) => return Err(Failure::usage("give --tokens or --cost")),
    };
    let budget = match &args.budget {
        Some(named) => {
            let known = find(client, named).await?;
            if known.unit != unit {
                let counts = known.unit.as_str();
                return Err(Failure::usage(format!("this budget counts {counts}: what it counts cannot be changed")));
            }
            client.change_budget(known.budget_id, &UpdateBudget { amount }).await?
        }
        None => {
            let worker_id = match &args.worker {
                Some(named) => Some(worker::find(client, named).await?.worker_id),
                None => None,
            };
            let period = match args.per {
                Per::Day => BudgetPeriod::Day,
                Per::Month => BudgetPeriod::Month,
                Per::Total => BudgetPeriod::Total,
            };
            let wish = CreateBudget { username: args.user, worker_id, tool: args.tool, period, unit, amount };
            match same(client, &wish).await? {
                Some(known) => client.change_budget(known.budget_id, &UpdateBudget { amount }).await?,
                None => client.create_budget(&wish).await?,
            }
        }
    };
    context.output.object(&budget, |budget| list(std::slice::from_ref(budget), context.now()))
}

/// The budget of the asker's making that counts the same already. What an admin set for somebody stands beside it.
async fn same(client: &Client, wish: &CreateBudget) -> Result<Option<Budget>, Failure> {
    let me = client.me().await?.user_id;
    let is_same = |budget: &Budget| {
        let is_of = match (wish.worker_id, &wish.username) {
            (Some(worker), _) => budget.worker_id == Some(worker),
            (None, Some(name)) => budget.username.as_ref() == Some(name),
            (None, None) => budget.user_id == Some(me),
        };
        let counts = (budget.unit, budget.period, &budget.tool);
        is_of && counts == (wish.unit, wish.period, &wish.tool) && budget.created_by == me
    };
    Ok(client.budgets().await?.items.into_iter().find(is_same))
}

/// The end of an id, by which people name it.
fn end_of(id: BudgetId) -> String {
    id.to_string().chars().skip(28).collect()
}

async fn find(client: &Client, named: &str) -> Result<Budget, Failure> {
    let budgets = client.budgets().await?.items;
    let mut found = budgets.into_iter().filter(|budget| budget.budget_id.to_string().ends_with(named));
    match (found.next(), found.next()) {
        (Some(budget), None) => Ok(budget),
        (None, _) => Err(Failure::new(Exit::Refused, format!("there is no budget \"{}\"", plain(named)))
            .advise("`garageswarm budget list` shows them")),
        (Some(_), Some(_)) => Err(Failure::new(Exit::Refused, format!("several budgets end in \"{}\"", plain(named)))
            .advise("give more of the id: `garageswarm budget list --json` shows it whole")),
    }
}

/// A budget in a few words, for the status.
pub(crate) fn sentence(budget: &Budget, now: Timestamp) -> String {
    let percent = u128::from(budget.used) * 100 / u128::from(budget.amount.max(1));
    let (used, amount) = (budget.unit.words(budget.used), budget.unit.words(budget.amount));
    let again = budget.renews_at.map(|end| format!(", anew {}", until(now, end))).unwrap_or_default();
    let whose = whose(budget);
    match budget.state {
        BudgetState::Spent => format!("{whose}: used up, {used} of {amount}{again}"),
        BudgetState::Open | BudgetState::Warned => format!("{whose}: {percent} % used, {used} of {amount}{again}"),
    }
}

fn whose(budget: &Budget) -> String {
    let of = budget.machine_name.as_deref().or(budget.username.as_deref()).map_or_else(|| "gone".to_owned(), plain);
    let tool = budget.tool.as_ref().map(|tool| format!(" with {tool}")).unwrap_or_default();
    format!("{of}{tool}, {}", period(budget.period))
}

fn period(period: BudgetPeriod) -> &'static str {
    match period {
        BudgetPeriod::Day => "a day",
        BudgetPeriod::Month => "a month",
        BudgetPeriod::Total => "in all",
    }
}

fn list(budgets: &[Budget], now: Timestamp) -> String {
    let mut table = Table::new(&["BUDGET", "OF", "TOOL", "PER", "AMOUNT", "USED", "STATE"]);
    for budget in budgets {
        let of = budget.machine_name.as_deref().or(budget.username.as_deref()).map_or_else(|| "gone".to_owned(), plain);
        let (state, style) = match budget.state {
            BudgetState::Open => ("open", GOOD),
            BudgetState::Warned => ("nearly used up", WARN),
            BudgetState::Spent => ("used up", ERROR),
        };
        let again = match budget.renews_at {
            Some(end) if budget.state != BudgetState::Open => format!("{state}, anew {}", until(now, end)),
            Some(_) | None => state.to_owned(),
        };
        table.row([
            styled(end_of(budget.budget_id), DIM),
            styled(of, NORMAL),
            styled(budget.tool.as_ref().map_or("any", ToolName::as_str), NORMAL),
            styled(period(budget.period), NORMAL),
            styled(budget.unit.words(budget.amount), NORMAL),
            styled(budget.unit.words(budget.used), NORMAL),
            styled(again, style),
        ]);
    }
    table.or("no budgets: `garageswarm budget set --cost 5 --per day` sets one")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn budget(json: serde_json::Value) -> Budget {
        let mut whole = serde_json::json!({
            "budget_id": "01890a5d-ac96-774b-bcce-b302099a8057", "user_id": "01890a5d-ac96-774b-bcce-b302099a8058",
            "username": "ada", "period": "day", "unit": "tokens", "amount": 1000, "used": 720, "state": "warned",
            "renews_at": "2026-11-21T00:00:00Z", "created_by": "01890a5d-ac96-774b-bcce-b302099a8058",
            "created_at": "2026-11-20T00:00:00Z",
        });
        for (name, value) in json.as_object().unwrap() {
            whole[name] = value.clone();
        }
        serde_json::from_value(whole).unwrap()
    }

    #[test]
    fn budgets_in_words() {
        let now = "2026-11-20T22:00:00Z".parse().unwrap();
        let spent = budget(serde_json::json!({
            "machine_name": "attic", "tool": "codex", "period": "total", "unit": "microusd", "amount": 5_000_000,
            "used": 5_010_000, "state": "spent", "renews_at": null,
        }));
        let text = list(&[budget(serde_json::json!({})), spent.clone()], now);
        insta::assert_snapshot!(anstream::adapter::strip_str(&text).to_string());
        assert_eq!(
            sentence(&budget(serde_json::json!({})), now),
            "ada, a day: 72 % used, 720 tokens of 1,000 tokens, anew in 2h 00m"
        );
        assert_eq!(sentence(&spent, now), "attic with codex, in all: used up, 5.01 US dollars of 5.00 US dollars");
    }
}
