//! What other people may do with a machine: within what is shared with them, and what the machine grants.

use super::*;

fn limits(tools: Option<&[&str]>, slots: Option<u32>) -> ShareLimits {
    ShareLimits { tools: tools.map(|tools| tools.iter().map(|tool| tool.parse().unwrap()).collect()), slots }
}

/// A machine of user 1 with two tools and three slots, shared with user 2.
fn shared_machine(limits: ShareLimits, grants: Vec<ToolGrant>) -> WorkerProfile {
    let mut shared = profile(1);
    shared.operators = BTreeMap::from([(user(2), limits)]);
    shared.capabilities.tools = vec![tool("demo"), tool("ollama")];
    shared.capabilities.slots = 3;
    shared.capabilities.grants = grants;
    shared
}

fn wish(tool: &str) -> TaskSpec {
    TaskSpec { tool: Some(tool.parse().unwrap()), ..spec() }
}

/// How many of these tasks of user 2 are given out.
fn n_given(machine: WorkerProfile, wishes: &[TaskSpec]) -> usize {
    let mut world = World::with_workers([machine]);
    for wish in wishes {
        world.submit_for(user(2), wish.clone());
    }
    world.settle();
    world.assigned.len()
}

fn obstacle(machine: WorkerProfile, wish: TaskSpec) -> String {
    let mut world = World::with_workers([machine]);
    let number = world.submit_for(user(2), wish);
    let report = world.board.placement(number, |_| true, world.now).unwrap();
    report.candidates[0].obstacles.join("; ")
}

#[test]
fn a_tool_is_used_where_the_machine_grants_it_and_the_share_holds_it() {
    let both = || vec![grant("demo", Some(user(2)), None), grant("ollama", Some(user(2)), None)];
    let one = || vec![grant("demo", Some(user(2)), None)];
    for (limits, grants, demo, ollama) in [
        (limits(None, None), both(), 1, 1),
        (limits(Some(&["demo"]), None), both(), 1, 0),
        (limits(None, None), one(), 1, 0),
        (limits(Some(&["ollama"]), None), one(), 0, 0),
        (limits(None, None), vec![], 0, 0),
        (limits(None, None), vec![grant("ollama", None, None)], 0, 1),
        (limits(None, None), vec![grant("demo", Some(user(3)), None)], 0, 0),
    ] {
        let machine = shared_machine(limits, grants);
        assert_eq!(n_given(machine.clone(), &[wish("demo")]), demo, "demo on {machine:?}");
        assert_eq!(n_given(machine.clone(), &[wish("ollama")]), ollama, "ollama on {machine:?}");
    }
}

#[test]
fn a_prompt_without_a_wish_gets_a_tool_that_is_shared() {
    let machine = shared_machine(limits(None, None), vec![grant("demo", Some(user(2)), None)]);
    let mut world = World::with_workers([machine]);
    world.submit_for(user(2), spec());
    world.settle();
    let opened = world.written.iter().flat_map(|changes| &changes.opened).next().unwrap();
    assert_eq!(opened.tool.as_str(), "demo", "ollama would come first, and is not shared");
}

#[test]
fn slots_of_a_share_hold_and_the_owner_has_the_rest() {
    let granted = |slots| vec![grant("demo", Some(user(2)), slots)];
    let three = [wish("demo"), wish("demo"), wish("demo")];
    assert_eq!(n_given(shared_machine(limits(None, Some(1)), granted(None)), &three), 1);
    assert_eq!(n_given(shared_machine(limits(None, None), granted(Some(2))), &three), 2);
    assert_eq!(n_given(shared_machine(limits(None, Some(2)), granted(Some(1))), &three), 1);
    assert_eq!(n_given(shared_machine(limits(None, None), granted(None)), &three), 3);

    let mut world = World::with_workers([shared_machine(limits(None, Some(1)), granted(None))]);
    world.submit_for(user(2), wish("demo"));
    world.submit_for(user(2), wish("demo"));
    world.submit(wish("demo"));
    world.settle();
    assert_eq!(world.assigned.len(), 2, "one of theirs, and the owner's");
}

/// A grant bounds the runs of its tool, as the machine counts them; a share bounds all that a person runs there.
#[test]
fn a_grant_counts_its_tool_and_a_share_counts_its_person() {
    let one_each = || vec![grant("demo", Some(user(2)), Some(1)), grant("ollama", Some(user(2)), Some(1))];
    let wishes = [wish("demo"), wish("demo"), wish("ollama"), wish("ollama")];
    assert_eq!(n_given(shared_machine(limits(None, None), one_each()), &wishes), 2);
    assert_eq!(n_given(shared_machine(limits(None, Some(1)), one_each()), &wishes), 1);
}

