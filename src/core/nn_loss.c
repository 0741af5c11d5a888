/*
 * nn_loss.c
 *		Losses of a tile of lanes, their gradients, and what raw outputs mean.
 *
 * Knows the layout of a network's raw outputs and nothing of networks.  Losses
 * of one output per value (and quantiles, one row each) run over groups of
 * NN_LANES lanes without branches, so the compiler makes vectors of them; each
 * lane has its own double accumulator, so that float sums lose nothing and the
 * order of summation is fixed.  Likelihoods work in double, one element at a
 * time: a logarithm or two and an exponential each, next to nothing beside the
 * products of the network that made the outputs.
 *
 * An unknown target is NaN, that is, it differs from itself.  Nothing here
 * allocates.
 */
#include "core/nn_loss.h"

#include <math.h>
#include <string.h>

#include "core/nn_stats.h"

#define HALF_LOG_2PI 0.91893853320467274178

/* Sum and gradient of one group of NN_LANES lanes of one output. */
typedef struct LaneLoss
{
	double		parameter;		/* huber: delta; quantile: its level */
	double		factor;			/* of the gradient */
	double		sum[NN_LANES];
} LaneLoss;

/* raw, target, draw: [NN_LANES]; draw may be NULL. */
typedef void (*LaneFunction) (LaneLoss *loss, const nn_real *raw, const nn_real *target,
							  nn_real *draw);

static void
mse_lanes(LaneLoss *loss, const nn_real *raw, const nn_real *target, nn_real *draw)
{
	nn_real		scale = (nn_real) (2 * loss->factor);
	nn_real		error[NN_LANES];

	for (int l = 0; l < NN_LANES; l++)
		error[l] = target[l] == target[l] ? raw[l] - target[l] : 0;
	for (int l = 0; l < NN_LANES; l++)
		loss->sum[l] += (double) error[l] * (double) error[l];
	if (draw == NULL)
		return;
	for (int l = 0; l < NN_LANES; l++)
		draw[l] = scale * error[l];		/* sum += error * error */
}

static void
mae_lanes(LaneLoss *loss, const nn_real *raw, const nn_real *target, nn_real *draw)
{
	nn_real		scale = (nn_real) loss->factor;
	nn_real		error[NN_LANES];

	for (int l = 0; l < NN_LANES; l++)
		error[l] = target[l] == target[l] ? raw[l] - target[l] : 0;
	for (int l = 0; l < NN_LANES; l++)
		loss->sum[l] += fabs((double) error[l]);
	if (draw == NULL)
		return;
	for (int l = 0; l < NN_LANES; l++)
		draw[l] = (error[l] > 0 ? scale : 0) - (error[l] < 0 ? scale : 0);	/* sum += |error| */
}

static void
huber_lanes(LaneLoss *loss, const nn_real *raw, const nn_real *target, nn_real *draw)
{
	double		delta = loss->parameter;
	double		error[NN_LANES];

	for (int l = 0; l < NN_LANES; l++)
		error[l] = target[l] == target[l] ? (double) raw[l] - (double) target[l] : 0;
	for (int l = 0; l < NN_LANES; l++)
	{
		double		size = fabs(error[l]);

		/* A delta beyond all errors must not become inf - inf. */
		loss->sum[l] += size > delta ? delta * (size - 0.5 * delta) : 0.5 * size * size;
	}
	if (draw == NULL)
		return;
	for (int l = 0; l < NN_LANES; l++)
	{
		/* sum += |error| > delta ? delta * (|error| - delta / 2) : error * error / 2 */
		double		slope = error[l] > delta ? delta : error[l] < -delta ? -delta : error[l];

		draw[l] = (nn_real) (loss->factor * slope);
	}
}

