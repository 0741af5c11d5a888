-- determinism.sql
--		Equal data, options and seed give equal bytes, whatever the session and the order of rows.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
CREATE TABLE ordered AS
	SELECT date '2024-01-01' + i AS day, place, sin(i * 0.3 + length(place)) AS y, i % 7 AS weekday
	FROM generate_series(0, 149) i, (VALUES ('a'), ('bb')) AS p(place);
CREATE TABLE shuffled AS SELECT * FROM ordered ORDER BY md5(day::text || place);
CREATE TABLE other AS SELECT day, place, CASE WHEN day = '2024-02-02' THEN y + 0.01 ELSE y END AS y, weekday FROM ordered;
CREATE FUNCTION bytes(source text, options text DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
	SELECT version FROM lstm.train('same', source, 'y', series => 'place', future_covariates => 'weekday', horizon => 3,
		context => 14, options => '{"units": 6, "epochs": 4, "dropout": 0.2, "recurrent_dropout": 0.1}'::jsonb || options::jsonb);
	SELECT md5(model::bytea) FROM lstm.model_values WHERE name = 'same' ORDER BY version DESC LIMIT 1;
$$;
SELECT bytes('ordered') AS first \gset
SELECT bytes('ordered') = :'first' AS again;
SELECT bytes('shuffled') = :'first' AS other_order;
SELECT bytes('SELECT weekday, y, place, day FROM shuffled') = :'first' AS other_columns;
SELECT bytes('ordered', '{"seed": 0}') = :'first' AS default_seed, bytes('ordered', '{"seed": 1}') <> :'first' AS other_seed;
SELECT bytes('other') <> :'first' AS other_data, bytes('ordered', '{"learning_rate": 0.0011}') <> :'first' AS other_options;
SELECT bytes('ordered', '{"deploy": false}') = :'first' AS not_deployed;
SELECT bytes('ordered', '{"progress": 100}') = :'first' AS with_progress;

-- neither settings of the session nor its past matter
SET timezone = 'Asia/Kathmandu';
SET datestyle = 'German, DMY';
SET extra_float_digits = -3;
SET work_mem = '64kB';
SET lc_numeric = 'C';
SET search_path = pg_catalog, public;
SET jit = off;
SELECT setseed(0.5);
SELECT bytes('ordered') = :'first' AS settings;
RESET search_path;
BEGIN TRANSACTION ISOLATION LEVEL SERIALIZABLE;
SELECT bytes('ordered') = :'first' AS serializable;
COMMIT;
\c
SET client_min_messages = error;
SELECT bytes('ordered') = :'first' AS other_session;

-- timestamps with time zone do keep the zone, so that days stay days
CREATE TABLE instants AS SELECT day::timestamp AT TIME ZONE 'UTC' AS ts, y FROM ordered WHERE place = 'a';
CREATE FUNCTION zone_bytes(zone text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('timezone', zone, true);
	PERFORM lstm.train('zoned', 'instants', options => '{"units": 2, "epochs": 1}');
	RETURN (SELECT md5(model::bytea) FROM lstm.model_values WHERE name = 'zoned' ORDER BY version DESC LIMIT 1);
END $$;
SELECT zone_bytes('UTC') AS utc \gset
SELECT zone_bytes('UTC') = :'utc' AS same_zone, zone_bytes('Etc/GMT-1') <> :'utc' AS other_zone;
SELECT lstm.describe('zoned')->>'time_zone' AS zone, lstm.describe('zoned', 1)->>'time_zone' AS first;

-- a model is a value: the same bytes under another name forecast the same
INSERT INTO lstm.models (name, version, deployed, spec, source, rows)
	SELECT 'copy', 1, true, spec, source, rows FROM lstm.models WHERE name = 'same' AND version = 1;
INSERT INTO lstm.model_values SELECT 'copy', 1, model FROM lstm.model_values WHERE name = 'same' AND version = 1;
CREATE TEMP TABLE ahead AS
	SELECT day, place, weekday FROM ordered UNION ALL
	SELECT date '2024-01-01' + i, place, i % 7 FROM generate_series(150, 152) i, (VALUES ('a'), ('bb')) AS p(place);
SELECT count(*) AS rows, bool_and(a.forecast_value = b.forecast_value) AS equal
FROM lstm.forecast('same', version => 1, future => 'ahead') a
	JOIN lstm.forecast('copy', future => 'ahead') b USING (series, step);

SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
DROP FUNCTION bytes, zone_bytes;
DROP TABLE ordered, shuffled, other, instants;
