//! How the agent shows itself to those who follow it.

use swarm_model::worker::Pauses;

use super::{Core, used_today};
use crate::control::{AgentEvent, AgentStatus, LinkStatus, RunningTask};

impl Core {
    pub(super) fn progress_changed(&self) -> bool {
        self.attempts.iter().any(|attempt| attempt.is_running() && attempt.tip.progress() != attempt.told_progress)
    }

    pub(super) fn announce(&self, event: AgentEvent) {
        // Nobody needs to listen.
        drop(self.control.events.send(event));
    }

    pub(super) fn set_link_status(&mut self, link: LinkStatus) {
        let changed = self.control.status.send_if_modified(|status| {
            let changed = status.link != link;
            status.link = link.clone();
            changed
        });
        if changed {
            self.announce(AgentEvent::Link { link });
        }
    }

    /// Shows how the agent stands to whoever follows it.
    pub(super) fn publish(&mut self) {
        if !std::mem::take(&mut self.status_due) {
            return;
        }
        let running = self.attempts.iter().filter(|attempt| attempt.is_running());
        let running: Vec<_> = running
            .map(|attempt| RunningTask {
                number: attempt.number(),
                attempt: attempt.name(),
                tool: attempt.assignment.tool.clone(),
                since: attempt.since,
                progress: attempt.tip.progress(),
            })
            .collect();
        let unacknowledged = self.attempts.len() - running.len();
        self.control.status.send_if_modified(|status| {
            let now = AgentStatus {
                pauses: Pauses { by_coordinator: self.paused, by_owner: status.pauses.by_owner },
                draining: self.draining || self.stopping.is_some(),
                running,
                unacknowledged,
                tools: self.capabilities.tools.clone(),
                isolation: self.capabilities.isolation.clone(),
                used_today: used_today(&self.control.ledger),
                ..status.clone()
            };
            // Settings show themselves the moment they change, and that may be newer than what is decided by here.
            let changed = *status != now;
            *status = now;
            changed
        });
    }
}
