/*
 * test_normalize.c
 *		Window statistics, normalization and its inverse, seasonal residuals: what they
 *		promise beside right gradients and PyTorch's values.
 */
#include "core/nn_forecast.h"
#include "core/nn_op.h"
#include "core/nn_rng.h"
#include "core/nn_solo.h"

#include "network.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define CONTEXT	6
#define HORIZON	3
#define L		NN_LANES

#define LAYERS(list) "\"layers\":[" list "]"
#define QUANTILES ",\"loss\":\"quantile\",\"quantiles\":[0.1,0.5,0.9]"

/* options for so many targets and a past covariate, expanded. */
static NnSpec *
spec_small(const char *options, uint32_t targets, uint32_t context)
{
	NnSpec	   *spec = spec_parse(options);

	spec->context = context;
	spec->horizon = spec->forecast_horizon = HORIZON;
	spec->ntargets = targets;
	spec->npast = 1;
	nn_spec_expand(unit_env(), spec);
	return spec;
}

static NnPlan *
plan_small(const char *options, uint32_t targets, uint32_t context)
{
	return nn_plan_build(unit_env(), spec_small(options, targets, context), nn_kernels_get(NULL), L);
}

/* A state with initial parameters and random windows in +-1. */
static NnState *
state_small(const char *options, uint32_t targets, uint32_t context)
{
	NnPlan	   *plan = plan_small(options, targets, context);
	nn_real    *params = NN_NEW_ARRAY(unit_env(), nn_real, plan->nparams);
	NnState    *state;

	nn_params_init(unit_env(), plan, 1, params);
	state = nn_state_create(unit_env(), plan, nn_kernels_get(NULL), params, true);
	state->training = false;
	state->explain = true;
	for (size_t i = 0; i < (size_t) context * (targets + 1) * L; i++)
		nn_state_output(state, NN_LAYER_PAST)[i] =
			(nn_real) (2 * (double) nn_rng_unit(2, 0, 0, i) - 1);
	nn_state_pack(state);
	return state;
}

/* Every target of the window becomes x * factor + offset. */
static void
targets_change(NnState *state, double factor, double offset)
{
	const NnLayer *past = &state->plan->layer[NN_LAYER_PAST];
	nn_real    *x = nn_state_output(state, NN_LAYER_PAST);

	for (uint32_t t = 0; t < past->out.T; t++, x += (size_t) past->out.C * L)
		for (size_t i = 0; i < (size_t) state->plan->ntargets * L; i++)
			x[i] = (nn_real) ((double) x[i] * factor + offset);
}

static size_t
output_reals(const NnState *state)
{
	return (size_t) state->plan->layer[state->plan->output_layer].out.C * L;
}

static const nn_real *
forward(NnState *state)
{
	nn_state_forward(state);
	return nn_state_output(state, state->plan->output_layer);
}

static bool
reals_are_finite(const nn_real *x, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (!isfinite(x[i]))
			return false;
	return true;
}

/* Forward and backward leave finite numbers everywhere? */
static bool
passes_are_finite(NnState *state)
{
	const NnPlan *plan = state->plan;
	const NnShape *past = &plan->layer[NN_LAYER_PAST].out;
	nn_real    *dy = nn_state_gradient(state, plan->output_layer);

	memset(state->dparams, 0, plan->nparams * sizeof(nn_real));
	if (!reals_are_finite(forward(state), output_reals(state)))
		return false;
	for (size_t i = 0; i < output_reals(state); i++)
		dy[i] = 1;
	nn_state_backward(state);
	return reals_are_finite(state->dparams, plan->nparams) &&
		reals_are_finite(nn_state_gradient(state, NN_LAYER_PAST), (size_t) past->T * past->C * L);
}

static const char *const networks[] = {
	"\"architecture\":\"gru\",\"units\":3,\"normalization\":\"last\"",
	"\"architecture\":\"gru\",\"units\":3,\"normalization\":\"mean\"" QUANTILES,
	"\"architecture\":\"gru\",\"units\":3,\"normalization\":\"standard\",\"loss\":\"gaussian\"",
	"\"architecture\":\"gru\",\"units\":3,\"normalization\":\"reversible\"" QUANTILES,
	"\"architecture\":\"segment\",\"units\":4,\"segment_length\":2,\"normalization\":\"reversible\","
	"\"loss\":\"student_t\"",
	"\"architecture\":\"linear\",\"normalization\":\"mean\"",
	LAYERS("{\"type\":\"statistics\",\"center\":\"none\",\"scale\":\"standard\"},"
		   "{\"type\":\"normalize\",\"inputs\":[\"past\",\"statistics\"]},{\"type\":\"flatten\"},"
	"{\"type\":\"dense\"},{\"type\":\"denormalize\",\"inputs\":[\"dense\",\"statistics\"]}")
};

