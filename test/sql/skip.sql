-- skip.sql
--		Bad series in good sets: left out and named, or an error that names the first; categories.

\set VERBOSITY default
SET lstm.progress = 0;
SET client_min_messages = warning;
SET datestyle = 'ISO, YMD';
SET timezone = 'UTC';
CREATE TABLE good AS SELECT date '2024-01-01' + i AS day, 'shop ' || k AS shop, 10 + k + (i % 7)::float8 AS y
	FROM generate_series(0, 99) i, generate_series(1, 4) k;
CREATE TABLE bad (day date, shop text, y float8);
INSERT INTO bad SELECT date '2024-01-01' + i, 'short', i FROM generate_series(0, 3) i;
INSERT INTO bad SELECT date '2024-01-01' + i, 'unknown', NULL FROM generate_series(0, 99) i;
INSERT INTO bad SELECT date '2024-01-01' + i, 'infinite', CASE i WHEN 50 THEN 'Infinity'::float8 ELSE i END FROM generate_series(0, 99) i;
INSERT INTO bad SELECT date '2024-01-01' + i, 'huge', CASE i WHEN 50 THEN 1e35 ELSE i END FROM generate_series(0, 99) i;
INSERT INTO bad SELECT date '2024-01-01' + i, 'negative', CASE i WHEN 50 THEN -3 ELSE i END FROM generate_series(0, 99) i;
INSERT INTO bad SELECT date '2024-01-01' + i, 'twice', i FROM generate_series(0, 99) i UNION ALL SELECT '2024-02-01', 'twice', 1;
INSERT INTO bad SELECT date '2024-01-01' + i, 'far', i FROM generate_series(0, 99) i UNION ALL SELECT '4024-02-01', 'far', 1;
CREATE VIEW shops AS SELECT * FROM good UNION ALL SELECT * FROM bad;
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE hint text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n  ', SQLSTATE || ': ' || SQLERRM, nullif(hint, ''));
END $$;

-- each alone, as an error that names it
\pset format unaligned
\pset tuples_only on
SELECT shop || E'\n  ' || error_of(format($$SELECT lstm.train('m', $q$SELECT * FROM good UNION ALL SELECT * FROM bad WHERE shop = %L$q$, 'y',
	horizon => 2, context => 7, options => '{"units": 2, "epochs": 1, "validation_split": 0, "patience": 0, "scaling": "log1p"}')$$, shop))
FROM (SELECT DISTINCT shop FROM bad) b ORDER BY shop;
\pset format aligned
\pset tuples_only off

-- all at once, left out
SELECT version FROM lstm.train('m', 'shops', 'y', horizon => 2, context => 7,
	options => '{"units": 2, "epochs": 1, "validation_split": 0, "patience": 0, "scaling": "log1p", "on_error": "skip"}');
SELECT lstm.describe('m')#>'{report,skipped_series}' AS n, lstm.describe('m')#>'{report,skipped}' AS skipped, lstm.describe('m')->'series' AS series;
SELECT series, count(*) FROM lstm.forecast('m') GROUP BY series ORDER BY series;
SELECT count(*) > 0 AS evaluates FROM lstm.evaluate('m', 'SELECT * FROM shops WHERE shop IN (''shop 1'', ''short'', ''twice'')');
SELECT count(DISTINCT series) FROM lstm.hindcast('m', 'SELECT * FROM shops WHERE shop IN (''shop 1'', ''infinite'')');
-- what is left is what training on the good alone gives
SELECT version FROM lstm.train('n', 'SELECT * FROM good ORDER BY y', 'y', horizon => 2, context => 7,
	options => '{"units": 2, "epochs": 1, "validation_split": 0, "patience": 0, "scaling": "log1p", "on_error": "skip"}');
SELECT count(DISTINCT forecast_value) = count(*) / 2 AS equal
FROM (SELECT * FROM lstm.forecast('m', source => 'good') UNION ALL SELECT * FROM lstm.forecast('n')) f;

