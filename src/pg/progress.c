/*
 * progress.c
 *		What this process does, told to others while it does it.
 *
 * The one place that keeps what a command said of itself, and its end: at an error of the
 * (sub)transaction, at the end of the process, or when all is done.  What is said between
 * two writes costs a look at the clock at the most.  A job's epochs wait in memory for the next write,
 * so a killed process loses a tenth of a second of them at the most, an error none.
 *
 * Estimating the end: the share of the trainings that are done, and of the one under way
 * that of its epochs or of its time, whichever is more; the rest goes on as fast.
 */
#include "postgres.h"

#include <math.h>

#include "access/parallel.h"
#include "access/xact.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "nodes/pg_list.h"
#include "portability/instr_time.h"
#include "storage/ipc.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "pg/env.h"
#include "pg/progress.h"
#include "pg/progress_file.h"

/* Seconds between two writes. */
#define WRITE_PAUSE		0.1

/* Calls between two looks at the clock at the most, where they take less than so many seconds. */
#define STRIDE_MOST		16
#define STRIDE_PAUSE	0.001

/* Epochs of a job that wait for the next write at the most. */
#define WAITING_EPOCHS	64

/* Seconds that an estimate may say: ten years. */
#define FARTHEST		3.2e8

/* An extension keeps its state for as long as the process lives; NIL: nothing has begun. */
static List *begun = NIL;		/* of each begin the nest level of its transaction */
static bool watched = false;	/* ends of transactions and of the process are */
static bool off;				/* a write has failed */
static ProgressRecord record;
static instr_time written, clock_looked;
static uint32 clock_stride, clock_skips;

static struct WorkPlan
{
	uint32		models, model;	/* of several, and how many are done; models 0: just one */
	uint32		planned, training;	/* of one model, and how many have begun */
	bool		running;		/* the last of them */
	double		seconds;		/* that it may take; 0: no limit */
	instr_time	start, first;	/* of it, and of the first of all */
	bool		any;			/* first is set */
	char		part[PROGRESS_PART];	/* of several models */
} plan;

static struct JobLog
{
	uint64		stored;			/* epochs in the file */
	uint32		waiting;
	uint32		training;		/* counts all of the job */
	bool		off;
	ProgressEpoch epoch[WAITING_EPOCHS];
} job_log;

/* As much of text as fits, cut between characters. */
static void
text_copy(char *to, size_t size, const char *text)
{
	size_t		length = strlen(text);

	if (length >= size)
		length = (size_t) pg_mbcliplen(text, (int) length, (int) size - 1);
	memcpy(to, text, length);
	memset(to + length, 0, size - length);
}

/* ------------------------------------------------------------------------
 * Writing
 */

/* Share of all the work that is done. */
static double
share_done(void)
{
	double		training = plan.training,
				share;

	if (plan.running)
	{
		double		epochs = record.epoch,
					time = plan.seconds > 0 ? seconds_since(plan.start) / plan.seconds : 0;

		if (record.steps > 0)
			epochs += (double) record.step / record.steps;
		share = record.epochs > 0 ? epochs / record.epochs : 0;
		training += Min(Max(share, time), 1.0) - 1;
	}
	share = plan.planned > 0 ? Min(training / plan.planned, 1.0) : 0;
	return plan.models > 0 ? Min((plan.model + share) / plan.models, 1.0) : share;
}

static TimestampTz
end_estimate(TimestampTz now)
{
	double		share = plan.any ? share_done() : 0,
				rest;

	if (!(share > 0))
		return 0;
	rest = seconds_since(plan.first) * (1 - share) / share;
	return rest < FARTHEST ? now + (TimestampTz) (rest * USECS_PER_SEC) : 0;
}

/* A line in the server's log is all that may come of it: training goes on. */
static void
write_failed(const char *what)
{
	ereport(LOG,
			(errcode_for_file_access(),
			 errmsg("could not write %s of process %d: %m", what, MyProcPid),
			 errdetail("The command goes on without it.")));
}

