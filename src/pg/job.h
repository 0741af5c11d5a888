/*
 * job.h
 *		Background jobs: what the queue, the worker and the SQL functions share.
 *
 * A job is a row of lstm.job_rows and, while it runs, a process that holds the job's
 * lock: the row says what was asked for and how it ended, the lock alone says that
 * somebody works on it.  Rows are written here only, as the tables' owner, so that
 * nobody else can write one in the name of another.
 *
 *		queued -> running -> done, failed, cancelled, lost
 *
 * Two kinds of locks, both where SQL's advisory functions cannot reach:
 *	- that of a job, held by its process from the claim to the end;
 *	- that of the queue, held for moments: by a worker that claims a job or has ended
 *	  one, and by a transaction that commits new ones.  So no job that is being
 *	  submitted while another ends is overlooked by both.
 *
 * Who waits for a row while holding the queue's lock would hold up everybody; so
 * under it rows are locked SKIP LOCKED.
 */
#ifndef LSTM_JOB_H
#define LSTM_JOB_H

#include "postgres.h"

#include "access/transam.h"
#include "nodes/pg_list.h"
#include "postmaster/bgworker.h"

#include "pg/grants.h"

extern int	lstm_job_read_timeout;	/* lstm.job_read_timeout: milliseconds, default 60 s, 0: no limit */
extern int	lstm_max_jobs;		/* lstm.max_jobs, default 2, 0: none is started */

/* ------------------------------------------------------------------------
 * Locks
 */

/* For this process from here on; false: another has it. */
extern bool job_lock_try(int64 job);
extern void job_unlock(int64 job);

/* Takes it again if SQL of a user has released it (pg_advisory_unlock_all). */
extern void job_lock_keep(int64 job);

/* Does a process hold the job's lock?  Costs a lock and its release, some microseconds. */
extern bool job_alive(int64 job);

/* The process that holds it, 0: none.  Looks at all locks of the server. */
extern int	job_pid(int64 job);

/* Until queue_unlock or the end of the transaction. */
extern void queue_lock(void);
extern void queue_unlock(void);

/* ------------------------------------------------------------------------
 * Rows
 */

/*
 * Between them statements (registry_run) run as the owner of lstm.job_rows; read-only
 * ones see what is committed at the begin, whatever the transaction's isolation.
 */
typedef struct JobFrame
{
	int			nest_level;
	RegistryRole before;
} JobFrame;

extern JobFrame job_frame_begin(void);
extern void job_frame_end(JobFrame frame);

/* How a job ended.  What is NULL or 0 becomes NULL. */
typedef struct JobEnd
{
	const char *state;
	int			version;
	const char *sqlstate, *message, *detail, *hint;
	List	   *notices;		/* of char * */
} JobEnd;

/*
 * Writes it, if the row's state is the given one (NULL: whatever it is, if this process
 * claimed it); returns whether.
 * wait: for other transactions that have locked the row; otherwise leaves such a row alone.
 * Within a frame.
 */
extern bool job_end(int64 job, const char *state, bool wait, const JobEnd *end);

/* ------------------------------------------------------------------------
 * The queue
 */

/* What a worker is told when it is started (bgw_extra). */
typedef struct JobLaunch
{
	int64		job;
	Oid			database, role; /* session user's */
	TransactionId xid;			/* to wait for before the row is looked at; invalid: none */
	int32		max_jobs;		/* limit that holds for this job */
} JobLaunch;

/* A row of the queue. */
typedef struct QueuedJob
{
	int64		job;
	char	   *model, *owner, *session_role;
	Oid			session_oid;	/* of session_role when the job was submitted */
	bool		queued;			/* false: running, by its row */
	bool		busy;			/* runs, or was started a moment ago */
	int			attempts;		/* starts that led to nothing */
} QueuedJob;

typedef struct JobQueue
{
	QueuedJob  *job;			/* [count], oldest first */
	int			count;
} JobQueue;

/* What stands in the row of a job that found no free worker. */
#define JOB_NO_WORKER "waits because no background worker is free (\"max_worker_processes\")"

/* Rows that are queued or running.  As the owner of lstm.job_rows, with a snapshot. */
extern JobQueue queue_read(void);

/* Why job i may not begin: text for people; NULL when it may. */
extern char *queue_obstacle(const JobQueue *queue, int i, int max_jobs);

/*
 * Why a job of that session user cannot run in this database: text, *sqlstate; NULL: it
 * can, and *role is the user.
 */
extern char *session_obstacle(const char *name, Oid *role, int *sqlstate);

/*
 * Starts what may start, from within a transaction that commits at once and under the
 * queue's lock: workers wait for it.  mine (of int64 *): jobs submitted by it, NOTICEs say
 * of each why it was not started; only: leave others alone.  Returns the first that only a
 * free worker process is missing for and that belongs to this session user, 0: none.
 */
extern int64 queue_start(List *mine, bool only);

/*
 * Starts the oldest job that may start and waits until it runs, has ended or cannot run
 * (then its row says so); from any transaction that may write.  failed (of int64 *): jobs
 * that could not be started, not to be tried again; may grow, in the transaction's memory.
 * unseen: the last of them waits for one that this transaction has ended, and for its commit.
 * Returns false when there was none to start; *obstacle says why the job of that number (0:
 * none) was not.
 * wait: for the queue's lock, which a commit that waits for a standby may hold for long;
 * otherwise there is none to start meanwhile.
 */
typedef struct QueueRun
{
	int64		job;			/* in: whose obstacle is asked for */
	char	   *obstacle;
	List	   *failed;
	bool		unseen;
	int			started;		/* counts */
} QueueRun;

extern bool queue_run(QueueRun *run, bool wait);

/* Rows whose process is gone become lost, their epochs are moved; returns their number. */
extern int	queue_mend(void);

/* What a lost job's row says. */
#define JOB_LOST "the worker ended without a word: killed, or the server was restarted"

/* Number of the job that this process runs, 0: none. */
extern int64 job_current;

/* ------------------------------------------------------------------------
 * The session of a job
 */

/* Settings of this session that a job takes along, as a JSON object. */
extern char *job_settings_text(void);

/* Error 42501 unless the session user may SET ROLE to it. */
extern void job_session_require(Oid role);

/*
 * Does the current role come from a SECURITY DEFINER function or the like, not from SET
 * ROLE?  The session's user has not asked for what is done there, and could be superuser.
 */
extern bool job_session_lent(void);

/*
 * Error 42501 when such a role's job, or the session user's, were a superuser's and the tables'
 * owner is none: he could have written any row.
 */
extern void job_session_refuse_superuser(Oid role);

/* The role; error 42704 when it is gone, or another that got its name. */
extern Oid	job_session_require_owner(const char *owner, const char *oid);

/* What is said of that; its name follows. */
#define JOB_OTHER_ROLE "role \"%s\" is not the one that submitted the job, but a later one of its name"

/* Connected as session user: becomes owner and sets them; error when one is refused. */
extern void job_session_begin(const char *owner, const char *oid, const char *settings);

/* Settings of a worker that no job may change; before each of its transactions. */
extern void job_session_fix(void);

/* NOTICEs and WARNINGs from here on are kept; the last of them as texts. */
extern void job_notices_begin(void);
extern List *job_notices(void);
extern void job_notices_forget(void);

#endif							/* LSTM_JOB_H */
