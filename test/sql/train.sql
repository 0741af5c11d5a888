-- train.sql
--		What lstm.train learns: shapes of data, roles of columns, versions.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;

-- a sine
CREATE TABLE sine AS
	SELECT timestamptz '2024-01-01 00:00+00' + i * interval '1 hour' AS ts, sin(i * 2 * pi() / 30) AS y
	FROM generate_series(0, 599) i;
SELECT model, version, parameters > 0 AS parameters, epochs, train_loss < 0.01 AS learned,
	validation_loss < 0.01 AS generalises, baseline_loss >= 0 AS has_baseline, seconds > 0 AS seconds
FROM lstm.train('sine', 'sine', horizon => 6, context => 24,
	options => '{"units": 12, "epochs": 15, "learning_rate": 0.01}');
SELECT count(*), sqrt(avg((forecast_value
	- sin(extract(epoch FROM forecast_timestamp - '2024-01-01 00:00+00') / 3600 * 2 * pi() / 30)) ^ 2)) < 0.1 AS goes_on
FROM lstm.forecast('sine', horizon => 24);
SELECT rows, spec->>'context' AS context, spec->>'horizon' AS horizon, spec->>'season' AS season,
	metrics->>'epochs' AS epochs, source FROM lstm.models;

-- the last value is the starting point: a trend goes on
CREATE TABLE trend AS SELECT i, i::float8 AS y FROM generate_series(1, 200) i;
SELECT skill > 0.8 AS beats_naive FROM lstm.train('trend', 'trend', 'y', 'i', horizon => 3, context => 8,
	options => '{"units": 20, "epochs": 80, "patience": 40, "batch_size": 8, "learning_rate": 0.02}');
SELECT step, forecast_index, forecast_timestamp, abs(forecast_value - forecast_index) < 1 AS goes_on
FROM lstm.forecast('trend') ORDER BY step;

SELECT skill > 0.9 AS beats_naive FROM lstm.train('trend', 'trend', 'y', 'i', horizon => 3,
	options => '{"units": 4, "epochs": 5, "difference": 1}');
SELECT bool_and(abs(forecast_value - forecast_index) < 0.1) AS goes_on FROM lstm.forecast('trend', horizon => 30);

-- several series share one model
CREATE TABLE waves AS
	SELECT date '2023-01-01' + i AS day, place, height, height * sin(i * 2 * pi() / 14 + phase) + 20 AS level
	FROM generate_series(0, 199) i, (VALUES ('a', 1, 0), ('b', 3, 1), ('c', 2, 2)) AS p(place, height, phase);
SELECT validation_loss < 0.05 AS learned, skill > 0 AS beats_naive
FROM lstm.train('waves', 'SELECT day, place, level FROM waves', context => 14,
	options => '{"units": 8, "epochs": 15, "learning_rate": 0.01, "season": 1}');
SELECT series, series_key, target, step, forecast_timestamp::date AS day,
	abs(forecast_value - (20 + height * sin((forecast_timestamp::date - date '2023-01-01') * 2 * pi() / 14
		+ phase))) < 0.5 AS close
FROM lstm.forecast('waves') f JOIN (VALUES ('a', 1, 0), ('b', 3, 1), ('c', 2, 2)) AS p(place, height, phase)
	ON place = series ORDER BY series;
SELECT level, series, target, n, rmse < 0.3 AS close FROM lstm.evaluate('waves');

-- two series columns make a name and a key
SELECT version FROM lstm.train('pairs', $$SELECT day, place, day < '2023-05-01' AS early, 'x/y' AS kind, level
	FROM waves$$, 'level', series => 'place, kind', past_covariates => 'early', context => 5,
	options => '{"units": 2, "epochs": 1, "validation_split": 0}');
SELECT series, series_key FROM lstm.forecast('pairs') ORDER BY series;

-- several targets
CREATE TABLE circle AS SELECT i, sin(i * 0.3) AS s, 100 + 50 * cos(i * 0.3) AS c FROM generate_series(1, 300) i;
SELECT validation_loss < 0.05 AS learned FROM lstm.train('circle', 'circle', 's, c', 'i', horizon => 4, context => 16,
	options => '{"units": 12, "epochs": 20, "learning_rate": 0.01}');
SELECT target, step, forecast_index, CASE target WHEN 's' THEN abs(forecast_value - sin(forecast_index * 0.3)) < 0.3
	ELSE abs(forecast_value - 100 - 50 * cos(forecast_index * 0.3)) < 15 END AS close
FROM lstm.forecast('circle') ORDER BY target, step;
SELECT level, target, n FROM lstm.evaluate('circle');

-- past, future and static covariates carry what the target does not
CREATE TABLE driven AS
	SELECT i, x, lag(x, 1, 0) OVER (ORDER BY i) AS before FROM (
		SELECT i, ('x' || left(md5(i::text), 4))::bit(16)::int % 2 AS x FROM generate_series(1, 400) i) d;
SELECT version FROM lstm.train('past', 'SELECT i, before AS y, x FROM driven', 'y', 'i', past_covariates => 'x',
	context => 4, options => '{"units": 6, "epochs": 30, "learning_rate": 0.02, "residual": false}');
