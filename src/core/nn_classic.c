/*
 * nn_classic.c
 *		Classical methods: the window they read, Theta, autoregression, and who does what.
 *
 * Knows one column at a time.  The rows that a method reads are copied and divided by
 * a power of two, so that no square overflows and no bit is lost; the rest works on
 * the copy.  Smoothing is nn_smoothing's, least squares nn_linalg's, the forecasts
 * without parameters nn_baseline's.
 */
#include "core/nn_classic.h"

#include <float.h>
#include <math.h>
#include <string.h>

#include "core/nn_baseline.h"
#include "core/nn_linalg.h"
#include "core/nn_smoothing.h"
#include "core/nn_stats.h"

/* Rows that a fitted method reads at least, and in seasons. */
#define WINDOW_ROWS 2000
#define WINDOW_SEASONS 10

/* Known values below which there is nothing to fit. */
#define FEWEST_KNOWN 5

/* Autocorrelations that Theta's test of seasonality adds up, at most. */
#define TEST_LAGS 64

struct NnClassic
{
	const NnEnv *env;
	uint32_t	season;			/* as given, at least 1 */
	uint32_t	capacity;		/* rows */
	double	   *y;				/* [capacity] rows read, divided by unit, NaN: unknown */
	double	   *filled;			/* [2 capacity] y without gaps; behind it what ar adds */
	double	   *adjusted;		/* [capacity] y without its season */
	double	   *pattern, *state;	/* [capacity / 2 + 1] season */
	uint32_t   *count;			/* [capacity / 2 + 1] */
	double	   *work;			/* [NN_AR_WORK(NN_CLASSIC_LAGS)] */
	/* The history at hand: */
	uint32_t	n;				/* rows read; the first and the last are known */
	uint32_t	known;			/* of them */
	uint32_t	age;			/* unknown rows that follow them */
	uint32_t	m;				/* season in use, 1: none */
	int			exponent;		/* of the unit: y 2^exponent is the value */
	double		low, high;		/* of y */
};

static const char *const classic_names[NN_CLASSIC_KINDS] = {
	"naive", "seasonal_naive", "mean", "drift",
	"holt_winters", "holt_winters_multiplicative", "holt_winters_damped",
	"holt_winters_multiplicative_damped", "theta", "ar"
};

const char *
nn_classic_name(NnClassicKind kind)
{
	return classic_names[kind];
}

bool
nn_classic_parse(const char *word, NnClassicKind *kind)
{
	for (int i = 0; i < NN_CLASSIC_KINDS; i++)
	{
		if (strcmp(word, classic_names[i]) == 0)
		{
			*kind = (NnClassicKind) i;
			return true;
		}
	}
	return false;
}

uint32_t
nn_classic_parameters(NnClassicKind kind)
{
	if (kind < NN_CLASSIC_HOLT_WINTERS)
		return 0;
	if (kind == NN_CLASSIC_THETA)
		return 2;
	return kind == NN_CLASSIC_AR ? NN_CLASSIC_PARAMETERS : 4;
}

bool
nn_classic_valid(NnClassicKind kind, const double *parameter)
{
	const double *p = parameter;

	for (uint32_t i = 0; i < nn_classic_parameters(kind); i++)
		if (!isfinite(p[i]))
			return false;
	if (kind < NN_CLASSIC_HOLT_WINTERS)
		return true;
	if (kind == NN_CLASSIC_THETA)
		return p[0] > 0.0 && p[0] <= 1.0 && (p[1] == 0.0 || p[1] == 1.0 || p[1] == 2.0);
	if (kind == NN_CLASSIC_AR)
		return p[0] >= 0.0 && p[0] <= NN_CLASSIC_LAGS && p[0] == floor(p[0]) &&
			p[1] >= 0.0 && p[1] < UINT32_MAX && p[1] == floor(p[1]);
	return p[0] >= 0.0 && p[0] <= 1.0 && p[1] >= 0.0 && p[1] <= p[0] && p[2] >= 0.0 &&
		p[2] <= 1.0 && p[3] > 0.0 && p[3] <= 1.0;
}

