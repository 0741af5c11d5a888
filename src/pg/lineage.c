/*
 * lineage.c
 *		Where a version comes from: what of its rows is worth keeping beside it.
 *
 * The digest is SHA-256 over the rows as they lie after reading: series in the order of
 * their names, rows in the order of time, whatever order the query gave them in.  In it are
 * names, times, values, texts, vectors and places; not in it are rows of which nothing is
 * known, columns that options make from the time, and anything of server or session.  So
 * equal rows have equal digests, whoever reads them and with which options.
 *
 * Numbers go in as big-endian bytes, every text behind its length, every channel of a row
 * with a mark whether it is known: no two different sets of rows have the same bytes.
 */
#include "postgres.h"

#include <math.h>

#include "common/cryptohash.h"
#include "common/sha2.h"
#include "miscadmin.h"
#include "port/pg_bswap.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/timestamp.h"
#if PG_VERSION_NUM >= 160000
#include "varatt.h"
#endif

#include "core/nn_json.h"
#include "pg/lineage.h"

/* ------------------------------------------------------------------------
 * The digest
 */

#define DIGEST_BUFFER 65536

typedef struct Digest
{
	pg_cryptohash_ctx *context;
	size_t		length;
	uint8	   *buffer;			/* [DIGEST_BUFFER] */
} Digest;

static void __attribute__((noreturn))
digest_fail(const Digest *digest)
{
#if PG_VERSION_NUM >= 150000
	const char *reason = pg_cryptohash_error(digest->context);
#else
	const char *reason = "the cryptographic library failed";
#endif

	ereport(ERROR,
			(errcode(ERRCODE_EXTERNAL_ROUTINE_EXCEPTION),
			 errmsg("the rows could not be hashed: %s", reason)));
}

static void
digest_flush(Digest *digest)
{
	if (pg_cryptohash_update(digest->context, digest->buffer, digest->length) < 0)
		digest_fail(digest);
	digest->length = 0;
	CHECK_FOR_INTERRUPTS();
}

static void
digest_bytes(Digest *digest, const void *bytes, size_t n)
{
	const uint8 *from = bytes;

	while (n > 0)
	{
		size_t		part = Min(n, DIGEST_BUFFER - digest->length);

		memcpy(digest->buffer + digest->length, from, part);
		digest->length += part;
		from += part;
		n -= part;
		if (digest->length == DIGEST_BUFFER)
			digest_flush(digest);
	}
}

static void
digest_integer(Digest *digest, uint64 value)
{
	uint64		bytes = pg_hton64(value);

	digest_bytes(digest, &bytes, sizeof(bytes));
}

/* Both zeros are one number; a NaN, which means unknown, is one value. */
static void
digest_number(Digest *digest, double value)
{
	uint64		bits;

	value = isnan(value) ? NAN : value + 0.0;
	memcpy(&bits, &value, sizeof(bits));
	digest_integer(digest, bits);
}

/* NULL is no empty text. */
static void
digest_text(Digest *digest, const char *text)
{
	digest_integer(digest, text == NULL ? PG_UINT64_MAX : strlen(text));
	if (text != NULL)
		digest_bytes(digest, text, strlen(text));
}

static bool
row_is_known(const SourceData *data, size_t row)
{
	const NnSeries *series = &data->series;

	for (uint32 c = 0; c < series->C - data->made; c++)
		if (!isnan(series->value[row * series->C + c]))
			return true;
	for (uint32 i = 0; i < series->narrays; i++)
		if (series->array[i].at[row] != NN_ARRAY_UNKNOWN)
			return true;
	return false;
}

static void
digest_row(Digest *digest, const SourceData *data, uint32 s, uint32 t)
{
	const NnSeries *series = &data->series;
	size_t		row = (size_t) series->first[s] + t;

	digest_integer(digest, (uint64) lineage_position(data, s, t));
	for (uint32 c = 0; c < series->C - data->made; c++)
		digest_number(digest, series->value[row * series->C + c]);
	for (uint32 i = 0; i < series->narrays; i++)
	{
		const NnArray *array = &series->array[i];
		const float *vector;

		if (array->at[row] == NN_ARRAY_UNKNOWN)
		{
			digest_number(digest, NAN);
			continue;
		}
		vector = array->value + (size_t) array->at[row] * array->width;
		digest_number(digest, 1);
		for (uint32 v = 0; v < array->width; v++)
			digest_number(digest, vector[v]);
	}
}

static void
digest_place(Digest *digest, const SourcePlace *place)
{
	digest_integer(digest, place->geom == NULL ? PG_UINT64_MAX : VARSIZE_ANY_EXHDR(place->geom));
	if (place->geom != NULL)
		digest_bytes(digest, VARDATA_ANY(place->geom), VARSIZE_ANY_EXHDR(place->geom));
	for (int i = 0; i < 2; i++)
	{
		digest_integer(digest, place->known[i]);
		digest_integer(digest, place->known[i] ? (uint64) place->cell[i] : 0);
	}
}

