use std::fmt::Write as _;

use serde_json::json;

use super::*;
use crate::settings::Dollars;

const ANN: &str = "018f2d3a-0000-7000-8000-000000000001";
const BEN: &str = "018f2d3a-0000-7000-8000-000000000002";
const MIDNIGHT: Timestamp = Timestamp::from_micros(1_800_057_600_000_000);

fn assignment(tool: &str, user: &str, by_owner: bool) -> Assignment {
    serde_json::from_value(json!({
        "task_id": "018f2d3a-0000-7000-8000-000000000009",
        "number": 9,
        "attempt": 1,
        "user_id": user,
        "by_owner": by_owner,
        "tool": tool,
        "description": "",
        "input": { "kind": "prompt" },
    }))
    .unwrap()
}

fn tool(name: &str, health: ToolHealth, max_concurrent: Option<u32>) -> ToolInfo {
    ToolInfo { name: name.parse().unwrap(), version: None, health, models: Vec::new(), max_concurrent, account: None }
}

fn run(tool: &str, user: &str, by_owner: bool) -> Running {
    Running { tool: tool.parse().unwrap(), user_id: user.parse().unwrap(), by_owner }
}

fn grant(tool: &str, user: &str) -> Grant {
    Grant::new(tool.parse().unwrap(), user.parse().unwrap())
}

fn used(user: &str, tool: &str, runs: u32, cost_microusd: u64) -> DayUse {
    DayUse::from([((user.parse().unwrap(), tool.parse().unwrap()), Used { runs, cost_microusd })])
}

fn word(settings: &Settings, assignment: &Assignment, running: &[Running], used: &DayUse) -> &'static str {
    word_at(Isolation::Own, settings, assignment, running, used)
}

fn word_at(
    offered: Isolation,
    settings: &Settings,
    assignment: &Assignment,
    running: &[Running],
    used: &DayUse,
) -> &'static str {
    let tools = [
        tool("command", ToolHealth::Ready, None),
        tool("demo", ToolHealth::Ready, Some(2)),
        tool("ollama", ToolHealth::Missing { fix: "install it".to_owned() }, None),
        tool("claude-code", ToolHealth::NeedsLogin { fix: "sign in".to_owned() }, None),
    ];
    let situation = Situation {
        settings,
        tools: &tools,
        draining: false,
        running,
        used,
        day_ends: MIDNIGHT,
        isolation: offered,
        free_disk: Some(2 * 1024 * 1024 * 1024),
        is_over_quota: false,
    };
    decide(assignment, &situation).err().map_or("taken", |reason| reason.as_str())
}

fn check(change: impl FnOnce(&mut Settings), tool_name: &str, running: &[&str]) -> &'static str {
    let mut settings = Settings { slots: Some(2), ..Settings::default() };
    change(&mut settings);
    let running: Vec<_> = running.iter().map(|name| run(name, ANN, true)).collect();
    word(&settings, &assignment(tool_name, ANN, true), &running, &DayUse::new())
}

fn with_command(settings: &mut Settings) {
    settings.enable("command".parse().unwrap(), true);
}

#[test]
fn the_owner_may_use_what_is_switched_on_and_there() {
    assert_eq!(check(|_| (), "demo", &[]), "taken");
    assert_eq!(check(|_| (), "command", &[]), "tool_not_allowed");
    assert_eq!(check(with_command, "command", &[]), "taken");
    assert_eq!(check(|_| (), "ollama", &[]), "tool_missing");
    assert_eq!(check(|_| (), "claude-code", &[]), "tool_needs_login");
    assert_eq!(check(|_| (), "codex", &[]), "tool_missing");
}

#[test]
fn slots_and_pauses_and_the_disk_hold() {
    assert_eq!(check(with_command, "command", &["demo"]), "taken");
    assert_eq!(check(with_command, "command", &["demo", "command"]), "no_free_slot");
    assert_eq!(check(|settings| settings.slots = Some(9), "demo", &["demo", "demo"]), "no_free_slot");
    assert_eq!(check(|settings| settings.paused = true, "demo", &[]), "paused_by_owner");
    assert_eq!(check(|settings| settings.min_free_disk_mb = 4096, "demo", &[]), "disk_full");
}

