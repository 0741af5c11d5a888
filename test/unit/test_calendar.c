/*
 * test_calendar.c
 *		Tests of nn_civil.h and nn_calendar.h.
 */
#include "unit.h"

#include "core/nn_calendar.h"

/* Rows of a test, series after series. */
#define MAX_ROWS 4000

typedef struct Table
{
	int64_t		utc[MAX_ROWS];
	int64_t		local[MAX_ROWS];
	size_t		first[5];
	size_t		nseries;
} Table;

static int64_t
date(int64_t year, int month, int day)
{
	return nn_day_from_civil((NnCivil) {year * 12 + month - 1, day}) * NN_DAY;
}

static Table *
table_create(void)
{
	return NN_NEW(unit_env(), Table);
}

/* Opens the next series; rows go to the last one. */
static void
series_begin(Table *table)
{
	table->nseries++;
	table->first[table->nseries] = table->first[table->nseries - 1];
}

static void
row_add(Table *table, int64_t local, int64_t utc)
{
	size_t	   *end = &table->first[table->nseries];

	table->local[*end] = local;
	table->utc[*end] = utc;
	(*end)++;
}

static void
rows_add(Table *table, int64_t from, int64_t step, int n)
{
	for (int i = 0; i < n; i++)
		row_add(table, from + i * step, from + i * step);
}

static const char *
table_infer(const Table *table, NnTimeKind kind)
{
	static const char *const names[] = {"A", "B", "C", "D"};
	NnFrequency freq;

	nn_frequency_infer(unit_env(), kind, table->utc, table->local, table->first, table->nseries,
					   names, &freq);
	return nn_frequency_print(unit_env(), &freq);
}

/* The frequency of one series of time stamps. */
static const char *
infer(const int64_t *times, int n)
{
	Table	   *table = table_create();

	series_begin(table);
	for (int i = 0; i < n; i++)
		row_add(table, times[i], times[i]);
	return table_infer(table, NN_TIME_TIMESTAMP);
}

static const char *
infer_steps(int64_t from, int64_t step, int n)
{
	Table	   *table = table_create();

	series_begin(table);
	rows_add(table, from, step, n);
	return table_infer(table, NN_TIME_TIMESTAMP);
}

#define INFER(...) \
	infer((const int64_t[]) {__VA_ARGS__}, sizeof((const int64_t[]) {__VA_ARGS__}) / sizeof(int64_t))

/* Every day of 1,200 years around the epoch follows the day before. */
static void
days_follow_each_other(void)
{
	NnCivil		before = nn_civil_from_day(-250001);
	int			weekday = nn_day_of_week(-250001);

	for (int64_t day = -250000; day < 200000; day++)
	{
		NnCivil		civil = nn_civil_from_day(day);
		bool		same_month = civil.month == before.month && civil.day == before.day + 1;
		bool		next_month = civil.month == before.month + 1 && civil.day == 1 &&
			nn_civil_is_month_end(before);

		weekday = (weekday + 1) % 7;
		if (!(same_month || next_month) || nn_day_from_civil(civil) != day ||
			nn_day_of_week(day) != weekday)
			UNIT_FAILED("day %lld is wrong", (long long) day);
		before = civil;
	}
}

static void
known_dates_are_right(void)
{
	UNIT_INTEGER(date(2000, 1, 1), 0);
	UNIT_INTEGER(date(1970, 1, 1) / NN_DAY, -10957);
	UNIT_INTEGER(date(2024, 2, 29) / NN_DAY, 8825);
	UNIT_INTEGER(date(2000, 3, 1) - date(2000, 2, 28), 2 * NN_DAY);
	UNIT_INTEGER(date(1900, 3, 1) - date(1900, 2, 28), NN_DAY);
	UNIT_INTEGER(date(2100, 3, 1) - date(2100, 2, 28), NN_DAY);
	UNIT_INTEGER(date(0, 3, 1) - date(0, 2, 28), 2 * NN_DAY);
	UNIT_INTEGER(date(-4712, 1, 1) / NN_DAY, -2451507);
	UNIT_INTEGER(nn_day_of_week(date(2024, 2, 29) / NN_DAY), 3);
	UNIT_INTEGER(nn_civil_day_of_year(nn_civil_from_time(date(2024, 12, 31))), 366);
	UNIT_INTEGER(nn_civil_day_of_year(nn_civil_from_time(date(2023, 3, 1))), 60);
	UNIT_INTEGER(nn_civil_from_time(-1).day, 31);
	UNIT_INTEGER(nn_civil_year(nn_civil_from_time(-1)), 1999);
	for (int64_t day = -100; day < 100; day++)
	{
		if (nn_day_of_week(day) < 5)
			UNIT_INTEGER(nn_day_from_business(nn_business_from_day(day)), day);
	}
}