/* ---- statistics */

/* Of the window 1, 2, 6, -1: mean 2, variance 6.5, mean of absolute values 2.5. */
static void
statistics_are_as_said(void)
{
	static const double window[] = {1, 2, 6, -1};
	static const struct
	{
		const char *word;
		double		value;
	}			centers[] = {{"none", 0}, {"last", -1}, {"mean", 2}},
				scales[] = {{"none", 1}, {"standard", 2.549511718935568}, {"mean", 2.50001}};

	for (size_t c = 0; c < COUNT(centers); c++)
		for (size_t s = 0; s < COUNT(scales); s++)
		{
			NnState    *state = state_small(nn_format(unit_env(), LAYERS(
				"{\"type\":\"statistics\",\"center\":\"%s\",\"scale\":\"%s\"},{\"type\":\"dense\"}"),
													  centers[c].word, scales[s].word), 2, 4);
			nn_real    *x = nn_state_output(state, NN_LAYER_PAST);
			const nn_real *y = nn_state_output(state, state->plan->first_layer);

			/* Target 1 is twice target 0; the covariate is far off. */
			for (uint32_t t = 0; t < 4; t++)
				for (uint32_t l = 0; l < L; l++)
				{
					x[(t * 3 + 0) * L + l] = (nn_real) window[t];
					x[(t * 3 + 1) * L + l] = (nn_real) (2 * window[t]);
					x[(t * 3 + 2) * L + l] = NN_R(1e9);
				}
			nn_state_forward(state);
			for (uint32_t l = 0; l < L; l++)
			{
				UNIT_NEAR(y[l], centers[c].value, 1e-6);
				UNIT_NEAR(y[L + l], scales[s].value, 1e-6);
				UNIT_NEAR(y[2 * L + l], 2 * centers[c].value, 1e-6);
				UNIT_NEAR(y[3 * L + l], s == 0 ? 1 : 2 * scales[s].value, 1e-4);
			}
		}
}

/* No window makes a NaN: constant ones, single rows, and numbers near the end of the axis. */
static void
windows_without_spread_are_borne(void)
{
	static const double values[] = {0, 1, -1e6, 1e-30};

	for (size_t n = 0; n < COUNT(networks); n++)
		for (uint32_t targets = 1; targets <= 3; targets += 2)
			for (uint32_t context = 1; context <= CONTEXT; context += CONTEXT - 1)
			{
				NnState    *state = state_small(networks[n], targets, context);

				UNIT_CHECK(passes_are_finite(state));
				for (size_t v = 0; v < COUNT(values); v++)
				{
					targets_change(state, 0, values[v]);
					UNIT_CHECK(passes_are_finite(state));
				}
				state = state_small(networks[n], targets, context);
				targets_change(state, 1e20, 0);
				UNIT_CHECK(reals_are_finite(forward(state), output_reals(state)));
			}
}

/* A constant window is zeros to the network, whose outputs hardly leave it. */
static void
constant_windows_go_on(void)
{
	for (size_t n = 0; n < 4; n++)
	{
		NnState    *state = state_small(networks[n], 2, CONTEXT);
		const NnLayer *normalize = &state->plan->layer[nn_plan_layer(state->plan, "normalize")];
		const NnLayer *output = &state->plan->layer[state->plan->output_layer];
		double		spread = n == 0 ? 1.5 : n == 1 ? 1.5 * 3 : 0.01;

		targets_change(state, 0, 3);
		nn_state_forward(state);
		for (uint32_t t = 0; t < CONTEXT; t++)
			for (size_t i = 0; i < 2 * L; i++)
				UNIT_NEAR((state->activations + normalize->output.offset)[t * 3 * L + i], 0, 1e-12);
		for (uint32_t i = 0; i < output->out.C; i++)
			if (i % output->outputs < output->locations)
				for (uint32_t l = 0; l < L; l++)
					UNIT_CHECK(fabs((double) forward(state)[i * L + l] - 3) < spread);
	}
}

