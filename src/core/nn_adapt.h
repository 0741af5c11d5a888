/*
 * nn_adapt.h
 *		Intervals that learn from their misses as time goes on.
 *
 * Adaptive conformal inference (Gibbs and Candes 2021), in the form that tracks the
 * width itself (Angelopoulos et al. 2023): every step of the horizon has a factor
 * exp(theta) by which its calibrated half-widths are multiplied; each time a
 * forecast made h steps ago can be checked,
 *
 *		theta_h += rate_h * (share of targets that were missed - (1 - level))
 *
 * so in the long run as many are missed as the level says, whatever the series does.
 * It should walk over rows that the model was not trained on: of those it has seen it
 * misses fewer, and intervals would become too narrow.
 * A step that is checked late is also learned from late.  One adapter walks over the
 * origins of one series at a time, in order.
 */
#ifndef NN_ADAPT_H
#define NN_ADAPT_H

#include "core/nn_data.h"

/*
 * How far one miss moves theta.  A step that is checked h rows late is corrected h times
 * before the first correction shows, so its rate falls with h: a delayed integrator
 * swings unless rate times delay times slope stays below pi / 2, and coverage changes by
 * about 0.3 when theta changes by 1.
 */
#define NN_ADAPT_RATE	0.15	/* at the most */
#define NN_ADAPT_DELAY	3.0		/* rate times delay at the most */
#define NN_ADAPT_MOST	4.0		/* |theta| at the most */

/* Origins before a forecast that are enough to settle, beside a horizon. */
#define NN_ADAPT_ORIGINS 100

typedef struct NnAdapter NnAdapter;

/* For intervals of level [nlevels], which is kept.  Memory: 2 nlevels horizon^2 ntargets doubles. */
extern NnAdapter *nn_adapter_create(const NnEnv *env, uint32_t horizon, uint32_t ntargets,
									const double *level, uint32_t nlevels);

/* Keeps widened intervals within the bounds of spec. */
extern void nn_adapter_bound(NnAdapter *adapter, const NnSpec *spec);

/* Forgets; to be called before another series. */
extern void nn_adapter_reset(NnAdapter *adapter);

/*
 * The next origin (row of the whole): learns from what became known since the
 * one before, then widens or narrows low and high [nlevels][horizon][ntargets] around
 * point [horizon][ntargets].  NaN bounds stay.  Looks at no row after origin.
 */
extern void nn_adapter_step(NnAdapter *adapter, const NnSeries *series, uint32_t origin,
							const double *point, double *low, double *high);

#endif							/* NN_ADAPT_H */
