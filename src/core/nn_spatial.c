/*
 * nn_spatial.c
 *		Layers made of a map over sites: one product at each step, or cells.
 *
 * The cells are those of nn_cell.c, site by site; their products are maps (nn_map.h):
 *	z(t) = map_ih(x(t)) + map_hh(h(t-1)) + bias
 * so that a state spreads to its neighbours by one reach of the map at each step.  Map
 * and cell know nothing of each other.  Tensors are those of nn_recurrent.c, with a column for
 * every tap and channel; state weights begin orthogonal over all taps together, as in
 * Keras.  Peepholes are one number for each channel, the same at all sites.
 *
 * Time runs outside, sites inside: all sites of a step are multiplied, then gated.
 * Backward turns a step's activations into gradients of the pre-activations and adds
 * them to the weights at once, while they are in the cache.  Saved per step and site:
 * G*H activations, for lstm H of c, for gru 3*H of the state's product; act(c) is taken
 * anew, since a grid's states fill memory before they fill time.  When no backward follows, one
 * step's gates in scratch serve all.
 */
#include <string.h>

#include "core/nn_map.h"
#include "core/nn_op.h"
#include "core/nn_rng.h"

/* Reals of cells between polls: below 1 ms. */
#define POLL_REALS 1000000

/* ------------------------------------------------------------------------
 * One product at each step
 */

static NnMapUse
use_open(NnState *state, const NnLayer *layer, const NnMap *map, bool of_state, NnShape in,
		 uint32_t M, uint32_t tensor)
{
	NnMapUse	use = {.map = map, .state = state, .layer = layer, .of_state = of_state, .in = in,
	.out = layer->out, .tensor = tensor, .pack = 2 * tensor};

	use.out.C = M;
	use.taps = state->plan->tensor[layer->first_tensor + tensor].dim[1] / in.C;
	return use;
}

static void
map_open(const NnMapUse *use, bool backward)
{
	if (use->map->open)
		use->map->open(use, backward);
}

static void
map_close(const NnMapUse *use)
{
	if (use->map->close)
		use->map->close(use);
}

static size_t
map_scratch(NnPlanner *planner, const NnLayer *layer, const NnMap *map, uint32_t C, uint32_t M)
{
	return map->scratch ? map->scratch(planner, layer, C, M) : 0;
}

/* The layer's attributes that maps and cells read. */
static void
attributes_take(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	if (spec->units == 0)
		nn_fail(planner->env, NN_BAD_VALUE,
				nn_format(planner->env, "layer \"%s\" has no \"units\"", spec->name),
				"Set \"units\" to the number of channels that come out.");
	layer->activation = spec->activation;
	layer->recurrent_activation = spec->recurrent_activation;
	layer->peephole = spec->peephole;
	layer->dropout = (nn_real) spec->dropout;
	layer->kernel_size = spec->kernel_size;
	layer->strides = spec->strides;
	layer->padding = spec->padding;
	layer->hops = spec->hops;
	layer->support = spec->support;
}

void
nn_mapped_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec, const NnMap *map)
{
	uint32_t	C = layer->in.C,
				M = spec->units,
				taps;

	attributes_take(planner, layer, spec);
	taps = map->sites(planner, layer, &layer->out);
	layer->out.T = layer->in.T;
	layer->out.C = M;
	nn_map_tensor(planner, layer, "weight", NN_INIT_GLOROT, 1, M, taps, C, false);
	nn_planner_tensor(planner, layer, "bias", NN_INIT_ZEROS, 1, M, 0);
	if (map->plan)
		map->plan(planner, layer);
	nn_planner_scratch(planner, layer, map_scratch(planner, layer, map, C, M));
}

static NnMapUse
mapped_open(NnState *state, const NnLayer *layer, const NnMap *map, bool backward)
{
	NnMapUse	use = use_open(state, layer, map, false, layer->in, layer->out.C, 0);

	use.scratch = state->scratch + layer->scratch.offset;
	map_open(&use, backward);
	return use;
}

void
nn_mapped_forward(NnState *state, const NnLayer *layer, const NnMap *map)
{
	NnMapUse	use = mapped_open(state, layer, map, false);
	const nn_real *x = nn_op_input(state, layer, 0);
	nn_real    *y = state->activations + layer->output.offset;
	size_t		in = (size_t) layer->in.S * layer->in.C * state->L,
				on = (size_t) layer->out.S * layer->out.C * state->L;

	for (uint32_t t = 0; t < layer->in.T; t++)
		map->forward(&use, y + t * on, nn_op_param(state, layer, 1), x + t * in, false);
}

