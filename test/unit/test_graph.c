/*
 * test_graph.c
 *		Graphs over sites: edges in order, what is refused, what layers promise beside
 *		right gradients and PyTorch's values.
 */
#include "core/nn_graph_mix.h"
#include "core/nn_op.h"
#include "core/nn_rng.h"

#include "network.h"

#define SITES	6
#define EDGES	7
#define CONTEXT	3
#define CHANNELS 2
#define L		NN_LANES

/* In no order; site 5 has no neighbours, site 3 is seen only. */
static const uint32_t edge_source[EDGES] = {3, 0, 2, 1, 4, 3, 0};
static const uint32_t edge_target[EDGES] = {1, 1, 0, 2, 2, 4, 4};
static const double edge_weight[EDGES] = {0.5, 1.5, 2, 0.25, 0.75, 1, 3};

static NnGraph *
graph_small(void)
{
	return nn_graph_make(unit_env(), SITES, EDGES, edge_source, edge_target, edge_weight);
}

static NnPlan *
plan_of(const char *layers, uint32_t nsites, uint32_t nedges)
{
	NnSpec	   *spec = spec_parse(nn_format(unit_env(), "\"layers\":[%s,{\"type\":\"flatten\"}]", layers));

	spec->context = CONTEXT;
	spec->npast = CHANNELS - 1;
	spec->nsites = nsites;
	spec->nedges = nedges;
	return nn_plan_build(unit_env(), spec, nn_kernels_get(NULL), L);
}

/* The network of layers over the small graph, its window and parameters made by dice. */
static NnState *
state_small(const NnPlan *plan, bool training)
{
	nn_real    *params = NN_NEW_ARRAY(unit_env(), nn_real, plan->nparams);
	NnState    *state;
	nn_real    *past;

	nn_params_init(unit_env(), plan, 1, params);
	nn_graph_fill(unit_env(), plan, graph_small(), params);
	state = nn_state_create(unit_env(), plan, nn_kernels_get(NULL), params, training);
	state->training = false;
	past = nn_state_output(state, NN_LAYER_PAST);
	for (size_t i = 0; i < (size_t) CONTEXT * SITES * CHANNELS * L; i++)
		past[i] = (nn_real) (2 * (double) nn_rng_unit(2, 0, 0, i) - 1);
	nn_state_pack(state);
	nn_state_forward(state);
	return state;
}

static void
edges_ascend(void)
{
	const NnGraph *graph = graph_small();
	static const uint32_t source[EDGES] = {2, 0, 3, 1, 4, 0, 3},
				target[EDGES] = {0, 1, 1, 2, 2, 4, 4};
	static const double weight[EDGES] = {2, 1.5, 0.5, 0.25, 0.75, 3, 1};

	UNIT_INTEGER(graph->nedges, EDGES);
	for (uint32_t e = 0; e < EDGES; e++)
	{
		UNIT_INTEGER(graph->source[e], source[e]);
		UNIT_INTEGER(graph->target[e], target[e]);
		UNIT_NEAR(graph->weight[e], weight[e], 0);
	}
}

/* Any number of edges, whatever the order they come in. */
static void
many_edges_ascend(void)
{
	NnEnv	   *env = unit_env();

	for (uint32_t n = 0; n < 300; n += n < 20 ? 1 : 83)
	{
		uint32_t   *source = NN_NEW_ARRAY(env, uint32_t, n),
				   *target = NN_NEW_ARRAY(env, uint32_t, n);
		double	   *weight = NN_NEW_ARRAY(env, double, n),
					sum = 0;
		const NnGraph *graph;

		/* 7 walks through all numbers below 307, so no pair comes twice. */
		for (uint32_t e = 0; e < n; e++)
		{
			uint32_t	number = 7 * (e + 11) % 307;

			target[e] = number % 23;
			source[e] = 23 + number / 23;
			weight[e] = 1 + number;
			sum += weight[e];
		}
		graph = nn_graph_make(env, 40, n, source, target, weight);
		for (uint32_t e = 0; e < n; e++)
		{
			UNIT_CHECK(e == 0 || graph->target[e - 1] < graph->target[e] ||
					   (graph->target[e - 1] == graph->target[e] &&
						graph->source[e - 1] < graph->source[e]));
			UNIT_NEAR(graph->weight[e], 1 + graph->target[e] + 23 * (graph->source[e] - 23), 0);
			sum -= graph->weight[e];
		}
		UNIT_NEAR(sum, 0, 0);
	}
}

