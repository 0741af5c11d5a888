/*
 * training.c
 *		From series on a grid to a trained model: what train and fit share.
 *
 * Rows of a series are cut once, in time order: the last validation_split of
 * them are the validation part.  A training window's targets all lie before the
 * cut, a validation window's all after it (its context may reach back).  Memory
 * beyond the rows is planned by the core and refused above lstm.max_memory.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "tcop/tcopprot.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "core/nn_baseline.h"
#include "core/nn_forecast.h"
#include "core/nn_tile.h"
#include "core/nn_train.h"
#include "pg/env.h"
#include "pg/parallel.h"
#include "pg/training.h"

/* Windows judged after training at the most; more are taken evenly spaced. */
#define JUDGED_WINDOWS 20000

typedef struct Split
{
	uint32_t   *train_rows;		/* [nseries] rows before the cut */
	uint32_t   *zero, *history; /* [nseries] */
	NnWindow   *train, *validation;
	uint32_t	ntrain, nvalidation;
} Split;

NnJson *
training_options_parse(const NnEnv *env, Datum jsonb)
{
	char	   *text = DatumGetCString(DirectFunctionCall1(jsonb_out, jsonb));

	return nn_json_parse(env, text, strlen(text), "options", NN_BAD_VALUE);
}

void
training_options(const NnEnv *env, const NnJson *options, NnSpec *spec, bool *split_given)
{
	nn_spec_parse(env, options, spec);
	*split_given = options != NULL && nn_json_member(options, "validation_split") != NULL;
	if (options == NULL || nn_json_member(options, "progress") == NULL)
		spec->progress = (uint32_t) lstm_progress;
}

/* What to call a series in a message. */
static const char *
series_label(const NnSeries *series, uint32_t s)
{
	return series->name[s][0] == '\0' ? "the source" : psprintf("series \"%s\"", series->name[s]);
}

/*
 * Two seasons of context where that leaves enough windows, else a third of the
 * shortest series; 16 steps where there is no season.
 */
static uint32_t
context_default(const NnSpec *spec, const NnSeries *series)
{
	uint32_t	context = spec->season > 1 ? 2 * spec->season : 16,
				shortest = PG_UINT32_MAX;

	for (uint32_t s = 0; s < series->nseries; s++)
		shortest = Min(shortest, series->history[s]);
	shortest = shortest > spec->horizon ? shortest - spec->horizon : 1;
	context = Min(context, 96);
	return Max(1, Min(context, shortest / 3));
}

static void
lengths_check(const NnSpec *spec, const NnSeries *series)
{
	for (uint32_t s = 0; s < series->nseries; s++)
	{
		if (series->history[s] == 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("%s has no known value of its target", series_label(series, s)),
					 series->name[s][0] == '\0' ?
					 errhint("Rows to learn from need numbers in the target column.") :
					 errhint("Leave it out of the source.")));
		if (series->history[s] < spec->context + spec->horizon + spec->difference)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("%s has %u rows, but context %u%s horizon %u%s need at least %u",
							series_label(series, s), series->history[s], spec->context,
							spec->difference == 0 ? " and" : ",", spec->horizon,
							spec->difference == 0 ? "" :
							psprintf(" and difference %u", spec->difference),
							spec->context + spec->horizon + spec->difference),
					 series->name[s][0] == '\0' ?
					 errhint("Use a shorter context or horizon, or give more rows.") :
					 errhint("Use a shorter context or horizon, or leave the series out of the source.")));
	}
}

/* Rows of a series kept for validation; 0 when it is too short to spare any. */
static uint32_t
validation_rows(const NnSpec *spec, uint32_t history)
{
	uint32_t	rows = (uint32_t) (spec->validation_split * history);

	if (spec->validation_split <= 0)
		return 0;
	rows = Max(rows, spec->horizon);
	return rows + spec->context + spec->horizon + spec->difference <= history ? rows : 0;
}

