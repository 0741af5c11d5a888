-- auto.sql
--		A call without settings: what it chooses, that its forecasts follow planted series, and
--		that its intervals are as wide as its errors.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = warning;
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
-- Trains on the rows up to a number with no settings at all, forecasts the next ones.
CREATE FUNCTION forecast_after(source text, cut int, steps int, OUT series text, OUT i bigint, OUT forecast float8, OUT low float8, OUT high float8)
RETURNS SETOF record LANGUAGE plpgsql AS $$
BEGIN
	PERFORM lstm.train('auto', format('SELECT * FROM %I WHERE i <= %s', source, cut), 'y', 'i', horizon => steps,
		series => CASE WHEN EXISTS (SELECT FROM information_schema.columns WHERE table_name = source AND column_name = 'name') THEN 'name' END);
	RETURN QUERY SELECT f.series, f.forecast_index, f.forecast_value, f.prediction_interval_lower_bound, f.prediction_interval_upper_bound
		FROM lstm.forecast('auto') f;
END $$;

-- 1, 2, 3, ... goes on, without noise and with it
CREATE TABLE line AS SELECT i, i::float8 AS y FROM generate_series(1, 80) i;
CREATE TABLE noisy_line AS SELECT i, i + 0.5 * noise(i) AS y FROM generate_series(1, 80) i;
SELECT count(*) AS rows, max(abs(forecast / i - 1)) < 0.05 AS goes_on FROM forecast_after('line', 60, 12);
SELECT count(*) AS rows, max(abs(forecast / i - 1)) < 0.05 AS goes_on, bool_and(low < forecast AND forecast < high) AS intervals,
	avg((y BETWEEN low AND high)::int) > 0.6 AS covered FROM forecast_after('noisy_line', 60, 12) JOIN noisy_line USING (i);

-- a constant stays
CREATE TABLE constant AS SELECT i, 7 AS y FROM generate_series(1, 60) i;
SELECT count(*) AS rows, max(abs(forecast - 7)) < 0.001 AS stays, bool_and(low <= forecast AND forecast <= high) AS ordered FROM forecast_after('constant', 60, 6);

-- 36 months with a season and a trend
CREATE TABLE months AS SELECT (date '2021-01-01' + i * interval '1 month')::date AS month, 100 + i + 20 * sin(i * pi() / 6) + noise(i) AS y FROM generate_series(0, 47) i;
SELECT skill > 0.5 AS better_than_seasonal_naive FROM lstm.train('months', 'SELECT * FROM months WHERE month < ''2024-01-01''', 'y', 'month', horizon => 12);
SELECT count(*) AS rows, avg(abs(y - forecast_value)) < 4 AS good, bool_and(prediction_interval_lower_bound < prediction_interval_upper_bound) AS intervals
FROM lstm.forecast('months') JOIN months ON month = forecast_timestamp;
SELECT lstm.describe('months')->'options'->'season' AS season, lstm.describe('months')->'networks' AS networks;
-- members, their weights and errors
SELECT count(*) > 1 AS several, abs(sum((m->>'weight')::float8) - 1) < 1e-9 AS whole, bool_and((m->>'weight')::float8 BETWEEN 0 AND 1) AS shares,
	count(m->>'mae') = count(*) AS judged, min(m->>'name') FILTER (WHERE n = 1) AS first
FROM jsonb_array_elements(lstm.describe('months')->'members') WITH ORDINALITY AS v(m, n);

-- two series of very different scale, and a season of 12 that nobody named
CREATE TABLE scales AS SELECT i, name, size * (100 + 10 * sin(i * pi() / 6) + noise(i + length(name))) AS y
	FROM generate_series(1, 150) i, (VALUES ('small', 0.001), ('large', 1e6)) s(name, size);
SELECT series, count(*) AS rows, avg(abs(forecast / y - 1)) < 0.02 AS good, avg((high - low) / y) BETWEEN 0.005 AND 0.12 AS width
FROM forecast_after('scales', 120, 24) f JOIN scales s ON s.i = f.i AND s.name = f.series GROUP BY series ORDER BY series;
SELECT lstm.describe('auto')->'options'->'season' AS season, (lstm.describe('auto')->'report'->>'skill')::float8 > 0 AS skill;

