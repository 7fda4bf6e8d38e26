-- From which number on there may be tasks that have not ended: as it was remembered, and as it is.
SELECT
    remembered.value AS remembered,
    COALESCE(
        (
            SELECT number
            FROM tasks
            WHERE number >= remembered.value
              AND status IN ('queued', 'assigned', 'running', 'waiting')
            ORDER BY number
            LIMIT 1
        ),
        (SELECT max(number) + 1 FROM tasks),
        remembered.value
    ) AS found
FROM (SELECT COALESCE((SELECT value FROM counters WHERE name = 'live_from'), 1) AS value) AS remembered
