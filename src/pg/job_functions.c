/*
 * job_functions.c
 *		lstm.train_async, lstm.jobs, lstm.cancel, lstm.wait and lstm.run_jobs.
 *
 * Which jobs a caller sees is decided by row-level security of lstm.job_rows: they are
 * read with the caller's rights.  Written they are as job_queue.c does it.
 *
 * A job that was submitted starts when its transaction commits, and its worker waits for
 * that commit, so nothing is to be undone when it fails.
 */
#include "postgres.h"

#include <signal.h>

#include "access/htup_details.h"
#include "access/xact.h"
#include "access/xlog.h"
#include "catalog/namespace.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "portability/instr_time.h"
#include "storage/latch.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/wait_event.h"

#include "pg/env.h"
#include "pg/job.h"
#include "pg/model_run.h"
#include "pg/registry.h"
#include "pg/source_session.h"
#include "pg/train_run.h"

PG_FUNCTION_INFO_V1(lstm_train_async);
PG_FUNCTION_INFO_V1(lstm_job_list);
PG_FUNCTION_INFO_V1(lstm_cancel);
PG_FUNCTION_INFO_V1(lstm_wait);
PG_FUNCTION_INFO_V1(lstm_run_jobs);

/* Milliseconds between two looks of lstm.wait, and looks between two at who waits for whom. */
#define WAIT_POLL 50
#define WAIT_LOCKS 20

/* ------------------------------------------------------------------------
 * Submitting
 */

/* Jobs (int64 *) of the transaction that is under way, in its memory. */
static List *submitted = NIL;

static void
submitted_start(void)
{
	bool		read_only = XactReadOnly;

	/* The extension may have come or gone within this transaction. */
	if (!OidIsValid(get_relname_relid("job_rows", get_namespace_oid("lstm", true))))
		return;
	queue_lock();
	/* A transaction may say that it writes no more. */
	XactReadOnly = false;
	/* Where others' rows cannot be changed as they are now, they are let alone. */
	(void) queue_start(submitted, IsolationUsesXactSnapshot());
	XactReadOnly = read_only;
}

static void
submitted_prepare(void)
{
	ListCell   *cell;

	foreach(cell, submitted)
		ereport(NOTICE,
				(errmsg("job " INT64_FORMAT " stays in the queue after PREPARE TRANSACTION",
						*(int64 *) lfirst(cell)),
				 errhint("CALL lstm.run_jobs() after COMMIT PREPARED.")));
}

static void
transaction_event(XactEvent event, void *argument)
{
	if (submitted == NIL)
		return;
	if (event == XACT_EVENT_PRE_COMMIT)
		submitted_start();
	if (event == XACT_EVENT_PRE_PREPARE)
		submitted_prepare();
	submitted = NIL;
}

static void
submitted_add(int64 job)
{
	static bool watched = false;
	MemoryContext caller;
	int64	   *one;

	if (!watched)
		RegisterXactCallback(transaction_event, NULL);
	watched = true;
	caller = MemoryContextSwitchTo(TopTransactionContext);
	one = palloc(sizeof(int64));
	*one = job;
	submitted = lappend(submitted, one);
	MemoryContextSwitchTo(caller);
}

/* Could a worker log in and act for this caller? */
static void
submitter_check(void)
{
	Oid			role;
	int			sqlstate;
	char	   *obstacle;

	if (job_session_lent())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot submit a job within a security-restricted operation"),
				 errdetail("A job logs in as \"%s\", the user of this session, who did not ask for it.",
						   GetUserNameFromId(GetSessionUserId(), false)),
				 errhint("Call it outside of SECURITY DEFINER functions, index expressions and"
						 " materialized views.")));
	job_session_require(GetUserId());
	job_session_refuse_superuser(GetUserId());
	obstacle = session_obstacle(GetUserNameFromId(GetSessionUserId(), false), &role, &sqlstate);
	if (obstacle != NULL)
		ereport(ERROR,
				(errcode(sqlstate),
				 errmsg("%s", obstacle),
				 errdetail("A job logs in as the user of the session that submits it.")));
}

