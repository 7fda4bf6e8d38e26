SELECT DISTINCT hash
FROM artifacts
ORDER BY hash
