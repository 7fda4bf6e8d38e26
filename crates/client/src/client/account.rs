//! Oneself: profile, password, sessions, and invitations for others.

use swarm_model::TokenId;
use swarm_proto::auth::{
    ChangePassword, CreateInvitation, Invitation, OpenInvitation, OpenSession, Ticket, UpdateProfile, User,
};

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

    /// Changes one's name or address.
    pub async fn update_profile(&self, change: &UpdateProfile) -> Result<User, ClientError> {
        self.json(self.put(&[&"auth", &"me"]).json(change)).await
    }

    /// Where one is signed in.
    pub async fn sessions(&self) -> Result<Vec<OpenSession>, ClientError> {
        self.json(self.get(&[&"auth", &"sessions"])).await
    }

    /// Ends one of one's sessions.
    pub async fn end_session(&self, session_id: TokenId) -> Result<(), ClientError> {
        self.done(self.delete(&[&"auth", &"sessions", &session_id])).await
    }

    /// Ends every session of one's own but this one.
    pub async fn end_other_sessions(&self) -> Result<(), ClientError> {
        self.done(self.delete(&[&"auth", &"sessions"])).await
    }

    /// Every invitation, the newest first.
    pub async fn invitations(&self) -> Result<Vec<OpenInvitation>, ClientError> {
        self.json(self.get(&[&"auth", &"invitations"])).await
    }

    /// Ends an invitation.
    pub async fn revoke_invitation(&self, invitation_id: TokenId) -> Result<(), ClientError> {
        self.done(self.delete(&[&"auth", &"invitations", &invitation_id])).await
    }

    /// Invites somebody.
    pub async fn invite(&self, invitation: &CreateInvitation) -> Result<Invitation, ClientError> {
        self.json(self.post(&[&"auth", &"invitations"]).json(invitation)).await
    }
}