/* Names, options and columns: what costs no time. */
static char *
arguments_check(FunctionCallInfo fcinfo, const char *model)
{
	const NnEnv *env = env_create(CurrentMemoryContext);
	TrainCall  *call;
	NnSpec	   *spec;
	char	   *temporary;
	bool		split_given;

	registry_check_name(model);
	call = train_call_open(env, fcinfo, 1);
	temporary = source_temporary(call->source->query);
	if (temporary != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("a background job cannot read temporary relation \"%s\"", temporary),
				 errdetail("Only this session sees it."),
				 errhint("Use a table that is not temporary, or train with lstm.train.")));
	spec = train_call_spec(env, call, call->options, &split_given);
	if (spec->from_model[0] != '\0')
		(void) registry_get(spec->from_model, 0);
	return train_arguments_text(env, fcinfo);
}

static int64
job_insert(const char *model, const char *arguments, const char *settings)
{
	Oid			types[7] = {TEXTOID, TEXTOID, TEXTOID, NAMEOID, NAMEOID, OIDOID, OIDOID};
	Datum		values[7];
	JobFrame	frame;
	int64		job;
	bool		isnull;

	values[0] = CStringGetTextDatum(model);
	values[1] = CStringGetTextDatum(arguments);
	values[2] = CStringGetTextDatum(settings);
	values[3] = DirectFunctionCall1(namein, CStringGetDatum(GetUserNameFromId(GetUserId(), false)));
	values[4] = DirectFunctionCall1(namein, CStringGetDatum(GetUserNameFromId(GetSessionUserId(), false)));
	values[5] = ObjectIdGetDatum(GetUserId());
	values[6] = ObjectIdGetDatum(GetSessionUserId());
	frame = job_frame_begin();
	registry_run("INSERT INTO lstm.job_rows (job, model, arguments, settings, owner, session_role,"
				 " owner_oid, session_oid) VALUES (nextval('lstm.job_rows_job_seq'), $1, $2::jsonb,"
				 " $3::jsonb, $4, $5, $6, $7) RETURNING job",
				 7, types, values, NULL, false);
	job = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	job_frame_end(frame);
	return job;
}

Datum
lstm_train_async(PG_FUNCTION_ARGS)
{
	CallMemory	memory = call_memory_begin();
	char	   *model,
			   *arguments;
	int64		job;

	PreventCommandIfReadOnly("lstm.train_async()");
	model = argument_text_required(fcinfo, 0, "model");
	submitter_check();
	arguments = arguments_check(fcinfo, model);
	job = job_insert(model, arguments, job_settings_text());
	submitted_add(job);
	call_memory_end(memory);
	PG_RETURN_INT64(job);
}

/* ------------------------------------------------------------------------
 * Looking
 */

#define COLUMNS "job, model, owner, session_role, state, pid, submitted_at, started_at, ended_at," \
	" date_part('epoch', coalesce(ended_at," \
	" CASE WHEN state = 'running' THEN clock_timestamp() END) - started_at) AS seconds," \
	" version, sqlstate, message, detail, hint, notices, attempts, arguments, settings"

enum
{
	COLUMN_JOB, COLUMN_STATE = 4, COLUMN_PID, COLUMN_SECONDS = 9, COLUMN_MESSAGE = 12, NCOLUMNS = 19
};

/* Rows as they are now, with the caller's rights; job 0: all.  Between registry_begin and _end. */
static SPITupleTable *
rows_read(int64 job)
{
	Oid			type = INT8OID;
	Datum		value = Int64GetDatum(job);

	PushActiveSnapshot(GetLatestSnapshot());
	registry_run("SELECT " COLUMNS " FROM lstm.job_rows WHERE $1 IN (0, job) ORDER BY job",
				 1, &type, &value, NULL, true);
	PopActiveSnapshot();
	return SPI_tuptable;
}

