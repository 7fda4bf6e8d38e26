//! A worker as a door: a pane of light for each run, slats for what is closed, and a sentence below.

use swarm_model::tool::{ToolHealth, ToolInfo};
use swarm_model::{TaskNumber, WorkerStatus};
use swarm_proto::status::AccountLimit;
use swarm_proto::workers::Worker;

use super::limits;
use super::swarm::Swarm;
use super::words::{self, Moment};
use crate::strings::workers as text;

/// How a door stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Stand {
    /// Up, with light in it.
    Working,
    /// Up and dark.
    Ready,
    /// Half down.
    Paused,
    /// Shut, with a broken outline.
    Offline,
}

impl Stand {
    /// The name in the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::Working => "working",
            Self::Ready => "ready",
            Self::Paused => "paused",
            Self::Offline => "offline",
        }
    }
}

/// One slot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pane {
    /// A run of the viewer's.
    Own(TaskNumber),
    /// A run that is not the viewer's to see.
    Other,
    /// Free.
    Free,
}

/// A worker, drawn.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Door {
    /// How it stands.
    pub stand: Stand,
    /// Its slots, as many as can be drawn.
    pub panes: Vec<Pane>,
    /// What people call it.
    pub name: String,
    /// What it is doing, in a few words.
    pub sentence: String,
}

/// The most panes that can be told apart in a door.
const MOST_PANES: usize = 8;

/// How a worker stands.
pub fn stand(worker: &Worker) -> Stand {
    match worker.status {
        WorkerStatus::Offline | WorkerStatus::Suspended => Stand::Offline,
        _ if worker.running > 0 => Stand::Working,
        WorkerStatus::Paused | WorkerStatus::Draining => Stand::Paused,
        WorkerStatus::Online | WorkerStatus::Busy => Stand::Ready,
    }
}

/// A worker, drawn.
pub fn door(worker: &Worker, swarm: &Swarm, moment: Moment) -> Door {
    let own: Vec<_> = swarm.runs_on(worker.worker_id).map(|task| Pane::Own(task.number)).collect();
    let n_running = (worker.running as usize).max(own.len());
    let n_slots = (worker.capabilities.slots as usize).max(n_running).min(MOST_PANES);
    let is_connected = !matches!(worker.status, WorkerStatus::Offline | WorkerStatus::Suspended);
    let panes = own
        .into_iter()
        .chain(std::iter::repeat_n(Pane::Other, MOST_PANES))
        .take(n_running.min(n_slots))
        .chain(std::iter::repeat_n(Pane::Free, MOST_PANES))
        .take(n_slots)
        .filter(|_| is_connected)
        .collect();
    let stand = if is_connected && n_running > 0 { Stand::Working } else { stand(worker) };
    let counted = Worker { running: n_running as u32, ..worker.clone() };
    Door { stand, panes, name: worker.machine_name.clone(), sentence: short(&counted, moment) }
}

/// "2 of 2 busy"; under a door.
fn short(worker: &Worker, moment: Moment) -> String {
    match worker.status {
        WorkerStatus::Online | WorkerStatus::Busy if worker.running == 0 => {
            text::ready(worker.capabilities.slots.into())
        }
        WorkerStatus::Online | WorkerStatus::Busy => text::busy(worker.running, worker.capabilities.slots),
        _ => sentence(worker, moment),
    }
}

/// What it is doing and why; in the list.
pub fn sentence(worker: &Worker, moment: Moment) -> String {
    let last = worker.last_heartbeat.map(|at| words::clock(at, moment));
    match worker.status {
        WorkerStatus::Online | WorkerStatus::Busy => {
            let n_free = worker.capabilities.slots.saturating_sub(worker.running);
            if worker.running == 0 {
                text::ready(n_free.into())
            } else {
                text::working(worker.running.into(), n_free.into())
            }
        }
        WorkerStatus::Paused => {
            let who = match (worker.pauses.by_coordinator, worker.pauses.by_owner) {
                (true, true) => text::PAUSED_BOTH,
                (_, true) => text::PAUSED_THERE,
                _ => text::PAUSED_HERE,
            };
            text::paused(who, worker.running.into())
        }
        WorkerStatus::Draining => text::draining(worker.running.into()),
        WorkerStatus::Suspended => text::ASLEEP.to_owned(),
        WorkerStatus::Offline => last.map_or_else(|| text::NEVER_HEARD.to_owned(), |last| text::offline_since(&last)),
    }
}

