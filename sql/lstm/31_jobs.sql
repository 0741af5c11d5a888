/* ------------------------------------------------------------------------
 * Background jobs
 *
 * Rows are written by the library only: nobody but the tables' owner has a
 * privilege to insert or update.
 */

CREATE SEQUENCE lstm.job_rows_job_seq;
CREATE TABLE lstm.job_rows (
	job				bigint NOT NULL,
	model			text COLLATE "C" NOT NULL,
	owner			name NOT NULL,
	session_role	name NOT NULL,
	owner_oid		oid NOT NULL DEFAULT 0,
	session_oid		oid NOT NULL DEFAULT 0,
	state			text COLLATE "C" NOT NULL DEFAULT 'queued',
	arguments		jsonb NOT NULL,
	settings		jsonb NOT NULL,
	submitted_at	timestamptz NOT NULL DEFAULT pg_catalog.clock_timestamp(),
	launched_at		timestamptz,
	attempts		int NOT NULL DEFAULT 0,
	pid				int,
	started_at		timestamptz,
	ended_at		timestamptz,
	version			int,
	sqlstate		text,
	message			text,
	detail			text,
	hint			text,
	notices			text[],
	CONSTRAINT job_rows_pkey PRIMARY KEY (job),
	CONSTRAINT job_rows_state_check CHECK (state OPERATOR(pg_catalog.=) ANY
		(ARRAY['queued', 'running', 'done', 'failed', 'cancelled', 'lost']))
);
ALTER SEQUENCE lstm.job_rows_job_seq OWNED BY lstm.job_rows.job;
CREATE INDEX job_rows_open_idx ON lstm.job_rows (job)
	WHERE state OPERATOR(pg_catalog.=) ANY (ARRAY['queued', 'running']);

COMMENT ON TABLE lstm.job_rows IS
'one row per background job, as its process wrote it; view lstm.jobs also knows which of them run. A role sees the jobs of the roles it is a member of, and deletes those that have ended';
COMMENT ON COLUMN lstm.job_rows.job IS 'number of the job';
COMMENT ON COLUMN lstm.job_rows.model IS 'model to train, by the name it had when the job was submitted';
COMMENT ON COLUMN lstm.job_rows.owner IS 'current role of the call: the job acts as it';
COMMENT ON COLUMN lstm.job_rows.session_role IS 'user of the session of the call: the job logs in as it';
COMMENT ON COLUMN lstm.job_rows.owner_oid IS
'number of owner: a later role of its name does not get the job';
COMMENT ON COLUMN lstm.job_rows.session_oid IS 'number of session_role, likewise';
COMMENT ON COLUMN lstm.job_rows.state IS
'queued, running, done, failed, cancelled or lost; a running job whose process is gone stays running here until lstm.run_jobs';
COMMENT ON COLUMN lstm.job_rows.arguments IS 'arguments of lstm.train';
COMMENT ON COLUMN lstm.job_rows.settings IS 'settings that the session had changed, set again for the job';
COMMENT ON COLUMN lstm.job_rows.submitted_at IS 'time of the call';
COMMENT ON COLUMN lstm.job_rows.launched_at IS 'when a worker was last started for it; NULL: none, or it found the limit reached';
COMMENT ON COLUMN lstm.job_rows.attempts IS 'workers started for it since; three that do not begin fail the job';
COMMENT ON COLUMN lstm.job_rows.pid IS 'process that runs or ran it';
COMMENT ON COLUMN lstm.job_rows.started_at IS 'when a worker began with it';
COMMENT ON COLUMN lstm.job_rows.ended_at IS 'when it was done, failed, was cancelled, or was found lost';
COMMENT ON COLUMN lstm.job_rows.version IS 'version of the model that it made; NULL unless done';
COMMENT ON COLUMN lstm.job_rows.sqlstate IS 'SQLSTATE of the error that ended it; NULL when done';
COMMENT ON COLUMN lstm.job_rows.message IS 'the error''s message; while queued: what it waits for';
COMMENT ON COLUMN lstm.job_rows.detail IS 'the error''s detail';
COMMENT ON COLUMN lstm.job_rows.hint IS 'the error''s hint';
COMMENT ON COLUMN lstm.job_rows.notices IS 'the last 20 NOTICEs and WARNINGs of the training';
COMMENT ON CONSTRAINT job_rows_pkey ON lstm.job_rows IS 'a job has one row';
COMMENT ON CONSTRAINT job_rows_state_check ON lstm.job_rows IS 'the states that there are';
COMMENT ON INDEX lstm.job_rows_open_idx IS 'the queue';
COMMENT ON SEQUENCE lstm.job_rows_job_seq IS 'numbers of jobs';

