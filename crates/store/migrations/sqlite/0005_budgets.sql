-- Version 5. What a task remembers from one attempt to the next (its place in a cascade, its session, what it used), as
-- JSON; most tasks remember nothing.
ALTER TABLE tasks ADD COLUMN course TEXT;

-- Budgets of people and workers. Nothing points to either: both are kept when they go.
CREATE TABLE budgets (
    budget_id TEXT PRIMARY KEY NOT NULL,
    user_id TEXT,
    worker_id TEXT,
    tool TEXT,
    period TEXT NOT NULL CHECK (period IN ('day', 'month', 'total')),
    unit TEXT NOT NULL CHECK (unit IN ('tokens', 'microusd')),
    amount BIGINT NOT NULL CHECK (amount > 0),
    created_by TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    CHECK ((user_id IS NULL) <> (worker_id IS NULL))
) WITHOUT ROWID;

-- What people chose for themselves: who does a role, and what happens at a limit.
CREATE TABLE user_settings (
    user_id TEXT NOT NULL,
    name TEXT NOT NULL,
    value TEXT NOT NULL,
    PRIMARY KEY (user_id, name)
) WITHOUT ROWID;
