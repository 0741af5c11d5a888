/*
 * value.c
 *		The value layer: models without a registry.
 *
 * lstm.fit is an aggregate that trains one model per group; lstm.predict is a
 * plain function of a model and a history.  Neither reads a table, so they work
 * under GROUP BY, in parallel workers and on distributed tables.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "pgtime.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "pg/env.h"
#include "pg/model_cache.h"
#include "pg/model_run.h"
#include "pg/space.h"
#include "pg/training.h"

PG_FUNCTION_INFO_V1(lstm_fit_trans_timestamptz);
PG_FUNCTION_INFO_V1(lstm_fit_trans_timestamp);
PG_FUNCTION_INFO_V1(lstm_fit_trans_date);
PG_FUNCTION_INFO_V1(lstm_fit_trans_bigint);
PG_FUNCTION_INFO_V1(lstm_fit_final);
PG_FUNCTION_INFO_V1(lstm_predict);

/* ------------------------------------------------------------------------
 * lstm.fit
 */

/* Rows of one group so far, 16 bytes each. */
typedef struct FitState
{
	NnTimeKind	kind;
	Datum		options;		/* jsonb of the first row, or 0 */
	uint64		count, capacity;
	int64	   *time;			/* [capacity] */
	double	   *value;			/* [capacity], NaN: missing */
} FitState;

static void
fit_grow(FitState *state, MemoryContext context)
{
	size_t		bytes;

	state->capacity = state->capacity ? state->capacity * 2 : 1024;
	bytes = state->capacity * sizeof(int64);
	if (2 * bytes > (size_t) lstm_max_memory_kb * 1024)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("lstm.fit needs more than %d kB of memory for " UINT64_FORMAT " rows of a group",
						lstm_max_memory_kb, state->count),
				 errhint("Raise \"lstm.max_memory\".")));
	if (state->time == NULL)
	{
		state->time = MemoryContextAllocHuge(context, bytes);
		state->value = MemoryContextAllocHuge(context, bytes);
		return;
	}
	state->time = repalloc_huge(state->time, bytes);
	state->value = repalloc_huge(state->value, bytes);
}

static FitState *
fit_begin(FunctionCallInfo fcinfo, MemoryContext context, NnTimeKind kind)
{
	FitState   *state = MemoryContextAllocZero(context, sizeof(FitState));

	state->kind = kind;
	if (!PG_ARGISNULL(3))
	{
		MemoryContext before = MemoryContextSwitchTo(context);

		state->options = PointerGetDatum(PG_DETOAST_DATUM_COPY(PG_GETARG_DATUM(3)));
		MemoryContextSwitchTo(before);
	}
	return state;
}

/* The first row's hold for the group; the order of rows must not choose among several. */
static bool
fit_options_equal(FunctionCallInfo fcinfo, const FitState *state)
{
	struct varlena *first = (struct varlena *) DatumGetPointer(state->options),
			   *given;
	bool		equal;

	if (PG_ARGISNULL(3) || first == NULL)
		return PG_ARGISNULL(3) && first == NULL;
	given = PG_DETOAST_DATUM_PACKED(PG_GETARG_DATUM(3));
	equal = VARSIZE_ANY_EXHDR(given) == VARSIZE_ANY_EXHDR(first) &&
		memcmp(VARDATA_ANY(given), VARDATA_ANY(first), VARSIZE_ANY_EXHDR(first)) == 0;
	PG_FREE_IF_COPY(given, 3);
	return equal;
}

