/*
 * nn_interval.c
 *		How far off forecasts are: widths of intervals from errors that were seen.
 *
 * Works on plain arrays of errors; who forecast, and on which rows, is the
 * caller's business.  Costs a sort of the errors of each step and target.
 */
#include <float.h>
#include <math.h>
#include <string.h>

#include "core/nn_interval.h"
#include "core/nn_stats.h"

const double nn_interval_probability[NN_INTERVAL_POINTS] = {
	0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.85, 0.9, 0.925, 0.95, 0.975, 0.98, 0.99, 0.995,
	0.999
};

/* Units of a window with so many rows of its own, the others being padding, are doubled. */
#define FEW_ROWS 8.0

/* Errors of a step and target from which on its neighbours are not asked. */
#define ENOUGH 400

static const char *const unit_words[] = {
	"scale", "standard", "change", "seasonal_change", "level", "head", NULL
};

const char *
nn_measure_name(NnMeasure unit)
{
	return unit_words[unit];
}

int
nn_measure_find(const char *name)
{
	for (int i = 0; unit_words[i]; i++)
		if (strcmp(unit_words[i], name) == 0)
			return i;
	return -1;
}

/* ------------------------------------------------------------------------
 * Units
 */

/* A sum whose terms may be unknown. */
typedef struct Mean
{
	double		sum, n;
} Mean;

static void
mean_add(Mean *mean, double x)
{
	if (isnan(x))
		return;
	mean->sum += x;
	mean->n += 1;
}

static double
mean_get(const Mean *mean)
{
	return mean->n > 0 ? mean->sum / mean->n : NAN;
}

/* Known value of target k at a row of the whole, or NaN. */
static double
value_known(const NnData *data, size_t row, uint32_t k)
{
	const NnSeries *series = data->series;

	return data->known[row * series->C + k] ? series->value[row * series->C + k] : NAN;
}

static void
target_units(const NnData *data, const NnWindow *window, uint32_t k, double *unit)
{
	const NnSpec *spec = data->spec;
	uint32_t	own = window->origin + 1 - data->series->first[window->series],
				rows = own < spec->context ? own : spec->context;
	size_t		begin = (size_t) window->origin + 1 - rows,
				at = (size_t) data->group[window->series] * data->prep->C + k;
	uint32_t	season = spec->season;
	Mean		level = {0}, size = {0}, square = {0}, change = {0}, seasonal = {0};
	double		center,
				least;

	for (uint32_t t = 0; t < rows; t++)
	{
		double		value = value_known(data, begin + t, k);

		mean_add(&level, value);
		mean_add(&size, fabs(value));
		if (t > 0)
			mean_add(&change, fabs(value - value_known(data, begin + t - 1, k)));
		if (season > 1 && t >= season)
			mean_add(&seasonal, fabs(value - value_known(data, begin + t - season, k)));
	}
	center = mean_get(&level);
	for (uint32_t t = 0; t < rows; t++)
	{
		double		off = value_known(data, begin + t, k) - center;

		mean_add(&square, off * off);
	}
	/* Under log1p the scale is that of logarithms: the window's level carries the units. */
	unit[NN_MEASURE_SCALE] = data->prep->scale[at];
	if (spec->scaling == NN_SCALING_LOG1P)
		unit[NN_MEASURE_SCALE] *= 1 + mean_get(&size);
	unit[NN_MEASURE_STANDARD] = sqrt(mean_get(&square));
	unit[NN_MEASURE_CHANGE] = mean_get(&change);
	unit[NN_MEASURE_SEASONAL_CHANGE] = mean_get(&seasonal);
	unit[NN_MEASURE_LEVEL] = mean_get(&size);
	least = unit[NN_MEASURE_SCALE];
	if (!(least > DBL_MIN && least < DBL_MAX))
		least = 1;
	unit[NN_MEASURE_SCALE] = least;
	/* A padded window's few rows say little of how its series varies. */
	for (int u = 0; u < NN_MEASURES && own < spec->context; u++)
		unit[u] *= 1 + FEW_ROWS / own;
	least = unit[NN_MEASURE_SCALE];
	/* A window that stands still does not promise that the future will. */
	for (int u = 1; u < NN_MEASURES; u++)
		if (!(unit[u] >= 0.02 * least))
			unit[u] = isnan(unit[u]) ? least : 0.02 * least;
		else if (unit[u] > DBL_MAX)
			unit[u] = DBL_MAX;
}

