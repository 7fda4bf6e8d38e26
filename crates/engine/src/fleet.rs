//! Who can take work: connected workers, grouped by what they can do.
//!
//! Machines with the same owner, sharing, tools and build form a group. Within a group only freeness differs,
//! so the best machine of a group stands first in an ordered set, and a claim looks at groups, not at machines.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};

use swarm_model::change::AccountLimit;
use swarm_model::isolation::demanded;
use swarm_model::task::Queue;
use swarm_model::tool::{Account, ToolInfo};
use swarm_model::worker::{Capabilities, LeaseTerms, Load, Pauses, ShareLimits, ToolGrant, isolation_too_low};
use swarm_model::{Isolation, TaskNumber, Timestamp, ToolName, UserId, WorkerId, WorkerStatus};

use crate::budgets::Ledger;
use crate::fairness::{Faded, WORKER_HALF_LIFE};
use crate::limits::Limits;
use crate::queue::ClassKey;
use crate::score::{self, Score};

/// What the coordinator knows of a worker that joins.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerProfile {
    /// Which worker.
    pub worker_id: WorkerId,
    /// What people call it.
    pub machine_name: String,
    /// Whose it is.
    pub owner: UserId,
    /// Whether it takes everyone's global tasks.
    pub shared: bool,
    /// People beside the owner who may send tasks to it, and within which bounds.
    pub operators: BTreeMap<UserId, ShareLimits>,
    /// What it brings.
    pub capabilities: Capabilities,
    /// Whether somebody paused it.
    pub pauses: Pauses,
    /// Whether a person asked it to finish and take nothing new.
    pub draining: bool,
    /// Whether assignments can be pushed (a socket), or are pulled one by one (HTTP).
    pub push: bool,
    /// How long its leases live without a report.
    pub terms: LeaseTerms,
}

impl WorkerProfile {
    /// Whether `user` may send tasks of `queue` to it.
    pub(crate) fn admits(&self, user: UserId, queue: Queue) -> bool {
        let by_role = self.owner == user || self.operators.contains_key(&user);
        match queue {
            Queue::Worker { worker_id } => worker_id == self.worker_id && (by_role || self.shared),
            Queue::User => by_role,
            Queue::Global => self.shared,
        }
    }

    /// Whether `user` may use a tool here: as its owner; else where the machine grants it to them, within what is
    /// shared with them.
    pub fn may_use(&self, user: UserId, tool: &ToolName) -> bool {
        self.owner == user
            || (self.capabilities.grant_for(user, tool).is_some()
                && self.operators.get(&user).is_none_or(|limits| limits.admits(tool)))
    }

    /// Whether it keeps a run of a tool for `user` as far away as is demanded.
    fn isolates(&self, user: UserId, tool: &ToolName, asked: Option<Isolation>) -> bool {
        self.capabilities.isolation.level >= demanded(tool, asked, self.owner == user)
    }

    /// Whether a task of this class may run with a tool here.
    fn may_run(&self, key: &ClassKey, tool: &ToolName) -> bool {
        self.may_use(key.user, tool) && self.isolates(key.user, tool, key.requirements.isolation)
    }

    /// How many runs of `tool` for `user` the machine grants at once, as it counts itself.
    fn granted_slots(&self, user: UserId, tool: &ToolName) -> Option<u32> {
        if self.owner == user { None } else { self.capabilities.grant_for(user, tool)?.slots }
    }

    /// How many runs for `user`, with whatever tool, are shared with them at once.
    fn shared_slots(&self, user: UserId) -> Option<u32> {
        if self.owner == user { None } else { self.operators.get(&user)?.slots }
    }

    /// Whether more than one person may send tasks to it, so that turns matter.
    pub(crate) fn is_contended(&self) -> bool {
        self.shared || !self.operators.is_empty()
    }
}

/// A worker as it is now, for people.
#[derive(Debug, Clone, PartialEq)]
pub struct WorkerView {
    /// What is known of it.
    pub profile: WorkerProfile,
    /// What it is doing.
    pub status: WorkerStatus,
    /// Runs it holds leases for.
    pub running: u32,
    /// The same by tool.
    pub by_tool: BTreeMap<ToolName, u32>,
    /// How busy the machine is.
    pub load: Load,
    /// When it last reported.
    pub last_seen: Timestamp,
}

