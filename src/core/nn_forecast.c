/*
 * nn_forecast.c
 *		From a model's parameters and prepared windows to numbers in original units.
 */
#include <math.h>
#include <string.h>

#include "core/nn_array.h"
#include "core/nn_forecast.h"
#include "core/nn_loss.h"
#include "core/nn_tile.h"

/* Where one tile of windows stands. */
typedef struct Tile
{
	NnForecaster *forecaster;
	const NnData *data;
	const NnWindow *windows;
	uint32_t	count, L;		/* L is 1 for the window of a solo */
	bool		solo;
	uint32_t	horizon;		/* steps wanted in all */
	const double *level;		/* [nlevels] probabilities of the intervals wanted */
	uint32_t	nlevels;
} Tile;

void
nn_forecast_check(const NnEnv *env, const NnSpec *spec, uint32_t horizon)
{
	if (horizon > spec->horizon && spec->npast + spec->narrays > 0)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "horizon %u is longer than the trained %u, and the past covariates are "
						  "unknown beyond them", horizon, spec->horizon),
				"Train with the longer horizon, or without past covariates.");
}

uint32_t
nn_forecast_windows(const NnSpec *spec)
{
	return spec->nsites > 1 ? NN_SITE_LANES * spec->nsites : NN_TILE_LANES;
}

/* Bytes of everything that nn_forecaster_create takes; next and blocks may be NULL, 0. */
static size_t
forecaster_memory(const NnEnv *env, const NnPlan *plan, const NnPlan *next, bool solo,
				  size_t blocks)
{
	size_t		bytes = nn_size_add(env, nn_plan_memory(env, plan, false),
									nn_size_mul(env, blocks, sizeof(double)));

	if (next)
		bytes = nn_size_add(env, bytes,
							nn_size_mul(env, nn_size_add(env, next->nactivations, plan->nmemory),
										sizeof(nn_real)));
	if (solo)
		bytes = nn_size_add(env, bytes, nn_solo_memory(env, plan, next));
	return bytes;
}

NnForecaster *
nn_forecaster_create(const NnEnv *env, const NnSpec *spec, const NnKernels *kernels,
					 nn_real *params, uint32_t windows, uint32_t max_horizon,
					 uint32_t max_levels)
{
	NnForecaster *forecaster = NN_NEW(env, NnForecaster);
	NnPlan	   *plan = nn_plan_build(env, spec, kernels,
									 spec->nsites > 1 ? NN_SITE_LANES : nn_tile_lanes(windows)),
			   *next = max_horizon > spec->horizon ?
		nn_plan_continue(env, spec, kernels, plan) : NULL;
	bool		solo = windows <= NN_SOLO_WINDOWS && nn_solo_supports(plan);
	size_t		values = nn_size_mul(env, nn_size_mul(env, max_horizon, spec->ntargets), spec->nsites),
				blocks = nn_size_mul(env, values,
									 (1 + 2 * (size_t) (nn_loss_has_interval(spec) ? max_levels : 0)) *
									 plan->lanes),
				bytes = forecaster_memory(env, plan, next, solo, blocks);

	if (bytes > env->max_memory)
		nn_fail(env, NN_NO_MEMORY,
				nn_format(env, "forecasting needs %.1f MB of memory, above the limit of %.1f MB",
						  bytes / 1048576.0, env->max_memory / 1048576.0),
				"Raise \"lstm.max_memory\".");
	forecaster->bytes = bytes;
	forecaster->env = env;
	forecaster->spec = spec;
	forecaster->plan = plan;
	forecaster->max_horizon = max_horizon;
	forecaster->max_levels = max_levels;
	forecaster->state = nn_state_create(env, plan, kernels, params, false);
	forecaster->blocks = NN_NEW_ARRAY(env, double, blocks);
	nn_state_pack(forecaster->state);
	if (next)
		forecaster->next = nn_state_continue(forecaster->state, next);
	if (solo)
		forecaster->solo = nn_solo_create(env, plan, kernels, params);
	if (solo && next)
		forecaster->solo_next = nn_solo_continue(forecaster->solo, next);
	return forecaster;
}

/* Does the block at step first go on from the state of the one before? */
static bool
goes_on(const Tile *tile, uint32_t first)
{
	return first > 0 && tile->forecaster->next != NULL;
}

/* Output of layer i [T][C][L] of the network that runs the block at step first. */
static nn_real *
tile_output(const Tile *tile, uint32_t first, uint32_t i)
{
	const NnForecaster *f = tile->forecaster;

	if (tile->solo)
		return nn_solo_output(goes_on(tile, first) ? f->solo_next : f->solo, i);
	return nn_state_output(goes_on(tile, first) ? f->next : f->state, i);
}

