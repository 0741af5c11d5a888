-- disease.sql
--		Influenza, four weeks ahead: the size of the wave, and the chance that it passes a threshold.
--
-- With DATA: share of visits to doctors in the United States that are for influenza-like illness,
-- weekly, 2002 to 2020 (CDC, ILINet). Without: three regions with a wave each winter, of which
-- size and week differ from year to year and are the same in all regions, with some weeks between.
--
-- One model, which is chosen from the rows as by the default call. Waves grow by factors, so it works
-- on logarithms; and sizes change from year to year, so intervals go on learning. The last four
-- years are judged; with DATA three, as 2020 began with an illness that no past knew. The threshold
-- is the level that one week in ten of the past was above.
\set scenario disease
\ir common.sql
CREATE TABLE visit (region text, week date, percent float8);
\if :has_data
CREATE TABLE loaded (week timestamp, percent float8);
\copy loaded FROM PROGRAM '"${LOAD:-docs/scenarios/load.py}" illness' (FORMAT csv)
INSERT INTO visit SELECT 'US', week, percent FROM loaded WHERE week < '2020-01-01';
\set years 3
\else
\set years 4
INSERT INTO visit
SELECT to_char(region, 'FM"region "0'), date '2004-07-05' + week * 7,
	(1 + 6 * chance(year || ' size') * exp(-0.5 * ((week - 52 * year - 26 - 3 * region - 16 * (chance(year || ' when') - 0.5)) / 4) ^ 2))
	* exp(0.06 * noise(region || ' ' || week))
FROM generate_series(0, 831) AS week, LATERAL (SELECT week / 52 AS year) AS y, generate_series(0, 2) AS region;
\endif
SELECT (max(week) - :years * interval '364 days')::date AS cut FROM visit \gset
CREATE VIEW past AS SELECT * FROM visit WHERE week < :'cut';
SELECT percentile_cont(0.9) WITHIN GROUP (ORDER BY percent) AS threshold FROM past \gset
ANALYZE;

CREATE TABLE training AS
SELECT * FROM lstm.train('scenario disease', 'SELECT * FROM past', target => 'percent', time_column => 'week', series => 'region', horizon => 4,
	options => '{"bounds": [0, null], "scaling": "log1p", "calibration": "adaptive"}');

CREATE TABLE hindcast AS
SELECT * FROM lstm.hindcast('scenario disease', 'SELECT * FROM visit', confidence_level => 0.9) WHERE issued_at >= :'cut' AND actual IS NOT NULL;
INSERT INTO error SELECT series, 'model', step, forecast_value - actual FROM hindcast;
-- The same weeks by simple methods: the week of the origin, the same week last year, the mean of these weeks of the past.
INSERT INTO error
SELECT h.series, m.method, h.step, m.value - h.actual
FROM hindcast AS h,
	LATERAL (SELECT v.percent FROM visit AS v WHERE v.region = h.series AND v.week = h.issued_at::date) AS now,
	LATERAL (SELECT v.percent FROM visit AS v WHERE v.region = h.series AND v.week = h.forecast_timestamp::date - 364) AS year,
	LATERAL (SELECT avg(v.percent) AS percent FROM past AS v WHERE v.region = h.series
		AND (h.forecast_timestamp::date - v.week) % 364 IN (-7, 0, 7)) AS mean,
	LATERAL (VALUES ('persistence', now.percent), ('the same week last year', year.percent), ('climatology', mean.percent)) AS m (method, value);

-- Chances four weeks ahead, beside how often such weeks of the past were above the threshold.
CREATE TABLE warning AS
SELECT e.series, e.forecast_timestamp, e.probability, (v.percent > :threshold)::int AS happened, c.share
FROM (SELECT DISTINCT issued_at FROM hindcast WHERE step = 4) AS o,
	LATERAL lstm.exceedance('scenario disease', :threshold, source => 'SELECT * FROM visit', as_of => o.issued_at) AS e
	JOIN visit AS v ON v.region = e.series AND v.week = e.forecast_timestamp::date,
	LATERAL (SELECT avg((p.percent > :threshold)::int) AS share FROM past AS p WHERE p.region = e.series
		AND (v.week - p.week) % 364 IN (-7, 0, 7)) AS c
WHERE e.step = 4;

\echo 'Weeks above the threshold, foreseen four weeks before'
SELECT r(:threshold) AS "threshold, %", count(*) AS weeks, sum(happened) AS above, count(*) FILTER (WHERE probability >= 0.5) AS warned,
	count(*) FILTER (WHERE probability >= 0.5 AND happened = 1) AS "warned and above", r(avg((probability - happened) ^ 2), 3) AS "Brier score",
	r(avg((share - happened) ^ 2), 3) AS "of climatology" FROM warning;
\echo 'Intervals of 90 %: so many of 100 held, by weeks ahead'
SELECT step, r(100 * avg((actual BETWEEN prediction_interval_lower_bound AND prediction_interval_upper_bound)::int), 1) AS held
FROM hindcast GROUP BY step ORDER BY step;
\echo 'Share of visits, %, one to four weeks ahead'
SELECT method, r(sqrt(avg(s.rmse ^ 2))) AS "RMSE", r(avg(s.mae)) AS "MAE", (SELECT r(seconds, 1) FROM training WHERE method = 'model') AS "trains in, s"
FROM score AS s GROUP BY method ORDER BY "RMSE";

\if :has_data
\else
DO $$ BEGIN
	IF (SELECT sum(rmse) FROM score WHERE method = 'model') > 0.9 * (SELECT min(rmse) FROM (SELECT sum(rmse) AS rmse FROM score WHERE method <> 'model' GROUP BY method) AS s) THEN
		RAISE EXCEPTION 'the model does not beat the simple methods where it must';
	END IF;
	IF (SELECT avg((probability - happened) ^ 2) > avg((share - happened) ^ 2) FROM warning) THEN
		RAISE EXCEPTION 'the warnings are worse than climatology';
	END IF;
END $$;
\endif
