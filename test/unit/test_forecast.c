/*
 * test_forecast.c
 *		Forecasts: direct and recursive ones against the same done by hand, one
 *		window at a time; intervals; and that windows do not see each other.
 */
#include "core/nn_forecast.h"
#include "core/nn_loss.h"
#include "core/nn_stats.h"

#include "network.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A network with parameters of all sizes, and series to forecast. */
typedef struct Setup
{
	NnSpec	   *spec;
	const NnKernels *kernels;
	NnSeries   *series;
	NnData	   *data;
	nn_real    *params;
} Setup;

/* What differs between the cases. */
typedef struct Shape
{
	const char *options;
	uint32_t	targets, past, future, statics, context, trained, wanted;
	double		gaps;
} Shape;

/*
 * Two series of 40 and 33 known rows.  Rows with future covariates go on for
 * exactly as many steps as are wanted: a read beyond them is a read beyond the
 * arrays.
 */
static Setup *
setup_create(const Shape *shape, bool stateful)
{
	NnEnv	   *env = unit_env();
	Setup	   *setup = NN_NEW(env, Setup);
	uint32_t	more = shape->future ? shape->wanted : 0,
				history[2] = {40, 33},
				rows[2] = {40 + more, 33 + more},
				fit[2] = {UINT32_MAX, UINT32_MAX},
				C = shape->targets + shape->past + shape->future;
	NnPlan	   *plan;
	uint64_t	state = 5;

	setup->spec = spec_parse(shape->options);
	setup->spec->ntargets = shape->targets;
	setup->spec->npast = shape->past;
	setup->spec->nfuture = shape->future;
	setup->spec->nstatic = shape->statics;
	setup->spec->context = shape->context;
	setup->spec->horizon = setup->spec->forecast_horizon = shape->trained;
	setup->spec->stateful = stateful;
	setup->spec->nseries = 2;
	nn_spec_expand(env, setup->spec);
	setup->series = series_create(2, rows, C, shape->statics);
	series_randomise(setup->series, &state, shape->gaps);
	for (uint32_t s = 0; s < 2; s++)
	{
		((uint32_t *) setup->series->history)[s] = history[s];
		for (uint32_t t = 0; t < rows[s]; t++)
			for (uint32_t c = 0; c < C; c++)
			{
				double	   *value = &setup->series->value[(setup->series->first[s] + t) * C + c];

				if (t >= history[s] && c < shape->targets + shape->past)
					*value = NAN;
				else if (isnan(*value) && c >= shape->targets + shape->past)
					*value = 20;
			}
		/* Under outlier treatment this one becomes unknown, although it is given. */
		if (more > 1)
			setup->series->value[(setup->series->first[s] + history[s] + 1) * C + C - 1] = 1e4;
	}
	setup->data = data_of(setup->spec, nn_prep_fit(env, setup->spec, setup->series, fit), setup->series);
	setup->kernels = nn_kernels_get(NULL);
	plan = nn_plan_build(env, setup->spec, setup->kernels, 16);
	setup->params = NN_NEW_ARRAY(env, nn_real, plan->nparams);
	for (size_t i = 0; i < plan->nparams; i++)
		setup->params[i] = (nn_real) (random_unit(&state) - 0.5);
	return setup;
}

/* The newest window of series s. */
static NnWindow
newest(const Setup *setup, uint32_t s)
{
	return (NnWindow) {s, setup->series->first[s] + setup->series->history[s] - 1};
}

/* A state for the network with a context of so many rows. */
static NnState *
state_of(const Setup *setup, uint32_t context)
{
	NnSpec	   *spec = NN_NEW(unit_env(), NnSpec);
	NnPlan	   *plan;
	NnState    *state;

	*spec = *setup->spec;
	spec->context = context;
	plan = nn_plan_build(unit_env(), spec, setup->kernels, 16);
	state = nn_state_create(unit_env(), plan, setup->kernels, setup->params, false);
	nn_state_pack(state);
	return state;
}

/*
 * The scaled forecast of one window by hand: raw [horizon][targets] points.  The
 * rows that the network sees are kept in one growing list of rows.  A network that
 * carries its state must forecast as one that runs over all of them from zeros.
 */
