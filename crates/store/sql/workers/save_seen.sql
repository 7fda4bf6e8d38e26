UPDATE workers
SET
    last_seen = new.at,
    load = new.load,
    capabilities = COALESCE(new.capabilities, workers.capabilities)
FROM (
    SELECT
        value->>0 AS worker_id,
        CAST(value->>1 AS BIGINT) AS at,
        value->>2 AS load,
        value->>3 AS capabilities
    FROM jsonb_each($1)
) AS new
WHERE workers.worker_id = new.worker_id
