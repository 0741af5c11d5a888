/*
 * nn_kriging.c
 *		Correlation over distance, and the weights that follow from it.
 *
 * C is the matrix of correlations between the sites, b [S] those with the place, c that of
 * the place with itself; a trend adds z z' to them (Omre 1987, Bayesian kriging), z being the
 * distance from the centre in mean distances, times the deviation of the coefficient:
 *
 *		w = u + v (1 - 1'u) / 1'v,  u = C^-1 b,  v = C^-1 1
 *		variance / sill = c - 2 w'b + w'C w
 *
 * Leaving one site after the other out costs one inverse (Dubrule 1983): with B = C^-1 -
 * v v' / 1'v the error at site i is (B y)_i / B_ii, its variance sill / B_ii; and the mean
 * square of the former over the past needs only the mean squares of the differences
 * between sites, as the rows of B add up to 0.
 *
 * C is factored by Cholesky; S is small, so nothing is blocked.
 */
#include "core/nn_kriging.h"

#include <math.h>
#include <string.h>

#include "core/nn_stats.h"

#define RANGES 17
#define RANGE_FIRST (-6)		/* 2^(-6/2) median distances */
#define LEAST_SHARE 0.05		/* 1 - the largest nugget */
#define LEAST_PIVOT 1e-10

/* Of levels: chosen on Irish wind before 1978. */
#define LEVEL_RANGE 0.2			/* median distances */
#define LEVEL_NUGGET 0.4
#define LEVEL_TREND 0.4

/* What a place has in common with another. */
static double
correlation(const NnField *field, double distance)
{
	return (1.0 - field->nugget) * exp(-distance / field->range);
}

/* z: where a place is on the axis of the trend; 0 without one. */
static double
trend_at(const NnField *field, const NnPlaces *places, double centre)
{
	double		sum = 0.0,
				total = 0.0;
	uint32_t	S = places->S;

	if (!(field->trend > 0.0))
		return 0.0;
	for (uint32_t i = 0; i < S * S; i++)
		total += places->distance[i];
	for (uint32_t i = 0; i < S; i++)
		sum += places->centre[i];
	return total > 0.0 ? sqrt(field->trend) * (centre - sum / S) / (total / S / S) : 0.0;
}

/* matrix [S][S]: C. */
static void
correlation_fill(const NnEnv *env, const NnField *field, const NnPlaces *places, double *matrix)
{
	uint32_t	S = places->S;
	double	   *z = NN_NEW_ARRAY(env, double, S);

	for (uint32_t i = 0; i < S; i++)
		z[i] = trend_at(field, places, places->centre[i]);
	for (uint32_t i = 0; i < S; i++)
		for (uint32_t j = 0; j < S; j++)
			matrix[i * S + j] = z[i] * z[j] +
				(i == j ? 1.0 : correlation(field, places->distance[i * S + j]));
}

/* Cholesky in place, the lower triangle; false when it is not positive definite. */
static bool
factor(double *matrix, uint32_t S)
{
	for (uint32_t j = 0; j < S; j++)
		for (uint32_t i = j; i < S; i++)
		{
			double		sum = matrix[i * S + j];

			for (uint32_t k = 0; k < j; k++)
				sum -= matrix[i * S + k] * matrix[j * S + k];
			if (i > j)
				matrix[i * S + j] = sum / matrix[j * S + j];
			else if (sum > LEAST_PIVOT)
				matrix[j * S + j] = sqrt(sum);
			else
				return false;
		}
	return true;
}

/* x [S] becomes C^-1 x. */
static void
solve(const double *triangle, uint32_t S, double *x)
{
	for (uint32_t i = 0; i < S; i++)
	{
		for (uint32_t k = 0; k < i; k++)
			x[i] -= triangle[i * S + k] * x[k];
		x[i] /= triangle[i * S + i];
	}
	for (uint32_t i = S; i-- > 0;)
	{
		for (uint32_t k = i + 1; k < S; k++)
			x[i] -= triangle[k * S + i] * x[k];
		x[i] /= triangle[i * S + i];
	}
}

static double
sum_of(const double *x, uint32_t n)
{
	double		sum = 0.0;

	for (uint32_t i = 0; i < n; i++)
		sum += x[i];
	return sum;
}

/* ------------------------------------------------------------------------
 * The past
 */

/* What two sites had in common. */
typedef struct Pair
{
	double		correlation;	/* of their values; NaN: unknown */
	double		half_square;	/* half the variance of their difference; NaN: unknown */
} Pair;

