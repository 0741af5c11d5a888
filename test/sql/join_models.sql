-- join_models.sql
--		Joint models: weights that were planted are found; missing members, rights, mistakes.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
CREATE ROLE regress_lstm_alice;
CREATE ROLE regress_lstm_bob;
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n  ', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;

-- Even numbers between -1 and 1 that are the same everywhere.
CREATE FUNCTION even(i int, which text) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
	SELECT ('x' || substr(md5(i::text || which), 1, 7))::bit(28)::int / 134217728.0 - 1
$$;
CREATE TABLE planted AS
	SELECT t, even(t, 'u') AS u, even(t, 'v') AS v, even(t, 'w') AS w,
		5 + even(t - 1, 'u') + even(t - 1, 'v') + even(t - 1, 'w') AS y FROM generate_series(1, 160) t;
CREATE TABLE negative AS TABLE planted;
CREATE FUNCTION train(model text, covariate text, options jsonb DEFAULT '{}') RETURNS int LANGUAGE sql AS $$
	SELECT version FROM lstm.train(model, 'SELECT * FROM planted WHERE t <= 160', 'y', 't', context => 4,
		past_covariates => covariate,
		options => '{"units": 4, "epochs": 25, "learning_rate": 0.03, "season": 1, "members": ["network"]}' || options)
$$;
SELECT train('a', 'u'), train('b', 'v'), train('c', 'w');

-- What comes is what the members say, mixed.
CREATE FUNCTION said(model text, source text) RETURNS float8 LANGUAGE sql AS $$
	SELECT forecast_value FROM lstm.forecast(model, source => source)
$$;
DO $$
BEGIN
	FOR i IN 161 .. 280 LOOP
		INSERT INTO planted VALUES (i, even(i, 'u'), even(i, 'v'), even(i, 'w'),
			0.3 * said('a', 'planted') + 0.7 * said('b', 'planted'));
		INSERT INTO negative VALUES (i, even(i, 'u'), even(i, 'v'), even(i, 'w'),
			0.5 * said('a', 'negative') + 0.5 * said('b', 'negative') - 0.6 * said('c', 'negative'));
	END LOOP;
END $$;

-- b is found, on rows that nobody was trained on
SELECT model, version, abs(b - 0.3) < 1e-3 AS b, weights->'a' = to_jsonb(b) AS a,
	abs((weights->>'b')::float8 - 0.7) < 1e-3 AS one_less_b, validation_mae < 1e-3 AS exact,
	(member_mae->>'a')::float8 > 0.05 AS a_alone, skill > 0.99 AS skill, rows
FROM lstm.join_models('j', 'a', 'b', source => 'planted', options => '{"to": 230}');
SELECT abs(b - 0.3) < 0.05 AS b, abs((weights->>'c')::float8) < 0.05 AS nothing_of_c
FROM lstm.join_models('j3', 'a', 'b', '{c}', 'planted', '{"to": 230, "deploy": false}');

-- later rows: the joint model beats each member
SELECT model, n, mae < 0.01 * least AS beats_both FROM (
	SELECT 'j' AS model, count(*) AS n, avg(abs(actual - forecast_value)) AS mae FROM lstm.hindcast('j') WHERE forecast_index > 230) j,
	(SELECT min(mae) AS least FROM (
		SELECT avg(abs(actual - forecast_value)) AS mae FROM lstm.hindcast('a', 'planted') WHERE forecast_index > 230 UNION ALL
		SELECT avg(abs(actual - forecast_value)) FROM lstm.hindcast('b', 'planted') WHERE forecast_index > 230) m) AS members;

-- a weight below 0: a third model corrects the two
SELECT abs(b - 0.5) < 1e-3 AS b, abs((weights->>'c')::float8 + 0.6) < 1e-3 AS c,
	abs((weights->>'a')::float8 + (weights->>'b')::float8 - 1) < 1e-12 AS whole
FROM lstm.join_models('n', 'a', 'b', '{c}', 'negative');
-- b stays between 0 and 1
SELECT b IN (0, 1) AS at_an_end, b + (weights->>'b')::float8 AS whole
FROM lstm.join_models('end', 'a', 'b', source => 'SELECT t, u, v, w, CASE WHEN t > 160 THEN y + 9 ELSE y END AS y FROM planted');
SELECT lstm.drop_model('end');

