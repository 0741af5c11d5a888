/*
 * nn_array.c
 *		Array columns on their way from rows to the lanes of a tile.
 *
 * Knows rows, windows and shapes, and no layer.  A row says which vector of the column's
 * pool is its own, so rows are moved and cut without touching a pixel.
 */
#include "core/nn_array.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Numbers added up between two polls, and numbers of each lane that are copied. */
#define POLL_NUMBERS 0x40000
#define POLL_CHANNELS 4096

#ifdef NN_DOUBLE
#define NN_REAL_MAX DBL_MAX
#else
#define NN_REAL_MAX FLT_MAX
#endif

uint32_t
nn_array_width(const NnArraySpec *array)
{
	return array->rows * array->cols * array->C;
}

uint32_t
nn_array_channels(const NnSpec *spec)
{
	uint32_t	channels = 0;

	for (uint32_t i = 0; i < spec->narrays; i++)
		channels += spec->array[i].C;
	return channels;
}

/* Place of the first channel of column i among all. */
static uint32_t
channel_first(const NnSpec *spec, uint32_t i)
{
	uint32_t	first = 0;

	while (i-- > 0)
		first += spec->array[i].C;
	return first;
}

/* ------------------------------------------------------------------------
 * Rows
 */

NnArray *
nn_arrays_create(const NnEnv *env, const NnSeries *series, size_t rows)
{
	NnArray    *array;

	if (series->narrays == 0)
		return NULL;
	array = NN_NEW_ARRAY(env, NnArray, series->narrays);
	for (uint32_t i = 0; i < series->narrays; i++)
	{
		array[i] = series->array[i];
		array[i].at = NN_NEW_ARRAY(env, uint32_t, rows);
		for (size_t row = 0; row < rows; row++)
			array[i].at[row] = NN_ARRAY_UNKNOWN;
	}
	return array;
}

void
nn_arrays_copy(NnArray *array, size_t to, const NnSeries *series, size_t from, size_t n)
{
	for (uint32_t i = 0; i < series->narrays; i++)
		memmove(array[i].at + to, series->array[i].at + from, n * sizeof(uint32_t));
}

/* ------------------------------------------------------------------------
 * Scales
 */

/* Known vectors of the training rows, one after the other. */
typedef struct Walk
{
	const NnEnv *env;
	const NnSeries *series;
	const uint32_t *rows;		/* [nseries] */
	const NnArray *array;
	uint32_t	s, t;			/* where the next row is */
	size_t		passed;			/* numbers since the last poll */
} Walk;

/* The next vector [width], or NULL. */
static const float *
walk_next(Walk *walk)
{
	const NnSeries *series = walk->series;

	for (; walk->s < series->nseries; walk->s++, walk->t = 0)
	{
		uint32_t	all = series->first[walk->s + 1] - series->first[walk->s],
					rows = walk->rows[walk->s] < all ? walk->rows[walk->s] : all;

		while (walk->t < rows)
		{
			uint32_t	at = walk->array->at[series->first[walk->s] + walk->t++];

			walk->passed += at == NN_ARRAY_UNKNOWN ? 1 : walk->array->width;
			if (walk->passed >= POLL_NUMBERS)
			{
				walk->env->poll(walk->env->host);
				walk->passed = 0;
			}
			if (at != NN_ARRAY_UNKNOWN)
				return walk->array->value + (size_t) at * walk->array->width;
		}
	}
	return NULL;
}

/* sum [C] += the channels' values, or with center [C] the squares of what they are off it. */
static void
channels_sum(const float *value, uint32_t width, uint32_t C, const double *center, double *sum)
{
	for (uint32_t i = 0; i < width; i += C)
		for (uint32_t c = 0; c < C; c++)
		{
			double		x = (double) value[i + c];

			sum[c] += center ? (x - center[c]) * (x - center[c]) : x;
		}
}

/* center and scale [C] of one column. */
static void
column_fit(const NnEnv *env, const NnSeries *series, const uint32_t *train_rows,
		   const NnArray *array, uint32_t C, double *center, double *scale)
{
	Walk		first = {env, series, train_rows, array, 0, 0, 0},
				second = first;
	double	   *sum = NN_NEW_ARRAY(env, double, C),
			   *squares = NN_NEW_ARRAY(env, double, C),
				n = 0;
	const float *value;

	for (; (value = walk_next(&first)) != NULL; n += array->width / C)
		channels_sum(value, array->width, C, NULL, sum);
	if (n == 0)
		nn_fail(env, NN_BAD_DATA,
				nn_format(env, "array column \"%s\" has no known row among the training rows",
						  array->name),
				"Leave the column out, or train on rows in which it has values.");
	for (uint32_t c = 0; c < C; c++)
		center[c] = sum[c] / n;
	while ((value = walk_next(&second)) != NULL)
		channels_sum(value, array->width, C, center, squares);
	for (uint32_t c = 0; c < C; c++)
	{
		scale[c] = sqrt(squares[c] / n);
		/* What rounding leaves of a constant is no spread. */
		if (!(scale[c] > 1e-12 * fabs(center[c])))
			scale[c] = 1;
	}
}

void
nn_array_fit(const NnEnv *env, const NnSpec *spec, const NnSeries *series,
			 const uint32_t *train_rows, NnPrep *prep)
{
	uint32_t	channels = nn_array_channels(spec);

	prep->array_center = NN_NEW_ARRAY(env, double, channels);
	prep->array_scale = NN_NEW_ARRAY(env, double, channels);
	for (uint32_t c = 0; c < channels; c++)
		prep->array_scale[c] = 1;
	for (uint32_t i = 0; i < spec->narrays && spec->scaling != NN_SCALING_NONE; i++)
		column_fit(env, series, train_rows, &series->array[i], spec->array[i].C,
				   prep->array_center + channel_first(spec, i),
				   prep->array_scale + channel_first(spec, i));
}

