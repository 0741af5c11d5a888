/* ------------------------------------------------------------------------
 * What is being trained
 *
 * A view, not a table: its rows come from the server processes that train, and
 * are seen while their transactions are still open.
 */

CREATE FUNCTION lstm.progress_rows()
	RETURNS TABLE (
		pid				int,
		job				bigint,
		command			text,
		model			text,
		owner			name,
		phase			text,
		part			text,
		epoch			int,
		epochs			int,
		step			int,
		steps			int,
		loss			float8,
		validation_loss	float8,
		"rows"			bigint,
		seconds			float8,
		estimated_end	timestamptz,
		started_at		timestamptz,
		updated_at		timestamptz)
	AS 'MODULE_PATHNAME', 'lstm_progress_rows' LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION lstm.progress_rows() IS 'what view lstm.progress shows, where its columns are explained';

CREATE VIEW lstm.progress AS
SELECT pid, job, command, model, owner, phase, part, epoch, epochs, step, steps, loss, validation_loss,
	"rows", seconds, estimated_end, started_at, updated_at
FROM lstm.progress_rows();

COMMENT ON VIEW lstm.progress IS
'one row per training, retraining, search or backtest that runs in this database, in a session or as a background job, up to date within a tenth of a second; a role sees those of the roles it is a member of, members of pg_read_all_stats and of the owner of lstm.models all';
COMMENT ON COLUMN lstm.progress.pid IS 'server process, as in pg_stat_activity';
COMMENT ON COLUMN lstm.progress.job IS 'background job, as in lstm.jobs; NULL: it runs in a session';
COMMENT ON COLUMN lstm.progress.command IS 'train, retrain, tune or backtest';
COMMENT ON COLUMN lstm.progress.model IS 'name of the model; NULL where there is none';
COMMENT ON COLUMN lstm.progress.owner IS 'role that runs it; NULL when it was dropped';
COMMENT ON COLUMN lstm.progress.phase IS 'what it does: reading rows, trying settings (on folds of the past), training, weighing members, storing, ...';
COMMENT ON COLUMN lstm.progress.part IS 'of several trainings, which one: trial 3 of 20, fold 2 of 6, network 1 of 3; NULL: the only one';
COMMENT ON COLUMN lstm.progress.epoch IS 'epochs of this training that are done; NULL: none has begun';
COMMENT ON COLUMN lstm.progress.epochs IS 'epochs that it takes at the most';
COMMENT ON COLUMN lstm.progress.step IS 'steps of the epoch under way that are done';
COMMENT ON COLUMN lstm.progress.steps IS 'steps of an epoch';
COMMENT ON COLUMN lstm.progress.loss IS 'training loss of the last epoch, on the scaled axis';
COMMENT ON COLUMN lstm.progress.validation_loss IS 'loss of the last epoch on the validation part; NULL without one';
COMMENT ON COLUMN lstm.progress.rows IS 'rows read so far, or in all';
COMMENT ON COLUMN lstm.progress.seconds IS 'time since it began';
COMMENT ON COLUMN lstm.progress.estimated_end IS 'when it would end if the rest went on as fast, with all its epochs or all the time of lstm.train_seconds; often sooner, since training stops when nothing is gained any more; NULL: nothing to go by yet';
COMMENT ON COLUMN lstm.progress.started_at IS 'when it began';
COMMENT ON COLUMN lstm.progress.updated_at IS 'when it last said something of itself';
GRANT SELECT ON lstm.progress TO PUBLIC;

/* ------------------------------------------------------------------------
 * Epochs of background jobs
 *
 * Written by the library only, when a job has ended in whatever way; until then
 * lstm.training_log reads the job's own file.
 */

CREATE TABLE lstm.job_log (
	job				bigint NOT NULL,
	training		int NOT NULL,
	epoch			int NOT NULL,
	part			text,
	loss			float8,
	validation_loss	float8,
	learning_rate	float8,
	gradient_norm	float8,
	logged_at		timestamptz NOT NULL,
	owner			name NOT NULL,
	CONSTRAINT job_log_pkey PRIMARY KEY (job, training, epoch)
);

COMMENT ON TABLE lstm.job_log IS
'one row per epoch of background jobs that have ended, also of those that failed; a role sees and deletes those of the roles it is a member of';
COMMENT ON COLUMN lstm.job_log.job IS 'background job, as in lstm.jobs';
COMMENT ON COLUMN lstm.job_log.training IS 'counts the trainings of the job from 1: folds, networks, trials';
COMMENT ON COLUMN lstm.job_log.epoch IS 'counts from 1 within the training';
COMMENT ON COLUMN lstm.job_log.part IS 'what the training was of: fold 2 of 6, network 1 of 3; NULL: the only one';
COMMENT ON COLUMN lstm.job_log.loss IS 'training loss, on the scaled axis';
COMMENT ON COLUMN lstm.job_log.validation_loss IS 'loss on the validation part; NULL without one';
COMMENT ON COLUMN lstm.job_log.learning_rate IS 'learning rate of the last step';
COMMENT ON COLUMN lstm.job_log.gradient_norm IS 'mean norm of the gradient before clipping';
COMMENT ON COLUMN lstm.job_log.logged_at IS 'end of the epoch';
COMMENT ON COLUMN lstm.job_log.owner IS 'role that the job ran as';
COMMENT ON CONSTRAINT job_log_pkey ON lstm.job_log IS 'a training numbers its epochs';

ALTER TABLE lstm.job_log ENABLE ROW LEVEL SECURITY;
GRANT SELECT, DELETE ON lstm.job_log TO PUBLIC;

CREATE POLICY job_log_select ON lstm.job_log FOR SELECT
	USING (pg_catalog.pg_has_role(
		pg_catalog.to_regrole(pg_catalog.quote_ident(owner::text))::oid, 'USAGE'));
CREATE POLICY job_log_delete ON lstm.job_log FOR DELETE
	USING (pg_catalog.pg_has_role(
		pg_catalog.to_regrole(pg_catalog.quote_ident(owner::text))::oid, 'USAGE'));
COMMENT ON POLICY job_log_select ON lstm.job_log IS 'members of the owner';
COMMENT ON POLICY job_log_delete ON lstm.job_log IS 'members of the owner';

CREATE FUNCTION lstm.job_log_cascade() RETURNS trigger
	AS 'MODULE_PATHNAME', 'lstm_job_log_cascade' LANGUAGE C;
REVOKE EXECUTE ON FUNCTION lstm.job_log_cascade() FROM PUBLIC;
COMMENT ON FUNCTION lstm.job_log_cascade() IS
'trigger of lstm.job_rows: the epochs of a job are deleted with its row';

CREATE TRIGGER job_log_cascade AFTER DELETE ON lstm.job_rows
	FOR EACH ROW EXECUTE FUNCTION lstm.job_log_cascade();
COMMENT ON TRIGGER job_log_cascade ON lstm.job_rows IS
'in place of a foreign key, whose tables pg_restore --jobs would load in the wrong order';

ALTER TABLE lstm.job_log OWNER TO @extowner@;
SELECT pg_catalog.pg_extension_config_dump('lstm.job_log', '');
