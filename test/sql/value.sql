-- value.sql
--		The value layer: lstm.fit under GROUP BY, lstm.predict of arrays.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
SET datestyle = 'ISO, YMD';
SET timezone = 'Europe/Berlin';
CREATE TABLE waves AS
	SELECT i, date '2024-01-01' + i AS day, place, size * (2 + sin(i * 0.5)) AS y
	FROM generate_series(0, 149) i, (VALUES ('a', 1), ('b', 10), ('c', 100)) AS p(place, size);
CREATE TABLE fitted AS
	SELECT place, lstm.fit(day, y, '{"units": 6, "epochs": 30, "context": 12, "horizon": 3, "learning_rate": 0.02}') AS model
	FROM waves GROUP BY place;

-- one model per group, each forecasts its own
SELECT place, pg_typeof(model) AS type, length(model::bytea) > 1000 AS has_bytes FROM fitted ORDER BY place;
SELECT place, step, abs(value - size * (2 + sin((149 + step) * 0.5))) < 0.3 * size AS close
FROM (VALUES ('a', 1), ('b', 10), ('c', 100)) AS p(place, size) JOIN fitted USING (place)
	JOIN (SELECT place, array_agg(y ORDER BY i) AS history FROM waves GROUP BY place) h USING (place),
	unnest(lstm.predict(model, history, 3)) WITH ORDINALITY AS u(value, step)
ORDER BY place, step;

-- the order of rows, a subset of groups, parallel and plain plans make no difference
SELECT bool_and(md5(model::bytea) = md5(again::bytea)) AS equal FROM fitted JOIN (
	SELECT place, lstm.fit(day, y, '{"units": 6, "epochs": 30, "context": 12, "horizon": 3, "learning_rate": 0.02}') AS again
	FROM (SELECT * FROM waves ORDER BY md5(i::text)) w GROUP BY place) f USING (place);
SELECT md5(model::bytea) = md5((SELECT lstm.fit(day, y, '{"units": 6, "epochs": 30, "context": 12, "horizon": 3, "learning_rate": 0.02}' ORDER BY y)
	FROM waves WHERE place = 'b')::bytea) AS equal FROM fitted WHERE place = 'b';
CREATE TABLE histories AS
	SELECT n, (SELECT array_agg(y ORDER BY i) FROM waves WHERE place = 'a' AND i <= 20 + n % 50) AS history FROM generate_series(1, 2000) n;
ANALYZE histories;
CREATE TABLE serial AS SELECT n, lstm.predict((SELECT model FROM fitted WHERE place = 'a'), history, 4) AS p FROM histories;
SET min_parallel_table_scan_size = 0;
SET parallel_setup_cost = 0;
SET parallel_tuple_cost = 0;
SET max_parallel_workers_per_gather = 2;
CREATE TABLE parallel AS SELECT n, lstm.predict((SELECT model FROM fitted WHERE place = 'a'), history, 4) AS p FROM histories;
RESET min_parallel_table_scan_size;
RESET parallel_setup_cost;
RESET parallel_tuple_cost;
RESET max_parallel_workers_per_gather;
SELECT count(*), bool_and(s.p = q.p) AS equal FROM serial s JOIN parallel q USING (n);
SELECT provolatile, proisstrict, proparallel FROM pg_proc WHERE oid = 'lstm.predict(lstm.model, float8[], int)'::regprocedure;

-- every type of time
SELECT abs((lstm.predict(date, history, 1))[1] - next) < 0.5 AS date, abs((lstm.predict(stamp, history, 1))[1] - next) < 0.5 AS timestamp,
	abs((lstm.predict(stamptz, history, 1))[1] - next) < 0.5 AS timestamptz, abs((lstm.predict(bigint, history, 1))[1] - next) < 0.5 AS bigint,
	abs((lstm.predict(int, history, 1))[1] - next) < 0.5 AS int
FROM (SELECT lstm.fit(day, y, o) AS date, lstm.fit(day::timestamp, y, o) AS stamp, lstm.fit(day::timestamptz, y, o) AS stamptz,
		lstm.fit(i::bigint, y, o) AS bigint, lstm.fit(i, y, o) AS int, array_agg(y ORDER BY i) AS history, 2 + sin(75) AS next
	FROM waves, (VALUES (jsonb '{"units": 6, "epochs": 30, "context": 12, "learning_rate": 0.02}')) AS v(o) WHERE place = 'a') f;

