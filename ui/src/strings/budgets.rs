//! Budgets: how many tokens, or how much money, may be used.

use swarm_model::budget::BudgetPeriod;

pub const BUDGETS: &str = "Budgets";
/// Of whom nobody knows any more.
pub const NOBODY: &str = "somebody who is gone";
pub const HOW: &str = "`garageswarm budget list` shows all of them, and `garageswarm budget set` changes one.";

pub fn period(period: BudgetPeriod) -> &'static str {
    match period {
        BudgetPeriod::Day => "a day",
        BudgetPeriod::Month => "a month",
        BudgetPeriod::Total => "in all",
    }
}

pub fn whose(name: &str, tool: Option<&str>, period: &str) -> String {
    match tool {
        Some(tool) => format!("{name} with {tool}, {period}"),
        None => format!("{name}, {period}"),
    }
}

pub fn used(used: &str, amount: &str, percent: u128) -> String {
    format!("{used} of {amount} used, {percent} %")
}

pub fn spent(used: &str, amount: &str) -> String {
    format!("Used up: {used} of {amount}. What would draw on it waits")
}

pub fn anew(at: &str) -> String {
    format!("begins anew {at}")
}
