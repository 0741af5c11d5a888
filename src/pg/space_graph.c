/*
 * space_graph.c
 *		Edges between series: from distances, or from a query of the caller's.
 *
 * Distances become weights by a kernel; weak edges are left out, but every series
 * keeps its nearest neighbour.  Unless edges are directed, one in one direction gets
 * the other, both with the larger of their weights.  Costs n log n for n edges and
 * 16 bytes of each.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "executor/tuptable.h"
#include "miscadmin.h"
#include "pg/source_parts.h"
#include "pg/space.h"
#include "utils/builtins.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"

#define POLL_EDGES 65536

#define POLL(i) \
	do { \
		if ((i) % POLL_EDGES == 0) \
			CHECK_FOR_INTERRUPTS(); \
	} while (0)

typedef struct Edge
{
	uint64		pair;			/* target, source */
	double		weight;
} Edge;

#define ST_SORT edges_sort
#define ST_ELEMENT_TYPE Edge
#define ST_COMPARE(a, b) ((a)->pair < (b)->pair ? -1 : (a)->pair > (b)->pair)
#define ST_CHECK_FOR_INTERRUPTS
#define ST_SCOPE static
#define ST_DECLARE
#define ST_DEFINE
#include "lib/sort_template.h"

static uint64
pair_of(uint32 source, uint32 target)
{
	return (uint64) target << 32 | source;
}

SpaceEdges *
space_edges_create(const NnEnv *env)
{
	return NN_NEW(env, SpaceEdges);
}

void
space_edges_add(const NnEnv *env, SpaceEdges *edges, uint32 source, uint32 target, double value)
{
	if (edges->n == NN_MAX_EDGES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("there are more than %d edges between the series", NN_MAX_EDGES),
				 errhint("Keep fewer \"neighbors\", or those within a shorter \"distance\".")));
	if (edges->n == edges->capacity)
	{
		SpaceEdges	old = *edges;

		edges->capacity = Max(1024, 2 * old.capacity);
		source_account(&edges->used, env->max_memory,
					   (size_t) (edges->capacity - old.capacity) * (2 * sizeof(uint32) + sizeof(double)),
					   edges->n);
		edges->source = NN_NEW_ARRAY(env, uint32, edges->capacity);
		edges->target = NN_NEW_ARRAY(env, uint32, edges->capacity);
		edges->value = NN_NEW_ARRAY(env, double, edges->capacity);
		memcpy(edges->source, old.source, old.n * sizeof(uint32));
		memcpy(edges->target, old.target, old.n * sizeof(uint32));
		memcpy(edges->value, old.value, old.n * sizeof(double));
	}
	edges->source[edges->n] = source;
	edges->target[edges->n] = target;
	edges->value[edges->n++] = value;
}

/* ------------------------------------------------------------------------
 * Edges of the caller's
 */

typedef struct EdgeReceiver
{
	DestReceiver pub;
	const NnEnv *env;
	const SourceData *data;
	SpaceEdges *edges;
	int			ncolumns;
	uint64		seen;
	MemoryContext scratch;
} EdgeReceiver;

static bool
series_was_skipped(const SourceData *data, const char *name)
{
	for (uint32 i = 0; i < data->nskips; i++)
		if (strcmp(data->skip[i].name, name) == 0)
			return true;
	return false;
}

/* Number of the series of that name; UINT32_MAX: it was left out. */
static uint32
edge_series(const EdgeReceiver *receiver, Datum value, bool isnull)
{
	const NnSeries *series = &receiver->data->series;
	char	   *name;
	uint32		found;

	if (isnull)
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("a series is null in edge " UINT64_FORMAT, receiver->seen)));
	name = TextDatumGetCString(value);
	found = nn_series_find(series, name);
	if (found != PG_UINT32_MAX)
		return found;
	if (!series_was_skipped(receiver->data, name))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("edge " UINT64_FORMAT " names series \"%s\", which the source does not have",
						receiver->seen, name),
				 errhint("Leave such edges out; the names of several series columns are joined by \"/\".")));
	return PG_UINT32_MAX;
}

static double
edge_weight(const EdgeReceiver *receiver, TupleTableSlot *slot, uint32 source, uint32 target)
{
	bool		isnull;
	Datum		value;
	double		weight;

	if (receiver->ncolumns < 3)
		return 1;
	value = slot_getattr(slot, 3, &isnull);
	weight = isnull ? NAN : DatumGetFloat8(value);
	if (!(weight >= NN_MIN_WEIGHT && weight <= NN_MAX_WEIGHT))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 isnull ? errmsg("the edge from series \"%s\" to series \"%s\" has a null weight",
								 receiver->data->series.name[source], receiver->data->series.name[target]) :
				 errmsg("the edge from series \"%s\" to series \"%s\" has the weight %g",
						receiver->data->series.name[source], receiver->data->series.name[target], weight),
				 errhint("Weights are numbers from %g to %g; leave edges without one out.", NN_MIN_WEIGHT,
						 NN_MAX_WEIGHT)));
	return weight;
}

