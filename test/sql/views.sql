-- views.sql
--		Views for dashboards: what they show, what they are called, whose they are.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
SET TimeZone = 'UTC';
SET DateStyle = 'ISO';
CREATE ROLE regress_lstm_alice;
CREATE ROLE regress_lstm_bob;
CREATE ROLE regress_lstm_root SUPERUSER;
CREATE SCHEMA alice AUTHORIZATION regress_lstm_alice;
GRANT CREATE ON SCHEMA public TO regress_lstm_alice, regress_lstm_bob;
CREATE TABLE hourly AS SELECT timestamptz '2026-03-25 00:00+00' + i * interval '1 hour' AS t, p.place COLLATE "C" AS place, p.wet,
	10 * p.level + sin(i / 4.0) AS y, (p.level + cos(i / 4.0))::float4 AS z
	FROM generate_series(0, 119) i, (VALUES ('a', true, 1), ('b/c', false, 2)) p (place, wet, level);
INSERT INTO hourly VALUES ('2026-03-30 00:00+00', 'a', true, NULL, 'NaN');
GRANT SELECT ON hourly TO regress_lstm_alice;
CREATE TABLE daily AS SELECT date '2026-01-01' + i AS "the day", i % 7 > 3 AS "on" FROM generate_series(0, 99) i;
CREATE TABLE counted AS SELECT i, (i % 5)::numeric AS y FROM generate_series(1, 100) i;
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n  ', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
CREATE FUNCTION train(model text, source text, target text, horizon int DEFAULT 4, series text DEFAULT NULL, time_column text DEFAULT NULL, loss text DEFAULT 'gaussian') RETURNS int LANGUAGE sql SET client_min_messages = error AS $$
	SELECT version FROM lstm.train(model, source, target, time_column, series, horizon => horizon, context => 8,
		options => jsonb_build_object('units', 2, 'epochs', 1, 'loss', loss, 'season', 1))
$$;
SET client_min_messages = notice;

-- history and forecast in one
SELECT train('wind', 'SELECT t, place, y FROM hourly', 'y');
SELECT * FROM lstm.create_views('wind');
SELECT attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid = 'wind'::regclass ORDER BY attnum;
SELECT obj_description('wind'::regclass), obj_description('wind_superset'::regclass), obj_description('wind_prophet'::regclass);
SELECT attrelid::regclass, attname FROM pg_attribute WHERE attrelid IN ('wind'::regclass, 'wind_superset'::regclass, 'wind_prophet'::regclass)
	AND attnum > 0 AND col_description(attrelid, attnum) IS NULL;
SELECT kind, series, metric, target, count(*), min(time), max(time), count(value) AS "values", count(lower) AS lower, count(upper) AS upper, bool_and(lower < value AND value < upper) AS inside
FROM wind GROUP BY kind, series, metric, target ORDER BY kind DESC, series;
SELECT count(*) AS differences FROM
	((SELECT time, value, series FROM wind WHERE kind = 'history') EXCEPT ALL (SELECT t, y, place FROM hourly WHERE y IS NOT NULL)) d;
SELECT count(*) AS differences FROM
	((SELECT time, series, target, value, lower, upper FROM wind WHERE kind = 'forecast')
	EXCEPT ALL (SELECT forecast_timestamp, series, target, forecast_value, prediction_interval_lower_bound, prediction_interval_upper_bound FROM lstm.forecast('wind'))) d;
SELECT count(*), count(y) AS y, count(y__yhat) AS yhat, count(y__yhat_lower) AS lower, count(y__yhat_upper) AS upper, count(DISTINCT __timestamp) AS times FROM wind_superset;
SELECT count(*) FILTER (WHERE y IS NULL) AS forecast, count(*) FILTER (WHERE yhat IS NULL) AS history, bool_and(yhat_lower < yhat AND yhat < yhat_upper) AS inside FROM wind_prophet;

-- a filter on time reaches the table; one on kind saves the other half, which never runs if it is in the plan at all
CREATE FUNCTION plan_has(query text, what text) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE line text;
BEGIN
	FOR line IN EXECUTE 'EXPLAIN (ANALYZE, COSTS OFF, TIMING OFF, SUMMARY OFF) ' || query LOOP
		IF line ~ what THEN RETURN true; END IF;
	END LOOP;
	RETURN false;
