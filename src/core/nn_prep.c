/*
 * nn_prep.c
 *		What is learned from the training rows before a network sees them.
 *
 * Fences of outliers, centre and scale, and the mean that fills gaps: a few
 * numbers per column, fitted on the first train_rows[s] rows of each series and
 * on nothing else, so that held-out rows cannot move them.  Filling, differencing
 * and scaling themselves are nn_data.c's.
 *
 * Values may be as large as doubles are: each sample is brought near 1 by a power
 * of two, which loses nothing, before anything is squared.
 *
 * Costs three passes over each column, strided by the number of columns, and a
 * few selections for quantiles; scratch of two doubles per training row.
 */
#include "core/nn_array.h"

#include <float.h>
#include <math.h>

#include "core/nn_stats.h"

/* The interquartile range of a standard normal distribution. */
#define NORMAL_IQR 1.349

/* Samples whose largest magnitude is outside 2^-LIMIT .. 2^LIMIT are rescaled. */
#define EXPONENT_LIMIT 300

/* Rows between two polls. */
#define POLL_MASK 0xffffu

#define MISSING_HINT "Set \"missing\" to \"linear\", \"previous\", \"mean\", \"seasonal\" or " \
	"\"mask\", or leave those rows out."

/* What a sample of a column is taken for. */
typedef enum Stage
{
	STAGE_RAW,					/* as it came: fences are learned */
	STAGE_TREATED,				/* without outliers: the mean */
	STAGE_FINAL					/* log and difference taken: centre and scale */
} Stage;

typedef struct Fit
{
	const NnEnv *env;
	const NnSpec *spec;
	const NnSeries *series;
	const uint32_t *rows;		/* [nseries] training rows */
	double	   *line;			/* [longest training part] one column of one series */
	double	   *sample;			/* [training rows] known values of one column */
} Fit;

char *
nn_series_place(const NnEnv *env, const NnSeries *series, uint32_t s, uint32_t t, uint32_t c)
{
	uint32_t	row = series->first[s] + t;
	const char *name = series->name[s];
	char	   *where;

	if (series->row_name != NULL)
		where = nn_format(env, "at %s", series->row_name(series->row_name_host, row));
	else
		where = nn_format(env, "in row %llu", (unsigned long long) t + 1);
	if (name[0] == '\0')
		return nn_format(env, "column \"%s\" %s", series->column[c], where);
	return nn_format(env, "column \"%s\" of series \"%s\" %s", series->column[c], name, where);
}

uint32_t
nn_future_made(const NnSpec *spec)
{
	uint32_t	made = spec->holidays[0] != '\0';

	/* A sine and a cosine for each word.  Asked for every value, and nearly always none. */
	for (uint32_t bits = spec->calendar & (2 * NN_CALENDAR_MONTH - 1); bits > 0; bits >>= 1)
		made += 2 * (bits & 1);
	return made;
}

/* Whether column c of C is made from the time, not given. */
static bool
column_is_made(const NnSpec *spec, uint32_t C, uint32_t c)
{
	return c >= C - nn_future_made(spec);
}

/* 'static covariate "x"' for messages. */
static const char *
static_name(const NnEnv *env, const NnSeries *series, uint32_t k)
{
	if (series->static_column == NULL)
		return nn_format(env, "static covariate %u", k + 1);
	return nn_format(env, "static covariate \"%s\"", series->static_column[k]);
}

/* The value as it came; NaN: unknown, which "missing": "error" refuses. */
static double
value_raw(const NnEnv *env, const NnSpec *spec, const NnSeries *series, uint32_t s, uint32_t t,
		  uint32_t c)
{
	bool		future = (c >= spec->ntargets + spec->npast);
	double		value;

	/* What lies behind the history is to be forecast, not missing. */
	if (!future && t >= series->history[s])
		return NAN;
	value = series->value[((size_t) series->first[s] + t) * series->C + c];
	/* Nor is what was not given in rows added for columns made from the time. */
	if (t >= series->history[s] && nn_future_made(spec) > 0)
		return value;
	if (isnan(value) && spec->missing == NN_MISSING_ERROR)
		nn_fail(env, NN_BAD_DATA,
				nn_format(env, "value is missing in %s",
						  nn_series_place(env, series, s, t, c)),
				MISSING_HINT);
	return value;
}

