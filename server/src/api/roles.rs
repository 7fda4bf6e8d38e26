//! Roles: who does them for a person, best first. What nobody chose is as shipped.
//!
//! A list holds from the next task on: a task takes its list along when it is submitted.

use std::collections::BTreeMap;

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::{Value, json};
use swarm_model::cascade::{AS_OF, AtLimit, MOST_ENTRIES, ModelChoice, Role, shipped};
use swarm_model::rights::Operation;
use swarm_model::{ToolName, UserId};
use swarm_proto::roles::{RoleList, Roles, SetAtLimit, SetRole};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Identity;
use crate::error::ApiError;
use crate::extract::{Json, Path};
use crate::state::AppState;

/// Characters of a model's name.
const MAX_MODEL: usize = 200;

/// The name of the setting.
const AT_LIMIT: &str = "at_limit";

fn setting(role: Role) -> String {
    format!("role:{role}")
}

/// The routes of this resource.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_roles, set_at_limit)).routes(routes!(get_role, set_role, reset_role))
}

/// Who does which role for you, and what your tasks with such a list do at a limit of an account.
#[utoipa::path(get, path = "/roles", tag = "tasks", responses((status = 200, body = Roles)))]
async fn list_roles(State(state): State<AppState>, identity: Identity) -> Result<Json<Roles>, ApiError> {
    let user = asker(&identity, Operation::ReadRoles)?;
    Ok(Json(roles(&Chosen::of(&state, user).await?)))
}

/// Choose what your tasks with a list of models do at a limit of an account: `wait` until it is over, or go on with the
/// `next` entry.
#[utoipa::path(put, path = "/roles", tag = "tasks", request_body = SetAtLimit, responses((status = 200, body = Roles)))]
async fn set_at_limit(
    State(state): State<AppState>,
    identity: Identity,
    Json(wish): Json<SetAtLimit>,
) -> Result<Json<Roles>, ApiError> {
    let user = asker(&identity, Operation::ManageRoles)?;
    choose(&state, &identity, user, AT_LIMIT, Some(json!(wish.at_limit))).await?;
    Ok(Json(roles(&Chosen::of(&state, user).await?)))
}

/// Who does a role for you.
#[utoipa::path(get, path = "/roles/{role}", tag = "tasks", params(("role" = Role, Path)), responses((status = 200, body = RoleList)))]
async fn get_role(
    State(state): State<AppState>,
    identity: Identity,
    Path(role): Path<Role>,
) -> Result<Json<RoleList>, ApiError> {
    let user = asker(&identity, Operation::ReadRoles)?;
    Ok(Json(Chosen::of(&state, user).await?.role(role)))
}

/// Choose who does a role for you, best first.
#[utoipa::path(put, path = "/roles/{role}", tag = "tasks", params(("role" = Role, Path)), request_body = SetRole, responses((status = 200, body = RoleList)))]
async fn set_role(
    State(state): State<AppState>,
    identity: Identity,
    Path(role): Path<Role>,
    Json(wish): Json<SetRole>,
) -> Result<Json<RoleList>, ApiError> {
    let user = asker(&identity, Operation::ManageRoles)?;
    if wish.entries.is_empty() {
        return Err(ApiError::invalid("entries is empty: DELETE takes the shipped list again"));
    }
    check_entries("entries", &wish.entries)?;
    choose(&state, &identity, user, &setting(role), Some(json!(wish.entries))).await?;
    Ok(Json(Chosen::of(&state, user).await?.role(role)))
}

/// Take the shipped list of a role again.
#[utoipa::path(delete, path = "/roles/{role}", tag = "tasks", params(("role" = Role, Path)), responses((status = 204)))]
async fn reset_role(
    State(state): State<AppState>,
    identity: Identity,
    Path(role): Path<Role>,
) -> Result<StatusCode, ApiError> {
    let user = asker(&identity, Operation::ManageRoles)?;
    choose(&state, &identity, user, &setting(role), None).await?;
    Ok(StatusCode::NO_CONTENT)
}

fn asker(identity: &Identity, operation: Operation) -> Result<UserId, ApiError> {
    let user = identity.person()?.user_id;
    identity.require(operation, identity.relation_to_user(user))?;
    Ok(user)
}

async fn choose(
    state: &AppState,
    identity: &Identity,
    user: UserId,
    name: &str,
    value: Option<Value>,
) -> Result<(), ApiError> {
    let mut audit = identity.audit(state, "role_chosen", format!("user:{user}"));
    audit.detail = Some(json!({ "name": name, "value": value }));
    state.stores.people.set_user_setting(user, name, value.as_ref(), &audit).await?;
    Ok(())
}

/// Whether these can be the entries of a cascade.
pub(crate) fn check_entries(field: &str, entries: &[ModelChoice]) -> Result<(), ApiError> {
    if entries.len() > MOST_ENTRIES {
        return Err(ApiError::invalid(format!("{field} holds at most {MOST_ENTRIES} entries")));
    }
    for entry in entries {
        let is_readable =
            |model: &String| (1..=MAX_MODEL).contains(&model.chars().count()) && !model.chars().any(char::is_control);
        if !entry.model.as_ref().is_none_or(is_readable) {
            return Err(ApiError::invalid(format!("{field}: a model has 1 to {MAX_MODEL} printable characters")));
        }
        if entry.tool.as_str() == ToolName::COMMAND {
            return Err(ApiError::invalid(format!("{field}: the tool command takes no prompts")));
        }
    }
    Ok(())
}

/// What a person chose.
#[derive(Debug, Default)]
pub(crate) struct Chosen(BTreeMap<String, Value>);

impl Chosen {
    pub(crate) async fn of(state: &AppState, user: UserId) -> Result<Self, ApiError> {
        Ok(Self(state.stores.people.user_settings(user).await?))
    }

    /// What happens at a limit.
    pub(crate) fn at_limit(&self) -> AtLimit {
        self.read(AT_LIMIT).unwrap_or_default()
    }

    /// Who does a role. A list that cannot be read any more is as if nobody had chosen one.
    pub(crate) fn role(&self, role: Role) -> RoleList {
        match self.read(&setting(role)) {
            Some(entries) => RoleList { role, is_own: true, entries },
            None => RoleList { role, is_own: false, entries: shipped(role) },
        }
    }

    fn read<T: serde::de::DeserializeOwned>(&self, name: &str) -> Option<T> {
        serde_json::from_value(self.0.get(name)?.clone()).ok()
    }
}

fn roles(chosen: &Chosen) -> Roles {
    Roles {
        at_limit: chosen.at_limit(),
        shipped_as_of: AS_OF.to_owned(),
        items: Role::ALL.into_iter().map(|role| chosen.role(role)).collect(),
    }
}
