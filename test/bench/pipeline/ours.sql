-- ours.sql
--		The end-to-end benchmark in SQL: train on the first year, forecast the rest
--		one hour ahead, write the forecasts to a table.
\set ON_ERROR_STOP on
\set QUIET on
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SET max_parallel_maintenance_workers = 0;	-- server and client share one core
DROP TABLE IF EXISTS prediction;
CREATE TABLE prediction (i int, yhat float8);
SELECT 'epochs ' || epochs
FROM lstm.train('pm25', 'SELECT * FROM pollution WHERE i <= 8761', target => 'pm25', time_column => 'i',
	past_covariates => 'dew, temp, press, wnd, wspd, snow, rain', horizon => 1, context => 1,
	options => '{"layers": [{"type": "lstm", "units": 50}, {"type": "dense", "units": 1}], "loss": "mae",
		"epochs": 50, "batch_size": 72, "scaling": "minmax", "validation_split": 0, "patience": 0, "progress": 0}');
INSERT INTO prediction
SELECT forecast_index, forecast_value FROM lstm.hindcast('pm25', 'SELECT * FROM pollution WHERE i >= 8761');
SELECT 'server ' || substring(pg_read_file('/proc/self/status') FROM 'VmHWM:\s+(\d+)');
\! sed -n 's/^VmHWM:[^0-9]*\([0-9]*\).*/client \1/p' /proc/$PPID/status
