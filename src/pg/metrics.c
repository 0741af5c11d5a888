/*
 * metrics.c
 *		Errors of forecasts in original units: sums of pairs, and what follows from them.
 *
 * A pair costs a few dozen operations and no memory.
 */
#include "postgres.h"

#include <math.h>

#include "core/nn_baseline.h"
#include "core/nn_stats.h"
#include "pg/metrics.h"

/* Central intervals whose bounds are the deciles 0.4 and 0.6, 0.3 and 0.7, and so on. */
static const double decile_level[METRIC_LEVELS - 1] = {0.2, 0.4, 0.6, 0.8};

void
metrics_levels(double level, double *levels)
{
	for (int i = 0; i < METRIC_LEVELS - 1; i++)
		levels[i] = decile_level[i];
	levels[METRIC_LEVELS - 1] = level;
}

MetricScale
metrics_scale(const NnSeries *series, uint32 s, uint32 rows, uint32 season, uint32 target)
{
	return (MetricScale) {
		.mase = nn_mase_scale(series, s, rows, season, target),
		.rmsse = nn_rmsse_scale(series, s, rows, season, target),
	};
}

static double
pinball(double quantile, double actual, double forecast)
{
	return (actual >= forecast ? quantile : 1 - quantile) * nn_stats_difference(actual, forecast);
}

/* Mean over the nine deciles; NaN when one is unknown. */
static double
pinball_deciles(const MetricPair *pair)
{
	double		sum = pinball(0.5, pair->actual, pair->point);

	for (int i = 0; i < METRIC_LEVELS - 1; i++)
		sum += pinball(0.5 - decile_level[i] / 2, pair->actual, pair->low[i]) +
			pinball(0.5 + decile_level[i] / 2, pair->actual, pair->high[i]);
	return sum / (2 * METRIC_LEVELS - 1);
}

static void
interval_add(MetricSums *sums, const MetricPair *pair, double level)
{
	double		low = pair->low[METRIC_LEVELS - 1],
				high = pair->high[METRIC_LEVELS - 1],
				deciles = pinball_deciles(pair);

	if (!isnan(deciles))
	{
		sums->deciles++;
		sums->pinball += deciles;
	}
	if (isnan(low) || isnan(high))
		return;
	sums->bounded++;
	sums->winkler += high - low;
	if (nn_stats_within(pair->actual, low, high))
		sums->covered++;
	else
		sums->winkler += 2 / (1 - level) * Max(low - pair->actual, pair->actual - high);
}

void
metrics_add(MetricSums *sums, const MetricPair *pair, MetricScale scale, double level)
{
	double		error = nn_stats_difference(pair->actual, pair->point),
				size = (fabs(pair->actual) + fabs(pair->point)) / 2;

	sums->n++;
	sums->absolute += error;
	sums->square += error * error;
	sums->symmetric += size > 0 ? 100 * error / size : 0;
	if (pair->actual != 0)
	{
		sums->nonzero++;
		sums->percentage += 100 * error / fabs(pair->actual);
	}
	if (scale.mase > 0)
	{
		sums->scaled++;
		sums->mase += error / scale.mase;
	}
	if (scale.rmsse > 0)
	{
		sums->root_scaled++;
		sums->rmsse += (error / scale.rmsse) * (error / scale.rmsse);
	}
	if (!isnan(pair->baseline))
	{
		double		other = nn_stats_difference(pair->actual, pair->baseline);

		sums->base++;
		sums->matched += error;
		sums->baseline_absolute += other;
		sums->baseline_square += other * other;
	}
	interval_add(sums, pair, level);
}

void
metrics_merge(MetricSums *to, const MetricSums *from)
{
	to->n += from->n;
	to->nonzero += from->nonzero;
	to->scaled += from->scaled;
	to->root_scaled += from->root_scaled;
	to->base += from->base;
	to->bounded += from->bounded;
	to->deciles += from->deciles;
	to->covered += from->covered;
	to->absolute += from->absolute;
	to->square += from->square;
	to->percentage += from->percentage;
	to->symmetric += from->symmetric;
	to->mase += from->mase;
	to->rmsse += from->rmsse;
	to->baseline_absolute += from->baseline_absolute;
	to->baseline_square += from->baseline_square;
	to->matched += from->matched;
	to->pinball += from->pinball;
	to->winkler += from->winkler;
}

static double
ratio(double sum, uint64 n)
{
	return n > 0 ? sum / (double) n : NAN;
}

Metrics
metrics_of(const MetricSums *sums)
{
	Metrics		m = {.n = sums->n};

	m.value[METRIC_MAE] = ratio(sums->absolute, sums->n);
	m.value[METRIC_MSE] = ratio(sums->square, sums->n);
	m.value[METRIC_RMSE] = sqrt(m.value[METRIC_MSE]);
	m.value[METRIC_MAPE] = ratio(sums->percentage, sums->nonzero);
	m.value[METRIC_SMAPE] = ratio(sums->symmetric, sums->n);
	m.value[METRIC_MASE] = ratio(sums->mase, sums->scaled);
	m.value[METRIC_COVERAGE] = ratio((double) sums->covered, sums->bounded);
	m.value[METRIC_BASELINE_MAE] = ratio(sums->baseline_absolute, sums->base);
	m.value[METRIC_BASELINE_RMSE] = sqrt(ratio(sums->baseline_square, sums->base));
	m.value[METRIC_SKILL] = sums->baseline_absolute > 0 ?
		1 - sums->matched / sums->baseline_absolute : NAN;
	m.value[METRIC_RMSSE] = sqrt(ratio(sums->rmsse, sums->root_scaled));
	m.value[METRIC_PINBALL] = ratio(sums->pinball, sums->deciles);
	m.value[METRIC_CRPS] = 2 * m.value[METRIC_PINBALL];
	m.value[METRIC_WINKLER] = ratio(sums->winkler, sums->bounded);
	return m;
}

Metrics
metrics_average(const Metrics *each, uint32 n)
{
	Metrics		all = {0};

	if (n == 1)
		return each[0];
	for (int i = 0; i < METRICS; i++)
	{
		double		sum = 0;
		uint64		known = 0;

		for (uint32 k = 0; k < n; k++)
			if (!isnan(each[k].value[i]))
			{
				sum += each[k].value[i];
				known++;
			}
		all.value[i] = ratio(sum, known);
	}
	for (uint32 k = 0; k < n; k++)
		all.n += each[k].n;
	all.value[METRIC_SKILL] = all.value[METRIC_BASELINE_MAE] > 0 ?
		1 - all.value[METRIC_MAE] / all.value[METRIC_BASELINE_MAE] : NAN;
	return all;
}
