/* ------------------------------------------------------------------------
 * Train and forecast
 */

CREATE FUNCTION lstm.train(
	model				text,
	source				text,
	target				text DEFAULT NULL,
	time_column			text DEFAULT NULL,
	series				text DEFAULT NULL,
	horizon				int DEFAULT NULL,
	context				int DEFAULT NULL,
	past_covariates		text DEFAULT NULL,
	future_covariates	text DEFAULT NULL,
	static_covariates	text DEFAULT NULL,
	geom				text DEFAULT NULL,
	options				jsonb DEFAULT NULL,
	OUT model			text,
	OUT version			int,
	OUT parameters		bigint,
	OUT epochs			int,
	OUT train_loss		float8,
	OUT validation_loss	float8,
	OUT baseline_loss	float8,
	OUT skill			float8,
	OUT seconds			float8)
	AS 'MODULE_PATHNAME', 'lstm_train' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lstm.train(text, text, text, text, text, int, int, text, text, text, text, jsonb) IS
'trains a network on the rows of source (a table, a view or one SELECT, run with the caller''s rights) and keeps it as the next version of model.
target, series and the covariates are column lists as in SQL; columns left out are found by their types.
horizon: steps to forecast (1); context: steps looked back on; options: settings in the words of Keras, an unknown key is an error.
Returns one row: losses of the kept weights, baseline_loss of the (seasonal) naive forecast, skill = 1 - MAE / its MAE on the validation rows, seconds of wall time.
Backpropagation through time (Werbos 1990) of LSTM (Hochreiter and Schmidhuber 1997), GRU (Cho et al. 2014) or simple recurrent layers.
Errors: 22004 NULL name or source, 42703 and 42702 columns, 22023 options, 22000 rows that cannot be used, 42710 the name is another role''s, 53200 above lstm.max_memory.';

CREATE FUNCTION lstm.forecast(
	model				text,
	horizon				int DEFAULT NULL,
	confidence_level	float8 DEFAULT 0.95,
	source				text DEFAULT NULL,
	future				text DEFAULT NULL,
	as_of				timestamptz DEFAULT NULL,
	version				int DEFAULT NULL)
	RETURNS TABLE (
		series				text,
		target				text,
		step				int,
		forecast_timestamp	timestamptz,
		forecast_index		bigint,
		forecast_value		float8,
		confidence_level	float8,
		prediction_interval_lower_bound	float8,
		prediction_interval_upper_bound	float8,
		series_key			jsonb)
	AS 'MODULE_PATHNAME', 'lstm_forecast' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION lstm.forecast(text, int, float8, text, text, timestamptz, int) IS
'forecasts every series of a model, in the targets'' own units, steps 1 to horizon (the trained one) after the newest rows.
confidence_level: of the interval, between 0 and 1; bounds are NULL when the model has no interval: no validation part, or no calibration and another loss than quantile, gaussian and student_t.
source: rows to look back on instead of the model''s own; future: rows with the future covariates; as_of: use no later row.
forecast_index is the time with an integer time column, forecast_timestamp otherwise.
Errors: 22004 NULL model, 42704 no such model or version, 22023 horizon or confidence_level, 22000 too few rows or missing future covariates.';

CREATE FUNCTION lstm.hindcast(
	model				text,
	source				text DEFAULT NULL,
	horizon				int DEFAULT NULL,
	stride				int DEFAULT 1,
	confidence_level	float8 DEFAULT 0.95,
	version				int DEFAULT NULL)
	RETURNS TABLE (
		series				text,
		target				text,
		issued_at			timestamptz,
		step				int,
		forecast_timestamp	timestamptz,
		forecast_index		bigint,
		forecast_value		float8,
		prediction_interval_lower_bound	float8,
		prediction_interval_upper_bound	float8,
		actual				float8)
	AS 'MODULE_PATHNAME', 'lstm_hindcast' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION lstm.hindcast(text, text, int, int, float8, int) IS
'the forecasts that the model would have issued from every stride-th row with enough rows before it, beside what came; one row per origin and step.
issued_at is the origin, the last row the forecast knows; NULL with an integer time column, where it is forecast_index - step times the frequency.
Errors as of lstm.forecast.';

CREATE FUNCTION lstm.evaluate(
	model				text,
	source				text DEFAULT NULL,
	horizon				int DEFAULT NULL,
	stride				int DEFAULT 1,
	baseline			text DEFAULT 'auto',
	version				int DEFAULT NULL,
	confidence_level	float8 DEFAULT 0.95,
	by_step				boolean DEFAULT false)
	RETURNS TABLE (
		level				text,
		series				text,
		target				text,
		n					bigint,
		mae					float8,
		mse					float8,
		rmse				float8,
		mape				float8,
		smape				float8,
		mase				float8,
		coverage			float8,
		baseline_mae		float8,
		baseline_rmse		float8,
		skill				float8,
		rmsse				float8,
		pinball				float8,
		crps				float8,
		winkler				float8,
		step				int)
	AS 'MODULE_PATHNAME', 'lstm_evaluate' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION lstm.evaluate(text, text, int, int, text, int, float8, boolean) IS
'errors of the forecasts of lstm.hindcast in original units, by series, by target, over all and, with by_step, by step of the horizon (level).
n counts pairs of origin and step with an actual; skill = 1 - mae / baseline_mae; mase and rmsse are scaled by the seasonal naive errors (Hyndman and Koehler 2006; Makridakis et al. 2022).
coverage and winkler are of the interval of confidence_level (Winkler 1972); pinball is the mean loss of the deciles 0.1 to 0.9, crps twice that. NULL without intervals.
baseline: auto (seasonal naive where the series has a season, else naive), naive, seasonal_naive, mean, drift, holt_winters, holt_winters_multiplicative, holt_winters_damped, holt_winters_multiplicative_damped, theta or ar, fitted to rows before the origins.
Errors as of lstm.forecast; 22023 unknown baseline; 22004 NULL by_step.';

