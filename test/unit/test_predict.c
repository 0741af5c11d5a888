/*
 * test_predict.c
 *		Forecasts of whole models against their parts: networks, simple members,
 *		weights, intervals.
 */
#include "core/nn_predict.h"

#include "network.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* A model of random parameters on two series of 60 and 45 rows. */
typedef struct Setup
{
	NnModel    *model;
	NnSeries   *series;
	NnData	   *data;
} Setup;

static Setup *
setup_create(const char *options, uint32_t ntargets)
{
	static const uint32_t rows[] = {60, 45};
	NnEnv	   *env = unit_env();
	Setup	   *setup = NN_NEW(env, Setup);
	NnModel    *model = setup->model = NN_NEW(env, NnModel);
	NnSpec	   *spec = spec_parse(options);
	uint32_t	members;
	uint64_t	state = 17;

	spec->ntargets = ntargets;
	spec->context = 8;
	spec->horizon = spec->forecast_horizon = 3;
	spec->season = 4;
	nn_spec_expand(env, spec);
	model->spec = *spec;
	setup->series = series_create(2, rows, ntargets, 0);
	series_randomise(setup->series, &state, 0.05);
	model->nseries = 2;
	model->prep = prep_of(&model->spec, setup->series);
	setup->data = data_of(&model->spec, model->prep, setup->series);
	model->nparams = nn_plan_build(env, &model->spec, nn_kernels_get(NULL), NN_LANES)->nparams;
	model->params = NN_NEW_ARRAY(env, nn_real, model->nparams * spec->ensemble_size);
	for (size_t i = 0; i < model->nparams * spec->ensemble_size; i++)
		model->params[i] = (nn_real) (random_unit(&state) - 0.5);
	members = nn_member_count(&model->spec);
	nn_members_fit(env, setup->series, setup->series->history, model);
	model->weight = NN_NEW_ARRAY(env, double, members);
	for (uint32_t m = 0; m < members; m++)
		model->weight[m] = 2.0 * (m + 1) / (members * (members + 1));
	return setup;
}

/* Calibrated widths: 1 unit (of the scale) at probability 0.8, growing with the step. */
static void
interval_add(Setup *setup)
{
	NnModel    *model = setup->model;
	uint32_t	G = model->spec.ntargets;

	model->interval.steps = model->spec.horizon;
	model->interval.width = NN_NEW_ARRAY(unit_env(), double,
										 (size_t) model->spec.horizon * G * NN_INTERVAL_POINTS);
	for (uint32_t i = 0; i < model->spec.horizon * G; i++)
		for (int q = 0; q < NN_INTERVAL_POINTS; q++)
			model->interval.width[i * NN_INTERVAL_POINTS + q] = nn_interval_probability[q] * (1 +
																							  i / G) / 0.8;
}

static NnPredictor *
predictor_of(const Setup *setup, uint32_t windows)
{
	return nn_predictor_create(unit_env(), setup->model, nn_kernels_get(NULL), windows, 5);
}

/* The newest windows of both series, and three older ones. */
static const NnWindow windows[] = {{0, 59}, {1, 104}, {0, 30}, {0, 41}, {1, 80}};

#define NWINDOWS ((uint32_t) COUNT(windows))
#define MOST (NWINDOWS * 5 * 2)

/* What one network may take, many may not. */
static void
memory_is_planned_for_all_networks(void)
{
	Setup	   *setup = setup_create("\"units\":64,\"ensemble_size\":32", 1);
	size_t		before = unit_env()->max_memory;

	unit_env()->max_memory = 1 << 20;
	UNIT_FAILS(unit_env(), NN_NO_MEMORY, predictor_of(setup, NWINDOWS));
	UNIT_CHECK(strncmp(unit_host.message, "forecasting with 32 networks needs ", 35) == 0);
	setup->model->spec.ensemble_size = 1;
	UNIT_CHECK(predictor_of(setup, NWINDOWS) != NULL);
	unit_env()->max_memory = before;
}

