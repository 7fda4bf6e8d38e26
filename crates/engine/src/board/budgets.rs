//! What waits for a budget: tasks that used up their own limit, and whatever would draw on a budget that is used up.
//!
//! Such a task holds nothing. One that a run was stopped for keeps its session and goes on where that is. A task waits
//! exactly as long as [`Board::short_of`] gives a reason, and is asked again when something changed that it may wait for.

use swarm_model::budget::{BudgetOf, BudgetUnit};
use swarm_model::change::{EventKind, TaskRow};
use swarm_model::course::{Resume, Short, Spent};
use swarm_model::task::{Lease, Limits, RunRecord, WaitReason};
use swarm_model::usage::{UsageKey, UsageSums};
use swarm_model::{FailureClass, TaskEvent, TaskNumber, TaskState, Timestamp, ToolName};

use super::time::Timer;
use super::{Board, Entry};
use crate::budgets::{Bound, StandingBudget};
use crate::queue::ClassKey;

/// What one attempt may use.
#[derive(Debug, Clone, Copy, Default)]
pub(super) struct Left {
    tokens: Option<Bound>,
    cost: Option<Bound>,
}

/// A run that was stopped at what was left to it.
#[derive(Debug)]
pub(super) struct Stopped {
    left: Left,
    told: Spent,
    resume: Resume,
}

impl Board {
    /// Takes up the budgets with what of each is used, as the store says; what is not written yet is added.
    pub fn set_budgets(&mut self, standing: Vec<StandingBudget>, now: Timestamp) {
        self.fleet.budgets_mut().set(standing);
        self.fleet.budgets_mut().roll(now);
        for (key, sums) in self.dirty.unwritten_usage() {
            self.fleet.budgets_mut().add(key, sums);
        }
        self.arm_budgets(now);
        self.hold_barred(now);
        self.wake_budgeted(now);
    }

    /// Every budget and what is used of it.
    pub fn budgets(&self) -> &[StandingBudget] {
        self.fleet.budgets().all()
    }

    /// Moves on with every change of a budget or of what is used of it.
    pub fn budgets_generation(&self) -> u64 {
        self.fleet.budgets().generation()
    }

    /// A period is over.
    pub(super) fn roll_budgets(&mut self, now: Timestamp) {
        self.fleet.budgets_mut().roll(now);
        self.arm_budgets(now);
        self.wake_budgeted(now);
    }

    fn arm_budgets(&mut self, now: Timestamp) {
        if let Some(end) = self.fleet.budgets().next_end(now) {
            self.timers.insert((end, Timer::Budgets));
        }
    }

    /// A run ended: its budgets count it, people are told of what that brings, and what would draw on one that is
    /// used up now waits.
    pub(super) fn draw_on_budgets(&mut self, key: &UsageKey, sums: &UsageSums, now: Timestamp) {
        let crossed = self.fleet.budgets_mut().add(key, sums);
        let is_any_spent = crossed.iter().any(|crossed| crossed.is_spent);
        for crossed in crossed {
            let kind = if crossed.is_spent { EventKind::BudgetSpent } else { EventKind::BudgetWarned };
            let (user, worker) = match crossed.budget.of {
                BudgetOf::User(user) => (Some(user), None),
                BudgetOf::Worker(worker) => (None, Some(worker)),
            };
            let used = crossed.budget.unit.words(crossed.used);
            let detail = format!("{}: {used} used", crossed.budget.words());
            self.event(kind, user, None, worker, None, Some(detail), now);
        }
        if is_any_spent {
            self.hold_barred(now);
        }
    }

    /// Takes what may not be given out any more from the ready queue.
    fn hold_barred(&mut self, now: Timestamp) {
        let is_barred = |entry: &Entry| entry.is_ready && self.fleet.budgets().bars(&entry.class).is_some();
        let mut barred: Vec<TaskNumber> =
            self.tasks.iter().filter(|(_, entry)| is_barred(entry)).map(|(number, _)| *number).collect();
        barred.sort_unstable();
        for number in barred {
            self.dequeue(number);
            self.enqueue(number, now);
        }
    }

    /// Looks again at whatever waits for a budget.
    fn wake_budgeted(&mut self, now: Timestamp) {
        let waits = |entry: &Entry| matches!(entry.state, TaskState::Waiting { reason: WaitReason::Budget, .. });
        let mut waiting: Vec<TaskNumber> =
            self.tasks.iter().filter(|(_, entry)| waits(entry)).map(|(number, _)| *number).collect();
        waiting.sort_unstable();
        for number in waiting {
            self.wake_if_afforded(number, now);
        }
    }

