/*
 * nn_smoothing.c
 *		Exponential smoothing and the search for its weights.
 *
 * Knows one column of numbers.  A pass costs 5 to 10 ns per row, most of it waiting
 * for the row before; the season is walked by a counter, so its length costs nothing.
 * Sums are taken in order of rows: same numbers, same bits.
 */
#include "core/nn_smoothing.h"

#include <float.h>
#include <math.h>
#include <string.h>

/* Bounds of each weight's part of its admissible range. */
#define WEIGHT_MIN 1e-4
#define WEIGHT_MAX 0.9999
#define PHI_MIN 0.8
#define PHI_MAX 0.98

/* A factor of a multiplicative season is at least this, as in R's ets. */
#define FACTOR_MIN 1e-2
/* Base (level and slope) below which a multiplicative season is not corrected. */
#define BASE_MIN 1e-6

/* Seasons that the initial pattern is taken from, least rows of the initial line. */
#define BEGIN_SEASONS 3
#define BEGIN_ROWS 10

/* Determinants below this part of their diagonal mean that two effects are one. */
#define DEPENDENT 1e-9

/* Part of an initial state below which it has no effect any more. */
#define FORGOTTEN 1e-12

/* Most weights searched together, passes for each starting point. */
#define MAX_WEIGHTS 4
#define MAX_PASSES 110

/* --- Decomposition ------------------------------------------------------ */

/* Sum of the phases' means brought to 0 (additive), their mean to 1. */
static void
pattern_centre(double *pattern, uint32_t season, bool multiplicative)
{
	double		mean = 0.0;

	for (uint32_t i = 0; i < season; i++)
		mean += pattern[i] / season;
	for (uint32_t i = 0; i < season; i++)
	{
		if (!multiplicative)
			pattern[i] -= mean;
		else
			pattern[i] = fmax(mean > 0.0 ? pattern[i] / mean : 1.0, FACTOR_MIN);
	}
}

void
nn_pattern_estimate(const double *y, const double *filled, uint32_t n, uint32_t season,
					bool multiplicative, double *pattern, uint32_t *count)
{
	uint32_t	half = season / 2;
	uint32_t	phase = half;
	double		sum = 0.0;

	memset(pattern, 0, season * sizeof(double));
	memset(count, 0, season * sizeof(uint32_t));
	for (uint32_t t = 0; t < 2 * half; t++)
		sum += filled[t];
	for (uint32_t t = half; t + half < n; t++)
	{
		/* Rows t - half .. t + half; in an even season the outer two count half each. */
		double		ends = filled[t - half] + filled[t + half];
		double		trend;

		sum += filled[t + half];
		trend = (season % 2 == 0 ? sum - ends / 2.0 : sum) / season;
		sum -= filled[t - half];
		if (!isnan(y[t]) && (!multiplicative || trend > 0.0))
		{
			pattern[phase] += multiplicative ? y[t] / trend : y[t] - trend;
			count[phase]++;
		}
		if (++phase == season)
			phase = 0;
	}
	for (uint32_t i = 0; i < season; i++)
	{
		if (count[i] > 0)
			pattern[i] /= count[i];
		else
			pattern[i] = multiplicative ? 1.0 : 0.0;
	}
	pattern_centre(pattern, season, multiplicative);
}

void
nn_pattern_remove(const double *y, uint32_t n, uint32_t season, bool multiplicative,
				  const double *pattern, double *out)
{
	uint32_t	phase = 0;

	for (uint32_t t = 0; t < n; t++)
	{
		out[t] = multiplicative ? y[t] / pattern[phase] : y[t] - pattern[phase];
		if (++phase == season)
			phase = 0;
	}
}

void
nn_line_fit(const double *y, uint32_t n, double *before, double *slope)
{
	double		count = 0.0,
				mean_t = 0.0,
				mean_y = 0.0,
				tt = 0.0,
				ty = 0.0;

	/* Welford's update of means and sums of products. */
	for (uint32_t t = 0; t < n; t++)
	{
		double		dt = t - mean_t;

		if (isnan(y[t]))
			continue;
		count += 1.0;
		mean_t += dt / count;
		mean_y += (y[t] - mean_y) / count;
		tt += dt * (t - mean_t);
		ty += dt * (y[t] - mean_y);
	}
	*slope = tt > 0.0 ? ty / tt : 0.0;
	*before = mean_y - *slope * (mean_t + 1.0);
}

