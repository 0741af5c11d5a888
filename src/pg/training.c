/*
 * training.c
 *		From series on a grid to a trained model: what train and fit share.
 *
 * The order: season and settings from the rows, a trial of them on
 * time-ordered folds (trial.c), simple members and their weights on the rows that
 * the trial judged (joint.c), widths of intervals from the errors there, and last
 * the networks that stay.  Memory beyond the rows is planned by the core and
 * refused above lstm.max_memory.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"

#include "core/nn_auto.h"
#include "pg/env.h"
#include "pg/joint.h"
#include "pg/progress.h"
#include "pg/skip.h"
#include "pg/training.h"
#include "pg/trial.h"

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

const char *
training_series_label(const NnSeries *series, uint32_t s)
{
	return series->name[s][0] == '\0' ? "the source" : psprintf("series \"%s\"", series->name[s]);
}

/*
 * Every series needs rows for a window; of padded ones, one with windows is enough, and
 * the others are forecast with what was learned from it.
 */
static void
lengths_check(const NnSpec *spec, const NnSeries *series)
{
	uint32_t	needed = nn_rows_needed(spec) + spec->horizon;

	for (uint32_t s = 0; s < series->nseries && spec->pad; s++)
		if (series->history[s] >= nn_rows_needed(spec) + spec->horizon)
			needed = nn_rows_least(spec) + 1;
	for (uint32_t s = 0; s < series->nseries; s++)
	{
		if (series->history[s] == 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("%s has no known value of its target", training_series_label(series, s)),
					 series->name[s][0] == '\0' ?
					 errhint("Rows to learn from need numbers in the target column.") :
					 errhint("Leave it out of the source.")));
		if (series->history[s] < needed && spec->pad)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("%s has %u rows, but %u are needed", training_series_label(series, s),
							series->history[s], needed),
					 errdetail("Learning from padded windows takes %u rows and horizon %u, being forecast "
							   "beside them %u.", nn_rows_needed(spec), spec->horizon,
							   nn_rows_least(spec) + 1),
					 series->name[s][0] == '\0' ?
					 errhint("Use a shorter horizon, or give more rows.") :
					 errhint("Give more rows, or leave the series out of the source.")));
		if (series->history[s] < needed)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("%s has %u rows, but context %u%s horizon %u%s need at least %u",
							training_series_label(series, s), series->history[s], spec->context,
							spec->difference == 0 ? " and" : ",", spec->horizon,
							spec->difference == 0 ? "" :
							psprintf(" and difference %u", spec->difference), needed),
					 series->name[s][0] == '\0' ?
					 errhint("Use a shorter context or horizon, or give more rows.") :
					 errhint("Use a shorter context or horizon, or leave the series out of the source.")));
	}
}

/* ------------------------------------------------------------------------
 * The whole
 */

/* Time of the newest row of all series. */
static int64
newest_time(const SourceData *data)
{
	int64		newest = PG_INT64_MIN;

	for (uint32_t s = 0; s < data->series.nseries; s++)
		newest = Max(newest, source_time(data, s, (int64) data->series.history[s] - 1));
	return newest;
}

