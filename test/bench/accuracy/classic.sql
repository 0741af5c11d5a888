-- classic.sql
--		Twelve univariate classics, one model and one origin each: the last two
--		seasons where a series has four or more, else the last fifth.
--
-- Must: MAE of the default call against the better of naive and seasonal naive: below
-- it on 8 series or more, above 1.05 times it on 2 at most, above 1.25 times on none.
-- Aim: below R's auto.arima on 7.
\if :{?recipe}
\else
\set recipe ''
\endif
\set name classic
\setenv NAME classic
\ir common.sql
\ir single.sql
CREATE TABLE loaded (series text, season int, at timestamp, value float8);
\copy loaded FROM PROGRAM '"$LOAD" "$NAME"' (FORMAT csv)
INSERT INTO observed
SELECT series, season, t, CASE WHEN t > n - h THEN t - (n - h) END, at, value
FROM (SELECT *, CASE WHEN season > 1 AND n >= 4 * season THEN 2 * season ELSE round(0.2 * n) END AS h
	FROM (SELECT *, row_number() OVER (PARTITION BY series ORDER BY at) AS t, count(*) OVER (PARTITION BY series) AS n FROM loaded) AS l) AS l;
\ir each.sql

CREATE TABLE beside AS
SELECT series, max(mae) FILTER (WHERE method = 'naive') AS naive, max(mae) FILTER (WHERE method = 'seasonal naive') AS seasonal_naive,
	min(mae) FILTER (WHERE method IN ('naive', 'seasonal naive')) AS better, max(mae) FILTER (WHERE method = 'Holt-Winters') AS hw,
	max(mae) FILTER (WHERE method = 'Theta') AS theta, max(mae) FILTER (WHERE method = 'AR') AS ar,
	max(mae) FILTER (WHERE method = 'network') AS network, max(mae) FILTER (WHERE method = 'model') AS model,
	max(mae) FILTER (WHERE method = 'R ets') AS r_ets, max(mae) FILTER (WHERE method = 'R auto.arima') AS r_arima, max(mae) FILTER (WHERE method = 'R thetaf') AS r_theta
FROM compared GROUP BY series;
\echo Classics: MAE of one origin, and that of the model against the better of naive and seasonal naive
\echo
SELECT series, n AS "training rows", horizon AS steps, season, r(naive, 2) AS naive, r(seasonal_naive, 2) AS "seasonal naive",
	r(hw, 2) AS "Holt-Winters", r(theta, 2) AS "Theta", r(ar, 2) AS "AR", r(network, 2) AS network, r(model, 2) AS model, r(model / better) AS ratio
FROM beside JOIN task USING (series) ORDER BY series;
SELECT count(r_ets) > 0 AS is_r FROM beside \gset
\if :is_r
\echo
SELECT series, r(r_ets, 2) AS "R ets", r(r_arima, 2) AS "R auto.arima", r(r_theta, 2) AS "R thetaf", r(model, 2) AS model,
	r(model / r_arima) AS "against auto.arima" FROM beside ORDER BY series;
\endif
\echo
SELECT series, members AS "weights of members" FROM weights ORDER BY series;
SELECT level, method, "coverage, %", "Winkler score" FROM interval_table;
SELECT model, parameters, epochs, r(skill) AS skill, r(seconds, 2) AS seconds FROM training ORDER BY model;

SELECT judge('classic', 'series better than naive and seasonal naive', count(*) FILTER (WHERE model < better), '>=', 8),
	judge('classic', 'series above 1.05 times the better one', count(*) FILTER (WHERE (model <= 1.05 * better) IS NOT TRUE), '<=', 2),
	judge('classic', 'series above 1.25 times the better one', count(*) FILTER (WHERE (model <= 1.25 * better) IS NOT TRUE), '<=', 0),
	judge('classic', 'series better than R auto.arima', CASE WHEN count(r_arima) > 0 THEN count(*) FILTER (WHERE model < r_arima) END, '>=', NULL, 7)
FROM beside \g /dev/null
