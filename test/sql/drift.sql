-- drift.sql
--		A model that still fits is left in peace; a broken level and a larger noise are seen.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
SET timezone = 'UTC';
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE hint text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n  ', SQLSTATE || ': ' || SQLERRM, nullif(hint, ''));
END $$;
-- A fixed noise that is close to normal: sums of twelve uniform numbers from md5.
CREATE FUNCTION noise(i int) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
	SELECT sum(('x' || substr(md5(i::text || '/' || k), 1, 7))::bit(28)::int / 268435456.0)::float8 - 6 FROM generate_series(1, 12) k
$$;
CREATE TABLE days AS
	SELECT seed, i, timestamptz '2024-01-01' + i * interval '1 hour' AS ts, 20 + 5 * sin(i * 2 * pi() / 24) + noise(i + 100000 * seed) AS y, noise(i + 100000 * seed) AS e
	FROM generate_series(0, 1199) i, generate_series(1, 6) seed;
CREATE VIEW breaks(kind, level, factor) AS VALUES ('as before', 0, 1), ('level', 4, 1), ('noise', 0, 2.5), ('less noise', 0, 0.5);
CREATE FUNCTION train(model text, seed int, horizon int) RETURNS int LANGUAGE sql AS $$
	SELECT version FROM lstm.train(model, format('SELECT ts, y FROM days WHERE seed = %s AND i < 700', seed), 'y', 'ts', horizon => horizon, context => 24,
		options => '{"units": 8, "epochs": 10, "learning_rate": 0.01, "calibration": "conformal"}')
$$;
CREATE FUNCTION broken(seed int, level int, factor numeric) RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT ts, y + CASE WHEN i >= 900 THEN %s + e * (%s - 1) ELSE 0 END AS y FROM days WHERE seed = %s', level, factor, seed)
$$;

-- six seeds each, horizons 1 and 6: the windows before the break and after it
SELECT count(train('one' || seed, seed, 1)), count(train('six' || seed, seed, 6)) FROM generate_series(1, 6) seed;
CREATE TABLE judged AS
	SELECT name, seed, kind, d.*, window_start > '2024-02-07 12:00' AS after, window_end >= '2024-02-07 12:00' AND window_start <= '2024-02-07 12:00' AS between
	FROM generate_series(1, 6) seed, breaks, (VALUES ('one'), ('six')) m(name), lstm.drift(name || seed, broken(seed, level, factor)) d;
SELECT name, kind, after, count(*) >= 6 AS windows, count(*) FILTER (WHERE drifted) AS drifted, count(*) FILTER (WHERE drifted IS NULL) AS unsaid
FROM judged WHERE NOT between AND (NOT after OR kind IN ('as before', 'less noise')) GROUP BY 1, 2, 3 ORDER BY 1, 2, 3;
SELECT name, kind, count(*) >= 12 AS windows, avg(drifted::int) > 0.8 AS seen, count(DISTINCT seed) FILTER (WHERE drifted) AS seeds
FROM judged WHERE after AND kind IN ('level', 'noise') GROUP BY 1, 2 ORDER BY 1, 2;
SELECT bool_and((reason IS NOT NULL) = drifted) AS reasons, bool_and(abs(mae_ratio - mae / training_mae) < 1e-9) AS ratios,
	bool_and(expected_coverage = 0.95) AS expected, bool_and(window_start_index IS NULL AND window_end_index IS NULL) AS times FROM judged;
SELECT bool_and(training_mae = (metrics->>'mae')::float8) AS as_trained FROM judged j JOIN lstm.models m ON m.name = j.name || seed;

-- by hand: origins from the last trained row on whose horizon has come whole
CREATE TABLE issued AS SELECT * FROM lstm.hindcast('six1', broken(1, 4, 1), confidence_level => 0.8) WHERE issued_at >= '2024-01-30 03:00' AND issued_at <= '2024-02-19 17:00';
SELECT d.origins, d.n = h.n AS n, abs(d.mae - h.mae) < 1e-9 AS mae, abs(d.coverage - h.coverage) < 1e-9 AS coverage, expected_coverage,
	window_start = h.first AS first, window_end = h.last AS last
FROM lstm.drift('six1', broken(1, 4, 1), 60000, 0.8) d, (SELECT count(*) AS n, avg(abs(forecast_value - actual)) AS mae, min(issued_at) AS first, max(issued_at) AS last,
	avg((actual BETWEEN prediction_interval_lower_bound AND prediction_interval_upper_bound)::int) AS coverage FROM issued) h;
SELECT array_agg(origins ORDER BY window_start) AS origins, sum(n) = (SELECT count(*) FROM issued) AS all_of_them,
	bool_and(window_start = before + interval '1 hour') AS seamless FROM (SELECT *, lag(window_end) OVER (ORDER BY window_start) AS before FROM lstm.drift('six1', broken(1, 0, 1), 110)) d;

-- several targets and series, integers; a source without the rows of the training
CREATE TABLE several AS SELECT i, place, 10 + noise(i + length(place) * 3000) AS y, 100 + 10 * noise(i + 50000 + length(place) * 3000) AS z
	FROM generate_series(1, 700) i, (VALUES ('a'), ('bb'), ('ccc')) AS p(place);