void
nn_window_units(const NnData *data, const NnWindow *window, double *unit)
{
	for (uint32_t k = 0; k < data->spec->ntargets; k++)
		target_units(data, window, k, unit + (size_t) k * NN_MEASURES);
}

/* ------------------------------------------------------------------------
 * Fitting
 */

/* |error| of window i, step h, target k in the unit, or NaN. */
static double
score_of(const NnErrors *e, NnMeasure unit, uint32_t i, uint32_t h, uint32_t k)
{
	size_t		at = ((size_t) i * e->steps + h) * e->ntargets + k;
	double		error = e->error[at];

	if (unit == NN_MEASURE_HEAD)
		return fabs(error) / e->head[at * 2 + (error > 0)];
	return fabs(error) / e->unit[((size_t) i * e->ntargets + k) * NN_MEASURES + unit];
}

/*
 * How unlike the errors are in the unit: mean of squares over squared mean, of each step and
 * target, weighted by their number.
 */
static double
unit_spread(const NnEnv *env, const NnErrors *e, NnMeasure unit)
{
	double		sum = 0,
				weight = 0;

	for (uint32_t h = 0; h < e->steps; h++)
		for (uint32_t k = 0; k < e->ntargets; k++)
		{
			Mean		mean = {0}, square = {0};

			env->poll(env->host);
			for (uint32_t i = 0; i < e->n; i++)
			{
				double		score = score_of(e, unit, i, h, k);

				mean_add(&mean, score);
				mean_add(&square, score * score);
			}
			if (mean.sum > 0)
			{
				sum += mean.n * mean_get(&square) / (mean_get(&mean) * mean_get(&mean));
				weight += mean.n;
			}
		}
	return weight > 0 ? sum / weight : INFINITY;
}

static NnMeasure
unit_choose(const NnEnv *env, const NnErrors *e)
{
	NnMeasure		best = NN_MEASURE_SCALE;
	double		least;

	if (e->head != NULL)
		return NN_MEASURE_HEAD;
	/* Another unit must be clearly better than the plain one. */
	least = 0.97 * unit_spread(env, e, NN_MEASURE_SCALE);
	for (int u = 1; u < NN_MEASURES; u++)
	{
		double		spread = unit_spread(env, e, (NnMeasure) u);

		if (spread < least)
		{
			least = spread;
			best = (NnMeasure) u;
		}
	}
	return best;
}

/* z such that a Gaussian lies within +-z with probability p. */
static double
gaussian_width(double p)
{
	return nn_normal_quantile((1 + p) / 2);
}

/*
 * Widths[NN_INTERVAL_POINTS] from n sorted scores: the (n + 1) p-th of them.  What
 * they are too few to show goes on as a Gaussian would.
 */
static void
widths_rank(const double *score, size_t n, double *width)
{
	for (int q = 0; q < NN_INTERVAL_POINTS; q++)
	{
		double		p = nn_interval_probability[q],
					rank = p * ((double) n + 1) - 1;
		size_t		at;

		if (rank <= 0)
			width[q] = score[0] * p * ((double) n + 1);
		else if (rank <= (double) (n - 1))
		{
			at = (size_t) rank;
			width[q] = score[at];
			if (at + 1 < n)
				width[q] += (rank - (double) at) * (score[at + 1] - score[at]);
		}
		else
			width[q] = score[n - 1] * gaussian_width(p) /
				gaussian_width((double) n / ((double) n + 1));
		if (q > 0 && width[q] < width[q - 1])
			width[q] = width[q - 1];
	}
}

