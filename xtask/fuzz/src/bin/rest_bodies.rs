//! What is sent to the REST interface, and what it answers, each as every one of them.
#![no_main]

use libfuzzer_sys::fuzz_target;
use swarm_fuzz::{document, secret};
use swarm_proto::audit::{AuditEvent, ListAudit};
use swarm_proto::auth::{
    ChangePassword, ChangeUser, CreateInvitation, ExchangeLink, Login, OpenInvitation, OpenSession, Register,
    UpdateProfile, User,
};
use swarm_proto::keys::{CreateKey, Key};
use swarm_proto::status::SwarmStatus;
use swarm_proto::tasks::{
    Attempt, CreateTask, CreateTasks, ListTasks, LogPage, ReadLog, Task, TaskArtifact, UpdateTask,
};
use swarm_proto::tools::SwarmTool;
use swarm_proto::usage::{ReadUsage, UsageReport};
use swarm_proto::worker::{Report, ReportReply};
use swarm_proto::workers::{
    ChangeWorker, Heartbeat, HeartbeatReply, ListRuns, PullTask, PulledTask, RegisterWorker, RunOnWorker, Share,
    ShareWorker, Worker,
};
use swarm_proto::{Page, Problem};

macro_rules! each {
    ($bytes:ident, $check:ident: $($type:ty),+ $(,)?) => { $($check::<$type>($bytes);)+ };
}

fuzz_target!(|bytes: &[u8]| {
    each!(bytes, document: CreateTask, CreateTasks, UpdateTask, ListTasks, ReadLog, Task, Page<Task>, TaskArtifact);
    each!(bytes, document: Attempt, LogPage, Report, ReportReply, RegisterWorker, Heartbeat, HeartbeatReply);
    each!(bytes, document: PullTask, PulledTask, Worker, ChangeWorker, ShareWorker, Share, RunOnWorker, ListRuns);
    each!(bytes, document: UpdateProfile, ChangeUser, User, OpenSession, OpenInvitation, Key, AuditEvent, ListAudit);
    each!(bytes, document: SwarmStatus, SwarmTool, ReadUsage, UsageReport, Problem);
    each!(bytes, secret: Login, ExchangeLink, Register, ChangePassword, CreateInvitation, CreateKey);
});
