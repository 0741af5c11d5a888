/*
 * test_kernel.c
 *		Every kernel of every instruction set against plain loops in double.
 *
 * The arrays are exactly as long as the contract says, so the sanitizer build
 * also proves that no block reads or writes past its matrix.
 */
#include "unit.h"

#include <float.h>

#include "core/nn_kernel.h"
#include "core/nn_rng.h"

#ifdef NN_DOUBLE
#define EPSILON DBL_EPSILON
#else
#define EPSILON FLT_EPSILON
#endif

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static const char *const names[] = {"generic", "avx2", "avx512"};

/* The kernels under test; each test runs once per instruction set. */
static const NnKernels *kernels;

static nn_real *
array(size_t n)
{
	NnEnv	   *env = unit_env();

	return env->alloc(env->host, n * sizeof(nn_real));
}

/* n numbers in [-size, size). */
static nn_real *
numbers(size_t n, uint32_t stream, double size)
{
	nn_real    *x = array(n);

	for (size_t i = 0; i < n; i++)
		x[i] = (nn_real) (size * (2 * (double) nn_rng_unit(1, stream, 0, i) - 1));
	return x;
}

/* A sum of n terms, their magnitudes adding up to size, keeps n roundings. */
static void
check_sum(const char *what, double actual, double expected, double size, size_t n)
{
	if (!(fabs(actual - expected) <= (double) (n + 2) * EPSILON * size))
		UNIT_FAILED("%s %s is %.9g, not %.9g", kernels->name, what, actual, expected);
}

static void
matmul_case(uint32_t M, uint32_t K, uint32_t L, bool transposed, bool biased, bool accumulate)
{
	nn_real    *w = numbers((size_t) M * K, 1, 1);
	nn_real    *x = numbers((size_t) K * L, 2, 1);
	nn_real    *bias = biased ? numbers(M, 3, 1) : NULL;
	nn_real    *out = numbers((size_t) M * L, 4, 1);
	nn_real    *old = numbers((size_t) M * L, 4, 1);
	nn_real    *packed = array(kernels->packed_size(M, K));
	size_t		rs = transposed ? 1 : K,
				cs = transposed ? M : 1;
	char		what[100];

	snprintf(what, sizeof(what), "matmul M %u K %u L %u", M, K, L);
	kernels->pack(packed, w, rs, cs, M, K);
	kernels->matmul(out, packed, bias, x, M, K, L, accumulate);
	for (uint32_t m = 0; m < M; m++)
		for (uint32_t l = 0; l < L; l++)
		{
			double		sum = accumulate ? (double) old[m * L + l] : bias ? (double) bias[m] : 0;
			double		size = fabs(sum);

			for (uint32_t k = 0; k < K; k++)
			{
				double		term = (double) w[m * rs + k * cs] * (double) x[k * L + l];

				sum += term;
				size += fabs(term);
			}
			check_sum(what, (double) out[m * L + l], sum, size, K + 1);
		}
}

static const uint32_t rows[] = {1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 15, 16, 50, 129};
static const uint32_t columns[] = {1, 2, 3, 8, 15, 16, 17, 18, 19, 33, 50, 64, 129};

static void
matmul(void)
{
	int			n = 0;

	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t j = 0; j < COUNT(columns); j++)
			for (uint32_t L = 16; L <= 64; L += 16, n++)
			{
				matmul_case(rows[i], columns[j], L, n % 2, n % 3, n % 5 == 0);
				unit_env_reset();
			}
	matmul_case(200, 50, 48, false, true, false);
	matmul_case(50, 200, 48, true, false, true);
	matmul_case(3, 0, 16, false, true, false);
}

