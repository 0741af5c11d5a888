/*
 * anomalies.c
 *		lstm.detect_anomalies: which rows lie where forecasts did not expect them.
 *
 * Series are walked in time order.  A value found anomalous is replaced by its forecast
 * where it lies in the context of later windows, so that one wild value does not make
 * the values after it look wild.  When more than a quarter of the last context are
 * anomalies, the series has changed rather than gone wild: then its values count as they
 * are, those already replaced included.
 *
 * Forecasts are made for a stretch of rows at a time, as if none of them were anomalous;
 * where one is, the stretch ends before the first window that sees it, and the next
 * begins there.  Stretches of many series go together.  Cost: a forecast per row, and a
 * stretch more per anomaly; memory is that of the stretches.
 *
 * Where several series are forecast together, they are walked together: a stretch is one of
 * all series, and ends where any of them has an anomaly.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

#include "core/nn_tile.h"
#include "core/nn_stats.h"
#include "pg/env.h"
#include "pg/probe.h"
#include "pg/spread.h"

PG_FUNCTION_INFO_V1(lstm_detect_anomalies);

enum
{
	ARG_MODEL, ARG_SOURCE, ARG_PROBABILITY, ARG_HORIZON, ARG_VERSION
};

#define RESULT_COLUMNS 11

/* Windows of a round, and of one series in it, at the most. */
#define ROUND_WINDOWS	192
#define SERIES_WINDOWS	NN_TILE_LANES

/* Anomalies that are replaced: a quarter of the context, this many at least. */
#define REPLACED_SHARE	4
#define REPLACED_LEAST	3

/*
 * Where the walk along one series, or along all that are forecast together, stands.  Rows are
 * numbers within all rows, and those of the first series.
 */
typedef struct Walker
{
	uint32		series;			/* the first */
	uint32		next;			/* origin of the next window */
	uint32		last;			/* origin of the last */
	uint32		windows;		/* of each series in this round */
	uint32		first;			/* their first number in the round: series by series of each row */
} Walker;

typedef struct Detection
{
	ModelRun   *run;
	ReturnSetInfo *rsinfo;
	Spread		spread;
	uint32		at;				/* the level asked for, among those of spread */
	uint32		horizon;
	double	   *original;		/* [rows][ntargets] values as they came */
	uint8	   *flag;			/* [rows][ntargets] 1: an anomaly */
	uint32	   *count;			/* [nseries][ntargets] of them in the last context */
	NnPredictor *predictor;
	Walker	   *walker;			/* [nseries] those not at their end come first */
	uint32		nwalkers;
	uint32		per;			/* series of a walker */
	uint32		stretch;		/* windows of each series in a round, at the most */
	uint32		room;			/* windows of a round, at the most */

	/* One round */
	uint32		n;
	NnWindow   *window;			/* [room] in the rows of the stretches */
	double	   *point;			/* [room][horizon][ntargets] */
	double	   *low, *high;		/* [nlevels][n][horizon][ntargets] */
} Detection;

/* A value judged. */
typedef struct Judgement
{
	double		point, low, high;
	double		probability;	/* of errors smaller than this one */
	bool		anomaly;
} Judgement;

static Judgement
value_judge(const Detection *d, uint32 window, uint32 k, double actual)
{
	uint32		G = d->run->model->spec.ntargets;
	size_t		values = (size_t) d->horizon * G,
				stride = d->n * values,
				at = window * values + (size_t) (d->horizon - 1) * G + k;
	Judgement	j;

	j.point = d->point[at];
	j.low = d->low[d->at * stride + at];
	j.high = d->high[d->at * stride + at];
	j.probability = spread_level(&d->spread, j.point, d->low + at, d->high + at, stride, actual);
	j.anomaly = !isnan(j.low) && !isnan(j.high) && !nn_stats_within(actual, j.low, j.high);
	return j;
}

