-- progress.sql
--		lstm.progress and the log of jobs where nothing runs: shape, rights, bad input.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
CREATE ROLE regress_lstm_alice;
CREATE TABLE wave AS SELECT t, sin(t * 0.5) AS y FROM generate_series(1, 120) AS t;
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE hint text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n  ', SQLSTATE || ': ' || SQLERRM, nullif(hint, ''));
END $$;

-- Nothing runs.
\d lstm.progress
SELECT count(*) FROM lstm.progress;

-- Every column says what it is.
SELECT c.relname, a.attname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0
WHERE c.oid IN ('lstm.progress'::regclass, 'lstm.job_log'::regclass) AND col_description(c.oid, a.attnum) IS NULL;

-- What has ended is gone, whatever way it ended.
SELECT version FROM lstm.train('m', 'wave', time_column => 't', context => 8, options => '{"units": 2, "epochs": 2}');
SELECT count(*) FROM lstm.progress;
SELECT error_of($$SELECT lstm.train('m', 'SELECT * FROM wave WHERE t > 1000', time_column => 't')$$);
SELECT count(*) FROM lstm.progress;
SELECT error_of($$SELECT lstm.train('m', 'SELECT t, 1 / (60 - t) AS y FROM wave', time_column => 't')$$);
SELECT count(*) FROM lstm.progress;
SELECT error_of($$SELECT lstm.train(NULL, 'wave', time_column => 't')$$);
SELECT count(*) FROM lstm.progress;
SELECT count(*) > 0 AS rows FROM lstm.backtest('wave', time_column => 't', context => 8, folds => 2, options => '{"units": 2, "epochs": 1}');
SELECT count(*) FROM lstm.progress;
CALL lstm.tune('m', 'wave', time_column => 't', context => 8, options => '{"architecture": "lstm", "epochs": 1}',
	search => '{"units": [2, 3]}', trials => 2, folds => 1);
SELECT count(*) FROM lstm.progress;

-- A training that reads what is being trained sees itself, in the same transaction.
CREATE FUNCTION seen() RETURNS text LANGUAGE sql VOLATILE AS $$
SELECT string_agg(concat_ws(', ', command, model, owner = current_user, phase, job, epochs, estimated_end), '; ') FROM lstm.progress $$;
SELECT version FROM lstm.train('m"s', $$SELECT t, CASE WHEN seen() = 'train, m"s, t, reading rows' THEN sin(t * 0.5) END AS y FROM wave$$,
	time_column => 't', context => 8, options => '{"units": 2, "epochs": 2}');

-- Others read, and write nothing.
GRANT SELECT ON wave TO regress_lstm_alice;
SET ROLE regress_lstm_alice;
SELECT count(*) FROM lstm.progress;
SELECT count(*) FROM lstm.job_log;
SELECT error_of($$INSERT INTO lstm.job_log (job, training, epoch, logged_at, owner) VALUES (1, 1, 1, now(), 'regress_lstm_alice')$$);
SELECT error_of($$UPDATE lstm.job_log SET loss = 0$$);
RESET ROLE;

-- The log of a model is as it was; a job's is asked for by its number.
SELECT epoch, loss > 0 AS loss, validation_loss > 0 AS validation_loss, learning_rate > 0 AS learning_rate,
	gradient_norm > 0 AS gradient_norm, training, part
FROM lstm.training_log('m', 1) ORDER BY epoch;
SELECT query, error_of('SELECT * FROM lstm.' || query) FROM (VALUES
	($$training_log()$$),
	($$training_log(NULL)$$),
	($$training_log('m', job => 1000000)$$),
	($$training_log(version => 1, job => 1000000)$$),
	($$training_log(job => 1000000)$$),
	($$training_log(job => 0)$$),
	($$training_log(job => -9223372036854775808)$$),
	($$training_log(job => 9223372036854775807)$$)) AS v(query);

-- Rows of the log are seen and deleted by the members of their owner.
INSERT INTO lstm.job_log (job, training, epoch, loss, logged_at, owner)
SELECT 1000000, 1, e, 1.0 / e, now(), owner FROM generate_series(1, 2) e, (VALUES ('regress_lstm_alice')) o(owner)
UNION ALL SELECT 1000001, 1, 1, 1, now(), current_user;
SET ROLE regress_lstm_alice;
SELECT job, training, epoch, loss, owner FROM lstm.job_log ORDER BY job, training, epoch;
DELETE FROM lstm.job_log;
RESET ROLE;
SELECT job, epoch FROM lstm.job_log WHERE job >= 1000000;
DELETE FROM lstm.job_log WHERE job >= 1000000;

DELETE FROM lstm.trials;
SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
DROP OWNED BY regress_lstm_alice;
DROP ROLE regress_lstm_alice;
DROP TABLE wave;
DROP FUNCTION error_of, seen;
