-- Forecasts over a grid: what moves is seen to move, and nothing is known before its time.
\set VERBOSITY terse
SET client_min_messages = error;
SET lstm.progress = 0;
CREATE SCHEMA grid_forecast;
SET search_path = grid_forecast;

-- A blob that bounces off the edges of 9 x 9 cells, and a little noise.
CREATE FUNCTION bounced(way float8, size float8) RETURNS float8 LANGUAGE sql IMMUTABLE
RETURN size - abs(size - (way::numeric % (2 * size)::numeric)::float8);
CREATE TABLE frame AS
SELECT i, y, x, exp(-((y - bounced(2.3 + 0.83 * i, 8)) ^ 2 + (x - bounced(5.9 + 1.27 * i, 8)) ^ 2) / 3)
	+ 0.05 * ((hashint4(i * 100 + y * 9 + x) & 1023) / 511.5 - 1) AS v
FROM generate_series(0, 299) AS i, generate_series(0, 8) AS y, generate_series(0, 8) AS x;
CREATE FUNCTION fit(model text, layers text, horizon int DEFAULT 1, extra text DEFAULT '{}') RETURNS int LANGUAGE sql
RETURN (SELECT version FROM lstm.train(model, 'SELECT i, y, x, v FROM frame WHERE i < 250', 'v', 'i', series => 'y, x', horizon => horizon, context => 5,
	options => format('{"grid": "y, x", "validation_split": 0, "patience": 0, "epochs": 25, "batch_size": 8, "learning_rate": 0.01,
		"schedule": "cosine", "clip_norm": 1, "layers": [%s]}', layers)::jsonb || extra::jsonb));
CREATE FUNCTION rmse(model text) RETURNS float8 LANGUAGE sql
RETURN (SELECT sqrt(avg((forecast_value - actual) ^ 2)) FROM lstm.hindcast(model, 'SELECT i, y, x, v FROM frame WHERE i >= 245'));
SELECT sqrt(avg((a.v - b.v) ^ 2)) AS persistence FROM frame a JOIN frame b USING (y, x) WHERE a.i >= 250 AND b.i = a.i - 1 \gset

-- motion is seen by who looks at the cells around
SELECT fit('moving', '{"type": "conv_lstm", "units": 6, "kernel_size": 5}, {"type": "dense"}') AS version;
SELECT fit('still', '{"type": "conv_lstm", "units": 6, "kernel_size": 1}, {"type": "dense"}') AS version;
SELECT rmse('moving') < 0.6 * :persistence AS moves, rmse('moving') < 0.8 * rmse('still') AS neighbours_show_it;

-- rows after the origin change no forecast, rows before it do
SELECT a.forecast_index > 280 AS later, bool_and(a.forecast_value = b.forecast_value) AS same, count(*) AS values
FROM lstm.hindcast('moving', 'SELECT i, y, x, v FROM frame WHERE i >= 245') AS a
JOIN lstm.hindcast('moving', 'SELECT i, y, x, CASE WHEN i >= 280 THEN 7 ELSE v END AS v FROM frame WHERE i >= 245') AS b USING (series, forecast_index, step)
GROUP BY 1 ORDER BY 1;

-- picked rows, what is learned for each cell, and what is known of the step ahead, joined at the head
CREATE VIEW tides AS SELECT i, y, x, v + sin(i * 0.7) * y AS v, sin(i * 0.7) AS tide FROM frame;
CREATE FUNCTION tide(model text, head text) RETURNS float8 LANGUAGE sql AS $$
SELECT version FROM lstm.train(model, 'SELECT * FROM tides WHERE i < 250', 'v', 'i', series => 'y, x', future_covariates => 'tide', horizon => 1, context => 6,
	options => format('{"grid": "y, x", "validation_split": 0, "patience": 0, "epochs": 12, "batch_size": 8, "learning_rate": 0.01, "clip_norm": 1, "layers": [
		{"type": "lags", "lags": [6, 2, 1]}, {"type": "conv_lstm", "units": 6, "name": "cells"}, {"type": "embedding", "units": 4},
		{"type": "concat", "inputs": [%s]}, {"type": "dense", "units": 8, "activation": "relu"}, {"type": "dense"}]}', head)::jsonb);
SELECT sqrt(avg((forecast_value - actual) ^ 2)) FROM lstm.hindcast(model, 'SELECT * FROM tides WHERE i >= 244') $$;
SELECT tide('high', '"cells", "embedding", "future"') < 0.1 * stddev(v) AS learned FROM tides WHERE i >= 250;
SELECT name, inputs, output_shape FROM lstm.layers('high');

-- several steps at once; cells of a pooled grid have no place of their own, and a plan above the limit is refused
SELECT fit('ahead', '{"type": "conv_lstm", "units": 4}, {"type": "dense"}', 3, '{"epochs": 1}') AS version;
SELECT step, count(*), count(DISTINCT series) AS cells, bool_and(forecast_value IS NOT NULL) AS known FROM lstm.forecast('ahead') GROUP BY step ORDER BY step;
\set ON_ERROR_STOP off
SELECT fit('pooled', '{"type": "max_pool"}, {"type": "conv_lstm", "units": 4}, {"type": "dense"}', 1, '{"epochs": 1}');
\set VERBOSITY sqlstate
SET lstm.max_memory = '16MB';
SELECT fit('large', '{"type": "conv_lstm", "units": 256}, {"type": "dense"}', 1, '{"epochs": 1}');
RESET lstm.max_memory;
SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
DROP SCHEMA grid_forecast CASCADE;
