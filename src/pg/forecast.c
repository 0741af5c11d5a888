/*
 * forecast.c
 *		lstm.forecast: every series of a model, from its newest rows on.
 *
 * Writes nothing, so it works in a read-only transaction and on a standby.
 */
#include "postgres.h"

#include "fmgr.h"
#include "funcapi.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/nn_tile.h"
#include "pg/env.h"
#include "pg/model_run.h"

PG_FUNCTION_INFO_V1(lstm_forecast);

enum
{
	ARG_MODEL, ARG_HORIZON, ARG_LEVEL, ARG_SOURCE, ARG_FUTURE, ARG_AS_OF, ARG_VERSION
};

#define RESULT_COLUMNS 10

/* One row per target and step; point, low, high are [horizon][ntargets]. */
static void
series_put(const ModelRun *run, ReturnSetInfo *rsinfo, const NnWindow *window, uint32 horizon,
		   double level, const double *point, const double *low, const double *high)
{
	uint32		s = window->series;
	int64		origin = (int64) window->origin - run->data->series.first[s];
	const char *name = model_run_series(run, s);
	Datum		values[RESULT_COLUMNS];
	bool		nulls[RESULT_COLUMNS] = {false};

	nulls[0] = nulls[9] = name == NULL;
	values[0] = name ? CStringGetTextDatum(name) : (Datum) 0;
	values[6] = Float8GetDatum(level);
	values[9] = model_run_series_key(run, s);
	for (int k = 0; k < run->roles.ntargets; k++)
	{
		values[1] = CStringGetTextDatum(run->roles.target[k]);
		for (uint32 h = 0; h < horizon; h++)
		{
			size_t		at = (size_t) h * run->roles.ntargets + k;

			values[2] = Int32GetDatum((int32) h + 1);
			values[3] = model_run_time(run, s, origin + 1 + h, &nulls[3]);
			values[4] = model_run_index(run, s, origin + 1 + h, &nulls[4]);
			result_float(point[at], &values[5], &nulls[5]);
			result_float(low[at], &values[7], &nulls[7]);
			result_float(high[at], &values[8], &nulls[8]);
			result_put(rsinfo, values, nulls);
		}
	}
}

static void
forecast_all(const ModelRun *run, ReturnSetInfo *rsinfo, uint32 horizon, double level)
{
	uint32		nseries = run->data->series.nseries,
				lanes = nn_tile_lanes(nseries);
	size_t		values = (size_t) horizon * run->model->spec.ntargets;
	double	   *point = NN_NEW_ARRAY(run->env, double, values * lanes),
			   *low = NN_NEW_ARRAY(run->env, double, values * lanes),
			   *high = NN_NEW_ARRAY(run->env, double, values * lanes);
	NnForecaster *forecaster = nn_forecaster_create(run->env, &run->model->spec, env_kernels(),
													run->model->params, lanes, horizon);
	MemoryContext before = CurrentMemoryContext,
				scratch = AllocSetContextCreate(before, "lstm rows", ALLOCSET_DEFAULT_SIZES);

	for (uint32 first = 0; first < nseries; first += lanes)
	{
		NnWindow	windows[NN_TILE_LANES];
		uint32		n = Min(lanes, nseries - first);

		for (uint32 i = 0; i < n; i++)
		{
			windows[i] = model_run_newest(run, first + i);
			model_run_future_check(run, &windows[i], horizon);
		}
		model_run_forecast(forecaster, run->prepared, windows, n, horizon, level, point, low,
						   high);
		MemoryContextSwitchTo(scratch);
		for (uint32 i = 0; i < n; i++)
			series_put(run, rsinfo, &windows[i], horizon, level, point + i * values,
					   low + i * values, high + i * values);
		MemoryContextSwitchTo(before);
		MemoryContextReset(scratch);
	}
}

Datum
lstm_forecast(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = result_begin(fcinfo);
	CallMemory	memory = call_memory_begin();
	char	   *name = argument_text_required(fcinfo, ARG_MODEL, "model");
	uint32		horizon = argument_steps(fcinfo, ARG_HORIZON, "horizon", 0);
	double		level = argument_level(fcinfo, ARG_LEVEL);
	TimestampTz as_of = PG_ARGISNULL(ARG_AS_OF) ? 0 : PG_GETARG_TIMESTAMPTZ(ARG_AS_OF);
	ModelRun   *run = model_run_open(name, argument_version(fcinfo, ARG_VERSION),
									 argument_text(fcinfo, ARG_SOURCE),
									 argument_text(fcinfo, ARG_FUTURE),
									 PG_ARGISNULL(ARG_AS_OF) ? NULL : &as_of);

	if (horizon == 0)
		horizon = run->model->spec.horizon;
	nn_forecast_check(run->env, &run->model->spec, horizon);
	forecast_all(run, rsinfo, horizon, level);
	call_memory_end(memory);
	return (Datum) 0;
}
