/*
 * permutation.c
 *		Which inputs a model's errors need.
 *
 * Permutation importance (Breiman 2001; Fisher, Rudin and Dominici 2019): an input's
 * values are given to other windows than their own; how much the error grows says how
 * much the forecasts rest on them.  An input is taken whole (mean of REPEATS shuffles),
 * then a block of lags at a time: 1, 2, 3 to 4, 5 to 8, ..., and the rows ahead of the
 * origin of what is known there.  Inputs that tell the same thing stand in for each
 * other, so that neither may look important.
 *
 * Values move on the scaled axis: a series of small numbers gets another's shape, not
 * its size.  Under differencing a target keeps its level at the origin.
 */
#include "postgres.h"

#include "miscadmin.h"

#include <float.h>
#include <math.h>

#include "miscadmin.h"

#include "core/nn_rng.h"
#include "pg/explain.h"

/* Shuffles of a whole input. */
#define REPEATS 3

typedef struct Permutation
{
	const Explain *e;
	Probe	   *probe;
	double	   *clean;			/* [ntargets] mean absolute error in scales */
	double	   *error;			/* [ntargets] likewise, after a shuffle */
	uint32_t   *order;			/* [n] whose values window i gets */

	/* What is shuffled now: an input's rows of lags newest to oldest. */
	const ExplainInput *input;
	int64		newest, oldest;
} Permutation;

/* Mean absolute error of target k in its scales. */
static void
errors_compute(const Probe *probe, double *error)
{
	uint32		G = probe->run->model->spec.ntargets;

	for (uint32 k = 0; k < G; k++)
	{
		double		sum = 0;
		uint64		n = 0;

		for (uint32 i = 0; i < probe->n; i++)
			for (uint32 h = 0; h < probe->horizon; h++)
			{
				size_t		at = ((size_t) i * probe->horizon + h) * G + k;
				double		e = fabs(probe->actual[at] - probe->point[at]);

				if (isnan(e))
					continue;
				sum += e / probe->scale[(size_t) i * G + k];
				n++;
			}
		error[k] = n > 0 ? sum / n : NAN;
	}
}

/* What the values of a column are measured from: the model's centre, or the last known level. */
typedef struct Axis
{
	double		from, scale;
	bool		log;
} Axis;

static Axis
axis_of(const Permutation *p, uint32 i, uint32 c)
{
	const ModelRun *run = p->probe->run;
	const NnSpec *spec = &run->model->spec;
	const NnPrep *prep = run->model->prep;
	const NnSeries *series = p->probe->series;
	size_t		at = (size_t) run->prepared->group[p->probe->origin[i].series] * prep->C + c;
	Axis		axis = {prep->center[at], prep->scale[at], false};

	if (c >= prep->C - nn_future_made(spec))
		return (Axis) {0, 1, false};
	axis.log = spec->scaling == NN_SCALING_LOG1P;
	if (c >= spec->ntargets || spec->difference == 0)
		return axis;
	axis.from = 0;
	for (uint32 row = p->probe->window[i].origin + 1; row-- > series->first[i];)
	{
		double		value = series->value[(size_t) row * series->C + c];

		if (isnan(value))
			continue;
		axis.from = axis.log ? log1p(value) : value;
		break;
	}
	return axis;
}

/* value of one axis at the same place of another; NaN stays. */
static double
axis_move(const Axis *from, const Axis *to, double value)
{
	if (from->log)
		value = log1p(value);
	value = to->from + (value - from->from) / from->scale * to->scale;
	if (to->log)
		value = Max(expm1(value), -1 + 1e-9);
	return isinf(value) ? copysign(DBL_MAX, value) : value;
}

/* Channel c of window i gets the values of window j, where both have the row. */
static void
channel_take(const Permutation *p, NnSeries *to, uint32 i, uint32 j, uint32 c)
{
	const NnSeries *from = p->probe->series;
	Axis		axis_from = axis_of(p, j, c),
				axis_to = axis_of(p, i, c);

	for (int64 lag = p->newest; lag <= p->oldest; lag++)
	{
		int64		row = (int64) p->probe->window[i].origin + 1 - lag,
					other = (int64) p->probe->window[j].origin + 1 - lag;

		if (row >= to->first[i + 1] || other >= from->first[j + 1])
			continue;
		if (row < to->first[i] || other < from->first[j])
			break;
		to->value[(size_t) row * to->C + c] =
			axis_move(&axis_from, &axis_to, from->value[(size_t) other * to->C + c]);
	}
}

static void
input_shuffle(void *host, const Probe *probe, NnSeries *series)
{
	const Permutation *p = host;
	const ExplainInput *input = p->input;
	double	   *statics = (double *) series->statics;

	for (uint32 i = 0; i < probe->n; i++)
		for (uint32 c = input->first; c < input->first + input->n; c++)
		{
			uint32		j = p->order[i];

			CHECK_FOR_INTERRUPTS();
			if (input->statics)
				statics[(size_t) i * series->Cs + c] =
					probe->series->statics[(size_t) j * series->Cs + c];
			else
				channel_take(p, series, i, j, c);
		}
}

