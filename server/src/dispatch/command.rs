//! What the dispatcher is asked.

use std::collections::BTreeMap;

use swarm_engine::{NewTask, PlacementReport, TaskEdit, WorkerProfile};
use swarm_model::worker::{AttemptRef, Capabilities, Load, ShareLimits};
use swarm_model::{SessionId, TaskNumber, TaskStatus, UserId, WorkerId};
use swarm_proto::worker::{Assignment, Report, ReportReply, ToWorker};
use tokio::sync::{mpsc, oneshot};

use super::{DispatchError, JoinReply, SubmittedTask};

/// Where an answer goes once what it tells is committed.
pub(super) type Reply<T> = oneshot::Sender<Result<T, DispatchError>>;

/// What a worker must know after a heartbeat.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct HeartbeatReport {
    /// Not its own any more.
    pub stale: Vec<AttemptRef>,
    /// To be ended.
    pub cancel: Vec<AttemptRef>,
    /// Whether nothing is handed out to it now.
    pub paused: bool,
}

/// Where the answer to a report goes.
#[derive(Debug)]
pub(super) enum ReportTo {
    /// To an HTTP request.
    Caller(Reply<ReportReply>),
    /// To the worker's socket, if it is still this session's.
    Socket(SessionId),
}

#[derive(Debug)]
pub(super) enum Command {
    Submit {
        tasks: Vec<NewTask>,
        reply: Reply<Vec<SubmittedTask>>,
    },
    Edit {
        number: TaskNumber,
        version: i64,
        edit: TaskEdit,
        reply: Reply<()>,
    },
    Cancel {
        number: TaskNumber,
        reply: Reply<TaskStatus>,
    },
    CancelAllOf {
        user: UserId,
        reply: Reply<usize>,
    },
    People {
        worker: WorkerId,
        machine_name: String,
        shared: bool,
        operators: BTreeMap<UserId, ShareLimits>,
        reply: Reply<()>,
    },
    Placement {
        number: TaskNumber,
        visible: Vec<WorkerId>,
        reply: Reply<Option<PlacementReport>>,
    },
    Join {
        profile: Box<WorkerProfile>,
        session: SessionId,
        named: Vec<AttemptRef>,
        outbox: Option<mpsc::Sender<ToWorker>>,
        reply: Reply<JoinReply>,
    },
    Leave {
        worker: WorkerId,
        session: SessionId,
    },
    Disconnect {
        worker: WorkerId,
    },
    Heartbeat {
        worker: WorkerId,
        load: Load,
        running: Vec<AttemptRef>,
        reply: Option<Reply<HeartbeatReport>>,
    },
    Report {
        worker: WorkerId,
        report: Report,
        to: ReportTo,
    },
    Pull {
        worker: WorkerId,
        reply: Reply<oneshot::Receiver<Assignment>>,
    },
    EndPull {
        worker: WorkerId,
    },
    Capabilities {
        worker: WorkerId,
        capabilities: Box<Capabilities>,
    },
    Pause {
        worker: WorkerId,
        by_owner: bool,
        paused: bool,
        reply: Reply<()>,
    },
    Drain {
        worker: WorkerId,
        draining: bool,
        reply: Reply<()>,
    },
    Remove {
        worker: WorkerId,
        reply: Reply<()>,
    },
    Holds {
        worker: WorkerId,
        attempt: AttemptRef,
        reply: Reply<Option<TaskNumber>>,
    },
    PauseAll {
        paused: bool,
        reply: Reply<()>,
    },
    /// Budgets were set, changed or removed in the store.
    Budgets {
        reply: Reply<()>,
    },
    Tick {
        reply: Reply<()>,
    },
}

impl Command {
    /// Answers that the store failed. What has nobody to answer to is passed over.
    pub(super) fn refuse(self, error: &DispatchError) {
        fn tell<T>(reply: Reply<T>, error: &DispatchError) {
            // A caller that went away needs no answer.
            reply.send(Err(error.clone())).ok();
        }
        match self {
            Self::Submit { reply, .. } => tell(reply, error),
            Self::Cancel { reply, .. } => tell(reply, error),
            Self::Placement { reply, .. } => tell(reply, error),
            Self::Join { reply, .. } => tell(reply, error),
            Self::Heartbeat { reply: Some(reply), .. } => tell(reply, error),
            Self::Report { to: ReportTo::Caller(reply), .. } => tell(reply, error),
            Self::Pull { reply, .. } => tell(reply, error),
            Self::Holds { reply, .. } => tell(reply, error),
            Self::CancelAllOf { reply, .. } => tell(reply, error),
            Self::Edit { reply, .. }
            | Self::People { reply, .. }
            | Self::Pause { reply, .. }
            | Self::Drain { reply, .. }
            | Self::Remove { reply, .. }
            | Self::PauseAll { reply, .. }
            | Self::Budgets { reply }
            | Self::Tick { reply } => tell(reply, error),
            Self::Leave { .. }
            | Self::Disconnect { .. }
            | Self::Heartbeat { reply: None, .. }
            | Self::Report { to: ReportTo::Socket(_), .. }
            | Self::EndPull { .. }
            | Self::Capabilities { .. } => {}
        }
    }

    /// Whether the board may go on with it while a commit is under way. The others change who is told, or ask what
    /// was: they wait until what was decided before them is told.
    pub(super) fn may_overtake(&self) -> bool {
        matches!(self, Self::Submit { .. } | Self::Report { .. } | Self::Heartbeat { .. })
    }

    /// How much work it is, to bound a commit.
    pub(super) fn weight(&self) -> usize {
        match self {
            Self::Submit { tasks, .. } => tasks.len(),
            Self::Report { report, .. } => report.accepted.len() + report.results.len() + report.logs.len(),
            _ => 1,
        }
    }
}
