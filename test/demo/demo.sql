-- demo.sql
--		What make demo runs, in an empty database and the root of the tree.
--
-- The psql variable "plot" is the file that the plot goes to.

\pset footer off
\timing off

\echo Loading 6,574 days of wind speed at 12 Irish stations (Haslett and Raftery 1989).
SET client_min_messages = warning;
CREATE EXTENSION lstm;
\i test/data/irish_wind.sql
RESET client_min_messages;

\echo
\echo One LSTM over all stations, trained on the years before 1978.
CREATE VIEW wind_before_1978 AS
SELECT * FROM irish_wind_long WHERE day < '1978-01-01';

SELECT * FROM lstm.train('wind', 'SELECT * FROM wind_before_1978', target => 'speed', time_column => 'day',
	series => 'station', horizon => 7, context => 28);

\echo
\echo The next seven days at Dublin and Valentia.
SELECT series, forecast_timestamp::date AS day, round(forecast_value::numeric, 1) AS knots,
	round(prediction_interval_lower_bound::numeric, 1) AS lower,
	round(prediction_interval_upper_bound::numeric, 1) AS upper
FROM lstm.forecast('wind', horizon => 7)
WHERE series IN ('DUB', 'VAL')
ORDER BY series, step;

\pset format unaligned
\pset tuples_only on
\o :plot
SELECT lstm.plot_forecast('wind');
\o
\pset format aligned
\pset tuples_only off
