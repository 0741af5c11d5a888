-- retrain.sql
--		lstm.retrain: which version wins, on which rows, what is kept, what is refused.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
SET TimeZone = 'UTC';
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

-- What came of a call, without the errors themselves: of many it is chance who wins, here only that it is told.
CREATE PROCEDURE try(model text, promote text DEFAULT 'if_better', warm_start boolean DEFAULT true, holdout int DEFAULT NULL,
	keep_versions int DEFAULT NULL, options jsonb DEFAULT NULL) LANGUAGE plpgsql AS $$
DECLARE version int; promoted boolean; old float8; new float8; outcome text;
BEGIN
	CALL lstm.retrain(model, promote, warm_start, holdout, keep_versions, options, version, promoted, old, new, outcome);
	RAISE INFO '%: %, version %, promoted %, both errors %', model, outcome, version, promoted, num_nonnulls(old, new) = 2;
END $$;
-- The errors of a comparison are those of lstm.hindcast from the same origins: a step before the first row held
-- out, and as long as all targets are known.  unit: a step; NULL: integers.
CREATE FUNCTION agrees(model text, challenger int, unit interval DEFAULT NULL) RETURNS TABLE (version int, n_agrees boolean, mae_agrees boolean)
LANGUAGE plpgsql AS $$
DECLARE
	r jsonb := (SELECT metrics->'retrain' FROM lstm.models m WHERE m.name = agrees.model AND m.version = challenger);
BEGIN
	FOR version IN SELECT unnest(ARRAY[(r->>'champion')::int, challenger]) LOOP
		RETURN QUERY SELECT agrees.version, sum(n) = (r->>'n')::int,
			abs(sum(error) / sum(n) - (r->>CASE version WHEN challenger THEN 'challenger_mae' ELSE 'champion_mae' END)::float8) < 1e-9
		FROM (SELECT count(*) AS n, sum(abs(actual - forecast_value)) AS error FROM lstm.hindcast(model, version => agrees.version) h
			GROUP BY h.series, forecast_timestamp - h.step * unit, forecast_index - h.step
			HAVING bool_and(actual IS NOT NULL) AND
				CASE WHEN unit IS NULL THEN min(forecast_index) >= (r->>'from')::int ELSE min(forecast_timestamp) >= (r->>'from')::timestamptz END) o;
	END LOOP;
END $$;
CREATE FUNCTION wave(i int, level float8 DEFAULT 10) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$ SELECT level + 3 * sin(i * 0.26) $$;
CREATE FUNCTION train(model text, source text, options jsonb DEFAULT '{}') RETURNS int LANGUAGE sql AS $$
	SELECT version FROM lstm.train(model, source, horizon => 6, context => 24,
		options => '{"units": 8, "epochs": 30, "learning_rate": 0.01, "season": 1, "members": ["network"]}' || options)
$$;

-- nothing new: nothing is trained, whatever promote says
CREATE TABLE waves AS SELECT '2024-01-01'::timestamptz + i * interval '1 hour' AS t, wave(i) AS y FROM generate_series(0, 399) i;
SELECT train('w', 'waves');
CALL try('w');
CALL try('w', 'always');
-- a NULL target is no new row, and five are fewer than a horizon
INSERT INTO waves SELECT '2024-01-01'::timestamptz + i * interval '1 hour', CASE WHEN i < 405 THEN wave(i, 30) END FROM generate_series(400, 450) i;
CALL try('w', 'always');
SELECT count(*) FROM lstm.models WHERE name = 'w';

-- the level shifts: what learned it wins, and only it forecasts from then on
DELETE FROM waves WHERE t >= '2024-01-01'::timestamptz + 400 * interval '1 hour';
INSERT INTO waves SELECT '2024-01-01'::timestamptz + i * interval '1 hour', wave(i, 30) FROM generate_series(400, 699) i;
CREATE TABLE before AS SELECT * FROM lstm.forecast('w');
CALL try('w');
SELECT version, deployed, deployed_at IS NOT NULL AS was_deployed, warm_from, metrics->'retrain'->'champion' AS champion,
	metrics->'retrain'->'holdout' AS holdout, metrics->'retrain'->'n' AS n, metrics->'retrain'->>'from' AS from, metrics->'retrain'->>'to' AS to,
	metrics->'retrain'->>'score' AS score, metrics->'retrain'->>'outcome' AS outcome, data->>'to' AS trained_to
