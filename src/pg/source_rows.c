/*
 * source_rows.c
 *		Runs the SELECT of a source and keeps its rows as columns of numbers.
 *
 * The executor hands each row to a receiver of ours, which stores time, number
 * of the series and values, and forgets the row: 12 bytes and 8 per value, in
 * chunks that never move.  Numbers are converted here or by a cast to float8 in
 * the SELECT; the columns that tell series apart are compared as bytes ("image")
 * with those of the row before, then looked up in a hash table, and turned into
 * text once per series.  Only the types that need it are cast to text per row.
 *
 * Knows nothing of grids or order.
 */
#include "postgres.h"

#include <math.h>

#include "access/tupdesc.h"
#include "access/tupmacs.h"
#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "common/int.h"
#include "executor/executor.h"
#include "executor/spi.h"
#include "executor/tuptable.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "core/nn_civil.h"
#include "nodes/params.h"
#include "pg/source_cache.h"
#include "pg/progress.h"
#include "pg/source_parts.h"
#include "tcop/dest.h"
#include "utils/builtins.h"
#include "utils/date.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#define CHUNK_BYTES		(256 * 1024)
#define CHUNK_MIN_ROWS	64

/* Rows between two looks whether others are to be told how many there are. */
#define PROGRESS_ROWS	64

/* Bytes of small allocations that come with a series. */
#define SERIES_OVERHEAD	192

typedef struct ImageKey
{
	const char *data;
	uint32		length;
} ImageKey;

typedef struct ImageEntry
{
	ImageKey	key;
	uint32		hash;
	uint32		series;
	char		status;
} ImageEntry;

#define SH_PREFIX image
#define SH_ELEMENT_TYPE ImageEntry
#define SH_KEY_TYPE ImageKey
#define SH_KEY key
#define SH_HASH_KEY(table, key) hash_bytes((const unsigned char *) (key).data, (key).length)
#define SH_EQUAL(table, a, b) ((a).length == (b).length && memcmp((a).data, (b).data, (a).length) == 0)
#define SH_STORE_HASH
#define SH_GET_HASH(table, entry) (entry)->hash
#define SH_SCOPE static inline
#define SH_DECLARE
#define SH_DEFINE
#include "lib/simplehash.h"

/* How the values of a series column become bytes. */
typedef struct ImageType
{
	Oid			type;
	int16		length;			/* fixed; -1: the column is cast to text in the SELECT */
	bool		by_value;
} ImageType;

typedef struct RowReceiver
{
	DestReceiver pub;
	SourceRows *rows;
	const Source *source;
	const RowCut *cut;
	ImageType  *image_type;		/* [nseries columns] */
	ImageType  *category_type;	/* [nstatic] of those that are categories */
	const SourceColumn **value; /* [C] */
	int			nknown;			/* the first nknown values become unknown after the cut */
	int			nseries,
				nstatic;
	image_hash *hash;
	StringInfoData image;		/* of the row at hand */
	StringInfoData category;	/* image of one of its categories */
	uint32		last;			/* series of the row before */
	uint32		max_series;
	uint32		max_chunks;
	uint32		in_chunk;		/* rows in the last chunk */
	PlaceReader *places;		/* NULL: no column says where series are */
	MemoryContext scratch;		/* for detoasting */
} RowReceiver;

void
source_account(size_t *used, size_t limit, size_t bytes, uint64 rows)
{
	if (bytes > limit || *used > limit - bytes)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("source needs more memory than lstm.max_memory (%zu kB)", limit / 1024),
				 errdetail("After " UINT64_FORMAT " rows %zu kB are in use and %zu kB more are needed.",
						   rows, *used / 1024, bytes / 1024 + 1),
				 errhint("Raise lstm.max_memory, or read fewer rows or columns.")));
	*used += bytes;
}

static ImageType
image_type_get(Oid type)
{
	ImageType	result = {.type = type};

	get_typlenbyval(type, &result.length, &result.by_value);
	if (result.length <= 0)
		result.length = -1;
	return result;
}

