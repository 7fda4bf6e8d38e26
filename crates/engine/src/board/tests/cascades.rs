use swarm_model::course::Course;
use swarm_model::{AtLimit, ModelChoice};

use super::*;

/// A machine with these tools, and the models that each offers.
fn machine(n: u16, tools: &[(&str, &[&str])]) -> WorkerProfile {
    let mut profile = profile(n);
    let offered = |(name, models): &(&str, &[&str])| {
        let models = models.iter().map(|model| (*model).to_owned()).collect();
        let account = Some(Account { id: (*name).to_owned(), label: format!("key of {name}") });
        ToolInfo { models, account, ..tool(name) }
    };
    profile.capabilities.tools = tools.iter().map(offered).collect();
    profile
}

fn cascade(entries: &[&str]) -> TaskSpec {
    let cascade = entries.iter().map(|entry| entry.parse().unwrap()).collect();
    TaskSpec { cascade, retry: RetryPolicy { max_attempts: 2, ..RetryPolicy::default() }, ..spec() }
}

impl World {
    /// What the last assignment asks for.
    fn asked(&self) -> String {
        let opened = self.written.iter().flat_map(|changes| &changes.opened).last().unwrap();
        ModelChoice { tool: opened.tool.clone(), model: opened.model.clone() }.to_string()
    }

    fn fail_last(&mut self, class: FailureClass) {
        let (by, attempt) = self.accept_last();
        self.report(by, attempt, failed(class));
    }

    fn course(&self, number: TaskNumber) -> Course {
        self.last_row(number).course.as_deref().cloned().unwrap_or_default()
    }
}

/// What each try of a task was, and why it came to nothing.
fn tries(course: &Course) -> Vec<(String, Option<FailureClass>)> {
    let told = |tried: &swarm_model::course::Try| {
        (ModelChoice { tool: tried.tool.clone(), model: tried.model.clone() }.to_string(), tried.class)
    };
    course.tries.iter().map(told).collect()
}

#[test]
fn the_next_entry_has_its_turn_at_once_where_this_one_would_fail_again() {
    use FailureClass as F;
    for class in [F::Server, F::Stalled, F::ContextOverflow, F::EmptyOutput, F::Refused] {
        let mut world = World::with_workers([machine(1, &[("codex", &[]), ("ollama", &["small"])])]);
        let number = world.submit(cascade(&["codex", "ollama:small"]));
        assert_eq!(world.asked(), "codex");
        world.fail_last(class);
        assert_eq!((world.status(number), world.asked().as_str()), (TaskStatus::Assigned, "ollama:small"), "{class}");
        assert_eq!(tries(&world.course(number)), [("codex".to_owned(), Some(class))]);
        let (by, attempt) = world.accept_last();
        world.report(by, attempt, done("hello"));
        assert_eq!(world.status(number), TaskStatus::Completed);
    }
}

#[test]
fn what_another_model_cannot_mend_ends_the_task() {
    use FailureClass as F;
    for class in [F::TimedOut, F::Budget, F::Cancelled] {
        let mut world = World::with_workers([machine(1, &[("codex", &[]), ("ollama", &[])])]);
        let number = world.submit(cascade(&["codex", "ollama"]));
        world.fail_last(class);
        let row = world.last_row(number);
        assert_eq!((row.status, row.failure_class), (TaskStatus::Failed, Some(class)));
    }
}

#[test]
fn what_is_most_likely_of_the_moment_is_retried_before_the_next_entry() {
    for class in [FailureClass::Network, FailureClass::ProcessFailed] {
        let mut world = World::with_workers([machine(1, &[("codex", &[]), ("ollama", &[])])]);
        let number = world.submit(cascade(&["codex", "ollama"]));
        world.fail_last(class);
        world.jump(Duration::from_secs(3));
        assert_eq!(world.asked(), "codex", "the second try");
        world.fail_last(class);
        assert_eq!((world.asked().as_str(), world.last_row(number).failures), ("ollama", 0));
    }
}

#[test]
fn another_machine_is_looked_for_before_another_model() {
    let both = [machine(1, &[("codex", &[]), ("ollama", &[])]), machine(2, &[("codex", &[])])];
    let mut world = World::with_workers(both);
    let number = world.submit(cascade(&["codex", "ollama"]));
    let (first, _) = *world.assigned.last().unwrap();
    world.fail_last(FailureClass::NeedsLogin);
    world.jump(Duration::from_secs(2));
    let (second, _) = *world.assigned.last().unwrap();
    assert_eq!((world.asked().as_str(), first != second), ("codex", true));
    world.fail_last(FailureClass::NeedsLogin);
    world.jump(Duration::from_secs(3));
    let (third, _) = *world.assigned.last().unwrap();
    assert_eq!((world.asked().as_str(), third), ("ollama", worker(1)), "what was learnt of codex counts no more");
    assert_eq!(world.course(number).entry, 1);
}

