-- explain.sql
--		Planted truth: what a model rests on is what the rows were made from.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
-- A fixed noise that is close to normal: sums of twelve uniform numbers from md5.
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
-- y follows driver two rows later; idle says nothing
CREATE TABLE driven AS
	SELECT i, 10 + 3 * noise(i - 2) + 0.5 * noise(i + 5000) AS y, 100 + 20 * noise(i) AS driver, 5 * noise(i + 9000) AS idle
	FROM generate_series(1, 900) i;
SELECT version FROM lstm.train('with', 'driven', 'y', 'i', horizon => 2, context => 8,
	options => '{"architecture": "lstm", "units": 16, "epochs": 40, "learning_rate": 0.01}');
SELECT version FROM lstm.train('without', 'SELECT i, y FROM driven', 'y', 'i', horizon => 2, context => 8,
	options => '{"architecture": "lstm", "units": 16, "epochs": 20, "learning_rate": 0.01}');
SELECT w.mae < 0.5 * o.mae AS driver_halves_the_error FROM lstm.evaluate('with') w, lstm.evaluate('without') o
WHERE w.level = 'all' AND o.level = 'all';

-- permutation
CREATE TABLE importance AS SELECT * FROM lstm.explain('with');
SELECT input, share > 0.8 AS most FROM importance WHERE lag IS NULL ORDER BY share DESC LIMIT 1;
SELECT bool_and(share BETWEEN 0 AND 0.1) AS others FROM importance WHERE lag IS NULL AND input <> 'driver';
SELECT abs(sum(share) - 1) < 1e-9 AS shares FROM importance WHERE lag IS NULL;
-- step 1 needs the driver of the row before the newest, step 2 the newest
SELECT array_agg(lag ORDER BY importance DESC) FILTER (WHERE importance > 0.1) <@ '{1,2}' AS lags FROM importance WHERE input = 'driver' AND lag IS NOT NULL;
SELECT DISTINCT lag, lags FROM importance WHERE lag IS NOT NULL ORDER BY lag;
SELECT count(*) = 0 AS repeats_itself FROM ((TABLE importance EXCEPT SELECT * FROM lstm.explain('with', seed => 0))
	UNION ALL (SELECT * FROM lstm.explain('with') EXCEPT TABLE importance)) d;
SELECT count(*) > 0 AS seed_matters FROM (TABLE importance EXCEPT SELECT * FROM lstm.explain('with', seed => 1)) d;
SELECT count(DISTINCT round((value - importance)::numeric, 9)) AS clean_errors FROM importance;

-- integrated gradients add up, and end where the forecast does
SELECT step, abs(sum(importance) - max(value) FILTER (WHERE input = 'forecast') + max(value) FILTER (WHERE input = 'baseline')) <=
	0.01 * abs(max(value) FILTER (WHERE input = 'forecast') - max(value) FILTER (WHERE input = 'baseline')) AS adds_up
FROM lstm.explain('with', method => 'gradients') GROUP BY step ORDER BY step;
SELECT bool_and(abs(e.value - f.forecast_value) < 1e-9) AS same_forecast
FROM lstm.explain('with', method => 'gradients') e JOIN lstm.forecast('with') f USING (step) WHERE input = 'forecast';
SELECT DISTINCT ON (step) step, input, lag, input_index FROM lstm.explain('with', method => 'gradients') WHERE importance IS NOT NULL
ORDER BY step, abs(importance) DESC;
SELECT bool_and(e.value = d.driver) AS values_are_rows
FROM lstm.explain('with', method => 'gradients', horizon => 1) e JOIN driven d ON d.i = e.input_index WHERE input = 'driver';
SELECT count(*) AS rows, max(step) AS steps FROM lstm.explain('with', method => 'gradients', horizon => 1);

-- two targets, series, gaps, future and static covariates, calendar, differences, quantiles, several networks, simple members
CREATE TABLE rich AS SELECT timestamptz '2024-01-01 00:00+00' + i * interval '1 hour' AS ts, p AS place,
	50 + 10 * length(p) + 8 * sin(i * pi() / 12) + noise(i + 1000 * length(p)) AS y, 20 + 2 * noise(i + 7777 * length(p)) AS z,
	40 + 4 * noise(i + 31337) AS before, 10 + 3 * sin(i * pi() / 12 + 1) AS ahead, length(p) AS size, CASE p WHEN 'a' THEN 'red' ELSE 'blue' END AS colour
