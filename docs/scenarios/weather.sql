-- weather.sql
--		Wind at twelve places of Ireland, tomorrow: as a graph, on a map, and at a place without a station.
--
-- The shipped data (Haslett and Raftery 1989): daily mean wind speed in knots, 1961 to 1978. Trained
-- on 1970 to 1976, judged on 1977 and 1978. One of the stations, Mullingar, is left out of all
-- training, and its wind is forecast from the others by their places.
--
-- With DATA also: temperature two metres above Britain and Ireland, March 2019, hourly (ERA5), a grid of 9 x 13 cells
-- of one degree; six hours ahead, the last week judged.
--
-- Needs PostGIS. Speeds are square roots inside, as their authors did: gusts count less.
\set scenario weather
\ir common.sql
CREATE EXTENSION IF NOT EXISTS postgis;
CREATE EXTENSION IF NOT EXISTS lstm_postgis;
\ir ../../test/data/irish_wind.sql
CREATE TABLE wind AS
SELECT w.day, w.station, s.name, sqrt(w.speed) AS root, w.speed, ST_SetSRID(ST_MakePoint(s.lon, s.lat), 4326) AS place
FROM irish_wind_long AS w JOIN irish_wind_station AS s ON s.code = w.station WHERE w.day >= '1970-01-01';
CREATE VIEW past AS SELECT day, station, root, place FROM wind WHERE day < '1977-01-01' AND station <> 'MUL';
CREATE VIEW rest AS SELECT day, station, root, place FROM wind WHERE day >= '1976-12-01' AND station <> 'MUL';
ANALYZE;

\set common '"calendar": ["year_day"], "epochs": 15, "batch_size": 32, "learning_rate": 0.003, "schedule": "cosine", "clip_norm": 1, "units": 24'
CREATE TABLE training AS
SELECT m.method, t.*
FROM (VALUES ('network over the graph', '"architecture": "graph"'), ('network without the graph', '"architecture": "gru"')) AS m (method, architecture),
	lstm.train('scenario weather ' || m.method, 'SELECT * FROM past', target => 'root', series => 'station', horizon => 2, context => 14, geom => 'place',
		options => format('{%s, %s}', :'common', m.architecture)::jsonb) AS t;

CREATE TABLE hindcast AS
SELECT t.method, h.* FROM training AS t, lstm.hindcast(t.model, 'SELECT * FROM rest') AS h WHERE h.forecast_timestamp >= '1977-01-01';
INSERT INTO error SELECT 'wind', method, step, forecast_value ^ 2 - actual ^ 2 FROM hindcast WHERE step = 1;
CREATE TABLE monthly AS
SELECT station, extract(month FROM day) AS month, avg(speed) AS mean FROM wind WHERE day < '1977-01-01' GROUP BY 1, 2;
INSERT INTO error
SELECT 'wind', m.method, 1, m.value - w.speed
FROM wind AS w JOIN wind AS b ON b.station = w.station AND b.day = w.day - 1
	JOIN monthly AS c ON c.station = w.station AND c.month = extract(month FROM w.day),
	LATERAL (VALUES ('persistence', b.speed), ('climatology', c.mean)) AS m (method, value)
WHERE w.day >= '1977-01-01' AND w.station <> 'MUL';

-- The place without a station: its forecasts are those of the others, with weights that are made once.
CREATE TABLE weights AS
SELECT k.series, k.weight, k.shift
FROM (SELECT DISTINCT place FROM wind WHERE station = 'MUL') AS p,
	lstm.place_sites('scenario weather network over the graph', NULL, p.place, ARRAY(SELECT DISTINCT station FROM past)) AS s,
	lstm.kriging_weights('scenario weather network over the graph', s.series, s.distances, s.place_distances, s.centre_distances, source => 'SELECT * FROM past') AS k;
INSERT INTO error
SELECT 'Mullingar', 'forecast at the place', 1, f.root ^ 2 - w.speed
FROM (SELECT h.forecast_timestamp::date AS day, min(k.shift) + sum(k.weight * h.forecast_value) AS root
	FROM hindcast AS h JOIN weights AS k USING (series) WHERE h.method = 'network over the graph' AND h.step = 1 GROUP BY 1) AS f
	JOIN wind AS w ON w.station = 'MUL' AND w.day = f.day;
INSERT INTO error
SELECT 'Mullingar', 'forecast of the nearest station', 1, h.forecast_value ^ 2 - w.speed
FROM hindcast AS h JOIN wind AS w ON w.station = 'MUL' AND w.day = h.forecast_timestamp::date
WHERE h.method = 'network over the graph' AND h.step = 1 AND h.series = (SELECT n.station FROM (SELECT DISTINCT station, place FROM wind WHERE station <> 'MUL') AS n,
	(SELECT DISTINCT place FROM wind WHERE station = 'MUL') AS p ORDER BY ST_Distance(n.place::geography, p.place::geography) LIMIT 1);
