/*
 * evaluate.c
 *		lstm.evaluate: errors in original units, beside a simple method's.
 *
 * Metrics as in Hyndman and Koehler (2006): smape in percent of the mean of
 * |actual| and |forecast|; mape in percent, over actuals other than 0; mase by
 * the mean absolute seasonal difference of the source's rows of that series.
 * Costs one forecast per origin; keeps sums only.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "utils/builtins.h"

#include "core/nn_baseline.h"
#include "core/nn_loss.h"
#include "pg/env.h"
#include "pg/origins.h"

PG_FUNCTION_INFO_V1(lstm_evaluate);

enum
{
	ARG_MODEL, ARG_SOURCE, ARG_HORIZON, ARG_STRIDE, ARG_BASELINE, ARG_VERSION
};

#define RESULT_COLUMNS 14

/* Level of the intervals whose coverage is counted. */
#define COVERAGE_LEVEL 0.95

typedef struct Sums
{
	uint64		n, nonzero, scaled, base, covered;
	double		absolute, square, percentage, symmetric, mase, baseline_absolute,
				baseline_square, matched;
} Sums;

typedef struct Evaluation
{
	Origins		origins;
	NnBaselineKind kind;
	bool		interval;
	Sums	   *sums;			/* [nseries][ntargets] */
	double	   *mase_scale;		/* [nseries][ntargets] */
	double	   *baseline;		/* [horizon] */
} Evaluation;

static void
pair_add(Sums *sums, double actual, double point, double baseline, double scale)
{
	double		error = fabs(actual - point),
				size = (fabs(actual) + fabs(point)) / 2;

	sums->n++;
	sums->absolute += error;
	sums->square += error * error;
	sums->symmetric += size > 0 ? 100 * error / size : 0;
	if (actual != 0)
	{
		sums->nonzero++;
		sums->percentage += 100 * error / fabs(actual);
	}
	if (scale > 0)
	{
		sums->scaled++;
		sums->mase += error / scale;
	}
	if (!isnan(baseline))
	{
		sums->base++;
		sums->matched += error;
		sums->baseline_absolute += fabs(actual - baseline);
		sums->baseline_square += (actual - baseline) * (actual - baseline);
	}
}

static void
origin_add(void *host, const NnWindow *window, const double *point, const double *low,
		   const double *high)
{
	Evaluation *e = host;
	const ModelRun *run = e->origins.run;
	uint32		ntargets = run->model->spec.ntargets;

	for (uint32 k = 0; k < ntargets; k++)
	{
		size_t		cell = (size_t) window->series * ntargets + k;

		nn_baseline_forecast(&run->data->series, e->kind, run->model->spec.season,
							 window->series, window->origin, e->origins.horizon, k, e->baseline);
		for (uint32 h = 0; h < e->origins.horizon; h++)
		{
			size_t		at = (size_t) h * ntargets + k;
			double		actual = origin_actual(run, window, h, k);

			if (isnan(actual))
				continue;
			pair_add(&e->sums[cell], actual, point[at], e->baseline[h], e->mase_scale[cell]);
			e->sums[cell].covered += actual >= low[at] && actual <= high[at];
		}
	}
}

static void
sums_add(Sums *to, const Sums *from)
{
	to->n += from->n;
	to->nonzero += from->nonzero;
	to->scaled += from->scaled;
	to->base += from->base;
	to->covered += from->covered;
	to->absolute += from->absolute;
	to->square += from->square;
	to->percentage += from->percentage;
	to->symmetric += from->symmetric;
	to->mase += from->mase;
	to->baseline_absolute += from->baseline_absolute;
	to->baseline_square += from->baseline_square;
	to->matched += from->matched;
}

/* The metrics of one row of the result. */
typedef struct Metrics
{
	uint64		n;
	double		value[10];		/* mae, mse, rmse, mape, smape, mase, coverage, baseline_mae,
								 * baseline_rmse, skill; NaN: none */
} Metrics;

static double
ratio(double sum, uint64 n)
{
	return n > 0 ? sum / (double) n : NAN;
}

static Metrics
metrics_of(const Evaluation *e, const Sums *sums)
{
	Metrics		m = {.n = sums->n};

	m.value[0] = ratio(sums->absolute, sums->n);
	m.value[1] = ratio(sums->square, sums->n);
	m.value[2] = sqrt(m.value[1]);
	m.value[3] = ratio(sums->percentage, sums->nonzero);
	m.value[4] = ratio(sums->symmetric, sums->n);
	m.value[5] = ratio(sums->mase, sums->scaled);
	m.value[6] = e->interval ? ratio((double) sums->covered, sums->n) : NAN;
	m.value[7] = ratio(sums->baseline_absolute, sums->base);
	m.value[8] = sqrt(ratio(sums->baseline_square, sums->base));
	m.value[9] = sums->baseline_absolute > 0 ? 1 - sums->matched / sums->baseline_absolute : NAN;
	return m;
}