FROM generate_series(0, 400) i, unnest('{a,bb,ccc}'::text[]) p;
UPDATE rich SET y = NULL WHERE extract(hour FROM ts) = 13 AND extract(day FROM ts) % 3 = 0;
UPDATE rich SET before = NULL WHERE extract(hour FROM ts) = 5 AND extract(day FROM ts) % 2 = 0;
CREATE FUNCTION attributions_add_up(options jsonb) RETURNS bool LANGUAGE plpgsql AS $$
DECLARE worst float8;
BEGIN
	PERFORM lstm.train('rich', 'SELECT * FROM rich WHERE ts < ''2024-01-15''', 'y, z', 'ts', 'place', 6, 24, 'before', 'ahead', 'size, colour',
		options => jsonb '{"units": 6, "epochs": 2, "learning_rate": 0.01}' || options);
	SELECT max(abs(parts - last + first) / greatest(abs(last - first), 0.01)) INTO worst
	FROM (SELECT sum(importance) AS parts, max(value) FILTER (WHERE input = 'forecast') AS last, max(value) FILTER (WHERE input = 'baseline') AS first
		FROM lstm.explain('rich', 'rich', 'gradients', as_of => '2024-01-15', series => 'bb') GROUP BY target, step) s;
	RETURN worst < 0.01;
END $$;
SELECT options, attributions_add_up(options) FROM (VALUES (1, jsonb '{"architecture": "lstm"}'), (2, '{"architecture": "gru", "scaling": "log1p"}'),
	(3, '{"architecture": "lstm", "difference": 24}'), (4, '{"architecture": "lstm", "missing": "mask", "scale_by_series": true}'),
	(5, '{"architecture": "lstm", "calendar": ["hour", "weekday"], "loss": "quantile"}'), (6, '{"architecture": "segment"}'),
	(7, '{"architecture": "lstm", "ensemble_size": 2, "dropout": 0.3, "series_embedding": 2}'), (8, '{"architecture": "encoder_decoder"}'),
	(9, '{"architecture": "lstm", "members": ["network", "theta", "holt_winters"]}'), (10, '{"architecture": "attention"}')) AS v(i, options) ORDER BY i;

-- attention: shares of the states
SELECT input, count(*) AS rows, bool_and(importance BETWEEN 0 AND 1) AS shares, round(sum(share)::numeric / greatest(count(DISTINCT step), 1), 6) AS sum
FROM lstm.explain('rich', 'rich', 'attention', series => 'a', as_of => '2024-01-15') GROUP BY input;
-- every input by its name, a calendar's channels together
SELECT version FROM lstm.train('rich', 'SELECT * FROM rich WHERE ts < ''2024-01-15''', 'y, z', 'ts', 'place', 6, 24, 'before', 'ahead', 'size, colour',
	options => '{"architecture": "lstm", "units": 4, "epochs": 1, "calendar": ["hour", "weekday"]}');
SELECT target, string_agg(input, ', ' ORDER BY input COLLATE "C") FROM lstm.explain('rich', horizon => 2) WHERE lag IS NULL GROUP BY target ORDER BY target;
SELECT input, min(lag) AS newest, bool_and(lags > 0) AS lags FROM lstm.explain('rich', target => 'z') WHERE lag IS NOT NULL GROUP BY input ORDER BY input COLLATE "C";
SELECT count(DISTINCT target) AS targets, count(DISTINCT series) AS series FROM lstm.explain('rich', target => 'z', series => 'ccc');

-- decomposition: parts add up; a planted trend and season are found
CREATE TABLE parts AS SELECT date '2024-01-01' + i AS day, 100 + 0.5 * i + (ARRAY[3, -1, -2, 4, 0, -5, 1])[1 + i % 7] AS y FROM generate_series(0, 139) i;
SELECT version FROM lstm.train('parts', 'parts', 'y', 'day', horizon => 7, context => 14, options => '{"architecture": "linear", "difference": 7, "epochs": 20}');
CREATE TABLE decomposed AS SELECT coalesce(step, 0) AS step, lag, input_timestamp::date AS day, max(value) FILTER (WHERE input = 'value') AS value,
	max(value) FILTER (WHERE input = 'trend') AS trend, max(value) FILTER (WHERE input = 'season') AS season, max(value) FILTER (WHERE input = 'remainder') AS remainder
