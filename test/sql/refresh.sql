-- refresh.sql
--		The store of forecasts: written once, filled in as rows come, pruned, and nobody else's to write.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
SET timezone = 'UTC';
CREATE ROLE regress_lstm_alice;
CREATE ROLE regress_lstm_bob;
CREATE ROLE regress_lstm_bypass BYPASSRLS;
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n  ', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
CREATE TABLE future AS
	SELECT timestamptz '2024-01-01' + i * interval '1 hour' AS ts, place, 20 + 5 * sin(i * 2 * pi() / 24) AS y, i::float8 AS z
	FROM generate_series(0, 300) i, (VALUES ('a'), ('bb')) AS p(place);
CREATE TABLE rows AS SELECT * FROM future WHERE ts <= '2024-01-10';
CREATE FUNCTION arrive(until timestamptz) RETURNS bigint LANGUAGE sql AS $$
	WITH new AS (INSERT INTO rows SELECT f.* FROM future f WHERE ts <= until AND ts > (SELECT max(ts) FROM rows) RETURNING 1) SELECT count(*) FROM new
$$;
SELECT version FROM lstm.train('m', 'rows', 'y, z', 'ts', 'place', horizon => 3, context => 24,
	options => '{"units": 4, "epochs": 2, "loss": "gaussian"}');
CREATE VIEW stored AS SELECT series, target, issued_at, step, version, forecast_timestamp, actual IS NOT NULL AS known FROM lstm.forecasts;

-- what is stored is what lstm.forecast says
SET client_min_messages = notice;
CALL lstm.refresh_forecasts('m');
SELECT count(*) AS rows, count(DISTINCT (series, target, step)) AS apart, bool_and(issued_at = '2024-01-10' AND forecast_timestamp = issued_at + step * interval '1 hour') AS times,
	bool_and(s.series_key = jsonb_build_object('place', series)) AS keys, bool_and(version = 1 AND s.confidence_level = 0.95) AS how,
	bool_and(value = f.forecast_value AND lower = f.prediction_interval_lower_bound AND upper = f.prediction_interval_upper_bound) AS same,
	count(issued_index) + count(s.forecast_index) + count(actual) + count(error) AS nothing
FROM lstm.forecasts s JOIN lstm.forecast('m') f USING (series, target, step, forecast_timestamp);
-- again: nothing; whatever the session calls its own
CREATE TABLE before AS TABLE lstm.forecasts;
CREATE TEMP TABLE fresh (nothing int);
CREATE TEMP TABLE arrived (nothing int);
CALL lstm.refresh_forecasts('m');
SELECT count(*) AS differ FROM (TABLE lstm.forecasts EXCEPT TABLE before) d;

-- rows come: actuals, and forecasts from the new origin
SELECT arrive('2024-01-10 02:00');
CALL lstm.refresh_forecasts('m');
SELECT issued_at, step, count(*), count(actual) AS known, bool_and(s.actual = CASE target WHEN 'y' THEN f.y ELSE f.z END) AS right, bool_and(abs(error - (actual - value)) < 1e-12) AS error
FROM lstm.forecasts s LEFT JOIN future f ON f.ts = forecast_timestamp AND f.place = series GROUP BY 1, 2 ORDER BY 1, 2;
-- one late, one corrected, one taken back
SELECT arrive('2024-01-10 04:00');
UPDATE rows SET y = NULL WHERE ts = '2024-01-10 03:00' AND place = 'a';
CALL lstm.refresh_forecasts('m');
UPDATE rows SET y = 7 WHERE ts = '2024-01-10 03:00' AND place = 'a';
UPDATE rows SET z = -1 WHERE ts = '2024-01-10 01:00' AND place = 'bb';
UPDATE rows SET z = NULL WHERE ts = '2024-01-10 04:00' AND place = 'bb';
CALL lstm.refresh_forecasts('m');
SELECT series, target, forecast_timestamp, array_agg(DISTINCT actual) AS actual FROM lstm.forecasts
WHERE (series, target, forecast_timestamp) IN (('a', 'y', '2024-01-10 03:00'), ('bb', 'z', '2024-01-10 01:00'), ('bb', 'z', '2024-01-10 04:00')) GROUP BY 1, 2, 3 ORDER BY 1, 2;