#[test]
fn the_last_entry_is_retried_and_its_end_tells_of_all() {
    let mut world = World::with_workers([machine(1, &[("codex", &[]), ("ollama", &["small"])])]);
    let number = world.submit(cascade(&["codex", "gemini-cli", "ollama:small"]));
    world.fail_last(FailureClass::Server);
    assert_eq!(world.asked(), "ollama:small", "nobody has gemini-cli");
    world.fail_last(FailureClass::Server);
    world.jump(Duration::from_secs(2));
    assert_eq!(world.status(number), TaskStatus::Assigned, "the last one is tried as a plain task is");
    world.fail_last(FailureClass::Server);
    let row = world.last_row(number);
    assert_eq!((row.status, row.failure_class), (TaskStatus::Failed, Some(FailureClass::ModelsExhausted)));
    let error = row.error.clone().unwrap();
    for said in ["1. codex: server (server)", "2. gemini-cli: passed over (no machine", "3. ollama small: server"] {
        assert!(error.contains(said), "{error}");
    }
    assert_eq!(world.course(number).tries.len(), 3);
    assert_eq!(row.attempt, 3, "each try is an attempt, and what was passed over is none");
}

#[test]
fn an_entry_behind_the_one_that_failed_last_must_be_served_by_somebody() {
    let mut world = World::with_workers([machine(1, &[("codex", &[])])]);
    let number = world.submit(cascade(&["codex", "ollama", "gemini-cli"]));
    world.fail_last(FailureClass::Refused);
    assert_eq!(world.last_row(number).failure_class, Some(FailureClass::ModelsExhausted));
    assert_eq!(world.course(number).tries.len(), 3);
}

#[test]
fn what_nobody_can_serve_waits_until_somebody_serves_any_of_it() {
    let mut world = World::new();
    let number = world.submit(cascade(&["codex", "gemini-cli:large", "ollama"]));
    world.join(machine(1, &[("gemini-cli", &["small"])]));
    assert_eq!(world.status(number), TaskStatus::Queued, "it has another model");
    assert_eq!(world.course(number), Course::default());
    world.join(machine(2, &[("ollama", &[])]));
    assert_eq!(world.asked(), "ollama");
    let tries = world.course(number).tries;
    assert_eq!(tries.len(), 2);
    assert!(tries.iter().all(|tried| tried.attempt.is_none() && tried.error.contains("no machine")), "{tries:?}");
}

#[test]
fn a_machine_that_left_is_awaited_before_its_entry_is_passed_over() {
    let mut world = World::with_workers([machine(1, &[("codex", &[])]), machine(2, &[("ollama", &[])])]);
    world.board.set_paused(true, world.now);
    let number = world.submit(cascade(&["codex", "ollama"]));
    world.board.worker_left(worker(1), world.now);
    world.board.set_paused(false, world.now);
    world.settle();
    world.jump(Duration::from_secs(20));
    assert_eq!(world.status(number), TaskStatus::Queued);
    world.board.heartbeat(worker(2), Load::default(), &[], world.now);
    world.jump(Duration::from_secs(5));
    assert_eq!(world.asked(), "ollama");
}

#[test]
fn a_lasting_refusal_of_everybody_passes_the_entry_over() {
    let mut world = World::with_workers([machine(1, &[("codex", &[]), ("ollama", &[])])]);
    let number = world.submit(cascade(&["codex", "ollama"]));
    let (by, attempt) = *world.assigned.last().unwrap();
    let reason = swarm_model::worker::RefusalReason::ToolNotAllowed;
    world.board.refuse(by, attempt, &reason, world.now).unwrap();
    world.settle();
    assert_eq!(world.asked(), "ollama");
    assert!(world.course(number).tries[0].error.contains("has not allowed"), "{:?}", world.course(number));
}

#[test]
fn its_place_outlives_the_coordinator() {
    let mut world = World::with_workers([machine(1, &[("codex", &[]), ("ollama", &[])])]);
    let number = world.submit(cascade(&["codex", "ollama"]));
    world.board.set_paused(true, world.now);
    world.fail_last(FailureClass::Server);
    assert_eq!(world.status(number), TaskStatus::Queued);
    let (head, row) = world.board.task(number).unwrap();
    let live = LiveTask { head: (**head).clone(), row: row.clone(), log_received: 0, open: None };
    let mut next = World::new();
    next.now = world.now;
    next.board.restore(live, next.now);
    next.join(machine(1, &[("codex", &[]), ("ollama", &[])]));
    assert_eq!(next.asked(), "ollama");
    next.fail_last(FailureClass::Refused);
    assert_eq!(next.course(number).tries.len(), 2, "it knows what was tried before");
}

