/*
 * nn_train.h
 *		Fitting the parameters: epochs, batches, validation, early stopping.
 *
 * Back-propagation through the whole window.  Each batch is cut into shards whose
 * gradients are added in their order, so the result does not depend on who
 * computed which (nn_team.h).  All memory is taken by nn_trainer_create; an epoch
 * allocates nothing.
 */
#ifndef NN_TRAIN_H
#define NN_TRAIN_H

#include "core/nn_data.h"
#include "core/nn_model.h"
#include "core/nn_optim.h"
#include "core/nn_state.h"
#include "core/nn_team.h"

typedef struct NnTrainer
{
	const NnEnv *env;
	const NnSpec *spec;
	const NnPlan *plan;
	const NnData *data;
	const NnKernels *kernels;
	const NnWindow *train, *validation;
	uint32_t	ntrain, nvalidation;
	nn_real    *params;			/* [nparams] current; in the shared block while a team works */
	nn_real    *best;			/* [nparams] of the best epoch; NULL without early stopping */
	nn_real    *gradient;		/* [nparams] of the batch */
	uint32_t   *order;			/* [ntrain] order of the epoch */
	NnMember   *leader;			/* this participant, alone or before a team */
	NnJob		job;			/* the leader's, while it is alone */
	NnOptim    *optim;
	NnReport	report;
	uint32_t	epochs;			/* at the most; the spec's, which schedules go by, unless lowered */
	bool	   *frozen;			/* [ntensors] tensors that keep their values; NULL: none */
	nn_real    *initial;		/* [nparams] those values */
	bool		stopped;		/* before its time, by expired */
	/* Called after each epoch (from 0); may be NULL. */
	void		(*on_epoch) (void *host, const struct NnTrainer *trainer, uint32_t epoch);
	/* Asked before each step but the very first: is the time up?  May be NULL. */
	bool		(*expired) (void *host);
	void	   *host;
} NnTrainer;

/* Bytes that nn_trainer_create and its run take; fails when that overflows. */
extern size_t nn_trainer_memory(const NnEnv *env, const NnSpec *spec, const NnPlan *plan,
								uint32_t ntrain);

/*
 * Takes all memory, after holding it against env->max_memory (NN_NO_MEMORY with
 * the number), and draws the initial parameters from spec->seed.
 */
extern NnTrainer *nn_trainer_create(const NnEnv *env, const NnSpec *spec, const NnPlan *plan,
									const NnKernels *kernels, const NnData *data,
									const NnWindow *train, uint32_t ntrain,
									const NnWindow *validation, uint32_t nvalidation);

/*
 * Runs the epochs.  With patience > 0 the weights of the epoch with the least
 * validation loss (training loss without a validation part) end up in params.
 * Fails with NN_DIVERGED when a loss or a parameter leaves the finite numbers.
 */
extern void nn_trainer_run(NnTrainer *trainer);

/* Keeps the current values of the tensors that frozen [ntensors] says, whatever the gradient. */
extern void nn_trainer_freeze(NnTrainer *trainer, const bool *frozen);

/* Mean loss of windows under the current parameters, dropout off; NaN when none. */
extern double nn_trainer_loss(NnTrainer *trainer, const NnWindow *windows, uint32_t n);

/*
 * Puts the trainer at the head of a team of count participants (itself included)
 * that have attached to block (nn_share_write); meet as in nn_team.h.
 */
extern void nn_trainer_join(NnTrainer *trainer, void *block, uint32_t count,
							void (*meet) (void *host), void *host);

/* Sends the team home and takes the parameters back. */
extern void nn_trainer_leave(NnTrainer *trainer);

/* One optimiser step on n windows of trainer->leader->batch; returns the sum of losses. */
extern double nn_trainer_step(NnTrainer *trainer, uint32_t n, double learning_rate,
							  uint64_t *known, double *norm);

#endif							/* NN_TRAIN_H */
