/*
 * drift.c
 *		lstm.drift: does a model still err as it did when it was trained?
 *
 * Forecasts from rows newer than those of the training, as lstm.hindcast makes them, are
 * put into windows of so many origins, and each window's errors and coverage are held
 * against what the version promised: the mean absolute error of its validation rows, and
 * the level of its intervals.
 *
 * A window has drifted when it is worse by what matters and by more than chance.  Chance
 * is measured by batch means (Schmeiser 1982), since errors of neighbouring origins go
 * together: the window is cut into at most DRIFT_BATCHES runs, none shorter than the
 * horizon, and the spread of their means gives the standard error, three of which are
 * asked for, as by Gama et al. (2004), "Learning with drift detection"; with few batches
 * as many as Student's t wants for the same probability.  The training's figure has an
 * error too: that of so many runs as its validation windows make.
 *
 * Knows nothing of several targets at training, of which one figure is kept: it is shared
 * out as the errors on the last rows of the training are, so the source should have them.
 *
 * Costs a forecast per origin, and 48 bytes per origin and target.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/nn_stats.h"
#include "pg/env.h"
#include "pg/origins.h"

PG_FUNCTION_INFO_V1(lstm_drift);

enum
{
	ARG_MODEL, ARG_SOURCE, ARG_WINDOW, ARG_LEVEL, ARG_VERSION
};

#define RESULT_COLUMNS 14

/* Runs that a window is cut into: at the most, and those without which nothing is said. */
#define DRIFT_BATCHES 20
#define DRIFT_BATCHES_LEAST 5

/* P(Z <= 3) of the standard normal distribution. */
#define DRIFT_PROBABILITY 0.99865

/* What matters: so many times the error, so much less coverage. */
#define DRIFT_RATIO 1.2
#define DRIFT_COVERAGE 0.05

/* Origins of a window unless the caller says: so many, or so many horizons. */
#define DRIFT_WINDOW 100
#define DRIFT_HORIZONS 10

/* Origins of all series that the targets' shares are taken from, and of one at the least. */
#define DRIFT_SHARE 256
#define DRIFT_SHARE_LEAST 8

/* Forecasts of one target from one origin. */
typedef struct DriftOrigin
{
	int64		time;			/* of the origin, on the grid */
	uint32		series, row;	/* row within the series */
	uint32		target;
	uint32		n, bounded, covered;
	double		absolute;		/* sum of absolute errors */
} DriftOrigin;

typedef struct Drift
{
	Origins		origins;
	double		level;
	uint32		window;
	uint32		share;			/* origins of each series before the fresh ones that are asked for */
	uint32	   *fresh;			/* [nseries] first row that the training has not seen */
	double	   *training;		/* [ntargets] error that was promised; NaN: not known */
	double	   *known;			/* [ntargets] sum of absolute errors on rows of the training */
	uint64	   *nknown;			/* [ntargets] */
	DriftOrigin *origin;		/* [n] */
	size_t		n, room;
} Drift;

/* Sums over origins. */
typedef struct DriftSums
{
	uint64		n, bounded, covered;
	double		absolute;
} DriftSums;

/* Batch means. */
typedef struct DriftSpread
{
	uint32		count;
	double		sd;				/* of one batch's mean, NaN below 2 batches */
} DriftSpread;

/* ------------------------------------------------------------------------
 * Forecasts
 */

static uint32
window_rows(const Drift *drift, const NnWindow *window)
{
	return window->origin + 1 - drift->origins.run->data->series.first[window->series];
}

/* Whole horizons only: near steps are easier than far ones. */
static bool
origin_wanted(void *host, const NnWindow *window)
{
	Drift	   *drift = host;
	uint64		end = (uint64) window_rows(drift, window) + drift->origins.horizon;
	uint32		fresh = drift->fresh[window->series];

	CHECK_FOR_INTERRUPTS();
	if (end > drift->origins.run->data->series.history[window->series])
		return false;
	return window_rows(drift, window) >= fresh || (end <= fresh && end + drift->share > fresh);
}

