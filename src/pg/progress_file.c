/*
 * progress_file.c
 *		Files of progress in pg_stat_tmp: names, bytes, checksums.
 *
 * Nothing is kept open: a file descriptor would be one more thing that an error could
 * leave behind, and ten openings a second cost nothing.  There is no fsync: what a crash
 * of the machine loses is of no use after it.
 *
 * Knows nothing of who may see what.
 */
#include "postgres.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "miscadmin.h"
#include "pgstat.h"
#include "storage/fd.h"

#include "pg/progress_file.h"

/* "lst" and the version of the struct. */
#define RECORD_MAGIC	0x6c737401
#define EPOCH_MAGIC		0x6c737481

/* A record that is being written is read again, that often, after so many microseconds. */
#define READS			5
#define READ_PAUSE		200

#ifndef O_NOFOLLOW
#define O_NOFOLLOW 0
#endif

/* ------------------------------------------------------------------------
 * Names
 */

static void
process_path(char *path, int pid)
{
	snprintf(path, MAXPGPATH, "%s/lstm.%d", PG_STAT_TMP_DIR, pid);
}

static void
job_path(char *path, Oid database, int64 job)
{
	snprintf(path, MAXPGPATH, "%s/lstm.job.%u." INT64_FORMAT, PG_STAT_TMP_DIR, database, job);
}

/* A number without sign or leading zero up to the end; 0: it is none, or above most. */
static uint64
number_parse(const char *text, char end, uint64 most, const char **after)
{
	uint64		number = 0;

	if (*text == '0')
		return 0;
	for (; *text >= '0' && *text <= '9'; text++)
	{
		if (number > (most - (*text - '0')) / 10)
			return 0;
		number = number * 10 + (*text - '0');
	}
	*after = text + 1;
	return *text == end ? number : 0;
}

bool
progress_name_process(const char *name, int *pid)
{
	const char *after;

	if (strncmp(name, "lstm.", 5) != 0)
		return false;
	*pid = (int) number_parse(name + 5, '\0', PG_INT32_MAX, &after);
	return *pid != 0;
}

bool
progress_name_job(const char *name, Oid *database, int64 *job)
{
	const char *after;

	if (strncmp(name, "lstm.job.", 9) != 0)
		return false;
	*database = (Oid) number_parse(name + 9, '.', PG_UINT32_MAX, &after);
	if (*database == InvalidOid)
		return false;
	*job = (int64) number_parse(after, '\0', PG_INT64_MAX, &after);
	return *job != 0;
}

/* ------------------------------------------------------------------------
 * Bytes
 */

static pg_crc32c
checksum(const void *record, size_t length)
{
	pg_crc32c	crc;

	INIT_CRC32C(crc);
	COMP_CRC32C(crc, record, length);
	FIN_CRC32C(crc);
	return crc;
}

static bool
bytes_write(const char *path, int flags, const void *bytes, size_t length, off_t at)
{
	int			file = BasicOpenFile(path, O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | PG_BINARY | flags);
	ssize_t		written;
	int			code;

	if (file < 0)
		return false;
	errno = 0;
	written = pg_pwrite(file, bytes, length, at);
	/* Less than all without an error is a disk that is full. */
	code = errno != 0 ? errno : ENOSPC;
	close(file);
	errno = code;
	return written == (ssize_t) length;
}

/* Bytes read; -1: there is no such file, or it is no plain one. */
static ssize_t
bytes_read(const char *path, void *bytes, size_t length, off_t at)
{
	/* A pipe would wait for its other end without O_NONBLOCK. */
	int			file = BasicOpenFile(path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | PG_BINARY);
	struct stat status;
	ssize_t		got = -1;

	if (file < 0)
		return -1;
	if (fstat(file, &status) == 0 && S_ISREG(status.st_mode))
		got = pg_pread(file, bytes, length, at);
	close(file);
	return got;
}

/* ------------------------------------------------------------------------
 * A process
 */

bool
progress_file_write(ProgressRecord *record)
{
	char		path[MAXPGPATH];

	process_path(path, record->pid);
	record->magic = RECORD_MAGIC;
	record->crc = checksum(record, offsetof(ProgressRecord, crc));
	return bytes_write(path, 0, record, sizeof(*record), 0);
}

void
progress_file_remove(int pid)
{
	char		path[MAXPGPATH];

	process_path(path, pid);
	(void) unlink(path);
}

bool
progress_file_read(int pid, ProgressRecord *record)
{
	char		path[MAXPGPATH];

	process_path(path, pid);
	for (int i = 0; i < READS; i++)
	{
		ssize_t		got = bytes_read(path, record, sizeof(*record), 0);

		if (got < 0 || (got >= (ssize_t) sizeof(uint32) && record->magic != RECORD_MAGIC))
			return false;
		if (got == sizeof(*record) && record->crc == checksum(record, offsetof(ProgressRecord, crc)))
		{
			record->command[sizeof(record->command) - 1] = '\0';
			record->model[sizeof(record->model) - 1] = '\0';
			record->phase[sizeof(record->phase) - 1] = '\0';
			record->part[sizeof(record->part) - 1] = '\0';
			return record->pid == pid;
		}
		pg_usleep(READ_PAUSE);
	}
	return false;
}

bool
progress_file_is_ours(int pid)
{
	char		path[MAXPGPATH];
	uint32		magic = 0;
	ssize_t		got;

	process_path(path, pid);
	got = bytes_read(path, &magic, sizeof(magic), 0);
	return got == 0 || (got == sizeof(magic) && magic == RECORD_MAGIC);
}

/* ------------------------------------------------------------------------
 * A job
 */

bool
progress_job_write(int64 job, uint64 at, ProgressEpoch *epoch, uint32 n)
{
	char		path[MAXPGPATH];

	job_path(path, MyDatabaseId, job);
	for (uint32 i = 0; i < n; i++)
	{
		epoch[i].magic = EPOCH_MAGIC;
		epoch[i].crc = checksum(&epoch[i], offsetof(ProgressEpoch, crc));
	}
	/* The first write of a job is of none: what an earlier one of its number left goes. */
	return bytes_write(path, at == 0 && n == 0 ? O_TRUNC : 0, epoch, n * sizeof(*epoch),
					   (off_t) (at * sizeof(*epoch)));
}

int
progress_job_read(int64 job, uint64 at, ProgressEpoch *epoch, uint32 n)
{
	char		path[MAXPGPATH];
	ssize_t		got;
	int			whole = 0;

	job_path(path, MyDatabaseId, job);
	got = bytes_read(path, epoch, n * sizeof(*epoch), (off_t) (at * sizeof(*epoch)));
	if (got < 0)
		return -1;
	while (whole < (int) (got / (ssize_t) sizeof(*epoch)) && epoch[whole].magic == EPOCH_MAGIC &&
		   epoch[whole].crc == checksum(&epoch[whole], offsetof(ProgressEpoch, crc)))
		epoch[whole++].part[PROGRESS_PART - 1] = '\0';
	return whole;
}

void
progress_job_remove(Oid database, int64 job)
{
	char		path[MAXPGPATH];

	job_path(path, database, job);
	(void) unlink(path);
}

double
progress_job_age(Oid database, int64 job)
{
	char		path[MAXPGPATH];
	struct stat status;

	job_path(path, database, job);
	if (lstat(path, &status) != 0)
		return -1;
	return Max(0.0, difftime(time(NULL), status.st_mtime));
}
