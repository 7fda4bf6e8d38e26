//! The first page: a sentence that says how things are, and the steps of a first run.

use std::collections::BTreeSet;

use swarm_model::{TaskStatus, ToolName, WorkerStatus};
use swarm_proto::tasks::Task;
use swarm_proto::workers::Worker;

use super::door::{self, Stand};
use super::swarm::Swarm;
use super::words;
use crate::strings::home as text;

/// The sentence at the top.
pub fn sentence(swarm: &Swarm) -> String {
    let n_runs = swarm.runs().count() as u64;
    let n_machines = swarm.runs().filter_map(|task| task.worker_id).collect::<BTreeSet<_>>().len() as u64;
    let n_queued = swarm.count(TaskStatus::Queued);
    let n_waiting = swarm.in_states(&[TaskStatus::Waiting]).filter(|task| needs_you(task)).count() as u64;
    let mut sentence = if n_runs > 0 {
        text::runs(n_runs, n_machines)
    } else if n_queued > 0 {
        text::only_queued(n_queued)
    } else {
        text::NOTHING_RUNS.to_owned()
    };
    if n_waiting > 0 {
        sentence.push(' ');
        sentence.push_str(&text::wait_for_you(n_waiting));
    }
    sentence
}

fn needs_you(task: &Task) -> bool {
    super::task::state(task).glyph == super::task::Glyph::WaitsForYou
}

/// Why it is so, and what comes next.
pub fn reason(swarm: &Swarm) -> String {
    let workers = swarm.workers.as_deref().unwrap_or_default();
    let n_queued = swarm.count(TaskStatus::Queued);
    let mut parts = Vec::new();
    if swarm.is_paused() {
        parts.push(text::PAUSED.to_owned());
    } else if n_queued > 0 && swarm.runs().next().is_some() {
        parts.push(text::queue_behind(n_queued));
    }
    let connected: Vec<_> = workers.iter().filter(|worker| is_connected(worker)).collect();
    if connected.is_empty() && !workers.is_empty() {
        parts.push(text::ALL_OFFLINE.to_owned());
    } else if swarm.runs().next().is_none() && n_queued == 0 {
        let ready: Vec<_> = connected.iter().filter(|worker| worker.status == WorkerStatus::Online).collect();
        let tools = ready_tools(ready.iter().map(|worker| **worker));
        if !ready.is_empty() {
            parts.push(text::machines_ready(ready.len() as u64, &listed(&tools)));
        }
    }
    parts.extend(named(workers, |worker| worker.status == WorkerStatus::Paused, text::are_paused));
    if !connected.is_empty() {
        parts.extend(named(workers, |worker| door::stand(worker) == Stand::Offline, text::are_offline));
    }
    parts.join(" ")
}

fn is_connected(worker: &Worker) -> bool {
    door::stand(worker) != Stand::Offline
}

fn named(workers: &[Worker], is_meant: impl Fn(&Worker) -> bool, say: fn(&str, usize) -> String) -> Option<String> {
    let names: Vec<_> =
        workers.iter().filter(|worker| is_meant(worker)).map(|worker| worker.machine_name.clone()).collect();
    match names.len() {
        0 => None,
        n @ 1..=3 => Some(say(&listed(&names), n)),
        n => Some(say(&words::capital(&words::counted(n as u64, "machine", "machines")), n)),
    }
}

/// "a, b and c".
fn listed(names: &[String]) -> String {
    match names {
        [] => String::new(),
        [one] => one.clone(),
        [before @ .., last] => text::and(&before.join(", "), last),
    }
}

/// What prompts can be given to, as people write it.
fn ready_tools<'a>(workers: impl Iterator<Item = &'a Worker>) -> Vec<String> {
    let tools: BTreeSet<_> = workers
        .flat_map(|worker| &worker.capabilities.tools)
        .filter(|tool| tool.health.is_ready())
        .map(|tool| tool.name.clone())
        .collect();
    ToolName::PROMPT_PREFERENCE
        .iter()
        .filter(|name| tools.iter().any(|tool| tool.as_str() == **name))
        .map(|name| words::tool(name))
        .collect()
}

/// Where a step of the first run stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    /// Behind one.
    Done,
    /// The one to take.
    Now,
    /// Comes later, but can be taken.
    Ahead,
}

impl Step {
    /// The name in the style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Self::Done => "done",
            Self::Now => "now",
            Self::Ahead => "ahead",
        }
    }
}

/// The steps of a first run.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FirstRun {
    /// A machine is connected.
    pub machine: Step,
    /// The demonstration was seen.
    pub demo: Step,
    /// A tool that is no demonstration is ready.
    pub tool: Step,
    /// A second machine has joined.
    pub second: Step,
}

