/*
 * test_baseline.c
 *		Naive, seasonal naive, mean and drift forecasts; the scales of MASE and RMSSE.
 */
#include "core/nn_baseline.h"
#include "test_data.h"

static void
check_forecast(const NnSeries *series, NnBaselineKind kind, uint32_t season, uint32_t s,
			   uint32_t origin, const double *expected, uint32_t horizon)
{
	double		out[8];

	nn_baseline_forecast(series, kind, season, s, origin, horizon, 0, out);
	for (uint32_t h = 0; h < horizon; h++)
		UNIT_NEAR(out[h], expected[h], 1e-14);
}

#define CHECK_FORECAST(series, kind, season, origin, ...) \
	check_forecast(series, kind, season, 0, origin, (const double[]) {__VA_ARGS__}, \
				   (uint32_t) (sizeof((const double[]) {__VA_ARGS__}) / sizeof(double)))

static void
naive_repeats_the_last(void)
{
	NnSeries   *series = SERIES_OF(NAN, 1, 5, NAN, 9);

	CHECK_FORECAST(series, NN_BASELINE_NAIVE, 0, 2, 5, 5);
	CHECK_FORECAST(series, NN_BASELINE_NAIVE, 7, 3, 5, 5);
	CHECK_FORECAST(series, NN_BASELINE_NAIVE, 0, 0, NAN, NAN);
}

static void
seasonal_repeats_the_season(void)
{
	NnSeries   *series = SERIES_OF(1, 2, 3, 4, NAN, 6, 7);

	/* Rows 4, 5, 6 of season 3 after row 3: rows 1, 2, 3, and again. */
	CHECK_FORECAST(series, NN_BASELINE_SEASONAL, 3, 3, 2, 3, 4, 2, 3, 4, 2);
	/* After row 6: row 4 is unknown, so row 1. */
	CHECK_FORECAST(series, NN_BASELINE_SEASONAL, 3, 6, 2, 6, 7, 2);
	/* A season longer than the history: what there is, else naive. */
	CHECK_FORECAST(series, NN_BASELINE_SEASONAL, 3, 0, 1, 1, 1);
	CHECK_FORECAST(series, NN_BASELINE_SEASONAL, 5, 1, 2, 2, 2, 1, 2);
	CHECK_FORECAST(series, NN_BASELINE_SEASONAL, 0, 3, 4, 4);
	CHECK_FORECAST(series, NN_BASELINE_SEASONAL, 1, 3, 4, 4);
	CHECK_FORECAST(SERIES_OF(NAN, NAN), NN_BASELINE_SEASONAL, 2, 1, NAN, NAN);
}

static void
mean_and_drift(void)
{
	NnSeries   *series = SERIES_OF(NAN, 1, 5, NAN, 9);

	CHECK_FORECAST(series, NN_BASELINE_MEAN, 0, 3, 3, 3);
	CHECK_FORECAST(series, NN_BASELINE_MEAN, 0, 4, 5, 5);
	CHECK_FORECAST(series, NN_BASELINE_MEAN, 0, 0, NAN);
	CHECK_FORECAST(series, NN_BASELINE_DRIFT, 0, 4, 9 + 8.0 / 3, 9 + 16.0 / 3);
	/* One row since the last known one: two changes to the next. */
	CHECK_FORECAST(series, NN_BASELINE_DRIFT, 0, 3, 13, 17);
	CHECK_FORECAST(series, NN_BASELINE_DRIFT, 0, 1, 1, 1);
	CHECK_FORECAST(series, NN_BASELINE_DRIFT, 0, 0, NAN);
	CHECK_FORECAST(SERIES_OF(1.7e308, 1.7e308, 1.7e308), NN_BASELINE_MEAN, 0, 2, 1.7e308);
}

static void
baselines_stay_in_their_series(void)
{
	NnSeries   *series = series_create(2, (const uint32_t[]) {3, 3}, 2, 0);
	const double expected[] = {4, 4};

	for (uint32_t row = 0; row < 6; row++)
		series->value[row * 2] = row;
	check_forecast(series, NN_BASELINE_SEASONAL, 4, 1, 4, expected, 2);
	series->value[4 * 2] = series->value[3 * 2] = NAN;
	check_forecast(series, NN_BASELINE_SEASONAL, 2, 1, 4, (const double[]) {NAN, NAN}, 2);
	check_forecast(series, NN_BASELINE_MEAN, 2, 1, 5, (const double[]) {5, 5}, 2);
}