-- more than a message can name
SELECT version FROM lstm.train('many', 'SELECT * FROM good UNION ALL SELECT date ''2024-01-01'' + i, ''new '' || lpad(k::text, 3, ''0''), i
	FROM generate_series(0, 1) i, generate_series(1, 120) k', 'y', horizon => 2, context => 7, options => '{"units": 2, "epochs": 1, "validation_split": 0, "patience": 0, "on_error": "skip"}');
SELECT lstm.describe('many')#>'{report,skipped_series}' AS n, jsonb_array_length(lstm.describe('many')#>'{report,skipped}') AS named;
-- a few short series do not shorten the context of all
SELECT version FROM lstm.train('many', 'SELECT * FROM good UNION ALL SELECT * FROM bad WHERE shop = ''short''', 'y',
	options => '{"units": 2, "epochs": 1, "validation_split": 0, "patience": 0, "on_error": "skip"}');
SELECT lstm.describe('many')->'context' AS context;

-- steps: rows at odd times, another step, and the clock that changes
CREATE TABLE clocks AS SELECT (date '2024-03-01' + i)::timestamp AT TIME ZONE 'Europe/Vienna' AS ts, 'day ' || k AS what, (i % 5 + k)::float8 AS y
	FROM generate_series(0, 60) i, generate_series(1, 3) k;
INSERT INTO clocks SELECT timestamptz '2024-03-01' + i * i * interval '17 minutes', 'odd', i FROM generate_series(0, 40) i;
INSERT INTO clocks SELECT timestamptz '2024-03-01' + i * interval '7 hours', 'other step', i FROM generate_series(0, 40) i;
INSERT INTO clocks SELECT timestamptz '2024-03-01', 'one row', 1;
SET timezone = 'Europe/Vienna';
SELECT version FROM lstm.train('clocks', 'clocks', 'y', context => 5, options => '{"units": 2, "epochs": 1, "validation_split": 0, "patience": 0, "on_error": "skip"}');
SELECT lstm.describe('clocks')->'frequency' AS frequency, lstm.describe('clocks')#>'{report,skipped}' AS skipped;
SELECT series, forecast_timestamp FROM lstm.forecast('clocks') ORDER BY series;
SELECT version FROM lstm.train('clocks', 'clocks', 'y', context => 5, options => '{"units": 2, "epochs": 1, "validation_split": 0, "patience": 0, "on_error": "skip", "frequency": "day"}');
SET timezone = 'UTC';

-- an unseen series of a model that scales each by itself
SELECT version FROM lstm.train('scales', 'good', 'y', context => 7, options => '{"units": 2, "epochs": 1, "validation_split": 0, "patience": 0, "on_error": "skip", "scale_by_series": true}');
SELECT count(*) FROM lstm.forecast('scales', source => 'SELECT * FROM good UNION ALL SELECT day, ''new'', y FROM good WHERE shop = ''shop 1''');
SELECT count(*) FROM lstm.forecast('scales', source => 'SELECT day, ''new'' AS shop, y FROM good WHERE shop = ''shop 1''');
SELECT lstm.train('none', 'SELECT * FROM bad WHERE shop <> ''negative''', 'y', context => 7, options => '{"on_error": "skip"}');
-- one series without a name: there is nothing to be left
SELECT lstm.train('none', 'SELECT day, y FROM bad WHERE shop = ''infinite''', options => '{"on_error": "skip"}');
SELECT lstm.train('none', 'good', 'y', options => '{"on_error": "ignore"}');

-- thousands of series, of which every tenth is bad
CREATE TABLE thousands AS SELECT i AS t, k AS id, CASE WHEN k % 10 = 0 AND i = 7 THEN 'Infinity' ELSE sin(i + k) END AS y
	FROM generate_series(1, 60) i, generate_series(1, 3000) k;
SET client_min_messages = error;
SELECT version FROM lstm.train('thousands', 'thousands', 'y', 't', 'id', context => 4,
	options => '{"architecture": "gru", "units": 1, "epochs": 1, "validation_split": 0, "patience": 0, "batch_size": 4096, "on_error": "skip"}');
SELECT lstm.describe('thousands')#>'{report,skipped_series}' AS n, count(*) FROM lstm.forecast('thousands');
SET client_min_messages = warning;

-- categories: the level of the region, behind noise that the one row of context cannot tell from it
CREATE TYPE size AS ENUM ('small', 'large');
CREATE TABLE events AS SELECT i AS t, 's' || k AS id, (i * 7 + k * 3) % 11 < 4 AS event, CASE k % 3 WHEN 0 THEN 'up' WHEN 1 THEN 'down' END AS region,
	(CASE k % 2 WHEN 0 THEN 'small' ELSE 'large' END)::size AS size, k % 2 = 0 AS even, k AS number,
	hashint4(i * 100 + k) % 11 + CASE k % 3 WHEN 0 THEN 4.0 WHEN 1 THEN -4.0 ELSE 0 END AS y
	FROM generate_series(1, 200) i, generate_series(1, 9) k;
SELECT version FROM lstm.train('events', 'SELECT t, id, region, y FROM events', 'y', 't', series => 'id', context => 1, static_covariates => 'region',
	options => '{"architecture": "gru", "units": 4, "epochs": 30, "learning_rate": 0.02, "residual": false}');
SELECT lstm.describe('events')->'static_covariates' AS columns, lstm.describe('events')->'categories' AS categories,
	lstm.describe('events')#>'{options,static_covariates}' AS channels;
-- a new series of a known region, of an unknown one, of none
SELECT series, CASE WHEN forecast_value > 2 THEN 'above' WHEN forecast_value < -2 THEN 'below' ELSE 'between' END AS forecast
FROM lstm.forecast('events', source => $$SELECT t, coalesce(region, 'none') AS id, region, 0.0 AS y
	FROM generate_series(1, 3) t, unnest('{up,down,NULL}'::text[]) region$$) ORDER BY series;
SELECT count(*), count(forecast_value) FROM lstm.forecast('events', source => $$
	SELECT t, coalesce(region, 'null') || k AS id, region, 0.0 AS y FROM generate_series(1, 3) t,
	generate_series(1, 7) k, unnest('{sideways,NULL}'::text[]) region$$);
SELECT version FROM lstm.train('kinds', 'events', 'y', 't', 'id', context => 1, past_covariates => '', future_covariates => 'event',
	static_covariates => 'size, number, even, region', options => '{"units": 2, "epochs": 1, "validation_split": 0, "patience": 0, "missing": "error"}');
SELECT lstm.describe('kinds')->'categories' AS categories, lstm.describe('kinds')#>'{options,static_covariates}' AS channels;
SELECT count(*) FROM lstm.forecast('kinds', 1, source => 'SELECT t, id, event, size::text AS size, number, even::text AS even, region, y FROM events WHERE t < 200',
	future => 'SELECT t, id, event FROM events WHERE t = 200');
-- one row tells of two regions; numbers are no words; too many words; none
SELECT lstm.train('bad', 'SELECT t, id, y, CASE WHEN t = 5 AND id = ''s2'' THEN ''a'' ELSE ''b'' END AS region FROM events', 'y', 't', static_covariates => 'region');
SELECT version FROM lstm.train('kinds', 'SELECT t, id, y, CASE WHEN t = 5 AND id = ''s2'' THEN ''a'' ELSE ''b'' END AS region FROM events', 'y', 't',
	static_covariates => 'region', options => '{"units": 2, "epochs": 1, "validation_split": 0, "patience": 0, "on_error": "skip"}');
SELECT version FROM lstm.train('kinds', 'SELECT t, id, y, number FROM events', 'y', 't', static_covariates => 'number', options => '{"units": 2, "epochs": 1, "validation_split": 0, "patience": 0}');
SELECT count(*) FROM lstm.forecast('kinds', source => 'SELECT t, id, y, region AS number FROM events');
SELECT lstm.train('bad', 'SELECT t, id, y, id AS word FROM (SELECT t, ''id '' || k AS id, t AS y FROM generate_series(1, 20) t, generate_series(1, 257) k) s',
	'y', 't', 'id', static_covariates => 'word');
SELECT lstm.train('bad', 'SELECT t, id, y, NULL::text AS word FROM events', 'y', 't', 'id', static_covariates => 'word');

SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
DROP VIEW shops;
DROP TABLE good, bad, clocks, thousands, events;
DROP TYPE size;
DROP FUNCTION error_of;
