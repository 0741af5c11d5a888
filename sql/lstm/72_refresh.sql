/* ------------------------------------------------------------------------
 * Forecasts that are kept, and whether a model still fits
 */

CREATE PROCEDURE lstm.refresh_forecasts(
	model				text,
	horizon				int DEFAULT NULL,
	confidence_level	float8 DEFAULT 0.95,
	source				text DEFAULT NULL,
	future				text DEFAULT NULL,
	keep				interval DEFAULT NULL,
	notify_above		float8 DEFAULT NULL,
	notify_below		float8 DEFAULT NULL,
	channel				text DEFAULT 'lstm')
	AS 'MODULE_PATHNAME', 'lstm_refresh_forecasts' LANGUAGE C;
COMMENT ON PROCEDURE lstm.refresh_forecasts(text, int, float8, text, text, interval, float8, float8, text) IS
'forecasts every series with the deployed version into lstm.forecasts, fills in and corrects what came of earlier forecasts, prunes, and says in a NOTICE how many rows it wrote, filled and pruned.
A forecast is written once: from the same origin by the same version again nothing changes, but for another confidence_level, which replaces it, and a longer horizon, which adds to it.
Arguments up to future as of lstm.forecast; keep: forecasts issued longer than that before the newest are pruned (NULL: none).
notify_above, notify_below: NOTIFY channel of the first step of each series and target whose new forecast passes the threshold, unless one stored from the same origin did; the payload is a JSON object with model, series, target, step, forecast_timestamp (or forecast_index), value, threshold, lower, upper.
One transaction; while another session refreshes the same model it does nothing, with a NOTICE.
Errors as of lstm.forecast; 42501 who is neither a member of the model''s owner nor allowed to retrain it, 25006 in a read-only transaction or on a standby, 22023 keep below zero or with an integer time column, thresholds that are no numbers or cross, channel; 22004 NULL channel.';

CREATE FUNCTION lstm.drift(
	model				text,
	source				text DEFAULT NULL,
	window_size			int DEFAULT NULL,
	confidence_level	float8 DEFAULT 0.95,
	version				int DEFAULT NULL)
	RETURNS TABLE (
		target				text,
		window_start		timestamptz,
		window_end			timestamptz,
		window_start_index	bigint,
		window_end_index	bigint,
		origins				int,
		n					bigint,
		mae					float8,
		training_mae		float8,
		mae_ratio			float8,
		coverage			float8,
		expected_coverage	float8,
		drifted				boolean,
		reason				text)
	AS 'MODULE_PATHNAME', 'lstm_drift' LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION lstm.drift(text, text, int, float8, int) IS
'errors and coverage on rows newer than those that a version was trained on, beside what it promised: training_mae is that of its validation rows, shared out among several targets as their errors on the last rows of the training are.
One row per target and window of window_size origins (100, or ten horizons if that is more; the oldest window takes what is left); window_start and window_end (_index with an integer time column) are its first and last origin; n counts pairs of origin, series and step.  Only origins whose whole horizon has come are judged.
drifted: mae is above 1.2 x training_mae, or coverage is more than 0.05 below expected_coverage (reason: error, coverage), and that by three standard errors (Gama et al. 2004) of batch means (Schmeiser 1982), with Student''s t for few; NULL with fewer than five horizons in a window, or nothing to compare.
Without newer rows: no row, and a NOTICE.
Errors as of lstm.hindcast; 0A000 a joint model, 22023 window_size.';