static void
baselines_never_look_ahead(void)
{
	uint64_t	state = 4;

	for (uint32_t run = 0; run < 400; run++)
	{
		NnSeries   *series = series_create(1, (const uint32_t[]) {20}, 1, 0);
		uint32_t	origin = random_below(&state, 19);
		double		before[8],
					after[8];

		series_randomise(series, &state, 0.3);
		nn_baseline_forecast(series, (NnBaselineKind) (run % 4), 4, 0, origin, 8, 0, before);
		for (uint32_t row = origin + 1; row < 20; row++)
			series->value[row] = random_unit(&state);
		nn_baseline_forecast(series, (NnBaselineKind) (run % 4), 4, 0, origin, 8, 0, after);
		UNIT_CHECK(memcmp(before, after, sizeof(before)) == 0);
	}
}

static void
mase_scale(void)
{
	NnSeries   *series = SERIES_OF(1, 3, NAN, 4, 8, 8);

	UNIT_NEAR(nn_mase_scale(series, 0, 6, 1, 0), 2, 1e-14);
	UNIT_NEAR(nn_mase_scale(series, 0, 6, 0, 0), 2, 1e-14);
	UNIT_NEAR(nn_mase_scale(series, 0, 5, 1, 0), 3, 1e-14);
	UNIT_NEAR(nn_mase_scale(series, 0, 99, 2, 0), 2.5, 1e-14);
	UNIT_CHECK(isnan(nn_mase_scale(series, 0, 3, 3, 0)));
	UNIT_NEAR(nn_mase_scale(SERIES_OF(2, 2, 2), 0, 3, 1, 0), 0, 0);
	UNIT_STRING(nn_baseline_name(NN_BASELINE_SEASONAL), "seasonal_naive");
}

static void
rmsse_scale(void)
{
	NnSeries   *series = SERIES_OF(1, 3, NAN, 4, 8, 8);

	UNIT_NEAR(nn_rmsse_scale(series, 0, 6, 1, 0), sqrt(20.0 / 3), 1e-14);
	UNIT_NEAR(nn_rmsse_scale(series, 0, 6, 0, 0), sqrt(20.0 / 3), 1e-14);
	UNIT_NEAR(nn_rmsse_scale(series, 0, 99, 2, 0), sqrt((1.0 + 16) / 2), 1e-14);
	UNIT_CHECK(isnan(nn_rmsse_scale(series, 0, 3, 3, 0)));
	UNIT_NEAR(nn_rmsse_scale(SERIES_OF(2, 2, 2), 0, 3, 1, 0), 0, 0);
	UNIT_NEAR(nn_rmsse_scale(SERIES_OF(2, 2, 5), 0, 3, 1, 0), sqrt(4.5), 1e-14);
	/* Squares that would overflow do not. */
	UNIT_NEAR(nn_rmsse_scale(SERIES_OF(0, 3e200, -1e200), 0, 3, 1, 0) / 1e200, sqrt(12.5), 1e-14);
	UNIT_CHECK(isinf(nn_rmsse_scale(SERIES_OF(1.7e308, -1.7e308, 0), 0, 3, 1, 0)));
}

/* A plain column, whatever lies between its rows. */
static void
columns_may_be_strided(void)
{
	static const double value[] = {1, 90, 2, 91, 3, 92};
	double		out[2];

	nn_baseline_column(NN_BASELINE_DRIFT, value, 2, 3, 0, 2, out);
	UNIT_NEAR(out[1], 5, 1e-14);
	nn_baseline_column(NN_BASELINE_SEASONAL, value, 2, 3, 2, 2, out);
	UNIT_NEAR(out[0], 2, 0);
	nn_baseline_column(NN_BASELINE_SEASONAL, value, 2, 0, 2, 2, out);
	UNIT_CHECK(isnan(out[0]) && isnan(out[1]));
}

int
main(void)
{
	UNIT_RUN(naive_repeats_the_last);
	UNIT_RUN(seasonal_repeats_the_season);
	UNIT_RUN(mean_and_drift);
	UNIT_RUN(baselines_stay_in_their_series);
	UNIT_RUN(baselines_never_look_ahead);
	UNIT_RUN(mase_scale);
	UNIT_RUN(rmsse_scale);
	UNIT_RUN(columns_may_be_strided);
	return unit_finish();
}
