-- explain_space.sql
--		Models over space and of several branches: what a forecast owes to its neighbours,
--		to images and to each branch.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
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
-- b is a one step later; c flows into b as well, and tells nothing
CREATE TABLE flow AS
	SELECT t, id, CASE id WHEN 'a' THEN 50 + 5 * noise(t) WHEN 'b' THEN 10 + 3 * noise(t - 1) + 0.3 * noise(t + 50000)
		ELSE 20 + 2 * noise(t + 10000 * ascii(id)) END AS y
	FROM generate_series(1, 500) t, unnest('{a,b,c,d}'::text[]) id;
CREATE TABLE edge (source text, target text);
INSERT INTO edge VALUES ('a', 'b'), ('c', 'b'), ('d', 'c'), ('b', 'd');
SELECT version FROM lstm.train('flow', 'SELECT t, id, y FROM flow', time_column => 't', target => 'y', horizon => 1, context => 6,
	options => '{"graph": "edge", "architecture": "graph_gru", "units": 12, "epochs": 40, "learning_rate": 0.01, "scale_by_series": true}');

-- gradients: the newest forecasts of b are made of a, and add up
CREATE TABLE made AS SELECT e.*, as_of FROM generate_series(480, 500) as_of,
	lstm.explain('flow', format('SELECT * FROM flow WHERE t <= %s', as_of), method => 'gradients', series => 'b') e;
SELECT coalesce(source_series, input) AS source, sum(share) / 21 > 0.3 AS most FROM made WHERE importance IS NOT NULL
GROUP BY 1 ORDER BY sum(share) DESC LIMIT 1;
SELECT max(abs(parts - last + first) / greatest(abs(last - first), 0.01)) < 0.01 AS add_up FROM (SELECT sum(importance) AS parts,
	max(value) FILTER (WHERE input = 'forecast') AS last, max(value) FILTER (WHERE input = 'baseline') AS first FROM made GROUP BY as_of) s;
SELECT input, source_series, count(*) AS lines, min(lag) AS newest, max(lag) AS oldest FROM made WHERE as_of = 500 GROUP BY 1, 2 ORDER BY 1, 2;
SELECT bool_and(m.value = f.y) AS values_are_rows FROM made m JOIN flow f ON f.t = m.input_index AND f.id = m.source_series WHERE lag IS NOT NULL;
SELECT bool_and(abs(m.value - f.forecast_value) < 1e-9) AS same_forecast FROM made m JOIN lstm.forecast('flow') f USING (series) WHERE as_of = 500 AND input = 'forecast';

-- permutation: b's errors need a; all series together are one line
CREATE TABLE importance AS SELECT * FROM lstm.explain('flow', series => 'b');
SELECT source_series, importance > 0.4 AS needed FROM importance WHERE source_series IS NOT NULL ORDER BY needed DESC, source_series;
SELECT lag, lags, share > 0.99 AS whole FROM importance WHERE source_series IS NULL ORDER BY lag NULLS FIRST;
SELECT count(DISTINCT round((value - importance)::numeric, 9)) AS clean_errors FROM importance;
SELECT count(*) = 0 AS repeats_itself FROM ((TABLE importance EXCEPT SELECT * FROM lstm.explain('flow', series => 'b'))
	UNION ALL (SELECT * FROM lstm.explain('flow', series => 'b') EXCEPT TABLE importance)) d;
SELECT count(*) AS lines, count(source_series) AS of_neighbours FROM lstm.explain('flow');

-- nobody flows into a
SELECT max(importance) < 0.1 AS nothing FROM lstm.explain('flow', series => 'a') WHERE source_series <> 'a';

-- windows cut out of all series forecast as in the rows they came from
SELECT abs(r.mae - h.mae) < 1e-9 AS same_errors, r.n = h.n AS same_number FROM (SELECT mae, n FROM lstm.robustness('flow', stride => 1) WHERE perturbation = 'clean') r,
	(SELECT avg(abs(actual - forecast_value)) AS mae, count(*) AS n FROM lstm.hindcast('flow')) h;
