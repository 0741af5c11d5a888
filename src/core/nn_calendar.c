/*
 * nn_calendar.c
 *		Regular grids of time: frequencies as text, places, seasons, ticks.
 *
 * Knows the calendar through nn_civil.h and nothing of time zones or rows; how
 * a frequency is found from rows is nn_frequency.c's.  Everything is integer
 * arithmetic, checked where a caller's number can overflow it.
 */
#include "core/nn_calendar.h"

#include <stdio.h>
#include <string.h>

/* A unit as text.  Of the units that divide a step the last is printed. */
typedef struct UnitName
{
	const char *name;
	const char *letter;			/* short form, or NULL */
	NnFrequency freq;
} UnitName;

static const UnitName unit_names[] = {
	{"microsecond", "us", {NN_UNIT_MICROSECOND, 1, false}},
	{"millisecond", "ms", {NN_UNIT_MICROSECOND, NN_SECOND / 1000, false}},
	{"second", "s", {NN_UNIT_MICROSECOND, NN_SECOND, false}},
	{"minute", "min", {NN_UNIT_MICROSECOND, NN_MINUTE, false}},
	{"hour", "h", {NN_UNIT_MICROSECOND, NN_HOUR, false}},
	{"day", "d", {NN_UNIT_DAY, 1, false}},
	{"week", "w", {NN_UNIT_DAY, 7, false}},
	{"business day", NULL, {NN_UNIT_BUSINESS_DAY, 1, false}},
	{"month", NULL, {NN_UNIT_MONTH, 1, false}},
	{"quarter", NULL, {NN_UNIT_MONTH, 3, false}},
	{"year", "y", {NN_UNIT_MONTH, 12, false}},
	{"month end", NULL, {NN_UNIT_MONTH, 1, true}},
	{"quarter end", NULL, {NN_UNIT_MONTH, 3, true}},
	{"year end", NULL, {NN_UNIT_MONTH, 12, true}},
};

#define N_UNIT_NAMES (sizeof(unit_names) / sizeof(unit_names[0]))

static const char frequency_hint[] =
	"Use for example \"1 hour\", \"15 minutes\", \"day\", \"business day\", \"week\", \"month\", "
	"\"quarter\" or \"year\", and \"integer 5\" for an integer time column.";

/* The day of the month that a grid with that origin has in month. */
static int
grid_day(const NnFrequency *freq, NnCivil origin, int64_t month)
{
	int			days = nn_month_days(month);

	if (freq->month_end && nn_civil_is_month_end(origin))
		return days;
	return origin.day < days ? origin.day : days;
}

bool
nn_frequency_uses_local(const NnFrequency *freq)
{
	return freq->unit == NN_UNIT_DAY || freq->unit == NN_UNIT_BUSINESS_DAY ||
		freq->unit == NN_UNIT_MONTH;
}

/* The distance from origin to time in units; false when time is not on a unit. */
static bool
grid_distance(const NnFrequency *freq, int64_t origin, int64_t time, int64_t *distance)
{
	int64_t		origin_day,
				day;
	NnCivil		from,
				to;

	if (!nn_frequency_uses_local(freq))
		return !__builtin_sub_overflow(time, origin, distance);

	if (nn_floor_mod(origin, NN_DAY) != nn_floor_mod(time, NN_DAY))
		return false;
	origin_day = nn_floor_div(origin, NN_DAY);
	day = nn_floor_div(time, NN_DAY);
	switch (freq->unit)
	{
		case NN_UNIT_BUSINESS_DAY:
			if (nn_day_of_week(origin_day) > 4 || nn_day_of_week(day) > 4)
				return false;
			*distance = nn_business_from_day(day) - nn_business_from_day(origin_day);
			return true;
		case NN_UNIT_MONTH:
			from = nn_civil_from_day(origin_day);
			to = nn_civil_from_day(day);
			*distance = to.month - from.month;
			return to.day == grid_day(freq, from, to.month);
		default:
			*distance = day - origin_day;
			return true;
	}
}

bool
nn_grid_index(const NnFrequency *freq, int64_t origin, int64_t time, int64_t *index)
{
	int64_t		distance;

	if (!grid_distance(freq, origin, time, &distance) || distance % freq->count != 0)
		return false;
	*index = distance / freq->count;
	return true;
}

