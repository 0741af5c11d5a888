/*
 * features.c
 *		Known-future covariates made from the time: calendar and holidays.
 *
 * Knows times and dates, not what is forecast.  A row costs one conversion to the
 * clock of the zone (0.1 microseconds, below a day only), a sine and a cosine per
 * word, and a copy; memory is the rows once more.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#include "core/nn_array.h"
#include "core/nn_civil.h"
#include "pg/features.h"
#include "pg/source_parts.h"

/* Rows between two looks for an interrupt. */
#define POLL_ROWS 16384

/* The words of "calendar" in the order of their bits. */
static const char *const words[] = {
	"minute", "hour", "weekday", "month_day", "year_day", "month"
};

/* ------------------------------------------------------------------------
 * Holidays
 */

typedef struct DayReceiver
{
	DestReceiver pub;
	MemoryContext context;
	Oid			type;			/* of the first column */
	pg_tz	   *zone;
	uint32		n,
				capacity;
	int64	   *day;			/* [capacity] */
	size_t		used,
				limit;
} DayReceiver;

static int64
day_of(const DayReceiver *receiver, Datum value)
{
	int64		time;
	bool		infinite;

	if (receiver->type == DATEOID)
	{
		DateADT		date = DatumGetDateADT(value);

		infinite = DATE_NOT_FINITE(date);
		time = infinite ? 0 : date;
	}
	else
	{
		time = DatumGetTimestamp(value);
		infinite = TIMESTAMP_NOT_FINITE(time);
		if (!infinite && receiver->type == TIMESTAMPTZOID)
			time = zone_local(receiver->zone, time);
		time = nn_floor_div(time, NN_DAY);
	}
	if (infinite)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("holidays have an infinite date"),
				 errhint("Leave such rows out.")));
	return time;
}

static bool
day_receive(TupleTableSlot *slot, DestReceiver *self)
{
	DayReceiver *receiver = (DayReceiver *) self;
	bool		isnull;
	Datum		value = slot_getattr(slot, 1, &isnull);

	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("holidays have a date that is null"),
				 errhint("Leave such rows out.")));
	if (receiver->n == receiver->capacity)
	{
		source_account(&receiver->used, receiver->limit, receiver->capacity * sizeof(int64),
					   receiver->n);
		receiver->capacity *= 2;
		receiver->day = repalloc_huge(receiver->day, receiver->capacity * sizeof(int64));
	}
	receiver->day[receiver->n++] = day_of(receiver, value);
	return true;
}

static void
day_startup(DestReceiver *self, int operation, TupleDesc descriptor)
{
	DayReceiver *receiver = (DayReceiver *) self;

	/* Datums are read by the type that source_shape saw. */
	if (getBaseType(TupleDescAttr(descriptor, 0)->atttypid) != receiver->type)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("holidays changed while they were read"),
				 errhint("Try again.")));
}

static void
day_shutdown(DestReceiver *self)
{
}

static int
day_compare(const void *a, const void *b)
{
	int64		one = *(const int64 *) a,
				other = *(const int64 *) b;

	return one < other ? -1 : one > other;
}

static void
holidays_context(void *arg)
{
	errcontext("option \"holidays\": %s", (const char *) arg);
}

/* The SELECT of the first column of a text; its type. */
static char *
holidays_select(const char *text, const Source *how, Oid *type)
{
	SearchPathGuard guard = search_path_push(how->search_path, how->time_zone);
	char	   *query = source_query(text);
	SourceShape *shape = source_shape(query);
	StringInfoData select;

	search_path_pop(guard);
	if (shape->ncolumns == 0 || shape->column[0].class != COLUMN_TIME)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 shape->ncolumns == 0 ? errmsg("holidays have no column") :
				 errmsg("column \"%s\" of type %s cannot be the date of holidays",
						shape->column[0].name, format_type_be(shape->column[0].type)),
				 errhint("The first column of holidays is a date or a timestamp.")));
	*type = shape->column[0].base;
	initStringInfo(&select);
	appendStringInfo(&select, "SELECT holidays.c1 FROM (\n%s\n) AS holidays (", query);
	for (int i = 1; i <= shape->ncolumns; i++)
		appendStringInfo(&select, "%sc%d", i == 1 ? "" : ", ", i);
	appendStringInfoChar(&select, ')');
	return select.data;
}

