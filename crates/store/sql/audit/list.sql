-- An empty text stands for anything.
SELECT id, at, actor, action, subject, detail, from_address
FROM audit
WHERE id < $1
  AND ($3 = '' OR actor = $3)
  AND ($4 = '' OR action = $4)
  AND ($5 = '' OR subject = $5)
ORDER BY id DESC
LIMIT $2
