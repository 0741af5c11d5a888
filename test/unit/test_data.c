/*
 * test_data.c
 *		Data preparation: what is fitted, how gaps are filled, and the way back.
 *
 * Expected numbers are worked out by hand; the rest are properties over random
 * series: held-out rows move no fitted number, and what was scaled comes back.
 */
#include "test_data.h"

/* Tolerance of numbers that passed through nn_real. */
#ifdef NN_DOUBLE
#define NEAR 1e-12
#else
#define NEAR 2e-6
#endif

static const NnScaling scalings[] = {
	NN_SCALING_STANDARD, NN_SCALING_MINMAX, NN_SCALING_ROBUST, NN_SCALING_LOG1P, NN_SCALING_NONE
};

static const NnMissing methods[] = {
	NN_MISSING_LINEAR, NN_MISSING_PREVIOUS, NN_MISSING_MEAN, NN_MISSING_SEASONAL, NN_MISSING_MASK
};

/* Centre and scale of one column of numbers. */
static void
check_scaling(NnScaling scaling, const NnSeries *series, double center, double scale)
{
	NnSpec	   *spec = spec_plain(1, 0, 0, 1, 1);
	NnPrep	   *prep;

	spec->scaling = scaling;
	prep = prep_of(spec, series);
	UNIT_NEAR(prep->center[0], center, 1e-14);
	UNIT_NEAR(prep->scale[0] / scale, 1.0, 1e-14);
}

static void
scaling_fits(void)
{
	NnSeries   *series = SERIES_OF(1, 2, NAN, 3, 4, 10);

	check_scaling(NN_SCALING_STANDARD, series, 4, sqrt(10));
	check_scaling(NN_SCALING_MINMAX, series, 1, 9);
	check_scaling(NN_SCALING_ROBUST, series, 3, 2 / 1.349);
	check_scaling(NN_SCALING_NONE, series, 0, 1);
	check_scaling(NN_SCALING_LOG1P, SERIES_OF(0, expm1(2)), 1, 1);

	/* Half of the values equal: no interquartile range, but a deviation. */
	check_scaling(NN_SCALING_ROBUST, SERIES_OF(5, 5, 5, 5, 10), 5, 2);
}

static void
scaling_of_constant_is_one(void)
{
	NnSeries   *series = SERIES_OF(0.1, 0.1, 0.1, 0.1, 0.1, 0.1, 0.1);

	for (size_t i = 0; i < 3; i++)
		check_scaling(scalings[i], series, 0.1, 1);
	check_scaling(NN_SCALING_LOG1P, series, log1p(0.1), 1);
	check_scaling(NN_SCALING_STANDARD, SERIES_OF(NAN, 7), 7, 1);
}

static void
scaling_of_huge_and_tiny_values(void)
{
	NnSeries   *huge = SERIES_OF(-1e300, 1e300),
			   *tiny = SERIES_OF(0, 2e-300),
			   *widest = SERIES_OF(-1.7e308, 1.7e308);
	NnSpec	   *spec = spec_plain(1, 0, 0, 1, 1);
	NnData	   *data;

	check_scaling(NN_SCALING_STANDARD, huge, 0, 1e300);
	check_scaling(NN_SCALING_MINMAX, huge, -1e300, 2e300);
	check_scaling(NN_SCALING_STANDARD, tiny, 1e-300, 1e-300);
	for (size_t i = 0; i < 3; i++)
	{
		spec->scaling = scalings[i];
		data = data_of(spec, prep_of(spec, huge), huge);
		UNIT_CHECK(isfinite((double) data->x[0]) && isfinite((double) data->x[1]));
		UNIT_CHECK(isfinite(prep_of(spec, widest)->scale[0]));
	}
}

static void
scaled_values_must_be_finite(void)
{
	NnEnv	   *env = unit_env();
	NnSpec	   *spec = spec_plain(1, 0, 0, 1, 1);
	NnSeries   *series = SERIES_OF(1e-10, 0, 1e300);
	uint32_t	rows = 2;
	NnPrep	   *prep;

	spec->scaling = NN_SCALING_STANDARD;
	prep = nn_prep_fit(env, spec, series, &rows);
	UNIT_FAILS(env, NN_BAD_DATA, data_of(spec, prep, series));
	UNIT_STRING(unit_host.message,
				"value 1e+300 is out of range after scaling in column \"c0\" of series \"s0\" in row 3");

	/* A difference that no double holds. */
	spec->difference = 1;
	series = SERIES_OF(-1.7e308, 1.7e308);
	UNIT_FAILS(env, NN_BAD_DATA, prep_of(spec, series));
}

