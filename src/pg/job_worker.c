/*
 * job_worker.c
 *		The process of a job: lstm.train in five short transactions and a long one.
 *
 *	claim		the row becomes running, under the queue's lock
 *	begin		the session becomes the caller's: role and settings
 *	read		lstm.train's checks and rows, as in the caller's statement
 *	prepare		reads the registry where "from_model" wants it
 *	fit			trains: no snapshot, no lock on a table, whatever it takes
 *	store		the version, and the row's end, together
 *
 * What the rows became lives in a memory context of the job's own.  Errors are caught
 * and go into the row; a cancel is one of them.  SIGTERM ends the process, which notes
 * that on its way out; what has no time for that (SIGKILL, a crash) is seen by the
 * lock that nobody holds any more.
 *
 * At its end a worker starts what waits.  Its own place among the workers is free only
 * when it is gone; so where there is no other, it goes on with the next job of its
 * session user itself, as a session after DISCARD ALL.
 *
 * A timer looks every second whether the postmaster is there, as computing and SQL do
 * not.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "commands/discard.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "pgstat.h"
#include "postmaster/bgworker.h"
#include "postmaster/interrupt.h"
#include "storage/ipc.h"
#include "storage/latch.h"
#include "storage/lmgr.h"
#include "storage/pmsignal.h"
#include "storage/proc.h"
#include "tcop/tcopprot.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timeout.h"
#include "utils/timestamp.h"

#include "pg/env.h"
#include "pg/job.h"
#include "pg/progress.h"
#include "pg/registry.h"
#include "pg/train_run.h"

#define POSTMASTER_POLL 1000	/* ms */

int64		job_current = 0;

typedef struct JobRow
{
	char	   *model, *owner, *owner_oid, *arguments, *settings;
} JobRow;

static TimeoutId postmaster_timeout;
static volatile sig_atomic_t postmaster_gone = false;

/* ------------------------------------------------------------------------
 * Transactions
 */

static void
transaction_begin(void)
{
	CHECK_FOR_INTERRUPTS();
	job_session_fix();
	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
}

/* After whatever may have to be waited for. */
static void
snapshot_take(void)
{
	PushActiveSnapshot(GetTransactionSnapshot());
}

static void
transaction_end(void)
{
	if (ActiveSnapshotSet())
		PopActiveSnapshot();
	CommitTransactionCommand();
}

/* ------------------------------------------------------------------------
 * Claiming
 */

/* The table that the job's row is in: another one after DROP and CREATE EXTENSION. */
static Oid	job_table = InvalidOid;

static Oid
job_table_now(void)
{
	Oid			schema = get_namespace_oid("lstm", true);

	return OidIsValid(schema) ? get_relname_relid("job_rows", schema) : InvalidOid;
}

/* Everything that the worker needs to know of the row, in context; false: not to be had. */
static bool
row_claim(int64 job, MemoryContext context, JobRow *row)
{
	Oid			type = INT8OID;
	Datum		value = Int64GetDatum(job);
	char	  **field[] = {&row->model, &row->owner, &row->owner_oid, &row->arguments, &row->settings};

	if (registry_run("UPDATE lstm.job_rows SET state = 'running', pid = pg_backend_pid(), message = NULL,"
					 " started_at = clock_timestamp()"
					 " WHERE job = (SELECT job FROM lstm.job_rows WHERE job = $1 AND state = 'queued'"
					 " FOR UPDATE SKIP LOCKED)"
					 " RETURNING model, owner, owner_oid, arguments::text, settings::text",
					 1, &type, &value, NULL, false) == 0)
		return false;
	for (size_t i = 0; i < lengthof(field); i++)
		*field[i] = MemoryContextStrdup(context, SPI_getvalue(SPI_tuptable->vals[0],
															  SPI_tuptable->tupdesc, (int) i + 1));
	return true;
}

