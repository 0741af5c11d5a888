/*
 * bench_jobs.c
 *		The jobs that are measured: networks of usual shapes on made-up series.
 *
 * Series are sums of a slow wave and noise, so that there is something to learn
 * and a wrong gradient shows in the loss.
 */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "bench_jobs.h"
#include "core/nn_rng.h"
#include "core/nn_tile.h"

#define LSTM_50 "{\"type\":\"lstm\",\"units\":50},{\"type\":\"dense\"}"

const JobShape job_shapes[] = {
	{"a", "LSTM 50, 1 step x 8, batch 72", LSTM_50, "mae", 1, 8, 1, 1, 72, 8760, 4, 0, false, 0, 0},
	{"b", "LSTM 50, 24 steps x 8, batch 72", LSTM_50, "mae", 1, 8, 24, 1, 72, 8760, 1, 0, false, 0, 0},
	{"c", "LSTM 128, LSTM 64, 48 steps x 1, batch 32",
		"{\"type\":\"lstm\",\"units\":128},{\"type\":\"lstm\",\"units\":64},{\"type\":\"dense\"}",
	"mse", 1, 1, 48, 1, 32, 2000, 1, 0, false, 0, 0},
	{"d", "GRU 100, 12 steps x 207, 621 outputs, batch 32",
		"{\"type\":\"gru\",\"units\":100},{\"type\":\"dense\"}",
	"mse", 207, 207, 12, 3, 32, 2016, 1, 0, false, 0, 0},
	{"e", "ConvLSTM 32, 3 x 3, grid of 16 x 8, 8 steps x 2, batch 32",
		"{\"type\":\"conv_lstm\",\"units\":32},{\"type\":\"dense\"}",
	"mse", 2, 2, 8, 1, 32, 512, 1, 0, false, 16, 8},
	{"f", "LSTM 2 x 40, 96 steps x 25, Gaussian, batch 64",
		"{\"type\":\"lstm\",\"units\":40},{\"type\":\"lstm\",\"units\":40},{\"type\":\"dense\"}",
	"gaussian", 1, 25, 96, 1, 64, 1600, 1, 0, false, 0, 0},
	{"g1", "forecast of 24 steps, LSTM 50, context 48, 1 series", LSTM_50, "mae", 1, 1, 48, 1, 32,
	1, 200, 24, true, 0, 0},
	{"g2", "the same, 10,000 series", LSTM_50, "mae", 1, 1, 48, 1, 32, 10000, 1, 24, true, 0, 0},
	{"g3", "the same, 2,000 series, window sliding", LSTM_50, "mae", 1, 1, 48, 1, 32, 2000, 1, 24,
	false, 0, 0},
	/* Behind the forecasts: it takes seconds, so the profile goes without it. */
	{"e64", "ConvLSTM 32, 3 x 3, grid of 64 x 64, 12 steps x 1, batch 16",
		"{\"type\":\"conv_lstm\",\"units\":32},{\"type\":\"dense\"}",
	"mse", 1, 1, 12, 1, 16, 32, 1, 0, false, 64, 64}
};

const uint32_t job_count = sizeof(job_shapes) / sizeof(job_shapes[0]);

const JobShape *
job_find(const char *name)
{
	for (uint32_t i = 0; i < job_count; i++)
		if (strcmp(job_shapes[i].name, name) == 0)
			return &job_shapes[i];
	fprintf(stderr, "no job \"%s\"\n", name);
	exit(2);
}

static void
spec_make(const NnEnv *env, const JobShape *shape, NnSpec *spec)
{
	char	   *text = nn_format(env, "{\"layers\":[%s],\"loss\":\"%s\",\"batch_size\":%u,"
								 "\"epochs\":%u,\"validation_split\":0,\"patience\":0,"
								 "\"scaling\":\"none\"}", shape->layers, shape->loss,
								 shape->batch, shape->epochs);

	nn_spec_parse(env, nn_json_parse(env, text, strlen(text), "options", NN_BAD_VALUE), spec);
	spec->context = shape->context;
	spec->horizon = spec->forecast_horizon = shape->horizon;
	spec->ntargets = shape->targets;
	spec->npast = shape->columns - shape->targets;
	spec->stateful = shape->stateful;
	spec->nsites = shape->rows > 0 ? shape->rows * shape->cols : 1;
	spec->grid_rows = shape->rows;
}

