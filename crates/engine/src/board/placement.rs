//! Why a task is where it is, or why nothing fits: the same sums as the allocator's, laid open.

use swarm_model::course::Try;
use swarm_model::{ModelChoice, TaskNumber, TaskState, Timestamp, UserId, WorkerId};

use super::{Board, Entry};
use crate::fleet::Fleet;
use crate::score::{self, Score};

/// What the allocator thinks of a worker for a task.
#[derive(Debug, Clone, PartialEq)]
pub struct CandidateReport {
    /// Which worker.
    pub worker_id: WorkerId,
    /// What people call it.
    pub machine_name: String,
    /// Its points; absent where tool or model do not fit.
    pub score: Option<Score>,
    /// What rules it out; empty where it could take the task now.
    pub obstacles: Vec<String>,
}

/// Where a task stands in its cascade.
#[derive(Debug, Clone, PartialEq)]
pub struct EntryReport {
    /// The entry that is tried now or next, from 1.
    pub place: u32,
    /// How many there are.
    pub of: u32,
    /// Its tool and model.
    pub choice: ModelChoice,
    /// Those before it: why each came to nothing.
    pub tries: Vec<Try>,
}

/// What the allocator thinks of a task.
#[derive(Debug, Clone, PartialEq)]
pub struct PlacementReport {
    /// Where it stands.
    pub state: TaskState,
    /// Ready tasks of the same person that come first.
    pub ahead: Option<u64>,
    /// The entry of its cascade that it is at, of how many, and the entries before that.
    pub entry: Option<EntryReport>,
    /// The budget that it waits for, in a sentence.
    pub short: Option<String>,
    /// Workers that are connected, the best one first.
    pub candidates: Vec<CandidateReport>,
}

impl Board {
    /// Explains a task that has not ended. Only workers that `visible` allows are named.
    pub fn placement(
        &self,
        number: TaskNumber,
        visible: impl Fn(WorkerId) -> bool,
        now: Timestamp,
    ) -> Option<PlacementReport> {
        let entry = self.tasks.get(&number)?;
        let user: UserId = entry.head.user_id;
        let ahead = entry.is_ready.then(|| self.ready.ahead(user, &entry.class, entry.head.spec.priority, number));
        let familiar = self.familiar.get(&user);
        let mut candidates: Vec<_> = self
            .fleet
            .members()
            .filter(|member| !member.profile.machine_name.is_empty() && visible(member.profile.worker_id))
            .map(|member| CandidateReport {
                worker_id: member.profile.worker_id,
                machine_name: member.profile.machine_name.clone(),
                score: {
                    let worker = member.profile.worker_id;
                    let known = familiar.is_some_and(|familiar| familiar.contains(&worker));
                    let affinity = score::affinity(known, entry.interrupted_on == Some(worker));
                    Fleet::score_of(member, &entry.class, affinity, now)
                },
                obstacles: self.fleet.obstacles(member, &entry.class, now),
            })
            .collect();
        candidates.sort_by_key(|candidate| {
            let points = candidate.score.map_or(0, Score::total);
            (!candidate.obstacles.is_empty(), std::cmp::Reverse(points), candidate.worker_id)
        });
        let course = entry.row.course.as_deref();
        let short = course.and_then(|course| course.short.as_ref()).map(|short| short.sentence.clone());
        Some(PlacementReport { state: entry.state, ahead, entry: entry_report(entry), short, candidates })
    }
}

fn entry_report(entry: &Entry) -> Option<EntryReport> {
    let place = super::cascade::place(entry);
    let choice = entry.head.spec.cascade.get(place as usize)?.clone();
    let tries = entry.row.course.as_ref().map(|course| course.tries.clone()).unwrap_or_default();
    let of = u32::try_from(entry.head.spec.cascade.len()).unwrap_or(u32::MAX);
    Some(EntryReport { place: place + 1, of, choice, tries })
}