FROM lstm.explain('parts', method => 'decomposition') GROUP BY step, lag, input_timestamp;
SELECT count(*) AS rows, max(step) AS steps, bool_and(abs(value - trend - season - remainder) < 1e-9) AS adds_up,
	bool_and(abs(season - (ARRAY[3, -1, -2, 4, 0, -5, 1])[1 + (day - date '2024-01-01') % 7]) < 0.5) AS season,
	bool_and(abs(trend - 100 - 0.5 * (day - date '2024-01-01')) < 1) AS trend FROM decomposed;
SELECT bool_and(d.value = p.y) AS history FROM decomposed d JOIN parts p USING (day);
SELECT bool_and(d.value = f.forecast_value) AS forecast FROM decomposed d JOIN lstm.forecast('parts') f USING (step);

-- a column that never changes matters to nothing
SELECT version FROM lstm.train('still', 'SELECT i, y, 1 AS one FROM driven', 'y', 'i', context => 4, options => '{"architecture": "lstm", "units": 2, "epochs": 1}');
SELECT importance = 0 AS nothing FROM lstm.explain('still') WHERE input = 'one' AND lag IS NULL;
SELECT sum(abs(importance)) = 0 AS nothing FROM lstm.explain('still', method => 'gradients') WHERE input = 'one';
SELECT version FROM lstm.train('constant', 'SELECT i, 5 AS y FROM generate_series(1, 60) i', 'y', 'i', context => 4, options => '{"architecture": "lstm", "units": 2, "epochs": 1}');
SELECT method, count(*) > 0 AS rows,
	count(*) FILTER (WHERE abs(importance) > 1e300 OR abs(share) > 1 OR abs(value) > 1e300) AS strange FROM unnest('{permutation,gradients,decomposition}'::text[]) m,
	lstm.explain('constant', method => m) GROUP BY method ORDER BY method;

-- what cannot be
CREATE TABLE fitted AS SELECT lstm.fit(i, y, '{"units": 2, "epochs": 1, "context": 4}') AS model FROM driven;
INSERT INTO lstm.models (name, version, deployed) VALUES ('fitted', 1, true);
INSERT INTO lstm.model_values SELECT 'fitted', 1, model FROM fitted;
CREATE ROLE regress_lstm_stranger;
\pset format unaligned
\pset tuples_only on
SELECT query || E'\n  ' || error_of('SELECT * FROM lstm.explain(' || query || ')') FROM (VALUES ($$NULL$$), ($$'with', method => NULL$$), ($$'nobody'$$),
	($$'with', method => 'permutations'$$), ($$'with', method => 'x'$$), ($$'with', horizon => 0$$), ($$'with', horizon => 3$$),
	($$'without', method => 'gradients', horizon => 3$$), ($$'with', series => 'a'$$), ($$'rich', series => 'd'$$), ($$'rich', target => 'y, z'$$),
	($$'with', version => 9$$), ($$'with', method => 'attention'$$), ($$'with', 'SELECT * FROM driven WHERE false'$$),
	($$'with', 'SELECT * FROM driven WHERE i = 1'$$), ($$'with', 'SELECT * FROM driven WHERE i <= 9'$$), ($$'with', 'SELECT i, y FROM driven'$$),
	($$'with', 'SELECT * FROM driven WHERE i <= 5', 'gradients'$$), ($$'with', seed => NULL$$), ($$'with', as_of => '2024-01-01'$$), ($$'fitted', 'driven'$$)) AS v(query);
SET ROLE regress_lstm_stranger;
SELECT error_of($$SELECT * FROM lstm.explain('with')$$);
RESET ROLE;
\pset format aligned
\pset tuples_only off
DELETE FROM lstm.models WHERE name = 'fitted';
SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
DROP TABLE driven, importance, rich, parts, decomposed, fitted;
DROP FUNCTION noise, error_of, attributions_add_up;
DROP ROLE regress_lstm_stranger;
