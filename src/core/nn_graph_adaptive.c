/*
 * nn_graph_adaptive.c
 *		A matrix over all pairs of sites, learned from vectors of the sites.
 *
 *	A = softmax(relu(E F')), each row over the sites seen
 * A is never kept as such.  Blocks of 16 rows stand in lanes, [S][16], so that the
 * kernels of lanes make the products, the softmax and its answer; products over
 * sites go channel by channel, so that the lanes are those of the tile.
 *
 * Costs S^2 x (10 + channels x lanes) multiply-adds and three times S^2 reals of room.
 */
#include <string.h>

#include "core/nn_graph_mix.h"
#include "core/nn_op.h"

#define D 10					/* numbers of a site's vector */
#define GROUP 8					/* channels whose gradients of A are summed at once */

static size_t
lanes_up(size_t n)
{
	return (n + NN_LANES - 1) / NN_LANES * NN_LANES;
}

static uint32_t
blocks_of(uint32_t S)
{
	return (S + NN_LANES - 1) / NN_LANES;
}

size_t
nn_adaptive_size(const NnPlan *plan, const NnKernels *k, uint32_t S)
{
	size_t		block = (size_t) S * NN_LANES;

	/* S is at most NN_MAX_ADAPTIVE: no product comes near an overflow. */
	return blocks_of(S) * (lanes_up(k->packed_size(NN_LANES, S)) +
						   lanes_up(k->packed_size(S, NN_LANES)) + block) +
		4 * block + 2 * GROUP * (size_t) S * plan->lanes + 2 * NN_LANES * NN_LANES +
		lanes_up(k->packed_size(S, D));
}

static nn_real *
cut(nn_real **at, size_t n)
{
	nn_real    *part = *at;

	*at += n;
	return part;
}

/* Sites of block b. */
static uint32_t
rows_of(const NnAdaptive *a, uint32_t b)
{
	uint32_t	left = a->S - b * NN_LANES;

	return left < NN_LANES ? left : NN_LANES;
}

/* logit [S][16] = F E' for the sites of block b; 0 where the block has no site. */
static void
logits_fill(const NnAdaptive *a, uint32_t b)
{
	nn_real    *turned = a->seeing_block;

	memset(turned, 0, D * NN_LANES * sizeof(nn_real));
	for (uint32_t i = 0; i < rows_of(a, b); i++)
		for (uint32_t d = 0; d < D; d++)
			turned[d * NN_LANES + i] = a->seeing[((size_t) b * NN_LANES + i) * D + d];
	a->state->env->poll(a->state->env->host);
	a->state->kernels->matmul(a->logit, a->seen_packed, NULL, turned, a->S, D, NN_LANES, false);
}

/* block [S][16] = softmax(relu(logit)) */
static void
shares_fill(const NnAdaptive *a)
{
	a->state->kernels->activate(NN_RELU, a->block, a->logit, (size_t) a->S * NN_LANES);
	a->state->kernels->lane_softmax(a->block, 1, a->S, NN_LANES);
}

NnAdaptive
nn_adaptive_at(NnState *state, const NnLayer *layer, nn_real *room)
{
	const NnKernels *k = state->kernels;
	uint32_t	S = layer->in.S;
	NnAdaptive	a = {.state = state, .layer = layer, .S = S, .nblocks = blocks_of(S)};
	size_t		block = (size_t) S * NN_LANES;

	a.seeing = nn_op_param(state, layer, layer->ntensors - 2);
	a.seen = nn_op_param(state, layer, layer->ntensors - 1);
	a.packed_size = lanes_up(k->packed_size(NN_LANES, S));
	a.packed_back_size = lanes_up(k->packed_size(S, NN_LANES));
	a.packed = cut(&room, a.nblocks * a.packed_size);
	a.packed_back = cut(&room, a.nblocks * a.packed_back_size);
	a.dshare = cut(&room, a.nblocks * block);
	a.block = cut(&room, block);
	a.logit = cut(&room, block);
	a.wide = cut(&room, 2 * block);
	a.from = cut(&room, GROUP * (size_t) S * state->L);
	a.to = cut(&room, GROUP * (size_t) S * state->L);
	a.seeing_block = cut(&room, 2 * NN_LANES * NN_LANES);
	a.seen_packed = room;
	return a;
}

void
nn_adaptive_prepare(const NnAdaptive *a, bool backward)
{
	const NnKernels *k = a->state->kernels;
	size_t		block = (size_t) a->S * NN_LANES;

	k->pack(a->seen_packed, a->seen, D, 1, a->S, D);
	for (uint32_t b = 0; b < a->nblocks; b++)
	{
		logits_fill(a, b);
		shares_fill(a);
		k->pack(a->packed + b * a->packed_size, a->block, 1, NN_LANES, rows_of(a, b), a->S);
		if (!backward)
			continue;
		k->pack(a->packed_back + b * a->packed_back_size, a->block, NN_LANES, 1, a->S,
				rows_of(a, b));
		memset(a->dshare + b * block, 0, block * sizeof(nn_real));
	}
}

/* One channel [S][L] out of rows stride apart. */
static void
channel_take(const NnAdaptive *a, nn_real *channel, const nn_real *x, size_t stride)
{
	for (uint32_t s = 0; s < a->S; s++)
		memcpy(channel + (size_t) s * a->state->L, x + s * stride, a->state->L * sizeof(nn_real));
}

/* ... and added back. */
static void
channel_add(const NnAdaptive *a, nn_real *y, const nn_real *channel, size_t stride)
{
	for (uint32_t s = 0; s < a->S; s++)
		a->state->kernels->axpy(y + s * stride, 1, channel + (size_t) s * a->state->L, a->state->L);
}

