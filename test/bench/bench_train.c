/*
 * bench_train.c
 *		How fast the core trains, and that an epoch allocates nothing.
 *
 * The jobs' shapes are usual ones: a window of one step, of a day of hours, a
 * deep network.  Data is a made-up series; prints windows per second, the work in
 * GFLOP/s and the number of allocations during the measured epochs.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "core/nn_tile.h"
#include "core/nn_train.h"

typedef struct Job
{
	const char *name, *options;
	uint32_t	C, context, horizon, windows;
} Job;

static const Job jobs[] = {
	{"a: LSTM 50, 1 step x 8", "{\"layers\":[{\"type\":\"lstm\",\"units\":50},{\"type\":\"dense\"}],"
	"\"loss\":\"mae\",\"batch_size\":72,\"epochs\":5", 8, 1, 1, 8760},
	{"b: LSTM 50, 24 steps x 8", "{\"layers\":[{\"type\":\"lstm\",\"units\":50},{\"type\":\"dense\"}],"
	"\"loss\":\"mae\",\"batch_size\":72,\"epochs\":3", 8, 24, 1, 8760},
	{"c: LSTM 128, LSTM 64, 48 steps x 1", "{\"layers\":[{\"type\":\"lstm\",\"units\":128},"
	"{\"type\":\"lstm\",\"units\":64},{\"type\":\"dense\"}],\"batch_size\":32,\"epochs\":2", 1, 48, 1, 2000},
	{"d: GRU 100, 12 steps x 207", "{\"layers\":[{\"type\":\"gru\",\"units\":100},{\"type\":\"dense\"}],"
	"\"batch_size\":32,\"epochs\":2", 207, 12, 1, 2016},
	{"f: LSTM 2 x 40, 96 steps, Gaussian", "{\"layers\":[{\"type\":\"lstm\",\"units\":40},"
	"{\"type\":\"lstm\",\"units\":40},{\"type\":\"dense\"}],\"loss\":\"gaussian\",\"batch_size\":64,"
	"\"epochs\":2", 1, 96, 1, 3200}
};

static uint64_t allocations;

static void *
bench_alloc(void *host, size_t size)
{
	void	   *memory = aligned_alloc(64, (size + 63) / 64 * 64);

	(void) host;
	allocations++;
	if (memory == NULL)
		exit(2);
	return memset(memory, 0, size);
}

static void
bench_poll(void *host)
{
	(void) host;
}

static void
bench_fail(void *host, NnCode code, const char *message, const char *hint)
{
	(void) host;
	(void) code;
	fprintf(stderr, "%s\n%s\n", message, hint ? hint : "");
	exit(1);
}

static double
now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (double) t.tv_sec + 1e-9 * (double) t.tv_nsec;
}

static NnData *
data_make(const NnEnv *env, const NnSpec *spec, uint32_t rows)
{
	NnSeries   *series = NN_NEW(env, NnSeries);
	uint32_t   *first = NN_NEW_ARRAY(env, uint32_t, 2);
	const char **names = NN_NEW_ARRAY(env, const char *, spec->ntargets + spec->npast);
	static const char *const name[] = {""};

	first[1] = rows;
	series->nseries = 1;
	series->C = spec->ntargets + spec->npast;
	series->first = first;
	series->history = first + 1;
	series->name = name;
	series->value = NN_NEW_ARRAY(env, double, (size_t) rows * series->C);
	for (size_t i = 0; i < (size_t) rows * series->C; i++)
		series->value[i] = sin(0.1 * (double) i) + 0.1 * cos((double) (i * i % 1001));
	for (uint32_t c = 0; c < series->C; c++)
		names[c] = "x";
	series->column = names;
	return nn_data_prepare(env, spec, nn_prep_fit(env, spec, series, first + 1), series,
						   NN_NEW_ARRAY(env, uint32_t, 1));
}

/* Multiply-adds count as two; forward, and twice that for backward. */
static double
flops_of(const NnPlan *plan)
{
	double		sum = 0;

	for (uint32_t i = NN_LAYER_FIRST; i < plan->nlayers; i++)
		for (uint32_t k = 0; k < plan->layer[i].ntensors; k++)
		{
			const NnTensor *tensor = &plan->tensor[plan->layer[i].first_tensor + k];

			if (tensor->ndim == 2)
				sum += 6.0 * (double) tensor->span.count * plan->layer[i].in.T;
		}
	return sum;
}

static void
job_run(const NnEnv *env, const Job *job, const char *kernels)
{
	char		text[1024];
	NnSpec		spec;
	NnPlan	   *plan;
	NnWindow   *windows;
	NnTrainer  *trainer;
	uint64_t	before;
	double		start,
				rate;
	uint32_t	n = job->windows;

	snprintf(text, sizeof(text), "%s,\"validation_split\":0,\"patience\":0}", job->options);
	nn_spec_parse(env, nn_json_parse(env, text, strlen(text), "options", NN_BAD_VALUE), &spec);
	spec.context = job->context;
	spec.horizon = job->horizon;
	spec.npast = job->C - 1;
	plan = nn_plan_build(env, &spec, nn_kernels_get(kernels), nn_tile_lanes(spec.batch_size));
	windows = NN_NEW_ARRAY(env, NnWindow, n);
	for (uint32_t i = 0; i < n; i++)
		windows[i].origin = job->context - 1 + i;
	trainer = nn_trainer_create(env, &spec, plan, nn_kernels_get(kernels),
								data_make(env, &spec, n + job->context + job->horizon), windows,
								n, NULL, 0);
	before = allocations;
	start = now();
	nn_trainer_run(trainer);
	rate = n * spec.epochs / (now() - start);
	printf("%-36s %-8s %9.0f windows/s  %6.1f GFLOP/s  allocations in epochs: %llu  loss %.5f\n",
		   job->name, nn_kernels_get(kernels)->name, rate, 1e-9 * rate * flops_of(plan),
		   (unsigned long long) (allocations - before), trainer->report.train_loss);
}

int
main(int argc, char **argv)
{
	NnEnv		env = {.alloc = bench_alloc, .poll = bench_poll, .fail = bench_fail,
	.max_memory = (size_t) 4 << 30};
	const char *kernels = argc > 1 ? argv[1] : "auto";
	uint32_t	control = nn_denormals_flush();

	for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++)
		job_run(&env, &jobs[i], kernels);
	nn_denormals_restore(control);
	return 0;
}
