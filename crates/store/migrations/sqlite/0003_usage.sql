-- Version 3. What runs used, summed by day in UTC (days since 1970-01-01), written in the commit that ends a run.
-- Kept when tasks go. An unknown model is empty. Nothing points to people and workers: sums outlive both.
CREATE TABLE daily_usage (
    day BIGINT NOT NULL,
    user_id TEXT NOT NULL,
    worker_id TEXT NOT NULL,
    tool TEXT NOT NULL,
    model TEXT NOT NULL,
    runs BIGINT NOT NULL,
    completed_runs BIGINT NOT NULL,
    run_ms BIGINT NOT NULL,
    input_tokens BIGINT NOT NULL,
    output_tokens BIGINT NOT NULL,
    cache_read_tokens BIGINT NOT NULL,
    cache_write_tokens BIGINT NOT NULL,
    reasoning_tokens BIGINT NOT NULL,
    unknown_token_runs BIGINT NOT NULL,
    reported_runs BIGINT NOT NULL,
    reported_microusd BIGINT NOT NULL,
    priced_runs BIGINT NOT NULL,
    priced_microusd BIGINT NOT NULL,
    free_runs BIGINT NOT NULL,
    unknown_cost_runs BIGINT NOT NULL,
    PRIMARY KEY (day, user_id, worker_id, tool, model)
) WITHOUT ROWID;

-- What is known of a run stands in its record, also where its result came too late.
UPDATE attempts
SET record = late -> 'record'
WHERE record IS NULL
  AND late IS NOT NULL
  AND status <> 'completed';

-- The sums of what has ended, by the rules of `swarm_model::usage`.
INSERT INTO daily_usage
WITH told AS (
    SELECT
        attempts.ended_at / 86400000000 AS day,
        tasks.user_id,
        attempts.worker_id,
        attempts.tool,
        substr(trim(COALESCE(attempts.record ->> '$.model', attempts.model, '')), 1, 100) AS model,
        attempts.status = 'completed' AS is_completed,
        COALESCE(attempts.record ->> '$.duration_ms', MAX(0, attempts.ended_at - attempts.started_at) / 1000, 0) AS run_ms,
        attempts.record ->> '$.usage.input_tokens' AS input_tokens,
        attempts.record ->> '$.usage.output_tokens' AS output_tokens,
        attempts.record ->> '$.usage.cache_read_tokens' AS cache_read_tokens,
        attempts.record ->> '$.usage.cache_write_tokens' AS cache_write_tokens,
        attempts.record ->> '$.usage.cost_microusd' AS cost,
        COALESCE(attempts.record ->> '$.usage.cost_kind', 'unknown') AS kind
    FROM attempts
    INNER JOIN tasks ON tasks.number = attempts.number
    WHERE attempts.ended_at IS NOT NULL
      AND attempts.status IN ('completed', 'failed', 'cancelled', 'refused', 'lost')
      AND (attempts.record IS NOT NULL OR (attempts.started_at IS NOT NULL AND attempts.status <> 'refused'))
),
known AS (
    SELECT
        *,
        CASE
            WHEN kind = 'none' THEN 'free'
            WHEN kind IN ('reported', 'priced') AND cost IS NOT NULL THEN kind
            WHEN tool = 'command' THEN 'free'
            ELSE 'unknown'
        END AS way
    FROM told
)
SELECT
    day,
    user_id,
    worker_id,
    tool,
    model,
    count(*),
    sum(is_completed),
    sum(MIN(CAST(run_ms AS INTEGER), 10000000000)),
    sum(MIN(CAST(COALESCE(input_tokens, 0) AS INTEGER), 10000000000)),
    sum(MIN(CAST(COALESCE(output_tokens, 0) AS INTEGER), 10000000000)),
    sum(MIN(CAST(COALESCE(cache_read_tokens, 0) AS INTEGER), 10000000000)),
    sum(MIN(CAST(COALESCE(cache_write_tokens, 0) AS INTEGER), 10000000000)),
    0,
    sum(input_tokens IS NULL AND output_tokens IS NULL AND way <> 'free'),
    sum(way = 'reported'),
    sum(CASE WHEN way = 'reported' THEN MIN(CAST(cost AS INTEGER), 10000000000) ELSE 0 END),
    sum(way = 'priced'),
    sum(CASE WHEN way = 'priced' THEN MIN(CAST(cost AS INTEGER), 10000000000) ELSE 0 END),
    sum(way = 'free'),
    sum(way = 'unknown')
FROM known
GROUP BY day, user_id, worker_id, tool, model;
