-- postgis_train.sql
--		Places become graphs and grids; what is wrong with them is told.

SELECT count(*) = 0 AS skip FROM pg_available_extensions WHERE name = 'postgis' \gset
\if :skip
\echo skipped: PostGIS is not installed
\quit
\endif
\set SHOW_CONTEXT never
\set VERBOSITY terse
SET client_min_messages = error;
CREATE SCHEMA gis;
CREATE EXTENSION postgis SCHEMA gis;
CREATE SCHEMA places;
SET search_path = places, gis;

CREATE TABLE air AS
	SELECT t, 's' || s AS id, sin((t - 3 * s) / 5.0)::float8 AS y,
		ST_SetSRID(ST_MakePoint(-6.26 + 0.01 * ((s * 7) % 5) + 0.003 * s, 53.34 + 0.01 * ((s * 3) % 4)), 4326) AS place
	FROM generate_series(1, 60) t, generate_series(1, 9) s;
CREATE FUNCTION try(place text, options jsonb DEFAULT '{}', source text DEFAULT 'air', OUT result text) LANGUAGE plpgsql AS $$
DECLARE
	hint text;
	trained int;
BEGIN
	trained := (SELECT version FROM lstm.train('try', format('SELECT t, id, y, %s AS place FROM %s', place, source), time_column => 't',
		target => 'y', geom => 'place', horizon => 1, context => 4,
		options => '{"epochs": 1, "architecture": "gru", "units": 1, "validation_split": 0}'::jsonb || options));
	result := (lstm.describe('try', trained) -> 'space') || jsonb_build_object('places', (SELECT count(geom) FROM lstm.sites('try', trained)));
EXCEPTION WHEN others THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	result := concat_ws(E'\n', SQLSTATE || ': ' || SQLERRM, nullif(hint, ''));
END $$;
\pset format unaligned
\pset tuples_only on

-- Places are computed with by another extension, and kept without it.
SELECT try('place');
SELECT version FROM lstm.train('kept', 'SELECT t, id, y, place FROM air', time_column => 't', target => 'y', geom => 'place', horizon => 1,
	context => 4, options => '{"epochs": 1, "architecture": "gru", "units": 1, "space": "none"}');
SELECT count(geom), bool_or(geography) FROM lstm.sites('kept');
CREATE EXTENSION lstm_postgis;

-- Graphs.
SELECT try('place', '{"neighbors": 2, "threshold": 0, "directed": true}');
SELECT try('place', '{"neighbors": 2, "threshold": 0}');
SELECT try('place::geography', '{"distance": 1200, "neighbors": 0, "kernel": "none"}');
SELECT min(weight) = 1 AND max(weight) = 1 FROM lstm.graph('try');
SELECT try('place', '{"kernel": "inverse", "threshold": 1}');
SELECT count(DISTINCT target) FROM lstm.graph('try');
SELECT bool_and(geography), count(*) FROM lstm.sites('try', 3);
SELECT try('CASE WHEN t > 7 THEN place END');
SELECT try('CASE WHEN id IN (''s1'', ''s2'') THEN (SELECT place FROM air WHERE id = ''s3'' LIMIT 1) ELSE place END', '{"space": "graph"}');
SELECT count(*) FROM lstm.graph('try') WHERE source = 's1' AND target = 's2' AND weight > 0.1;
SELECT try('ST_SetSRID(place, 0)');
SELECT try('ST_Buffer(place, 0.001)');
SELECT try('place', '{"space": "graph", "neighbors": 1}', '(SELECT * FROM air WHERE id IN (''s1'', ''s2'')) s');

-- Grids.
CREATE TABLE squares AS
	SELECT t, i || '/' || j AS id, sin((t + i + j) / 5.0) AS y, cell
	FROM generate_series(1, 40) t, LATERAL (SELECT i, j, geom AS cell FROM ST_SquareGrid(500, ST_MakeEnvelope(600, 600, 2400, 1900, 3857))) c;
