/*
 * nn_recurrent.c
 *		Recurrent layers: maps of input and state, and the walk through time.
 *
 * z(t) = W_ih x(t) + W_hh h(t-1) + bias, then the cell (nn_cell.c).  Back-
 * propagation runs over the whole window; gradients of the pre-activations
 * replace the activations step by step, so that each weight gradient is one
 * product over all steps at the end.  Tensors have PyTorch's names; rnn and lstm
 * keep one bias (PyTorch's two only ever act as a sum), gru needs both.
 *
 * Saved per step and site: G*H activations, for lstm 2*H of c and act(c), for
 * gru 3*H of the state's product, and masked inputs under dropout.  When no
 * backward follows, one step's worth in scratch serves all: a forecast that kept
 * what nobody reads would run at the speed of memory.
 *
 * Forecasts may go on from the state that an earlier call left (nn_state.h).
 */
#include <string.h>

#include "core/nn_cell.h"
#include "core/nn_op.h"
#include "core/nn_rng.h"

/* Where the parts of a layer's saved span lie; NULL: this layer has none. */
typedef struct Run
{
	NnState    *state;
	const NnLayer *layer;
	const NnCell *cell;
	const NnKernels *kernels;
	uint32_t	T, S, C, H, GH, L;
	nn_real    *gates;			/* [T][S][GH][L] */
	nn_real    *zh;				/* [T][S][GH][L], equal to gates where not apart */
	nn_real    *pre;			/* [T][S][GH][L] */
	nn_real    *c, *ac;			/* [T][S][H][L] */
	nn_real    *xm, *hm;		/* [T][S][C][L], [T][S][H][L]: masked inputs and states */
	nn_real    *xmask, *hmask;	/* [S][C][L], [S][H][L] */
	const nn_real *x;			/* [T][S][C][L] the input, masked where masks are on */
	nn_real    *h;				/* [T][S][H][L] the output */
	nn_real    *carry, *dc;		/* [S][H][L] */
	nn_real    *tmp;			/* [max((G+1)*H, C)][L] */
	bool		keeps;			/* backward may follow; else gates, zh [GH][L], c [2][S][H][L] */
	nn_real    *memory;			/* [1 + has_c][S][H][L]: h and c after the last step, or NULL */
} Run;

static void
recurrent_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec, const NnCell *cell)
{
	uint32_t	H = spec->units,
				C = layer->in.C,
				G = cell->gates;
	size_t		rows = nn_size_mul(planner->env, layer->in.T, layer->in.S),
				kept;
	NnInit		bias = cell->has_c ? NN_INIT_FORGET : NN_INIT_ZEROS;
	uint32_t	tensor;

	if (H == 0)
		nn_fail(planner->env, NN_BAD_VALUE,
				nn_format(planner->env, "layer \"%s\" has no \"units\"", spec->name),
				"Set \"units\" to the size of the layer's state.");
	layer->out = (NnShape) {layer->in.T, layer->in.S, H, 0};
	layer->activation = spec->activation;
	layer->recurrent_activation = spec->recurrent_activation;
	layer->peephole = spec->peephole;
	layer->dropout = (nn_real) spec->dropout;
	layer->recurrent_dropout = (nn_real) spec->recurrent_dropout;

	tensor = nn_planner_tensor(planner, layer, "weight_ih", NN_INIT_GLOROT, G, G * H, C);
	nn_planner_pack(planner, layer, tensor, true);
	tensor = nn_planner_tensor(planner, layer, "weight_hh", NN_INIT_ORTHOGONAL, G, G * H, H);
	nn_planner_pack(planner, layer, tensor, true);
	planner->plan->pack[planner->plan->npacks - 1].explain = false; /* time needs it always */
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

	kept = (size_t) G * H * (1 + cell->apart + nn_cell_keeps_pre(cell, layer)) +
		(cell->has_c ? 2 * (size_t) H : 0) +
		(layer->dropout > 0 ? C : 0) + (layer->recurrent_dropout > 0 ? H : 0);
	kept = nn_size_mul(planner->env, kept, rows);
	kept = nn_size_add(planner->env, kept, (size_t) layer->in.S *
					   ((layer->dropout > 0 ? C : 0) + (layer->recurrent_dropout > 0 ? H : 0)));
	nn_planner_saved(planner, layer, kept);
	/* Backward wants tmp, carry and dc; forward alone one step's gates and zh. */
	kept = (size_t) G * H * (cell->apart ? 2 : 1);
	if (kept < (size_t) (G + 1) * H)
		kept = (size_t) (G + 1) * H;
	if (kept < C)
		kept = C;
	nn_planner_scratch(planner, layer, kept + 2 * (size_t) layer->in.S * H);
	nn_planner_memory(planner, layer, (size_t) layer->in.S * H * (1 + cell->has_c));
}