/* The value with outliers removed (NaN) or clamped. */
static double
value_treated(const NnEnv *env, const NnSpec *spec, const NnPrep *prep, uint32_t group,
			  const NnSeries *series, uint32_t s, uint32_t t, uint32_t c)
{
	double		value = value_raw(env, spec, series, s, t, c);
	double		low = prep->low[(size_t) group * prep->C + c],
				high = prep->high[(size_t) group * prep->C + c];

	if (isnan(value) || (value >= low && value <= high))
		return value;
	switch (spec->outliers)
	{
		case NN_OUTLIERS_NONE:
			return value;
		case NN_OUTLIERS_WINSORISE:
			return value < low ? low : high;
		case NN_OUTLIERS_IQR:
		case NN_OUTLIERS_ZSCORE:
			break;
	}
	if (spec->missing == NN_MISSING_ERROR)
		nn_fail(env, NN_BAD_DATA,
				nn_format(env, "value %g in %s is an outlier, outside of %g to %g, "
						  "and cannot be left out",
						  value, nn_series_place(env, series, s, t, c), low, high),
				"Set \"missing\" to another method than \"error\", or \"outliers\" to "
				"\"winsorise\" or \"none\".");
	return NAN;
}

double
nn_prep_value(const NnEnv *env, const NnSpec *spec, const NnPrep *prep, uint32_t group,
			  const NnSeries *series, uint32_t s, uint32_t t, uint32_t c)
{
	double		value;

	if (column_is_made(spec, series->C, c))
		return series->value[((size_t) series->first[s] + t) * series->C + c];
	value = value_treated(env, spec, prep, group, series, s, t, c);
	if (spec->scaling != NN_SCALING_LOG1P || isnan(value))
		return value;
	if (value <= -1.0)
		nn_fail(env, NN_BAD_DATA,
				nn_format(env, "value %g in %s is not above -1, as \"scaling\": \"log1p\" needs",
						  value, nn_series_place(env, series, s, t, c)),
				"Set \"scaling\" to \"standard\", \"minmax\" or \"robust\".");
	return log1p(value);
}

/* line[rows]: differences of line over the lag, NaN where one end is unknown. */
static void
line_difference(const Fit *fit, uint32_t s, uint32_t c, uint32_t rows)
{
	uint32_t	lag = fit->spec->difference;
	double	   *line = fit->line;

	for (uint32_t t = rows; t-- > 0;)
	{
		line[t] = (t >= lag) ? line[t] - line[t - lag] : NAN;
		if (isinf(line[t]))
			nn_fail(fit->env, NN_BAD_DATA,
					nn_format(fit->env, "difference to the value %u rows before is out of range in %s",
							  lag, nn_series_place(fit->env, fit->series, s, t, c)),
					"Correct the value, or treat it with \"outliers\".");
	}
}

/* Known values of column c in the training rows of series from..to-1; their number. */
static size_t
sample_collect(const Fit *fit, const NnPrep *prep, uint32_t group, uint32_t c, Stage stage,
			   uint32_t from, uint32_t to)
{
	const NnEnv *env = fit->env;
	size_t		n = 0;

	for (uint32_t s = from; s < to; s++)
	{
		for (uint32_t t = 0; t < fit->rows[s]; t++)
		{
			if ((t & POLL_MASK) == 0)
				env->poll(env->host);
			if (stage == STAGE_RAW)
				fit->line[t] = value_raw(env, fit->spec, fit->series, s, t, c);
			else if (stage == STAGE_TREATED)
				fit->line[t] = value_treated(env, fit->spec, prep, group, fit->series, s, t, c);
			else
				fit->line[t] = nn_prep_value(env, fit->spec, prep, group, fit->series, s, t, c);
		}
		if (stage == STAGE_FINAL && fit->spec->difference > 0 && c < fit->spec->ntargets)
			line_difference(fit, s, c, fit->rows[s]);
		for (uint32_t t = 0; t < fit->rows[s]; t++)
		{
			if (!isnan(fit->line[t]))
				fit->sample[n++] = fit->line[t];
		}
	}
	return n;
}

