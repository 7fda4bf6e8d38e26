SELECT user_id, username, email, password_hash, role, is_active, created_at, last_login
FROM users
WHERE email_key = $1
