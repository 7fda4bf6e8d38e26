//! The agent at work: one task that owns every attempt in hand, and never waits for anything but the next
//! thing that happens.
//!
//! Runs write their lines into journals, the link moves frames; what is told when is decided here. Frames are
//! made only when the link has room for one, so that a slow coordinator is never a growing queue. Invariant:
//! an attempt is in hand from its accepted assignment until its end is acknowledged, refused or disowned, and
//! all that time it is named in `hello` and heartbeats.

mod incoming;
mod outgoing;
mod runs;
mod status;

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use swarm_client::{ClientError, WorkerClient};
use swarm_model::task::Artifact;
use swarm_model::time::SystemClock;
use swarm_model::tool::ToolInfo;
use swarm_model::worker::{AttemptRef, Capabilities, ProvenIsolation};
use swarm_model::{BootId, Clock as _, Isolation, Timestamp, WorkerId};
use swarm_proto::worker::{AttemptResult, Refusal, ToCoordinator};
use swarm_tools::isolation::measure;
use swarm_tools::{GuardBinary, Registry};
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use self::outgoing::Link;
use crate::aside;
use crate::attempt::{Attempt, Then};
use crate::control::{Control, LinkStatus, used_today};
use crate::disk::{Cleaned, Storage};
use crate::host::Host;
use crate::identity::Identity;
use crate::journal::Recovered;
use crate::ledger::{DayUse, Used};
use crate::link::{self, LinkEvent};
use crate::machine::{Machine, as_allowed, free_disk};
use crate::policy::offered;
use crate::settings::{SandboxSection, Settings};

/// How often the tools are looked at.
const DETECT_EVERY: Duration = Duration::from_secs(30);
/// How often old folders of runs are removed.
const CLEAN_EVERY: Duration = Duration::from_hours(1);
/// How long an agent that stops waits for the last acknowledgements, and for runs to end that it ended.
const LAST_WORDS: Duration = Duration::from_secs(5);
/// What happened and was not yet looked at.
const INBOX: usize = 64;

/// What the agent's own tasks tell it.
#[derive(Debug)]
enum Inner {
    /// A run is over.
    Ended(Box<AttemptResult>),
    /// The files of a run are where they belong.
    Uploaded { attempt: AttemptRef, stored: Vec<Artifact> },
    /// The tools were looked at.
    Tools(Vec<ToolInfo>),
    /// A folder of a run is closed, so that it may go.
    Closed,
    /// What was too much is removed; and what is left, where there is a quota.
    Cleaned { used: Option<u64> },
    /// The sandbox was tried with these settings of it.
    Isolation(SandboxSection, ProvenIsolation),
}

/// The agent is on its way out.
#[derive(Debug, Clone, Copy)]
struct Stopping {
    /// Until then runs may go on.
    recall_at: Instant,
    /// Then it is over, whatever is missing.
    over_at: Instant,
}

/// The agent at work.
#[derive(Debug)]
pub(crate) struct Core {
    host: Arc<dyn Host>,
    settings: Arc<Settings>,
    /// Tells when the settings change.
    preferences: watch::Receiver<Arc<Settings>>,
    registry: Registry,
    guard: GuardBinary,
    storage: Arc<Storage>,
    machine: Machine,
    capabilities: Capabilities,
    boot_id: BootId,
    attempts: Vec<Attempt>,
    refusals: Vec<Refusal>,
    link: Link,
    client: Option<WorkerClient>,
    /// What the coordinator was told of the owner's pause, and whether it was told of the capabilities.
    told_paused: bool,
    told_capabilities: bool,
    /// The coordinator's pause and its order to finish.
    paused: bool,
    draining: bool,
    drain: Duration,
    stopping: Option<Stopping>,
    clean_at: Instant,
    /// Whether a clean-up is at work, and whether another one is due behind it.
    is_cleaning: bool,
    clean_again: bool,
    /// Bytes of all that is kept, as far as is known; only where there is a quota.
    disk_used: Option<u64>,
    /// When the daily bounds of other people begin anew.
    day_ends: Timestamp,
    tell: mpsc::Sender<Inner>,
    inbox: mpsc::Receiver<Inner>,
    grown: Arc<Notify>,
    tasks: TaskTracker,
    /// Ends with the agent.
    alive: CancellationToken,
    control: Control,
    status_due: bool,
}

