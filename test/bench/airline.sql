-- airline.sql
--		Network C: LSTM(128), LSTM(64), Dense(1), MSE, Adam, 10 epochs, on airline
--		passengers 1949 to 1960: 96 months train, 48 test, one step ahead.
--
-- Published for LSTM networks on this split: test RMSE 47.53 to 58.88 (thousand
-- passengers); persistence 48.66.  Context and preparation are chosen by the error
-- on the last quarter of the 96 training months, then trained on all 96.
--
-- psql variable "data": the folder with classic/.
\set ON_ERROR_STOP on
\pset footer off
SET client_min_messages = warning;
CREATE EXTENSION lstm;
RESET client_min_messages;

CREATE TABLE airline (month date PRIMARY KEY, passengers float8);
CREATE TEMP TABLE raw (month text, passengers float8);
\set file :data '/classic/airline-passengers.csv'
SELECT format('COPY raw FROM %L WITH (FORMAT csv, HEADER)', :'file') \gexec
INSERT INTO airline SELECT (month || '-01')::date, passengers FROM raw;
CREATE FUNCTION network(more text) RETURNS jsonb LANGUAGE sql AS $$
SELECT '{"layers": [{"type": "lstm", "units": 128, "return_sequences": true}, {"type": "lstm", "units": 64}, {"type": "dense", "units": 1}],
	"loss": "mse", "optimizer": "adam", "epochs": 10, "batch_size": 1, "patience": 0, "progress": 0}'::jsonb || more::jsonb $$;

\echo candidates: error on the last quarter of the training months
SET client_min_messages = error;
CREATE TABLE candidate AS
SELECT context, more, version
FROM (VALUES (1), (3), (6), (12)) AS c (context),
	(VALUES ('{}'), ('{"scaling": "minmax"}'), ('{"scaling": "log1p"}'), ('{"difference": 1}'), ('{"scaling": "log1p", "difference": 1}'), ('{"difference": 12}'),
		('{"scaling": "log1p", "difference": 12}')) AS o (more),
	LATERAL lstm.train('candidate', $$SELECT * FROM airline WHERE month < '1957-01-01'$$, context => c.context,
		options => network(o.more) || '{"validation_split": 0.25}') AS t;
RESET client_min_messages;
CREATE TABLE ranked AS
SELECT c.*, (m.metrics->>'mae')::float8 AS mae
FROM candidate AS c JOIN lstm.models AS m ON m.name = 'candidate' AND m.version = c.version;
SELECT context, more, round(mae::numeric, 2) AS validation_mae FROM ranked ORDER BY ranked.mae LIMIT 8;

\echo the best of them on the 48 test months, 5 seeds
CREATE TABLE score AS
SELECT seed, context, more, t.version
FROM (SELECT * FROM ranked ORDER BY mae LIMIT 1) AS best, generate_series(1, 5) AS seed,
	LATERAL lstm.train('airline', $$SELECT * FROM airline WHERE month < '1957-01-01'$$, context => context,
		options => network(more) || jsonb_build_object('seed', seed, 'validation_split', 0)) AS t;
CREATE TABLE result AS
SELECT s.seed, e.n, e.rmse, b.baseline_rmse AS persistence, e.baseline_rmse AS seasonal_naive
FROM score AS s, LATERAL (SELECT format($$SELECT * FROM airline WHERE month >= date '1957-01-01' - interval '%s months'$$,
		s.context + coalesce((s.more::jsonb->>'difference')::int, 0)) AS source) AS q,
	LATERAL lstm.evaluate('airline', q.source, baseline => 'seasonal_naive', version => s.version) AS e,
	LATERAL lstm.evaluate('airline', q.source, baseline => 'naive', version => s.version) AS b
WHERE e.level = 'all' AND b.level = 'all';
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY rmse)::numeric(8,2) AS median_rmse, min(rmse)::numeric(8,2) AS least, max(rmse)::numeric(8,2) AS greatest,
	max(persistence)::numeric(8,2) AS persistence, max(seasonal_naive)::numeric(8,2) AS seasonal_naive, max(n) AS months FROM result;
