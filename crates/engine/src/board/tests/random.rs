//! Random histories: whatever is said in whatever order, the invariants hold and every task can end.

use proptest::prelude::*;
use swarm_model::budget::{Budget, BudgetOf, BudgetPeriod, BudgetUnit};
use swarm_model::change::{AttemptStatus, LiveAttempt, OpenAttempt, TaskRow, UpdateAttempt};
use swarm_model::invariants::{AuditedTask, check_tasks};
use swarm_model::task::{Limits, WaitReason};
use swarm_model::usage::{EndedAttempt, UsageKey, UsageSums};

use swarm_model::{AtLimit, BudgetId};

use super::*;
use crate::StandingBudget;

/// What the store would hold, checked as the store checks it.
#[derive(Default)]
struct Shelf {
    tasks: BTreeMap<TaskNumber, AuditedTask>,
    results: BTreeMap<TaskNumber, usize>,
    users: BTreeMap<TaskNumber, UserId>,
    opened: BTreeMap<(TaskNumber, u32), OpenAttempt>,
    ended: BTreeMap<(TaskNumber, u32), UpdateAttempt>,
    usage: BTreeMap<UsageKey, UsageSums>,
    last_event: i64,
}

impl Shelf {
    fn put(&mut self, changes: &Changes) {
        for insert in &changes.inserts {
            let number = insert.head.number;
            assert_eq!(insert.row.version, 1);
            let task = AuditedTask { number, row: insert.row.clone(), attempts: Vec::new(), log_batches: Vec::new() };
            self.users.insert(number, insert.head.user_id);
            assert!(self.tasks.insert(number, task).is_none(), "task {number} was inserted twice");
        }
        for update in &changes.updates {
            let task = self.tasks.get_mut(&update.number).expect("an update of a known task");
            assert_eq!(update.row.version, task.row.version + 1, "written on old knowledge");
            assert!(!task.row.status.is_terminal(), "an ended task was written");
            task.row = update.row.clone();
            *self.results.entry(update.number).or_default() += usize::from(update.result.is_some());
        }
        for opened in &changes.opened {
            let task = self.tasks.get_mut(&opened.number).unwrap();
            assert_eq!(opened.attempt as usize, task.attempts.len() + 1);
            task.attempts.push(AttemptStatus::Assigned);
            self.opened.insert((opened.number, opened.attempt), opened.clone());
        }
        for update in &changes.attempts {
            let task = self.tasks.get_mut(&update.number).unwrap();
            task.attempts[update.attempt as usize - 1] = update.status;
            if update.ended_at.is_some() {
                let again = self.ended.insert((update.number, update.attempt), update.clone());
                assert!(again.is_none(), "an attempt ended twice");
            }
        }
        for used in &changes.usage {
            *self.usage.entry(used.key.clone()).or_default() += used.sums;
        }
        for log in &changes.logs {
            let last = log.first_seq + log.lines.len() as u64 - 1;
            self.tasks.get_mut(&log.number).unwrap().log_batches.push((log.first_seq, last));
        }
        for event in &changes.events {
            assert!(event.id.0 > self.last_event, "events are numbered in order");
            self.last_event = event.id.0;
        }
    }

    fn check(&self) {
        let tasks: Vec<_> = self.tasks.values().cloned().collect();
        assert_eq!(check_tasks(&tasks), []);
    }

    /// What every ended attempt used, counted from the attempts themselves.
    fn used(&self) -> BTreeMap<UsageKey, UsageSums> {
        let mut used: BTreeMap<UsageKey, UsageSums> = BTreeMap::new();
        for (place, ended) in &self.ended {
            let opened = &self.opened[place];
            let record: Option<RunRecord> = ended.record.as_deref().map(|text| serde_json::from_str(text).unwrap());
            let attempt = EndedAttempt {
                user_id: self.users[&place.0],
                worker_id: opened.worker_id,
                tool: &opened.tool,
                model: opened.model.as_deref(),
                status: ended.status,
                started_at: ended.started_at,
                ended_at: ended.ended_at.unwrap(),
                record: record.as_ref(),
            };
            if let Some((key, sums)) = attempt.usage() {
                *used.entry(key).or_default() += sums;
            }
        }
        used
    }

