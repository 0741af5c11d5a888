-- evaluate.sql
--		lstm.hindcast and lstm.evaluate agree with arithmetic; intervals keep what they promise.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ': ' || SQLERRM;
END $$;
-- A fixed noise that is close to normal: sums of twelve uniform numbers from md5.
CREATE FUNCTION noise(i int) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
	SELECT sum(('x' || substr(md5(i::text || '/' || k), 1, 7))::bit(28)::int / 268435456.0)::float8 - 6 FROM generate_series(1, 12) k
$$;
CREATE TABLE noisy AS
	SELECT timestamp '2024-01-01' + i * interval '1 hour' AS ts, place,
		20 + 5 * sin(i * 2 * pi() / 24) + noise(i + 1000 * length(place)) AS y, 3 + noise(i) AS z
	FROM generate_series(0, 399) i, (VALUES ('a'), ('bb')) AS p(place);
UPDATE noisy SET y = NULL WHERE extract(hour FROM ts) = 13 AND extract(day FROM ts) % 3 = 0;
SELECT version FROM lstm.train('noisy', 'noisy', 'y, z', horizon => 3, context => 24, series => 'place',
	options => '{"units": 8, "epochs": 12, "learning_rate": 0.01, "loss": "gaussian"}');

-- by hand
CREATE TABLE issued AS SELECT *, forecast_value - actual AS error FROM lstm.hindcast('noisy', stride => 2);
SELECT count(*) AS rows, count(actual) AS actuals, count(DISTINCT (series, issued_at)) AS origins FROM issued;
SELECT bool_and(forecast_timestamp = issued_at + step * interval '1 hour') AS times,
	bool_and(prediction_interval_lower_bound <= forecast_value AND forecast_value <= prediction_interval_upper_bound) AS ordered,
	bool_and(forecast_index IS NULL) AS no_index FROM issued;
SELECT bool_and(i.actual IS NOT DISTINCT FROM CASE target WHEN 'y' THEN n.y ELSE n.z END) AS actuals_are_rows
FROM issued i LEFT JOIN noisy n ON n.ts AT TIME ZONE current_setting('timezone') = i.forecast_timestamp AND n.place = i.series;
SELECT e.level, e.series, e.target, e.n = h.n AS n, abs(e.mae - h.mae) < 1e-9 AS mae, abs(e.mse - h.mse) < 1e-9 AS mse,
	abs(e.rmse - sqrt(h.mse)) < 1e-9 AS rmse, abs(e.mape - h.mape) < 1e-9 AS mape, abs(e.smape - h.smape) < 1e-9 AS smape,
	abs(e.coverage - h.coverage) < 1e-9 AS coverage
FROM lstm.evaluate('noisy', stride => 2) e JOIN (
	SELECT series, target, count(actual) AS n, avg(abs(error)) AS mae, avg(error ^ 2) AS mse, avg(100 * abs(error / actual)) AS mape,
		avg(200 * abs(error) / (abs(actual) + abs(forecast_value))) AS smape,
		avg((actual BETWEEN prediction_interval_lower_bound AND prediction_interval_upper_bound)::int) FILTER (WHERE actual IS NOT NULL) AS coverage
	FROM issued GROUP BY GROUPING SETS ((series, target), (target))) h
	ON h.target = e.target AND h.series IS NOT DISTINCT FROM e.series
ORDER BY e.level, e.series, e.target;
SELECT abs(skill - (1 - mae / baseline_mae)) < 1e-9 AS skill FROM lstm.evaluate('noisy') WHERE target = 'z' AND level = 'target';
SELECT a.n = sum(t.n) AS n, abs(a.mae - avg(t.mae)) < 1e-9 AS mae, abs(a.rmse - avg(t.rmse)) < 1e-9 AS rmse
FROM lstm.evaluate('noisy') a, lstm.evaluate('noisy') t WHERE a.level = 'all' AND t.level = 'target' GROUP BY a.n, a.mae, a.rmse;

-- intervals by hand: coverage and winkler of any level, deciles from the intervals around the median, by step too
CREATE FUNCTION pinball(q float8, actual float8, forecast float8) RETURNS float8 LANGUAGE sql IMMUTABLE AS 'SELECT CASE WHEN actual >= forecast THEN q * (actual - forecast) ELSE (1 - q) * (forecast - actual) END';
CREATE TABLE deciles AS
	SELECT series, target, issued_at, step, actual, forecast_value AS point, level, prediction_interval_lower_bound AS low, prediction_interval_upper_bound AS high
	FROM unnest('{0.2,0.4,0.6,0.8,0.5,0.75,0.999}'::float8[]) level, lstm.hindcast('noisy', stride => 2, confidence_level => level) WHERE actual IS NOT NULL;
