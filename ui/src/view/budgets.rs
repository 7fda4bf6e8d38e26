//! Budgets in words: of which most is used, and from when there is more.

use swarm_proto::budgets::{Budget, BudgetState};

use super::swarm::Swarm;
use super::words::{self, Moment};
use crate::strings::budgets as text;

/// A budget as a row of the first page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Line {
    /// Whose it is, and in what time.
    pub whose: String,
    /// What of it is used.
    pub used: String,
    /// When it begins anew.
    pub anew: String,
    /// Whether nothing is left of it.
    pub is_spent: bool,
}

/// The budgets of which most is used, as the coordinator tells them.
pub fn lines(swarm: &Swarm, moment: Moment) -> Vec<Line> {
    let budgets = swarm.status.as_ref().map(|status| status.budgets.as_slice()).unwrap_or_default();
    budgets.iter().map(|budget| line(budget, moment)).collect()
}

fn line(budget: &Budget, moment: Moment) -> Line {
    let name = budget.machine_name.as_deref().or(budget.username.as_deref()).unwrap_or(text::NOBODY);
    let tool = budget.tool.as_ref().map(|tool| words::tool(tool.as_str()));
    let (used, amount) = (budget.unit.words(budget.used), budget.unit.words(budget.amount));
    let is_spent = budget.state == BudgetState::Spent;
    let percent = u128::from(budget.used) * 100 / u128::from(budget.amount.max(1));
    let used = if is_spent { text::spent(&used, &amount) } else { text::used(&used, &amount, percent) };
    let anew = budget.renews_at.map(|at| words::capital(&text::anew(&words::clock(at, moment))));
    Line {
        whose: text::whose(name, tool.as_deref(), text::period(budget.period)),
        used,
        anew: anew.unwrap_or_default(),
        is_spent,
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use swarm_model::UserId;
    use swarm_model::budget::{BudgetPeriod, BudgetUnit};
    use swarm_proto::status::SwarmStatus;

    use super::*;
    use crate::view::samples::{self, MOMENT, ago};

    fn budget(used: u64, state: BudgetState) -> Budget {
        let user: UserId = "018f2d3a-0000-7000-8000-0000000000aa".parse().unwrap();
        Budget {
            budget_id: "018f2d3a-0000-7000-8000-0000000000bb".parse().unwrap(),
            user_id: Some(user),
            username: Some("ann".to_owned()),
            worker_id: None,
            machine_name: None,
            tool: Some("codex".parse().unwrap()),
            period: BudgetPeriod::Day,
            unit: BudgetUnit::Tokens,
            amount: 5_000,
            used,
            state,
            renews_at: Some(MOMENT.now + Duration::from_hours(2)),
            created_by: user,
            created_at: ago(60),
        }
    }

    fn said(budgets: Vec<Budget>) -> Vec<Line> {
        let mut swarm = Swarm::default();
        swarm.status = Some(SwarmStatus { budgets, ..samples::status() });
        lines(&swarm, MOMENT)
    }

    #[test]
    fn a_budget_says_whose_it_is_how_much_is_used_and_when_there_is_more() {
        let [line] = &said(vec![budget(4_200, BudgetState::Warned)])[..] else { panic!("no line") };
        assert_eq!(line.whose, "ann with Codex, a day");
        assert_eq!(line.used, "4,200 tokens of 5,000 tokens used, 84 %");
        assert!(line.anew.starts_with("Begins anew "), "{}", line.anew);
        assert!(!line.is_spent);
    }

    #[test]
    fn one_that_is_used_up_says_what_follows() {
        let [line] = &said(vec![budget(5_100, BudgetState::Spent)])[..] else { panic!("no line") };
        assert_eq!(line.used, "Used up: 5,100 tokens of 5,000 tokens. What would draw on it waits");
        assert!(line.is_spent);
    }

    #[test]
    fn without_budgets_nothing_is_said() {
        assert_eq!(said(Vec::new()), []);
    }
}
