-- registry.sql
--		Models as rows: versions, deployment, names, privileges, looking at them.

SET client_min_messages = warning;
CREATE ROLE regress_lstm_alice;
CREATE ROLE regress_lstm_bob;
CREATE ROLE regress_lstm_team;
GRANT regress_lstm_team TO regress_lstm_bob;
CREATE TABLE sine AS SELECT t, sin(t / 4.0) AS y FROM generate_series(1, 120) t;
GRANT SELECT ON sine TO PUBLIC;
CREATE FUNCTION train_sine(model text, deploy bool DEFAULT true, seed int DEFAULT 1) RETURNS int
LANGUAGE sql AS $$
	SELECT version FROM lstm.train(model, 'public.sine', time_column => 't', context => 8,
		options => jsonb_build_object('units', 4, 'epochs', 2, 'season', 1, 'seed', seed, 'deploy', deploy))
$$;
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
\set VERBOSITY terse
RESET client_min_messages;

-- everything has a comment
SELECT pg_describe_object(d.classid, d.objid, d.objsubid)
FROM pg_depend d JOIN pg_extension e ON d.refobjid = e.oid AND d.refclassid = 'pg_extension'::regclass
WHERE e.extname = 'lstm' AND d.deptype = 'e' AND obj_description(d.objid, d.classid::regclass::text) IS NULL
	AND NOT EXISTS (SELECT FROM pg_type t WHERE d.classid = 'pg_type'::regclass AND t.oid = d.objid
		AND (t.typelem <> 0 OR t.typrelid <> 0));	-- arrays and rows, members from 17 on
SELECT attrelid::regclass, attname FROM pg_attribute
WHERE attrelid IN ('lstm.models'::regclass, 'lstm.model_values'::regclass) AND attnum > 0
	AND col_description(attrelid, attnum) IS NULL;

-- versions
SET ROLE regress_lstm_alice;
SELECT train_sine('sine'), train_sine('sine', seed => 2), train_sine('sine', deploy => false);
SELECT name, version, deployed, owner, source, rows FROM lstm.models ORDER BY version;
SELECT name, version, length(model::bytea) > 100 AS has_bytes FROM lstm.model_values ORDER BY version;
SELECT lstm.describe('sine')->'version' AS deployed, lstm.describe('sine', 3)->'version' AS third,
	lstm.describe('sine')->'versions' AS versions, lstm.describe('sine')->'owner' AS owner;
SELECT lstm.rollback('sine');
SELECT version FROM lstm.models WHERE deployed;
SELECT lstm.deploy('sine', 3);
SELECT version FROM lstm.models WHERE deployed;
SELECT lstm.drop_model('sine', 3);
SELECT version, deployed FROM lstm.models ORDER BY version;

-- equal data, options and seed give equal bytes; another seed does not
SELECT train_sine('sine', deploy => false);
SELECT count(DISTINCT md5(model::bytea)) FROM lstm.model_values;
SELECT lstm.drop_model('sine', 3);

-- looking at models
SELECT * FROM lstm.layers('sine') ORDER BY position;
SELECT name, shape, array_length("values", 1) AS count FROM lstm.tensors('sine') ORDER BY name;
SELECT epoch, loss > 0 AS loss, validation_loss > 0 AS validation_loss, learning_rate::numeric,
	gradient_norm > 0 AS gradient_norm
FROM lstm.training_log('sine') ORDER BY epoch;
SELECT jsonb_pretty(lstm.describe('sine') - '{bytes,layers,lineage,trained_at,time_zone,metrics,report,options,members,interval}'::text[]);
SELECT jsonb_array_length(d->'members') AS members, d->'members'->0->>'name' AS name, d->'members'->0->'weight' AS weight, (d->'members'->0->>'mae')::float8 > 0 AS mae,
	d->'interval'->'steps' AS steps, d->'interval'->'source' AS source
FROM lstm.describe('sine') d;
SELECT jsonb_object_keys(lstm.describe('sine')->'report') AS report;
SELECT lstm.plot_forecast('sine')::text LIKE '<svg %<title>sine: next 1 step</title>%</svg>' AS is_svg;

-- the type
SELECT model::text::lstm.model::bytea = model::bytea AS by_text,
	model::bytea::lstm.model::bytea = model::bytea AS by_cast,
	lstm.model_send(model) = model::bytea AS by_send
FROM lstm.model_values WHERE version = 1;
SELECT left(error_of(query), 5) AS sqlstate, query FROM (VALUES
	($$SELECT '\x00'::bytea::lstm.model$$),
	($$SELECT ''::lstm.model$$),
	($$SELECT substr(model::bytea, 1, 200)::lstm.model FROM lstm.model_values WHERE version = 1$$),
	($$SELECT (model::bytea || '\x00')::lstm.model FROM lstm.model_values WHERE version = 1$$)) AS v(query);

