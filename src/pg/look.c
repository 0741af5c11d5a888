/*
 * look.c
 *		Looking at models: describe, layers, tensors, training_log.
 *
 * Everything is read from the model's bytes but owner, times and versions,
 * which only the registry's rows have.  The network is planned anew for its
 * shapes (a few microseconds); no weight is computed with.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"

#include "core/nn_json.h"
#include "core/nn_loss.h"
#include "core/nn_op.h"
#include "core/nn_predict.h"
#include "pg/env.h"
#include "pg/joint_model.h"
#include "pg/lineage.h"
#include "pg/model_run.h"
#include "pg/progress.h"
#include "pg/registry.h"

PG_FUNCTION_INFO_V1(lstm_describe);
PG_FUNCTION_INFO_V1(lstm_layers);
PG_FUNCTION_INFO_V1(lstm_tensors);
PG_FUNCTION_INFO_V1(lstm_training_log);
PG_FUNCTION_INFO_V1(lstm_version);
PG_FUNCTION_INFO_V1(lstm_kernels_in_use);

/* The model that the arguments (model text, version int) name. */
static RegistryRow *
look_get(FunctionCallInfo fcinfo)
{
	char	   *name = argument_text_required(fcinfo, 0, "model");

	return registry_get(name, argument_version(fcinfo, 1));
}

static NnPlan *
look_plan(const NnEnv *env, const NnModel *model)
{
	return nn_plan_build(env, &model->spec, env_kernels(), NN_LANES);
}

/*
 * An input layer that brings in nothing is in every plan, and worth no row.
 */
static bool
layer_is_shown(const NnPlan *plan, uint32_t i)
{
	return i >= plan->first_layer || plan->layer[i].out.C > 0;
}

static int64
layer_parameters(const NnPlan *plan, const NnLayer *layer)
{
	int64		count = 0;

	for (uint32_t i = 0; i < layer->ntensors; i++)
		count += (int64) plan->tensor[layer->first_tensor + i].span.count;
	return count;
}

/* {time, channels}, with sites between them where there are several; returns their number. */
static int
layer_shape(const NnLayer *layer, int32 shape[3])
{
	int			n = 0;

	shape[n++] = (int32) layer->out.T;
	if (layer->out.S != 1)
		shape[n++] = (int32) layer->out.S;
	shape[n++] = (int32) layer->out.C;
	return n;
}

static ArrayType *
int_array(const int32 *elements, int n)
{
	Datum	   *datums = palloc((n + 1) * sizeof(Datum));

	for (int i = 0; i < n; i++)
		datums[i] = Int32GetDatum(elements[i]);
	return construct_array(datums, n, INT4OID, 4, true, TYPALIGN_INT);
}

/* ------------------------------------------------------------------------
 * describe
 */

static void
describe_strings(NnText *text, const char *key, char **strings, uint32_t n)
{
	nn_json_key(text, key);
	nn_json_begin(text, '[');
	for (uint32_t i = 0; i < n; i++)
		nn_json_string(text, strings[i]);
	nn_json_end(text, ']');
}

static void
describe_number(NnText *text, const char *key, double number)
{
	nn_json_key(text, key);
	nn_json_number(text, number);
}

static void
describe_integer(NnText *text, const char *key, int64_t number)
{
	nn_json_key(text, key);
	nn_json_integer(text, number);
}

static const char *
time_kind_name(NnTimeKind kind)
{
	switch (kind)
	{
		case NN_TIME_TIMESTAMPTZ:
			return "timestamptz";
		case NN_TIME_TIMESTAMP:
			return "timestamp";
		case NN_TIME_DATE:
			return "date";
		case NN_TIME_INTEGER:
			break;
	}
	return "integer";
}

/* Words of the static covariates that are categories, by column. */
static void
describe_categories(NnText *text, const NnModel *model)
{
	nn_json_key(text, "categories");
	nn_json_begin(text, '{');
	for (uint32_t k = 0; k < model->nstatic_columns; k++)
		if (model->categories != NULL && model->categories[k].n > 0)
			describe_strings(text, model->statics[k], model->categories[k].word,
							 model->categories[k].n);
	nn_json_end(text, '}');
}

