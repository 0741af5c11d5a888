/*
 * test_gradient.c
 *		Every operation and every loss against finite differences (double build).
 *
 * The check knows no operation: it walks the op table and tries each row's
 * examples, so a new row is tested by existing.  For each it asks for
 *	|analytic - numeric| <= 1e-8 * max(1, |analytic|, |numeric|)
 * in every parameter and every input.  Numeric derivatives are central
 * differences at h and h/2, Richardson-extrapolated: the error is of order h^4,
 * 1e-12 here, and rounding costs about as much.  In float the best step would
 * leave 1e-2, which proves nothing, so the float build skips.
 */
#include "core/nn_graph.h"
#include "core/nn_loss.h"
#include "core/nn_op.h"
#include "core/nn_optim.h"
#include "core/nn_rng.h"

#include "unit.h"

#ifdef NN_DOUBLE

#define STEP		1e-3
#define TOLERANCE	1e-8

/* Sizes of the window; WINDOWS lanes of the tile count, the others are padding. */
#define CONTEXT		4
#define CHANNELS	3			/* of "past": a target, a past and a future covariate */
#define STATICS		2
#define HORIZON		3
#define SERIES		2			/* for layers that learn one by one */
#define WINDOWS		3

/* A scalar function of many numbers, for differences. */
typedef struct Scalar
{
	double		(*value) (void *of);
	void	   *of;
	const char *what;			/* for messages */
} Scalar;

/* A network with fixed weights of its outputs: loss = sum(weight * output). */
typedef struct Network
{
	NnSpec		spec;
	NnPlan	   *plan;
	NnState    *state;
	uint32_t	values;			/* raw outputs: sites x HORIZON x targets x outputs of the loss */
	nn_real    *weight;			/* [values][L] */
	nn_real    *dx[NN_LAYER_ARRAY + NN_MAX_ARRAYS]; /* [T][S][C][L] gradients of the inputs */
} Network;

static double
derivative(const Scalar *f, nn_real *x)
{
	nn_real		x0 = *x;
	double		slope[2];

	for (int level = 0; level < 2; level++)
	{
		double		h = STEP / (1 << level);
		double		up,
					down;

		*x = x0 + h;
		up = f->value(f->of);
		*x = x0 - h;
		down = f->value(f->of);
		slope[level] = (up - down) / (2 * h);
	}
	*x = x0;
	return (4 * slope[1] - slope[0]) / 3;
}

/*
 * Checks derivatives first to last - 1 with respect to x.  Stops at the first
 * that is wrong, prints it when asked, and returns false.
 */
static bool
derivatives_check(const Scalar *f, const char *name, nn_real *x, const nn_real *analytic,
				  size_t first, size_t last, bool print)
{
	for (size_t i = first; i < last; i++)
	{
		double		a = analytic[i],
					d = derivative(f, &x[i]);

		if (fabs(a - d) <= TOLERANCE * fmax(1, fmax(fabs(a), fabs(d))))
			continue;
		if (print)
			UNIT_FAILED("%s: derivative to %s[%zu] is %.12g, by differences %.12g",
						f->what, name, i, a, d);
		return false;
	}
	return true;
}

/* Uniform in +-[0.1, 0.9], never near 0. */
static double
number(uint64_t seed, uint32_t stream, uint64_t index)
{
	double		u = nn_rng_unit(seed, stream, 0, index);

	return u < 0.5 ? 0.1 + 1.6 * u : 0.7 - 1.6 * u;
}

/* ---- operations */

static double
network_value(void *of)
{
	Network    *network = of;
	const nn_real *y;
	double		sum = 0;

	nn_state_pack(network->state);
	nn_state_forward(network->state);
	y = nn_state_output(network->state, network->plan->output_layer);
	for (uint32_t i = 0; i < network->values * network->state->L; i++)
		sum += network->weight[i] * y[i];
	return sum;
}

/* Reals of layer i's output in the current tile. */
static size_t
output_size(const Network *network, uint32_t i)
{
	const NnShape *out = &network->plan->layer[i].out;

	return (size_t) out->T * out->S * out->C * network->state->L;
}

/* A small graph for layers that want one; its last site has no neighbours. */
#define GRAPH_SITES 5
#define GRAPH_EDGES 8