/* Not now: whoever ends the job that is in the way starts this one. */
static void
row_decline(int64 job)
{
	Oid			type = INT8OID;
	Datum		value = Int64GetDatum(job);

	registry_run("UPDATE lstm.job_rows SET launched_at = NULL, attempts = greatest(attempts - 1, 0)"
				 " WHERE job = (SELECT job FROM lstm.job_rows WHERE job = $1 AND launched_at IS NOT NULL"
				 " FOR UPDATE SKIP LOCKED)", 1, &type, &value, NULL, false);
}

/* Is it there, ours, and is its turn come?  Only jobs that run count as busy here. */
static bool
row_ready(const JobLaunch *launch)
{
	JobQueue	queue = queue_read();

	for (int i = 0; i < queue.count; i++)
		queue.job[i].busy &= !queue.job[i].queued;
	for (int i = 0; i < queue.count; i++)
	{
		const QueuedJob *job = &queue.job[i];

		if (job->job != launch->job)
			continue;
		if (!job->queued || job->session_oid != GetSessionUserId() ||
			get_role_oid(job->session_role, true) != job->session_oid)
			return false;
		if (queue_obstacle(&queue, i, launch->max_jobs) == NULL)
			return true;
		row_decline(launch->job);
	}
	return false;
}

static bool
job_claim(const JobLaunch *launch, MemoryContext context, JobRow *row)
{
	JobFrame	frame;
	bool		claimed;

	if (TransactionIdIsValid(launch->xid))
	{
		transaction_begin();
		XactLockTableWait(launch->xid, NULL, NULL, XLTW_None);
		transaction_end();
	}
	transaction_begin();
	queue_lock();
	frame = job_frame_begin();
	/* The lock is held from when others can see that it runs. */
	claimed = row_ready(launch) && job_lock_try(launch->job) && row_claim(launch->job, context, row);
	job_frame_end(frame);
	if (claimed)
	{
		job_current = launch->job;
		job_table = job_table_now();
	}
	transaction_end();
	return claimed;
}

/* ------------------------------------------------------------------------
 * The training
 */

/* When the rows began to be read; 0: they are not. */
static TimestampTz read_began = 0;

static void
read_end(void)
{
	disable_timeout(STATEMENT_TIMEOUT, false);
	read_began = 0;
}

/*
 * The source's functions may not change the role, as in a SECURITY DEFINER function: what
 * a superuser reads as another role could otherwise become superuser in its job.
 */
static TrainRun *
job_read(const JobRow *row, MemoryContext context)
{
	LOCAL_FCINFO(fcinfo, TRAIN_NARGS);
	TrainRun   *run;
	Oid			user;
	int			security;

	transaction_begin();
	snapshot_take();
	MemoryContextSwitchTo(context);
	InitFunctionCallInfoData(*fcinfo, NULL, TRAIN_NARGS, InvalidOid, NULL, NULL);
	train_arguments_fill(env_create(context), row->arguments, fcinfo);
	progress_phase("reading rows");
	GetUserIdAndSecContext(&user, &security);
	SetUserIdAndSecContext(user, security | SECURITY_LOCAL_USERID_CHANGE);
	/* Nobody's vacuum waits for a slow source for ever. */
	read_began = GetCurrentTimestamp();
	if (lstm_job_read_timeout > 0)
		enable_timeout_after(STATEMENT_TIMEOUT, lstm_job_read_timeout);
	run = train_open(fcinfo);
	/* Deferred triggers of what the source did run at the commit. */
	transaction_end();
	read_end();
	SetUserIdAndSecContext(user, security);
	job_lock_keep(job_current);
	return run;
}

/* Apart from the fit, which would keep the locks on the registry's tables. */
static void
job_prepare(TrainRun *run, MemoryContext context)
{
	transaction_begin();
	snapshot_take();
	MemoryContextSwitchTo(context);
	train_prepare(run);
	transaction_end();
}

static void
job_fit(TrainRun *run, MemoryContext context)
{
	transaction_begin();
	InvalidateCatalogSnapshot();
	MemoryContextSwitchTo(context);
	train_fit(run);
	transaction_end();
}

