/*
 * views_select.c
 *		The SELECTs of a model's views: history from its source, forecast computed or stored.
 *
 * Writes text from names and types, and knows neither rows nor the catalogue.  What is not
 * the source's own is qualified, so that it means the same under any search_path.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "common/int.h"
#include "utils/builtins.h"

#include "pg/views.h"

/* No bound beyond: timestamps cannot be that far apart. */
#define HISTORY_MAX_DAYS	INT64CONST(1461000)

#define CONCAT				" OPERATOR(pg_catalog.||) "

/* The name of a series as lstm.forecast gives it, from the columns of s. */
static void
series_expression(StringInfo text, const Source *source)
{
	int			n = source->roles.nseries;

	if (n == 0)
		appendStringInfoString(text, "NULL::pg_catalog.text");
	else if (n == 1)
		appendStringInfo(text, "(s.%s)::pg_catalog.text", quote_identifier(source->series[0].name));
	else
		for (int i = 0; i < n; i++)
			appendStringInfo(text, "%spg_catalog.regexp_replace((s.%s)::pg_catalog.text, "
							 "E'([/\\\\\\\\])', E'\\\\\\\\\\\\1', 'g')",
							 i > 0 ? CONCAT "'/'::pg_catalog.text" CONCAT : "",
							 quote_identifier(source->series[i].name));
}

/* What tells the lines of a chart apart: series, target or both, of the relation r. */
static void
metric_expression(StringInfo text, const Source *source, const char *r)
{
	if (source->roles.nseries == 0)
		appendStringInfo(text, "%s.target", r);
	else if (source->roles.ntargets == 1)
		appendStringInfo(text, "%s.series", r);
	else
		appendStringInfo(text, "%s.series" CONCAT "', '::pg_catalog.text" CONCAT "%s.target", r, r);
}

/* Each target as a row of (target, value). */
static void
targets_rows(StringInfo text, const Source *source)
{
	for (int k = 0; k < source->roles.ntargets; k++)
		appendStringInfo(text, "%s(%s::pg_catalog.text, (s.%s)%s::pg_catalog.float8)",
						 k > 0 ? ", " : "", quote_literal_cstr(source->roles.target[k]),
						 quote_identifier(source->value[k].name),
						 source->value[k].type == BOOLOID ? "::pg_catalog.int4" : "");
}

/* The span of so many steps as a literal; NULL: longer than time is. */
static char *
history_span(const NnFrequency *frequency, uint32 steps)
{
	int64		span;

	if (pg_mul_s64_overflow(frequency->count, steps, &span))
		return NULL;
	switch (frequency->unit)
	{
		case NN_UNIT_INTEGER:
			return psprintf("'" INT64_FORMAT "'::pg_catalog.int8", span);
		case NN_UNIT_MICROSECOND:
			if (span / USECS_PER_DAY > HISTORY_MAX_DAYS)
				return NULL;
			return psprintf("'" INT64_FORMAT ":%02d:%02d.%06d'::pg_catalog.interval",
							span / USECS_PER_HOUR, (int) (span % USECS_PER_HOUR / USECS_PER_MINUTE),
							(int) (span % USECS_PER_MINUTE / USECS_PER_SEC),
							(int) (span % USECS_PER_SEC));
		case NN_UNIT_BUSINESS_DAY:
			if (span > HISTORY_MAX_DAYS)
				return NULL;
			return psprintf("'" INT64_FORMAT " days'::pg_catalog.interval", (span * 7 + 4) / 5);
		case NN_UNIT_DAY:
			if (span > HISTORY_MAX_DAYS)
				return NULL;
			return psprintf("'" INT64_FORMAT " days'::pg_catalog.interval", span);
		case NN_UNIT_MONTH:
			break;
	}
	if (span > HISTORY_MAX_DAYS / 31)
		return NULL;
	return psprintf("'" INT64_FORMAT " months'::pg_catalog.interval", span);
}

/* Only the newest rows, counted from the newest of all that has a target. */
static void
history_bound(StringInfo text, const Views *views)
{
	const Source *source = views->source;
	const char *time = quote_identifier(source->time.name);
	char	   *span = views->history == 0 ? NULL :
		history_span(&views->trained->frequency, views->history);

	if (span == NULL)
		return;
	appendStringInfo(text, " AND s.%s OPERATOR(pg_catalog.>) "
					 "((SELECT pg_catalog.max(n.%s)%s FROM (\n%s\n) n WHERE ", time, time,
					 source->kind == NN_TIME_INTEGER ? "::pg_catalog.int8" : "",
					 source->query);
	for (int k = 0; k < source->roles.ntargets; k++)
		appendStringInfo(text, "%sn.%s IS NOT NULL", k > 0 ? " OR " : "",
						 quote_identifier(source->value[k].name));
	appendStringInfo(text, ") OPERATOR(pg_catalog.-) (%s))", span);
}

const char *
views_time_name(const Views *views)
{
	return views->source->kind == NN_TIME_INTEGER ? "index" : "time";
}