FROM lstm.models WHERE name = 'w' ORDER BY version;
SELECT * FROM agrees('w', 2, '1 hour');
SELECT count(*) = 6 AS other FROM lstm.forecast('w') n JOIN before b USING (step) WHERE n.forecast_value <> b.forecast_value;
-- the second time there is nothing to do
CALL try('w');
CALL try('w', 'always');
-- back: bit for bit what it was
SELECT lstm.rollback('w');
SELECT count(*) AS equal FROM before b JOIN lstm.forecast('w') n
	ON (n.step, n.forecast_timestamp, n.forecast_value, n.prediction_interval_lower_bound, n.prediction_interval_upper_bound) IS NOT DISTINCT FROM
		(b.step, b.forecast_timestamp, b.forecast_value, b.prediction_interval_lower_bound, b.prediction_interval_upper_bound);
SELECT error_of($$SELECT lstm.rollback('w')$$);
SELECT lstm.deploy('w', 2);

-- one that learns nothing loses; its options are its own, and the same try is not made twice
CALL try('w', options => '{"epochs": 1, "learning_rate": 1e-9}', warm_start => false);
CALL try('w', options => '{"epochs": 1, "learning_rate": 1e-9}', warm_start => false);
SELECT version, deployed, deployed_at IS NOT NULL AS was_deployed, warm_from, arguments->'options'->'epochs' AS epochs, metrics->'retrain'->>'outcome' AS outcome
FROM lstm.models WHERE name = 'w' ORDER BY version;
-- such a loser is passed over: below it is a version that was deployed
SELECT lstm.deploy('w', 3), lstm.rollback('w');
CALL try('w', 'never', options => '{"epochs": 2}', holdout => 12);
CALL try('w', 'always', options => '{"epochs": 1, "learning_rate": 1e-9}', holdout => 60, warm_start => false);
SELECT error_of($$SELECT lstm.deploy('w', 2)$$);
CALL try('w', 'always', options => '{"epochs": 3, "learning_rate": 1e-9}', warm_start => false);
SELECT string_agg(version || CASE WHEN deployed THEN ' deployed' WHEN deployed_at IS NOT NULL THEN ' once' ELSE '' END, ', ' ORDER BY version)
FROM lstm.models WHERE name = 'w';

-- keep_versions: of a retraining, then by itself
CALL try('w', 'never', options => '{"epochs": 4}', keep_versions => 1);
SELECT string_agg(version::text, ', ' ORDER BY version) FROM lstm.models WHERE name = 'w';
SELECT lstm.keep_versions('w', 1) AS dropped, lstm.keep_versions('w', 1) AS again, lstm.keep_versions('w', 9) AS none;
SELECT string_agg(version || CASE WHEN deployed THEN ' deployed' ELSE '' END, ', ' ORDER BY version) FROM lstm.models WHERE name = 'w';

-- in a transaction block and in a block that catches errors it is the caller's transaction
BEGIN;
INSERT INTO waves SELECT '2024-01-01'::timestamptz + i * interval '1 hour', wave(i, 60) FROM generate_series(700, 999) i;
CALL try('w', 'always');
CALL try('w', 'always');
SELECT lstm.rollback('w');
ROLLBACK;
SELECT count(*) FROM lstm.models WHERE name = 'w';
DO $$
BEGIN
	CALL try('w', 'never', options => '{"epochs": 5}');
	RAISE division_by_zero;
EXCEPTION WHEN division_by_zero THEN
	RAISE INFO 'taken back';
END $$;
SELECT count(*) FROM lstm.models WHERE name = 'w';
-- it can be called again at once: nothing is locked
CALL try('w', 'never', options => '{"epochs": 5}');

-- a renamed model is the same model
SELECT lstm.rename_model('w', 'new name');
CALL try('new name', 'never', options => '{"epochs": 5}');
CALL try('new name', 'never', options => '{"epochs": 6}');
SELECT arguments->>'model' AS model FROM lstm.models WHERE name = 'new name' ORDER BY version DESC LIMIT 1;

