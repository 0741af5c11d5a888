/*
 * folds.c
 *		Rolling origin: a model trained on each part of the past and judged on what came.
 *
 * Knows no SQL: backtest.c and tune.c call it.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "core/nn_auto.h"
#include "core/nn_tile.h"
#include "pg/env.h"
#include "pg/folds.h"
#include "pg/model_run.h"
#include "pg/opponent.h"
#include "pg/source_cut.h"
#include "pg/training.h"

const char *
fold_method_name(FoldMethod method)
{
	static const char *const names[FOLD_METHODS] = {
		"network", "model", "naive", "seasonal_naive", "drift", "mean", "holt_winters", "theta", "ar"
	};

	return names[method];
}

/* ------------------------------------------------------------------------
 * The plan
 */

uint32
folds_needed(const NnSpec *spec, bool context_given, uint32 nseries)
{
	bool		pads = nn_auto_pads(spec, nseries);

	return (context_given && !pads ? spec->context : 1) + spec->difference + spec->horizon;
}

uint32
fold_row_at(const SourceData *data, uint32 s, int64 time)
{
	uint32		low = 0,
				high = data->series.history[s];

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (source_time(data, s, middle) < time)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

uint32
fold_series_newest(const SourceData *data)
{
	const uint32 *history = data->series.history;
	uint32		newest = 0;

	for (uint32 s = 1; s < data->series.nseries; s++)
	{
		int64		end,
					best;

		if (history[s] == 0)
			continue;
		end = source_time(data, s, history[s] - 1);
		best = history[newest] == 0 ? PG_INT64_MIN : source_time(data, newest, history[newest] - 1);
		if (end > best || (end == best && history[s] > history[newest]))
			newest = s;
	}
	return newest;
}

static void __attribute__((noreturn))
folds_refuse(const SourceData *data, const FoldPlan *plan, uint32 needed, uint64 wanted,
			 const FoldSettings *settings)
{
	const char *name = data->series.name[plan->series];
	uint32		rows = data->series.history[plan->series];

	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("%s has %u rows, fewer than the " UINT64_FORMAT " that the folds need",
					name[0] == '\0' ? "the source" : psprintf("series \"%s\"", name), rows, wanted),
			 errdetail("Folds %u, stride %u, gap %u, horizon %u, and %u rows to train on in the first.",
					   settings->folds, settings->stride, settings->gap, plan->horizon, needed),
			 errhint("Use fewer folds, a shorter stride, gap, horizon or context, or give more rows.")));
}

/* Rows of all series for the moment of one fold. */
static void
fold_place(const NnEnv *env, FoldPlan *plan, Fold *fold, const FoldSettings *settings,
		   uint32 length)
{
	const SourceData *data = plan->data;
	uint32		nseries = data->series.nseries;
	int64		test = source_time(data, plan->series, fold->row),
				from = source_time(data, plan->series, fold->row - settings->gap - length);

	fold->from = NN_NEW_ARRAY(env, uint32, nseries);
	fold->cut = NN_NEW_ARRAY(env, uint32, nseries);
	fold->test = NN_NEW_ARRAY(env, uint32, nseries);
	for (uint32 s = 0; s < nseries; s++)
	{
		CHECK_FOR_INTERRUPTS();
		fold->test[s] = fold_row_at(data, s, test);
		fold->cut[s] = fold->test[s];
		if (settings->gap > 0)
			fold->cut[s] = fold_row_at(data, s, source_time(data, plan->series, fold->row - settings->gap));
		fold->from[s] = settings->expanding ? 0 : fold_row_at(data, s, from);
	}
}

FoldPlan *
folds_plan(const NnEnv *env, const SourceData *data, const SourceRoles *roles, uint32 horizon,
		   uint32 needed, double level, const FoldSettings *settings)
{
	FoldPlan   *plan = NN_NEW(env, FoldPlan);
	uint32		rows,
				length;
	uint64		after = horizon + (uint64) (settings->folds - 1) * settings->stride + settings->gap;

	plan->data = data;
	plan->roles = roles;
	plan->horizon = horizon;
	plan->needed = needed;
	plan->level = level;
	plan->folds = settings->folds;
	plan->series = fold_series_newest(data);
	rows = data->series.history[plan->series];
	if (after + needed > rows)
		folds_refuse(data, plan, needed, after + needed, settings);
	length = rows - (uint32) after;
	plan->fold = NN_NEW_ARRAY(env, Fold, settings->folds);
	for (uint32 f = 0; f < settings->folds; f++)
	{
		plan->fold[f].row = rows - horizon - (settings->folds - 1 - f) * settings->stride;
		fold_place(env, plan, &plan->fold[f], settings, length);
	}
	return plan;
}

