SELECT id, at, actor, action, subject, detail, from_address
FROM audit
WHERE id < $1
ORDER BY id DESC
LIMIT $2
