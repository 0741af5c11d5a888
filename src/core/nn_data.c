/*
 * nn_data.c
 *		Prepared numbers: gaps filled, differenced, scaled; and back again.
 *
 * A column of a series is prepared as a line of its own: read (outliers and log1p
 * by nn_prep_value), filled, differenced when a target, scaled into x and y.
 * Every method but "linear" fills a row from earlier rows and the prep only.
 * "linear" looks ahead to the next known value; the rows at which its runs begin
 * are kept (gap), so that a window whose origin lies inside a run can be put back
 * to what was known then: nn_window.c does that for inputs, level_known here for
 * the levels that forecasts are added to.
 *
 * Preparing is one pass over the rows per column and happens once; its scratch is
 * one double per row of the longest series.
 */
#include "core/nn_array.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Rows between two polls. */
#define POLL_MASK 0xffffu

#ifdef NN_DOUBLE
#define NN_REAL_MAX DBL_MAX
#else
#define NN_REAL_MAX FLT_MAX
#endif

/* One column of one series on its way; rows are counted from the series' first. */
typedef struct Line
{
	const NnEnv *env;
	NnData	   *data;
	uint32_t	s, group, c;
	uint32_t	first;			/* row of the whole at which the series begins */
	uint32_t	rows;
	uint32_t	start;			/* first known row; rows when there is none */
	uint32_t	lag;			/* of differencing, 0: none */
	double		center, scale;
	double		mean;			/* after log1p */
	double	   *value;			/* [rows] after outliers and log1p; NaN until filled */
} Line;

uint32_t
nn_name_find(const char *const *names, uint32_t n, const char *name)
{
	uint32_t	low = 0,
				high = n;

	while (low < high)
	{
		uint32_t	middle = low + (high - low) / 2;

		if (strcmp(names[middle], name) < 0)
			low = middle + 1;
		else
			high = middle;
	}
	return low < n && strcmp(names[low], name) == 0 ? low : UINT32_MAX;
}

uint32_t
nn_series_find(const NnSeries *series, const char *name)
{
	return nn_name_find((const char *const *) series->name, series->nseries, name);
}

/* Called for every row. */
static void
line_poll(const Line *line, uint32_t t)
{
	if ((t & POLL_MASK) == 0)
		line->env->poll(line->env->host);
}

static uint8_t *
line_known(const Line *line, uint32_t t)
{
	const NnData *data = line->data;

	return &data->known[((size_t) line->first + t) * data->series->C + line->c];
}

static void
line_begin(Line *line, uint32_t s, uint32_t c)
{
	const NnData *data = line->data;
	const NnPrep *prep = data->prep;
	size_t		at = (size_t) data->group[s] * prep->C + c;

	line->s = s;
	line->c = c;
	line->group = data->group[s];
	line->first = data->series->first[s];
	line->rows = data->series->first[s + 1] - line->first;
	line->lag = (c < data->spec->ntargets) ? data->spec->difference : 0;
	line->center = prep->center[at];
	line->scale = prep->scale[at];
	line->mean = prep->mean[at];
	if (data->spec->scaling == NN_SCALING_LOG1P)
		line->mean = log1p(line->mean);
}

/* value[rows], known and start. */
static void
line_read(Line *line)
{
	const NnData *data = line->data;

	line->start = line->rows;
	for (uint32_t t = 0; t < line->rows; t++)
	{
		line_poll(line, t);
		line->value[t] = nn_prep_value(line->env, data->spec, data->prep, line->group,
									   data->series, line->s, t, line->c);
		*line_known(line, t) = !isnan(line->value[t]);
		if (line->start == line->rows && !isnan(line->value[t]))
			line->start = t;
	}
	data->start[(size_t) line->s * data->series->C + line->c] = line->first + line->start;
}

/*
 * Fills the unknown rows from t on up to the next known one, on the straight line
 * between both ends; flat when no known row follows.  Returns the row after.
 */