/* A graph of two edges, the second as given. */
static void
edge_refused(uint32_t source, uint32_t target, double weight, const char *message)
{
	const uint32_t sources[] = {0, source},
				targets[] = {1, target};
	const double weights[] = {1, weight};

	UNIT_FAILS(unit_env(), NN_BAD_VALUE,
			   nn_graph_make(unit_env(), SITES, 2, sources, targets, weights));
	UNIT_STRING(unit_host.message, message);
}

static void
bad_edges_are_refused(void)
{
	edge_refused(6, 1, 1, "an edge leads from site 7 to site 2, but there are 6 sites");
	edge_refused(1, UINT32_MAX, 1, "an edge leads from site 2 to site 4294967296, but there are 6 sites");
	edge_refused(2, 2, 1, "an edge leads from site 3 to itself");
	edge_refused(0, 1, 2, "the edge from site 1 to site 2 is there twice");
	edge_refused(0, 2, 0, "the edge from site 1 to site 3 has the weight 0");
	edge_refused(0, 2, -1, "the edge from site 1 to site 3 has the weight -1");
	edge_refused(0, 2, 1e-40, "the edge from site 1 to site 3 has the weight 1e-40");
	edge_refused(0, 2, INFINITY, "the edge from site 1 to site 3 has the weight inf");
	edge_refused(0, 2, NAN, "the edge from site 1 to site 3 has the weight nan");
	UNIT_FAILS(unit_env(), NN_TOO_LARGE,
			   nn_graph_make(unit_env(), NN_MAX_SITES + 1, 0, NULL, NULL, NULL));
}

static void
networks_that_do_not_fit_are_refused(void)
{
	const NnPlan *plan;

	UNIT_FAILS(unit_env(), NN_BAD_VALUE, plan_of("{\"type\":\"graph\",\"units\":2}", SITES, 0));
	UNIT_STRING(unit_host.message, "layer \"graph\" needs a graph, but there are no edges");
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, plan_of("{\"type\":\"graph_attention\",\"units\":2}", SITES, 0));
	UNIT_FAILS(unit_env(), NN_BAD_VALUE,
			   plan_of("{\"type\":\"graph_gru\",\"units\":2,\"support\":\"all\"}", SITES, 0));
	plan_of("{\"type\":\"graph\",\"units\":2,\"support\":\"adaptive\"}", SITES, 0);
	UNIT_FAILS(unit_env(), NN_TOO_LARGE,
			   plan_of("{\"type\":\"graph\",\"units\":2,\"support\":\"adaptive\"}", NN_MAX_ADAPTIVE + 1, 0));
	UNIT_STRING(unit_host.message, "layer \"graph\" would learn a matrix of 4097 x 4097 sites");
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, plan_of("{\"type\":\"graph\"}", SITES, EDGES));
	UNIT_FAILS(unit_env(), NN_BAD_VALUE,
			   plan_of("{\"type\":\"graph_attention\",\"units\":3,\"heads\":2}", SITES, EDGES));
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, spec_parse("\"layers\":[{\"type\":\"gru\",\"name\":\"edges\"}]"));

	plan = plan_of("{\"type\":\"graph\",\"units\":2}", SITES, EDGES + 1);
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, nn_graph_fill(unit_env(), plan, graph_small(), NULL));
}

/* The edges are parameters, but none that is trained, whatever decays. */
static void
edges_are_never_trained(void)
{
	NnSpec	   *spec = spec_parse("\"layers\":[{\"type\":\"graph\",\"units\":2},{\"type\":\"last\"}],"
								  "\"l2\":0.1");
	const NnPlan *plan;

	spec->nsites = SITES;
	spec->nedges = EDGES;
	plan = nn_plan_build(unit_env(), spec, nn_kernels_get(NULL), L);
	for (uint32_t i = 0; i < plan->ntensors; i++)
	{
		const NnTensor *tensor = &plan->tensor[i];

		UNIT_CHECK((tensor->init == NN_INIT_GIVEN) == (tensor->span.offset >= plan->nactive));
		for (uint32_t j = 0; j < i; j++)
			UNIT_CHECK(strcmp(tensor->name, plan->tensor[j].name) != 0);
	}
	UNIT_INTEGER(plan->nparams - plan->nactive, 3 * EDGES);
}

