/*
 * test_loss.c
 *		Losses by hand and by finite differences, and reading of raw outputs.
 *
 * test_golden.c compares with PyTorch; here are the edges: unknown targets,
 * ties, extreme parameters, crossing quantiles.
 */
#include "core/nn_loss.h"
#include "core/nn_stats.h"

#include "unit.h"

#ifdef NN_DOUBLE
#define TOLERANCE 1e-12
#else
#define TOLERANCE 1e-6
#endif

static NnSpec *
spec_of(NnLossKind loss)
{
	NnSpec	   *spec = NN_NEW(unit_env(), NnSpec);

	nn_spec_default(spec);
	spec->loss = loss;
	return spec;
}

/* Loss of one value in lane 3 of a tile that is unknown but for it. */
static double
loss_one(const NnSpec *spec, const double *raw, double target, double factor, double *gradient)
{
	uint32_t	outputs = nn_spec_outputs(spec);
	nn_real		lanes[NN_MAX_QUANTILES * NN_LANES],
				draw[NN_MAX_QUANTILES * NN_LANES],
				wanted[NN_LANES];
	uint64_t	known = 0;
	double		loss;

	for (uint32_t i = 0; i < outputs * NN_LANES; i++)
		lanes[i] = NN_R(0.5);
	for (int l = 0; l < NN_LANES; l++)
		wanted[l] = (nn_real) NAN;
	for (uint32_t k = 0; k < outputs; k++)
		lanes[k * NN_LANES + 3] = (nn_real) raw[k];
	wanted[3] = (nn_real) target;
	loss = nn_loss_compute(spec, 1, NN_LANES, lanes, wanted, factor, gradient ? draw : NULL, &known);
	UNIT_INTEGER(known, 1);
	for (uint32_t i = 0; gradient && i < outputs * NN_LANES; i++)
	{
		if (i % NN_LANES == 3)
			gradient[i / NN_LANES] = (double) draw[i];
		else
			UNIT_CHECK(draw[i] == 0);
	}
	return loss;
}

/* Loss and gradient of a loss with one output, of forecast and target. */
static void
point_expect(const NnSpec *spec, double forecast, double target, double loss, double slope)
{
	double		gradient = NAN;

	UNIT_NEAR(loss_one(spec, &forecast, target, 0.5, &gradient), loss, TOLERANCE);
	UNIT_NEAR(gradient, 0.5 * slope, TOLERANCE);
	UNIT_NEAR(loss_one(spec, &forecast, target, 0, NULL), loss, TOLERANCE);
}

static void
points_by_hand(void)
{
	NnSpec	   *spec = spec_of(NN_LOSS_MSE);

	point_expect(spec, 1.5, -0.5, 4, 4);
	point_expect(spec, -1, -1, 0, 0);
	spec->loss = NN_LOSS_MAE;
	point_expect(spec, 1.5, -0.5, 2, 1);
	point_expect(spec, -1.5, 0.5, 2, -1);
	point_expect(spec, 0.25, 0.25, 0, 0);
	spec->loss = NN_LOSS_HUBER;
	spec->huber_delta = 0.5;
	point_expect(spec, 0.25, 0, 0.03125, 0.25);
	point_expect(spec, 0.5, 0, 0.125, 0.5);
	point_expect(spec, 2.5, 0, 0.5 * (2.5 - 0.25), 0.5);
	point_expect(spec, 0, 2.5, 0.5 * (2.5 - 0.25), -0.5);
	spec->huber_delta = 1e299;
	point_expect(spec, 3, 0, 4.5, 3);
}

static void
quantiles_by_hand(void)
{
	NnSpec	   *spec = spec_of(NN_LOSS_QUANTILE);
	double		raw[3] = {-1, 0.5, 1.5};
	double		gradient[3];

	/* Target 0.5: errors 1.5, 0, -1 at levels 0.1, 0.5, 0.9. */
	UNIT_NEAR(loss_one(spec, raw, 0.5, 3, gradient), (0.15 + 0 + 0.1) / 3, TOLERANCE);
	UNIT_NEAR(gradient[0], -0.1, TOLERANCE);
	UNIT_NEAR(gradient[1], 0, TOLERANCE);
	UNIT_NEAR(gradient[2], 0.1, TOLERANCE);
}

