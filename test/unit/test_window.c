/*
 * test_window.c
 *		Windows: which there are, what they hold, and that none looks ahead.
 */
#include "test_data.h"

static const NnMissing methods[] = {
	NN_MISSING_LINEAR, NN_MISSING_PREVIOUS, NN_MISSING_MEAN, NN_MISSING_SEASONAL, NN_MISSING_MASK
};

/* nn_windows_list by its definition. */
static uint32_t
windows_expected(const NnData *data, const uint32_t *from, const uint32_t *to, uint32_t stride,
				 bool need_target, NnWindow *windows)
{
	const NnSeries *series = data->series;
	const NnSpec *spec = data->spec;
	uint32_t	n = 0;

	for (uint32_t s = 0; s < series->nseries; s++)
	{
		uint32_t	rows = series->first[s + 1] - series->first[s],
					needed = spec->pad ? nn_rows_needed(spec) : spec->context,
					origins = 0;

		for (uint32_t t = 0; t < rows; t++)
		{
			bool		known = false;

			if (t + 1 < needed || t + 1 < from[s] || t + spec->horizon >= to[s] ||
				(need_target && t + spec->horizon >= rows) || origins++ % stride != 0)
				continue;
			for (uint32_t h = 1; h <= spec->horizon && t + h < rows; h++)
				for (uint32_t j = 0; j < spec->ntargets; j++)
					known |= !isnan((double) data->y[(series->first[s] + t + h) * spec->ntargets + j]);
			if (need_target && !known)
				continue;
			windows[n++] = (NnWindow) {s, series->first[s] + t};
		}
	}
	return n;
}

static void
list_follows_definition(void)
{
	uint64_t	state = 3;

	for (uint32_t run = 0; run < 600; run++)
	{
		NnSpec	   *spec = spec_plain(1 + run % 2, 1, 0, 1 + random_below(&state, 5),
									  1 + random_below(&state, 4));
		uint32_t	rows[3],
					from[3],
					to[3],
					stride = 1 + random_below(&state, 4),
					n,
					expected;
		bool		need_target = run / 2 % 2;
		NnWindow   *windows,
					reference[64];
		NnSeries   *series;
		NnData	   *data;

		spec->pad = run / 4 % 2;
		spec->season = run / 8 % 4;
		spec->difference = run / 32 % 3;
		for (uint32_t s = 0; s < 3; s++)
		{
			rows[s] = s == 0 ? 20 : random_below(&state, 20);
			from[s] = random_below(&state, 8);
			to[s] = random_below(&state, 4) ? random_below(&state, 26) : UINT32_MAX;
		}
		series = series_create(3, rows, spec->ntargets + 1, 0);
		series_randomise(series, &state, 0.3);
		for (uint32_t c = 0; c < series->C; c++)
			series->value[c] = 1.0; /* no column without a value */
		data = data_of(spec, prep_of(spec, series), series);
		n = nn_windows_list(unit_env(), data, from, to, stride, need_target, &windows);
		expected = windows_expected(data, from, to, stride, need_target, reference);
		UNIT_INTEGER(n, expected);
		if (n == expected)
			UNIT_CHECK(memcmp(windows, reference, n * sizeof(NnWindow)) == 0);
	}
}

static void
list_refuses_stride_zero(void)
{
	NnSpec	   *spec = spec_plain(1, 0, 0, 1, 1);
	NnSeries   *series = SERIES_OF(1, 2, 3);
	NnData	   *data = data_of(spec, prep_of(spec, series), series);
	uint32_t	from = 0,
				to = 3;
	NnWindow   *windows;

	UNIT_FAILS(unit_env(), NN_BAD_VALUE,
			   nn_windows_list(unit_env(), data, &from, &to, 0, true, &windows));
}