/* Pinball loss (Koenker and Bassett 1978); on a tie the mean of both slopes. */
static void
quantile_lanes(LaneLoss *loss, const nn_real *raw, const nn_real *target, nn_real *draw)
{
	double		level = loss->parameter;
	nn_real		above = (nn_real) (loss->factor * -level),
				below = (nn_real) (loss->factor * (1 - level)),
				tie = (nn_real) (loss->factor * (0.5 - level));
	nn_real		error[NN_LANES];

	for (int l = 0; l < NN_LANES; l++)
		error[l] = target[l] == target[l] ? target[l] - raw[l] : 0;
	for (int l = 0; l < NN_LANES; l++)
		loss->sum[l] += (error[l] > 0 ? level : level - 1) * (double) error[l];
	if (draw == NULL)
		return;
	for (int l = 0; l < NN_LANES; l++)
	{
		/* sum += error > 0 ? level * error : (level - 1) * error */
		nn_real		slope = error[l] > 0 ? above : error[l] < 0 ? below : tie;

		draw[l] = target[l] == target[l] ? slope : 0;
	}
}

/* Runs one output over its L lanes. */
static void
lanes_run(LaneFunction function, LaneLoss *loss, uint32_t L, const nn_real *raw,
		  const nn_real *target, nn_real *draw)
{
	for (uint32_t l = 0; l < L; l += NN_LANES)
		function(loss, raw + l, target + l, draw ? draw + l : NULL);
}

static double
lanes_sum(const LaneLoss *loss)
{
	double		sum = 0;

	for (int l = 0; l < NN_LANES; l++)
		sum += loss->sum[l];
	return sum;
}

static double
points_compute(const NnSpec *spec, uint32_t values, uint32_t L, const nn_real *raw,
			   const nn_real *target, double factor, nn_real *draw)
{
	LaneFunction function = spec->loss == NN_LOSS_MSE ? mse_lanes :
		spec->loss == NN_LOSS_MAE ? mae_lanes : huber_lanes;
	LaneLoss	loss = {.parameter = spec->huber_delta, .factor = factor};

	for (uint32_t v = 0; v < values; v++)
	{
		size_t		row = (size_t) v * L;

		lanes_run(function, &loss, L, raw + row, target + row, draw ? draw + row : NULL);
	}
	return lanes_sum(&loss);
}

/* The mean over the quantiles, so that their number does not change the scale. */
static double
quantiles_compute(const NnSpec *spec, uint32_t values, uint32_t L, const nn_real *raw,
				  const nn_real *target, double factor, nn_real *draw)
{
	uint32_t	n = spec->nquantiles;
	LaneLoss	loss = {.factor = factor / n};

	for (uint32_t v = 0; v < values; v++)
		for (uint32_t q = 0; q < n; q++)
		{
			size_t		row = ((size_t) v * n + q) * L;

			loss.parameter = spec->quantile[q];
			lanes_run(quantile_lanes, &loss, L, raw + row, target + (size_t) v * L,
					  draw ? draw + row : NULL);
		}
	return lanes_sum(&loss) / n;
}

/* ln(1 + e^x) without overflow. */
static double
softplus(double x)
{
	return fmax(x, 0) + log1p(exp(-fabs(x)));
}

/* Its derivative, 1 / (1 + e^-x). */
static double
sigmoid(double x)
{
	double		e = exp(-fabs(x));

	return x >= 0 ? 1 / (1 + e) : e / (1 + e);
}

/* raw: mu, s.  gradient [2] is of the loss itself. */
static double
gaussian_loss(const double *raw, double target, double *gradient)
{
	double		sigma = softplus(raw[1]) + NN_MIN_SIGMA;
	double		z = (target - raw[0]) / sigma;

	/* loss = ln(2 pi) / 2 + ln(sigma) + z * z / 2 */
	gradient[0] = -z / sigma;
	gradient[1] = (1 - z * z) / sigma * sigmoid(raw[1]);
	return HALF_LOG_2PI + log(sigma) + 0.5 * z * z;
}