void
nn_smoothing_begin(NnSmoothing *s, const double *filled, uint32_t *count, double *adjusted)
{
	uint64_t	first = (uint64_t) BEGIN_SEASONS * s->season;
	uint64_t	line = 2 * (uint64_t) s->season;
	uint32_t	n = s->n;

	s->pattern[0] = 0.0;
	if (s->season > 1)
		nn_pattern_estimate(s->y, filled, first < n ? (uint32_t) first : n, s->season,
							s->multiplicative, s->pattern, count);
	if (line < BEGIN_ROWS)
		line = BEGIN_ROWS;
	if (line < n)
		n = (uint32_t) line;
	nn_pattern_remove(s->y, n, s->season, s->multiplicative, s->pattern, adjusted);
	nn_line_fit(adjusted, n, &s->level, &s->slope);
}

/* --- The recursion ------------------------------------------------------ */

/* What is left of both starts adds nothing that a sum of squares would keep. */
static bool
start_forgotten(double state[2][2])
{
	return fabs(state[0][0]) + fabs(state[0][1]) + fabs(state[1][0]) + fabs(state[1][1]) <
		FORGOTTEN;
}

/*
 * Without a season: the initial level and slope of least squared error with these
 * weights.  Errors are linear in them: take[0] and take[1] are what a unit more of the
 * one and the other at the start takes off the error, state[] where that unit is by
 * then, as level and slope.
 */
static void
trend_begin(const NnSmoothing *s, const NnSmoothingWeights *w, double *level, double *slope)
{
	double		at[2] = {s->level, s->slope};
	double		state[2][2] = {{1.0, 0.0}, {0.0, 1.0}};
	double		square[2] = {0.0, 0.0},
				product = 0.0,
				moment[2] = {0.0, 0.0},
				determinant;

	for (uint32_t t = 0; t < s->n && !start_forgotten(state); t++)
	{
		double		base = at[0] + w->phi * at[1];
		double		error = s->y[t] - base;
		double		known = isnan(error) ? 0.0 : 1.0;
		double		take[2];

		error = known == 1.0 ? error : 0.0;
		at[0] = base + w->alpha * error;
		at[1] = w->phi * at[1] + w->beta * error;
		for (int i = 0; i < 2; i++)
		{
			take[i] = state[i][0] + w->phi * state[i][1];
			state[i][0] = take[i] * (1.0 - known * w->alpha);
			state[i][1] = w->phi * state[i][1] - known * w->beta * take[i];
			square[i] += known * take[i] * take[i];
			moment[i] += take[i] * error;
		}
		product += known * take[0] * take[1];
	}
	*level = s->level;
	*slope = s->slope;
	determinant = square[0] * square[1] - product * product;
	if (determinant > DEPENDENT * square[0] * square[1])
	{
		*level += (square[1] * moment[0] - product * moment[1]) / determinant;
		*slope += (square[0] * moment[1] - product * moment[0]) / determinant;
	}
}

static double
run_additive(NnSmoothing *s, const NnSmoothingWeights *w)
{
	double		level = s->level,
				slope = s->slope,
				squares = 0.0;
	uint32_t	known = 0,
				phase = 0;

	if (s->season == 1)
		trend_begin(s, w, &level, &slope);
	for (uint32_t t = 0; t < s->n; t++)
	{
		double		base = level + w->phi * slope;
		double		error = s->y[t] - (base + s->state[phase]);

		if (isnan(error))
			error = 0.0;
		else
			known++;
		squares += error * error;
		level = base + w->alpha * error;
		slope = w->phi * slope + w->beta * error;
		s->state[phase] += w->gamma * error;
		if (++phase == s->season)
			phase = 0;
	}
	s->end_level = level;
	s->end_slope = slope;
	return squares / known;
}

static double
run_multiplicative(NnSmoothing *s, const NnSmoothingWeights *w)
{
	double		level = s->level,
				slope = s->slope,
				squares = 0.0;
	uint32_t	known = 0,
				phase = 0;

	for (uint32_t t = 0; t < s->n; t++)
	{
		double		base = level + w->phi * slope;
		double		factor = s->state[phase];
		double		error = s->y[t] - base * factor;

		if (isnan(error))
			error = 0.0;
		else
			known++;
		squares += error * error;
		level = base + w->alpha * error / factor;
		slope = w->phi * slope + w->beta * error / factor;
		if (base > BASE_MIN)
			s->state[phase] = fmax(factor + w->gamma * error / base, FACTOR_MIN);
		if (++phase == s->season)
			phase = 0;
	}
	s->end_level = level;
	s->end_slope = slope;
	return squares / known;
}

