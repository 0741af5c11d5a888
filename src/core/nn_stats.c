/*
 * nn_stats.c
 *		Summaries that skip NaN, and quantiles of two distributions.
 *
 * Summaries are sequential sums in double: their bits depend on the order of the
 * values only.  Nothing here knows what a column means.  A quantile by selection
 * takes about three passes; nothing is sorted.
 */
#include "core/nn_stats.h"

#include <float.h>
#include <math.h>

/* Share of a number that a few operations on it may leave over. */
#define ROUNDING 1e-12

#define SQRT_2 1.41421356237309504880
#define SQRT_PI 1.77245385090551602730
#define SQRT_2PI 2.50662827463100050242

/* Student's t with more degrees of freedom is the normal plus a short series. */
#define LARGEST_NU 1e7

/* Ranges up to this length are sorted by insertion. */
#define SHORT_RANGE 16

size_t
nn_stats_count(const double *x, size_t n)
{
	size_t		count = 0;

	for (size_t i = 0; i < n; i++)
		count += !isnan(x[i]);
	return count;
}

double
nn_stats_mean(const double *x, size_t n)
{
	size_t		count = nn_stats_count(x, n);
	double		sum = 0.0,
				rest = 0.0,
				mean;

	if (count == 0)
		return NAN;
	for (size_t i = 0; i < n; i++)
		sum += isnan(x[i]) ? 0.0 : x[i];
	mean = sum / (double) count;

	/* The second pass takes back what rounding of the large sum lost. */
	for (size_t i = 0; i < n; i++)
		rest += isnan(x[i]) ? 0.0 : x[i] - mean;
	return mean + rest / (double) count;
}

double
nn_stats_sd(const double *x, size_t n)
{
	size_t		count = nn_stats_count(x, n);
	double		mean = nn_stats_mean(x, n);
	double		squares = 0.0,
				rest = 0.0;

	if (count == 0)
		return NAN;
	for (size_t i = 0; i < n; i++)
	{
		double		d = isnan(x[i]) ? 0.0 : x[i] - mean;

		squares += d * d;
		rest += d;
	}
	/* rest is 0 but for the mean's rounding (Chan, Golub and LeVeque 1983). */
	squares -= rest * rest / (double) count;
	return squares > 0.0 ? sqrt(squares / (double) count) : 0.0;
}

double
nn_stats_difference(double a, double b)
{
	double		difference = fabs(a - b);

	return isfinite(difference) && difference <= ROUNDING * fmax(fabs(a), fabs(b)) ? 0 : difference;
}

bool
nn_stats_within(double x, double low, double high)
{
	return (x >= low || nn_stats_difference(x, low) == 0) &&
		(x <= high || nn_stats_difference(x, high) == 0);
}

double
nn_stats_min(const double *x, size_t n)
{
	double		min = NAN;

	for (size_t i = 0; i < n; i++)
	{
		if (x[i] < min || isnan(min))
			min = x[i];
	}
	return min;
}

double
nn_stats_max(const double *x, size_t n)
{
	double		max = NAN;

	for (size_t i = 0; i < n; i++)
	{
		if (x[i] > max || isnan(max))
			max = x[i];
	}
	return max;
}

static void
swap(double *x, size_t i, size_t j)
{
	double		value = x[i];

	x[i] = x[j];
	x[j] = value;
}

static void
insertion_sort(double *x, size_t from, size_t to)
{
	for (size_t i = from + 1; i < to; i++)
		for (size_t j = i; j > from && x[j] < x[j - 1]; j--)
			swap(x, j, j - 1);
}

/* A pivot from a fixed pseudo-random place, so that no usual order is a bad one. */
static double
select_pivot(const double *x, size_t from, size_t to, uint64_t *state)
{
	*state = *state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
	return x[from + (size_t) ((*state >> 33) % (to - from))];
}

/*
 * Puts the value of rank k to x[k], none larger before and none smaller behind
 * (Hoare's find with three-way partition: equal values cost nothing).
 */
static void
select_rank(const NnEnv *env, double *x, size_t n, size_t k)
{
	size_t		from = 0,
				to = n;
	uint64_t	state = n;

	while (to - from > SHORT_RANGE)
	{
		double		pivot = select_pivot(x, from, to, &state);
		size_t		less = from,	/* x[from .. less) < pivot */
					i = from,
					more = to;	/* x[more .. to) > pivot */

		env->poll(env->host);
		while (i < more)
		{
			if (x[i] < pivot)
				swap(x, i++, less++);
			else if (x[i] > pivot)
				swap(x, i, --more);
			else
				i++;
		}
		if (k < less)
			to = less;
		else if (k >= more)
			from = more;
		else
			return;
	}
	insertion_sort(x, from, to);
}