static void
graph_fill(const Network *network)
{
	static const uint32_t source[GRAPH_EDGES] = {0, 1, 2, 1, 3, 0, 2, 3};
	static const uint32_t target[GRAPH_EDGES] = {1, 0, 1, 2, 2, 3, 0, 1};
	static const double weight[GRAPH_EDGES] = {0.5, 1.5, 0.8, 0.3, 1.1, 0.7, 0.4, 0.9};
	const NnEnv *env = unit_env();

	if (network->plan->nedges > 0)
		nn_graph_fill(env, network->plan,
					  nn_graph_make(env, GRAPH_SITES, GRAPH_EDGES, source, target, weight),
					  network->state->params);
}

/* A grid for layers that look at cells: so many, row by row. */
#define GRID_SITES 12
#define GRID_ROWS 3

static bool
wants_grid(const char *layers)
{
	return strstr(layers, "\"conv") || strstr(layers, "_pool\"") || strstr(layers, "flatten_grid");
}

/* What layers need around them: a graph for those that walk along it, a grid. */
static void
space_set(NnSpec *spec, const char *options)
{
	if (wants_grid(options))
	{
		spec->nsites = GRID_SITES;
		spec->grid_rows = GRID_ROWS;
		spec->hexagonal = strstr(options, "hexagon") != NULL;	/* a layer is called so */
	}
	if (strstr(options, "\"graph") == NULL)
		return;
	spec->nsites = GRAPH_SITES;
	spec->nedges = GRAPH_EDGES;
}

/* Array columns for layers that name them. */
static void
arrays_set(NnSpec *spec, const char *options)
{
	if (strstr(options, "\"vector\""))
		spec->array[spec->narrays++] = (NnArraySpec) {"vector", 1, 1, 2};
	if (strstr(options, "\"image\""))
		spec->array[spec->narrays++] = (NnArraySpec) {"image", 3, 4, 2};
}

/* The network of options; beside the targets there are CHANNELS - 1 covariates. */
static Network *
network_create(const NnEnv *env, const char *options, uint32_t ntargets)
{
	const NnKernels *kernels = nn_kernels_get("generic");
	Network    *network = NN_NEW(env, Network);
	NnSpec	   *spec = &network->spec;

	nn_spec_parse(env, nn_json_parse(env, options, strlen(options), "options", NN_BAD_VALUE),
				  spec);
	spec->context = CONTEXT;
	spec->horizon = spec->forecast_horizon = HORIZON;
	spec->ntargets = ntargets;
	spec->npast = spec->nfuture = 1;
	spec->nstatic = STATICS;
	spec->nseries = SERIES;
	space_set(spec, options);
	arrays_set(spec, options);
	nn_spec_expand(env, spec);
	network->plan = nn_plan_build(env, spec, kernels, NN_LANES);
	network->state = nn_state_create(env, network->plan, kernels,
									 NN_NEW_ARRAY(env, nn_real, network->plan->nparams), true);
	network->state->L = NN_LANES;
	network->state->training = true;	/* dropout's mask depends on the position only */
	network->state->step = 1;
	network->values = spec->nsites * HORIZON * ntargets * nn_spec_outputs(spec);
	network->weight = NN_NEW_ARRAY(env, nn_real, network->values * NN_LANES);
	for (uint32_t i = 0; i < network->plan->first_layer; i++)
		network->dx[i] = NN_NEW_ARRAY(env, nn_real, output_size(network, i));
	UNIT_INTEGER(network->plan->layer[NN_LAYER_PAST].out.C,
				 (CHANNELS - 1 + ntargets) * (spec->missing == NN_MISSING_MASK ? 2 : 1));
	return network;
}

static Network *
network_build(const NnEnv *env, const char *layers)
{
	return network_create(env, nn_format(env, "{\"layers\":[%s]}", layers), 1);
}

/* Random parameters, inputs (padding lanes too) and weights of the outputs (there 0). */
static void
network_fill(Network *network, uint64_t seed)
{
	NnState    *state = network->state;

	state->seed = seed;
	for (uint32_t l = 0; l < state->L; l++)
		state->identity[l] = l < WINDOWS ? l % SERIES : NN_IDENTITY_NONE;
	for (size_t i = 0; i < network->plan->nparams; i++)
		state->params[i] = number(seed, 0, i);
	graph_fill(network);
	for (uint32_t l = 0; l < state->L; l++)
		state->missing[l] = l % 3;	/* none, the first, the second array */
	for (uint32_t layer = 0; layer < network->plan->first_layer; layer++)
		for (size_t i = 0; i < output_size(network, layer); i++)
			nn_state_output(state, layer)[i] = number(seed, 1 + layer, i);
	for (size_t i = 0; i < network->values * state->L; i++)
		network->weight[i] = i % state->L < WINDOWS ? number(seed, 9, i) : 0;
}