INSERT INTO error
SELECT 'Mullingar', 'persistence of the place itself', 1, b.speed - w.speed
FROM wind AS w JOIN wind AS b ON b.station = w.station AND b.day = w.day - 1 WHERE w.station = 'MUL' AND w.day >= '1977-01-01';

\echo 'On the map, the day after the last row'
SELECT f.series AS station, r(f.forecast_value ^ 2, 1) AS knots, r(f.prediction_interval_lower_bound ^ 2, 1) AS low, r(f.prediction_interval_upper_bound ^ 2, 1) AS high,
	ST_AsText(f.geom) AS place
FROM lstm.forecast_geom('scenario weather network over the graph', source => 'SELECT * FROM rest') AS f WHERE f.step = 1 ORDER BY station LIMIT 4;
\echo 'Mullingar, of which the model knows nothing'
SELECT step, forecast_timestamp::date AS day, r(forecast_value ^ 2, 1) AS knots, r(prediction_interval_lower_bound ^ 2, 1) AS low, r(prediction_interval_upper_bound ^ 2, 1) AS high
FROM lstm.forecast_at('scenario weather network over the graph', (SELECT DISTINCT place FROM wind WHERE station = 'MUL'), source => 'SELECT * FROM rest') ORDER BY step;

\if :has_data
CREATE TABLE loaded (at timestamp, lat float8, lon float8, celsius float8);
\copy loaded FROM PROGRAM '"${LOAD:-docs/scenarios/load.py}" era5' (FORMAT csv)
CREATE TABLE temperature AS SELECT at, lat || '/' || lon AS cell, celsius, ST_SetSRID(ST_MakePoint(lon, lat), 4326) AS place FROM loaded;
CREATE VIEW march AS SELECT * FROM temperature WHERE at < '2019-03-25';
CREATE VIEW last_week AS SELECT * FROM temperature WHERE at >= '2019-03-24';
ANALYZE temperature;
\set common '"calendar": ["hour"], "epochs": 12, "batch_size": 16, "learning_rate": 0.003, "schedule": "cosine", "clip_norm": 1, "units": 16'
INSERT INTO training
SELECT m.method, t.*
FROM (VALUES ('network over the grid', '"architecture": "conv_gru"'), ('network without the grid', '"architecture": "gru"')) AS m (method, architecture),
	lstm.train('scenario weather ' || m.method, 'SELECT * FROM march', target => 'celsius', time_column => 'at', series => 'cell', horizon => 6, context => 24, geom => 'place',
		options => format('{%s, %s}', :'common', m.architecture)::jsonb) AS t;
INSERT INTO error
SELECT 'temperature', t.method, h.step, h.forecast_value - h.actual FROM training AS t, lstm.hindcast(t.model, 'SELECT * FROM last_week') AS h
WHERE t.method LIKE '%grid' AND h.forecast_timestamp >= '2019-03-25';
INSERT INTO error
SELECT 'temperature', m.method, step, b.celsius - a.celsius
FROM generate_series(1, 6) AS step, (VALUES ('persistence', 0), ('the same hour yesterday', 24)) AS m (method, lag),
	temperature AS a JOIN temperature AS b USING (cell)
WHERE a.at >= '2019-03-25' AND b.at = a.at - CASE lag WHEN 0 THEN step ELSE lag END * interval '1 hour';
\echo 'Temperature, one to six hours ahead, the last week, degrees'
SELECT method, r(rmse, 3) AS "RMSE", r(mae, 3) AS "MAE", r(seconds, 1) AS "trains in, s" FROM score LEFT JOIN training USING (method) WHERE part = 'temperature' ORDER BY rmse;
\endif

\echo 'Mullingar, knots, one day ahead, 1977 and 1978'
SELECT method, r(rmse) AS "RMSE", r(mae) AS "MAE" FROM score WHERE part = 'Mullingar' ORDER BY rmse;
\echo 'Eleven stations, knots, one day ahead, 1977 and 1978'
SELECT method, r(rmse) AS "RMSE", r(mae) AS "MAE", r(seconds, 1) AS "trains in, s" FROM score LEFT JOIN training USING (method) WHERE part = 'wind' ORDER BY rmse;

DO $$ BEGIN
	IF (SELECT rmse FROM score WHERE method = 'network over the graph') > 0.92 * (SELECT min(rmse) FROM score WHERE part = 'wind' AND method NOT LIKE 'network%') THEN
		RAISE EXCEPTION 'the network does not beat the simple methods';
	END IF;
	IF (SELECT rmse FROM score WHERE method = 'forecast at the place') > (SELECT min(rmse) FROM score WHERE part = 'Mullingar' AND method <> 'forecast at the place') THEN
		RAISE EXCEPTION 'a nearest station is better than the forecast at the place';
	END IF;
END $$;