/* db[M] += sum over sites and lanes of dz [S][M][L]. */
static void
bias_backward(NnState *state, nn_real *db, const nn_real *dz, uint32_t S, uint32_t M)
{
	size_t		n = (size_t) M * state->L;
	uint32_t	slice = (uint32_t) (POLL_REALS / n) + 1;

	for (uint32_t s = 0; s < S; s += slice)
	{
		state->env->poll(state->env->host);
		state->kernels->lane_sum(db, dz + s * n, (ptrdiff_t) n, S - s < slice ? S - s : slice, M,
								 state->L);
	}
}

void
nn_mapped_backward(NnState *state, const NnLayer *layer, const NnMap *map)
{
	NnMapUse	use = mapped_open(state, layer, map, true);
	const nn_real *x = nn_op_input(state, layer, 0);
	const nn_real *dy = state->gradients + layer->output.offset;
	nn_real    *dx = nn_op_input_gradient(state, layer, 0);
	size_t		in = (size_t) layer->in.S * layer->in.C * state->L,
				on = (size_t) layer->out.S * layer->out.C * state->L;

	for (uint32_t t = 0; t < layer->in.T; t++)
	{
		/* y = map(x) + b */
		if (dx)
			map->backward(&use, dx + t * in, dy + t * on);
		map->weights(&use, dy + t * on, x + t * in);
		bias_backward(state, nn_op_dparam(state, layer, 1), dy + t * on, layer->out.S, layer->out.C);
	}
	map_close(&use);
}

/* ------------------------------------------------------------------------
 * Cells
 */

/* Where the parts of a layer's saved span lie; NULL: this layer has none. */
typedef struct Run
{
	NnState    *state;
	const NnLayer *layer;
	const NnCell *cell;
	const NnKernels *kernels;
	NnMapUse	ih, hh;
	uint32_t	T, S, H, GH, L;		/* S: of the state */
	size_t		xn, hn, gn;		/* reals of one step: [Si][C][L], [S][H][L], [S][GH][L] */
	nn_real    *gates;			/* [T][S][GH][L] */
	nn_real    *zh;				/* [T][S][GH][L], equal to gates where not apart */
	nn_real    *pre;			/* [T][S][GH][L] */
	nn_real    *c;				/* [T][S][H][L] */
	nn_real    *ac;				/* [H][L] act(c) of the site at hand */
	nn_real    *xm, *xmask;		/* [T][Si][C][L], [Si][C][L]: masked inputs */
	const nn_real *x;			/* [T][Si][C][L] the input, masked where masks are on */
	nn_real    *h;				/* [T][S][H][L] the output */
	nn_real    *carry, *dc;		/* [S][H][L] */
	nn_real    *tmp;			/* [(G+1)*H][L] */
	nn_real    *dxm;			/* [Si][C][L] gradient of the masked input */
	bool		keeps;			/* backward may follow; else gates, zh [S][GH][L], c [2][S][H][L] */
	nn_real    *memory;			/* [1 + has_c][S][H][L]: h and c after the last step, or NULL */
} Run;

/* Spans of saved, scratch and memory for S sites of state, whatever the map wants besides. */
static void
spans_plan(NnPlanner *planner, NnLayer *layer, const NnCell *cell, size_t of_map)
{
	const NnEnv *env = planner->env;
	size_t		H = layer->out.C,
				GH = cell->gates * H,
				x = nn_size_mul(env, layer->in.S, layer->dropout > 0 ? layer->in.C : 0),
				step = GH * (1 + cell->apart + nn_cell_keeps_pre(cell, layer)) +
		(cell->has_c ? H : 0),
				one;

	step = nn_size_add(env, nn_size_mul(env, step, layer->out.S), x);
	nn_planner_saved(planner, layer, nn_size_add(env, nn_size_mul(env, step, layer->in.T), x));
	/* Backward wants carry, dc, tmp, ac and dxm; forward alone one step's gates, zh and c. */
	step = nn_size_add(env, nn_size_mul(env, 2 * H, layer->out.S), GH + 2 * H);
	step = nn_size_add(env, step, x);
	one = nn_size_mul(env, GH * (1 + cell->apart) + (cell->has_c ? 2 * H : 0), layer->out.S);
	nn_planner_scratch(planner, layer, nn_size_add(env, step > one ? step : one, of_map));
	nn_planner_memory(planner, layer, nn_size_mul(env, H * (1 + cell->has_c), layer->out.S));
}