SELECT asked, e.level, target, e.step, abs(e.coverage - h.coverage) < 1e-9 AS coverage, abs(e.winkler - h.winkler) < 1e-9 AS winkler, e.n = h.n AS n
FROM (VALUES (0.5::float8), (0.75), (0.999)) AS l(asked), LATERAL (SELECT * FROM lstm.evaluate('noisy', stride => 2, confidence_level => asked, by_step => true)) e
	JOIN LATERAL (SELECT target, step, count(*) AS n, avg((actual BETWEEN low AND high)::int) AS coverage,
			avg(high - low + 2 / (1 - asked) * (greatest(low - actual, 0) + greatest(actual - high, 0))) AS winkler
		FROM deciles d WHERE d.level = asked GROUP BY GROUPING SETS ((target), (target, step))) h USING (target)
WHERE e.level IN ('target', 'step') AND e.step IS NOT DISTINCT FROM h.step AND target = 'y' ORDER BY asked, e.level, target, e.step;
SELECT e.level, e.target, e.step, abs(e.pinball - h.loss) < 1e-9 AS pinball, abs(e.crps - 2 * h.loss) < 1e-9 AS crps
FROM lstm.evaluate('noisy', stride => 2, by_step => true) e JOIN (
	SELECT target, step, (sum(pinball(0.5 - level / 2, actual, low) + pinball(0.5 + level / 2, actual, high))
		+ sum(pinball(0.5, actual, point)) FILTER (WHERE level = 0.2)) / 9 / count(*) FILTER (WHERE level = 0.2) AS loss
	FROM deciles WHERE level IN (0.2, 0.4, 0.6, 0.8) GROUP BY GROUPING SETS ((target), (target, step))) h ON h.target = e.target AND h.step IS NOT DISTINCT FROM e.step
WHERE e.level IN ('target', 'step') ORDER BY e.level, e.target, e.step;
-- the scales of mase and rmsse are each series' seasonal differences in the source
SELECT e.series, abs(e.mase - h.mae / s.scale) < 1e-9 AS mase, abs(e.rmsse - sqrt(h.mse) / s.root_scale) < 1e-9 AS rmsse
FROM lstm.evaluate('noisy', stride => 2) e
	JOIN (SELECT series, avg(abs(error)) AS mae, avg(error ^ 2) AS mse FROM issued WHERE target = 'z' GROUP BY series) h USING (series)
	JOIN (SELECT a.place AS series, avg(abs(a.z - b.z)) AS scale, sqrt(avg((a.z - b.z) ^ 2)) AS root_scale
		FROM noisy a JOIN noisy b ON b.place = a.place AND b.ts = a.ts - interval '1 day' GROUP BY a.place) s USING (series)
WHERE e.target = 'z' AND e.level = 'series' ORDER BY e.series;
-- rows by step are extra rows: the others stay as they are
SELECT count(*) AS differing FROM (SELECT * FROM lstm.evaluate('noisy') EXCEPT SELECT * FROM lstm.evaluate('noisy', by_step => true)) d;
SELECT level, count(*) AS rows, count(step) AS steps, count(series) AS series FROM lstm.evaluate('noisy', by_step => true) GROUP BY level ORDER BY level;
DROP TABLE deciles;
DROP FUNCTION pinball;

-- fitted baselines: all of them forecast, none sees what comes
SELECT b, count(baseline_mae) AS judged, bool_and(baseline_mae < 3) AS sensible
FROM unnest('{naive,seasonal_naive,mean,drift,holt_winters,holt_winters_multiplicative,holt_winters_damped,holt_winters_multiplicative_damped,theta,ar,auto}'::text[]) b,
	lstm.evaluate('noisy', stride => 3, baseline => b) WHERE target = 'z' GROUP BY b ORDER BY b;
SELECT b, bool_and(x.n = y.n AND x.baseline_mae = y.baseline_mae) AS is_fitted_to_the_past
FROM unnest('{mean,drift,holt_winters,holt_winters_multiplicative_damped,theta,ar}'::text[]) b,
	LATERAL lstm.evaluate('noisy', stride => 60000, baseline => b) x JOIN LATERAL
	lstm.evaluate('noisy', 'SELECT ts, place, y, CASE WHEN ts < ''2024-01-03'' THEN z ELSE 1000 * z END AS z FROM noisy', stride => 60000, baseline => b) y
	USING (level, target) WHERE level = 'target' AND target = 'z' GROUP BY b ORDER BY b;
SELECT error_of($$SELECT * FROM lstm.evaluate('noisy', baseline => 'best')$$);
SELECT error_of(format('SELECT * FROM lstm.evaluate(%L, %s)', 'noisy', a)) FROM unnest(ARRAY['confidence_level => 0', 'confidence_level => 1', 'confidence_level => ''NaN''',
	'confidence_level => -1', 'confidence_level => NULL', 'by_step => NULL', 'baseline => NULL', 'stride => 0', 'horizon => 70000']) a;

