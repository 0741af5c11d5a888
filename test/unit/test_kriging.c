/*
 * test_kriging.c
 *		Tests of nn_kriging.h: weights between the sites.
 */
#include "unit.h"

#include "core/nn_kriging.h"
#include "core/nn_stats.h"

#define SITES 12
#define ROWS 600

static double
noise(uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return ((double) (*state >> 11) / 9007199254740992.0 - 0.5) * 3.4641016151377544;
}

/* All sites at one distance from the centre: no trend. */
static NnPlaces
places_of(const double *distance, uint32_t S)
{
	return (NnPlaces) {S, distance, NN_NEW_ARRAY(unit_env(), double, S)};
}

static NnKriging
fit(const double *distance, const double *x, uint32_t S, uint32_t T)
{
	NnPlaces	places = places_of(distance, S);

	return nn_kriging_fit(unit_env(), &places, x, T);
}

static double
weights(const NnKriging *kriging, const double *distance, const double *to_site, uint32_t S,
		double *weight)
{
	NnPlaces	places = places_of(distance, S);
	double		offset,
				deviation;

	nn_kriging_weights(unit_env(), kriging, &places, to_site, 0.0, weight, &offset, &deviation);
	UNIT_CHECK(isfinite(offset));
	return deviation;
}

/* A field without levels. */
static NnKriging
field_of(double range, double nugget, double sill)
{
	return (NnKriging) {.anomaly = {range, nugget, sill, 0.0}};
}

/* distance [SITES][SITES] of sites on a line, the first at 0, then 1 apart. */
static double *
line_distances(void)
{
	double	   *distance = NN_NEW_ARRAY(unit_env(), double, SITES * SITES);

	for (int i = 0; i < SITES; i++)
		for (int j = 0; j < SITES; j++)
			distance[i * SITES + j] = abs(i - j);
	return distance;
}

/*
 * x [ROWS][SITES]: neighbours on the line correlate by decay (an autoregression along it),
 * own is the deviation of what each site has to itself.
 */
static double *
line_past(double decay, double own, double scale)
{
	double	   *x = NN_NEW_ARRAY(unit_env(), double, ROWS * SITES);
	uint64_t	state = 7;

	for (int t = 0; t < ROWS; t++)
	{
		double		field = noise(&state);

		for (int i = 0; i < SITES; i++)
		{
			field = i == 0 ? field : decay * field + sqrt(1 - decay * decay) * noise(&state);
			x[t * SITES + i] = scale * (field + own * noise(&state));
		}
	}
	return x;
}

static double
weights_sum(const double *weight, int n)
{
	double		sum = 0.0;

	for (int i = 0; i < n; i++)
		sum += weight[i];
	return sum;
}

static void
fit_finds_range_and_nugget(void)
{
	double	   *distance = line_distances();
	NnKriging	smooth = fit(distance, line_past(exp(-0.5), 0.0, 3.0), SITES, ROWS),
				rough = fit(distance, line_past(exp(-0.25), 1.0, 3.0), SITES, ROWS);

	UNIT_CHECK(smooth.anomaly.range > 1.2 && smooth.anomaly.range < 3.2);
	UNIT_CHECK(smooth.anomaly.nugget < 0.15);
	UNIT_CHECK(smooth.anomaly.sill > 0.8 * 9 && smooth.anomaly.sill < 1.2 * 9);
	UNIT_CHECK(rough.anomaly.nugget > 0.35 && rough.anomaly.nugget < 0.65);
	UNIT_CHECK(rough.anomaly.sill > 0.8 * 18 && rough.anomaly.sill < 1.2 * 18);
}

/* Equal data, equal bits; other units, the same weights. */
static void
fit_ignores_units(void)
{
	double	   *distance = line_distances(),
			   *far = line_distances();
	double	   *past = line_past(0.7, 0.2, 1.0),
			   *large = line_past(0.7, 0.2, 1e6);
	NnKriging	a = fit(distance, past, SITES, ROWS),
				b;

	for (int i = 0; i < SITES * SITES; i++)
		far[i] *= 1e5;
	b = fit(far, large, SITES, ROWS);
	UNIT_NEAR(b.anomaly.range / a.anomaly.range, 1e5, 1e-4);
	UNIT_NEAR(b.anomaly.nugget, a.anomaly.nugget, 1e-12);
	UNIT_NEAR(b.anomaly.sill / a.anomaly.sill / 1e12, 1.0, 1e-9);
	b = fit(distance, past, SITES, ROWS);
	UNIT_CHECK(memcmp(&a.anomaly.range, &b.anomaly.range, sizeof(double)) == 0);
	UNIT_CHECK(memcmp(&a.level.sill, &b.level.sill, sizeof(double)) == 0);
}

