/*
 * kriging.c
 *		lstm.kriging_weights: how a place without a sensor is made from those around it.
 *
 * Reads the newest rows of the model's series and hands them to nn_kriging.c; distances
 * come from SQL, so nothing here knows geometry.  Costs one reading of the source, and
 * S^2 T operations per target for S sites (64 at most) and the newest T rows (1,024 at most).
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/timestamp.h"

#include "core/nn_kriging.h"
#include "core/nn_stats.h"
#include "pg/env.h"
#include "pg/model_run.h"

PG_FUNCTION_INFO_V1(lstm_kriging_weights);

enum
{
	ARG_MODEL, ARG_SERIES, ARG_DISTANCES, ARG_PLACE, ARG_CENTRE, ARG_LEVEL, ARG_SOURCE, ARG_AS_OF,
	ARG_VERSION
};

#define RESULT_COLUMNS 5

/* Newest rows that correlations are taken from. */
#define KRIGING_MAX_ROWS 1024

/* The sites around a place. */
typedef struct Sites
{
	NnPlaces	places;
	Datum	   *name;			/* [S] text, as the caller gave it; 0 where NULL */
	const double *to_site;		/* [S] from the place */
	double		to_centre;		/* from the place */
} Sites;

static ArrayType *
array_required(FunctionCallInfo fcinfo, int i, const char *name)
{
	if (PG_ARGISNULL(i))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
	return PG_GETARG_ARRAYTYPE_P(i);
}

/* The n elements of a float8[]: distances. */
static const double *
distances_read(FunctionCallInfo fcinfo, int i, const char *name, int n)
{
	ArrayType  *array = array_required(fcinfo, i, name);
	Datum	   *elements;
	bool	   *nulls;
	int			count;
	double	   *values;

	deconstruct_array(array, FLOAT8OID, sizeof(float8), FLOAT8PASSBYVAL, TYPALIGN_DOUBLE,
					  &elements, &nulls, &count);
	if (count != n)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" has %d elements, %d are needed", name, count, n)));
	values = palloc(n * sizeof(double));
	for (int k = 0; k < n; k++)
	{
		values[k] = nulls[k] ? -1.0 : DatumGetFloat8(elements[k]);
		if (!(values[k] >= 0.0 && isfinite(values[k])))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("element %d of argument \"%s\" is no distance", k + 1, name),
					 errhint("Distances are finite and not negative.")));
	}
	return values;
}

static Sites
sites_read(FunctionCallInfo fcinfo)
{
	Sites		sites;
	bool	   *nulls;
	int			count;

	deconstruct_array(array_required(fcinfo, ARG_SERIES, "series"), TEXTOID, -1, false,
					  TYPALIGN_INT, &sites.name, &nulls, &count);
	if (count < 1 || count > NN_KRIGING_SITES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"series\" has %d elements, outside of 1 to %d", count,
						NN_KRIGING_SITES)));
	for (int i = 0; i < count; i++)
		if (nulls[i])
			sites.name[i] = (Datum) 0;
	sites.places.S = (uint32) count;
	sites.places.distance = distances_read(fcinfo, ARG_DISTANCES, "distances", count * count);
	sites.to_site = distances_read(fcinfo, ARG_PLACE, "place_distances", count);
	/* The place comes last. */
	sites.places.centre = distances_read(fcinfo, ARG_CENTRE, "centre_distances", count + 1);
	sites.to_centre = sites.places.centre[count];
	return sites;
}

/* Number in the run's data of each site [S]. */
static uint32 *
series_find(const ModelRun *run, const Sites *sites)
{
	uint32	   *series = palloc0(sites->places.S * sizeof(uint32));

	for (uint32 i = 0; i < sites->places.S; i++)
		if (sites->name[i] == (Datum) 0 && run->roles.nseries > 0)
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("element %u of argument \"series\" is null", i + 1),
					 errhint("Only a model of one series without a name has a series that is null.")));
		else if (sites->name[i] != (Datum) 0)
			series[i] = model_run_series_find(run, TextDatumGetCString(sites->name[i]));
	return series;
}

/*
 * The times [*T] of the newest rows, descending: those of the series among series [S] that
 * goes on longest.
 */
