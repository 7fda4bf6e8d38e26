DELETE FROM user_settings WHERE user_id = $1 AND name = $2
