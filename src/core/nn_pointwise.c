/*
 * nn_pointwise.c
 *		Operations that keep the shape: activation, dropout, add.
 *
 * Also "input", the row of the three layers that bring in the window: it does
 * nothing, the gatherer wrote its output.
 */
#include <string.h>

#include "core/nn_op.h"
#include "core/nn_rng.h"

/* Reals of the layer's output for the current tile. */
static size_t
output_reals(const NnState *state, const NnLayer *layer)
{
	return (size_t) layer->out.T * layer->out.S * layer->out.C * state->L;
}

void
nn_input_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	/* The builder has set the shape. */
	(void) planner;
	(void) layer;
	(void) spec;
}

void
nn_input_forward(NnState *state, const NnLayer *layer)
{
	(void) state;
	(void) layer;
}

void
nn_input_backward(NnState *state, const NnLayer *layer)
{
	(void) state;
	(void) layer;
}

void
nn_activation_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	(void) planner;
	layer->out = layer->in;
	layer->activation = spec->activation;
}

void
nn_activation_forward(NnState *state, const NnLayer *layer)
{
	state->kernels->activate(layer->activation, state->activations + layer->output.offset,
							 nn_op_input(state, layer, 0), output_reals(state, layer));
}

void
nn_activation_backward(NnState *state, const NnLayer *layer)
{
	nn_real    *dx = nn_op_input_gradient(state, layer, 0);

	if (dx)						/* y = act(x) */
		state->kernels->activate_grad(layer->activation, dx,
									  state->gradients + layer->output.offset,
									  nn_op_input(state, layer, 0),
									  state->activations + layer->output.offset,
									  output_reals(state, layer), true);
}

/* Inverted dropout (Srivastava et al. 2014): survivors are scaled up in training. */
void
nn_dropout_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	layer->out = layer->in;
	layer->dropout = (nn_real) spec->rate;
	nn_planner_saved(planner, layer, nn_size_mul(planner->env,
												 nn_size_mul(planner->env, layer->in.T, layer->in.S),
												 layer->in.C));
}

void
nn_dropout_forward(NnState *state, const NnLayer *layer)
{
	const nn_real *x = nn_op_input(state, layer, 0);
	nn_real    *y = state->activations + layer->output.offset,
			   *mask = state->saved + layer->saved.offset;
	size_t		n = output_reals(state, layer);
	uint32_t	stream = NN_STREAM_DROPOUT + 2 * (uint32_t) (layer - state->plan->layer);

	if (!state->training || layer->dropout <= 0)
	{
		memcpy(y, x, n * sizeof(nn_real));
		return;
	}
	for (size_t row = 0; row < n / state->L; row++)
	{
		state->env->poll(state->env->host);
		nn_rng_mask(state->seed, stream, state->step, (row << 16) + state->first_lane,
					layer->dropout, mask + row * state->L, state->L);
	}
	state->kernels->mul(y, x, mask, n);
}

void
nn_dropout_backward(NnState *state, const NnLayer *layer)
{
	const nn_real *dy = state->gradients + layer->output.offset,
			   *mask = state->saved + layer->saved.offset;
	nn_real    *dx = nn_op_input_gradient(state, layer, 0);

	if (dx == NULL)
		return;
	if (!state->training || layer->dropout <= 0)
		state->kernels->axpy(dx, 1, dy, output_reals(state, layer));
	else						/* y = mask * x */
		state->kernels->muladd(dx, dy, mask, output_reals(state, layer));
}

void
nn_add_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	for (uint32_t i = 1; i < layer->ninputs; i++)
	{
		NnShape		other = planner->plan->layer[layer->input[i]].out;

		if (other.T != layer->in.T || other.S != layer->in.S || other.C != layer->in.C)
			nn_fail(planner->env, NN_BAD_VALUE,
					nn_format(planner->env,
							  "layer \"%s\" cannot add %u steps of %u channels to %u steps of %u channels",
							  spec->name, other.T, other.C, layer->in.T, layer->in.C),
					"Give its inputs one shape, for instance by dense layers of equal units.");
	}
	layer->out = layer->in;
}

void
nn_add_forward(NnState *state, const NnLayer *layer)
{
	nn_real    *y = state->activations + layer->output.offset;
	size_t		n = output_reals(state, layer);

	memcpy(y, nn_op_input(state, layer, 0), n * sizeof(nn_real));
	for (uint32_t i = 1; i < layer->ninputs; i++)
		state->kernels->axpy(y, 1, nn_op_input(state, layer, i), n);
}

void
nn_add_backward(NnState *state, const NnLayer *layer)
{
	for (uint32_t i = 0; i < layer->ninputs; i++)
	{
		nn_real    *dx = nn_op_input_gradient(state, layer, i);

		if (dx)					/* y = x_1 + x_2 + ... */
			state->kernels->axpy(dx, 1, state->gradients + layer->output.offset,
								 output_reals(state, layer));
	}
}