/* Cuts the next count reals off the saved span. */
static nn_real *
cut(nn_real **at, bool wanted, size_t count)
{
	nn_real    *part = *at;

	if (!wanted)
		return NULL;
	*at += count;
	return part;
}

/* The saved span, as backward will find it. */
static void
run_cut_saved(Run *run)
{
	const NnLayer *layer = run->layer;
	const NnCell *cell = run->cell;
	nn_real    *at = run->state->saved + layer->saved.offset;
	bool		in_dropout = layer->dropout > 0,
				state_dropout = layer->recurrent_dropout > 0;
	size_t		rows = (size_t) run->T * run->S * run->L;

	run->gates = cut(&at, true, rows * run->GH);
	run->zh = cell->apart ? cut(&at, true, rows * run->GH) : run->gates;
	run->pre = cut(&at, nn_cell_keeps_pre(cell, layer), rows * run->GH);
	run->c = cut(&at, cell->has_c, rows * run->H);
	run->ac = cut(&at, cell->has_c, rows * run->H);
	run->xm = cut(&at, in_dropout, rows * run->C);
	run->hm = cut(&at, state_dropout, rows * run->H);
	run->xmask = cut(&at, in_dropout, (size_t) run->S * run->C * run->L);
	run->hmask = cut(&at, state_dropout, (size_t) run->S * run->H * run->L);
	run->carry = run->state->scratch + layer->scratch.offset;
	run->dc = run->carry + (size_t) run->S * run->H * run->L;
	run->tmp = run->dc + (size_t) run->S * run->H * run->L;
	if (!run->state->training)
		run->xm = run->hm = NULL;
	else if (in_dropout)
		run->x = run->xm;
}

/* What one step needs, where nothing is kept. */
static void
run_cut_scratch(Run *run)
{
	nn_real    *at = run->state->scratch + run->layer->scratch.offset;
	size_t		gn = (size_t) run->GH * run->L;

	run->gates = cut(&at, true, gn);
	run->zh = run->cell->apart ? cut(&at, true, gn) : run->gates;
	run->c = cut(&at, run->cell->has_c, 2 * (size_t) run->S * run->H * run->L);
}

static Run
run_open(NnState *state, const NnLayer *layer, const NnCell *cell)
{
	Run			run = {.state = state, .layer = layer, .cell = cell, .kernels = state->kernels};

	run.T = layer->in.T;
	run.S = layer->in.S;
	run.C = layer->in.C;
	run.H = layer->out.C;
	run.GH = cell->gates * run.H;
	run.L = state->L;
	run.x = nn_op_input(state, layer, 0);
	run.h = state->activations + layer->output.offset;
	run.keeps = state->gradients != NULL;
	if (run.keeps)
		run_cut_saved(&run);
	else
		run_cut_scratch(&run);
	if (state->memory != NULL && layer->time == NN_TIME_PAST)
		run.memory = state->memory + layer->memory.offset;
	return run;
}

/* Masks of the step: one for all times, another for each channel and lane. */
static void
masks_draw(const Run *run)
{
	const NnState *state = run->state;
	uint32_t	stream = NN_STREAM_DROPOUT + 2 * (uint32_t) (run->layer - state->plan->layer);

	for (size_t row = 0; run->xm && row < (size_t) run->S * run->C; row++)
		nn_rng_mask(state->seed, stream, state->step, (row << 16) + state->first_lane,
					run->layer->dropout, run->xmask + row * run->L, run->L);
	for (size_t row = 0; run->hm && row < (size_t) run->S * run->H; row++)
		nn_rng_mask(state->seed, stream + 1, state->step, (row << 16) + state->first_lane,
					run->layer->recurrent_dropout, run->hmask + row * run->L, run->L);
}

/* Row of step k (in the order of the walk) and site s within [T][S]. */
static size_t
row_of(const Run *run, uint32_t k, uint32_t s)
{
	return (size_t) (run->layer->reverse ? run->T - 1 - k : k) * run->S + s;
}

/* c of step k: without backward the last two steps take turns. */
static nn_real *
c_of(const Run *run, uint32_t k, uint32_t s)
{
	size_t		row = run->keeps ? row_of(run, k, s) : (size_t) (k % 2) * run->S + s;

	return run->c ? run->c + row * run->H * run->L : NULL;
}

