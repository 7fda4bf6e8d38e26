-- Version 4. Limits of accounts with providers that held work up when the coordinator ended.
CREATE TABLE account_limits (
    account_id TEXT PRIMARY KEY NOT NULL,
    label TEXT NOT NULL,
    class TEXT NOT NULL,
    detail TEXT NOT NULL,
    since BIGINT NOT NULL,
    until BIGINT NOT NULL
) WITHOUT ROWID;
