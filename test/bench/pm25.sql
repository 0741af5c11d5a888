-- pm25.sql
--		Beijing PM2.5, hourly 2010 to 2014: a published LSTM network and protocol,
--		and a network chosen on the training year.
--
-- Protocol (Brownlee 2017, "Multivariate Time Series Forecasting with LSTMs in
-- Keras"): without the first 24 rows, missing pm2.5 as 0, wind direction as an
-- alphabetical label, one lag of 8 variables, the first 8,760 pairs train, the
-- other 35,039 test; LSTM(50) and Dense(1), MAE, Adam, 50 epochs, batches of 72
-- in order.  Scaling is fitted on the training pairs only.  Published: test RMSE
-- 26.496; persistence 26.559, linear regression 26.247.
--
-- psql variable "data": the folder with beijing_pm25/.
\set ON_ERROR_STOP on
\pset footer off
SET client_min_messages = warning;
CREATE EXTENSION lstm;
RESET client_min_messages;

CREATE TABLE prsa (no int, year int, month int, day int, hour int, pm25 float8, dewp float8,
	temp float8, pres float8, cbwd text, iws float8, "is" float8, ir float8);
\set file :data '/beijing_pm25/PRSA_data_2010.1.1-2014.12.31.csv'
CREATE TEMP TABLE copy_command AS SELECT format('COPY prsa FROM %L WITH (FORMAT csv, HEADER, NULL ''NA'')', :'file') AS text;
SELECT text FROM copy_command \gexec

CREATE VIEW pollution AS
SELECT make_timestamp(year, month, day, hour, 0, 0) AS ts, coalesce(pm25, 0) AS pm25, dewp, temp, pres,
	(dense_rank() OVER (ORDER BY cbwd COLLATE "C") - 1)::int AS cbwd, iws, "is", ir, no
FROM prsa WHERE no > 24;

\echo (a) the published network: test RMSE of 5 seeds
CREATE TABLE score (network text, seed int, rmse float8, persistence float8, mae float8, seconds float8);
SELECT format($$
	WITH fit AS (
		SELECT seconds FROM lstm.train('pm25_%1$s',
			'SELECT ts, pm25, dewp, temp, pres, cbwd, iws, "is", ir FROM pollution WHERE no <= 24 + 8761',
			target => 'pm25', past_covariates => 'dewp, temp, pres, cbwd, iws, "is", ir',
			horizon => 1, context => 1, options => '{"layers": [{"type": "lstm", "units": 50}, {"type": "dense", "units": 1}],
				"loss": "mae", "optimizer": "adam", "epochs": 50, "batch_size": 72, "shuffle": false, "scaling": "minmax",
				"validation_split": 0, "patience": 0, "progress": 0, "seed": %1$s}'))
	INSERT INTO score (network, seed, seconds) SELECT 'published', %1$s, seconds FROM fit$$, seed),
	format($$
	UPDATE score SET rmse = e.rmse, persistence = e.baseline_rmse, mae = e.mae
	FROM lstm.evaluate('pm25_%1$s', 'SELECT ts, pm25, dewp, temp, pres, cbwd, iws, "is", ir FROM pollution WHERE no > 24 + 8760',
		baseline => 'naive') AS e
	WHERE e.level = 'all' AND score.seed = %1$s$$, seed)
FROM generate_series(1, 5) AS seed \gexec
SELECT seed, round(rmse::numeric, 3) AS test_rmse, round(persistence::numeric, 3) AS persistence,
	round(seconds::numeric, 2) AS train_seconds FROM score ORDER BY seed;
SELECT round(percentile_cont(0.5) WITHIN GROUP (ORDER BY rmse)::numeric, 3) AS median_test_rmse,
	round(percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds)::numeric, 2) AS median_seconds FROM score;

\echo
\echo (b) a network chosen on the training year: candidates by MSE on its last fifth
CREATE FUNCTION network(units int, more text) RETURNS jsonb LANGUAGE sql AS $$
SELECT jsonb_build_object('units', units) || '{"loss": "mse", "residual": true, "epochs": 60, "batch_size": 72, "progress": 0}'::jsonb || more::jsonb $$;
CREATE TABLE candidate AS
SELECT context, units, more, t.validation_loss, t.epochs, t.seconds
FROM (VALUES (1), (3), (6), (24)) AS c (context), (VALUES (16), (50)) AS u (units),
	(VALUES ('{}'), ('{"dropout": 0.2}'), ('{"learning_rate": 0.0003}')) AS o (more),
	LATERAL lstm.train('candidate', 'SELECT ts, pm25, dewp, temp, pres, cbwd, iws, "is", ir FROM pollution WHERE no <= 24 + 8761',
		target => 'pm25', past_covariates => 'dewp, temp, pres, cbwd, iws, "is", ir', horizon => 1, context => context,
		options => network(units, more)) AS t;
SELECT context, units, more, round(validation_loss::numeric, 5) AS validation_loss, epochs, round(seconds::numeric, 1) AS seconds
FROM candidate ORDER BY candidate.validation_loss LIMIT 6;
CREATE TABLE chosen AS
SELECT seed, t.version, context, t.seconds
FROM (SELECT * FROM candidate ORDER BY validation_loss LIMIT 1) AS best, generate_series(1, 5) AS seed,
	LATERAL lstm.train('chosen', 'SELECT ts, pm25, dewp, temp, pres, cbwd, iws, "is", ir FROM pollution WHERE no <= 24 + 8761',
		target => 'pm25', past_covariates => 'dewp, temp, pres, cbwd, iws, "is", ir', horizon => 1, context => context,
		options => network(units, more) || jsonb_build_object('seed', seed)) AS t;
CREATE TABLE chosen_score AS
SELECT c.seed, c.seconds, e.n, e.rmse, e.mae, e.baseline_rmse AS persistence
FROM chosen AS c, LATERAL lstm.evaluate('chosen', format('SELECT ts, pm25, dewp, temp, pres, cbwd, iws, "is", ir FROM pollution WHERE no > 24 + 8761 - %s', context),
	baseline => 'naive', version => c.version) AS e
WHERE e.level = 'all';
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY rmse)::numeric(8,3) AS median_test_rmse, min(rmse)::numeric(8,3) AS least, max(rmse)::numeric(8,3) AS greatest,
	max(persistence)::numeric(8,3) AS persistence, max(n) AS pairs, percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds)::numeric(8,2) AS median_seconds
FROM chosen_score;