static uint32_t
line_fill_linear(Line *line, uint32_t t)
{
	double	   *value = line->value;
	double		before = value[t - 1];
	uint32_t	from = t - 1,
				to = t;

	while (to < line->rows && isnan(value[to]))
		to++;
	for (; t < to; t++)
	{
		double		w = (to < line->rows) ? (double) (t - from) / (double) (to - from) : 0.0;

		value[t] = (w > 0.0) ? before * (1.0 - w) + value[to] * w : before;
	}
	return to;
}

/* Replaces every NaN of value[rows]. */
static void
line_fill(Line *line)
{
	const NnSpec *spec = line->data->spec;
	double	   *value = line->value;
	double		last = line->mean;	/* last known value */

	for (uint32_t t = 0; t < line->start; t++)
		value[t] = line->mean;
	for (uint32_t t = line->start; t < line->rows; t++)
	{
		line_poll(line, t);
		if (!isnan(value[t]))
		{
			last = value[t];
			continue;
		}
		switch (spec->missing)
		{
			case NN_MISSING_LINEAR:
				t = line_fill_linear(line, t) - 1;
				break;
			case NN_MISSING_MEAN:
			case NN_MISSING_MASK:
				value[t] = (line->lag > 0) ? last : line->mean;
				break;
			case NN_MISSING_SEASONAL:
				value[t] = last;
				if (spec->season > 0 && t - line->start >= spec->season)
					value[t] = value[t - spec->season];
				break;
			case NN_MISSING_PREVIOUS:
			case NN_MISSING_ERROR:	/* only rows after the history get here */
				value[t] = last;
				break;
		}
	}
}

/* The number as the network sees it; fails when that is out of range. */
static nn_real
line_scale(const Line *line, uint32_t t, double value)
{
	double		scaled = (value - line->center) / line->scale;

	/* Written such that NaN, which a forged prep could give, fails too. */
	if (!(fabs(scaled) <= (double) NN_REAL_MAX))
		nn_fail(line->env, NN_BAD_DATA,
				nn_format(line->env, "value %g is out of range after scaling in %s", value,
						  nn_series_place(line->env, line->data->series, line->s, t, line->c)),
				"Correct the value, or treat it with \"outliers\".");
	return (nn_real) scaled;
}

/* x[rows][c], and the channel "known" beside it. */
static void
line_write(const Line *line)
{
	NnData	   *data = line->data;
	bool		masked = (data->spec->missing == NN_MISSING_MASK);

	for (uint32_t t = 0; t < line->rows; t++)
	{
		nn_real    *x = data->x + ((size_t) line->first + t) * data->C;

		line_poll(line, t);
		x[line->c] = line_scale(line, t, line->value[t]);
		if (masked)
			x[data->series->C + line->c] = (nn_real) *line_known(line, t);
	}
}

/* The same for a target, with y and level.  A difference is known when both ends are. */
static void
line_write_target(const Line *line)
{
	NnData	   *data = line->data;
	uint32_t	ntargets = data->spec->ntargets,
				lag = line->lag;
	bool		masked = (data->spec->missing == NN_MISSING_MASK);

	for (uint32_t t = 0; t < line->rows; t++)
	{
		size_t		row = (size_t) line->first + t;
		nn_real    *x = data->x + row * data->C;
		bool		known = *line_known(line, t);
		double		value = line->value[t];

		line_poll(line, t);
		data->level[row * ntargets + line->c] = value;
		if (lag > 0)
		{
			bool		begun = (t >= lag && t - lag >= line->start);

			known = known && begun && *line_known(line, t - lag);
			value = begun ? value - line->value[t - lag] : 0.0;
		}
		x[line->c] = line_scale(line, t, value);
		data->y[row * ntargets + line->c] = known ? x[line->c] : (nn_real) NAN;
		if (masked)
			x[data->series->C + line->c] = (nn_real) known;
	}
}

