use std::sync::atomic::AtomicI64;

use swarm_model::change::{
    AccountLimit, AttemptStatus, Changes, EventKind, EventRecord, LateResult, LimitChange, TaskRow, UpdateTask,
};
use swarm_model::course::{Course, Resume, Short, Spent, Try};
use swarm_model::invariants::check_tasks;
use swarm_model::task::{
    CostKind, Limits, OnLoss, Outcome, Priority, Queue, Repository, Requirements, RetryPolicy, RunRecord, TaskInput,
    TaskResult, WaitReason,
};
use swarm_model::tool::Account;
use swarm_model::{
    EventId, FailureClass, Isolation, Role, RunId, TaskNumber, TaskRef, TaskStatus, Timestamp, UserId, WorkflowId,
};

use super::HasTasks;
use crate::error::{Conflict, StoreError};
use crate::task::{EventScope, StoredTask, TaskFilter, TaskStore};
use crate::tests::story::{START, Story, demo, entry, task_id, together, user, uuid, worker};

async fn stored(store: &dyn TaskStore, number: i64) -> StoredTask {
    store.task(TaskRef::Number(TaskNumber(number))).await.unwrap().unwrap()
}

fn conflict(result: Result<(), StoreError>) -> Conflict {
    match result {
        Err(StoreError::Conflict(conflict)) => conflict,
        other => panic!("a conflict was due, and there was {other:?}"),
    }
}

fn all() -> TaskFilter {
    TaskFilter { limit: 100, ..TaskFilter::default() }
}

async fn numbers(store: &dyn TaskStore, filter: TaskFilter) -> Vec<i64> {
    store.list(&filter).await.unwrap().iter().map(|task| task.head.number.0).collect()
}

pub(crate) async fn everything_about_a_task_comes_back(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    let mut story = Story::new(1, &events).keyed("once");
    for changes in
        [story.submit(), story.assign(worker(1)), story.run(), story.say(0, &["hello"]), story.complete("done")]
    {
        store.commit(&changes).await.unwrap();
    }
    let task = stored(store, 1).await;
    assert_eq!((&task.head, &task.row), (&story.head, &story.row));
    let result = task.result.clone().unwrap();
    assert_eq!((result.text.as_str(), result.usage.cost_kind), ("done", CostKind::None));
    assert_eq!(store.task(TaskRef::Id(task_id(1))).await.unwrap(), Some(task.clone()));
    assert_eq!(store.task(TaskRef::Number(TaskNumber(2))).await.unwrap(), None);
    assert_eq!(store.task(TaskRef::Id(task_id(2))).await.unwrap(), None);
    assert_eq!(
        store.tasks_by_key(&[(user(1), "once".to_owned()), (user(2), "once".to_owned())]).await.unwrap(),
        [task]
    );
    assert_eq!(store.tasks_by_key(&[]).await.unwrap(), []);

    let attempts = store.attempts(TaskNumber(1)).await.unwrap();
    let [attempt] = attempts.as_slice() else { panic!("{attempts:?}") };
    assert_eq!((attempt.attempt, attempt.worker_id, attempt.status), (1, worker(1), AttemptStatus::Completed));
    assert_eq!((attempt.started_at, attempt.ended_at), (Some(START), Some(START)));
    assert_eq!((&attempt.tool, attempt.model.as_deref()), (&demo(), Some("small")));
    assert_eq!(attempt.record.as_ref().unwrap().duration_ms, Some(7));

    let events = store.events_after(EventId(0), &EventScope::All, 10).await.unwrap();
    let kinds: Vec<EventKind> = events.iter().map(|event| event.kind).collect();
    assert_eq!(
        kinds,
        [EventKind::TaskQueued, EventKind::TaskAssigned, EventKind::TaskRunning, EventKind::TaskCompleted]
    );
    let counters = store.counters().await.unwrap();
    assert_eq!((counters.last_number, counters.last_event), (TaskNumber(1), EventId(4)));
}

