-- setup.sql
--		What the clients of make check-clients and the queries of docs/dashboards read:
--		models on the shipped data, their views and stored forecasts.
--
-- Run in the root of the tree, in a database with the shipped data loaded.

\set ON_ERROR_STOP on
SET client_min_messages = error;
SET lstm.progress = 0;
-- Models cut days where the session that trains them does.
SET TimeZone = 'Europe/Dublin';
CREATE EXTENSION IF NOT EXISTS lstm;

-- Daily wind of three stations: time stamps with time zone, as most applications have.
CREATE TABLE wind_reading AS
SELECT day::timestamp AT TIME ZONE 'Europe/Dublin' AS t, station, speed FROM irish_wind_long
WHERE day >= '1976-01-01' AND station IN ('DUB', 'VAL', 'MAL');
CREATE INDEX ON wind_reading (t);
SELECT version FROM lstm.train('wind', 'SELECT t, station, speed FROM wind_reading', target => 'speed', time_column => 't',
	series => 'station', horizon => 7, context => 14, options => '{"units": 4, "epochs": 3, "loss": "gaussian", "seed": 1}');
SELECT "view" FROM lstm.create_views('wind');

-- Hours whose forecasts cross the nights in which the clocks of Dublin change.
CREATE TABLE hours_spring AS
SELECT timestamptz '2026-03-28 22:00+00' - i * interval '1 hour' AS t, CASE WHEN i % 50 <> 7 THEN 10 + sin(i / 3.8) END AS y
FROM generate_series(0, 199) i;
CREATE TABLE hours_autumn AS
SELECT timestamptz '2026-10-24 22:00+00' - i * interval '1 hour' AS t, 10 + sin(i / 3.8) AS y FROM generate_series(0, 199) i;
SELECT version FROM lstm.train('spring', 'hours_spring', horizon => 6, context => 24, options => '{"units": 4, "epochs": 2, "loss": "gaussian"}');
SELECT version FROM lstm.train('autumn', 'hours_autumn', horizon => 6, context => 24, options => '{"units": 4, "epochs": 2, "loss": "gaussian"}');
SELECT "view" FROM lstm.create_views('spring');
SELECT "view" FROM lstm.create_views('autumn');

-- Names that would be markup.
CREATE TABLE markup AS
SELECT timestamptz '2026-01-01 00:00+00' + i * interval '1 hour' AS t, s.series, sin(i / 3.8) + s.level AS y
FROM generate_series(0, 119) i, (VALUES ('</svg><script>alert(1)</script>', 1), ('"><img src=x onerror=alert(2)>&amp;', 2)) s (series, level);
SELECT version FROM lstm.train('<b>&</title><script>x', 'SELECT t, series, y FROM markup', horizon => 6, context => 24,
	options => '{"units": 4, "epochs": 2, "loss": "gaussian"}');
