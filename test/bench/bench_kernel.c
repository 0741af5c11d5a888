/*
 * bench_kernel.c
 *		Speed of each kernel on each instruction set this machine runs.
 *
 * Prints GFLOP/s of the products and their share of the multiply-add peak
 * measured here, nanoseconds for 16 lanes of gates and activations.  A figure is
 * the best of several runs of about 5 ms; the machine may be shared.  To turn
 * nanoseconds into cycles: the peak is 64 flops a cycle with AVX-512 on most
 * servers, 32 with AVX2.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "core/nn_kernel.h"
#include "core/nn_rng.h"

#define RUNS 15

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

/* Best seconds of one execution of the statement. */
#define TIME(seconds, statement) \
	do { \
		long		repeat = 1; \
		double		best = 1e9, start, spent; \
		for (;;) \
		{ \
			start = now(); \
			for (long i_ = 0; i_ < repeat; i_++) \
				statement; \
			spent = now() - start; \
			if (spent > 0.004) \
				break; \
			repeat *= 2; \
		} \
		for (int run_ = 0; run_ < RUNS; run_++) \
		{ \
			start = now(); \
			for (long i_ = 0; i_ < repeat; i_++) \
				statement; \
			spent = (now() - start) / (double) repeat; \
			if (spent < best) \
				best = spent; \
		} \
		(seconds) = best; \
	} while (0)

static nn_real *
numbers(size_t n)
{
	nn_real    *x = aligned_alloc(64, (n * sizeof(nn_real) + 63) / 64 * 64);

	if (x == NULL)
		exit(2);
	for (size_t i = 0; i < n; i++)
		x[i] = nn_rng_unit(1, 2, 3, i) - NN_R(0.5);
	return x;
}

/*
 * The peak: twelve independent chains of s = s * f + g, all in registers.  Where
 * the baseline has no fused multiply-add it takes the two instructions.
 */
#define PEAK(name, target_, vec, set1, fma) \
target_ __attribute__((noinline)) static double \
name(long steps) \
{ \
	volatile float seed = 0.5f; \
	vec			f = set1(seed), g = set1(seed + 1), s[12]; \
	double		sum = 0; \
	for (int j = 0; j < 12; j++) \
		s[j] = set1(seed + (float) j); \
	for (long i = 0; i < steps; i++) \
	{ \
		s[0] = fma(s[0], f, g); s[1] = fma(s[1], f, g); s[2] = fma(s[2], f, g); \
		s[3] = fma(s[3], f, g); s[4] = fma(s[4], f, g); s[5] = fma(s[5], f, g); \
		s[6] = fma(s[6], f, g); s[7] = fma(s[7], f, g); s[8] = fma(s[8], f, g); \
		s[9] = fma(s[9], f, g); s[10] = fma(s[10], f, g); s[11] = fma(s[11], f, g); \
	} \
	for (int j = 0; j < 12; j++) \
		sum += (double) s[j][0]; \
	return sum; \
}

typedef float float4 __attribute__((vector_size(16)));
#define SET4(x) ((float4) {(x), (x), (x), (x)})
#define FMA4(a, b, c) ((a) * (b) + (c))
PEAK(peak_generic, , float4, SET4, FMA4)

#if defined(__x86_64__)
PEAK(peak_avx2, __attribute__((target("avx2,fma"))), __m256, _mm256_set1_ps, _mm256_fmadd_ps)
PEAK(peak_avx512, __attribute__((target("avx512f"))), __m512, _mm512_set1_ps, _mm512_fmadd_ps)
#endif

static double
peak_measure(const char *name)
{
	double		(*chain) (long) = peak_generic;
	double		lanes = 4,
				seconds;
	volatile double sink;

#if defined(__x86_64__)
	if (strcmp(name, "avx2") == 0)
		chain = peak_avx2, lanes = 8;
	if (strcmp(name, "avx512") == 0)
		chain = peak_avx512, lanes = 16;
#endif
	(void) name;
	TIME(seconds, sink = chain(10000));
	(void) sink;
	return 10000 * 12 * 2 * lanes / seconds * 1e-9;
}

static void
report(const char *what, double gflops, double peak)
{
	printf("  %-36s %7.1f GFLOP/s %5.1f %%\n", what, gflops, 100 * gflops / peak);
}