static void
job_store(TrainRun *run, const JobRow *row, MemoryContext context)
{
	JobEnd		end = {.state = "done"};
	JobFrame	frame;

	transaction_begin();
	MemoryContextSwitchTo(context);
	progress_phase("storing");
	registry_lock(run->name);
	snapshot_take();
	if (job_table_now() != job_table)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" is not stored: extension \"lstm\" was dropped while its job ran",
						run->name),
				 errhint("Submit the job anew.")));
	(void) job_session_require_owner(row->owner, row->owner_oid);
	end.version = train_store(run);
	end.notices = job_notices();
	frame = job_frame_begin();
	(void) job_end(job_current, NULL, true, &end);
	job_frame_end(frame);
	transaction_end();
}

static void
job_train(const JobRow *row, MemoryContext context)
{
	TrainRun   *run;

	transaction_begin();
	snapshot_take();
	job_session_begin(row->owner, row->owner_oid, row->settings);
	transaction_end();
	job_notices_begin();
	progress_begin("train", row->model, job_current);
	run = job_read(row, context);
	job_prepare(run, context);
	job_fit(run, context);
	job_store(run, row, context);
	progress_end();
}

/* ------------------------------------------------------------------------
 * Ends
 */

/* Whether it was the limit on reading that cancelled. */
static bool
read_timed_out(const ErrorData *error)
{
	return error->sqlerrcode == ERRCODE_QUERY_CANCELED && read_began != 0 &&
		lstm_job_read_timeout > 0 &&
		TimestampDifferenceExceeds(read_began, GetCurrentTimestamp(), lstm_job_read_timeout);
}

static void
job_note_error(const ErrorData *error)
{
	JobEnd		end = {.state = error->sqlerrcode == ERRCODE_QUERY_CANCELED ? "cancelled" : "failed",
		.sqlstate = unpack_sql_state(error->sqlerrcode), .message = error->message,
	.detail = error->detail, .hint = error->hint, .notices = job_notices()};
	JobFrame	frame;

	if (read_timed_out(error))
	{
		end.state = "failed";
		end.message = psprintf("the source was read for longer than \"lstm.job_read_timeout\" (%g s)",
							   lstm_job_read_timeout / 1000.0);
		end.hint = "Store what is slow in a table or materialized view first, or raise the setting.";
	}
	read_end();
	HOLD_CANCEL_INTERRUPTS();
	transaction_begin();
	frame = job_frame_begin();
	(void) job_end(job_current, NULL, true, &end);
	job_frame_end(frame);
	transaction_end();
	RESUME_CANCEL_INTERRUPTS();
}

static void
job_collect(const JobRow *row, MemoryContext context)
{
	transaction_begin();
	snapshot_take();
	progress_job_collect(job_current);
	transaction_end();
}

/* Runs a step; the error that it raised, in context, NULL: none. */
static ErrorData *
step_try(void (*step) (const JobRow *, MemoryContext), const JobRow *row, MemoryContext context)
{
	ErrorData  *volatile error = NULL;

	PG_TRY();
	{
		step(row, context);
	}
	PG_CATCH();
	{
		HOLD_INTERRUPTS();
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		EmitErrorReport();
		disable_timeout(STATEMENT_TIMEOUT, false);
		AbortCurrentTransaction();
		FlushErrorState();
		RESUME_INTERRUPTS();
	}
	PG_END_TRY();
	/* A cancel from here on comes too late. */
	QueryCancelPending = false;
	return error;
}

static void
job_run(const JobRow *row, MemoryContext context)
{
	ErrorData  *error = step_try(job_train, row, context);

	if (error != NULL)
		job_note_error(error);
	/* Epochs that cannot be moved now stay in their file. */
	(void) step_try(job_collect, row, context);
}

