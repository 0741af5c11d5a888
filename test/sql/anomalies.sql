-- anomalies.sql
--		Planted anomalies are found, and nothing else is.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
-- A fixed noise that is close to normal: sums of twelve uniform numbers from md5.
CREATE FUNCTION noise(i int) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
	SELECT sum(('x' || substr(md5(i::text || '/' || k), 1, 7))::bit(28)::int / 268435456.0)::float8 - 6 FROM generate_series(1, 12) k
$$;
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n  ', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
CREATE TABLE good AS SELECT i, p AS place, 50 + 10 * sin(i * pi() / 12) + noise(i + 4000 * length(p)) AS y
	FROM generate_series(1, 1200) i, unnest('{a,bb}'::text[]) p;
CREATE TABLE planted AS SELECT i, place, wild, y + CASE WHEN wild THEN CASE WHEN i % 2 = 0 THEN 12 ELSE -12 END ELSE 0 END AS y
	FROM (SELECT *, i > 800 AND (i * 7919 + length(place) * 31) % 29 = 0 AS wild FROM good) g;
SELECT version FROM lstm.train('watch', 'SELECT * FROM good WHERE i <= 800', 'y', 'i', 'place', 6, 24,
	options => '{"architecture": "lstm", "units": 16, "epochs": 25, "learning_rate": 0.01}');
CREATE TABLE found AS SELECT h, a.*, wild FROM unnest('{1,4}'::int[]) h,
	lstm.detect_anomalies('watch', 'SELECT i, place, y FROM planted WHERE i > 700', 0.999, h) a JOIN planted p ON p.i = a.forecast_index AND p.place = a.series;
SELECT h, count(*) AS rows, sum(wild::int) AS planted,
	2.0 * sum((wild AND is_anomaly)::int) / (sum(wild::int) + sum(is_anomaly::int)) >= 0.8 AS f1,
	sum((is_anomaly AND NOT wild)::int) <= 5 AS alarms_are_rare FROM found GROUP BY h ORDER BY h;
SELECT bool_and(is_anomaly = (anomaly_probability > 0.999)) AS by_probability,
	bool_and(is_anomaly = (actual NOT BETWEEN lower_bound AND upper_bound)) AS by_bounds,
	bool_and(lower_bound <= forecast_value AND forecast_value <= upper_bound) AS ordered,
	bool_and(anomaly_probability BETWEEN 0 AND 1) AS probabilities, count(forecast_timestamp) AS timestamps,
	bool_and(series_key = jsonb_build_object('place', series)) AS keys FROM found;
-- shares of errors are what they say, in rows without anomalies
SELECT max(abs(share - p)) < 0.06 AS calibrated FROM (SELECT p, avg((anomaly_probability < p)::int) AS share
	FROM found, unnest('{0.1,0.3,0.5,0.7,0.9}'::float8[]) p WHERE h = 1 AND NOT wild GROUP BY p) s;
-- a wild value does not make those after it look wild: forecasts after it stay those of the good rows
SELECT avg(abs(w.forecast_value - g.forecast_value)) < 0.1 AS forecasts_stay
FROM lstm.detect_anomalies('watch', 'SELECT i, place, y FROM planted WHERE i > 700', 0.999) w
	JOIN lstm.detect_anomalies('watch', 'SELECT i, place, y FROM good WHERE i > 700', 0.999) g USING (series, forecast_index) WHERE forecast_index > 800;
-- where nothing is anomalous, forecasts are those of hindcast
SELECT bool_and(abs(a.forecast_value - h.forecast_value) < 1e-9) AS as_hindcast, count(*) AS rows
FROM lstm.detect_anomalies('watch', 'SELECT * FROM good WHERE i BETWEEN 900 AND 1000', 0.9999999, 3) a
	JOIN lstm.hindcast('watch', 'SELECT * FROM good WHERE i BETWEEN 900 AND 1000') h USING (series, target, forecast_index) WHERE h.step = 3;
-- order and neighbours of series do not matter
SELECT count(*) = 0 AS series_are_apart FROM (SELECT * FROM lstm.detect_anomalies('watch', 'SELECT * FROM planted WHERE i > 700 ORDER BY y') WHERE series = 'bb'
	EXCEPT SELECT * FROM lstm.detect_anomalies('watch', 'SELECT * FROM planted WHERE i > 700 AND place = ''bb''')) d;