bool
nn_grid_time(const NnFrequency *freq, int64_t origin, int64_t index, int64_t *time)
{
	int64_t		distance,
				day,
				midnight;
	NnCivil		civil;

	if (__builtin_mul_overflow(index, freq->count, &distance))
		return false;
	if (!nn_frequency_uses_local(freq))
		return !__builtin_add_overflow(origin, distance, time);

	/* A step is at least a day: beyond this it is out of range anyway. */
	if (distance > INT64_MAX / NN_DAY || distance < INT64_MIN / NN_DAY)
		return false;
	day = nn_floor_div(origin, NN_DAY);
	switch (freq->unit)
	{
		case NN_UNIT_BUSINESS_DAY:
			if (nn_day_of_week(day) > 4)
				return false;
			day = nn_day_from_business(nn_business_from_day(day) + distance);
			break;
		case NN_UNIT_MONTH:
			civil = nn_civil_from_day(day);
			distance += civil.month;
			if (distance > NN_LARGEST_MONTH || distance < -NN_LARGEST_MONTH)
				return false;
			day = nn_day_from_civil((NnCivil) {distance, grid_day(freq, civil, distance)});
			break;
		default:
			day += distance;
			break;
	}
	return !__builtin_mul_overflow(day, NN_DAY, &midnight) &&
		!__builtin_add_overflow(midnight, nn_floor_mod(origin, NN_DAY), time);
}

/* Below a day: of the longer periods the first with a whole number of 2 .. 1440 steps. */
static uint32_t
season_of_microseconds(int64_t count)
{
	static const int64_t periods[] = {NN_DAY, NN_HOUR, NN_MINUTE, NN_SECOND};

	/* Daily and weekly rows kept on UTC. */
	if (count == NN_DAY)
		return 7;
	if (count == 7 * NN_DAY)
		return 52;
	for (size_t i = 0; i < sizeof(periods) / sizeof(periods[0]); i++)
	{
		int64_t		steps = periods[i] / count;

		if (periods[i] % count == 0 && steps >= 2 && steps <= 1440)
			return (uint32_t) steps;
	}
	return 1;
}

uint32_t
nn_season_default(const NnFrequency *freq)
{
	switch (freq->unit)
	{
		case NN_UNIT_MICROSECOND:
			return season_of_microseconds(freq->count);
		case NN_UNIT_DAY:
			return freq->count == 1 ? 7 : freq->count == 7 ? 52 : freq->count == 14 ? 26 : 1;
		case NN_UNIT_BUSINESS_DAY:
			return freq->count == 1 ? 5 : freq->count == 5 ? 52 : 1;
		case NN_UNIT_MONTH:
			return 12 % freq->count == 0 ? (uint32_t) (12 / freq->count) : 1;
		case NN_UNIT_INTEGER:
			break;
	}
	return 1;
}

/* HH:MM:SS, and the fraction of the second without zeros at its end. */
static void
clock_print(char *out, size_t size, int64_t in_day)
{
	int			n = snprintf(out, size, "%02d:%02d:%02d.%06d", (int) (in_day / NN_HOUR),
							 (int) (in_day / NN_MINUTE % 60), (int) (in_day / NN_SECOND % 60),
							 (int) (in_day % NN_SECOND));

	while (out[n - 1] == '0' && n > 8)
		n--;
	if (out[n - 1] == '.')
		n--;
	out[n] = '\0';
}

char *
nn_time_print(const NnEnv *env, NnTimeKind kind, int64_t time)
{
	NnCivil		civil;
	int64_t		year,
				in_day;
	bool		is_bc;
	char		clock[32] = "";

	if (kind == NN_TIME_INTEGER)
		return nn_format(env, "%lld", (long long) time);
	if (time == INT64_MIN || time == INT64_MAX)
		return nn_strdup(env, time < 0 ? "-infinity" : "infinity");

	civil = nn_civil_from_time(time);
	year = nn_civil_year(civil);
	is_bc = year <= 0;			/* the year before 1 is 1 BC */
	in_day = nn_floor_mod(time, NN_DAY);
	if (kind != NN_TIME_DATE)
		clock_print(clock, sizeof(clock), in_day);
	return nn_format(env, "%04lld-%02d-%02d%s%s%s", (long long) (is_bc ? 1 - year : year),
					 nn_civil_month(civil), civil.day, kind == NN_TIME_DATE ? "" : " ", clock,
					 is_bc ? " BC" : "");
}

