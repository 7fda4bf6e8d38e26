-- Version 1. Its twin for the other database has the same columns; a test compares them.

-- People, and what lets them in.
CREATE TABLE users (
    user_id TEXT NOT NULL PRIMARY KEY,
    username TEXT NOT NULL,
    -- The name and the address as they are compared: in lower case.
    username_key TEXT NOT NULL,
    email TEXT,
    email_key TEXT,
    password_hash TEXT,
    role TEXT NOT NULL CHECK (role IN ('admin', 'member')),
    is_active BOOLEAN NOT NULL,
    created_at BIGINT NOT NULL,
    last_login BIGINT
);
CREATE UNIQUE INDEX users_username ON users (username_key);
CREATE UNIQUE INDEX users_email ON users (email_key) WHERE email_key IS NOT NULL;

CREATE TABLE invitations (
    invitation_id TEXT NOT NULL PRIMARY KEY,
    hash BLOB NOT NULL UNIQUE,
    role TEXT NOT NULL CHECK (role IN ('admin', 'member')),
    created_by TEXT NOT NULL REFERENCES users (user_id),
    created_at BIGINT NOT NULL,
    uses_left BIGINT NOT NULL CHECK (uses_left >= 0),
    expires_at BIGINT NOT NULL,
    revoked_at BIGINT
);

CREATE TABLE keys (
    key_id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('worker', 'api')),
    user_id TEXT NOT NULL REFERENCES users (user_id),
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    uses_left BIGINT CHECK (uses_left >= 0),
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    created_by TEXT NOT NULL REFERENCES users (user_id),
    last_used_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX keys_user ON keys (user_id);

CREATE TABLE tokens (
    token_id TEXT NOT NULL PRIMARY KEY,
    kind TEXT NOT NULL CHECK (kind IN ('session', 'cli', 'worker', 'sign_in')),
    user_id TEXT NOT NULL REFERENCES users (user_id),
    worker_id TEXT,
    key_id TEXT REFERENCES keys (key_id),
    name TEXT NOT NULL,
    hash BLOB NOT NULL UNIQUE,
    scopes TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    expires_at BIGINT,
    last_used_at BIGINT,
    revoked_at BIGINT
);
CREATE INDEX tokens_user ON tokens (user_id);
CREATE INDEX tokens_worker ON tokens (worker_id) WHERE worker_id IS NOT NULL;
CREATE INDEX tokens_key ON tokens (key_id) WHERE key_id IS NOT NULL;

-- Refresh tokens that were replaced: shown again later, they end their family.
CREATE TABLE spent_hashes (
    hash BLOB NOT NULL PRIMARY KEY,
    token_id TEXT NOT NULL REFERENCES tokens (token_id) ON DELETE CASCADE,
    successor BLOB NOT NULL,
    spent_at BIGINT NOT NULL
);
CREATE INDEX spent_hashes_token ON spent_hashes (token_id);

CREATE TABLE settings (
    name TEXT NOT NULL PRIMARY KEY,
    value TEXT NOT NULL
);

-- `task_number`: the highest number of a removed task, so that no number is given out twice.
-- `live_from`: every task with a lower number has ended. Moved on now and then, never back.
CREATE TABLE counters (
    name TEXT NOT NULL PRIMARY KEY,
    value BIGINT NOT NULL
);

CREATE TABLE audit (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    subject TEXT NOT NULL,
    detail TEXT,
    from_address TEXT
);

-- Workers.
CREATE TABLE workers (
    worker_id TEXT NOT NULL PRIMARY KEY,
    machine_id TEXT NOT NULL,
    machine_name TEXT NOT NULL,
    owner TEXT NOT NULL REFERENCES users (user_id),
    enrolled_by TEXT REFERENCES keys (key_id),
    capabilities TEXT NOT NULL,
    shared BOOLEAN NOT NULL,
    paused BOOLEAN NOT NULL,
    draining BOOLEAN NOT NULL,
    registered_at BIGINT NOT NULL,
    last_seen BIGINT,
    load TEXT NOT NULL,
    removed_at BIGINT
);