/* Lets the job go and starts what waits; returns the job that is left to this process. */
static int64
job_leave(void)
{
	int64		next;

	if (ConfigReloadPending)
	{
		ConfigReloadPending = false;
		ProcessConfigFile(PGC_SIGHUP);
	}
	HOLD_CANCEL_INTERRUPTS();
	transaction_begin();
	queue_lock();
	job_unlock(job_current);
	job_current = 0;
	next = queue_start(NIL, false);
	transaction_end();
	RESUME_CANCEL_INTERRUPTS();
	QueryCancelPending = false;
	return next;
}

/* On the way out by SIGTERM, or by an error that nobody caught. */
static void
worker_leaves(int code, Datum arg)
{
	JobEnd		end = {.state = "failed", .sqlstate = "57P01",
		.message = "the worker was terminated before the job had ended",
	.detail = "By a shutdown of the server, pg_terminate_backend, or DROP DATABASE ... WITH (FORCE).",
	.hint = "Submit the job anew."};
	JobFrame	frame;

	if (job_current == 0 || postmaster_gone)
		return;
	end.notices = job_notices();
	AbortOutOfAnyTransaction();
	StartTransactionCommand();
	frame = job_frame_begin();
	(void) job_end(job_current, "running", false, &end);
	job_frame_end(frame);
	CommitTransactionCommand();
}

/* ------------------------------------------------------------------------
 * The process
 */

static void
postmaster_look(void)
{
	if (PostmasterIsAlive())
	{
		enable_timeout_after(postmaster_timeout, POSTMASTER_POLL);
		return;
	}
	postmaster_gone = true;
	ProcDiePending = true;
	InterruptPending = true;
	SetLatch(MyLatch);
}

static void
worker_connect(const JobLaunch *launch)
{
	pqsignal(SIGTERM, die);
	pqsignal(SIGHUP, SignalHandlerForConfigReload);
	BackgroundWorkerUnblockSignals();
	BackgroundWorkerInitializeConnectionByOid(launch->database, launch->role, 0);
	before_shmem_exit(worker_leaves, (Datum) 0);
	postmaster_timeout = RegisterTimeout(USER_TIMEOUT, postmaster_look);
	enable_timeout_after(postmaster_timeout, POSTMASTER_POLL);
}

static void
activity_show(int64 job, const char *model)
{
	static char activity[NAMEDATALEN + 64];

	snprintf(activity, sizeof(activity), "lstm job " INT64_FORMAT ": train model \"%s\"", job, model);
	debug_query_string = activity;
	pgstat_report_activity(STATE_RUNNING, activity);
}

/* One job from claim to end; returns the next that is left to this process, 0: none. */
static int64
worker_run(const JobLaunch *launch)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "lstm job", ALLOCSET_DEFAULT_SIZES);
	JobRow		row;
	int64		next = 0;

	if (job_claim(launch, context, &row))
	{
		activity_show(launch->job, row.model);
		job_run(&row, context);
		next = job_leave();
		pgstat_report_activity(STATE_IDLE, NULL);
		pgstat_report_stat(true);
	}
	MemoryContextDelete(context);
	return next;
}

/* As a new session of the same user. */
static void
session_discard(void)
{
	DiscardStmt discard = {.type = T_DiscardStmt, .target = DISCARD_ALL};

	SetCurrentStatementStartTimestamp();
	StartTransactionCommand();
	(void) set_config_option("role", "none", PGC_USERSET, PGC_S_SESSION, GUC_ACTION_SET, true, 0, false);
	DiscardCommand(&discard, true);
	CommitTransactionCommand();
	job_notices_forget();
}

extern PGDLLEXPORT void lstm_job_main(Datum argument);

void
lstm_job_main(Datum argument)
{
	JobLaunch	launch;

	memcpy(&launch, MyBgworkerEntry->bgw_extra, sizeof(launch));
	worker_connect(&launch);
	while ((launch.job = worker_run(&launch)) != 0)
	{
		session_discard();
		launch.xid = InvalidTransactionId;
		launch.max_jobs = lstm_max_jobs;
	}
	proc_exit(0);
}