impl WorkerView {
    /// How many more runs of a tool for `user` have a slot now. What is shared with them may be less.
    pub fn free_for(&self, user: UserId, tool: &ToolInfo) -> u32 {
        let takes_work = self.status == WorkerStatus::Online && tool.health.is_ready();
        let may_use = self.profile.may_use(user, &tool.name) && self.profile.isolates(user, &tool.name, None);
        if !takes_work || !may_use {
            return 0;
        }
        let free = self.profile.capabilities.slots.saturating_sub(self.running);
        let running = self.by_tool.get(&tool.name).copied().unwrap_or(0);
        tool.max_concurrent.map_or(free, |most| free.min(most.saturating_sub(running)))
    }
}

/// A handle of a group.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(crate) struct GroupId(usize);

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct GroupKey {
    owner: UserId,
    shared: bool,
    operators: Vec<(UserId, ShareLimits)>,
    grants: Vec<ToolGrant>,
    isolation: Isolation,
    tools: Vec<(ToolName, Vec<String>)>,
    os: String,
    memory_mb: u64,
    labels: Vec<(String, String)>,
}

/// Machines that differ only in how free they are.
#[derive(Debug)]
struct Group {
    tools: Vec<ToolInfo>,
    profile: WorkerProfile,
    members: usize,
    /// Members with a free slot, the freest first.
    free: BTreeSet<(Reverse<u32>, WorkerId)>,
}

/// A worker that holds leases or is connected.
#[derive(Debug)]
pub(crate) struct Member {
    pub(crate) profile: WorkerProfile,
    pub(crate) load: Load,
    pub(crate) last_seen: Timestamp,
    /// The end of its leases unless it reports.
    pub(crate) deadline: Timestamp,
    /// Whether it is there now, or only its leases are.
    pub(crate) connected: bool,
    /// Whether a pull waits for a task (HTTP workers).
    pub(crate) pulls: bool,
    pub(crate) tasks: BTreeSet<TaskNumber>,
    by_tool: BTreeMap<ToolName, u32>,
    by_user: BTreeMap<(UserId, ToolName), u32>,
    recent: Faded,
    group: GroupId,
    place: Option<u32>,
}

impl Member {
    fn free_slots(&self) -> u32 {
        self.profile.capabilities.slots.saturating_sub(self.tasks.len() as u32)
    }

    fn can_take(&self) -> bool {
        self.connected
            && !self.profile.pauses.any()
            && !self.profile.draining
            && (self.profile.push || self.pulls)
            && self.free_slots() > 0
    }

    /// Whether one more run of `tool` is within the tool's own limit.
    fn has_room_for(&self, tool: &ToolName) -> bool {
        let limit =
            self.profile.capabilities.tools.iter().find(|info| info.name == *tool).and_then(|info| info.max_concurrent);
        limit.is_none_or(|limit| self.by_tool.get(tool).copied().unwrap_or(0) < limit)
    }

    /// Whether one more run of `tool` for `user` is within what is shared with them.
    fn has_share_for(&self, user: UserId, tool: &ToolName) -> bool {
        let profile = &self.profile;
        let theirs = || self.by_user.iter().filter(move |((of, _), _)| *of == user);
        let with_tool = || theirs().filter(|((_, with), _)| with == tool).map(|(_, count)| count).sum::<u32>();
        let in_all = || theirs().map(|(_, count)| count).sum::<u32>();
        profile.granted_slots(user, tool).is_none_or(|limit| with_tool() < limit)
            && profile.shared_slots(user).is_none_or(|limit| in_all() < limit)
    }

    fn status(&self) -> WorkerStatus {
        if !self.connected {
            WorkerStatus::Offline
        } else if self.profile.draining {
            WorkerStatus::Draining
        } else if self.profile.pauses.any() {
            WorkerStatus::Paused
        } else if self.free_slots() == 0 {
            WorkerStatus::Busy
        } else {
            WorkerStatus::Online
        }
    }
}