double
nn_stats_quantile_in_place(const NnEnv *env, double *x, size_t n, double p)
{
	size_t		count = 0;
	size_t		low;
	double		place,
				part,
				next;

	/* Known values first. */
	for (size_t i = 0; i < n; i++)
	{
		if (!isnan(x[i]))
			swap(x, i, count++);
	}
	if (count == 0 || !(p >= 0.0 && p <= 1.0))
		return NAN;

	place = p * (double) (count - 1);
	low = (size_t) place;
	part = place - (double) low;
	select_rank(env, x, count, low);
	if (part == 0.0 || low + 1 >= count)
		return x[low];
	next = nn_stats_min(x + low + 1, count - low - 1);
	return next == x[low] ? next : x[low] + part * (next - x[low]);
}

double
nn_stats_quantile(const NnEnv *env, const double *x, size_t n, double p)
{
	double	   *copy = NN_NEW_ARRAY(env, double, n);

	for (size_t i = 0; i < n; i++)
		copy[i] = x[i];
	return nn_stats_quantile_in_place(env, copy, n, p);
}

double
nn_stats_median(const NnEnv *env, const double *x, size_t n)
{
	return nn_stats_quantile(env, x, n, 0.5);
}

double
nn_normal_cdf(double z)
{
	return 0.5 * erfc(-z / SQRT_2);
}

/* The z > 0 whose upper tail is p, p < 0.5, to about 4.5e-4 (A&S 26.2.23). */
static double
normal_upper_start(double p)
{
	double		t = sqrt(-2.0 * log(p));

	return t - (2.515517 + t * (0.802853 + t * 0.010328)) /
		(1.0 + t * (1.432788 + t * (0.189269 + t * 0.001308)));
}

/*
 * Three steps of Halley's method, each cubing the error.  The distance is taken
 * in the tail, or from the centre where p - 0.5 is exact and the tail is not.
 */
double
nn_normal_quantile(double p)
{
	double		tail = p < 0.5 ? p : 1.0 - p;
	double		z;

	if (!(p >= 0.0 && p <= 1.0))
		return NAN;
	if (tail == 0.0)
		return p < 0.5 ? -INFINITY : INFINITY;
	if (p == 0.5)
		return 0.0;

	z = tail > 0.499 ? (0.5 - tail) * SQRT_2PI : normal_upper_start(tail);
	for (int i = 0; i < 3; i++)
	{
		double		density = exp(-0.5 * z * z) / SQRT_2PI;
		double		error = tail > 0.25 ? (0.5 - tail) - 0.5 * erf(z / SQRT_2) :
			0.5 * erfc(z / SQRT_2) - tail;
		double		newton = error / density;

		/* The density's relative slope is -z. */
		z += newton / (1.0 - 0.5 * z * newton);
	}
	return p < 0.5 ? -z : z;
}

/*
 * log(Gamma(a + 1/2) / Gamma(a)).  For large a the difference of two lgamma would
 * cancel; the series is in odd powers of 1 / a (Tricomi and Erdelyi 1951).
 */
static double
log_gamma_half_ratio(double a)
{
	double		shift = 0.0;
	double		r;

	/* Gamma(a + 1) = a Gamma(a) moves a to where the series is exact. */
	for (; a < 30.0; a += 1.0)
		shift += log(a / (a + 0.5));
	r = 1.0 / (a * a);
	return shift + 0.5 * log(a) -
		(1.0 / 8.0 - r * (1.0 / 192.0 - r * (1.0 / 640.0 - r * (17.0 / 14336.0)))) / a;
}

/*
 * Continued fraction of the incomplete beta function I_x(a, b), without its factor
 * x^a (1 - x)^b / (a B(a, b)): 1 / (1 + d1 / (1 + d2 / (1 + ...))), A&S 26.5.8,
 * by Lentz's method.  Converges fast for x < (a + 1) / (a + b + 2).
 */
static double
beta_fraction(double a, double b, double x)
{
	double		fraction = 1.0,		/* 1 + d1 / (1 + ...), inverted at the end */
				top = 1.0,
				bottom = 0.0;

	for (int n = 1; n < 40000; n++)
	{
		double		m = n / 2;
		double		term = n % 2 == 0 ?
			m * (b - m) * x / ((a + 2.0 * m - 1.0) * (a + 2.0 * m)) :
			-(a + m) * (a + b + m) * x / ((a + 2.0 * m) * (a + 2.0 * m + 1.0));

		bottom = 1.0 + term * bottom;
		bottom = 1.0 / (bottom == 0.0 ? DBL_MIN : bottom);
		top = 1.0 + term / top;
		top = top == 0.0 ? DBL_MIN : top;
		fraction *= top * bottom;
		if (n > 1 && fabs(top * bottom - 1.0) < DBL_EPSILON)
			break;
	}
	return 1.0 / fraction;
}

