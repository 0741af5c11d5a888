/*
 * explain.c
 *		lstm.explain: what a model's forecasts rest on.
 *
 * Methods:
 *	permutation		which inputs the errors need (Breiman 2001; Fisher et al. 2019)
 *	gradients		what one forecast is made of (Sundararajan et al. 2017)
 *	attention		where the attention layers of a model look
 *	decomposition	trend, season and remainder of history and forecast
 *
 * This file finds out what to explain and knows the inputs by name; permutation.c and
 * decomposition.c do theirs.  Costs: permutation forecasts all its windows a few times
 * for each input; gradients run 32 to 2,048 windows forward and backward for each step.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/nn_explain.h"
#include "pg/env.h"
#include "pg/explain.h"

PG_FUNCTION_INFO_V1(lstm_explain);

enum
{
	ARG_MODEL, ARG_SOURCE, ARG_METHOD, ARG_HORIZON, ARG_SERIES, ARG_TARGET, ARG_AS_OF, ARG_VERSION,
	ARG_SEED
};

#define RESULT_COLUMNS 12

/* ------------------------------------------------------------------------
 * Inputs by name
 */

static void
input_add(Explain *e, const char *name, uint32 first, uint32 n, bool statics)
{
	if (n > 0)
		e->input[e->ninputs++] = (ExplainInput) {name, first, n, statics};
}

static void
inputs_add_made(Explain *e, uint32 first)
{
	static const char *const words[] = {
		"calendar minute", "calendar hour", "calendar weekday", "calendar month_day",
		"calendar year_day", "calendar month"
	};
	const NnSpec *spec = &e->run->model->spec;
	uint32		end = first + nn_future_made(spec);

	for (size_t i = 0; i < lengthof(words); i++)
		if (spec->calendar >> i & 1)
		{
			input_add(e, words[i], first, 2, false);
			first += 2;
		}
	input_add(e, "holidays", first, end - first, false);
}

/* Columns of the rows, then calendar words, holidays and static columns. */
static void
inputs_list(Explain *e)
{
	const ModelRun *run = e->run;
	const SourceRoles *roles = &run->roles;
	uint32		c = 0,
				word = 0;

	e->input = NN_NEW_ARRAY(run->env, ExplainInput, (size_t) run->data->series.C +
							roles->nstatic + 1);
	for (int i = 0; i < roles->ntargets; i++)
		input_add(e, roles->target[i], c++, 1, false);
	for (int i = 0; i < roles->npast; i++)
		input_add(e, roles->past[i], c++, 1, false);
	for (int i = 0; i < roles->nfuture; i++)
		input_add(e, roles->future[i], c++, 1, false);
	inputs_add_made(e, c);
	for (int i = 0; i < roles->nstatic; i++)
	{
		const NnCategories *words = run->model->categories;
		uint32		n = words && words[i].n > 0 ? words[i].n : 1;

		input_add(e, roles->statics[i], word, n, true);
		word += n;
	}
}

/* ------------------------------------------------------------------------
 * Rows of the result
 */

ExplainRow
explain_row(uint32 target)
{
	return (ExplainRow) {.target = target,.series = PG_UINT32_MAX,.importance = NAN,.share = NAN,
		.value = NAN};
}

void
explain_put(const Explain *e, const ExplainRow *row)
{
	const ModelRun *run = e->run;
	const char *series = row->series != PG_UINT32_MAX ? model_run_series(run, row->series) : NULL;
	Datum		values[RESULT_COLUMNS];
	bool		nulls[RESULT_COLUMNS];

	memset(nulls, true, sizeof(nulls));
	values[0] = CStringGetTextDatum(e->method);
	values[1] = series ? CStringGetTextDatum(series) : (Datum) 0;
	values[2] = CStringGetTextDatum(run->roles.target[row->target]);
	values[3] = Int32GetDatum((int32) row->step);
	values[4] = CStringGetTextDatum(row->input);
	values[5] = Int32GetDatum((int32) row->lag);
	values[6] = Int32GetDatum((int32) row->lags);
	nulls[0] = nulls[2] = nulls[4] = false;
	nulls[1] = series == NULL;
	nulls[3] = row->step == 0;
	nulls[5] = nulls[6] = row->lags == 0;
	result_float(row->importance, &values[7], &nulls[7]);
	result_float(row->share, &values[8], &nulls[8]);
	result_float(row->value, &values[9], &nulls[9]);
	if (row->timed)
	{
		values[10] = model_run_time(run, row->series, row->row, &nulls[10]);
		values[11] = model_run_index(run, row->series, row->row, &nulls[11]);
	}
	result_put(e->rsinfo, values, nulls);
}

