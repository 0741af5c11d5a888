/*
 * forecast.c
 *		lstm.forecast: every series of a model, from its newest rows on.
 *
 * Writes nothing, so it works in a read-only transaction and on a standby.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/nn_adapt.h"
#include "core/nn_tile.h"
#include "pg/env.h"
#include "pg/forecast.h"
#include "pg/model_run.h"

PG_FUNCTION_INFO_V1(lstm_forecast);

enum
{
	ARG_MODEL, ARG_HORIZON, ARG_LEVEL, ARG_SOURCE, ARG_FUTURE, ARG_AS_OF, ARG_VERSION
};

#define RESULT_COLUMNS 10

/* Where the rows of lstm.forecast go. */
typedef struct ForecastRows
{
	ReturnSetInfo *rsinfo;
	uint32		horizon;
	double		level;
} ForecastRows;

/* One row per target and step; point, low, high are [horizon][ntargets], NaN: nothing is known. */
static void
series_put(void *host, const ModelRun *run, const NnWindow *window, const double *point,
		   const double *low, const double *high)
{
	const ForecastRows *rows = host;
	uint32		s = window->series;
	int64		origin = (int64) window->origin - run->data->series.first[s];
	const char *name = model_run_series(run, s);
	Datum		values[RESULT_COLUMNS];
	bool		nulls[RESULT_COLUMNS] = {false};

	nulls[0] = nulls[9] = name == NULL;
	values[0] = name ? CStringGetTextDatum(name) : (Datum) 0;
	values[6] = Float8GetDatum(rows->level);
	values[9] = model_run_series_key(run, s);
	for (int k = 0; k < run->roles.ntargets; k++)
	{
		values[1] = CStringGetTextDatum(run->roles.target[k]);
		for (uint32 h = 0; h < rows->horizon; h++)
		{
			size_t		at = (size_t) h * run->roles.ntargets + k;

			if (isnan(point[at]))
				continue;
			values[2] = Int32GetDatum((int32) h + 1);
			values[3] = model_run_time(run, s, origin + 1 + h, &nulls[3]);
			values[4] = model_run_index(run, s, origin + 1 + h, &nulls[4]);
			result_float(point[at], &values[5], &nulls[5]);
			result_float(low[at], &values[7], &nulls[7]);
			result_float(high[at], &values[8], &nulls[8]);
			result_put(rows->rsinfo, values, nulls);
		}
	}
}

/* What forecasts from several windows, one after the other, share. */
typedef struct Forecaster
{
	const ModelRun *run;
	uint32		horizon;
	const double *level;		/* [nlevels] */
	uint32		nlevels;
	size_t		values;			/* horizon times targets */
	uint32		lanes;			/* windows at once */
	NnPredictor *predictor;
	NnAdapter  *adapter;		/* NULL: intervals stay as they were calibrated */
	double	   *point;			/* [lanes][values] */
	double	   *low, *high;		/* [nlevels][windows][values] */
	double	   *one_low, *one_high; /* [nlevels][values] */
} Forecaster;

static Forecaster *
forecaster_create(const ModelRun *run, uint32 nwindows, uint32 horizon, const double *level,
				  uint32 nlevels, bool kept)
{
	const NnEnv *env = run->env;
	Forecaster *f = NN_NEW(env, Forecaster);
	const NnSpec *spec = &run->model->spec;
	bool		adaptive = spec->calibration == NN_CALIBRATION_ADAPTIVE;
	size_t		all;

	f->run = run;
	f->horizon = horizon;
	f->level = level;
	f->nlevels = nlevels;
	f->values = nn_size_mul(env, horizon, spec->ntargets);
	f->lanes = adaptive ? NN_TILE_LANES : nn_tile_lanes(nwindows);
	all = nn_size_mul(env, nn_size_mul(env, f->values, f->lanes), nlevels);
	f->point = NN_NEW_ARRAY(env, double, f->values * f->lanes);
	f->low = NN_NEW_ARRAY(env, double, all);
	f->high = NN_NEW_ARRAY(env, double, all);
	f->one_low = NN_NEW_ARRAY(env, double, f->values * nlevels);
	f->one_high = NN_NEW_ARRAY(env, double, f->values * nlevels);
	f->predictor = kept ? model_run_predictor_kept(run, horizon) :
		model_run_predictor(run, adaptive ? NN_TILE_LANES : Min(nwindows, f->lanes), horizon);
	if (adaptive)
	{
		f->adapter = nn_adapter_create(env, horizon, spec->ntargets, level, nlevels);
		nn_adapter_bound(f->adapter, spec);
	}
	return f;
}

/* Window i of n that were forecast into low and high: its intervals into one_low and one_high. */
static void
intervals_take(Forecaster *f, const double *low, const double *high, uint32 i, uint32 n)
{
	for (uint32 v = 0; v < f->nlevels; v++)
	{
		size_t		from = ((size_t) v * n + i) * f->values;

		memcpy(f->one_low + v * f->values, low + from, f->values * sizeof(double));
		memcpy(f->one_high + v * f->values, high + from, f->values * sizeof(double));
	}
}

/*
 * Adaptive intervals: forecasts from up to a horizon and NN_ADAPT_ORIGINS origins before the
 * window, and lets its interval learn from them.  Only rows later than those of the training
 * are learned from: what the model has seen, it misses less.  point [values] of the window;
 * its intervals are those of window i of n in f->low and f->high.
 */
