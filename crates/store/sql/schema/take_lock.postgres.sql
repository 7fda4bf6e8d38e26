-- One coordinator for each schema of the database. The lock ends with the session.
SELECT pg_try_advisory_lock(hashtextextended('garageswarm ' || current_schema(), 0)) AS taken
