/*
 * nn_fuse.c
 *		Branches of a network mixed into one, and rows picked out of a sequence.
 *
 * fuse adds up branches of the same channels, each with a share.  A branch that depends
 * on an array column (NnLayer.arrays) which a lane does not have (NnState.missing) takes
 * no part in that lane, neither in the sum nor in what the shares are made of; where all
 * branches lack theirs, all take part.  The output depends on an array only where every
 * branch does.
 *
 * Gated fusion works row by row (a step of a site): k channels of logits from k * C
 * inputs, a softmax over the k, a weighted sum.  Saves nothing: the shares lie beside the
 * output, the rest is computed again from the inputs.
 */
#include "core/nn_op.h"

#include <math.h>
#include <string.h>

/* A logit that no softmax notices. */
#define NOWHERE NN_R(-1e30)

/*
 * lags: [T][S][C] -> [n][S][C], step i is the row lag[i] of the sequence, where 1 is the
 * newest, 2 the one before.
 */
void
nn_lags_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	if (spec->nlags == 0)
		nn_fail(planner->env, NN_BAD_VALUE,
				nn_format(planner->env, "layer \"%s\" of type \"lags\" has no \"lags\"", spec->name),
				"Say which rows to keep, as in \"lags\": [24, 168]; 1 is the newest.");
	for (uint32_t i = 0; i < spec->nlags; i++)
	{
		if (spec->lag[i] > layer->in.T)
			nn_fail(planner->env, NN_BAD_VALUE,
					nn_format(planner->env, "layer \"%s\" picks lag %u, but its input has %u steps",
							  spec->name, spec->lag[i], layer->in.T),
					"Use a longer context, or shorter lags.");
		layer->lag[i] = spec->lag[i];
	}
	layer->nlags = spec->nlags;
	layer->out = (NnShape) {spec->nlags, layer->in.S, layer->in.C, 0};
}

/* Reals of one step of a layer's output. */
static size_t
step_reals(const NnState *state, const NnLayer *layer)
{
	return (size_t) layer->out.S * layer->out.C * state->L;
}

void
nn_lags_forward(NnState *state, const NnLayer *layer)
{
	const nn_real *x = nn_op_input(state, layer, 0);
	nn_real    *y = state->activations + layer->output.offset;
	size_t		n = step_reals(state, layer);

	for (uint32_t i = 0; i < layer->nlags; i++)
		nn_op_copy(state, y + i * n, x + (layer->in.T - layer->lag[i]) * n, n);
}

void
nn_lags_backward(NnState *state, const NnLayer *layer)
{
	const nn_real *dy = state->gradients + layer->output.offset;
	nn_real    *dx = nn_op_input_gradient(state, layer, 0);
	size_t		n = step_reals(state, layer);

	for (uint32_t i = 0; dx && i < layer->nlags; i++)	/* y(i) = x(T - lag(i)) */
		nn_op_add(state, dx + (layer->in.T - layer->lag[i]) * n, dy + i * n, n);
}

/* ------------------------------------------------------------------------
 * fuse
 */

/* Shape of the output: an input of one step or site is there at every step or site. */
static NnShape
fuse_shape(const NnPlanner *planner, const NnLayer *layer, const char *name)
{
	const NnEnv *env = planner->env;
	NnShape		out = layer->in;

	for (uint32_t i = 1; i < layer->ninputs; i++)
	{
		const NnLayer *input = &planner->plan->layer[layer->input[i]];
		NnShape		other = input->out;

		if (other.C != out.C)
			nn_fail(env, NN_BAD_VALUE,
					nn_format(env, "layer \"%s\" cannot fuse %u channels with the %u of \"%s\"", name,
							  out.C, other.C, input->name),
					"Put a dense layer of the same \"units\" before each of its inputs.");
		if (other.T != 1 && out.T != 1 && other.T != out.T)
			nn_fail(env, NN_BAD_VALUE,
					nn_format(env, "layer \"%s\" cannot fuse %u steps with the %u of \"%s\"", name, out.T,
							  other.T, input->name),
					"Put a layer of type \"last\" or \"flatten\" before the longer one.");
		if (other.S != 1 && out.S != 1 && other.S != out.S)
			nn_fail(env, NN_BAD_VALUE,
					nn_format(env, "layer \"%s\" cannot fuse %u sites with the %u of \"%s\"", name, out.S,
							  other.S, input->name),
					"Behind an image, put a layer of type \"global_pool\" or \"flatten\".");
		if (other.S > out.S)
			out.rows = other.rows;
		out.T = out.T > other.T ? out.T : other.T;
		out.S = out.S > other.S ? out.S : other.S;
	}
	return out;
}