/*
 * How far Student's density is from the normal one at its centre:
 *		c(nu) = ln(gamma((nu + 1) / 2) / (gamma(nu / 2) sqrt(nu / 2)))
 * and its derivative.  The series of ln(gamma(x + 1/2) / (gamma(x) sqrt(x)))
 * (Tricomi and Erdelyi 1951) holds 15 digits from x = 12; the recurrence of
 * gamma leads there.  Neither a difference of two large logarithms of gamma,
 * which would lose everything for a large nu, nor a gamma function is needed.
 */
static double
student_center(double nu, double *derivative)
{
	double		first = 0.5 * nu;
	double		x = first;
	double		product = 1;
	double		slope = 0;
	double		y,
				y2;

	for (; x < 12; x += 1)
	{
		/* gamma(x + 1/2) / gamma(x) = x / (x + 1/2) * gamma(x + 3/2) / gamma(x + 1) */
		product *= x / (x + 0.5);
		slope += 0.5 / (x * (x + 0.5));
	}
	y = 1 / x;
	y2 = y * y;
	/* Of ln gamma(x + 1/2) - ln gamma(x) - ln(x) / 2 there. */
	slope += y2 * (1.0 / 8 + y2 * (-1.0 / 64 + y2 * (1.0 / 128 + y2 * (-17.0 / 2048 +
																	  y2 * 31.0 / 2048))));
	/* The root taken out is that of the first x: move it over. */
	slope += 0.5 * (y - 1 / first);
	*derivative = 0.5 * slope;
	return log(product) + 0.5 * log(x / first) +
		y * (-1.0 / 8 + y2 * (1.0 / 192 + y2 * (-1.0 / 640 + y2 * (17.0 / 14336 -
																  y2 * 31.0 / 18432))));
}

/* raw: mu, s, n.  gradient [3] is of the loss itself. */
static double
student_loss(const double *raw, double target, double *gradient)
{
	double		sigma = softplus(raw[1]) + NN_MIN_SIGMA;
	double		nu = 2 + softplus(raw[2]) + NN_MIN_SIGMA;
	double		z = (target - raw[0]) / sigma;
	double		q = z * z / nu;
	double		pull = (nu + 1) / nu * z / (1 + q);
	double		center_slope;
	double		center = student_center(nu, &center_slope);

	/* loss = ln(2 pi) / 2 - c(nu) + ln(sigma) + (nu + 1) / 2 * ln(1 + z * z / nu) */
	gradient[0] = -pull / sigma;
	gradient[1] = (1 - z * pull) / sigma * sigmoid(raw[1]);
	gradient[2] = (0.5 * log1p(q) - 0.5 * (nu + 1) / nu * (q / (1 + q)) - center_slope) *
		sigmoid(raw[2]);
	return HALF_LOG_2PI - center + log(sigma) + 0.5 * (nu + 1) * log1p(q);
}

static double
likelihoods_compute(const NnSpec *spec, uint32_t values, uint32_t L, const nn_real *raw,
					const nn_real *target, double factor, nn_real *draw)
{
	bool		is_student = spec->loss == NN_LOSS_STUDENT_T;
	uint32_t	outputs = is_student ? 3 : 2;
	double		sum = 0;

	for (uint32_t v = 0; v < values; v++)
		for (uint32_t l = 0; l < L; l++)
		{
			size_t		at = (size_t) v * outputs * L + l;
			double		wanted = (double) target[(size_t) v * L + l];
			double		x[3],
						gradient[3] = {0, 0, 0};

			if (!isnan(wanted))
			{
				for (uint32_t k = 0; k < outputs; k++)
					x[k] = (double) raw[at + (size_t) k * L];
				sum += is_student ? student_loss(x, wanted, gradient) :
					gaussian_loss(x, wanted, gradient);
			}
			for (uint32_t k = 0; draw != NULL && k < outputs; k++)
				draw[at + (size_t) k * L] = (nn_real) (factor * gradient[k]);
		}
	return sum;
}