static void
epochs_write(void)
{
	uint32		n = job_log.waiting;

	job_log.waiting = 0;
	if (n == 0 || job_log.off)
		return;
	if (progress_job_write(record.job, job_log.stored, job_log.epoch, n))
		job_log.stored += n;
	else
	{
		job_log.off = true;
		write_failed("the epochs of a job");
	}
}

static void
record_write(void)
{
	INSTR_TIME_SET_CURRENT(written);
	clock_looked = written;
	clock_stride = 1;
	clock_skips = 0;
	epochs_write();
	if (off)
		return;
	record.updated = GetCurrentTimestamp();
	record.end = end_estimate(record.updated);
	if (progress_file_write(&record))
		return;
	off = true;
	write_failed("the progress");
	progress_file_remove(MyProcPid);
}

/*
 * The clock costs as much as a small step, a tenth of a microsecond on some machines: of calls
 * that come quickly only every few look at it.
 */
static void
record_write_if_due(void)
{
	instr_time	now,
				since;
	double		seconds;

	if (++clock_skips < clock_stride)
		return;
	clock_skips = 0;
	INSTR_TIME_SET_CURRENT(now);
	since = now;
	INSTR_TIME_SUBTRACT(since, clock_looked);
	clock_looked = now;
	seconds = INSTR_TIME_GET_DOUBLE(since);
	if (seconds < STRIDE_PAUSE)
		clock_stride = Min(2 * clock_stride, STRIDE_MOST);
	else if (seconds > STRIDE_MOST * STRIDE_PAUSE)
		clock_stride = 1;
	INSTR_TIME_SUBTRACT(now, written);
	if (INSTR_TIME_GET_DOUBLE(now) >= WRITE_PAUSE)
		record_write();
}

/* ------------------------------------------------------------------------
 * Beginning and ending
 */

static void
all_end(void)
{
	epochs_write();
	progress_file_remove(MyProcPid);
	list_free(begun);
	begun = NIL;
}

/* Ends the begins of that level and below. */
static void
level_end(int level)
{
	while (begun != NIL && llast_int(begun) >= level)
	{
		if (list_length(begun) == 1)
			all_end();
		else
			begun = list_delete_last(begun);
	}
}

static void
transaction_ended(XactEvent event, void *arg)
{
	if (event == XACT_EVENT_ABORT)
		level_end(0);
}

static void
subtransaction_ended(SubXactEvent event, SubTransactionId my, SubTransactionId parent, void *arg)
{
	int			level = GetCurrentTransactionNestLevel();
	ListCell   *cell;

	if (event == SUBXACT_EVENT_ABORT_SUB)
		level_end(level);
	if (event == SUBXACT_EVENT_COMMIT_SUB)
		foreach(cell, begun)
			lfirst_int(cell) = Min(lfirst_int(cell), level - 1);
}

static void
process_ended(int code, Datum arg)
{
	if (begun != NIL)
		all_end();
}

static void
job_begin(int64 job)
{
	memset(&job_log, 0, offsetof(struct JobLog, epoch));
	if (job == 0 || progress_job_write(job, 0, job_log.epoch, 0))
		return;
	job_log.off = true;
	write_failed("the epochs of a job");
}

void
progress_begin(const char *command, const char *model, int64 job)
{
	MemoryContext before;

	if (IsParallelWorker())
		return;
	if (!watched)
	{
		RegisterXactCallback(transaction_ended, NULL);
		RegisterSubXactCallback(subtransaction_ended, NULL);
		before_shmem_exit(process_ended, (Datum) 0);
		watched = true;
	}
	before = MemoryContextSwitchTo(TopMemoryContext);
	begun = lappend_int(begun, GetCurrentTransactionNestLevel());
	MemoryContextSwitchTo(before);
	if (list_length(begun) > 1)
		return;

	off = false;
	memset(&plan, 0, sizeof(plan));
	memset(&record, 0, sizeof(record));
	record.pid = MyProcPid;
	record.backend_start = MyStartTimestamp;
	record.database = MyDatabaseId;
	record.role = GetUserId();
	record.job = job;
	record.started = GetCurrentTimestamp();
	record.loss = record.validation_loss = NAN;
	text_copy(record.command, sizeof(record.command), command);
	text_copy(record.model, sizeof(record.model), model);
	text_copy(record.phase, sizeof(record.phase), "starting");
	job_begin(job);
	record_write();
}

