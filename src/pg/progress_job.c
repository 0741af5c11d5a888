/*
 * progress_job.c
 *		The epochs of background jobs: from the job's file into lstm.job_log, and shown.
 *
 * A job's transaction may fail, its process or the server may be killed: the file has its
 * epochs all the same.  Who notes how the job ended moves them into the table, as the
 * tables' owner, since nobody else may write there.  Moving again what was moved changes
 * nothing, so that it matters to nobody which of the two was lost with a transaction.
 *
 * Costs an insertion for each epoch, in batches.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "pgstat.h"
#include "storage/fd.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/rel.h"
#include "utils/snapmgr.h"
#include "utils/syscache.h"

#include "pg/env.h"
#include "pg/job.h"
#include "pg/model_run.h"
#include "pg/progress.h"
#include "pg/progress_file.h"
#include "pg/registry.h"

/* Epochs moved by one statement. */
#define BATCH 500

/* Seconds after which a file that no row of a job explains is forgotten. */
#define FORGET_AFTER 3600

#define LOG_COLUMNS 7

PG_FUNCTION_INFO_V1(lstm_job_log_cascade);

/* Jobs whose files go when the transaction commits. */
typedef struct Collected
{
	int64		job;
	int			level;			/* nest level of the transaction */
} Collected;

static List *collected = NIL;
static bool watched = false;

/* ------------------------------------------------------------------------
 * Removing files
 */

static void
transaction_ended(XactEvent event, void *arg)
{
	ListCell   *cell;

	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
		return;
	if (event == XACT_EVENT_COMMIT)
		foreach(cell, collected)
			progress_job_remove(MyDatabaseId, ((Collected *) lfirst(cell))->job);
	list_free_deep(collected);
	collected = NIL;
}

static void
subtransaction_ended(SubXactEvent event, SubTransactionId my, SubTransactionId parent, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();
	ListCell   *cell;

	foreach(cell, collected)
	{
		Collected  *one = lfirst(cell);

		if (one->level < level)
			continue;
		if (event == SUBXACT_EVENT_ABORT_SUB)
		{
			collected = foreach_delete_current(collected, cell);
			pfree(one);
		}
		else if (event == SUBXACT_EVENT_COMMIT_SUB)
			one->level = level - 1;
	}
}

static void
remove_at_commit(int64 job)
{
	MemoryContext before = MemoryContextSwitchTo(TopMemoryContext);
	Collected  *one = palloc(sizeof(Collected));

	if (!watched)
	{
		RegisterXactCallback(transaction_ended, NULL);
		RegisterSubXactCallback(subtransaction_ended, NULL);
		watched = true;
	}
	*one = (Collected) {job, GetCurrentTransactionNestLevel()};
	collected = lappend(collected, one);
	MemoryContextSwitchTo(before);
}

/* ------------------------------------------------------------------------
 * Collecting
 */

/* Role of the job's row, NULL: there is none; has it ended, by its row?  Within a frame. */
static char *
job_owner(int64 job, bool *ended)
{
	Oid			type = INT8OID;
	Datum		value = Int64GetDatum(job);

	if (registry_run("SELECT owner, state IN ('queued', 'running') FROM lstm.job_rows WHERE job = $1",
					 1, &type, &value, NULL, true) == 0)
		return NULL;
	if (ended != NULL)
		*ended = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2)[0] == 'f';
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

/* Columns of a batch, in the order of the statement's parameters from $3 on. */
#define NUMBERS 6

typedef struct Batch
{
	Datum		value[NUMBERS + 2][BATCH];
	bool		isnull[NUMBERS + 2][BATCH];
} Batch;

static Datum
column_array(Batch *batch, int column, int n, Oid type)
{
	int			lower = 1;
	int16		length;
	bool		by_value;
	char		align;

	get_typlenbyvalalign(type, &length, &by_value, &align);
	return PointerGetDatum(construct_md_array(batch->value[column], batch->isnull[column], 1, &n,
											  &lower, type, length, by_value, align));
}

