-- flood.sql
--		Discharge of a river (Coron et al. 2017, airGR, catchment L0123001, 360 km2), 1 to 3 days ahead, fused with weather.
--
-- 30 days in.  1984 to 2002 train, 2003 to 2005 validate and stop the training, 2006 to
-- 2012 test; RMSE in mm over the three days, wherever the discharge is known (802 of
-- 10,593 days are not).  Alone: an LSTM over the discharge.  Fused: a second one over an
-- array column of rain, temperature and potential evaporation, up to the newest
-- day of discharge; "fuse" weighs the two branches.  Must: at least 2 % below the series alone,
-- on both parts, in the median of three seeds; and with the weather shuffled in time
-- nothing of it is left.
--
-- Chosen on the validation part.
\ir common.sql
CREATE TABLE loaded (at timestamp, rain float8, temperature float8, evaporation float8, discharge float8);
\copy loaded FROM PROGRAM '"$LOAD" flood' (FORMAT csv)
CREATE TABLE catchment AS
SELECT at::date AS day, discharge, ARRAY[rain, temperature, evaporation] AS weather, NULL::float8[] AS shuffled FROM loaded;
UPDATE catchment AS c SET shuffled = o.weather
FROM (SELECT day, row_number() OVER (ORDER BY day) AS n FROM catchment) AS d
JOIN (SELECT weather, row_number() OVER (ORDER BY md5(day || ' shuffled')) AS n FROM catchment) AS o USING (n) WHERE d.day = c.day;
ALTER TABLE catchment ADD PRIMARY KEY (day);
ANALYZE;

-- The last 1,096 of 8,036 days are 2003 to 2005.
\set common '"validation_split": 0.136386, "epochs": 30, "patience": 6, "batch_size": 64, "learning_rate": 0.003, "loss": "huber", "clip_norm": 1'
\set alone '{"type": "lstm", "units": 16, "inputs": ["past"]}, {"type": "dense", "units": 16, "name": "flow"}'
\set fused ', {"type": "lstm", "units": 16, "inputs": ["weather"]}, {"type": "dense", "units": 16, "name": "sky"}, {"type": "fuse", "fusion": "KIND", "inputs": ["flow", "sky"]}'
\set rest ', {"type": "activation", "activation": "tanh"}, {"type": "dense"}, {"type": "residual"}'

CREATE PROCEDURE flood_run(method text, columns text, seed int, options jsonb) LANGUAGE plpgsql AS $$
DECLARE
	source text := format('SELECT day, discharge%s FROM catchment', columns);
BEGIN
	CALL fit(method, source || ' WHERE day < ''2006-01-01''', 3, 30, options || jsonb_build_object('seed', seed), target => 'discharge',
		time_column => 'day', past => CASE columns WHEN '' THEN '' ELSE 'weather' END);
	INSERT INTO score
	SELECT 'flood', method, seed, part, sqrt(avg((forecast_value - actual) ^ 2)), avg(abs(forecast_value - actual)), seconds_of(method)
	FROM lstm.hindcast(method, source || ' WHERE day >= ''2002-12-01'''),
		LATERAL (SELECT CASE WHEN issued_at >= '2005-12-31' THEN 'test' WHEN forecast_timestamp < '2006-01-01' THEN 'validation' END AS part) AS p
	WHERE issued_at >= '2002-12-31' AND actual IS NOT NULL AND part IS NOT NULL GROUP BY part;
END $$;

SELECT format('CALL flood_run(%L, %L, %s, %L)', method, columns, seed, format('{%s, "layers": [%s]}', :'common', :'alone' || replace(branch, 'KIND', kind) || :'rest'))
FROM (VALUES ('discharge alone', '', '', ''), ('fused, gated', ', weather', :'fused', 'gated'), ('fused, weighted', ', weather', :'fused', 'weighted'),
		('fused with shuffled weather', ', shuffled AS weather', :'fused', 'gated')) AS m (method, columns, branch, kind), generate_series(1, 3) AS seed
ORDER BY method, seed \gexec

INSERT INTO score
SELECT 'flood', 'last day', NULL, CASE WHEN a.day < '2006-01-01' THEN 'validation' ELSE 'test' END AS part, sqrt(avg((a.discharge - b.discharge) ^ 2)), avg(abs(a.discharge - b.discharge))
FROM catchment AS a, generate_series(1, 3) AS step, LATERAL (
	SELECT discharge FROM catchment AS b WHERE b.day <= a.day - step AND b.discharge IS NOT NULL ORDER BY day DESC LIMIT 1) AS b
WHERE a.day >= '2003-01-01' AND a.discharge IS NOT NULL GROUP BY part;

SELECT method, steps AS part, seeds, "RMSE, median", least, greatest, "MAE, median", "trains in, s" FROM score_table ORDER BY part DESC, "RMSE, median";
\echo What "weighted" has learned: the share of each branch
SELECT version AS seed, r(1 / (1 + exp(-alpha))) AS discharge, r(1 / (1 + exp(alpha))) AS weather
FROM training, LATERAL (SELECT "values"[1] AS alpha FROM lstm.tensors(model, version) WHERE name = 'fuse.alpha') AS t
WHERE model = 'fused, weighted' ORDER BY version;
-- Rows after the origin, other than they were: no forecast may be another one.
CREATE TABLE changed AS
SELECT issued_at, count(*) AS values, count(*) FILTER (WHERE a.forecast_value IS DISTINCT FROM b.forecast_value) AS different
FROM lstm.hindcast('fused, gated', 'SELECT day, discharge, weather FROM catchment WHERE day >= ''2006-01-01''') AS a
LEFT JOIN lstm.hindcast('fused, gated', 'SELECT day, CASE WHEN day > ''2008-06-01'' THEN 50 ELSE discharge END AS discharge,
	CASE WHEN day > ''2008-06-01'' THEN ARRAY[50, 0, 9] ELSE weather END AS weather FROM catchment WHERE day >= ''2006-01-01''') AS b USING (issued_at, step)
GROUP BY issued_at;
CREATE FUNCTION gain(method text, part text) RETURNS float8 LANGUAGE sql STABLE
RETURN 100 * (1 - median_rmse('flood', gain.method, gain.part) / median_rmse('flood', 'discharge alone', gain.part));
SELECT judge('flood, ' || part, 'fused, gated: % below the series alone', r(gain('fused, gated', part), 1), '>=', 2),
	judge('flood, ' || part, 'fused, weighted: % below the series alone', r(gain('fused, weighted', part), 1), '>=', 2),
	judge('flood, ' || part, 'fused with shuffled weather: % below the series alone', r(gain('fused with shuffled weather', part), 1), '<', 1)
FROM (VALUES ('validation'), ('test')) AS p (part) \g /dev/null
SELECT judge('flood, test', 'forecasts that differ when rows after the origin do', (SELECT sum(different) FROM changed WHERE issued_at <= '2008-06-01'), '<=', 0),
	judge('flood, test', 'of the later forecasts, those that differ', (SELECT round(1.0 * sum(different) / sum(values), 2) FROM changed WHERE issued_at > '2008-06-01'), '>=', 0.9) \g /dev/null
