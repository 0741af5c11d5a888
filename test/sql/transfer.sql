-- transfer.sql
--		Training that begins with another model: it knows more than one that begins anew, frozen layers
--		stay, and nobody takes over what is not theirs to use.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = warning;
CREATE FUNCTION noise(i int) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
	SELECT sum(('x' || substr(md5(i::text || '/' || k), 1, 7))::bit(28)::int / 268435456.0)::float8 - 6 FROM generate_series(1, 12) k
$$;
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n  ', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
-- Waves of one shape: many rows of other places, few of a new one, ten times as large.
CREATE TABLE old_places AS SELECT i, p AS place, 50 + 10 * sin(i * 0.35) + 6 * sin(i * 0.83 + 1) + 0.5 * noise(i + 5000 * length(p)) AS y
	FROM generate_series(1, 1500) i, unnest('{a,bb}'::text[]) p;
CREATE TABLE new_place AS SELECT i, 500 + 100 * sin(i * 0.35 + 2) + 60 * sin(i * 0.83) + 5 * noise(i + 90000) AS y FROM generate_series(1, 600) i;

SELECT skill > 0.5 AS skill FROM lstm.train('base', 'old_places', 'y', 'i', 'place', 3, 16,
	options => '{"architecture": "lstm", "units": 16, "epochs": 25, "learning_rate": 0.01, "season": 1}');
-- a tenth of the rows, with what was learned before and without
SELECT version FROM lstm.train('anew', 'SELECT * FROM new_place WHERE i <= 150', 'y', 'i', horizon => 3, context => 16,
	options => '{"architecture": "lstm", "units": 16, "epochs": 5, "learning_rate": 0.001, "season": 1}');
SELECT version FROM lstm.train('tuned', 'SELECT * FROM new_place WHERE i <= 150', 'y', 'i', horizon => 3,
	options => '{"from_model": "base", "epochs": 5, "learning_rate": 0.001, "season": 1}');
SELECT lstm.describe('tuned')->'context' AS context,
	(SELECT array_agg(type ORDER BY position) FROM lstm.layers('tuned')) = (SELECT array_agg(type ORDER BY position) FROM lstm.layers('base')) AS same_layers;
SELECT t.mae < 0.5 * a.mae AS tuning_beats_training_anew
FROM lstm.evaluate('tuned', 'SELECT * FROM new_place WHERE i > 150') t, lstm.evaluate('anew', 'SELECT * FROM new_place WHERE i > 150') a
WHERE t.level = 'all' AND a.level = 'all';

-- frozen layers stay as they were, the others learn
SELECT version FROM lstm.train('frozen', 'SELECT * FROM new_place WHERE i <= 150', 'y', 'i', horizon => 3,
	options => '{"from_model": "base", "freeze": ["lstm"], "epochs": 5, "season": 1, "weight_decay": 0.1, "optimizer": "adamw"}');
SELECT b.name, b."values" = f."values" AS frozen, b."values" = t."values" AS tuned
FROM lstm.tensors('base') b JOIN lstm.tensors('frozen') f USING (name) JOIN lstm.tensors('tuned') t USING (name) ORDER BY name COLLATE "C";

-- another number of targets and another horizon: what does not fit begins anew, and is told
SET client_min_messages = notice;
SELECT version FROM lstm.train('longer', 'SELECT *, y / 2 AS z FROM new_place WHERE i <= 150', 'y, z', 'i', horizon => 5,
	options => '{"from_model": "base", "epochs": 2, "season": 1, "validation_split": 0}');
SET client_min_messages = warning;
-- a later version of a model that begins with the one before
SELECT version FROM lstm.train('tuned', 'SELECT * FROM new_place WHERE i <= 300', 'y', 'i', horizon => 3, options => '{"from_model": "tuned", "epochs": 2, "season": 1}');
-- the same seed, the same bytes
SELECT version FROM lstm.train('again', 'SELECT * FROM new_place WHERE i <= 150 ORDER BY y', 'y', 'i', horizon => 3,
	options => '{"from_model": "base", "epochs": 5, "learning_rate": 0.001, "season": 1}');
SELECT a.model::bytea = t.model::bytea AS same FROM lstm.model_values a, lstm.model_values t WHERE a.name = 'again' AND t.name = 'tuned' AND t.version = 1;
-- several networks, each from the other's first one
SELECT version FROM lstm.train('several', 'SELECT * FROM new_place WHERE i <= 150', 'y', 'i', horizon => 3, options => '{"from_model": "base", "epochs": 2, "season": 1, "ensemble_size": 2}');
SELECT lstm.describe('several')->'networks' AS networks;

-- lstm.fit reads nothing but its rows
SET client_min_messages = error;
SELECT array_length(lstm.predict(lstm.fit(i, y, '{"from_model": "base", "horizon": 3, "epochs": 1}'), array_agg(y ORDER BY i), 3), 1) AS steps FROM new_place;

-- what cannot be
\pset format unaligned
\pset tuples_only on
SELECT options || E'\n  ' || error_of(format('SELECT lstm.train(''bad'', ''SELECT * FROM new_place WHERE i <= 150'', ''y'', ''i'', horizon => 3, options => %L)', options)) FROM (VALUES
	('{"from_model": "nobody"}'), ('{"from_model": ""}'), ('{"from_model": 5}'), ('{"freeze": ["lstm"]}'), ('{"from_model": "base", "freeze": ["gru"]}'),
	('{"from_model": "base", "freeze": "lstm"}'), ('{"from_model": "base", "freeze": ["lstm", 5]}'), ('{"from_model": "base", "freeze": ["last"]}'),
	('{"from_model": "base", "architecture": "gru", "units": 16, "residual": false}'), ('{"from_model": "base", "architecture": "lstm", "units": 7}'),
	('{"from_model": "base", "architecture": "lstm", "units": 7, "freeze": ["lstm"]}')) AS v(options);
SELECT error_of($$SELECT lstm.backtest('new_place', 'y', 'i', options => '{"from_model": "base"}')$$);
CALL lstm.tune('x', 'new_place', 'y', 'i', options => '{"from_model": "base"}', search => '{"units": [2, 4]}');
-- models of other roles: as hidden from here as from elsewhere, and there for members of their owner
CREATE ROLE regress_lstm_owner;
CREATE ROLE regress_lstm_stranger;
GRANT SELECT ON new_place TO regress_lstm_owner, regress_lstm_stranger;
SET ROLE regress_lstm_owner;
SELECT version FROM lstm.train('theirs', 'public.new_place', 'y', 'i', horizon => 3, options => '{"units": 2, "epochs": 1}');
SET ROLE regress_lstm_stranger;
SELECT error_of($$SELECT lstm.train('mine', 'public.new_place', 'y', 'i', horizon => 3, options => '{"from_model": "theirs", "epochs": 1}')$$);
RESET ROLE;
GRANT regress_lstm_owner TO regress_lstm_stranger;
SET ROLE regress_lstm_stranger;
SELECT version FROM lstm.train('mine', 'public.new_place', 'y', 'i', horizon => 3, options => '{"from_model": "theirs", "epochs": 1}');
RESET ROLE;
\pset format aligned
\pset tuples_only off

SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
DROP TABLE old_places, new_place;
DROP FUNCTION noise, error_of;
DROP ROLE regress_lstm_stranger, regress_lstm_owner;
