//! The loop against a store that fails when it is told to: nobody is told what was not committed.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, Ordering};

use async_trait::async_trait;
use swarm_model::budget::Budget;
use swarm_model::change::{AccountLimit, Changes, EventRecord, LiveTask};
use swarm_model::day::Day;
use swarm_model::invariants::{AuditedTask, check_tasks};
use swarm_model::log::{LogLine, LogStream};
use swarm_model::task::{Outcome, RunRecord, TaskResult, TaskSpec};
use swarm_model::time::SystemClock;
use swarm_model::tool::{ToolHealth, ToolInfo};
use swarm_model::worker::{LeaseTerms, ProvenIsolation};
use swarm_model::{EventId, TaskId, TaskRef, Timestamp, UserId};
use swarm_proto::worker::{AttemptResult, LogBatch};
use swarm_store::memory::MemoryStore;
use swarm_store::task::{
    AttemptOnWorker, Counters, EventScope, LogPage, StoredAttempt, StoredTask, TaskCounts, TaskFilter, TaskSummary,
};
use swarm_store::{AuditEntry, Outage, UsageFilter, UsageRow};

use tokio::sync::{Notify, watch};

use super::*;

/// A store in memory whose commits fail while `broken` stands, which cannot be read while `unreadable` does, and
/// whose commits wait while the gate is closed.
#[derive(Debug)]
struct Fragile {
    inner: MemoryStore,
    broken: AtomicBool,
    unreadable: AtomicBool,
    /// Says when a commit has come to the gate.
    arrivals: Notify,
    is_open: watch::Sender<bool>,
}

impl Default for Fragile {
    fn default() -> Self {
        Self {
            inner: MemoryStore::default(),
            broken: AtomicBool::new(false),
            unreadable: AtomicBool::new(false),
            arrivals: Notify::new(),
            is_open: watch::Sender::new(true),
        }
    }
}

type Stored<T> = Result<T, StoreError>;

#[async_trait]
impl TaskStore for Fragile {
    async fn commit(&self, changes: &Changes) -> Stored<()> {
        self.arrivals.notify_one();
        self.is_open.subscribe().wait_for(|is_open| *is_open).await.unwrap();
        if self.broken.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable { kind: Outage::Full, source: "the disk is full".into() });
        }
        self.inner.commit(changes).await
    }

    async fn load_live(&self) -> Stored<Vec<LiveTask>> {
        self.inner.load_live().await
    }

    async fn account_limits(&self) -> Stored<Vec<AccountLimit>> {
        self.inner.account_limits().await
    }

    async fn budgets(&self) -> Stored<Vec<Budget>> {
        self.inner.budgets().await
    }

    async fn counters(&self) -> Stored<Counters> {
        if self.unreadable.load(Ordering::SeqCst) {
            return Err(StoreError::Unavailable { kind: Outage::Offline, source: "nobody answers".into() });
        }
        self.inner.counters().await
    }

    async fn task(&self, task: TaskRef) -> Stored<Option<StoredTask>> {
        self.inner.task(task).await
    }

    async fn tasks_by_key(&self, keys: &[(UserId, String)]) -> Stored<Vec<StoredTask>> {
        self.inner.tasks_by_key(keys).await
    }

    async fn list(&self, filter: &TaskFilter) -> Stored<Vec<TaskSummary>> {
        self.inner.list(filter).await
    }

    async fn attempts(&self, number: TaskNumber) -> Stored<Vec<StoredAttempt>> {
        self.inner.attempts(number).await
    }

    async fn attempts_on(
        &self,
        worker: WorkerId,
        from: TaskNumber,
        before: TaskNumber,
        limit: usize,
    ) -> Stored<Vec<AttemptOnWorker>> {
        self.inner.attempts_on(worker, from, before, limit).await
    }

    async fn log(&self, number: TaskNumber, after_seq: u64, limit: usize) -> Stored<LogPage> {
        self.inner.log(number, after_seq, limit).await
    }

    async fn events_after(&self, after: EventId, scope: &EventScope, limit: usize) -> Stored<Vec<EventRecord>> {
        self.inner.events_after(after, scope, limit).await
    }

    async fn oldest_event(&self) -> Stored<Option<EventId>> {
        self.inner.oldest_event().await
    }

    async fn delete_task(&self, number: TaskNumber, version: i64, audit: &AuditEntry) -> Stored<()> {
        self.inner.delete_task(number, version, audit).await
    }

    async fn counts(&self, user: Option<UserId>) -> Stored<TaskCounts> {
        self.inner.counts(user).await
    }

    async fn usage(&self, filter: &UsageFilter) -> Stored<Vec<UsageRow>> {
        self.inner.usage(filter).await
    }

    async fn audit(&self, after: TaskNumber, limit: usize) -> Stored<Vec<AuditedTask>> {
        self.inner.audit(after, limit).await
    }
}