/*
 * Multiplies x[n] by 2^-k such that squares and differences stay in range;
 * returns k, 0 for every usual sample.
 */
static int
sample_normalise(double *x, size_t n)
{
	double		largest = 0.0;
	int			k;

	for (size_t i = 0; i < n; i++)
		largest = fmax(largest, fabs(x[i]));
	if (largest == 0.0)
		return 0;
	k = ilogb(largest);
	if (k >= -EXPONENT_LIMIT && k <= EXPONENT_LIMIT)
		return 0;
	for (size_t i = 0; i < n; i++)
		x[i] = ldexp(x[i], -k);
	return k;
}

/* x * 2^k, at most the largest double. */
static double
number_restore(double x, int k)
{
	double		value = ldexp(x, k);

	return isinf(value) ? copysign(DBL_MAX, value) : value;
}

/*
 * Fences from sample[n], into *low and *high.  A sample without spread by the
 * method's own measure has none: by the quartiles of a column that is mostly 0,
 * everything else would be an outlier.
 */
static void
fences_fit(const Fit *fit, size_t n, double *low, double *high)
{
	const NnEnv *env = fit->env;
	NnOutliers	method = fit->spec->outliers;
	double		threshold = fit->spec->outlier_threshold;
	double	   *x = fit->sample;
	int			k = sample_normalise(x, n);
	double		centre_low,
				centre_high,
				reach;

	*low = -INFINITY;
	*high = INFINITY;
	if (method == NN_OUTLIERS_NONE)
		return;
	if (method == NN_OUTLIERS_ZSCORE)
	{
		centre_low = centre_high = nn_stats_mean(x, n);
		reach = (threshold > 0.0 ? threshold : 4.0) * nn_stats_sd(x, n);
	}
	else
	{
		double		p = 0.25;

		if (method == NN_OUTLIERS_WINSORISE)
			p = threshold > 0.0 ? threshold : 0.01;
		centre_low = nn_stats_quantile_in_place(env, x, n, p);
		centre_high = nn_stats_quantile_in_place(env, x, n, 1.0 - p);
		reach = 0.0;
		if (method == NN_OUTLIERS_IQR)
			reach = (threshold > 0.0 ? threshold : 1.5) * (centre_high - centre_low);
	}
	if (centre_low - reach < centre_high + reach)
	{
		*low = number_restore(centre_low - reach, k);
		*high = number_restore(centre_high + reach, k);
	}
}

static double
mean_fit(const Fit *fit, size_t n)
{
	int			k = sample_normalise(fit->sample, n);
	double		mean = nn_stats_mean(fit->sample, n);

	/* Rounding must not carry the mean out of the values (and below -1). */
	mean = fmax(mean, nn_stats_min(fit->sample, n));
	mean = fmin(mean, nn_stats_max(fit->sample, n));
	return number_restore(mean, k);
}

/* Columns made from the time stay as they are. */
static void
column_keep(NnPrep *prep, uint32_t c)
{
	for (uint32_t g = 0; g < prep->ngroups; g++)
	{
		size_t		at = (size_t) g * prep->C + c;

		prep->low[at] = -INFINITY;
		prep->high[at] = INFINITY;
		prep->mean[at] = prep->center[at] = 0.0;
		prep->scale[at] = 1.0;
	}
}

