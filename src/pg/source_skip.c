/*
 * source_skip.c
 *		Bad series are left out, where the caller says so.
 *
 * A series is marked where its badness shows and taken out at two points: when
 * all rows are there, and when they have places.  What is left never knew it.
 * The step of the rows is that of most series where not all have one.  All is
 * linear in the rows, but for a sort of as many steps as there are series.
 */
#include "postgres.h"

#include <setjmp.h>

#include "miscadmin.h"
#include "pg/skip.h"
#include "pg/source_parts.h"

/* A bad series has so many places on the grid, and so many per row. */
#define SKIP_PLACES			100000
#define SKIP_PLACES_PER_ROW 100

bool
reading_skip(Reading *reading, uint32 s, const char *reason)
{
	if (!reading->source->skip)
		return false;
	if (reading->bad[s] == NULL)
		reading->bad[s] = reason;
	return true;
}

/* ------------------------------------------------------------------------
 * Taking out
 */

static void
sorted_compact(SortedRows *sorted, const char *const *bad, uint32 nseries)
{
	size_t		to = 0;
	uint32		kept = 0;
	bool		local = sorted->place_time != sorted->time;

	for (uint32 s = 0; s < nseries; s++)
	{
		size_t		from = sorted->first[s],
					n = sorted->first[s + 1] - from;

		if (bad[s] != NULL)
			continue;
		memmove(sorted->time + to, sorted->time + from, n * sizeof(int64));
		memmove(sorted->row + to, sorted->row + from, n * sizeof(uint32));
		if (local)
			memmove(sorted->place_time + to, sorted->place_time + from, n * sizeof(int64));
		sorted->first[kept++] = to;
		to += n;
	}
	sorted->first[kept] = to;
}

void
reading_compact(Reading *reading)
{
	SourceData *data = reading->data;
	int			nstatic = reading->source->roles.nstatic;
	uint32		kept = 0;

	if (!reading->source->skip)
		return;
	sorted_compact(&reading->main, reading->bad, reading->nseries);
	if (reading->future != NULL)
		sorted_compact(&reading->ahead, reading->bad, reading->nseries);
	for (uint32 s = 0; s < reading->nseries; s++)
	{
		if (reading->bad[s] != NULL)
		{
			skips_add(reading->env, data, reading->name[s], reading->bad[s]);
			continue;
		}
		reading->name[kept] = reading->name[s];
		data->key[kept] = data->key[s];
		if (data->place != NULL)
			data->place[kept] = data->place[s];
		reading->bad[kept] = NULL;
		memmove(reading->statics + (size_t) kept * nstatic, reading->statics + (size_t) s * nstatic,
				sizeof(double) * nstatic);
		if (data->category != NULL)
			memmove(data->category + (size_t) kept * nstatic, data->category + (size_t) s * nstatic,
					sizeof(char *) * nstatic);
		kept++;
	}
	reading->nseries = kept;
	if (kept == 0)
		skips_refuse_all(data);
}

/* ------------------------------------------------------------------------
 * The step of most series
 */

/* A frequency, and the rows of the series that have it. */
typedef struct Vote
{
	NnFrequency frequency;
	uint64		rows;
} Vote;

/* An environment whose failures for want of a step come back here. */
typedef struct Trap
{
	const NnEnv *outer;
	sigjmp_buf	jump;
} Trap;

static void *
trap_alloc(void *host, size_t size)
{
	const NnEnv *outer = ((Trap *) host)->outer;

	return outer->alloc(outer->host, size);
}

static void
trap_poll(void *host)
{
	const NnEnv *outer = ((Trap *) host)->outer;

	outer->poll(outer->host);
}

static void
trap_fail(void *host, NnCode code, const char *message, const char *hint)
{
	Trap	   *trap = host;

	if (code == NN_BAD_DATA || code == NN_TOO_FEW)
		siglongjmp(trap->jump, code == NN_BAD_DATA ? 1 : 2);
	nn_fail(trap->outer, code, message, hint);
}

/*
 * The frequency of series from..to-1: 0 when found, 1 when there is none, 2 when
 * there are too few rows.  The core holds nothing that a jump could lose.
 */
static int
frequency_try(const Reading *reading, uint32 from, uint32 to, NnFrequency *frequency)
{
	const SortedRows *sorted = &reading->main;
	Trap		trap = {.outer = reading->env};
	NnEnv		env = {&trap, trap_alloc, trap_poll, trap_fail, reading->env->max_memory};
	size_t		one[2] = {0, sorted->first[to] - sorted->first[from]};
	bool		all = to - from > 1;
	int			failed = sigsetjmp(trap.jump, 0);

	if (failed == 0)
	{
		size_t		shift = all ? 0 : sorted->first[from];

		nn_frequency_infer(&env, reading->source->kind, sorted->time + shift,
						   sorted->place_time + shift, all ? sorted->first : one,
						   all ? reading->nseries : 1, NULL, frequency);
	}
	return failed;
}

