/*
 * skip.c
 *		Series that are left out: which, why, and who is told.
 *
 * Knows series as rows on a grid.  Costs one look at every value, and moving the
 * rows behind the first series left out.
 */
#include "postgres.h"

#include <math.h>

#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "core/nn_array.h"
#include "core/nn_auto.h"
#include "pg/skip.h"

/* Series that a message names. */
#define SKIPS_SHOWN 10

/* Numbers beyond it are taken for broken: their squares and sums leave single precision. */
#define SKIP_LARGEST 1e30

void
skips_add(const NnEnv *env, SourceData *data, const char *name, const char *reason)
{
	/* Doubles at every power of two, from 16 on. */
	if (data->nskips == 0 || (data->nskips >= 16 && (data->nskips & (data->nskips - 1)) == 0))
	{
		SourceSkip *grown = NN_NEW_ARRAY(env, SourceSkip, Max(16, (size_t) data->nskips * 2));

		if (data->nskips > 0)
			memcpy(grown, data->skip, sizeof(SourceSkip) * data->nskips);
		data->skip = grown;
	}
	data->skip[data->nskips].name = nn_strdup(env, name);
	data->skip[data->nskips++].reason = nn_strdup(env, reason);
}

static int
skip_compare(const void *a, const void *b)
{
	return strcmp(((const SourceSkip *) a)->name, ((const SourceSkip *) b)->name);
}

/* Lines 'series "x" has ...' in order of name. */
static char *
skips_lines(SourceData *data)
{
	StringInfoData text;

	qsort(data->skip, data->nskips, sizeof(SourceSkip), skip_compare);
	initStringInfo(&text);
	for (uint32 i = 0; i < data->nskips && i < SKIPS_SHOWN; i++)
		appendStringInfo(&text, "%sSeries \"%s\" %s.", i == 0 ? "" : "\n", data->skip[i].name,
						 data->skip[i].reason);
	if (data->nskips > SKIPS_SHOWN)
		appendStringInfo(&text, "\n... and %u more.", data->nskips - SKIPS_SHOWN);
	return text.data;
}

void
skips_refuse_all(SourceData *data)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("no series of the source can be used, of %u", data->nskips),
			 errdetail_internal("%s", skips_lines(data)),
			 errhint("With \"on_error\": \"skip\" at least one series must be good.")));
}

void
skips_warn(SourceData *data)
{
	if (data->nskips == 0)
		return;
	ereport(WARNING,
			(errmsg_plural("%u of %u series is left out", "%u of %u series are left out",
						   data->nskips, data->nskips, data->nskips + data->series.nseries),
			 errdetail_internal("%s", skips_lines(data)),
			 errhint("Option \"on_error\" is \"skip\"; with \"fail\" the first of them would have been an "
					 "error.")));
}

void
skips_report(const NnEnv *env, SourceData *data, NnReport *report)
{
	uint32		named = Min(data->nskips, NN_MAX_SKIPPED);

	if (data->nskips > 0)
		qsort(data->skip, data->nskips, sizeof(SourceSkip), skip_compare);
	report->nskipped = data->nskips;
	report->skipped = NN_NEW_ARRAY(env, char *, Max(named, 1));
	for (uint32 i = 0; i < named; i++)
		report->skipped[i] = nn_strdup(env, data->skip[i].name);
}

/* ------------------------------------------------------------------------
 * Taking out
 */

/* Moves what belongs to series s to place to; row: its first row from now on. */
static void
series_move(SourceData *data, uint32 s, uint32 to, uint32 row)
{
	NnSeries   *series = &data->series;
	uint32		from = series->first[s],
				rows = series->first[s + 1] - from;

	memmove(series->value + (size_t) row * series->C, series->value + (size_t) from * series->C,
			sizeof(double) * series->C * rows);
	nn_arrays_copy(series->array, row, series, from, rows);
	unconstify(uint32_t *, series->history)[to] = series->history[s];
	((const char **) (uintptr_t) series->name)[to] = series->name[s];
	memmove(unconstify(double *, series->statics) + (size_t) to * series->Cs,
			series->statics + (size_t) s * series->Cs, sizeof(double) * series->Cs);
	data->origin[to] = data->origin[s];
	data->key[to] = data->key[s];
	if (data->place != NULL)
		data->place[to] = data->place[s];
	if (data->category != NULL)
		memmove(data->category + (size_t) to * data->nstatic,
				data->category + (size_t) s * data->nstatic, sizeof(char *) * data->nstatic);
}

