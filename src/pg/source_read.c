/*
 * source_read.c
 *		From rows in any order to series on a regular grid.
 *
 * Rows are put in order of series (bytes of the name) and time: a counting sort
 * over series, and a comparison sort only within series whose rows did not come
 * in order.  Then the step of time is found, every row gets its place, and what
 * no row fills stays NaN.  Linear in rows and places; besides the rows, 12 bytes
 * a row while sorting (20 where the zone's clock matters) and 8 per value of the
 * grid.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "pg/env.h"
#include "pg/source_parts.h"
#include "utils/memutils.h"

/* A grid may have this many places per row before a gap is taken for a mistake ... */
#define GRID_MAX_SPARSITY	100
/* ... but small ones may be as sparse as they like. */
#define GRID_FREE_PLACES	10000000

/* Rows between two looks for an interrupt. */
#define POLL_ROWS			16384

#define POLL(i) \
	do { \
		if ((i) % POLL_ROWS == 0) \
			CHECK_FOR_INTERRUPTS(); \
	} while (0)

typedef struct TimedRow
{
	int64		time;
	uint32		row;
} TimedRow;

#define ST_SORT timed_rows_sort
#define ST_ELEMENT_TYPE TimedRow
#define ST_COMPARE(a, b) ((a)->time < (b)->time ? -1 : (a)->time > (b)->time ? 1 : \
						  (a)->row < (b)->row ? -1 : (a)->row > (b)->row)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DECLARE
#define ST_DEFINE
#include "lib/sort_template.h"

/* A series while names are sorted. */
typedef struct NamedSeries
{
	char	   *name;
	char	  **key;			/* [series columns] */
	uint32		appeared;		/* number in SourceRows */
} NamedSeries;

void *
reading_alloc(Reading *reading, size_t count, size_t size)
{
	size_t		bytes = nn_size_mul(reading->env, Max(count, 1), size);

	source_account(&reading->used, reading->env->max_memory, bytes, reading->data->rows);
	return MemoryContextAllocHuge(CurrentMemoryContext, bytes);
}

/* " of series "x"", nothing for the lone series without a name. */
static const char *
series_phrase(const Reading *reading, uint32 s)
{
	if (reading->source->roles.nseries == 0)
		return "";
	return psprintf(" of series \"%s\"", reading->name[s]);
}

static RowCut
cut_create(const Reading *reading, const TimestampTz *as_of)
{
	RowCut		cut = {false};

	if (as_of == NULL)
		return cut;
	if (reading->source->kind == NN_TIME_INTEGER)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("as_of cannot be used: time column \"%s\" is an integer",
						reading->source->time.name),
				 errhint("Pass a source that ends at the row to forecast from.")));
	if (TIMESTAMP_NOT_FINITE(*as_of))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("as_of must be finite")));
	cut.active = true;
	cut.drop = reading->source->roles.nfuture == 0;
	cut.instant = *as_of;
	cut.local = zone_local(reading->zone, *as_of);
	cut.zone = reading->zone;
	return cut;
}

/* ended: rows behind as_of were not even read. */
static void
rows_refuse_empty(const SourceRows *rows, bool ended)
{
	if (rows->count > 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_NO_DATA),
			 rows->seen == 0 && !ended ? errmsg("source returned no rows") :
			 errmsg("source returned no rows up to as_of"),
			 errdetail("The source is: %s", rows->source->text)));
}

static int
named_series_compare(const void *a, const void *b)
{
	return strcmp(((const NamedSeries *) a)->name, ((const NamedSeries *) b)->name);
}

/* [rows->nseries], in order of name; equal names are neighbours. */
static NamedSeries *
series_sort(Reading *reading, const SourceRows *rows)
{
	NamedSeries *named = reading_alloc(reading, rows->nseries, sizeof(NamedSeries));
	int			nkeys = rows->source->roles.nseries;

	for (uint32 i = 0; i < rows->nseries; i++)
	{
		POLL(i);
		named[i].appeared = i;
		named[i].key = palloc0(sizeof(char *) * Max(nkeys, 1));
		row_series_key(rows, i, named[i].key);
		named[i].name = series_name_join(named[i].key, nkeys);
	}
	qsort(named, rows->nseries, sizeof(NamedSeries), named_series_compare);
	return named;
}

