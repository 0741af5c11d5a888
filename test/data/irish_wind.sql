-- irish_wind.sql
--		Loads the shipped data: \i test/data/irish_wind.sql, in the root of the tree.
--
-- irish_wind is the file as it is, one column per station; irish_wind_long has
-- one row per station and day, as most databases would.

CREATE TABLE irish_wind_station (
	code	text PRIMARY KEY,
	name	text NOT NULL,
	lon		float8 NOT NULL,
	lat		float8 NOT NULL
);

CREATE TABLE irish_wind (
	day		date PRIMARY KEY,
	rpt		float8, val float8, ros float8, kil float8, sha float8, bir float8,
	dub		float8, cla float8, mul float8, clo float8, bel float8, mal float8
);

\copy irish_wind_station FROM 'test/data/irish_wind_stations.csv' CSV HEADER
\copy irish_wind FROM 'test/data/irish_wind_daily.csv' CSV HEADER

CREATE VIEW irish_wind_long AS
SELECT w.day, s.station, s.speed
FROM irish_wind w,
	LATERAL (VALUES ('RPT', rpt), ('VAL', val), ('ROS', ros), ('KIL', kil), ('SHA', sha), ('BIR', bir),
		('DUB', dub), ('CLA', cla), ('MUL', mul), ('CLO', clo), ('BEL', bel), ('MAL', mal)) s (station, speed);

COMMENT ON TABLE irish_wind IS 'daily mean wind speed in knots, 1961 to 1978, one column per station';
COMMENT ON VIEW irish_wind_long IS 'irish_wind with one row per station and day';
ANALYZE irish_wind;