static double *
forecast_by_hand(const Setup *setup, NnWindow window, uint32_t horizon)
{
	NnEnv	   *env = unit_env();
	const NnSpec *spec = setup->spec;
	bool		slides = !setup->spec->stateful;
	const NnData *data = setup->data;
	uint32_t	C = data->C,
				T = spec->context,
				G = spec->ntargets,
				columns = G + spec->npast + spec->nfuture,
				P = nn_spec_outputs(spec),
				end = setup->series->first[window.series + 1];
	NnState    *state = state_of(setup, T);
	double	   *seen = NN_NEW_ARRAY(env, double, (size_t) (T + horizon + spec->horizon) * C),
			   *raw = NN_NEW_ARRAY(env, double, (size_t) (horizon + spec->horizon) * G);

	for (uint32_t i = 0; i < T * C; i++)
		seen[i] = (double) data->x[(size_t) (window.origin + 1 - T) * C + i];
	for (uint32_t done = 0; done < horizon; done += spec->horizon)
	{
		uint32_t	first = slides ? done : 0;

		if (!slides)
			state = state_of(setup, T + done);
		for (uint32_t i = 0; i < spec->nstatic; i++)
			nn_state_output(state, NN_LAYER_STATIC)[i * 16] =
				data->statics[window.series * spec->nstatic + i];
		for (uint32_t i = 0; i < (T + done - first) * C; i++)
			nn_state_output(state, NN_LAYER_PAST)[i * 16] = (nn_real) seen[(size_t) first * C + i];
		for (uint32_t h = 0; h < spec->horizon; h++)
			for (uint32_t f = 0; f < spec->nfuture; f++)
			{
				uint32_t	row = window.origin + 1 + done + h;

				nn_state_output(state, NN_LAYER_FUTURE)[(h * spec->nfuture + f) * 16] =
					row < end ? data->x[(size_t) row * C + G + spec->npast + f] : 0;
			}
		nn_state_forward(state);
		for (uint32_t h = 0; h < spec->horizon; h++)
		{
			uint32_t	row = window.origin + 1 + done + h;
			double	   *next = seen + (size_t) (T + done + h) * C;

			for (uint32_t j = 0; j < G; j++)
			{
				double		outputs[NN_MAX_QUANTILES];

				for (uint32_t p = 0; p < P; p++)
					outputs[p] = (double) nn_state_output(state, state->plan->output_layer)
						[((h * G + j) * P + p) * 16];
				next[j] = raw[(done + h) * G + j] = nn_loss_point(spec, outputs);
				if (C > columns)
					next[columns + j] = 1;
			}
			for (uint32_t c = G; c < columns && row < end; c++)
			{
				next[c] = (double) data->x[(size_t) row * C + c];
				if (C > columns)
					next[columns + c] = (double) data->x[(size_t) row * C + columns + c];
			}
		}
	}
	return raw;
}

/* From scaled points to original units, without gaps: the reverse of what was done. */
static double *
units_by_hand(const Setup *setup, NnWindow window, uint32_t horizon, const double *raw)
{
	const NnSpec *spec = setup->spec;
	const NnPrep *prep = setup->data->prep;
	uint32_t	G = spec->ntargets,
				lag = spec->difference,
				group = setup->data->group[window.series];
	double	   *out = NN_NEW_ARRAY(unit_env(), double, horizon * G);

	for (uint32_t h = 0; h < horizon; h++)
		for (uint32_t j = 0; j < G; j++)
		{
			double		value = raw[h * G + j] * prep->scale[group * prep->C + j] +
				prep->center[group * prep->C + j];

			if (lag > 0)
				value += h >= lag ? out[(h - lag) * G + j] :
					setup->series->value[(window.origin + 1 + h - lag) * setup->series->C + j];
			else if (spec->scaling == NN_SCALING_LOG1P)
				value = expm1(value);
			out[h * G + j] = value;
		}
	return out;
}

static NnForecaster *
forecaster_of(const Setup *setup, uint32_t windows, uint32_t horizon)
{
	return nn_forecaster_create(unit_env(), setup->spec, setup->kernels, setup->params, windows,
								horizon, 1);
}

/* Points of all windows. */
static double *
points_of(const Setup *setup, const NnWindow *windows, uint32_t n, uint32_t horizon)
{
	double	   *point = NN_NEW_ARRAY(unit_env(), double, (size_t) n * horizon * setup->spec->ntargets);

	nn_forecast(forecaster_of(setup, n, horizon), setup->data, windows, n, horizon, NULL, 0, point, NULL,
				NULL);
	return point;
}

static void
shape_check(const Shape *shape, bool stateful)
{
	Setup	   *setup = setup_create(shape, stateful);
	NnWindow	windows[2] = {newest(setup, 0), newest(setup, 1)};
	uint32_t	values = shape->wanted * shape->targets;
	NnForecaster *forecaster = forecaster_of(setup, 2, shape->wanted);
	double	   *point = points_of(setup, windows, 2, shape->wanted),
			   *lanes = NN_NEW_ARRAY(unit_env(), double, 2 * values);

	/* One by one and in lanes: the same bits. */
	forecaster->solo = NULL;
	nn_forecast(forecaster, setup->data, windows, 2, shape->wanted, NULL, 0, lanes, NULL, NULL);
	UNIT_CHECK(memcmp(point, lanes, 2 * values * sizeof(double)) == 0);
	UNIT_CHECK((forecaster->next != NULL) == (stateful && shape->wanted > shape->trained));
	for (uint32_t w = 0; w < 2; w++)
	{
		double	   *raw = forecast_by_hand(setup, windows[w], shape->wanted),
				   *expected = units_by_hand(setup, windows[w], shape->wanted, raw);

		for (uint32_t i = 0; i < values; i++)
			if (!unit_near(point[w * values + i], expected[i], 1e-6))
			{
				UNIT_FAILED("%s, %u steps after %u: value %u of window %u is %.9g, not %.9g",
							shape->options, shape->wanted, shape->context, i, w,
							point[w * values + i], expected[i]);
				break;
			}
	}
}