-- several series that end at different times, one of them new, one gone; words, covariates, calendar, holidays
CREATE TABLE closed AS SELECT '2024-01-01'::date + 7 * i AS day FROM generate_series(0, 99) i;
CREATE TABLE shops AS
SELECT s AS shop, CASE WHEN s < 'c' THEN 'town' ELSE 'field' END AS kind, '2024-01-01'::date + i AS day, wave(i, 10) AS y,
	cos(i * 0.1) AS known, i % 5 AS past
FROM generate_series(0, 139) i, unnest(ARRAY['a', 'b', 'c', 'd']) s WHERE s <> 'd' OR i < 100;
SELECT version FROM lstm.train('shops', 'SELECT * FROM shops WHERE day < ''2024-05-20''', 'y', 'day', 'shop', 7, 14, 'past', 'known', 'kind',
	options => '{"units": 4, "epochs": 3, "calendar": ["weekday"], "holidays": "closed", "season": 1, "scale_by_series": true, "members": ["network", "naive"]}');
DELETE FROM shops WHERE day >= '2024-05-20';
CALL try('shops');
SELECT version FROM lstm.train('shops', 'shops', 'y', 'day', 'shop', 7, 14, 'past', 'known', 'kind',
	options => '{"units": 4, "epochs": 3, "calendar": ["weekday"], "holidays": "closed", "season": 1, "scale_by_series": true, "members": ["network", "naive"]}');
INSERT INTO shops SELECT s, CASE s WHEN 'e' THEN 'ship' ELSE 'town' END, '2024-01-01'::date + i, CASE WHEN i < 190 THEN wave(i, 40) END, cos(i * 0.1), i % 5
FROM generate_series(140, 199) i, unnest(ARRAY['a', 'b', 'e']) s;
CALL try('shops', 'always');
SELECT (data->>'series')::int AS series, data->>'to' AS to, metrics->'retrain'->>'from' AS from, metrics->'retrain'->>'to' AS held_to,
	(metrics->'retrain'->>'n')::int > 0 AS compared FROM lstm.models WHERE name = 'shops' AND deployed;
SELECT * FROM agrees('shops', 3, '1 day');
SELECT series, count(*) FROM lstm.forecast('shops', source => 'SELECT * FROM shops WHERE shop IN (''a'', ''e'')') GROUP BY 1 ORDER BY 1;
-- a new series that begins within the rows held out is not trained on
INSERT INTO shops SELECT s, 'town', '2024-01-01'::date + i, wave(i, 40), cos(i * 0.1), i % 5
FROM generate_series(200, 230) i, unnest(ARRAY['a', 'f']) s;
UPDATE shops SET y = wave(day - '2024-01-01', 40) WHERE y IS NULL;
CALL try('shops', 'always', holdout => 31);
SELECT (data->>'series')::int AS series, data->>'to' AS to FROM lstm.models WHERE name = 'shops' AND deployed;

-- integers as time, and "architecture": "auto" with its folds and members
CREATE TABLE steps AS SELECT i, wave(i) + i % 3 AS y FROM generate_series(1, 200) i;
SELECT version FROM lstm.train('auto', 'steps', 'y', 'i', horizon => 4, options => '{"epochs": 3, "ensemble_size": 2}');
INSERT INTO steps SELECT i, wave(i) + i % 3 FROM generate_series(201, 260) i;
CALL try('auto', 'always');
SELECT warm_from, data->'from' AS from, data->'to' AS to, metrics->'retrain'->>'to' AS held_to FROM lstm.models WHERE name = 'auto' AND deployed;
CALL try('auto', 'always');

-- cells of a grid: all at once
CREATE TABLE cells AS SELECT i AS t, r, c, wave(i) + r + c AS v FROM generate_series(1, 80) i, generate_series(0, 1) r, generate_series(0, 2) c;
SELECT version FROM lstm.train('cells', 'cells', 'v', 't', horizon => 2, context => 6,
	options => '{"grid": "r, c", "epochs": 2, "layers": [{"type": "conv_lstm", "units": 2}, {"type": "dense"}]}');
INSERT INTO cells SELECT i, r, c, wave(i) + r + c FROM generate_series(81, 110) i, generate_series(0, 1) r, generate_series(0, 2) c;
CALL try('cells', 'always');
SELECT warm_from, metrics->'retrain'->'n' AS n, (data->>'series')::int AS series FROM lstm.models WHERE name = 'cells' AND deployed;

SELECT * FROM agrees('auto', 2);
SELECT * FROM agrees('cells', 2);