static void
log1p_refuses(void)
{
	NnEnv	   *env = unit_env();
	NnSpec	   *spec = spec_plain(1, 0, 0, 1, 1);
	NnSeries   *series = SERIES_OF(1, 0.5, -1, 3);
	uint32_t	rows = 2;
	NnPrep	   *prep;

	spec->scaling = NN_SCALING_LOG1P;
	prep = nn_prep_fit(env, spec, series, &rows);
	UNIT_FAILS(env, NN_BAD_DATA, prep_of(spec, series));
	UNIT_STRING(unit_host.message,
				"value -1 in column \"c0\" of series \"s0\" in row 3 is not above -1, "
				"as \"scaling\": \"log1p\" needs");
	UNIT_FAILS(env, NN_BAD_DATA, data_of(spec, prep, series));
	UNIT_CHECK(unit_host.hint[0] != '\0');
}

static void
groups_are_series_or_all(void)
{
	NnSpec	   *spec = spec_plain(2, 0, 0, 1, 1);
	NnSeries   *series = series_create(3, (const uint32_t[]) {2, 2, 2}, 2, 0);
	NnPrep	   *prep;
	const double values[] = {1, 10, 3, 30, 5, NAN, 9, NAN, 7, 70, 7, 90};

	memcpy(series->value, values, sizeof(values));
	spec->scaling = NN_SCALING_MINMAX;
	prep = prep_of(spec, series);
	UNIT_INTEGER(prep->ngroups, 1);
	UNIT_NEAR(prep->center[0], 1, 0);
	UNIT_NEAR(prep->scale[0], 8, 0);
	UNIT_NEAR(prep->scale[1], 80, 0);
	UNIT_NEAR(prep->mean[1], 50, 0);

	spec->scale_by_series = true;
	prep = prep_of(spec, series);
	UNIT_INTEGER(prep->ngroups, 3);
	UNIT_NEAR(prep->center[0 * 2 + 0], 1, 0);
	UNIT_NEAR(prep->scale[0 * 2 + 0], 2, 0);
	UNIT_NEAR(prep->center[1 * 2 + 0], 5, 0);
	UNIT_NEAR(prep->scale[1 * 2 + 0], 4, 0);
	UNIT_NEAR(prep->scale[2 * 2 + 0], 1, 0);
	UNIT_NEAR(prep->scale[2 * 2 + 1], 20, 0);
	/* The second series has no value in the second column: as all together. */
	UNIT_NEAR(prep->center[1 * 2 + 1], 10, 0);
	UNIT_NEAR(prep->scale[1 * 2 + 1], 80, 0);
	UNIT_NEAR(prep->mean[1 * 2 + 1], 50, 0);
}

static void
columns_without_values_fail(void)
{
	NnEnv	   *env = unit_env();
	NnSpec	   *spec = spec_plain(1, 0, 0, 1, 1);
	NnSeries   *series = SERIES_OF(NAN, NAN, 3);
	uint32_t	rows = 2;

	UNIT_FAILS(env, NN_BAD_DATA, nn_prep_fit(env, spec, series, &rows));
	UNIT_STRING(unit_host.message, "column \"c0\" has no known value in the training rows");
	spec->outliers = NN_OUTLIERS_ZSCORE;
	spec->outlier_threshold = 0.1;
	UNIT_FAILS(env, NN_BAD_DATA, prep_of(spec, SERIES_OF(-1, 1)));
	UNIT_STRING(unit_host.message, "every training value of column \"c0\" is an outlier");
}

