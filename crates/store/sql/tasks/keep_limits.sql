-- The latest of each account.
INSERT INTO account_limits (account_id, label, class, detail, since, until)
ROWS
ON CONFLICT (account_id) DO UPDATE
SET label = excluded.label,
    class = excluded.class,
    detail = excluded.detail,
    since = excluded.since,
    until = excluded.until