/* A window moved and stretched is forecast moved and stretched; widths stay. */
static void
forecasts_follow_the_window(void)
{
	for (size_t n = 0; n < COUNT(networks); n++)
	{
		bool		moves = strstr(networks[n], "\"none\"") == NULL &&
			strstr(networks[n], "\"mean\"") == NULL;
		bool		stretches = strstr(networks[n], "last") == NULL;
		double		factor = stretches ? 4 : 1,
					offset = moves ? 2.5 : 0;

		for (uint32_t targets = 1; targets <= 3; targets += 2)
		{
			NnState    *state = state_small(networks[n], targets, CONTEXT);
			const NnLayer *output = &state->plan->layer[state->plan->output_layer];
			nn_real    *before = NN_NEW_ARRAY(unit_env(), nn_real, output_reals(state));
			const nn_real *after;

			memcpy(before, forward(state), output_reals(state) * sizeof(nn_real));
			targets_change(state, factor, offset);
			after = forward(state);
			for (uint32_t i = 0; i < output->out.C; i++)
				for (uint32_t l = 0; l < L; l++)
				{
					bool		width = i % output->outputs >= output->locations;
					double		b = (double) before[i * L + l];

					UNIT_NEAR(after[i * L + l], width ? b : factor * b + offset, 2e-3);
				}
		}
	}
}

/* ---- gain and shift */

static void
gain_begins_with_nothing(void)
{
	static const char *const kinds[] = {"standard", "reversible"};
	NnState    *states[2];

	for (uint32_t i = 0; i < 2; i++)
		states[i] = state_small(nn_format(unit_env(), "\"architecture\":\"gru\",\"units\":3,"
										  "\"normalization\":\"%s\"", kinds[i]), 2, CONTEXT);
	for (uint32_t i = 0; i < 2; i++)
	{
		int			tensor = nn_plan_tensor(states[1]->plan, i ? "normalize.shift" : "normalize.gain");
		const NnTensor *t = &states[1]->plan->tensor[tensor];

		UNIT_INTEGER(t->ndim, 1);
		UNIT_INTEGER(t->dim[0], 2);
		UNIT_CHECK(!t->decay && !t->idle);
		for (size_t k = 0; k < 2; k++)
			UNIT_NEAR(states[1]->params[t->span.offset + k], i ? 0 : 1, 0);
	}
	UNIT_INTEGER(states[0]->plan->nparams + 4, states[1]->plan->nparams);
	/* All other tensors are numbered behind these, and so drawn differently: give them. */
	memcpy(states[1]->params + 4, states[0]->params, states[0]->plan->nparams * sizeof(nn_real));
	nn_state_pack(states[1]);
	forward(states[0]);
	forward(states[1]);
	for (size_t i = 0; i < output_reals(states[0]); i++)
		UNIT_NEAR(forward(states[1])[i], forward(states[0])[i], 1e-5);
}

/* A gain of nothing loses the window, but makes no infinity. */
static void
small_gains_are_borne(void)
{
	static const double gains[] = {0, 1e-30, -1e-30, 1e-3, -1e-3, -1};

	for (size_t i = 0; i < COUNT(gains); i++)
	{
		NnState    *state = state_small(networks[3], 2, CONTEXT);
		int			tensor = nn_plan_tensor(state->plan, "normalize.gain");

		for (uint32_t k = 0; k < 2; k++)
			state->params[state->plan->tensor[tensor].span.offset + k] = (nn_real) gains[i];
		UNIT_CHECK(passes_are_finite(state));
		for (size_t k = 0; k < output_reals(state); k++)
			UNIT_CHECK(fabs((double) forward(state)[k]) < 2000);
	}
}

/* ---- one window alone */

static void
solo_has_the_same_bits(void)
{
	static const char *const more[] = {
		"\"architecture\":\"gru\",\"units\":3,\"residual_season\":2",
		"\"architecture\":\"gru\",\"units\":3,\"residual_season\":5" QUANTILES
	};

	for (size_t n = 0; n < COUNT(networks) + COUNT(more); n++)
	{
		const char *options = n < COUNT(networks) ? networks[n] : more[n - COUNT(networks)];
		NnState    *state = state_small(options, 2, CONTEXT);
		const NnPlan *plan = state->plan;
		NnSolo	   *solo;

		UNIT_CHECK(nn_solo_supports(plan) == (nn_plan_layer(plan, "sites") < 0));
		if (!nn_solo_supports(plan))
			continue;
		/* Forecasting's forward: training's differs in the last places. */
		state = nn_state_create(unit_env(), plan, nn_kernels_get(NULL), state->params, false);
		solo = nn_solo_create(unit_env(), plan, nn_kernels_get(NULL), state->params);
		nn_state_pack(state);
		for (size_t i = 0; i < CONTEXT * 3; i++)
		{
			nn_real		x = (nn_real) (2 * (double) nn_rng_unit(3, 0, 0, i) - 1);

			nn_solo_output(solo, NN_LAYER_PAST)[i] = x;
			nn_state_output(state, NN_LAYER_PAST)[i * L] = x;
		}
		nn_solo_forward(solo);
		nn_state_forward(state);
		for (uint32_t i = 0; i < plan->layer[plan->output_layer].out.C; i++)
			UNIT_CHECK(reals_equal(nn_solo_output(solo, plan->output_layer) + i,
								   nn_state_output(state, plan->output_layer) + i * L, 1));
	}
}

