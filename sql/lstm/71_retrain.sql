/* ------------------------------------------------------------------------
 * Train again
 */

CREATE PROCEDURE lstm.retrain(
	model				text,
	promote				text DEFAULT 'if_better',
	warm_start			boolean DEFAULT true,
	holdout				int DEFAULT NULL,
	keep_versions		int DEFAULT NULL,
	options				jsonb DEFAULT NULL,
	INOUT version		int DEFAULT NULL,
	INOUT promoted		boolean DEFAULT NULL,
	INOUT champion_mae	float8 DEFAULT NULL,
	INOUT challenger_mae	float8 DEFAULT NULL,
	INOUT outcome		text DEFAULT NULL)
	AS 'MODULE_PATHNAME', 'lstm_retrain' LANGUAGE C;
COMMENT ON PROCEDURE lstm.retrain(text, text, boolean, int, int, jsonb, int, boolean, float8, float8, text) IS
'trains a model again on the rows its source has now, by the call that trained the deployed version (the champion), and compares both on the newest rows, which neither was trained on.
promote: if_better (deployed if its scaled error, MASE, there is lower), always or never; the new version is stored in any case, with the comparison in lstm.models.metrics.
warm_start: begins with the champion''s weights where they fit; holdout: newest time steps kept for the comparison (half of the steps that the champion has not seen, at least the horizon, at most ten; no more than there are); keep_versions: then drops all but so many newest versions, not the deployed one, members of joint models and what lstm.rollback goes back to; options: laid over those of the call, and stored.
Gives back: version (NULL: none was stored), promoted, errors in original units, outcome: promoted, not better, stored (promote never), no new rows (fewer steps than the horizon since the last time; nothing was trained), busy (another session retrains the model) or superseded (another version was deployed meanwhile, or the model is gone; nothing is deployed).
Outside of a transaction block it commits after reading, so that no snapshot and no lock on a table is held while it trains.
Errors as of lstm.train; 22004 NULL, 22023 promote, holdout, keep_versions or options; 42501 no right to retrain it, or with keep_versions to drop it, or options from who is not the owner; 0A000 a joint model; 55000 no deployed version, no stored call, or rows of another step than it was trained on.';
