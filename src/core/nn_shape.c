/*
 * nn_shape.c
 *		Operations that move numbers: last, flatten, concat, residual.
 *
 * All are copies of whole rows of lanes; none has parameters.
 */
#include "core/nn_op.h"

/*
 * last: [T][S][C] -> [1][S][C], the final step of the walk: the last, or for a
 * reversed layer the first.
 */
void
nn_last_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	(void) planner;
	(void) spec;
	layer->out = (NnShape) {1, layer->in.S, layer->in.C, 0};
}

static size_t
last_offset(const NnState *state, const NnLayer *layer)
{
	return layer->reverse ? 0 :
		(size_t) (layer->in.T - 1) * layer->in.S * layer->in.C * state->L;
}

void
nn_last_forward(NnState *state, const NnLayer *layer)
{
	nn_op_copy(state, state->activations + layer->output.offset,
			   nn_op_input(state, layer, 0) + last_offset(state, layer),
			   (size_t) layer->in.S * layer->in.C * state->L);
}

void
nn_last_backward(NnState *state, const NnLayer *layer)
{
	nn_real    *dx = nn_op_input_gradient(state, layer, 0);

	if (dx)						/* y = x(last) */
		nn_op_add(state, dx + last_offset(state, layer), state->gradients + layer->output.offset,
				  (size_t) layer->in.S * layer->in.C * state->L);
}

/* flatten: [T][S][C] -> [1][S][T*C], channel t * C + c. */
void
nn_flatten_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	size_t		channels = nn_size_mul(planner->env, layer->in.T, layer->in.C);

	if (channels > UINT32_MAX / NN_MAX_LANES)
		nn_fail(planner->env, NN_TOO_LARGE,
				nn_format(planner->env, "layer \"%s\" would have %zu channels", spec->name, channels),
				"Use a smaller context.");
	layer->out = (NnShape) {1, layer->in.S, (uint32_t) channels, 0};
}

void
nn_flatten_forward(NnState *state, const NnLayer *layer)
{
	const nn_real *x = nn_op_input(state, layer, 0);
	nn_real    *y = state->activations + layer->output.offset;
	size_t		n = (size_t) layer->in.C * state->L;

	for (uint32_t t = 0; t < layer->in.T; t++)
		for (uint32_t s = 0; s < layer->in.S; s++)
			nn_op_copy(state, y + ((size_t) s * layer->in.T + t) * n,
					   x + ((size_t) t * layer->in.S + s) * n, n);
}

void
nn_flatten_backward(NnState *state, const NnLayer *layer)
{
	const nn_real *dy = state->gradients + layer->output.offset;
	nn_real    *dx = nn_op_input_gradient(state, layer, 0);
	size_t		n = (size_t) layer->in.C * state->L;

	for (uint32_t t = 0; dx && t < layer->in.T; t++)
		for (uint32_t s = 0; s < layer->in.S; s++)	/* y(s, t) = x(t, s) */
			nn_op_add(state, dx + ((size_t) t * layer->in.S + s) * n,
					  dy + ((size_t) s * layer->in.T + t) * n, n);
}

/*
 * concat: channels of all inputs one after the other, at every step and site.  An
 * input of one step is joined to every step of the longer ones, one of a single
 * site to every site.
 */
void
nn_concat_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	const NnEnv *env = planner->env;
	const char *name = spec->name[0] ? spec->name : layer->name;
	size_t		channels = 0;
	uint32_t	T = 1,
				S = 1,
				rows = 0;

	for (uint32_t i = 0; i < layer->ninputs; i++)
	{
		NnShape		other = planner->plan->layer[layer->input[i]].out;

		if (other.T != 1 && T != 1 && other.T != T)
			nn_fail(env, NN_BAD_VALUE,
					nn_format(env, "layer \"%s\" cannot join %u steps with %u steps", name, other.T, T),
					"Put a layer of type \"last\" or \"flatten\" before the longer one.");
		if (other.S != 1 && S != 1 && other.S != S)
			nn_fail(env, NN_BAD_VALUE,
					nn_format(env, "layer \"%s\" cannot join %u sites with %u sites", name, other.S, S),
					NULL);
		if (other.S > S || rows == 0)
			rows = other.rows;
		T = T > other.T ? T : other.T;
		S = S > other.S ? S : other.S;
		channels = nn_size_add(env, channels, other.C);
	}
	if (channels > UINT32_MAX / NN_MAX_LANES)
		nn_fail(env, NN_TOO_LARGE, nn_format(env, "layer \"%s\" would have %zu channels",
											 layer->name, channels), NULL);
	layer->out = (NnShape) {T, S, (uint32_t) channels, rows};
}

/* Row of an input of that shape that is joined at step t and site s. */
static size_t
concat_row(const NnShape *shape, uint32_t t, uint32_t s)
{
	return (size_t) (shape->T == 1 ? 0 : t) * shape->S + (shape->S == 1 ? 0 : s);
}

