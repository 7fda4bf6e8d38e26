//! Which logs are followed, and who hears what they bring.
//!
//! A task may have several followers, each from a number of its own: the coordinator is asked from the lowest one, and
//! everybody passes over what they have. After the socket broke, each log goes on behind what came last.

use std::collections::HashMap;
use std::rc::Rc;

use swarm_model::TaskId;
use swarm_model::log::LogEntry;
use swarm_proto::client::{FromViewer, ToViewer};

use super::live::Live;

/// What a followed log brings.
#[derive(Debug, Clone)]
pub(crate) enum LogNews {
    /// Entries, in order and without gaps.
    Entries(Vec<LogEntry>),
    /// The beginning is no longer kept.
    Gone,
    /// It cannot be followed, and why.
    Refused(String),
}

pub(super) type Follower = Rc<dyn Fn(LogNews)>;

/// The logs that are followed.
#[derive(Default)]
pub(super) struct Follows {
    tasks: HashMap<TaskId, Followed>,
    count: u64,
}

struct Followed {
    seen: u64,
    followers: Vec<(u64, Follower)>,
}

impl Follows {
    fn add(&mut self, task: TaskId, after: u64, follower: Follower) -> (u64, FromViewer) {
        self.count += 1;
        let followed = self.tasks.entry(task).or_insert(Followed { seen: after, followers: Vec::new() });
        followed.seen = followed.seen.min(after);
        followed.followers.push((self.count, follower));
        (self.count, FromViewer::Follow { task: task.to_string(), after: followed.seen })
    }

    fn remove(&mut self, task: TaskId, id: u64) -> Option<FromViewer> {
        let followed = self.tasks.get_mut(&task)?;
        followed.followers.retain(|(other, _)| *other != id);
        if !followed.followers.is_empty() {
            return None;
        }
        self.tasks.remove(&task);
        Some(FromViewer::Unfollow { task: task.to_string() })
    }

    /// What to say on a new socket.
    pub(super) fn again(&self) -> Vec<FromViewer> {
        let follow = |(task, followed): (&TaskId, &Followed)| FromViewer::Follow {
            task: task.to_string(),
            after: followed.seen,
        };
        self.tasks.iter().map(follow).collect()
    }

    /// Who is to hear what of these frames.
    pub(super) fn hear(&mut self, frames: &[ToViewer]) -> Vec<(Follower, LogNews)> {
        let mut calls = Vec::new();
        for frame in frames {
            let (task, news) = match frame {
                ToViewer::Log { task_id, entries } => (Some(*task_id), LogNews::Entries(entries.clone())),
                ToViewer::Gone { task_id: Some(task_id) } => (Some(*task_id), LogNews::Gone),
                ToViewer::Refused { task, detail } => (task.parse().ok(), LogNews::Refused(detail.clone())),
                _ => continue,
            };
            let Some(followed) = task.and_then(|task| self.tasks.get_mut(&task)) else { continue };
            if let LogNews::Entries(entries) = &news
                && let Some(last) = entries.last()
            {
                followed.seen = last.seq;
            }
            calls.extend(followed.followers.iter().map(|(_, follower)| (Rc::clone(follower), news.clone())));
        }
        calls
    }
}

impl Live {
    /// Follows a log behind a number until the caller's part of the page goes.
    pub(crate) fn follow(self, task: TaskId, after: u64, follower: impl Fn(LogNews) + 'static) {
        let Some(inner) = self.inner() else { return };
        let (id, frame) = inner.follows.borrow_mut().add(task, after, Rc::new(follower));
        say(&inner, frame);
        self.at_end(move |inner| {
            let frame = inner.follows.borrow_mut().remove(task, id);
            if let Some(frame) = frame {
                say(inner, frame);
            }
        });
    }
}

/// Says it where the socket is open; a new socket says it anyway.
fn say(inner: &super::live::Inner, frame: FromViewer) {
    if let Some(out) = &*inner.out.borrow() {
        out.unbounded_send(frame).unwrap_or_default();
    }
}
