/*
 * nn_dense.c
 *		The dense layer: y = W x + b at every step and site.
 *
 * Tensors weight [O][I] and bias [O], as in PyTorch's Linear; both begin as zeros with
 * "kernel_initializer": "zeros", for an output that first lets others forecast.  Saves nothing:
 * its input is still there when backward runs.
 */
#include "core/nn_op.h"

void
nn_dense_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	uint32_t	tensor;

	layer->out = (NnShape) {layer->in.T, layer->in.S, spec->units, 0};
	tensor = nn_planner_tensor(planner, layer, "weight",
							   spec->initializer == NN_INITIALIZER_ZEROS ? NN_INIT_ZEROS :
							   NN_INIT_GLOROT, 1, spec->units, layer->in.C);
	planner->plan->tensor[tensor].decay = true; /* however it begins */
	nn_planner_pack(planner, layer, tensor, true);
	nn_planner_tensor(planner, layer, "bias", NN_INIT_ZEROS, 1, spec->units, 0);
}

void
nn_dense_forward(NnState *state, const NnLayer *layer)
{
	const nn_real *x = nn_op_input(state, layer, 0);
	nn_real    *y = state->activations + layer->output.offset;
	uint32_t	I = layer->in.C,
				O = layer->out.C,
				L = state->L;

	for (size_t row = 0; row < (size_t) layer->in.T * layer->in.S; row++)
	{
		state->env->poll(state->env->host);
		state->kernels->matmul(y + row * O * L, nn_op_pack(state, layer, 0),
							   nn_op_param(state, layer, 1), x + row * I * L, O, I, L, false);
	}
}

void
nn_dense_backward(NnState *state, const NnLayer *layer)
{
	const nn_real *x = nn_op_input(state, layer, 0);
	const nn_real *dy = state->gradients + layer->output.offset;
	nn_real    *dx = nn_op_input_gradient(state, layer, 0);
	uint32_t	I = layer->in.C,
				O = layer->out.C,
				L = state->L,
				rows = layer->in.T * layer->in.S;
	size_t		on = (size_t) O * L,
				in = (size_t) I * L;

	/* y = W x + b */
	nn_op_outer(state, nn_op_dparam(state, layer, 0), I, dy, (ptrdiff_t) on, x, (ptrdiff_t) in,
				rows, O, I);
	state->kernels->lane_sum(nn_op_dparam(state, layer, 1), dy, (ptrdiff_t) on, rows, O, L);
	for (uint32_t row = 0; dx && row < rows; row++)
	{
		state->env->poll(state->env->host);
		state->kernels->matmul(dx + row * in, nn_op_pack(state, layer, 1), NULL, dy + row * on, I,
							   O, L, true);
	}
}
