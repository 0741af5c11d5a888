/*
 * nn_explain.h
 *		What a network's forecast rests on: gradients and attention of its inputs.
 *
 * Forecasts are those of the networks alone (their mean), in original units, through
 * everything that nn_unscale undoes; the simple members of a model are not asked.
 * Only steps that the networks forecast at once (spec->horizon) have gradients.
 *
 * Memory is taken once by nn_explainer_create and planned against the limit.
 */
#ifndef NN_EXPLAIN_H
#define NN_EXPLAIN_H

#include "core/nn_model.h"
#include "core/nn_state.h"

/* Points of the path of an attribution: the first try, then twice as many up to the last. */
#define NN_EXPLAIN_FIRST_POINTS	32
#define NN_EXPLAIN_LAST_POINTS	2048

/* An attribution adds up when it misses the difference by at most this share of it. */
#define NN_EXPLAIN_TOLERANCE	0.005

typedef struct NnExplainer
{
	const NnEnv *env;
	const NnModel *model;
	const NnSpec *spec;
	const NnPlan *plan;
	NnState    *state;			/* of the networks, one after the other */
	double	   *raw, *value, *seed; /* [horizon][ntargets] of one lane */
	double	   *sum;			/* [inputs] of a network, see NnAttribution */
} NnExplainer;

/*
 * Shares of one forecast in its inputs, in the target's units.  They add up to forecast
 * minus baseline, up to NN_EXPLAIN_TOLERANCE where exact says so.
 */
typedef struct NnAttribution
{
	double	   *past;			/* [context][C], C as of NnData; masks have none; that of rows which
								 * padding fills is with the rows that they repeat */
	double	   *future;			/* [horizon][nfuture] */
	double	   *statics;		/* [nstatic] */
	double		forecast;
	double		baseline;		/* forecast from inputs that are all 0 on the scaled axis */
	uint32_t	points;			/* of the path */
	bool		exact;
} NnAttribution;

/* For windows one at a time or many: tiles of up to windows lanes. */
extern NnExplainer *nn_explainer_create(const NnEnv *env, const NnModel *model,
										const NnKernels *kernels, uint32_t windows);

/*
 * Integrated gradients (Sundararajan et al. 2017) of the forecast of step h (from 0) of
 * target k, along the line from inputs that are all at the middle of their scale (0) to
 * the window's own; masks, the series' embedding and the level that differences are
 * added to stay the window's.  Midpoint rule with as many points as it takes.  out's
 * arrays are the caller's.
 */
extern void nn_explain_forecast(NnExplainer *explainer, const NnData *data,
								const NnWindow *window, uint32_t h, uint32_t k,
								NnAttribution *out);

/*
 * Gradient [n][context][C] of each window's sum of weight [n][horizon][ntargets] times
 * forecast with respect to its past on the scaled axis.
 */
extern void nn_explain_past(NnExplainer *explainer, const NnData *data,
							const NnWindow *windows, uint32_t n, const double *weight,
							double *gradient);

/* Steps of the query and of the states of layer i; false where it is no attention. */
extern bool nn_explain_attends(const NnExplainer *explainer, uint32_t i, uint32_t *queries,
							   uint32_t *states);

/*
 * weight [layers][queries][states]: attention of the nlayers layers named by number, one
 * after the other, for a window; means over heads, sites and networks.
 */
extern void nn_explain_attention(NnExplainer *explainer, const NnData *data,
								 const NnWindow *window, const uint32_t *layers,
								 uint32_t nlayers, double *weight);

#endif							/* NN_EXPLAIN_H */