/* Values of one series that appeared as two (1.0 and 1.00 differ, '1' and '1' do not). */
static void
statics_refuse(Reading *reading, uint32 s, int column, const char *one, const char *other)
{
	const char *name = reading->source->statics[column].name;

	if (reading_skip(reading, s, psprintf("has different values of static covariate \"%s\": %s and %s",
										  name, one, other)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("static covariate \"%s\"%s has different values: %s and %s", name,
					series_phrase(reading, s), one, other),
			 errhint("A static covariate has one value per series.")));
}

static void
statics_merge(Reading *reading, uint32 s, const double *statics)
{
	int			nstatic = reading->source->roles.nstatic;

	for (int i = 0; i < nstatic; i++)
	{
		double	   *value = &reading->statics[(size_t) s * nstatic + i];

		if (isnan(statics[i]))
			continue;
		if (!isnan(*value) && *value != statics[i])
			statics_refuse(reading, s, i, psprintf("%g", *value), psprintf("%g", statics[i]));
		*value = statics[i];
	}
}

/* The same of those that are categories. */
static void
categories_merge(Reading *reading, uint32 s, const SourceRows *rows, uint32 appeared)
{
	int			nstatic = reading->source->roles.nstatic;
	char	  **category = reading->data->category;

	for (int i = 0; category != NULL && i < nstatic; i++)
	{
		char	  **value = &category[(size_t) s * nstatic + i];
		char	   *text;

		if (!reading->source->statics[i].category)
			continue;
		text = row_category(rows, appeared, i);
		if (text == NULL)
			continue;
		if (*value != NULL && strcmp(*value, text) != 0)
			statics_refuse(reading, s, i, *value, text);
		if (*value == NULL)
			*value = nn_strdup(reading->env, text);
		pfree(text);
	}
}

static void
series_keep(Reading *reading, uint32 s, const NamedSeries *named)
{
	int			nkeys = reading->source->roles.nseries;

	reading->name[s] = nn_strdup(reading->env, named->name);
	reading->data->key[s] = NN_NEW_ARRAY(reading->env, char *, Max(nkeys, 1));
	for (int i = 0; i < nkeys; i++)
		reading->data->key[s][i] = nn_strdup(reading->env, named->key[i]);
}

/* Numbers the series of source by name; returns number by appearance. */
static uint32 *
series_number(Reading *reading, const SourceRows *rows)
{
	NamedSeries *named = series_sort(reading, rows);
	int			nstatic = reading->source->roles.nstatic;
	uint32	   *number = reading_alloc(reading, rows->nseries, sizeof(uint32));
	size_t		nstatics = nn_size_mul(reading->env, rows->nseries, nstatic);

	reading->name = NN_NEW_ARRAY(reading->env, char *, rows->nseries);
	reading->data->key = NN_NEW_ARRAY(reading->env, char **, rows->nseries);
	reading->statics = NN_NEW_ARRAY(reading->env, double, Max(nstatics, 1));
	for (size_t i = 0; i < nstatics; i++)
		reading->statics[i] = NAN;
	if (place_columns(reading->source) > 0)
		reading->data->place = NN_NEW_ARRAY(reading->env, SourcePlace, rows->nseries);
	reading->data->geography = reading->source->geography;
	reading->bad = reading_alloc(reading, rows->nseries, sizeof(char *));
	memset(reading->bad, 0, rows->nseries * sizeof(char *));
	for (int i = 0; i < nstatic && reading->data->category == NULL; i++)
		if (reading->source->statics[i].category)
			reading->data->category = NN_NEW_ARRAY(reading->env, char *, nstatics);

	for (uint32 i = 0; i < rows->nseries; i++)
	{
		const RowSeries *series = &rows->series[named[i].appeared];
		uint32		s;

		if (i == 0 || strcmp(named[i].name, named[i - 1].name) != 0)
			series_keep(reading, reading->nseries++, &named[i]);
		s = number[named[i].appeared] = reading->nseries - 1;
		if (series->bad != NULL)
			reading_skip(reading, s, series->bad);
		if (nstatic > 0)
			statics_merge(reading, s, series->statics);
		categories_merge(reading, s, rows, named[i].appeared);
		if (reading->data->place != NULL)
			place_merge(reading->env, &reading->data->place[s], series->place, named[i].name);
	}
	return number;
}

