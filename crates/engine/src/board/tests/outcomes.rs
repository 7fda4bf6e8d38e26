use super::*;

#[test]
fn a_result_is_accepted_once() {
    let mut world = World::with_workers([profile(1)]);
    let number = world.submit(spec());
    let (by, attempt) = world.accept_last();
    assert_eq!(world.report(by, attempt, done("first")), Verdict::Applied);
    assert_eq!(world.report(by, attempt, done("second")), Verdict::Late);
    assert_eq!(world.status(number), TaskStatus::Completed);
    assert_eq!(world.events_of(number), ["task_queued", "task_assigned", "task_running", "task_completed"]);
}

#[test]
fn a_result_says_that_work_began() {
    let mut world = World::with_workers([profile(1)]);
    let number = world.submit(spec());
    let (by, attempt) = *world.assigned.last().unwrap();
    assert_eq!(world.report(by, attempt, done("quick")), Verdict::Applied);
    let changes = world.written.last().unwrap();
    assert_eq!(changes.updates.len(), 1, "one write for start and end");
    assert!(world.last_row(number).started_at.is_some());
}

#[test]
fn failures_are_retried_after_a_back_off_until_they_are_too_many() {
    let mut world = World::with_workers([profile(1)]);
    let number = world.submit(spec());
    for failures in 1..=3 {
        let (by, attempt) = world.accept_last();
        world.report(by, attempt, failed(FailureClass::Server));
        assert_eq!(world.last_row(number).failures, failures);
        world.pass(Duration::from_secs(10));
        let alive = world.board.heartbeat(by, Load::default(), &[], world.now);
        assert!(alive.is_some());
    }
    assert_eq!(world.status(number), TaskStatus::Failed);
    assert_eq!(world.last_row(number).failure_class, Some(FailureClass::Server));
    assert_eq!(world.last_row(number).error.as_deref(), Some("server"));
}

#[test]
fn a_failure_that_nothing_mends_is_final_at_once() {
    for class in [FailureClass::ContextOverflow, FailureClass::Refused, FailureClass::TimedOut, FailureClass::Budget] {
        let mut world = World::with_workers([profile(1)]);
        let number = world.submit(spec());
        let (by, attempt) = world.accept_last();
        world.report(by, attempt, failed(class));
        assert_eq!(world.status(number), TaskStatus::Failed, "{class}");
    }
}

#[test]
fn a_rate_limit_parks_until_its_reset_and_costs_no_attempt() {
    let mut world = World::with_workers([profile(1)]);
    let number = world.submit(spec());
    let (by, attempt) = world.accept_last();
    let resets_at = world.now + Duration::from_secs(20);
    let limited = Outcome::Failed {
        class: FailureClass::Quota,
        error: "spent".to_owned(),
        resets_at: Some(resets_at),
        partial: None,
    };
    world.report(by, attempt, limited);
    let row = world.last_row(number);
    assert_eq!((row.status, row.wait_until, row.failures), (TaskStatus::Waiting, Some(resets_at), 0));
    world.pass(Duration::from_secs(19));
    assert_eq!(world.status(number), TaskStatus::Waiting);
    world.pass(Duration::from_secs(1));
    assert_eq!(world.status(number), TaskStatus::Assigned);
}

#[test]
fn a_missing_tool_sends_the_task_elsewhere_and_fails_where_there_is_no_elsewhere() {
    let mut world = World::with_workers([profile(1), profile(2)]);
    let number = world.submit(spec());
    let (by, attempt) = world.accept_last();
    assert_eq!(by, worker(1));
    world.report(by, attempt, failed(FailureClass::ToolMissing));
    world.pass(Duration::from_secs(2));
    let (by, attempt) = world.accept_last();
    assert_eq!(by, worker(2));
    world.report(by, attempt, failed(FailureClass::ToolMissing));
    assert_eq!(world.status(number), TaskStatus::Failed, "nobody is left");
}

#[test]
fn a_lasting_refusal_makes_the_task_avoid_the_machine_until_it_changes() {
    let mut world = World::with_workers([profile(1)]);
    let number = world.submit(spec());
    let (by, attempt) = *world.assigned.last().unwrap();
    let reason = swarm_model::worker::RefusalReason::ToolNotAllowed;
    world.board.refuse(by, attempt, &reason, world.now).unwrap();
    world.settle();
    assert_eq!((world.status(number), world.assigned.len()), (TaskStatus::Queued, 1));
    let report = world.board.placement(number, |_| true, world.now).unwrap();
    assert_eq!(report.candidates[0].obstacles, ["it declined this task or could not do it"]);
    world.board.set_capabilities(by, profile(1).capabilities, world.now);
    world.settle();
    assert_eq!(world.assigned.len(), 2);
}