struct World {
    store: Arc<Fragile>,
    dispatcher: Dispatcher,
    user: UserId,
    shutdown: CancellationToken,
    tracker: TaskTracker,
}

impl World {
    async fn start() -> Self {
        let store = Arc::new(Fragile::default());
        let (tracker, shutdown) = (TaskTracker::new(), CancellationToken::new());
        let deps = Deps {
            store: store.clone(),
            clock: Arc::new(SystemClock),
            hub: Hub::default(),
            max_waiting: 1_000,
            is_paused: false,
        };
        let dispatcher = Dispatcher::start(deps, &tracker, shutdown.clone()).await.unwrap();
        Self { store, dispatcher, user: UserId::generate(&SystemClock), shutdown, tracker }
    }

    fn task(&self) -> NewTask {
        let spec = TaskSpec { description: "say hello".to_owned(), ..TaskSpec::default() };
        NewTask {
            task_id: TaskId::generate(&SystemClock),
            user_id: self.user,
            workflow_id: None,
            run_id: None,
            node: None,
            spec,
            retry_of: None,
            idempotency_key: None,
            traceparent: None,
        }
    }

    fn profile(&self, worker_id: WorkerId) -> WorkerProfile {
        let tool = ToolInfo {
            name: "demo".parse().unwrap(),
            version: None,
            health: ToolHealth::Ready,
            models: Vec::new(),
            max_concurrent: None,
            account: None,
        };
        let capabilities = Capabilities {
            slots: 2,
            tools: vec![tool],
            os: "linux".to_owned(),
            arch: "x86_64".to_owned(),
            memory_mb: 1,
            cpus: 1,
            agent_version: String::new(),
            labels: BTreeMap::new(),
            grants: Vec::new(),
            isolation: ProvenIsolation::default(),
        };
        WorkerProfile {
            worker_id,
            machine_name: "attic".to_owned(),
            owner: self.user,
            shared: false,
            operators: BTreeMap::new(),
            capabilities,
            pauses: Pauses::default(),
            draining: false,
            push: true,
            terms: LeaseTerms::SOCKET,
        }
    }

    async fn join(&self, worker: WorkerId, named: Vec<AttemptRef>) -> Joined {
        self.try_join(worker, named).await.unwrap()
    }

    async fn try_join(&self, worker: WorkerId, named: Vec<AttemptRef>) -> Result<Joined, DispatchError> {
        let (outbox, frames) = mpsc::channel(64);
        let session = SessionId::generate(&SystemClock);
        let reply = self.dispatcher.join(self.profile(worker), session, named, Some(outbox)).await?;
        Ok((session, frames, reply))
    }

    /// Holds up every commit until [`Self::open_gate`].
    fn close_gate(&self) {
        self.store.is_open.send_replace(false);
    }

    fn open_gate(&self) {
        self.store.is_open.send_replace(true);
    }

    /// Submits in the background, and waits until the commit that holds it stands at the gate.
    async fn submit_to_gate(&self, task: NewTask) -> Submission {
        // An arrival of an earlier commit does not count.
        let arrival = self.store.arrivals.notified();
        tokio::pin!(arrival);
        if arrival.as_mut().enable() {
            arrival.set(self.store.arrivals.notified());
        }
        let submission = self.submit_later(task);
        arrival.await;
        submission
    }

    fn submit_later(&self, task: NewTask) -> Submission {
        let dispatcher = self.dispatcher.clone();
        tokio::spawn(async move { dispatcher.submit(vec![task]).await })
    }

    fn set_broken(&self, broken: bool) {
        self.store.broken.store(broken, Ordering::SeqCst);
    }

    async fn finish(self) {
        assert_eq!(check_tasks(&self.store.audit(TaskNumber(0), 1_000).await.unwrap()), []);
        self.shutdown.cancel();
        self.tracker.close();
        self.tracker.wait().await;
    }
}

/// A session, its frames, and what the worker was told.
type Joined = (SessionId, mpsc::Receiver<ToWorker>, JoinReply);

type Submission = tokio::task::JoinHandle<Result<Vec<SubmittedTask>, DispatchError>>;

