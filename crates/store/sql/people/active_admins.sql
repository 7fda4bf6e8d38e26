SELECT count(*) AS admins FROM users WHERE role = 'admin' AND is_active
