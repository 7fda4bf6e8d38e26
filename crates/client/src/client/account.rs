//! Oneself: profile, password, session, and invitations for others.

use swarm_proto::auth::{ChangePassword, CreateInvitation, Invitation, Ticket, User};

use crate::{Client, ClientError};

impl Client {
    /// Who is signed in.
    pub async fn me(&self) -> Result<User, ClientError> {
        self.json(self.get(&[&"auth", &"me"])).await
    }

    /// Ends this session; its token is good for nothing afterwards.
    pub async fn logout(&self) -> Result<(), ClientError> {
        self.done(self.post(&[&"auth", &"logout"])).await
    }

    /// Sets a new password, which ends every other session.
    pub async fn change_password(&self, change: &ChangePassword) -> Result<(), ClientError> {
        self.done(self.post(&[&"auth", &"change-password"]).json(change)).await
    }

    /// A ticket that opens one WebSocket, for clients that cannot set a header on it.
    pub async fn ticket(&self) -> Result<Ticket, ClientError> {
        self.json(self.post(&[&"auth", &"ticket"])).await
    }

    /// Invites somebody.
    pub async fn invite(&self, invitation: &CreateInvitation) -> Result<Invitation, ClientError> {
        self.json(self.post(&[&"auth", &"invitations"]).json(invitation)).await
    }
}
