-- exceedance.sql
--		Probabilities that a threshold is passed are better than knowing how often it is.

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
CREATE TABLE wave AS SELECT i, p AS place, 50 + 10 * sin(i * pi() / 12) + 2 * noise(i + 4000 * length(p)) AS y
	FROM generate_series(1, 1000) i, unnest('{a,bb}'::text[]) p;
SELECT version FROM lstm.train('wave', 'SELECT * FROM wave WHERE i <= 800', 'y', 'i', 'place', 6, 24,
	options => '{"architecture": "lstm", "units": 16, "epochs": 25, "learning_rate": 0.01}');
CREATE TABLE said AS SELECT origin, e.*, y FROM generate_series(830, 990, 4) origin,
	LATERAL lstm.exceedance('wave', 55, source => format('SELECT * FROM wave WHERE i <= %s', origin)) e
	LEFT JOIN wave w ON w.place = e.series AND w.i = e.forecast_index;
SELECT avg((probability - (y > 55)::int) ^ 2) < 0.5 * avg((often - (y > 55)::int) ^ 2) AS brier,
	abs(avg(probability) - avg((y > 55)::int)) < 0.05 AS fair_on_average
FROM said, (SELECT avg((y > 55)::int) AS often FROM wave WHERE i <= 800) c WHERE step IS NOT NULL;
SELECT count(*) FILTER (WHERE step IS NULL) AS whole, count(*) FILTER (WHERE step IS NOT NULL) AS steps,
	bool_and(probability BETWEEN 0 AND 1) AS probabilities, bool_and(threshold = 55) AS threshold,
	bool_and((forecast_value IS NULL) = (step IS NULL)) AS forecasts, bool_and(series_key = jsonb_build_object('place', series)) AS keys FROM said;
-- any step: at least the most probable one, at most their sum
SELECT bool_and(a.probability BETWEEN s.most - 1e-12 AND s.total + 1e-12) AS within FROM said a JOIN (
	SELECT origin, series, max(probability) AS most, sum(probability) AS total FROM said WHERE step IS NOT NULL GROUP BY origin, series) s USING (origin, series)
WHERE a.step IS NULL;

-- against the intervals: a bound of level p is passed with (1 - p) / 2
SELECT bool_and(abs(x.probability - (1 - p) / 2) < 1e-6) AS upper, bool_and(abs(b.probability - (1 - p) / 2) < 1e-6) AS lower, count(*) AS rows
FROM unnest('{0.1,0.5,0.9,0.95,0.99}'::float8[]) p, LATERAL lstm.forecast('wave', confidence_level => p) f,
	LATERAL lstm.exceedance('wave', prediction_interval_upper_bound) x, LATERAL lstm.exceedance('wave', prediction_interval_lower_bound, below => true) b
WHERE f.step = 3 AND f.series = 'a' AND x.step = 3 AND x.series = 'a' AND b.step = 3 AND b.series = 'a';
-- below is the rest, more is less probable, and far away it is certain
SELECT bool_and(abs(a.probability + b.probability - 1) < 1e-12) AS rest FROM lstm.exceedance('wave', 52) a
	JOIN lstm.exceedance('wave', 52, below => true) b USING (series, target, step);
SELECT bool_and(probability <= before) AS falls FROM (SELECT probability, lag(probability) OVER (PARTITION BY series, step ORDER BY threshold) AS before
	FROM generate_series(20, 80, 2) t, lstm.exceedance('wave', t) WHERE step IS NOT NULL) s WHERE before IS NOT NULL;
SELECT max(abs(probability - (t < 0)::int)) < 1e-6 AS certain FROM unnest('{-1e6,1e6,-1e308,1e308}'::float8[]) t, lstm.exceedance('wave', t);
-- horizon, as_of
SELECT count(*) FROM lstm.exceedance('wave', 50, 9) WHERE step IS NOT NULL;
CREATE TABLE daily AS SELECT timestamptz '2024-01-01 00:00+00' + i * interval '1 day' AS day, greatest(5 + 3 * noise(i), 0) AS y FROM generate_series(0, 299) i;
SELECT version FROM lstm.train('daily', 'daily', 'y', 'day', context => 7, horizon => 2,
	options => '{"architecture": "lstm", "units": 4, "epochs": 10, "bounds": [0, null], "loss": "student_t", "calibration": "none"}');