/* --- The window --------------------------------------------------------- */

NnClassic *
nn_classic_create(const NnEnv *env, uint32_t rows, uint32_t season)
{
	NnClassic  *c = NN_NEW(env, NnClassic);
	uint64_t	longest = (uint64_t) WINDOW_SEASONS * season;
	size_t		half;

	if (longest < WINDOW_ROWS)
		longest = WINDOW_ROWS;
	c->env = env;
	c->season = season > 1 ? season : 1;
	c->capacity = rows < longest ? rows : (uint32_t) longest;
	half = c->capacity / 2 + 1;
	c->y = NN_NEW_ARRAY(env, double, c->capacity);
	c->filled = NN_NEW_ARRAY(env, double, nn_size_mul(env, c->capacity, 2));
	c->adjusted = NN_NEW_ARRAY(env, double, c->capacity);
	c->pattern = NN_NEW_ARRAY(env, double, half);
	c->state = NN_NEW_ARRAY(env, double, half);
	c->count = NN_NEW_ARRAY(env, uint32_t, half);
	c->work = NN_NEW_ARRAY(env, double, NN_AR_WORK(NN_CLASSIC_LAGS));
	return c;
}

/* Unknown rows of y: the mean of a season before and after, else the line between neighbours. */
static void
window_fill(NnClassic *c)
{
	uint32_t	last = 0;		/* known row before t */
	uint32_t	next = 0;		/* known row from t on */

	for (uint32_t t = 0; t < c->n; t++)
	{
		if (!isnan(c->y[t]))
		{
			c->filled[t] = c->y[t];
			last = t;
			continue;
		}
		while (next <= t || isnan(c->y[next]))
			next++;
		if (c->m > 1 && t >= c->m && (uint64_t) t + c->m < c->n && !isnan(c->y[t + c->m]))
			c->filled[t] = 0.5 * (c->filled[t - c->m] + c->y[t + c->m]);
		else
			c->filled[t] = c->y[last] +
				(c->y[next] - c->y[last]) * ((double) (t - last) / (next - last));
	}
}

/* Reads the last rows of value[n] up to the last known one; false when none is known. */
static bool
window_read(NnClassic *c, const double *value, uint32_t n)
{
	uint32_t	end = n,
				begin;
	double		largest = 0.0;

	while (end > 0 && !isfinite(value[end - 1]))
		end--;
	c->age = n - end;
	if (end == 0 || c->capacity == 0)
		return false;
	begin = end > c->capacity ? end - c->capacity : 0;
	while (!isfinite(value[begin]))
		begin++;
	c->n = end - begin;
	c->known = 0;
	for (uint32_t t = begin; t < end; t++)
		if (isfinite(value[t]))
			largest = fmax(largest, fabs(value[t]));
	frexp(largest, &c->exponent);
	c->low = INFINITY;
	c->high = -INFINITY;
	for (uint32_t t = 0; t < c->n; t++)
	{
		c->y[t] = isfinite(value[begin + t]) ? ldexp(value[begin + t], -c->exponent) : NAN;
		if (isnan(c->y[t]))
			continue;
		c->known++;
		c->low = fmin(c->low, c->y[t]);
		c->high = fmax(c->high, c->y[t]);
	}
	c->m = (c->n / 2 >= c->season && c->known >= c->season) ? c->season : 1;
	window_fill(c);
	return true;
}

static double
keep_finite(double value)
{
	return fmin(fmax(value, -DBL_MAX), DBL_MAX);
}

/* Room around the range of y for a forecast h steps after the last known row. */
static double
window_clip(const NnClassic *c, double value, double h)
{
	double		room = (c->high - c->low) * (1.0 + 2.0 * h / (c->n > 1 ? c->n - 1 : 1));

	return fmin(fmax(value, c->low - room), c->high + room);
}

/* Forecasts of y to original units. */
static void
window_finish(const NnClassic *c, uint32_t horizon, double *out)
{
	for (uint32_t h = 0; h < horizon; h++)
	{
		double		value = window_clip(c, out[h], (double) c->age + h + 1.0);

		out[h] = keep_finite(ldexp(value, c->exponent));
	}
}

