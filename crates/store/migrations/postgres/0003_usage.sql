-- Version 3. What runs used, summed by day in UTC (days since 1970-01-01), written in the commit that ends a run.
-- Kept when tasks go. An unknown model is empty. Nothing points to people and workers: sums outlive both.
-- A row is written again and again for a day: room in its page keeps it there.
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
) WITH (fillfactor = 50);

-- What is known of a run stands in its record, also where its result came too late. A NUL in what a tool said cannot
-- become text here, and is written as in any other text.
UPDATE attempts
SET record = (replace(late, '\u0000', '\ufffd')::jsonb -> 'record')::text
WHERE record IS NULL
  AND late IS NOT NULL
  AND status <> 'completed';

-- The sums of what has ended, by the rules of `swarm_model::usage`.
INSERT INTO daily_usage
WITH parts AS (
    SELECT
        attempts.worker_id,
        attempts.tool,
        attempts.model,
        attempts.status,
        attempts.started_at,
        attempts.ended_at,
        tasks.user_id,
        replace(attempts.record, '\u0000', '\ufffd')::jsonb AS record
    FROM attempts
    INNER JOIN tasks ON tasks.number = attempts.number
    WHERE attempts.ended_at IS NOT NULL
      AND attempts.status IN ('completed', 'failed', 'cancelled', 'refused', 'lost')
      AND (attempts.record IS NOT NULL OR (attempts.started_at IS NOT NULL AND attempts.status <> 'refused'))
),
told AS (
    SELECT
        ended_at / 86400000000 AS day,
        user_id,
        worker_id,
        tool,
        substr(trim(COALESCE(record ->> 'model', model, '')), 1, 100) AS model,
        status = 'completed' AS is_completed,
        COALESCE((record ->> 'duration_ms')::numeric, GREATEST(0, ended_at - started_at) / 1000, 0) AS run_ms,
        (record -> 'usage' ->> 'input_tokens')::numeric AS input_tokens,
        (record -> 'usage' ->> 'output_tokens')::numeric AS output_tokens,
        (record -> 'usage' ->> 'cache_read_tokens')::numeric AS cache_read_tokens,
        (record -> 'usage' ->> 'cache_write_tokens')::numeric AS cache_write_tokens,
        (record -> 'usage' ->> 'cost_microusd')::numeric AS cost,
        COALESCE(record -> 'usage' ->> 'cost_kind', 'unknown') AS kind
    FROM parts
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
    count(*) FILTER (WHERE is_completed),
    sum(LEAST(run_ms, 10000000000))::bigint,
    sum(LEAST(COALESCE(input_tokens, 0), 10000000000))::bigint,
    sum(LEAST(COALESCE(output_tokens, 0), 10000000000))::bigint,
    sum(LEAST(COALESCE(cache_read_tokens, 0), 10000000000))::bigint,
    sum(LEAST(COALESCE(cache_write_tokens, 0), 10000000000))::bigint,
    0,
    count(*) FILTER (WHERE input_tokens IS NULL AND output_tokens IS NULL AND way <> 'free'),
    count(*) FILTER (WHERE way = 'reported'),
    COALESCE(sum(LEAST(cost, 10000000000)) FILTER (WHERE way = 'reported'), 0)::bigint,
    count(*) FILTER (WHERE way = 'priced'),
    COALESCE(sum(LEAST(cost, 10000000000)) FILTER (WHERE way = 'priced'), 0)::bigint,
    count(*) FILTER (WHERE way = 'free'),
    count(*) FILTER (WHERE way = 'unknown')
FROM known
GROUP BY day, user_id, worker_id, tool, model;
