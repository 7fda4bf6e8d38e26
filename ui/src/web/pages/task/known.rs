//! What the page of a task knows of it, and how it learns more.

use leptos::prelude::*;
use leptos::task::spawn_local;
use swarm_model::TaskRef;
use swarm_proto::tasks::{Attempt, Placement, Task, TaskArtifact};

use crate::strings::task as text;
use crate::web::live::Live;

/// What the page knows of its task.
#[derive(Clone, Copy)]
pub(super) struct Known {
    pub(super) live: Live,
    pub(super) name: TaskRef,
    pub(super) task: RwSignal<Option<Task>>,
    pub(super) attempts: RwSignal<Vec<Attempt>>,
    pub(super) artifacts: RwSignal<Vec<TaskArtifact>>,
    pub(super) placement: RwSignal<Option<Placement>>,
    pub(super) failure: RwSignal<Option<String>>,
    is_reading: StoredValue<bool>,
    must_read_again: StoredValue<bool>,
}

impl Known {
    pub(super) fn new(live: Live, name: TaskRef) -> Self {
        Self {
            live,
            name,
            task: RwSignal::new(None),
            attempts: RwSignal::new(Vec::new()),
            artifacts: RwSignal::new(Vec::new()),
            placement: RwSignal::new(None),
            failure: RwSignal::new(None),
            is_reading: StoredValue::new(false),
            must_read_again: StoredValue::new(false),
        }
    }

    /// Reads everything; what happens meanwhile leads to one more reading.
    pub(super) fn read(self) {
        if self.is_reading.try_get_value().unwrap_or(true) {
            self.must_read_again.try_set_value(true);
            return;
        }
        self.is_reading.set_value(true);
        self.failure.set(None);
        spawn_local(async move {
            loop {
                self.must_read_again.try_set_value(false);
                self.read_once().await;
                if !self.must_read_again.try_get_value().unwrap_or(false) {
                    break;
                }
            }
            self.is_reading.try_set_value(false);
        });
    }

    async fn read_once(self) {
        let client = self.live.client();
        let (task, attempts, artifacts, placement) = futures_util::join!(
            client.task(self.name),
            client.task_attempts(self.name),
            client.task_artifacts(self.name),
            client.placement(self.name),
        );
        match task {
            Ok(task) => self.hear(task),
            Err(error) if error.code() == Some(swarm_proto::ErrorCode::NotFound) => {
                self.failure.try_set(Some(text::no_such(&self.name.to_string())));
            }
            Err(error) => {
                self.failure.try_set(Some(self.live.words_of(&error)));
            }
        }
        // What stands beside the log may lag behind; the next event reads it again.
        if let Ok(attempts) = attempts {
            self.attempts.try_set(attempts.items);
        }
        if let Ok(artifacts) = artifacts {
            self.artifacts.try_set(artifacts.items);
        }
        if let Ok(placement) = placement {
            self.placement.try_set(Some(placement));
        }
    }

    /// Takes in the task as it was told. Frames tell no result, so that one is kept.
    pub(super) fn hear(self, mut told: Task) {
        self.task.try_update(|task| match task {
            Some(known) if known.version > told.version => {}
            known => {
                told.result = told.result.take().or_else(|| known.as_ref().and_then(|known| known.result.clone()));
                *known = Some(told);
            }
        });
    }

    pub(super) fn machine(self) -> Option<String> {
        let worker = self.task.with(|task| task.as_ref().and_then(|task| task.worker_id))?;
        Some(self.live.swarm.with(|swarm| swarm.machine_name(worker)))
    }
}