impl Core {
    #[expect(clippy::too_many_arguments, reason = "these are the parts of an agent, put together once")]
    pub(crate) fn new(
        host: Arc<dyn Host>,
        registry: Registry,
        machine: Machine,
        capabilities: Capabilities,
        boot_id: BootId,
        recovered: Vec<Recovered>,
        control: Control,
        drain: Duration,
    ) -> Self {
        let (tell, inbox) = mpsc::channel(INBOX);
        let (now, since) = (Instant::now(), SystemClock.now());
        let preferences = control.settings.watch();
        let settings = control.settings.current();
        let mut core = Self {
            guard: host.guard_binary(),
            storage: Arc::clone(&control.storage),
            host,
            settings,
            preferences,
            registry,
            machine,
            capabilities,
            boot_id,
            attempts: recovered.into_iter().map(|recovered| Attempt::recovered(recovered, since)).collect(),
            refusals: Vec::new(),
            link: Link::Down,
            client: None,
            told_paused: false,
            told_capabilities: false,
            paused: false,
            draining: false,
            drain,
            stopping: None,
            clean_at: now,
            is_cleaning: false,
            clean_again: false,
            disk_used: None,
            day_ends: control.ledger.day(since).ends,
            tell,
            inbox,
            grown: Arc::new(Notify::new()),
            tasks: TaskTracker::new(),
            alive: CancellationToken::new(),
            control,
            status_due: true,
        };
        core.watch_tools();
        // They may have changed while the machine joined.
        core.apply_settings();
        core
    }

    pub(crate) fn capabilities(&self) -> &Capabilities {
        &self.capabilities
    }

    pub(crate) fn set_joined(&mut self, worker_id: WorkerId, coordinator: String) {
        self.control.status.send_modify(|status| {
            status.worker_id = Some(worker_id);
            status.coordinator = Some(coordinator);
        });
    }

    /// Works until `shutdown` and its aftermath, or until the coordinator refuses this worker: then its runs
    /// still go on, and it can live again with another client or be abandoned.
    pub(crate) async fn live(&mut self, client: WorkerClient, shutdown: &CancellationToken) -> Result<(), ClientError> {
        let (tell, mut links) = mpsc::channel(INBOX);
        let stop_link = self.alive.child_token();
        let _stop_link_at_the_end = stop_link.clone().drop_guard();
        let link = {
            let client = client.clone();
            aside::spawn(&self.tasks, move || link::keep(client, tell, stop_link))
        };
        self.client = Some(client);
        self.upload_recovered();
        while !self.is_over() {
            let now = Instant::now();
            let (room, wake) = (self.link.room(self.wants_to_send(now)), self.next_wake(now));
            tokio::select! {
                () = shutdown.cancelled(), if self.stopping.is_none() => self.begin_to_stop(),
                Some(event) = links.recv() => self.take_link_event(event)?,
                Some(inner) = self.inbox.recv() => self.take(inner),
                Ok(()) = self.preferences.changed() => self.take_settings(),
                () = self.grown.notified() => self.status_due |= self.progress_changed(),
                room = room => match room {
                    Ok(permit) => self.send(permit),
                    Err(_) => self.link = Link::Down,
                },
                () = sleep_until(wake) => self.keep_time(),
            }
            self.publish();
        }
        // The link sends what it was given, says goodbye and ends. Until then `links` must stay: an answer that
        // nobody takes would end it at once.
        self.link = Link::Down;
        self.alive.cancel();
        self.tasks.close();
        drop(tokio::time::timeout(LAST_WORDS, async { (link.await, self.tasks.wait().await) }).await);
        Ok(())
    }

