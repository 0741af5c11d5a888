/*
 * test_attention.c
 *		Attention and exponential smoothing: what they promise beside right gradients
 *		and PyTorch's values.
 */
#include "core/nn_op.h"
#include "core/nn_rng.h"
#include "core/nn_solo.h"

#include "network.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define CONTEXT	8
#define HORIZON	3
#define TARGETS	2
#define CHANNELS 3
#define L		NN_LANES

/* options for two targets and a past covariate, expanded. */
static NnSpec *
spec_small(const char *options, uint32_t context)
{
	NnSpec	   *spec = spec_parse(options);

	spec->context = context;
	spec->horizon = spec->forecast_horizon = HORIZON;
	spec->ntargets = TARGETS;
	spec->npast = CHANNELS - TARGETS;
	nn_spec_expand(unit_env(), spec);
	return spec;
}

static NnPlan *
plan_small(const char *options, uint32_t context)
{
	return nn_plan_build(unit_env(), spec_small(options, context), nn_kernels_get(NULL), L);
}

/* A state with initial parameters, its window numbers in +-size. */
static NnState *
state_small(const NnPlan *plan, bool training, double size)
{
	nn_real    *params = NN_NEW_ARRAY(unit_env(), nn_real, plan->nparams);
	NnState    *state;
	nn_real    *past;

	nn_params_init(unit_env(), plan, 1, params);
	state = nn_state_create(unit_env(), plan, nn_kernels_get(NULL), params, training);
	state->training = false;
	past = nn_state_output(state, NN_LAYER_PAST);
	for (size_t i = 0; i < (size_t) plan->context * CHANNELS * L; i++)
		past[i] = (nn_real) (size * (2 * (double) nn_rng_unit(2, 0, 0, i) - 1));
	nn_state_pack(state);
	return state;
}

static const NnLayer *
layer_small(const NnPlan *plan, const char *name)
{
	return &plan->layer[nn_plan_layer(plan, name)];
}

/* Everything finite? */
static bool
output_is_finite(const NnState *state)
{
	const NnPlan *plan = state->plan;
	const nn_real *y = nn_state_output(state, plan->output_layer);

	for (size_t i = 0; i < (size_t) plan->layer[plan->output_layer].out.C * L; i++)
		if (!isfinite(y[i]))
			return false;
	return true;
}

/* Two layers of weights, both there when everything has run, and the same when forecasting. */
static void
weights_stay_readable(void)
{
	const char *options = "\"layers\":[{\"type\":\"attention\",\"units\":6,\"heads\":3},"
		"{\"type\":\"last\",\"name\":\"now\"},"
		"{\"type\":\"attention\",\"name\":\"top\",\"heads\":2,\"inputs\":[\"now\",\"attention\"]}]";
	NnPlan	   *plan = plan_small(options, CONTEXT);
	NnState    *states[] = {state_small(plan, true, 1), state_small(plan, false, 1)};
	static const char *const names[] = {"attention", "top"};

	nn_state_forward(states[0]);
	nn_state_forward(states[1]);
	for (size_t n = 0; n < COUNT(names); n++)
	{
		const NnLayer *layer = layer_small(plan, names[n]);
		size_t		rows = (size_t) layer->in.T * layer->heads;
		const nn_real *w = nn_attention_weights(states[1], layer);

		UNIT_INTEGER(layer->kept.count, rows * CONTEXT * L);
		UNIT_CHECK(reals_equal(nn_attention_weights(states[0], layer), w, rows * CONTEXT * L));
		for (size_t row = 0; row < rows; row++)
			for (uint32_t l = 0; l < L; l++)
			{
				double		sum = 0;

				for (uint32_t t = 0; t < CONTEXT; t++)
					sum += (double) w[(row * CONTEXT + t) * L + l];
				UNIT_NEAR(sum, 1, 1e-6);
			}
	}
	UNIT_CHECK(nn_attention_weights(states[0], layer_small(plan, "now")) == NULL);
	UNIT_CHECK(reals_equal(nn_state_output(states[0], plan->output_layer),
						   nn_state_output(states[1], plan->output_layer),
						   (size_t) plan->layer[plan->output_layer].out.C * L));
	UNIT_CHECK(!nn_solo_supports(plan));
}

