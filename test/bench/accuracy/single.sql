-- single.sql
--		One origin per series: naive methods, Holt-Winters and others of
--		lstm.backtest, forecasts of models, metrics, intervals.
--
-- "observed" has the rows of all series; step is NULL in the training part and
-- counts from 1 in the test part.
CREATE TABLE observed (
	series	text,
	season	int,				-- rows; 1: none
	t		int,				-- from 1, on into the test part
	step	int,
	at		timestamp,
	value	float8,
	PRIMARY KEY (series, t)
);
CREATE TABLE forecast (method text, series text, step int, value float8);
CREATE TABLE bound (method text, level float8, series text, step int, lower float8, upper float8);

-- The source of the trainings: never a row of the test part.
CREATE VIEW train_row AS SELECT series, at, value FROM observed WHERE step IS NULL;
CREATE VIEW test_row AS SELECT series, season, step, at, value FROM observed WHERE step IS NOT NULL;
CREATE VIEW past AS
SELECT series, season, array_agg(value ORDER BY t) AS y, count(*)::int AS n FROM observed WHERE step IS NULL GROUP BY series, season;

-- Denominator of MASE (Hyndman and Koehler 2006), on the training part.
CREATE VIEW scale AS
SELECT series, avg(abs(value - before)) AS scale
FROM (SELECT series, value, lag(value, season) OVER (PARTITION BY series ORDER BY t) AS before FROM observed WHERE step IS NULL) AS o
GROUP BY series;

-- A method that left out a step has no score.
CREATE VIEW score AS
SELECT f.method, f.series, avg(abs(f.value - o.value)) AS mae, sqrt(avg((f.value - o.value) ^ 2)) AS rmse,
	avg(200 * abs(f.value - o.value) / (abs(o.value) + abs(f.value))) AS smape, avg(abs(f.value - o.value)) / max(s.scale) AS mase
FROM forecast AS f JOIN test_row AS o USING (series, step) JOIN scale AS s USING (series)
GROUP BY f.method, f.series
HAVING count(*) = (SELECT count(*) FROM test_row AS o WHERE o.series = f.series);

-- Naive and seasonal naive forecasts, and around the latter intervals of one width for all steps:
-- the quantile of the absolute errors of that forecast from every row of the training part.
CREATE PROCEDURE naive_forecasts() LANGUAGE sql AS $$
INSERT INTO forecast SELECT 'naive', o.series, step, y[n] FROM test_row AS o JOIN past USING (series);
INSERT INTO forecast SELECT 'seasonal naive', o.series, step, y[n - o.season + 1 + (step - 1) % o.season] FROM test_row AS o JOIN past USING (series);
INSERT INTO bound
WITH p AS MATERIALIZED (SELECT * FROM past),
d AS (SELECT DISTINCT series, season * ((step - 1) / season + 1) AS ahead FROM test_row),
e AS MATERIALIZED (SELECT series, abs(y[i] - y[i - ahead]) AS e FROM d JOIN p USING (series), generate_series(ahead + 1, n) AS i),
w AS (SELECT series, level, percentile_cont(level) WITHIN GROUP (ORDER BY e) AS width FROM e, level GROUP BY series, level)
SELECT 'constant width', level, series, step, value - width, value + width
FROM forecast JOIN w USING (series) WHERE method = 'seasonal naive' $$;

-- Other methods of lstm.backtest, which fits them at the same origin: one fold, the network is a
-- token.  Time is the number of the row, from the origin on, so that all series end at once.
CREATE VIEW all_row AS SELECT series, t - n AS place, value FROM observed JOIN (SELECT series, n FROM past) AS p USING (series);
CREATE TABLE classical (method text, series text, mae float8, rmse float8, smape float8, mase float8);
CREATE PROCEDURE classical_scores(source text, name text, horizon int, season int) LANGUAGE sql AS $$
INSERT INTO classical
SELECT replace(initcap(replace(b.method, '_', '-')), 'Ar', 'AR'), name, b.mae, b.rmse, b.smape, b.mase
FROM lstm.backtest(source, time_column => 'place', target => 'value', horizon => horizon, context => 1, folds => 1,
	options => '{"layers": [{"type": "flatten"}, {"type": "dense"}], "epochs": 1, "members": ["network"]}'::jsonb || jsonb_build_object('season', season)) AS b
WHERE b.fold IS NULL AND b.method IN ('holt_winters', 'theta', 'ar') $$;

-- The forecasts of a model that was trained on train_row, or on the one series of that name.
CREATE PROCEDURE model_forecasts(method text, model text, name text DEFAULT NULL) LANGUAGE sql AS $$
INSERT INTO forecast
SELECT model_forecasts.method, o.series, o.step, f.forecast_value
FROM lstm.forecast(model) AS f JOIN test_row AS o ON o.series = coalesce(name, f.series) AND o.at = f.forecast_timestamp::timestamp $$;
CREATE PROCEDURE model_bounds(model text, name text DEFAULT NULL) LANGUAGE sql AS $$
INSERT INTO bound
SELECT 'model', level, o.series, o.step, f.prediction_interval_lower_bound, f.prediction_interval_upper_bound
FROM level, LATERAL lstm.forecast(model, confidence_level => level) AS f
	JOIN test_row AS o ON o.series = coalesce(name, f.series) AND o.at = f.forecast_timestamp::timestamp
WHERE f.prediction_interval_lower_bound IS NOT NULL $$;

-- Winkler scores are in units of the series' scale, so that they can be averaged over series.
CREATE PROCEDURE count_intervals(name text) LANGUAGE sql AS $$
INSERT INTO interval_step
SELECT name, b.method, b.level, b.step, count(*), count(*) FILTER (WHERE o.value BETWEEN b.lower AND b.upper),
	sum(winkler(o.value, b.lower, b.upper, b.level) / scale)
FROM bound AS b JOIN test_row AS o USING (series, step) JOIN scale USING (series)
GROUP BY b.method, b.level, b.step $$;
