/*
 * bench_kernel.c
 *		Speed of each kernel on each instruction set this machine runs.
 *
 * Prints GFLOP/s of the products and their share of the multiply-add peak
 * measured here, nanoseconds for 16 lanes of gates and activations.  A figure is
 * the best of 15 runs of at least 4 ms; the machine may be shared.  To turn
 * nanoseconds into cycles: the peak is 64 flops a cycle with AVX-512 on most
 * servers, 32 with AVX2.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "core/nn_kernel.h"
#include "core/nn_rng.h"

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
	nn_real    *w = bench_numbers((size_t) M * K),
			   *packed = bench_numbers(size),
			   *x = bench_numbers((size_t) T * K * L),
			   *z = bench_numbers((size_t) T * M * L),
			   *bias = bench_numbers(M);
	double		flops = 2.0 * M * K * L,
				seconds;
	char		what[100];

	kernels->pack(packed, w, K, 1, M, K);
	BENCH_TIME(seconds, kernels->matmul(z, packed, bias, x, M, K, L, false));
	snprintf(what, sizeof(what), "matmul M %u K %u L %u", M, K, L);
	report(what, flops / seconds * 1e-9, peak);

	BENCH_TIME(seconds, kernels->outer(w, K, z, (ptrdiff_t) M * L, x, (ptrdiff_t) K * L, T, M, K, L));
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
	nn_real    *z = bench_numbers(4 * H * L),
			   *c = bench_numbers(H * L),
			   *c2 = bench_numbers(H * L),
			   *t = bench_numbers(H * L),
			   *h = bench_numbers(H * L),
			   *zh = bench_numbers(3 * H * L),
			   *dz = bench_numbers(4 * H * L);
	double		s;

	BENCH_TIME(s, kernels->lstm_forward(z, c, c2, t, h, H, L));
	printf("  %-36s %7.2f ns for 16 lanes\n", "lstm_forward", s * 1e9 / groups);
	BENCH_TIME(s, kernels->lstm_backward(dz, c2, h, z, c, t, H, L));
	printf("  %-36s %7.2f\n", "lstm_backward", s * 1e9 / groups);
	BENCH_TIME(s, kernels->gru_forward(z, zh, c, h, H, L));
	printf("  %-36s %7.2f\n", "gru_forward", s * 1e9 / groups);
	BENCH_TIME(s, kernels->gru_backward(dz, zh, h, z, zh, c, H, L));
	printf("  %-36s %7.2f\n", "gru_backward", s * 1e9 / groups);
	BENCH_TIME(s, kernels->activate(NN_TANH, t, c, H * L));
	printf("  %-36s %7.2f\n", "tanh", s * 1e9 / groups);
	BENCH_TIME(s, kernels->activate(NN_SIGMOID, t, c, H * L));
	printf("  %-36s %7.2f\n", "sigmoid", s * 1e9 / groups);
	BENCH_TIME(s, kernels->activate(NN_SOFTPLUS, t, c, H * L));
	printf("  %-36s %7.2f\n", "softplus", s * 1e9 / groups);
	BENCH_TIME(s, kernels->activate(NN_GELU, t, c, H * L));
	printf("  %-36s %7.2f\n", "gelu", s * 1e9 / groups);
	BENCH_TIME(s, kernels->lane_sum(c, z, 0, 8, 4 * H, L));
	printf("  %-36s %7.2f\n", "lane_sum", s * 1e9 / (8 * 4 * groups));
	BENCH_TIME(s, nn_rng_mask(1, 2, 3, 0, NN_R(0.2), t, H * L));
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
		peak = bench_peak(names[i]);
		printf("%s: peak %.1f GFLOP/s\n", names[i], peak);
		for (size_t j = 0; j < sizeof(shapes) / sizeof(shapes[0]); j++)
			bench_products(kernels, peak, shapes[j][0], shapes[j][1], shapes[j][2], shapes[j][3]);
		bench_gates(kernels);
	}
	return 0;
}
