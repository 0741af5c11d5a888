/*
 * plot_model.c
 *		lstm.plot_forecast: one series of a model, its past and its forecast.
 *
 * Collects numbers; the drawing is plot.c's.  Costs one forecast of one series
 * beyond reading the source; of a joint model forecasts of all its series.
 */
#include "postgres.h"

#include "fmgr.h"
#include "utils/builtins.h"

#include "pg/env.h"
#include "pg/forecast.h"
#include "pg/model_run.h"
#include "pg/plot.h"

PG_FUNCTION_INFO_V1(lstm_plot_forecast);

enum
{
	ARG_MODEL, ARG_SERIES, ARG_TARGET, ARG_HORIZON, ARG_HISTORY, ARG_LEVEL, ARG_SOURCE,
	ARG_FUTURE, ARG_VERSION
};

/*
 * Rows of the past that are drawn when nobody says how many: the context, but at least so
 * many horizons and rows, and at most so many horizons, lest the forecast becomes too
 * narrow to read.
 */
#define HISTORY_LEAST 4
#define HISTORY_MOST 8
#define HISTORY_ROWS 24

/* Number of the named series (NULL: the first); error 22023 when there is none. */
static uint32
series_find(const ModelRun *run, const char *name)
{
	const NnSeries *series = &run->data->series;

	if (name == NULL)
	{
		if (series->nseries > 1)
			ereport(NOTICE,
					(errmsg("plotting series \"%s\", the first of %u", series->name[0],
							series->nseries),
					 errhint("Name another with argument \"series\".")));
		return 0;
	}
	return model_run_series_find(run, name);
}

static uint32
target_find(const ModelRun *run, const char *name)
{
	uint32		ntargets = (uint32) run->roles.ntargets;

	if (name == NULL)
	{
		if (ntargets > 1)
			ereport(NOTICE,
					(errmsg("plotting target \"%s\", the first of %u", run->roles.target[0],
							ntargets),
					 errhint("Name another with argument \"target\".")));
		return 0;
	}
	return model_run_target_find(run, name);
}

/* Time of a row as the axis wants it: wall clock of the model's zone, or the integer. */
static int64
axis_time(const ModelRun *run, uint32 s, int64 row)
{
	if (run->data->kind == NN_TIME_TIMESTAMPTZ)
		return zone_to_local(run->data->zone, source_instant(run->data, s, row));
	return source_time(run->data, s, row);
}

static void
history_fill(const ModelRun *run, uint32 s, uint32 k, uint32 wanted, PlotForecast *plot)
{
	const NnSeries *series = &run->data->series;
	uint32		n = Min(wanted, series->history[s]),
				from = series->history[s] - n;
	int64	   *time = NN_NEW_ARRAY(run->env, int64, n);
	double	   *value = NN_NEW_ARRAY(run->env, double, n);

	for (uint32 i = 0; i < n; i++)
	{
		time[i] = axis_time(run, s, from + i);
		value[i] = series->value[(size_t) (series->first[s] + from + i) * series->C + k];
	}
	plot->nhistory = n;
	plot->history_time = time;
	plot->history = value;
}

/* point, low, high [horizon][ntargets] of a window, of which target k is drawn. */
static void
forecast_take(const ModelRun *run, const NnWindow *window, uint32 k, uint32 horizon,
			  const double *point, const double *low, const double *high, PlotForecast *plot)
{
	uint32		G = (uint32) run->roles.ntargets,
				s = window->series;
	int64		origin = (int64) window->origin - run->data->series.first[s];
	double	   *one = NN_NEW_ARRAY(run->env, double, 3 * (size_t) horizon);
	int64	   *time = NN_NEW_ARRAY(run->env, int64, horizon);

	for (uint32 h = 0; h < horizon; h++)
	{
		time[h] = axis_time(run, s, origin + 1 + h);
		one[h] = point[(size_t) h * G + k];
		one[horizon + h] = low[(size_t) h * G + k];
		one[2 * (size_t) horizon + h] = high[(size_t) h * G + k];
	}
	plot->nforecast = horizon;
	plot->forecast_time = time;
	plot->forecast = one;
	plot->lower = one + horizon;
	plot->upper = one + 2 * (size_t) horizon;
}