/* Adds a record; the array lives in the context that it was made in. */
static void
origin_keep(Drift *drift, const DriftOrigin *origin)
{
	size_t		most = drift->origins.run->env->max_memory / sizeof(DriftOrigin);

	if (drift->n == drift->room)
	{
		if (drift->room * 2 > most)
			ereport(ERROR,
					(errcode(ERRCODE_OUT_OF_MEMORY),
					 errmsg("judging more than %zu origins and targets needs more memory than the limit of "
							"%.1f MB", drift->n, (double) (most * sizeof(DriftOrigin)) / 1048576.0),
					 errhint("Raise \"lstm.max_memory\", or give a source with fewer new rows.")));
		drift->room *= 2;
		drift->origin = repalloc_huge(drift->origin, drift->room * sizeof(DriftOrigin));
	}
	drift->origin[drift->n++] = *origin;
}

static void
origin_add(void *host, const NnWindow *window, const double *point, const double *low,
		   const double *high)
{
	Drift	   *drift = host;
	const ModelRun *run = drift->origins.run;
	uint32		G = run->model->spec.ntargets,
				rows = window_rows(drift, window);

	for (uint32 k = 0; k < G; k++)
	{
		DriftOrigin origin = {
			.time = source_time(run->data, window->series, (int64) rows - 1),
			.series = window->series, .row = rows - 1, .target = k
		};

		for (uint32 h = 0; h < drift->origins.horizon; h++)
		{
			size_t		at = (size_t) h * G + k;
			double		actual = origin_actual(run, window, h, k);

			if (isnan(actual) || isnan(point[at]))
				continue;
			origin.n++;
			origin.absolute += nn_stats_difference(actual, point[at]);
			if (isnan(low[at]))
				continue;
			origin.bounded++;
			origin.covered += nn_stats_within(actual, low[at], high[at]);
		}
		if (rows < drift->fresh[window->series])
		{
			drift->known[k] += origin.absolute;
			drift->nknown[k] += origin.n;
		}
		else if (origin.n > 0)
			origin_keep(drift, &origin);
	}
}

static void
drift_forecast(Drift *drift)
{
	const ModelRun *run = drift->origins.run;
	const NnSeries *series = &run->data->series;
	uint32		G = run->model->spec.ntargets;

	drift->origins.horizon = run->model->spec.forecast_horizon;
	drift->origins.stride = 1;
	drift->origins.level = &drift->level;
	drift->origins.nlevels = 1;
	drift->origins.put = origin_add;
	drift->origins.wanted = origin_wanted;
	drift->origins.host = drift;
	drift->fresh = NN_NEW_ARRAY(run->env, uint32, series->nseries);
	for (uint32 s = 0; s < series->nseries; s++)
		drift->fresh[s] = model_run_fresh(run, s, series->history[s]);
	if (G > 1)
		drift->share = Max(DRIFT_SHARE_LEAST, DRIFT_SHARE / series->nseries);
	drift->known = NN_NEW_ARRAY(run->env, double, G);
	drift->nknown = NN_NEW_ARRAY(run->env, uint64, G);
	drift->room = 1024;
	drift->origin = palloc(drift->room * sizeof(DriftOrigin));
	origins_forecast(&drift->origins);
}

/* ------------------------------------------------------------------------
 * What was promised
 */

static void
training_errors(Drift *drift)
{
	const ModelRun *run = drift->origins.run;
	uint32		G = run->model->spec.ntargets;
	double		sum = 0;

	drift->training = NN_NEW_ARRAY(run->env, double, G);
	for (uint32 k = 0; k < G; k++)
		sum += drift->known[k] / (double) drift->nknown[k]; /* NaN where nothing is known */
	for (uint32 k = 0; k < G; k++)
	{
		double		share = G == 1 ? 1 :
			drift->known[k] / (double) drift->nknown[k] / (sum / (double) G);

		drift->training[k] = isfinite(share) ? run->model->report.mae * share : NAN;
	}
}

/* Runs of a horizon that the training's error is a mean of. */
static double
training_runs(const Drift *drift)
{
	const NnModel *model = drift->origins.run->model;
	double		windows = (double) model->report.validation_windows / Max(model->nseries, 1);

	return Max(windows / drift->origins.horizon, 1);
}

/* ------------------------------------------------------------------------
 * Windows
 */