/* Counts (gap NULL) or writes the rows at which runs of unknown values begin. */
static void
gaps_scan(const NnEnv *env, const NnData *data, size_t *cursor, uint32_t *gap)
{
	const NnSeries *series = data->series;
	uint32_t	C = series->C;

	for (uint32_t s = 0; s < series->nseries; s++)
	{
		env->poll(env->host);
		for (uint32_t row = series->first[s]; row < series->first[s + 1]; row++)
		{
			const uint8_t *known = data->known + (size_t) row * C;

			if ((row & POLL_MASK) == 0)
				env->poll(env->host);
			/* Most rows have no gap at all. */
			if (row == series->first[s] || memchr(known, 0, C) == NULL)
				continue;
			for (uint32_t c = 0; c < C; c++)
			{
				if (known[c] || !known[(ptrdiff_t) c - (ptrdiff_t) C])
					continue;
				if (gap != NULL)
					gap[cursor[c]] = row;
				cursor[c]++;
			}
		}
	}
}

static void
gaps_list(const NnEnv *env, NnData *data)
{
	uint32_t	C = data->series->C;
	size_t	   *cursor = NN_NEW_ARRAY(env, size_t, C);
	size_t		total = 0;

	data->gap_first = NN_NEW_ARRAY(env, size_t, (size_t) C + 1);
	gaps_scan(env, data, cursor, NULL);
	for (uint32_t c = 0; c < C; c++)
	{
		data->gap_first[c] = total;
		total = nn_size_add(env, total, cursor[c]);
		cursor[c] = data->gap_first[c];
	}
	data->gap_first[C] = total;
	data->gap = NN_NEW_ARRAY(env, uint32_t, total);
	gaps_scan(env, data, cursor, data->gap);
}

/* statics[nseries][Cs]; unknown ones are average. */
static void
statics_prepare(const NnEnv *env, NnData *data)
{
	const NnSeries *series = data->series;

	for (uint32_t s = 0; s < series->nseries; s++)
	{
		for (uint32_t k = 0; k < series->Cs; k++)
		{
			size_t		at = (size_t) s * series->Cs + k;
			double		value = series->statics[at];
			double		scaled = (value - data->prep->static_center[k]) /
				data->prep->static_scale[k];

			if (isnan(value) && data->spec->missing != NN_MISSING_ERROR)
				scaled = 0.0;
			if (!(fabs(scaled) <= (double) NN_REAL_MAX))
				nn_fail(env, NN_BAD_DATA,
						nn_format(env, "static covariate %s of series \"%s\" is %s",
								  series->static_column == NULL ? nn_format(env, "%u", k + 1) :
								  nn_format(env, "\"%s\"", series->static_column[k]),
								  series->name[s],
								  isnan(value) ? "missing" : "out of range after scaling"),
						"Correct the value, or leave the column out.");
			data->statics[at] = (nn_real) scaled;
		}
	}
}

static void
columns_check(const NnEnv *env, const NnSpec *spec, const NnPrep *prep, const NnSeries *series,
			  const uint32_t *group)
{
	if (series->C != prep->C || series->Cs != prep->Cs ||
		series->C != spec->ntargets + spec->npast + spec->nfuture)
		nn_fail(env, NN_BAD_DATA,
				nn_format(env, "rows have %u columns and %u static covariates, "
						  "but the model has %u and %u",
						  series->C, series->Cs, prep->C, prep->Cs),
				"Give the columns that the model was trained on.");
	nn_array_check(env, spec, series);
	for (uint32_t s = 0; s < series->nseries; s++)
	{
		if (group[s] >= prep->ngroups)
			nn_fail(env, NN_BAD_DATA,
					nn_format(env, "series \"%s\" has no scaling in the model", series->name[s]),
					"Train a new version on all series, or without \"scale_by_series\".");
	}
}

