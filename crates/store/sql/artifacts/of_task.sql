SELECT number, attempt, name, size, hash, created_at
FROM artifacts
WHERE number = $1
ORDER BY attempt, name