static void
image_append(StringInfo image, const ImageType *type, Datum value)
{
	if (type->length < 0)
	{
		/* The caller resets the memory that this may take. */
		struct varlena *text = PG_DETOAST_DATUM_PACKED(value);
		uint32		length = VARSIZE_ANY_EXHDR(text);

		appendBinaryStringInfo(image, (const char *) &length, sizeof(length));
		appendBinaryStringInfo(image, VARDATA_ANY(text), length);
	}
	else if (type->by_value)
	{
		char		bytes[sizeof(Datum)];

		store_att_byval(bytes, value, type->length);
		appendBinaryStringInfo(image, bytes, type->length);
	}
	else
		appendBinaryStringInfo(image, DatumGetPointer(value), type->length);
}

/*
 * Names of series are kept in models, so they must not depend on how this
 * session likes to see dates and numbers.
 */
static char *
datum_text(Oid type, Datum value)
{
	int			nest_level = NewGUCNestLevel();
	Oid			output;
	bool		is_varlena;
	char	   *text;

	(void) set_config_option("datestyle", "ISO", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("intervalstyle", "postgres", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	(void) set_config_option("extra_float_digits", "1", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	getTypeOutputInfo(type, &output, &is_varlena);
	text = OidOutputFunctionCall(output, value);
	AtEOXact_GUC(true, nest_level);
	return text;
}

/* Reads one value of an image as text; returns the rest of the image. */
static const char *
image_value_text(const char *image, const ImageType *type, char **text)
{
	char	   *copy;
	Datum		value;

	if (type->length < 0)
	{
		uint32		length;

		memcpy(&length, image, sizeof(length));
		*text = pnstrdup(image + sizeof(length), length);
		return image + sizeof(length) + length;
	}

	/* Datums want alignment, images have none. */
	copy = palloc(Max((Size) type->length, sizeof(Datum)));
	memcpy(copy, image, type->length);
	value = fetch_att(copy, type->by_value, type->length);
	switch (type->type)
	{
		case INT2OID:
			*text = psprintf("%d", DatumGetInt16(value));
			break;
		case INT4OID:
			*text = psprintf("%d", DatumGetInt32(value));
			break;
		case INT8OID:
			*text = psprintf(INT64_FORMAT, DatumGetInt64(value));
			break;
		case BOOLOID:
			*text = pstrdup(DatumGetBool(value) ? "true" : "false");
			break;
		default:
			*text = datum_text(type->type, value);
	}
	return image + type->length;
}

void
row_series_key(const SourceRows *rows, uint32 series, char **values)
{
	const Source *source = rows->source;
	const char *image = rows->series[series].image;

	for (int i = 0; i < source->roles.nseries; i++)
	{
		ImageType	type = image_type_get(source->series[i].type);

		image = image_value_text(image, &type, &values[i]);
	}
}

char *
row_category(const SourceRows *rows, uint32 series, int column)
{
	ImageType	type = image_type_get(rows->source->statics[column].type);
	const char *image = rows->series[series].category[column];
	char	   *text = NULL;

	if (image != NULL)
		(void) image_value_text(image, &type, &text);
	return text;
}

/* The value alone, or values joined by "/", where "/" and "\" in them get a "\" in front. */
char *
series_name_join(char *const *values, int count)
{
	size_t		length = 0;
	char	   *name,
			   *end;

	if (count == 0)
		return pstrdup("");
	if (count == 1)
		return values[0];
	for (int i = 0; i < count; i++)
		length += 2 * strlen(values[i]) + 1;
	name = end = palloc(length);
	for (int i = 0; i < count; i++)
	{
		for (const char *p = values[i]; *p != '\0'; p++)
		{
			if (*p == '/' || *p == '\\')
				*end++ = '\\';
			*end++ = *p;
		}
		*end++ = '/';
	}
	end[-1] = '\0';
	return name;
}

/* " of series "x"", for messages; nothing when there is no series column. */
static const char *
row_series_phrase(const RowReceiver *receiver, uint32 series)
{
	char	  **values;

	if (receiver->nseries == 0)
		return "";
	values = palloc(sizeof(char *) * receiver->nseries);
	row_series_key(receiver->rows, series, values);
	return psprintf(" of series \"%s\"", series_name_join(values, receiver->nseries));
}

static void
series_add(RowReceiver *receiver, ImageEntry *entry)
{
	SourceRows *rows = receiver->rows;
	uint32		number = rows->nseries;
	RowSeries  *series;

	if (number == SOURCE_MAX_SERIES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("source has more than %d series", SOURCE_MAX_SERIES),
				 errhint("A series column names a few things that are observed many times; "
						 "check the columns named as series.")));
	/* The image, its hash entry, and the texts to come: values, and names twice. */
	source_account(rows->used, rows->limit,
				   sizeof(RowSeries) + sizeof(ImageEntry) * 2 + (size_t) receiver->image.len * 6 +
				   (sizeof(double) + sizeof(char *)) * receiver->nstatic + SERIES_OVERHEAD,
				   rows->count);
	if (number == receiver->max_series)
	{
		receiver->max_series *= 2;
		rows->series = repalloc_huge(rows->series, sizeof(RowSeries) * receiver->max_series);
	}
	series = &rows->series[number];
	series->length = receiver->image.len;
	series->image = MemoryContextAlloc(rows->context, series->length + 1);
	memcpy(unconstify(char *, series->image), receiver->image.data, series->length);
	series->statics = MemoryContextAlloc(rows->context,
										 sizeof(double) * Max(receiver->nstatic, 1));
	for (int i = 0; i < receiver->nstatic; i++)
		series->statics[i] = NAN;
	series->category = MemoryContextAllocZero(rows->context,
											  sizeof(char *) * Max(receiver->nstatic, 1));
	series->bad = NULL;
	series->place = NULL;

	entry->key.data = series->image;
	entry->series = number;
	rows->nseries++;
}

/* Marks the series of a row as bad; false when that is an error.  May be called per row. */
static bool
row_skip(const RowReceiver *receiver, uint32 series, const char *reason)
{
	if (!receiver->source->skip)
		return false;
	if (receiver->rows->series[series].bad == NULL)
		receiver->rows->series[series].bad = MemoryContextStrdup(receiver->rows->context, reason);
	return true;
}

static __attribute__((noreturn)) void
series_refuse_null(const RowReceiver *receiver, int column, int64 time)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("series column \"%s\" is null at %s", receiver->source->series[column].name,
					source_time_text(receiver->source->kind, time)),
			 errhint("Leave such rows out with WHERE, or name the series with coalesce().")));
}

