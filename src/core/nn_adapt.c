/*
 * nn_adapt.c
 *		Intervals that learn from their misses as time goes on.
 *
 * Keeps the bounds it issued for as many origins as a horizon has steps; each new
 * row is compared with all that spoke of it.  O(horizon ntargets nlevels) per row.
 */
#include <math.h>
#include <string.h>

#include "core/nn_adapt.h"

/* Bounds issued at one origin. */
typedef struct Issued
{
	uint32_t	origin;
	double	   *low, *high;		/* [nlevels][horizon][ntargets] */
} Issued;

struct NnAdapter
{
	const NnEnv *env;
	double		lower, upper;	/* of the spec; NaN: none */
	uint32_t	horizon, ntargets, nlevels;
	const double *level;
	double	   *theta;			/* [nlevels][horizon] */
	uint32_t	n, next;		/* origins kept, and where the next goes */
	Issued	   *issued;			/* [horizon] a ring */
	bool		begun;
	uint32_t	seen;			/* rows up to this one have been learned from */
};

NnAdapter *
nn_adapter_create(const NnEnv *env, uint32_t horizon, uint32_t ntargets, const double *level,
				  uint32_t nlevels)
{
	NnAdapter  *a = NN_NEW(env, NnAdapter);
	size_t		values = nn_size_mul(env, nn_size_mul(env, horizon, ntargets), nlevels),
				bytes = nn_size_mul(env, nn_size_mul(env, values, horizon), 2 * sizeof(double));

	if (bytes > env->max_memory)
		nn_fail(env, NN_NO_MEMORY,
				nn_format(env, "adaptive intervals of %u steps need %.1f MB of memory, above the limit of "
						  "%.1f MB", horizon, bytes / 1048576.0, env->max_memory / 1048576.0),
				"Raise \"lstm.max_memory\", or use a shorter horizon.");
	a->env = env;
	a->lower = a->upper = NAN;
	a->horizon = horizon;
	a->ntargets = ntargets;
	a->nlevels = nlevels;
	a->level = level;
	a->theta = NN_NEW_ARRAY(env, double, nn_size_mul(env, nlevels, horizon));
	a->issued = NN_NEW_ARRAY(env, Issued, horizon);
	for (uint32_t i = 0; i < horizon; i++)
	{
		a->issued[i].low = NN_NEW_ARRAY(env, double, values);
		a->issued[i].high = NN_NEW_ARRAY(env, double, values);
	}
	return a;
}

void
nn_adapter_bound(NnAdapter *a, const NnSpec *spec)
{
	a->lower = spec->lower_bound;
	a->upper = spec->upper_bound;
}

void
nn_adapter_reset(NnAdapter *a)
{
	memset(a->theta, 0, (size_t) a->nlevels * a->horizon * sizeof(double));
	a->n = a->next = 0;
	a->begun = false;
}

/* Learns from one row what the forecasts of it were worth. */
static void
row_learn(NnAdapter *a, const NnSeries *series, uint32_t row)
{
	const double *actual = series->value + (size_t) row * series->C;

	a->env->poll(a->env->host);
	for (uint32_t i = 0; i < a->n; i++)
	{
		const Issued *issued = &a->issued[i];
		uint32_t	h = row - issued->origin - 1;

		if (row <= issued->origin || h >= a->horizon)
			continue;
		for (uint32_t v = 0; v < a->nlevels; v++)
		{
			double		missed = 0,
						known = 0,
					   *theta = &a->theta[v * a->horizon + h];

			for (uint32_t k = 0; k < a->ntargets; k++)
			{
				size_t		at = ((size_t) v * a->horizon + h) * a->ntargets + k;

				if (isnan(actual[k]) || isnan(issued->low[at]))
					continue;
				known++;
				missed += actual[k] < issued->low[at] || actual[k] > issued->high[at];
			}
			if (known == 0)
				continue;
			*theta += fmin(NN_ADAPT_RATE, NN_ADAPT_DELAY / (h + 1)) *
				(missed / known - (1 - a->level[v]));
			*theta = fmax(-NN_ADAPT_MOST, fmin(NN_ADAPT_MOST, *theta));
		}
	}
}

void
nn_adapter_step(NnAdapter *a, const NnSeries *series, uint32_t origin, const double *point,
				double *low, double *high)
{
	size_t		per = (size_t) a->horizon * a->ntargets;
	Issued	   *issued = &a->issued[a->next];

	for (uint32_t row = a->seen + 1; a->begun && row <= origin; row++)
		row_learn(a, series, row);
	a->begun = true;
	a->seen = origin;
	for (size_t v = 0; v < per * a->nlevels; v++)
	{
		double		factor = exp(a->theta[v / a->ntargets]),
					middle = point[v % per];

		low[v] = middle - (middle - low[v]) * factor;
		high[v] = middle + (high[v] - middle) * factor;
		if (low[v] < a->lower)
			low[v] = a->lower;
		if (high[v] > a->upper)
			high[v] = a->upper;
	}
	issued->origin = origin;
	memcpy(issued->low, low, per * a->nlevels * sizeof(double));
	memcpy(issued->high, high, per * a->nlevels * sizeof(double));
	a->next = (a->next + 1) % a->horizon;
	if (a->n < a->horizon)
		a->n++;
}