    /// Lets a task go on that waits for a budget, if nothing is short any more.
    pub(super) fn wake_if_afforded(&mut self, number: TaskNumber, now: Timestamp) {
        let Some(entry) = self.tasks.get(&number) else { return };
        if !matches!(entry.state, TaskState::Waiting { reason: WaitReason::Budget, .. }) {
            return;
        }
        if let Some((short, until)) = self.short_of(number, now) {
            let Some(entry) = self.tasks.get_mut(&number) else { return };
            let is_known = entry.row.course.as_ref().is_some_and(|course| course.short.as_ref() == Some(&short));
            if !is_known || entry.row.wait_until != until {
                entry.row.course_mut().short = Some(short);
                entry.row.wait_until = until;
                entry.state = TaskState::Waiting { reason: WaitReason::Budget, until };
                self.dirty.updated(number);
            }
            return;
        }
        self.wake_now(number, now);
    }

    /// What a task must wait for before it may be given out, and until when, where that is known.
    pub(super) fn short_of(&self, number: TaskNumber, now: Timestamp) -> Option<(Short, Option<Timestamp>)> {
        let entry = self.tasks.get(&number)?;
        if let Some(sentence) = own_shortage(entry) {
            return Some((Short { budget_id: None, stopped_at: None, sentence }, None));
        }
        if let Some(stopped) = entry.row.course.as_ref().and_then(|course| course.short.as_ref())
            && let (Some(id), Some(amount)) = (stopped.budget_id, stopped.stopped_at)
            && let Some(standing) = self.fleet.budgets().get(id)
            && standing.budget.amount <= amount
            && entry.row.wait_until.is_none_or(|until| until > now)
        {
            return Some((stopped.clone(), entry.row.wait_until));
        }
        let standing = self.fleet.budgets().bars(&entry.class)?;
        let short =
            Short { budget_id: Some(standing.budget.budget_id), stopped_at: None, sentence: standing.sentence(now) };
        Some((short, standing.budget.period.ends(now)))
    }

    /// Keeps a queued task back.
    pub(super) fn hold(&mut self, number: TaskNumber, short: Short, until: Option<Timestamp>, now: Timestamp) {
        let Some(entry) = self.tasks.get_mut(&number) else { return };
        entry.row.course_mut().short = Some(short);
        self.transition(number, TaskEvent::Hold { until }, now);
        self.task_event(EventKind::TaskWaiting, number, Some(WaitReason::Budget.as_str().to_owned()), now);
    }

    /// What an attempt of this task may use there.
    pub(super) fn left(&self, entry: &Entry, lease: Lease, tool: &ToolName) -> Left {
        let (user, limits) = (entry.head.user_id, &entry.head.spec.limits);
        let used = spent(&entry.row);
        let bound = |unit: BudgetUnit, own: Option<u64>| {
            let own = own.map(|most| Bound { left: most.saturating_sub(unit.part_of(used)), by: None });
            Bound::least(own, self.fleet.budgets().bound(unit, user, lease.worker_id, tool))
        };
        Left {
            tokens: bound(BudgetUnit::Tokens, limits.tokens),
            cost: bound(BudgetUnit::Microusd, limits.cost_microusd),
        }
    }

    /// The limits that an attempt is given: what is left of everything that it draws on.
    pub(super) fn limits_for(&self, entry: &Entry, lease: Lease, tool: &ToolName) -> Limits {
        let left = self.left(entry, lease, tool);
        Limits {
            tokens: left.tokens.map(|bound| bound.left),
            cost_microusd: left.cost.map(|bound| bound.left),
            ..entry.head.spec.limits.clone()
        }
    }

    /// What was left to a run that says that it used up its budget. Asked before its use is counted.
    pub(super) fn stopped(&self, number: TaskNumber, lease: Lease, record: Option<&RunRecord>) -> Option<Stopped> {
        let entry = self.tasks.get(&number)?;
        let tool = entry.tool.clone()?;
        let left = self.left(entry, lease, &tool);
        let told = record.map(|record| Spent::of(&record.usage)).unwrap_or_default();
        let session = record.and_then(|record| record.session.clone());
        Some(Stopped { left, told, resume: Resume { worker_id: lease.worker_id, tool, session } })
    }