/* Lanes hold the prepared rows; padding and rows that do not exist are zeros or NaN. */
static void
gather_copies_rows(void)
{
	NnEnv	   *env = unit_env();
	NnSpec	   *spec = spec_plain(2, 1, 2, 4, 3);
	NnSeries   *series = series_create(2, (const uint32_t[]) {12, 9}, 5, 2);
	const NnWindow windows[] = {{0, 3}, {1, 17}, {0, 11}, {1, 19}, {0, 8}};
	const uint32_t end[] = {12, 21};
	uint32_t	L = 16,
				n = 5;
	uint64_t	state = 1;
	nn_real    *past = NN_NEW_ARRAY(env, nn_real, 4 * 10 * 16),
			   *future = NN_NEW_ARRAY(env, nn_real, 3 * 2 * 16),
			   *statics = NN_NEW_ARRAY(env, nn_real, 2 * 16),
			   *target = NN_NEW_ARRAY(env, nn_real, 3 * 2 * 16);
	NnData	   *data;

	spec->nstatic = 2;
	spec->missing = NN_MISSING_MASK;
	series_randomise(series, &state, 0.1);
	data = data_of(spec, prep_of(spec, series), series);
	memset(past, 1, 4 * 10 * 16 * sizeof(nn_real));
	memset(future, 1, 3 * 2 * 16 * sizeof(nn_real));
	memset(target, 1, 3 * 2 * 16 * sizeof(nn_real));
	nn_window_gather(data, windows, n, L, past, future, statics, target);
	nn_window_gather(data, windows, n, L, NULL, NULL, NULL, NULL);
	for (uint32_t lane = 0; lane < L; lane++)
	{
		const NnWindow *w = &windows[lane < n ? lane : 0];

		for (uint32_t t = 0; t < 4; t++)
			for (uint32_t c = 0; c < 10; c++)
				UNIT_NEAR(past[(t * 10 + c) * L + lane],
						  lane < n ? data->x[(w->origin - 3 + t) * 10 + c] : 0, 0);
		for (uint32_t h = 0; h < 3; h++)
		{
			uint32_t	row = w->origin + 1 + h;
			bool		exists = lane < n && row < end[w->series];

			for (uint32_t c = 0; c < 2; c++)
			{
				UNIT_NEAR(future[(h * 2 + c) * L + lane],
						  exists ? data->x[row * 10 + 3 + c] : 0, 0);
				UNIT_NEAR(target[(h * 2 + c) * L + lane], exists ? data->y[row * 2 + c] : NAN, 0);
			}
		}
		for (uint32_t k = 0; k < 2; k++)
			UNIT_NEAR(statics[k * L + lane], lane < n ? data->statics[w->series * 2 + k] : 0, 0);
	}
}

/* The context of one window, as the network sees it, and the forecast of raw ones. */
typedef struct Seen
{
	nn_real		past[8 * 8 * NN_LANES];
	double		forecast[5 * 2];
} Seen;

static void
seen_take(Seen *seen, const NnData *data, const NnWindow *window)
{
	double		raw[10];

	memset(seen, 0, sizeof(*seen));
	for (uint32_t i = 0; i < 10; i++)
		raw[i] = 0.25 * i;
	nn_window_gather(data, window, 1, NN_LANES, seen->past, NULL, NULL, NULL);
	nn_unscale(data, window, 5, raw, seen->forecast);
}

/* Every value after the origin becomes another one, or unknown, or known. */
static void
later_rows_alter(NnSeries *series, const NnWindow *window, uint64_t *state)
{
	for (uint32_t row = window->origin + 1; row < series->first[window->series + 1]; row++)
		for (uint32_t c = 0; c < series->C; c++)
			series->value[(size_t) row * series->C + c] =
				random_unit(state) < 0.4 ? NAN : 50.0 * random_unit(state);
}

/*
 * Over random gaps, methods and lags: no value after the origin changes a bit of
 * what the window's context holds, or of the levels its forecasts are added to.
 */
static void
windows_never_look_ahead(void)
{
	uint64_t	state = 2024;
	uint32_t	runs = 0;

	for (uint32_t run = 0; run < 5 * 3 * 2 * 2 * 40; run++)
	{
		NnSpec	   *spec = spec_plain(2, 1, 1, 2 + random_below(&state, 7), 5);
		NnSeries   *series = series_create(2, (const uint32_t[]) {30, 25}, 4, 0);
		NnWindow	window;
		NnPrep	   *prep;
		Seen		before,
					after;

		spec->missing = methods[run % 5];
		spec->difference = (const uint32_t[]) {0, 1, 4}[run / 5 % 3];
		spec->outliers = run / 15 % 2 ? NN_OUTLIERS_ZSCORE : NN_OUTLIERS_NONE;
		spec->outlier_threshold = 1.5;
		spec->scaling = run / 30 % 2 ? NN_SCALING_LOG1P : NN_SCALING_STANDARD;
		spec->scale_by_series = run % 2;
		spec->season = 4;
		spec->pad = run % 4 > 1;
		series_randomise(series, &state, 0.25);
		prep = prep_of(spec, series);
		window.series = random_below(&state, 2);
		window.origin = series->first[window.series] + nn_rows_least(spec) - 1 +
			random_below(&state, spec->pad ? 10 : 25 - spec->context - spec->difference);
		runs += isnan(series->value[(size_t) window.origin * 4]);
		seen_take(&before, data_of(spec, prep, series), &window);
		later_rows_alter(series, &window, &state);
		seen_take(&after, data_of(spec, prep, series), &window);
		UNIT_CHECK(memcmp(&before, &after, sizeof(before)) == 0);
	}
	/* The test is about origins within gaps: there were some. */
	UNIT_CHECK(runs > 200);
}