/// Every worker that is connected or holds leases.
#[derive(Debug, Default)]
pub(crate) struct Fleet {
    members: HashMap<WorkerId, Member>,
    groups: Vec<Option<Group>>,
    free_ids: Vec<usize>,
    by_key: HashMap<GroupKey, GroupId>,
    /// Changes whenever a group comes or goes, so that classes look again which groups fit.
    generation: u64,
    n_free: usize,
    touched: BTreeSet<WorkerId>,
    limits: Limits,
    budgets: Ledger,
}

fn group_key(profile: &WorkerProfile) -> GroupKey {
    let ready = profile.capabilities.tools.iter().filter(|tool| tool.health.is_ready());
    GroupKey {
        owner: profile.owner,
        shared: profile.shared,
        operators: profile.operators.iter().map(|(user, limits)| (*user, limits.clone())).collect(),
        grants: profile.capabilities.grants.clone(),
        isolation: profile.capabilities.isolation.level,
        tools: ready.map(|tool| (tool.name.clone(), tool.models.clone())).collect(),
        os: profile.capabilities.os.clone(),
        memory_mb: profile.capabilities.memory_mb,
        labels: profile.capabilities.labels.iter().map(|(key, value)| (key.clone(), value.clone())).collect(),
    }
}

impl Fleet {
    pub(crate) fn member(&self, worker: WorkerId) -> Option<&Member> {
        self.members.get(&worker)
    }

    pub(crate) fn members(&self) -> impl Iterator<Item = &Member> {
        self.members.values()
    }

    /// Limits of the accounts that its tools use.
    pub(crate) fn limits(&self) -> &Limits {
        &self.limits
    }

    pub(crate) fn limits_mut(&mut self) -> &mut Limits {
        &mut self.limits
    }

    /// Budgets on which runs draw.
    pub(crate) fn budgets(&self) -> &Ledger {
        &self.budgets
    }

    pub(crate) fn budgets_mut(&mut self) -> &mut Ledger {
        &mut self.budgets
    }

    /// Whose allowance a tool of a worker uses.
    pub(crate) fn account_of(&self, worker: WorkerId, tool: &ToolName) -> Option<Account> {
        account_of(&self.members.get(&worker)?.profile, tool)
    }

    /// How many workers have a free slot.
    pub(crate) fn n_free(&self) -> usize {
        self.n_free
    }

    pub(crate) fn generation(&self) -> u64 {
        self.generation
    }

    /// Workers whose view changed since the last call.
    pub(crate) fn take_touched(&mut self) -> BTreeSet<WorkerId> {
        std::mem::take(&mut self.touched)
    }

    pub(crate) fn view(&self, worker: WorkerId) -> Option<WorkerView> {
        self.members.get(&worker).map(|member| WorkerView {
            profile: member.profile.clone(),
            status: member.status(),
            running: member.tasks.len() as u32,
            by_tool: member.by_tool.clone(),
            load: member.load,
            last_seen: member.last_seen,
        })
    }

    /// Gives every worker a full period from now on.
    pub(crate) fn extend_leases(&mut self, now: Timestamp) {
        for member in self.members.values_mut() {
            member.deadline = member.deadline.max(member.profile.terms.deadline(now));
        }
    }

    /// Adds a worker, or replaces what is known of it; the leases it holds stay.
    pub(crate) fn join(&mut self, profile: WorkerProfile, connected: bool, now: Timestamp) {
        let worker = profile.worker_id;
        let group = self.group_for(&profile);
        let deadline = profile.terms.deadline(now);
        if let Some(member) = self.members.get_mut(&worker) {
            let old = member.group;
            member.profile = profile;
            member.connected = connected;
            member.last_seen = now;
            member.deadline = deadline;
            if old != group {
                self.leave_group(worker, old);
                // A class for one machine remembers that machine's group.
                self.generation += 1;
                if let Some(member) = self.members.get_mut(&worker) {
                    member.group = group;
                }
                self.count_in(group);
            }
        } else {
            let member = Member {
                profile,
                load: Load::default(),
                last_seen: now,
                deadline,
                connected,
                pulls: false,
                tasks: BTreeSet::new(),
                by_tool: BTreeMap::new(),
                by_user: BTreeMap::new(),
                recent: Faded::default(),
                group,
                place: None,
            };
            self.members.insert(worker, member);
            self.count_in(group);
            self.generation += 1;
        }
        self.replace(worker, now);
    }

