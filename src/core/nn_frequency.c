/*
 * nn_frequency.c
 *		The frequency of rows that nobody told us.
 *
 * Sees time stamps only; what a frequency means for the grid is nn_calendar.c's.
 * Takes three or four passes over the rows and constant memory: the commonest
 * step is found without sorting.  Differences are taken as uint64: two int64 in
 * order can be 2^64 - 1 apart.
 */
#include "core/nn_calendar.h"

/* Counters that look for the commonest step: finds any above 1 in 33 rows. */
#define STEP_COUNTERS 32

/* The grid may have this many places per row when its step is not the commonest. */
#define LARGEST_SPREAD 10

/* Rows that business days need to be told from days. */
#define BUSINESS_ROWS 10

/* Rows between two polls. */
#define POLL_ROWS 65536

/* Rows as nn_frequency_infer gets them. */
typedef struct Rows
{
	NnTimeKind	kind;
	const int64_t *utc;
	const int64_t *local;
	const size_t *first;		/* [nseries + 1] */
	size_t		nseries;
	const char *const *names;
} Rows;

/* What a pass over all differences finds. */
typedef struct Steps
{
	size_t		n;				/* differences */
	uint64_t	divisor;		/* their greatest common divisor */
	uint64_t	smallest;
	uint64_t	commonest;
	double		total;			/* their sum */
} Steps;

/* The difference between row i and the row before in units; exact when the unit fits the rows. */
static uint64_t
row_step(const Rows *rows, NnUnit unit, size_t i)
{
	const int64_t *times = unit == NN_UNIT_DAY || unit == NN_UNIT_BUSINESS_DAY ||
		unit == NN_UNIT_MONTH ? rows->local : rows->utc;
	uint64_t	difference = (uint64_t) times[i] - (uint64_t) times[i - 1];

	switch (unit)
	{
		case NN_UNIT_DAY:
			return difference / NN_DAY;
		case NN_UNIT_BUSINESS_DAY:
			return (uint64_t) (nn_business_from_day(nn_floor_div(times[i], NN_DAY)) -
							   nn_business_from_day(nn_floor_div(times[i - 1], NN_DAY)));
		case NN_UNIT_MONTH:
			return (uint64_t) (nn_civil_from_time(times[i]).month -
							   nn_civil_from_time(times[i - 1]).month);
		default:
			return difference;
	}
}

static uint64_t
common_divisor(uint64_t a, uint64_t b)
{
	while (b != 0)
	{
		uint64_t	rest = a % b;

		a = b;
		b = rest;
	}
	return a;
}

/*
 * Counts a step among the candidates (Misra and Gries 1982): whatever makes up
 * more than one in STEP_COUNTERS + 1 of the steps is a candidate in the end.
 */
static void
candidates_add(uint64_t step, uint64_t *candidates, size_t *votes)
{
	size_t		free_slot = STEP_COUNTERS;

	for (size_t c = 0; c < STEP_COUNTERS; c++)
	{
		if (votes[c] > 0 && candidates[c] == step)
		{
			votes[c]++;
			return;
		}
		if (votes[c] == 0 && free_slot == STEP_COUNTERS)
			free_slot = c;
	}
	if (free_slot < STEP_COUNTERS)
	{
		candidates[free_slot] = step;
		votes[free_slot] = 1;
		return;
	}
	for (size_t c = 0; c < STEP_COUNTERS; c++)
		votes[c]--;
}

/* Calls body for every row i that has a row before it in its series. */
#define FOR_EACH_STEP(env, rows, i) \
	for (size_t s_ = 0; s_ < (rows)->nseries; s_++) \
		for (size_t i = (rows)->first[s_] + 1; \
			 i < (rows)->first[s_ + 1] && \
			 (i % POLL_ROWS != 0 || ((env)->poll((env)->host), true)); \
			 i++)

/* The commonest step exactly counted among the candidates; of equals the smallest. */
static uint64_t
steps_commonest(const NnEnv *env, const Rows *rows, NnUnit unit, const uint64_t *candidates,
				const size_t *votes)
{
	size_t		counts[STEP_COUNTERS] = {0};
	size_t		best = STEP_COUNTERS;

	FOR_EACH_STEP(env, rows, i)
	{
		uint64_t	step = row_step(rows, unit, i);

		for (size_t c = 0; c < STEP_COUNTERS; c++)
		{
			if (votes[c] > 0 && candidates[c] == step)
			{
				counts[c]++;
				break;
			}
		}
	}
	for (size_t c = 0; c < STEP_COUNTERS; c++)
	{
		if (counts[c] > 0 &&
			(best == STEP_COUNTERS || counts[c] > counts[best] ||
			 (counts[c] == counts[best] && candidates[c] < candidates[best])))
			best = c;
	}
	return best < STEP_COUNTERS ? candidates[best] : 0;
}

