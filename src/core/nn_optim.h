/*
 * nn_optim.h
 *		Clipping, penalties, learning rates and the optimisers' steps.
 *
 * Update rules are PyTorch's (torch.optim 1.13) with its placement of epsilon;
 * names and defaults are Keras's.  L1 and L2 add to the gradient of weights
 * (not of biases) before clipping; adamw's decay is decoupled (Loshchilov and
 * Hutter 2019).  Slots: two arrays of nparams.  Cost: a few passes over them.
 */
#ifndef NN_OPTIM_H
#define NN_OPTIM_H

#include "core/nn_plan.h"

typedef struct NnOptim
{
	const NnSpec *spec;
	const NnPlan *plan;
	uint32_t	step;			/* steps taken */
	nn_real    *m, *v;			/* [nparams] each: first and second moments, momentum, squares */
} NnOptim;

extern NnOptim *nn_optim_create(const NnEnv *env, const NnSpec *spec, const NnPlan *plan);

/* Bytes that nn_optim_create takes. */
extern size_t nn_optim_memory(const NnEnv *env, const NnPlan *plan);

/* sum[n] += part[n] */
extern void nn_gradient_add(size_t n, nn_real *sum, const nn_real *part);

/* Adds penalties to the gradient and returns their value (to be added to the loss). */
extern double nn_penalty_add(const NnSpec *spec, const NnPlan *plan, const nn_real *params,
							 nn_real *gradient);

/* Clips by value, then by the norm of the whole; returns the norm before clipping by it. */
extern double nn_gradient_clip(const NnSpec *spec, size_t n, nn_real *gradient);

/* One step: params -= update(gradient). */
extern void nn_optim_step(NnOptim *optim, double learning_rate, nn_real *params,
						  const nn_real *gradient);

/*
 * Learning rate of a step (from 0) of an epoch (from 0) of steps steps.  cuts:
 * reductions so far on a plateau.  "cosine" falls at every step (Loshchilov and
 * Hutter 2017, without restarts), "step" and "plateau" between epochs.  Over the
 * first warmup_steps steps of all, the rate is multiplied by (k + 1) / warmup_steps for
 * step k of the training, and may then be below the minimum.
 */
extern double nn_learning_rate(const NnSpec *spec, uint32_t epoch, uint32_t step,
							   uint32_t steps, uint32_t cuts);

#endif							/* NN_OPTIM_H */
