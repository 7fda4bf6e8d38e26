INSERT INTO budgets (budget_id, user_id, worker_id, tool, period, unit, amount, created_by, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
