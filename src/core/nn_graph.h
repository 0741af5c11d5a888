/*
 * nn_graph.h
 *		A directed, weighted graph over the sites, and walks along its edges.
 *
 * An edge source -> target lets target see source.  In a plan the graph is three
 * tensors [E] that training leaves alone: edges.source, edges.target (numbers of
 * sites) and edges.weight; so it goes wherever parameters go.  Edges ascend by
 * target, then source; none is there twice, none leads to its own source.
 *
 * A walk is a matrix over the sites with an entry for each edge:
 *	along    y(t) = sum_s w(s, t) / sum_r w(r, t) x(s), over the edges into t
 *	against  y(s) = sum_t w(s, t) / sum_r w(s, r) x(t), over the edges out of s
 *	laplace  y = -D^-1/2 W D^-1/2 x, W = (w + w') / 2, D its sums: the Laplacian
 *	         scaled to [-1, 1] with its greatest eigenvalue taken as 2
 * so a site without such edges gets 0.  Each costs edges x channels x lanes.
 */
#ifndef NN_GRAPH_H
#define NN_GRAPH_H

#include "core/nn_state.h"

/* Weights of edges: sums of them stay far within a float. */
#define NN_MIN_WEIGHT	1e-30
#define NN_MAX_WEIGHT	1e30

typedef struct NnGraph
{
	uint32_t	nsites, nedges;
	uint32_t   *source, *target;	/* [nedges] from 0, ascending by target, then source */
	double	   *weight;			/* [nedges] from NN_MIN_WEIGHT to NN_MAX_WEIGHT */
} NnGraph;

/*
 * The graph of n edges in any order.  Fails with NN_BAD_VALUE (a site that is not
 * there, an edge to itself, an edge named twice, a weight out of its range) or
 * NN_TOO_LARGE; sites are named by their number from 1.  Costs n log n.
 */
extern NnGraph *nn_graph_make(const NnEnv *env, uint32_t nsites, uint32_t n,
							  const uint32_t *source, const uint32_t *target,
							  const double *weight);

/* Writes the edges where plan keeps them in params; the graph must be of plan's sizes. */
extern void nn_graph_fill(const NnEnv *env, const NnPlan *plan, const NnGraph *graph,
						  nn_real *params);

/* The three tensors within params [nparams], each [nedges]. */
extern nn_real *nn_graph_source(const NnPlan *plan, nn_real *params);
extern nn_real *nn_graph_target(const NnPlan *plan, nn_real *params);
extern nn_real *nn_graph_weight(const NnPlan *plan, nn_real *params);

/* ------------------------------------------------------------------------
 * For operations
 */
typedef enum NnWalkKind
{
	NN_WALK_ALONG, NN_WALK_AGAINST, NN_WALK_LAPLACE
} NnWalkKind;

typedef struct NnWalk
{
	NnWalkKind	kind;
	uint32_t	nsites, nedges;
	const nn_real *from, *to;	/* [nedges] numbers of sites */
	const nn_real *value;		/* [nedges] */
} NnWalk;

/* Fails unless the plan has a graph over the sites of the layer's input. */
extern void nn_graph_require(const NnPlanner *planner, const NnLayer *layer);

/* Reals of a walk's room; a multiple of NN_LANES. */
extern size_t nn_walk_size(const NnPlan *plan);

/* The walk of state's graph whose values lie in room, once nn_walk_prepare has put them there. */
extern NnWalk nn_walk_at(const NnState *state, NnWalkKind kind, const nn_real *room);
extern void nn_walk_prepare(const NnState *state, const NnWalk *walk, nn_real *room);

/*
 * y(to) += factor * value * x(from), edge by edge in their order, where a site's n
 * reals start stride apart; adjoint: the transposed matrix.  y may not overlap x.
 */
extern void nn_walk_add(const NnState *state, const NnWalk *walk, bool adjoint, nn_real factor,
						nn_real *y, const nn_real *x, size_t stride, size_t n);

#endif							/* NN_GRAPH_H */