-- the same functions
SELECT count(*) AS rows, min(step) AS step, min(forecast_index) AS next,
	bool_and(abs(forecast_value - 0.3 * said('a', 'planted') - 0.7 * said('b', 'planted')) < 0.01) AS mixed,
	bool_and(prediction_interval_lower_bound <= forecast_value AND forecast_value <= prediction_interval_upper_bound) AS within
FROM lstm.forecast('j');
SELECT count(*) = (SELECT count(*) FROM lstm.hindcast('a', 'planted')) AS origins,
	bool_and(forecast_index BETWEEN 5 AND 280) AS times FROM lstm.hindcast('j');
SELECT count(*) AS every_tenth FROM lstm.hindcast('j', stride => 10);
SELECT abs(e.mae - h.mae) < 1e-9 AS mae, e.n = h.n AS n, coverage BETWEEN 0 AND 1 AS coverage, skill IS NOT NULL AS skill
FROM lstm.evaluate('j') e, (SELECT count(*) AS n, avg(abs(actual - forecast_value)) AS mae FROM lstm.hindcast('j')) h
WHERE level = 'all';
SELECT step, probability FROM lstm.exceedance('j', -1e6) ORDER BY step;
SELECT name, version, deployed, source, spec IS NULL AS no_spec, joint->'members'->1->>'role' AS second,
	(joint->>'b')::float8 = (joint->'members'->0->>'weight')::float8 AS b
FROM lstm.models WHERE joint IS NOT NULL ORDER BY name, version;
SELECT d->>'kind' AS kind, d->>'model' AS model, jsonb_path_query_array(d, '$.members[*].model') AS members,
	jsonb_path_query_array(d, '$.members[*].version') AS versions, abs((d->>'b')::float8 - 0.3) < 1e-3 AS b, d->'interval' AS interval
FROM lstm.describe('j') d;
CREATE VIEW next_value AS SELECT forecast_index, forecast_value FROM lstm.forecast('j');
BEGIN READ ONLY;
SELECT forecast_index, abs(forecast_value - 5) < 5 AS near FROM next_value;
SELECT lstm.join_models('k', 'a', 'b', source => 'planted');
ROLLBACK;

-- the others say what they need
SELECT query, error_of('SELECT lstm.' || query) FROM (VALUES ($$layers('j')$$), ($$tensors('j')$$), ($$explain('j')$$),
	($$detect_anomalies('j')$$), ($$robustness('j')$$), ($$plot_training('j')$$), ($$training_log('j')$$)) AS v(query);

-- several series, time stamps, steps; models that do not see the same series
CREATE TABLE hourly AS SELECT timestamptz '2024-01-01 00:00Z' + i * interval '1 hour' AS ts, place,
	10 + length(place) + 3 * sin(i / 4.0) + even(i, place) AS y, 1 + even(i, 'z') AS z FROM generate_series(0, 199) i, (VALUES ('p'), ('qq'), ('rrr')) AS p(place);
CREATE FUNCTION train_hourly(model text, which text, horizon int, options jsonb DEFAULT '{}') RETURNS int LANGUAGE sql AS $$
	SELECT version FROM lstm.train(model, 'SELECT * FROM hourly WHERE ts < ''2024-01-07 00:00Z'' AND ' || which, 'y', 'ts', series => 'place',
		horizon => horizon, context => 12, past_covariates => '', options => '{"units": 4, "epochs": 8, "season": 1, "members": ["network"]}' || options)
$$;
SELECT train_hourly('h', 'place <> ''rrr''', 3), train_hourly('s', 'place <> ''p''', 4), train_hourly('s2', 'true', 3, '{"units": 3}');
SET client_min_messages = notice;
SELECT rows, b BETWEEN 0 AND 1 AS b, validation_mae > 0 AS mae FROM lstm.join_models('hs', 'h', 's', source => 'hourly');
SELECT series, count(*) AS steps, min(forecast_timestamp) AT TIME ZONE 'UTC' AS first, min(series_key::text) AS key,
	bool_and(prediction_interval_lower_bound < forecast_value) AS bounds