-- the naive baselines by hand, one step ahead
CREATE VIEW numbered AS SELECT *, row_number() OVER (PARTITION BY place ORDER BY ts) AS i FROM noisy;
SELECT bool_and(abs(e.baseline_mae - b.mae) < 1e-9) AS baselines FROM (
	SELECT 'naive' AS kind, avg(abs(z - before)) AS mae FROM (SELECT z, i, lag(z) OVER w AS before FROM numbered WINDOW w AS (PARTITION BY place ORDER BY i)) n WHERE i > 24
	UNION ALL
	SELECT 'mean', avg(abs(z - before)) FROM (SELECT z, i, avg(z) OVER w AS before FROM numbered WINDOW w AS (PARTITION BY place ORDER BY i ROWS BETWEEN UNBOUNDED PRECEDING AND 1 PRECEDING)) n WHERE i > 24
	UNION ALL
	SELECT 'seasonal_naive', avg(abs(z - before)) FROM (SELECT z, i, lag(z, 24) OVER w AS before FROM numbered WINDOW w AS (PARTITION BY place ORDER BY i)) n WHERE i > 24) b,
	LATERAL lstm.evaluate('noisy', horizon => 1, baseline => kind) e
WHERE e.level = 'target' AND e.target = 'z';
SELECT a.baseline_mae = s.baseline_mae AS auto_is_seasonal FROM lstm.evaluate('noisy') a, lstm.evaluate('noisy', baseline => 'seasonal_naive') s
WHERE a.level = 'all' AND s.level = 'all';
DROP VIEW numbered;

-- intervals of every loss that has them cover about what they say, in rows that the network has not seen
CREATE TABLE white AS SELECT i, 100 + 10 * noise(i) AS y FROM generate_series(1, 1200) i;
CREATE FUNCTION coverage_of(loss text, level float8) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE result float8;
BEGIN
	PERFORM lstm.train('white', 'SELECT * FROM white WHERE i <= 800', 'y', 'i', context => 4, options => jsonb_build_object(
		'units', 4, 'epochs', 30, 'learning_rate', 0.01, 'residual', false, 'loss', loss)
		|| CASE loss WHEN 'quantile' THEN jsonb '{"quantiles": [0.025, 0.1, 0.25, 0.5, 0.75, 0.9, 0.975]}' ELSE '{}' END);
	SELECT avg((actual BETWEEN prediction_interval_lower_bound AND prediction_interval_upper_bound)::int) INTO result
	FROM lstm.hindcast('white', 'SELECT * FROM white WHERE i > 800', confidence_level => level);
	PERFORM lstm.drop_model('white');
	RETURN result;
END $$;
SELECT loss, coverage_of(loss, 0.95) BETWEEN 0.85 AND 0.99 AS level_95, coverage_of(loss, 0.5) BETWEEN 0.4 AND 0.6 AS level_50
FROM unnest('{gaussian,student_t,quantile}'::text[]) loss;

-- bounds hold for forecasts and intervals, also when the network would go below
CREATE TABLE counts AS SELECT i, greatest(0, round(3 * noise(i)))::int AS y FROM generate_series(1, 300) i;
SELECT version FROM lstm.train('free', 'counts', 'y', 'i', context => 4, horizon => 5,
	options => '{"units": 4, "epochs": 5, "loss": "gaussian"}');
SELECT version FROM lstm.train('bound', 'counts', 'y', 'i', context => 4, horizon => 5,
	options => '{"units": 4, "epochs": 5, "loss": "gaussian", "bounds": [0, null]}');
SELECT version FROM lstm.train('both', 'counts', 'y', 'i', context => 4, horizon => 5,
	options => '{"units": 4, "epochs": 5, "loss": "gaussian", "bounds": [1, 2]}');
SELECT model, min(low) < 0 AS below, min(low) >= 0 AND min(value) >= 0 AS not_negative,
	bool_and(low BETWEEN 1 AND 2 AND value BETWEEN 1 AND 2 AND high BETWEEN 1 AND 2) AS in_1_to_2, bool_and(low <= value AND value <= high) AS ordered
FROM (VALUES ('free'), ('bound'), ('both')) AS m(model),
	LATERAL (SELECT forecast_value, prediction_interval_lower_bound, prediction_interval_upper_bound FROM lstm.hindcast(model)
		UNION ALL SELECT forecast_value, prediction_interval_lower_bound, prediction_interval_upper_bound FROM lstm.forecast(model, 20)) AS f(value, low, high)
GROUP BY model ORDER BY model;

-- a model without intervals has NULL bounds, no coverage and no score of them
SELECT version FROM lstm.train('plain', 'counts', 'y', 'i', context => 4, options => '{"units": 2, "epochs": 1, "calibration": "none"}');
SELECT count(prediction_interval_lower_bound) AS low, count(prediction_interval_upper_bound) AS high FROM lstm.hindcast('plain');
SELECT count(coverage) AS coverage, count(winkler) AS winkler, count(pinball) AS pinball, count(crps) AS crps FROM lstm.evaluate('plain');
-- origins: every row with the context before it, every stride-th of them
SELECT count(*), min(forecast_index), max(forecast_index), count(issued_at) AS issued FROM lstm.hindcast('plain');
SELECT count(*), min(forecast_index), max(forecast_index) FROM lstm.hindcast('plain', stride => 100);
SELECT count(*), count(actual) AS actuals, max(forecast_index) FROM lstm.hindcast('plain', horizon => 4);

SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
DROP TABLE noisy, issued, white, counts;
DROP FUNCTION noise, coverage_of, error_of;
