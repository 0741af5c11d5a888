/*
 * nn_smoothing.h
 *		Exponential smoothing: Holt's trend, Holt-Winters, simple smoothing for Theta.
 *
 * Recursions over one column y[n], NaN where nothing is known; its first and last
 * values must be known, and values should be of order 1 (the caller scales them).
 * Nothing here allocates: arrays of a season's length are the caller's.
 */
#ifndef NN_SMOOTHING_H
#define NN_SMOOTHING_H

#include "core/nn_env.h"

/*
 * The weights of one fit, in the error-correction form of Hyndman, Koehler, Ord and
 * Snyder 2008: with the error e of the one-step forecast (level + phi slope) + season,
 *
 *	level  = level + phi slope + alpha e
 *	slope  = phi slope + beta e
 *	season = season + gamma e
 *
 * and for a multiplicative season, forecast (level + phi slope) season, with e / season
 * in the first two and e / (level + phi slope) in the last.  The beta* of Hyndman and
 * Athanasopoulos 2021 (8.3) is beta / alpha; their gamma is this one.  Admissible:
 * 0 < alpha < 1, 0 < beta < alpha, 0 < gamma < 1 - alpha, 0.8 <= phi <= 0.98, or phi
 * = 1 undamped.  The search deviates from R's in one bound, beta < alpha / season: a
 * slope that turns over within a season follows the season's own ups and downs, which
 * lessens one-step errors and ruins forecasts of a season or two (measured on hourly
 * and monthly series).
 */
typedef struct NnSmoothingWeights
{
	double		alpha, beta, gamma, phi;
} NnSmoothingWeights;

typedef struct NnSmoothing
{
	const double *y;			/* [n] */
	uint32_t	n;
	uint32_t	season;			/* rows; 1: none, which is Holt's linear trend */
	bool		multiplicative; /* season; all of y must be positive */
	bool		damped;			/* trend */
	double		level, slope;	/* of the row before the first */
	double	   *pattern;		/* [season] initial season, that of row t at t % season */
	/* Left by nn_smoothing_run: */
	double		end_level, end_slope;	/* of the last row */
	double	   *state;			/* [season] */
} NnSmoothing;

/*
 * Classical decomposition (Hyndman and Athanasopoulos 2021, 3.4): pattern[season] is
 * the mean distance of the known values of each phase (t % season) from the centred
 * moving average, brought to sum 0; multiplicative: the mean ratio, brought to mean 1,
 * at least 0.01.  filled[n] is y without gaps.  n >= 2 season.  count[season] is
 * scratch.  A phase without any known value gets 0 (1).  O(n), whatever the season.
 */
extern void nn_pattern_estimate(const double *y, const double *filled, uint32_t n,
								uint32_t season, bool multiplicative, double *pattern,
								uint32_t *count);

/* out[n]: y without the season; unknown stays unknown.  out may be y. */
extern void nn_pattern_remove(const double *y, uint32_t n, uint32_t season, bool multiplicative,
							  const double *pattern, double *out);

/*
 * Initial level, slope and pattern: the decomposition of the first three seasons (what
 * later rows teach is the recursion's), then the line through the first max(10, 2
 * season) seasonally adjusted values, as R's ets begins its search.  filled and count
 * as above; adjusted is scratch for as many, at most n.
 */
extern void nn_smoothing_begin(NnSmoothing *s, const double *filled, uint32_t *count,
							   double *adjusted);

/*
 * One pass over y from the initial states; returns the mean squared one-step error
 * of the known rows.  An unknown row counts as forecast without error.  Without a
 * season, a pass before this one corrects the initial level and slope to those of
 * least error, as R's ets seeks them.
 */
extern double nn_smoothing_run(NnSmoothing *s, const NnSmoothingWeights *weights);

/*
 * The weights of least mean squared one-step error, by the simplex method of Nelder
 * and Mead (1965) within the admissible ranges from two starting points, about 220
 * passes together at most.  Same numbers, same weights.  Polls between passes.
 */
extern NnSmoothingWeights nn_smoothing_fit(const NnEnv *env, NnSmoothing *s);

/*
 * out[horizon]: the rows after the skip rows that follow y, after nn_smoothing_run.
 * A multiplicative forecast is at least 0.
 */
extern void nn_smoothing_forecast(const NnSmoothing *s, const NnSmoothingWeights *weights,
								  uint32_t skip, uint32_t horizon, double *out);

/*
 * Simple exponential smoothing of y[n] with weight alpha in (0, 1] and the initial
 * level of least mean squared one-step error, which is returned; *level is that of
 * the last row.
 */
extern double nn_ses_run(const double *y, uint32_t n, double alpha, double *level);

/* The alpha in [1e-4, 0.9999] of least mean squared error: a grid, then golden sections. */
extern double nn_ses_fit(const NnEnv *env, const double *y, uint32_t n);

/* Line by least squares through the known of y[n]: value at row -1 and change per row. */
extern void nn_line_fit(const double *y, uint32_t n, double *before, double *slope);

#endif							/* NN_SMOOTHING_H */