static void
judgement_put(const Detection *d, uint32 s, uint32 row, uint32 k, double actual,
			  const Judgement *j)
{
	const ModelRun *run = d->run;
	int64		place = (int64) row - run->data->series.first[s];
	const char *name = model_run_series(run, s);
	Datum		values[RESULT_COLUMNS];
	bool		nulls[RESULT_COLUMNS] = {false};

	nulls[0] = nulls[10] = name == NULL;
	values[0] = name ? CStringGetTextDatum(name) : (Datum) 0;
	values[1] = CStringGetTextDatum(run->roles.target[k]);
	values[2] = model_run_time(run, s, place, &nulls[2]);
	values[3] = model_run_index(run, s, place, &nulls[3]);
	result_float(actual, &values[4], &nulls[4]);
	result_float(j->point, &values[5], &nulls[5]);
	result_float(j->low, &values[6], &nulls[6]);
	result_float(j->high, &values[7], &nulls[7]);
	values[8] = BoolGetDatum(j->anomaly);
	result_float(j->probability, &values[9], &nulls[9]);
	values[10] = model_run_series_key(run, s);
	result_put(d->rsinfo, values, nulls);
}

/* Gives the rows of the last context their values back; were any replaced? */
static bool
values_restore(Detection *d, uint32 s, uint32 row, uint32 k)
{
	const NnSeries *series = &d->run->data->series;
	uint32		G = d->run->model->spec.ntargets;
	bool		changed = false;

	for (uint32 back = 0; back <= d->run->model->spec.context && back <= row - series->first[s];
		 back++)
	{
		double	   *value = &series->value[(size_t) (row - back) * series->C + k],
					original = d->original[(size_t) (row - back) * G + k];

		changed = changed || (*value != original && !isnan(original));
		*value = original;
	}
	return changed;
}

/*
 * Puts the forecast in the place of an anomalous value, or gives up on a series that has
 * changed.  Returns whether later windows see another value than before.
 */
static bool
value_replace(Detection *d, uint32 s, uint32 row, uint32 k, const Judgement *j)
{
	const NnSeries *series = &d->run->data->series;
	uint32		G = d->run->model->spec.ntargets,
				most = Max(d->run->model->spec.context / REPLACED_SHARE, REPLACED_LEAST),
			   *count = &d->count[(size_t) s * G + k];

	if (!j->anomaly)
		return false;
	d->flag[(size_t) row * G + k] = 1;
	if (++*count > most)
		return values_restore(d, s, row, k);
	series->value[(size_t) row * series->C + k] = j->point;
	return true;
}

/* Anomalies that the last context of a row does not contain any more. */
static void
count_forget(Detection *d, uint32 s, uint32 row, uint32 k)
{
	uint32		G = d->run->model->spec.ntargets,
				context = d->run->model->spec.context;

	if (row - d->run->data->series.first[s] >= context)
		d->count[(size_t) s * G + k] -= d->flag[(size_t) (row - context) * G + k];
}

/*
 * Judges the values of a row of series s, which window number at forecasts; do later windows
 * see another one than before?
 */
static bool
row_judge(Detection *d, uint32 s, uint32 row, uint32 at)
{
	uint32		G = d->run->model->spec.ntargets;
	bool		changed = false;

	for (uint32 k = 0; k < G; k++)
	{
		double		actual = d->original[(size_t) row * G + k];
		Judgement	j;

		count_forget(d, s, row, k);
		if (isnan(actual))
			continue;
		j = value_judge(d, at, k, actual);
		judgement_put(d, s, row, k, actual, &j);
		changed = value_replace(d, s, row, k, &j) || changed;
	}
	return changed;
}

/*
 * Judges the rows that the windows of a walker forecast; moves it on to the first
 * window that would see a value changed now.
 */
static void
walker_judge(Detection *d, Walker *w)
{
	const uint32_t *first = d->run->data->series.first;
	uint32		end = w->next + w->windows; /* origins before this one are forecast */

	for (uint32 i = 0; w->next < end; i++, w->next++)
	{
		uint32		row = w->next + d->horizon;
		bool		changed = false;

		for (uint32 s = w->series; s < w->series + d->per; s++)
			changed = row_judge(d, s, row - first[w->series] + first[s],
								w->first + i * d->per + s - w->series) || changed;
		if (changed && end > row)
			end = row;
	}
}

