/*
 * nn_forecast.h
 *		From a model's parameters and prepared windows to numbers in original units.
 *
 * Direct for the trained horizon; longer horizons go on recursively, feeding
 * forecasts back as the targets' newest values, which past covariates forbid.
 * The network goes on in one of two ways:
 *
 * - The window slides: each block runs the whole network anew on as many rows as
 *	 it was trained on.  Slow for many blocks, and the right thing by default.
 * - With spec->stateful it carries its state: the context is walked once; the rows
 *	 fed back, one trained horizon at a time, are further steps.  So the window
 *	 grows beyond what training has shown, which suits a context that is long
 *	 against the memory of the series.  Only where all that looks along the past
 *	 are forward recurrent layers (and layers that treat each step by itself) that
 *	 end in a "last"; nn_plan_build refuses other networks.
 *
 * With several sites (spec->nsites > 1) the network runs once for all sites at one time:
 * the times that the wanted windows have are taken in order, a tile of them at once, and
 * kept until others are asked for.  So windows should be wanted with all series of a
 * time together, and many times at once.
 *
 * A few windows go one by one (nn_solo.h), many in tiles of lanes, with the same
 * bits.  Memory is taken once by nn_forecaster_create; nn_forecast allocates nothing.
 */
#ifndef NN_FORECAST_H
#define NN_FORECAST_H

#include "core/nn_data.h"
#include "core/nn_solo.h"
#include "core/nn_state.h"

/*
 * Up to as many windows go one by one.  Measured with AVX-512, a tile of 16 takes
 * as long as 11 windows of an LSTM of 50 units, 6 of 128 and 4 of 512 units.
 */
#define NN_SOLO_WINDOWS 4

/* Levels of intervals that one call may ask for. */
#define NN_MAX_LEVELS 12

/* Times that are forecast at once where there are several sites. */
#define NN_SITE_LANES NN_LANES

typedef struct NnForecaster
{
	const NnEnv *env;
	const NnSpec *spec;
	const NnPlan *plan;
	NnState    *state, *next;	/* next goes on from state, or is NULL: then the window slides */
	NnSolo	   *solo, *solo_next;	/* the same for one window; NULL: lanes do it */
	uint32_t	max_horizon;
	uint32_t	max_levels;
	size_t		bytes;			/* it has taken */
	double	   *blocks;			/* [1 + 2 max_levels][lanes][nsites][max_horizon][ntargets] of a
								 * tile: raw, then low and high of each level */
	/* With several sites: what blocks hold, from an earlier call or this one. */
	const NnData *kept_data;
	uint32_t	kept_rows, kept_row[NN_MAX_LANES];	/* rows in time, ascending */
	uint32_t	kept_horizon, kept_levels;
	double		kept_level[NN_MAX_LEVELS];
} NnForecaster;

/* The data that forecasts are kept of may change, or lie at another's address, after this. */
extern void nn_forecaster_forget(NnForecaster *forecaster);

/*
 * For calls of usually that many windows (more are cut into tiles of lanes), horizons
 * of at most max_horizon steps and intervals of at most max_levels probabilities.
 * Fails with NN_NO_MEMORY against env->max_memory.
 */
extern NnForecaster *nn_forecaster_create(const NnEnv *env, const NnSpec *spec,
										  const NnKernels *kernels, nn_real *params,
										  uint32_t windows, uint32_t max_horizon,
										  uint32_t max_levels);

/*
 * Forecasts n windows.  point [n][horizon][ntargets] in original units; low and high
 * [nlevels][n][horizon][ntargets], NULL with nlevels 0, NaN where the loss gives no
 * interval.  level [nlevels]: probabilities between low and high.  The caller has made sure
 * that known-future covariates are there (nn_future_missing) and that horizon
 * does not need past covariates of the future (nn_forecast_check).
 */
extern void nn_forecast(NnForecaster *forecaster, const NnData *data, const NnWindow *windows,
						uint32_t n, uint32_t horizon, const double *level, uint32_t nlevels,
						double *point, double *low, double *high);

/* Windows that many forecasts are best asked for at once. */
extern uint32_t nn_forecast_windows(const NnSpec *spec);

/* Fails with NN_BAD_VALUE where horizon is longer than trained and covariates forbid it. */
extern void nn_forecast_check(const NnEnv *env, const NnSpec *spec, uint32_t horizon);

#endif							/* NN_FORECAST_H */
