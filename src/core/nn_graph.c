/*
 * nn_graph.c
 *		Edges in order, and walks along them.
 *
 * Knows no layer: what is mixed are rows of reals, one for each site.  Values of
 * a walk are computed when it is opened, once in a forward or backward; that
 * costs edges + sites.  A walk itself adds edge by edge in the order of the
 * tensors, so sums have one order.  Polls by work.
 */
#include <math.h>
#include <string.h>

#include "core/nn_graph.h"

/* Edges, or multiply-adds, between polls: below 1 ms. */
#define POLL_EDGES 65536
#define POLL_PRODUCTS 1000000

/* ------------------------------------------------------------------------
 * Edges
 */

static void
edge_check(const NnEnv *env, uint32_t nsites, uint32_t source, uint32_t target, double weight)
{
	if (source >= nsites || target >= nsites)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "an edge leads from site %llu to site %llu, but there are %u sites",
						  (unsigned long long) source + 1, (unsigned long long) target + 1, nsites),
				NULL);
	if (source == target)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "an edge leads from site %u to itself", source + 1),
				"Leave such edges out: every site sees itself in any case.");
	if (!(weight >= NN_MIN_WEIGHT && weight <= NN_MAX_WEIGHT))
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "the edge from site %u to site %u has the weight %g", source + 1,
						  target + 1, weight),
				nn_format(env, "A weight lies between %g and %g; leave edges without weight out.",
						  NN_MIN_WEIGHT, NN_MAX_WEIGHT));
}

/* Place of an edge: by target, then source. */
static uint64_t
edge_key(uint32_t source, uint32_t target)
{
	return (uint64_t) target << 32 | source;
}

/* Merges the runs [first, middle) and [middle, last) of from into to; numbers of edges. */
static void
runs_merge(const uint64_t *key, const uint32_t *from, uint32_t *to, uint32_t first,
		   uint32_t middle, uint32_t last)
{
	uint32_t	a = first,
				b = middle;

	for (uint32_t i = first; i < last; i++)
		to[i] = a < middle && (b == last || key[from[a]] <= key[from[b]]) ? from[a++] : from[b++];
}

/* Numbers of the n edges in the order of their keys: merge sort. */
static const uint32_t *
edges_order(const NnEnv *env, const uint64_t *key, uint32_t n)
{
	uint32_t   *order = NN_NEW_ARRAY(env, uint32_t, n),
			   *other = NN_NEW_ARRAY(env, uint32_t, n);

	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	for (uint32_t width = 1; width < n; width *= 2)
	{
		uint32_t   *swapped = order;

		for (uint32_t first = 0; first < n; first += 2 * width)
		{
			uint32_t	middle = n - first < width ? n : first + width;

			if (first % POLL_EDGES < 2 * width)
				env->poll(env->host);
			runs_merge(key, order, other, first, middle, n - middle < width ? n : middle + width);
		}
		order = other;
		other = swapped;
	}
	return order;
}

NnGraph *
nn_graph_make(const NnEnv *env, uint32_t nsites, uint32_t n, const uint32_t *source,
			  const uint32_t *target, const double *weight)
{
	NnGraph    *graph = NN_NEW(env, NnGraph);
	uint64_t   *key;
	const uint32_t *order;

	if (nsites > NN_MAX_SITES || n > NN_MAX_EDGES)
		nn_fail(env, NN_TOO_LARGE,
				nn_format(env, "a graph of %u sites and %u edges is too large", nsites, n),
				nn_format(env, "At most %d sites and %d edges are possible; keep the nearest neighbours.",
						  NN_MAX_SITES, NN_MAX_EDGES));
	key = NN_NEW_ARRAY(env, uint64_t, n);
	for (uint32_t i = 0; i < n; i++)
	{
		if (i % POLL_EDGES == 0)
			env->poll(env->host);
		edge_check(env, nsites, source[i], target[i], weight[i]);
		key[i] = edge_key(source[i], target[i]);
	}
	order = edges_order(env, key, n);
	*graph = (NnGraph) {nsites, n, NN_NEW_ARRAY(env, uint32_t, n), NN_NEW_ARRAY(env, uint32_t, n),
		NN_NEW_ARRAY(env, double, n)};
	for (uint32_t i = 0; i < n; i++)
	{
		if (i % POLL_EDGES == 0)
			env->poll(env->host);
		graph->source[i] = source[order[i]];
		graph->target[i] = target[order[i]];
		graph->weight[i] = weight[order[i]];
		if (i > 0 && key[order[i - 1]] == key[order[i]])
			nn_fail(env, NN_BAD_VALUE,
					nn_format(env, "the edge from site %u to site %u is there twice",
							  graph->source[i] + 1, graph->target[i] + 1),
					"Join such edges to one, with the weight that you mean.");
	}
	return graph;
}

/* ------------------------------------------------------------------------
 * Tensors
 */

static nn_real *
tensor_of(const NnPlan *plan, nn_real *params, uint32_t i)
{
	return params + plan->tensor[plan->graph + i].span.offset;
}

nn_real *
nn_graph_source(const NnPlan *plan, nn_real *params)
{
	return tensor_of(plan, params, 0);
}

