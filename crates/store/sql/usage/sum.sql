-- What was used from day $1 to day $2, told apart by what the flags $3 to $7 name. Seen are all sums with $8, else those
-- of the user $9 and those of the workers in $10.
WITH summed AS (
    SELECT
        CASE WHEN $3 THEN day END AS day,
        CASE WHEN $4 THEN user_id END AS user_id,
        CASE WHEN $5 THEN worker_id END AS worker_id,
        CASE WHEN $6 THEN tool END AS tool,
        CASE WHEN $7 THEN model END AS model,
        CAST(sum(runs) AS BIGINT) AS runs,
        CAST(sum(completed_runs) AS BIGINT) AS completed_runs,
        CAST(sum(run_ms) AS BIGINT) AS run_ms,
        CAST(sum(input_tokens) AS BIGINT) AS input_tokens,
        CAST(sum(output_tokens) AS BIGINT) AS output_tokens,
        CAST(sum(cache_read_tokens) AS BIGINT) AS cache_read_tokens,
        CAST(sum(cache_write_tokens) AS BIGINT) AS cache_write_tokens,
        CAST(sum(reasoning_tokens) AS BIGINT) AS reasoning_tokens,
        CAST(sum(unknown_token_runs) AS BIGINT) AS unknown_token_runs,
        CAST(sum(reported_runs) AS BIGINT) AS reported_runs,
        CAST(sum(reported_microusd) AS BIGINT) AS reported_microusd,
        CAST(sum(priced_runs) AS BIGINT) AS priced_runs,
        CAST(sum(priced_microusd) AS BIGINT) AS priced_microusd,
        CAST(sum(free_runs) AS BIGINT) AS free_runs,
        CAST(sum(unknown_cost_runs) AS BIGINT) AS unknown_cost_runs
    FROM daily_usage
    WHERE day >= $1
      AND day <= $2
      AND ($8 OR user_id = $9 OR worker_id IN (SELECT value->>0 FROM jsonb_each($10)))
      AND user_id = COALESCE($11, user_id)
      AND worker_id = COALESCE($12, worker_id)
      AND tool = COALESCE($13, tool)
      AND model = COALESCE($14, model)
    GROUP BY 1, 2, 3, 4, 5
    -- A sum from which all was taken back is none.
    HAVING sum(runs) <> 0
)
SELECT summed.*, users.username, workers.machine_name
FROM summed
LEFT JOIN users ON users.user_id = summed.user_id
LEFT JOIN workers ON workers.worker_id = summed.worker_id
LIMIT $15