/* ---- seasonal residual */

/* A network of zeros forecasts the season before. */
static void
residual_repeats_the_season(void)
{
	for (uint32_t season = 0; season <= CONTEXT; season++)
	{
		NnState    *state = state_small(nn_format(unit_env(), "\"architecture\":\"rnn\",\"units\":2,"
												  "\"residual_season\":%u", season), 2, CONTEXT);
		const nn_real *x = nn_state_output(state, NN_LAYER_PAST),
				   *y;
		uint32_t	m = season ? season : 1;

		memset(state->params, 0, state->plan->nparams * sizeof(nn_real));
		nn_state_pack(state);
		y = forward(state);
		for (uint32_t h = 0; h < HORIZON; h++)
			for (uint32_t k = 0; k < 2; k++)
				UNIT_CHECK(reals_equal(y + (h * 2 + k) * L,
									   x + ((CONTEXT - m + h % m) * 3 + k) * L, L));
	}
}

/* A forecast that goes on from its state sees no season before. */
static void
seasons_carry_no_state(void)
{
	static const char *const options = "\"architecture\":\"gru\",\"units\":2,\"stateful\":true,"
		"\"residual_season\":%u";
	NnSpec	   *spec = spec_small(nn_format(unit_env(), options, 1), 1, CONTEXT);

	UNIT_CHECK(nn_plan_continue(unit_env(), spec, nn_kernels_get(NULL),
								nn_plan_build(unit_env(), spec, nn_kernels_get(NULL), L)) != NULL);
	UNIT_FAILS(unit_env(), NN_BAD_VALUE,
			   plan_small(nn_format(unit_env(), options, 4), 1, CONTEXT));
	UNIT_STRING(unit_host.message, "this network cannot be \"stateful\"");
	UNIT_FAILS(unit_env(), NN_BAD_VALUE,
			   plan_small("\"architecture\":\"gru\",\"normalization\":\"last\",\"stateful\":true", 1,
						  CONTEXT));
}

/* ---- what does not fit */

#define STATISTICS "{\"type\":\"statistics\"}"
#define DENSE "{\"type\":\"flatten\",\"inputs\":[\"past\"]},{\"type\":\"dense\"}"

static void
misfits_are_explained(void)
{
	static const struct
	{
		const char *options, *message;
	}			cases[] = {
		{LAYERS("{\"type\":\"last\"},{\"type\":\"dense\",\"units\":1}," STATISTICS ",{\"type\":\"dense\"}"),
		"layer \"statistics\" of type \"statistics\" gets an input without the 2 targets"},
		{LAYERS("{\"type\":\"sites\"},{\"type\":\"last\",\"name\":\"one\",\"inputs\":[\"past\"]},"
			"{\"type\":\"statistics\",\"inputs\":[\"one\"]},"
		 "{\"type\":\"normalize\",\"inputs\":[\"sites\",\"statistics\"]}"),
		"gets 2 sites of 2 channels, but the statistics of 1 sites of 2 targets"},
		{LAYERS("{\"type\":\"last\"},{\"type\":\"normalize\",\"inputs\":[\"past\",\"last\"]}"),
		"the second input of layer \"normalize\" is of type \"last\", not \"statistics\""},
		{LAYERS(STATISTICS ",{\"type\":\"normalize\"}"),
		"layer \"normalize\" of type \"normalize\" takes 2 inputs, not 1"},
		{LAYERS(STATISTICS "," DENSE ",{\"type\":\"denormalize\",\"inputs\":[\"dense\",\"flatten\"]}"),
		"the second input of layer \"denormalize\" is of type \"flatten\", not \"statistics\""},
		{LAYERS(STATISTICS "," DENSE ",{\"type\":\"denormalize\",\"inputs\":[\"dense\",\"statistics\","
			"\"flatten\"]}"),
		"the third input of layer \"denormalize\" is of type \"flatten\", not \"normalize\""},
		{LAYERS(STATISTICS ",{\"type\":\"statistics\",\"name\":\"other\",\"inputs\":[\"past\"]},"
			"{\"type\":\"normalize\",\"inputs\":[\"past\",\"other\"]},{\"type\":\"flatten\"},"
			"{\"type\":\"dense\"},{\"type\":\"denormalize\",\"inputs\":[\"dense\",\"statistics\","
		 "\"normalize\"]}"),
		"layer \"denormalize\" and its third input use different statistics"},
		{LAYERS(STATISTICS ",{\"type\":\"denormalize\",\"inputs\":[\"past\",\"statistics\"]},"
		 "{\"type\":\"flatten\"},{\"type\":\"dense\"}"),
		"layer \"denormalize\" of type \"denormalize\" must follow the output layer"},
		{"\"residual_season\":7",
		"layer \"residual\" has a season of 7 rows, but the context is 6"}
	};

	for (size_t i = 0; i < COUNT(cases); i++)
	{
		UNIT_FAILS(unit_env(), NN_BAD_VALUE, plan_small(cases[i].options, 2, CONTEXT));
		if (strstr(unit_host.message, cases[i].message) == NULL)
			UNIT_FAILED("message is \"%s\", without \"%s\"", unit_host.message, cases[i].message);
	}
}

