INSERT INTO schema_history (version, name) VALUES ($1, $2)