static void
digest_series(Digest *digest, const SourceData *data, uint32 s)
{
	const NnSeries *series = &data->series;
	uint32		rows = series->first[s + 1] - series->first[s];

	digest_text(digest, series->name[s]);
	for (uint32 c = 0; c < series->Cs; c++)
		digest_number(digest, series->statics[(size_t) s * series->Cs + c]);
	for (uint32 c = 0; data->category != NULL && c < data->nstatic; c++)
		digest_text(digest, data->category[(size_t) s * data->nstatic + c]);
	if (data->place != NULL)
		digest_place(digest, &data->place[s]);
	for (uint32 t = 0; t < rows; t++)
	{
		if (t % 4096 == 0)
			CHECK_FOR_INTERRUPTS();
		if (row_is_known(data, (size_t) series->first[s] + t))
			digest_row(digest, data, s, t);
	}
}

static void
digest_columns(Digest *digest, const SourceData *data)
{
	const NnSeries *series = &data->series;

	digest_integer(digest, (uint64) data->kind);
	digest_integer(digest, series->C - data->made);
	for (uint32 c = 0; c < series->C - data->made; c++)
		digest_text(digest, series->column[c]);
	digest_integer(digest, series->narrays);
	for (uint32 i = 0; i < series->narrays; i++)
	{
		digest_text(digest, series->array[i].name);
		digest_integer(digest, series->array[i].width);
	}
	digest_integer(digest, series->Cs);
	digest_integer(digest, series->nseries);
}

/* The digest of the rows as hexadecimal digits, in env. */
static char *
data_digest(const NnEnv *env, const SourceData *data)
{
	Digest		digest = {pg_cryptohash_create(PG_SHA256), 0, palloc(DIGEST_BUFFER)};
	uint8		sum[PG_SHA256_DIGEST_LENGTH];
	char	   *text = NN_NEW_ARRAY(env, char, 2 * PG_SHA256_DIGEST_LENGTH + 1);

	if (digest.context == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("out of memory")));
	/* An error lets go of it with the transaction's resources. */
	if (pg_cryptohash_init(digest.context) < 0)
		digest_fail(&digest);
	digest_columns(&digest, data);
	for (uint32 s = 0; s < data->series.nseries; s++)
		digest_series(&digest, data, s);
	digest_flush(&digest);
	if (pg_cryptohash_final(digest.context, sum, sizeof(sum)) < 0)
		digest_fail(&digest);
	pg_cryptohash_free(digest.context);
	pfree(digest.buffer);
	for (int i = 0; i < PG_SHA256_DIGEST_LENGTH; i++)
		snprintf(text + 2 * i, 3, "%02x", sum[i]);
	return text;
}

/* ------------------------------------------------------------------------
 * Times
 */

int64
lineage_position(const SourceData *data, uint32 s, int64 row)
{
	return data->kind == NN_TIME_TIMESTAMPTZ ? source_instant(data, s, row) :
		source_time(data, s, row);
}

char *
lineage_time(const NnEnv *env, const SourceData *data, uint32 s, int64 row)
{
	char	   *text = nn_time_print(env, data->kind, lineage_position(data, s, row));

	return data->kind == NN_TIME_TIMESTAMPTZ ? nn_format(env, "%s+00", text) : text;
}

int64
lineage_position_read(const SourceData *data, const char *text)
{
	if (data->kind == NN_TIME_INTEGER)
		return DatumGetInt64(DirectFunctionCall1(int8in, CStringGetDatum(text)));
	return DatumGetTimestamp(DirectFunctionCall3(data->kind == NN_TIME_TIMESTAMPTZ ?
												 timestamptz_in : timestamp_in,
												 CStringGetDatum(text),
												 ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

/* ------------------------------------------------------------------------
 * The whole
 */

char *
lineage_data_text(const NnEnv *env, const SourceData *data)
{
	const NnSeries *series = &data->series;
	uint32		oldest = 0,
				newest = 0;
	char	   *from,
			   *to;
	NnText		text;

	for (uint32 s = 1; s < series->nseries; s++)
	{
		if (source_time(data, s, 0) < source_time(data, oldest, 0))
			oldest = s;
		if (source_time(data, s, (int64) series->history[s] - 1) >
			source_time(data, newest, (int64) series->history[newest] - 1))
			newest = s;
	}
	from = lineage_time(env, data, oldest, 0);
	to = lineage_time(env, data, newest, (int64) series->history[newest] - 1);
	nn_text_init(&text, env);
	nn_json_begin(&text, '{');
	nn_json_key(&text, "from");
	if (data->kind == NN_TIME_INTEGER)
		nn_text_append(&text, from, strlen(from));
	else
		nn_json_string(&text, from);
	nn_json_key(&text, "to");
	if (data->kind == NN_TIME_INTEGER)
		nn_text_append(&text, to, strlen(to));
	else
		nn_json_string(&text, to);
	nn_json_key(&text, "series");
	nn_json_integer(&text, series->nseries);
	nn_json_key(&text, "rows");
	nn_json_integer(&text, (int64) data->rows);
	nn_json_key(&text, "sha256");
	nn_json_string(&text, data_digest(env, data));
	nn_json_end(&text, '}');
	return text.data;
}
