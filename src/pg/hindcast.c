/*
 * hindcast.c
 *		lstm.hindcast: what the model would have said, beside what came.
 *
 * Also the walk over origins that evaluate uses.  A forecast never sees a row
 * after its origin, save for known-future covariates; the preparation is the
 * model's, fitted when it was trained.
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
#include "pg/joint_model.h"
#include "pg/origins.h"

PG_FUNCTION_INFO_V1(lstm_hindcast);

enum
{
	ARG_MODEL, ARG_SOURCE, ARG_HORIZON, ARG_STRIDE, ARG_LEVEL, ARG_VERSION
};

#define RESULT_COLUMNS 10

/* What the walk needs, taken once. */
typedef struct Walk
{
	Origins    *origins;
	NnPredictor *predictor;
	uint32		lanes, count;
	NnWindow   *windows;		/* [lanes] */
	double	   *point;			/* [lanes][horizon][ntargets] */
	double	   *low, *high;		/* [nlevels][count][horizon][ntargets] */
	double	   *one_low, *one_high; /* [nlevels][horizon][ntargets] */
	NnAdapter  *adapter;		/* NULL: intervals stay as they were calibrated */
	uint32		adapted;		/* series that it is walking over */
	uint32		fresh;			/* first row of it that the training has not seen */
	uint64		total;
	uint64		origin, padded; /* origins, and those with fewer rows than the context before them */
	MemoryContext scratch;		/* for put, emptied after each tile */
} Walk;

/* Lets the intervals of one origin learn from those before, of rows after the training's. */
static void
walk_adapt(Walk *walk, const NnWindow *window, const double *point)
{
	const ModelRun *run = walk->origins->run;
	const NnSeries *series = &run->data->series;

	if (walk->adapter == NULL)
		return;
	if (walk->total++ == 0 || walk->adapted != window->series)
	{
		nn_adapter_reset(walk->adapter);
		walk->adapted = window->series;
		walk->fresh = model_run_fresh(run, window->series, series->history[window->series]);
	}
	if (window->origin + 1 - series->first[window->series] >= walk->fresh)
		nn_adapter_step(walk->adapter, series, window->origin, point, walk->one_low, walk->one_high);
}

static void
walk_flush(Walk *walk)
{
	Origins    *origins = walk->origins;
	size_t		values = (size_t) origins->horizon * origins->run->model->spec.ntargets;
	MemoryContext before;

	if (walk->count == 0)
		return;
	model_run_predict(walk->predictor, origins->run->prepared, walk->windows, walk->count,
					  origins->horizon, origins->level, origins->nlevels, walk->point, walk->low,
					  walk->high);
	before = MemoryContextSwitchTo(walk->scratch);
	for (uint32 i = 0; i < walk->count; i++)
	{
		for (uint32 v = 0; v < origins->nlevels; v++)
		{
			size_t		from = ((size_t) v * walk->count + i) * values;

			memcpy(walk->one_low + v * values, walk->low + from, values * sizeof(double));
			memcpy(walk->one_high + v * values, walk->high + from, values * sizeof(double));
		}
		walk_adapt(walk, &walk->windows[i], walk->point + i * values);
		origins->put(origins->host, &walk->windows[i], walk->point + i * values, walk->one_low,
					 walk->one_high);
	}
	MemoryContextSwitchTo(before);
	MemoryContextReset(walk->scratch);
	walk->total += walk->adapter ? 0 : walk->count;
	walk->count = 0;
}

/* Adds an origin, and forecasts when there are enough of them. */
static void
walk_add(Walk *walk, uint32 s, uint64 row)
{
	const ModelRun *run = walk->origins->run;
	NnWindow   *window = &walk->windows[walk->count];

	*window = (NnWindow) {s, run->data->series.first[s] + (uint32) row - 1};
	if (walk->origins->wanted != NULL && !walk->origins->wanted(walk->origins->host, window))
		return;
	model_run_future_check(run, window, run->roles.nfuture > 0 ? walk->origins->horizon : 0);
	walk->origin++;
	walk->padded += nn_window_pad(&run->model->spec, &run->data->series, window) > 0;
	if (++walk->count == walk->lanes)
		walk_flush(walk);
}

/* With several sites, all of them at one time follow each other: the network runs once. */
static void
walk_sites(Walk *walk)
{
	const ModelRun *run = walk->origins->run;
	const NnSeries *series = &run->data->series;
	uint32		needed = nn_rows_needed(&run->model->spec),
				after = run->roles.nfuture > 0 ? walk->origins->horizon : 1;

	for (uint64 row = needed; row + after <= series->history[0]; row += walk->origins->stride)
		for (uint32 s = 0; s < series->nseries; s++)
			walk_add(walk, s, row);
}

static void
walk_series(Walk *walk, uint32 s)
{
	const ModelRun *run = walk->origins->run;
	const NnSeries *series = &run->data->series;
	uint32		needed = nn_rows_needed(&run->model->spec),
				after = run->roles.nfuture > 0 ? walk->origins->horizon : 1,
				history = series->history[s];

	for (uint64 row = needed; row + after <= history; row += walk->origins->stride)
		walk_add(walk, s, row);
}

