/*
 * nn_env.h
 *		What the numerical core asks of its host, and nothing else.
 *
 * The core is a library: it does not know PostgreSQL, does not call malloc and
 * keeps no mutable state of its own.  Whoever uses it passes an NnEnv; the
 * server's allocates from a memory context and raises ereport(ERROR), the unit
 * tests' allocates from an arena and longjmps.
 *
 * Memory is an arena: what alloc hands out stays until the host drops it all,
 * so the core never frees, and a fail that jumps out leaks nothing.  Anything
 * called inside an epoch must not allocate; see nn_state.h.
 */
#ifndef NN_ENV_H
#define NN_ENV_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/nn_real.h"

/* Kinds of failure; the server maps each to one SQLSTATE. */
typedef enum NnCode
{
	NN_BAD_VALUE,				/* an argument or option out of its range: 22023 */
	NN_BAD_KEY,					/* an unknown option key: 22023 */
	NN_BAD_TYPE,				/* an option of the wrong JSON type: 22023 */
	NN_BAD_MODEL,				/* bytes that are no valid model: 22P03 */
	NN_BAD_DATA,				/* rows that cannot be used: 22000 */
	NN_TOO_FEW,					/* not enough rows: 22000 */
	NN_TOO_LARGE,				/* above a limit: 54000 */
	NN_NO_MEMORY,				/* above the host's memory limit: 53200 */
	NN_DIVERGED					/* training left the finite numbers: 22003 */
} NnCode;

typedef struct NnEnv
{
	void	   *host;			/* handed back to each callback */
	/* Zeroed memory aligned to 64 bytes; never NULL (fails instead). */
	void	   *(*alloc) (void *host, size_t size);
	/* Called at least every few milliseconds; may jump out (cancel). */
	void		(*poll) (void *host);
	/* Does not return.  hint may be NULL. */
	void		(*fail) (void *host, NnCode code, const char *message, const char *hint);
	/* Upper limit of one planned allocation set, in bytes. */
	size_t		max_memory;
} NnEnv;

/* Fails; message and hint must be complete sentences fit for a user. */
extern void nn_fail(const NnEnv *env, NnCode code, const char *message, const char *hint)
			__attribute__((noreturn));

/* printf into memory of the arena. */
extern char *nn_format(const NnEnv *env, const char *format, ...)
			__attribute__((format(printf, 2, 3)));

/* Zeroed array of count elements; fails with NN_TOO_LARGE when the size overflows. */
extern void *nn_alloc(const NnEnv *env, size_t count, size_t size);

#define NN_NEW(env, type) ((type *) nn_alloc(env, 1, sizeof(type)))
#define NN_NEW_ARRAY(env, type, count) ((type *) nn_alloc(env, count, sizeof(type)))

/* Checked size arithmetic: fails with NN_TOO_LARGE on overflow. */
extern size_t nn_size_mul(const NnEnv *env, size_t a, size_t b);
extern size_t nn_size_add(const NnEnv *env, size_t a, size_t b);

extern char *nn_strdup(const NnEnv *env, const char *text);

/*
 * The element of names[0..count) nearest to word by edit distance, or NULL when
 * nothing is near (distance above half of the word's length).  For hints.
 */
extern const char *nn_nearest(const char *word, const char *const *names, size_t count);

#endif							/* NN_ENV_H */