#[test]
fn a_refusal_of_the_moment_is_tried_again_shortly() {
    let mut world = World::with_workers([profile(1)]);
    world.submit(spec());
    let (by, attempt) = *world.assigned.last().unwrap();
    world.board.refuse(by, attempt, &swarm_model::worker::RefusalReason::NoFreeSlot, world.now).unwrap();
    world.settle();
    assert_eq!(world.assigned.len(), 1);
    world.pass(REFUSED_PAUSE);
    assert_eq!(world.assigned.len(), 2);
}

#[test]
fn input_that_makes_no_sense_fails_at_once() {
    let mut world = World::with_workers([profile(1)]);
    let number = world.submit(spec());
    let (by, attempt) = *world.assigned.last().unwrap();
    let reason = swarm_model::worker::RefusalReason::InvalidInput { detail: "argv is empty".to_owned() };
    world.board.refuse(by, attempt, &reason, world.now).unwrap();
    world.settle();
    assert_eq!(world.status(number), TaskStatus::Failed);
    assert!(world.last_row(number).error.as_deref().unwrap().contains("argv is empty"));
}

#[test]
fn a_queued_task_is_cancelled_at_once() {
    let mut world = World::new();
    let number = world.submit(spec());
    assert_eq!(world.board.cancel(number, world.now), Ok(TaskStatus::Cancelled));
    world.settle();
    assert_eq!(world.status(number), TaskStatus::Cancelled);
    world.join(profile(1));
    assert!(world.assigned.is_empty());
    assert_eq!(world.board.cancel(number, world.now), Err(CommandError::NotLive));
}

#[test]
fn a_running_task_is_cancelled_when_its_worker_confirms() {
    let mut world = World::with_workers([profile(1)]);
    let number = world.submit(spec());
    let (by, attempt) = world.accept_last();
    assert_eq!(world.board.cancel(number, world.now), Ok(TaskStatus::Running));
    world.settle();
    assert_eq!(world.cancels, [(by, attempt)]);
    let reply = world.board.heartbeat(by, Load::default(), &[attempt], world.now).unwrap();
    assert_eq!(reply.cancel, [attempt], "said again, should the frame be lost");
    let partial = Some(TaskResult { text: "half".to_owned(), ..TaskResult::default() });
    world.report(by, attempt, Outcome::Cancelled { partial });
    assert_eq!(world.status(number), TaskStatus::Cancelled);
    let kept = world.written.last().unwrap().updates[0].result.as_deref().unwrap();
    assert!(kept.contains("half"));
}

#[test]
fn a_result_that_was_committed_first_wins_over_a_cancel() {
    let mut world = World::with_workers([profile(1)]);
    let number = world.submit(spec());
    let (by, attempt) = world.accept_last();
    world.board.cancel(number, world.now).unwrap();
    world.report(by, attempt, done("done anyway"));
    assert_eq!(world.status(number), TaskStatus::Completed);
}

#[test]
fn a_cancel_whose_worker_vanished_ends_with_the_lease() {
    let mut world = World::with_workers([profile(1)]);
    let number = world.submit(spec());
    world.accept_last();
    world.board.cancel(number, world.now).unwrap();
    world.pass(Duration::from_secs(25));
    assert_eq!(world.status(number), TaskStatus::Cancelled);
}

#[test]
fn the_queue_wait_ends_a_task_that_nobody_took() {
    let mut world = World::new();
    let limits = swarm_model::task::Limits { queue_wait_ms: Some(5_000), ..Default::default() };
    let number = world.submit(TaskSpec { limits, ..spec() });
    world.pass(Duration::from_millis(4_999));
    assert_eq!(world.status(number), TaskStatus::Queued);
    world.pass(Duration::from_millis(1));
    assert_eq!(world.last_row(number).failure_class, Some(FailureClass::TimedOut));
}

#[test]
fn the_coordinator_ends_a_run_that_its_worker_lets_run_on() {
    let mut world = World::with_workers([profile(1)]);
    let limits = swarm_model::task::Limits { wall_clock_ms: Some(1_000), ..Default::default() };
    let number = world.submit(TaskSpec { limits, ..spec() });
    let (by, attempt) = world.accept_last();
    world.pass(Duration::from_secs(10));
    world.board.heartbeat(by, Load::default(), &[attempt], world.now);
    world.pass(Duration::from_secs(6));
    assert_eq!(world.last_row(number).failure_class, Some(FailureClass::TimedOut));
    assert_eq!(world.cancels, [(by, attempt)]);
}

