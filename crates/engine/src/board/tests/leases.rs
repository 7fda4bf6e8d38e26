use super::*;

const LEASE: Duration = Duration::from_millis(LeaseTerms::SOCKET.lease_ms);

#[test]
fn a_silent_worker_loses_its_task_and_another_gets_it() {
    let mut world = World::with_workers([profile(1)]);
    let number = world.submit(spec());
    let (_, first) = world.accept_last();
    world.join(profile(2));
    world.pass(Duration::from_secs(20));
    world.board.heartbeat(worker(2), Load::default(), &[], world.now).unwrap();
    world.pass(Duration::from_secs(5));
    assert_eq!(world.status(number), TaskStatus::Queued, "it backs off before the next try");
    world.pass(Duration::from_secs(1));
    let (second_worker, second) = world.accept_last();
    assert_eq!((second_worker, second.attempt), (worker(2), 2));
    assert_eq!(world.report(worker(1), first, done("late")), Verdict::Late);
    assert_eq!(world.written.last().unwrap().late.len(), 1, "kept as evidence");
    assert_eq!(world.report(worker(2), second, done("good")), Verdict::Applied);
    assert_eq!(world.status(number), TaskStatus::Completed);
}

#[test]
fn a_heartbeat_prolongs_the_lease() {
    let mut world = World::with_workers([profile(1)]);
    let number = world.submit(spec());
    let (_, attempt) = world.accept_last();
    for _ in 0..20 {
        world.pass(Duration::from_secs(10));
        let reply = world.board.heartbeat(worker(1), Load::default(), &[attempt], world.now).unwrap();
        assert_eq!(reply, Joined::default());
    }
    assert_eq!(world.status(number), TaskStatus::Running);
}

#[test]
fn an_unanswered_assignment_goes_back_without_counting_as_a_loss() {
    let mut world = World::with_workers([profile(1)]);
    let number = world.submit(spec());
    world.pass(Duration::from_secs(10));
    world.board.heartbeat(worker(1), Load::default(), &[], world.now);
    world.pass(Duration::from_secs(10));
    assert_eq!(world.last_row(number).losses, 0);
    assert_eq!(world.assigned.len(), 2, "the machine is still there and gets it again");
    assert_eq!(world.last_row(number).attempt, 2);
}

#[test]
fn three_losses_in_a_row_end_a_task() {
    let mut world = World::new();
    let number = world.submit(spec());
    for n in 1..=3 {
        world.join(profile(n));
        world.pass(Duration::from_secs(5));
        world.accept_last();
        world.pass(LEASE);
    }
    assert_eq!(world.status(number), TaskStatus::Failed);
    assert_eq!(world.last_row(number).failure_class, Some(FailureClass::Lost));
    assert_eq!(world.last_row(number).failures, 0, "losses are no failures");
}

#[test]
fn what_must_not_be_repeated_fails_when_it_is_lost() {
    let mut world = World::with_workers([profile(1)]);
    let number = world.submit(TaskSpec { on_loss: swarm_model::task::OnLoss::Fail, ..spec() });
    world.accept_last();
    world.pass(LEASE);
    assert_eq!(world.status(number), TaskStatus::Failed);
}

#[test]
fn a_worker_that_comes_back_goes_on_with_what_it_names() {
    let mut world = World::with_workers([profile(1)]);
    world.submit(spec());
    let (_, attempt) = world.accept_last();
    world.board.log(worker(1), attempt, lines(1..=3)).unwrap();
    world.board.worker_left(worker(1), world.now);
    world.pass(Duration::from_secs(20));
    let joined = world.board.worker_joined(profile(1), &[attempt], world.now);
    assert_eq!(joined.held, [(attempt, 3)]);
    world.pass(Duration::from_secs(20));
    assert_eq!(world.report(worker(1), attempt, done("ok")), Verdict::Applied);
}

#[test]
fn a_worker_that_starts_anew_frees_what_it_does_not_name_at_once() {
    let mut world = World::with_workers([profile(1)]);
    let number = world.submit(spec());
    let (_, attempt) = world.accept_last();
    world.join(profile(1));
    assert_eq!(world.status(number), TaskStatus::Queued);
    assert_eq!(world.last_row(number).losses, 1);
    assert_eq!(world.report(worker(1), attempt, done("from the grave")), Verdict::Late);
}

#[test]
fn a_run_that_the_machine_forgot_is_lost_at_the_second_heartbeat() {
    let mut world = World::with_workers([profile(1)]);
    let number = world.submit(spec());
    world.accept_last();
    world.board.heartbeat(worker(1), Load::default(), &[], world.now).unwrap();
    world.settle();
    assert_eq!(world.status(number), TaskStatus::Running, "the acceptance may have crossed the heartbeat");
    world.pass(Duration::from_secs(11));
    world.board.heartbeat(worker(1), Load::default(), &[], world.now).unwrap();
    world.settle();
    assert_eq!(world.status(number), TaskStatus::Queued);
}

