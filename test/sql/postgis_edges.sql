-- postgis_edges.sql
--		What lstm.train asks of PostGIS: kinds of geometry, and nearest neighbours beside brute force.

SELECT count(*) = 0 AS skip FROM pg_available_extensions WHERE name = 'postgis' \gset
\if :skip
\echo skipped: PostGIS is not installed
\quit
\endif
\set VERBOSITY terse
SET client_min_messages = warning;
-- PostGIS where no search_path leads to it.
CREATE SCHEMA gis;
CREATE EXTENSION postgis SCHEMA gis;
CREATE EXTENSION lstm_postgis;
CREATE SCHEMA edges;
SET search_path = edges, gis;

-- every object says what it is, and none depends on a search_path
SELECT p.proname AS without_comment FROM pg_depend d JOIN pg_extension e ON e.oid = d.refobjid JOIN pg_proc p ON p.oid = d.objid
WHERE e.extname = 'lstm_postgis' AND d.deptype = 'e' AND obj_description(p.oid, 'pg_proc') IS NULL;
SELECT count(*) AS unresolved FROM pg_proc WHERE pronamespace = 'lstm'::regnamespace AND prosrc LIKE '%@%@%';

SELECT site, kind, srid, is_empty, geographic, round(x::numeric, 6) AS x, round(y::numeric, 6) AS y FROM lstm.geom_describe(ARRAY[
	ST_AsEWKB('SRID=4326;POINT(-6.3 53.4)'), ST_AsEWKB('SRID=2157;POLYGON((0 0, 2 0, 2 2, 0 2, 0 0))'), ST_AsEWKB('POINT(1 2)'),
	ST_AsEWKB('SRID=4326;MULTIPOINT EMPTY'), NULL, ST_AsEWKB('SRID=4979;POINTZ(1 2 3)')], false);
SELECT site, geographic FROM lstm.geom_describe(ARRAY[geography_send('POINT(1 1)'::geography)], true);
SELECT count(*) FROM lstm.geom_describe('{}', false);

-- points that repeat themselves, without a random generator
CREATE FUNCTION points(n int, srid int, size float8) RETURNS bytea[] LANGUAGE sql AS $$
	SELECT array_agg(ST_AsEWKB(ST_SetSRID(ST_MakePoint(size * (i * 7919 % 10007) / 10007, size * (i * 104729 % 10009) / 10009), srid)) ORDER BY i)
	FROM generate_series(1, n) i $$;

CREATE FUNCTION brute(geom bytea[], geographic boolean, k int, within float8)
	RETURNS TABLE (source int, target int, distance float8) LANGUAGE sql AS $$
	SELECT source, target, distance FROM (
		SELECT *, row_number() OVER (PARTITION BY target ORDER BY distance, source) AS rank FROM (
			SELECT s.n::int AS source, t.n::int AS target, CASE WHEN $2 THEN ST_Distance(s.g::geometry::geography, t.g::geometry::geography)
				ELSE ST_Distance(s.g::geometry, t.g::geometry) END AS distance
			FROM unnest($1) WITH ORDINALITY s(g, n), unnest($1) WITH ORDINALITY t(g, n) WHERE s.n <> t.n) p
		WHERE $4 IS NULL OR distance <= $4) r
	WHERE $3 = 0 OR rank <= $3 $$;

CREATE FUNCTION same(geom bytea[], geography boolean, geographic boolean, k int, within float8) RETURNS text LANGUAGE sql AS $$
	SELECT format('%s edges, %s differ', count(e.source), count(*) FILTER (WHERE e.source IS NULL OR b.source IS NULL OR abs(e.distance - b.distance) > 1e-6))
	FROM lstm.geom_edges($1, $2, $4, $5) e FULL JOIN brute($1, $3, $4, $5) b USING (source, target) $$;