static int64
row_job(const SPITupleTable *rows, uint64 i)
{
	bool		isnull;

	return DatumGetInt64(SPI_getbinval(rows->vals[i], rows->tupdesc, COLUMN_JOB + 1, &isnull));
}

static bool
row_running(const SPITupleTable *rows, uint64 i)
{
	return strcmp(SPI_getvalue(rows->vals[i], rows->tupdesc, COLUMN_STATE + 1), "running") == 0;
}

/*
 * Running by its row, but nobody has its lock?  Looks at the row again, since the job may
 * have ended in between, and leaves in *rows, *i what is true.
 */
static bool
row_lost(SPITupleTable **rows, uint64 *i)
{
	int64		job = row_job(*rows, *i);

	/* Locks of the primary are not seen here. */
	if (!row_running(*rows, *i) || RecoveryInProgress() || job_alive(job))
		return false;
	*rows = rows_read(job);
	*i = 0;
	/* It was running and then deleted: nothing better is known. */
	return (*rows)->numvals == 0 || row_running(*rows, 0);
}

static bool
job_submitted(int64 job)
{
	ListCell   *cell;

	foreach(cell, submitted)
		if (*(int64 *) lfirst(cell) == job)
			return true;
	return false;
}

/* What is in the way of a queued job now; stored: what was when somebody last tried to start it. */
static const char *
queued_reason(const JobQueue *queue, int64 job, const char *stored)
{
	for (int i = 0; i < queue->count; i++)
	{
		const char *obstacle;

		if (queue->job[i].job != job || !queue->job[i].queued)
			continue;
		if (job_submitted(job))
			return "begins when this transaction commits";
		obstacle = queue_obstacle(queue, i, lstm_max_jobs);
		if (obstacle != NULL)
			return obstacle;
		if (queue->job[i].busy)
			return "is being started";
		if (stored == NULL || strcmp(stored, JOB_NO_WORKER) != 0)
			return "waits to be started by lstm.train_async, lstm.wait or CALL lstm.run_jobs()";
	}
	return stored;
}

static void
row_put(ReturnSetInfo *rsinfo, const JobQueue *queue, SPITupleTable *rows, uint64 i)
{
	Datum		values[NCOLUMNS];
	bool		nulls[NCOLUMNS];
	bool		lost = row_lost(&rows, &i);
	const char *state;

	if (rows->numvals == 0)
		return;
	heap_deform_tuple(rows->vals[i], rows->tupdesc, values, nulls);
	state = SPI_getvalue(rows->vals[i], rows->tupdesc, COLUMN_STATE + 1);
	if (queue != NULL && strcmp(state, "queued") == 0)
	{
		const char *reason = queued_reason(queue, row_job(rows, i),
										   SPI_getvalue(rows->vals[i], rows->tupdesc,
														COLUMN_MESSAGE + 1));

		nulls[COLUMN_MESSAGE] = reason == NULL;
		values[COLUMN_MESSAGE] = reason == NULL ? (Datum) 0 : CStringGetTextDatum(reason);
	}
	if (lost)
	{
		values[COLUMN_STATE] = CStringGetTextDatum("lost");
		values[COLUMN_MESSAGE] = CStringGetTextDatum(JOB_LOST);
		nulls[COLUMN_MESSAGE] = false;
		nulls[COLUMN_PID] = nulls[COLUMN_SECONDS] = true;
	}
	result_put(rsinfo, values, nulls);
}

Datum
lstm_job_list(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = result_begin(fcinfo);
	int			nest_level = registry_begin();
	SPITupleTable *rows = rows_read(0);
	uint64		count = SPI_processed;
	bool		here = !RecoveryInProgress();	/* locks of the primary are not seen on a standby */
	JobQueue	queue = {NULL, 0};

	/* The rows are the caller's; who is before them in the queue may be others'. */
	if (here)
	{
		RegistryRole before = registry_role_begin("job_rows");

		PushActiveSnapshot(GetLatestSnapshot());
		queue = queue_read();
		PopActiveSnapshot();
		registry_write_end(before);
	}
	for (uint64 i = 0; i < count; i++)
	{
		CHECK_FOR_INTERRUPTS();
		row_put(rsinfo, here ? &queue : NULL, rows, i);
	}
	registry_end(nest_level);
	return (Datum) 0;
}