static void
times_are_printed(void)
{
	NnEnv	   *env = unit_env();

	UNIT_STRING(nn_time_print(env, NN_TIME_TIMESTAMP, 0), "2000-01-01 00:00:00");
	UNIT_STRING(nn_time_print(env, NN_TIME_TIMESTAMPTZ, -1), "1999-12-31 23:59:59.999999");
	UNIT_STRING(nn_time_print(env, NN_TIME_TIMESTAMP, 12 * NN_HOUR + 500000),
				"2000-01-01 12:00:00.5");
	UNIT_STRING(nn_time_print(env, NN_TIME_TIMESTAMP, 10 * NN_SECOND), "2000-01-01 00:00:10");
	UNIT_STRING(nn_time_print(env, NN_TIME_DATE, date(2024, 2, 29)), "2024-02-29");
	UNIT_STRING(nn_time_print(env, NN_TIME_DATE, date(0, 2, 29)), "0001-02-29 BC");
	UNIT_STRING(nn_time_print(env, NN_TIME_DATE, date(12024, 12, 1)), "12024-12-01");
	UNIT_STRING(nn_time_print(env, NN_TIME_INTEGER, INT64_MIN), "-9223372036854775808");
	UNIT_STRING(nn_time_print(env, NN_TIME_TIMESTAMP, INT64_MAX), "infinity");
	UNIT_CHECK(nn_time_print(env, NN_TIME_TIMESTAMP, INT64_MIN + 1) != NULL);
}

static void
frequencies_are_parsed(void)
{
	static const char *const texts[][2] = {
		{"1 hour", "1 hour"}, {"15 minutes", "15 minutes"}, {"day", "1 day"},
		{" Business   Day ", "1 business day"}, {"2 business days", "2 business days"},
		{"week", "1 week"}, {"14 days", "2 weeks"}, {"8 days", "8 days"}, {"month", "1 month"},
		{"quarter", "1 quarter"}, {"3 months", "1 quarter"}, {"5 months", "5 months"},
		{"year", "1 year"}, {"10 YEARS", "10 years"}, {"integer 5", "integer 5"}, {"5", "integer 5"},
		{"integer", "integer 1"}, {"10 seconds", "10 seconds"}, {"10s", "10 seconds"},
		{"500 milliseconds", "500 milliseconds"}, {"1000 ms", "1 second"}, {"7us", "7 microseconds"},
		{"24 hours", "24 hours"}, {"90 min", "90 minutes"}, {"month end", "1 month end"},
		{"2 quarter ends", "2 quarter ends"}, {"12 month ends", "1 year end"}, {"1h", "1 hour"},
	};
	NnEnv	   *env = unit_env();

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
	{
		NnFrequency freq,
					again;
		char	   *text;

		nn_frequency_parse(env, texts[i][0], &freq);
		text = nn_frequency_print(env, &freq);
		UNIT_STRING(text, texts[i][1]);
		nn_frequency_parse(env, text, &again);
		UNIT_CHECK(again.unit == freq.unit && again.count == freq.count &&
				   again.month_end == freq.month_end);
	}
}

