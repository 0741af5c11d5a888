-- backtest.sql
--		lstm.backtest agrees with arithmetic, sees no row of the future, and refuses what does not fit.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
CREATE TABLE wave AS
	SELECT i, 20 + 5 * sin(i * 2 * pi() / 12) + 0.05 * i + ('x' || substr(md5(i::text), 1, 4))::bit(16)::int / 65536.0 AS y
	FROM generate_series(1, 240) i;
\set small '{"season": 12, "units": 4, "epochs": 3}'
CREATE TABLE tested AS SELECT * FROM lstm.backtest('wave', 'y', 'i', horizon => 6, context => 12, options => :'small');
SELECT fold, cut_index, train_rows, count(*) AS methods, min(n) = max(n) AS same_pairs, min(n) AS n, bool_and(cut IS NULL) AS no_time
FROM tested GROUP BY fold, cut_index, train_rows ORDER BY fold;
SELECT string_agg(DISTINCT method, ' ' ORDER BY method) AS methods FROM tested;

-- naive and seasonal naive by hand
WITH cuts AS (SELECT fold, cut_index AS cut FROM tested WHERE method = 'naive' AND fold IS NOT NULL),
pairs AS (
	SELECT fold, a.y AS actual, n.y AS naive, s.y AS seasonal,
		(SELECT avg(abs(w.y - b.y)) FROM wave w JOIN wave b ON b.i = w.i - 12 WHERE w.i < cut) AS scale,
		(SELECT sqrt(avg((w.y - b.y) ^ 2)) FROM wave w JOIN wave b ON b.i = w.i - 12 WHERE w.i < cut) AS root_scale
	FROM cuts JOIN wave a ON a.i BETWEEN cut AND cut + 5 JOIN wave n ON n.i = cut - 1 JOIN wave s ON s.i = a.i - 12)
SELECT t.method, t.fold, abs(t.mae - h.mae) < 1e-9 AS mae, abs(t.mse - h.mse) < 1e-9 AS mse, abs(t.rmse - sqrt(h.mse)) < 1e-9 AS rmse,
	abs(t.mape - h.mape) < 1e-9 AS mape, abs(t.smape - h.smape) < 1e-9 AS smape, abs(t.mase - h.mase) < 1e-9 AS mase,
	abs(t.rmsse - h.rmsse) < 1e-9 AS rmsse, abs(t.skill - (1 - h.mae / h.seasonal)) < 1e-9 AS skill,
	num_nulls(coverage, winkler, crps) = 3 AS no_interval
FROM (SELECT 'naive' AS method, fold, avg(abs(actual - naive)) AS mae, avg((actual - naive) ^ 2) AS mse, avg(100 * abs(1 - naive / actual)) AS mape,
		avg(200 * abs(actual - naive) / (abs(actual) + abs(naive))) AS smape, avg(abs(actual - naive) / scale) AS mase,
		sqrt(avg(((actual - naive) / root_scale) ^ 2)) AS rmsse, avg(abs(actual - seasonal)) AS seasonal FROM pairs GROUP BY GROUPING SETS ((fold), ())
	UNION ALL
	SELECT 'seasonal_naive', fold, avg(abs(actual - seasonal)), avg((actual - seasonal) ^ 2), avg(100 * abs(1 - seasonal / actual)),
		avg(200 * abs(actual - seasonal) / (abs(actual) + abs(seasonal))), avg(abs(actual - seasonal) / scale),
		sqrt(avg(((actual - seasonal) / root_scale) ^ 2)), avg(abs(actual - seasonal)) FROM pairs GROUP BY GROUPING SETS ((fold), ())) h
	JOIN tested t ON t.method = h.method AND t.fold IS NOT DISTINCT FROM h.fold