CREATE FUNCTION lstm.backtest(
	source				text,
	target				text DEFAULT NULL,
	time_column			text DEFAULT NULL,
	series				text DEFAULT NULL,
	horizon				int DEFAULT NULL,
	context				int DEFAULT NULL,
	past_covariates		text DEFAULT NULL,
	future_covariates	text DEFAULT NULL,
	static_covariates	text DEFAULT NULL,
	geom				text DEFAULT NULL,
	options				jsonb DEFAULT NULL,
	folds				int DEFAULT 3,
	stride				int DEFAULT NULL,
	gap					int DEFAULT 0,
	expanding			boolean DEFAULT true,
	confidence_level	float8 DEFAULT 0.95)
	RETURNS TABLE (
		method				text,
		fold				int,
		n					bigint,
		mae					float8,
		mse					float8,
		rmse				float8,
		mape				float8,
		smape				float8,
		mase				float8,
		rmsse				float8,
		coverage			float8,
		winkler				float8,
		crps				float8,
		skill				float8,
		cut					timestamptz,
		cut_index			bigint,
		train_rows			bigint)
	AS 'MODULE_PATHNAME', 'lstm_backtest' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lstm.backtest(text, text, text, text, int, int, text, text, text, text, jsonb, int, int, int, boolean, float8) IS
'trains a model on the rows before each of several cuts and judges it on the horizon steps from the cut on, beside classical methods on the same rows (rolling origin, Tashman 2000); stores nothing.
Arguments up to options as of lstm.train; folds: cuts, the last one horizon rows before the end; stride: steps between two (horizon); gap: rows before a cut that nothing is trained on; expanding: trains on all rows before, else on as many as in the first fold; confidence_level: of coverage and winkler.
One row per method and fold, and one over all folds (fold NULL). method: network (alone), model (with its simple members, where it has any), naive, seasonal_naive, drift, mean, holt_winters (the variant that forecast the end of the training rows best), theta, ar.
cut (cut_index with an integer time column): time of the first row judged; train_rows: rows of all series trained on; metrics as of lstm.evaluate, skill against the seasonal naive, or naive, method.
Errors as of lstm.train; 22000 the folds do not fit; 22023 folds, stride or gap.';

CREATE PROCEDURE lstm.tune(
	model				text,
	source				text,
	target				text DEFAULT NULL,
	time_column			text DEFAULT NULL,
	series				text DEFAULT NULL,
	horizon				int DEFAULT NULL,
	context				int DEFAULT NULL,
	past_covariates		text DEFAULT NULL,
	future_covariates	text DEFAULT NULL,
	static_covariates	text DEFAULT NULL,
	geom				text DEFAULT NULL,
	options				jsonb DEFAULT NULL,
	search				jsonb DEFAULT NULL,
	trials				int DEFAULT 20,
	seconds				int DEFAULT NULL,
	method				text DEFAULT 'random',
	folds				int DEFAULT 3)
	AS 'MODULE_PATHNAME', 'lstm_tune' LANGUAGE C;
COMMENT ON PROCEDURE lstm.tune(text, text, text, text, text, int, int, text, text, text, text, jsonb, jsonb, int, int, text, int) IS
'tries options on the past, as lstm.backtest judges them, commits every trial to lstm.trials, and trains a version of model with the best.
Arguments up to options as of lstm.train; search: an object from options (and "context") to arrays of values or {"min", "max", "log"}; trials: at most; seconds: none begins later; folds: cuts that each is judged at, a horizon apart.
method: random (drawn by the seed in options), grid (every combination of arrays) or halving (drawn; a quarter of the epochs, the better half with half of them, the better half of those with all; Jamieson and Talwalkar 2016).
A trial that fails is recorded with its error.  Cannot run in a transaction block.
Errors as of lstm.backtest; 22004 NULL search; 22023 search, trials, seconds or method; 25001 inside a transaction block; 22000 all trials failed.';

CREATE FUNCTION lstm.join_models(
	model				text,
	seq_model			text,
	space_model			text,
	others				text[] DEFAULT '{}',
	source				text DEFAULT NULL,
	options				jsonb DEFAULT NULL,
	OUT model			text,
	OUT version			int,
	OUT b				float8,
	OUT weights			jsonb,
	OUT validation_mae	float8,
	OUT member_mae		jsonb,
	OUT skill			float8,
	OUT rows			bigint)
	AS 'MODULE_PATHNAME', 'lstm_join_models' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lstm.join_models(text, text, text, text[], text, jsonb) IS
'joins the deployed versions of models that were trained apart: y = b y_seq + (1 - b) y_space + sum of w_k y_k over others, b between 0 and 1, w_k of either sign.
Weights and intervals are fitted by least squares to forecasts of times that no member was trained on, joined by series, target and time; weights: {model: weight}, rows: values judged, skill = 1 - validation_mae / that of the better of the first two.
source: rows that all members look back on, kept; NULL: each its own.  options: horizon (the members'' shortest), stride (1) between origins, from and to (times judged), deploy (true).
Keeps a version of model that refers to its members: they forecast with the rights of who asks.  lstm.forecast, hindcast, evaluate, exceedance and describe take it.
Errors as of lstm.forecast; 22004 NULL, 22023 a model named twice, kinds of time, frequencies or targets that differ, options, 0A000 a joint model as member, 22000 fewer than 20 values to judge, or 10 for each member.';

