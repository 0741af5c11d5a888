-- postgis_forecast.sql
--		Forecasts with their geometry: on maps, between the sensors, in tiles, views and rasters.

SELECT count(*) = 0 AS skip FROM pg_available_extensions WHERE name = 'postgis' \gset
\if :skip
\echo skipped: PostGIS is not installed
\quit
\endif
\set SHOW_CONTEXT never
SET client_min_messages = error;
SET lstm.progress = 0;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';
CREATE SCHEMA gis;
CREATE EXTENSION postgis SCHEMA gis;
CREATE EXTENSION lstm_postgis;
CREATE SCHEMA maps;
SET search_path = maps, gis;

-- a network: a field that fades with distance, a level that rises to the east
CREATE TABLE sensor AS
	SELECT 's' || to_char(i, 'FM00') AS name, ST_SetSRID(ST_MakePoint(-9 + (i * 7 % 20) * 0.15, 52 + (i * 11 % 19) * 0.12), 4326) AS place
	FROM generate_series(1, 20) i;
CREATE TABLE measured AS
	SELECT timestamptz '2024-01-01' + t * interval '1 hour' AS ts, name, place,
		20 + 2 * ST_X(place) + 5 * sin(t * 0.26 + ST_X(place)) + 3 * sin(t * 0.11 + 2 * ST_Y(place)) AS value
	FROM sensor, generate_series(0, 299) t;
SELECT version FROM lstm.train('network', 'SELECT ts, name, place, value FROM measured', series => 'name', geom => 'place',
	horizon => 6, context => 24, options => '{"units": 8, "epochs": 3, "space": "none"}');

-- every row has its place, and is lstm.forecast's
SELECT count(*), count(*) FILTER (WHERE ST_Equals(g.geom, s.place) AND ST_SRID(g.geom) = 4326) AS in_place,
	count(*) FILTER (WHERE f.forecast_value = g.forecast_value AND f.prediction_interval_upper_bound IS NOT DISTINCT FROM g.prediction_interval_upper_bound) AS same
FROM lstm.forecast_geom('network') g JOIN lstm.forecast('network') f USING (series, target, step) JOIN sensor s ON s.name = g.series;
SELECT count(*) FROM lstm.forecast_geom('network', 2, as_of => '2024-01-10');

-- between the sensors: at a sensor its own forecast, elsewhere near what the field is there
SELECT count(*), bool_and(abs(a.forecast_value - f.forecast_value) < 1e-9 AND abs(a.prediction_interval_lower_bound - f.prediction_interval_lower_bound) < 1e-9) AS own
FROM sensor s, lstm.forecast_at('network', ST_Transform(s.place, 2157), 2) a JOIN lstm.forecast('network', 2) f USING (step)
WHERE f.series = s.name AND s.name < 's05';
SELECT target, step, forecast_timestamp, ST_AsText(geom) AS place, ST_SRID(geom) AS srid,
	forecast_value BETWEEN (SELECT min(forecast_value) - 3 FROM lstm.forecast('network')) AND (SELECT max(forecast_value) + 3 FROM lstm.forecast('network')) AS sane,
	prediction_interval_lower_bound < forecast_value AND forecast_value < prediction_interval_upper_bound AS within
FROM lstm.forecast_at('network', ST_MakePoint(-8, 53), 2);
SELECT bool_and(a.forecast_value = b.forecast_value) AS same_again FROM lstm.forecast_at('network', ST_MakePoint(-8, 53)) a
	JOIN lstm.forecast_at('network', ST_SetSRID(ST_MakePoint(-8, 53), 4326)) b USING (target, step);
SELECT a.prediction_interval_upper_bound - a.forecast_value > n.prediction_interval_upper_bound - n.forecast_value AS farther_is_wider
FROM lstm.forecast_at('network', ST_MakePoint(-15, 57), 1) a, lstm.forecast_at('network', ST_MakePoint(-8, 53), 1) n;

-- a network of neighbours, whose column is of type geography
SELECT version FROM lstm.train('graph', 'SELECT ts, name, place::gis.geography AS place, value FROM measured', series => 'name', geom => 'place',
	horizon => 2, context => 12, options => '{"units": 4, "epochs": 1}');
