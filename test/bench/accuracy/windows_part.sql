-- windows_part.sql
--		One horizon of etth1.sql or ili.sql: trains on "training_row", forecasts every
--		window of the test part.
--
-- psql variables "name", "model", "recipe", "targets", "context", "horizon", "season" (of
-- the seasonal naive forecast).
SELECT :'model' || ' network' AS network, min(level) AS least FROM level \gset
INSERT INTO training SELECT * FROM lstm.train(:'model', 'training_row', target => :'targets', horizon => :horizon, context => :context, options => recipe(:'recipe'));
SELECT is_network_alone(:'model') AS alone \gset
-- From so many rows before the test part that the first window begins with it.
SELECT format('SELECT at, %s FROM scaled WHERE i >= %s AND i <= %s', :'targets',
	first - (d->>'context')::int - coalesce((d->'options'->>'difference')::int, 0), last) AS source
FROM part, lstm.describe(:'model') AS d \gset
CALL naive_windows(:'name', 'naive', :horizon, 1);
CALL naive_windows(:'name', 'seasonal naive', :horizon, :season);
CALL classical_windows(:'name', :'model', :'source');
SELECT format('CALL model_windows(%L, %L, %L, %L, %s, %s)', :'name', 'model', :'model', :'source', :horizon, level) FROM level ORDER BY level \gexec
\if :alone
INSERT INTO window_score SELECT data, 'network', target, step, n, se, ae FROM window_score WHERE data = :'name' AND method = 'model';
\else
INSERT INTO training SELECT * FROM lstm.train(:'network', 'training_row', target => :'targets', horizon => :horizon, context => :context, options => alone(:'recipe'));
CALL model_windows(:'name', 'network', :'network', :'source', :horizon, :least);
\endif

\echo
\echo :title
\echo
SELECT method, r(mse) AS "MSE", r(mae) AS "MAE", windows FROM window_table WHERE data = :'name' ORDER BY window_table.mse;
SELECT member, r(weight) AS weight, r(validation_mae) AS "validation MAE" FROM members(:'model') ORDER BY weight DESC, member;
SELECT level, method, "coverage, %", "worst step off by, points", "Winkler score" FROM interval_table WHERE data = :'name';
SELECT model, parameters, epochs, r(skill) AS skill, r(seconds, 1) AS seconds FROM training WHERE model IN (:'model', :'network');