static void
columns_must_match(void)
{
	NnEnv	   *env = unit_env();
	NnSpec	   *spec = spec_plain(1, 0, 0, 1, 1);
	NnPrep	   *prep = prep_of(spec, SERIES_OF(1, 2));
	NnSeries   *wide = series_create(1, (const uint32_t[]) {3}, 2, 0);
	uint32_t	group = 1;

	UNIT_FAILS(env, NN_BAD_DATA, data_of(spec, prep, wide));
	UNIT_FAILS(env, NN_BAD_DATA, nn_data_prepare(env, spec, prep, SERIES_OF(1, 2), &group));
}

/* Rows that were held out, altered in every way, move no bit of the prep. */
static void
held_out_rows_change_nothing(void)
{
	NnEnv	   *env = unit_env();
	uint64_t	state = 7;
	const uint32_t rows[] = {60, 45},
				train_rows[] = {40, 30};

	for (uint32_t run = 0; run < 5 * 5 * 4 * 2 * 2; run++)
	{
		NnSeries   *series = series_create(2, rows, 4, 0);
		NnSpec	   *spec = spec_plain(2, 1, 1, 6, 3);
		NnPrep	   *before,
				   *after;
		size_t		n;

		spec->scaling = scalings[run % 5];
		spec->missing = methods[run / 5 % 5];
		spec->outliers = (NnOutliers) (run / 25 % 4);
		spec->scale_by_series = run / 100 % 2;
		spec->difference = run / 200 % 2 * 4;
		spec->season = 4;
		series_randomise(series, &state, 0.1);
		before = nn_prep_fit(env, spec, series, train_rows);
		for (uint32_t s = 0; s < 2; s++)
			for (uint32_t t = train_rows[s]; t < rows[s]; t++)
				for (uint32_t c = 0; c < 4; c++)
					series->value[(series->first[s] + t) * 4 + c] =
						t % 3 ? 1e6 * random_unit(&state) : NAN;
		after = nn_prep_fit(env, spec, series, train_rows);
		n = before->ngroups * sizeof(double) * 4;
		UNIT_CHECK(memcmp(before->center, after->center, n) == 0);
		UNIT_CHECK(memcmp(before->scale, after->scale, n) == 0);
		UNIT_CHECK(memcmp(before->low, after->low, n) == 0);
		UNIT_CHECK(memcmp(before->high, after->high, n) == 0);
		UNIT_CHECK(memcmp(before->mean, after->mean, n) == 0);
	}
}

static void
outliers_are_fenced(void)
{
	NnSpec	   *spec = spec_plain(1, 0, 0, 1, 1);
	NnSeries   *series = SERIES_OF(1, 2, 3, 4, 100);
	NnPrep	   *prep;
	NnData	   *data;

	/* Quartiles 2 and 4. */
	spec->outliers = NN_OUTLIERS_IQR;
	prep = prep_of(spec, series);
	UNIT_NEAR(prep->low[0], -1, 1e-14);
	UNIT_NEAR(prep->high[0], 7, 1e-14);
	UNIT_NEAR(prep->mean[0], 2.5, 1e-14);
	data = data_of(spec, prep, series);
	UNIT_NEAR(data->x[4], 4, 0);
	UNIT_INTEGER(data->known[4], 0);
	UNIT_CHECK(isnan((double) data->y[4]));

	spec->outliers = NN_OUTLIERS_ZSCORE;
	spec->outlier_threshold = 1.0;
	prep = prep_of(spec, series);
	UNIT_NEAR(prep->high[0], 22 + sqrt(1522), 1e-12);
	UNIT_NEAR(prep->mean[0], 2.5, 1e-14);

	spec->outliers = NN_OUTLIERS_WINSORISE;
	spec->outlier_threshold = 0.25;
	prep = prep_of(spec, series);
	UNIT_NEAR(prep->low[0], 2, 1e-14);
	UNIT_NEAR(prep->high[0], 4, 1e-14);
	data = data_of(spec, prep, series);
	UNIT_NEAR(data->x[0], 2, 0);
	UNIT_NEAR(data->y[4], 4, 0);
	UNIT_INTEGER(data->known[4], 1);

	/* Mostly one value: no measure of spread, no fence. */
	spec->outliers = NN_OUTLIERS_IQR;
	spec->outlier_threshold = 0;
	prep = prep_of(spec, SERIES_OF(0, 0, 0, 0, 1));
	UNIT_CHECK(isinf(prep->low[0]) && isinf(prep->high[0]));
}