async fn assignment(frames: &mut mpsc::Receiver<ToWorker>) -> Assignment {
    match frames.recv().await {
        Some(ToWorker::Assign { mut tasks }) => tasks.remove(0),
        other => panic!("expected an assignment, got {other:?}"),
    }
}

fn result(attempt: AttemptRef) -> Report {
    let outcome = Outcome::Completed { result: TaskResult::default() };
    Report { results: vec![AttemptResult { attempt, outcome, record: RunRecord::default() }], ..Report::default() }
}

#[tokio::test]
async fn a_submission_that_was_not_stored_is_told_so_and_leaves_no_trace() {
    let world = World::start().await;
    let worker = WorkerId::generate(&SystemClock);
    let (_, mut frames, _) = world.join(worker, Vec::new()).await;
    world.set_broken(true);
    let error = world.dispatcher.submit(vec![world.task()]).await.unwrap_err();
    assert!(matches!(error, DispatchError::Store(_)), "{error:?}");
    assert_eq!(frames.recv().await, None, "no assignment went out; the socket closes");
    world.set_broken(false);
    let (_, mut frames, _) = world.join(worker, Vec::new()).await;
    let submitted = world.dispatcher.submit(vec![world.task()]).await.unwrap();
    assert_eq!(submitted[0].head.number, TaskNumber(1), "the number of the lost one is free");
    assert_eq!(assignment(&mut frames).await.number, TaskNumber(1));
    world.finish().await;
}

#[tokio::test]
async fn a_result_that_was_not_stored_is_not_acknowledged_and_counts_when_it_comes_again() {
    let world = World::start().await;
    let worker = WorkerId::generate(&SystemClock);
    let (session, mut frames, _) = world.join(worker, Vec::new()).await;
    world.dispatcher.submit(vec![world.task()]).await.unwrap();
    let attempt = assignment(&mut frames).await.attempt_ref();
    let line = LogLine { n: 1, stream: LogStream::Text, text: "a".to_owned(), data: None, at: Timestamp::EPOCH };
    let mut report = Report { accepted: vec![attempt], ..Report::default() };
    report.logs = vec![LogBatch { attempt, lines: vec![line] }];
    world.dispatcher.report_frame(worker, session, report).await;
    assert!(matches!(frames.recv().await, Some(ToWorker::Ack(reply)) if reply.logs[0].received == 1));

    world.set_broken(true);
    world.dispatcher.report_frame(worker, session, result(attempt)).await;
    assert_eq!(frames.recv().await, None, "the socket closes instead of an acknowledgement");
    world.set_broken(false);
    let (session, mut frames, reply) = world.join(worker, vec![attempt]).await;
    assert_eq!(reply.joined.held, [(attempt, 1)], "the attempt goes on where the store stands");
    world.dispatcher.report_frame(worker, session, result(attempt)).await;
    assert!(matches!(frames.recv().await, Some(ToWorker::Ack(reply)) if reply.results == [attempt]));
    let stored = world.store.task(TaskRef::Number(TaskNumber(1))).await.unwrap().unwrap();
    assert_eq!(stored.row.status, TaskStatus::Completed);
    // Had the acknowledgement been lost, it would be said once more, and is counted once all the same.
    world.dispatcher.report_frame(worker, session, result(attempt)).await;
    assert!(matches!(frames.recv().await, Some(ToWorker::Ack(reply)) if reply.results == [attempt]));
    let today = Day::of(SystemClock.now());
    let used = world.store.usage(&UsageFilter::of_days(today.minus(1), today)).await.unwrap();
    assert_eq!((used.len(), used[0].sums.runs, used[0].sums.completed_runs), (1, 1, 1));
    world.finish().await;
}

#[tokio::test]
async fn callers_that_wait_together_share_one_commit() {
    let world = World::start().await;
    let submissions = (0..50).map(|_| {
        let (dispatcher, task) = (world.dispatcher.clone(), world.task());
        tokio::spawn(async move { dispatcher.submit(vec![task]).await.unwrap()[0].head.number.0 })
    });
    let mut numbers = Vec::new();
    for submission in submissions.collect::<Vec<_>>() {
        numbers.push(submission.await.unwrap());
    }
    numbers.sort_unstable();
    assert_eq!(numbers, (1..=50).collect::<Vec<_>>());
    world.finish().await;
}

