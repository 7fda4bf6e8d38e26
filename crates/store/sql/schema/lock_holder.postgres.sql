-- A 64-bit advisory key is split over two columns; objsubid is 1 for such keys.
SELECT activity.application_name AS session
FROM pg_locks AS held
JOIN pg_stat_activity AS activity ON activity.pid = held.pid
WHERE held.locktype = 'advisory'
  AND held.granted
  AND held.objsubid = 1
  AND held.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND ((held.classid::bigint << 32) | held.objid::bigint) = hashtextextended('garageswarm ' || current_schema(), 0)