/* Number of the series of a row, whose series columns are values[nseries]. */
static uint32
row_series(RowReceiver *receiver, const Datum *values, const bool *nulls, int64 time)
{
	const RowSeries *last = &receiver->rows->series[receiver->last];
	ImageEntry *entry;
	ImageKey	key;
	bool		found;

	resetStringInfo(&receiver->image);
	for (int i = 0; i < receiver->nseries; i++)
	{
		if (nulls[i])
			series_refuse_null(receiver, i, time);
		image_append(&receiver->image, &receiver->image_type[i], values[i]);
	}
	if (receiver->rows->nseries > 0 && last->length == (uint32) receiver->image.len &&
		memcmp(last->image, receiver->image.data, last->length) == 0)
		return receiver->last;

	key.data = receiver->image.data;
	key.length = receiver->image.len;
	entry = image_insert(receiver->hash, key, &found);
	if (!found)
		series_add(receiver, entry);
	receiver->last = entry->series;
	return entry->series;
}

static __attribute__((noreturn)) void
time_refuse_null(const RowReceiver *receiver)
{
	ereport(ERROR,
			(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
			 errmsg("time column \"%s\" is null in row " UINT64_FORMAT " of the source",
					receiver->source->time.name, receiver->rows->seen),
			 errhint("Leave rows without a time out with WHERE.")));
}

