-- demo.sql
--		What make demo runs, in an empty database and the root of the tree.
--
-- The psql variable "plot" is the file that the plot goes to.  1978 is held out:
-- the network was chosen on 1976 and 1977 (trained on the years before), nothing
-- was ever chosen on 1978.

\set ON_ERROR_STOP on
\pset footer off
\timing off

\echo Loading 6,574 days of wind speed at 12 Irish stations (Haslett and Raftery 1989).
SET client_min_messages = warning;
CREATE EXTENSION lstm;
\i test/data/irish_wind.sql
RESET client_min_messages;

-- The days to come carry what is known of them, the season, and no wind.
CREATE VIEW wind AS
SELECT *, sin(2 * pi() * extract(doy FROM day) / 365.25) AS season_sin,
	cos(2 * pi() * extract(doy FROM day) / 365.25) AS season_cos
FROM (SELECT generate_series(date '1961-01-01', '1979-01-07', interval '1 day')::date AS day) AS days
	LEFT JOIN irish_wind USING (day);

\echo
\echo Training: one LSTM over all 12 stations, on the years 1961 to 1977; 1978 is held out.
\echo Each station sees the others; beside the LSTM runs a linear path from the last week to the forecast.
SELECT version, parameters, epochs, round(skill::numeric, 3) AS skill, round(seconds::numeric, 1) AS seconds
FROM lstm.train('wind', $$SELECT * FROM wind WHERE day < '1978-01-01'$$,
	target => 'rpt, val, ros, kil, sha, bir, dub, cla, mul, clo, bel, mal',
	future_covariates => 'season_sin, season_cos', horizon => 7, context => 7,
	options => '{"layers": [
			{"type": "lstm", "units": 64, "dropout": 0.2, "recurrent_dropout": 0.2},
			{"type": "dropout", "rate": 0.5, "name": "recurrent"},
			{"type": "flatten", "inputs": ["past"]},
			{"type": "dropout", "rate": 0.2, "name": "linear"},
			{"type": "concat", "inputs": ["recurrent", "linear"]},
			{"type": "dense"}],
		"loss": "gaussian", "bounds": [0, null], "learning_rate": 0.0005, "batch_size": 64, "epochs": 200,
		"patience": 20, "schedule": "plateau", "progress": 25, "seed": 1}');

\echo
\echo The next seven days, in knots, with 90 % intervals: Dublin and Valentia.
SELECT target AS station, step, forecast_timestamp::date AS day, round(forecast_value::numeric, 1) AS knots,
	round(prediction_interval_lower_bound::numeric, 1) AS lower,
	round(prediction_interval_upper_bound::numeric, 1) AS upper
FROM lstm.forecast('wind', source => 'SELECT * FROM wind', confidence_level => 0.9)
WHERE target IN ('dub', 'val')
ORDER BY target, step;

\echo
\echo 1978, held out: root mean squared error over all stations, one and seven days ahead.
CREATE TEMP TABLE hindcast AS
SELECT target AS station, step, issued_at::date AS issued, forecast_timestamp::date AS day, forecast_value, actual,
	actual BETWEEN prediction_interval_lower_bound AND prediction_interval_upper_bound AS inside
FROM lstm.hindcast('wind', $$SELECT * FROM wind WHERE day BETWEEN date '1978-01-01' - 13 AND '1978-12-31'$$,
	confidence_level => 0.9)
WHERE step IN (1, 7) AND forecast_timestamp::date >= '1978-01-01' AND actual IS NOT NULL;

CREATE TEMP TABLE past AS SELECT lower(station) AS station, day, speed FROM irish_wind_long;
CREATE INDEX ON past (station, day);
ANALYZE past;

CREATE TEMP TABLE ar AS
SELECT station, lstm.fit_ar(array_agg(speed ORDER BY day), 14) AS coefficients
FROM past WHERE day < '1978-01-01' GROUP BY station;

CREATE TEMP TABLE day_of_year AS
SELECT station, extract(doy FROM day) AS doy, avg(speed) AS mean
FROM past WHERE day < '1978-01-01' GROUP BY station, doy;

CREATE TEMP TABLE judged AS
SELECT h.step, h.actual, h.forecast_value AS lstm,
	(SELECT p.speed FROM past p WHERE p.station = h.station AND p.day = h.issued) AS persistence,
	(SELECT p.speed FROM past p WHERE p.station = h.station AND p.day = h.day - 365) AS seasonal_naive,
	d.mean AS day_of_year,
	(lstm.predict_ar(ar.coefficients, ARRAY(SELECT p.speed FROM past p WHERE p.station = h.station
		AND p.day BETWEEN h.issued - 13 AND h.issued ORDER BY p.day), h.step))[h.step] AS ar
FROM hindcast h JOIN ar USING (station)
	JOIN day_of_year d ON d.station = h.station AND d.doy = extract(doy FROM h.day);

CREATE TABLE score AS
SELECT step, m.method, sqrt(avg((m.forecast - actual) ^ 2)) AS rmse
FROM judged, LATERAL (VALUES (1, 'this LSTM', lstm), (2, 'persistence (yesterday)', persistence),
	(3, 'seasonal naive (same day last year)', seasonal_naive), (4, 'mean of the day of year', day_of_year),
	(5, 'AR(14), least squares, per station', ar)) AS m (number, method, forecast)
GROUP BY step, m.number, m.method ORDER BY step, m.number;

SELECT o.method, round(o.rmse::numeric, 3) AS one_day, round(s.rmse::numeric, 3) AS seven_days,
	to_char(100 * (1 - l.rmse / o.rmse), 'FM990.0') || ' %' AS lstm_better_by_one_day,
	to_char(100 * (1 - k.rmse / s.rmse), 'FM990.0') || ' %' AS lstm_better_by_seven_days
FROM score o JOIN score s ON s.method = o.method AND s.step = 7
	JOIN score l ON l.step = 1 AND l.method = 'this LSTM' JOIN score k ON k.step = 7 AND k.method = 'this LSTM'
WHERE o.step = 1 ORDER BY o.rmse + s.rmse;

SELECT round(100 * avg(inside::int), 1) AS "percent of 1978 inside the 90 % interval" FROM hindcast;

\pset format unaligned
\pset tuples_only on
\o :plot
SELECT lstm.plot_forecast('wind', target => 'dub', source => 'SELECT * FROM wind', history => 60, confidence_level => 0.9);
\o
\pset format aligned
\pset tuples_only off
