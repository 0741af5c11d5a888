-- grants.sql
--		lstm.grant_model and lstm.revoke_model: who sees, uses, retrains and drops another's model.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
CREATE ROLE regress_lstm_owner;
CREATE ROLE regress_lstm_member IN ROLE regress_lstm_owner;
CREATE ROLE regress_lstm_grantee;
CREATE ROLE regress_lstm_team;
CREATE ROLE regress_lstm_mate IN ROLE regress_lstm_team;
CREATE ROLE regress_lstm_distant NOINHERIT IN ROLE regress_lstm_team;
CREATE ROLE regress_lstm_stranger;
CREATE ROLE regress_lstm_bypass BYPASSRLS;
CREATE ROLE regress_lstm_reader IN ROLE pg_read_server_files;
CREATE ROLE regress_lstm_root SUPERUSER;
CREATE SCHEMA house AUTHORIZATION regress_lstm_owner;
GRANT USAGE ON SCHEMA house TO PUBLIC;
CREATE TABLE house.waves AS SELECT i, p.place, p.level + sin(i * 0.4) AS y
	FROM generate_series(1, 60) i, (VALUES ('a', 0), ('b', 100)) p (place, level);
CREATE TABLE house.later AS SELECT i, p.place, p.level + sin(i * 0.4) AS y
	FROM generate_series(1, 120) i, (VALUES ('a', 0), ('b', 100)) p (place, level);
GRANT SELECT ON house.waves, house.later TO PUBLIC;
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n  ', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
CREATE FUNCTION train(model text, source text, more jsonb DEFAULT '{}') RETURNS int LANGUAGE sql AS $$
	SELECT version FROM lstm.train(model, source, 'y', 'i', series => 'place', context => 6,
		options => '{"units": 2, "epochs": 1}' || more);