/* ------------------------------------------------------------------------
 * One job
 */

typedef struct JobLook
{
	char		state[16];		/* as lstm.jobs has it */
	bool		uncommitted;	/* submitted by this transaction */
} JobLook;

static int64
argument_job(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(0))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"job\" must not be null"),
				 errhint("View lstm.jobs lists your jobs.")));
	return PG_GETARG_INT64(0);
}

/* Error 42704 when the caller does not see it, whoever's it is. */
static JobLook
job_look(int64 job)
{
	JobLook		look = {"lost", false};
	int			nest_level = registry_begin();
	SPITupleTable *rows;
	uint64		i = 0;

	CommandCounterIncrement();
	rows = rows_read(job);
	if (job == 0 || rows->numvals == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("job " INT64_FORMAT " does not exist", job),
				 errhint("View lstm.jobs lists your jobs.")));
	if (!row_lost(&rows, &i) && rows->numvals > 0)
		strlcpy(look.state, SPI_getvalue(rows->vals[i], rows->tupdesc, COLUMN_STATE + 1),
				sizeof(look.state));
	look.uncommitted = job_submitted(job);
	registry_end(nest_level);
	return look;
}

/* Takes a job out of the queue; false when it is no longer there. */
static bool
job_withdraw(int64 job)
{
	JobEnd		end = {.state = "cancelled", .sqlstate = "57014", .message = "cancelled before it began"};
	JobFrame	frame = job_frame_begin();
	bool		done = job_end(job, "queued", true, &end);

	job_frame_end(frame);
	return done;
}

Datum
lstm_cancel(PG_FUNCTION_ARGS)
{
	CallMemory	memory = call_memory_begin();
	int64		job = argument_job(fcinfo);
	bool		done = false;
	int			pid;

	PreventCommandDuringRecovery("lstm.cancel()");
	if (strcmp(job_look(job).state, "queued") == 0)
	{
		PreventCommandIfReadOnly("lstm.cancel() of a job in the queue");
		done = job_withdraw(job);
	}
	if (!done && strcmp(job_look(job).state, "running") == 0 && (pid = job_pid(job)) != 0)
		done = kill(pid, SIGINT) == 0;
	call_memory_end(memory);
	PG_RETURN_BOOL(done);
}

/* ------------------------------------------------------------------------
 * Waiting
 */

/* Milliseconds; -1: no limit. */
static double
argument_timeout(FunctionCallInfo fcinfo)
{
	Interval   *interval;
	double		ms;

	if (PG_ARGISNULL(1))
		return -1;
	interval = PG_GETARG_INTERVAL_P(1);
	ms = (interval->month * 30.0 + interval->day) * SECS_PER_DAY * 1000.0 + (double) interval->time / 1000;
	if (ms < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"timeout\" is negative"),
				 errhint("Give an interval such as '10 minutes', or NULL for no limit.")));
	return ms;
}

static void
latch_wait(long ms)
{
	(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, ms, PG_WAIT_EXTENSION);
	ResetLatch(MyLatch);
	CHECK_FOR_INTERRUPTS();
}

/* Error 40P01 when the job's process waits for a lock that this one has: both would for ever. */
static void
wait_check_locks(int64 job)
{
	int			pid = job_pid(job);
	ArrayType  *blocking;

	if (pid == 0)
		return;
	blocking = DatumGetArrayTypeP(DirectFunctionCall1(pg_blocking_pids, Int32GetDatum(pid)));
	for (int i = 0; i < ArrayGetNItems(ARR_NDIM(blocking), ARR_DIMS(blocking)); i++)
		if (((int32 *) ARR_DATA_PTR(blocking))[i] == MyProcPid)
			ereport(ERROR,
					(errcode(ERRCODE_T_R_DEADLOCK_DETECTED),
					 errmsg("job " INT64_FORMAT " waits for a lock that this transaction holds", job),
					 errhint("Commit, then wait.")));
}