static int64 *
times_newest(const ModelRun *run, const uint32 *series, uint32 S, uint32 *T)
{
	const uint32_t *history = run->data->series.history;
	uint32		newest = series[0],
				rows = 0;
	int64	   *times;

	for (uint32 i = 0; i < S; i++)
	{
		uint32		s = series[i];

		rows = Max(rows, history[s]);
		if (history[s] > 0 && (history[newest] == 0 || source_time(run->data, s, history[s] - 1) >
							   source_time(run->data, newest, history[newest] - 1)))
			newest = s;
	}
	*T = history[newest] > 0 ? Min(rows, KRIGING_MAX_ROWS) : 0;
	times = palloc((*T + 1) * sizeof(int64));
	/* They may lie before its first row. */
	for (uint32 t = 0; t < *T; t++)
		times[t] = source_time(run->data, newest, (int64) history[newest] - 1 - t);
	return times;
}

/* x [T][S] of target k: the value of each series at times [T], NaN where it has none. */
static void
past_read(const ModelRun *run, const uint32 *series, uint32 S, const int64 *times, uint32 T,
		  int k, double *x)
{
	const NnSeries *rows = &run->data->series;

	for (uint32 i = 0; i < S; i++)
	{
		uint32		s = series[i];
		int64		row = (int64) rows->history[s] - 1;
		int64		time = row >= 0 ? source_time(run->data, s, row) : 0;

		CHECK_FOR_INTERRUPTS();
		for (uint32 t = 0; t < T; t++)
		{
			while (row >= 0 && time > times[t])
				if (--row >= 0)
					time = source_time(run->data, s, row);
			x[(size_t) t * S + i] = row >= 0 && time == times[t] ?
				rows->value[((size_t) rows->first[s] + row) * rows->C + k] : NAN;
		}
	}
}

static void
weights_put(ReturnSetInfo *rsinfo, const char *target, const Sites *sites, const double *weight,
			double shift, double margin)
{
	Datum		values[RESULT_COLUMNS];
	bool		nulls[RESULT_COLUMNS] = {false};

	values[0] = CStringGetTextDatum(target);
	values[3] = Float8GetDatum(shift);
	result_float(margin, &values[4], &nulls[4]);
	for (uint32 i = 0; i < sites->places.S; i++)
	{
		values[1] = sites->name[i];
		nulls[1] = sites->name[i] == (Datum) 0;
		values[2] = Float8GetDatum(weight[i]);
		result_put(rsinfo, values, nulls);
	}
}

Datum
lstm_kriging_weights(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *rsinfo = result_begin(fcinfo);
	CallMemory	memory = call_memory_begin();
	char	   *name = argument_text_required(fcinfo, ARG_MODEL, "model");
	Sites		sites = sites_read(fcinfo);
	double		z = nn_normal_quantile((1.0 + argument_level(fcinfo, ARG_LEVEL)) / 2.0);
	TimestampTz as_of = PG_ARGISNULL(ARG_AS_OF) ? 0 : PG_GETARG_TIMESTAMPTZ(ARG_AS_OF);
	ModelRun   *run = model_run_open(name, argument_version(fcinfo, ARG_VERSION),
									 argument_text(fcinfo, ARG_SOURCE), NULL,
									 PG_ARGISNULL(ARG_AS_OF) ? NULL : &as_of, 0);
	uint32	   *series = series_find(run, &sites),
				T;
	int64	   *times = times_newest(run, series, sites.places.S, &T);
	double	   *x = NN_NEW_ARRAY(run->env, double, nn_size_mul(run->env, (size_t) T + 1, sites.places.S)),
			   *weight = NN_NEW_ARRAY(run->env, double, sites.places.S);

	for (int k = 0; k < run->roles.ntargets; k++)
	{
		NnKriging	kriging;
		double		shift,
					deviation;

		past_read(run, series, sites.places.S, times, T, k, x);
		kriging = nn_kriging_fit(run->env, &sites.places, x, T);
		nn_kriging_weights(run->env, &kriging, &sites.places, sites.to_site, sites.to_centre,
						   weight, &shift, &deviation);
		weights_put(rsinfo, run->roles.target[k], &sites, weight, shift, z * deviation);
	}
	call_memory_end(memory);
	return (Datum) 0;
}
