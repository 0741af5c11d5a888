-- stocks.sql
--		Closing prices, one trading day ahead: what a model may not promise.
--
-- With DATA: Apple, Amazon, Facebook and Google, 2014 to 2018. Without: four random walks, in
-- which nothing can be known ahead. One model of all four, which is chosen from the rows
-- as by the default call, judged on the last 252 days beside the price of the day before. Prices move by
-- factors, so it works on logarithms; calm and wild months alternate, so intervals go on learning. It is not expected to beat that; its report
-- (skill) and its intervals are what is worth looking at. Time is the number of the trading day.
\set scenario stocks
\ir common.sql
CREATE TABLE price (symbol text, at date, close float8);
\if :has_data
\copy price FROM PROGRAM '"${LOAD:-docs/scenarios/load.py}" stocks' (FORMAT csv)
\else
INSERT INTO price
SELECT symbol, date '2014-01-02' + day, 100 * exp(sum(0.015 * noise(symbol || day)) OVER (PARTITION BY symbol ORDER BY day))
FROM unnest(ARRAY['A', 'B', 'C', 'D']) AS symbol, generate_series(1, 1000) AS day;
\endif
CREATE TABLE stock AS
SELECT symbol, (row_number() OVER (PARTITION BY symbol ORDER BY at))::int AS day, close FROM price;
SELECT max(day) - 252 AS cut FROM stock \gset
CREATE VIEW past AS SELECT * FROM stock WHERE day <= :cut;
ANALYZE;

CREATE TABLE training AS
SELECT * FROM lstm.train('scenario stocks', 'SELECT * FROM past', target => 'close', time_column => 'day', series => 'symbol',
	options => '{"scaling": "log1p", "calibration": "adaptive"}');

CREATE TABLE hindcast AS
SELECT level, h.* FROM (VALUES (0.8), (0.95)) AS l (level),
	lstm.hindcast('scenario stocks', format('SELECT * FROM stock WHERE day > %s', :cut - 300), confidence_level => level) AS h
WHERE h.forecast_index > :cut AND h.actual IS NOT NULL;
INSERT INTO error SELECT series, 'model', step, forecast_value - actual FROM hindcast WHERE level = 0.8;
INSERT INTO error
SELECT symbol, 'price of the day before', 1, before - close
FROM (SELECT *, lag(close) OVER (PARTITION BY symbol ORDER BY day) AS before FROM stock) AS s WHERE day > :cut;

\echo 'What the report of the training says: share of the error of the last price that is saved'
SELECT model, r(skill, 3) AS skill, r(seconds, 1) AS "trains in, s" FROM training;
SELECT m->>'name' AS member, r((m->>'weight')::float8) AS weight FROM jsonb_array_elements(lstm.describe('scenario stocks')->'members') AS m;
\echo 'Of 100 prices, so many within the interval'
SELECT level * 100 AS "promised", r(100 * avg((actual BETWEEN prediction_interval_lower_bound AND prediction_interval_upper_bound)::int), 1) AS held
FROM hindcast GROUP BY level ORDER BY level;
\echo 'Closing price, one trading day ahead; ratio: of the MAE to that of the day before, mean of the companies'
SELECT method, r(sqrt(avg(s.rmse ^ 2))) AS "RMSE", r(avg(s.mae)) AS "MAE", r(avg(s.mae / b.mae), 3) AS ratio
FROM score AS s JOIN (SELECT part, mae FROM score WHERE method = 'price of the day before') AS b USING (part) GROUP BY method ORDER BY ratio;

\if :has_data
\else
DO $$ BEGIN
	IF (SELECT skill > 0.1 FROM training) THEN
		RAISE EXCEPTION 'the report promises something about random walks';
	END IF;
	IF (SELECT max(mae) > 1.1 * min(mae) FROM (SELECT sum(mae) AS mae FROM score GROUP BY method) AS s) THEN
		RAISE EXCEPTION 'the model does worse than the last price';
	END IF;
	IF (SELECT bool_or(abs(held - level) > 0.06) FROM (SELECT level, avg((actual BETWEEN prediction_interval_lower_bound
		AND prediction_interval_upper_bound)::int) AS held FROM hindcast GROUP BY level) AS s) THEN
		RAISE EXCEPTION 'the intervals do not hold';
	END IF;
END $$;
\endif
