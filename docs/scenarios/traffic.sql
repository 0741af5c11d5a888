-- traffic.sql
--		Speeds at the sensors of a road, a quarter of an hour ahead: does the road help?
--
-- With DATA: Los Angeles, 207 sensors, one week in steps of five minutes (Li et al. 2018, METR-LA;
-- Zhao et al. 2019 use this week), with weights of road distance as edges.  Without: a ring road
-- of 24 sensors, where jams begin at random and travel against the traffic, one sensor in five
-- minutes; what comes to a sensor can be seen at the next one, and nowhere else.
--
-- Trained on the first 80 % of the time, judged on the rest.
\set scenario traffic
\ir common.sql
CREATE TABLE speed (sensor text, at timestamp, mph float8);
CREATE TABLE road (source text, target text, weight float8);
\if :has_data
\set place 'Los Angeles'
CREATE TABLE loaded (sensor text, minute int, mph float8);
\copy loaded FROM PROGRAM '"${LOAD:-docs/scenarios/load.py}" speed' (FORMAT csv)
\copy road FROM PROGRAM '"${LOAD:-docs/scenarios/load.py}" road' (FORMAT csv)
INSERT INTO speed SELECT sensor, timestamp '2012-03-01' + minute * interval '1 minute', mph FROM loaded;
\else
\set place 'ring road (generated)'
CREATE TABLE jam AS
SELECT k * 12 + floor(12 * chance(k || ' when')) AS born, floor(24 * chance(k || ' where')) AS place FROM generate_series(0, 99) AS k;
INSERT INTO speed
SELECT to_char(s, 'FM00'), timestamp '2024-01-01' + t * interval '5 minutes', 60 - 10 * (sin(t * pi() / 144) > 0.7)::int
	- 30 * EXISTS (SELECT FROM jam WHERE t - born - (place - s + 24)::int % 24 BETWEEN 0 AND 2 AND (place - s + 24)::int % 24 <= 14)::int
	+ 2 * noise(s || ' ' || t)
FROM generate_series(0, 1199) AS t, generate_series(0, 23) AS s;
-- A sensor sees the next one on the road, where its jams come from.
INSERT INTO road SELECT to_char((s + 1) % 24, 'FM00'), to_char(s, 'FM00'), 1 FROM generate_series(0, 23) AS s;
\endif
SELECT min(at) + 0.8 * (max(at) - min(at)) AS cut FROM speed \gset
SELECT date_bin('5 minutes', :'cut', '2000-01-01') AS cut \gset
CREATE VIEW past AS SELECT * FROM speed WHERE at < :'cut';
-- With the hour before it, that the first forecast looks back on.
CREATE VIEW rest AS SELECT * FROM speed WHERE at >= :'cut'::timestamp - interval '1 hour';
ANALYZE;

\set common '"graph": "SELECT source, target, weight FROM road", "calendar": ["hour"], "epochs": 10, "batch_size": 16, "learning_rate": 0.005, "schedule": "cosine", "clip_norm": 1, "units": 32'
CREATE TABLE training AS
SELECT * FROM lstm.train('scenario traffic graph', 'SELECT * FROM past', target => 'mph', series => 'sensor', horizon => 3, context => 12,
	options => format('{%s, "architecture": "graph"}', :'common')::jsonb)
UNION ALL SELECT * FROM lstm.train('scenario traffic alone', 'SELECT * FROM past', target => 'mph', series => 'sensor', horizon => 3, context => 12,
	options => format('{%s, "architecture": "gru"}', :'common')::jsonb);

INSERT INTO error
SELECT :'place', m.method, h.step, h.forecast_value - h.actual
FROM (VALUES ('network over the graph', 'scenario traffic graph'), ('network without the graph', 'scenario traffic alone')) AS m (method, model),
	lstm.hindcast(m.model, 'SELECT * FROM rest') AS h;
INSERT INTO error
SELECT :'place', 'persistence', step, f.mph - s.mph
FROM speed AS s, generate_series(1, 3) AS step, speed AS f
WHERE s.at >= :'cut'::timestamp + step * interval '5 minutes' AND f.sensor = s.sensor AND f.at = s.at - step * interval '5 minutes';
INSERT INTO error
SELECT :'place', 'the same time yesterday', step, f.mph - s.mph
FROM speed AS s JOIN speed AS f USING (sensor), generate_series(1, 3) AS step WHERE s.at >= :'cut' AND f.at = s.at - interval '1 day';

\echo 'Sensors that are slow in ten minutes, by the forecast from the newest rows'
SELECT series AS sensor, forecast_timestamp AS at, r(forecast_value, 1) AS mph, r(prediction_interval_lower_bound, 1) AS low,
	r(prediction_interval_upper_bound, 1) AS high
FROM lstm.forecast('scenario traffic graph', source => 'SELECT * FROM rest') WHERE step = 2 ORDER BY forecast_value LIMIT 5;

\echo 'Speed, miles per hour, 5 to 15 minutes ahead'
SELECT part, method, r(rmse) AS "RMSE", r(mae) AS "MAE", r(seconds, 1) AS "trains in, s"
FROM score LEFT JOIN training ON model = CASE method WHEN 'network over the graph' THEN 'scenario traffic graph'
	WHEN 'network without the graph' THEN 'scenario traffic alone' END
ORDER BY rmse;

\if :has_data
\else
DO $$ BEGIN
	IF (SELECT rmse FROM score WHERE method = 'network over the graph') > 0.8 * (SELECT min(rmse) FROM score WHERE method <> 'network over the graph') THEN
		RAISE EXCEPTION 'the graph does not help where it must';
	END IF;
END $$;
\endif