ORDER BY t.method, t.fold;
SELECT bool_and(mase < 0.7) AS fitted_methods_learn FROM tested WHERE method IN ('holt_winters', 'ar') AND fold IS NULL;
SELECT num_nulls(coverage, winkler, crps) AS nulls, coverage BETWEEN 0 AND 1 AS coverage, winkler > 0 AS winkler, crps > 0 AND crps < mae AS crps
FROM tested WHERE fold IS NULL AND method = CASE WHEN EXISTS (SELECT FROM tested WHERE method = 'model') THEN 'model' ELSE 'network' END;

-- the same as training on the rows before the cut and forecasting from there
SELECT version FROM lstm.train('first', 'SELECT * FROM wave WHERE i < 223', 'y', 'i', horizon => 6, context => 12, options => :'small');
SELECT t.cut_index, abs(t.mae - f.mae) < 1e-9 AS network_is_trained_on_the_past
FROM tested t, (SELECT avg(abs(forecast_value - y)) AS mae FROM lstm.forecast('first') JOIN wave ON i = forecast_index) f
WHERE fold = 1 AND method = CASE WHEN EXISTS (SELECT FROM tested WHERE method = 'model') THEN 'model' ELSE 'network' END;

-- later rows change no forecast: what is wild after the horizon of a fold leaves that fold as it is
CREATE TABLE wild AS SELECT i, CASE WHEN i >= 229 THEN 1000 * y ELSE y END AS y FROM wave;
CREATE TABLE tested_wild AS SELECT * FROM lstm.backtest('wild', 'y', 'i', horizon => 6, context => 12, options => :'small');
SELECT count(*) AS methods, bool_and(a = b) AS first_fold_is_unmoved
FROM (SELECT t AS a, method FROM tested t WHERE fold = 1) a JOIN (SELECT t AS b, method FROM tested_wild t WHERE fold = 1) b USING (method);
-- and within the horizon it changes errors, not forecasts: the mean of the errors moves by as much for every method
SELECT count(DISTINCT round((b.mse - a.mse)::numeric, 3)) > 1 AS errors_differ, bool_and(b.mae > 1000) AS far_off
FROM tested a JOIN tested_wild b USING (method, fold) WHERE fold = 3;
-- twice the same
SELECT count(*) AS differing FROM (SELECT * FROM tested EXCEPT SELECT * FROM lstm.backtest('SELECT * FROM wave ORDER BY md5(i::text)', 'y', 'i', horizon => 6, context => 12, options => :'small')) d;
SELECT count(*) AS stored FROM lstm.models WHERE name <> 'first';

-- gap, stride, sliding window, level
SELECT fold, cut_index, train_rows FROM lstm.backtest('wave', 'y', 'i', horizon => 6, context => 12, options => :'small', folds => 4, stride => 10, gap => 5)
WHERE method = 'naive' ORDER BY fold;
-- nothing is trained on the rows of a gap, but they are looked back on
SELECT method, bool_and(a.mae = b.mae) AS same FROM tested a
	JOIN lstm.backtest('wave', 'y', 'i', horizon => 6, context => 12, options => :'small', gap => 5) b USING (method, cut_index)
WHERE method IN ('naive', 'seasonal_naive', 'drift', 'mean', 'ar', 'network') GROUP BY method ORDER BY method;
SELECT fold, cut_index, train_rows FROM lstm.backtest('wave', 'y', 'i', horizon => 6, context => 12, options => :'small', stride => 20, expanding => false)
WHERE method = 'naive' ORDER BY fold;
SELECT a.winkler < b.winkler AS narrower, a.crps = b.crps AS crps_stays
FROM lstm.backtest('wave', 'y', 'i', horizon => 6, context => 12, options => '{"season": 12, "units": 4, "epochs": 3, "loss": "gaussian", "calibration": "none"}', confidence_level => 0.5) a
	JOIN lstm.backtest('wave', 'y', 'i', horizon => 6, context => 12, options => '{"season": 12, "units": 4, "epochs": 3, "loss": "gaussian", "calibration": "none"}', confidence_level => 0.999) b
	ON a.method = 'network' AND b.method = 'network' AND a.fold IS NULL AND b.fold IS NULL;

