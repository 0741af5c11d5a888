-- each.sql
--		One model per series of "observed", by the options in "recipe", and its network
--		alone where it has other members; other methods beside it, in R where it is.
--
-- psql variable "name": the data set.  A model has the name of its series.
--
-- Days that a file leaves out (the last of leap years, in temperatures) are steps, too: a model
-- forecasts "ahead" steps of the calendar, of which "horizon" are rows of the test part.
CREATE VIEW task AS
SELECT o.series, o.season, p.n, count(*)::int AS horizon,
	CASE WHEN o.season IN (7, 365) THEN max(o.at)::date - (SELECT max(at)::date FROM train_row AS l WHERE l.series = o.series) ELSE count(*) END AS ahead,
	format('SELECT at::date AS at, value FROM observed WHERE series = %L AND step IS NULL', o.series) AS source
FROM test_row AS o JOIN past AS p USING (series) GROUP BY o.series, o.season, p.n;

CALL naive_forecasts();
SELECT format('CALL classical_scores(%L, %L, %s, %s)', format('SELECT place, value FROM all_row WHERE series = %L', series), series, horizon, season)
FROM task ORDER BY series \gexec
\copy (SELECT o.series, season, (SELECT count(*) FROM test_row AS t WHERE t.series = o.series), value FROM observed AS o WHERE step IS NULL ORDER BY series, t) TO PROGRAM 'cat > "$WORK/$NAME.csv"' (FORMAT csv)
\copy forecast FROM PROGRAM 'eval "$CLASSICAL"' (FORMAT csv)

SELECT format('INSERT INTO training SELECT * FROM lstm.train(%L, %L, horizon => %s, options => recipe(%L))', series, source, ahead, :'recipe')
FROM task ORDER BY series \gexec
SELECT format('INSERT INTO training SELECT * FROM lstm.train(%L, %L, horizon => %s, options => alone(%L))', series || ' network', source, ahead, :'recipe')
FROM task WHERE NOT is_network_alone(series) ORDER BY series \gexec
SELECT format('CALL model_forecasts(''model'', %1$L, %1$L)', series), format('CALL model_bounds(%1$L, %1$L)', series),
	format('CALL model_forecasts(''network'', %L, %L)', CASE WHEN is_network_alone(series) THEN series ELSE series || ' network' END, series)
FROM task ORDER BY series \gexec
CALL count_intervals(:'name');

-- The figure of each method, one row per series.
CREATE VIEW compared AS
SELECT series, method, mae, rmse, mase FROM score UNION ALL SELECT series, method, mae, rmse, mase FROM classical;
CREATE VIEW weights AS
SELECT t.series, string_agg(format('%s %s', m.member, r(m.weight, 2)), ', ' ORDER BY m.weight DESC, m.member) AS members
FROM task AS t, LATERAL members(t.series) AS m GROUP BY t.series;