    fn row(&self, number: TaskNumber) -> &TaskRow {
        &self.tasks[&number].row
    }
}

#[derive(Debug, Clone)]
enum Step {
    Submit { user: u8, priority: u8, pinned: Option<u16>, global: bool, kind: u8 },
    Budget { amount: Option<u64> },
    Join { worker: u16, names_its_runs: bool },
    Leave { worker: u16 },
    Heartbeat { worker: u16 },
    Accept { nth: usize },
    Refuse { nth: usize, lasting: bool },
    Log { nth: usize, from: u64, n: u64 },
    Result { nth: usize, outcome: u8 },
    Cancel { task: i64 },
    Pause { worker: u16, paused: bool },
    PauseAll { paused: bool },
    Remove { worker: u16 },
    Pass { millis: u64 },
    Restart,
}

fn steps() -> impl Strategy<Value = Vec<Step>> {
    let worker = 1..=3u16;
    let step = prop_oneof![
        5 => (1..=2u8, 1..=10u8, prop::option::weighted(0.2, 1..=3u16), prop::bool::weighted(0.2), 0..6u8)
            .prop_map(|(user, priority, pinned, global, kind)| Step::Submit { user, priority, pinned, global, kind }),
        1 => prop::option::of(1..60u64).prop_map(|amount| Step::Budget { amount }),
        3 => (worker.clone(), any::<bool>()).prop_map(|(worker, names_its_runs)| Step::Join { worker, names_its_runs }),
        1 => worker.clone().prop_map(|worker| Step::Leave { worker }),
        3 => worker.clone().prop_map(|worker| Step::Heartbeat { worker }),
        6 => any::<usize>().prop_map(|nth| Step::Accept { nth }),
        1 => (any::<usize>(), any::<bool>()).prop_map(|(nth, lasting)| Step::Refuse { nth, lasting }),
        4 => (any::<usize>(), 1..6u64, 1..5u64).prop_map(|(nth, from, n)| Step::Log { nth, from, n }),
        6 => (any::<usize>(), 0..11u8).prop_map(|(nth, outcome)| Step::Result { nth, outcome }),
        1 => (1..20i64).prop_map(|task| Step::Cancel { task }),
        1 => (worker.clone(), any::<bool>()).prop_map(|(worker, paused)| Step::Pause { worker, paused }),
        1 => prop::bool::weighted(0.3).prop_map(|paused| Step::PauseAll { paused }),
        1 => worker.prop_map(|worker| Step::Remove { worker }),
        4 => prop_oneof![0..2_000u64, 5_000..40_000u64].prop_map(|millis| Step::Pass { millis }),
        1 => Just(Step::Restart),
    ];
    prop::collection::vec(step, 1..120)
}

fn outcome(n: u8) -> Outcome {
    match n {
        0 | 1 => done("ok"),
        2 => failed(FailureClass::Server),
        3 => failed(FailureClass::Quota),
        4 => failed(FailureClass::ToolMissing),
        5 => failed(FailureClass::Refused),
        6 => Outcome::Cancelled { partial: None },
        8 => failed(FailureClass::Budget),
        9 => failed(FailureClass::ContextOverflow),
        10 => failed(FailureClass::Network),
        _ => failed(FailureClass::RateLimited),
    }
}

fn random_record(n: u8) -> RunRecord {
    let usage =
        Usage { input_tokens: (n > 2).then_some(u64::from(n)), cost_kind: CostKind::Reported, ..Usage::default() };
    let usage = Usage { cost_microusd: (n > 4).then_some(100), ..usage };
    RunRecord { model: n.is_multiple_of(2).then(|| "m".to_owned()), usage, ..RunRecord::default() }
}

fn random_profile(n: u16) -> WorkerProfile {
    let mut profile = profile(n);
    profile.capabilities.slots = u32::from(n);
    profile.shared = n == 2;
    if n != 2 {
        profile.capabilities.tools.push(tool("codex"));
        profile.capabilities.grants.push(grant("codex", None, None));
    }
    let account = Account { id: "a".to_owned(), label: "a".to_owned() };
    profile.capabilities.tools[0].account = Some(account);
    profile.operators = if n == 3 { BTreeMap::from([(user(2), ShareLimits::default())]) } else { BTreeMap::new() };
    profile
}

