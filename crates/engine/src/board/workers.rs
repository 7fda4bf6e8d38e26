//! Workers come, report, change and go.

use std::collections::{BTreeMap, BTreeSet};

use swarm_model::change::EventKind;
use swarm_model::task::Lease;
use swarm_model::worker::{AttemptRef, Capabilities, LeaseTerms, Load, Pauses, ShareLimits};
use swarm_model::{TaskNumber, Timestamp, ToolName, WorkerId};

use super::Board;
use crate::fleet::WorkerProfile;

/// What a worker that joins must know of the attempts it named.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Joined {
    /// Not its own any more.
    pub stale: Vec<AttemptRef>,
    /// To be ended.
    pub cancel: Vec<AttemptRef>,
    /// Its own still, with the highest stored log line.
    pub held: Vec<(AttemptRef, u64)>,
}

impl Board {
    /// A lease from the store: its worker gets a full period to come back.
    pub(super) fn restore_lease(&mut self, lease: Lease, number: TaskNumber, now: Timestamp) {
        if self.fleet.member(lease.worker_id).is_none() {
            let absent = WorkerProfile {
                worker_id: lease.worker_id,
                machine_name: String::new(),
                owner: self.tasks[&number].head.user_id,
                shared: false,
                operators: BTreeMap::new(),
                capabilities: Capabilities::default(),
                pauses: Pauses::default(),
                draining: false,
                push: true,
                terms: LeaseTerms::HTTP,
            };
            self.fleet.join(absent, false, now);
            self.arm_lease(lease.worker_id);
        }
        let Some(entry) = self.tasks.get_mut(&number) else { return };
        // The store knows with which tool it was given out; one that does not must still count a slot.
        let known = entry.tool.take().or_else(|| entry.class.tool.clone());
        if let Some(tool) = known.or_else(|| ToolName::DEMO.parse().ok()) {
            self.fleet.take(lease.worker_id, number, entry.head.user_id, &tool, now);
            entry.tool = Some(tool);
        }
    }

    /// A worker connects, or registers to live by HTTP, and names the attempts it has in hand.
    ///
    /// Attempts that it held and does not name are lost: it has forgotten them, or never heard of them.
    pub fn worker_joined(&mut self, profile: WorkerProfile, named: &[AttemptRef], now: Timestamp) -> Joined {
        let worker = profile.worker_id;
        let was_connected = self.fleet.member(worker).is_some_and(|member| member.connected);
        let is_new = self.fleet.member(worker).is_none();
        self.fleet.join(profile, true, now);
        if is_new {
            self.arm_lease(worker);
        }
        if !was_connected {
            self.event(EventKind::WorkerOnline, None, None, Some(worker), None, None, now);
        }
        self.forgive(worker, now);
        self.reconcile(worker, named, "the machine started anew and no longer has it", now)
    }

    /// A worker that is there while the board is made anew from the store: it named nothing, and forgot nothing.
    pub fn restore_worker(&mut self, profile: WorkerProfile, now: Timestamp) {
        let worker = profile.worker_id;
        let is_new = self.fleet.member(worker).is_none();
        self.fleet.join(profile, true, now);
        if is_new {
            self.arm_lease(worker);
        }
    }

    /// What changed on a machine may have mended why tasks avoid it.
    fn forgive(&mut self, worker: WorkerId, now: Timestamp) {
        let avoiding: Vec<TaskNumber> = self
            .tasks
            .iter()
            .filter(|(_, entry)| entry.class.avoid.contains(&worker))
            .map(|(number, _)| *number)
            .collect();
        for number in avoiding {
            self.dequeue(number);
            if let Some(entry) = self.tasks.get_mut(&number) {
                entry.class.avoid.retain(|avoided| *avoided != worker);
            }
            self.enqueue(number, now);
        }
    }

    fn reconcile(&mut self, worker: WorkerId, named: &[AttemptRef], why: &str, now: Timestamp) -> Joined {
        let mut joined = Joined::default();
        let mut kept = BTreeSet::new();
        for quoted in named {
            match self.log_received(worker, *quoted) {
                Ok(received) => {
                    joined.held.push((*quoted, received));
                    if self.is_cancel_requested(worker, *quoted) {
                        joined.cancel.push(*quoted);
                    }
                    kept.extend(self.by_id.get(&quoted.task_id).copied());
                }
                Err(_) => joined.stale.push(*quoted),
            }
        }
        let held = self.fleet.member(worker).map(|member| member.tasks.clone()).unwrap_or_default();
        for number in held.difference(&kept) {
            self.lose(*number, why, now);
        }
        joined
    }

    /// A worker reports that it lives and what it works on.
    ///
    /// `None` where the board does not know it: it must join first.
    pub fn heartbeat(
        &mut self,
        worker: WorkerId,
        load: Load,
        running: &[AttemptRef],
        now: Timestamp,
    ) -> Option<Joined> {
        let known = self.fleet.member(worker).is_some_and(|member| member.connected);
        if !known {
            return None;
        }
        self.fleet.change(worker, now, |member| {
            member.load = load;
            member.last_seen = now;
            member.deadline = member.profile.terms.deadline(now);
        });
        let mut joined = Joined::default();
        let mut named = BTreeSet::new();
        for quoted in running {
            if self.is_cancel_requested(worker, *quoted) {
                joined.cancel.push(*quoted);
            }
            if self.holds(worker, *quoted) {
                named.extend(self.by_id.get(&quoted.task_id).copied());
            } else {
                joined.stale.push(*quoted);
            }
        }
        // A run that was accepted before the last heartbeat and is named no more is forgotten on the machine.
        // One that was accepted just now may have crossed this heartbeat on the way.
        let forgotten: Vec<TaskNumber> = self
            .fleet
            .member(worker)
            .into_iter()
            .flat_map(|member| member.tasks.iter().map(move |number| (number, member.profile.terms)))
            .filter(|(number, _)| !named.contains(number))
            .filter(|(number, terms)| {
                let crossed = std::time::Duration::from_millis(terms.heartbeat_ms);
                self.tasks.get(number).is_some_and(|entry| {
                    let is_running = matches!(entry.state, swarm_model::TaskState::Running { .. });
                    let since = entry.attempt_started_at.unwrap_or(entry.assigned_at).max(entry.assigned_at);
                    is_running && since + crossed < now
                })
            })
            .map(|(number, _)| *number)
            .collect();
        for number in forgotten {
            self.lose(number, "the machine no longer works on it", now);
        }
        Some(joined)
    }

