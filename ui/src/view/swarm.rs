//! What the panel knows of the swarm: workers, counts, and the tasks that matter now.
//!
//! A task replaces what is known of it only if its version is not older, so that an answer that was long on its way
//! takes nothing back. Tasks that have ended are kept only while they are recent.

use std::collections::BTreeMap;

use swarm_model::{TaskId, TaskNumber, TaskStatus, WorkerId};
use swarm_proto::client::ToViewer;
use swarm_proto::status::SwarmStatus;
use swarm_proto::tasks::Task;
use swarm_proto::workers::Worker;

/// How many ended tasks are kept.
const ENDED: usize = 40;

/// The swarm as far as the panel knows it.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Swarm {
    /// The machines, by name. `None` until they were asked for.
    pub workers: Option<Vec<Worker>>,
    /// Counts. `None` until they were asked for.
    pub status: Option<SwarmStatus>,
    tasks: BTreeMap<TaskNumber, Task>,
    is_loaded: bool,
}

impl Swarm {
    /// Whether the first answers are there.
    pub fn is_loaded(&self) -> bool {
        self.is_loaded && self.workers.is_some() && self.status.is_some()
    }

    /// Takes in what a list said.
    pub fn learn(&mut self, tasks: impl IntoIterator<Item = Task>) {
        for task in tasks {
            self.learn_one(task);
        }
        self.is_loaded = true;
        self.forget_old();
    }

    /// Forgets tasks that are held as unfinished; before everything is read anew.
    pub fn forget_unfinished(&mut self) {
        self.tasks.retain(|_, task| task.status.is_terminal());
    }

    fn learn_one(&mut self, task: Task) {
        let is_newer = self.tasks.get(&task.number).is_none_or(|known| known.version <= task.version);
        if is_newer {
            self.tasks.insert(task.number, task);
        }
    }

    fn forget_old(&mut self) {
        let ended: Vec<_> =
            self.tasks.values().filter(|task| task.status.is_terminal()).map(|task| task.number).collect();
        for number in ended.iter().take(ended.len().saturating_sub(ENDED)) {
            self.tasks.remove(number);
        }
    }

    /// Takes in the machines that a list said.
    pub fn learn_workers(&mut self, mut workers: Vec<Worker>) {
        sort(&mut workers);
        self.workers = Some(workers);
    }

    /// Takes in a machine that was changed.
    pub fn learn_worker(&mut self, worker: Worker) {
        let workers = self.workers.get_or_insert_default();
        match workers.iter_mut().find(|known| known.worker_id == worker.worker_id) {
            Some(known) => *known = worker,
            None => workers.push(worker),
        }
        sort(workers);
    }

    /// Forgets a machine.
    pub fn forget_worker(&mut self, worker: WorkerId) {
        if let Some(workers) = &mut self.workers {
            workers.retain(|known| known.worker_id != worker);
        }
    }

    /// Takes in what the coordinator told.
    pub fn hear(&mut self, frame: &ToViewer) {
        if let ToViewer::Event { task, worker, .. } = frame {
            if let Some(task) = task {
                self.learn_one((**task).clone());
                self.forget_old();
            }
            if let Some(worker) = worker {
                self.learn_worker((**worker).clone());
            }
        }
    }

    /// A machine.
    pub fn worker(&self, worker: WorkerId) -> Option<&Worker> {
        self.workers.as_deref().unwrap_or_default().iter().find(|known| known.worker_id == worker)
    }

    /// What people call a machine; its id where it is gone.
    pub fn machine_name(&self, worker: WorkerId) -> String {
        self.worker(worker)
            .map_or_else(|| worker.to_string().chars().take(8).collect(), |known| known.machine_name.clone())
    }

    /// A task that is held here.
    pub fn task(&self, task: TaskId) -> Option<&Task> {
        self.tasks.values().find(|known| known.task_id == task)
    }

    /// Tasks in these states, the oldest first.
    pub fn in_states(&self, states: &[TaskStatus]) -> impl DoubleEndedIterator<Item = &Task> {
        self.tasks.values().filter(move |task| states.contains(&task.status))
    }

    /// What goes on now, the oldest first.
    pub fn runs(&self) -> impl DoubleEndedIterator<Item = &Task> {
        self.in_states(&[TaskStatus::Assigned, TaskStatus::Running])
    }

    /// What a machine has now, of what the viewer may see.
    pub fn runs_on(&self, worker: WorkerId) -> impl Iterator<Item = &Task> {
        self.runs().filter(move |task| task.worker_id == Some(worker))
    }

    /// What did not succeed lately, the newest first.
    pub fn failures(&self) -> impl Iterator<Item = &Task> {
        self.in_states(&[TaskStatus::Failed]).rev()
    }

    /// Every task that is held here, the oldest first.
    pub fn tasks(&self) -> impl Iterator<Item = &Task> {
        self.tasks.values()
    }

    /// The asker's tasks in this state, by the last count.
    pub fn count(&self, state: TaskStatus) -> u64 {
        let counts = self.status.as_ref().map(|status| &status.tasks);
        counts.and_then(|counts| counts.get(state.as_str())).copied().unwrap_or(0)
    }

    /// All the asker's tasks, by the last count.
    pub fn count_all(&self) -> u64 {
        self.status.as_ref().map_or(0, |status| status.tasks.values().sum())
    }

    /// Whether nothing is handed out.
    pub fn is_paused(&self) -> bool {
        self.status.as_ref().is_some_and(|status| status.paused)
    }
}

fn sort(workers: &mut [Worker]) {
    workers.sort_by(|one, other| (&one.machine_name, one.worker_id).cmp(&(&other.machine_name, other.worker_id)));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::view::samples;

    #[test]
    fn an_old_answer_takes_nothing_back() {
        let mut swarm = Swarm::default();
        let old = samples::task(7, TaskStatus::Queued);
        let new = Task { version: 3, status: TaskStatus::Completed, ..old.clone() };
        swarm.hear(&samples::event_about(new));
        swarm.learn([old]);
        assert_eq!(swarm.tasks().map(|task| task.status).collect::<Vec<_>>(), [TaskStatus::Completed]);
    }

    #[test]
    fn only_recent_ends_are_kept_and_everything_that_goes_on() {
        let mut swarm = Swarm::default();
        swarm.learn((1..=100).map(|n| samples::task(n, TaskStatus::Completed)));
        swarm.learn((101..=300).map(|n| samples::task(n, TaskStatus::Running)));
        assert_eq!(swarm.runs().count(), 200);
        assert_eq!(swarm.tasks().count(), 240);
        assert_eq!(swarm.tasks().next().map(|task| task.number), Some(TaskNumber(61)));
    }

    #[test]
    fn workers_stand_by_name_and_change_in_their_place() {
        let mut swarm = Swarm::default();
        swarm.learn_workers(vec![samples::worker("studio"), samples::worker("attic")]);
        let changed = Worker { running: 1, ..samples::worker("studio") };
        swarm.learn_worker(changed);
        let known: Vec<_> = swarm.workers.iter().flatten().map(|w| (w.machine_name.as_str(), w.running)).collect();
        assert_eq!(known, [("attic", 0), ("studio", 1)]);
        swarm.forget_worker(samples::worker("attic").worker_id);
        assert_eq!(swarm.workers.iter().flatten().count(), 1);
    }
}
