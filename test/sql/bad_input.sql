-- bad_input.sql
--		Sources and rows that cannot be used: SQLSTATE, message, detail, hint.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
SET datestyle = 'ISO, YMD';
SET timezone = 'Europe/Berlin';
CREATE TABLE sine AS SELECT t, sin(t / 4.0) AS y FROM generate_series(1, 120) t;
CREATE TABLE daily AS
	SELECT date '2024-01-01' + i AS day, sin(i / 4.0) AS y FROM generate_series(0, 119) i;
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n  ', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
-- Trains a tiny network on source; arguments are the rest of the call.
CREATE FUNCTION train_error(source text, arguments text DEFAULT '') RETURNS text LANGUAGE sql AS $$
	SELECT error_of(format('SELECT lstm.train(%L, %L%s)', 'bad', source,
		CASE WHEN arguments LIKE '%options%' THEN ', ' || arguments
			ELSE concat_ws(', ', '', nullif(arguments, ''),
				$o$options => '{"units": 2, "epochs": 1}'$o$) END))
$$;
\pset format unaligned
\pset tuples_only on

-- arguments that are NULL, empty or out of range
SELECT query || E'\n  ' || error_of('SELECT lstm.' || query) FROM (VALUES
	($$train(NULL, 'sine')$$),
	($$train('bad', NULL)$$),
	($$train('', 'sine', time_column => 't')$$),
	($$train(repeat('x', 64), 'sine', time_column => 't')$$),
	($$train(E'a\tb', 'sine', time_column => 't')$$),
	($$train('bad', 'sine', time_column => 't', horizon => 0)$$),
	($$train('bad', 'sine', time_column => 't', horizon => -1)$$),
	($$train('bad', 'sine', time_column => 't', horizon => 2147483647)$$),
	($$train('bad', 'sine', time_column => 't', context => 0)$$),
	($$train('bad', 'sine', time_column => 't', context => 1000000000)$$),
	($$train('bad', 'sine', time_column => 't', geom => 'g')$$),
	($$train('bad', 'sine', colour => 'red')$$)) AS v(query);

-- sources that are none
SELECT source || E'\n  ' || train_error(source) FROM (VALUES
	(''), ('  '), (';'), ('-- nothing'), ('nothing'), ('no.such'), ('"sine'), ('sine; SELECT 1'),
	('SELECT 1; SELECT 2'), ('DELETE FROM sine'), ('DELETE FROM sine RETURNING *'),
	('INSERT INTO sine VALUES (1, 1) RETURNING *'), ('TRUNCATE sine'), ('SELEC * FROM sine'),
	('SELECT * FROM sine WHERE'), ('SELECT * FROM nothing'), ('SELECT z FROM sine'),
	('SELECT * INTO copy FROM sine'), ('SELECT * FROM sine FOR UPDATE'), ('SELECT $1'),
	('WITH d AS (DELETE FROM sine RETURNING *) SELECT * FROM d'),
	('SELECT * FROM sine) AS s; DROP TABLE sine; --'), ('SELECT'), ('SELECT t, 1 / (t - 5) AS y FROM sine'),
	('VALUES (1, 2)'), ('TABLE sine')) AS v(source);
SELECT count(*) FROM sine;

