//! What a task remembers from one attempt to the next, beyond the fields of its row.
//!
//! Most tasks remember nothing, and nothing is stored for them. What is here is written with the row, in the same
//! commit as whatever made it so: a coordinator that starts anew goes on where the old one was.

use std::fmt::Write as _;

use serde::{Deserialize, Serialize};

use crate::task::Usage;
use crate::{BudgetId, FailureClass, ToolName, WorkerId};

/// Characters that are kept of why a try came to nothing.
const WHY: usize = 300;

/// See the [module](self).
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct Course {
    /// The entry of its cascade that is tried now or next, from 0.
    #[serde(skip_serializing_if = "is_default")]
    pub entry: u32,
    /// The entries before that: why each came to nothing.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tries: Vec<Try>,
    /// What attempts used that ended without a result.
    #[serde(skip_serializing_if = "is_default")]
    pub used: Spent,
    /// The session to go on with, and where it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resume: Option<Resume>,
    /// The budget that it waits for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub short: Option<Short>,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// An entry of a cascade that came to nothing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Try {
    /// With which tool.
    pub tool: ToolName,
    /// With which model, where one was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub model: Option<String>,
    /// Its last attempt; absent where it was passed over without one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub attempt: Option<u32>,
    /// Why that failed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<FailureClass>,
    /// The same in a sentence, or why it was passed over.
    pub error: String,
}

impl Try {
    /// A try with as much of its sentence as is useful.
    #[must_use]
    pub fn cut(self) -> Self {
        Self { error: self.error.chars().take(WHY).collect(), ..self }
    }
}

/// Every try as one sentence for people.
pub fn sentence(tries: &[Try]) -> String {
    let mut text = "every model was tried in vain:".to_owned();
    for (n, tried) in (1..).zip(tries) {
        let model = tried.model.as_deref().map(|model| format!(" {model}")).unwrap_or_default();
        let class = tried.class.map_or("passed over", FailureClass::as_str).replace('_', " ");
        // Writing to a String cannot fail.
        write!(text, " {n}. {}{model}: {class} ({});", tried.tool, tried.error).ok();
    }
    text.pop();
    text
}

/// Tokens and money that count against budgets. What nobody told is not in it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct Spent {
    /// Tokens in and out.
    pub tokens: u64,
    /// Millionths of a US dollar.
    pub cost_microusd: u64,
}

impl Spent {
    /// What a run used, as far as it told.
    pub fn of(usage: &Usage) -> Self {
        let tokens = usage.input_tokens.unwrap_or(0).saturating_add(usage.output_tokens.unwrap_or(0));
        Self { tokens, cost_microusd: usage.cost_microusd.unwrap_or(0) }
    }

    /// Both together.
    #[must_use]
    pub fn plus(self, other: Self) -> Self {
        Self {
            tokens: self.tokens.saturating_add(other.tokens),
            cost_microusd: self.cost_microusd.saturating_add(other.cost_microusd),
        }
    }
}

/// A tool's session on a machine. Only there can it go on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Resume {
    /// Where.
    pub worker_id: WorkerId,
    /// Of which tool.
    pub tool: ToolName,
    /// What the tool calls it, where it told; without, the run begins anew in the same place.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub session: Option<String>,
}

/// A budget that is used up, as far as one task is concerned.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Short {
    /// Which budget; absent for the task's own limit.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget_id: Option<BudgetId>,
    /// Where a run was stopped by it: the amount that it had then. What is left of it was too little.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub stopped_at: Option<u64>,
    /// What people read.
    pub sentence: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_as_usual_is_not_kept() {
        assert_eq!(serde_json::to_string(&Course::default()).unwrap(), "{}");
        assert_eq!(serde_json::from_str::<Course>("{}").unwrap(), Course::default());
    }

    #[test]
    fn every_try_is_named() {
        let tried = |tool: &str, model: Option<&str>, class, error: &str| Try {
            tool: tool.parse().unwrap(),
            model: model.map(str::to_owned),
            attempt: Some(1),
            class,
            error: error.to_owned(),
        };
        let tries = [
            tried("gemini-cli", Some("gemini-2.5-pro"), Some(FailureClass::ContextOverflow), "too long"),
            tried("ollama", None, None, "no machine has it"),
        ];
        assert_eq!(
            sentence(&tries),
            "every model was tried in vain: 1. gemini-cli gemini-2.5-pro: context overflow (too long); \
             2. ollama: passed over (no machine has it)"
        );
        assert_eq!(tried("ollama", None, None, &"é".repeat(1000)).cut().error.chars().count(), WHY);
    }
}