/* Gives each of the first walkers its windows; returns how many walkers take part. */
static uint32
round_plan(Detection *d)
{
	uint32		walkers = 0;

	d->n = 0;
	while (walkers < d->nwalkers && d->n + d->stretch * d->per <= d->room)
	{
		Walker	   *w = &d->walker[walkers++];

		w->windows = Min(d->stretch, w->last - w->next + 1);
		w->first = d->n;
		d->n += w->windows * d->per;
	}
	return walkers;
}

/* The rows that the round's windows read. */
static ProbePiece *
round_cut(Detection *d, const NnEnv *env, uint32 walkers)
{
	const NnSeries *series = &d->run->data->series;
	uint32		block = d->run->model->spec.horizon,
				ahead = (d->horizon + block - 1) / block * block;
	ProbePiece *piece = NN_NEW_ARRAY(env, ProbePiece, walkers);

	for (uint32 i = 0; i < walkers; i++)
	{
		const Walker *w = &d->walker[i];
		uint64		end = (uint64) w->next + w->windows + ahead;
		ProbePiece *p = &piece[i];

		p->series = w->series;
		p->begin = probe_begin(d->run, w->series, w->next);
		p->history = w->next + w->windows;
		p->end = (uint32) Min(end, series->first[w->series + 1]);
	}
	return piece;
}

/* The round's windows in series of those rows. */
static void
round_windows(Detection *d, const NnSeries *series, const ProbePiece *piece, uint32 walkers)
{
	for (uint32 i = 0; i < walkers; i++)
	{
		const Walker *w = &d->walker[i];

		for (uint32 j = 0; j < w->windows * d->per; j++)
			d->window[w->first + j] = probe_window(d->run, series, walkers, i, w->series + j % d->per,
												   w->next + j / d->per - piece[i].begin);
	}
}

static void
round_run(Detection *d, MemoryContext scratch)
{
	uint32		walkers = round_plan(d);
	MemoryContext before = MemoryContextSwitchTo(scratch);
	NnEnv	   *env = env_create(scratch);
	ProbePiece *piece = round_cut(d, env, walkers);
	NnSeries   *series = probe_series(env, d->run, piece, walkers);
	NnData	   *data = probe_prepare(env, d->run, series, piece, walkers);

	round_windows(d, series, piece, walkers);
	nn_predictor_forget(d->predictor);
	model_run_predict(d->predictor, data, d->window, d->n, d->horizon, d->spread.level,
					  d->spread.nlevels, d->point, d->low, d->high);
	nn_predictor_forget(d->predictor);
	for (uint32 i = 0; i < walkers; i++)
		walker_judge(d, &d->walker[i]);
	MemoryContextSwitchTo(before);
	MemoryContextReset(scratch);
	/* Whoever is at the end of its series makes room for the last. */
	for (uint32 i = walkers; i-- > 0;)
		if (d->walker[i].next > d->walker[i].last)
			d->walker[i] = d->walker[--d->nwalkers];
}

/* Fails unless the future covariates of all windows of a walker are known. */
static void
walker_check(const Detection *d, const Walker *w)
{
	const uint32_t *first = d->run->data->series.first;

	for (uint32 s = w->series; s < w->series + d->per && d->run->roles.nfuture > 0; s++)
		for (uint32 origin = w->next; origin <= w->last; origin++)
		{
			NnWindow	window = {s, origin - first[w->series] + first[s]};

			CHECK_FOR_INTERRUPTS();
			model_run_future_check(d->run, &window, d->horizon);
		}
}

