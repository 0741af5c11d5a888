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
 * Where several sites are forecast together, all of them give a column's values away at
 * once, and times are shuffled; of one series asked for, each series next to it is shuffled
 * by itself as well.  That costs no more forecasts than a single series' windows do, and
 * one for each column and neighbour.
 *
 * Values move on the scaled axis: a series of small numbers gets another's shape, not
 * its size.  Under differencing a target keeps its level at the origin.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "miscadmin.h"

#include "core/nn_graph.h"
#include "core/nn_rng.h"
#include "pg/env.h"
#include "pg/explain.h"

/* Shuffles of a whole input. */
#define REPEATS 3

/* Neighbours that are shuffled by themselves, the most heavily weighted ones. */
#define NEIGHBOURS 8

typedef struct Permutation
{
	const Explain *e;
	Probe	   *probe;
	double	   *clean;			/* [ntargets] mean absolute error in scales */
	double	   *error;			/* [ntargets] likewise, after a shuffle */
	uint32_t   *order;			/* [pieces] whose values the windows of piece i get */
	uint32_t   *exchange;		/* [per] with several sites: whose statics series i gets */
	uint32		nsources;
	uint32		source[NEIGHBOURS + 1]; /* series shuffled by themselves */

	/* What is shuffled now: an input's rows of lags newest to oldest, of one series or all. */
	const ExplainInput *input;
	int64		newest, oldest;
	uint32		only;			/* PG_UINT32_MAX: all */
} Permutation;

/* Is window i one of the series asked for? */
static bool
is_asked(const Permutation *p, uint32 i)
{
	return p->e->series == PG_UINT32_MAX || p->probe->origin[i].series == p->e->series;
}