-- history: one column as [time] or [time][1], NULL elements are missing, only the context counts
SELECT lstm.predict(model, '{1,2,3,2,1,2,3,2,1,2,3,2}', 2) = lstm.predict(model, '{{1},{2},{3},{2},{1},{2},{3},{2},{1},{2},{3},{2}}', 2) AS same,
	lstm.predict(model, '{1,2,3,2,1,2,3,2,1,2,3,2}', 2) = lstm.predict(model, '{9,9,1,2,3,2,1,2,3,2,1,2,3,2}', 2) AS context_only,
	lstm.predict(model, '{1,2,3,2,1,2,NULL,2,1,2,3,2}', 2) = lstm.predict(model, '{1,2,3,2,1,2,NaN,2,1,2,3,2}', 2) AS null_is_nan,
	lstm.predict(model, '{1,2,3,2,1,2,NULL,2,1,2,3,2}', 2) = lstm.predict(model, '{1,2,3,2,1,2,2,2,1,2,3,2}', 2) AS linear,
	lstm.predict(model, '[5:16]={1,2,3,2,1,2,3,2,1,2,3,2}', 2) = lstm.predict(model, '{1,2,3,2,1,2,3,2,1,2,3,2}', 2) AS lower_bound,
	(lstm.predict(model, array_fill(NULL::float8, '{12}'), 2))[2] IS NOT NULL AS nothing_known,
	array_length(lstm.predict(model, '{1,2,3,2,1,2,3,2,1,2,3,2}', 50), 1) AS longer
FROM fitted WHERE place = 'a';
SELECT lstm.predict(NULL, '{1}', 1) AS no_model, lstm.predict(model, NULL, 1) AS no_history, lstm.predict(model, '{1}', NULL) AS no_horizon
FROM fitted WHERE place = 'a';

-- a registered model with several columns: [time][channel], targets first
SELECT version FROM lstm.train('two', 'SELECT i, y, 2 * y AS z, i % 3 AS x FROM waves WHERE place = ''a''', 'y, z', 'i', past_covariates => 'x',
	horizon => 2, context => 12, options => '{"units": 6, "epochs": 10, "learning_rate": 0.02}');
SELECT array_dims(p) AS dims, bool_and(abs(p[step][column_number] - f.forecast_value) < 1e-6 * abs(forecast_value)) AS as_forecast
FROM (SELECT lstm.predict(model, (SELECT array_agg(ARRAY[y, 2 * y, i % 3] ORDER BY i) FROM waves WHERE place = 'a'), 2) AS p
		FROM lstm.model_values WHERE name = 'two') m,
	(SELECT *, CASE target WHEN 'y' THEN 1 ELSE 2 END AS column_number FROM lstm.forecast('two')) f GROUP BY p;

-- models in tables, arrays, composites, functions
CREATE FUNCTION next_of(m lstm.model, h float8[]) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT (lstm.predict(m, h, 1))[1]';
SELECT count(next_of(models[1], '{1,2,3,2,1,2,3,2,1,2,3,2}')) FROM (SELECT array_agg(model) AS models FROM fitted) f;
SELECT lstm.fit(day, y, NULL) IS NULL AS null_of_no_rows FROM waves WHERE false;
SELECT count(DISTINCT md5(lstm_default::bytea)) FROM (SELECT lstm.fit(i, y, NULL) AS lstm_default FROM waves WHERE place = 'a' UNION ALL
	SELECT lstm.fit(i, y, '{}') FROM waves WHERE place = 'a') f;