#[test]
fn log_lines_are_numbered_for_the_task_and_counted_once() {
    let mut world = World::with_workers([profile(1)]);
    world.submit(spec());
    let (by, attempt) = world.accept_last();
    assert_eq!(world.board.log(by, attempt, lines(1..=3)), Ok(3));
    assert_eq!(world.board.log(by, attempt, lines(2..=5)), Ok(5), "2 and 3 are known");
    assert_eq!(world.board.log(by, attempt, lines(7..=8)), Ok(5), "6 is missing");
    world.settle();
    let logs = &world.written.last().unwrap().logs;
    assert_eq!(logs.len(), 1);
    assert_eq!((logs[0].first_seq, logs[0].lines.len()), (1, 5));

    world.report(by, attempt, failed(FailureClass::Server));
    world.pass(Duration::from_secs(2));
    let (by, attempt) = world.accept_last();
    assert_eq!(world.board.log(by, attempt, lines(1..=1)), Ok(1));
    world.settle();
    assert_eq!(world.written.last().unwrap().logs[0].first_seq, 6, "the task counts on");
}

#[test]
fn an_edit_needs_the_version_and_a_queued_task() {
    let mut world = World::new();
    let number = world.submit(spec());
    let edit =
        TaskEdit { priority: Priority::new(9), description: Some("say goodbye".to_owned()), ..TaskEdit::default() };
    assert_eq!(world.board.edit(number, 7, edit.clone(), world.now), Err(CommandError::VersionConflict(1)));
    world.board.edit(number, 1, edit.clone(), world.now).unwrap();
    world.settle();
    let update = &world.written.last().unwrap().updates[0];
    assert_eq!(update.row.version, 2);
    assert_eq!(update.spec.as_ref().unwrap().description, "say goodbye");
    world.join(profile(1));
    assert_eq!(world.board.edit(number, 3, edit, world.now), Err(CommandError::NotIn(TaskStatus::Assigned)));
}

fn used(world: &World) -> Vec<swarm_model::change::AddUsage> {
    world.written.iter().flat_map(|changes| changes.usage.clone()).collect()
}

#[test]
fn what_a_run_used_is_counted_in_the_commit_that_ends_it() {
    let mut world = World::with_workers([profile(1)]);
    world.submit(TaskSpec { model: Some("small".to_owned()), ..spec() });
    let (by, attempt) = world.accept_last();
    assert_eq!(used(&world), []);
    world.pass(Duration::from_secs(2));
    world.report(by, attempt, failed(FailureClass::Server));
    let last = world.written.last().unwrap();
    assert_eq!((last.attempts.len(), last.usage.len()), (1, 1));
    let [first] = &used(&world)[..] else { panic!("one run, one sum") };
    assert_eq!((first.key.worker_id, first.key.model.as_deref()), (by, Some("small")));
    assert_eq!((first.sums.runs, first.sums.run_ms, first.sums.unknown_cost_runs), (1, 2_000, 1));
    // Said again, it is evidence at most.
    assert_eq!(world.report(by, attempt, failed(FailureClass::Server)), Verdict::Late);
    assert_eq!(used(&world).len(), 1);
}

#[test]
fn what_never_began_is_not_counted() {
    let mut world = World::with_workers([profile(1)]);
    world.submit(spec());
    let (by, attempt) = *world.assigned.last().unwrap();
    let reason = swarm_model::worker::RefusalReason::NoFreeSlot;
    world.board.refuse(by, attempt, &reason, world.now).unwrap();
    world.settle();
    // Unanswered, it goes back.
    world.pass(Duration::from_secs(25));
    assert_eq!(used(&world), []);
}

#[test]
fn a_restarted_coordinator_knows_which_tool_ran() {
    let mut both = profile(1);
    both.capabilities.tools = vec![tool("claude-code"), tool("demo")];
    let mut world = World::with_workers([both.clone()]);
    // No tool was wished for: the machine's best one was given out.
    let number = world.submit(spec());
    let (by, attempt) = world.accept_last();
    let (head, row) = world.board.task(number).unwrap();
    let opened = world.written.iter().find_map(|changes| changes.opened.first()).unwrap();
    let open = swarm_model::change::LiveAttempt {
        tool: opened.tool.clone(),
        model: opened.model.clone(),
        started_at: Some(world.now),
    };
    let live = LiveTask { head: (**head).clone(), row: row.clone(), log_received: 0, open: Some(open) };
    let mut after = World::new();
    after.now = world.now + Duration::from_secs(60);
    after.board.restore(live, after.now);
    after.board.worker_joined(both, &[attempt], after.now);
    assert_eq!(after.report(by, attempt, done("ok")), Verdict::Applied);
    let used = used(&after);
    assert_eq!((used[0].key.tool.as_str(), used[0].sums.run_ms), ("claude-code", 60_000));
}

#[test]
fn a_limit_of_the_account_stands_in_the_record() {
    let mut world = World::with_workers([profile(1)]);
    world.submit(spec());
    let (by, attempt) = world.accept_last();
    let resets_at = Some(world.now + Duration::from_secs(600));
    let outcome = Outcome::Failed { class: FailureClass::Quota, error: String::new(), resets_at, partial: None };
    world.report(by, attempt, outcome);
    let record = world.written.last().unwrap().attempts[0].record.clone().unwrap();
    assert_eq!(serde_json::from_str::<RunRecord>(&record).unwrap().resets_at, resets_at);
}
