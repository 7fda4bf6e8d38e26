//! Workers: their states, what they can do, and why one declines.

use std::collections::{BTreeMap, BTreeSet};

use serde::{Deserialize, Serialize};

use crate::tool::ToolInfo;
use crate::{Isolation, TaskId, Timestamp, ToolName, UserId};

/// What a worker is doing, as people see it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum WorkerStatus {
    /// Connected, with a free slot.
    Online,
    /// Connected, every slot taken.
    Busy,
    /// Connected, takes nothing new because somebody paused it.
    Paused,
    /// Finishes what it has and takes nothing new.
    Draining,
    /// A phone asleep: away, not lost.
    Suspended,
    /// Not connected.
    Offline,
}

impl WorkerStatus {
    /// Every status, for filters and documents.
    pub const ALL: [Self; 6] = [Self::Online, Self::Busy, Self::Paused, Self::Draining, Self::Suspended, Self::Offline];

    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Online => "online",
            Self::Busy => "busy",
            Self::Paused => "paused",
            Self::Draining => "draining",
            Self::Suspended => "suspended",
            Self::Offline => "offline",
        }
    }
}

/// Who paused a worker. Each pause is lifted only by who set it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Pauses {
    /// By a person on the coordinator (`garageswarm worker pause ID`).
    #[serde(default)]
    pub by_coordinator: bool,
    /// By the owner on the machine itself.
    #[serde(default)]
    pub by_owner: bool,
}

impl Pauses {
    /// Whether either pause stands.
    pub fn any(self) -> bool {
        self.by_coordinator || self.by_owner
    }
}

/// What a worker brings: sent in `hello` and whenever it changes.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Capabilities {
    /// Runs at once.
    pub slots: u32,
    /// Its tools, ready or not.
    pub tools: Vec<ToolInfo>,
    /// Operating system: `linux`, `macos`, `windows`, `android`, `ios`.
    pub os: String,
    /// Processor: `x86_64`, `aarch64`, ...
    pub arch: String,
    /// Memory in MiB.
    #[serde(default)]
    pub memory_mb: u64,
    /// Logical processors.
    #[serde(default)]
    pub cpus: u32,
    /// Version of the agent.
    #[serde(default)]
    pub agent_version: String,
    /// Free words by which tasks may ask for this machine (`gpu`, `home`).
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// Who besides the owner may use which tool, as the machine's own settings say. The coordinator hands out
    /// nothing beyond it, and the machine checks again.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub grants: Vec<ToolGrant>,
    /// How far the machine keeps runs away from itself, as it proved when it started.
    #[serde(default)]
    pub isolation: ProvenIsolation,
}

/// The highest level of isolation that a machine has proved by trying to get out of it.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ProvenIsolation {
    /// The level. A worker that says nothing of it gives runs their own folders and environment.
    pub level: Isolation,
    /// What people should know of it: why it is not higher, and what it leaves open.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub remarks: Vec<String>,
}

impl Capabilities {
    /// The grant by which somebody who is not the owner may use a tool: their own before the one for everyone.
    pub fn grant_for(&self, user: UserId, tool: &ToolName) -> Option<&ToolGrant> {
        let of_tool = || self.grants.iter().filter(|grant| grant.tool == *tool);
        of_tool().find(|grant| grant.user_id == Some(user)).or_else(|| of_tool().find(|grant| grant.user_id.is_none()))
    }
}

/// The owner of a machine lets somebody else use one of its tools.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct ToolGrant {
    /// Which tool.
    pub tool: ToolName,
    /// Who; everyone to whom the coordinator opens the machine where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_id: Option<UserId>,
    /// Runs of that tool for that person at once; as many as the machine has slots where this is absent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
}

/// Bounds on what somebody may do with a worker that is shared with them, as its owner set them on the coordinator.
/// The machine's own grants are checked besides.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(default)]
pub struct ShareLimits {
    /// Only these tools; every tool that the machine grants where this is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tools: Option<BTreeSet<ToolName>>,
    /// Runs at once, whatever the tool; as many as the machine has slots where this is absent.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub slots: Option<u32>,
}

impl ShareLimits {
    /// Whether a tool is within them.
    pub fn admits(&self, tool: &ToolName) -> bool {
        self.tools.as_ref().is_none_or(|tools| tools.contains(tool))
    }
}

/// How busy the machine is, from the last heartbeat. Percentages from 0 to 100.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct Load {
    /// Processor time in use.
    #[serde(default, deserialize_with = "percent")]
    pub cpu_percent: f32,
    /// Memory in use.
    #[serde(default, deserialize_with = "percent")]
    pub memory_percent: f32,
    /// Disk in use, of the volume that holds the working folders.
    #[serde(default, deserialize_with = "percent")]
    pub disk_percent: f32,
}

/// A number beyond every `f32` becomes an infinite one, which JSON cannot write: whoever keeps it could not read it again.
fn percent<'de, D: serde::Deserializer<'de>>(deserializer: D) -> Result<f32, D::Error> {
    f32::deserialize(deserializer).map(|percent| percent.clamp(0.0, 100.0))
}

