/*
 * nn_baseline.c
 *		Naive, seasonal naive, mean and drift forecasts of one window.
 *
 * Knows columns of NnSeries only: nothing scaled, filled or differenced gets here.
 * Means are taken of parts, not of sums, so that values near the largest double stay
 * finite.
 */
#include "core/nn_baseline.h"

#include <math.h>
#include "core/nn_stats.h"

/* One target of one series: row t, counted from the series' first. */
typedef struct Target
{
	const double *value;
	size_t		stride;			/* doubles from a row to the next */
} Target;

static double
target_value(const Target *target, uint32_t t)
{
	return target->value[t * target->stride];
}

static Target
target_of(const NnSeries *series, uint32_t s, uint32_t column)
{
	return (Target) {
		.value = series->value + (size_t) series->first[s] * series->C + column,
		.stride = series->C,
	};
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
nn_baseline_column(NnBaselineKind kind, const double *value, size_t stride, uint32_t n,
				   uint32_t season, uint32_t horizon, double *out)
{
	Target		of = {.value = value,.stride = stride};
	uint32_t	t = n - 1,
				last = 0;
	bool		known = n > 0 && target_last(&of, t, &last);
	double		level = known ? target_value(&of, last) : NAN,
				slope = 0.0,
				age = known ? (double) (t - last) : 0.0;	/* rows since the last known one */

	if (known && kind == NN_BASELINE_MEAN)
		level = target_mean(&of, t);
	if (known && kind == NN_BASELINE_DRIFT)
		slope = target_slope(&of, last);
	for (uint32_t h = 1; h <= horizon; h++)
	{
		if (known && kind == NN_BASELINE_SEASONAL && season > 1)
			out[h - 1] = seasonal_step(&of, season, t, h, level);
		else
			out[h - 1] = level + slope * (age + h);
	}
}

void
nn_baseline_forecast(const NnSeries *series, NnBaselineKind kind, uint32_t season, uint32_t s,
					 uint32_t origin, uint32_t horizon, uint32_t target, double *out)
{
	Target		of = target_of(series, s, target);

	nn_baseline_column(kind, of.value, of.stride, origin - series->first[s] + 1, season, horizon,
					   out);
}

/* Rows of series s among the first n. */
static uint32_t
scale_rows(const NnSeries *series, uint32_t s, uint32_t n)
{
	uint32_t	rows = series->first[s + 1] - series->first[s];

	return n < rows ? n : rows;
}

/* |y[t] - y[t - lag]|, 0 within rounding, NaN when either is unknown. */
static double
target_change(const Target *target, uint32_t t, uint32_t lag)
{
	return nn_stats_difference(target_value(target, t), target_value(target, t - lag));
}

double
nn_mase_scale(const NnSeries *series, uint32_t s, uint32_t n, uint32_t season, uint32_t target)
{
	Target		of = target_of(series, s, target);
	uint32_t	rows = scale_rows(series, s, n),
				lag = season > 0 ? season : 1;
	double		mean = NAN,
				count = 0.0;

	for (uint64_t t = lag; t < rows; t++)
	{
		double		change = target_change(&of, (uint32_t) t, lag);

		if (isnan(change))
			continue;
		count += 1.0;
		mean = (count == 1.0) ? change : mean + (change / count - mean / count);
	}
	return mean;
}

double
nn_rmsse_scale(const NnSeries *series, uint32_t s, uint32_t n, uint32_t season, uint32_t target)
{
	Target		of = target_of(series, s, target);
	uint32_t	rows = scale_rows(series, s, n),
				lag = season > 0 ? season : 1;
	double		largest = NAN,
				squares = 0.0,	/* of changes divided by the largest so far */
				count = 0.0;

	for (uint64_t t = lag; t < rows; t++)
	{
		double		change = target_change(&of, (uint32_t) t, lag),
					part;

		if (isnan(change))
			continue;
		if (isinf(change))
			return change;
		count += 1.0;
		if (!(change <= largest))
		{
			part = count > 1.0 ? largest / change : 0.0;
			squares *= part * part;
			largest = change;
		}
		part = largest > 0.0 ? change / largest : 0.0;
		squares += part * part;
	}
	return count > 0.0 ? largest * sqrt(squares / count) : NAN;
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