/* What is made from the time is neither an outlier, nor scaled, nor below a logarithm's range. */
static void
made_columns_stay(void)
{
	NnSpec	   *spec = spec_plain(1, 0, 3, 1, 1);
	NnSeries   *series = series_create(1, (const uint32_t[]) {6}, 4, 0);
	NnPrep	   *prep;
	NnData	   *data;

	spec->calendar = NN_CALENDAR_HOUR;
	strcpy(spec->holidays, "days");
	spec->scaling = NN_SCALING_LOG1P;
	spec->outliers = NN_OUTLIERS_ZSCORE;
	spec->outlier_threshold = 0.5;
	UNIT_INTEGER(nn_future_made(spec), 3);
	for (uint32_t t = 0; t < 6; t++)
		memcpy(series->value + t * 4, (const double[]) {t, -1, 1, t == 3}, 4 * sizeof(double));
	prep = prep_of(spec, series);
	data = data_of(spec, prep, series);
	for (uint32_t t = 0; t < 6; t++)
		for (uint32_t c = 1; c < 4; c++)
		{
			UNIT_CHECK((double) data->x[t * 4 + c] == series->value[t * 4 + c]);
			UNIT_CHECK(data->known[t * 4 + c]);
		}
	spec->calendar = NN_CALENDAR_HOUR | NN_CALENDAR_MONTH;
	spec->holidays[0] = '\0';
	UNIT_INTEGER(nn_future_made(spec), 4);
}

static const char *
row_name_test(void *host, uint32_t row)
{
	return nn_format(unit_env(), "%s %u", (const char *) host, row);
}

static void
missing_error_refuses(void)
{
	NnEnv	   *env = unit_env();
	NnSpec	   *spec = spec_plain(1, 0, 1, 1, 1);
	NnSeries   *series = series_create(2, (const uint32_t[]) {2, 3}, 2, 0);
	const double values[] = {1, 1, 2, 2, 3, 3, NAN, 4, 5, 5};
	NnPrep	   *prep;

	memcpy(series->value, values, sizeof(values));
	spec->missing = NN_MISSING_ERROR;
	UNIT_FAILS(env, NN_BAD_DATA, prep_of(spec, series));
	UNIT_STRING(unit_host.message, "value is missing in column \"c0\" of series \"s1\" in row 2");
	UNIT_CHECK(strstr(unit_host.hint, "\"seasonal\"") != NULL);
	series->row_name = row_name_test;
	series->row_name_host = (char[]) {"day"};
	UNIT_FAILS(env, NN_BAD_DATA, prep_of(spec, series));
	UNIT_STRING(unit_host.message, "value is missing in column \"c0\" of series \"s1\" at day 3");

	/* Behind the history a target is to be forecast; a future covariate must be there. */
	((uint32_t *) series->history)[1] = 1;
	prep = prep_of(spec, series);
	data_of(spec, prep, series);
	series->value[3 * 2 + 1] = NAN;
	((const char **) series->name)[1] = "";
	UNIT_FAILS(env, NN_BAD_DATA, data_of(spec, prep, series));
	UNIT_STRING(unit_host.message, "value is missing in column \"c1\" at day 3");

	/* Unless the row was added for what is made from the time. */
	strcpy(spec->holidays, "days");
	spec->nfuture = 2;
	series = series_create(1, (const uint32_t[]) {3}, 3, 0);
	memcpy(series->value, (const double[]) {1, 1, 0, 2, 2, 1, NAN, NAN, 0}, 9 * sizeof(double));
	((uint32_t *) series->history)[0] = 2;
	data_of(spec, prep_of(spec, series), series);

	/* "error" cannot leave outliers out. */
	spec = spec_plain(1, 0, 0, 1, 1);
	spec->missing = NN_MISSING_ERROR;
	spec->outliers = NN_OUTLIERS_IQR;
	UNIT_FAILS(env, NN_BAD_DATA, prep_of(spec, SERIES_OF(1, 2, 3, 4, 100)));
	UNIT_STRING(unit_host.message, "value 100 in column \"c0\" of series \"s0\" in row 5 is an "
				"outlier, outside of -1 to 7, and cannot be left out");
}