static NnModel *
model_assemble(const NnEnv *env, const TrainingInput *input, const Trial *trial)
{
	const SourceData *data = input->data;
	const SourceRoles *roles = input->roles;
	NnModel    *model = NN_NEW(env, NnModel);

	model->spec = *trial->spec;
	model->time_kind = data->kind;
	model->frequency = data->frequency;
	/* Only time stamps with time zone depend on it. */
	model->zone = nn_strdup(env, data->kind == NN_TIME_TIMESTAMPTZ ? data->zone : "");
	model->trained_to = newest_time(data);
	model->time_column = nn_strdup(env, roles->time_column ? roles->time_column : "");
	model->target = roles->target;
	model->past = roles->past;
	model->future = roles->future;
	model->statics = roles->statics;
	model->nstatic_columns = data->nstatic;
	model->categories = unconstify(NnCategories *, data->categories);
	model->nseries_columns = roles->nseries;
	model->series_column = roles->series;
	model->nseries = data->series.nseries;
	model->series = NN_NEW_ARRAY(env, char *, model->nseries);
	for (uint32_t s = 0; s < model->nseries; s++)
		model->series[s] = nn_strdup(env, data->series.name[s]);
	model->sites = data->sites;
	model->geom_column = nn_strdup(env, roles->geom ? roles->geom : "");
	model->prep = trial->prep;
	model->report = trial->report;
	model->report.rows = data->rows;
	skips_report(env, unconstify(SourceData *, data), &model->report);
	model->report.out_of_time = trial->stopped;
	model->nparams = trial->nparams;
	return model;
}

/* Without a validation part there is nothing to choose, stop or calibrate on. */
static void
validation_check(const TrainingInput *input)
{
	NnSpec	   *spec = input->spec;
	const NnSeries *series = &input->data->series;

	for (uint32_t s = 0; s < series->nseries; s++)
		if (trial_can_judge(spec, series->history[s]))
			return;
	if (spec->validation_split <= 0)
	{
		spec->folds = 1;
		return;
	}
	if (input->split_given)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("no series is long enough for a validation part beside context %u and horizon %u",
						spec->context, spec->forecast_horizon),
				 errhint("Set \"validation_split\" to 0, or use a shorter context.")));
	ereport(NOTICE,
			(errmsg("too few rows for a validation part: training on all of them"),
			 errdetail("There is no early stopping, no interval and no skill to report.")));
	spec->validation_split = 0;
	spec->patience = 0;
	spec->refit = false;
	spec->folds = 1;
}

/* A horizon too long for the rows is learned in part only. */
static void
horizon_notice(const TrainingInput *input)
{
	const NnSpec *spec = input->spec;

	if (input->label == NULL || spec->horizon == spec->forecast_horizon ||
		spec->form.head == NN_HEAD_RECURSIVE)
		return;
	ereport(NOTICE,
			(errmsg("model \"%s\" learns %u of the %u steps of its horizon", input->label,
					spec->horizon, spec->forecast_horizon),
			 errdetail("The rows are too few for more: it goes on from its own forecasts."),
			 errhint("Use a shorter horizon, or give more rows; lstm.evaluate says how good later "
					 "steps are.")));
}

/* What is chosen, trained and judged on the folds. */
static Trial *
choice_try(const NnEnv *env, TrainingInput *input, const TrialClock *clock)
{
	const NnSeries *series = &input->data->series;
	TrialClock	share = *clock;

	input->spec = nn_auto_choose(env, input->spec, series, input->context_given);
	lengths_check(input->spec, series);
	horizon_notice(input);
	validation_check(input);
	nn_spec_expand(env, input->spec);
	if (nn_spec_has(input->spec, "embedding"))
		input->spec->nseries = series->nseries;
	/* The rest is for the networks that stay. */
	share.seconds *= trial_share(input->spec);
	return trial_run(env, input, input->spec, &share);
}

NnModel *
training_run(const NnEnv *env, TrainingInput *input)
{
	const SourceData *data = input->data;
	TrialClock	clock = {.seconds = lstm_train_seconds};
	Trial	   *trial;
	nn_real    *params;
	NnModel    *model;

	INSTR_TIME_SET_CURRENT(clock.start);
	roles_check_names(input->roles, data->series.name, data->series.nseries);
	if (input->spec->season == 0)
		input->spec->season = nn_auto_season(env, &data->series, input->spec->ntargets,
											 &data->frequency);
	trial = choice_try(env, input, &clock);
	params = trial_networks(env, input, trial, &clock);
	progress_phase("weighing members");
	model = model_assemble(env, input, trial);
	model->params = params;
	joint_fit(env, input, trial, model);
	return model;
}