#define SMALL "\"units\":4,"
#define SEGMENT "\"architecture\":\"segment\",\"units\":6,\"segment_length\":3,\"normalization\":\"none\""
#define LAYERS(list) "\"layers\":[" list "]"

static void
trained_horizon_is_direct(void)
{
	static const Shape shapes[] = {
		{SMALL "\"scaling\":\"standard\"", 1, 0, 0, 0, 8, 5, 5, 0},
		{SMALL "\"scaling\":\"standard\"", 1, 0, 0, 0, 8, 5, 3, 0},
		{SMALL "\"scaling\":\"minmax\",\"architecture\":\"gru\"", 2, 2, 1, 1, 8, 5, 5, 0},
		{SMALL "\"scaling\":\"minmax\",\"architecture\":\"gru\"", 2, 2, 1, 1, 8, 5, 1, 0},
		{SMALL "\"scaling\":\"log1p\",\"bidirectional\":true", 1, 0, 2, 0, 1, 1, 1, 0},
		{SMALL "\"scale_by_series\":true,\"loss\":\"student_t\"", 2, 0, 0, 2, 33, 4, 4, 0},
		{SMALL "\"loss\":\"quantile\",\"quantiles\":[0.2,0.5]", 2, 1, 0, 0, 5, 3, 3, 0},
		/* one step joined to many */
		{LAYERS("{\"type\":\"concat\",\"inputs\":[\"static\",\"past\",\"static\"]},"
			"{\"type\":\"gru\",\"units\":5}"), 1, 0, 0, 3, 5, 3, 3, 0},
		{SEGMENT, 2, 1, 2, 1, 8, 5, 5, 0},
		{SEGMENT ",\"missing\":\"mask\"", 1, 0, 0, 0, 7, 2, 2, 0.2}
	};

	for (size_t i = 0; i < COUNT(shapes); i++)
		shape_check(&shapes[i], false);
}

