SELECT name, value FROM user_settings WHERE user_id = $1