SELECT count(*), count(*) FILTER (WHERE ST_Equals(g.geom, s.place) AND ST_SRID(g.geom) = 4326) AS in_place
FROM lstm.forecast_geom('graph') g JOIN sensor s ON s.name = g.series;
SELECT count(*), bool_and(abs(a.forecast_value - f.forecast_value) < 1e-9) AS own
FROM sensor s, lstm.forecast_at('graph', s.place) a JOIN lstm.forecast('graph') f USING (step) WHERE f.series = s.name AND s.name = 's07';

-- weights: sum 1; where the series have no past in common, inverse squared distances
SELECT round(sum(weight)::numeric, 9) AS sum, min(margin) > 0 AS margin FROM lstm.place_sites('network', NULL, ST_MakePoint(-8, 53), ARRAY(SELECT name FROM sensor)) p,
	lstm.kriging_weights('network', p.series, p.distances, p.place_distances, p.centre_distances);
SELECT series, round(weight::numeric, 3) AS weight, shift, margin FROM lstm.kriging_weights('network', '{s01,s02}', '{0,3,3,0}', '{1,2}', '{1,1,1}',
	source => $$SELECT ts, name, place, 7.5 AS value FROM maps.measured$$);
SELECT * FROM lstm.kriging_weights('network', '{s01,s02}', '{0,3,3}', '{1,2}', '{1,1,1}');
SELECT * FROM lstm.kriging_weights('network', '{s01,s02}', '{0,3,3,-1}', '{1,2}', '{1,1,1}');
SELECT * FROM lstm.kriging_weights('network', '{s01,xx}', '{0,3,3,0}', '{1,2}', '{1,1,1}');
SELECT * FROM lstm.kriging_weights('network', NULL, '{0,3,3,0}', '{1,2}', '{1,1,1}');
SELECT * FROM lstm.kriging_weights('network', '{NULL}', '{0}', '{1}', '{1,1}');

-- errors
SELECT * FROM lstm.forecast_at('network', NULL);
SELECT * FROM lstm.forecast_at('network', 'POINT EMPTY');
SELECT * FROM lstm.forecast_at('network', 'LINESTRING(0 0, 1 1)');
SELECT * FROM lstm.forecast_at('network', ST_SetSRID(ST_MakePoint(-8, 53), 990000));
SELECT * FROM lstm.forecast_at('network', ST_MakePoint('NaN', 53));
SELECT * FROM lstm.forecast_geom('nothing');
SELECT version FROM lstm.train('placeless', 'SELECT ts, name, value FROM measured', horizon => 1, context => 4, options => '{"units": 2, "epochs": 1}');
SELECT * FROM lstm.forecast_geom('placeless');

-- tiles: bytes where there is something to show, the same again; none elsewhere
SELECT octet_length(lstm.forecast_tile(0, 0, 0, 'network')) > 500 AS world, octet_length(lstm.forecast_tile(5, 15, 10, 'network')) > 200 AS here,
	octet_length(lstm.forecast_tile(5, 0, 0, 'network')) AS elsewhere,
	lstm.forecast_tile(0, 0, 0, 'network', NULL) = lstm.forecast_tile(0, 0, 0, 'network', NULL) AS same_again,
	octet_length(lstm.forecast_tile(0, 0, 0, 'network', NULL)) > 3 * octet_length(lstm.forecast_tile(0, 0, 0, 'network')) AS all_steps;
SELECT position('\x'::bytea || convert_to(word, 'UTF8') IN lstm.forecast_tile(0, 0, 0, 'network', layer => 'wind')) > 0 AS has, word
FROM unnest(ARRAY['wind', 'series', 'step', 'forecast_timestamp', '2024-01-13T12:00:00Z', 'value', 'lower', 'upper', 's20']) word;
SELECT lstm.forecast_tile(5, 32, 0, 'network');
SELECT lstm.forecast_tile(-1, 0, 0, 'network');
SELECT lstm.forecast_tile(31, 0, 0, 'network');
SELECT lstm.forecast_tile(NULL, 0, 0, 'network');

-- the view that QGIS loads
SELECT lstm.create_map_view('network');
SELECT f_table_schema, f_table_name, f_geometry_column, coord_dimension, srid, type FROM geometry_columns;
SELECT count(*), count(DISTINCT id), min(id), max(id), count(geom) FROM network_map;
SELECT attname, format_type(atttypid, atttypmod), col_description(attrelid, attnum) FROM pg_attribute WHERE attrelid = 'network_map'::regclass ORDER BY attnum;
SELECT lstm.create_map_view('network', 'network_map') AS again;
SELECT lstm.create_map_view('network', 'maps."A Map"') AS named;
SELECT lstm.create_map_view('network', 'sensor');
SELECT lstm.create_map_view('network', 'a.b.c');
CREATE VIEW mine AS SELECT 1 AS id;
SELECT lstm.create_map_view('network', 'mine');