/* What forecast_put looks for, and where it goes. */
typedef struct WantedPlot
{
	const PlotCall *call;
	const char *series;
	PlotForecast *plot;
} WantedPlot;

static void
forecast_put(void *host, const ModelRun *run, const NnWindow *window, const double *point,
		  const double *low, const double *high)
{
	WantedPlot *wanted = host;

	if (strcmp(run->data->series.name[window->series], wanted->series) == 0)
		forecast_take(run, window, wanted->call->target, wanted->call->horizon, point, low, high,
					  wanted->plot);
}

char *
plot_model_svg(const ModelRun *run, JointModel *joint, const PlotCall *call)
{
	uint32		horizon = call->horizon,
				history = call->history;
	const char *series = model_run_series(run, call->series),
			   *target = run->roles.target[call->target];
	PlotForecast plot = {.kind = run->data->kind, .confidence_level = call->level, .y_label = target};
	WantedPlot	wanted = {call, run->data->series.name[call->series], &plot};

	if (history == 0)
		history = Max(Max(Min(run->model->spec.context, HISTORY_MOST * horizon),
						  HISTORY_LEAST * horizon), HISTORY_ROWS);
	plot.title = nn_format(run->env, "%s%s%s%s%s: next %u step%s", call->model, series ? ", " : "",
						   series ? series : "", run->roles.ntargets > 1 ? ", " : "",
						   run->roles.ntargets > 1 ? target : "", horizon, horizon == 1 ? "" : "s");
	history_fill(run, call->series, call->target, history, &plot);
	if (joint != NULL)
		forecast_newest(run, joint, horizon, &call->level, 1, forecast_put, &wanted);
	else
		forecast_series(run, call->series, horizon, call->level, forecast_put, &wanted);
	return plot_forecast_svg(run->env, &plot);
}

/* ------------------------------------------------------------------------
 * The SQL function
 */

/* Rows of history, as many as one likes; 0: the argument is NULL. */
static uint32
argument_history(FunctionCallInfo fcinfo)
{
	int32		history = PG_ARGISNULL(ARG_HISTORY) ? 0 : PG_GETARG_INT32(ARG_HISTORY);

	if (!PG_ARGISNULL(ARG_HISTORY) && history < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"history\" is %d, outside of its range", history),
				 errhint("Give a number of rows from 1 on.")));
	return (uint32) history;
}

Datum
plot_xml(MemoryContext context, const char *svg)
{
	MemoryContext before = MemoryContextSwitchTo(context);
	Datum		result = PointerGetDatum(cstring_to_text(svg));

	MemoryContextSwitchTo(before);
	return result;
}

Datum
lstm_plot_forecast(PG_FUNCTION_ARGS)
{
	CallMemory	memory = call_memory_begin();
	PlotCall	call = {
		.model = argument_text_required(fcinfo, ARG_MODEL, "model"),
		.horizon = argument_steps(fcinfo, ARG_HORIZON, "horizon", 0),
		.history = argument_history(fcinfo),
		.level = argument_level(fcinfo, ARG_LEVEL)
	};
	JointModel *joint;
	ModelRun   *run = joint_or_model_open(call.model, argument_version(fcinfo, ARG_VERSION),
										  argument_text(fcinfo, ARG_SOURCE),
										  argument_text(fcinfo, ARG_FUTURE), NULL, &call.horizon,
										  &joint);
	Datum		result;

	call.series = series_find(run, argument_text(fcinfo, ARG_SERIES));
	call.target = target_find(run, argument_text(fcinfo, ARG_TARGET));
	result = plot_xml(memory.caller, plot_model_svg(run, joint, &call));
	call_memory_end(memory);
	PG_RETURN_DATUM(result);
}