static void
block_forward(const Tile *tile, uint32_t first)
{
	const NnForecaster *f = tile->forecaster;

	if (tile->solo)
		nn_solo_forward(goes_on(tile, first) ? f->solo_next : f->solo);
	else
		nn_state_forward(goes_on(tile, first) ? f->next : f->state);
}

/*
 * Place of the values of lane l and site s in blocks: part 0 raw, 1 + 2 i low and 2 + 2 i
 * high of level i.
 */
static double *
block_of(const Tile *tile, uint32_t part, uint32_t l, uint32_t s)
{
	const NnForecaster *f = tile->forecaster;
	size_t		values = (size_t) f->max_horizon * f->spec->ntargets;

	return f->blocks + ((part * (size_t) f->plan->lanes + l) * f->spec->nsites + s) * values;
}

/*
 * Bounds of level i of the value at (step * G + target) of lane l, site s, from its raw
 * outputs, in the block at step first.  Beyond the first block the width of the step fed back is
 * added to the widths as an independent error: the block itself was forecast as if
 * its past were known.
 */
static void
interval_read(const Tile *tile, uint32_t l, uint32_t s, uint32_t i, const double *raw,
			  size_t at, uint32_t first)
{
	const NnSpec *spec = tile->forecaster->spec;
	double	   *point = block_of(tile, 0, l, s),
			   *low = block_of(tile, 1 + 2 * i, l, s),
			   *high = block_of(tile, 2 + 2 * i, l, s),
				level = tile->level[i];

	low[at] = nn_loss_quantile(spec, raw, (1 - level) / 2);
	high[at] = nn_loss_quantile(spec, raw, (1 + level) / 2);
	if (first > 0)
	{
		size_t		fed = (size_t) (first - 1) * spec->ntargets + at % spec->ntargets;

		low[at] = point[at] - hypot(point[at] - low[at], point[fed] - low[fed]);
		high[at] = point[at] + hypot(high[at] - point[at], high[fed] - point[fed]);
	}
}

/* Reads lane l's outputs of site s in one block of steps, from step first on. */
static void
site_read(const Tile *tile, uint32_t first, uint32_t steps, uint32_t l, uint32_t s)
{
	const NnForecaster *f = tile->forecaster;
	const nn_real *out = tile_output(tile, first, f->plan->output_layer);
	uint32_t	P = f->plan->outputs,
				G = f->spec->ntargets;

	out += (size_t) s * f->spec->horizon * G * P * tile->L + l;
	for (uint32_t v = 0; v < steps * G; v++)
	{
		double		raw[NN_MAX_QUANTILES];
		size_t		at = (size_t) first * G + v;

		for (uint32_t p = 0; p < P; p++)
			raw[p] = (double) out[((size_t) v * P + p) * tile->L];
		block_of(tile, 0, l, s)[at] = nn_loss_point(f->spec, raw);
		for (uint32_t i = 0; i < tile->nlevels; i++)
			interval_read(tile, l, s, i, raw, at, first);
	}
}

/* Some hundred values of each lane come between two polls. */
static void
tile_poll(const Tile *tile)
{
	tile->forecaster->env->poll(tile->forecaster->env->host);
}

static void
block_read(const Tile *tile, uint32_t first)
{
	const NnSpec *spec = tile->forecaster->spec;
	uint32_t	steps = tile->horizon - first < spec->horizon ? tile->horizon - first :
		spec->horizon;

	for (uint32_t l = 0; l < tile->count; l++)
		for (uint32_t s = 0; s < spec->nsites; s++)
		{
			tile_poll(tile);
			site_read(tile, first, steps, l, s);
		}
}

/* Channel c, at site s, of the row that step (from 0) of a forecast stands for, as an input. */
static nn_real
fed_back(const Tile *tile, uint32_t l, uint32_t s, uint32_t step, uint32_t c)
{
	const NnSpec *spec = tile->forecaster->spec;
	uint32_t	columns = spec->ntargets + spec->npast + spec->nfuture,
				series = tile->windows[l].series;
	size_t		row = tile->windows[l].origin;

	if (spec->nsites > 1)
	{
		series = nn_series_at(tile->data, s);
		if (series == UINT32_MAX)
			return 0;
		row = (size_t) tile->data->series->first[series] + nn_window_row(tile->data, &tile->windows[l]);
	}
	/* Beyond the targets only future covariates are left, and what is known of them. */
	if (c % columns >= spec->ntargets)
		return tile->data->x[(row + 1 + step) * tile->data->C + c];
	if (c >= columns)
		return 1;				/* "known" of a target, in the mask */
	return (nn_real) block_of(tile, 0, l, s)[(size_t) step * spec->ntargets + c];
}