static NnStep
step_open(const Run *run, uint32_t k, uint32_t s)
{
	size_t		row = row_of(run, k, s),
				kept = run->keeps ? row : 0,
				n = (size_t) run->H * run->L,
				gn = (size_t) run->GH * run->L;
	NnStep		step = {.kernels = run->kernels, .layer = run->layer, .H = run->H, .L = run->L,
	.n = n};

	step.z = run->gates + kept * gn;
	step.zh = run->zh + kept * gn;
	step.pre = run->pre ? run->pre + kept * gn : NULL;
	step.h = run->h + row * n;
	step.c = c_of(run, k, s);
	step.ac = run->ac ? run->ac + kept * n : NULL;
	if (k > 0)
	{
		step.h_prev = run->h + row_of(run, k - 1, s) * n;
		step.c_prev = c_of(run, k - 1, s);
	}
	else if (run->memory && run->state->resumes)
	{
		step.h_prev = run->memory + s * n;
		step.c_prev = run->c ? run->memory + (run->S + s) * n : NULL;
	}
	if (run->layer->peephole)
	{
		step.weight_ci = nn_op_param(run->state, run->layer, 3);
		step.weight_cf = nn_op_param(run->state, run->layer, 4);
		step.weight_co = nn_op_param(run->state, run->layer, 5);
	}
	return step;
}

/* Keeps the state after the last step for a forecast that goes on from it. */
static void
memory_leave(const Run *run)
{
	size_t		n = (size_t) run->S * run->H * run->L;

	if (run->memory == NULL)
		return;
	memcpy(run->memory, run->h + row_of(run, run->T - 1, 0) * run->H * run->L, n * sizeof(nn_real));
	if (run->c)
		memcpy(run->memory + n, c_of(run, run->T - 1, 0), n * sizeof(nn_real));
}

static void
recurrent_forward(NnState *state, const NnLayer *layer, const NnCell *cell)
{
	Run			run = run_open(state, layer, cell);
	const nn_real *bias = nn_op_param(state, layer, 2);
	const nn_real *weight_ih = nn_op_pack(state, layer, 0),
			   *weight_hh = nn_op_pack(state, layer, 2);
	size_t		cn = (size_t) run.C * run.L,
				hn = (size_t) run.H * run.L;

	masks_draw(&run);
	for (uint32_t k = 0; k < run.T; k++)
		for (uint32_t s = 0; s < run.S; s++)
		{
			NnStep		step = step_open(&run, k, s);
			size_t		row = row_of(&run, k, s);
			const nn_real *h_prev = step.h_prev;

			state->env->poll(state->env->host);
			if (run.xm)
				run.kernels->mul(run.xm + row * cn, nn_op_input(state, layer, 0) + row * cn,
								 run.xmask + s * cn, cn);
			if (run.hm && h_prev)
			{
				run.kernels->mul(run.hm + row * hn, h_prev, run.hmask + s * hn, hn);
				h_prev = run.hm + row * hn;
			}
			/* z = W_ih x + b (+ W_hh h_prev) */
			if (h_prev && !cell->apart)
				run.kernels->matmul_pair(step.z, bias, weight_ih, run.x + row * cn, run.C,
										 weight_hh, h_prev, run.H, run.GH, run.L);
			else
				run.kernels->matmul(step.z, weight_ih, bias, run.x + row * cn, run.GH, run.C,
									run.L, false);
			if (cell->apart)
			{
				const nn_real *bias_hh = nn_op_param(state, layer, 3);

				run.kernels->matmul(step.zh, weight_hh, bias_hh, h_prev ? h_prev : run.x, run.GH,
									h_prev ? run.H : 0, run.L, false);
			}
			cell->forward(&step);
		}
	memory_leave(&run);
}

/* dh(k-1) from dz(k): h_prev enters as W_hh (mask * h_prev). */
static void
state_backward(const Run *run, const NnStep *step, uint32_t s)
{
	const nn_real *weight_hh = nn_op_pack(run->state, run->layer, 3);
	size_t		n = step->n;

	if (run->hm == NULL)
	{
		run->kernels->matmul(step->dh, weight_hh, NULL, step->zh, run->H, run->GH, run->L,
							 run->cell->direct);
		return;
	}
	if (!run->cell->direct)
		memset(step->dh, 0, n * sizeof(nn_real));
	run->kernels->matmul(run->tmp, weight_hh, NULL, step->zh, run->H, run->GH, run->L, false);
	run->kernels->muladd(step->dh, run->tmp, run->hmask + s * n, n);
}