/* Scores of 1e20 and more: the greatest takes all, and nothing overflows. */
static void
attention_bears_large_values(void)
{
	NnPlan	   *plan = plan_small("\"layers\":[{\"type\":\"attention\",\"units\":4,\"heads\":2},"
								  "{\"type\":\"last\"}]", CONTEXT);
	NnState    *state = state_small(plan, true, 1e10);

	nn_state_forward(state);
	UNIT_CHECK(output_is_finite(state));
	memset(nn_state_gradient(state, plan->output_layer), 0,
		   (size_t) plan->layer[plan->output_layer].out.C * L * sizeof(nn_real));
	nn_state_backward(state);
	for (size_t i = 0; i < plan->nparams; i++)
		UNIT_CHECK(state->dparams[i] == 0);
}

/* A backward that explains nothing packs less, and must still reach every tensor. */
static void
training_reaches_all_tensors(void)
{
	NnPlan	   *plan = plan_small("\"layers\":[{\"type\":\"attention\",\"units\":4,\"heads\":2},"
								  "{\"type\":\"last\"}]", CONTEXT);
	NnState    *states[] = {state_small(plan, true, 1), state_small(plan, true, 1)};

	states[1]->explain = true;
	for (size_t i = 0; i < COUNT(states); i++)
	{
		nn_real    *dy = nn_state_gradient(states[i], plan->output_layer);

		nn_state_pack(states[i]);
		nn_state_forward(states[i]);
		for (size_t k = 0; k < (size_t) plan->layer[plan->output_layer].out.C * L; k++)
			dy[k] = (nn_real) nn_rng_unit(3, 0, 0, k);
		nn_state_backward(states[i]);
	}
	UNIT_CHECK(reals_equal(states[0]->dparams, states[1]->dparams, plan->nparams));
	for (uint32_t i = 0; i < plan->ntensors; i++)
		UNIT_CHECK(states[0]->dparams[plan->tensor[i].span.offset] != 0);
}

/* A window of equal rows: every state weighs the same. */
static void
constant_windows_weigh_evenly(void)
{
	NnPlan	   *plan = plan_small("\"layers\":[{\"type\":\"attention\",\"units\":4},"
								  "{\"type\":\"last\"}]", CONTEXT);
	NnState    *state = state_small(plan, false, 1);
	nn_real    *past = nn_state_output(state, NN_LAYER_PAST);
	const nn_real *w = nn_attention_weights(state, layer_small(plan, "attention"));

	for (uint32_t t = 1; t < CONTEXT; t++)
		memcpy(past + (size_t) t * CHANNELS * L, past, CHANNELS * L * sizeof(nn_real));
	nn_state_forward(state);
	for (size_t i = 0; i < (size_t) CONTEXT * CONTEXT * L; i++)
		UNIT_NEAR(w[i], 1.0 / CONTEXT, 1e-7);
}

static void
architectures_have_plans(void)
{
	NnPlan	   *plan = plan_small("\"architecture\":\"attention\",\"units\":6,\"num_layers\":2", 8);

	UNIT_INTEGER(layer_small(plan, "attention")->in.T, 1);
	UNIT_INTEGER(layer_small(plan, "attention")->out.C, 6);
	UNIT_INTEGER(layer_small(plan, "attention")->time, NN_TIME_WINDOW);
	plan = plan_small("\"architecture\":\"hybrid\",\"units\":5,\"residual_season\":4", CONTEXT);
	UNIT_INTEGER(layer_small(plan, "smoothing")->season, 4);
	UNIT_INTEGER(layer_small(plan, "smoothing")->out.T, CONTEXT + 4);
	UNIT_INTEGER(layer_small(plan, "smoothing")->out.C, 2 * TARGETS);
	UNIT_INTEGER(plan->layer[plan->output_layer].time, NN_TIME_WINDOW);
	UNIT_STRING(nn_ops[plan->layer[plan->output_layer].op].name, "recompose");
	UNIT_CHECK(!nn_solo_supports(plan));
}