static bool
edge_receive(TupleTableSlot *slot, DestReceiver *self)
{
	EdgeReceiver *receiver = (EdgeReceiver *) self;
	MemoryContext before = MemoryContextSwitchTo(receiver->scratch);
	uint32		end[2];

	slot_getallattrs(slot);
	receiver->seen++;
	for (int i = 0; i < 2; i++)
		end[i] = edge_series(receiver, slot->tts_values[i], slot->tts_isnull[i]);
	if (end[0] == end[1] && end[0] != PG_UINT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("edge " UINT64_FORMAT " leads from series \"%s\" to itself", receiver->seen,
						receiver->data->series.name[end[0]]),
				 errhint("Leave such edges out: every series sees itself in any case.")));
	if (end[0] != PG_UINT32_MAX && end[1] != PG_UINT32_MAX)
		space_edges_add(receiver->env, receiver->edges, end[0], end[1],
						edge_weight(receiver, slot, end[0], end[1]));
	MemoryContextSwitchTo(before);
	MemoryContextReset(receiver->scratch);
	return true;
}

static void
edge_startup(DestReceiver *self, int operation, TupleDesc descriptor)
{
}

static void
edge_shutdown(DestReceiver *self)
{
}

static void
edges_context(void *arg)
{
	errcontext("option \"graph\": %s", (const char *) arg);
}

/* The SELECT of two names and, where there is a third column, a number. */
static char *
edges_select(const char *text, int *ncolumns)
{
	char	   *query = source_query(text);
	SourceShape *shape = source_shape(query);
	StringInfoData select;

	*ncolumns = shape->ncolumns;
	if (shape->ncolumns < 2 || shape->ncolumns > 3)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_COLUMN_DEFINITION),
				 errmsg("edges have %d columns instead of 2 or 3", shape->ncolumns),
				 errhint("Write SELECT from_series, to_series, weight FROM ...; the weight may be left "
						 "out.")));
	if (shape->ncolumns == 3 && shape->column[2].class != COLUMN_INTEGER &&
		shape->column[2].class != COLUMN_NUMBER)
		ereport(ERROR,
				(errcode(ERRCODE_DATATYPE_MISMATCH),
				 errmsg("column \"%s\" of type %s cannot be the weight of edges", shape->column[2].name,
						format_type_be(shape->column[2].type)),
				 errhint("The third column of edges is a number.")));
	initStringInfo(&select);
	appendStringInfo(&select, "SELECT edges.c1::pg_catalog.text, edges.c2::pg_catalog.text%s FROM (\n%s\n) "
					 "AS edges (c1, c2%s)",
					 shape->ncolumns < 3 ? "" : shape->column[2].base == BOOLOID ?
					 ", edges.c3::pg_catalog.int4::pg_catalog.float8" : ", edges.c3::pg_catalog.float8",
					 query, shape->ncolumns < 3 ? "" : ", c3");
	return select.data;
}

static SpaceEdges *
edges_read(const NnEnv *env, const char *text, const SourceData *data)
{
	MemoryContext before = CurrentMemoryContext,
				context = AllocSetContextCreate(before, "lstm edges", ALLOCSET_DEFAULT_SIZES);
	EdgeReceiver *receiver;
	const Source how = {0};
	ErrorContextCallback callback = {error_context_stack, edges_context, unconstify(char *, text)};
	SpaceEdges *edges = space_edges_create(env);
	char	   *select;

	error_context_stack = &callback;
	MemoryContextSwitchTo(context);
	receiver = palloc0(sizeof(EdgeReceiver));
	receiver->pub.receiveSlot = edge_receive;
	receiver->pub.rStartup = edge_startup;
	receiver->pub.rShutdown = receiver->pub.rDestroy = edge_shutdown;
	receiver->pub.mydest = DestTuplestore;	/* any kind but DestNone and DestSPI */
	receiver->env = env;
	receiver->data = data;
	receiver->edges = edges;
	receiver->scratch = AllocSetContextCreate(context, "lstm edge", ALLOCSET_SMALL_SIZES);
	select = edges_select(text, &receiver->ncolumns);
	source_select_run(select, &how, &receiver->pub);
	MemoryContextSwitchTo(before);
	MemoryContextDelete(context);
	error_context_stack = callback.previous;
	if (edges->n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the query of option \"graph\" returns no edges between the series"),
				 errdetail("The query is: %s", text)));
	return edges;
}

/* ------------------------------------------------------------------------
 * From distances to weights
 */

/*
 * Things at one place are as near as the nearest others.  Returns the least distance above
 * 0; infinite when there is none.
 */
static double
distances_part(SpaceEdges *edges)
{
	double		least = INFINITY;

	for (uint32 i = 0; i < edges->n; i++)
		if (edges->value[i] > 0)
			least = Min(least, edges->value[i]);
	for (uint32 i = 0; i < edges->n; i++)
		if (!(edges->value[i] > 0))
			edges->value[i] = least;
	return least;
}

/*
 * Standard deviation of the distances, as usual for sensors of which all pairs within reach
 * are given; the nearest neighbours only are alike, so at least the mean.
 */
