//! What waits: ready tasks in classes.
//!
//! Tasks that ask for the same (person, queue, tool, model, machine) form a class and stand in it by priority
//! and age. A household has a handful of classes however many tasks wait, so a claim looks at classes, never
//! at tasks.

use std::cmp::Reverse;
use std::collections::{BTreeSet, HashMap};

use swarm_model::course::Course;
use swarm_model::task::{Priority, Queue, Requirements, TaskInput, TaskSpec};
use swarm_model::{Isolation, TaskNumber, ToolName, UserId, WorkerId};

use crate::fleet::GroupId;

/// What tasks of a class have in common.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(crate) struct ClassKey {
    pub(crate) user: UserId,
    pub(crate) queue: Queue,
    pub(crate) tool: Option<ToolName>,
    pub(crate) model: Option<String>,
    pub(crate) requirements: RequirementsKey,
    /// Machines that declined or could not do it, in order.
    pub(crate) avoid: Vec<WorkerId>,
    /// The machine that has its session.
    pub(crate) pin: Option<WorkerId>,
}

/// [`Requirements`] as a hashable value.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Default)]
pub(crate) struct RequirementsKey {
    pub(crate) memory_mb: u64,
    pub(crate) os: Option<String>,
    pub(crate) labels: Vec<(String, String)>,
    /// What is asked for; a network by list can only be had in a sandbox.
    pub(crate) isolation: Option<Isolation>,
}

impl From<&Requirements> for RequirementsKey {
    fn from(requirements: &Requirements) -> Self {
        Self {
            memory_mb: requirements.memory_mb,
            os: requirements.os.clone(),
            labels: requirements.labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
            isolation: requirements.isolation,
        }
    }
}

impl ClassKey {
    /// The class of a task of `user` with `spec` that has come so far and must not go to `avoid`.
    pub(crate) fn of(user: UserId, spec: &TaskSpec, course: Option<&Course>, avoid: &[WorkerId]) -> Self {
        let resume = course.and_then(|course| course.resume.as_ref());
        let key = Self::of_entry(user, spec, course.map_or(0, |course| course.entry), avoid);
        match resume {
            // A session goes on with its own tool.
            Some(resume) => Self { tool: Some(resume.tool.clone()), pin: Some(resume.worker_id), ..key },
            None => key,
        }
    }

    /// The class that it would be in with this entry of its cascade.
    pub(crate) fn of_entry(user: UserId, spec: &TaskSpec, entry: u32, avoid: &[WorkerId]) -> Self {
        let (tool, model) = spec.way(entry);
        // A command that names no tool can only be for the command tool.
        let tool = match (tool, &spec.input) {
            (None, TaskInput::Command { .. }) => ToolName::COMMAND.parse().ok(),
            (tool, _) => tool.cloned(),
        };
        let mut requirements = RequirementsKey::from(&spec.requirements);
        if spec.network.is_some() {
            requirements.isolation = requirements.isolation.max(Some(Isolation::Sandbox));
        }
        Self {
            user,
            queue: spec.queue,
            tool,
            model: model.map(str::to_owned),
            requirements,
            avoid: avoid.to_vec(),
            pin: None,
        }
    }

    /// The only machine that it may go to, where there is but one.
    pub(crate) fn only(&self) -> Option<WorkerId> {
        match self.queue {
            Queue::Worker { worker_id } => Some(worker_id),
            Queue::User | Queue::Global => self.pin,
        }
    }

    /// A person's worker tasks come before their own queue, and that before the global one.
    fn rank(&self) -> u8 {
        match self.queue {
            Queue::Worker { .. } => 0,
            Queue::User => 1,
            Queue::Global => 2,
        }
    }
}

/// A handle of a class.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) struct ClassId(usize);

/// Tasks that ask for the same, with the groups of machines that fit.
#[derive(Debug)]
pub(crate) struct Class {
    pub(crate) key: ClassKey,
    ready: BTreeSet<(Reverse<Priority>, TaskNumber)>,
    /// Groups that fit, with their points for matching; valid for one generation of groups.
    pub(crate) fitting: Vec<(GroupId, u32, ToolName)>,
    pub(crate) fitting_generation: Option<u64>,
}

impl Class {
    /// The task that is next in this class.
    pub(crate) fn first(&self) -> Option<TaskNumber> {
        self.ready.first().map(|(_, number)| *number)
    }
}