    /// Ends every run and forgets it: nobody wants the results any more.
    pub(crate) async fn abandon(&mut self) {
        self.link = Link::Down;
        let named: Vec<_> = self.attempts.iter().filter(|attempt| attempt.is_running()).map(Attempt::name).collect();
        for attempt in named {
            self.disown(attempt);
        }
        let ended = async {
            while self.attempts.iter().any(Attempt::is_running) {
                match self.inbox.recv().await {
                    Some(inner) => self.take(inner),
                    None => break,
                }
            }
        };
        if tokio::time::timeout(LAST_WORDS, ended).await.is_err() {
            tracing::warn!("runs did not end in time; their guards end them");
        }
        self.publish();
        self.alive.cancel();
        self.tasks.close();
        drop(tokio::time::timeout(LAST_WORDS, self.tasks.wait()).await);
    }

    fn take(&mut self, inner: Inner) {
        self.status_due = true;
        match inner {
            Inner::Ended(result) => self.run_ended(*result),
            Inner::Uploaded { attempt, stored } => self.files_stored(attempt, stored),
            Inner::Tools(tools) => {
                // What was switched off while they were looked at stays off.
                let tools = as_allowed(&self.settings, tools);
                self.offer(Capabilities { tools, ..self.capabilities.clone() });
            }
            Inner::Closed if self.settings.max_disk().is_some() => self.clean(),
            Inner::Closed => {}
            Inner::Cleaned { used } => {
                (self.is_cleaning, self.disk_used) = (false, used);
                if std::mem::take(&mut self.clean_again) {
                    self.clean();
                }
            }
            // Of older settings it says nothing.
            Inner::Isolation(tried, isolation) if tried == self.settings.sandbox => {
                self.offer(Capabilities { isolation, ..self.capabilities.clone() });
            }
            Inner::Isolation(..) => {}
        }
    }

    /// The settings as they are now; every decision is made by those.
    fn take_settings(&mut self) {
        let settings = Arc::clone(&self.preferences.borrow_and_update());
        if !Arc::ptr_eq(&settings, &self.settings) {
            let before = std::mem::replace(&mut self.settings, settings);
            let same_quota = before.max_disk_mb == self.settings.max_disk_mb;
            if before.sandbox != self.settings.sandbox {
                self.try_sandbox();
            }
            self.apply_settings();
            if !same_quota {
                self.clean();
            }
        }
    }

    /// A sandbox that shows other things must prove itself anew, and until then there is none.
    fn try_sandbox(&mut self) {
        self.offer(Capabilities { isolation: ProvenIsolation::default(), ..self.capabilities.clone() });
        let (tell, alive, guard) = (self.tell.clone(), self.alive.clone(), self.guard.clone());
        let (settings, data_dir) = (Arc::clone(&self.settings), self.host.data_dir().to_owned());
        let attempt = async move {
            let proven = measure(&guard, &data_dir, &settings.confinement(Isolation::Sandbox, &data_dir)).await;
            // Only an agent that is over does not listen.
            drop(tell.send(Inner::Isolation(settings.sandbox.clone(), proven)).await);
        };
        self.tasks.spawn(async move { alive.run_until_cancelled(attempt).await });
    }

    /// Brings what the coordinator is told into line with the settings.
    fn apply_settings(&mut self) {
        let mut capabilities = self.capabilities.clone();
        capabilities.slots = self.settings.slots();
        capabilities.labels.clone_from(&self.settings.labels);
        capabilities.tools = as_allowed(&self.settings, capabilities.tools);
        self.offer(capabilities);
        self.status_due = true;
    }

    /// Tells the coordinator what changed of what this machine brings.
    fn offer(&mut self, mut capabilities: Capabilities) {
        capabilities.grants = offered(&self.settings, &self.used_today());
        if capabilities != self.capabilities {
            self.capabilities = capabilities;
            self.told_capabilities = false;
        }
    }