/* Centre and scale of sample[n]; n = 0 (no differences): 0 and 1. */
static void
scale_fit(const Fit *fit, NnScaling scaling, size_t n, double *center, double *scale)
{
	double	   *x = fit->sample;
	int			k = sample_normalise(x, n);
	double		min = nn_stats_min(x, n),
				max = nn_stats_max(x, n);

	*center = 0.0;
	*scale = 1.0;
	if (n == 0 || scaling == NN_SCALING_NONE)
		return;
	if (min == max)
	{
		*center = number_restore(min, k);
		return;
	}
	switch (scaling)
	{
		case NN_SCALING_MINMAX:
			*center = min;
			*scale = max - min;
			break;
		case NN_SCALING_ROBUST:
			*center = nn_stats_quantile_in_place(fit->env, x, n, 0.5);
			*scale = (nn_stats_quantile_in_place(fit->env, x, n, 0.75) -
					  nn_stats_quantile_in_place(fit->env, x, n, 0.25)) / NORMAL_IQR;
			if (!(*scale > 0.0))
				*scale = nn_stats_sd(x, n);
			break;
		case NN_SCALING_STANDARD:
		case NN_SCALING_LOG1P:
		case NN_SCALING_NONE:
			*center = nn_stats_mean(x, n);
			*scale = nn_stats_sd(x, n);
			break;
	}
	*center = number_restore(*center, k);
	*scale = number_restore(*scale, k);
	if (!(*scale > 0.0))
		*scale = 1.0;
}

/*
 * Fits column c of one group on series from..to-1.  False when nothing is known
 * there.
 */
static bool
column_fit(const Fit *fit, NnPrep *prep, uint32_t group, uint32_t c, uint32_t from, uint32_t to)
{
	size_t		at = (size_t) group * prep->C + c;
	size_t		n = sample_collect(fit, prep, group, c, STAGE_RAW, from, to);

	if (n == 0)
		return false;
	fences_fit(fit, n, &prep->low[at], &prep->high[at]);
	n = sample_collect(fit, prep, group, c, STAGE_TREATED, from, to);
	if (n == 0)
		nn_fail(fit->env, NN_BAD_DATA,
				nn_format(fit->env, "every training value of column \"%s\" is an outlier",
						  fit->series->column[c]),
				"Set \"outlier_threshold\" to a larger value.");
	prep->mean[at] = mean_fit(fit, n);
	n = sample_collect(fit, prep, group, c, STAGE_FINAL, from, to);
	scale_fit(fit, fit->spec->scaling, n, &prep->center[at], &prep->scale[at]);
	return true;
}

/* column_fit on all series, into the only group of prep. */
static void
column_fit_whole(const Fit *fit, NnPrep *prep, uint32_t c)
{
	if (column_fit(fit, prep, 0, c, 0, fit->series->nseries))
		return;
	nn_fail(fit->env, NN_BAD_DATA,
			nn_format(fit->env, "column \"%s\" has no known value in the training rows",
					  fit->series->column[c]),
			"Leave the column out, or train on rows in which it has values.");
}

/* Column c of every group; what one series lacks comes from all of them. */
static void
column_fit_groups(const Fit *fit, NnPrep *prep, NnPrep *whole, uint32_t c)
{
	bool		whole_fitted = false;

	for (uint32_t g = 0; g < prep->ngroups; g++)
	{
		size_t		at = (size_t) g * prep->C + c;

		if (column_fit(fit, prep, g, c, g, g + 1))
			continue;
		if (!whole_fitted)
			column_fit_whole(fit, whole, c);
		whole_fitted = true;
		prep->low[at] = whole->low[c];
		prep->high[at] = whole->high[c];
		prep->mean[at] = whole->mean[c];
		prep->center[at] = whole->center[c];
		prep->scale[at] = whole->scale[c];
	}
}

