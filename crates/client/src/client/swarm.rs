//! The swarm as a whole.

use swarm_model::{BudgetId, Role};
use swarm_proto::Page;
use swarm_proto::budgets::{Budget, CreateBudget, UpdateBudget};
use swarm_proto::roles::{RoleList, Roles, SetAtLimit, SetRole};
use swarm_proto::status::SwarmStatus;
use swarm_proto::tools::SwarmTool;
use swarm_proto::usage::{ReadUsage, UsageReport};

use crate::{Client, ClientError};

impl Client {
    /// The swarm at a glance.
    pub async fn status(&self) -> Result<SwarmStatus, ClientError> {
        self.json(self.get(&[&"status"])).await
    }

    /// What was used: by one's own tasks, and on one's own machines; by everybody for an admin.
    pub async fn usage(&self, query: &ReadUsage) -> Result<UsageReport, ClientError> {
        self.json(self.get(&[&"usage"]).query(query)).await
    }

    /// Every tool of the machines that one may see: where it is, how healthy, how busy.
    pub async fn tools(&self) -> Result<Page<SwarmTool>, ClientError> {
        self.json(self.get(&[&"tools"])).await
    }

    /// The budgets that one may see, and what is used of each.
    pub async fn budgets(&self) -> Result<Page<Budget>, ClientError> {
        self.json(self.get(&[&"budgets"])).await
    }

    /// Sets a budget.
    pub async fn create_budget(&self, budget: &CreateBudget) -> Result<Budget, ClientError> {
        self.json(self.post(&[&"budgets"]).json(budget)).await
    }

    /// Gives a budget another amount.
    pub async fn change_budget(&self, budget_id: BudgetId, change: &UpdateBudget) -> Result<Budget, ClientError> {
        self.json(self.put(&[&"budgets", &budget_id]).json(change)).await
    }

    /// Removes a budget.
    pub async fn remove_budget(&self, budget_id: BudgetId) -> Result<(), ClientError> {
        self.done(self.delete(&[&"budgets", &budget_id])).await
    }

    /// Who does which role for one, and what happens at a limit.
    pub async fn roles(&self) -> Result<Roles, ClientError> {
        self.json(self.get(&[&"roles"])).await
    }

    /// Who does a role for one.
    pub async fn role(&self, role: Role) -> Result<RoleList, ClientError> {
        self.json(self.get(&[&"roles", &role])).await
    }

    /// Chooses who does a role.
    pub async fn set_role(&self, role: Role, list: &SetRole) -> Result<RoleList, ClientError> {
        self.json(self.put(&[&"roles", &role]).json(list)).await
    }

    /// Takes the shipped list of a role again.
    pub async fn reset_role(&self, role: Role) -> Result<(), ClientError> {
        self.done(self.delete(&[&"roles", &role])).await
    }

    /// Chooses what happens at a limit.
    pub async fn set_at_limit(&self, rule: &SetAtLimit) -> Result<Roles, ClientError> {
        self.json(self.put(&[&"roles"]).json(rule)).await
    }

    /// Hands nothing out any more, to any worker, until [`resume_swarm`](Self::resume_swarm).
    pub async fn pause_swarm(&self) -> Result<(), ClientError> {
        self.done(self.post(&[&"swarm", &"pause"])).await
    }

    /// Hands out again.
    pub async fn resume_swarm(&self) -> Result<(), ClientError> {
        self.done(self.post(&[&"swarm", &"resume"])).await
    }
}