static __attribute__((noreturn)) void
time_refuse_infinite(const RowReceiver *receiver)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("time column \"%s\" is infinite in row " UINT64_FORMAT " of the source",
					receiver->source->time.name, receiver->rows->seen),
			 errhint("Leave such rows out with WHERE isfinite(%s).",
					 quote_identifier(receiver->source->time.name))));
}

static int64
date_time(const RowReceiver *receiver, DateADT date)
{
	int64		time;

	if (DATE_NOT_FINITE(date))
		time_refuse_infinite(receiver);
	if (pg_mul_s64_overflow(date, USECS_PER_DAY, &time) || !IS_VALID_TIMESTAMP(time))
		ereport(ERROR,
				(errcode(ERRCODE_DATETIME_VALUE_OUT_OF_RANGE),
				 errmsg("date out of range for timestamp")));
	return time;
}

static int64
row_time(const RowReceiver *receiver, Datum value, bool null)
{
	int64		time;

	if (null)
		time_refuse_null(receiver);
	switch (receiver->source->time.type)
	{
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		case INT8OID:
			return DatumGetInt64(value);
		case DATEOID:
			return date_time(receiver, DatumGetDateADT(value));
		default:
			time = DatumGetTimestamp(value);
			if (TIMESTAMP_NOT_FINITE(time))
				time_refuse_infinite(receiver);
			return time;
	}
}

/* Only near the moment does the zone's clock decide. */
static bool
row_is_cut(const RowReceiver *receiver, int64 time)
{
	const RowCut *cut = receiver->cut;

	if (!cut->active)
		return false;
	if (receiver->source->kind == NN_TIME_TIMESTAMPTZ)
		return time > cut->instant;
	if (time > cut->local + USECS_PER_DAY)
		return true;
	return time >= cut->local - USECS_PER_DAY && zone_instant(cut->zone, time) > cut->instant;
}

static inline double
datum_number(Datum value, Oid type)
{
	switch (type)
	{
		case INT2OID:
			return DatumGetInt16(value);
		case INT4OID:
			return DatumGetInt32(value);
		case INT8OID:
			return (double) DatumGetInt64(value);
		case FLOAT4OID:
			return DatumGetFloat4(value);
		case BOOLOID:
			return DatumGetBool(value) ? 1 : 0;
		default:
			return DatumGetFloat8(value);
	}
}

static void
value_refuse_infinite(const RowReceiver *receiver, const char *column, uint32 series, int64 time)
{
	if (row_skip(receiver, series,
				 psprintf("has an infinite value of column \"%s\" at %s", column,
						  source_time_text(receiver->source->kind, time))))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("column \"%s\"%s is infinite at %s", column,
					row_series_phrase(receiver, series),
					source_time_text(receiver->source->kind, time)),
			 errhint("Replace it by NULL, which means unknown, or by a number.")));
}

static double
row_number(const RowReceiver *receiver, const SourceColumn *column, Datum value, bool null,
		   uint32 series, int64 time)
{
	double		number;

	if (null)
		return NAN;
	number = datum_number(value, column->type);
	if (isinf(number))
	{
		value_refuse_infinite(receiver, column->name, series, time);
		return NAN;
	}
	return number;
}

static void
static_refuse(const RowReceiver *receiver, int column, uint32 series, int64 time, const char *one,
			  const char *other)
{
	const char *name = receiver->source->statics[column].name;

	if (row_skip(receiver, series,
				 psprintf("has different values of static covariate \"%s\": %s and %s", name, one,
						  other)))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("static covariate \"%s\"%s has different values: %s and %s (at %s)", name,
					row_series_phrase(receiver, series), one, other,
					source_time_text(receiver->source->kind, time)),
			 errhint("A static covariate has one value per series; name what changes over "
					 "time in past_covariates or future_covariates.")));
}