static void
longer_horizon_is_recursive(void)
{
	static const Shape shapes[] = {
		/* context longer than the trained horizon, equal, shorter; blocks that end within */
		{SMALL "\"scaling\":\"standard\"", 1, 0, 0, 0, 8, 5, 13, 0},
		{SMALL "\"scaling\":\"robust\"", 1, 0, 0, 0, 5, 5, 15, 0},
		{SMALL "\"scaling\":\"standard\"", 2, 0, 0, 0, 3, 7, 20, 0},
		{SMALL "\"num_layers\":2,\"loss\":\"gaussian\"", 2, 0, 0, 1, 6, 2, 11, 0},
		{SMALL "\"loss\":\"quantile\"", 1, 0, 0, 0, 6, 2, 7, 0},
		/* future covariates */
		{SMALL "\"scaling\":\"standard\"", 1, 0, 2, 0, 8, 5, 13, 0},
		{SMALL "\"architecture\":\"rnn\"", 2, 0, 1, 1, 2, 5, 11, 0},
		{SMALL "\"scale_by_series\":true", 1, 0, 1, 0, 7, 3, 4, 0},
		/* masks: forecasts count as known, a removed future value does not */
		{SMALL "\"missing\":\"mask\"", 1, 0, 0, 0, 8, 3, 10, 0.2},
		{SMALL "\"missing\":\"mask\"", 2, 0, 2, 0, 6, 2, 9, 0.2},
		{SMALL "\"missing\":\"mask\",\"outliers\":\"zscore\",\"outlier_threshold\":4", 2, 0, 2, 0,
			6, 2, 9, 0.2},
		{SMALL "\"missing\":\"previous\"", 1, 0, 1, 0, 6, 4, 9, 0.2},
		/* differences, of lags below and above the trained horizon */
		{SMALL "\"difference\":1", 1, 0, 0, 0, 8, 5, 13, 0},
		{SMALL "\"difference\":4", 2, 0, 1, 0, 8, 3, 13, 0},
		{SMALL "\"difference\":7,\"residual\":true", 1, 0, 0, 0, 8, 3, 17, 0},
		{SMALL "\"difference\":12,\"missing\":\"mask\"", 1, 0, 1, 1, 4, 5, 16, 0},
		/* layers beside and between the recurrent ones; the residual takes the newest row fed back */
		{LAYERS("{\"type\":\"dense\",\"units\":6,\"activation\":\"tanh\"},{\"type\":\"gru\",\"units\":5},"
			"{\"type\":\"dropout\",\"rate\":0.2},{\"type\":\"rnn\",\"units\":6,"
			"\"activation\":\"softplus\"},{\"type\":\"dense\"},{\"type\":\"residual\"}"),
			2, 0, 1, 1, 6, 2, 9, 0},
		{LAYERS("{\"type\":\"lstm\",\"name\":\"a\",\"units\":3,\"return_sequences\":true},"
			"{\"type\":\"lstm\",\"name\":\"b\",\"units\":3,\"return_sequences\":true},"
			"{\"type\":\"add\",\"name\":\"c\",\"inputs\":[\"a\",\"b\"]},"
			"{\"type\":\"concat\",\"inputs\":[\"c\",\"past\"]},"
			"{\"type\":\"activation\",\"activation\":\"tanh\"},{\"type\":\"last\"}"),
			1, 0, 0, 1, 7, 3, 13, 0},
		{LAYERS("{\"type\":\"lstm\",\"name\":\"ahead\",\"inputs\":[\"future\"],\"units\":3,"
			"\"bidirectional\":true},{\"type\":\"lstm\",\"name\":\"back\",\"inputs\":[\"past\"],"
			"\"units\":4},{\"type\":\"concat\",\"inputs\":[\"ahead\",\"back\"]}"),
			1, 0, 2, 0, 5, 3, 10, 0},
		/* units around the width of a vector; cells without a fused kernel */
		{"\"units\":15,\"architecture\":\"gru\",\"num_layers\":2", 1, 0, 0, 0, 6, 1, 7, 0},
		{"\"units\":16", 1, 0, 0, 0, 6, 2, 7, 0},
		{"\"units\":17,\"architecture\":\"rnn\"", 1, 0, 0, 0, 6, 3, 7, 0},
		{"\"units\":50,\"architecture\":\"gru\",\"residual\":true", 1, 0, 0, 0, 6, 1, 7, 0},
		{"\"units\":70,\"num_layers\":2", 3, 0, 1, 2, 6, 4, 7, 0},
		{"\"units\":5,\"peephole\":true", 1, 0, 0, 0, 6, 2, 9, 0},
		{"\"units\":5,\"activation\":\"softplus\",\"recurrent_activation\":\"gelu\"", 1, 0, 0, 0,
			6, 2, 9, 0},
		{"\"units\":19,\"architecture\":\"gru\",\"activation\":\"gelu\"", 1, 0, 0, 0, 6, 2, 9, 0}
	};

	for (int stateful = 0; stateful < 2; stateful++)
		for (size_t i = 0; i < COUNT(shapes); i++)
			shape_check(&shapes[i], stateful);
}

/* Networks without a state to carry slide their window, and say so when asked. */
static void
others_slide(void)
{
	static const Shape shapes[] = {
		{SMALL "\"scaling\":\"standard\"", 2, 0, 0, 1, 1, 1, 6, 0},
		{SEGMENT, 2, 0, 1, 1, 8, 5, 13, 0},
		{SMALL "\"bidirectional\":true", 1, 0, 0, 0, 8, 3, 13, 0},
		{SMALL "\"bidirectional\":true,\"num_layers\":2", 2, 0, 1, 0, 3, 5, 14, 0},
		{LAYERS("{\"type\":\"flatten\"},{\"type\":\"dense\",\"units\":5,\"activation\":\"tanh\"},"
			"{\"type\":\"dense\"}"), 2, 0, 1, 1, 6, 2, 9, 0},
		{LAYERS("{\"type\":\"lstm\",\"units\":3,\"return_sequences\":true},{\"type\":\"flatten\"}"),
			1, 0, 0, 0, 6, 2, 9, 0},
		{LAYERS("{\"type\":\"concat\",\"inputs\":[\"past\",\"future\"]},"
			"{\"type\":\"gru\",\"units\":3}"), 1, 0, 1, 0, 4, 4, 11, 0}
	};

	for (size_t i = 0; i < COUNT(shapes); i++)
	{
		shape_check(&shapes[i], false);
		UNIT_FAILS(unit_env(), NN_BAD_VALUE, setup_create(&shapes[i], true));
		UNIT_STRING(unit_host.message, "this network cannot be \"stateful\"");
	}
}

/* The removed future value of the cases above is indeed marked as unknown. */
static void
removed_value_is_marked(void)
{
	Shape		shape = {SMALL "\"missing\":\"mask\",\"outliers\":\"zscore\",\"outlier_threshold\":4",
	2, 0, 2, 0, 6, 2, 9, 0.2};
	Setup	   *setup = setup_create(&shape, false);
	NnWindow	window = newest(setup, 1);
	uint32_t	column;

	UNIT_NEAR(setup->data->x[(window.origin + 2) * 8 + 4 + 3], 0, 0);
	UNIT_NEAR(setup->data->x[(window.origin + 1) * 8 + 4 + 3], 1, 0);
	UNIT_INTEGER(nn_future_missing(setup->data, &window, 9, &column), 0);
	UNIT_INTEGER(nn_future_missing(setup->data, &window, 10, &column), window.origin + 10);
}

