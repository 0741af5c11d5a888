/* ------------------------------------------------------------------------
 * At fixed times, where pg_cron is
 */

CREATE FUNCTION lstm.schedule(
	model				text,
	action				text,
	schedule			text,
	arguments			jsonb DEFAULT NULL)
	RETURNS bigint
	AS 'MODULE_PATHNAME', 'lstm_schedule' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lstm.schedule(text, text, text, jsonb) IS
'lets pg_cron run CALL lstm.retrain(model, ...) or CALL lstm.refresh_forecasts(model, ...), as action says, at the times of schedule (''0 3 * * *'': every night at three, in cron''s words), as the current role; returns the number of the entry in cron.job.
arguments: further arguments of the procedure, {"keep_versions": 5}.  An entry of the same model and action is replaced.  A schedule goes by the model''s name: schedule again after renaming it.
Errors: 22004 NULL, 42704 no such model, 22023 an action that cannot be scheduled, arguments that are no object, or one that the procedure does not have, 42501 a model that the role may not retrain, or whose source it may not run, 55000 no version is deployed, or pg_cron is not installed in this database.';

CREATE FUNCTION lstm.unschedule(model text, action text DEFAULT NULL) RETURNS int
	AS 'MODULE_PATHNAME', 'lstm_unschedule' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lstm.unschedule(text, text) IS
'removes what lstm.schedule made for the model, or for that action only, by the current role; returns the number of entries removed, with a NOTICE when there was none.
Errors: 22004 NULL model, 22023 an unknown action, 55000 pg_cron is not installed in this database.';