/* ------------------------------------------------------------------------
 * One fold
 */

typedef struct FoldRun
{
	const NnEnv *env;
	const FoldPlan *plan;
	const Fold *fold;
	uint32		horizon, ntargets, season, nfuture;
	const NnModel *model;
	SourceData *past;			/* trained on */
	SourceData *known;			/* what forecasts may look at */
	uint32	   *number;			/* [nseries of past] in the plan's data */
	NnData	   *prepared;		/* of known */
	Opponent   *opponent;
	bool		methods;
	uint32		n;				/* windows under way */
	NnWindow	window[NN_TILE_LANES];
	double	   *point, *network;	/* [lanes][horizon][ntargets] */
	double	   *low, *high;		/* [METRIC_LEVELS][n][horizon][ntargets] */
	double	   *other;			/* [FOLD_METHODS][horizon] of one series and target */
	FoldResult *result;
} FoldRun;

FoldResult *
fold_result(const NnEnv *env, uint32 ntargets)
{
	FoldResult *result = NN_NEW(env, FoldResult);

	for (int m = 0; m < FOLD_METHODS; m++)
		result->sums[m] = NN_NEW_ARRAY(env, MetricSums, ntargets);
	return result;
}

/* The rows of past and known; both have the same series. */
static void
rows_cut(FoldRun *run, const NnSpec *spec)
{
	const SourceData *data = run->plan->data;
	uint32		nseries = data->series.nseries,
				nknown = spec->ntargets + spec->npast;
	SourceCut	cut = {run->fold->from, run->fold->cut, run->fold->cut};

	/* A series too short to learn from is no part of the fold. */
	run->past = source_cut(run->env, data, &cut, spec->ntargets, nknown, run->plan->needed,
						   &run->number);
	if (run->past->series.nseries == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("no series has %u rows up to a known target before the cut of a fold",
						run->plan->needed),
				 errhint("Use fewer folds, a shorter stride or context, or give more rows.")));
	cut.from = NN_NEW_ARRAY(run->env, uint32, nseries);
	cut.to = NN_NEW_ARRAY(run->env, uint32, nseries);
	cut.known = run->fold->test;
	for (uint32 v = 0; v < run->past->series.nseries; v++)
	{
		uint32		s = run->number[v],
					rows = data->series.first[s + 1] - data->series.first[s];

		cut.from[s] = run->fold->from[s];
		cut.to[s] = (uint32) Min((uint64) rows, (uint64) run->fold->test[s] + run->horizon);
	}
	run->known = source_cut(run->env, data, &cut, spec->ntargets, nknown, 0, NULL);
}

/* Trains on run->past; the model lives in the run's memory. */
static void
model_train(FoldRun *run, const NnSpec *spec, bool context_given, bool split_given)
{
	NnSpec	   *own = NN_NEW(run->env, NnSpec);
	TrainingInput input = {.spec = own, .context_given = context_given, .split_given = split_given,
	.data = run->past, .roles = run->plan->roles};

	*own = *spec;
	run->model = training_run(run->env, &input);
}

static void
buffers_make(FoldRun *run)
{
	size_t		values = nn_size_mul(run->env, NN_TILE_LANES,
									 nn_size_mul(run->env, run->horizon, run->ntargets));

	run->point = NN_NEW_ARRAY(run->env, double, values);
	run->network = NN_NEW_ARRAY(run->env, double, values);
	run->low = NN_NEW_ARRAY(run->env, double, nn_size_mul(run->env, METRIC_LEVELS, values));
	run->high = NN_NEW_ARRAY(run->env, double, nn_size_mul(run->env, METRIC_LEVELS, values));
	run->other = NN_NEW_ARRAY(run->env, double,
							  nn_size_mul(run->env, FOLD_METHODS, run->horizon));
}

