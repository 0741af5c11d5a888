/*
 * train_arguments.c
 *		A call of lstm.train as JSON, and back.
 *
 * Kept with a model, so that it can be trained again on later rows, and with a job,
 * which trains when its client may be gone.  Knows names and types of the arguments,
 * not what they mean.
 */
#include "postgres.h"

#include "mb/pg_wchar.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"

#include "pg/env.h"
#include "pg/train_run.h"

typedef enum ArgumentType
{
	ARGUMENT_TEXT, ARGUMENT_INT, ARGUMENT_JSON
} ArgumentType;

/* In the order of lstm.train. */
static const struct
{
	const char *name;
	ArgumentType type;
} arguments[TRAIN_NARGS] = {
	{"model", ARGUMENT_TEXT},
	{"source", ARGUMENT_TEXT},
	{"target", ARGUMENT_TEXT},
	{"time_column", ARGUMENT_TEXT},
	{"series", ARGUMENT_TEXT},
	{"horizon", ARGUMENT_INT},
	{"context", ARGUMENT_INT},
	{"past_covariates", ARGUMENT_TEXT},
	{"future_covariates", ARGUMENT_TEXT},
	{"static_covariates", ARGUMENT_TEXT},
	{"geom", ARGUMENT_TEXT},
	{"options", ARGUMENT_JSON},
};

char *
train_arguments_text(const NnEnv *env, FunctionCallInfo fcinfo)
{
	NnText		json;
	char	   *options;

	nn_text_init(&json, env);
	nn_json_begin(&json, '{');
	for (int i = 0; i < TRAIN_NARGS; i++)
	{
		if (PG_ARGISNULL(i))
			continue;
		nn_json_key(&json, arguments[i].name);
		switch (arguments[i].type)
		{
			case ARGUMENT_TEXT:
				nn_json_string(&json, text_to_cstring(PG_GETARG_TEXT_PP(i)));
				break;
			case ARGUMENT_INT:
				nn_json_integer(&json, PG_GETARG_INT32(i));
				break;
			case ARGUMENT_JSON:
				options = DatumGetCString(DirectFunctionCall1(jsonb_out, PG_GETARG_DATUM(i)));
				nn_text_append(&json, options, strlen(options));
				break;
		}
	}
	nn_json_end(&json, '}');
	return json.data;
}

NnJson *
train_arguments_parse(const NnEnv *env, const char *text)
{
	const char *utf8 = train_arguments_utf8(text);

	return nn_json_parse(env, utf8, strlen(utf8), "stored call", NN_BAD_VALUE);
}

const char *
train_arguments_utf8(const char *text)
{
	return pg_server_to_any(text, (int) strlen(text), PG_UTF8);
}

char *
train_arguments_server(const char *utf8)
{
	return pg_any_to_server(utf8, (int) strlen(utf8), PG_UTF8);
}

static Datum
argument_datum(const NnEnv *env, const NnJson *value, ArgumentType type)
{
	NnText		text;

	if (type == ARGUMENT_TEXT && value->type == NN_JSON_STRING)
		return CStringGetTextDatum(train_arguments_server(value->string));
	if (type == ARGUMENT_INT && value->type == NN_JSON_NUMBER &&
		value->number >= PG_INT32_MIN && value->number <= PG_INT32_MAX)
		return Int32GetDatum((int32) value->number);
	if (type == ARGUMENT_JSON)
	{
		nn_text_init(&text, env);
		nn_json_tree(&text, value);
		return DirectFunctionCall1(jsonb_in, CStringGetDatum(train_arguments_server(text.data)));
	}
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"%s\" of a stored call has the wrong type", value->key),
			 errhint("Write strings and whole numbers as lstm.train takes them.")));
}

void
train_arguments_fill(const NnEnv *env, const char *text, FunctionCallInfo fcinfo)
{
	NnJson	   *call = train_arguments_parse(env, text);

	if (call->type != NN_JSON_OBJECT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("a stored call of lstm.train is no JSON object")));
	for (int i = 0; i < TRAIN_NARGS; i++)
	{
		const NnJson *value = nn_json_member(call, arguments[i].name);

		fcinfo->args[i].isnull = value == NULL || value->type == NN_JSON_NULL;
		fcinfo->args[i].value = fcinfo->args[i].isnull ? (Datum) 0 :
			argument_datum(env, value, arguments[i].type);
	}
	fcinfo->nargs = TRAIN_NARGS;
}
