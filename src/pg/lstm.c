/*
 * lstm.c
 *		What happens when the library is loaded: the settings come to exist.
 *
 * Nothing else does: no thread, no shared memory, no hook but the end of a
 * transaction, when models read are let go.  Every setting is the
 * session's own (PGC_USERSET), but for the number of background jobs; the registry
 * and the rows are guarded by privileges, not by settings.
 */
#include "postgres.h"

#include <limits.h>

#include "fmgr.h"
#include "pg/env.h"
#include "pg/job.h"
#include "pg/model_cache.h"
#include "pg/source_cache.h"
#include "utils/guc.h"

PG_MODULE_MAGIC;

int			lstm_max_memory_kb = 1024 * 1024;
int			lstm_model_cache_kb = 64 * 1024;
int			lstm_progress = 10;
int			lstm_max_jobs = 2;
int			lstm_job_read_timeout = 60 * 1000;
double		lstm_train_seconds = 0;
char	   *lstm_kernels = NULL;

static const char *const kernel_names[] = {"auto", "generic", "avx2", "avx512"};

/* The names that this CPU and this build have, as a list for people. */
static void
kernels_print(char *text, size_t size)
{
	text[0] = '\0';
	for (size_t i = 0; i < lengthof(kernel_names); i++)
	{
		if (nn_kernels_get(kernel_names[i]) == NULL)
			continue;
		if (text[0] != '\0')
			strlcat(text, ", ", size);
		strlcat(text, kernel_names[i], size);
	}
}

static bool
kernels_check(char **newval, void **extra, GucSource source)
{
	char		available[64];

	for (size_t i = 0; i < lengthof(kernel_names); i++)
	{
		if (strcmp(*newval, kernel_names[i]) == 0 && nn_kernels_get(*newval) != NULL)
			return true;
	}
	kernels_print(available, sizeof(available));
	GUC_check_errdetail("Kernels are auto, generic, avx2 and avx512; this CPU has: %s.", available);
	return false;
}

void
_PG_init(void)
{
	DefineCustomIntVariable("lstm.max_memory",
							"Sets the memory that one training or forecast may plan to use.",
							"A source or a network that needs more is refused before it starts.",
							&lstm_max_memory_kb,
							1024 * 1024, 1024, MAX_KILOBYTES,
							PGC_USERSET, GUC_UNIT_KB,
							NULL, NULL, NULL);

	DefineCustomIntVariable("lstm.model_cache",
							"Sets the memory that models read by this session may keep for later forecasts.",
							"0 reads a model anew in each transaction.",
							&lstm_model_cache_kb,
							64 * 1024, 0, MAX_KILOBYTES,
							PGC_USERSET, GUC_UNIT_KB,
							NULL, NULL, NULL);

	DefineCustomIntVariable("lstm.progress",
							"Sets the number of epochs between progress messages of a training.",
							"0 turns them off.",
							&lstm_progress,
							10, 0, INT_MAX,
							PGC_USERSET, 0,
							NULL, NULL, NULL);

	DefineCustomRealVariable("lstm.train_seconds",
							 "Sets the time that one training may take.",
							 "Training then ends early, with what it has learned; 0 sets no limit.",
							 &lstm_train_seconds,
							 0, 0, 1e6,
							 PGC_USERSET, GUC_UNIT_S,
							 NULL, NULL, NULL);

	DefineCustomStringVariable("lstm.kernels",
							   "Chooses the instruction set to compute with.",
							   "auto takes the best that the CPU has.",
							   &lstm_kernels,
							   "auto",
							   PGC_USERSET, 0,
							   kernels_check, NULL, NULL);

	DefineCustomIntVariable("lstm.max_jobs",
							"Sets the number of background jobs of a database that may run at a time.",
							"Others wait in the queue; 0 starts none.",
							&lstm_max_jobs,
							2, 0, 1024,
							PGC_SUSET, 0,
							NULL, NULL, NULL);

	DefineCustomIntVariable("lstm.job_read_timeout",
							"Sets the time that a background job may take to read its rows.",
							"So long it holds a snapshot and locks on what it reads; 0 sets no limit.",
							&lstm_job_read_timeout,
							60 * 1000, 0, INT_MAX,
							PGC_USERSET, GUC_UNIT_MS,
							NULL, NULL, NULL);

	model_cache_init();
	source_cache_init();

#if PG_VERSION_NUM >= 150000
	MarkGUCPrefixReserved("lstm");
#else
	EmitWarningsOnPlaceholders("lstm");
#endif
}