/* What every site of walk gets from x = 1, 2, 3, ... */
static void
walk_check(NnWalkKind kind, bool adjoint, const double *expected)
{
	const NnPlan *plan = plan_of("{\"type\":\"graph\",\"units\":2}", SITES, EDGES);
	const NnState *state = state_small(plan, false);
	nn_real    *room = NN_NEW_ARRAY(unit_env(), nn_real, nn_walk_size(plan)),
			   *x = NN_NEW_ARRAY(unit_env(), nn_real, 2 * SITES * L),
			   *y = NN_NEW_ARRAY(unit_env(), nn_real, 2 * SITES * L);
	NnWalk		walk = nn_walk_at(state, kind, room);

	nn_walk_prepare(state, &walk, room);
	for (uint32_t s = 0; s < SITES; s++)
		x[2 * s * L] = (nn_real) (s + 1);
	nn_walk_add(state, &walk, adjoint, 1, y, x, 2 * L, L);
	for (uint32_t s = 0; s < SITES; s++)
		UNIT_NEAR(y[2 * s * L], expected[s], 1e-5);
}

static void
walks_go_along_the_edges(void)
{
	/* By hand: 2 sees 0 (weight 0.25 of 1) and 4 (0.75 of 1), and so on. */
	static const double along[SITES] = {3, (1.5 * 1 + 0.5 * 4) / 2, 0.25 * 2 + 0.75 * 5, 0,
		(3 * 1 + 1 * 4) / 4.0, 0};
	static const double against[SITES] = {(1.5 * 2 + 3 * 5) / 4.5, 3, 1, (0.5 * 2 + 1 * 5) / 1.5, 3, 0};
	static const double turned[SITES] = {0.75 * 2 + 0.75 * 5, 0.25 * 3, 1, 0.25 * 2 + 0.25 * 5,
		0.75 * 3, 0};

	walk_check(NN_WALK_ALONG, false, along);
	walk_check(NN_WALK_AGAINST, false, against);
	walk_check(NN_WALK_ALONG, true, turned);
}

/* The scaled Laplacian: its own transpose, and -D^1/2 1 is what it makes of D^1/2 1. */
static void
laplacian_is_scaled(void)
{
	static const double degree[SITES] = {6.5, 2.25, 3, 1.5, 4.75, 0};
	const NnPlan *plan = plan_of("{\"type\":\"graph\",\"units\":2}", SITES, EDGES);
	const NnState *state = state_small(plan, false);
	nn_real    *room = NN_NEW_ARRAY(unit_env(), nn_real, nn_walk_size(plan)),
			   *x = NN_NEW_ARRAY(unit_env(), nn_real, SITES * L),
			   *y = NN_NEW_ARRAY(unit_env(), nn_real, SITES * L),
			   *z = NN_NEW_ARRAY(unit_env(), nn_real, SITES * L);
	NnWalk		walk = nn_walk_at(state, NN_WALK_LAPLACE, room);

	nn_walk_prepare(state, &walk, room);
	for (uint32_t s = 0; s < SITES; s++)
		x[s * L] = (nn_real) sqrt(degree[s]);
	nn_walk_add(state, &walk, false, 1, y, x, L, L);
	nn_walk_add(state, &walk, true, 1, z, x, L, L);
	for (uint32_t s = 0; s < SITES; s++)
	{
		UNIT_NEAR(y[s * L], -x[s * L], 1e-5);
		UNIT_NEAR(z[s * L], y[s * L], 1e-6);
	}
}