/* x of the only column is what is expected. */
static void
check_filled(const NnSpec *spec, const NnSeries *series, const double *expected)
{
	NnData	   *data = data_of(spec, prep_of(spec, series), series);

	for (uint32_t row = 0; row < series->first[1]; row++)
	{
		UNIT_NEAR(data->x[(size_t) row * data->C], expected[row], NEAR);
		UNIT_INTEGER(data->known[row], !isnan(series->value[row]));
		UNIT_INTEGER(isnan((double) data->y[row]), isnan(series->value[row]));
	}
	UNIT_INTEGER(data->start[0], 1);
}

static void
gaps_are_filled(void)
{
	NnSpec	   *spec = spec_plain(1, 0, 0, 1, 1);
	NnSeries   *series = SERIES_OF(NAN, 1, NAN, NAN, 4, 3, NAN, NAN);	/* mean 8/3 */
	const double m = 8.0 / 3;
	NnData	   *data;

	spec->missing = NN_MISSING_LINEAR;
	check_filled(spec, series, (const double[]) {m, 1, 2, 3, 4, 3, 3, 3});
	spec->missing = NN_MISSING_PREVIOUS;
	check_filled(spec, series, (const double[]) {m, 1, 1, 1, 4, 3, 3, 3});
	spec->missing = NN_MISSING_MEAN;
	check_filled(spec, series, (const double[]) {m, 1, m, m, 4, 3, m, m});
	spec->missing = NN_MISSING_SEASONAL;
	spec->season = 2;
	check_filled(spec, series, (const double[]) {m, 1, 1, 1, 4, 3, 4, 3});
	spec->season = 0;
	check_filled(spec, series, (const double[]) {m, 1, 1, 1, 4, 3, 3, 3});
	spec->missing = NN_MISSING_MASK;
	check_filled(spec, series, (const double[]) {m, 1, m, m, 4, 3, m, m});
	data = data_of(spec, prep_of(spec, series), series);
	UNIT_INTEGER(data->C, 2);
	UNIT_NEAR(data->x[1 * 2 + 1], 1, 0);
	UNIT_NEAR(data->x[2 * 2 + 1], 0, 0);
}

static void
gaps_are_filled_in_logs(void)
{
	NnSpec	   *spec = spec_plain(1, 0, 0, 1, 1);
	NnSeries   *series = SERIES_OF(0, NAN, expm1(4));
	NnData	   *data;

	/* Logs 0 and 4: centre 2, scale 2. */
	spec->scaling = NN_SCALING_LOG1P;
	spec->missing = NN_MISSING_LINEAR;
	data = data_of(spec, prep_of(spec, series), series);
	UNIT_NEAR(data->x[0], -1, NEAR);
	UNIT_NEAR(data->x[1], 0, NEAR);
	UNIT_NEAR(data->x[2], 1, NEAR);
	spec->missing = NN_MISSING_MEAN;
	data = data_of(spec, prep_of(spec, series), series);
	UNIT_NEAR(data->x[1], (log1p(expm1(4) / 2) - 2) / 2, NEAR);
}

static void
targets_are_differenced(void)
{
	NnSpec	   *spec = spec_plain(1, 1, 0, 1, 1);
	NnSeries   *series = series_create(1, (const uint32_t[]) {6}, 2, 0);
	const double target[] = {NAN, 5, 7, NAN, 8, 12},
				x[] = {0, 0, 2, 0.5, 0.5, 4};
	NnPrep	   *prep;
	NnData	   *data;

	for (uint32_t row = 0; row < 6; row++)
	{
		series->value[row * 2] = target[row];
		series->value[row * 2 + 1] = row;
	}
	spec->missing = NN_MISSING_LINEAR;
	spec->difference = 1;
	spec->scaling = NN_SCALING_MINMAX;
	prep = prep_of(spec, series);
	/* Known differences are 2 and 4 only. */
	UNIT_NEAR(prep->center[0], 2, 0);
	UNIT_NEAR(prep->scale[0], 2, 0);
	UNIT_NEAR(prep->scale[1], 5, 0);
	UNIT_NEAR(prep->mean[0], 8, 0);
	data = data_of(spec, prep, series);
	for (uint32_t row = 0; row < 6; row++)
	{
		UNIT_NEAR(data->x[row * 2], (x[row] - 2) / 2, NEAR);
		UNIT_NEAR(data->x[row * 2 + 1], row / 5.0, NEAR);
		UNIT_NEAR(data->y[row], row == 2 || row == 5 ? (x[row] - 2) / 2 : NAN, NEAR);
	}
	UNIT_NEAR(data->level[3], 7.5, 0);

	/* A mean would jump: levels stay instead, and the mask says so. */
	spec->missing = NN_MISSING_MASK;
	data = data_of(spec, prep, series);
	UNIT_NEAR(data->level[3], 7, 0);
	UNIT_NEAR(data->x[3 * 4], (0.0 - 2) / 2, NEAR);
	for (uint32_t row = 0; row < 6; row++)
		UNIT_NEAR(data->x[row * 4 + 2], row == 2 || row == 5, 0);
}

