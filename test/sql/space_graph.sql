-- Series with edges between them: one network forecasts all of them at once.
\set VERBOSITY terse
SET client_min_messages = error;
CREATE SCHEMA space_graph;
SET search_path = space_graph;

-- What s1 shows now, s2 shows two steps later, s3 four, and so on.
CREATE TABLE flow AS
	SELECT t, 's' || s AS id, ((sin((t - 2 * s) * 12.9898) * 43758.5453) - floor(sin((t - 2 * s) * 12.9898) * 43758.5453))::float8 AS y
	FROM generate_series(1, 400) t, generate_series(1, 5) s;
CREATE TABLE rivers AS
	SELECT 's' || s AS upper, 's' || (s + 1) AS lower, s AS width FROM generate_series(1, 4) s;

-- Neighbours say what no series knows of itself.
SELECT version, parameters > 0 AS has_parameters FROM lstm.train('joined', 'SELECT t, id, y FROM flow', time_column => 't', target => 'y',
	horizon => 1, context => 6, options => '{"graph": "rivers", "architecture": "graph", "units": 16, "epochs": 25, "learning_rate": 0.01}');
SELECT version FROM lstm.train('alone', 'SELECT t, id, y FROM flow', time_column => 't', target => 'y',
	horizon => 1, context => 6, options => '{"graph": "rivers", "architecture": "gru", "units": 16, "epochs": 25, "learning_rate": 0.01}');
SELECT j.mae < 0.5 * a.mae AS neighbours_help FROM lstm.evaluate('joined') j, lstm.evaluate('alone') a
WHERE j.level = 'series' AND a.level = 'series' AND j.series = 's3' AND a.series = 's3';

SELECT lstm.describe('joined') -> 'space' AS space, lstm.describe('joined') -> 'options' ->> 'directed' AS directed;
SELECT * FROM lstm.sites('joined');
SELECT * FROM lstm.graph('joined');
SELECT name, output_shape FROM lstm.layers('joined');
SELECT series, step, forecast_index, forecast_value IS NOT NULL AS is_known FROM lstm.forecast('joined', horizon => 2) WHERE step = 2;

-- The same bytes from the same rows.
SELECT version FROM lstm.train('joined', 'SELECT t, id, y FROM flow ORDER BY random()', time_column => 't', target => 'y',
	horizon => 1, context => 6, options => '{"graph": "rivers", "architecture": "graph", "units": 16, "epochs": 25, "learning_rate": 0.01}');
SELECT count(DISTINCT md5(model::bytea)) AS models FROM lstm.model_values WHERE name = 'joined';

-- Both directions, with the larger weight.
SELECT version FROM lstm.train('both', 'SELECT t, id, y FROM flow', time_column => 't', target => 'y', horizon => 1, context => 4,
	options => '{"graph": "TABLE rivers UNION ALL VALUES (''s2'', ''s1'', 0.5)", "directed": false, "architecture": "graph_gru", "units": 2, "epochs": 1}');
SELECT * FROM lstm.graph('both') ORDER BY source, target;

-- Defaults where nothing is said, and every architecture over a graph.
SELECT version FROM lstm.train('auto', 'SELECT t, id, y FROM flow WHERE t < 120', time_column => 't', target => 'y', horizon => 1,
	options => '{"graph": "SELECT upper, lower FROM rivers", "epochs": 1}');
SELECT lstm.describe('auto') -> 'layers' -> 1 ->> 'type' AS first_layer;
SELECT a, (SELECT parameters > 0 FROM lstm.train('each', 'SELECT t, id, y FROM flow WHERE t < 60', time_column => 't', target => 'y', horizon => 2,
	context => 6, options => jsonb_build_object('graph', 'SELECT upper, lower FROM rivers', 'epochs', 1, 'architecture', a))) AS has_parameters
FROM unnest('{graph,graph_lstm,graph_gru,lstm,gru,rnn,linear}'::text[]) a;

-- One axis of time: what a series lacks is unknown, and all are forecast from the newest row of any.
CREATE TABLE stations AS
	SELECT '2024-01-01 00:00+00'::timestamptz + t * interval '1 hour' AS ts, s AS id, sin((t + s) / 4.0) AS y
	FROM generate_series(1, 100) t, generate_series(1, 3) s
	WHERE t > 10 * s AND t <= 100 - 5 * (s - 1) AND NOT (s = 2 AND t BETWEEN 50 AND 55);
SET timezone = 'UTC';
SELECT version FROM lstm.train('hours', 'SELECT ts, id, y FROM stations', series => 'id', target => 'y', horizon => 2, context => 6,
	options => '{"graph": "VALUES (1, 2), (3, 2)", "architecture": "graph_gru", "units": 4, "epochs": 2}');