END $$;
CREATE INDEX hourly_t ON hourly (t);
SET enable_seqscan = off;
SELECT plan_has($$SELECT * FROM wind WHERE time > '2026-03-29'$$, 'Index Cond: .*2026-03-29') AS filtered,
	plan_has($$SELECT * FROM wind WHERE time > '2026-03-29'$$, 'forecast') AS forecast,
	plan_has($$SELECT * FROM wind WHERE kind = 'history'$$, 'forecast') AS none,
	NOT plan_has($$SELECT * FROM wind WHERE kind = 'forecast'$$, 'hourly.*\(actual') AS no_history;
RESET enable_seqscan;

-- again, shorter, and all of it
SELECT count(*) FROM lstm.create_views('wind', history => 10, horizon => 2, confidence_level => 0.5);
SELECT kind, series, count(*) FROM wind GROUP BY kind, series ORDER BY kind DESC, series;
SELECT substring(obj_description('wind'::regclass) FROM 'Arguments.*') AS kept;
-- what is not said stays
SELECT count(*) FROM lstm.create_views('wind');
SELECT substring(obj_description('wind'::regclass) FROM 'Arguments.*') AS kept;
SELECT count(*) FROM lstm.create_views('wind', NULL, NULL, NULL, NULL, NULL, NULL);
SELECT kind, series, count(*) FROM wind GROUP BY kind, series ORDER BY kind DESC, series;
SELECT count(*) FROM lstm.create_views('wind', stored => true);
SELECT count(*) FROM lstm.create_views('wind');
SELECT substring(obj_description('wind'::regclass) FROM 'Arguments.*') AS kept;
SELECT error_of($$SELECT lstm.create_views('wind', confidence_level => 0.5)$$);
SELECT count(*) FROM lstm.create_views('wind', stored => false);
SELECT substring(obj_description('wind'::regclass) FROM 'Arguments.*') AS kept;
SELECT count(*) FROM lstm.create_views('wind', horizon => 0);
SELECT kind, count(*) FROM wind GROUP BY kind ORDER BY kind DESC;
SELECT count(*) FROM lstm.create_views('wind', name => 'fresh');
SELECT substring(obj_description('fresh'::regclass) FROM 'Arguments.*') AS kept;
-- a comment that says nothing, or nonsense
COMMENT ON VIEW fresh IS E'Made by lstm.create_views for model "wind".\nNothing.';
SELECT count(*) FROM lstm.create_views('wind', name => 'fresh');
SELECT substring(obj_description('fresh'::regclass) FROM 'Arguments.*') AS kept;
COMMENT ON VIEW fresh IS E'Made by lstm.create_views for model "wind".\nNothing.\nArguments: history => 99999999999999999999, horizon => -1, stored => maybe, confidence_level => NaN';
SELECT count(*) FROM lstm.create_views('wind', name => 'fresh');
SELECT substring(obj_description('fresh'::regclass) FROM 'Arguments.*') AS kept;
DROP VIEW fresh CASCADE;
SELECT count(*) FROM lstm.create_views('wind', history => 0);
SELECT kind, count(*) FROM wind GROUP BY kind ORDER BY kind DESC;
SELECT count(*) FROM lstm.create_views('wind', history => 2147483647);
SELECT count(*) FROM wind WHERE kind = 'history';

-- several targets, several columns of series, a float4 and a boolean
SELECT train('many', 'SELECT t, place, wet, y, z, wet::int AS "time" FROM hourly', 'y, z, "time"', series => 'place, wet');
SELECT * FROM lstm.create_views('many');
SELECT kind, series, metric, count(*) FROM many GROUP BY kind, series, metric ORDER BY kind DESC, series, metric COLLATE "C";
SELECT count(*) AS rows, count(y) AS y, count(z__yhat) AS z, count(time__yhat) AS time FROM many_superset;
SELECT DISTINCT f.series FROM lstm.forecast('many') f WHERE NOT EXISTS (SELECT FROM many m WHERE m.kind = 'history' AND m.series = f.series AND m.target = f.target);