static void
split_rows(const NnEnv *env, const TrainingInput *input, Split *split)
{
	const NnSeries *series = &input->data->series;
	bool		any = false;

	split->train_rows = NN_NEW_ARRAY(env, uint32_t, series->nseries);
	split->zero = NN_NEW_ARRAY(env, uint32_t, series->nseries);
	split->history = NN_NEW_ARRAY(env, uint32_t, series->nseries);
	for (uint32_t s = 0; s < series->nseries; s++)
	{
		uint32_t	kept = validation_rows(input->spec, series->history[s]);

		any = any || kept > 0;
		split->history[s] = series->history[s];
		split->train_rows[s] = series->history[s] - kept;
	}
	if (any || input->spec->validation_split <= 0)
		return;
	if (input->split_given)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("no series is long enough for a validation part beside context %u and horizon %u",
						input->spec->context, input->spec->horizon),
				 errhint("Set \"validation_split\" to 0, or use a shorter context.")));
	ereport(NOTICE,
			(errmsg("too few rows for a validation part: training on all of them"),
			 errdetail("There is no early stopping and no skill to report.")));
	input->spec->validation_split = 0;
	input->spec->patience = 0;
}

static void
split_windows(const NnEnv *env, const NnData *data, Split *split)
{
	split->ntrain = nn_windows_list(env, data, split->zero, split->train_rows, 1, true,
									&split->train);
	split->nvalidation = nn_windows_list(env, data, split->train_rows, split->history, 1, true,
										 &split->validation);
	if (split->ntrain == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("no training window has a known target"),
				 errhint("There are too many missing values; look at the source's target column.")));
}

/* Every window needs its known-future covariates. */
static void
future_check(const NnData *data, const NnWindow *windows, uint32_t n)
{
	for (uint32_t i = 0; i < n; i++)
	{
		uint32_t	column;
		uint32_t	row = nn_future_missing(data, &windows[i], data->spec->horizon, &column);
		const NnSeries *series = data->series;

		CHECK_FOR_INTERRUPTS();
		if (row != 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("future covariate \"%s\" is unknown at %s in %s",
							series->column[data->spec->ntargets + data->spec->npast + column],
							series->row_name(series->row_name_host, row),
							series_label(series, windows[i].series)),
					 errhint("Future covariates must be known in every row.")));
	}
}

/* ------------------------------------------------------------------------
 * Progress
 */

typedef struct Progress
{
	const char *label;
	uint32_t	every;
	const char *query;			/* what pg_stat_activity showed before */
} Progress;

static void
progress_show(void *host, const NnTrainer *trainer, uint32_t epoch)
{
	Progress   *progress = host;
	const NnEpoch *log = &trainer->report.epoch[epoch];
	char		line[256];
	char	   *activity;
	int			n;

	n = snprintf(line, sizeof(line), "epoch %u of %u, loss %.6g", epoch + 1,
				 trainer->spec->epochs, log->loss);
	if (trainer->nvalidation > 0)
		snprintf(line + n, sizeof(line) - n, ", validation loss %.6g", log->validation_loss);
	if (progress->every > 0 && (epoch + 1) % progress->every == 0)
		ereport(NOTICE, (errmsg("model \"%s\": %s", progress->label, line)));
	/* Seen by others in pg_stat_activity.query while the statement runs. */
	activity = psprintf("lstm.train \"%s\": %s -- %.*s", progress->label, line,
						pg_mbcliplen(progress->query, (int) strnlen(progress->query, 1024), 512),
						progress->query);
	pgstat_report_activity(STATE_RUNNING, activity);
	pfree(activity);
}

static void
epochs_run(const TrainingInput *input, NnTrainer *trainer)
{
	Progress	progress = {input->label, input->spec->progress,
	debug_query_string ? debug_query_string : ""};
	uint32		control = compute_begin();

	if (input->label != NULL)
	{
		trainer->on_epoch = progress_show;
		trainer->host = &progress;
	}
	PG_TRY();
	{
		parallel_train(trainer);
	}
	PG_FINALLY();
	{
		compute_end(control);
		if (input->label != NULL)
			pgstat_report_activity(STATE_RUNNING, debug_query_string);
	}
	PG_END_TRY();
}