/* Whether word[0..n) is name, or its plural. */
static bool
word_is(const char *word, size_t n, const char *name)
{
	size_t		length = strlen(name);

	return strncmp(word, name, length) == 0 &&
		(n == length || (n == length + 1 && word[length] == 's'));
}

/* Lower case, single spaces, none at the ends.  False when it does not fit. */
static bool
text_normalise(const char *text, char *out, size_t size)
{
	size_t		n = 0;

	for (; *text != '\0'; text++)
	{
		char		c = *text;

		if (c == ' ' || c == '\t' || c == '\n' || c == '\r')
		{
			if (n == 0 || out[n - 1] == ' ')
				continue;
			c = ' ';
		}
		else if (c >= 'A' && c <= 'Z')
			c = (char) (c - 'A' + 'a');
		if (n + 1 >= size)
			return false;
		out[n++] = c;
	}
	if (n > 0 && out[n - 1] == ' ')
		n--;
	out[n] = '\0';
	return true;
}

/* A whole number at *at, which moves behind it; false when it is none or 0 or too large. */
static bool
read_count(const char **at, int64_t *count)
{
	const char *c = *at;

	*count = 0;
	for (; *c >= '0' && *c <= '9'; c++)
	{
		if (__builtin_mul_overflow(*count, 10, count) ||
			__builtin_add_overflow(*count, *c - '0', count))
			return false;
	}
	*at = c;
	return *count > 0;
}

/* The unit of that name; NULL when there is none. */
static const UnitName *
unit_find(const char *word)
{
	size_t		n = strlen(word);

	for (size_t i = 0; i < N_UNIT_NAMES; i++)
	{
		if (word_is(word, n, unit_names[i].name) ||
			(unit_names[i].letter != NULL && word_is(word, n, unit_names[i].letter)))
			return &unit_names[i];
	}
	return NULL;
}

static void __attribute__((noreturn))
frequency_unknown(const NnEnv *env, const char *text, const char *word)
{
	const char *names[N_UNIT_NAMES];
	const char *nearest;

	for (size_t i = 0; i < N_UNIT_NAMES; i++)
		names[i] = unit_names[i].name;
	nearest = nn_nearest(word, names, N_UNIT_NAMES);
	nn_fail(env, NN_BAD_VALUE, nn_format(env, "invalid frequency \"%s\"", text),
			nearest == NULL ? frequency_hint :
			nn_format(env, "Perhaps you mean \"%s\".", nearest));
}

void
nn_frequency_parse(const NnEnv *env, const char *text, NnFrequency *out)
{
	char		normal[64];
	const char *at = normal;
	bool		is_integer,
				has_count;
	int64_t		count = 1;
	const UnitName *unit;

	if (!text_normalise(text, normal, sizeof(normal)) || normal[0] == '\0')
		frequency_unknown(env, text, "");
	is_integer = strncmp(at, "integer", 7) == 0;
	if (is_integer)
		at += at[7] == ' ' ? 8 : 7;

	has_count = *at >= '0' && *at <= '9';
	if (has_count && !read_count(&at, &count))
		nn_fail(env, NN_BAD_VALUE, nn_format(env, "frequency \"%s\" is out of range", text),
				"Use a count of at least 1.");
	if (*at == '\0' && (is_integer || has_count))
	{
		*out = (NnFrequency) {NN_UNIT_INTEGER, count, false};
		return;
	}
	if (has_count && *at == ' ')
		at++;
	unit = is_integer ? NULL : unit_find(at);
	if (unit == NULL)
		frequency_unknown(env, text, at);
	*out = unit->freq;
	if (__builtin_mul_overflow(count, unit->freq.count, &out->count))
		nn_fail(env, NN_BAD_VALUE, nn_format(env, "frequency \"%s\" is out of range", text),
				"Use a smaller count.");
}