    /// What other people used today, with what runs now.
    fn used_today(&self) -> DayUse {
        let mut used = self.control.ledger.today(SystemClock.now());
        let others = self.attempts.iter().filter(|attempt| attempt.is_running() && !attempt.assignment.by_owner);
        for attempt in others.filter(|attempt| !self.control.ledger.has(attempt.name())) {
            let key = (attempt.assignment.user_id, attempt.assignment.tool.clone());
            let Used { runs, .. } = used.entry(key).or_default();
            *runs += 1;
        }
        used
    }

    /// A run of somebody else began or ended.
    fn use_changed(&mut self) {
        if !self.settings.grants.is_empty() {
            self.offer(self.capabilities.clone());
        }
        self.status_due = true;
    }

    /// Another day: what was used up is there again, and what was counted is forgotten.
    fn begin_day(&mut self) {
        let now = SystemClock.now();
        let day_ends = self.control.ledger.day(now).ends;
        if day_ends == self.day_ends {
            return;
        }
        self.day_ends = day_ends;
        self.use_changed();
        let in_hand: HashSet<_> = self.attempts.iter().map(Attempt::name).collect();
        let ledger = Arc::clone(&self.control.ledger);
        self.tasks.spawn_blocking(move || {
            if let Err(error) = ledger.prune(&in_hand, now) {
                tracing::warn!(%error, "what others used on earlier days cannot be forgotten");
            }
        });
    }

    fn begin_to_stop(&mut self) {
        let recall_at = Instant::now() + self.drain;
        self.stopping = Some(Stopping { recall_at, over_at: recall_at + LAST_WORDS });
        self.link.drain_begun();
        self.status_due = true;
        if self.attempts.iter().any(Attempt::is_running) {
            tracing::info!(drain_ms = self.drain.as_millis() as u64, "stopping; runs may end by themselves until then");
        }
    }

    /// What is due by the clock.
    fn keep_time(&mut self) {
        let now = Instant::now();
        if self.stopping.is_some_and(|stopping| now >= stopping.recall_at) {
            for attempt in &mut self.attempts {
                attempt.recall(Then::HandBack);
            }
        }
        if self.link.is_silent(now) {
            tracing::warn!("the coordinator has not answered for a whole lease; connecting anew");
            self.link = Link::Down;
            self.status_due = true;
        }
        if now >= self.clean_at {
            self.clean();
        }
        self.begin_day();
    }

    fn next_wake(&self, now: Instant) -> Instant {
        let recall = self.stopping.map(|stopping| {
            let recalled = stopping.recall_at <= now;
            if recalled { stopping.over_at } else { stopping.recall_at }
        });
        let words_wait = self.progress_changed() || self.attempts.iter().any(Attempt::has_lines);
        // By the machine's clock, which may be set: it is looked at every hour besides.
        let day = now + self.day_ends.since(SystemClock.now()).min(CLEAN_EVERY) + Duration::from_millis(1);
        let due = [Some(self.clean_at), Some(day), recall, self.link.next_due(now, words_wait)];
        due.into_iter().flatten().min().unwrap_or(self.clean_at)
    }

    /// Whether an agent that stops has nothing left to do, or no more time for it.
    fn is_over(&self) -> bool {
        let Some(stopping) = self.stopping else { return false };
        let runs = self.attempts.iter().any(Attempt::is_running);
        let unsaid = !self.refusals.is_empty() || !self.attempts.is_empty() || self.link.owes_drain();
        // What is journalled is told by the next process; there is nothing to wait for without a connection.
        let is_done = !(runs || unsaid && self.link.is_up());
        is_done || Instant::now() >= stopping.over_at
    }

