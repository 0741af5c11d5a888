/*
 * trial.c
 *		One choice of settings, trained and judged on parts of the past.
 *
 * Costs what its epochs cost, and a forecast of each judged window.  Every
 * training has a memory context of its own, given back at its end.
 */
#include "postgres.h"

#include <math.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pgstat.h"
#include "tcop/tcopprot.h"
#include "utils/memutils.h"

#include "core/nn_array.h"
#include "core/nn_baseline.h"
#include "core/nn_loss.h"
#include "core/nn_predict.h"
#include "core/nn_tile.h"
#include "pg/env.h"
#include "pg/parallel.h"
#include "pg/progress.h"
#include "pg/transfer.h"
#include "pg/trial.h"

/* Forecast values judged at the most; windows are taken evenly spaced. */
#define JUDGED_VALUES 400000
#define JUDGED_WINDOWS 20000

/* Seconds that a call may take before it tells of its progress unasked. */
#define PATIENCE 2

/* One training: everything lives in the context of its own. */
typedef struct Fit
{
	const NnEnv *env;
	const NnSpec *spec;
	NnPrep	   *prep;
	NnData	   *data;
	NnPlan	   *plan;
	NnTrainer  *trainer;
	NnWindow   *train, *validation;
	uint32_t	ntrain, nvalidation;
} Fit;

/* ------------------------------------------------------------------------
 * Progress and time
 */

typedef struct Progress
{
	const char *label;			/* NULL: silent */
	const char *part;			/* of several trainings, or NULL */
	bool		patient;		/* says nothing before PATIENCE seconds have passed */
	uint32_t	every;
	const char *query;			/* what pg_stat_activity showed before */
	const TrialClock *clock;
	uint32_t	step, steps;	/* done in this epoch, of */
} Progress;

static void
progress_show(void *host, const NnTrainer *trainer, uint32_t epoch)
{
	Progress   *progress = host;
	const NnEpoch *log = &trainer->report.epoch[epoch];
	char		line[256];
	char	   *activity;
	bool		told = progress->every > 0 &&
		!(progress->patient && seconds_since(progress->clock->start) < PATIENCE);
	int			n;

	progress->step = 0;
	progress_epoch(epoch, log);
	if (progress->label == NULL)
		return;
	n = snprintf(line, sizeof(line), "epoch %u of %u, loss %.6g", epoch + 1,
				 trainer->epochs, log->loss);
	if (trainer->nvalidation > 0)
		snprintf(line + n, sizeof(line) - n, ", validation loss %.6g", log->validation_loss);
	/* Of several trainings one line each is enough, and none where all of them are quick. */
	if (told && progress->part == NULL && (epoch + 1) % progress->every == 0)
		ereport(NOTICE, (errmsg("model \"%s\": %s", progress->label, line)));
	if (told && progress->part != NULL && epoch + 1 == trainer->epochs)
		ereport(NOTICE, (errmsg("model \"%s\", %s: %s", progress->label, progress->part, line)));
	/* Seen by others in pg_stat_activity.query while the statement runs. */
	activity = psprintf("lstm.train \"%s\": %s -- %.*s", progress->label, line,
						pg_mbcliplen(progress->query, (int) strnlen(progress->query, 1024), 512),
						progress->query);
	pgstat_report_activity(STATE_RUNNING, activity);
	pfree(activity);
}

/* Asked before each step but the very first. */
static bool
clock_expired(void *host)
{
	Progress   *progress = host;
	const TrialClock *clock = progress->clock;

	progress_step(progress->step++, progress->steps);
	return clock->seconds > 0 && seconds_since(clock->start) > clock->seconds;
}

/* For the next of so many trainings that are left: an equal share of the time that is. */
static TrialClock
clock_share(const TrialClock *clock, uint32_t left)
{
	TrialClock	share = *clock;
	double		elapsed = clock->seconds > 0 ? seconds_since(clock->start) : 0;

	if (elapsed < clock->seconds)
		share.seconds = elapsed + (clock->seconds - elapsed) / left;
	return share;
}

/* Trainings of one fold. */
static uint32_t
fold_trainings(const NnSpec *spec)
{
	return spec->folds > 1 ? spec->ensemble_size : 1;
}

/* Trainings after those of the folds. */
static uint32_t
later_trainings(const NnSpec *spec)
{
	return spec->ensemble_size - (spec->refit ? 0 : fold_trainings(spec));
}

