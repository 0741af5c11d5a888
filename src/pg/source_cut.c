/*
 * source_cut.c
 *		Rows of a part of the past, as if no others had been read.
 *
 * Copies: the rows of NnSeries lie without gaps, so a part of them cannot be a view.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "core/nn_array.h"
#include "pg/source_cut.h"

/* Rows of series s up to the last of its first rows up to known that has a target. */
static uint32
last_target(const NnSeries *series, uint32 s, uint32 from, uint32 known, uint32 ntargets)
{
	for (uint32 t = known; t > from; t--)
	{
		const double *row = series->value + ((size_t) series->first[s] + t - 1) * series->C;

		for (uint32 k = 0; k < ntargets; k++)
			if (!isnan(row[k]))
				return t;
	}
	return from;
}

static void
rows_copy(const NnSeries *series, uint32 s, const SourceCut *cut, uint32 nknown, double *to)
{
	uint32		C = series->C;

	memcpy(to, series->value + ((size_t) series->first[s] + cut->from[s]) * C,
		   (size_t) (cut->to[s] - cut->from[s]) * C * sizeof(double));
	for (uint32 t = Max(cut->known[s], cut->from[s]); t < cut->to[s]; t++)
		for (uint32 c = 0; c < nknown; c++)
			to[(size_t) (t - cut->from[s]) * C + c] = NAN;
}

/* The same of the array columns, which are known as far as past covariates are. */
static void
arrays_copy(const NnSeries *series, uint32 s, const SourceCut *cut, bool cuts, NnArray *to,
			uint32 row)
{
	uint32		end = cuts ? Max(Min(cut->known[s], cut->to[s]), cut->from[s]) : cut->to[s];

	nn_arrays_copy(to, row, series, (size_t) series->first[s] + cut->from[s], end - cut->from[s]);
}

/* What belongs to a series by its number. */
static void
series_copy(const SourceData *data, uint32 s, const SourceCut *cut, SourceData *result, uint32 v,
			const char **name, double *statics)
{
	uint32		Cs = data->series.Cs;

	name[v] = data->series.name[s];
	result->origin[v] = cut->from[s] == 0 ? data->origin[s] : source_time(data, s, cut->from[s]);
	result->key[v] = data->key != NULL ? data->key[s] : NULL;
	if (result->category != NULL)
		memcpy(result->category + (size_t) v * data->nstatic,
			   data->category + (size_t) s * data->nstatic, data->nstatic * sizeof(char *));
	memcpy(statics + (size_t) v * Cs, data->series.statics + (size_t) s * Cs, Cs * sizeof(double));
}

SourceData *
source_cut(const NnEnv *env, const SourceData *data, const SourceCut *cut, uint32 ntargets,
		   uint32 nknown, uint32 least, uint32 **kept)
{
	const NnSeries *series = &data->series;
	SourceData *result = NN_NEW(env, SourceData);
	uint32	   *first = NN_NEW_ARRAY(env, uint32, (size_t) series->nseries + 1),
			   *history = NN_NEW_ARRAY(env, uint32, series->nseries),
			   *number = NN_NEW_ARRAY(env, uint32, series->nseries),
				n = 0;
	const char **name = NN_NEW_ARRAY(env, const char *, series->nseries);
	double	   *statics = NN_NEW_ARRAY(env, double, nn_size_mul(env, series->nseries, series->Cs)),
			   *value;
	bool		joint = series->at_site != NULL;
	uint32		latest = 0;

	/* Sites have one axis of time: the last target of any is that of all. */
	for (uint32 s = 0; s < series->nseries && joint && least > 0; s++)
		latest = Max(latest, last_target(series, s, cut->from[s], Min(cut->known[s], cut->to[s]),
										 ntargets));
	for (uint32 s = 0; s < series->nseries; s++)
	{
		uint32		known;

		if (cut->to[s] <= cut->from[s])
			continue;
		known = Min(cut->known[s], cut->to[s]);
		if (least > 0)
			known = joint ? latest : last_target(series, s, cut->from[s], known, ntargets);
		if (known <= cut->from[s] || known - cut->from[s] < least)
			continue;
		history[n] = known - cut->from[s];
		first[n + 1] = first[n] + cut->to[s] - cut->from[s];
		number[n++] = s;
	}
	*result = *data;
	result->origin = NN_NEW_ARRAY(env, int64, n);
	result->key = NN_NEW_ARRAY(env, char **, n);
	if (data->category != NULL)
		result->category = NN_NEW_ARRAY(env, char *, nn_size_mul(env, n, data->nstatic));
	value = NN_NEW_ARRAY(env, double, nn_size_mul(env, first[n], series->C));
	result->series.array = nn_arrays_create(env, series, first[n]);
	for (uint32 v = 0; v < n; v++)
	{
		CHECK_FOR_INTERRUPTS();
		series_copy(data, number[v], cut, result, v, name, statics);
		rows_copy(series, number[v], cut, nknown, value + (size_t) first[v] * series->C);
		arrays_copy(series, number[v], cut, nknown > 0, result->series.array, first[v]);
	}
	result->rows = first[n];
	result->nskips = 0;
	result->series.nseries = n;
	result->series.first = first;
	result->series.history = history;
	result->series.value = value;
	result->series.statics = statics;
	result->series.name = (const char *const *) name;
	result->series.row_name_host = result;
	if (kept != NULL)
		*kept = number;
	return result;
}