-- columns
SELECT source || '  ' || arguments || E'\n  ' || train_error(source, arguments) FROM (VALUES
	('sine', $$$$),
	('sine', $$time_column => 'T'$$),
	('sine', $$time_column => '"T"'$$),
	('sine', $$time_column => 'tt'$$),
	('sine', $$time_column => ''$$),
	('sine', $$time_column => 't, y'$$),
	('sine', $$time_column => 'y'$$),
	('sine', $$time_column => 't,'$$),
	('sine', $$time_column => '"t'$$),
	('sine', $$time_column => 't', target => 'z'$$),
	('sine', $$time_column => 't', target => ''$$),
	('sine', $$time_column => 't', target => 't'$$),
	('sine', $$time_column => 't', target => 'y, y'$$),
	('sine', $$time_column => 't', target => 'y', past_covariates => 'y'$$),
	('sine', $$time_column => 't', series => 'place'$$),
	('sine', $$time_column => 't', future_covariates => 'holiday'$$),
	('sine', $$time_column => 't', static_covariates => 'height'$$),
	('SELECT t, t AS u, y, y AS z FROM sine', $$time_column => 't'$$),
	('SELECT day, day AS noon, y FROM daily', $$$$),
	('SELECT day, ''a'' AS a, ''b'' AS b, y FROM daily', $$$$),
	('SELECT day, point(1, 2) AS place, y FROM daily', $$$$),
	('SELECT day, y, y AS "Y" FROM daily', $$target => '"y"', past_covariates => '"z"'$$),
	('SELECT day, y, y FROM daily', $$target => 'y'$$),
	('SELECT day FROM daily', $$$$),
	('SELECT y FROM daily', $$$$),
	('SELECT day, y::text AS y FROM daily', $$target => 'y'$$),
	('SELECT day::text AS day, y FROM daily', $$time_column => 'day'$$),
	('SELECT day::timestamp::time AS day, y FROM daily', $$time_column => 'day'$$)) AS v(source, arguments);

-- too few rows
SELECT source || '  ' || arguments || E'\n  ' || train_error(source, arguments) FROM (VALUES
	('SELECT * FROM daily WHERE false', $$$$),
	('SELECT * FROM daily LIMIT 1', $$$$),
	('SELECT * FROM daily ORDER BY day LIMIT 2', $$context => 2$$),
	('SELECT * FROM daily ORDER BY day LIMIT 12', $$context => 10, horizon => 3$$),
	('SELECT * FROM daily ORDER BY day LIMIT 12', $$horizon => 20$$),
	('daily', $$horizon => 65536$$),
	('daily', $$context => 65536$$),
	('SELECT day, y, day < ''2024-01-10'' AS early, CASE WHEN day < ''2024-01-10'' THEN ''a'' ELSE ''b'' END AS place FROM daily',
		$$series => 'place', target => 'y', context => 10, past_covariates => ''$$),
	('daily', $$context => 60, horizon => 40, options => '{"validation_split": 0.5}'$$)) AS v(source, arguments);

-- values
SELECT source || '  ' || arguments || E'\n  ' || train_error(source, arguments) FROM (VALUES
	('SELECT day, NULL::float8 AS y FROM daily', $$$$),
	('SELECT day, ''NaN''::float8 AS y FROM daily', $$$$),
	('SELECT day, y, NULL::float8 AS z FROM daily', $$target => 'y, z'$$),
	('SELECT day, y, CASE WHEN y > 0 THEN ''a'' ELSE ''b'' END AS place FROM (SELECT day, nullif(abs(y), -y) AS y FROM daily) d', $$series => 'place', target => 'y'$$),
	('SELECT day, y, NULL::float8 AS x FROM daily', $$target => 'y', past_covariates => 'x'$$),
	('SELECT day, CASE WHEN day = ''2024-02-01'' THEN ''Infinity'' ELSE y END AS y FROM daily', $$$$),
	('SELECT day, CASE WHEN day = ''2024-02-01'' THEN ''-Infinity'' ELSE y END AS y, ''a'' AS place FROM daily', $$$$),
	('SELECT day, CASE WHEN day = ''2024-02-01'' THEN NULL ELSE y END AS y FROM daily', $$options => '{"missing": "error"}'$$),
	('SELECT day, 2 * y AS y FROM daily', $$options => '{"scaling": "log1p"}'$$),
	('SELECT day, 1e308 * (1 - 2 * ((day - ''2024-01-01'') % 2)) AS y FROM daily', $$options => '{"difference": 1, "units": 2}'$$),
	('SELECT day, CASE WHEN day > ''2024-04-20'' THEN 1e300 ELSE y END AS y FROM daily', $$$$),
	('SELECT day, 1e309::numeric AS y FROM daily', $$$$),
	('SELECT day, y, ''a'' AS place, y AS height FROM daily', $$target => 'y', static_covariates => 'height'$$),
	('SELECT day, y, CASE WHEN day = ''2024-02-01'' THEN NULL ELSE 1 END AS holiday FROM daily', $$target => 'y', future_covariates => 'holiday', horizon => 2$$),
	('SELECT day, y, CASE WHEN day = ''2024-02-01'' THEN NULL ELSE ''a'' END AS place FROM daily', $$$$)) AS v(source, arguments);