/* Steps of an epoch, as the trainer takes them. */
static uint32_t
epoch_steps(const NnTrainer *trainer)
{
	const NnSpec *spec = trainer->spec;
	uint32_t	all = (trainer->ntrain - 1) / spec->batch_size + 1;

	return spec->steps_per_epoch > 0 ? Min(spec->steps_per_epoch, all) : all;
}

double
trial_share(const NnSpec *spec)
{
	double		trials = (double) spec->folds * fold_trainings(spec);

	return trials / (trials + later_trainings(spec));
}

static void
epochs_run(const TrainingInput *input, NnTrainer *trainer, const TrialClock *clock)
{
	const NnSpec *spec = input->spec;
	Progress	progress = {.label = input->label, .part = input->part, .every = spec->progress,
		.patient = !nn_spec_given(spec, "progress") && !nn_spec_given(spec, "layers") &&
			(!nn_spec_form_given(spec) || spec->form.architecture == NN_ARCHITECTURE_SEASONAL),
	.query = debug_query_string ? debug_query_string : "", .clock = clock,
	.step = 1, .steps = epoch_steps(trainer)};
	uint32		control = compute_begin();

	progress_training(input->part, trainer->epochs,
					  clock->seconds > 0 ? clock->seconds - seconds_since(clock->start) : 0);
	trainer->on_epoch = progress_show;
	trainer->expired = clock_expired;
	trainer->host = &progress;
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
 * One training
 */

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
							training_series_label(series, windows[i].series)),
					 errhint("Future covariates must be known in every row.")));
	}
}

/*
 * Where epochs are cut short, so are the looks at the validation part: to half of an
 * epoch's windows, evenly spaced.
 */
static void
validation_thin(Fit *fit)
{
	uint64		most = (uint64) fit->spec->steps_per_epoch * fit->spec->batch_size / 2;
	uint32_t	stride,
				n = 0;

	most = Max(most, 1024);
	if (fit->spec->steps_per_epoch == 0 || fit->nvalidation <= most)
		return;
	stride = (uint32_t) ((fit->nvalidation + most - 1) / most);
	for (uint32_t i = 0; i < fit->nvalidation; i += stride)
		fit->validation[n++] = fit->validation[i];
	fit->nvalidation = n;
}

/* Prepares the rows before cut for training and those up to end for judging. */
static void
fit_prepare(Fit *fit, const TrainingInput *input, const TrialFold *fold)
{
	const NnSeries *series = &input->data->series;
	uint32_t   *zero = NN_NEW_ARRAY(fit->env, uint32_t, series->nseries),
			   *group = NN_NEW_ARRAY(fit->env, uint32_t, series->nseries);

	/* The plan first: a network that does not fit is refused before any work. */
	fit->plan = nn_plan_build(fit->env, fit->spec, env_kernels(),
							  nn_tile_lanes(fit->spec->batch_size));
	fit->prep = nn_prep_fit(fit->env, fit->spec, series, fold->cut);
	for (uint32_t s = 0; fit->spec->scale_by_series && s < series->nseries; s++)
		group[s] = s;
	fit->data = nn_data_prepare(fit->env, fit->spec, fit->prep, series, group);
	fit->ntrain = nn_windows_list(fit->env, fit->data, zero, fold->cut, 1, true, &fit->train);
	fit->nvalidation = nn_windows_list(fit->env, fit->data, fold->cut, fold->end, 1, true,
									   &fit->validation);
	validation_thin(fit);
	if (fit->ntrain == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("no training window has a known target"),
				 errhint("There are too many missing values; look at the source's target column.")));
	future_check(fit->data, fit->train, fit->ntrain);
	future_check(fit->data, fit->validation, fit->nvalidation);
}

/* One network as a model that can forecast on its own. */
static NnModel *
network_model(const NnEnv *env, const NnSpec *spec, const NnPlan *plan, nn_real *params)
{
	NnModel    *model = NN_NEW(env, NnModel);

	model->spec = *spec;
	model->spec.members = NN_MEMBER_NETWORK;
	model->spec.ensemble_size = 1;
	model->nparams = plan->nparams;
	model->params = params;
	return model;
}