/* dx(k) += W_ih^T dz(k): x enters as W_ih (mask * x). */
static void
input_backward(const Run *run, const NnStep *step, nn_real *dx, size_t row, uint32_t s)
{
	const nn_real *weight_ih = nn_op_pack(run->state, run->layer, 1);
	size_t		n = (size_t) run->C * run->L;

	if (run->xm == NULL)
	{
		run->kernels->matmul(dx + row * n, weight_ih, NULL, step->z, run->C, run->GH, run->L,
							 true);
		return;
	}
	run->kernels->matmul(run->tmp, weight_ih, NULL, step->z, run->C, run->GH, run->L, false);
	run->kernels->muladd(dx + row * n, run->tmp, run->xmask + s * n, n);
}

/* Weight gradients, one product over all steps: dW = sum_t dz(t) x(t)^T. */
static void
weights_backward(const Run *run)
{
	NnState    *state = run->state;
	const NnLayer *layer = run->layer;
	size_t		gn = (size_t) run->GH * run->L,
				cn = (size_t) run->C * run->L,
				hn = (size_t) run->H * run->L;
	/* The first step of the walk has no state before it: the others are T - 1 pairs. */
	size_t		z_first = layer->reverse ? 0 : run->S,
				h_first = layer->reverse ? run->S : 0;

	for (uint32_t s = 0; s < run->S; s++)
	{
		const nn_real *h_prev = run->hm ? run->hm + (z_first + s) * hn :
			run->h + (h_first + s) * hn;

		nn_op_outer(state, nn_op_dparam(state, layer, 0), run->C, run->gates + s * gn,
					(ptrdiff_t) (run->S * gn), run->x + s * cn, (ptrdiff_t) (run->S * cn),
					run->T, run->GH, run->C);
		nn_op_outer(state, nn_op_dparam(state, layer, 1), run->H, run->zh + (z_first + s) * gn,
					(ptrdiff_t) (run->S * gn), h_prev, (ptrdiff_t) (run->S * hn),
					run->T - 1, run->GH, run->H);
	}
	run->kernels->lane_sum(nn_op_dparam(state, layer, 2), run->gates, (ptrdiff_t) gn,
						   run->T * run->S, run->GH, run->L);
	if (run->cell->apart)
		run->kernels->lane_sum(nn_op_dparam(state, layer, 3), run->zh, (ptrdiff_t) gn,
							   run->T * run->S, run->GH, run->L);
}

static void
recurrent_backward(NnState *state, const NnLayer *layer, const NnCell *cell)
{
	Run			run = run_open(state, layer, cell);
	const nn_real *dy = state->gradients + layer->output.offset;
	nn_real    *dx = nn_op_input_gradient(state, layer, 0);
	size_t		n = (size_t) run.H * run.L;

	memset(run.carry, 0, 2 * run.S * n * sizeof(nn_real));	/* carry and dc */
	for (uint32_t k = run.T; k-- > 0;)
		for (uint32_t s = 0; s < run.S; s++)
		{
			NnStep		step = step_open(&run, k, s);
			size_t		row = row_of(&run, k, s);

			state->env->poll(state->env->host);
			step.dh = run.carry + s * n;
			step.dc = run.dc + s * n;
			step.tmp = run.tmp;
			if (layer->peephole)
			{
				step.dweight_ci = nn_op_dparam(state, layer, 3);
				step.dweight_cf = nn_op_dparam(state, layer, 4);
				step.dweight_co = nn_op_dparam(state, layer, 5);
			}
			run.kernels->axpy(step.dh, 1, dy + row * n, n);
			cell->backward(&step);
			if (k > 0)
				state_backward(&run, &step, s);
			if (dx)
				input_backward(&run, &step, dx, row, s);
		}
	weights_backward(&run);
}

void
nn_rnn_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	recurrent_plan(planner, layer, spec, &nn_rnn_cell);
}

void
nn_rnn_forward(NnState *state, const NnLayer *layer)
{
	recurrent_forward(state, layer, &nn_rnn_cell);
}

void
nn_rnn_backward(NnState *state, const NnLayer *layer)
{
	recurrent_backward(state, layer, &nn_rnn_cell);
}

void
nn_gru_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	recurrent_plan(planner, layer, spec, &nn_gru_cell);
}

void
nn_gru_forward(NnState *state, const NnLayer *layer)
{
	recurrent_forward(state, layer, &nn_gru_cell);
}

void
nn_gru_backward(NnState *state, const NnLayer *layer)
{
	recurrent_backward(state, layer, &nn_gru_cell);
}

void
nn_lstm_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	recurrent_plan(planner, layer, spec, &nn_lstm_cell);
}

void
nn_lstm_forward(NnState *state, const NnLayer *layer)
{
	recurrent_forward(state, layer, &nn_lstm_cell);
}

void
nn_lstm_backward(NnState *state, const NnLayer *layer)
{
	recurrent_backward(state, layer, &nn_lstm_cell);
}
