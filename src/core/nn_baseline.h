/*
 * nn_baseline.h
 *		Forecasts that need no training, and the scales of MASE and RMSSE.
 *
 * What a model has to beat.  All work on the values as they came, in original
 * units, and use only rows up to the origin (Hyndman and Athanasopoulos 2021,
 * "Forecasting: principles and practice", 5.2).
 */
#ifndef NN_BASELINE_H
#define NN_BASELINE_H

#include "core/nn_data.h"

typedef enum NnBaselineKind
{
	NN_BASELINE_NAIVE,			/* the last known value */
	NN_BASELINE_SEASONAL,		/* the value of the same step of the last season */
	NN_BASELINE_MEAN,			/* mean of all known values up to the origin */
	NN_BASELINE_DRIFT			/* the line through the first and the last known value */
} NnBaselineKind;

/*
 * out[horizon]: forecasts of one target of series s for the rows after origin (row
 * of the whole).  season in rows: used by "seasonal" only, 0 and 1 mean naive; a
 * step whose season is unknown goes back further seasons, to naive when all are.
 * All NaN when no value is known up to the origin.
 *
 * Cost: naive and seasonal look back over unknown rows only; mean reads the whole
 * history and drift its unknown ends.
 */
extern void nn_baseline_forecast(const NnSeries *series, NnBaselineKind kind, uint32_t season,
								 uint32_t s, uint32_t origin, uint32_t horizon,
								 uint32_t target, double *out);

/*
 * The same for a plain column: row t is value[t * stride], t below n, NaN: unknown;
 * the forecasts follow row n - 1.  All NaN when n is 0 or no value is known.
 */
extern void nn_baseline_column(NnBaselineKind kind, const double *value, size_t stride,
							   uint32_t n, uint32_t season, uint32_t horizon, double *out);

/*
 * Denominator of MASE (Hyndman and Koehler 2006): mean of |y[t] - y[t - season]|
 * over the first n rows of series s where both are known; season 0 means 1.  NaN
 * without such a pair; 0 when the target repeats, but for rounding.
 */
extern double nn_mase_scale(const NnSeries *series, uint32_t s, uint32_t n, uint32_t season,
							uint32_t target);

/*
 * Denominator of RMSSE (Makridakis, Spiliotis and Assimakopoulos 2022, the M5
 * competition): root of the mean of (y[t] - y[t - season])^2 over the same pairs, so
 * that RMSSE is the RMSE of a forecast divided by it.  M5 takes season 1 and leaves
 * out the rows before the first value that is not 0; here unknown rows are left out.
 * NaN without a pair; 0 when the target repeats, but for rounding.
 */
extern double nn_rmsse_scale(const NnSeries *series, uint32_t s, uint32_t n, uint32_t season,
							 uint32_t target);

/* "naive", "seasonal_naive", "mean", "drift". */
extern const char *nn_baseline_name(NnBaselineKind kind);

#endif							/* NN_BASELINE_H */
