/*
 * nn_init.c
 *		Initial values of parameters: a function of seed and tensor number.
 *
 * Follows Keras: Glorot uniform for input weights (Glorot and Bengio 2010),
 * orthogonal recurrent weights (Saxe, McClelland and Ganguli 2014), a forget
 * bias of 1 (Jozefowicz, Zaremba and Sutskever 2015), small uniform embeddings.  Each gate block of a
 * stacked matrix is drawn as a matrix of its own.  Orthogonal blocks cost
 * 4 * H^3 operations and H^2 doubles.
 */
#include <math.h>

#include "core/nn_plan.h"
#include "core/nn_rng.h"

/* Numbers are drawn between polls of the host so many at a time: about 1 ms. */
#define POLL_MASK 0x3fff

static void
glorot_fill(const NnEnv *env, const NnTensor *tensor, uint32_t number, uint64_t seed,
			nn_real *w)
{
	double		fan_out = tensor->dim[0] / tensor->blocks,
				limit = sqrt(6.0 / (fan_out + tensor->dim[1]));

	for (size_t i = 0; i < tensor->span.count; i++)
	{
		if ((i & POLL_MASK) == 0)
			env->poll(env->host);
		w[i] = (nn_real) (limit * (2 * (double) nn_rng_unit(seed, NN_STREAM_INIT + number, 0, i) - 1));
	}
}

/* v . u, [n], in eight sums side by side: one sum would wait for itself. */
static double
vectors_dot(const double *v, const double *u, uint32_t n)
{
	double		part[8] = {0};
	uint32_t	i = 0;

	for (; i + 8 <= n; i += 8)
		for (uint32_t j = 0; j < 8; j++)
			part[j] += v[i + j] * u[i + j];
	for (; i < n; i++)
		part[i % 8] += v[i] * u[i];
	return ((part[0] + part[1]) + (part[2] + part[3])) +
		((part[4] + part[5]) + (part[6] + part[7]));
}

/* v -= (v . u) u, for u of length 1; [n]. */
static void
project_out(double *v, const double *u, uint32_t n)
{
	double		dot = vectors_dot(v, u, n);

	for (uint32_t i = 0; i < n; i++)
		v[i] -= dot * u[i];
}

/*
 * Makes the vectors of q [count][n] (count <= n) orthonormal by modified
 * Gram-Schmidt, each vector twice, which is as good as Householder here.
 */
static void
orthonormalise(const NnEnv *env, double *q, uint32_t count, uint32_t n)
{
	for (uint32_t i = 0; i < count; i++)
	{
		double	   *v = q + (size_t) i * n,
					norm;

		for (uint32_t pass = 0; pass < 2; pass++)
			for (uint32_t j = 0; j < i; j++)
			{
				if (j % 64 == 0)
					env->poll(env->host);
				project_out(v, q + (size_t) j * n, n);
			}
		norm = sqrt(vectors_dot(v, v, n));
		for (uint32_t k = 0; k < n; k++)
			v[k] = norm > 0 ? v[k] / norm : k == i;
	}
}

static void
orthogonal_fill(const NnEnv *env, const NnTensor *tensor, uint32_t number, uint64_t seed,
				nn_real *w)
{
	uint32_t	rows = tensor->dim[0] / tensor->blocks,
				columns = tensor->dim[1];
	bool		tall = rows > columns;	/* then the columns are orthonormal */
	uint32_t	count = tall ? columns : rows,
				n = tall ? rows : columns;
	double	   *q = NN_NEW_ARRAY(env, double, nn_size_mul(env, count, n));

	for (uint32_t block = 0; block < tensor->blocks; block++)
	{
		size_t		size = (size_t) rows * columns;

		for (size_t i = 0; i < size; i++)
		{
			if ((i & POLL_MASK) == 0)
				env->poll(env->host);
			q[i] = nn_rng_normal(seed, NN_STREAM_INIT + number, 0, block * size + i);
		}
		orthonormalise(env, q, count, n);
		for (uint32_t r = 0; r < rows; r++)
			for (uint32_t c = 0; c < columns; c++)
				w[block * size + (size_t) r * columns + c] =
					(nn_real) (tall ? q[(size_t) c * n + r] : q[(size_t) r * n + c]);
	}
}

/* Learned vectors: standard normal, or uniform +- 0.05. */
static void
vectors_fill(const NnEnv *env, const NnTensor *tensor, uint32_t number, uint64_t seed, nn_real *w)
{
	for (size_t i = 0; i < tensor->span.count; i++)
	{
		if ((i & POLL_MASK) == 0)
			env->poll(env->host);
		w[i] = (nn_real) (tensor->init == NN_INIT_NORMAL ?
						  nn_rng_normal(seed, NN_STREAM_INIT + number, 0, i) :
						  0.1 * (double) nn_rng_unit(seed, NN_STREAM_INIT + number, 0, i) - 0.05);
	}
}

static void
forget_fill(const NnTensor *tensor, nn_real *w)
{
	uint32_t	H = tensor->dim[0] / tensor->blocks;

	for (uint32_t i = H; i < 2 * H; i++)
		w[i] = 1;
}

size_t
nn_params_memory(const NnEnv *env, const NnPlan *plan)
{
	size_t		most = 0;

	for (uint32_t i = 0; i < plan->ntensors; i++)
	{
		const NnTensor *tensor = &plan->tensor[i];

		if (tensor->init == NN_INIT_ORTHOGONAL)
			most = nn_size_add(env, most, tensor->span.count / tensor->blocks);
	}
	return nn_size_mul(env, most, sizeof(double));
}

void
nn_params_init(const NnEnv *env, const NnPlan *plan, uint64_t seed, nn_real *params)
{
	for (uint32_t i = 0; i < plan->ntensors; i++)
	{
		const NnTensor *tensor = &plan->tensor[i];
		nn_real    *w = params + tensor->span.offset;

		for (size_t k = 0; k < tensor->span.count; k++)
			w[k] = 0;
		switch (tensor->init)
		{
			case NN_INIT_ZEROS:
			case NN_INIT_GIVEN:
				break;
			case NN_INIT_ONES:
				for (size_t k = 0; k < tensor->span.count; k++)
					w[k] = 1;
				break;
			case NN_INIT_GLOROT:
				glorot_fill(env, tensor, i, seed, w);
				break;
			case NN_INIT_ORTHOGONAL:
				orthogonal_fill(env, tensor, i, seed, w);
				break;
			case NN_INIT_FORGET:
				forget_fill(tensor, w);
				break;
			case NN_INIT_NORMAL:
			case NN_INIT_UNIFORM:
				vectors_fill(env, tensor, i, seed, w);
				break;
		}
	}
}