/* ------------------------------------------------------------------------
 * Judging on the validation part, beside the seasonal-naive forecast
 */

typedef struct Judgement
{
	double		model_error, baseline_error, baseline_loss;
	uint64_t	n;
} Judgement;

/* The loss of one error on the scaled axis, where it depends on the error alone. */
static double
point_loss(const NnSpec *spec, double error)
{
	double		size = fabs(error),
				sum = 0;

	switch (spec->loss)
	{
		case NN_LOSS_MSE:
			return error * error;
		case NN_LOSS_MAE:
			return size;
		case NN_LOSS_HUBER:
			return size <= spec->huber_delta ? 0.5 * error * error :
				spec->huber_delta * (size - 0.5 * spec->huber_delta);
		case NN_LOSS_QUANTILE:
			for (uint32_t q = 0; q < spec->nquantiles; q++)
				sum += error > 0 ? spec->quantile[q] * error : (spec->quantile[q] - 1) * error;
			return sum / spec->nquantiles;
		default:
			return NAN;
	}
}

static void
judge_window(const NnData *data, const NnWindow *window, const double *forecast,
			 double *baseline, Judgement *judgement)
{
	const NnSpec *spec = data->spec;
	const NnSeries *series = data->series;
	uint32_t	group = data->group[window->series];

	for (uint32_t k = 0; k < spec->ntargets; k++)
	{
		nn_baseline_forecast(series, NN_BASELINE_SEASONAL, spec->season, window->series,
							 window->origin, spec->horizon, k, baseline);
		for (uint32_t h = 0; h < spec->horizon; h++)
		{
			double		actual = series->value[(size_t) (window->origin + 1 + h) * series->C + k];

			if (isnan(actual) || isnan(baseline[h]))
				continue;
			judgement->n++;
			judgement->model_error += fabs(actual - forecast[h * spec->ntargets + k]);
			judgement->baseline_error += fabs(actual - baseline[h]);
			judgement->baseline_loss +=
				point_loss(spec, (actual - baseline[h]) /
						   data->prep->scale[(size_t) group * data->prep->C + k]);
		}
	}
}

/* Refuses a network that cannot be judged before its epochs are lost to that. */
static void
judge_check(const NnSpec *spec, const NnTrainer *trainer)
{
	CallMemory	memory = call_memory_begin();

	(void) nn_forecaster_create(env_create(memory.own), spec, trainer->kernels, trainer->params,
								NN_TILE_LANES, spec->horizon);
	call_memory_end(memory);
}

static void
judge(const NnEnv *env, NnTrainer *trainer, const NnData *data, const Split *split,
	  NnReport *report)
{
	const NnSpec *spec = data->spec;
	uint32_t	values = spec->horizon * spec->ntargets,
				stride = Max(1, split->nvalidation / JUDGED_WINDOWS),
				lanes = NN_TILE_LANES;
	double	   *point = NN_NEW_ARRAY(env, double, (size_t) lanes * values),
			   *baseline = NN_NEW_ARRAY(env, double, spec->horizon);
	NnWindow	batch[NN_TILE_LANES];
	Judgement	judgement = {0, 0, 0, 0};
	NnForecaster *forecaster = nn_forecaster_create(env, spec, trainer->kernels, trainer->params,
													lanes, spec->horizon);

	for (uint32_t first = 0; first < split->nvalidation;)
	{
		uint32_t	n = 0;

		for (; n < lanes && first < split->nvalidation; first += stride)
			batch[n++] = split->validation[first];
		nn_forecast(forecaster, data, batch, n, spec->horizon, 0, point, NULL, NULL);
		for (uint32_t i = 0; i < n; i++)
			judge_window(data, &batch[i], point + (size_t) i * values, baseline, &judgement);
	}
	if (judgement.n == 0)
		return;
	report->mae = judgement.model_error / judgement.n;
	report->baseline_mae = judgement.baseline_error / judgement.n;
	if (report->baseline_mae > 0)
		report->skill = 1 - report->mae / report->baseline_mae;
	/* Differences and logarithms have a loss axis of their own. */
	if (spec->difference == 0 && spec->scaling != NN_SCALING_LOG1P)
		report->baseline_loss = judgement.baseline_loss / judgement.n;
}