-- intervals hold what their level says, and grow with it
CREATE TABLE wave AS SELECT i, p AS name, 50 + 10 * sin(i * pi() / 6) + (1 + length(p)) * noise(i + 1000 * length(p)) AS y
	FROM generate_series(1, 400) i, unnest('{a,bb,ccc}'::text[]) p;
SELECT skill > 0 AS skill FROM lstm.train('wave', 'SELECT * FROM wave WHERE i <= 200', 'y', 'i', 'name', 6);
SELECT level, abs(avg((y BETWEEN prediction_interval_lower_bound AND prediction_interval_upper_bound)::int) - level) < 0.08 AS covers
FROM unnest('{0.5,0.8,0.95}'::float8[]) level, generate_series(200, 390, 6) origin,
	LATERAL lstm.forecast('wave', source => format('SELECT * FROM wave WHERE i <= %s', origin), confidence_level => level) f
	JOIN wave ON wave.i = f.forecast_index AND wave.name = f.series GROUP BY level ORDER BY level;
SELECT bool_and(wider) AS ascending, count(*) AS pairs, bool_and(width > 0) AS wide FROM (
	SELECT width, width > lag(width) OVER (PARTITION BY series, step ORDER BY level) AS wider FROM unnest('{0.5,0.6,0.7,0.8,0.9,0.95,0.99,0.999}'::float8[]) level,
		LATERAL (SELECT series, step, prediction_interval_upper_bound - prediction_interval_lower_bound AS width FROM lstm.forecast('wave', confidence_level => level)) f) w;
-- intervals of the noisier series are wider, without anybody having named it
SELECT array_agg(series ORDER BY prediction_interval_upper_bound - prediction_interval_lower_bound) AS from_narrow_to_wide FROM lstm.forecast('wave') WHERE step = 1;
SELECT n > 0 AS judged, coverage BETWEEN 0.87 AND 0.98 AS coverage, skill > 0 AS skill FROM lstm.evaluate('wave', 'SELECT * FROM wave WHERE i > 150') WHERE level = 'all';

-- the ensemble of all members
SELECT skill > 0 AS skill FROM lstm.train('ensemble', 'SELECT * FROM wave WHERE i <= 200', 'y', 'i', 'name', 6, options => '{"architecture": "ensemble"}');
SELECT abs(sum((m->>'weight')::float8) - 1) < 1e-9 AS whole FROM jsonb_array_elements(lstm.describe('ensemble')->'members') m;

