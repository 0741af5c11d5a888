/*
 * nn_predict.h
 *		Forecasts of a whole model: networks, simple members, weights, intervals.
 *
 * What everybody who wants numbers in original units calls.  A model's forecast is
 *
 *		y = w_0 (mean of its networks) + sum_k w_k y_k
 *
 * with the forecasts y_k of its simple members (nn_classic.h) and weights that add
 * up to 1.  Intervals lie around y, see nn_interval.h; without calibration they are
 * what the loss gives, moved to y.
 *
 * Memory is taken by nn_predictor_create, but for what simple members keep of series
 * that the model has not seen (they are fitted at their first window).
 */
#ifndef NN_PREDICT_H
#define NN_PREDICT_H

#include "core/nn_classic.h"
#include "core/nn_forecast.h"
#include "core/nn_member.h"
#include "core/nn_model.h"

typedef struct NnPredictor NnPredictor;

/*
 * For calls of usually that many windows and horizons of at most max_horizon steps.
 * model needs spec, prep, params, and members as its spec says.  NN_NO_MEMORY against
 * env->max_memory.
 */
extern NnPredictor *nn_predictor_create(const NnEnv *env, const NnModel *model,
										const NnKernels *kernels, uint32_t windows,
										uint32_t max_horizon);

/*
 * point [n][horizon][G]; low and high [nlevels][n][horizon][G] (NULL with nlevels 0) for
 * the levels (probabilities between low and high); NaN where there is no interval.
 * data->identity says which trained series each one is.  Polls.
 */
extern void nn_predict(NnPredictor *predictor, const NnData *data, const NnWindow *windows,
					   uint32_t n, uint32_t horizon, const double *level, uint32_t nlevels,
					   double *point, double *low, double *high);

/*
 * The forecast of one member alone: 0 the networks, then the simple members in the
 * order of the spec's bits.  out [n][horizon][G].  head [n][horizon][G][2], or NULL: gets
 * the half-widths below and above that the loss gives at NN_MEASURE_HEAD_LEVEL (member 0,
 * where it gives any).
 */
extern void nn_predict_member(NnPredictor *predictor, const NnData *data,
							  const NnWindow *windows, uint32_t n, uint32_t horizon,
							  uint32_t member, double *out, double *head);

/*
 * Rows up to a window's origin, that one included, on which its forecast depends, but for
 * those that fill gaps in them: the context and what it is differenced against; with simple
 * members, as much of the past as they look at.
 */
extern uint64_t nn_predict_rows(const NnModel *model);

/* To be called before data of another source that may lie at the same address. */
extern void nn_predictor_forget(NnPredictor *predictor);

/* Does the loss give intervals? */
extern bool nn_predictor_has_head(const NnPredictor *predictor);

/* ------------------------------------------------------------------------
 * Members
 */

/*
 * Fits the simple members on the first rows[s] rows of each series into
 * model->classic.
 */
extern void nn_members_fit(const NnEnv *env, const NnSeries *series, const uint32_t *rows,
						   NnModel *model);

/*
 * Convex weights [M] of forecasts [M][n] of actual [n] (NaN: unknown), each error
 * divided by scale [n]: least squares on the simplex, pulled towards shares by the
 * inverse of each member's mean absolute error to the fourth power (pull 0: not at
 * all).  Deterministic.
 */
extern void nn_weights_fit(const NnEnv *env, uint32_t M, size_t n, const double *forecast,
						   const double *actual, const double *scale, double pull,
						   double *weight);

#endif							/* NN_PREDICT_H */