/* --- Holt-Winters ------------------------------------------------------- */

static NnSmoothing
smoothing_of(NnClassic *c, NnClassicKind kind)
{
	NnSmoothing s = {
		.y = c->y,
		.n = c->n,
		.season = c->m,
		.multiplicative = c->m > 1 && c->low > 0.0 &&
			(kind == NN_CLASSIC_HOLT_WINTERS_MULTIPLICATIVE ||
			 kind == NN_CLASSIC_HOLT_WINTERS_MULTIPLICATIVE_DAMPED),
		.damped = kind == NN_CLASSIC_HOLT_WINTERS_DAMPED ||
			kind == NN_CLASSIC_HOLT_WINTERS_MULTIPLICATIVE_DAMPED,
		.pattern = c->pattern,
		.state = c->state,
	};

	nn_smoothing_begin(&s, c->filled, c->count, c->adjusted);
	return s;
}

static void
holt_winters_fit(NnClassic *c, NnClassicKind kind, double *parameter)
{
	NnSmoothing s = smoothing_of(c, kind);
	NnSmoothingWeights w = nn_smoothing_fit(c->env, &s);

	parameter[0] = w.alpha;
	parameter[1] = w.beta;
	parameter[2] = w.gamma;
	parameter[3] = w.phi;
}

static void
holt_winters_forecast(NnClassic *c, NnClassicKind kind, const double *parameter,
					  uint32_t horizon, double *out)
{
	NnSmoothing s = smoothing_of(c, kind);
	NnSmoothingWeights w = {
		.alpha = parameter[0],.beta = parameter[1],.gamma = parameter[2],.phi = parameter[3]
	};

	nn_smoothing_run(&s, &w);
	nn_smoothing_forecast(&s, &w, c->age, horizon, out);
}

/* --- Theta -------------------------------------------------------------- */

/* Autocorrelation of filled at a lag, mean and sum of squares given. */
static double
autocorrelation(const NnClassic *c, uint32_t lag, double mean, double squares)
{
	double		sum = 0.0;

	for (uint32_t t = lag; t < c->n; t++)
		sum += (c->filled[t] - mean) * (c->filled[t - lag] - mean);
	return sum / squares;
}

/*
 * Is the autocorrelation at the season's lag significant at 90 %, as R's thetaf asks?
 * Bartlett's variance adds up the squares at all shorter lags; of a long season, at
 * TEST_LAGS of them evenly spread, so that the cost does not grow with the season.
 */
static bool
season_tested(const NnClassic *c)
{
	double		mean = nn_stats_mean(c->filled, c->n),
				sd = nn_stats_sd(c->filled, c->n),
				squares = sd * sd * c->n,
				sum = 0.0,
				error;
	uint32_t	nlags = c->m - 1 < TEST_LAGS ? c->m - 1 : TEST_LAGS;

	if (c->m <= 1 || c->n <= 2 * c->m || !(squares > 0.0))
		return false;
	for (uint32_t i = 0; i < nlags; i++)
	{
		uint32_t	lag = 1 + (uint32_t) ((uint64_t) i * (c->m - 1) / nlags);
		double		r = autocorrelation(c, lag, mean, squares);

		c->env->poll(c->env->host);
		sum += r * r * (c->m - 1) / nlags;
	}
	error = sqrt((1.0 + 2.0 * sum) / c->n);
	return fabs(autocorrelation(c, c->m, mean, squares)) / error > nn_normal_quantile(0.95);
}

/* The season's pattern, and adjusted without it; season as in the parameters. */
static bool
theta_adjust(NnClassic *c, int season)
{
	bool		multiplicative = season == 2 && c->low > 0.0;

	if (season == 0 || c->m == 1)
	{
		memcpy(c->adjusted, c->y, c->n * sizeof(double));
		return false;
	}
	nn_pattern_estimate(c->y, c->filled, c->n, c->m, multiplicative, c->pattern, c->count);
	nn_pattern_remove(c->y, c->n, c->m, multiplicative, c->pattern, c->adjusted);
	return multiplicative;
}