    /// A run was stopped at what was left to it: its task waits, with its session, until there is more. `false` where
    /// it had no such bound, so that something else was meant.
    pub(super) fn stop_at_budget(
        &mut self,
        number: TaskNumber,
        lease: Lease,
        stopped: Stopped,
        error: &str,
        now: Timestamp,
    ) -> bool {
        let Stopped { left, told, resume } = stopped;
        let of =
            |unit: BudgetUnit, bound: Option<Bound>| bound.map(|bound| (unit, bound, share(unit.part_of(told), bound)));
        let candidates = of(BudgetUnit::Tokens, left.tokens).into_iter().chain(of(BudgetUnit::Microusd, left.cost));
        let Some((unit, bound, share)) = candidates.max_by_key(|(_, _, share)| *share) else { return false };
        let Some(entry) = self.tasks.get_mut(&number) else { return false };
        let limits = &entry.head.spec.limits;
        // A run has also a limit on what it writes, and ends the same way there.
        if limits.output_bytes.is_some() && share < HALF {
            return false;
        }
        let own = match unit {
            BudgetUnit::Tokens => limits.tokens,
            BudgetUnit::Microusd => limits.cost_microusd,
        };
        let course = entry.row.course_mut();
        course.resume = Some(resume);
        let (short, until) = match bound.by {
            None => {
                // Who stopped it knows that what is left is too little, also where it counted less.
                match unit {
                    BudgetUnit::Tokens => course.used.tokens = course.used.tokens.max(own.unwrap_or(0)),
                    BudgetUnit::Microusd => course.used.cost_microusd = course.used.cost_microusd.max(own.unwrap_or(0)),
                }
                let sentence = own_shortage(entry).unwrap_or_else(|| error.to_owned());
                (Short { budget_id: None, stopped_at: None, sentence }, None)
            }
            Some(id) => match self.fleet.budgets().get(id) {
                Some(standing) => {
                    let (stopped_at, sentence) = (Some(standing.budget.amount), standing.sentence(now));
                    let until = standing.budget.period.ends(now);
                    (Short { budget_id: Some(id), stopped_at, sentence }, until)
                }
                None => return false,
            },
        };
        let Some(entry) = self.tasks.get_mut(&number) else { return false };
        entry.row.course_mut().short = Some(short);
        // It goes on where its session is, with the same tool.
        entry.class = ClassKey::of(entry.head.user_id, &entry.head.spec, entry.row.course.as_deref(), &[]);
        let event = TaskEvent::Park { attempt: lease.attempt, reason: WaitReason::Budget, until };
        self.transition(number, event, now);
        self.task_event(EventKind::TaskWaiting, number, Some(FailureClass::Budget.as_str().to_owned()), now);
        true
    }
}

/// Half of what was left, in the parts of [`share`].
const HALF: u128 = 500;

/// How much of its bound a run used, in thousandths.
fn share(part: u64, bound: Bound) -> u128 {
    u128::from(part) * 1000 / u128::from(bound.left.max(1))
}

/// What the attempts of a task used that ended without a result.
fn spent(row: &TaskRow) -> Spent {
    row.course.as_ref().map(|course| course.used).unwrap_or_default()
}

/// What is said of a task that used up its own limit; none where something is left.
fn own_shortage(entry: &Entry) -> Option<String> {
    let (limits, used, number) = (&entry.head.spec.limits, spent(&entry.row), entry.head.number);
    if let Some(most) = limits.tokens.filter(|most| used.tokens >= *most) {
        let more = most.max(1).saturating_mul(2);
        let (of, used) = (BudgetUnit::Tokens.words(most), BudgetUnit::Tokens.words(used.tokens));
        let used = used.trim_end_matches(" tokens");
        return Some(format!("used {used} of {of}; raise it with `garageswarm task budget {number} --tokens {more}`"));
    }
    let most = limits.cost_microusd.filter(|most| used.cost_microusd >= *most)?;
    let more = most.max(10_000).saturating_mul(2);
    let (of, used) = (BudgetUnit::Microusd.words(most), BudgetUnit::Microusd.words(used.cost_microusd));
    let used = used.trim_end_matches(" US dollars");
    let more = format!("{}.{:02}", more / 1_000_000, (more % 1_000_000).div_ceil(10_000).min(99));
    Some(format!("used {used} of {of}; raise it with `garageswarm task budget {number} --cost {more}`"))
}
