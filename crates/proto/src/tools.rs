//! The registry of tools: what the workers bring that somebody may see.

use serde::{Deserialize, Serialize};
use swarm_model::tool::ToolHealth;
use swarm_model::{ToolName, WorkerId, WorkerStatus};

/// A member of `GET /tools`. A tool that no worker knows is not there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct SwarmTool {
    /// Which tool.
    pub name: ToolName,
    /// On how many workers it is ready.
    pub ready: u32,
    /// Runs of it that connected workers can have at once.
    pub slots: u32,
    /// Runs of it by the asker that have a slot now.
    pub free: u32,
    /// The models that are offered somewhere, by name.
    pub models: Vec<String>,
    /// The workers that know it, by name.
    pub workers: Vec<ToolOnWorker>,
}

/// A tool as one worker has it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ToolOnWorker {
    /// Which worker.
    pub worker_id: WorkerId,
    /// What people call it.
    pub machine_name: String,
    /// What it is doing.
    pub status: WorkerStatus,
    /// The tool's version, where it told one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub version: Option<String>,
    /// Whether it can be used, and what to do where it cannot.
    pub health: ToolHealth,
    /// What people call the account whose allowance it uses there, where that is known.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub account: Option<String>,
    /// The models that it offers there; empty means any.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub models: Vec<String>,
    /// Runs of it at once.
    pub slots: u32,
    /// Runs of it by the asker that have a slot now: none where the worker is away, paused or full, or where its owner
    /// has not let them use the tool.
    pub free: u32,
}