static void
theta_fit(NnClassic *c, double *parameter)
{
	parameter[1] = season_tested(c) ? (c->low > 0.0 ? 2.0 : 1.0) : 0.0;
	theta_adjust(c, (int) parameter[1]);
	parameter[0] = nn_ses_fit(c->env, c->adjusted, c->n);
}

static void
theta_forecast(NnClassic *c, const double *parameter, uint32_t horizon, double *out)
{
	double		alpha = parameter[0];
	bool		multiplicative = theta_adjust(c, (int) parameter[1]);
	bool		seasonal = parameter[1] != 0.0 && c->m > 1;
	uint32_t	phase = (uint32_t) (((uint64_t) c->n + c->age) % c->m);
	double		level,
				before,
				slope,
				lag;			/* rows that smoothing lags behind a line */

	nn_ses_run(c->adjusted, c->n, alpha, &level);
	nn_line_fit(c->adjusted, c->n, &before, &slope);
	lag = (1.0 - pow(1.0 - alpha, c->n)) / alpha;
	for (uint32_t h = 0; h < horizon; h++)
	{
		out[h] = level + slope / 2.0 * ((double) c->age + h + lag);
		if (seasonal)
			out[h] = multiplicative ? out[h] * c->pattern[phase] : out[h] + c->pattern[phase];
		if (++phase == c->m)
			phase = 0;
	}
}

/* --- Autoregression ----------------------------------------------------- */

/*
 * The list of lags: 1, 2, 3, ..., or around a seasonal lag m: m, 1, m + 1, 2, 3, ...
 * without repeating any.
 */
static void
lags_list(uint32_t seasonal, uint32_t nlags, uint32_t *lag)
{
	uint32_t	plain = 1;

	for (uint32_t i = 0; i < nlags; i++)
	{
		if (seasonal > 1 && (i == 0 || i == 2))
			lag[i] = seasonal + (i == 2);
		else
		{
			while (seasonal > 1 && (plain == seasonal || plain == seasonal + 1))
				plain++;
			lag[i] = plain++;
		}
	}
}

/* Lags to choose from: two seasons, or as R's ar does; a quarter of the rows at most. */
static uint32_t
lags_most(const NnClassic *c)
{
	double		most = c->m > 1 ? 2.0 * c->m : 10.0 * log10(c->n);

	most = fmin(fmin(most, c->n / 4), NN_CLASSIC_LAGS);
	return most >= 1.0 ? (uint32_t) most : 1;
}

static void
ar_fit(NnClassic *c, double *parameter)
{
	uint32_t	nlags = lags_most(c),
				from = nlags,
				lag[NN_CLASSIC_LAGS] = {0};
	double		coef[2][NN_CLASSIC_LAGS + 1] = {{0.0}},
				criterion[2] = {INFINITY, INFINITY};
	uint32_t	order[2] = {0, 0};
	bool		seasonal = c->m > 1 && nlags > 3;
	int			best;

	if (seasonal && from < c->m + 1)
		from = c->m + 1;
	if (c->n > WINDOW_ROWS && from < c->n - WINDOW_ROWS)
		from = c->n - WINDOW_ROWS;
	lags_list(0, nlags, lag);
	order[0] = nn_ar_select(c->env, c->y, c->filled, c->n, from, lag, nlags, c->work, coef[0],
							&criterion[0]);
	if (seasonal)
	{
		lags_list(c->m, nlags, lag);
		order[1] = nn_ar_select(c->env, c->y, c->filled, c->n, from, lag, nlags, c->work,
								coef[1], &criterion[1]);
	}
	best = criterion[1] < criterion[0];
	parameter[0] = order[best];
	parameter[1] = best == 1 ? c->m : 0.0;
	memcpy(parameter + 2, coef[best], sizeof(coef[best]));
	parameter[2] = keep_finite(ldexp(parameter[2], c->exponent));
}

