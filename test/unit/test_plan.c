/*
 * test_plan.c
 *		Plans: shapes, tensors and memory of networks, what does not fit, and the
 *		initial parameters.
 */
#include "core/nn_op.h"
#include "core/nn_rng.h"

#include "network.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A plan for 2 targets, 1 past, 3 future and 2 static covariates: C = 6. */
#define CONTEXT	5
#define HORIZON	4
#define TARGETS	2
#define CHANNELS 6
#define VALUES	(HORIZON * TARGETS)

static NnSpec *
spec_wide(const char *options)
{
	NnSpec	   *spec = spec_of(options);

	spec->context = CONTEXT;
	spec->horizon = spec->forecast_horizon = HORIZON;
	spec->ntargets = TARGETS;
	spec->npast = 1;
	spec->nfuture = 3;
	spec->nstatic = 2;
	return spec;
}

/* The same without covariates but for the past one. */
static NnSpec *
spec_narrow(const char *options)
{
	NnSpec	   *spec = spec_wide(options);

	spec->nfuture = spec->nstatic = 0;
	spec->npast = CHANNELS - TARGETS;
	return spec;
}

static NnPlan *
plan_of(const NnSpec *spec, uint32_t lanes)
{
	return nn_plan_build(unit_env(), spec, nn_kernels_get("generic"), lanes);
}

/* Layer by name; fails the test softly and returns the first when there is none. */
static const NnLayer *
layer_of(const NnPlan *plan, const char *name)
{
	int			i = nn_plan_layer(plan, name);

	if (i < 0)
		UNIT_FAILED("no layer \"%s\"", name);
	return &plan->layer[i < 0 ? 0 : i];
}

static void
shape_check(const NnPlan *plan, const char *name, uint32_t T, uint32_t C)
{
	const NnLayer *layer = layer_of(plan, name);

	if (layer->out.T != T || layer->out.S != 1 || layer->out.C != C)
		UNIT_FAILED("layer \"%s\" has shape %u %u %u, not %u 1 %u", name, layer->out.T,
					layer->out.S, layer->out.C, T, C);
}

/* Types of the rows after the inputs, separated by spaces. */
static const char *
types_of(const NnPlan *plan)
{
	NnText		text;

	nn_text_init(&text, unit_env());
	for (uint32_t i = plan->first_layer; i < plan->nlayers; i++)
		nn_text_print(&text, "%s%s", i > plan->first_layer ? " " : "",
					  nn_ops[plan->layer[i].op].name);
	return text.data;
}

/* What must hold in every plan: spans side by side and in range, names unique. */
static void
plan_check(const NnPlan *plan)
{
	size_t		params = 0,
				idle = plan->nactive,
				activations = 0,
				saved = 0;

	for (uint32_t i = 0; i < plan->ntensors; i++)
	{
		const NnTensor *t = &plan->tensor[i];
		size_t	   *at = t->idle ? &idle : &params;

		/* What training moves lies first, in order; what it does not, behind. */
		UNIT_INTEGER(t->span.offset, *at);
		UNIT_INTEGER(t->span.count, (size_t) t->dim[0] * (t->ndim == 2 ? t->dim[1] : 1));
		UNIT_INTEGER(nn_plan_tensor(plan, t->name), i);
		UNIT_INTEGER(t->dim[0] % t->blocks, 0);
		*at += t->span.count;
	}
	UNIT_INTEGER(params, plan->nactive);
	UNIT_INTEGER(idle, plan->nparams);
	for (uint32_t i = 0; i < plan->nlayers; i++)
	{
		const NnLayer *l = &plan->layer[i];

		UNIT_INTEGER(l->output.offset, activations);
		UNIT_INTEGER(l->output.count, (size_t) l->out.T * l->out.S * l->out.C * plan->lanes);
		activations += l->output.count;
		if (l->saved.count > 0)
			UNIT_INTEGER(l->saved.offset, saved);
		saved += l->saved.count;
		UNIT_CHECK(l->scratch.offset + l->scratch.count <= plan->nscratch);
		for (uint32_t k = 0; k < l->ninputs; k++)
			UNIT_CHECK(l->input[k] < i);
		UNIT_CHECK(l->first_tensor + l->ntensors <= plan->ntensors);
		UNIT_CHECK(l->first_pack + l->npacks <= plan->npacks);
	}
	UNIT_INTEGER(activations, plan->nactivations);
	UNIT_INTEGER(saved, plan->nsaved);
	for (uint32_t i = 0; i < plan->npacks; i++)
	{
		const NnPack *p = &plan->pack[i];
		size_t		end = i + 1 < plan->npacks ? plan->pack[i + 1].offset : plan->npacked;

		UNIT_INTEGER(p->offset % NN_LANES, 0);
		UNIT_CHECK(p->offset + nn_kernels_get("generic")->packed_size(p->M, p->K) <= end);
		UNIT_INTEGER((size_t) p->M * p->K, plan->tensor[p->tensor].span.count);
	}
	UNIT_INTEGER(plan->layer[plan->output_layer].out.T, 1);
	UNIT_INTEGER(plan->layer[plan->output_layer].out.C,
				 plan->horizon * plan->ntargets * plan->outputs);
}

