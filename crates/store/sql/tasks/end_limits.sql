WITH over (account_id) AS (ROWS)
DELETE FROM account_limits
WHERE account_id IN (SELECT account_id FROM over)