static void
statics_are_standardised(void)
{
	NnEnv	   *env = unit_env();
	NnSpec	   *spec = spec_plain(1, 0, 0, 1, 1);
	NnSeries   *series = series_create(3, (const uint32_t[]) {1, 1, 1}, 1, 2);
	double	   *statics = (double *) series->statics;
	NnPrep	   *prep;
	NnData	   *data;

	spec->nstatic = 2;
	for (uint32_t s = 0; s < 3; s++)
	{
		series->value[s] = s;
		statics[s * 2] = s == 1 ? NAN : s;
		statics[s * 2 + 1] = 4;
	}
	prep = prep_of(spec, series);
	data = data_of(spec, prep, series);
	UNIT_NEAR(data->statics[0], -1, NEAR);
	UNIT_NEAR(data->statics[2], 0, NEAR);
	UNIT_NEAR(data->statics[4], 1, NEAR);
	UNIT_NEAR(data->statics[5], 0, NEAR);
	spec->missing = NN_MISSING_ERROR;
	UNIT_FAILS(env, NN_BAD_DATA, data_of(spec, prep, series));
	UNIT_STRING(unit_host.message, "static covariate 1 of series \"s1\" is missing");
	UNIT_FAILS(env, NN_BAD_DATA, prep_of(spec, series));
	UNIT_STRING(unit_host.message, "static covariate 1 of series \"s1\" is missing");
	statics[0] = statics[2] = statics[4] = NAN;
	spec->missing = NN_MISSING_MEAN;
	UNIT_FAILS(env, NN_BAD_DATA, prep_of(spec, series));
}

static void
long_loops_poll(void)
{
	uint32_t	rows = 400000;
	NnSpec	   *spec = spec_plain(1, 0, 0, 1, 1);
	NnSeries   *series = series_create(1, &rows, 1, 0);
	NnWindow   *windows;
	uint32_t	from = 0;
	NnData	   *data;

	for (uint32_t row = 0; row < rows; row++)
		series->value[row] = row % 5;
	data = data_of(spec, prep_of(spec, series), series);
	UNIT_CHECK(unit_host.npolls >= 36);
	unit_host.npolls = 0;
	UNIT_INTEGER(nn_windows_list(unit_env(), data, &from, &rows, 1, true, &windows), rows - 1);
	UNIT_CHECK(unit_host.npolls >= 6);
}

/* What was scaled comes back, from the y of the horizon. */
static void
unscale_returns(void)
{
	uint64_t	state = 11;

	for (uint32_t run = 0; run < 5 * 3 * 2 * 10; run++)
	{
		NnSeries   *series = series_create(2, (const uint32_t[]) {30, 40}, 3, 0);
		NnSpec	   *spec = spec_plain(2, 1, 0, 8, 7);
		NnWindow	window;
		double		raw[14],
					out[14];
		NnData	   *data;

		spec->scaling = scalings[run % 5];
		spec->difference = (const uint32_t[]) {0, 1, 4}[run / 5 % 3];
		spec->scale_by_series = run / 15 % 2;
		spec->missing = NN_MISSING_LINEAR;
		series_randomise(series, &state, 0.0);
		data = data_of(spec, prep_of(spec, series), series);
		window.series = run % 2;
		window.origin = series->first[window.series] + 7 + random_below(&state, 15);
		for (uint32_t i = 0; i < 14; i++)
			raw[i] = data->y[(window.origin + 1) * 2 + i];
		nn_unscale(data, &window, 7, raw, out);
		for (uint32_t i = 0; i < 14; i++)
			UNIT_NEAR(out[i], series->value[(window.origin + 1 + i / 2) * 3 + i % 2],
					  sizeof(nn_real) == 8 ? 1e-12 : 1e-5);
		nn_unscale(data, &window, 7, raw, raw);
		UNIT_CHECK(memcmp(raw, out, sizeof(raw)) == 0);
	}
}

