/*
 * nn_graph_map.c
 *		The map of graph layers: a site's own channels and hops to its neighbours'.
 *
 * What nn_map.h asks of a map, with nn_graph_mix.h's taps: W [M][taps * C] times the
 * taps of a site.  With it
 *	graph		is diffusion convolution (Li et al. 2018, 1707.01926) under the support "both",
 *				Chebyshev convolution (Defferrard et al. 2016, 1606.09375) under "chebyshev"
 *	graph_gru	is the cell of DCRNN (Li et al.), graph_lstm that of GConvLSTM (Seo et al.
 *				2018, 1612.07659)
 *
 * Scratch: the support's room, then the taps [S][taps * C] of one step, and their gradients
 * where the support is learned.  Nothing is saved: backward fills the taps once more, which
 * costs less than to keep hops times the input.
 */
#include "core/nn_cell.h"
#include "core/nn_graph_mix.h"
#include "core/nn_map.h"
#include "core/nn_op.h"

static uint32_t
graph_sites(NnPlanner *planner, NnLayer *layer, NnShape *out)
{
	nn_mix_require(planner, layer);
	out->S = layer->in.S;
	out->rows = layer->in.rows;
	return nn_mix_taps(layer);
}

static size_t
graph_scratch(NnPlanner *planner, const NnLayer *layer, uint32_t C, uint32_t M)
{
	const NnEnv *env = planner->env;
	size_t		room = nn_mix_size(planner->plan, planner->kernels, layer),
				taps = nn_size_mul(env, nn_size_mul(env, layer->in.S, C), nn_mix_taps(layer));

	(void) M;
	if (nn_mix_learns(layer))
		taps = nn_size_mul(env, taps, 2);
	return nn_size_add(env, (room + planner->lanes - 1) / planner->lanes, taps);
}

static NnMix
mix_of(const NnMapUse *use)
{
	return nn_mix_at(use->state, use->layer, use->scratch);
}

/* [S][taps][C][L], behind the room. */
static nn_real *
taps_of(const NnMapUse *use)
{
	return use->scratch + nn_mix_size(use->state->plan, use->state->kernels, use->layer);
}

static size_t
tap_reals(const NnMapUse *use)
{
	return (size_t) use->in.C * use->state->L;
}

static void
graph_open(const NnMapUse *use, bool backward)
{
	NnMix		mix = mix_of(use);

	nn_mix_prepare(&mix, use->scratch, backward);
}

static void
graph_close(const NnMapUse *use)
{
	NnMix		mix = mix_of(use);

	nn_mix_close(&mix);
}

/* The taps of x [S][C][L]. */
static void
taps_fill(const NnMapUse *use, const NnMix *mix, const nn_real *x)
{
	nn_real    *taps = taps_of(use);
	size_t		n = tap_reals(use);

	for (size_t s = 0; s < use->in.S; s++)
		nn_op_copy(use->state, taps + s * use->taps * n, x + s * n, n);
	nn_mix_forward(mix, taps, use->in.C);
}

static void
graph_forward(const NnMapUse *use, nn_real *z, const nn_real *bias, const nn_real *x,
			  bool accumulate)
{
	NnMix		mix = mix_of(use);
	const NnKernels *kernels = use->state->kernels;
	uint32_t	L = use->state->L,
				M = use->out.C;
	const nn_real *tap = taps_of(use);

	taps_fill(use, &mix, x);
	for (size_t s = 0; s < use->in.S; s++, z += (size_t) M * L)
	{
		use->state->env->poll(use->state->env->host);
		for (uint32_t k = 0; k < use->taps; k++, tap += tap_reals(use))
			kernels->matmul(z, nn_map_weights(use, k, false), bias, tap, M, use->in.C, L,
							accumulate || k > 0);
	}
}

/* dtaps [S][taps][C][L], of z = W taps. */
static void
dtaps_fill(const NnMapUse *use, nn_real *dtaps, const nn_real *dz)
{
	uint32_t	L = use->state->L,
				M = use->out.C;
	nn_real    *dtap = dtaps;

	for (size_t s = 0; s < use->in.S; s++, dz += (size_t) M * L)
	{
		use->state->env->poll(use->state->env->host);
		for (uint32_t k = 0; k < use->taps; k++, dtap += tap_reals(use))
			use->state->kernels->matmul(dtap, nn_map_weights(use, k, true), NULL, dz, use->in.C, M,
										L, false);
	}
}

static void
graph_backward(const NnMapUse *use, nn_real *dx, const nn_real *dz)
{
	NnMix		mix = mix_of(use);
	nn_real    *dtaps = taps_of(use);
	size_t		n = tap_reals(use);

	dtaps_fill(use, dtaps, dz);
	nn_mix_backward(&mix, dtaps, NULL, use->in.C);
	for (size_t s = 0; s < use->in.S; s++)
		nn_op_add(use->state, dx + s * n, dtaps + s * use->taps * n, n);
}

static void
graph_weights(const NnMapUse *use, const nn_real *dz, const nn_real *x)
{
	NnMix		mix = mix_of(use);
	nn_real    *taps = taps_of(use),
			   *dw = nn_op_dparam(use->state, use->layer, use->tensor);
	size_t		n = tap_reals(use);
	uint32_t	K = use->taps * use->in.C;

	taps_fill(use, &mix, x);
	/* z = W taps */
	nn_op_outer(use->state, dw, K, dz, (ptrdiff_t) ((size_t) use->out.C * use->state->L), taps,
				(ptrdiff_t) (use->taps * n), use->in.S, use->out.C, K);
	if (nn_mix_learns(use->layer))
	{
		nn_real    *dtaps = taps + use->in.S * use->taps * n;

		dtaps_fill(use, dtaps, dz);
		nn_mix_backward(&mix, dtaps, taps, use->in.C);
	}
}

static const NnMap graph_map = {
	graph_sites, nn_mix_plan, graph_scratch, graph_open, graph_close, graph_forward,
	graph_backward, graph_weights
};

void
nn_graph_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec)
{
	nn_mapped_plan(planner, layer, spec, &graph_map);
}

void
nn_graph_forward(NnState *state, const NnLayer *layer)
{
	nn_mapped_forward(state, layer, &graph_map);
}

void
nn_graph_backward(NnState *state, const NnLayer *layer)
{
	nn_mapped_backward(state, layer, &graph_map);
}

#define SPATIAL_OP(type) \
void \
nn_graph_##type##_plan(NnPlanner *planner, NnLayer *layer, const NnLayerSpec *spec) \
{ \
	nn_spatial_plan(planner, layer, spec, &nn_##type##_cell, &graph_map); \
} \
void \
nn_graph_##type##_forward(NnState *state, const NnLayer *layer) \
{ \
	nn_spatial_forward(state, layer, &nn_##type##_cell, &graph_map); \
} \
void \
nn_graph_##type##_backward(NnState *state, const NnLayer *layer) \
{ \
	nn_spatial_backward(state, layer, &nn_##type##_cell, &graph_map); \
}

SPATIAL_OP(rnn)
SPATIAL_OP(gru)
SPATIAL_OP(lstm)
