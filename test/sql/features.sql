-- features.sql
--		What is made from the time: calendar and holidays, on every kind of step and clock.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
SET datestyle = 'ISO, YMD';
SET timezone = 'UTC';
CREATE FUNCTION opt(more jsonb) RETURNS jsonb LANGUAGE sql AS $$
	SELECT '{"architecture": "gru", "units": 8, "epochs": 60, "learning_rate": 0.02, "residual": false}' || more
$$;

-- weekends: two days of context do not tell Tuesday from Friday, the calendar does
CREATE TABLE visits AS SELECT d::date AS day, CASE WHEN extract(isodow FROM d) > 5 THEN 2.0 ELSE 10.0 END AS y
	FROM generate_series(timestamp '2023-01-02', '2023-12-31', '1 day') d;
SELECT version FROM lstm.train('plain', 'visits', horizon => 7, context => 2, options => opt('{}'));
SELECT version FROM lstm.train('weekday', 'visits', horizon => 7, context => 2, options => opt('{"calendar": ["weekday"]}'));
SELECT rmse < 1 AS learned FROM lstm.evaluate('plain') WHERE level = 'all';
SELECT rmse < 1 AS learned FROM lstm.evaluate('weekday') WHERE level = 'all';
SELECT step, forecast_timestamp::date AS day, round(forecast_value / 8) * 8 AS about FROM lstm.forecast('weekday');
-- beyond the trained horizon, shorter than it, and the same at every length
SELECT count(*), bool_and(abs(forecast_value - CASE WHEN extract(isodow FROM forecast_timestamp) > 5 THEN 2 ELSE 10 END) < 2) AS right
FROM lstm.forecast('weekday', 30);
SELECT bool_and(s.forecast_value = f.forecast_value) AS prefix
FROM lstm.forecast('weekday', 3) s JOIN lstm.forecast('weekday', 30) f USING (step);
-- hindcasts reach beyond the last row; nothing is asked of the caller
SELECT count(*), count(actual), max(issued_at::date), max(forecast_timestamp::date) FROM lstm.hindcast('weekday');
SELECT bool_and(h.forecast_value = f.forecast_value) AS as_of_is_hindcast
FROM lstm.hindcast('weekday') h JOIN lstm.forecast('weekday', as_of => '2023-11-01') f USING (step, forecast_timestamp)
WHERE issued_at = '2023-11-01';
SELECT count(*) FROM lstm.forecast('weekday', future => 'visits');
SELECT lstm.describe('weekday')->'future_covariates' AS given, lstm.describe('weekday')#>'{options,calendar}' AS calendar,
	lstm.describe('weekday')#>'{options,future_covariates}' AS channels;
SELECT length(lstm.plot_forecast('weekday')::text) > 1000 AS plots;

-- beside a future covariate of the source, which must still be known
CREATE TABLE both_kinds AS SELECT day, y + 3 * open AS y, open FROM (SELECT *, (extract(day FROM day)::int % 3 = 0)::int AS open FROM visits) v;
INSERT INTO both_kinds SELECT date '2024-01-01' + i, NULL, 1 FROM generate_series(0, 2) i;
SELECT version FROM lstm.train('both', 'both_kinds', 'y', future_covariates => 'open', horizon => 3, context => 2,
	options => opt('{"calendar": ["weekday"]}'));
SELECT rmse < 1.5 AS learned FROM lstm.evaluate('both') WHERE level = 'all';
SELECT step, round(forecast_value) BETWEEN 12 AND 14 AS open FROM lstm.forecast('both');
SELECT count(*) FROM lstm.forecast('both', 4);
SELECT count(*) FROM lstm.forecast('both', 4, future => 'SELECT date ''2024-01-04'' AS day, 0 AS open');
SELECT version FROM lstm.train('both', 'both_kinds', 'y', future_covariates => 'open', horizon => 3, context => 2,
	options => '{"units": 2, "epochs": 1, "missing": "error", "outliers": "zscore", "calendar": ["weekday", "month_day", "year_day", "month"]}');
SELECT count(*) FROM lstm.forecast('both');

-- what is made is neither taken logarithms of nor an outlier
SELECT version FROM lstm.train('logs', 'visits', horizon => 3, context => 2,
	options => '{"units": 2, "epochs": 1, "scaling": "log1p", "outliers": "zscore", "outlier_threshold": 1.5, "calendar": ["weekday"], "holidays": "SELECT date ''2023-05-01''"}');
SELECT count(*) FROM lstm.forecast('logs');

-- local hours where the clock changes: the day of Vienna on both sides of 2024-03-31
SET timezone = 'Europe/Vienna';
CREATE FUNCTION day_wave(hour numeric) RETURNS float8 LANGUAGE sql AS 'SELECT 5 * sin(2 * pi() * (hour - 8)::float8 / 24)';
CREATE TABLE office AS SELECT ts, day_wave(extract(hour FROM ts)) AS y
	FROM generate_series(timestamptz '2024-02-20 00:00', '2024-03-30 23:00', '1 hour') ts;
