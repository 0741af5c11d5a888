/*
 * test_linalg.c
 *		Tests of nn_linalg.h: least squares recovers what made the series.
 */
#include "unit.h"

#include "core/nn_linalg.h"
#include "core/nn_stats.h"

/* A repeatable number of about unit variance. */
static double
noise(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return ((double) (*state >> 11) / 9007199254740992.0 - 0.5) * 3.4641016151377544;
}

/* y[n] of an AR(2) around mean. */
static double *
ar2_series(size_t n, double mean, double spread)
{
	double	   *y = NN_NEW_ARRAY(unit_env(), double, n);
	uint64_t	state = 42;

	for (size_t t = 0; t < n; t++)
	{
		double		a = t >= 1 ? (y[t - 1] - mean) / spread : 0.0;
		double		b = t >= 2 ? (y[t - 2] - mean) / spread : 0.0;

		y[t] = mean + spread * (0.6 * a - 0.3 * b + noise(&state));
	}
	return y;
}

/* Residuals are orthogonal to each lag and to the intercept: the normal equations. */
static void
check_normal_equations(const double *y, size_t n, uint32_t p, const double *coef, double scale)
{
	for (uint32_t j = 0; j <= p; j++)
	{
		double		dot = 0.0;

		for (size_t t = p; t < n; t++)
		{
			double		residual = y[t] - coef[0];

			for (uint32_t k = 1; k <= p; k++)
				residual -= coef[k] * y[t - k];
			dot += residual * (j == 0 ? 1.0 : y[t - j]);
		}
		UNIT_NEAR(dot / (double) n / scale, 0.0, 1e-9);
	}
}

static void
fit_solves_the_normal_equations(void)
{
	double	   *y = ar2_series(3000, 0.0, 1.0);
	double		coef[15];

	nn_ar_fit(unit_env(), y, 3000, 2, coef);
	UNIT_NEAR(coef[1], 0.6, 0.05);
	UNIT_NEAR(coef[2], -0.3, 0.05);
	check_normal_equations(y, 3000, 2, coef, 1.0);
	nn_ar_fit(unit_env(), y, 3000, 14, coef);
	check_normal_equations(y, 3000, 14, coef, 1.0);
}

/* The same lags whatever the units; the intercept follows. */
static void
fit_ignores_units(void)
{
	static const double means[] = {0.0, 1e9, 1e-3, -5e12};
	static const double spreads[] = {1.0, 10.0, 1e-8, 1e6};
	double		expected[4],
				coef[4];

	nn_ar_fit(unit_env(), ar2_series(500, 0.0, 1.0), 500, 3, expected);
	for (int i = 0; i < 4; i++)
	{
		double	   *y = ar2_series(500, means[i], spreads[i]);

		nn_ar_fit(unit_env(), y, 500, 3, coef);
		for (int k = 1; k <= 3; k++)
			UNIT_NEAR(coef[k], expected[k], 1e-6);
		UNIT_NEAR((coef[0] - means[i] * (1.0 - coef[1] - coef[2] - coef[3])) / spreads[i],
				  expected[0], 2e-3);
	}
}

/* A recursion without noise is found exactly: Fibonacci from few rows. */
static void
fit_is_exact_without_noise(void)
{
	double		y[12] = {1, 1};
	double		coef[3],
				next[3];

	for (int t = 2; t < 12; t++)
		y[t] = y[t - 1] + y[t - 2];
	nn_ar_fit(unit_env(), y, 12, 2, coef);
	UNIT_NEAR(coef[0], 0.0, 1e-9);
	UNIT_NEAR(coef[1], 1.0, 1e-9);
	UNIT_NEAR(coef[2], 1.0, 1e-9);
	UNIT_CHECK(nn_ar_predict(coef, 2, y, 12, 3, next));
	UNIT_NEAR(next[0], 233.0, 1e-9);
	UNIT_NEAR(next[1], 377.0, 1e-9);
	UNIT_NEAR(next[2], 610.0, 1e-9);
}

/* Equations across a gap are left out; the others still give the recursion. */
static void
fit_skips_gaps(void)
{
	double		y[60];
	double		coef[3];

	for (int t = 0; t < 60; t++)
		y[t] = t < 2 ? t : 1.2 * y[t - 1] - 0.9 * y[t - 2] + 1.0;
	y[0] = y[20] = y[21] = y[40] = NAN;
	nn_ar_fit(unit_env(), y, 60, 2, coef);
	UNIT_NEAR(coef[0], 1.0, 1e-9);
	UNIT_NEAR(coef[1], 1.2, 1e-9);
	UNIT_NEAR(coef[2], -0.9, 1e-9);
}

