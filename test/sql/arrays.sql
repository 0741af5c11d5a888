-- arrays.sql
--		Array columns: images and vectors beside series, and networks that fuse them.

\set VERBOSITY default
\set SHOW_CONTEXT never
SET lstm.progress = 0;
SET timezone = 'UTC';
SET datestyle = 'ISO, YMD';

-- A wave, and on it the row of the image before that is bright: no past of y tells where.
CREATE FUNCTION picture(place int, i int) RETURNS real[] LANGUAGE sql IMMUTABLE AS $$
	SELECT array_agg(line ORDER BY r) FROM (
		SELECT r, array_agg((CASE WHEN r = place THEN 5 ELSE 0 END + (hashint4(i * 100 + r * 10 + c) & 1023) / 1023.0)::real ORDER BY c) AS line
		FROM generate_series(0, 5) r, generate_series(0, 5) c GROUP BY r) lines $$;
CREATE TABLE frames AS
	SELECT i, timestamptz '2025-01-01' + i * interval '1 hour' AS t,
		(lag(place, 1, 0) OVER (ORDER BY i) + 3 * sin(i * 0.4))::float8 AS y,
		picture(place, i) AS image, ARRAY[place, (place < 3)::int] AS vector
	FROM (SELECT i, (hashint4(i * 7 + 1) & 1073741823) % 6 AS place FROM generate_series(0, 399) i) AS places;
ALTER TABLE frames ADD other real[], ADD seen real[];
UPDATE frames f SET other = g.image FROM frames g WHERE g.i = (f.i * 37 + 11) % 400;
UPDATE frames SET seen = image WHERE i % 100 < 60;
CREATE FUNCTION mae_of(model text, columns text, covariates text, options jsonb) RETURNS float8 LANGUAGE plpgsql AS $$
BEGIN
	PERFORM lstm.train(model, format('SELECT t, y%s FROM frames', columns), 'y', past_covariates => covariates,
		horizon => 1, context => 8, options => '{"epochs": 60, "patience": 20, "learning_rate": 0.01, "seed": 3}' || options);
	RETURN (SELECT (metrics ->> 'mae')::float8 FROM lstm.models WHERE name = model ORDER BY version DESC LIMIT 1);
END $$;
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n  ', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;

-- the short form looks at images and vectors by itself; images of other rows tell nothing
CREATE TABLE found AS SELECT
	mae_of('alone', '', '', '{"units": 12, "architecture": "gru"}') AS alone,
	mae_of('image', ', image', 'image', '{"units": 12, "architecture": "gru"}') AS image,
	mae_of('vector', ', vector', 'vector', '{"units": 12, "architecture": "gru"}') AS vector,
	mae_of('both', ', image, vector', 'image, vector', '{"units": 12, "architecture": "lstm"}') AS both_of_them,
	mae_of('other', ', other', 'other', '{"units": 12, "architecture": "gru"}') AS other;
SELECT alone > 1 AS alone_is_blind, image < 0.3 * alone AS image_helps, vector < 0.3 * alone AS vector_helps,
	both_of_them < 0.3 * alone AS both_help, other > 0.8 * alone AS other_does_not FROM found;
