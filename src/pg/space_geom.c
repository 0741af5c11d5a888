/*
 * space_geom.c
 *		What PostGIS says of places, asked through the functions of lstm_postgis.
 *
 * Sends the geometries of all series as one array and reads points and neighbours
 * back.  The functions are named with their schema and run with the caller's rights.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "commands/extension.h"
#include "executor/spi.h"
#include "miscadmin.h"
#include "pg/source_parts.h"
#include "pg/space.h"
#include "utils/array.h"
#include "utils/builtins.h"

/* Edges fetched at once. */
#define FETCH_EDGES 10000

/* Coordinates of a plane are nearer to its origin: no unit of length has the earth larger. */
#define COORDINATE_MOST 1e12

static void
extension_require(void)
{
	if (!OidIsValid(get_extension_oid("lstm_postgis", true)))
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("argument \"geom\" needs the extension lstm_postgis"),
				 errhint("Run CREATE EXTENSION lstm_postgis, or set \"space\" to \"none\" to train on the "
						 "series alone.")));
}

/* All geometries; they are known. */
static Datum
geom_array(const SourceData *data)
{
	uint32		n = data->series.nseries;
	Datum	   *datums = palloc(n * sizeof(Datum));
	ArrayType  *array;

	for (uint32 s = 0; s < n; s++)
		datums[s] = PointerGetDatum(data->place[s].geom);
	array = construct_array(datums, (int) n, BYTEAOID, -1, false, TYPALIGN_INT);
	pfree(datums);
	return PointerGetDatum(array);
}

static __attribute__((noreturn)) void
answer_refuse(const char *function)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("%s gave an answer that is not understood", function),
			 errhint("Update the extension lstm_postgis to the version of lstm.")));
}

static Datum
answer_get(SPITupleTable *table, uint64 row, int column, bool *isnull)
{
	return SPI_getbinval(table->vals[row], table->tupdesc, column, isnull);
}

/* A number of a series in an answer, from 0. */
static uint32
answer_series(SPITupleTable *table, uint64 row, int column, uint32 nseries, const char *function)
{
	bool		isnull;
	int32		number = DatumGetInt32(answer_get(table, row, column, &isnull));

	if (isnull || number < 1 || (uint32) number > nseries)
		answer_refuse(function);
	return (uint32) number - 1;
}

/* Looks at one answer of geom_describe: site, srid, is_empty, geographic, x, y. */
static void
place_take(const SourceData *data, SPITupleTable *table, uint64 row, SpacePlaces *places,
		   int32 *srid)
{
	const char *function = "lstm.geom_describe";
	uint32		s = answer_series(table, row, 1, data->series.nseries, function);
	bool		isnull[5];
	Datum		value[5];
	const char *name = data->series.name[s];

	for (int i = 0; i < 5; i++)
		value[i] = answer_get(table, row, i + 2, &isnull[i]);
	if (s != row || isnull[0] || isnull[1])
		answer_refuse(function);
	if (DatumGetBool(value[1]) || isnull[3] || isnull[4])
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the geometry of series \"%s\" is empty", name),
				 errhint("Leave the series out of the source, or give it a place.")));
	if (row > 0 && DatumGetInt32(value[0]) != *srid)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the geometries of series \"%s\" and \"%s\" have different SRIDs, %d and %d",
						data->series.name[0], name, *srid, DatumGetInt32(value[0])),
				 errhint("Bring them together with ST_Transform() in the source.")));
	*srid = DatumGetInt32(value[0]);
	places->geographic = !isnull[2] && DatumGetBool(value[2]);
	places->x[s] = DatumGetFloat8(value[3]);
	places->y[s] = DatumGetFloat8(value[4]);
	if (!isfinite(places->x[s]) || !isfinite(places->y[s]))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the geometry of series \"%s\" is not at finite coordinates", name)));
	if (places->geographic ? fabs(places->x[s]) > 360 || fabs(places->y[s]) > 90 :
		fabs(places->x[s]) > COORDINATE_MOST || fabs(places->y[s]) > COORDINATE_MOST)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the geometry of series \"%s\" is at %g, %g, beyond the coordinates of SRID %d", name,
						places->x[s], places->y[s], *srid),
				 places->geographic ? errhint("Longitude comes first, then latitude, in degrees.") : 0));
}

SpacePlaces *
space_places(const NnEnv *env, const SourceData *data)
{
	SpacePlaces *places = NN_NEW(env, SpacePlaces);
	uint32		n = data->series.nseries;
	Oid			types[2] = {BYTEAARRAYOID, BOOLOID};
	Datum		arguments[2];
	int32		srid = 0;

	extension_require();
	places->x = NN_NEW_ARRAY(env, double, n);
	places->y = NN_NEW_ARRAY(env, double, n);
	SPI_connect();
	arguments[0] = geom_array(data);
	arguments[1] = BoolGetDatum(data->geography);
	if (SPI_execute_with_args("SELECT d.site, d.srid, d.is_empty, d.geographic, d.x, d.y"
							  " FROM lstm.geom_describe($1, $2) AS d ORDER BY d.site",
							  2, types, arguments, NULL, true, 0) != SPI_OK_SELECT ||
		SPI_processed != n)
		answer_refuse("lstm.geom_describe");
	for (uint64 row = 0; row < n; row++)
		place_take(data, SPI_tuptable, row, places, &srid);
	SPI_finish();
	if (srid == 0 && !data->geography)
		ereport(NOTICE,
				(errmsg("the places of the series have no SRID: distances are in units of their coordinates"),
				 errhint("ST_SetSRID() in the source says what coordinates they are.")));
	return places;
}

static void
neighbors_take(const NnEnv *env, const SourceData *data, SpaceEdges *edges)
{
	uint32		n = data->series.nseries;
	const char *function = "lstm.geom_edges";

	for (uint64 row = 0; row < SPI_processed; row++)
	{
		uint32		source = answer_series(SPI_tuptable, row, 1, n, function),
					target = answer_series(SPI_tuptable, row, 2, n, function);
		bool		isnull;
		double		distance = DatumGetFloat8(answer_get(SPI_tuptable, row, 3, &isnull));

		if (isnull || !(distance >= 0) || isinf(distance) || source == target)
			answer_refuse(function);
		space_edges_add(env, edges, source, target, distance);
	}
}

SpaceEdges *
space_neighbors(const NnEnv *env, const NnSpec *spec, const SourceData *data)
{
	SpaceEdges *edges = space_edges_create(env);
	Oid			types[4] = {BYTEAARRAYOID, BOOLOID, INT4OID, FLOAT8OID};
	Datum		arguments[4];
	char		nulls[5] = "    ";
	Portal		portal;

	extension_require();
	SPI_connect();
	arguments[0] = geom_array(data);
	arguments[1] = BoolGetDatum(data->geography);
	arguments[2] = Int32GetDatum((int32) spec->neighbors);
	arguments[3] = Float8GetDatum(spec->distance);
	if (!(spec->distance > 0))
		nulls[3] = 'n';
	portal = SPI_cursor_open_with_args(NULL, "SELECT e.source, e.target, e.distance"
									   " FROM lstm.geom_edges($1, $2, $3, $4) AS e"
									   " ORDER BY e.target, e.distance, e.source",
									   4, types, arguments, nulls, true, 0);
	do
	{
		CHECK_FOR_INTERRUPTS();
		SPI_cursor_fetch(portal, true, FETCH_EDGES);
		neighbors_take(env, data, edges);
		SPI_freetuptable(SPI_tuptable);
	} while (SPI_processed > 0);
	SPI_cursor_close(portal);
	SPI_finish();
	return edges;
}