uint64
origins_forecast(Origins *origins)
{
	ModelRun   *run = origins->run;
	const NnSpec *spec = &run->model->spec;
	Walk		walk = {.origins = origins, .lanes = nn_forecast_windows(spec)};
	size_t		one = (size_t) origins->horizon * spec->ntargets,
				values = nn_size_mul(run->env, one, walk.lanes);

	walk.point = NN_NEW_ARRAY(run->env, double, values);
	walk.low = NN_NEW_ARRAY(run->env, double, nn_size_mul(run->env, values, origins->nlevels));
	walk.high = NN_NEW_ARRAY(run->env, double, nn_size_mul(run->env, values, origins->nlevels));
	walk.one_low = NN_NEW_ARRAY(run->env, double, nn_size_mul(run->env, one, origins->nlevels));
	walk.one_high = NN_NEW_ARRAY(run->env, double, nn_size_mul(run->env, one, origins->nlevels));
	walk.scratch = AllocSetContextCreate(CurrentMemoryContext, "lstm rows", ALLOCSET_DEFAULT_SIZES);
	walk.predictor = model_run_predictor(run, walk.lanes, origins->horizon);
	if (spec->calibration == NN_CALIBRATION_ADAPTIVE && origins->nlevels > 0)
	{
		walk.adapter = nn_adapter_create(run->env, origins->horizon, spec->ntargets, origins->level,
										 origins->nlevels);
		nn_adapter_bound(walk.adapter, spec);
	}
	walk.windows = NN_NEW_ARRAY(run->env, NnWindow, walk.lanes);
	if (spec->nsites > 1)
		walk_sites(&walk);
	for (uint32 s = 0; s < run->data->series.nseries && spec->nsites == 1; s++)
		walk_series(&walk, s);
	walk_flush(&walk);
	if (walk.padded > 0 && origins->wanted == NULL)
		ereport(NOTICE,
				(errmsg(UINT64_FORMAT " of " UINT64_FORMAT " origins have fewer than the %u rows of the "
						"context of model \"%s\"", walk.padded, walk.origin, spec->context, run->row->name),
				 errdetail("Their windows are padded: forecasts with all rows are often better."),
				 errhint("Give the source the rows before those that are to be judged, too.")));
	if (walk.total == 0 && origins->wanted == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the source has no row with %u rows before it and %u after it",
						nn_rows_needed(spec) - 1,
						run->roles.nfuture > 0 ? origins->horizon : 1),
				 errhint("Give more rows: model \"%s\" looks back on %u.", run->row->name,
						 nn_rows_needed(spec))));
	return walk.total;
}

double
origin_actual(const ModelRun *run, const NnWindow *window, uint32 h, uint32 k)
{
	const NnSeries *series = &run->data->series;
	uint64		row = (uint64) window->origin + 1 + h;

	if (row >= (uint64) series->first[window->series] + series->history[window->series])
		return NAN;
	return series->value[row * series->C + k];
}

/* ------------------------------------------------------------------------
 * The SQL function
 */

typedef struct Hindcast
{
	const Origins *origins;
	ReturnSetInfo *rsinfo;
} Hindcast;

static void
hindcast_put(void *host, const NnWindow *window, const double *point, const double *low,
			 const double *high)
{
	Hindcast   *hindcast = host;
	const ModelRun *run = hindcast->origins->run;
	uint32		s = window->series;
	int64		origin = (int64) window->origin - run->data->series.first[s];
	const char *name = model_run_series(run, s);
	Datum		values[RESULT_COLUMNS];
	bool		nulls[RESULT_COLUMNS] = {false};

	nulls[0] = name == NULL;
	values[0] = name ? CStringGetTextDatum(name) : (Datum) 0;
	values[2] = model_run_time(run, s, origin, &nulls[2]);
	for (int k = 0; k < run->roles.ntargets; k++)
	{
		values[1] = CStringGetTextDatum(run->roles.target[k]);
		for (uint32 h = 0; h < hindcast->origins->horizon; h++)
		{
			size_t		at = (size_t) h * run->roles.ntargets + k;

			if (isnan(point[at]))
				continue;		/* a member of a joint model does not reach so far */
			values[3] = Int32GetDatum((int32) h + 1);
			values[4] = model_run_time(run, s, origin + 1 + h, &nulls[4]);
			values[5] = model_run_index(run, s, origin + 1 + h, &nulls[5]);
			result_float(point[at], &values[6], &nulls[6]);
			result_float(low[at], &values[7], &nulls[7]);
			result_float(high[at], &values[8], &nulls[8]);
			result_float(origin_actual(run, window, h, (uint32) k), &values[9], &nulls[9]);
			result_put(hindcast->rsinfo, values, nulls);
		}
	}
}

Datum
lstm_hindcast(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = result_begin(fcinfo);
	CallMemory	memory = call_memory_begin();
	char	   *name = argument_text_required(fcinfo, ARG_MODEL, "model");
	Origins		origins = {.put = hindcast_put};
	Hindcast	hindcast = {&origins, rsinfo};
	JointModel *joint;
	double		level;

	origins.horizon = argument_steps(fcinfo, ARG_HORIZON, "horizon", 0);
	origins.stride = argument_steps(fcinfo, ARG_STRIDE, "stride", 1);
	level = argument_level(fcinfo, ARG_LEVEL);
	origins.level = &level;
	origins.nlevels = 1;
	origins.host = &hindcast;
	origins.run = joint_or_model_open(name, argument_version(fcinfo, ARG_VERSION),
									  argument_text(fcinfo, ARG_SOURCE), NULL, NULL,
									  &origins.horizon, &joint);
	if (joint != NULL)
		joint_origins(joint, &origins);
	else
		origins_forecast(&origins);
	call_memory_end(memory);
	return (Datum) 0;
}