nn_real *
nn_graph_target(const NnPlan *plan, nn_real *params)
{
	return tensor_of(plan, params, 1);
}

nn_real *
nn_graph_weight(const NnPlan *plan, nn_real *params)
{
	return tensor_of(plan, params, 2);
}

void
nn_graph_fill(const NnEnv *env, const NnPlan *plan, const NnGraph *graph, nn_real *params)
{
	if (plan->nedges == 0 && graph->nedges == 0)
		return;
	if (graph->nsites != plan->nsites || graph->nedges != plan->nedges)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "a graph of %u sites and %u edges cannot serve a network for %u sites and "
						  "%u edges", graph->nsites, graph->nedges, plan->nsites, plan->nedges), NULL);
	for (uint32_t e = 0; e < graph->nedges; e++)
	{
		if (e % POLL_EDGES == 0)
			env->poll(env->host);
		nn_graph_source(plan, params)[e] = (nn_real) graph->source[e];
		nn_graph_target(plan, params)[e] = (nn_real) graph->target[e];
		nn_graph_weight(plan, params)[e] = (nn_real) graph->weight[e];
	}
}

void
nn_graph_require(const NnPlanner *planner, const NnLayer *layer)
{
	const NnEnv *env = planner->env;
	const NnPlan *plan = planner->plan;

	if (plan->nedges == 0)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" needs a graph, but there are no edges", layer->name),
				"Give the edges between the series, or use the support \"adaptive\", which learns them.");
	if (layer->in.S != plan->nsites)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" gets %u sites, but the graph has %u", layer->name,
						  layer->in.S, plan->nsites),
				"Its input must have a row for each series.");
}

/* ------------------------------------------------------------------------
 * Walks
 */

static size_t
lanes_up(size_t n)
{
	return (n + NN_LANES - 1) / NN_LANES * NN_LANES;
}

/* The values [nedges], and sums of weights [nsites]. */
size_t
nn_walk_size(const NnPlan *plan)
{
	return lanes_up(plan->nedges) + lanes_up(plan->nsites);
}

static void
poll_edges(const NnState *state, uint32_t e)
{
	if (e % POLL_EDGES == 0)
		state->env->poll(state->env->host);
}

/* sum(at(e)) += weight(e) */
static void
weights_sum(const NnState *state, nn_real *sum, const nn_real *at, const nn_real *weight)
{
	for (uint32_t e = 0; e < state->plan->nedges; e++)
	{
		poll_edges(state, e);
		sum[(uint32_t) at[e]] += weight[e];
	}
}

NnWalk
nn_walk_at(const NnState *state, NnWalkKind kind, const nn_real *room)
{
	const NnPlan *plan = state->plan;
	const nn_real *source = nn_graph_source(plan, state->params),
			   *target = nn_graph_target(plan, state->params);
	bool		against = kind == NN_WALK_AGAINST;

	return (NnWalk) {kind, plan->nsites, plan->nedges, against ? target : source,
		against ? source : target, room};
}

void
nn_walk_prepare(const NnState *state, const NnWalk *walk, nn_real *room)
{
	const nn_real *weight = nn_graph_weight(state->plan, state->params);
	nn_real    *sum = room + lanes_up(walk->nedges);

	memset(sum, 0, walk->nsites * sizeof(nn_real));
	weights_sum(state, sum, walk->to, weight);
	if (walk->kind == NN_WALK_LAPLACE)
		weights_sum(state, sum, walk->from, weight);
	for (uint32_t e = 0; e < walk->nedges; e++)
	{
		nn_real		to = sum[(uint32_t) walk->to[e]],
					from = sum[(uint32_t) walk->from[e]];

		poll_edges(state, e);
		/* Both halves in W and in D cancel: -(w / 2) / sqrt((sum / 2) (sum / 2)). */
		room[e] = walk->kind == NN_WALK_LAPLACE ?
			-weight[e] / (nn_real) (sqrt((double) to) * sqrt((double) from)) : weight[e] / to;
	}
}

/* y(to) += factor * value * x(from) */
static void
edges_add(const NnState *state, const NnWalk *walk, const nn_real *from, const nn_real *to,
		  nn_real factor, nn_real *y, const nn_real *x, size_t stride, size_t n)
{
	uint32_t	slice = 1 + (uint32_t) (POLL_PRODUCTS / n);

	for (uint32_t e = 0; e < walk->nedges; e++)
	{
		if (e % slice == 0)
			state->env->poll(state->env->host);
		state->kernels->axpy(y + (uint32_t) to[e] * stride, factor * walk->value[e],
							 x + (uint32_t) from[e] * stride, n);
	}
}

void
nn_walk_add(const NnState *state, const NnWalk *walk, bool adjoint, nn_real factor, nn_real *y,
			const nn_real *x, size_t stride, size_t n)
{
	const nn_real *from = adjoint ? walk->to : walk->from,
			   *to = adjoint ? walk->from : walk->to;

	edges_add(state, walk, from, to, factor, y, x, stride, n);
	if (walk->kind == NN_WALK_LAPLACE)	/* its matrix is symmetric: both directions */
		edges_add(state, walk, to, from, factor, y, x, stride, n);
}
