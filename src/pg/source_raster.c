/*
 * source_raster.c
 *		Rows that are rasters become rows that are pixels.
 *
 * Where the column named as the places is of PostGIS's type raster, the source's SELECT
 * is put into another one that makes a row of each pixel of the first band: columns
 * "row" and "column" (from 1) name its series, "value" is what it holds, and its centre
 * stands in the raster's own column.  NODATA pixels have no row: unknown.  Knows the
 * functions of postgis_raster by name only; nothing is needed where no raster is.
 * Costs what ST_PixelAsCentroids costs, some microseconds a pixel.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_type.h"
#include "lib/stringinfo.h"
#include "pg/source_parts.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/syscache.h"

static const char *const pixel_columns[] = {"row", "column", "value"};

/* The column of places, where it is a raster; NULL else. */
static const ShapeColumn *
raster_column(const Source *source, const SourceShape *shape)
{
	const char *geom = source->roles.geom ? source->roles.geom : source->roles.raster;

	for (int i = 0; geom != NULL && i < shape->ncolumns; i++)
		if (strcmp(shape->column[i].name, geom) == 0 &&
			place_is_raster(shape->column[i].base))
			return &shape->column[i];
	return NULL;
}

/* The schema of a type, which is that of its extension. */
static char *
type_schema(Oid type)
{
	HeapTuple	tuple = SearchSysCache1(TYPEOID, ObjectIdGetDatum(type));
	char	   *name;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("type with OID %u does not exist", type)));
	name = get_namespace_name(((Form_pg_type) GETSTRUCT(tuple))->typnamespace);
	ReleaseSysCache(tuple);
	return name;
}

/* The SELECT of pixels around source's own. */
static char *
pixels_query(const Source *source, const SourceShape *shape, const ShapeColumn *raster)
{
	StringInfoData query;
	const char *name = quote_identifier(raster->name);

	initStringInfo(&query);
	appendStringInfoString(&query, "SELECT ");
	for (int i = 0; i < shape->ncolumns; i++)
	{
		const char *other = shape->column[i].name;

		if (&shape->column[i] == raster)
			continue;
		for (size_t k = 0; k < lengthof(pixel_columns); k++)
			if (strcmp(other, pixel_columns[k]) == 0)
				ereport(ERROR,
						(errcode(ERRCODE_DUPLICATE_COLUMN),
						 errmsg("column \"%s\" of the source has the name that pixels of \"%s\" get", other,
								raster->name),
						 errhint("Rename it in the source; pixels get the columns row, column and value.")));
		appendStringInfo(&query, "lstm_source.%s, ", quote_identifier(other));
	}
	appendStringInfo(&query, "lstm_pixel.y AS \"row\", lstm_pixel.x AS \"column\", "
					 "lstm_pixel.val AS value, lstm_pixel.geom AS %s FROM (%s\n) AS lstm_source, "
					 "LATERAL %s.st_pixelascentroids(lstm_source.%s, 1, true) AS lstm_pixel",
					 name, source->query,
					 quote_identifier(type_schema(raster->base)), name);
	return query.data;
}

bool
source_pixels(Source *source, SourceShape **shape)
{
	const ShapeColumn *raster = raster_column(source, *shape);

	if (raster == NULL)
		return false;
	source->query = pixels_query(source, *shape, raster);
	*shape = source_shape(source->query);
	source->ncolumns = (*shape)->ncolumns;
	return true;
}

void
source_pixels_name(SourceRoles *roles)
{
	char	  **series = palloc(sizeof(char *) * (roles->nseries + 2));
	int			n = roles->nseries;

	for (int i = 0; i < n; i++)
		series[i] = roles->series[i];
	for (int k = 0; k < 2; k++)
	{
		bool		named = false;

		for (int i = 0; i < roles->nseries; i++)
			named = named || strcmp(series[i], pixel_columns[k]) == 0;
		if (!named)
			series[n++] = pstrdup(pixel_columns[k]);
	}
	roles->series = series;
	roles->nseries = n;
}
