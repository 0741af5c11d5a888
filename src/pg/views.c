/*
 * views.c
 *		lstm.create_views: a model's history and forecast as views for dashboards.
 *
 * Writes SQL and lets the server make the views, with the caller's rights, so privileges
 * and ownership are PostgreSQL's.  The history is the model's stored source itself, not a
 * copy: filters on a timestamptz reach its tables and their indexes.  Knows columns and no
 * rows; costs a few catalogue rows, whatever the size of the source.  A model with future
 * covariates costs a forecast besides, to tell whether its view can have one.
 *
 * What a view was made with stands in its comment, from where it is taken when the view is
 * made again.
 *
 * The statements run under the stored search_path and time zone of the source, so that its
 * names mean what they meant; names of our own are qualified everywhere.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "access/xact.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/comment.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "storage/lmgr.h"
#include "tcop/utility.h"
#include "utils/acl.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/float.h"
#include "utils/lsyscache.h"
#include "utils/resowner.h"
#include "utils/syscache.h"

#include "pg/env.h"
#include "pg/joint_model.h"
#include "pg/model_run.h"
#include "pg/source_session.h"
#include "pg/views.h"

PG_FUNCTION_INFO_V1(lstm_create_views);

enum
{
	ARG_MODEL, ARG_SCHEMA, ARG_NAME, ARG_LEVEL, ARG_HORIZON, ARG_HISTORY, ARG_STORED
};

#define NAME_BYTES			(NAMEDATALEN - 1)

#define DEFAULT_HISTORY		1000
#define DEFAULT_LEVEL		0.95

/* Our views' comments: MARK, the model, MARK_END, what the view shows, ARGUMENTS and these. */
#define MARK				"Made by lstm.create_views for model \""
#define MARK_END			"\".\n"
#define ARGUMENTS			"\nArguments: "

/* A column of a view, and what its comment says. */
typedef struct ViewColumn
{
	const char *name,
			   *comment;
} ViewColumn;

/* ------------------------------------------------------------------------
 * Arguments
 */

/* The schema that was named, or the caller's current one; he may create in it. */
static const char *
views_schema(const char *named, Oid *oid)
{
	const char *schema = named;
	List	   *path = named == NULL ? fetch_search_path(false) : NIL;

	if (path != NIL)
		schema = get_namespace_name(linitial_oid(path));
	if (schema == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_SCHEMA_NAME),
				 errmsg("no schema has been selected to create in"),
				 errhint("Name one as argument \"schema\".")));
	*oid = LookupCreationNamespace(schema);
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

/* Future covariates that somebody has to know. */
static bool
has_future(const NnModel *model)
{
	return model->spec.nfuture > nn_future_made(&model->spec);
}

