-- Series that are cells of a grid: columns of the source say row and column.
\set VERBOSITY terse
SET client_min_messages = error;
CREATE SCHEMA space_grid;
SET search_path = space_grid;

-- A pattern that wanders one column a step; one cell is missing.
CREATE TABLE cells AS
	SELECT t, y, x, ((sin((x - t) * 78.233 + y) * 43758.5453) - floor(sin((x - t) * 78.233 + y) * 43758.5453))::float8 AS v
	FROM generate_series(1, 200) t, generate_series(10, 12) y, generate_series(1, 6) x
	WHERE NOT (y = 11 AND x = 4);

-- Rows and columns name the series when nothing else does.
SELECT version FROM lstm.train('image', 'SELECT t, y, x, v FROM cells', time_column => 't', target => 'v', horizon => 1, context => 4,
	options => '{"grid": "y, x", "architecture": "conv_gru", "units": 8, "epochs": 25, "learning_rate": 0.01}');
SELECT version FROM lstm.train('pixels', 'SELECT t, y, x, v FROM cells', time_column => 't', target => 'v', horizon => 1, context => 4,
	options => '{"grid": "y, x", "architecture": "gru", "units": 8, "epochs": 25, "learning_rate": 0.01}');
SELECT j.mae < 0.7 * a.mae AS neighbours_help FROM lstm.evaluate('image') j, lstm.evaluate('pixels') a
WHERE j.level = 'series' AND a.level = 'series' AND j.series = '10/3' AND a.series = '10/3';
SELECT lstm.describe('image') -> 'space' AS space, lstm.describe('image') -> 'series_columns' AS series;
SELECT site, series, "row", "column", geom FROM lstm.sites('image') WHERE "row" = 2;
SELECT count(*) AS edges FROM lstm.graph('image');
SELECT name, output_shape FROM lstm.layers('image');
SELECT series, forecast_index, series_key FROM lstm.forecast('image') LIMIT 2;

-- Hexagons: columns with odd numbers lie half a cell lower, so the first one stays odd.
SELECT version FROM lstm.train('hexagons', 'SELECT t, y, x, v FROM cells', time_column => 't', target => 'v', horizon => 1, context => 4,
	options => '{"grid": "y, x", "cells": "hexagonal", "architecture": "conv_lstm", "units": 2, "epochs": 1}');
SELECT lstm.describe('hexagons') -> 'space' AS space;
SELECT min("column") AS first_column FROM lstm.sites('hexagons');

-- Names of their own, and the default network.
SELECT version FROM lstm.train('named', 'SELECT t, y, x, v, ''cell '' || y || '','' || x AS id FROM cells WHERE t < 60', time_column => 't', target => 'v',
	horizon => 1, options => '{"grid": "y, x", "epochs": 1}');
SELECT lstm.describe('named') -> 'layers' -> 1 ->> 'type' AS first_layer;
SELECT series FROM lstm.sites('named') LIMIT 1;

-- Judged on the past like other models.
SELECT method, count(*) FROM lstm.backtest('SELECT t, y, x, v FROM cells WHERE t < 60', time_column => 't', target => 'v', horizon => 1,
	context => 4, folds => 2, options => '{"grid": "y, x", "architecture": "conv_gru", "units": 2, "epochs": 1}')
WHERE method IN ('network', 'naive') AND fold IS NOT NULL GROUP BY method ORDER BY method;

-- Mistakes.
CREATE FUNCTION try(options jsonb, source text DEFAULT 'SELECT t, y, x, v FROM cells WHERE t < 60', series text DEFAULT 'y, x') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	hint text;
BEGIN
	PERFORM lstm.train('try', source, time_column => 't', target => 'v', series => series, past_covariates => '', horizon => 1, context => 4,
		options => '{"epochs": 1, "architecture": "gru", "units": 1}'::jsonb || options);
	RETURN 'trained';
EXCEPTION WHEN others THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n', SQLSTATE || ': ' || message, hint);
END $$;
\pset format unaligned
\pset tuples_only on
SELECT try('{"grid": "y"}');
SELECT try('{"grid": "y, x, t"}');
SELECT try('{"grid": "y, y"}');
SELECT try('{"grid": "y, z"}');
SELECT try('{"grid": "y, v"}');
SELECT try('{"grid": "y, x::int"}');
SELECT try('{"grid": "y, id"}', 'SELECT t, y, x, v, x::text AS id FROM cells', 'x');
SELECT try('{"grid": "y, f"}', 'SELECT t, y, x, v, x / 2.0 AS f FROM cells WHERE t < 60');
SELECT try('{"grid": "y, h"}', 'SELECT t, y, x, v, x / 2 AS h FROM cells WHERE t < 60');
SELECT try('{"grid": "y, n"}', 'SELECT t, y, x, v, nullif(x, 3) AS n FROM cells WHERE t < 60');
SELECT try('{"grid": "y, n"}', 'SELECT t, y, x, v, CASE WHEN t > 20 THEN x END AS n FROM cells WHERE t < 60');
SELECT try('{"grid": "y, m"}', 'SELECT t, y, x, v, x + (t > 20)::int AS m FROM cells WHERE t < 60');
SELECT try('{"grid": "y, b"}', 'SELECT t, y, x, v, x * 1500000000000000000 AS b FROM cells WHERE t < 60 AND x > 3 UNION ALL
	SELECT t, y, x, v, -9000000000000000000 FROM cells WHERE t < 60 AND x = 1');
SELECT try('{"grid": "y, b"}', 'SELECT t, y, x, v, x * 1000000 AS b FROM cells WHERE t < 60');
SELECT try('{"grid": "a, b"}', 'SELECT t, y, x, v, y * 1000 AS a, x * 1000 AS b FROM cells WHERE t < 60');
SELECT try('{"grid": "a, b"}', 'SELECT t, y, x, v, y * 5 AS a, x * 5 AS b FROM cells WHERE t < 60');
SELECT try('{"grid": "y, x"}', 'SELECT t, y, x, v FROM cells WHERE t < 60 AND y = 10 AND x = 1');
SELECT try('{"space": "grid"}');
SELECT try('{"space": "graph", "grid": "y, x"}');
SELECT try('{"cells": "hexagonal"}');
SELECT try('{"grid": "y, x", "distance": 3}');
SELECT try('{"grid": "y, x", "directed": true}');
SELECT try('{"grid": "y, x", "architecture": "graph_gru"}');
SELECT try('{"architecture": "conv_lstm"}');
SELECT try('{"grid": "y, x", "space": "none"}');
-- A single row of cells is a grid, too.
SELECT try('{"grid": "y, x", "architecture": "conv_gru", "units": 2}', 'SELECT t, y, x, v FROM cells WHERE t < 60 AND y = 10');
\pset tuples_only off
SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
DROP SCHEMA space_grid CASCADE;
