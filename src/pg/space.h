/*
 * space.h
 *		Series as sites: what joins them, on one axis of time.
 *
 *	space.c			which kind of space; series on one axis, at training and later
 *	space_graph.c	edges, from distances or from a query of the caller's
 *	space_grid.c	rows and columns, from places or from columns of the source
 *	space_geom.c	what PostGIS says, through the functions of lstm_postgis
 *	space_look.c	lstm.sites, lstm.graph
 *
 * Knows no network.  Geometry stays bytes here: all that is computed with them is
 * computed in SQL.
 */
#ifndef LSTM_SPACE_H
#define LSTM_SPACE_H

#include "postgres.h"

#include "core/nn_graph.h"
#include "core/nn_model.h"
#include "pg/source.h"

/*
 * Finds out what the series are to each other and sets spec's nsites, grid_rows,
 * hexagonal, nedges and directed; with several sites lays the series on one axis
 * and completes data->series (site, at_site, graph).  data->sites becomes what the
 * model keeps, NULL where nothing is known of places.  Comes before features are added.
 * Errors: 22023 where options and rows do not fit, 22000 places of single series, 0A000
 * without lstm_postgis, 54000 too many sites, edges or rows, and those of the caller's query.
 */
extern void space_train(const NnEnv *env, NnSpec *spec, SourceData *data, const SourceRoles *roles);

/* The same for rows of a known model: sites by name; name: of the model, for messages. */
extern void space_bind(const NnEnv *env, const NnModel *model, const char *name,
					   const uint32_t *identity, SourceData *data);

/* Refuses, for a function of that name, a model of several sites. */
extern void space_require_single(const NnModel *model, const char *function);

/* Refuses options about space where there is one series without a name. */
extern void space_refuse(const NnSpec *spec, const char *where);

/* ------------------------------------------------------------------------
 * Between the files
 */

/* What lstm.geom_describe says of each series [nseries]. */
typedef struct SpacePlaces
{
	double	   *x, *y;			/* of a point on the thing */
	bool		geographic;		/* distances are in metres */
} SpacePlaces;

/* The places of all series, checked: one SRID, none empty. */
extern SpacePlaces *space_places(const NnEnv *env, const SourceData *data);

typedef struct SpaceEdges
{
	uint32		n,
				capacity;
	uint32	   *source,
			   *target;			/* [n] series, from 0 */
	double	   *value;			/* [n] distance or weight */
	size_t		used;			/* bytes */
} SpaceEdges;

extern SpaceEdges *space_edges_create(const NnEnv *env);
extern void space_edges_add(const NnEnv *env, SpaceEdges *edges, uint32 source, uint32 target,
							double value);

/* Neighbours by distance, values being distances. */
extern SpaceEdges *space_neighbors(const NnEnv *env, const NnSpec *spec, const SourceData *data);

/* The graph that spec asks for; sets spec->directed. */
extern const NnGraph *space_graph(const NnEnv *env, NnSpec *spec, const SourceData *data);

/* Cells of series: row and column from 0. */
typedef struct SpaceGrid
{
	uint32		rows,
				cols;
	bool		hexagonal;
	uint32	   *row,
			   *col;			/* [n] */
} SpaceGrid;

/* From columns of the source; every failure is an error. */
extern SpaceGrid *space_grid_of_cells(const NnEnv *env, const NnSpec *spec, const SourceData *data,
									  const SourceRoles *roles);

/* From places; NULL when they are not regular: *off is the one that fits least. */
extern SpaceGrid *space_grid_of_places(const NnEnv *env, const SpacePlaces *places, uint32 n,
									   uint32 *off);

#endif							/* LSTM_SPACE_H */
