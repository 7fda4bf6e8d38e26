//! Machines, as people see and steer them.

use swarm_model::{UserId, WorkerId};
use swarm_proto::Page;
use swarm_proto::workers::{
    ChangeWorker, InviteWorker, ListRuns, RunOnWorker, Share, ShareWorker, Worker, WorkerInvitation,
};

use crate::{Client, ClientError};

impl Client {
    /// Makes an invitation for one machine. It is shown once.
    pub async fn invite_worker(&self, wish: &InviteWorker) -> Result<WorkerInvitation, ClientError> {
        self.json(self.post(&[&"workers", &"invitations"]).json(wish)).await
    }

    /// The machines that one may see.
    pub async fn workers(&self) -> Result<Page<Worker>, ClientError> {
        self.json(self.get(&[&"workers"])).await
    }

    /// A machine as it is now.
    pub async fn worker(&self, worker_id: WorkerId) -> Result<Worker, ClientError> {
        self.json(self.get(&[&"workers", &worker_id])).await
    }

    /// Gives it nothing new; what runs there goes on.
    pub async fn pause_worker(&self, worker_id: WorkerId) -> Result<Worker, ClientError> {
        self.json(self.post(&[&"workers", &worker_id, &"pause"])).await
    }

    /// Lifts the coordinator's pause, and ends draining. The owner's own pause stays.
    pub async fn resume_worker(&self, worker_id: WorkerId) -> Result<Worker, ClientError> {
        self.json(self.post(&[&"workers", &worker_id, &"resume"])).await
    }

    /// Lets it finish what it has and gives it nothing new.
    pub async fn drain_worker(&self, worker_id: WorkerId) -> Result<Worker, ClientError> {
        self.json(self.post(&[&"workers", &worker_id, &"drain"])).await
    }

    /// Renames it, or opens it to everyone.
    pub async fn change_worker(&self, worker_id: WorkerId, change: &ChangeWorker) -> Result<Worker, ClientError> {
        self.json(self.put(&[&"workers", &worker_id]).json(change)).await
    }

    /// Who has which role on it.
    pub async fn shares(&self, worker_id: WorkerId) -> Result<Vec<Share>, ClientError> {
        self.json(self.get(&[&"workers", &worker_id, &"shares"])).await
    }

    /// Gives somebody a role on it.
    pub async fn share_worker(&self, worker_id: WorkerId, share: &ShareWorker) -> Result<Share, ClientError> {
        self.json(self.post(&[&"workers", &worker_id, &"shares"]).json(share)).await
    }

    /// Ends somebody's role on it. What they run there goes back to its queue.
    pub async fn unshare_worker(&self, worker_id: WorkerId, user_id: UserId) -> Result<(), ClientError> {
        self.done(self.delete(&[&"workers", &worker_id, &"shares", &user_id])).await
    }

    /// What ran on it, the newest first, without texts.
    pub async fn runs_on(&self, worker_id: WorkerId, query: &ListRuns) -> Result<Page<RunOnWorker>, ClientError> {
        self.json(self.get(&[&"workers", &worker_id, &"runs"]).query(query)).await
    }

    /// Removes it: its credential ends at once and what it had goes back to the queue.
    pub async fn remove_worker(&self, worker_id: WorkerId) -> Result<(), ClientError> {
        self.done(self.delete(&[&"workers", &worker_id])).await
    }
}
