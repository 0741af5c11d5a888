-- common.sql
--		What the scenarios share; each of them includes it.
--
-- Needs :scenario, the name. Leaves a schema scenario_NAME, made anew and first in the
-- search_path, and no model whose name begins with "scenario NAME"; :has_data says whether the
-- environment names a folder of public data (DATA).
\set ON_ERROR_STOP on
\set QUIET on
\pset footer off
\pset null '-'
SET client_min_messages = warning;
SET timezone = 'UTC';
CREATE EXTENSION IF NOT EXISTS lstm;
SET lstm.progress = 0;
\set data `echo "${DATA:-}"`
SELECT :'data' <> '' AS has_data, 'scenario_' || :'scenario' AS schema \gset
SELECT 'scenario ' || :'scenario' || '%' AS ours \gset
SELECT lstm.drop_model(name) FROM (SELECT DISTINCT name FROM lstm.models WHERE name LIKE :'ours') AS m \g /dev/null
DROP SCHEMA IF EXISTS :"schema" CASCADE;
CREATE SCHEMA :"schema";
SELECT set_config('search_path', format('%I, %s', :'schema', current_setting('search_path')), false) \g /dev/null

-- A number between 0 and 1 for each name, the same everywhere; and one of a normal distribution
-- (Box and Muller 1958).
CREATE FUNCTION chance(name text) RETURNS float8 LANGUAGE sql IMMUTABLE
RETURN (('x' || left(md5(name), 12))::bit(48)::bigint + 0.5) / 2.0 ^ 48;
CREATE FUNCTION noise(name text) RETURNS float8 LANGUAGE sql IMMUTABLE
RETURN sqrt(-2 * ln(chance(name || ' a'))) * cos(2 * pi() * chance(name || ' b'));

-- Rounded for a table: so many digits after the point.
CREATE FUNCTION r(x float8, digits int DEFAULT 2) RETURNS numeric LANGUAGE sql IMMUTABLE RETURN round(x::numeric, digits);

-- What each method was off by: one row for each value forecast.
CREATE TABLE error (part text, method text, step int, e float8);
CREATE VIEW score AS
SELECT part, method, count(*) AS values, sqrt(avg(e * e)) AS rmse, avg(abs(e)) AS mae FROM error WHERE e IS NOT NULL GROUP BY part, method;