/* a and b are columns of x [T][S]: two passes over the rows that both have. */
static Pair
pair_read(const double *a, const double *b, uint32_t S, uint32_t T)
{
	double		mean_a = 0.0,
				mean_b = 0.0,
				aa = 0.0,
				bb = 0.0,
				ab = 0.0,
				square = 0.0;
	uint32_t	n = 0;

	for (size_t at = 0; at < (size_t) T * S; at += S)
		if (!isnan(a[at]) && !isnan(b[at]))
		{
			n++;
			mean_a += (a[at] - mean_a) / n;
			mean_b += (b[at] - mean_b) / n;
		}
	if (n < NN_KRIGING_ROWS)
		return (Pair) {NAN, NAN};
	for (size_t at = 0; at < (size_t) T * S; at += S)
		if (!isnan(a[at]) && !isnan(b[at]))
		{
			double		da = a[at] - mean_a,
						db = b[at] - mean_b,
						d = da - db;

			aa += da * da;
			bb += db * db;
			ab += da * db;
			square += d * d;
		}
	square /= 2.0 * n;
	/* Never infinite, and never of what is rounding alone. */
	if (!(aa > 1e-24 * n * mean_a * mean_a && bb > 1e-24 * n * mean_b * mean_b))
		return (Pair) {NAN, isfinite(square) ? square : NAN};
	ab /= sqrt(aa) * sqrt(bb);
	return (Pair) {isfinite(ab) ? ab : NAN, isfinite(square) ? square : NAN};
}

/* Least squares over the pairs (distance d, correlation r)[n]: range and nugget. */
static void
correlation_fit(const NnEnv *env, const double *d, const double *r, uint32_t n, double middle,
				NnField *field)
{
	double	   *e = NN_NEW_ARRAY(env, double, (size_t) n + 1),
				least = INFINITY;

	for (int k = 0; n > 0 && k < RANGES; k++)
	{
		double		range = middle * exp2((RANGE_FIRST + k) / 2.0),
					er = 0.0,
					ee = 0.0,
					rest = 0.0,
					share;

		for (uint32_t i = 0; i < n; i++)
		{
			e[i] = exp(-d[i] / range);
			er += e[i] * r[i];
			ee += e[i] * e[i];
		}
		share = ee > 0.0 ? fmin(fmax(er / ee, LEAST_SHARE), 1.0) : LEAST_SHARE;
		for (uint32_t i = 0; i < n; i++)
			rest += (share * e[i] - r[i]) * (share * e[i] - r[i]);
		if (rest < least)
		{
			least = rest;
			field->range = range;
			field->nugget = 1.0 - share;
		}
	}
}

/*
 * Leaves out one site after the other.  Of mean [S], or, where it is NULL, of a past with
 * half variances of differences half [S][S]: *missed is the mean square of the errors.  Returns
 * the mean of those squares by the shares they should be, which is the sill; NaN when
 * the equations are singular.
 */
static double
sites_leave_out(const NnEnv *env, const NnField *field, const NnPlaces *places,
				const double *mean, const double *half, double *missed)
{
	uint32_t	S = places->S;
	double	   *triangle = NN_NEW_ARRAY(env, double, (size_t) S * S),
			   *v = NN_NEW_ARRAY(env, double, S),
			   *row = NN_NEW_ARRAY(env, double, S);
	double		total,
				sill = 0.0;

	*missed = INFINITY;
	correlation_fill(env, field, places, triangle);
	if (!factor(triangle, S))
		return NAN;
	*missed = 0.0;
	for (uint32_t i = 0; i < S; i++)
		v[i] = 1.0;
	solve(triangle, S, v);
	total = sum_of(v, S);
	for (uint32_t i = 0; i < S; i++)
	{
		double		error = 0.0,
					square = 0.0;

		for (uint32_t j = 0; j < S; j++)
			row[j] = i == j;
		solve(triangle, S, row);
		for (uint32_t j = 0; j < S; j++)
			row[j] -= v[i] * v[j] / total;
		for (uint32_t j = 0; mean && j < S; j++)
			error += row[j] * mean[j];
		for (uint32_t j = 0; !mean && j < S; j++)
			for (uint32_t k = 0; k < S; k++)
				square -= row[j] * row[k] * half[j * S + k];
		square = mean ? error * error : fmax(square, 0.0);
		sill += square / row[i] / S;
		*missed += square / (row[i] * row[i]) / S;
	}
	return sill;
}

/* Means of the columns of x [T][S]; NULL where one is unknown. */
static double *
levels_read(const NnEnv *env, const double *x, uint32_t S, uint32_t T)
{
	double	   *mean = NN_NEW_ARRAY(env, double, S);

	for (uint32_t i = 0; i < S; i++)
	{
		uint32_t	n = 0;

		for (size_t at = i; at < (size_t) T * S; at += S)
			if (!isnan(x[at]))
				mean[i] += (x[at] - mean[i]) / ++n;
		if (n == 0 || !isfinite(mean[i]))
			return NULL;
	}
	return mean;
}