static void
bench_products(const NnKernels *kernels, double peak, uint32_t M, uint32_t K, uint32_t L,
			   uint32_t T)
{
	size_t		size = kernels->packed_size(M, K);
	nn_real    *w = numbers((size_t) M * K),
			   *packed = numbers(size),
			   *x = numbers((size_t) T * K * L),
			   *z = numbers((size_t) T * M * L),
			   *bias = numbers(M);
	double		flops = 2.0 * M * K * L,
				seconds;
	char		what[100];

	kernels->pack(packed, w, K, 1, M, K);
	TIME(seconds, kernels->matmul(z, packed, bias, x, M, K, L, false));
	snprintf(what, sizeof(what), "matmul M %u K %u L %u", M, K, L);
	report(what, flops / seconds * 1e-9, peak);

	TIME(seconds, kernels->outer(w, K, z, (ptrdiff_t) M * L, x, (ptrdiff_t) K * L, T, M, K, L));
	snprintf(what, sizeof(what), "outer  M %u K %u L %u T %u", M, K, L, T);
	report(what, T * flops / seconds * 1e-9, peak);
	free(w);
	free(packed);
	free(x);
	free(z);
	free(bias);
}

static void
bench_gates(const NnKernels *kernels)
{
	enum {H = 50, L = 48};
	const double groups = H * L / NN_LANES;
	nn_real    *z = numbers(4 * H * L),
			   *c = numbers(H * L),
			   *c2 = numbers(H * L),
			   *t = numbers(H * L),
			   *h = numbers(H * L),
			   *zh = numbers(3 * H * L),
			   *dz = numbers(4 * H * L);
	double		s;

	TIME(s, kernels->lstm_forward(z, c, c2, t, h, H, L));
	printf("  %-36s %7.2f ns for 16 lanes\n", "lstm_forward", s * 1e9 / groups);
	TIME(s, kernels->lstm_backward(dz, c2, h, z, c, t, H, L));
	printf("  %-36s %7.2f\n", "lstm_backward", s * 1e9 / groups);
	TIME(s, kernels->gru_forward(z, zh, c, h, H, L));
	printf("  %-36s %7.2f\n", "gru_forward", s * 1e9 / groups);
	TIME(s, kernels->gru_backward(dz, zh, h, z, zh, c, H, L));
	printf("  %-36s %7.2f\n", "gru_backward", s * 1e9 / groups);
	TIME(s, kernels->activate(NN_TANH, t, c, H * L));
	printf("  %-36s %7.2f\n", "tanh", s * 1e9 / groups);
	TIME(s, kernels->activate(NN_SIGMOID, t, c, H * L));
	printf("  %-36s %7.2f\n", "sigmoid", s * 1e9 / groups);
	TIME(s, kernels->activate(NN_SOFTPLUS, t, c, H * L));
	printf("  %-36s %7.2f\n", "softplus", s * 1e9 / groups);
	TIME(s, kernels->activate(NN_GELU, t, c, H * L));
	printf("  %-36s %7.2f\n", "gelu", s * 1e9 / groups);
	TIME(s, kernels->lane_sum(c, z, 0, 8, 4 * H, L));
	printf("  %-36s %7.2f\n", "lane_sum", s * 1e9 / (8 * 4 * groups));
	TIME(s, nn_rng_mask(1, 2, 3, 0, NN_R(0.2), t, H * L));
	printf("  %-36s %7.2f\n", "dropout mask", s * 1e9 / groups);
	free(z);
	free(c);
	free(c2);
	free(t);
	free(h);
	free(zh);
	free(dz);
}

int
main(void)
{
	static const char *const names[] = {"generic", "avx2", "avx512"};
	static const uint32_t shapes[][4] = {	/* M, K, L, T */
		{200, 50, 48, 24}, {200, 50, 48, 1}, {200, 1, 48, 24}, {512, 128, 32, 48},
		{512, 128, 48, 48}, {256, 64, 32, 24}, {256, 64, 16, 24}, {256, 64, 64, 24},
		{1024, 256, 32, 12}, {160, 40, 64, 96}, {1, 50, 48, 1},
	};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
	{
		const NnKernels *kernels = nn_kernels_get(names[i]);
		double		peak;

		if (kernels == NULL)
			continue;
		peak = peak_measure(names[i]);
		printf("%s: peak %.1f GFLOP/s\n", names[i], peak);
		for (size_t j = 0; j < sizeof(shapes) / sizeof(shapes[0]); j++)
			bench_products(kernels, peak, shapes[j][0], shapes[j][1], shapes[j][2], shapes[j][3]);
		bench_gates(kernels);
	}
	return 0;
}
