/*
 * job_queue.c
 *		Jobs that wait, and who starts them.
 *
 * There is no process that watches the queue: whoever submits a job, ends one, waits
 * for one or calls lstm.run_jobs starts what may start.  Two jobs of one model and
 * owner run one after the other, in the order of their numbers.
 *
 * A worker connects as the session user of its job, so starting another role's job is
 * acting in its name.  Where the tables belong to a superuser, nobody but this library
 * can have written the row, and anybody's call may start it.  Where they belong to
 * another role, which could have written any row, a session starts its own user's jobs
 * only, and a superuser's never.
 *
 * Reading the queue costs a scan of the rows that are queued or running.
 */
#include "postgres.h"

#include "access/xact.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_database.h"
#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/latch.h"
#include "storage/lock.h"
#include "storage/proc.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"
#include "utils/wait_event.h"

#include "pg/job.h"
#include "pg/progress.h"
#include "pg/registry.h"

/* Fourth field of the locks; SQL's own advisory locks have 1 and 2 there. */
#define LOCK_JOB	3
#define LOCK_QUEUE	4

/* Starts without a claim after which a job has failed. */
#define ATTEMPTS 3

/* Looks at a job's lock, and microseconds between them. */
#define LOCK_TRIES 50
#define LOCK_PAUSE 2000

StaticAssertDecl(sizeof(JobLaunch) <= BGW_EXTRALEN, "what a worker is told must fit");

/* Milliseconds to wait for a worker that was started. */
#define START_PATIENCE 5000
#define START_POLL 20

/* ------------------------------------------------------------------------
 * Locks
 */

static LOCKTAG
job_tag(int64 job)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, (uint32) ((uint64) job >> 32), (uint32) job, LOCK_JOB);
	return tag;
}

static LOCKTAG
queue_tag(void)
{
	LOCKTAG		tag;

	SET_LOCKTAG_ADVISORY(tag, MyDatabaseId, 0, 0, LOCK_QUEUE);
	return tag;
}

/*
 * Without waiting but for those who look whether it is held: after DROP EXTENSION a worker may
 * hold the lock of a number that is given again, and ours would wait for it under the queue's.
 */
bool
job_lock_try(int64 job)
{
	LOCKTAG		tag = job_tag(job);

	for (int i = 0; i < LOCK_TRIES; i++)
	{
		if (LockAcquire(&tag, ExclusiveLock, true, true) != LOCKACQUIRE_NOT_AVAIL)
			return true;
		pg_usleep(LOCK_PAUSE);
	}
	return false;
}

void
job_unlock(int64 job)
{
	LOCKTAG		tag = job_tag(job);

	(void) LockRelease(&tag, ExclusiveLock, true);
}

void
job_lock_keep(int64 job)
{
	LOCKTAG		tag = job_tag(job);

#if PG_VERSION_NUM >= 170000
	if (!LockHeldByMe(&tag, ExclusiveLock, false))
#else
	if (!LockHeldByMe(&tag, ExclusiveLock))
#endif
		(void) LockAcquire(&tag, ExclusiveLock, true, false);
}

bool
job_alive(int64 job)
{
	LOCKTAG		tag = job_tag(job);

	/* A process is never in its own way. */
	if (job == job_current)
		return true;
	if (LockAcquire(&tag, ShareLock, false, true) == LOCKACQUIRE_NOT_AVAIL)
		return true;
	LockRelease(&tag, ShareLock, false);
	return false;
}

int
job_pid(int64 job)
{
	LOCKTAG		tag = job_tag(job);
	LockData   *locks = GetLockStatusData();

	for (int i = 0; i < locks->nelements; i++)
	{
		const LockInstanceData *lock = &locks->locks[i];

		if (memcmp(&lock->locktag, &tag, sizeof(tag)) == 0 &&
			(lock->holdMask & LOCKBIT_ON(ExclusiveLock)) != 0)
			return lock->pid;
	}
	return 0;
}

void
queue_lock(void)
{
	LOCKTAG		tag = queue_tag();

	(void) LockAcquire(&tag, ExclusiveLock, false, false);
}

static bool
queue_lock_try(void)
{
	LOCKTAG		tag = queue_tag();

	return LockAcquire(&tag, ExclusiveLock, false, true) != LOCKACQUIRE_NOT_AVAIL;
}