-- rasters of a grid: the cells of the forecast, north up, in the right places
CREATE TABLE field AS
	SELECT t, format('%s/%s', c, r) AS cell, ST_SetSRID(ST_MakePoint(500 + 1000 * c, 700500 - 1000 * r), 2157) AS place, sin(t / 3.0 + c * 0.5) + r * 0.2 AS v
	FROM generate_series(1, 80) t, generate_series(0, 4) c, generate_series(0, 2) r;
SELECT version FROM lstm.train('grid', 'SELECT t, cell, place, v FROM field', time_column => 't', series => 'cell', geom => 'place',
	horizon => 2, context => 8, options => '{"units": 4, "epochs": 1, "space": "grid"}');
SELECT target, step, forecast_index, octet_length(raster) AS bytes, substr(raster, 1, 21) AS head FROM lstm.forecast_raster('grid');
SELECT count(*) AS pixels, bool_and(substr(r.raster, 61 + 10 + 8 * (5 * ((700500 - ST_Y(f.geom)::int) / 1000) + ST_X(f.geom)::int / 1000), 8) = float8send(f.forecast_value)) AS right_place
FROM lstm.forecast_raster('grid') r JOIN lstm.forecast_geom('grid') f USING (target, step);
SELECT * FROM lstm.forecast_raster('network');
\set VERBOSITY terse
SELECT * FROM lstm.forecast_at('grid', ST_SetSRID(ST_MakePoint(500, 500), 4326));
\set VERBOSITY default

-- functions that others add beside those of PostGIS are not called in their place
CREATE FUNCTION trap() RETURNS float8 LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
CREATE FUNCTION gis.geometry(gis.geometry) RETURNS gis.geometry LANGUAGE sql AS 'SELECT $1 WHERE maps.trap() > 0';
CREATE FUNCTION gis.st_distance(gis.geography, gis.geography) RETURNS float8 LANGUAGE sql AS 'SELECT maps.trap()';
CREATE FUNCTION gis.st_dwithin(gis.geography, gis.geography, float8) RETURNS boolean LANGUAGE sql AS 'SELECT maps.trap() > 0';
CREATE FUNCTION gis.st_tileenvelope(int, int, int) RETURNS gis.geometry LANGUAGE sql AS 'SELECT NULL::gis.geometry WHERE maps.trap() > 0';
CREATE FUNCTION gis.st_xmax(gis.geometry) RETURNS float8 LANGUAGE sql AS 'SELECT maps.trap()';
SELECT (SELECT count(*) FROM lstm.forecast_at('network', ST_MakePoint(-8, 53))) AS at_degrees, (SELECT count(*) FROM lstm.forecast_at('grid', ST_MakePoint(600, 700000))) AS at,
	octet_length(lstm.forecast_tile(0, 0, 0, 'network')) > 500 AS tile, (SELECT count(*) FROM lstm.forecast_raster('grid')) AS rasters,
	(SELECT count(*) FROM lstm.geom_edges(ARRAY[ST_AsEWKB('POINT(0 0)'), ST_AsEWKB('POINT(1 1)')], false, 1, NULL)) AS edges,
	(SELECT count(*) FROM lstm.geom_edges(array_agg(ST_AsEWKB(ST_MakePoint(n / 100.0, 53))), true, 2147483647, 700)) AS edges_degrees FROM generate_series(1, 501) n;
CREATE FUNCTION gis.trap_step(bytea, record, text, int, text, text) RETURNS bytea LANGUAGE plpgsql AS $$ BEGIN RAISE 'trapped'; END $$;
CREATE AGGREGATE gis.st_asmvt(record, text, int, text, text) (SFUNC = gis.trap_step, STYPE = bytea);
SELECT lstm.forecast_tile(0, 0, 0, 'network');

SELECT lstm.drop_model(m) FROM unnest(ARRAY['network', 'graph', 'placeless', 'grid']) m;
DROP SCHEMA maps CASCADE;
DROP EXTENSION lstm_postgis;
ALTER SCHEMA gis RENAME TO "gis'$$";
CREATE EXTENSION lstm_postgis;
DROP SCHEMA "gis'$$" CASCADE;