/* Sites see themselves and where their edges come from; also when only forecasting. */
static void
attention_is_readable(void)
{
	const NnPlan *plan = plan_of("{\"type\":\"graph_attention\",\"units\":4,\"heads\":2},"
								 "{\"type\":\"graph\",\"units\":2}", SITES, EDGES);
	const NnLayer *layer = &plan->layer[nn_plan_layer(plan, "graph_attention")];
	const NnState *trained = state_small(plan, true),
			   *forecast = state_small(plan, false);
	const nn_real *w = nn_graph_attention_weights(forecast, layer);
	const NnGraph *graph = graph_small();

	UNIT_CHECK(memcmp(w, nn_graph_attention_weights(trained, layer),
					  CONTEXT * 2 * (EDGES + SITES) * L * sizeof(nn_real)) == 0);
	UNIT_CHECK(nn_graph_attention_weights(forecast, layer + 1) == NULL);
	for (uint32_t block = 0; block < CONTEXT * 2; block++)
		for (uint32_t s = 0, e = 0; s < SITES; s++)
		{
			double		sum = (double) w[0];

			for (w += L; e < EDGES && graph->target[e] == s; e++, w += L)
			{
				UNIT_CHECK(w[0] > 0 && w[0] < 1);
				sum += (double) w[0];
			}
			UNIT_NEAR(sum, 1, 1e-5);
		}
}

/* A forecast gives the bits of training's forward, where cells do. */
static void
forecasts_give_the_same_bits(void)
{
	static const char *const layers[] = {
		"{\"type\":\"graph\",\"units\":3,\"support\":\"all\"}",
		"{\"type\":\"graph\",\"units\":3,\"support\":\"chebyshev\",\"hops\":3}",
		"{\"type\":\"graph_gru\",\"units\":3,\"support\":\"both\"}",
		"{\"type\":\"graph_attention\",\"units\":3}",
	};

	for (size_t i = 0; i < sizeof(layers) / sizeof(layers[0]); i++)
	{
		const NnPlan *plan = plan_of(layers[i], SITES, EDGES);
		const NnState *trained = state_small(plan, true),
				   *forecast = state_small(plan, false);

		UNIT_CHECK(memcmp(nn_state_output(trained, plan->output_layer),
						  nn_state_output(forecast, plan->output_layer), SITES * L * sizeof(nn_real)) == 0);
	}
}

/* Memory and work grow with sites and edges, not with their square. */
static void
graphs_are_sparse(void)
{
	static const char layers[] = "{\"type\":\"graph\",\"units\":8,\"support\":\"both\"},"
		"{\"type\":\"graph_gru\",\"units\":8,\"support\":\"chebyshev\"},"
		"{\"type\":\"graph_attention\",\"units\":8,\"heads\":2}";
	size_t		small = nn_plan_memory(unit_env(), plan_of(layers, 1000, 8000), true),
				large = nn_plan_memory(unit_env(), plan_of(layers, 10000, 80000), true);

	UNIT_CHECK(large < 10.2 * (double) small);
}

static void
long_walks_can_be_cancelled(void)
{
	NnEnv	   *env = unit_env();
	uint32_t	n = 100000;
	uint32_t   *source = NN_NEW_ARRAY(env, uint32_t, n),
			   *target = NN_NEW_ARRAY(env, uint32_t, n);
	double	   *weight = NN_NEW_ARRAY(env, double, n);

	for (uint32_t e = 0; e < n; e++)
	{
		source[e] = n - e;
		target[e] = n - e - 1;
		weight[e] = 1;
	}
	unit_host.poll_limit = unit_host.npolls + 5;
	UNIT_FAILS(env, NN_BAD_VALUE, nn_graph_make(env, n + 1, n, source, target, weight));
	UNIT_STRING(unit_host.message, "canceled by the test");
}

int
main(void)
{
	UNIT_RUN(edges_ascend);
	UNIT_RUN(many_edges_ascend);
	UNIT_RUN(bad_edges_are_refused);
	UNIT_RUN(networks_that_do_not_fit_are_refused);
	UNIT_RUN(edges_are_never_trained);
	UNIT_RUN(walks_go_along_the_edges);
	UNIT_RUN(laplacian_is_scaled);
	UNIT_RUN(attention_is_readable);
	UNIT_RUN(forecasts_give_the_same_bits);
	UNIT_RUN(graphs_are_sparse);
	UNIT_RUN(long_walks_can_be_cancelled);
	return unit_finish();
}
