use std::collections::BTreeSet;
use std::sync::atomic::AtomicI64;
use std::time::Duration;

use swarm_model::change::{AttemptStatus, Changes, LateResult};
use swarm_model::day::Day;
use swarm_model::task::{CostKind, Outcome, RunRecord, TaskResult, Usage};
use swarm_model::usage::{UsageBy, UsageSums};
use swarm_model::{TaskNumber, WorkerId};

use super::HasTasks;
use crate::task::TaskStore;
use crate::tests::story::{START, Story, entry, task_id, together, user, worker};
use crate::usage::{UsageFilter, UsageRow, UsageScope};

const DAY: Duration = Duration::from_hours(24);

/// All days, in one sum.
fn all() -> UsageFilter {
    UsageFilter::of_days(Day::of(START).minus(1_000), Day::of(START + DAY * 1_000))
}

fn by(by: &[UsageBy]) -> UsageFilter {
    UsageFilter { by: by.iter().copied().collect(), ..all() }
}

async fn total(store: &dyn TaskStore) -> UsageSums {
    match store.usage(&all()).await.unwrap().as_slice() {
        [] => UsageSums::default(),
        [row] => row.sums,
        rows => panic!("one sum was asked for: {rows:?}"),
    }
}

fn record(model: &str, tokens: u64, cost: u64) -> RunRecord {
    let usage = Usage {
        input_tokens: Some(tokens),
        output_tokens: Some(tokens / 2),
        reasoning_tokens: Some(1),
        cost_microusd: Some(cost),
        cost_kind: CostKind::Reported,
        ..Usage::default()
    };
    RunRecord { model: Some(model.to_owned()), duration_ms: Some(1_500), usage, ..RunRecord::default() }
}

/// A task that runs on a worker until it ends with these facts.
async fn ran(store: &dyn TaskStore, mut story: Story<'_>, on: WorkerId, status: AttemptStatus, record: &RunRecord) {
    for changes in [story.submit(), story.assign(on), story.run(), story.end(status, Some(record))] {
        store.commit(&changes).await.unwrap();
    }
}

/// A task whose worker vanished with it.
async fn lost(store: &dyn TaskStore, mut story: Story<'_>) {
    for changes in [story.submit(), story.assign(worker(1)), story.run(), story.lose()] {
        store.commit(&changes).await.unwrap();
    }
}

fn late(number: i64, attempt: u32, record: &RunRecord) -> LateResult {
    let outcome = Outcome::Completed { result: TaskResult::default() };
    LateResult { task_id: task_id(number), attempt, worker_id: worker(1), outcome, record: record.clone() }
}

async fn comes_late(store: &dyn TaskStore, late: Vec<LateResult>) {
    store.commit(&Changes { late, ..Changes::default() }).await.unwrap();
}

pub(crate) async fn a_run_is_in_the_sums_of_its_day(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    assert_eq!(store.usage(&by(&UsageBy::ALL)).await.unwrap(), []);
    let story = Story::new(1, &events).with_tool("claude-code");
    ran(store, story, worker(1), AttemptStatus::Completed, &record("m1", 10, 500)).await;
    let again = Story::new(2, &events).with_tool("claude-code");
    ran(store, again, worker(1), AttemptStatus::Failed, &record("m1", 20, 300)).await;
    let rows = store.usage(&by(&UsageBy::ALL)).await.unwrap();
    let sums = UsageSums {
        runs: 2,
        completed_runs: 1,
        run_ms: 3_000,
        input_tokens: 30,
        output_tokens: 15,
        reasoning_tokens: 2,
        reported_runs: 2,
        reported_microusd: 800,
        ..UsageSums::default()
    };
    let expected = UsageRow {
        day: Some(Day::of(START)),
        user_id: Some(user(1)),
        username: None,
        worker_id: Some(worker(1)),
        machine_name: None,
        tool: Some("claude-code".parse().unwrap()),
        model: Some("m1".to_owned()),
        sums,
    };
    assert_eq!(rows, [expected]);
}

/// Runs of two people on two workers, with two tools, on three days.
async fn a_busy_week(store: &dyn TaskStore, events: &AtomicI64) {
    let mut number = 0;
    for day in 0..3_u32 {
        for (person, on, tool) in [(1, 1, "claude-code"), (1, 2, "ollama"), (2, 1, "ollama"), (2, 2, "command")] {
            number += 1;
            let story = Story::new(number, events).of(user(person)).with_tool(tool).at(START + DAY * day);
            let model = if day == 0 { "m1" } else { "m2" };
            let cost = u64::from(day) * 100 + person as u64;
            ran(store, story, worker(on), AttemptStatus::Completed, &record(model, 10, cost)).await;
        }
    }
}