/* Local times, if any series may need them. */
static void
votes_localise(Reading *reading, bool all)
{
	reading->main.place_time = reading->main.time;
	if (reading->source->kind == NN_TIME_TIMESTAMPTZ && (all || rows_may_be_days(reading)))
		rows_localise(reading, &reading->main);
}

static int
vote_compare(const void *a, const void *b)
{
	const NnFrequency *one = &((const Vote *) a)->frequency,
			   *other = &((const Vote *) b)->frequency;

	if (one->unit != other->unit)
		return one->unit < other->unit ? -1 : 1;
	if (one->count != other->count)
		return one->count < other->count ? -1 : 1;
	return (int) one->month_end - (int) other->month_end;
}

/* That of the most rows, of equals the first in order; business days are days to others. */
static NnFrequency
votes_count(Vote *vote, uint32 n)
{
	NnFrequency best = vote[0].frequency;
	uint64		most = 0;
	bool		days = false;

	qsort(vote, n, sizeof(Vote), vote_compare);
	for (uint32 i = 0; i < n;)
	{
		uint64		rows = 0;
		uint32		from = i;

		for (; i < n && vote_compare(&vote[i], &vote[from]) == 0; i++)
			rows += vote[i].rows;
		days = days || (vote[from].frequency.unit == NN_UNIT_DAY && vote[from].frequency.count == 1);
		if (rows > most)
		{
			most = rows;
			best = vote[from].frequency;
		}
	}
	if (best.unit == NN_UNIT_BUSINESS_DAY && best.count == 1 && days)
		best.unit = NN_UNIT_DAY;
	return best;
}

void
frequency_vote(Reading *reading)
{
	NnFrequency *frequency = &reading->data->frequency;
	uint32		n = 0;
	Vote	   *vote;

	/* Nearly always all series agree. */
	if (frequency_try(reading, 0, reading->nseries, frequency) == 0)
		return;
	votes_localise(reading, true);
	vote = reading_alloc(reading, reading->nseries, sizeof(Vote));
	for (uint32 s = 0; s < reading->nseries; s++)
	{
		size_t		rows = reading->main.first[s + 1] - reading->main.first[s];
		int			failed = frequency_try(reading, s, s + 1, &vote[n].frequency);

		CHECK_FOR_INTERRUPTS();
		if (failed == 0)
			vote[n++].rows = rows;
		else if (failed == 1)
			reading_skip(reading, s, "has rows at irregular times");
		else
			reading_skip(reading, s, psprintf("has %zu row%s, too few to find their step", rows,
											  rows == 1 ? "" : "s"));
	}
	reading_compact(reading);
	votes_localise(reading, false);
	if (frequency_try(reading, 0, reading->nseries, frequency) != 0)
		*frequency = votes_count(vote, n);
	pfree(vote);
}

/* ------------------------------------------------------------------------
 * Places
 */

/* Why the rows of a series have no place each, or NULL. */
static const char *
places_bad(const Reading *reading, const SortedRows *sorted, uint32 s, bool future)
{
	NnTimeKind	kind = reading->source->kind;
	size_t		rows = sorted->first[s + 1] - sorted->first[s];
	int64		before = -1,
				place;

	for (size_t i = sorted->first[s]; i < sorted->first[s + 1]; i++)
	{
		if (!row_place_find(reading, sorted, s, i, &place))
			return psprintf("has a row at %s, which does not fit the step of %s",
							source_time_text(kind, sorted->time[i]),
							nn_frequency_print(reading->env, &reading->data->frequency));
		/* Rows of the future before a series begins are ignored. */
		if (future && place < 0)
			continue;
		if (place <= before)
			return psprintf("has more than one row at %s", source_time_text(kind, sorted->time[i]));
		before = place;
	}
	if (before > SKIP_PLACES && (uint64) before / SKIP_PLACES_PER_ROW > rows)
		return psprintf("has %zu rows over " INT64_FORMAT " steps of %s", rows, before + 1,
						nn_frequency_print(reading->env, &reading->data->frequency));
	return NULL;
}

void
reading_check_grid(Reading *reading)
{
	for (uint32 s = 0; s < reading->nseries; s++)
	{
		const char *reason = places_bad(reading, &reading->main, s, false);

		if (reason == NULL && reading->future != NULL)
			reason = places_bad(reading, &reading->ahead, s, true);
		CHECK_FOR_INTERRUPTS();
		if (reason != NULL)
			reading_skip(reading, s, reason);
	}
}