static void
ensemble_is_the_mean(void)
{
	Setup	   *setup = setup_create("\"units\":4,\"ensemble_size\":3,\"loss\":\"gaussian\"", 2);
	NnModel    *model = setup->model;
	nn_real    *all = model->params;
	static const double level[] = {0.5, 0.9};
	double		mean[MOST], mean_low[2 * MOST], mean_high[2 * MOST],
				point[MOST], low[2 * MOST], high[2 * MOST];

	nn_predict(predictor_of(setup, 8), setup->data, windows, NWINDOWS, 5, level, 2, mean, mean_low,
			   mean_high);
	model->spec.ensemble_size = 1;
	for (uint32_t i = 0; i < 3; i++)
	{
		model->params = all + i * model->nparams;
		nn_predict(predictor_of(setup, 8), setup->data, windows, NWINDOWS, 5, level, 2, point, low, high);
		for (uint32_t v = 0; v < MOST; v++)
			mean[v] -= point[v] / 3;
		for (uint32_t v = 0; v < 2 * MOST; v++)
		{
			UNIT_CHECK(low[v] <= high[v]);
			mean_low[v] -= low[v] / 3;
			mean_high[v] -= high[v] / 3;
		}
	}
	for (uint32_t v = 0; v < MOST; v++)
		UNIT_NEAR(mean[v], 0, 1e-9);
	for (uint32_t v = 0; v < 2 * MOST; v++)
	{
		UNIT_NEAR(mean_low[v], 0, 1e-9);
		UNIT_NEAR(mean_high[v], 0, 1e-9);
	}
}

/* The weighted sum of what each says alone; whatever number of windows goes at once. */
static void
members_are_weighted(void)
{
	Setup	   *setup = setup_create("\"units\":4,\"members\":[\"network\",\"seasonal_naive\",\"drift\","
									 "\"theta\",\"ar\"]", 2);
	NnPredictor *predictor = predictor_of(setup, 16),
			   *small = predictor_of(setup, 2);
	double		sum[MOST] = {0},
				part[MOST],
				point[MOST],
				again[MOST];

	UNIT_INTEGER(nn_member_count(&setup->model->spec), 5);
	for (uint32_t m = 0; m < 5; m++)
	{
		nn_predict_member(predictor, setup->data, windows, NWINDOWS, 5, m, part, NULL);
		for (uint32_t v = 0; v < MOST; v++)
			sum[v] += setup->model->weight[m] * part[v];
	}
	nn_predict(predictor, setup->data, windows, NWINDOWS, 5, NULL, 0, point, NULL, NULL);
	nn_predict(small, setup->data, windows, NWINDOWS, 5, NULL, 0, again, NULL, NULL);
	for (uint32_t v = 0; v < MOST; v++)
		UNIT_NEAR(point[v], sum[v], 1e-9);
	UNIT_CHECK(memcmp(point, again, sizeof(point)) == 0);
}

/* A simple member alone is nn_classic.h's, on the rows up to the origin. */
static void
members_are_the_classical_methods(void)
{
	Setup	   *setup = setup_create("\"units\":4,\"members\":[\"network\",\"holt_winters\"]", 1);
	NnClassic  *classic = nn_classic_create(unit_env(), 100, 4);
	double		part[MOST],
				parameter[NN_CLASSIC_PARAMETERS],
				out[5];

	nn_predict_member(predictor_of(setup, 16), setup->data, windows, NWINDOWS, 5, 1, part, NULL);
	for (uint32_t i = 0; i < NWINDOWS; i++)
	{
		const NnSeries *series = setup->series;
		uint32_t	s = windows[i].series,
					first = series->first[s];

		nn_classic_fit(classic, NN_CLASSIC_HOLT_WINTERS, series->value + first, series->history[s],
					   parameter);
		nn_classic_forecast(classic, NN_CLASSIC_HOLT_WINTERS, parameter, series->value + first,
							windows[i].origin + 1 - first, 5, out);
		for (uint32_t h = 0; h < 5; h++)
			UNIT_NEAR(part[i * 5 + h], out[h], 1e-9);
	}
}

/* Series that the model has not seen are fitted on their rows up to the origin. */
static void
unseen_series_are_fitted(void)
{
	static const uint32_t identity[] = {0, UINT32_MAX};
	Setup	   *setup = setup_create("\"units\":4,\"members\":[\"network\",\"holt_winters\",\"ar\"]", 2);
	const NnWindow window = {1, 85};
	NnPredictor *predictor = predictor_of(setup, 4);
	double		known[MOST],
				before[MOST],
				after[MOST],
				again[MOST];

	nn_predict(predictor, setup->data, &window, 1, 5, NULL, 0, known, NULL, NULL);
	setup->data->identity = identity;
	nn_predict(predictor, setup->data, &window, 1, 5, NULL, 0, before, NULL, NULL);
	UNIT_CHECK(memcmp(known, before, 10 * sizeof(double)) != 0);
	/* Later rows do not matter, the trained series' parameters neither. */
	for (uint32_t row = 86; row < 105; row++)
		setup->series->value[row * 2] = 1e5;
	for (uint32_t i = 0; i < 2 * 2 * nn_classic_parameters(NN_CLASSIC_HOLT_WINTERS); i++)
		setup->model->classic[NN_CLASSIC_HOLT_WINTERS][i] = 0.5;
	nn_predictor_forget(predictor);
	nn_predict(predictor, setup->data, &window, 1, 5, NULL, 0, after, NULL, NULL);
	UNIT_CHECK(memcmp(before, after, 10 * sizeof(double)) == 0);
	nn_predict(predictor, setup->data, &window, 1, 5, NULL, 0, again, NULL, NULL);
	UNIT_CHECK(memcmp(before, again, 10 * sizeof(double)) == 0);
}