/// A budget of user 1 with what the shelf says was used of it.
fn standing(world: &World, shelf: &Shelf, amount: u64) -> StandingBudget {
    let budget = Budget {
        budget_id: BudgetId::from_uuid(Uuid::from_u128(1)),
        of: BudgetOf::User(user(1)),
        tool: None,
        period: BudgetPeriod::Day,
        unit: BudgetUnit::Tokens,
        amount,
        created_by: user(1),
        created_at: world.now,
    };
    let since = budget.period.since(world.now);
    let counts = |key: &UsageKey| key.day >= since && key.user_id == user(1);
    let used = shelf.usage.iter().filter(|(key, _)| counts(key)).map(|(_, sums)| budget.unit.part_of_sums(sums)).sum();
    StandingBudget { budget, used, since }
}

/// Carries one step out; returns where the world stands.
fn carry_out(world: &mut World, shelf: &mut Shelf, step: &Step) {
    let now = world.now;
    let some_attempt =
        |world: &World, nth: usize| (!world.assigned.is_empty()).then(|| world.assigned[nth % world.assigned.len()]);
    match *step {
        Step::Submit { user: n, priority, pinned, global, kind } => {
            let queue = match (pinned, global) {
                (Some(n), _) => Queue::Worker { worker_id: worker(n) },
                (None, true) => Queue::Global,
                (None, false) => Queue::User,
            };
            let entries: &[&str] = match kind {
                0 | 1 => &["demo", "ollama", "codex"],
                2 => &["ollama", "demo"],
                _ => &[],
            };
            let cascade = entries.iter().map(|entry| entry.parse().unwrap()).collect();
            let at_limit = if kind == 1 { AtLimit::Next } else { AtLimit::Wait };
            let limits = Limits { tokens: (kind == 3).then_some(6), ..Limits::default() };
            let priority = Priority::new(priority).unwrap();
            world.submit_for(user(n), TaskSpec { queue, priority, cascade, at_limit, limits, ..spec() });
        }
        Step::Budget { amount } => {
            let standing = amount.map(|amount| standing(world, shelf, amount));
            world.board.set_budgets(standing.into_iter().collect(), now);
        }
        Step::Join { worker: n, names_its_runs } => {
            let mine = world.assigned.iter().filter(|(by, _)| *by == worker(n)).map(|(_, attempt)| *attempt);
            let named: Vec<_> = if names_its_runs { mine.collect() } else { Vec::new() };
            world.board.worker_joined(random_profile(n), &named, now);
        }
        Step::Leave { worker: n } => world.board.worker_left(worker(n), now),
        Step::Heartbeat { worker: n } => {
            let mine: Vec<_> =
                world.assigned.iter().filter(|(by, _)| *by == worker(n)).map(|(_, attempt)| *attempt).collect();
            world.board.heartbeat(worker(n), Load::default(), &mine, now);
        }
        Step::Accept { nth } => {
            if let Some((by, attempt)) = some_attempt(world, nth) {
                let _ = world.board.accept(by, attempt, now);
            }
        }
        Step::Refuse { nth, lasting } => {
            if let Some((by, attempt)) = some_attempt(world, nth) {
                let reason = if lasting { RefusalReason::ToolNotAllowed } else { RefusalReason::NoFreeSlot };
                let _ = world.board.refuse(by, attempt, &reason, now);
            }
        }
        Step::Log { nth, from, n } => {
            if let Some((by, attempt)) = some_attempt(world, nth) {
                let _ = world.board.log(by, attempt, lines(from..=from + n));
            }
        }
        Step::Result { nth, outcome: n } => {
            if let Some((by, attempt)) = some_attempt(world, nth) {
                world.board.result(by, attempt, outcome(n), random_record(n), now);
            }
        }
        Step::Cancel { task } => {
            let _ = world.board.cancel(TaskNumber(task), now);
        }
        Step::Pause { worker: n, paused } => {
            world.board.set_pauses(worker(n), Pauses { by_coordinator: paused, by_owner: false }, now);
        }
        Step::PauseAll { paused } => world.board.set_paused(paused, now),
        Step::Remove { worker: n } => world.board.worker_removed(worker(n), now),
        Step::Pass { millis } => {
            world.now = world.now + Duration::from_millis(millis);
            world.board.tick(world.now);
        }
        Step::Restart => {
            let mut board = Board::new(Counters { last_number: world.board.last_number, last_event: shelf.last_event });
            let budgets = world.board.budgets().to_vec();
            board.set_budgets(budgets, now);
            for (number, task) in shelf.tasks.iter().filter(|(_, task)| !task.row.status.is_terminal()) {
                let entry = world.board.tasks.get(number).expect("a live task is on the board");
                let (model, started_at) = (entry.model.clone(), entry.attempt_started_at);
                let open = entry.tool.clone().map(|tool| LiveAttempt { tool, model, started_at });
                let live = LiveTask { head: (*entry.head).clone(), row: task.row.clone(), log_received: 0, open };
                board.restore(live, now);
            }
            world.board = board;
        }
    }
    world.settle();
    shelf.put(world.written.last().unwrap());
    shelf.check();
}

