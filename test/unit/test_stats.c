/*
 * test_stats.c
 *		Tests of nn_stats.h.  Reference quantiles come from mpmath with 30 digits.
 */
#include "unit.h"

#include "core/nn_stats.h"

/* |actual - expected| <= tolerance * |expected| */
static void
check_relative(const char *what, double actual, double expected, double tolerance)
{
	if (!(fabs(actual - expected) <= tolerance * fabs(expected)))
		UNIT_FAILED("%s is %.17g, not %.17g", what, actual, expected);
}

static void
summaries_skip_nan(void)
{
	static const double x[] = {NAN, 3.0, -1.0, NAN, 7.0, 3.0};

	UNIT_INTEGER(nn_stats_count(x, 6), 4);
	UNIT_NEAR(nn_stats_mean(x, 6), 3.0, 1e-15);
	UNIT_NEAR(nn_stats_sd(x, 6), sqrt(8.0), 1e-15);
	UNIT_NEAR(nn_stats_min(x, 6), -1.0, 0.0);
	UNIT_NEAR(nn_stats_max(x, 6), 7.0, 0.0);
	UNIT_NEAR(nn_stats_median(unit_env(), x, 6), 3.0, 0.0);
}

static void
nothing_gives_nan(void)
{
	static const double x[] = {NAN, NAN};

	for (size_t n = 0; n <= 2; n++)
	{
		UNIT_INTEGER(nn_stats_count(x, n), 0);
		UNIT_CHECK(isnan(nn_stats_mean(x, n)) && isnan(nn_stats_sd(x, n)));
		UNIT_CHECK(isnan(nn_stats_min(x, n)) && isnan(nn_stats_max(x, n)));
		UNIT_CHECK(isnan(nn_stats_median(unit_env(), x, n)));
	}
}

/* A small spread on a large mean, where one pass would lose everything. */
static void
deviation_survives_a_large_mean(void)
{
	double		x[1000];

	for (int i = 0; i < 1000; i++)
		x[i] = 1e9 + (i % 2 == 0 ? 0.25 : -0.25);
	UNIT_NEAR(nn_stats_mean(x, 1000), 1e9, 0.0);
	UNIT_NEAR(nn_stats_sd(x, 1000), 0.25, 1e-14);
	for (int i = 0; i < 1000; i++)
		x[i] = 0.1;
	UNIT_NEAR(nn_stats_sd(x, 1000), 0.0, 1e-16);
	UNIT_NEAR(nn_stats_sd(x, 1), 0.0, 0.0);
}

/* Values of R: quantile(c(2, 4, 4, 5, 9, 11, 12), p) */
static void
quantile_is_type_7(void)
{
	static const double x[] = {11, 4, NAN, 2, 12, 5, 9, 4};
	NnEnv	   *env = unit_env();

	UNIT_NEAR(nn_stats_quantile(env, x, 8, 0.0), 2.0, 0.0);
	UNIT_NEAR(nn_stats_quantile(env, x, 8, 0.1), 3.2, 1e-15);
	UNIT_NEAR(nn_stats_quantile(env, x, 8, 0.25), 4.0, 0.0);
	UNIT_NEAR(nn_stats_quantile(env, x, 8, 0.5), 5.0, 0.0);
	UNIT_NEAR(nn_stats_quantile(env, x, 8, 0.75), 10.0, 1e-15);
	UNIT_NEAR(nn_stats_quantile(env, x, 8, 0.9), 11.4, 1e-15);
	UNIT_NEAR(nn_stats_quantile(env, x, 8, 1.0), 12.0, 0.0);
	UNIT_CHECK(isnan(nn_stats_quantile(env, x, 8, 1.1)));
	UNIT_CHECK(isnan(nn_stats_quantile(env, x, 8, NAN)));
	UNIT_NEAR(nn_stats_quantile(env, x, 1, 0.3), 11.0, 0.0);
}

