/*
 * bench_blas.c
 *		The products of recurrent networks by our kernels and by OpenBLAS.
 *
 * W [M][K] times x [K][L] at the shapes of a layer's step, the best of 15 runs of
 * each.  OpenBLAS is looked up at run time and left out where it
 * is not installed; our weights are packed beforehand, its are not copied.
 */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "core/nn_kernel.h"

#include "bench.h"

typedef void (*Sgemm) (int order, int ta, int tb, int m, int n, int k, float alpha,
					   const float *a, int lda, const float *b, int ldb, float beta, float *c,
					   int ldc);

static const uint32_t shapes[][3] = {
	{200, 50, 48}, {200, 50, 32}, {256, 64, 32}, {512, 128, 16}, {512, 128, 32}, {1024, 256, 48},
	{2048, 512, 48}, {621, 100, 16}, {128, 512, 32}
};

int
main(void)
{
	const NnKernels *kernels = nn_kernels_get(NULL);
	void	   *library;
	Sgemm		sgemm;

	setenv("OPENBLAS_NUM_THREADS", "1", 1);
	library = dlopen("libopenblas.so.0", RTLD_NOW | RTLD_LOCAL);
	sgemm = library ? (Sgemm) dlsym(library, "cblas_sgemm") : NULL;
	printf("%-22s %12s %12s\n", "M x K, lanes", kernels->name, sgemm ? "OpenBLAS" : "(no OpenBLAS)");
	for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++)
	{
		uint32_t	M = shapes[s][0],
					K = shapes[s][1],
					L = shapes[s][2];
		float	   *w = bench_numbers((size_t) M * K),
				   *x = bench_numbers((size_t) K * L),
				   *out = bench_numbers((size_t) M * L),
				   *packed = bench_numbers(kernels->packed_size(M, K));
		double		flops = 2.0 * M * K * L,
					ours,
					theirs;

		kernels->pack(packed, w, K, 1, M, K);
		BENCH_TIME(ours, kernels->matmul(out, packed, NULL, x, M, K, L, false));
		printf("%5u x %-4u %3u lanes %8.0f", M, K, L, 1e-9 * flops / ours);
		if (sgemm)
		{
			/* Row-major, nothing transposed: 101, 111 in CBLAS. */
			BENCH_TIME(theirs, sgemm(101, 111, 111, (int) M, (int) L, (int) K, 1, w, (int) K, x,
									 (int) L, 0, out, (int) L));
			printf(" %12.0f", 1e-9 * flops / theirs);
		}
		printf(" GFLOP/s\n");
		free(w);
		free(x);
		free(out);
		free(packed);
	}
	return 0;
}