/* Is an image that of the series so far?  The first one becomes it. */
static void
row_static_category(RowReceiver *receiver, int i, Datum value, uint32 series, int64 time)
{
	SourceRows *rows = receiver->rows;
	char	  **known = &rows->series[series].category[i];
	StringInfo	image = &receiver->category;
	const ImageType *type = &receiver->category_type[i];
	char	   *one,
			   *other;

	resetStringInfo(image);
	image_append(image, type, value);
	if (*known == NULL)
	{
		source_account(rows->used, rows->limit, 2 * (size_t) image->len + 64, rows->count);
		*known = MemoryContextAlloc(rows->context, image->len + 1);
		memcpy(*known, image->data, image->len);
		return;
	}
	/* The length of a text is its first four bytes: what is longer differs there. */
	if (memcmp(*known, image->data, image->len) == 0)
		return;
	(void) image_value_text(*known, type, &one);
	(void) image_value_text(image->data, type, &other);
	static_refuse(receiver, i, series, time, one, other);
}

/* A series has one value of each static covariate; NULL says nothing about it. */
static void
row_statics(RowReceiver *receiver, const Datum *values, const bool *nulls, uint32 series,
			int64 time)
{
	double	   *statics = receiver->rows->series[series].statics;

	for (int i = 0; i < receiver->nstatic; i++)
	{
		const SourceColumn *column = &receiver->source->statics[i];
		double		number;

		if (column->category)
		{
			if (!nulls[i])
				row_static_category(receiver, i, values[i], series, time);
			continue;
		}
		number = row_number(receiver, column, values[i], nulls[i], series, time);
		if (isnan(number))
			continue;
		if (!isnan(statics[i]) && statics[i] != number)
			static_refuse(receiver, i, series, time, psprintf("%g", statics[i]),
						  psprintf("%g", number));
		statics[i] = number;
	}
}

static void
chunk_add(RowReceiver *receiver)
{
	SourceRows *rows = receiver->rows;
	size_t		n = rows->chunk_rows;
	RowChunk   *chunk;

	if (rows->count + n > SOURCE_MAX_ROWS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("source has more than %d rows", SOURCE_MAX_ROWS)));
	source_account(rows->used, rows->limit,
				   n * (sizeof(int64) + sizeof(uint32) + sizeof(double) * rows->C), rows->count);
	if (rows->nchunks == receiver->max_chunks)
	{
		receiver->max_chunks *= 2;
		rows->chunk = repalloc_huge(rows->chunk, sizeof(RowChunk) * receiver->max_chunks);
	}
	chunk = &rows->chunk[rows->nchunks++];
	chunk->time = MemoryContextAlloc(rows->context, n * sizeof(int64));
	chunk->series = MemoryContextAlloc(rows->context, n * sizeof(uint32));
	chunk->value = MemoryContextAlloc(rows->context, n * sizeof(double) * Max(rows->C, 1));
	receiver->in_chunk = 0;
}

static void
row_store(RowReceiver *receiver, int64 time, uint32 series, const Datum *values,
		  const bool *nulls, bool unknown)
{
	SourceRows *rows = receiver->rows;
	RowChunk   *chunk;
	double	   *row;

	if (rows->nchunks == 0 || receiver->in_chunk == rows->chunk_rows)
		chunk_add(receiver);
	chunk = &rows->chunk[rows->nchunks - 1];
	chunk->time[receiver->in_chunk] = time;
	chunk->series[receiver->in_chunk] = series;
	row = chunk->value + (size_t) receiver->in_chunk * rows->C;
	for (uint32 c = 0; c < rows->C; c++)
		row[c] = unknown && c < (uint32) receiver->nknown ? NAN :
			row_number(receiver, receiver->value[c], values[c], nulls[c], series, time);
	receiver->in_chunk++;
	rows->count++;
}