/* matmul_pair is two matmuls, and matvec a lane of them: the same bits. */
static void
matmul_alike_case(uint32_t M, uint32_t K, uint32_t L)
{
	const uint32_t padded = (M + NN_LANES - 1) / NN_LANES * NN_LANES;
	nn_real    *a = numbers((size_t) M * 3, 1, 1),
			   *b = numbers((size_t) M * K, 2, 1),
			   *xa = numbers((size_t) 3 * L, 3, 1),
			   *xb = numbers((size_t) K * L, 4, 1),
			   *bias = array(padded);
	nn_real    *packed_a = array(kernels->packed_size(M, 3)),
			   *packed_b = array(kernels->packed_size(M, K)),
			   *vector_a = array((size_t) padded * 3),
			   *vector_b = array((size_t) padded * K);
	nn_real    *two = array((size_t) M * L),
			   *pair = array((size_t) M * L),
			   *out = array(padded),
			   *lane_a = array(3),
			   *lane_b = array(K);

	memcpy(bias, numbers(M, 5, 1), M * sizeof(nn_real));
	kernels->pack(packed_a, a, 3, 1, M, 3);
	kernels->pack(packed_b, b, K, 1, M, K);
	kernels->vector_pack(vector_a, a, M, 3);
	kernels->vector_pack(vector_b, b, M, K);
	kernels->matmul(two, packed_a, bias, xa, M, 3, L, false);
	kernels->matmul(two, packed_b, NULL, xb, M, K, L, true);
	kernels->matmul_pair(pair, bias, packed_a, xa, 3, packed_b, xb, K, M, L);
	UNIT_CHECK(memcmp(two, pair, (size_t) M * L * sizeof(nn_real)) == 0);
	for (uint32_t l = 0; l < L; l += 5)
	{
		for (uint32_t k = 0; k < 3; k++)
			lane_a[k] = xa[k * L + l];
		for (uint32_t k = 0; k < K; k++)
			lane_b[k] = xb[k * L + l];
		kernels->matvec(out, vector_a, bias, lane_a, M, 3, false);
		kernels->matvec(out, vector_b, NULL, lane_b, M, K, true);
		for (uint32_t m = 0; m < M; m++)
			if (memcmp(&out[m], &two[(size_t) m * L + l], sizeof(nn_real)) != 0)
				UNIT_FAILED("%s matvec M %u K %u row %u is %.9g, not %.9g", kernels->name, M, K, m,
							(double) out[m], (double) two[(size_t) m * L + l]);
	}
}

static void
matmul_alike(void)
{
	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t j = 0; j < COUNT(columns); j += 3)
		{
			matmul_alike_case(rows[i], columns[j], 16 * (1 + (uint32_t) (i + j) % 4));
			unit_env_reset();
		}
	/* One panel, panels of uneven widths, many. */
	for (uint32_t M = 16; M <= 1040; M += 64)
		matmul_alike_case(M, 7, 16);
}

/* NaN and infinity in a lane stay in that lane. */
static void
matmul_keeps_lanes_apart(void)
{
	enum {M = 9, K = 5, L = 32};
	nn_real    *w = numbers(M * K, 1, 1);
	nn_real    *x = numbers(K * L, 2, 1);
	nn_real    *out = array(M * L);
	nn_real    *packed = array(kernels->packed_size(M, K));

	x[2 * L + 5] = (nn_real) NAN;
	x[1 * L + 20] = (nn_real) INFINITY;
	kernels->pack(packed, w, K, 1, M, K);
	kernels->matmul(out, packed, NULL, x, M, K, L, false);
	for (int m = 0; m < M; m++)
		for (int l = 0; l < L; l++)
			UNIT_CHECK(l == 5 ? isnan(out[m * L + l]) :
					   l == 20 ? isinf(out[m * L + l]) : isfinite(out[m * L + l]));
}

/* signs: step order of dz and x; -1 hands in the last step and a negative stride. */
static void
outer_case(uint32_t T, uint32_t M, uint32_t K, uint32_t L, int dz_sign, int x_sign)
{
	const size_t ldw = K + 3;
	const size_t dz_step = (size_t) M * L,
				x_step = (size_t) (K + 1) * L;	/* steps need not touch */
	nn_real    *dz = numbers(T * dz_step, 1, 1);
	nn_real    *x = numbers(T * x_step, 2, 1);
	nn_real    *dw = numbers(M * ldw, 3, 1);
	nn_real    *old = numbers(M * ldw, 3, 1);
	nn_real    *db = numbers(M, 4, 1);
	nn_real    *old_db = numbers(M, 4, 1);
	const nn_real *dz0 = dz_sign > 0 ? dz : dz + (T - 1) * dz_step;
	const nn_real *x0 = x_sign > 0 ? x : x + (T - 1) * x_step;
	const ptrdiff_t dz_stride = dz_sign * (ptrdiff_t) dz_step,
				x_stride = x_sign * (ptrdiff_t) x_step;
	char		what[100];

	snprintf(what, sizeof(what), "outer T %u M %u K %u L %u", T, M, K, L);
	kernels->outer(dw, ldw, dz0, dz_stride, x0, x_stride, T, M, K, L);
	kernels->lane_sum(db, dz0, dz_stride, T, M, L);
	for (uint32_t m = 0; m < M; m++)
	{
		for (uint32_t k = 0; k < K; k++)
		{
			double		sum = (double) old[m * ldw + k];
			double		size = fabs(sum);

			for (uint32_t t = 0; t < T; t++)
				for (uint32_t l = 0; l < L; l++)
				{
					double		term = (double) dz0[(ptrdiff_t) t * dz_stride + m * L + l] *
						(double) x0[(ptrdiff_t) t * x_stride + k * L + l];

					sum += term;
					size += fabs(term);
				}
			check_sum(what, (double) dw[m * ldw + k], sum, size, T * L);
		}
		for (size_t k = K; k < ldw; k++)
			UNIT_CHECK(dw[m * ldw + k] == old[m * ldw + k]);
	}
	snprintf(what, sizeof(what), "lane_sum T %u M %u L %u", T, M, L);
	for (uint32_t m = 0; m < M; m++)
	{
		double		sum = (double) old_db[m];
		double		size = fabs(sum);

		for (uint32_t t = 0; t < T; t++)
			for (uint32_t l = 0; l < L; l++)
			{
				sum += (double) dz[t * dz_step + m * L + l];
				size += fabs((double) dz[t * dz_step + m * L + l]);
			}
		check_sum(what, (double) db[m], sum, size, T * L);
	}
}