static void
gaussian_by_hand(void)
{
	NnSpec	   *spec = spec_of(NN_LOSS_GAUSSIAN);
	/* softplus(0) = ln 2 */
	double		sigma = log(2) + NN_MIN_SIGMA;
	double		raw[2] = {1, 0},
				gradient[2];
	double		z = 1.5 / sigma;

	UNIT_NEAR(loss_one(spec, raw, 2.5, 1, gradient),
			  0.5 * log(2 * 3.14159265358979324 * sigma * sigma) + 0.5 * z * z, TOLERANCE);
	UNIT_NEAR(gradient[0], -z / sigma, TOLERANCE);
	UNIT_NEAR(gradient[1], 0.5 * (1 - z * z) / sigma, TOLERANCE);
}

/* The density with gamma functions, as in any book. */
static void
student_is_the_density(void)
{
	static const double ns[] = {-40, -3, 0, 0.5, 2, 7.5, 17.75, 23, 31, 150, 4096};
	NnSpec	   *spec = spec_of(NN_LOSS_STUDENT_T);

	for (size_t i = 0; i < sizeof(ns) / sizeof(ns[0]); i++)
		for (double target = -2; target <= 4; target += 3)
		{
			double		raw[3] = {1, 0.5, ns[i]};
			double		sigma = log1p(exp(0.5)) + NN_MIN_SIGMA;
			double		nu = 2 + (ns[i] > 30 ? ns[i] + exp(-ns[i]) : log1p(exp(ns[i]))) + NN_MIN_SIGMA;
			double		z = (target - 1) / sigma;
			double		density = lgamma((nu + 1) / 2) - lgamma(nu / 2) -
				0.5 * log(nu * 3.14159265358979324) - log(sigma) -
				(nu + 1) / 2 * log1p(z * z / nu);

			UNIT_NEAR(loss_one(spec, raw, target, 0, NULL), -density, 1e-11);
		}
}

static void
student_becomes_gaussian(void)
{
	NnSpec	   *spec = spec_of(NN_LOSS_STUDENT_T);
	NnSpec	   *normal = spec_of(NN_LOSS_GAUSSIAN);
	double		raw[3] = {0.5, 1, 1e12},
				gradient[3],
				limit[2];

	UNIT_NEAR(loss_one(spec, raw, 2, 1, gradient), loss_one(normal, raw, 2, 1, limit), 1e-11);
	UNIT_NEAR(gradient[0], limit[0], TOLERANCE);
	UNIT_NEAR(gradient[1], limit[1], TOLERANCE);
	UNIT_NEAR(gradient[2], 0, TOLERANCE);
}

static void
likelihoods_stay_finite(void)
{
	static const double extremes[] = {-1e30, -1e4, -800, -50, 0, 50, 800, 1e4, 1e30};
	const size_t n = sizeof(extremes) / sizeof(extremes[0]);

	for (size_t i = 0; i < n; i++)
		for (size_t j = 0; j < n; j++)
			for (size_t k = 0; k < n; k++)
			{
				double		raw[3] = {extremes[i], extremes[j], extremes[k]};
				double		gradient[3];

				UNIT_CHECK(isfinite(loss_one(spec_of(NN_LOSS_STUDENT_T), raw, 1, 1e-25, gradient)));
				UNIT_CHECK(isfinite(gradient[0]) && isfinite(gradient[1]) && isfinite(gradient[2]));
				UNIT_CHECK(isfinite(loss_one(spec_of(NN_LOSS_GAUSSIAN), raw, 1, 1e-35, gradient)));
				UNIT_CHECK(isfinite(gradient[0]));
			}
}

/* Slopes of all losses against central differences. */
static void
gradients_are_differences(void)
{
	/* Differences of floats: a long step, and no great expectations. */
	const double step = sizeof(nn_real) == 8 ? 1.0 / 65536 : 1.0 / 256;
	const double tolerance = sizeof(nn_real) == 8 ? 1e-7 : 2e-3;

	for (int loss = NN_LOSS_MSE; loss <= NN_LOSS_STUDENT_T; loss++)
	{
		NnSpec	   *spec = spec_of((NnLossKind) loss);

		for (int i = 0; i < 20; i++)
		{
			double		raw[3] = {0.3125 * i - 3, 0.25 * (i % 7) - 1, 0.5 * (i % 5) - 1};
			double		gradient[3];

			loss_one(spec, raw, 0.703125, 1, gradient);
			for (uint32_t k = 0; k < nn_spec_outputs(spec); k++)
			{
				double		at = raw[k],
							up,
							down;

				raw[k] = at + step;
				up = loss_one(spec, raw, 0.703125, 1, NULL);
				raw[k] = at - step;
				down = loss_one(spec, raw, 0.703125, 1, NULL);
				raw[k] = at;
				UNIT_NEAR(gradient[k], (up - down) / (2 * step), tolerance);
			}
		}
	}
}