void
views_history_select(StringInfo text, const Views *views)
{
	const Source *source = views->source;
	const char *time = quote_identifier(views_time_name(views));

	appendStringInfo(text, "SELECT h.%s, ", time);
	metric_expression(text, source, "h");
	appendStringInfo(text, " AS metric, h.value, NULL::pg_catalog.float8 AS lower, "
					 "NULL::pg_catalog.float8 AS upper, 'history'::pg_catalog.text AS kind, "
					 "h.series, h.target\n"
					 "FROM (SELECT (s.%s)::%s AS %s, ", quote_identifier(source->time.name),
					 source->kind == NN_TIME_INTEGER ? "pg_catalog.int8" : "pg_catalog.timestamptz", time);
	appendStringInfoChar(text, '(');
	series_expression(text, source);
	appendStringInfo(text, ") COLLATE pg_catalog.\"default\" AS series, v.target, v.value\n"
					 "FROM (\n%s\n) s CROSS JOIN LATERAL (VALUES ", source->query);
	targets_rows(text, source);
	appendStringInfoString(text, ") v (target, value)\nWHERE v.value IS NOT NULL AND v.value "
						   "OPERATOR(pg_catalog.<>) 'NaN'::pg_catalog.float8");
	history_bound(text, views);
	appendStringInfoString(text, ") h");
}

/* Computed when the view is read. */
static void
forecast_source(StringInfo text, const Views *views)
{
	appendStringInfo(text, "(SELECT r.forecast_%s AS %s, r.series, r.target, r.forecast_value AS value, "
					 "r.prediction_interval_lower_bound AS lower, "
					 "r.prediction_interval_upper_bound AS upper\n"
					 "FROM lstm.forecast(%s::pg_catalog.text, ",
					 views->source->kind == NN_TIME_INTEGER ? "index" : "timestamp",
					 quote_identifier(views_time_name(views)), quote_literal_cstr(views->model));
	if (views->horizon > 0)
		appendStringInfo(text, "horizon => %u, ", views->horizon);
	appendStringInfo(text, "confidence_level => '%.17g'::pg_catalog.float8) r)", views->level);
}

/*
 * The newest stored forecast of each series and target: that of the latest origin; where
 * several versions have forecast from it, that of the deployed one, else of the latest.
 */
static void
stored_source(StringInfo text, const Views *views)
{
	bool		whole = views->source->kind == NN_TIME_INTEGER;
	const char *issued = whole ? "issued_index" : "issued_at",
			   *model = quote_literal_cstr(views->model);

	appendStringInfo(text, "(SELECT r.forecast_%s AS %s, "
					 "r.series COLLATE pg_catalog.\"default\" AS series, "
					 "r.target COLLATE pg_catalog.\"default\" AS target, r.value, r.lower, r.upper\n"
					 "FROM lstm.forecasts r JOIN (\n"
					 "SELECT coalesce(n.series, '') AS series, n.target, "
					 "pg_catalog.max(n.%s) AS issued\n"
					 "FROM lstm.forecasts n WHERE n.model" VIEWS_EQ "%s\n"
					 "GROUP BY coalesce(n.series, ''), n.target) n\n"
					 "ON coalesce(r.series, '')" VIEWS_EQ "n.series AND r.target" VIEWS_EQ "n.target "
					 "AND r.%s" VIEWS_EQ "n.issued\n"
					 "LEFT JOIN lstm.models d ON d.name" VIEWS_EQ "r.model AND d.deployed\n"
					 "WHERE r.model" VIEWS_EQ "%s",
					 whole ? "index" : "timestamp", quote_identifier(views_time_name(views)), issued, model,
					 issued, model);
	if (views->horizon > 0)
		appendStringInfo(text, " AND r.step OPERATOR(pg_catalog.<=) %u", views->horizon);
	appendStringInfo(text, "\nAND NOT EXISTS (SELECT FROM lstm.forecasts o WHERE o.model" VIEWS_EQ "%s "
					 "AND o.target" VIEWS_EQ "r.target "
					 "AND coalesce(o.series, '')" VIEWS_EQ "coalesce(r.series, '') "
					 "AND o.%s" VIEWS_EQ "r.%s "
					 "AND ROW(coalesce(o.version" VIEWS_EQ "d.version, false), o.version) "
					 "OPERATOR(pg_catalog.>) "
					 "ROW(coalesce(r.version" VIEWS_EQ "d.version, false), r.version)))",
					 model, issued, issued);
}

void
views_forecast_select(StringInfo text, const Views *views)
{
	appendStringInfo(text, "SELECT f.%s, ", quote_identifier(views_time_name(views)));
	metric_expression(text, views->source, "f");
	appendStringInfoString(text, ", f.value, f.lower, f.upper, 'forecast'::pg_catalog.text, "
						   "f.series, f.target\nFROM ");
	if (views->stored)
		stored_source(text, views);
	else
		forecast_source(text, views);
	appendStringInfoString(text, " f");
}