static void
outer(void)
{
	static const uint32_t steps[] = {1, 2, 3, 9};
	int			n = 0;

	for (size_t i = 0; i < COUNT(rows); i++)
		for (size_t j = 0; j < COUNT(columns); j++, n++)
		{
			uint32_t	L = 16 * (1 + (uint32_t) n % 4);

			outer_case(steps[n / 4 % 4], rows[i], columns[j], L, n % 3 ? 1 : -1, n % 5 ? 1 : -1);
			unit_env_reset();
		}
	outer_case(5, 200, 50, 48, 1, -1);
	outer_case(20, 24, 129, 16, 1, 1);
	outer_case(3, 16, 48, 64, -1, -1);
}

/* Reference activations and their slopes. */
static double
activation(NnActivation kind, double x)
{
	switch (kind)
	{
		case NN_LINEAR:
			return x;
		case NN_TANH:
			return tanh(x);
		case NN_SIGMOID:
			return x < 0 ? exp(x) / (1 + exp(x)) : 1 / (1 + exp(-x));
		case NN_RELU:
			return isnan(x) ? x : fmax(x, 0);
		case NN_SOFTPLUS:
			return x > 0 ? x + log1p(exp(-x)) : log1p(exp(x));
		case NN_GELU:
			return x < -40 ? 0 : 0.5 * x * erfc(-x / sqrt(2));
	}
	return NAN;
}

static double
slope(NnActivation kind, double x)
{
	double		y = activation(kind, x);

	switch (kind)
	{
		case NN_LINEAR:
			return 1;
		case NN_TANH:
			return 1 - y * y;
		case NN_SIGMOID:
			return y * (1 - y);
		case NN_RELU:
			return x > 0;
		case NN_SOFTPLUS:
			return activation(NN_SIGMOID, x);
		case NN_GELU:
			return fabs(x) > 40 ? x > 0 :
				0.5 * erfc(-x / sqrt(2)) + x * exp(-x * x / 2) / sqrt(2 * 3.14159265358979323846);
	}
	return NAN;
}

/*
 * Arguments: a fine sweep of [-20, 20], all magnitudes of both signs down to the
 * denormals, and the special values.
 */
static nn_real *
arguments(size_t *n)
{
	enum {SWEEP = 40000, DECADES = 8192};
	static const double specials[] = {
		0.0, -0.0, INFINITY, -INFINITY, NAN, FLT_MAX, -FLT_MAX, FLT_MIN, -FLT_MIN, 1e-45, -1e-45,
		86.5, -86.5, 86.6, -86.6, 86.7, -86.7, 87, -87, 88, -88, 89, -89, 103, -103, 104, -104,
	};
	nn_real    *x = array(SWEEP + DECADES + 32);
	size_t		at = 0;

	for (int i = 0; i < SWEEP; i++)
		x[at++] = (nn_real) (-20 + 40.0 * i / SWEEP);
	for (int i = 0; i < DECADES; i++)
	{
		double		size = pow(10, -44 + 82.0 * (i / 2) / (DECADES / 2));

		x[at++] = (nn_real) (i % 2 ? -size : size);
	}
	for (size_t i = 0; i < 32; i++)
		x[at++] = (nn_real) specials[i % COUNT(specials)];
	*n = at;
	return x;
}

/* Allowed errors in float: absolute, and relative to the result. */
typedef struct Tolerance
{
	double		absolute,
				relative;
} Tolerance;

static const Tolerance value_tolerance[NN_NACTIVATIONS] = {
	[NN_LINEAR] = {0, 0},
	[NN_TANH] = {2e-7, 3 * FLT_EPSILON},
	[NN_SIGMOID] = {2e-7, 3 * FLT_EPSILON},
	[NN_RELU] = {0, 0},
	[NN_SOFTPLUS] = {1e-36, 3 * FLT_EPSILON},
	[NN_GELU] = {3e-7, 3 * FLT_EPSILON},
};

static bool
close_to(double actual, double expected, Tolerance tolerance)
{
	double		error = fabs(actual - expected);

#ifdef NN_DOUBLE
	tolerance = (Tolerance) {1e-15, 1e-12};	/* erfc magnifies roundings of x */
#endif
	if (isnan(expected))
		return isnan(actual);
	if (isinf(expected))
		return actual == expected;
	return error <= tolerance.absolute &&
		(error <= tolerance.relative * fabs(expected) || fabs(expected) < 1e-36 ||
		 tolerance.absolute == 0);
}