static Steps
steps_measure(const NnEnv *env, const Rows *rows, NnUnit unit)
{
	uint64_t	candidates[STEP_COUNTERS];
	size_t		votes[STEP_COUNTERS] = {0};
	Steps		steps = {.smallest = UINT64_MAX};

	FOR_EACH_STEP(env, rows, i)
	{
		uint64_t	step = row_step(rows, unit, i);

		steps.n++;
		steps.total += (double) step;
		steps.divisor = common_divisor(step, steps.divisor);
		if (step < steps.smallest)
			steps.smallest = step;
		candidates_add(step, candidates, votes);
	}
	steps.commonest = steps_commonest(env, rows, unit, candidates, votes);
	if (steps.commonest == 0)
		steps.commonest = steps.smallest;
	return steps;
}

static void __attribute__((noreturn))
rows_fail(const NnEnv *env, const Rows *rows, size_t series, size_t i, const char *problem,
		  const char *hint)
{
	const char *name = rows->names != NULL ? rows->names[series] : NULL;

	nn_fail(env, NN_BAD_DATA,
			nn_format(env, "rows%s%s%s are not regular: %s is followed by %s%s",
					  name != NULL ? " of series \"" : "", name != NULL ? name : "",
					  name != NULL ? "\"" : "", nn_time_print(env, rows->kind, rows->local[i - 1]),
					  nn_time_print(env, rows->kind, rows->local[i]), problem), hint);
}

/* The first step that is no multiple of step; false when there is none. */
static bool
rows_misfit(const Rows *rows, NnUnit unit, uint64_t step, size_t *series, size_t *row)
{
	for (size_t s = 0; s < rows->nseries; s++)
		for (size_t i = rows->first[s] + 1; i < rows->first[s + 1]; i++)
		{
			if (row_step(rows, unit, i) % step != 0)
			{
				*series = s;
				*row = i;
				return true;
			}
		}
	return false;
}

/* Names the first step that is no multiple of the commonest. */
static void __attribute__((noreturn))
rows_irregular(const NnEnv *env, const Rows *rows, NnUnit unit, const Steps *steps)
{
	int64_t		commonest = steps->commonest > INT64_MAX ? INT64_MAX : (int64_t) steps->commonest;
	NnFrequency freq = {unit, commonest, false};
	size_t		series,
				row;
	const char *hint = "Aggregate the rows to a regular step, for example with date_trunc or "
		"date_bin, or set \"frequency\".";

	/* There is one: a step that divides all others is their divisor, which was refused. */
	if (!rows_misfit(rows, unit, steps->commonest, &series, &row))
		nn_fail(env, NN_BAD_DATA, "rows are not regular", hint);
	if (rows->kind == NN_TIME_INTEGER)
		hint = "Aggregate the rows to a regular step, or set \"frequency\".";
	else if (rows->kind == NN_TIME_TIMESTAMPTZ && steps->smallest >= (uint64_t) NN_DAY)
		hint = "Aggregate the rows to a regular step, for example with date_trunc or date_bin, "
			"set \"frequency\", or set the time zone in which the rows were stamped.";
	rows_fail(env, rows, series, row,
			  nn_format(env, ", while the commonest step is %s", nn_frequency_print(env, &freq)),
			  hint);
}

/* The step of the rows in that unit, or a failure. */
static void
steps_accept(const NnEnv *env, const Rows *rows, NnUnit unit, const Steps *steps,
			 NnFrequency *out)
{
	bool		is_commonest = steps->divisor == steps->commonest;
	bool		is_dense = steps->divisor == steps->smallest &&
		steps->total / (double) steps->divisor <= LARGEST_SPREAD * (double) steps->n;

	if (!is_commonest && !is_dense)
		rows_irregular(env, rows, unit, steps);
	if (steps->divisor > INT64_MAX)
		nn_fail(env, NN_BAD_DATA, "step between rows is out of range",
				"Use smaller integers in the time column.");
	*out = (NnFrequency) {unit, (int64_t) steps->divisor, false};
}

/* The caller's promise is checked: a step of 0 would divide by zero. */
static void
rows_check_order(const NnEnv *env, const Rows *rows)
{
	for (size_t s = 0; s < rows->nseries; s++)
		for (size_t i = rows->first[s] + 1; i < rows->first[s + 1]; i++)
		{
			if (rows->utc[i] <= rows->utc[i - 1])
				rows_fail(env, rows, s, i, "", "Sort the rows by time and remove duplicates.");
		}
}

/* One wall-clock time of day in each series, and a day at least between rows. */
static bool
rows_are_daily(const NnEnv *env, const Rows *rows)
{
	FOR_EACH_STEP(env, rows, i)
	{
		int64_t		before = rows->local[i - 1],
					now = rows->local[i];

		if (now < before || (uint64_t) now - (uint64_t) before < NN_DAY ||
			nn_floor_mod(now, NN_DAY) != nn_floor_mod(before, NN_DAY))
			return false;
	}
	return true;
}