#[test]
fn a_level_is_had_or_refused_and_never_lowered() {
    let mut settings = Settings { grants: vec![grant("command", ANN), grant("demo", ANN)], ..Settings::default() };
    with_command(&mut settings);
    let check = |settings: &Settings, tool: &str, by_owner, isolation, network: Option<&[&str]>| {
        let network = network.map(|hosts| hosts.iter().map(|host| (*host).to_owned()).collect());
        let asked = Assignment { isolation, network, ..assignment(tool, ANN, by_owner) };
        let level = isolation_of(&asked, settings);
        let is_taken = |offered| word_at(offered, settings, &asked, &[], &DayUse::new()) == "taken";
        let highest = Isolation::ALL.into_iter().find(|offered| is_taken(*offered));
        assert_eq!(highest, Some(level), "{asked:?}");
        level
    };
    assert_eq!(check(&settings, "command", true, None, None), Isolation::Own);
    assert_eq!(check(&settings, "command", true, Some(Isolation::Sandbox), None), Isolation::Sandbox);
    assert_eq!(check(&settings, "command", true, None, Some(&[])), Isolation::Sandbox);
    assert_eq!(check(&settings, "command", false, Some(Isolation::Own), None), Isolation::Sandbox);
    assert_eq!(check(&settings, "command", false, Some(Isolation::Container), None), Isolation::Container);
    // What only talks runs nothing.
    assert_eq!(check(&settings, "demo", false, Some(Isolation::Container), Some(&[])), Isolation::None);
    settings.isolation = Some(Isolation::Sandbox);
    assert_eq!(check(&settings, "command", true, Some(Isolation::Own), None), Isolation::Sandbox);
    assert_eq!(check(&settings, "demo", true, None, None), Isolation::None);
}

/// Who asks for which tool, in which situation, and what is said. Written out, so that a change is seen.
#[test]
fn who_may_run_what() {
    let plain = |user: &str| ["demo", "command", "ollama", "claude-code"].map(|tool| grant(tool, user)).to_vec();
    let one_slot = Grant { slots: Some(1), ..grant("demo", ANN) };
    let three_runs = Grant { runs_per_day: Some(3), ..grant("demo", ANN) };
    let a_dollar = Grant { cost_per_day_usd: Some(Dollars::from_micros(1_000_000)), ..grant("demo", "everyone") };
    let (none, anns) = (DayUse::new(), [run("demo", ANN, false)]);
    let situations: [(&str, Vec<Grant>, &[Running], DayUse); 11] = [
        ("nothing granted", Vec::new(), &[], none.clone()),
        ("granted to ann", plain(ANN), &[], none.clone()),
        ("granted to everyone", plain("everyone"), &[], none.clone()),
        ("one slot", vec![one_slot.clone()], &[], none.clone()),
        ("one slot, taken", vec![one_slot.clone()], &anns, none.clone()),
        ("one slot, taken; everyone", vec![one_slot, grant("demo", "everyone")], &anns, none.clone()),
        ("three runs, two used", vec![three_runs.clone()], &[], used(ANN, "demo", 2, 0)),
        ("three runs, three used", vec![three_runs.clone()], &[], used(ANN, "demo", 3, 0)),
        ("three runs, used; everyone", vec![three_runs, grant("demo", "everyone")], &[], used(ANN, "demo", 3, 0)),
        ("everyone a dollar, ann spent less", vec![a_dollar.clone()], &[], used(ANN, "demo", 9, 999_999)),
        ("everyone a dollar, ann spent it", vec![a_dollar], &[], used(ANN, "demo", 9, 1_000_000)),
    ];
    let mut table = String::new();
    for (name, grants, running, used) in situations {
        let mut settings = Settings { slots: Some(4), grants, ..Settings::default() };
        with_command(&mut settings);
        writeln!(table, "{name}").unwrap();
        for (who, user, by_owner) in [("owner", BEN, true), ("ann", ANN, false), ("ben", BEN, false)] {
            let words = ["demo", "command", "ollama", "claude-code"]
                .map(|tool| word(&settings, &assignment(tool, user, by_owner), running, &used));
            writeln!(table, "  {who}: {}", words.join(", ")).unwrap();
        }
    }
    assert_eq!(table, WHO_MAY_RUN_WHAT);
}

/// Tools: demo, command, ollama (missing), claude-code (needs login).
const WHO_MAY_RUN_WHAT: &str = "\
nothing granted
  owner: taken, taken, tool_missing, tool_needs_login
  ann: tool_not_allowed, tool_not_allowed, tool_not_allowed, tool_not_allowed
  ben: tool_not_allowed, tool_not_allowed, tool_not_allowed, tool_not_allowed