static void
epochs_insert(int64 job, const char *owner, const ProgressEpoch *epoch, int n)
{
	static const char *const statement =
		"INSERT INTO lstm.job_log (job, owner, training, epoch, loss, validation_loss, learning_rate,"
		" gradient_norm, part, logged_at)"
		" SELECT $1, $2, e.training::int, e.epoch::int, e.loss, e.validation_loss, e.learning_rate,"
		" e.gradient_norm, e.part, e.logged_at"
		" FROM unnest($3, $4, $5, $6, $7, $8, $9, $10)"
		" AS e (training, epoch, loss, validation_loss, learning_rate, gradient_norm, part, logged_at)"
		" ON CONFLICT DO NOTHING";
	Oid			types[NUMBERS + 4] = {INT8OID, NAMEOID};
	Datum		values[NUMBERS + 4] = {
		Int64GetDatum(job), DirectFunctionCall1(namein, CStringGetDatum(owner))
	};
	Batch	   *batch = palloc0(sizeof(Batch));

	for (int i = 0; i < n; i++)
	{
		double		numbers[NUMBERS] = {
			epoch[i].training, epoch[i].epoch, epoch[i].loss, epoch[i].validation_loss,
			epoch[i].learning_rate, epoch[i].gradient_norm
		};

		for (int k = 0; k < NUMBERS; k++)
			result_float(numbers[k], &batch->value[k][i], &batch->isnull[k][i]);
		batch->value[NUMBERS][i] = CStringGetTextDatum(epoch[i].part);
		batch->isnull[NUMBERS][i] = epoch[i].part[0] == '\0';
		batch->value[NUMBERS + 1][i] = TimestampTzGetDatum(epoch[i].time);
	}
	for (int k = 0; k < NUMBERS + 2; k++)
	{
		Oid			type = k < NUMBERS ? FLOAT8OID : k == NUMBERS ? TEXTOID : TIMESTAMPTZOID;

		types[k + 2] = get_array_type(type);
		values[k + 2] = column_array(batch, k, n, type);
	}
	(void) registry_run(statement, NUMBERS + 4, types, values, NULL, false);
}

static void
epochs_move(int64 job, const char *owner)
{
	MemoryContext before = CurrentMemoryContext,
				batch = AllocSetContextCreate(before, "lstm job log", ALLOCSET_DEFAULT_SIZES);
	ProgressEpoch *epoch = palloc(sizeof(ProgressEpoch) * BATCH);
	uint64		at = 0;
	int			n;

	while ((n = progress_job_read(job, at, epoch, BATCH)) > 0)
	{
		CHECK_FOR_INTERRUPTS();
		MemoryContextSwitchTo(batch);
		epochs_insert(job, owner, epoch, n);
		MemoryContextSwitchTo(before);
		MemoryContextReset(batch);
		at += n;
	}
	MemoryContextDelete(batch);
	pfree(epoch);
}

/* A file of a job of this database: one that was terminated had no time to move its epochs. */
static void
job_file_clean(int64 job)
{
	bool		ended = false;
	char	   *owner;

	if (job_alive(job))
		return;
	owner = job_owner(job, &ended);
	if (ended)
		epochs_move(job, owner);
	if (ended || (owner == NULL && progress_job_age(MyDatabaseId, job) >= FORGET_AFTER))
		remove_at_commit(job);
}

/* Files of dropped databases, and of jobs of this one that have ended, or are unknown by now. */
static void
folder_clean(void)
{
	DIR		   *folder = AllocateDir(PG_STAT_TMP_DIR);
	struct dirent *entry;

	while ((entry = ReadDirExtended(folder, PG_STAT_TMP_DIR, LOG)) != NULL)
	{
		Oid			database;
		int64		job;

		CHECK_FOR_INTERRUPTS();
		if (!progress_name_job(entry->d_name, &database, &job))
			continue;
		if (database == MyDatabaseId)
			job_file_clean(job);
		else if (progress_job_age(database, job) >= FORGET_AFTER &&
				 !SearchSysCacheExists1(DATABASEOID, ObjectIdGetDatum(database)))
			progress_job_remove(database, job);
	}
	FreeDir(folder);
}

void
progress_job_collect(int64 job)
{
	JobFrame	frame = job_frame_begin();
	char	   *owner = job_owner(job, NULL);

	if (owner != NULL)
		epochs_move(job, owner);
	folder_clean();
	job_frame_end(frame);
	remove_at_commit(job);
}

