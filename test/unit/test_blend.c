/*
 * test_blend.c
 *		Tests of nn_blend.h: weights that made the numbers are found again.
 */
#include "unit.h"

#include "core/nn_blend.h"

#define N 200

/* A repeatable number between -1 and 1. */
static double
even(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return (double) (*state >> 11) / 4503599627370496.0 - 1;
}

typedef struct Case
{
	double		forecast[4 * N], actual[N], scale[N], weight[4];
} Case;

/* M forecasts around level; actual their mixture by weight plus noise. */
static Case *
case_make(uint32_t M, const double *weight, double level, double noise)
{
	Case	   *c = NN_NEW(unit_env(), Case);
	uint64_t	state = 7;

	for (size_t i = 0; i < N; i++)
	{
		c->scale[i] = 1 + (double) (i % 3);
		c->actual[i] = noise * even(&state);
		for (uint32_t m = 0; m < M; m++)
		{
			c->forecast[m * N + i] = level + even(&state);
			c->actual[i] += weight[m] * c->forecast[m * N + i];
		}
	}
	return c;
}

static void
case_fit(Case *c, uint32_t M)
{
	nn_blend_fit(unit_env(), M, N, c->forecast, c->actual, c->scale, c->weight);
}

static void
weights_are_found(void)
{
	const double two[] = {0.3, 0.7},
				four[] = {0.6, 0.4, -0.5, 0.25};
	Case	   *c = case_make(2, two, 50, 0);

	case_fit(c, 2);
	UNIT_CHECK(fabs(c->weight[0] - 0.3) < 1e-8);
	UNIT_CHECK(c->weight[0] + c->weight[1] == 1);
	c = case_make(4, four, 50, 0);
	case_fit(c, 4);
	for (int m = 0; m < 4; m++)
		UNIT_CHECK(fabs(c->weight[m] - four[m]) < 1e-5);
}

/* With b at its end the others are what is best beside that b, not what was best before. */
static void
b_keeps_its_bounds(void)
{
	const double above[] = {1.4, -0.4, 0.5},
				below[] = {-0.2, 1.2};
	Case	   *c = case_make(3, above, 0, 0);
	double		product = 0,
				size = 0;

	case_fit(c, 3);
	UNIT_CHECK(c->weight[0] == 1 && c->weight[1] == 0);
	for (size_t i = 0; i < N; i++)
	{
		double		off = c->actual[i] - c->forecast[i] - c->weight[2] * c->forecast[2 * N + i],
					squared = c->scale[i] * c->scale[i];

		product += off * c->forecast[2 * N + i] / squared;
		size += c->forecast[2 * N + i] * c->forecast[2 * N + i] / squared;
	}
	UNIT_CHECK(fabs(product / size) < 0.02);
	c = case_make(2, below, 0, 0);
	case_fit(c, 2);
	UNIT_CHECK(c->weight[0] == 0 && c->weight[1] == 1);
}

static void
noise_is_not_believed(void)
{
	const double weight[] = {0.5, 0.5, 0, 0};
	Case	   *c = case_make(4, weight, 0, 0.5);

	case_fit(c, 4);
	UNIT_CHECK(fabs(c->weight[0] - 0.5) < 0.15);
	UNIT_CHECK(fabs(c->weight[2]) < 0.15 && fabs(c->weight[3]) < 0.15);
}

static void
forecasts_that_depend_on_each_other(void)
{
	const double weight[] = {0.3, 0.7, 0.2, 0};
	Case	   *c = case_make(4, weight, 1, 0);

	/* Two others are one. */
	memcpy(c->forecast + 3 * N, c->forecast + 2 * N, N * sizeof(double));
	case_fit(c, 4);
	UNIT_CHECK(fabs(c->weight[0] - 0.3) < 1e-4);
	UNIT_CHECK(fabs(c->weight[2] + c->weight[3] - 0.2) < 1e-4);
	/* The first two never differ, and one is 0 throughout. */
	memcpy(c->forecast + N, c->forecast, N * sizeof(double));
	memset(c->forecast + 3 * N, 0, N * sizeof(double));
	case_fit(c, 4);
	UNIT_CHECK(c->weight[0] == 0.5 && c->weight[3] == 0);
	for (int m = 0; m < 4; m++)
		UNIT_CHECK(isfinite(c->weight[m]));
}

static void
unknown_rows_are_passed_over(void)
{
	const double weight[] = {0.3, 0.7, -0.5};
	Case	   *c = case_make(3, weight, 5, 0);

	for (size_t i = 0; i < N; i += 4)
		c->actual[i] = NAN;
	for (size_t i = 1; i < N; i += 4)
		c->forecast[i % 3 * N + i] = NAN;
	case_fit(c, 3);
	for (int m = 0; m < 3; m++)
		UNIT_CHECK(fabs(c->weight[m] - weight[m]) < 1e-6);
}

static void
no_row_is_no_crash(void)
{
	double		weight[3];

	nn_blend_fit(unit_env(), 3, 0, NULL, NULL, NULL, weight);
	UNIT_CHECK(weight[0] == 0.5 && weight[1] == 0.5 && weight[2] == 0);
}

static void
what_is_unknown_is_stood_in_for(void)
{
	const double weight[] = {0.25, 0.75, -0.5};

	UNIT_CHECK(nn_blend_value(3, weight, (double[]) {4, 8, 2}) == 6);
	UNIT_CHECK(nn_blend_value(3, weight, (double[]) {NAN, 8, 2}) == 7);
	UNIT_CHECK(nn_blend_value(3, weight, (double[]) {4, NAN, 2}) == 3);
	UNIT_CHECK(nn_blend_value(3, weight, (double[]) {4, 8, NAN}) == 3.5);
	UNIT_CHECK(isnan(nn_blend_value(3, weight, (double[]) {NAN, NAN, 2})));
}

int
main(void)
{
	UNIT_RUN(weights_are_found);
	UNIT_RUN(b_keeps_its_bounds);
	UNIT_RUN(noise_is_not_believed);
	UNIT_RUN(forecasts_that_depend_on_each_other);
	UNIT_RUN(unknown_rows_are_passed_over);
	UNIT_RUN(no_row_is_no_crash);
	UNIT_RUN(what_is_unknown_is_stood_in_for);
	return unit_finish();
}
