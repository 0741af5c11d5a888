/*
 * nn_baseline.c
 *		Naive, seasonal naive, mean and drift forecasts of one window.
 *
 * Knows NnSeries only: nothing scaled, filled or differenced gets here.  Means are
 * taken of parts, not of sums, so that values near the largest double stay finite.
 */
#include "core/nn_baseline.h"

#include <math.h>

/* One target of one series: row t, counted from the series' first. */
typedef struct Target
{
	const NnSeries *series;
	uint32_t	s, column;
} Target;

static double
target_value(const Target *target, uint32_t t)
{
	const NnSeries *series = target->series;

	return series->value[((size_t) series->first[target->s] + t) * series->C + target->column];
}

/* Last known row of 0..t; false: none. */
static bool
target_last(const Target *target, uint32_t t, uint32_t *row)
{
	for (uint64_t i = (uint64_t) t + 1; i-- > 0;)
	{
		*row = (uint32_t) i;
		if (!isnan(target_value(target, *row)))
			return true;
	}
	return false;
}

/*
 * Step h (from 1) after row origin: the newest known value a whole number of
 * seasons before it, fallback when there is none.
 */
static double
seasonal_step(const Target *target, uint32_t season, uint32_t origin, uint32_t h,
			  double fallback)
{
	uint64_t	back = ((uint64_t) h + season - 1) / season * season;	/* season * ceil(h / season) */

	for (; back <= (uint64_t) origin + h; back += season)
	{
		double		value = target_value(target, (uint32_t) ((uint64_t) origin + h - back));

		if (!isnan(value))
			return value;
	}
	return fallback;
}

static double
target_mean(const Target *target, uint32_t origin)
{
	double		mean = 0.0,
				count = 0.0;

	for (uint64_t t = 0; t <= origin; t++)
	{
		double		value = target_value(target, (uint32_t) t);

		if (isnan(value))
			continue;
		count += 1.0;
		mean += value / count - mean / count;
	}
	return mean;
}

/* Change per row between the first known row and row last; 0 when they are one. */
static double
target_slope(const Target *target, uint32_t last)
{
	uint32_t	first = 0;
	double		span;

	while (isnan(target_value(target, first)))
		first++;
	span = (double) (last - first);
	if (first == last)
		return 0.0;
	return target_value(target, last) / span - target_value(target, first) / span;
}

void
nn_baseline_forecast(const NnSeries *series, NnBaselineKind kind, uint32_t season, uint32_t s,
					 uint32_t origin, uint32_t horizon, uint32_t target, double *out)
{
	Target		of = {.series = series,.s = s,.column = target};
	uint32_t	t = origin - series->first[s],
				last;
	bool		known = target_last(&of, t, &last);
	double		level = known ? target_value(&of, last) : NAN,
				slope = 0.0,
				age = known ? (double) (t - last) : 0.0;	/* rows since the last known one */

	if (known && kind == NN_BASELINE_MEAN)
		level = target_mean(&of, t);
	if (known && kind == NN_BASELINE_DRIFT)
		slope = target_slope(&of, last);
	for (uint32_t h = 1; h <= horizon; h++)
	{
		if (kind == NN_BASELINE_SEASONAL && season > 1)
			out[h - 1] = seasonal_step(&of, season, t, h, level);
		else
			out[h - 1] = level + slope * (age + h);
	}
}

double
nn_mase_scale(const NnSeries *series, uint32_t s, uint32_t n, uint32_t season, uint32_t target)
{
	Target		of = {.series = series,.s = s,.column = target};
	uint32_t	rows = series->first[s + 1] - series->first[s],
				lag = season > 0 ? season : 1;
	double		mean = NAN,
				count = 0.0;

	for (uint64_t t = lag; t < n && t < rows; t++)
	{
		double		change = fabs(target_value(&of, (uint32_t) t) -
								  target_value(&of, (uint32_t) (t - lag)));

		if (isnan(change))
			continue;
		count += 1.0;
		mean = (count == 1.0) ? change : mean + (change / count - mean / count);
	}
	return mean;
}

const char *
nn_baseline_name(NnBaselineKind kind)
{
	switch (kind)
	{
		case NN_BASELINE_NAIVE:
			return "naive";
		case NN_BASELINE_SEASONAL:
			return "seasonal_naive";
		case NN_BASELINE_MEAN:
			return "mean";
		case NN_BASELINE_DRIFT:
			return "drift";
	}
	return "naive";
}
