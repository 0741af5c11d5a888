--
-- A forecast reads the rows that it needs, and says what it would from all of them.
--
-- With as_of, a model of future covariates reads all rows: what it says of the last known
-- row must be, bit for bit, what is said without as_of from the newest rows only.
--
SET client_min_messages = error;
SET lstm.progress = 0;
SET timezone = 'Europe/Berlin';
\set VERBOSITY terse
CREATE SCHEMA newest;
SET search_path = newest;

-- 3,000 known hours, then 48 with nothing but the covariate f; x is known now and then.
CREATE TABLE hours (t timestamptz PRIMARY KEY, y float8, x float8, f float8, kind text);
INSERT INTO hours
SELECT t, CASE WHEN i < 3000 THEN 10 + sin(i / 4.0) + hashint4(i) / 4e9 END,
	CASE WHEN i < 3000 AND i % 3 = 0 THEN cos(i / 4.0) END, i % 24, 'a'
FROM generate_series(0, 3047) i, LATERAL (SELECT '2020-01-01 00:00+00'::timestamptz + i * interval '1 hour' AS t) at;
ANALYZE hours;

CREATE FUNCTION rows_read() RETURNS bigint LANGUAGE sql AS
$$SELECT seq_tup_read + idx_tup_fetch FROM pg_stat_xact_user_tables WHERE schemaname = 'newest' AND relname = 'hours'$$;

-- Whether the two forecasts are the same, and whether few rows made the first.
CREATE FUNCTION compare(model text, source text DEFAULT NULL, steps int DEFAULT NULL, OUT steps_made bigint, OUT same bool, OUT few bool)
LANGUAGE plpgsql AS $$
DECLARE
	before bigint := rows_read();
	newest text;
	complete text;
BEGIN
	SELECT count(*), md5(string_agg(f::text, ' ' ORDER BY step)) INTO steps_made, newest FROM lstm.forecast(model, steps, source => source) f;
	few := rows_read() - before < 1000;
	SELECT md5(string_agg(f::text, ' ' ORDER BY step)) INTO complete
	FROM lstm.forecast(model, steps, source => source, as_of => (SELECT max(t) FROM hours WHERE y IS NOT NULL)) f;
	same := newest = complete;
END $$;

CREATE PROCEDURE train(model text, options jsonb, covariates text DEFAULT '')
LANGUAGE plpgsql AS $$
BEGIN
	PERFORM lstm.train(model, 'SELECT t, y, x, f FROM hours', target => 'y', time_column => 't', horizon => 6, context => 8,
		past_covariates => covariates, future_covariates => 'f',
		options => '{"units": 3, "epochs": 1, "steps_per_epoch": 3, "seed": 1}' || options);
END $$;

CALL train('plain', '{}');
CALL train('gaps', '{}', 'x');
CALL train('previous', '{"missing": "previous"}', 'x');
CALL train('mean', '{"missing": "mean"}', 'x');
CALL train('mask', '{"missing": "mask"}', 'x');
CALL train('seasonal', '{"missing": "seasonal", "season": 24}', 'x');
CALL train('difference', '{"difference": 24}');
CALL train('logarithm', '{"scaling": "log1p", "difference": 1}');
CALL train('outliers', '{"outliers": "iqr", "outlier_threshold": 0.5}');
CALL train('padded', '{"pad": true}');
CALL train('clock', '{"calendar": ["hour", "weekday"]}');
CALL train('adaptive', '{"calibration": "adaptive"}');
CALL train('quantiles', '{"loss": "quantile"}');
CALL train('weighed', '{"members": ["network", "holt_winters", "theta", "ar"], "folds": 2}');

-- "seasonal" may have to look back for ever, so gaps make it read all; members want 2,000 rows.
SELECT name, c.* FROM unnest('{plain,gaps,previous,mean,mask,seasonal,difference,logarithm,outliers,padded,clock,adaptive,quantiles,weighed}'::text[])
	WITH ORDINALITY n (name, i), LATERAL compare(name) c ORDER BY i;

-- Longer than the network, on a source of one's own.  A constant among them is read once more each time.
SELECT * FROM compare('plain', 'hours', 20);
SELECT * FROM compare('plain', 'SELECT * FROM hours WHERE t > ''2020-02-01''', 20);
SELECT steps_made, same FROM compare('plain', 'SELECT t, y + 0.5 AS y, f FROM hours ORDER BY random()');
SELECT steps_made, same FROM compare('plain', 'SELECT t, avg(y) AS y, max(f) AS f FROM hours GROUP BY t');
SELECT steps_made, same FROM compare('plain', 'SELECT * FROM hours ORDER BY t DESC LIMIT 500');