/* With the exponential correlation and no nugget, only the two neighbours on a line count. */
static void
weights_solve_the_equations(void)
{
	double	   *distance = line_distances();
	double		place[SITES],
				weight[SITES],
				deviation;
	NnKriging	kriging = field_of(2.0, 0.0, 4.0);

	for (int i = 0; i < SITES; i++)
		place[i] = fabs(i - 4.5);
	deviation = weights(&kriging, distance, place, SITES, weight);
	UNIT_NEAR(weights_sum(weight, SITES), 1.0, 1e-12);
	UNIT_NEAR(weight[4], weight[5], 1e-12);
	UNIT_CHECK(weight[4] > 0.45);
	UNIT_CHECK(fabs(weight[2]) < 0.02);
	UNIT_CHECK(deviation > 0.5 && deviation < 2.0);
	/* Moved to where the correlations say: the mean square error cannot get less. */
	for (int i = 0; i + 1 < SITES; i++)
		for (int sign = -1; sign <= 1; sign += 2)
		{
			double		moved[SITES],
						share = 1.0;

			memcpy(moved, weight, sizeof(moved));
			moved[i] += sign * 1e-3;
			moved[i + 1] -= sign * 1e-3;
			for (int j = 0; j < SITES; j++)
			{
				share -= 2 * moved[j] * exp(-place[j] / 2.0);
				for (int k = 0; k < SITES; k++)
					share += moved[j] * moved[k] * exp(-distance[j * SITES + k] / 2.0);
			}
			UNIT_CHECK(4.0 * share > deviation * deviation);
		}
}

/* The deviation is that of the errors that leaving sites out makes. */
static void
deviation_is_that_of_errors(void)
{
	double	   *all = line_distances(),
			   *past = line_past(0.8, 0.3, 2.0);
	double		distance[(SITES - 1) * (SITES - 1)],
				place[SITES - 1],
				weight[SITES - 1],
				deviation,
				square = 0.0;
	double	   *x = NN_NEW_ARRAY(unit_env(), double, ROWS * (SITES - 1));
	NnKriging	kriging;
	int			left = 5;

#define KEPT(i) ((i) < left ? (i) : (i) + 1)
	for (int i = 0; i < SITES - 1; i++)
	{
		place[i] = all[KEPT(i) * SITES + left];
		for (int j = 0; j < SITES - 1; j++)
			distance[i * (SITES - 1) + j] = all[KEPT(i) * SITES + KEPT(j)];
		for (int t = 0; t < ROWS; t++)
			x[t * (SITES - 1) + i] = past[t * SITES + KEPT(i)];
	}
	kriging = fit(distance, x, SITES - 1, ROWS);
	deviation = weights(&kriging, distance, place, SITES - 1, weight);
	for (int t = 0; t < ROWS; t++)
	{
		double		error = past[t * SITES + left];

		for (int i = 0; i < SITES - 1; i++)
			error -= weight[i] * x[t * (SITES - 1) + i];
		square += error * error / ROWS;
	}
	UNIT_CHECK(deviation / sqrt(square) > 0.8 && deviation / sqrt(square) < 1.25);
}

static void
a_site_gives_itself(void)
{
	double	   *distance = line_distances();
	double		place[SITES],
				weight[SITES],
				deviation;
	NnKriging	kriging = field_of(2.0, 0.5, 4.0);

	for (int i = 0; i < SITES; i++)
		place[i] = fabs(i - (3.0 + 1e-12));
	deviation = weights(&kriging, distance, place, SITES, weight);
	UNIT_NEAR(weight[3], 1.0, 0.0);
	UNIT_NEAR(weight[4], 0.0, 0.0);
	UNIT_NEAR(deviation, 0.0, 0.0);
	/* Two at the place: half each. */
	place[7] = 0.0;
	deviation = weights(&kriging, distance, place, SITES, weight);
	UNIT_NEAR(weight[3], 0.5, 0.0);
	UNIT_NEAR(weight[7], 0.5, 0.0);
}

