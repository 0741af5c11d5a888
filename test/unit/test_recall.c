/*
 * test_recall.c
 *		Mixtures of past seasons: which rows they look at, what an untrained network of
 *		architecture "seasonal" forecasts, and what does not fit.
 */
#include "core/nn_op.h"
#include "core/nn_rng.h"

#include "network.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define L		NN_LANES

/* The options for so many targets and one past covariate, expanded. */
static NnSpec *
spec_small(const char *options, uint32_t context, uint32_t horizon, uint32_t targets)
{
	NnSpec	   *spec = spec_parse(options);

	spec->context = context;
	spec->horizon = spec->forecast_horizon = horizon;
	spec->ntargets = targets;
	spec->npast = 1;
	nn_spec_expand(unit_env(), spec);
	return spec;
}

/* A forecasting state with initial parameters; lane l of the past is 1000 (l + 1) + place. */
static NnState *
state_small(const NnSpec *spec)
{
	NnPlan	   *plan = nn_plan_build(unit_env(), spec, nn_kernels_get(NULL), L);
	nn_real    *params = NN_NEW_ARRAY(unit_env(), nn_real, plan->nparams);
	NnState    *state;
	const NnShape *past = &plan->layer[NN_LAYER_PAST].out;

	nn_params_init(unit_env(), plan, 1, params);
	state = nn_state_create(unit_env(), plan, nn_kernels_get(NULL), params, false);
	for (uint32_t i = 0; i < past->T * past->C; i++)
		for (uint32_t l = 0; l < L; l++)
			nn_state_output(state, NN_LAYER_PAST)[i * L + l] = (nn_real) (1000 * (l + 1) + i);
	nn_state_pack(state);
	return state;
}

static nn_real *
params_of(NnState *state, const char *tensor)
{
	int			i = nn_plan_tensor(state->plan, tensor);

	UNIT_CHECK(i >= 0);
	return state->params + state->plan->tensor[i < 0 ? 0 : i].span.offset;
}

#define SEASON	3
#define CONTEXT	11				/* two rows, and three seasons */
#define HORIZON 8
#define TARGETS 2

/* An output of zeros, and logits that do not depend on the window. */
static const char *const recalling =
"\"layers\":[{\"type\":\"last\"},{\"type\":\"dense\",\"units\":3,\"name\":\"logits\","
"\"kernel_initializer\":\"zeros\"},"
"{\"type\":\"dense\",\"inputs\":[\"last\"],\"kernel_initializer\":\"zeros\",\"name\":\"zero\"},"
"{\"type\":\"recall\",\"season\":3,\"inputs\":[\"zero\",\"logits\",\"past\"]}]";

/* All on one season: each step is the row of its phase there, or the newest of that phase. */
static void
shares_pick_seasons(void)
{
	static const uint32_t rows[3][HORIZON] = {
		{2, 3, 4, 5, 6, 7, 8, 9},
		{5, 6, 7, 8, 9, 10, 8, 9},
		{8, 9, 10, 8, 9, 10, 8, 9}
	};
	NnState    *state = state_small(spec_small(recalling, CONTEXT, HORIZON, TARGETS));

	for (uint32_t season = 0; season < 3; season++)
	{
		const nn_real *y = nn_state_output(state, state->plan->output_layer);

		for (uint32_t j = 0; j < 3; j++)
			params_of(state, "logits.bias")[j] = j == season ? 200 : 0;
		nn_state_pack(state);
		nn_state_forward(state);
		for (uint32_t h = 0; h < HORIZON; h++)
			for (uint32_t k = 0; k < TARGETS; k++)
				for (uint32_t l = 0; l < L; l += L - 1)
					UNIT_NEAR(y[(h * TARGETS + k) * L + l],
							  1000 * (l + 1) + rows[season][h] * (TARGETS + 1) + k, 0);
	}
}