static void
views_find_model(Views *views)
{
	RegistryRow *row = registry_find(views->model, 0);
	JointModel *joint = row->joint ? joint_read(views->env, row) : NULL;

	views->lender = row;
	views->joint = joint != NULL;
	if (joint != NULL)
	{
		RegistryRow *first = registry_get(joint->member[0].name, joint->member[0].version);

		views->trained = first->model;
		if (row->source == NULL)
			views->lender = first;
		for (uint32 m = 0; m < joint->nmembers && !views->future; m++)
			views->future = has_future(registry_get(joint->member[m].name,
													joint->member[m].version)->model);
	}
	else
	{
		views->trained = row->model;
		views->future = has_future(row->model);
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
 * Making a view
 */

/* The first line of our views' comments, by which they are known again. */
static char *
view_mark(const char *model)
{
	return psprintf(MARK "%s" MARK_END, model);
}

static char *
view_qualified(const Views *views, const char *name)
{
	return quote_qualified_identifier(views->schema, name);
}

/* Does the caller see a model of that name? */
static bool
model_seen(const char *name)
{
	Oid			type = TEXTOID;
	Datum		value = CStringGetTextDatum(name);
	int			nest_level = registry_begin();
	bool		seen = registry_run("SELECT FROM lstm.models WHERE name = $1 LIMIT 1", 1, &type,
									&value, NULL, false) > 0;

	registry_end(nest_level);
	return seen;
}

/* Has it our mark, for this model or for one that is gone: dropped, or called otherwise? */
static bool
comment_is_ours(const Views *views, const char *comment)
{
	char	   *mark = view_mark(views->model);
	const char *end;

	if (comment == NULL || strncmp(comment, MARK, strlen(MARK)) != 0)
		return false;
	if (strncmp(comment, mark, strlen(mark)) == 0)
		return true;
	end = strstr(comment, MARK_END);
	return end != NULL &&
		!model_seen(pnstrdup(comment + strlen(MARK), end - comment - strlen(MARK)));
}

/* Refuses to replace what is not ours: another's view, or any that we did not make for this model. */
static void
view_check(const Views *views, Oid relation, const char *name)
{
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relation));
	Oid			owner;
	char		kind;

	if (!HeapTupleIsValid(tuple))
		return;
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	kind = ((Form_pg_class) GETSTRUCT(tuple))->relkind;
	ReleaseSysCache(tuple);
	if (kind != RELKIND_VIEW ||
		!comment_is_ours(views, GetComment(relation, RelationRelationId, 0)))
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
}

/*
 * NULL: there is no such relation.  Otherwise it is our view, locked, and these are its
 * options (security_invoker), which replacing it would take away: "" or "WITH (...) ".
 */
static char *
view_find(const Views *views, const char *name)
{
	Oid			relation = get_relname_relid(name, views->schema_oid);
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

/* Takes the statement, which the caller has not written, out of the context of an error. */
static void
error_hide_statement(ErrorData *error, const char *statement)
{
	char	   *shown = error->context ? strstr(error->context, statement) : NULL,
			   *rest;

	error->internalquery = NULL;
	error->internalpos = 0;
	if (shown == NULL)
		return;
	/* What called it stands in the lines after it. */
	rest = strchr(shown + strlen(statement), '\n');
	error->context = rest ? rest + 1 : NULL;
}

/* A view keeps its columns: a hint says what to do where the model has others now. */
static void
views_run(const char *statement, const char *view)
{
	MemoryContext context = CurrentMemoryContext;

	PG_TRY();
	{
		int			code = SPI_execute(statement, false, 0);

		if (code < 0)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("statement on a view failed: %s", SPI_result_code_string(code))));
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		error_hide_statement(error, statement);
		if (error->sqlerrcode == ERRCODE_INVALID_TABLE_DEFINITION)
			error->hint = psprintf("If the model's columns have changed, DROP VIEW %s CASCADE and call "
								   "lstm.create_views again.", view);
		ReThrowError(error);
	}
	PG_END_TRY();
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
	views_run(text.data, view);
}

/* Makes one view, comments on it and on its columns, and reports it. */
static void
view_make(const Views *views, const char *name, const char *select, const char *about,
		  const ViewColumn *column, int ncolumns)
{
	char	   *view = view_qualified(views, name),
			   *options = view_find(views, name);
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
	views_run(text.data, view);
	view_comment(view, psprintf("%s%s", view_mark(views->model), about), column, ncolumns);

	values[0] = CStringGetTextDatum(view);
	values[1] = CStringGetTextDatum(columns.data);
	result_put(views->result, values, nulls);
}

/* ------------------------------------------------------------------------
 * The views
 */

static const char *const SERIES_ABOUT = "name of the series; NULL where the model has no series columns";

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

/* How to say what the view was made with; arguments_of_comment reads it. */
static char *
arguments_text(const Views *views)
{
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfo(&text, ARGUMENTS "history => %u, ", views->history);
	if (views->horizon > 0)
		appendStringInfo(&text, "horizon => %u, ", views->horizon);
	appendStringInfo(&text, "stored => %s", views->stored ? "true" : "false");
	/* Stored forecasts have the level that they were stored with. */
	if (!views->stored)
		appendStringInfo(&text, ", confidence_level => %s", float8out_internal(views->level));
	return text.data;
}

