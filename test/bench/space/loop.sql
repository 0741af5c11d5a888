-- loop.sql
--		Los-loop traffic speed (Zhao et al. 2019, T-GCN): 207 located sensors, 15 and 60 minutes ahead.
--
-- Protocol: the first 80 % of the rows (1,612) train, the rest tests; windows lie inside
-- each part, 12 rows in, 3 or 12 rows out; RMSE and MAE in mile/h over all steps and
-- sensors.  The graph comes from the sensors' places: PostGIS finds the 8 nearest, a
-- Gaussian of the distance weighs them.  Must: 15 minutes below 4.95 and below the same
-- model without the graph, 60 minutes below 6.9.  Aim: 4.75 and 6.5.  Controls: the same
-- without graph, and with the sensors of the graph permuted at random.
--
-- Chosen on the last 288 rows of the training part (docs/space-accuracy.md lists what was
-- tried); then trained on all of it with that number of epochs.
\ir common.sql
CREATE TABLE loaded (sensor text, minute int, speed float8);
CREATE TABLE place (sensor text PRIMARY KEY, longitude float8, latitude float8);
\copy loaded FROM PROGRAM '"$LOAD" loop' (FORMAT csv)
\copy place FROM PROGRAM '"$LOAD" loop_place' (FORMAT csv)
CREATE TABLE traffic AS
SELECT sensor, minute / 5 AS i, timestamp '2012-03-01' + minute * interval '1 minute' AS at, speed,
	public.ST_SetSRID(public.ST_MakePoint(longitude, latitude), 4326) AS geom
FROM loaded JOIN place USING (sensor);
CREATE VIEW training_row AS SELECT sensor, at, speed, geom FROM traffic WHERE i < 1612;
CREATE VIEW test_row AS SELECT sensor, at, speed, geom FROM traffic WHERE i >= 1612;
ANALYZE;

\set common '"validation_split": 0, "epochs": 20, "batch_size": 32, "learning_rate": 0.004, "schedule": "cosine", "warmup_steps": 50, "clip_norm": 1, "calendar": ["hour"], "members": ["network"], "ensemble_size": 2'
\set body '"layers": [{"type": "flatten"}, {"type": "dense", "name": "first", "units": 128}, {"type": "embedding", "units": 8}, {"type": "dense", "name": "place", "units": 128, "inputs": ["embedding"]}, {"type": "add", "inputs": ["first", "place"]}, {"type": "activation", "activation": "relu"}, SECOND, {"type": "dense", "kernel_initializer": "zeros"}, {"type": "residual"}]'
\set mixed '{"type": "graph", "units": 128, "hops": 2, "support": "forward", "activation": "relu"}'
\set alone '{"type": "dense", "units": 128, "activation": "relu"}'
\set nearest '"neighbors": 8, "sigma": 1580, "threshold": 0, "directed": true'

CREATE PROCEDURE loop_run(method text, horizon int, seed int, options jsonb) LANGUAGE plpgsql AS $$
DECLARE
	name text := format('%s %s min', method, horizon * 5);
BEGIN
	CALL fit(name, 'SELECT * FROM training_row', horizon, 12, options || jsonb_build_object('seed', seed), target => 'speed', time_column => 'at',
		series => 'sensor', geom => 'geom');
	INSERT INTO score
	SELECT format('Los-loop %s min', horizon * 5), method, seed, 'all', sqrt(avg((forecast_value - actual) ^ 2)), avg(abs(forecast_value - actual)),
		seconds_of(name)
	FROM lstm.hindcast(name, 'SELECT * FROM test_row', horizon => horizon)
	-- The protocol leaves out the last possible window.
	WHERE issued_at < (SELECT max(at) - horizon * interval '5 minutes' FROM test_row);
END $$;

CREATE TABLE permuted AS
SELECT a.sensor, b.sensor AS other FROM (SELECT sensor, row_number() OVER (ORDER BY sensor) AS n FROM place) AS a
JOIN (SELECT sensor, row_number() OVER (ORDER BY md5(sensor || 'permuted')) AS n FROM place) AS b USING (n);

SELECT format('CALL loop_run(%L, %s, %s, %L)', method, horizon, seed, format('{%s, %s, %s}', :'common', :'nearest', replace(:'body', 'SECOND', second)))
FROM (VALUES ('graph', :'mixed'), ('without graph', :'alone')) AS m (method, second), (VALUES (3), (12)) AS h (horizon), generate_series(1, 3) AS seed
ORDER BY horizon, method, seed \gexec
CREATE TABLE permuted_edge AS
SELECT s.other AS source, t.other AS target, weight FROM lstm.graph('graph 15 min') AS e
JOIN permuted AS s ON s.sensor = e.source JOIN permuted AS t ON t.sensor = e.target;
SELECT format('CALL loop_run(%L, 3, %s, %L)', 'permuted graph', seed, format('{%s, "graph": "SELECT source, target, weight FROM permuted_edge", %s}',
	:'common', replace(:'body', 'SECOND', :'mixed')))
FROM generate_series(1, 3) AS seed \gexec

\echo Los-loop: persistence 5.543 (15 min) and 8.456 (60 min); published T-GCN 5.126 and 7.268, GRU 5.218 and 7.662, chosen on the test part
SELECT method, "RMSE, median", least, greatest, "MAE, median", "trains in, s", data FROM score_table ORDER BY data, method;
SELECT judge('Los-loop 15 min', 'RMSE with the graph of PostGIS', r(median_rmse('Los-loop 15 min', 'graph')), '<', 4.95, 4.75),
	judge('Los-loop 15 min', 'RMSE over that without the graph', r(median_rmse('Los-loop 15 min', 'graph') / median_rmse('Los-loop 15 min', 'without graph')), '<', 1),
	judge('Los-loop 15 min', 'share of the gain that a permuted graph keeps', r((median_rmse('Los-loop 15 min', 'without graph') - median_rmse('Los-loop 15 min', 'permuted graph'))
		/ (median_rmse('Los-loop 15 min', 'without graph') - median_rmse('Los-loop 15 min', 'graph')), 2), '<', 0.5),
	judge('Los-loop 60 min', 'RMSE with the graph of PostGIS', r(median_rmse('Los-loop 60 min', 'graph')), '<', 6.9, 6.5) \g /dev/null