void
progress_end(void)
{
	if (begun == NIL)
		return;
	if (list_length(begun) == 1)
		all_end();
	else
		begun = list_delete_last(begun);
}

/* ------------------------------------------------------------------------
 * What it does
 */

void
progress_phase(const char *phase)
{
	if (begun == NIL)
		return;
	plan.running = false;
	text_copy(record.phase, sizeof(record.phase), phase);
	record_write();
}

void
progress_rows(uint64 rows)
{
	if (begun == NIL)
		return;
	record.rows = rows;
	record_write_if_due();
}

/* "trial 3 of 20", "fold 1 of 2" or both; either may be empty. */
static void
part_set(const char *part)
{
	char		both[2 * PROGRESS_PART];

	snprintf(both, sizeof(both), "%s%s%s", plan.part,
			 plan.part[0] != '\0' && part[0] != '\0' ? ", " : "", part);
	text_copy(record.part, sizeof(record.part), both);
}

void
progress_part(const char *part, uint32 done, uint32 planned)
{
	if (begun == NIL)
		return;
	plan.model = done;
	plan.models = planned;
	if (!plan.any)
	{
		INSTR_TIME_SET_CURRENT(plan.first);
		plan.any = true;
	}
	text_copy(plan.part, sizeof(plan.part), part);
	part_set("");
	progress_plan(0);
}

void
progress_plan(uint32 trainings)
{
	if (begun == NIL)
		return;
	plan.planned = trainings;
	plan.training = 0;
	plan.running = false;
	record.epoch = record.epochs = record.step = record.steps = 0;
	record.loss = record.validation_loss = NAN;
}

void
progress_training(const char *part, uint32 epochs, double seconds)
{
	if (begun == NIL)
		return;
	plan.training++;
	plan.running = true;
	plan.seconds = seconds;
	INSTR_TIME_SET_CURRENT(plan.start);
	if (!plan.any)
		plan.first = plan.start;
	plan.any = true;
	part_set(part != NULL ? part : "");
	record.epoch = record.step = record.steps = 0;
	record.epochs = epochs;
	record.loss = record.validation_loss = NAN;
	job_log.training++;
	record_write();
}

void
progress_step(uint32 step, uint32 steps)
{
	if (begun == NIL)
		return;
	record.step = step;
	record.steps = steps;
	record_write_if_due();
}

static void
epoch_keep(uint32 epoch, const NnEpoch *log)
{
	ProgressEpoch *keep = &job_log.epoch[job_log.waiting++];

	memset(keep, 0, sizeof(*keep));
	keep->training = job_log.training;
	keep->epoch = epoch + 1;
	keep->loss = log->loss;
	keep->validation_loss = log->validation_loss;
	keep->learning_rate = log->learning_rate;
	keep->gradient_norm = log->gradient_norm;
	keep->time = GetCurrentTimestamp();
	memcpy(keep->part, record.part, sizeof(keep->part));
	if (job_log.waiting == WAITING_EPOCHS)
		epochs_write();
}

void
progress_epoch(uint32 epoch, const NnEpoch *log)
{
	if (begun == NIL)
		return;
	record.epoch = epoch + 1;
	record.step = 0;
	record.loss = log->loss;
	record.validation_loss = log->validation_loss;
	if (record.job != 0)
		epoch_keep(epoch, log);
	record_write_if_due();
}
