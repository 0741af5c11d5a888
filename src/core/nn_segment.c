/*
 * nn_segment.c
 *		Operations between rows, segments of rows, and sites: sites, segment, join,
 *		repeat.
 *
 * With them layers share weights over targets (each target a site of its own) and
 * step over segments of rows instead of rows (Lin et al. 2023, arXiv 2308.11200).
 * All are copies of whole rows of lanes; none has parameters or keeps anything
 * for backward.
 */
#include <string.h>

#include "core/nn_op.h"

/* Fails where a layer would have more channels than an index of lanes can count. */
static uint32_t
channels_check(const NnPlanner *planner, const NnLayer *layer, size_t channels)
{
	if (channels > UINT32_MAX / NN_MAX_LANES)
		nn_fail(planner->env, NN_TOO_LARGE,
				nn_format(planner->env, "layer \"%s\" would have %zu channels", layer->name, channels),
				"Use a smaller \"length\".");
	return (uint32_t) channels;
}

/* ------------------------------------------------------------------------
 * sites: [T][1][C] -> [T][G][1 + C - G] with G targets: every target becomes a
 * site of its own, channel 0 the target; the other channels (covariates, masks of
 * all columns) follow, the same for each site.
 */

void
nn_sites_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	uint32_t	G = planner->spec->ntargets;

	(void) spec;
	nn_planner_require_single(planner, layer);
	if (layer->in.S != 1 || layer->in.C < G)
		nn_fail(planner->env, NN_BAD_VALUE,
				nn_format(planner->env, "layer \"%s\" of type \"sites\" gets %u sites of %u channels, "
						  "not one site with the %u targets", layer->name, layer->in.S, layer->in.C, G),
				"Put it first: its input is \"past\".");
	layer->out = (NnShape) {layer->in.T, G, 1 + layer->in.C - G, 0};
}

void
nn_sites_forward(NnState *state, const NnLayer *layer)
{
	const nn_real *x = nn_op_input(state, layer, 0);
	nn_real    *y = state->activations + layer->output.offset;
	uint32_t	G = layer->out.S,
				L = state->L;
	size_t		others = (size_t) (layer->in.C - G) * L;

	for (uint32_t t = 0; t < layer->in.T; t++, x += (size_t) layer->in.C * L)
		for (uint32_t g = 0; g < G; g++, y += L + others)
		{
			memcpy(y, x + (size_t) g * L, L * sizeof(nn_real));
			memcpy(y + L, x + (size_t) G * L, others * sizeof(nn_real));
		}
}

void
nn_sites_backward(NnState *state, const NnLayer *layer)
{
	const nn_real *dy = state->gradients + layer->output.offset;
	nn_real    *dx = nn_op_input_gradient(state, layer, 0);
	uint32_t	G = layer->out.S,
				L = state->L;
	size_t		others = (size_t) (layer->in.C - G) * L;

	for (uint32_t t = 0; dx && t < layer->in.T; t++, dx += (size_t) layer->in.C * L)
		for (uint32_t g = 0; g < G; g++, dy += L + others)
		{
			state->kernels->axpy(dx + (size_t) g * L, 1, dy, L);	/* y(g, 0) = x(g) */
			state->kernels->axpy(dx + (size_t) G * L, 1, dy + L, others);	/* y(g, 1..) = x(G..) */
		}
}

/* ------------------------------------------------------------------------
 * segment: [T][S][C] -> [ceil(T / w)][S][w * C], channel i * C + c for row i of
 * the segment.  Where w does not divide T, the first segment is filled up at its
 * front with the first row, so that the last one ends with the newest.  What does
 * not depend on the past (the future covariates, and layers on them) is filled up
 * at its end with its last row instead: those segments stand beside the segments
 * of the output, which begin with the first step ahead.
 */

void
nn_segment_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	size_t		channels = nn_size_mul(planner->env, spec->length, layer->in.C);

	layer->out = (NnShape) {(layer->in.T + spec->length - 1) / spec->length, layer->in.S,
	channels_check(planner, layer, channels), 0};
}

/* Row of the input that is row i of segment j, where segments have w rows. */
static uint32_t
segment_row(const NnState *state, const NnLayer *layer, uint32_t w, uint32_t j, uint32_t i)
{
	uint32_t	row = j * w + i,
				missing = layer->out.T * w - layer->in.T;

	if (state->plan->layer[layer->input[0]].time == NN_TIME_APART)
		return row < layer->in.T ? row : layer->in.T - 1;
	return row > missing ? row - missing : 0;
}

void
nn_segment_forward(NnState *state, const NnLayer *layer)
{
	const nn_real *x = nn_op_input(state, layer, 0);
	nn_real    *y = state->activations + layer->output.offset;
	uint32_t	S = layer->in.S,
				w = layer->out.C / layer->in.C;
	size_t		n = (size_t) layer->in.C * state->L;

	for (uint32_t j = 0; j < layer->out.T; j++)
		for (uint32_t s = 0; s < S; s++)
			for (uint32_t i = 0; i < w; i++, y += n)
			{
				size_t		row = segment_row(state, layer, w, j, i);

				memcpy(y, x + (row * S + s) * n, n * sizeof(nn_real));
			}
}

