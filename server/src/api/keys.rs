//! Keys: `worker` keys enrol machines, `api` keys act for their user.

use std::time::Duration;

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;
use swarm_model::rights::{Operation, Scope};
use swarm_model::{KeyId, UserId};
use swarm_proto::ErrorCode;
use swarm_proto::keys::{CreateKey, CreatedKey, Key, KeyKind};
use swarm_store::token::{KeyKind as StoredKind, KeyRecord, NewKey};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Identity;
use crate::auth::scopes_of;
use crate::auth::secret::{self, Purpose};
use crate::error::ApiError;
use crate::extract::{Json, Path};
use crate::state::AppState;

const MAX_NAME: usize = 64;
const WORKER_KEY_HOURS: u32 = 24;
const MAX_HOURS: u32 = 24 * 366 * 10;

/// The routes of this resource.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_keys, create_key)).routes(routes!(revoke_key))
}

/// Your keys, the newest first, revoked ones too, without their secrets.
#[utoipa::path(get, path = "/keys", tag = "keys", responses((status = 200, body = Vec<Key>)))]
async fn list_keys(State(state): State<AppState>, identity: Identity) -> Result<Json<Vec<Key>>, ApiError> {
    let person = identity.person()?;
    identity.require(Operation::ManageKeys, identity.relation_to_user(person.user_id))?;
    let keys = state.stores.tokens.keys(Some(person.user_id)).await?;
    Ok(Json(keys.into_iter().map(to_wire).collect()))
}

/// Make a key. Its secret is shown once.
#[utoipa::path(post, path = "/keys", tag = "keys", request_body = CreateKey, responses((status = 201, body = CreatedKey)))]
async fn create_key(
    State(state): State<AppState>,
    identity: Identity,
    Json(wish): Json<CreateKey>,
) -> Result<(StatusCode, Json<CreatedKey>), ApiError> {
    let (person, _) = identity.signed_in()?;
    identity.require(Operation::ManageKeys, identity.relation_to_user(person.user_id))?;
    check(&wish)?;
    check_room(&state, person.user_id).await?;
    let issued = secret::issue(purpose(wish.kind));
    let key_id = state.new_id(KeyId::new);
    let scopes = scopes(&wish);
    let new = NewKey {
        key_id,
        kind: stored_kind(wish.kind),
        user_id: person.user_id,
        uses: uses(&wish),
        expires_at: hours(&wish).map(|hours| state.now() + Duration::from_hours(u64::from(hours))),
        name: wish.name,
        hash: issued.hash,
        scopes: scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
        created_by: person.user_id,
    };
    let mut audit = identity.audit(&state, "key_created", format!("key:{key_id}"));
    audit.detail = Some(json!({ "kind": wish.kind, "name": new.name, "scopes": new.scopes }));
    state.stores.tokens.create_key(&new, &audit).await?;
    let key = state.stores.tokens.key(key_id).await?.ok_or_else(|| ApiError::internal("a new key is missing"))?;
    Ok((StatusCode::CREATED, Json(CreatedKey { secret: issued.secret, key: to_wire(key) })))
}

/// Revoke a key, and with it the machines that it enrolled: their sockets close at once.
#[utoipa::path(delete, path = "/keys/{id}", tag = "keys", params(("id" = KeyId, Path)), responses((status = 204)))]
async fn revoke_key(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<KeyId>,
) -> Result<StatusCode, ApiError> {
    let (person, _) = identity.signed_in()?;
    identity.require(Operation::ManageKeys, identity.relation_to_user(person.user_id))?;
    let key = state.stores.tokens.key(id).await?;
    key.filter(|key| key.user_id == person.user_id).ok_or_else(|| ApiError::not_found("key"))?;
    let audit = identity.audit(&state, "key_revoked", format!("key:{id}"));
    let revoked = state.stores.tokens.revoke_key(id, &audit).await?;
    state.end_credentials(&revoked).await;
    Ok(StatusCode::NO_CONTENT)
}

/// Refuses one key more than a person may have.
pub(super) async fn check_room(state: &AppState, user_id: UserId) -> Result<(), ApiError> {
    let now = state.now();
    let counts = |key: &KeyRecord| key.revoked_at.is_none() && key.expires_at.is_none_or(|end| end > now);
    let live = state.stores.tokens.keys(Some(user_id)).await?.iter().filter(|key| counts(key)).count();
    let most = state.config.limits.keys;
    if live >= most {
        return Err(ApiError::new(
            ErrorCode::Conflict,
            format!("{live} of your keys count, and {most} may (limits.keys): revoke some first."),
        ));
    }
    Ok(())
}

/// Whether people can read what a key is called.
pub(super) fn check_name(name: &str) -> Result<(), ApiError> {
    if (1..=MAX_NAME).contains(&name.chars().count()) && !name.chars().any(char::is_control) {
        return Ok(());
    }
    Err(ApiError::invalid(format!("name holds 1 to {MAX_NAME} printable characters")))
}

fn check(wish: &CreateKey) -> Result<(), ApiError> {
    check_name(&wish.name)?;
    if wish.kind == KeyKind::Api && wish.uses.is_some() {
        return Err(ApiError::invalid("uses is for worker keys: an api key is used as often as its user likes"));
    }
    if wish.kind == KeyKind::Worker && wish.scopes.is_some() {
        return Err(ApiError::invalid("scopes are for api keys: a worker key enrols machines and nothing else"));
    }
    if wish.scopes.as_ref().is_some_and(Vec::is_empty) {
        return Err(ApiError::invalid("scopes is empty: such a key could do nothing"));
    }
    if wish.hours.is_some_and(|hours| !(1..=MAX_HOURS).contains(&hours)) {
        return Err(ApiError::invalid(format!("hours is 1 to {MAX_HOURS}")));
    }
    Ok(())
}

fn scopes(wish: &CreateKey) -> Vec<Scope> {
    match wish.kind {
        KeyKind::Worker => Vec::new(),
        KeyKind::Api => wish.scopes.clone().unwrap_or_else(|| Scope::USUAL.to_vec()),
    }
}

fn uses(wish: &CreateKey) -> Option<u32> {
    match wish.kind {
        KeyKind::Worker => Some(wish.uses.unwrap_or(1)).filter(|uses| *uses > 0),
        KeyKind::Api => None,
    }
}

fn hours(wish: &CreateKey) -> Option<u32> {
    match wish.kind {
        KeyKind::Worker => Some(wish.hours.unwrap_or(WORKER_KEY_HOURS)),
        KeyKind::Api => wish.hours,
    }
}

fn purpose(kind: KeyKind) -> Purpose {
    match kind {
        KeyKind::Worker => Purpose::WorkerKey,
        KeyKind::Api => Purpose::ApiKey,
    }
}

fn stored_kind(kind: KeyKind) -> StoredKind {
    match kind {
        KeyKind::Worker => StoredKind::Worker,
        KeyKind::Api => StoredKind::Api,
    }
}

fn to_wire(key: KeyRecord) -> Key {
    Key {
        key_id: key.key_id,
        kind: match key.kind {
            StoredKind::Worker => KeyKind::Worker,
            StoredKind::Api => KeyKind::Api,
        },
        name: key.name,
        scopes: match key.kind {
            StoredKind::Worker => Vec::new(),
            StoredKind::Api => scopes_of(&key.scopes).iter().collect(),
        },
        last_used_at: key.last_used_at,
        uses_left: key.uses_left,
        created_at: key.created_at,
        expires_at: key.expires_at,
        revoked_at: key.revoked_at,
    }
}