/* A network of zeros with a residual forecasts the last value of each target. */
static void
residual_alone_is_persistence(void)
{
	static const char *const losses[] = {"mse", "quantile", "gaussian", "student_t"};

	for (size_t i = 0; i < COUNT(losses); i++)
	{
		Shape		shape = {nn_format(unit_env(), SMALL "\"loss\":\"%s\"", losses[i]), 3, 0, 1, 0,
			4, 3, 8, 0};
		Setup	   *setup = setup_create(&shape, false);
		NnWindow	windows[2] = {newest(setup, 0), newest(setup, 1)};
		NnForecaster *forecaster;
		double		point[48],
					low[48],
					high[48];

		memset(setup->params, 0, nn_plan_build(unit_env(), setup->spec, setup->kernels, 16)->nparams *
			   sizeof(nn_real));
		forecaster = forecaster_of(setup, 2, 8);
		nn_forecast(forecaster, setup->data, windows, 2, 8, (double[]) {0.9}, 1, point, low, high);
		for (uint32_t v = 0; v < 48; v++)
		{
			double		last = setup->series->value[windows[v / 24].origin * 4 + v % 3];

			UNIT_NEAR(point[v], last, 1e-6);
			/* Quantiles all move with it, a width does not. */
			if (i == 1)
				UNIT_CHECK(high[v] - low[v] < 1e-6);
			if (i > 1 && v < 9)
				UNIT_NEAR((high[v] - low[v]) / (high[v % 3] - low[v % 3]), 1, 1e-6);
		}
	}
}

static void
past_covariates_forbid_recursion(void)
{
	Shape		shape = {SMALL "\"scaling\":\"none\"", 1, 2, 0, 0, 8, 5, 5, 0};
	Setup	   *setup = setup_create(&shape, false);

	nn_forecast_check(unit_env(), setup->spec, 5);
	nn_forecast_check(unit_env(), setup->spec, 1);
	UNIT_FAILS(unit_env(), NN_BAD_VALUE, nn_forecast_check(unit_env(), setup->spec, 6));
	UNIT_CHECK(strstr(unit_host.message, "horizon 6 is longer than the trained 5") != NULL);
	setup->spec->npast = 0;
	nn_forecast_check(unit_env(), setup->spec, 60000);
}

/* ---- windows beside each other */

/* All windows of both series with a full context, at most as many as have room. */
static uint32_t
windows_all(const Setup *setup, NnWindow *windows, uint32_t room)
{
	uint32_t	n = 0;

	for (uint32_t s = 0; s < 2; s++)
		for (uint32_t t = setup->spec->context - 1; t < setup->series->history[s] && n < room; t++)
			windows[n++] = (NnWindow) {s, setup->series->first[s] + t};
	return n;
}

static void
windows_do_not_mix(void)
{
	static const Shape shapes[] = {
		{SMALL "\"loss\":\"gaussian\"", 2, 0, 2, 1, 4, 3, 8, 0.1},
		{SMALL "\"architecture\":\"gru\",\"loss\":\"quantile\",\"missing\":\"mask\"", 1, 0, 1, 0, 4,
			3, 8, 0.1},
		{"\"units\":17,\"loss\":\"student_t\",\"bidirectional\":true,\"activation\":\"softplus\"",
			1, 0, 0, 0, 4, 3, 8, 0}
	};

	for (size_t i = 0; i < COUNT(shapes); i++)
	{
		Setup	   *setup = setup_create(&shapes[i], false);
		NnWindow	windows[100];
		uint32_t	n = windows_all(setup, windows, 100),
					values = 8 * shapes[i].targets;
		double	   *point[3],
				   *low[3],
				   *high[3];
		NnForecaster *wide = forecaster_of(setup, n, 8),
				   *narrow = forecaster_of(setup, 1, 8);

		UNIT_CHECK(n > 64);
		UNIT_INTEGER(wide->plan->lanes, 48);
		UNIT_INTEGER(narrow->plan->lanes, 16);
		for (int k = 0; k < 3; k++)
		{
			point[k] = NN_NEW_ARRAY(unit_env(), double, (size_t) n * values);
			low[k] = NN_NEW_ARRAY(unit_env(), double, (size_t) n * values);
			high[k] = NN_NEW_ARRAY(unit_env(), double, (size_t) n * values);
		}
		nn_forecast(wide, setup->data, windows, n, 8, (double[]) {0.9}, 1, point[0], low[0], high[0]);
		for (uint32_t w = 0; w < n; w++)
		{
			size_t		at = (size_t) w * values;

			nn_forecast(narrow, setup->data, windows + w, 1, 8, (double[]) {0.9}, 1, point[1] + at,
						low[1] + at,
						high[1] + at);
			/* In a state that a fuller tile has left behind. */
			nn_forecast(wide, setup->data, windows + w, 1, 8, (double[]) {0.9}, 1, point[2] + at, low[2] + at,
						high[2] + at);
		}
		for (int k = 1; k < 3; k++)
		{
			UNIT_CHECK(memcmp(point[0], point[k], n * values * sizeof(double)) == 0);
			UNIT_CHECK(memcmp(low[0], low[k], n * values * sizeof(double)) == 0);
			UNIT_CHECK(memcmp(high[0], high[k], n * values * sizeof(double)) == 0);
		}
	}
}