/* Parameters of one direction of a recurrent layer. */
static size_t
cell_params(const char *type, size_t C, size_t H)
{
	if (strcmp(type, "lstm") == 0)
		return 4 * H * (C + H) + 4 * H;
	if (strcmp(type, "gru") == 0)
		return 3 * H * (C + H) + 6 * H;
	return H * (C + H) + H;
}

static void
recurrent_nets_are_counted(void)
{
	static const char *const types[] = {"lstm", "gru", "rnn"};
	const uint32_t sizes[] = {1, 3, 16, 129};

	for (size_t i = 0; i < COUNT(types); i++)
		for (size_t k = 0; k < COUNT(sizes); k++)
			for (uint32_t both = 0; both < 2; both++)
				for (uint32_t layers = 1; layers <= 3; layers++)
				{
					uint32_t	H = sizes[k],
								width = H * (1 + both);
					NnSpec	   *spec = spec_narrow(nn_format(unit_env(),
						"\"architecture\":\"%s\",\"units\":%u,"
															 "\"bidirectional\":%s,\"num_layers\":%u",
															 types[i], H, both ? "true" : "false", layers));
					NnPlan	   *plan = plan_of(spec, 48);
					size_t		expected = (1 + both) * (cell_params(types[i], CHANNELS, H) +
														 (layers - 1) * cell_params(types[i], width, H)) +
						(size_t) VALUES * width + VALUES;

					plan_check(plan);
					UNIT_INTEGER(plan->nparams, expected);
					shape_check(plan, types[i], CONTEXT, H);
					shape_check(plan, "dense", 1, VALUES);
					shape_check(plan, "residual", 1, VALUES);
				}
}

static void
peepholes_are_counted(void)
{
	NnPlan	   *without = plan_of(spec_narrow("\"units\":7"), 16),
			   *with = plan_of(spec_narrow("\"units\":7,\"peephole\":true"), 16);

	plan_check(with);
	UNIT_INTEGER(with->nparams, without->nparams + 3 * 7);
	UNIT_CHECK(nn_plan_tensor(with, "lstm.weight_ci") >= 0);
	UNIT_CHECK(nn_plan_tensor(with, "lstm.weight_cf") >= 0);
	UNIT_CHECK(nn_plan_tensor(with, "lstm.weight_co") >= 0);
	UNIT_INTEGER(nn_plan_tensor(without, "lstm.weight_ci"), -1);
}

static void
tensors_have_pytorch_names(void)
{
	static const char *const lstm[] = {
		"lstm.weight_ih", "lstm.weight_hh", "lstm.bias", "lstm.weight_ih_reverse",
		"lstm.weight_hh_reverse", "lstm.bias_reverse", "dense.weight", "dense.bias"
	};
	static const char *const gru[] = {
		"gru.weight_ih", "gru.weight_hh", "gru.bias_ih", "gru.bias_hh", "dense.weight", "dense.bias"
	};
	NnPlan	   *plan = plan_of(spec_narrow("\"bidirectional\":true,\"units\":5"), 16);

	UNIT_INTEGER(plan->ntensors, COUNT(lstm));
	for (uint32_t i = 0; i < COUNT(lstm); i++)
		UNIT_STRING(plan->tensor[i].name, lstm[i]);
	UNIT_INTEGER(plan->tensor[0].dim[0], 20);
	UNIT_INTEGER(plan->tensor[0].dim[1], CHANNELS);
	UNIT_INTEGER(plan->tensor[2].ndim, 1);
	plan = plan_of(spec_narrow("\"architecture\":\"gru\",\"units\":5"), 16);
	UNIT_INTEGER(plan->ntensors, COUNT(gru));
	for (uint32_t i = 0; i < COUNT(gru); i++)
		UNIT_STRING(plan->tensor[i].name, gru[i]);
}

#define LAYERS(list) "\"layers\":[" list "]"

typedef struct RowCase
{
	const char *options, *types;
} RowCase;

