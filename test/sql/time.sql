-- time.sql
--		Kinds of time columns, frequencies, calendars and clocks.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
SET datestyle = 'ISO, YMD';
SET timezone = 'Europe/Berlin';
-- Trains on source and returns its frequency and the times of the next steps, as instants in UTC.
CREATE FUNCTION next_times(source text, horizon int DEFAULT 3, options text DEFAULT '{}') RETURNS text LANGUAGE plpgsql AS $$
DECLARE result text;
BEGIN
	PERFORM lstm.train('next', source, 'y', horizon => horizon, context => 3,
		options => '{"units": 1, "epochs": 1, "validation_split": 0}'::jsonb || options::jsonb);
	SELECT (lstm.describe('next')->>'frequency') || ': ' || string_agg(
		coalesce(to_char(forecast_timestamp AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS.MS'), forecast_index::text), ', ' ORDER BY step)
	INTO result FROM lstm.forecast('next');
	PERFORM lstm.drop_model('next');
	RETURN result;
EXCEPTION WHEN OTHERS THEN
	RETURN SQLSTATE || ': ' || SQLERRM;
END $$;
CREATE VIEW numbers AS SELECT i, sin(i) AS y FROM generate_series(0, 39) i;

-- one hour that does not exist, and one that comes twice
SELECT next_times($$SELECT timestamptz '2024-03-29 11:00+00' + i * interval '1 hour' AS ts, y FROM numbers WHERE i < 38$$);
SELECT next_times($$SELECT timestamptz '2024-10-25 10:00+00' + i * interval '1 hour' AS ts, y FROM numbers WHERE i < 38$$);
-- days begin at midnight in Berlin: 22:00 UTC in summer, 23:00 in winter
SELECT next_times($$SELECT (date '2024-02-21' + i)::timestamptz AS ts, y FROM numbers WHERE i < 39$$);
SELECT next_times($$SELECT (date '2024-09-18' + i)::timestamptz AS ts, y FROM numbers WHERE i < 39$$);
SELECT next_times($$SELECT (date '2024-03-01' + i)::timestamptz AS ts, y FROM numbers$$);
-- in Kathmandu the same instants are 24 hours apart, until the clocks of Berlin change
CREATE TABLE midnights AS SELECT (date '2024-02-01' + i)::timestamptz AS ts, i, sin(i) AS y FROM generate_series(0, 75) i;
SET timezone = 'Asia/Kathmandu';
SELECT next_times('SELECT ts, y FROM midnights WHERE i < 40');
SELECT next_times('SELECT ts, y FROM midnights');
SET timezone = 'Europe/Berlin';
SELECT next_times('SELECT ts, y FROM midnights');
-- weeks and months on the clock of Berlin
SELECT next_times($$SELECT (date '2024-02-01' + 7 * i)::timestamptz AS ts, y FROM numbers WHERE i < 8$$);
SELECT next_times($$SELECT timestamptz '2021-11-01' + i * interval '1 month' AS ts, y FROM numbers WHERE i < 28$$);
SELECT next_times($$SELECT timestamptz '2021-12-01' + i * interval '1 month' - interval '1 day' AS ts, y FROM numbers WHERE i < 27$$);

-- without a zone
SELECT kind, next_times(source) FROM (VALUES
	('hours', $$SELECT timestamp '2024-03-30 00:00' + i * interval '1 hour' AS ts, y FROM numbers WHERE i < 24$$),
	('quarter hours', $$SELECT timestamp '2024-01-01 00:07' + i * interval '15 minutes' AS ts, y FROM numbers$$),
	('milliseconds', $$SELECT timestamp '2024-01-01' + i * interval '1 millisecond' AS ts, y FROM numbers$$),
	('leap day', $$SELECT timestamp '2024-01-20' + i * interval '1 day' AS ts, y FROM numbers$$),
	('days', $$SELECT date '2023-01-20' + i AS ts, y FROM numbers$$),
	('weeks', $$SELECT date '2023-01-20' + 7 * i AS ts, y FROM numbers$$),
	('business days', $$SELECT d::date AS ts, sin(i) AS y FROM generate_series(timestamp '2024-01-01', '2024-02-29', '1 day')
		WITH ORDINALITY AS g(d, i) WHERE extract(isodow FROM d) < 6$$),
	('months', $$SELECT (date '2023-01-01' + i * interval '1 month')::date AS ts, y FROM numbers WHERE i < 13$$),
	('month ends', $$SELECT (date '2023-02-01' + i * interval '1 month' - interval '1 day')::date AS ts, y FROM numbers WHERE i < 12$$),
	('the 30th', $$SELECT (date '2023-01-30' + i * interval '1 month')::date AS ts, y FROM numbers WHERE i < 12$$),
	('quarters', $$SELECT (date '2020-01-01' + i * interval '3 months')::date AS ts, y FROM numbers WHERE i < 12$$),
	('quarter ends', $$SELECT (date '2020-04-01' + i * interval '3 months' - interval '1 day')::date AS ts, y FROM numbers WHERE i < 12$$),
	('years', $$SELECT (date '1980-07-01' + i * interval '1 year')::date AS ts, y FROM numbers WHERE i < 12$$),
	('leap years', $$SELECT (date '1984-02-29' + i * interval '4 years')::date AS ts, y FROM numbers WHERE i < 9$$)) AS v(kind, source);

-- integers of every width, steps other than 1, negative ones
SELECT lstm.train('integers', $$SELECT (i * 5 - 100)::smallint AS n, y FROM numbers$$, 'y', 'n', context => 3, horizon => 2,
	options => '{"units": 1, "epochs": 1}') IS NOT NULL AS trained;
SELECT lstm.describe('integers')->>'frequency' AS frequency;
SELECT step, forecast_timestamp, forecast_index FROM lstm.forecast('integers') ORDER BY step;
SELECT DISTINCT issued_at FROM lstm.hindcast('integers');
SELECT lstm.train('integers', $$SELECT 9000000000000000000 + i AS n, y FROM numbers$$, 'y', 'n', context => 3,
	options => '{"units": 1, "epochs": 1}') IS NOT NULL AS trained;
SELECT forecast_index FROM lstm.forecast('integers');
SELECT forecast_index FROM lstm.forecast('integers', source => $$SELECT 9223372036854775807 - 39 + i AS n, y FROM numbers$$);
SELECT lstm.drop_model('integers');

-- gaps: the step is the commonest one
SELECT next_times($$SELECT timestamptz '2024-03-29 11:00+00' + i * interval '1 hour' AS ts, y FROM numbers WHERE i % 7 NOT IN (3, 4)$$);
SELECT next_times($$SELECT (date '2023-02-01' + i * interval '1 month' - interval '1 day')::date AS ts, y FROM numbers WHERE i NOT IN (3, 5, 6)$$);
SELECT next_times($$SELECT date '2024-01-01' + 2 * i AS ts, y FROM numbers$$, options => '{"frequency": "day"}');
SELECT next_times($$SELECT date '2024-01-01' + i AS ts, y FROM numbers WHERE i IN (0, 4, 11, 17, 24, 31)$$, 1, '{"frequency": "business day"}');

-- the session's zone at forecast does not matter, that of the training does
CREATE TABLE berlin AS SELECT (date '2024-02-21' + i)::timestamptz AS ts, sin(i) AS y FROM generate_series(0, 38) i;
CREATE TABLE clock AS SELECT timestamp '2024-03-30 00:00' + i * interval '1 hour' AS ts, sin(i) AS y FROM generate_series(0, 23) i;
SELECT version FROM lstm.train('berlin', 'berlin', horizon => 3, context => 5, options => '{"units": 1, "epochs": 1}');
SELECT version FROM lstm.train('clock', 'clock', horizon => 4, context => 5, options => '{"units": 1, "epochs": 1}');
SELECT lstm.describe('berlin')->>'time_zone' AS berlin, lstm.describe('clock')->>'time_zone' AS clock;
CREATE TABLE said AS SELECT 'berlin' AS model, * FROM lstm.forecast('berlin') UNION ALL SELECT 'clock', * FROM lstm.forecast('clock');
SET timezone = 'America/New_York';
SELECT step, f.forecast_timestamp AT TIME ZONE 'Europe/Berlin' AS day, f.forecast_timestamp = s.forecast_timestamp AS same_time,
	f.forecast_value = s.forecast_value AS same_value
FROM lstm.forecast('berlin') f JOIN said s USING (step) WHERE s.model = 'berlin' ORDER BY step;
SELECT count(*) FROM lstm.forecast('berlin', as_of => '2024-03-15');
SELECT forecast_timestamp AT TIME ZONE 'Europe/Berlin' AS day FROM lstm.forecast('berlin', 1, as_of => '2024-03-15');
-- a timestamp without time zone is taken in the zone of the session
SELECT step, forecast_timestamp::timestamp FROM lstm.forecast('clock') ORDER BY step;
SET timezone = 'Europe/Berlin';
SELECT step, forecast_timestamp FROM lstm.forecast('clock') ORDER BY step;

SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
DROP FUNCTION next_times;
DROP VIEW numbers;
DROP TABLE berlin, clock, said, midnights;

-- Rows of another step than the model's are said to be so.
CREATE TABLE hourly AS SELECT h, sin(extract(epoch FROM h) / 9000) AS y FROM generate_series(timestamp '2024-01-01', '2024-01-08', '1 hour') AS h;
SELECT version FROM lstm.train('hourly', 'hourly', context => 4, options => '{"units": 2, "epochs": 1}');
SET client_min_messages = warning;
SELECT count(*) FROM lstm.forecast('hourly', source => $$SELECT * FROM hourly WHERE extract(hour FROM h) = 0$$);
SELECT lstm.drop_model('hourly');
DROP TABLE hourly;

-- A target with gaps in rows that are there is no such case.
CREATE TABLE sparse AS SELECT h, CASE WHEN extract(hour FROM h)::int % 2 = 0 THEN sin(extract(epoch FROM h) / 9000) END AS y, 1.5 AS x FROM generate_series(timestamp '2024-01-01', '2024-01-08', '1 hour') AS h;
SELECT version FROM lstm.train('sparse', 'sparse', 'y', context => 4, past_covariates => 'x', options => '{"units": 2, "epochs": 1, "progress": 0}');
SELECT count(*) FROM lstm.forecast('sparse');
SELECT lstm.drop_model('sparse');
DROP TABLE sparse;
