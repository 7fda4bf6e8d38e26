//! The part of a spec that no query asks for, as it is kept: JSON without what is as usual.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};
use swarm_model::task::{Limits, OnLoss, Priority, Queue, Repository, Requirements, RetryPolicy, TaskInput, TaskSpec};
use swarm_model::{AtLimit, ModelChoice, Role, ToolName};

use crate::error::StoreError;
use crate::sql::value::json;

#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(default)]
struct StoredSpec<'a> {
    #[serde(skip_serializing_if = "is_default")]
    input: Cow<'a, TaskInput>,
    #[serde(skip_serializing_if = "is_default")]
    model: Cow<'a, Option<String>>,
    #[serde(skip_serializing_if = "is_default")]
    role: Option<Role>,
    #[serde(skip_serializing_if = "is_default")]
    cascade: Cow<'a, [ModelChoice]>,
    #[serde(skip_serializing_if = "is_default")]
    at_limit: AtLimit,
    #[serde(skip_serializing_if = "is_default")]
    repository: Cow<'a, Option<Repository>>,
    #[serde(skip_serializing_if = "is_default")]
    network: Cow<'a, Option<Vec<String>>>,
    #[serde(skip_serializing_if = "is_default")]
    queue: Queue,
    #[serde(skip_serializing_if = "is_default")]
    priority: Priority,
    #[serde(skip_serializing_if = "is_default")]
    requirements: Cow<'a, Requirements>,
    #[serde(skip_serializing_if = "is_default")]
    limits: Cow<'a, Limits>,
    #[serde(skip_serializing_if = "is_default")]
    retry: RetryPolicy,
    #[serde(skip_serializing_if = "is_default")]
    on_loss: OnLoss,
}

fn is_default<T: Default + PartialEq>(value: &T) -> bool {
    *value == T::default()
}

/// What is kept beside the description and the tool.
pub(super) fn stored_spec(spec: &TaskSpec) -> Result<String, StoreError> {
    json(&StoredSpec {
        input: Cow::Borrowed(&spec.input),
        model: Cow::Borrowed(&spec.model),
        role: spec.role,
        cascade: Cow::Borrowed(&spec.cascade),
        at_limit: spec.at_limit,
        repository: Cow::Borrowed(&spec.repository),
        network: Cow::Borrowed(&spec.network),
        queue: spec.queue,
        priority: spec.priority,
        requirements: Cow::Borrowed(&spec.requirements),
        limits: Cow::Borrowed(&spec.limits),
        retry: spec.retry,
        on_loss: spec.on_loss,
    })
}

/// The spec from what is kept.
pub(super) fn read_spec(
    description: String,
    tool: Option<ToolName>,
    stored: &str,
) -> Result<TaskSpec, serde_json::Error> {
    let stored: StoredSpec<'_> = serde_json::from_str(stored)?;
    Ok(TaskSpec {
        description,
        input: stored.input.into_owned(),
        tool,
        model: stored.model.into_owned(),
        role: stored.role,
        cascade: stored.cascade.into_owned(),
        at_limit: stored.at_limit,
        repository: stored.repository.into_owned(),
        network: stored.network.into_owned(),
        queue: stored.queue,
        priority: stored.priority,
        requirements: stored.requirements.into_owned(),
        limits: stored.limits.into_owned(),
        retry: stored.retry,
        on_loss: stored.on_loss,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What is left out is read as the default, so that a default that changes would change stored tasks: this
    /// needs a migration that writes the old one into them.
    #[test]
    fn the_defaults_that_are_left_out() {
        let usual = serde_json::json!({
            "input": {"kind": "prompt"},
            "model": null,
            "role": null,
            "cascade": [],
            "at_limit": "wait",
            "repository": null,
            "network": null,
            "queue": {"kind": "user"},
            "priority": 5,
            "requirements": {},
            "limits": {},
            "retry": {"max_attempts": 3, "backoff_ms": 1000, "max_backoff_ms": 60000},
            "on_loss": "requeue",
        });
        let read = read_spec(String::new(), None, &usual.to_string()).unwrap();
        assert_eq!(stored_spec(&read).unwrap(), "{}");
        assert_eq!(read, read_spec(String::new(), None, "{}").unwrap());
    }
}
