-- sites.sql
--		10,000 sites: a graph of the nearest neighbours, from rows to a map.
--
-- Generated points (a low-discrepancy sequence, 1,000 km to a side), 60 rows each; a wave that
-- wanders across them.  Context 6, horizon 2, one graph layer of 8 units, one epoch; workers
-- off, so times are those of one core.  Each size has a backend of its own, because what is
-- told of its memory is the most that it ever held.
--
-- Must: each site has one forecast for each step, at its own place; a site among 10,000 takes
-- less than twice the time of one among 2,500, as the number of its edges is the same.
\ir common.sql
CREATE TABLE point AS
SELECT n AS site, ST_SetSRID(ST_MakePoint(500000 + 1e6 * (n * 0.7548776662 - floor(n * 0.7548776662)),
	5000000 + 1e6 * (n * 0.5698402910 - floor(n * 0.5698402910))), 32632) AS place
FROM generate_series(1, 10000) AS n;
CREATE TABLE reading AS
SELECT t, site, sin(t / 3.0 - ST_X(place) / 2e5) + cos(ST_Y(place) / 3e5) + 0.1 * sin(t * site * 0.37) AS y, place
FROM generate_series(1, 60) AS t, point;
ANALYZE;
CREATE TABLE about (sites int, edges bigint, trains_s float8, forecasts_s float8, resident_mb numeric, forecasts bigint, once bigint, at_place bigint);

-- Largest resident memory of this session so far, MB; NULL where the system does not say.
CREATE FUNCTION resident() RETURNS numeric LANGUAGE sql AS $$
SELECT round(substring(pg_read_file('/proc/self/status', 0, 65536, true) FROM 'VmHWM:\s*(\d+)')::numeric / 1024) $$;

CREATE PROCEDURE sites_run(sites int) LANGUAGE plpgsql AS $$
DECLARE
	name text := format('%s sites', sites);
	began timestamptz;
	took float8;
BEGIN
	SET client_min_messages = error;	-- one epoch is no good model
	SET lstm.progress = 0;
	SET max_parallel_maintenance_workers = 0;
	began := clock_timestamp();
	CALL fit(name, format('SELECT t, site, y, place FROM reading WHERE site <= %s', sites), 2, 6, '{"neighbors": 8, "epochs": 1,
		"layers": [{"type": "graph", "units": 8}, {"type": "flatten"}, {"type": "dense"}]}', target => 'y', time_column => 't',
		series => 'site', geom => 'place');
	took := extract(epoch FROM clock_timestamp() - began);
	began := clock_timestamp();
	CREATE TEMPORARY TABLE forecast AS SELECT * FROM lstm.forecast_geom(name);
	INSERT INTO about SELECT sites, (SELECT count(*) FROM lstm.graph(name)), took, extract(epoch FROM clock_timestamp() - began), resident(),
		count(*), count(DISTINCT (f.series, f.step)) FILTER (WHERE f.forecast_value = f.forecast_value), count(*) FILTER (WHERE ST_Equals(p.place, f.geom))
	FROM forecast AS f LEFT JOIN point AS p ON p.site = f.series::int;
	DROP TABLE forecast;
END $$;

\connect
CALL sites_run(2500);
\connect
CALL sites_run(10000);

SELECT sites, edges, r(trains_s, 2) AS "reads, finds neighbours, trains an epoch, s", r(forecasts_s, 2) AS "lstm.forecast_geom, s",
	r(1e6 * trains_s / sites, 0) AS "training per site, us", r(1e6 * forecasts_s / sites, 0) AS "forecast per site, us", resident_mb AS "MB resident at the most"
FROM about ORDER BY sites;
SELECT judge('10,000 sites', 'forecasts', max(forecasts), '<=', 20000), judge('10,000 sites', 'sites and steps that have one', max(once), '>=', 20000),
	judge('10,000 sites', 'forecasts at the place of their site', max(at_place), '>=', 20000),
	judge('10,000 sites', 'training, time per site over that among 2,500', r(max(trains_s) / min(trains_s) / 4, 2), '<', 2),
	judge('10,000 sites', 'forecast, time per site over that among 2,500', r(max(forecasts_s) / min(forecasts_s) / 4, 2), '<', 2)
FROM about \g /dev/null
