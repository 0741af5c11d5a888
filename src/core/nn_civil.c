/*
 * nn_civil.c
 *		Dates to day numbers and back.
 *
 * Years are counted from March here, so that the leap day is a year's last and
 * the lengths of the months before it follow one formula.  400 years have
 * 146,097 days and repeat.  A conversion takes a few nanoseconds.
 */
#include "core/nn_civil.h"

/* Days from 0000-03-01 to 2000-01-01, and in 400 years. */
#define EPOCH_FROM_MARCH_0 730425
#define DAYS_PER_400_YEARS 146097

/* Days of a cycle before its March-based year number year; 0 .. 400. */
static int64_t
days_before_year(int64_t year)
{
	return year * 365 + year / 4 - year / 100 + year / 400;
}

/* Days before the month that is month months after March; five of them have 153 days. */
static int64_t
days_before_month(int64_t month)
{
	return (153 * month + 2) / 5;
}

int64_t
nn_day_from_civil(NnCivil civil)
{
	int64_t		from_march = civil.month - 2;
	int64_t		year = nn_floor_div(from_march, 12);

	return nn_floor_div(year, 400) * DAYS_PER_400_YEARS +
		days_before_year(nn_floor_mod(year, 400)) +
		days_before_month(nn_floor_mod(from_march, 12)) + civil.day - 1 - EPOCH_FROM_MARCH_0;
}

NnCivil
nn_civil_from_day(int64_t day)
{
	int64_t		from_march = day + EPOCH_FROM_MARCH_0;
	int64_t		cycle = nn_floor_div(from_march, DAYS_PER_400_YEARS);
	int64_t		in_cycle = nn_floor_mod(from_march, DAYS_PER_400_YEARS);
	int64_t		year = in_cycle / 365;
	int64_t		in_year,
				month;

	/* Leap days made the guess one too late at most: a cycle has only 97. */
	if (days_before_year(year) > in_cycle)
		year--;
	in_year = in_cycle - days_before_year(year);
	month = (5 * in_year + 2) / 153;
	return (NnCivil) {
		.month = (cycle * 400 + year) * 12 + month + 2,
		.day = (int) (in_year - days_before_month(month)) + 1,
	};
}

NnCivil
nn_civil_from_time(int64_t time)
{
	return nn_civil_from_day(nn_floor_div(time, NN_DAY));
}

static bool
is_leap_year(int64_t year)
{
	return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0);
}

int
nn_month_days(int64_t month)
{
	static const char days[12] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	int			m = (int) nn_floor_mod(month, 12);

	return days[m] + (m == 1 && is_leap_year(nn_floor_div(month, 12)));
}

bool
nn_civil_is_month_end(NnCivil civil)
{
	return civil.day == nn_month_days(civil.month);
}

int
nn_civil_day_of_year(NnCivil civil)
{
	NnCivil		new_year = {nn_civil_year(civil) * 12, 1};

	return (int) (nn_day_from_civil(civil) - nn_day_from_civil(new_year)) + 1;
}

int
nn_day_of_week(int64_t day)
{
	/* 2000-01-03 was a Monday. */
	return (int) nn_floor_mod(day - 2, 7);
}

int64_t
nn_business_from_day(int64_t day)
{
	return nn_floor_div(day - 2, 7) * 5 + nn_day_of_week(day);
}

int64_t
nn_day_from_business(int64_t business)
{
	return nn_floor_div(business, 5) * 7 + nn_floor_mod(business, 5) + 2;
}