static int
origin_compare(const void *a, const void *b)
{
	const DriftOrigin *x = a,
			   *y = b;

	CHECK_FOR_INTERRUPTS();
	if (x->target != y->target)
		return x->target < y->target ? -1 : 1;
	if (x->time != y->time)
		return x->time < y->time ? -1 : 1;
	return x->series < y->series ? -1 : x->series > y->series;
}

/* Origins of one target at one time: those of all series from place [at] to [at + 1] - 1. */
typedef struct DriftTimes
{
	uint32		n;
	size_t	   *at;				/* [n + 1] */
} DriftTimes;

static DriftTimes
times_of(const Drift *drift, size_t from, size_t to)
{
	DriftTimes	times = {0, MemoryContextAllocHuge(CurrentMemoryContext,
												   (to - from + 1) * sizeof(size_t))};

	for (size_t i = from; i < to; i++)
		if (i == from || drift->origin[i].time != drift->origin[i - 1].time)
			times.at[times.n++] = i;
	times.at[times.n] = to;
	return times;
}

static DriftSums
sums_of(const Drift *drift, const DriftTimes *times, uint32 from, uint32 to)
{
	DriftSums	sums = {0};

	for (size_t i = times->at[from]; i < times->at[to]; i++)
	{
		sums.n += drift->origin[i].n;
		sums.bounded += drift->origin[i].bounded;
		sums.covered += drift->origin[i].covered;
		sums.absolute += drift->origin[i].absolute;
	}
	return sums;
}

/* NaN: nothing to average. */
static double
mean_error(const DriftSums *sums)
{
	return sums->n > 0 ? sums->absolute / (double) sums->n : NAN;
}

static double
mean_coverage(const DriftSums *sums)
{
	return sums->bounded > 0 ? (double) sums->covered / (double) sums->bounded : NAN;
}

/* Batch means of mean over the times from .. to - 1. */
static DriftSpread
spread_of(const Drift *drift, const DriftTimes *times, uint32 from, uint32 to,
		  double (*mean) (const DriftSums *))
{
	uint32		batches = Min((to - from) / drift->origins.horizon, DRIFT_BATCHES);
	double		each[DRIFT_BATCHES];
	DriftSpread spread = {.sd = NAN};

	for (uint32 b = 0; b < batches; b++)
	{
		DriftSums	sums = sums_of(drift, times, from + (uint32) ((uint64) (to - from) * b / batches),
								   from + (uint32) ((uint64) (to - from) * (b + 1) / batches));
		double		value = mean(&sums);

		if (!isnan(value))
			each[spread.count++] = value;
	}
	if (spread.count > 1)
		spread.sd = nn_stats_sd(each, spread.count) * sqrt(spread.count / (spread.count - 1.0));
	return spread;
}

/* 1: worse by more than chance, and by what matters; 0: not; -1: too little to say. */
static int
error_drifted(const Drift *drift, const DriftTimes *times, uint32 from, uint32 to, double mae,
			  double training)
{
	DriftSpread spread = spread_of(drift, times, from, to, mean_error);
	double		runs,
				chance;

	if (isnan(training) || spread.count < DRIFT_BATCHES_LEAST)
		return -1;
	/* The same spread, relative to the mean, of means over one horizon. */
	runs = (double) (to - from) / drift->origins.horizon;
	chance = spread.sd * sqrt(runs / spread.count) / mae * training / sqrt(training_runs(drift));
	chance = mae > 0 ? hypot(spread.sd / sqrt(spread.count), chance) : 0;
	return mae > DRIFT_RATIO * training &&
		mae - training > nn_student_quantile(DRIFT_PROBABILITY, spread.count - 1) * chance;
}

static int
coverage_drifted(const Drift *drift, const DriftTimes *times, uint32 from, uint32 to,
				 double coverage)
{
	DriftSpread spread = spread_of(drift, times, from, to, mean_coverage);
	double		runs,
				chance;

	if (isnan(coverage) || spread.count < DRIFT_BATCHES_LEAST)
		return -1;
	/* Batches that are all alike say nothing: no less than what as many coins would. */
	runs = (double) (to - from) / drift->origins.horizon;
	chance = Max(spread.sd / sqrt(spread.count), sqrt(drift->level * (1 - drift->level) / runs));
	return drift->level - coverage >
		Max(DRIFT_COVERAGE, nn_student_quantile(DRIFT_PROBABILITY, spread.count - 1) * chance);
}