static void
view_plain(const Views *views)
{
	StringInfoData select;
	char	   *inside = percent(views->level),
			   *about,
			   *steps;
	const ViewColumn column[] = {
		{views_time_name(views), time_about(views)},
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
	views_history_select(&select, views);
	appendStringInfoString(&select, "\nUNION ALL\n");
	views_forecast_select(&select, views);
	view_make(views, views->name, select.data, psprintf("%s%s", about, arguments_text(views)),
			  column, lengthof(column));
}

/* Prophet's words: y is what was observed, yhat its forecast. */
static void
view_prophet(const Views *views)
{
	char	   *plain = view_qualified(views, views->name);
	char	   *select = psprintf("SELECT p.\"time\", "
								  "CASE WHEN p.kind" VIEWS_EQ "'history' THEN p.value END, "
								  "CASE WHEN p.kind" VIEWS_EQ "'forecast' THEN p.value END, "
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
	"p.value) FILTER (WHERE p.kind" VIEWS_EQ "'history'",
	"p.value) FILTER (WHERE p.kind" VIEWS_EQ "'forecast'",
	"p.lower) FILTER (WHERE p.kind" VIEWS_EQ "'forecast'",
	"p.upper) FILTER (WHERE p.kind" VIEWS_EQ "'forecast'",
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
			appendStringInfo(&select, ", pg_catalog.max(%s AND p.target" VIEWS_EQ "%s)",
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

/* ------------------------------------------------------------------------
 * What they are made with: what is given, else what they were made with, else the defaults
 */

/* What the comment of the view that is there says after ARGUMENTS; NULL: there is none. */
static const char *
arguments_of_comment(const Views *views)
{
	Oid			relation = get_relname_relid(views->name, views->schema_oid);
	char	   *comment,
			   *line;

	if (!OidIsValid(relation))
		return NULL;
	view_check(views, relation, views->name);
	comment = GetComment(relation, RelationRelationId, 0);
	line = comment ? strstr(comment, ARGUMENTS) : NULL;
	return line ? line + strlen(ARGUMENTS) : NULL;
}

/* The text that begins with the value of an argument; NULL: not there. */
static const char *
kept_value(const char *kept, const char *argument)
{
	char	   *key = psprintf("%s => ", argument);
	const char *at = kept ? strstr(kept, key) : NULL;

	return at ? at + strlen(key) : NULL;
}

static uint32
kept_number(const char *kept, const char *argument, uint32 most, uint32 otherwise)
{
	const char *text = kept_value(kept, argument);
	char	   *end;
	long		value;

	if (text == NULL)
		return otherwise;
	errno = 0;
	value = strtol(text, &end, 10);
	return errno != 0 || end == text || value < 0 || value > (long) most ? otherwise : (uint32) value;
}

static bool
kept_true(const char *kept, const char *argument)
{
	const char *text = kept_value(kept, argument);

	return text != NULL && strncmp(text, "true", 4) == 0;
}

static double
kept_level(const char *kept)
{
	const char *text = kept_value(kept, "confidence_level");
	double		level = text ? strtod(text, NULL) : DEFAULT_LEVEL;

	return level > 0 && level < 1 ? level : DEFAULT_LEVEL;
}

/* A number of steps, 0: all. */
static uint32
argument_history(FunctionCallInfo fcinfo, const char *kept)
{
	int32		steps;

	if (PG_ARGISNULL(ARG_HISTORY))
		return kept_number(kept, "history", PG_INT32_MAX, DEFAULT_HISTORY);
	steps = PG_GETARG_INT32(ARG_HISTORY);
	if (steps < 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"history\" is %d, outside of its range", steps),
				 errhint("Give a number of steps from 0 on; 0 shows all rows of the source.")));
	return (uint32) steps;
}

/* A number of steps, 0: the model's own. */
static uint32
argument_horizon(FunctionCallInfo fcinfo, const char *kept)
{
	if (PG_ARGISNULL(ARG_HORIZON))
		return kept_number(kept, "horizon", NN_MAX_STEPS, 0);
	if (PG_GETARG_INT32(ARG_HORIZON) == 0)
		return 0;
	return argument_steps(fcinfo, ARG_HORIZON, "horizon", 0);
}

/* Stored forecasts have the level that they were stored with. */
static double
views_level(FunctionCallInfo fcinfo, const char *kept, bool stored)
{
	if (PG_ARGISNULL(ARG_LEVEL))
		return kept_level(kept);
	if (stored)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("stored forecasts have a confidence level already"),
				 errhint("Give confidence_level to lstm.refresh_forecasts, and leave it out here; or "
						 "give stored => false.")));
	return argument_level(fcinfo, ARG_LEVEL);
}

