-- map.sql
--		After setup.sql, where PostGIS is installed: a model whose series are places, one of
--		which has a name that would be markup.

\set ON_ERROR_STOP on
SET client_min_messages = error;
SET lstm.progress = 0;
SET TimeZone = 'Europe/Dublin';
CREATE EXTENSION postgis;
CREATE EXTENSION lstm_postgis;
CREATE VIEW wind_place AS
SELECT w.day, CASE w.station WHEN 'DUB' THEN '</svg><script>alert(1)</script>' ELSE w.station END AS station, w.speed,
	ST_SetSRID(ST_MakePoint(s.lon, s.lat), 4326) AS place
FROM irish_wind_long w JOIN irish_wind_station s ON s.code = w.station WHERE w.day >= '1978-01-01';
SELECT version FROM lstm.train('places', 'wind_place', target => 'speed', series => 'station', geom => 'place', horizon => 3, context => 7,
	options => '{"architecture": "graph_lstm", "units": 4, "epochs": 1, "seed": 1}');