/* Their logarithms; NULL where a value of x [T][S] is below 0, or a mean not above. */
static double *
logarithms_read(const NnEnv *env, const double *mean, const double *x, uint32_t S, uint32_t T)
{
	double	   *logarithm = NN_NEW_ARRAY(env, double, S);

	for (size_t at = 0; at < (size_t) T * S; at++)
		if (x[at] < 0.0)
			return NULL;
	for (uint32_t i = 0; i < S; i++)
	{
		if (!(mean[i] > 0.0))
			return NULL;
		logarithm[i] = log(mean[i]);
	}
	return logarithm;
}

/* What the level is made of [S]. */
static const double *
levels_of(const NnKriging *kriging)
{
	return kriging->logarithm ? kriging->logarithm : kriging->mean;
}

/*
 * Levels lie less together than anomalies do, each place having an exposure of its own:
 * LEVEL_NUGGET, unless the anomalies' correlation would have missed less than half.
 */
static void
level_fit(const NnEnv *env, const NnPlaces *places, double middle, NnKriging *kriging)
{
	NnField		alike = kriging->anomaly;
	const double *level = levels_of(kriging);
	double		missed,
				missed_alike;

	alike.trend = LEVEL_TREND;
	kriging->level = (NnField) {LEVEL_RANGE * middle, LEVEL_NUGGET, NAN, LEVEL_TREND};
	kriging->level.sill = sites_leave_out(env, &kriging->level, places, level, NULL, &missed);
	alike.sill = sites_leave_out(env, &alike, places, level, NULL, &missed_alike);
	if (missed_alike < missed / 2)
		kriging->level = alike;
	if (!isfinite(kriging->level.sill))
		kriging->mean = NULL;
}

NnKriging
nn_kriging_fit(const NnEnv *env, const NnPlaces *places, const double *x, uint32_t T)
{
	NnField		unknown = {0.0, 0.0, NAN, 0.0};
	NnKriging	kriging = {unknown, unknown, NULL, NULL};
	uint32_t	S = places->S,
				n = 0,
				nknown = 0,
				pairs = 0;
	double	   *half = NN_NEW_ARRAY(env, double, (size_t) S * S),
			   *apart = NN_NEW_ARRAY(env, double, (size_t) S * S),
			   *d = NN_NEW_ARRAY(env, double, (size_t) S * S),
			   *r = NN_NEW_ARRAY(env, double, (size_t) S * S);
	double		known = 0.0,
				middle,
				missed;

	for (uint32_t i = 0; i < S; i++)
		for (uint32_t j = 0; j < i; j++)
		{
			Pair		pair = pair_read(x + i, x + j, S, T);

			env->poll(env->host);
			half[i * S + j] = half[j * S + i] = pair.half_square;
			apart[pairs++] = places->distance[i * S + j];
			if (!isnan(pair.half_square))
			{
				nknown++;
				known += pair.half_square;
			}
			if (isnan(pair.correlation))
				continue;
			d[n] = places->distance[i * S + j];
			r[n++] = pair.correlation;
		}
	middle = pairs > 0 ? nn_stats_median(env, apart, pairs) : 0.0;
	if (n == 0 || !(middle > 0.0))
		return kriging;
	correlation_fit(env, d, r, n, middle, &kriging.anomaly);
	/* Two sites that were never known together differ as others do. */
	for (size_t i = 0; i < (size_t) S * S; i++)
		half[i] = isnan(half[i]) ? known / nknown : half[i];
	kriging.anomaly.sill = sites_leave_out(env, &kriging.anomaly, places, NULL, half, &missed);
	kriging.mean = levels_read(env, x, S, T);
	if (kriging.mean)
	{
		kriging.logarithm = logarithms_read(env, kriging.mean, x, S, T);
		level_fit(env, places, middle, &kriging);
	}
	return kriging;
}

/* ------------------------------------------------------------------------
 * The place
 */

/* Equal weights of the sites that are where the place is; false when there is none. */
static bool
weights_at_site(const NnPlaces *places, const double *to_site, double *weight)
{
	uint32_t	S = places->S;
	double		largest = 0.0,
				here = 0.0;

	for (uint32_t i = 0; i < S * S; i++)
		largest = fmax(largest, places->distance[i]);
	for (uint32_t i = 0; i < S; i++)
		largest = fmax(largest, to_site[i]);
	for (uint32_t i = 0; i < S; i++)
		here += to_site[i] <= 1e-9 * largest;
	for (uint32_t i = 0; here > 0.0 && i < S; i++)
		weight[i] = to_site[i] <= 1e-9 * largest ? 1.0 / here : 0.0;
	return here > 0.0;
}