-- a longer horizon adds, another level replaces, another version is another forecast
CALL lstm.refresh_forecasts('m', horizon => 5);
CALL lstm.refresh_forecasts('m', horizon => 5, confidence_level => 0.5);
SELECT confidence_level, count(*), max(step) FROM lstm.forecasts GROUP BY 1 ORDER BY 1;
SET client_min_messages = error;
SELECT version FROM lstm.train('m', 'rows', 'y, z', 'ts', 'place', horizon => 3, context => 24, options => '{"units": 4, "epochs": 1, "loss": "gaussian"}');
SET client_min_messages = notice;
CALL lstm.refresh_forecasts('m');
SELECT lstm.rollback('m');
CALL lstm.refresh_forecasts('m');
SELECT version, count(*) FROM lstm.forecasts WHERE issued_at = (SELECT max(issued_at) FROM lstm.forecasts) GROUP BY 1 ORDER BY 1;

-- pruned by the time of issue, also of a series that ended long ago
INSERT INTO rows SELECT ts - interval '100 hours', 'ended', y, z FROM rows WHERE place = 'a';
CALL lstm.refresh_forecasts('m', keep => '2 hours');
SELECT min(issued_at), max(issued_at), count(*) FILTER (WHERE series = 'ended') AS ended FROM lstm.forecasts;
CALL lstm.refresh_forecasts('m', keep => '2 hours');
CALL lstm.refresh_forecasts('m', keep => '0');
SELECT count(DISTINCT issued_at) AS origins FROM lstm.forecasts;
DELETE FROM rows WHERE place = 'ended';

-- other rows than the model's own; within a function
DO $$ BEGIN CALL lstm.refresh_forecasts('m', source => 'SELECT ts, place, y, z FROM future WHERE ts <= ''2024-01-11'' AND place = ''a'''); END $$;
SELECT series, count(*) FROM lstm.forecasts WHERE issued_at = '2024-01-11' GROUP BY 1;

-- one series without a name, integer time; numbers at the ends of their range
SET client_min_messages = error;
CREATE TABLE plain AS SELECT i, sin(i * 0.4) AS y FROM generate_series(1, 80) i;
SELECT version FROM lstm.train('plain', 'plain', 'y', 'i', horizon => 2, context => 8, options => '{"units": 2, "epochs": 1, "calibration": "none"}');
SET client_min_messages = notice;
CALL lstm.refresh_forecasts('plain');
INSERT INTO plain VALUES (81, 0.5), (82, NULL), (83, 0.25);
CALL lstm.refresh_forecasts('plain');
CALL lstm.refresh_forecasts('plain', horizon => 1);
SELECT series, series_key, issued_at, issued_index, forecast_timestamp, forecast_index, step, lower, upper, actual FROM lstm.forecasts WHERE model = 'plain' ORDER BY issued_index, step;
SELECT error_of($$CALL lstm.refresh_forecasts('plain', keep => '1 day')$$);

-- a model of models, and one over space
SET client_min_messages = error;
CREATE TABLE mixed AS SELECT i, sin(i * 0.4) + 0.1 * (hashint4(i) & 7) AS y, cos(i * 0.3) AS x FROM generate_series(1, 160) i;
SELECT t.version, u.version FROM lstm.train('one', 'SELECT * FROM mixed WHERE i < 120', 'y', 'i', context => 4, past_covariates => '', options => '{"units": 2, "epochs": 2}') t,
	lstm.train('two', 'SELECT * FROM mixed WHERE i < 120', 'y', 'i', context => 4, past_covariates => 'x', options => '{"units": 2, "epochs": 2}') u;
