/*
 * source_cache.h
 *		Sources that this session has read, with the plans of their statements.
 *
 * Finding out what the columns of a source are, and planning its SELECT, costs more than
 * reading the few rows that a forecast needs; a dashboard reads the same source again and
 * again.  What is kept belongs to a text, a model's row version, the current role, the
 * search_path and the settings that the parser obeys.  It is forgotten when the server
 * says that something the statement uses has changed, or that any relation, function,
 * operator, type, cast or schema came, went or was renamed: another one may be meant now.
 *
 * A statement is kept only where analysing it again would give the same: a constant whose
 * text is read with an eye on clock or settings ('today', a timestamp) may mean something
 * else tomorrow, and such sources are analysed each time.
 *
 * Permissions and row-level security are asked for whenever the plan runs; the plan cache
 * of the server sees to it.  At most 64 sources are kept, the least recently used go.
 */
#ifndef LSTM_SOURCE_CACHE_H
#define LSTM_SOURCE_CACHE_H

#include "postgres.h"

#include "executor/spi.h"
#include "pg/model_cache.h"
#include "pg/source.h"

typedef struct SourceKept SourceKept;

/*
 * What is kept of that text for that model; made when there is nothing.  To be called with
 * the search_path that the text is read under.  NULL: a text too long to be kept.  It stays
 * until source_kept_release, which is to be called where an error comes first, too.
 */
extern SourceKept *source_kept_get(const char *text, const ModelKey *model);

/* kept may be NULL. */
extern void source_kept_release(SourceKept *kept);

/* What source_bind said, in the current memory context and without roles; NULL: not known. */
extern Source *source_kept_bound(SourceKept *kept);

/* Remembers what source_bind said. */
extern void source_kept_bind(SourceKept *kept, const Source *source);

/*
 * A plan of statement, with one parameter of that type or none (InvalidOid); NULL: to be
 * run without.  Between SPI_connect and SPI_finish.
 */
extern SPIPlanPtr source_kept_plan(SourceKept *kept, const char *statement, Oid parameter);

/* What is kept does not go with what the server says: it is not used again. */
extern void source_kept_forget(SourceKept *kept);

/*
 * How many of the newest rows of the source were enough the last times, 0: not known.
 * Forgotten after 100 questions, for what made them too few does not last.
 */
extern uint64 source_kept_newest(SourceKept *kept);
extern void source_kept_set_newest(SourceKept *kept, uint64 rows);

/* To be called once, when the library is loaded. */
extern void source_cache_init(void);

#endif							/* LSTM_SOURCE_CACHE_H */
