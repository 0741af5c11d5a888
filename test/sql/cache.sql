-- A session keeps models it has read; whatever changes the registry is seen all the same.
SET lstm.progress = 0;
SET client_min_messages = error;
CREATE TABLE wave AS SELECT t, sin(t * 0.5) AS y FROM generate_series(1, 120) AS t;
GRANT SELECT ON wave TO PUBLIC;
CREATE FUNCTION train(seed int) RETURNS int LANGUAGE sql AS $$
SELECT version FROM lstm.train('cached', 'wave', time_column => 't', context => 8,
	options => jsonb_build_object('units', 4, 'epochs', 2, 'seed', seed)) $$;
CREATE FUNCTION value(which int DEFAULT NULL) RETURNS float8 LANGUAGE sql AS $$
SELECT forecast_value FROM lstm.forecast('cached', version => which) $$;
CREATE TABLE answer (seed int PRIMARY KEY, value float8);
SELECT train(1);
INSERT INTO answer SELECT 1, value();
SELECT value() = value AS again FROM answer WHERE seed = 1;
SELECT train(2);
INSERT INTO answer SELECT 2, value();
SELECT count(DISTINCT value) FROM answer;
SELECT value(1) = (SELECT value FROM answer WHERE seed = 1) AS first, value(2) = (SELECT value FROM answer WHERE seed = 2) AS second;
SELECT lstm.rollback('cached');
SELECT value() = (SELECT value FROM answer WHERE seed = 1) AS rolled_back;
SELECT lstm.rename_model('cached', 'other');
SELECT count(*) FROM lstm.forecast('cached');
SELECT lstm.rename_model('other', 'cached');
SELECT value() = (SELECT value FROM answer WHERE seed = 1) AS renamed_back;
SELECT lstm.drop_model('cached');

-- Rows that never came to be must not answer for those in their place.
BEGIN;
SELECT train(1);
SELECT value() = (SELECT value FROM answer WHERE seed = 1) AS inside;
ROLLBACK;
SELECT count(*) FROM lstm.forecast('cached');
SELECT train(2);
SELECT value() = (SELECT value FROM answer WHERE seed = 2) AS other_seed;
BEGIN;
SAVEPOINT before;
SELECT train(1);
SELECT value() = (SELECT value FROM answer WHERE seed = 1) AS newer;
ROLLBACK TO before;
SELECT value() = (SELECT value FROM answer WHERE seed = 2) AS older;
COMMIT;

-- A right that is gone is gone.
CREATE ROLE regress_lstm_cache;
SET ROLE regress_lstm_cache;
SELECT count(*) FROM lstm.forecast('cached');
RESET ROLE;
DROP ROLE regress_lstm_cache;

-- A cache of nothing still forecasts.
SET lstm.model_cache = 0;
SELECT value() = (SELECT value FROM answer WHERE seed = 2) AS uncached;
SELECT value() = (SELECT value FROM answer WHERE seed = 2) AS uncached;
SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'lstm cached model';
-- Until the transaction ends the model stays, but not what forecast with it.
BEGIN;
SELECT value() = (SELECT value FROM answer WHERE seed = 2) AS uncached;
SELECT name FROM pg_backend_memory_contexts WHERE name IN ('lstm cached model', 'lstm predictor');
COMMIT;
RESET lstm.model_cache;
SELECT value() = (SELECT value FROM answer WHERE seed = 2) AS cached;
SELECT count(*) FROM pg_backend_memory_contexts WHERE name = 'lstm cached model';

SELECT lstm.drop_model('cached');
DROP FUNCTION train, value;
DROP TABLE wave, answer;