static void
activate(void)
{
	size_t		n;
	nn_real    *x = arguments(&n);
	nn_real    *y = array(n);

	UNIT_CHECK(n % NN_LANES == 0);
	for (int kind = 0; kind < NN_NACTIVATIONS; kind++)
	{
		Tolerance	t = value_tolerance[kind];

		/* Where results are large or tend to 0, one of the two is what matters. */
		kernels->activate((NnActivation) kind, y, x, n);
		for (size_t i = 0; i < n; i++)
		{
			double		expected = activation((NnActivation) kind, (double) x[i]);

			if (kind == NN_SOFTPLUS || kind == NN_GELU)
				t.absolute = fmax(value_tolerance[kind].absolute,
								  value_tolerance[kind].relative * fabs(expected));
			if (kind == NN_GELU)
				t.relative = INFINITY;
			if (!close_to((double) y[i], expected, t))
				UNIT_FAILED("%s activation %d of %.9g is %.9g, not %.9g", kernels->name, kind,
							(double) x[i], (double) y[i], expected);
		}
		/* In place gives the same. */
		memcpy(x, arguments(&n), n * sizeof(nn_real));
		kernels->activate((NnActivation) kind, x, x, n);
		UNIT_CHECK(memcmp(x, y, n * sizeof(nn_real)) == 0);
		x = arguments(&n);
	}
}

/* The exact values that training and serialisation may rely on. */
static void
activate_saturates(void)
{
	static const nn_real x[16] = {
		20, -20, 100, -100, NN_R(1e30), NN_R(-1e30), (nn_real) INFINITY, (nn_real) -INFINITY,
		0, NN_R(-0.0)
	};
	nn_real		y[16];

	kernels->activate(NN_TANH, y, x, 16);
	for (int i = 0; i < 8; i++)
		UNIT_CHECK(y[i] == (i % 2 ? -1 : 1));
	UNIT_CHECK(y[8] == 0 && !signbit(y[8]) && y[9] == 0 && signbit(y[9]));
	kernels->activate(NN_SIGMOID, y, x, 16);
	for (int i = 2; i < 8; i++)
		UNIT_CHECK(i % 2 ? y[i] < NN_R(1e-36) : y[i] == 1);
	UNIT_CHECK(y[5] == 0 && y[7] == 0 && y[8] == NN_R(0.5) && y[9] == NN_R(0.5));
	kernels->activate(NN_SOFTPLUS, y, x, 16);
	UNIT_CHECK(y[2] == 100 && y[5] == 0 && y[6] == x[6] && y[7] == 0);
	kernels->activate(NN_GELU, y, x, 16);
	UNIT_CHECK(y[2] == 100 && y[3] == 0 && y[5] == 0 && y[6] == x[6] && y[7] == 0);
}

static void
activate_grad(void)
{
	size_t		n;
	nn_real    *x = arguments(&n);
	nn_real    *y = array(n),
			   *dy = numbers(n, 5, 2),
			   *dx = array(n);

	for (int kind = 0; kind < NN_NACTIVATIONS; kind++)
		for (int accumulate = 0; accumulate < 2; accumulate++)
		{
			for (size_t i = 0; i < n; i++)
				dx[i] = 1;
			kernels->activate((NnActivation) kind, y, x, n);
			kernels->activate_grad((NnActivation) kind, dx, dy, x, y, n, accumulate);
			for (size_t i = 0; i < n; i++)
			{
				double		expected = accumulate +
					(double) dy[i] * slope((NnActivation) kind, (double) x[i]);

				/* 1 - y * y turns the error of y near 1 into an absolute one. */
				if (!(fabs((double) dx[i] - expected) <= 16 * EPSILON ||
					  (isnan(expected) && isnan(dx[i]))))
					UNIT_FAILED("%s slope of %d at %.9g is %.9g, not %.9g", kernels->name, kind,
								(double) x[i], (double) dx[i], expected);
			}
		}
}

