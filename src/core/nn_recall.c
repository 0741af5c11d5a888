/*
 * nn_recall.c
 *		Forecasts that begin at a mixture of past seasons, its shares learned.
 *
 * Inputs outputs [1][1][V P] (V = horizon x G values of P raw outputs), logits
 * [1][S][n] and the window [T][S][C], S = 1 or G sites; the first g = G / S channels
 * of a site are its targets.  The window's last n m rows are n = T / m seasons of m
 * rows.  Within a site, for every lane,
 *	a = softmax(logits)										[n]
 *	base(h, k) = sum_j a(j) x(season min(j + h / m, n - 1), phase h mod m, target k)
 * for step h from 0 and target k, and base is added to those raw outputs of (h, k)
 * that are locations, as residual adds the last value.  A share belongs to a lag: all
 * on season n - 1 is the seasonal naive forecast, all on an earlier one the same
 * from further back, as long as there are rows; without an output the forecast is a
 * convex mixture of them, the weights of an attention (Bahdanau et al. 2015, arXiv
 * 1409.0473) that are the same for every step.
 *
 * Knows no normalization: window and outputs must be on the same axis.  The shares
 * are kept beside the output.  Costs n multiply-adds per value in a lane, twice
 * that backwards.
 */
#include <string.h>

#include "core/nn_op.h"

/* A layer at work. */
typedef struct Run
{
	const NnLayer *layer;
	const NnKernels *kernels;
	uint32_t	T, S, C, L;		/* of the window */
	uint32_t	n, m, G;
	size_t		season_step;	/* reals from a row of the window to that of the next season */
} Run;

void
nn_recall_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	const NnEnv *env = planner->env;
	const NnSpec *s = planner->spec;
	NnShape		logits = planner->plan->layer[layer->input[1]].out,
				window = planner->plan->layer[layer->input[2]].out;
	uint32_t	P = nn_spec_outputs(s),
				G = s->ntargets,
				m = spec->season;

	if (layer->in.T != 1 || layer->in.S != 1 || layer->in.C != (size_t) s->horizon * G * P)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" of type \"recall\" must follow the output layer", layer->name),
				"Put it after the last dense layer, or after \"join\".");
	if ((window.S != 1 && window.S != G) || window.C < G / window.S ||
		planner->plan->layer[layer->input[2]].time == NN_TIME_APART)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" of type \"recall\" gets a window of %u sites of %u channels, "
						  "without the %u targets", layer->name, window.S, window.C, G),
				"Its third input is \"past\", or a layer of type \"sites\" or \"normalize\".");
	if (m == 0)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" of type \"recall\" has no \"season\"", layer->name),
				"Set \"season\" to the rows of a season.");
	if (window.T < m)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" has a season of %u rows, but gets only %u", layer->name, m,
						  window.T), "Use a longer context, or a shorter \"season\".");
	if (logits.T != 1 || logits.S != window.S || logits.C != window.T / m)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" gets logits of %u steps, %u sites and %u channels, but %u "
						  "rows at %u sites have %u seasons of %u", layer->name, logits.T, logits.S,
						  logits.C, window.T, window.S, window.T / m, m),
				"Its second input is one step at the same sites, with a unit for each whole season.");
	layer->season = m;
	layer->outputs = P;
	layer->locations = s->loss == NN_LOSS_QUANTILE ? P : 1;
	layer->out = layer->in;
	nn_planner_kept(planner, layer, (size_t) logits.S * logits.C);
	/* The base of a value forwards; its gradient and those of a site's shares backwards. */
	nn_planner_scratch(planner, layer, (size_t) logits.C + 1);
}

static Run
run_open(const NnState *state, const NnLayer *layer)
{
	NnShape		window = state->plan->layer[layer->input[2]].out;
	Run			run = {.layer = layer, .kernels = state->kernels};

	run.T = window.T;
	run.S = window.S;
	run.C = window.C;
	run.L = state->L;
	run.m = layer->season;
	run.n = run.T / run.m;
	run.G = state->plan->ntargets;
	run.season_step = (size_t) run.m * run.S * run.C * run.L;
	return run;
}

/* Place within the window of target k in the first season's row of step h's phase. */
static size_t
phase_place(const Run *run, uint32_t h, uint32_t k)
{
	uint32_t	of_site = run->G / run->S,
				row = run->T - run->n * run->m + h % run->m;

	return (((size_t) row * run->S + k / of_site) * run->C + k % of_site) * run->L;
}

