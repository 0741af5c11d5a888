/*
 * nn_normalize.h
 *		Window statistics and what is done with them, for lanes and for one window
 *		alone (nn_solo.c): the same code, so the same bits.
 */
#ifndef NN_NORMALIZE_H
#define NN_NORMALIZE_H

#include "core/nn_plan.h"

/*
 * One call of an operation of nn_normalize.c.  Element (t, s, c) of the first
 * input lies at x + t * x_step + (s * C + c) * L; y alike.
 */
typedef struct NnNormalizing
{
	const NnEnv *env;
	const NnLayer *layer;
	uint32_t	targets, L;
	const nn_real *x;
	nn_real    *y;
	size_t		x_step, y_step; /* reals from row to row */
	const nn_real *statistics;	/* [targets][2][L]: center, scale */
	const nn_real *gain, *shift;	/* [targets], NULL: 1 and 0 */
} NnNormalizing;

/* y [targets][2][L] from the first channels of x [T][S][C][L]. */
extern void nn_statistics_run(const NnNormalizing *run);

/* y [T][S][C][L]: targets (x - center) / scale * gain + shift, other channels as in x. */
extern void nn_normalize_run(const NnNormalizing *run);

/* y [V * P][L]: locations (x - shift) / gain * scale + center, other outputs as in x. */
extern void nn_denormalize_run(const NnNormalizing *run);

/* The layer whose gain and shift a denormalize layer undoes, or NULL. */
extern const NnLayer *nn_denormalize_undoes(const NnPlan *plan, const NnLayer *layer);

#endif							/* NN_NORMALIZE_H */