static void
bad_frequencies_are_refused(void)
{
	static const char *const texts[] = {
		"", " ", "0 days", "-1 day", "1.5 hours", "fortnight", "day day", "hour 1", "integer -1",
		"integer 0", "integer hour", "integers", "99999999999999999999 us",
		"9223372036854775807 hours",
		"0", "1 hour x", "auto", "\x80",
		"a text that is much longer than any frequency could ever be in this world",
	};
	NnEnv	   *env = unit_env();
	NnFrequency freq;

	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
	{
		UNIT_FAILS(env, NN_BAD_VALUE, nn_frequency_parse(env, texts[i], &freq));
		UNIT_CHECK(unit_host.hint[0] != '\0');
	}
	UNIT_FAILS(env, NN_BAD_VALUE, nn_frequency_parse(env, "3 huors", &freq));
	UNIT_STRING(unit_host.message, "invalid frequency \"3 huors\"");
	UNIT_STRING(unit_host.hint, "Perhaps you mean \"hour\".");

	freq = (NnFrequency) {NN_UNIT_DAY, 1, false};
	UNIT_FAILS(env, NN_BAD_VALUE, nn_frequency_check(env, &freq, NN_TIME_INTEGER));
	UNIT_STRING(unit_host.message, "frequency \"1 day\" does not fit an integer time column");
	nn_frequency_check(env, &freq, NN_TIME_DATE);
	freq = (NnFrequency) {NN_UNIT_MICROSECOND, NN_HOUR, false};
	UNIT_FAILS(env, NN_BAD_VALUE, nn_frequency_check(env, &freq, NN_TIME_DATE));
	nn_frequency_check(env, &freq, NN_TIME_TIMESTAMPTZ);
	freq = (NnFrequency) {NN_UNIT_INTEGER, 1, false};
	UNIT_FAILS(env, NN_BAD_VALUE, nn_frequency_check(env, &freq, NN_TIME_TIMESTAMP));
	nn_frequency_check(env, &freq, NN_TIME_INTEGER);
}

static void
steps_are_inferred(void)
{
	int64_t		from = date(1961, 1, 1);

	UNIT_STRING(infer_steps(from, NN_SECOND, 50), "1 second");
	UNIT_STRING(infer_steps(from, NN_SECOND / 4, 50), "250 milliseconds");
	UNIT_STRING(infer_steps(from, 15 * NN_MINUTE, 50), "15 minutes");
	UNIT_STRING(infer_steps(from, NN_HOUR, 50), "1 hour");
	UNIT_STRING(infer_steps(from, 36 * NN_HOUR, 50), "36 hours");
	UNIT_STRING(infer_steps(from, NN_DAY, 50), "1 day");
	UNIT_STRING(infer_steps(from + 9 * NN_HOUR, NN_DAY, 50), "1 day");
	UNIT_STRING(infer_steps(from, 7 * NN_DAY, 50), "1 week");
	UNIT_STRING(infer_steps(from, 28 * NN_DAY, 50), "4 weeks");
	UNIT_STRING(INFER(date(2020, 1, 1), date(2020, 1, 2)), "1 day");
	UNIT_STRING(INFER(date(2019, 2, 1), date(2019, 3, 1)), "1 month");
	UNIT_STRING(INFER(date(2019, 1, 31), date(2019, 2, 28), date(2019, 3, 31)), "1 month end");
	UNIT_STRING(INFER(date(2019, 2, 28), date(2019, 3, 31), date(2019, 4, 30)), "1 month end");
	UNIT_STRING(INFER(date(2019, 2, 28), date(2019, 3, 28), date(2019, 4, 28)), "1 month");
	UNIT_STRING(INFER(date(2019, 1, 30), date(2019, 2, 28), date(2019, 3, 30)), "1 month");
	UNIT_STRING(INFER(date(2019, 12, 29), date(2020, 1, 29), date(2020, 2, 29)), "1 month");
	UNIT_STRING(INFER(date(2019, 3, 31), date(2019, 6, 30), date(2019, 9, 30)), "1 quarter end");
	UNIT_STRING(INFER(date(2019, 1, 1), date(2019, 4, 1), date(2019, 7, 1)), "1 quarter");
	UNIT_STRING(INFER(date(1990, 7, 1), date(1991, 7, 1), date(1992, 7, 1)), "1 year");
	UNIT_STRING(INFER(date(2022, 12, 31), date(2023, 12, 31), date(2024, 12, 31)), "1 year end");
	UNIT_STRING(INFER(date(2023, 2, 28), date(2024, 2, 28), date(2025, 2, 28)), "1 year");
	UNIT_STRING(INFER(date(2023, 2, 28), date(2024, 2, 29), date(2025, 2, 28)), "1 year end");
	UNIT_STRING(INFER(date(-10, 1, 1), date(0, 1, 1), date(10, 1, 1)), "10 years");
}