pub(crate) async fn every_field_survives(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    let mut story = Story::new(7, &events);
    let head = &mut story.head;
    head.workflow_id = Some(WorkflowId::from_uuid(uuid(4, 1)));
    head.run_id = Some(RunId::from_uuid(uuid(5, 1)));
    head.node = Some("build".to_owned());
    head.retry_of = Some(task_id(3));
    head.traceparent = Some("00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01".to_owned());
    head.spec.input = TaskInput::Command {
        argv: vec!["sh".to_owned(), "-c".to_owned(), "echo \"$X\"".to_owned()],
        stdin: Some("in\n".to_owned()),
        env: [("X".to_owned(), "1".to_owned())].into(),
    };
    head.spec.tool = None;
    head.spec.model = Some("large".to_owned());
    head.spec.queue = Queue::Worker { worker_id: worker(9) };
    head.spec.priority = Priority::new(9).unwrap();
    head.spec.requirements = Requirements {
        memory_mb: 512,
        os: Some("linux".to_owned()),
        labels: [("gpu".to_owned(), "1".to_owned())].into(),
        isolation: Some(Isolation::Sandbox),
    };
    head.spec.role = Some(Role::Reviewer);
    head.spec.cascade = vec!["codex".parse().unwrap(), "ollama:qwen3:8b".parse().unwrap()];
    head.spec.repository =
        Some(Repository { url: "https://example.org/a.git".to_owned(), base: Some("main".to_owned()) });
    head.spec.network = Some(vec!["example.org".to_owned()]);
    head.spec.limits = Limits {
        wall_clock_ms: Some(5),
        tokens: Some(u64::from(u32::MAX) * 9),
        models: vec!["small".to_owned()],
        ..Limits::default()
    };
    head.spec.retry = RetryPolicy { max_attempts: 9, backoff_ms: 1, max_backoff_ms: 2 };
    head.spec.on_loss = OnLoss::Fail;
    store.commit(&story.submit()).await.unwrap();
    assert_eq!(stored(store, 7).await.head, story.head);

    let row = TaskRow {
        version: 2,
        status: TaskStatus::Waiting,
        worker_id: Some(worker(3)),
        attempt: 4,
        failures: 3,
        losses: 2,
        ready_at: Timestamp::from_micros(-1),
        started_at: Some(Timestamp::from_micros(1)),
        completed_at: Some(Timestamp::FAR_FUTURE),
        progress: Some(100),
        wait_reason: Some(WaitReason::Quota),
        wait_until: Some(START),
        cancel_requested_at: Some(START),
        failure_class: Some(FailureClass::ContextOverflow),
        error: Some("too long".to_owned()),
        log_seq: u64::from(u32::MAX) + 1,
        course: Some(Box::new(Course {
            entry: 1,
            tries: vec![Try {
                tool: demo(),
                model: Some("large".to_owned()),
                attempt: Some(3),
                class: Some(FailureClass::Server),
                error: "it is down".to_owned(),
            }],
            used: Spent { tokens: 7, cost_microusd: u64::from(u32::MAX) * 2 },
            resume: Some(Resume { worker_id: worker(3), tool: demo(), session: Some("s-1".to_owned()) }),
            short: Some(Short { budget_id: None, stopped_at: Some(9), sentence: "used 7 of 7 tokens".to_owned() }),
        })),
    };
    let update = UpdateTask { number: TaskNumber(7), row: row.clone(), result: None, spec: None };
    store.commit(&Changes { updates: vec![update], ..Changes::default() }).await.unwrap();
    assert_eq!(stored(store, 7).await.row, row);

    // What is absent in a later write is absent afterwards.
    let row = TaskRow { version: 3, ..Story::new(7, &events).row };
    let update = UpdateTask { number: TaskNumber(7), row: row.clone(), result: None, spec: None };
    store.commit(&Changes { updates: vec![update], ..Changes::default() }).await.unwrap();
    assert_eq!(stored(store, 7).await.row, row);
}

