/*
 * progress_file.h
 *		The files behind progress.h: one of each server process that trains, one of each job.
 *
 * They lie in pg_stat_tmp of the data directory, which backups leave out and which every
 * server version has.  PostgreSQL 14 clears only files of its own names there after a crash,
 * later versions none, so a job's file outlives the crash that ended the job.
 *
 *		lstm.<process>				one ProgressRecord, written over and over
 *		lstm.job.<database>.<job>	ProgressEpoch after ProgressEpoch
 *
 * Every record ends with a checksum: half of one, or another's file, is no record.  No
 * function here raises an error; each costs an open, one transfer and a close, some
 * microseconds.
 */
#ifndef LSTM_PROGRESS_FILE_H
#define LSTM_PROGRESS_FILE_H

#include "postgres.h"

#include "datatype/timestamp.h"
#include "port/pg_crc32c.h"

#define PROGRESS_PART 96

/* What one process does.  Texts are in the encoding of its database. */
typedef struct ProgressRecord
{
	uint32		magic;			/* of this struct; others are no record */
	int32		pid;
	TimestampTz backend_start;	/* tells the process from a later one of the same number */
	Oid			database, role;
	int64		job;			/* 0: none */
	TimestampTz started, updated;
	TimestampTz end;			/* estimated; 0: unknown */
	uint64		rows;
	uint32		epoch, epochs, step, steps; /* done, of */
	double		loss, validation_loss;	/* of the last epoch; NaN: unknown */
	char		command[16], model[64], phase[32];
	char		part[PROGRESS_PART];
	pg_crc32c	crc;
} ProgressRecord;

/* One epoch of a job. */
typedef struct ProgressEpoch
{
	uint32		magic;
	uint32		training;		/* counts from 1 within the job */
	uint32		epoch;			/* from 1 */
	double		loss, validation_loss, learning_rate, gradient_norm;	/* NaN: unknown */
	TimestampTz time;
	char		part[PROGRESS_PART];	/* "": the only training */
	pg_crc32c	crc;
} ProgressEpoch;

/* The file of this process.  write sets magic and checksum; false: it failed, errno says how. */
extern bool progress_file_write(ProgressRecord *record);
extern void progress_file_remove(int pid);

/* That of another; false: there is none, or it is no record. */
extern bool progress_file_read(int pid, ProgressRecord *record);

/* Whether a file of that process is ours to remove: a record, whole or not, or nothing. */
extern bool progress_file_is_ours(int pid);

/*
 * The file of a job of this database.  write puts n records at place number at, setting magic
 * and checksums; false: it failed.  read returns how many of up to n whole records there are
 * from there on; -1: there is no file.
 */
extern bool progress_job_write(int64 job, uint64 at, ProgressEpoch *epoch, uint32 n);
extern int	progress_job_read(int64 job, uint64 at, ProgressEpoch *epoch, uint32 n);
extern void progress_job_remove(Oid database, int64 job);

/* Seconds since a job's file was written last; -1: there is none. */
extern double progress_job_age(Oid database, int64 job);

/* The numbers in a file's name; false: it is not such a file. */
extern bool progress_name_process(const char *name, int *pid);
extern bool progress_name_job(const char *name, Oid *database, int64 *job);

#endif							/* LSTM_PROGRESS_FILE_H */