static void
gaps_are_no_irregularity(void)
{
	int64_t		d = date(2021, 5, 3);

	UNIT_STRING(INFER(d, d + NN_HOUR, d + 2 * NN_HOUR, d + 7 * NN_HOUR), "1 hour");
	UNIT_STRING(INFER(d, d + 2 * NN_HOUR, d + 4 * NN_HOUR, d + 5 * NN_HOUR), "1 hour");
	UNIT_STRING(INFER(d, d + NN_DAY, d + 90 * NN_DAY, d + 91 * NN_DAY, d + 92 * NN_DAY), "1 day");
	UNIT_STRING(INFER(date(2020, 1, 1), date(2020, 2, 1), date(2020, 9, 1), date(2020, 10, 1)),
				"1 month");
	UNIT_STRING(INFER(date(2020, 1, 31), date(2020, 2, 29), date(2020, 9, 30), date(2021, 2, 28)),
				"1 month end");
}

static void
business_days_are_inferred(void)
{
	Table	   *table = table_create();
	int64_t		day = date(2023, 1, 2) / NN_DAY;	/* a Monday */

	/* Ten weekdays less one holiday: nine rows are too few to tell. */
	series_begin(table);
	for (int i = 0; i < 12; i++)
	{
		if (nn_day_of_week(day + i) < 5 && i != 3)
			row_add(table, (day + i) * NN_DAY, (day + i) * NN_DAY);
	}
	UNIT_STRING(table_infer(table, NN_TIME_DATE), "1 day");
	for (int i = 14; i < 17; i++)
		row_add(table, (day + i) * NN_DAY, (day + i) * NN_DAY);
	UNIT_STRING(table_infer(table, NN_TIME_DATE), "1 business day");
	UNIT_STRING(infer_steps(day * NN_DAY, NN_DAY, 5), "1 day");

	/* One Saturday is enough to make it days. */
	series_begin(table);
	rows_add(table, (day + 5) * NN_DAY, NN_DAY, 1);
	UNIT_STRING(table_infer(table, NN_TIME_DATE), "1 day");
}

static void
integers_are_inferred(void)
{
	Table	   *table = table_create();

	series_begin(table);
	rows_add(table, -50, 5, 20);
	series_begin(table);
	rows_add(table, 7, 10, 2);
	UNIT_STRING(table_infer(table, NN_TIME_INTEGER), "integer 5");
	series_begin(table);
	row_add(table, INT64_MIN, INT64_MIN);
	row_add(table, INT64_MAX, INT64_MAX);
	UNIT_STRING(table_infer(table, NN_TIME_INTEGER), "integer 5");
	row_add(table, INT64_MAX, INT64_MAX);
	UNIT_FAILS(unit_env(), NN_BAD_DATA, table_infer(table, NN_TIME_INTEGER));

	table = table_create();
	series_begin(table);
	row_add(table, INT64_MIN, INT64_MIN);
	row_add(table, INT64_MAX, INT64_MAX);
	UNIT_FAILS(unit_env(), NN_BAD_DATA, table_infer(table, NN_TIME_INTEGER));
	UNIT_STRING(unit_host.message, "step between rows is out of range");
}

/* Each series has its own time of day and day of the month. */
static void
series_share_a_frequency(void)
{
	Table	   *table = table_create();

	series_begin(table);
	for (int m = 0; m < 12; m++)
		row_add(table, date(2021, 1 + m, 5), date(2021, 1 + m, 5));
	series_begin(table);
	for (int m = 0; m < 12; m++)
		row_add(table, date(2020, 2 + m, 1) - NN_DAY, date(2020, 2 + m, 1) - NN_DAY);
	UNIT_STRING(table_infer(table, NN_TIME_DATE), "1 month end");

	table = table_create();
	series_begin(table);
	rows_add(table, date(2020, 1, 1) + 6 * NN_HOUR, NN_DAY, 3);
	series_begin(table);
	rows_add(table, date(2020, 1, 1), NN_DAY, 30);
	UNIT_STRING(table_infer(table, NN_TIME_TIMESTAMP), "1 day");

	/* Hours among days are no common grid: most of its places would be empty. */
	series_begin(table);
	rows_add(table, date(2020, 1, 1), NN_HOUR, 3);
	UNIT_FAILS(unit_env(), NN_BAD_DATA, table_infer(table, NN_TIME_TIMESTAMP));
}

/*
 * A zone that is an hour ahead of UTC in winter and two in summer, from the last
 * Sunday of March 2021 (the 28th) on.
 */
static int64_t
summer_utc(int64_t local)
{
	return local - (local >= date(2021, 3, 28) + 2 * NN_HOUR ? 2 : 1) * NN_HOUR;
}