pub(crate) async fn a_stale_version_undoes_the_whole_commit(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    let (mut first, mut second) = (Story::new(1, &events), Story::new(2, &events));
    let third = Story::new(3, &events);
    store.commit(&together([first.submit(), second.submit()])).await.unwrap();
    store.commit(&together([first.assign(worker(1)), second.assign(worker(1))])).await.unwrap();
    store.commit(&together([first.run(), second.run()])).await.unwrap();

    let mut stale = second.clone();
    store.commit(&second.say(0, &["this one counts"])).await.unwrap();
    let before = (stored(store, 1).await, stored(store, 2).await, store.counters().await.unwrap());
    let said = first.clone().say(0, &["lost"]);
    let mut refused = together([third.submit(), first.complete("lost"), stale.complete("stale")]);
    refused.logs = said.logs;
    assert_eq!(conflict(store.commit(&refused).await), Conflict::StaleVersion);

    assert_eq!((stored(store, 1).await, stored(store, 2).await, store.counters().await.unwrap()), before);
    assert_eq!(store.task(TaskRef::Number(TaskNumber(3))).await.unwrap(), None);
    assert_eq!(store.attempts(TaskNumber(1)).await.unwrap()[0].status, AttemptStatus::Running);
    assert_eq!(store.log(TaskNumber(1), 0, 10).await.unwrap().entries, []);
    assert_eq!(store.log(TaskNumber(2), 0, 10).await.unwrap().entries.len(), 1);
}

pub(crate) async fn an_unknown_attempt_undoes_the_whole_commit(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    let mut story = Story::new(1, &events);
    store.commit(&story.submit()).await.unwrap();
    let before = stored(store, 1).await;
    drop(story.assign(worker(1)));
    story.row.version = 1;
    assert_eq!(conflict(store.commit(&story.run()).await), Conflict::StaleVersion);
    assert_eq!(stored(store, 1).await, before);
}

pub(crate) async fn an_idempotency_key_is_unique_for_its_user(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    store.commit(&Story::new(1, &events).keyed("k").submit()).await.unwrap();
    let again = together([Story::new(2, &events).submit(), Story::new(3, &events).keyed("k").submit()]);
    assert_eq!(conflict(store.commit(&again).await), Conflict::IdempotencyKey);
    assert_eq!(numbers(store, all()).await, [1]);
    store.commit(&Story::new(2, &events).keyed("k").of(user(2)).submit()).await.unwrap();
    store.commit(&Story::new(3, &events).submit()).await.unwrap();
}

pub(crate) async fn a_number_is_given_out_once(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    store.commit(&Story::new(1, &events).submit()).await.unwrap();
    assert_eq!(conflict(store.commit(&Story::new(1, &events).submit()).await), Conflict::Exists);
    let same_event = AtomicI64::new(0);
    assert_eq!(conflict(store.commit(&Story::new(2, &same_event).submit()).await), Conflict::Exists);
    assert_eq!(numbers(store, all()).await, [1]);
}