/* Where a member knows nothing the network speaks for it. */
static void
silent_members_leave_the_network(void)
{
	Setup	   *setup = setup_create("\"units\":4,\"members\":[\"network\",\"naive\",\"theta\"]", 1);
	double		network[3],
				member[3],
				point[3];
	const NnWindow window = {1, 104};

	for (uint32_t row = 60; row < 105; row++)
		setup->series->value[row] = NAN;
	setup->data = data_of(&setup->model->spec, setup->model->prep, setup->series);
	nn_predict_member(predictor_of(setup, 4), setup->data, &window, 1, 3, 0, network, NULL);
	nn_predict_member(predictor_of(setup, 4), setup->data, &window, 1, 3, 1, member, NULL);
	nn_predict(predictor_of(setup, 4), setup->data, &window, 1, 3, NULL, 0, point, NULL, NULL);
	for (int h = 0; h < 3; h++)
	{
		UNIT_CHECK(isnan(member[h]));
		UNIT_NEAR(point[h], network[h], 1e-9);
	}
}

/* Point and bounds stay within "bounds", and bounds on their side of the point. */
static void
bounds_are_kept(void)
{
	static const double level[] = {0.5, 0.99};
	static const char *const options[] = {
		"\"units\":4,\"bounds\":[20,23],\"members\":[\"network\",\"drift\",\"holt_winters\"]",
		"\"units\":4,\"bounds\":[20,23],\"loss\":\"student_t\",\"members\":[\"network\",\"drift\"]",
		"\"units\":4,\"bounds\":[20,23],\"loss\":\"quantile\",\"ensemble_size\":2"
	};

	for (size_t i = 0; i < COUNT(options); i++)
		for (int calibrated = 0; calibrated < 2; calibrated++)
		{
			Setup	   *setup = setup_create(options[i], 1);
			double		point[MOST], low[2 * MOST], high[2 * MOST];
			uint32_t	n = NWINDOWS * 5;

			if (calibrated)
				interval_add(setup);
			nn_predict(predictor_of(setup, 4), setup->data, windows, NWINDOWS, 5, level, 2, point, low, high);
			for (uint32_t v = 0; v < n; v++)
			{
				UNIT_CHECK(point[v] >= 20 && point[v] <= 23);
				if (i == 0 && !calibrated)
				{
					UNIT_CHECK(isnan(low[v]) && isnan(high[n + v]));
					continue;
				}
				UNIT_CHECK(low[v] >= 20 && low[v] <= point[v] && point[v] <= high[v] && high[v] <= 23);
				UNIT_CHECK(low[n + v] <= low[v] && high[v] <= high[n + v] && high[n + v] <= 23);
			}
		}
}

/* Calibrated widths are so many units around the point of the whole model. */
static void
intervals_lie_around_the_model(void)
{
	static const double level[] = {0.8, 0.4};
	Setup	   *setup = setup_create("\"units\":4,\"members\":[\"network\",\"drift\"]", 2);
	double		point[MOST], low[2 * MOST], high[2 * MOST],
				unit[2 * NN_MEASURES];

	interval_add(setup);
	setup->model->interval.unit = NN_MEASURE_STANDARD;
	nn_predict(predictor_of(setup, 2), setup->data, windows, NWINDOWS, 5, level, 2, point, low, high);
	for (uint32_t i = 0; i < NWINDOWS; i++)
	{
		nn_window_units(setup->data, &windows[i], unit);
		for (uint32_t h = 0; h < 5; h++)
			for (uint32_t k = 0; k < 2; k++)
			{
				uint32_t	v = (i * 5 + h) * 2 + k;
				double		wanted = unit[k * NN_MEASURES + NN_MEASURE_STANDARD] *
					(h < 3 ? h + 1 : 3 * sqrt((h + 1) / 3.0));

				UNIT_NEAR(high[v] - point[v], wanted, 1e-9);
				UNIT_NEAR(point[v] - low[v], wanted, 1e-9);
				UNIT_NEAR(high[MOST + v] - point[v], wanted / 2, 1e-9);
			}
	}
}

/* ------------------------------------------------------------------------
 * Weights
 */

#define NVALUES 400

typedef struct Race
{
	double		forecast[4][NVALUES],
				actual[NVALUES],
				scale[NVALUES];
} Race;

