-- windows.sql
--		Every window of a test part of several columns: one forecast from each row,
--		errors over all steps and columns, on the z-scored scale.
--
-- "z" has the z-scored rows by number; row "first" is the first that a window forecasts,
-- row "last" the last one.
CREATE TABLE z (i int, at timestamp, target text, value float8, PRIMARY KEY (target, i));
CREATE TABLE part (trained int, first int, last int);	-- trained: rows of the training part
CREATE TABLE window_score (data text, method text, target text, step int, n bigint, se float8, ae float8);
CREATE VIEW window_table AS
SELECT data, method, sum(se) / sum(n) AS mse, sum(ae) / sum(n) AS mae, CASE WHEN count(step) > 0 THEN r(sum(n) / count(*), 0) END AS windows
FROM window_score GROUP BY data, method;

-- Rows ahead of which a naive forecast looks back: so many seasons as it takes.
CREATE FUNCTION lag_of(step int, season int) RETURNS int LANGUAGE sql IMMUTABLE RETURN season * ((step - 1) / season + 1);

-- A naive forecast with intervals of one width: the quantile of the absolute errors of the same
-- forecast within the training part.  season 1: the last known value.
CREATE PROCEDURE naive_windows(name text, method text, horizon int, season int) LANGUAGE sql AS $$
WITH y AS MATERIALIZED (SELECT target, array_agg(value ORDER BY i) AS y FROM z GROUP BY target),
p AS MATERIALIZED (
	SELECT target, abs(y[i] - y[i - ahead]) AS e
	FROM y, part, (SELECT DISTINCT lag_of(s, season) AS ahead FROM generate_series(1, horizon) AS s) AS d, generate_series(ahead + 1, trained) AS i),
w AS MATERIALIZED (SELECT target, level, percentile_cont(level) WITHIN GROUP (ORDER BY e) AS width FROM p, level GROUP BY target, level),
a AS MATERIALIZED (
	SELECT target, step, y[i] AS actual, y[i - lag_of(step, season)] AS point
	FROM y, part, generate_series(1, horizon) AS step, generate_series(first + step - 1, last - horizon + step) AS i),
s AS (
	INSERT INTO window_score
	SELECT name, method, target, step, count(*), sum((point - actual) ^ 2), sum(abs(point - actual)) FROM a GROUP BY target, step)
INSERT INTO interval_step
SELECT name, 'constant width, ' || method, level, step, count(*), count(*) FILTER (WHERE abs(actual - point) <= width),
	sum(winkler(actual, point - width, point + width, level))
FROM a JOIN w USING (target) GROUP BY level, step $$;

-- The windows of a model with intervals of one level; the errors of its points with the first.
CREATE PROCEDURE model_windows(name text, method text, model text, source text, horizon int, level float8) LANGUAGE sql AS $$
WITH a AS MATERIALIZED (
	SELECT target, step, count(*) AS n, sum((forecast_value - actual) ^ 2) AS se, sum(abs(forecast_value - actual)) AS ae,
		count(*) FILTER (WHERE actual BETWEEN prediction_interval_lower_bound AND prediction_interval_upper_bound) AS held,
		sum(winkler(actual, prediction_interval_lower_bound, prediction_interval_upper_bound, level)) AS winkler
	FROM lstm.hindcast(model, source, confidence_level => level)
	WHERE issued_at::timestamp BETWEEN (SELECT min(at) FROM z, part WHERE i = first - 1) AND (SELECT min(at) FROM z, part WHERE i = last - horizon)
	GROUP BY target, step),
s AS (INSERT INTO window_score SELECT name, method, target, step, n, se, ae FROM a WHERE level = (SELECT min(l.level) FROM level AS l))
INSERT INTO interval_step
SELECT name, method, level, step, sum(n), sum(held), sum(winkler) FROM a WHERE method = 'model' AND winkler IS NOT NULL GROUP BY step $$;

-- Holt-Winters by lstm.evaluate, fitted to the rows of the source before an origin.  Its origins
-- go on to the last row, where forecasts are shorter.
CREATE PROCEDURE classical_windows(name text, model text, source text) LANGUAGE sql AS $$
INSERT INTO window_score
SELECT name, 'Holt-Winters', e.target, NULL, 1, e.baseline_rmse ^ 2, e.baseline_mae
FROM lstm.evaluate(model, source, baseline => 'holt_winters') AS e WHERE e.level = 'target' $$;
