-- What happened, in order.
INSERT INTO events (
    id,
    at,
    kind,
    user_id,
    number,
    worker_id,
    attempt,
    detail
)
ROWS
