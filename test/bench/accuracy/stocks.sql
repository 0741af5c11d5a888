-- stocks.sql
--		Closing prices of four companies, 2014 to 2018, one trading day ahead on the last
--		252 of 1,258 days.
--
-- No method is expected to beat the last price by much.  Must: the model says in its
-- report (skill) that it does not, or does so on the test part.  Time is the number of
-- the trading day.
\if :{?recipe}
\else
\set recipe ''
\endif
\ir common.sql
CREATE TABLE loaded (symbol text, at date, close float8);
\copy loaded FROM PROGRAM '"$LOAD" stocks' (FORMAT csv)
CREATE TABLE stock AS SELECT symbol, (row_number() OVER (PARTITION BY symbol ORDER BY at))::int AS day, close FROM loaded;
SELECT max(day) - 252 AS trained, max(day) AS days FROM stock \gset
INSERT INTO training SELECT * FROM lstm.train('stocks', format('SELECT symbol, day, close FROM stock WHERE day <= %s', :trained), time_column => 'day', target => 'close', options => recipe(:'recipe'));
SELECT is_network_alone('stocks') AS alone \gset
\set network stocks
\if :alone
\else
\set network 'stocks network'
INSERT INTO training SELECT * FROM lstm.train(:'network', format('SELECT symbol, day, close FROM stock WHERE day <= %s', :trained), time_column => 'day', target => 'close', options => alone(:'recipe'));
\endif
CREATE TABLE hindcast AS
SELECT m.method, l.level, h.series, h.forecast_index AS day, h.forecast_value AS value, h.prediction_interval_lower_bound AS lower, h.prediction_interval_upper_bound AS upper, h.actual
FROM (VALUES ('model', 'stocks'), ('network', :'network')) AS m (method, model), level AS l,
	LATERAL lstm.hindcast(m.model, format('SELECT symbol, day, close FROM stock WHERE day > %s', :trained - 300), horizon => 1, confidence_level => l.level) AS h
WHERE h.forecast_index > :trained AND h.actual IS NOT NULL;
CREATE TABLE error AS
SELECT method, series, day, value - actual AS e FROM hindcast WHERE level = 0.9
UNION ALL
SELECT 'naive', symbol, day, before - close FROM (SELECT *, lag(close) OVER (PARTITION BY symbol ORDER BY day) AS before FROM stock) AS s WHERE day > :trained;
INSERT INTO interval_step
SELECT 'stocks', 'model', level, 1, count(*), count(*) FILTER (WHERE actual BETWEEN lower AND upper), sum(winkler(actual, lower, upper, level))
FROM hindcast WHERE method = 'model' AND lower IS NOT NULL GROUP BY level;
INSERT INTO interval_step
WITH d AS (SELECT symbol, day, close, lag(close) OVER (PARTITION BY symbol ORDER BY day) AS before FROM stock),
w AS (SELECT symbol, level, percentile_cont(level) WITHIN GROUP (ORDER BY abs(close - before)) AS width FROM d, level WHERE day <= :trained GROUP BY symbol, level)
SELECT 'stocks', 'constant width', level, 1, count(*), count(*) FILTER (WHERE abs(close - before) <= width), sum(winkler(close, before - width, before + width, level))
FROM d JOIN w USING (symbol) WHERE day > :trained GROUP BY level;

CREATE VIEW score AS
SELECT method, series, sqrt(avg(e * e)) AS rmse, avg(abs(e)) AS mae, count(*) AS n FROM error GROUP BY method, series;
\echo Closing prices, one day ahead, last 252 days (last price: RMSE 3.379, 36.592, 4.263, 19.227)
\echo
SELECT series, max(n) AS days, r(max(rmse) FILTER (WHERE method = 'naive')) AS "naive RMSE", r(max(rmse) FILTER (WHERE method = 'network')) AS "network RMSE",
	r(max(rmse) FILTER (WHERE method = 'model')) AS "model RMSE", r(max(mae) FILTER (WHERE method = 'naive')) AS "naive MAE",
	r(max(mae) FILTER (WHERE method = 'network')) AS "network MAE", r(max(mae) FILTER (WHERE method = 'model')) AS "model MAE",
	r(max(mae) FILTER (WHERE method = 'model') / max(mae) FILTER (WHERE method = 'naive')) AS ratio
FROM score GROUP BY series ORDER BY series;
SELECT member, r(weight) AS weight, r(validation_mae) AS "validation MAE" FROM members('stocks') ORDER BY weight DESC, member;
SELECT level, method, "coverage, %", "Winkler score" FROM interval_table;
SELECT model, parameters, epochs, r(skill) AS "skill in its report", r(seconds, 1) AS seconds FROM training;

INSERT INTO result (data, figure, value, aim, met)
SELECT 'stocks', format('MAE of the model over that of naive, mean of companies; skill in its report %s', r(skill)), r(ratio), NULL, skill <= 0 OR ratio < 1
FROM training, (SELECT avg(m.mae / n.mae) AS ratio FROM score AS m JOIN score AS n USING (series) WHERE m.method = 'model' AND n.method = 'naive') AS s
WHERE model = 'stocks';