ALTER TABLE lstm.job_rows ENABLE ROW LEVEL SECURITY;
GRANT SELECT, DELETE ON lstm.job_rows TO PUBLIC;

CREATE POLICY job_rows_select ON lstm.job_rows FOR SELECT
	USING (pg_catalog.pg_has_role(
		pg_catalog.to_regrole(pg_catalog.quote_ident(owner::text))::oid, 'USAGE'));
CREATE POLICY job_rows_delete ON lstm.job_rows FOR DELETE
	USING (state OPERATOR(pg_catalog.<>) ALL (ARRAY['queued', 'running'])
		AND pg_catalog.pg_has_role(
			pg_catalog.to_regrole(pg_catalog.quote_ident(owner::text))::oid, 'USAGE'));
COMMENT ON POLICY job_rows_select ON lstm.job_rows IS 'members of the owner';
COMMENT ON POLICY job_rows_delete ON lstm.job_rows IS 'members of the owner, and only jobs that have ended';

-- A dump takes along what has ended: nothing starts by itself where it is restored.
ALTER TABLE lstm.job_rows OWNER TO @extowner@;
SELECT pg_catalog.pg_extension_config_dump('lstm.job_rows',
	'WHERE state OPERATOR(pg_catalog.<>) ALL (ARRAY[''queued'', ''running''])');
SELECT pg_catalog.pg_extension_config_dump('lstm.job_rows_job_seq', '');

CREATE FUNCTION lstm.train_async(
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
	options				jsonb DEFAULT NULL)
	RETURNS bigint
	AS 'MODULE_PATHNAME', 'lstm_train_async' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lstm.train_async(text, text, text, text, text, int, int, text, text, text, text, jsonb) IS
'lstm.train in a background worker, which begins when this transaction commits; returns the number of the job, see lstm.jobs.
The job logs in as the session''s user, acts as the current role, and has the session''s settings but for timeouts; rights are checked again when it runs.
Names, options and columns are checked at once. At most lstm.max_jobs run at a time, of one model one after the other; others stay in the queue, and a NOTICE says why.
Errors: as of lstm.train before it reads rows; 25006 in a read-only transaction; 42501 the session''s user cannot log in, or may not become the current role; and within SECURITY DEFINER functions.';

CREATE FUNCTION lstm.job_list()
	RETURNS TABLE (
		job				bigint,
		model			text,
		owner			name,
		session_role	name,
		state			text,
		pid				int,
		submitted_at	timestamptz,
		started_at		timestamptz,
		ended_at		timestamptz,
		seconds			float8,
		version			int,
		sqlstate		text,
		message			text,
		detail			text,
		hint			text,
		notices			text[],
		attempts		int,
		arguments		jsonb,
		settings		jsonb)
	AS 'MODULE_PATHNAME', 'lstm_job_list' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lstm.job_list() IS
'rows of lstm.job_rows that the caller sees, as they are now; one that says running though no process holds its lock is lost. View lstm.jobs shows them.';