/*
 * x = level + a season of 4 rows, exactly: the smoothing finds both, the remainder is
 * zero and the forecast goes on, as long as the dense layer is silent.
 */
static void
smoothing_goes_on(void)
{
	static const double season[4] = {1, -2, 0.5, 0.5};
	NnPlan	   *plan = plan_small("\"architecture\":\"hybrid\",\"units\":3,\"residual_season\":4", 10);
	NnState    *state = state_small(plan, false, 1);
	nn_real    *past = nn_state_output(state, NN_LAYER_PAST);
	const nn_real *rest = nn_state_output(state, (uint32_t) nn_plan_layer(plan, "remainder")),
			   *y = nn_state_output(state, plan->output_layer);
	const NnTensor *weight = &plan->tensor[nn_plan_tensor(plan, "dense.weight")];

	memset(state->params + weight->span.offset, 0, weight->span.count * sizeof(nn_real));
	nn_state_pack(state);
	for (uint32_t t = 0; t < 10; t++)
		for (uint32_t k = 0; k < TARGETS; k++)
			for (uint32_t l = 0; l < L; l++)
				past[((size_t) t * CHANNELS + k) * L + l] = (nn_real) (5 * k + l + season[t % 4]);
	nn_state_forward(state);
	for (uint32_t t = 0; t < 10; t++)
		for (uint32_t k = 0; k < TARGETS; k++)
			UNIT_NEAR(rest[((size_t) t * CHANNELS + k) * L + 2], 0, 1e-5);
	UNIT_CHECK(rest[2 * L + 3] == past[2 * L + 3]);
	for (uint32_t h = 0; h < HORIZON; h++)
		for (uint32_t k = 0; k < TARGETS; k++)
			for (uint32_t l = 0; l < L; l++)
				UNIT_NEAR(y[((size_t) h * TARGETS + k) * L + l], 5 * k + l + season[(10 + h) % 4],
						  1e-6);
}

/* The rates begin at 0.3 and 0.1. */
static void
smoothing_starts_slowly(void)
{
	NnPlan	   *plan = plan_small("\"layers\":[{\"type\":\"smoothing\",\"season\":2},"
								  "{\"type\":\"flatten\"}]", 3);
	NnState    *state = state_small(plan, false, 1);
	nn_real    *past = nn_state_output(state, NN_LAYER_PAST);
	const nn_real *smooth = nn_state_output(state, (uint32_t) nn_plan_layer(plan, "smoothing"));
	size_t		row = CHANNELS * L,
				out = 2 * TARGETS * L;

	past[0] = 1;
	past[row] = 3;
	past[2 * row] = 5;
	nn_state_forward(state);
	UNIT_NEAR(smooth[0], 2, 1e-6);	/* the mean of the first season ... */
	UNIT_NEAR(smooth[TARGETS * L], -1, 1e-6);	/* ... and what its first row differs by */
	UNIT_NEAR(smooth[3 * out], 0.3 * (5 + 1) + 0.7 * 2, 1e-6);
	UNIT_NEAR(smooth[4 * out], 3.2, 1e-6);	/* beyond the window the level stays */
	UNIT_NEAR(smooth[3 * out + TARGETS * L], 1, 1e-6);
	UNIT_NEAR(smooth[4 * out + TARGETS * L], 0.1 * (5 - 3.2) - 0.9, 1e-6);
	UNIT_NEAR(smooth[5 * out + TARGETS * L], 1, 1e-6);
}

#define LAYERS(layers) "\"layers\":[" layers "]"
#define SMOOTHING "{\"type\":\"smoothing\",\"season\":3},"