SELECT version FROM lstm.train('several', 'SELECT * FROM several WHERE i <= 400', 'y, z', 'i', 'place', context => 8, options => '{"units": 4, "epochs": 3}');
SELECT target, window_start_index, window_end_index, origins, n, drifted, training_mae BETWEEN 0.5 * mae AND 2 * mae AS promised FROM lstm.drift('several', 'several') ORDER BY 1, 2;
SELECT target, count(*) AS windows, bool_or(drifted) AS drifted, max(reason) AS reason
FROM lstm.drift('several', 'SELECT i, place, y, CASE WHEN i > 400 THEN 100 + 4 * (z - 100) ELSE z END AS z FROM several') GROUP BY 1 ORDER BY 1;
SELECT target, training_mae, mae_ratio, drifted FROM lstm.drift('several', 'SELECT * FROM several WHERE i > 400', 1000) ORDER BY 1;
-- few rows: nothing is said
SELECT target, origins, drifted FROM lstm.drift('several', 'SELECT * FROM several WHERE i < 404');
-- no interval, no validation part: nothing to compare
SELECT version FROM lstm.train('bare', 'SELECT i, y FROM several WHERE place = ''a'' AND i <= 400', 'y', 'i', context => 8,
	options => '{"units": 4, "epochs": 2, "validation_split": 0, "patience": 0}');
SELECT mae > 0 AS mae, training_mae, mae_ratio, coverage, drifted, reason FROM lstm.drift('bare', 'SELECT i, y FROM several WHERE place = ''a''');
-- a constant is forecast without an error
SELECT version FROM lstm.train('constant', 'SELECT i, 3.0 AS y FROM several WHERE place = ''a'' AND i <= 400', 'y', 'i', context => 8, options => '{"units": 2, "epochs": 2}');
SELECT bool_or(drifted) AS drifted, max(mae) < 1 AS small FROM lstm.drift('constant', 'SELECT i, 3.0 AS y FROM several WHERE place = ''a''');
-- unsorted rows, unknown values
SELECT a.mae = b.mae AS same FROM lstm.drift('one1', 'SELECT ts, y FROM days WHERE seed = 1 ORDER BY md5(i::text)', 1000) a, lstm.drift('one1', 'SELECT ts, y FROM days WHERE seed = 1', 1000) b;
SELECT origins, n FROM lstm.drift('one1', 'SELECT ts, CASE WHEN i % 10 = 3 THEN ''NaN'' WHEN i % 10 <> 4 THEN y END AS y FROM days WHERE seed = 1', 1000);
-- a version by its number
SELECT version FROM lstm.train('one1', 'SELECT ts, y FROM days WHERE seed = 1', 'y', 'ts', context => 24, options => '{"units": 2, "epochs": 1}');
SELECT count(*) AS windows FROM lstm.drift('one1', 'SELECT ts, y FROM days WHERE seed = 1', version => 1);

-- nothing new, bad input, no privilege
SET client_min_messages = notice;
SELECT count(*) FROM lstm.drift('several', 'SELECT * FROM several WHERE i <= 400');
SELECT count(*) FROM lstm.drift('one1');
SET client_min_messages = error;
SELECT count(lstm.train(name, 'SELECT * FROM several WHERE i <= 400', 'y, z', 'i', 'place', context => 4, options => '{"units": 2, "epochs": 1}')) FROM (VALUES ('m1'), ('m2')) m(name);
SELECT version FROM lstm.join_models('joint', 'm1', 'm2', source => 'SELECT * FROM several');
SELECT call, error_of('SELECT * FROM lstm.drift(' || call || ')') FROM unnest(ARRAY[
	'NULL', $$'none such'$$, $$'joint'$$, $$'several', window_size => 0$$, $$'several', window_size => -5$$, $$'several', confidence_level => 1.5$$, $$'several', confidence_level => NULL$$,
	$$'several', version => 9$$, $$'several', version => 0$$, $$'several', source => 'SELECT 1'$$, $$'several', source => 'SELECT * FROM several WHERE false'$$,
	$$'several', source => 'SELECT i, place, y, ''-Infinity''::float8 AS z FROM several'$$]) WITH ORDINALITY AS c(call, n) ORDER BY n;
SELECT count(*) AS too_few FROM lstm.drift('several', 'SELECT * FROM several WHERE i = 500');
CREATE ROLE regress_lstm_alice;
SET ROLE regress_lstm_alice;
SELECT error_of($$SELECT * FROM lstm.drift('several')$$);
RESET ROLE;
DROP ROLE regress_lstm_alice;

-- a constant that is forecast but for rounding is covered, and has not drifted
SET client_min_messages = error;
CREATE TABLE still AS SELECT i, 0.1 + 0.2 AS y FROM generate_series(1, 300) i;
SELECT version FROM lstm.train('still', 'still', 'y', 'i', horizon => 3);
INSERT INTO still SELECT i, 0.1 + 0.2 FROM generate_series(301, 500) i;
SELECT bool_and(mae = 0) AS exact, bool_and(coverage = 1) AS covered, bool_or(drifted) AS drifted FROM lstm.drift('still');
SELECT mae, coverage, winkler, crps FROM lstm.evaluate('still') WHERE level = 'all';
SELECT count(*) FROM lstm.detect_anomalies('still') WHERE is_anomaly;

\set ECHO none
\i test/sql/clean.inc
