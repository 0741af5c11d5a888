-- bike.sql
--		Hired bicycles in New York (Zhang et al. 2017, BikeNYC): a grid of 16 x 8 cells, two flows, one hour ahead.
--
-- Protocol: the last 240 of 1,369 hours test, RMSE over both flows and all cells in
-- original units.  The papers trained on 173 days, here 47 precede the test part.
-- Must: 6.7.  Aim: 6.2.  Control: the same with a kernel of one cell, no neighbours.
--
-- The cells see rows 168, 167, 24, 3, 2 and 1 hours before the one that is forecast,
-- beside hour and weekday; these of the hour itself join before the last layers.
-- Chosen on the last 168 hours before the test part, which stop the training too.
\ir common.sql
CREATE TABLE loaded (at timestamp, "row" int, col int, flow0 float8, flow1 float8);
\copy loaded FROM PROGRAM '"$LOAD" bike' (FORMAT csv)
CREATE TABLE hired AS SELECT *, (dense_rank() OVER (ORDER BY at) - 1)::int AS i FROM loaded;
CREATE FUNCTION first_test() RETURNS int LANGUAGE sql IMMUTABLE RETURN 1369 - 240;
CREATE VIEW training_row AS SELECT at, "row", col, flow0, flow1 FROM hired WHERE i < first_test();
-- With the week before it, that its first hour looks back on.
CREATE VIEW test_row AS SELECT at, "row", col, flow0, flow1 FROM hired WHERE i >= first_test() - 168;
ANALYZE;

\set common '"grid": "row, col", "calendar": ["hour", "weekday"], "validation_split": 0.1488, "epochs": 20, "patience": 8, "batch_size": 16, "learning_rate": 0.003, "schedule": "cosine", "clip_norm": 1, "l2": 0.00005'
\set body '"layers": [{"type": "lags", "lags": [168, 167, 24, 3, 2, 1]}, {"type": "conv_lstm", "units": 32, "kernel_size": SIZE, "name": "cells"}, {"type": "embedding", "units": 8}, {"type": "concat", "inputs": ["cells", "embedding", "future"]}, {"type": "dense", "units": 32, "activation": "relu"}, {"type": "dense"}]'

CREATE PROCEDURE bike_run(method text, seed int, options jsonb) LANGUAGE plpgsql AS $$
BEGIN
	CALL fit(method, 'SELECT * FROM training_row', 1, 168, options || jsonb_build_object('seed', seed), target => 'flow0, flow1', time_column => 'at',
		series => '"row", col');
	INSERT INTO score
	SELECT 'bicycles', method, seed, 'all', sqrt(avg((forecast_value - actual) ^ 2)), avg(abs(forecast_value - actual)), seconds_of(method)
	FROM lstm.hindcast(method, 'SELECT * FROM test_row');
END $$;

SELECT format('CALL bike_run(%L, %s, %L)', method, seed, format('{%s, %s}', :'common', replace(:'body', 'SIZE', size)))
FROM (VALUES ('ConvLSTM', '3'), ('a kernel of one cell', '1')) AS m (method, size), generate_series(1, 3) AS seed
ORDER BY method, seed \gexec

INSERT INTO score
SELECT 'bicycles', method, NULL, 'all', sqrt(avg((a.flow - b.flow) ^ 2)), avg(abs(a.flow - b.flow))
FROM (VALUES ('last hour', 1), ('the same hour yesterday', 24), ('the same hour last week', 168)) AS m (method, lag),
	(SELECT i, "row", col, flow, k FROM hired, LATERAL (VALUES (0, flow0), (1, flow1)) AS f (k, flow)) AS a
	JOIN (SELECT i, "row", col, flow, k FROM hired, LATERAL (VALUES (0, flow0), (1, flow1)) AS f (k, flow)) AS b USING ("row", col, k)
WHERE a.i >= first_test() AND b.i = a.i - lag GROUP BY method;

-- Rows after the origin, other than they were: no forecast may be another one.
CREATE TABLE changed AS
SELECT issued_at, count(*) AS values, count(*) FILTER (WHERE a.forecast_value IS DISTINCT FROM b.forecast_value) AS different
FROM lstm.hindcast('ConvLSTM', 'SELECT * FROM test_row') AS a
LEFT JOIN lstm.hindcast('ConvLSTM', 'SELECT at, "row", col, CASE WHEN at > ''2014-09-25'' THEN 500 ELSE flow0 END AS flow0,
	CASE WHEN at > ''2014-09-25'' THEN -500 ELSE flow1 END AS flow1 FROM test_row') AS b USING (issued_at, series, target, step)
GROUP BY issued_at;
\echo Bicycles: published with 173 days of training ARIMA 10.07, DeepST 7.43, ST-ResNet 6.33
SELECT method, seeds, "RMSE, median", least, greatest, "MAE, median", "trains in, s" FROM score_table ORDER BY "RMSE, median";
SELECT judge('bicycles', 'RMSE of the ConvLSTM', r(median_rmse('bicycles', 'ConvLSTM')), '<=', 6.7, 6.2),
	judge('bicycles', 'RMSE over that of one cell alone', r(median_rmse('bicycles', 'ConvLSTM') / median_rmse('bicycles', 'a kernel of one cell')), '<', 1),
	judge('bicycles', 'forecasts that differ when rows after the origin do', (SELECT sum(different) FROM changed WHERE issued_at <= '2014-09-25'), '<=', 0),
	judge('bicycles', 'of the later forecasts, those that differ', (SELECT round(1.0 * sum(different) / sum(values), 2) FROM changed WHERE issued_at > '2014-09-25'), '>=', 0.9) \g /dev/null
