/*
 * nn_state.c
 *		Takes the slabs of a plan and runs its layers over one tile.
 *
 * Knows no operation: it walks the list and calls the table.  Polls the host
 * before each layer and each matrix that it packs; layers poll at each step or
 * row of theirs that is a product.
 */
#include "core/nn_op.h"
#include "core/nn_state.h"

static nn_real *
slab(const NnEnv *env, size_t n)
{
	return NN_NEW_ARRAY(env, nn_real, n > 0 ? n : 1);
}

NnState *
nn_state_create(const NnEnv *env, const NnPlan *plan, const NnKernels *kernels, nn_real *params,
				bool training)
{
	NnState    *state = NN_NEW(env, NnState);

	state->env = env;
	state->plan = plan;
	state->kernels = kernels;
	state->params = params;
	state->packed = slab(env, plan->npacked);
	state->activations = slab(env, plan->nactivations);
	state->saved = slab(env, training ? plan->nsaved : 0);
	state->scratch = slab(env, plan->nscratch);
	state->identity = NN_NEW_ARRAY(env, uint32_t, plan->lanes);
	state->missing = NN_NEW_ARRAY(env, uint32_t, plan->lanes);
	if (training)
	{
		state->gradients = slab(env, plan->nactivations);
		state->dparams = slab(env, plan->nparams);
	}
	state->L = plan->lanes;
	state->training = training;
	return state;
}

NnState *
nn_state_continue(NnState *state, const NnPlan *next)
{
	NnState    *more = NN_NEW(state->env, NnState);

	state->memory = slab(state->env, state->plan->nmemory);
	*more = *state;
	more->plan = next;
	more->activations = slab(state->env, next->nactivations);
	more->resumes = true;
	return more;
}

void
nn_state_pack(NnState *state)
{
	const NnPlan *plan = state->plan;

	for (uint32_t i = 0; i < plan->npacks; i++)
	{
		const NnPack *pack = &plan->pack[i];

		if ((pack->backward && state->gradients == NULL) || (pack->explain && !state->explain) ||
			(plan->tensor[pack->tensor].idle && state->gradients != NULL))
			continue;
		for (uint32_t tap = 0; tap < pack->taps; tap++)
		{
			state->env->poll(state->env->host);
			state->kernels->pack(state->packed + pack->offset +
								 tap * state->kernels->packed_size(pack->M, pack->K),
								 state->params + plan->tensor[pack->tensor].span.offset +
								 pack->first + tap * pack->next,
								 pack->rs, pack->cs, pack->M, pack->K);
		}
	}
}

void
nn_state_forward(NnState *state)
{
	const NnPlan *plan = state->plan;

	for (uint32_t i = plan->first_layer; i < plan->nlayers; i++)
	{
		state->env->poll(state->env->host);
		nn_ops[plan->layer[i].op].forward(state, &plan->layer[i]);
	}
}

void
nn_state_backward(NnState *state)
{
	const NnPlan *plan = state->plan;

	for (uint32_t i = 0; i < plan->nlayers; i++)
		if (i != plan->output_layer)
		{
			const NnShape *out = &plan->layer[i].out;

			nn_op_clear(state, nn_state_gradient(state, i), (size_t) out->T * out->S * out->C * state->L);
		}
	for (uint32_t i = plan->nlayers; i-- > plan->first_layer;)
	{
		state->env->poll(state->env->host);
		nn_ops[plan->layer[i].op].backward(state, &plan->layer[i]);
	}
}

nn_real *
nn_state_output(const NnState *state, uint32_t i)
{
	return state->activations + state->plan->layer[i].output.offset;
}

nn_real *
nn_state_gradient(const NnState *state, uint32_t i)
{
	return state->gradients + state->plan->layer[i].output.offset;
}
