//! Attempts from their assignment to their end.

use std::panic::AssertUnwindSafe;
use std::path::PathBuf;
use std::sync::Arc;

use futures_util::FutureExt as _;
use swarm_model::task::{Artifact, Outcome};
use swarm_model::time::SystemClock;
use swarm_model::tool::Account;
use swarm_model::worker::{AttemptRef, RefusalReason};
use swarm_model::{Clock as _, Isolation};
use swarm_proto::worker::{Assignment, AttemptResult, Refusal};
use swarm_tools::{Adapter, Confinement, Plan, RunRequest, ToolSettings};
use tokio_util::sync::CancellationToken;

use super::{Core, Inner};
use crate::artifacts;
use crate::aside;
use crate::attempt::{Attempt, Phase, Then};
use crate::control::AgentEvent;
use crate::journal::{Closing, Interrupted, RunFolder, interrupted, is_failure};
use crate::policy::{Running, Situation, decide, isolation_of};
use crate::run::{Anew, Run, Shared, Tree, crashed};
use crate::upload;
use crate::worktree::{Checkout, Wanted};

/// How a run begins.
struct Start {
    plan: Plan,
    request: RunRequest,
    /// Where it goes on with a session: without it.
    anew: Option<Anew>,
    /// Whether it goes on where an interrupted attempt was.
    begun: bool,
}

/// With what it begins, whatever its folder.
struct How<'a> {
    /// What the tool keeps between runs.
    state: PathBuf,
    /// Where git keeps what belongs to the working tree.
    mirror: Option<PathBuf>,
    adapter: &'a dyn Adapter,
    settings: &'a ToolSettings,
}

impl Core {
    /// Takes or declines new work. Told again of what it has, it says again that it has it.
    pub(super) fn assigned(&mut self, assignment: Assignment) {
        let name = assignment.attempt_ref();
        if let Some(index) = self.find(name) {
            self.attempts[index].accept_due = true;
            return;
        }
        let (number, tool) = (assignment.number, assignment.tool.clone());
        match self.begin(assignment) {
            Ok(()) => {
                tracing::info!(task = %number, attempt = name.attempt, %tool, "a run begins");
                self.announce(AgentEvent::Started { number, tool });
            }
            Err(reason) => {
                tracing::info!(task = %number, reason = reason.as_str(), "an assignment is declined");
                if reason == RefusalReason::DiskFull {
                    self.clean();
                }
                self.announce(AgentEvent::Refused { number, reason: reason.clone() });
                self.refusals.push(Refusal { attempt: name, reason });
            }
        }
    }

