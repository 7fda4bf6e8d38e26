//! What a session has used so far.
//!
//! Codex counts tokens for the whole thread, also across `resume`. Some versions of Claude Code count
//! `modelUsage` and `total_cost_usd` for the session, and some for the run. The totals of a session are kept in
//! the tool's state folder, one file each; which way a run counted shows in the numbers themselves.

use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use swarm_model::task::{CostKind, Usage};
use uuid::Uuid;

/// Tokens and money.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
pub(super) struct Totals {
    pub(super) input_tokens: u64,
    pub(super) output_tokens: u64,
    pub(super) cache_read_tokens: u64,
    pub(super) cache_write_tokens: u64,
    pub(super) cost_microusd: u64,
}

impl Totals {
    pub(super) fn plus(self, more: Self) -> Self {
        self.with(more, u64::saturating_add)
    }

    pub(super) fn max(self, other: Self) -> Self {
        self.with(other, u64::max)
    }

    fn minus(self, less: Self) -> Self {
        self.with(less, u64::saturating_sub)
    }

    fn covers(self, other: Self) -> bool {
        self.max(other) == self
    }

    fn with(self, other: Self, each: impl Fn(u64, u64) -> u64) -> Self {
        Self {
            input_tokens: each(self.input_tokens, other.input_tokens),
            output_tokens: each(self.output_tokens, other.output_tokens),
            cache_read_tokens: each(self.cache_read_tokens, other.cache_read_tokens),
            cache_write_tokens: each(self.cache_write_tokens, other.cache_write_tokens),
            cost_microusd: each(self.cost_microusd, other.cost_microusd),
        }
    }

    /// As the usage that the tool reported.
    pub(super) fn usage(self) -> Usage {
        Usage {
            input_tokens: Some(self.input_tokens),
            output_tokens: Some(self.output_tokens),
            cache_read_tokens: Some(self.cache_read_tokens),
            cache_write_tokens: Some(self.cache_write_tokens),
            reasoning_tokens: None,
            cost_microusd: Some(self.cost_microusd),
            cost_kind: CostKind::Reported,
        }
    }

    /// As usage whose cost nobody told.
    pub(super) fn unpriced(self) -> Usage {
        Usage { cost_microusd: None, cost_kind: CostKind::Unknown, ..self.usage() }
    }
}

/// The totals of a session before this run, and where those after it are kept.
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
            Some(session) => {
                let content = std::fs::read(file(&folder, session)).ok();
                content.and_then(|content| serde_json::from_slice(&content).ok())
            }
        };
        Self { folder, before }
    }

    /// This run's share of what the tool counted, kept for the next run of the session. `at_least` is what
    /// the run is known to have used. None where the session was used elsewhere and the count may include it.
    pub(super) fn settle(&self, session: &str, counted: Totals, at_least: Totals) -> Option<Totals> {
        let tokens = Totals { cost_microusd: 0, ..counted };
        let share = match self.before {
            Some(before) if counted.covers(before.plus(at_least)) => counted.minus(before),
            Some(_) => counted,
            None if tokens == at_least => counted,
            None => return None,
        };
        let total = self.before.unwrap_or_default().plus(share);
        if let Ok(session) = Uuid::try_parse(session) {
            self.keep(session, total);
        }
        Some(share)
    }

    fn keep(&self, session: Uuid, total: Totals) {
        let kept = std::fs::create_dir_all(&self.folder)
            .and_then(|()| std::fs::write(file(&self.folder, session), serde_json::to_vec(&total)?));
        if let Err(error) = kept {
            tracing::warn!(%error, "the session's totals were not kept: the cost of its next run may be unknown");
        }
    }
}

fn file(folder: &Path, session: Uuid) -> PathBuf {
    folder.join(format!("{session}.json"))
}

#[cfg(test)]
mod tests {
    use super::*;

    const ID: &str = "01900000-0000-7000-8000-000000000001";

    fn totals(input_tokens: u64, cost_microusd: u64) -> Totals {
        Totals { input_tokens, cost_microusd, ..Totals::default() }
    }

    /// Two runs of one session, the second of which used as much as the first.
    fn check(second_count: Totals) {
        let folder = tempfile::tempdir().unwrap();
        let open = |resumed| Ledger::open(folder.path().to_owned(), resumed);
        assert_eq!(open(None).settle(ID, totals(100, 50), totals(100, 0)), Some(totals(100, 50)));
        let session = Uuid::try_parse(ID).ok();
        assert_eq!(open(session).settle(ID, second_count, totals(100, 0)), Some(totals(100, 50)));
        assert_eq!(open(session).before, Some(totals(200, 100)));
    }

    #[test]
    fn a_count_of_the_session_and_one_of_the_run_come_to_the_same() {
        check(totals(200, 100));
        check(totals(100, 50));
    }

    #[test]
    fn the_cost_of_a_session_from_elsewhere_may_be_unknown() {
        let folder = tempfile::tempdir().unwrap();
        let ledger = Ledger::open(folder.path().to_owned(), Uuid::try_parse(ID).ok());
        assert_eq!(ledger.settle(ID, totals(500, 100), totals(100, 0)), None);
        assert_eq!(ledger.settle(ID, totals(100, 50), totals(100, 0)), Some(totals(100, 50)));
    }
}