/* The same for future: its series must be among those of source. */
static uint32 *
series_find(Reading *reading, const SourceRows *rows)
{
	NamedSeries *named = series_sort(reading, rows);
	uint32	   *number = reading_alloc(reading, rows->nseries, sizeof(uint32));
	uint32		s = 0;

	for (uint32 i = 0; i < rows->nseries; i++)
	{
		while (s < reading->nseries && strcmp(reading->name[s], named[i].name) < 0)
			s++;
		if (s == reading->nseries || strcmp(reading->name[s], named[i].name) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("series \"%s\" of the future source is not in the source",
							named[i].name),
					 errhint("Leave its rows out, or add its history to the source.")));
		number[named[i].appeared] = s;
		if (rows->series[named[i].appeared].bad != NULL)
			reading_skip(reading, s, rows->series[named[i].appeared].bad);
	}
	return number;
}

/* Puts the rows of one series in order of time, if they are not. */
static void
series_order(Reading *reading, SortedRows *sorted, uint32 s)
{
	size_t		from = sorted->first[s];
	size_t		n = sorted->first[s + 1] - from;
	int64	   *time = sorted->time + from;
	uint32	   *row = sorted->row + from;
	TimedRow   *timed;
	size_t		i;

	for (i = 1; i < n && time[i - 1] <= time[i]; i++)
		POLL(i);
	if (i >= n)
		return;

	timed = reading_alloc(reading, n, sizeof(TimedRow));
	for (i = 0; i < n; i++)
	{
		timed[i].time = time[i];
		timed[i].row = row[i];
	}
	timed_rows_sort(timed, n);
	for (i = 0; i < n; i++)
	{
		time[i] = timed[i].time;
		row[i] = timed[i].row;
	}
	pfree(timed);
	reading->used -= n * sizeof(TimedRow);
}

/* number: series by appearance. */
static void
rows_sort(Reading *reading, SortedRows *sorted, const SourceRows *rows, const uint32 *number)
{
	size_t	   *next = reading_alloc(reading, reading->nseries + 1, sizeof(size_t));

	sorted->rows = rows;
	sorted->first = reading_alloc(reading, reading->nseries + 1, sizeof(size_t));
	sorted->time = reading_alloc(reading, rows->count, sizeof(int64));
	sorted->row = reading_alloc(reading, rows->count, sizeof(uint32));
	memset(sorted->first, 0, sizeof(size_t) * (reading->nseries + 1));

	for (uint64 i = 0; i < rows->count; i++)
	{
		POLL(i);
		sorted->first[number[rows->chunk[i / rows->chunk_rows].series[i % rows->chunk_rows]] + 1]++;
	}
	for (uint32 s = 0; s < reading->nseries; s++)
		sorted->first[s + 1] += sorted->first[s];
	memcpy(next, sorted->first, sizeof(size_t) * (reading->nseries + 1));
	for (uint64 i = 0; i < rows->count; i++)
	{
		const RowChunk *chunk = &rows->chunk[i / rows->chunk_rows];
		uint32		in_chunk = i % rows->chunk_rows;
		size_t		place = next[number[chunk->series[in_chunk]]]++;

		POLL(i);
		sorted->time[place] = chunk->time[in_chunk];
		sorted->row[place] = (uint32) i;
	}
	for (uint32 s = 0; s < reading->nseries; s++)
		series_order(reading, sorted, s);
	sorted->place_time = sorted->time;
	pfree(next);
}

static __attribute__((noreturn)) void
rows_refuse_duplicate(const Reading *reading, uint32 s, int64 time, bool future)
{
	const char *when = source_time_text(reading->source->kind, time);
	const char *where = future ? "the future source" : "source";

	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 reading->source->roles.nseries == 0 ?
			 errmsg("%s has more than one row at %s", where, when) :
			 errmsg("%s has more than one row of series \"%s\" at %s", where, reading->name[s],
					when),
			 reading->source->roles.nseries == 0 ?
			 errhint("Aggregate rows with GROUP BY, keep one with DISTINCT ON, or name the column "
					 "that tells series apart as series.") :
			 errhint("Aggregate rows with GROUP BY, or keep one with DISTINCT ON.")));
}

static void
rows_check_duplicates(Reading *reading, const SortedRows *sorted, bool future)
{
	for (uint32 s = 0; s < reading->nseries; s++)
	{
		for (size_t i = sorted->first[s] + 1; i < sorted->first[s + 1]; i++)
		{
			POLL(i);
			if (sorted->time[i] != sorted->time[i - 1])
				continue;
			if (!reading_skip(reading, s,
							  psprintf("has more than one row at %s",
									   source_time_text(reading->source->kind, sorted->time[i]))))
				rows_refuse_duplicate(reading, s, sorted->time[i], future);
			break;
		}
	}
}