    fn count_in(&mut self, group: GroupId) {
        if let Some(Some(group)) = self.groups.get_mut(group.0) {
            group.members += 1;
        }
    }

    fn leave_group(&mut self, worker: WorkerId, id: GroupId) {
        let place = self.members.get_mut(&worker).and_then(|member| member.place.take());
        let Some(Some(group)) = self.groups.get_mut(id.0) else { return };
        if let Some(place) = place
            && group.free.remove(&(Reverse(place), worker))
        {
            self.n_free -= 1;
        }
        group.members -= 1;
        if group.members == 0 {
            let key = group_key(&group.profile);
            self.by_key.remove(&key);
            self.groups[id.0] = None;
            self.free_ids.push(id.0);
            self.generation += 1;
        }
    }

    fn group_for(&mut self, profile: &WorkerProfile) -> GroupId {
        let key = group_key(profile);
        if let Some(id) = self.by_key.get(&key) {
            return *id;
        }
        let group = Group {
            tools: profile.capabilities.tools.clone(),
            profile: profile.clone(),
            members: 0,
            free: BTreeSet::new(),
        };
        let id = if let Some(index) = self.free_ids.pop() {
            self.groups[index] = Some(group);
            GroupId(index)
        } else {
            self.groups.push(Some(group));
            GroupId(self.groups.len() - 1)
        };
        self.by_key.insert(key, id);
        self.generation += 1;
        id
    }

    /// Changes a worker and puts it into its new place.
    pub(crate) fn change(&mut self, worker: WorkerId, now: Timestamp, change: impl FnOnce(&mut Member)) -> bool {
        let Some(member) = self.members.get_mut(&worker) else { return false };
        change(member);
        self.replace(worker, now);
        true
    }

    /// Forgets a worker; gives back the tasks it held.
    pub(crate) fn remove(&mut self, worker: WorkerId) -> BTreeSet<TaskNumber> {
        let Some(group) = self.members.get(&worker).map(|member| member.group) else { return BTreeSet::new() };
        self.leave_group(worker, group);
        self.touched.insert(worker);
        self.members.remove(&worker).map(|member| member.tasks).unwrap_or_default()
    }

    /// A worker takes a task of `user`.
    pub(crate) fn take(&mut self, worker: WorkerId, number: TaskNumber, user: UserId, tool: &ToolName, now: Timestamp) {
        self.change(worker, now, |member| {
            member.tasks.insert(number);
            *member.by_tool.entry(tool.clone()).or_insert(0) += 1;
            *member.by_user.entry((user, tool.clone())).or_insert(0) += 1;
            member.pulls = false;
            member.recent.add(crate::fairness::CLAIM_COST, now, WORKER_HALF_LIFE);
        });
    }

    /// A worker no longer has a task, which took `span` of its slot.
    pub(crate) fn give_back(
        &mut self,
        worker: WorkerId,
        number: TaskNumber,
        user: UserId,
        tool: &ToolName,
        span: std::time::Duration,
        now: Timestamp,
    ) {
        self.change(worker, now, |member| {
            if member.tasks.remove(&number) {
                count_down(&mut member.by_tool, tool);
                count_down(&mut member.by_user, &(user, tool.clone()));
            }
            member.recent.add(span.saturating_sub(crate::fairness::CLAIM_COST), now, WORKER_HALF_LIFE);
        });
    }

    /// Freeness of a member: the parts of the score that do not depend on the task.
    fn freeness(member: &Member, now: Timestamp) -> (u32, u32) {
        let availability = score::availability(member.free_slots(), member.profile.capabilities.slots, member.load);
        (availability, score::balance(member.recent.value(now, WORKER_HALF_LIFE)))
    }

