use swarm_model::budget::{Budget, BudgetOf, BudgetPeriod, BudgetUnit};
use swarm_model::change::EventKind;
use swarm_model::task::{CostKind, Limits, Usage, WaitReason};
use swarm_model::{BudgetId, Day};

use super::*;
use crate::StandingBudget;

fn budget(n: u128, of: BudgetOf, amount: u64) -> Budget {
    Budget {
        budget_id: BudgetId::from_uuid(Uuid::from_u128(n)),
        of,
        tool: None,
        period: BudgetPeriod::Day,
        unit: BudgetUnit::Tokens,
        amount,
        created_by: user(1),
        created_at: Timestamp::EPOCH,
    }
}

fn used(tokens: u64) -> RunRecord {
    let usage = Usage {
        input_tokens: Some(tokens / 2),
        output_tokens: Some(tokens - tokens / 2),
        cost_microusd: Some(tokens * 10),
        cost_kind: CostKind::Reported,
        ..Usage::default()
    };
    RunRecord { usage, session: Some("s-1".to_owned()), ..RunRecord::default() }
}

impl World {
    fn set_budgets(&mut self, budgets: impl IntoIterator<Item = (Budget, u64)>) {
        let standing = budgets.into_iter().map(|(budget, used)| {
            let since = budget.period.since(self.now);
            StandingBudget { budget, used, since }
        });
        self.board.set_budgets(standing.collect(), self.now);
        self.settle();
    }

    fn end_last(&mut self, outcome: Outcome, record: RunRecord) {
        let (by, attempt) = self.accept_last();
        self.board.result(by, attempt, outcome, record, self.now);
        self.settle();
    }

    /// Limits and session of the attempt that a machine holds unanswered.
    fn given(&self, to: u16) -> (Option<u64>, Option<u64>, Option<String>) {
        let Some(Effect::Assign { limits, resume_session, .. }) = self.board.unanswered(worker(to)) else {
            panic!("nothing was given to machine {to}")
        };
        (limits.tokens, limits.cost_microusd, resume_session)
    }

    fn wait_sentence(&self, number: TaskNumber) -> String {
        let row = self.last_row(number);
        assert_eq!((row.status, row.wait_reason), (TaskStatus::Waiting, Some(WaitReason::Budget)));
        row.course.as_ref().unwrap().short.as_ref().unwrap().sentence.clone()
    }

    fn raise(&mut self, number: TaskNumber, tokens: u64) {
        let version = self.last_row(number).version;
        let limits = Limits { tokens: Some(tokens), ..Limits::default() };
        let edit = TaskEdit { limits: Some(limits), ..TaskEdit::default() };
        self.board.edit(number, version, edit, self.now).unwrap();
        self.settle();
    }

    fn told(&self, kind: EventKind) -> usize {
        self.written.iter().flat_map(|changes| &changes.events).filter(|event| event.kind == kind).count()
    }
}

fn limited(tokens: u64) -> TaskSpec {
    TaskSpec { limits: Limits { tokens: Some(tokens), ..Limits::default() }, ..spec() }
}

#[test]
fn a_run_that_used_its_budget_waits_with_its_session_and_goes_on_there_when_it_is_raised() {
    let mut world = World::with_workers([profile(1), profile(2)]);
    let number = world.submit(limited(1_000));
    assert_eq!(world.given(1), (Some(1_000), None, None));
    world.end_last(failed(FailureClass::Budget), used(1_000));
    assert_eq!(
        world.wait_sentence(number),
        "used 1,000 of 1,000 tokens; raise it with `garageswarm task budget 1 --tokens 2000`"
    );
    world.jump(Duration::from_hours(50));
    assert_eq!(world.status(number), TaskStatus::Waiting, "time alone brings nothing");
    world.raise(number, 900);
    assert_eq!(world.status(number), TaskStatus::Waiting, "that is no more");
    world.board.worker_left(worker(1), world.now);
    world.raise(number, 1_600);
    assert_eq!(world.status(number), TaskStatus::Queued, "machine 2 is free, but has not its session");
    let report = world.board.placement(number, |_| true, world.now).unwrap();
    assert!(report.candidates.iter().any(|one| one.obstacles == ["its session is on another machine"]), "{report:?}");
    world.join(profile(1));
    assert_eq!(world.given(1), (Some(600), None, Some("s-1".to_owned())));
    world.end_last(done("hello"), used(10));
    assert_eq!(world.status(number), TaskStatus::Completed);
}