FROM lstm.forecast('hs') GROUP BY 1 ORDER BY 1;
SELECT min(forecast_timestamp) AT TIME ZONE 'UTC' AS first, count(*) FROM lstm.forecast('hs', as_of => '2024-01-08 12:30Z', horizon => 2);
-- each reads its own rows: one member knows nothing of a series, or of the last hours
CREATE VIEW some_hours AS SELECT * FROM hourly WHERE place <> 'p' AND ts < '2024-01-09 06:00Z';
SELECT version FROM lstm.train('late', 'some_hours', 'y', 'ts', series => 'place', horizon => 3, context => 12, past_covariates => '',
	options => '{"units": 2, "epochs": 1, "season": 1, "members": ["network"]}');
SELECT error_of($$SELECT lstm.join_models('own', 'h', 'late')$$);
INSERT INTO lstm.models (name, version, deployed, joint)
	SELECT 'own', 1, true, jsonb_set(joint, '{members,1}', joint->'members'->1 || '{"model": "late"}')
	FROM lstm.models WHERE name = 'hs';
SELECT series, count(*) AS steps FROM lstm.forecast('own') GROUP BY 1 ORDER BY 1;
SET client_min_messages = error;

-- joined by names and times
SELECT what, error_of(format('SELECT lstm.join_models(%s)', arguments)) FROM (VALUES
	('null', $$NULL, 'a', 'b'$$),
	('null member', $$'k', 'a', NULL$$),
	('null other', $$'k', 'a', 'b', '{NULL}'$$),
	('unknown', $$'k', 'a', 'bb', source => 'planted'$$),
	('twice', $$'k', 'a', 'a', source => 'planted'$$),
	('twice', $$'k', 'a', 'b', '{a}', 'planted'$$),
	('itself', $$'a', 'a', 'b', source => 'planted'$$),
	('a joint one', $$'k', 'a', 'j', source => 'planted'$$),
	('name', $$'', 'a', 'b', source => 'planted'$$),
	('times', $$'k', 'a', 'h'$$),
	('no new rows', $$'k', 'a', 'b'$$),
	('few rows', $$'k', 'a', 'b', source => 'planted', options => '{"from": 270}'$$),
	('horizon', $$'k', 'a', 'b', source => 'planted', options => '{"horizon": 2}'$$),
	('option', $$'k', 'a', 'b', source => 'planted', options => '{"stripe": 2}'$$),
	('option', $$'k', 'a', 'b', source => 'planted', options => '{"stride": 0}'$$),
	('option', $$'k', 'a', 'b', source => 'planted', options => '{"from": "soon"}'$$),
	('option', $$'k', 'a', 'b', source => 'planted', options => '{"deploy": 1}'$$),
	('options', $$'k', 'a', 'b', source => 'planted', options => '[]'$$),
	('no table', $$'k', 'a', 'b', source => 'nowhere'$$)) AS v(what, arguments);
SELECT version FROM lstm.train('z', 'SELECT * FROM hourly WHERE ts < ''2024-01-07 00:00Z''', 'z', 'ts', series => 'place', context => 4,
	past_covariates => '', options => '{"units": 2, "epochs": 1, "members": ["network"]}');
SELECT version FROM lstm.train('elsewhere', 'SELECT ts, place || ''!'' AS place, y FROM hourly WHERE ts < ''2024-01-07 00:00Z''', 'y', 'ts',
	series => 'place', horizon => 3, context => 4, options => '{"units": 2, "epochs": 1, "members": ["network"]}');
SELECT version FROM lstm.train('daily', 'SELECT ts, place, y FROM hourly WHERE extract(hour FROM ts AT TIME ZONE ''UTC'') = 0', 'y', 'ts',
	series => 'place', context => 2, options => '{"units": 2, "epochs": 1, "members": ["network"]}');
SELECT error_of($$SELECT lstm.join_models('k', 'h', 'z', source => 'hourly')$$);
SELECT error_of($$SELECT lstm.join_models('k', 'h', 'daily')$$);
-- Both see later rows, but of series with other names.
INSERT INTO lstm.models (name, version, deployed, joint)
	SELECT 'apart', 1, true, jsonb_set(joint, '{members,1}', joint->'members'->1 || '{"model": "elsewhere"}') FROM lstm.models WHERE name = 'hs';
SELECT error_of($$SELECT count(*) FROM lstm.hindcast('apart')$$);
SELECT error_of($$SELECT count(*) FROM lstm.forecast('j', future => 'planted')$$);
SELECT error_of($$SELECT count(*) FROM lstm.forecast('hs', source => 'SELECT * FROM hourly LIMIT 3')$$);