static void
describe_data(NnText *text, const NnEnv *env, const NnModel *model)
{
	const NnSpec *spec = &model->spec;

	nn_json_key(text, "time_column");
	nn_json_string(text, model->time_column);
	nn_json_key(text, "time_type");
	nn_json_string(text, time_kind_name(model->time_kind));
	nn_json_key(text, "frequency");
	nn_json_string(text, nn_frequency_print(env, &model->frequency));
	nn_json_key(text, "time_zone");
	if (model->zone[0] != '\0')
		nn_json_string(text, model->zone);
	else
		nn_json_null(text);
	describe_strings(text, "target", model->target, spec->ntargets);
	describe_strings(text, "past_covariates", model->past, spec->npast);
	describe_strings(text, "future_covariates", model->future,
					 spec->nfuture - nn_future_made(spec));
	describe_strings(text, "static_covariates", model->statics, model->nstatic_columns);
	describe_categories(text, model);
	describe_strings(text, "series_columns", model->series_column, model->nseries_columns);
	describe_integer(text, "series", model->nseries);
	describe_integer(text, "context", spec->context);
	describe_integer(text, "horizon", spec->forecast_horizon);
}

static void
describe_report(NnText *text, const NnReport *report)
{
	nn_json_key(text, "report");
	nn_json_begin(text, '{');
	describe_integer(text, "epochs", report->nepochs);
	describe_integer(text, "best_epoch", report->nepochs > 0 ? (int64_t) report->best_epoch + 1 : 0);
	describe_number(text, "train_loss", report->train_loss);
	describe_number(text, "validation_loss", report->validation_loss);
	describe_number(text, "baseline_loss", report->baseline_loss);
	describe_number(text, "mae", report->mae);
	describe_number(text, "baseline_mae", report->baseline_mae);
	describe_number(text, "skill", report->skill);
	describe_integer(text, "train_windows", (int64_t) report->train_windows);
	describe_integer(text, "validation_windows", (int64_t) report->validation_windows);
	describe_integer(text, "rows", (int64_t) report->rows);
	nn_json_key(text, "out_of_time");
	nn_json_bool(text, report->out_of_time);
	describe_integer(text, "skipped_series", (int64_t) report->nskipped);
	describe_strings(text, "skipped", report->skipped, Min(report->nskipped, NN_MAX_SKIPPED));
	nn_json_end(text, '}');
}

/* Who speaks in a forecast, with which weight, and how each alone did on the validation rows. */
static void
describe_members(NnText *text, const NnModel *model)
{
	nn_json_key(text, "networks");
	nn_json_integer(text, model->spec.ensemble_size);
	nn_json_key(text, "members");
	nn_json_begin(text, '[');
	for (uint32_t m = 0; m < nn_member_count(&model->spec); m++)
	{
		nn_json_begin(text, '{');
		nn_json_key(text, "name");
		nn_json_string(text, nn_member_name(&model->spec, m));
		describe_number(text, "weight", model->weight ? model->weight[m] : 1);
		describe_number(text, "mae", model->report.member_mae[m]);
		nn_json_end(text, '}');
	}
	nn_json_end(text, ']');
	nn_json_key(text, "interval");
	nn_json_begin(text, '{');
	nn_json_key(text, "source");
	nn_json_string(text, model->interval.steps > 0 ? "calibrated" :
				   nn_loss_has_interval(&model->spec) ? "loss" : "none");
	if (model->interval.steps > 0)
	{
		nn_json_key(text, "measure");
		nn_json_string(text, nn_measure_name(model->interval.unit));
		describe_integer(text, "steps", model->interval.steps);
	}
	nn_json_end(text, '}');
}