#[test]
fn a_plain_task_goes_on_as_ever() {
    let mut world = World::with_workers([machine(1, &[("codex", &[]), ("ollama", &[])])]);
    let number = world.submit(TaskSpec { tool: "codex".parse().ok(), ..spec() });
    world.fail_last(FailureClass::Server);
    world.jump(Duration::from_secs(2));
    assert_eq!(world.asked(), "codex");
    world.fail_last(FailureClass::Refused);
    let row = world.last_row(number);
    assert_eq!((row.status, row.failure_class, &row.course), (TaskStatus::Failed, Some(FailureClass::Refused), &None));
}

#[test]
fn placement_tells_the_entry_and_those_before_it() {
    let mut world = World::with_workers([machine(1, &[("codex", &[]), ("ollama", &["small"])])]);
    let number = world.submit(cascade(&["codex", "ollama:small", "gemini-cli"]));
    world.fail_last(FailureClass::Server);
    let entry = world.board.placement(number, |_| true, world.now).unwrap().entry.unwrap();
    assert_eq!((entry.place, entry.of, entry.choice.to_string().as_str()), (2, 3, "ollama:small"));
    assert_eq!(entry.tries.len(), 1);
}

fn spent(until: Timestamp) -> Outcome {
    let error = "five hours are spent".to_owned();
    Outcome::Failed { class: FailureClass::Quota, error, resets_at: Some(until), partial: None }
}

#[test]
fn at_a_limit_a_task_waits_unless_its_person_would_rather_go_on() {
    for (at_limit, status, entry) in [(AtLimit::Wait, TaskStatus::Waiting, 0), (AtLimit::Next, TaskStatus::Assigned, 1)]
    {
        let mut world = World::with_workers([machine(1, &[("codex", &[]), ("ollama", &[])])]);
        let number = world.submit(TaskSpec { at_limit, ..cascade(&["codex", "ollama"]) });
        let (by, attempt) = world.accept_last();
        world.report(by, attempt, spent(world.now + Duration::from_hours(1)));
        assert_eq!((world.status(number), world.course(number).entry), (status, entry), "{at_limit:?}");
    }
}

#[test]
fn another_account_of_the_same_tool_comes_before_another_model() {
    let mut other = machine(2, &[("codex", &[])]);
    other.capabilities.tools[0].account = Some(Account { id: "b".to_owned(), label: "another".to_owned() });
    let mut world = World::with_workers([machine(1, &[("codex", &[]), ("ollama", &[])])]);
    let number = world.submit(TaskSpec { at_limit: AtLimit::Next, ..cascade(&["codex", "ollama"]) });
    let (by, attempt) = world.accept_last();
    world.join(other);
    world.report(by, attempt, spent(world.now + Duration::from_hours(1)));
    assert_eq!((world.asked().as_str(), world.last_row(number).worker_id), ("codex", Some(worker(2))));
}

#[test]
fn who_goes_on_at_a_limit_does_not_run_into_one_that_is_known() {
    let mut world = World::with_workers([machine(1, &[("codex", &[]), ("ollama", &[])])]);
    let until = world.now + Duration::from_hours(1);
    world.submit(TaskSpec { tool: "codex".parse().ok(), ..spec() });
    let behind = world.submit(TaskSpec { at_limit: AtLimit::Next, ..cascade(&["codex", "ollama"]) });
    let patient = world.submit(cascade(&["codex", "ollama"]));
    let (by, attempt) = world.accept_last();
    world.report(by, attempt, spent(until));
    assert_eq!(
        (world.asked().as_str(), world.status(behind)),
        ("ollama", TaskStatus::Assigned),
        "it stood in the queue"
    );
    let passed = &world.course(behind).tries[0];
    assert!(passed.error.contains("key of codex is at its limit"), "{passed:?}");
    assert_eq!(world.status(patient), TaskStatus::Queued);
    let (by, attempt) = world.accept_last();
    world.report(by, attempt, done("hello"));
    let later = world.submit(TaskSpec { at_limit: AtLimit::Next, ..cascade(&["codex", "ollama"]) });
    assert_eq!((world.asked().as_str(), world.status(later)), ("ollama", TaskStatus::Assigned), "it came later");
}

#[test]
fn where_every_entry_is_at_its_limit_the_last_one_waits() {
    let mut world = World::with_workers([machine(1, &[("codex", &[]), ("ollama", &[])])]);
    let number = world.submit(TaskSpec { at_limit: AtLimit::Next, ..cascade(&["codex", "ollama"]) });
    let until = world.now + Duration::from_hours(1);
    for _ in 0..2 {
        let (by, attempt) = world.accept_last();
        world.report(by, attempt, spent(until));
    }
    let row = world.last_row(number);
    assert_eq!((row.status, row.wait_until), (TaskStatus::Waiting, Some(until)));
    world.jump(Duration::from_hours(1));
    assert_eq!(world.asked(), "ollama");
}
