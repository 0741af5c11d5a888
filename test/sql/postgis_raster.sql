-- postgis_raster.sql
--		Rasters as rows: their pixels are cells of a grid; forecasts come back as rasters.
SELECT count(*) = 0 AS skip FROM pg_available_extensions WHERE name = 'postgis_raster' \gset
\if :skip
\echo skipped: PostGIS is not installed
\quit
\endif
\pset tuples_only on
SET client_min_messages = warning;
SET lstm.progress = 0;
CREATE EXTENSION postgis;
CREATE EXTENSION postgis_raster;
CREATE EXTENSION lstm_postgis;
-- A wave that runs east; one pixel is NODATA.
CREATE TABLE sky AS
SELECT timestamptz '2024-01-01 00:00+00' + t * interval '1 hour' AS at, ST_SetValues(ST_AddBand(ST_MakeEmptyRaster(5, 4, 100, 900, 10, -10, 0, 0, 32630),
	'64BF'::text, 0, -9999), 1, 1, 1, (SELECT array_agg(line ORDER BY y) FROM (SELECT y, array_agg(CASE WHEN x = 5 AND y = 4 THEN -9999 ELSE sin((x - t) / 2.0) + y / 10.0 END ORDER BY x) AS line
	FROM generate_series(1, 5) x, generate_series(1, 4) y GROUP BY y) l)) AS rast
FROM generate_series(1, 120) t;
-- A function of others beside that of PostGIS is not called.
CREATE FUNCTION st_pixelascentroids(raster, int) RETURNS SETOF int LANGUAGE sql AS 'SELECT 1 / 0';
SELECT skill > 0.5 AS learned FROM lstm.train('sky', 'sky', geom => 'rast', horizon => 2, context => 6,
	options => '{"architecture": "conv_gru", "units": 8, "epochs": 25, "learning_rate": 0.01}');
SELECT lstm.describe('sky')->'space';
SELECT series, "row", "column", ST_AsText(ST_GeomFromEWKB(geom)) FROM lstm.sites('sky') ORDER BY "row", "column" LIMIT 2;
SELECT count(*), count(DISTINCT series), min(ST_SRID(geom)) FROM lstm.forecast_geom('sky');
-- A source of rasters to forecast from; pixels of the result lie where they lay.
SELECT count(*) FROM lstm.forecast('sky', source => 'SELECT * FROM sky WHERE at < ''2024-01-04''');
SELECT f.step, (ST_MetaData(r)).upperleftx, (ST_MetaData(r)).upperlefty, ST_Width(r), ST_Height(r), abs(ST_Value(r, 2, 3) - v.forecast_value) < 1e-9 AS same_value, ST_Value(r, 5, 4) IS NULL AS none_there
	FROM lstm.forecast_raster('sky') f, ST_RastFromWKB(f.raster) r, lstm.forecast('sky') v WHERE v.step = f.step AND v.series = '3/2' ORDER BY f.step;
-- What cannot be.
\set VERBOSITY terse
SELECT lstm.train('no', 'SELECT at, rast, 1 AS value FROM sky', geom => 'rast');
SELECT lstm.train('no', 'SELECT at, rast FROM sky', geom => 'rast', target => 'other');
SELECT lstm.drop_model('sky');
DROP TABLE sky;
DROP FUNCTION st_pixelascentroids(raster, int);
DROP EXTENSION lstm_postgis;
DROP EXTENSION postgis_raster;
DROP EXTENSION postgis;