#[tokio::test]
async fn an_older_socket_that_closes_says_nothing_about_the_newer_one() {
    let world = World::start().await;
    let worker = WorkerId::generate(&SystemClock);
    let (old_session, mut old, _) = world.join(worker, Vec::new()).await;
    let (_, mut new, _) = world.join(worker, Vec::new()).await;
    assert_eq!(old.recv().await, None);
    world.dispatcher.leave(worker, old_session).await;
    world.dispatcher.submit(vec![world.task()]).await.unwrap();
    assert_eq!(assignment(&mut new).await.number, TaskNumber(1));
    world.finish().await;
}

#[tokio::test]
async fn a_key_that_is_being_stored_is_known_already() {
    let world = World::start().await;
    world.close_gate();
    let keyed = || NewTask { idempotency_key: Some("once".to_owned()), ..world.task() };
    let first = world.submit_to_gate(keyed()).await;
    let again = world.submit_later(keyed());
    let other = world.submit_later(world.task());
    tokio::task::yield_now().await;
    assert!(!first.is_finished(), "nobody is told before the commit stands");
    world.open_gate();
    let (first, again) = (first.await.unwrap().unwrap(), again.await.unwrap().unwrap());
    assert_eq!((first[0].head.number, first[0].is_known), (TaskNumber(1), false));
    assert_eq!((again[0].head.number, again[0].is_known), (TaskNumber(1), true));
    assert_eq!(other.await.unwrap().unwrap()[0].head.number, TaskNumber(2));
    world.finish().await;
}

#[tokio::test]
async fn what_came_while_a_commit_failed_failed_with_it() {
    let world = World::start().await;
    world.close_gate();
    let first = world.submit_to_gate(world.task()).await;
    let second = world.submit_later(world.task());
    for _ in 0..8 {
        // The second gets onto the board, which is thrown away.
        tokio::task::yield_now().await;
    }
    world.set_broken(true);
    world.open_gate();
    assert!(matches!(first.await.unwrap(), Err(DispatchError::Store(_))));
    let second = second.await.unwrap();
    assert!(matches!(second, Err(DispatchError::Store(_))), "{second:?}");
    world.set_broken(false);
    let submitted = world.dispatcher.submit(vec![world.task()]).await.unwrap();
    assert_eq!(submitted[0].head.number, TaskNumber(1), "the numbers of the lost ones are free");
    world.finish().await;
}

#[tokio::test]
async fn a_worker_that_comes_back_during_a_commit_is_told_what_the_commit_gave_it() {
    let world = World::start().await;
    let worker = WorkerId::generate(&SystemClock);
    let (_, mut old, _) = world.join(worker, Vec::new()).await;
    world.close_gate();
    let submission = world.submit_to_gate(world.task()).await;
    let mut joining = Box::pin(world.join(worker, Vec::new()));
    assert!(futures_util::poll!(&mut joining).is_pending(), "it waits for the commit that gives it the task");
    world.open_gate();
    let attempt = assignment(&mut old).await.attempt_ref();
    submission.await.unwrap().unwrap();
    let (_, mut new, _) = joining.await;
    // The hello did not name the attempt: it never began, and comes again under the next number.
    let again = assignment(&mut new).await.attempt_ref();
    assert_eq!((again.task_id, again.attempt), (attempt.task_id, attempt.attempt + 1));
    world.finish().await;
}

#[tokio::test]
async fn while_the_store_does_not_answer_everybody_is_told_so() {
    let world = World::start().await;
    let worker = WorkerId::generate(&SystemClock);
    world.dispatcher.submit(vec![world.task()]).await.unwrap();
    world.set_broken(true);
    world.store.unreadable.store(true, Ordering::SeqCst);
    for _ in 0..3 {
        let error = world.dispatcher.submit(vec![world.task()]).await.unwrap_err();
        assert!(matches!(error, DispatchError::Store(_)), "{error:?}");
    }
    assert!(matches!(world.try_join(worker, Vec::new()).await, Err(DispatchError::Store(_))));
    assert!(matches!(world.dispatcher.cancel(TaskNumber(1)).await, Err(DispatchError::Store(_))));

    world.set_broken(false);
    world.store.unreadable.store(false, Ordering::SeqCst);
    let mut joined = world.try_join(worker, Vec::new()).await;
    while joined.is_err() {
        // It is tried again by itself; nothing says when.
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        joined = world.try_join(worker, Vec::new()).await;
    }
    let (_, mut frames, _) = joined.unwrap();
    assert_eq!(assignment(&mut frames).await.number, TaskNumber(1), "what stood before is there again");
    world.finish().await;
}