static void
misfits_are_explained(void)
{
	static const struct
	{
		const char *options, *message, *hint;
	}			cases[] = {
		{LAYERS("{\"type\":\"attention\",\"units\":5,\"heads\":2},{\"type\":\"last\"}"),
		"layer \"attention\" cannot share 5 units among 2 heads", "multiple"},
		{LAYERS("{\"type\":\"attention\",\"inputs\":[\"past\",\"past\",\"past\"]}"),
		"layer \"attention\" of type \"attention\" takes at most 2 inputs, not 3", "concat"},
		{LAYERS("{\"type\":\"smoothing\",\"season\":9},{\"type\":\"last\"}"),
		"layer \"smoothing\" has a season of 9 rows, but gets only 8", "context"},
		{LAYERS("{\"type\":\"dense\",\"units\":1},{\"type\":\"smoothing\"},{\"type\":\"last\"}"),
		"needs the past, with 2 targets", "\"past\""},
		{LAYERS(SMOOTHING "{\"type\":\"remainder\"}"),
		"layer \"remainder\" of type \"remainder\" takes 2 inputs, not 1", "inputs"},
		{LAYERS("{\"type\":\"last\"},{\"type\":\"remainder\",\"inputs\":[\"past\",\"last\"]}"),
		"the second input of layer \"remainder\" is of type \"last\", not \"smoothing\"", NULL},
		{LAYERS(SMOOTHING "{\"type\":\"last\",\"inputs\":[\"past\"]},"
				"{\"type\":\"remainder\",\"inputs\":[\"last\",\"smoothing\"]},{\"type\":\"dense\"}"),
		"layer \"remainder\" gets 1 steps, but a smoothing of 8", "\"past\""},
		{LAYERS(SMOOTHING "{\"type\":\"recompose\",\"inputs\":[\"past\",\"smoothing\"]},"
				"{\"type\":\"dense\"}"), "must follow the output layer", "last dense"},
	};

	for (size_t i = 0; i < COUNT(cases); i++)
	{
		UNIT_FAILS(unit_env(), NN_BAD_VALUE, plan_small(cases[i].options, CONTEXT));
		if (strstr(unit_host.message, cases[i].message) == NULL)
			UNIT_FAILED("message is \"%s\", without \"%s\"", unit_host.message, cases[i].message);
		if (cases[i].hint && strstr(unit_host.hint, cases[i].hint) == NULL)
			UNIT_FAILED("hint is \"%s\", without \"%s\"", unit_host.hint, cases[i].hint);
	}
	UNIT_FAILS(unit_env(), NN_TOO_LARGE,
			   plan_small(LAYERS("{\"type\":\"dense\",\"units\":65536},{\"type\":\"flatten\"},"
								 "{\"type\":\"attention\"}"), CONTEXT));
}

/* Training lowers the loss of both architectures, and twice gives the same bits. */
static void
architectures_learn(void)
{
	static const char *const options[] = {
		"\"architecture\":\"attention\",\"units\":8,\"epochs\":6,\"learning_rate\":0.01",
		"\"architecture\":\"hybrid\",\"units\":8,\"epochs\":6,\"learning_rate\":0.01,"
		"\"residual_season\":12"
	};

	for (size_t i = 0; i < COUNT(options); i++)
	{
		nn_real    *params[2];
		size_t		n = 0;

		for (int run = 0; run < 2; run++)
		{
			NnSpec	   *spec = spec_parse(options[i]);
			Job		   *job;
			NnTrainer  *trainer;

			spec->context = 24;
			spec->horizon = spec->forecast_horizon = 4;
			spec->ntargets = 1;
			nn_spec_expand(unit_env(), spec);
			job = job_create(spec, series_sine(200));
			trainer = job_trainer(job);
			nn_trainer_run(trainer);
			UNIT_INTEGER(trainer->report.nepochs, 6);
			UNIT_CHECK(trainer->report.epoch[5].loss < trainer->report.epoch[0].loss);
			params[run] = trainer->params;
			n = job->plan->nparams;
		}
		UNIT_CHECK(reals_equal(params[0], params[1], n));
	}
}

int
main(void)
{
	UNIT_RUN(weights_stay_readable);
	UNIT_RUN(attention_bears_large_values);
	UNIT_RUN(training_reaches_all_tensors);
	UNIT_RUN(constant_windows_weigh_evenly);
	UNIT_RUN(architectures_have_plans);
	UNIT_RUN(smoothing_goes_on);
	UNIT_RUN(smoothing_starts_slowly);
	UNIT_RUN(misfits_are_explained);
	UNIT_RUN(architectures_learn);
	return unit_finish();
}