void
nn_fuse_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	const NnEnv *env = planner->env;
	uint32_t	k = layer->ninputs,
				tensor;
	size_t		inputs;

	layer->fusion = spec->fusion;
	layer->out = fuse_shape(planner, layer, spec->name);
	for (uint32_t i = 0; i < k; i++)
		layer->arrays &= planner->plan->layer[layer->input[i]].arrays;
	inputs = nn_size_mul(env, k, layer->out.C);
	if (layer->fusion == NN_FUSION_WEIGHTED)
	{
		nn_planner_tensor(planner, layer, "alpha", NN_INIT_ZEROS, 1, 1, 0);
		if (k > 2)
			nn_planner_tensor(planner, layer, "weight", NN_INIT_ZEROS, 1, k - 2, 0);
		nn_planner_scratch(planner, layer, 2 * (size_t) k + 2);
		return;
	}
	tensor = nn_planner_tensor(planner, layer, "weight", NN_INIT_GLOROT, 1, k, (uint32_t) inputs);
	nn_planner_pack(planner, layer, tensor, true);
	nn_planner_tensor(planner, layer, "bias", NN_INIT_ZEROS, 1, k, 0);
	nn_planner_kept(planner, layer, nn_size_mul(env, nn_size_mul(env, layer->out.T, layer->out.S), k));
	nn_planner_scratch(planner, layer, nn_size_add(env, nn_size_mul(env, inputs, 2), 2 * (size_t) k));
}

/* Place of input i's row of step t and site s, from the beginning of that input. */
static size_t
fuse_row(const NnState *state, const NnLayer *layer, uint32_t i, uint32_t t, uint32_t s)
{
	const NnShape *shape = &state->plan->layer[layer->input[i]].out;

	return ((size_t) (shape->T == 1 ? 0 : t) * shape->S + (shape->S == 1 ? 0 : s)) * shape->C *
		state->L;
}

/* present [k][L]: 1 where the branch takes part in the lane, else 0. */
static void
fuse_present(const NnState *state, const NnLayer *layer, nn_real *present)
{
	uint32_t	k = layer->ninputs,
				L = state->L;

	for (uint32_t l = 0; l < L; l++)
	{
		uint32_t	count = 0;

		for (uint32_t i = 0; i < k; i++)
		{
			bool		lacks = state->plan->layer[layer->input[i]].arrays & state->missing[l];

			present[(size_t) i * L + l] = lacks ? 0 : 1;
			count += !lacks;
		}
		for (uint32_t i = 0; i < k && count == 0; i++)
			present[(size_t) i * L + l] = 1;
	}
}

/* x [k][C][L]: the inputs' rows of a step and site, zeros in lanes they take no part in. */
static void
fuse_gather(const NnState *state, const NnLayer *layer, uint32_t t, uint32_t s,
			const nn_real *present, nn_real *x)
{
	uint32_t	C = layer->out.C,
				L = state->L;
	size_t		row = (size_t) C * L;

	memset(x, 0, layer->ninputs * row * sizeof(nn_real));
	for (uint32_t i = 0; i < layer->ninputs; i++)
		state->kernels->lane_axpy(x + i * row, present + (size_t) i * L,
								  nn_op_input(state, layer, i) + fuse_row(state, layer, i, t, s), C, L);
}

/* Parts of the scratch slab: x and dx [k][C][L], dz and present [k][L]. */
typedef struct GateScratch
{
	nn_real    *x, *dx, *dz, *present;
} GateScratch;

static GateScratch
gate_scratch(const NnState *state, const NnLayer *layer)
{
	size_t		lanes = (size_t) layer->ninputs * state->L,
				inputs = lanes * layer->out.C;
	GateScratch scratch = {state->scratch, state->scratch + inputs, state->scratch + 2 * inputs,
		state->scratch + 2 * inputs + lanes};

	return scratch;
}

/* shares [k][L] of a row from x [k][C][L]. */
static void
gate_shares(const NnState *state, const NnLayer *layer, const GateScratch *scratch,
			nn_real *shares)
{
	uint32_t	k = layer->ninputs,
				L = state->L;

	state->kernels->matmul(shares, nn_op_pack(state, layer, 0), nn_op_param(state, layer, 1),
						   scratch->x, k, k * layer->out.C, L, false);
	for (size_t i = 0; i < (size_t) k * L; i++)
		if (scratch->present[i] == 0)
			shares[i] = NOWHERE;
	state->kernels->lane_softmax(shares, 1, k, L);
	state->kernels->mul(shares, shares, scratch->present, (size_t) k * L);
}

