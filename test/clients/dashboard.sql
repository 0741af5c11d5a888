-- dashboard.sql
--		After setup.sql: what the dashboards show besides, stored forecasts whose times have
--		come among them, and the role that a dashboard connects as.

\set ON_ERROR_STOP on
SET client_min_messages = error;
SET lstm.progress = 0;
SET TimeZone = 'Europe/Dublin';

CREATE TABLE newest AS SELECT * FROM wind_reading WHERE t >= '1978-10-01';
DELETE FROM wind_reading WHERE t >= '1978-10-01';
SELECT version FROM lstm.train('wind', 'SELECT t, station, speed FROM wind_reading', target => 'speed', time_column => 't',
	series => 'station', horizon => 7, context => 14, options => '{"units": 4, "epochs": 3, "loss": "gaussian", "seed": 2}');
CALL lstm.refresh_forecasts('wind');
-- Times that are integers: their view has no column time, and no panel can draw it.
CREATE TABLE counted AS SELECT i, sin(i / 3.8) AS y FROM generate_series(1, 100) i;
SELECT version FROM lstm.train('count', 'counted', 'y', 'i', horizon => 4, context => 8, options => '{"units": 2, "epochs": 1}');
SELECT "view" FROM lstm.create_views('count');
INSERT INTO wind_reading SELECT * FROM newest;
CALL lstm.refresh_forecasts('wind');
SELECT lstm.train_async('wind', 'SELECT t, station, speed FROM wind_reading', target => 'speed', time_column => 't',
	series => 'station', horizon => 7, context => 14, options => '{"units": 4, "epochs": 1, "deploy": false}') AS job \gset
SELECT lstm.wait(:job, interval '60 s');
