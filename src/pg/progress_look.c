/*
 * progress_look.c
 *		lstm.progress: what other sessions are training.
 *
 * Reads the file of each process that trains, some microseconds apiece.  A file counts
 * while a process of its number runs that began when the file says; what a crash has left
 * is removed when it is met.  Rows of other databases, and of roles that the reader is no
 * member of, are not shown, unless he may read all statistics or owns the registry.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_authid.h"
#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "storage/fd.h"
#include "storage/procarray.h"
#include "utils/acl.h"
#include "utils/backend_status.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "pg/model_run.h"
#include "pg/progress_file.h"
#include "pg/registry.h"

#define COLUMNS 18

PG_FUNCTION_INFO_V1(lstm_progress_rows);

/* When the process began, as the snapshot of activity has it; 0: it is not there. */
static TimestampTz
backend_start(int pid)
{
	int			n = pgstat_fetch_stat_numbackends();

	for (int i = 1; i <= n; i++)
	{
#if PG_VERSION_NUM >= 160000
		LocalPgBackendStatus *backend = pgstat_get_local_beentry_by_index(i);
#else
		LocalPgBackendStatus *backend = pgstat_fetch_stat_local_beentry(i);
#endif

		if (backend != NULL && backend->backendStatus.st_procpid == pid)
			return backend->backendStatus.st_proc_start_timestamp;
	}
	return 0;
}

/* Whether the process that wrote the record is there still. */
static bool
record_is_alive(const ProgressRecord *record)
{
	if (BackendPidGetProc(record->pid) == NULL)
		return false;
	if (backend_start(record->pid) == record->backend_start)
		return true;
	/* The snapshot is that of the transaction: it may be older than the process. */
	pgstat_clear_backend_activity_snapshot();
	return backend_start(record->pid) == record->backend_start;
}

static bool
record_is_visible(const ProgressRecord *record)
{
	Oid			user = GetUserId();

	return record->database == MyDatabaseId &&
		(has_privs_of_role(user, record->role) || has_privs_of_role(user, ROLE_PG_READ_ALL_STATS) ||
		 has_privs_of_role(user, registry_table_owner("models")));
}

/* Text of a file; NULL where it is empty, or no text of this database. */
static void
text_put(const char *text, Datum *value, bool *isnull)
{
	*isnull = text == NULL || text[0] == '\0' || !pg_verifymbstr(text, (int) strlen(text), true);
	if (!*isnull)
		*value = CStringGetTextDatum(text);
}

/* A count that is not known before there is something to count. */
static void
count_put(uint32 count, uint32 of, Datum *value, bool *isnull)
{
	*isnull = of == 0;
	*value = Int32GetDatum((int32) Min(count, PG_INT32_MAX));
}

static void
record_put(ReturnSetInfo *rsinfo, const ProgressRecord *record)
{
	Datum		values[COLUMNS] = {0};
	bool		nulls[COLUMNS] = {false};
	TimestampTz now = GetCurrentTimestamp();
	char	   *owner = GetUserNameFromId(record->role, true);

	values[0] = Int32GetDatum(record->pid);
	values[1] = Int64GetDatum(record->job);
	nulls[1] = record->job == 0;
	text_put(record->command, &values[2], &nulls[2]);
	text_put(record->model, &values[3], &nulls[3]);
	nulls[4] = owner == NULL;
	if (owner != NULL)
		values[4] = DirectFunctionCall1(namein, CStringGetDatum(owner));
	text_put(record->phase, &values[5], &nulls[5]);
	text_put(record->part, &values[6], &nulls[6]);
	count_put(record->epoch, record->epochs, &values[7], &nulls[7]);
	count_put(record->epochs, record->epochs, &values[8], &nulls[8]);
	count_put(record->step, record->steps, &values[9], &nulls[9]);
	count_put(record->steps, record->steps, &values[10], &nulls[10]);
	result_float(record->loss, &values[11], &nulls[11]);
	result_float(record->validation_loss, &values[12], &nulls[12]);
	values[13] = Int64GetDatum((int64) record->rows);
	nulls[13] = record->rows == 0;
	values[14] = Float8GetDatum(Max(0, now - record->started) / 1e6);
	values[15] = TimestampTzGetDatum(Max(record->end, now));
	nulls[15] = record->end == 0;
	values[16] = TimestampTzGetDatum(record->started);
	values[17] = TimestampTzGetDatum(record->updated);
	result_put(rsinfo, values, nulls);
}

Datum
lstm_progress_rows(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = result_begin(fcinfo);
	DIR		   *folder = AllocateDir(PG_STAT_TMP_DIR);
	struct dirent *entry;

	while ((entry = ReadDirExtended(folder, PG_STAT_TMP_DIR, LOG)) != NULL)
	{
		ProgressRecord record;
		int			pid;

		CHECK_FOR_INTERRUPTS();
		if (!progress_name_process(entry->d_name, &pid))
			continue;
		if (progress_file_read(pid, &record) && record_is_alive(&record))
		{
			if (record_is_visible(&record))
				record_put(rsinfo, &record);
		}
		else if (BackendPidGetProc(pid) == NULL && progress_file_is_ours(pid))
			progress_file_remove(pid);
	}
	FreeDir(folder);
	return (Datum) 0;
}