/* Forward and backward from zero; with explain the inputs' gradients go to dx. */
static void
network_backward(Network *network, bool explain)
{
	NnState    *state = network->state;

	state->explain = explain;
	memset(state->dparams, 0, network->plan->nparams * sizeof(nn_real));
	network_value(network);
	memcpy(nn_state_gradient(state, network->plan->output_layer), network->weight,
		   network->values * state->L * sizeof(nn_real));
	nn_state_backward(state);
	for (uint32_t i = 0; i < network->plan->first_layer && explain; i++)
		memcpy(network->dx[i], nn_state_gradient(state, i),
			   output_size(network, i) * sizeof(nn_real));
}

/* All parameters and inputs, one padding lane too: is every derivative right? */
static bool
network_check(Network *network, const char *what, bool print)
{
	NnState    *state = network->state;
	Scalar		f = {network_value, network, what};
	bool		right = true;

	network_backward(network, true);
	for (uint32_t i = 0; right && i < network->plan->ntensors; i++)
	{
		const NnTensor *tensor = &network->plan->tensor[i];

		if (tensor->init == NN_INIT_GIVEN)
			continue;			/* the graph: not learned */
		right = derivatives_check(&f, tensor->name, state->params + tensor->span.offset,
								  state->dparams + tensor->span.offset, 0, tensor->span.count,
								  print);
	}
	for (uint32_t i = 0; i < network->plan->first_layer; i++)
		for (size_t at = 0; right && at < output_size(network, i); at += state->L)
			right = derivatives_check(&f, network->plan->layer[i].name,
									  nn_state_output(state, i), network->dx[i],
									  at, at + WINDOWS + 1, print);
	return right;
}

/* Training does not ask for the inputs' gradients; the parameters' must be the same bits. */
static void
network_check_training(Network *network, const char *what)
{
	size_t		size = network->plan->nparams * sizeof(nn_real);
	nn_real    *dparams = nn_alloc(network->state->env, size, 1);

	network_backward(network, true);
	memcpy(dparams, network->state->dparams, size);
	network_backward(network, false);
	if (memcmp(dparams, network->state->dparams, size) != 0)
		UNIT_FAILED("%s: gradients of training differ from those that explain", what);
}

/*
 * A number within a step of relu's kink has no derivative to compare with, so where
 * there is a relu (graph_attention and adaptive graphs have one) another seed may be
 * tried; a wrong backward is wrong under all of them.
 */
static void
network_try(Network *network, const char *what)
{
	bool		kinks = strstr(what, "relu") || strstr(what, "graph_attention") ||
		strstr(what, "\"adaptive\"") || strstr(what, "\"all\"");
	uint32_t	seeds = kinks ? 8 : 1;

	for (uint64_t seed = 1; seed <= seeds; seed++)
	{
		network_fill(network, seed);
		if (network_check(network, what, seed == seeds))
			break;
	}
	network_check_training(network, what);
}

static void
layers_check(const char *layers)
{
	network_try(network_build(unit_env(), layers), layers);
}

/* The same for two targets. */
static void
targets_check(const char *layers)
{
	network_try(network_create(unit_env(), nn_format(unit_env(), "{\"layers\":[%s]}", layers), 2),
				layers);
}

/* The expansion of a short form, for two targets. */
static void
options_check(const char *options)
{
	network_try(network_create(unit_env(), options, 2), options);
}

/* The same where the example may leave other sites: they end in all of them. */
static void
grid_example_check(const char *example)
{
	const NnEnv *env = unit_env();
	const char *end = "{\"type\":\"flatten_grid\",\"name\":\"cells\"},"
		"{\"type\":\"flatten\",\"name\":\"one\"},"
		"{\"type\":\"last\",\"name\":\"now\",\"inputs\":[\"past\"]},"
		"{\"type\":\"concat\",\"name\":\"both\",\"inputs\":[\"one\",\"now\"]}";

	layers_check(nn_format(env, "%s,%s", example, end));
	layers_check(nn_format(env,
						   "{\"type\":\"dense\",\"name\":\"before\",\"units\":2,\"activation\":\"tanh\"},"
						   "%s,%s", example, end));
}