-- a new level is anomalous for a while, then taken for what it is
SELECT version FROM lstm.train('level', 'SELECT * FROM good WHERE i <= 800', 'y', 'i', 'place', 6, 24,
	options => '{"architecture": "lstm", "units": 16, "epochs": 25, "learning_rate": 0.01, "normalization": "standard"}');
SELECT bool_and(is_anomaly) FILTER (WHERE forecast_index BETWEEN 1000 AND 1006) AS noticed,
	avg(is_anomaly::int) FILTER (WHERE forecast_index >= 1030) < 0.1 AS accepted
FROM lstm.detect_anomalies('level', 'SELECT i, place, y + CASE WHEN i >= 1000 THEN 15 ELSE 0 END AS y FROM good WHERE i > 900', 0.999);
-- gaps are no rows
SELECT count(*) FROM lstm.detect_anomalies('watch', 'SELECT i, place, CASE WHEN i % 10 > 0 THEN y END AS y FROM good WHERE i BETWEEN 1001 AND 1100');
-- two targets, dates, a head of the loss instead of calibration
CREATE TABLE daily AS SELECT date '2024-01-01' + i AS day, 5 + noise(i) AS y, 20 + 3 * noise(i + 999) AS z FROM generate_series(0, 399) i;
SELECT version FROM lstm.train('daily', 'daily', 'y, z', 'day', context => 7,
	options => '{"architecture": "lstm", "units": 4, "epochs": 15, "learning_rate": 0.01, "loss": "gaussian", "calibration": "none"}');
SELECT target, count(*) AS rows, avg(is_anomaly::int) < 0.04 AS few, count(forecast_index) AS indexes, min(forecast_timestamp)::date AS first
FROM lstm.detect_anomalies('daily') GROUP BY target ORDER BY target;
SELECT version FROM lstm.train('constant', 'SELECT i, 5 AS y FROM generate_series(1, 80) i', 'y', 'i', context => 4, options => '{"architecture": "lstm", "units": 2, "epochs": 1}');
SELECT count(*) AS rows, count(*) FILTER (WHERE abs(forecast_value) > 1e300 OR abs(lower_bound) > 1e300 OR anomaly_probability > 1) AS strange FROM lstm.detect_anomalies('constant');

-- what cannot be
SELECT version FROM lstm.train('bare', 'SELECT i, y FROM good WHERE place = ''a''', 'y', 'i', context => 4,
	options => '{"architecture": "lstm", "units": 2, "epochs": 1, "calibration": "none"}');
CREATE TABLE fitted AS SELECT lstm.fit(i, y, '{"units": 2, "epochs": 1, "context": 4}') AS model FROM good WHERE place = 'a';
INSERT INTO lstm.models (name, version, deployed) VALUES ('fitted', 1, true);
INSERT INTO lstm.model_values SELECT 'fitted', 1, model FROM fitted;
CREATE ROLE regress_lstm_stranger;
\pset format unaligned
\pset tuples_only on
SELECT query || E'\n  ' || error_of('SELECT * FROM lstm.detect_anomalies(' || query || ')') FROM (VALUES ($$NULL$$), ($$'nobody'$$),
	($$'watch', probability => NULL$$), ($$'watch', probability => 0$$), ($$'watch', probability => 1$$), ($$'watch', probability => 'NaN'$$),
	($$'watch', probability => -1$$), ($$'watch', horizon => 0$$), ($$'watch', version => 7$$), ($$'watch', 'SELECT * FROM good WHERE false'$$),
	($$'watch', 'SELECT * FROM good WHERE i = 1'$$), ($$'watch', 'SELECT i, y FROM good'$$), ($$'bare'$$), ($$'fitted', 'good'$$)) AS v(query);
SET ROLE regress_lstm_stranger;
SELECT error_of($$SELECT * FROM lstm.detect_anomalies('watch')$$);
RESET ROLE;
\pset format aligned
\pset tuples_only off
DELETE FROM lstm.models WHERE name = 'fitted';
SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
DROP TABLE good, planted, found, daily, fitted;
DROP FUNCTION noise, error_of;
DROP ROLE regress_lstm_stranger;
