/*
 * source_cache.c
 *		Sources that this session has read, with the plans of their statements.
 *
 * A list, searched in order.  Each entry has a memory context of its own; plans are the
 * server's.  What is forgotten may be in use further up the stack (a source may call a
 * function that forecasts), so it is freed when the last user has released it.  Waiting for
 * the transaction's end would not do: one statement may read any number of sources.
 */
#include "postgres.h"

#include "catalog/namespace.h"
#include "catalog/pg_proc.h"
#include "catalog/pg_type.h"
#include "lib/ilist.h"
#include "miscadmin.h"
#include "nodes/nodeFuncs.h"
#include "nodes/parsenodes.h"
#include "parser/parse_expr.h"
#include "utils/inval.h"
#include "utils/lsyscache.h"
#include "utils/memutils.h"
#include "utils/plancache.h"
#include "utils/syscache.h"

#include "pg/source_cache.h"
#include "pg/source_parts.h"

#define KEPT_SOURCES	64
#define KEPT_PLANS		4		/* of one source: other horizons, with as_of and without */
#define KEPT_TEXT		16384	/* bytes of a text at the most */
#define KEPT_NEWEST		100		/* times that what was enough is believed to be so again */

typedef struct KeptPlan
{
	char	   *statement;
	Oid			parameter;
	SPIPlanPtr	plan;
} KeptPlan;

struct SourceKept
{
	dlist_node	node;			/* most recently used first */
	MemoryContext context;		/* of all of it, itself included */
	int			users;			/* calls of source_kept_get that were not released */
	bool		dead;			/* off the list: goes with its last user */

	/* What it belongs to. */
	char	   *text,
			   *path;
	Oid			user;
	ModelKey	model;
	int			interval_style;
	bool		null_equals;	/* setting transform_null_equals */

	uint64		names;			/* value of names_changed when it was made */
	bool		plain;			/* the text is to be analysed each time */
	Source	   *bound;			/* NULL: not known */
	int			nplans;
	KeptPlan	plan[KEPT_PLANS];
	uint64		newest;			/* rows that were enough; 0: not known */
	int			newest_left;	/* times that it is still believed */
};

static dlist_head kept_list = DLIST_STATIC_INIT(kept_list);
static int	kept_count = 0;

/* Counts how often a name may have come to mean something else. */
static uint64 names_changed = 0;

/* ------------------------------------------------------------------------
 * Entries
 */

static bool
kept_matches(const SourceKept *kept, const char *text, const ModelKey *model)
{
	ItemPointerData place = model->place,
				own = kept->model.place;

	return kept->user == GetUserId() && kept->model.table == model->table &&
		kept->model.xmin == model->xmin && ItemPointerEquals(&own, &place) &&
		kept->interval_style == IntervalStyle && kept->null_equals == Transform_null_equals &&
		strcmp(kept->text, text) == 0 && strcmp(kept->path, namespace_search_path) == 0;
}

static bool
kept_is_valid(const SourceKept *kept)
{
	if (kept->names != names_changed)
		return false;
	for (int i = 0; i < kept->nplans; i++)
		if (!SPI_plan_is_valid(kept->plan[i].plan))
			return false;
	return true;
}

static void
kept_free(SourceKept *kept)
{
	for (int i = 0; i < kept->nplans; i++)
		(void) SPI_freeplan(kept->plan[i].plan);
	MemoryContextDelete(kept->context);
}

static void
kept_bury(SourceKept *kept)
{
	dlist_delete(&kept->node);
	kept_count--;
	kept->dead = true;
	if (kept->users == 0)
		kept_free(kept);
}

static SourceKept *
kept_create(const char *text, const ModelKey *model)
{
	MemoryContext context = AllocSetContextCreate(TopMemoryContext, "lstm source cache",
												  ALLOCSET_SMALL_SIZES);
	SourceKept *kept = MemoryContextAllocZero(context, sizeof(SourceKept));

	kept->context = context;
	dlist_push_head(&kept_list, &kept->node);
	kept_count++;
	kept->text = kept->path = "";
	kept->text = MemoryContextStrdup(context, text);
	kept->path = MemoryContextStrdup(context, namespace_search_path);
	kept->user = GetUserId();
	kept->model = *model;
	kept->interval_style = IntervalStyle;
	kept->null_equals = Transform_null_equals;
	kept->names = names_changed;
	return kept;
}

static SourceKept *
kept_find(const char *text, const ModelKey *model)
{
	dlist_iter	iter;

	dlist_foreach(iter, &kept_list)
	{
		SourceKept *kept = dlist_container(SourceKept, node, iter.cur);

		if (kept_matches(kept, text, model))
			return kept;
	}
	return NULL;
}

/* What was there is not valid any more; how many rows were enough may still be so. */
static SourceKept *
kept_renew(SourceKept *before, const char *text, const ModelKey *model)
{
	SourceKept *kept = kept_create(text, model);

	if (before != NULL)
	{
		kept->newest = before->newest;
		kept->newest_left = before->newest_left;
		kept_bury(before);
	}
	if (kept_count > KEPT_SOURCES)
		kept_bury(dlist_container(SourceKept, node, dlist_tail_node(&kept_list)));
	return kept;
}

