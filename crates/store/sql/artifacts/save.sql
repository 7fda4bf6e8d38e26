-- The last of the same name counts, as on the disk of the worker.
INSERT INTO artifacts (number, attempt, name, size, hash, created_at)
ROWS
ON CONFLICT (number, attempt, name) DO UPDATE
SET
    size = excluded.size,
    hash = excluded.hash,
    created_at = excluded.created_at
