-- The whole row, as the caller read it in the same transaction and changed it.
UPDATE users
SET
    username = $2,
    username_key = $3,
    email = $4,
    email_key = $5,
    password_hash = $6,
    role = $7,
    is_active = $8
WHERE user_id = $1
