-- lineage.sql
--		What a version says of how it came to be.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
SET TimeZone = 'Europe/Dublin';
CREATE ROLE regress_lstm_alice;
CREATE TABLE waves AS SELECT '2024-03-30'::timestamptz + i * interval '1 hour' AS t, s, 10 * (s = 'b')::int + sin(i * 0.3) AS y,
	CASE WHEN s = 'a' THEN 'town' ELSE 'field' END AS kind
FROM generate_series(0, 199) i, unnest(ARRAY['a', 'b']) s;
CREATE FUNCTION sha(source text, options jsonb DEFAULT '{}', target text DEFAULT 'y', statics text DEFAULT 'kind') RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM lstm.train('m', source, target, 't', 's', context => 6, past_covariates => '', static_covariates => statics,
		options => '{"units": 2, "epochs": 1}' || options);
	RETURN (SELECT data->>'sha256' FROM lstm.models WHERE name = 'm' ORDER BY version DESC LIMIT 1);
END $$;

-- the row
SELECT sha('waves') ~ '^[0-9a-f]{64}$' AS digest;
SELECT arguments, data - 'sha256' AS data, extension_version = lstm.version() AS version, seconds > 0 AND seconds < 60 AS seconds,
	deployed_at = trained_at AS deployed, warm_from, trained_by = current_user AS mine FROM lstm.models;
SELECT lstm.describe('m')->'lineage' = (SELECT jsonb_build_object('arguments', arguments, 'data', data, 'extension_version', extension_version,
	'seconds', seconds, 'deployed_at', deployed_at, 'warm_from', warm_from, 'trained_by', trained_by) FROM lstm.models) AS described;
-- the call can be made again, and gives the same bits
SELECT again.version FROM lstm.models, lstm.train(arguments->>'model', arguments->>'source', arguments->>'target', arguments->>'time_column', arguments->>'series',
	context => (arguments->>'context')::int, past_covariates => arguments->>'past_covariates', static_covariates => arguments->>'static_covariates',
	options => arguments->'options') again;
SELECT count(DISTINCT md5(model::bytea)) AS models, count(DISTINCT data->>'sha256') AS digests FROM lstm.models JOIN lstm.model_values USING (name, version);

-- equal rows, in any order, under any options, from any zone, with unknown rows written or not
CREATE TABLE told AS SELECT sha('waves') AS sha;
SELECT sha('SELECT * FROM waves ORDER BY md5(t::text || s)') = sha AS ordered, sha('waves', '{"calendar": ["hour"], "season": 3, "scaling": "minmax"}') = sha AS options,
	sha('SELECT * FROM waves UNION ALL SELECT ''2024-01-01 00:00+00'', ''a'', NULL, NULL') = sha AS more_unknown,
	sha('SELECT t, s, y + 0.0 AS y, kind FROM waves') = sha AS zero FROM told;
SET TimeZone = 'Asia/Tokyo';
SELECT sha('waves') = sha AS zone FROM told;
SET TimeZone = 'Europe/Dublin';
SET max_parallel_maintenance_workers = 0;
SELECT sha('waves') = sha AS alone FROM told;
RESET max_parallel_maintenance_workers;
-- other rows: a value, a last bit, a time, a name, a word, one row less, a column's name
SELECT sha('SELECT t, s, CASE WHEN y = (SELECT max(y) FROM waves) THEN y + 1 ELSE y END AS y, kind FROM waves') <> sha AS value,
	sha('SELECT t, s, y * (1 + 2.0 ^ -52) AS y, kind FROM waves') <> sha AS bit, sha('SELECT t + interval ''1 hour'' AS t, s, y, kind FROM waves') <> sha AS time,
	sha('SELECT t, s || ''x'' AS s, y, kind FROM waves') <> sha AS name, sha('SELECT t, s, y, kind || ''x'' AS kind FROM waves') <> sha AS word,
	sha('SELECT * FROM waves ORDER BY t LIMIT 399') <> sha AS row, sha('SELECT t, s, y AS z, kind FROM waves', target => 'z') <> sha AS col FROM told;