static NnData *
data_create(const NnEnv *env, const NnSpec *spec, const NnPrep *prep, const NnSeries *series,
			const uint32_t *group)
{
	NnData	   *data = NN_NEW(env, NnData);
	size_t		rows = series->first[series->nseries];
	size_t		n = nn_size_mul(env, rows, spec->ntargets);

	data->env = env;
	data->spec = spec;
	data->prep = prep;
	data->series = series;
	data->group = group;
	data->C = nn_spec_channels(spec);
	data->x = NN_NEW_ARRAY(env, nn_real, nn_size_mul(env, rows, data->C));
	data->y = NN_NEW_ARRAY(env, nn_real, n);
	data->level = NN_NEW_ARRAY(env, double, n);
	data->known = NN_NEW_ARRAY(env, uint8_t, nn_size_mul(env, rows, series->C));
	data->statics = NN_NEW_ARRAY(env, nn_real, nn_size_mul(env, series->nseries, series->Cs));
	data->start = NN_NEW_ARRAY(env, uint32_t, nn_size_mul(env, series->nseries, series->C));
	return data;
}

NnData *
nn_data_prepare(const NnEnv *env, const NnSpec *spec, const NnPrep *prep,
				const NnSeries *series, const uint32_t *group)
{
	NnData	   *data;
	Line		line = {.env = env};
	uint32_t	longest = 0;

	columns_check(env, spec, prep, series, group);
	data = data_create(env, spec, prep, series, group);
	for (uint32_t s = 0; s < series->nseries; s++)
	{
		uint32_t	rows = series->first[s + 1] - series->first[s];

		longest = rows > longest ? rows : longest;
	}
	line.data = data;
	line.value = NN_NEW_ARRAY(env, double, longest);
	for (uint32_t s = 0; s < series->nseries; s++)
	{
		for (uint32_t c = 0; c < series->C; c++)
		{
			line_begin(&line, s, c);
			line_read(&line);
			line_fill(&line);
			if (c < spec->ntargets)
				line_write_target(&line);
			else
				line_write(&line);
		}
	}
	if (spec->missing == NN_MISSING_LINEAR)
		gaps_list(env, data);
	statics_prepare(env, data);
	return data;
}

uint32_t
nn_data_gap(const NnData *data, uint32_t s, uint32_t row, uint32_t c)
{
	uint32_t	C = data->series->C;
	size_t		low,
				high;

	if (data->gap == NULL || data->known[(size_t) row * C + c] ||
		row < data->start[(size_t) s * C + c])
		return 0;

	/* The last run that begins at or before row; a known row precedes it, so it is ours. */
	low = data->gap_first[c];
	high = data->gap_first[c + 1];
	while (high - low > 1)
	{
		size_t		middle = low + (high - low) / 2;

		if (data->gap[middle] <= row)
			low = middle;
		else
			high = middle;
	}
	return data->gap[low];
}

/* Rows of a season, 1 where there is none. */
static uint32_t
season_rows(const NnSpec *spec)
{
	return spec->season > 1 ? spec->season : 1;
}

uint32_t
nn_rows_needed(const NnSpec *spec)
{
	uint32_t	rows = spec->context;

	if (spec->pad && season_rows(spec) < rows)
		rows = season_rows(spec);
	return rows + spec->difference;
}

uint32_t
nn_rows_least(const NnSpec *spec)
{
	return (spec->pad ? 1 : spec->context) + spec->difference;
}

uint32_t
nn_window_pad(const NnSpec *spec, const NnSeries *series, const NnWindow *window)
{
	uint32_t	own = window->origin + 1 - series->first[window->series];

	if (!spec->pad || own >= spec->context + spec->difference)
		return 0;
	own = own > spec->difference ? own - spec->difference : 1;
	return spec->context - own;
}

uint32_t
nn_pad_source(const NnSpec *spec, uint32_t pad, uint32_t t)
{
	uint32_t	season = season_rows(spec),
				own = spec->context - pad,
				row = (season - (pad - t) % season) % season;

	return pad + (row < own ? row : own - 1);
}

/* Whether any target of the row is known. */
static bool
target_known(const NnData *data, size_t row)
{
	uint32_t	ntargets = data->spec->ntargets;

	for (uint32_t j = 0; j < ntargets; j++)
	{
		if (!isnan(data->y[row * ntargets + j]))
			return true;
	}
	return false;
}