-- Gaps at the end, and one longer than what is read first: the last known value is found.
CREATE TABLE kept AS SELECT * FROM hours;
UPDATE hours SET y = NULL WHERE t BETWEEN '2020-05-03' AND '2020-05-04';
SELECT name, c.same FROM unnest('{plain,gaps,difference,adaptive}'::text[]) WITH ORDINALITY n (name, i), LATERAL compare(name) c ORDER BY i;
UPDATE hours SET x = NULL WHERE t > '2020-03-01';
SELECT name, c.same FROM unnest('{gaps,previous,mask}'::text[]) WITH ORDINALITY n (name, i), LATERAL compare(name) c ORDER BY i;
DELETE FROM hours;
INSERT INTO hours SELECT * FROM kept;
DELETE FROM hours WHERE y IS NOT NULL AND t BETWEEN '2020-04-20' AND '2020-05-03 12:00';
SELECT name, c.same FROM unnest('{plain,difference,seasonal}'::text[]) WITH ORDINALITY n (name, i), LATERAL compare(name) c ORDER BY i;
DELETE FROM hours;
INSERT INTO hours SELECT * FROM kept;

-- Reading once more warns no more than once.
SELECT version FROM lstm.train('kinds', 'SELECT t, y, kind FROM hours WHERE y IS NOT NULL', series => '', static_covariates => 'kind', horizon => 6, context => 8,
	options => '{"units": 3, "epochs": 1, "steps_per_epoch": 3, "seed": 1}');
SET client_min_messages = warning;
SELECT count(*) FROM lstm.forecast('kinds', source => 'SELECT t, CASE WHEN t > ''2020-05-04 20:00+00'' OR t < ''2020-05-01'' THEN y END AS y, ''b'' AS kind FROM hours WHERE y IS NOT NULL');
SET client_min_messages = error;

-- Far more rows ahead than the horizon.
INSERT INTO hours SELECT t + interval '2 days', NULL, NULL, extract(hour FROM t) FROM (SELECT '2020-05-05 00:00+00'::timestamptz + i * interval '1 hour' AS t FROM generate_series(0, 599) i) s
ON CONFLICT DO NOTHING;
SELECT same FROM compare('plain');
-- The next time it is known that all are needed.
BEGIN;
CREATE TEMP TABLE counted AS SELECT rows_read() AS before;
SELECT count(*) FROM lstm.forecast('plain', source => 'SELECT t, y, f FROM hours');
INSERT INTO counted SELECT rows_read();
SELECT count(*) FROM lstm.forecast('plain', source => 'SELECT t, y, f FROM hours');
SELECT rows_read() - max(before) < max(before) - min(before) AS fewer FROM counted;
ROLLBACK;
DELETE FROM hours WHERE t >= (SELECT max(t) + interval '1 minute' FROM kept);
VACUUM ANALYZE hours;

-- Without future covariates as_of ends the reading: as the network says where later rows never were.
SELECT version FROM lstm.train('alone', 'SELECT t, y FROM hours WHERE y IS NOT NULL', horizon => 6, context => 8,
	options => '{"units": 3, "epochs": 1, "steps_per_epoch": 3, "seed": 1}');
CREATE FUNCTION alone(source text, as_of timestamptz DEFAULT NULL, model text DEFAULT 'alone') RETURNS text LANGUAGE sql AS
$$SELECT md5(string_agg(f::text, ' ' ORDER BY step)) FROM lstm.forecast(model, source => source, as_of => as_of) f$$;
SELECT rows_read() AS before \gset
BEGIN;
SELECT alone('hours') = alone('SELECT * FROM hours WHERE y IS NOT NULL ORDER BY t DESC LIMIT 20') AS short_source,
	alone('hours', '2020-03-29 03:00+02') = alone('SELECT * FROM hours WHERE t <= ''2020-03-29 03:00+02'' ORDER BY t DESC LIMIT 20') AS as_of_source;
SELECT rows_read() - :before < 500 AS few;
COMMIT;
-- The same on the zone's clock, in the hour that comes twice and the one that never comes.
SELECT version FROM lstm.train('local', 'SELECT t AT TIME ZONE ''UTC'' AS t, y FROM hours WHERE y IS NOT NULL', horizon => 6, context => 8,
	options => '{"units": 3, "epochs": 1, "steps_per_epoch": 3, "seed": 1}');
SELECT as_of, alone('SELECT t AT TIME ZONE ''UTC'' AS t, y FROM hours', as_of, 'local') =
	alone('SELECT * FROM (SELECT t AT TIME ZONE ''UTC'' AS t, y FROM hours) h WHERE t::timestamptz <= ' || quote_literal(as_of) || ' ORDER BY t DESC LIMIT 20', NULL, 'local') AS same