/* Two forward and backward steps; c_prev NULL in the first. */
static void
lstm_case(uint32_t H, uint32_t L)
{
	const size_t n = (size_t) H * L;
	nn_real    *z = numbers(4 * n, 1, 6),
			   *raw = numbers(4 * n, 1, 6);
	nn_real    *c_prev = numbers(n, 2, 2),
			   *c = array(n),
			   *tanh_c = array(n),
			   *h = array(n);
	nn_real    *dz = array(4 * n),
			   *dh = numbers(n, 3, 1),
			   *dc = numbers(n, 4, 1),
			   *old_dc = numbers(n, 4, 1);
	const double e = 32 * EPSILON;

	for (int first = 0; first < 2; first++)
	{
		memcpy(z, raw, 4 * n * sizeof(nn_real));
		memcpy(dc, old_dc, n * sizeof(nn_real));
		kernels->lstm_forward(z, first ? NULL : c_prev, c, tanh_c, h, H, L);
		kernels->lstm_backward(dz, dc, dh, z, first ? NULL : c_prev, tanh_c, H, L);
		for (size_t j = 0; j < n; j++)
		{
			double		i = activation(NN_SIGMOID, (double) raw[j]),
						f = activation(NN_SIGMOID, (double) raw[n + j]),
						g = tanh((double) raw[2 * n + j]),
						o = activation(NN_SIGMOID, (double) raw[3 * n + j]),
						past = first ? 0 : (double) c_prev[j],
						now = f * past + i * g,
						tc = tanh(now),
						d = (double) dh[j],
						dnow = (double) old_dc[j] + d * o * (1 - tc * tc);

			UNIT_NEAR(z[j], i, e);
			UNIT_NEAR(z[n + j], f, e);
			UNIT_NEAR(z[2 * n + j], g, e);
			UNIT_NEAR(z[3 * n + j], o, e);
			UNIT_NEAR(c[j], now, e);
			UNIT_NEAR(tanh_c[j], tc, e);
			UNIT_NEAR(h[j], o * tc, e);
			UNIT_NEAR(dz[j], dnow * g * i * (1 - i), e);
			UNIT_NEAR(dz[n + j], dnow * past * f * (1 - f), e);
			UNIT_NEAR(dz[2 * n + j], dnow * i * (1 - g * g), e);
			UNIT_NEAR(dz[3 * n + j], d * tc * o * (1 - o), e);
			UNIT_NEAR(dc[j], dnow * f, e);
		}
	}
}

static void
lstm(void)
{
	lstm_case(1, 16);
	lstm_case(3, 32);
	lstm_case(50, 48);
	lstm_case(129, 64);
}

/* Against the definition, also where gates saturate; one lane by units like a lane of many. */
static void
lstm_step_case(uint32_t H, uint32_t L, double size)
{
	const size_t n = (size_t) H * L,
				padded = (H + NN_LANES - 1) / NN_LANES * NN_LANES;
	nn_real    *z = numbers(4 * n, 1, size),
			   *c_prev = numbers(n, 2, 2),
			   *c = array(n),
			   *h = array(n);
	nn_real    *z1 = array(4 * padded),
			   *c1_prev = array(padded),
			   *c1 = array(padded),
			   *h1 = array(padded);
	const double e = 32 * EPSILON;

	for (int first = 0; first < 2; first++)
	{
		kernels->lstm_step(z, first ? NULL : c_prev, c, h, H, L);
		for (size_t j = 0; j < n; j++)
		{
			double		past = first ? 0 : (double) c_prev[j],
						now = activation(NN_SIGMOID, (double) z[n + j]) * past +
				activation(NN_SIGMOID, (double) z[j]) * tanh((double) z[2 * n + j]);

			UNIT_NEAR(c[j], now, e);
			UNIT_NEAR(h[j], activation(NN_SIGMOID, (double) z[3 * n + j]) * tanh(now), e);
		}
		for (size_t j = 0; j < H; j++)
		{
			for (uint32_t g = 0; g < 4; g++)
				z1[g * H + j] = z[g * n + j * L + 3];
			c1_prev[j] = c_prev[j * L + 3];
		}
		kernels->lstm_step(z1, first ? NULL : c1_prev, c1, h1, H, 1);
		for (size_t j = 0; j < H; j++)
			UNIT_CHECK(memcmp(&h1[j], &h[j * L + 3], sizeof(nn_real)) == 0 &&
					   memcmp(&c1[j], &c[j * L + 3], sizeof(nn_real)) == 0);
	}
}

static void
lstm_step(void)
{
	lstm_step_case(1, 16, 6);
	lstm_step_case(15, 32, 6);
	lstm_step_case(16, 16, 60);
	lstm_step_case(50, 48, 6);
	lstm_step_case(129, 64, 1000);
}

/* Pre-activations without bound saturate, and NaN stays NaN. */
static void
lstm_step_saturates(void)
{
	nn_real		z[64],
				c[16],
				h[16],
				past[16];

	for (int j = 0; j < 16; j++)
	{
		past[j] = 3;
		for (int g = 0; g < 4; g++)
			z[g * 16 + j] = (nn_real) (j >> g & 1 ? INFINITY : -INFINITY);
	}
	kernels->lstm_step(z, past, c, h, 1, 16);
	for (int j = 0; j < 16; j++)
	{
		double		now = (j & 2 ? 3 : 0) + (j & 1 ? (j & 4 ? 1 : -1) : 0);

		UNIT_NEAR(c[j], now, 16 * EPSILON);
		UNIT_NEAR(h[j], j & 8 ? tanh(now) : 0, 16 * EPSILON);
	}
	z[5] = (nn_real) NAN;
	kernels->lstm_step(z, past, c, h, 1, 16);
	UNIT_CHECK(isnan(c[5]) && isnan(h[5]) && !isnan(h[4]) && !isnan(h[6]));
}

