/*
 * evaluate.c
 *		lstm.evaluate: errors in original units, beside a simple method's.
 *
 * Metrics are those of metrics.h; mase and rmsse are scaled by the seasonal
 * differences of the source's rows of that series.  Keeps sums only.
 *
 * Costs one forecast per origin, and one of the baseline.  A baseline with
 * parameters is fitted at a series' first origin, and anew each time the rows before
 * an origin have doubled, up to the rows that it reads (opponent.h): in all about as
 * much as two fits on the newest 2,000 rows of each series and target, some 10 ms;
 * a forecast of it costs a pass over those rows, 50 to 80 microseconds.  The mean is
 * carried along; the other methods look at a few rows.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "utils/builtins.h"

#include "pg/env.h"
#include "pg/joint_model.h"
#include "pg/metrics.h"
#include "pg/opponent.h"
#include "pg/origins.h"

PG_FUNCTION_INFO_V1(lstm_evaluate);

enum
{
	ARG_MODEL, ARG_SOURCE, ARG_HORIZON, ARG_STRIDE, ARG_BASELINE, ARG_VERSION, ARG_LEVEL, ARG_BY_STEP
};

#define RESULT_COLUMNS 19

typedef struct Evaluation
{
	Origins		origins;
	double		level;			/* of the intervals */
	NnClassicKind kind;
	Opponent   *opponent;
	MetricSums *sums;			/* [nseries][ntargets] */
	MetricSums *step;			/* [horizon][ntargets]; NULL: not asked for */
	MetricScale *scale;			/* [nseries][ntargets] */
	double	   *parameter;		/* [ntargets][NN_CLASSIC_PARAMETERS] of the series under way */
	double	   *mean;			/* [ntargets] of its known values so far */
	uint64	   *count;			/* [ntargets] how many */
	uint32		series, fitted; /* which it is, and the rows looked at so far; 0: none */
	double	   *baseline;		/* [horizon] */
} Evaluation;

/* Carries the means on to the first rows rows of a series. */
static void
mean_advance(Evaluation *e, uint32 s, uint32 rows)
{
	const NnSeries *series = &e->origins.run->data->series;
	uint32		ntargets = e->origins.run->model->spec.ntargets;

	if (s != e->series)
		e->fitted = 0;
	e->series = s;
	for (uint32 k = 0; k < ntargets; k++)
	{
		if (e->fitted == 0)
			e->mean[k] = (double) (e->count[k] = 0);
		for (uint32 t = e->fitted; t < rows; t++)
		{
			double		value = series->value[((size_t) series->first[s] + t) * series->C + k];

			if (isnan(value))
				continue;
			e->count[k]++;
			/* Parts, not sums: values may be near the largest number. */
			e->mean[k] += value / (double) e->count[k] - e->mean[k] / (double) e->count[k];
		}
	}
	e->fitted = rows;
}

/* Origins come in order of series and time. */
static void
baseline_fit(Evaluation *e, const NnWindow *window, uint32 rows)
{
	const ModelRun *run = e->origins.run;
	uint32		most = e->opponent->most;

	if (e->kind == NN_CLASSIC_MEAN)
		mean_advance(e, window->series, rows);
	if (!opponent_is_fitted(e->kind))
		return;
	if (window->series == e->series && e->fitted > 0 &&
		(rows < 2 * (uint64) e->fitted || e->fitted >= most))
		return;
	e->series = window->series;
	e->fitted = rows;
	for (uint32 k = 0; k < run->model->spec.ntargets; k++)
		opponent_fit(e->opponent, e->kind, &run->data->series, window->series, k, rows,
					 e->parameter + (size_t) k * NN_CLASSIC_PARAMETERS);
}

/* The baseline's forecasts of target k after the first rows rows. */
static void
baseline_forecast(Evaluation *e, const NnWindow *window, uint32 k, uint32 rows)
{
	if (e->kind != NN_CLASSIC_MEAN)
		opponent_forecast(e->opponent, e->kind, e->parameter + (size_t) k * NN_CLASSIC_PARAMETERS,
						  &e->origins.run->data->series, window->series, k, rows,
						  e->origins.horizon, e->baseline);
	else
		for (uint32 h = 0; h < e->origins.horizon; h++)
			e->baseline[h] = e->count[k] > 0 ? e->mean[k] : NAN;
}

static void
origin_add(void *host, const NnWindow *window, const double *point, const double *low,
		   const double *high)
{
	Evaluation *e = host;
	const ModelRun *run = e->origins.run;
	const NnSeries *series = &run->data->series;
	uint32		ntargets = run->model->spec.ntargets,
				rows = window->origin + 1 - series->first[window->series];
	size_t		values = (size_t) e->origins.horizon * ntargets;

	baseline_fit(e, window, rows);
	for (uint32 k = 0; k < ntargets; k++)
	{
		size_t		cell = (size_t) window->series * ntargets + k;

		baseline_forecast(e, window, k, rows);
		for (uint32 h = 0; h < e->origins.horizon; h++)
		{
			size_t		at = (size_t) h * ntargets + k;
			MetricPair	pair = {
				.actual = origin_actual(run, window, h, k),
				.point = point[at],
				.baseline = e->baseline[h]
			};

			if (isnan(pair.actual) || isnan(pair.point))
				continue;
			for (int v = 0; v < METRIC_LEVELS; v++)
			{
				pair.low[v] = low[v * values + at];
				pair.high[v] = high[v * values + at];
			}
			metrics_add(&e->sums[cell], &pair, e->scale[cell], e->level);
			if (e->step != NULL)
				metrics_add(&e->step[at], &pair, e->scale[cell], e->level);
		}
	}
}

