/*
 * env.c
 *		The server behind the four callbacks of the core.
 *
 * Memory comes from one memory context and is given back when the server drops
 * that context; the core never frees.  Aligning by hand costs up to 64 bytes a
 * piece and works on every server version.  Pages come into being as they are
 * cleared, half a second for a GB, so a large piece is cleared in parts.
 */
#include "postgres.h"

#include "access/xact.h"
#include "common/string.h"
#include "mb/pg_wchar.h"
#include "miscadmin.h"
#include "pg/env.h"
#include "utils/memutils.h"
#include "utils/resowner.h"

#define ENV_ALIGNMENT 64
#define ENV_CLEAR ((size_t) 8 * 1024 * 1024)	/* cleared between two polls: some milliseconds */

static void *
env_alloc(void *host, size_t size)
{
	char	   *memory;
	size_t		all = size + ENV_ALIGNMENT;

	if (size > MaxAllocHugeSize - ENV_ALIGNMENT)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("an allocation of %zu bytes is out of range", size)));
	memory = MemoryContextAllocExtended((MemoryContext) host, all, MCXT_ALLOC_HUGE);
	for (size_t i = 0; i < all; i += ENV_CLEAR)
	{
		if (all > ENV_CLEAR)
			CHECK_FOR_INTERRUPTS();
		memset(memory + i, 0, Min(ENV_CLEAR, all - i));
	}
	return (void *) TYPEALIGN(ENV_ALIGNMENT, memory);
}

static void
env_poll(void *host)
{
	CHECK_FOR_INTERRUPTS();
}

/*
 * The core shortens names to bytes, and reads models that were made in other
 * encodings: what is no character of this database must not reach the client.
 */
static const char *
message_clean(const char *message)
{
	int			encoding = GetDatabaseEncoding();
	int			rest = (int) strlen(message);
	char	   *clean = pstrdup(message);
	char	   *c = clean;

	while (rest > 0)
	{
		int			length = pg_encoding_verifymbchar(encoding, c, rest);

		if (length <= 0)
		{
			*c = '?';
			length = 1;
		}
		c += length;
		rest -= length;
	}
	return clean;
}

static void
env_fail(void *host, NnCode code, const char *message, const char *hint)
{
	ereport(ERROR,
			(errcode(env_sqlstate(code)),
			 errmsg_internal("%s", message_clean(message)),
			 hint != NULL ? errhint("%s", message_clean(hint)) : 0));
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

CallMemory
call_memory_begin(void)
{
	CallMemory	memory;

	memory.own = AllocSetContextCreate(CurrentMemoryContext, "lstm call", ALLOCSET_DEFAULT_SIZES);
	memory.caller = MemoryContextSwitchTo(memory.own);
	return memory;
}

void
call_memory_end(CallMemory memory)
{
	MemoryContextSwitchTo(memory.caller);
	MemoryContextDelete(memory.own);
}

ErrorData *
subtransaction_try(void (*body) (void *arg), void *arg)
{
	MemoryContext context = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	ErrorData  *volatile error = NULL;

	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(context);
	PG_TRY();
	{
		body(arg);
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		MemoryContextSwitchTo(context);
		error = CopyErrorData();
		FlushErrorState();
		RollbackAndReleaseCurrentSubTransaction();
	}
	PG_END_TRY();
	MemoryContextSwitchTo(context);
	CurrentResourceOwner = owner;
	return error;
}

double
seconds_since(instr_time start)
{
	instr_time	now;

	INSTR_TIME_SET_CURRENT(now);
	INSTR_TIME_SUBTRACT(now, start);
	return INSTR_TIME_GET_DOUBLE(now);
}

void
env_check_names(const char *what, const char *const *names, uint32 n)
{
	for (uint32 i = 0; GetDatabaseEncoding() != PG_UTF8 && i < n; i++)
		if (!pg_is_ascii(names[i]))
			ereport(ERROR,
					(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
					 errmsg("name of %s \"%s\" is not ASCII, and the encoding of the database is %s",
							what, message_clean(names[i]), GetDatabaseEncodingName()),
					 errhint("Give it another name in the source, or use a database with encoding UTF8.")));
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