static Datum
fit_add(FunctionCallInfo fcinfo, NnTimeKind kind, int64 time)
{
	MemoryContext context;
	FitState   *state;
	double		value = PG_ARGISNULL(2) ? NAN : PG_GETARG_FLOAT8(2);

	if (!AggCheckCallContext(fcinfo, &context))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("lstm.fit_trans called outside of an aggregate")));
	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"ts\" of lstm.fit must not be null")));
	if (isinf(value))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("argument \"value\" of lstm.fit is infinite"),
				 errhint("Leave such rows out, or replace the value by NULL.")));
	if (kind != NN_TIME_INTEGER && TIMESTAMP_NOT_FINITE(time))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("argument \"ts\" of lstm.fit is infinite")));
	state = PG_ARGISNULL(0) ? fit_begin(fcinfo, context, kind) : (FitState *) PG_GETARG_POINTER(0);
	if (!fit_options_equal(fcinfo, state))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"options\" of lstm.fit differs between the rows of a group"),
				 errhint("Give all rows of a group the same options.")));
	if (state->count == state->capacity)
		fit_grow(state, context);
	state->time[state->count] = time;
	state->value[state->count++] = value;
	PG_RETURN_POINTER(state);
}

Datum
lstm_fit_trans_timestamptz(PG_FUNCTION_ARGS)
{
	return fit_add(fcinfo, NN_TIME_TIMESTAMPTZ, PG_ARGISNULL(1) ? 0 : PG_GETARG_TIMESTAMPTZ(1));
}

Datum
lstm_fit_trans_timestamp(PG_FUNCTION_ARGS)
{
	return fit_add(fcinfo, NN_TIME_TIMESTAMP, PG_ARGISNULL(1) ? 0 : PG_GETARG_TIMESTAMP(1));
}

Datum
lstm_fit_trans_date(PG_FUNCTION_ARGS)
{
	DateADT		date = PG_ARGISNULL(1) ? 0 : PG_GETARG_DATEADT(1);

	if (DATE_NOT_FINITE(date))
		return fit_add(fcinfo, NN_TIME_DATE, PG_INT64_MAX);
	if (date < DATETIME_MIN_JULIAN - POSTGRES_EPOCH_JDATE ||
		date >= TIMESTAMP_END_JULIAN - POSTGRES_EPOCH_JDATE)
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("argument \"ts\" of lstm.fit is out of the range of time stamps")));
	return fit_add(fcinfo, NN_TIME_DATE, (int64) date * USECS_PER_DAY);
}

Datum
lstm_fit_trans_bigint(PG_FUNCTION_ARGS)
{
	return fit_add(fcinfo, NN_TIME_INTEGER, PG_ARGISNULL(1) ? 0 : PG_GETARG_INT64(1));
}

/* Takes "horizon" or "context" out of the options; 0 when it is not there. */
static uint32
steps_take(const NnEnv *env, NnJson *options, const char *key)
{
	NnJson	  **link = options ? &options->child : NULL;

	if (options == NULL || options->type != NN_JSON_OBJECT)
		return 0;
	for (; *link; link = &(*link)->next)
	{
		NnJson	   *member = *link;

		if (strcmp(member->key, key) != 0)
			continue;
		if (member->type != NN_JSON_NUMBER || member->number != floor(member->number) ||
			member->number < 1 || member->number > NN_MAX_STEPS)
			nn_fail(env, NN_BAD_VALUE, nn_format(env, "option \"%s\" is not a number of steps", key),
					nn_format(env, "Give an integer between 1 and %d.", NN_MAX_STEPS));
		*link = member->next;
		options->count--;
		return (uint32) member->number;
	}
	return 0;
}

/* What belongs to a named model is no option here. */
static void
options_refuse(const NnEnv *env, const NnJson *options)
{
	static const char *const keys[] = {"deploy", "progress", "from_model", "freeze"};

	for (size_t i = 0; options != NULL && i < lengthof(keys); i++)
		if (nn_json_member(options, keys[i]) != NULL)
			nn_fail(env, NN_BAD_VALUE,
					nn_format(env, "option \"%s\" has no meaning for lstm.fit", keys[i]),
					"Leave it out, or use lstm.train.");
}

