/*
 * nn_calendar.h
 *		From time stamps of rows to places on a regular grid, and back.
 *
 * Times are int64.  For time stamps and dates they are microseconds since
 * 2000-01-01 00:00:00 (PostgreSQL's epoch; dates at midnight) in the proleptic
 * Gregorian calendar; for integer time columns they are the integers.  Time
 * zones are the host's business: it passes both the UTC and the wall-clock
 * ("local") microseconds of a row.  Steps below a day run on UTC, so an hourly
 * series has 23 or 25 steps on the days that the clock changes; steps of a day
 * and longer run on the wall clock, so a daily series has one step per day.
 *
 * Infinite time stamps (INT64_MIN, INT64_MAX) are the caller's to reject.
 */
#ifndef NN_CALENDAR_H
#define NN_CALENDAR_H

#include "core/nn_civil.h"
#include "core/nn_env.h"

typedef enum NnTimeKind
{
	NN_TIME_TIMESTAMPTZ,
	NN_TIME_TIMESTAMP,
	NN_TIME_DATE,
	NN_TIME_INTEGER
} NnTimeKind;

typedef enum NnUnit
{
	NN_UNIT_INTEGER,
	NN_UNIT_MICROSECOND,
	NN_UNIT_DAY,
	NN_UNIT_BUSINESS_DAY,		/* Monday to Friday; holidays are gaps */
	NN_UNIT_MONTH
} NnUnit;

/*
 * One step is count units; count >= 1.  A week is 7 days, a quarter 3 months, a
 * year 12 months.  A step of months keeps the origin's day of the month, or the
 * month's last day where that is earlier (Jan 30, Feb 28, Mar 30).  With
 * month_end an origin on its month's last day stays there (Feb 28, Mar 31);
 * other origins keep their day.
 */
typedef struct NnFrequency
{
	NnUnit		unit;
	int64_t		count;
	bool		month_end;		/* only with NN_UNIT_MONTH */
} NnFrequency;

/*
 * The frequency of rows: series s has rows first[s] .. first[s + 1] - 1, in
 * strictly ascending order of utc.  utc and local have first[nseries] elements
 * and are the same array except for NN_TIME_TIMESTAMPTZ.  names[nseries] (or
 * NULL) is for messages only.
 *
 * The step is the greatest common divisor of all differences.  It must be one
 * of the differences itself, and either the commonest or dense enough that one
 * place in ten of the grid has a row; else the rows are irregular: NN_BAD_DATA
 * with the series, the first two rows that do not fit the commonest step, and
 * that step.  Rows that lack are gaps, not irregular.  When every series keeps
 * one wall-clock time of day and one row a day at most, the step is in months
 * (rows at least 28 days apart on one day of the month, or on month ends), else
 * in business days (10 rows or more, commonest step one day, no row on a weekend
 * and one weekend skipped), else in days; otherwise in microseconds of UTC.
 * NN_TOO_FEW when no series has two rows.  Linear in the rows, allocates only to fail.
 */
extern void nn_frequency_infer(const NnEnv *env, NnTimeKind kind,
							   const int64_t *utc, const int64_t *local,
							   const size_t *first, size_t nseries,
							   const char *const *names, NnFrequency *out);

/*
 * For a frequency that the user gave: sets month_end when it is in months and
 * the rows stand on month ends.  Arguments as of nn_frequency_infer.
 */
extern void nn_frequency_align(NnFrequency *freq, const int64_t *local,
							   const size_t *first, size_t nseries);

/*
 * Reads "1 hour", "15 minutes", "10s", "500 milliseconds", "day", "business
 * day", "2 weeks", "month", "quarter", "year", "month end", and "integer 5" or
 * "5" for integer time columns.  NN_BAD_VALUE.  The word "auto" is not known here.
 */
extern void nn_frequency_parse(const NnEnv *env, const char *text, NnFrequency *out);

/* The canonical text, which nn_frequency_parse reads back to the same value. */
extern char *nn_frequency_print(const NnEnv *env, const NnFrequency *freq);

/*
 * NN_BAD_VALUE when a time column of that kind cannot have the frequency:
 * integers and only integers go with NN_UNIT_INTEGER; dates need a day at least.
 */
extern void nn_frequency_check(const NnEnv *env, const NnFrequency *freq, NnTimeKind kind);

/* Whether grid times are wall-clock times (else UTC or integers). */
extern bool nn_frequency_uses_local(const NnFrequency *freq);

/*
 * Place of time on the grid that starts at origin (place 0; earlier ones are
 * negative).  False when time is not on the grid, or out of range.
 */
extern bool nn_grid_index(const NnFrequency *freq, int64_t origin, int64_t time,
						  int64_t *index);

/* The answer to nn_grid_index.  False when the time is out of range. */
extern bool nn_grid_time(const NnFrequency *freq, int64_t origin, int64_t index,
						 int64_t *time);

/*
 * Steps of the season that a series of this frequency usually has: a week for
 * days, a year for weeks, months and quarters.  Below a day the longest of day,
 * hour, minute and second that is a whole number of steps, 2 to 1,440.  1 when
 * there is none (years, integers).
 */
extern uint32_t nn_season_default(const NnFrequency *freq);

/*
 * The time in ISO format as PostgreSQL prints it (no zone); integers as they are.
 */
extern char *nn_time_print(const NnEnv *env, NnTimeKind kind, int64_t time);

/* One tick of a time axis. */
typedef struct NnTick
{
	int64_t		time;
	char		label[32];
} NnTick;

/*
 * Round times (years, months, Mondays, days, hours, ...; for integers multiples
 * of 1, 2, 5 times a power of ten) within from .. to, both included, the finest
 * set of at most max ticks; max >= 3.  A label names what changes between ticks;
 * a tick of hours at midnight names the day.  Returns their number, at least 1
 * unless from > to.
 */
extern uint32_t nn_calendar_ticks(NnTimeKind kind, int64_t from, int64_t to,
								  uint32_t max, NnTick *ticks);

#endif							/* NN_CALENDAR_H */
