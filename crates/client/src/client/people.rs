//! Other people, for admins, and the audit.

use swarm_model::UserId;
use swarm_proto::Page;
use swarm_proto::audit::{AuditEvent, ListAudit};
use swarm_proto::auth::{ChangeUser, PasswordReset, User};

use crate::{Client, ClientError};

impl Client {
    /// Everybody, by name.
    pub async fn users(&self) -> Result<Vec<User>, ClientError> {
        self.json(self.get(&[&"users"])).await
    }

    /// Changes somebody's role, deactivates them or lets them in again.
    pub async fn change_user(&self, user_id: UserId, change: &ChangeUser) -> Result<User, ClientError> {
        self.json(self.put(&[&"users", &user_id]).json(change)).await
    }

    /// Takes somebody's password away and gives a link by which they set a new one.
    pub async fn reset_password(&self, user_id: UserId) -> Result<PasswordReset, ClientError> {
        self.json(self.post(&[&"users", &user_id, &"reset-password"])).await
    }

    /// The audit, the newest first: of everybody for an admin, else what one did oneself.
    pub async fn audit(&self, query: &ListAudit) -> Result<Page<AuditEvent>, ClientError> {
        self.json(self.get(&[&"audit"]).query(query)).await
    }
}
