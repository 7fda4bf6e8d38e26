SELECT min(id) AS id FROM events