#[test]
fn what_earlier_attempts_used_counts() {
    let mut world = World::with_workers([profile(1)]);
    let number = world.submit(limited(1_000));
    world.end_last(failed(FailureClass::Server), used(300));
    world.jump(Duration::from_secs(2));
    assert_eq!(world.given(1), (Some(700), None, None));
    world.end_last(failed(FailureClass::Server), used(800));
    world.jump(Duration::from_secs(5));
    assert!(world.wait_sentence(number).starts_with("used 1,100 of 1,000 tokens;"), "before it would begin");
    world.board.cancel(number, world.now).unwrap();
    world.settle();
    assert_eq!(world.status(number), TaskStatus::Cancelled, "a person can always end it");
}

#[test]
fn a_run_that_says_so_has_used_its_budget_whatever_it_told() {
    let mut world = World::with_workers([profile(1)]);
    let number = world.submit(limited(1_000));
    world.end_last(failed(FailureClass::Budget), used(100));
    assert!(world.wait_sentence(number).starts_with("used 1,000 of 1,000 tokens;"));
    world.raise(number, 1_001);
    assert_eq!(world.given(1).0, Some(1));
}

#[test]
fn other_limits_of_a_run_stay_failures() {
    let output = Limits { output_bytes: Some(10), tokens: Some(1_000), ..Limits::default() };
    for limits in [Limits::default(), output] {
        let mut world = World::with_workers([profile(1)]);
        let number = world.submit(TaskSpec { limits, ..spec() });
        world.end_last(failed(FailureClass::Budget), used(10));
        assert_eq!(world.status(number), TaskStatus::Failed);
    }
}

#[test]
fn a_session_that_fails_otherwise_is_left() {
    let mut world = World::with_workers([profile(1), profile(2)]);
    let number = world.submit(limited(1_000));
    world.end_last(failed(FailureClass::Budget), used(1_000));
    world.raise(number, 2_000);
    world.end_last(failed(FailureClass::ProcessFailed), used(0));
    world.board.set_pauses(worker(1), Pauses { by_owner: true, by_coordinator: false }, world.now);
    world.jump(Duration::from_secs(2));
    assert_eq!(world.given(2), (Some(1_000), None, None), "anywhere, and from the beginning");
}

#[test]
fn a_waiting_task_waits_on_after_a_restart_and_goes_on_with_its_session() {
    let mut world = World::with_workers([profile(1)]);
    let number = world.submit(limited(1_000));
    world.end_last(failed(FailureClass::Budget), used(1_000));
    let (head, row) = world.board.task(number).unwrap();
    let live = LiveTask { head: (**head).clone(), row: row.clone(), log_received: 0, open: None };
    let mut next = World::new();
    next.board.restore(live, next.now);
    next.join(profile(1));
    assert_eq!(next.board.task(number).unwrap().1.status, TaskStatus::Waiting);
    let version = next.board.task(number).unwrap().1.version;
    let limits = Some(Limits { tokens: Some(5_000), ..Limits::default() });
    next.board.edit(number, version, TaskEdit { limits, ..TaskEdit::default() }, next.now).unwrap();
    next.settle();
    assert_eq!(next.given(1), (Some(4_000), None, Some("s-1".to_owned())));
}

#[test]
fn people_are_warned_once_and_then_everything_that_draws_on_it_waits_until_its_day_is_over() {
    let mut world = World::with_workers([profile(1)]);
    world.set_budgets([(budget(1, BudgetOf::User(user(1)), 1_000), 0)]);
    world.submit(spec());
    assert_eq!(world.given(1), (Some(1_000), None, None), "one run cannot use more");
    world.end_last(done("a"), used(700));
    assert_eq!((world.told(EventKind::BudgetWarned), world.told(EventKind::BudgetSpent)), (1, 0));
    world.submit(spec());
    assert_eq!(world.given(1).0, Some(300));
    let standing = world.submit(spec());
    world.end_last(done("b"), used(290));
    assert_eq!(world.told(EventKind::BudgetWarned), 1, "once");
    world.end_last(done("c"), used(10));
    assert_eq!(world.told(EventKind::BudgetSpent), 1);
    assert_eq!(world.status(standing), TaskStatus::Completed);
    let number = world.submit(spec());
    let sentence = world.wait_sentence(number);
    assert!(
        sentence.starts_with("the person's budget of 1,000 tokens for a day is used up until 1970-01-02 UTC (1,000 tokens); raise it with `garageswarm budget set "),
        "{sentence}"
    );
    assert_eq!(world.last_row(number).wait_until, Some(Day::of(world.now).ends()));
    let other = world.submit_for(user(2), TaskSpec { queue: Queue::Global, ..spec() });
    world.settle();
    assert_eq!(world.status(other), TaskStatus::Queued, "it is not theirs");
    let command = TaskSpec {
        input: TaskInput::Command { argv: vec!["true".to_owned()], stdin: None, env: BTreeMap::new() },
        ..spec()
    };
    let command = world.submit(command);
    assert_eq!(world.status(command), TaskStatus::Queued, "a plain command uses none");
    let end = world.board.next_deadline().unwrap();
    assert!(end <= Day::of(world.now).ends());
    world.now = Day::of(world.now).ends();
    world.board.tick(world.now);
    world.join(profile(1));
    assert_eq!(world.status(number), TaskStatus::Assigned);
    assert_eq!(world.given(1).0, Some(1_000));
}