/* Refuses a network that cannot be judged before its epochs are lost to that. */
static void
judge_check(const NnSpec *spec, const NnTrainer *trainer)
{
	CallMemory	memory = call_memory_begin();
	const NnEnv *env = env_create(memory.own);

	(void) nn_predictor_create(env, network_model(env, spec, trainer->plan, trainer->params),
							   trainer->kernels, nn_forecast_windows(spec), spec->forecast_horizon);
	call_memory_end(memory);
}

/* Runs the epochs; epochs 0: as many as the spec says. */
static void
fit_train(Fit *fit, TrainingInput *input, uint32_t epochs, const TrialClock *clock)
{
	fit->trainer = nn_trainer_create(fit->env, fit->spec, fit->plan, env_kernels(), fit->data,
									 fit->train, fit->ntrain, fit->validation, fit->nvalidation);
	if (epochs > 0)
		fit->trainer->epochs = epochs;
	transfer_begin(input, fit->trainer);
	judge_check(fit->spec, fit->trainer);
	epochs_run(input, fit->trainer, clock);
}

/* ------------------------------------------------------------------------
 * Judging
 */

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

/* Mean absolute seasonal change of the rows before end, at least a trace of the scale. */
static double
series_scale(const NnData *data, uint32_t s, uint32_t end, uint32_t k)
{
	double		scale = nn_mase_scale(data->series, s, end, data->spec->season, k),
				least = 1e-3 * data->prep->scale[(size_t) data->group[s] * data->prep->C + k];

	if (!(scale > 0))
		scale = nn_mase_scale(data->series, s, end, 1, k);
	return scale > least ? scale : least;
}

/* What is known of the i-th judged window beside the network's forecast. */
static void
window_fill(Trial *trial, const NnData *data, const TrialFold *fold, uint32_t i)
{
	const NnSpec *spec = data->spec;
	const NnSeries *series = data->series;
	const NnWindow *window = &trial->window[i];
	uint32_t	s = window->series,
				end = series->first[s] + fold->end[s];
	double	   *baseline = palloc(sizeof(double) * trial->steps);

	nn_window_units(data, window, trial->unit + (size_t) i * trial->G * NN_MEASURES);
	for (uint32_t k = 0; k < trial->G; k++)
	{
		double	   *scale = trial->scale + (size_t) i * trial->G + k;

		/* A pass over all rows: once for the windows of a series, which follow each other. */
		*scale = i > fold->first && trial->window[i - 1].series == s ? *(scale - trial->G) :
			series_scale(data, s, fold->cut[s], k);
		nn_baseline_forecast(series, NN_BASELINE_SEASONAL, spec->season, s, window->origin,
							 trial->steps, k, baseline);
		for (uint32_t h = 0; h < trial->steps; h++)
		{
			size_t		at = ((size_t) i * trial->steps + h) * trial->G + k,
						row = (size_t) window->origin + 1 + h;

			trial->actual[at] = row < end ? series->value[row * series->C + k] : NAN;
			trial->baseline[at] = baseline[h];
		}
	}
	pfree(baseline);
}

/* Arrays of all judged values that joint.c makes beside one for each member. */
#define JOINT_ARRAYS 4

/* Room for as many judged windows in each fold. */
static void
judged_create(const NnEnv *env, Trial *trial, uint32_t windows)
{
	const NnSpec *spec = trial->spec;
	size_t		values,
				bytes;

	trial->steps = spec->forecast_horizon;
	trial->G = spec->ntargets;
	windows *= trial->nfolds;
	values = nn_size_mul(env, nn_size_mul(env, windows, trial->steps), trial->G);
	bytes = nn_size_mul(env, values, sizeof(double) *
						(3 + 2 * nn_loss_has_interval(spec) + nn_member_count(spec) + JOINT_ARRAYS));
	if (bytes > env->max_memory)
		nn_fail(env, NN_NO_MEMORY,
				nn_format(env, "judging %u windows of %u steps needs %.1f MB of memory, above the limit "
						  "of %.1f MB", windows, trial->steps, bytes / 1048576.0,
						  env->max_memory / 1048576.0),
				"Raise \"lstm.max_memory\", or use a shorter horizon, fewer folds or fewer members.");
	trial->window = NN_NEW_ARRAY(env, NnWindow, windows);
	trial->actual = NN_NEW_ARRAY(env, double, values);
	trial->network = NN_NEW_ARRAY(env, double, values);
	trial->baseline = NN_NEW_ARRAY(env, double, values);
	trial->head = nn_loss_has_interval(spec) ? NN_NEW_ARRAY(env, double, 2 * values) : NULL;
	trial->unit = NN_NEW_ARRAY(env, double, (size_t) windows * trial->G * NN_MEASURES);
	trial->scale = NN_NEW_ARRAY(env, double, (size_t) windows * trial->G);
}