static void
describe_layers(NnText *text, const NnPlan *plan)
{
	nn_json_key(text, "layers");
	nn_json_begin(text, '[');
	for (uint32_t i = 0; i < plan->nlayers; i++)
	{
		const NnLayer *layer = &plan->layer[i];
		int32		shape[3];
		int			n = layer_shape(layer, shape);

		if (!layer_is_shown(plan, i))
			continue;
		nn_json_begin(text, '{');
		nn_json_key(text, "name");
		nn_json_string(text, layer->name);
		nn_json_key(text, "type");
		nn_json_string(text, nn_ops[layer->op].name);
		nn_json_key(text, "output_shape");
		nn_json_begin(text, '[');
		for (int d = 0; d < n; d++)
			nn_json_integer(text, shape[d]);
		nn_json_end(text, ']');
		describe_integer(text, "parameters", layer_parameters(plan, layer));
		nn_json_end(text, '}');
	}
	nn_json_end(text, ']');
}

/* Means over the networks of the weights that a weighted fusion has learned. */
static void
describe_weights(NnText *text, const NnModel *model, const NnPlan *plan, const NnLayer *layer)
{
	double		one[NN_MAX_INPUTS],
				mean[NN_MAX_INPUTS] = {0};
	uint32		n = model->spec.ensemble_size;

	for (uint32 i = 0; i < n; i++)
	{
		nn_fuse_weights(plan, layer, model->params + i * model->nparams, 0, one);
		for (uint32_t k = 0; k < layer->ninputs; k++)
			mean[k] += one[k] / n;
	}
	nn_json_key(text, "weights");
	nn_json_begin(text, '[');
	for (uint32_t k = 0; k < layer->ninputs; k++)
		nn_json_number(text, mean[k]);
	nn_json_end(text, ']');
}

/* Layers that mix branches; those of gated ones differ from forecast to forecast. */
static void
describe_fusion(NnText *text, const NnModel *model, const NnPlan *plan)
{
	nn_json_key(text, "fusion");
	nn_json_begin(text, '[');
	for (uint32_t i = plan->first_layer; i < plan->nlayers; i++)
	{
		const NnLayer *layer = &plan->layer[i];

		if (strcmp(nn_ops[layer->op].name, "fuse") != 0)
			continue;
		nn_json_begin(text, '{');
		nn_json_key(text, "layer");
		nn_json_string(text, layer->name);
		nn_json_key(text, "kind");
		nn_json_string(text, layer->fusion == NN_FUSION_WEIGHTED ? "weighted" : "gated");
		nn_json_key(text, "branches");
		nn_json_begin(text, '[');
		for (uint32_t k = 0; k < layer->ninputs; k++)
			nn_json_string(text, plan->layer[layer->input[k]].name);
		nn_json_end(text, ']');
		if (layer->fusion == NN_FUSION_WEIGHTED)
			describe_weights(text, model, plan, layer);
		nn_json_end(text, '}');
	}
	nn_json_end(text, ']');
}

/* What the series are to each other; null: each is by itself. */
static void
describe_space(NnText *text, const NnSpec *spec)
{
	nn_json_key(text, "space");
	if (spec->nsites == 1)
	{
		nn_json_null(text);
		return;
	}
	nn_json_begin(text, '{');
	nn_json_key(text, "kind");
	nn_json_string(text, spec->grid_rows > 0 ? "grid" : "graph");
	describe_integer(text, "sites", spec->nsites);
	if (spec->grid_rows > 0)
	{
		describe_integer(text, "rows", spec->grid_rows);
		describe_integer(text, "columns", spec->nsites / spec->grid_rows);
		nn_json_key(text, "cells");
		nn_json_string(text, spec->hexagonal ? "hexagonal" : "square");
	}
	else
		describe_integer(text, "edges", spec->nedges);
	nn_json_end(text, '}');
}

/* What the bytes say, as one JSON object. */
static char *
describe_model(const NnEnv *env, const RegistryRow *row)
{
	NnPlan	   *plan = look_plan(env, row->model);
	NnText		text;

	nn_text_init(&text, env);
	nn_json_begin(&text, '{');
	describe_data(&text, env, row->model);
	describe_space(&text, &row->model->spec);
	describe_integer(&text, "parameters", (int64_t) plan->nparams);
	describe_integer(&text, "bytes", (int64_t) row->length);
	describe_layers(&text, plan);
	describe_fusion(&text, row->model, plan);
	describe_members(&text, row->model);
	describe_report(&text, &row->model->report);
	nn_json_key(&text, "options");
	nn_spec_write(&text, &row->model->spec);
	nn_json_end(&text, '}');
	return text.data;
}