-- times without zone are the session's; targets in another order, beside other columns
CREATE TABLE plain AS SELECT (ts AT TIME ZONE 'UTC') AS ts, y, z * 100 AS z FROM hourly WHERE place = 'p';
SELECT (SELECT version FROM lstm.train('yz', 'SELECT * FROM plain WHERE ts < ''2024-01-06''', 'y, z', 'ts', horizon => 2, context => 6,
		options => '{"units": 3, "epochs": 2, "season": 1, "members": ["network"]}')),
	(SELECT version FROM lstm.train('zy', 'SELECT * FROM plain WHERE ts < ''2024-01-06''', 'z, y', 'ts', horizon => 2, context => 9,
		options => '{"units": 2, "epochs": 2, "season": 1, "members": ["network"]}'));
SET timezone = 'Asia/Tokyo';
SELECT rows FROM lstm.join_models('yzzy', 'yz', 'zy', source => 'plain', options => '{"from": "2024-01-07 00:00", "to": "2024-01-07 23:59", "horizon": 1}');
RESET timezone;
SELECT target, count(*) AS n, bool_and(j.forecast_value BETWEEN least(a.forecast_value, b.forecast_value) - 1e-9 AND greatest(a.forecast_value, b.forecast_value) + 1e-9) AS between
FROM lstm.hindcast('yzzy', horizon => 2) j JOIN lstm.hindcast('yz', 'plain') a USING (target, issued_at, step)
	JOIN lstm.hindcast('zy', 'plain') b USING (target, issued_at, step) GROUP BY 1 ORDER BY 1;
SELECT target, count(*) AS n, bool_and(j.forecast_value BETWEEN least(a.forecast_value, b.forecast_value) - 1e-9 AND greatest(a.forecast_value, b.forecast_value) + 1e-9) AS between
FROM lstm.forecast('yzzy', 2) j JOIN lstm.forecast('yz', source => 'plain') a USING (target, step)
	JOIN lstm.forecast('zy', source => 'plain') b USING (target, step) GROUP BY 1 ORDER BY 1;

-- members that forecast the same
SELECT train('a2', 'u');
SET client_min_messages = notice;
SELECT b, weights->'a2' AS a2 FROM lstm.join_models('same', 'a', 'a2', source => 'planted');
SET client_min_messages = error;

-- equal rows give equal weights; a new version
SELECT version FROM lstm.join_models('j', 'a', 'b', source => 'planted', options => '{"to": 230}');
SELECT count(DISTINCT joint) AS same FROM lstm.models WHERE name = 'j';
SELECT lstm.rollback('j');

-- members are kept while they are needed, and followed when they are renamed
SELECT error_of($$SELECT lstm.drop_model('a')$$);
SELECT error_of($$DELETE FROM lstm.models WHERE name = 'b'$$);
SELECT train('a', 'u', '{"seed": 7}') AS later_version, lstm.drop_model('a', 2) IS NOT NULL AS not_a_member;
SELECT lstm.rename_model('a', 'a renamed');
SELECT name, version, joint->'members'->0->>'model' AS first FROM lstm.models WHERE name IN ('j', 'n') ORDER BY 1, 2;
SELECT count(*) FROM lstm.forecast('j');

-- a version of the joint model's name that was trained is one like any other
SELECT train('j', 'u');
SELECT jsonb_array_length(lstm.describe('j')->'layers') > 1 AS layers, lstm.describe('j', 2)->>'kind' AS kind;
SELECT lstm.rollback('j');

-- rights: a joint model gives none
GRANT SELECT ON hourly TO regress_lstm_alice;
SET ROLE regress_lstm_alice;
SELECT error_of($$SELECT count(*) FROM lstm.forecast('j')$$);
SELECT error_of($$SELECT lstm.join_models('mine', 'h', 's', source => 'public.hourly')$$);
SELECT train_hourly('alice1', 'true', 2), train_hourly('alice2', 'true', 2, '{"units": 3}');
SELECT version FROM lstm.join_models('alices', 'alice1', 'alice2', source => 'hourly');
SELECT count(*) FROM lstm.forecast('alices');
-- a superuser runs nobody's stored source
RESET ROLE;
SELECT error_of($$SELECT count(*) FROM lstm.forecast('alices')$$);
SELECT count(*) FROM lstm.forecast('alices', source => 'hourly');
SET ROLE regress_lstm_bob;
SELECT error_of($$SELECT count(*) FROM lstm.forecast('alices')$$);
-- a row that names another's models is of no use
INSERT INTO lstm.models (name, version, deployed, source, joint) VALUES ('forged', 1, true, 'SELECT 1',
	'{"members": [{"model": "alice1", "version": 1, "weight": 0.5, "mae": 1}, {"model": "alice2", "version": 1, "weight": 0.5, "mae": 1}],
	"horizon": 1, "targets": 1, "mae": 1, "skill": 0, "rows": 1, "interval": {"steps": 0, "measure": "scale", "width": []}}');