/*
 * Moves the windows on by one block: forecasts become the newest past, and all of
 * it where the state carries the rest.
 */
static void
block_feed_back(const Tile *tile, uint32_t first)
{
	const NnForecaster *f = tile->forecaster;
	nn_real    *past = tile_output(tile, first, NN_LAYER_PAST);
	uint32_t	T = goes_on(tile, first) ? f->spec->horizon : f->spec->context,
				C = tile->data->C,
				S = f->spec->nsites,
				moved = f->spec->horizon < T ? f->spec->horizon : T;
	size_t		row = (size_t) S * C * tile->L;

	for (uint32_t t = 0; t < T - moved; t++)
	{
		tile_poll(tile);
		memcpy(past + t * row, past + (t + moved) * row, row * sizeof(nn_real));
	}
	for (uint32_t i = 0; i < moved; i++)
		for (uint32_t s = 0; s < S; s++)
		{
			tile_poll(tile);
			for (uint32_t c = 0; c < C; c++)
				for (uint32_t l = 0; l < tile->count; l++)
					past[(T - moved + i) * row + ((size_t) s * C + c) * tile->L + l] =
						fed_back(tile, l, s, first - moved + i, c);
		}
}

/* The future covariates of the block at step first. */
static void
block_gather_future(const Tile *tile, uint32_t first)
{
	NnWindow	moved[NN_MAX_LANES];

	for (uint32_t l = 0; l < tile->count; l++)
		moved[l] = (NnWindow) {tile->windows[l].series, tile->windows[l].origin + first};
	nn_window_gather(tile->data, moved, tile->count, tile->L, NULL,
					 tile_output(tile, first, NN_LAYER_FUTURE), NULL, NULL);
}

static void
tile_forecast(const Tile *tile)
{
	NnForecaster *f = tile->forecaster;
	uint32_t	step = f->spec->horizon;

	f->state->L = tile->L;
	if (!tile->solo)
		nn_window_identity(tile->data, tile->windows, tile->count, tile->L, f->state->identity);
	if (f->next)
	{
		f->next->L = tile->L;
		nn_window_gather(tile->data, tile->windows, tile->count, tile->L, NULL, NULL,
						 tile_output(tile, step, NN_LAYER_STATIC), NULL);
	}
	nn_window_gather(tile->data, tile->windows, tile->count, tile->L,
					 tile_output(tile, 0, NN_LAYER_PAST), NULL,
					 tile_output(tile, 0, NN_LAYER_STATIC), NULL);
	nn_window_arrays(f->state, tile->data, tile->windows, tile->count);
	for (uint32_t first = 0; first < tile->horizon; first += step)
	{
		if (first > 0)
			block_feed_back(tile, first);
		if (f->spec->nfuture > 0)
			block_gather_future(tile, first);
		block_forward(tile, first);
		block_read(tile, first);
	}
}

/*
 * Lane l of the tile in original units, at the place of window number at of n: of the
 * series of that window, in the row of the tile's.
 */
static void
lane_unscale(const Tile *tile, const NnWindow *window, uint32_t l, uint32_t at, uint32_t n,
			 double *point, double *low, double *high)
{
	size_t		values = (size_t) tile->horizon * tile->forecaster->spec->ntargets,
				to = at * values;
	uint32_t	s = tile->forecaster->spec->nsites > 1 ? nn_series_site(tile->data, window->series) : 0;

	nn_unscale(tile->data, window, tile->horizon, block_of(tile, 0, l, s), point + to);
	for (uint32_t i = 0; i < tile->nlevels; i++, to += n * values)
		nn_unscale_interval(tile->data, window, tile->horizon, block_of(tile, 0, l, s),
							block_of(tile, 1 + 2 * i, l, s), block_of(tile, 2 + 2 * i, l, s),
							low + to, high + to);
}

/* ------------------------------------------------------------------------
 * Several sites
 */

void
nn_forecaster_forget(NnForecaster *forecaster)
{
	forecaster->kept_data = NULL;
}

/* Position of a row among the n ascending ones, or n. */
static uint32_t
row_find(const uint32_t *rows, uint32_t n, uint32_t row)
{
	for (uint32_t i = 0; i < n; i++)
		if (rows[i] == row)
			return i;
	return n;
}

/*
 * The least rows of the windows that are above after (or any, with after UINT32_MAX), up
 * to lanes of them, ascending into rows.  Returns their number.
 */
