//! Inviting a machine: a link with everything that it needs to join, once.
//!
//! Where the coordinator is reached comes from its settings and its own interfaces, never from a request: a link
//! that a forged `Host` could bend would send a code to somebody else.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use swarm_model::KeyId;
use swarm_model::rights::Operation;
use swarm_proto::workers::{InviteWorker, WorkerInvitation};
use swarm_proto::{ErrorCode, Fingerprint, JoinLink};
use swarm_store::token::{KeyKind, NewKey};

use crate::api::keys;
use crate::auth::Identity;
use crate::auth::secret::{self, Purpose};
use crate::config::ServerConfig;
use crate::error::ApiError;
use crate::extract::Json;
use crate::machine;
use crate::state::AppState;

/// How long a code is good: the walk to the other machine.
const CODE_LIFE: Duration = Duration::from_mins(10);

/// Invite one machine to join as yours. The link is shown once, works once, and for 10 minutes.
#[utoipa::path(post, path = "/workers/invitations", tag = "workers", request_body = InviteWorker,
    responses((status = 201, body = WorkerInvitation)))]
pub(super) async fn invite_worker(
    State(state): State<AppState>,
    identity: Identity,
    Json(wish): Json<InviteWorker>,
) -> Result<(StatusCode, Json<WorkerInvitation>), ApiError> {
    let (person, _) = identity.signed_in()?;
    identity.require(Operation::ManageKeys, identity.relation_to_user(person.user_id))?;
    let name = wish.name.unwrap_or_else(|| "invitation of a machine".to_owned());
    keys::check_name(&name)?;
    keys::check_room(&state, person.user_id).await?;
    let reach = Reach::of(&state.config, state.fingerprint())?;
    let issued = secret::issue(Purpose::WorkerKey);
    let link = JoinLink::new(reach.addresses.clone(), reach.fingerprint, issued.secret.clone())
        .map_err(|error| ApiError::new(ErrorCode::Conflict, format!("No machine could join: {error}.")))?;
    let key_id = state.new_id(KeyId::new);
    let expires_at = state.now() + CODE_LIFE;
    let key = NewKey {
        key_id,
        kind: KeyKind::Worker,
        user_id: person.user_id,
        name,
        hash: issued.hash,
        scopes: Vec::new(),
        uses: Some(1),
        expires_at: Some(expires_at),
        created_by: person.user_id,
    };
    let audit = identity.audit(&state, "worker_invited", format!("key:{key_id}"));
    state.stores.tokens.create_key(&key, &audit).await?;
    let invitation = WorkerInvitation {
        code: issued.secret,
        link: link.to_string(),
        addresses: reach.addresses,
        words: reach.fingerprint.map(|fingerprint| fingerprint.words()),
        fingerprint: reach.fingerprint,
        expires_at,
    };
    Ok((StatusCode::CREATED, Json(invitation)))
}

/// Where other machines reach the coordinator, and what they must find there.
#[derive(Debug, PartialEq, Eq)]
struct Reach {
    addresses: Vec<String>,
    fingerprint: Option<Fingerprint>,
}

impl Reach {
    fn of(config: &ServerConfig, own: Option<Fingerprint>) -> Result<Self, ApiError> {
        let server = &config.server;
        let unreachable = |detail: &str| ApiError::new(ErrorCode::Conflict, detail);
        match (&server.public_url, server.tls_listen, own) {
            // A name of the outside world. What answers there is ours only where the port is our listener's.
            (Some(url), tls, own) => {
                let url = url.trim_end_matches('/').to_owned();
                let port = url.rsplit_once(':').and_then(|(_, port)| port.parse::<u16>().ok()).unwrap_or(443);
                let is_our_listener = tls.is_some_and(|listen| listen.port() == port);
                Ok(Self { addresses: vec![url], fingerprint: own.filter(|_| is_our_listener) })
            }
            (None, Some(listen), Some(own)) => {
                let addresses = machine::listened(listen);
                if addresses.is_empty() {
                    return Err(unreachable(
                        "This machine has no address in a network: connect it, or set server.public_url.",
                    ));
                }
                Ok(Self { addresses, fingerprint: Some(own) })
            }
            (None, Some(_), None) => Err(unreachable(
                "The certificate was given, and the name that it is for is not known: set server.public_url.",
            )),
            (None, None, _) => Err(unreachable(
                "This coordinator is reached from its own machine alone: start it with --lan, or set server.public_url.",
            )),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reach(change: impl FnOnce(&mut ServerConfig), own: Option<Fingerprint>) -> Result<Reach, String> {
        let mut config = ServerConfig::default();
        change(&mut config);
        Reach::of(&config, own).map_err(|error| error.detail().to_owned())
    }

    #[test]
    fn who_listens_on_this_machine_alone_cannot_be_joined() {
        assert!(reach(|_| {}, None).unwrap_err().contains("--lan"));
    }

    #[test]
    fn a_listener_is_reached_at_its_own_address() {
        let own = Fingerprint::new([7; 32]);
        let found = reach(|config| config.server.tls_listen = Some(([10, 0, 0, 2], 8421).into()), Some(own)).unwrap();
        assert_eq!(found, Reach { addresses: vec!["https://10.0.0.2:8421".to_owned()], fingerprint: Some(own) });
    }

    #[test]
    fn a_public_name_is_vouched_for_by_the_usual_authorities() {
        let own = Some(Fingerprint::new([7; 32]));
        let behind_proxy = |config: &mut ServerConfig| {
            config.server.public_url = Some("https://swarm.example.org/".to_owned());
            config.server.tls_listen = Some(([0, 0, 0, 0], 8421).into());
        };
        let found = reach(behind_proxy, own).unwrap();
        assert_eq!(found, Reach { addresses: vec!["https://swarm.example.org".to_owned()], fingerprint: None });
        let ours = |config: &mut ServerConfig| {
            config.server.public_url = Some("https://attic.example.org:8421".to_owned());
            config.server.tls_listen = Some(([0, 0, 0, 0], 8421).into());
        };
        assert_eq!(reach(ours, own).unwrap().fingerprint, own);
        let given = reach(|config| config.server.tls_listen = Some(([0, 0, 0, 0], 8421).into()), None);
        assert!(given.unwrap_err().contains("server.public_url"));
    }
}
