-- privileges.sql
--		Whose rights a source runs with, and what one role can do with another's models.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
CREATE ROLE regress_lstm_alice;
CREATE ROLE regress_lstm_bob;
CREATE ROLE regress_lstm_root SUPERUSER;
CREATE SCHEMA alice AUTHORIZATION regress_lstm_alice;
CREATE TABLE secret AS SELECT i, 'a' AS place, sin(i * 0.4) AS y FROM generate_series(1, 60) i
	UNION ALL SELECT i, 'b', 100 + cos(i * 0.4) FROM generate_series(1, 60) i;
CREATE VIEW window_view AS SELECT * FROM secret WHERE place = 'a';
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n  ', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
CREATE FUNCTION train(model text, source text) RETURNS bigint LANGUAGE sql AS $$
	SELECT version FROM lstm.train(model, source, 'y', 'i', context => 6,
		options => '{"units": 2, "epochs": 1}');
	SELECT rows FROM lstm.models WHERE name = model ORDER BY version DESC LIMIT 1;
$$;

-- no privilege on the source
SET ROLE regress_lstm_alice;
SELECT train('m', 'secret');
SELECT train('m', 'SELECT * FROM public.secret');
SELECT train('m', 'window_view');
SELECT count(*) FROM lstm.models;
RESET ROLE;
GRANT SELECT ON window_view TO regress_lstm_alice;
GRANT SELECT (i, y) ON secret TO regress_lstm_alice;
SET ROLE regress_lstm_alice;
SELECT train('m', 'window_view') AS by_view;
SELECT train('m', 'SELECT * FROM secret');
SELECT train('columns', 'SELECT i, avg(y) AS y FROM secret GROUP BY i') AS by_columns;

-- row-level security: training and forecasts take what the caller may see
RESET ROLE;
GRANT SELECT ON secret TO regress_lstm_alice, regress_lstm_bob;
ALTER TABLE secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY own ON secret USING (place = CASE CURRENT_USER WHEN 'regress_lstm_alice' THEN 'a' WHEN 'regress_lstm_bob' THEN 'b' END);
SET ROLE regress_lstm_alice;
SELECT train('rls', 'secret') AS sees;
SELECT series FROM lstm.forecast('rls');
SET ROLE regress_lstm_bob;
SELECT train('bob', 'secret') AS sees;
SELECT series FROM lstm.forecast('bob');
RESET ROLE;
SELECT train('all', 'secret') AS sees;
SELECT lstm.drop_model('all');

-- a privilege that is taken away is gone for forecasts too
REVOKE SELECT ON secret FROM regress_lstm_bob;
SET ROLE regress_lstm_bob;
SELECT series FROM lstm.forecast('bob');
RESET ROLE;
GRANT SELECT ON secret TO regress_lstm_bob;

-- nobody sees another's model through any function
SET ROLE regress_lstm_bob;
SELECT name FROM lstm.models;
SELECT name FROM lstm.model_values;
\pset format unaligned
\pset tuples_only on
SELECT query || E'\n  ' || error_of(query) FROM (VALUES
	($$SELECT * FROM lstm.forecast('m')$$),
	($$SELECT * FROM lstm.forecast('m', source => 'window_view')$$),
	($$SELECT * FROM lstm.hindcast('m')$$),
	($$SELECT * FROM lstm.evaluate('m')$$),
	($$SELECT lstm.describe('m')$$),
	($$SELECT * FROM lstm.layers('m')$$),
	($$SELECT * FROM lstm.tensors('m')$$),
	($$SELECT * FROM lstm.training_log('m')$$),
	($$SELECT lstm.plot_forecast('m')$$),
	($$SELECT lstm.deploy('m', 1)$$),
	($$SELECT lstm.rollback('m')$$),
	($$SELECT lstm.rename_model('m', 'n')$$),
	($$SELECT lstm.rename_model('bob', 'm')$$),
	($$SELECT lstm.drop_model('m')$$),
	($$SELECT train('m', 'secret')$$),
	($$DELETE FROM lstm.models WHERE name = 'm'$$),
	($$UPDATE lstm.models SET deployed = false WHERE name = 'm'$$),
	($$TRUNCATE lstm.models CASCADE$$),
	($$DROP TABLE lstm.model_values$$),
	($$SELECT lstm.models_guard()$$)) AS v(query);
RESET ROLE;
SELECT name, version, deployed, owner FROM lstm.models ORDER BY name, version;

