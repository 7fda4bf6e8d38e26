//! The board driven by hand, with a world of its own: a clock that the test moves and workers that do as told.

mod allocation;
mod budgets;
mod cascades;
mod leases;
mod limits;
mod outcomes;
mod random;
mod shares;

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use swarm_model::change::{Changes, LimitChange};
use swarm_model::log::{LogLine, LogStream};
use swarm_model::task::{Outcome, Priority, Queue, RetryPolicy, RunRecord, TaskInput, TaskResult, TaskSpec};
use swarm_model::tool::{Account, ToolHealth, ToolInfo};
use swarm_model::worker::{
    AttemptRef, Capabilities, LeaseTerms, Load, Pauses, ProvenIsolation, ShareLimits, ToolGrant,
};
use swarm_model::{FailureClass, Isolation, TaskId, TaskNumber, TaskStatus, Timestamp, UserId, WorkerId};
use uuid::Uuid;

use super::*;
use crate::WorkerProfile;

fn user(n: u8) -> UserId {
    UserId::from_uuid(Uuid::from_bytes([1, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, 0, n]))
}

fn worker(n: u16) -> WorkerId {
    let [high, low] = n.to_be_bytes();
    WorkerId::from_uuid(Uuid::from_bytes([2, 0, 0, 0, 0, 0, 0x70, 0, 0x80, 0, 0, 0, 0, 0, high, low]))
}

fn tool(name: &str) -> ToolInfo {
    ToolInfo {
        name: name.parse().unwrap(),
        version: None,
        health: ToolHealth::Ready,
        models: Vec::new(),
        max_concurrent: None,
        account: None,
    }
}

fn grant(tool: &str, user_id: Option<UserId>, slots: Option<u32>) -> ToolGrant {
    ToolGrant { tool: tool.parse().unwrap(), user_id, slots }
}

/// A machine of user 1 with the demo tool, which it grants to everyone to whom it is opened, and one slot.
fn profile(n: u16) -> WorkerProfile {
    WorkerProfile {
        worker_id: worker(n),
        machine_name: format!("machine-{n}"),
        owner: user(1),
        shared: false,
        operators: BTreeMap::new(),
        capabilities: Capabilities {
            slots: 1,
            tools: vec![tool("demo")],
            os: "linux".to_owned(),
            arch: "x86_64".to_owned(),
            memory_mb: 8_000,
            cpus: 4,
            agent_version: String::new(),
            labels: BTreeMap::new(),
            grants: vec![grant("demo", None, None)],
            isolation: ProvenIsolation::default(),
        },
        pauses: Pauses::default(),
        draining: false,
        push: true,
        terms: LeaseTerms::SOCKET,
    }
}

fn spec() -> TaskSpec {
    TaskSpec { description: "say hello".to_owned(), ..TaskSpec::default() }
}

fn done(text: &str) -> Outcome {
    Outcome::Completed { result: TaskResult { text: text.to_owned(), ..TaskResult::default() } }
}

fn failed(class: FailureClass) -> Outcome {
    Outcome::Failed { class, error: class.to_string(), resets_at: None, partial: None }
}

/// A board with a clock, and what it said should be done.
struct World {
    board: Board,
    now: Timestamp,
    next_id: u128,
    assigned: Vec<(WorkerId, AttemptRef)>,
    cancels: Vec<(WorkerId, AttemptRef)>,
    written: Vec<Changes>,
}

impl World {
    fn new() -> Self {
        Self {
            board: Board::new(Counters::default()),
            now: Timestamp::from_micros(1_000_000_000),
            next_id: 1,
            assigned: Vec::new(),
            cancels: Vec::new(),
            written: Vec::new(),
        }
    }

    fn with_workers(profiles: impl IntoIterator<Item = WorkerProfile>) -> Self {
        let mut world = Self::new();
        for profile in profiles {
            world.join(profile);
        }
        world
    }

    fn join(&mut self, profile: WorkerProfile) -> Joined {
        let joined = self.board.worker_joined(profile, &[], self.now);
        self.settle();
        joined
    }

    fn submit_for(&mut self, user: UserId, spec: TaskSpec) -> TaskNumber {
        let task_id = TaskId::from_uuid(Uuid::from_u128(self.next_id));
        self.next_id += 1;
        let new = NewTask {
            task_id,
            user_id: user,
            workflow_id: None,
            run_id: None,
            node: None,
            spec,
            retry_of: None,
            idempotency_key: None,
            traceparent: None,
        };
        self.board.submit(new, self.now).number
    }

    /// Submits for user 1 and lets the board act.
    fn submit(&mut self, spec: TaskSpec) -> TaskNumber {
        let number = self.submit_for(user(1), spec);
        self.settle();
        number
    }

    /// Hands out, commits and carries out, as the dispatcher does.
    fn settle(&mut self) {
        self.board.allocate(self.now);
        let (changes, effects) = self.board.take();
        self.written.push(changes);
        for effect in effects {
            match effect {
                Effect::Assign { worker_id, attempt, head, .. } => {
                    self.assigned.push((worker_id, AttemptRef { task_id: head.task_id, attempt }));
                }
                Effect::Cancel { worker_id, attempt } => self.cancels.push((worker_id, attempt)),
                Effect::Silent { .. } => {}
            }
        }
    }

    /// Lets time pass while somebody looks at the clock.
    fn pass(&mut self, span: Duration) {
        let mut left = span;
        while !left.is_zero() {
            let step = left.min(Duration::from_secs(1));
            left -= step;
            self.jump(step);
        }
    }

    /// Lets time pass while nobody looks, or sets the clock forward.
    fn jump(&mut self, span: Duration) {
        self.now = self.now + span;
        self.board.tick(self.now);
        self.settle();
    }

    /// The last assignment, accepted.
    fn accept_last(&mut self) -> (WorkerId, AttemptRef) {
        let (worker, attempt) = *self.assigned.last().expect("nothing was assigned");
        self.board.accept(worker, attempt, self.now).unwrap();
        self.settle();
        (worker, attempt)
    }

    fn report(&mut self, worker: WorkerId, attempt: AttemptRef, outcome: Outcome) -> Verdict {
        let verdict = self.board.result(worker, attempt, outcome, RunRecord::default(), self.now);
        self.settle();
        verdict
    }

    fn status(&self, number: TaskNumber) -> TaskStatus {
        self.last_row(number).status
    }

    /// The last written row of a task.
    fn last_row(&self, number: TaskNumber) -> &swarm_model::change::TaskRow {
        let rows = self.written.iter().rev();
        rows.flat_map(|changes| {
            let inserts =
                changes.inserts.iter().filter(move |insert| insert.head.number == number).map(|insert| &insert.row);
            let updates =
                changes.updates.iter().filter(move |update| update.number == number).map(|update| &update.row);
            updates.chain(inserts)
        })
        .next()
        .expect("the task was never written")
    }

    fn events_of(&self, number: TaskNumber) -> Vec<&'static str> {
        let events = self.written.iter().flat_map(|changes| &changes.events);
        events.filter(|event| event.number == Some(number)).map(|event| event.kind.as_str()).collect()
    }
}

fn lines(numbers: std::ops::RangeInclusive<u64>) -> Vec<LogLine> {
    let line = |n| LogLine { n, stream: LogStream::Text, text: format!("line {n}"), data: None, at: Timestamp::EPOCH };
    numbers.map(line).collect()
}