CREATE VIEW lstm.jobs AS SELECT * FROM lstm.job_list();
COMMENT ON VIEW lstm.jobs IS 'background jobs of the roles that the caller is a member of; of all for the owner of lstm.job_rows';
COMMENT ON COLUMN lstm.jobs.job IS 'number of the job';
COMMENT ON COLUMN lstm.jobs.model IS 'model to train';
COMMENT ON COLUMN lstm.jobs.owner IS 'role that the job acts as';
COMMENT ON COLUMN lstm.jobs.session_role IS 'user that the job logs in as';
COMMENT ON COLUMN lstm.jobs.state IS
'queued, running (a process holds the job''s lock), done, failed, cancelled, or lost: it ran, and its process is gone; on a standby as the primary wrote it';
COMMENT ON COLUMN lstm.jobs.pid IS 'process that runs or ran it';
COMMENT ON COLUMN lstm.jobs.submitted_at IS 'time of the call of lstm.train_async';
COMMENT ON COLUMN lstm.jobs.started_at IS 'when a worker began with it';
COMMENT ON COLUMN lstm.jobs.ended_at IS 'when it ended, or was found lost';
COMMENT ON COLUMN lstm.jobs.seconds IS 'wall time since it began, until now or its end';
COMMENT ON COLUMN lstm.jobs.version IS 'version of the model that it made; NULL unless done';
COMMENT ON COLUMN lstm.jobs.sqlstate IS 'SQLSTATE of the error that ended it';
COMMENT ON COLUMN lstm.jobs.message IS 'the error''s message; while queued: what it waits for';
COMMENT ON COLUMN lstm.jobs.detail IS 'the error''s detail';
COMMENT ON COLUMN lstm.jobs.hint IS 'the error''s hint';
COMMENT ON COLUMN lstm.jobs.notices IS 'the last 20 NOTICEs and WARNINGs of the training';
COMMENT ON COLUMN lstm.jobs.attempts IS 'workers started for it';
COMMENT ON COLUMN lstm.jobs.arguments IS 'arguments of lstm.train';
COMMENT ON COLUMN lstm.jobs.settings IS 'settings that the session had changed, set again for the job';
GRANT SELECT ON lstm.jobs TO PUBLIC;

CREATE FUNCTION lstm.cancel(job bigint)
	RETURNS boolean
	AS 'MODULE_PATHNAME', 'lstm_cancel' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lstm.cancel(bigint) IS
'takes a job out of the queue, or interrupts the process that runs it; false when it had ended. lstm.wait says when a running one has stopped.
For members of the job''s owner and the owner of lstm.job_rows. Errors: 22004 NULL, 42704 no such job, or another''s.';

CREATE FUNCTION lstm.wait(
	job			bigint,
	timeout		interval DEFAULT NULL)
	RETURNS text
	AS 'MODULE_PATHNAME', 'lstm_wait' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lstm.wait(bigint, interval) IS
'waits until the job has ended and returns its state: done, failed, cancelled or lost; after timeout (NULL: no limit) the state it has then, queued or running.
Starts jobs of the queue meanwhile, but not in read-only, repeatable read and serializable transactions and SECURITY DEFINER functions. A month counts 30 days.
Errors: 22004 NULL job, 42704 no such job, or another''s, 22023 negative timeout, 55000 the job was submitted by this transaction, or waits for one that it has ended, and it has to commit first; 40P01 the job waits for a lock of this transaction.';

CREATE PROCEDURE lstm.run_jobs(
	INOUT started	int DEFAULT NULL,
	INOUT queued	int DEFAULT NULL,
	INOUT lost		int DEFAULT NULL)
	AS 'MODULE_PATHNAME', 'lstm_run_jobs' LANGUAGE C;
COMMENT ON PROCEDURE lstm.run_jobs(int, int, int) IS
'starts the jobs of the queue that may start, and marks those as lost whose process is gone, as after a restart of the server.
Returns how many it started, how many are still queued, and how many were lost; the arguments mean nothing. Jobs of other users are started only where lstm.job_rows belongs to a superuser.
Errors: 25006 in a read-only transaction, 42501 within a SECURITY DEFINER function.';
