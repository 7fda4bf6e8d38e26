DELETE FROM tasks
WHERE number = $1
  AND version = $2
  AND status IN ('completed', 'failed', 'cancelled')