/* Under "linear" an open gap is flat from the last known value on. */
static void
open_gap_is_flat(void)
{
	NnSpec	   *spec = spec_plain(1, 0, 0, 4, 1);
	NnSeries   *series = SERIES_OF(NAN, NAN, 2, NAN, NAN, NAN, NAN, 12, 20);
	const NnWindow windows[] = {{0, 3}, {0, 6}, {0, 7}};
	const double expected[3][4] = {{34.0 / 3, 34.0 / 3, 2, 2}, {2, 2, 2, 2}, {6, 8, 10, 12}};
	nn_real		past[4 * NN_LANES];
	NnData	   *data;

	spec->missing = NN_MISSING_LINEAR;
	data = data_of(spec, prep_of(spec, series), series);
	nn_window_gather(data, windows, 3, NN_LANES, past, NULL, NULL, NULL);
	for (uint32_t lane = 0; lane < 3; lane++)
		for (uint32_t t = 0; t < 4; t++)
			UNIT_NEAR(past[t * NN_LANES + lane], expected[lane][t], 1e-6);

	/* Differences over two rows: the flat level against what was known two rows before. */
	spec->difference = 2;
	series = SERIES_OF(1, 2, 4, NAN, NAN, NAN, 100);
	data = data_of(spec, prep_of(spec, series), series);
	nn_window_gather(data, &(NnWindow) {0, 5}, 1, NN_LANES, past, NULL, NULL, NULL);
	UNIT_NEAR(past[0 * NN_LANES], 3, 1e-6);
	UNIT_NEAR(past[1 * NN_LANES], 2, 1e-6);
	UNIT_NEAR(past[2 * NN_LANES], 0, 1e-6);
	UNIT_NEAR(past[3 * NN_LANES], 0, 1e-6);

	/* Nothing known two rows before: no difference, though the level there is the mean. */
	series = SERIES_OF(NAN, NAN, 2, NAN, 8);
	data = data_of(spec, prep_of(spec, series), series);
	nn_window_gather(data, &(NnWindow) {0, 3}, 1, NN_LANES, past, NULL, NULL, NULL);
	for (uint32_t t = 0; t < 4; t++)
		UNIT_NEAR(past[t * NN_LANES], 0, 1e-6);
}

/* An open gap that begins at the origin leaves the closed one before it alone. */
static void
closed_gap_stays(void)
{
	NnSpec	   *spec = spec_plain(1, 0, 0, 4, 1);
	NnSeries   *series = SERIES_OF(1, NAN, 3, 4, NAN, 9);
	const double expected[] = {2, 3, 4, 4};
	nn_real		past[4 * NN_LANES];
	NnData	   *data;

	spec->missing = NN_MISSING_LINEAR;
	data = data_of(spec, prep_of(spec, series), series);
	nn_window_gather(data, &(NnWindow) {0, 4}, 1, NN_LANES, past, NULL, NULL, NULL);
	for (uint32_t t = 0; t < 4; t++)
		UNIT_NEAR(past[t * NN_LANES], expected[t], 1e-6);
	UNIT_INTEGER(nn_data_gap(data, 0, 4, 0), 4);
	UNIT_INTEGER(nn_data_gap(data, 0, 1, 0), 1);
	UNIT_INTEGER(nn_data_gap(data, 0, 3, 0), 0);
}

/* The rows of one window by the definition in nn_data.h. */
static uint32_t
row_expected(const NnData *data, const NnWindow *window, uint32_t t)
{
	const NnSpec *spec = data->spec;
	int64_t		begin = (int64_t) data->series->first[window->series] + spec->difference,
				season = spec->season > 1 ? spec->season : 1,
				row = (int64_t) window->origin + 1 - spec->context + t;

	if (row >= begin)
		return (uint32_t) row;
	row = begin + ((row - begin) % season + season) % season;
	return row > window->origin ? window->origin : (uint32_t) row;
}

/*
 * Windows of every length side by side in a tile, at both ends of the rows: what is before
 * a series repeats the season at its beginning.  Rows of other series are never read: they
 * would be seen, and rows that do not exist are not there.
 */