double
nn_smoothing_run(NnSmoothing *s, const NnSmoothingWeights *weights)
{
	memcpy(s->state, s->pattern, s->season * sizeof(double));
	return s->multiplicative ? run_multiplicative(s, weights) : run_additive(s, weights);
}

void
nn_smoothing_forecast(const NnSmoothing *s, const NnSmoothingWeights *weights, uint32_t skip,
					  uint32_t horizon, double *out)
{
	double		base = s->end_level,
				step = s->end_slope;
	uint32_t	phase = s->n % s->season;

	for (uint64_t h = 0; h < (uint64_t) skip + horizon; h++)
	{
		step *= weights->phi;
		base += step;
		if (h >= skip)
			out[h - skip] = s->multiplicative ? fmax(base, 0.0) * s->state[phase] :
				base + s->state[phase];
		if (++phase == s->season)
			phase = 0;
	}
}

/* --- The search for weights --------------------------------------------- */

/* u[]: parts of the admissible ranges: alpha, beta, gamma, phi, as far as searched. */
static NnSmoothingWeights
weights_at(const NnSmoothing *s, const double *u)
{
	NnSmoothingWeights w = {.alpha = u[0],.beta = u[0] * u[1] / s->season,.phi = 1.0};
	int			k = 2;

	if (s->season > 1)
		w.gamma = (1.0 - w.alpha) * u[k++];
	if (s->damped)
		w.phi = PHI_MIN + (PHI_MAX - PHI_MIN) * u[k];
	return w;
}

typedef struct Corner
{
	double		u[MAX_WEIGHTS];
	double		cost;
} Corner;

typedef struct Simplex
{
	const NnEnv *env;
	NnSmoothing *s;
	int			dims;
	int			passes;
	Corner		corner[MAX_WEIGHTS + 1];	/* in order of cost */
} Simplex;

static double
simplex_cost(Simplex *simplex, double *u)
{
	NnSmoothingWeights w;
	double		cost;

	for (int k = 0; k < simplex->dims; k++)
		u[k] = fmin(fmax(u[k], WEIGHT_MIN), WEIGHT_MAX);
	w = weights_at(simplex->s, u);
	simplex->env->poll(simplex->env->host);
	simplex->passes++;
	cost = nn_smoothing_run(simplex->s, &w);
	return isfinite(cost) ? cost : DBL_MAX;
}

/* Puts a corner where its cost belongs among the first n; an older one stays first. */
static void
simplex_insert(Simplex *simplex, const Corner *corner, int n)
{
	int			at = n;

	for (; at > 0 && corner->cost < simplex->corner[at - 1].cost; at--)
		simplex->corner[at] = simplex->corner[at - 1];
	simplex->corner[at] = *corner;
}

static void
simplex_begin(Simplex *simplex, const double *start)
{
	simplex->passes = 0;
	for (int i = 0; i <= simplex->dims; i++)
	{
		Corner		corner;

		memcpy(corner.u, start, sizeof(corner.u));
		if (i > 0)
			corner.u[i - 1] += corner.u[i - 1] < 0.5 ? 0.25 : -0.25;
		corner.cost = simplex_cost(simplex, corner.u);
		simplex_insert(simplex, &corner, i);
	}
}

/* The point at centre + reach (worst - centre). */
static Corner
simplex_try(Simplex *simplex, const double *centre, double reach)
{
	Corner		corner = {.cost = 0.0};

	for (int k = 0; k < simplex->dims; k++)
		corner.u[k] = centre[k] + reach * (simplex->corner[simplex->dims].u[k] - centre[k]);
	corner.cost = simplex_cost(simplex, corner.u);
	return corner;
}

/* All corners half way to the best. */
static void
simplex_shrink(Simplex *simplex)
{
	Corner		old[MAX_WEIGHTS + 1];

	memcpy(old, simplex->corner, sizeof(old));
	for (int i = 1; i <= simplex->dims; i++)
	{
		for (int k = 0; k < simplex->dims; k++)
			old[i].u[k] = 0.5 * (old[0].u[k] + old[i].u[k]);
		old[i].cost = simplex_cost(simplex, old[i].u);
		simplex_insert(simplex, &old[i], i);
	}
}