/*
 * One long series for training, or one in each cell; for forecasts as many as windows,
 * one context long.
 */
static NnSeries *
series_make(const NnEnv *env, const JobShape *shape)
{
	uint32_t	n = shape->steps > 0 ? shape->windows : shape->rows > 0 ? shape->rows * shape->cols : 1,
				rows = shape->steps > 0 ? shape->context :
		shape->windows + shape->context + shape->horizon - 1;
	NnSeries   *series = NN_NEW(env, NnSeries);
	uint32_t   *first = NN_NEW_ARRAY(env, uint32_t, (size_t) n + 1),
			   *history = NN_NEW_ARRAY(env, uint32_t, n);
	const char **names = NN_NEW_ARRAY(env, const char *, n > shape->columns ? n : shape->columns);
	size_t		cells = (size_t) n * rows * shape->columns;

	for (uint32_t s = 0; s < n; s++)
	{
		first[s] = s * rows;
		history[s] = rows;
	}
	first[n] = n * rows;
	for (uint32_t i = 0; i < n || i < shape->columns; i++)
		names[i] = "x";
	series->nseries = n;
	series->C = shape->columns;
	series->first = first;
	series->history = history;
	series->name = series->column = names;
	series->value = NN_NEW_ARRAY(env, double, cells);
	for (size_t i = 0; i < cells; i++)
	{
		double		t = (double) (i / shape->columns),
					c = (double) (i % shape->columns);

		series->value[i] = 0.5 + 0.4 * sin(t * (0.05 + 0.0003 * c) + c) +
			0.1 * (double) nn_rng_unit(1, 2, 3, i);
	}
	return series;
}

static void
data_make(const NnEnv *env, Job *job)
{
	const JobShape *shape = job->shape;
	NnSeries   *series = series_make(env, shape);
	NnPrep	   *prep = nn_prep_fit(env, &job->spec, series, series->history);

	job->data = nn_data_prepare(env, &job->spec, prep, series,
								NN_NEW_ARRAY(env, uint32_t, series->nseries));
	job->windows = NN_NEW_ARRAY(env, NnWindow, shape->windows);
	for (uint32_t i = 0; i < shape->windows; i++)
	{
		if (shape->steps > 0)
			job->windows[i] = (NnWindow) {i, (i + 1) * shape->context - 1};
		else
			job->windows[i] = (NnWindow) {0, shape->context - 1 + i};
	}
}

Job *
job_create(const NnEnv *env, const JobShape *shape, const NnKernels *kernels)
{
	Job		   *job = NN_NEW(env, Job);
	uint32_t	lanes = nn_tile_lanes(shape->steps > 0 ? shape->windows : shape->batch);

	job->shape = shape;
	job->kernels = kernels;
	spec_make(env, shape, &job->spec);
	data_make(env, job);
	job->plan = nn_plan_build(env, &job->spec, kernels, lanes);
	if (shape->steps == 0)
	{
		job->trainer = nn_trainer_create(env, &job->spec, job->plan, kernels, job->data,
										 job->windows, shape->windows, NULL, 0);
		job->params = job->trainer->params;
		return job;
	}
	job->params = NN_NEW_ARRAY(env, nn_real, job->plan->nparams);
	nn_params_init(env, job->plan, job->spec.seed, job->params);
	job->forecaster = nn_forecaster_create(env, &job->spec, kernels, job->params, shape->windows,
										   shape->steps, 1);
	job->point = NN_NEW_ARRAY(env, double, (size_t) shape->windows * shape->steps);
	return job;
}

double
job_run(Job *job)
{
	const JobShape *shape = job->shape;

	if (job->trainer)
	{
		nn_trainer_run(job->trainer);
		return job->trainer->report.train_loss;
	}
	for (uint32_t i = 0; i < shape->epochs; i++)
		nn_forecast(job->forecaster, job->data, job->windows, shape->windows, shape->steps, NULL, 0,
					job->point, NULL, NULL);
	return 0;
}

