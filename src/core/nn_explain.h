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
	double	   *raw, *value, *seed; /* [horizon][ntargets] of one lane and site */
	double	   *sum;			/* [inputs] of a network, see NnAttribution */
} NnExplainer;

/*
 * Shares of one forecast in its inputs, those of all sites (S = spec->nsites), in the
 * target's units.  They add up to forecast
 * minus baseline, up to NN_EXPLAIN_TOLERANCE where exact says so.
 */
typedef struct NnAttribution
{
	double	   *past;			/* [context][S][C], C as of NnData; masks have none; that of rows
								 * which padding fills is with the rows that they repeat */
	double	   *future;			/* [horizon][S][nfuture] */
	double	   *statics;		/* [S][nstatic] */
	double	   *arrays;			/* [narrays][context][S], over all numbers of a row's array */
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
 * forecast with respect to its past on the scaled axis.  With several sites the windows
 * are all series of a time, in their order, then those of the next; the sum is then that
 * of all windows of the time.
 */
extern void nn_explain_past(NnExplainer *explainer, const NnData *data,
							const NnWindow *windows, uint32_t n, const double *weight,
							double *gradient);

/* ------------------------------------------------------------------------
 * What a network shows of itself
 */
typedef enum NnLookKind
{
	NN_LOOK_STEPS,				/* attention: a share for each state, of each query */
	NN_LOOK_SITES,				/* graph_attention: of the site itself, then of its sources */
	NN_LOOK_BRANCHES			/* fuse: of each input */
} NnLookKind;

typedef struct NnLook
{
	NnLookKind	kind;
	uint32_t	layer;
	uint32_t	rows, columns;	/* queries and states; else 1 row */
	uint32_t	first;			/* sites: edge that the second column stands for */
} NnLook;

/* What layer i has to show of a site (0 where there is one); false: nothing. */
extern bool nn_explain_look(const NnExplainer *explainer, uint32_t i, uint32_t site, NnLook *look);

/* Site that column i of a look at sites stands for. */
extern uint32_t nn_explain_source(const NnExplainer *explainer, const NnLook *look, uint32_t site,
								  uint32_t i);

/*
 * weight [rows][columns] of n looks one after the other, for a window; means over
 * networks, heads, steps (not those of queries) and, where they are not the model's, sites.
 */
extern void nn_explain_looks(NnExplainer *explainer, const NnData *data, const NnWindow *window,
							 const NnLook *look, uint32_t n, double *weight);

#endif							/* NN_EXPLAIN_H */
