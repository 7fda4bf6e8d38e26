SELECT count(*) AS users FROM users
