/*
 * model_cache.c
 *		Models that this session has read, kept for its next forecasts.
 *
 * A list, searched in order: a session uses a handful of models.  Each entry has
 * a memory context of its own.
 */
#include "postgres.h"

#include "access/xact.h"
#include "lib/ilist.h"
#include "utils/memutils.h"

#include "pg/env.h"
#include "pg/model_cache.h"

typedef struct CacheEntry
{
	dlist_node	node;			/* most recently used first */
	MemoryContext context;		/* of all of it, the entry included */
	ModelKey	key;
	size_t		bytes;
	NnModel    *model;
} CacheEntry;

static dlist_head entries = DLIST_STATIC_INIT(entries);
static size_t total = 0;

const NnModel *
model_cache_find(const ModelKey *key)
{
	ItemPointerData place = key->place;
	dlist_iter	iter;

	dlist_foreach(iter, &entries)
	{
		CacheEntry *entry = dlist_container(CacheEntry, node, iter.cur);

		if (entry->key.table == key->table && entry->key.xmin == key->xmin &&
			ItemPointerEquals(&entry->key.place, &place))
		{
			dlist_move_head(&entries, &entry->node);
			return entry->model;
		}
	}
	return NULL;
}

const NnModel *
model_cache_add(const ModelKey *key, const uint8_t *bytes, size_t length)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "lstm cached model",
												  ALLOCSET_DEFAULT_SIZES);
	CacheEntry *entry = MemoryContextAllocZero(context, sizeof(CacheEntry));

	/* Until it is whole it belongs to the caller, so that an error drops it. */
	entry->context = context;
	entry->key = *key;
	entry->model = nn_model_read(env_create(context), bytes, length);
	entry->bytes = MemoryContextMemAllocated(context, true);
	MemoryContextSetParent(context, TopMemoryContext);
	dlist_push_head(&entries, &entry->node);
	total += entry->bytes;
	return entry->model;
}

/* Nobody uses a model now: the oldest go until the rest fits. */
static void
cache_trim(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
		return;
	while (total > (size_t) lstm_model_cache_kb * 1024)
	{
		CacheEntry *entry = dlist_container(CacheEntry, node, dlist_tail_node(&entries));

		dlist_delete(&entry->node);
		total -= entry->bytes;
		MemoryContextDelete(entry->context);
	}
}

void
model_cache_init(void)
{
	RegisterXactCallback(cache_trim, NULL);
}
