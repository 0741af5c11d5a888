-- common.sql
--		What the benchmarks of space share, beside those of accuracy.
\ir ../accuracy/common.sql
CREATE EXTENSION IF NOT EXISTS postgis;
CREATE EXTENSION lstm_postgis;

-- One line per trained model: how far its forecasts of the test part are off.
CREATE TABLE score (data text, method text, seed int, step text, rmse float8, mae float8, seconds float8);

CREATE FUNCTION median_rmse(data text, method text, step text DEFAULT 'all') RETURNS float8 LANGUAGE sql STABLE AS $$
SELECT percentile_cont(0.5) WITHIN GROUP (ORDER BY rmse) FROM score AS s
WHERE s.data = median_rmse.data AND s.method = median_rmse.method AND s.step = median_rmse.step $$;

CREATE VIEW score_table AS
SELECT data, method, step AS steps, count(seed) AS seeds, r(percentile_cont(0.5) WITHIN GROUP (ORDER BY rmse)) AS "RMSE, median",
	r(min(rmse)) AS least, r(max(rmse)) AS greatest, r(percentile_cont(0.5) WITHIN GROUP (ORDER BY mae)) AS "MAE, median",
	r(percentile_cont(0.5) WITHIN GROUP (ORDER BY seconds), 1) AS "trains in, s"
FROM score GROUP BY data, method, step;

-- Trains one model; the row of lstm.train goes into "training".
CREATE PROCEDURE fit(model text, source text, horizon int, context int, options jsonb, target text DEFAULT NULL,
	time_column text DEFAULT NULL, series text DEFAULT NULL, geom text DEFAULT NULL, past text DEFAULT NULL, future text DEFAULT NULL,
	statics text DEFAULT NULL) LANGUAGE sql AS $$
INSERT INTO training SELECT t.* FROM lstm.train(fit.model, fit.source, target => fit.target, time_column => fit.time_column, series => fit.series,
	horizon => fit.horizon, context => fit.context, geom => fit.geom, past_covariates => fit.past, future_covariates => fit.future,
	static_covariates => fit.statics, options => fit.options) AS t $$;
CREATE FUNCTION seconds_of(model text) RETURNS float8 LANGUAGE sql STABLE AS $$
SELECT t.seconds FROM training AS t WHERE t.model = seconds_of.model ORDER BY t.version DESC LIMIT 1 $$;