/* A tile of 64 lanes is four tiles of 16. */
static void
tiles_add_up(void)
{
	for (int loss = NN_LOSS_MSE; loss <= NN_LOSS_STUDENT_T; loss++)
	{
		NnSpec	   *spec = spec_of((NnLossKind) loss);
		uint32_t	outputs = nn_spec_outputs(spec),
					rows = 2 * outputs;
		nn_real		raw[6 * 64],
					draw[6 * 64],
					target[2 * 64];
		double		whole,
					parts = 0;
		uint64_t	known = 0,
					known_parts = 0;

		for (uint32_t i = 0; i < rows * 64; i++)
			raw[i] = (nn_real) ((i * 37 % 101) / 32.0 - 1.5);
		for (uint32_t i = 0; i < 2 * 64; i++)
			target[i] = i % 9 == 4 ? (nn_real) NAN : (nn_real) ((i * 53 % 97) / 32.0 - 1.5);
		whole = nn_loss_compute(spec, 2, 64, raw, target, 0.25, draw, &known);
		for (uint32_t first = 0; first < 64; first += NN_LANES)
		{
			nn_real		part_raw[6 * NN_LANES],
						part_draw[6 * NN_LANES],
						part_target[2 * NN_LANES];

			for (uint32_t i = 0; i < rows * NN_LANES; i++)
				part_raw[i] = raw[i / NN_LANES * 64 + first + i % NN_LANES];
			for (uint32_t i = 0; i < 2 * NN_LANES; i++)
				part_target[i] = target[i / NN_LANES * 64 + first + i % NN_LANES];
			parts += nn_loss_compute(spec, 2, NN_LANES, part_raw, part_target, 0.25, part_draw,
									 &known_parts);
			for (uint32_t i = 0; i < rows * NN_LANES; i++)
				UNIT_CHECK(part_draw[i] == draw[i / NN_LANES * 64 + first + i % NN_LANES]);
		}
		UNIT_NEAR(whole, parts, 1e-13);
		UNIT_INTEGER(known, 2 * 64 - 14);
		UNIT_INTEGER(known_parts, known);
	}
}

static void
nothing_known_costs_nothing(void)
{
	nn_real		raw[3 * NN_LANES],
				draw[3 * NN_LANES],
				target[NN_LANES];

	for (int l = 0; l < NN_LANES; l++)
		target[l] = (nn_real) NAN;
	for (int i = 0; i < 3 * NN_LANES; i++)
		raw[i] = 1;
	for (int loss = NN_LOSS_MSE; loss <= NN_LOSS_STUDENT_T; loss++)
	{
		NnSpec	   *spec = spec_of((NnLossKind) loss);
		uint64_t	known = 7;

		UNIT_CHECK(nn_loss_compute(spec, 1, NN_LANES, raw, target, 1, draw, &known) == 0);
		UNIT_INTEGER(known, 7);
		for (uint32_t i = 0; i < nn_spec_outputs(spec) * NN_LANES; i++)
			UNIT_CHECK(draw[i] == 0);
	}
}

static void
intervals_of_densities(void)
{
	NnSpec	   *gaussian = spec_of(NN_LOSS_GAUSSIAN),
			   *student = spec_of(NN_LOSS_STUDENT_T);
	double		raw[3] = {2, 0, 1};
	double		sigma = log(2) + NN_MIN_SIGMA,
				nu = 2 + log1p(exp(1)) + NN_MIN_SIGMA;

	UNIT_CHECK(nn_loss_has_interval(gaussian) && nn_loss_has_interval(student));
	UNIT_NEAR(nn_loss_point(gaussian, raw), 2, 0);
	UNIT_NEAR(nn_loss_point(student, raw), 2, 0);
	UNIT_NEAR(nn_loss_quantile(gaussian, raw, 0.975), 2 + 1.959963984540054 * sigma, 1e-12);
	UNIT_NEAR(nn_loss_quantile(gaussian, raw, 0.025), 2 - 1.959963984540054 * sigma, 1e-12);
	UNIT_NEAR(nn_loss_quantile(student, raw, 0.9), 2 + sigma * nn_student_quantile(0.9, nu), 1e-12);
	UNIT_NEAR(nn_loss_quantile(student, raw, 0.5), 2, 1e-12);
}

