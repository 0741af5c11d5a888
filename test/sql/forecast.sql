-- forecast.sql
--		Forecasts as rows: horizons, origins, sources, the known future, and that nothing leaks.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
SET datestyle = 'ISO, YMD';
SET timezone = 'UTC';
CREATE TABLE sales AS
	SELECT date '2024-01-01' + i AS day, shop, 50 + 10 * sin(i * 2 * pi() / 7) + length(shop) AS sold
	FROM generate_series(0, 119) i, (VALUES ('a'), ('bb')) AS s(shop);
SELECT version FROM lstm.train('sales', 'sales', horizon => 7, context => 14,
	options => '{"units": 12, "epochs": 60, "learning_rate": 0.01, "loss": "gaussian"}');

-- the columns, and horizons shorter and longer than the trained one
SELECT series, target, step, forecast_timestamp, forecast_index, abs(forecast_value - 50) < 20 AS sane, confidence_level,
	prediction_interval_lower_bound < forecast_value AND forecast_value < prediction_interval_upper_bound AS within, series_key
FROM lstm.forecast('sales', horizon => 2) ORDER BY series, step;
SELECT series, count(*), min(step), max(step), min(forecast_timestamp::date), max(forecast_timestamp::date)
FROM lstm.forecast('sales') GROUP BY series ORDER BY series;
SELECT series, count(*), max(forecast_timestamp::date) AS last FROM lstm.forecast('sales', horizon => 30) GROUP BY series ORDER BY series;
SELECT bool_and(s.forecast_value = f.forecast_value) AS prefix
FROM lstm.forecast('sales', 3) s JOIN lstm.forecast('sales', 30) f USING (series, step);
SELECT bool_and(abs(forecast_value - (50 + 10 * sin((forecast_timestamp::date - date '2024-01-01') * 2 * pi() / 7)
	+ length(series))) < 4) AS recursive_is_close FROM lstm.forecast('sales', 30);

-- the confidence level sets the width
SELECT avg(prediction_interval_upper_bound - prediction_interval_lower_bound) FILTER (WHERE confidence_level = 0.5)
	< avg(prediction_interval_upper_bound - prediction_interval_lower_bound) FILTER (WHERE confidence_level = 0.99) AS wider,
	count(DISTINCT forecast_value) = 14 AS same_forecast
FROM (SELECT * FROM lstm.forecast('sales', confidence_level => 0.5)
	UNION ALL SELECT * FROM lstm.forecast('sales', confidence_level => 0.99)) f;

-- as_of: no later row is used
CREATE TABLE origins AS SELECT * FROM lstm.forecast('sales', as_of => '2024-03-31') ORDER BY series, step;
SELECT min(forecast_timestamp::date), max(forecast_timestamp::date) FROM origins;
CREATE TABLE hindcasts AS SELECT series, step, issued_at, forecast_value FROM lstm.hindcast('sales') WHERE issued_at <= '2024-03-31';
UPDATE sales SET sold = sold + 1000 WHERE day > '2024-03-31';
SELECT count(*), bool_and(f.forecast_value = o.forecast_value) AS nothing_leaks
FROM lstm.forecast('sales', as_of => '2024-03-31') f JOIN origins o USING (series, step);
SELECT count(*), bool_and(f.forecast_value = h.forecast_value) AS nothing_leaks
FROM lstm.hindcast('sales') f JOIN hindcasts h USING (series, step, issued_at);
DELETE FROM sales WHERE day > '2024-03-31';
SELECT bool_and(f.forecast_value = o.forecast_value) AS nothing_leaks FROM lstm.forecast('sales') f JOIN origins o USING (series, step);
SELECT bool_and(h.forecast_value = f.forecast_value) AS as_of_is_hindcast, count(*)
FROM lstm.hindcast('sales') h JOIN lstm.forecast('sales', as_of => '2024-03-20') f USING (series, step, forecast_timestamp)
WHERE issued_at = '2024-03-20';
SELECT forecast_timestamp::date AS after_noon FROM lstm.forecast('sales', 1, as_of => '2024-03-20 12:00') WHERE series = 'a';
SELECT count(*) FROM lstm.forecast('sales', as_of => '2024-01-10');

-- another source
SELECT series, forecast_timestamp::date AS day FROM lstm.forecast('sales', 1, source => $$SELECT day + 366 AS day, 'new' AS shop, sold
	FROM sales WHERE shop = 'a'$$);
SELECT bool_and(f.forecast_value = g.forecast_value) AS order_does_not_matter FROM lstm.forecast('sales') f
	JOIN lstm.forecast('sales', source => 'SELECT * FROM sales ORDER BY md5(day::text)') g USING (series, step);
SELECT bool_and(f.forecast_value = g.forecast_value) AS older_rows_do_not_matter FROM lstm.forecast('sales') f
	JOIN lstm.forecast('sales', source => $$SELECT * FROM sales WHERE day > '2024-03-10'$$) g USING (series, step);