pub(crate) async fn live_tasks_are_those_that_have_not_ended(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    assert_eq!(store.load_live().await.unwrap(), []);
    let mut stories: Vec<Story<'_>> = (1..=5).map(|number| Story::new(number, &events)).collect();
    store.commit(&together(stories.iter().map(Story::submit))).await.unwrap();
    store
        .commit(&together([stories[0].assign(worker(1)), stories[2].assign(worker(1)), stories[4].cancel()]))
        .await
        .unwrap();
    store.commit(&stories[2].run()).await.unwrap();
    store.commit(&stories[2].complete("done")).await.unwrap();
    let live =
        |loaded: Vec<swarm_model::change::LiveTask>| loaded.iter().map(|task| task.head.number.0).collect::<Vec<_>>();
    let loaded = store.load_live().await.unwrap();
    assert_eq!((&loaded[0].head, &loaded[0].row), (&stories[0].head, &stories[0].row));
    assert_eq!(live(loaded), [1, 2, 4]);

    // Also after the first ones ended, and after all did.
    store.commit(&together([stories[0].lose(), stories[1].cancel()])).await.unwrap();
    store.commit(&stories[0].cancel()).await.unwrap();
    assert_eq!(live(store.load_live().await.unwrap()), [4]);
    store.commit(&stories[3].cancel()).await.unwrap();
    assert_eq!(store.load_live().await.unwrap(), []);
    store.commit(&Story::new(6, &events).submit()).await.unwrap();
    assert_eq!(live(store.load_live().await.unwrap()), [6]);

    let counts = store.counts(Some(user(1))).await.unwrap();
    let expected = [(TaskStatus::Queued, 1), (TaskStatus::Completed, 1), (TaskStatus::Cancelled, 4)];
    assert_eq!(counts, expected.into());
    assert_eq!(store.counts(None).await.unwrap(), expected.into());
    assert_eq!(store.counts(Some(user(2))).await.unwrap(), [].into());
}

pub(crate) async fn lists_page_from_the_newest(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    store.commit(&together((1..=5).map(|number| Story::new(number, &events).submit()))).await.unwrap();
    let page = |before: Option<i64>| TaskFilter { before: before.map(TaskNumber), limit: 2, ..TaskFilter::default() };
    assert_eq!(numbers(store, page(None)).await, [5, 4]);
    assert_eq!(numbers(store, page(Some(4))).await, [3, 2]);
    assert_eq!(numbers(store, page(Some(2))).await, [1]);
    assert_eq!(numbers(store, page(Some(1))).await, [0; 0]);
}

pub(crate) async fn lists_filter(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    let later = START + std::time::Duration::from_mins(1);
    let mut first = Story::new(1, &events);
    let mut second = Story::new(2, &events).of(user(2)).at(later);
    let mut third = Story::new(3, &events);
    third.head.spec.tool = None;
    store.commit(&together([first.submit(), second.submit(), third.submit()])).await.unwrap();
    store.commit(&together([first.assign(worker(1)), second.assign(worker(2)), third.cancel()])).await.unwrap();

    assert_eq!(numbers(store, TaskFilter { user: Some(user(1)), ..all() }).await, [3, 1]);
    assert_eq!(numbers(store, TaskFilter { user: Some(user(3)), ..all() }).await, [0; 0]);
    assert_eq!(numbers(store, TaskFilter { tool: Some(demo()), ..all() }).await, [2, 1]);
    assert_eq!(numbers(store, TaskFilter { worker: Some(worker(2)), ..all() }).await, [2]);
    assert_eq!(
        numbers(store, TaskFilter { statuses: vec![TaskStatus::Cancelled, TaskStatus::Queued], ..all() }).await,
        [3]
    );
    assert_eq!(numbers(store, TaskFilter { created_after: Some(later), ..all() }).await, [2]);
    assert_eq!(numbers(store, TaskFilter { created_before: Some(later), ..all() }).await, [3, 1]);
    let both =
        TaskFilter { user: Some(user(1)), statuses: vec![TaskStatus::Assigned], before: Some(TaskNumber(3)), ..all() };
    assert_eq!(numbers(store, both).await, [1]);
}

pub(crate) async fn searched_text_has_no_special_signs(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    let texts = ["100% sure", "1000 sure", "a_b", "axb", r"C:\dir", "Review THE code"];
    let stories = (1_i64..).zip(texts).map(|(number, text)| Story::new(number, &events).says(text).submit());
    store.commit(&together(stories)).await.unwrap();
    let found = async |text: &str| numbers(store, TaskFilter { text: Some(text.to_owned()), ..all() }).await;
    assert_eq!(found("100% s").await, [1]);
    assert_eq!(found("a_b").await, [3]);
    assert_eq!(found(r"\d").await, [5]);
    assert_eq!(found("review the").await, [6]);
    assert_eq!(found("SURE").await, [2, 1]);
    assert_eq!(found("%").await, [1]);
    assert_eq!(found("' OR 1=1 --").await, [0; 0]);
    let mine = TaskFilter { user: Some(user(1)), text: Some("a_b".to_owned()), ..all() };
    assert_eq!(numbers(store, mine).await, [3]);
}

