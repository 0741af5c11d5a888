/*
 * nn_civil.h
 *		Dates of the proleptic Gregorian calendar.
 *
 * Times are microseconds since 2000-01-01 00:00:00 on a wall clock, days are
 * days since 2000-01-01, months are months since January of the year 0 (which is
 * 1 BC).  Every int64 of microseconds is a valid time; nothing here fails.
 */
#ifndef NN_CIVIL_H
#define NN_CIVIL_H

#include <stdbool.h>
#include <stdint.h>

/* Microseconds. */
#define NN_SECOND	INT64_C(1000000)
#define NN_MINUTE	(60 * NN_SECOND)
#define NN_HOUR		(60 * NN_MINUTE)
#define NN_DAY		(24 * NN_HOUR)

/* No time is as many months away from the year 0. */
#define NN_LARGEST_MONTH (INT64_C(12) * 300000)

typedef struct NnCivil
{
	int64_t		month;			/* year * 12 + month of the year - 1 */
	int			day;			/* from 1 */
} NnCivil;

/* Division that rounds down, and its rest in 0 .. b - 1; b > 0. */
static inline int64_t
nn_floor_div(int64_t a, int64_t b)
{
	return a / b - (a % b < 0);
}

static inline int64_t
nn_floor_mod(int64_t a, int64_t b)
{
	return a % b < 0 ? a % b + b : a % b;
}

static inline int64_t
nn_civil_year(NnCivil civil)
{
	return nn_floor_div(civil.month, 12);
}

/* 1 .. 12 */
static inline int
nn_civil_month(NnCivil civil)
{
	return (int) nn_floor_mod(civil.month, 12) + 1;
}

extern int64_t nn_day_from_civil(NnCivil civil);
extern NnCivil nn_civil_from_day(int64_t day);
extern NnCivil nn_civil_from_time(int64_t time);

/* Days of the month; whether the date is the last of them. */
extern int	nn_month_days(int64_t month);
extern bool nn_civil_is_month_end(NnCivil civil);

/* 1 .. 366 */
extern int	nn_civil_day_of_year(NnCivil civil);

/* 0: Monday, 6: Sunday. */
extern int	nn_day_of_week(int64_t day);

/*
 * Business days (Monday to Friday) since Monday 2000-01-03, and back.  day must
 * not be on a weekend.
 */
extern int64_t nn_business_from_day(int64_t day);
extern int64_t nn_day_from_business(int64_t business);

#endif							/* NN_CIVIL_H */
