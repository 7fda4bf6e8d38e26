//! What is worth saying aloud to somebody who does not look at the page.

use swarm_model::change::EventKind;
use swarm_proto::client::ToViewer;

use super::{task, words};
use crate::strings::shell as text;

/// Something to say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct News {
    /// The words.
    pub words: String,
    /// Whether it is said at once, or with what else comes in the next seconds.
    pub is_urgent: bool,
}

/// What a frame brings that is worth saying.
pub fn news(frame: &ToViewer) -> Option<News> {
    let ToViewer::Event { event, task, worker } = frame else { return None };
    let about = |say: fn(i64, &str) -> String| {
        task.as_deref().map(|task| say(task.number.0, &words::title(&task::title(task))))
    };
    let (words, is_urgent) = match event.kind {
        EventKind::TaskCompleted => (about(text::task_done)?, false),
        EventKind::TaskFailed => (about(text::task_failed)?, true),
        EventKind::TaskWaiting => (about(text::task_waits)?, true),
        EventKind::WorkerOffline => (text::worker_offline(&worker.as_deref()?.machine_name), false),
        EventKind::WorkerOnline => (text::worker_online(&worker.as_deref()?.machine_name), false),
        _ => return None,
    };
    Some(News { words, is_urgent })
}

/// What is said of several things at once.
pub fn together(waiting: &[String]) -> String {
    const MOST: usize = 3;
    let said = waiting.iter().take(MOST).cloned().collect::<Vec<_>>().join(" ");
    match waiting.len().saturating_sub(MOST) {
        0 => said,
        more => format!("{said} {}", text::and_more(more as u64)),
    }
}

#[cfg(test)]
mod tests {
    use swarm_model::TaskStatus;

    use super::*;
    use crate::view::samples;

    fn frame(kind: EventKind, status: TaskStatus) -> ToViewer {
        ToViewer::Event { event: samples::event(kind), task: Some(Box::new(samples::task(12, status))), worker: None }
    }

    #[test]
    fn a_failure_is_said_at_once_and_a_start_not_at_all() {
        let failed = news(&frame(EventKind::TaskFailed, TaskStatus::Failed)).unwrap();
        assert_eq!((failed.words.as_str(), failed.is_urgent), ("Task 12 failed: Task number 12.", true));
        assert!(!news(&frame(EventKind::TaskCompleted, TaskStatus::Completed)).unwrap().is_urgent);
        assert_eq!(news(&frame(EventKind::TaskRunning, TaskStatus::Running)), None);
    }

    #[test]
    fn much_is_said_in_short() {
        let waiting: Vec<_> = (1..=5).map(|n| format!("Task {n} is done.")).collect();
        assert_eq!(together(&waiting), "Task 1 is done. Task 2 is done. Task 3 is done. 2 more.");
    }
}