static bool
receiver_row(TupleTableSlot *slot, DestReceiver *self)
{
	RowReceiver *receiver = (RowReceiver *) self;
	MemoryContext before = MemoryContextSwitchTo(receiver->scratch);
	int64		time;
	uint32		series;
	bool		after;
	int			at = 1;

	slot_getallattrs(slot);
	if (++receiver->rows->seen % PROGRESS_ROWS == 0)
		progress_rows(receiver->rows->seen);
	time = row_time(receiver, slot->tts_values[0], slot->tts_isnull[0]);
	after = row_is_cut(receiver, time);
	if (!after || !receiver->cut->drop)
	{
		series = row_series(receiver, slot->tts_values + at, slot->tts_isnull + at, time);
		at += receiver->nseries;
		row_store(receiver, time, series, slot->tts_values + at, slot->tts_isnull + at, after);
		at += receiver->rows->C;
		row_statics(receiver, slot->tts_values + at, slot->tts_isnull + at, series, time);
		at += receiver->nstatic;
		if (receiver->rows->arrays != NULL)
			array_row(receiver->rows, series, slot->tts_values + at, slot->tts_isnull + at, time, after);
		at += receiver->rows->arrays != NULL ? receiver->source->roles.narrays : 0;
		if (receiver->places != NULL)
			place_row(receiver->places, series, slot->tts_values + at, slot->tts_isnull + at, time);
	}
	MemoryContextSwitchTo(before);
	MemoryContextReset(receiver->scratch);
	return true;
}

static void
column_check(const Source *source, Oid actual, Oid expected)
{
	if (getBaseType(actual) == expected)
		return;
	if (source->kept != NULL)
		source_kept_forget(source->kept);
	ereport(ERROR,
			(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
			 errmsg("source changed while it was read: a column of type %s became %s",
					format_type_be(expected), format_type_be(actual)),
			 errhint("Try again.")));
}

/* Datums are read by the types that source_shape saw: better make sure. */
static void
receiver_startup(DestReceiver *self, int operation, TupleDesc descriptor)
{
	RowReceiver *receiver = (RowReceiver *) self;
	const Source *source = receiver->source;
	int			at = 0;

	column_check(source, TupleDescAttr(descriptor, at++)->atttypid, source->time.type);
	for (int i = 0; i < receiver->nseries; i++)
		column_check(source, TupleDescAttr(descriptor, at++)->atttypid,
					 receiver->image_type[i].length < 0 ? TEXTOID : source->series[i].type);
	for (uint32 c = 0; c < receiver->rows->C; c++)
		column_check(source, TupleDescAttr(descriptor, at++)->atttypid,
					 receiver->value[c]->type == NUMERICOID ? FLOAT8OID : receiver->value[c]->type);
	for (int i = 0; i < receiver->nstatic; i++)
	{
		Oid			expected = source->statics[i].type == NUMERICOID ? FLOAT8OID :
			source->statics[i].type;

		if (source->statics[i].category)
			expected = receiver->category_type[i].length < 0 ? TEXTOID : source->statics[i].type;
		column_check(source, TupleDescAttr(descriptor, at++)->atttypid, expected);
	}
	for (int i = 0; receiver->rows->arrays != NULL && i < source->roles.narrays; i++)
		column_check(source, TupleDescAttr(descriptor, at++)->atttypid, array_type(source, i));
	for (int i = 0; receiver->places != NULL && i < place_columns(source); i++)
		column_check(source, TupleDescAttr(descriptor, at++)->atttypid, place_type(source, i));
}

static void
receiver_shutdown(DestReceiver *self)
{
}

bool
source_by_name(const Source *source)
{
	const SourceRoles *roles = &source->roles;

	return source->bound && roles->narrays == 0 && place_columns(source) == 0 &&
		(roles->raster == NULL || roles->raster[0] == '\0');
}

static void
column_append(StringInfo text, const Source *source, const SourceColumn *column, const char *cast)
{
	if (source_by_name(source))
		appendStringInfo(text, "source.%s%s", quote_identifier(column->name), cast);
	else
		appendStringInfo(text, "source.c%d%s", column->number, cast);
}

static void
number_append(StringInfo text, const Source *source, const SourceColumn *column)
{
	appendStringInfoString(text, ", ");
	column_append(text, source, column, column->type == NUMERICOID ? "::pg_catalog.float8" : "");
}

static void
image_column_append(StringInfo text, const Source *source, const SourceColumn *column,
					const ImageType *type)
{
	appendStringInfoString(text, ", ");
	column_append(text, source, column, type->length < 0 ? "::pg_catalog.text" : "");
}