static void
constant_series_gives_its_mean(void)
{
	static const double values[] = {0.0, 0.1, -1e15, 7.3e-300};
	double		y[100];
	double		coef[15],
				next[4];

	for (int v = 0; v < 4; v++)
	{
		for (int t = 0; t < 100; t++)
			y[t] = values[v];
		nn_ar_fit(unit_env(), y, 100, 14, coef);
		UNIT_NEAR(coef[0], values[v], 1e-15);
		for (int k = 1; k <= 14; k++)
			UNIT_NEAR(coef[k], 0.0, 0.0);
		UNIT_CHECK(nn_ar_predict(coef, 14, y, 100, 4, next));
		UNIT_NEAR(next[3], values[v], 1e-15);
	}
}

/* A sine needs two lags; with 14 the other twelve depend on them, and it goes on. */
static void
dependent_lags_are_left_out(void)
{
	double		y[200];
	double		coef[15],
				next[24];
	int			zeros = 0;

	for (int t = 0; t < 200; t++)
		y[t] = 10.0 + sin(t * 0.7);
	nn_ar_fit(unit_env(), y, 200, 14, coef);
	for (int k = 1; k <= 14; k++)
		zeros += coef[k] == 0.0;
	UNIT_CHECK(zeros >= 12);
	UNIT_CHECK(nn_ar_predict(coef, 14, y, 200, 24, next));
	for (int h = 0; h < 24; h++)
		UNIT_NEAR(next[h], 10.0 + sin((200 + h) * 0.7), 1e-8);
}

static void
no_lags_give_the_mean(void)
{
	static const double y[] = {1, 2, NAN, 6};
	double		coef[1],
				next[2];

	nn_ar_fit(unit_env(), y, 4, 0, coef);
	UNIT_NEAR(coef[0], 3.0, 1e-14);
	UNIT_CHECK(nn_ar_predict(coef, 0, NULL, 0, 2, next));
	UNIT_NEAR(next[1], 3.0, 1e-14);
}

static void
bad_series_are_refused(void)
{
	NnEnv	   *env = unit_env();
	double		y[40];
	double		coef[15];

	for (int t = 0; t < 40; t++)
		y[t] = t % 5;
	UNIT_FAILS(env, NN_TOO_FEW, nn_ar_fit(env, y, 28, 14, coef));
	UNIT_STRING(unit_host.message, "autoregression with 14 lags needs 15 stretches of 15 known "
				"values, but there are 14");
	nn_ar_fit(env, y, 29, 14, coef);
	UNIT_FAILS(env, NN_TOO_FEW, nn_ar_fit(env, y, 0, 1, coef));
	UNIT_FAILS(env, NN_BAD_VALUE, nn_ar_fit(env, y, 40, NN_AR_MAX_LAGS + 1, coef));
	y[3] = INFINITY;
	UNIT_FAILS(env, NN_BAD_DATA, nn_ar_fit(env, y, 40, 2, coef));
	y[3] = 1.7e308;
	y[4] = -1.7e308;
	UNIT_FAILS(env, NN_BAD_DATA, (y[5] = 1.7e308, y[6] = 1.7e308, nn_ar_fit(env, y, 40, 2, coef)));
	for (int t = 0; t < 40; t++)
		y[t] = NAN;
	UNIT_FAILS(env, NN_TOO_FEW, nn_ar_fit(env, y, 40, 2, coef));
}

static void
predict_tells_when_it_cannot(void)
{
	static const double coef[] = {0.0, 2.0, 0.0};
	double		history[] = {NAN, 1.0, 2.0};
	double		out[2000];

	UNIT_CHECK(nn_ar_predict(coef, 2, history, 3, 2, out));
	UNIT_NEAR(out[1], 8.0, 0.0);
	UNIT_CHECK(!nn_ar_predict(coef, 2, history, 1, 2, out));
	UNIT_CHECK(!nn_ar_predict(coef, 2, history, 2, 2, out));
	UNIT_CHECK(!nn_ar_predict(coef, 2, history, 3, 2000, out));
}

int
main(void)
{
	UNIT_RUN(fit_solves_the_normal_equations);
	UNIT_RUN(fit_ignores_units);
	UNIT_RUN(fit_is_exact_without_noise);
	UNIT_RUN(fit_skips_gaps);
	UNIT_RUN(constant_series_gives_its_mean);
	UNIT_RUN(dependent_lags_are_left_out);
	UNIT_RUN(no_lags_give_the_mean);
	UNIT_RUN(bad_series_are_refused);
	UNIT_RUN(predict_tells_when_it_cannot);
	return unit_finish();
}
