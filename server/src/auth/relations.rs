//! How people stand to workers, as long as no right changes: a check of a right costs no query of its own.

use std::collections::HashMap;
use std::sync::{PoisonError, RwLock};

use swarm_model::rights::Relation;
use swarm_model::{UserId, WorkerId};

/// Pairs that are remembered; more of them begin anew.
const KEPT: usize = 100_000;

/// What was found, all of it in one generation of rights.
#[derive(Debug, Default)]
struct Known {
    generation: u64,
    of: HashMap<(UserId, WorkerId), Relation>,
}

/// See the [module](self).
#[derive(Debug, Default)]
pub(super) struct Relations(RwLock<Known>);

impl Relations {
    pub(super) fn get(&self, user: UserId, worker: WorkerId, generation: u64) -> Option<Relation> {
        let known = self.0.read().unwrap_or_else(PoisonError::into_inner);
        if known.generation == generation { known.of.get(&(user, worker)).copied() } else { None }
    }

    /// Remembers what was read while `generation` was the current one.
    pub(super) fn put(&self, user: UserId, worker: WorkerId, generation: u64, relation: Relation) {
        let mut known = self.0.write().unwrap_or_else(PoisonError::into_inner);
        if known.generation > generation {
            return;
        }
        if known.generation < generation || known.of.len() >= KEPT {
            *known = Known { generation, of: HashMap::new() };
        }
        known.of.insert((user, worker), relation);
    }
}

#[cfg(test)]
mod tests {
    use swarm_model::time::SystemClock;

    use super::*;

    #[test]
    fn a_change_of_rights_ends_what_was_known() {
        let relations = Relations::default();
        let (user, worker) = (UserId::generate(&SystemClock), WorkerId::generate(&SystemClock));
        relations.put(user, worker, 3, Relation::SharedWorker);
        assert_eq!(relations.get(user, worker, 3), Some(Relation::SharedWorker));
        assert_eq!(relations.get(user, worker, 4), None);
        relations.put(user, worker, 4, Relation::None);
        relations.put(user, worker, 3, Relation::SharedWorker);
        assert_eq!(
            relations.get(user, worker, 4),
            Some(Relation::None),
            "a reading that was overtaken counts for nothing"
        );
    }
}
