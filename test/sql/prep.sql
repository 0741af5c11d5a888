-- prep.sql
--		Data preparation: what is learned from the training part only, gaps, outliers, scaling, differences.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
-- Numbers of a tensor of doubles in a model's bytes (a safetensors file), such as prep.center.
CREATE FUNCTION doubles(model text, tensor text) RETURNS float8[] LANGUAGE plpgsql AS $$
DECLARE
	bytes bytea := (SELECT v.model::bytea FROM lstm.model_values v WHERE name = doubles.model ORDER BY version DESC LIMIT 1);
	length int := get_byte(bytes, 0) + 256 * get_byte(bytes, 1) + 65536 * get_byte(bytes, 2);
	header jsonb := convert_from(substr(bytes, 9, length), 'UTF8')::jsonb;
	result float8[]; exponent int; mantissa float8; at int;
BEGIN
	FOR i IN (header->tensor->'data_offsets'->>0)::int / 8 .. (header->tensor->'data_offsets'->>1)::int / 8 - 1 LOOP
		at := 8 + length + 8 * i;
		exponent := (get_byte(bytes, at + 7) & 127) * 16 + get_byte(bytes, at + 6) / 16;
		mantissa := 0;
		FOR k IN 0 .. 5 LOOP
			mantissa := (mantissa + get_byte(bytes, at + k)) / 256;
		END LOOP;
		mantissa := (mantissa + get_byte(bytes, at + 6) % 16) / 16;
		result := result || CASE WHEN exponent = 2047 THEN 'Infinity' WHEN exponent = 0 THEN 0
			ELSE (1 + mantissa) * 2.0::float8 ^ (exponent - 1023) END * CASE WHEN get_byte(bytes, at + 7) > 127 THEN -1 ELSE 1 END;
	END LOOP;
	RETURN result;
END $$;
CREATE FUNCTION train(source text, options text, target text DEFAULT 'y') RETURNS int LANGUAGE sql AS $$
	SELECT version FROM lstm.train('prep', source, target, time_column => 'i', context => 6,
		options => '{"units": 3, "epochs": 2, "patience": 0}'::jsonb || options::jsonb)
$$;
CREATE TABLE waves AS SELECT i, CASE WHEN i % 11 <> 4 THEN 10 + 3 * sin(i * 2 * pi() / 12) END AS y, i % 5 + 100 AS x
	FROM generate_series(1, 200) i;

-- held-out rows change no stored parameter: not the scale, not the weights
CREATE FUNCTION stored() RETURNS text LANGUAGE sql AS $$
	SELECT md5(string_agg(name || shape::text || "values"::text, ',' ORDER BY name))
		|| doubles('prep', 'prep.center')::text || doubles('prep', 'prep.scale')::text || doubles('prep', 'prep.mean')::text
		|| doubles('prep', 'prep.low')::text || doubles('prep', 'prep.high')::text
	FROM lstm.tensors('prep')
$$;
SELECT options, count(DISTINCT stored) AS stored, count(*) AS trainings FROM (VALUES
	('{"scaling": "standard", "missing": "linear", "outliers": "zscore"}'),
	('{"scaling": "minmax", "missing": "mean", "outliers": "none"}'),
	('{"scaling": "robust", "missing": "seasonal", "season": 12, "outliers": "iqr"}'),
	('{"scaling": "log1p", "missing": "mask", "outliers": "winsorise"}'),
	('{"scaling": "none", "missing": "previous", "difference": 1}')) AS v(options), LATERAL (
	SELECT train('waves', options), stored() UNION ALL
	SELECT train('SELECT i, CASE WHEN i > 160 THEN y + 7 ELSE y END AS y, CASE WHEN i > 160 THEN -x / 200.0 ELSE x END AS x FROM waves', options), stored() UNION ALL
	SELECT train('SELECT i, CASE WHEN i > 160 AND i < 200 THEN 10.0 ELSE y END AS y, CASE WHEN i <= 160 THEN x END AS x FROM waves', options), stored()
	) AS t(version, stored)
GROUP BY options ORDER BY options;
SELECT train('waves', '{}') > 0 AS trained, stored() AS before \gset
SELECT train('SELECT i, CASE WHEN i = 160 THEN y + 7 ELSE y END AS y, x FROM waves', '{}') > 0 AS trained, stored() <> :'before' AS training_rows_do;

