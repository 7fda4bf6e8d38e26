//! Whether this machine takes an assignment. The machine decides, not the coordinator: what its owner has not
//! allowed is refused here, whoever asks.

use swarm_model::ToolName;
use swarm_model::tool::{ToolHealth, ToolInfo};
use swarm_model::worker::RefusalReason;
use swarm_proto::worker::Assignment;

use crate::settings::Settings;

/// What the decision depends on beside the assignment.
#[derive(Debug)]
pub(crate) struct Situation<'a> {
    pub(crate) settings: &'a Settings,
    /// The tools as they were last found.
    pub(crate) tools: &'a [ToolInfo],
    /// Whether the agent is on its way out, or was told to finish.
    pub(crate) draining: bool,
    /// The tools of the runs that hold a slot.
    pub(crate) running: &'a [ToolName],
    /// Bytes free on the volume of the working folders, where that is known.
    pub(crate) free_disk: Option<u64>,
}

/// Takes or declines an assignment.
pub(crate) fn decide(assignment: &Assignment, situation: &Situation<'_>) -> Result<(), RefusalReason> {
    let Situation { settings, tools, draining, running, free_disk } = situation;
    if *draining {
        return Err(RefusalReason::Draining);
    }
    if settings.paused {
        return Err(RefusalReason::PausedByOwner);
    }
    let tool = &assignment.tool;
    if !settings.is_enabled(tool) {
        return Err(RefusalReason::ToolNotAllowed);
    }
    if !assignment.by_owner && runs_programs(tool) {
        // Programs of other people run at sandbox level or not at all, and this build has no sandbox.
        let granted = settings.is_granted(tool, assignment.user_id);
        return Err(if granted { RefusalReason::IsolationTooLow } else { RefusalReason::ToolNotAllowed });
    }
    let info = tools.iter().find(|info| info.name == *tool);
    match info.map(|info| &info.health) {
        Some(ToolHealth::Ready) => {}
        Some(ToolHealth::NotAllowed) => return Err(RefusalReason::ToolNotAllowed),
        Some(ToolHealth::NeedsLogin { fix }) => return Err(RefusalReason::ToolNeedsLogin { fix: fix.clone() }),
        Some(ToolHealth::Missing { fix }) => return Err(RefusalReason::ToolMissing { fix: fix.clone() }),
        None => {
            let fix = format!("this version of the worker has no tool \"{tool}\"; update it");
            return Err(RefusalReason::ToolMissing { fix });
        }
    }
    let n_alike = running.iter().filter(|name| *name == tool).count();
    let max_alike = info.and_then(|info| info.max_concurrent);
    if running.len() >= settings.slots() as usize || max_alike.is_some_and(|max| n_alike >= max as usize) {
        return Err(RefusalReason::NoFreeSlot);
    }
    if free_disk.is_some_and(|free| free < settings.min_free_disk_mb * 1024 * 1024) {
        return Err(RefusalReason::DiskFull);
    }
    Ok(())
}

/// Whether a tool can run programs on the machine. Everything that is not known to only talk can.
fn runs_programs(tool: &ToolName) -> bool {
    !matches!(tool.as_str(), ToolName::OLLAMA | ToolName::DEMO | "anthropic-api" | "openai-api" | "gemini-api")
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::settings::Grant;

    fn assignment(tool: &str, by_owner: bool) -> Assignment {
        serde_json::from_value(json!({
            "task_id": "018f2d3a-0000-7000-8000-000000000009",
            "number": 9,
            "attempt": 1,
            "user_id": "018f2d3a-0000-7000-8000-000000000001",
            "by_owner": by_owner,
            "tool": tool,
            "description": "",
            "input": { "kind": "prompt" },
        }))
        .unwrap()
    }

    fn tool(name: &str, health: ToolHealth, max_concurrent: Option<u32>) -> ToolInfo {
        ToolInfo { name: name.parse().unwrap(), version: None, health, models: Vec::new(), max_concurrent }
    }

    fn check(
        change: impl FnOnce(&mut Settings),
        tool_name: &str,
        by_owner: bool,
        running: &[&str],
    ) -> Option<&'static str> {
        let mut settings = Settings { slots: Some(2), ..Settings::default() };
        change(&mut settings);
        let tools = [
            tool("command", ToolHealth::Ready, None),
            tool("demo", ToolHealth::Ready, Some(1)),
            tool("ollama", ToolHealth::Missing { fix: "install it".to_owned() }, None),
            tool("claude-code", ToolHealth::NeedsLogin { fix: "sign in".to_owned() }, None),
        ];
        let running: Vec<ToolName> = running.iter().map(|name| name.parse().unwrap()).collect();
        let situation = Situation {
            settings: &settings,
            tools: &tools,
            draining: false,
            running: &running,
            free_disk: Some(2 * 1024 * 1024 * 1024),
        };
        decide(&assignment(tool_name, by_owner), &situation).err().map(|reason| reason.as_str())
    }

    fn with_command(settings: &mut Settings) {
        settings.enable("command".parse().unwrap(), true);
    }

    #[test]
    fn the_owner_may_use_what_is_switched_on_and_there() {
        assert_eq!(check(|_| (), "demo", true, &[]), None);
        assert_eq!(check(|_| (), "command", true, &[]), Some("tool_not_allowed"));
        assert_eq!(check(with_command, "command", true, &[]), None);
        assert_eq!(check(|_| (), "ollama", true, &[]), Some("tool_missing"));
        assert_eq!(check(|_| (), "claude-code", true, &[]), Some("tool_needs_login"));
        assert_eq!(check(|_| (), "codex", true, &[]), Some("tool_missing"));
    }

    #[test]
    fn others_may_talk_but_run_nothing() {
        assert_eq!(check(|_| (), "demo", false, &[]), None);
        assert_eq!(check(with_command, "command", false, &[]), Some("tool_not_allowed"));
        let granted = |settings: &mut Settings| {
            with_command(settings);
            let user = "018f2d3a-0000-7000-8000-000000000001".parse().unwrap();
            settings.grants.push(Grant { tool: "command".parse().unwrap(), user });
        };
        assert_eq!(check(granted, "command", false, &[]), Some("isolation_too_low"));
    }

    #[test]
    fn slots_and_pauses_and_the_disk_hold() {
        assert_eq!(check(with_command, "command", true, &["demo"]), None);
        assert_eq!(check(with_command, "command", true, &["demo", "command"]), Some("no_free_slot"));
        assert_eq!(check(|_| (), "demo", true, &["demo"]), Some("no_free_slot"));
        assert_eq!(check(|settings| settings.paused = true, "demo", true, &[]), Some("paused_by_owner"));
        assert_eq!(check(|settings| settings.min_free_disk_mb = 4096, "demo", true, &[]), Some("disk_full"));
    }
}
