//! Cascades: which entry a task is at, and when the next one has its turn.
//!
//! An entry that no machine can serve is passed over as long as a later one can be served. What was tried and what was
//! passed over stands in the task's row, so that a coordinator that starts anew goes on at the same place.

use std::collections::HashMap;
use std::time::Duration;

use swarm_model::course::{Try, sentence};
use swarm_model::failure::NextModel;
use swarm_model::task::{Lease, TaskSpec};
use swarm_model::{AtLimit, FailureClass, ModelChoice, TaskNumber, TaskState, Timestamp};

use super::time::Timer;
use super::{Board, Entry};
use crate::queue::ClassKey;

/// Machines that have just left, or were there before the coordinator started, are given this long to come back before
/// another entry is taken for want of them.
const ABSENCE: Duration = Duration::from_secs(25);

impl Board {
    /// Somebody left, or everybody did: they may come back.
    pub(super) fn await_return(&mut self, now: Timestamp) {
        self.absence_ends = Some(now + ABSENCE);
        self.timers.insert((now + ABSENCE, Timer::Absence));
    }

    /// Who has not come back by now is gone.
    pub(super) fn end_absence(&mut self, now: Timestamp) {
        if self.absence_ends.is_some_and(|end| end <= now) {
            self.absence_ends = None;
            self.passed_generation = None;
        }
    }

    /// Looks again at ready tasks with a cascade, where machines have come, gone or changed since.
    pub(super) fn pass_over_unserved(&mut self, now: Timestamp) {
        let generation = Some(self.fleet.generation());
        if self.cascading.is_empty() || self.absence_ends.is_some() || self.passed_generation == generation {
            return;
        }
        self.passed_generation = generation;
        let mut served: HashMap<ClassKey, bool> = HashMap::new();
        let is_served = |board: &Self, entry: &Entry, served: &mut HashMap<ClassKey, bool>| {
            if let Some(known) = served.get(&entry.class) {
                return *known;
            }
            let is_served = board.serves(entry, &entry.class);
            served.insert(entry.class.clone(), is_served);
            is_served
        };
        let numbers: Vec<TaskNumber> = self.cascading.iter().copied().collect();
        for number in numbers {
            let Some(entry) = self.tasks.get(&number) else { continue };
            if !is_served(self, entry, &mut served) {
                self.look_again(number, now);
            }
        }
    }

    /// An account is at a limit: who would rather go on with another model does.
    pub(super) fn pass_over_limited(&mut self, now: Timestamp) {
        let moves_on = |number: &TaskNumber| {
            self.tasks
                .get(number)
                .is_some_and(|entry| entry.head.spec.at_limit == AtLimit::Next && !self.serves(entry, &entry.class))
        };
        let numbers: Vec<TaskNumber> = self.cascading.iter().filter(|number| moves_on(number)).copied().collect();
        for number in numbers {
            self.look_again(number, now);
        }
    }

    fn look_again(&mut self, number: TaskNumber, now: Timestamp) {
        self.dequeue(number);
        self.enqueue(number, now);
    }

    /// Chooses the entry of a queued task: its own while that can be served, or no later one can.
    pub(super) fn choose_entry(&mut self, number: TaskNumber) {
        let Some(entry) = self.tasks.get(&number) else { return };
        let may_choose = entry.head.spec.cascade.len() > 1
            && self.absence_ends.is_none()
            && entry.class.pin.is_none()
            && !self.serves(entry, &entry.class);
        if !may_choose {
            return;
        }
        let at = place(entry);
        let Some((next, passed)) = self.next_served(entry, at + 1) else { return };
        let tries = self.passed_over(entry, at).into_iter().chain(passed).collect();
        self.go_to(number, next, tries);
    }

    /// After a failure that another model may mend, the next entry that can be served has its turn. `false` where there
    /// is none.
    pub(super) fn move_on(
        &mut self,
        number: TaskNumber,
        lease: Lease,
        class: FailureClass,
        error: &str,
        now: Timestamp,
    ) -> bool {
        let Some(entry) = self.tasks.get(&number) else { return false };
        if entry.head.spec.cascade.is_empty() {
            return false;
        }
        let at = place(entry);
        let Some((next, passed)) = self.next_served(entry, at + 1) else { return false };
        let tries = failed(entry, lease, class, error).into_iter().chain(passed).collect();
        self.go_to(number, next, tries);
        self.requeue(number, lease, now, now);
        true
    }