SELECT name, type, inputs, output_shape FROM lstm.layers('image');
SELECT x -> 'name' AS name, x -> 'rows' AS rows, x -> 'cols' AS cols, x -> 'channels' AS channels
	FROM jsonb_array_elements(lstm.describe('both') #> '{options,arrays}') x;

-- layers of one's own: what the newest image shows, fused with the past
\set branches '{"layers": [{"type": "conv2d", "units": 8, "activation": "relu", "inputs": ["IMAGE"]}, {"type": "max_pool"}, {"type": "conv2d", "units": 16, "activation": "relu"}, {"type": "global_pool"}, {"type": "lags", "lags": [1]}, {"type": "dense", "units": 12}, {"type": "gru", "units": 12, "inputs": ["past"], "return_sequences": false, "name": "own"}, {"type": "fuse", "inputs": ["own", "dense"], "fusion": "KIND"}, {"type": "dense"}]}'
INSERT INTO found (alone, image, vector) SELECT alone,
	mae_of('gated', ', image', 'image', replace(replace(:'branches', 'KIND', 'gated'), 'IMAGE', 'image')::jsonb),
	mae_of('weighted', ', image', 'image', replace(replace(:'branches', 'KIND', 'weighted'), 'IMAGE', 'image')::jsonb) FROM found;
SELECT image < 0.4 * alone AS gated_helps, vector < 0.4 * alone AS weighted_helps FROM found WHERE other IS NULL;
SELECT name, shape FROM lstm.tensors('gated') WHERE name LIKE 'fuse%' ORDER BY name;
SELECT name, shape FROM lstm.tensors('weighted') WHERE name LIKE 'fuse%' ORDER BY name;

-- who has learned to do without the image forecasts without it, and says so
SELECT mae_of('gaps', ', seen', 'seen', replace(replace(:'branches', 'KIND', 'gated'), 'IMAGE', 'seen')::jsonb) < (SELECT max(other) FROM found) AS trained;
SELECT a.mae < 0.5 * b.mae AS image_helps, b.mae < 1.3 * c.mae AS does_without
	FROM lstm.evaluate('gaps', source => 'SELECT t, y, image AS seen FROM frames') a,
		lstm.evaluate('gaps', source => 'SELECT t, y, NULL::real[] AS seen FROM frames') b,
		lstm.evaluate('alone') c
	WHERE a.target = 'y' AND b.target = 'y' AND c.target = 'y';
SELECT count(*) FROM lstm.forecast('gaps', source => 'SELECT t, y, CASE WHEN i < 392 THEN image END AS seen FROM frames');
SELECT count(*) FROM lstm.forecast('gaps', source => 'SELECT t, y, CASE WHEN i < 393 THEN image END AS seen FROM frames');
-- what is known later is not known yet
SELECT count(*) FROM lstm.forecast('gaps', as_of => '2025-01-03 07:30', source => 'SELECT t, y, CASE WHEN i >= 56 THEN image END AS seen FROM frames');

-- unknown is unknown, however it is written; and numbers are numbers
CREATE FUNCTION bytes_of(source text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM lstm.train('same', source, 'y', past_covariates => 'v', horizon => 2, context => 6, options => '{"epochs": 3, "units": 4, "architecture": "gru"}');
	RETURN (SELECT md5(model::bytea) FROM lstm.model_values WHERE name = 'same' ORDER BY version DESC LIMIT 1);
END $$;
SELECT count(DISTINCT bytes_of(format('SELECT t, y, CASE WHEN i %% 5 = 0 THEN %s ELSE vector::%s END AS v FROM frames ORDER BY %s', unknown, type, sorted))) AS bytes
	FROM (VALUES ('NULL', 'int[]', 'i'), ('ARRAY[NULL, 1]', 'int[]', '-i'), ('ARRAY[1, ''NaN''::float8]', 'float8[]', 'md5(i::text)'),
		('NULL', 'numeric[]', '1'), ('ARRAY[''NaN'', ''NaN'']::real[]', 'real[]', '1')) AS v (unknown, type, sorted);

-- nor do workers matter
SET max_parallel_maintenance_workers = 0;
CREATE TABLE bytes AS SELECT bytes_of('SELECT t, y, image AS v FROM frames') AS md5;
SET max_parallel_maintenance_workers = 2;
INSERT INTO bytes SELECT bytes_of('SELECT t, y, image AS v FROM frames');
RESET max_parallel_maintenance_workers;
SELECT count(*), count(DISTINCT md5) AS bytes FROM bytes;

-- rows keep their images when they are moved: other series beside them, columns made from the time, bad series left out
CREATE VIEW many AS
	SELECT 'b' AS id, t, y, seen FROM frames WHERE i < 300
	UNION ALL SELECT 'c', t, 2 * y, image FROM frames WHERE i BETWEEN 100 AND 250
	UNION ALL SELECT 'a', t, y, image FROM frames WHERE i < 4
	UNION ALL SELECT 'd', t, y, CASE i WHEN 120 THEN other[1:2] ELSE other END FROM frames WHERE i BETWEEN 50 AND 350;
SET client_min_messages = error;
SELECT skill > 0.3 AS learned FROM lstm.train('many', 'SELECT * FROM many', 'y', past_covariates => 'seen', horizon => 2, context => 6,
	options => '{"epochs": 40, "patience": 20, "learning_rate": 0.01, "seed": 2, "units": 12, "architecture": "gru", "calendar": ["hour"], "on_error": "skip", "scale_by_series": true}');
SELECT string_agg(x, ', ') AS skipped FROM jsonb_array_elements_text(lstm.describe('many') #> '{report,skipped}') x;
SELECT f.series, count(*) AS rows, bool_and(f.forecast_value = g.forecast_value) AS same
	FROM lstm.forecast('many') f JOIN (
		SELECT * FROM lstm.forecast('many', source => 'SELECT * FROM many WHERE id = ''b''')
		UNION ALL SELECT * FROM lstm.forecast('many', source => 'SELECT * FROM many WHERE id = ''c''')) g USING (series, step)
	GROUP BY 1 ORDER BY 1;
SELECT count(*) > 0 AS judged FROM lstm.backtest('SELECT * FROM many WHERE id IN (''b'', ''c'')', 'y', past_covariates => 'seen', horizon => 2, context => 6,
	options => '{"epochs": 2, "units": 4, "architecture": "gru"}');
SELECT count(*) > 0 AS robust FROM lstm.robustness('many');
SELECT bool_and(importance IS NOT NULL) AS explained FROM lstm.explain('image');
RESET client_min_messages;

-- vectors have a place at each site; an image has none
SELECT skill > -1 AS trained FROM lstm.train('joined', $$SELECT id, t, y, ARRAY[y, 1] AS v FROM many WHERE id IN ('b', 'c')$$, 'y', past_covariates => 'v', horizon => 2, context => 6,
	options => '{"epochs": 3, "units": 4, "architecture": "gru", "graph": "SELECT ''b'', ''c'', 1.0"}');
SELECT name, output_shape FROM lstm.layers('joined') WHERE name IN ('past', 'v', 'concat');
SELECT error_of($$SELECT lstm.train('bad', 'SELECT id, t, y, seen FROM many WHERE id IN (''b'', ''c'')', 'y', past_covariates => 'seen', horizon => 2, context => 6,
	options => '{"epochs": 3, "graph": "SELECT ''b'', ''c'', 1.0", "architecture": "gru"}')$$);

-- what cannot be is told: dimensions, numbers, names, layers
SELECT error_of(format('SELECT lstm.train(''bad'', %L, ''y'', past_covariates => ''v'', horizon => 1, context => 4, options => %L)',
	'SELECT t, y, ' || v || ' AS v FROM frames ORDER BY i', options)) FROM (VALUES
	(1, 'CASE i WHEN 77 THEN vector[1:1] ELSE vector END', '{}'),
	(2, 'CASE i WHEN 77 THEN ARRAY[[1, 2]] ELSE vector END', '{}'),
	(3, '''{}''::int[]', '{}'),
	(4, 'ARRAY[[[[1]]]]', '{}'),
	(5, 'CASE i WHEN 77 THEN ARRAY[1, ''inf''::float8] ELSE vector END', '{}'),
	(6, 'CASE i WHEN 77 THEN ARRAY[1, 1e40::float8] ELSE vector END', '{}'),
	(7, 'NULL::int[]', '{}'),
	(8, 'vector::text[]', '{}'),
	(9, 'vector', '{"architecture": "segment"}'),
	(10, 'vector', '{"layers": [{"type": "gru", "units": 2}]}'),
	(11, 'vector', '{"layers": [{"type": "gru", "units": 2, "inputs": ["v"], "name": "v"}]}'),
	(12, 'vector', '{"layers": [{"type": "gru", "units": 2}, {"type": "gru", "units": 3, "inputs": ["v"], "name": "w"}, {"type": "fuse", "inputs": ["gru", "w"]}]}'),
	(13, 'vector', '{"layers": [{"type": "lags", "lags": [1, 5], "inputs": ["v"]}, {"type": "gru", "units": 2}]}'),
	(14, 'vector', '{"layers": [{"type": "lags", "inputs": ["v"]}, {"type": "gru", "units": 2}]}'),
	(15, 'vector', '{"layers": [{"type": "fuse", "inputs": ["v"]}]}')) AS cases (n, v, options) ORDER BY n;
SELECT error_of(query) FROM (VALUES
	(1, $$SELECT lstm.train('bad', 'SELECT t, y, image FROM frames', horizon => 1, context => 4)$$),
	(2, $$SELECT lstm.train('bad', 'SELECT t, y, image FROM frames', 'y', past_covariates => '', horizon => 1, context => 4)$$),
	(3, $$SELECT lstm.train('bad', 'SELECT t, y, image FROM frames', 'image', horizon => 1, context => 4)$$),
	(4, $$SELECT lstm.train('bad', 'SELECT t, y, image AS past FROM frames', 'y', past_covariates => 'past', horizon => 1, context => 4)$$),
	(5, $$SELECT lstm.train('bad', 'SELECT t, y, vector AS a, vector AS b, vector AS c, vector AS d, vector AS e FROM frames', 'y', past_covariates => 'a, b, c, d, e', horizon => 1, context => 4)$$),
	(6, $$SELECT count(*) FROM lstm.forecast('image', horizon => 2)$$),
	(7, $$SELECT count(*) FROM lstm.forecast('image', source => 'SELECT t, y, vector AS image FROM frames ORDER BY i')$$),
	(8, $$SELECT count(*) FROM lstm.forecast('image', source => 'SELECT t, y, y AS image FROM frames')$$),
	(9, $$SELECT lstm.predict(model, ARRAY[1, 2, 3, 4, 5, 6, 7, 8]::float8[], 1) FROM lstm.model_values WHERE name = 'image'$$)) AS cases (n, query) ORDER BY n;

SELECT count(lstm.drop_model(name)) > 0 AS dropped FROM (SELECT DISTINCT name FROM lstm.models) m;
DROP VIEW many;
DROP TABLE frames, found, bytes;
DROP FUNCTION picture, mae_of, error_of, bytes_of;