/// What the machine is: "linux · x86_64 · 16 cores, 64 GB".
pub fn machine(worker: &Worker) -> String {
    let it = &worker.capabilities;
    let system = match it.os.as_str() {
        "macos" => "macOS",
        "ios" => "iOS",
        "linux" => "Linux",
        "windows" => "Windows",
        "android" => "Android",
        other => other,
    };
    let size: Vec<_> = [
        (it.cpus > 0).then(|| words::counted(it.cpus.into(), "core", "cores")),
        (it.memory_mb > 0).then(|| words::memory(it.memory_mb)),
    ]
    .into_iter()
    .flatten()
    .collect();
    let parts = [system.to_owned(), it.arch.clone(), size.join(", ")];
    parts.into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" · ")
}

/// How a tool is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Health {
    /// It can be used.
    Ready,
    /// Somebody must sign it in.
    NeedsLogin,
    /// It is not there.
    Missing,
    /// Its owner has not switched it on.
    NotAllowed,
}

/// A tool of a worker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tool {
    /// As people write it.
    pub name: String,
    /// Its version.
    pub version: String,
    /// How it is.
    pub health: Health,
    /// The same in a word; empty where it is ready.
    pub word: &'static str,
    /// What the owner can do about it; empty where it is ready.
    pub fix: String,
    /// The limit that its account is at.
    pub limit: Option<String>,
}

/// How a tool is: as a sign, in a word that is empty where it is ready, and what the owner can do about it.
pub(super) fn health(health: &ToolHealth) -> (Health, &'static str, String) {
    match health {
        ToolHealth::Ready => (Health::Ready, "", String::new()),
        ToolHealth::NeedsLogin { fix } => (Health::NeedsLogin, text::SIGNED_OUT, fix.clone()),
        ToolHealth::Missing { fix } => (Health::Missing, text::NOT_FOUND, fix.clone()),
        ToolHealth::NotAllowed => (Health::NotAllowed, text::NOT_ALLOWED, text::NOT_ALLOWED_FIX.to_owned()),
    }
}

/// A tool in words.
pub fn tool(tool: &ToolInfo) -> Tool {
    let (health, word, fix) = health(&tool.health);
    let version = tool.version.clone().unwrap_or_default();
    Tool { name: words::tool(tool.name.as_str()), version, health, word, fix, limit: None }
}

/// The tools, those that can be used first, with the limits that their accounts are at.
pub fn tools(worker: &Worker, standing: &[AccountLimit], moment: Moment) -> Vec<Tool> {
    let one = |info: &ToolInfo| {
        let account = info.account.as_ref().filter(|_| info.health.is_ready()).map(|account| account.label.as_str());
        let limit = limits::of_tool(standing, worker.worker_id, &info.name, account);
        Tool { limit: limit.map(|limit| words::capital(&limits::in_words(limit, moment))), ..tool(info) }
    };
    let mut tools: Vec<_> = worker.capabilities.tools.iter().map(one).collect();
    tools.sort_by_key(|tool| tool.health != Health::Ready);
    tools
}

/// The headline of the list: "3 of 6 machines are working, 1 slot is free".
pub fn headline(workers: &[Worker]) -> String {
    if workers.is_empty() {
        return text::NO_MACHINE.to_owned();
    }
    let n_working = workers.iter().filter(|worker| stand(worker) == Stand::Working).count();
    let n_free: u32 = workers
        .iter()
        .filter(|worker| worker.status == WorkerStatus::Online)
        .map(|worker| worker.capabilities.slots.saturating_sub(worker.running))
        .sum();
    text::headline(n_working as u64, workers.len() as u64, n_free.into())
}

