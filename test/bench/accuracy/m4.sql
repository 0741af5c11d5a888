-- m4.sql
--		M4 hourly (Makridakis, Spiliotis and Assimakopoulos 2020): all 414 series in one
--		model, the 48 hours of the test part.
--
-- sMAPE, and MASE scaled by the differences over 24 hours of the training part, both
-- means over series; OWA is the mean of their ratios to the published Naive2, 18.383 and
-- 2.395.  Must: OWA of the network alone below 0.51 (seasonal naive 0.627).  Aim: that of
-- the competition's winner, 0.440 (Smyl 2020).
--
-- The data have no dates: all series end at the same, invented hour.
\if :{?recipe}
\else
\set recipe ''
\endif
\ir common.sql
\ir single.sql
CREATE TABLE loaded (series text, period text, part text, t int, value float8, year float8);
\copy loaded FROM PROGRAM '"$LOAD" m4' (FORMAT csv)
INSERT INTO observed
SELECT series, 24, t, CASE WHEN t > n THEN t - n END, timestamp '2001-01-01' + (t - n) * interval '1 hour', value
FROM (SELECT *, count(*) FILTER (WHERE part = 'train') OVER (PARTITION BY series) AS n FROM loaded) AS l;
ANALYZE observed;
CALL naive_forecasts();
CALL classical_scores('SELECT series, place, value FROM all_row', NULL, 48, 24);

INSERT INTO training SELECT * FROM lstm.train('m4', 'train_row', horizon => 48, options => recipe(:'recipe'));
SELECT is_network_alone('m4') AS alone \gset
CALL model_forecasts('model', 'm4');
CALL model_bounds('m4');
\if :alone
INSERT INTO forecast SELECT 'network', series, step, value FROM forecast WHERE method = 'model';
\else
INSERT INTO training SELECT * FROM lstm.train('m4 network', 'train_row', horizon => 48, options => alone(:'recipe'));
CALL model_forecasts('network', 'm4 network');
\endif
CALL count_intervals('M4 hourly');

CREATE VIEW overall AS
SELECT method, smape, mase, (smape / 18.383 + mase / 2.395) / 2 AS owa, n
FROM (SELECT method, avg(smape) AS smape, avg(mase) AS mase, count(*) AS n FROM score GROUP BY method
	UNION ALL SELECT method, smape, mase, NULL FROM classical) AS s;
\echo M4 hourly, 414 series, 48 hours (published: seasonal naive 13.912 and 1.193, Smyl 9.328 and 0.893)
\echo
SELECT method, r(smape) AS "sMAPE", r(mase) AS "MASE", r(owa) AS "OWA", n AS series FROM overall ORDER BY owa;
SELECT member, r(weight) AS weight, r(validation_mae) AS "validation MAE" FROM members('m4') ORDER BY weight DESC, member;
\echo Intervals; Winkler scores in units of the denominator of MASE
\echo
SELECT level, method, "coverage, %", "worst step off by, points", "Winkler score" FROM interval_table;
SELECT model, parameters, epochs, r(skill) AS skill, r(seconds, 1) AS seconds FROM training;

SELECT judge('M4 hourly', 'OWA of the network alone', r((SELECT owa FROM overall WHERE method = 'network')), '<', 0.51, 0.440),
	judge('M4 hourly', 'OWA of the model', r((SELECT owa FROM overall WHERE method = 'model')), '<', NULL, 0.440),
	judge_intervals('M4 hourly', 5) \g /dev/null