/* step 0: of all steps. */
static void
metrics_put(ReturnSetInfo *rsinfo, const char *level, const char *series, const char *target,
			uint32 step, const Metrics *metrics)
{
	Datum		values[RESULT_COLUMNS];
	bool		nulls[RESULT_COLUMNS] = {false};

	values[0] = CStringGetTextDatum(level);
	nulls[1] = series == NULL;
	values[1] = series ? CStringGetTextDatum(series) : (Datum) 0;
	nulls[2] = target == NULL;
	values[2] = target ? CStringGetTextDatum(target) : (Datum) 0;
	values[3] = Int64GetDatum((int64) metrics->n);
	for (int i = 0; i < METRICS; i++)
		result_float(metrics->value[i], &values[4 + i], &nulls[4 + i]);
	nulls[RESULT_COLUMNS - 1] = step == 0;
	values[RESULT_COLUMNS - 1] = Int32GetDatum((int32) step);
	result_put(rsinfo, values, nulls);
}

static void
result_put_all(const Evaluation *e, ReturnSetInfo *rsinfo)
{
	const ModelRun *run = e->origins.run;
	uint32		ntargets = run->model->spec.ntargets,
				nseries = run->data->series.nseries;
	Metrics    *each = palloc0(sizeof(Metrics) * ntargets);
	Metrics		all;

	for (uint32 s = 0; run->roles.nseries > 0 && s < nseries; s++)
		for (uint32 k = 0; k < ntargets; k++)
		{
			Metrics		m = metrics_of(&e->sums[(size_t) s * ntargets + k]);

			metrics_put(rsinfo, "series", model_run_series(run, s), run->roles.target[k], 0, &m);
		}
	for (uint32 k = 0; k < ntargets; k++)
	{
		MetricSums	sums = {0};

		for (uint32 s = 0; s < nseries; s++)
			metrics_merge(&sums, &e->sums[(size_t) s * ntargets + k]);
		each[k] = metrics_of(&sums);
		metrics_put(rsinfo, "target", NULL, run->roles.target[k], 0, &each[k]);
	}
	all = metrics_average(each, ntargets);
	metrics_put(rsinfo, "all", NULL, NULL, 0, &all);
	for (uint32 k = 0; e->step != NULL && k < ntargets; k++)
		for (uint32 h = 0; h < e->origins.horizon; h++)
		{
			Metrics		m = metrics_of(&e->step[(size_t) h * ntargets + k]);

			metrics_put(rsinfo, "step", NULL, run->roles.target[k], h + 1, &m);
		}
}

static void
evaluation_prepare(Evaluation *e, bool by_step)
{
	ModelRun   *run = e->origins.run;
	const NnSeries *series = &run->data->series;
	uint32		ntargets = run->model->spec.ntargets,
				season = run->model->spec.season;
	size_t		cells = nn_size_mul(run->env, series->nseries, ntargets);

	e->opponent = opponent_create(run->env, season);
	e->parameter = NN_NEW_ARRAY(run->env, double,
								nn_size_mul(run->env, ntargets, NN_CLASSIC_PARAMETERS));
	e->mean = NN_NEW_ARRAY(run->env, double, ntargets);
	e->count = NN_NEW_ARRAY(run->env, uint64, ntargets);
	e->sums = NN_NEW_ARRAY(run->env, MetricSums, cells);
	if (by_step)
		e->step = NN_NEW_ARRAY(run->env, MetricSums,
							   nn_size_mul(run->env, e->origins.horizon, ntargets));
	e->scale = NN_NEW_ARRAY(run->env, MetricScale, cells);
	e->baseline = NN_NEW_ARRAY(run->env, double, e->origins.horizon);
	for (uint32 s = 0; s < series->nseries; s++)
		for (uint32 k = 0; k < ntargets; k++)
			e->scale[(size_t) s * ntargets + k] =
				metrics_scale(series, s, series->history[s], season, k);
}

Datum
lstm_evaluate(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = result_begin(fcinfo);
	CallMemory	memory = call_memory_begin();
	char	   *name = argument_text_required(fcinfo, ARG_MODEL, "model");
	char	   *baseline = argument_text_required(fcinfo, ARG_BASELINE, "baseline");
	double		levels[METRIC_LEVELS];
	Evaluation	e = {.origins = {.put = origin_add, .level = levels, .nlevels = METRIC_LEVELS}};
	JointModel *joint;
	ModelRun   *run;

	e.origins.horizon = argument_steps(fcinfo, ARG_HORIZON, "horizon", 0);
	e.origins.stride = argument_steps(fcinfo, ARG_STRIDE, "stride", 1);
	e.origins.host = &e;
	e.level = argument_level(fcinfo, ARG_LEVEL);
	metrics_levels(e.level, levels);
	if (PG_ARGISNULL(ARG_BY_STEP))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"by_step\" must not be null")));
	run = e.origins.run = joint_or_model_open(name, argument_version(fcinfo, ARG_VERSION),
											  argument_text(fcinfo, ARG_SOURCE), NULL, NULL,
											  &e.origins.horizon, &joint);
	e.kind = opponent_parse(baseline, run->model->spec.season);
	evaluation_prepare(&e, PG_GETARG_BOOL(ARG_BY_STEP));
	if (joint != NULL)
		joint_origins(joint, &e.origins);
	else
		origins_forecast(&e.origins);
	result_put_all(&e, rsinfo);
	call_memory_end(memory);
	return (Datum) 0;
}