/* Windows of each fold that are judged at the most; no more than there are rows. */
static uint32_t
judged_most(const Trial *trial, const NnSeries *series)
{
	uint64		values = (uint64) trial->spec->forecast_horizon * trial->spec->ntargets,
				most = JUDGED_VALUES / values / trial->nfolds;

	most = Min(Max(most, 4), JUDGED_WINDOWS);
	return (uint32_t) Min(most, series->first[series->nseries]);
}

/* Forecasts of one network for the fold's windows, added to trial->network times share. */
static void
fold_forecast(const Fit *fit, Trial *trial, const TrialFold *fold, nn_real *params,
			  double share)
{
	NnModel    *model = network_model(fit->env, fit->spec, fit->plan, params);
	size_t		per = (size_t) trial->steps * trial->G;
	NnPredictor *predictor;
	double	   *point,
			   *head = NULL;
	uint32		control;

	model->prep = fit->prep;
	predictor = nn_predictor_create(fit->env, model, env_kernels(), nn_forecast_windows(fit->spec),
									trial->steps);
	point = NN_NEW_ARRAY(fit->env, double, fold->n * per);
	if (trial->head)
		head = NN_NEW_ARRAY(fit->env, double, 2 * fold->n * per);
	control = compute_begin();
	PG_TRY();
	{
		nn_predict_member(predictor, fit->data, trial->window + fold->first, fold->n,
						  trial->steps, 0, point, head);
	}
	PG_FINALLY();
	{
		compute_end(control);
	}
	PG_END_TRY();
	for (size_t v = 0; v < fold->n * per; v++)
	{
		size_t		at = fold->first * per + v;

		trial->network[at] += share * point[v];
		if (head)
		{
			trial->head[2 * at] += share * head[2 * v];
			trial->head[2 * at + 1] += share * head[2 * v + 1];
		}
	}
}

/* Loss of the baseline where the loss axis is that of the values. */
static double
fold_baseline_loss(const Fit *fit, const Trial *trial, const TrialFold *fold)
{
	const NnSpec *spec = fit->spec;
	size_t		per = (size_t) trial->steps * trial->G;
	double		sum = 0;
	uint64		n = 0;

	if (spec->difference > 0 || spec->scaling == NN_SCALING_LOG1P)
		return NAN;
	for (size_t v = fold->first * per; v < (fold->first + fold->n) * per; v++)
	{
		uint32_t	s = trial->window[v / per].series;
		double		error = trial->actual[v] - trial->baseline[v];

		if (isnan(error))
			continue;
		n++;
		sum += point_loss(spec, error / fit->prep->scale[(size_t) fit->data->group[s] *
														 fit->prep->C + v % trial->G]);
	}
	return n > 0 ? sum / n : NAN;
}

/* Adds a window to the judged ones, if what it needs is known. */
static void
window_judge(const Fit *fit, Trial *trial, const TrialFold *fold, const NnWindow *window)
{
	uint32_t	column;

	CHECK_FOR_INTERRUPTS();
	if (nn_future_missing(fit->data, window, trial->steps, &column) != 0)
		return;
	trial->window[trial->n] = *window;
	window_fill(trial, fit->data, fold, trial->n++);
}

/* Rows between judged origins of several folds. */
static uint32_t
origin_stride(const NnSpec *spec)
{
	return Max(1, spec->forecast_horizon / 2);
}

/*
 * Rows between the cuts of several folds: half of a horizon, so that late folds see part
 * of one, or more where their share of the validation rows is more.
 */
static uint32_t
fold_stride(const NnSpec *spec, uint32_t history)
{
	return Max(origin_stride(spec), (uint32_t) (spec->validation_split * history / spec->folds));
}

/* Judges every thin-th of the origins from the fold's cut to the next one's; returns their number. */
static uint64
fold_origins(const Fit *fit, Trial *trial, const TrialFold *fold, uint64 thin)
{
	const NnSeries *series = fit->data->series;
	uint64		n = 0;

	for (uint32_t s = 0; s < series->nseries; s++)
	{
		uint32_t	stop = fold->cut[s] + fold_stride(fit->spec, series->history[s]);

		CHECK_FOR_INTERRUPTS();
		for (uint32_t row = fold->cut[s]; row < stop && row < fold->end[s];
			 row += origin_stride(fit->spec))
		{
			NnWindow	window = {s, series->first[s] + row - 1};

			if (n++ % Max(thin, 1) == 0 && thin > 0)
				window_judge(fit, trial, fold, &window);
		}
	}
	return n;
}

