/*
 * nn_embedding.c
 *		embedding: a learned vector for each series, [1][1][units].
 *
 * Tensor weight [nseries][units], a row for each series of the training, as in
 * PyTorch's Embedding.  It takes no input: which series a lane shows is said by
 * state->identity.  A series that was not trained gets the mean of all rows, which
 * costs a pass over them; a lane without a series gets zeros.  Backward touches
 * only the rows of the lanes, in their order.
 */
#include <string.h>

#include "core/nn_op.h"

/* Rows between polls of the host. */
#define POLL_ROWS 4096

void
nn_embedding_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	uint32_t	nseries = planner->spec->nseries;

	if (spec->units == 0)
		nn_fail(planner->env, NN_BAD_VALUE,
				nn_format(planner->env, "layer \"%s\" has no \"units\"", layer->name),
				"Set \"units\" to the numbers that are learned for each series.");
	if (nseries == 0)
		nn_fail(planner->env, NN_BAD_VALUE,
				nn_format(planner->env, "layer \"%s\" of type \"embedding\" has no series to learn",
						  layer->name),
				"It belongs to models of several series.");
	if (planner->spec->nsites > 1)
		nseries = planner->spec->nsites;	/* cells without a series, too */
	layer->out = (NnShape) {1, planner->spec->nsites, spec->units, planner->spec->grid_rows};
	nn_planner_tensor(planner, layer, "weight", NN_INIT_UNIFORM, 1, nseries, spec->units);
}

/* One lane of y [units][L] becomes the mean of the rows of weight [nseries][units]. */
static void
mean_fill(const NnState *state, const NnLayer *layer, const nn_real *weight, nn_real *y)
{
	uint32_t	nseries = state->plan->tensor[layer->first_tensor].dim[0];

	for (uint32_t c = 0; c < layer->out.C; c++)
	{
		double		sum = 0;

		for (uint32_t i = 0; i < nseries; i++)
		{
			if (i % POLL_ROWS == 0)
				state->env->poll(state->env->host);
			sum += (double) weight[(size_t) i * layer->out.C + c];
		}
		y[(size_t) c * state->L] = (nn_real) (sum / nseries);
	}
}

/* Every lane shows all sites: y [S][units][L] is weight [S][units]. */
static void
sites_forward(const NnState *state, const NnLayer *layer)
{
	const nn_real *weight = nn_op_param(state, layer, 0);
	nn_real    *y = state->activations + layer->output.offset;

	for (size_t i = 0; i < (size_t) layer->out.S * layer->out.C; i++)
		for (uint32_t l = 0; l < state->L; l++)
			*y++ = weight[i];
}

/* dweight [S][units] += sum_l dy [S][units][L] */
static void
sites_backward(const NnState *state, const NnLayer *layer)
{
	state->kernels->lane_sum(nn_op_dparam(state, layer, 0),
							 state->gradients + layer->output.offset, 0, 1,
							 layer->out.S * layer->out.C, state->L);
}

void
nn_embedding_forward(NnState *state, const NnLayer *layer)
{
	const nn_real *weight = nn_op_param(state, layer, 0);
	nn_real    *y = state->activations + layer->output.offset;
	uint32_t	nseries = state->plan->tensor[layer->first_tensor].dim[0],
				units = layer->out.C,
				L = state->L,
				mean = L;		/* the lane that holds it already */

	if (layer->out.S > 1)
	{
		sites_forward(state, layer);
		return;
	}
	for (uint32_t l = 0; l < L; l++)
	{
		uint32_t	i = state->identity[l];

		if (i >= nseries && i != NN_IDENTITY_NONE && mean == L)
		{
			mean = l;
			mean_fill(state, layer, weight, y + l);
		}
		for (uint32_t c = 0; c < units; c++)
			y[(size_t) c * L + l] = i < nseries ? weight[(size_t) i * units + c] :
				i == NN_IDENTITY_NONE ? 0 : y[(size_t) c * L + mean];
	}
}

void
nn_embedding_backward(NnState *state, const NnLayer *layer)
{
	const nn_real *dy = state->gradients + layer->output.offset;
	nn_real    *dw = nn_op_dparam(state, layer, 0);
	uint32_t	nseries = state->plan->tensor[layer->first_tensor].dim[0],
				units = layer->out.C,
				L = state->L;

	if (layer->out.S > 1)
	{
		sites_backward(state, layer);
		return;
	}
	for (uint32_t l = 0; l < L; l++)
	{
		uint32_t	i = state->identity[l];

		for (uint32_t c = 0; c < units && i < nseries; c++)	/* y(c) = weight(i, c) */
			dw[(size_t) i * units + c] += dy[(size_t) c * L + l];
	}
}