/// Empty classes are kept for the next task of their kind, up to this many.
const KEPT_EMPTY: usize = 256;

/// Every ready task.
#[derive(Debug, Default)]
pub(crate) struct ReadyQueue {
    classes: Vec<Option<Class>>,
    free_ids: Vec<usize>,
    by_key: HashMap<ClassKey, ClassId>,
    /// Classes with at least one task, by person.
    active: HashMap<UserId, Vec<ClassId>>,
    len: usize,
}

impl ReadyQueue {
    /// How many tasks are ready.
    pub(crate) fn len(&self) -> usize {
        self.len
    }

    /// The class for `key`, made if it is new.
    pub(crate) fn class_for(&mut self, key: ClassKey) -> ClassId {
        if let Some(id) = self.by_key.get(&key) {
            return *id;
        }
        if self.by_key.len() >= KEPT_EMPTY {
            self.drop_empty();
        }
        let class = Class { key: key.clone(), ready: BTreeSet::new(), fitting: Vec::new(), fitting_generation: None };
        let id = if let Some(index) = self.free_ids.pop() {
            self.classes[index] = Some(class);
            ClassId(index)
        } else {
            self.classes.push(Some(class));
            ClassId(self.classes.len() - 1)
        };
        self.by_key.insert(key, id);
        id
    }

    fn drop_empty(&mut self) {
        for index in 0..self.classes.len() {
            if self.classes[index].as_ref().is_some_and(|class| class.ready.is_empty())
                && let Some(class) = self.classes[index].take()
            {
                self.by_key.remove(&class.key);
                self.free_ids.push(index);
            }
        }
    }

    pub(crate) fn class(&self, id: ClassId) -> Option<&Class> {
        self.classes.get(id.0).and_then(Option::as_ref)
    }

    pub(crate) fn class_mut(&mut self, id: ClassId) -> Option<&mut Class> {
        self.classes.get_mut(id.0).and_then(Option::as_mut)
    }

    /// Puts a task into the class of `key`.
    pub(crate) fn insert(&mut self, key: ClassKey, priority: Priority, number: TaskNumber) {
        let user = key.user;
        let id = self.class_for(key);
        let Some(class) = self.class_mut(id) else { return };
        let was_empty = class.ready.is_empty();
        if class.ready.insert((Reverse(priority), number)) {
            self.len += 1;
        }
        if was_empty {
            self.active.entry(user).or_default().push(id);
        }
    }

    /// Takes a task out; `false` where it was not ready.
    pub(crate) fn remove(&mut self, key: &ClassKey, priority: Priority, number: TaskNumber) -> bool {
        let Some(id) = self.by_key.get(key).copied() else { return false };
        let Some(class) = self.class_mut(id) else { return false };
        if !class.ready.remove(&(Reverse(priority), number)) {
            return false;
        }
        let user = class.key.user;
        let is_empty = class.ready.is_empty();
        self.len -= 1;
        if is_empty && let Some(active) = self.active.get_mut(&user) {
            active.retain(|other| *other != id);
            if active.is_empty() {
                self.active.remove(&user);
            }
        }
        true
    }

    /// People with something ready.
    pub(crate) fn users(&self) -> impl Iterator<Item = UserId> + '_ {
        self.active.keys().copied()
    }

    /// A person's classes in the order of their turn: worker, user, global; then priority; then age.
    pub(crate) fn classes_of(&self, user: UserId) -> Vec<ClassId> {
        let mut classes: Vec<_> = self
            .active
            .get(&user)
            .into_iter()
            .flatten()
            .filter_map(|id| self.class(*id).and_then(|class| Some((class.key.rank(), class.ready.first()?, *id))))
            .collect();
        if classes.len() > 1 {
            classes.sort_by_key(|(rank, first, _)| (*rank, **first));
        }
        classes.into_iter().map(|(_, _, id)| id).collect()
    }

    /// How many ready tasks of the same person come before this one.
    pub(crate) fn ahead(&self, user: UserId, key: &ClassKey, priority: Priority, number: TaskNumber) -> u64 {
        let place = (key.rank(), (Reverse(priority), number));
        let classes = self.active.get(&user).into_iter().flatten().filter_map(|id| self.class(*id));
        let before =
            |class: &Class| class.ready.iter().filter(|task| (class.key.rank(), **task) < place).count() as u64;
        classes.map(before).sum()
    }
}