static void
clock_changes_split_hours_from_days(void)
{
	Table	   *days = table_create();
	Table	   *hours = table_create();
	NnFrequency freq = {NN_UNIT_MICROSECOND, NN_HOUR, false};
	int64_t		index;

	series_begin(days);
	for (int i = 0; i < 20; i++)
		row_add(days, date(2021, 3, 20) + i * NN_DAY, summer_utc(date(2021, 3, 20) + i * NN_DAY));
	UNIT_CHECK(days->utc[9] - days->utc[8] == 23 * NN_HOUR);
	UNIT_STRING(table_infer(days, NN_TIME_TIMESTAMPTZ), "1 day");

	series_begin(hours);
	for (int i = 0; i < 48; i++)
	{
		int64_t		utc = date(2021, 3, 27) + i * NN_HOUR;

		row_add(hours, utc + (utc >= date(2021, 3, 28) + NN_HOUR ? 2 : 1) * NN_HOUR, utc);
	}
	UNIT_STRING(table_infer(hours, NN_TIME_TIMESTAMPTZ), "1 hour");
	UNIT_CHECK(nn_grid_index(&freq, hours->utc[0], hours->utc[47], &index));
	UNIT_INTEGER(index, 47);
	UNIT_CHECK(!nn_frequency_uses_local(&freq));

	/* Stamped at midnight UTC: in this zone at 1:00, later at 2:00; a day all the same. */
	days = table_create();
	series_begin(days);
	for (int i = 0; i < 20; i++)
	{
		int64_t		utc = date(2021, 3, 20) + i * NN_DAY;

		row_add(days, utc + (i > 8 ? 2 : 1) * NN_HOUR, utc);
	}
	UNIT_STRING(table_infer(days, NN_TIME_TIMESTAMPTZ), "24 hours");
}

static void
irregular_rows_are_refused(void)
{
	Table	   *table = table_create();
	int64_t		d = date(2020, 1, 1);

	series_begin(table);
	rows_add(table, d, 5 * NN_MINUTE, 20);
	series_begin(table);
	rows_add(table, d, 5 * NN_MINUTE, 4);
	row_add(table, d + 22 * NN_MINUTE, d + 22 * NN_MINUTE);
	UNIT_FAILS(unit_env(), NN_BAD_DATA, table_infer(table, NN_TIME_TIMESTAMP));
	UNIT_STRING(unit_host.message, "rows of series \"B\" are not regular: 2020-01-01 00:15:00 is "
				"followed by 2020-01-01 00:22:00, while the commonest step is 5 minutes");
	UNIT_STRING(unit_host.hint, "Aggregate the rows to a regular step, for example with date_trunc "
				"or date_bin, or set \"frequency\".");

	/* One row a second late makes no grid of seconds, although all steps fit one. */
	table = table_create();
	series_begin(table);
	rows_add(table, d, NN_HOUR, 20);
	rows_add(table, d + 19 * NN_HOUR + NN_SECOND, NN_HOUR, 20);
	UNIT_FAILS(unit_env(), NN_BAD_DATA, table_infer(table, NN_TIME_TIMESTAMP));
	UNIT_CHECK(strstr(unit_host.message, "2020-01-01 19:00:01, while") != NULL);

	UNIT_FAILS(unit_env(), NN_BAD_DATA, INFER(d, d + 7 * NN_HOUR, d + 17 * NN_HOUR));
	UNIT_FAILS(unit_env(), NN_BAD_DATA, INFER(d, d + 3 * NN_DAY, d + 8 * NN_DAY));
	UNIT_FAILS(unit_env(), NN_BAD_DATA, INFER(d, d));
	UNIT_CHECK(strstr(unit_host.hint, "remove duplicates") != NULL);
}

static void
single_rows_are_too_few(void)
{
	Table	   *table = table_create();

	UNIT_FAILS(unit_env(), NN_TOO_FEW, table_infer(table, NN_TIME_DATE));
	series_begin(table);
	series_begin(table);
	row_add(table, 0, 0);
	UNIT_FAILS(unit_env(), NN_TOO_FEW, table_infer(table, NN_TIME_DATE));
	series_begin(table);
	row_add(table, NN_DAY, NN_DAY);
	UNIT_FAILS(unit_env(), NN_TOO_FEW, table_infer(table, NN_TIME_INTEGER));
	row_add(table, 2 * NN_DAY, 2 * NN_DAY);
	UNIT_STRING(table_infer(table, NN_TIME_DATE), "1 day");
}