granted to ann
  owner: taken, taken, tool_missing, tool_needs_login
  ann: taken, isolation_too_low, tool_missing, isolation_too_low
  ben: tool_not_allowed, tool_not_allowed, tool_not_allowed, tool_not_allowed
granted to everyone
  owner: taken, taken, tool_missing, tool_needs_login
  ann: taken, isolation_too_low, tool_missing, isolation_too_low
  ben: taken, isolation_too_low, tool_missing, isolation_too_low
one slot
  owner: taken, taken, tool_missing, tool_needs_login
  ann: taken, tool_not_allowed, tool_not_allowed, tool_not_allowed
  ben: tool_not_allowed, tool_not_allowed, tool_not_allowed, tool_not_allowed
one slot, taken
  owner: taken, taken, tool_missing, tool_needs_login
  ann: share_slots_taken, tool_not_allowed, tool_not_allowed, tool_not_allowed
  ben: tool_not_allowed, tool_not_allowed, tool_not_allowed, tool_not_allowed
one slot, taken; everyone
  owner: taken, taken, tool_missing, tool_needs_login
  ann: share_slots_taken, tool_not_allowed, tool_not_allowed, tool_not_allowed
  ben: taken, tool_not_allowed, tool_not_allowed, tool_not_allowed
three runs, two used
  owner: taken, taken, tool_missing, tool_needs_login
  ann: taken, tool_not_allowed, tool_not_allowed, tool_not_allowed
  ben: tool_not_allowed, tool_not_allowed, tool_not_allowed, tool_not_allowed
three runs, three used
  owner: taken, taken, tool_missing, tool_needs_login
  ann: share_used_up, tool_not_allowed, tool_not_allowed, tool_not_allowed
  ben: tool_not_allowed, tool_not_allowed, tool_not_allowed, tool_not_allowed
three runs, used; everyone
  owner: taken, taken, tool_missing, tool_needs_login
  ann: share_used_up, tool_not_allowed, tool_not_allowed, tool_not_allowed
  ben: taken, tool_not_allowed, tool_not_allowed, tool_not_allowed
everyone a dollar, ann spent less
  owner: taken, taken, tool_missing, tool_needs_login
  ann: taken, tool_not_allowed, tool_not_allowed, tool_not_allowed
  ben: taken, tool_not_allowed, tool_not_allowed, tool_not_allowed
everyone a dollar, ann spent it
  owner: taken, taken, tool_missing, tool_needs_login
  ann: share_used_up, tool_not_allowed, tool_not_allowed, tool_not_allowed
  ben: taken, tool_not_allowed, tool_not_allowed, tool_not_allowed
";

#[test]
fn what_is_used_up_is_offered_with_no_slot() {
    let offers = |grants: Vec<Grant>, used: &DayUse| {
        let settings = Settings { grants, ..Settings::default() };
        let words: Vec<_> = offered(&settings, used)
            .into_iter()
            .map(|offer| {
                let who = match offer.user_id.map(|user| user.to_string()).as_deref() {
                    Some(ANN) => "ann",
                    Some(BEN) => "ben",
                    Some(_) => "somebody",
                    None => "everyone",
                };
                format!("{who}:{}", offer.slots.map_or("all".to_owned(), |slots| slots.to_string()))
            })
            .collect();
        words.join(" ")
    };
    let two_runs = |user: &str| Grant { runs_per_day: Some(2), slots: Some(1), ..grant("demo", user) };
    assert_eq!(offers(vec![two_runs(ANN)], &DayUse::new()), "ann:1");
    assert_eq!(offers(vec![two_runs(ANN)], &used(ANN, "demo", 2, 0)), "ann:0");
    assert_eq!(offers(vec![two_runs(ANN)], &used(ANN, "ollama", 2, 0)), "ann:1", "another tool");
    assert_eq!(offers(vec![two_runs("everyone")], &used(ANN, "demo", 1, 0)), "everyone:1");
    assert_eq!(offers(vec![two_runs("everyone")], &used(ANN, "demo", 2, 0)), "everyone:1 ann:0");
    let both = vec![two_runs(ANN), grant("demo", "everyone")];
    assert_eq!(offers(both.clone(), &used(ANN, "demo", 2, 0)), "ann:0 everyone:all");
    assert_eq!(offers(both, &used(BEN, "demo", 2, 0)), "ann:1 everyone:all");
}