/* Weights 1 / d^2, relative to the nearest: no overflow. */
static void
weights_inverse(const double *to_site, uint32_t S, double *weight)
{
	double		nearest = INFINITY,
				total;

	for (uint32_t i = 0; i < S; i++)
		nearest = fmin(nearest, to_site[i]);
	for (uint32_t i = 0; i < S; i++)
		weight[i] = (nearest / to_site[i]) * (nearest / to_site[i]);
	total = sum_of(weight, S);
	for (uint32_t i = 0; i < S; i++)
		weight[i] /= total;
}

/* w = u + v (1 - 1'u) / 1'v; false when the equations are singular. */
static bool
weights_solve(const NnEnv *env, const double *matrix, const double *b, uint32_t S, double *weight)
{
	double	   *triangle = NN_NEW_ARRAY(env, double, (size_t) S * S),
			   *v = NN_NEW_ARRAY(env, double, S);
	double		multiplier;

	memcpy(triangle, matrix, (size_t) S * S * sizeof(double));
	if (!factor(triangle, S))
		return false;
	for (uint32_t i = 0; i < S; i++)
	{
		weight[i] = b[i];
		v[i] = 1.0;
	}
	solve(triangle, S, weight);
	solve(triangle, S, v);
	multiplier = (1.0 - sum_of(weight, S)) / sum_of(v, S);
	for (uint32_t i = 0; i < S; i++)
		weight[i] += multiplier * v[i];
	return isfinite(sum_of(weight, S));
}

/* The weights of a field [S]; returns the variance of the error, NaN when unknown. */
static double
field_weights(const NnEnv *env, const NnField *field, const NnPlaces *places,
			  const double *to_site, double to_centre, double *weight)
{
	uint32_t	S = places->S;
	double	   *matrix = NN_NEW_ARRAY(env, double, (size_t) S * S),
			   *b = NN_NEW_ARRAY(env, double, S);
	double		z = trend_at(field, places, to_centre),
				share = 1.0 + z * z;

	if (!(field->range > 0.0))
	{
		weights_inverse(to_site, S, weight);
		return NAN;
	}
	correlation_fill(env, field, places, matrix);
	for (uint32_t i = 0; i < S; i++)
		b[i] = correlation(field, to_site[i]) + z * trend_at(field, places, places->centre[i]);
	if (!weights_solve(env, matrix, b, S, weight))
		weights_inverse(to_site, S, weight);
	for (uint32_t i = 0; i < S; i++)
	{
		share -= 2.0 * weight[i] * b[i];
		for (uint32_t j = 0; j < S; j++)
			share += weight[i] * weight[j] * matrix[i * S + j];
	}
	return field->sill * fmax(share, 0.0);
}

/*
 * The level of the place by weight [S].  Of logarithms it lies no further out than the sites
 * lie apart, so that a trend does not run away.  *variance is the error's, to first order.
 */
static double
level_at(const NnKriging *kriging, const double *weight, uint32_t S, double *variance)
{
	const double *y = levels_of(kriging);
	double		least = INFINITY,
				largest = -INFINITY,
				sum = 0.0;

	for (uint32_t i = 0; i < S; i++)
	{
		sum += weight[i] * y[i];
		least = fmin(least, y[i]);
		largest = fmax(largest, y[i]);
	}
	if (!kriging->logarithm)
		return sum;
	sum = exp(fmin(fmax(sum, 2.0 * least - largest), 2.0 * largest - least));
	*variance *= sum * sum;
	return sum;
}

void
nn_kriging_weights(const NnEnv *env, const NnKriging *kriging, const NnPlaces *places,
				   const double *to_site, double to_centre, double *weight, double *offset,
				   double *deviation)
{
	uint32_t	S = places->S;
	double	   *level = NN_NEW_ARRAY(env, double, S);
	double		variance,
				of_level;

	*offset = *deviation = 0.0;
	if (weights_at_site(places, to_site, weight))
		return;
	variance = field_weights(env, &kriging->anomaly, places, to_site, to_centre, weight);
	if (kriging->mean)
	{
		of_level = field_weights(env, &kriging->level, places, to_site, to_centre, level);
		*offset = level_at(kriging, level, S, &of_level);
		for (uint32_t i = 0; i < S; i++)
			*offset -= weight[i] * kriging->mean[i];
		if (!isfinite(*offset) || isinf(of_level))
			*offset = of_level = 0.0;
		variance += of_level;
	}
	*deviation = sqrt(variance);
}