SELECT perturbation, bool_and(mae_ratio > 1) AS worse FROM lstm.robustness('flow') WHERE strength > 0 GROUP BY 1 ORDER BY 1;
SELECT bool_and(a.forecast_value = h.forecast_value) AS same_forecasts, count(*) = 4 * 494 AS everywhere
FROM lstm.detect_anomalies('flow', probability => 0.9999999) a JOIN lstm.hindcast('flow') h USING (series, forecast_index);
-- a wild value is found, and its forecast stands in for it in what b's forecast sees
CREATE TABLE wild AS SELECT t, id, y + CASE WHEN t = 300 AND id = 'a' THEN 500 ELSE 0 END AS y FROM flow;
SELECT forecast_index, series FROM lstm.detect_anomalies('flow', 'wild', probability => 0.9999999) WHERE is_anomaly;
SELECT bool_and(abs(forecast_value) < 100) AS tame FROM lstm.detect_anomalies('flow', 'wild', probability => 0.9999) WHERE forecast_index BETWEEN 301 AND 306;
SELECT series, bool_and(probability BETWEEN 0 AND 1) AS probabilities FROM lstm.exceedance('flow', 15) GROUP BY series ORDER BY series;
SELECT method, count(*) > 0 AS judged FROM lstm.backtest('SELECT t, id, y FROM flow', time_column => 't', target => 'y', series => 'id', horizon => 1, folds => 2, context => 6,
	options => '{"graph": "edge", "architecture": "graph_gru", "units": 4, "epochs": 2}') WHERE method IN ('network', 'naive') GROUP BY method ORDER BY method;
SELECT lstm.plot_forecast('flow', series => 'b')::text LIKE '%b%' AS plotted;
SELECT count(*) > 0 AS parts, count(source_series) AS sources FROM lstm.explain('flow', method => 'decomposition', series => 'b');

-- gaps, covariates, differences, quantiles, several networks: still adds up, and cut windows are those of the rows
CREATE TABLE rich AS SELECT timestamptz '2024-01-01 00:00+00' + i * interval '1 hour' AS ts, p AS place, 50 + 10 * length(p) + 8 * sin(i * pi() / 12) + noise(i + 1000 * length(p)) AS y,
	40 + 4 * noise(i + 31337 * length(p)) AS before, 10 + 3 * sin(i * pi() / 12 + length(p)) AS ahead, length(p) AS size