void
nn_array_check(const NnEnv *env, const NnSpec *spec, const NnSeries *series)
{
	if (series->narrays != spec->narrays)
		nn_fail(env, NN_BAD_DATA,
				nn_format(env, "rows have %u array columns, but the model has %u", series->narrays,
						  spec->narrays),
				"Give the columns that the model was trained on.");
	for (uint32_t i = 0; i < spec->narrays; i++)
		if (series->array[i].width != nn_array_width(&spec->array[i]))
			nn_fail(env, NN_BAD_DATA,
					nn_format(env, "array column \"%s\" has %u numbers in a row, but the model has %u",
							  spec->array[i].name, series->array[i].width,
							  nn_array_width(&spec->array[i])),
					"Give arrays of the shape that the model was trained on.");
}

/* ------------------------------------------------------------------------
 * Windows
 */

/* Row (of the whole) of the window's origin in the series at a site, UINT32_MAX: no series. */
static uint32_t
origin_at(const NnData *data, const NnWindow *window, uint32_t site, uint32_t *series)
{
	if (data->spec->nsites <= 1)
	{
		*series = window->series;
		return window->origin;
	}
	*series = nn_series_at(data, site);
	return *series == UINT32_MAX ? UINT32_MAX :
		data->series->first[*series] + nn_window_row(data, window);
}

/* Where the arrays of one lane and site are looked up. */
typedef struct Lane
{
	int64_t		row;			/* of the whole, of the step at hand */
	int64_t		begin;			/* first row of the series; INT64_MAX: there is none */
	const float *value;			/* the newest known one so far, NULL: none */
} Lane;

static Lane
lane_begin(const NnData *data, const NnWindow *window, uint32_t site)
{
	uint32_t	series,
				origin = origin_at(data, window, site, &series);
	Lane		lane = {(int64_t) origin + 1 - data->spec->context, INT64_MAX, NULL};

	if (origin != UINT32_MAX)
		lane.begin = data->series->first[series];
	return lane;
}

/* Moves on by a step; rows before the series are unknown. */
static void
lane_step(Lane *lane, const NnArray *array)
{
	if (lane->row >= lane->begin && array->at[lane->row] != NN_ARRAY_UNKNOWN)
		lane->value = array->value + (size_t) array->at[lane->row] * array->width;
	lane->row++;
}

/* out [width][L], scaled; center and scale [C]. */
static void
lanes_scale(const NnEnv *env, const Lane *lane, uint32_t n, uint32_t L, uint32_t width, uint32_t C,
			const double *center, const double *scale, nn_real *out)
{
	for (uint32_t x = 0; x < width; x++, out += L)
	{
		double		middle = center[x % C],
					factor = 1 / scale[x % C];

		if (x % POLL_CHANNELS == 0)
			env->poll(env->host);
		for (uint32_t l = 0; l < n; l++)
		{
			double		scaled = lane[l].value ? ((double) lane[l].value[x] - middle) * factor : 0;

			out[l] = (nn_real) fmax(-NN_REAL_MAX, fmin(NN_REAL_MAX, scaled));
		}
		for (uint32_t l = n; l < L; l++)
			out[l] = 0;
	}
}

void
nn_array_gather(const NnEnv *env, const NnData *data, const NnWindow *windows, uint32_t n,
				uint32_t L, uint32_t i, nn_real *out)
{
	const NnSpec *spec = data->spec;
	const NnArray *array = &data->series->array[i];
	uint32_t	first = channel_first(spec, i),
				sites = spec->nsites;
	size_t		numbers = (size_t) array->width * L;

	for (uint32_t site = 0; site < sites; site++)
	{
		Lane		lane[NN_MAX_LANES];

		for (uint32_t l = 0; l < n; l++)
			lane[l] = lane_begin(data, &windows[l], site);
		for (uint32_t t = 0; t < spec->context; t++)
		{
			for (uint32_t l = 0; l < n; l++)
				lane_step(&lane[l], array);
			lanes_scale(env, lane, n, L, array->width, spec->array[i].C,
						data->prep->array_center + first, data->prep->array_scale + first,
						out + ((size_t) t * sites + site) * numbers);
		}
	}
}

uint32_t
nn_array_missing(const NnData *data, const NnWindow *window)
{
	const NnSpec *spec = data->spec;
	uint32_t	missing = 0;

	for (uint32_t i = 0; i < spec->narrays; i++)
	{
		bool		known = false;

		for (uint32_t site = 0; site < spec->nsites && !known; site++)
		{
			Lane		lane = lane_begin(data, window, site);

			for (uint32_t t = 0; t < spec->context && lane.value == NULL; t++)
				lane_step(&lane, &data->series->array[i]);
			known = lane.value != NULL;
		}
		missing |= known ? 0 : 1u << i;
	}
	return missing;
}

void
nn_window_arrays(NnState *state, const NnData *data, const NnWindow *windows, uint32_t n)
{
	if (data->spec->narrays == 0)
		return;
	for (uint32_t l = 0; l < state->L; l++)
	{
		state->env->poll(state->env->host);
		state->missing[l] = l < n ? nn_array_missing(data, &windows[l]) : 0;
	}
	for (uint32_t i = 0; i < data->spec->narrays; i++)
		nn_array_gather(state->env, data, windows, n, state->L, i,
						nn_state_output(state, NN_LAYER_ARRAY + i));
}