-- versions are immutable, rows their owner's
UPDATE lstm.models SET source = 'SELECT 1';
UPDATE lstm.models SET owner = 'regress_lstm_bob';
UPDATE lstm.model_values SET version = version + 10;
DELETE FROM lstm.model_values;
INSERT INTO lstm.models (name, version, owner) VALUES ('forged', 1, 'regress_lstm_bob');

-- mistakes
SELECT query, error_of('SELECT lstm.' || query) FROM (VALUES
	($$deploy(NULL, 1)$$),
	($$deploy('sine', NULL)$$),
	($$rollback(NULL)$$),
	($$drop_model(NULL)$$),
	($$rename_model(NULL, 'x')$$),
	($$rename_model('sine', NULL)$$),
	($$describe(NULL)$$),
	($$layers(NULL)$$),
	($$tensors(NULL)$$),
	($$training_log(NULL)$$),
	($$plot_forecast(NULL)$$),
	($$deploy('sime', 1)$$),
	($$deploy('sine', 9)$$),
	($$describe('sine', 9)$$),
	($$describe('sine', 0)$$),
	($$drop_model('sine', 9)$$),
	($$drop_model('nothing')$$),
	($$rollback('nothing')$$),
	($$rename_model('nothing', 'x')$$),
	($$rename_model('sine', 'sine')$$),
	($$rename_model('sine', '')$$),
	($$rename_model('sine', repeat('x', 64))$$),
	($$rename_model('sine', E'a\nb')$$),
	($$plot_forecast('sine', series => 'x')$$),
	($$plot_forecast('sine', target => 'yy')$$),
	($$plot_forecast('sine', history => 0)$$)) AS v(query);
SELECT lstm.deploy('sine', 1);
SELECT error_of($$SELECT lstm.rollback('sine')$$);

-- others see nothing, and cannot take the name
SET ROLE regress_lstm_bob;
SELECT count(*) FROM lstm.models;
SELECT count(*) FROM lstm.model_values;
SELECT lstm.describe('sine');
SELECT lstm.deploy('sine', 1);
SELECT train_sine('sine');
INSERT INTO lstm.models (name, version) VALUES ('sine', 7);
SELECT train_sine('mine');
SELECT lstm.rename_model('mine', 'sine');
UPDATE lstm.models SET name = 'sine';
INSERT INTO lstm.model_values SELECT 'sine', 7, model FROM lstm.model_values;
SELECT lstm.rename_model('mine', 'yours');
SELECT name, version FROM lstm.models;
SELECT name, version FROM lstm.model_values;

-- members of the owner use a model; versions are added as the owner
SET ROLE regress_lstm_team;
SELECT train_sine('shared');
SET ROLE regress_lstm_bob;
SELECT name, owner FROM lstm.models ORDER BY name;
SELECT count(*) FROM lstm.forecast('shared');
SELECT error_of($$SELECT train_sine('shared')$$);
SELECT lstm.rename_model('shared', 'ours');

-- reading needs no writing
BEGIN READ ONLY;
SELECT lstm.describe('ours')->'version' AS version;
SELECT lstm.deploy('ours', 1);
ROLLBACK;

-- what is rolled back is gone
BEGIN;
SELECT train_sine('ours2');
ROLLBACK;
SELECT count(*) FROM lstm.models WHERE name = 'ours2';
RESET ROLE;

-- owners who are renamed or gone
ALTER ROLE regress_lstm_alice RENAME TO regress_lstm_alicia;
SET ROLE regress_lstm_alicia;
SELECT count(*) FROM lstm.models;
RESET ROLE;
UPDATE lstm.models SET owner = 'regress_lstm_alicia' WHERE owner = 'regress_lstm_alice';
SET ROLE regress_lstm_alicia;
SELECT count(*) FROM lstm.models;
RESET ROLE;
DROP ROLE regress_lstm_alicia;
SET ROLE regress_lstm_bob;
SELECT count(*) FROM lstm.models;
RESET ROLE;
SELECT lstm.describe('sine')->'owner' AS owner;

-- dropping the deployed version deploys the newest that remains
SELECT lstm.deploy('sine', 2);
SELECT lstm.drop_model('sine', 2);
SELECT lstm.drop_model('sine', 1);
SELECT lstm.drop_model('sine');
SELECT lstm.drop_model('ours'), lstm.drop_model('yours');
SELECT (SELECT count(*) FROM lstm.models), (SELECT count(*) FROM lstm.model_values);

DROP ROLE regress_lstm_bob, regress_lstm_team;
DROP FUNCTION train_sine, error_of;
DROP TABLE sine;
