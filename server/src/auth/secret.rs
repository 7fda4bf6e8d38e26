//! Opaque secrets: random, recognisable by a prefix, kept only as a hash.

use std::fmt;

use swarm_store::TokenHash;

/// What a secret is for. Its prefix tells people and secret scanners what they have found.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Purpose {
    /// A browser's access token.
    Access,
    /// A browser's refresh token.
    Refresh,
    /// A command line's token.
    CommandLine,
    /// A worker's own credential.
    Worker,
    /// A key that enrols machines.
    WorkerKey,
    /// A key that acts for its user.
    ApiKey,
    /// A link that signs in once.
    Link,
    /// An invitation.
    Invitation,
    /// The permission to become the owner of an instance that has none.
    SetUp,
    /// The permission to open one WebSocket.
    Ticket,
}

impl Purpose {
    /// How its secrets begin.
    pub const fn prefix(self) -> &'static str {
        match self {
            Self::Access => "gs_access_",
            Self::Refresh => "gs_refresh_",
            Self::CommandLine => "gs_cli_",
            Self::Worker => "gs_worker_",
            Self::WorkerKey => "gs_join_",
            Self::ApiKey => "gs_api_",
            Self::Link => "gs_link_",
            Self::Invitation => "gs_invite_",
            Self::SetUp => "gs_setup_",
            Self::Ticket => "gs_ticket_",
        }
    }
}

/// A new secret, to be shown once, with the hash that is kept.
#[derive(Clone)]
pub struct Issued {
    /// What its holder sends.
    pub secret: String,
    /// What is kept.
    pub hash: TokenHash,
}

impl fmt::Debug for Issued {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Issued").field("hash", &self.hash).finish_non_exhaustive()
    }
}

/// Draws a new secret: 256 bits of the thread's cryptographic generator.
pub fn issue(purpose: Purpose) -> Issued {
    let bits: [u8; 32] = rand::random();
    let secret = with_prefix(purpose, &bits);
    Issued { hash: TokenHash::of(&secret), secret }
}

pub(super) fn with_prefix(purpose: Purpose, bits: &[u8; 32]) -> String {
    format!("{}{}", purpose.prefix(), blake3::Hash::from_bytes(*bits).to_hex())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn secrets_differ_and_are_not_shown() {
        let (one, other) = (issue(Purpose::ApiKey), issue(Purpose::ApiKey));
        assert_ne!(one.secret, other.secret);
        assert_eq!(one.secret.len(), "gs_api_".len() + 64);
        assert_eq!(one.hash, TokenHash::of(&one.secret));
        assert!(!format!("{one:?}").contains(&one.secret[7..]));
    }
}
