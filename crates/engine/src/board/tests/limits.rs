use super::*;

/// A machine of user 1 whose demo uses this account.
fn paid_by(n: u16, account: &str, slots: u32) -> WorkerProfile {
    let mut profile = profile(n);
    profile.capabilities.slots = slots;
    let account = Account { id: account.to_owned(), label: format!("key of {account}") };
    profile.capabilities.tools[0].account = Some(account);
    profile
}

fn spent(until: Timestamp) -> Outcome {
    Outcome::Failed {
        class: FailureClass::Quota,
        error: "five hours are spent".to_owned(),
        resets_at: Some(until),
        partial: None,
    }
}

const HOUR: Duration = Duration::from_hours(1);

/// Two machines with one account, one task that found it spent, and the time at which it resets.
fn at_the_limit() -> (World, TaskNumber, Timestamp) {
    let mut world = World::with_workers([paid_by(1, "a", 1), paid_by(2, "a", 2)]);
    let number = world.submit(spec());
    let (by, attempt) = world.accept_last();
    let until = world.now + HOUR;
    world.report(by, attempt, spent(until));
    (world, number, until)
}

#[test]
fn a_limit_holds_up_whatever_uses_the_account_and_costs_no_attempt() {
    let (mut world, first, until) = at_the_limit();
    let row = world.last_row(first);
    assert_eq!((row.status, row.wait_until, row.failures), (TaskStatus::Waiting, Some(until), 0));
    let others = [world.submit(spec()), world.submit(spec())];
    world.jump(Duration::from_secs(3599));
    assert_eq!(world.assigned.len(), 1, "nobody ran against the limit");
    for number in others {
        let placement = world.board.placement(number, |_| true, world.now).unwrap();
        for candidate in placement.candidates {
            assert!(candidate.obstacles[0].contains("key of a is at its limit until"), "{:?}", candidate.obstacles);
        }
    }
}

#[test]
fn one_attempt_finds_out_whether_the_limit_is_over() {
    let (mut world, _, _) = at_the_limit();
    world.submit(spec());
    world.submit(spec());
    world.jump(HOUR);
    assert_eq!(world.assigned.len(), 2, "one probe, though three slots are free");
    let (by, attempt) = world.accept_last();
    world.report(by, attempt, spent(world.now + HOUR));
    assert_eq!(world.assigned.len(), 2, "it stands for another hour");
    world.jump(HOUR);
    let (by, attempt) = world.accept_last();
    assert_eq!(world.assigned.len(), 3);
    world.report(by, attempt, done("hello"));
    assert_eq!(world.assigned.len(), 5, "it is over, and both others go");
    assert_eq!(world.board.limits(), []);
}

#[test]
fn a_model_that_calls_a_tool_answers_and_one_that_writes_may_be_the_refusal() {
    let (mut world, _, _) = at_the_limit();
    world.submit(spec());
    world.jump(HOUR);
    let (by, attempt) = world.accept_last();
    world.board.log(by, attempt, lines(1..=1)).unwrap();
    world.settle();
    assert_eq!(world.assigned.len(), 2);
    let mut call = lines(2..=2);
    call[0].stream = LogStream::ToolCall;
    world.board.log(by, attempt, call).unwrap();
    world.settle();
    assert_eq!(world.assigned.len(), 3);
}

#[test]
fn a_probe_that_comes_to_nothing_lets_the_next_one_try() {
    for failure in [failed(FailureClass::Network), failed(FailureClass::Refused)] {
        let (mut world, _, _) = at_the_limit();
        world.submit(spec());
        world.jump(HOUR);
        let (by, attempt) = world.accept_last();
        world.report(by, attempt, failure);
        assert_eq!(world.assigned.len(), 3, "the other task tries");
        assert_eq!(world.board.limits().len(), 1, "nobody knows yet");
    }
}

#[test]
fn another_account_does_it_at_once() {
    let mut world = World::with_workers([paid_by(1, "a", 1)]);
    let number = world.submit(spec());
    let (by, attempt) = world.accept_last();
    world.join(paid_by(2, "b", 1));
    world.report(by, attempt, spent(world.now + HOUR));
    let row = world.last_row(number);
    assert_eq!((row.status, row.worker_id, row.failures), (TaskStatus::Assigned, Some(worker(2)), 0));
}

#[test]
fn an_account_that_nobody_knows_parks_its_task_alone() {
    let mut world = World::with_workers([profile(1)]);
    let first = world.submit(spec());
    let (by, attempt) = world.accept_last();
    world.report(by, attempt, spent(world.now + HOUR));
    assert_eq!(world.status(first), TaskStatus::Waiting);
    let second = world.submit(spec());
    assert_eq!(world.status(second), TaskStatus::Assigned);
}

#[test]
fn a_time_that_is_over_already_is_not_asked_about_at_once() {
    let mut world = World::with_workers([paid_by(1, "a", 1)]);
    world.submit(spec());
    let (by, attempt) = world.accept_last();
    world.report(by, attempt, spent(world.now));
    world.jump(Duration::from_secs(29));
    assert_eq!(world.assigned.len(), 1);
    world.jump(Duration::from_secs(1));
    assert_eq!(world.assigned.len(), 2);
}

#[test]
fn a_limit_outlives_the_coordinator() {
    let (world, _, until) = at_the_limit();
    let kept: Vec<_> = world
        .written
        .iter()
        .flat_map(|changes| &changes.limits)
        .filter_map(|change| match change {
            LimitChange::Hit(limit) => Some(limit.clone()),
            LimitChange::Over { .. } => None,
        })
        .collect();
    assert_eq!(kept[0].until, until);
    let mut next = World::new();
    next.now = world.now;
    next.board.restore_limits(kept, next.now);
    next.join(paid_by(1, "a", 1));
    let number = next.submit(spec());
    assert_eq!(next.status(number), TaskStatus::Queued);
    next.jump(HOUR);
    assert_eq!(next.status(number), TaskStatus::Assigned);
}

#[test]
fn nobody_speaks_for_an_account_on_somebody_elses_machine() {
    let theirs = WorkerProfile { owner: user(2), ..paid_by(2, "a", 1) };
    let mut world = World::with_workers([paid_by(1, "a", 1), theirs]);
    world.submit_for(user(2), spec());
    world.settle();
    let (by, attempt) = world.accept_last();
    assert_eq!(by, worker(2));
    world.report(by, attempt, spent(world.now + HOUR));
    let mine = world.submit(spec());
    assert_eq!(world.status(mine), TaskStatus::Assigned);
}
