/*
 * explain.c
 *		lstm.explain: what a model's forecasts rest on.
 *
 * Methods:
 *	permutation		which inputs the errors need (Breiman 2001; Fisher et al. 2019)
 *	gradients		what one forecast is made of (Sundararajan et al. 2017)
 *	attention		where the attention layers of a model look, along time and to neighbours
 *	fusion			which branches a forecast is made of
 *	decomposition	trend, season and remainder of history and forecast
 *
 * This file finds out what to explain and knows the inputs by name; permutation.c,
 * gradients.c, looks.c and decomposition.c do theirs.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "pg/env.h"
#include "pg/explain.h"

PG_FUNCTION_INFO_V1(lstm_explain);

enum
{
	ARG_MODEL, ARG_SOURCE, ARG_METHOD, ARG_HORIZON, ARG_SERIES, ARG_TARGET, ARG_AS_OF, ARG_VERSION,
	ARG_SEED
};

#define RESULT_COLUMNS 13

/* ------------------------------------------------------------------------
 * Inputs by name
 */

static void
input_add(Explain *e, const char *name, uint32 first, uint32 n, ExplainKind kind)
{
	if (n > 0)
		e->input[e->ninputs++] = (ExplainInput) {name, first, n, kind};
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
			input_add(e, words[i], first, 2, EXPLAIN_COLUMN);
			first += 2;
		}
	input_add(e, "holidays", first, end - first, EXPLAIN_COLUMN);
}

/* Columns of the rows, then calendar words, holidays, static columns and arrays. */
static void
inputs_list(Explain *e)
{
	const ModelRun *run = e->run;
	const SourceRoles *roles = &run->roles;
	uint32		c = 0,
				word = 0;

	e->input = NN_NEW_ARRAY(run->env, ExplainInput, (size_t) run->data->series.C +
							roles->nstatic + roles->narrays + 1);
	for (int i = 0; i < roles->ntargets; i++)
		input_add(e, roles->target[i], c++, 1, EXPLAIN_COLUMN);
	for (int i = 0; i < roles->npast; i++)
		input_add(e, roles->past[i], c++, 1, EXPLAIN_COLUMN);
	for (int i = 0; i < roles->nfuture; i++)
		input_add(e, roles->future[i], c++, 1, EXPLAIN_COLUMN);
	inputs_add_made(e, c);
	for (int i = 0; i < roles->nstatic; i++)
	{
		const NnCategories *words = run->model->categories;
		uint32		n = words && words[i].n > 0 ? words[i].n : 1;

		input_add(e, roles->statics[i], word, n, EXPLAIN_STATIC);
		word += n;
	}
	for (int i = 0; i < roles->narrays; i++)
		input_add(e, roles->arrays[i], (uint32) i, 1, EXPLAIN_ARRAY);
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

	if (e->put != NULL)
	{
		e->put(e->host, row);
		return;
	}
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
	nulls[12] = row->source == NULL;
	values[12] = row->source ? CStringGetTextDatum(row->source) : (Datum) 0;
	result_put(e->rsinfo, values, nulls);
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
	{"fusion", fusion_run, true},
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
			 errhint("Methods are permutation, gradients, attention, fusion and decomposition.")));
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

void
explain_importance(Explain *e)
{
	e->method = "permutation";
	e->whole = true;
	inputs_list(e);
	permutation_run(e);
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