/* ------------------------------------------------------------------------
 * The whole
 */

static NnModel *
model_assemble(const NnEnv *env, const TrainingInput *input, NnTrainer *trainer,
			   const NnPrep *prep, const Split *split)
{
	const SourceData *data = input->data;
	const SourceRoles *roles = input->roles;
	NnModel    *model = NN_NEW(env, NnModel);

	model->spec = *input->spec;
	model->time_kind = data->kind;
	model->frequency = data->frequency;
	/* Only time stamps with time zone depend on it. */
	model->zone = nn_strdup(env, data->kind == NN_TIME_TIMESTAMPTZ ? data->zone : "");
	model->time_column = nn_strdup(env, roles->time_column ? roles->time_column : "");
	model->target = roles->target;
	model->past = roles->past;
	model->future = roles->future;
	model->statics = roles->statics;
	model->nseries_columns = roles->nseries;
	model->series_column = roles->series;
	model->nseries = data->series.nseries;
	model->series = NN_NEW_ARRAY(env, char *, model->nseries);
	for (uint32_t s = 0; s < model->nseries; s++)
		model->series[s] = nn_strdup(env, data->series.name[s]);
	model->prep = unconstify(NnPrep *, prep);
	model->report = trainer->report;
	model->report.rows = data->rows;
	model->report.train_windows = split->ntrain;
	model->report.validation_windows = split->nvalidation;
	model->nparams = trainer->plan->nparams;
	model->params = trainer->params;
	return model;
}

NnModel *
training_run(const NnEnv *env, TrainingInput *input)
{
	NnSpec	   *spec = input->spec;
	const SourceData *data = input->data;
	Split		split = {0};
	NnPrep	   *prep;
	NnData	   *prepared;
	NnPlan	   *plan;
	NnTrainer  *trainer;
	uint32_t   *group;

	roles_check_names(input->roles, data->series.name, data->series.nseries);
	if (spec->season == 0)
		spec->season = nn_season_default(&data->frequency);
	if (!input->context_given)
		spec->context = context_default(spec, &data->series);
	lengths_check(spec, &data->series);
	split_rows(env, input, &split);
	/* The plan first: a network that does not fit is refused before any work. */
	plan = nn_plan_build(env, spec, env_kernels(), nn_tile_lanes(spec->batch_size));
	prep = nn_prep_fit(env, spec, &data->series, split.train_rows);
	group = NN_NEW_ARRAY(env, uint32_t, data->series.nseries);
	for (uint32_t s = 0; spec->scale_by_series && s < data->series.nseries; s++)
		group[s] = s;
	prepared = nn_data_prepare(env, spec, prep, &data->series, group);
	split_windows(env, prepared, &split);
	future_check(prepared, split.train, split.ntrain);
	future_check(prepared, split.validation, split.nvalidation);
	trainer = nn_trainer_create(env, spec, plan, env_kernels(), prepared, split.train,
								split.ntrain, split.validation, split.nvalidation);
	trainer->report.mae = trainer->report.baseline_mae = trainer->report.skill = NAN;
	trainer->report.baseline_loss = NAN;
	judge_check(spec, trainer);
	epochs_run(input, trainer);
	judge(env, trainer, prepared, &split, &trainer->report);
	return model_assemble(env, input, trainer, prep, &split);
}
