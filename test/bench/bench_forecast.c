/*
 * bench_forecast.c
 *		How fast the core forecasts: one series at a time, and ten thousand at once.
 *
 * Each job is a forecast over 24 steps, most of them recursive.  Prints the latency of one
 * series (median and 99th percentile of 10,000 calls), the rate of many in
 * processor time, the latency of calls of two to sixteen series, and the number of
 * allocations during all of it.
 *
 *		bench_forecast [KERNELS [all|first]]
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bench.h"
#include "core/nn_forecast.h"

#define STEPS 24
#define CALLS 10000
#define SERIES 10000
#define REPEATS 3

typedef struct Job
{
	const char *name, *options;
	uint32_t	context, trained;
} Job;

#define LSTM(units) "\"layers\":[{\"type\":\"lstm\",\"units\":" #units "},{\"type\":\"dense\"}]"
#define GRU "{\"type\":\"gru\",\"units\":64}"

static const Job jobs[] = {
	{"g: LSTM 50, context 48, 24 x 1 step", "{\"stateful\":true," LSTM(50) "}", 48, 1},
	{"the same, window sliding", "{" LSTM(50) "}", 48, 1},
	{"the same, 24 steps at once", "{" LSTM(50) "}", 48, 24},
	{"GRU 64 x 2, residual, context 48, 4 x 6", "{\"stateful\":true,\"layers\":[" GRU "," GRU ","
	"{\"type\":\"dense\"},{\"type\":\"residual\"}]}", 48, 6},
	{"LSTM 128, context 96, 24 x 1 step", "{\"stateful\":true," LSTM(128) "}", 96, 1},
};

static int
compare(const void *a, const void *b)
{
	double		x = *(const double *) a,
				y = *(const double *) b;

	return (x > y) - (x < y);
}

/* SERIES series of just one context each. */
static NnData *
data_make(const NnEnv *env, const NnSpec *spec)
{
	NnSeries   *series = NN_NEW(env, NnSeries);
	uint32_t   *first = NN_NEW_ARRAY(env, uint32_t, SERIES + 1),
			   *history = NN_NEW_ARRAY(env, uint32_t, SERIES);
	const char **name = NN_NEW_ARRAY(env, const char *, SERIES);
	static const char *const column[] = {"x"};

	for (uint32_t s = 0; s < SERIES; s++)
	{
		history[s] = spec->context;
		first[s + 1] = first[s] + spec->context;
		name[s] = "";
	}
	series->nseries = SERIES;
	series->C = 1;
	series->first = first;
	series->history = history;
	series->name = name;
	series->column = column;
	series->value = NN_NEW_ARRAY(env, double, first[SERIES]);
	for (size_t i = 0; i < first[SERIES]; i++)
		series->value[i] = sin(0.1 * (double) i) + 0.1 * cos((double) (i * i % 1001));
	return nn_data_prepare(env, spec, nn_prep_fit(env, spec, series, history), series,
						   NN_NEW_ARRAY(env, uint32_t, SERIES));
}

/* Seconds per call of n windows: the median, and the 99th percentile. */
static double
latency(NnForecaster *forecaster, const NnData *data, const NnWindow *windows, uint32_t n,
		uint32_t calls, double *point, double *worst)
{
	static double seconds[CALLS];

	for (uint32_t i = 0; i < calls; i++)
	{
		double		start = bench_wall();

		nn_forecast(forecaster, data, windows + i % (SERIES - n + 1), n, STEPS, NULL, 0, point, NULL, NULL);
		seconds[i] = bench_wall() - start;
	}
	qsort(seconds, calls, sizeof(double), compare);
	if (worst != NULL)
		*worst = seconds[calls * 99 / 100];
	return seconds[calls / 2];
}

/* Seconds of processor time for all series, the median of REPEATS calls. */
static double
batch_seconds(NnForecaster *forecaster, const NnData *data, const NnWindow *windows, double *point)
{
	double		seconds[REPEATS];

	for (int i = 0; i < REPEATS; i++)
	{
		double		start = bench_cpu();

		nn_forecast(forecaster, data, windows, SERIES, STEPS, NULL, 0, point, NULL, NULL);
		seconds[i] = bench_cpu() - start;
	}
	qsort(seconds, REPEATS, sizeof(double), compare);
	return seconds[REPEATS / 2];
}

static void
job_run(const NnEnv *env, const BenchHost *host, const Job *job, const NnKernels *kernels)
{
	NnSpec		spec;
	NnData	   *data;
	NnWindow   *windows = NN_NEW_ARRAY(env, NnWindow, SERIES);
	NnForecaster *one,
			   *many,
			   *few[4];
	nn_real    *params;
	double	   *point = NN_NEW_ARRAY(env, double, SERIES * STEPS),
				median,
				worst,
				sum = 0;
	uint64_t	before;
	const NnPlan *plan;

	nn_spec_parse(env, nn_json_parse(env, job->options, strlen(job->options), "options",
									 NN_BAD_VALUE), &spec);
	spec.context = job->context;
	spec.horizon = spec.forecast_horizon = job->trained;
	nn_spec_expand(env, &spec);
	data = data_make(env, &spec);
	for (uint32_t s = 0; s < SERIES; s++)
		windows[s] = (NnWindow) {s, (s + 1) * job->context - 1};
	plan = nn_plan_build(env, &spec, kernels, NN_LANES);
	params = NN_NEW_ARRAY(env, nn_real, plan->nparams);
	nn_params_init(env, plan, 1, params);
	one = nn_forecaster_create(env, &spec, kernels, params, 1, STEPS, 1);
	many = nn_forecaster_create(env, &spec, kernels, params, SERIES, STEPS, 1);
	for (uint32_t i = 0; i < 4; i++)
		few[i] = nn_forecaster_create(env, &spec, kernels, params, 2 << i, STEPS, 1);

	before = host->allocations;
	latency(one, data, windows, 1, CALLS / 10, point, NULL);
	median = latency(one, data, windows, 1, CALLS, point, &worst);
	printf("%-40s %s\n  one series:    median %7.1f us, 99th percentile %7.1f us\n", job->name,
		   kernels->name, 1e6 * median, 1e6 * worst);
	median = batch_seconds(many, data, windows, point);
	printf("  10,000 series: %9.0f series/s\n  median of calls of", SERIES / median);
	for (uint32_t i = 0; i < 4; i++)
		printf(" %u: %.1f us", 2 << i, 1e6 * latency(few[i], data, windows, 2 << i, CALLS / 50, point, NULL));
	for (uint32_t i = 0; i < SERIES * STEPS; i++)
		sum += point[i];
	printf("\n  allocations in calls: %llu, sum of forecasts %.6f\n",
		   (unsigned long long) (host->allocations - before), sum);
}

int
main(int argc, char **argv)
{
	BenchHost	host = {0};
	NnEnv		env = bench_env(&host);
	const NnKernels *kernels = nn_kernels_get(argc > 1 ? argv[1] : "auto");
	uint32_t	control = nn_denormals_flush();

	if (kernels == NULL)
	{
		fprintf(stderr, "no such kernels here: %s\n", argv[1]);
		return 1;
	}
	for (size_t i = 0; i < (argc > 2 && argv[2][0] == 'f' ? 1 : sizeof(jobs) / sizeof(jobs[0])); i++)
		job_run(&env, &host, &jobs[i], kernels);
	nn_denormals_restore(control);
	return 0;
}
