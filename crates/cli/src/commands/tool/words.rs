//! The tools of this machine in words.

use swarm_agent::{LoggedIn, ToolHere};
use swarm_model::tool::ToolHealth;

use crate::output::table::{Facts, Table, styled};
use crate::readable::{DIM, GOOD, NORMAL, WARN, plain, tool_state};

/// Names of models that stand on a line.
const MODELS_A_LINE: usize = 4;

pub(super) fn list(tools: &[ToolHere]) -> String {
    let mut table =
        Table::new(&["TOOL", "VERSION", "HEALTH", "ENABLED", "RUNS", "MODELS", "KEY AND ADDRESS"]).numbers(5);
    let mut fixes = Vec::new();
    for tool in tools {
        let (health, fix) = tool_state(&tool.info.health);
        let style = if tool.info.health == ToolHealth::Ready { GOOD } else { WARN };
        let most = tool.info.max_concurrent.map(|most| format!(" of {most}")).unwrap_or_default();
        table.row([
            styled(&tool.info.name, NORMAL),
            styled(tool.info.version.as_deref().map_or_else(|| "-".to_owned(), plain), NORMAL),
            styled(health, style),
            styled(if tool.enabled { "yes" } else { "no" }, if tool.enabled { NORMAL } else { DIM }),
            styled(format!("{}{most}", tool.running), NORMAL),
            styled(
                if tool.info.models.is_empty() { "-".to_owned() } else { tool.info.models.len().to_string() },
                NORMAL,
            ),
            styled(tool.source.as_deref().map_or_else(|| "-".to_owned(), plain), NORMAL),
        ]);
        fixes.extend(fix.map(|fix| format!("{WARN}{}{WARN:#}: {}", tool.info.name, plain(fix))));
    }
    let fixes = if fixes.is_empty() { String::new() } else { format!("\n\n{}", fixes.join("\n")) };
    format!("{}{fixes}", table.or("no tools"))
}

pub(super) fn show(tool: &ToolHere) -> String {
    let info = &tool.info;
    let (health, fix) = tool_state(&info.health);
    let fix = fix.map(|fix| format!("\n{WARN}{}{WARN:#}", plain(fix))).unwrap_or_default();
    let most = info.max_concurrent.map(|most| format!(" of {most}")).unwrap_or_default();
    let mut facts = Facts::default();
    facts
        .fact("tool", info.name.to_string())
        .maybe("version", info.version.as_deref().map(plain))
        .fact("health", format!("{health}{fix}"))
        .fact("enabled", if tool.enabled { "yes" } else { "no" })
        .fact("runs", format!("{}{most}", tool.running))
        .maybe("key, address", tool.source.as_deref().map(plain))
        .maybe("account", info.account.as_ref().map(|account| plain(&account.label)))
        .maybe("its key", tool.key_place.map(|place| format!("given with `garageswarm tool login`, kept {place}")))
        .maybe("own login", tool.own_login.as_deref());
    let models: Vec<_> = info.models.chunks(MODELS_A_LINE).map(|line| plain(&line.join(", "))).collect();
    facts.fact("models", if models.is_empty() { "any".to_owned() } else { models.join(",\n") });
    // What is not set is left out by the settings themselves; they hold no values of variables.
    let set = toml::to_string_pretty(&tool.settings).unwrap_or_default();
    facts.fact("set", if set.trim().is_empty() { "nothing".to_owned() } else { plain(set.trim()) });
    facts.text()
}

/// How a tool is after a change.
pub(super) fn line(tool: &ToolHere) -> String {
    let (health, fix) = tool_state(&tool.info.health);
    let name = &tool.info.name;
    if !tool.enabled {
        return format!("{name} is off here");
    }
    let fix = fix.map(|fix| format!(": {}", plain(fix))).unwrap_or_default();
    format!("{name} is {health}{fix}")
}

pub(super) fn own_login(tool: &ToolHere, how: &str) -> String {
    let name = &tool.info.name;
    if tool.info.health == ToolHealth::Ready {
        let source = tool.source.as_deref().map(|source| format!(" ({})", plain(source))).unwrap_or_default();
        return format!("{name} is ready{source}; with a login of its own: {how}");
    }
    format!("{name} has a login of its own: {how}")
}

pub(super) fn login(login: &LoggedIn) -> String {
    let LoggedIn { address, models, place, tool } = login;
    let known = models.map_or_else(
        || "it was not checked".to_owned(),
        |models| format!("{} knows it and lists {models} models", plain(address)),
    );
    format!("the key for {} is kept {place}, for {} alone; {known}\n{}", tool.info.name, plain(address), line(tool))
}
