/*
 * parallel.h
 *		Training with the server's parallel workers.
 *
 * Synchronous and data-parallel: every batch is shared out, the leader adds up and
 * steps (core/nn_team.h), so the model is the same bits with any number of
 * workers.  Workers never touch tables; they read one shared-memory block.
 */
#ifndef LSTM_PARALLEL_H
#define LSTM_PARALLEL_H

#include "postgres.h"

#include "core/nn_train.h"

/*
 * Runs the trainer with up to max_parallel_maintenance_workers workers where the
 * work is worth their start (about 50 ms), alone where it is not, where none is
 * free, or where the caller is in parallel mode already.
 */
extern void parallel_train(NnTrainer *trainer);

#endif							/* LSTM_PARALLEL_H */