pub(crate) async fn sums_are_told_apart_by_whatever_is_asked(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    a_busy_week(store, &events).await;
    let runs = async |filter: &UsageFilter| -> Vec<i64> {
        store.usage(filter).await.unwrap().iter().map(|row| row.sums.runs).collect()
    };
    assert_eq!(runs(&all()).await, [12]);
    assert_eq!(runs(&by(&[UsageBy::Day])).await, [4, 4, 4]);
    assert_eq!(runs(&by(&[UsageBy::User, UsageBy::Worker])).await, [3, 3, 3, 3]);
    assert_eq!(runs(&by(&[UsageBy::Tool])).await, [3, 3, 6]);
    assert_eq!(runs(&by(&[UsageBy::Model])).await, [4, 8]);
    assert_eq!(runs(&by(&UsageBy::ALL)).await.len(), 12);

    let days = store.usage(&by(&[UsageBy::Day])).await.unwrap();
    let days: Vec<_> = days.into_iter().map(|row| row.day.unwrap()).collect();
    assert_eq!(days, [0, 1, 2].map(|n| Day::of(START + DAY * n)));
    let one_day = UsageFilter { from: days[1], to: days[1], ..all() };
    assert_eq!(runs(&one_day).await, [4]);
    assert_eq!(runs(&UsageFilter { user: Some(user(2)), ..all() }).await, [6]);
    assert_eq!(runs(&UsageFilter { worker: Some(worker(2)), user: Some(user(2)), ..all() }).await, [3]);
    assert_eq!(runs(&UsageFilter { tool: Some("ollama".parse().unwrap()), ..all() }).await, [6]);
    assert_eq!(runs(&UsageFilter { model: Some("m1".to_owned()), ..all() }).await, [4]);
    assert_eq!(runs(&UsageFilter { user: Some(user(9)), ..all() }).await, [0; 0]);
    assert_eq!(runs(&UsageFilter { limit: 2, ..by(&[UsageBy::Day]) }).await.len(), 2);
}

pub(crate) async fn the_parts_of_a_sum_are_the_sum(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    a_busy_week(store, &events).await;
    lost(store, Story::new(100, &events).with_tool("codex").at(START + DAY)).await;
    comes_late(store, vec![late(100, 1, &record("m9", 7, 70))]).await;
    let whole = total(store).await;
    assert_eq!(whole.runs, 13);
    for ways in 0..32_u32 {
        let chosen = UsageBy::ALL.into_iter().enumerate().filter(|(n, _)| ways & (1 << n) != 0).map(|(_, by)| by);
        let filter = UsageFilter { by: chosen.collect::<BTreeSet<_>>(), ..all() };
        let mut sum = UsageSums::default();
        for row in store.usage(&filter).await.unwrap() {
            sum += row.sums;
        }
        assert_eq!(sum, whole, "{:?}", filter.by);
    }
}

pub(crate) async fn a_commit_that_is_undone_adds_nothing(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    let mut story = Story::new(1, &events);
    for changes in [story.submit(), story.assign(worker(1)), story.run()] {
        store.commit(&changes).await.unwrap();
    }
    let mut stale = story.clone();
    store.commit(&story.say(0, &["this one counts"])).await.unwrap();
    store.commit(&stale.complete("decided on old knowledge")).await.unwrap_err();
    assert_eq!(total(store).await, UsageSums::default());
    // As after a crash: the worker says it again, and it counts once, however often it is said.
    let ending = story.complete("done");
    store.commit(&ending).await.unwrap();
    store.commit(&ending).await.unwrap_err();
    assert_eq!(total(store).await.runs, 1);
}

pub(crate) async fn a_late_result_puts_the_sums_right_once(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    lost(store, Story::new(1, &events).with_tool("claude-code")).await;
    let before = total(store).await;
    assert_eq!((before.runs, before.unknown_cost_runs, before.unknown_token_runs), (1, 1, 1));

    let told = record("m1", 10, 500);
    comes_late(store, vec![LateResult { worker_id: worker(2), ..late(1, 1, &told) }]).await;
    assert_eq!(total(store).await, before, "of another worker");
    for _ in 0..2 {
        comes_late(store, vec![late(1, 1, &told)]).await;
        let after = total(store).await;
        assert_eq!((after.runs, after.completed_runs), (1, 0), "it is one run still");
        assert_eq!((after.unknown_cost_runs, after.reported_microusd, after.input_tokens), (0, 500, 10));
    }
    // It was counted under the model that was wished for, and is under the one that answered.
    let models = store.usage(&by(&[UsageBy::Model])).await.unwrap();
    assert_eq!(models.iter().map(|row| row.model.as_deref()).collect::<Vec<_>>(), [Some("m1")]);
    let attempt = store.attempts(TaskNumber(1)).await.unwrap().remove(0);
    assert_eq!(attempt.record, Some(told), "the attempt tells what the sums do");
}