pub(crate) async fn an_edit_changes_the_spec_alone(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    let mut story = Story::new(1, &events);
    let other = Story::new(2, &events);
    store.commit(&together([story.submit(), other.submit()])).await.unwrap();
    story.head.spec = crate::tests::story::spec("something else");
    story.head.spec.tool = None;
    story.head.spec.priority = Priority::new(10).unwrap();
    story.row.version = 2;
    let spec = Some(story.head.spec.clone());
    let update = UpdateTask { number: TaskNumber(1), row: story.row.clone(), result: None, spec };
    store.commit(&Changes { updates: vec![update], ..Changes::default() }).await.unwrap();
    let task = stored(store, 1).await;
    assert_eq!((task.head, task.row), (story.head.clone(), story.row.clone()));
    assert_eq!(stored(store, 2).await.head, other.head);
}

fn late(attempt: u32, from: swarm_model::WorkerId, text: &str) -> Changes {
    let outcome = Outcome::Completed { result: TaskResult { text: text.to_owned(), ..TaskResult::default() } };
    let record = RunRecord { duration_ms: Some(5), ..RunRecord::default() };
    let late = LateResult { task_id: task_id(1), attempt, worker_id: from, outcome, record };
    Changes { late: vec![late], ..Changes::default() }
}

pub(crate) async fn a_late_result_is_evidence_and_nothing_else(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    let mut story = Story::new(1, &events);
    store.commit(&story.submit()).await.unwrap();
    store.commit(&story.assign(worker(1))).await.unwrap();
    store.commit(&story.run()).await.unwrap();
    // The attempt is still open, so that nothing can be late.
    store.commit(&late(1, worker(1), "early")).await.unwrap();
    assert_eq!(store.attempts(TaskNumber(1)).await.unwrap()[0].late, None);
    store.commit(&story.lose()).await.unwrap();
    store.commit(&story.assign(worker(2))).await.unwrap();
    store.commit(&story.run()).await.unwrap();
    store.commit(&story.complete("the result")).await.unwrap();
    let before = stored(store, 1).await;

    for changes in [
        late(1, worker(2), "of another worker"),
        late(1, worker(1), "kept"),
        late(1, worker(1), "a second one"),
        late(2, worker(2), "a repeat of the accepted one"),
        late(3, worker(2), "of an attempt that never was"),
    ] {
        store.commit(&changes).await.unwrap();
    }
    let attempts = store.attempts(TaskNumber(1)).await.unwrap();
    let kept = attempts[0].late.as_ref().unwrap();
    assert!(matches!(&kept.outcome, Outcome::Completed { result } if result.text == "kept"), "{kept:?}");
    assert_eq!(kept.record.duration_ms, Some(5));
    assert_eq!((attempts[0].status, attempts[0].failure_class), (AttemptStatus::Lost, Some(FailureClass::Lost)));
    assert_eq!(attempts[1].late, None);
    assert_eq!(stored(store, 1).await, before);
}