/* Number of the season that share j looks at for step h. */
static size_t
season_of(const Run *run, uint32_t j, uint32_t h)
{
	uint32_t	later = h / run->m;

	return later < run->n - j ? j + later : run->n - 1;
}

/* Place of the first raw output of step h and target k. */
static size_t
output_place(const Run *run, uint32_t h, uint32_t k)
{
	return ((size_t) h * run->G + k) * run->layer->outputs * run->L;
}

void
nn_recall_forward(NnState *state, const NnLayer *layer)
{
	Run			run = run_open(state, layer);
	size_t		shares = (size_t) run.n * run.L;
	const nn_real *x = nn_op_input(state, layer, 2);
	nn_real    *y = state->activations + layer->output.offset,
			   *a = state->activations + layer->kept.offset,	/* [S][n][L] */
			   *base = state->scratch + layer->scratch.offset;	/* [L] */

	memcpy(y, nn_op_input(state, layer, 0), sizeof(nn_real) * layer->in.C * run.L);
	memcpy(a, nn_op_input(state, layer, 1), sizeof(nn_real) * run.S * shares);
	for (uint32_t s = 0; s < run.S; s++)
		run.kernels->lane_softmax(a + s * shares, 1, run.n, run.L);
	for (uint32_t h = 0; h < state->plan->horizon; h++)
		for (uint32_t k = 0; k < run.G; k++)
		{
			const nn_real *at = x + phase_place(&run, h, k),
					   *share = a + k / (run.G / run.S) * shares;
			nn_real    *out = y + output_place(&run, h, k);

			state->env->poll(state->env->host);
			memset(base, 0, run.L * sizeof(nn_real));
			for (uint32_t j = 0; j < run.n; j++)
				run.kernels->muladd(base, share + (size_t) j * run.L,
									at + season_of(&run, j, h) * run.season_step, run.L);
			for (uint32_t p = 0; p < layer->locations; p++)
				run.kernels->axpy(out + (size_t) p * run.L, 1, base, run.L);
		}
}

/* The answer to the base of one value: dbase [L] to da [n][L] and, unless NULL, the window. */
static void
base_backward(const Run *run, uint32_t h, uint32_t k, const nn_real *dbase, const nn_real *a,
			  const nn_real *x, nn_real *da, nn_real *dx)
{
	size_t		phase = phase_place(run, h, k);

	for (uint32_t j = 0; j < run->n; j++)
	{
		size_t		place = phase + season_of(run, j, h) * run->season_step,
					share = (size_t) j * run->L;

		/* base += a(j) x(season) */
		run->kernels->muladd(da + share, dbase, x + place, run->L);
		if (dx)
			run->kernels->muladd(dx + place, dbase, a + share, run->L);
	}
}

void
nn_recall_backward(NnState *state, const NnLayer *layer)
{
	Run			run = run_open(state, layer);
	size_t		shares = (size_t) run.n * run.L;
	uint32_t	of_site = run.G / run.S;
	const nn_real *dy = state->gradients + layer->output.offset,
			   *a = state->activations + layer->kept.offset;
	nn_real    *dout = nn_op_input_gradient(state, layer, 0),
			   *dlogits = nn_op_input_gradient(state, layer, 1),
			   *dbase = state->scratch + layer->scratch.offset,
			   *da = dbase + run.L;

	if (dout)					/* y = out + ... */
		run.kernels->axpy(dout, 1, dy, (size_t) layer->in.C * run.L);
	for (uint32_t s = 0; s < run.S; s++)
	{
		memset(da, 0, shares * sizeof(nn_real));
		for (uint32_t i = 0; i < state->plan->horizon * of_site; i++)
		{
			uint32_t	h = i / of_site,
						k = s * of_site + i % of_site;

			state->env->poll(state->env->host);
			/* y(p) = ... + base, for every location p */
			memset(dbase, 0, run.L * sizeof(nn_real));
			for (uint32_t p = 0; p < layer->locations; p++)
				run.kernels->axpy(dbase, 1, dy + output_place(&run, h, k) + (size_t) p * run.L, run.L);
			base_backward(&run, h, k, dbase, a + s * shares, nn_op_input(state, layer, 2), da,
						  nn_op_input_gradient(state, layer, 2));
		}
		/* a = softmax(logits) */
		run.kernels->lane_softmax_grad(da, a + s * shares, 1, run.n, run.L);
		if (dlogits)
			run.kernels->axpy(dlogits + s * shares, 1, da, shares);
	}
}