    fn begin(&mut self, assignment: Assignment) -> Result<(), RefusalReason> {
        self.take_settings();
        let of = |attempt: &Attempt| {
            let Assignment { tool, user_id, by_owner, .. } = &attempt.assignment;
            Running { tool: tool.clone(), user_id: *user_id, by_owner: *by_owner }
        };
        let running: Vec<_> = self.attempts.iter().filter(|attempt| attempt.is_running()).map(of).collect();
        let situation = Situation {
            settings: &self.settings,
            tools: &self.capabilities.tools,
            draining: self.draining || self.stopping.is_some(),
            running: &running,
            used: &self.used_today(),
            day_ends: self.control.ledger.day(SystemClock.now()).ends,
            isolation: self.capabilities.isolation.level,
            free_disk: self.machine.free_disk(),
            is_over_quota: self.is_over_quota(),
        };
        decide(&assignment, &situation)?;
        let settings = self.settings.tools.get(&assignment.tool).map(|section| section.settings.clone());
        let settings = settings.unwrap_or_default();
        let Some(adapter) = self.registry.get(&assignment.tool).map(Arc::clone) else {
            // `decide` has found it among the tools of this very registry.
            return Err(RefusalReason::ToolNotAllowed);
        };
        let wanted = Wanted::of(&assignment)?;
        let state = self.state_dir(&assignment, adapter.as_ref(), &settings);
        let begun = interrupted(self.storage.runs_dir(), &assignment);
        let adopted = begun.as_ref().map(|begun| begun.folder.clone());
        let mut folder = adopted.unwrap_or_else(|| RunFolder::of(self.storage.runs_dir(), &assignment));
        let mirror = wanted.as_ref().map(|wanted| self.storage.mirrors().git_dir_of(wanted));
        let how = How { state, mirror, adapter: adapter.as_ref(), settings: &settings };
        let mut start = self.start(&assignment, &folder, begun.as_ref(), &how)?;
        if begun.is_none_or(|begun| begun.folder.adopt(&assignment).is_err()) {
            if start.begun {
                // Cleaned up at this moment.
                folder = RunFolder::of(self.storage.runs_dir(), &assignment);
                start = self.start(&assignment, &folder, None, &how)?;
            }
            folder.create(&assignment).map_err(|error| {
                tracing::error!(%error, "the folder of a run cannot be made");
                RefusalReason::DiskFull
            })?;
        }
        let Start { plan, request, anew, begun } = start;
        let tree = wanted.map(|wanted| Tree {
            storage: Arc::clone(&self.storage),
            made: if begun { Checkout::read(folder.path()) } else { None },
            wanted,
        });
        let attempt = Attempt::begin(assignment, folder.clone(), SystemClock.now());
        if let Phase::Running { cancel, recalled, .. } = &attempt.phase {
            let run = Run {
                attempt: attempt.name(),
                plan,
                request,
                anew,
                tree,
                guard: self.guard.clone(),
                folder,
                tip: Arc::clone(&attempt.tip),
                grown: Arc::clone(&self.grown),
                cancel: cancel.clone(),
                recalled: Arc::clone(recalled),
                artifacts: self.settings.artifacts,
                shared: Shared::of(&attempt.assignment, &self.control.ledger),
            };
            let (tell, name) = (self.tell.clone(), attempt.name());
            self.tasks.spawn(async move {
                // A fault in a tool's parser costs that run, not its slot.
                let result = AssertUnwindSafe(run.carry_out()).catch_unwind().await;
                let result = Box::new(result.unwrap_or_else(|_| crashed(name)));
                // Only an agent that is over does not listen, and then the journal has it.
                drop(tell.send(Inner::Ended(result)).await);
            });
        }
        let by_owner = attempt.assignment.by_owner;
        self.attempts.push(attempt);
        if !by_owner {
            self.use_changed();
        }
        Ok(())
    }

    /// What a tool keeps between runs, by its account: the sessions of one login are not another's.
    fn state_dir(&self, assignment: &Assignment, adapter: &dyn Adapter, settings: &ToolSettings) -> PathBuf {
        let payer = adapter.payer(settings);
        let account = match payer.as_ref().map(|payer| payer.id.as_str()) {
            None => "none",
            Some(Account::OWN_LOGIN) => "own",
            Some(id) => id,
        };
        // What a tool keeps of somebody else's runs holds their words, and the owner's runs hold the owner's.
        let user = (!assignment.by_owner).then_some(assignment.user_id);
        self.storage.state_of(user, assignment.tool.as_str(), account)
    }

    /// How the run begins in this folder, and how once more if its tool has forgotten what was begun there.
    fn start(
        &self,
        assignment: &Assignment,
        folder: &RunFolder,
        begun: Option<&Interrupted>,
        how: &How<'_>,
    ) -> Result<Start, RefusalReason> {
        let How { state, mirror, adapter, settings } = how;
        let mut limits = assignment.limits.clone();
        limits.output_bytes.get_or_insert(self.settings.max_output_mb * 1024 * 1024);
        let level = isolation_of(assignment, &self.settings).max(Isolation::Own);
        let mut confinement = Confinement {
            network: assignment.network.clone(),
            by_owner: assignment.by_owner,
            ..self.settings.confinement(level, self.host.data_dir())
        };
        // What git keeps of a working tree lies in its mirror, which is this person's alone.
        confinement.write.extend(mirror.clone());
        let mut request = RunRequest {
            task_id: assignment.task_id,
            attempt: assignment.attempt,
            user_id: assignment.user_id,
            description: assignment.description.clone(),
            input: assignment.input.clone(),
            tool: assignment.tool.clone(),
            model: assignment.model.clone(),
            limits,
            session: assignment.resume_session.clone(),
            dirs: folder.dirs(state.clone()),
            confinement,
        };
        if let Some(begun) = begun {
            request.description = begun.begin_again(&assignment.description);
        }
        let mut anew = None;
        if let Some(session) = begun.and_then(|begun| begun.session(&assignment.tool, state)) {
            anew = Some(Anew { plan: adapter.plan(&request, settings)?, request: request.clone() });
            request.session = Some(session.to_owned());
            request.description = Interrupted::go_on(&assignment.description);
        }
        Ok(Start { plan: adapter.plan(&request, settings)?, request, anew, begun: begun.is_some() })
    }