/* Which rows the builder puts in, without covariates. */
static void
rows_are_put_in(void)
{
	static const RowCase cases[] = {
		{"\"units\":3", "lstm last dense residual"},
		{"\"units\":3,\"num_layers\":2", "lstm lstm last dense residual"},
		{"\"units\":3,\"num_layers\":2,\"dropout\":0.1,\"residual\":false",
		"lstm dropout lstm last dropout dense"},
		{"\"units\":3,\"bidirectional\":true,\"residual\":false", "lstm lstm last last concat dense"},
		{LAYERS("{\"type\":\"lstm\",\"units\":3}"), "lstm last dense"},
		{LAYERS("{\"type\":\"lstm\",\"units\":3},{\"type\":\"flatten\"},{\"type\":\"dense\"}"),
		"lstm flatten dense"},
		{LAYERS("{\"type\":\"lstm\",\"units\":3},{\"type\":\"last\"},{\"type\":\"dense\"}"),
		"lstm last dense"},
		{LAYERS("{\"type\":\"lstm\",\"units\":3,\"return_sequences\":true},{\"type\":\"dense\","
			"\"units\":2},"
		 "{\"type\":\"gru\",\"units\":3},{\"type\":\"dense\"}"), "lstm dense gru last dense"},
		{LAYERS("{\"type\":\"lstm\",\"units\":3,\"return_sequences\":false},{\"type\":\"gru\",\"units\":3},"
		 "{\"type\":\"dense\"}"), "lstm last gru last dense"},
		{LAYERS("{\"type\":\"lstm\",\"units\":3},{\"type\":\"dense\",\"activation\":\"relu\"}"),
		"lstm last dense activation"},
		{LAYERS("{\"type\":\"lstm\",\"units\":3},{\"type\":\"dense\",\"units\":4,\"activation\":\"relu\"},"
		 "{\"type\":\"dense\"},{\"type\":\"residual\"}"), "lstm last dense activation dense residual"},
		/* The last layer makes no outputs: one that does follows, before the residual. */
		{LAYERS("{\"type\":\"gru\",\"units\":3},{\"type\":\"residual\"}"), "gru last dense residual"},
		{LAYERS("{\"type\":\"gru\",\"units\":3},{\"type\":\"activation\"}"), "gru last activation dense"},
		{LAYERS("{\"type\":\"lstm\",\"name\":\"a\",\"units\":3},"
		 "{\"type\":\"gru\",\"name\":\"b\",\"units\":4,\"inputs\":[\"past\"]},"
		 "{\"type\":\"concat\",\"inputs\":[\"a\",\"b\"]},{\"type\":\"dense\"}"),
		"lstm last gru last concat dense"}
	};

	for (size_t i = 0; i < COUNT(cases); i++)
	{
		NnPlan	   *plan = plan_of(spec_narrow(cases[i].options), 16);

		plan_check(plan);
		UNIT_STRING(types_of(plan), cases[i].types);
	}
}

static void
sequences_have_shapes(void)
{
	NnPlan	   *plan = plan_of(spec_narrow(LAYERS(
		"{\"type\":\"lstm\",\"units\":3,\"bidirectional\":true},"
		"{\"type\":\"gru\",\"units\":7,\"return_sequences\":true},"
		"{\"type\":\"flatten\"},{\"type\":\"dense\"}")), 16);

	shape_check(plan, "past", CONTEXT, CHANNELS);
	shape_check(plan, "lstm", CONTEXT, 3);
	shape_check(plan, "lstm_reverse", CONTEXT, 3);
	shape_check(plan, "lstm_both", CONTEXT, 6);
	shape_check(plan, "gru", CONTEXT, 7);
	shape_check(plan, "flatten", 1, CONTEXT * 7);
	UNIT_CHECK(layer_of(plan, "lstm_reverse")->reverse);
	UNIT_CHECK(!layer_of(plan, "lstm")->reverse);
	UNIT_CHECK(!layer_of(plan, "lstm")->needs_gradient);
	UNIT_CHECK(layer_of(plan, "gru")->needs_gradient);
	plan = plan_of(spec_narrow("\"units\":3,\"bidirectional\":true"), 16);
	UNIT_CHECK(layer_of(plan, "lstm_reverse_last")->reverse);
	UNIT_CHECK(!layer_of(plan, "lstm_last")->reverse);
}

