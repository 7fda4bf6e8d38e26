//! Who asks, and whether they may.

use axum::extract::{FromRequestParts, MatchedPath, Query};
use axum::http::HeaderMap;
use axum::http::header::AUTHORIZATION;
use axum::http::request::Parts;
use serde::Deserialize;
use swarm_model::rights::{Asker, InstanceRole, KeyUse, Operation, Relation, Scopes, allows};
use swarm_model::{KeyId, TokenId, UserId, WorkerId};
use swarm_proto::{API_PREFIX, ErrorCode};
use swarm_store::AuditEntry;
use swarm_store::token::KeyRecord;

use super::revocations::{Held, Revocation};
use crate::error::ApiError;
use crate::extract::ClientAddress;
use crate::state::AppState;

const NO_KEY_FOR_THIS: &str = "A key cannot do this: sign in with a password or a link.";

/// Who asks, from where, and how long that stands.
#[derive(Debug, Clone)]
pub struct Identity {
    who: Who,
    from: ClientAddress,
    held: Option<Held>,
}

/// Who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Who {
    /// Nobody who proved anything.
    Anonymous,
    /// A person, or a program that acts for them.
    Person(Person),
    /// A worker with its own credential.
    Worker {
        /// Which worker.
        worker_id: WorkerId,
        /// Whose it is.
        owner: UserId,
        /// Its credential.
        token_id: TokenId,
    },
    /// The holder of a worker key: may enrol a machine and nothing else.
    Enroller(Box<KeyRecord>),
}

/// A person, or a program that acts for them.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// Who.
    pub user_id: UserId,
    /// Their role on the instance.
    pub role: InstanceRole,
    /// With what they came.
    pub via: Via,
}

/// With what a person came.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Via {
    /// A browser's session.
    Browser(TokenId),
    /// A command line's token.
    CommandLine(TokenId),
    /// An `api` key, and what it may do.
    ApiKey(KeyId, Scopes),
}

impl Identity {
    pub(super) fn new(who: Who, from: ClientAddress, held: Option<Held>) -> Self {
        Self { who, from, held }
    }

    /// Who it is.
    pub fn who(&self) -> &Who {
        &self.who
    }

    /// How the table of rights sees the asker. A worker key proves nothing but itself.
    pub fn asker(&self) -> Asker {
        match &self.who {
            Who::Anonymous | Who::Enroller(_) => Asker::Anonymous,
            Who::Person(Person { role, via: Via::ApiKey(_, scopes), .. }) => Asker::Program(*role, *scopes),
            Who::Person(person) => Asker::Person(person.role),
            Who::Worker { .. } => Asker::Worker,
        }
    }

    /// The person, where one asks.
    pub fn person(&self) -> Result<&Person, ApiError> {
        match &self.who {
            Who::Person(person) => Ok(person),
            Who::Anonymous | Who::Enroller(_) => Err(ApiError::unauthenticated()),
            Who::Worker { .. } => Err(ApiError::new(ErrorCode::Forbidden, "A worker is not a person: sign in.")),
        }
    }

    /// The person and their session, where they signed in themselves. A key that leaked must not make others,
    /// nor lock its owner out.
    pub fn signed_in(&self) -> Result<(&Person, TokenId), ApiError> {
        let person = self.person()?;
        match person.via {
            Via::Browser(token) | Via::CommandLine(token) => Ok((person, token)),
            Via::ApiKey(..) => Err(ApiError::new(ErrorCode::Forbidden, NO_KEY_FOR_THIS)),
        }
    }

    /// The worker, where one asks with its own credential.
    pub fn worker(&self) -> Option<WorkerId> {
        match &self.who {
            Who::Worker { worker_id, .. } => Some(*worker_id),
            Who::Anonymous | Who::Person(_) | Who::Enroller(_) => None,
        }
    }

    /// The worker key with which a machine is to be enrolled.
    pub fn worker_key(&self) -> Result<&KeyRecord, ApiError> {
        match &self.who {
            Who::Enroller(key) => Ok(key),
            Who::Anonymous => {
                Err(ApiError::new(ErrorCode::Unauthenticated, "Send a worker key as `Authorization: Bearer ...`."))
            }
            Who::Person(_) | Who::Worker { .. } => Err(ApiError::new(
                ErrorCode::Forbidden,
                "A machine is enrolled with a worker key: make one with `garageswarm key create`.",
            )),
        }
    }

    /// How the asker stands to what is this user's.
    pub fn relation_to_user(&self, user: UserId) -> Relation {
        match &self.who {
            Who::Person(person) if person.user_id == user => Relation::Own,
            _ => Relation::None,
        }
    }

