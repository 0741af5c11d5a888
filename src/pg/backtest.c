/*
 * backtest.c
 *		lstm.backtest: a model trained on parts of the past, beside classical methods.
 *
 * Stores nothing.  Costs a training for each fold.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "pgstat.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "pg/env.h"
#include "pg/folds.h"
#include "pg/model_run.h"
#include "pg/progress.h"

PG_FUNCTION_INFO_V1(lstm_backtest);

/* Arguments; the first eleven are those of lstm.train from source on. */
enum
{
	ARG_FOLDS = 11, ARG_STRIDE, ARG_GAP, ARG_EXPANDING, ARG_LEVEL
};

#define RESULT_COLUMNS 17

static const Metric columns[] = {
	METRIC_MAE, METRIC_MSE, METRIC_RMSE, METRIC_MAPE, METRIC_SMAPE, METRIC_MASE, METRIC_RMSSE,
	METRIC_COVERAGE, METRIC_WINKLER, METRIC_CRPS, METRIC_SKILL
};

static void
settings_read(FunctionCallInfo fcinfo, uint32 horizon, FoldSettings *settings)
{
	settings->folds = argument_number(fcinfo, ARG_FOLDS, "folds", 1, FOLDS_MOST);
	settings->stride = argument_steps(fcinfo, ARG_STRIDE, "stride", horizon);
	settings->gap = argument_number(fcinfo, ARG_GAP, "gap", 0, NN_MAX_STEPS);
	if (PG_ARGISNULL(ARG_EXPANDING))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"expanding\" must not be null")));
	settings->expanding = PG_GETARG_BOOL(ARG_EXPANDING);
}

/* Seen by others in pg_stat_activity.query while the statement runs. */
static void
progress_show(uint32 fold, uint32 folds)
{
	const char *query = debug_query_string ? debug_query_string : "";
	char	   *activity = psprintf("lstm.backtest: fold %u of %u -- %.*s", fold, folds,
									pg_mbcliplen(query, (int) strnlen(query, 1024), 512), query);

	pgstat_report_activity(STATE_RUNNING, activity);
	pfree(activity);
	progress_part(psprintf("fold %u of %u", fold, folds), fold - 1, folds);
}

/* The row of a method; fold NULL: over all folds. */
static void
row_put(ReturnSetInfo *rsinfo, const FoldPlan *plan, FoldMethod method, const uint32 *fold,
		const MetricSums *sums, uint64 rows)
{
	uint32		ntargets = (uint32) plan->roles->ntargets;
	Metrics    *each = palloc(sizeof(Metrics) * ntargets);
	Metrics		all;
	Datum		values[RESULT_COLUMNS] = {0};
	bool		nulls[RESULT_COLUMNS] = {false};

	for (uint32 k = 0; k < ntargets; k++)
		each[k] = metrics_of(&sums[k]);
	all = metrics_average(each, ntargets);
	values[0] = CStringGetTextDatum(fold_method_name(method));
	values[2] = Int64GetDatum((int64) all.n);
	for (size_t i = 0; i < lengthof(columns); i++)
		result_float(all.value[columns[i]], &values[3 + i], &nulls[3 + i]);
	nulls[1] = nulls[14] = nulls[15] = nulls[16] = true;
	if (fold != NULL)
	{
		bool		integer = plan->data->kind == NN_TIME_INTEGER;
		uint32		row = plan->fold[*fold].row;

		nulls[1] = nulls[16] = false;
		values[1] = Int32GetDatum((int32) *fold + 1);
		nulls[14] = integer;
		if (!integer)
			values[14] = TimestampTzGetDatum(source_instant(plan->data, plan->series, row));
		nulls[15] = !integer;
		if (integer)
			values[15] = Int64GetDatum(source_time(plan->data, plan->series, row));
		values[16] = Int64GetDatum((int64) rows);
	}
	result_put(rsinfo, values, nulls);
	pfree(each);
}

static void
rows_put(ReturnSetInfo *rsinfo, const FoldPlan *plan, FoldResult *const *results)
{
	uint32		ntargets = (uint32) plan->roles->ntargets;
	bool		joint = false;

	for (uint32 f = 0; f < plan->folds; f++)
		joint = joint || results[f]->joint;
	for (int m = 0; m < FOLD_METHODS; m++)
	{
		MetricSums *sums = palloc0(sizeof(MetricSums) * ntargets);

		if (m == FOLD_MODEL && !joint)
			continue;
		for (uint32 f = 0; f < plan->folds; f++)
		{
			row_put(rsinfo, plan, (FoldMethod) m, &f, results[f]->sums[m], results[f]->rows);
			for (uint32 k = 0; k < ntargets; k++)
				metrics_merge(&sums[k], &results[f]->sums[m][k]);
		}
		row_put(rsinfo, plan, (FoldMethod) m, NULL, sums, 0);
	}
}

Datum
lstm_backtest(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = result_begin(fcinfo);
	CallMemory	memory = call_memory_begin();
	const NnEnv *env = env_create(memory.own);
	double		level = argument_level(fcinfo, ARG_LEVEL);
	uint32		horizon = argument_steps(fcinfo, 4, "horizon", 1);
	FoldSettings settings;
	TrainCall  *call;
	NnSpec	   *spec;
	bool		split_given;
	SourceData *data;
	FoldPlan   *plan;
	FoldResult **results;

	progress_begin("backtest", "", 0);
	settings_read(fcinfo, horizon, &settings);
	call = train_call_open(env, fcinfo, 0);
	train_call_refuse_transfer(env, call);
	spec = train_call_spec(env, call, call->options, &split_given);
	progress_phase("reading rows");
	data = train_call_read(env, call, spec);
	progress_rows(data->rows);
	plan = folds_plan(env, data, &call->source->roles, horizon,
					  folds_needed(spec, call->context_given, data->series.nseries), level, &settings);
	results = NN_NEW_ARRAY(env, FoldResult *, plan->folds);
	for (uint32 f = 0; f < plan->folds; f++)
	{
		progress_show(f + 1, plan->folds);
		results[f] = fold_result(env, spec->ntargets);
		fold_run(plan, f, spec, call->context_given, split_given, spec->season, true, results[f]);
	}
	pgstat_report_activity(STATE_RUNNING, debug_query_string);
	progress_end();
	rows_put(rsinfo, plan, results);
	call_memory_end(memory);
	return (Datum) 0;
}