/* Future and static covariates that no layer names go into the last dense layer. */
static void
covariates_are_joined(void)
{
	NnPlan	   *plan = plan_of(spec_wide("\"units\":3"), 16);

	plan_check(plan);
	UNIT_STRING(types_of(plan), "lstm last flatten concat dense residual");
	shape_check(plan, "future", HORIZON, 3);
	shape_check(plan, "static", 1, 2);
	shape_check(plan, "joined", 1, 3 + 3 * HORIZON + 2);
	UNIT_INTEGER(plan->nparams, cell_params("lstm", CHANNELS, 3) + (3 + 3 * HORIZON + 2 + 1) * VALUES);

	plan = plan_of(spec_wide(LAYERS("{\"type\":\"gru\",\"name\":\"f\",\"units\":2,\"inputs\":[\"future\"]},"
									"{\"type\":\"lstm\",\"units\":3,\"inputs\":[\"past\"]},"
									"{\"type\":\"concat\",\"inputs\":[\"lstm\",\"f\"]},"
									"{\"type\":\"dense\"}")), 16);
	UNIT_STRING(types_of(plan), "gru last lstm last concat concat dense");
	shape_check(plan, "f", HORIZON, 2);
	shape_check(plan, "joined", 1, 3 + 2 + 2);

	plan = plan_of(spec_wide(LAYERS("{\"type\":\"lstm\",\"units\":3},"
									"{\"type\":\"concat\",\"inputs\":[\"lstm\",\"static\"]}")), 16);
	UNIT_STRING(types_of(plan), "lstm last concat flatten concat dense");
	shape_check(plan, "output", 1, VALUES);
	plan_check(plan);
}

static void
losses_set_outputs(void)
{
	NnPlan	   *plan = plan_of(spec_narrow("\"loss\":\"student_t\""), 16);

	UNIT_INTEGER(plan->outputs, 3);
	shape_check(plan, "residual", 1, VALUES * 3);
	UNIT_INTEGER(layer_of(plan, "residual")->locations, 1);
	plan = plan_of(spec_narrow("\"loss\":\"quantile\",\"quantiles\":[0.1,0.4,0.5,0.9]"), 16);
	shape_check(plan, "residual", 1, VALUES * 4);
	UNIT_INTEGER(layer_of(plan, "residual")->locations, 4);
}

/* ---- what does not fit */

typedef struct Misfit
{
	const char *options, *message, *hint;
} Misfit;