static void
gru_case(uint32_t H, uint32_t L)
{
	const size_t n = (size_t) H * L;
	nn_real    *zx = array(3 * n),
			   *raw = numbers(3 * n, 1, 5),
			   *zh = numbers(3 * n, 2, 3);
	nn_real    *h_prev = numbers(n, 3, 1),
			   *h = array(n);
	nn_real    *dzx = array(3 * n),
			   *dzh = array(3 * n),
			   *dh = array(n),
			   *old_dh = numbers(n, 4, 1);
	const double e = 32 * EPSILON;

	for (int first = 0; first < 2; first++)
	{
		memcpy(zx, raw, 3 * n * sizeof(nn_real));
		memcpy(dh, old_dh, n * sizeof(nn_real));
		kernels->gru_forward(zx, zh, first ? NULL : h_prev, h, H, L);
		kernels->gru_backward(dzx, dzh, dh, zx, zh, first ? NULL : h_prev, H, L);
		for (size_t j = 0; j < n; j++)
		{
			double		zhn = (double) zh[2 * n + j],
						r = activation(NN_SIGMOID, (double) raw[j] + (double) zh[j]),
						z = activation(NN_SIGMOID, (double) raw[n + j] + (double) zh[n + j]),
						new = tanh((double) raw[2 * n + j] + r * zhn),
						past = first ? 0 : (double) h_prev[j],
						d = (double) old_dh[j],
						dn = d * (1 - z) * (1 - new * new),
						dr = dn * zhn * r * (1 - r),
						dz = d * (past - new) * z * (1 - z);

			UNIT_NEAR(zx[j], r, e);
			UNIT_NEAR(zx[n + j], z, e);
			UNIT_NEAR(zx[2 * n + j], new, e);
			UNIT_NEAR(h[j], (1 - z) * new + z * past, e);
			UNIT_NEAR(dzx[j], dr, e);
			UNIT_NEAR(dzh[j], dr, e);
			UNIT_NEAR(dzx[n + j], dz, e);
			UNIT_NEAR(dzh[n + j], dz, e);
			UNIT_NEAR(dzx[2 * n + j], dn, e);
			UNIT_NEAR(dzh[2 * n + j], dn * r, e);
			UNIT_NEAR(dh[j], d * z, e);
		}
	}
}

/* One lane by units, in place and without padding between gates, like a lane of many. */
static void
gru_vector_case(uint32_t H)
{
	enum {L = 16};
	const size_t n = (size_t) H * L,
				padded = (H + NN_LANES - 1) / NN_LANES * NN_LANES;
	nn_real    *zx = numbers(3 * n, 1, 5),
			   *zh = numbers(3 * n, 2, 3),
			   *h_prev = numbers(n, 3, 1),
			   *h = array(n);
	nn_real    *zx1 = array(4 * padded),
			   *zh1 = array(4 * padded),
			   *h1_prev = array(padded),
			   *h1 = array(padded);

	for (size_t j = 0; j < H; j++)
	{
		for (uint32_t g = 0; g < 3; g++)
		{
			zx1[g * H + j] = zx[g * n + j * L + 7];
			zh1[g * H + j] = zh[g * n + j * L + 7];
		}
		h1_prev[j] = h_prev[j * L + 7];
	}
	kernels->gru_forward(zx, zh, h_prev, h, H, L);
	kernels->gru_forward(zx1, zh1, h1_prev, h1, H, 1);
	for (size_t j = 0; j < H; j++)
		UNIT_CHECK(memcmp(&h1[j], &h[j * L + 7], sizeof(nn_real)) == 0);
}

static void
gru(void)
{
	for (uint32_t H = 1; H < 70; H += H % 16 == 1 ? 14 : 1)
		gru_vector_case(H);
	gru_case(1, 16);
	gru_case(3, 32);
	gru_case(50, 48);
	gru_case(129, 64);
}

static void
elementwise(void)
{
	enum {N = 160};
	nn_real    *x = numbers(N, 1, 3),
			   *w = numbers(N, 2, 3),
			   *old = numbers(N, 3, 3);
	nn_real    *axpy = numbers(N, 3, 3),
			   *muladd = numbers(N, 3, 3),
			   *mul = array(N);

	kernels->axpy(axpy, NN_R(1.5), x, N);
	kernels->muladd(muladd, x, w, N);
	kernels->mul(mul, x, w, N);
	for (int i = 0; i < N; i++)
	{
		double		product = (double) x[i] * (double) w[i];

		UNIT_NEAR(axpy[i], (double) old[i] + 1.5 * (double) x[i], 10 * EPSILON);
		UNIT_NEAR(muladd[i], (double) old[i] + product, 10 * EPSILON);
		UNIT_NEAR(mul[i], product, 10 * EPSILON);
	}
}

