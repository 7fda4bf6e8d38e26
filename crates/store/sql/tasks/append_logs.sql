-- Batches of lines, compressed.
INSERT INTO task_logs (
    number,
    attempt,
    first_seq,
    last_seq,
    first_n,
    last_n,
    lines
)
ROWS