/* ------------------------------------------------------------------------
 * Gradients of one forecast
 */

typedef struct Gradients
{
	const Explain *e;
	NnExplainer *explainer;
	NnAttribution one;
	NnWindow	window;
	uint32		step;			/* from 0 */
	uint32		own;			/* newest rows of the window that are no padding */
	double		weight;			/* of the networks in the forecast */
	double		total;			/* of all |importance| of the step and target */
} Gradients;

/* Number of a window's row of lag (1: its newest) within its series. */
static int64
lag_row(const Explain *e, const NnWindow *window, int64 lag)
{
	return (int64) window->origin + 1 - lag - e->run->data->series.first[window->series];
}

/* Value of an input at a row of the series; NaN where it is several, or unknown. */
static double
input_value(const Explain *e, const ExplainInput *input, const NnWindow *window, int64 lag)
{
	const NnSeries *series = &e->run->data->series;

	if (input->n > 1)
		return NAN;
	if (input->statics)
		return series->statics[(size_t) window->series * series->Cs + input->first];
	return series->value[(size_t) ((int64) window->origin + 1 - lag) * series->C + input->first];
}

/* Sum of the attributions of an input's channels at lag; rows ahead of the origin have lags below 1. */
static double
gradient_at(const Gradients *g, const ExplainInput *input, int64 lag)
{
	const NnSpec *spec = &g->e->run->model->spec;
	uint32		C = g->e->run->prepared->C;
	double		sum = 0;

	for (uint32 c = input->first; c < input->first + input->n; c++)
		sum += input->statics ? g->one.statics[c] :
			lag >= 1 ? g->one.past[(size_t) (spec->context - lag) * C + c] :
			g->one.future[(size_t) -lag * spec->nfuture + c - spec->ntargets - spec->npast];
	return g->weight * sum;
}

static bool
input_is_future(const Explain *e, const ExplainInput *input)
{
	const NnSpec *spec = &e->run->model->spec;

	return !input->statics && input->first >= spec->ntargets + spec->npast;
}

/* Calls for each input and lag: sums |importance| (put false), or puts the row. */
static void
gradients_walk(Gradients *g, uint32 k, bool put)
{
	const Explain *e = g->e;
	const NnSpec *spec = &e->run->model->spec;

	for (uint32 i = 0; i < e->ninputs; i++)
	{
		const ExplainInput *input = &e->input[i];
		int64		newest = input_is_future(e, input) ? 1 - (int64) spec->horizon : 1,
					oldest = input->statics ? 1 : g->own;

		for (int64 lag = newest; lag <= oldest; lag++)
		{
			ExplainRow	row = explain_row(k);

			row.importance = gradient_at(g, input, lag);
			if (!put)
			{
				g->total += fabs(row.importance);
				continue;
			}
			row.series = g->window.series;
			row.step = g->step + 1;
			row.input = input->name;
			row.share = g->total > 0 ? fabs(row.importance) / g->total : NAN;
			row.value = input_value(e, input, &g->window, lag);
			if (!input->statics)
			{
				row.lag = lag;
				row.lags = 1;
				row.timed = true;
				row.row = lag_row(e, &g->window, lag);
			}
			explain_put(e, &row);
		}
	}
}

/* The rows that are no input: both ends of the path, and the simple members. */
static void
gradients_put_ends(const Gradients *g, uint32 k, double forecast)
{
	ExplainRow	row = explain_row(k);
	double		members = forecast - g->weight * g->one.forecast;

	row.series = g->window.series;
	row.step = g->step + 1;
	row.input = "baseline";
	row.value = g->weight * g->one.baseline;
	explain_put(g->e, &row);
	row.input = "forecast";
	row.value = forecast;
	explain_put(g->e, &row);
	if (nn_member_count(&g->e->run->model->spec) == 1)
		return;
	row.input = "members";
	row.importance = members;
	row.share = g->total > 0 ? fabs(members) / g->total : NAN;
	row.value = NAN;
	explain_put(g->e, &row);
}

static void
gradients_compute(Gradients *g, uint32 k)
{
	uint32		control = compute_begin();

	PG_TRY();
	{
		nn_explain_forecast(g->explainer, g->e->run->prepared, &g->window, g->step, k, &g->one);
	}
	PG_FINALLY();
	{
		compute_end(control);
	}
	PG_END_TRY();
}