/* The example as the first layer, within a branch, and before a layer that wants one step. */
static void
example_check(const NnOp *op, const char *example)
{
	const NnEnv *env = unit_env();
	bool		last = strcmp(op->name, "residual") == 0;

	if (last)
	{
		layers_check(nn_format(env, "{\"type\":\"flatten\"},%s", example));
		layers_check(nn_format(env, "{\"type\":\"lstm\",\"units\":2},{\"type\":\"dense\"},%s",
							   example));
		return;
	}
	if (wants_grid(example))
	{
		grid_example_check(example);
		return;
	}
	layers_check(nn_format(env, "%s,{\"type\":\"flatten\",\"name\":\"flat\"}", example));
	layers_check(nn_format(env,
						   "{\"type\":\"dense\",\"name\":\"before\",\"units\":3,\"activation\":\"tanh\"},"
						   "%s,{\"type\":\"flatten\",\"name\":\"one\"},"
						   "{\"type\":\"flatten\",\"name\":\"two\",\"inputs\":[\"before\"]},"
						   "{\"type\":\"concat\",\"name\":\"both\",\"inputs\":[\"one\",\"two\"]}",
						   example));
	if (nn_op_takes(op, "return_sequences") && strstr(example, "return_sequences") == NULL)
		layers_check(nn_format(env, "%s,{\"type\":\"dense\",\"name\":\"after\"}", example));
}

static const NnOp *op_running;

static void
gradient_of_op(void)
{
	NnEnv	   *env = unit_env();
	NnJson	   *examples = nn_json_parse(env, op_running->examples,
										 strlen(op_running->examples), "examples", NN_BAD_VALUE);

	UNIT_CHECK(examples->type == NN_JSON_ARRAY);
	UNIT_CHECK(examples->count > 0);
	for (const NnJson *example = examples->child; example != NULL; example = example->next)
	{
		bool		whole = example->type == NN_JSON_ARRAY;
		NnText		text;

		nn_text_init(&text, env);
		nn_json_tree(&text, example);
		if (whole)				/* without its brackets */
			layers_check(nn_format(env, "%.*s", (int) text.length - 2, text.data + 1));
		else
			example_check(op_running, text.data);
	}
}

/* What "architecture" makes of layers that need one another. */
static void
gradient_of_architectures(void)
{
	options_check("{\"architecture\":\"attention\",\"units\":4,\"loss\":\"quantile\","
				  "\"quantiles\":[0.1,0.5,0.9]}");
	options_check("{\"architecture\":\"hybrid\",\"units\":3,\"residual_season\":2,"
				  "\"loss\":\"quantile\",\"quantiles\":[0.1,0.5,0.9]}");
	options_check("{\"architecture\":\"hybrid\",\"units\":3,\"loss\":\"gaussian\"}");
	options_check("{\"architecture\":\"segment\",\"units\":5,\"segment_length\":2,\"dropout\":0.3,"
				  "\"normalization\":\"none\",\"series_embedding\":2,\"loss\":\"gaussian\"}");
	options_check("{\"architecture\":\"segment\",\"units\":4,\"segment_length\":3,"
				  "\"normalization\":\"none\"}");
	options_check("{\"architecture\":\"segment\",\"units\":4,\"segment_length\":4,"
				  "\"normalization\":\"none\",\"missing\":\"mask\"}");
	options_check("{\"architecture\":\"encoder_decoder\",\"units\":3,\"dropout\":0.2,"
				  "\"series_embedding\":2,\"loss\":\"quantile\",\"quantiles\":[0.1,0.5,0.9]}");
	options_check("{\"architecture\":\"linear\",\"normalization\":\"none\",\"loss\":\"student_t\"}");
	options_check("{\"architecture\":\"linear\",\"normalization\":\"none\",\"missing\":\"mask\"}");
	options_check("{\"architecture\":\"segment\",\"units\":4,\"segment_length\":2,"
				  "\"series_embedding\":3,\"loss\":\"gaussian\"}");
	options_check("{\"architecture\":\"segment\",\"units\":4,\"segment_length\":3,"
				  "\"normalization\":\"reversible\"}");
	options_check("{\"architecture\":\"linear\",\"normalization\":\"last\"}");
	options_check("{\"architecture\":\"encoder_decoder\",\"units\":3,\"normalization\":\"mean\"}");
	options_check("{\"architecture\":\"linear\",\"loss\":\"student_t\"}");
	options_check("{\"architecture\":\"linear\",\"normalization\":\"reversible\",\"missing\":\"mask\"}");
	options_check("{\"architecture\":\"segment\",\"units\":4,\"segment_length\":2,"
				  "\"normalization\":\"reversible\",\"loss\":\"gaussian\"}");
	options_check("{\"architecture\":\"encoder_decoder\",\"units\":3,\"normalization\":\"mean\","
				  "\"loss\":\"quantile\",\"quantiles\":[0.1,0.5,0.9]}");
	options_check("{\"architecture\":\"gru\",\"units\":3,\"normalization\":\"standard\","
				  "\"loss\":\"quantile\",\"quantiles\":[0.1,0.5,0.9]}");
	options_check("{\"architecture\":\"lstm\",\"units\":3,\"normalization\":\"reversible\","
				  "\"loss\":\"gaussian\",\"missing\":\"mask\"}");
	options_check("{\"architecture\":\"rnn\",\"units\":3,\"residual_season\":2,"
				  "\"loss\":\"student_t\"}");
	options_check("{\"architecture\":\"seasonal\",\"units\":4,\"segment_length\":2,"
				  "\"series_embedding\":2,\"dropout\":0.3,\"loss\":\"quantile\","
				  "\"quantiles\":[0.1,0.5,0.9]}");
	options_check("{\"architecture\":\"seasonal\",\"units\":3,\"segment_length\":2,"
				  "\"normalization\":\"reversible\",\"loss\":\"gaussian\",\"missing\":\"mask\"}");
	options_check("{\"architecture\":\"seasonal\",\"units\":3,\"segment_length\":2,"
				  "\"normalization\":\"none\"}");
	options_check("{\"architecture\":\"seasonal\",\"units\":3,\"segment_length\":3}");
}

