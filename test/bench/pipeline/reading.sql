-- reading.sql
--		How fast lstm.train reads: 2 million rows of (timestamptz, int, float8).
--
-- A context longer than any series is refused right after the rows were read,
-- sorted by series and time and laid on the grid, and before anything else: so
-- the time of the refused call is the time of reading.  Beside it the plain sum
-- of one column.  One process each; medians of five, taking turns.
\set ON_ERROR_STOP on
\set QUIET on
\pset format unaligned
\pset tuples_only on
\pset fieldsep ' '
SET max_parallel_workers_per_gather = 0;
SET client_min_messages = warning;
CREATE TABLE by_time AS
SELECT timestamptz '2020-01-01 00:00+00' + hour * interval '1 hour' AS ts, station, sin(hour * 0.1 + station) AS v
FROM generate_series(0, 9999) AS hour, generate_series(1, 200) AS station ORDER BY hour, station;
CREATE TABLE by_series AS SELECT * FROM by_time ORDER BY station, ts;
VACUUM ANALYZE by_time, by_series;
CREATE TABLE reading (what text, seconds float8);

CREATE FUNCTION read_all(source text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	start timestamptz := clock_timestamp();
BEGIN
	PERFORM lstm.train('reading', source, target => 'v', series => 'station', horizon => 1, context => 60000);
	RAISE EXCEPTION 'the training was to be refused';
EXCEPTION WHEN data_exception THEN
	IF SQLERRM NOT LIKE '%has 10000 rows, but context 60000%' THEN
		RAISE;
	END IF;
	RETURN extract(epoch FROM clock_timestamp() - start);
END $$;

CREATE FUNCTION sum_all(source text) RETURNS float8 LANGUAGE plpgsql AS $$
DECLARE
	start timestamptz := clock_timestamp();
	total float8;
BEGIN
	EXECUTE format('SELECT sum(v) FROM %I', source) INTO total;
	RETURN extract(epoch FROM clock_timestamp() - start);
END $$;

SELECT read_all(t), sum_all(t) FROM unnest(ARRAY['by_time', 'by_series']) AS t \g /dev/null
INSERT INTO reading
SELECT f.what, f.seconds
FROM generate_series(1, 5) AS repetition, unnest(ARRAY['by_time', 'by_series']) AS t,
	LATERAL (SELECT 'read_' || t, read_all(t) UNION ALL SELECT 'sum_' || t, sum_all(t)) AS f (what, seconds);
SELECT what, percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds) FROM reading GROUP BY what ORDER BY what;
