/*
 * progress.h
 *		What a training is doing, for other sessions to see.
 *
 * A command begins, names its phases, counts what it does, and ends; lstm.progress
 * shows that to its owner's members from any session, while the transaction is still
 * open.  The numbers go through a small file of this server process, written at most
 * ten times a second; a background job's epochs go through a second one, which
 * outlives the process.
 *
 * Begins nest, and the outermost names the command; without a begin everything else
 * does nothing.  An error ends it all with its (sub)transaction, the end of a process
 * removes the file.
 */
#ifndef LSTM_PROGRESS_H
#define LSTM_PROGRESS_H

#include "postgres.h"

#include "core/nn_model.h"

/*
 * command: "train", "retrain", "tune", "backtest"; model: its name, "" where there is
 * none; job: number of the background job that this process is, 0: none.
 */
extern void progress_begin(const char *command, const char *model, int64 job);
extern void progress_end(void);

/* A word or two: "reading rows", "trying settings", "training", "storing". */
extern void progress_phase(const char *phase);

/* Rows read so far, or in all. */
extern void progress_rows(uint64 rows);

/* Trainings of one network that the command takes in all, for the end that is estimated. */
extern void progress_plan(uint32 trainings);

/* One of them begins: what it is of ("fold 2 of 6"; NULL: the only one), epochs at the most. */
extern void progress_training(const char *part, uint32 epochs);

/* Within an epoch (from 0). */
extern void progress_step(uint32 step, uint32 steps);

/* The end of epoch (from 0). */
extern void progress_epoch(uint32 epoch, const NnEpoch *log);

/*
 * Moves the epochs that job's file holds into lstm.job_log and removes the file.  In a
 * transaction with a snapshot; by whoever records how the job ended.
 */
extern void progress_job_collect(int64 job);

#endif							/* LSTM_PROGRESS_H */