SELECT try('cell', '{"architecture": "conv_gru"}', 'squares');
SELECT series, "row", "column" FROM lstm.sites('try') ORDER BY "row", "column" LIMIT 2;
SELECT try('cell', '{}', '(SELECT * FROM squares WHERE id <> ''2/2'') s');
SELECT try('ST_Translate(ST_Centroid(cell), 4 * (id = ''2/2'')::int, 0)', '{"space": "grid"}', 'squares');
SELECT try('ST_Translate(ST_Centroid(cell), 6 * (id = ''2/2'')::int, 0)', '{"space": "grid"}', 'squares');
SELECT try('ST_Translate(ST_Centroid(cell), 6 * (id = ''2/2'')::int, 0)', '{}', 'squares');
SELECT try('cell', '{"neighbors": 4}', 'squares');
SELECT try('CASE WHEN id IN (''2/2'', ''2/1'') THEN ST_MakeEnvelope(1000, 1000, 1500, 1500, 3857) ELSE cell END', '{"space": "grid"}', 'squares');
CREATE TABLE hexagons AS
	SELECT t, i || '/' || j AS id, sin((t + i + j) / 5.0) AS y, cell
	FROM generate_series(1, 40) t, LATERAL (SELECT i, j, geom AS cell FROM ST_HexagonGrid(500, ST_MakeEnvelope(1000, 1000, 4000, 3000, 3857))) c;
SELECT try('cell', '{"architecture": "conv_lstm"}', 'hexagons');
-- every second column lies half a cell lower
SELECT "column", bool_and("row" = round((top - ST_Y(centre)) / (500 * sqrt(3)) + CASE WHEN "column" % 2 = 0 THEN 0.5 ELSE 1 END)) AS as_said
FROM (SELECT s.*, ST_Centroid(ST_GeomFromEWKB(geom)) AS centre FROM lstm.sites('try') s) s,
	(SELECT max(ST_Y(ST_Centroid(ST_GeomFromEWKB(geom)))) AS top FROM lstm.sites('try') WHERE "column" = 1) t
GROUP BY 1 ORDER BY 1;

SELECT count(*) FROM lstm.forecast_raster('try');

-- Mistakes.
SELECT try('CASE WHEN id <> ''s3'' THEN place END');
SELECT try('CASE WHEN id <> ''s3'' THEN place END', '{"on_error": "skip"}');
SELECT try('CASE WHEN id = ''s3'' THEN ''POINT EMPTY''::geometry ELSE place END');
SELECT try('CASE WHEN id = ''s3'' THEN ST_SetSRID(place, 0) ELSE place END');
SELECT try('CASE WHEN id = ''s3'' AND t > 50 THEN ST_Translate(place, 1, 0) ELSE place END');
SELECT try('CASE WHEN id = ''s3'' AND t > 50 THEN ST_Translate(place, 1, 0) ELSE place END', '{"on_error": "skip"}');
SELECT try('CASE WHEN id = ''s3'' THEN ST_SetSRID(ST_MakePoint(53, 120), 4326) ELSE ST_SetSRID(ST_MakePoint(-6, 53), 4326) END');
SELECT try('CASE WHEN id = ''s3'' THEN ST_SetSRID(ST_MakePoint(1e300, 3), 3857) ELSE ST_SetSRID(ST_MakePoint(1, 2), 3857) END');
-- Two series in one cell: nobody asked for a grid.
SELECT try('CASE WHEN id = ''2/2'' THEN (SELECT cell FROM squares LIMIT 1) ELSE cell END', '{}', 'squares');
SELECT try('place', '{"distance": 1}');
SELECT try('place', '{"space": "grid"}');
SELECT try('place', '{"graph": "VALUES (''s1'', ''s2'')", "distance": 10}');
SELECT try('place', '{"space": "graph"}', '(SELECT * FROM air WHERE id = ''s1'') s');
SELECT try('place::text');
SELECT try('place::point');
SELECT try('NULL::geometry');
-- Own edges stand above the places, which are kept.
SELECT try('place', '{"graph": "VALUES (''s1'', ''s2'')"}');

SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
DROP SCHEMA places CASCADE;
DROP EXTENSION lstm_postgis;
DROP EXTENSION postgis;
DROP SCHEMA gis;