/* A walker for each series, or for all together, that has a row with context before it. */
static void
walkers_begin(Detection *d)
{
	const ModelRun *run = d->run;
	const NnSeries *series = &run->data->series;
	uint32		needed = nn_rows_needed(&run->model->spec);
	bool		sites = run->model->spec.nsites > 1;

	d->per = sites ? series->nseries : 1;
	d->stretch = sites ? NN_SITE_LANES : SERIES_WINDOWS;
	d->room = sites ? nn_forecast_windows(&run->model->spec) : ROUND_WINDOWS;
	d->walker = NN_NEW_ARRAY(run->env, Walker, series->nseries);
	for (uint32 s = 0; s < series->nseries; s += d->per)
	{
		Walker	   *w = &d->walker[d->nwalkers];

		if ((uint64) needed + d->horizon > series->history[s])
			continue;
		*w = (Walker) {.series = s,.next = series->first[s] + needed - 1,
			.last = series->first[s] + series->history[s] - 1 - d->horizon};
		walker_check(d, w);
		d->nwalkers++;
	}
	if (d->nwalkers == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the source has no row with %u rows before it", needed + d->horizon - 1),
				 errhint("Give more rows: model \"%s\" looks back on %u.", run->row->name, needed)));
}

static void
detection_prepare(Detection *d)
{
	const NnEnv *env = d->run->env;
	const NnSeries *series = &d->run->data->series;
	uint32		G = d->run->model->spec.ntargets;
	size_t		rows = series->first[series->nseries],
				values = nn_size_mul(env, nn_size_mul(env, d->room, d->horizon), G),
				all = nn_size_mul(env, values, d->spread.nlevels);

	d->original = NN_NEW_ARRAY(env, double, nn_size_mul(env, rows, G));
	for (size_t row = 0; row < rows; row++)
	{
		memcpy(d->original + row * G, series->value + row * series->C, G * sizeof(double));
		if (row % 65536 == 0)
			CHECK_FOR_INTERRUPTS();
	}
	d->flag = NN_NEW_ARRAY(env, uint8, nn_size_mul(env, rows, G));
	d->count = NN_NEW_ARRAY(env, uint32, nn_size_mul(env, series->nseries, G));
	d->window = NN_NEW_ARRAY(env, NnWindow, d->room);
	d->point = NN_NEW_ARRAY(env, double, values);
	d->low = NN_NEW_ARRAY(env, double, all);
	d->high = NN_NEW_ARRAY(env, double, all);
	d->predictor = model_run_predictor(d->run, nn_forecast_windows(&d->run->model->spec), d->horizon);
}

static double
probability_get(FunctionCallInfo fcinfo)
{
	double		probability;

	if (PG_ARGISNULL(ARG_PROBABILITY))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"probability\" must not be null")));
	probability = PG_GETARG_FLOAT8(ARG_PROBABILITY);
	if (!(probability > 0 && (1 + probability) / 2 < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"probability\" is %.16g, outside of its range", probability),
				 errhint("Give a probability between 0 and 1, such as 0.99.")));
	return probability;
}

Datum
lstm_detect_anomalies(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = result_begin(fcinfo);
	CallMemory	memory = call_memory_begin();
	char	   *name = argument_text_required(fcinfo, ARG_MODEL, "model");
	Detection  *d = palloc0(sizeof(Detection));
	double		probability = probability_get(fcinfo);
	MemoryContext scratch;

	d->rsinfo = rsinfo;
	d->horizon = argument_steps(fcinfo, ARG_HORIZON, "horizon", 1);
	d->run = model_run_open(name, argument_version(fcinfo, ARG_VERSION),
							argument_text(fcinfo, ARG_SOURCE), NULL, NULL, d->horizon);
	spread_check(d->run);
	probe_horizon(d->run, d->horizon);
	d->spread = spread_levels(probability, &d->at);
	walkers_begin(d);
	detection_prepare(d);
	scratch = AllocSetContextCreate(CurrentMemoryContext, "lstm round", ALLOCSET_DEFAULT_SIZES);
	while (d->nwalkers > 0)
		round_run(d, scratch);
	call_memory_end(memory);
	return (Datum) 0;
}