SELECT step, forecast_timestamp::date, forecast_index FROM lstm.exceedance('daily', 6, as_of => '2024-07-01 00:00+00') ORDER BY step;
-- never below its bound
SELECT min(probability) AS above, max(b) AS below FROM lstm.exceedance('daily', -0.001) JOIN (SELECT step, probability AS b FROM lstm.exceedance('daily', -0.001, below => true)) x USING (step);
SELECT version FROM lstm.train('constant', 'SELECT i, 5 AS y FROM generate_series(1, 80) i', 'y', 'i', context => 4, options => '{"architecture": "lstm", "units": 2, "epochs": 1}');
SELECT t, bool_or(probability = 'NaN') AS nan FROM unnest('{4,5,6}'::float8[]) t, lstm.exceedance('constant', t) GROUP BY t ORDER BY t;

-- what cannot be
SELECT version FROM lstm.train('bare', 'SELECT i, y FROM wave WHERE place = ''a''', 'y', 'i', context => 4,
	options => '{"architecture": "lstm", "units": 2, "epochs": 1, "calibration": "none"}');
CREATE TABLE fitted AS SELECT lstm.fit(i, y, '{"units": 2, "epochs": 1, "context": 4}') AS model FROM wave WHERE place = 'a';
INSERT INTO lstm.models (name, version, deployed) VALUES ('fitted', 1, true);
INSERT INTO lstm.model_values SELECT 'fitted', 1, model FROM fitted;
CREATE ROLE regress_lstm_stranger;
\pset format unaligned
\pset tuples_only on
SELECT query || E'\n  ' || error_of('SELECT * FROM lstm.exceedance(' || query || ')') FROM (VALUES ($$NULL, 1$$), ($$'nobody', 1$$), ($$'wave', NULL$$),
	($$'wave', 'NaN'$$), ($$'wave', 'Infinity'$$), ($$'wave', '-Infinity'$$), ($$'wave', 1, 0$$), ($$'wave', 1, version => 7$$),
	($$'wave', 1, source => 'SELECT * FROM wave WHERE false'$$), ($$'wave', 1, source => 'SELECT * FROM wave WHERE i = 1'$$), ($$'wave', 1, future => 'wave'$$),
	($$'wave', 1, as_of => '2024-01-01'$$), ($$'bare', 1$$), ($$'fitted', 1, source => 'wave'$$), ($$'wave', 1, below => NULL$$)) AS v(query);
SET ROLE regress_lstm_stranger;
SELECT error_of($$SELECT * FROM lstm.exceedance('wave', 1)$$);
RESET ROLE;
\pset format aligned
\pset tuples_only off
-- where intervals go on learning, so do probabilities: the series has become far noisier than it was
CREATE TABLE wild AS SELECT i, 50 + 10 * sin(i * pi() / 12) + CASE WHEN i > 800 THEN 12 ELSE 1 END * noise(i) AS y FROM generate_series(1, 1000) i;
SELECT version FROM lstm.train('wild', 'SELECT * FROM wild WHERE i <= 800', 'y', 'i', horizon => 6, context => 24,
	options => '{"architecture": "lstm", "units": 8, "epochs": 10, "learning_rate": 0.01, "calibration": "adaptive"}');
SELECT bool_and(abs(x.probability - 0.05) < 0.005) AS upper, bool_and(abs(b.probability - 0.05) < 0.005) AS lower, count(*) AS steps,
	bool_and(f.prediction_interval_upper_bound - f.forecast_value > 8) AS wide
FROM lstm.forecast('wild', confidence_level => 0.9, source => 'wild') f,
	LATERAL lstm.exceedance('wild', f.prediction_interval_upper_bound, source => 'wild') x,
	LATERAL lstm.exceedance('wild', f.prediction_interval_lower_bound, source => 'wild', below => true) b
WHERE x.step = f.step AND b.step = f.step;

DELETE FROM lstm.models WHERE name = 'fitted';
SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
DROP TABLE wave, said, daily, fitted, wild;
DROP FUNCTION noise, error_of;
DROP ROLE regress_lstm_stranger;
