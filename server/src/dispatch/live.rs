//! Workers as of the last commit, for readers that must not wait for the dispatcher.

use std::collections::HashMap;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, PoisonError, RwLock};

use swarm_engine::{StandingBudget, WorkerView};
use swarm_model::WorkerId;
use swarm_model::change::AccountLimit;

/// A worker as of the last commit.
pub type LiveWorker = Arc<WorkerView>;

/// Every worker that is connected or holds leases.
#[derive(Debug, Clone, Default)]
pub struct LiveWorkers {
    workers: Arc<RwLock<HashMap<WorkerId, LiveWorker>>>,
    limits: Arc<RwLock<Arc<[AccountLimit]>>>,
    budgets: Arc<RwLock<Arc<[StandingBudget]>>>,
    is_paused: Arc<AtomicBool>,
}

impl LiveWorkers {
    /// One worker.
    pub fn get(&self, worker: WorkerId) -> Option<LiveWorker> {
        self.workers.read().unwrap_or_else(PoisonError::into_inner).get(&worker).cloned()
    }

    /// All of them.
    pub fn all(&self) -> Vec<LiveWorker> {
        self.workers.read().unwrap_or_else(PoisonError::into_inner).values().cloned().collect()
    }

    /// Limits that accounts are at.
    pub fn limits(&self) -> Arc<[AccountLimit]> {
        Arc::clone(&self.limits.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_limits(&self, limits: Vec<AccountLimit>) {
        *self.limits.write().unwrap_or_else(PoisonError::into_inner) = limits.into();
    }

    /// Every budget and what is used of it.
    pub fn budgets(&self) -> Arc<[StandingBudget]> {
        Arc::clone(&self.budgets.read().unwrap_or_else(PoisonError::into_inner))
    }

    pub(super) fn set_budgets(&self, budgets: &[StandingBudget]) {
        *self.budgets.write().unwrap_or_else(PoisonError::into_inner) = budgets.into();
    }

    /// Whether nothing is handed out.
    pub fn is_swarm_paused(&self) -> bool {
        self.is_paused.load(Ordering::Relaxed)
    }

    pub(super) fn set_swarm_paused(&self, paused: bool) {
        self.is_paused.store(paused, Ordering::Relaxed);
    }

    pub(super) fn update(&self, views: Vec<(WorkerId, Option<WorkerView>)>) {
        if views.is_empty() {
            return;
        }
        let mut workers = self.workers.write().unwrap_or_else(PoisonError::into_inner);
        for (worker, view) in views {
            match view {
                Some(view) => workers.insert(worker, Arc::new(view)),
                None => workers.remove(&worker),
            };
        }
    }
}