/* Is any target known in that row of the series, or, with sites, of any of them? */
static bool
row_known(const NnData *data, uint32_t s, uint32_t row)
{
	const NnSeries *series = data->series;

	if (data->spec->nsites <= 1)
		return target_known(data, (size_t) series->first[s] + row);
	for (uint32_t q = 0; q < series->nseries; q++)
		if (target_known(data, (size_t) series->first[q] + row))
			return true;
	return false;
}

/*
 * Windows of series s with origins of which the first has its horizon at or after
 * target_from and the last before target_to.  Returns the number written.
 */
static size_t
series_windows(const NnEnv *env, const NnData *data, uint32_t s, uint32_t target_from,
			   uint32_t target_to, uint32_t stride, bool need_target, NnWindow *windows)
{
	uint32_t	first = data->series->first[s],
				rows = data->series->first[s + 1] - first,
				horizon = data->spec->horizon,
				needed = data->spec->context;
	uint64_t	next,			/* origin + 1 */
				limit = rows;	/* of origin + 1 */
	uint64_t	seen;			/* rows before this one were looked at */
	uint64_t	last_known = 0; /* row + 1 */
	size_t		n = 0;

	/* Without padding a context may hold rows that have nothing to be differenced against. */
	if (data->spec->pad)
		needed = nn_rows_needed(data->spec);
	next = seen = target_from > needed ? target_from : needed;

	if (need_target && target_to > rows)
		target_to = rows;
	if (target_to < horizon)
		return 0;
	if (limit > target_to - horizon)
		limit = target_to - horizon;
	if (next == 0)
		next = 1;				/* an origin is a row */
	for (; next <= limit; next += stride)
	{
		if ((n & POLL_MASK) == 0)
			env->poll(env->host);
		if (need_target)
		{
			for (; seen < next + horizon; seen++)
			{
				if ((seen & POLL_MASK) == 0)
					env->poll(env->host);
				if (row_known(data, s, (uint32_t) seen))
					last_known = seen + 1;
			}
			if (last_known <= next)
				continue;
		}
		windows[n].series = s;
		windows[n].origin = (uint32_t) (first + next - 1);
		n++;
	}
	return n;
}

uint32_t
nn_windows_list(const NnEnv *env, const NnData *data, const uint32_t *target_from,
				const uint32_t *target_to, uint32_t stride, bool need_target,
				NnWindow **windows)
{
	const NnSeries *series = data->series;
	uint32_t	listed = data->spec->nsites > 1 ? 1 : series->nseries;
	size_t		most = 0,
				n = 0;

	if (stride == 0)
		nn_fail(env, NN_BAD_VALUE, "stride must be at least 1", "Set \"stride\" to 1 or more.");
	for (uint32_t s = 0; s < listed; s++)
		most += (series->first[s + 1] - series->first[s]) / stride + 1;
	*windows = NN_NEW_ARRAY(env, NnWindow, most);
	for (uint32_t s = 0; s < listed; s++)
		n += series_windows(env, data, s, target_from[s], target_to[s], stride, need_target,
							*windows + n);
	return (uint32_t) n;
}

uint32_t
nn_future_missing(const NnData *data, const NnWindow *window, uint32_t horizon,
				  uint32_t *column)
{
	const NnSeries *series = data->series;
	uint32_t	before = data->spec->ntargets + data->spec->npast;
	uint64_t	end = series->first[window->series + 1];

	for (uint32_t h = 1; h <= horizon && data->spec->nfuture > 0; h++)
	{
		uint64_t	row = (uint64_t) window->origin + h;

		for (uint32_t f = 0; f < data->spec->nfuture; f++)
		{
			if (row < end && !isnan(series->value[row * series->C + before + f]))
				continue;
			*column = f;
			return (uint32_t) row;
		}
	}
	return 0;
}

/* Keeps an infinite number finite; NaN stays. */
static double
number_keep(double x)
{
	return isinf(x) ? copysign(DBL_MAX, x) : x;
}