-- A person's machine is one worker, also where it enrols twice at once.
CREATE UNIQUE INDEX workers_machine ON workers (owner, machine_id) WHERE removed_at IS NULL;

CREATE TABLE user_workers (
    id TEXT NOT NULL PRIMARY KEY,
    user_id TEXT NOT NULL REFERENCES users (user_id),
    worker_id TEXT NOT NULL REFERENCES workers (worker_id),
    role TEXT NOT NULL CHECK (role IN ('viewer', 'operator', 'owner')),
    is_active BOOLEAN NOT NULL,
    added_at BIGINT NOT NULL,
    UNIQUE (user_id, worker_id)
);
CREATE INDEX user_workers_worker ON user_workers (worker_id);

-- Tasks. These are the rows that are written by the ten thousands a second: no foreign keys, no checks of names
-- (a fifth of the time of a write; reading an unknown name is an error), and no index on the state (live tasks are
-- found from the counter `live_from` on). What is mostly absent stands last, so that rows stay short.
CREATE TABLE tasks (
    number INTEGER PRIMARY KEY,
    task_id TEXT NOT NULL UNIQUE,
    user_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    description TEXT NOT NULL,
    spec TEXT NOT NULL,
    version BIGINT NOT NULL,
    status TEXT NOT NULL,
    attempt BIGINT NOT NULL,
    failures BIGINT NOT NULL,
    losses BIGINT NOT NULL,
    log_seq BIGINT NOT NULL,
    ready_at BIGINT NOT NULL,
    worker_id TEXT,
    started_at BIGINT,
    completed_at BIGINT,
    result TEXT,
    tool TEXT,
    progress BIGINT,
    failure_class TEXT,
    error TEXT,
    wait_reason TEXT,
    wait_until BIGINT,
    cancel_requested_at BIGINT,
    idempotency_key TEXT,
    traceparent TEXT,
    retry_of TEXT,
    workflow_id TEXT,
    run_id TEXT,
    node TEXT,
    -- Up to which line retention has removed the log.
    log_swept BIGINT
);
CREATE INDEX tasks_user ON tasks (user_id, number);
CREATE UNIQUE INDEX tasks_idempotency ON tasks (user_id, idempotency_key) WHERE idempotency_key IS NOT NULL;

CREATE TABLE attempts (
    number BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    worker_id TEXT NOT NULL,
    tool TEXT NOT NULL,
    model TEXT,
    status TEXT NOT NULL,
    assigned_at BIGINT NOT NULL,
    started_at BIGINT,
    ended_at BIGINT,
    failure_class TEXT,
    error TEXT,
    record TEXT,
    late TEXT,
    PRIMARY KEY (number, attempt)
) WITHOUT ROWID;

-- A batch of lines is one row: JSON lines, compressed. `seq` counts within the task, `n` within the attempt.
CREATE TABLE task_logs (
    number BIGINT NOT NULL,
    first_seq BIGINT NOT NULL,
    last_seq BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    first_n BIGINT NOT NULL,
    last_n BIGINT NOT NULL,
    lines BLOB NOT NULL,
    PRIMARY KEY (number, first_seq)
);

CREATE TABLE events (
    id INTEGER PRIMARY KEY,
    at BIGINT NOT NULL,
    kind TEXT NOT NULL,
    user_id TEXT,
    number BIGINT,
    worker_id TEXT,
    attempt BIGINT,
    detail TEXT
);

CREATE TABLE artifacts (
    number BIGINT NOT NULL,
    attempt BIGINT NOT NULL,
    name TEXT NOT NULL,
    size BIGINT NOT NULL,
    hash TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    PRIMARY KEY (number, attempt, name)
);
CREATE INDEX artifacts_hash ON artifacts (hash);