/* Whether all rows stand on their series' day of the month under freq's rule. */
static bool
rows_fit_months(const Rows *rows, const NnFrequency *freq)
{
	for (size_t s = 0; s < rows->nseries; s++)
	{
		int64_t		unused;

		for (size_t i = rows->first[s] + 1; i < rows->first[s + 1]; i++)
		{
			if (!nn_grid_index(freq, rows->local[rows->first[s]], rows->local[i], &unused))
				return false;
		}
	}
	return true;
}

/*
 * Month ends, when some series begins on one and no row contradicts: Feb 28,
 * Mar 28 keeps the day, Feb 28, Mar 31 the month's end.  Both rules fit Jan 31,
 * Feb 28, or Apr 30, Jun 30; then the month's end is the better guess.
 */
static bool
rows_on_month_ends(const Rows *rows)
{
	NnFrequency freq = {NN_UNIT_MONTH, 1, true};

	for (size_t s = 0; s < rows->nseries; s++)
	{
		size_t		i = rows->first[s];

		if (i < rows->first[s + 1] && nn_civil_is_month_end(nn_civil_from_time(rows->local[i])))
			return rows_fit_months(rows, &freq);
	}
	return false;
}

void
nn_frequency_align(NnFrequency *freq, const int64_t *local, const size_t *first,
				   size_t nseries)
{
	Rows		rows = {NN_TIME_TIMESTAMP, local, local, first, nseries, NULL};

	if (freq->unit == NN_UNIT_MONTH)
		freq->month_end = rows_on_month_ends(&rows);
}

/* The rows keep their day of the month. */
static bool
rows_are_monthly(const Rows *rows, const Steps *days, bool *month_end)
{
	NnFrequency freq = {NN_UNIT_MONTH, 1, false};

	if (days->smallest < 28)
		return false;
	*month_end = rows_on_month_ends(rows);
	return *month_end || rows_fit_months(rows, &freq);
}

/* No row on a weekend, one weekend skipped at least, enough rows to believe it. */
static bool
rows_are_business(const NnEnv *env, const Rows *rows, const Steps *days)
{
	bool		skips_weekend = false;

	if (days->commonest != 1 || days->n + 1 < BUSINESS_ROWS)
		return false;
	for (size_t s = 0; s < rows->nseries; s++)
		for (size_t i = rows->first[s]; i < rows->first[s + 1]; i++)
		{
			if (nn_day_of_week(nn_floor_div(rows->local[i], NN_DAY)) > 4)
				return false;
		}
	FOR_EACH_STEP(env, rows, i)
	{
		if (row_step(rows, NN_UNIT_BUSINESS_DAY, i) != row_step(rows, NN_UNIT_DAY, i))
			skips_weekend = true;
	}
	return skips_weekend;
}

/* Rows with one time of day: months, business days or days. */
static void
infer_daily(const NnEnv *env, const Rows *rows, NnFrequency *out)
{
	Steps		days = steps_measure(env, rows, NN_UNIT_DAY);
	Steps		steps = days;
	NnUnit		unit = NN_UNIT_DAY;
	bool		month_end = false;

	if (rows_are_monthly(rows, &days, &month_end))
		unit = NN_UNIT_MONTH;
	else if (rows_are_business(env, rows, &days))
		unit = NN_UNIT_BUSINESS_DAY;
	if (unit != NN_UNIT_DAY)
		steps = steps_measure(env, rows, unit);
	steps_accept(env, rows, unit, &steps, out);
	out->month_end = month_end;
}

void
nn_frequency_infer(const NnEnv *env, NnTimeKind kind, const int64_t *utc, const int64_t *local,
				   const size_t *first, size_t nseries, const char *const *names,
				   NnFrequency *out)
{
	Rows		rows = {kind, utc, local, first, nseries, names};
	NnUnit		unit = kind == NN_TIME_INTEGER ? NN_UNIT_INTEGER : NN_UNIT_MICROSECOND;
	size_t		longest = 0;
	Steps		steps;

	for (size_t s = 0; s < nseries; s++)
	{
		if (first[s + 1] - first[s] > longest)
			longest = first[s + 1] - first[s];
	}
	if (longest < 2)
		nn_fail(env, NN_TOO_FEW, "frequency cannot be inferred: no series has two rows",
				"Provide more rows, or set \"frequency\".");
	rows_check_order(env, &rows);

	if (kind != NN_TIME_INTEGER && rows_are_daily(env, &rows))
	{
		infer_daily(env, &rows, out);
		return;
	}
	steps = steps_measure(env, &rows, unit);
	steps_accept(env, &rows, unit, &steps, out);
}