#[cfg(test)]
mod tests {
    use swarm_model::TaskStatus;
    use swarm_model::worker::Pauses;

    use super::*;
    use crate::view::samples::{self, MOMENT, ago};

    #[test]
    fn a_lit_pane_is_a_run_and_only_ones_own_have_a_number() {
        let worker = Worker { running: 2, status: WorkerStatus::Busy, ..samples::worker("workbench") };
        let mut swarm = Swarm::default();
        swarm.learn([samples::task(12, TaskStatus::Running)]);
        let door = door(&worker, &swarm, MOMENT);
        assert_eq!(door.panes, [Pane::Own(TaskNumber(12)), Pane::Other]);
        assert_eq!((door.stand, door.sentence.as_str()), (Stand::Working, "2 of 2 busy"));
    }

    #[test]
    fn a_run_lights_its_pane_before_the_worker_was_counted_anew() {
        let mut swarm = Swarm::default();
        swarm.learn([samples::task(12, TaskStatus::Running)]);
        let door = door(&samples::worker("workbench"), &swarm, MOMENT);
        assert_eq!(door.panes, [Pane::Own(TaskNumber(12)), Pane::Free]);
        assert_eq!(door.stand, Stand::Working);
        assert_eq!(door.sentence, "1 of 2 busy");
    }

    #[test]
    fn a_door_says_why_it_is_shut() {
        let says = |status, running, pauses| {
            let worker = Worker { status, running, pauses, last_heartbeat: Some(ago(3600)), ..samples::worker("a") };
            sentence(&worker, MOMENT)
        };
        let none = Pauses::default();
        assert_eq!(says(WorkerStatus::Online, 0, none), "Ready, 2 slots free");
        assert_eq!(says(WorkerStatus::Online, 1, none), "Working on 1 task, 1 slot free");
        assert_eq!(says(WorkerStatus::Busy, 2, none), "Working on 2 tasks, no slot free");
        assert_eq!(says(WorkerStatus::Paused, 0, Pauses { by_owner: true, ..none }), "Paused on the machine itself");
        assert_eq!(
            says(WorkerStatus::Paused, 1, Pauses { by_coordinator: true, ..none }),
            "Paused here; 1 task goes on"
        );
        assert_eq!(says(WorkerStatus::Draining, 1, none), "Finishes 1 task and takes nothing new");
        assert_eq!(says(WorkerStatus::Offline, 0, none), "Offline since 14:31");
    }

    #[test]
    fn many_slots_do_not_become_slivers() {
        let mut worker = samples::worker("big");
        worker.capabilities.slots = 64;
        assert_eq!(door(&worker, &Swarm::default(), MOMENT).panes.len(), 8);
        worker.status = WorkerStatus::Offline;
        assert!(door(&worker, &Swarm::default(), MOMENT).panes.is_empty());
    }

    #[test]
    fn the_headline_counts() {
        let busy = Worker { running: 1, ..samples::worker("a") };
        assert_eq!(headline(&[busy.clone(), samples::worker("b")]), "1 of 2 machines is working, 3 slots are free");
        assert_eq!(headline(&[]), "No machine has joined yet");
        assert_eq!(headline(&[samples::worker("b")]), "No machine is working, 2 slots are free");
    }

    #[test]
    fn what_can_be_used_comes_first_and_the_rest_says_what_to_do() {
        let mut worker = samples::worker("a");
        let fix = "install it".to_owned();
        worker.capabilities.tools.insert(0, samples::tool("ollama", ToolHealth::Missing { fix: fix.clone() }));
        let tools = tools(&worker, &[], MOMENT);
        assert_eq!(tools.iter().map(|tool| tool.name.as_str()).collect::<Vec<_>>(), ["Demo", "Ollama"]);
        assert_eq!((tools[1].word, &tools[1].fix), ("not found", &fix));
        assert_eq!(machine(&worker), "Linux · x86_64 · 8 cores, 16 GB");
    }
}