/* Density of Student's t. */
static double
student_density(double t, double nu)
{
	double		log_top = log_gamma_half_ratio(0.5 * nu) - 0.5 * (nu + 1.0) * log1p(t / nu * t);

	return exp(log_top) / (SQRT_PI * sqrt(nu));
}

/*
 * P(0 < T < t) and P(T > t), t > 0, the smaller one precisely.  With
 * x = nu / (nu + t^2) the tail is I_x(nu / 2, 1 / 2) / 2, the centre
 * I_{1 - x}(1 / 2, nu / 2) / 2, and both factors are the density times t and
 * a rational function of t.
 */
static void
student_parts(double t, double nu, double *center, double *tail)
{
	double		a = 0.5 * nu;
	double		square = t / nu * t;	/* t^2 / nu */
	double		x = 1.0 / (1.0 + square);
	double		density = student_density(t, nu);

	/* x^a (1 - x)^(1/2) / B(a, 1/2) = density * t */
	if (x < (a + 1.0) / (a + 2.5))
	{
		*tail = 0.5 * density * t / a * beta_fraction(a, 0.5, x);
		*center = 0.5 - *tail;
	}
	else
	{
		*center = density * t * beta_fraction(0.5, a, square * x);
		*tail = 0.5 - *center;
	}
}

double
nn_student_cdf(double t, double nu)
{
	double		center,
				tail;

	if (isnan(t) || !(nu > 0.0))
		return NAN;
	if (t == 0.0)
		return 0.5;
	if (isinf(t))
		return t < 0.0 ? 0.0 : 1.0;
	if (nu > LARGEST_NU)
	{
		/* A&S 26.7.8: the normal argument, to nu^-2 */
		return nn_normal_cdf(t * (1.0 - 0.25 / nu) / sqrt(1.0 + 0.5 * t * t / nu));
	}
	student_parts(fabs(t), nu, &center, &tail);
	if (t < 0.0)
		return tail;
	return center < tail ? 0.5 + center : 1.0 - tail;
}

/* Above LARGEST_NU: the normal quantile and two terms in 1 / nu (A&S 26.7.5). */
static double
student_from_normal(double z, double nu)
{
	double		s = z * z;

	return z + z * (s + 1.0) / (4.0 * nu) + z * (s * (5.0 * s + 16.0) + 3.0) / (96.0 * nu * nu);
}

/*
 * Newton's method.  In the middle on the centre's probability, which is concave
 * in t; in the tail on its logarithm, which is concave in log t and straight far
 * out.  So neither can run away.
 */
double
nn_student_quantile(double p, double nu)
{
	double		wanted = p < 0.5 ? p : 1.0 - p;
	double		t;

	if (!(p >= 0.0 && p <= 1.0) || !(nu > 0.0))
		return NAN;
	if (wanted == 0.0)
		return p < 0.5 ? -INFINITY : INFINITY;
	if (p == 0.5)
		return 0.0;
	if (nu > LARGEST_NU)
		return student_from_normal(nn_normal_quantile(p), nu);

	/* Both are below the root: the density falls, and t has the longer tails. */
	t = wanted > 0.25 ? (0.5 - wanted) / student_density(0.0, nu) : -nn_normal_quantile(wanted);
	for (int i = 0; i < 100; i++)
	{
		double		density = student_density(t, nu);
		double		center,
					tail,
					next;

		student_parts(t, nu, &center, &tail);
		if (wanted > 0.25)
			next = t + ((0.5 - wanted) - center) / density;
		else
			next = t * exp((log(tail) - log(wanted)) * tail / (t * density));
		if (!isfinite(next) || fabs(next - t) <= 4.0 * DBL_EPSILON * t)
			break;
		t = next;
	}
	return p < 0.5 ? -t : t;
}

/* Lets x[i] sink to its place in the heap of the first n. */
static void
heap_sink(double *x, size_t i, size_t n)
{
	double		moved = x[i];

	for (size_t child; (child = 2 * i + 1) < n; i = child)
	{
		if (child + 1 < n && x[child + 1] > x[child])
			child++;
		if (x[child] <= moved)
			break;
		x[i] = x[child];
	}
	x[i] = moved;
}

void
nn_stats_sort(double *x, size_t n)
{
	for (size_t i = n / 2; i-- > 0;)
		heap_sink(x, i, n);
	for (size_t end = n; end-- > 1;)
	{
		double		largest = x[0];

		x[0] = x[end];
		x[end] = largest;
		heap_sink(x, 0, end);
	}
}
