//! The swarm as a whole.

use swarm_proto::status::SwarmStatus;

use crate::{Client, ClientError};

impl Client {
    /// The swarm at a glance.
    pub async fn status(&self) -> Result<SwarmStatus, ClientError> {
        self.json(self.get(&[&"status"])).await
    }

    /// Hands nothing out any more, to any worker, until [`resume_swarm`](Self::resume_swarm).
    pub async fn pause_swarm(&self) -> Result<(), ClientError> {
        self.done(self.post(&[&"swarm", &"pause"])).await
    }

    /// Hands out again.
    pub async fn resume_swarm(&self) -> Result<(), ClientError> {
        self.done(self.post(&[&"swarm", &"resume"])).await
    }
}