char *
nn_frequency_print(const NnEnv *env, const NnFrequency *freq)
{
	const UnitName *unit = NULL;
	int64_t		count;

	if (freq->unit == NN_UNIT_INTEGER)
		return nn_format(env, "integer %lld", (long long) freq->count);
	for (size_t i = 0; i < N_UNIT_NAMES; i++)
	{
		const NnFrequency *candidate = &unit_names[i].freq;

		if (candidate->unit == freq->unit && freq->count % candidate->count == 0 &&
			candidate->month_end == (freq->unit == NN_UNIT_MONTH && freq->month_end))
			unit = &unit_names[i];
	}
	if (unit == NULL)
		nn_fail(env, NN_BAD_VALUE, "frequency has an unknown unit", NULL);
	count = freq->count / unit->freq.count;
	return nn_format(env, "%lld %s%s", (long long) count, unit->name, count == 1 ? "" : "s");
}

void
nn_frequency_check(const NnEnv *env, const NnFrequency *freq, NnTimeKind kind)
{
	if ((freq->unit == NN_UNIT_INTEGER) != (kind == NN_TIME_INTEGER))
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "frequency \"%s\" does not fit %s time column",
						  nn_frequency_print(env, freq),
						  kind == NN_TIME_INTEGER ? "an integer" : "a date or timestamp"),
				kind == NN_TIME_INTEGER ? "Use for example \"integer 1\"." :
				"Use for example \"1 hour\" or \"day\".");
	if (kind == NN_TIME_DATE && freq->unit == NN_UNIT_MICROSECOND)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "frequency \"%s\" does not fit a date column",
						  nn_frequency_print(env, freq)),
				"Use for example \"day\", \"week\" or \"month\".");
}

/*
 * Steps of ticks from fine to coarse below and above those of microseconds and
 * years, which are 1, 2, 5 times powers of ten.  None is more than 2.5 times the
 * one before.
 */
static const NnFrequency tick_steps[] = {
	{NN_UNIT_MICROSECOND, NN_SECOND, false},
	{NN_UNIT_MICROSECOND, 2 * NN_SECOND, false},
	{NN_UNIT_MICROSECOND, 5 * NN_SECOND, false},
	{NN_UNIT_MICROSECOND, 10 * NN_SECOND, false},
	{NN_UNIT_MICROSECOND, 15 * NN_SECOND, false},
	{NN_UNIT_MICROSECOND, 30 * NN_SECOND, false},
	{NN_UNIT_MICROSECOND, NN_MINUTE, false},
	{NN_UNIT_MICROSECOND, 2 * NN_MINUTE, false},
	{NN_UNIT_MICROSECOND, 5 * NN_MINUTE, false},
	{NN_UNIT_MICROSECOND, 10 * NN_MINUTE, false},
	{NN_UNIT_MICROSECOND, 15 * NN_MINUTE, false},
	{NN_UNIT_MICROSECOND, 30 * NN_MINUTE, false},
	{NN_UNIT_MICROSECOND, NN_HOUR, false},
	{NN_UNIT_MICROSECOND, 2 * NN_HOUR, false},
	{NN_UNIT_MICROSECOND, 3 * NN_HOUR, false},
	{NN_UNIT_MICROSECOND, 6 * NN_HOUR, false},
	{NN_UNIT_MICROSECOND, 12 * NN_HOUR, false},
	{NN_UNIT_DAY, 1, false},
	{NN_UNIT_DAY, 2, false},
	{NN_UNIT_DAY, 4, false},
	{NN_UNIT_DAY, 7, false},
	{NN_UNIT_DAY, 14, false},
	{NN_UNIT_MONTH, 1, false},
	{NN_UNIT_MONTH, 2, false},
	{NN_UNIT_MONTH, 3, false},
	{NN_UNIT_MONTH, 6, false},
};

#define N_TICK_STEPS (sizeof(tick_steps) / sizeof(tick_steps[0]))

/* 1, 2, 5, 10, 20, 50, ...; 0 when the next is out of range. */
static int64_t
round_number_next(int64_t number)
{
	int64_t		power = 1;
	int64_t		next;

	while (number / power >= 10)
		power *= 10;
	if (number / power == 2)
		return __builtin_mul_overflow(power, 5, &next) ? 0 : next;
	return __builtin_mul_overflow(number, 2, &next) ? 0 : next;
}