#[test]
fn a_slot_that_comes_free_goes_to_the_next_of_that_share() {
    let mut world =
        World::with_workers([shared_machine(limits(None, Some(1)), vec![grant("demo", Some(user(2)), None)])]);
    world.submit_for(user(2), wish("demo"));
    world.submit_for(user(2), wish("demo"));
    world.settle();
    let (worker, attempt) = world.accept_last();
    assert_eq!(world.assigned.len(), 1);
    world.report(worker, attempt, done("ok"));
    world.settle();
    assert_eq!(world.assigned.len(), 2);
}

#[test]
fn what_is_no_longer_shared_is_taken_back() {
    let mut world = World::with_workers([shared_machine(limits(None, None), vec![grant("demo", Some(user(2)), None)])]);
    let number = world.submit_for(user(2), wish("demo"));
    world.settle();
    world.accept_last();
    world.board.set_people(worker(1), "attic".to_owned(), false, BTreeMap::new(), world.now);
    world.settle();
    assert_eq!(world.status(number), TaskStatus::Queued);
    assert_eq!(world.assigned.len(), 1, "it goes nowhere");
    world.board.set_people(
        worker(1),
        "attic".to_owned(),
        false,
        BTreeMap::from([(user(2), limits(None, None))]),
        world.now,
    );
    world.pass(Duration::from_secs(20));
    assert_eq!(world.assigned.len(), 2, "shared again, it goes there");
}

#[test]
fn placement_says_what_is_not_shared() {
    let one = || vec![grant("demo", Some(user(2)), None)];
    assert_eq!(
        obstacle(shared_machine(limits(None, None), one()), wish("ollama")),
        "its owner does not share ollama with this person"
    );
    assert_eq!(
        obstacle(shared_machine(limits(None, None), vec![]), spec()),
        "its owner shares no tool that takes prompts"
    );
    let mut world = World::with_workers([shared_machine(limits(None, Some(1)), one())]);
    world.submit_for(user(2), wish("demo"));
    let second = world.submit_for(user(2), wish("demo"));
    world.settle();
    let report = world.board.placement(second, |_| true, world.now).unwrap();
    assert_eq!(report.candidates[0].obstacles, ["the slots that its owner shares with this person are taken"]);
    let used_up = vec![grant("demo", Some(user(2)), Some(0)), grant("demo", None, None)];
    assert_eq!(
        obstacle(shared_machine(limits(None, None), used_up), wish("demo")),
        "what its owner shares with this person for a day is used up"
    );
}

/// A machine like the shared one, which can run commands and has proved this level.
fn isolating(level: Isolation) -> WorkerProfile {
    let mut machine =
        shared_machine(ShareLimits::default(), vec![grant("command", None, None), grant("demo", None, None)]);
    machine.capabilities.tools = vec![tool("demo"), tool("command")];
    machine.capabilities.isolation.level = level;
    machine
}

#[test]
fn programs_of_others_go_only_where_a_sandbox_is() {
    let too_low = "the machine offers isolation own, and sandbox is demanded";
    assert_eq!(n_given(isolating(Isolation::Own), &[wish("command"), wish("demo")]), 1);
    assert_eq!(obstacle(isolating(Isolation::Own), wish("command")), too_low);
    assert_eq!(n_given(isolating(Isolation::Sandbox), &[wish("command"), wish("demo")]), 2);
    // What is not shared at all is not said to be too open.
    let mut closed = isolating(Isolation::Own);
    closed.capabilities.grants.clear();
    assert_eq!(obstacle(closed, wish("command")), "its owner does not share command with this person");
}

#[test]
fn a_level_that_is_demanded_is_waited_for() {
    let mut demanding = wish("command");
    demanding.requirements.isolation = Some(Isolation::Container);
    let by_network = TaskSpec { network: Some(Vec::new()), ..wish("command") };
    let n_own = |level, wish: &TaskSpec| {
        let mut world = World::with_workers([isolating(level)]);
        world.submit_for(user(1), wish.clone());
        world.settle();
        world.assigned.len()
    };
    for (level, container, network) in
        [(Isolation::Own, 0, 0), (Isolation::Sandbox, 0, 1), (Isolation::Container, 1, 1)]
    {
        assert_eq!((n_own(level, &demanding), n_own(level, &by_network)), (container, network), "{level}");
        assert_eq!(n_own(level, &wish("command")), 1);
    }
    // A machine that proves more later gets what waited.
    let mut world = World::with_workers([isolating(Isolation::Own)]);
    world.submit_for(user(1), by_network);
    world.settle();
    assert!(world.assigned.is_empty());
    world.board.set_capabilities(worker(1), isolating(Isolation::Sandbox).capabilities, world.now);
    world.settle();
    assert_eq!(world.assigned.len(), 1);
    // A tool that only talks is in nobody's way.
    let talk = TaskSpec { network: Some(Vec::new()), ..wish("demo") };
    assert_eq!(n_own(Isolation::Own, &talk), 1);
}
