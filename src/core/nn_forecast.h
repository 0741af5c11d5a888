/*
 * nn_forecast.h
 *		From a model's parameters and prepared windows to numbers in original units.
 *
 * Direct for the trained horizon; longer horizons go on recursively, feeding
 * forecasts back as the targets' newest values, which past covariates forbid.
 * Memory is taken once by nn_forecaster_create; nn_forecast allocates nothing.
 */
#ifndef NN_FORECAST_H
#define NN_FORECAST_H

#include "core/nn_data.h"
#include "core/nn_state.h"

typedef struct NnForecaster
{
	const NnEnv *env;
	const NnSpec *spec;
	const NnPlan *plan;
	NnState    *state;
	uint32_t	max_horizon;
	double	   *blocks;			/* [3][lanes][max_horizon][ntargets] raw, low, high of a tile */
} NnForecaster;

/*
 * For calls of usually that many windows (more are cut into tiles of lanes) and
 * horizons of at most max_horizon steps.  Fails with NN_NO_MEMORY against env->max_memory.
 */
extern NnForecaster *nn_forecaster_create(const NnEnv *env, const NnSpec *spec,
										  const NnKernels *kernels, nn_real *params,
										  uint32_t windows, uint32_t max_horizon);

/*
 * Forecasts n windows.  point, low and high are [n][horizon][ntargets] in
 * original units; low and high may be NULL, and get NaN where the loss gives no
 * interval.  level: probability between low and high.  The caller has made sure
 * that known-future covariates are there (nn_future_missing) and that horizon
 * does not need past covariates of the future (nn_forecast_check).
 */
extern void nn_forecast(NnForecaster *forecaster, const NnData *data, const NnWindow *windows,
						uint32_t n, uint32_t horizon, double level, double *point, double *low,
						double *high);

/* Fails with NN_BAD_VALUE where horizon is longer than trained and covariates forbid it. */
extern void nn_forecast_check(const NnEnv *env, const NnSpec *spec, uint32_t horizon);

#endif							/* NN_FORECAST_H */