/* A group has one series, whose times forecasts will not know. */
static void
spec_refuse(const NnEnv *env, NnSpec *spec)
{
	if (spec->calendar == NN_CALENDAR_AUTO)
		spec->calendar = 0;
	if (spec->calendar != 0 || spec->holidays[0] != '\0')
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "option \"%s\" has no meaning for lstm.fit",
						  spec->calendar != 0 ? "calendar" : "holidays"),
				"lstm.predict is given no times; use lstm.train.");
	if (spec->on_error == NN_ON_ERROR_SKIP)
		nn_fail(env, NN_BAD_VALUE, "option \"on_error\" has no meaning for lstm.fit",
				"A group is one series; leave out bad groups with WHERE, or use lstm.train.");
}

static NnModel *
fit_run(const NnEnv *env, FitState *state)
{
	static char *const target[] = {"value"};
	NnJson	   *options = state->options ? training_options_parse(env, state->options) : NULL;
	NnSpec	   *spec = NN_NEW(env, NnSpec);
	SourceRoles *roles = NN_NEW(env, SourceRoles);
	TrainingInput input = {.spec = spec, .roles = roles};
	uint32		horizon = steps_take(env, options, "horizon"),
				context = steps_take(env, options, "context");
	NnFrequency frequency;
	bool		given;

	options_refuse(env, options);
	training_options(env, options, spec, &input.split_given);
	spec_refuse(env, spec);
	space_refuse(spec, "lstm.fit gets");
	spec->horizon = spec->forecast_horizon = horizon ? horizon : 1;
	spec->context = context ? context : 1;
	spec->ntargets = 1;
	input.context_given = context != 0;
	roles->ntargets = 1;
	roles->target = (char **) target;
	given = strcmp(spec->frequency, "auto") != 0;
	if (given)
		nn_frequency_parse(env, spec->frequency, &frequency);
	input.data = source_grid(env, state->kind, state->time, state->value, state->count,
							 given ? &frequency : NULL,
							 pg_get_timezone_name(session_timezone), target[0]);
	return training_run(env, &input);
}

Datum
lstm_fit_final(PG_FUNCTION_ARGS)
{
	CallMemory	memory;
	const NnEnv *env;
	uint8_t    *bytes;
	size_t		length;
	bytea	   *result;

	if (PG_ARGISNULL(0))
		PG_RETURN_NULL();
	memory = call_memory_begin();
	env = env_create(memory.own);
	bytes = nn_model_write(env, fit_run(env, (FitState *) PG_GETARG_POINTER(0)), &length);
	MemoryContextSwitchTo(memory.caller);
	result = palloc(VARHDRSZ + length);
	SET_VARSIZE(result, VARHDRSZ + length);
	memcpy(VARDATA(result), bytes, length);
	call_memory_end(memory);
	PG_RETURN_BYTEA_P(result);
}

/* ------------------------------------------------------------------------
 * lstm.predict
 */

static void
predict_refuse(const NnModel *model)
{
	const char *what = model->spec.narrays > 0 ? "array columns" :
		model->spec.nfuture > 0 ? "known-future covariates" :
		model->spec.nstatic > 0 ? "static covariates" :
		model->prep->ngroups > 1 ? "a scale for each series" :
		model->spec.nseries > 1 ? "which of its series the values belong to" : NULL;

	if (what != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("lstm.predict cannot take what this model needs: %s", what),
				 errhint("Use lstm.forecast with a source.")));
}

/* The model of the value: the same usually comes again. */
static const NnModel *
predict_model(const NnEnv *env, const bytea *value, uint32 horizon)
{
	const NnModel *model = model_cache_value((const uint8_t *) VARDATA_ANY(value),
											 VARSIZE_ANY_EXHDR(value));

	predict_refuse(model);
	space_require_single(model, "lstm.predict");
	nn_forecast_check(env, &model->spec, horizon);
	return model;
}

