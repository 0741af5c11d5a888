/*
 * test_auto.c
 *		Settings from the rows: planted seasons are found and others are not, what is
 *		chosen can be trained on, and what the caller gave stays.
 */
#include "core/nn_auto.h"
#include "core/nn_member.h"

#include "network.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))
#define HOUR INT64_C(3600000000)

static const NnFrequency hourly = {NN_UNIT_MICROSECOND, HOUR, false},
			quarter_hourly = {NN_UNIT_MICROSECOND, HOUR / 4, false},
			daily = {NN_UNIT_DAY, 1, false},
			monthly = {NN_UNIT_MONTH, 1, false},
			integers = {NN_UNIT_INTEGER, 1, false};

/* What a series consists of. */
typedef struct Recipe
{
	uint32_t	season, longer;	/* two periods, 0: none */
	double		trend, noise, walk;
} Recipe;

static double
noise_draw(uint64_t *state)
{
	double		sum = -6;

	for (int i = 0; i < 12; i++)
		sum += random_unit(state);
	return sum;
}

static NnSeries *
series_cook(const Recipe *recipe, uint32_t nseries, uint32_t rows, uint64_t seed)
{
	uint32_t   *lengths = NN_NEW_ARRAY(unit_env(), uint32_t, nseries);
	NnSeries   *series;

	for (uint32_t s = 0; s < nseries; s++)
		lengths[s] = rows;
	series = series_create(nseries, lengths, 1, 0);
	for (uint32_t s = 0; s < nseries; s++)
	{
		double		level = 0,
					pattern[2000];

		for (uint32_t i = 0; i < recipe->season; i++)
			pattern[i] = 10 * noise_draw(&seed);
		for (uint32_t t = 0; t < rows; t++)
		{
			level += recipe->trend + recipe->walk * noise_draw(&seed);
			series->value[series->first[s] + t] = 100 + level + recipe->noise * noise_draw(&seed) +
				(recipe->season ? pattern[t % recipe->season] : 0) +
				(recipe->longer ? 30 * sin(6.283185307179586 * t / recipe->longer) : 0);
		}
	}
	return series;
}

static uint32_t
season_of(const Recipe *recipe, const NnFrequency *frequency, uint32_t nseries, uint32_t rows)
{
	return nn_auto_season(unit_env(), series_cook(recipe, nseries, rows, 3), 1, frequency);
}

static void
seasons_are_found(void)
{
	static const struct
	{
		const NnFrequency *frequency;
		Recipe		recipe;
		uint32_t	nseries, rows, season;
	}			cases[] = {
		{&monthly, {12, 0, 0, 1, 0}, 1, 60, 12},
		{&monthly, {12, 0, 3, 1, 0}, 1, 60, 12},
		{&monthly, {12, 0, -20, 1, 0}, 1, 36, 12},
		{&monthly, {12, 0, 0, 4, 0.5}, 20, 60, 12},
		{&hourly, {24, 0, 0, 1, 0}, 1, 1000, 24},
		{&hourly, {24, 0, 0.1, 1, 0.1}, 3, 1000, 24},
		/* Days differ by weekday: the week repeats, the day hardly does. */
		{&hourly, {168, 0, 0, 1, 0}, 1, 1500, 168},
		{&daily, {7, 0, 0, 2, 0}, 1, 200, 7},
		{&daily, {0, 365, 0, 2, 0}, 1, 1500, 365},
		{&quarter_hourly, {96, 0, 0, 1, 0}, 1, 2000, 96},
		/* Numbers as time: any length. */
		{&integers, {12, 0, 0, 1, 0}, 1, 120, 12},
		{&integers, {12, 0, 2, 1, 0}, 1, 120, 12},
		{&integers, {5, 0, 0, 0, 0}, 1, 60, 5},
		{&integers, {37, 0, 0, 1, 0}, 3, 400, 37},
	};

	for (size_t i = 0; i < COUNT(cases); i++)
	{
		uint32_t	season = season_of(&cases[i].recipe, cases[i].frequency, cases[i].nseries, cases[i].rows);

		if (season != cases[i].season)
			UNIT_FAILED("case %zu: season %u instead of %u", i, season, cases[i].season);
	}
}

static void
others_have_none(void)
{
	static const Recipe walk = {0, 0, 0, 0, 1},
				noise = {0, 0, 0, 1, 0},
				trend = {0, 0, 1, 0, 0},
				noisy_trend = {0, 0, 1, 2, 0},
				constant = {0, 0, 0, 0, 0},
			   *const recipes[] = {&walk, &noise, &trend, &noisy_trend, &constant};
	static const NnFrequency *const frequencies[] = {&hourly, &daily, &monthly, &integers};

	for (size_t r = 0; r < COUNT(recipes); r++)
		for (size_t f = 0; f < COUNT(frequencies); f++)
			for (uint32_t rows = 100; rows <= 900; rows += 400)
			{
				uint32_t	season = season_of(recipes[r], frequencies[f], 2, rows);

				if (season != 1)
					UNIT_FAILED("recipe %zu, frequency %zu, %u rows: season %u", r, f, rows, season);
			}
	/* Too short to repeat, or nothing known. */
	UNIT_INTEGER(season_of(&walk, &monthly, 1, 20), 1);
	UNIT_INTEGER(season_of(&walk, &integers, 1, 2), 1);
	UNIT_INTEGER(season_of(&walk, &integers, 1, 1), 1);
}