static void
misfits_are_explained(void)
{
	static const Misfit cases[] = {
		{LAYERS("{\"type\":\"lstm\",\"units\":3},{\"type\":\"dense\",\"units\":7}"),
			"layer \"dense\", the last one, has 7 units, but 4 steps x 2 targets x 1 outputs of loss "
			"\"mse\" need 8",
		"Leave \"units\" out"},
		{LAYERS("{\"type\":\"lstm\",\"units\":3},{\"type\":\"dense\"},{\"type\":\"dense\"}"),
		"layer \"dense\" has no \"units\"", "Only the last"},
		{LAYERS("{\"type\":\"lstm\"},{\"type\":\"dense\"}"), "layer \"lstm\" has no \"units\"",
			"Set \"units\""},
		{LAYERS("{\"type\":\"dense\"}"), "layer \"dense\", the last one, gets 5 steps instead of one",
		"\"flatten\""},
		{LAYERS("{\"type\":\"lstm\",\"units\":3,\"return_sequences\":true},{\"type\":\"dense\"}"),
		"gets 5 steps", "\"return_sequences\""},
		{LAYERS("{\"type\":\"lstm\",\"name\":\"a\",\"units\":3},"
				"{\"type\":\"lstm\",\"units\":3,\"inputs\":[\"past\"]},{\"type\":\"dense\"}"),
		"no later layer takes the output of layer \"a", "\"inputs\""},
		{LAYERS("{\"type\":\"lstm\",\"name\":\"a\",\"units\":3},{\"type\":\"gru\",\"units\":3,"
			"\"inputs\":[\"past\"]},"
		 "{\"type\":\"dense\",\"inputs\":[\"a\"]}"),
		"no later layer takes the output of layer \"gru", NULL},
		{LAYERS("{\"type\":\"lstm\",\"units\":3,\"inputs\":[\"pasta\"]},{\"type\":\"dense\"}"),
		"layer \"lstm\" names the input \"pasta\", which is no earlier layer", "earlier layers"},
		/* Itself, a later one, and covariates that do not exist are no inputs. */
		{LAYERS("{\"type\":\"lstm\",\"units\":3,\"inputs\":[\"lstm\"]},{\"type\":\"dense\"}"),
		"names the input \"lstm\"", NULL},
		{LAYERS("{\"type\":\"lstm\",\"units\":3,\"inputs\":[\"dense\"]},{\"type\":\"dense\"}"),
		"names the input \"dense\"", NULL},
		{LAYERS("{\"type\":\"lstm\",\"units\":3,\"inputs\":[\"future\"]},{\"type\":\"dense\"}"),
		"names the input \"future\"", NULL},
		{LAYERS("{\"type\":\"dense\",\"inputs\":[\"static\"]}"), "names the input \"static\"", NULL},
		{LAYERS("{\"type\":\"lstm\",\"units\":3,\"inputs\":[\"past\",\"past\"]},{\"type\":\"dense\"}"),
		"layer \"lstm\" of type \"lstm\" takes one input, not 2", "\"concat\""},
		{LAYERS("{\"type\":\"residual\"},{\"type\":\"last\"},{\"type\":\"dense\"}"),
		"layer \"residual\" of type \"residual\" must follow the output layer", "last dense"},
		{LAYERS("{\"type\":\"lstm\",\"units\":3},{\"type\":\"residual\"},{\"type\":\"dense\"}"),
		"must follow the output layer", NULL},
		{LAYERS("{\"type\":\"lstm\",\"name\":\"a\",\"units\":3},{\"type\":\"add\",\"inputs\":[\"a\","
			"\"past\"]},"
		 "{\"type\":\"dense\"}"), "layer \"add\" cannot add 5 steps of 6 channels to 1 steps of 3",
		"one shape"},
		{LAYERS("{\"type\":\"segment\",\"name\":\"a\",\"length\":2},{\"type\":\"concat\","
			"\"inputs\":[\"a\",\"past\"]},"
		 "{\"type\":\"dense\"}"), "layer \"concat\" cannot join 5 steps with 3 steps", "\"last\""},
		{LAYERS("{\"type\":\"sites\"},{\"type\":\"last\"},{\"type\":\"dense\"}"),
		"layer \"dense\", the last one, gets 2 sites instead of one", "\"join\""},
		{LAYERS("{\"type\":\"sites\"},{\"type\":\"sites\"}"),
		"layer \"sites_2\" of type \"sites\" gets 2 sites of 5 channels, not one site with the 2 targets",
		"\"past\""},
		{LAYERS("{\"type\":\"segment\",\"length\":3},{\"type\":\"dense\"},{\"type\":\"join\"}"),
		"layer \"join\" joins 2 segments of 1 steps, fewer than the horizon of 4", "\"length\""},
		{LAYERS("{\"type\":\"last\"},{\"type\":\"dense\",\"units\":4},{\"type\":\"join\",\"length\":4}"),
		"4 steps x 2 targets x 1 outputs of loss \"mse\" need 8", "\"units\""},
		{LAYERS("{\"type\":\"join\",\"inputs\":[\"past\"]},{\"type\":\"lstm\",\"units\":2}"),
		"layer \"join\" of type \"join\" must follow the output layer", "\"denormalize\""},
		{LAYERS("{\"type\":\"repeat\"}"), "of type \"repeat\" gets 5 steps instead of one", "\"last\""},
		{LAYERS("{\"type\":\"decoder\"}"), "of type \"decoder\" gets 5 steps instead of one", "\"last\""},
		{LAYERS("{\"type\":\"embedding\",\"units\":2}"), "has no series to learn", "several series"},
		{LAYERS("{\"type\":\"embedding\",\"units\":2,\"inputs\":[\"past\"]}"), "takes no inputs",
			"\"concat\""}
	};

	for (size_t i = 0; i < COUNT(cases); i++)
	{
		UNIT_FAILS(unit_env(), NN_BAD_VALUE, plan_of(spec_narrow(cases[i].options), 16));
		if (strstr(unit_host.message, cases[i].message) == NULL)
			UNIT_FAILED("message is \"%s\", without \"%s\"", unit_host.message, cases[i].message);
		if (cases[i].hint && strstr(unit_host.hint, cases[i].hint) == NULL)
			UNIT_FAILED("hint is \"%s\", without \"%s\"", unit_host.hint, cases[i].hint);
	}
}

