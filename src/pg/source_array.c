/*
 * source_array.c
 *		Array columns of a source: images and vectors, row by row.
 *
 * A column of numeric arrays that past_covariates names is no column of numbers but an
 * input of its own (core/nn_array.h).  One dimension is a vector, two are rows and columns
 * of an image, three rows, columns and channels; what the first row has, all rows must
 * have, or what the model was trained on.  NULL, and an array with an element that is
 * NULL or NaN, is unknown.
 *
 * Vectors are kept in single precision, in blocks that never move, and once more when
 * the rows lie on their grid: 4 bytes per number, twice while reading.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "catalog/pg_type.h"
#include "core/nn_array.h"
#include "miscadmin.h"
#include "pg/source_parts.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/memutils.h"

/* Numbers of a block of vectors, but for vectors that are longer. */
#define BLOCK_NUMBERS	65536

/* Rows whose numbers of vectors are allocated at first. */
#define FIRST_ROWS		1024

#define POLL_ROWS		16384

/* The vectors of one column. */
typedef struct RowVectors
{
	NnArraySpec shape;			/* rows 0: not known so far */
	int64		time;			/* of the row that it was found in */
	uint32		width;
	uint32		n;				/* vectors */
	uint32		block_vectors;
	uint32		nblocks, max_blocks;
	float	  **block;			/* [nblocks][block_vectors][width] */
} RowVectors;

struct RowArrays
{
	uint32		max_rows;
	uint32	   *at;				/* [rows][narrays] number of the vector */
	RowVectors	column[NN_MAX_ARRAYS];
};

bool
array_type_fits(Oid type)
{
	switch (type)
	{
		case INT2ARRAYOID:
		case INT4ARRAYOID:
		case INT8ARRAYOID:
		case FLOAT4ARRAYOID:
		case FLOAT8ARRAYOID:
		case NUMERICARRAYOID:
			return true;
		default:
			return false;
	}
}

void
array_select(const Source *source, StringInfo text)
{
	for (int i = 0; i < source->roles.narrays; i++)
		appendStringInfo(text, ", source.c%d%s", source->array[i].number,
						 source->array[i].type == FLOAT4ARRAYOID ? "" : "::pg_catalog.float8[]");
}

Oid
array_type(const Source *source, int i)
{
	return source->array[i].type == FLOAT4ARRAYOID ? FLOAT4ARRAYOID : FLOAT8ARRAYOID;
}

RowArrays *
array_reader_create(const Source *source)
{
	RowArrays  *arrays = palloc0(sizeof(RowArrays));

	for (int i = 0; i < source->roles.narrays && source->roles.array != NULL; i++)
	{
		arrays->column[i].shape = source->roles.array[i];
		arrays->column[i].width = nn_array_width(&source->roles.array[i]);
	}
	return arrays;
}

/* ------------------------------------------------------------------------
 * Row by row
 */

/* A row at hand. */
typedef struct ArrayRow
{
	SourceRows *rows;
	const SourceColumn *column;
	RowVectors *vectors;
	uint32		series;
	int64		time;
} ArrayRow;

/* Leaves the series out, where bad series are; else returns what to call it in an error. */
static const char *
series_phrase(const ArrayRow *row, const char *reason)
{
	const Source *source = row->rows->source;
	RowSeries  *series = &row->rows->series[row->series];
	char	  **key = palloc(sizeof(char *) * Max(source->roles.nseries, 1));

	if (source->skip)
	{
		if (series->bad == NULL)
			series->bad = MemoryContextStrdup(row->rows->context, reason);
		return NULL;
	}
	if (source->roles.nseries == 0)
		return "";
	row_series_key(row->rows, row->series, key);
	return psprintf(" of series \"%s\"", series_name_join(key, source->roles.nseries));
}

static const char *
dims_text(const ArrayType *array)
{
	StringInfoData text;

	initStringInfo(&text);
	for (int d = 0; d < ARR_NDIM(array); d++)
		appendStringInfo(&text, "%s%d", d ? " x " : "", ARR_DIMS(array)[d]);
	return text.data;
}

static const char *
shape_text(const NnArraySpec *shape)
{
	if (shape->rows == 1 && shape->cols == 1)
		return psprintf("%u", shape->C);
	if (shape->C == 1)
		return psprintf("%u x %u", shape->rows, shape->cols);
	return psprintf("%u x %u x %u", shape->rows, shape->cols, shape->C);
}

