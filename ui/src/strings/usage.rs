//! What was used.

use crate::view::words::{counted, thousands};

pub const THE_SUMS: &str = "What was used";
pub const SPAN: &str = "Days";
pub const TODAY: &str = "Today";
pub const WEEK: &str = "7 days";
pub const MONTH: &str = "30 days";
pub const ALL: &str = "All";
pub const BY: &str = "Summed by";
pub const BY_TOOL: &str = "Tool";
pub const BY_MODEL: &str = "Model";
pub const BY_WORKER: &str = "Machine";
pub const BY_USER: &str = "Person";
pub const BY_DAY: &str = "By day";
pub const DAY: &str = "Day";
pub const BY_MONTH: &str = "By month";
pub const DAYS_TABLE: &str = "The same numbers, day by day";
pub const MEASURE: &str = "Drawn";
pub const COST: &str = "Cost";
pub const TOKENS: &str = "Tokens";
pub const RUNS: &str = "Runs";
pub const TIME: &str = "Time";
pub const TOKENS_IN: &str = "Tokens in";
pub const TOKENS_OUT: &str = "Tokens out";
pub const FROM_CACHE: &str = "From cache";
pub const TO_CACHE: &str = "To cache";
pub const REASONING: &str = "Reasoning";
pub const TOTAL: &str = "Total";
pub const NOT_TOLD: &str = "not told";
pub const FREE: &str = "no cost";
pub const HATCHED: &str = "hatched: runs of unknown cost besides";
pub const HATCHED_TOKENS: &str = "hatched: runs besides that told no tokens";
pub const NOTHING_RAN: &str = "Nothing ran";
pub const NOTHING_BODY: &str =
    "Every run counts here once it has ended: on the day of its end, in UTC, whatever became of it.";
pub const SAME_IN_TERMINAL: &str = "The same in a terminal:";

pub fn in_span(span: &str) -> &'static str {
    match span {
        "today" => "today",
        "7d" => "in the last 7 days",
        "all" => "so far",
        _ => "in the last 30 days",
    }
}

pub fn runs(n: u64) -> String {
    counted(n, "run", "runs")
}

pub fn nothing(span: &str) -> String {
    format!("{NOTHING_RAN} {}", in_span(span))
}

pub fn spent(amount: &str, span: &str) -> String {
    format!("{amount} spent {}", in_span(span))
}

pub fn and_unknown(n: u64) -> String {
    format!("and {} of unknown cost", runs(n))
}

pub fn only_unknown(n: u64, span: &str) -> String {
    format!("{} of unknown cost {}", runs(n), in_span(span))
}

pub fn all_free(n: u64, span: &str) -> String {
    format!("{} {}, at no cost", runs(n), in_span(span))
}

pub fn reported(amount: &str, n: u64) -> String {
    format!("{amount} as the tools of {} say", runs(n))
}

pub fn priced(amount: &str, n: u64) -> String {
    format!("{amount} of {} by price list", runs(n))
}

pub fn free(n: u64) -> String {
    format!("{} at no cost", runs(n))
}

pub fn unknown(n: u64) -> String {
    format!("{} of unknown cost, in no sum", runs(n))
}

pub fn untold_tokens(n: u64) -> String {
    format!("{} told no tokens", runs(n))
}

pub fn cost_unknown(n: u64) -> String {
    format!("{} unknown", thousands(n))
}

pub fn known_and_unknown(known: &str, n: u64) -> String {
    format!("{known} + {}", cost_unknown(n))
}

pub fn days(from: &str, to: &str) -> String {
    if from == to { format!("{to}, a day of UTC") } else { format!("{from} to {to}, days of UTC") }
}

pub fn until(to: &str) -> String {
    format!("until {to}, days of UTC")
}

pub fn grouped(by: &str) -> String {
    format!("By {}", by.to_lowercase())
}

pub fn table_of(by: &str) -> String {
    format!("What was used, by {}", by.to_lowercase())
}

pub fn command(by: &str, from: &str, to: &str) -> String {
    format!("garageswarm usage --by {by} --from {from} --to {to}")
}