static void
ar_forecast(NnClassic *c, const double *parameter, uint32_t horizon, double *out)
{
	uint32_t	order = (uint32_t) parameter[0],
				lag[NN_CLASSIC_LAGS] = {0};
	double	   *path = c->filled;
	double		intercept = ldexp(parameter[2], -c->exponent),
				mean = nn_stats_mean(c->y, c->n);
	uint32_t	skip = c->age;

	/* Room for as many rows again; beyond, whole seasons are left out. */
	if (skip > c->capacity)
		skip = c->capacity - c->m + (skip - c->capacity) % c->m;
	lags_list((uint32_t) parameter[1], order, lag);
	for (uint64_t h = 0; h < (uint64_t) skip + horizon; h++)
	{
		double		value = intercept;

		for (uint32_t k = 0; k < order; k++)
		{
			uint64_t	row = c->n + h;		/* forecast; its lag may be before the first */

			if (row < lag[k])
				value += parameter[3 + k] * mean;
			else if (row - lag[k] < (uint64_t) c->n + skip)
				value += parameter[3 + k] * path[row - lag[k]];
			else
				value += parameter[3 + k] * out[row - lag[k] - c->n - skip];
		}
		value = window_clip(c, value, (double) h + 1.0);
		if (h < skip)
			path[c->n + h] = value;
		else
			out[h - skip] = value;
	}
}

/* --- One interface ------------------------------------------------------ */

/* Kinds without parameters, in the order of NnBaselineKind. */
static NnBaselineKind
baseline_of(NnClassicKind kind)
{
	switch (kind)
	{
		case NN_CLASSIC_SEASONAL_NAIVE:
			return NN_BASELINE_SEASONAL;
		case NN_CLASSIC_MEAN:
			return NN_BASELINE_MEAN;
		case NN_CLASSIC_DRIFT:
			return NN_BASELINE_DRIFT;
		default:
			return NN_BASELINE_NAIVE;
	}
}

void
nn_classic_fit(NnClassic *classic, NnClassicKind kind, const double *value, uint32_t n,
			   double *parameter)
{
	NnClassic  *c = classic;
	bool		enough;

	memset(parameter, 0, nn_classic_parameters(kind) * sizeof(double));
	if (kind < NN_CLASSIC_HOLT_WINTERS)
		return;
	enough = window_read(c, value, n) && c->known >= FEWEST_KNOWN;
	if (kind == NN_CLASSIC_AR)
	{
		if (enough)
			ar_fit(c, parameter);
		else
			parameter[0] = parameter[3] = 1.0;
	}
	else if (kind == NN_CLASSIC_THETA)
	{
		parameter[0] = 1.0;
		if (enough)
			theta_fit(c, parameter);
	}
	else if (enough)
		holt_winters_fit(c, kind, parameter);
	else
	{
		parameter[0] = parameter[3] = 1.0;
		if (kind == NN_CLASSIC_HOLT_WINTERS_DAMPED ||
			kind == NN_CLASSIC_HOLT_WINTERS_MULTIPLICATIVE_DAMPED)
			parameter[3] = 0.98;
	}
}

void
nn_classic_forecast(NnClassic *classic, NnClassicKind kind, const double *parameter,
					const double *value, uint32_t n, uint32_t horizon, double *out)
{
	NnClassic  *c = classic;

	c->env->poll(c->env->host);
	if (kind < NN_CLASSIC_HOLT_WINTERS || !window_read(c, value, n) || c->known < FEWEST_KNOWN)
	{
		nn_baseline_column(baseline_of(kind), value, 1, n, c->season, horizon, out);
		for (uint32_t h = 0; h < horizon; h++)
			if (!isnan(out[h]))
				out[h] = keep_finite(out[h]);
		return;
	}
	if (kind == NN_CLASSIC_THETA)
		theta_forecast(c, parameter, horizon, out);
	else if (kind == NN_CLASSIC_AR)
		ar_forecast(c, parameter, horizon, out);
	else
		holt_winters_forecast(c, kind, parameter, horizon, out);
	window_finish(c, horizon, out);
}