-- days, in the zone of the session as in forecasts; a boolean target
SELECT train('days', 'daily', '"on"');
SELECT * FROM lstm.create_views('days');
SET TimeZone = 'Europe/Dublin';
SELECT kind, min(time), max(time), count(*), max(value) IN (0, 1) AS flag FROM days GROUP BY kind ORDER BY kind DESC;
CREATE INDEX ON daily ("the day");
SET enable_seqscan = off;
-- its index serves the bound of the history, not a filter on time, which is a cast
SELECT plan_has($$SELECT * FROM days WHERE kind = 'history' AND time > '2026-03-29'$$, 'Index Cond: .*1000 days') AS bounded,
	plan_has($$SELECT * FROM days WHERE kind = 'history' AND time > '2026-03-29'$$, 'Index Cond: .*2026-03-29') AS filtered;
RESET enable_seqscan;
SELECT count(*) AS unequal FROM days d JOIN lstm.forecast('days') f ON d.time = f.forecast_timestamp WHERE d.value IS DISTINCT FROM f.forecast_value;
SET TimeZone = 'UTC';

-- an hourly series over the night that the clocks change: an instant is one, whoever looks
SELECT string_agg(to_char(time, 'HH24:MI OF'), ', ' ORDER BY time) FROM wind WHERE series = 'a' AND time BETWEEN '2026-03-28 23:00+00' AND '2026-03-29 03:00+00';
SET TimeZone = 'Europe/Dublin';
SELECT string_agg(to_char(time, 'HH24:MI OF'), ', ' ORDER BY time) FROM wind WHERE series = 'a' AND time BETWEEN '2026-03-28 23:00+00' AND '2026-03-29 03:00+00';

-- a source that asks for the session's zone is told of
SELECT train('cut', 'SELECT date_trunc(''hour'', t) AS t, avg(y) AS y FROM hourly GROUP BY 1', 'y');
SELECT "view" FROM lstm.create_views('cut');
SELECT train('named', 'SELECT date_trunc(''hour'', t, ''UTC'') AS t, avg(y) AS y FROM hourly GROUP BY 1', 'y');
SELECT "view" FROM lstm.create_views('named');
SELECT train('recent', 'SELECT t, place, y FROM hourly WHERE t > timestamptz ''2026-04-01'' - interval ''1 month''', 'y');
SELECT "view" FROM lstm.create_views('recent');
SET TimeZone = 'UTC';

-- integers count
SELECT train('count', 'counted', 'y', time_column => 'i');
SELECT * FROM lstm.create_views('count', history => 20);
SELECT kind, min(index), max(index), count(*) FROM "count" GROUP BY kind ORDER BY kind DESC;

-- forecasts that were stored: the newest of each series and target, of two from one origin that written last
SELECT "view" FROM lstm.create_views('many', stored => true) LIMIT 1;
SELECT "view" FROM lstm.create_views('count', stored => true, horizon => 1);
SET client_min_messages = notice;
SELECT obj_description('many'::regclass);
SELECT count(*) FROM many WHERE kind = 'forecast';
INSERT INTO lstm.forecasts (model, version, series, target, issued_at, forecast_timestamp, step, value, lower, upper, confidence_level, written_at)
	SELECT 'many', v.version, v.series, 'y', v.issued_at, v.issued_at + step * interval '1 hour', step, v.value, v.value - 1, v.value + 1, 0.9, v.written_at
	FROM generate_series(1, 2) step, (VALUES
		(1, 'a/true', timestamptz '2026-03-29 22:00Z', 1, timestamptz '2026-03-30 00:00Z'), (2, 'a/true', '2026-03-29 23:00Z', 2, '2026-03-30 01:00Z'),
		(1, 'a/true', '2026-03-29 23:00Z', 3, '2026-03-30 02:00Z'), (1, 'b\/c/false', '2026-03-29 20:00Z', 4, '2026-03-29 21:00Z')) v (version, series, issued_at, value, written_at);
INSERT INTO lstm.forecasts (model, version, target, issued_index, forecast_index, step, value, confidence_level)
	SELECT 'count', 1, 'y', issued, issued + step, step, 10 * issued + step, 0.9 FROM generate_series(99, 100) issued, generate_series(1, 2) step;
SELECT time AT TIME ZONE 'UTC' AS time, metric, value, lower, upper, kind, series, target FROM many WHERE kind = 'forecast' ORDER BY series, time;
SELECT * FROM "count" WHERE kind = 'forecast';

