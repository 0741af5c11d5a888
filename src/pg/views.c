/*
 * views.c
 *		lstm.create_views: a model's history and forecast as views for dashboards.
 *
 * Writes SQL and lets the server make the views, with the caller's rights, so privileges
 * and ownership are PostgreSQL's.  The history is the model's stored source itself, not a
 * copy: filters on time reach its tables and their indexes.  Knows columns and no rows;
 * costs a few catalogue rows, whatever the size of the source.
 *
 * The statements run under the stored search_path and time zone of the source, so that its
 * names mean what they meant; names of our own are qualified everywhere.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "common/hashfn.h"
#include "common/int.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

#include "pg/env.h"
#include "pg/joint_model.h"
#include "pg/model_run.h"
#include "pg/source_session.h"

PG_FUNCTION_INFO_V1(lstm_create_views);

enum
{
	ARG_MODEL, ARG_SCHEMA, ARG_NAME, ARG_LEVEL, ARG_HORIZON, ARG_HISTORY, ARG_STORED
};

/* No bound beyond: timestamps cannot be that far apart. */
#define HISTORY_MAX_DAYS	INT64CONST(1461000)

#define NAME_BYTES			(NAMEDATALEN - 1)

/* Whatever the search_path: operators of the server. */
#define EQ			" OPERATOR(pg_catalog.=) "
#define CONCAT		" OPERATOR(pg_catalog.||) "

typedef struct Views
{
	NnEnv	   *env;
	const char *model;
	const RegistryRow *lender;	/* whose stored source is read */
	const NnModel *trained;		/* the model; of a joint one its first member */
	Source	   *source;
	const char *schema,
			   *name;
	double		level;
	uint32		horizon;		/* 0: the model's own */
	uint32		history;		/* steps; 0: all */
	bool		stored;
	ReturnSetInfo *result;
} Views;

/* A column of a view, and what its comment says. */
typedef struct ViewColumn
{
	const char *name,
			   *comment;
} ViewColumn;

/* ------------------------------------------------------------------------
 * Arguments
 */

/* The schema that was named, or the caller's current one. */
static char *
views_schema(char *named)
{
	List	   *path;
	char	   *schema = NULL;

	if (named != NULL)
		return named;
	path = fetch_search_path(false);
	if (path != NIL)
		schema = get_namespace_name(linitial_oid(path));
	if (schema == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_SCHEMA_NAME),
				 errmsg("no schema of the search_path is there"),
				 errhint("Name one as argument \"schema\".")));
	return schema;
}

static char *
views_name(char *named, const char *model)
{
	if (named == NULL)
		return pstrdup(model);
	if (*named == '\0' || strlen(named) > NAME_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("\"%s\" is no name of a view: it has %zu bytes", named, strlen(named)),
				 errhint("Give a name of 1 to %d bytes as argument \"name\".", NAME_BYTES)));
	return named;
}

/*
 * name and suffix, in NAME_BYTES.  A name that is too long is cut and marked by its hash, so
 * that two long names that begin alike stay two.
 */
static char *
name_extend(const char *name, const char *suffix)
{
	int			length = (int) strlen(name),
				room = NAME_BYTES - (int) strlen(suffix);
	char		mark[10] = "";

	if (length > room)
	{
		snprintf(mark, sizeof(mark), "_%08x", hash_bytes((const unsigned char *) name, length));
		length = pg_mbcliplen(name, length, room - (int) strlen(mark));
	}
	return psprintf("%.*s%s%s", length, name, mark, suffix);
}

static void
views_find_model(Views *views)
{
	RegistryRow *row = registry_find(views->model, 0);
	JointModel *joint = row->joint ? joint_read(views->env, row) : NULL;

	views->lender = row;
	if (joint != NULL)
	{
		RegistryRow *first = registry_get(joint->member[0].name, joint->member[0].version);

		views->trained = first->model;
		if (row->source == NULL)
			views->lender = first;
	}
	else
	{
		views->trained = row->model;
		if (views->horizon > 0)
			nn_forecast_check(views->env, &row->model->spec, views->horizon);
	}
	if (views->lender->source == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" has no source of its own, which a view would show", views->model),
				 errhint("lstm.train keeps the source that it is given.")));
	model_run_source_check(views->lender,
						   "Its owner can make the views, and GRANT SELECT on them.");
}

