-- tune.sql
--		lstm.tune: what is tried, what is kept of it, and what is refused.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
CREATE TABLE wave AS
	SELECT i, 20 + 5 * sin(i * 2 * pi() / 12) + ('x' || substr(md5(i::text), 1, 4))::bit(16)::int / 65536.0 AS y
	FROM generate_series(1, 150) i;
\set small '{"season": 12, "epochs": 2}'

-- a grid is every combination, the last key changing first; the best becomes a version
CALL lstm.tune('grid', 'wave', 'y', 'i', horizon => 3, context => 12, options => :'small',
	search => '{"units": [1, 8], "learning_rate": [0.0000001, 0.05]}', method => 'grid', folds => 2);
SELECT trial, options, folds, status, score > 0 AS score, mae > 0 AS mae, seconds > 0 AS seconds, error, owner = current_user AS mine, started_at < now() AS started
FROM lstm.trials WHERE model = 'grid' ORDER BY trial;
SELECT count(DISTINCT id) AS searches, bool_and(started_at >= before) AS in_order
FROM (SELECT id, started_at, lag(started_at, 1, started_at) OVER (ORDER BY trial) AS before FROM lstm.trials WHERE model = 'grid') t;
SELECT m.version, (m.spec->>'learning_rate')::float8 = (t.options->>'learning_rate')::float8 AS best_options
FROM lstm.models m, LATERAL (SELECT * FROM lstm.trials WHERE model = m.name ORDER BY score, trial LIMIT 1) t WHERE m.name = 'grid';

-- a trial is judged as lstm.backtest judges
SELECT abs(t.score - b.mase) < 1e-9 AS score, abs(t.mae - b.mae) < 1e-9 AS mae
FROM lstm.trials t, lstm.backtest('wave', 'y', 'i', horizon => 3, context => 12, options => '{"season": 12, "epochs": 2, "units": 8, "learning_rate": 0.05}', folds => 2) b
WHERE t.model = 'grid' AND t.options @> '{"units": 8, "learning_rate": 0.05}' AND b.fold IS NULL AND b.method = 'network';

-- draws: within their ranges, each once, the same for the same seed
CALL lstm.tune('draws', 'wave', 'y', 'i', horizon => 3, options => :'small', trials => 6, folds => 1,
	search => '{"units": {"min": 2, "max": 4}, "learning_rate": {"min": 0.001, "max": 0.1, "log": true}, "dropout": {"min": 0, "max": 0.5}, "context": [6, 12], "loss": ["mse", "mae"]}');
SELECT count(*), count(DISTINCT options), bool_and((options->>'units')::float8 IN (2, 3, 4)) AS whole,
	bool_and((options->>'learning_rate')::float8 BETWEEN 0.001 AND 0.1 AND (options->>'dropout')::float8 BETWEEN 0 AND 0.5) AS within,
	bool_and((options->>'context')::int IN (6, 12)) AS context, count(DISTINCT options->'dropout') > 4 AS spread
FROM lstm.trials WHERE model = 'draws' AND status = 'done';
SELECT (spec->>'context')::int = (t.options->>'context')::int AS best_context
FROM lstm.models, LATERAL (SELECT options FROM lstm.trials WHERE model = 'draws' ORDER BY score, trial LIMIT 1) t WHERE name = 'draws';
CALL lstm.tune('draws', 'wave', 'y', 'i', horizon => 3, options => :'small', trials => 6, folds => 1,
	search => '{"units": {"min": 2, "max": 4}, "learning_rate": {"min": 0.001, "max": 0.1, "log": true}, "dropout": {"min": 0, "max": 0.5}, "context": [6, 12], "loss": ["mse", "mae"]}');
SELECT count(*) AS trials, count(DISTINCT (trial, options, score, mae)) AS different, count(DISTINCT id) AS searches FROM lstm.trials WHERE model = 'draws';
SELECT count(*) AS versions, count(DISTINCT md5(model::bytea)) AS bytes FROM lstm.model_values WHERE name = 'draws';
-- few combinations are exhausted before the trials are
CALL lstm.tune('few', 'wave', 'y', 'i', context => 6, options => '{"epochs": 1, "seed": 3}', search => '{"units": [1, 2, 3]}', folds => 1);
SELECT count(*) FROM lstm.trials WHERE model = 'few';
-- each trial may read the rows in its own way
CALL lstm.tune('reads', 'SELECT date ''2024-01-01'' + i AS day, y FROM wave', context => 6, options => '{"epochs": 1, "units": 2}',
	search => '{"calendar": ["none", ["weekday"]]}', method => 'grid', folds => 1);
SELECT trial, options->'calendar' AS calendar, status, error FROM lstm.trials WHERE model = 'reads' ORDER BY trial;

-- halving: a quarter of the epochs, half, all
CALL lstm.tune('halves', 'wave', 'y', 'i', horizon => 3, context => 12, options => '{"season": 12, "epochs": 8}', trials => 4, folds => 1, method => 'halving',
	search => '{"units": {"min": 1, "max": 9}}');
SELECT trial, options->'epochs' AS epochs, status FROM lstm.trials WHERE model = 'halves' ORDER BY trial;
SELECT count(*) AS goes_on FROM lstm.trials a JOIN lstm.trials b ON b.trial = 5 AND a.trial <= 4 AND a.options->'units' = b.options->'units'
	AND a.score = (SELECT min(score) FROM lstm.trials WHERE model = 'halves' AND trial <= 4) WHERE a.model = 'halves' AND b.model = 'halves';
SELECT spec->'epochs' AS epochs FROM lstm.models WHERE name = 'halves';