/* history as [rows][C] doubles; checks shape and values. */
static double *
history_read(ArrayType *array, uint32 C, uint32 *rows)
{
	int			ndim = ARR_NDIM(array);
	Datum	   *elements;
	bool	   *nulls;
	int			n;
	double	   *value;

	if (ndim != (C == 1 && ndim != 2 ? 1 : 2) || (ndim == 2 && ARR_DIMS(array)[1] != (int) C))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 ndim == 2 ?
				 errmsg("argument \"history\" has %d values per step, but the model takes %u",
						ARR_DIMS(array)[1], C) :
				 errmsg("argument \"history\" has %d dimensions, but the model takes %u values per step",
						ndim, C),
				 errhint("Give [time] for one value per step, else [time][channel]: targets, then "
						 "past covariates.")));
	deconstruct_array(array, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &elements, &nulls, &n);
	value = palloc(sizeof(double) * Max(n, 1));
	for (int i = 0; i < n; i++)
	{
		value[i] = nulls[i] ? NAN : DatumGetFloat8(elements[i]);
		if (isinf(value[i]))
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("element %d of argument \"history\" is infinite", i + 1)));
	}
	*rows = (uint32) n / C;
	return value;
}

static ArrayType *
forecast_array(const double *point, uint32 horizon, uint32 ntargets)
{
	size_t		n = (size_t) horizon * ntargets;
	Datum	   *elements = palloc(sizeof(Datum) * n);
	int			dims[2] = {(int) horizon, (int) ntargets},
				bounds[2] = {1, 1};

	ArrayType  *array;

	for (size_t i = 0; i < n; i++)
		elements[i] = Float8GetDatum(point[i]);
	array = construct_md_array(elements, NULL, ntargets == 1 ? 1 : 2, dims, bounds, FLOAT8OID,
							   sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE);
	pfree(elements);
	return array;
}

/* [horizon][ntargets] */
static const double *
predict_run(const NnModel *model, const NnEnv *env, double *value, uint32 rows, uint32 horizon)
{
	const NnSpec *spec = &model->spec;
	uint32_t	first[2] = {0, rows},
				history[1] = {rows},
				group[1] = {0};
	const char *name[1] = {""};
	NnSeries	series = {.nseries = 1, .C = spec->ntargets + spec->npast, .first = first,
	.history = history, .value = value, .name = name};
	NnWindow	window = {0, rows - 1};
	double	   *point = NN_NEW_ARRAY(env, double, (size_t) horizon * spec->ntargets);
	const char **column = NN_NEW_ARRAY(env, const char *, series.C);
	/* A history has no name: it is the one series of the model, or none that it knows. */
	uint32_t	identity = model->nseries == 1 ? 0 : PG_UINT32_MAX;
	NnData	   *data;
	NnPredictor *predictor;

	for (uint32 c = 0; c < series.C; c++)
		column[c] = c < spec->ntargets ? model->target[c] :
			model->past[c - spec->ntargets];
	series.column = column;
	data = nn_data_prepare(env, spec, model->prep, &series, group);
	data->identity = &identity;
	predictor = model_cache_predictor(model, horizon);
	if (predictor == NULL)
		predictor = nn_predictor_create(env, model, env_kernels(), 1, horizon);
	model_run_predict(predictor, data, &window, 1, horizon, NULL, 0, point, NULL, NULL);
	model_cache_predictor_done(model);
	return point;
}

Datum
lstm_predict(PG_FUNCTION_ARGS)
{
	CallMemory	memory = call_memory_begin();
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	ArrayType  *array = PG_GETARG_ARRAYTYPE_P(1);
	uint32		horizon = argument_steps(fcinfo, 2, "horizon", 1),
				rows;
	const NnEnv *env = env_create(memory.own);
	const NnModel *model = predict_model(env, bytes, horizon);
	const NnSpec *spec = &model->spec;
	double	   *value = history_read(array, spec->ntargets + spec->npast, &rows);
	const double *point;
	ArrayType  *result;

	if (rows < nn_rows_least(spec))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("argument \"history\" has %u steps, but the model looks back on %u", rows,
						nn_rows_least(spec))));
	point = predict_run(model, env, value, rows, horizon);
	MemoryContextSwitchTo(memory.caller);
	result = forecast_array(point, horizon, spec->ntargets);
	call_memory_end(memory);
	PG_RETURN_ARRAYTYPE_P(result);
}
