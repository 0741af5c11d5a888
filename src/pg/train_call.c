/*
 * train_call.c
 *		Arguments and rows of lstm.train, as lstm.backtest and lstm.tune take them, too.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pgtime.h"

#include "pg/categories.h"
#include "pg/env.h"
#include "pg/features.h"
#include "pg/model_run.h"
#include "pg/skip.h"
#include "pg/space.h"
#include "pg/train_call.h"
#include "pg/training.h"

/* Counted from the first of them, source. */
enum
{
	ARG_SOURCE, ARG_TARGET, ARG_TIME_COLUMN, ARG_SERIES, ARG_HORIZON, ARG_CONTEXT,
	ARG_PAST, ARG_FUTURE, ARG_STATIC, ARG_GEOM, ARG_OPTIONS
};

/* An argument written into the options is told from a misspelt option. */
static void
options_refuse(const NnEnv *env, const NnJson *options)
{
	static const char *const keys[] = {"horizon", "context", "target", "time_column", "series",
		"past_covariates", "future_covariates", "static_covariates", "geom"};

	for (size_t i = 0; i < lengthof(keys); i++)
		if (nn_json_member(options, keys[i]) != NULL)
			nn_fail(env, NN_BAD_KEY, nn_format(env, "\"%s\" is no option", keys[i]),
					nn_format(env, "It is an argument: write %s => ... beside the options.", keys[i]));
}

void
train_call_refuse_transfer(const NnEnv *env, const TrainCall *call)
{
	if (call->options != NULL && nn_json_member(call->options, "from_model") != NULL)
		nn_fail(env, NN_BAD_VALUE,
				"option \"from_model\" has no place where models are judged on the past",
				"That model may have seen the rows to be judged; leave the option out.");
}

uint32
argument_number(FunctionCallInfo fcinfo, int i, const char *name, int32 min, int32 max)
{
	int32		value;

	if (PG_ARGISNULL(i))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
	value = PG_GETARG_INT32(i);
	if (value < min || value > max)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" is %d, outside of its range", name, value),
				 errhint("Give a number between %d and %d.", min, max)));
	return (uint32) value;
}

TrainCall *
train_call_open(const NnEnv *env, FunctionCallInfo fcinfo, int first)
{
	TrainCall  *call = NN_NEW(env, TrainCall);
	char	   *text = argument_text_required(fcinfo, first + ARG_SOURCE, "source");
	NnSpec	   *options = NN_NEW(env, NnSpec);
	bool		split_given;

	if (!PG_ARGISNULL(first + ARG_OPTIONS))
		call->options = training_options_parse(env, PG_GETARG_DATUM(first + ARG_OPTIONS));
	if (call->options != NULL && call->options->type == NN_JSON_OBJECT)
		options_refuse(env, call->options);
	call->horizon = argument_steps(fcinfo, first + ARG_HORIZON, "horizon", 1);
	call->context = argument_steps(fcinfo, first + ARG_CONTEXT, "context", 1);
	call->context_given = !PG_ARGISNULL(first + ARG_CONTEXT);
	/* A misspelt option is told before anything is looked up. */
	training_options(env, call->options, options, &split_given);
	call->source = source_resolve(text, argument_text(fcinfo, first + ARG_TIME_COLUMN),
								  argument_text(fcinfo, first + ARG_TARGET),
								  argument_text(fcinfo, first + ARG_SERIES),
								  argument_text(fcinfo, first + ARG_PAST),
								  argument_text(fcinfo, first + ARG_FUTURE),
								  argument_text(fcinfo, first + ARG_STATIC),
								  argument_text(fcinfo, first + ARG_GEOM),
								  options->grid[0] != '\0' ? options->grid : NULL);
	return call;
}

NnSpec *
train_call_spec(const NnEnv *env, const TrainCall *call, const NnJson *options, bool *split_given)
{
	NnSpec	   *spec = NN_NEW(env, NnSpec);
	const SourceRoles *roles = &call->source->roles;

	training_options(env, options, spec, split_given);
	spec->horizon = spec->forecast_horizon = call->horizon;
	spec->context = call->context;
	spec->ntargets = (uint32_t) roles->ntargets;
	spec->npast = (uint32_t) roles->npast;
	spec->nfuture = (uint32_t) roles->nfuture;
	spec->nstatic = (uint32_t) roles->nstatic;
	return spec;
}

static SourceData *
rows_read(const NnEnv *env, Source *source, const NnSpec *spec)
{
	const char *zone = pg_get_timezone_name(session_timezone);
	NnFrequency frequency;

	if (strcmp(spec->frequency, "auto") == 0)
		return source_read(env, source, NULL, NULL, zone, NULL);
	nn_frequency_parse(env, spec->frequency, &frequency);
	return source_read(env, source, NULL, &frequency, zone, NULL);
}

SourceData *
train_call_read(const NnEnv *env, const TrainCall *call, NnSpec *spec)
{
	Source	   *source = call->source;
	const SourceRoles *roles = &source->roles;
	SourceData *data;

	/* Without names there is one series: nothing would be left. */
	source->skip = spec->on_error == NN_ON_ERROR_SKIP && roles->nseries > 0;
	data = rows_read(env, source, spec);
	spec->narrays = data->series.narrays;
	memcpy(spec->array, data->array, sizeof(spec->array));
	if (source->skip)
		series_drop_unfit(env, spec, data, skip_needed_rows(env, spec, data, call->context_given),
						  true);
	/* The only one that is left needs more than it did among others. */
	if (source->skip && data->series.nseries == 1)
		series_drop_unfit(env, spec, data, skip_needed_rows(env, spec, data, call->context_given),
						  true);
	space_train(env, spec, data, roles);
	features_train(env, spec, data);
	categories_apply(env, data, roles, categories_learn(env, data, roles));
	spec->nstatic = data->series.Cs;
	skips_warn(data);
	return data;
}

void
train_call_copy(const NnSpec *spec, NnSpec *to)
{
	to->calendar = spec->calendar;
	to->nfuture = spec->nfuture;
	to->nstatic = spec->nstatic;
	to->narrays = spec->narrays;
	memcpy(to->array, spec->array, sizeof(to->array));
	to->directed = spec->directed;
	to->nsites = spec->nsites;
	to->grid_rows = spec->grid_rows;
	to->hexagonal = spec->hexagonal;
	to->nedges = spec->nedges;
}