/* Gaps do not hide a season. */
static void
gaps_do_not_matter(void)
{
	static const Recipe recipe = {12, 0, 1, 1, 0};
	NnSeries   *series = series_cook(&recipe, 2, 120, 3);

	for (uint32_t i = 0; i < 240; i++)
		if (i % 7 == 3)
			series->value[i] = NAN;
	UNIT_INTEGER(nn_auto_season(unit_env(), series, 1, &monthly), 12);
	UNIT_INTEGER(nn_auto_season(unit_env(), series, 1, &integers), 12);
	for (uint32_t i = 0; i < 240; i++)
		series->value[i] = NAN;
	UNIT_INTEGER(nn_auto_season(unit_env(), series, 1, &monthly), 1);
}

/* ------------------------------------------------------------------------
 * Choices
 */

static NnSpec *
choose(const char *options, const NnSeries *series, uint32_t season, uint32_t horizon,
	   uint32_t context)
{
	NnSpec	   *spec = spec_parse(options);

	spec->ntargets = 1;
	spec->season = season;
	spec->horizon = spec->forecast_horizon = horizon;
	spec->context = context;
	return nn_auto_choose(unit_env(), spec, series, context > 0);
}

static void
choice_check(NnSpec *spec, uint32_t rows, uint32_t horizon)
{
	if (rows > horizon + 1)
	{
		UNIT_CHECK(spec->context >= 1 && spec->horizon >= 1 && spec->horizon <= horizon);
		UNIT_INTEGER(spec->forecast_horizon, horizon);
		if (spec->context + spec->horizon > rows)
			UNIT_FAILED("context %u and horizon %u of %u rows", spec->context, spec->horizon, rows);
		UNIT_CHECK(spec->folds >= 1 && spec->folds <= 100 && spec->epochs >= 1);
		UNIT_CHECK(spec->batch_size >= 1 && spec->learning_rate > 0);
		nn_spec_expand(unit_env(), spec);
		UNIT_CHECK(nn_plan_build(unit_env(), spec, nn_kernels_get(NULL), NN_LANES)->nparams > 0);
	}
}

/* Whatever the rows: context and horizon fit into the shortest series, and all numbers are in range. */
static void
choices_fit_the_rows(void)
{
	static const uint32_t lengths[] = {5, 8, 12, 20, 36, 60, 150, 700, 4000},
				seasons[] = {1, 4, 12, 24, 168, 365},
				horizons[] = {1, 3, 12, 48},
				counts[] = {1, 3, 300};
	static const Recipe recipe = {0, 0, 0, 1, 0};
	static const char *const options[] = {"", "\"architecture\":\"ensemble\"", "\"architecture\":\"lstm\""};

	for (size_t n = 0; n < COUNT(counts); n++)
		for (size_t l = 0; l < COUNT(lengths) && counts[n] * lengths[l] < 300000; l++)
		{
			NnSeries   *series = series_cook(&recipe, counts[n], lengths[l], 1);

			for (size_t i = 0; i < COUNT(seasons) * COUNT(horizons) * COUNT(options); i++)
				choice_check(choose(options[i % COUNT(options)], series,
									seasons[i / COUNT(options) % COUNT(seasons)],
									horizons[i / COUNT(options) / COUNT(seasons)], 0),
							 lengths[l], horizons[i / COUNT(options) / COUNT(seasons)]);
		}
}