static void
metrics_put(ReturnSetInfo *rsinfo, const char *level, const char *series, const char *target,
			const Metrics *metrics)
{
	Datum		values[RESULT_COLUMNS];
	bool		nulls[RESULT_COLUMNS] = {false};

	values[0] = CStringGetTextDatum(level);
	nulls[1] = series == NULL;
	values[1] = series ? CStringGetTextDatum(series) : (Datum) 0;
	nulls[2] = target == NULL;
	values[2] = target ? CStringGetTextDatum(target) : (Datum) 0;
	values[3] = Int64GetDatum((int64) metrics->n);
	for (int i = 0; i < 10; i++)
	{
		nulls[4 + i] = isnan(metrics->value[i]);
		values[4 + i] = Float8GetDatum(metrics->value[i]);
	}
	result_put(rsinfo, values, nulls);
}

/*
 * Over all targets: counts add up, errors and their likes are means over the
 * targets (their units differ); skill compares those means.
 */
static Metrics
metrics_average(const Metrics *each, uint32 n)
{
	Metrics		all = {0};

	for (int i = 0; i < 10; i++)
	{
		double		sum = 0;
		uint64		known = 0;

		for (uint32 k = 0; k < n; k++)
			if (!isnan(each[k].value[i]))
			{
				sum += each[k].value[i];
				known++;
			}
		all.value[i] = ratio(sum, known);
	}
	for (uint32 k = 0; k < n; k++)
		all.n += each[k].n;
	if (n > 1)
		all.value[9] = all.value[7] > 0 ? 1 - all.value[0] / all.value[7] : NAN;
	return all;
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
			Metrics		m = metrics_of(e, &e->sums[(size_t) s * ntargets + k]);

			metrics_put(rsinfo, "series", model_run_series(run, s), run->roles.target[k], &m);
		}
	for (uint32 k = 0; k < ntargets; k++)
	{
		Sums		sums = {0};

		for (uint32 s = 0; s < nseries; s++)
			sums_add(&sums, &e->sums[(size_t) s * ntargets + k]);
		each[k] = metrics_of(e, &sums);
		metrics_put(rsinfo, "target", NULL, run->roles.target[k], &each[k]);
	}
	all = metrics_average(each, ntargets);
	metrics_put(rsinfo, "all", NULL, NULL, &all);
}

static NnBaselineKind
baseline_parse(const char *name, uint32 season)
{
	static const NnBaselineKind kinds[] = {
		NN_BASELINE_NAIVE, NN_BASELINE_SEASONAL, NN_BASELINE_MEAN, NN_BASELINE_DRIFT
	};

	if (strcmp(name, "auto") == 0)
		return season > 1 ? NN_BASELINE_SEASONAL : NN_BASELINE_NAIVE;
	for (size_t i = 0; i < lengthof(kinds); i++)
		if (strcmp(name, nn_baseline_name(kinds[i])) == 0)
			return kinds[i];
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("unknown baseline \"%s\"", name),
			 errhint("Baselines are auto, naive, seasonal_naive, mean and drift.")));
}

static void
evaluation_prepare(Evaluation *e)
{
	ModelRun   *run = e->origins.run;
	const NnSeries *series = &run->data->series;
	uint32		ntargets = run->model->spec.ntargets;
	size_t		cells = nn_size_mul(run->env, series->nseries, ntargets);

	e->sums = NN_NEW_ARRAY(run->env, Sums, cells);
	e->mase_scale = NN_NEW_ARRAY(run->env, double, cells);
	e->baseline = NN_NEW_ARRAY(run->env, double, e->origins.horizon);
	e->interval = nn_loss_has_interval(&run->model->spec);
	for (uint32 s = 0; s < series->nseries; s++)
		for (uint32 k = 0; k < ntargets; k++)
			e->mase_scale[(size_t) s * ntargets + k] =
				nn_mase_scale(series, s, series->history[s], run->model->spec.season, k);
}

Datum
lstm_evaluate(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = result_begin(fcinfo);
	CallMemory	memory = call_memory_begin();
	char	   *name = argument_text_required(fcinfo, ARG_MODEL, "model");
	char	   *baseline = argument_text_required(fcinfo, ARG_BASELINE, "baseline");
	Evaluation	e = {.origins = {.put = origin_add, .level = COVERAGE_LEVEL}};
	ModelRun   *run;

	e.origins.horizon = argument_steps(fcinfo, ARG_HORIZON, "horizon", 0);
	e.origins.stride = argument_steps(fcinfo, ARG_STRIDE, "stride", 1);
	e.origins.host = &e;
	run = e.origins.run = model_run_open(name, argument_version(fcinfo, ARG_VERSION),
										 argument_text(fcinfo, ARG_SOURCE), NULL, NULL);
	e.kind = baseline_parse(baseline, run->model->spec.season);
	if (e.origins.horizon == 0)
		e.origins.horizon = run->model->spec.horizon;
	nn_forecast_check(run->env, &run->model->spec, e.origins.horizon);
	evaluation_prepare(&e);
	origins_forecast(&e.origins);
	result_put_all(&e, rsinfo);
	call_memory_end(memory);
	return (Datum) 0;
}
