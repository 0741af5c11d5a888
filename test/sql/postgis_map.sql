-- postgis_map.sql
--		Maps as pictures: places and their forecasts in colour.
SELECT count(*) = 0 AS skip FROM pg_available_extensions WHERE name = 'postgis' \gset
\if :skip
\echo skipped: PostGIS is not installed
\quit
\endif
\set VERBOSITY terse
\pset tuples_only on
SET client_min_messages = error;
SET lstm.progress = 0;
SET timezone = 'UTC';
CREATE EXTENSION postgis;
CREATE EXTENSION lstm_postgis;
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE hint text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n  ', SQLSTATE || ': ' || SQLERRM, nullif(hint, ''));
END $$;
CREATE FUNCTION times(picture text, what text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	RETURN (length(picture) - length(replace(picture, what, ''))) / length(what);
END $$;
CREATE FUNCTION is_svg(picture xml) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	IF picture::text NOT LIKE '<svg %</svg>' OR picture::text ~ '<script|href|url\(' OR picture::text ~* '"[^"<>]*\m(nan|inf)\M[^"<>]*"' THEN
		RETURN false;
	END IF;
	RETURN xmlparse(DOCUMENT picture::text) IS DOCUMENT;
EXCEPTION WHEN feature_not_supported THEN
	RETURN true;
END $$;
CREATE FUNCTION train(model text, source text, options jsonb DEFAULT '{}') RETURNS int LANGUAGE sql AS $$
	SELECT version FROM lstm.train(model, source, target => 'y', time_column => 'at', series => 'name', geom => 'geom', horizon => 2, context => 4,
		options => '{"architecture": "lstm", "space": "none", "units": 3, "epochs": 1, "seed": 1}' || options) $$;

-- stations, one with a name that means harm, one at the others' place
CREATE TABLE station AS SELECT * FROM (VALUES ('north', -8.0, 55.0), ('</svg><script>alert(1)</script>', -9.5, 53.2), ('south & "east"', -6.3, 52.2),
	(E'two\nlines', -6.3, 52.2)) AS v (name, lon, lat);
CREATE TABLE wind AS SELECT timestamptz '2024-01-01 00:00+00' + i * interval '1 day' AS at, name, ST_SetSRID(ST_MakePoint(lon, lat), 4326) AS geom, 10 + lat / 10 + sin(i) AS y
	FROM generate_series(0, 59) i, station;
SELECT train('wind', 'wind');
SELECT is_svg(p), times(p::text, '<title>') - 1 AS places, p::text LIKE '%wind: 2024-03-01<%' AS titled, p::text ~ '>\d+ km<' AS scale, p::text LIKE '%y, 1 step ahead%' AS label,
	times(p::text, 'crispEdges') AS colours, times(p::text, 'label halo') BETWEEN 3 AND 4 AS names, times(p::text, 'prefers-color-scheme:dark') AS dark FROM lstm.plot_map('wind') p;
SELECT is_svg(p), p::text LIKE '%wind: 2024-03-02<%' AS titled, p::text LIKE '%2 steps ahead%' AS label FROM lstm.plot_map('wind', 2) p;
SELECT is_svg(p), p::text LIKE '%no forecast%' AS lacking FROM lstm.plot_map('wind', source => $$SELECT * FROM wind WHERE name <> 'north'$$) p;
-- the report has it
SELECT lstm.report('wind') LIKE '%<section id="map"%' AS in_report;

-- one place; areas with a hole; lines; both sides of the antimeridian
SELECT train('one', $$SELECT * FROM wind WHERE name = 'north'$$);
SELECT is_svg(lstm.plot_map('one'));
CREATE TABLE area AS SELECT i AS at, name, geom, sin(i + length(name)) AS y FROM generate_series(0, 39) i, (VALUES
	('ring', ST_GeomFromText('POLYGON((0 0,100 0,100 100,0 100,0 0),(40 40,60 40,60 60,40 60,40 40))', 32630)),
	('pair', ST_GeomFromText('MULTIPOLYGON(((120 0,180 0,150 80,120 0)),((120 100,180 100,150 90,120 100)))', 32630)),
	('road', ST_GeomFromText('LINESTRING(0 120,50 130,180 120)', 32630)), ('spot', ST_GeomFromText('POINT(90 140)', 32630))) AS v (name, geom);
SELECT train('area', 'area');
SELECT is_svg(p), times(p::text, 'evenodd') BETWEEN 1 AND 2 AS areas, times(p::text, 'stroke-linecap') AS lines, p::text ~ '>\d+ m<' AS metres FROM lstm.plot_map('area') p;
CREATE TABLE fiji AS SELECT i AS at, name, ST_SetSRID(ST_MakePoint(lon, -17), 4326) AS geom, sin(i + lon) AS y FROM generate_series(0, 39) i, (VALUES ('west', 179.5), ('east', -179.5)) AS v (name, lon);
SELECT train('fiji', 'fiji');
SELECT lstm.plot_map('fiji')::text ~ '>\d0 km<' AS side_by_side;
CREATE TABLE hive AS SELECT t AS at, h.i || '/' || h.j AS name, h.geom, sin(t + h.i) AS y FROM generate_series(0, 29) t, ST_HexagonGrid(100, ST_MakeEnvelope(0, 0, 900, 700, 32630)) h;
SELECT train('hive', 'hive', '{"space": "grid"}');
SELECT is_svg(p), times(p::text, '<title>') - 1 = (SELECT count(DISTINCT name) FROM hive) AS cells FROM lstm.plot_map('hive') p;
-- coordinates without unit have no scale; a grid of points becomes cells
CREATE TABLE dots AS SELECT i AS at, x || '/' || y AS name, ST_MakePoint(x, y) AS geom, sin(i + x * y) AS y FROM generate_series(0, 29) i, generate_series(1, 4) x, generate_series(1, 3) y;
SELECT train('dots', 'dots');
SELECT is_svg(p), p::text ~ '>\d+ k?m<' AS scale, times(p::text, 'a7.0,7.0') > 0 AS dots FROM lstm.plot_map('dots') p;
SELECT train('cells', 'dots', '{"space": "grid"}');
SELECT is_svg(p), times(p::text, 'a7.0,7.0') AS dots, p::text ~ 'M[0-9.]+,[0-9.]+h[0-9.]+v' AS cells FROM lstm.plot_map('cells') p;

-- 10,000 cells are below 1 MB, and a picture of so many has no text for each
CREATE TABLE many AS SELECT i AS at, x || '/' || y AS name, ST_MakeEnvelope(x * 100, y * 100, x * 100 + 100, y * 100 + 100, 32630) AS geom, x + y + i AS y
	FROM generate_series(0, 7) i, generate_series(0, 99) x, generate_series(0, 99) y;
SELECT train('many', 'many');
SELECT is_svg(p), length(p::text) BETWEEN 300000 AND 1000000 AS bounded, times(p::text, '<title>') AS titles FROM lstm.plot_map('many') p;
-- what is finer than a pixel is left out
CREATE TABLE coast AS SELECT i AS at, name, geom, sin(i) AS y FROM generate_series(0, 19) i, (SELECT 'a' || n AS name, ST_Buffer(ST_SetSRID(ST_MakePoint(n * 1e5, 0), 32630), 4e4, 5000) AS geom FROM generate_series(1, 4) n) c;
SELECT train('coast', 'coast');
SELECT is_svg(p), length(p::text) < 30000 AS bounded FROM lstm.plot_map('coast') p;

-- what cannot be drawn
SELECT version FROM lstm.train('placeless', 'SELECT at, name, y FROM wind', target => 'y', time_column => 'at', series => 'name', horizon => 1, context => 3, options => '{"architecture": "lstm", "units": 2, "epochs": 1}');
SELECT query, error_of('SELECT lstm.' || query) FROM (VALUES
	($$plot_map(NULL)$$), ($$plot_map('nothing')$$), ($$plot_map('wind', NULL)$$), ($$plot_map('wind', 0)$$), ($$plot_map('wind', 70000)$$), ($$plot_map('wind', target => 'z')$$),
	($$plot_map('wind', version => 9)$$), ($$plot_map('wind', source => 'nothing')$$), ($$plot_map('placeless')$$),
	($$map_picture('t', 'l', false, NULL, '{a}', '{1}', '{1}', '{1}', '{0}', '{1}', '{1}', NULL, NULL)$$),
	($$map_picture('t', 'l', false, NULL, '{}', '{}', '{}', '{}', '{}', '{}', '{}', NULL, NULL)$$),
	($$map_picture('t', 'l', true, NULL, '{a,b}', '{1,NULL}', '{1,2}', '{1,2}', '{0,2}', '{1e308,-1e308}', '{1e308,-1e308}', 'NaN', -1)$$),
	($$map_picture(NULL, 'l', false, NULL, '{a}', '{1}', '{1}', '{1}', '{0}', '{1}', '{1}', NULL, NULL)$$),
	($$map_picture('t', 'l', false, NULL, '{a}', '{1,2}', '{1}', '{1}', '{0}', '{1}', '{1}', NULL, NULL)$$),
	($$map_picture('t', 'l', false, NULL, '{a}', '{1}', '{2}', '{1}', '{0}', '{1}', '{1}', NULL, NULL)$$),
	($$map_picture('t', 'l', false, NULL, '{a}', '{1}', '{1}', '{1}', '{3}', '{1}', '{1}', NULL, NULL)$$),
	($$map_picture('t', 'l', false, NULL, '{a}', '{1}', '{1}', '{1}', '{0}', '{NaN}', '{1}', NULL, NULL)$$),
	($$map_picture('t', 'l', false, NULL, '{a}', '{1}', '{NULL}', '{1}', '{0}', '{1}', '{1}', NULL, NULL)$$)) AS v(query);
SELECT is_svg(lstm.map_picture('t', 'l', g, NULL, '{a,b}', v, '{1,2}', '{1,2}', '{0,2}', x, y, NULL, NULL)) FROM (VALUES
	(true, '{NaN,Infinity}'::float8[], '{1e308,-1e308}'::float8[], '{1e308,-1e308}'::float8[]), (false, '{-1.7e308,1.7e308}', '{-1.7e308,1.7e308}', '{0,0}'),
	(false, '{0,0}', '{5,5}', '{5,5}'), (true, '{1,2}', '{0,0}', '{90,-90}'), (false, '{1,2}', '{1e-300,2e-300}', '{0,0}')) AS t(g, v, x, y);

DELETE FROM lstm.models WHERE name IN ('wind', 'one', 'area', 'fiji', 'hive', 'dots', 'cells', 'many', 'coast', 'placeless');
DROP TABLE station, wind, area, fiji, hive, dots, many, coast;
DROP FUNCTION error_of, times, is_svg, train;
DROP EXTENSION lstm_postgis;
DROP EXTENSION postgis;