void
queue_unlock(void)
{
	LOCKTAG		tag = queue_tag();

	(void) LockRelease(&tag, ExclusiveLock, false);
}

/* ------------------------------------------------------------------------
 * Rows
 */

JobFrame
job_frame_begin(void)
{
	JobFrame	frame;

	frame.nest_level = registry_begin();
	frame.before = registry_role_begin("job_rows");
	/* What this transaction has written so far belongs to it. */
	CommandCounterIncrement();
	PushActiveSnapshot(GetLatestSnapshot());
	return frame;
}

void
job_frame_end(JobFrame frame)
{
	PopActiveSnapshot();
	registry_write_end(frame.before);
	registry_end(frame.nest_level);
}

static Datum
text_or_null(const char *text, char *null)
{
	*null = text == NULL ? 'n' : ' ';
	return text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

static Datum
texts_array(const List *texts)
{
	ArrayBuildState *state = initArrayResult(TEXTOID, CurrentMemoryContext, false);
	ListCell   *cell;

	foreach(cell, texts)
		state = accumArrayResult(state, CStringGetTextDatum((char *) lfirst(cell)), false, TEXTOID,
								 CurrentMemoryContext);
	return makeArrayResult(state, CurrentMemoryContext);
}

/* The transaction that last ended a job from here: until it commits, workers do not see that. */
static TransactionId ended_by = InvalidTransactionId;

static bool
ended_unseen(void)
{
	return TransactionIdIsValid(ended_by) && ended_by == GetTopTransactionIdIfAny();
}

bool
job_end(int64 job, const char *state, bool wait, const JobEnd *end)
{
	bool		done;
	Oid			types[9] = {INT8OID, TEXTOID, TEXTOID, INT4OID, TEXTOID, TEXTOID, TEXTOID, TEXTOID,
	TEXTARRAYOID};
	Datum		values[9];
	char		nulls[9];

	memset(nulls, ' ', sizeof(nulls));
	values[0] = Int64GetDatum(job);
	values[1] = text_or_null(state, &nulls[1]);
	values[2] = CStringGetTextDatum(end->state);
	values[3] = Int32GetDatum(end->version);
	values[4] = text_or_null(end->sqlstate, &nulls[4]);
	values[5] = text_or_null(end->message, &nulls[5]);
	values[6] = text_or_null(end->detail, &nulls[6]);
	values[7] = text_or_null(end->hint, &nulls[7]);
	values[8] = texts_array(end->notices);
	done = registry_run(psprintf("UPDATE lstm.job_rows SET state = $3, version = nullif($4, 0),"
								 " sqlstate = $5, message = $6, detail = $7, hint = $8,"
								 " notices = nullif($9, '{}'), ended_at = clock_timestamp()"
								 " WHERE job = (SELECT job FROM lstm.job_rows WHERE job = $1"
								 " AND CASE WHEN $2 IS NULL THEN pid = pg_backend_pid() ELSE state = $2 END"
								 " FOR UPDATE%s)",
								 wait ? "" : " SKIP LOCKED"),
						9, types, values, nulls, false) > 0;
	if (done)
		ended_by = GetTopTransactionIdIfAny();
	return done;
}

/* Another statement with a job's number and maybe a text. */
static uint64
job_run(const char *statement, int64 job, const char *text)
{
	Oid			types[2] = {INT8OID, TEXTOID};
	Datum		values[2] = {Int64GetDatum(job)};
	char		nulls[2] = {' ', ' '};

	values[1] = text_or_null(text, &nulls[1]);
	return registry_run(statement, strstr(statement, "$2") != NULL ? 2 : 1, types, values, nulls, false);
}

JobQueue
queue_read(void)
{
	JobQueue	queue = {NULL, 0};
	SPITupleTable *rows;
	TupleDesc	desc;
	static const char *const statement =
		"SELECT job, model, owner, session_role, state = 'queued', attempts,"
		" coalesce(clock_timestamp() - launched_at BETWEEN '0' AND '5 seconds', false), session_oid"
		" FROM lstm.job_rows WHERE state IN ('queued', 'running') ORDER BY job";

	queue.count = (int) registry_run(statement, 0, NULL, NULL, NULL, true);
	queue.job = palloc0(sizeof(QueuedJob) * Max(queue.count, 1));
	rows = SPI_tuptable;
	desc = rows->tupdesc;
	for (int i = 0; i < queue.count; i++)
	{
		QueuedJob  *one = &queue.job[i];
		HeapTuple	row = rows->vals[i];
		bool		isnull;

		one->job = DatumGetInt64(SPI_getbinval(row, desc, 1, &isnull));
		one->model = SPI_getvalue(row, desc, 2);
		one->owner = SPI_getvalue(row, desc, 3);
		one->session_role = SPI_getvalue(row, desc, 4);
		one->queued = DatumGetBool(SPI_getbinval(row, desc, 5, &isnull));
		one->attempts = DatumGetInt32(SPI_getbinval(row, desc, 6, &isnull));
		one->session_oid = DatumGetObjectId(SPI_getbinval(row, desc, 8, &isnull));
		one->busy = one->queued ? DatumGetBool(SPI_getbinval(row, desc, 7, &isnull)) :
			job_alive(one->job);
	}
	return queue;
}

/* ------------------------------------------------------------------------
 * What is in a job's way
 */

char *
queue_obstacle(const JobQueue *queue, int i, int max_jobs)
{
	const QueuedJob *job = &queue->job[i];
	int			busy = 0;

	for (int k = 0; k < queue->count; k++)
	{
		const QueuedJob *other = &queue->job[k];

		if (k == i)
			continue;
		busy += other->busy;
		if ((other->busy || (other->queued && k < i)) && strcmp(other->model, job->model) == 0 &&
			strcmp(other->owner, job->owner) == 0)
			return psprintf("waits for job " INT64_FORMAT ", which trains model \"%s\", too",
							other->job, job->model);
	}
	if (busy >= max_jobs)
		return psprintf("waits because \"lstm.max_jobs\" allows %d at a time", max_jobs);
	return NULL;
}

static bool
connect_allowed(Oid role)
{
#if PG_VERSION_NUM >= 160000
	return object_aclcheck(DatabaseRelationId, MyDatabaseId, role, ACL_CONNECT) == ACLCHECK_OK;
#else
	return pg_database_aclcheck(MyDatabaseId, role, ACL_CONNECT) == ACLCHECK_OK;
#endif
}

char *
session_obstacle(const char *name, Oid *role, int *sqlstate)
{
	HeapTuple	tuple = SearchSysCache1(AUTHNAME, CStringGetDatum(name));
	bool		login;

	*sqlstate = ERRCODE_UNDEFINED_OBJECT;
	if (!HeapTupleIsValid(tuple))
		return psprintf("role \"%s\" does not exist", name);
	*role = ((Form_pg_authid) GETSTRUCT(tuple))->oid;
	login = ((Form_pg_authid) GETSTRUCT(tuple))->rolcanlogin;
	ReleaseSysCache(tuple);
	*sqlstate = ERRCODE_INSUFFICIENT_PRIVILEGE;
	if (!login)
		return psprintf("role \"%s\" is not permitted to log in", name);
	if (!connect_allowed(*role))
		return psprintf("role \"%s\" is not permitted to connect to database \"%s\"", name,
						get_database_name(MyDatabaseId));
	return NULL;
}

/* May this process start a job of that session user?  See the head of this file. */
static bool
launch_allowed(Oid role)
{
	if (superuser_arg(registry_table_owner("job_rows")))
		return true;
	return role == GetSessionUserId() && !superuser_arg(role);
}

/* ------------------------------------------------------------------------
 * Starting
 */

static BackgroundWorkerHandle *
worker_start(const QueuedJob *job, Oid role, TransactionId xid)
{
	BackgroundWorker worker;
	BackgroundWorkerHandle *handle;
	JobLaunch	launch = {job->job, MyDatabaseId, role, xid, lstm_max_jobs};

	memset(&worker, 0, sizeof(worker));
	snprintf(worker.bgw_name, sizeof(worker.bgw_name), "lstm job " INT64_FORMAT, job->job);
	strlcpy(worker.bgw_type, "lstm job", sizeof(worker.bgw_type));
	worker.bgw_flags = BGWORKER_SHMEM_ACCESS | BGWORKER_BACKEND_DATABASE_CONNECTION;
	worker.bgw_start_time = BgWorkerStart_RecoveryFinished;
	worker.bgw_restart_time = BGW_NEVER_RESTART;
	strlcpy(worker.bgw_library_name, "lstm", sizeof(worker.bgw_library_name));
	strlcpy(worker.bgw_function_name, "lstm_job_main", sizeof(worker.bgw_function_name));
	memcpy(worker.bgw_extra, &launch, sizeof(launch));
	/* Who commits need not hear of its end. */
	worker.bgw_notify_pid = TransactionIdIsValid(xid) ? 0 : MyProcPid;
	return RegisterDynamicBackgroundWorker(&worker, &handle) ? handle : NULL;
}

static void
job_fail(int64 job, int sqlstate, const char *message, const char *hint)
{
	JobEnd		end = {.state = "failed", .message = message, .hint = hint,
	.sqlstate = unpack_sql_state(sqlstate)};

	(void) job_end(job, "queued", false, &end);
}

static void
job_fail_attempts(int64 job)
{
	job_fail(job, ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE,
			 psprintf("the worker was started %d times and ended each time before it began", ATTEMPTS),
			 "The server's log has the reason.");
}

/*
 * Does it wait, and can it ever run?  A job that cannot gets its end.  Sets role, and
 * *obstacle if it is not for this session to start it.
 */
static bool
job_startable(const QueuedJob *job, Oid *role, char **obstacle)
{
	int			sqlstate;
	char	   *why;

	if (!job->queued || job->busy)
		return false;
	why = session_obstacle(job->session_role, role, &sqlstate);
	*obstacle = NULL;
	if (why != NULL)
		job_fail(job->job, sqlstate, why, "Submit the job anew as a role that can log in.");
	else if (*role != job->session_oid)
		job_fail(job->job, ERRCODE_UNDEFINED_OBJECT, psprintf(JOB_OTHER_ROLE, job->session_role),
				 "Submit the job anew.");
	else if (job->attempts >= ATTEMPTS)
		job_fail_attempts(job->job);
	else
	{
		if (!launch_allowed(*role))
			*obstacle = psprintf("waits for a session of user \"%s\" to start it", job->session_role);
		return true;
	}
	return false;
}

static bool
job_among(const List *jobs, int64 job)
{
	ListCell   *cell;

	foreach(cell, jobs)
		if (*(int64 *) lfirst(cell) == job)
			return true;
	return false;
}

static void
job_wait_noted(const QueuedJob *job, const char *reason)
{
	job_run("UPDATE lstm.job_rows SET message = $2 WHERE job = $1 AND state = 'queued'",
			job->job, reason);
	ereport(NOTICE,
			(errmsg("job " INT64_FORMAT " %s", job->job, reason),
			 errdetail("The next job that ends starts it; so do lstm.train_async, lstm.wait and"
					   " CALL lstm.run_jobs().")));
}


int64
queue_start(List *mine, bool only)
{
	static const char *const launched =
		"UPDATE lstm.job_rows SET launched_at = clock_timestamp(), attempts = attempts + 1"
		" WHERE job = (SELECT job FROM lstm.job_rows WHERE job = $1 AND state = 'queued'"
		" FOR UPDATE SKIP LOCKED)";
	JobFrame	frame = job_frame_begin();
	JobQueue	queue = queue_read();
	bool		full = false;
	int64		left = 0;

	for (int i = 0; i < queue.count; i++)
	{
		QueuedJob  *job = &queue.job[i];
		bool		own = job_among(mine, job->job);
		char	   *obstacle;
		Oid			role;

		if ((only && !own) || !job_startable(job, &role, &obstacle))
			continue;
		if (obstacle == NULL)
			obstacle = queue_obstacle(&queue, i, lstm_max_jobs);
		if (obstacle == NULL && (full || worker_start(job, role, GetTopTransactionId()) == NULL))
		{
			full = true;
			obstacle = JOB_NO_WORKER;
			if (left == 0 && role == GetSessionUserId())
				left = job->job;
		}
		if (obstacle == NULL)
			job->busy = job_run(launched, job->job, NULL) > 0;
		else if (own)
			job_wait_noted(job, obstacle);
	}
	job_frame_end(frame);
	return left;
}

/* Waits for the worker to claim its job; false when it ended without. */
static bool
worker_claims(BackgroundWorkerHandle *handle, int64 job)
{
	pid_t		pid;

	for (int waited = 0; waited < START_PATIENCE; waited += START_POLL)
	{
		BgwHandleStatus status = GetBackgroundWorkerPid(handle, &pid);

		if (job_alive(job))
			return true;
		if (status == BGWH_STOPPED || status == BGWH_POSTMASTER_DIED)
			return false;
		(void) WaitLatch(MyLatch, WL_LATCH_SET | WL_TIMEOUT | WL_EXIT_ON_PM_DEATH, START_POLL,
						 PG_WAIT_EXTENSION);
		ResetLatch(MyLatch);
		CHECK_FOR_INTERRUPTS();
	}
	return true;
}

/* The first that may start, as started; -1: none.  Under the queue's lock. */
static int
queue_run_pick(const JobQueue *queue, QueueRun *run, BackgroundWorkerHandle **handle)
{
	for (int i = 0; i < queue->count; i++)
	{
		const QueuedJob *job = &queue->job[i];
		char	   *obstacle;
		Oid			role;

		if (job_among(run->failed, job->job) || !job_startable(job, &role, &obstacle))
			continue;
		if (obstacle == NULL)
			obstacle = queue_obstacle(queue, i, lstm_max_jobs);
		if (obstacle == NULL)
		{
			*handle = worker_start(job, role, InvalidTransactionId);
			if (*handle != NULL)
				return i;
			obstacle = JOB_NO_WORKER;
		}
		if (job->job == run->job)
			run->obstacle = obstacle;
	}
	return -1;
}

/* Still queued, with nothing in its way, though its worker has ended? */
static bool
job_stuck(int64 job)
{
	JobFrame	frame = job_frame_begin();
	JobQueue	queue = queue_read();
	bool		stuck = false;

	for (int i = 0; i < queue.count; i++)
		if (queue.job[i].job == job)
			stuck = queue.job[i].queued && queue_obstacle(&queue, i, lstm_max_jobs) == NULL;
	job_frame_end(frame);
	return stuck;
}

/* Gives it its end; not where it waits for a job that ended by this transaction. */
static void
queue_run_fail(QueueRun *run, int64 job)
{
	MemoryContext caller = MemoryContextSwitchTo(TopTransactionContext);
	int64	   *failed = palloc(sizeof(int64));
	JobFrame	frame;

	*failed = job;
	run->failed = lappend(run->failed, failed);
	MemoryContextSwitchTo(caller);
	run->unseen = ended_unseen();
	if (run->unseen)
		return;
	frame = job_frame_begin();
	job_fail_attempts(job);
	job_frame_end(frame);
}

bool
queue_run(QueueRun *run, bool wait)
{
	BackgroundWorkerHandle *handle = NULL;
	int64		job = 0;

	run->obstacle = NULL;
	for (int attempt = 0; attempt < ATTEMPTS; attempt++)
	{
		MemoryContext caller = CurrentMemoryContext;
		JobFrame	frame;
		JobQueue	queue;
		int			i;

		if (wait)
			queue_lock();
		else if (!queue_lock_try())
			return false;
		frame = job_frame_begin();
		queue = queue_read();
		MemoryContextSwitchTo(caller);
		i = queue_run_pick(&queue, run, &handle);
		if (i >= 0)
			job = queue.job[i].job;
		job_frame_end(frame);
		queue_unlock();
		if (i < 0)
			return false;
		if (worker_claims(handle, job) || !job_stuck(job))
		{
			run->started++;
			return true;
		}
		if (ended_unseen())
			break;
	}
	queue_run_fail(run, job);
	return true;
}

/* ------------------------------------------------------------------------
 * Mending
 */

int
queue_mend(void)
{
	JobEnd		end = {.state = "lost", .message = JOB_LOST,
	.hint = "Submit the job anew; the server's log may have the reason."};
	MemoryContext caller = CurrentMemoryContext;
	JobFrame	frame = job_frame_begin();
	JobQueue	queue = queue_read();
	int			lost = 0;

	/* The row is looked at again as it is now: a job may have ended since. */
	for (int i = 0; i < queue.count; i++)
	{
		QueuedJob  *job = &queue.job[i];

		job->busy = job->queued || job->busy || !job_end(job->job, "running", false, &end);
		lost += !job->busy;
	}
	MemoryContextSwitchTo(caller);
	for (int i = 0; i < queue.count; i++)
		if (!queue.job[i].busy)
			progress_job_collect(queue.job[i].job);
	job_frame_end(frame);
	return lost;
}
