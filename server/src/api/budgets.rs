//! Budgets: how many tokens, or how much money, may be used in a day, in a month, or in all.
//!
//! A person sets budgets for their own tasks and for workers that they own; an admin for everybody. What an admin set
//! for somebody only an admin changes, or it would bound nothing.

use axum::extract::State;
use axum::http::StatusCode;
use serde_json::json;
use swarm_engine::StandingBudget;
use swarm_model::budget::{Budget, BudgetOf};
use swarm_model::rights::{Operation, Relation};
use swarm_model::{BudgetId, Timestamp, UserId};
use swarm_proto::budgets::{self as wire, BudgetState, CreateBudget, UpdateBudget};
use swarm_proto::{ErrorCode, Page};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::workers::relation_to;
use crate::auth::Identity;
use crate::error::ApiError;
use crate::extract::{Json, Path};
use crate::state::AppState;

/// Budgets of one person or worker at the most: each costs every claim a look.
const MOST: usize = 20;

/// The most that a budget may have; more than there is, and sums stay numbers.
const MOST_AMOUNT: u64 = 1_000_000_000_000_000;

/// The routes of this resource.
pub(crate) fn router() -> OpenApiRouter<AppState> {
    OpenApiRouter::new().routes(routes!(list_budgets, create_budget)).routes(routes!(change_budget, remove_budget))
}

/// Your budgets and those of workers that you own, with what is used of each; for an admin, all.
#[utoipa::path(get, path = "/budgets", tag = "swarm", responses((status = 200, body = Page<wire::Budget>)))]
async fn list_budgets(State(state): State<AppState>, identity: Identity) -> Result<Json<Page<wire::Budget>>, ApiError> {
    let person = identity.person()?;
    identity.require(Operation::ReadBudgets, identity.relation_to_user(person.user_id))?;
    Ok(Json(Page::whole(visible(&state, &identity, |_| true).await?)))
}

/// Set a budget: your own, that of a worker that you own, or, for an admin, anybody's.
#[utoipa::path(post, path = "/budgets", tag = "swarm", request_body = CreateBudget, responses((status = 201, body = wire::Budget)))]
async fn create_budget(
    State(state): State<AppState>,
    identity: Identity,
    Json(wish): Json<CreateBudget>,
) -> Result<(StatusCode, Json<wire::Budget>), ApiError> {
    let person = identity.person()?;
    let of = subject(&state, &identity, &wish).await?;
    match of {
        BudgetOf::Worker(worker) => {
            super::workers::load(&state, &identity, Operation::ManageBudgets, worker).await?;
        }
        // Whoever came so far names themselves, or is an admin.
        BudgetOf::User(_) => {
            identity.require(Operation::ManageBudgets, identity.relation_to_user(person.user_id))?;
        }
    }
    check_amount(wish.amount)?;
    let live = state.dispatcher.live().budgets();
    if live.iter().filter(|standing| standing.budget.of == of).count() >= MOST {
        return Err(ApiError::new(ErrorCode::Conflict, format!("There are {MOST} budgets already: remove one first.")));
    }
    let budget = Budget {
        budget_id: state.new_id(BudgetId::new),
        of,
        tool: wish.tool,
        period: wish.period,
        unit: wish.unit,
        amount: wish.amount,
        created_by: person.user_id,
        created_at: state.now(),
    };
    let mut audit = identity.audit(&state, "budget_set", format!("budget:{}", budget.budget_id));
    audit.detail = Some(json!({ "budget": budget.words(), "of": of_text(of) }));
    state.stores.budgets.create_budget(&budget, &audit).await?;
    state.dispatcher.budgets_changed().await?;
    Ok((StatusCode::CREATED, Json(read(&state, &identity, budget.budget_id).await?)))
}

/// Give a budget another amount. What waited for it goes on if there is enough now.
#[utoipa::path(put, path = "/budgets/{id}", tag = "swarm", params(("id" = BudgetId, Path)), request_body = UpdateBudget, responses((status = 200, body = wire::Budget)))]
async fn change_budget(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<BudgetId>,
    Json(change): Json<UpdateBudget>,
) -> Result<Json<wire::Budget>, ApiError> {
    let budget = load(&state, &identity, id).await?;
    check_amount(change.amount)?;
    let mut audit = identity.audit(&state, "budget_changed", format!("budget:{id}"));
    audit.detail = Some(json!({ "before": budget.amount, "after": change.amount, "unit": budget.unit }));
    state.stores.budgets.change_budget(id, change.amount, &audit).await?;
    state.dispatcher.budgets_changed().await?;
    Ok(Json(read(&state, &identity, id).await?))
}

/// Remove a budget. What waited for it goes on.
#[utoipa::path(delete, path = "/budgets/{id}", tag = "swarm", params(("id" = BudgetId, Path)), responses((status = 204)))]
async fn remove_budget(
    State(state): State<AppState>,
    identity: Identity,
    Path(id): Path<BudgetId>,
) -> Result<StatusCode, ApiError> {
    let budget = load(&state, &identity, id).await?;
    let mut audit = identity.audit(&state, "budget_removed", format!("budget:{id}"));
    audit.detail = Some(json!({ "budget": budget.words(), "of": of_text(budget.of) }));
    state.stores.budgets.remove_budget(id, &audit).await?;
    state.dispatcher.budgets_changed().await?;
    Ok(StatusCode::NO_CONTENT)
}