-- times
SELECT source || E'\n  ' || train_error(source) FROM (VALUES
	('SELECT CASE WHEN y > 0.99 THEN NULL ELSE day END AS day, y FROM daily'),
	('SELECT CASE WHEN day = ''2024-02-01'' THEN ''infinity'' ELSE day END AS day, y FROM daily'),
	('SELECT CASE WHEN day = ''2024-02-01'' THEN ''-infinity'' ELSE day::timestamptz END AS day, y FROM daily'),
	('SELECT CASE WHEN day = ''2024-02-01'' THEN ''infinity'' ELSE day::timestamp END AS day, y FROM daily'),
	('SELECT * FROM daily UNION ALL SELECT * FROM daily WHERE day = ''2024-02-01'''),
	('SELECT *, ''a'' AS place FROM daily UNION ALL SELECT *, ''a'' FROM daily WHERE day = ''2024-02-01'''),
	('SELECT timestamp ''2024-01-01'' + sqrt(day - ''2024-01-01'') * interval ''1 hour'' AS day, y FROM daily'),
	('SELECT day + interval ''1 hour'' * (day > ''2024-04-01'')::int AS day, y FROM daily'),
	('SELECT CASE WHEN day = ''2024-04-01'' THEN timestamp ''2024-04-01 00:00:01'' ELSE day END AS day, y FROM daily'),
	('SELECT day + 1000000 * (day = ''2024-04-29'')::int AS day, y FROM daily'),
	('SELECT day::timestamp + interval ''200000 years'' * (day = ''2024-04-29'')::int AS day, y FROM daily'),
	('SELECT day + interval ''100000 years'' * (day = ''2024-04-29'')::int AS day, y FROM daily')) AS v(source);
SELECT train_error('SELECT t, y FROM sine UNION ALL SELECT 9223372036854775807, 1', $$time_column => 't'$$);
SELECT train_error('SELECT CASE WHEN t = 5 THEN -9223372036854775808 WHEN t = 6 THEN 9223372036854775807 ELSE t END AS t, y FROM sine',
	$$time_column => 't'$$);
SELECT train_error('daily', $$options => '{"frequency": "fortnight-ish"}'$$);
SELECT train_error('daily', $$options => '{"frequency": "2 days"}'$$);
SELECT train_error('daily', $$options => '{"frequency": "1 hour"}'$$);
SELECT train_error('sine', $$time_column => 't', options => '{"frequency": "1 day"}'$$);

-- more rows, series or gaps than there is memory for
SET lstm.max_memory = '1MB';
SELECT regexp_replace(train_error('SELECT n, n AS y FROM generate_series(1, 1000000) n', $$time_column => 'n', target => 'y'$$), 'After.*needed', 'After ... needed');
SELECT regexp_replace(train_error('SELECT 1 AS n, 1 AS y, n::text AS name FROM generate_series(1, 100000) n', $$time_column => 'n', target => 'y'$$), 'After.*needed', 'After ... needed');
SELECT regexp_replace(train_error('SELECT n * (1 + 1000000 * (n = 9)::int) AS n, n AS y FROM generate_series(1, 9) n', $$time_column => 'n', target => 'y'$$), 'After.*needed', 'After ... needed');
RESET lstm.max_memory;

-- unsorted rows and a constant are fine
SELECT train_error('SELECT * FROM daily ORDER BY md5(y::text)');
SELECT train_error('SELECT day, 7 AS y FROM daily', $$target => 'y'$$);
SELECT bool_and(forecast_value BETWEEN 6.5 AND 7.5) AS about_seven FROM lstm.forecast('bad', horizon => 5);

-- the session goes on and nothing else is left behind
SELECT name, version FROM lstm.models ORDER BY version;
SELECT lstm.drop_model('bad');
SELECT (SELECT count(*) FROM lstm.models), (SELECT count(*) FROM lstm.model_values), (SELECT count(*) FROM sine);

\pset format aligned
\pset tuples_only off
DROP FUNCTION train_error, error_of;
DROP TABLE sine, daily;