static void
intervals_of_quantiles(void)
{
	NnSpec	   *spec = spec_of(NN_LOSS_QUANTILE);
	double		raw[3] = {-1, 0.5, 1};
	double		crossed[3] = {1, 0.5, -1};

	UNIT_CHECK(nn_loss_has_interval(spec));
	UNIT_NEAR(nn_loss_point(spec, raw), 0.5, 0);
	UNIT_NEAR(nn_loss_quantile(spec, raw, 0.1), -1, 0);
	UNIT_NEAR(nn_loss_quantile(spec, raw, 0.3), -0.25, 1e-15);
	UNIT_NEAR(nn_loss_quantile(spec, raw, 0.9), 1, 0);
	/* z(0.975) / z(0.9) = 1.5293... */
	UNIT_NEAR(nn_loss_quantile(spec, raw, 0.975), 0.5 + 0.5 * 1.959963984540054 / 1.2815515655446004,
			  1e-12);
	UNIT_NEAR(nn_loss_quantile(spec, raw, 0.025), 0.5 - 1.5 * 1.959963984540054 / 1.2815515655446004,
			  1e-12);
	UNIT_NEAR(nn_loss_quantile(spec, crossed, 0.1), -1, 0);
	UNIT_NEAR(nn_loss_quantile(spec, crossed, 0.9), 1, 0);
	UNIT_CHECK(crossed[0] == 1);
	for (double p = 0.01; p < 0.985; p += 0.01)
		UNIT_CHECK(nn_loss_quantile(spec, raw, p) <= nn_loss_quantile(spec, raw, p + 0.01));
}

static void
intervals_of_one_side(void)
{
	NnSpec	   *spec = spec_of(NN_LOSS_QUANTILE);
	double		raw[2] = {1, 3};

	/* No quantile below the median: the side above stands for it. */
	spec->nquantiles = 2;
	spec->quantile[0] = 0.5;
	spec->quantile[1] = 0.9;
	UNIT_NEAR(nn_loss_quantile(spec, raw, 0.1), -1, 1e-12);
	spec->quantile[0] = 0.1;
	spec->quantile[1] = 0.5;
	UNIT_NEAR(nn_loss_quantile(spec, raw, 0.9), 5, 1e-12);
	UNIT_NEAR(nn_loss_point(spec, raw), 3, 0);

	spec->nquantiles = 1;
	spec->quantile[0] = 0.5;
	UNIT_CHECK(!nn_loss_has_interval(spec));
	UNIT_NEAR(nn_loss_quantile(spec, raw, 0.9), 1, 0);
	UNIT_CHECK(!nn_loss_has_interval(spec_of(NN_LOSS_MSE)));
	UNIT_CHECK(!nn_loss_has_interval(spec_of(NN_LOSS_MAE)));
	UNIT_CHECK(!nn_loss_has_interval(spec_of(NN_LOSS_HUBER)));
	UNIT_NEAR(nn_loss_point(spec_of(NN_LOSS_HUBER), raw), 1, 0);
}

int
main(void)
{
	UNIT_RUN(points_by_hand);
	UNIT_RUN(quantiles_by_hand);
	UNIT_RUN(gaussian_by_hand);
	UNIT_RUN(student_is_the_density);
	UNIT_RUN(student_becomes_gaussian);
	UNIT_RUN(likelihoods_stay_finite);
	UNIT_RUN(gradients_are_differences);
	UNIT_RUN(tiles_add_up);
	UNIT_RUN(nothing_known_costs_nothing);
	UNIT_RUN(intervals_of_densities);
	UNIT_RUN(intervals_of_quantiles);
	UNIT_RUN(intervals_of_one_side);
	return unit_finish();
}