/*
 * Level of target j at a row at or before the origin, as known at the origin.
 * Before the first known value of the series there is none: then the origin's.
 */
static double
level_known(const NnData *data, const NnWindow *window, uint32_t j, int64_t row)
{
	uint32_t	ntargets = data->spec->ntargets;
	uint32_t	origin = window->origin;
	uint32_t	gap = nn_data_gap(data, window->series, origin, j);

	if (row < (int64_t) data->start[(size_t) window->series * data->series->C + j])
		row = origin;
	if (gap > 0 && row >= (int64_t) gap)
		row = (int64_t) gap - 1;
	return data->level[(size_t) row * ntargets + j];
}

double
nn_bounded(const NnSpec *spec, double value)
{
	if (value < spec->lower_bound)
		return spec->lower_bound;
	return value > spec->upper_bound ? spec->upper_bound : value;
}

/* From a level to the value in original units, within the bounds. */
static double
level_value(const NnSpec *spec, double level)
{
	double		value = level;

	if (spec->scaling == NN_SCALING_LOG1P)
		value = number_keep(expm1(level));
	return nn_bounded(spec, value);
}

/* Shapes [horizon][ntargets]; low, high, out, out_low, out_high may be NULL. */
typedef struct Unscale
{
	const NnData *data;
	const NnWindow *window;
	uint32_t	horizon;
	const double *raw, *low, *high;
	double	   *out, *out_low, *out_high;
} Unscale;

/*
 * Steps chain, chain + lag, chain + 2 lag, ... of target j: each adds to the one
 * before, and its errors to theirs.  Without differencing each step is a chain.
 */
static void
chain_unscale(const Unscale *u, uint32_t j, uint32_t chain, uint32_t step)
{
	const NnData *data = u->data;
	const NnSpec *spec = data->spec;
	size_t		at = (size_t) data->group[u->window->series] * data->prep->C + j;
	double		center = data->prep->center[at],
				scale = data->prep->scale[at];
	double		level = 0.0,
				below = 0.0,	/* half-widths of the interval around level */
				above = 0.0;

	if (spec->difference > 0)
		level = level_known(data, u->window, j,
							(int64_t) u->window->origin - spec->difference + 1 + chain);
	for (uint64_t h = chain; h < u->horizon; h += step)
	{
		size_t		i = h * spec->ntargets + j;
		double		raw = u->raw[i];

		level = number_keep(level + number_keep(number_keep(raw * scale) + center));
		if (u->out != NULL)
			u->out[i] = level_value(spec, level);
		else
		{
			double		low = u->low[i],
						high = u->high[i];

			/* Written such that a NaN bound stays NaN. */
			below = hypot(below, low >= raw ? 0.0 : (raw - low) * scale);
			above = hypot(above, high <= raw ? 0.0 : (high - raw) * scale);
			u->out_low[i] = level_value(spec, number_keep(level - below));
			u->out_high[i] = level_value(spec, number_keep(level + above));
		}
	}
}

static void
window_unscale(const Unscale *u)
{
	const NnSpec *spec = u->data->spec;
	uint32_t	step = spec->difference > 0 ? spec->difference : u->horizon;

	for (uint32_t j = 0; j < spec->ntargets; j++)
	{
		for (uint32_t chain = 0; chain < step && chain < u->horizon; chain++)
			chain_unscale(u, j, chain, step);
	}
}

void
nn_unscale(const NnData *data, const NnWindow *window, uint32_t horizon, const double *raw,
		   double *out)
{
	Unscale		u = {
		.data = data,.window = window,.horizon = horizon,.raw = raw,.out = out
	};

	window_unscale(&u);
}

void
nn_unscale_interval(const NnData *data, const NnWindow *window, uint32_t horizon,
					const double *raw, const double *low, const double *high,
					double *out_low, double *out_high)
{
	Unscale		u = {
		.data = data,.window = window,.horizon = horizon,.raw = raw,.low = low,.high = high,
		.out_low = out_low,.out_high = out_high
	};

	window_unscale(&u);
}