FROM unnest('{2020-03-28 12:00+01,2020-03-29 01:30+01,2020-03-29 03:30+02,2020-03-30 12:00+02}'::timestamptz[]) as_of;

-- Integers, days and business days from any row on; months are read whole.
SELECT version FROM lstm.train('counted', 'SELECT row_number() OVER (ORDER BY t) * 5 AS n, y FROM hours WHERE y IS NOT NULL', time_column => 'n', horizon => 6, context => 8,
	options => '{"units": 3, "epochs": 1, "steps_per_epoch": 3, "seed": 1}');
SELECT alone(NULL, NULL, 'counted') = alone('SELECT * FROM (SELECT row_number() OVER (ORDER BY t) * 5 AS n, y FROM hours WHERE y IS NOT NULL) h ORDER BY n DESC LIMIT 15', NULL, 'counted') AS same;
CREATE TABLE days AS SELECT d::date AS d, 5 + sin(i / 2.0) + hashint4(i::int) / 4e9 AS y
FROM generate_series('2015-01-01'::timestamp, '2019-12-31', '1 day') WITH ORDINALITY s (d, i);
SELECT model, version FROM unnest('{daily,business,monthly}'::text[], '{SELECT * FROM days,"SELECT * FROM days WHERE extract(isodow FROM d) < 6","SELECT * FROM days WHERE extract(day FROM d) = 31 OR extract(day FROM d + 1) = 1"}'::text[]) s (m, q),
	LATERAL lstm.train(m, q, horizon => 6, context => 8, options => '{"units": 3, "epochs": 1, "steps_per_epoch": 3, "seed": 1}');
SELECT m, alone(NULL, NULL, m) = alone('SELECT * FROM (' || source || ') s ORDER BY d DESC LIMIT 15', NULL, m) AS same
FROM unnest('{daily,business}'::text[]) m JOIN lstm.models ON name = m;
SELECT count(*) FROM lstm.forecast('monthly');

