-- tourism_part.sql
--		One period of tourism.sql: psql variables "period", "season" and "horizon".
SET search_path = public;
SELECT format('CREATE SCHEMA %1$I; SET search_path = %1$I, public', :'period') \gexec
\ir single.sql
SELECT 'tourism ' || :'period' AS name \gset
\setenv NAME :name
INSERT INTO observed
SELECT series, :season, t + 1, CASE WHEN part = 'test' THEN t - n + 1 END,
	make_timestamp(floor(year + 0.01)::int, 1 + 12 / :season * round((year - floor(year + 0.01)) * :season)::int, 1, 0, 0, 0), value
FROM (SELECT *, count(*) FILTER (WHERE part = 'train') OVER (PARTITION BY series) AS n FROM loaded WHERE period = :'period') AS l;
ANALYZE observed;
CALL naive_forecasts();
CALL classical_scores('SELECT series, place, value FROM all_row', NULL, :horizon, :season);
\copy (SELECT series, season, (SELECT max(step) FROM test_row), value FROM observed WHERE step IS NULL ORDER BY series, t) TO PROGRAM 'cat > "$WORK/$NAME.csv"' (FORMAT csv)
\copy forecast FROM PROGRAM 'eval "$CLASSICAL_SLOW"' (FORMAT csv)

INSERT INTO training SELECT * FROM lstm.train(:'name', 'SELECT series, at::date AS at, value FROM train_row', horizon => :horizon, options => recipe(:'recipe'));
SELECT is_network_alone(:'name') AS alone, :'name' || ' network' AS network \gset
CALL model_forecasts('model', :'name');
CALL model_bounds(:'name');
\if :alone
INSERT INTO forecast SELECT 'network', series, step, value FROM forecast WHERE method = 'model';
\else
INSERT INTO training SELECT * FROM lstm.train(:'network', 'SELECT series, at::date AS at, value FROM train_row', horizon => :horizon, options => alone(:'recipe'));
CALL model_forecasts('network', :'network');
\endif
CALL count_intervals(:'name');

CREATE VIEW overall AS
SELECT method, avg(mase) AS mase, avg(smape) AS smape, count(*) AS n FROM score GROUP BY method
UNION ALL SELECT method, mase, smape, NULL FROM classical;
\echo
\echo Tourism :period, :horizon steps (published: seasonal naive 1.631 monthly, 1.699 quarterly)
\echo
SELECT method, r(mase) AS "MASE", r(smape) AS "sMAPE", n AS series FROM overall ORDER BY overall.mase;
SELECT member, r(weight) AS weight, r(validation_mae) AS "validation MAE" FROM members(:'name') ORDER BY weight DESC, member;
\echo Intervals; Winkler scores in units of the denominator of MASE
\echo
SELECT level, method, "coverage, %", "worst step off by, points", "Winkler score" FROM interval_table WHERE data = :'name';
SELECT model, parameters, epochs, r(skill) AS skill, r(seconds, 1) AS seconds FROM training WHERE model IN (:'name', :'network');

SELECT judge(:'name', 'MASE', r((SELECT mase FROM overall WHERE method = 'model')), '<',
		r((SELECT mase FROM overall WHERE method = 'seasonal naive')), r((SELECT 1.05 * mase FROM overall WHERE method = 'R ets'))),
	CASE WHEN :'period' = 'monthly' THEN judge_intervals(:'name', 5) END \g /dev/null