void
series_drop(const NnEnv *env, SourceData *data, const char *const *reason)
{
	NnSeries   *series = &data->series;
	uint32_t   *first = unconstify(uint32_t *, series->first);
	uint32		kept = 0,
				row = 0;

	for (uint32 s = 0; s < series->nseries; s++)
	{
		uint32		rows = first[s + 1] - first[s];

		CHECK_FOR_INTERRUPTS();
		if (reason[s] != NULL)
		{
			skips_add(env, data, series->name[s], reason[s]);
			continue;
		}
		if (kept < s)
			series_move(data, s, kept, row);
		first[kept++] = row;
		row += rows;
	}
	first[kept] = row;
	series->nseries = kept;
	if (kept == 0)
		skips_refuse_all(data);
}

/* ------------------------------------------------------------------------
 * Fitness
 */

/* First row of a series that a window of the training forecasts. */
static uint32
row_forecast(const NnSpec *spec, const NnSeries *series)
{
	return nn_auto_pads(spec, series->nseries) ? 1 : spec->context;
}

static const char *
value_bad(const NnSpec *spec, const NnSeries *series, uint32 s, uint32 row, uint32 c, bool trains)
{
	double		value = series->value[(size_t) row * series->C + c];
	bool		future = c >= spec->ntargets + spec->npast;
	const char *place = NULL;

	if (fabs(value) <= SKIP_LARGEST && (value > -1 || spec->scaling != NN_SCALING_LOG1P))
		return NULL;
	if (isnan(value) && spec->missing != NN_MISSING_ERROR &&
		!(trains && future && row - series->first[s] >= row_forecast(spec, series)))
		return NULL;
	place = psprintf("column \"%s\" at %s", series->column[c],
					 series->row_name(series->row_name_host, row));
	if (isnan(value))
		return psprintf("has no value of %s", place);
	if (fabs(value) > SKIP_LARGEST)
		return psprintf("has the value %g, out of range, of %s", value, place);
	return psprintf("has the value %g, not above -1 as \"scaling\": \"log1p\" needs, of %s", value,
					place);
}

/* Why the rows of series s cannot be used, or NULL. */
static const char *
series_bad(const NnSpec *spec, const SourceData *data, uint32 s, uint32 needed, bool trains)
{
	const NnSeries *series = &data->series;
	uint32		history = series->history[s],
				given = series->C - data->made,
				last = series->first[s + 1];
	const char *reason;

	if (history == 0)
		return "has no known value of its target";
	if (history < needed)
		return psprintf("has %u row%s where at least %u are needed", history,
						history == 1 ? "" : "s", needed);
	for (uint32 row = series->first[s]; row < series->first[s] + history; row++)
		for (uint32 c = 0; c < given; c++)
			if ((reason = value_bad(spec, series, s, row, c, trains)) != NULL)
				return reason;
	/* What is known ahead. */
	for (uint32 row = series->first[s] + history; row < last; row++)
		for (uint32 c = spec->ntargets + spec->npast; c < given; c++)
			if (!isnan(series->value[(size_t) row * series->C + c]) &&
				(reason = value_bad(spec, series, s, row, c, trains)) != NULL)
				return reason;
	return NULL;
}

void
series_drop_unfit(const NnEnv *env, const NnSpec *spec, SourceData *data, uint32 needed,
				  bool trains)
{
	const NnSeries *series = &data->series;
	const char **reason = palloc0(sizeof(char *) * series->nseries);
	bool		any = false;

	for (uint32 s = 0; s < series->nseries; s++)
	{
		CHECK_FOR_INTERRUPTS();
		reason[s] = series_bad(spec, data, s, needed, trains);
		any = any || reason[s] != NULL;
	}
	if (any)
		series_drop(env, data, reason);
	pfree(reason);
}

static int
length_compare(const void *a, const void *b)
{
	uint32		one = *(const uint32_t *) a,
				other = *(const uint32_t *) b;

	return one < other ? -1 : one > other;
}

/* Length of the series in the middle. */
static uint32
length_median(const NnEnv *env, const NnSeries *series)
{
	uint32_t   *length = NN_NEW_ARRAY(env, uint32_t, series->nseries);

	memcpy(length, series->history, sizeof(uint32_t) * series->nseries);
	qsort(length, series->nseries, sizeof(uint32_t), length_compare);
	return length[series->nseries / 2];
}

uint32
skip_needed_rows(const NnEnv *env, const NnSpec *spec, const SourceData *data, bool context_given)
{
	uint32		season = spec->season > 0 ? spec->season : nn_season_default(&data->frequency),
				context = season > 1 ? Min(2 * season, 96) : 16,
				median = length_median(env, &data->series),
				room = median > spec->horizon ? (median - spec->horizon) / 3 : 0;

	/* Fewer make no window to learn from, but a forecast. */
	if (nn_auto_pads(spec, data->series.nseries))
		return 2 + spec->difference;
	if (context_given)
		return spec->context + spec->horizon + spec->difference;
	return 3 * Max(1, Min(context, room)) + spec->horizon + spec->difference;
}