/* A user's "month" stands on month ends when the rows do. */
static void
month_ends_are_aligned(void)
{
	int64_t		ends[] = {date(2021, 2, 28), date(2021, 3, 31), date(2021, 4, 30)};
	int64_t		days[] = {date(2021, 2, 28), date(2021, 3, 28), date(2021, 4, 28)};
	size_t		first[] = {0, 3};
	NnFrequency freq = {NN_UNIT_MONTH, 1, false};

	nn_frequency_align(&freq, ends, first, 1);
	UNIT_CHECK(freq.month_end);
	nn_frequency_align(&freq, days, first, 1);
	UNIT_CHECK(!freq.month_end);
	freq = (NnFrequency) {NN_UNIT_DAY, 1, false};
	nn_frequency_align(&freq, ends, first, 1);
	UNIT_CHECK(!freq.month_end);
}

/* nn_grid_time and nn_grid_index answer each other, and the date is the expected one. */
static void
check_place(NnFrequency freq, int64_t origin, int64_t index, int64_t expected)
{
	int64_t		time = 0,
				back = 0;

	UNIT_CHECK(nn_grid_time(&freq, origin, index, &time));
	if (time != expected)
		UNIT_FAILED("place %lld is %s", (long long) index,
					nn_time_print(unit_env(), NN_TIME_TIMESTAMP, time));
	UNIT_CHECK(nn_grid_index(&freq, origin, time, &back));
	UNIT_INTEGER(back, index);
}

static void
months_keep_their_day(void)
{
	NnFrequency month = {NN_UNIT_MONTH, 1, false};
	NnFrequency end = {NN_UNIT_MONTH, 1, true};
	NnFrequency year = {NN_UNIT_MONTH, 12, false};
	int64_t		index;

	check_place(month, date(2023, 1, 31), 1, date(2023, 2, 28));
	check_place(month, date(2024, 1, 31), 1, date(2024, 2, 29));
	check_place(month, date(2023, 1, 31), 2, date(2023, 3, 31));
	check_place(month, date(2023, 1, 30) + NN_HOUR, 1, date(2023, 2, 28) + NN_HOUR);
	check_place(month, date(2023, 1, 30), 13, date(2024, 2, 29));
	check_place(month, date(2023, 1, 30), 2, date(2023, 3, 30));
	check_place(month, date(2023, 2, 28), 1, date(2023, 3, 28));
	check_place(month, date(2000, 1, 31), -1, date(1999, 12, 31));
	check_place(month, date(2000, 1, 31), -11, date(1999, 2, 28));
	check_place(end, date(2023, 2, 28), 1, date(2023, 3, 31));
	check_place(end, date(2023, 2, 28), 12, date(2024, 2, 29));
	check_place(end, date(2023, 2, 15), 1, date(2023, 3, 15));
	check_place(year, date(2024, 2, 29), 1, date(2025, 2, 28));
	check_place(year, date(2024, 2, 29), -124, date(1900, 2, 28));
	check_place(year, date(2024, 2, 29), 4, date(2028, 2, 29));
	UNIT_CHECK(!nn_grid_index(&month, date(2023, 1, 31), date(2023, 3, 30), &index));
	UNIT_CHECK(!nn_grid_index(&month, date(2023, 1, 1), date(2023, 2, 1) + 1, &index));
	UNIT_CHECK(!nn_grid_index(&year, date(2023, 1, 1), date(2023, 2, 1), &index));
}

static void
business_days_skip_weekends(void)
{
	NnFrequency freq = {NN_UNIT_BUSINESS_DAY, 1, false};
	NnFrequency two = {NN_UNIT_BUSINESS_DAY, 2, false};
	int64_t		friday = date(2024, 3, 1),
				index;

	check_place(freq, friday, 1, date(2024, 3, 4));
	check_place(freq, friday, 5, date(2024, 3, 8));
	check_place(freq, friday, -4, date(2024, 2, 26));
	check_place(freq, friday, -5, date(2024, 2, 23));
	check_place(freq, friday, 261, date(2025, 3, 3));
	check_place(two, friday, 1, date(2024, 3, 5));
	check_place(freq, date(1999, 12, 31), 1, date(2000, 1, 3));
	UNIT_CHECK(!nn_grid_index(&freq, friday, friday + NN_DAY, &index));
	UNIT_CHECK(!nn_grid_index(&freq, friday + NN_DAY, friday, &index));
	UNIT_CHECK(!nn_grid_time(&freq, friday + NN_DAY, 1, &index));
	UNIT_CHECK(!nn_grid_index(&two, friday, date(2024, 3, 4), &index));
}

