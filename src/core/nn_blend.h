/*
 * nn_blend.h
 *		One forecast from those of models that were trained apart.
 *
 *		y = b y_0 + (1 - b) y_1 + sum over k >= 2 of w_k y_k
 *
 * y_0 and y_1 share a whole between them, b in [0, 1]; the others correct it, so w_k may
 * have either sign, and what they add up to is free.  Knows numbers only: which model
 * said them, when and of what, is the caller's business.
 */
#ifndef NN_BLEND_H
#define NN_BLEND_H

#include "core/nn_env.h"

/* Models of one blend. */
#define NN_BLEND_MIN 2
#define NN_BLEND_MAX 16

/*
 * weight[M] = b, 1 - b, w_2, ...: least squares of (actual - y) / scale over the rows of
 * which everything is known (NaN: not known).  forecast [M][n], actual [n], scale [n] > 0.
 *
 * Each w_k is pulled towards 0 as a standard normal prior does: by the variance of the
 * residuals, against n rows of evidence, so that exact relations are found exactly and
 * a dozen noisy rows are not believed.  Where y_0 and y_1 never differ, b is 0.5.
 * Deterministic; O(n M^2), takes no memory.  Polls.
 */
extern void nn_blend_fit(const NnEnv *env, uint32_t M, size_t n, const double *forecast,
						 const double *actual, const double *scale, double *weight);

/*
 * y from forecast[M].  Where one of y_0 and y_1 is unknown (NaN), the other is the whole;
 * where another y_k is, that whole stands in its place, so that y keeps its level.  NaN
 * when both are unknown.
 */
extern double nn_blend_value(uint32_t M, const double *weight, const double *forecast);

#endif							/* NN_BLEND_H */
