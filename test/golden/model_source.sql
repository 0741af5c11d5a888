-- model_source.sql
--		The rows that the models of make_model.sql were trained on, and those that
--		format.pl forecasts from.  Formulas only; never change them.

-- One value and a covariate by integers, with gaps and outliers.
CREATE TABLE golden_plain AS
SELECT t,
	CASE WHEN t % 17 = 3 THEN NULL WHEN t % 41 = 7 THEN 60 ELSE 10 + 4 * sin(t / 3.0) + (t * 7 % 11) / 10.0 END::float8 AS y,
	CASE WHEN t % 23 <> 5 THEN cos(t / 3.0) END::float8 AS x
FROM generate_series(1, 240) t;

-- Series of two columns over days of a clock that is put back and forth, with a
-- known future and a static covariate.
CREATE TABLE golden_series AS
SELECT (timestamp '2021-01-01 06:00' + d * interval '1 day') AT TIME ZONE 'Europe/Dublin' AS ts, area, kind,
	CASE WHEN d < 400 THEN size * (20 + 5 * sin(d / 9.0 + size) + (d % 7) / 2.0) END::float8 AS load,
	(d % 7)::float8 AS weekday, size::float8 AS size
FROM generate_series(0, 405) d, (VALUES ('north', 'a', 1), ('north', 'b', 3), ('s"outh', 'a', 10)) s (area, kind, size);

-- Two targets by month.
CREATE TABLE golden_months AS
SELECT (date '2001-01-31' + m * interval '1 month')::date AS month,
	(100 + m + 20 * sin(m * pi() / 6))::float8 AS sold, (50 + m % 12)::float8 AS "Back Orders"
FROM generate_series(0, 179) m;

-- The known rows of the series, less regular, and a word for each.
CREATE TABLE golden_joint AS
SELECT ts, area, kind, load * (1 + (extract(day FROM ts)::int * extract(month FROM ts)::int * 37 % 101) / 100.0) AS load, CASE WHEN area = 'north' THEN 'cold' ELSE 'warm' END AS climate FROM golden_series WHERE load IS NOT NULL;