static void
dims_refuse(const ArrayRow *row, const ArrayType *array)
{
	const char *name = row->column->name,
			   *when = pstrdup(source_time_text(row->rows->source->kind, row->time));
	const RowVectors *vectors = row->vectors;
	bool		known = vectors->shape.rows > 0;
	const char *found = ARR_NDIM(array) == 0 ? "no elements" :
		psprintf("dimensions %s", dims_text(array));
	const char *phrase = series_phrase(row, psprintf("has %s in array column \"%s\" at %s", found, name,
													 when));

	if (phrase == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("array column \"%s\"%s has %s at %s%s", name, phrase, found, when,
					known ? psprintf(" instead of %s", shape_text(&vectors->shape)) : ""),
			 known && row->rows->source->bound ?
			 errdetail("The model was trained on arrays of %s.", shape_text(&vectors->shape)) :
			 known ? errdetail("Those of the row at %s are %s.",
							   source_time_text(row->rows->source->kind, vectors->time),
							   shape_text(&vectors->shape)) : 0,
			 errhint("All arrays of a column have the same dimensions: one (a vector), two (an image) or "
					 "three (rows, columns, channels).  NULL means unknown.")));
}

static __attribute__((noreturn)) void
width_refuse(const ArrayRow *row, const ArrayType *array)
{
	ereport(ERROR,
			(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
			 errmsg("arrays of column \"%s\" have %s numbers, above the limit of %d", row->column->name,
					dims_text(array), NN_MAX_ARRAY),
			 errhint("Bring images to fewer pixels in the source.")));
}

/* Has the array the shape of the column?  The first one becomes it. */
static bool
dims_check(const ArrayRow *row, const ArrayType *array)
{
	RowVectors *vectors = row->vectors;
	int			ndim = ARR_NDIM(array);
	const int  *dim = ARR_DIMS(array);
	NnArraySpec shape = {.rows = 1,.cols = 1,.C = 1};

	if (ndim < 1 || ndim > 3)
	{
		dims_refuse(row, array);
		return false;
	}
	if (ndim == 1)
		shape.C = (uint32) dim[0];
	else
	{
		shape.rows = (uint32) dim[0];
		shape.cols = (uint32) dim[1];
		shape.C = ndim == 3 ? (uint32) dim[2] : 1;
	}
	if (vectors->shape.rows == 0)
	{
		if ((double) shape.rows * shape.cols * shape.C > NN_MAX_ARRAY)
			width_refuse(row, array);
		vectors->shape = shape;
		vectors->time = row->time;
		vectors->width = nn_array_width(&shape);
	}
	if (shape.rows == vectors->shape.rows && shape.cols == vectors->shape.cols &&
		shape.C == vectors->shape.C)
		return true;
	dims_refuse(row, array);
	return false;
}

/* Room for the next vector; it is taken when n is counted up. */
static float *
vector_room(const ArrayRow *row)
{
	RowVectors *vectors = row->vectors;
	SourceRows *rows = row->rows;
	size_t		bytes;

	if (vectors->block_vectors == 0)
		vectors->block_vectors = Max(BLOCK_NUMBERS / vectors->width, 1);
	if (vectors->n == vectors->nblocks * vectors->block_vectors)
	{
		bytes = sizeof(float) * vectors->block_vectors * vectors->width;
		source_account(rows->used, rows->limit, bytes, rows->count);
		if (vectors->nblocks == vectors->max_blocks)
		{
			vectors->max_blocks = Max(2 * vectors->max_blocks, 16);
			vectors->block = vectors->block == NULL ?
				MemoryContextAlloc(rows->context, sizeof(float *) * vectors->max_blocks) :
				repalloc_huge(vectors->block, sizeof(float *) * vectors->max_blocks);
		}
		vectors->block[vectors->nblocks++] = MemoryContextAllocHuge(rows->context, bytes);
	}
	return vectors->block[vectors->n / vectors->block_vectors] +
		(size_t) (vectors->n % vectors->block_vectors) * vectors->width;
}

static void
number_refuse(const ArrayRow *row, double number)
{
	const char *name = row->column->name,
			   *when = pstrdup(source_time_text(row->rows->source->kind, row->time));
	const char *phrase = series_phrase(row, psprintf("has the number %g, out of range, in array column "
													 "\"%s\" at %s", number, name, when));

	if (phrase == NULL)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("array column \"%s\"%s has the number %g, out of range, at %s", name, phrase, number,
					when),
			 errhint("Numbers of arrays are finite and of single precision; NULL means unknown.")));
}

