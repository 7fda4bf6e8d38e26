//! What a run says while it goes: numbered lines and events.

use serde::{Deserialize, Serialize};

use crate::Timestamp;

/// The most bytes of text that one log entry holds; longer output is cut into several.
pub const MAX_ENTRY_BYTES: usize = 16 * 1024;

/// Where a log entry came from: a closed set.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
#[serde(rename_all = "snake_case")]
pub enum LogStream {
    /// Standard output of a command.
    Stdout,
    /// Standard error of a command or tool.
    Stderr,
    /// Text of the model's answer.
    Text,
    /// The model's reasoning, where the tool shows it.
    Thinking,
    /// A call of a tool by the model; `data` has its name and arguments.
    ToolCall,
    /// What a call gave back; `data` has the call's id.
    ToolResult,
    /// Tokens and cost so far, in `data`.
    Usage,
    /// A limit of the account, in `data`.
    RateLimit,
    /// A remark of the worker itself (started, cancelled, cut).
    System,
}

impl LogStream {
    /// The name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Stdout => "stdout",
            Self::Stderr => "stderr",
            Self::Text => "text",
            Self::Thinking => "thinking",
            Self::ToolCall => "tool_call",
            Self::ToolResult => "tool_result",
            Self::Usage => "usage",
            Self::RateLimit => "rate_limit",
            Self::System => "system",
        }
    }
}

/// A line as the worker numbers it within an attempt, from 1 without gaps.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogLine {
    /// The worker's number within the attempt.
    pub n: u64,
    /// Where it came from.
    pub stream: LogStream,
    /// The text, at most [`MAX_ENTRY_BYTES`], valid UTF-8.
    pub text: String,
    /// Structured part of tool calls, usage and limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub data: Option<serde_json::Value>,
    /// When the worker read it.
    pub at: Timestamp,
}

/// A committed line, with its number within the task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(feature = "openapi", derive(utoipa::ToSchema))]
pub struct LogEntry {
    /// Number within the task, from 1 without gaps.
    pub seq: u64,
    /// Which attempt said it.
    pub attempt: u32,
    /// Where it came from.
    pub stream: LogStream,
    /// The text.
    pub text: String,
    /// Structured part, where there is one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    #[cfg_attr(feature = "openapi", schema(value_type = Option<Object>))]
    pub data: Option<serde_json::Value>,
    /// When the worker read it.
    pub at: Timestamp,
}