/* y += A x, for sites stride apart. */
void
nn_adaptive_add(const NnAdaptive *a, nn_real *y, const nn_real *x, size_t stride, uint32_t C)
{
	uint32_t	L = a->state->L;

	for (size_t c = 0; c < C; c++)
	{
		channel_take(a, a->from, x + c * L, stride);
		for (uint32_t b = 0; b < a->nblocks; b++)
		{
			a->state->env->poll(a->state->env->host);
			a->state->kernels->matmul(a->to + (size_t) b * NN_LANES * L, a->packed + b * a->packed_size,
									  NULL, a->from, rows_of(a, b), a->S, L, false);
		}
		channel_add(a, y + c * L, a->to, stride);
	}
}

/* dA += dy x' over count channels, taken to a->from and a->to. */
static void
shares_backward(const NnAdaptive *a, const nn_real *dy, const nn_real *x, size_t stride,
				uint32_t count)
{
	uint32_t	L = a->state->L;
	size_t		channel = (size_t) a->S * L;

	for (uint32_t g = 0; g < count; g++)
	{
		channel_take(a, a->from + g * channel, dy + (size_t) g * L, stride);
		channel_take(a, a->to + g * channel, x + (size_t) g * L, stride);
	}
	for (uint32_t b = 0; b < a->nblocks; b++)
	{
		a->state->env->poll(a->state->env->host);
		a->state->kernels->outer(a->dshare + (size_t) b * a->S * NN_LANES, NN_LANES, a->to,
								 (ptrdiff_t) channel, a->from + (size_t) b * NN_LANES * L,
								 (ptrdiff_t) channel, count, a->S, rows_of(a, b), L);
	}
}

/* The answer: dx += A' dy, and what A itself gets unless x is NULL. */
void
nn_adaptive_backward(const NnAdaptive *a, nn_real *dx, const nn_real *dy, const nn_real *x,
					 size_t stride, uint32_t C)
{
	uint32_t	L = a->state->L;

	for (uint32_t c = 0; x && c < C; c += GROUP)
		shares_backward(a, dy + (size_t) c * L, x + (size_t) c * L, stride,
						C - c < GROUP ? C - c : GROUP);
	for (size_t c = 0; c < C; c++)
	{
		channel_take(a, a->from, dy + c * L, stride);
		memset(a->to, 0, (size_t) a->S * L * sizeof(nn_real));
		for (uint32_t b = 0; b < a->nblocks; b++)
		{
			a->state->env->poll(a->state->env->host);
			a->state->kernels->matmul(a->to, a->packed_back + b * a->packed_back_size, NULL,
									  a->from + (size_t) b * NN_LANES * L, a->S, rows_of(a, b), L,
									  true);
		}
		channel_add(a, dx + c * L, a->to, stride);
	}
}

/* wide [n][16] = the vectors of n sites, filled up with zeros. */
static void
vectors_widen(nn_real *wide, const nn_real *vectors, uint32_t n)
{
	memset(wide, 0, (size_t) n * NN_LANES * sizeof(nn_real));
	for (uint32_t s = 0; s < n; s++)
		memcpy(wide + (size_t) s * NN_LANES, vectors + (size_t) s * D, D * sizeof(nn_real));
}

static void
vectors_add(nn_real *vectors, const nn_real *wide, uint32_t n)
{
	for (uint32_t s = 0; s < n; s++)
		for (uint32_t d = 0; d < D; d++)
			vectors[(size_t) s * D + d] += wide[(size_t) s * NN_LANES + d];
}

/* From the gradient of A to those of the vectors; the packed forms are used up. */
void
nn_adaptive_close(const NnAdaptive *a)
{
	const NnKernels *k = a->state->kernels;
	size_t		block = (size_t) a->S * NN_LANES;
	nn_real    *dwide = a->wide + block,
			   *own = a->seeing_block,
			   *down = own + NN_LANES * NN_LANES,
			   *dseeing = nn_op_dparam(a->state, a->layer, a->layer->ntensors - 2),
			   *dseen = nn_op_dparam(a->state, a->layer, a->layer->ntensors - 1);

	vectors_widen(a->wide, a->seen, a->S);
	memset(dwide, 0, block * sizeof(nn_real));
	for (uint32_t b = 0; b < a->nblocks; b++)
	{
		nn_real    *d = a->dshare + b * block;
		size_t		first = (size_t) b * NN_LANES * D;
		uint32_t	rows = rows_of(a, b);

		logits_fill(a, b);
		shares_fill(a);
		/* A = softmax(relu(logit)) */
		k->lane_softmax_grad(d, a->block, 1, a->S, NN_LANES);
		for (size_t i = 0; i < block; i++)
			d[i] = a->logit[i] > 0 ? d[i] : 0;
		/* logit = F E' */
		memset(own, 0, NN_LANES * NN_LANES * sizeof(nn_real));
		vectors_widen(own, a->seeing + first, rows);
		k->pack(a->packed_back, d, NN_LANES, 1, a->S, NN_LANES);
		k->matmul(dwide, a->packed_back, NULL, own, a->S, NN_LANES, NN_LANES, true);
		k->pack(a->packed, d, 1, NN_LANES, NN_LANES, a->S);
		k->matmul(down, a->packed, NULL, a->wide, NN_LANES, a->S, NN_LANES, false);
		vectors_add(dseeing + first, down, rows);
	}
	vectors_add(dseen, dwide, a->S);
}