/* Neither attribute is lost when a spec is written and read. */
static void
attributes_are_written(void)
{
	NnSpec	   *spec = spec_small(networks[4], 2, CONTEXT),
			   *again = NN_NEW(unit_env(), NnSpec);
	const char *text = spec_text(spec);

	nn_spec_read(unit_env(), json_of(text), again);
	UNIT_STRING(spec_text(again), text);
	UNIT_CHECK(strstr(text, "\"affine\":true") || strstr(text, "\"affine\": true"));
	UNIT_CHECK(strstr(text, "\"scale\":\"standard\"") || strstr(text, "\"scale\": \"standard\""));
}

/* ---- training */

/* The line 1, 2, 3, ... goes on: each step's change is right to a twentieth. */
static void
lines_go_on(void)
{
	static const char *const options[] = {
		"\"architecture\":\"gru\",\"units\":8,\"normalization\":\"last\",",
		"\"architecture\":\"gru\",\"units\":8,\"normalization\":\"standard\",",
		"\"architecture\":\"gru\",\"units\":8,\"normalization\":\"reversible\",",
		"\"architecture\":\"linear\","
	};
	const uint32_t rows = 150;

	for (size_t n = 0; n < COUNT(options); n++)
	{
		NnSpec	   *spec = spec_parse(nn_format(unit_env(), "%s\"epochs\":60,\"batch_size\":16,"
												"\"learning_rate\":0.01", options[n]));
		NnSeries   *series = series_create(1, &rows, 1, 0);
		NnForecaster *forecaster;
		NnTrainer  *trainer;
		Job		   *job;
		double		point[HORIZON];

		for (uint32_t t = 0; t < rows; t++)
			series->value[t] = t + 1;
		spec->context = 8;
		spec->horizon = spec->forecast_horizon = HORIZON;
		spec->ntargets = 1;
		nn_spec_expand(unit_env(), spec);
		job = job_create(spec, series);
		trainer = job_trainer(job);
		nn_trainer_run(trainer);
		forecaster = nn_forecaster_create(unit_env(), spec, job->kernels, trainer->params, 1, HORIZON, 0);
		nn_forecast(forecaster, job->data, &(NnWindow) {0, rows - 1}, 1, HORIZON, NULL, 0, point,
					NULL, NULL);
		for (uint32_t h = 0; h < HORIZON; h++)
			UNIT_NEAR(point[h] - rows, h + 1, 0.05);
	}
}

int
main(void)
{
	UNIT_RUN(statistics_are_as_said);
	UNIT_RUN(windows_without_spread_are_borne);
	UNIT_RUN(constant_windows_go_on);
	UNIT_RUN(forecasts_follow_the_window);
	UNIT_RUN(gain_begins_with_nothing);
	UNIT_RUN(small_gains_are_borne);
	UNIT_RUN(solo_has_the_same_bits);
	UNIT_RUN(residual_repeats_the_season);
	UNIT_RUN(seasons_carry_no_state);
	UNIT_RUN(misfits_are_explained);
	UNIT_RUN(attributes_are_written);
	UNIT_RUN(lines_go_on);
	return unit_finish();
}