fn check_amount(amount: u64) -> Result<(), ApiError> {
    if (1..=MOST_AMOUNT).contains(&amount) {
        return Ok(());
    }
    Err(ApiError::invalid(format!("amount is 1 to {MOST_AMOUNT}")))
}

fn of_text(of: BudgetOf) -> String {
    match of {
        BudgetOf::User(user) => format!("user:{user}"),
        BudgetOf::Worker(worker) => format!("worker:{worker}"),
    }
}

/// Whose budget it is to be.
async fn subject(state: &AppState, identity: &Identity, wish: &CreateBudget) -> Result<BudgetOf, ApiError> {
    let person = identity.person()?;
    match (&wish.username, wish.worker_id) {
        (Some(_), Some(_)) => Err(ApiError::invalid("give username or worker_id, not both")),
        (None, Some(worker)) => Ok(BudgetOf::Worker(worker)),
        (None, None) => Ok(BudgetOf::User(person.user_id)),
        (Some(name), None) => {
            let found = state.stores.people.user_by_name(name).await?.map(|user| user.user_id);
            // Whether there is such a person is nothing that everybody learns here.
            if found != Some(person.user_id) && !identity.allows(Operation::ManageBudgets, Relation::None) {
                return Err(ApiError::new(ErrorCode::Forbidden, "Only an admin sets budgets for other people."));
            }
            found.map(BudgetOf::User).ok_or_else(|| ApiError::not_found("user"))
        }
    }
}

/// How the asker stands to a budget that this person set.
async fn relation(
    state: &AppState,
    identity: &Identity,
    of: BudgetOf,
    created_by: UserId,
) -> Result<Relation, ApiError> {
    match of {
        BudgetOf::User(user) if user == created_by => Ok(identity.relation_to_user(user)),
        BudgetOf::User(_) => Ok(Relation::None),
        BudgetOf::Worker(worker) => relation_to(state, identity, worker).await,
    }
}

/// A budget that the asker may change.
async fn load(state: &AppState, identity: &Identity, id: BudgetId) -> Result<Budget, ApiError> {
    identity.person()?;
    let absent = || ApiError::not_found("budget");
    let found = state.stores.tasks.budgets().await?.into_iter().find(|budget| budget.budget_id == id);
    let budget = found.ok_or_else(absent)?;
    let relation = relation(state, identity, budget.of, budget.created_by).await?;
    // Of what is nothing of theirs nobody learns that it is there.
    if relation == Relation::None && !identity.allows(Operation::ManageBudgets, relation) {
        return Err(absent());
    }
    identity.require(Operation::ManageBudgets, relation)?;
    Ok(budget)
}

async fn read(state: &AppState, identity: &Identity, id: BudgetId) -> Result<wire::Budget, ApiError> {
    let found = visible(state, identity, |standing| standing.budget.budget_id == id).await?.pop();
    found.ok_or_else(|| ApiError::new(ErrorCode::NotFound, "the budget was removed in the meantime"))
}

/// Budgets that the asker may see, as of the last commit.
pub(super) async fn visible(
    state: &AppState,
    identity: &Identity,
    wanted: impl Fn(&StandingBudget) -> bool,
) -> Result<Vec<wire::Budget>, ApiError> {
    let live = state.dispatcher.live().budgets();
    let mut seen = Vec::new();
    for standing in live.iter().filter(|standing| wanted(standing)) {
        let relation = match standing.budget.of {
            BudgetOf::User(user) => identity.relation_to_user(user),
            BudgetOf::Worker(worker) => relation_to(state, identity, worker).await?,
        };
        if !identity.allows(Operation::ReadBudgets, relation) {
            continue;
        }
        let mut shown = to_wire(standing, state.now());
        match standing.budget.of {
            BudgetOf::User(user) => shown.username = state.stores.people.user(user).await?.map(|user| user.username),
            BudgetOf::Worker(worker) => {
                shown.machine_name = state.stores.workers.worker(worker).await?.map(|worker| worker.machine_name);
            }
        }
        seen.push(shown);
    }
    Ok(seen)
}

fn to_wire(standing: &StandingBudget, now: Timestamp) -> wire::Budget {
    let budget = &standing.budget;
    let (user_id, worker_id) = match budget.of {
        BudgetOf::User(user) => (Some(user), None),
        BudgetOf::Worker(worker) => (None, Some(worker)),
    };
    wire::Budget {
        budget_id: budget.budget_id,
        user_id,
        username: None,
        worker_id,
        machine_name: None,
        tool: budget.tool.clone(),
        period: budget.period,
        unit: budget.unit,
        amount: budget.amount,
        used: standing.used,
        state: match (standing.is_spent(), standing.is_warned()) {
            (true, _) => BudgetState::Spent,
            (false, true) => BudgetState::Warned,
            (false, false) => BudgetState::Open,
        },
        renews_at: budget.period.ends(now),
        created_by: budget.created_by,
        created_at: budget.created_at,
    }
}
