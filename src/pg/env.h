/*
 * env.h
 *		The server as the host of the numerical core, and the settings.
 *
 * env_create binds a memory context: all that the core allocates lives there and
 * dies with it.  A failure of the core becomes ereport(ERROR) with the SQLSTATE
 * of its code; polling is CHECK_FOR_INTERRUPTS.  compute_begin flushes denormals
 * for the time of a computation; compute_end must be called on every way out
 * (PG_FINALLY).
 */
#ifndef LSTM_ENV_H
#define LSTM_ENV_H

#include "postgres.h"

#include "core/nn_env.h"
#include "core/nn_kernel.h"
#include "portability/instr_time.h"

/* GUCs, in lstm.c */
extern int	lstm_max_memory_kb;		/* lstm.max_memory, default 1GB, GUC_UNIT_KB */
extern int	lstm_model_cache_kb;	/* lstm.model_cache, default 64MB, GUC_UNIT_KB */
extern double lstm_train_seconds;	/* lstm.train_seconds: time for a training, 0: no limit */
extern int	lstm_progress;			/* lstm.progress: epochs between NOTICEs, 0: none */
extern char *lstm_kernels;			/* lstm.kernels: auto, generic, avx2, avx512 */

extern NnEnv *env_create(MemoryContext context);

/*
 * Memory of one call of a function: begin makes a context and switches to it, end
 * switches back and drops it, so that a statement with thousands of calls needs the
 * memory of one.  What the function returns is made in caller.  An error drops it
 * with the caller's context.
 */
typedef struct CallMemory
{
	MemoryContext caller, own;
} CallMemory;

extern CallMemory call_memory_begin(void);
extern void call_memory_end(CallMemory memory);

/*
 * Calls body(arg) in a subtransaction; what it raised, in the current memory context, or NULL.
 * The transaction is usable either way; which errors are to be raised again is the caller's matter.
 */
extern ErrorData *subtransaction_try(void (*body) (void *arg), void *arg);

/* Seconds of wall time. */
extern double seconds_since(instr_time start);

/*
 * Models are UTF-8: in a database of another encoding, error 0A000 for one of n
 * names that is not ASCII.  what: "column", "series".
 */
extern void env_check_names(const char *what, const char *const *names, uint32 n);

/* The kernels that lstm.kernels names. */
extern const NnKernels *env_kernels(void);

/* int core code -> SQLSTATE */
extern int	env_sqlstate(NnCode code);

extern uint32 compute_begin(void);
extern void compute_end(uint32 control);

#endif							/* LSTM_ENV_H */