/* One site, whatever is known of it. */
static void
one_site_is_all(void)
{
	double		distance = 0.0,
				place = 17.0,
				weight,
				deviation,
				x[ROWS];
	NnKriging	kriging;

	for (int t = 0; t < ROWS; t++)
		x[t] = t;
	kriging = fit(&distance, x, 1, ROWS);
	UNIT_NEAR(kriging.anomaly.range, 0.0, 0.0);
	deviation = weights(&kriging, &distance, &place, 1, &weight);
	UNIT_NEAR(weight, 1.0, 0.0);
	UNIT_CHECK(isnan(deviation));
}

/* Sites at one place without a nugget: inverse distances, finite and of sum 1. */
static void
singular_equations_fall_back(void)
{
	double		distance[9] = {0, 0, 1, 0, 0, 1, 1, 1, 0};
	double		place[3] = {0.5, 0.5, 1.0};
	double		weight[3],
				deviation;
	NnKriging	kriging = field_of(1.0, 0.0, 1.0);

	deviation = weights(&kriging, distance, place, 3, weight);
	UNIT_NEAR(weight[0], 4.0 / 9.0, 1e-15);
	UNIT_NEAR(weight[2], 1.0 / 9.0, 1e-15);
	UNIT_CHECK(deviation > 0.0 && deviation < 1.5);
	/* With a nugget they share what one would have. */
	kriging.anomaly.nugget = 0.1;
	deviation = weights(&kriging, distance, place, 3, weight);
	UNIT_NEAR(weight[0], weight[1], 1e-12);
	UNIT_NEAR(weights_sum(weight, 3), 1.0, 1e-12);
}

/* Levels that rise from the centre: the place gets that of its distance from it. */
static void
levels_follow_the_centre(void)
{
	double	   *distance = line_distances(),
			   *x = line_past(0.9, 0.05, 1.0);
	double		centre[SITES],
				to_site[SITES],
				weight[SITES],
				offset,
				deviation,
				value = 0.0;
	NnPlaces	places = {SITES, distance, centre};
	NnKriging	kriging;

	for (int i = 0; i < SITES; i++)
	{
		centre[i] = fabs(i - 5.5);
		to_site[i] = fabs(i + 1.0);
		for (int t = 0; t < ROWS; t++)
			x[t * SITES + i] += 100.0 + 10.0 * centre[i];
	}
	kriging = nn_kriging_fit(unit_env(), &places, x, ROWS);
	UNIT_CHECK(kriging.mean != NULL);
	nn_kriging_weights(unit_env(), &kriging, &places, to_site, 6.5, weight, &offset, &deviation);
	for (int i = 0; i < SITES; i++)
		value += weight[i] * kriging.mean[i];
	/* The nearest has 155, the place 165. */
	UNIT_CHECK(value + offset > 157.0 && value + offset < 166.0);
	UNIT_CHECK(deviation > 1.0 && deviation < 30.0);
	/* At a site its forecast is its own. */
	to_site[0] = 0.0;
	nn_kriging_weights(unit_env(), &kriging, &places, to_site, 5.5, weight, &offset, &deviation);
	UNIT_NEAR(offset, 0.0, 0.0);
	UNIT_NEAR(deviation, 0.0, 0.0);
}

/* The value where site i is its level level[i] above shift; negative: one past value is below 0. */
static double
level_made(const double *level, double shift, double place, bool negative)
{
	double	   *distance = line_distances(),
			   *x = line_past(0.9, 0.05, 1e-3);
	double		to_site[SITES],
				weight[SITES],
				offset,
				deviation,
				value = 0.0;
	NnPlaces	places = places_of(distance, SITES);
	NnKriging	kriging;

	for (int i = 0; i < SITES; i++)
	{
		to_site[i] = fabs(i - place);
		for (int t = 0; t < ROWS; t++)
			x[t * SITES + i] = level[i] * (1.0 + x[t * SITES + i]) + shift;
	}
	if (negative)
		x[5] = -1e-9;
	kriging = nn_kriging_fit(unit_env(), &places, x, ROWS);
	UNIT_CHECK((kriging.logarithm == NULL) == negative);
	nn_kriging_weights(unit_env(), &kriging, &places, to_site, 0.0, weight, &offset, &deviation);
	for (int i = 0; i < SITES; i++)
		value += weight[i] * kriging.mean[i];
	UNIT_CHECK(deviation > 0.0 && isfinite(deviation));
	return value + offset;
}