pub(crate) async fn a_late_result_of_a_run_that_nobody_counted_is_one(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    // Taken back before the worker answered; but it had begun.
    let mut story = Story::new(1, &events);
    for changes in [story.submit(), story.assign(worker(1)), story.lose()] {
        store.commit(&changes).await.unwrap();
    }
    assert_eq!(total(store).await, UsageSums::default());
    comes_late(store, vec![late(1, 1, &record("m1", 10, 500))]).await;
    assert_eq!((total(store).await.runs, total(store).await.reported_microusd), (1, 500));

    // Ended by the coordinator at its limit, and told by the machine afterwards.
    let mut story = Story::new(2, &events);
    for changes in [story.submit(), story.assign(worker(1)), story.run(), story.end(AttemptStatus::Failed, None)] {
        store.commit(&changes).await.unwrap();
    }
    assert_eq!(total(store).await.unknown_cost_runs, 1);
    comes_late(store, vec![late(2, 1, &record("m1", 10, 500))]).await;
    assert_eq!((total(store).await.runs, total(store).await.unknown_cost_runs), (2, 0));
}

pub(crate) async fn a_repeat_of_what_is_known_adds_nothing(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    let told = record("m1", 10, 500);
    let endings = [AttemptStatus::Completed, AttemptStatus::Failed, AttemptStatus::Cancelled];
    for (number, status) in (1_i64..).zip(endings) {
        ran(store, Story::new(number, &events), worker(1), status, &told).await;
        let before = total(store).await;
        // The worker did not hear that it was taken, and says it again.
        comes_late(store, vec![late(number, 1, &told), late(number, 1, &told)]).await;
        assert_eq!(total(store).await, before, "{status:?}");
    }
    assert_eq!(total(store).await.runs, 3);
}

pub(crate) async fn of_several_late_results_the_first_one_counts(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    lost(store, Story::new(1, &events)).await;
    lost(store, Story::new(2, &events)).await;
    let (first, second) = (record("m1", 10, 500), record("m2", 99, 999));
    comes_late(store, vec![late(1, 1, &first), late(1, 1, &second), late(2, 1, &second), late(3, 1, &second)]).await;
    let sums = total(store).await;
    assert_eq!((sums.runs, sums.reported_microusd, sums.input_tokens), (2, 1_499, 109));
    assert_eq!(store.attempts(TaskNumber(1)).await.unwrap()[0].late.as_ref().unwrap().record, first);
}

pub(crate) async fn what_is_deleted_stays_in_the_sums(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    let mut story = Story::new(1, &events);
    for changes in [story.submit(), story.assign(worker(1)), story.run(), story.complete("done")] {
        store.commit(&changes).await.unwrap();
    }
    let before = total(store).await;
    store.delete_task(TaskNumber(1), story.row.version, &entry("task_deleted")).await.unwrap();
    assert_eq!((total(store).await, before.runs), (before, 1));
    // Of what is gone nothing more can be learnt.
    comes_late(store, vec![late(1, 1, &record("m1", 10, 500))]).await;
    assert_eq!(total(store).await, before);
}

pub(crate) async fn everybody_sees_their_own_and_owners_what_ran_on_theirs(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    a_busy_week(store, &events).await;
    let seen = async |person: u128, workers: &[u128]| {
        let workers = workers.iter().map(|n| worker(*n)).collect();
        let filter = UsageFilter { scope: UsageScope::Of { user: user(person), workers }, ..all() };
        store.usage(&filter).await.unwrap().first().map_or(0, |row| row.sums.runs)
    };
    assert_eq!(seen(1, &[]).await, 6);
    assert_eq!(seen(1, &[1]).await, 9, "what is both is counted once");
    assert_eq!(seen(3, &[2]).await, 6);
    assert_eq!(seen(3, &[]).await, 0);
}

