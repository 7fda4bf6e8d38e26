-- What a person changed about a queued task. The version was checked by the write of the same row before it.
UPDATE tasks
SET
    description = new.description,
    spec = new.spec,
    tool = new.tool
FROM (
    SELECT
        CAST(value->>0 AS BIGINT) AS number,
        value->>1 AS description,
        value->>2 AS spec,
        value->>3 AS tool
    FROM jsonb_each($1)
) AS new
WHERE tasks.number = new.number