/* error[ntargets] after repeats shuffles of an input's lags, on the mean. */
static void
shuffles_run(Permutation *p, const ExplainInput *input, int64 newest, int64 oldest,
			 uint32 repeats)
{
	uint32		G = p->probe->run->model->spec.ntargets;
	double	   *one = palloc0(G * sizeof(double));

	p->input = input;
	p->newest = newest;
	p->oldest = oldest;
	memset(p->error, 0, G * sizeof(double));
	for (uint32 r = 0; r < repeats; r++)
	{
		for (uint32 i = 0; i < p->probe->n; i++)
			p->order[i] = i;
		/* The same shuffles for every input and block: they can be compared. */
		nn_rng_shuffle(p->e->seed, PROBE_STREAM, r, p->order, p->probe->n);
		probe_forecast(p->probe, input_shuffle, p);
		errors_compute(p->probe, one);
		for (uint32 k = 0; k < G; k++)
			p->error[k] += one[k] / repeats;
	}
	pfree(one);
}

static void
rows_put(const Permutation *p, const double *error, const double *share, int64 lag, uint32 lags)
{
	for (uint32 k = 0; k < p->probe->run->model->spec.ntargets; k++)
	{
		ExplainRow	row = explain_row(k);

		if (!explain_wants(p->e, k))
			continue;
		row.series = p->e->series;
		row.input = p->input->name;
		row.lag = lag;
		row.lags = lags;
		row.importance = error[k] - p->clean[k];
		row.share = share ? share[k] : NAN;
		row.value = error[k];
		explain_put(p->e, &row);
	}
}

/* The blocks of lags of one input. */
static void
blocks_run(Permutation *p, const ExplainInput *input)
{
	const NnSpec *spec = &p->probe->run->model->spec;
	uint32		context = spec->context;

	if (input->statics)
		return;
	if (input->first >= spec->ntargets + spec->npast)
	{
		shuffles_run(p, input, 1 - (int64) p->probe->horizon, 0, 1);
		rows_put(p, p->error, NULL, 1 - (int64) p->probe->horizon, p->probe->horizon);
	}
	for (uint32 newest = 1, length = 1; newest <= context; newest += length)
	{
		uint32		oldest;

		if (newest > 2)
			length = newest - 1;
		oldest = Min(newest + length - 1, context);
		shuffles_run(p, input, newest, oldest, 1);
		rows_put(p, p->error, NULL, newest, oldest - newest + 1);
	}
}

/* Shares of the inputs in the sum of what is above 0; error [ninputs][ntargets]. */
static void
shares_compute(const Permutation *p, const double *error, double *share)
{
	uint32		G = p->probe->run->model->spec.ntargets;

	for (uint32 k = 0; k < G; k++)
	{
		double		sum = 0;

		for (uint32 i = 0; i < p->e->ninputs; i++)
			sum += Max(error[i * G + k] - p->clean[k], 0);
		for (uint32 i = 0; i < p->e->ninputs; i++)
			share[i * G + k] = sum > 0 ? Max(error[i * G + k] - p->clean[k], 0) / sum : NAN;
	}
}

void
permutation_run(const Explain *e)
{
	Permutation p = {.e = e,.probe = probe_create(e->run, e->horizon, 0, e->series)};
	uint32		G = e->run->model->spec.ntargets;
	size_t		cells = nn_size_mul(e->run->env, e->ninputs, G);
	double	   *error = NN_NEW_ARRAY(e->run->env, double, cells),
			   *share = NN_NEW_ARRAY(e->run->env, double, cells);

	if (p.probe->n < 2)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the source has one window only, and nothing to shuffle"),
				 errhint("Give more rows.")));
	p.clean = NN_NEW_ARRAY(e->run->env, double, G);
	p.error = NN_NEW_ARRAY(e->run->env, double, G);
	p.order = NN_NEW_ARRAY(e->run->env, uint32_t, p.probe->n);
	probe_forecast(p.probe, NULL, NULL);
	errors_compute(p.probe, p.clean);
	for (uint32 i = 0; i < e->ninputs; i++)
	{
		shuffles_run(&p, &e->input[i], 1 - (int64) e->horizon, PG_INT32_MAX, REPEATS);
		memcpy(error + (size_t) i * G, p.error, G * sizeof(double));
	}
	shares_compute(&p, error, share);
	for (uint32 i = 0; i < e->ninputs; i++)
	{
		p.input = &e->input[i];
		rows_put(&p, error + (size_t) i * G, share + (size_t) i * G, 0, 0);
		blocks_run(&p, &e->input[i]);
	}
}