    fn replace(&mut self, worker: WorkerId, now: Timestamp) {
        self.touched.insert(worker);
        let Some(member) = self.members.get_mut(&worker) else { return };
        let place = member.can_take().then(|| {
            let (availability, balance) = Self::freeness(member, now);
            availability + balance
        });
        if place == member.place {
            return;
        }
        let old = std::mem::replace(&mut member.place, place);
        let Some(Some(group)) = self.groups.get_mut(member.group.0) else { return };
        if let Some(old) = old
            && group.free.remove(&(Reverse(old), worker))
        {
            self.n_free -= 1;
        }
        if let Some(place) = place
            && group.free.insert((Reverse(place), worker))
        {
            self.n_free += 1;
        }
    }

    /// Groups that fit a class, with points for matching and the tool to use.
    pub(crate) fn fitting(&self, key: &ClassKey) -> Vec<(GroupId, u32, ToolName)> {
        // A task for one machine fits that machine's group only; whether the machine itself is free is seen later.
        let only = key.only().map(|worker| self.members.get(&worker).map(|member| member.group));
        let group_of = |(index, group): (usize, &Option<Group>)| {
            let group = group.as_ref()?;
            let id = GroupId(index);
            if only.is_some_and(|only| only != Some(id)) {
                return None;
            }
            let admitted = match key.queue {
                Queue::Worker { worker_id } => self.members.get(&worker_id)?.profile.admits(key.user, key.queue),
                Queue::User | Queue::Global => group.profile.admits(key.user, key.queue),
            };
            if !admitted || !meets(&group.profile.capabilities, key) {
                return None;
            }
            let may_run = |tool: &ToolName| group.profile.may_run(key, tool);
            let choice = score::choose_tool(key.tool.as_ref(), key.model.as_deref(), &group.tools, may_run)?;
            Some((id, choice.points, choice.tool))
        };
        self.groups.iter().enumerate().filter_map(group_of).collect()
    }

    /// The best free worker of `fitting` for a class: the highest total, ties by the lowest id.
    pub(crate) fn best(
        &self,
        key: &ClassKey,
        fitting: &[(GroupId, u32, ToolName)],
        familiar: &[WorkerId],
        interrupted_on: Option<WorkerId>,
    ) -> Option<(WorkerId, ToolName)> {
        let mut best: Option<(u32, Reverse<WorkerId>, &ToolName)> = None;
        for (group_id, points, tool) in fitting {
            let Some(Some(group)) = self.groups.get(group_id.0) else { continue };
            let takes = |worker: WorkerId| {
                key.only().is_none_or(|only| only == worker)
                    && !key.avoid.contains(&worker)
                    && self.members.get(&worker).is_some_and(|member| self.may_take(member, key.user, tool))
            };
            // The freest that may take it, those that know this person, and that with what is begun: nobody else can win.
            let freest = match key.only() {
                Some(only) => self.place_in(only, *group_id).map(|place| (place, only)),
                None => group
                    .free
                    .iter()
                    .find(|(_, worker)| takes(*worker))
                    .map(|(Reverse(place), worker)| (*place, *worker)),
            };
            let known = familiar.iter().copied().chain(interrupted_on);
            let known = known.filter_map(|worker| Some((self.place_in(worker, *group_id)?, worker)));
            for (place, worker) in freest.into_iter().chain(known) {
                if !takes(worker) {
                    continue;
                }
                let affinity = score::affinity(familiar.contains(&worker), interrupted_on == Some(worker));
                let total = points + place + affinity;
                let candidate = (total, Reverse(worker), tool);
                if best.is_none_or(|best| (best.0, best.1) < (candidate.0, candidate.1)) {
                    best = Some(candidate);
                }
            }
        }
        best.map(|(_, Reverse(worker), tool)| (worker, tool.clone()))
    }

    fn place_in(&self, worker: WorkerId, group: GroupId) -> Option<u32> {
        self.members.get(&worker).filter(|member| member.group == group)?.place
    }

    fn choice(member: &Member, key: &ClassKey) -> Option<score::ToolChoice> {
        let may_run = |tool: &ToolName| member.profile.may_run(key, tool);
        score::choose_tool(key.tool.as_ref(), key.model.as_deref(), &member.profile.capabilities.tools, may_run)
    }