SELECT version FROM lstm.train('office', 'office', horizon => 12, context => 2, options => opt('{"calendar": ["hour"]}'));
SELECT count(*), avg(abs(forecast_value - day_wave(extract(hour FROM forecast_timestamp)))) <
	0.5 * avg(abs(forecast_value - day_wave(extract(hour FROM forecast_timestamp - interval '1 hour')))) AS clock_is_followed
FROM lstm.forecast('office', 48) WHERE forecast_timestamp >= '2024-03-31 03:00';
CREATE TABLE seen AS SELECT step, forecast_value FROM lstm.forecast('office', 48);
SET timezone = 'Asia/Tokyo';
SELECT bool_and(s.forecast_value = f.forecast_value) AS model_has_a_zone FROM lstm.forecast('office', 48) f JOIN seen s USING (step);

-- holidays in hours are all hours of the date there: 23 on that day
SET timezone = 'Europe/Vienna';
CREATE TABLE holidays (name text, day date);
CREATE VIEW noons AS SELECT timestamptz '2024-02-22 12:00' + i * interval '5 days' FROM generate_series(0, 7) i
	UNION ALL SELECT '2024-03-31 12:00';
SELECT version FROM lstm.train('hourly_holidays', $$SELECT ts, CASE WHEN ts::date IN (SELECT noon::date FROM noons n(noon)) THEN -5 ELSE 5 END AS y
	FROM office$$, horizon => 12, context => 2, options => opt('{"holidays": "noons"}'));
SELECT forecast_timestamp::date AS day, count(*), count(*) FILTER (WHERE forecast_value < 0) AS below
FROM lstm.forecast('hourly_holidays', 47) GROUP BY 1 ORDER BY 1;
SET timezone = 'UTC';

-- month ends: every December is special
CREATE TABLE months AS SELECT (m + interval '1 month - 1 day')::date AS month, CASE WHEN extract(month FROM m) = 12 THEN 9.0 ELSE 1.0 END AS y
	FROM generate_series(timestamp '2008-01-01', '2023-06-01', '1 month') m;
SELECT version FROM lstm.train('months', 'months', horizon => 3, context => 2, options => opt('{"epochs": 150, "calendar": ["month"]}'));
SELECT forecast_timestamp::date AS month, round(forecast_value / 8) * 8 AS about FROM lstm.forecast('months', 20) WHERE step IN (5, 6, 7, 18, 19);

-- holidays: a table, whose later rows are seen by later forecasts
INSERT INTO holidays SELECT NULL, d FROM unnest('{2023-02-08,2023-04-05,2023-05-17,2023-06-14,2023-08-02,2023-09-13,2023-10-11,2023-11-08}'::date[]) d;
CREATE TABLE closed AS SELECT day, CASE WHEN day IN (SELECT h.day FROM holidays h) THEN 0 ELSE y END AS y FROM visits;
SELECT version FROM lstm.train('closed', 'closed', horizon => 2, context => 2,
	options => opt('{"calendar": ["weekday"], "holidays": "SELECT day FROM holidays"}'));
SELECT step, round(forecast_value / 5) * 5 AS about FROM lstm.forecast('closed', 5) WHERE step <= 4;
INSERT INTO holidays VALUES ('new', '2024-01-03');
SELECT step, round(forecast_value / 5) * 5 AS about FROM lstm.forecast('closed', 5) WHERE step <= 4;
SELECT step, round(forecast_value / 5) * 5 AS about FROM lstm.hindcast('closed') WHERE issued_at = '2023-11-07' AND step = 1;
SELECT lstm.describe('closed')#>>'{options,holidays}' AS holidays;

-- what the steps and the number of rows decide
CREATE FUNCTION chosen(source text, time_column text DEFAULT NULL) RETURNS jsonb LANGUAGE plpgsql AS $$
BEGIN
	PERFORM lstm.train('chosen', source, time_column => time_column, context => 2,
		options => '{"units": 1, "epochs": 1, "architecture": "rnn", "calendar": "auto", "validation_split": 0, "patience": 0}');
	RETURN lstm.describe('chosen')#>'{options,calendar}';
END $$;
SELECT what, chosen(format('SELECT ts, i %% 7 AS y FROM generate_series(0, %s) i, LATERAL (SELECT timestamp ''2021-01-04'' + i * interval %L AS ts) t', n, step))
FROM (VALUES ('ten minutes, a day', '10 minutes', 144), ('ten minutes, three days', '10 minutes', 440), ('hours, two days', '1 hour', 47),
	('hours, a month', '1 hour', 700), ('days, three weeks', '1 day', 20), ('days, a year', '1 day', 365), ('days, two years', '1 day', 730),
	('weeks, three years', '7 days', 156), ('months, a year', '1 month', 12), ('months, two years', '1 month', 24), ('quarters', '3 months', 20),
	('years', '1 year', 30)) v(what, step, n);