static void
interval_adapt(Forecaster *f, const NnWindow *window, const double *point, uint32 i, uint32 n)
{
	const ModelRun *run = f->run;
	CallMemory	memory = call_memory_begin();
	const NnEnv *env = env_create(memory.own);
	uint32		rows = window->origin + 1 - run->data->series.first[window->series],
				fresh = rows - model_run_fresh(run, window->series, rows),
				back = Min(Min(rows - Min(rows, nn_rows_needed(&run->model->spec)), fresh),
						   f->horizon + NN_ADAPT_ORIGINS);
	size_t		one = nn_size_mul(env, f->values, NN_TILE_LANES),
				all = nn_size_mul(env, one, f->nlevels);
	double	   *past = NN_NEW_ARRAY(env, double, one),
			   *low = NN_NEW_ARRAY(env, double, all),
			   *high = NN_NEW_ARRAY(env, double, all);

	nn_adapter_reset(f->adapter);
	for (uint32 done = 0; done < back; done += NN_TILE_LANES)
	{
		NnWindow	windows[NN_TILE_LANES];
		uint32		m = Min(NN_TILE_LANES, back - done);

		for (uint32 w = 0; w < m; w++)
			windows[w] = (NnWindow) {window->series, window->origin - back + done + w};
		model_run_predict(f->predictor, run->prepared, windows, m, f->horizon, f->level, f->nlevels,
						  past, low, high);
		for (uint32 w = 0; w < m; w++)
		{
			intervals_take(f, low, high, w, m);
			nn_adapter_step(f->adapter, &run->data->series, windows[w].origin,
							past + w * f->values, f->one_low, f->one_high);
		}
	}
	intervals_take(f, f->low, f->high, i, n);
	nn_adapter_step(f->adapter, &run->data->series, window->origin, point, f->one_low, f->one_high);
	call_memory_end(memory);
}

/* Forecasts from n windows; afterwards window_take gives each. */
static void
windows_forecast(Forecaster *f, const NnWindow *windows, uint32 n)
{
	for (uint32 i = 0; i < n; i++)
		model_run_future_check(f->run, &windows[i], f->horizon);
	model_run_predict(f->predictor, f->run->prepared, windows, n, f->horizon, f->level, f->nlevels,
					  f->point, f->low, f->high);
}

/* The point forecast of window i of them; its intervals come to lie in one_low and one_high. */
static const double *
window_take(Forecaster *f, const NnWindow *windows, uint32 i, uint32 n)
{
	const double *point = f->point + i * f->values;

	if (f->adapter != NULL)
		interval_adapt(f, &windows[i], point, i, n);
	else
		intervals_take(f, f->low, f->high, i, n);
	return point;
}

static void
forecast_all(const ModelRun *run, uint32 horizon, const double *level, uint32 nlevels, JointPut put,
			 void *host)
{
	uint32		nseries = run->data->series.nseries;
	bool		alone = nseries == 1 && run->model->spec.calibration != NN_CALIBRATION_ADAPTIVE;
	Forecaster *f = forecaster_create(run, nseries, horizon, level, nlevels, alone);
	MemoryContext before = CurrentMemoryContext,
				scratch = AllocSetContextCreate(before, "lstm rows", ALLOCSET_DEFAULT_SIZES);

	model_run_arrays_notice(run);
	model_run_dead_notice(run);
	for (uint32 first = 0; first < nseries; first += f->lanes)
	{
		NnWindow	windows[NN_TILE_LANES];
		uint32		n = Min(f->lanes, nseries - first);

		for (uint32 i = 0; i < n; i++)
			windows[i] = model_run_newest(run, first + i);
		windows_forecast(f, windows, n);
		for (uint32 i = 0; i < n; i++)
		{
			const double *point = window_take(f, windows, i, n);

			MemoryContextSwitchTo(scratch);
			if (model_run_alive(run, windows[i].series))
				put(host, run, &windows[i], point, f->one_low, f->one_high);
			MemoryContextSwitchTo(before);
		}
		MemoryContextReset(scratch);
	}
	if (alone)
		model_run_predictor_done(run);
}

void
forecast_newest(const ModelRun *run, JointModel *joint, uint32 horizon, const double *level,
				uint32 nlevels, JointPut put, void *host)
{
	if (joint != NULL)
		joint_forecast(joint, horizon, level, nlevels, put, host);
	else
		forecast_all(run, horizon, level, nlevels, put, host);
}

void
forecast_series(const ModelRun *run, uint32 s, uint32 horizon, double level, JointPut put,
				void *host)
{
	NnWindow	window = model_run_newest(run, s);
	Forecaster *f = forecaster_create(run, 1, horizon, &level, 1, false);
	const double *point;

	windows_forecast(f, &window, 1);
	point = window_take(f, &window, 0, 1);
	model_run_dead_notice(run);
	if (model_run_alive(run, s))
		put(host, run, &window, point, f->one_low, f->one_high);
}

Datum
lstm_forecast(PG_FUNCTION_ARGS)
{
	ForecastRows rows = {.rsinfo = result_begin(fcinfo)};
	CallMemory	memory = call_memory_begin();
	char	   *name = argument_text_required(fcinfo, ARG_MODEL, "model");
	uint32		horizon = argument_steps(fcinfo, ARG_HORIZON, "horizon", 0);
	TimestampTz as_of = PG_ARGISNULL(ARG_AS_OF) ? 0 : PG_GETARG_TIMESTAMPTZ(ARG_AS_OF);
	JointModel *joint;
	ModelRun   *run;

	rows.level = argument_level(fcinfo, ARG_LEVEL);
	run = joint_or_model_open_newest(name, argument_version(fcinfo, ARG_VERSION),
									 argument_text(fcinfo, ARG_SOURCE),
									 argument_text(fcinfo, ARG_FUTURE),
									 PG_ARGISNULL(ARG_AS_OF) ? NULL : &as_of, &horizon, &joint);
	rows.horizon = horizon;
	forecast_newest(run, joint, horizon, &rows.level, 1, series_put, &rows);
	call_memory_end(memory);
	return (Datum) 0;
}
