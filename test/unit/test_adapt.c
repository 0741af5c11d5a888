/*
 * test_adapt.c
 *		Intervals that learn: their coverage comes to the level, and they look at
 *		nothing that is not yet known.
 */
#include "core/nn_adapt.h"
#include "core/nn_stats.h"

#include "test_data.h"

#define HORIZON 3
#define NLEVELS 3

static const double levels[NLEVELS] = {0.5, 0.8, 0.95};

/* One walk over a series of ntargets columns, forecast as 0 with the widths of a Gaussian. */
typedef struct Walk
{
	NnSeries   *series;
	uint32_t	rows, ntargets;
	double	   *low, *high;		/* [rows][NLEVELS][HORIZON][ntargets], those of each origin */
} Walk;

static size_t
walk_place(const Walk *walk, uint32_t origin, uint32_t v, uint32_t h, uint32_t k)
{
	return (((size_t) origin * NLEVELS + v) * HORIZON + h) * walk->ntargets + k;
}

/* Noise whose deviation goes from one to the other. */
static Walk *
walk_create(uint32_t rows, uint32_t ntargets, double from, double to, uint64_t seed)
{
	Walk	   *walk = NN_NEW(unit_env(), Walk);
	size_t		values = (size_t) rows * NLEVELS * HORIZON * ntargets;

	walk->rows = rows;
	walk->ntargets = ntargets;
	walk->series = series_create(1, &rows, ntargets, 0);
	walk->low = NN_NEW_ARRAY(unit_env(), double, values);
	walk->high = NN_NEW_ARRAY(unit_env(), double, values);
	for (uint32_t t = 0; t < rows; t++)
		for (uint32_t k = 0; k < ntargets; k++)
			walk->series->value[(size_t) t * ntargets + k] =
				nn_normal_quantile((random_unit(&seed) + 1e-7) / (1 + 2e-7)) *
				(from + (to - from) * t / rows);
	return walk;
}

static void
walk_run(Walk *walk, NnAdapter *adapter, uint32_t stride)
{
	double		point[HORIZON * 4] = {0};

	for (uint32_t origin = 0; origin < walk->rows; origin += stride)
	{
		size_t		at = walk_place(walk, origin, 0, 0, 0);

		for (uint32_t v = 0; v < NLEVELS; v++)
			for (uint32_t i = 0; i < HORIZON * walk->ntargets; i++)
			{
				double		width = nn_normal_quantile((1 + levels[v]) / 2);

				walk->low[at + v * HORIZON * walk->ntargets + i] = -width;
				walk->high[at + v * HORIZON * walk->ntargets + i] = width;
			}
		nn_adapter_step(adapter, walk->series, origin, point, walk->low + at, walk->high + at);
	}
}

/* Share of values within the bounds of step h among the rows of the second half. */
static double
walk_coverage(const Walk *walk, uint32_t v, uint32_t h)
{
	double		within = 0,
				n = 0;

	for (uint32_t origin = walk->rows / 2; origin + h + 1 < walk->rows; origin++)
		for (uint32_t k = 0; k < walk->ntargets; k++)
		{
			double		value = walk->series->value[(size_t) (origin + h + 1) * walk->ntargets + k];
			size_t		at = walk_place(walk, origin, v, h, k);

			n++;
			within += value >= walk->low[at] && value <= walk->high[at];
		}
	return within / n;
}

static NnAdapter *
adapter_of(uint32_t ntargets)
{
	return nn_adapter_create(unit_env(), HORIZON, ntargets, levels, NLEVELS);
}

/* Calibrated at the beginning; in the end noise is four times as wide, or a quarter. */
static void
coverage_comes_to_the_level(void)
{
	for (int narrow = 0; narrow < 2; narrow++)
		for (uint32_t ntargets = 1; ntargets <= 2; ntargets++)
		{
			Walk	   *walk = walk_create(4000, ntargets, 1, narrow ? 0.25 : 4, 11 + ntargets);

			walk_run(walk, adapter_of(ntargets), 1);
			for (uint32_t v = 0; v < NLEVELS; v++)
				for (uint32_t h = 0; h < HORIZON; h++)
					UNIT_NEAR(walk_coverage(walk, v, h), levels[v], 0.03);
			/* Still there is something to learn for the factor: the bounds are not those given. */
			for (uint32_t v = 0; v < NLEVELS; v++)
			{
				double		width = nn_normal_quantile((1 + levels[v]) / 2),
							last = walk->high[walk_place(walk, 3999, v, 0, 0)];

				UNIT_CHECK(narrow ? last < 0.6 * width : last > 1.5 * width);
			}
		}
}

/* Bounds at an origin are the same whatever comes after it. */
static void
later_rows_are_not_looked_at(void)
{
	Walk	   *walk = walk_create(300, 2, 1, 1, 5),
			   *other = walk_create(300, 2, 1, 1, 5);
	size_t		same = (size_t) 200 * NLEVELS * HORIZON * 2;

	for (size_t i = (size_t) 200 * 2; i < (size_t) 300 * 2; i++)
		other->series->value[i] = i % 3 ? 1e6 : NAN;
	walk_run(walk, adapter_of(2), 1);
	walk_run(other, adapter_of(2), 1);
	UNIT_CHECK(memcmp(walk->low, other->low, same * sizeof(double)) == 0);
	UNIT_CHECK(memcmp(walk->high, other->high, same * sizeof(double)) == 0);
	UNIT_CHECK(memcmp(walk->low + same, other->low + same, same / 2 * sizeof(double)) != 0);
}

