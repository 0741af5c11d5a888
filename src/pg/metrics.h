/*
 * metrics.h
 *		Errors of forecasts in original units: sums of pairs, and what follows from them.
 *
 * Knows numbers only.  A pair is one actual beside one forecast of it; sums of pairs
 * can be added, so that a metric of a whole is made of the sums of its parts.
 *
 *	mae, mse, rmse	of e = actual - forecast, which is 0 within rounding (nn_stats_difference)
 *	mape			100 x mean |e / actual|, over actuals other than 0
 *	smape			100 x mean |e| / ((|actual| + |forecast|) / 2)
 *	mase			mean |e| / scale (Hyndman and Koehler 2006)
 *	rmsse			root of the mean of (e / scale)^2 (Makridakis et al. 2022)
 *	pinball			mean pinball loss of the deciles 0.1, ..., 0.9 (Koenker and Bassett 1978)
 *	crps			2 x pinball: the continuous ranked probability score is twice the
 *					integral of the pinball loss over all quantiles (Gneiting and Ranjan
 *					2011); here over those nine
 *	coverage		share of the actuals within the interval
 *	winkler			mean width of the interval, plus 2 / (1 - level) times what an actual lies
 *					outside of it (Winkler 1972)
 *	skill			1 - mae / mae of the baseline, over the pairs that it can forecast
 */
#ifndef LSTM_METRICS_H
#define LSTM_METRICS_H

#include "postgres.h"

#include "core/nn_data.h"

/*
 * Levels of one call of nn_predict: four whose bounds are the deciles beside the median,
 * which the forecast stands for, then the one that coverage and winkler are of.
 */
#define METRIC_LEVELS 5

typedef enum Metric
{
	METRIC_MAE, METRIC_MSE, METRIC_RMSE, METRIC_MAPE, METRIC_SMAPE, METRIC_MASE, METRIC_COVERAGE,
	METRIC_BASELINE_MAE, METRIC_BASELINE_RMSE, METRIC_SKILL, METRIC_RMSSE, METRIC_PINBALL,
	METRIC_CRPS, METRIC_WINKLER
} Metric;

#define METRICS 14

typedef struct MetricSums
{
	uint64		n, nonzero, scaled, root_scaled, base, bounded, deciles, covered;
	double		absolute, square, percentage, symmetric, mase, rmsse, baseline_absolute,
				baseline_square, matched, pinball, winkler;
} MetricSums;

/* Denominators for one series and target; 0 or NaN: none. */
typedef struct MetricScale
{
	double		mase, rmsse;
} MetricScale;

typedef struct MetricPair
{
	double		actual, point;
	double		baseline;		/* NaN: none */
	double		low[METRIC_LEVELS], high[METRIC_LEVELS];	/* NaN: none */
} MetricPair;

typedef struct Metrics
{
	uint64		n;
	double		value[METRICS]; /* NaN: none */
} Metrics;

/* The levels of a call: the deciles', then level. */
extern void metrics_levels(double level, double *levels);

/* Both scales over the first rows rows of a series. */
extern MetricScale metrics_scale(const NnSeries *series, uint32 s, uint32 rows, uint32 season,
								 uint32 target);

/* Adds a pair whose actual is known; level: of its last bounds. */
extern void metrics_add(MetricSums *sums, const MetricPair *pair, MetricScale scale, double level);

extern void metrics_merge(MetricSums *to, const MetricSums *from);

extern Metrics metrics_of(const MetricSums *sums);

/*
 * Over n targets: counts add up, all else are means over the targets, whose units
 * differ; skill compares the means.
 */
extern Metrics metrics_average(const Metrics *each, uint32 n);

#endif							/* LSTM_METRICS_H */
