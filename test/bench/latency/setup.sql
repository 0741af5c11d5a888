-- Five years of hours, LSTM(50) that looks back on 48 of them, 24 steps ahead.
SET client_min_messages = error;
CREATE EXTENSION lstm;
SET lstm.progress = 0;
CREATE TABLE reading (t timestamptz PRIMARY KEY, y float8);
INSERT INTO reading
SELECT '2020-01-01 00:00+00'::timestamptz + i * interval '1 hour', 100 + 20 * sin(i * pi() / 12) + 5 * sin(i * pi() / 84) + hashint4(i) / 7e8
FROM generate_series(0, 43799) i;
VACUUM ANALYZE reading;
SELECT FROM lstm.train('latency', 'reading', horizon => 24, context => 48, options => '{"units": 50, "epochs": 1, "seed": 1}');
SELECT FROM lstm.train('latency_auto', 'SELECT * FROM reading', horizon => 24, context => 48,
	options => '{"units": 50, "members": ["network", "holt_winters", "theta"], "folds": 2, "epochs": 1, "seed": 1}');
CREATE TABLE history AS SELECT array_agg(y ORDER BY t) AS values FROM (SELECT * FROM reading ORDER BY t DESC LIMIT 48) newest;
VACUUM ANALYZE;
