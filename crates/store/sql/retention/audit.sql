DELETE FROM audit
WHERE id IN (
    SELECT id
    FROM (SELECT id, at FROM audit ORDER BY id LIMIT $2) AS oldest
    WHERE at < $1
)