/* The step after *step; NN_UNIT_INTEGER stays among integers.  False when there is none. */
static bool
tick_step_next(NnFrequency *step)
{
	bool		is_year = step->unit == NN_UNIT_MONTH && step->count % 12 == 0;

	for (size_t i = 0; i < N_TICK_STEPS; i++)
	{
		if (tick_steps[i].unit != step->unit || tick_steps[i].count != step->count)
			continue;
		*step = i + 1 < N_TICK_STEPS ? tick_steps[i + 1] :
			(NnFrequency) {NN_UNIT_MONTH, 12, false};
		return true;
	}
	step->count = is_year ? 12 * round_number_next(step->count / 12) :
		round_number_next(step->count);
	return step->count > 0 && (!is_year || step->count <= NN_LARGEST_MONTH);
}

/* The day from which ticks of days are counted: weeks begin on Monday. */
static int64_t
tick_first_day(const NnFrequency *step)
{
	return step->count % 7 == 0 ? 2 : 0;
}

/* The place of the last tick not after time; months count from the year 0. */
static int64_t
tick_floor(const NnFrequency *step, int64_t time)
{
	if (step->unit == NN_UNIT_MONTH)
		return nn_floor_div(nn_civil_from_time(time).month, step->count);
	if (step->unit == NN_UNIT_DAY)
		return nn_floor_div(nn_floor_div(time, NN_DAY) - tick_first_day(step), step->count);
	return nn_floor_div(time, step->count);
}

/* The answer to tick_floor; false when out of range. */
static bool
tick_time(const NnFrequency *step, int64_t place, int64_t *time)
{
	int64_t		day;

	if (step->unit == NN_UNIT_MONTH)
		day = nn_day_from_civil((NnCivil) {place * step->count, 1});
	else if (step->unit == NN_UNIT_DAY)
		day = place * step->count + tick_first_day(step);
	else
		return !__builtin_mul_overflow(place, step->count, time);
	return !__builtin_mul_overflow(day, NN_DAY, time);
}

/* Ticks of that step within from .. to, from place *first on. */
static uint64_t
ticks_count(const NnFrequency *step, int64_t from, int64_t to, int64_t *first)
{
	int64_t		last = tick_floor(step, to);
	int64_t		time;
	uint64_t	between;

	*first = tick_floor(step, from);
	if (!tick_time(step, *first, &time) || time < from)
	{
		if (*first == last)
			return 0;
		(*first)++;
	}
	between = (uint64_t) last - (uint64_t) *first;
	return between == UINT64_MAX ? between : between + 1;
}

/* What changes from tick to tick; the day at midnight of a finer axis. */
static void
tick_label(const NnFrequency *step, NnTick *tick)
{
	NnCivil		civil;
	long long	year;
	int64_t		in_day;
	size_t		size = sizeof(tick->label);

	if (step->unit == NN_UNIT_INTEGER)
	{
		snprintf(tick->label, size, "%lld", (long long) tick->time);
		return;
	}
	civil = nn_civil_from_time(tick->time);
	year = (long long) nn_civil_year(civil);
	in_day = nn_floor_mod(tick->time, NN_DAY);
	if (step->unit == NN_UNIT_MONTH && step->count % 12 == 0)
		snprintf(tick->label, size, "%lld", year);
	else if (step->unit == NN_UNIT_MONTH)
		snprintf(tick->label, size, "%04lld-%02d", year, nn_civil_month(civil));
	else if (step->unit == NN_UNIT_DAY || in_day == 0)
		snprintf(tick->label, size, "%04lld-%02d-%02d", year, nn_civil_month(civil), civil.day);
	else if (step->count % NN_MINUTE == 0)
		snprintf(tick->label, size, "%02d:%02d", (int) (in_day / NN_HOUR),
				 (int) (in_day / NN_MINUTE % 60));
	else
		clock_print(tick->label, size, in_day);
}

uint32_t
nn_calendar_ticks(NnTimeKind kind, int64_t from, int64_t to, uint32_t max, NnTick *ticks)
{
	NnFrequency step = {kind == NN_TIME_INTEGER ? NN_UNIT_INTEGER : NN_UNIT_MICROSECOND, 1, false};
	uint64_t	count;
	int64_t		first;
	uint32_t	n = 0;

	if (from > to)
		return 0;
	if (kind == NN_TIME_DATE)
		step = (NnFrequency) {NN_UNIT_DAY, 1, false};
	do
		count = ticks_count(&step, from, to, &first);
	while (count > max && tick_step_next(&step));

	while (n < count && n < max && tick_time(&step, first + n, &ticks[n].time))
	{
		tick_label(&step, &ticks[n]);
		n++;
	}
	return n;
}