/* Trigger of lstm.job_rows: the log of a job goes with its row. */
Datum
lstm_job_log_cascade(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	Oid			type = INT8OID;
	Datum		value;
	bool		isnull;
	int			nest_level;
	RegistryRole before;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event) || !TRIGGER_FIRED_BY_DELETE(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("lstm.job_log_cascade() must be called as an AFTER DELETE ROW trigger")));
	value = SPI_getbinval(trigger->tg_trigtuple, trigger->tg_relation->rd_att,
						  SPI_fnumber(trigger->tg_relation->rd_att, "job"), &isnull);
	nest_level = registry_begin();
	before = registry_role_begin("job_log");
	registry_run("DELETE FROM lstm.job_log WHERE job = $1", 1, &type, &value, NULL, false);
	registry_write_end(before);
	registry_end(nest_level);
	remove_at_commit(DatumGetInt64(value));
	return PointerGetDatum(NULL);
}

/* ------------------------------------------------------------------------
 * Showing
 */

static void
epoch_put(ReturnSetInfo *rsinfo, const ProgressEpoch *epoch)
{
	Datum		values[LOG_COLUMNS] = {0};
	bool		nulls[LOG_COLUMNS] = {false};

	values[0] = Int32GetDatum((int32) epoch->epoch);
	result_float(epoch->loss, &values[1], &nulls[1]);
	result_float(epoch->validation_loss, &values[2], &nulls[2]);
	result_float(epoch->learning_rate, &values[3], &nulls[3]);
	result_float(epoch->gradient_norm, &values[4], &nulls[4]);
	values[5] = Int32GetDatum((int32) epoch->training);
	nulls[6] = epoch->part[0] == '\0';
	if (!nulls[6])
		values[6] = CStringGetTextDatum(epoch->part);
	result_put(rsinfo, values, nulls);
}

/* Rows of the file; false: there is none. */
static bool
file_put(ReturnSetInfo *rsinfo, int64 job)
{
	CallMemory	memory = call_memory_begin();
	ProgressEpoch *epoch = palloc(sizeof(ProgressEpoch) * BATCH);
	uint64		at = 0;
	int			n;

	while ((n = progress_job_read(job, at, epoch, BATCH)) > 0)
	{
		CHECK_FOR_INTERRUPTS();
		for (int i = 0; i < n; i++)
			epoch_put(rsinfo, &epoch[i]);
		at += n;
	}
	call_memory_end(memory);
	return at > 0 || n == 0;
}

/* Rows of the table as it is now, with the caller's rights; returns their number. */
static uint64
table_put(ReturnSetInfo *rsinfo, int64 job)
{
	Oid			type = INT8OID;
	Datum		value = Int64GetDatum(job);
	int			nest_level;
	uint64		n;

	/* The statement's snapshot may be older than the move out of the file. */
	PushActiveSnapshot(GetLatestSnapshot());
	nest_level = registry_begin();
	n = registry_run("SELECT epoch, loss, validation_loss, learning_rate, gradient_norm, training, part"
					 " FROM lstm.job_log WHERE job = $1 ORDER BY training, epoch",
					 1, &type, &value, NULL, true);
	for (uint64 i = 0; i < n; i++)
	{
		Datum		values[LOG_COLUMNS];
		bool		nulls[LOG_COLUMNS];

		heap_deform_tuple(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, values, nulls);
		result_put(rsinfo, values, nulls);
	}
	registry_end(nest_level);
	PopActiveSnapshot();
	return n;
}

static bool
job_is_visible(int64 job)
{
	Oid			user = GetUserId(),
				role;
	JobFrame	frame = job_frame_begin();
	char	   *owner = job_owner(job, NULL);
	bool		visible;

	role = owner != NULL ? get_role_oid(owner, true) : InvalidOid;
	visible = owner != NULL && ((OidIsValid(role) && has_privs_of_role(user, role)) ||
								has_privs_of_role(user, registry_table_owner("job_rows")));
	job_frame_end(frame);
	return visible;
}

void
progress_job_log(ReturnSetInfo *rsinfo, int64 job)
{
	if (!job_is_visible(job))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("job " INT64_FORMAT " does not exist", job),
				 errhint("lstm.jobs lists the jobs that you can see.")));
	/* The table first: a file that is there as well is one that nobody removed. */
	if (table_put(rsinfo, job) == 0 && !file_put(rsinfo, job))
		(void) table_put(rsinfo, job);
}
