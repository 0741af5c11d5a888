/*
 * test_interval.c
 *		Widths of intervals: that they hold what they promise for planted errors,
 *		choose the unit that fits, and keep sense where little is known.
 */
#include "core/nn_interval.h"
#include "core/nn_stats.h"

#include "test_data.h"

/* A number as from a Gaussian. */
static double
random_normal(uint64_t *state)
{
	return nn_normal_quantile((random_unit(state) + 1e-7) / (1 + 2e-7));
}

/* Errors of n windows, unknown yet; all units are 1. */
static NnErrors *
errors_create(uint32_t n, uint32_t steps, uint32_t ntargets)
{
	NnErrors   *errors = NN_NEW(unit_env(), NnErrors);
	size_t		values = (size_t) n * steps * ntargets,
				units = (size_t) n * ntargets * NN_MEASURES;

	errors->n = n;
	errors->steps = steps;
	errors->ntargets = ntargets;
	errors->error = NN_NEW_ARRAY(unit_env(), double, values);
	errors->unit = NN_NEW_ARRAY(unit_env(), double, units);
	for (size_t i = 0; i < values; i++)
		errors->error[i] = NAN;
	for (size_t i = 0; i < units; i++)
		errors->unit[i] = 1;
	return errors;
}

static double *
error_at(const NnErrors *errors, uint32_t i, uint32_t h, uint32_t k)
{
	return &errors->error[((size_t) i * errors->steps + h) * errors->ntargets + k];
}

static double *
unit_at(const NnErrors *errors, uint32_t i, uint32_t k, NnMeasure measure)
{
	return &errors->unit[((size_t) i * errors->ntargets + k) * NN_MEASURES + measure];
}

static NnInterval
interval_of(const NnErrors *errors)
{
	NnInterval	interval = {0};

	nn_interval_fit(unit_env(), errors, &interval);
	return interval;
}

static double
width_at(const NnInterval *interval, uint32_t ntargets, uint32_t h, uint32_t k, double level)
{
	return nn_interval_width(interval, ntargets, h, k, nn_interval_place(level));
}

/* Errors of step h and target k are Gaussian of deviation (h + 1) 10^k. */
static void
widths_are_those_of_the_errors(void)
{
	static const double levels[] = {0.05, 0.1, 0.33, 0.5, 0.8, 0.87, 0.9, 0.95, 0.99};
	NnErrors   *errors = errors_create(3000, 3, 2);
	NnInterval	interval;
	uint64_t	state = 1;

	for (uint32_t i = 0; i < 3000; i++)
		for (uint32_t h = 0; h < 3; h++)
			for (uint32_t k = 0; k < 2; k++)
				*error_at(errors, i, h, k) = random_normal(&state) * (h + 1) * (k ? 10 : 1);
	interval = interval_of(errors);
	UNIT_INTEGER(interval.steps, 3);
	UNIT_INTEGER(interval.unit, NN_MEASURE_SCALE);
	for (uint32_t h = 0; h < 3; h++)
		for (uint32_t k = 0; k < 2; k++)
			for (size_t l = 0; l < sizeof(levels) / sizeof(levels[0]); l++)
			{
				double		wanted = nn_normal_quantile((1 + levels[l]) / 2) * (h + 1) * (k ? 10 : 1);

				UNIT_NEAR(width_at(&interval, 2, h, k, levels[l]) / wanted, 1, levels[l] < 0.5 ? 0.1 : 0.05);
			}
}

/* Windows differ in how hard they are by what one measure says; others are noise. */
static void
unit_that_fits_is_chosen(void)
{
	for (int planted = 0; planted < NN_MEASURES; planted++)
	{
		NnErrors   *errors = errors_create(800, 2, 1);
		NnInterval	interval;
		uint64_t	state = 7;

		for (uint32_t i = 0; i < 800; i++)
		{
			for (int u = 1; u < NN_MEASURES; u++)
				*unit_at(errors, i, 0, (NnMeasure) u) = 0.2 + 5 * random_unit(&state);
			for (uint32_t h = 0; h < 2; h++)
				*error_at(errors, i, h, 0) = random_normal(&state) * *unit_at(errors, i, 0,
																			  (NnMeasure) planted);
		}
		interval = interval_of(errors);
		UNIT_INTEGER(interval.unit, planted);
		UNIT_NEAR(width_at(&interval, 1, 0, 0, 0.8), 1.2816, 0.12);
	}
}