/*
 * Mean score of each step, with neighbours where there are few, growing with the step
 * where there are very few.  mean, count [steps]
 */
static void
steps_smooth(double *mean, const double *count, uint32_t steps, double *out)
{
	uint32_t	reached = 0;

	for (uint32_t h = 0; h < steps; h++)
		reached += count[h] > 0;
	for (uint32_t h = 0; h < steps; h++)
	{
		double		sum = 0,
					n = 0;

		for (uint32_t r = 0; r < steps && n < ENOUGH; r++)
		{
			if (h >= r && count[h - r] > 0)
			{
				sum += mean[h - r] * count[h - r];
				n += count[h - r];
			}
			if (r > 0 && h + r < steps && count[h + r] > 0)
			{
				sum += mean[h + r] * count[h + r];
				n += count[h + r];
			}
			/* With few windows a third of the steps that they reach evens out their quirks. */
			if (r >= reached / 6 + 1)
				break;
		}
		out[h] = n > 0 ? sum / n : NAN;
	}
	/* Steps that no window reached go on as errors of independent steps would. */
	for (uint32_t h = 1; h < steps; h++)
		if (isnan(out[h]))
			out[h] = out[h - 1] * sqrt((h + 1.0) / h);
		else if (count[h] < 30 && out[h] < out[h - 1])
			out[h] = out[h - 1];
	for (uint32_t h = steps; h-- > 1;)
		if (isnan(out[h - 1]))
			out[h - 1] = out[h];
}

typedef struct Fitting
{
	const NnEnv *env;
	const NnErrors *errors;
	NnInterval *interval;
	uint32_t	k;
	double	   *mean, *count, *smooth;	/* [steps] */
	double	   *score;			/* [n * steps] */
} Fitting;

static double *
width_of(const NnInterval *interval, uint32_t ntargets, uint32_t h, uint32_t k)
{
	return interval->width + ((size_t) h * ntargets + k) * NN_INTERVAL_POINTS;
}

/* Scores of all steps of the target, each over its step's mean: one shape for all. */
static size_t
shape_gather(Fitting *fit)
{
	const NnErrors *e = fit->errors;
	size_t		n = 0;

	for (uint32_t h = 0; h < e->steps; h++)
		for (uint32_t i = 0; i < e->n; i++)
		{
			double		score = score_of(e, fit->interval->unit, i, h, fit->k);

			if (!isnan(score) && fit->smooth[h] > 0)
				fit->score[n++] = score / fit->smooth[h];
		}
	nn_stats_sort(fit->score, n);
	return n;
}

/* False: no error of the target is known. */
static bool
target_fit(Fitting *fit)
{
	const NnErrors *e = fit->errors;
	double		shape[NN_INTERVAL_POINTS],
				known = 0;
	size_t		n;

	for (uint32_t h = 0; h < e->steps; h++)
	{
		Mean		mean = {0};

		for (uint32_t i = 0; i < e->n; i++)
			mean_add(&mean, score_of(e, fit->interval->unit, i, h, fit->k));
		fit->count[h] = mean.n;
		known += mean.n;
		fit->mean[h] = mean.n > 0 ? mean_get(&mean) : 0;
	}
	steps_smooth(fit->mean, fit->count, e->steps, fit->smooth);
	n = shape_gather(fit);
	if (n == 0)
		return known > 0;		/* all errors are 0, and so are widths */
	widths_rank(fit->score, n, shape);
	for (uint32_t h = 0; h < e->steps; h++)
	{
		double	   *width = width_of(fit->interval, e->ntargets, h, fit->k);

		for (int q = 0; q < NN_INTERVAL_POINTS; q++)
			width[q] = shape[q] * fit->smooth[h];
		if (fit->count[h] < ENOUGH)
			continue;
		n = 0;
		for (uint32_t i = 0; i < e->n; i++)
		{
			double		score = score_of(e, fit->interval->unit, i, h, fit->k);

			if (!isnan(score))
				fit->score[n++] = score;
		}
		nn_stats_sort(fit->score, n);
		widths_rank(fit->score, n, width);
		fit->env->poll(fit->env->host);
	}
	return true;
}