static void
gated_forward(NnState *state, const NnLayer *layer)
{
	GateScratch scratch = gate_scratch(state, layer);
	nn_real    *y = state->activations + layer->output.offset,
			   *shares = state->activations + layer->kept.offset;
	uint32_t	C = layer->out.C,
				L = state->L;

	fuse_present(state, layer, scratch.present);
	for (uint32_t t = 0; t < layer->out.T; t++)
		for (uint32_t s = 0; s < layer->out.S; s++)
		{
			state->env->poll(state->env->host);
			fuse_gather(state, layer, t, s, scratch.present, scratch.x);
			gate_shares(state, layer, &scratch, shares);
			memset(y, 0, (size_t) C * L * sizeof(nn_real));
			for (uint32_t i = 0; i < layer->ninputs; i++, shares += L)
				state->kernels->lane_axpy(y, shares, scratch.x + (size_t) i * C * L, C, L);
			y += (size_t) C * L;
		}
}

/* One row: dz of its logits, what that adds to the parameters, and the inputs' gradients. */
static void
gated_row_backward(NnState *state, const NnLayer *layer, const GateScratch *scratch,
				   const nn_real *shares, const nn_real *dy, uint32_t t, uint32_t s)
{
	uint32_t	k = layer->ninputs,
				C = layer->out.C,
				L = state->L;
	size_t		row = (size_t) C * L;
	bool		wanted = false;

	/* y = sum_i share_i x_i */
	for (uint32_t i = 0; i < k; i++)
	{
		nn_real    *dx = nn_op_input_gradient(state, layer, i);

		state->kernels->lane_dot(scratch->dz + (size_t) i * L, dy, scratch->x + i * row, C, L);
		if (dx)
			state->kernels->lane_axpy(dx + fuse_row(state, layer, i, t, s), shares + (size_t) i * L,
									  dy, C, L);
		wanted = wanted || dx;
	}
	/* share = softmax(z), z = W x + b */
	state->kernels->lane_softmax_grad(scratch->dz, shares, 1, k, L);
	nn_op_outer(state, nn_op_dparam(state, layer, 0), (size_t) k * C, scratch->dz, 0, scratch->x, 0, 1,
				k, k * C);
	state->kernels->lane_sum(nn_op_dparam(state, layer, 1), scratch->dz, 0, 1, k, L);
	if (!wanted)
		return;
	state->kernels->matmul(scratch->dx, nn_op_pack(state, layer, 1), NULL, scratch->dz, k * C, k, L,
						   false);
	for (uint32_t i = 0; i < k; i++)
	{
		nn_real    *dx = nn_op_input_gradient(state, layer, i);

		if (dx)
			state->kernels->lane_axpy(dx + fuse_row(state, layer, i, t, s),
									  scratch->present + (size_t) i * L, scratch->dx + i * row, C, L);
	}
}

static void
gated_backward(NnState *state, const NnLayer *layer)
{
	GateScratch scratch = gate_scratch(state, layer);
	const nn_real *dy = state->gradients + layer->output.offset,
			   *shares = state->activations + layer->kept.offset;

	fuse_present(state, layer, scratch.present);
	for (uint32_t t = 0; t < layer->out.T; t++)
		for (uint32_t s = 0; s < layer->out.S; s++)
		{
			state->env->poll(state->env->host);
			fuse_gather(state, layer, t, s, scratch.present, scratch.x);
			gated_row_backward(state, layer, &scratch, shares, dy, t, s);
			dy += (size_t) layer->out.C * state->L;
			shares += (size_t) layer->ninputs * state->L;
		}
}

/* a = sigmoid(alpha) [L], the same in every lane. */
static void
weighted_alpha(const NnState *state, const NnLayer *layer, nn_real *a)
{
	for (uint32_t l = 0; l < state->L; l++)
		a[l] = nn_op_param(state, layer, 0)[0];
	state->kernels->activate(NN_SIGMOID, a, a, state->L);
}

/*
 * factor [k][L]: a, 1 - a, w_3, ...; of the first two alone, 1; 0 where a branch takes no
 * part.  present [k][L], a [L].
 */
static void
weighted_factors(const NnState *state, const NnLayer *layer, const nn_real *present,
				 const nn_real *a, nn_real *factor)
{
	uint32_t	L = state->L;

	for (uint32_t l = 0; l < L; l++)
	{
		const nn_real *first = present + l,
				   *second = present + L + l;

		factor[l] = *second == 0 ? *first : *first * a[l];
		factor[L + l] = *first == 0 ? *second : *second * (1 - a[l]);
		for (uint32_t i = 2; i < layer->ninputs; i++)
			factor[(size_t) i * L + l] = present[(size_t) i * L + l] * nn_op_param(state, layer, 1)[i - 2];
	}
}