    pub(super) fn run_ended(&mut self, result: AttemptResult) {
        let name = result.attempt;
        let Some(index) = self.find(name) else { return };
        let attempt = &mut self.attempts[index];
        let (number, by_owner) = (attempt.number(), attempt.assignment.by_owner);
        let Phase::Running { then, .. } = &attempt.phase else { return };
        let event = AgentEvent::ended(number, &result.outcome);
        match then {
            Then::Forget => self.let_go(name, Closing::Stale),
            Then::HandBack if matches!(result.outcome, Outcome::Cancelled { .. }) => {
                attempt.phase = Phase::HandingBack;
            }
            Then::Report | Then::HandBack => {
                attempt.phase = Phase::Finished { result: Box::new(result), sent: false };
                self.begin_upload(index);
            }
        }
        if !by_owner {
            self.use_changed();
        }
        tracing::info!(task = %number, attempt = name.attempt, "a run is over");
        self.announce(event);
    }

    /// Sends the files of a finished run on their way, where it has any.
    pub(super) fn begin_upload(&mut self, index: usize) {
        let (Some(client), attempt) = (self.client.clone(), &mut self.attempts[index]) else { return };
        let Phase::Finished { result, sent: false } = &attempt.phase else { return };
        let files = artifacts::attached(&result.outcome).to_vec();
        if files.is_empty() {
            return;
        }
        let cancel = self.alive.child_token();
        let (name, folder, tell) = (attempt.name(), attempt.folder.clone(), self.tell.clone());
        attempt.phase = Phase::Uploading { result: result.clone(), cancel: CancellationToken::clone(&cancel) };
        aside::spawn(&self.tasks, move || async move {
            let stored = upload::upload(client, name, folder, files, cancel.clone()).await;
            if !cancel.is_cancelled() {
                // Only an agent that is over does not listen; the next one uploads them again.
                drop(tell.send(Inner::Uploaded { attempt: name, stored }).await);
            }
        });
    }

    pub(super) fn files_stored(&mut self, name: AttemptRef, stored: Vec<Artifact>) {
        let Some(index) = self.find(name) else { return };
        let attempt = &mut self.attempts[index];
        let Phase::Uploading { result, .. } = &attempt.phase else { return };
        let mut result = result.clone();
        if artifacts::attached(&result.outcome) != stored {
            artifacts::attach(&mut result.outcome, stored);
            // The journal names files that are not there; told after a crash, that is the lesser evil.
            let (folder, result) = (attempt.folder.clone(), result.clone());
            self.tasks.spawn_blocking(move || {
                if let Err(error) = folder.write_result(&result) {
                    tracing::warn!(%error, "the result cannot be journalled anew");
                }
            });
        }
        attempt.phase = Phase::Finished { result, sent: false };
    }

    /// Nothing more will be told of this attempt. Its folder says so, and stays until it is old.
    pub(super) fn let_go(&mut self, name: AttemptRef, why: Closing) {
        let Some(index) = self.find(name) else { return };
        let attempt = self.attempts.remove(index);
        let failed = match &attempt.phase {
            Phase::Finished { result, .. } => is_failure(&result.outcome),
            Phase::Uploading { result, cancel } => {
                cancel.cancel();
                is_failure(&result.outcome)
            }
            Phase::Running { .. } | Phase::HandingBack => true,
        };
        if why == Closing::Acknowledged {
            self.announce(AgentEvent::Delivered { number: attempt.number() });
        }
        self.status_due = true;
        let tell = self.tell.clone();
        self.tasks.spawn_blocking(move || {
            if let Err(error) = attempt.folder.close(why, failed, SystemClock.now()) {
                // The next process tells it again, and is told again that it is not needed.
                tracing::warn!(%error, "the folder of a run cannot be closed");
            }
            if why == Closing::Acknowledged {
                swarm_model::crash::point("agent.ack.processed");
            }
            // Only an agent that is over does not listen.
            drop(tell.blocking_send(Inner::Closed));
        });
    }
}