/* Too large by number: refused while planning, with nothing taken but the plan. */
static void
giants_are_refused(void)
{
	NnSpec	   *spec = spec_wide("\"units\":3");
	size_t		before;

	spec->horizon = spec->forecast_horizon = 65536;
	before = unit_host.nbytes;
	UNIT_FAILS(unit_env(), NN_TOO_LARGE, plan_of(spec, 48));
	UNIT_STRING(unit_host.message, "65536 steps x 2 targets x 1 outputs are more than 65536 values");
	spec->ntargets = 4096;
	UNIT_FAILS(unit_env(), NN_TOO_LARGE, plan_of(spec, 48));
	UNIT_CHECK(unit_host.nbytes - before < 1 << 20);

	/* 65536 steps of 12288 columns, doubled by their masks. */
	spec = spec_wide(LAYERS("{\"type\":\"flatten\"},{\"type\":\"dense\"}") ",\"missing\":\"mask\"");
	spec->context = 65536;
	spec->npast = 4096;
	before = unit_host.nbytes;
	UNIT_FAILS(unit_env(), NN_TOO_LARGE, plan_of(spec, 48));
	UNIT_CHECK(strstr(unit_host.message, "layer \"flatten\" would have ") != NULL);
	UNIT_CHECK(unit_host.nbytes - before < 1 << 20);

	spec = spec_narrow(LAYERS("{\"type\":\"flatten\",\"name\":\"f\"},"
							  "{\"type\":\"concat\",\"inputs\":[\"f\",\"f\",\"f\",\"f\",\"f\",\"f\","
							"\"f\",\"f\"]},"
							  "{\"type\":\"dense\"}"));
	spec->context = 65536;
	spec->npast = 198;
	UNIT_FAILS(unit_env(), NN_TOO_LARGE, plan_of(spec, 48));
	UNIT_CHECK(strstr(unit_host.message, "layer \"concat\" would have ") != NULL);
}

/* 65536 units are within the limits: sizes are right, and only memory says no. */
static void
sizes_do_not_overflow(void)
{
	static const char *const types[] = {"lstm", "gru", "rnn"};

	for (size_t i = 0; i < COUNT(types); i++)
	{
		NnSpec	   *spec = spec_narrow(nn_format(unit_env(), "\"architecture\":\"%s\",\"units\":65536,"
												 "\"num_layers\":8,\"dropout\":0.1,"
												"\"recurrent_dropout\":0.1",
												 types[i]));
		size_t		before = unit_host.nbytes,
					training;
		NnPlan	   *plan;

		spec->context = 65536;
		plan = plan_of(spec, 48);
		UNIT_CHECK(unit_host.nbytes - before < 1 << 20);
		UNIT_INTEGER(plan->nparams, cell_params(types[i], CHANNELS, 65536) +
					 7 * cell_params(types[i], 65536, 65536) + VALUES * (size_t) 65537);
		plan_check(plan);
		training = nn_trainer_memory(unit_env(), spec, plan, 100);
		UNIT_CHECK(nn_plan_memory(unit_env(), plan, false) >
				   sizeof(nn_real) * (plan->nparams + plan->nactivations));
		UNIT_CHECK(nn_plan_memory(unit_env(), plan, true) >
				   sizeof(nn_real) * (2 * plan->nparams + plan->nactivations + plan->nsaved));
		UNIT_CHECK(training > nn_plan_memory(unit_env(), plan, true) + 5 * sizeof(nn_real) * plan->nparams);
		UNIT_FAILS(unit_env(), NN_NO_MEMORY,
				   nn_trainer_create(unit_env(), spec, plan, nn_kernels_get("generic"), NULL, NULL, 100,
									 NULL, 0));
		UNIT_CHECK(unit_host.nbytes - before < 1 << 20);
	}
}

/* The rows put in count as well; the 65th is a message, not a write behind the list. */
static void
many_layers_are_refused(void)
{
	for (uint32_t n = 18; n <= 32; n++)
		for (uint32_t plain = 0; plain < 4; plain++)
		{
			NnText		text;

			nn_text_init(&text, unit_env());
			nn_text_print(&text, "\"layers\":[");
			for (uint32_t i = 0; i < n; i++)
				nn_text_print(&text, "%s{\"type\":\"rnn\",\"units\":1,\"bidirectional\":%s}", i ? "," : "",
							  i < plain ? "false" : "true");
			nn_text_print(&text, "]");
			/* Three rows each and one or none for a plain one; two for the last step, dense. */
			if (NN_LAYER_ARRAY + 3 * (n - plain) + plain + 2 + 1 <= NN_MAX_LAYERS)
				plan_check(plan_of(spec_narrow(text.data), 16));
			else
			{
				UNIT_FAILS(unit_env(), NN_TOO_LARGE, plan_of(spec_narrow(text.data), 16));
				UNIT_CHECK(strstr(unit_host.message, "more than 64 layers") != NULL);
			}
		}
}