/* Errors of a head's unit: each side has its own. */
static void
head_is_the_unit(void)
{
	NnErrors   *errors = errors_create(1000, 1, 1);
	NnInterval	interval;
	uint64_t	state = 3;

	errors->head = NN_NEW_ARRAY(unit_env(), double, 2000);
	for (uint32_t i = 0; i < 1000; i++)
	{
		double		size = 0.1 + random_unit(&state),
					z = random_normal(&state);

		errors->head[2 * i] = size;
		errors->head[2 * i + 1] = 3 * size;
		*error_at(errors, i, 0, 0) = z * (z > 0 ? 3 : 1) * size;
	}
	interval = interval_of(errors);
	UNIT_INTEGER(interval.unit, NN_MEASURE_HEAD);
	UNIT_NEAR(width_at(&interval, 1, 0, 0, 0.9), 1.6449, 0.15);
}

/* However few windows: finite, above 0, ascending, and beyond what was seen for rare errors. */
static void
few_windows_do(void)
{
	for (uint32_t n = 1; n <= 12; n++)
	{
		NnErrors   *errors = errors_create(n, 4, 1);
		NnInterval	interval;
		double		most = 0;
		uint64_t	state = n;

		for (uint32_t i = 0; i < n; i++)
			for (uint32_t h = 0; h < 4; h++)
			{
				/* The last step was seen once only. */
				if (h == 3 && i > 0)
					continue;
				*error_at(errors, i, h, 0) = 0.1 + random_unit(&state);
				most = fmax(most, *error_at(errors, i, h, 0));
			}
		interval = interval_of(errors);
		UNIT_INTEGER(interval.steps, 4);
		for (uint32_t h = 0; h < 4; h++)
		{
			double		before = 0;

			for (double level = 0.001; level < 1; level += 0.001)
			{
				double		width = width_at(&interval, 1, h, 0, level);

				UNIT_CHECK(isfinite(width) && width > 0 && width >= before);
				before = width;
			}
			/* With few windows errors are taken to grow with the step. */
			UNIT_CHECK(h == 0 || width_at(&interval, 1, h, 0, 0.8) >= width_at(&interval, 1, h - 1, 0, 0.8));
		}
		UNIT_CHECK(width_at(&interval, 1, 3, 0, 0.9999) > most);
	}
}

static void
unknown_errors_are_no_errors(void)
{
	NnErrors   *errors = errors_create(20, 3, 2);
	NnInterval	interval = interval_of(errors);

	/* None at all. */
	UNIT_INTEGER(interval.steps, 0);

	/* None of the second target, and none of the first one's middle step. */
	for (uint32_t i = 0; i < 20; i++)
	{
		*error_at(errors, i, 0, 0) = i % 2 ? 1 : -1;
		*error_at(errors, i, 2, 0) = i % 2 ? -4 : 4;
	}
	interval = interval_of(errors);
	UNIT_INTEGER(interval.steps, 3);
	for (uint32_t h = 0; h < 3; h++)
	{
		UNIT_CHECK(width_at(&interval, 2, h, 0, 0.8) >= 0.9);
		UNIT_CHECK(width_at(&interval, 2, h, 1, 0.8) == width_at(&interval, 2, h, 0, 0.8));
	}

	/* No error at all is an interval of no width. */
	for (size_t i = 0; i < (size_t) 20 * 3 * 2; i++)
		errors->error[i] = 0;
	interval = interval_of(errors);
	UNIT_INTEGER(interval.steps, 3);
	UNIT_CHECK(width_at(&interval, 2, 1, 1, 0.999) == 0);
}