pub(crate) async fn events_are_seen_by_those_they_concern(backend: &impl HasTasks) {
    let store = backend.tasks();
    assert_eq!(store.oldest_event().await.unwrap(), None);
    let event = |id, user_id: Option<UserId>, worker_id| EventRecord {
        id: EventId(id),
        at: START,
        kind: EventKind::WorkerChanged,
        user_id,
        number: None,
        worker_id,
        attempt: Some(2),
        detail: Some("why".to_owned()),
    };
    let events = vec![
        event(3, Some(user(1)), None),
        event(4, Some(user(2)), Some(worker(1))),
        event(7, Some(user(2)), Some(worker(2))),
        event(8, None, None),
        event(9, None, Some(worker(2))),
    ];
    store.commit(&Changes { events: events.clone(), ..Changes::default() }).await.unwrap();
    let seen = async |after, scope, limit| -> Vec<i64> {
        store.events_after(EventId(after), &scope, limit).await.unwrap().iter().map(|event| event.id.0).collect()
    };
    let of =
        |n, workers: &[u128]| EventScope::Of { user: user(n), workers: workers.iter().map(|n| worker(*n)).collect() };
    assert_eq!(store.events_after(EventId(0), &EventScope::All, 10).await.unwrap(), events);
    assert_eq!(seen(0, of(1, &[]), 10).await, [3, 8]);
    assert_eq!(seen(0, of(1, &[1]), 10).await, [3, 8], "what others do on a worker is theirs");
    assert_eq!(seen(4, of(1, &[1, 2]), 10).await, [8, 9]);
    assert_eq!(seen(0, of(2, &[]), 2).await, [4, 7]);
    assert_eq!(store.oldest_event().await.unwrap(), Some(EventId(3)));
}

pub(crate) async fn what_ran_on_a_worker_is_found_without_its_text(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    let (mut first, mut second) = (Story::new(1, &events), Story::new(2, &events));
    store.commit(&together([first.submit(), second.submit()])).await.unwrap();
    store.commit(&together([first.assign(worker(1)), second.assign(worker(2))])).await.unwrap();
    store.commit(&together([first.run(), second.run()])).await.unwrap();
    store.commit(&second.complete("done")).await.unwrap();
    let on = async |n, from, before, limit| {
        let found = store.attempts_on(worker(n), TaskNumber(from), TaskNumber(before), limit).await.unwrap();
        found.into_iter().map(|seen| (seen.number.0, seen.attempt, seen.status)).collect::<Vec<_>>()
    };
    assert_eq!(on(1, 1, 10, 10).await, [(1, 1, AttemptStatus::Running)]);
    assert_eq!(on(2, 1, 10, 10).await, [(2, 1, AttemptStatus::Completed)]);
    assert_eq!(on(2, 1, 2, 10).await, [], "below the task that it ran");
    assert_eq!(on(2, 1, 10, 0).await, []);
    let seen = store.attempts_on(worker(2), TaskNumber(1), TaskNumber(10), 1).await.unwrap();
    assert_eq!((seen[0].user_id, seen[0].task_id), (second.head.user_id, second.head.task_id));
}

pub(crate) async fn limits_of_accounts_stand_until_they_are_over(backend: &impl HasTasks) {
    let store = backend.tasks();
    assert_eq!(store.account_limits().await.unwrap(), []);
    let limit = |id: &str, until| AccountLimit {
        account: Account { id: id.to_owned(), label: format!("account {id}") },
        class: FailureClass::Quota,
        detail: "five hours are spent".to_owned(),
        since: START,
        until,
    };
    let write = async |limits| store.commit(&Changes { limits, ..Changes::default() }).await.unwrap();
    let (first, second, later) = (limit("a", START), limit("b", START), limit("a", Timestamp::FAR_FUTURE));
    write(vec![LimitChange::Hit(first), LimitChange::Hit(second.clone())]).await;
    write(vec![LimitChange::Hit(later.clone())]).await;
    assert_eq!(store.account_limits().await.unwrap(), [later.clone(), second]);
    write(vec![LimitChange::Over { account_id: "b".to_owned() }]).await;
    write(vec![LimitChange::Over { account_id: "never there".to_owned() }]).await;
    assert_eq!(store.account_limits().await.unwrap(), [later]);
}