/* Ascending, descending, equal, sawtooth: each known rank of 0 .. n - 1. */
static void
selection_takes_any_order(void)
{
	enum {N = 5001};
	NnEnv	   *env = unit_env();
	double	   *x = NN_NEW_ARRAY(env, double, N);

	for (int order = 0; order < 4; order++)
	{
		for (int k = 0; k < N; k += 250)
		{
			for (int i = 0; i < N; i++)
				x[i] = order == 0 ? i : order == 1 ? N - 1 - i : order == 2 ? 7 : (i * 1237) % N;
			UNIT_NEAR(nn_stats_quantile_in_place(env, x, N, (double) k / (N - 1)),
					  order == 2 ? 7.0 : (double) k, 1e-11);
		}
	}
}

static void
normal_matches_reference(void)
{
	static const double expected[][2] = {
		{1e-300, -37.0470962993611992},
		{1e-20, -9.26234008979840758},
		{1e-5, -4.26489079392282461},
		{0.01, -2.32634787404084109},
		{0.1, -1.28155156554460044},
		{0.25, -0.674489750196081743},
		{0.3, -0.524400512708040816},
		{0.4999999999, -2.5066284820303539e-10},
		{0.5000001, 2.5066282733116483e-7},
		{0.6, 0.253347103135799741},
		{0.75, 0.674489750196081743},
		{0.8, 0.841621233572914364},
		{0.975, 1.95996398454005386},
		{0.999999, 4.75342430881708777},
	};

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
	{
		double		p = expected[i][0];

		check_relative(nn_format(unit_env(), "normal quantile of %g", p), nn_normal_quantile(p),
					   expected[i][1], 1e-15);
		check_relative(nn_format(unit_env(), "normal cdf for %g", p),
					   nn_normal_cdf(expected[i][1]), p, 2e-13);
	}
	UNIT_NEAR(nn_normal_quantile(0.5), 0.0, 0.0);
	UNIT_NEAR(nn_normal_quantile(0.0), -INFINITY, 0.0);
	UNIT_NEAR(nn_normal_quantile(1.0), INFINITY, 0.0);
	UNIT_CHECK(isnan(nn_normal_quantile(-0.1)) && isnan(nn_normal_quantile(NAN)));
	UNIT_CHECK(isfinite(nn_normal_quantile(5e-324)));
}

static void
student_matches_reference(void)
{
	static const double expected[][3] = {
		{0.5000001, 2.1, 2.8130988994978698e-7},
		{0.5000001, 3, 2.7206990449193157e-7},
		{0.5000001, 4.5, 2.648678109036422e-7},
		{0.5000001, 10, 2.5699780335778006e-7},
		{0.5000001, 30, 2.5276002247929695e-7},
		{0.5000001, 1000, 2.507255008614169e-7},
		{0.5000001, 50000, 2.5066408064843469e-7},
		{0.6, 2.1, 0.28695449576720761},
		{0.6, 3, 0.27667066233268985},
		{0.6, 4.5, 0.26875183554217514},
		{0.6, 10, 0.26018482949208018},
		{0.6, 30, 0.25560536495191271},
		{0.6, 1000, 0.25341451583949871},
		{0.6, 50000, 0.2533484511806963},
		{0.75, 2.1, 0.80885679314172472},
		{0.75, 3, 0.76489232840434528},
		{0.75, 4.5, 0.7328666862359945},
		{0.75, 10, 0.69981206131243163},
		{0.75, 30, 0.68275569332129255},
		{0.75, 1000, 0.67473516460700944},
		{0.75, 50000, 0.67449465692640067},
		{0.9, 2.1, 1.8466955277798161},
		{0.9, 3, 1.6377443536962103},
		{0.9, 4.5, 1.5008853175085577},
		{0.9, 10, 1.3721836411103358},
		{0.9, 30, 1.3104150253913957},
		{0.9, 1000, 1.2823987214609246},
		{0.9, 50000, 1.2815684974683014},
		{0.975, 2.1, 4.1121527581738791},
		{0.975, 3, 3.1824463052837084},
		{0.975, 4.5, 2.658912347204403},
		{0.975, 10, 2.2281388519862742},
		{0.975, 30, 2.0422724563012379},
		{0.975, 1000, 1.9623390808264081},
		{0.975, 50000, 1.9600114310936797},
		{0.999, 2.1, 19.869795799797029},
		{0.999, 3, 10.214531852407383},
		{0.999, 4.5, 6.4212428842957905},
		{0.999, 10, 4.1437004940465891},
		{0.999, 30, 3.3851848668293048},
		{0.999, 1000, 3.0984021639129226},
		{0.999, 50000, 3.0903953166253841},
		{0.9999999, 2.1, 1598.9185707703858},
		{0.9999999, 3, 222.57159098625124},
		{0.9999999, 4.5, 51.912218685498556},
		{0.9999999, 10, 12.492209688254746},
		{0.9999999, 30, 6.7013995123793148},
		{0.9999999, 1000, 5.2359984693922194},
		{0.9999999, 50000, 5.200066438938158},
	};

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
	{
		double		p = expected[i][0],
					nu = expected[i][1],
					t = expected[i][2];
		const char *what = nn_format(unit_env(), "student quantile of %.8g, nu %g", p, nu);

		check_relative(what, nn_student_quantile(p, nu), t, 1e-12);
		check_relative(what, nn_student_quantile(1.0 - p, nu), -t, 1e-8);
		UNIT_NEAR(nn_student_cdf(t, nu), p, 1e-14);
	}
	UNIT_NEAR(nn_student_quantile(0.5, 3.0), 0.0, 0.0);
	UNIT_NEAR(nn_student_quantile(0.0, 3.0), -INFINITY, 0.0);
	UNIT_NEAR(nn_student_quantile(1.0, 3.0), INFINITY, 0.0);
	UNIT_CHECK(isnan(nn_student_quantile(0.3, 0.0)) && isnan(nn_student_quantile(2.0, 3.0)));
	UNIT_CHECK(isfinite(nn_student_quantile(1e-300, 2.1)));
}