#[test]
fn what_stands_ready_waits_from_the_moment_on_at_which_a_budget_is_used_up() {
    let mut world = World::with_workers([profile(1)]);
    let mine = budget(1, BudgetOf::User(user(1)), 100);
    world.set_budgets([(mine.clone(), 0)]);
    world.submit(spec());
    let behind = world.submit(spec());
    world.end_last(done("a"), used(100));
    world.wait_sentence(behind);
    world.set_budgets([(Budget { amount: 200, ..mine }, 100)]);
    assert_eq!((world.status(behind), world.given(1).0), (TaskStatus::Assigned, Some(100)), "it was raised");
    world.end_last(done("b"), used(100));
    let third = world.submit(spec());
    world.wait_sentence(third);
    world.set_budgets([]);
    assert_eq!((world.status(third), world.given(1).0), (TaskStatus::Assigned, None), "it was removed");
}

#[test]
fn a_run_that_a_budget_stopped_waits_for_it_even_where_something_is_left() {
    let mut world = World::with_workers([profile(1)]);
    let mine = budget(1, BudgetOf::User(user(1)), 1_000);
    world.set_budgets([(mine.clone(), 0)]);
    let number = world.submit(spec());
    world.end_last(failed(FailureClass::Budget), used(950));
    let sentence = world.wait_sentence(number);
    assert!(sentence.contains("(950 tokens)"), "{sentence}");
    world.set_budgets([(mine.clone(), 950)]);
    assert_eq!(world.status(number), TaskStatus::Waiting, "nothing changed");
    let other = world.submit(spec());
    assert_eq!((world.status(other), world.given(1).0), (TaskStatus::Assigned, Some(50)));
    world.end_last(done("b"), used(5));
    world.set_budgets([(Budget { amount: 2_000, ..mine }, 955)]);
    assert_eq!(world.given(1), (Some(1_045), None, Some("s-1".to_owned())));
}

#[test]
fn a_workers_budget_keeps_work_from_that_worker() {
    let mut world = World::with_workers([profile(1), profile(2)]);
    world.set_budgets([(budget(1, BudgetOf::Worker(worker(1)), 100), 100)]);
    let pinned = world.submit(TaskSpec { queue: Queue::Worker { worker_id: worker(1) }, ..spec() });
    assert!(world.wait_sentence(pinned).starts_with("the worker's budget of 100 tokens"));
    let free = world.submit(spec());
    assert_eq!(world.last_row(free).worker_id, Some(worker(2)));
    let behind = world.submit(spec());
    assert_eq!(world.status(behind), TaskStatus::Queued, "machine 2 may come free");
    let report = world.board.placement(behind, |_| true, world.now).unwrap();
    let first = report.candidates.iter().find(|one| one.worker_id == worker(1)).unwrap();
    assert!(first.obstacles[0].contains("is used up"), "{:?}", first.obstacles);
    world.now = Day::of(world.now).ends();
    world.board.tick(world.now);
    world.join(profile(1));
    assert_eq!(world.last_row(pinned).worker_id, Some(worker(1)));
}

#[test]
fn the_smallest_rest_of_all_is_what_a_run_gets() {
    let mut world = World::with_workers([profile(1)]);
    let money = Budget { unit: BudgetUnit::Microusd, ..budget(2, BudgetOf::Worker(worker(1)), 5_000) };
    let elsewhere = Budget { tool: "codex".parse().ok(), ..budget(3, BudgetOf::User(user(1)), 1) };
    world.set_budgets([(budget(1, BudgetOf::User(user(1)), 900), 100), (money, 0), (elsewhere, 1)]);
    let limits = Limits { tokens: Some(850), cost_microusd: Some(9_000), ..Limits::default() };
    world.submit(TaskSpec { limits, ..spec() });
    assert_eq!(world.given(1), (Some(800), Some(5_000), None));
}

#[test]
fn what_was_used_and_is_not_written_yet_counts_when_budgets_are_read() {
    let mut world = World::with_workers([profile(1)]);
    world.submit(spec());
    let (by, attempt) = world.accept_last();
    world.board.result(by, attempt, done("a"), used(60), world.now);
    world.set_budgets([(budget(1, BudgetOf::User(user(1)), 100), 20)]);
    assert_eq!(world.board.budgets()[0].used, 80);
}