static void
unscale_adds_to_known_levels(void)
{
	NnSpec	   *spec = spec_plain(1, 0, 0, 2, 3);
	NnSeries   *series = SERIES_OF(NAN, 5, 7, NAN, NAN, 100);
	NnWindow	window = {0, 4};
	const double raw[] = {1, 1, 1};
	double		out[3];
	NnData	   *data;

	spec->missing = NN_MISSING_LINEAR;
	spec->difference = 1;
	data = data_of(spec, prep_of(spec, series), series);
	UNIT_NEAR(data->level[4], 69, 1e-14);
	nn_unscale(data, &window, 3, raw, out);
	UNIT_NEAR(out[0], 8, 1e-14);
	UNIT_NEAR(out[1], 9, 1e-14);
	UNIT_NEAR(out[2], 10, 1e-14);

	/* Two before are rows 2 to 4; at origin 2, row 0 was never known: the last one is. */
	spec->difference = 3;
	data = data_of(spec, prep_of(spec, series), series);
	nn_unscale(data, &window, 3, raw, out);
	UNIT_NEAR(out[0], 8, 1e-14);
	UNIT_NEAR(out[2], 8, 1e-14);
	window.origin = 2;
	nn_unscale(data, &window, 3, raw, out);
	UNIT_NEAR(out[0], 8, 1e-14);
	UNIT_NEAR(out[1], 6, 1e-14);
	UNIT_NEAR(out[2], 8, 1e-14);
	window.origin = 1;
	nn_unscale(data, &window, 3, raw, out);
	UNIT_NEAR(out[0], 6, 1e-14);
}

static void
unscale_keeps_bounds(void)
{
	NnSpec	   *spec = spec_plain(1, 0, 0, 1, 4);
	NnSeries   *series = SERIES_OF(3, 4, 5);
	NnWindow	window = {0, 2};
	const double raw[] = {-7, 2, 50, NAN},
				low[] = {-9, 1, 49, NAN},
				high[] = {-6, INFINITY, 51, NAN};
	double		out[4],
				out_low[4],
				out_high[4];
	NnData	   *data;

	spec->lower_bound = 0;
	spec->upper_bound = 10;
	data = data_of(spec, prep_of(spec, series), series);
	nn_unscale(data, &window, 4, raw, out);
	nn_unscale_interval(data, &window, 4, raw, low, high, out_low, out_high);
	UNIT_NEAR(out[0], 0, 0);
	UNIT_NEAR(out[1], 2, 0);
	UNIT_NEAR(out[2], 10, 0);
	UNIT_NEAR(out_low[0], 0, 0);
	UNIT_NEAR(out_low[1], 1, 0);
	UNIT_NEAR(out_high[1], 10, 0);
	/* What is no number is not made one. */
	UNIT_CHECK(isnan(out[3]) && isnan(out_low[3]) && isnan(out_high[3]));

	/* Without bounds: as large as doubles are, but finite. */
	spec->lower_bound = spec->upper_bound = NAN;
	spec->scaling = NN_SCALING_LOG1P;
	data = data_of(spec, prep_of(spec, series), series);
	nn_unscale(data, &window, 1, (const double[]) {1e300}, out);
	UNIT_CHECK(isfinite(out[0]));
}

