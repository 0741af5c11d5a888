/*
 * nn_pool.c
 *		Fewer sites: the greatest or the mean of neighbouring cells, or of all sites.
 *
 * No parameters.  Pools of a grid look at squares of pool_size cells, strides apart, that
 * lie inside the grid as a whole.  max_pool and global_pool with "pool": "max" save which
 * cell was the greatest, the first of equal ones; its gradient goes there alone.
 * flatten_grid makes the channels of all sites those of one: nothing moves in memory.
 */
#include <string.h>

#include "core/nn_map.h"
#include "core/nn_op.h"

/* Reals between polls: below 1 ms. */
#define POLL_REALS 100000

/* The cells of input that go into an output: size x size, or all. */
typedef struct Window
{
	uint32_t	cols, out_cols;
	uint32_t	rows_taken, cols_taken, stride;
	size_t		n;				/* reals of a site: C * L */
} Window;

static Window
window_open(const NnState *state, const NnLayer *layer)
{
	Window		w = {.n = (size_t) layer->in.C * state->L};

	w.cols = layer->in.rows ? layer->in.S / layer->in.rows : layer->in.S;
	if (layer->kernel_size == 0)	/* all sites, as one row or as the grid's */
	{
		w.rows_taken = layer->in.S / w.cols;
		w.cols_taken = w.cols;
		w.out_cols = w.stride = 1;
		return w;
	}
	w.out_cols = layer->out.S / layer->out.rows;
	w.rows_taken = w.cols_taken = layer->kernel_size;
	w.stride = layer->strides;
	return w;
}

/* Number of the input site that is the i-th one of output s. */
static size_t
window_site(const Window *w, uint32_t s, uint32_t i)
{
	uint32_t	row = s / w->out_cols * w->stride + i / w->cols_taken,
				col = s % w->out_cols * w->stride + i % w->cols_taken;

	return (size_t) row * w->cols + col;
}

/* Before cell i of a window, which may be a whole grid. */
static void
cell_poll(const NnState *state, const Window *w, uint32_t i)
{
	if (i % (uint32_t) (POLL_REALS / w->n + 1) == 0)
		state->env->poll(state->env->host);
}

/* y[n] = max over the window, place[n] which cell of it; x is one step. */
static void
site_max(const NnState *state, const Window *w, uint32_t s, nn_real *y, nn_real *place,
		 const nn_real *x)
{
	state->env->poll(state->env->host);
	memcpy(y, x + window_site(w, s, 0) * w->n, w->n * sizeof(nn_real));
	memset(place, 0, w->n * sizeof(nn_real));
	for (uint32_t i = 1; i < w->rows_taken * w->cols_taken; i++)
	{
		const nn_real *at = x + window_site(w, s, i) * w->n;

		cell_poll(state, w, i);
		for (size_t j = 0; j < w->n; j++)
		{
			place[j] = at[j] > y[j] ? (nn_real) i : place[j];
			y[j] = at[j] > y[j] ? at[j] : y[j];
		}
	}
}

/* dx of the place += dy: y = x(place) */
static void
site_max_backward(const NnState *state, const Window *w, uint32_t s, nn_real *dx,
				  const nn_real *place, const nn_real *dy)
{
	state->env->poll(state->env->host);
	for (size_t j = 0; j < w->n; j++)
		dx[window_site(w, s, (uint32_t) place[j]) * w->n + j] += dy[j];
}

static void
site_mean(const NnState *state, const Window *w, uint32_t s, nn_real *y, const nn_real *x)
{
	nn_real		share = 1 / (nn_real) (w->rows_taken * w->cols_taken);

	memset(y, 0, w->n * sizeof(nn_real));
	for (uint32_t i = 0; i < w->rows_taken * w->cols_taken; i++)
	{
		cell_poll(state, w, i);
		state->kernels->axpy(y, share, x + window_site(w, s, i) * w->n, w->n);
	}
}

/* dx += dy / cells: y = sum x / cells */
static void
site_mean_backward(const NnState *state, const Window *w, uint32_t s, nn_real *dx,
				   const nn_real *dy)
{
	nn_real		share = 1 / (nn_real) (w->rows_taken * w->cols_taken);

	for (uint32_t i = 0; i < w->rows_taken * w->cols_taken; i++)
	{
		cell_poll(state, w, i);
		state->kernels->axpy(dx + window_site(w, s, i) * w->n, share, dy, w->n);
	}
}

static void
pool_forward(NnState *state, const NnLayer *layer, bool greatest)
{
	Window		w = window_open(state, layer);
	const nn_real *x = nn_op_input(state, layer, 0);
	nn_real    *y = state->activations + layer->output.offset;
	nn_real    *place = (state->gradients ? state->saved + layer->saved.offset :
						 state->scratch + layer->scratch.offset);

	for (uint32_t t = 0; t < layer->in.T; t++, x += layer->in.S * w.n)
		for (uint32_t s = 0; s < layer->out.S; s++, y += w.n)
		{
			if (!greatest)
				site_mean(state, &w, s, y, x);
			else
				site_max(state, &w, s, y, place, x);
			place += greatest && state->gradients ? w.n : 0;
		}
}