void
nn_spatial_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec, const NnCell *cell,
				const NnMap *map)
{
	uint32_t	H = spec->units,
				C = layer->in.C,
				G = cell->gates,
				taps,
				tensor;
	NnInit		bias = cell->has_c ? NN_INIT_FORGET : NN_INIT_ZEROS;
	size_t		of_input,
				of_state;

	attributes_take(planner, layer, spec);
	taps = map->sites(planner, layer, &layer->out);
	layer->out.T = layer->in.T;
	layer->out.C = H;
	nn_map_tensor(planner, layer, "weight_ih", NN_INIT_GLOROT, G, G * H, taps, C, false);
	tensor = nn_map_tensor(planner, layer, "weight_hh", NN_INIT_ORTHOGONAL, G, G * H, taps, H, true);
	planner->plan->tensor[tensor].idle = layer->in.T == 1;	/* the first step has no state */
	nn_planner_tensor(planner, layer, cell->apart ? "bias_ih" : "bias", bias, G, G * H, 0);
	if (cell->apart)
		nn_planner_tensor(planner, layer, "bias_hh", NN_INIT_ZEROS, G, G * H, 0);
	if (layer->peephole)
	{
		nn_planner_tensor(planner, layer, "weight_ci", NN_INIT_ZEROS, 1, H, 0);
		nn_planner_tensor(planner, layer, "weight_cf", NN_INIT_ZEROS, 1, H, 0);
		nn_planner_tensor(planner, layer, "weight_co", NN_INIT_ZEROS, 1, H, 0);
	}
	if (map->plan)
		map->plan(planner, layer);
	of_input = map_scratch(planner, layer, map, C, G * H);
	of_state = map_scratch(planner, layer, map, H, G * H);
	spans_plan(planner, layer, cell, of_input > of_state ? of_input : of_state);
}

/* Cuts the next count reals off a span. */
static nn_real *
cut(nn_real **at, bool wanted, size_t count)
{
	nn_real    *part = *at;

	if (!wanted)
		return NULL;
	*at += count;
	return part;
}

/* The saved span, as backward will find it; returns what follows in scratch. */
static nn_real *
run_cut_saved(Run *run)
{
	const NnCell *cell = run->cell;
	nn_real    *at = run->state->saved + run->layer->saved.offset;
	bool		dropout = run->layer->dropout > 0;

	run->gates = cut(&at, true, run->T * run->gn);
	run->zh = cell->apart ? cut(&at, true, run->T * run->gn) : run->gates;
	run->pre = cut(&at, nn_cell_keeps_pre(cell, run->layer), run->T * run->gn);
	run->c = cut(&at, cell->has_c, run->T * run->hn);
	run->xm = cut(&at, dropout, run->T * run->xn);
	run->xmask = cut(&at, dropout, run->xn);
	at = run->state->scratch + run->layer->scratch.offset;
	run->carry = cut(&at, true, run->hn);
	run->dc = cut(&at, true, run->hn);
	run->tmp = cut(&at, true, (size_t) (run->GH + run->H) * run->L);
	run->ac = cut(&at, cell->has_c, (size_t) run->H * run->L);
	run->dxm = cut(&at, dropout, run->xn);
	if (!run->state->training)
		run->xm = NULL;
	else if (dropout)
		run->x = run->xm;
	return at;
}

/* What one step needs, where nothing is kept. */
static nn_real *
run_cut_scratch(Run *run)
{
	nn_real    *at = run->state->scratch + run->layer->scratch.offset;

	run->gates = cut(&at, true, run->gn);
	run->zh = run->cell->apart ? cut(&at, true, run->gn) : run->gates;
	run->c = cut(&at, run->cell->has_c, 2 * run->hn);
	return at;
}

static Run
run_open(NnState *state, const NnLayer *layer, const NnCell *cell, const NnMap *map, bool backward)
{
	Run			run = {.state = state, .layer = layer, .cell = cell, .kernels = state->kernels};

	run.T = layer->in.T;
	run.S = layer->out.S;
	run.H = layer->out.C;
	run.GH = cell->gates * run.H;
	run.L = state->L;
	run.xn = (size_t) layer->in.S * layer->in.C * run.L;
	run.hn = (size_t) run.S * run.H * run.L;
	run.gn = (size_t) run.S * run.GH * run.L;
	run.x = nn_op_input(state, layer, 0);
	run.h = state->activations + layer->output.offset;
	run.keeps = state->gradients != NULL;
	run.ih = use_open(state, layer, map, false, layer->in, run.GH, 0);
	run.hh = use_open(state, layer, map, true, layer->out, run.GH, 1);
	run.ih.scratch = run.hh.scratch = run.keeps ? run_cut_saved(&run) : run_cut_scratch(&run);
	if (state->memory != NULL && layer->time == NN_TIME_PAST)
		run.memory = state->memory + layer->memory.offset;
	map_open(&run.ih, backward);
	return run;
}