/* error [ntargets]: mean absolute errors in scales, of the series asked for. */
static void
errors_compute(const Permutation *p, double *error)
{
	const Probe *probe = p->probe;
	uint32		G = probe->run->model->spec.ntargets;

	for (uint32 k = 0; k < G; k++)
	{
		double		sum = 0;
		uint64		n = 0;

		for (uint32 i = 0; i < probe->n; i++)
			for (uint32 h = 0; h < probe->horizon && is_asked(p, i); h++)
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
	for (uint32 row = p->probe->window[i].origin + 1; row-- > p->probe->begin[i];)
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

/* Are rows of a window's piece and of another's both there? */
static bool
rows_are_there(const Probe *probe, uint32 i, int64 row, uint32 j, int64 other)
{
	return row >= probe->begin[i] && row < probe->end[i] && other >= probe->begin[j] &&
		other < probe->end[j];
}

/* Channel c of window i (an array column: all of it) gets the values of window j. */
static void
channel_take(const Permutation *p, NnSeries *to, uint32 i, uint32 j, uint32 c)
{
	const Probe *probe = p->probe;
	const NnSeries *from = probe->series;
	bool		array = p->input->kind == EXPLAIN_ARRAY;
	int64		oldest = Min(p->oldest, (int64) probe->window[i].origin + 1 - probe->begin[i]);
	Axis		axis_from,
				axis_to;

	if (!array)
	{
		axis_from = axis_of(p, j, c);
		axis_to = axis_of(p, i, c);
	}
	for (int64 lag = p->newest; lag <= oldest; lag++)
	{
		int64		row = (int64) probe->window[i].origin + 1 - lag,
					other = (int64) probe->window[j].origin + 1 - lag;

		if (!rows_are_there(probe, i, row, j, other))
			continue;
		if (array)
			to->array[c].at[row] = from->array[c].at[other];
		else
			to->value[(size_t) row * to->C + c] =
				axis_move(&axis_from, &axis_to, from->value[(size_t) other * to->C + c]);
	}
}

/* Static channel c: windows have series of their own, or sites keep theirs at all times. */
static void
statics_take(const Permutation *p, NnSeries *to, uint32 c)
{
	const Probe *probe = p->probe;
	double	   *statics = (double *) to->statics;
	uint32		n = probe->npieces;

	for (uint32 i = 0; i < to->nseries; i++)
	{
		uint32		from = probe->per > 1 ? p->exchange[i / n] * n + i % n : p->order[i];

		if (probe->per == 1 || p->only == PG_UINT32_MAX || p->only == i / n)
			statics[(size_t) i * to->Cs + c] = probe->series->statics[(size_t) from * to->Cs + c];
	}
}

static void
input_shuffle(void *host, const Probe *probe, NnSeries *series)
{
	const Permutation *p = host;
	const ExplainInput *input = p->input;

	for (uint32 c = input->first; c < input->first + input->n; c++)
	{
		if (input->kind == EXPLAIN_STATIC)
			statics_take(p, series, c);
		for (uint32 i = 0; i < probe->n && input->kind != EXPLAIN_STATIC; i++)
		{
			CHECK_FOR_INTERRUPTS();
			if (p->only == PG_UINT32_MAX || probe->origin[i].series == p->only)
				channel_take(p, series, i, p->order[i / probe->per] * probe->per + i % probe->per, c);
		}
	}
}

/* The r-th shuffle: the same for every input and block, so that they can be compared. */
static void
order_shuffle(Permutation *p, uint32 r)
{
	for (uint32 i = 0; i < p->probe->npieces; i++)
		p->order[i] = i;
	nn_rng_shuffle(p->e->seed, PROBE_STREAM, r, p->order, p->probe->npieces);
	for (uint32 i = 0; i < p->probe->per; i++)
		p->exchange[i] = i;
	nn_rng_shuffle(p->e->seed, PROBE_STREAM, r, p->exchange, p->probe->per);
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
		order_shuffle(p, r);
		probe_forecast(p->probe, input_shuffle, p);
		errors_compute(p, one);
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
		row.source = p->only == PG_UINT32_MAX ? NULL : model_run_series(p->e->run, p->only);
		explain_put(p->e, &row);
	}
}

/* The blocks of lags of one input. */
static void
blocks_run(Permutation *p, const ExplainInput *input)
{
	const NnSpec *spec = &p->probe->run->model->spec;
	uint32		context = spec->context;

	if (input->kind == EXPLAIN_STATIC || p->e->whole)
		return;
	if (input->kind == EXPLAIN_COLUMN && input->first >= spec->ntargets + spec->npast)
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

/* ------------------------------------------------------------------------
 * Neighbours
 */

/* The series at a site, where the source has it and it is not among the sources yet. */
static void
source_add(Permutation *p, uint32 site)
{
	uint32		s = nn_series_at(p->e->run->prepared, site);

	for (uint32 i = 0; i < p->nsources; i++)
		if (p->source[i] == s)
			return;
	if (s != PG_UINT32_MAX && p->nsources < lengthof(p->source))
		p->source[p->nsources++] = s;
}

/* Sites with an edge into site, those of the largest weights first. */
static void
sources_of_graph(Permutation *p, uint32 site)
{
	const NnModel *model = p->e->run->model;
	NnPlan	   *plan = nn_plan_build(p->e->run->env, &model->spec, env_kernels(), NN_LANES);
	const nn_real *source = nn_graph_source(plan, model->params),
			   *target = nn_graph_target(plan, model->params),
			   *weight = nn_graph_weight(plan, model->params);
	bool	   *taken = palloc0(plan->nedges);

	for (uint32 n = 0; n < NEIGHBOURS; n++)
	{
		uint32		best = PG_UINT32_MAX;

		CHECK_FOR_INTERRUPTS();
		for (uint32 i = 0; i < plan->nedges; i++)
			if ((uint32) target[i] == site && !taken[i] &&
				(best == PG_UINT32_MAX || weight[i] > weight[best]))
				best = i;
		if (best == PG_UINT32_MAX)
			break;
		taken[best] = true;
		source_add(p, (uint32) source[best]);
	}
}

/* Cells around a cell. */
static void
sources_of_grid(Permutation *p, uint32 site)
{
	const NnSpec *spec = &p->e->run->model->spec;
	int			rows = (int) spec->grid_rows,
				cols = (int) (spec->nsites / spec->grid_rows),
				at_row = (int) site / cols,
				at_col = (int) site % cols;

	for (int row = Max(at_row - 1, 0); row <= Min(at_row + 1, rows - 1); row++)
		for (int col = Max(at_col - 1, 0); col <= Min(at_col + 1, cols - 1); col++)
			source_add(p, (uint32) (row * cols + col));
}

/* The series asked for and its neighbours; all there are where they are few. */
static void
sources_find(Permutation *p)
{
	const Explain *e = p->e;
	const NnSpec *spec = &e->run->model->spec;
	uint32		site;

	if (p->probe->per == 1 || e->series == PG_UINT32_MAX)
		return;
	site = nn_series_site(e->run->prepared, e->series);
	source_add(p, site);
	if (e->run->data->series.nseries <= lengthof(p->source))
		for (uint32 i = 0; i < spec->nsites; i++)
			source_add(p, i);
	else if (spec->grid_rows > 0)
		sources_of_grid(p, site);
	else if (spec->nedges > 0)
		sources_of_graph(p, site);
}

/* An input of each of them by itself. */
static void
sources_run(Permutation *p, const ExplainInput *input)
{
	for (uint32 i = 0; i < p->nsources; i++)
	{
		p->only = p->source[i];
		shuffles_run(p, input, 1 - (int64) p->probe->horizon, PG_INT32_MAX, 1);
		rows_put(p, p->error, NULL, 0, 0);
	}
	p->only = PG_UINT32_MAX;
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
	Permutation p = {.e = e,.probe = probe_create(e->run, e->horizon, 0, e->series),
	.only = PG_UINT32_MAX};
	uint32		G = e->run->model->spec.ntargets;
	size_t		cells = nn_size_mul(e->run->env, e->ninputs, G);
	double	   *error = NN_NEW_ARRAY(e->run->env, double, cells),
			   *share = NN_NEW_ARRAY(e->run->env, double, cells);

	if (p.probe->npieces < 2)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the source has one window only, and nothing to shuffle"),
				 errhint("Give more rows.")));
	p.clean = NN_NEW_ARRAY(e->run->env, double, G);
	p.error = NN_NEW_ARRAY(e->run->env, double, G);
	p.order = NN_NEW_ARRAY(e->run->env, uint32_t, p.probe->npieces);
	p.exchange = NN_NEW_ARRAY(e->run->env, uint32_t, p.probe->per);
	sources_find(&p);
	probe_forecast(p.probe, NULL, NULL);
	errors_compute(&p, p.clean);
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
		sources_run(&p, &e->input[i]);
	}
}