SELECT error_of($$SELECT count(*) FROM lstm.forecast('forged')$$);
RESET ROLE;
-- nor does it learn what they are renamed to, or hold them
UPDATE lstm.models SET name = 'secret' WHERE name = 'alice2';
SELECT name, joint->'members'->1->>'model' AS member FROM lstm.models WHERE name IN ('alices', 'forged') ORDER BY 1;
UPDATE lstm.models SET name = 'alice2' WHERE name = 'secret';
BEGIN;
DELETE FROM lstm.models WHERE name = 'alices';
DELETE FROM lstm.models WHERE name = 'alice1';
ROLLBACK;
GRANT regress_lstm_alice TO regress_lstm_bob;
SET ROLE regress_lstm_bob;
SELECT error_of($$SELECT count(*) FROM lstm.forecast('alices')$$);
RESET ROLE;
REVOKE SELECT ON hourly FROM regress_lstm_alice;
SET ROLE regress_lstm_alice;
SELECT error_of($$SELECT count(*) FROM lstm.forecast('alices')$$);
-- others' joint models hold nothing
SELECT lstm.drop_model('alices');
SELECT lstm.drop_model('alice1');
SET ROLE regress_lstm_bob;
SELECT error_of($$SELECT count(*) FROM lstm.forecast('forged', source => 'SELECT 1')$$);
RESET ROLE;

-- rows that no join has written
INSERT INTO lstm.models (name, version, deployed, joint) SELECT 'bad' || row_number() OVER (), 1, true, joint FROM (VALUES
	('{}'::jsonb), ('[]'), ('{"members": []}'), ('{"members": 3}'),
	('{"members": [{"model": "b", "version": 1, "weight": 2, "mae": 1}, {"model": "c", "version": 1, "weight": -1, "mae": 1}]}'),
	('{"members": [{"model": "b", "version": 0, "weight": 1, "mae": 1}, {"model": "c", "version": 1, "weight": 0, "mae": 1}]}'),
	('{"members": [{"model": "b", "version": 1, "weight": 1, "mae": 1}, {"model": "c", "version": 1, "weight": 0, "mae": null}], "horizon": 0, "targets": 1}'),
	('{"members": [{"model": "b", "version": 1, "weight": 1, "mae": 1}, {"model": "c", "version": 1, "weight": 0, "mae": 1}],
	"horizon": 1, "targets": 1, "mae": 1, "skill": 0, "rows": 1, "interval": {"steps": 1, "measure": "scale", "width": [1]}}'),
	('{"members": [{"model": "b", "version": 1, "weight": 1, "mae": 1}, {"model": "c", "version": 1, "weight": 0, "mae": 1}],
	"horizon": 1, "targets": 1, "mae": 1, "skill": 0, "rows": 1, "interval": {"steps": 0, "measure": "head", "width": []}}'),
	('{"members": [{"model": "b", "version": 1, "weight": 1, "mae": 1}, {"model": "c", "version": 1, "weight": 0, "mae": 1}],
	"horizon": 1, "targets": 0, "mae": 1, "skill": 0, "rows": 1, "interval": {"steps": 1, "measure": "scale", "width": []}}')) AS v(joint);
SELECT name, split_part(error_of(format('SELECT count(*) FROM lstm.forecast(%L, source => ''planted'')', name)), E'\n', 1) AS error FROM lstm.models
WHERE name LIKE 'bad%' ORDER BY 1;

-- dropped together, in any order
DELETE FROM lstm.models;
SELECT count(*) FROM lstm.model_values;
DROP VIEW next_value, some_hours;
DROP TABLE planted, negative, hourly, plain;
DROP FUNCTION error_of, even, train, said, train_hourly;
DROP ROLE regress_lstm_bob;
DROP ROLE regress_lstm_alice;