/*
 * One fold judges every window of its validation part (or as many as there is room
 * for, evenly spaced), several judge those from their cut to the next, which late ones see
 * only part of.
 */
static void
fold_windows(const Fit *fit, Trial *trial, TrialFold *fold)
{
	uint64		most = judged_most(trial, fit->data->series);

	fold->first = trial->n;
	if (trial->nfolds > 1)
		(void) fold_origins(fit, trial, fold,
							(fold_origins(fit, trial, fold, 0) + most - 1) / most);
	else
	{
		/* Of several sites each window is a time, at which all of them are judged. */
		const NnSeries *series = fit->data->series;
		uint32_t	at_once = fit->spec->nsites > 1 ? series->nseries : 1,
					thin = Max(1, (uint32_t) (((uint64) fit->nvalidation * at_once + most - 1) / most));

		for (uint32_t i = 0; i < fit->nvalidation; i += thin)
			for (uint32_t s = 0; s < at_once && trial->n - fold->first < most; s++)
			{
				NnWindow	window = fit->validation[i];

				if (at_once > 1)
					window = (NnWindow) {s, series->first[s] + nn_window_row(fit->data, &window)};
				window_judge(fit, trial, fold, &window);
			}
	}
	fold->n = trial->n - fold->first;
	trial->baseline_loss = fold_baseline_loss(fit, trial, fold);
}

/* ------------------------------------------------------------------------
 * Folds
 */

bool
trial_can_judge(const NnSpec *spec, uint32_t history)
{
	uint64		needed = (uint64) nn_rows_needed(spec) + spec->horizon,
				kept = (uint64) (spec->validation_split * history);

	if (spec->validation_split <= 0)
		return false;
	if (spec->folds > 1)
		return fold_stride(spec, history) + needed <= history;
	return Max(kept, spec->horizon) + needed <= history;
}

/*
 * One fold: the last rows of each series, by the share that the spec says.  Several:
 * each begins some rows before the next (fold_stride), and all end with the series.  A
 * series too short to be judged is trained on as a whole.
 */
static void
folds_cut(const NnEnv *env, const NnSeries *series, Trial *trial)
{
	const NnSpec *spec = trial->spec;
	uint64		needed = (uint64) nn_rows_needed(spec) + spec->horizon;

	trial->nfolds = spec->folds;
	trial->fold = NN_NEW_ARRAY(env, TrialFold, spec->folds);
	for (uint32_t f = 0; f < spec->folds; f++)
	{
		TrialFold  *fold = &trial->fold[f];

		fold->cut = NN_NEW_ARRAY(env, uint32_t, series->nseries);
		fold->end = series->history;
		for (uint32_t s = 0; s < series->nseries; s++)
		{
			uint32_t	history = series->history[s];
			uint64		kept = (uint64) fold_stride(spec, history) * (spec->folds - f);

			if (spec->folds == 1)
				kept = Max((uint64) (spec->validation_split * history), spec->horizon);
			if (spec->validation_split <= 0 || kept + needed > history)
				kept = 0;
			fold->cut[s] = history - (uint32_t) kept;
		}
	}
}

static int
compare_epochs(const void *a, const void *b)
{
	uint32_t	x = *(const uint32_t *) a,
				y = *(const uint32_t *) b;

	return (x > y) - (x < y);
}

static double *
doubles_copy(const NnEnv *env, const double *from, size_t n)
{
	double	   *copy = NN_NEW_ARRAY(env, double, n);

	if (n > 0)
		memcpy(copy, from, n * sizeof(double));
	return copy;
}