static uint32_t
rows_next(const NnData *data, const NnWindow *windows, uint32_t n, uint32_t after,
		  uint32_t lanes, uint32_t *rows)
{
	uint32_t	count = 0;

	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t	row = nn_window_row(data, &windows[i]),
					at = count;

		if ((after != UINT32_MAX && row <= after) || (count == lanes && row >= rows[count - 1]) ||
			row_find(rows, count, row) < count)
			continue;
		if (count == lanes)
			at = count - 1;
		else
			count++;
		for (; at > 0 && rows[at - 1] > row; at--)
			rows[at] = rows[at - 1];
		rows[at] = row;
	}
	return count;
}

/* Is what blocks hold of the same rows and the same question? */
static bool
tile_is_kept(const Tile *tile, const uint32_t *rows, uint32_t count)
{
	const NnForecaster *f = tile->forecaster;

	if (f->kept_data != tile->data || f->kept_horizon != tile->horizon ||
		f->kept_levels != tile->nlevels)
		return false;
	for (uint32_t i = 0; i < tile->nlevels; i++)
		if (f->kept_level[i] != tile->level[i])
			return false;
	for (uint32_t i = 0; i < count; i++)
		if (row_find(f->kept_row, f->kept_rows, rows[i]) == f->kept_rows)
			return false;
	return true;
}

static void
tile_keep(const Tile *tile, const uint32_t *rows, uint32_t count)
{
	NnForecaster *f = tile->forecaster;

	f->kept_data = tile->data;
	f->kept_horizon = tile->horizon;
	f->kept_levels = tile->nlevels;
	for (uint32_t i = 0; i < tile->nlevels; i++)
		f->kept_level[i] = tile->level[i];
	memcpy(f->kept_row, rows, count * sizeof(uint32_t));
	f->kept_rows = count;
}

static void
sites_forecast(Tile *tile, const NnWindow *windows, uint32_t n, double *point, double *low,
			   double *high)
{
	NnForecaster *f = tile->forecaster;
	NnWindow	joint[NN_MAX_LANES];
	uint32_t	rows[NN_MAX_LANES],
				after = UINT32_MAX,
				count;

	tile->windows = joint;
	while ((count = rows_next(tile->data, windows, n, after, f->plan->lanes, rows)) > 0)
	{
		if (!tile_is_kept(tile, rows, count))
		{
			for (uint32_t i = 0; i < count; i++)
				joint[i] = (NnWindow) {0, tile->data->series->first[0] + rows[i]};
			tile->count = count;
			tile->L = (count + NN_LANES - 1) / NN_LANES * NN_LANES;
			f->kept_data = NULL;	/* a failure leaves nothing that looks whole */
			tile_forecast(tile);
			tile_keep(tile, rows, count);
		}
		for (uint32_t i = 0; i < n; i++)
		{
			uint32_t	row = nn_window_row(tile->data, &windows[i]);

			tile_poll(tile);
			if (row_find(rows, count, row) < count)
				lane_unscale(tile, &windows[i], row_find(f->kept_row, f->kept_rows, row), i, n, point,
							 low, high);
		}
		after = rows[count - 1];
	}
	tile->windows = windows;
}

void
nn_forecast(NnForecaster *forecaster, const NnData *data, const NnWindow *windows, uint32_t n,
			uint32_t horizon, const double *level, uint32_t nlevels, double *point, double *low,
			double *high)
{
	size_t		values = (size_t) horizon * forecaster->spec->ntargets;
	bool		interval = nn_loss_has_interval(forecaster->spec),
				sites = forecaster->spec->nsites > 1,
				solo = !sites && n <= NN_SOLO_WINDOWS && forecaster->solo != NULL;
	uint32_t	width = solo ? 1 : forecaster->plan->lanes;
	Tile		tile = {forecaster, data, windows, 0, 0, solo, horizon, level, interval ? nlevels : 0};

	if (sites)
		sites_forecast(&tile, windows, n, point, low, high);
	for (uint32_t first = 0; first < n && !sites; first += width)
	{
		tile.windows = windows + first;
		tile.count = n - first < width ? n - first : width;
		tile.L = solo ? 1 : (tile.count + NN_LANES - 1) / NN_LANES * NN_LANES;
		tile_forecast(&tile);
		for (uint32_t l = 0; l < tile.count; l++)
			lane_unscale(&tile, &tile.windows[l], l, first + l, n, point, low, high);
	}
	for (size_t v = 0; !interval && v < values * n * nlevels; v++)
	{
		if (v % 65536 == 0)
			tile_poll(&tile);
		low[v] = high[v] = NAN;
	}
}