/* Columns of the stored source, as they are now. */
static void
views_bind(Views *views)
{
	const NnModel *model = views->trained;
	SourceRoles roles = {.time_column = model->time_column,.raster = model->geom_column};
	const char *zone = model->zone[0] ? model->zone : NULL;
	SearchPathGuard guard = search_path_push(views->lender->search_path, zone);

	roles.ntargets = (int) model->spec.ntargets;
	roles.target = model->target;
	roles.nseries = (int) model->nseries_columns;
	roles.series = model->nseries_columns > 0 ? model->series_column : NULL;
	views->source = source_bind(views->lender->source, &roles, model->time_kind, true);
	if (zone != NULL && source_asks_session_zone(views->source->query))
		ereport(NOTICE,
				(errmsg("the source of model \"%s\" depends on the time zone of the session",
						views->model),
				 errdetail("Training and forecasts run it in \"%s\", the view in that of who reads it.",
						   zone),
				 errhint("Name the zone in the source (AT TIME ZONE), or give readers that zone: "
						 "ALTER ROLE ... SET TimeZone.")));
	search_path_pop(guard);
}

/* ------------------------------------------------------------------------
 * The SELECTs
 */

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

static const char *
time_name(const Views *views)
{
	return views->source->kind == NN_TIME_INTEGER ? "index" : "time";
}

static void
history_select(StringInfo text, const Views *views)
{
	const Source *source = views->source;
	const char *time = quote_identifier(time_name(views));

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
					 quote_identifier(time_name(views)), quote_literal_cstr(views->model));
	if (views->horizon > 0)
		appendStringInfo(text, "horizon => %u, ", views->horizon);
	appendStringInfo(text, "confidence_level => '%.17g'::pg_catalog.float8) r)", views->level);
}

/*
 * The newest stored forecast of each series and target: that of the latest origin; of those
 * from one origin (by several versions) that of the deployed one, else the one written last.
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
					 "FROM lstm.forecasts n WHERE n.model" EQ "%s\n"
					 "GROUP BY coalesce(n.series, ''), n.target) n\n"
					 "ON coalesce(r.series, '')" EQ "n.series AND r.target" EQ "n.target "
					 "AND r.%s" EQ "n.issued\n"
					 "LEFT JOIN lstm.models d ON d.name" EQ "r.model AND d.deployed\n"
					 "WHERE r.model" EQ "%s",
					 whole ? "index" : "timestamp", quote_identifier(time_name(views)), issued, model,
					 issued, model);
	if (views->horizon > 0)
		appendStringInfo(text, " AND r.step OPERATOR(pg_catalog.<=) %u", views->horizon);
	appendStringInfo(text, "\nAND NOT EXISTS (SELECT FROM lstm.forecasts o WHERE o.model" EQ "%s "
					 "AND o.target" EQ "r.target AND coalesce(o.series, '')" EQ "coalesce(r.series, '') "
					 "AND o.%s" EQ "r.%s AND o.step" EQ "r.step "
					 "AND ROW(coalesce(o.version" EQ "d.version, false), o.written_at, o.version) "
					 "OPERATOR(pg_catalog.>) ROW(coalesce(r.version" EQ "d.version, false), r.written_at, "
					 "r.version)))",
					 model, issued, issued);
}

static void
forecast_select(StringInfo text, const Views *views)
{
	appendStringInfo(text, "SELECT f.%s, ", quote_identifier(time_name(views)));
	metric_expression(text, views->source, "f");
	appendStringInfoString(text, ", f.value, f.lower, f.upper, 'forecast'::pg_catalog.text, "
						   "f.series, f.target\nFROM ");
	if (views->stored)
		stored_source(text, views);
	else
		forecast_source(text, views);
	appendStringInfoString(text, " f");
}

/* ------------------------------------------------------------------------
 * Making a view
 */

/* The first line of our views' comments, by which they are known again. */
static char *
view_mark(const Views *views)
{
	return psprintf("Made by lstm.create_views for model \"%s\".\n", views->model);
}

static char *
view_qualified(const Views *views, const char *name)
{
	return quote_qualified_identifier(views->schema, name);
}