-- what the stored source names is what its owner meant, whoever puts a table in the way
SET ROLE regress_lstm_alice;
SET search_path = alice, public;
CREATE TABLE alice.mine AS SELECT i, i AS y FROM generate_series(1, 30) i;
SELECT train('path', 'mine');
SET search_path = public;
SELECT count(*) FROM lstm.forecast('path');
RESET search_path;
RESET ROLE;

-- a superuser does not run what others have written
CREATE FUNCTION alice.trap() RETURNS float8 LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE 'ALTER ROLE regress_lstm_alice SUPERUSER';
	RETURN 1;
EXCEPTION WHEN insufficient_privilege THEN
	RETURN 1;
END $$;
SET ROLE regress_lstm_alice;
SELECT train('trap', 'SELECT i, y + alice.trap() AS y FROM alice.mine');
RESET ROLE;
SET ROLE regress_lstm_root;
SELECT query || E'\n  ' || error_of(query) FROM (VALUES
	($$SELECT * FROM lstm.forecast('trap')$$),
	($$SELECT * FROM lstm.hindcast('trap')$$),
	($$SELECT * FROM lstm.evaluate('trap')$$),
	($$SELECT lstm.plot_forecast('trap')$$),
	($$SELECT * FROM lstm.forecast('trap', source => 'alice.mine')$$)) AS v(query);
RESET ROLE;
SELECT rolsuper FROM pg_roles WHERE rolname = 'regress_lstm_alice';

-- nor does the owner of the registry's tables, who sees the models of all roles
BEGIN;
ALTER TABLE lstm.models OWNER TO regress_lstm_bob;
ALTER TABLE lstm.model_values OWNER TO regress_lstm_bob;
SET LOCAL ROLE regress_lstm_bob;
SELECT error_of($$SELECT * FROM lstm.forecast('m')$$), count(*) > 0 AS forecasts_a_source
FROM lstm.forecast('rls', source => 'secret');
ROLLBACK;

-- the caller's rows of the future are read under the caller's search_path
CREATE TABLE coming AS SELECT i, i AS f FROM generate_series(31, 33) i;
GRANT SELECT ON coming TO regress_lstm_alice;
SET ROLE regress_lstm_alice;
CREATE TABLE alice.coming AS SELECT i, NULL::int AS f FROM generate_series(31, 33) i;
SET search_path = alice, public;
SELECT version FROM lstm.train('coming', 'SELECT i, y, i AS f FROM mine WHERE i < 31', 'y', 'i',
	future_covariates => 'f', context => 6, options => '{"units": 2, "epochs": 1}');
SET search_path = public;
SELECT count(*) FROM lstm.forecast('coming', future => 'coming');
RESET search_path;
RESET ROLE;
DROP TABLE coming;

-- a stored source writes nothing, not even for its owner
SET ROLE regress_lstm_alice;
CREATE FUNCTION alice.writes() RETURNS float8 LANGUAGE sql VOLATILE AS 'INSERT INTO alice.mine VALUES (99, 99); SELECT 1.0::float8';
SELECT error_of($$SELECT train('writes', 'SELECT i, y + alice.writes() AS y FROM alice.mine WHERE i < 31')$$);
SELECT error_of($$SELECT * FROM lstm.forecast('writes')$$);
RESET ROLE;

-- the registry's tables are tables: what is revoked cannot be done
BEGIN;
REVOKE INSERT ON lstm.models, lstm.model_values FROM PUBLIC;
SET LOCAL ROLE regress_lstm_alice;
SELECT error_of($$SELECT train('m', 'alice.mine')$$), count(*) > 0 AS still_forecasts FROM lstm.forecast('m');
RESET ROLE;
REVOKE ALL ON lstm.models, lstm.model_values FROM PUBLIC;
SET LOCAL ROLE regress_lstm_alice;
SELECT error_of($$SELECT * FROM lstm.forecast('m')$$), error_of($$SELECT lstm.describe('m')$$), error_of($$SELECT lstm.drop_model('m')$$);
ROLLBACK;

\pset format aligned
\pset tuples_only off
SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
DROP FUNCTION train, error_of;
DROP VIEW window_view;
DROP TABLE secret;
DROP OWNED BY regress_lstm_alice, regress_lstm_bob, regress_lstm_root CASCADE;
DROP SCHEMA IF EXISTS alice CASCADE;
DROP ROLE regress_lstm_alice, regress_lstm_bob, regress_lstm_root;