/* Number of the row's vector, or NN_ARRAY_UNKNOWN. */
static uint32
array_read(const ArrayRow *row, Datum value)
{
	ArrayType  *array = DatumGetArrayTypeP(value);
	bool		is_double = ARR_ELEMTYPE(array) == FLOAT8OID;
	const void *data = ARR_DATA_PTR(array);
	float	   *out;

	if (!dims_check(row, array))
		return NN_ARRAY_UNKNOWN;
	if (ARR_HASNULL(array) && array_contains_nulls(array))
		return NN_ARRAY_UNKNOWN;
	out = vector_room(row);
	for (uint32 x = 0; x < row->vectors->width; x++)
	{
		double		number = is_double ? ((const float8 *) data)[x] : ((const float4 *) data)[x];

		if (isnan(number))
			return NN_ARRAY_UNKNOWN;
		if (!(fabs(number) <= FLT_MAX))
		{
			number_refuse(row, number);
			return NN_ARRAY_UNKNOWN;
		}
		out[x] = (float) number;
	}
	return row->vectors->n++;
}

void
array_row(SourceRows *rows, uint32 series, const Datum *values, const bool *nulls, int64 time,
		  bool unknown)
{
	RowArrays  *arrays = rows->arrays;
	uint32		n = (uint32) rows->source->roles.narrays;
	uint64		row = rows->count - 1;

	if (row >= arrays->max_rows)
	{
		uint32		more = Max(arrays->max_rows, FIRST_ROWS);

		source_account(rows->used, rows->limit, sizeof(uint32) * n * more, rows->count);
		arrays->max_rows += more;
		arrays->at = arrays->at == NULL ?
			MemoryContextAllocHuge(rows->context, sizeof(uint32) * n * arrays->max_rows) :
			repalloc_huge(arrays->at, sizeof(uint32) * n * arrays->max_rows);
	}
	for (uint32 i = 0; i < n; i++)
	{
		ArrayRow	at = {rows, &rows->source->array[i], &arrays->column[i], series, time};

		arrays->at[row * n + i] = unknown || nulls[i] ? NN_ARRAY_UNKNOWN : array_read(&at, values[i]);
	}
}

/* ------------------------------------------------------------------------
 * On the grid
 */

/* The vectors of a column one after the other. */
static const float *
vectors_join(Reading *reading, const RowVectors *vectors)
{
	size_t		numbers = nn_size_mul(reading->env, vectors->n, vectors->width),
				block = (size_t) vectors->block_vectors * vectors->width;
	float	   *value;

	source_account(&reading->used, reading->env->max_memory,
				   nn_size_mul(reading->env, numbers, sizeof(float)), reading->data->rows);
	value = NN_NEW_ARRAY(reading->env, float, Max(numbers, 1));
	for (uint32 b = 0; b < vectors->nblocks; b++)
	{
		CHECK_FOR_INTERRUPTS();
		memcpy(value + b * block, vectors->block[b],
			   sizeof(float) * Min(block, numbers - b * block));
	}
	return value;
}

static void
shape_refuse_unknown(const SourceColumn *column)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("array column \"%s\" has no known row", column->name),
			 errhint("Leave it out of past_covariates, or give rows in which it has values.")));
}

void
arrays_lay(Reading *reading)
{
	const Source *source = reading->source;
	const SortedRows *sorted = &reading->main;
	const RowArrays *arrays = sorted->rows->arrays;
	uint32		n = (uint32) source->roles.narrays;
	NnSeries   *series = &reading->data->series;

	if (n == 0)
		return;
	series->narrays = n;
	series->array = NN_NEW_ARRAY(reading->env, NnArray, n);
	for (uint32 i = 0; i < n; i++)
	{
		const RowVectors *vectors = &arrays->column[i];
		NnArraySpec *shape = &reading->data->array[i];

		if (vectors->shape.rows == 0)
			shape_refuse_unknown(&source->array[i]);
		*shape = vectors->shape;
		strlcpy(shape->name, source->array[i].name, sizeof(shape->name));
		series->array[i].name = shape->name;
		series->array[i].width = vectors->width;
		series->array[i].value = vectors_join(reading, vectors);
	}
	series->array = nn_arrays_create(reading->env, series, series->first[series->nseries]);
	for (uint32 s = 0; s < series->nseries; s++)
		for (size_t r = sorted->first[s]; r < sorted->first[s + 1]; r++)
		{
			int64		place;

			if (r % POLL_ROWS == 0)
				CHECK_FOR_INTERRUPTS();
			/* grid_fill has looked at them before. */
			if (!row_place_find(reading, sorted, s, r, &place))
				continue;
			for (uint32 i = 0; i < n; i++)
				series->array[i].at[series->first[s] + place] = arrays->at[(size_t) sorted->row[r] * n + i];
		}
}
