-- temperature.sql
--		Network B: LSTM(50, relu), Dropout(0.2), Dense(1), MSE, Adam, 100 epochs,
--		batches of 32, an 80/20 split, on daily minimum temperatures of Melbourne.
--
-- The last 365 days are the test part.  Context and preparation are chosen by the
-- error on the last fifth of the days before them; nothing is chosen on the test.
-- Beside it persistence and the mean of the same day of the year.
--
-- psql variable "data": the folder with classic/.
\set ON_ERROR_STOP on
\pset footer off
SET client_min_messages = warning;
CREATE EXTENSION lstm;
RESET client_min_messages;

CREATE TABLE temperature (day date PRIMARY KEY, celsius float8);
\set file :data '/classic/daily-min-temperatures.csv'
SELECT format('COPY temperature FROM %L WITH (FORMAT csv, HEADER)', :'file') \gexec
CREATE VIEW before AS SELECT * FROM (SELECT *, row_number() OVER (ORDER BY day DESC) AS back FROM temperature) AS t WHERE back > 365;
CREATE FUNCTION network(more text) RETURNS jsonb LANGUAGE sql AS $$
SELECT '{"layers": [{"type": "lstm", "units": 50, "activation": "relu"}, {"type": "dropout", "rate": 0.2}, {"type": "dense", "units": 1}],
	"loss": "mse", "optimizer": "adam", "epochs": 100, "batch_size": 32, "validation_split": 0.2, "progress": 0}'::jsonb || more::jsonb $$;

\echo candidates: error on the last fifth of the days before the test part
CREATE TABLE candidate AS
SELECT context, more, version, epochs, seconds
FROM (VALUES (7), (14), (30), (60)) AS c (context), (VALUES ('{}'), ('{"scaling": "minmax"}')) AS o (more),
	LATERAL lstm.train('candidate', 'SELECT day, celsius FROM before', target => 'celsius', context => c.context, options => network(o.more)) AS t;
CREATE TABLE ranked AS
SELECT c.*, (m.metrics->>'mae')::float8 AS mae
FROM candidate AS c JOIN lstm.models AS m ON m.name = 'candidate' AND m.version = c.version;
SELECT context, more, round(mae::numeric, 4) AS validation_mae, epochs, round(seconds::numeric, 1) AS seconds FROM ranked ORDER BY ranked.mae;

\echo the best of them on the last 365 days, 5 seeds
CREATE TABLE score AS
SELECT seed, context, more, t.version FROM (SELECT * FROM ranked ORDER BY mae LIMIT 1) AS best, generate_series(1, 5) AS seed,
	LATERAL lstm.train('temperature', 'SELECT day, celsius FROM before', target => 'celsius', context => context,
		options => network(more) || jsonb_build_object('seed', seed)) AS t;
CREATE TABLE result AS
SELECT s.seed, e.n, e.rmse, e.baseline_rmse AS persistence
FROM score AS s, LATERAL lstm.evaluate('temperature', format('SELECT day, celsius FROM (SELECT *, row_number() OVER (ORDER BY day DESC) AS back FROM temperature) AS t WHERE back <= 365 + %s', s.context),
		baseline => 'naive', version => s.version) AS e
WHERE e.level = 'all';
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY rmse)::numeric(8,3) AS median_rmse, min(rmse)::numeric(8,3) AS least, max(rmse)::numeric(8,3) AS greatest,
	max(persistence)::numeric(8,3) AS persistence, max(n) AS days,
	(SELECT sqrt(avg((t.celsius - m.mean) ^ 2))::numeric(8,3)
		FROM (SELECT * FROM temperature ORDER BY day DESC LIMIT 365) AS t
		JOIN (SELECT to_char(day, 'MMDD') AS md, avg(celsius) AS mean FROM before GROUP BY 1) AS m ON m.md = to_char(t.day, 'MMDD')) AS day_of_year_mean
FROM result;