static void
gradients_begin(Gradients *g, double *point)
{
	const Explain *e = g->e;
	ModelRun   *run = e->run;
	const NnSpec *spec = &run->model->spec;

	if (e->horizon > spec->horizon)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"horizon\" is %u, but the network of model \"%s\" forecasts %u "
						"at once", e->horizon, run->row->name, spec->horizon),
				 errhint("Steps beyond are forecast from forecasts and have no gradients.")));
	g->window = model_run_newest(run, e->series);
	g->own = spec->context - nn_window_pad(spec, &run->data->series, &g->window);
	model_run_future_check(run, &g->window, run->roles.nfuture > 0 ? spec->horizon : 0);
	model_run_predict(model_run_predictor(run, 1, e->horizon), run->prepared, &g->window, 1,
					  e->horizon, NULL, 0, point, NULL, NULL);
	g->explainer = nn_explainer_create(run->env, run->model, env_kernels(), NN_EXPLAIN_FIRST_POINTS);
	g->weight = run->model->weight ? run->model->weight[0] : 1;
	g->one.past = NN_NEW_ARRAY(run->env, double, (size_t) spec->context * run->prepared->C);
	g->one.future = NN_NEW_ARRAY(run->env, double, (size_t) spec->horizon * spec->nfuture);
	g->one.statics = NN_NEW_ARRAY(run->env, double, spec->nstatic);
}

static void
gradients_run(const Explain *e)
{
	const NnSpec *spec = &e->run->model->spec;
	double	   *point = NN_NEW_ARRAY(e->run->env, double, (size_t) e->horizon * spec->ntargets);
	Gradients	g = {.e = e};
	bool		exact = true;

	gradients_begin(&g, point);
	for (uint32 k = 0; k < spec->ntargets; k++)
		for (g.step = 0; g.step < e->horizon && explain_wants(e, k); g.step++)
		{
			double		forecast = point[(size_t) g.step * spec->ntargets + k];

			gradients_compute(&g, k);
			exact = exact && g.one.exact;
			g.total = nn_member_count(spec) > 1 ? fabs(forecast - g.weight * g.one.forecast) : 0;
			gradients_walk(&g, k, false);
			gradients_put_ends(&g, k, forecast);
			gradients_walk(&g, k, true);
		}
	if (!exact)
		ereport(NOTICE,
				(errmsg("some attributions do not add up within 1 %%"),
				 errdetail("The forecast bends too much between its inputs and the baseline for %d "
						   "points on the way.", NN_EXPLAIN_LAST_POINTS)));
}

/* ------------------------------------------------------------------------
 * Attention
 */

typedef struct Attention
{
	const Explain *e;
	NnExplainer *explainer;
	NnWindow	window;
	uint32		n;
	uint32_t	layer[NN_MAX_LAYERS];
	size_t		size;			/* of all weights */
} Attention;

/* Rows of one layer: weight [queries][states]. */
static void
attention_put(const Attention *a, uint32 layer, const double *weight)
{
	const Explain *e = a->e;
	const NnSpec *spec = &e->run->model->spec;
	uint32_t	queries,
				states,
				lags;
	bool		steps;

	nn_explain_attends(a->explainer, layer, &queries, &states);
	/* A query for each step of the forecast has rows of its own; others are averaged. */
	steps = queries > 1 && queries == spec->horizon && queries != states;
	lags = spec->context % states == 0 ? spec->context / states : 0;
	for (uint32 q = 0; q < (steps ? queries : 1); q++)
		for (uint32 i = 0; i < states; i++)
		{
			ExplainRow	row = explain_row(e->target == PG_UINT32_MAX ? 0 : e->target);

			row.importance = 0;
			for (uint32 from = q; from < (steps ? q + 1 : queries); from++)
				row.importance += weight[(size_t) from * states + i] / (steps ? 1 : queries);
			row.series = a->window.series;
			row.step = steps ? q + 1 : 0;
			row.input = a->explainer->plan->layer[layer].name;
			row.share = row.importance;
			row.lags = lags;
			row.lag = (int64) (states - 1 - i) * lags + 1;
			row.row = lag_row(e, &a->window, row.lag);
			row.timed = lags > 0 && row.row >= 0;	/* padding has no time */
			explain_put(e, &row);
		}
}

static void
attention_compute(const Attention *a, double *weight)
{
	uint32		control = compute_begin();

	PG_TRY();
	{
		nn_explain_attention(a->explainer, a->e->run->prepared, &a->window, a->layer, a->n, weight);
	}
	PG_FINALLY();
	{
		compute_end(control);
	}
	PG_END_TRY();
}