/* Both formulas meet where one takes over, and reach the normal in the limit. */
static void
student_reaches_the_normal(void)
{
	for (double p = 0.55; p < 0.9999; p += 0.05)
	{
		check_relative("quantile at 1e7", nn_student_quantile(p, 0.999999e7),
					   nn_student_quantile(p, 1.000001e7), 1e-12);
		check_relative("limit", nn_student_quantile(p, 1e300), nn_normal_quantile(p), 1e-15);
		check_relative("cdf at 1e7", nn_student_cdf(p, 0.999999e7), nn_student_cdf(p, 1.000001e7),
					   1e-12);
	}
	UNIT_NEAR(nn_student_cdf(0.0, 5.0), 0.5, 0.0);
	UNIT_NEAR(nn_student_cdf(-INFINITY, 5.0), 0.0, 0.0);
	UNIT_NEAR(nn_student_cdf(1e200, 2.5), 1.0, 0.0);
	UNIT_NEAR(nn_student_cdf(-1e200, 2.5), 0.0, 1e-300);
}

static void
rounding_is_no_difference(void)
{
	UNIT_NEAR(nn_stats_difference(5, 3), 2, 0);
	UNIT_NEAR(nn_stats_difference(5.000000000000002, 5), 0, 0);
	UNIT_NEAR(nn_stats_difference(1e-300, 0), 1e-300, 0);
	UNIT_NEAR(nn_stats_difference(1e9, 1e9 + 0.5), 0.5, 0);
	UNIT_NEAR(nn_stats_difference(0, 0), 0, 0);
	UNIT_CHECK(isnan(nn_stats_difference(NAN, 1)) && isnan(nn_stats_difference(1, NAN)));
	UNIT_CHECK(isinf(nn_stats_difference(INFINITY, 1)));
	UNIT_CHECK(nn_stats_within(5.000000000000002, 5, 5) && nn_stats_within(4.999999999999998, 5, 6));
	UNIT_CHECK(!nn_stats_within(5.0001, 5, 5) && !nn_stats_within(4.9999, 5, 6));
	UNIT_CHECK(!nn_stats_within(NAN, 0, 1) && !nn_stats_within(1, NAN, 2));
}

int
main(void)
{
	UNIT_RUN(rounding_is_no_difference);
	UNIT_RUN(summaries_skip_nan);
	UNIT_RUN(nothing_gives_nan);
	UNIT_RUN(deviation_survives_a_large_mean);
	UNIT_RUN(quantile_is_type_7);
	UNIT_RUN(selection_takes_any_order);
	UNIT_RUN(normal_matches_reference);
	UNIT_RUN(student_matches_reference);
	UNIT_RUN(student_reaches_the_normal);
	return unit_finish();
}
