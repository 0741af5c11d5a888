/*
 * source_zone.c
 *		Time zones, times as text, and the search path.
 *
 * An instant is PostgreSQL's timestamptz: microseconds of UTC since 2000-01-01.
 * A local time is what a clock in the zone shows, in the same unit.  One
 * conversion costs about 0.1 microseconds (zone_local, zone_instant); by name it
 * costs a hash lookup more.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "common/int.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "pg/source_parts.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/datetime.h"
#include "utils/guc.h"
#include "utils/timestamp.h"
#include "utils/varlena.h"

/* The zone of that name; NULL: the session's. */
pg_tz *
zone_find(const char *name)
{
	pg_tz	   *zone = name == NULL ? session_timezone : pg_tzset(name);

	if (zone == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("time zone \"%s\" not recognized", name),
				 errhint("See pg_timezone_names for the zones that this server knows.")));
	return zone;
}

static __attribute__((noreturn)) void
time_refuse(void)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
			 errmsg("timestamp out of range")));
}

int64
zone_local(pg_tz *zone, TimestampTz instant)
{
	const int64 epoch = (int64) (POSTGRES_EPOCH_JDATE - UNIX_EPOCH_JDATE) * SECS_PER_DAY;
	int64		seconds = instant / USECS_PER_SEC;
	pg_time_t	unix_time;
	struct pg_tm *tm;
	int64		local;

	if (instant % USECS_PER_SEC < 0)
		seconds--;
	unix_time = (pg_time_t) (seconds + epoch);
	tm = pg_localtime(&unix_time, zone);
	if (tm == NULL || pg_add_s64_overflow(instant, (int64) tm->tm_gmtoff * USECS_PER_SEC, &local))
		time_refuse();
	return local;
}

/*
 * PostgreSQL takes the time before a clock is set forward as it is and reads a
 * time that a clock shows twice as the later one; here the earlier one counts,
 * so the instants of ascending local times ascend.
 */
TimestampTz
zone_instant(pg_tz *zone, int64 local)
{
	struct pg_tm tm;
	fsec_t		fsec;
	int			tz;
	TimestampTz instant,
				earlier;
	int64		offset;

	if (timestamp2tm(local, NULL, &tm, &fsec, NULL, NULL) != 0)
		time_refuse();
	tz = DetermineTimeZoneOffset(&tm, zone);
	if (tm2timestamp(&tm, fsec, &tz, &instant) != 0)
		time_refuse();

	if (!IS_VALID_TIMESTAMP(instant - USECS_PER_DAY))
		return instant;
	offset = zone_local(zone, instant - USECS_PER_DAY) - (instant - USECS_PER_DAY);
	earlier = local - offset;
	if (earlier < instant && zone_local(zone, earlier) == local)
		return earlier;
	return instant;
}

int64
zone_to_local(const char *zone, TimestampTz instant)
{
	return zone_local(zone_find(zone), instant);
}

TimestampTz
zone_to_instant(const char *zone, int64 local)
{
	return zone_instant(zone_find(zone), local);
}

/* Printed as the session prints such a column. */
const char *
source_time_text(NnTimeKind kind, int64 time)
{
	int64		days;

	switch (kind)
	{
		case NN_TIME_TIMESTAMPTZ:
			return DatumGetCString(DirectFunctionCall1(timestamptz_out, TimestampTzGetDatum(time)));
		case NN_TIME_TIMESTAMP:
			return DatumGetCString(DirectFunctionCall1(timestamp_out, TimestampGetDatum(time)));
		case NN_TIME_DATE:
			days = time / USECS_PER_DAY - (time % USECS_PER_DAY < 0);
			return DatumGetCString(DirectFunctionCall1(date_out, DateADTGetDatum((DateADT) days)));
		case NN_TIME_INTEGER:
			break;
	}
	return psprintf(INT64_FORMAT, time);
}

int64
source_time(const SourceData *data, uint32 s, int64 index)
{
	int64		time;

	if (!nn_grid_time(&data->frequency, data->origin[s], index, &time) ||
		(data->kind != NN_TIME_INTEGER && !IS_VALID_TIMESTAMP(time)))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("time of step " INT64_FORMAT " after the first row that was read is out of range",
						index)));
	return time;
}

TimestampTz
source_instant(const SourceData *data, uint32 s, int64 index)
{
	int64		time = source_time(data, s, index);

	if (data->kind == NN_TIME_INTEGER)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("an integer time column has no timestamps")));
	if (data->kind == NN_TIME_TIMESTAMPTZ && !nn_frequency_uses_local(&data->frequency))
		return time;
	return zone_to_instant(data->zone, time);
}

char *
search_path_current(void)
{
	char	   *raw = pstrdup(namespace_search_path);
	StringInfoData path;
	List	   *names;
	ListCell   *cell;

	if (!SplitIdentifierString(raw, ',', &names))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("invalid value for parameter \"search_path\": \"%s\"",
						namespace_search_path)));
	initStringInfo(&path);
	foreach(cell, names)
	{
		const char *name = lfirst(cell);

		if (strcmp(name, "$user") == 0)
			name = GetUserNameFromId(GetUserId(), false);
		appendStringInfo(&path, "%s%s", path.len == 0 ? "" : ", ", quote_identifier(name));
	}
	return path.data;
}

SearchPathGuard
search_path_push(const char *path, const char *zone)
{
	SearchPathGuard guard = {-1};

	if (path == NULL && zone == NULL)
		return guard;
	guard.nest_level = NewGUCNestLevel();
	/* Within a fence (grants.h) no temporary table of the caller's stands in for one that was meant. */
	if (path != NULL && InSecurityRestrictedOperation() && strstr(path, "pg_temp") == NULL)
		path = psprintf("%s%spg_temp", path, path[0] == '\0' ? "" : ", ");
	if (path != NULL)
		(void) set_config_option("search_path", path, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	if (zone != NULL && pg_tzset(zone) != NULL)
		(void) set_config_option("TimeZone", zone, PGC_USERSET, PGC_S_SESSION,
								 GUC_ACTION_SAVE, true, 0, false);
	return guard;
}

void
search_path_pop(SearchPathGuard guard)
{
	if (guard.nest_level >= 0)
		AtEOXact_GUC(true, guard.nest_level);
}