$$;
CREATE FUNCTION as_role(role text, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
	PERFORM set_config('role', role, true);
	EXECUTE query INTO result;
	RESET ROLE;
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ': ' || SQLERRM;
END $$;
\pset format unaligned
\pset tuples_only on

SET ROLE regress_lstm_owner;
SELECT train('waves', 'house.waves'), train('waves', 'house.waves', '{"deploy": false}'), train('other', 'house.waves');

-- arguments, and who may grant
SELECT query || E'\n  ' || error_of(query) FROM (VALUES
	($$SELECT lstm.grant_model(NULL, 'regress_lstm_grantee')$$),
	($$SELECT lstm.grant_model('waves', NULL)$$),
	($$SELECT lstm.grant_model('waves', 'regress_lstm_grantee', NULL)$$),
	($$SELECT lstm.grant_model('wave', 'regress_lstm_grantee')$$),
	($$SELECT lstm.grant_model('', 'regress_lstm_grantee')$$),
	($$SELECT lstm.grant_model('waves', 'regress_lstm_nobody')$$),
	($$SELECT lstm.grant_model('waves', '')$$),
	($$SELECT lstm.grant_model('waves', '"regress_lstm_grantee"')$$),
	($$SELECT lstm.grant_model('waves', 'regress_lstm_grantee', 'select')$$),
	($$SELECT lstm.grant_model('waves', 'regress_lstm_grantee', 'USE')$$),
	($$SELECT lstm.revoke_model(NULL, 'regress_lstm_grantee')$$),
	($$SELECT lstm.revoke_model('waves', NULL)$$),
	($$SELECT lstm.revoke_model('wave', 'regress_lstm_grantee')$$),
	($$SELECT lstm.revoke_model('waves', 'regress_lstm_nobody')$$),
	($$SELECT lstm.revoke_model('waves', 'regress_lstm_grantee', 'all')$$),
	($$INSERT INTO lstm.model_grants (model, owner, grantee, action, grantor) VALUES ('waves', CURRENT_USER, 'public', 'use', CURRENT_USER)$$),
	($$SELECT lstm.model_grants_guard()$$)) AS v (query);
SET ROLE regress_lstm_stranger;
SELECT error_of($$SELECT lstm.grant_model('waves', 'regress_lstm_stranger')$$);
SET ROLE regress_lstm_bypass;
SELECT error_of($$SELECT lstm.grant_model('waves', 'regress_lstm_bypass')$$), count(*) AS rows_seen FROM lstm.models;

-- a member of the owner grants; a second time changes nothing
SET ROLE regress_lstm_member;
SELECT lstm.grant_model('waves', 'regress_lstm_grantee'), lstm.grant_model('waves', 'regress_lstm_team', 'retrain');
SELECT granted_at AS first FROM lstm.model_grants WHERE grantee = 'regress_lstm_grantee' \gset
SELECT lstm.grant_model('waves', 'regress_lstm_grantee', 'use');
SELECT model, owner, grantee, action, grantor, granted_at = :'first' OR action <> 'use' AS unchanged FROM lstm.model_grants ORDER BY grantee;

-- who sees what
RESET ROLE;
SELECT role || ' ' || as_role(role, $$SELECT concat((SELECT count(*) FROM lstm.models), ' models, ', (SELECT count(*) FROM lstm.model_values),
	' values, ', (SELECT count(*) FROM lstm.model_grants), ' grants')$$)
FROM (VALUES ('regress_lstm_owner'), ('regress_lstm_member'), ('regress_lstm_grantee'), ('regress_lstm_team'), ('regress_lstm_mate'),
	('regress_lstm_distant'), ('regress_lstm_stranger')) AS v (role);

-- use: everything that reads, nothing that writes
SET ROLE regress_lstm_grantee;
SELECT count(*) FROM lstm.forecast('waves');
SELECT count(*) > 0 FROM lstm.hindcast('waves');
SELECT count(*) FROM lstm.evaluate('waves');
SELECT lstm.describe('waves')->>'owner';
SELECT query || E'\n  ' || error_of(query) FROM (VALUES
	($$SELECT lstm.deploy('waves', 2)$$),
	($$SELECT lstm.rollback('waves')$$),
	($$SELECT lstm.drop_model('waves')$$),
	($$SELECT lstm.drop_model('waves', 1)$$),
	($$SELECT lstm.rename_model('waves', 'mine')$$),
	($$SELECT lstm.grant_model('waves', 'regress_lstm_stranger')$$),
	($$SELECT lstm.revoke_model('waves', 'regress_lstm_grantee')$$),
	($$SELECT train('waves', 'house.waves')$$),
	($$INSERT INTO lstm.models (name, version) VALUES ('waves', 3)$$),
	($$INSERT INTO lstm.models (name, version, owner) VALUES ('waves', 3, 'regress_lstm_owner')$$),
	($$INSERT INTO lstm.model_values SELECT name, 4, model FROM lstm.model_values$$),
	($$UPDATE lstm.models SET source = 'SELECT 1'$$),
	($$UPDATE lstm.model_values SET version = 9$$),
	($$DELETE FROM lstm.model_values$$),
	($$DELETE FROM lstm.model_grants$$)) AS v (query);
UPDATE lstm.models SET deployed = false;
DELETE FROM lstm.models;
SELECT count(*) FROM (SELECT FROM lstm.models FOR UPDATE) m;
SELECT name, version, deployed FROM lstm.models ORDER BY 1, 2;

-- retrain: deployment moves, for members of the grantee too; no version of one's own
SET ROLE regress_lstm_mate;
SELECT lstm.deploy('waves', 2), lstm.deploy('waves', 1);
SELECT query || E'\n  ' || error_of(query) FROM (VALUES
	($$SELECT lstm.deploy('waves', 3)$$),
	($$SELECT train('waves', 'house.waves')$$),
	($$SELECT lstm.drop_model('waves', 2)$$),
	($$SELECT lstm.rename_model('waves', 'mine')$$)) AS v (query);
SELECT owner, count(*) FROM lstm.models GROUP BY owner;

-- drop
SET ROLE regress_lstm_owner;
SELECT train('waves', 'house.waves');
SELECT lstm.grant_model('waves', 'regress_lstm_grantee', 'drop');
SET ROLE regress_lstm_grantee;
SELECT lstm.drop_model('waves', 3);
SELECT version, deployed FROM lstm.models WHERE name = 'waves' ORDER BY 1;
SELECT error_of($$SELECT lstm.deploy('waves', 1)$$);

-- taken back
SET ROLE regress_lstm_owner;
SET client_min_messages = notice;
SELECT lstm.revoke_model('waves', 'regress_lstm_grantee', 'use');
SELECT lstm.revoke_model('waves', 'regress_lstm_grantee', 'use');
SELECT lstm.revoke_model('waves', 'regress_lstm_grantee');
SELECT lstm.revoke_model('waves', 'regress_lstm_grantee');
SELECT lstm.revoke_model('waves', 'regress_lstm_team', 'retrain');
SET client_min_messages = error;
SELECT count(*) FROM lstm.model_grants;
SET ROLE regress_lstm_grantee;
SELECT error_of($$SELECT count(*) FROM lstm.forecast('waves')$$);

-- everybody
SET ROLE regress_lstm_owner;
SELECT lstm.grant_model('waves', 'public');
SELECT grantee, grantee_oid FROM lstm.model_grants;
SET ROLE regress_lstm_stranger;
SELECT count(*) FROM lstm.forecast('waves');
SELECT name FROM lstm.models GROUP BY name;

-- a stored source runs with the user's rights, never with a superuser's or those of who reads the server's files
SET ROLE regress_lstm_root;
SELECT error_of($$SELECT count(*) FROM lstm.forecast('waves')$$);
SET ROLE regress_lstm_reader;
SELECT error_of($$SELECT count(*) FROM lstm.forecast('waves')$$), count(*) FROM lstm.forecast('waves', source => 'house.waves');
SELECT error_of($$SELECT count(*) FROM lstm.forecast('other')$$);
SET ROLE regress_lstm_bypass;
SELECT count(*) FROM lstm.forecast('waves');
SELECT error_of($$SELECT count(*) FROM lstm.forecast('other')$$);

-- and changes nothing of who runs it
SET ROLE regress_lstm_owner;
CREATE FUNCTION house.trap() RETURNS float8 LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('search_path', 'house', false), set_config('lstm.max_memory', '1GB', false);
	RETURN 0;
END $$;
CREATE FUNCTION house.become() RETURNS float8 LANGUAGE plpgsql AS $$
BEGIN
	IF CURRENT_USER <> 'regress_lstm_owner' THEN
		PERFORM set_config('role', 'regress_lstm_team', false);
	END IF;
	RETURN 0;
END $$;
CREATE FUNCTION house.leave() RETURNS float8 LANGUAGE plpgsql AS $$
BEGIN
	IF CURRENT_USER <> 'regress_lstm_owner' THEN
		CREATE TEMP TABLE waves AS SELECT 1;
	END IF;
	RETURN 0;
END $$;
CREATE TABLE house.log (who name);
GRANT INSERT ON house.log TO PUBLIC;
CREATE FUNCTION house.writes() RETURNS float8 LANGUAGE plpgsql AS $$
BEGIN
	IF CURRENT_USER <> 'regress_lstm_owner' THEN
		INSERT INTO house.log VALUES (CURRENT_USER);
	END IF;
	RETURN 0;
END $$;
SELECT name, train(name, format('SELECT i, place, y + house.%s() AS y FROM house.waves', name)),
	lstm.grant_model(name, 'regress_lstm_mate') FROM (VALUES ('trap'), ('become'), ('leave'), ('writes')) AS v (name);
SET ROLE regress_lstm_mate;
SET search_path = public;
SET lstm.max_memory = '512MB';
SELECT count(*) FROM lstm.forecast('trap');
SHOW search_path;
SHOW lstm.max_memory;
SELECT error_of($$SELECT count(*) FROM lstm.forecast('become')$$);
SELECT error_of($$SELECT count(*) FROM lstm.forecast('leave')$$);
SELECT error_of($$SELECT count(*) FROM lstm.forecast('writes')$$);
SELECT CURRENT_USER;
RESET lstm.max_memory;
RESET search_path;

-- rows that a policy hides stay hidden
RESET ROLE;
ALTER TABLE house.waves ENABLE ROW LEVEL SECURITY;
CREATE POLICY half ON house.waves USING (place = 'a' OR CURRENT_USER = 'regress_lstm_owner');
SET ROLE regress_lstm_owner;
SELECT string_agg(DISTINCT series, ' ') FROM lstm.forecast('waves');
SET ROLE regress_lstm_stranger;
SELECT string_agg(DISTINCT series, ' ') FROM lstm.forecast('waves');
SELECT string_agg(DISTINCT series, ' ') FROM lstm.hindcast('waves');

-- joint models give nobody anything: the members are asked one by one
SET ROLE regress_lstm_owner;
SELECT version > 0 FROM lstm.join_models('pair', 'waves', 'other', source => 'house.later');
SELECT lstm.grant_model('pair', 'regress_lstm_grantee', 'drop');
SET ROLE regress_lstm_grantee;
SELECT error_of($$SELECT count(*) FROM lstm.forecast('pair')$$);
SET ROLE regress_lstm_owner;
SELECT lstm.grant_model('other', 'regress_lstm_grantee', 'drop');
SET ROLE regress_lstm_grantee;
SELECT count(*) FROM lstm.forecast('pair');
SELECT error_of($$SELECT lstm.drop_model('other')$$);
SELECT version > 0 FROM lstm.join_models('own pair', 'waves', 'other', source => 'house.later');
SELECT count(*) FROM lstm.forecast('own pair');
SELECT lstm.drop_model('pair'), lstm.drop_model('other');
SELECT error_of($$SELECT count(*) FROM lstm.forecast('own pair')$$);
SELECT lstm.drop_model('own pair');

-- grants follow a renamed model and go with its last version
SET ROLE regress_lstm_owner;
SELECT model, grantee, action FROM lstm.model_grants WHERE model IN ('pair', 'other');
SELECT lstm.grant_model('waves', 'regress_lstm_grantee', 'retrain'), lstm.rename_model('waves', 'tides');
SELECT model, grantee, action FROM lstm.model_grants WHERE model IN ('waves', 'tides') ORDER BY 2;
SELECT lstm.drop_model('tides', 2);
SELECT count(*) FROM lstm.model_grants WHERE model = 'tides';
UPDATE lstm.models SET name = 'waves' WHERE name = 'tides';
SELECT count(*) FROM lstm.model_grants WHERE model = 'waves';
SELECT lstm.drop_model('waves');
SELECT count(*) FROM lstm.model_grants WHERE model = 'waves';
SELECT train('waves', 'house.waves');
SET ROLE regress_lstm_grantee;
SELECT count(*) FROM lstm.models WHERE name = 'waves';

-- a grant counts only while the model has the owner who gave it
SET ROLE regress_lstm_owner;
SELECT lstm.grant_model('waves', 'regress_lstm_grantee', 'drop'), lstm.grant_model('waves', 'public');
RESET ROLE;
BEGIN;
UPDATE lstm.models SET owner = 'regress_lstm_team' WHERE name = 'waves';
SET LOCAL ROLE regress_lstm_grantee;
SELECT count(*) FROM lstm.models WHERE name = 'waves';
SELECT error_of($$SELECT lstm.drop_model('waves')$$), error_of($$SELECT count(*) FROM lstm.forecast('waves', 1)$$);
-- the new owner gives anew, in place of the old row
SET LOCAL ROLE regress_lstm_team;
SELECT lstm.grant_model('waves', 'regress_lstm_grantee', 'drop');
SELECT owner, grantee, action, grantor FROM lstm.model_grants WHERE model = 'waves' ORDER BY grantee;
SET LOCAL ROLE regress_lstm_grantee;
SELECT count(*) FROM lstm.models WHERE name = 'waves';
ROLLBACK;
-- an owner who is gone grants nothing
BEGIN;
UPDATE lstm.models SET owner = 'regress_lstm_gone' WHERE name = 'waves';
UPDATE lstm.model_grants SET owner = 'regress_lstm_gone' WHERE model = 'waves';
SET LOCAL ROLE regress_lstm_grantee;
SELECT count(*) FROM lstm.models WHERE name = 'waves';
SELECT error_of($$SELECT lstm.drop_model('waves')$$);
ROLLBACK;
-- versions of several roles, which only the tables' owner can make, are no grantee's to change
BEGIN;
INSERT INTO lstm.models (name, version, owner) VALUES ('waves', 7, 'regress_lstm_team');
SET LOCAL ROLE regress_lstm_grantee;
SELECT error_of($$SELECT lstm.drop_model('waves')$$);
ROLLBACK;

-- a role that is dropped and made anew, or renamed, is another
SET ROLE regress_lstm_owner;
SELECT lstm.revoke_model('waves', 'public');
RESET ROLE;
DROP ROLE regress_lstm_grantee;
CREATE ROLE regress_lstm_grantee;
SET ROLE regress_lstm_grantee;
SELECT count(*) FROM lstm.models WHERE name = 'waves';
SELECT count(*) FROM lstm.model_grants WHERE model = 'waves';
SELECT error_of($$SELECT lstm.drop_model('waves')$$);
RESET ROLE;
-- nor does renaming the model revive the grant
SELECT lstm.rename_model('waves', 'tides');
SET ROLE regress_lstm_grantee;
SELECT count(*) FROM lstm.models WHERE name = 'tides';
SET ROLE regress_lstm_owner;
SELECT lstm.rename_model('tides', 'waves'), lstm.grant_model('waves', 'regress_lstm_grantee', 'drop');
SET ROLE regress_lstm_grantee;
SELECT count(*) FROM lstm.models WHERE name = 'waves';
RESET ROLE;
ALTER ROLE regress_lstm_grantee RENAME TO regress_lstm_renamed;
SET ROLE regress_lstm_renamed;
SELECT count(*) FROM lstm.models WHERE name = 'waves';
RESET ROLE;
ALTER ROLE regress_lstm_renamed RENAME TO regress_lstm_grantee;
-- what is left of a dropped role can be taken back
SET ROLE regress_lstm_owner;
SELECT lstm.grant_model('waves', 'regress_lstm_stranger');
RESET ROLE;
DROP ROLE regress_lstm_stranger;
SET ROLE regress_lstm_owner;
SELECT lstm.revoke_model('waves', 'regress_lstm_stranger');
SELECT error_of($$SELECT lstm.revoke_model('waves', 'regress_lstm_stranger')$$);

-- a superuser's name in tables of somebody else is not believed, grant or not
RESET ROLE;
BEGIN;
GRANT USAGE, CREATE ON SCHEMA lstm TO regress_lstm_team;
ALTER TABLE lstm.models OWNER TO regress_lstm_team;
ALTER TABLE lstm.model_values OWNER TO regress_lstm_team;
ALTER TABLE lstm.model_grants OWNER TO regress_lstm_team;
SET LOCAL ROLE regress_lstm_team;
UPDATE lstm.models SET owner = 'regress_lstm_root' WHERE name = 'trap';
UPDATE lstm.model_grants SET owner = 'regress_lstm_root', grantee = 'public' WHERE model = 'trap';
SET LOCAL ROLE regress_lstm_mate;
SELECT error_of($$SELECT count(*) FROM lstm.forecast('trap')$$);
SET LOCAL ROLE regress_lstm_root;
SELECT error_of($$SELECT count(*) FROM lstm.forecast('trap')$$);
ROLLBACK;

\pset format aligned
\pset tuples_only off
SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
SELECT count(*) FROM lstm.model_grants;
DROP FUNCTION train, error_of, as_role;
DROP SCHEMA house CASCADE;
DROP OWNED BY regress_lstm_owner, regress_lstm_grantee, regress_lstm_team, regress_lstm_root CASCADE;
DROP ROLE regress_lstm_owner, regress_lstm_member, regress_lstm_grantee, regress_lstm_team, regress_lstm_mate, regress_lstm_distant,
	regress_lstm_bypass, regress_lstm_reader, regress_lstm_root;
