SELECT account_id, label, class, detail, since, until
FROM account_limits
ORDER BY account_id