static void
padding_repeats_season(void)
{
	NnEnv	   *env = unit_env();
	uint64_t	state = 5;

	for (uint32_t run = 0; run < 3 * 4 * 2 * 20; run++)
	{
		NnSpec	   *spec = spec_plain(2, 1, 0, 1 + random_below(&state, 14), 2);
		const uint32_t rows[] = {1 + run % 9 + run % 3, 30, 4 + run % 5};
		NnSeries   *series = series_create(3, rows, 3, 0);
		NnWindow	windows[12];
		uint32_t	n = 0,
					C;
		nn_real    *past;
		NnData	   *data;

		spec->pad = true;
		spec->difference = run % 3;
		spec->season = (const uint32_t[]) {0, 1, 4, 7}[run / 3 % 4];
		spec->missing = run / 12 % 2 ? NN_MISSING_MASK : NN_MISSING_LINEAR;
		series_randomise(series, &state, 0.0);
		data = data_of(spec, prep_of(spec, series), series);
		C = data->C;
		for (uint32_t s = 0; s < 3; s++)
			for (uint32_t i = 0; i < 4; i++)
				if (nn_rows_least(spec) <= rows[s])
					windows[n++] = (NnWindow) {s, series->first[s] + nn_rows_least(spec) - 1 +
						random_below(&state, rows[s] - nn_rows_least(spec) + 1)};
		past = NN_NEW_ARRAY(env, nn_real, (size_t) spec->context * C * NN_LANES);
		memset(past, 1, (size_t) spec->context * C * NN_LANES * sizeof(nn_real));
		nn_window_gather(data, windows, n, NN_LANES, past, NULL, NULL, NULL);
		for (uint32_t lane = 0; lane < NN_LANES; lane++)
			for (uint32_t t = 0; t < spec->context; t++)
				for (uint32_t c = 0; c < C; c++)
					UNIT_NEAR(past[(t * C + c) * NN_LANES + lane], lane >= n ? 0 :
							  data->x[(size_t) row_expected(data, &windows[lane], t) * C + c], 0);
	}
}

/* A padded window needs a season, and no season needs more than the context. */
static void
padding_needs_a_season(void)
{
	NnSpec	   *spec = spec_plain(1, 0, 0, 8, 1);

	UNIT_INTEGER(nn_rows_needed(spec), 8);
	UNIT_INTEGER(nn_rows_least(spec), 8);
	spec->difference = 2;
	UNIT_INTEGER(nn_rows_needed(spec), 10);
	UNIT_INTEGER(nn_rows_least(spec), 10);
	spec->pad = true;
	UNIT_INTEGER(nn_rows_needed(spec), 3);
	UNIT_INTEGER(nn_rows_least(spec), 3);
	spec->season = 5;
	UNIT_INTEGER(nn_rows_needed(spec), 7);
	spec->season = 12;
	UNIT_INTEGER(nn_rows_needed(spec), 10);
	UNIT_INTEGER(nn_rows_least(spec), 3);
}

/* A gap that is open at the origin is flat where padding repeats it, too. */
static void
open_gap_is_repeated_flat(void)
{
	NnSpec	   *spec = spec_plain(1, 0, 0, 9, 1);
	NnSeries   *series = SERIES_OF(1, 2, NAN, NAN, 50);
	const double expected[] = {2, 1, 2, 2, 2, 1, 2, 2, 2};
	nn_real		past[9 * NN_LANES];
	NnData	   *data;

	spec->pad = true;
	spec->season = 4;
	spec->missing = NN_MISSING_LINEAR;
	data = data_of(spec, prep_of(spec, series), series);
	nn_window_gather(data, &(NnWindow) {0, 3}, 1, NN_LANES, past, NULL, NULL, NULL);
	for (uint32_t t = 0; t < 9; t++)
		UNIT_NEAR(past[t * NN_LANES], expected[t], 1e-6);
}

static void
missing_future_is_found(void)
{
	NnSpec	   *spec = spec_plain(1, 0, 2, 2, 3);
	NnSeries   *series = series_create(1, (const uint32_t[]) {8}, 3, 0);
	NnWindow	window = {0, 2};
	uint64_t	state = 9;
	uint32_t	column = 7;
	NnData	   *data;

	series_randomise(series, &state, 0.0);
	data = data_of(spec, prep_of(spec, series), series);
	UNIT_INTEGER(nn_future_missing(data, &window, 5, &column), 0);
	UNIT_INTEGER(column, 7);
	UNIT_INTEGER(nn_future_missing(data, &window, 6, &column), 8);
	UNIT_INTEGER(column, 0);
	series->value[4 * 3 + 2] = NAN;
	UNIT_INTEGER(nn_future_missing(data, &window, 5, &column), 4);
	UNIT_INTEGER(column, 1);
	UNIT_INTEGER(nn_future_missing(data, &window, 1, &column), 0);
}

int
main(void)
{
	UNIT_RUN(list_follows_definition);
	UNIT_RUN(list_refuses_stride_zero);
	UNIT_RUN(gather_copies_rows);
	UNIT_RUN(windows_never_look_ahead);
	UNIT_RUN(open_gap_is_flat);
	UNIT_RUN(closed_gap_stays);
	UNIT_RUN(padding_repeats_season);
	UNIT_RUN(padding_needs_a_season);
	UNIT_RUN(open_gap_is_repeated_flat);
	UNIT_RUN(missing_future_is_found);
	return unit_finish();
}