/* Points of all windows together and then of each by itself, [2][n][horizon][targets]. */
static double *
points_both(const Setup *setup, const NnWindow *windows, uint32_t n, uint32_t horizon)
{
	size_t		values = (size_t) horizon * setup->spec->ntargets;
	double	   *point = NN_NEW_ARRAY(unit_env(), double, 2 * n * values);
	NnForecaster *one = forecaster_of(setup, 1, horizon);

	memcpy(point, points_of(setup, windows, n, horizon), n * values * sizeof(double));
	for (uint32_t w = 0; w < n; w++)
		nn_forecast(one, setup->data, windows + w, 1, horizon, NULL, 0, point + (n + w) * values, NULL, NULL);
	return point;
}

static void
kernels_forecast_alike(void)
{
	static const Shape shapes[] = {
		{"\"units\":17,\"loss\":\"gaussian\",\"num_layers\":2", 2, 0, 2, 1, 4, 3, 8, 0.1},
		{"\"units\":50", 1, 0, 0, 0, 12, 1, 8, 0},
		{"\"units\":33,\"architecture\":\"gru\",\"residual\":true", 1, 0, 0, 0, 8, 2, 8, 0},
		{"\"units\":9,\"architecture\":\"rnn\",\"bidirectional\":true", 1, 0, 1, 0, 8, 2, 8, 0}
	};

	for (size_t i = 0; i < COUNT(shapes); i++)
	{
		Setup	   *setup = setup_create(&shapes[i], i == 1 || i == 2);
		NnWindow	windows[100];
		uint32_t	n = windows_all(setup, windows, 100),
					values = n * 8 * shapes[i].targets;
		double	   *point[3];
		static const char *const names[] = {"generic", "avx2", "avx512"};

		for (int k = 0; k < 3; k++)
		{
			setup->kernels = nn_kernels_get(names[k]);
			point[k] = setup->kernels ? points_both(setup, windows, n, 8) : NULL;
			if (point[k])
				UNIT_CHECK(memcmp(point[k], point[k] + values, values * sizeof(double)) == 0);
		}
		if (point[1] && point[2])
			UNIT_CHECK(memcmp(point[1], point[2], values * sizeof(double)) == 0);
		for (uint32_t v = 0; point[1] && v < values; v++)
			UNIT_NEAR(point[0][v] / point[1][v], 1, 1e-6);
	}
}

static void
forecast_allocates_nothing(void)
{
	Shape		shape = {SMALL "\"loss\":\"quantile\"", 1, 0, 1, 0, 4, 3, 8, 0};
	Setup	   *setup = setup_create(&shape, false);
	NnForecaster *forecaster = forecaster_of(setup, 2, 8);
	NnWindow	windows[2] = {newest(setup, 0), newest(setup, 1)};
	double		point[16],
				low[16],
				high[16];
	size_t		nallocs = unit_host.nallocs,
				npolls = unit_host.npolls;

	nn_forecast(forecaster, setup->data, windows, 2, 8, (double[]) {0.5}, 1, point, low, high);
	UNIT_INTEGER(unit_host.nallocs, nallocs);
	/* It can be cancelled at any step of any block. */
	UNIT_CHECK(unit_host.npolls - npolls > 3 * 4);
	unit_host.poll_limit = unit_host.npolls + 13;
	UNIT_FAILS(unit_env(), NN_BAD_VALUE,
			   nn_forecast(forecaster, setup->data, windows, 2, 8, (double[]) {0.5}, 1, point, low, high));
	UNIT_STRING(unit_host.message, "canceled by the test");
}

static void
memory_limit_is_told(void)
{
	Shape		shape = {SMALL "\"scaling\":\"none\"", 1, 0, 0, 0, 4, 3, 8, 0};
	Setup	   *setup = setup_create(&shape, false);
	size_t		before = unit_host.nbytes;

	UNIT_FAILS(unit_env(), NN_NO_MEMORY, forecaster_of(setup, 48, 100000000));
	UNIT_CHECK(strstr(unit_host.message, "forecasting needs ") != NULL);
	UNIT_CHECK(strstr(unit_host.message, " MB of memory, above the limit of 1024.0 MB") != NULL);
	UNIT_FAILS(unit_env(), NN_NO_MEMORY, forecaster_of(setup, 1, UINT32_MAX));
	UNIT_CHECK(unit_host.nbytes - before < 1 << 20);
}