SELECT skill > 0.8 AS past_helps FROM lstm.evaluate('past') WHERE level = 'all';
SELECT version FROM lstm.train('future', 'SELECT i, x AS y, x FROM driven', 'y', 'i', future_covariates => 'x',
	context => 4, horizon => 2, options => '{"units": 6, "epochs": 30, "learning_rate": 0.02, "residual": false}');
SELECT skill > 0.8 AS future_helps FROM lstm.evaluate('future') WHERE level = 'all';
SELECT version FROM lstm.train('static',
	'SELECT i, k AS name, CASE k WHEN ''up'' THEN i ELSE -i END % 2 AS y, CASE k WHEN ''up'' THEN 1 ELSE -1 END AS sign
	FROM generate_series(1, 100) i, (VALUES (''up''), (''down'')) AS v(k)', 'y', 'i', static_covariates => 'sign',
	context => 1, options => '{"units": 6, "epochs": 30, "learning_rate": 0.02, "residual": false}');
SELECT skill > 0.5 AS static_helps FROM lstm.evaluate('static') WHERE level = 'all';

-- columns that nobody named
SET client_min_messages = notice;
\set VERBOSITY default
SELECT version FROM lstm.train('named', 'SELECT i, s, c, c AS d FROM circle',
	's', 'i', context => 4, options => '{"units": 2, "epochs": 1, "deploy": true, "validation_split": 0}');
SELECT version FROM lstm.train('named', 'circle', 's', 'i', context => 4, past_covariates => '',
	options => '{"units": 2, "epochs": 1, "validation_split": 0}');
SELECT version FROM lstm.train('named', 'SELECT i, s, c AS "Big C" FROM circle', 's', 'i', context => 4,
	past_covariates => '"Big C"', options => '{"units": 2, "epochs": 1, "validation_split": 0}');
SELECT version, lstm.describe('named', version)->'past_covariates' AS past FROM lstm.models WHERE name = 'named'
ORDER BY version;

-- a model that loses says so, and one that cannot be judged too
\set VERBOSITY terse
SELECT skill < 0 AS loses FROM lstm.train('loser', 'trend', 'y', 'i', context => 4,
	options => '{"units": 1, "epochs": 1, "residual": false, "learning_rate": 1e-9}');
SELECT validation_loss, skill FROM lstm.train('short', 'SELECT * FROM trend LIMIT 11', 'y', 'i', context => 8,
	horizon => 2, options => '{"units": 1, "epochs": 1}');
SET client_min_messages = error;

-- versions
SELECT version FROM lstm.train('sine', 'sine', context => 4, options => '{"units": 1, "epochs": 1}');
SELECT version FROM lstm.train('sine', 'sine', context => 4, options => '{"units": 1, "epochs": 1, "deploy": false}');
SELECT version, deployed FROM lstm.models WHERE name = 'sine' ORDER BY version;

-- what a source may be
CREATE TABLE "Odd ""Name""" AS SELECT i AS "When", y > 100 AS "High", y::numeric(9, 3) AS "Y y" FROM trend;
CREATE TEMP TABLE passing AS SELECT * FROM trend;
CREATE DOMAIN metres AS float8;
CREATE MATERIALIZED VIEW kept AS SELECT i::int2, y::metres FROM trend;
CREATE TABLE parted (i int, y real) PARTITION BY RANGE (i);
CREATE TABLE parted_1 PARTITION OF parted FOR VALUES FROM (0) TO (100);
CREATE TABLE parted_2 PARTITION OF parted FOR VALUES FROM (100) TO (1000);
INSERT INTO parted SELECT * FROM trend;
CREATE FUNCTION rows_of(n int) RETURNS TABLE (i int, y float8) LANGUAGE sql AS 'SELECT * FROM trend WHERE i <= n';
SELECT source, version FROM (VALUES ('passing'), ('kept'), ('parted'), ('public.trend'), ('PUBLIC.Trend'), ('"public"."trend"'), (' trend '),
	('SELECT * FROM trend;'), ('SELECT * FROM trend -- all'), ('/* all */ SELECT * FROM trend ; -- really'), ('(SELECT * FROM trend)'),
	('SELECT * FROM trend WHERE i < 50 UNION ALL SELECT * FROM trend WHERE i >= 50'), ('WITH t AS (SELECT * FROM trend) SELECT * FROM t'),
	('TABLE trend'), ('SELECT * FROM rows_of(80)'), ('SELECT * FROM trend ORDER BY y DESC LIMIT 100'),
	('SELECT i, avg(y) OVER (ORDER BY i ROWS 3 PRECEDING) AS y FROM trend')) AS v(source),
	LATERAL lstm.train('source', source, 'y', 'i', context => 4, options => '{"units": 1, "epochs": 1}') ORDER BY version;
SELECT count(*) FROM (SELECT version FROM lstm.models WHERE name = 'source') v, LATERAL lstm.forecast('source', version => v.version);
SELECT version FROM lstm.train('odd', '"Odd ""Name"""', '"Y y", "High"', '"When"', context => 4,
	options => '{"units": 1, "epochs": 1}');
SELECT target, forecast_index FROM lstm.forecast('odd') ORDER BY target;

SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
SELECT count(*) FROM lstm.model_values;
DROP FUNCTION rows_of;
DROP MATERIALIZED VIEW kept;
DROP DOMAIN metres;
DROP TABLE passing, parted, "Odd ""Name""", sine, trend, waves, circle, driven;
