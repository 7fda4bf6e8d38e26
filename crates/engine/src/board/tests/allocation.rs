use super::*;

fn assigned_workers(world: &World) -> Vec<WorkerId> {
    world.assigned.iter().map(|(worker, _)| *worker).collect()
}

#[test]
fn an_idle_swarm_claims_in_the_commit_that_submits() {
    let mut world = World::with_workers([profile(1)]);
    let number = world.submit(spec());
    let changes = world.written.last().unwrap();
    assert_eq!(changes.inserts.len(), 1);
    assert_eq!(changes.inserts[0].row.status, TaskStatus::Assigned);
    assert_eq!(changes.opened.len(), 1);
    assert!(changes.updates.is_empty(), "a new task is written once");
    assert_eq!(world.events_of(number), ["task_queued", "task_assigned"]);
}

#[test]
fn the_higher_priority_goes_first_then_the_older() {
    let mut world = World::new();
    let low = world.submit(spec());
    let old_high = world.submit(TaskSpec { priority: Priority::new(9).unwrap(), ..spec() });
    let new_high = world.submit(TaskSpec { priority: Priority::new(9).unwrap(), ..spec() });
    let mut order = Vec::new();
    world.join(profile(1));
    for _ in 0..3 {
        let (worker, attempt) = world.accept_last();
        order.push(world.board.number_of(attempt.task_id).unwrap());
        world.report(worker, attempt, done("ok"));
    }
    assert_eq!(order, [old_high, new_high, low]);
}

#[test]
fn a_persons_worker_task_comes_before_their_own_queue() {
    let mut world = World::new();
    world.submit(spec());
    let pinned = world.submit(TaskSpec { queue: Queue::Worker { worker_id: worker(1) }, ..spec() });
    world.join(profile(1));
    let (_, attempt) = world.assigned[0];
    assert_eq!(world.board.number_of(attempt.task_id), Some(pinned));
}

#[test]
fn a_worker_task_waits_for_its_machine() {
    let mut world = World::with_workers([profile(1)]);
    world.submit(TaskSpec { queue: Queue::Worker { worker_id: worker(2) }, ..spec() });
    assert!(world.assigned.is_empty());
    world.join(profile(2));
    assert_eq!(assigned_workers(&world), [worker(2)]);
}

#[test]
fn people_take_turns_on_a_shared_machine_whatever_their_priority() {
    let mut shared = profile(1);
    (shared.shared, shared.owner) = (true, user(9));
    let mut world = World::new();
    for _ in 0..4 {
        world.submit_for(user(1), TaskSpec { queue: Queue::Global, priority: Priority::new(10).unwrap(), ..spec() });
        world.submit_for(user(2), TaskSpec { queue: Queue::Global, ..spec() });
    }
    world.join(shared);
    let mut turns = Vec::new();
    for _ in 0..8 {
        let (worker, attempt) = world.accept_last();
        let number = world.board.number_of(attempt.task_id).unwrap();
        turns.push(world.board.task(number).unwrap().0.user_id);
        world.now = world.now + Duration::from_secs(5);
        world.report(worker, attempt, done("ok"));
    }
    assert_eq!(turns, [user(1), user(2), user(1), user(2), user(1), user(2), user(1), user(2)]);
}

#[test]
fn the_owner_weighs_double_on_their_own_machine() {
    let mut shared = profile(1);
    shared.operators = BTreeMap::from([(user(2), ShareLimits::default())]);
    let mut world = World::new();
    for _ in 0..6 {
        world.submit_for(user(1), spec());
        world.submit_for(user(2), spec());
    }
    world.join(shared);
    let mut owners = 0;
    for _ in 0..9 {
        let (worker, attempt) = world.accept_last();
        let number = world.board.number_of(attempt.task_id).unwrap();
        owners += usize::from(world.board.task(number).unwrap().0.user_id == user(1));
        world.now = world.now + Duration::from_secs(5);
        world.report(worker, attempt, done("ok"));
    }
    assert_eq!(owners, 6, "two turns of three");
}

#[test]
fn strangers_get_nothing_on_a_machine_that_is_not_shared() {
    let mut world = World::with_workers([profile(1)]);
    world.submit_for(user(2), spec());
    world.submit_for(user(2), TaskSpec { queue: Queue::Global, ..spec() });
    world.submit_for(user(2), TaskSpec { queue: Queue::Worker { worker_id: worker(1) }, ..spec() });
    world.settle();
    assert!(world.assigned.is_empty());
}

#[test]
fn the_freer_machine_gets_it_and_ties_break_by_id() {
    let mut big = profile(7);
    big.capabilities.slots = 4;
    let mut world = World::with_workers([big, profile(5), profile(3)]);
    world.submit(spec());
    assert_eq!(assigned_workers(&world), [worker(3)], "all are idle: the lowest id");
}

#[test]
fn work_is_spread_over_idle_machines() {
    let mut world =
        World::with_workers((1..=3).map(|n| WorkerProfile {
            capabilities: Capabilities { slots: 3, ..profile(n).capabilities },
            ..profile(n)
        }));
    for _ in 0..3 {
        // Another person each time, so that affinity draws nobody back.
        world.submit(spec());
        world.board.familiar.clear();
    }
    let distinct: BTreeSet<_> = assigned_workers(&world).into_iter().collect();
    assert_eq!(distinct.len(), 3);
}

#[test]
fn affinity_breaks_what_would_be_a_tie() {
    let mut world = World::with_workers([profile(1), profile(2)]);
    world.board.familiar.insert(user(1), vec![worker(2)]);
    world.submit(spec());
    assert_eq!(assigned_workers(&world), [worker(2)]);
}