-- another version
SELECT version FROM lstm.train('sales', 'sales', horizon => 2, context => 7, options => '{"units": 2, "epochs": 1, "deploy": false}');
SELECT count(*) FROM lstm.forecast('sales');
SELECT count(*) FROM lstm.forecast('sales', version => 2);
SELECT count(prediction_interval_lower_bound) AS bounds_of_errors FROM lstm.forecast('sales', version => 2);
SELECT version FROM lstm.train('sales', 'sales', horizon => 2, context => 7, options => '{"units": 2, "epochs": 1, "deploy": false, "calibration": "none"}');
SELECT count(prediction_interval_lower_bound) AS bounds_of_mse FROM lstm.forecast('sales', version => 3);

-- in a view, a join, a CTE, a prepared statement, INSERT, a subquery, a read-only transaction
CREATE VIEW next_week AS SELECT * FROM lstm.forecast('sales');
SELECT count(*) FROM next_week WHERE series = 'a';
WITH f AS MATERIALIZED (SELECT * FROM next_week) SELECT count(*) FROM f JOIN f g USING (series, step);
CREATE TABLE kept (series text, step int, forecast_value float8, made_for timestamptz);
INSERT INTO kept SELECT series, step, forecast_value, forecast_timestamp FROM lstm.forecast('sales', 3);
SELECT count(*) FROM kept;
PREPARE ahead(int) AS SELECT count(*) FROM lstm.forecast('sales', $1);
EXECUTE ahead(1); EXECUTE ahead(2); EXECUTE ahead(3); EXECUTE ahead(4); EXECUTE ahead(5); EXECUTE ahead(6); EXECUTE ahead(60);
SELECT lstm.deploy('sales', 2);
EXECUTE ahead(NULL);
SELECT lstm.deploy('sales', 1);
EXECUTE ahead(NULL);
DEALLOCATE ahead;
SELECT h, (SELECT count(*) FROM lstm.forecast('sales', h)) AS n FROM generate_series(1, 3) h;
SELECT h, count(*) FROM generate_series(1, 2) h, LATERAL lstm.forecast('sales', h) f GROUP BY h ORDER BY h;
SELECT count(*) FROM (SELECT * FROM lstm.forecast('sales', 5) LIMIT 3) f;
BEGIN READ ONLY;
SELECT count(*) FROM lstm.forecast('sales');
SELECT count(*) > 0 AS evaluates FROM lstm.evaluate('sales');
COMMIT;
BEGIN;
DECLARE c SCROLL CURSOR FOR SELECT series, step FROM lstm.forecast('sales');
FETCH 1 FROM c;
FETCH LAST FROM c;
FETCH PRIOR FROM c;
COMMIT;

-- the known future: rows with the covariates and without the target
CREATE TABLE demand AS SELECT i, (i % 5 = 0)::int AS holiday,
	CASE WHEN i <= 200 THEN 10 + 20 * (i % 5 = 0)::int END AS y FROM generate_series(1, 206) i;
SELECT version FROM lstm.train('demand', 'demand', 'y', 'i', horizon => 3, context => 4, future_covariates => 'holiday',
	options => '{"units": 4, "epochs": 40, "learning_rate": 0.02, "residual": false}');
SELECT step, forecast_index, round(forecast_value / 10) * 10 AS about FROM lstm.forecast('demand') ORDER BY step;
SELECT step, forecast_index, round(forecast_value / 10) * 10 AS about FROM lstm.forecast('demand', 6) ORDER BY step;
SELECT count(*) FROM lstm.forecast('demand', 7);
SELECT step, round(forecast_value / 10) * 10 AS about FROM lstm.forecast('demand', 2, source => 'SELECT * FROM demand WHERE i <= 200');
SELECT step, round(forecast_value / 10) * 10 AS about FROM lstm.forecast('demand', 2, source => 'SELECT * FROM demand WHERE i <= 200',
	future => 'SELECT i, 1 - holiday AS holiday FROM demand WHERE i > 200');
SELECT step, round(forecast_value / 10) * 10 AS about FROM lstm.forecast('demand', 1,
	future => 'SELECT i, 1 AS holiday FROM generate_series(201, 202) i');
SELECT step, round(forecast_value / 10) * 10 AS about FROM lstm.forecast('demand', 8, future => 'SELECT i, (i % 5 = 0)::int AS holiday FROM generate_series(207, 208) i')
ORDER BY step;
SELECT count(*) AS pairs, rmse < 2 AS close FROM lstm.evaluate('demand') WHERE level = 'all' GROUP BY rmse;

-- an error of a stored source says whose it is, one of a given source is the caller's
\set VERBOSITY default
ALTER TABLE demand RENAME TO "order";
SELECT count(*) FROM lstm.forecast('demand');
SELECT count(*) FROM lstm.forecast('demand', source => 'SELECT nothing');

SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
DROP VIEW next_week;
DROP TABLE sales, origins, hindcasts, kept, "order";
