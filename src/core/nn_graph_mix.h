/*
 * nn_graph_mix.h
 *		What a site sees of the others: the taps of graph layers.
 *
 * A row of taps [taps][C][L] begins with the site's own channels; behind them, for
 * each walk of the support, come 1, 2, ... hops of it:
 *	forward    P x, P^2 x, ...                     P: the walk along the edges
 *	both       the same, then Q x, Q^2 x, ...      Q: against them
 *	chebyshev  T_1 x, T_2 x, ...                   T_1 = L, T_k = 2 L T_(k-1) - T_(k-2)
 *	adaptive   A x, A^2 x, ...                     A = softmax(relu(E F')), row by row
 *	all        P, Q and A
 * E and F [S][10] are learned vectors of the site that sees and of the one seen (Wu et
 * al. 2019, 1906.00121).  P, Q and L cost edges x channels x lanes (nn_graph.h), A costs
 * sites^2 x channels x lanes, so it has a limit of sites.
 */
#ifndef NN_GRAPH_MIX_H
#define NN_GRAPH_MIX_H

#include "core/nn_graph.h"

#define NN_MAX_ADAPTIVE	4096	/* sites of a learned matrix over all pairs */

/* A learned matrix at work (nn_graph_adaptive.c). */
typedef struct NnAdaptive
{
	NnState    *state;
	const NnLayer *layer;
	uint32_t	S, nblocks;		/* blocks of NN_LANES sites that see */
	const nn_real *seeing, *seen;	/* [S][10] E, F */
	nn_real    *packed, *packed_back;	/* [nblocks] matrices [16][S], [S][16] */
	size_t		packed_size, packed_back_size;
	nn_real    *dshare;			/* [nblocks][S][16] gradient of A' */
	nn_real    *block, *logit;	/* [S][16] */
	nn_real    *from, *to;		/* [8][S][L] some channels */
	nn_real    *wide;			/* [S][16] F, then its gradient behind it */
	nn_real    *seeing_block;	/* [16][16] E of a block, twice */
	nn_real    *seen_packed;	/* F, for the product with E */
} NnAdaptive;

extern size_t nn_adaptive_size(const NnPlan *plan, const NnKernels *kernels, uint32_t S);
extern NnAdaptive nn_adaptive_at(NnState *state, const NnLayer *layer, nn_real *room);
extern void nn_adaptive_prepare(const NnAdaptive *adaptive, bool backward);
extern void nn_adaptive_add(const NnAdaptive *adaptive, nn_real *y, const nn_real *x,
							size_t stride, uint32_t C);
extern void nn_adaptive_backward(const NnAdaptive *adaptive, nn_real *dx, const nn_real *dy,
								 const nn_real *x, size_t stride, uint32_t C);
extern void nn_adaptive_close(const NnAdaptive *adaptive);

/* The support of a layer at work. */
typedef struct NnMix
{
	NnState    *state;
	uint32_t	S, hops, taps, nwalks;
	NnWalk		walk[2];
	bool		has_adaptive;
	NnAdaptive	adaptive;
} NnMix;

/* Number of taps: 1 and hops for each walk. */
extern uint32_t nn_mix_taps(const NnLayer *layer);

/* Does the layer learn its support?  Then its taps need gradients in any case. */
extern bool nn_mix_learns(const NnLayer *layer);

/* Fails when the support of layer lacks its graph or has too many sites. */
extern void nn_mix_require(const NnPlanner *planner, const NnLayer *layer);

/*
 * Adds the tensors of a learned support, embedding_seeing and embedding_seen [S][10], which
 * must be the layer's last, and has all transposes packed that there are.
 */
extern void nn_mix_plan(NnPlanner *planner, NnLayer *layer);

/* Reals of the room that a support needs; a multiple of NN_LANES. */
extern size_t nn_mix_size(const NnPlan *plan, const NnKernels *kernels, const NnLayer *layer);

/*
 * The support of layer with that room.  nn_mix_prepare computes what lies there; it
 * stays of use for one forward or one backward, at whose end nn_mix_close adds to the
 * gradients of what is learned.
 */
extern NnMix nn_mix_at(NnState *state, const NnLayer *layer, nn_real *room);
extern void nn_mix_prepare(const NnMix *mix, nn_real *room, bool backward);
extern void nn_mix_close(const NnMix *mix);

/* Fills the taps of all sites, [S][taps][C][L], from the first of each. */
extern void nn_mix_forward(const NnMix *mix, nn_real *taps, uint32_t C);

/*
 * The answer: adds what the gradients of the later taps mean for the first to it.
 * Those of the others are changed on the way.  taps as nn_mix_forward left them, for
 * what is learned; NULL: only the first's gradient is wanted.
 */
extern void nn_mix_backward(const NnMix *mix, nn_real *dtaps, const nn_real *taps, uint32_t C);

#endif							/* NN_GRAPH_MIX_H */