#[test]
fn an_interrupted_task_goes_on_where_it_was() {
    // One that is far busier, and has the higher id.
    let mut world = World::with_workers([profile(1), profile(2)]);
    world.board.familiar.insert(user(1), vec![worker(2)]);
    let number = world.submit(spec());
    let (first, attempt) = world.accept_last();
    assert_eq!(first, worker(2));
    // It gives back what it had begun, comes back, and has worked for minutes.
    world.pass(Duration::from_secs(5));
    world.board.refuse(first, attempt, &swarm_model::worker::RefusalReason::Draining, world.now).unwrap();
    world.board.familiar.clear();
    let affinity = |world: &World| {
        let report = world.board.placement(number, |_| true, world.now).unwrap();
        report.candidates.iter().map(|candidate| candidate.score.map_or(0, |score| score.affinity)).collect::<Vec<_>>()
    };
    assert_eq!(affinity(&world), [100_000, 0]);
    world.pass(Duration::from_secs(2));
    assert_eq!(world.assigned.last().unwrap().0, worker(2));
    // Accepted, it is no longer interrupted, and a failure begins anew anywhere.
    world.accept_last();
    assert_eq!(affinity(&world), [0, 10_000]);
}

#[test]
fn a_tools_own_limit_holds() {
    let mut limited = profile(1);
    limited.capabilities.slots = 5;
    limited.capabilities.tools[0].max_concurrent = Some(2);
    let mut world = World::with_workers([limited]);
    for _ in 0..5 {
        world.submit(spec());
    }
    assert_eq!(world.assigned.len(), 2);
}

#[test]
fn a_paused_draining_or_full_machine_gets_nothing() {
    let mut paused = profile(1);
    paused.pauses.by_owner = true;
    let mut draining = profile(2);
    draining.draining = true;
    let mut full = profile(3);
    full.capabilities.slots = 0;
    let mut world = World::with_workers([paused, draining, full]);
    world.submit(spec());
    assert!(world.assigned.is_empty());
    world.board.set_pauses(worker(1), Pauses::default(), world.now);
    world.settle();
    assert_eq!(assigned_workers(&world), [worker(1)]);
}

#[test]
fn each_pause_is_lifted_by_itself() {
    let mut paused = profile(1);
    paused.pauses = Pauses { by_coordinator: true, by_owner: true };
    let mut world = World::with_workers([paused]);
    world.submit(spec());
    world.board.set_pauses(worker(1), Pauses { by_coordinator: false, by_owner: true }, world.now);
    world.settle();
    assert!(world.assigned.is_empty());
}

#[test]
fn a_paused_swarm_hands_nothing_out() {
    let mut world = World::with_workers([profile(1)]);
    world.board.set_paused(true, world.now);
    world.submit(spec());
    assert!(world.assigned.is_empty());
    world.board.set_paused(false, world.now);
    world.settle();
    assert_eq!(world.assigned.len(), 1);
}

#[test]
fn a_pulling_worker_gets_one_task_a_pull_and_the_same_one_again() {
    let mut pulling = profile(1);
    pulling.push = false;
    pulling.capabilities.slots = 4;
    let mut world = World::with_workers([pulling]);
    let number = world.submit(spec());
    world.submit(spec());
    assert!(world.assigned.is_empty(), "it has not asked");
    world.board.set_pulling(worker(1), true, world.now);
    world.settle();
    assert_eq!(world.assigned.len(), 1, "one pull, one task");
    let again = world.board.unanswered(worker(1)).unwrap();
    assert!(matches!(again, Effect::Assign { head, attempt: 1, .. } if head.number == number));
    world.accept_last();
    assert_eq!(world.board.unanswered(worker(1)), None);
}

#[test]
fn requirements_rule_machines_out() {
    let mut world = World::with_workers([profile(1)]);
    for requirements in [
        swarm_model::task::Requirements { memory_mb: 64_000, ..Default::default() },
        swarm_model::task::Requirements { os: Some("macos".to_owned()), ..Default::default() },
        swarm_model::task::Requirements {
            labels: BTreeMap::from([("gpu".to_owned(), "yes".to_owned())]),
            ..Default::default()
        },
    ] {
        world.submit(TaskSpec { requirements, ..spec() });
    }
    assert!(world.assigned.is_empty());
    let mut able = profile(2);
    able.capabilities.memory_mb = 64_000;
    world.join(able);
    assert_eq!(world.assigned.len(), 1);
}

#[test]
fn placement_explains_scores_and_obstacles() {
    let mut paused = profile(2);
    paused.pauses.by_owner = true;
    let mut world = World::with_workers([paused, profile(1)]);
    world.board.set_paused(true, world.now);
    world.submit(spec());
    let behind = world.submit(TaskSpec { tool: Some("ollama".parse().unwrap()), ..spec() });
    let report = world.board.placement(behind, |_| true, world.now).unwrap();
    assert_eq!(report.ahead, Some(1));
    assert_eq!(report.candidates[0].obstacles, ["it has no ollama"]);
    assert_eq!(report.candidates[1].obstacles, ["its owner paused it", "it has no ollama"]);

    let free = world.submit(spec());
    let report = world.board.placement(free, |_| true, world.now).unwrap();
    assert_eq!((report.candidates[0].worker_id, report.candidates[0].obstacles.len()), (worker(1), 0));
    let score = report.candidates[0].score.unwrap();
    assert_eq!(score.total(), score.matching + score.availability + score.balance + score.affinity);
    let hidden = world.board.placement(free, |id| id == worker(2), world.now).unwrap();
    assert_eq!(hidden.candidates.len(), 1);
}

#[test]
fn the_cost_of_a_claim_is_in_classes_not_in_tasks() {
    let mut world = World::new();
    for _ in 0..1_000 {
        world.submit_for(user(1), spec());
    }
    assert_eq!(world.board.ready.classes_of(user(1)).len(), 1);
}
