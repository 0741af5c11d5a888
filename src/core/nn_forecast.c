/*
 * nn_forecast.c
 *		From a model's parameters and prepared windows to numbers in original units.
 */
#include <math.h>
#include <string.h>

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
	if (horizon > spec->horizon && spec->npast > 0)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "horizon %u is longer than the trained %u, and the past covariates are "
						  "unknown beyond them", horizon, spec->horizon),
				"Train with the longer horizon, or without past covariates.");
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
	NnPlan	   *plan = nn_plan_build(env, spec, kernels, nn_tile_lanes(windows)),
			   *next = max_horizon > spec->horizon ?
		nn_plan_continue(env, spec, kernels, plan) : NULL;
	bool		solo = windows <= NN_SOLO_WINDOWS && nn_solo_supports(plan);
	size_t		values = nn_size_mul(env, max_horizon, spec->ntargets),
				blocks = nn_size_mul(env, values,
									 (1 + 2 * (size_t) max_levels) * plan->lanes),
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

/* Place of lane l's values in blocks: part 0 raw, 1 + 2 i low and 2 + 2 i high of level i. */
static double *
block_of(const Tile *tile, uint32_t part, uint32_t l)
{
	const NnForecaster *f = tile->forecaster;
	size_t		values = (size_t) f->max_horizon * f->spec->ntargets;

	return f->blocks + (part * (size_t) f->plan->lanes + l) * values;
}

/*
 * Bounds of level i of lane l's value at (step * G + target) from its raw outputs, in
 * the block at step first.  Beyond the first block the width of the step fed back is
 * added to the widths as an independent error: the block itself was forecast as if
 * its past were known.
 */
static void
interval_read(const Tile *tile, uint32_t l, uint32_t i, const double *raw, size_t at,
			  uint32_t first)
{
	const NnSpec *spec = tile->forecaster->spec;
	double	   *point = block_of(tile, 0, l),
			   *low = block_of(tile, 1 + 2 * i, l),
			   *high = block_of(tile, 2 + 2 * i, l),
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

/* Reads the outputs of one block of steps, from step first on. */
static void
block_read(const Tile *tile, uint32_t first)
{
	const NnForecaster *f = tile->forecaster;
	const nn_real *out = tile_output(tile, first, f->plan->output_layer);
	uint32_t	P = f->plan->outputs,
				G = f->spec->ntargets,
				steps = tile->horizon - first < f->spec->horizon ?
		tile->horizon - first : f->spec->horizon;

	for (uint32_t l = 0; l < tile->count; l++)
		for (uint32_t v = 0; v < steps * G; v++)
		{
			double		raw[NN_MAX_QUANTILES];
			size_t		at = (size_t) first * G + v;

			for (uint32_t p = 0; p < P; p++)
				raw[p] = (double) out[((size_t) v * P + p) * tile->L + l];
			block_of(tile, 0, l)[at] = nn_loss_point(f->spec, raw);
			for (uint32_t i = 0; i < tile->nlevels; i++)
				interval_read(tile, l, i, raw, at, first);
		}
}

/* Channel c of the row that step (from 0) of a forecast stands for, as an input. */
static nn_real
fed_back(const Tile *tile, uint32_t l, uint32_t step, uint32_t c)
{
	const NnSpec *spec = tile->forecaster->spec;
	uint32_t	columns = spec->ntargets + spec->npast + spec->nfuture;
	const NnWindow *window = &tile->windows[l];

	/* Beyond the targets only future covariates are left, and what is known of them. */
	if (c % columns >= spec->ntargets)
		return tile->data->x[((size_t) window->origin + 1 + step) * tile->data->C + c];
	if (c >= columns)
		return 1;				/* "known" of a target, in the mask */
	return (nn_real) block_of(tile, 0, l)[(size_t) step * spec->ntargets + c];
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
				moved = f->spec->horizon < T ? f->spec->horizon : T;
	size_t		row = (size_t) C * tile->L;

	memmove(past, past + moved * row, (T - moved) * row * sizeof(nn_real));
	for (uint32_t i = 0; i < moved; i++)
		for (uint32_t c = 0; c < C; c++)
			for (uint32_t l = 0; l < tile->count; l++)
				past[(T - moved + i) * row + (size_t) c * tile->L + l] =
					fed_back(tile, l, first - moved + i, c);
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

/* The tile's results in original units; base: number of its first window, n: of all. */
static void
tile_unscale(const Tile *tile, uint32_t base, uint32_t n, double *point, double *low,
			 double *high)
{
	size_t		values = (size_t) tile->horizon * tile->forecaster->spec->ntargets;

	for (uint32_t l = 0; l < tile->count; l++)
	{
		size_t		at = (base + l) * values;

		nn_unscale(tile->data, &tile->windows[l], tile->horizon, block_of(tile, 0, l), point + at);
		for (uint32_t i = 0; i < tile->nlevels; i++, at += n * values)
			nn_unscale_interval(tile->data, &tile->windows[l], tile->horizon,
								block_of(tile, 0, l), block_of(tile, 1 + 2 * i, l),
								block_of(tile, 2 + 2 * i, l), low + at, high + at);
	}
}

void
nn_forecast(NnForecaster *forecaster, const NnData *data, const NnWindow *windows, uint32_t n,
			uint32_t horizon, const double *level, uint32_t nlevels, double *point, double *low,
			double *high)
{
	size_t		values = (size_t) horizon * forecaster->spec->ntargets;
	bool		interval = nn_loss_has_interval(forecaster->spec);
	bool		solo = n <= NN_SOLO_WINDOWS && forecaster->solo != NULL;
	uint32_t	width = solo ? 1 : forecaster->plan->lanes;

	for (uint32_t first = 0; first < n; first += width)
	{
		uint32_t	count = n - first < width ? n - first : width;
		Tile		tile = {forecaster, data, windows + first, count,
			solo ? 1 : (count + NN_LANES - 1) / NN_LANES * NN_LANES, solo, horizon,
			level, interval ? nlevels : 0};

		tile_forecast(&tile);
		tile_unscale(&tile, first, n, point, low, high);
	}
	for (size_t v = 0; !interval && v < values * n * nlevels; v++)
		low[v] = high[v] = NAN;
}