-- series are cut at one moment; what ended or has not begun is not judged
CREATE TABLE places AS
	SELECT date '2024-01-01' + i AS day, place, sin(i / 3.0) + length(place) AS y FROM generate_series(0, 99) i, (VALUES ('a'), ('bb'), ('ccc')) p(place)
	WHERE place <> 'bb' OR i < 90;
DELETE FROM places WHERE place = 'ccc' AND day < '2024-03-25';
SELECT fold, cut::date, n, train_rows FROM lstm.backtest('places', 'y', horizon => 5, context => 10, options => '{"units": 2, "epochs": 1}')
WHERE method = 'naive' ORDER BY fold;
-- several targets, covariates, and a joint model beside its network
SELECT method, n, mae > 0 AS mae, skill IS NOT NULL AS skill
FROM lstm.backtest('SELECT i, y, -y AS z, y AS p, i % 12 AS f FROM wave', 'y, z', 'i', horizon => 3, context => 12, folds => 2,
	past_covariates => 'p', future_covariates => 'f', options => '{"units": 2, "epochs": 1, "members": ["network", "theta", "naive"]}')
WHERE fold IS NULL ORDER BY method;

-- what is refused
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n  ', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
\pset format unaligned
\pset tuples_only on
SELECT arguments || E'\n  ' || error_of(format('SELECT * FROM lstm.backtest(%s)', arguments)) FROM (VALUES
	($$NULL$$),
	($$'wave', 'y', 'i', folds => 0$$),
	($$'wave', 'y', 'i', folds => NULL$$),
	($$'wave', 'y', 'i', folds => -1$$),
	($$'wave', 'y', 'i', folds => 2147483647$$),
	($$'wave', 'y', 'i', stride => 0$$),
	($$'wave', 'y', 'i', stride => 2147483647$$),
	($$'wave', 'y', 'i', gap => -1$$),
	($$'wave', 'y', 'i', gap => NULL$$),
	($$'wave', 'y', 'i', gap => 2147483647$$),
	($$'wave', 'y', 'i', expanding => NULL$$),
	($$'wave', 'y', 'i', confidence_level => 0$$),
	($$'wave', 'y', 'i', confidence_level => 1$$),
	($$'wave', 'y', 'i', confidence_level => 'NaN'$$),
	($$'wave', 'y', 'i', confidence_level => NULL$$),
	($$'wave', 'y', 'i', horizon => 0$$),
	($$'wave', 'y', 'i', horizon => 24, context => 24, folds => 9$$),
	($$'wave', 'y', 'i', horizon => 24, context => 24, folds => 9, stride => 24, gap => 10$$),
	($$'wave', 'y', 'i', horizon => 65536, folds => 1000, stride => 65536, gap => 65536$$),
	($$'wave', 'y', 'i', context => 240$$),
	($$'wave', 'y', 'i', options => '{"epoch": 1}'$$),
	($$'wave', 'y', 'i', options => '{"horizon": 1}'$$),
	($$'wave', 'y', 'i', options => '{"from_model": "first"}'$$),
	($$'wave', 'y', 'i', options => '[]'$$),
	($$'wave', 'y', 'i', geom => 'g'$$),
	($$'wave', 'z', 'i'$$),
	($$'SELECT i, CASE WHEN i < 3 THEN y END AS y FROM wave', 'y', 'i'$$),
	($$'SELECT * FROM wave WHERE false', 'y', 'i'$$)) AS v(arguments);
CREATE ROLE regress_lstm_carol;
SET ROLE regress_lstm_carol;
SELECT error_of($$SELECT * FROM lstm.backtest('wave', 'y', 'i')$$);
RESET ROLE;
-- nothing is written: a read-only transaction will do
BEGIN READ ONLY;
SELECT count(*) > 0 AS runs FROM lstm.backtest('wave', 'y', 'i', context => 12, options => '{"units": 2, "epochs": 1}');
COMMIT;

\pset format aligned
\pset tuples_only off
SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
DROP TABLE wave, wild, tested, tested_wild, places;
DROP FUNCTION error_of;
DROP ROLE regress_lstm_carol;