/// What workers and people tell must not end a commit, now or later.
pub(crate) async fn what_others_make_up_is_counted_and_breaks_nothing(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    let models = ["a\0b", "a\u{fffd}b", "'; DROP TABLE daily_usage; --", "\u{202e}🌍", &"x".repeat(10_000), ""];
    let mut stories: Vec<Story<'_>> = (1..=models.len() as i64).map(|number| Story::new(number, &events)).collect();
    let mut together_all = |step: &mut dyn FnMut(&mut Story<'_>, usize) -> Changes| {
        together(stories.iter_mut().enumerate().map(|(n, story)| step(story, n)))
    };
    store.commit(&together_all(&mut |story, _| story.submit())).await.unwrap();
    store.commit(&together_all(&mut |story, _| story.assign(worker(1)))).await.unwrap();
    store.commit(&together_all(&mut |story, _| story.run())).await.unwrap();
    let ending =
        together_all(&mut |story, n| story.end(AttemptStatus::Completed, Some(&record(models[n], u64::MAX, u64::MAX))));
    store.commit(&ending).await.unwrap();
    let sums = total(store).await;
    assert_eq!(sums.runs, models.len() as i64);
    assert!(sums.values().iter().all(|sum| *sum >= 0), "{sums:?}");
    let named = store.usage(&by(&[UsageBy::Model])).await.unwrap();
    assert_eq!(named.len(), models.len() - 1, "two of them are one");
}

/// Takes a store back to version 2, as far as sums ask.
pub(crate) const BACK_TO_VERSION_2: &str = "DROP TABLE daily_usage; DROP TABLE account_limits; \
    DROP TABLE budgets; DROP TABLE user_settings; ALTER TABLE tasks DROP COLUMN course; \
    UPDATE attempts SET record = NULL WHERE late IS NOT NULL; \
    DELETE FROM schema_history WHERE version > 2";

/// Everything that can become of attempts, and sums told apart by everything.
pub(crate) async fn an_eventful_history(store: &dyn TaskStore) -> Vec<UsageRow> {
    let events = AtomicI64::new(0);
    let plain = |usage: Usage| RunRecord { usage, ..RunRecord::default() };
    let told = |cost_kind, cost_microusd| {
        plain(Usage { input_tokens: Some(5), cache_read_tokens: Some(2), cost_kind, cost_microusd, ..Usage::default() })
    };
    let huge = Usage { output_tokens: Some(u64::MAX), cost_microusd: Some(u64::MAX), ..Usage::default() };
    let records = [
        record("m1", 10, 500),
        told(CostKind::Priced, Some(3)),
        told(CostKind::Reported, None),
        told(CostKind::None, None),
        told(CostKind::Unknown, Some(77)),
        RunRecord::default(),
        plain(Usage { cost_kind: CostKind::Reported, ..huge }),
        RunRecord {
            model: Some(" \"quoted\" ".to_owned()),
            session: Some("nul \0 \\u0000".to_owned()),
            ..told(CostKind::None, None)
        },
        RunRecord { model: Some("x".repeat(300)), duration_ms: Some(u64::MAX), ..RunRecord::default() },
    ];
    let records = records.map(|record| RunRecord { usage: Usage { reasoning_tokens: None, ..record.usage }, ..record });
    let mut number = 0;
    for (n, record) in (0_u32..).zip(&records) {
        for (tool, status) in [
            ("claude-code", AttemptStatus::Completed),
            ("command", AttemptStatus::Failed),
            ("codex", AttemptStatus::Cancelled),
        ] {
            number += 1;
            let story = Story::new(number, &events).with_tool(tool).at(START + DAY * (n % 2));
            ran(store, story, worker(u128::from(n % 3)), status, record).await;
        }
    }
    for (status, begins) in [
        (AttemptStatus::Failed, true),
        (AttemptStatus::Lost, true),
        (AttemptStatus::Lost, false),
        (AttemptStatus::Refused, true),
        (AttemptStatus::Cancelled, false),
    ] {
        for tool in ["claude-code", "command"] {
            number += 1;
            let mut story = Story::new(number, &events).with_tool(tool);
            store.commit(&story.submit()).await.unwrap();
            store.commit(&story.assign(worker(1))).await.unwrap();
            if begins {
                store.commit(&story.run()).await.unwrap();
            }
            story.later(START + Duration::from_millis(2_345));
            store.commit(&story.end(status, None)).await.unwrap();
            if status == AttemptStatus::Lost && tool == "claude-code" {
                let outcome = Outcome::Failed {
                    class: swarm_model::FailureClass::Server,
                    error: "nul \0".to_owned(),
                    resets_at: None,
                    partial: None,
                };
                comes_late(store, vec![LateResult { outcome, ..late(number, 1, &records[0]) }]).await;
            }
        }
    }
    // One runs still, and counts when it ends.
    let mut open = Story::new(number + 1, &events);
    for changes in [open.submit(), open.assign(worker(1)), open.run()] {
        store.commit(&changes).await.unwrap();
    }
    store.usage(&by(&UsageBy::ALL)).await.unwrap()
}

/// The sums of a store that was brought up from version 2.
pub(crate) async fn by_everything(store: &dyn TaskStore) -> Vec<UsageRow> {
    store.usage(&by(&UsageBy::ALL)).await.unwrap()
}
