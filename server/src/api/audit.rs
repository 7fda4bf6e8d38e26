//! The audit: of everybody for admins, of oneself for everybody.

use std::collections::HashMap;

use axum::extract::State;
use swarm_model::rights::{Operation, Relation};
use swarm_proto::Page;
use swarm_proto::audit::{AuditEvent, ListAudit};
use swarm_store::audit::{AuditFilter, AuditRecord};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Identity;
use crate::error::ApiError;
use crate::extract::{Json, Query};
use crate::state::AppState;

const PAGE: usize = 50;
const MAX_PAGE: usize = 500;

/// The routes of this resource.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(read_audit))
}

/// Who changed which right, key, setting or worker, the newest first. Who is no admin reads what they did themselves.
#[utoipa::path(get, path = "/audit", tag = "people", params(ListAudit), responses((status = 200, body = Page<AuditEvent>)))]
async fn read_audit(
    State(state): State<AppState>,
    identity: Identity,
    Query(query): Query<ListAudit>,
) -> Result<Json<Page<AuditEvent>>, ApiError> {
    identity.require(Operation::ReadOwnAudit, Relation::None)?;
    let (person, _) = identity.signed_in()?;
    let oneself = format!("user:{}", person.user_id);
    let reads_all = identity.allows(Operation::ReadAudit, Relation::None);
    if !reads_all && query.actor.as_ref().is_some_and(|actor| *actor != oneself) {
        return Err(ApiError::forbidden(Operation::ReadAudit));
    }
    let limit = query.limit.unwrap_or(PAGE).clamp(1, MAX_PAGE);
    let filter = AuditFilter {
        before: query.cursor,
        actor: if reads_all { query.actor } else { Some(oneself) },
        action: query.action,
        subject: query.subject,
        limit: limit + 1,
    };
    let mut found = state.stores.housekeeping.audit_log(&filter).await?;
    let has_more = found.len() > limit;
    found.truncate(limit);
    let next_cursor = found.last().filter(|_| has_more).map(|last| last.id.to_string());
    let names = names(&state).await?;
    Ok(Json(Page { items: found.into_iter().map(|record| to_wire(record, &names)).collect(), next_cursor }))
}

/// The names of people by how the audit calls them.
async fn names(state: &AppState) -> Result<HashMap<String, String>, ApiError> {
    let users = state.stores.people.users().await?;
    Ok(users.into_iter().map(|user| (format!("user:{}", user.user_id), user.username)).collect())
}

fn to_wire(record: AuditRecord, names: &HashMap<String, String>) -> AuditEvent {
    let AuditRecord { id, entry } = record;
    AuditEvent {
        id,
        at: entry.at,
        actor_name: names.get(&entry.actor).cloned(),
        actor: entry.actor,
        action: entry.action,
        subject: entry.subject,
        detail: entry.detail,
        from_address: entry.from_address,
    }
}