-- mistakes
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n  ', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
\pset format unaligned
\pset tuples_only on
SELECT query || E'\n  ' || error_of('SELECT lstm.' || query) FROM (VALUES
	($$fit(day, y, '{"unit": 5}') FROM waves$$),
	($$fit(day, y, '{"units": 5}') FROM waves$$),
	($$fit(day, y, '{"context": 0}') FROM waves WHERE place = 'a'$$),
	($$fit(day, y, '{"context": 1.5}') FROM waves WHERE place = 'a'$$),
	($$fit(day, y, '{"context": "12"}') FROM waves WHERE place = 'a'$$),
	($$fit(day, y, '{"horizon": 1000000}') FROM waves WHERE place = 'a'$$),
	($$fit(day, y, '{"horizon": 200, "units": 2}') FROM waves WHERE place = 'a'$$),
	($$fit(day, y, '{"deploy": true}') FROM waves WHERE place = 'a'$$),
	($$fit(day, y, '{"from_model": "other"}') FROM waves WHERE place = 'a'$$),
	($$fit(day, y, '{"bounds": [0]}') FROM waves WHERE place = 'a'$$),
	($$fit(day, y, '[]') FROM waves WHERE place = 'a'$$),
	($$fit(day, y, '{}') FROM waves WHERE place = 'a' AND i = 1$$),
	($$fit(day, NULL, '{}') FROM waves WHERE place = 'a'$$),
	($$fit(NULL::date, y, '{}') FROM waves WHERE place = 'a'$$),
	($$fit('infinity'::date, y, '{}') FROM waves WHERE place = 'a'$$),
	($$fit('-infinity'::timestamptz, y, '{}') FROM waves WHERE place = 'a'$$),
	($$fit('infinity'::timestamp, y, '{}') FROM waves WHERE place = 'a'$$),
	($$fit(date '4000000-01-01' + i, y, '{}') FROM waves WHERE place = 'a'$$),
	($$fit(day, y / (i - 3), '{}') FROM waves WHERE place = 'a'$$),
	($$fit(day, CASE WHEN i = 3 THEN 'Infinity' ELSE y END, '{}') FROM waves WHERE place = 'a'$$),
	($$fit(day::text, y, '{}') FROM waves WHERE place = 'a'$$),
	($$fit(DISTINCT day, y, '{"epochs": 1, "units": 1}') FROM waves WHERE place = 'a'$$),
	($$fit(day, y, '{"epochs": 1, "units": 1}') OVER () FROM waves WHERE place = 'a'$$),
	($$predict(model, '{}', 1) FROM fitted$$),
	($$predict(model, '{1,2,3}', 1) FROM fitted$$),
	($$predict(model, '{{1,2},{1,2}}', 1) FROM fitted$$),
	($$predict(model, '{{{1}}}', 1) FROM fitted$$),
	($$predict(model, '{1,2,3,2,1,2,3,2,1,2,3,Infinity}', 1) FROM fitted$$),
	($$predict(model, '{1,2,3,2,1,2,3,2,1,2,3,1e300}', 1) FROM fitted$$),
	($$predict(model, '{1,2,3,2,1,2,3,2,1,2,3,2}', 0) FROM fitted$$),
	($$predict(model, '{1,2,3,2,1,2,3,2,1,2,3,2}', -1) FROM fitted$$),
	($$predict(model, '{1,2,3,2,1,2,3,2,1,2,3,2}', 2147483647) FROM fitted$$),
	($$predict('\x00', '{1}', 1)$$),
	($$predict(model, (SELECT array_agg(y ORDER BY i) FROM waves WHERE place = 'a'), 2) FROM lstm.model_values$$),
	($$predict(model, (SELECT array_agg(ARRAY[y, y, y] ORDER BY i) FROM waves WHERE place = 'a'), 3) FROM lstm.model_values$$)) AS v(query);
-- The aggregate's own functions take what no SQL can give; minor versions of the server refuse it at different places.
SELECT error_of('SELECT lstm.fit_trans(NULL, day, y, NULL) FROM waves') ~ '^(42883|0A000): ' AS refused;
SET lstm.max_memory = '1MB';
SELECT error_of($$SELECT lstm.fit(n, n, NULL) FROM generate_series(1, 200000) n$$);
RESET lstm.max_memory;
\pset format aligned
\pset tuples_only off

SELECT lstm.drop_model('two');
DROP FUNCTION next_of, error_of;
DROP TABLE waves, fitted, histories, serial, parallel;

-- One group, one set of options.
SELECT lstm.fit(t, sin(t), CASE WHEN t < 10 THEN '{"units": 4}'::jsonb ELSE '{"units": 5}' END) FROM generate_series(1, 40) AS t;
SELECT lstm.fit(t, sin(t), CASE WHEN t < 10 THEN '{"units": 4}'::jsonb END) FROM generate_series(1, 40) AS t;