static void
interval_widens(void)
{
	NnSpec	   *spec = spec_plain(1, 0, 0, 1, 3);
	NnSeries   *series = SERIES_OF(3, 4, 5, 6);
	NnWindow	window = {0, 3};
	const double raw[] = {1, 1, 1},
				low[] = {-2, -3, 2},	/* half-widths 3, 4, none */
				high[] = {2, 3, 3}; /* 1, 2, 2 */
	double		out_low[3],
				out_high[3];
	NnData	   *data;

	data = data_of(spec, prep_of(spec, series), series);
	nn_unscale_interval(data, &window, 3, raw, low, high, out_low, out_high);
	UNIT_NEAR(out_low[1], -3, 1e-14);
	UNIT_NEAR(out_low[2], 1, 1e-14);
	spec->difference = 1;
	nn_unscale_interval(data, &window, 3, raw, low, high, out_low, out_high);
	UNIT_NEAR(out_low[0], 7 - 3, 1e-14);
	UNIT_NEAR(out_low[1], 8 - 5, 1e-14);
	UNIT_NEAR(out_low[2], 9 - 5, 1e-14);
	UNIT_NEAR(out_high[0], 7 + 1, 1e-14);
	UNIT_NEAR(out_high[1], 8 + sqrt(5), 1e-14);
	UNIT_NEAR(out_high[2], 9 + 3, 1e-14);
	spec->difference = 2;
	nn_unscale_interval(data, &window, 3, raw, low, high, out_low, out_high);
	UNIT_NEAR(out_low[0], 6 - 3, 1e-14);
	UNIT_NEAR(out_low[1], 7 - 4, 1e-14);
	UNIT_NEAR(out_low[2], 7 - 3, 1e-14);
	UNIT_NEAR(out_high[2], 7 + sqrt(5), 1e-14);
}

/* low <= forecast <= high, whatever the network says. */
static void
interval_holds_forecast(void)
{
	uint64_t	state = 5;

	for (uint32_t run = 0; run < 5 * 3 * 20; run++)
	{
		NnSeries   *series = series_create(1, (const uint32_t[]) {20}, 2, 0);
		NnSpec	   *spec = spec_plain(2, 0, 0, 4, 6);
		NnWindow	window = {0, 12};
		double		raw[12],
					low[12],
					high[12],
					out[12];
		NnData	   *data;

		spec->scaling = scalings[run % 5];
		spec->difference = (const uint32_t[]) {0, 1, 4}[run / 5 % 3];
		spec->lower_bound = run % 2 ? 15 : NAN;
		series_randomise(series, &state, 0.2);
		data = data_of(spec, prep_of(spec, series), series);
		for (uint32_t i = 0; i < 12; i++)
		{
			raw[i] = 4 * random_unit(&state) - 2;
			low[i] = raw[i] - 2 * random_unit(&state) + 0.5;
			high[i] = raw[i] + 2 * random_unit(&state) - 0.5;
		}
		nn_unscale(data, &window, 6, raw, out);
		nn_unscale_interval(data, &window, 6, raw, low, high, low, high);
		for (uint32_t i = 0; i < 12; i++)
			UNIT_CHECK(low[i] <= out[i] && out[i] <= high[i]);
	}
}

int
main(void)
{
	UNIT_RUN(scaling_fits);
	UNIT_RUN(scaling_of_constant_is_one);
	UNIT_RUN(scaling_of_huge_and_tiny_values);
	UNIT_RUN(scaled_values_must_be_finite);
	UNIT_RUN(log1p_refuses);
	UNIT_RUN(groups_are_series_or_all);
	UNIT_RUN(columns_without_values_fail);
	UNIT_RUN(columns_must_match);
	UNIT_RUN(held_out_rows_change_nothing);
	UNIT_RUN(outliers_are_fenced);
	UNIT_RUN(made_columns_stay);
	UNIT_RUN(missing_error_refuses);
	UNIT_RUN(gaps_are_filled);
	UNIT_RUN(gaps_are_filled_in_logs);
	UNIT_RUN(targets_are_differenced);
	UNIT_RUN(statics_are_standardised);
	UNIT_RUN(long_loops_poll);
	UNIT_RUN(unscale_returns);
	UNIT_RUN(unscale_adds_to_known_levels);
	UNIT_RUN(unscale_keeps_bounds);
	UNIT_RUN(interval_widens);
	UNIT_RUN(interval_holds_forecast);
	return unit_finish();
}