/* ---- intervals */

static const char *const interval_losses[] = {
	SMALL "\"loss\":\"gaussian\"", SMALL "\"loss\":\"student_t\"", SMALL "\"loss\":\"quantile\"",
	SMALL "\"loss\":\"quantile\",\"quantiles\":[0.02,0.3,0.5,0.6]",
	SMALL "\"loss\":\"quantile\",\"quantiles\":[0.5,0.9]"
};

/* low <= point <= high, the wider the higher the level, and beyond the trained horizon. */
static void
intervals_are_nested(void)
{
	static const double levels[] = {0.01, 0.5, 0.8, 0.95, 0.999};

	for (size_t i = 0; i < COUNT(interval_losses); i++)
	{
		Shape		shape = {interval_losses[i], 2, 0, 0, 0, 6, 3, 10, 0};
		Setup	   *setup = setup_create(&shape, false);
		NnWindow	windows[2] = {newest(setup, 0), newest(setup, 1)};
		NnForecaster *forecaster = forecaster_of(setup, 2, 10);
		double		point[40],
					low[COUNT(levels)][40],
					high[COUNT(levels)][40];

		for (size_t k = 0; k < COUNT(levels); k++)
			nn_forecast(forecaster, setup->data, windows, 2, 10, (double[]) {levels[k]}, 1, point,
						low[k], high[k]);
		for (size_t k = 0; k < COUNT(levels); k++)
			for (uint32_t v = 0; v < 40; v++)
			{
				uint32_t	step = v / 2 % 10,
							end = v - (step - 2) * 2;	/* the last step trained for */

				UNIT_CHECK(low[k][v] <= point[v] && point[v] <= high[k][v]);
				UNIT_CHECK(low[k][v] < high[k][v]);
				if (k > 0)
					UNIT_CHECK(low[k][v] < low[k - 1][v] && high[k][v] > high[k - 1][v]);
				if (step >= 3)
					UNIT_CHECK(point[v] - low[k][v] > point[end] - low[k][end] &&
							   high[k][v] - point[v] > high[k][end] - point[end]);
				if (step >= 6)	/* the third block, over the end of the second */
					UNIT_CHECK(high[k][v] - low[k][v] > high[k][end + 6] - low[k][end + 6]);
			}
	}
}

static void
gaussian_interval_by_hand(void)
{
	Shape		shape = {SMALL "\"loss\":\"gaussian\",\"residual\":false", 1, 0, 0, 0, 6, 3, 5, 0};
	Setup	   *setup = setup_create(&shape, false);
	NnWindow	window = newest(setup, 1);
	NnForecaster *forecaster = forecaster_of(setup, 1, 5);
	double		point[5],
				low[5],
				high[5],
				half[5];

	forecaster->solo = NULL;
	/* After three of five steps the outputs are still those of the first block. */
	nn_forecast(forecaster, setup->data, &window, 1, 3, (double[]) {0.8}, 1, point, low, high);
	for (uint32_t h = 0; h < 3; h++)
	{
		nn_real		s = nn_state_output(forecaster->state, forecaster->plan->output_layer)
			[(h * 2 + 1) * NN_LANES];
		double		sigma = log1p(exp((double) s)) + NN_MIN_SIGMA;

		half[h] = 1.2815515655446004 * sigma * setup->data->prep->scale[0];
		UNIT_NEAR(high[h] - point[h], half[h], 1e-6);
		UNIT_NEAR(point[h] - low[h], half[h], 1e-6);
	}
	nn_forecast(forecaster, setup->data, &window, 1, 5, (double[]) {0.8}, 1, point, low, high);
	for (uint32_t h = 3; h < 5; h++)
	{
		nn_real		s = nn_state_output(forecaster->state, forecaster->plan->output_layer)
			[((h - 3) * 2 + 1) * NN_LANES];
		double		sigma = log1p(exp((double) s)) + NN_MIN_SIGMA;

		half[h] = 1.2815515655446004 * sigma * setup->data->prep->scale[0];
		UNIT_NEAR(high[h] - point[h], hypot(half[h], half[2]), 1e-6);
	}
}

/* Errors of differences add up: widths grow as the root of the sum of squares. */
static void
differences_widen(void)
{
	Shape		shape = {SMALL "\"loss\":\"student_t\",\"difference\":1", 1, 0, 0, 0, 6, 4, 12, 0};
	Setup	   *setup = setup_create(&shape, false);
	NnWindow	window = newest(setup, 0);
	double		point[12],
				low[12],
				high[12];

	nn_forecast(forecaster_of(setup, 1, 12), setup->data, &window, 1, 12, (double[]) {0.9}, 1, point,
				low, high);
	for (uint32_t h = 1; h < 12; h++)
		UNIT_CHECK(high[h] - low[h] > high[h - 1] - low[h - 1]);
}