static void
places_are_checked_for_overflow(void)
{
	static const NnFrequency freqs[] = {
		{NN_UNIT_INTEGER, 2, false}, {NN_UNIT_MICROSECOND, NN_HOUR, false},
		{NN_UNIT_DAY, 7, false}, {NN_UNIT_BUSINESS_DAY, 1, false},
		{NN_UNIT_MONTH, 1, false}, {NN_UNIT_MONTH, 12, true},
		{NN_UNIT_DAY, INT64_MAX, false}, {NN_UNIT_MONTH, INT64_MAX, false},
	};
	static const int64_t edges[] = {
		INT64_MIN + 1, INT64_MIN / 2, -3, 0, 3, INT64_MAX / 2, INT64_MAX - 1,
	};
	int64_t		out = 0;

	for (size_t f = 0; f < sizeof(freqs) / sizeof(freqs[0]); f++)
		for (size_t a = 0; a < 7; a++)
			for (size_t b = 0; b < 7; b++)
			{
				int64_t		back;

				if (nn_grid_time(&freqs[f], edges[a], edges[b], &out) &&
					nn_grid_index(&freqs[f], edges[a], out, &back))
					UNIT_INTEGER(back, edges[b]);
				nn_grid_index(&freqs[f], edges[a], edges[b], &out);
			}
	UNIT_CHECK(!nn_grid_time(&freqs[0], INT64_MAX - 1, 1, &out));
	UNIT_CHECK(!nn_grid_time(&freqs[2], 0, INT64_MAX / 7, &out));
	UNIT_CHECK(!nn_grid_time(&freqs[4], 0, INT64_MAX, &out));
	UNIT_CHECK(!nn_grid_time(&freqs[4], 0, 12 * 299000, &out));
	UNIT_CHECK(!nn_grid_index(&freqs[0], INT64_MIN, INT64_MAX, &out));
	check_place(freqs[1], -5, -1, -5 - NN_HOUR);
	check_place(freqs[0], INT64_MIN + 1, 4, INT64_MIN + 9);
}

static void
seasons_follow_the_calendar(void)
{
	static const struct
	{
		const char *frequency;
		uint32_t	season;
	}			expected[] = {
		{"1 hour", 24}, {"3 hours", 8}, {"12 hours", 2}, {"24 hours", 7}, {"15 minutes", 96},
		{"1 minute", 1440}, {"30 seconds", 120}, {"10 seconds", 360}, {"1 second", 60},
		{"500 ms", 120}, {"1 ms", 1000}, {"1 us", 1}, {"7 hours", 1}, {"36 hours", 1},
		{"168 hours", 52}, {"day", 7}, {"3 days", 1}, {"week", 52}, {"2 weeks", 26},
		{"business day", 5}, {"month", 12}, {"month end", 12}, {"2 months", 6}, {"5 months", 1},
		{"quarter", 4}, {"6 months", 2}, {"year", 1}, {"10 years", 1}, {"integer 1", 1},
	};

	for (size_t i = 0; i < sizeof(expected) / sizeof(expected[0]); i++)
	{
		NnFrequency freq;

		nn_frequency_parse(unit_env(), expected[i].frequency, &freq);
		if (nn_season_default(&freq) != expected[i].season)
			UNIT_FAILED("season of %s is %u", expected[i].frequency, nn_season_default(&freq));
	}
}

/* The labels of the ticks, with a space between. */
static const char *
tick_labels(NnTimeKind kind, int64_t from, int64_t to, uint32_t max)
{
	NnTick		ticks[32];
	uint32_t	n = nn_calendar_ticks(kind, from, to, max, ticks);
	const char *text = "";

	UNIT_CHECK(n <= max);
	for (uint32_t i = 0; i < n; i++)
	{
		UNIT_CHECK(ticks[i].time >= from && ticks[i].time <= to &&
				   (i == 0 || ticks[i].time > ticks[i - 1].time));
		text = nn_format(unit_env(), "%s%s%s", text, i > 0 ? " " : "", ticks[i].label);
	}
	return text;
}