    /// Any sign of life prolongs the leases.
    pub fn alive(&mut self, worker: WorkerId, now: Timestamp) {
        self.fleet.change(worker, now, |member| {
            member.last_seen = now;
            member.deadline = member.profile.terms.deadline(now);
        });
    }

    /// The socket is gone. The leases stay until they end, for the worker may come back.
    pub fn worker_left(&mut self, worker: WorkerId, now: Timestamp) {
        let holds_nothing = self.fleet.member(worker).is_none_or(|member| member.tasks.is_empty());
        let was_connected = self.fleet.member(worker).is_some_and(|member| member.connected);
        if was_connected {
            self.event(EventKind::WorkerOffline, None, None, Some(worker), None, Some("disconnected".to_owned()), now);
        }
        if holds_nothing {
            self.fleet.remove(worker);
            self.await_return(now);
        } else {
            self.fleet.change(worker, now, |member| {
                member.connected = false;
                member.pulls = false;
            });
        }
    }

    /// A worker without a socket asks for work, or no longer does.
    pub fn set_pulling(&mut self, worker: WorkerId, pulls: bool, now: Timestamp) -> bool {
        self.fleet.change(worker, now, |member| member.pulls = pulls)
    }

    /// What a worker brings changed.
    pub fn set_capabilities(&mut self, worker: WorkerId, capabilities: Capabilities, now: Timestamp) {
        let Some(member) = self.fleet.member(worker) else { return };
        let profile = WorkerProfile { capabilities, ..member.profile.clone() };
        self.rejoin(profile, now);
        self.forgive(worker, now);
    }

    /// A person or the owner paused or resumed a worker.
    pub fn set_pauses(&mut self, worker: WorkerId, pauses: Pauses, now: Timestamp) {
        self.steer(worker, now, if pauses.any() { "paused" } else { "resumed" }, |profile| profile.pauses = pauses);
    }

    /// A worker finishes what it has, or takes new work again.
    pub fn set_draining(&mut self, worker: WorkerId, draining: bool, now: Timestamp) {
        self.steer(worker, now, if draining { "draining" } else { "resumed" }, |profile| profile.draining = draining);
    }

    /// Its name, its sharing or the people who may use it changed. Tasks that waited for that are looked at anew.
    pub fn set_people(
        &mut self,
        worker: WorkerId,
        machine_name: String,
        shared: bool,
        operators: BTreeMap<swarm_model::UserId, ShareLimits>,
        now: Timestamp,
    ) {
        let Some(member) = self.fleet.member(worker) else { return };
        let profile = WorkerProfile { machine_name, shared, operators, ..member.profile.clone() };
        self.rejoin(profile, now);
        self.withdraw(worker, now);
        self.forgive(worker, now);
        self.event(EventKind::WorkerChanged, None, None, Some(worker), None, Some("shared anew".to_owned()), now);
    }

    /// Takes back what a worker runs for people with whom it is no longer shared. The machine hears with its next
    /// heartbeat that those attempts are not its own any more, and ends them.
    fn withdraw(&mut self, worker: WorkerId, now: Timestamp) {
        let Some(member) = self.fleet.member(worker) else { return };
        let is_unshared = |number: &TaskNumber| {
            self.tasks.get(number).is_some_and(|entry| {
                let (user, queue) = (entry.head.user_id, entry.head.spec.queue);
                let may_use = entry.tool.as_ref().is_none_or(|tool| member.profile.may_use(user, tool));
                !member.profile.admits(user, queue) || !may_use
            })
        };
        let unshared: Vec<TaskNumber> = member.tasks.iter().filter(|number| is_unshared(number)).copied().collect();
        for number in unshared {
            self.lose(number, "the machine is no longer shared with this person", now);
        }
    }

    /// The pauses of a worker that is there.
    pub fn pauses(&self, worker: WorkerId) -> Option<Pauses> {
        self.fleet.member(worker).map(|member| member.profile.pauses)
    }

    /// Forgets a worker; what it held is lost.
    pub fn worker_removed(&mut self, worker: WorkerId, now: Timestamp) {
        let held = self.fleet.member(worker).map(|member| member.tasks.clone()).unwrap_or_default();
        for number in held {
            self.lose(number, "the machine was removed", now);
        }
        self.fleet.remove(worker);
        self.event(EventKind::WorkerChanged, None, None, Some(worker), None, Some("removed".to_owned()), now);
    }

    fn rejoin(&mut self, profile: WorkerProfile, now: Timestamp) {
        let connected = self.fleet.member(profile.worker_id).is_some_and(|member| member.connected);
        self.fleet.join(profile, connected, now);
    }

    fn steer(&mut self, worker: WorkerId, now: Timestamp, what: &str, change: impl FnOnce(&mut WorkerProfile)) {
        if self.fleet.change(worker, now, |member| change(&mut member.profile)) {
            self.event(EventKind::WorkerChanged, None, None, Some(worker), None, Some(what.to_owned()), now);
        }
    }
}