/* The forecast of one classical method for the window i, target k, into run->other. */
static void
method_forecast(FoldRun *run, FoldMethod method, uint32 i, uint32 k)
{
	static const NnClassicKind kinds[FOLD_METHODS] = {
		[FOLD_NAIVE] = NN_CLASSIC_NAIVE,
		[FOLD_SEASONAL_NAIVE] = NN_CLASSIC_SEASONAL_NAIVE,
		[FOLD_DRIFT] = NN_CLASSIC_DRIFT,
		[FOLD_MEAN] = NN_CLASSIC_MEAN,
		[FOLD_HOLT_WINTERS] = NN_CLASSIC_HOLT_WINTERS,
		[FOLD_THETA] = NN_CLASSIC_THETA,
		[FOLD_AR] = NN_CLASSIC_AR
	};
	const NnSeries *past = &run->past->series,
			   *known = &run->known->series;
	uint32		s = run->window[i].series;
	double		parameter[NN_CLASSIC_PARAMETERS] = {0};
	NnClassicKind kind = kinds[method];

	if (method == FOLD_HOLT_WINTERS)
		kind = opponent_holt_winters(run->opponent, past, s, k, past->history[s], run->horizon);
	opponent_fit(run->opponent, kind, past, s, k, past->history[s], parameter);
	opponent_forecast(run->opponent, kind, parameter, known, s, k,
					  run->window[i].origin + 1 - known->first[s], run->horizon,
					  run->other + (size_t) method * run->horizon);
}

/* What came h steps after the fold's moment; NaN: unknown. */
static double
actual_at(const FoldRun *run, uint32 v, uint32 h, uint32 k)
{
	const NnSeries *series = &run->plan->data->series;
	uint32		s = run->number[v];
	uint64		row = (uint64) run->fold->test[s] + h;

	if (row >= series->history[s])
		return NAN;
	return series->value[((size_t) series->first[s] + row) * series->C + k];
}

/* Forecasts of window i, target k, into the sums. */
static void
window_judge(FoldRun *run, uint32 i, uint32 k, const MetricScale *scale)
{
	size_t		per = (size_t) run->horizon * run->ntargets;
	bool		joint = run->result->joint;
	FoldMethod	baseline = run->season > 1 ? FOLD_SEASONAL_NAIVE : FOLD_NAIVE;

	for (int m = FOLD_NAIVE; m < FOLD_METHODS; m++)
		if (run->methods || m == (int) baseline)
			method_forecast(run, (FoldMethod) m, i, k);
	for (uint32 h = 0; h < run->horizon; h++)
	{
		size_t		at = i * per + (size_t) h * run->ntargets + k;
		MetricPair	pair = {.actual = actual_at(run, run->window[i].series, h, k)};

		if (isnan(pair.actual))
			continue;
		pair.baseline = run->other[(size_t) baseline * run->horizon + h];
		for (int m = 0; m < FOLD_METHODS; m++)
		{
			/* Intervals are the model's; where it is the network alone, the network's, too. */
			bool		bounds = m == FOLD_MODEL || (m == FOLD_NETWORK && !joint);

			if (m >= FOLD_NAIVE && !run->methods)
				break;
			pair.point = m == FOLD_NETWORK ? run->network[at] : m == FOLD_MODEL ? run->point[at] :
				run->other[(size_t) m * run->horizon + h];
			for (int v = 0; v < METRIC_LEVELS; v++)
			{
				pair.low[v] = bounds ? run->low[v * run->n * per + at] : NAN;
				pair.high[v] = bounds ? run->high[v * run->n * per + at] : NAN;
			}
			if (!isnan(pair.point))
				metrics_add(&run->result->sums[m][k], &pair, *scale, run->plan->level);
		}
	}
}

/* The networks alone, with denormals flushed as in all forecasts. */
static void
network_predict(FoldRun *run, NnPredictor *predictor)
{
	uint32		control = compute_begin();

	PG_TRY();
	{
		nn_predict_member(predictor, run->prepared, run->window, run->n, run->horizon, 0,
						  run->network, NULL);
	}
	PG_FINALLY();
	{
		compute_end(control);
	}
	PG_END_TRY();
}