static void
ticks_are_round(void)
{
	int64_t		d = date(2020, 2, 27);

	UNIT_STRING(tick_labels(NN_TIME_TIMESTAMP, date(1961, 5, 1), date(1979, 1, 1), 6),
				"1965 1970 1975");
	UNIT_STRING(tick_labels(NN_TIME_DATE, date(2020, 1, 15), date(2021, 1, 15), 6),
				"2020-03 2020-05 2020-07 2020-09 2020-11 2021-01");
	UNIT_STRING(tick_labels(NN_TIME_DATE, d, d + 4 * NN_DAY, 5),
				"2020-02-27 2020-02-28 2020-02-29 2020-03-01 2020-03-02");
	UNIT_STRING(tick_labels(NN_TIME_TIMESTAMP, date(2024, 3, 1), date(2024, 3, 31), 5),
				"2024-03-04 2024-03-11 2024-03-18 2024-03-25");
	UNIT_STRING(tick_labels(NN_TIME_TIMESTAMP, d - 9 * NN_HOUR, d + 9 * NN_HOUR, 4),
				"18:00 2020-02-27 06:00");
	UNIT_STRING(tick_labels(NN_TIME_TIMESTAMP, d + NN_HOUR, d + NN_HOUR + 61 * NN_SECOND, 6),
				"01:00:00 01:00:15 01:00:30 01:00:45 01:01:00");
	UNIT_STRING(tick_labels(NN_TIME_TIMESTAMP, d + NN_SECOND, d + 2 * NN_SECOND, 3),
				"00:00:01 00:00:01.5 00:00:02");
	UNIT_STRING(tick_labels(NN_TIME_INTEGER, -7, 12, 5), "-5 0 5 10");
	UNIT_STRING(tick_labels(NN_TIME_INTEGER, 3, 3, 5), "3");
	UNIT_STRING(tick_labels(NN_TIME_TIMESTAMP, 5, 5, 3), "00:00:00.000005");
	UNIT_STRING(tick_labels(NN_TIME_INTEGER, 3, 2, 5), "");
}

/* Whatever the range, there is a tick; the extremes do not overflow. */
static void
ticks_fit_any_range(void)
{
	NnTick		ticks[3];

	for (int64_t span = 1; span < INT64_MAX / 3; span = span * 3 + 1)
		for (int64_t from = -span; from <= span; from += span / 2 + 1)
		{
			uint32_t	n = nn_calendar_ticks(NN_TIME_TIMESTAMP, from, from + span, 3, ticks);

			if (n == 0 || n > 3)
				UNIT_FAILED("%u ticks for %lld", n, (long long) span);
			n = nn_calendar_ticks(NN_TIME_INTEGER, from, from + span, 3, ticks);
			if (n == 0 || n > 3)
				UNIT_FAILED("%u ticks for %lld", n, (long long) span);
		}
	UNIT_CHECK(nn_calendar_ticks(NN_TIME_INTEGER, INT64_MIN, INT64_MAX, 3, ticks) > 0);
	UNIT_CHECK(nn_calendar_ticks(NN_TIME_TIMESTAMP, INT64_MIN, INT64_MAX, 3, ticks) > 0);
	UNIT_CHECK(nn_calendar_ticks(NN_TIME_INTEGER, INT64_MAX, INT64_MAX, 3, ticks) == 1);
	UNIT_CHECK(nn_calendar_ticks(NN_TIME_INTEGER, INT64_MIN, INT64_MIN + 1, 3, ticks) == 2);
}

int
main(void)
{
	UNIT_RUN(days_follow_each_other);
	UNIT_RUN(known_dates_are_right);
	UNIT_RUN(times_are_printed);
	UNIT_RUN(frequencies_are_parsed);
	UNIT_RUN(bad_frequencies_are_refused);
	UNIT_RUN(steps_are_inferred);
	UNIT_RUN(gaps_are_no_irregularity);
	UNIT_RUN(business_days_are_inferred);
	UNIT_RUN(integers_are_inferred);
	UNIT_RUN(series_share_a_frequency);
	UNIT_RUN(clock_changes_split_hours_from_days);
	UNIT_RUN(irregular_rows_are_refused);
	UNIT_RUN(single_rows_are_too_few);
	UNIT_RUN(month_ends_are_aligned);
	UNIT_RUN(months_keep_their_day);
	UNIT_RUN(business_days_skip_weekends);
	UNIT_RUN(places_are_checked_for_overflow);
	UNIT_RUN(seasons_follow_the_calendar);
	UNIT_RUN(ticks_are_round);
	UNIT_RUN(ticks_fit_any_range);
	return unit_finish();
}