/* What was said stays, all else being chosen. */
static void
given_options_are_kept(void)
{
	static const Recipe recipe = {12, 0, 0, 1, 0};
	NnSeries   *series = series_cook(&recipe, 3, 120, 1);
	static const char options[] =
		"\"epochs\":7,\"batch_size\":9,\"learning_rate\":0.5,\"loss\":\"gaussian\",\"ensemble_size\":2,"
		"\"members\":[\"network\",\"mean\"],\"folds\":2,\"refit\":false,\"optimizer\":\"sgd\","
		"\"clip_norm\":3,\"patience\":4,\"schedule\":\"step\",\"scale_by_series\":false,"
		"\"warmup_steps\":5,\"steps_per_epoch\":6";
	const NnSpec *spec = choose(options, series, 12, 6, 17);

	UNIT_INTEGER(spec->context, 17);
	UNIT_INTEGER(spec->epochs, 7);
	UNIT_INTEGER(spec->batch_size, 9);
	UNIT_NEAR(spec->learning_rate, 0.5, 0);
	UNIT_INTEGER(spec->loss, NN_LOSS_GAUSSIAN);
	UNIT_INTEGER(spec->ensemble_size, 2);
	UNIT_INTEGER(nn_member_count(spec), 2);
	UNIT_STRING(nn_member_name(spec, 1), "mean");
	UNIT_INTEGER(spec->folds, 2);
	UNIT_CHECK(!spec->refit && !spec->scale_by_series);
	UNIT_INTEGER(spec->optimizer, NN_SGD);
	UNIT_NEAR(spec->clip_norm, 3, 0);
	UNIT_INTEGER(spec->patience, 4);
	UNIT_INTEGER(spec->schedule, NN_SCHEDULE_STEP);
	UNIT_INTEGER(spec->warmup_steps, 5);
	UNIT_INTEGER(spec->steps_per_epoch, 6);
	UNIT_INTEGER(spec->season, 12);
}

/* A named network is taken as it is: context apart nothing is chosen, and no member joins. */
static void
named_networks_are_taken(void)
{
	static const Recipe recipe = {12, 0, 0, 1, 0};
	NnSeries   *series = series_cook(&recipe, 3, 120, 1);
	const NnSpec *choice = choose("\"architecture\":\"gru\"", series, 12, 6, 0);

	UNIT_INTEGER(choice->context, 24);
	UNIT_INTEGER(choice->ensemble_size, 1);
	UNIT_INTEGER(nn_member_count(choice), 1);
	UNIT_INTEGER(choice->epochs, spec_parse("\"architecture\":\"gru\"")->epochs);
	choice = choose("\"architecture\":\"gru\"", series, 1, 6, 0);
	UNIT_INTEGER(choice->context, 16);
	choice = choose("\"architecture\":\"gru\"", series, 1, 6, 40);
	UNIT_INTEGER(choice->context, 40);
	choice = choose("\"layers\":[{\"type\":\"lstm\",\"units\":3},{\"type\":\"dense\"}]", series, 1, 6, 0);
	UNIT_INTEGER(choice->nlayers, 2);
}

/* The default has simple members beside the network; a seasonal one only where there is a season. */
static void
members_join_by_default(void)
{
	static const Recipe recipe = {12, 0, 0, 1, 0};
	NnSeries   *series = series_cook(&recipe, 1, 120, 1);

	for (uint32_t season = 1; season <= 12; season += 11)
	{
		const NnSpec *spec = choose("", series, season, 6, 0);
		bool		seasonal = false;

		UNIT_CHECK(nn_member_count(spec) >= 3);
		UNIT_STRING(nn_member_name(spec, 0), "network");
		for (uint32_t m = 1; m < nn_member_count(spec); m++)
			seasonal |= strcmp(nn_member_name(spec, m), "seasonal_naive") == 0;
		UNIT_CHECK(seasonal == (season > 1));
		UNIT_CHECK(spec->ensemble_size > 1 && spec->refit);
		UNIT_CHECK(spec->folds > 1);
	}
}

/* Series forecast together: neighbours are looked at, and no member looks at one series. */
static void
sites_have_their_own_networks(void)
{
	static const Recipe recipe = {12, 0, 0, 1, 0};
	static const uint32_t lengths[] = {5, 30, 120, 2000};

	for (size_t l = 0; l < COUNT(lengths); l++)
		for (int grid = 0; grid < 2; grid++)
		{
			NnSeries   *series = series_cook(&recipe, 6, lengths[l], 1);
			NnSpec	   *spec = spec_parse("");

			spec->ntargets = 1;
			spec->season = 12;
			spec->horizon = spec->forecast_horizon = 2;
			spec->nsites = 6;
			spec->grid_rows = grid ? 2 : 0;
			spec->nedges = grid ? 0 : 7;
			spec = nn_auto_choose(unit_env(), spec, series, false);
			UNIT_INTEGER(nn_member_count(spec), 1);
			UNIT_INTEGER(spec->folds, 1);
			UNIT_CHECK(!spec->pad && !nn_auto_pads(spec, 6));
			choice_check(spec, lengths[l], 2);
			UNIT_STRING(spec->layer[0].type, grid ? "conv_lstm" : "graph");
		}
}

int
main(void)
{
	UNIT_RUN(seasons_are_found);
	UNIT_RUN(others_have_none);
	UNIT_RUN(gaps_do_not_matter);
	UNIT_RUN(choices_fit_the_rows);
	UNIT_RUN(given_options_are_kept);
	UNIT_RUN(named_networks_are_taken);
	UNIT_RUN(members_join_by_default);
	UNIT_RUN(sites_have_their_own_networks);
	return unit_finish();
}
