/*
 * nn_optim.c
 *		From a gradient to the next parameters.
 *
 * Knows parameters as one flat array and, for penalties and decay, which of the
 * plan's tensors are weights.  Every rule is one loop over the array without
 * branches.  Sums run over NN_LANES accumulators, which vectorises and fixes
 * their order.  The factors of a step (bias corrections, rates) are computed in
 * double once, by multiplications only: they are the same on every host.
 */
#include "core/nn_optim.h"

/*
 * Loops over all parameters, compiled for the instruction sets there are and
 * chosen when the library is loaded.  They neither reorder sums nor contract
 * products, so every version gives the same bits.  Sanitizers do not know
 * functions that are chosen at load time.
 */
#if defined(__x86_64__) && defined(__gnu_linux__) && !defined(NN_DOUBLE) && \
	!defined(__SANITIZE_ADDRESS__) && !defined(__clang__)
#define NN_CLONES __attribute__((target_clones("avx512f", "avx2", "default")))
#else
#define NN_CLONES
#endif

#include <math.h>

#ifdef NN_DOUBLE
#define real_sqrt sqrt
#else
#define real_sqrt sqrtf
#endif

#define PI 3.14159265358979323846

NnOptim *
nn_optim_create(const NnEnv *env, const NnSpec *spec, const NnPlan *plan)
{
	NnOptim    *optim = NN_NEW(env, NnOptim);

	optim->spec = spec;
	optim->plan = plan;
	optim->m = NN_NEW_ARRAY(env, nn_real, plan->nparams);
	optim->v = NN_NEW_ARRAY(env, nn_real, plan->nparams);
	return optim;
}

size_t
nn_optim_memory(const NnEnv *env, const NnPlan *plan)
{
	size_t		slots = nn_size_mul(env, nn_size_mul(env, plan->nparams, 2), sizeof(nn_real));

	return nn_size_add(env, slots, sizeof(NnOptim));
}

/* Sums of x * x and of |x|. */
static NN_CLONES double
squares_sum(size_t n, const nn_real *x)
{
	double		part[NN_LANES] = {0};
	double		sum = 0;
	size_t		i = 0;

	for (; i + NN_LANES <= n; i += NN_LANES)
		for (int l = 0; l < NN_LANES; l++)
			part[l] += (double) x[i + l] * (double) x[i + l];
	for (int l = 0; i < n; i++, l++)
		part[l] += (double) x[i] * (double) x[i];
	for (int l = 0; l < NN_LANES; l++)
		sum += part[l];
	return sum;
}

static double
sizes_sum(size_t n, const nn_real *x)
{
	double		part[NN_LANES] = {0};
	double		sum = 0;
	size_t		i = 0;

	for (; i + NN_LANES <= n; i += NN_LANES)
		for (int l = 0; l < NN_LANES; l++)
			part[l] += fabs((double) x[i + l]);
	for (int l = 0; i < n; i++, l++)
		part[l] += fabs((double) x[i]);
	for (int l = 0; l < NN_LANES; l++)
		sum += part[l];
	return sum;
}

/* Penalty l1 * sum |w| + l2 * sum w^2 of one tensor w [n]. */
static double
tensor_penalize(const NnSpec *spec, size_t n, const nn_real *w, nn_real *gradient)
{
	nn_real		l1 = (nn_real) spec->l1,
				l2 = (nn_real) (2 * spec->l2);
	double		penalty = 0;

	if (spec->l1 > 0)
		penalty += spec->l1 * sizes_sum(n, w);
	if (spec->l2 > 0)
		penalty += spec->l2 * squares_sum(n, w);
	for (size_t i = 0; i < n; i++)
		gradient[i] += (w[i] > 0 ? l1 : 0) - (w[i] < 0 ? l1 : 0) + l2 * w[i];
	return penalty;
}