void
rows_localise(Reading *reading, SortedRows *sorted)
{
	size_t		count = sorted->first[reading->nseries];
	int64	   *local = reading_alloc(reading, count, sizeof(int64));

	for (size_t i = 0; i < count; i++)
	{
		POLL(i);
		local[i] = zone_local(reading->zone, sorted->time[i]);
	}
	sorted->place_time = local;
}

bool
rows_may_be_days(const Reading *reading)
{
	const SortedRows *sorted = &reading->main;

	for (uint32 s = 0; s < reading->nseries; s++)
	{
		for (size_t i = sorted->first[s] + 1; i < sorted->first[s + 1]; i++)
		{
			if (sorted->time[i] - sorted->time[i - 1] < SOURCE_DAY_AT_LEAST)
				return false;
		}
	}
	return true;
}

static void
frequency_infer(const Reading *reading, const NnEnv *env, const int64 *local)
{
	const SortedRows *sorted = &reading->main;

	nn_frequency_infer(env, reading->source->kind, sorted->time, local, sorted->first,
					   reading->nseries,
					   reading->source->roles.nseries == 0 ? NULL :
					   (const char *const *) reading->name, &reading->data->frequency);
}

static void *
infer_alloc(void *host, size_t size)
{
	const NnEnv *env = ((Reading *) host)->env;

	return env->alloc(env->host, size);
}

static void
infer_poll(void *host)
{
	const NnEnv *env = ((Reading *) host)->env;

	env->poll(env->host);
}

/*
 * The messages of a failure name local times, which rows below a day do without:
 * fails once more, with them.
 */
static void
infer_fail(void *host, NnCode code, const char *message, const char *hint)
{
	Reading    *reading = host;

	if (code == NN_BAD_DATA)
	{
		rows_localise(reading, &reading->main);
		frequency_infer(reading, reading->env, reading->main.place_time);
	}
	nn_fail(reading->env, code, message, hint);
}

/* Rows below a day are inferred without the zone's clock. */
static void
frequency_infer_instants(Reading *reading)
{
	NnEnv		env = *reading->env;

	env.host = reading;
	env.alloc = infer_alloc;
	env.poll = infer_poll;
	env.fail = infer_fail;
	frequency_infer(reading, &env, reading->main.time);
}

/* Sets the frequency, and the times that its grid counts. */
static void
frequency_find(Reading *reading, const NnFrequency *given)
{
	NnFrequency *frequency = &reading->data->frequency;
	SortedRows *sorted = &reading->main;
	bool		has_zone = reading->source->kind == NN_TIME_TIMESTAMPTZ;
	bool		localised = has_zone &&
		(given != NULL ? nn_frequency_uses_local(given) : rows_may_be_days(reading));

	if (given != NULL)
	{
		*frequency = *given;
		nn_frequency_check(reading->env, frequency, reading->source->kind);
	}
	if (localised)
		rows_localise(reading, sorted);

	if (given == NULL && reading->source->skip)
		frequency_vote(reading);
	else if (given == NULL && has_zone && !localised)
		frequency_infer_instants(reading);
	else if (given == NULL)
		frequency_infer(reading, reading->env, sorted->place_time);
	else if (!reading->source->bound)
		nn_frequency_align(frequency, sorted->place_time, sorted->first, reading->nseries);

	if (!nn_frequency_uses_local(frequency))
		sorted->place_time = sorted->time;
	else if (has_zone && sorted->place_time == sorted->time)
		rows_localise(reading, sorted);
	if (nn_frequency_uses_local(frequency) && has_zone && reading->future != NULL)
		rows_localise(reading, &reading->ahead);
}

static __attribute__((noreturn)) void
row_refuse_off_grid(const Reading *reading, const SortedRows *sorted, uint32 s, size_t i)
{
	const char *step = nn_frequency_print(reading->env, &reading->data->frequency);

	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("row at %s%s does not fit the step of %s",
					source_time_text(reading->source->kind, sorted->time[i]),
					series_phrase(reading, s), step),
			 errdetail("Steps are counted from the row at %s.",
					   source_time_text(reading->source->kind,
										reading->main.time[reading->main.first[s]])),
			 errhint("Bring the rows on regular times in the source, for example with date_bin() "
					 "and GROUP BY.")));
}