static void
reset_forgets(void)
{
	Walk	   *first = walk_create(500, 1, 3, 6, 1),
			   *fresh = walk_create(200, 1, 1, 1, 2),
			   *again = walk_create(200, 1, 1, 1, 2),
			   *kept = walk_create(200, 1, 1, 1, 2);
	size_t		bytes = (size_t) 200 * NLEVELS * HORIZON * sizeof(double);
	NnAdapter  *adapter = adapter_of(1),
			   *forgetful = adapter_of(1);

	walk_run(fresh, adapter_of(1), 1);
	walk_run(first, adapter, 1);
	nn_adapter_reset(adapter);
	walk_run(again, adapter, 1);
	UNIT_CHECK(memcmp(fresh->low, again->low, bytes) == 0);
	walk_run(first, forgetful, 1);
	walk_run(kept, forgetful, 1);
	UNIT_CHECK(memcmp(fresh->low, kept->low, bytes) != 0);
}

/* What is unknown teaches nothing; a bound that is none stays none. */
static void
unknown_values_teach_nothing(void)
{
	Walk	   *walk = walk_create(100, 1, 1, 1, 3);
	NnAdapter  *adapter = adapter_of(1);
	double		point[HORIZON] = {0},
				low[NLEVELS * HORIZON],
				high[NLEVELS * HORIZON];

	for (uint32_t t = 1; t < 100; t++)
		walk->series->value[t] = NAN;
	walk_run(walk, adapter, 1);
	for (uint32_t v = 0; v < NLEVELS; v++)
		UNIT_NEAR(walk->high[walk_place(walk, 99, v, 2, 0)], nn_normal_quantile((1 + levels[v]) / 2), 1e-12);
	for (int i = 0; i < NLEVELS * HORIZON; i++)
		low[i] = high[i] = NAN;
	nn_adapter_reset(adapter);
	nn_adapter_step(adapter, walk->series, 0, point, low, high);
	nn_adapter_step(adapter, walk->series, 1, point, low, high);
	for (int i = 0; i < NLEVELS * HORIZON; i++)
		UNIT_CHECK(isnan(low[i]) && isnan(high[i]));
}

/* Factors have limits, and origins may leave rows out. */
static void
factors_are_limited(void)
{
	Walk	   *walk = walk_create(3000, 1, 1e6, 1e6, 3),
			   *sparse = walk_create(3000, 1, 2, 2, 4);

	walk_run(walk, adapter_of(1), 1);
	UNIT_NEAR(walk->high[walk_place(walk, 2999, 0, 0, 0)], nn_normal_quantile(0.75) *
			  exp(NN_ADAPT_MOST), 1e-9);
	walk_run(sparse, adapter_of(1), 5);
	UNIT_CHECK(sparse->high[walk_place(sparse, 2995, 1, 0, 0)] > 1.3 * nn_normal_quantile(0.9));
	UNIT_CHECK(sparse->high[walk_place(sparse, 2995, 1, 0, 0)] < 3 * nn_normal_quantile(0.9));
}

static void
memory_is_limited(void)
{
	size_t		before = unit_env()->max_memory;

	unit_env()->max_memory = 1 << 20;
	UNIT_FAILS(unit_env(), NN_NO_MEMORY, nn_adapter_create(unit_env(), 2000, 1, levels, NLEVELS));
	UNIT_STRING(unit_host.message, "adaptive intervals of 2000 steps need 183.1 MB of memory, "
				"above the limit of 1.0 MB");
	unit_env()->max_memory = before;
}

/* Widened by misses, but never beyond the bounds of the spec. */
static void
bounds_hold(void)
{
	NnSpec		spec;
	Walk	   *walk = walk_create(400, 1, 8, 8, 3);
	NnAdapter  *adapter = adapter_of(1);
	double		lowest = 0,
				highest = 0;

	nn_spec_default(&spec);
	spec.lower_bound = -2.5;
	nn_adapter_bound(adapter, &spec);
	walk_run(walk, adapter, 1);
	for (size_t i = walk_place(walk, 300, 0, 0, 0); i < walk_place(walk, 400, 0, 0, 0); i++)
	{
		lowest = fmin(lowest, walk->low[i]);
		highest = fmax(highest, walk->high[i]);
	}
	UNIT_CHECK(lowest == -2.5);
	UNIT_CHECK(highest > 5);
}

int
main(void)
{
	UNIT_RUN(coverage_comes_to_the_level);
	UNIT_RUN(later_rows_are_not_looked_at);
	UNIT_RUN(reset_forgets);
	UNIT_RUN(unknown_values_teach_nothing);
	UNIT_RUN(factors_are_limited);
	UNIT_RUN(bounds_hold);
	UNIT_RUN(memory_is_limited);
	return unit_finish();
}
