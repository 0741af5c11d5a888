/* ------------------------------------------------------------------------
 * Trust: what forecasts rest on, where rows leave them, what they stand
 */

CREATE FUNCTION lstm.explain(
	model				text,
	source				text DEFAULT NULL,
	method				text DEFAULT 'permutation',
	horizon				int DEFAULT NULL,
	series				text DEFAULT NULL,
	target				text DEFAULT NULL,
	as_of				timestamptz DEFAULT NULL,
	version				int DEFAULT NULL,
	seed				bigint DEFAULT 0)
	RETURNS TABLE (
		method				text,
		series				text,
		target				text,
		step				int,
		input				text,
		lag					int,
		lags				int,
		importance			float8,
		share				float8,
		value				float8,
		input_timestamp		timestamptz,
		input_index			bigint,
		source_series		text)
	AS 'MODULE_PATHNAME', 'lstm_explain' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION lstm.explain(text, text, text, int, text, text, timestamptz, int, bigint) IS
'what the forecasts of a model rest on.  lag 1 is the newest row, 0 and below are rows ahead; lags: how many rows the line stands for, from lag on.
method ''permutation'': increase of the mean absolute error, in scales of the target, when an input is shuffled among at most 256 windows (Breiman 2001; Fisher et al. 2019), whole (lag NULL) and by blocks of lags; value is the error then.
''gradients'': integrated gradients (Sundararajan et al. 2017) of the newest forecast, or that of as_of, in the target''s units; they add up to the value of line "forecast" less that of "baseline", where every input is at the middle of its scale.
''attention'': weights of the attention layers, means over heads and networks; of graph_attention layers one line per neighbour.
''fusion'': shares of the branches of fuse layers in the newest forecast, or that of as_of; input is layer.branch.
''decomposition'': value, trend, season and remainder of the newest rows and the forecast (step).
source_series: series that the input is of, where a model forecasts several together: another one''s rows are one line, small ones together "other series" (gradients); with series, its neighbours are shuffled one by one as well (permutation).
Errors as of lstm.forecast; 22023 unknown method, series or target, a horizon that the network does not forecast at once (gradients), no attention or fuse layer.';

CREATE FUNCTION lstm.detect_anomalies(
	model				text,
	source				text DEFAULT NULL,
	probability			float8 DEFAULT 0.99,
	horizon				int DEFAULT 1,
	version				int DEFAULT NULL)
	RETURNS TABLE (
		series				text,
		target				text,
		forecast_timestamp	timestamptz,
		forecast_index		bigint,
		actual				float8,
		forecast_value		float8,
		lower_bound			float8,
		upper_bound			float8,
		is_anomaly			boolean,
		anomaly_probability	float8,
		series_key			jsonb)
	AS 'MODULE_PATHNAME', 'lstm_detect_anomalies' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION lstm.detect_anomalies(text, text, float8, int, int) IS
'every known row with enough rows before it, beside the forecast made horizon steps earlier: an anomaly lies outside of the interval of that probability.
anomaly_probability is the share of errors that are expected to be smaller.  In the context of later forecasts an anomaly is replaced by its forecast, unless more than a quarter of the last context (3 rows at least) are anomalies.
Errors as of lstm.forecast; 22023 a probability not between 0 and 1, a model without intervals.';

CREATE FUNCTION lstm.exceedance(
	model				text,
	threshold			float8,
	horizon				int DEFAULT NULL,
	source				text DEFAULT NULL,
	future				text DEFAULT NULL,
	as_of				timestamptz DEFAULT NULL,
	version				int DEFAULT NULL,
	below				boolean DEFAULT false)
	RETURNS TABLE (
		series				text,
		target				text,
		step				int,
		forecast_timestamp	timestamptz,
		forecast_index		bigint,
		threshold			float8,
		forecast_value		float8,
		probability			float8,
		series_key			jsonb)
	AS 'MODULE_PATHNAME', 'lstm_exceedance' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION lstm.exceedance(text, float8, int, text, text, timestamptz, int, boolean) IS
'probability that a value of the next steps lies above threshold (below it, with below), from the intervals of the model.
The line with step NULL is the probability that any step up to horizon does: 1 - product of (1 - probability), which errs on the side of warning where errors of neighbouring steps go together.
Errors as of lstm.forecast; 22004 NULL threshold, 22023 a threshold that is no number, a model without intervals.';

CREATE FUNCTION lstm.robustness(
	model				text,
	source				text DEFAULT NULL,
	horizon				int DEFAULT NULL,
	stride				int DEFAULT NULL,
	seed				bigint DEFAULT 0,
	version				int DEFAULT NULL)
	RETURNS TABLE (
		target				text,
		perturbation		text,
		strength			float8,
		n					bigint,
		mae					float8,
		rmse				float8,
		mae_ratio			float8)
	AS 'MODULE_PATHNAME', 'lstm_robustness' LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION lstm.robustness(text, text, int, int, bigint, int) IS
'errors in original units when the rows a forecast looks back on are disturbed: noise and level_shift of strength scales of a column, missing_block over that share of the context, spikes of strength scales in 5 % of it, gradient_sign: every value moved by strength scales to where the error grows (Goodfellow et al. 2015).
mae_ratio is to the error of perturbation ''clean''.  Every stride-th window, or at most 256 evenly spaced; the same seed disturbs alike.
Errors as of lstm.forecast.';

