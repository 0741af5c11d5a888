/*
 * schedule.c
 *		lstm.schedule and lstm.unschedule: a model's procedures at fixed times, by pg_cron.
 *
 * Knows how to write a CALL and where pg_cron keeps its functions; when something runs,
 * and as whom, is pg_cron's matter: as the role that scheduled it.  Nothing is kept here:
 * table cron.job is the list.  Scheduling an action of a model again replaces its times.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "commands/dbcommands.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

#include "pg/env.h"
#include "pg/model_run.h"
#include "pg/registry.h"

PG_FUNCTION_INFO_V1(lstm_schedule);
PG_FUNCTION_INFO_V1(lstm_unschedule);

/* Procedures that take a model first and make sense again and again. */
static const char *const actions[] = {"retrain", "refresh_forecasts"};

static char *
action_check(char *action)
{
	for (size_t i = 0; i < lengthof(actions); i++)
		if (strcmp(action, actions[i]) == 0)
			return action;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"action\" is \"%s\", which cannot be scheduled", action),
			 errhint("Give \"%s\" or \"%s\".", actions[0], actions[1])));
}

/* Name of the entry in cron.job. */
static char *
entry_name(const char *action, const char *model)
{
	return psprintf("lstm.%s %s", action, model);
}

/* A value of the arguments as SQL; what type it is to be is the procedure's matter. */
static void
value_append(const NnEnv *env, StringInfo sql, const NnJson *value)
{
	NnText		json;

	nn_text_init(&json, env);
	switch (value->type)
	{
		case NN_JSON_STRING:
			appendStringInfoString(sql, quote_literal_cstr(value->string));
			break;
		case NN_JSON_ARRAY:
		case NN_JSON_OBJECT:
			nn_json_tree(&json, value);
			appendStringInfoString(sql, quote_literal_cstr(json.data));
			break;
		default:
			nn_json_tree(&json, value);
			appendStringInfoString(sql, json.data);
	}
}

/* CALL lstm.<action>(model, name => value, ...) */
static char *
call_text(const NnEnv *env, const char *action, const char *model, const NnJson *arguments)
{
	StringInfoData sql;

	initStringInfo(&sql);
	appendStringInfo(&sql, "CALL lstm.%s(%s", action, quote_literal_cstr(model));
	for (const NnJson *value = arguments == NULL ? NULL : arguments->child; value != NULL;
		 value = value->next)
	{
		appendStringInfo(&sql, ", %s => ", quote_identifier(value->key));
		value_append(env, &sql, value);
	}
	appendStringInfoChar(&sql, ')');
	return sql.data;
}

/* Raises 22023 for an argument that the procedure has not, with the nearest that it has. */
static void
arguments_check(const char *action, const NnJson *arguments)
{
	Oid			type = TEXTOID;
	Datum		value = CStringGetTextDatum(action);
	const char *names[FUNC_MAX_ARGS];
	uint64		n;

	n = registry_run("SELECT a.name"
					 " FROM pg_proc p, unnest(p.proargnames, p.proargmodes) a(name, mode)"
					 " WHERE p.pronamespace = 'lstm'::regnamespace AND p.prokind = 'p'"
					 " AND p.proname = $1 AND coalesce(a.mode, 'i') = 'i' AND a.name <> 'model'"
					 " LIMIT " CppAsString2(FUNC_MAX_ARGS), 1, &type, &value, NULL, true);
	for (uint64 i = 0; i < n; i++)
		names[i] = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
	for (const NnJson *argument = arguments->child; argument != NULL; argument = argument->next)
	{
		bool		known = false;
		const char *nearest = nn_nearest(argument->key, names, n);

		for (uint64 i = 0; i < n; i++)
			known = known || strcmp(argument->key, names[i]) == 0;
		if (!known)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("procedure \"lstm.%s\" has no argument \"%s\"", action, argument->key),
					 nearest != NULL ? errhint("The nearest name is \"%s\".", nearest) : 0));
	}
}

static NnJson *
arguments_parse(const NnEnv *env, FunctionCallInfo fcinfo, int i)
{
	char	   *text;
	NnJson	   *arguments;

	if (PG_ARGISNULL(i))
		return NULL;
	text = DatumGetCString(DirectFunctionCall1(jsonb_out, PG_GETARG_DATUM(i)));
	arguments = nn_json_parse(env, text, strlen(text), "arguments", NN_BAD_VALUE);
	if (arguments->type != NN_JSON_OBJECT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"arguments\" is no JSON object"),
				 errhint("Write the procedure's arguments as {\"name\": value}.")));
	return arguments;
}

