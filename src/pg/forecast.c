/*
 * forecast.c
 *		lstm.forecast: every series of a model, from its newest rows on.
 *
 * Writes nothing, so it works in a read-only transaction and on a standby.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "funcapi.h"
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

/*
 * Adaptive intervals: forecasts from up to a horizon and NN_ADAPT_ORIGINS origins before the
 * window, and lets its interval learn from them.  Only rows later than those of the training
 * are learned from: what the model has seen, it misses less.  low and high
 * [horizon][ntargets].
 */
static void
interval_adapt(const ModelRun *run, NnPredictor *predictor, NnAdapter *adapter,
			   const NnWindow *window, uint32 horizon, double level, const double *point,
			   double *low, double *high)
{
	CallMemory	memory = call_memory_begin();
	const NnSpec *spec = &run->model->spec;
	size_t		values = (size_t) horizon * spec->ntargets;
	uint32		rows = window->origin + 1 - run->data->series.first[window->series],
				fresh = rows - model_run_fresh(run, window->series, rows),
				back = Min(Min(rows - Min(rows, nn_rows_needed(spec)), fresh),
						   horizon + NN_ADAPT_ORIGINS),
				lanes = NN_TILE_LANES;
	const NnEnv *env = env_create(memory.own);
	double	   *past = NN_NEW_ARRAY(env, double, nn_size_mul(env, values, 3 * (size_t) lanes));

	nn_adapter_reset(adapter);
	for (uint32 done = 0; done < back; done += lanes)
	{
		NnWindow	windows[NN_TILE_LANES];
		uint32		n = Min(lanes, back - done);

		for (uint32 i = 0; i < n; i++)
			windows[i] = (NnWindow) {window->series, window->origin - back + done + i};
		model_run_predict(predictor, run->prepared, windows, n, horizon, &level, 1, past,
						  past + values * n, past + 2 * values * n);
		for (uint32 i = 0; i < n; i++)
			nn_adapter_step(adapter, &run->data->series, windows[i].origin, past + i * values,
							past + (n + i) * values, past + (2 * n + i) * values);
	}
	nn_adapter_step(adapter, &run->data->series, window->origin, point, low, high);
	call_memory_end(memory);
}

static void
forecast_all(const ModelRun *run, uint32 horizon, double level, JointPut put, void *host)
{
	uint32		nseries = run->data->series.nseries,
				lanes = nn_tile_lanes(nseries);
	size_t		values = (size_t) horizon * run->model->spec.ntargets;
	double	   *point = NN_NEW_ARRAY(run->env, double, values * lanes),
			   *low = NN_NEW_ARRAY(run->env, double, values * lanes),
			   *high = NN_NEW_ARRAY(run->env, double, values * lanes);
	bool		adaptive = run->model->spec.calibration == NN_CALIBRATION_ADAPTIVE;
	bool		alone = nseries == 1 && !adaptive;
	NnPredictor *predictor = alone ? model_run_predictor_kept(run, horizon) :
		model_run_predictor(run, adaptive ? NN_TILE_LANES : Min(nseries, lanes), horizon);
	NnAdapter  *adapter = adaptive ?
		nn_adapter_create(run->env, horizon, run->model->spec.ntargets, &level, 1) : NULL;
	MemoryContext before = CurrentMemoryContext,
				scratch = AllocSetContextCreate(before, "lstm rows", ALLOCSET_DEFAULT_SIZES);

	model_run_arrays_notice(run);
	model_run_dead_notice(run);
	if (adaptive)
		nn_adapter_bound(adapter, &run->model->spec);
	for (uint32 first = 0; first < nseries; first += lanes)
	{
		NnWindow	windows[NN_TILE_LANES];
		uint32		n = Min(lanes, nseries - first);

		for (uint32 i = 0; i < n; i++)
		{
			windows[i] = model_run_newest(run, first + i);
			model_run_future_check(run, &windows[i], horizon);
		}
		model_run_predict(predictor, run->prepared, windows, n, horizon, &level, 1, point, low,
						  high);
		for (uint32 i = 0; adaptive && i < n; i++)
			interval_adapt(run, predictor, adapter, &windows[i], horizon, level, point + i * values,
						   low + i * values, high + i * values);
		MemoryContextSwitchTo(scratch);
		for (uint32 i = 0; i < n; i++)
			if (model_run_alive(run, windows[i].series))
				put(host, run, &windows[i], point + i * values, low + i * values,
					high + i * values);
		MemoryContextSwitchTo(before);
		MemoryContextReset(scratch);
	}
	if (alone)
		model_run_predictor_done(run);
}

void
forecast_newest(const ModelRun *run, JointModel *joint, uint32 horizon, double level, JointPut put,
				void *host)
{
	if (joint != NULL)
		joint_forecast(joint, horizon, &level, 1, put, host);
	else
		forecast_all(run, horizon, level, put, host);
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
	forecast_newest(run, joint, horizon, rows.level, series_put, &rows);
	call_memory_end(memory);
	return (Datum) 0;
}
