/*
 * train.c
 *		lstm.train: rows of a query become a version of a model.
 *
 * Order matters: names and options are checked before the source is read, the
 * network before the epochs run, so that a mistake costs no time.  One
 * transaction: a failed call leaves nothing behind.
 */
#include "postgres.h"

#include <math.h>

#include "access/htup_details.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "pgtime.h"
#include "portability/instr_time.h"
#include "utils/builtins.h"

#include "core/nn_json.h"
#include "pg/env.h"
#include "pg/model_run.h"
#include "pg/registry.h"
#include "pg/source.h"
#include "pg/training.h"

PG_FUNCTION_INFO_V1(lstm_train);

/* Arguments, in the order of the SQL declaration. */
enum
{
	ARG_MODEL, ARG_SOURCE, ARG_TARGET, ARG_TIME_COLUMN, ARG_SERIES, ARG_HORIZON, ARG_CONTEXT,
	ARG_PAST, ARG_FUTURE, ARG_STATIC, ARG_GEOM, ARG_OPTIONS
};

/* An argument written into the options is told from a misspelt option. */
static void
options_refuse(const NnEnv *env, const NnJson *options)
{
	static const char *const keys[] = {"horizon", "context", "target", "time_column", "series",
		"past_covariates", "future_covariates", "static_covariates", "geom"};

	for (size_t i = 0; options != NULL && i < lengthof(keys); i++)
		if (options->type == NN_JSON_OBJECT && nn_json_member(options, keys[i]) != NULL)
			nn_fail(env, NN_BAD_KEY, nn_format(env, "\"%s\" is no option of lstm.train", keys[i]),
					nn_format(env, "It is an argument: write %s => ... beside the options.", keys[i]));
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

/* ------------------------------------------------------------------------
 * The row in the registry
 */

static char *
metrics_text(const NnEnv *env, const NnReport *report)
{
	NnText		text;

	nn_text_init(&text, env);
	nn_json_begin(&text, '{');
	nn_json_key(&text, "epochs");
	nn_json_integer(&text, report->nepochs);
	nn_json_key(&text, "train_loss");
	nn_json_number(&text, report->train_loss);
	nn_json_key(&text, "validation_loss");
	nn_json_number(&text, report->validation_loss);
	nn_json_key(&text, "baseline_loss");
	nn_json_number(&text, report->baseline_loss);
	nn_json_key(&text, "mae");
	nn_json_number(&text, report->mae);
	nn_json_key(&text, "baseline_mae");
	nn_json_number(&text, report->baseline_mae);
	nn_json_key(&text, "skill");
	nn_json_number(&text, report->skill);
	nn_json_end(&text, '}');
	return text.data;
}

static int
version_store(const NnEnv *env, const char *name, const Source *source, const NnModel *model)
{
	NnText		spec;
	size_t		length;
	RegistryEntry entry = {.name = name, .source = source->text,
	.search_path = search_path_current(), .deploy = model->spec.deploy,
	.rows = model->report.rows};

	nn_text_init(&spec, env);
	nn_spec_write(&spec, &model->spec);
	entry.spec = spec.data;
	entry.metrics = metrics_text(env, &model->report);
	entry.bytes = nn_model_write(env, model, &length);
	entry.length = length;
	return registry_insert(&entry);
}

static Datum
float_or_null(double value, bool *isnull)
{
	*isnull = isnan(value);
	return Float8GetDatum(value);
}

static Datum
result_row(FunctionCallInfo fcinfo, const char *name, int version, const NnModel *model,
		   double seconds)
{
	TupleDesc	desc;
	Datum		values[9];
	bool		nulls[9] = {false};
	const NnReport *report = &model->report;

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("lstm.train called in a context that cannot take a row")));
	values[0] = CStringGetTextDatum(name);
	values[1] = Int32GetDatum(version);
	values[2] = Int64GetDatum((int64) model->nparams);
	values[3] = Int32GetDatum((int32) report->nepochs);
	values[4] = float_or_null(report->train_loss, &nulls[4]);
	values[5] = float_or_null(report->validation_loss, &nulls[5]);
	values[6] = float_or_null(report->baseline_loss, &nulls[6]);
	values[7] = float_or_null(report->skill, &nulls[7]);
	values[8] = Float8GetDatum(seconds);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

Datum
lstm_train(PG_FUNCTION_ARGS)
{
	CallMemory	memory = call_memory_begin();
	const NnEnv *env = env_create(memory.own);
	NnSpec	   *spec = NN_NEW(env, NnSpec);
	TrainingInput input = {.spec = spec};
	instr_time	start,
				now;
	char	   *name,
			   *text;
	NnJson	   *options = NULL;
	Source	   *source;
	NnModel    *model;
	int			version;
	Datum		result;

	INSTR_TIME_SET_CURRENT(start);
	/* Here rather than by the INSERT, after all epochs. */
	PreventCommandIfReadOnly("lstm.train()");
	name = argument_text_required(fcinfo, ARG_MODEL, "model");
	text = argument_text_required(fcinfo, ARG_SOURCE, "source");
	if (!PG_ARGISNULL(ARG_GEOM))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("argument \"geom\" needs the extension lstm_postgis"),
				 errhint("Leave \"geom\" out to train on the series alone.")));
	registry_check_name(name);
	if (!PG_ARGISNULL(ARG_OPTIONS))
		options = training_options_parse(env, PG_GETARG_DATUM(ARG_OPTIONS));
	options_refuse(env, options);
	training_options(env, options, spec, &input.split_given);
	spec->horizon = argument_steps(fcinfo, ARG_HORIZON, "horizon", 1);
	spec->context = argument_steps(fcinfo, ARG_CONTEXT, "context", 1);
	input.context_given = !PG_ARGISNULL(ARG_CONTEXT);
	source = source_resolve(text, argument_text(fcinfo, ARG_TIME_COLUMN),
							argument_text(fcinfo, ARG_TARGET), argument_text(fcinfo, ARG_SERIES),
							argument_text(fcinfo, ARG_PAST), argument_text(fcinfo, ARG_FUTURE),
							argument_text(fcinfo, ARG_STATIC));
	spec->ntargets = (uint32_t) source->roles.ntargets;
	spec->npast = (uint32_t) source->roles.npast;
	spec->nfuture = (uint32_t) source->roles.nfuture;
	spec->nstatic = (uint32_t) source->roles.nstatic;
	input.label = name;
	input.roles = &source->roles;
	input.data = rows_read(env, source, spec);
	model = training_run(env, &input);
	version = version_store(env, name, source, model);
	if (model->report.skill < 0)
		ereport(WARNING,
				(errmsg("model \"%s\" forecasts worse than the %s method on its validation rows",
						name, model->spec.season > 1 ? "seasonal naive" : "naive"),
				 errdetail("Mean absolute error %.6g against %.6g, skill %.3f.",
						   model->report.mae, model->report.baseline_mae, model->report.skill),
				 errhint("Try a longer context, more epochs, another network, or more rows.")));
	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);
	MemoryContextSwitchTo(memory.caller);
	result = result_row(fcinfo, name, version, model, INSTR_TIME_GET_DOUBLE(now));
	call_memory_end(memory);
	return result;
}
