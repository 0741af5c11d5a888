/*
 * source_session.c
 *		What of a source depends on the session that runs it.
 *
 * Looks at the query as it is analysed and rewritten, so views in it are looked into;
 * bodies of functions are not.  Runs nothing.
 */
#include "postgres.h"

#include "catalog/pg_class.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "lib/stringinfo.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "pg/source_session.h"
#include "utils/lsyscache.h"
#include "utils/plancache.h"

static bool
type_is_time(Oid type)
{
	return type == TIMESTAMPTZOID || type == TIMESTAMPOID || type == DATEOID;
}

/* Stable functions of times depend on the time zone, and on nothing else that is set. */
static bool
function_asks_zone(Oid function, void *context)
{
	Oid		   *types;
	int			ntypes;
	Oid			result;
	bool		times = false,
				interval = false;

	if (func_volatile(function) != PROVOLATILE_STABLE)
		return false;
	result = get_func_signature(function, &types, &ntypes);
	for (int i = 0; i < ntypes; i++)
	{
		times = times || type_is_time(types[i]);
		interval = interval || types[i] == INTERVALOID;
	}
	/* Three arguments: date_trunc with a zone. */
	return times && !(result == TIMESTAMPTZOID && (interval || ntypes == 3));
}

static bool
node_asks_zone(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (check_functions_in_node(node, function_asks_zone, context))
		return true;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, node_asks_zone, context, 0);
	return expression_tree_walker(node, node_asks_zone, context);
}

/* The source prepared as one query, between SPI_connect and SPI_finish; NULL when it is none. */
static CachedPlanSource *
query_prepare(const char *query)
{
	StringInfoData text;
	SPIPlanPtr	plan;

	initStringInfo(&text);
	appendStringInfo(&text, "SELECT * FROM (\n%s\n) AS source", query);
	plan = SPI_prepare(text.data, 0, NULL);
	if (plan == NULL || list_length(SPI_plan_get_plan_sources(plan)) != 1)
		return NULL;
	return linitial(SPI_plan_get_plan_sources(plan));
}

bool
source_asks_session_zone(const char *query)
{
	CachedPlanSource *source;
	bool		asks;

	if (SPI_connect() != SPI_OK_CONNECT)
		return false;
	source = query_prepare(query);
	asks = source != NULL && node_asks_zone((Node *) linitial_node(Query, source->query_list), NULL);
	SPI_finish();
	return asks;
}

char *
source_temporary(const char *query)
{
	MemoryContext context = CurrentMemoryContext;
	CachedPlanSource *source;
	char	   *name = NULL;
	ListCell   *cell;

	if (SPI_connect() != SPI_OK_CONNECT)
		return NULL;
	source = query_prepare(query);
	foreach(cell, source == NULL ? NIL : source->relationOids)
		if (get_rel_persistence(lfirst_oid(cell)) == RELPERSISTENCE_TEMP && name == NULL)
			name = MemoryContextStrdup(context, get_rel_name(lfirst_oid(cell)));
	SPI_finish();
	return name;
}