    /// Nothing more can be done with the entry that was tried: the next one has its turn, or the task has failed.
    pub(super) fn give_up_entry(
        &mut self,
        number: TaskNumber,
        lease: Lease,
        class: FailureClass,
        error: String,
        now: Timestamp,
    ) {
        let Some(entry) = self.tasks.get(&number) else { return };
        if entry.head.spec.cascade.is_empty() || class.next_model() == NextModel::Never {
            return self.give_up(number, lease, class, error, now);
        }
        if self.move_on(number, lease, class, &error, now) {
            return;
        }
        let Some(entry) = self.tasks.get(&number) else { return };
        let at = place(entry);
        let behind = at + 1..u32::try_from(entry.head.spec.cascade.len()).unwrap_or(u32::MAX);
        let passed = behind.filter_map(|place| self.passed_over(entry, place));
        let tries: Vec<Try> = failed(entry, lease, class, &error).into_iter().chain(passed).collect();
        let Some(entry) = self.tasks.get_mut(&number) else { return };
        let course = entry.row.course_mut();
        course.tries.extend(tries);
        let error = sentence(&course.tries);
        self.give_up(number, lease, FailureClass::ModelsExhausted, error, now);
    }

    /// Whether the next entry has its turn at once after such a failure.
    pub(super) fn moves_on_at_once(&self, number: TaskNumber, class: FailureClass) -> bool {
        match class.next_model() {
            NextModel::AtOnce => true,
            NextModel::ByRule => self.tasks.get(&number).is_some_and(|entry| entry.head.spec.at_limit == AtLimit::Next),
            NextModel::Never | NextModel::AfterRetries => false,
        }
    }

    /// The first entry from `from` on that can be served, and why those before it are passed over.
    fn next_served(&self, entry: &Entry, from: u32) -> Option<(u32, Vec<Try>)> {
        let n = u32::try_from(entry.head.spec.cascade.len()).unwrap_or(u32::MAX);
        let key = |place| ClassKey::of_entry(entry.head.user_id, &entry.head.spec, place, &[]);
        let next = (from..n).find(|place| self.serves(entry, &key(*place)))?;
        Some((next, (from..next).filter_map(|place| self.passed_over(entry, place)).collect()))
    }

    /// Whether a class is served as the task would have it: with the rule to go on at a limit, only by an account that
    /// is at none.
    fn serves(&self, entry: &Entry, key: &ClassKey) -> bool {
        match entry.head.spec.at_limit {
            AtLimit::Wait => self.fleet.can_serve(key),
            AtLimit::Next => self.fleet.can_serve_now(key),
        }
    }

    /// Why an entry is passed over.
    fn passed_over(&self, entry: &Entry, place: u32) -> Option<Try> {
        let (user, spec) = (entry.head.user_id, &entry.head.spec);
        let key = ClassKey::of_entry(user, spec, place, &[]);
        let limit = self.fleet.limit_of_class(&key).filter(|_| spec.at_limit == AtLimit::Next);
        let avoided = entry.class.avoid.as_slice();
        let error = match limit {
            Some(limit) => limit.sentence(),
            None if place == self::place(entry) && !avoided.is_empty() && self.fleet.can_serve(&key) => {
                entry.row.error.clone().unwrap_or_else(|| "every machine that has it declined".to_owned())
            }
            None => "no machine that is connected and open to this task has it".to_owned(),
        };
        tried(spec, place, None, error)
    }

    /// Puts a task at another entry. What was learnt about the last one counts for nothing there.
    fn go_to(&mut self, number: TaskNumber, next: u32, tries: Vec<Try>) {
        let Some(entry) = self.tasks.get_mut(&number) else { return };
        debug_assert!(!entry.is_ready, "a class changes outside the queue");
        let course = entry.row.course_mut();
        course.entry = next;
        course.resume = None;
        course.tries.extend(tries);
        entry.row.failures = 0;
        entry.class = ClassKey::of(entry.head.user_id, &entry.head.spec, entry.row.course.as_deref(), &[]);
        self.dirty.updated(number);
    }

    /// Remembers ready tasks that may be at the wrong entry one day.
    pub(super) fn note_cascading(&mut self, number: TaskNumber) {
        let Some(entry) = self.tasks.get(&number) else { return };
        let has_later = entry.head.spec.cascade.len() > place(entry) as usize + 1;
        if has_later && matches!(entry.state, TaskState::Queued { .. }) {
            self.cascading.insert(number);
        }
    }
}

/// The entry that a task is at.
pub(super) fn place(entry: &Entry) -> u32 {
    entry.row.course.as_ref().map_or(0, |course| course.entry)
}

fn failed(entry: &Entry, lease: Lease, class: FailureClass, error: &str) -> Option<Try> {
    tried(&entry.head.spec, place(entry), Some((lease.attempt, class)), error.to_owned())
}

fn tried(spec: &TaskSpec, place: u32, attempt: Option<(u32, FailureClass)>, error: String) -> Option<Try> {
    let ModelChoice { tool, model } = spec.cascade.get(place as usize)?.clone();
    let (attempt, class) = attempt.unzip();
    Some(Try { tool, model, attempt, class, error }.cut())
}