static void
simplex_step(Simplex *simplex)
{
	int			d = simplex->dims;
	double		centre[MAX_WEIGHTS] = {0.0};
	Corner		tried,
				second;

	for (int i = 0; i < d; i++)
		for (int k = 0; k < d; k++)
			centre[k] += simplex->corner[i].u[k] / d;
	tried = simplex_try(simplex, centre, -1.0);
	if (tried.cost < simplex->corner[0].cost)
	{
		second = simplex_try(simplex, centre, -2.0);
		simplex_insert(simplex, second.cost < tried.cost ? &second : &tried, d);
	}
	else if (tried.cost < simplex->corner[d - 1].cost)
		simplex_insert(simplex, &tried, d);
	else
	{
		second = simplex_try(simplex, centre, tried.cost < simplex->corner[d].cost ? -0.5 : 0.5);
		if (second.cost < fmin(tried.cost, simplex->corner[d].cost))
			simplex_insert(simplex, &second, d);
		else
			simplex_shrink(simplex);
	}
}

/* Close enough: costs equal to a part in 10^8, or corners to 10^-4. */
static bool
simplex_done(const Simplex *simplex)
{
	const Corner *best = &simplex->corner[0];
	const Corner *worst = &simplex->corner[simplex->dims];
	double		width = 0.0;

	for (int i = 1; i <= simplex->dims; i++)
		for (int k = 0; k < simplex->dims; k++)
			width = fmax(width, fabs(simplex->corner[i].u[k] - best->u[k]));
	return worst->cost - best->cost <= 1e-8 * best->cost || width < 1e-4;
}

NnSmoothingWeights
nn_smoothing_fit(const NnEnv *env, NnSmoothing *s)
{
	Simplex		simplex = {.env = env,.s = s,.dims = 2 + (s->season > 1) + s->damped};
	/* A calm start and a lively one; the third number is gamma's or, without season, phi's. */
	double		starts[2][MAX_WEIGHTS] = {{0.1, 0.05, 0.05, 0.8}, {0.5, 0.1, 0.3, 0.8}};
	Corner		best = {.cost = INFINITY};

	for (int i = 0; i < 2; i++)
	{
		if (s->season == 1)
			starts[i][2] = starts[i][3];
		simplex_begin(&simplex, starts[i]);
		while (simplex.passes < MAX_PASSES && !simplex_done(&simplex))
			simplex_step(&simplex);
		if (simplex.corner[0].cost < best.cost)
			best = simplex.corner[0];
	}
	return weights_at(s, best.u);
}

/* --- Simple exponential smoothing --------------------------------------- */

double
nn_ses_run(const double *y, uint32_t n, double alpha, double *level)
{
	/*
	 * Errors are linear in the initial level: from 0 they are error[t], and each unit
	 * of level takes left[t] = (1 - alpha)^t off them.
	 */
	double		current = 0.0,
				left = 1.0,
				squares = 0.0,
				product = 0.0,
				left_squares = 0.0,
				known = 0.0,
				initial;

	for (uint32_t t = 0; t < n; t++)
	{
		double		error = y[t] - current;

		if (isnan(error))
			continue;
		known += 1.0;
		squares += error * error;
		product += error * left;
		left_squares += left * left;
		current += alpha * error;
		left = left > FORGOTTEN ? left * (1.0 - alpha) : 0.0;
	}
	initial = product / left_squares;
	*level = current + left * initial;
	return fmax(squares - product * initial, 0.0) / known;
}

double
nn_ses_fit(const NnEnv *env, const double *y, uint32_t n)
{
	static const double grid[] = {
		WEIGHT_MIN, 0.05, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, WEIGHT_MAX
	};
	const int	ngrid = (int) (sizeof(grid) / sizeof(grid[0]));
	const double section = 0.6180339887498949;
	int			best = 0;
	double		least = INFINITY,
				level,
				low,
				high;

	for (int i = 0; i < ngrid; i++)
	{
		double		cost = nn_ses_run(y, n, grid[i], &level);

		env->poll(env->host);
		if (cost < least)
		{
			least = cost;
			best = i;
		}
	}
	low = grid[best > 0 ? best - 1 : 0];
	high = grid[best + 1 < ngrid ? best + 1 : best];
	while (high - low > 1e-4)
	{
		double		a = high - section * (high - low),
					b = low + section * (high - low);

		env->poll(env->host);
		if (nn_ses_run(y, n, a, &level) <= nn_ses_run(y, n, b, &level))
			high = b;
		else
			low = a;
	}
	return (low + high) / 2.0;
}