/* Are rows behind as_of left out by the SELECT already? */
static bool
select_ends(const RowReceiver *receiver)
{
	return receiver->source->newest > 0 && receiver->cut->active && receiver->cut->drop;
}

/* Only the latest rows, so that an index on the time is read from its end. */
static void
newest_append(const RowReceiver *receiver, StringInfo text)
{
	const Source *source = receiver->source;

	if (select_ends(receiver))
	{
		appendStringInfoString(text, " WHERE ");
		column_append(text, source, &source->time, " OPERATOR(pg_catalog.<=) $1");
	}
	appendStringInfoString(text, " ORDER BY ");
	column_append(text, source, &source->time, " DESC LIMIT ");
	appendStringInfo(text, UINT64_FORMAT, source->newest);
}

/*
 * Columns are called c1, c2, ... so that no name of the caller's has to be unique.  Those of
 * roles are, however, and a statement that is planned anew when a table has changed had
 * better find its columns by them.
 */
static char *
receiver_select(const RowReceiver *receiver)
{
	const Source *source = receiver->source;
	StringInfoData text;

	initStringInfo(&text);
	appendStringInfoString(&text, "SELECT ");
	column_append(&text, source, &source->time, "");
	for (int i = 0; i < receiver->nseries; i++)
		image_column_append(&text, source, &source->series[i], &receiver->image_type[i]);
	for (uint32 c = 0; c < receiver->rows->C; c++)
		number_append(&text, source, receiver->value[c]);
	for (int i = 0; i < receiver->nstatic; i++)
	{
		if (!source->statics[i].category)
			number_append(&text, source, &source->statics[i]);
		else
			image_column_append(&text, source, &source->statics[i], &receiver->category_type[i]);
	}
	if (receiver->rows->arrays != NULL)
		array_select(source, &text);
	if (receiver->places != NULL)
		place_select(source, &text);
	appendStringInfo(&text, " FROM (\n%s\n) AS source", source->query);
	for (int i = 1; i <= source->ncolumns && !source_by_name(source); i++)
		appendStringInfo(&text, "%sc%d%s", i == 1 ? " (" : ", ", i, i == source->ncolumns ? ")" : "");
	if (source->newest > 0)
		newest_append(receiver, &text);
	return text.data;
}

static RowReceiver *
receiver_create(const Source *source, const RowCut *cut, bool future_only, size_t limit,
				size_t *used)
{
	const SourceRoles *roles = &source->roles;
	int			first = future_only ? roles->ntargets + roles->npast : 0;
	RowReceiver *receiver = palloc0(sizeof(RowReceiver));
	SourceRows *rows = palloc0(sizeof(SourceRows));

	receiver->pub.receiveSlot = receiver_row;
	receiver->pub.rStartup = receiver_startup;
	receiver->pub.rShutdown = receiver_shutdown;
	receiver->pub.rDestroy = receiver_shutdown;
	receiver->pub.mydest = DestTuplestore;	/* any kind but DestNone and DestSPI */
	receiver->rows = rows;
	receiver->source = source;
	receiver->cut = cut;
	receiver->nknown = future_only ? 0 : roles->ntargets + roles->npast;
	receiver->nseries = roles->nseries;
	receiver->nstatic = future_only ? 0 : roles->nstatic;
	receiver->image_type = palloc0(sizeof(ImageType) * Max(roles->nseries, 1));
	for (int i = 0; i < roles->nseries; i++)
		receiver->image_type[i] = image_type_get(source->series[i].type);
	receiver->category_type = palloc0(sizeof(ImageType) * Max(roles->nstatic, 1));
	for (int i = 0; i < receiver->nstatic; i++)
		if (source->statics[i].category)
			receiver->category_type[i] = image_type_get(source->statics[i].type);

	rows->source = source;
	rows->context = CurrentMemoryContext;
	rows->C = roles->ntargets + roles->npast + roles->nfuture - first;
	rows->limit = limit;
	rows->used = used;
	rows->chunk_rows = Max(CHUNK_BYTES / (12 + 8 * rows->C), CHUNK_MIN_ROWS);
	if (source->newest > 0 && source->newest < rows->chunk_rows)
		rows->chunk_rows = (uint32) source->newest;
	receiver->value = palloc(sizeof(SourceColumn *) * Max(rows->C, 1));
	for (uint32 c = 0; c < rows->C; c++)
		receiver->value[c] = &source->value[first + c];

	receiver->max_series = 16;
	rows->series = palloc0(sizeof(RowSeries) * receiver->max_series);
	receiver->max_chunks = 16;
	rows->chunk = palloc0(sizeof(RowChunk) * receiver->max_chunks);
	receiver->hash = image_create(CurrentMemoryContext, 64, NULL);
	if (!future_only && roles->narrays > 0)
		rows->arrays = array_reader_create(source);
	if (!future_only && place_columns(source) > 0)
		receiver->places = place_reader_create(source, rows);
	initStringInfo(&receiver->image);
	initStringInfo(&receiver->category);
	receiver->scratch = AllocSetContextCreate(CurrentMemoryContext, "lstm row",
											  ALLOCSET_SMALL_SIZES);
	return receiver;
}

