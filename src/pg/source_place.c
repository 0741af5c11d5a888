/*
 * source_place.c
 *		Where series are: the geometry of each, or its row and column.
 *
 * Knows types by name and values as bytes; what they mean is left to space.c and
 * to SQL.  A series is at one place: what a later row says must be the same.
 * Geometries are compared as they are stored, and only where these differ as the
 * bytes that the type sends, so a row costs one comparison.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "catalog/dependency.h"
#include "fmgr.h"
#include "pg/source_parts.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

/* Is it the type of that name that the extension brought? */
static bool
type_is(Oid type, const char *name, const char *extension)
{
	Oid			owner = get_extension_oid(extension, true);
	HeapTuple	tuple;
	bool		same;

	if (!OidIsValid(owner) || getExtensionOfObject(TypeRelationId, type) != owner)
		return false;
	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	if (!HeapTupleIsValid(tuple))
		return false;
	same = strcmp(NameStr(((Form_pg_type) GETSTRUCT(tuple))->typname), name) == 0;
	ReleaseSysCache(tuple);
	return same;
}

bool
place_is_raster(Oid type)
{
	return type_is(type, "raster", "postgis_raster");
}

void
place_check_type(const char *column, Oid type, bool *geography)
{
	*geography = type_is(type, "geography", "postgis");
	if (*geography || type_is(type, "geometry", "postgis"))
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATATYPE_MISMATCH),
			 errmsg("column \"%s\" of type %s cannot be the place of series", column, format_type_be(type)),
			 errhint("Places are of type geometry or geography, of the extension postgis.")));
}

/* ------------------------------------------------------------------------
 * Row by row
 */

struct PlaceReader
{
	const Source *source;
	SourceRows *rows;
	FmgrInfo	send;			/* of the geometry's type */
};

int
place_columns(const Source *source)
{
	return (source->geom.number > 0) + source->roles.nplaces;
}

PlaceReader *
place_reader_create(const Source *source, SourceRows *rows)
{
	PlaceReader *reader = palloc0(sizeof(PlaceReader));
	Oid			send;
	bool		is_varlena;

	reader->source = source;
	reader->rows = rows;
	if (source->geom.number > 0)
	{
		getTypeBinaryOutputInfo(source->geom.type, &send, &is_varlena);
		fmgr_info(send, &reader->send);
	}
	return reader;
}

void
place_select(const Source *source, StringInfo text)
{
	if (source->geom.number > 0)
		appendStringInfo(text, ", source.c%d", source->geom.number);
	for (int i = 0; i < source->roles.nplaces; i++)
		appendStringInfo(text, ", source.c%d::pg_catalog.int8", source->place[i].number);
}

Oid
place_type(const Source *source, int i)
{
	return source->geom.number > 0 && i == 0 ? source->geom.type : INT8OID;
}

/* Error that a series is at two places, unless bad series are left out. */
static void
place_refuse(const PlaceReader *reader, uint32 series, int64 time, const char *column,
			 const char *one, const char *other)
{
	RowSeries  *row = &reader->rows->series[series];
	NnTimeKind	kind = reader->source->kind;
	int			nseries = reader->source->roles.nseries;
	char	  **key = palloc(sizeof(char *) * Max(nseries, 1));
	const char *first = pstrdup(source_time_text(kind, row->place->time)),
			   *then = pstrdup(source_time_text(kind, time));

	if (reader->source->skip)
	{
		if (row->bad == NULL)
			row->bad = MemoryContextStrdup(reader->rows->context,
										   psprintf("moved between %s and %s", first, then));
		return;
	}
	row_series_key(reader->rows, series, key);
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("series \"%s\" moved between %s and %s", series_name_join(key, nseries), first, then),
			 one == NULL ? errdetail("Column \"%s\" differs.", column) :
			 errdetail("Column \"%s\" is %s, then %s.", column, one, other),
			 errhint("A series has one place; give what moved another name in the series column.")));
}