double
nn_penalty_add(const NnSpec *spec, const NnPlan *plan, const nn_real *params, nn_real *gradient)
{
	double		penalty = 0;

	if (spec->l1 <= 0 && spec->l2 <= 0)
		return 0;
	for (uint32_t i = 0; i < plan->ntensors; i++)
	{
		const NnTensor *tensor = &plan->tensor[i];

		if (tensor->decay)
			penalty += tensor_penalize(spec, tensor->span.count, params + tensor->span.offset,
									   gradient + tensor->span.offset);
	}
	return penalty;
}

NN_CLONES void
nn_gradient_add(size_t n, nn_real *sum, const nn_real *part)
{
	for (size_t i = 0; i < n; i++)
		sum[i] += part[i];
}

double
nn_gradient_clip(const NnSpec *spec, size_t n, nn_real *gradient)
{
	double		norm;

	if (spec->clip_value > 0)
	{
		nn_real		limit = (nn_real) spec->clip_value;

		/* NaN passes both comparisons and stays to be seen in the norm. */
		for (size_t i = 0; i < n; i++)
			gradient[i] = gradient[i] > limit ? limit : gradient[i] < -limit ? -limit : gradient[i];
	}
	norm = sqrt(squares_sum(n, gradient));
	if (spec->clip_norm > 0 && norm > spec->clip_norm && isfinite(norm))
	{
		nn_real		scale = (nn_real) (spec->clip_norm / norm);

		for (size_t i = 0; i < n; i++)
			gradient[i] *= scale;
	}
	return norm;
}

/* Buffer m starts as the first gradient, as in PyTorch. */
static NN_CLONES void
sgd_step(NnOptim *optim, double learning_rate, nn_real *params, const nn_real *gradient)
{
	size_t		n = optim->plan->nactive;
	nn_real    *m = optim->m;
	nn_real		rate = (nn_real) learning_rate,
				momentum = (nn_real) optim->spec->momentum,
				now = optim->spec->nesterov ? 1 : 0,	/* weight of the gradient, */
				past = optim->spec->nesterov ? momentum : 1;	/* and of the buffer */

	if (optim->spec->momentum <= 0)
	{
		for (size_t i = 0; i < n; i++)
			params[i] -= rate * gradient[i];
		return;
	}
	/* m is zero before the first step, so the first buffer is the gradient. */
	for (size_t i = 0; i < n; i++)
	{
		m[i] = momentum * m[i] + gradient[i];
		params[i] -= rate * (now * gradient[i] + past * m[i]);
	}
}

static NN_CLONES void
rmsprop_step(NnOptim *optim, double learning_rate, nn_real *params, const nn_real *gradient)
{
	size_t		n = optim->plan->nactive;
	nn_real    *m = optim->m,
			   *v = optim->v;
	nn_real		rate = (nn_real) learning_rate,
				momentum = (nn_real) optim->spec->momentum,
				keep = (nn_real) optim->spec->rho,
				take = (nn_real) (1 - optim->spec->rho),
				epsilon = (nn_real) optim->spec->epsilon;

	/* Without momentum m is the update itself. */
	for (size_t i = 0; i < n; i++)
	{
		v[i] = keep * v[i] + take * (gradient[i] * gradient[i]);
		m[i] = momentum * m[i] + gradient[i] / (real_sqrt(v[i]) + epsilon);
		params[i] -= rate * m[i];
	}
}

static NN_CLONES void
adagrad_step(NnOptim *optim, double learning_rate, nn_real *params, const nn_real *gradient)
{
	size_t		n = optim->plan->nactive;
	nn_real    *v = optim->v;
	nn_real		rate = (nn_real) learning_rate,
				epsilon = (nn_real) optim->spec->epsilon;

	for (size_t i = 0; i < n; i++)
	{
		v[i] += gradient[i] * gradient[i];
		params[i] -= rate * (gradient[i] / (real_sqrt(v[i]) + epsilon));
	}
}

/* base to a whole power, by squaring. */
static double
power(double base, uint32_t exponent)
{
	double		result = 1;

	for (; exponent > 0; exponent >>= 1, base *= base)
		if (exponent & 1)
			result *= base;
	return result;
}

