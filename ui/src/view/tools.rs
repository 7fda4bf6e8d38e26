//! The registry of tools: each tool, where it is, how it is there, and what to do where it cannot be used.

use swarm_model::{ToolName, WorkerStatus};
use swarm_proto::status::AccountLimit;
use swarm_proto::tools::{SwarmTool, ToolOnWorker};

use super::door::{self, Health};
use super::limits;
use super::words::{self, Moment};
use crate::strings::tools as text;

/// How many models are listed; all of them can be chosen in the form.
const MOST_MODELS: usize = 12;

/// A tool of the swarm.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// Which.
    pub name: ToolName,
    /// As people write it.
    pub label: String,
    /// Whether it can be used anywhere now.
    pub is_ready: bool,
    /// On how many machines, and how many of its slots are free.
    pub summary: String,
    /// The models that are offered somewhere.
    pub models: Vec<String>,
    /// How many more there are.
    pub more_models: Option<String>,
    /// Where it is.
    pub places: Vec<Place>,
}

/// A tool on one machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Place {
    /// What people call the machine.
    pub machine: String,
    /// The tool's version there, if it told one.
    pub version: String,
    /// How it is.
    pub health: Health,
    /// The same in a word.
    pub word: &'static str,
    /// What to do about it.
    pub fix: String,
    /// Whose allowance it uses.
    pub account: Option<String>,
    /// The limit that this account is at.
    pub limit: Option<String>,
}

/// The tools, those that can be used first.
pub fn tools(tools: &[SwarmTool], limits: &[AccountLimit], moment: Moment) -> Vec<Tool> {
    let mut tools: Vec<_> = tools.iter().map(|tool| one(tool, limits, moment)).collect();
    tools.sort_by(|one, other| (!one.is_ready, &one.label).cmp(&(!other.is_ready, &other.label)));
    tools
}

fn one(tool: &SwarmTool, limits: &[AccountLimit], moment: Moment) -> Tool {
    let n_more = tool.models.len().saturating_sub(MOST_MODELS) as u64;
    let mut summary = text::ready_on(tool.ready.into(), tool.workers.len() as u64);
    if tool.ready > 0 {
        summary = format!("{summary}, {}", text::free(tool.free.into(), tool.slots.into()));
    }
    Tool {
        name: tool.name.clone(),
        label: words::tool(tool.name.as_str()),
        is_ready: tool.ready > 0,
        summary,
        models: tool.models.iter().take(MOST_MODELS).cloned().collect(),
        more_models: (n_more > 0).then(|| text::and_more(n_more)),
        places: tool.workers.iter().map(|on| place(&tool.name, on, limits, moment)).collect(),
    }
}

fn place(tool: &ToolName, on: &ToolOnWorker, limits: &[AccountLimit], moment: Moment) -> Place {
    let (health, word, fix) = door::health(&on.health);
    let is_away = on.status == WorkerStatus::Offline;
    let word = match health {
        _ if is_away => text::AWAY,
        Health::Ready => text::READY,
        Health::NeedsLogin | Health::Missing | Health::NotAllowed => word,
    };
    // Of what cannot be used anyway neither matters.
    let account = on.account.as_deref().filter(|_| health == Health::Ready && !is_away);
    let limit = limits::of_tool(limits, on.worker_id, tool, account);
    Place {
        machine: on.machine_name.clone(),
        version: on.version.clone().unwrap_or_default(),
        health: if is_away { Health::Missing } else { health },
        word,
        fix: if is_away { String::new() } else { fix },
        account: account.map(text::account),
        limit: limit.map(|limit| words::capital(&limits::in_words(limit, moment))),
    }
}

/// "3 of 5 tools are ready".
pub fn headline(tools: &[SwarmTool]) -> String {
    if tools.is_empty() {
        return text::NONE_YET.to_owned();
    }
    text::headline(tools.iter().filter(|tool| tool.ready > 0).count() as u64, tools.len() as u64)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use swarm_model::FailureClass;
    use swarm_model::tool::ToolHealth;

    use super::*;
    use crate::view::samples::{self, MOMENT, ago};

    fn on(machine: &str, health: ToolHealth) -> ToolOnWorker {
        ToolOnWorker {
            worker_id: samples::worker(machine).worker_id,
            machine_name: machine.to_owned(),
            status: WorkerStatus::Online,
            version: Some("2.1.4".to_owned()),
            health,
            account: Some("key ...a1b2".to_owned()),
            models: Vec::new(),
            slots: 2,
            free: 1,
        }
    }

    fn tool(name: &str, ready: u32, workers: Vec<ToolOnWorker>) -> SwarmTool {
        let models = (0..14).map(|n| format!("model-{n:02}")).collect();
        SwarmTool { name: name.parse().unwrap(), ready, slots: 2 * ready, free: ready, models, workers }
    }

    #[test]
    fn a_tool_says_where_it_is_and_how() {
        let fix = "install it".to_owned();
        let away = ToolOnWorker { status: WorkerStatus::Offline, ..on("tower", ToolHealth::Ready) };
        let places = vec![on("attic", ToolHealth::Ready), on("studio", ToolHealth::Missing { fix: fix.clone() }), away];
        let limit = AccountLimit {
            account: "key ...a1b2".to_owned(),
            tools: vec!["codex".parse().unwrap()],
            workers: vec![samples::worker("attic").worker_id],
            class: FailureClass::RateLimited,
            detail: "slow down".to_owned(),
            since: ago(1),
            until: MOMENT.now + Duration::from_secs(60),
        };
        let told = [tool("gemini-cli", 0, Vec::new()), tool("codex", 1, places)];
        assert_eq!(headline(&told), "1 of 2 tools is ready");
        let tools = tools(&told, &[limit], MOMENT);
        assert_eq!(tools.iter().map(|tool| tool.label.as_str()).collect::<Vec<_>>(), ["Codex", "Gemini CLI"]);
        let codex = &tools[0];
        assert_eq!(codex.summary, "Ready on 1 of 3 machines, 1 of 2 slots free");
        assert_eq!((codex.models.len(), codex.more_models.as_deref()), (12, Some("and 2 more")));
        let words: Vec<_> = codex.places.iter().map(|place| (place.machine.as_str(), place.word)).collect();
        assert_eq!(words, [("attic", "ready"), ("studio", "not found"), ("tower", "its machine is offline")]);
        let [attic, studio, _] = &codex.places[..] else { panic!("{codex:?}") };
        assert_eq!(attic.account.as_deref(), Some("account: key ...a1b2"));
        assert_eq!(attic.limit.as_deref(), Some("At a limit until 15:32: rate limit on account key ...a1b2"));
        assert_eq!((&studio.fix, &studio.account, &studio.limit), (&fix, &None, &None));
        assert_eq!(tools[1].summary, "Not ready on any machine");
    }

    #[test]
    fn without_a_machine_there_is_no_tool() {
        assert_eq!(headline(&[]), "No machine has told of a tool yet");
        assert_eq!(headline(&[tool("codex", 0, Vec::new())]), "No tool is ready");
    }
}