    /// What the table of rights says.
    pub fn allows(&self, operation: Operation, relation: Relation) -> bool {
        allows(operation, self.asker(), relation)
    }

    /// Refuses what the table of rights does not allow. Who has not signed in is told to; what an asker has
    /// nothing to do with looks to them as if it did not exist.
    pub fn require(&self, operation: Operation, relation: Relation) -> Result<(), ApiError> {
        if self.allows(operation, relation) {
            return Ok(());
        }
        self.require_known()?;
        if let Asker::Program(_, scopes) = self.asker() {
            match operation.key_use() {
                KeyUse::Never => return Err(ApiError::new(ErrorCode::Forbidden, NO_KEY_FOR_THIS)),
                KeyUse::Within(scope) if !scopes.contains(scope) => {
                    let detail = format!("This key does not have the scope {}: make one that has.", scope.as_str());
                    return Err(ApiError::new(ErrorCode::Forbidden, detail));
                }
                KeyUse::Within(_) | KeyUse::Any => {}
            }
        }
        match (hidden_entity(operation), relation) {
            (Some(entity), Relation::None) => Err(ApiError::not_found(entity)),
            _ => Err(ApiError::forbidden(operation)),
        }
    }

    /// Refuses who has not proved to be anybody.
    pub fn require_known(&self) -> Result<(), ApiError> {
        if self.asker() == Asker::Anonymous { Err(ApiError::unauthenticated()) } else { Ok(()) }
    }

    /// A line of the audit: this asker, from where they ask, now.
    pub fn audit(&self, state: &AppState, action: &str, subject: String) -> AuditEntry {
        AuditEntry {
            at: state.now(),
            actor: self.actor(),
            action: action.to_owned(),
            subject,
            detail: None,
            from_address: Some(self.from.0.to_string()),
        }
    }

    fn actor(&self) -> String {
        match &self.who {
            Who::Anonymous => "anonymous".to_owned(),
            Who::Person(Person { via: Via::ApiKey(key, _), .. }) => format!("key:{key}"),
            Who::Enroller(key) => format!("key:{}", key.key_id),
            Who::Person(person) => format!("user:{}", person.user_id),
            Who::Worker { worker_id, .. } => format!("worker:{worker_id}"),
        }
    }

    /// What a ticket for this asker carries on.
    pub(super) fn granted(&self) -> (Who, Option<Held>) {
        (self.who.clone(), self.held.clone())
    }

    /// Says when the credential behind this ends; a socket waits for it.
    pub fn revoked(&self) -> Revocation {
        self.held.as_ref().map_or_else(Revocation::never, Held::watch)
    }
}

/// Of what the existence is a secret to those who may not do this.
fn hidden_entity(operation: Operation) -> Option<&'static str> {
    match operation {
        Operation::ReadTask | Operation::EditTask | Operation::EndTask => Some("task"),
        Operation::ReadWorker
        | Operation::ReadUsage
        | Operation::SteerWorker
        | Operation::ManageWorker
        | Operation::TargetWorker => Some("worker"),
        _ => None,
    }
}

impl FromRequestParts<AppState> for Identity {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &AppState) -> Result<Self, ApiError> {
        // It was found out already, before the body was read.
        if let Some(identity) = parts.extensions.get::<Self>() {
            return Ok(identity.clone());
        }
        let Ok(from) = ClientAddress::from_request_parts(parts, state).await;
        // A browser cannot send a header when it opens a socket: it shows a ticket, which is good for nothing else.
        if is_socket(parts) {
            let Query(query) = Query::<TicketQuery>::try_from_uri(&parts.uri)?;
            if let Some(ticket) = query.ticket {
                return state.auth.use_ticket(&ticket, from).await;
            }
        }
        match bearer(&parts.headers)? {
            Some(token) => state.auth.identify(token, from).await,
            None => Ok(Self::new(Who::Anonymous, from, None)),
        }
    }
}

/// Whether the route is one that opens a WebSocket.
fn is_socket(parts: &Parts) -> bool {
    let route = parts.extensions.get::<MatchedPath>().and_then(|route| route.as_str().strip_prefix(API_PREFIX));
    route.is_some_and(|below| below.starts_with("/ws/"))
}

#[derive(Deserialize)]
struct TicketQuery {
    ticket: Option<String>,
}