/* The same with what only the registry knows. */
static Jsonb *
describe_row(const RegistryRow *row, const char *described)
{
	Oid			types[3] = {TEXTOID, INT4OID, TEXTOID};
	Datum		values[3] = {
		CStringGetTextDatum(row->name), Int32GetDatum(row->version), CStringGetTextDatum(described)
	};
	MemoryContext caller = CurrentMemoryContext;
	int			nest_level = registry_begin();
	Jsonb	   *result;
	bool		isnull;

	if (SPI_execute_with_args("SELECT jsonb_build_object('model', name, 'version', version,"
							  " 'deployed', deployed, 'owner', owner, 'source', source,"
							  " 'trained_at', trained_at, 'metrics', metrics, 'lineage', jsonb_build_object("
							  "'arguments', arguments, 'data', data, 'extension_version', extension_version,"
							  " 'seconds', seconds, 'deployed_at', deployed_at, 'warm_from', warm_from,"
							  " 'trained_by', trained_by), 'versions',"
							  " (SELECT jsonb_agg(v.version ORDER BY v.version)"
							  " FROM lstm.models v WHERE v.name = $1)) || $3::jsonb"
							  " FROM lstm.models WHERE name = $1 AND version = $2",
							  3, types, values, NULL, true, 1) != SPI_OK_SELECT ||
		SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("model \"%s\" has no version %d", row->name, row->version)));
	result = DatumGetJsonbP(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	MemoryContextSwitchTo(caller);
	result = DatumGetJsonbPCopy(PointerGetDatum(result));
	registry_end(nest_level);
	MemoryContextSwitchTo(caller);
	return result;
}

Datum
lstm_describe(PG_FUNCTION_ARGS)
{
	CallMemory	memory = call_memory_begin();
	NnEnv	   *env = env_create(memory.own);
	char	   *name = argument_text_required(fcinfo, 0, "model");
	RegistryRow *row = registry_find(name, argument_version(fcinfo, 1));
	Jsonb	   *described = describe_row(row, row->joint != NULL ? joint_describe(env, row) :
										 describe_model(env, row));

	MemoryContextSwitchTo(memory.caller);
	described = DatumGetJsonbPCopy(PointerGetDatum(described));
	call_memory_end(memory);
	PG_RETURN_JSONB_P(described);
}

/* ------------------------------------------------------------------------
 * layers, tensors, training_log
 */

static ArrayType *
layer_inputs(const NnPlan *plan, const NnLayer *layer)
{
	Datum		names[NN_MAX_INPUTS];

	for (uint32_t i = 0; i < layer->ninputs; i++)
		names[i] = CStringGetTextDatum(plan->layer[layer->input[i]].name);
	return construct_array(names, (int) layer->ninputs, TEXTOID, -1, false, TYPALIGN_INT);
}

Datum
lstm_layers(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rows = result_begin(fcinfo);
	CallMemory	memory = call_memory_begin();
	NnEnv	   *env = env_create(memory.own);
	NnPlan	   *plan = look_plan(env, look_get(fcinfo)->model);
	int32		position = 0;

	for (uint32_t i = 0; i < plan->nlayers; i++)
	{
		const NnLayer *layer = &plan->layer[i];
		int32		shape[3];
		int			n = layer_shape(layer, shape);
		Datum		values[6];
		bool		nulls[6] = {false};

		if (!layer_is_shown(plan, i))
			continue;
		values[0] = Int32GetDatum(++position);
		values[1] = CStringGetTextDatum(layer->name);
		values[2] = CStringGetTextDatum(nn_ops[layer->op].name);
		values[3] = PointerGetDatum(layer_inputs(plan, layer));
		values[4] = PointerGetDatum(int_array(shape, n));
		values[5] = Int64GetDatum(layer_parameters(plan, layer));
		result_put(rows, values, nulls);
	}
	call_memory_end(memory);
	return (Datum) 0;
}