SELECT version FROM lstm.join_models('joint', 'one', 'two', source => 'SELECT * FROM mixed');
CREATE TABLE frame AS SELECT i, y, x, sin(i * 0.5 + y + x) AS v FROM generate_series(0, 79) i, generate_series(0, 2) y, generate_series(0, 2) x;
SELECT version FROM lstm.train('grid', 'frame', 'v', 'i', series => 'y, x', horizon => 2, context => 4, options => '{"grid": "y, x", "epochs": 1, "layers": [{"type": "conv_lstm", "units": 2}, {"type": "dense"}]}');
SET client_min_messages = notice;
CALL lstm.refresh_forecasts('joint');
CALL lstm.refresh_forecasts('grid');
INSERT INTO mixed VALUES (161, 0.25, 0);
CALL lstm.refresh_forecasts('joint');
SELECT model, version, count(*), count(actual), count(DISTINCT series) AS series FROM lstm.forecasts WHERE model IN ('joint', 'grid') GROUP BY 1, 2 ORDER BY 1;
SELECT bool_and(value = forecast_value) AS same FROM lstm.forecasts JOIN lstm.forecast('grid') f USING (series, step) WHERE model = 'grid';

-- renamed and dropped with the model; versions that go leave what they said, unless their number is given again
SELECT lstm.rename_model('m', 'renamed');
SELECT model, array_agg(DISTINCT version ORDER BY version) AS versions FROM lstm.forecasts GROUP BY 1 ORDER BY 1;
SELECT lstm.deploy('renamed', 2);
SELECT lstm.drop_model('renamed', 1);
SELECT lstm.rename_model('renamed', 'm');
SELECT model, array_agg(DISTINCT version ORDER BY version) AS versions FROM lstm.forecasts WHERE model <> 'plain' GROUP BY 1 ORDER BY 1;
SET client_min_messages = error;
SELECT version FROM lstm.train('plain', 'SELECT * FROM plain WHERE i < 80', 'y', 'i', horizon => 2, context => 8, options => '{"units": 2, "epochs": 1}');
SET client_min_messages = notice;
CALL lstm.refresh_forecasts('plain');
SELECT lstm.drop_model('plain', 2);
SELECT array_agg(DISTINCT version) AS versions FROM lstm.forecasts WHERE model = 'plain';
SELECT lstm.drop_model(name) FROM (VALUES ('joint'), ('m')) v(name);
SELECT model FROM lstm.forecasts GROUP BY 1 ORDER BY 1;

-- rights
CREATE SCHEMA regress_lstm_alice AUTHORIZATION regress_lstm_alice;
SET ROLE regress_lstm_alice;
CREATE TABLE regress_lstm_alice.own AS SELECT i, sin(i * 0.4) AS y FROM generate_series(1, 80) i;
SET client_min_messages = error;
SELECT version FROM lstm.train('own', 'regress_lstm_alice.own', 'y', 'i', context => 8, options => '{"units": 2, "epochs": 1}');
SET client_min_messages = notice;
CALL lstm.refresh_forecasts('own');
SELECT model, count(*) FROM lstm.forecasts GROUP BY 1;
SELECT error_of($$INSERT INTO lstm.forecasts (model, version, target, issued_index, forecast_index, step, value, confidence_level) VALUES ('own', 1, 'y', 1, 2, 1, 0, 0.95)$$);
SELECT error_of($$UPDATE lstm.forecasts SET value = 0$$);
SET ROLE regress_lstm_bob;
SELECT count(*) FROM lstm.forecasts;
SELECT error_of($$CALL lstm.refresh_forecasts('own')$$);
DELETE FROM lstm.forecasts;
SET ROLE regress_lstm_bypass;
SELECT error_of($$INSERT INTO lstm.forecasts (model, version, target, issued_index, forecast_index, step, value, confidence_level) VALUES ('own', 1, 'y', 1, 2, 1, 0, 0.95)$$);
SELECT error_of($$UPDATE lstm.forecasts SET value = 0$$);
SELECT error_of($$CALL lstm.refresh_forecasts('own', source => 'SELECT generate_series(1, 80) AS i, 0.5 AS y')$$);
SET ROLE regress_lstm_alice;
SELECT lstm.grant_model('own', 'regress_lstm_bob', 'use');
SET ROLE regress_lstm_bob;
SELECT model, count(*) FROM lstm.forecasts GROUP BY 1;
SELECT error_of($$CALL lstm.refresh_forecasts('own', source => 'SELECT generate_series(1, 81) AS i, 0.5 AS y')$$);
DELETE FROM lstm.forecasts;
SET ROLE regress_lstm_alice;
SELECT lstm.grant_model('own', 'regress_lstm_bob', 'retrain');
SET ROLE regress_lstm_bob;
CALL lstm.refresh_forecasts('own', source => 'SELECT generate_series(1, 81) AS i, 0.5 AS y');
SELECT error_of($$CALL lstm.refresh_forecasts('own')$$);
SET ROLE regress_lstm_alice;
GRANT USAGE ON SCHEMA regress_lstm_alice TO regress_lstm_bob;
GRANT SELECT ON regress_lstm_alice.own TO regress_lstm_bob;
INSERT INTO regress_lstm_alice.own VALUES (81, 0.25), (82, 0.25);
SET ROLE regress_lstm_bob;
CALL lstm.refresh_forecasts('own');
-- what came is the source's, which its own policies may hide: actuals are granted by themselves
SELECT forecast_index, actual FROM lstm.forecasts ORDER BY 1;
SET ROLE regress_lstm_alice;
SELECT lstm.grant_model('own', 'regress_lstm_bob', 'actuals');
SET ROLE regress_lstm_bob;
SELECT forecast_index, actual FROM lstm.forecasts ORDER BY 1;
SET ROLE regress_lstm_alice;
SELECT lstm.revoke_model('own', 'regress_lstm_bob', 'actuals');
SELECT forecast_index, actual FROM lstm.forecasts ORDER BY 1;
DELETE FROM lstm.forecasts WHERE forecast_index < 83;
RESET ROLE;