    /// The parts of a member's score for a class, where the class fits it.
    pub(crate) fn score_of(member: &Member, key: &ClassKey, affinity: u32, now: Timestamp) -> Option<Score> {
        let choice = Self::choice(member, key)?;
        let (availability, balance) = Self::freeness(member, now);
        Some(Score { matching: choice.points, availability, balance, affinity })
    }

    /// Whether a machine that is there has what a class asks for, busy or not.
    pub(crate) fn can_serve(&self, key: &ClassKey) -> bool {
        self.members().any(|member| Self::serves(member, key))
    }

    /// The same, on an account that is at no limit.
    pub(crate) fn can_serve_now(&self, key: &ClassKey) -> bool {
        self.members().any(|member| Self::serves(member, key) && self.is_admitted(member, key))
    }

    /// The limit that keeps every machine from a class that has what it asks for.
    pub(crate) fn limit_of_class(&self, key: &ClassKey) -> Option<&AccountLimit> {
        let serving = self.members().filter(|member| Self::serves(member, key));
        serving.filter_map(|member| self.limit_on(member, &Self::choice(member, key)?.tool)).min_by_key(|it| it.until)
    }

    /// Whether a member has what a class asks for, busy or not.
    pub(crate) fn serves(member: &Member, key: &ClassKey) -> bool {
        let worker = member.profile.worker_id;
        key.only().is_none_or(|only| only == worker)
            && !key.avoid.contains(&worker)
            && member.profile.admits(key.user, key.queue)
            && meets(&member.profile.capabilities, key)
            && Self::choice(member, key).is_some()
    }

    /// Whether the account that a member would use for a class is held up by no limit.
    pub(crate) fn is_admitted(&self, member: &Member, key: &ClassKey) -> bool {
        Self::choice(member, key).is_some_and(|choice| {
            self.limits.is_empty() || self.limits.admits(account_of(&member.profile, &choice.tool).as_ref())
        })
    }

    /// Whether a member has room for one more run of `tool` for `user`, the tool's account is at no limit, and no budget
    /// is used up that such a run draws on.
    fn may_take(&self, member: &Member, user: UserId, tool: &ToolName) -> bool {
        member.has_room_for(tool)
            && member.has_share_for(user, tool)
            && self.budgets.spent_for(user, member.profile.worker_id, tool).is_none()
            && (self.limits.is_empty() || self.limits.admits(account_of(&member.profile, tool).as_ref()))
    }

    /// The limit that keeps a member from a task of this class.
    fn limit_on(&self, member: &Member, tool: &ToolName) -> Option<&AccountLimit> {
        self.limits.of(account_of(&member.profile, tool).as_ref())
    }

    /// Why a member cannot take a task of this class now; empty where it can.
    pub(crate) fn obstacles(&self, member: &Member, key: &ClassKey, now: Timestamp) -> Vec<String> {
        let mut reasons = Vec::new();
        if key.pin.is_some_and(|pin| pin != member.profile.worker_id) {
            reasons.push("its session is on another machine".to_owned());
        }
        if !member.profile.admits(key.user, key.queue) {
            reasons.push(match key.queue {
                Queue::Worker { worker_id } if worker_id != member.profile.worker_id => {
                    "the task is for another machine".to_owned()
                }
                Queue::Global => "the machine is not shared with everyone".to_owned(),
                Queue::Worker { .. } | Queue::User => "this person may not send tasks to the machine".to_owned(),
            });
        }
        if !member.connected {
            reasons.push("the machine is offline".to_owned());
        }
        if member.profile.pauses.by_owner {
            reasons.push("its owner paused it".to_owned());
        }
        if member.profile.pauses.by_coordinator {
            reasons.push("it is paused on the coordinator".to_owned());
        }
        if member.profile.draining {
            reasons.push("it finishes its work and takes nothing new".to_owned());
        }
        if key.avoid.contains(&member.profile.worker_id) {
            reasons.push("it declined this task or could not do it".to_owned());
        }
        if !meets(&member.profile.capabilities, key) {
            reasons.push("memory, system or labels are not what the task asks for".to_owned());
        }
        match Self::choice(member, key) {
            None => reasons.push(missing_tool(key, &member.profile)),
            Some(choice) if let Some(limit) = self.limit_on(member, &choice.tool) => reasons.push(limit.sentence()),
            Some(choice)
                if let Some(spent) = self.budgets.spent_for(key.user, member.profile.worker_id, &choice.tool) =>
            {
                reasons.push(spent.sentence(now));
            }
            Some(choice) if !member.has_room_for(&choice.tool) => {
                reasons.push(format!("it already runs as many {} tasks as it allows", choice.tool));
            }
            Some(choice) if !member.has_share_for(key.user, &choice.tool) => {
                let is_used_up = member.profile.granted_slots(key.user, &choice.tool) == Some(0);
                let why = if is_used_up {
                    "what its owner shares with this person for a day is used up"
                } else {
                    "the slots that its owner shares with this person are taken"
                };
                reasons.push(why.to_owned());
            }
            Some(_) => {}
        }
        if member.free_slots() == 0 {
            reasons.push("every slot is taken".to_owned());
        } else if !member.profile.push && !member.pulls && member.connected {
            reasons.push("it asks for tasks over HTTP and has not asked yet".to_owned());
        }
        reasons
    }
}

