-- What ended runs add to the sums of their day, each sum once.
INSERT INTO daily_usage (
    day,
    user_id,
    worker_id,
    tool,
    model,
    runs,
    completed_runs,
    run_ms,
    input_tokens,
    output_tokens,
    cache_read_tokens,
    cache_write_tokens,
    reasoning_tokens,
    unknown_token_runs,
    reported_runs,
    reported_microusd,
    priced_runs,
    priced_microusd,
    free_runs,
    unknown_cost_runs
)
ROWS
ON CONFLICT (day, user_id, worker_id, tool, model) DO UPDATE
SET
    runs = daily_usage.runs + excluded.runs,
    completed_runs = daily_usage.completed_runs + excluded.completed_runs,
    run_ms = daily_usage.run_ms + excluded.run_ms,
    input_tokens = daily_usage.input_tokens + excluded.input_tokens,
    output_tokens = daily_usage.output_tokens + excluded.output_tokens,
    cache_read_tokens = daily_usage.cache_read_tokens + excluded.cache_read_tokens,
    cache_write_tokens = daily_usage.cache_write_tokens + excluded.cache_write_tokens,
    reasoning_tokens = daily_usage.reasoning_tokens + excluded.reasoning_tokens,
    unknown_token_runs = daily_usage.unknown_token_runs + excluded.unknown_token_runs,
    reported_runs = daily_usage.reported_runs + excluded.reported_runs,
    reported_microusd = daily_usage.reported_microusd + excluded.reported_microusd,
    priced_runs = daily_usage.priced_runs + excluded.priced_runs,
    priced_microusd = daily_usage.priced_microusd + excluded.priced_microusd,
    free_runs = daily_usage.free_runs + excluded.free_runs,
    unknown_cost_runs = daily_usage.unknown_cost_runs + excluded.unknown_cost_runs