void
nn_segment_backward(NnState *state, const NnLayer *layer)
{
	const nn_real *dy = state->gradients + layer->output.offset;
	nn_real    *dx = nn_op_input_gradient(state, layer, 0);
	uint32_t	S = layer->in.S,
				w = layer->out.C / layer->in.C;
	size_t		n = (size_t) layer->in.C * state->L;

	for (uint32_t j = 0; dx && j < layer->out.T; j++)
		for (uint32_t s = 0; s < S; s++)
			for (uint32_t i = 0; i < w; i++, dy += n)
			{
				size_t		row = segment_row(state, layer, w, j, i);

				/* y(j, s, i) = x(row, s) */
				state->kernels->axpy(dx + (row * S + s) * n, 1, dy, n);
			}
}

/* ------------------------------------------------------------------------
 * join: the inverse at the output, [m][S][w * (G / S) * P] -> [1][1][horizon * G * P]
 * for G targets of P raw outputs, S = 1 or G.  Row i of segment j is step j * w + i;
 * steps beyond the horizon are dropped.  Channel (i * (G / S) + k) * P + p of a
 * segment is output p of target k (of the site's, where each has its own).  Where
 * the rows themselves have S sites, each with all targets, they stay apart:
 * [m][S][w * G * P] -> [1][S][horizon * G * P].
 */

void
nn_join_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	const NnEnv *env = planner->env;
	const NnSpec *s = planner->spec;
	uint32_t	w = spec->length,
				P = nn_spec_outputs(s),
				G = s->ntargets,
				S = layer->in.S;
	size_t		of_step = nn_size_mul(env, G, P);
	bool		apart = s->nsites > 1;

	if (apart ? S != s->nsites || layer->in.C != nn_size_mul(env, w, of_step) :
		(S != 1 && S != G) || layer->in.C != nn_size_mul(env, w, of_step / S))
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" of type \"join\" must follow the output layer", layer->name),
				"Put it after the last dense layer, before \"denormalize\" or \"residual\".");
	if ((size_t) layer->in.T * w < s->horizon)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" joins %u segments of %u steps, fewer than the horizon of %u",
						  layer->name, layer->in.T, w, s->horizon),
				"Use a greater \"length\", or make more steps with a layer of type \"repeat\" or "
				"\"decoder\".");
	layer->outputs = P;
	layer->out = (NnShape) {1, apart ? S : 1,
	channels_check(planner, layer, nn_size_mul(env, s->horizon, of_step)), 0};
}

/*
 * Copies between segments [m][S][w][row] and outputs [horizon][S][row], or
 * [S][horizon][row] of sites that stay apart, of the
 * gradients (adding to segments) or of the values (writing outputs).
 */
static void
join_walk(NnState *state, const NnLayer *layer, nn_real *segments, nn_real *outputs, bool backward)
{
	uint32_t	G = state->plan->ntargets,
				S = layer->in.S,
				H = state->plan->horizon,
				own = state->plan->nsites > 1 ? G : G / S,	/* targets of a site */
				w = layer->in.C / (own * layer->outputs);
	size_t		n = (size_t) own * layer->outputs * state->L;

	for (uint32_t j = 0; j < layer->in.T; j++)
		for (uint32_t s = 0; s < S; s++)
			for (uint32_t i = 0; i < w && (size_t) j * w + i < H; i++)
			{
				size_t		step = (size_t) j * w + i;
				nn_real    *x = segments + (((size_t) j * S + s) * w + i) * n,
						   *y = outputs + (layer->out.S > 1 ? s * (size_t) H + step : step * S + s) * n;

				if (backward)	/* y(j * w + i, s) = x(j, s, i) */
					state->kernels->axpy(x, 1, y, n);
				else
					memcpy(y, x, n * sizeof(nn_real));
			}
}

void
nn_join_forward(NnState *state, const NnLayer *layer)
{
	join_walk(state, layer, nn_state_output(state, layer->input[0]),
			  state->activations + layer->output.offset, false);
}

void
nn_join_backward(NnState *state, const NnLayer *layer)
{
	nn_real    *dx = nn_op_input_gradient(state, layer, 0);

	if (dx)
		join_walk(state, layer, dx, state->gradients + layer->output.offset, true);
}

/* ------------------------------------------------------------------------
 * repeat: [1][S][C] -> [steps][S][C], the same at every step; steps 0: the horizon
 */

void
nn_repeat_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	if (layer->in.T != 1)
		nn_fail(planner->env, NN_BAD_VALUE,
				nn_format(planner->env, "layer \"%s\" of type \"repeat\" gets %u steps instead of one",
						  layer->name, layer->in.T),
				"Put a layer of type \"last\" or \"flatten\" before it.");
	layer->out = (NnShape) {spec->steps ? spec->steps : planner->spec->horizon, layer->in.S,
	layer->in.C, 0};
}

void
nn_repeat_forward(NnState *state, const NnLayer *layer)
{
	size_t		n = (size_t) layer->in.S * layer->in.C * state->L;

	for (uint32_t t = 0; t < layer->out.T; t++)
		memcpy(state->activations + layer->output.offset + t * n, nn_op_input(state, layer, 0),
			   n * sizeof(nn_real));
}

void
nn_repeat_backward(NnState *state, const NnLayer *layer)
{
	const nn_real *dy = state->gradients + layer->output.offset;
	nn_real    *dx = nn_op_input_gradient(state, layer, 0);
	size_t		n = (size_t) layer->in.S * layer->in.C * state->L;

	for (uint32_t t = 0; dx && t < layer->out.T; t++)	/* y(t) = x */
		state->kernels->axpy(dx, 1, dy + t * n, n);
}