-- parameters of another shape: what fits is taken, and where nothing does it begins anew
SELECT version FROM lstm.train('shape', 'steps', 'y', 'i', options => '{"units": 4, "epochs": 1}');
INSERT INTO steps SELECT i, wave(i) FROM generate_series(261, 290) i;
SET client_min_messages = notice;
\set VERBOSITY sqlstate
CALL try('shape', 'never', options => '{"units": 5}');
\set VERBOSITY terse
SET client_min_messages = error;
SELECT version FROM lstm.train('shape', 'steps', 'y', 'i', options => '{"epochs": 1, "layers": [{"type": "flatten"}, {"type": "dense", "name": "one"}]}');
INSERT INTO steps SELECT i, wave(i) FROM generate_series(291, 300) i;
CALL try('shape', 'never', options => '{"layers": [{"type": "flatten"}, {"type": "dense", "name": "two"}]}');
CALL try('shape', 'never');
CALL try('shape', 'never', options => '{"epochs": 2}', warm_start => false);
SELECT version, warm_from FROM lstm.models WHERE name = 'shape' ORDER BY version;

-- "from_model" was of the first training only
SELECT version FROM lstm.train('other', 'steps', 'y', 'i', options => '{"epochs": 1, "from_model": "shape"}');
INSERT INTO steps SELECT i, wave(i) FROM generate_series(301, 320) i;
SELECT lstm.drop_model('shape');
CALL try('other', 'always');
SELECT arguments->'options' AS options FROM lstm.models WHERE name = 'other' AND deployed;

-- infinite values are told, unknown ones are no new rows
CREATE TABLE sparse AS SELECT i, wave(i) AS y FROM generate_series(1, 100) i;
SELECT version FROM lstm.train('sparse', 'sparse', 'y', 'i', context => 6, horizon => 3, options => '{"units": 2, "epochs": 1}');
INSERT INTO sparse SELECT i, 'Infinity' FROM generate_series(101, 103) i;
SELECT error_of($$CALL lstm.retrain('sparse')$$);
DELETE FROM sparse WHERE i > 100;
INSERT INTO sparse SELECT i, 'NaN' FROM generate_series(101, 130) i;
CALL try('sparse');
-- constant rows: no scale, but an error
CREATE TABLE flat AS SELECT i, 5.0::float8 AS y FROM generate_series(1, 60) i;
SELECT version FROM lstm.train('flat', 'flat', 'y', 'i', context => 6, horizon => 3, options => '{"units": 2, "epochs": 1}');
INSERT INTO flat SELECT i, 5 FROM generate_series(61, 80) i;
CALL try('flat', 'always');
SELECT metrics->'retrain'->>'score' AS score FROM lstm.models WHERE name = 'flat' AND deployed;
-- huge ones
INSERT INTO flat SELECT i, 1e300 * (-1) ^ i FROM generate_series(81, 90) i;
SELECT error_of($$CALL lstm.retrain('flat', 'if_better')$$);
-- fewer rows than there were
DELETE FROM flat WHERE i > 40;
CALL try('flat', 'always');
DELETE FROM flat;
SELECT error_of($$CALL lstm.retrain('flat')$$);
-- another step
INSERT INTO flat SELECT i * 2, 5 FROM generate_series(1, 100) i;
SELECT error_of($$CALL lstm.retrain('flat')$$);
DROP TABLE flat;
SELECT error_of($$CALL lstm.retrain('flat')$$);