/// Why a worker declined an assignment: a closed set, shown alike in tray, panel and command line.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(tag = "reason", rename_all = "snake_case")]
pub enum RefusalReason {
    /// No free slot.
    NoFreeSlot,
    /// The owner paused this machine.
    PausedByOwner,
    /// The worker is finishing and takes nothing new.
    Draining,
    /// The tool is not on this machine.
    ToolMissing {
        /// What the owner can do.
        fix: String,
    },
    /// The owner has not allowed this tool to this person.
    ToolNotAllowed,
    /// The tool waits for somebody to sign it in.
    ToolNeedsLogin {
        /// What the owner can do.
        fix: String,
    },
    /// The run must be kept away from the machine further than the machine has proved that it can.
    IsolationTooLow {
        /// What the machine offers.
        #[serde(default)]
        offered: Isolation,
        /// What is demanded.
        #[serde(default = "sandbox")]
        demanded: Isolation,
    },
    /// The slots that the owner set aside for this person are taken.
    ShareSlotsTaken,
    /// What the owner allows this person for a day is used up.
    ShareUsedUp {
        /// When the next day begins there.
        until: Timestamp,
    },
    /// The disk is too full to begin, or all that the owner allows is used.
    DiskFull,
    /// The machine cannot work on the repository, or does not go there for this person.
    RepositoryOutOfReach {
        /// Why.
        detail: String,
    },
    /// The task's input makes no sense for the tool.
    InvalidInput {
        /// What is wrong with it.
        detail: String,
    },
}

impl RefusalReason {
    /// The name of the reason on the wire.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::NoFreeSlot => "no_free_slot",
            Self::PausedByOwner => "paused_by_owner",
            Self::Draining => "draining",
            Self::ToolMissing { .. } => "tool_missing",
            Self::ToolNotAllowed => "tool_not_allowed",
            Self::ToolNeedsLogin { .. } => "tool_needs_login",
            Self::IsolationTooLow { .. } => "isolation_too_low",
            Self::ShareSlotsTaken => "share_slots_taken",
            Self::ShareUsedUp { .. } => "share_used_up",
            Self::DiskFull => "disk_full",
            Self::RepositoryOutOfReach { .. } => "repository_out_of_reach",
            Self::InvalidInput { .. } => "invalid_input",
        }
    }

    /// One sentence for people.
    pub fn sentence(&self) -> String {
        match self {
            Self::NoFreeSlot => "every slot of the machine is taken".to_owned(),
            Self::PausedByOwner => "the owner paused this machine".to_owned(),
            Self::Draining => "the machine finishes its work and takes nothing new".to_owned(),
            Self::ToolMissing { fix } => format!("the tool is not on this machine: {fix}"),
            Self::ToolNotAllowed => "the owner of the machine has not allowed this tool to this person".to_owned(),
            Self::ToolNeedsLogin { fix } => format!("the tool is not signed in: {fix}"),
            Self::IsolationTooLow { offered, demanded } => isolation_too_low(*offered, *demanded),
            Self::ShareSlotsTaken => "the slots that the owner shares with this person are taken".to_owned(),
            Self::ShareUsedUp { until } => {
                format!("what the owner shares with this person for a day is used up until {until}")
            }
            Self::DiskFull => "the disk of the machine is full, or all that its owner allows is used".to_owned(),
            Self::RepositoryOutOfReach { detail } => format!("the machine cannot work on the repository: {detail}"),
            Self::InvalidInput { detail } => format!("the tool cannot take this input: {detail}"),
        }
    }

    /// Whether this machine will say the same again, so that the task must look elsewhere.
    pub fn is_lasting(&self) -> bool {
        !matches!(self, Self::NoFreeSlot | Self::PausedByOwner | Self::Draining | Self::ShareSlotsTaken)
    }
}

/// What the older form of the reason meant.
fn sandbox() -> Isolation {
    Isolation::Sandbox
}

/// Why a machine does not fit a task, in the same words wherever it is found out.
pub fn isolation_too_low(offered: Isolation, demanded: Isolation) -> String {
    format!("the machine offers isolation {offered}, and {demanded} is demanded")
}

/// One attempt that a worker says it is working on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct AttemptRef {
    /// The task.
    pub task_id: TaskId,
    /// The attempt, which is the lease's epoch.
    pub attempt: u32,
}

/// How often a worker reports and how long its leases live without a report.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LeaseTerms {
    /// Milliseconds between heartbeats.
    pub heartbeat_ms: u64,
    /// Milliseconds without a heartbeat after which the leases end.
    pub lease_ms: u64,
}

impl LeaseTerms {
    /// Over a socket: 10 s and 25 s.
    pub const SOCKET: Self = Self { heartbeat_ms: 10_000, lease_ms: 25_000 };
    /// Over plain HTTP: 20 s and 60 s.
    pub const HTTP: Self = Self { heartbeat_ms: 20_000, lease_ms: 60_000 };

    /// The deadline of a lease renewed at `now`.
    pub fn deadline(self, now: Timestamp) -> Timestamp {
        now + std::time::Duration::from_millis(self.lease_ms)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What a worker says of its load is kept as JSON, which has no infinite number.
    #[test]
    fn a_load_that_no_machine_has_can_be_kept_and_read_again() {
        let told = r#"{ "cpu_percent": 1e300, "memory_percent": -5, "disk_percent": 40.5 }"#;
        let load: Load = serde_json::from_str(told).unwrap();
        assert_eq!(load, Load { cpu_percent: 100.0, memory_percent: 0.0, disk_percent: 40.5 });
        assert_eq!(serde_json::from_str::<Load>(&serde_json::to_string(&load).unwrap()).unwrap(), load);
    }
}