/* Kingma and Ba 2015, Algorithm 1, with epsilon added to the corrected root. */
static NN_CLONES void
adam_step(NnOptim *optim, double learning_rate, nn_real *params, const nn_real *gradient)
{
	const NnSpec *spec = optim->spec;
	size_t		n = optim->plan->nactive;
	nn_real    *m = optim->m,
			   *v = optim->v;
	nn_real		rate = (nn_real) (learning_rate / (1 - power(spec->beta_1, optim->step))),
				correction = (nn_real) (1 / sqrt(1 - power(spec->beta_2, optim->step))),
				keep_m = (nn_real) spec->beta_1,
				take_m = (nn_real) (1 - spec->beta_1),
				keep_v = (nn_real) spec->beta_2,
				take_v = (nn_real) (1 - spec->beta_2),
				epsilon = (nn_real) spec->epsilon;

	for (size_t i = 0; i < n; i++)
	{
		m[i] = keep_m * m[i] + take_m * gradient[i];
		v[i] = keep_v * v[i] + take_v * (gradient[i] * gradient[i]);
		params[i] -= rate * (m[i] / (real_sqrt(v[i]) * correction + epsilon));
	}
}

/* Decoupled decay (Loshchilov and Hutter 2019) of the weights, before the step. */
static void
weights_decay(const NnOptim *optim, double learning_rate, nn_real *params)
{
	nn_real		keep = (nn_real) (1 - learning_rate * optim->spec->weight_decay);

	for (uint32_t t = 0; t < optim->plan->ntensors; t++)
	{
		const NnTensor *tensor = &optim->plan->tensor[t];
		nn_real    *w = params + tensor->span.offset;

		if (!tensor->decay)
			continue;
		for (size_t i = 0; i < tensor->span.count; i++)
			w[i] *= keep;
	}
}

void
nn_optim_step(NnOptim *optim, double learning_rate, nn_real *params, const nn_real *gradient)
{
	optim->step++;
	switch (optim->spec->optimizer)
	{
		case NN_SGD:
			sgd_step(optim, learning_rate, params, gradient);
			break;
		case NN_RMSPROP:
			rmsprop_step(optim, learning_rate, params, gradient);
			break;
		case NN_ADAGRAD:
			adagrad_step(optim, learning_rate, params, gradient);
			break;
		case NN_ADAMW:
			if (optim->spec->weight_decay > 0)
				weights_decay(optim, learning_rate, params);
			adam_step(optim, learning_rate, params, gradient);
			break;
		case NN_ADAM:
			adam_step(optim, learning_rate, params, gradient);
			break;
	}
}

/* What is multiplied with the rate while it grows, 1 afterwards. */
static double
warmup(const NnSpec *spec, uint32_t epoch, uint32_t step, uint32_t steps)
{
	double		done = (double) epoch * steps + step + 1;

	return done < spec->warmup_steps ? done / spec->warmup_steps : 1;
}

double
nn_learning_rate(const NnSpec *spec, uint32_t epoch, uint32_t step, uint32_t steps, uint32_t cuts)
{
	double		rate = spec->learning_rate,
				minimum = spec->minimum_learning_rate,
				done = epoch + (double) step / steps;	/* epochs */

	switch (spec->schedule)
	{
		case NN_SCHEDULE_CONSTANT:
			break;
		case NN_SCHEDULE_STEP:
			rate *= power(spec->schedule_factor, epoch / spec->schedule_patience);
			break;
		case NN_SCHEDULE_COSINE:
			rate = minimum + 0.5 * (rate - minimum) * (1 + cos(PI * done / spec->epochs));
			break;
		case NN_SCHEDULE_PLATEAU:
			rate *= power(spec->schedule_factor, cuts);
			break;
	}
	return (rate > minimum ? rate : minimum) * warmup(spec, epoch, step, steps);
}
