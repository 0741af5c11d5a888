/*
 * nn_graph_mix.c
 *		Hops along a support, and back.
 *
 * Knows walks and learned matrices, no layer's weights.  Each hop reads the one
 * before, so its adjoint runs from the last hop to the first.  Nothing is kept
 * between calls but what lies in the room.
 */
#include <string.h>

#include "core/nn_graph_mix.h"
#include "core/nn_op.h"

static uint32_t
walks_of(const NnLayer *layer)
{
	switch (layer->support)
	{
		case NN_SUPPORT_FORWARD:
		case NN_SUPPORT_CHEBYSHEV:
			return 1;
		case NN_SUPPORT_BOTH:
		case NN_SUPPORT_ALL:
			return 2;
		case NN_SUPPORT_ADAPTIVE:
			break;
	}
	return 0;
}

bool
nn_mix_learns(const NnLayer *layer)
{
	return layer->support == NN_SUPPORT_ADAPTIVE || layer->support == NN_SUPPORT_ALL;
}

uint32_t
nn_mix_taps(const NnLayer *layer)
{
	return 1 + layer->hops * (walks_of(layer) + nn_mix_learns(layer));
}

void
nn_mix_require(const NnPlanner *planner, const NnLayer *layer)
{
	const NnEnv *env = planner->env;

	if (walks_of(layer) > 0)
		nn_graph_require(planner, layer);
	if (nn_mix_learns(layer) && layer->in.S > NN_MAX_ADAPTIVE)
		nn_fail(env, NN_TOO_LARGE,
				nn_format(env, "layer \"%s\" would learn a matrix of %u x %u sites", layer->name,
						  layer->in.S, layer->in.S),
				nn_format(env, "An adaptive support takes at most %d sites; with more, use \"forward\", "
						  "\"both\" or \"chebyshev\".", NN_MAX_ADAPTIVE));
}

void
nn_mix_plan(NnPlanner *planner, NnLayer *layer)
{
	NnPlan	   *plan = planner->plan;

	if (!nn_mix_learns(layer))
		return;
	nn_planner_tensor(planner, layer, "embedding_seeing", NN_INIT_NORMAL, 1, layer->in.S, 10);
	nn_planner_tensor(planner, layer, "embedding_seen", NN_INIT_NORMAL, 1, layer->in.S, 10);
	for (uint32_t i = layer->first_pack; i < plan->npacks; i++)
		plan->pack[i].explain = false;
}

size_t
nn_mix_size(const NnPlan *plan, const NnKernels *kernels, const NnLayer *layer)
{
	return walks_of(layer) * nn_walk_size(plan) +
		(nn_mix_learns(layer) ? nn_adaptive_size(plan, kernels, layer->in.S) : 0);
}

NnMix
nn_mix_at(NnState *state, const NnLayer *layer, nn_real *room)
{
	NnMix		mix = {.state = state, .S = layer->in.S, .hops = layer->hops};

	mix.taps = nn_mix_taps(layer);
	mix.nwalks = walks_of(layer);
	for (uint32_t w = 0; w < mix.nwalks; w++, room += nn_walk_size(state->plan))
		mix.walk[w] = nn_walk_at(state, w == 1 ? NN_WALK_AGAINST :
								 layer->support == NN_SUPPORT_CHEBYSHEV ? NN_WALK_LAPLACE :
								 NN_WALK_ALONG, room);
	mix.has_adaptive = nn_mix_learns(layer);
	if (mix.has_adaptive)
		mix.adaptive = nn_adaptive_at(state, layer, room);
	return mix;
}

void
nn_mix_prepare(const NnMix *mix, nn_real *room, bool backward)
{
	for (uint32_t w = 0; w < mix->nwalks; w++, room += nn_walk_size(mix->state->plan))
		nn_walk_prepare(mix->state, &mix->walk[w], room);
	if (mix->has_adaptive)
		nn_adaptive_prepare(&mix->adaptive, backward);
}

void
nn_mix_close(const NnMix *mix)
{
	if (mix->has_adaptive)
		nn_adaptive_close(&mix->adaptive);
}

/* Places of hop k of walk w (numbered behind each other; the last may be the learned one). */
typedef struct Hop
{
	size_t		stride, n;		/* reals of a site's taps, of one tap */
	size_t		now, before, second;	/* of hops k, k - 1, k - 2 within a site */
	bool		recurs;			/* of the polynomials from the second on */
} Hop;

static Hop
hop_of(const NnMix *mix, uint32_t w, uint32_t k, uint32_t C)
{
	size_t		n = (size_t) C * mix->state->L,
				first = 1 + (size_t) w * mix->hops;
	Hop			hop = {mix->taps * n, n, (first + k - 1) * n, 0, 0, false};

	if (k > 1)
		hop.before = hop.now - n;
	if (k > 2)
		hop.second = hop.before - n;
	hop.recurs = k > 1 && w < mix->nwalks && mix->walk[w].kind == NN_WALK_LAPLACE;
	return hop;
}

/* y += factor x, one tap at every site. */
static void
tap_add(const NnMix *mix, const Hop *hop, nn_real *y, nn_real factor, const nn_real *x)
{
	for (uint32_t s = 0; s < mix->S; s++)
	{
		if (s % 1024 == 0)
			mix->state->env->poll(mix->state->env->host);
		mix->state->kernels->axpy(y + s * hop->stride, factor, x + s * hop->stride, hop->n);
	}
}

static void
tap_clear(const NnMix *mix, const Hop *hop, nn_real *y)
{
	for (uint32_t s = 0; s < mix->S; s++)
	{
		if (s % 1024 == 0)
			mix->state->env->poll(mix->state->env->host);
		memset(y + s * hop->stride, 0, hop->n * sizeof(nn_real));
	}
}

void
nn_mix_forward(const NnMix *mix, nn_real *taps, uint32_t C)
{
	for (uint32_t w = 0; w < mix->nwalks + mix->has_adaptive; w++)
		for (uint32_t k = 1; k <= mix->hops; k++)
		{
			Hop			hop = hop_of(mix, w, k, C);

			tap_clear(mix, &hop, taps + hop.now);
			if (w == mix->nwalks)
				nn_adaptive_add(&mix->adaptive, taps + hop.now, taps + hop.before, hop.stride, C);
			else
				nn_walk_add(mix->state, &mix->walk[w], false, hop.recurs ? 2 : 1, taps + hop.now,
							taps + hop.before, hop.stride, hop.n);
			if (hop.recurs)
				tap_add(mix, &hop, taps + hop.now, -1, taps + hop.second);
		}
}

void
nn_mix_backward(const NnMix *mix, nn_real *dtaps, const nn_real *taps, uint32_t C)
{
	for (uint32_t w = 0; w < mix->nwalks + mix->has_adaptive; w++)
		for (uint32_t k = mix->hops; k >= 1; k--)
		{
			Hop			hop = hop_of(mix, w, k, C);

			/* now = factor M before - second */
			if (w == mix->nwalks)
				nn_adaptive_backward(&mix->adaptive, dtaps + hop.before, dtaps + hop.now,
									 taps ? taps + hop.before : NULL, hop.stride, C);
			else
				nn_walk_add(mix->state, &mix->walk[w], true, hop.recurs ? 2 : 1,
							dtaps + hop.before, dtaps + hop.now, hop.stride, hop.n);
			if (hop.recurs)
				tap_add(mix, &hop, dtaps + hop.second, -1, dtaps + hop.now);
		}
}