/* A model file holds tensors by name: none may come twice, whatever layers are called. */
static void
tensor_names_are_unique(void)
{
	static const char *const cases[] = {
		LAYERS("{\"type\":\"lstm\",\"name\":\"output\",\"units\":3}"),
		LAYERS("{\"type\":\"dense\",\"name\":\"output\",\"units\":3},"
		"{\"type\":\"lstm\",\"name\":\"output_2\",\"units\":3}"),
		LAYERS("{\"type\":\"lstm\",\"name\":\"a\",\"units\":3,\"bidirectional\":true},"
			   "{\"type\":\"lstm\",\"name\":\"a_reverse\",\"units\":3,\"bidirectional\":true},"
		"{\"type\":\"gru\",\"name\":\"_reverse\",\"units\":3,\"bidirectional\":true},{\"type\":\"dense\"}"),
		LAYERS("{\"type\":\"rnn\",\"name\":\"12345678901234567890123456789012\",\"units\":3,"
			   "\"bidirectional\":true},"
			   "{\"type\":\"lstm\",\"name\":\"1234567890123456789012345678901x\",\"units\":3,"
			"\"peephole\":true,"
		"\"bidirectional\":true},{\"type\":\"dense\"}")
	};

	for (size_t i = 0; i < COUNT(cases); i++)
		plan_check(plan_of(spec_narrow(cases[i]), 16));
	UNIT_CHECK(nn_plan_tensor(plan_of(spec_narrow(cases[0]), 16), "output_2.weight") >= 0);
}

static size_t
memory_of(const char *options, uint32_t context, uint32_t lanes, bool training)
{
	NnSpec	   *spec = spec_narrow(options);

	spec->context = context;
	return nn_plan_memory(unit_env(), plan_of(spec, lanes), training);
}

static void
memory_grows(void)
{
	size_t		least = memory_of("\"units\":8", 5, 16, false);

	UNIT_CHECK(least > 0);
	UNIT_CHECK(memory_of("\"units\":9", 5, 16, false) > least);
	UNIT_CHECK(memory_of("\"units\":8", 6, 16, false) > least);
	UNIT_CHECK(memory_of("\"units\":8", 5, 32, false) > least);
	UNIT_CHECK(memory_of("\"units\":8,\"num_layers\":2", 5, 16, false) > least);
	UNIT_CHECK(memory_of("\"units\":8", 5, 16, true) > least);
	UNIT_CHECK(memory_of("\"units\":8,\"dropout\":0.1", 5, 16, true) >
			   memory_of("\"units\":8", 5, 16, true));
	for (uint32_t units = 1; units < 40; units++)
		UNIT_CHECK(memory_of(nn_format(unit_env(), "\"units\":%u", units + 1), 5, 16, true) >
				   memory_of(nn_format(unit_env(), "\"units\":%u", units), 5, 16, true));
}

/* ---- initial parameters */

static nn_real *
params_of(const NnPlan *plan, uint64_t seed)
{
	nn_real    *params = NN_NEW_ARRAY(unit_env(), nn_real, plan->nparams);

	for (size_t i = 0; i < plan->nparams; i++)
		params[i] = NN_R(7.0);	/* every one must be written */
	nn_params_init(unit_env(), plan, seed, params);
	return params;
}

static void
seed_decides_params(void)
{
	NnPlan	   *plan = plan_of(spec_narrow("\"units\":19,\"num_layers\":2,\"peephole\":true"), 16),
			   *other_lanes = plan_of(spec_narrow("\"units\":19,\"num_layers\":2,\"peephole\":true"), 48);
	const nn_real *a = params_of(plan, 5),
			   *b = params_of(other_lanes, 5),
			   *c = params_of(plan, 6);
	uint32_t	differ = 0;

	UNIT_CHECK(reals_equal(a, b, plan->nparams));
	for (uint32_t i = 0; i < plan->ntensors; i++)
	{
		NnSpan		span = plan->tensor[i].span;
		bool		drawn = plan->tensor[i].init == NN_INIT_GLOROT ||
			plan->tensor[i].init == NN_INIT_ORTHOGONAL;

		UNIT_CHECK(reals_equal(a + span.offset, c + span.offset, span.count) == !drawn);
		differ += drawn;
		for (size_t k = 0; k < span.count; k++)
			UNIT_CHECK(fabs((double) a[span.offset + k]) <= 1.5);
	}
	UNIT_INTEGER(differ, 5);
	UNIT_CHECK(!reals_equal(params_of(plan, (uint64_t) 1 << 40), params_of(plan, 0), plan->nparams));
}

