-- disaster.sql
--		Warnings: a flood from discharge and rain, and earthquakes by the cells of a map.
--
-- Flood. With DATA: a French catchment of 360 square kilometres, daily, 2000 to 2012 (airGR, L0123001).
-- Without: rain in spells, which a basin gives back over days, the first a day later. One network
-- with two branches, the discharge of the last days and the rain as a vector of its own, and what
-- they say is fused; beside it the same network without the second branch. A warning is the
-- chance that tomorrow's discharge passes the level that one day in twenty of the past was above.
--
-- Earthquakes. With DATA: 23,412 of magnitude 5.5 and more, 1965 to 2016 (USGS), as months by cells of
-- 30 degrees. Without: cells with rates of their own, and aftershocks in the next month and cell.
-- The target is 0 or 1, at least one in the month; the mean forecast of such a target is a
-- probability, and its mean squared error the Brier score. To know the rate of a cell is nearly all
-- that can be known of real ones: no model is expected to beat climatology by much.
\set scenario disaster
\ir common.sql
CREATE TABLE gauge (day date, rain float8, evaporation float8, discharge float8);
\if :has_data
\copy gauge FROM PROGRAM '"${LOAD:-docs/scenarios/load.py}" flood' (FORMAT csv, FORCE_NULL (discharge))
DELETE FROM gauge WHERE day < '2000-01-01';
\else
-- Spells of five days are wet or dry. What falls runs off over days, the most on the next one.
CREATE TABLE shower AS
SELECT day, CASE WHEN chance(day / 5 || ' wet') < 0.4 AND chance(day || ' wet') < 0.7 THEN -8 * ln(chance(day || ' rain')) ELSE 0 END AS rain
FROM generate_series(1, 2000) AS day;
INSERT INTO gauge
SELECT date '2001-01-01' + s.day, s.rain, 2 - 1.5 * cos(2 * pi() * s.day / 365.25),
	(0.3 + sum(w.rain * CASE WHEN s.day - w.day = 0 THEN 0.05 ELSE 0.25 * exp(-(s.day - w.day - 1) / 3.0) END)) * exp(0.03 * noise(s.day || ' flow'))