void
nn_concat_forward(NnState *state, const NnLayer *layer)
{
	nn_real    *y = state->activations + layer->output.offset;

	for (uint32_t t = 0; t < layer->out.T; t++)
		for (uint32_t s = 0; s < layer->out.S; s++)
			for (uint32_t i = 0; i < layer->ninputs; i++)
			{
				const NnShape *shape = &state->plan->layer[layer->input[i]].out;
				size_t		n = (size_t) shape->C * state->L;

				nn_op_copy(state, y, nn_op_input(state, layer, i) + concat_row(shape, t, s) * n, n);
				y += n;
			}
}

void
nn_concat_backward(NnState *state, const NnLayer *layer)
{
	const nn_real *dy = state->gradients + layer->output.offset;

	for (uint32_t t = 0; t < layer->out.T; t++)
		for (uint32_t s = 0; s < layer->out.S; s++)
			for (uint32_t i = 0; i < layer->ninputs; i++)
			{
				const NnShape *shape = &state->plan->layer[layer->input[i]].out;
				size_t		n = (size_t) shape->C * state->L;
				nn_real    *dx = nn_op_input_gradient(state, layer, i);

				if (dx)			/* y(t, s) = (x_1, x_2, ...) */
					nn_op_add(state, dx + concat_row(shape, t, s) * n, dy, n);
				dy += n;
			}
}

/*
 * residual: adds the last values of the targets in the window to every step's
 * forecast, so that the network learns changes from the last value on.  Raw
 * outputs that are locations (the forecast, the mean, every quantile) are
 * shifted, those that are widths are not.  With a season of m rows, step h (from 0)
 * is shifted by row T - m + h mod m instead of row T - 1: the network learns changes
 * from one season before.  Inputs: outputs [1][S][V * P], past.
 */
void
nn_residual_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	const NnSpec *s = planner->spec;
	size_t		needed = (size_t) s->horizon * s->ntargets * nn_spec_outputs(s);

	/* It reads the past site by site. */
	if (layer->in.T != 1 || layer->in.S != s->nsites || layer->in.C != needed)
		nn_fail(planner->env, NN_BAD_VALUE,
				nn_format(planner->env, "layer \"%s\" of type \"residual\" must follow the output layer",
						  spec->name),
				"Put it last, after the last dense layer.");
	if (spec->season > s->context)
		nn_fail(planner->env, NN_BAD_VALUE,
				nn_format(planner->env, "layer \"%s\" has a season of %u rows, but the context is %u",
						  spec->name, spec->season, s->context),
				"Use a longer context, or a shorter \"season\".");
	layer->season = spec->season;
	layer->out = layer->in;
	layer->outputs = nn_spec_outputs(s);
	layer->locations = s->loss == NN_LOSS_QUANTILE ? layer->outputs : 1;
}

/* Number of the target channel that raw output i is shifted by, or -1. */
static int
residual_channel(const NnPlan *plan, const NnLayer *layer, uint32_t i)
{
	if (i % layer->outputs >= layer->locations)
		return -1;
	return (int) (i / layer->outputs % plan->ntargets);
}

/* Row of the window, of T rows, that raw output i is shifted by. */
uint32_t
nn_residual_step(const NnPlan *plan, const NnLayer *layer, uint32_t i)
{
	uint32_t	T = plan->layer[layer->input[1]].out.T,
				h = i / layer->outputs / plan->ntargets;

	return layer->season > 0 ? T - layer->season + h % layer->season : T - 1;
}

/* Place of channel c in the row that shifts output i: within [T][S][C][L], site s. */
static size_t
residual_row(const NnState *state, const NnLayer *layer, uint32_t s, uint32_t i, int c)
{
	NnShape		past = state->plan->layer[layer->input[1]].out;
	size_t		row = nn_residual_step(state->plan, layer, i);

	return ((row * past.S + s) * past.C + (size_t) c) * state->L;
}

void
nn_residual_forward(NnState *state, const NnLayer *layer)
{
	const nn_real *past = nn_op_input(state, layer, 1);
	nn_real    *y = state->activations + layer->output.offset;
	uint32_t	L = state->L;

	nn_op_copy(state, y, nn_op_input(state, layer, 0), (size_t) layer->in.S * layer->in.C * L);
	for (uint32_t s = 0; s < layer->in.S; s++)
		for (uint32_t i = 0; i < layer->in.C; i++, y += L)
		{
			int			c = residual_channel(state->plan, layer, i);

			if (c >= 0)
				state->kernels->axpy(y, 1, past + residual_row(state, layer, s, i, c), L);
		}
}

void
nn_residual_backward(NnState *state, const NnLayer *layer)
{
	const nn_real *dy = state->gradients + layer->output.offset;
	nn_real    *dx = nn_op_input_gradient(state, layer, 0),
			   *dpast = nn_op_input_gradient(state, layer, 1);
	uint32_t	L = state->L;

	if (dx)						/* y = x + ... */
		state->kernels->axpy(dx, 1, dy, (size_t) layer->in.S * layer->in.C * L);
	for (uint32_t s = 0; dpast && s < layer->in.S; s++)
		for (uint32_t i = 0; i < layer->in.C; i++, dy += L)
		{
			int			c = residual_channel(state->plan, layer, i);

			if (c >= 0)			/* y = ... + past(row, c) */
				state->kernels->axpy(dpast + residual_row(state, layer, s, i, c), 1, dy, L);
		}
}