bool
row_place_find(const Reading *reading, const SortedRows *sorted, uint32 s, size_t i, int64 *place)
{
	return nn_grid_index(&reading->data->frequency,
						 reading->main.place_time[reading->main.first[s]], sorted->place_time[i],
						 place);
}

/* The same where the row must have one. */
static int64
row_place(const Reading *reading, const SortedRows *sorted, uint32 s, size_t i)
{
	int64		place;

	if (!row_place_find(reading, sorted, s, i, &place))
		row_refuse_off_grid(reading, sorted, s, i);
	return place;
}

static __attribute__((noreturn)) void
grid_refuse_gaps(const Reading *reading, uint32 s, int64 places)
{
	const SortedRows *sorted = &reading->main;
	size_t		from = sorted->first[s];
	size_t		end = sorted->first[s + 1];
	size_t		widest = from;
	uint64		widest_gap = 0;

	for (size_t i = from + 1; i < end; i++)
	{
		/* Unsigned: integers may be further apart than int64 can say. */
		uint64		gap = (uint64) sorted->time[i] - (uint64) sorted->time[i - 1];

		if (gap > widest_gap)
		{
			widest = i;
			widest_gap = gap;
		}
	}
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("%zu rows%s span " INT64_FORMAT " steps of %s", end - from,
					series_phrase(reading, s), places,
					nn_frequency_print(reading->env, &reading->data->frequency)),
			 widest == from ? 0 :
			 errdetail("The longest gap is from %s to %s.",
					   source_time_text(reading->source->kind, sorted->time[widest - 1]),
					   source_time_text(reading->source->kind, sorted->time[widest])),
			 errhint("Leave out rows far from the others, or choose a longer step with the option "
					 "\"frequency\".")));
}

/* Places of series s: up to its last row in either source. */
static int64
series_places(const Reading *reading, uint32 s)
{
	const SortedRows *ahead = &reading->ahead;
	int64		last = row_place(reading, &reading->main, s, reading->main.first[s + 1] - 1);

	if (reading->future != NULL && ahead->first[s + 1] > ahead->first[s])
		last = Max(last, row_place(reading, ahead, s, ahead->first[s + 1] - 1));
	return last + 1;
}

/* Origins, and where each series begins in the grid. */
static void
grid_measure(Reading *reading)
{
	SourceData *data = reading->data;
	uint64		rows = reading->main.rows->count;
	int64		total = 0;
	int64		longest = 0;
	uint32		longest_series = 0;

	if (reading->future != NULL)
		rows += reading->ahead.rows->count;
	data->origin = NN_NEW_ARRAY(reading->env, int64, reading->nseries);
	reading->first = NN_NEW_ARRAY(reading->env, uint32, reading->nseries + 1);
	reading->history = NN_NEW_ARRAY(reading->env, uint32, reading->nseries);

	for (uint32 s = 0; s < reading->nseries; s++)
	{
		int64		places;

		POLL(s);
		data->origin[s] = reading->main.place_time[reading->main.first[s]];
		places = series_places(reading, s);
		if (places > longest)
		{
			longest = places;
			longest_series = s;
		}
		if (places > SOURCE_MAX_ROWS - total)
			grid_refuse_gaps(reading, longest_series, longest);
		total += places;
		reading->first[s + 1] = (uint32) total;
	}
	if (total > GRID_FREE_PLACES && (uint64) total / GRID_MAX_SPARSITY > rows)
		grid_refuse_gaps(reading, longest_series, longest);
}

/* [places][C], all unknown */
static double *
grid_alloc(Reading *reading, uint32 C)
{
	size_t		count = nn_size_mul(reading->env, reading->first[reading->nseries], C);
	double	   *value;

	source_account(&reading->used, reading->env->max_memory,
				   nn_size_mul(reading->env, count, sizeof(double)), reading->data->rows);
	value = NN_NEW_ARRAY(reading->env, double, Max(count, 1));
	for (size_t i = 0; i < count; i++)
	{
		POLL(i);
		value[i] = NAN;
	}
	return value;
}

static const double *
row_values(const SourceRows *rows, uint32 row)
{
	return rows->chunk[row / rows->chunk_rows].value + (size_t) (row % rows->chunk_rows) * rows->C;
}

static bool
values_any_known(const double *value, int count)
{
	for (int c = 0; c < count; c++)
	{
		if (!isnan(value[c]))
			return true;
	}
	return false;
}