-- a trial that fails is told, and the others go on
\pset format unaligned
\pset tuples_only on
CALL lstm.tune('fails', 'wave', 'y', 'i', context => 6, options => '{"epochs": 30, "units": 4, "scaling": "none", "optimizer": "sgd", "activation": "linear"}',
	search => '{"learning_rate": [0.000001, 900], "scaling": ["none", "log1p"]}', method => 'grid', folds => 1);
SELECT trial, options->'learning_rate', options->'scaling', status, regexp_replace(error, 'epoch \d+', 'epoch N'), score IS NULL FROM lstm.trials WHERE model = 'fails' ORDER BY trial;
SELECT count(*) FROM lstm.models WHERE name = 'fails';
CALL lstm.tune('negative', 'SELECT i, -y AS y FROM wave', 'y', 'i', context => 6, options => '{"epochs": 1}', search => '{"scaling": ["log1p"], "units": [1, 2]}', folds => 1);
SELECT trial, status, error FROM lstm.trials WHERE model = 'negative' ORDER BY trial;
SELECT count(*) FROM lstm.models WHERE name = 'negative';
-- a budget of time begins no other trial
CALL lstm.tune('short', 'wave', 'y', 'i', horizon => 3, context => 12, options => '{"units": 4, "epochs": 100, "patience": 0}', trials => 500, seconds => 1, folds => 1,
	search => '{"seed": {"min": 1, "max": 1000000}}');
SELECT count(*) BETWEEN 1 AND 499 FROM lstm.trials WHERE model = 'short';

-- what is refused, before any trial
SELECT count(*) AS trials FROM lstm.trials \gset
\set VERBOSITY default
CALL lstm.tune(NULL, 'wave', search => '{"units": [1]}');
CALL lstm.tune('bad', NULL, search => '{"units": [1]}');
CALL lstm.tune('bad', 'wave', 'y', 'i');
CALL lstm.tune('', 'wave', 'y', 'i', search => '{"units": [1]}');
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{}');
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '[1]');
CALL lstm.tune('bad', 'wave', 'y', 'i', search => 'null');
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"unit": [1]}');
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"unit": 1}');
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"learning_rat": {"min": 1, "max": 2}}');
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"units": 1}');
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"units": []}');
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"units": ["many"]}');
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"units": [1.5]}');
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"units": {"min": 1}}');
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"units": {"min": 9, "max": 1}}');
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"units": {"min": 1.5, "max": 3}}');
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"units": {"min": 1, "max": 3, "step": 1}}');
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"dropout": {"min": 0, "max": 0.5, "log": true}}');
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"loss": {"min": 0, "max": 1}}');
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"context": [0]}');
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"deploy": [true, false]}');
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"units": {"min": 1, "max": 3}}', method => 'grid');
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"units": [1, 2, 3], "epochs": [1, 2]}', method => 'grid', trials => 5);
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"units": [1]}', method => 'bayes');
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"units": [1]}', method => NULL);
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"units": [1]}', trials => 0);
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"units": [1]}', trials => 2147483647);
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"units": [1]}', seconds => 0);
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"units": [1]}', folds => NULL);
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"units": [1]}', folds => 200);
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"context": [10, 140]}', horizon => 4);
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"units": [1]}', options => '{"epoch": 1}');
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"units": [1]}', options => '{"from_model": "grid"}');
BEGIN;
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"units": [1]}');
ROLLBACK;
SET default_transaction_read_only = on;
CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"units": [1]}');
RESET default_transaction_read_only;
DO $$ BEGIN CALL lstm.tune('bad', 'wave', 'y', 'i', search => '{"units": [1]}'); EXCEPTION WHEN active_sql_transaction THEN RAISE INFO '%', SQLERRM; END $$;
\set VERBOSITY terse
SELECT count(*) = :trials AS no_trial FROM lstm.trials;

-- within a DO block that may commit it runs
DO $$ BEGIN CALL lstm.tune('done', 'wave', 'y', 'i', context => 6, options => '{"epochs": 1}', search => '{"units": [1, 2]}', folds => 1); END $$;
SELECT count(*) FROM lstm.trials WHERE model = 'done';

-- other roles: their own trials, nobody else's
CREATE ROLE regress_lstm_dave;
CREATE ROLE regress_lstm_erin;
SET ROLE regress_lstm_dave;
CALL lstm.tune('davids', 'wave', 'y', 'i', context => 6, search => '{"units": [1]}');
CALL lstm.tune('grid', 'wave', 'y', 'i', context => 6, search => '{"units": [1]}');
SELECT count(*) FROM lstm.trials;
RESET ROLE;
GRANT SELECT ON wave TO regress_lstm_dave;
SET ROLE regress_lstm_dave;
CALL lstm.tune('davids', 'wave', 'y', 'i', context => 6, options => '{"epochs": 1}', search => '{"units": [1]}', folds => 1);
SELECT model, trial, owner FROM lstm.trials;
INSERT INTO lstm.trials SELECT id, model, trial + 1, options, folds, score, mae, seconds, status, error, started_at, 'regress_lstm_erin' FROM lstm.trials;
UPDATE lstm.trials SET score = 0;
SET ROLE regress_lstm_erin;
SELECT count(*) FROM lstm.trials;
DELETE FROM lstm.trials;
RESET ROLE;
SELECT count(*) FROM lstm.trials WHERE model = 'davids';
SET ROLE regress_lstm_dave;
DELETE FROM lstm.trials;
SELECT lstm.drop_model('davids');
RESET ROLE;

\pset format aligned
\pset tuples_only off
DELETE FROM lstm.trials;
SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
DROP OWNED BY regress_lstm_dave, regress_lstm_erin;
DROP ROLE regress_lstm_dave, regress_lstm_erin;
DROP TABLE wave;