/* Members whose errors are noise of these sizes. */
static Race *
race_create(const double *sizes)
{
	Race	   *race = NN_NEW(unit_env(), Race);
	uint64_t	state = 99;

	for (uint32_t i = 0; i < NVALUES; i++)
	{
		race->actual[i] = 100 * random_unit(&state);
		race->scale[i] = 1;
		for (int m = 0; m < 4; m++)
			race->forecast[m][i] = race->actual[i] + sizes[m] * (random_unit(&state) - 0.5);
	}
	return race;
}

static void
weights_of(const Race *race, uint32_t M, double pull, double *weight)
{
	double		sum = 0;

	nn_weights_fit(unit_env(), M, NVALUES, race->forecast[0], race->actual, race->scale, pull, weight);
	for (uint32_t m = 0; m < M; m++)
	{
		UNIT_CHECK(weight[m] >= 0 && weight[m] <= 1);
		sum += weight[m];
	}
	UNIT_NEAR(sum, 1, 1e-9);
}

static void
best_member_gets_the_weight(void)
{
	for (int best = 0; best < 4; best++)
		for (int pull = 0; pull < 2; pull++)
		{
			double		sizes[] = {10, 10, 10, 10},
						weight[4];

			sizes[best] = 0.5;
			weights_of(race_create(sizes), 4, 0.3 * pull, weight);
			UNIT_CHECK(weight[best] > 0.95);
		}
}

static void
equal_members_share(void)
{
	static const double sizes[] = {3, 3, 3, 3};
	Race	   *race = race_create(sizes);
	double		weight[4];

	/* Independent errors of one size: nearly equal shares. */
	weights_of(race, 4, 0.3, weight);
	for (int m = 0; m < 4; m++)
		UNIT_NEAR(weight[m], 0.25, 0.1);
	/* The same forecast, four times: exactly equal ones. */
	for (int m = 1; m < 4; m++)
		memcpy(race->forecast[m], race->forecast[0], sizeof(race->forecast[0]));
	weights_of(race, 4, 0.3, weight);
	for (int m = 0; m < 4; m++)
		UNIT_NEAR(weight[m], 0.25, 1e-12);
	/* Without an error, and without a value. */
	for (int m = 0; m < 4; m++)
		memcpy(race->forecast[m], race->actual, sizeof(race->actual));
	weights_of(race, 4, 0.3, weight);
	UNIT_NEAR(weight[3], 0.25, 1e-12);
	for (uint32_t i = 0; i < NVALUES; i++)
		race->actual[i] = NAN;
	weights_of(race, 4, 0.3, weight);
	UNIT_NEAR(weight[1], 0.25, 1e-12);
	weights_of(race, 1, 0.3, weight);
	UNIT_CHECK(weight[0] == 1);
}

/* Two members whose errors cancel share; a value that one of them lacks is passed over. */
static void
errors_that_cancel_are_used(void)
{
	static const double sizes[] = {0, 0, 4, 4};
	Race	   *race = race_create(sizes);
	double		weight[4],
				again[4];

	for (uint32_t i = 0; i < NVALUES; i++)
	{
		race->forecast[0][i] += i % 2 ? 5 : -5;
		race->forecast[1][i] -= i % 2 ? 5 : -5;
	}
	weights_of(race, 4, 0, weight);
	UNIT_NEAR(weight[0], weight[1], 0.02);
	UNIT_CHECK(weight[0] + weight[1] > 0.4);
	weights_of(race, 2, 0, weight);
	UNIT_NEAR(weight[0], 0.5, 1e-6);
	race->forecast[1][17] = NAN;
	race->actual[17] = 1e9;
	weights_of(race, 2, 0, again);
	UNIT_NEAR(again[0], 0.5, 0.01);
	/* Errors count in units of their scale. */
	race->actual[17] = NAN;
	for (uint32_t i = 0; i < NVALUES / 2; i++)
	{
		race->scale[i] = 1e6;
		race->forecast[0][i] = race->actual[i] + 1e6 * (i % 2 ? 5 : -5);
		race->forecast[1][i] = race->actual[i] - 1e6 * (i % 2 ? 5 : -5);
	}
	weights_of(race, 2, 0, again);
	UNIT_NEAR(again[0], 0.5, 0.01);
}

int
main(void)
{
	UNIT_RUN(memory_is_planned_for_all_networks);
	UNIT_RUN(ensemble_is_the_mean);
	UNIT_RUN(members_are_weighted);
	UNIT_RUN(members_are_the_classical_methods);
	UNIT_RUN(unseen_series_are_fitted);
	UNIT_RUN(silent_members_leave_the_network);
	UNIT_RUN(bounds_are_kept);
	UNIT_RUN(intervals_lie_around_the_model);
	UNIT_RUN(best_member_gets_the_weight);
	UNIT_RUN(equal_members_share);
	UNIT_RUN(errors_that_cancel_are_used);
	return unit_finish();
}
