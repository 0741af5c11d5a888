/*
 * parallel.c
 *		Training with the server's parallel workers.
 *
 * Leader and workers meet twice a batch.  Who comes early spins for a moment,
 * since the others are usually microseconds away, and then sleeps on a condition
 * variable, since a machine with other work would lose more by spinning.  A
 * cancelled leader takes its workers with it (the parallel context is destroyed),
 * an error of a worker is raised in the leader.
 *
 * Where the leader has no snapshot, as in a background job, nobody shall have one while
 * epochs run.  Launching needs one, and workers take it over from the leader: so he keeps
 * it until all have come, and they let it go as they come.
 */
#include "postgres.h"

#include "access/parallel.h"
#include "access/xact.h"
#include "miscadmin.h"
#include "optimizer/optimizer.h"
#include "pgstat.h"
#include "port/atomics.h"
#include "storage/condition_variable.h"
#include "storage/shm_toc.h"
#include "storage/spin.h"
#include "utils/memutils.h"
#include "utils/snapmgr.h"
#include "utils/wait_event.h"

#include "pg/env.h"
#include "pg/parallel.h"

#define KEY_GATE	UINT64CONST(0x6C73746D00000001)
#define KEY_BLOCK	UINT64CONST(0x6C73746D00000002)

/* Looks at the gate before going to sleep: some 20 microseconds. */
#define SPINS 4000

/* Multiply-adds below which workers are not worth their start, in all and per batch. */
#define WORK_LEAST			1e10
#define WORK_LEAST_BATCH	1e7

/* Where all meet.  count is 0 until the leader knows how many came. */
typedef struct Gate
{
	bool		free;			/* nobody keeps a snapshot */
	pg_atomic_uint32 present;	/* workers that have come */
	pg_atomic_uint32 count;
	pg_atomic_uint32 arrived;
	pg_atomic_uint32 round;
	ConditionVariable turn;
	char		kernels[16];
} Gate;

typedef struct Meeting
{
	Gate	   *gate;
} Meeting;

static void
gate_sleep(Gate *gate, uint32 round)
{
	ConditionVariablePrepareToSleep(&gate->turn);
	while (pg_atomic_read_u32(&gate->round) == round)
		ConditionVariableSleep(&gate->turn, PG_WAIT_EXTENSION);
	ConditionVariableCancelSleep();
}

static void
gate_meet(void *host)
{
	Gate	   *gate = ((Meeting *) host)->gate;
	uint32		round = pg_atomic_read_u32(&gate->round);

	if (pg_atomic_add_fetch_u32(&gate->arrived, 1) == pg_atomic_read_u32(&gate->count))
	{
		pg_atomic_write_u32(&gate->arrived, 0);
		pg_atomic_add_fetch_u32(&gate->round, 1);
		ConditionVariableBroadcast(&gate->turn);
		return;
	}
	for (int i = 0; i < SPINS; i++)
	{
		if (pg_atomic_read_u32(&gate->round) != round)
		{
			/* What the others wrote before the turn must be seen after it. */
			pg_read_barrier();
			return;
		}
		pg_spin_delay();
	}
	gate_sleep(gate, round);
}

/* Waits for the leader to say how many take part. */
static uint32
gate_enter(Gate *gate)
{
	ConditionVariablePrepareToSleep(&gate->turn);
	while (pg_atomic_read_u32(&gate->count) == 0)
		ConditionVariableSleep(&gate->turn, PG_WAIT_EXTENSION);
	ConditionVariableCancelSleep();
	return pg_atomic_read_u32(&gate->count);
}

extern PGDLLEXPORT void lstm_parallel_main(dsm_segment *segment, shm_toc *toc);

void
lstm_parallel_main(dsm_segment *segment, shm_toc *toc)
{
	Gate	   *gate = shm_toc_lookup(toc, KEY_GATE, false);
	void	   *block = shm_toc_lookup(toc, KEY_BLOCK, false);
	Meeting		meeting = {gate};
	NnMember   *member = nn_share_attach(env_create(CurrentMemoryContext), block,
										 nn_kernels_get(gate->kernels));
	uint32		control;

	if (gate->free)
	{
		PopActiveSnapshot();
		/* From 18 on the start of a worker reads catalogs, whose snapshot would stay. */
		InvalidateCatalogSnapshot();
	}
	pg_atomic_add_fetch_u32(&gate->present, 1);
	ConditionVariableBroadcast(&gate->turn);
	member->number = (uint32) ParallelWorkerNumber + 1;
	member->count = gate_enter(gate);
	member->meet = gate_meet;
	member->host = &meeting;
	control = compute_begin();
	PG_TRY();
	{
		nn_member_loop(member);
	}
	PG_FINALLY();
	{
		compute_end(control);
	}
	PG_END_TRY();
	/* Who called expects one. */
	if (gate->free)
		PushActiveSnapshot(GetTransactionSnapshot());
}