/* By a plan that is kept, or one for this time. */
static void
select_execute(const char *text, const Source *source, const SPIExecuteOptions *options)
{
	Oid			parameter = options->params ? options->params->params[0].ptype : InvalidOid;
	SPIPlanPtr	plan = source->kept ? source_kept_plan(source->kept, text, parameter) : NULL;

	if (plan != NULL)
		(void) SPI_execute_plan_extended(plan, options);
	else
		(void) SPI_execute_extended(text, options);
}

/*
 * A stored source must not write, whatever functions it calls.  Forecasts are
 * stable functions: their sources see the snapshot of the calling statement, and
 * only a training's sees what its own transaction did since.
 */
static void
select_run(const char *text, const Source *source, ParamListInfo parameter, DestReceiver *receiver)
{
	SPIExecuteOptions options;
	bool		before = XactReadOnly;
	SearchPathGuard guard = search_path_push(source->search_path, source->time_zone);

	memset(&options, 0, sizeof(options));
	options.read_only = source->bound;
	options.must_return_tuples = true;
	options.dest = receiver;
	options.params = parameter;

	SPI_connect();
	PG_TRY();
	{
		if (source->read_only)
			XactReadOnly = true;
		select_execute(text, source, &options);
	}
	PG_FINALLY();
	{
		XactReadOnly = before;
	}
	PG_END_TRY();
	SPI_finish();
	search_path_pop(guard);
}

void
source_select_run(const char *text, const Source *source, DestReceiver *receiver)
{
	select_run(text, source, NULL, receiver);
}

/*
 * The time behind which the SELECT leaves rows out: as_of, or a day later where the zone's
 * clock decides row by row.
 */
static ParamListInfo
end_parameter(const Source *source, const RowCut *cut)
{
	ParamListInfo list = makeParamList(1);
	int64		time = source->kind == NN_TIME_TIMESTAMPTZ ? cut->instant :
		cut->local > END_TIMESTAMP - 1 - USECS_PER_DAY ? END_TIMESTAMP - 1 : cut->local + USECS_PER_DAY;

	list->params[0].ptype = source->time.type;
	list->params[0].pflags = PARAM_FLAG_CONST;
	list->params[0].isnull = false;
	list->params[0].value = source->time.type == DATEOID ?
		DateADTGetDatum((DateADT) nn_floor_div(time, USECS_PER_DAY)) : TimestampGetDatum(time);
	return list;
}

/*
 * All rows of source, in the current memory context.  future_only: only the
 * future covariates are read.
 */
SourceRows *
source_rows_read(const Source *source, const RowCut *cut, bool future_only, size_t limit,
				 size_t *used)
{
	RowReceiver *receiver = receiver_create(source, cut, future_only, limit, used);

	select_run(receiver_select(receiver), source,
			   select_ends(receiver) ? end_parameter(source, cut) : NULL, &receiver->pub);
	return receiver->rows;
}