/* What no single example shows: several layers, and inputs named more than once. */
static void
gradient_of_networks(void)
{
	/* Cells of six neighbours; a state that goes on from layer to layer through a pool. */
	layers_check("{\"type\":\"conv2d\",\"units\":2,\"name\":\"hexagon\"},{\"type\":\"last\"}");
	layers_check("{\"type\":\"conv_lstm\",\"units\":2,\"peephole\":true,\"name\":\"hexagon\"}");
	layers_check("{\"type\":\"conv_gru\",\"units\":2},{\"type\":\"max_pool\"},"
				 "{\"type\":\"conv_rnn\",\"units\":2,\"kernel_size\":1},{\"type\":\"global_pool\"},"
				 "{\"type\":\"last\",\"name\":\"now\",\"inputs\":[\"past\"]},"
				 "{\"type\":\"concat\",\"inputs\":[\"now\",\"global_pool\"]}");
	layers_check("{\"type\":\"conv_lstm\",\"units\":2},{\"type\":\"conv_lstm\",\"units\":1}");
	layers_check("{\"type\":\"attention\",\"units\":4,\"heads\":2},{\"type\":\"last\"}");
	targets_check("{\"type\":\"sites\"},{\"type\":\"attention\",\"units\":4,\"heads\":2,\"name\":\"seen\"},"
				  "{\"type\":\"last\"},"
				  "{\"type\":\"attention\",\"units\":3,\"inputs\":[\"last\",\"seen\"]},"
				  "{\"type\":\"dense\"},{\"type\":\"join\",\"length\":3}");
	/* Sites through every layer, one step and one site joined to many, future covariates unnamed. */
	targets_check("{\"type\":\"sites\"},"
				  "{\"type\":\"lstm\",\"units\":2,\"bidirectional\":true,\"dropout\":0.3,"
				  "\"recurrent_dropout\":0.2},"
				  "{\"type\":\"rnn\",\"units\":2,\"name\":\"all\",\"return_sequences\":true},"
				  "{\"type\":\"last\",\"name\":\"end\"},"
				  "{\"type\":\"dense\",\"units\":2,\"name\":\"still\",\"inputs\":[\"static\"]},"
				  "{\"type\":\"concat\",\"name\":\"wide\",\"inputs\":[\"still\",\"all\",\"end\",\"past\"]},"
				  "{\"type\":\"gru\",\"units\":2,\"name\":\"one\",\"return_sequences\":false},"
				  "{\"type\":\"repeat\",\"steps\":2},{\"type\":\"dense\",\"activation\":\"tanh\"},"
				  "{\"type\":\"join\",\"length\":2},{\"type\":\"residual\"}");
	/* The same dimensions without sites: all targets in the channels of a segment. */
	targets_check("{\"type\":\"gru\",\"units\":3},{\"type\":\"decoder\",\"length\":2},"
				  "{\"type\":\"dropout\",\"rate\":0.2},{\"type\":\"join\",\"length\":2}");
	/* Statistics that two layers use, one of them also as numbers, and one window at two scales. */
	targets_check("{\"type\":\"statistics\",\"center\":\"mean\",\"scale\":\"standard\"},"
				  "{\"type\":\"normalize\",\"affine\":true,\"inputs\":[\"past\",\"statistics\"]},"
				  "{\"type\":\"statistics\",\"name\":\"again\",\"center\":\"last\",\"scale\":\"mean\","
				  "\"inputs\":[\"normalize\"]},"
				  "{\"type\":\"normalize\",\"name\":\"twice\",\"inputs\":[\"normalize\",\"again\"]},"
				  "{\"type\":\"gru\",\"units\":2,\"inputs\":[\"twice\"],\"return_sequences\":false},"
				  "{\"type\":\"concat\",\"inputs\":[\"gru\",\"statistics\",\"again\"]},"
				  "{\"type\":\"dense\"},"
				  "{\"type\":\"denormalize\",\"name\":\"inner\",\"inputs\":[\"dense\",\"again\"]},"
				  "{\"type\":\"denormalize\",\"inputs\":[\"inner\",\"statistics\",\"normalize\"]},"
				  "{\"type\":\"residual\",\"season\":4}");
	layers_check("{\"type\":\"lstm\",\"units\":3,\"name\":\"states\",\"return_sequences\":true},"
				 "{\"type\":\"attention\",\"heads\":3,\"inputs\":[\"states\"]},"
				 "{\"type\":\"attention\",\"units\":2,\"heads\":2,"
				 "\"inputs\":[\"future\",\"attention\"]},{\"type\":\"flatten\"}");
	layers_check("{\"type\":\"lstm\",\"units\":3,\"bidirectional\":true,\"recurrent_dropout\":0.3},"
				 "{\"type\":\"dropout\",\"rate\":0.3},"
				 "{\"type\":\"gru\",\"units\":3,\"name\":\"top\",\"return_sequences\":true},"
				 "{\"type\":\"add\",\"name\":\"sum\",\"inputs\":[\"top\",\"past\",\"top\"]},"
				 "{\"type\":\"rnn\",\"units\":2},"
				 "{\"type\":\"dense\"},{\"type\":\"residual\"}");
	layers_check("{\"type\":\"lstm\",\"units\":2,\"peephole\":true,\"name\":\"ahead\","
				 "\"inputs\":[\"future\"],\"return_sequences\":false},"
				 "{\"type\":\"dense\",\"units\":2,\"activation\":\"gelu\",\"name\":\"still\","
				 "\"inputs\":[\"static\"]},"
				 "{\"type\":\"last\",\"name\":\"now\",\"inputs\":[\"past\"]},"
				 "{\"type\":\"concat\",\"inputs\":[\"now\",\"ahead\",\"still\",\"ahead\"]},"
				 "{\"type\":\"dense\",\"units\":4,\"activation\":\"sigmoid\"},{\"type\":\"dense\"}");
}

