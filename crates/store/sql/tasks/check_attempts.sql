SELECT number, status
FROM attempts
WHERE number > $1
  AND number <= $2
ORDER BY number, attempt