/* Refuses to replace what is not ours: another's view, or any that we did not make for this model. */
static void
view_check(const Views *views, Oid relation, const char *name)
{
	char	   *mark = view_mark(views),
			   *comment = GetComment(relation, RelationRelationId, 0);
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		return;
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	if (((Form_pg_class) GETSTRUCT(tuple))->relkind != RELKIND_VIEW || comment == NULL ||
		strncmp(comment, mark, strlen(mark)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_TABLE),
				 errmsg("%s is there, and is no view that lstm.create_views made for model \"%s\"",
						view_qualified(views, name), views->model),
				 errhint("Give another name as argument \"name\".")));
	/* A superuser may replace anyone's view; readers of it trust its owner, who would not know. */
	if (owner != GetUserId())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("view %s belongs to role \"%s\"", view_qualified(views, name),
						GetUserNameFromId(owner, true)),
				 errhint("SET ROLE to its owner, or give another name as argument \"name\".")));
	ReleaseSysCache(tuple);
}

/*
 * NULL: there is no such relation.  Otherwise it is our view, locked, and these are its
 * options (security_invoker), which replacing it would take away: "" or "WITH (...) ".
 */
static char *
view_find(const Views *views, const char *name)
{
	Oid			schema = get_namespace_oid(views->schema, true),
				relation = OidIsValid(schema) ? get_relname_relid(name, schema) : InvalidOid;
	char	   *options = "";
	HeapTuple	tuple;

	if (!OidIsValid(relation))
		return NULL;
	view_check(views, relation, name);
	LockRelationOid(relation, AccessExclusiveLock);
	view_check(views, relation, name);
	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	if (!HeapTupleIsValid(tuple))
		return NULL;
	if (!heap_attisnull(tuple, Anum_pg_class_reloptions, NULL))
	{
		bool		isnull;
		Datum		value = SysCacheGetAttr(RELOID, tuple, Anum_pg_class_reloptions, &isnull),
				   *option;
		int			n;
		StringInfoData with;

		initStringInfo(&with);
		deconstruct_array(DatumGetArrayTypeP(value), TEXTOID, -1, false, TYPALIGN_INT, &option, NULL,
						  &n);
		for (int i = 0; i < n; i++)
			appendStringInfo(&with, "%s%s", i > 0 ? ", " : "WITH (", TextDatumGetCString(option[i]));
		appendStringInfoString(&with, ") ");
		options = with.data;
	}
	ReleaseSysCache(tuple);
	return options;
}

static void
views_run(const char *statement)
{
	int			code = SPI_execute(statement, false, 0);

	if (code < 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("statement on a view failed: %s", SPI_result_code_string(code))));
}

/* A view keeps its columns: what to do where the model has others now. */
static void
columns_hint(void *name)
{
	if (geterrcode() == ERRCODE_INVALID_TABLE_DEFINITION)
		errhint("If the model's columns have changed, DROP VIEW %s CASCADE and call "
				"lstm.create_views again.", (char *) name);
}

static void
view_comment(const char *view, const char *comment, const ViewColumn *column, int ncolumns)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, "COMMENT ON VIEW %s IS %s", view, quote_literal_cstr(comment));
	for (int i = 0; i < ncolumns; i++)
		appendStringInfo(&text, "; COMMENT ON COLUMN %s.%s IS %s", view,
						 quote_identifier(column[i].name), quote_literal_cstr(column[i].comment));
	views_run(text.data);
}

/* Makes one view, comments on it and on its columns, and reports it. */
static void
view_make(const Views *views, const char *name, const char *select, const char *about,
		  const ViewColumn *column, int ncolumns)
{
	char	   *view = view_qualified(views, name),
			   *options = view_find(views, name);
	ErrorContextCallback context = {.callback = columns_hint,.arg = view,
	.previous = error_context_stack};
	StringInfoData text,
				columns;
	Datum		values[2];
	bool		nulls[2] = {false};

	initStringInfo(&text);
	initStringInfo(&columns);
	for (int i = 0; i < ncolumns; i++)
		appendStringInfo(&columns, "%s%s", i > 0 ? ", " : "", quote_identifier(column[i].name));
	appendStringInfo(&text, "CREATE %sVIEW %s (%s) %sAS\n%s", options ? "OR REPLACE " : "", view,
					 columns.data, options ? options : "", select);
	error_context_stack = &context;
	views_run(text.data);
	error_context_stack = context.previous;
	view_comment(view, psprintf("%s%s", view_mark(views), about), column, ncolumns);

	values[0] = CStringGetTextDatum(view);
	values[1] = CStringGetTextDatum(columns.data);
	result_put(views->result, values, nulls);
}