    /// Removes folders that nobody needs, in the background.
    fn clean(&mut self) {
        self.clean_at = Instant::now() + CLEAN_EVERY;
        if std::mem::replace(&mut self.is_cleaning, true) {
            self.clean_again = true;
            return;
        }
        let (storage, settings, tell) = (Arc::clone(&self.storage), Arc::clone(&self.settings), self.tell.clone());
        let floor = settings.min_free_disk_mb * 1024 * 1024;
        self.tasks.spawn_blocking(move || {
            let has_room = || free_disk(storage.runs_dir()).is_none_or(|free| free >= floor);
            let cleaned = storage.clean(&settings, has_room, SystemClock.now()).unwrap_or_else(|error| {
                tracing::warn!(%error, "folders of runs cannot be removed");
                Cleaned::default()
            });
            if cleaned.n_removed > 0 {
                tracing::info!(n_removed = cleaned.n_removed, "old folders are removed");
            }
            // Only an agent that is over does not listen.
            drop(tell.blocking_send(Inner::Cleaned { used: cleaned.used }));
        });
    }

    /// Whether what is kept takes all that the owner allows.
    fn is_over_quota(&self) -> bool {
        self.disk_used.zip(self.settings.max_disk()).is_some_and(|(used, max)| used >= max)
    }

    /// Looks at the tools now and then, and at once where their settings change; no program is started for that
    /// while they stay the same.
    fn watch_tools(&mut self) {
        let (registry, tell) = (self.registry.clone(), self.tell.clone());
        let (mut preferences, mut settings) = (self.preferences.clone(), Arc::clone(&self.settings));
        let alive = self.alive.clone();
        let watch = async move {
            loop {
                let is_time = tokio::time::timeout(DETECT_EVERY, preferences.changed()).await;
                if matches!(is_time, Ok(Err(_))) {
                    return;
                }
                let now = Arc::clone(&preferences.borrow_and_update());
                let same = now.tools == settings.tools;
                settings = now;
                if same && is_time.is_ok() {
                    continue;
                }
                let tools = registry.detect_all(&settings.of_tools()).await;
                if tell.send(Inner::Tools(tools)).await.is_err() {
                    return;
                }
            }
        };
        self.tasks.spawn(async move { alive.run_until_cancelled(watch).await });
    }

    fn find(&self, attempt: AttemptRef) -> Option<usize> {
        self.attempts.iter().position(|known| known.name() == attempt)
    }

    /// Files of earlier processes may not have got there; the coordinator keeps each content once.
    fn upload_recovered(&mut self) {
        for index in 0..self.attempts.len() {
            self.begin_upload(index);
        }
    }

    /// A frame for the permit, made now.
    fn send(&mut self, permit: mpsc::OwnedPermit<ToCoordinator>) {
        if let Some(frame) = self.next_frame() {
            drop(permit.send(frame));
        }
    }

    fn take_link_event(&mut self, event: LinkEvent) -> Result<(), ClientError> {
        self.status_due = true;
        match event {
            LinkEvent::Opened(outbox) => self.link = Link::opened(outbox),
            LinkEvent::Frame(frame) => self.take_frame(*frame),
            LinkEvent::Down(error) => {
                let reason =
                    std::error::Error::source(&error).map_or_else(|| error.to_string(), |s| format!("{error} ({s})"));
                tracing::warn!(reason, "not connected to the coordinator; runs go on");
                self.link = Link::Down;
                self.set_link_status(LinkStatus::Waiting { reason });
            }
            LinkEvent::Moved(address) => {
                // Unkept, it is found again in the same way.
                if let Err(error) = Identity::keep_address(self.host.data_dir(), &address.to_string()) {
                    tracing::warn!(error = &error as &dyn std::error::Error, "the new address cannot be kept");
                }
                self.control.status.send_modify(|status| status.coordinator = Some(address.to_string()));
            }
            LinkEvent::Refused(error) => {
                self.link = Link::Down;
                return Err(error);
            }
        }
        Ok(())
    }
}
