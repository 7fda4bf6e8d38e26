SELECT budget_id, user_id, worker_id, tool, period, unit, amount, created_by, created_at
FROM budgets
ORDER BY created_at, budget_id