/* Rows or columns (the fewer) of each gate's block are orthonormal. */
static void
recurrent_weights_are_orthogonal(void)
{
	const uint32_t sizes[] = {1, 2, 5, 16, 33, 70};

	for (size_t i = 0; i < COUNT(sizes); i++)
	{
		uint32_t	H = sizes[i];
		NnPlan	   *plan = plan_of(spec_narrow(nn_format(unit_env(), "\"units\":%u", H)), 16);
		const nn_real *params = params_of(plan, i);
		const NnTensor *tensor = &plan->tensor[nn_plan_tensor(plan, "lstm.weight_hh")];
		double		worst = 0;

		UNIT_INTEGER(tensor->blocks, 4);
		for (uint32_t block = 0; block < 4; block++)
		{
			const nn_real *w = params + tensor->span.offset + (size_t) block * H * H;

			for (uint32_t a = 0; a < H; a++)
				for (uint32_t b = 0; b <= a; b++)
				{
					double		dot = 0;

					for (uint32_t k = 0; k < H; k++)
						dot += (double) w[a * H + k] * (double) w[b * H + k];
					worst = fmax(worst, fabs(dot - (a == b)));
				}
		}
		UNIT_NEAR(worst, 0, 1e-6);
	}
}

static void
biases_and_ranges(void)
{
	NnPlan	   *plan = plan_of(spec_narrow("\"units\":40"), 16);
	const nn_real *params = params_of(plan, 3),
			   *bias = params + plan->tensor[nn_plan_tensor(plan, "lstm.bias")].span.offset,
			   *weight = params + plan->tensor[nn_plan_tensor(plan, "lstm.weight_ih")].span.offset,
			   *recurrent = params + plan->tensor[nn_plan_tensor(plan, "lstm.weight_hh")].span.offset;
	double		limit = sqrt(6.0 / (40 + CHANNELS)),
				most = 0,
				sum = 0;

	/* Each gate is drawn for itself. */
	for (uint32_t a = 0; a < 4; a++)
		for (uint32_t b = 0; b < a; b++)
		{
			UNIT_CHECK(!reals_equal(weight + a * 40 * CHANNELS, weight + b * 40 * CHANNELS, 40 * CHANNELS));
			UNIT_CHECK(!reals_equal(recurrent + a * 1600, recurrent + b * 1600, 1600));
		}
	for (uint32_t i = 0; i < 160; i++)
		UNIT_NEAR(bias[i], i >= 40 && i < 80 ? 1 : 0, 0);
	for (uint32_t i = 0; i < 160 * CHANNELS; i++)
	{
		most = fmax(most, fabs((double) weight[i]));
		sum += (double) weight[i] / (160 * CHANNELS);
	}
	UNIT_CHECK(most <= limit && most > 0.98 * limit);
	UNIT_NEAR(sum, 0, 0.05 * limit);
	/* The other cells have no gate that forgets. */
	plan = plan_of(spec_narrow("\"architecture\":\"gru\",\"units\":4"), 16);
	params = params_of(plan, 3);
	for (uint32_t i = 0; i < 12; i++)
		UNIT_NEAR(params[plan->tensor[2].span.offset + i], 0, 0);
}

/* Drawing many numbers can be cancelled, and takes what was announced. */
static void
init_polls_and_counts(void)
{
	NnPlan	   *plan = plan_of(spec_narrow("\"units\":200,\"num_layers\":2"), 16);
	nn_real    *params = NN_NEW_ARRAY(unit_env(), nn_real, plan->nparams);
	size_t		bytes = unit_host.nbytes,
				polls = unit_host.npolls;

	nn_params_init(unit_env(), plan, 1, params);
	UNIT_INTEGER(unit_host.nbytes - bytes, nn_params_memory(unit_env(), plan));
	UNIT_CHECK(unit_host.npolls - polls > 2000);
	unit_host.poll_limit = unit_host.npolls + 1000;
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, nn_params_init(unit_env(), plan, 1, params));
	UNIT_STRING(unit_host.message, "canceled by the test");
}

int
main(void)
{
	UNIT_RUN(recurrent_nets_are_counted);
	UNIT_RUN(peepholes_are_counted);
	UNIT_RUN(tensors_have_pytorch_names);
	UNIT_RUN(rows_are_put_in);
	UNIT_RUN(sequences_have_shapes);
	UNIT_RUN(covariates_are_joined);
	UNIT_RUN(losses_set_outputs);
	UNIT_RUN(misfits_are_explained);
	UNIT_RUN(giants_are_refused);
	UNIT_RUN(sizes_do_not_overflow);
	UNIT_RUN(many_layers_are_refused);
	UNIT_RUN(tensor_names_are_unique);
	UNIT_RUN(memory_grows);
	UNIT_RUN(seed_decides_params);
	UNIT_RUN(recurrent_weights_are_orthogonal);
	UNIT_RUN(biases_and_ranges);
	UNIT_RUN(init_polls_and_counts);
	return unit_finish();
}