static void
views_arguments(Views *views, FunctionCallInfo fcinfo)
{
	const char *kept = arguments_of_comment(views);
	const NnSpec *spec = &views->trained->spec;

	views->history = argument_history(fcinfo, kept);
	views->horizon = argument_horizon(fcinfo, kept);
	views->stored = PG_ARGISNULL(ARG_STORED) ? kept_true(kept, "stored") : PG_GETARG_BOOL(ARG_STORED);
	views->level = views_level(fcinfo, kept, views->stored);
	if (views->horizon > 0 && !views->joint)
		nn_forecast_check(views->env, spec, views->horizon);
}

/* ------------------------------------------------------------------------
 * Future covariates
 */

/* Computes the forecast of the view. */
static void
forecast_compute(void *arg)
{
	const Views *views = arg;
	Oid			types[2] = {TEXTOID, INT4OID};
	Datum		values[2] = {CStringGetTextDatum(views->model), Int32GetDatum((int32) views->horizon)};
	const char *nulls = views->horizon > 0 ? "  " : " n";
	int			nest_level = registry_begin();

	(void) registry_run("SELECT FROM lstm.forecast($1, horizon => $2)", 2, types, values, nulls, true);
	registry_end(nest_level);
}

/*
 * A view passes no argument "future": the source itself must have the rows to come.  They may
 * come later, so that the view is made all the same.
 */
static void
views_try_future(Views *views)
{
	ErrorData  *error;

	if (!views->future || views->stored)
		return;
	error = subtransaction_try(forecast_compute, views);
	if (error == NULL)
		return;
	switch (ERRCODE_TO_CATEGORY(error->sqlerrcode))
	{
		case ERRCODE_OPERATOR_INTERVENTION:
		case ERRCODE_INSUFFICIENT_RESOURCES:
		case ERRCODE_INTERNAL_ERROR:
			ReThrowError(error);
	}
	ereport(WARNING,
			(errcode(error->sqlerrcode),
			 errmsg("view %s has no forecast as things are: reading it fails",
					view_qualified(views, views->name)),
			 errdetail("%s.", error->message),
			 errhint("Give the source rows of the future, with the covariates known and the targets NULL; "
					 "or create the views with stored => true, and "
					 "CALL lstm.refresh_forecasts(%s, future => ...).",
					 quote_literal_cstr(views->model))));
}

Datum
lstm_create_views(PG_FUNCTION_ARGS)
{
	ReturnSetInfo *result = result_begin(fcinfo);
	CallMemory	memory = call_memory_begin();
	Views		views = {.env = env_create(memory.own),.result = result,
	.model = argument_text_required(fcinfo, ARG_MODEL, "model")};

	PreventCommandIfReadOnly("lstm.create_views()");
	views.schema = views_schema(argument_text(fcinfo, ARG_SCHEMA), &views.schema_oid);
	views.name = views_name(argument_text(fcinfo, ARG_NAME), views.model);
	views_find_model(&views);
	views_arguments(&views, fcinfo);
	views_bind(&views);
	views_try_future(&views);
	views_make(&views);
	call_memory_end(memory);
	return (Datum) 0;
}