-- What is not read is not looked at: an old mistake no longer stands in the way, a new one does.
INSERT INTO hours (t, y, f) SELECT t + interval '10 minutes', y, f FROM hours WHERE t = '2020-01-05 00:00+00';
SELECT count(*) FROM lstm.forecast('alone');
INSERT INTO hours (t, y, f) SELECT t + interval '10 minutes', y, f FROM hours WHERE t = '2020-05-04 12:00+00';
SELECT count(*) FROM lstm.forecast('alone');
DELETE FROM hours WHERE extract(minute FROM t) = 10;
-- Of two rows at one time the limit (25 rows here) leaves one out: the other is not believed.
SELECT count(*) FROM lstm.forecast('alone', source => 'WITH h AS (SELECT t, CASE WHEN row_number() OVER w > 17 THEN y END AS y, row_number() OVER w AS n FROM kept WHERE y IS NOT NULL WINDOW w AS (ORDER BY t DESC))
	SELECT t, y FROM h UNION ALL SELECT t, y + 1 FROM h WHERE n = 25');
SELECT count(*) FROM lstm.forecast('alone', as_of => '2019-01-01');
SELECT count(*) FROM lstm.forecast('alone', source => 'SELECT * FROM hours WHERE false');
SELECT count(*) FROM lstm.forecast('alone', source => 'SELECT * FROM hours LIMIT 5');
SELECT count(*) FROM lstm.forecast('alone', source => 'SELECT NULL::timestamptz AS t, y FROM hours');
SELECT count(*) FROM lstm.forecast('alone', source => 'SELECT * FROM hours UNION ALL SELECT ''infinity'', 1, 1, 1, ''a''');

-- Plans are kept within the session: what the names in a source mean is looked up all the same.
CREATE SCHEMA other;
CREATE TABLE other.hours AS SELECT t, y + 100 AS y FROM hours;
CREATE VIEW seen AS SELECT t, y FROM hours WHERE y IS NOT NULL;
CREATE FUNCTION level(source text) RETURNS text LANGUAGE sql AS
$$SELECT CASE WHEN avg(forecast_value) > 50 THEN 'high' ELSE 'low' END FROM lstm.forecast('alone', source => source)$$;
SELECT level('seen'), level('SELECT t, y FROM hours WHERE y IS NOT NULL');
SELECT level('seen'), level('SELECT t, y FROM hours WHERE y IS NOT NULL');
SET search_path = other, newest;
SELECT level('SELECT t, y FROM hours WHERE y IS NOT NULL') AS other_schema;
SET search_path = newest;
CREATE OR REPLACE VIEW seen AS SELECT t, y + 100 AS y FROM hours WHERE y IS NOT NULL;
SELECT level('seen') AS other_view;
CREATE TEMP TABLE hours AS SELECT t, y + 100 AS y FROM newest.hours;
SELECT level('SELECT t, y FROM hours WHERE y IS NOT NULL') AS temporary_table;
DROP TABLE pg_temp.hours;
SELECT level('SELECT t, y FROM hours WHERE y IS NOT NULL') AS table_again;
-- Columns are found by name, whatever becomes of the table.
CREATE TABLE moved AS SELECT t, y FROM hours WHERE y IS NOT NULL;
SELECT level('moved');
ALTER TABLE moved RENAME y TO old;
ALTER TABLE moved ADD y float8;
UPDATE moved SET y = old + 100;
SELECT level('moved') AS other_column;
ALTER TABLE moved ALTER y TYPE numeric;
SELECT level('moved') AS other_type;
ALTER TABLE moved DROP y;
SELECT level('moved');
DROP TABLE moved;
SELECT level('moved');
-- A cast that is another one.
CREATE TYPE wrapped AS (y float8);
CREATE TABLE wraps AS SELECT t, row(y)::wrapped AS w FROM hours WHERE y IS NOT NULL;
CREATE FUNCTION same_height(wrapped) RETURNS float8 LANGUAGE sql AS 'SELECT $1.y';
CREATE FUNCTION greater_height(wrapped) RETURNS float8 LANGUAGE sql AS 'SELECT $1.y + 100';
CREATE CAST (wrapped AS float8) WITH FUNCTION same_height(wrapped);
SELECT level('SELECT t, w::float8 AS y FROM wraps');
DROP CAST (wrapped AS float8);
CREATE CAST (wrapped AS float8) WITH FUNCTION greater_height(wrapped);
SELECT level('SELECT t, w::float8 AS y FROM wraps') AS other_cast;
-- A statement may read any number of sources, and one of them others: 64 are kept, and those in use.
CREATE FUNCTION many(n int) RETURNS TABLE (t timestamptz, y float8) LANGUAGE plpgsql AS $$
BEGIN
	PERFORM level(format('SELECT t, y FROM hours WHERE y IS NOT NULL AND %s > 0', i)) FROM generate_series(1, n) i;
	RETURN QUERY SELECT h.t, h.y FROM newest.hours h WHERE h.y IS NOT NULL;
END $$;
BEGIN;
SELECT level('SELECT * FROM many(100)'), level('SELECT * FROM many(100)');
SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'lstm source cache';
COMMIT;
-- Row-level security and privileges are those of the role that asks.
CREATE ROLE newest_reader;
GRANT SELECT ON hours TO newest_reader;
ALTER TABLE hours ENABLE ROW LEVEL SECURITY;
CREATE POLICY early ON hours USING (t < '2020-02-01');
SELECT version FROM lstm.train('asked', 'SELECT t, y FROM hours WHERE y IS NOT NULL', horizon => 6, context => 8, options => '{"units": 3, "epochs": 1, "steps_per_epoch": 3, "seed": 1}');
GRANT USAGE ON SCHEMA newest TO newest_reader;
CREATE FUNCTION ends(model text) RETURNS timestamptz LANGUAGE sql AS $$SELECT max(forecast_timestamp) FROM lstm.forecast(model, source => 'hours')$$;
SELECT ends('asked') > '2020-05-01' AS all_rows;
SET ROLE newest_reader;
SELECT version FROM lstm.train('own', 'SELECT t, y FROM hours WHERE y IS NOT NULL', horizon => 6, context => 8, options => '{"units": 3, "epochs": 1, "steps_per_epoch": 3, "seed": 1}');
SELECT ends('own') < '2020-02-02' AS own_rows;
RESET ROLE;
SELECT ends('own') > '2020-05-01' AS all_rows;
REVOKE SELECT ON hours FROM newest_reader;
SET ROLE newest_reader;
SELECT ends('own');
RESET ROLE;
SELECT lstm.drop_model('own');
DROP OWNED BY newest_reader;
DROP ROLE newest_reader;

-- A constant that the clock moves is not kept: it would stay where it was.
SET timezone = 'UTC';
SELECT min(forecast_timestamp) FROM lstm.forecast('alone', source => 'SELECT * FROM hours WHERE t < ''2020-02-01 00:00''');
SET timezone = 'Etc/GMT+5';
SELECT min(forecast_timestamp) AT TIME ZONE 'UTC' AS later FROM lstm.forecast('alone', source => 'SELECT * FROM hours WHERE t < ''2020-02-01 00:00''');
RESET timezone;

SELECT count(lstm.drop_model(name)) > 20 AS dropped FROM (SELECT DISTINCT name FROM lstm.models) m
WHERE name = ANY ('{plain,gaps,previous,mean,mask,seasonal,difference,logarithm,outliers,padded,clock,adaptive,quantiles,weighed,alone,local,counted,daily,business,monthly,asked,kinds}');
DROP SCHEMA newest, other CASCADE;
