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
#include "utils/builtins.h"

#include "core/nn_json.h"
#include "pg/env.h"
#include "pg/lineage.h"
#include "pg/model_run.h"
#include "pg/progress.h"
#include "pg/registry.h"
#include "pg/source.h"
#include "pg/train_run.h"
#include "pg/transfer.h"

/* A model must lose by that share of the error before a warning says so. */
#define WORSE 0.01

PG_FUNCTION_INFO_V1(lstm_train);

/* Arguments: from the source on those of train_call.h. */
enum
{
	ARG_MODEL, ARG_SOURCE
};

/* ------------------------------------------------------------------------
 * The row in the registry
 */

static char *
metrics_text(const NnEnv *env, const NnReport *report, const char *verdict)
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
	if (verdict != NULL)
	{
		nn_json_key(&text, "retrain");
		nn_text_append(&text, verdict, strlen(verdict));
	}
	nn_json_end(&text, '}');
	return text.data;
}

static int
version_store(const NnEnv *env, const TrainRun *run)
{
	const NnModel *model = run->model;
	NnText		spec;
	size_t		length;
	RegistryEntry entry = {.name = run->name, .source = run->call->source->text,
	.search_path = run->search_path, .deploy = run->deploy, .rows = model->report.rows,
	.arguments = run->arguments, .data = lineage_data_text(env, run->input.data),
	.warm_from = run->warm_from, .retrain_of = run->retrain_of};

	nn_text_init(&spec, env);
	nn_spec_write(&spec, &model->spec);
	entry.spec = spec.data;
	entry.metrics = metrics_text(env, &model->report, run->verdict);
	entry.bytes = nn_model_write(env, model, &length);
	entry.length = length;
	entry.seconds = train_seconds(run);
	return registry_insert(&entry);
}

/* ------------------------------------------------------------------------
 * The steps
 */

static TrainRun *
run_open(FunctionCallInfo fcinfo, bool stored)
{
	const NnEnv *env = env_create(CurrentMemoryContext);
	TrainRun   *run = NN_NEW(env, TrainRun);

	INSTR_TIME_SET_CURRENT(run->start);
	run->env = env;
	run->name = argument_text_required(fcinfo, ARG_MODEL, "model");
	if (!stored)
		registry_check_name(run->name);
	run->call = train_call_open(env, fcinfo, ARG_SOURCE);
	run->call->source->read_only = run->call->source->bound = stored;
	run->arguments = train_arguments_text(env, fcinfo);
	run->search_path = search_path_current();
	run->input.spec = train_call_spec(env, run->call, run->call->options, &run->input.split_given);
	run->input.context_given = run->call->context_given;
	run->input.label = run->name;
	run->input.roles = &run->call->source->roles;
	progress_phase("reading rows");
	run->input.data = train_call_read(env, run->call, run->input.spec);
	progress_rows(run->input.data->rows);
	return run;
}

TrainRun *
train_open(FunctionCallInfo fcinfo)
{
	return run_open(fcinfo, false);
}

TrainRun *
train_open_stored(FunctionCallInfo fcinfo)
{
	return run_open(fcinfo, true);
}

void
train_prepare(TrainRun *run)
{
	transfer_prepare(run->env, &run->input);
}

void
train_fit(TrainRun *run)
{
	run->model = training_run(run->env, &run->input);
	run->deploy = run->model->spec.deploy;
}

double
train_seconds(const TrainRun *run)
{
	return seconds_since(run->start);
}

int
train_store(TrainRun *run)
{
	const NnModel *model = run->model;
	int			version;

	progress_phase("storing");
	version = version_store(run->env, run);
	if (model->report.out_of_time)
		ereport(NOTICE,
				(errmsg("training of model \"%s\" ended early, after %g seconds", run->name,
						lstm_train_seconds),
				 errdetail("It is what \"lstm.train_seconds\" allows."),
				 errhint("Set it higher, or to 0, for the full number of epochs.")));
	/* Large series may outweigh many small ones; it is fair to ask them all. */
	if ((model->report.skill < -WORSE && model->report.scaled_skill < -WORSE) ||
		(model->report.baseline_mae == 0 && model->report.mae > 0))
		ereport(WARNING,
				(errmsg("model \"%s\" forecasts worse than the %s method on its validation rows",
						run->name, model->spec.season > 1 ? "seasonal naive" : "naive"),
				 model->report.baseline_mae == 0 ?
				 errdetail("That method makes no error there, the model one of %.6g.", model->report.mae) :
				 errdetail("Mean absolute error %.6g against %.6g, skill %.3f.",
						   model->report.mae, model->report.baseline_mae, model->report.skill),
				 errhint("Try a longer context, more epochs, another network, or more rows.")));
	return version;
}

/* ------------------------------------------------------------------------
 * The function
 */

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
	result_float(report->train_loss, &values[4], &nulls[4]);
	result_float(report->validation_loss, &values[5], &nulls[5]);
	result_float(report->baseline_loss, &values[6], &nulls[6]);
	result_float(report->skill, &values[7], &nulls[7]);
	values[8] = Float8GetDatum(seconds);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

Datum
lstm_train(PG_FUNCTION_ARGS)
{
	CallMemory	memory = call_memory_begin();
	TrainRun   *run;
	int			version;
	Datum		result;

	/* Here rather than by the INSERT, after all epochs. */
	PreventCommandIfReadOnly("lstm.train()");
	progress_begin("train", argument_text_required(fcinfo, ARG_MODEL, "model"), 0);
	run = train_open(fcinfo);
	train_prepare(run);
	train_fit(run);
	version = train_store(run);
	progress_end();
	MemoryContextSwitchTo(memory.caller);
	result = result_row(fcinfo, run->name, version, run->model, train_seconds(run));
	call_memory_end(memory);
	return result;
}