-- joint models, models without a call, mistakes
SELECT version FROM lstm.train('half', 'SELECT i, y, y AS z FROM steps', 'y', 'i', past_covariates => 'z', context => 4, options => '{"units": 2, "epochs": 1}');
INSERT INTO steps SELECT i, wave(i) FROM generate_series(321, 380) i;
SELECT version FROM lstm.train('third', 'SELECT i, y, y AS z FROM steps WHERE i <= 320', 'y', 'i', past_covariates => 'z', context => 4, options => '{"units": 2, "epochs": 1}');
SELECT version FROM lstm.join_models('joint', 'half', 'third', source => 'SELECT i, y, y AS z FROM steps');
CALL try('half', 'always');
SELECT lstm.keep_versions('half', 1) AS dropped;
SELECT string_agg(version::text, ', ' ORDER BY version) AS both_stay FROM lstm.models WHERE name = 'half';
INSERT INTO lstm.models (name, version, deployed, source) VALUES ('bare', 1, true, 'steps');
INSERT INTO lstm.model_values SELECT 'bare', 1, model FROM lstm.model_values WHERE name = 'half' LIMIT 1;
SELECT version FROM lstm.train('undeployed', 'steps', 'y', 'i', options => '{"units": 2, "epochs": 1, "deploy": false}');
SELECT q.call, error_of('CALL lstm.retrain(' || q.call || ')') FROM (VALUES
	($$NULL$$), ($$'joint'$$), ($$'bare'$$), ($$'undeployed'$$), ($$'halv'$$), ($$''$$),
	($$'half', NULL$$), ($$'half', 'sometimes'$$), ($$'half', warm_start => NULL$$), ($$'half', holdout => 0$$), ($$'half', keep_versions => 0$$),
	($$'half', options => '[]'$$), ($$'half', options => '{"deploy": true}'$$), ($$'half', options => '{"from_model": "x"}'$$),
	($$'half', options => '{"epoch": 3}'$$), ($$'half', options => '{"horizon": 3}'$$)) q(call);
SELECT error_of($$CALL lstm.retrain('auto', holdout => 3)$$);
SELECT q.call, error_of('SELECT lstm.keep_versions(' || q.call || ')') FROM (VALUES
	($$NULL, 1$$), ($$'half', NULL$$), ($$'half', 0$$), ($$'half', -1$$), ($$'halv', 1$$)) q(call);
BEGIN READ ONLY;
CALL lstm.retrain('half');
ROLLBACK;
SELECT count(*) AS locks FROM pg_locks WHERE locktype = 'advisory';

-- networks that stay and are judged on rows that the champion has learned begin anew
CREATE TABLE seen AS SELECT i, wave(i) AS y FROM generate_series(1, 200) i;
SELECT version FROM lstm.train('seen', 'seen', 'y', 'i', context => 4, options => '{"units": 2, "epochs": 1, "validation_split": 0.1}');
INSERT INTO seen SELECT i, wave(i) FROM generate_series(201, 220) i;
CALL try('seen', 'always');
INSERT INTO seen SELECT i, wave(i) FROM generate_series(221, 240) i;
CALL try('seen', 'never', options => '{"validation_split": 0.5}');
CALL try('seen', 'never', options => '{"folds": 3}');
CALL try('seen', 'never', options => '{"validation_split": 0.5, "refit": true}');
SELECT version, deployed, warm_from FROM lstm.models WHERE name = 'seen' ORDER BY version;
-- where the deployed version goes, one that was never deployed does not take its place
SELECT lstm.drop_model('seen', 2);
SELECT version, deployed FROM lstm.models WHERE name = 'seen' ORDER BY version;
DROP TABLE seen;
SELECT lstm.drop_model('seen');

