/*
 * robustness.c
 *		lstm.robustness: how much worse a model gets when its input does.
 *
 * Each window's context is changed by itself, what came after it is not, and the
 * errors of the forecasts are compared with those of the windows as they are.  Where
 * several series are forecast together, all of them are changed, each in its own way, and
 * the attack is on the sum of their errors.
 * Changes are in scales: what the model learned to divide a column by.  Costs two
 * forecasts of each window for each kind of change, and a gradient.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "core/nn_explain.h"
#include "core/nn_rng.h"
#include "core/nn_tile.h"
#include "pg/env.h"
#include "pg/probe.h"

PG_FUNCTION_INFO_V1(lstm_robustness);

enum
{
	ARG_MODEL, ARG_SOURCE, ARG_HORIZON, ARG_STRIDE, ARG_SEED, ARG_VERSION
};

#define RESULT_COLUMNS 7

/* Of the rows of a context, the share that a spike hits, and how far it goes. */
#define SPIKE_SHARE		0.05

typedef enum Kind
{
	KIND_CLEAN, KIND_NOISE, KIND_MISSING, KIND_SHIFT, KIND_SPIKES, KIND_GRADIENT
} Kind;

typedef struct Perturbation
{
	const char *name;
	Kind		kind;
	double		strength;
} Perturbation;

static const Perturbation perturbations[] = {
	{"clean", KIND_CLEAN, 0},
	{"noise", KIND_NOISE, 0.1},
	{"noise", KIND_NOISE, 0.3},
	{"missing_block", KIND_MISSING, 0.1},
	{"missing_block", KIND_MISSING, 0.3},
	{"level_shift", KIND_SHIFT, 1},
	{"spikes", KIND_SPIKES, 5},
	{"gradient_sign", KIND_GRADIENT, 0.05},
	{"gradient_sign", KIND_GRADIENT, 0.1},
	{"gradient_sign", KIND_GRADIENT, 0.2}
};

typedef struct Robustness
{
	Probe	   *probe;
	uint64		seed;
	const Perturbation *now;
	uint32		number;			/* of it */
	double	   *gradient;		/* [n][context][channels] of the error */
} Robustness;

/*
 * One window's context, padding left out: rows [rows] of C columns, of which the first columns
 * are changed.
 */
typedef struct Context
{
	const Robustness *r;
	uint32		i;				/* number of the window */
	uint32		group;
	uint32		rows, C, columns;
	double	   *value;			/* [rows][C] */
} Context;

static double
random_unit(const Context *context, uint64 index)
{
	return (double) nn_rng_unit(context->r->seed, PROBE_STREAM + 1 + context->r->number,
								context->i, index);
}

/* Moves the value of a row by so many scales. */
static void
value_move(const Context *context, uint32 t, uint32 c, double share)
{
	double	   *value = &context->value[(size_t) t * context->C + c];

	*value = probe_move(context->r->probe->run, context->group, c, *value, share);
}

static void
noise_add(const Context *context)
{
	for (uint32 t = 0; t < context->rows; t++)
		for (uint32 c = 0; c < context->columns; c++)
			value_move(context, t, c, context->r->now->strength *
					   nn_rng_normal(context->r->seed, PROBE_STREAM + 1 + context->r->number,
									 context->i, (uint64) t * context->columns + c));
}

static void
block_remove(const Context *context)
{
	uint32		length = (uint32) ceil(context->r->now->strength * context->rows),
				begin = (uint32) (random_unit(context, 0) * (context->rows - length + 1));

	for (uint32 t = begin; t < begin + length; t++)
		for (uint32 c = 0; c < context->columns; c++)
			context->value[(size_t) t * context->C + c] = NAN;
}

/* The newer half of the targets stands too high. */
static void
level_shift(const Context *context)
{
	for (uint32 t = context->rows / 2; t < context->rows; t++)
		for (uint32 c = 0; c < context->r->probe->run->model->spec.ntargets; c++)
			value_move(context, t, c, context->r->now->strength);
}

static void
spikes_add(const Context *context)
{
	uint32		n = (uint32) ceil(SPIKE_SHARE * context->rows);

	for (uint32 c = 0; c < context->r->probe->run->model->spec.ntargets; c++)
		for (uint32 j = 0; j < n; j++)
		{
			uint64		index = ((uint64) c * n + j) * 2;

			value_move(context, (uint32) (random_unit(context, index) * context->rows), c,
					   random_unit(context, index + 1) < 0.5 ? context->r->now->strength :
					   -context->r->now->strength);
		}
}

/*
 * Each value goes by strength scales to where the error grows.  A differenced target
 * moves the difference of its own row one way and that of a later row the other.
 */
static void
gradient_follow(const Context *context)
{
	const NnSpec *spec = &context->r->probe->run->model->spec;
	uint32		channels = nn_spec_channels(spec);
	const double *gradient = context->r->gradient +
		((size_t) (context->i + 1) * spec->context - context->rows) * channels;

	for (uint32 t = 0; t < context->rows; t++)
		for (uint32 c = 0; c < context->columns; c++)
		{
			double		slope = gradient[(size_t) t * channels + c];

			if (c < spec->ntargets && spec->difference > 0 &&
				t + spec->difference < context->rows)
				slope -= gradient[(size_t) (t + spec->difference) * channels + c];
			if (slope != 0)
				value_move(context, t, c, copysign(context->r->now->strength, slope));
		}
}