-- bad input
SELECT call, error_of('CALL lstm.refresh_forecasts(' || call || ')') FROM unnest(ARRAY[
	'NULL', $$''$$, $$'ownn'$$, $$'own', horizon => 0$$, $$'own', horizon => 65537$$, $$'own', confidence_level => 1$$, $$'own', confidence_level => NULL$$,
	$$'own', confidence_level => 'NaN'$$, $$'own', source => 'no_such'$$, $$'own', source => 'SELECT 1 AS i, 2.0 AS y'$$, $$'own', source => 'SELECT 1 AS i, 2.0 AS y WHERE false'$$,
	$$'own', source => 'SELECT i, ''Infinity''::float8 AS y FROM plain'$$, $$'own', source => 'SELECT 1 AS i, 2.0 AS y FROM generate_series(1, 20)'$$,
	$$'own', source => 'DELETE FROM lstm.forecasts'$$, $$'own', future => 'plain'$$, $$'own', keep => '-1 day'$$, $$'own', notify_above => 'NaN'$$, $$'own', notify_below => '-Infinity'$$,
	$$'own', notify_above => 1, notify_below => 2$$, $$'own', channel => NULL$$, $$'own', channel => ''$$, $$'own', channel => repeat('c', 64)$$]) WITH ORDINALITY AS c(call, n) ORDER BY n;
SELECT count(*) FROM lstm.forecasts WHERE model = 'own';
SET ROLE regress_lstm_alice;
CALL lstm.refresh_forecasts('own', source => 'SELECT -i AS i, 0.5 AS y FROM regress_lstm_alice.own ORDER BY random()');
BEGIN READ ONLY;
CALL lstm.refresh_forecasts('own');
ROLLBACK;
BEGIN;
SELECT lstm.drop_model('own');
CALL lstm.refresh_forecasts('own');
ROLLBACK;
RESET ROLE;
UPDATE lstm.models SET deployed = false WHERE name = 'own';
CALL lstm.refresh_forecasts('own');
SET client_min_messages = error;
SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
SELECT count(*) FROM lstm.forecasts;
DROP OWNED BY regress_lstm_alice;
DROP ROLE regress_lstm_alice, regress_lstm_bob, regress_lstm_bypass;

\set ECHO none
\i test/sql/clean.inc
