/*
 * bench.c
 *		What the benchmark programs share: a host for the core, clocks, the peak.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>

#if defined(__x86_64__)
#include <immintrin.h>
#endif

#include "bench.h"
#include "core/nn_rng.h"

static void *
host_alloc(void *host, size_t size)
{
	BenchHost  *bench = host;
	size_t		whole = (size + 63) / 64 * 64;
	void	   *memory = aligned_alloc(64, whole > 0 ? whole : 64);

	bench->allocations++;
	bench->bytes += whole;
	if (memory == NULL)
	{
		fprintf(stderr, "out of memory\n");
		exit(2);
	}
	return memset(memory, 0, whole);
}

static void
host_poll(void *host)
{
	(void) host;
}

static void
host_fail(void *host, NnCode code, const char *message, const char *hint)
{
	(void) host;
	(void) code;
	fprintf(stderr, "%s\n%s\n", message, hint ? hint : "");
	exit(1);
}

NnEnv
bench_env(BenchHost *host)
{
	return (NnEnv) {.host = host, .alloc = host_alloc, .poll = host_poll, .fail = host_fail,
		.max_memory = (size_t) 4 << 30};
}

static double
clock_read(clockid_t id)
{
	struct timespec t;

	clock_gettime(id, &t);
	return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

double
bench_wall(void)
{
	return clock_read(CLOCK_MONOTONIC);
}

double
bench_cpu(void)
{
	return clock_read(CLOCK_PROCESS_CPUTIME_ID);
}

/* getrusage's figure may be that of the program that started this one. */
double
bench_resident(void)
{
	FILE	   *status = fopen("/proc/self/status", "r");
	struct rusage usage;
	char		line[200];
	double		kb = 0;

	while (status != NULL && fgets(line, sizeof(line), status) != NULL)
		if (strncmp(line, "VmHWM:", 6) == 0)
			kb = strtod(line + 6, NULL);
	if (status != NULL)
		fclose(status);
	if (kb > 0)
		return kb / 1024;
	getrusage(RUSAGE_SELF, &usage);
	return (double) usage.ru_maxrss / 1024;
}

nn_real *
bench_numbers(size_t n)
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

double
bench_peak(const char *kernels)
{
	double		(*chain) (long) = peak_generic;
	double		lanes = 4,
				seconds;
	volatile double sink;

#if defined(__x86_64__)
	if (strcmp(kernels, "avx2") == 0)
		chain = peak_avx2, lanes = 8;
	if (strcmp(kernels, "avx512") == 0)
		chain = peak_avx512, lanes = 16;
#endif
	(void) kernels;
	BENCH_TIME(seconds, sink = chain(10000));
	(void) sink;
	return 10000 * 12 * 2 * lanes / seconds * 1e-9;
}
