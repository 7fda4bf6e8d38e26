INSERT INTO audit (at, actor, action, subject, detail, from_address)
VALUES ($1, $2, $3, $4, $5, $6)