/* The window of the times from .. to - 1 of a target. */
static void
window_put(const Drift *drift, ReturnSetInfo *rsinfo, uint32 k, const DriftTimes *times,
		   uint32 from, uint32 to)
{
	const ModelRun *run = drift->origins.run;
	const DriftOrigin *first = &drift->origin[times->at[from]],
			   *last = &drift->origin[times->at[to] - 1];
	DriftSums	sums = sums_of(drift, times, from, to);
	double		mae = mean_error(&sums),
				training = drift->training[k];
	int			error = error_drifted(drift, times, from, to, mae, training),
				coverage = coverage_drifted(drift, times, from, to, mean_coverage(&sums));
	Datum		values[RESULT_COLUMNS];
	bool		nulls[RESULT_COLUMNS] = {false};

	values[0] = CStringGetTextDatum(run->roles.target[k]);
	values[1] = model_run_time(run, first->series, first->row, &nulls[1]);
	values[2] = model_run_time(run, last->series, last->row, &nulls[2]);
	values[3] = model_run_index(run, first->series, first->row, &nulls[3]);
	values[4] = model_run_index(run, last->series, last->row, &nulls[4]);
	values[5] = Int32GetDatum((int32) (to - from));
	values[6] = Int64GetDatum((int64) sums.n);
	result_float(mae, &values[7], &nulls[7]);
	result_float(training, &values[8], &nulls[8]);
	result_float(training > 0 ? mae / training : NAN, &values[9], &nulls[9]);
	result_float(mean_coverage(&sums), &values[10], &nulls[10]);
	values[11] = Float8GetDatum(drift->level);
	nulls[12] = error < 0 && coverage < 0;
	values[12] = BoolGetDatum(error > 0 || coverage > 0);
	nulls[13] = !(error > 0 || coverage > 0);
	values[13] = CStringGetTextDatum(error > 0 && coverage > 0 ? "error, coverage" :
									 error > 0 ? "error" : "coverage");
	result_put(rsinfo, values, nulls);
}

/* Whole windows up to the newest origin; the oldest takes what is left. */
static void
target_put(const Drift *drift, ReturnSetInfo *rsinfo, uint32 k, size_t from, size_t to)
{
	DriftTimes	times = times_of(drift, from, to);
	uint32		windows = Max(times.n / drift->window, 1),
				begin = 0;

	for (uint32 w = 0; w < windows; w++)
	{
		uint32		end = times.n - (windows - 1 - w) * drift->window;

		window_put(drift, rsinfo, k, &times, begin, end);
		begin = end;
	}
	pfree(times.at);
}

static void
drift_put(const Drift *drift, ReturnSetInfo *rsinfo)
{
	size_t		from = 0;

	for (size_t i = 0; i < drift->n; i++)
		if (i + 1 == drift->n || drift->origin[i + 1].target != drift->origin[i].target)
		{
			target_put(drift, rsinfo, drift->origin[i].target, from, i + 1);
			from = i + 1;
		}
}

Datum
lstm_drift(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = result_begin(fcinfo);
	CallMemory	memory = call_memory_begin();
	char	   *name = argument_text_required(fcinfo, ARG_MODEL, "model");
	uint32		window = argument_steps(fcinfo, ARG_WINDOW, "window_size", 0);
	Drift		drift = {.level = argument_level(fcinfo, ARG_LEVEL)};
	ModelRun   *run = model_run_open(name, argument_version(fcinfo, ARG_VERSION),
									 argument_text(fcinfo, ARG_SOURCE), NULL, NULL, 0);

	drift.origins.run = run;
	drift_forecast(&drift);
	drift.window = window > 0 ? window :
		Max(DRIFT_WINDOW, DRIFT_HORIZONS * drift.origins.horizon);
	training_errors(&drift);
	qsort(drift.origin, drift.n, sizeof(DriftOrigin), origin_compare);
	drift_put(&drift, rsinfo);
	if (drift.n == 0)
		ereport(NOTICE,
				(errmsg("model \"%s\", version %d: there are no newer rows to judge", name,
						run->row->version),
				 errdetail("Judged are forecasts of rows after those it was trained on, once all %u of a "
						   "horizon have come.", drift.origins.horizon)));
	call_memory_end(memory);
	return (Datum) 0;
}