/* Widths of a distribution stay, quantiles move together; logits of 0 mean equal shares. */
static void
locations_are_moved(void)
{
	static const char *const losses[] = {"mse", "quantile", "gaussian", "student_t"};
	const uint32_t outputs[] = {1, 3, 2, 3},
				moved[] = {1, 3, 1, 1};

	for (size_t i = 0; i < COUNT(losses); i++)
	{
		NnState    *state = state_small(spec_small(nn_format(unit_env(), "%s,\"loss\":\"%s\"",
															 recalling, losses[i]), CONTEXT, 1, 1));
		const nn_real *y = nn_state_output(state, state->plan->output_layer);

		nn_state_forward(state);
		for (uint32_t p = 0; p < outputs[i]; p++)	/* rows 2, 5 and 8 of 2 channels */
			UNIT_NEAR(y[p * L], p < moved[i] ? 1010 : 0, 1e-3);
	}
}

/* The types of layers that the expansion makes, separated by spaces. */
static const char *
types_of(const NnSpec *spec)
{
	NnText		text;

	nn_text_init(&text, unit_env());
	for (uint32_t i = 0; i < spec->nlayers; i++)
		nn_text_print(&text, "%s%s", i ? " " : "", spec->layer[i].type);
	return text.data;
}

static const NnLayerSpec *
layer_of(const NnSpec *spec, const char *type)
{
	for (uint32_t i = 0; i < spec->nlayers; i++)
		if (strcmp(spec->layer[i].type, type) == 0)
			return &spec->layer[i];
	UNIT_FAILED("no layer of type \"%s\"", type);
	return &spec->layer[0];
}

#define SEASONAL "\"architecture\":\"seasonal\",\"season\":3"

static void
seasonal_has_layers(void)
{
	NnSpec	   *spec = spec_small(SEASONAL, CONTEXT, HORIZON, TARGETS);

	UNIT_STRING(types_of(spec), "sites statistics normalize segment gru last dense dense join "
				"recall denormalize");
	UNIT_INTEGER(layer_of(spec, "statistics")->center, NN_CENTER_MEAN);
	UNIT_INTEGER(layer_of(spec, "statistics")->spread, NN_SPREAD_STANDARD);
	UNIT_INTEGER(layer_of(spec, "segment")->length, 3);
	UNIT_INTEGER(layer_of(spec, "gru")->units, 64);
	UNIT_INTEGER(layer_of(spec, "dense")->units, 3);
	UNIT_INTEGER(layer_of(spec, "dense")->initializer, NN_INITIALIZER_GLOROT);
	UNIT_INTEGER(layer_of(spec, "join")->length, HORIZON);
	UNIT_INTEGER(layer_of(spec, "recall")->season, 3);
	spec = spec_small(SEASONAL ",\"segment_length\":5,\"units\":7,\"normalization\":\"none\","
					  "\"series_embedding\":2,\"dropout\":0.1", CONTEXT, HORIZON, TARGETS);
	UNIT_STRING(types_of(spec), "sites segment gru last embedding concat dropout dense dense join "
				"recall");
	UNIT_INTEGER(layer_of(spec, "recall")->season, 5);
	/* Less than two seasons: from the last value on, row by row. */
	spec = spec_small(SEASONAL, 5, HORIZON, TARGETS);
	UNIT_STRING(types_of(spec), "sites statistics normalize segment gru last dense join denormalize");
	UNIT_INTEGER(layer_of(spec, "statistics")->center, NN_CENTER_LAST);
	UNIT_INTEGER(layer_of(spec, "segment")->length, 1);
	spec = spec_small("\"architecture\":\"seasonal\",\"normalization\":\"none\"", 5, HORIZON, 1);
	UNIT_STRING(types_of(spec), "sites segment gru last dense join residual");
	spec = spec_small(SEASONAL ",\"segment_length\":4", 7, HORIZON, 1);
	UNIT_INTEGER(layer_of(spec, "segment")->length, 4);
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, spec_parse(SEASONAL ",\"residual\":true"));
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, spec_parse(SEASONAL ",\"num_layers\":2"));
}