-- the numbers are those of the training part
SELECT train('waves', '{"scaling": "standard"}') > 0 AS trained;
SELECT abs((doubles('prep', 'prep.center'))[1] - avg(y)) < 1e-9 AS mean, abs((doubles('prep', 'prep.scale'))[1] - stddev_pop(y)) < 1e-9 AS deviation,
	abs((doubles('prep', 'prep.mean'))[1] - avg(y)) < 1e-9 AS fill, doubles('prep', 'prep.high') AS no_fence FROM waves WHERE i <= 160;
SELECT train('waves', '{"scaling": "minmax"}') > 0 AS trained;
SELECT abs((doubles('prep', 'prep.center'))[1] - min(y)) < 1e-9 AS min, abs((doubles('prep', 'prep.scale'))[1] - max(y) + min(y)) < 1e-9 AS range
FROM waves WHERE i <= 160;
SELECT train('waves', '{"scaling": "robust"}') > 0 AS trained;
SELECT abs((doubles('prep', 'prep.center'))[1] - median) < 1e-9 AS median, abs((doubles('prep', 'prep.scale'))[1] - (high - low) / 1.349) < 1e-9 AS range
FROM (SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY y) AS median, percentile_cont(0.25) WITHIN GROUP (ORDER BY y) AS low,
	percentile_cont(0.75) WITHIN GROUP (ORDER BY y) AS high FROM waves WHERE i <= 160) q;
SELECT train('waves', '{"scaling": "log1p"}') > 0 AS trained;
SELECT abs((doubles('prep', 'prep.center'))[1] - avg(ln(1 + y))) < 1e-9 AS mean, abs((doubles('prep', 'prep.scale'))[1] - stddev_pop(ln(1 + y))) < 1e-9 AS deviation
FROM waves WHERE i <= 160;
SELECT train('waves', '{"scaling": "none"}') > 0 AS trained, doubles('prep', 'prep.center') AS center, doubles('prep', 'prep.scale') AS scale;
SELECT train('SELECT i, 7 AS y FROM waves', '{}') > 0 AS trained, doubles('prep', 'prep.center') AS center, doubles('prep', 'prep.scale') AS scale_of_a_constant;

-- outliers, in training and in the rows that a forecast looks back on
SELECT train('waves', '{"outliers": "iqr"}') > 0 AS trained;
SELECT abs((doubles('prep', 'prep.low'))[1] - (low - 1.5 * (high - low))) < 1e-9 AS low, abs((doubles('prep', 'prep.high'))[1] - (high + 1.5 * (high - low))) < 1e-9 AS high
FROM (SELECT percentile_cont(0.25) WITHIN GROUP (ORDER BY y) AS low, percentile_cont(0.75) WITHIN GROUP (ORDER BY y) AS high FROM waves WHERE i <= 160) q;
CREATE FUNCTION spikes(options text, OUT matters bool, OUT height_matters bool) LANGUAGE plpgsql AS $$
DECLARE plain float8; low float8; high float8;
BEGIN
	PERFORM train('waves', options);
	SELECT forecast_value INTO plain FROM lstm.forecast('prep');
	SELECT forecast_value INTO low FROM lstm.forecast('prep', source => 'SELECT i, CASE WHEN i = 196 THEN 40 ELSE y END AS y, x FROM waves');
	SELECT forecast_value INTO high FROM lstm.forecast('prep', source => 'SELECT i, CASE WHEN i = 196 THEN 400 ELSE y END AS y, x FROM waves');
	matters := low <> plain;
	height_matters := low <> high;
END $$;
SELECT options, s.* FROM (VALUES ('{"outliers": "none"}'), ('{"outliers": "iqr"}'), ('{"outliers": "zscore", "outlier_threshold": 2.5}'),
	('{"outliers": "winsorise", "outlier_threshold": 0.05}')) AS v(options), spikes(options) s;