static NnPrep *
prep_copy(const NnEnv *env, const NnSpec *spec, const NnPrep *prep)
{
	NnPrep	   *copy = NN_NEW(env, NnPrep);
	size_t		n = (size_t) prep->ngroups * prep->C;
	const double *from[] = {prep->center, prep->scale, prep->low, prep->high, prep->mean};
	double	  **to[] = {&copy->center, &copy->scale, &copy->low, &copy->high, &copy->mean};

	*copy = *prep;
	for (size_t i = 0; i < lengthof(from); i++)
		*to[i] = doubles_copy(env, from[i], n);
	copy->static_center = doubles_copy(env, prep->static_center, prep->Cs);
	copy->static_scale = doubles_copy(env, prep->static_scale, prep->Cs);
	copy->array_center = doubles_copy(env, prep->array_center, nn_array_channels(spec));
	copy->array_scale = doubles_copy(env, prep->array_scale, nn_array_channels(spec));
	return copy;
}

/* Keeps of a fit what the trial is to hand on. */
static void
fit_keep(const NnEnv *env, const Fit *fit, Trial *trial)
{
	const NnReport *report = &fit->trainer->report;

	trial->prep = prep_copy(env, fit->spec, fit->prep);
	trial->nparams = fit->plan->nparams;
	trial->params = NN_NEW_ARRAY(env, nn_real,
								 nn_size_mul(env, trial->nparams, fold_trainings(trial->spec)));
	trial->report = *report;
	trial->report.epoch = NN_NEW_ARRAY(env, NnEpoch, report->nepochs);
	memcpy(trial->report.epoch, report->epoch, report->nepochs * sizeof(NnEpoch));
	trial->report.train_windows = fit->ntrain;
	trial->report.validation_windows = fit->nvalidation;
}

static Fit *
fit_begin(const NnSpec *spec)
{
	const NnEnv *env = env_create(CurrentMemoryContext);
	Fit		   *fit = NN_NEW(env, Fit);

	fit->env = env;
	fit->spec = spec;
	return fit;
}

/* Later networks begin elsewhere; the first is the one of the seed itself. */
static uint64_t
seed_of(const NnSpec *spec, uint32_t i)
{
	return (spec->seed + i * UINT64CONST(7919)) & UINT64CONST(0x1FFFFFFFFFFFFF);
}

/*
 * Trains the i-th network of fold f and adds its forecasts of the judged windows.  With
 * several folds, which are small, each judges the mean of as many networks as the
 * model has.  Returns the best number of epochs.
 */
static uint32_t
fold_run(const NnEnv *env, TrainingInput *input, Trial *trial, uint32_t f, uint32_t i,
		 const TrialClock *clock)
{
	CallMemory	memory = call_memory_begin();
	NnSpec	   *spec = palloc(sizeof(NnSpec));
	Fit		   *fit = fit_begin(spec);
	uint32_t	epochs;

	*spec = *trial->spec;
	spec->seed = seed_of(trial->spec, i);
	input->part = trial->nfolds == 1 ? NULL : psprintf("fold %u of %u", f + 1, trial->nfolds);
	if (fold_trainings(trial->spec) > 1)
		input->part = psprintf("%s, network %u of %u", input->part, i + 1, fold_trainings(trial->spec));
	input->network = i;
	fit_prepare(fit, input, &trial->fold[f]);
	fit_train(fit, input, 0, clock);
	if (i == 0)
		fold_windows(fit, trial, &trial->fold[f]);
	if (trial->fold[f].n > 0)
		fold_forecast(fit, trial, &trial->fold[f], fit->trainer->params,
					  trial->nfolds > 1 ? 1.0 / spec->ensemble_size : 1);
	epochs = fit->trainer->report.best_epoch + 1;
	trial->stopped = trial->stopped || fit->trainer->stopped;
	if (i == 0 && f + 1 == trial->nfolds)
		fit_keep(env, fit, trial);
	if (f + 1 == trial->nfolds)
		memcpy(trial->params + i * trial->nparams, fit->trainer->params,
			   trial->nparams * sizeof(nn_real));
	call_memory_end(memory);
	return epochs;
}

/*
 * What networks of a fold begin with.  An earlier version of this model may have seen rows that
 * are judged here, unless it was cut off where the last fold is, or before: then nothing.
 */
static const NnModel *
fold_from(const TrainingInput *input, const NnSpec *spec, bool last)
{
	const NnSpec *then;

	if (!input->resumes)
		return input->from;
	then = &input->from->spec;
	if (spec->refit || !last)
		return NULL;
	if (spec->validation_split <= 0)
		return input->from;		/* nothing is judged */
	return then->refit || spec->folds != then->folds ||
		spec->validation_split > then->validation_split ? NULL : input->from;
}