-- of two versions from one origin the deployed one, written last or not
SELECT lstm.deploy('many', 1);
SELECT time AT TIME ZONE 'UTC' AS time, value FROM many WHERE kind = 'forecast' AND series = 'a/true' ORDER BY time;
UPDATE lstm.forecasts SET written_at = '2026-03-30 03:00Z' WHERE model = 'many' AND version = 2;
SELECT time AT TIME ZONE 'UTC' AS time, value FROM many WHERE kind = 'forecast' AND series = 'a/true' ORDER BY time;
-- and not further steps of another one behind it
INSERT INTO lstm.forecasts (model, version, series, target, issued_at, forecast_timestamp, step, value, confidence_level)
	SELECT 'many', 9, 'a/true', 'y', '2026-03-29 23:00Z', timestamptz '2026-03-29 23:00Z' + step * interval '1 hour', step, 9, 0.9 FROM generate_series(1, 4) step;
SELECT time AT TIME ZONE 'UTC' AS time, value FROM many WHERE kind = 'forecast' AND series = 'a/true' ORDER BY time;
DELETE FROM lstm.forecasts WHERE version = 9;

-- without intervals; a joint model
SELECT train('plain', 'SELECT t, avg(y) AS y FROM hourly GROUP BY t', 'y', loss => 'mse') > 0 AS trained;
SELECT count(*) FROM lstm.create_views('plain');
SELECT count(*) AS forecasts, count(series) AS series FROM plain WHERE kind = 'forecast';
SET client_min_messages = error;
SELECT train('members', 'SELECT t, place, y FROM hourly WHERE t < ''2026-03-28''', 'y'), train('members2', 'SELECT t, place, y FROM hourly WHERE t < ''2026-03-28''', 'y');
SELECT version FROM lstm.join_models('joint', 'members', 'members2', source => 'SELECT t, place, y FROM hourly');
SET client_min_messages = notice;
SELECT "view" FROM lstm.create_views('joint');
SELECT kind, series, count(*) FROM joint GROUP BY kind, series ORDER BY kind DESC, series;

