//! What a session has used so far.
//!
//! Claude Code counts tokens and money per session, also across `--resume`; a run's own share is the
//! difference. The totals are kept in the tool's state folder, one file a session.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use swarm_model::task::{CostKind, Usage};
use uuid::Uuid;

/// Totals of a session.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Totals {
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
    pub(super) cache_read_tokens: u64,
    pub(super) cache_write_tokens: u64,
    pub(super) cost_microusd: u64,
}

impl Totals {
    /// What came since `earlier`.
    pub(super) fn since(self, earlier: Self) -> Usage {
        Usage {
            input_tokens: Some(self.input_tokens.saturating_sub(earlier.input_tokens)),
            output_tokens: Some(self.output_tokens.saturating_sub(earlier.output_tokens)),
            cache_read_tokens: Some(self.cache_read_tokens.saturating_sub(earlier.cache_read_tokens)),
            cache_write_tokens: Some(self.cache_write_tokens.saturating_sub(earlier.cache_write_tokens)),
            cost_microusd: Some(self.cost_microusd.saturating_sub(earlier.cost_microusd)),
            cost_kind: CostKind::Reported,
        }
    }
}

/// The totals before this run, and where those after it are kept.
#[derive(Debug)]
pub(super) struct Ledger {
    folder: PathBuf,
    before: Option<Totals>,
}

impl Ledger {
    /// Opens the ledger of a new session, or of one to go on with, whose totals may be unknown.
    pub(super) fn open(folder: PathBuf, resumed: Option<Uuid>) -> Self {
        let before = match resumed {
            None => Some(Totals::default()),
            Some(session) => std::fs::read(file(&folder, session))
                .ok()
                .and_then(|content| serde_json::from_slice(&content).ok()),
        };
        Self { folder, before }
    }

    /// The share of this run; none where the session was used elsewhere before.
    pub(super) fn share(&self, now: Totals) -> Option<Usage> {
        self.before.map(|before| now.since(before))
    }

    /// Keeps the totals for the next run of this session.
    pub(super) fn keep(&self, session: &str, now: Totals) {
        let Ok(session) = Uuid::try_parse(session) else { return };
        let kept = std::fs::create_dir_all(&self.folder)
            .and_then(|()| std::fs::write(file(&self.folder, session), serde_json::to_vec(&now)?));
        if let Err(error) = kept {
            tracing::warn!(%error, "the session's totals were not kept: the cost of its next run will be unknown");
        }
    }
}

fn file(folder: &std::path::Path, session: Uuid) -> PathBuf {
    folder.join(format!("{session}.json"))
}