/* Where nothing is below 0, ratios count: nor is the level, and its inverse is that of the inverses. */
static void
levels_of_ratios(void)
{
	double		up[SITES],
				down[SITES],
				value;

	for (int i = 0; i < SITES; i++)
	{
		up[i] = exp2(i);
		down[i] = 1.0 / up[i];
	}
	for (double place = -2.9; place < 15.0; place += 0.75)
	{
		value = level_made(up, 0.0, place, false);
		UNIT_CHECK(value > 0.0);
		UNIT_NEAR(value * level_made(down, 0.0, place, false), 1.0, 1e-2);
	}
	/* Else differences do: a shift shifts. */
	value = level_made(up, 0.0, 4.5, true);
	UNIT_NEAR(level_made(up, 1000.0, 4.5, true), value + 1000.0, 1.0);
}

/* Logarithms of a trend do not run away. */
static void
levels_stay_in_reach(void)
{
	double	   *distance = line_distances(),
			   *x = line_past(0.9, 0.05, 1e-3);
	double		centre[SITES],
				to_site[SITES],
				weight[SITES],
				offset,
				deviation,
				value = 0.0;
	NnPlaces	places = {SITES, distance, centre};
	NnKriging	kriging;

	for (int i = 0; i < SITES; i++)
	{
		centre[i] = i;
		to_site[i] = 1e6 - i;
		for (int t = 0; t < ROWS; t++)
			x[t * SITES + i] = exp2(i) * (1.0 + x[t * SITES + i]);
	}
	kriging = nn_kriging_fit(unit_env(), &places, x, ROWS);
	nn_kriging_weights(unit_env(), &kriging, &places, to_site, 1e6, weight, &offset, &deviation);
	for (int i = 0; i < SITES; i++)
		value += weight[i] * kriging.mean[i];
	UNIT_CHECK(value + offset > 2000.0 && value + offset < exp2(22) * 1.01);
	UNIT_CHECK(isfinite(deviation));
}

/* Constant, missing, huge, never together: nothing is learned, or something finite. */
static void
odd_pasts_are_finite(void)
{
	double	   *distance = line_distances();
	double		place[SITES],
				weight[SITES],
				deviation;
	NnKriging	kriging;

	for (int i = 0; i < SITES; i++)
		place[i] = fabs(i - 4.3);
	for (int kind = 0; kind < 5; kind++)
	{
		double	   *x = line_past(0.8, 0.1, kind == 2 ? 1e160 : 1.0);

		for (int t = 0; t < ROWS; t++)
			for (int i = 0; i < SITES; i++)
				if (kind == 0)
					x[t * SITES + i] = 0.1;
				else if (kind == 1 || (kind == 3 && t % SITES != i) || (kind == 4 && (t + i) % 2))
					x[t * SITES + i] = NAN;
		kriging = fit(distance, x, SITES, ROWS);
		deviation = weights(&kriging, distance, place, SITES, weight);
		UNIT_NEAR(weights_sum(weight, SITES), 1.0, 1e-9);
		UNIT_CHECK(isnan(deviation) || isfinite(deviation));
		UNIT_CHECK((kriging.anomaly.range > 0.0) == (kind == 4));
		UNIT_CHECK(weight[4] > weight[11]);
	}
	kriging = fit(distance, NULL, SITES, 0);
	UNIT_NEAR(kriging.anomaly.range, 0.0, 0.0);
	/* All at one place. */
	memset(distance, 0, SITES * SITES * sizeof(double));
	kriging = fit(distance, line_past(0.8, 0.1, 1.0), SITES, ROWS);
	UNIT_NEAR(kriging.anomaly.range, 0.0, 0.0);
}

int
main(void)
{
	UNIT_RUN(fit_finds_range_and_nugget);
	UNIT_RUN(fit_ignores_units);
	UNIT_RUN(weights_solve_the_equations);
	UNIT_RUN(deviation_is_that_of_errors);
	UNIT_RUN(a_site_gives_itself);
	UNIT_RUN(one_site_is_all);
	UNIT_RUN(singular_equations_fall_back);
	UNIT_RUN(levels_follow_the_centre);
	UNIT_RUN(levels_of_ratios);
	UNIT_RUN(levels_stay_in_reach);
	UNIT_RUN(odd_pasts_are_finite);
	return unit_finish();
}