static void
points_have_no_interval(void)
{
	static const char *const losses[] = {
		SMALL "\"loss\":\"mse\"", SMALL "\"loss\":\"huber\"",
			SMALL "\"loss\":\"quantile\",\"quantiles\":[0.5]"
	};

	for (size_t i = 0; i < COUNT(losses); i++)
	{
		Shape		shape = {losses[i], 1, 0, 0, 0, 6, 3, 5, 0};
		Setup	   *setup = setup_create(&shape, false);
		NnWindow	window = newest(setup, 0);
		double		point[5],
					low[5] = {0},
					high[5] = {0};

		nn_forecast(forecaster_of(setup, 1, 5), setup->data, &window, 1, 5, (double[]) {0.9}, 1, point,
					low, high);
		for (uint32_t h = 0; h < 5; h++)
			UNIT_CHECK(isfinite(point[h]) && isnan(low[h]) && isnan(high[h]));
	}
}

static void
bounds_hold(void)
{
	static const char *const bounds[] = {"[20,null]", "[null,21]", "[20.5,20.75]", "[-1e9,-1e8]"};

	for (size_t i = 0; i < COUNT(bounds); i++)
		for (uint32_t lag = 0; lag < 2; lag++)
		{
			Shape		shape = {nn_format(unit_env(),
				SMALL "\"loss\":\"student_t\",\"difference\":%u,\"bounds\":%s",
										   lag, bounds[i]), 1, 0, 0, 0, 6, 3, 9, 0};
			Setup	   *setup = setup_create(&shape, false);
			NnWindow	windows[100];
			uint32_t	n = windows_all(setup, windows, 100);
			double	   *point = NN_NEW_ARRAY(unit_env(), double, n * 9),
					   *low = NN_NEW_ARRAY(unit_env(), double, n * 9),
					   *high = NN_NEW_ARRAY(unit_env(), double, n * 9);
			double		least = isnan(setup->spec->lower_bound) ? -INFINITY : setup->spec->lower_bound,
						most = isnan(setup->spec->upper_bound) ? INFINITY : setup->spec->upper_bound;
			uint32_t	touched = 0;

			nn_forecast(forecaster_of(setup, n, 9), setup->data, windows, n, 9, (double[]) {0.99}, 1,
						point, low, high);
			for (uint32_t v = 0; v < n * 9; v++)
			{
				UNIT_CHECK(low[v] >= least && low[v] <= point[v] && point[v] <= high[v] && high[v] <= most);
				touched += low[v] == least || high[v] == most;
			}
			UNIT_CHECK(touched > n);
		}
}

/*
 * A network of nothing but an embedding forecasts by series alone: each its own
 * vector, whatever its place among the rows, and the mean for one not trained.
 */
static void
series_are_told_apart(void)
{
	Shape		shape = {"\"scaling\":\"none\",\"layers\":[{\"type\":\"embedding\",\"units\":2}]", 1, 0, 0, 0,
	4, 2, 2, 0};
	Setup	   *setup = setup_create(&shape, false);
	NnWindow	windows[2] = {newest(setup, 0), newest(setup, 1)};
	uint32_t	swapped[2] = {1, 0},
				unseen[2] = {0, NN_IDENTITY_UNSEEN};
	double	   *own,
			   *other,
			   *mean;

	own = points_of(setup, windows, 2, 2);
	setup->data->identity = swapped;
	other = points_of(setup, windows, 2, 2);
	setup->data->identity = unseen;
	mean = points_of(setup, windows, 2, 2);
	for (int i = 0; i < 2; i++)
	{
		UNIT_CHECK(own[i] != own[2 + i]);
		UNIT_NEAR(other[i], own[2 + i], 0);
		UNIT_NEAR(other[2 + i], own[i], 0);
		UNIT_NEAR(mean[i], own[i], 0);
		UNIT_NEAR(mean[2 + i], (own[i] + own[2 + i]) / 2, 1e-6);
	}
}

int
main(void)
{
	UNIT_RUN(trained_horizon_is_direct);
	UNIT_RUN(series_are_told_apart);
	UNIT_RUN(longer_horizon_is_recursive);
	UNIT_RUN(others_slide);
	UNIT_RUN(removed_value_is_marked);
	UNIT_RUN(residual_alone_is_persistence);
	UNIT_RUN(past_covariates_forbid_recursion);
	UNIT_RUN(windows_do_not_mix);
	UNIT_RUN(kernels_forecast_alike);
	UNIT_RUN(forecast_allocates_nothing);
	UNIT_RUN(memory_limit_is_told);
	UNIT_RUN(intervals_are_nested);
	UNIT_RUN(gaussian_interval_by_hand);
	UNIT_RUN(differences_widen);
	UNIT_RUN(points_have_no_interval);
	UNIT_RUN(bounds_hold);
	return unit_finish();
}