SourceKept *
source_kept_get(const char *text, const ModelKey *model)
{
	SourceKept *kept;

	if (strlen(text) > KEPT_TEXT)
		return NULL;
	kept = kept_find(text, model);
	if (kept == NULL || !kept_is_valid(kept))
		kept = kept_renew(kept, text, model);
	dlist_move_head(&kept_list, &kept->node);
	kept->users++;
	return kept;
}

void
source_kept_release(SourceKept *kept)
{
	if (kept != NULL && --kept->users == 0 && kept->dead)
		kept_free(kept);
}

void
source_kept_forget(SourceKept *kept)
{
	kept->names = names_changed - 1;	/* what is not valid is not found */
}

uint64
source_kept_newest(SourceKept *kept)
{
	if (kept->newest_left == 0)
		return 0;
	kept->newest_left--;
	return kept->newest;
}

void
source_kept_set_newest(SourceKept *kept, uint64 rows)
{
	kept->newest = rows;
	kept->newest_left = KEPT_NEWEST;
}

/* ------------------------------------------------------------------------
 * Columns
 */

static SourceColumn *
columns_copy(const SourceColumn *column, int count)
{
	SourceColumn *copy = palloc(sizeof(SourceColumn) * Max(count, 1));

	for (int i = 0; i < count; i++)
	{
		copy[i] = column[i];
		copy[i].name = pstrdup(column[i].name);
	}
	return copy;
}

/* In the current memory context; roles stay those of source. */
static Source *
source_copy(const Source *source)
{
	const SourceRoles *roles = &source->roles;
	Source	   *copy = palloc(sizeof(Source));

	*copy = *source;
	copy->query = pstrdup(source->query);
	copy->text = pstrdup(source->text);
	copy->time.name = pstrdup(source->time.name);
	copy->series = columns_copy(source->series, roles->nseries);
	copy->value = columns_copy(source->value, roles->ntargets + roles->npast + roles->nfuture);
	copy->statics = columns_copy(source->statics, roles->nstatic);
	copy->search_path = copy->time_zone = NULL;
	return copy;
}

void
source_kept_bind(SourceKept *kept, const Source *source)
{
	MemoryContext before = CurrentMemoryContext;

	if (kept->plain || kept->bound != NULL || !source_by_name(source))
		return;
	MemoryContextSwitchTo(kept->context);
	kept->bound = source_copy(source);
	MemoryContextSwitchTo(before);
}

Source *
source_kept_bound(SourceKept *kept)
{
	/* Only a plan notices that a column is not what it was. */
	if (kept->plain || kept->bound == NULL || kept->nplans == 0)
		return NULL;
	return source_copy(kept->bound);
}

/* ------------------------------------------------------------------------
 * Plans
 */

/* Is there a constant whose text could be read differently another time? */
static bool
constant_may_move(Node *node, void *context)
{
	if (node == NULL)
		return false;
	if (IsA(node, Query))
		return query_tree_walker((Query *) node, constant_may_move, context, 0);
	if (IsA(node, Const))
	{
		Oid			type = ((Const *) node)->consttype,
					input,
					parameter;

		/* Intervals are read by intervalstyle only, which entries know. */
		if (type == INTERVALOID || type == UNKNOWNOID)
			return false;
		getTypeInputInfo(type, &input, &parameter);
		return func_volatile(input) != PROVOLATILE_IMMUTABLE;
	}
	return expression_tree_walker(node, constant_may_move, context);
}

/* Backslashes are read by standard_conforming_strings. */
static bool
plan_may_move(const SourceKept *kept, SPIPlanPtr plan)
{
	ListCell   *cell;

	if (strchr(kept->text, '\\') != NULL)
		return true;
	foreach(cell, SPI_plan_get_plan_sources(plan))
	{
		CachedPlanSource *source = lfirst(cell);
		ListCell   *query;

		foreach(query, source->query_list)
			if (constant_may_move(lfirst(query), NULL))
				return true;
	}
	return false;
}

SPIPlanPtr
source_kept_plan(SourceKept *kept, const char *statement, Oid parameter)
{
	KeptPlan   *next = &kept->plan[kept->nplans];
	SPIPlanPtr	plan;
	char	   *copy;

	if (kept->plain || kept->bound == NULL)
		return NULL;
	for (int i = 0; i < kept->nplans; i++)
		if (kept->plan[i].parameter == parameter && strcmp(kept->plan[i].statement, statement) == 0)
			return kept->plan[i].plan;
	if (kept->nplans == KEPT_PLANS)
		return NULL;
	plan = SPI_prepare(statement, OidIsValid(parameter) ? 1 : 0, &parameter);
	if (plan == NULL)
		return NULL;
	kept->plain = plan_may_move(kept, plan);
	if (kept->plain)
		return plan;			/* gone with SPI_finish */
	copy = MemoryContextStrdup(kept->context, statement);
	if (SPI_keepplan(plan) != 0)
		return plan;
	*next = (KeptPlan) {copy, parameter, plan};
	kept->nplans++;
	return plan;
}

/* ------------------------------------------------------------------------
 * When to forget
 */

static void
names_note(Datum arg, int cache, uint32 hash)
{
	names_changed++;
}

void
source_cache_init(void)
{
	static const int caches[] = {RELNAMENSP, PROCNAMEARGSNSP, OPERNAMENSP, TYPENAMENSP, NAMESPACENAME,
	CASTSOURCETARGET};

	for (size_t i = 0; i < lengthof(caches); i++)
		CacheRegisterSyscacheCallback(caches[i], names_note, (Datum) 0);
}