fn account_of(profile: &WorkerProfile, tool: &ToolName) -> Option<Account> {
    let info = profile.capabilities.tools.iter().find(|info| info.name == *tool)?;
    Some(info.account.as_ref()?.of_machine(profile.owner, profile.worker_id))
}

fn count_down<K: Ord>(counts: &mut BTreeMap<K, u32>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count = count.saturating_sub(1);
        if *count == 0 {
            counts.remove(key);
        }
    }
}

fn missing_tool(key: &ClassKey, profile: &WorkerProfile) -> String {
    let capabilities = &profile.capabilities;
    let is_too_open = |tool: &&ToolInfo| {
        let is_usable = tool.health.is_ready() && profile.may_use(key.user, &tool.name);
        is_usable && !profile.may_run(key, &tool.name)
    };
    let is_wanted = |tool: &&ToolInfo| match &key.tool {
        Some(wish) => tool.name == *wish,
        None => ToolName::PROMPT_PREFERENCE.contains(&tool.name.as_str()),
    };
    if let Some(tool) = capabilities.tools.iter().filter(is_wanted).find(is_too_open) {
        let wanted = demanded(&tool.name, key.requirements.isolation, profile.owner == key.user);
        return isolation_too_low(capabilities.isolation.level, wanted);
    }
    let Some(wish) = &key.tool else {
        let is_owner = profile.owner == key.user;
        let why =
            if is_owner { "it has no tool that takes prompts" } else { "its owner shares no tool that takes prompts" };
        return why.to_owned();
    };
    match (capabilities.tools.iter().find(|tool| tool.name == *wish), &key.model) {
        (None, _) => format!("it has no {wish}"),
        (Some(tool), _) if !tool.health.is_ready() => match &tool.health {
            swarm_model::tool::ToolHealth::NeedsLogin { fix } => format!("{wish} is not signed in: {fix}"),
            swarm_model::tool::ToolHealth::Missing { fix } => format!("{wish} is missing: {fix}"),
            swarm_model::tool::ToolHealth::NotAllowed | swarm_model::tool::ToolHealth::Ready => {
                format!("its owner has not allowed {wish}")
            }
        },
        (Some(_), _) if !profile.may_use(key.user, wish) => {
            format!("its owner does not share {wish} with this person")
        }
        (Some(_), Some(model)) => format!("its {wish} does not offer the model {model}"),
        (Some(_), None) => format!("its {wish} does not fit"),
    }
}

fn meets(capabilities: &Capabilities, key: &ClassKey) -> bool {
    let wanted = &key.requirements;
    capabilities.memory_mb >= wanted.memory_mb
        && wanted.os.as_ref().is_none_or(|os| *os == capabilities.os)
        && wanted.labels.iter().all(|(label, value)| capabilities.labels.get(label) == Some(value))
}