static double
sigma_default(const SpaceEdges *edges)
{
	double		mean = 0,
				square = 0;

	for (uint32 i = 0; i < edges->n; i++)
		mean += edges->value[i] / edges->n;
	for (uint32 i = 0; i < edges->n; i++)
		square += (edges->value[i] - mean) * (edges->value[i] - mean) / edges->n;
	return Max(mean, sqrt(square));
}

static void
edges_weigh(const NnSpec *spec, SpaceEdges *edges)
{
	double		least = distances_part(edges),
				sigma = spec->sigma > 0 ? spec->sigma : sigma_default(edges);

	for (uint32 i = 0; i < edges->n; i++)
	{
		double		share = edges->value[i] / sigma,
					weight = 1;

		POLL(i);
		if (isfinite(least) && spec->kernel == NN_WEIGHING_GAUSSIAN)
			weight = exp(-share * share);
		else if (isfinite(least) && spec->kernel == NN_WEIGHING_INVERSE)
			weight = least / edges->value[i];
		/* Far from everything is near to nothing, not to nobody. */
		edges->value[i] = Max(weight, NN_MIN_WEIGHT);
	}
}

/* Leaves out edges below the threshold but the heaviest into each series. */
static void
edges_thin(const NnEnv *env, const NnSpec *spec, SpaceEdges *edges, uint32 nseries)
{
	uint32	   *heaviest = NN_NEW_ARRAY(env, uint32, nseries);	/* number of the edge + 1 */
	uint32		kept = 0;

	for (uint32 i = 0; i < edges->n; i++)
	{
		uint32	   *best = &heaviest[edges->target[i]];

		if (*best == 0 || edges->value[i] > edges->value[*best - 1])
			*best = i + 1;
	}
	for (uint32 i = 0; i < edges->n; i++)
	{
		POLL(i);
		if (edges->value[i] < spec->threshold && heaviest[edges->target[i]] != i + 1)
			continue;
		edges->source[kept] = edges->source[i];
		edges->target[kept] = edges->target[i];
		edges->value[kept++] = edges->value[i];
	}
	edges->n = kept;
}

/* ------------------------------------------------------------------------
 * The graph
 */

static void
edges_check_twice(const SpaceEdges *edges, const SourceData *data)
{
	Edge	   *sorted = palloc_extended(Max(edges->n, 1) * sizeof(Edge), MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < edges->n; i++)
		sorted[i].pair = pair_of(edges->source[i], edges->target[i]);
	edges_sort(sorted, edges->n);
	for (uint32 i = 1; i < edges->n; i++)
		if (sorted[i - 1].pair == sorted[i].pair)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("the edge from series \"%s\" to series \"%s\" is there twice",
							data->series.name[(uint32) sorted[i].pair],
							data->series.name[sorted[i].pair >> 32]),
					 errhint("Join such edges with GROUP BY, to the weight that you mean.")));
	pfree(sorted);
}

/* Both directions of every edge, with the larger weight. */
static SpaceEdges *
edges_mirror(const NnEnv *env, const SpaceEdges *edges)
{
	SpaceEdges *both = space_edges_create(env);
	Edge	   *sorted = palloc_extended((size_t) Max(edges->n, 1) * sizeof(Edge), MCXT_ALLOC_HUGE);

	for (uint32 i = 0; i < edges->n; i++)
		sorted[i] = (Edge) {pair_of(Min(edges->source[i], edges->target[i]),
									Max(edges->source[i], edges->target[i])), edges->value[i]};
	edges_sort(sorted, edges->n);
	for (uint32 i = 0; i < edges->n; i++)
	{
		uint32		one = (uint32) sorted[i].pair,
					other = sorted[i].pair >> 32;
		double		weight = sorted[i].weight;

		POLL(i);
		for (; i + 1 < edges->n && sorted[i + 1].pair == sorted[i].pair; i++)
			weight = Max(weight, sorted[i + 1].weight);
		space_edges_add(env, both, one, other, weight);
		space_edges_add(env, both, other, one, weight);
	}
	pfree(sorted);
	return both;
}

const NnGraph *
space_graph(const NnEnv *env, NnSpec *spec, const SourceData *data)
{
	uint32		nseries = data->series.nseries;
	bool		own = spec->graph[0] != '\0';
	SpaceEdges *edges;

	if (own)
	{
		edges = edges_read(env, spec->graph, data);
		edges_check_twice(edges, data);
		/* What is given is meant, unless it is said to be half of it. */
		if (!nn_spec_given(spec, "directed"))
			spec->directed = true;
	}
	else
	{
		edges = space_neighbors(env, spec, data);
		if (edges->n == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("no two of the %u series are within the distance %g of each other", nseries,
							spec->distance),
					 errhint("Use a longer \"distance\"; it is in metres for geographic coordinates, else in "
							 "units of the coordinates.")));
		edges_weigh(spec, edges);
		edges_thin(env, spec, edges, nseries);
	}
	if (!spec->directed)
		edges = edges_mirror(env, edges);
	return nn_graph_make(env, nseries, edges->n, edges->source, edges->target, edges->value);
}