static void __attribute__((noreturn))
wait_refuse(int64 job)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("job " INT64_FORMAT " begins when this transaction commits", job),
			 errhint("Commit, then wait.")));
}

/* Has it ended, so that there is nothing to wait for? */
static bool
wait_look(int64 job, JobLook *look, QueueRun *run)
{
	*look = job_look(job);
	if (strcmp(look->state, "queued") == 0)
	{
		if (look->uncommitted)
			wait_refuse(job);
		if (!XactReadOnly && !IsolationUsesXactSnapshot() && !job_session_lent() && queue_run(run, false))
		{
			*look = job_look(job);
			if (strcmp(look->state, "queued") == 0 && run->unseen && *(int64 *) llast(run->failed) == job)
				wait_refuse(job);
		}
	}
	return strcmp(look->state, "queued") != 0 && strcmp(look->state, "running") != 0;
}

Datum
lstm_wait(PG_FUNCTION_ARGS)
{
	CallMemory	memory = call_memory_begin();
	int64		job = argument_job(fcinfo);
	double		timeout = argument_timeout(fcinfo);
	instr_time	start,
				now;
	QueueRun	run = {.job = job};
	MemoryContext turn = AllocSetContextCreate(memory.own, "lstm wait", ALLOCSET_DEFAULT_SIZES);
	JobLook		look;
	bool		told = false;

	INSTR_TIME_SET_CURRENT(start);
	for (int looks = 1;; looks++)
	{
		double		left;

		MemoryContextSwitchTo(turn);
		if (wait_look(job, &look, &run))
			break;
		if (run.obstacle != NULL && !told)
			ereport(NOTICE, (errmsg("job " INT64_FORMAT " %s", job, run.obstacle)));
		told |= run.obstacle != NULL;
		if (looks % WAIT_LOCKS == 0)
			wait_check_locks(job);
		INSTR_TIME_SET_CURRENT(now);
		INSTR_TIME_SUBTRACT(now, start);
		left = timeout - INSTR_TIME_GET_MILLISEC(now);
		if (timeout >= 0 && left <= 0)
			break;
		latch_wait(timeout >= 0 && left < WAIT_POLL ? (long) left + 1 : WAIT_POLL);
		MemoryContextReset(turn);
	}
	call_memory_end(memory);
	PG_RETURN_TEXT_P(cstring_to_text(look.state));
}

/* ------------------------------------------------------------------------
 * lstm.run_jobs
 */

static int
queue_length(void)
{
	JobFrame	frame = job_frame_begin();
	JobQueue	queue = queue_read();
	int			queued = 0;

	for (int i = 0; i < queue.count; i++)
		queued += queue.job[i].queued;
	job_frame_end(frame);
	return queued;
}

Datum
lstm_run_jobs(PG_FUNCTION_ARGS)
{
	CallMemory	memory = call_memory_begin();
	QueueRun	run = {0};
	Datum		values[3];
	bool		nulls[3] = {false};
	TupleDesc	desc;
	int			lost;

	PreventCommandIfReadOnly("lstm.run_jobs()");
	if (job_session_lent())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot start jobs within a security-restricted operation"),
				 errhint("Call it outside of SECURITY DEFINER functions.")));
	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("lstm.run_jobs called in a context that cannot take a row")));
	lost = queue_mend();
	while (queue_run(&run, true))
		CHECK_FOR_INTERRUPTS();
	values[0] = Int32GetDatum(run.started);
	values[1] = Int32GetDatum(queue_length());
	values[2] = Int32GetDatum(lost);
	MemoryContextSwitchTo(memory.caller);
	desc = BlessTupleDesc(CreateTupleDescCopy(desc));
	values[0] = HeapTupleGetDatum(heap_form_tuple(desc, values, nulls));
	call_memory_end(memory);
	return values[0];
}