/// The steps of a first run; `None` where somebody is at home here already.
pub fn first_run(swarm: &Swarm) -> Option<FirstRun> {
    const ENOUGH: u64 = 5;
    let is_demo = |task: &Task| task.tool.as_ref().is_some_and(|tool| tool.as_str() == ToolName::DEMO);
    if swarm.count_all() > ENOUGH || swarm.tasks().any(|task| !is_demo(task)) {
        return None;
    }
    let workers = swarm.workers.as_deref().unwrap_or_default();
    let done = [
        workers.iter().any(is_connected),
        swarm.tasks().any(|task| is_demo(task) && task.status == TaskStatus::Completed),
        !real_tools(workers).is_empty(),
        workers.len() > 1,
    ];
    let now = done.iter().position(|done| !done);
    let step = |n: usize| match (done.get(n), now) {
        (Some(true), _) => Step::Done,
        (_, Some(now)) if now == n => Step::Now,
        _ => Step::Ahead,
    };
    Some(FirstRun { machine: step(0), demo: step(1), tool: step(2), second: step(3) })
}

/// The tools that take prompts and are no demonstration.
pub fn real_tools(workers: &[Worker]) -> Vec<String> {
    let mut tools = ready_tools(workers.iter().filter(|worker| is_connected(worker)));
    tools.retain(|tool| *tool != words::tool(ToolName::DEMO));
    tools
}

/// The headline of the first run.
pub fn first_headline(steps: FirstRun) -> &'static str {
    match (steps.machine, steps.demo, steps.tool) {
        (Step::Done, Step::Done, Step::Done) => text::FIRST_ALL_SET,
        (Step::Done, Step::Done, _) => text::FIRST_WORKS,
        (Step::Done, _, _) => text::FIRST_READY,
        _ => text::FIRST_NO_MACHINE,
    }
}

#[cfg(test)]
mod tests {
    use swarm_model::WorkerStatus;
    use swarm_model::tool::ToolHealth;
    use swarm_proto::status::SwarmStatus;

    use super::Step::{Ahead, Done, Now};
    use super::*;
    use crate::view::samples;

    fn swarm(tasks: Vec<Task>, workers: Vec<Worker>, queued: u64) -> Swarm {
        let mut swarm = Swarm::default();
        let tasks_by_status = [("queued".to_owned(), queued), ("completed".to_owned(), 0)].into();
        swarm.status = Some(SwarmStatus { tasks: tasks_by_status, ..samples::status() });
        swarm.learn(tasks);
        swarm.learn_workers(workers);
        swarm
    }

    #[test]
    fn the_sentence_counts_runs_and_machines() {
        let elsewhere =
            Task { worker_id: Some(samples::worker("attic").worker_id), ..samples::task(3, TaskStatus::Running) };
        let tasks = vec![samples::task(1, TaskStatus::Running), samples::task(2, TaskStatus::Assigned), elsewhere];
        let swarm = swarm(tasks, vec![samples::worker("workbench")], 2);
        assert_eq!(sentence(&swarm), "Three runs are going on two machines.");
        assert_eq!(reason(&swarm), "Two tasks wait in the queue.");
    }

    #[test]
    fn an_idle_swarm_says_what_it_could_do() {
        let mut worker = samples::worker("workbench");
        worker.capabilities.tools.push(samples::tool("claude-code", ToolHealth::Ready));
        let paused = Worker { status: WorkerStatus::Paused, ..samples::worker("laptop") };
        let gone = Worker { status: WorkerStatus::Offline, ..samples::worker("tower") };
        let swarm = swarm(Vec::new(), vec![worker, paused, gone], 0);
        assert_eq!(sentence(&swarm), "Nothing is running.");
        assert_eq!(
            reason(&swarm),
            "One machine is ready with Claude Code and Demo. laptop is paused. tower is offline."
        );
    }

    #[test]
    fn a_queue_that_stands_says_why() {
        let gone = Worker { status: WorkerStatus::Offline, ..samples::worker("tower") };
        let swarm = swarm(vec![samples::task(1, TaskStatus::Queued)], vec![gone], 1);
        assert_eq!(sentence(&swarm), "One task waits in the queue; nothing is running.");
        assert_eq!(reason(&swarm), "Every machine is offline; tasks wait until one is back.");
    }

    #[test]
    fn the_first_run_goes_step_by_step() {
        let demo = |status| Task { tool: Some("demo".parse().unwrap()), ..samples::task(1, status) };
        let steps =
            |tasks, workers| first_run(&swarm(tasks, workers, 0)).map(|s| [s.machine, s.demo, s.tool, s.second]);
        assert_eq!(steps(vec![], vec![]), Some([Now, Ahead, Ahead, Ahead]));
        assert_eq!(steps(vec![], vec![samples::worker("a")]), Some([Done, Now, Ahead, Ahead]));
        assert_eq!(steps(vec![demo(TaskStatus::Running)], vec![samples::worker("a")]), Some([Done, Now, Ahead, Ahead]));
        assert_eq!(
            steps(vec![demo(TaskStatus::Completed)], vec![samples::worker("a")]),
            Some([Done, Done, Now, Ahead])
        );
        assert_eq!(steps(vec![samples::task(1, TaskStatus::Queued)], vec![samples::worker("a")]), None, "a real task");
    }
}