Holidays *
holidays_read(const NnEnv *env, const char *text, const Source *how, const char *zone)
{
	MemoryContext before = CurrentMemoryContext,
				context = AllocSetContextCreate(before, "lstm holidays", ALLOCSET_DEFAULT_SIZES);
	Holidays   *holidays = NN_NEW(env, Holidays);
	DayReceiver *receiver;
	ErrorContextCallback callback = {error_context_stack, holidays_context, unconstify(char *, text)};
	char	   *select;

	error_context_stack = &callback;
	MemoryContextSwitchTo(context);
	receiver = palloc0(sizeof(DayReceiver));
	receiver->pub.receiveSlot = day_receive;
	receiver->pub.rStartup = day_startup;
	receiver->pub.rShutdown = receiver->pub.rDestroy = day_shutdown;
	receiver->pub.mydest = DestTuplestore;	/* any kind but DestNone and DestSPI */
	receiver->zone = zone_find(zone);
	receiver->limit = env->max_memory;
	receiver->capacity = 64;
	receiver->day = palloc(sizeof(int64) * receiver->capacity);
	select = holidays_select(text, how, &receiver->type);
	source_select_run(select, how, &receiver->pub);
	qsort(receiver->day, receiver->n, sizeof(int64), day_compare);
	holidays->day = NN_NEW_ARRAY(env, int64, Max(receiver->n, 1));
	for (uint32 i = 0; i < receiver->n; i++)
		if (i == 0 || receiver->day[i] != receiver->day[i - 1])
			holidays->day[holidays->n++] = receiver->day[i];
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
	error_context_stack = callback.previous;
	return holidays;
}

static bool
holidays_have(const Holidays *holidays, int64 day)
{
	return bsearch(&day, holidays->day, holidays->n, sizeof(int64), day_compare) != NULL;
}

/* ------------------------------------------------------------------------
 * Which words
 */

/* Days of one step, about. */
static double
step_days(const NnFrequency *frequency)
{
	switch (frequency->unit)
	{
		case NN_UNIT_MICROSECOND:
			return (double) frequency->count / NN_DAY;
		case NN_UNIT_DAY:
			return (double) frequency->count;
		case NN_UNIT_BUSINESS_DAY:
			return (double) frequency->count * 7 / 5;
		case NN_UNIT_MONTH:
			return (double) frequency->count * 365.2425 / 12;
		case NN_UNIT_INTEGER:
			break;
	}
	return 0;
}

uint32
features_choose(const SourceData *data)
{
	const NnFrequency *frequency = &data->frequency;
	double		step = step_days(frequency),
				days;
	uint32		longest = 0,
				bits = 0;

	if (data->kind == NN_TIME_INTEGER)
		return 0;
	for (uint32 s = 0; s < data->series.nseries; s++)
		longest = Max(longest, data->series.history[s]);
	days = step * longest;
	if (frequency->unit == NN_UNIT_MONTH)
		return frequency->count < 12 && (double) longest * frequency->count >= 24 ?
			NN_CALENDAR_MONTH : 0;
	if (step < 1.0 / 24 && days >= 1)
		bits |= NN_CALENDAR_MINUTE;
	if (step < 1 && days >= 3)
		bits |= NN_CALENDAR_HOUR;
	if (days >= 28 && (step <= 1 || (frequency->unit == NN_UNIT_BUSINESS_DAY && frequency->count == 1)))
		bits |= NN_CALENDAR_WEEKDAY;
	if (step < 28 && days >= 730)
		bits |= NN_CALENDAR_YEAR_DAY;
	return bits;
}