FROM shower AS s JOIN shower AS w ON w.day BETWEEN s.day - 30 AND s.day GROUP BY s.day, s.rain;
\endif
-- Logarithms of rain, as a vector: one more number (snow, a neighbour's gauge) needs no other network.
CREATE VIEW river AS SELECT day, discharge, ARRAY[ln(1 + rain), evaporation] AS weather FROM gauge;
SELECT max(day) - 730 AS cut FROM gauge \gset
CREATE VIEW past AS SELECT * FROM river WHERE day <= :'cut';
CREATE VIEW past_alone AS SELECT day, discharge FROM past;
CREATE VIEW rest AS SELECT * FROM river WHERE day > :'cut'::date - 400;
SELECT percentile_cont(0.95) WITHIN GROUP (ORDER BY discharge) AS threshold FROM past \gset
ANALYZE;

\set common '"scaling": "log1p", "bounds": [0, null], "calibration": "adaptive", "epochs": 12, "batch_size": 64, "learning_rate": 0.005, "schedule": "cosine", "clip_norm": 1'
\set own '{"type": "gru", "units": 24, "inputs": ["past"], "return_sequences": false, "name": "own"}'
\set sky '{"type": "gru", "units": 24, "inputs": ["weather"], "return_sequences": false, "name": "sky"}, {"type": "fuse", "inputs": ["own", "sky"]}'
CREATE TABLE training AS
SELECT 'discharge and rain, fused' AS method, * FROM lstm.train('scenario disaster flood', 'SELECT * FROM past', 'discharge', 'day', past_covariates => 'weather',
	horizon => 1, context => 30, options => format('{%s, "layers": [%s, %s, {"type": "dense"}, {"type": "residual"}]}', :'common', :'own', :'sky')::jsonb)
UNION ALL SELECT 'discharge alone', * FROM lstm.train('scenario disaster alone', 'SELECT * FROM past_alone', 'discharge', 'day',
	horizon => 1, context => 30, options => format('{%s, "layers": [%s, {"type": "dense"}, {"type": "residual"}]}', :'common', :'own')::jsonb);
INSERT INTO error
SELECT 'flood', t.method, h.step, h.forecast_value - h.actual
FROM training AS t, lstm.hindcast(t.model, 'SELECT * FROM rest') AS h WHERE h.forecast_timestamp::date > :'cut';
INSERT INTO error
SELECT 'flood', 'persistence', 1, a.discharge - b.discharge FROM river AS a JOIN river AS b ON b.day = a.day + 1 WHERE b.day > :'cut';
INSERT INTO error
SELECT 'flood', 'climatology', 1, c.mean - b.discharge
FROM river AS b, LATERAL (SELECT avg(discharge) AS mean FROM past WHERE abs((extract(doy FROM day) - extract(doy FROM b.day))::int) IN (0, 1, 2, 3, 362, 363, 364, 365)) AS c
WHERE b.day > :'cut';

-- One chance for each day of the last year, from what was known on the day before.
CREATE TABLE warning AS
SELECT e.forecast_timestamp::date AS day, e.probability, (r.discharge > :threshold)::int AS happened
FROM generate_series((SELECT max(day) FROM river) - 365, (SELECT max(day) FROM river) - 1, interval '1 day') AS known,
	LATERAL lstm.exceedance('scenario disaster flood', :threshold, source => 'SELECT * FROM rest', as_of => known) AS e
	JOIN river AS r ON r.day = e.forecast_timestamp::date
WHERE e.step = 1 AND r.discharge IS NOT NULL;

-- Earthquakes: months from 0 on, cells of 30 degrees.
CREATE TABLE quake (month int, y int, x int);
\if :has_data
CREATE TABLE loaded (day date, latitude float8, longitude float8, magnitude float8);
\copy loaded FROM PROGRAM '"${LOAD:-docs/scenarios/load.py}" earthquakes' (FORMAT csv)
INSERT INTO quake
SELECT (extract(year FROM day) - 1965) * 12 + extract(month FROM day) - 1, least(floor((90 - latitude) / 30), 5), least(floor((longitude + 180) / 30), 11)
FROM loaded;
\set months 624
\set rows 6
\set columns 12
\else
INSERT INTO quake
SELECT month, y, x FROM generate_series(0, 299) AS month, generate_series(0, 3) AS y, generate_series(0, 7) AS x WHERE chance(format('%s %s %s', month, y, x)) < 0.25 * chance(format('rate %s %s', y, x)) ^ 2;
-- Four in five shake the cell east of them a month later.
INSERT INTO quake SELECT month + 1, y, x + 1 FROM quake WHERE month < 299 AND x < 7 AND chance(format('after %s %s %s', month, y, x)) < 0.8;
\set months 300
\set rows 4
\set columns 8
\endif
CREATE TABLE shaking AS
SELECT month, y, x, EXISTS (SELECT FROM quake AS q WHERE (q.month, q.y, q.x) = (m.month, m.y, m.x))::int AS shaken
FROM (SELECT month, y, x FROM generate_series(0, :months - 1) AS month, generate_series(0, :rows - 1) AS y, generate_series(0, :columns - 1) AS x) AS m;
SELECT :months - 60 AS first \gset
CREATE VIEW shaking_past AS SELECT * FROM shaking WHERE month < :first;
CREATE VIEW shaking_rest AS SELECT * FROM shaking WHERE month >= :first - 12;
ANALYZE;
\set common '"grid": "y, x", "scaling": "none", "bounds": [0, 1], "epochs": 20, "batch_size": 16, "learning_rate": 0.005, "schedule": "cosine", "clip_norm": 1'
\set tail '{"type": "embedding", "units": 4}, {"type": "concat", "inputs": ["cells", "embedding"]}, {"type": "dense", "units": 16, "activation": "relu"}, {"type": "dense"}'
INSERT INTO training
SELECT m.method, t.* FROM (VALUES ('grid', 3), ('cells alone', 1)) AS m (method, size),
	lstm.train('scenario disaster ' || m.method, 'SELECT * FROM shaking_past', 'shaken', 'month', horizon => 1, context => 12,
		options => format('{%s, "layers": [{"type": "conv_gru", "units": 8, "kernel_size": %s, "name": "cells"}, %s]}', :'common', m.size, :'tail')::jsonb) AS t;
INSERT INTO error
SELECT 'earthquakes', t.method, h.step, h.forecast_value - h.actual
FROM training AS t, lstm.hindcast(t.model, 'SELECT * FROM shaking_rest') AS h WHERE t.method IN ('grid', 'cells alone');
INSERT INTO error
SELECT 'earthquakes', m.method, 1, m.value - s.shaken
FROM shaking AS s, LATERAL (SELECT avg(p.shaken) AS mean FROM shaking_past AS p WHERE (p.y, p.x) = (s.y, s.x)) AS c,
	LATERAL (SELECT p.shaken FROM shaking AS p WHERE (p.month, p.y, p.x) = (s.month - 1, s.y, s.x)) AS b,
	LATERAL (VALUES ('climatology', c.mean), ('as last month', b.shaken)) AS m (method, value)
WHERE s.month >= :first;

\echo 'Flood warnings one day before, last year'
SELECT r(:threshold) AS "threshold, mm", count(*) AS days, sum(happened) AS above, count(*) FILTER (WHERE probability >= 0.3) AS "warned, 30 %",
	count(*) FILTER (WHERE probability >= 0.3 AND happened = 1) AS "warned and above", r(avg((probability - happened) ^ 2), 4) AS "Brier score",
	r(avg((0.05 - happened) ^ 2), 4) AS "of climatology" FROM warning;
\echo 'Discharge, mm a day, one day ahead, last two years'
SELECT method, r(rmse, 3) AS "RMSE", r(mae, 3) AS "MAE", r(seconds, 1) AS "trains in, s"
FROM score LEFT JOIN training USING (method) WHERE part = 'flood' ORDER BY rmse;
\echo 'An earthquake in the next month in a cell of the map, last five years'
SELECT method, r(rmse ^ 2, 4) AS "Brier score", r(1 - rmse ^ 2 / (SELECT rmse ^ 2 FROM score WHERE part = 'earthquakes' AND method = 'climatology'), 3) AS "skill over climatology",
	r(seconds, 1) AS "trains in, s"
FROM score LEFT JOIN training USING (method) WHERE part = 'earthquakes' ORDER BY rmse;

\if :has_data
\else
DO $$
DECLARE
	s record;
BEGIN
	SELECT max(rmse) FILTER (WHERE method = 'discharge and rain, fused') AS fused, min(rmse) FILTER (WHERE method <> 'discharge and rain, fused' AND part = 'flood') AS other,
		max(rmse) FILTER (WHERE method = 'grid') AS grid, min(rmse) FILTER (WHERE method <> 'grid' AND part = 'earthquakes') AS cell INTO s FROM score;
	IF s.fused > 0.7 * s.other THEN
		RAISE EXCEPTION 'the rain does not help where it must';
	END IF;
	IF s.grid > 0.95 * s.cell THEN
		RAISE EXCEPTION 'the neighbours do not help where they must';
	END IF;
	IF (SELECT avg((probability - happened) ^ 2) > 0.5 * avg((0.05 - happened) ^ 2) FROM warning) THEN
		RAISE EXCEPTION 'the warnings are worse than climatology';
	END IF;
END $$;
\endif
