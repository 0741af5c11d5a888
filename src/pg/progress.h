/*
 * progress.h
 *		What a training is doing, for other sessions to see.
 *
 * A command begins, names its phases, counts what it does, and ends; lstm.progress
 * shows that to its owner's members from any session, while the transaction is still
 * open.  The numbers go through a small file of this server process, written at most
 * ten times a second and at each change of phase; a background job's epochs go
 * through a second one, which outlives the process.
 *
 * Begins nest, and the outermost names the command; without a begin everything else
 * does nothing, as it does in a parallel worker.  A begin ends with the subtransaction
 * that it was made in, if that fails, and with any transaction that fails; the end of a
 * process removes the file.  A commit ends nothing.
 *
 * Nothing here but progress_begin (out of memory), progress_job_collect and
 * progress_job_log raises an error: a disk that is full costs a line in the server's
 * log, and what others see.
 */
#ifndef LSTM_PROGRESS_H
#define LSTM_PROGRESS_H

#include "postgres.h"

#include "fmgr.h"
#include "nodes/execnodes.h"

#include "core/nn_model.h"

/*
 * command: "train", "retrain", "tune", "backtest"; model: its name, "" where there is
 * none; job: number of the background job that this process is, 0: none.  Whose members
 * see it is the current role.  A job's file of epochs begins anew.
 */
extern void progress_begin(const char *command, const char *model, int64 job);
extern void progress_end(void);

/* A word or two: "reading rows", "trying settings", "training", "storing". */
extern void progress_phase(const char *phase);

/* Rows read so far, or in all. */
extern void progress_rows(uint64 rows);

/*
 * Of a command that trains several models: which of them begins ("trial 3 of 20"), how
 * many are done, and how many there are in all, for the end that is estimated.
 */
extern void progress_part(const char *part, uint32 done, uint32 planned);

/* Trainings of one network that this model takes in all; the first is yet to begin. */
extern void progress_plan(uint32 trainings);

/*
 * One of them begins: what it is of ("fold 2 of 6"; NULL: the only one), epochs and
 * seconds (0: no limit) at the most.
 */
extern void progress_training(const char *part, uint32 epochs, double seconds);

/* So many steps of an epoch are done. */
extern void progress_step(uint32 step, uint32 steps);

/* The end of epoch (from 0). */
extern void progress_epoch(uint32 epoch, const NnEpoch *log);

/*
 * Moves the epochs that the job's file holds into lstm.job_log and, when that is
 * committed, removes the file.  In a transaction with a snapshot, after progress_end, by
 * whoever records how the job ended, any number of times.  Without a row of the job in lstm.job_rows the file
 * goes, and so do those of other jobs and databases that are no more.
 */
extern void progress_job_collect(int64 job);

/*
 * Rows of lstm.training_log for a job that the caller may see (42704: none), from its file
 * or from the table.
 */
extern void progress_job_log(ReturnSetInfo *rsinfo, int64 job);

#endif							/* LSTM_PROGRESS_H */