static void
windows_change(void *host, const Probe *probe, NnSeries *series)
{
	const Robustness *r = host;
	const NnSpec *spec = &probe->run->model->spec;

	for (uint32 i = 0; i < probe->n; i++)
	{
		uint32		begin = probe_context_begin(probe, i);
		Context		context = {r, i, probe->run->prepared->group[probe->origin[i].series],
			probe->window[i].origin + 1 - begin, series->C, spec->ntargets + spec->npast,
		series->value + (size_t) begin * series->C};

		CHECK_FOR_INTERRUPTS();
		switch (r->now->kind)
		{
			case KIND_CLEAN:
				break;
			case KIND_NOISE:
				noise_add(&context);
				break;
			case KIND_MISSING:
				block_remove(&context);
				break;
			case KIND_SHIFT:
				level_shift(&context);
				break;
			case KIND_SPIKES:
				spikes_add(&context);
				break;
			case KIND_GRADIENT:
				gradient_follow(&context);
				break;
		}
	}
}

/*
 * Gradient of each window's error with respect to its context: that of the mean of the
 * networks.  Weights are the signs of the errors of the windows as they are, one scale
 * of each target counting the same.
 */
static void
gradient_compute(Robustness *r)
{
	const Probe *probe = r->probe;
	const ModelRun *run = probe->run;
	const NnSpec *spec = &run->model->spec;
	uint32		G = spec->ntargets;
	size_t		values = (size_t) spec->horizon * G,
				inputs = nn_size_mul(run->env, spec->context, nn_spec_channels(spec));
	double	   *weight = NN_NEW_ARRAY(run->env, double, nn_size_mul(run->env, probe->n, values));
	NnExplainer *explainer = nn_explainer_create(run->env, run->model, env_kernels(), probe->n);
	uint32		control;

	r->gradient = NN_NEW_ARRAY(run->env, double, nn_size_mul(run->env, probe->n, inputs));
	for (uint32 i = 0; i < probe->n; i++)
		for (uint32 h = 0; h < Min(spec->horizon, probe->horizon); h++)
			for (uint32 k = 0; k < G; k++)
			{
				size_t		at = ((size_t) i * probe->horizon + h) * G + k;
				double		error = probe->point[at] - probe->actual[at];

				if (!isnan(error))
					weight[i * values + h * G + k] =
						(error < 0 ? -1 : 1) / probe->scale[(size_t) i * G + k];
			}
	control = compute_begin();
	PG_TRY();
	{
		nn_explain_past(explainer, run->prepared, probe->origin, probe->n, weight, r->gradient);
	}
	PG_FINALLY();
	{
		compute_end(control);
	}
	PG_END_TRY();
}

typedef struct Errors
{
	uint64		n;
	double		mae, rmse;
} Errors;

static Errors
errors_of(const Probe *probe, uint32 k)
{
	uint32		G = probe->run->model->spec.ntargets;
	Errors		e = {0, 0, 0};
	double		absolute = 0,
				square = 0;

	for (size_t v = k; v < (size_t) probe->n * probe->horizon * G; v += G)
	{
		double		error = probe->actual[v] - probe->point[v];

		if (isnan(error))
			continue;
		e.n++;
		absolute += fabs(error);
		square += error * error;
	}
	e.mae = e.n > 0 ? absolute / e.n : NAN;
	e.rmse = e.n > 0 ? sqrt(square / e.n) : NAN;
	return e;
}

/* One row per target; clean [ntargets] are the errors to compare with. */
static void
errors_put(const Robustness *r, ReturnSetInfo *rsinfo, bool applies, Errors *clean)
{
	const ModelRun *run = r->probe->run;

	for (uint32 k = 0; k < run->model->spec.ntargets; k++)
	{
		Errors		e = {0, NAN, NAN};
		Datum		values[RESULT_COLUMNS];
		bool		nulls[RESULT_COLUMNS] = {false};

		if (applies)
			e = errors_of(r->probe, k);
		if (r->now->kind == KIND_CLEAN)
			clean[k] = e;
		values[0] = CStringGetTextDatum(run->roles.target[k]);
		values[1] = CStringGetTextDatum(r->now->name);
		values[2] = Float8GetDatum(r->now->strength);
		values[3] = Int64GetDatum((int64) e.n);
		result_float(e.mae, &values[4], &nulls[4]);
		result_float(e.rmse, &values[5], &nulls[5]);
		result_float(clean[k].mae > 0 ? e.mae / clean[k].mae : NAN, &values[6], &nulls[6]);
		result_put(rsinfo, values, nulls);
	}
}

Datum
lstm_robustness(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = result_begin(fcinfo);
	CallMemory	memory = call_memory_begin();
	char	   *name = argument_text_required(fcinfo, ARG_MODEL, "model");
	uint32		horizon = argument_steps(fcinfo, ARG_HORIZON, "horizon", 0),
				stride = argument_steps(fcinfo, ARG_STRIDE, "stride", 0);
	ModelRun   *run = model_run_open(name, argument_version(fcinfo, ARG_VERSION),
									 argument_text(fcinfo, ARG_SOURCE), NULL, NULL, horizon);
	Robustness	r = {.seed = probe_seed(fcinfo, ARG_SEED)};
	Errors	   *clean = NN_NEW_ARRAY(run->env, Errors, run->model->spec.ntargets);

	r.probe = probe_create(run, probe_horizon(run, horizon), stride, PG_UINT32_MAX);
	for (r.number = 0; r.number < lengthof(perturbations); r.number++)
	{
		bool		applies;

		r.now = &perturbations[r.number];
		/* A model that refuses gaps has no error with them. */
		applies = r.now->kind != KIND_MISSING || run->model->spec.missing != NN_MISSING_ERROR;
		if (r.now->kind == KIND_GRADIENT && r.gradient == NULL)
		{
			probe_forecast(r.probe, NULL, NULL);
			gradient_compute(&r);
		}
		if (applies)
			probe_forecast(r.probe, windows_change, &r);
		errors_put(&r, rsinfo, applies, clean);
	}
	call_memory_end(memory);
	return (Datum) 0;
}