static uint64_t
known_count(size_t n, const nn_real *target)
{
	uint64_t	known = 0;

	for (size_t i = 0; i < n; i++)
		known += target[i] == target[i];
	return known;
}

double
nn_loss_compute(const NnSpec *spec, uint32_t values, uint32_t L, const nn_real *raw,
				const nn_real *target, double factor, nn_real *draw, uint64_t *known)
{
	*known += known_count((size_t) values * L, target);
	switch (spec->loss)
	{
		case NN_LOSS_QUANTILE:
			return quantiles_compute(spec, values, L, raw, target, factor, draw);
		case NN_LOSS_GAUSSIAN:
		case NN_LOSS_STUDENT_T:
			return likelihoods_compute(spec, values, L, raw, target, factor, draw);
		default:
			return points_compute(spec, values, L, raw, target, factor, draw);
	}
}

double
nn_loss_point(const NnSpec *spec, const double *raw)
{
	return spec->loss == NN_LOSS_QUANTILE ? nn_loss_quantile(spec, raw, 0.5) : raw[0];
}

bool
nn_loss_has_interval(const NnSpec *spec)
{
	return spec->loss == NN_LOSS_GAUSSIAN || spec->loss == NN_LOSS_STUDENT_T ||
		(spec->loss == NN_LOSS_QUANTILE && spec->nquantiles > 1);
}

/* Insertion sort: at most NN_MAX_QUANTILES values, mostly in order. */
static void
values_sort(double *x, uint32_t n)
{
	for (uint32_t i = 1; i < n; i++)
	{
		double		value = x[i];
		uint32_t	j = i;

		for (; j > 0 && x[j - 1] > value; j--)
			x[j] = x[j - 1];
		x[j] = value;
	}
}

/* Quantile p of a curve through value[i] at level[i], p within the levels. */
static double
curve_inside(uint32_t n, const double *level, const double *value, double p)
{
	for (uint32_t i = 1; i < n; i++)
		if (p <= level[i])
			return value[i - 1] + (p - level[i - 1]) / (level[i] - level[i - 1]) *
				(value[i] - value[i - 1]);
	return value[n - 1];
}

/*
 * Beyond the levels: on the Gaussian through the median and the outermost
 * quantile of that side; of the other side when this side has none.
 */
static double
curve_outside(uint32_t n, const double *level, const double *value, double p)
{
	double		median = curve_inside(n, level, value, 0.5);
	uint32_t	end = p < 0.5 ? 0 : n - 1;

	if (level[end] == 0.5)
		end = n - 1 - end;
	if (level[end] == 0.5)
		return median;
	return median + (value[end] - median) * nn_normal_quantile(p) / nn_normal_quantile(level[end]);
}

static double
quantiles_read(const NnSpec *spec, const double *raw, double p)
{
	uint32_t	n = spec->nquantiles;
	double		value[NN_MAX_QUANTILES];

	memcpy(value, raw, n * sizeof(double));
	values_sort(value, n);
	if (p < spec->quantile[0] || p > spec->quantile[n - 1])
		return curve_outside(n, spec->quantile, value, p);
	return curve_inside(n, spec->quantile, value, p);
}

double
nn_loss_quantile(const NnSpec *spec, const double *raw, double p)
{
	switch (spec->loss)
	{
		case NN_LOSS_QUANTILE:
			return quantiles_read(spec, raw, p);
		case NN_LOSS_GAUSSIAN:
			return raw[0] + (softplus(raw[1]) + NN_MIN_SIGMA) * nn_normal_quantile(p);
		case NN_LOSS_STUDENT_T:
			return raw[0] + (softplus(raw[1]) + NN_MIN_SIGMA) *
				nn_student_quantile(p, 2 + softplus(raw[2]) + NN_MIN_SIGMA);
		default:
			return raw[0];
	}
}
