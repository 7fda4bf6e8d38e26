//! The swarm as a whole.

use swarm_proto::Page;
use swarm_proto::status::SwarmStatus;
use swarm_proto::tools::SwarmTool;
use swarm_proto::usage::{ReadUsage, UsageReport};

use crate::{Client, ClientError};

impl Client {
    /// The swarm at a glance.
    pub async fn status(&self) -> Result<SwarmStatus, ClientError> {
        self.json(self.get(&[&"status"])).await
    }

    /// What was used: by one's own tasks, and on one's own machines; by everybody for an admin.
    pub async fn usage(&self, query: &ReadUsage) -> Result<UsageReport, ClientError> {
        self.json(self.get(&[&"usage"]).query(query)).await
    }

    /// Every tool of the machines that one may see: where it is, how healthy, how busy.
    pub async fn tools(&self) -> Result<Page<SwarmTool>, ClientError> {
        self.json(self.get(&[&"tools"])).await
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