pub(crate) async fn only_ended_tasks_are_deleted(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    let (mut first, mut second) = (Story::new(1, &events), Story::new(2, &events));
    store.commit(&together([first.submit(), second.submit()])).await.unwrap();
    store.commit(&together([first.assign(worker(1)), second.assign(worker(1))])).await.unwrap();
    store.commit(&together([first.run(), second.run()])).await.unwrap();
    store.commit(&second.say(0, &["line"])).await.unwrap();
    store.commit(&second.complete("done")).await.unwrap();
    let delete = async |number, version| store.delete_task(TaskNumber(number), version, &entry("task_deleted")).await;

    assert_eq!(conflict(delete(1, first.row.version).await), Conflict::NotEnded);
    assert_eq!(conflict(delete(2, second.row.version - 1).await), Conflict::StaleVersion);
    assert!(matches!(delete(3, 1).await, Err(StoreError::NotFound { entity: "task" })));
    delete(2, second.row.version).await.unwrap();
    assert!(matches!(delete(2, second.row.version).await, Err(StoreError::NotFound { .. })));
    assert_eq!(store.task(TaskRef::Id(task_id(2))).await.unwrap(), None);
    assert_eq!(store.attempts(TaskNumber(2)).await.unwrap(), []);
    assert!(store.log(TaskNumber(2), 0, 10).await.is_err());
    assert_eq!(store.attempts(TaskNumber(1)).await.unwrap().len(), 1);
    assert_eq!(store.counters().await.unwrap().last_number, TaskNumber(2), "a number is never given out again");
}

pub(crate) async fn any_text_is_kept(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    let texts = ["\"\\\n\r\t\u{1}\u{7f}", "Grüße, 世界 🌍\u{202e}", "[null]", "", "'; DROP TABLE tasks; --", "\\u0000"];
    for (number, text) in (1_i64..).zip(texts) {
        let mut story = Story::new(number, &events).says(text).keyed(text);
        story.head.spec.input = TaskInput::Prompt { system: Some(text.to_owned()), session: None };
        for changes in
            [story.submit(), story.assign(worker(1)), story.run(), story.say(0, &[text]), story.complete(text)]
        {
            store.commit(&changes).await.unwrap();
        }
        let task = stored(store, number).await;
        assert_eq!(task.head, story.head);
        assert_eq!(task.result.unwrap().text, text);
        assert_eq!(store.log(TaskNumber(number), 0, 1).await.unwrap().entries[0].text, text);
        assert_eq!(store.tasks_by_key(&[(user(1), text.to_owned())]).await.unwrap().len(), 1);
    }
}

pub(crate) async fn invariants_hold_through_a_life(backend: &impl HasTasks) {
    let (store, events) = (backend.tasks(), AtomicI64::new(0));
    let mut stories: Vec<Story<'_>> = (1..=3).map(|number| Story::new(number, &events)).collect();
    store.commit(&together(stories.iter().map(Story::submit))).await.unwrap();
    for story in &mut stories[..2] {
        for changes in [story.assign(worker(1)), story.run(), story.say(0, &["a", "b"]), story.lose()] {
            store.commit(&changes).await.unwrap();
        }
    }
    let last = &mut stories[1];
    for changes in [last.assign(worker(2)), last.run(), last.say(0, &["c"]), last.complete("done")] {
        store.commit(&changes).await.unwrap();
    }
    let audited = store.audit(TaskNumber(0), 10).await.unwrap();
    assert_eq!(check_tasks(&audited), []);
    assert_eq!(audited[1].attempts, [AttemptStatus::Lost, AttemptStatus::Completed]);
    assert_eq!(audited[1].log_batches, [(1, 2), (3, 3)]);
    assert_eq!(
        audited.iter().map(|task| task.row.clone()).collect::<Vec<_>>(),
        stories.iter().map(|story| story.row.clone()).collect::<Vec<_>>()
    );
    let next: Vec<i64> = store.audit(TaskNumber(1), 1).await.unwrap().iter().map(|task| task.number.0).collect();
    assert_eq!(next, [2]);
    assert_eq!(store.audit(TaskNumber(3), 10).await.unwrap().len(), 0);
}
