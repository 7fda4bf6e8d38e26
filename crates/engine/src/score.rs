//! Points of a worker for a task: match 40, availability 30, balance 20, affinity 10; and affinity 100 where an attempt
//! of the task was interrupted, so that the work in its folder goes on.
//!
//! Each part is a fraction from 0 to 1 times its weight; `docs/allocation.md` has the formulas for people.
//! Points are counted in thousandths, as integers, so that ties are ties on every machine.

use swarm_model::ToolName;
use swarm_model::tool::ToolInfo;
use swarm_model::worker::Load;

const MATCH: f64 = 40_000.0;
const AVAILABILITY: f64 = 30_000.0;
const BALANCE: f64 = 20_000.0;
const AFFINITY: u32 = 10_000;
/// More than every other machine can have.
const INTERRUPTED: u32 = 100_000;

/// The parts of a score, in thousandths of a point.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Score {
    /// How well tool and model fit; 40,000 at most.
    pub matching: u32,
    /// How free the machine is; 30,000 at most.
    pub availability: u32,
    /// How little it had lately; 20,000 at most.
    pub balance: u32,
    /// Whether it worked for this person lately; 0 or 10,000, and 100,000 where an attempt of the task was interrupted.
    pub affinity: u32,
}

impl Score {
    /// The sum, 100,000 at most, but where an attempt was interrupted.
    pub fn total(self) -> u32 {
        self.matching + self.availability + self.balance + self.affinity
    }
}

fn thousandths(weight: f64, fraction: f64) -> u32 {
    (weight * fraction.clamp(0.0, 1.0)).round() as u32
}

/// A tool that fits, with its fraction of the points for matching.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ToolChoice {
    pub(crate) tool: ToolName,
    pub(crate) points: u32,
}

/// How a model wish fits what a tool offers: listed 1, "any" 0.75 (nobody knows), not listed none.
fn model_fraction(wish: Option<&str>, tool: &ToolInfo) -> Option<f64> {
    let Some(wish) = wish else { return Some(1.0) };
    if tool.models.is_empty() {
        Some(0.75)
    } else if tool.models.iter().any(|model| model == wish) {
        Some(1.0)
    } else {
        None
    }
}

/// The best ready tool of `tools` for the wishes, or `None` where nothing fits.
///
/// Only what the person may use there counts. A tool that was named gets its model's fraction. Where none was named, the first of
/// [`ToolName::PROMPT_PREFERENCE`] that fits is taken, and each place further down costs a sixteenth.
pub(crate) fn choose_tool(
    wish: Option<&ToolName>,
    model: Option<&str>,
    tools: &[ToolInfo],
    may_use: impl Fn(&ToolName) -> bool,
) -> Option<ToolChoice> {
    let fits = |tool: &&ToolInfo| tool.health.is_ready() && may_use(&tool.name);
    let ready = |name: &str| tools.iter().find(|tool| tool.name.as_str() == name).filter(fits);
    let choice =
        |tool: &ToolInfo, fraction: f64| ToolChoice { tool: tool.name.clone(), points: thousandths(MATCH, fraction) };
    if let Some(wish) = wish {
        let tool = ready(wish.as_str())?;
        return model_fraction(model, tool).map(|fraction| choice(tool, fraction));
    }
    ToolName::PROMPT_PREFERENCE.iter().enumerate().find_map(|(place, name)| {
        let tool = ready(name)?;
        let fraction = model_fraction(model, tool)? - place as f64 / 16.0;
        Some(choice(tool, fraction))
    })
}

/// Availability: seven tenths the share of free slots, three tenths the idle processor.
pub(crate) fn availability(free_slots: u32, slots: u32, load: Load) -> u32 {
    let free = f64::from(free_slots) / f64::from(slots.max(1));
    let idle = 1.0 - f64::from(load.cpu_percent) / 100.0;
    thousandths(AVAILABILITY, 0.7 * free + 0.3 * idle.clamp(0.0, 1.0))
}

/// Balance: 1 for a machine that did nothing lately, one half after a minute of slot-time, falling on.
pub(crate) fn balance(recent_seconds: f64) -> u32 {
    thousandths(BALANCE, 1.0 / (1.0 + recent_seconds / 60.0))
}

/// Affinity: all or nothing; and all that there is where an attempt of this task was interrupted.
pub(crate) fn affinity(worked_for_user_lately: bool, was_interrupted: bool) -> u32 {
    match (was_interrupted, worked_for_user_lately) {
        (true, _) => INTERRUPTED,
        (false, true) => AFFINITY,
        (false, false) => 0,
    }
}

#[cfg(test)]
mod tests {
    use swarm_model::tool::ToolHealth;

    use super::*;

    fn tool(name: &str, models: &[&str]) -> ToolInfo {
        ToolInfo {
            name: name.parse().unwrap(),
            version: None,
            health: ToolHealth::Ready,
            models: models.iter().map(|model| (*model).to_owned()).collect(),
            max_concurrent: None,
            account: None,
        }
    }

    #[test]
    fn the_weights_sum_to_a_hundred() {
        let best = Score {
            matching: choose_tool(None, None, &[tool("claude-code", &[])], |_| true).unwrap().points,
            availability: availability(2, 2, Load::default()),
            balance: balance(0.0),
            affinity: affinity(true, false),
        };
        assert_eq!(best.total(), 100_000);
        assert!(affinity(false, true) >= best.total());
    }

    #[test]
    fn a_prompt_without_a_tool_prefers_a_real_model_to_the_demonstration() {
        let tools = [tool("demo", &[]), tool("ollama", &[])];
        assert_eq!(choose_tool(None, None, &tools, |_| true).unwrap().tool.as_str(), "ollama");
    }

    #[test]
    fn a_prompt_is_never_given_to_plain_commands() {
        assert_eq!(choose_tool(None, None, &[tool("command", &[])], |_| true), None);
    }

    #[test]
    fn a_model_that_is_not_offered_rules_the_tool_out() {
        let tools = [tool("ollama", &["tiny"])];
        let wish: ToolName = "ollama".parse().unwrap();
        assert!(choose_tool(Some(&wish), Some("tiny"), &tools, |_| true).is_some());
        assert!(choose_tool(Some(&wish), Some("huge"), &tools, |_| true).is_none());
    }

    #[test]
    fn a_tool_that_is_not_ready_does_not_fit() {
        let mut missing = tool("ollama", &[]);
        missing.health = ToolHealth::NotAllowed;
        assert!(choose_tool(Some(&"ollama".parse().unwrap()), None, &[missing], |_| true).is_none());
    }

    #[test]
    fn a_minute_of_work_halves_the_balance() {
        assert_eq!(balance(60.0), 10_000);
    }
}
