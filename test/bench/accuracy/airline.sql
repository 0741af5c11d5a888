-- airline.sql
--		Airline passengers (Box and Jenkins 1976): the last 24 of 144 months, one origin.
--
-- Must: RMSE of the default call below that of seasonal naive and of Holt-Winters at
-- the same origin.  Aim: below R's ets and auto.arima.
\if :{?recipe}
\else
\set recipe ''
\endif
\set name airline
\setenv NAME airline
\ir common.sql
\ir single.sql
CREATE TABLE loaded (series text, season int, at timestamp, value float8);
\copy loaded FROM PROGRAM '"$LOAD" "$NAME"' (FORMAT csv)
INSERT INTO observed
SELECT series, season, t, CASE WHEN t > n - 24 THEN t - (n - 24) END, at, value
FROM (SELECT *, row_number() OVER (ORDER BY at) AS t, count(*) OVER () AS n FROM loaded) AS l;
\ir each.sql

\echo Airline passengers, months 121 to 144 from one origin (thousands)
\echo
SELECT method, r(rmse, 2) AS "RMSE", r(mae, 2) AS "MAE", r(mase) AS "MASE" FROM compared ORDER BY rmse;
SELECT member, r(weight) AS weight, r(validation_mae, 2) AS "validation MAE" FROM members('airline-passengers') ORDER BY weight DESC, member;
SELECT level, method, "coverage, %", "Winkler score" FROM interval_table;
SELECT model, parameters, epochs, r(skill) AS skill, r(seconds, 2) AS seconds FROM training;

SELECT judge('airline', 'RMSE', r((SELECT rmse FROM compared WHERE method = 'model'), 2), '<',
	r((SELECT min(rmse) FROM compared WHERE method IN ('naive', 'seasonal naive', 'Holt-Winters')), 2),
	r((SELECT min(rmse) FROM compared WHERE method IN ('R ets', 'R auto.arima')), 2)) \g /dev/null
