-- common.sql
--		What the accuracy benchmarks share: tables, metrics, intervals, the summary.
--
-- Included by each of them in a fresh database.  They print tables in Markdown (the
-- psql settings below) and put what is judged into "result".
\set ON_ERROR_STOP on
\set QUIET on
\pset footer off
\pset border 2
\pset null ''
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION lstm;
SET lstm.progress = 0;

-- What is judged: the figure must be on that side of "must"; "aim" is further.
CREATE TABLE result (
	place	int GENERATED ALWAYS AS IDENTITY,
	data	text,
	figure	text,
	value	numeric,
	side	text,				-- '<', '<=', '>='; NULL: met says it
	must	numeric,
	aim		numeric,
	met		bool
);
CREATE FUNCTION judge(data text, figure text, value numeric, side text, must numeric, aim numeric DEFAULT NULL) RETURNS void LANGUAGE sql
BEGIN ATOMIC
	INSERT INTO result (data, figure, value, side, must, aim) VALUES (data, figure, value, side, must, aim);
END;
CREATE FUNCTION on_side(value numeric, side text, bound numeric) RETURNS bool LANGUAGE sql IMMUTABLE
RETURN CASE side WHEN '<' THEN value < bound WHEN '<=' THEN value <= bound WHEN '>=' THEN value >= bound END;

-- Rounded for a table: so many digits after the point.
CREATE FUNCTION r(x float8, digits int DEFAULT 3) RETURNS numeric LANGUAGE sql IMMUTABLE RETURN round(x::numeric, digits);

-- Rows of lstm.train, one for each training.
CREATE TABLE training (model text, version int, parameters bigint, epochs int, train_loss float8,
	validation_loss float8, baseline_loss float8, skill float8, seconds float8);

-- The options of a recipe ('' is the default call: none at all), and those of its network alone.
CREATE FUNCTION recipe(options text) RETURNS jsonb LANGUAGE sql IMMUTABLE RETURN nullif(options, '')::jsonb;
CREATE FUNCTION alone(options text) RETURNS jsonb LANGUAGE sql IMMUTABLE
RETURN coalesce(nullif(options, '')::jsonb, '{}') || '{"members": ["network"]}';

-- Who speaks in a model's forecasts.
CREATE FUNCTION members(model text) RETURNS TABLE (member text, weight float8, validation_mae float8) LANGUAGE sql AS $$
SELECT m->>'name', (m->>'weight')::float8, (m->>'mae')::float8
FROM jsonb_array_elements(lstm.describe(model)->'members') AS m $$;
-- Several networks of one model are the network; what is added to them are members of other kinds.
CREATE FUNCTION is_network_alone(model text) RETURNS bool LANGUAGE sql RETURN NOT EXISTS (SELECT FROM members(model) WHERE member <> 'network');

-- Winkler 1972: the width, and 2 / (1 - level) times the distance of an actual outside.
CREATE FUNCTION winkler(actual float8, lower float8, upper float8, level float8) RETURNS float8 LANGUAGE sql IMMUTABLE
RETURN upper - lower + 2 / (1 - level) * greatest(lower - actual, actual - upper, 0);

CREATE TABLE level (level float8);
INSERT INTO level VALUES (0.8), (0.9), (0.95);

-- By level, target or series and step, in what units the benchmark says: how many actuals the
-- intervals were asked for, how many they held, the sum of their Winkler scores.
CREATE TABLE interval_step (data text, method text, level float8, step int, n bigint, held bigint, winkler float8);
CREATE VIEW interval_score AS
SELECT data, method, level, sum(held) / sum(n) AS coverage, sum(winkler) / sum(n) AS winkler,
	max(deviation) AS worst_step_points
FROM (SELECT *, 100 * abs(held::float8 / n - level) AS deviation FROM interval_step) AS s
GROUP BY data, method, level;
CREATE VIEW interval_table AS
SELECT data, method, level, r(100 * coverage, 1) AS "coverage, %", r(worst_step_points, 1) AS "worst step off by, points",
	r(winkler) AS "Winkler score"
FROM interval_score ORDER BY data, level, method;

-- Judges the intervals of "model", the worst of the three levels: points off over all steps and
-- at one step, and the Winkler score against that of the best constant width.
CREATE FUNCTION judge_intervals(data text, points numeric) RETURNS void LANGUAGE sql AS $$
INSERT INTO result (data, figure, value, side, must, aim)
SELECT judge_intervals.data, f.figure, f.value, f.side, f.must, f.aim
FROM (SELECT max(100 * abs(m.coverage - m.level)) AS off, max(m.worst_step_points) AS worst, max(m.winkler / c.winkler) AS ratio
	FROM interval_score AS m,
		LATERAL (SELECT min(c.winkler) AS winkler FROM interval_score AS c WHERE c.data = m.data AND c.level = m.level AND c.method <> 'model') AS c
	WHERE m.data = judge_intervals.data AND m.method = 'model') AS s,
	LATERAL (VALUES
		('intervals: coverage off by, points', r(off, 1), '<=', points, 2.0),
		('intervals: worst step off by, points', r(worst, 1), '<=', 10, NULL),
		('intervals: Winkler score over that of constant width', r(ratio), '<', 1, NULL)) AS f (figure, value, side, must, aim) $$;