#[test]
fn a_stale_attempt_is_told_so_at_the_heartbeat() {
    let mut world = World::with_workers([profile(1)]);
    world.submit(spec());
    let (_, attempt) = world.accept_last();
    let stale = AttemptRef { attempt: 9, ..attempt };
    let reply = world.board.heartbeat(worker(1), Load::default(), &[stale, attempt], world.now).unwrap();
    assert_eq!(reply.stale, [stale]);
}

#[test]
fn another_worker_cannot_speak_for_an_attempt() {
    let mut world = World::with_workers([profile(1)]);
    let number = world.submit(spec());
    let (_, attempt) = world.accept_last();
    world.join(profile(2));
    assert_eq!(world.board.log(worker(2), attempt, lines(1..=1)), Err(Staleness));
    assert_eq!(world.board.progress(worker(2), attempt, 50), Err(Staleness));
    assert_eq!(world.board.accept(worker(2), attempt, world.now), Err(Staleness));
    assert_eq!(world.report(worker(2), attempt, done("forged")), Verdict::Late);
    assert_eq!(world.status(number), TaskStatus::Running);
}

#[test]
fn a_restarted_coordinator_gives_every_lease_a_full_period() {
    let mut world = World::with_workers([profile(1)]);
    let number = world.submit(spec());
    let (_, attempt) = world.accept_last();
    let (head, row) = world.board.task(number).unwrap();
    let live = swarm_model::change::LiveTask { head: (**head).clone(), row: row.clone(), log_received: 0, open: None };

    let mut after = World::new();
    after.now = world.now + Duration::from_secs(3_600);
    after.board = Board::new(Counters { last_number: 1, last_event: 10 });
    after.board.restore(live, after.now);
    after.pass(Duration::from_secs(20));
    let joined = after.board.worker_joined(profile(1), &[attempt], after.now);
    assert_eq!(joined.held, [(attempt, 0)]);
    assert_eq!(after.report(worker(1), attempt, done("ok")), Verdict::Applied);
    assert_eq!(after.status(number), TaskStatus::Completed);
    assert!(after.written.iter().flat_map(|changes| &changes.events).all(|event| event.id.0 > 10));
}

#[test]
fn a_restored_lease_whose_worker_stays_away_ends() {
    let mut world = World::with_workers([profile(1)]);
    let number = world.submit(spec());
    world.accept_last();
    let (head, row) = world.board.task(number).unwrap();
    let live = swarm_model::change::LiveTask { head: (**head).clone(), row: row.clone(), log_received: 0, open: None };
    let mut after = World::new();
    after.board.restore(live, after.now);
    after.pass(Duration::from_millis(LeaseTerms::HTTP.lease_ms));
    assert_eq!(after.status(number), TaskStatus::Queued);
}

#[test]
fn a_clock_that_jumps_back_ends_no_lease() {
    let mut world = World::with_workers([profile(1)]);
    let number = world.submit(spec());
    let (_, attempt) = world.accept_last();
    world.now = Timestamp::from_micros(1);
    world.board.tick(world.now);
    world.board.heartbeat(worker(1), Load::default(), &[attempt], world.now).unwrap();
    world.settle();
    assert_eq!(world.status(number), TaskStatus::Running);
    assert_eq!(world.report(worker(1), attempt, done("ok")), Verdict::Applied);
}

#[test]
fn a_removed_worker_gives_up_its_task() {
    let mut world = World::with_workers([profile(1)]);
    let number = world.submit(spec());
    world.accept_last();
    world.board.worker_removed(worker(1), world.now);
    world.settle();
    assert_eq!(world.status(number), TaskStatus::Queued);
    assert_eq!(world.board.heartbeat(worker(1), Load::default(), &[], world.now), None);
}

#[test]
fn a_coordinator_that_slept_loses_nobodys_work() {
    let mut world = World::with_workers([profile(1), profile(2)]);
    let running = world.submit(spec());
    let (holder, attempt) = world.accept_last();
    let unanswered = world.submit(spec());
    // The lid of the coordinator's laptop, or a clock that is set forward.
    world.jump(Duration::from_secs(3600));
    assert_eq!(world.status(running), TaskStatus::Running);
    assert_eq!(world.status(unanswered), TaskStatus::Assigned);
    world.pass(Duration::from_secs(10));
    assert!(world.board.heartbeat(holder, Load::default(), &[attempt], world.now).is_some());
    assert_eq!(world.report(holder, attempt, done("ok")), Verdict::Applied);
    // Whoever stays away is lost after a full period as ever.
    world.pass(Duration::from_secs(26));
    assert_ne!(world.last_row(unanswered).attempt, 1);
}