/* ------------------------------------------------------------------------
 * The views
 */

static const char *const SERIES_ABOUT = "series, NULL where the model has one";

static char *
time_about(const Views *views)
{
	return psprintf("time of the row, column %s of the source",
					quote_identifier(views->source->time.name));
}

static char *
percent(double level)
{
	return psprintf("%.10g %%", 100 * level);
}

static void
view_plain(const Views *views)
{
	StringInfoData select;
	char	   *inside = percent(views->level),
			   *about,
			   *steps;
	const ViewColumn column[] = {
		{time_name(views), time_about(views)},
		{"metric", views->source->roles.nseries == 0 ? "name of the line: the target" :
			views->source->roles.ntargets == 1 ? "name of the line: the series" :
		"name of the line: series and target"},
		{"value", "value that was observed, or its forecast, in units of the target"},
		{"lower", views->stored ? "lower bound of the forecast's interval; NULL in the history" :
		psprintf("lower bound of the %s interval; NULL in the history", inside)},
		{"upper", views->stored ? "upper bound of the forecast's interval; NULL in the history" :
		psprintf("upper bound of the %s interval; NULL in the history", inside)},
		{"kind", "history or forecast"},
		{"series", SERIES_ABOUT},
		{"target", "column of the source that is forecast"},
	};

	steps = views->history > 0 ? psprintf("the newest %u steps", views->history) :
		pstrdup("all rows");
	about = views->stored ?
		psprintf("History (%s of the source) and the newest stored forecast (lstm.refresh_forecasts).",
				 steps) :
		psprintf("History (%s of the source) and forecast, computed when it is read; "
				 "WHERE kind = 'history' computes none.", steps);
	initStringInfo(&select);
	history_select(&select, views);
	appendStringInfoString(&select, "\nUNION ALL\n");
	forecast_select(&select, views);
	view_make(views, views->name, select.data, about, column, lengthof(column));
}

/* Prophet's words: y is what was observed, yhat its forecast. */
static void
view_prophet(const Views *views)
{
	char	   *plain = view_qualified(views, views->name);
	char	   *select = psprintf("SELECT p.\"time\", "
								  "CASE WHEN p.kind" EQ "'history' THEN p.value END, "
								  "CASE WHEN p.kind" EQ "'forecast' THEN p.value END, "
								  "p.lower, p.upper, p.metric, p.series, p.target FROM %s p", plain);
	const ViewColumn column[] = {
		{"ds", "time of the row"},
		{"y", "value that was observed; NULL in the forecast"},
		{"yhat", "forecast; NULL in the history"},
		{"yhat_lower", "lower bound of the interval"},
		{"yhat_upper", "upper bound of the interval"},
		{"metric", "name of the line"},
		{"series", SERIES_ABOUT},
		{"target", "column of the source that is forecast"},
	};

	view_make(views, name_extend(views->name, "_prophet"), select,
			  psprintf("View %s in the words of Prophet.", plain), column, lengthof(column));
}

static bool
column_taken(const ViewColumn *column, int ncolumns, const char *name)
{
	for (int i = 0; i < ncolumns; i++)
		if (strcmp(column[i].name, name) == 0)
			return true;
	return false;
}

/* Superset tells the parts of a forecast by what their names end in. */
static const char *const superset_suffix[] = {"", "__yhat", "__yhat_lower", "__yhat_upper"};
static const char *const superset_select[] = {
	"p.value) FILTER (WHERE p.kind" EQ "'history'",
	"p.value) FILTER (WHERE p.kind" EQ "'forecast'",
	"p.lower) FILTER (WHERE p.kind" EQ "'forecast'",
	"p.upper) FILTER (WHERE p.kind" EQ "'forecast'",
};
static const char *const superset_about[] = {
	"observed", "forecast", "lower bound of the forecast's interval",
	"upper bound of the forecast's interval"
};

/*
 * What the columns of a target begin with: its name, short enough for every suffix, and
 * numbered where columns of other targets are called so.
 */
static char *
superset_stem(const char *target, const ViewColumn *column, int ncolumns)
{
	for (int number = 1;; number++)
	{
		char	   *tail = number > 1 ? psprintf("_%d", number) : "",
				   *stem = name_extend(target, psprintf("%s__yhat_upper", tail));
		bool		taken = false;

		/* Only the stem and its number are wanted. */
		stem[strlen(stem) - strlen("__yhat_upper")] = '\0';
		for (size_t i = 0; i < lengthof(superset_suffix); i++)
			taken = taken || column_taken(column, ncolumns, psprintf("%s%s", stem, superset_suffix[i]));
		if (!taken)
			return stem;
	}
}