static void
windows_flush(FoldRun *run, NnPredictor *predictor)
{
	double		levels[METRIC_LEVELS];
	const NnSeries *past = &run->past->series;

	if (run->n == 0)
		return;
	metrics_levels(run->plan->level, levels);
	model_run_predict(predictor, run->prepared, run->window, run->n, run->horizon, levels,
					  METRIC_LEVELS, run->point, run->low, run->high);
	memcpy(run->network, run->point,
		   sizeof(double) * run->n * run->horizon * run->ntargets);
	if (run->result->joint)
		network_predict(run, predictor);
	for (uint32 i = 0; i < run->n; i++)
		for (uint32 k = 0; k < run->ntargets; k++)
		{
			uint32		s = run->window[i].series;
			MetricScale scale = metrics_scale(past, s, past->history[s], run->season, k);

			window_judge(run, i, k, &scale);
		}
	run->n = 0;
}

/* Whether series v of the run has rows to be judged on. */
static bool
series_is_judged(const FoldRun *run, uint32 v)
{
	uint32		s = run->number[v];
	const NnSeries *known = &run->known->series;
	uint32		rows = known->first[v + 1] - known->first[v],
				before = run->fold->test[s] - run->fold->from[s];

	return run->fold->test[s] < run->plan->data->series.history[s] &&
		before >= nn_rows_needed(&run->model->spec) &&
		(run->nfuture == 0 || rows >= before + run->horizon);
}

static void
future_check(const FoldRun *run, const NnWindow *window)
{
	const NnSeries *series = &run->known->series;
	uint32_t	column;
	uint32_t	row = nn_future_missing(run->prepared, window, run->horizon, &column);

	if (row != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("future covariate \"%s\" is unknown at %s in %s",
						series->column[series->C - run->nfuture + column],
						series->row_name(series->row_name_host, row),
						training_series_label(series, window->series)),
				 errhint("Future covariates must be known in every row.")));
}

static void
fold_judge(FoldRun *run)
{
	const NnSpec *spec = &run->model->spec;
	const NnSeries *known = &run->known->series;
	uint32_t   *group = NN_NEW_ARRAY(run->env, uint32_t, known->nseries);
	NnPredictor *predictor;

	for (uint32 v = 0; run->model->prep->ngroups > 1 && v < known->nseries; v++)
		group[v] = v;
	run->nfuture = spec->nfuture;
	run->prepared = nn_data_prepare(run->env, spec, run->model->prep, known, group);
	run->opponent = opponent_create(run->env, run->season);
	buffers_make(run);
	predictor = nn_predictor_create(run->env, run->model, env_kernels(), NN_TILE_LANES,
									run->horizon);
	for (uint32 v = 0; v < known->nseries; v++)
	{
		if (!series_is_judged(run, v))
			continue;
		run->window[run->n] = (NnWindow) {
			v, known->first[v] + run->fold->test[run->number[v]] - run->fold->from[run->number[v]] - 1
		};
		if (run->nfuture > 0)
			future_check(run, &run->window[run->n]);
		if (++run->n == NN_TILE_LANES)
			windows_flush(run, predictor);
	}
	windows_flush(run, predictor);
}

void
fold_run(const FoldPlan *plan, uint32 f, const NnSpec *spec, bool context_given, bool split_given,
		 uint32 season, bool methods, FoldResult *result)
{
	CallMemory	memory = call_memory_begin();
	FoldRun		run = {.env = env_create(memory.own), .plan = plan, .fold = &plan->fold[f],
	.horizon = plan->horizon, .ntargets = spec->ntargets, .season = season, .methods = methods,
	.result = result};

	rows_cut(&run, spec);
	if (season == 0)
		run.season = nn_auto_season(run.env, &run.past->series, spec->ntargets,
									&plan->data->frequency);
	model_train(&run, spec, context_given, split_given);
	nn_forecast_check(run.env, &run.model->spec, plan->horizon);
	result->joint = nn_member_count(&run.model->spec) > 1;
	result->rows = run.past->rows;
	fold_judge(&run);
	call_memory_end(memory);
}