/* Raises 55000 where pg_cron is not installed in this database; call: what to run by other means. */
static void
cron_require(const char *call)
{
	const char *database = get_database_name(MyDatabaseId);

	if (OidIsValid(get_extension_oid("pg_cron", true)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("extension \"pg_cron\" is not installed in database \"%s\"", database),
			 errdetail("It keeps the schedule and starts what is due."),
			 call == NULL ? errhint("Without it there is nothing to remove here.") :
			 errhint("Where pg_cron has another database, schedule from there by cron.schedule_in_database; "
					 "else set shared_preload_libraries to pg_cron and cron.database_name to this one, "
					 "restart the server and run CREATE EXTENSION pg_cron; or let the operating "
					 "system's cron run this by psql: %s", call)));
}

/* Runs a function of pg_cron with the caller's rights; the only column of its only row. */
static Datum
cron_run(const char *statement, int nargs, const char *const *values)
{
	Oid			types[3] = {TEXTOID, TEXTOID, TEXTOID};
	Datum		datums[3];
	bool		isnull;
	int			code;

	Assert(nargs <= 3);
	for (int i = 0; i < nargs; i++)
		datums[i] = CStringGetTextDatum(values[i]);
	code = SPI_execute_with_args(statement, nargs, types, datums, NULL, false, 0);
	if (code < 0 || SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("statement on pg_cron failed: %s", SPI_result_code_string(code))));
	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
}

Datum
lstm_schedule(PG_FUNCTION_ARGS)
{
	CallMemory	memory = call_memory_begin();
	const NnEnv *env = env_create(memory.own);
	char	   *model = argument_text_required(fcinfo, 0, "model");
	char	   *action = action_check(argument_text_required(fcinfo, 1, "action"));
	char	   *times = argument_text_required(fcinfo, 2, "schedule");
	NnJson	   *arguments = arguments_parse(env, fcinfo, 3);
	char	   *call = call_text(env, action, model, arguments);
	const char *values[3] = {entry_name(action, model), times, call};
	int			nest_level;
	int64		entry;

	PreventCommandIfReadOnly("lstm.schedule()");
	if (arguments == NULL || nn_json_member(arguments, "source") == NULL)
		model_run_source_check(registry_find(model, 0), "Schedule it as a role that may run it.");
	nest_level = registry_begin();
	/* Both actions need that right; who lacks it is told now, not by the log of a night. */
	(void) grants_require(model, MODEL_RETRAIN);
	if (arguments != NULL)
		arguments_check(action, arguments);
	/* What else the procedure would not take is found by analysis, before the night. */
	if (SPI_prepare(call, 0, NULL) == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot prepare the call to be scheduled: %s",
						SPI_result_code_string(SPI_result))));
	cron_require(call);
	entry = DatumGetInt64(cron_run("SELECT cron.schedule($1, $2, $3)", 3, values));
	registry_end(nest_level);
	call_memory_end(memory);
	PG_RETURN_INT64(entry);
}

/* Removes one entry of the caller's; false when there is none. */
static bool
entry_remove(const char *name)
{
	int64		n = DatumGetInt64(cron_run("SELECT count(*) FROM cron.job WHERE jobname = $1"
										   " AND username = CURRENT_USER", 1, &name));

	if (n == 0)
		return false;
	return DatumGetBool(cron_run("SELECT cron.unschedule($1)", 1, &name));
}

Datum
lstm_unschedule(PG_FUNCTION_ARGS)
{
	CallMemory	memory = call_memory_begin();
	char	   *model = argument_text_required(fcinfo, 0, "model");
	char	   *action = argument_text(fcinfo, 1);
	int			nest_level,
				removed = 0;

	PreventCommandIfReadOnly("lstm.unschedule()");
	if (action != NULL)
		action_check(action);
	cron_require(NULL);
	/* The model may be gone. */
	nest_level = registry_begin();
	for (size_t i = 0; i < lengthof(actions); i++)
		if (action == NULL || strcmp(action, actions[i]) == 0)
			removed += entry_remove(entry_name(actions[i], model));
	registry_end(nest_level);
	if (removed == 0)
		ereport(NOTICE,
				(errmsg("nothing is scheduled for model \"%s\"%s%s", model,
						action != NULL ? ", action " : "", action != NULL ? action : "")));
	call_memory_end(memory);
	PG_RETURN_INT32(removed);
}
