/*
 * nn_state.h
 *		One participant's working memory, and running the list over one tile.
 *
 * All slabs are taken once, before the first step; forward and backward never
 * allocate.  Parameters are shared and read-only here; packed weights are this
 * participant's copy, refreshed by nn_state_pack after each optimiser step.
 */
#ifndef NN_STATE_H
#define NN_STATE_H

#include "core/nn_plan.h"

typedef struct NnState
{
	const NnEnv *env;
	const NnPlan *plan;
	const NnKernels *kernels;
	nn_real    *params;			/* [nparams] */
	nn_real    *packed;			/* [npacked] */
	nn_real    *activations;	/* layers' outputs, each [T][S][C][L] */
	nn_real    *gradients;		/* of the outputs, same layout; NULL when forecasting */
	nn_real    *saved;			/* what forward leaves for backward; not to be had when forecasting */
	nn_real    *scratch;
	nn_real    *memory;			/* layers leave their state here after the last step; NULL: nowhere */
	bool		resumes;		/* forward goes on from memory instead of from zeros */
	nn_real    *dparams;		/* [nparams] gradient, added to by backward; NULL when forecasting */
	uint32_t	L;				/* lanes of the current tile, multiple of NN_LANES */
	uint32_t   *identity;		/* [lanes] the trained series each lane shows, or NN_IDENTITY_* */
	uint32_t   *missing;		/* [lanes] bit i: no row of array column i is known in the lane */
	bool		training;		/* dropout is on */
	bool		explain;		/* gradients of the input layers are wanted too */
	uint64_t	seed;			/* of the dropout masks */
	uint32_t	step;			/* optimiser step: dropout masks depend on it ... */
	uint32_t	first_lane;		/* ... and on the place of the tile in its batch */
} NnState;

/*
 * Takes the slabs; params stay the caller's.  saved, gradients and dparams are
 * taken when training.
 */
extern NnState *nn_state_create(const NnEnv *env, const NnPlan *plan, const NnKernels *kernels,
								nn_real *params, bool training);

/*
 * A state for next (nn_plan_continue), that goes on where state's forward ended:
 * state leaves its layers' states from now on, both share all but activations.
 * For forecasting only.
 */
extern NnState *nn_state_continue(NnState *state, const NnPlan *next);

/* Lays out params for the kernels anew; to be called after every change of params. */
extern void nn_state_pack(NnState *state);

/*
 * Runs all layers on the tile whose inputs lie in the outputs of the input
 * layers (nn_state_output(state, NN_LAYER_PAST) and so on).
 */
extern void nn_state_forward(NnState *state);

/*
 * Runs the list downwards: the gradient of the output layer must be in
 * nn_state_gradient(state, plan->output_layer); adds to dparams.  Gradients of
 * other layers are cleared first.  With state->explain (to be set before
 * nn_state_pack), gradients of the input layers are computed as well.
 */
extern void nn_state_backward(NnState *state);

/* Output [T][S][C][L] of layer i, and its gradient. */
extern nn_real *nn_state_output(const NnState *state, uint32_t i);
extern nn_real *nn_state_gradient(const NnState *state, uint32_t i);

#endif							/* NN_STATE_H */
