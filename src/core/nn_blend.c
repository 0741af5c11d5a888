/*
 * nn_blend.c
 *		One forecast from those of models that were trained apart.
 *
 * With d = y_0 - y_1 the model is linear in b and w: actual - y_1 = b d + sum w_k y_k.
 * The error is a convex function of b once the best w for each b is taken, so where the
 * free solution leaves [0, 1] the best b is the end that it left by, and w is solved
 * once more with that.  Works on the normal equations, scaled to a unit diagonal.
 */
#include <math.h>

#include "core/nn_blend.h"

/* Unknowns: b, then w_k. */
#define UNKNOWNS (NN_BLEND_MAX - 1)

/* Added to the unit diagonal: forecasts that depend on each other share their weight. */
#define JITTER 1e-12

/* Rows between two polls. */
#define POLL_ROWS 4096

/* Normal equations of K unknowns: gram x = right. */
typedef struct Equations
{
	uint32_t	K;
	double		gram[UNKNOWNS][UNKNOWNS], right[UNKNOWNS];
	double		square;			/* sum of squares of what is to be explained */
	double		n;
} Equations;

static void
equations_gather(const NnEnv *env, size_t n, const double *forecast,
				 const double *actual, const double *scale, Equations *e)
{
	for (size_t i = 0; i < n; i++)
	{
		double		x[UNKNOWNS],
					y = (actual[i] - forecast[n + i]) / scale[i],
					known = y;

		if (i % POLL_ROWS == 0)
			env->poll(env->host);
		x[0] = (forecast[i] - forecast[n + i]) / scale[i];
		for (uint32_t k = 1; k < e->K; k++)
			x[k] = forecast[(k + 1) * n + i] / scale[i];
		for (uint32_t k = 0; k < e->K; k++)
			known += x[k];
		if (!isfinite(known))
			continue;
		for (uint32_t k = 0; k < e->K; k++)
		{
			for (uint32_t j = 0; j <= k; j++)
				e->gram[k][j] += x[k] * x[j];
			e->right[k] += x[k] * y;
		}
		e->square += y * y;
		e->n += 1;
	}
	for (uint32_t k = 0; k < e->K; k++)
		for (uint32_t j = 0; j < k; j++)
			e->gram[j][k] = e->gram[k][j];
}

/*
 * x[K] by Cholesky's method, those before from being given.  ridge is added to the
 * diagonal of the w_k.  An unknown whose column is 0 throughout gets 0.
 */
static void
equations_solve(const Equations *e, uint32_t from, double ridge, double *x)
{
	double		lower[UNKNOWNS][UNKNOWNS],
				unit[UNKNOWNS],
				right[UNKNOWNS];

	for (uint32_t k = from; k < e->K; k++)
	{
		double		diagonal = e->gram[k][k] + (k > 0 ? ridge : 0);

		unit[k] = diagonal > 0 ? 1 / sqrt(diagonal) : 0;
		right[k] = e->right[k];
		for (uint32_t j = 0; j < from; j++)
			right[k] -= e->gram[k][j] * x[j];
		right[k] *= unit[k];
		for (uint32_t j = from; j <= k; j++)
		{
			double		sum = j == k ? 1 + JITTER : e->gram[k][j] * unit[k] * unit[j];

			for (uint32_t i = from; i < j; i++)
				sum -= lower[k][i] * lower[j][i];
			/* Rounding may take a dependent column below what the jitter left. */
			lower[k][j] = j == k ? sqrt(fmax(sum, JITTER)) : sum / lower[j][j];
		}
	}
	for (uint32_t k = from; k < e->K; k++)
	{
		for (uint32_t i = from; i < k; i++)
			right[k] -= lower[k][i] * right[i];
		right[k] /= lower[k][k];
	}
	for (uint32_t k = e->K; k-- > from;)
	{
		for (uint32_t i = k + 1; i < e->K; i++)
			right[k] -= lower[i][k] * right[i];
		right[k] /= lower[k][k];
	}
	for (uint32_t k = from; k < e->K; k++)
		x[k] = right[k] * unit[k];
}

/* Variance of what x leaves unexplained. */
static double
residual_variance(const Equations *e, const double *x)
{
	double		sum = e->square;

	for (uint32_t k = 0; k < e->K; k++)
	{
		sum -= 2 * x[k] * e->right[k];
		for (uint32_t j = 0; j < e->K; j++)
			sum += x[k] * x[j] * e->gram[k][j];
	}
	return fmax(sum, 0) / fmax(e->n - e->K, 1);
}

void
nn_blend_fit(const NnEnv *env, uint32_t M, size_t n, const double *forecast,
			 const double *actual, const double *scale, double *weight)
{
	Equations	e = {.K = M - 1};
	double		x[UNKNOWNS] = {0};
	double		ridge;

	equations_gather(env, n, forecast, actual, scale, &e);
	equations_solve(&e, 0, 0, x);
	ridge = residual_variance(&e, x);
	equations_solve(&e, 0, ridge, x);
	if (!(e.gram[0][0] > 0))
		x[0] = 0.5;
	else if (!(x[0] >= 0 && x[0] <= 1))
	{
		x[0] = x[0] > 1 ? 1 : 0;
		equations_solve(&e, 1, ridge, x);
	}
	weight[0] = x[0];
	weight[1] = 1 - x[0];
	for (uint32_t k = 1; k < e.K; k++)
		weight[k + 1] = x[k];
}

double
nn_blend_value(uint32_t M, const double *weight, const double *forecast)
{
	double		whole = weight[0] * forecast[0] + weight[1] * forecast[1],
				y;

	if (isnan(forecast[0]))
		whole = forecast[1];
	else if (isnan(forecast[1]))
		whole = forecast[0];
	y = whole;
	for (uint32_t m = 2; m < M; m++)
		y += weight[m] * (isnan(forecast[m]) ? whole : forecast[m]);
	return y;
}
