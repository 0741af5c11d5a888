/*
 * exceedance.c
 *		lstm.exceedance: how probable it is that a value passes a threshold.
 *
 * Reads the distribution of each step from its intervals (spread.h).  Over several
 * steps: 1 - product of (1 - p), the probability if errors were independent from step
 * to step; errors that go together, as those of forecasts do, make it less, so it
 * errs on the side of warning, and never falls below the most probable step.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/memutils.h"
#include "utils/timestamp.h"

#include "core/nn_tile.h"
#include "pg/env.h"
#include "pg/forecast.h"
#include "pg/joint_model.h"
#include "pg/spread.h"

PG_FUNCTION_INFO_V1(lstm_exceedance);

enum
{
	ARG_MODEL, ARG_THRESHOLD, ARG_HORIZON, ARG_SOURCE, ARG_FUTURE, ARG_AS_OF, ARG_VERSION, ARG_BELOW
};

#define RESULT_COLUMNS 9

typedef struct Exceedance
{
	const ModelRun *run;
	ReturnSetInfo *rsinfo;
	Spread		spread;
	uint32		horizon;
	double		threshold;
	bool		below;
} Exceedance;

/* Probability that a value lies above the threshold (below it). */
static double
probability_of(const Exceedance *e, double point, const double *low, const double *high,
			   size_t stride)
{
	const NnSpec *spec = &e->run->model->spec;
	double		level,
				above;

	if (isnan(point))
		return NAN;
	if (e->threshold < spec->lower_bound)
		return e->below ? 0 : 1;
	if (e->threshold > spec->upper_bound)
		return e->below ? 1 : 0;
	level = spread_level(&e->spread, point, low, high, stride, e->threshold);
	above = e->threshold < point ? (1 + level) / 2 : (1 - level) / 2;
	return e->below ? 1 - above : above;
}

/* Rows of a series: each target's steps, then the row of the whole horizon. */
static void
series_put(void *host, const ModelRun *run, const NnWindow *window, const double *point,
		   const double *low, const double *high)
{
	const Exceedance *e = host;
	uint32		s = window->series,
				G = (uint32) run->roles.ntargets;
	size_t		stride = (size_t) e->horizon * G;
	int64		origin = (int64) window->origin - run->data->series.first[s];
	const char *name = model_run_series(run, s);
	Datum		values[RESULT_COLUMNS];
	bool		nulls[RESULT_COLUMNS] = {false};

	nulls[0] = nulls[8] = name == NULL;
	values[0] = name ? CStringGetTextDatum(name) : (Datum) 0;
	values[5] = Float8GetDatum(e->threshold);
	values[8] = model_run_series_key(run, s);
	for (uint32 k = 0; k < G; k++)
	{
		double		none = 1;

		values[1] = CStringGetTextDatum(run->roles.target[k]);
		nulls[2] = false;
		for (uint32 h = 0; h < e->horizon; h++)
		{
			size_t		at = (size_t) h * G + k;
			double		p = probability_of(e, point[at], low + at, high + at, stride);

			if (isnan(point[at]))
				continue;		/* no member of a joint model reaches so far */
			none *= 1 - p;
			values[2] = Int32GetDatum((int32) h + 1);
			values[3] = model_run_time(run, s, origin + 1 + h, &nulls[3]);
			values[4] = model_run_index(run, s, origin + 1 + h, &nulls[4]);
			result_float(point[at], &values[6], &nulls[6]);
			result_float(p, &values[7], &nulls[7]);
			result_put(e->rsinfo, values, nulls);
		}
		nulls[2] = nulls[3] = nulls[4] = nulls[6] = true;
		result_float(1 - none, &values[7], &nulls[7]);
		result_put(e->rsinfo, values, nulls);
	}
}

static double
threshold_get(FunctionCallInfo fcinfo)
{
	double		threshold;

	if (PG_ARGISNULL(ARG_THRESHOLD))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"threshold\" must not be null")));
	threshold = PG_GETARG_FLOAT8(ARG_THRESHOLD);
	if (!isfinite(threshold))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"threshold\" is %s, not a number",
						isnan(threshold) ? "NaN" : "infinite"),
				 errhint("Give a value in the units of the target.")));
	return threshold;
}

Datum
lstm_exceedance(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = result_begin(fcinfo);
	CallMemory	memory = call_memory_begin();
	char	   *name = argument_text_required(fcinfo, ARG_MODEL, "model");
	Exceedance	e = {.rsinfo = rsinfo,.threshold = threshold_get(fcinfo)};
	JointModel *joint;
	uint32		extra;
	TimestampTz as_of = PG_ARGISNULL(ARG_AS_OF) ? 0 : PG_GETARG_TIMESTAMPTZ(ARG_AS_OF);

	if (PG_ARGISNULL(ARG_BELOW))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"below\" must not be null")));
	e.below = PG_GETARG_BOOL(ARG_BELOW);
	e.horizon = argument_steps(fcinfo, ARG_HORIZON, "horizon", 0);
	e.run = joint_or_model_open_newest(name, argument_version(fcinfo, ARG_VERSION),
									   argument_text(fcinfo, ARG_SOURCE),
									   argument_text(fcinfo, ARG_FUTURE),
									   PG_ARGISNULL(ARG_AS_OF) ? NULL : &as_of, &e.horizon, &joint);
	e.spread = spread_levels(0, &extra);
	if (joint == NULL)
		spread_check(e.run);
	forecast_newest(e.run, joint, e.horizon, e.spread.level, e.spread.nlevels, series_put, &e);
	call_memory_end(memory);
	return (Datum) 0;
}