static void
grid_fill_series(Reading *reading, double *value, uint32 s)
{
	const SortedRows *sorted = &reading->main;
	uint32		C = sorted->rows->C;
	int			ntargets = reading->source->roles.ntargets;
	int64		places = reading->first[s + 1] - reading->first[s];
	int64		before = -1;

	for (size_t i = sorted->first[s]; i < sorted->first[s + 1]; i++)
	{
		const double *row = row_values(sorted->rows, sorted->row[i]);
		int64		place = row_place(reading, sorted, s, i);

		POLL(i);
		/* An hour that the clock shows twice can bring two rows to one place. */
		if (place <= before || place >= places)
			rows_refuse_duplicate(reading, s, sorted->time[i], false);
		before = place;
		memcpy(value + ((size_t) reading->first[s] + place) * C, row, sizeof(double) * C);
		if (values_any_known(row, ntargets))
			reading->history[s] = (uint32) place + 1;
	}
}

/* Known future covariates of the second source win over those of the first. */
static void
grid_fill_ahead(Reading *reading, double *value, uint32 s, uint32 C)
{
	const SortedRows *sorted = &reading->ahead;
	uint32		nfuture = sorted->rows->C;
	int64		places = reading->first[s + 1] - reading->first[s];
	int64		before = -1;

	for (size_t i = sorted->first[s]; i < sorted->first[s + 1]; i++)
	{
		const double *row = row_values(sorted->rows, sorted->row[i]);
		int64		place = row_place(reading, sorted, s, i);
		double	   *to;

		POLL(i);
		if (place < 0)
			continue;
		if (place <= before || place >= places)
			rows_refuse_duplicate(reading, s, sorted->time[i], true);
		before = place;
		to = value + ((size_t) reading->first[s] + place) * C + (C - nfuture);
		for (uint32 c = 0; c < nfuture; c++)
		{
			if (!isnan(row[c]))
				to[c] = row[c];
		}
	}
}

static double *
grid_fill(Reading *reading)
{
	uint32		C = reading->main.rows->C;
	double	   *value = grid_alloc(reading, C);

	for (uint32 s = 0; s < reading->nseries; s++)
	{
		grid_fill_series(reading, value, s);
		if (reading->future != NULL)
			grid_fill_ahead(reading, value, s, C);
	}
	return value;
}

/* Row of the whole grid as text, for messages of the core. */
static const char *
grid_row_name(void *host, uint32_t row)
{
	const SourceData *data = host;
	const uint32_t *first = data->series.first;
	uint32		low = 0;
	uint32		high = data->series.nseries - 1;

	while (low < high)
	{
		uint32		middle = low + (high - low + 1) / 2;

		if (first[middle] <= row)
			low = middle;
		else
			high = middle - 1;
	}
	if (data->kind == NN_TIME_TIMESTAMPTZ)
		return source_time_text(data->kind, source_instant(data, low, row - first[low]));
	return source_time_text(data->kind, source_time(data, low, row - first[low]));
}

static void
series_finish(Reading *reading, double *value)
{
	NnSeries   *series = &reading->data->series;
	const char **column = NN_NEW_ARRAY(reading->env, const char *, Max(reading->main.rows->C, 1));
	const char **statics = NN_NEW_ARRAY(reading->env, const char *,
										Max(reading->source->roles.nstatic, 1));
	bool	   *is_category = NN_NEW_ARRAY(reading->env, bool,
										   Max(reading->source->roles.nstatic, 1));

	series->nseries = reading->nseries;
	series->C = reading->main.rows->C;
	series->Cs = reading->source->roles.nstatic;
	series->first = reading->first;
	series->history = reading->history;
	series->value = value;
	series->statics = reading->statics;
	series->name = (const char *const *) reading->name;
	series->row_name = grid_row_name;
	series->row_name_host = reading->data;
	for (uint32 c = 0; c < series->C; c++)
		column[c] = nn_strdup(reading->env, reading->source->value[c].name);
	series->column = column;
	for (uint32 k = 0; k < series->Cs; k++)
	{
		statics[k] = nn_strdup(reading->env, reading->source->statics[k].name);
		is_category[k] = reading->source->statics[k].category;
	}
	reading->data->is_category = is_category;
	series->static_column = statics;
	reading->data->nstatic = series->Cs;
}