/* Static covariate k over the series: standardised, unknown ones left out. */
static void
static_fit(const Fit *fit, NnPrep *prep, uint32_t k)
{
	const NnSeries *series = fit->series;
	size_t		n = 0;

	for (uint32_t s = 0; s < series->nseries; s++)
	{
		double		value = series->statics[(size_t) s * series->Cs + k];

		if (!isnan(value))
			fit->sample[n++] = value;
		else if (fit->spec->missing == NN_MISSING_ERROR)
			nn_fail(fit->env, NN_BAD_DATA,
					nn_format(fit->env, "%s of series \"%s\" is missing",
							  static_name(fit->env, series, k), series->name[s]),
					"Give every series a value, or set \"missing\" to another method "
					"than \"error\".");
	}
	if (n == 0)
		nn_fail(fit->env, NN_BAD_DATA,
				nn_format(fit->env, "%s has no known value", static_name(fit->env, series, k)),
				"Leave the column out.");
	scale_fit(fit, NN_SCALING_STANDARD, n, &prep->static_center[k], &prep->static_scale[k]);
}

static NnPrep *
prep_create(const NnEnv *env, uint32_t ngroups, uint32_t C, uint32_t Cs)
{
	NnPrep	   *prep = NN_NEW(env, NnPrep);
	size_t		n = nn_size_mul(env, ngroups, C);

	prep->ngroups = ngroups;
	prep->C = C;
	prep->Cs = Cs;
	prep->center = NN_NEW_ARRAY(env, double, n);
	prep->scale = NN_NEW_ARRAY(env, double, n);
	prep->low = NN_NEW_ARRAY(env, double, n);
	prep->high = NN_NEW_ARRAY(env, double, n);
	prep->mean = NN_NEW_ARRAY(env, double, n);
	prep->static_center = NN_NEW_ARRAY(env, double, Cs);
	prep->static_scale = NN_NEW_ARRAY(env, double, Cs);
	return prep;
}

/* Training rows of each series, at most as many as there are, and scratch. */
static Fit
fit_begin(const NnEnv *env, const NnSpec *spec, const NnSeries *series,
		  const uint32_t *train_rows)
{
	uint32_t   *rows = NN_NEW_ARRAY(env, uint32_t, series->nseries);
	uint32_t	longest = 0;
	size_t		total = series->nseries;	/* statics take the sample too */

	for (uint32_t s = 0; s < series->nseries; s++)
	{
		uint32_t	n = series->first[s + 1] - series->first[s];

		rows[s] = train_rows[s] < n ? train_rows[s] : n;
		longest = rows[s] > longest ? rows[s] : longest;
		total = nn_size_add(env, total, rows[s]);
	}
	return (Fit) {
		.env = env,
		.spec = spec,
		.series = series,
		.rows = rows,
		.line = NN_NEW_ARRAY(env, double, longest),
		.sample = NN_NEW_ARRAY(env, double, total),
	};
}

NnPrep *
nn_prep_fit(const NnEnv *env, const NnSpec *spec, const NnSeries *series,
			const uint32_t *train_rows)
{
	bool		grouped = spec->scale_by_series && series->nseries > 1;
	Fit			fit = fit_begin(env, spec, series, train_rows);
	NnPrep	   *prep = prep_create(env, grouped ? series->nseries : 1, series->C, series->Cs);
	NnPrep	   *whole = grouped ? prep_create(env, 1, series->C, 0) : prep;

	for (uint32_t c = 0; c < series->C; c++)
	{
		if (column_is_made(spec, series->C, c))
			column_keep(prep, c);
		else if (grouped)
			column_fit_groups(&fit, prep, whole, c);
		else
			column_fit_whole(&fit, prep, c);
	}
	for (uint32_t k = 0; k < series->Cs; k++)
		static_fit(&fit, prep, k);
	if (series->narrays > 0)
		nn_array_fit(env, spec, series, train_rows, prep);
	return prep;
}
