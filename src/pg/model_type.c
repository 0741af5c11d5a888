/*
 * model_type.c
 *		The SQL type lstm.model: bytes that are known to be a model.
 *
 * A value is a bytea with a promise: every way in (text, binary, the cast) has
 * it read whole by nn_model_read, so no later reader meets bytes that are no
 * model unless the server's storage is damaged.  The promise costs one parse,
 * about what copying the bytes twice costs, in a context that is dropped at once.
 */
#include "postgres.h"

#include "libpq/pqformat.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/memutils.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#include "core/nn_model.h"
#include "pg/env.h"

PG_FUNCTION_INFO_V1(lstm_model_in);
PG_FUNCTION_INFO_V1(lstm_model_out);
PG_FUNCTION_INFO_V1(lstm_model_recv);
PG_FUNCTION_INFO_V1(lstm_model_send);
PG_FUNCTION_INFO_V1(lstm_model_from_bytea);

static void
model_check_length(size_t length)
{
	if (length > NN_MAX_MODEL_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("a model of %zu bytes is above the limit of %zu", length,
						NN_MAX_MODEL_BYTES)));
}

/* Raises 22P03 (or 54000) unless the bytes are a model. */
static void
model_check(const void *bytes, size_t length)
{
	MemoryContext context;

	model_check_length(length);
	context = AllocSetContextCreate(CurrentMemoryContext, "lstm model check",
									ALLOCSET_DEFAULT_SIZES);
	(void) nn_model_read(env_create(context), bytes, length);
	MemoryContextDelete(context);
}

Datum
lstm_model_in(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = DatumGetByteaPP(DirectFunctionCall1(byteain, PG_GETARG_DATUM(0)));

	model_check(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	PG_RETURN_BYTEA_P(bytes);
}

/* Always hex, so that the function is immutable; byteain reads it under any setting. */
Datum
lstm_model_out(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);
	size_t		length = VARSIZE_ANY_EXHDR(bytes);
	char	   *text = palloc(length * 2 + 3);

	text[0] = '\\';
	text[1] = 'x';
	text[2 + hex_encode(VARDATA_ANY(bytes), length, text + 2)] = '\0';
	PG_RETURN_CSTRING(text);
}

Datum
lstm_model_recv(PG_FUNCTION_ARGS)
{
	StringInfo	message = (StringInfo) PG_GETARG_POINTER(0);
	int			length = message->len - message->cursor;
	const char *data = pq_getmsgbytes(message, length);
	bytea	   *bytes;

	model_check(data, length);
	bytes = palloc((Size) length + VARHDRSZ);
	SET_VARSIZE(bytes, length + VARHDRSZ);
	memcpy(VARDATA(bytes), data, length);
	PG_RETURN_BYTEA_P(bytes);
}

Datum
lstm_model_send(PG_FUNCTION_ARGS)
{
	PG_RETURN_BYTEA_P(PG_GETARG_BYTEA_P_COPY(0));
}

Datum
lstm_model_from_bytea(PG_FUNCTION_ARGS)
{
	bytea	   *bytes = PG_GETARG_BYTEA_PP(0);

	model_check(VARDATA_ANY(bytes), VARSIZE_ANY_EXHDR(bytes));
	PG_RETURN_BYTEA_P(bytes);
}