static void
attention_run(const Explain *e)
{
	ModelRun   *run = e->run;
	Attention	a = {.e = e};
	double	   *weight;

	a.explainer = nn_explainer_create(run->env, run->model, env_kernels(), 1);
	for (uint32 i = 0; i < a.explainer->plan->nlayers; i++)
	{
		uint32_t	queries,
					states;

		if (!nn_explain_attends(a.explainer, i, &queries, &states))
			continue;
		a.layer[a.n++] = i;
		a.size = nn_size_add(run->env, a.size, nn_size_mul(run->env, queries, states));
	}
	if (a.n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" has no attention layer", run->row->name),
				 errhint("Use method \"permutation\" or \"gradients\".")));
	a.window = model_run_newest(run, e->series);
	model_run_future_check(run, &a.window, run->roles.nfuture > 0 ? run->model->spec.horizon : 0);
	weight = NN_NEW_ARRAY(run->env, double, a.size);
	attention_compute(&a, weight);
	for (uint32 n = 0; n < a.n; n++)
	{
		uint32_t	queries,
					states;

		nn_explain_attends(a.explainer, a.layer[n], &queries, &states);
		attention_put(&a, a.layer[n], weight);
		weight += (size_t) queries * states;
	}
}

/* ------------------------------------------------------------------------
 * The SQL function
 */

typedef struct Method
{
	const char *name;
	void		(*run) (const Explain *e);
	bool		one_series;		/* explains one forecast, so one series */
} Method;

static const Method methods[] = {
	{"permutation", permutation_run, false},
	{"gradients", gradients_run, true},
	{"attention", attention_run, true},
	{"decomposition", decomposition_run, true}
};

static const Method *
method_find(const char *name)
{
	const char *names[lengthof(methods)];
	const char *nearest;

	for (size_t i = 0; i < lengthof(methods); i++)
	{
		if (strcmp(methods[i].name, name) == 0)
			return &methods[i];
		names[i] = methods[i].name;
	}
	nearest = nn_nearest(name, names, lengthof(methods));
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown method \"%s\"", name),
			 nearest ? errhint("Perhaps you meant \"%s\".", nearest) :
			 errhint("Methods are permutation, gradients, attention and decomposition.")));
}

/* The series named; without a name the first, announced, where only one can be explained. */
static uint32
series_choose(const ModelRun *run, const Method *method, const char *name)
{
	if (name == NULL && method->one_series && run->data->series.nseries > 1)
		ereport(NOTICE,
				(errmsg("explaining series \"%s\", the first of %u", run->data->series.name[0],
						run->data->series.nseries),
				 errhint("Name another with argument \"series\".")));
	if (name == NULL)
		return method->one_series ? 0 : PG_UINT32_MAX;
	return model_run_series_find(run, name);
}

bool
explain_wants(const Explain *e, uint32 k)
{
	return e->target == PG_UINT32_MAX || e->target == k;
}

Datum
lstm_explain(PG_FUNCTION_ARGS)
{
	Explain		e = {.rsinfo = result_begin(fcinfo)};
	CallMemory	memory = call_memory_begin();
	char	   *name = argument_text_required(fcinfo, ARG_MODEL, "model");
	const Method *method = method_find(argument_text_required(fcinfo, ARG_METHOD, "method"));
	uint32		horizon = argument_steps(fcinfo, ARG_HORIZON, "horizon", 0);
	TimestampTz as_of = PG_ARGISNULL(ARG_AS_OF) ? 0 : PG_GETARG_TIMESTAMPTZ(ARG_AS_OF);

	e.method = method->name;
	e.seed = probe_seed(fcinfo, ARG_SEED);
	e.run = model_run_open(name, argument_version(fcinfo, ARG_VERSION),
						   argument_text(fcinfo, ARG_SOURCE), NULL,
						   PG_ARGISNULL(ARG_AS_OF) ? NULL : &as_of, horizon);
	e.horizon = probe_horizon(e.run, horizon);
	if (horizon == 0 && strcmp(method->name, "gradients") == 0)
		e.horizon = Min(e.horizon, e.run->model->spec.horizon);
	e.series = series_choose(e.run, method, argument_text(fcinfo, ARG_SERIES));
	e.target = PG_ARGISNULL(ARG_TARGET) ? PG_UINT32_MAX :
		model_run_target_find(e.run, argument_text(fcinfo, ARG_TARGET));
	inputs_list(&e);
	method->run(&e);
	call_memory_end(memory);
	return (Datum) 0;
}