-- rights: strangers see nothing, members and grantees add a version that is the owner's, with the rows they may see
GRANT CREATE ON SCHEMA public TO regress_lstm_alice;
SET ROLE regress_lstm_alice;
CREATE TABLE alices AS SELECT i, wave(i) AS y FROM generate_series(1, 100) i;
SELECT version FROM lstm.train('alices', 'alices', 'y', 'i', context => 4, options => '{"units": 2, "epochs": 1}');
INSERT INTO alices SELECT i, wave(i) FROM generate_series(101, 140) i;
SELECT lstm.grant_model('alices', 'regress_lstm_bob', 'use');
RESET ROLE;
SELECT error_of($$CALL lstm.retrain('alices')$$);
SET ROLE regress_lstm_bob;
SELECT error_of($$CALL lstm.retrain('half')$$);
SELECT error_of($$CALL lstm.retrain('alices')$$);
SELECT error_of($$SELECT lstm.keep_versions('alices', 1)$$);
SET ROLE regress_lstm_alice;
SELECT lstm.grant_model('alices', 'regress_lstm_bob', 'retrain');
SET ROLE regress_lstm_bob;
SELECT error_of($$CALL lstm.retrain('alices')$$);
RESET ROLE;
GRANT SELECT ON alices TO regress_lstm_bob;
SET ROLE regress_lstm_bob;
SELECT error_of($$CALL lstm.retrain('alices', options => '{"epochs": 2}')$$);
SELECT error_of($$CALL lstm.retrain('alices', keep_versions => 1)$$);
CALL try('alices', 'always');
SELECT error_of($$SELECT lstm.keep_versions('alices', 1)$$);
RESET ROLE;
SELECT version, owner, trained_by, deployed FROM lstm.models WHERE name = 'alices' ORDER BY version;
SET ROLE regress_lstm_alice;
SELECT lstm.grant_model('alices', 'regress_lstm_bob', 'drop');
SET ROLE regress_lstm_bob;
SELECT lstm.keep_versions('alices', 1) AS dropped;
-- a member brings no options either, and is told before anything is trained
RESET ROLE;
GRANT regress_lstm_alice TO regress_lstm_bob;
SET ROLE regress_lstm_bob;
SELECT error_of($$CALL lstm.retrain('alices', options => '{"epochs": 2}')$$);
RESET ROLE;
REVOKE regress_lstm_alice FROM regress_lstm_bob;
-- a grantee repeats calls without options, of a model renamed since, and with options that were of the first
-- training only; no temporary table stands in for the owner's
SET ROLE regress_lstm_alice;
SELECT version FROM lstm.train('plain', 'alices', 'y', 'i', context => 4);
SELECT version FROM lstm.train('first', 'alices', 'y', 'i', context => 4, options => '{"units": 2, "epochs": 1, "from_model": "alices"}');
SELECT lstm.rename_model('first', 'renamed');
SELECT lstm.grant_model(name, 'regress_lstm_bob', 'retrain') FROM (VALUES ('plain'), ('renamed')) v (name);
INSERT INTO alices SELECT i, wave(i) FROM generate_series(141, 180) i;
SET ROLE regress_lstm_bob;
CREATE TEMP TABLE alices AS SELECT i, 1e6::float8 + i AS y FROM generate_series(1, 500) i;
CALL try('plain', 'always');
CALL try('renamed', 'always');
SELECT max(forecast_value) < 100 AS owners_rows FROM lstm.forecast('renamed');
DROP TABLE pg_temp.alices;
RESET ROLE;
SELECT name, version, owner, trained_by, metrics->'retrain'->>'to' AS "to" FROM lstm.models WHERE version = 2 AND name IN ('plain', 'renamed') ORDER BY name;
SELECT lstm.drop_model('plain'), lstm.drop_model('renamed');

SELECT lstm.drop_model('alices');
DROP TABLE alices;
REVOKE CREATE ON SCHEMA public FROM regress_lstm_alice;
DROP ROLE regress_lstm_alice, regress_lstm_bob;

-- a series that repeats itself exactly but for rounding has no scale: it does not decide for the others
SET client_min_messages = error;
CREATE TABLE clocks (i int, k text, y float8);
INSERT INTO clocks SELECT i, 'clock', 20 + 5 * sin(i * 2 * pi() / 7) FROM generate_series(0, 299) i;
INSERT INTO clocks SELECT i, 'sensor', 20 + 5 * sin(i * 2 * pi() / 7) + hashint4(i) % 1000 / 300.0 FROM generate_series(0, 299) i;
SELECT version FROM lstm.train('clocks', 'clocks', 'y', 'i', 'k', 7, 14, options => '{"architecture": "gru", "units": 8, "epochs": 40, "season": 7, "seed": 5}');
SELECT series, mase IS NULL AS no_scale, skill IS NULL AS no_skill FROM lstm.evaluate('clocks', stride => 7) WHERE level = 'series' ORDER BY series;
INSERT INTO clocks SELECT i, 'clock', 20 + 5 * sin(i * 2 * pi() / 7) FROM generate_series(300, 599) i;
INSERT INTO clocks SELECT i, 'sensor', 20 + 12 * sin(i * 2 * pi() / 7 + 2) + hashint4(i) % 1000 / 300.0 FROM generate_series(300, 599) i;
CREATE TABLE outcome (version int, promoted bool, champion float8, challenger float8, outcome text);
DO $$
DECLARE v int; p bool; a float8; b float8; o text;
BEGIN
	CALL lstm.retrain('clocks', 'if_better', false, NULL, NULL, NULL, v, p, a, b, o);
	INSERT INTO outcome VALUES (v, p, a, b, o);
END $$;
SELECT outcome, challenger < champion AS better FROM outcome;

\set ECHO none
\i test/sql/clean.inc