/* ---- losses */

#define VALUES 5

typedef struct LossPoint
{
	const NnSpec *spec;
	nn_real		raw[VALUES * NN_MAX_QUANTILES * NN_LANES];	/* [VALUES][outputs][L] */
	nn_real		target[VALUES * NN_LANES];
} LossPoint;

static double
loss_value(void *of)
{
	LossPoint  *point = of;
	uint64_t	known = 0;

	return nn_loss_compute(point->spec, VALUES, NN_LANES, point->raw, point->target, 0, NULL,
						   &known);
}

/*
 * Errors of every raw output lie in +-[0.2, 0.7] or +-[1.2, 1.7]: away from the
 * kinks of mae and quantile at 0 and of huber's second derivative at delta = 1.
 */
static void
loss_fill(LossPoint *point, uint32_t outputs)
{
	for (uint32_t v = 0; v < VALUES; v++)
		for (uint32_t l = 0; l < NN_LANES; l++)
		{
			uint32_t	at = v * NN_LANES + l;

			point->target[at] = number(1, 0, at);
			for (uint32_t o = 0; o < outputs; o++)
			{
				uint32_t	i = (v * outputs + o) * NN_LANES + l;
				double		u = nn_rng_unit(1, 1, 0, i);
				double		error = (i % 2 ? 0.2 : 1.2) + 0.5 * u;

				point->raw[i] = point->target[at] + (i % 3 ? error : -error);
			}
			if (at % 7 == 3 || l >= NN_LANES - 2)
				point->target[at] = NAN;
		}
}