SELECT chosen('SELECT i, i % 7 AS y FROM generate_series(1, 1000) i', 'i');
SELECT chosen('SELECT day, y FROM visits WHERE extract(isodow FROM day) < 6');

-- errors
\set VERBOSITY default
SELECT lstm.train('bad', 'SELECT i, i % 7 AS y FROM generate_series(1, 100) i', time_column => 'i', options => '{"calendar": ["hour"]}');
SELECT lstm.train('bad', 'SELECT i, i % 7 AS y FROM generate_series(1, 100) i', time_column => 'i', options => '{"holidays": "holidays"}');
SELECT lstm.train('bad', 'visits', options => '{"calendar": ["hour"]}');
SELECT lstm.train('bad', 'months', options => '{"calendar": ["month_day"]}');
SELECT lstm.train('bad', 'visits', options => '{"calendar": ["day"]}');
SELECT lstm.train('bad', 'visits', options => '{"calendar": "all"}');
SELECT lstm.train('bad', 'visits', options => '{"holidays": "nothing"}');
SELECT lstm.train('bad', 'visits', options => '{"holidays": "holidays"}');
SELECT lstm.train('bad', 'visits', options => '{"holidays": "DELETE FROM holidays RETURNING day"}');
SELECT lstm.train('bad', 'visits', options => '{"holidays": "SELECT day FROM holidays; SELECT 1"}');
SELECT lstm.train('bad', 'visits', options => '{"holidays": "SELECT NULL::date"}');
SELECT lstm.train('bad', 'visits', options => '{"holidays": "SELECT ''infinity''::date"}');
SELECT lstm.fit(day, y, '{"calendar": ["weekday"]}') IS NOT NULL AS fits FROM visits;
SELECT lstm.fit(day, y, '{"holidays": "holidays"}') IS NOT NULL AS fits FROM visits;
SELECT lstm.fit(day, y, '{"on_error": "skip"}') IS NOT NULL AS fits FROM visits;
\set VERBOSITY terse
SELECT lstm.fit(day, y, '{"calendar": "auto", "units": 2, "epochs": 1}') IS NOT NULL AS fits FROM visits;
ALTER TABLE holidays RENAME TO gone;
SELECT count(*) FROM lstm.forecast('closed');
SELECT count(*) FROM lstm.evaluate('closed');
ALTER TABLE gone RENAME TO holidays;

-- whose rights: the caller's, and never a superuser's for another's query
CREATE ROLE regress_lstm_features;
CREATE SCHEMA regress_lstm_features AUTHORIZATION regress_lstm_features;
SET ROLE regress_lstm_features;
SET search_path = regress_lstm_features;
CREATE TABLE days AS SELECT date '2024-01-01' + i AS day, i % 7 AS y FROM generate_series(0, 99) i;
CREATE TABLE off AS SELECT date '2024-01-01' + i * 10 AS day FROM generate_series(0, 9) i;
SELECT version FROM lstm.train('theirs', 'days', options => '{"units": 2, "epochs": 1, "holidays": "off"}');
SELECT lstm.train('theirs', 'days', options => '{"units": 2, "epochs": 1, "holidays": "SELECT day FROM public.holidays"}');
SET search_path = public;
SELECT count(*) FROM lstm.forecast('theirs');
RESET ROLE;
\set VERBOSITY default
SELECT count(*) FROM lstm.forecast('theirs', source => 'regress_lstm_features.days');
\set VERBOSITY terse
ALTER TABLE regress_lstm_features.off OWNER TO CURRENT_USER;
SET ROLE regress_lstm_features;
SELECT count(*) FROM lstm.forecast('theirs');
SELECT count(lstm.drop_model('theirs'));
RESET ROLE;
RESET search_path;
-- a query of a model does not write
CREATE TABLE written (day date);
CREATE FUNCTION writes() RETURNS SETOF date LANGUAGE sql AS 'INSERT INTO written VALUES (''2024-01-01'') RETURNING day';
SELECT version FROM lstm.train('writer', 'visits', options => '{"units": 2, "epochs": 1, "holidays": "SELECT day FROM writes() day"}');
SELECT count(*) FROM lstm.forecast('writer');

SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
DROP VIEW noons;
DROP TABLE visits, both_kinds, office, seen, holidays, months, closed, written;
DROP FUNCTION opt, day_wave, chosen, writes;
DROP SCHEMA regress_lstm_features CASCADE;
DROP ROLE regress_lstm_features;
