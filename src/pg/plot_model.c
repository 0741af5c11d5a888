/*
 * plot_model.c
 *		lstm.plot_forecast: one series of a model, its past and its forecast.
 *
 * Collects numbers; the drawing is plot.c's.  Costs one forecast of one series
 * beyond reading the source.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "utils/builtins.h"
#include "utils/xml.h"

#include "pg/env.h"
#include "pg/model_run.h"
#include "pg/plot.h"

PG_FUNCTION_INFO_V1(lstm_plot_forecast);

enum
{
	ARG_MODEL, ARG_SERIES, ARG_TARGET, ARG_HORIZON, ARG_HISTORY, ARG_LEVEL, ARG_SOURCE,
	ARG_FUTURE, ARG_VERSION
};

/* Rows of the past that are drawn when nobody says how many: horizons, or the context. */
#define HISTORY_HORIZONS 4

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

static void
forecast_fill(const ModelRun *run, uint32 s, uint32 k, uint32 horizon, double level,
			  PlotForecast *plot)
{
	uint32		ntargets = (uint32) run->roles.ntargets;
	NnWindow	window = model_run_newest(run, s);
	size_t		values = (size_t) horizon * ntargets;
	double	   *all = NN_NEW_ARRAY(run->env, double, 3 * values),
			   *one = NN_NEW_ARRAY(run->env, double, 3 * (size_t) horizon);
	int64	   *time = NN_NEW_ARRAY(run->env, int64, horizon);
	NnPredictor *predictor = model_run_predictor(run, 1, horizon);

	model_run_future_check(run, &window, horizon);
	model_run_predict(predictor, run->prepared, &window, 1, horizon, &level, 1, all, all + values,
					  all + 2 * values);
	for (uint32 h = 0; h < horizon; h++)
	{
		time[h] = axis_time(run, s, (int64) run->data->series.history[s] + h);
		for (uint32 part = 0; part < 3; part++)
			one[part * (size_t) horizon + h] = all[part * values + (size_t) h * ntargets + k];
	}
	plot->nforecast = horizon;
	plot->forecast_time = time;
	plot->forecast = one;
	plot->lower = one + horizon;
	plot->upper = one + 2 * (size_t) horizon;
}

Datum
lstm_plot_forecast(PG_FUNCTION_ARGS)
{
	CallMemory	memory = call_memory_begin();
	char	   *name = argument_text_required(fcinfo, ARG_MODEL, "model");
	uint32		horizon = argument_steps(fcinfo, ARG_HORIZON, "horizon", 0),
				history = argument_steps(fcinfo, ARG_HISTORY, "history", 0);
	double		level = argument_level(fcinfo, ARG_LEVEL);
	ModelRun   *run = model_run_open(name, argument_version(fcinfo, ARG_VERSION),
									 argument_text(fcinfo, ARG_SOURCE),
									 argument_text(fcinfo, ARG_FUTURE), NULL, horizon);
	uint32		s = series_find(run, argument_text(fcinfo, ARG_SERIES)),
				k = target_find(run, argument_text(fcinfo, ARG_TARGET));
	PlotForecast plot = {.kind = run->data->kind, .confidence_level = level,
	.y_label = run->roles.target[k]};
	const char *series = model_run_series(run, s);
	char	   *svg;
	xmltype    *result;

	if (horizon == 0)
		horizon = run->model->spec.forecast_horizon;
	if (history == 0)
		history = Max(run->model->spec.context, HISTORY_HORIZONS * horizon);
	nn_forecast_check(run->env, &run->model->spec, horizon);
	plot.title = nn_format(run->env, "%s%s%s%s%s: next %u step%s", name, series ? ", " : "",
						   series ? series : "", run->roles.ntargets > 1 ? ", " : "",
						   run->roles.ntargets > 1 ? run->roles.target[k] : "", horizon,
						   horizon == 1 ? "" : "s");
	history_fill(run, s, k, history, &plot);
	forecast_fill(run, s, k, horizon, level, &plot);
	svg = plot_forecast_svg(run->env, &plot);
	MemoryContextSwitchTo(memory.caller);
	result = (xmltype *) cstring_to_text(svg);
	call_memory_end(memory);
	PG_RETURN_XML_P(result);
}