static void
weighted_forward(NnState *state, const NnLayer *layer)
{
	uint32_t	k = layer->ninputs,
				C = layer->out.C,
				L = state->L;
	nn_real    *y = state->activations + layer->output.offset,
			   *factor = state->scratch,
			   *present = factor + (size_t) k * L,
			   *a = present + (size_t) k * L;

	fuse_present(state, layer, present);
	weighted_alpha(state, layer, a);
	weighted_factors(state, layer, present, a, factor);
	for (uint32_t t = 0; t < layer->out.T; t++)
		for (uint32_t s = 0; s < layer->out.S; s++, y += (size_t) C * L)
		{
			state->env->poll(state->env->host);
			memset(y, 0, (size_t) C * L * sizeof(nn_real));
			for (uint32_t i = 0; i < k; i++)
				state->kernels->lane_axpy(y, factor + (size_t) i * L,
										  nn_op_input(state, layer, i) + fuse_row(state, layer, i, t, s),
										  C, L);
		}
}

/* Adds what row and input i give to the parameters; dot [L] = dy . x_i. */
static void
weighted_params_backward(NnState *state, const NnLayer *layer, const nn_real *present,
						 const nn_real *a, const nn_real *dot, uint32_t i)
{
	uint32_t	L = state->L;
	double		sum = 0;

	for (uint32_t l = 0; l < L; l++)
	{
		const nn_real both = present[l] * present[L + l];

		if (i >= 2)				/* y = ... + w_i x_i */
			sum += (double) (present[(size_t) i * L + l] * dot[l]);
		else					/* y = a x_1 + (1 - a) x_2, a = sigmoid(alpha) */
			sum += (double) (both * a[l] * (1 - a[l]) * (i == 0 ? dot[l] : -dot[l]));
	}
	nn_op_dparam(state, layer, i >= 2)[i >= 2 ? i - 2 : 0] += (nn_real) sum;
}

static void
weighted_backward(NnState *state, const NnLayer *layer)
{
	uint32_t	k = layer->ninputs,
				C = layer->out.C,
				L = state->L;
	const nn_real *dy = state->gradients + layer->output.offset;
	nn_real    *factor = state->scratch,
			   *present = factor + (size_t) k * L,
			   *a = present + (size_t) k * L,
			   *dot = a + L;

	fuse_present(state, layer, present);
	weighted_alpha(state, layer, a);
	weighted_factors(state, layer, present, a, factor);
	for (uint32_t t = 0; t < layer->out.T; t++)
		for (uint32_t s = 0; s < layer->out.S; s++, dy += (size_t) C * L)
		{
			state->env->poll(state->env->host);
			for (uint32_t i = 0; i < k; i++)
			{
				size_t		row = fuse_row(state, layer, i, t, s);
				nn_real    *dx = nn_op_input_gradient(state, layer, i);

				state->kernels->lane_dot(dot, dy, nn_op_input(state, layer, i) + row, C, L);
				weighted_params_backward(state, layer, present, a, dot, i);
				if (dx)			/* y = ... + factor_i x_i */
					state->kernels->lane_axpy(dx + row, factor + (size_t) i * L, dy, C, L);
			}
		}
}

void
nn_fuse_forward(NnState *state, const NnLayer *layer)
{
	if (layer->fusion == NN_FUSION_WEIGHTED)
		weighted_forward(state, layer);
	else
		gated_forward(state, layer);
}

void
nn_fuse_backward(NnState *state, const NnLayer *layer)
{
	if (layer->fusion == NN_FUSION_WEIGHTED)
		weighted_backward(state, layer);
	else
		gated_backward(state, layer);
}

const nn_real *
nn_fuse_shares(const NnState *state, const NnLayer *layer)
{
	return nn_ops[layer->op].forward == nn_fuse_forward && layer->fusion == NN_FUSION_GATED ?
		state->activations + layer->kept.offset : NULL;
}

bool
nn_fuse_weights(const NnPlan *plan, const NnLayer *layer, const nn_real *params, uint32_t missing,
				double *weight)
{
	const NnTensor *tensor = &plan->tensor[layer->first_tensor];
	uint32_t	k = layer->ninputs,
				lacking = 0;
	double		a;

	if (nn_ops[layer->op].forward != nn_fuse_forward || layer->fusion != NN_FUSION_WEIGHTED)
		return false;
	if (weight == NULL)
		return true;
	a = 1 / (1 + exp(-(double) params[tensor[0].span.offset]));
	for (uint32_t i = 0; i < k; i++)
		lacking += (plan->layer[layer->input[i]].arrays & missing) != 0;
	for (uint32_t i = 0; i < k; i++)
	{
		bool		lacks = lacking < k && (plan->layer[layer->input[i]].arrays & missing);
		uint32_t	other = i < 2 ? 1 - i : i;
		bool		alone = lacking < k && (plan->layer[layer->input[other]].arrays & missing);

		if (lacks)
			weight[i] = 0;
		else if (i >= 2)
			weight[i] = (double) params[tensor[1].span.offset + i - 2];
		else
			weight[i] = alone ? 1 : i == 0 ? a : 1 - a;
	}
	return true;
}
