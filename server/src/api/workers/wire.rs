//! Workers as the wire shows them: what the store keeps, with what the board knows now.

use swarm_model::rights::WorkerRole;
use swarm_model::worker::Pauses;
use swarm_model::{UserId, WorkerStatus};
use swarm_proto::workers::Worker;
use swarm_store::worker::WorkerRecord;

use crate::dispatch::LiveWorkers;

/// A worker as somebody sees it who has this role on it.
pub(crate) fn to_wire(record: WorkerRecord, role: Option<WorkerRole>, viewer: UserId, live: &LiveWorkers) -> Worker {
    let stored_pauses = Pauses { by_coordinator: record.paused, by_owner: false };
    let now = live.get(record.worker_id).filter(|view| view.status != WorkerStatus::Offline);
    let (status, pauses, mut capabilities, running, load, last_seen) = match now {
        Some(view) => (
            view.status,
            view.profile.pauses,
            view.profile.capabilities.clone(),
            view.running,
            view.load,
            Some(view.last_seen),
        ),
        None => (WorkerStatus::Offline, stored_pauses, record.capabilities, 0, record.load, record.last_seen),
    };
    // Whom else the owner lets use what is between them.
    if role != Some(WorkerRole::Owner) {
        capabilities.grants.retain(|grant| grant.user_id.is_none_or(|of| of == viewer));
    }
    Worker {
        worker_id: record.worker_id,
        machine_id: record.machine_id,
        machine_name: record.machine_name,
        status,
        pauses,
        owner_id: record.owner,
        shared: record.shared,
        role,
        capabilities,
        running,
        load,
        last_heartbeat: last_seen,
        registered_at: record.registered_at,
    }
}