FROM generate_series(0, 300) i, unnest('{a,bb,ccc}'::text[]) p;
CREATE TABLE gaps AS SELECT * FROM rich;
UPDATE gaps SET y = NULL WHERE extract(hour FROM ts) IN (13, 14) AND extract(day FROM ts) % 3 = length(place) - 1;
UPDATE gaps SET y = NULL, before = NULL WHERE place = 'ccc' AND ts < '2024-01-03';
CREATE FUNCTION holds(source text, options jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE worst float8; cut float8; lines int;
BEGIN
	PERFORM lstm.train('rich', format('SELECT * FROM %s WHERE ts < ''2024-01-12''', source), 'y', 'ts', 'place', 4, 24, 'before', 'ahead', 'size',
		options => jsonb '{"units": 6, "epochs": 2, "learning_rate": 0.01, "graph": "VALUES (''a'', ''bb''), (''ccc'', ''bb''), (''bb'', ''a'')"}' || options);
	SELECT max(abs(parts - last + first) / greatest(abs(last - first), 0.01)) INTO worst
	FROM (SELECT sum(importance) AS parts, max(value) FILTER (WHERE input = 'forecast') AS last, max(value) FILTER (WHERE input = 'baseline') AS first
		FROM lstm.explain('rich', source, 'gradients', as_of => '2024-01-12', series => 'bb') GROUP BY step) s;
	SELECT abs(r.mae - h.mae) / h.mae INTO cut FROM (SELECT mae FROM lstm.robustness('rich', source, stride => 3) WHERE perturbation = 'clean') r,
		(SELECT avg(abs(actual - forecast_value)) AS mae FROM lstm.hindcast('rich', source, stride => 3)) h;
	SELECT count(DISTINCT input) INTO lines FROM lstm.explain('rich', source, series => 'bb');
	RETURN concat_ws(', ', CASE WHEN worst < 0.01 THEN 'adds up' END, CASE WHEN cut < 1e-6 THEN 'same forecasts' END, lines || ' inputs');
END $$;
SELECT i, holds(source, options) FROM (VALUES (1, 'rich', jsonb '{"architecture": "graph_gru", "missing": "error"}'), (2, 'gaps', '{"architecture": "graph_lstm", "missing": "linear"}'),
	(3, 'gaps', '{"architecture": "graph_gru", "difference": 24, "missing": "mask"}'), (4, 'gaps', '{"architecture": "graph", "scaling": "log1p", "ensemble_size": 2, "scale_by_series": true}'),
	(5, 'rich', '{"architecture": "graph_gru", "loss": "quantile", "calendar": ["hour"]}'), (6, 'rich', '{"architecture": "gru", "dropout": 0.3}')) AS v(i, source, options) ORDER BY i;

-- attention to neighbours, and of each site along time
SELECT version FROM lstm.train('looking', 'SELECT t, id, y FROM flow', time_column => 't', target => 'y', horizon => 1, context => 4, options => '{"graph": "edge", "epochs": 60,
	"learning_rate": 0.01, "layers": [{"type": "graph_attention", "name": "look", "units": 8, "heads": 2}, {"type": "flatten", "name": "rows"}, {"type": "dense", "units": 16, "activation": "relu"}, {"type": "dense"}]}');
SELECT source_series, importance > 0.35 AS most FROM lstm.explain('looking', method => 'attention', series => 'b') ORDER BY importance DESC LIMIT 1;
SELECT series, string_agg(source_series, ',' ORDER BY source_series) AS sources, round(sum(importance)::numeric, 5) AS sum
FROM unnest('{a,b,c,d}'::text[]) id, lstm.explain('looking', method => 'attention', series => id) GROUP BY series ORDER BY series;
SELECT string_agg(source_series, ',' ORDER BY source_series) AS absent_too FROM lstm.explain('looking', 'SELECT * FROM flow WHERE id <> ''c''', method => 'attention', series => 'b');
SELECT version FROM lstm.train('both', 'SELECT t, id, y FROM flow', time_column => 't', target => 'y', horizon => 1, context => 8, options => '{"graph": "edge", "epochs": 2,
	"layers": [{"type": "graph_attention", "name": "look", "units": 4}, {"type": "gru", "name": "rows", "units": 4, "return_sequences": true}, {"type": "attention", "heads": 2}, {"type": "last"}, {"type": "dense"}]}');
SELECT series, input, count(lag) AS lags, count(source_series) AS sources, round(sum(importance)::numeric, 5) AS sum
FROM unnest('{a,b}'::text[]) id, lstm.explain('both', method => 'attention', series => id) GROUP BY series, input ORDER BY series, input;
SELECT count(*) > 0 AS differ_by_site FROM (SELECT lag, importance FROM lstm.explain('both', method => 'attention', series => 'a') WHERE input = 'attention'
	EXCEPT SELECT lag, importance FROM lstm.explain('both', method => 'attention', series => 'b')) d;

-- fusion: what the branches weigh
\set fused '{"graph": "edge", "epochs": 30, "learning_rate": 0.01, "layers": [{"type": "graph_gru", "name": "space", "units": 8, "inputs": ["past"]}, {"type": "gru", "name": "own", "units": 8, "inputs": ["past"]}, {"type": "lstm", "name": "more", "units": 8, "inputs": ["past"]}, {"type": "fuse", "name": "mix", "inputs": ["space", "own", "more"], "fusion": "KIND"}, {"type": "dense"}], "ensemble_size": 2}'
SELECT version FROM lstm.train('gated', 'SELECT t, id, y FROM flow', time_column => 't', target => 'y', horizon => 1, context => 4, options => replace(:'fused', 'KIND', 'gated')::jsonb);
SELECT version FROM lstm.train('weighted', 'SELECT t, id, y FROM flow', time_column => 't', target => 'y', horizon => 1, context => 4, options => replace(:'fused', 'KIND', 'weighted')::jsonb);
SELECT bool_and(importance > 0) AS shares, round(sum(importance)::numeric, 5) AS sum, string_agg(input, ' ' ORDER BY input) AS inputs FROM lstm.explain('gated', method => 'fusion', series => 'b');
SELECT count(*) > 0 AS differ_by_site FROM (SELECT input, importance FROM lstm.explain('gated', method => 'fusion', series => 'a') EXCEPT SELECT input, importance FROM lstm.explain('gated', method => 'fusion', series => 'b')) d;
SELECT round(sum(importance) FILTER (WHERE input <> 'mix.more_last')::numeric, 5) AS first_two, round(sum(share)::numeric, 5) AS shares FROM lstm.explain('weighted', method => 'fusion', series => 'b');
SELECT f -> 'layer' AS layer, f -> 'kind' AS kind, f -> 'branches' AS branches, f ? 'weights' AS has_weights FROM lstm.describe('gated') d, jsonb_array_elements(d -> 'fusion') f;
SELECT f -> 'layer' AS layer, f -> 'kind' AS kind, f -> 'branches' AS branches, jsonb_array_length(f -> 'weights') AS weights FROM lstm.describe('weighted') d, jsonb_array_elements(d -> 'fusion') f;
SELECT bool_and(abs((d #>> ARRAY['fusion', '0', 'weights', (n - 1)::text])::float8 - e.importance) < 1e-6) AS same_weights
FROM lstm.describe('weighted') d, ROWS FROM (lstm.explain('weighted', method => 'fusion', series => 'b')) WITH ORDINALITY AS e(method, series, target, step, input, lag, lags, importance, share, value, at, index, source, n);
SELECT lstm.describe('flow') -> 'fusion' AS none;

-- an image says what comes; without it, the past is the whole of a fusion
CREATE TABLE frames AS SELECT i, (lag(place, 1, 0) OVER (ORDER BY i) + 0.3 * sin(i * 0.4))::float8 AS y,
	(SELECT array_agg(line ORDER BY r) FROM (SELECT r, array_agg(CASE WHEN r = place THEN 5 ELSE 0 END + (hashint4(i * 100 + r * 10 + c) & 1023) / 1023.0 ORDER BY c) AS line
		FROM generate_series(0, 5) r, generate_series(0, 5) c GROUP BY r) lines)::real[] AS image
FROM (SELECT i, (hashint4(i * 7 + 1) & 1073741823) % 6 AS place FROM generate_series(0, 399) i) AS places;
SELECT version FROM lstm.train('image', 'frames', 'y', 'i', past_covariates => 'image', horizon => 1, context => 4, options => '{"epochs": 60, "learning_rate": 0.01, "units": 12, "architecture": "gru"}');
SELECT input, lag FROM lstm.explain('image', method => 'gradients') WHERE importance IS NOT NULL ORDER BY abs(importance) DESC LIMIT 1;
SELECT abs(sum(importance) - max(value) FILTER (WHERE input = 'forecast') + max(value) FILTER (WHERE input = 'baseline')) <=
	0.01 * abs(max(value) FILTER (WHERE input = 'forecast') - max(value) FILTER (WHERE input = 'baseline')) AS adds_up FROM lstm.explain('image', method => 'gradients');
SELECT input, share > 0.8 AS most FROM lstm.explain('image') WHERE lag IS NULL ORDER BY share DESC LIMIT 1;
SELECT input, lag FROM lstm.explain('image') WHERE lag IS NOT NULL ORDER BY importance DESC LIMIT 1;
SELECT version FROM lstm.train('seen', 'frames', 'y', 'i', past_covariates => 'image', horizon => 1, context => 4, options => '{"epochs": 2, "layers": [{"type": "conv2d", "units": 4, "inputs": ["image"]},
	{"type": "global_pool", "name": "pool"}, {"type": "last", "name": "seen"}, {"type": "gru", "name": "own", "units": 4, "inputs": ["past"]}, {"type": "fuse", "inputs": ["own", "seen"], "fusion": "weighted"}, {"type": "dense"}]}');
SELECT input, importance BETWEEN 0.01 AND 0.99 AS shared FROM lstm.explain('seen', method => 'fusion') ORDER BY input;
SELECT input, importance FROM lstm.explain('seen', 'SELECT i, y, CASE WHEN i < 390 THEN image END AS image FROM frames', method => 'fusion') ORDER BY input;

-- many series: the neighbours of one are shuffled, and those that say little are one line
CREATE TABLE ring AS SELECT t, s, 3 * noise(t - s) AS y FROM generate_series(1, 200) t, generate_series(1, 30) s;
SELECT version FROM lstm.train('ring', 'SELECT t, s, y FROM ring', time_column => 't', target => 'y', series => 's', horizon => 1, context => 4,
	options => '{"graph": "SELECT s, s + 1 FROM generate_series(1, 29) s", "architecture": "graph_gru", "units": 8, "epochs": 10, "learning_rate": 0.01}');
SELECT string_agg(source_series, ',' ORDER BY importance DESC) AS needed FROM lstm.explain('ring', series => '7') WHERE source_series IS NOT NULL;
SELECT count(*) FILTER (WHERE lag IS NULL AND source_series IS NOT NULL) < 20 AS some, count(*) FILTER (WHERE input = 'other series') AS rest,
	(array_agg(source_series ORDER BY abs(importance) DESC) FILTER (WHERE source_series <> '7'))[1] AS most
FROM lstm.explain('ring', method => 'gradients', series => '7');
-- cells of a grid
CREATE TABLE field AS SELECT t, r * 10 + c AS cell, r, c, 3 * noise(t - c + 100 * r) AS y FROM generate_series(1, 150) t, generate_series(1, 4) r, generate_series(1, 5) c;
SELECT version FROM lstm.train('field', 'SELECT t, cell, r, c, y FROM field', time_column => 't', target => 'y', series => 'cell', horizon => 1, context => 4,
	options => '{"grid": "r, c", "architecture": "conv_gru", "units": 6, "epochs": 10, "learning_rate": 0.01}');
SELECT count(*) AS around, (array_agg(source_series ORDER BY importance DESC))[1] AS most FROM lstm.explain('field', series => '23') WHERE source_series IS NOT NULL;
SELECT (array_agg(source_series ORDER BY abs(importance) DESC))[1] IN ('22', '23') AS upstream FROM lstm.explain('field', method => 'gradients', series => '23') WHERE source_series IS NOT NULL;

-- what cannot be
\pset format unaligned
\pset tuples_only on
SELECT query || E'\n  ' || error_of('SELECT * FROM lstm.explain(' || query || ')') FROM (VALUES ($$'flow', method => 'fusion'$$), ($$'flow', method => 'attention'$$),
	($$'flow', series => 'e'$$), ($$'flow', 'SELECT * FROM flow WHERE t < 4', 'gradients', series => 'b'$$), ($$'flow', 'SELECT t, id || 1 AS id, y FROM flow'$$)) AS v(query);
SELECT error_of($$SELECT lstm.train('adaptive', 'SELECT t, id, y FROM flow', time_column => 't', target => 'y', options => '{"graph": "edge", "calibration": "adaptive"}')$$);
\pset format aligned
\pset tuples_only off
SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
DROP TABLE flow, edge, made, importance, wild, rich, gaps, frames, ring, field;
DROP FUNCTION noise, error_of, holds;
