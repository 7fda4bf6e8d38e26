UPDATE budgets SET amount = $2 WHERE budget_id = $1