static void
loss_check(const char *options)
{
	NnEnv	   *env = unit_env();
	NnSpec	   *spec = NN_NEW(env, NnSpec);
	LossPoint  *point = NN_NEW(env, LossPoint);
	Scalar		f = {loss_value, point, options};
	uint32_t	outputs;
	nn_real    *draw;
	uint64_t	known = 0;
	size_t		n;

	nn_spec_parse(env, nn_json_parse(env, options, strlen(options), "options", NN_BAD_VALUE),
				  spec);
	spec->ntargets = 1;
	spec->horizon = spec->forecast_horizon = VALUES;
	outputs = nn_spec_outputs(spec);
	n = VALUES * outputs * NN_LANES;
	point->spec = spec;
	loss_fill(point, outputs);
	draw = NN_NEW_ARRAY(env, nn_real, n);
	for (size_t i = 0; i < n; i++)
		draw[i] = NAN;			/* written, not added to */
	nn_loss_compute(spec, VALUES, NN_LANES, point->raw, point->target, 1, draw, &known);
	derivatives_check(&f, "raw", point->raw, draw, 0, n, true);
}

static void
gradient_of_losses(void)
{
	static const char *const options[] = {
		"{\"loss\":\"mse\"}",
		"{\"loss\":\"mae\"}",
		"{\"loss\":\"huber\",\"huber_delta\":1}",
		"{\"loss\":\"quantile\",\"quantiles\":[0.1,0.25,0.5,0.9]}",
		"{\"loss\":\"gaussian\"}",
		"{\"loss\":\"student_t\"}",
	};

	UNIT_INTEGER(sizeof(options) / sizeof(options[0]), NN_LOSS_STUDENT_T + 1);
	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		loss_check(options[i]);
}

/* ---- penalties */

typedef struct PenaltyPoint
{
	Network    *network;
	nn_real    *unused;			/* [nparams] */
} PenaltyPoint;

static double
penalty_value(void *of)
{
	PenaltyPoint *point = of;

	return nn_penalty_add(&point->network->spec, point->network->plan,
						  point->network->state->params, point->unused);
}

static void
gradient_of_penalties(void)
{
	Network    *network = network_build(unit_env(), "{\"type\":\"lstm\",\"units\":2}");
	size_t		n = network->plan->nparams;
	PenaltyPoint point = {network, NN_NEW_ARRAY(unit_env(), nn_real, n)};
	Scalar		f = {penalty_value, &point, "penalty"};

	network_fill(network, 1);
	network->spec.l1 = 0.3;
	network->spec.l2 = 0.2;
	UNIT_CHECK(nn_penalty_add(&network->spec, network->plan, network->state->params,
							  network->state->dparams) > 0);
	derivatives_check(&f, "params", network->state->params, network->state->dparams, 0, n,
					  true);
}

int
main(void)
{
	static char name[NN_MAX_NAME];

	for (uint32_t i = 0; i < nn_nops; i++)
	{
		op_running = &nn_ops[i];
		if (strcmp(op_running->name, "input") == 0)
			continue;			/* computes nothing; every other row checks its gradient */
		snprintf(name, sizeof(name), "gradient_of_%s", op_running->name);
		unit_run(name, gradient_of_op);
	}
	UNIT_RUN(gradient_of_networks);
	UNIT_RUN(gradient_of_architectures);
	UNIT_RUN(gradient_of_losses);
	UNIT_RUN(gradient_of_penalties);
	return unit_finish();
}

#else							/* !NN_DOUBLE */

int
main(void)
{
	printf("ok 1 # SKIP double only\n");
	return 0;
}

#endif							/* NN_DOUBLE */