-- few sites, and more than 500, which take the way by an index: projected, degrees, geography, a distance, no limit of number
SELECT n, srid, k, within, same(points(n, srid, size), geography, geographic, k, within)
FROM (VALUES (60, 2157, 1000.0, false, false, 4, NULL), (60, 4326, 10, false, true, 4, NULL), (60, 4326, 10, true, true, 4, 200000),
	(60, 0, 1, false, false, 0, NULL), (60, 0, 1, false, false, 0, 0.2), (700, 2157, 1000, false, false, 8, NULL),
	(700, 2157, 1000, false, false, 8, 40), (700, 2157, 1000, false, false, 0, 40), (600, 4326, 60, false, true, 5, NULL),
	(600, 4326, 60, true, true, 5, 200000)) AS v(n, srid, size, geography, geographic, k, within);

-- ties go by site, also when the index finds others first; duplicates are neighbours at 0
SELECT same(array_agg(ST_AsEWKB(ST_MakePoint(i % 30, i / 30)) ORDER BY i), false, false, 3, NULL) FROM generate_series(0, 899) i;
SELECT same(array_agg(ST_AsEWKB(ST_MakePoint(i / 4 % 20, i / 80)) ORDER BY i), false, false, 2, NULL) FROM generate_series(0, 599) i;
SELECT * FROM lstm.geom_edges(ARRAY[ST_AsEWKB('POINT(0 0)'), ST_AsEWKB('POINT(0 0)'), ST_AsEWKB('POINT(3 4)'), ST_AsEWKB('POINT EMPTY')], false, 1, NULL);

-- polygons: the distance is between their edges
SELECT same(array_agg(ST_AsEWKB(ST_Buffer(ST_SetSRID(ST_MakePoint(i * 7919 % 1009, i * 104729 % 997), 2157), 1 + i % 9, 2)) ORDER BY i),
	false, false, 4, NULL) FROM generate_series(1, 550) i;

-- nothing is left, nothing of the caller's is in the way
SELECT count(*) AS left FROM pg_class WHERE relname LIKE 'lstm\_sites\_%';
CREATE TEMPORARY TABLE lstm_sites_0 (mine int);
SELECT count(*) FROM lstm.geom_edges(points(501, 2157, 1000), false, 1, NULL);
SELECT count(*) FROM lstm.geom_edges(points(501, 2157, 1000), false, 1, NULL);
SELECT count(*) AS mine FROM lstm_sites_0;
DROP TABLE lstm_sites_0;

-- read-only, and without the right to temporary tables: few sites still work
CREATE ROLE edges_reader;
GRANT USAGE ON SCHEMA edges, gis TO edges_reader;
SELECT current_database() AS database \gset
REVOKE TEMPORARY ON DATABASE :"database" FROM PUBLIC;
SET ROLE edges_reader;
BEGIN READ ONLY;
SELECT count(*) FROM lstm.geom_edges(points(50, 4326, 1), false, 2, NULL);
COMMIT;
\set VERBOSITY default
\set SHOW_CONTEXT never
DO $$ BEGIN PERFORM lstm.geom_edges(points(501, 4326, 1), false, 2, NULL);
EXCEPTION WHEN insufficient_privilege THEN RAISE WARNING '%', SQLERRM; END $$;
RESET ROLE;
GRANT TEMPORARY ON DATABASE :"database" TO PUBLIC;

-- errors
SELECT * FROM lstm.geom_edges(ARRAY[ST_AsEWKB('POINT(0 0)'), NULL], false, 1, NULL);
SELECT * FROM lstm.geom_edges(ARRAY[ST_AsEWKB('SRID=4326;POINT(0 0)'), ST_AsEWKB('SRID=3857;POINT(0 0)')], false, 1, NULL);
SELECT * FROM lstm.geom_edges(points(3, 0, 1), false, -1, NULL);
SELECT * FROM lstm.geom_edges(points(3, 0, 1), false, 1, 'NaN');
SELECT * FROM lstm.geom_edges(points(3, 0, 1), false, NULL, NULL);
SELECT * FROM lstm.geom_edges(points(4001, 0, 1), false, 0, NULL);
SELECT count(*) FROM lstm.geom_edges('{}', false, 1, NULL);

DROP OWNED BY edges_reader;
DROP ROLE edges_reader;
SET client_min_messages = error;
DROP SCHEMA edges CASCADE;
DROP EXTENSION lstm_postgis;
DROP SCHEMA gis CASCADE;