/* Whether the word is the same at every step. */
static bool
word_is_constant(const NnFrequency *frequency, uint32 bit)
{
	bool		micro = frequency->unit == NN_UNIT_MICROSECOND;
	int64		count = frequency->count;

	switch (bit)
	{
		case NN_CALENDAR_MINUTE:
			return !micro || count % NN_HOUR == 0;
		case NN_CALENDAR_HOUR:
			return !micro || count % NN_DAY == 0;
		case NN_CALENDAR_WEEKDAY:
			return (frequency->unit == NN_UNIT_DAY && count % 7 == 0) ||
				(frequency->unit == NN_UNIT_BUSINESS_DAY && count % 5 == 0) ||
				(micro && count % (7 * NN_DAY) == 0);
		default:
			return frequency->unit == NN_UNIT_MONTH && (bit == NN_CALENDAR_MONTH_DAY || count % 12 == 0);
	}
}

static void
words_check(const NnEnv *env, const NnSpec *spec, const SourceData *data)
{
	if (data->kind == NN_TIME_INTEGER && (spec->calendar != 0 || spec->holidays[0] != '\0'))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("option \"%s\" has no meaning for a time column of integers",
						spec->calendar != 0 ? "calendar" : "holidays"),
				 errhint("Leave it out, or name columns known ahead as future_covariates.")));
	for (size_t i = 0; i < lengthof(words); i++)
		if ((spec->calendar & 1u << i) && word_is_constant(&data->frequency, 1u << i))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("\"%s\" of option \"calendar\" is the same at every step of %s", words[i],
							nn_frequency_print(env, &data->frequency)),
					 errhint("Leave it out; \"auto\" takes what fits the rows.")));
}

/* ------------------------------------------------------------------------
 * Channels
 */

typedef struct Maker
{
	const NnEnv *env;
	SourceData *data;
	uint32		calendar;
	const Holidays *holidays;
	pg_tz	   *zone;			/* NULL: times are local already */
	uint32		made;			/* channels */
} Maker;

static double
phase_of(uint32 bit, int64 local)
{
	int64		day = nn_floor_div(local, NN_DAY);
	NnCivil		civil = nn_civil_from_day(day);

	switch (bit)
	{
		case NN_CALENDAR_MINUTE:
			return (double) nn_floor_mod(local, NN_HOUR) / NN_HOUR;
		case NN_CALENDAR_HOUR:
			return (double) nn_floor_mod(local, NN_DAY) / NN_DAY;
		case NN_CALENDAR_WEEKDAY:
			return nn_day_of_week(day) / 7.0;
		case NN_CALENDAR_MONTH_DAY:
			return (civil.day - 1) / (double) nn_month_days(civil.month);
		case NN_CALENDAR_YEAR_DAY:
			/* The same day of the year has the same phase, leap year or not. */
			return (nn_civil_month(civil) - 1 + (civil.day - 1) / (double) nn_month_days(civil.month)) / 12;
		default:
			return (nn_civil_month(civil) - 1) / 12.0;
	}
}

/* Channels of row i of series s, out[made]. */
static void
row_make(const Maker *maker, uint32 s, int64 i, double *out)
{
	const double turn = 6.283185307179586476925;
	int64		local = source_time(maker->data, s, i);

	if (maker->zone != NULL)
		local = zone_local(maker->zone, local);
	for (size_t w = 0; w < lengthof(words); w++)
	{
		double		phase;

		if (!(maker->calendar & 1u << w))
			continue;
		phase = turn * phase_of(1u << w, local);
		*out++ = sin(phase);
		*out++ = cos(phase);
	}
	if (maker->holidays != NULL)
		*out = holidays_have(maker->holidays, nn_floor_div(local, NN_DAY)) ? 1 : 0;
}

static const char *const *
columns_name(const Maker *maker)
{
	const NnSeries *series = &maker->data->series;
	const char **column = NN_NEW_ARRAY(maker->env, const char *, series->C + maker->made);
	uint32		n = series->C;

	memcpy(column, series->column, sizeof(char *) * n);
	for (size_t w = 0; w < lengthof(words); w++)
	{
		if (!(maker->calendar & 1u << w))
			continue;
		column[n++] = nn_format(maker->env, "calendar %s sine", words[w]);
		column[n++] = nn_format(maker->env, "calendar %s cosine", words[w]);
	}
	if (maker->holidays != NULL)
		column[n] = "holidays";
	return column;
}

