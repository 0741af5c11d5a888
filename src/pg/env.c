/*
 * env.c
 *		The server behind the four callbacks of the core.
 *
 * Memory comes from one memory context and is given back when the server drops
 * that context; the core never frees.  Aligning by hand costs up to 64 bytes a
 * piece and works on every server version.
 */
#include "postgres.h"

#include "miscadmin.h"
#include "pg/env.h"
#include "utils/memutils.h"

#define ENV_ALIGNMENT 64

static void *
env_alloc(void *host, size_t size)
{
	char	   *memory;

	if (size > MaxAllocHugeSize - ENV_ALIGNMENT)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("an allocation of %zu bytes is out of range", size)));
	memory = MemoryContextAllocExtended((MemoryContext) host, size + ENV_ALIGNMENT,
										MCXT_ALLOC_HUGE | MCXT_ALLOC_ZERO);
	return (void *) TYPEALIGN(ENV_ALIGNMENT, memory);
}

static void
env_poll(void *host)
{
	CHECK_FOR_INTERRUPTS();
}

static void
env_fail(void *host, NnCode code, const char *message, const char *hint)
{
	ereport(ERROR,
			(errcode(env_sqlstate(code)),
			 errmsg_internal("%s", message),
			 hint != NULL ? errhint("%s", hint) : 0));
}

int
env_sqlstate(NnCode code)
{
	switch (code)
	{
		case NN_BAD_VALUE:
		case NN_BAD_KEY:
		case NN_BAD_TYPE:
			return ERRCODE_INVALID_PARAMETER_VALUE;
		case NN_BAD_MODEL:
			return ERRCODE_INVALID_BINARY_REPRESENTATION;
		case NN_BAD_DATA:
		case NN_TOO_FEW:
			return ERRCODE_DATA_EXCEPTION;
		case NN_TOO_LARGE:
			return ERRCODE_PROGRAM_LIMIT_EXCEEDED;
		case NN_NO_MEMORY:
			return ERRCODE_OUT_OF_MEMORY;
		case NN_DIVERGED:
			return ERRCODE_NUMERIC_VALUE_OUT_OF_RANGE;
	}
	return ERRCODE_DATA_EXCEPTION;
}

NnEnv *
env_create(MemoryContext context)
{
	NnEnv	   *env = MemoryContextAllocZero(context, sizeof(NnEnv));

	env->host = context;
	env->alloc = env_alloc;
	env->poll = env_poll;
	env->fail = env_fail;
	env->max_memory = (size_t) lstm_max_memory_kb * 1024;
	return env;
}

const NnKernels *
env_kernels(void)
{
	const NnKernels *kernels = nn_kernels_get(lstm_kernels);

	if (kernels == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("this CPU has no kernels \"%s\"", lstm_kernels),
				 errhint("Set lstm.kernels to auto.")));
	return kernels;
}

uint32
compute_begin(void)
{
	return nn_denormals_flush();
}

void
compute_end(uint32 control)
{
	nn_denormals_restore(control);
}