/* c after step k: without backward the last two steps take turns. */
static nn_real *
c_of(const Run *run, uint32_t k)
{
	return run->c ? run->c + (run->keeps ? k : k % 2) * run->hn : NULL;
}

/* State before step k, NULL: zeros.  h for a true, c else. */
static const nn_real *
before(const Run *run, uint32_t k, bool h)
{
	if (k > 0)
		return h ? run->h + (k - 1) * run->hn : c_of(run, k - 1);
	if (run->memory == NULL || !run->state->resumes)
		return NULL;
	return h ? run->memory : run->c ? run->memory + run->hn : NULL;
}

static const nn_real *
at_site(const nn_real *of_step, size_t offset)
{
	return of_step ? of_step + offset : NULL;
}

static NnStep
step_open(const Run *run, uint32_t k, uint32_t s)
{
	size_t		n = (size_t) run->H * run->L,
				gn = (size_t) run->GH * run->L,
				kept = run->keeps ? k * run->gn : 0;
	NnStep		step = {.kernels = run->kernels, .layer = run->layer, .H = run->H, .L = run->L,
	.n = n};

	step.z = run->gates + kept + s * gn;
	step.zh = run->zh + kept + s * gn;
	step.pre = run->pre ? run->pre + kept + s * gn : NULL;
	step.h = run->h + k * run->hn + s * n;
	step.c = run->c ? c_of(run, k) + s * n : NULL;
	step.ac = run->ac;
	step.h_prev = at_site(before(run, k, true), s * n);
	step.c_prev = at_site(before(run, k, false), s * n);
	if (run->layer->peephole)
	{
		step.weight_ci = nn_op_param(run->state, run->layer, 3);
		step.weight_cf = nn_op_param(run->state, run->layer, 4);
		step.weight_co = nn_op_param(run->state, run->layer, 5);
	}
	return step;
}

static void
sites_poll(const Run *run, uint32_t s)
{
	uint32_t	slice = (uint32_t) (POLL_REALS / ((size_t) run->GH * run->L)) + 1;

	if (s % slice == 0)
		run->state->env->poll(run->state->env->host);
}

/* out[n] = x[n] * w[n], or added to out: whole grids, with polls. */
static void
grid_mul(const Run *run, bool add, nn_real *out, const nn_real *x, const nn_real *w, size_t n)
{
	for (size_t i = 0; i < n; i += POLL_REALS / NN_LANES * NN_LANES)
	{
		size_t		count = n - i < POLL_REALS / NN_LANES * NN_LANES ? n - i :
			POLL_REALS / NN_LANES * NN_LANES;

		run->state->env->poll(run->state->env->host);
		(add ? run->kernels->muladd : run->kernels->mul) (out + i, x + i, w + i, count);
	}
}

/* One mask for all steps, another for each site, channel and lane. */
static void
mask_draw(const Run *run)
{
	const NnState *state = run->state;
	uint32_t	stream = NN_STREAM_DROPOUT + 2 * (uint32_t) (run->layer - state->plan->layer);

	for (size_t row = 0; run->xm && row < (size_t) run->layer->in.S * run->layer->in.C; row++)
	{
		if (row % 1024 == 0)
			state->env->poll(state->env->host);
		nn_rng_mask(state->seed, stream, state->step, (row << 16) + state->first_lane,
					run->layer->dropout, run->xmask + row * run->L, run->L);
	}
}

/* z(k) = map_ih(x(k)) + map_hh(h(k-1)) + bias, for gru in two arrays. */
static void
step_products(const Run *run, uint32_t k)
{
	const NnMap *map = run->ih.map;
	const nn_real *h_prev = before(run, k, true);
	size_t		kept = run->keeps ? k * run->gn : 0;

	if (run->xm)
		grid_mul(run, false, run->xm + k * run->xn,
				 nn_op_input(run->state, run->layer, 0) + k * run->xn, run->xmask, run->xn);
	map->forward(&run->ih, run->gates + kept, nn_op_param(run->state, run->layer, 2),
				 run->x + k * run->xn, false);
	if (h_prev)
		map->forward(&run->hh, run->zh + kept,
					 run->cell->apart ? nn_op_param(run->state, run->layer, 3) : NULL, h_prev,
					 !run->cell->apart);
	else if (run->cell->apart)	/* nothing but the bias */
		for (uint32_t s = 0; s < run->S; s++)
		{
			sites_poll(run, s);
			run->kernels->matmul(run->zh + kept + (size_t) s * run->GH * run->L,
								 nn_map_weights(&run->hh, 0, false),
								 nn_op_param(run->state, run->layer, 3), run->x, run->GH, 0, run->L,
								 false);
		}
}

