INSERT INTO users (user_id, username, username_key, email, email_key, password_hash, role, is_active, created_at)
VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)