/* The tensor's values, row by row, as one-dimensional float4[]. */
static ArrayType *
tensor_values(const NnModel *model, const NnTensor *tensor)
{
	size_t		n = tensor->span.count;
	Size		size = ARR_OVERHEAD_NONULLS(1) + n * sizeof(float4);
	ArrayType  *array;
	float4	   *data;

	if (n == 0)
		return construct_empty_array(FLOAT4OID);
	if (!AllocSizeIsValid(size))
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("tensor \"%s\" has too many values for an array: %zu", tensor->name, n)));
	array = palloc0(size);
	SET_VARSIZE(array, size);
	array->ndim = 1;
	array->elemtype = FLOAT4OID;
	ARR_DIMS(array)[0] = (int) n;
	ARR_LBOUND(array)[0] = 1;
	data = (float4 *) ARR_DATA_PTR(array);
	for (size_t i = 0; i < n; i++)
		data[i] = (float4) model->params[tensor->span.offset + i];
	return array;
}

Datum
lstm_tensors(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rows = result_begin(fcinfo);
	CallMemory	memory = call_memory_begin();
	NnEnv	   *env = env_create(memory.own);
	const NnModel *model = look_get(fcinfo)->model;
	NnPlan	   *plan = look_plan(env, model);

	for (uint32_t i = 0; i < plan->ntensors; i++)
	{
		const NnTensor *tensor = &plan->tensor[i];
		int32		shape[4];
		Datum		values[3];
		bool		nulls[3] = {false};

		for (uint32_t d = 0; d < tensor->ndim; d++)
			shape[d] = (int32) tensor->dim[d];
		values[0] = CStringGetTextDatum(tensor->name);
		values[1] = PointerGetDatum(int_array(shape, (int) tensor->ndim));
		values[2] = PointerGetDatum(tensor_values(model, tensor));
		result_put(rows, values, nulls);
		pfree(DatumGetPointer(values[2]));
	}
	call_memory_end(memory);
	return (Datum) 0;
}

/* The log of a job, where one is asked for; true: it was. */
static bool
training_log_of_job(FunctionCallInfo fcinfo, ReturnSetInfo *rows)
{
	if (PG_ARGISNULL(2))
		return false;
	for (int i = 0; i < 2; i++)
		if (!PG_ARGISNULL(i))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("argument \"%s\" cannot be given with \"job\"", i == 0 ? "model" : "version"),
					 errhint("Ask for the log of a model or for that of a job.")));
	progress_job_log(rows, PG_GETARG_INT64(2));
	return true;
}

Datum
lstm_training_log(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rows = result_begin(fcinfo);
	CallMemory	memory = call_memory_begin();
	const NnReport *report;

	if (training_log_of_job(fcinfo, rows))
	{
		call_memory_end(memory);
		return (Datum) 0;
	}
	report = &look_get(fcinfo)->model->report;
	for (uint32_t i = 0; i < report->nepochs; i++)
	{
		const NnEpoch *epoch = &report->epoch[i];
		double		numbers[4] = {
			epoch->loss, epoch->validation_loss, epoch->learning_rate, epoch->gradient_norm
		};
		Datum		values[7] = {0};
		bool		nulls[7] = {false};

		nulls[5] = nulls[6] = true;
		values[0] = Int32GetDatum((int32) i + 1);
		for (int k = 0; k < 4; k++)
		{
			values[k + 1] = Float8GetDatum(numbers[k]);
			nulls[k + 1] = isnan(numbers[k]);
		}
		result_put(rows, values, nulls);
	}
	call_memory_end(memory);
	return (Datum) 0;
}

/* ------------------------------------------------------------------------
 * The library itself
 */

Datum
lstm_version(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(LSTM_VERSION));
}

Datum
lstm_kernels_in_use(PG_FUNCTION_ARGS)
{
	PG_RETURN_TEXT_P(cstring_to_text(env_kernels()->name));
}
