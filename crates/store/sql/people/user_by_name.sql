SELECT user_id, username, email, password_hash, role, is_active, created_at, last_login
FROM users
WHERE username_key = $1