/* Says that nothing of the earlier version is used where the networks that are judged stay. */
static void
anew_tell(TrainingInput *input)
{
	if (!input->transfer_told)
		ereport(NOTICE,
				(errmsg("model \"%s\" is trained anew: its deployed version may know rows that the"
						" validation part judges", input->label)));
	input->transfer_told = input->cold = true;
}

Trial *
trial_run(const NnEnv *env, TrainingInput *input, const NnSpec *spec, const TrialClock *clock)
{
	Trial	   *trial = NN_NEW(env, Trial);
	uint32_t   *epochs = NN_NEW_ARRAY(env, uint32_t, spec->folds),
				left;
	const NnModel *from = input->from;

	trial->spec = NN_NEW(env, NnSpec);
	*trial->spec = *spec;
	nn_forecast_check(env, spec, spec->forecast_horizon);
	folds_cut(env, &input->data->series, trial);
	judged_create(env, trial, judged_most(trial, &input->data->series));
	left = trial->nfolds * fold_trainings(spec);
	progress_plan(left + later_trainings(spec));
	progress_phase(spec->refit || spec->folds > 1 ? "trying settings" : "training");
	for (uint32_t f = 0; f < trial->nfolds; f++)
		for (uint32_t i = 0; i < fold_trainings(spec); i++)
		{
			TrialClock	share = clock_share(clock, left--);

			input->from = fold_from(input, spec, f + 1 == trial->nfolds);
			epochs[f] = fold_run(env, input, trial, f, i, &share);
			input->from = from;
		}
	qsort(epochs, trial->nfolds, sizeof(uint32_t), compare_epochs);
	trial->epochs = epochs[trial->nfolds / 2];
	return trial;
}

/* ------------------------------------------------------------------------
 * The networks of the model
 */

/* All rows to train on, none to judge. */
static TrialFold
fold_of_all(const NnEnv *env, const NnSeries *series)
{
	TrialFold	fold = {NN_NEW_ARRAY(env, uint32_t, series->nseries), NULL, 0, 0};

	for (uint32_t s = 0; s < series->nseries; s++)
		fold.cut[s] = series->history[s];
	fold.end = fold.cut;
	return fold;
}

nn_real *
trial_networks(const NnEnv *env, TrainingInput *input, Trial *trial, const TrialClock *clock)
{
	const NnSpec *spec = trial->spec;
	uint32_t	K = spec->ensemble_size,
				done = spec->refit ? 0 : fold_trainings(spec);	/* trained in the last fold */
	nn_real    *params = NN_NEW_ARRAY(env, nn_real, nn_size_mul(env, trial->nparams, K));
	TrialFold	all = fold_of_all(env, &input->data->series),
			   *last = &trial->fold[trial->nfolds - 1];
	NnSpec	   *one = NN_NEW(env, NnSpec);
	size_t		per = (size_t) trial->steps * trial->G;
	const NnModel *from = input->from;

	*one = *spec;
	if (!spec->refit)
	{
		input->from = fold_from(input, spec, true);
		if (input->from != from)
			anew_tell(input);
		memcpy(params, trial->params, done * trial->nparams * sizeof(nn_real));
		/* One fold has judged the first network only; the others join it below. */
		for (size_t v = last->first * per; v < (last->first + last->n) * per && done < K; v++)
		{
			trial->network[v] /= K;
			for (int side = 0; side < 2 && trial->head; side++)
				trial->head[2 * v + side] /= K;
		}
	}
	else
		one->patience = 0;
	if (done < K)
		progress_phase("training");
	for (uint32_t i = done; i < K; i++)
	{
		CallMemory	memory = call_memory_begin();
		Fit		   *fit = fit_begin(one);
		TrialClock	share = clock_share(clock, K - i);

		one->seed = seed_of(spec, i);
		input->part = psprintf("network %u of %u", i + 1, K);
		input->network = i;
		fit_prepare(fit, input, spec->refit ? &all : last);
		fit_train(fit, input, spec->refit ? trial->epochs : 0, &share);
		trial->stopped = trial->stopped || fit->trainer->stopped;
		memcpy(params + i * trial->nparams, fit->trainer->params,
			   trial->nparams * sizeof(nn_real));
		if (!spec->refit)
			fold_forecast(fit, trial, last, fit->trainer->params, 1.0 / K);
		else if (i == 0)
			trial->prep = prep_copy(env, fit->spec, fit->prep);
		call_memory_end(memory);
	}
	input->from = from;
	return params;
}