static void
view_superset(const Views *views)
{
	const SourceRoles *roles = &views->source->roles;
	char	   *plain = view_qualified(views, views->name);
	ViewColumn *column = palloc(sizeof(ViewColumn) *
								(2 + lengthof(superset_suffix) * (size_t) roles->ntargets));
	int			n = 0;
	StringInfoData select;

	initStringInfo(&select);
	appendStringInfoString(&select, "SELECT p.\"time\", p.series");
	column[n++] = (ViewColumn) {"__timestamp", "time of the row"};
	column[n++] = (ViewColumn) {"series", SERIES_ABOUT};
	for (int k = 0; k < roles->ntargets; k++)
	{
		char	   *stem = superset_stem(roles->target[k], column, n);

		for (size_t i = 0; i < lengthof(superset_suffix); i++)
		{
			appendStringInfo(&select, ", pg_catalog.max(%s AND p.target" EQ "%s)",
							 superset_select[i], quote_literal_cstr(roles->target[k]));
			column[n++] = (ViewColumn) {psprintf("%s%s", stem, superset_suffix[i]),
				psprintf("%s: %s", roles->target[k], superset_about[i])};
		}
	}
	appendStringInfo(&select, "\nFROM %s p GROUP BY p.\"time\", p.series", plain);
	view_make(views, name_extend(views->name, "_superset"), select.data,
			  psprintf("View %s with a row per time, in the words of Superset's forecasts.", plain),
			  column, n);
}

static void
views_make(const Views *views)
{
	const NnModel *model = views->trained;
	int			nest_level = registry_begin();
	SearchPathGuard guard = search_path_push(views->lender->search_path,
											 model->zone[0] ? model->zone : NULL);

	view_plain(views);
	if (views->source->kind == NN_TIME_INTEGER)
		ereport(NOTICE,
				(errmsg("only view %s is made, as the times of model \"%s\" are integers",
						view_qualified(views, views->name), views->model),
				 errdetail("The views for Superset and Prophet have timestamps.")));
	else
	{
		view_superset(views);
		view_prophet(views);
	}
	search_path_pop(guard);
	registry_end(nest_level);
}

static bool
argument_stored(FunctionCallInfo fcinfo)
{
	if (PG_ARGISNULL(ARG_STORED))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"stored\" must not be null")));
	return PG_GETARG_BOOL(ARG_STORED);
}

/* A number of steps, NULL: 0. */
static uint32
argument_history(FunctionCallInfo fcinfo)
{
	int32		steps = PG_ARGISNULL(ARG_HISTORY) ? 1 : PG_GETARG_INT32(ARG_HISTORY);

	if (steps < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("history must be at least 1 step, not %d", steps),
				 errhint("NULL shows all rows of the source.")));
	return PG_ARGISNULL(ARG_HISTORY) ? 0 : (uint32) steps;
}

/* Stored forecasts have the level that they were stored with. */
static double
views_level(FunctionCallInfo fcinfo, bool stored)
{
	if (PG_ARGISNULL(ARG_LEVEL))
		return 0.95;
	if (stored)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("stored forecasts have a confidence level already"),
				 errhint("Give confidence_level to lstm.refresh_forecasts, and leave it out here.")));
	return argument_level(fcinfo, ARG_LEVEL);
}

Datum
lstm_create_views(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = result_begin(fcinfo);
	CallMemory	memory = call_memory_begin();
	Views		views = {.env = env_create(memory.own),.result = result,
		.model = argument_text_required(fcinfo, ARG_MODEL, "model"),
		.horizon = argument_steps(fcinfo, ARG_HORIZON, "horizon", 0),
		.history = argument_history(fcinfo),
	.stored = argument_stored(fcinfo)};

	views.level = views_level(fcinfo, views.stored);
	views.schema = views_schema(argument_text(fcinfo, ARG_SCHEMA));
	views.name = views_name(argument_text(fcinfo, ARG_NAME), views.model);
	views_find_model(&views);
	views_bind(&views);
	views_make(&views);
	call_memory_end(memory);
	return (Datum) 0;
}