static void
rows_read(Reading *reading, const TimestampTz *as_of)
{
	RowCut		cut = cut_create(reading, as_of);
	RowCut		no_cut = {false};
	size_t		limit = reading->env->max_memory;
	uint64		newest = reading->source->newest;
	SourceRows *rows = source_rows_read(reading->source, &cut, false, limit, &reading->used);

	rows_refuse_empty(rows, as_of != NULL && newest > 0);
	reading->data->rows = rows->count;
	reading->data->whole = newest == 0 || rows->seen < newest;
	rows_sort(reading, &reading->main, rows, series_number(reading, rows));
	rows_check_duplicates(reading, &reading->main, false);
	if (reading->future == NULL)
		return;

	rows = source_rows_read(reading->future, &no_cut, true, limit, &reading->used);
	rows_sort(reading, &reading->ahead, rows, series_find(reading, rows));
	rows_check_duplicates(reading, &reading->ahead, true);
}

/* In the current memory context, but for what the result keeps. */
static Reading *
reading_create(const NnEnv *env, const Source *source, const Source *future, const char *zone)
{
	Reading    *reading = palloc0(sizeof(Reading));

	reading->env = env;
	reading->source = source;
	reading->future = future;
	reading->zone = zone_find(zone);
	reading->data = NN_NEW(env, SourceData);
	reading->data->kind = source->kind;
	reading->data->zone = nn_strdup(env, pg_get_timezone_name(reading->zone));
	return reading;
}

/* From sorted rows to the result. */
static SourceData *
reading_finish(Reading *reading, const NnFrequency *frequency)
{
	reading_compact(reading);
	frequency_find(reading, frequency);
	if (reading->source->skip)
	{
		reading_check_grid(reading);
		reading_compact(reading);
	}
	grid_measure(reading);
	series_finish(reading, grid_fill(reading));
	arrays_lay(reading);
	return reading->data;
}

SourceData *
source_read(const NnEnv *env, Source *source, Source *future, const NnFrequency *frequency,
			const char *zone, const TimestampTz *as_of)
{
	MemoryContext before = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(before, "lstm source", ALLOCSET_DEFAULT_SIZES);
	Reading    *reading;
	SourceData *data;

	MemoryContextSwitchTo(context);
	reading = reading_create(env, source, future, zone);
	rows_read(reading, as_of);
	data = reading_finish(reading, frequency);

	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
	return data;
}

/* The rows of source_grid, as if one chunk had been read. */
static SourceRows *
rows_wrap(Reading *reading, const int64 *time, const double *value, uint64 count)
{
	SourceRows *rows = palloc0(sizeof(SourceRows));

	if (count > SOURCE_MAX_ROWS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("there are more than %d rows", SOURCE_MAX_ROWS)));
	rows->source = reading->source;
	rows->C = 1;
	rows->count = rows->seen = count;
	rows->chunk_rows = (uint32) Max(count, 1);
	rows->nchunks = 1;
	rows->chunk = palloc0(sizeof(RowChunk));
	rows->chunk->time = unconstify(int64 *, time);
	rows->chunk->value = unconstify(double *, value);
	rows->chunk->series = reading_alloc(reading, count, sizeof(uint32));
	memset(rows->chunk->series, 0, sizeof(uint32) * count);
	rows->nseries = 1;
	rows->series = palloc0(sizeof(RowSeries));
	rows->series->image = "";
	return rows;
}

SourceData *
source_grid(const NnEnv *env, NnTimeKind kind, const int64 *time, const double *value,
			uint64 count, const NnFrequency *frequency, const char *zone, const char *column)
{
	MemoryContext before = CurrentMemoryContext;
	MemoryContext context = AllocSetContextCreate(before, "lstm source", ALLOCSET_DEFAULT_SIZES);
	SourceColumn target = {.name = column};
	Source		source = {.text = "", .kind = kind, .value = &target};
	Reading    *reading;
	SourceRows *rows;
	SourceData *data;

	MemoryContextSwitchTo(context);
	source.roles.ntargets = 1;
	reading = reading_create(env, &source, NULL, zone);
	rows = rows_wrap(reading, time, value, count);
	rows_refuse_empty(rows, false);
	reading->data->rows = count;
	rows_sort(reading, &reading->main, rows, series_number(reading, rows));
	rows_check_duplicates(reading, &reading->main, false);
	data = reading_finish(reading, frequency);

	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
	return data;
}