/* Weights of their own in every lane: D channels, T rows. */
static void
lane_case(uint32_t D, uint32_t T, uint32_t L)
{
	nn_real    *x = numbers((size_t) D * L, 1, 1),
			   *w = numbers((size_t) D * L, 2, 1),
			   *y = numbers((size_t) D * L, 3, 1),
			   *old = numbers((size_t) D * L, 3, 1),
			   *dot = array(L);
	nn_real    *score = numbers((size_t) T * L, 4, 20),
			   *soft = numbers((size_t) T * L, 4, 20),
			   *grad = numbers((size_t) T * L, 5, 1),
			   *given = numbers((size_t) T * L, 5, 1);
	const double scale = 0.75;

	kernels->lane_dot(dot, x, w, D, L);
	kernels->lane_axpy(y, w, x, D, L);
	kernels->lane_softmax(soft, (nn_real) scale, T, L);
	kernels->lane_softmax_grad(grad, soft, (nn_real) scale, T, L);
	for (uint32_t l = 0; l < L; l++)
	{
		double		sum = 0,
					total = 0,
					inner = 0;

		for (uint32_t d = 0; d < D; d++)
		{
			double		product = (double) w[l] * (double) x[d * L + l];

			sum += (double) x[d * L + l] * (double) w[d * L + l];
			UNIT_NEAR(y[d * L + l], (double) old[d * L + l] + product, 4 * EPSILON);
		}
		check_sum("lane_dot", (double) dot[l], sum, D, D);
		for (uint32_t t = 0; t < T; t++)
			total += exp(scale * (double) score[t * L + l]);
		for (uint32_t t = 0; t < T; t++)
		{
			double		share = exp(scale * (double) score[t * L + l]) / total;

			/* An exponent of up to 30 is rounded to its own precision. */
			UNIT_NEAR(soft[t * L + l], share, 64 * EPSILON);
			inner += (double) soft[t * L + l] * (double) given[t * L + l];
		}
		for (uint32_t t = 0; t < T; t++)
			UNIT_NEAR(grad[t * L + l], scale * (double) soft[t * L + l] *
					  ((double) given[t * L + l] - inner), (T + 8) * EPSILON);
	}
}

static void
lane_weights(void)
{
	lane_case(1, 1, 16);
	lane_case(3, 2, 32);
	lane_case(25, 96, 48);
	lane_case(50, 17, 64);
}

/* Relative to the greatest no score is too great, and one far below weighs nothing. */
static void
softmax_of_extremes(void)
{
	enum {T = 3, L = NN_LANES};
	nn_real		y[T * L];

	for (int l = 0; l < L; l++)
	{
		y[l] = l % 2 ? NN_R(3e38) : NN_R(-3e38);
		y[L + l] = l % 2 ? NN_R(3e38) : NN_R(-3e38);
		y[2 * L + l] = l % 2 ? 0 : NN_R(-3.3e38);
	}
	y[2 * L + 1] = (nn_real) NAN;
	kernels->lane_softmax(y, 1, T, L);
	for (int l = 0; l < L; l++)
	{
		if (l == 1)
		{
			UNIT_CHECK(isnan(y[2 * L + l]));
			continue;
		}
		UNIT_NEAR(y[l], 0.5, EPSILON);
		UNIT_NEAR(y[L + l], 0.5, EPSILON);
		UNIT_CHECK(y[2 * L + l] == 0);
	}
}

