/*
 * nn_loss.h
 *		What a forecast's error costs, its gradient, and reading raw outputs.
 *
 * raw is [values][outputs][L]: for each of values = horizon * ntargets forecast
 * values its raw network outputs:
 *	mse, mae, huber		1: the forecast
 *	quantile			one per quantile, ascending
 *	gaussian			2: mu, s;		sigma = softplus(s) + NN_MIN_SIGMA
 *	student_t			3: mu, s, n;	nu = 2 + softplus(n) + NN_MIN_SIGMA
 * target is [values][L]; NaN there is unknown and costs nothing.  All values are
 * scaled ones.  Likelihoods are mean negative log densities, constants included.
 */
#ifndef NN_LOSS_H
#define NN_LOSS_H

#include "core/nn_spec.h"

#define NN_MIN_SIGMA 1e-4

/*
 * Sum of losses over the known targets of a tile (not yet divided by their
 * number, which is added to *known).  draw [values][outputs][L], when not NULL,
 * gets the gradient of sum * factor.
 */
extern double nn_loss_compute(const NnSpec *spec, uint32_t values, uint32_t L,
							  const nn_real *raw, const nn_real *target, double factor,
							  nn_real *draw, uint64_t *known);

/* The point forecast (median or mean) of one value from its raw outputs [outputs]. */
extern double nn_loss_point(const NnSpec *spec, const double *raw);

/* True when the loss gives intervals. */
extern bool nn_loss_has_interval(const NnSpec *spec);

/*
 * Quantile p (0 < p < 1) of one value from its raw outputs, on the scaled axis.
 * Quantile heads interpolate between their quantiles (after sorting, so that
 * they never cross) and beyond the outermost go on as a Gaussian through the
 * median and the outermost quantile would.
 */
extern double nn_loss_quantile(const NnSpec *spec, const double *raw, double p);

#endif							/* NN_LOSS_H */
