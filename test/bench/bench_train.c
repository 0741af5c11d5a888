/*
 * bench_train.c
 *		How fast the core trains and forecasts, and that it allocates nothing then.
 *
 *	bench_train							every job and set of kernels, a table
 *	bench_train profile KERNELS			where the time of the trainings goes
 *	bench_train serve JOB KERNELS FILE	writes the job to FILE ("-": does not), then
 *										obeys the lines of standard input:
 *		run			one repetition; prints its figures as one JSON line
 *		peak		prints GFLOP/s of the multiply-add peak
 *		values FILE	writes the last forecasts, doubles
 *
 * run_speed.py serves several at once and lets them take turns with PyTorch.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "bench_jobs.h"
#include "bench_profile.h"

#ifdef __clang__
#define COMPILER __VERSION__
#else
#define COMPILER "gcc " __VERSION__
#endif

static int
values_compare(const void *a, const void *b)
{
	double		x = *(const double *) a,
				y = *(const double *) b;

	return (x > y) - (x < y);
}

/* One line for each job: medians of five repetitions, or a single one of what takes seconds. */
static void
table_print(NnEnv *env, BenchHost *host, const char *name)
{
	const NnKernels *kernels = nn_kernels_get(name);
	double		peak;

	if (kernels == NULL)
		return;
	peak = bench_peak(kernels->name);
	printf("%s: peak %.1f GFLOP/s\n", kernels->name, peak);
	for (uint32_t i = 0; i < job_count; i++)
	{
		Job		   *job = job_create(env, &job_shapes[i], kernels);
		uint64_t	before;
		double		seconds[5],
					gflops,
					warmup = bench_cpu();
		int			repetitions;

		job_run(job);
		repetitions = bench_cpu() - warmup > 1 ? 1 : 5;
		before = host->allocations;
		for (int k = 0; k < repetitions; k++)
		{
			double		start = bench_cpu();

			job_run(job);
			seconds[k] = bench_cpu() - start;
		}
		qsort(seconds, repetitions, sizeof(double), values_compare);
		seconds[0] = seconds[repetitions / 2];
		gflops = 1e-9 * job_flops(job) * job_windows(job->shape) / seconds[0];
		printf("  %-2s %-52s %9.0f windows/s %6.1f GFLOP/s %4.0f %%  allocations %llu\n",
			   job->shape->name, job->shape->what, job_windows(job->shape) / seconds[0], gflops,
			   100 * gflops / peak, (unsigned long long) (host->allocations - before));
	}
}

/* One JSON line for each training job. */
static void
profile_print(NnEnv *env, const char *name)
{
	const NnKernels *kernels = profile_kernels(nn_kernels_get(name));

	for (uint32_t i = 0; i < job_count && job_shapes[i].steps == 0; i++)
	{
		Job		   *job = job_create(env, &job_shapes[i], kernels);
		Profile		profile = profile_run(job->trainer);
		double		sum = 0;

		for (int k = 0; k < PROFILE_PARTS; k++)
			sum += profile.seconds[k];
		printf("{\"job\": \"%s\", \"parts\": [", job->shape->name);
		for (int k = 0; k < PROFILE_PARTS; k++)
			printf("%s{\"share\": %.4f, \"gflops\": %.1f}", k > 0 ? ", " : "",
				   profile.seconds[k] / sum,
				   profile.flops[k] > 0 ? 1e-9 * profile.flops[k] / profile.seconds[k] : 0);
		printf("]}\n");
	}
}

static void
run_print(Job *job, const BenchHost *host)
{
	uint64_t	before = host->allocations;
	double		wall = bench_wall(),
				cpu = bench_cpu();
	double		loss = job_run(job);

	cpu = bench_cpu() - cpu;
	wall = bench_wall() - wall;
	printf("{\"wall\": %.9f, \"cpu\": %.9f, \"loss\": %.17g, \"allocations\": %llu, "
		   "\"resident\": %.1f}\n", wall, cpu, loss,
		   (unsigned long long) (host->allocations - before), bench_resident());
}

static void
file_write(const char *name, const NnEnv *env, const Job *job, bool values)
{
	FILE	   *file = fopen(name, "wb");

	if (file == NULL)
	{
		perror(name);
		exit(2);
	}
	if (values)
		fwrite(job->point, sizeof(double), (size_t) job->shape->windows * job->shape->steps, file);
	else
		job_write(env, job, file);
	if (fclose(file) != 0)
	{
		perror(name);
		exit(2);
	}
}

static void
serve(NnEnv *env, const BenchHost *host, const char *name, const char *kernels, const char *file)
{
	Job		   *job = job_create(env, job_find(name), nn_kernels_get(kernels));
	char		line[4096];

	if (strcmp(file, "-") != 0)
		file_write(file, env, job, false);
	printf("{\"kernels\": \"%s\", \"compiler\": \"%s\", \"what\": \"%s\", \"windows\": %.0f, "
		   "\"batch\": %u, \"flops\": %.0f}\n", job->kernels->name, COMPILER, job->shape->what,
		   job_windows(job->shape), job->shape->batch, job_flops(job));
	fflush(stdout);
	while (fgets(line, sizeof(line), stdin) != NULL)
	{
		line[strcspn(line, "\n")] = '\0';
		if (strcmp(line, "run") == 0)
			run_print(job, host);
		else if (strcmp(line, "peak") == 0)
			printf("%.2f\n", bench_peak(job->kernels->name));
		else if (strncmp(line, "values ", 7) == 0)
		{
			file_write(line + 7, env, job, true);
			printf("{}\n");
		}
		fflush(stdout);
	}
}

static const char *
kernels_known(const char *name)
{
	if (nn_kernels_get(name) == NULL)
	{
		fprintf(stderr, "no kernels \"%s\" here\n", name);
		exit(3);
	}
	return name;
}

int
main(int argc, char **argv)
{
	BenchHost	host = {0, 0};
	NnEnv		env = bench_env(&host);
	uint32_t	control = nn_denormals_flush();

	if (argc == 5 && strcmp(argv[1], "serve") == 0)
		serve(&env, &host, argv[2], kernels_known(argv[3]), argv[4]);
	else if (argc == 3 && strcmp(argv[1], "profile") == 0)
		profile_print(&env, kernels_known(argv[2]));
	else if (argc == 1)
	{
		table_print(&env, &host, "avx512");
		table_print(&env, &host, "avx2");
		table_print(&env, &host, "generic");
	}
	else
	{
		fprintf(stderr, "usage: bench_train [profile KERNELS | serve JOB KERNELS FILE]\n");
		return 2;
	}
	nn_denormals_restore(control);
	return 0;
}