-- names: SQL, quotes, reserved words, long ones that begin alike
SET client_min_messages = error;
SELECT lstm.rename_model('members2', 'x"; DROP TABLE hourly; --''\'), lstm.rename_model('members', 'select');
SELECT lstm.rename_model('named', repeat('n', 62) || '1'), lstm.rename_model('cut', repeat('n', 62) || '2');
SELECT "view" FROM lstm.create_views('x"; DROP TABLE hourly; --''\');
SELECT count(*) > 0 AS rows FROM "x""; DROP TABLE hourly; --'\";
SELECT "view" FROM lstm.create_views('select');
SELECT "view" FROM lstm.create_views(repeat('n', 62) || '1');
SELECT "view" FROM lstm.create_views(repeat('n', 62) || '2');
SELECT "view" FROM lstm.create_views('wind', 'alice', 'Wind, all');
CREATE TABLE longs AS SELECT t, y AS "series", y + 1 AS "__timestamp", y + 2 AS x__yhat, y + 3 AS x, y + 4 AS "a target whose name is as long as names of columns can be, 63 b",
	y + 5 AS "a target whose name is as long as names of columns can be, 63 c" FROM hourly WHERE place = 'a';
SELECT train('long', 'longs', 'series, __timestamp, x__yhat, x, "a target whose name is as long as names of columns can be, 63 b", "a target whose name is as long as names of columns can be, 63 c"');
SELECT unnest(string_to_array(columns, ', ')) FROM lstm.create_views('long') WHERE "view" LIKE '%superset';
SELECT count(*) AS rows, bool_and(x_2 > series_2 AND x_2__yhat IS NULL) AS right_columns FROM long_superset WHERE series_2 IS NOT NULL;
SET client_min_messages = notice;

-- a view whose model has another name now, or is dropped, may be renewed; not while a model of the old name is there
SELECT train('old', 'SELECT t, avg(y) AS y FROM hourly GROUP BY t', 'y');
SELECT "view" FROM lstm.create_views('old', name => 'line', history => 7);
SELECT lstm.rename_model('old', 'new');
SELECT error_of('SELECT * FROM line');
SELECT train('old', 'SELECT t, avg(y) AS y FROM hourly GROUP BY t', 'y');
SELECT error_of($$SELECT lstm.create_views('new', name => 'line')$$);
SELECT lstm.drop_model('old');
SELECT "view" FROM lstm.create_views('new', name => 'line');
SELECT kind, count(*) FROM line GROUP BY kind ORDER BY kind DESC;
SELECT obj_description('line'::regclass), obj_description('line_superset'::regclass), obj_description('line_prophet'::regclass);
COMMENT ON VIEW line IS 'Made by lstm.create_views for model "old';
SELECT error_of($$SELECT lstm.create_views('new', name => 'line')$$);

-- future covariates: with rows to come in the source, and without
CREATE TABLE sales AS SELECT timestamptz '2026-01-01 00:00Z' + i * interval '1 day' AS t, CASE WHEN i < 60 THEN 10 + i % 7 + (i % 5 = 0)::int * 4 END AS y,
	(i % 5 = 0)::int AS promo FROM generate_series(0, 63) i;
SELECT version FROM lstm.train('promo', 'sales', 'y', future_covariates => 'promo', horizon => 4, context => 8, options => '{"units": 2, "epochs": 1, "loss": "gaussian", "season": 1}');
SELECT count(*) FROM lstm.create_views('promo');
SELECT kind, count(*) FROM promo GROUP BY kind ORDER BY kind DESC;
\set VERBOSITY default
DELETE FROM sales WHERE t > '2026-03-03';
SELECT count(*) FROM lstm.create_views('promo');
SELECT count(*) FROM promo WHERE kind = 'history';
SELECT count(*) FROM lstm.create_views('promo', horizon => 2);
SELECT count(*) FROM lstm.create_views('promo', horizon => 0, stored => true);
CALL lstm.refresh_forecasts('promo', future => 'SELECT timestamptz ''2026-03-01 00:00Z'' + i * interval ''1 day'' AS t, 1 AS promo FROM generate_series(1, 4) i');
SELECT kind, count(*) FROM promo GROUP BY kind ORDER BY kind DESC;

-- errors do not show what was written for them, but do show who called
\set VERBOSITY default
SELECT lstm.create_views('promo', 'nowhere');
BEGIN READ ONLY;
SELECT lstm.create_views('promo');
ROLLBACK;
ALTER VIEW promo_superset RENAME COLUMN y TO x;
SELECT lstm.create_views('promo');
DO $$ BEGIN PERFORM lstm.create_views('promo'); END $$;
\set VERBOSITY terse

-- only what is ours is replaced
CREATE VIEW mine AS SELECT 1 AS one;
CREATE TABLE table_mine (i int);
SELECT error_of($$SELECT lstm.create_views('wind', name => 'mine')$$);
SELECT error_of($$SELECT lstm.create_views('wind', name => 'table_mine')$$);
SELECT error_of($$SELECT lstm.create_views('wind', name => 'days')$$);
CREATE VIEW other_prophet AS SELECT 1 AS one;
SELECT error_of($$SELECT lstm.create_views('wind', name => 'other')$$);
SELECT to_regclass('other') IS NULL AS nothing_left;
SET client_min_messages = error;
SELECT train('wind', 'SELECT t, place, z FROM hourly', 'z');
SET client_min_messages = notice;
SELECT error_of($$SELECT lstm.create_views('wind')$$);
DROP VIEW wind CASCADE;
SELECT "view" FROM lstm.create_views('wind');

-- rights: the caller's, and the reader's
SET ROLE regress_lstm_alice;
SELECT train('alice', 'SELECT t, place, y FROM public.hourly', 'y');
SELECT "view" FROM lstm.create_views('alice', 'alice');
GRANT USAGE ON SCHEMA alice TO regress_lstm_bob;
GRANT SELECT ON alice.alice TO regress_lstm_bob;
SELECT error_of($$SELECT lstm.create_views('alice', 'pg_catalog')$$);
SELECT error_of($$SELECT lstm.create_views('alice', 'lstm')$$);
SELECT error_of($$SELECT lstm.create_views('wind')$$);
SET ROLE regress_lstm_bob;
SELECT count(*) FROM alice.alice WHERE kind = 'history';
SELECT error_of('SELECT * FROM alice.alice');
SELECT error_of($$SELECT lstm.create_views('alice')$$);
-- who may use the model may make views of his own, and read those of others where he sees the rows
SET ROLE regress_lstm_alice;
SELECT lstm.grant_model('alice', 'regress_lstm_bob');
SET ROLE regress_lstm_bob;
SELECT error_of('SELECT * FROM alice.alice');
SELECT "view" FROM lstm.create_views('alice', 'public', 'bobs');
SELECT error_of('SELECT * FROM bobs');
SELECT error_of($$SELECT lstm.create_views('alice', 'alice', 'bobs')$$);
SELECT error_of($$SELECT lstm.create_views('alice', 'alice')$$);
RESET ROLE;
GRANT SELECT ON hourly TO regress_lstm_bob;
SET ROLE regress_lstm_bob;
SELECT kind, count(*) FROM bobs GROUP BY kind ORDER BY kind DESC;
SELECT kind, count(*) FROM alice.alice GROUP BY kind ORDER BY kind DESC;
RESET ROLE;
INSERT INTO lstm.forecasts (model, version, series, target, issued_at, forecast_timestamp, step, value, confidence_level)
	VALUES ('alice', 1, 'a', 'y', '2026-03-29 23:00Z', '2026-03-30 00:00Z', 1, 3, 0.9);
SET ROLE regress_lstm_alice;
SELECT count(*) FROM lstm.create_views('alice', 'alice', stored => true);
SET ROLE regress_lstm_bob;
SELECT kind, count(*) FROM alice.alice GROUP BY kind ORDER BY kind DESC;
SET ROLE regress_lstm_alice;
SELECT lstm.revoke_model('alice', 'regress_lstm_bob');
SET ROLE regress_lstm_bob;
SELECT kind, count(*) FROM alice.alice GROUP BY kind ORDER BY kind DESC;
SET ROLE regress_lstm_root;
SELECT error_of($$SELECT lstm.create_views('alice', 'alice')$$);
SELECT error_of($$SELECT lstm.create_views('alice', 'public')$$);
-- a superuser does not take a view that another calls ours
CREATE TABLE wanted AS SELECT t, y FROM public.hourly WHERE place = 'a';
SELECT train('root', 'wanted', 'y');
SET ROLE regress_lstm_alice;
CREATE VIEW alice.root AS SELECT 1 AS one;
COMMENT ON VIEW alice.root IS E'Made by lstm.create_views for model "root".\n';
SET ROLE regress_lstm_root;
SELECT error_of($$SELECT lstm.create_views('root', 'alice')$$);
SET ROLE regress_lstm_alice;
COMMENT ON VIEW alice.root IS E'Made by lstm.create_views for model "gone".\n';
SET ROLE regress_lstm_root;
SELECT error_of($$SELECT lstm.create_views('root', 'alice')$$);
RESET ROLE;
-- options stay, grants too
ALTER VIEW wind SET (security_barrier = true);
GRANT SELECT ON wind TO regress_lstm_bob;
SELECT count(*) FROM lstm.create_views('wind');
SELECT reloptions, has_table_privilege('regress_lstm_bob', 'wind', 'SELECT') AS granted FROM pg_class WHERE oid = 'wind'::regclass;

-- bad input
SELECT error_of($$SELECT lstm.create_views(NULL)$$);
SELECT error_of($$SELECT lstm.create_views('windy')$$);
SELECT error_of($$SELECT lstm.create_views('wind', 'nowhere')$$);
SELECT error_of($$SELECT lstm.create_views('wind', name => '')$$);
SELECT error_of($$SELECT lstm.create_views('wind', name => repeat('n', 64))$$);
SELECT error_of($$SELECT lstm.create_views('wind', confidence_level => 1)$$);
SELECT error_of($$SELECT lstm.create_views('wind', confidence_level => 'NaN')$$);
SELECT error_of($$SELECT lstm.create_views('wind', horizon => -1)$$);
SELECT error_of($$SELECT lstm.create_views('wind', history => -1)$$);
SELECT error_of($$SELECT lstm.create_views('wind', stored => true, confidence_level => 0.9)$$);
SET search_path = nowhere;
SELECT public.error_of($$SELECT lstm.create_views('wind')$$);
RESET search_path;
ALTER TABLE daily RENAME "on" TO flag;
SELECT count(*) FROM days WHERE kind = 'history';
SELECT error_of($$SELECT lstm.create_views('days')$$);
UPDATE lstm.models SET deployed = false WHERE name = 'wind';
SELECT error_of($$SELECT lstm.create_views('wind')$$);

-- the extension does not go without them
DROP EXTENSION lstm;

SET client_min_messages = warning;
DROP OWNED BY regress_lstm_alice, regress_lstm_bob, regress_lstm_root CASCADE;
DROP ROLE regress_lstm_alice, regress_lstm_bob, regress_lstm_root;

\set ECHO none
\i test/sql/clean.inc