double
job_windows(const JobShape *shape)
{
	return (double) shape->windows * shape->epochs;
}

/* Of one layer in one step, all sites: its products with the input and with its own state. */
static void
layer_flops(const NnPlan *plan, const NnLayer *layer, double *input, double *state)
{
	*input = *state = 0;
	for (uint32_t i = 0; i < layer->ntensors; i++)
	{
		const NnTensor *tensor = &plan->tensor[layer->first_tensor + i];

		if (tensor->ndim == 2 && strstr(tensor->name, ".weight_hh") != NULL)
			*state += 2.0 * (double) tensor->span.count * layer->out.S;
		else if (tensor->ndim == 2)
			*input += 2.0 * (double) tensor->span.count * layer->out.S;
	}
}

double
job_flops(const Job *job)
{
	double		sum = 0;

	for (uint32_t i = job->plan->first_layer; i < job->plan->nlayers; i++)
	{
		const NnLayer *layer = &job->plan->layer[i];
		double		input,
					state,
					steps = layer->in.T;

		layer_flops(job->plan, layer, &input, &state);
		if (job->trainer)
			sum += steps * input * (layer->input[0] >= job->plan->first_layer ? 3 : 2) +
				(steps - 1) * state * 3;
		else if (state > 0 && job->shape->stateful)	/* the context, then each step fed back */
			sum += (steps + job->shape->steps - 1) * input + (steps + job->shape->steps - 2) * state;
		else
			sum += job->shape->steps * (steps * input + (steps - 1) * state);
	}
	return sum;
}

static void
orders_write(const NnEnv *env, const Job *job, FILE *file)
{
	uint32_t	n = job->shape->windows;
	uint32_t   *order = NN_NEW_ARRAY(env, uint32_t, n);

	for (uint32_t epoch = 0; epoch < job->shape->epochs; epoch++)
	{
		for (uint32_t i = 0; i < n; i++)
			order[i] = i;
		nn_rng_shuffle(job->spec.seed, NN_STREAM_ORDER, epoch, order, n);
		fwrite(order, sizeof(uint32_t), n, file);
	}
}

void
job_write(const NnEnv *env, const Job *job, FILE *file)
{
	const JobShape *shape = job->shape;
	const NnPlan *plan = job->plan;
	uint32_t	rows = job->data->series->first[job->data->series->nseries],
				orders = job->trainer ? shape->epochs : 0;

	fprintf(file, "loss %s\nbatch %u\ncontext %u\nhorizon %u\nsteps %u\nstateful %d\n"
			"rows %u\ncols %u\nrepeat %u\n"
			"learning_rate %.17g\nepsilon %.17g\n", shape->loss, shape->batch, shape->context,
			shape->horizon, shape->steps, shape->stateful, shape->rows, shape->cols, shape->epochs,
			job->spec.learning_rate, job->spec.epsilon);
	fprintf(file, "array x float32 %u %u\narray y float32 %u %u\narray origin uint32 %u\n"
			"array order uint32 %u %u\n", rows, job->data->C, rows, shape->targets,
			shape->windows, orders, shape->windows);
	for (uint32_t i = 0; i < plan->ntensors; i++)
	{
		const NnTensor *tensor = &plan->tensor[i];

		fprintf(file, "array %s float32", tensor->name);
		for (uint32_t k = 0; k < tensor->ndim; k++)
			fprintf(file, " %u", tensor->dim[k]);
		fprintf(file, "\n");
	}
	fprintf(file, "\n");
	fwrite(job->data->x, sizeof(nn_real), (size_t) rows * job->data->C, file);
	fwrite(job->data->y, sizeof(nn_real), (size_t) rows * shape->targets, file);
	for (uint32_t i = 0; i < shape->windows; i++)
		fwrite(&job->windows[i].origin, sizeof(uint32_t), 1, file);
	if (job->trainer)
		orders_write(env, job, file);
	for (uint32_t i = 0; i < plan->ntensors; i++)
		fwrite(job->params + plan->tensor[i].span.offset, sizeof(nn_real),
			   plan->tensor[i].span.count, file);
}
