/*
 * model_cache.c
 *		Models that this session has read, kept for its next forecasts.
 *
 * A list, searched in order: a session uses a handful of models.  Each entry has
 * a memory context of its own, and in it what forecasts one window at a time once
 * that was asked for.  Entries of lstm.predict are found by their bytes, of which
 * they keep a copy; comparing 50 kB takes some microseconds.
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
	uint8_t    *value;			/* [length] a copy of its bytes; NULL where key says whose it is */
	size_t		length;

	/* One window at a time. */
	NnPredictor *predictor;		/* NULL: none yet */
	MemoryContext predictor_context;
	const NnKernels *kernels;	/* it was made with */
	int			max_memory;		/* it was held against */
	uint32		horizon;
	bool		used;			/* somebody has it, or an error came while somebody had */
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

		if (entry->value == NULL && entry->key.table == key->table && entry->key.xmin == key->xmin &&
			ItemPointerEquals(&entry->key.place, &place))
		{
			dlist_move_head(&entries, &entry->node);
			return entry->model;
		}
	}
	return NULL;
}

/* Adds an entry; value: it is found by its bytes. */
static const NnModel *
entry_add(const ModelKey *key, const uint8_t *bytes, size_t length, bool value)
{
	MemoryContext context = AllocSetContextCreate(CurrentMemoryContext, "lstm cached model",
												  ALLOCSET_DEFAULT_SIZES);
	CacheEntry *entry = MemoryContextAllocZero(context, sizeof(CacheEntry));

	/* Until it is whole it belongs to the caller, so that an error drops it. */
	entry->context = context;
	entry->key = *key;
	entry->model = nn_model_read(env_create(context), bytes, length);
	entry->length = length;
	if (value)
	{
		entry->value = MemoryContextAllocHuge(context, Max(length, 1));
		memcpy(entry->value, bytes, length);
	}
	entry->bytes = MemoryContextMemAllocated(context, true);
	MemoryContextSetParent(context, TopMemoryContext);
	dlist_push_head(&entries, &entry->node);
	total += entry->bytes;
	return entry->model;
}

const NnModel *
model_cache_add(const ModelKey *key, const uint8_t *bytes, size_t length)
{
	return entry_add(key, bytes, length, false);
}

static void
entry_drop(CacheEntry *entry)
{
	dlist_delete(&entry->node);
	total -= entry->bytes;
	MemoryContextDelete(entry->context);
}

/* Of models found by their bytes a statement may see any number. */
static void
values_trim(void)
{
	dlist_mutable_iter iter;
	size_t		most = (size_t) lstm_model_cache_kb * 1024,
				sum = 0;

	dlist_foreach_modify(iter, &entries)
	{
		CacheEntry *entry = dlist_container(CacheEntry, node, iter.cur);

		sum += entry->bytes;
		if (entry->value != NULL && !entry->used && sum > most)
		{
			sum -= entry->bytes;
			entry_drop(entry);
		}
	}
}

const NnModel *
model_cache_value(const uint8_t *bytes, size_t length)
{
	ModelKey	nobody;
	dlist_iter	iter;

	dlist_foreach(iter, &entries)
	{
		CacheEntry *entry = dlist_container(CacheEntry, node, iter.cur);

		if (entry->value != NULL && entry->length == length &&
			memcmp(entry->value, bytes, length) == 0)
		{
			dlist_move_head(&entries, &entry->node);
			return entry->model;
		}
	}
	values_trim();
	memset(&nobody, 0, sizeof(nobody));
	return entry_add(&nobody, bytes, length, true);
}

/* ------------------------------------------------------------------------
 * Predictors
 */

static CacheEntry *
entry_of(const NnModel *model)
{
	dlist_iter	iter;

	dlist_foreach(iter, &entries)
	{
		CacheEntry *entry = dlist_container(CacheEntry, node, iter.cur);

		if (entry->model == model)
			return entry;
	}
	return NULL;
}

/* After something was made or freed in its memory. */
static void
entry_measure(CacheEntry *entry)
{
	total -= entry->bytes;
	entry->bytes = MemoryContextMemAllocated(entry->context, true);
	total += entry->bytes;
}

static void
predictor_drop(CacheEntry *entry)
{
	if (entry->predictor_context != NULL)
		MemoryContextDelete(entry->predictor_context);
	entry->predictor_context = NULL;
	entry->predictor = NULL;
	entry_measure(entry);
}

static void
predictor_make(CacheEntry *entry, uint32 horizon)
{
	predictor_drop(entry);
	entry->predictor_context = AllocSetContextCreate(entry->context, "lstm predictor",
													 ALLOCSET_DEFAULT_SIZES);
	entry->kernels = env_kernels();
	entry->max_memory = lstm_max_memory_kb;
	entry->horizon = horizon;
	entry->predictor = nn_predictor_create(env_create(entry->predictor_context), entry->model,
										   entry->kernels, 1, horizon);
	entry_measure(entry);
}

NnPredictor *
model_cache_predictor(const NnModel *model, uint32 horizon)
{
	CacheEntry *entry = entry_of(model);

	if (entry == NULL || entry->used)
		return NULL;
	if (entry->predictor == NULL || entry->horizon < horizon ||
		entry->kernels != env_kernels() || entry->max_memory != lstm_max_memory_kb)
		predictor_make(entry, horizon);
	entry->used = true;
	nn_predictor_forget(entry->predictor);
	return entry->predictor;
}

void
model_cache_predictor_done(const NnModel *model)
{
	CacheEntry *entry = entry_of(model);

	if (entry == NULL)
		return;
	entry->used = false;
	/* Models stay for now, but a statement may use any number of them. */
	if (entry->value == NULL && total > (size_t) lstm_model_cache_kb * 1024)
		predictor_drop(entry);
}

/* What an error left half done is made anew. */
static void
predictors_reclaim(void)
{
	dlist_iter	iter;

	dlist_foreach(iter, &entries)
	{
		CacheEntry *entry = dlist_container(CacheEntry, node, iter.cur);

		if (entry->used)
			predictor_drop(entry);
		entry->used = false;
	}
}

/* Nobody uses a model now: the oldest go until the rest fits. */
static void
cache_trim(XactEvent event, void *arg)
{
	if (event != XACT_EVENT_COMMIT && event != XACT_EVENT_ABORT && event != XACT_EVENT_PREPARE)
		return;
	predictors_reclaim();
	while (total > (size_t) lstm_model_cache_kb * 1024)
	{
		entry_drop(dlist_container(CacheEntry, node, dlist_tail_node(&entries)));
	}
}

void
model_cache_init(void)
{
	RegisterXactCallback(cache_trim, NULL);
}