static RowPlace *
place_of(PlaceReader *reader, uint32 series, int64 time)
{
	RowSeries  *row = &reader->rows->series[series];

	if (row->place == NULL)
	{
		source_account(reader->rows->used, reader->rows->limit, sizeof(RowPlace), reader->rows->count);
		row->place = MemoryContextAllocZero(reader->rows->context, sizeof(RowPlace));
		row->place->time = time;
	}
	return row->place;
}

static void
geom_row(PlaceReader *reader, uint32 series, Datum value, int64 time)
{
	RowPlace   *place = place_of(reader, series, time);
	struct varlena *image = PG_DETOAST_DATUM(value);
	bytea	   *sent;

	if (place->geom != NULL && VARSIZE(image) == place->nimage &&
		memcmp(place->image, image, place->nimage) == 0)
		return;
	sent = SendFunctionCall(&reader->send, PointerGetDatum(image));
	if (place->geom == NULL)
	{
		place->nimage = VARSIZE(image);
		source_account(reader->rows->used, reader->rows->limit,
					   (size_t) place->nimage + VARSIZE(sent), reader->rows->count);
		place->image = MemoryContextAlloc(reader->rows->context, place->nimage);
		memcpy(place->image, image, place->nimage);
		place->geom = MemoryContextAlloc(reader->rows->context, VARSIZE(sent));
		memcpy(place->geom, sent, VARSIZE(sent));
		place->time = time;
	}
	else if (VARSIZE(sent) != VARSIZE(place->geom) ||
			 memcmp(sent, place->geom, VARSIZE(sent)) != 0)
		place_refuse(reader, series, time, reader->source->geom.name, NULL, NULL);
}

static void
cell_row(PlaceReader *reader, uint32 series, int i, int64 value, int64 time)
{
	RowPlace   *place = place_of(reader, series, time);

	if (!place->known[i])
	{
		place->known[i] = true;
		place->cell[i] = value;
	}
	else if (place->cell[i] != value)
		place_refuse(reader, series, time, reader->source->place[i].name,
					 psprintf(INT64_FORMAT, place->cell[i]), psprintf(INT64_FORMAT, value));
}

void
place_row(PlaceReader *reader, uint32 series, const Datum *values, const bool *nulls, int64 time)
{
	int			at = 0;

	if (reader->source->geom.number > 0)
	{
		if (!nulls[at])
			geom_row(reader, series, values[at], time);
		at++;
	}
	for (int i = 0; i < reader->source->roles.nplaces; i++, at++)
		if (!nulls[at])
			cell_row(reader, series, i, DatumGetInt64(values[at]), time);
}

/* ------------------------------------------------------------------------
 * Series by series
 */

/* Two sets of values may be one series: '1' and 1.0 differ, their names may not. */
static bool
places_agree(const SourcePlace *place, const RowPlace *row)
{
	if (place->geom != NULL && row->geom != NULL &&
		(VARSIZE(place->geom) != VARSIZE(row->geom) ||
		 memcmp(place->geom, row->geom, VARSIZE(row->geom)) != 0))
		return false;
	for (int i = 0; i < 2; i++)
		if (place->known[i] && row->known[i] && place->cell[i] != row->cell[i])
			return false;
	return true;
}

void
place_merge(const NnEnv *env, SourcePlace *place, const RowPlace *row, const char *name)
{
	if (row == NULL)
		return;
	if (!places_agree(place, row))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("series \"%s\" is at two places", name),
				 errhint("A series has one place; check the columns named as series.")));
	if (place->geom == NULL && row->geom != NULL)
	{
		place->geom = nn_alloc(env, VARSIZE(row->geom), 1);
		memcpy(place->geom, row->geom, VARSIZE(row->geom));
	}
	for (int i = 0; i < 2; i++)
		if (row->known[i])
		{
			place->known[i] = true;
			place->cell[i] = row->cell[i];
		}
}