/* Between the steps and probabilities that are kept, and beyond them. */
static void
widths_go_on(void)
{
	NnErrors   *errors = errors_create(2000, 2, 1);
	NnInterval	interval;
	uint64_t	state = 5;

	for (uint32_t i = 0; i < 2000; i++)
		for (uint32_t h = 0; h < 2; h++)
			*error_at(errors, i, h, 0) = random_normal(&state);
	interval = interval_of(errors);
	UNIT_NEAR(width_at(&interval, 1, 7, 0, 0.8), 2 * width_at(&interval, 1, 1, 0, 0.8), 1e-12);
	UNIT_NEAR(width_at(&interval, 1, 0, 0, 0.9999) / width_at(&interval, 1, 0, 0, 0.999),
			  nn_normal_quantile(0.99995) / nn_normal_quantile(0.9995), 1e-9);
	for (uint32_t h = 0; h < 4; h++)
	{
		double		before = 0;

		for (double level = 0.0005; level < 1; level += 0.0005)
		{
			double		width = width_at(&interval, 1, h, 0, level);

			UNIT_CHECK(width > before - 1e-12);
			before = width;
		}
	}
	for (int q = 0; q < NN_INTERVAL_POINTS; q++)
		UNIT_NEAR(width_at(&interval, 1, 1, 0, nn_interval_probability[q]),
				  interval.width[NN_INTERVAL_POINTS + q], 1e-12);
}

static void
names_of_measures(void)
{
	for (int u = 0; u <= NN_MEASURE_HEAD; u++)
		UNIT_INTEGER(nn_measure_find(nn_measure_name((NnMeasure) u)), u);
	UNIT_INTEGER(nn_measure_find("hardness"), -1);
	UNIT_INTEGER(nn_measure_find(""), -1);
}

static void
units_of_windows(void)
{
	NnSeries   *series = SERIES_OF(9, 9, 1, 3, 2, 4, 100, 100);
	NnSpec	   *spec = spec_plain(1, 0, 0, 4, 1);
	const NnWindow window = {0, 5};
	NnData	   *data;
	double		unit[NN_MEASURES],
				again[NN_MEASURES],
				few;

	spec->season = 2;
	data = data_of(spec, prep_of(spec, series), series);
	nn_window_units(data, &window, unit);
	/* All grow alike where the series has few rows so far: what counts is one beside the other. */
	few = unit[NN_MEASURE_SCALE];
	UNIT_CHECK(few >= 1);
	UNIT_NEAR(unit[NN_MEASURE_STANDARD] / few, sqrt(1.25), 1e-12);
	UNIT_NEAR(unit[NN_MEASURE_CHANGE] / few, 5.0 / 3, 1e-12);
	UNIT_NEAR(unit[NN_MEASURE_SEASONAL_CHANGE] / few, 1, 1e-12);
	UNIT_NEAR(unit[NN_MEASURE_LEVEL] / few, 2.5, 1e-12);

	/* Rows before the context and after the origin do not matter, and gaps are left out. */
	series = SERIES_OF(-5, NAN, 1, 3, NAN, 4, NAN, -7);
	data = data_of(spec, prep_of(spec, series), series);
	nn_window_units(data, &window, again);
	UNIT_NEAR(again[NN_MEASURE_LEVEL] / few, 8.0 / 3, 1e-12);
	UNIT_NEAR(again[NN_MEASURE_CHANGE] / few, 2, 1e-12);

	/* What stands still, and what is not known at all, has a unit all the same. */
	series = SERIES_OF(7, 7, 7, 7, 7, 7, 1, 2);
	data = data_of(spec, prep_of(spec, series), series);
	nn_window_units(data, &window, again);
	for (int u = 0; u < NN_MEASURES; u++)
		UNIT_CHECK(again[u] > 0 && isfinite(again[u]));
	series = SERIES_OF(3, 1, NAN, NAN, NAN, NAN, 1, 2);
	data = data_of(spec, prep_of(spec, series), series);
	nn_window_units(data, &window, again);
	for (int u = 0; u < NN_MEASURES; u++)
		UNIT_CHECK(again[u] > 0 && isfinite(again[u]));
}

int
main(void)
{
	UNIT_RUN(widths_are_those_of_the_errors);
	UNIT_RUN(unit_that_fits_is_chosen);
	UNIT_RUN(head_is_the_unit);
	UNIT_RUN(few_windows_do);
	UNIT_RUN(unknown_errors_are_no_errors);
	UNIT_RUN(widths_go_on);
	UNIT_RUN(names_of_measures);
	UNIT_RUN(units_of_windows);
	return unit_finish();
}