static void
pool_backward(NnState *state, const NnLayer *layer, bool greatest)
{
	Window		w = window_open(state, layer);
	const nn_real *dy = state->gradients + layer->output.offset,
			   *place = state->saved + layer->saved.offset;
	nn_real    *dx = nn_op_input_gradient(state, layer, 0);

	for (uint32_t t = 0; dx && t < layer->in.T; t++, dx += layer->in.S * w.n)
		for (uint32_t s = 0; s < layer->out.S; s++, dy += w.n)
		{
			if (!greatest)
				site_mean_backward(state, &w, s, dx, dy);
			else
				site_max_backward(state, &w, s, dx, place, dy);
			place += greatest ? w.n : 0;
		}
}

static void
places_plan(NnPlanner *planner, NnLayer *layer)
{
	size_t		sites = nn_size_mul(planner->env, layer->in.T, layer->out.S);

	nn_planner_saved(planner, layer, nn_size_mul(planner->env, sites, layer->in.C));
	nn_planner_scratch(planner, layer, layer->in.C);
}

static void
pool_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	const NnEnv *env = planner->env;
	uint32_t	cols = nn_grid_columns(planner, layer),
				size = spec->pool_size;

	layer->kernel_size = size;
	layer->strides = spec->strides > 0 ? spec->strides : size;
	if (nn_grid_is_hexagonal(planner, layer))
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" cannot take squares of a hexagonal grid", layer->name),
				"Use \"global_pool\", or a layer of type \"conv2d\" that keeps the grid.");
	if (size > layer->in.rows || size > cols)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" has \"pool_size\" %u on a grid of %u x %u", layer->name,
						  size, layer->in.rows, cols),
				"Set \"pool_size\" to at most the smaller side, or use \"global_pool\".");
	layer->out = layer->in;
	layer->out.rows = (layer->in.rows - size) / layer->strides + 1;
	layer->out.S = layer->out.rows * ((cols - size) / layer->strides + 1);
}

void
nn_max_pool_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	pool_plan(planner, layer, spec);
	places_plan(planner, layer);
}

void
nn_max_pool_forward(NnState *state, const NnLayer *layer)
{
	pool_forward(state, layer, true);
}

void
nn_max_pool_backward(NnState *state, const NnLayer *layer)
{
	pool_backward(state, layer, true);
}

void
nn_mean_pool_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	pool_plan(planner, layer, spec);
}

void
nn_mean_pool_forward(NnState *state, const NnLayer *layer)
{
	pool_forward(state, layer, false);
}

void
nn_mean_pool_backward(NnState *state, const NnLayer *layer)
{
	pool_backward(state, layer, false);
}

void
nn_global_pool_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	layer->pool = spec->pool;
	layer->out = (NnShape) {layer->in.T, 1, layer->in.C, 0};
	if (layer->pool == NN_POOL_MAX)
		places_plan(planner, layer);
}

void
nn_global_pool_forward(NnState *state, const NnLayer *layer)
{
	pool_forward(state, layer, layer->pool == NN_POOL_MAX);
}

void
nn_global_pool_backward(NnState *state, const NnLayer *layer)
{
	pool_backward(state, layer, layer->pool == NN_POOL_MAX);
}

void
nn_flatten_grid_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	size_t		channels = nn_size_mul(planner->env, layer->in.S, layer->in.C);

	(void) spec;
	if (channels > NN_MAX_UNITS)
		nn_fail(planner->env, NN_TOO_LARGE,
				nn_format(planner->env, "layer \"%s\" joins %u sites of %u channels, more than %d values",
						  layer->name, layer->in.S, layer->in.C, NN_MAX_UNITS),
				"Use \"global_pool\", or pool before.");
	layer->out = (NnShape) {layer->in.T, 1, (uint32_t) channels, 0};
}

void
nn_flatten_grid_forward(NnState *state, const NnLayer *layer)
{
	size_t		n = (size_t) layer->out.C * state->L;
	const nn_real *x = nn_op_input(state, layer, 0);
	nn_real    *y = state->activations + layer->output.offset;

	nn_op_copy(state, y, x, layer->in.T * n);
}

void
nn_flatten_grid_backward(NnState *state, const NnLayer *layer)
{
	size_t		n = (size_t) layer->out.C * state->L;
	const nn_real *dy = state->gradients + layer->output.offset;
	nn_real    *dx = nn_op_input_gradient(state, layer, 0);

	if (dx)						/* y = x */
		nn_op_add(state, dx, dy, layer->in.T * n);
}