-- gaps: every way to fill them learns; a gap at the end is filled from the past alone
CREATE FUNCTION gaps(missing text, OUT learns bool, OUT rows_left_out_are_nulls bool, OUT nothing_leaks bool) LANGUAGE plpgsql AS $$
DECLARE before float8; after float8; without float8;
BEGIN
	PERFORM lstm.train('prep', 'waves', 'y', 'i', context => 12, past_covariates => '', options => jsonb_build_object(
		'units', 8, 'epochs', 40, 'learning_rate', 0.02, 'missing', missing, 'season', 12, 'residual', missing <> 'mask'));
	SELECT rmse < 1.5 INTO learns FROM lstm.evaluate('prep') WHERE level = 'all';
	SELECT forecast_value INTO before FROM lstm.forecast('prep', source => 'SELECT i, CASE WHEN i NOT BETWEEN 101 AND 103 THEN y END AS y FROM waves WHERE i <= 102');
	SELECT forecast_value INTO without FROM lstm.forecast('prep', source => 'SELECT i, y FROM waves WHERE i <= 102 AND y IS NOT NULL AND i NOT BETWEEN 101 AND 103');
	rows_left_out_are_nulls := before = without;
	SELECT h.forecast_value INTO before FROM lstm.hindcast('prep', 'SELECT i, CASE WHEN i NOT BETWEEN 101 AND 105 THEN y END AS y FROM waves') h WHERE forecast_index = 104;
	SELECT h.forecast_value INTO after FROM lstm.hindcast('prep', 'SELECT i, CASE WHEN i < 101 THEN y WHEN i > 105 THEN 100 + y END AS y FROM waves') h WHERE forecast_index = 104;
	nothing_leaks := before = after;
END $$;
SELECT missing, g.* FROM unnest('{linear,previous,mean,seasonal,mask}'::text[]) missing, gaps(missing) g;
SELECT train('SELECT i, y, x FROM waves WHERE i < 4', '{"missing": "error"}');
SELECT train('waves', '{"missing": "error"}');
SELECT train('SELECT i, x AS y FROM waves', '{"missing": "error"}') > 0 AS trained;
SELECT count(*) FROM lstm.forecast('prep', source => 'SELECT i, CASE WHEN i <> 197 THEN x END AS y FROM waves');

-- scaling per series: series of very different size in one model
CREATE TABLE sizes AS SELECT i, place, size * (2 + sin(i * 0.5)) AS y FROM generate_series(1, 150) i, (VALUES ('ant', 0.001), ('elephant', 1000)) AS p(place, size);
SELECT version > 0 AS trained FROM lstm.train('sizes', 'sizes', 'y', 'i', context => 12,
	options => '{"units": 8, "epochs": 30, "learning_rate": 0.02, "scale_by_series": true}');
SELECT series, rmse < 0.1 * size AS close FROM lstm.evaluate('sizes') e JOIN (VALUES ('ant', 0.001), ('elephant', 1000)) AS p(place, size) ON place = series ORDER BY series;
SELECT array_length(doubles('sizes', 'prep.scale'), 1) AS scales;
-- a series that was not there gets a scale of its own, and others keep theirs
SELECT abs(max(forecast_value) FILTER (WHERE series = 'whale') / max(forecast_value) FILTER (WHERE series = 'ant') / 1e9 - 1) < 0.05 AS own_scale, count(*)
FROM lstm.forecast('sizes', source => $$SELECT i, 'whale' AS place, 1e9 * y AS y FROM sizes WHERE place = 'ant' UNION ALL SELECT * FROM sizes$$);
SELECT count(*) FROM (SELECT series, forecast_value FROM lstm.forecast('sizes') UNION SELECT series, forecast_value
	FROM lstm.forecast('sizes', source => $$SELECT i, 'whale' AS place, 1e9 * y AS y FROM sizes WHERE place = 'ant' UNION ALL SELECT * FROM sizes$$) WHERE series <> 'whale') v;
SELECT count(*) FROM lstm.forecast('sizes', source => $$SELECT i, 'whale' AS place, y FROM sizes WHERE place = 'ant'$$);
SELECT count(*) FROM lstm.forecast('sizes', source => $$SELECT * FROM sizes WHERE place = 'ant'$$);

-- differences undo themselves: a ramp with a season goes on
CREATE TABLE ramp AS SELECT i, 5 * i + 20 * (i % 7) AS y FROM generate_series(1, 140) i;
SELECT difference, version FROM (VALUES (1), (7)) AS v(difference),
	LATERAL lstm.train('ramp' || difference, 'ramp', 'y', 'i', horizon => 7, context => 14,
		options => jsonb_build_object('units', 12, 'epochs', 120, 'patience', 0, 'learning_rate', 0.02, 'difference', difference));
SELECT model, bool_and(abs(forecast_value - (5 * forecast_index + 20 * (forecast_index % 7))) < 10) AS goes_on
FROM (VALUES ('ramp1'), ('ramp7')) AS v(model), lstm.forecast(model, 14) GROUP BY model ORDER BY model;
SELECT abs((doubles('ramp7', 'prep.center'))[1] - 35) < 1e-9 AS mean_difference, (doubles('ramp7', 'prep.scale')) AS scale;

SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
DROP FUNCTION doubles, train, stored, spikes, gaps;
DROP TABLE waves, sizes, ramp;