/* first [nseries + 1] of the longer series. */
static const uint32_t *
rows_measure(const Maker *maker, uint32 ahead)
{
	const NnSeries *series = &maker->data->series;
	uint32_t   *first = NN_NEW_ARRAY(maker->env, uint32_t, series->nseries + 1);
	uint64		total = 0;

	for (uint32 s = 0; s < series->nseries; s++)
	{
		uint64		rows = series->first[s + 1] - series->first[s];

		total += Max(rows, (uint64) series->history[s] + ahead);
		if (total > SOURCE_MAX_ROWS)
			ereport(ERROR,
					(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
					 errmsg("rows of the source and %u steps ahead of each series are more than %d",
							ahead, SOURCE_MAX_ROWS),
					 errhint("Use a shorter horizon, or fewer rows.")));
		first[s + 1] = (uint32_t) total;
	}
	return first;
}

static void
series_make(const Maker *maker, const uint32_t *first, double *value, uint32 s)
{
	const NnSeries *series = &maker->data->series;
	uint32		C = series->C,
				given = series->first[s + 1] - series->first[s],
				rows = first[s + 1] - first[s];
	double	   *out = value + (size_t) first[s] * (C + maker->made);

	for (uint32 i = 0; i < rows; i++, out += C + maker->made)
	{
		if (i % POLL_ROWS == 0)
			CHECK_FOR_INTERRUPTS();
		if (i < given)
			memcpy(out, series->value + ((size_t) series->first[s] + i) * C, sizeof(double) * C);
		for (uint32 c = 0; i >= given && c < C; c++)
			out[c] = NAN;
		row_make(maker, s, i, out + C);
	}
}

void
features_add(const NnEnv *env, SourceData *data, uint32 calendar, const Holidays *holidays,
			 uint32 ahead)
{
	NnSeries   *series = &data->series;
	Maker		maker = {.env = env, .data = data, .calendar = calendar, .holidays = holidays};
	size_t		used = 0,
				values;
	const uint32_t *first;
	NnArray    *array;
	double	   *value;

	for (size_t w = 0; w < lengthof(words); w++)
		maker.made += calendar & 1u << w ? 2 : 0;
	maker.made += holidays != NULL;
	if (maker.made == 0)
		return;
	if (data->kind == NN_TIME_TIMESTAMPTZ && !nn_frequency_uses_local(&data->frequency))
		maker.zone = zone_find(data->zone);
	first = rows_measure(&maker, ahead);
	values = nn_size_mul(env, first[series->nseries], series->C + maker.made);
	source_account(&used, env->max_memory, nn_size_mul(env, values, sizeof(double)), data->rows);
	value = NN_NEW_ARRAY(env, double, values);
	for (uint32 s = 0; s < series->nseries; s++)
		series_make(&maker, first, value, s);
	array = nn_arrays_create(env, series, first[series->nseries]);
	for (uint32 s = 0; s < series->nseries; s++)
		nn_arrays_copy(array, first[s], series, series->first[s], series->first[s + 1] - series->first[s]);
	series->array = array;
	series->column = columns_name(&maker);
	series->first = first;
	series->value = value;
	series->C += maker.made;
	series->row_name_host = data;
	data->made += maker.made;
}

/* ------------------------------------------------------------------------
 * For training and forecasts
 */

void
features_train(const NnEnv *env, NnSpec *spec, SourceData *data)
{
	const Source how = {0};
	Holidays   *holidays = NULL;

	if (spec->calendar == NN_CALENDAR_AUTO)
		spec->calendar = features_choose(data);
	words_check(env, spec, data);
	if (spec->holidays[0] != '\0')
		holidays = holidays_read(env, spec->holidays, &how, data->zone);
	features_add(env, data, spec->calendar, holidays, spec->forecast_horizon);
	spec->nfuture += data->made;
}

void
features_forecast(const NnEnv *env, const NnSpec *spec, SourceData *data, const Source *how,
				  uint32 ahead)
{
	Holidays   *holidays = NULL;
	uint64		steps = ((uint64) ahead + spec->horizon - 1) / spec->horizon * spec->horizon;

	if (spec->holidays[0] != '\0')
		holidays = holidays_read(env, spec->holidays, how, data->zone);
	features_add(env, data, spec->calendar, holidays, (uint32) steps);
}