/// Lets good workers finish whatever is left.
fn run_dry(world: &mut World, shelf: &mut Shelf) {
    for _ in 0..400 {
        if world.board.n_live() == 0 {
            return;
        }
        world.board.set_paused(false, world.now);
        world.board.set_budgets(Vec::new(), world.now);
        let short = world.board.tasks.iter().filter(|(_, entry)| entry.row.wait_reason == Some(WaitReason::Budget));
        for number in short.map(|(number, _)| *number).collect::<Vec<_>>() {
            let version = shelf.row(number).version + i64::from(world.board.dirty.contains(number));
            let edit = TaskEdit { limits: Some(Limits::default()), ..TaskEdit::default() };
            world.board.edit(number, version, edit, world.now).unwrap();
        }
        for n in 1..=3 {
            let named: Vec<_> =
                world.assigned.iter().filter(|(by, _)| *by == worker(n)).map(|(_, attempt)| *attempt).collect();
            world.board.worker_joined(random_profile(n), &named, world.now);
        }
        // Person 2 has no machine of their own but the third; what they pinned elsewhere can never run.
        for number in world.board.tasks.keys().copied().collect::<Vec<_>>() {
            let entry = &world.board.tasks[&number];
            let homeless = entry.head.user_id == user(2)
                && matches!(entry.head.spec.queue, Queue::Worker { worker_id } if worker_id == worker(1));
            if homeless {
                world.board.cancel(number, world.now).unwrap();
            }
        }
        world.settle();
        shelf.put(world.written.last().unwrap());
        for (by, attempt) in world.assigned.clone() {
            if world.board.holds(by, attempt) {
                world.board.result(by, attempt, done("ok"), RunRecord::default(), world.now);
            }
        }
        world.settle();
        shelf.put(world.written.last().unwrap());
        world.now = world.now + Duration::from_secs(120);
        world.board.tick(world.now);
        world.settle();
        shelf.put(world.written.last().unwrap());
        shelf.check();
    }
    let left: Vec<_> = world.board.tasks.values().map(|entry| (entry.head.number, entry.state)).collect();
    panic!("these never end: {left:?}");
}

use swarm_model::task::{CostKind, Usage};
use swarm_model::worker::RefusalReason;

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn invariants_hold_and_every_task_ends(steps in steps()) {
        let mut world = World::new();
        let mut shelf = Shelf::default();
        for step in &steps {
            carry_out(&mut world, &mut shelf, step);
        }
        run_dry(&mut world, &mut shelf);
        for number in shelf.tasks.keys() {
            prop_assert!(shelf.row(*number).status.is_terminal());
        }
        // Every attempt ended once and is once in the sums.
        prop_assert_eq!(shelf.ended.len(), shelf.opened.len());
        prop_assert_eq!(&shelf.usage, &shelf.used());
        // Nothing is held once everything has ended.
        prop_assert_eq!(world.board.ready.len(), 0);
        prop_assert!(world.board.cascading.is_empty());
        prop_assert!(world.board.fleet.members().all(|member| member.tasks.is_empty()));
    }
}