-- zeros of both signs are one number
SELECT sha('SELECT t, s, CASE WHEN y < 0 THEN 0.0 ELSE y END AS y, kind FROM waves') = sha('SELECT t, s, CASE WHEN y < 0 THEN -0.0::float8 ELSE y END AS y, kind FROM waves') AS zeros;

-- dates, integers, and models that no query made
SELECT version FROM lstm.train('days', 'SELECT date ''2024-01-01'' + i AS d, i % 7 AS y FROM generate_series(1, 60) i', context => 4, options => '{"units": 2, "epochs": 1, "deploy": false}');
SELECT version FROM lstm.train('steps', 'SELECT i * 5 AS i, i % 7 + 0.0 AS y FROM generate_series(-10, 60) i', 'y', 'i', context => 4, options => '{"units": 2, "epochs": 1}');
SELECT version FROM lstm.train('steps', 'SELECT i * 5 AS i, i % 7 + 0.0 AS y FROM generate_series(-10, 61) i', 'y', 'i', context => 4, options => '{"units": 2, "epochs": 1}');
SELECT name, version, data - 'sha256' AS data, deployed, deployed_at IS NOT NULL AS was_deployed FROM lstm.models WHERE name <> 'm' ORDER BY 1, 2;
SELECT version FROM lstm.train('steps2', 'SELECT i * 5 AS i, i % 5 + 0.0 AS y FROM generate_series(-10, 31) i', 'y', 'i', context => 4, options => '{"units": 2, "epochs": 1}');
SELECT version FROM lstm.join_models('joint', 'steps', 'steps2', source => 'SELECT i * 5 AS i, i % 7 + 0.0 AS y FROM generate_series(-10, 100) i');
SELECT arguments, data, extension_version = lstm.version() AS version, seconds, deployed_at IS NOT NULL AS deployed, trained_by = current_user AS mine FROM lstm.models WHERE name = 'joint';

-- a version that was never deployed is passed over
SELECT version FROM lstm.train('steps', 'SELECT i * 5 AS i, i % 7 + 0.0 AS y FROM generate_series(-10, 61) i', 'y', 'i', context => 4, options => '{"units": 2, "epochs": 1, "deploy": false}');
SELECT version FROM lstm.train('steps', 'SELECT i * 5 AS i, i % 7 + 0.0 AS y FROM generate_series(-10, 61) i', 'y', 'i', context => 4, options => '{"units": 2, "epochs": 1}');
SELECT lstm.rollback('steps');
SELECT lstm.rollback('steps');
SELECT lstm.rollback('steps');
SELECT version, deployed FROM lstm.models WHERE name = 'steps' ORDER BY 1;

-- nobody rewrites it
SET ROLE regress_lstm_alice;
SELECT version FROM lstm.train('alices', 'SELECT i, i % 7 + 0.0 AS y FROM generate_series(1, 60) i', 'y', 'i', context => 4, options => '{"units": 2, "epochs": 1}');
UPDATE lstm.models SET arguments = '{}' WHERE name = 'alices';
UPDATE lstm.models SET data = '{}' WHERE name = 'alices';
UPDATE lstm.models SET trained_by = 'postgres' WHERE name = 'alices';
RESET ROLE;
SELECT owner, trained_by FROM lstm.models WHERE name = 'alices';
SELECT lstm.drop_model('alices');
DROP ROLE regress_lstm_alice;

SELECT col_description('lstm.models'::regclass, attnum) IS NOT NULL AS described, count(*) FROM pg_attribute
WHERE attrelid = 'lstm.models'::regclass AND attnum > 0 AND NOT attisdropped GROUP BY 1;

\set ECHO none
\i test/sql/clean.inc
