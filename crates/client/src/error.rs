//! What can go wrong on the way to a coordinator, said so that a person knows what to do.

use swarm_proto::{ErrorCode, Problem};

use crate::{Address, ParseAddressError};

type Source = Box<dyn std::error::Error + Send + Sync>;

/// A call that did not succeed.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// The coordinator understood and said no.
    #[error("{}", .0.detail)]
    Api(Box<Problem>),
    /// Nobody listens there. Nothing was carried out.
    #[error("nothing answers at {address}: {}", advice(.address))]
    Unreachable {
        /// Where.
        address: Address,
        /// What the system said.
        #[source]
        source: Source,
    },
    /// The other side could not prove that it is who the address says.
    #[error("{address} cannot prove who it is: {source}")]
    Untrusted {
        /// Where.
        address: Address,
        /// What is wrong with its certificate.
        #[source]
        source: Source,
    },
    /// It shows another certificate than the one that was pinned.
    #[error(
        "{address} shows another certificate than the one that was pinned: somebody may be in between, or the \
         coordinator was set up anew. Nothing was sent"
    )]
    OtherCertificate {
        /// Where.
        address: Address,
    },
    /// A coordinator that has a pin is spoken to over TLS alone.
    #[error(
        "{address} is plain HTTP, and this coordinator is known by its certificate: its address begins with https://"
    )]
    PinnedInPlain {
        /// Where.
        address: Address,
    },
    /// The connection broke in the middle; the request may have been carried out or not.
    #[error("the connection to {address} broke")]
    Broken {
        /// Where.
        address: Address,
        /// What the system said.
        #[source]
        source: Source,
    },
    /// No answer came in time; the request may have been carried out or not.
    #[error("{address} took too long to answer: it may be overloaded, or the network holds the answer back")]
    Timeout {
        /// Where.
        address: Address,
    },
    /// Something answers there, but it is not a coordinator.
    #[error("{address} is not a GarageSwarm coordinator (it answered {found}): check the address")]
    NotACoordinator {
        /// Where.
        address: Address,
        /// What it said.
        found: String,
    },
    /// A proxy in front of the coordinator cannot reach it.
    #[error("a proxy answers {status} in place of the coordinator at {address}: is the coordinator running?")]
    BadGateway {
        /// Where.
        address: Address,
        /// The status of the proxy.
        status: u16,
    },
    /// The answer makes no sense to this version.
    #[error("{address} gave an answer that this version does not understand: are both the same version?")]
    Unreadable {
        /// Where.
        address: Address,
        /// Where it stopped making sense.
        #[source]
        source: serde_json::Error,
    },
    /// The socket was closed.
    #[error("{address} closed the socket{}", because(.reason))]
    Closed {
        /// Where.
        address: Address,
        /// The code of the WebSocket's end (RFC 6455); 1006 where it just broke off.
        code: u16,
        /// What the other side said.
        reason: String,
    },
    /// The address is none.
    #[error(transparent)]
    Address(#[from] ParseAddressError),
    /// The request could not be put together: a header or body of it is impossible.
    #[error("the request cannot be sent")]
    Unsendable(#[source] Source),
}

impl ClientError {
    /// The code of the coordinator's refusal, where it is one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Api(problem) => Some(problem.code),
            _ => None,
        }
    }

    /// Whether the credential is what was refused: signing in anew mends it.
    pub fn is_unauthenticated(&self) -> bool {
        matches!(self.code(), Some(ErrorCode::Unauthenticated | ErrorCode::SpentCredential))
    }

    /// Whether the same call may succeed later without anybody changing it.
    pub fn is_transient(&self) -> bool {
        match self {
            Self::Api(problem) => problem.status >= 500 || problem.code == ErrorCode::TooManyRequests,
            Self::Unreachable { .. }
            | Self::Broken { .. }
            | Self::Timeout { .. }
            | Self::BadGateway { .. }
            | Self::Closed { .. } => true,
            Self::Untrusted { .. }
            | Self::OtherCertificate { .. }
            | Self::PinnedInPlain { .. }
            | Self::NotACoordinator { .. }
            | Self::Unreadable { .. }
            | Self::Address(_)
            | Self::Unsendable(_) => false,
        }
    }

    /// Whether the coordinator was not reached at all, so that it is about the way and not about the request.
    pub fn is_unreachable(&self) -> bool {
        !matches!(self, Self::Api(_) | Self::Unreadable { .. } | Self::Unsendable(_))
    }
}

fn advice(address: &Address) -> &'static str {
    if address.is_loopback() {
        "is the coordinator running? start it with `garageswarm up`"
    } else {
        "is the coordinator running, and is the address right?"
    }
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}