/* Everything that one instruction set computes, in one array. */
static nn_real *
fingerprint(const NnKernels *k, size_t *n)
{
	enum {T = 7, M = 84, K = 53, L = 48, H = 21, HL = H * L};
	size_t		narguments;
	nn_real    *x = arguments(&narguments);
	const size_t size = M * L + M * K + 7 * M + M + 2 * NN_NACTIVATIONS * narguments + 35 * HL +
		L;
	nn_real    *result = array(size),
			   *at = result;
	nn_real    *w = numbers(M * K, 1, 1),
			   *packed = array(k->packed_size(M, K));
	nn_real    *inputs = numbers(T * K * L, 2, 1),
			   *dz = numbers(T * M * L, 3, 1);

	k->pack(packed, w, K, 1, M, K);
	k->matmul(at, packed, w, inputs, M, K, L, false);
	at += M * L;
	k->outer(at, K, dz, M * L, inputs, K * L, T, M, K, L);
	at += M * K;
	k->outer(at, 7, dz, M * L, inputs, K * L, T, M, 1, L);
	at += 7 * M;
	k->lane_sum(at, dz, M * L, T, M, L);
	at += M;
	for (int kind = 0; kind < NN_NACTIVATIONS; kind++)
	{
		k->activate((NnActivation) kind, at, x, narguments);
		k->activate_grad((NnActivation) kind, at + narguments, x, x, at, narguments, false);
		at += 2 * narguments;
	}
	memcpy(at, dz, 4 * HL * sizeof(nn_real));
	k->lstm_forward(at, inputs, at + 4 * HL, at + 5 * HL, at + 6 * HL, H, L);
	k->lstm_backward(at + 7 * HL, at + 11 * HL, inputs, at, inputs, at + 5 * HL, H, L);
	at += 12 * HL;
	memcpy(at, dz, 3 * HL * sizeof(nn_real));
	k->lstm_step(dz, inputs, at + 11 * HL, at + 12 * HL, H, L);
	k->gru_forward(at, inputs, inputs, at + 3 * HL, H, L);
	memcpy(at + 10 * HL, dz, HL * sizeof(nn_real));
	k->gru_backward(at + 4 * HL, at + 7 * HL, at + 10 * HL, at, inputs, inputs, H, L);
	at += 13 * HL;
	k->axpy(at, w[0], inputs, HL);
	k->muladd(at, dz, inputs, HL);
	k->mul(at + HL, dz, inputs, HL);
	at += 2 * HL;
	k->lane_dot(at, inputs, dz, H, L);
	k->lane_axpy(at + L, dz, inputs, H, L);
	memcpy(at + L + HL, inputs, 2 * HL * sizeof(nn_real));
	k->lane_softmax(at + L + HL, w[0] + 2, H, L);
	k->lane_softmax_grad(at + L + 2 * HL, at + L + HL, 1, H, L);
	at += L + 3 * HL;
	UNIT_CHECK((size_t) (at - result) <= size);
	*n = size;
	return result;
}

static void
avx2_and_avx512_give_equal_bits(void)
{
	const NnKernels *narrow = nn_kernels_get("avx2"),
			   *wide = nn_kernels_get("avx512");
	nn_real    *a,
			   *b;
	size_t		n;

	if (narrow == NULL || wide == NULL)
	{
		printf("# skipped: this processor does not run both\n");
		return;
	}
	a = fingerprint(narrow, &n);
	b = fingerprint(wide, &n);
	for (size_t i = 0; i < n; i++)
		/* The sign and payload of a NaN are nobody's promise. */
		if (memcmp(a + i, b + i, sizeof(nn_real)) != 0 && !(isnan(a[i]) && isnan(b[i])))
			UNIT_FAILED("value %zu of %zu is %.9g with avx2 and %.9g with avx512", i, n,
						(double) a[i], (double) b[i]);
}

static void
kernels_by_name(void)
{
	const NnKernels *best = nn_kernels_get(NULL);

	UNIT_CHECK(best != NULL && nn_kernels_get("auto") == best);
	UNIT_STRING(nn_kernels_get("generic")->name, "generic");
	UNIT_CHECK(nn_kernels_get("") == NULL);
	UNIT_CHECK(nn_kernels_get("AVX2") == NULL);
	for (size_t i = 0; i < COUNT(names); i++)
	{
		const NnKernels *named = nn_kernels_get(names[i]);

		if (named != NULL)
			UNIT_STRING(named->name, names[i]);
	}
	printf("# best kernels: %s\n", best->name);
}

static void
denormals(void)
{
	volatile nn_real tiny = sizeof(nn_real) == 4 ? NN_R(1e-38) : NN_R(1e-38) * NN_R(1e-38);
	volatile nn_real result;
	uint32_t	control;

	while (sizeof(nn_real) == 8 && tiny > DBL_MIN)
		tiny *= NN_R(0.125);
	result = tiny / 64;
	UNIT_CHECK(result > 0);
	control = nn_denormals_flush();
#if defined(__SSE2__) || defined(__aarch64__)
	result = tiny / 64;
	UNIT_CHECK(result == 0);
#endif
	nn_denormals_restore(control);
	result = tiny / 64;
	UNIT_CHECK(result > 0);
}

int
main(void)
{
	UNIT_RUN(kernels_by_name);
	UNIT_RUN(denormals);
	for (size_t i = 0; i < COUNT(names); i++)
	{
		kernels = nn_kernels_get(names[i]);
		if (kernels == NULL)
			continue;
		printf("# %s\n", kernels->name);
		UNIT_RUN(matmul);
		UNIT_RUN(matmul_alike);
		UNIT_RUN(matmul_keeps_lanes_apart);
		UNIT_RUN(outer);
		UNIT_RUN(activate);
		UNIT_RUN(activate_saturates);
		UNIT_RUN(activate_grad);
		UNIT_RUN(lstm);
		UNIT_RUN(lstm_step);
		UNIT_RUN(lstm_step_saturates);
		UNIT_RUN(gru);
		UNIT_RUN(elementwise);
		UNIT_RUN(lane_weights);
		UNIT_RUN(softmax_of_extremes);
	}
	UNIT_RUN(avx2_and_avx512_give_equal_bits);
	return unit_finish();
}
