-- workers.sql
--		Training on two cores beside one: jobs b, c and f of docs/performance.md.
--
-- Each job runs with E and with 2 E epochs, alternating between none and one
-- parallel worker, five times.  The difference of the two lengths is the time of
-- E epochs without reading, preparation and the worker's start; what is left over
-- of the shorter run, less the same on one core, is the start.  The models of one
-- job must be the same bytes.
\set ON_ERROR_STOP on
\pset footer off
SET client_min_messages = warning;
CREATE EXTENSION lstm;
SET lstm.progress = 0;
CREATE TABLE row AS
SELECT t, sin(t * 0.1) + 0.3 * sin(t * 0.037) AS y, cos(t * 0.3) AS a, cos(t * 0.7) AS b, cos(t * 1.1) AS c, cos(t * 1.3) AS d,
	cos(t * 1.7) AS e, cos(t * 1.9) AS f, cos(t * 2.3) AS g
FROM generate_series(1, 8784) AS t;
CREATE TABLE job (name text, source text, context int, epochs int, options jsonb);
INSERT INTO job VALUES
	('b: LSTM 50, 24 steps x 8, batch 72', 'SELECT * FROM row', 24, 8,
		'{"layers": [{"type": "lstm", "units": 50}, {"type": "dense"}], "loss": "mae", "batch_size": 72}'),
	('c: LSTM 128, LSTM 64, 48 steps x 1, batch 32', 'SELECT t, y FROM row WHERE t <= 4000', 48, 2,
		'{"layers": [{"type": "lstm", "units": 128}, {"type": "lstm", "units": 64}, {"type": "dense"}], "batch_size": 32}'),
	('f: LSTM 2 x 40, 96 steps, Gaussian, batch 64', 'SELECT * FROM row WHERE t <= 4000', 96, 3,
		'{"layers": [{"type": "lstm", "units": 40}, {"type": "lstm", "units": 40}, {"type": "dense"}], "loss": "gaussian", "batch_size": 64}');
CREATE TABLE run (job text, workers int, length int, round int, seconds float8, digest text);

SELECT format($$
	SET max_parallel_maintenance_workers = %s;
	WITH fit AS (SELECT version, seconds FROM job, lstm.train('bench', source, time_column => 't', target => 'y', context => context,
		options => options || jsonb_build_object('epochs', epochs * %s, 'validation_split', 0, 'patience', 0)) WHERE name = %L)
	INSERT INTO run SELECT %L, %s, %s, %s, seconds, version FROM fit$$, workers, length, name, name, workers, length, round)
FROM job, generate_series(1, 5) AS round, generate_series(1, 2) AS length, generate_series(0, 1) AS workers
ORDER BY name, round, length, workers \gexec
UPDATE run SET digest = md5(model::bytea) FROM lstm.model_values AS m WHERE m.name = 'bench' AND m.version = run.digest::int;

WITH median AS (
	SELECT job, workers, length, percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) AS s FROM run GROUP BY 1, 2, 3),
flat AS (
	SELECT job, max(s) FILTER (WHERE workers = 0 AND length = 1) AS one, max(s) FILTER (WHERE workers = 0 AND length = 2) AS one_twice,
		max(s) FILTER (WHERE workers = 1 AND length = 1) AS two, max(s) FILTER (WHERE workers = 1 AND length = 2) AS two_twice
	FROM median GROUP BY job)
SELECT job, round((one_twice - one)::numeric, 3) AS seconds_one_core, round((two_twice - two)::numeric, 3) AS seconds_two_cores,
	round(((one_twice - one) / (two_twice - two))::numeric, 2) AS ratio,
	round(1000 * (2 * two - two_twice - (2 * one - one_twice))::numeric) AS start_ms,
	(SELECT count(DISTINCT digest) = 2 FROM run WHERE run.job = flat.job) AS same_bytes
FROM flat ORDER BY job;