/* Multiply-adds of forward and backward for one window: each site takes its turn at the weights. */
static double
window_work(const NnPlan *plan)
{
	double		work = 0;

	for (uint32_t i = 0; i < plan->nlayers; i++)
	{
		const NnLayer *layer = &plan->layer[i];

		for (uint32_t t = 0; t < layer->ntensors; t++)
		{
			const NnTensor *tensor = &plan->tensor[layer->first_tensor + t];

			if (!tensor->idle)
				work += 3.0 * (double) tensor->span.count * layer->in.T *
					(layer->npacks > 0 ? layer->out.S : 1);
		}
	}
	return work;
}

static int
workers_wanted(const NnTrainer *trainer)
{
	const NnSpec *spec = trainer->spec;
	uint32		batch = Min(spec->batch_size, trainer->ntrain);
	double		work = window_work(trainer->plan);

	if (IsInParallelMode() || max_parallel_maintenance_workers == 0 ||
		work * batch < WORK_LEAST_BATCH ||
		work * trainer->ntrain * spec->epochs < WORK_LEAST)
		return 0;
	return Min(max_parallel_maintenance_workers, (int) nn_shard_count(batch) - 1);
}

static void
gate_create(Gate *gate, const NnTrainer *trainer, bool free)
{
	gate->free = free;
	pg_atomic_init_u32(&gate->present, 0);
	pg_atomic_init_u32(&gate->count, 0);
	pg_atomic_init_u32(&gate->arrived, 0);
	pg_atomic_init_u32(&gate->round, 0);
	ConditionVariableInit(&gate->turn);
	strlcpy(gate->kernels, trainer->kernels->name, sizeof(gate->kernels));
}

/* Until that many workers have come; then the leader needs his snapshot no more. */
static void
gate_wait_present(Gate *gate, uint32 count)
{
	ConditionVariablePrepareToSleep(&gate->turn);
	while (pg_atomic_read_u32(&gate->present) < count)
		ConditionVariableSleep(&gate->turn, PG_WAIT_EXTENSION);
	ConditionVariableCancelSleep();
}

/* With those workers that came, or alone. */
static void
team_run(NnTrainer *trainer, ParallelContext *pcxt, Gate *gate, void *block)
{
	Meeting		meeting = {gate};

	WaitForParallelWorkersToAttach(pcxt);
	if (gate->free)
	{
		gate_wait_present(gate, (uint32) pcxt->nworkers_launched);
		PopActiveSnapshot();
		InvalidateCatalogSnapshot();
	}
	if (pcxt->nworkers_launched == 0)
	{
		nn_trainer_run(trainer);
		return;
	}
	pg_atomic_write_u32(&gate->count, (uint32) pcxt->nworkers_launched + 1);
	ConditionVariableBroadcast(&gate->turn);
	ereport(DEBUG1, (errmsg_internal("training with %d workers", pcxt->nworkers_launched)));
	nn_trainer_join(trainer, block, (uint32) pcxt->nworkers_launched + 1, gate_meet, &meeting);
	nn_trainer_run(trainer);
	nn_trainer_leave(trainer);
}

void
parallel_train(NnTrainer *trainer)
{
	int			nworkers = workers_wanted(trainer);
	size_t		size = nn_share_size(trainer->leader);
	ParallelContext *pcxt;
	bool		free = !ActiveSnapshotSet();
	Gate	   *gate;
	void	   *block;

	if (nworkers < 1 || size > trainer->env->max_memory)
	{
		nn_trainer_run(trainer);
		return;
	}
	if (free)
		PushActiveSnapshot(GetTransactionSnapshot());
	EnterParallelMode();
	pcxt = CreateParallelContext("lstm", "lstm_parallel_main", nworkers);
	shm_toc_estimate_chunk(&pcxt->estimator, sizeof(Gate));
	shm_toc_estimate_chunk(&pcxt->estimator, size + 64);
	shm_toc_estimate_keys(&pcxt->estimator, 2);
	InitializeParallelDSM(pcxt);
	if (pcxt->seg == NULL)
	{
		/* No shared memory segment was free. */
		if (free)
			PopActiveSnapshot();
		nn_trainer_run(trainer);
	}
	else
	{
		gate = shm_toc_allocate(pcxt->toc, sizeof(Gate));
		gate_create(gate, trainer, free);
		shm_toc_insert(pcxt->toc, KEY_GATE, gate);
		/* Aligned as the kernels like it, on every side: segments are mapped to pages. */
		block = (void *) TYPEALIGN(64, shm_toc_allocate(pcxt->toc, size + 64));
		nn_share_write(trainer->leader, block);
		shm_toc_insert(pcxt->toc, KEY_BLOCK, block);
		LaunchParallelWorkers(pcxt);
		team_run(trainer, pcxt, gate, block);
		WaitForParallelWorkersToFinish(pcxt);
	}
	DestroyParallelContext(pcxt);
	ExitParallelMode();
}