SELECT series, forecast_timestamp FROM lstm.forecast('hours') WHERE step = 1;
SELECT series, forecast_timestamp FROM lstm.forecast('hours', as_of => '2024-01-03 00:00+00') WHERE step = 1;
SELECT count(*) AS forecasts, count(DISTINCT issued_at) AS origins FROM lstm.hindcast('hours', stride => 7);
SET client_min_messages = notice;
SELECT series FROM lstm.forecast('hours', source => 'SELECT * FROM stations WHERE id <> 2') WHERE step = 1;
SELECT p LIKE '%<svg%' AS drawn, p LIKE '%class="forecast"%' AS forecast FROM CAST(lstm.plot_forecast('hours', series => '3', source => 'SELECT * FROM stations WHERE id <> 2') AS text) p;
SELECT series FROM lstm.forecast('hours', source => 'SELECT ts, id + 1 AS id, y FROM stations') WHERE step = 1;
SET client_min_messages = error;
SELECT lstm.predict(model, '{1,2,3,4,5,6}', 1) FROM lstm.model_values WHERE name = 'hours';

-- Mistakes.
CREATE FUNCTION try(options jsonb, source text DEFAULT 'SELECT t, id, y FROM flow WHERE t < 60') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	message text;
	hint text;
BEGIN
	PERFORM lstm.train('try', source, time_column => 't', target => 'y', horizon => 1, context => 4,
		options => '{"epochs": 1, "architecture": "gru", "units": 1}'::jsonb || options);
	RETURN 'trained';
EXCEPTION WHEN others THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n', SQLSTATE || ': ' || message, hint);
END $$;
\pset format unaligned
\pset tuples_only on
SELECT try('{"graph": "VALUES (''s1'', ''x'')"}');
SELECT try('{"graph": "VALUES (''s1'', NULL)"}');
SELECT try('{"graph": "VALUES (''s1'', ''s1'')"}');
SELECT try('{"graph": "VALUES (''s1'', ''s2''), (''s1'', ''s2'')"}');
SELECT try('{"graph": "VALUES (''s1'', ''s2'', 0)"}');
SELECT try('{"graph": "VALUES (''s1'', ''s2'', -1)"}');
SELECT try('{"graph": "VALUES (''s1'', ''s2'', ''NaN''::float8)"}');
SELECT try('{"graph": "VALUES (''s1'', ''s2'', ''Infinity''::float8)"}');
SELECT try('{"graph": "VALUES (''s1'', ''s2'', NULL::float8)"}');
SELECT try('{"graph": "VALUES (''s1'', ''s2'', ''3'')"}');
SELECT try('{"graph": "VALUES (''s1'')"}');
SELECT try('{"graph": "VALUES (''s1'', ''s2'', 1, 2)"}');
SELECT try('{"graph": "SELECT ''s1'', ''s2'' WHERE false"}');
SELECT try('{"graph": "SELECT 1/0, 2"}');
SELECT try('{"graph": "rivers; DROP TABLE rivers"}');
SELECT try('{"graph": "no_such_table"}');
SELECT try('{"space": "graph"}');
SELECT try('{"space": "graph", "graph": "rivers"}', 'SELECT t, y FROM flow WHERE id = ''s1''');
SELECT try('{"space": "none", "graph": "rivers"}');
SELECT try('{"graph": "rivers", "grid": "a, b"}');
SELECT try('{"graph": "rivers", "neighbors": 3}');
SELECT try('{"neighbors": 3}');
SELECT try('{"directed": true}');
SELECT try('{"graph": "rivers", "pad": true}');
SELECT try('{"graph": "rivers", "stateful": true}');
SELECT try('{"graph": "rivers", "members": ["network", "naive"]}');
SELECT try('{"graph": "rivers", "normalization": "last"}');
SELECT try('{"graph": "rivers", "architecture": "seasonal"}');
SELECT try('{"graph": "rivers", "architecture": "conv_lstm"}');
SELECT try('{"architecture": "graph"}');
SELECT try('{"kernel": "inverse", "sigma": 2}');
SELECT try('{"threshold": 2}');
SELECT try('{"graph": "rivers"}', 'SELECT t, id, CASE WHEN id <> ''s2'' THEN y END AS y FROM flow WHERE t < 60');
SELECT try('{"graph": "rivers", "on_error": "skip"}', 'SELECT t, id, CASE WHEN id <> ''s2'' THEN y END AS y FROM flow WHERE t < 60');
SELECT try('{"graph": "rivers", "frequency": "integer 2"}', 'SELECT 2 * t + (id = ''s3'')::int AS t, id, y FROM flow WHERE t < 60');
SELECT try('{"graph": "rivers"}', 'SELECT t + CASE WHEN id = ''s3'' THEN 1000000000 ELSE 0 END AS t, id, y FROM flow WHERE t < 60');
-- fit has one series.
SELECT lstm.fit(t, y, '{"graph": "rivers"}') FROM flow WHERE id = 's1';
-- A place is a geometry.
SELECT * FROM lstm.train('try', 'SELECT t, id, y FROM flow', time_column => 't', target => 'y', geom => 'id');
SELECT lstm.sites('no such model');
SELECT lstm.graph(NULL);
\pset tuples_only off
SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
DROP SCHEMA space_graph CASCADE;