-- equal rows, options and seed give equal bytes, whatever the order of rows and the workers
CREATE FUNCTION bytes_of(source text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM lstm.train('same', source, 'y', 'i', 'name', 6);
	RETURN (SELECT md5(model::bytea) FROM lstm.model_values WHERE name = 'same' ORDER BY version DESC LIMIT 1);
END $$;
CREATE TABLE bytes AS SELECT bytes_of('SELECT * FROM wave WHERE i <= 120') AS md5;
INSERT INTO bytes SELECT bytes_of('SELECT * FROM wave WHERE i <= 120 ORDER BY md5(i::text || name)');
SET max_parallel_maintenance_workers = 0;
INSERT INTO bytes SELECT bytes_of('SELECT * FROM wave WHERE i <= 120');
SET max_parallel_maintenance_workers = 2;
INSERT INTO bytes SELECT bytes_of('SELECT * FROM wave WHERE i <= 120');
RESET max_parallel_maintenance_workers;
SELECT count(*), count(DISTINCT md5) AS bytes FROM bytes;

-- adaptive intervals learn from rows that the training has not seen: from none so far, they are the calibrated ones
SET client_min_messages = error;
CREATE TABLE drawn AS SELECT i, 100 * noise(i) AS y FROM generate_series(1, 400) i;
SELECT count(*) AS trained FROM unnest('{adaptive,conformal}'::text[]) c, LATERAL lstm.train(c, 'SELECT * FROM drawn WHERE i <= 200', 'y', 'i', horizon => 3, context => 24,
	options => jsonb_build_object('units', 32, 'epochs', 60, 'patience', 0, 'refit', true, 'learning_rate', 0.01, 'progress', 0, 'calibration', c));
SET client_min_messages = warning;
SELECT count(*) AS rows, bool_and(a.prediction_interval_lower_bound = c.prediction_interval_lower_bound) AS equal FROM lstm.forecast('adaptive') a JOIN lstm.forecast('conformal') c USING (step);
SELECT a.forecast_index - step > 200 AS learned, bool_and(a.prediction_interval_lower_bound = c.prediction_interval_lower_bound) AS equal
FROM lstm.hindcast('adaptive', 'drawn') a JOIN lstm.hindcast('conformal', 'drawn') c USING (forecast_index, step) GROUP BY 1 ORDER BY 1;
SELECT count(*) AS rows, bool_or(a.prediction_interval_lower_bound = c.prediction_interval_lower_bound) AS equal
FROM lstm.forecast('adaptive', source => 'drawn') a JOIN lstm.forecast('conformal', source => 'drawn') c USING (step);

-- little time: training ends early, and says so
SET lstm.train_seconds = 0.2;
CREATE TEMP TABLE early AS SELECT seconds < 3 AS soon FROM lstm.train('early', 'wave', 'y', 'i', 'name', 6, options => '{"architecture": "lstm", "units": 64, "epochs": 100000, "patience": 0}');
SELECT soon, lstm.describe('early')->'report'->'out_of_time' AS out_of_time FROM early;
SELECT count(*) AS rows, count(*) FILTER (WHERE forecast_value BETWEEN 0 AND 100) AS sane FROM lstm.forecast('early');
RESET lstm.train_seconds;
SELECT lstm.describe('wave')->'report'->'out_of_time' AS out_of_time;

-- very few rows
SELECT rows, error_of(format('SELECT lstm.train(''few'', ''SELECT * FROM line WHERE i <= %s'', ''y'', ''i'', horizon => 2)', rows)) FROM generate_series(1, 9) rows ORDER BY rows;

-- members that the caller names stay, whatever their weight; what cannot be
SELECT version FROM lstm.train('named', 'line', 'y', 'i', options => '{"members": ["network", "mean", "drift"]}');
SELECT string_agg(m->>'name', ', ') AS members FROM jsonb_array_elements(lstm.describe('named')->'members') m;
\pset format unaligned
\pset tuples_only on
SELECT options || E'\n  ' || error_of(format('SELECT lstm.train(''bad'', ''line'', ''y'', ''i'', options => %L)', options)) FROM (VALUES
	('{"members": ["theta"]}'), ('{"members": []}'), ('{"members": ["network", "theta", "theta"]}'), ('{"members": ["prophet"]}'), ('{"members": "network"}'),
	('{"ensemble_size": 0}'), ('{"ensemble_size": 1000}'), ('{"folds": 0}'), ('{"folds": 1000}'), ('{"calibration": "always"}'), ('{"refit": 1}'),
	('{"steps_per_epoch": -1}'), ('{"architecture": "auto", "units": 5}'), ('{"architecture": "ensemble", "dropout": 0.5}')) AS v(options);
\pset format aligned
\pset tuples_only off

-- 10,000 series of 40 rows: each has its forecasts, exactly one for each step
CREATE TABLE many AS SELECT 's' || s AS name, i, (s % 97) + 10 * ((i + s) % 4) + (hashint4(s * 40 + i) % 1000) / 1000.0 AS y FROM generate_series(1, 10000) s, generate_series(1, 40) i;
SELECT seconds < 60 AS soon, skill > 0 AS skill FROM lstm.train('many', 'many', 'y', 'i', 'name', 4);
SELECT count(*) AS rows, count(DISTINCT (series, step)) AS different, count(DISTINCT series) AS series, min(forecast_index) AS first, max(forecast_index) AS last,
	count(*) FILTER (WHERE forecast_value IS NULL OR prediction_interval_lower_bound >= prediction_interval_upper_bound) AS without FROM lstm.forecast('many');

-- a horizon that the rows do not reach is said to be learned in part
SET client_min_messages = notice;
SET lstm.progress = 0;
SELECT version, skill IS NOT NULL AS judged FROM lstm.train('beyond', 'SELECT date ''2026-01-01'' + g AS day, 10 + sin(g / 7.0) AS y FROM generate_series(1, 200) g',
	horizon => 60, options => '{"members": ["network"], "ensemble_size": 1, "epochs": 1}');
SET client_min_messages = warning;

SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
DROP TABLE line, noisy_line, constant, months, scales, wave, bytes, early, many, drawn;
DROP FUNCTION noise, error_of, forecast_after, bytes_of;
