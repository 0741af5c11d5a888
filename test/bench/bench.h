/*
 * bench.h
 *		What the benchmark programs share: a host for the core, clocks, the peak.
 *
 * The host counts what the core takes from it and gives it memory that is never
 * freed.  Failures end the program with the message.
 */
#ifndef BENCH_H
#define BENCH_H

#include "core/nn_env.h"

typedef struct BenchHost
{
	uint64_t	allocations;
	size_t		bytes;
} BenchHost;

extern NnEnv bench_env(BenchHost *host);

/* Seconds of wall time, and of processor time of this process. */
extern double bench_wall(void);
extern double bench_cpu(void);

/* Largest resident memory of this process so far, in MB. */
extern double bench_resident(void);

/*
 * GFLOP/s of one core that does nothing but multiply and add in registers, with
 * the instruction set of the kernels of that name ("generic", "avx2", "avx512").
 */
extern double bench_peak(const char *kernels);

/* Numbers in [-0.5, 0.5), aligned for the kernels; to be freed. */
extern nn_real *bench_numbers(size_t n);

/* Best seconds of one execution of the statement, of 15 runs of at least 4 ms. */
#define BENCH_TIME(seconds, statement) \
	do { \
		long		repeat_ = 1; \
		double		best_ = 1e9, start_, spent_; \
		for (;;) \
		{ \
			start_ = bench_wall(); \
			for (long i_ = 0; i_ < repeat_; i_++) \
				statement; \
			spent_ = bench_wall() - start_; \
			if (spent_ > 0.004) \
				break; \
			repeat_ *= 2; \
		} \
		for (int run_ = 0; run_ < 15; run_++) \
		{ \
			start_ = bench_wall(); \
			for (long i_ = 0; i_ < repeat_; i_++) \
				statement; \
			spent_ = (bench_wall() - start_) / (double) repeat_; \
			if (spent_ < best_) \
				best_ = spent_; \
		} \
		(seconds) = best_; \
	} while (0)

#endif							/* BENCH_H */
