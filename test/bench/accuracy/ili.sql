-- ili.sql
--		US influenza-like illness, 966 weeks, all 7 columns, 24 weeks ahead.
--
-- Protocol of the long-horizon papers (Zeng et al. 2023): 676 weeks train, 97 validate, 193
-- test; z-scored with mean and population standard deviation of the training part; MSE and
-- MAE on that scale over all windows (stride 1), steps and columns.  Must: MSE below 1.75
-- (NLinear 1.683) by the network alone.  Aim: 1.32 (PatchTST).
\if :{?recipe}
\else
\set recipe '{"architecture": "segment", "units": 64, "segment_length": 12, "dropout": 0.3, "normalization": "standard", "scaling": "none", "loss": "mse", "batch_size": 32, "epochs": 80, "patience": 20, "schedule": "cosine", "ensemble_size": 4, "calibration": "adaptive", "validation_split": 0.1255}'
\endif
\ir common.sql
\ir windows.sql
CREATE TABLE loaded (at timestamp, weighted float8, unweighted float8, age_4 float8, age_24 float8, total float8, providers float8, patients float8);
\copy loaded FROM PROGRAM '"$LOAD" ili' (FORMAT csv)
INSERT INTO part VALUES (676, 774, 966);
INSERT INTO z
WITH numbered AS (SELECT row_number() OVER (ORDER BY at) AS i, * FROM loaded),
long AS (SELECT i, at, target, value FROM numbered,
	LATERAL (VALUES ('weighted', weighted), ('unweighted', unweighted), ('age_4', age_4), ('age_24', age_24), ('total', total), ('providers', providers),
		('patients', patients)) AS v (target, value)),
s AS (SELECT target, avg(value) AS mean, stddev_pop(value) AS deviation FROM long WHERE i <= (SELECT trained FROM part) GROUP BY target)
SELECT i, at, target, (value - mean) / deviation FROM long JOIN s USING (target);
CREATE TABLE scaled AS
SELECT i, at, max(value) FILTER (WHERE target = 'weighted') AS weighted, max(value) FILTER (WHERE target = 'unweighted') AS unweighted,
	max(value) FILTER (WHERE target = 'age_4') AS age_4, max(value) FILTER (WHERE target = 'age_24') AS age_24,
	max(value) FILTER (WHERE target = 'total') AS total, max(value) FILTER (WHERE target = 'providers') AS providers,
	max(value) FILTER (WHERE target = 'patients') AS patients
FROM z GROUP BY i, at;
CREATE VIEW training_row AS SELECT at, weighted, unweighted, age_4, age_24, total, providers, patients FROM scaled, part WHERE i < first;
ANALYZE;

\set targets 'weighted, unweighted, age_4, age_24, total, providers, patients'
\set context 60
\set season 52
\set name 'ILI 24'
\set model ili_24
\set horizon 24
\set title 'ILI, 24 weeks, 7 columns (published: last value 6.213 and 1.622, NLinear 1.683 and 0.858, PatchTST 1.319 and 0.754)'
\ir windows_part.sql

SELECT judge('ILI 24', 'MSE of the network alone', r((SELECT mse FROM window_table WHERE method = 'network')), '<', 1.75, 1.32),
	judge_intervals('ILI 24', 10) \g /dev/null