/* Before the first step every forecast is a mixture of the seasons, the same at each lag. */
static void
untrained_recalls(void)
{
	NnSpec	   *spec = spec_small(SEASONAL, 12, 3, TARGETS);
	NnState    *state;
	const nn_real *y;

	spec->npast = 0;
	spec->nfuture = 2;
	spec->nstatic = 1;
	state = state_small(spec);
	y = nn_state_output(state, state->plan->output_layer);
	for (uint32_t t = 0; t < 12; t++)	/* the same in every season */
		for (uint32_t i = 0; i < 4 * L; i++)
			nn_state_output(state, NN_LAYER_PAST)[t * 4 * L + i] =
				(nn_real) nn_rng_unit(3, 0, 0, (t % 3) * 4 * L + i);
	nn_state_forward(state);
	for (uint32_t i = 0; i < 3; i++)
		for (uint32_t k = 0; k < TARGETS; k++)
			for (uint32_t l = 0; l < L; l++)
				UNIT_NEAR(y[(i * TARGETS + k) * L + l],
						  nn_state_output(state, NN_LAYER_PAST)[(i * 4 + k) * L + l], 1e-6);
}

static void
misfits_are_explained(void)
{
	static const struct
	{
		const char *layers;
		const char *message;
	}			cases[] = {
		{"{\"type\":\"dense\",\"name\":\"y\"},"
			"{\"type\":\"recall\",\"season\":4,\"inputs\":[\"y\",\"a\",\"past\"]}",
		"layer \"recall\" has a season of 4 rows, but gets only 3"},
		{"{\"type\":\"dense\",\"name\":\"y\"},"
			"{\"type\":\"recall\",\"season\":1,\"inputs\":[\"y\",\"a\",\"past\"]}",
			"layer \"recall\" gets logits of 1 steps, 1 sites and 2 channels, but 3 rows at 1 sites "
		"have 3 seasons of 1"},
		{"{\"type\":\"dense\",\"name\":\"y\"},"
			"{\"type\":\"recall\",\"inputs\":[\"y\",\"a\",\"past\"]}",
		"layer \"recall\" of type \"recall\" has no \"season\""},
		{"{\"type\":\"dense\",\"name\":\"y\"},"
			"{\"type\":\"recall\",\"season\":1,\"inputs\":[\"y\",\"a\"]}",
		"layer \"recall\" of type \"recall\" takes 3 inputs, not 2"},
		{"{\"type\":\"dense\",\"units\":5,\"name\":\"y\"},"
			"{\"type\":\"recall\",\"season\":1,\"inputs\":[\"y\",\"a\",\"past\"]},{\"type\":\"dense\"}",
		"layer \"recall\" of type \"recall\" must follow the output layer"},
		{"{\"type\":\"dense\",\"name\":\"y\"},"
			"{\"type\":\"recall\",\"season\":1,\"inputs\":[\"y\",\"a\",\"a\"]}",
		"layer \"recall\" gets logits of 1 steps, 1 sites and 2 channels, but 1 rows at 1 sites "
			"have 1 seasons of 1"}
	};

	for (size_t i = 0; i < COUNT(cases); i++)
	{
		const char *options = nn_format(unit_env(), "\"layers\":[{\"type\":\"last\"},"
										"{\"type\":\"dense\",\"units\":2,\"name\":\"a\"},%s]",
										cases[i].layers);
		NnSpec	   *spec = spec_small(options, 3, 2, 1);

		UNIT_FAILS(unit_env(), NN_BAD_VALUE,
				   nn_plan_build(unit_env(), spec, nn_kernels_get(NULL), L));
		UNIT_STRING(unit_host.message, cases[i].message);
	}
}

int
main(void)
{
	UNIT_RUN(shares_pick_seasons);
	UNIT_RUN(locations_are_moved);
	UNIT_RUN(seasonal_has_layers);
	UNIT_RUN(untrained_recalls);
	UNIT_RUN(misfits_are_explained);
	return unit_finish();
}