/// The bearer token of a request; an error where the header says something else.
pub(crate) fn bearer(headers: &HeaderMap) -> Result<Option<&str>, ApiError> {
    let Some(value) = headers.get(AUTHORIZATION) else { return Ok(None) };
    let (scheme, token) =
        value.to_str().ok().and_then(|text| text.split_once(' ')).ok_or_else(ApiError::unauthenticated)?;
    if scheme.eq_ignore_ascii_case("bearer") { Ok(Some(token.trim())) } else { Err(ApiError::unauthenticated()) }
}

#[cfg(test)]
mod tests {
    use std::net::{IpAddr, Ipv4Addr};

    use swarm_model::rights::{Scope, WorkerRole};
    use swarm_model::time::SystemClock;

    use super::*;

    fn identity(who: Who) -> Identity {
        Identity::new(who, ClientAddress(IpAddr::V4(Ipv4Addr::LOCALHOST)), None)
    }

    fn member() -> Identity {
        let user_id = UserId::generate(&SystemClock);
        let via = Via::CommandLine(TokenId::generate(&SystemClock));
        identity(Who::Person(Person { user_id, role: InstanceRole::Member, via }))
    }

    fn program(scopes: impl IntoIterator<Item = Scope>) -> Identity {
        let user_id = UserId::generate(&SystemClock);
        let via = Via::ApiKey(KeyId::generate(&SystemClock), scopes.into_iter().collect());
        identity(Who::Person(Person { user_id, role: InstanceRole::Member, via }))
    }

    fn code(identity: &Identity, operation: Operation, relation: Relation) -> Option<ErrorCode> {
        identity.require(operation, relation).err().map(|error| error.code())
    }

    #[test]
    fn strangers_sign_in_others_see_nothing_and_viewers_are_told() {
        let (member, stranger) = (member(), identity(Who::Anonymous));
        assert_eq!(code(&stranger, Operation::ReadTask, Relation::None), Some(ErrorCode::Unauthenticated));
        assert_eq!(code(&member, Operation::ReadTask, Relation::None), Some(ErrorCode::NotFound));
        assert_eq!(code(&member, Operation::ReadTask, Relation::Own), None);
        assert_eq!(code(&member, Operation::SteerWorker, Relation::None), Some(ErrorCode::NotFound));
        let viewer = Relation::OnWorker(WorkerRole::Viewer);
        assert_eq!(code(&member, Operation::SteerWorker, viewer), Some(ErrorCode::Forbidden));
        assert_eq!(code(&member, Operation::SteerSwarm, Relation::None), Some(ErrorCode::Forbidden));
    }

    /// What the table denies is denied, whoever asks for whatever.
    #[test]
    fn nothing_is_allowed_beyond_the_table() {
        let worker = Who::Worker {
            worker_id: WorkerId::generate(&SystemClock),
            owner: UserId::generate(&SystemClock),
            token_id: TokenId::generate(&SystemClock),
        };
        for identity in [identity(Who::Anonymous), member(), program([Scope::TasksRead]), identity(worker)] {
            for operation in Operation::ALL {
                for relation in [Relation::None, Relation::Own, Relation::SharedWorker] {
                    let allowed = allows(*operation, identity.asker(), relation);
                    assert_eq!(identity.require(*operation, relation).is_ok(), allowed, "{operation:?} {relation:?}");
                }
            }
        }
    }

    #[test]
    fn a_key_is_not_a_session() {
        let program = program(Scope::ALL);
        assert!(program.person().is_ok());
        assert_eq!(program.signed_in().unwrap_err().code(), ErrorCode::Forbidden);
        assert!(member().signed_in().is_ok());
    }

    #[test]
    fn a_key_is_told_which_scope_it_lacks() {
        let reader = program([Scope::TasksRead]);
        let refused = reader.require(Operation::SubmitTask, Relation::None).unwrap_err();
        assert_eq!(refused.code(), ErrorCode::Forbidden);
        assert!(refused.detail().contains("tasks:write"), "{}", refused.detail());
        assert!(reader.require(Operation::ReadTask, Relation::Own).is_ok());
    }

    #[test]
    fn only_a_bearer_token_is_heard() {
        let with = |text: &str| {
            let mut headers = HeaderMap::new();
            headers.insert(AUTHORIZATION, text.parse().unwrap());
            bearer(&headers).map(|token| token.map(ToOwned::to_owned)).ok()
        };
        assert_eq!(bearer(&HeaderMap::new()).unwrap(), None);
        assert_eq!(with("Bearer abc"), Some(Some("abc".to_owned())));
        assert_eq!(with("bearer abc"), Some(Some("abc".to_owned())));
        assert_eq!(with("Basic abc"), None);
        assert_eq!(with("abc"), None);
    }
}