/* Keeps the state after the last step for a forecast that goes on from it. */
static void
memory_leave(const Run *run)
{
	if (run->memory == NULL)
		return;
	nn_op_copy(run->state, run->memory, run->h + (run->T - 1) * run->hn, run->hn);
	if (run->c)
		nn_op_copy(run->state, run->memory + run->hn, c_of(run, run->T - 1), run->hn);
}

void
nn_spatial_forward(NnState *state, const NnLayer *layer, const NnCell *cell, const NnMap *map)
{
	Run			run = run_open(state, layer, cell, map, false);

	mask_draw(&run);
	for (uint32_t k = 0; k < run.T; k++)
	{
		step_products(&run, k);
		for (uint32_t s = 0; s < run.S; s++)
		{
			NnStep		step = step_open(&run, k, s);

			sites_poll(&run, s);
			cell->forward(&step);
		}
	}
	memory_leave(&run);
}

/* Gradients of all sites' pre-activations at step k, in place of z and zh. */
static void
step_cells_backward(const Run *run, uint32_t k)
{
	const nn_real *dy = run->state->gradients + run->layer->output.offset + k * run->hn;
	size_t		n = (size_t) run->H * run->L;

	for (uint32_t s = 0; s < run->S; s++)
	{
		NnStep		step = step_open(run, k, s);

		sites_poll(run, s);
		step.dh = run->carry + s * n;
		step.dc = run->dc + s * n;
		step.tmp = run->tmp;
		if (run->layer->peephole)
		{
			step.dweight_ci = nn_op_dparam(run->state, run->layer, 3);
			step.dweight_cf = nn_op_dparam(run->state, run->layer, 4);
			step.dweight_co = nn_op_dparam(run->state, run->layer, 5);
		}
		if (run->ac)
			run->kernels->activate(run->layer->activation, step.ac, step.c, n);
		run->kernels->axpy(step.dh, 1, dy + s * n, n);
		run->cell->backward(&step);
		if (!run->cell->direct)
			memset(step.dh, 0, n * sizeof(nn_real));
	}
}

/* dx(k) += answer to map_ih(mask * x(k)) */
static void
step_input_backward(const Run *run, uint32_t k, nn_real *dx, const nn_real *dz)
{
	if (run->xm == NULL)
	{
		run->ih.map->backward(&run->ih, dx + k * run->xn, dz);
		return;
	}
	nn_op_clear(run->state, run->dxm, run->xn);
	run->ih.map->backward(&run->ih, run->dxm, dz);
	grid_mul(run, true, dx + k * run->xn, run->dxm, run->xmask, run->xn);
}

void
nn_spatial_backward(NnState *state, const NnLayer *layer, const NnCell *cell, const NnMap *map)
{
	Run			run = run_open(state, layer, cell, map, true);
	nn_real    *dx = nn_op_input_gradient(state, layer, 0);

	nn_op_clear(state, run.carry, 2 * run.hn);	/* carry and dc */
	for (uint32_t k = run.T; k-- > 0;)
	{
		const nn_real *dz = run.gates + k * run.gn,
				   *dzh = run.zh + k * run.gn;

		step_cells_backward(&run, k);
		if (k > 0)
		{
			/* z(k) = ... + map_hh(h(k-1)) */
			map->backward(&run.hh, run.carry, dzh);
			map->weights(&run.hh, dzh, run.h + (k - 1) * run.hn);
		}
		/* z(k) = map_ih(x(k)) + ... + bias */
		if (dx)
			step_input_backward(&run, k, dx, dz);
		map->weights(&run.ih, dz, run.x + k * run.xn);
		bias_backward(state, nn_op_dparam(state, layer, 2), dz, run.S, run.GH);
		if (cell->apart)
			bias_backward(state, nn_op_dparam(state, layer, 3), dzh, run.S, run.GH);
	}
	map_close(&run.ih);
}