/* A target of which no error is known is taken for as hard as the hardest of the others. */
static void
target_borrow(const NnErrors *e, NnInterval *interval, uint32_t k)
{
	for (uint32_t h = 0; h < e->steps; h++)
		for (uint32_t other = 0; other < e->ntargets; other++)
			for (int q = 0; q < NN_INTERVAL_POINTS; q++)
			{
				double		width = width_of(interval, e->ntargets, h, other)[q],
						   *own = width_of(interval, e->ntargets, h, k) + q;

				*own = fmax(*own, width);
			}
}

void
nn_interval_fit(const NnEnv *env, const NnErrors *errors, NnInterval *interval)
{
	Fitting		fit = {.env = env, .errors = errors, .interval = interval};
	size_t		values = nn_size_mul(env, errors->steps, errors->ntargets);
	bool		any = false,
			   *unknown;

	for (size_t i = 0; i < values * errors->n && !any; i++)
		any = !isnan(errors->error[i]);
	if (!any)
		return;
	interval->steps = errors->steps;
	interval->unit = unit_choose(env, errors);
	interval->width = NN_NEW_ARRAY(env, double, nn_size_mul(env, values, NN_INTERVAL_POINTS));
	unknown = NN_NEW_ARRAY(env, bool, errors->ntargets);
	fit.mean = NN_NEW_ARRAY(env, double, errors->steps);
	fit.count = NN_NEW_ARRAY(env, double, errors->steps);
	fit.smooth = NN_NEW_ARRAY(env, double, errors->steps);
	fit.score = NN_NEW_ARRAY(env, double, nn_size_mul(env, errors->n, errors->steps));
	for (fit.k = 0; fit.k < errors->ntargets; fit.k++)
	{
		env->poll(env->host);
		unknown[fit.k] = !target_fit(&fit);
	}
	for (uint32_t k = 0; k < errors->ntargets; k++)
		if (unknown[k])
			target_borrow(errors, interval, k);
}

/* ------------------------------------------------------------------------
 * Reading
 */

NnIntervalPlace
nn_interval_place(double level)
{
	const double *p = nn_interval_probability;
	NnIntervalPlace place = {0, level / p[0]};

	while (place.q < NN_INTERVAL_POINTS && level > p[place.q])
		place.q++;
	if (place.q == NN_INTERVAL_POINTS)
		place.share = gaussian_width(level) / gaussian_width(p[NN_INTERVAL_POINTS - 1]);
	else if (place.q > 0)		/* along z, where widths of many shapes are nearly straight lines */
		place.share = (gaussian_width(level) - gaussian_width(p[place.q - 1])) /
			(gaussian_width(p[place.q]) - gaussian_width(p[place.q - 1]));
	return place;
}

double
nn_interval_width(const NnInterval *interval, uint32_t ntargets, uint32_t h, uint32_t k,
				  NnIntervalPlace place)
{
	uint32_t	step = h < interval->steps ? h : interval->steps - 1;
	const double *width = width_of(interval, ntargets, step, k);
	double		beyond = step == h ? 1 : sqrt((double) (h + 1) / (step + 1));

	if (place.q == 0)
		return beyond * width[0] * place.share;
	if (place.q == NN_INTERVAL_POINTS)
		return beyond * width[NN_INTERVAL_POINTS - 1] * place.share;
	return beyond * (width[place.q - 1] + place.share * (width[place.q] - width[place.q - 1]));
}
