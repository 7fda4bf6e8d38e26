-- What a person changed about a queued task. The version was checked by the write of the same row before it.
WITH new (number, description, spec, tool) AS (ROWS)
UPDATE tasks
SET
    description = new.description,
    spec = new.spec,
    tool = new.tool
FROM new
WHERE tasks.number = new.number
