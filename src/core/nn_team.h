/*
 * nn_team.h
 *		Several participants computing the gradient of one batch.
 *
 * A batch is cut into shards, a shard into tiles; both cuts depend on the number
 * of windows only.  Each shard's gradient is computed from zero by whoever it
 * falls to, and the leader adds the shards in their order: the sums, and so the
 * model, are the same bits for any number of participants.  Every participant
 * runs the same code; alone, the leader computes all shards one after another.
 *
 * Participants meet before and after each piece of work.  How they wait is the
 * host's business (meet); between two meetings only the leader writes the job,
 * the batch and the parameters, and each participant only its own shards.
 *
 * With spec->adversarial_epsilon above 0 each tile is learned twice, as it is and with
 * its past moved against the network (Goodfellow et al. 2015), half of the weight each:
 * twice the time, the same memory.  Losses are those of the windows as they are.
 *
 * What workers need lies in one block of memory without pointers (nn_share_*),
 * which the host puts where all can map it.
 */
#ifndef NN_TEAM_H
#define NN_TEAM_H

#include "core/nn_data.h"
#include "core/nn_state.h"

/* Shards of a batch, and pieces of a list whose loss is wanted, at the most. */
#define NN_SHARDS		8
#define NN_LOSS_SHARDS	64

typedef enum NnCommand
{
	NN_JOB_STEP,				/* gradient of the batch, one slot a shard */
	NN_JOB_LOSS,				/* loss of the validation windows */
	NN_JOB_END
} NnCommand;

typedef struct NnJob
{
	NnCommand	command;
	uint32_t	n;				/* windows of the batch */
	uint32_t	step;			/* optimiser steps before this one: dropout depends on it */
	uint32_t	version;		/* of the parameters: a new one asks for packing */
	double		factor;			/* gradient of the loss's sum times this */
} NnJob;

typedef struct NnShard
{
	double		loss;			/* sum over the known targets */
	uint64_t	known;
} NnShard;

typedef struct NnMember
{
	const NnEnv *env;
	const NnSpec *spec;
	const NnPlan *plan;
	const NnData *data;
	NnState    *state;
	nn_real    *target;			/* [horizon * ntargets][lanes] of the tile */
	uint32_t	version;		/* of the parameters that are packed */
	uint32_t	number, count;	/* this participant, of how many; 0 leads */
	NnJob	   *job;
	NnWindow   *batch;			/* [batch_size] */
	const NnWindow *validation;
	uint32_t	nvalidation;
	nn_real    *slot;			/* [NN_SHARDS][stride] gradients; alone: one slot */
	size_t		stride;
	NnShard    *shard;			/* [NN_LOSS_SHARDS] */
	/* Returns when all participants have called it.  NULL when alone. */
	void		(*meet) (void *host);
	void	   *host;
} NnMember;

/* Shards of a batch of n windows. */
extern uint32_t nn_shard_count(uint32_t n);

/* Gradient of shard s of the batch into slot [nactive], loss into member->shard[s]. */
extern void nn_member_shard(NnMember *member, uint32_t s, nn_real *slot);

/* Loss of piece s of a list of windows into member->shard[s]; pieces there are. */
extern uint32_t nn_loss_shards(const NnMember *member, uint32_t n);
extern void nn_member_loss(NnMember *member, const NnWindow *windows, uint32_t n, uint32_t s);

/* This participant's part of the job. */
extern void nn_member_work(NnMember *member);

/* A worker's life: meet, work, meet, until the job is NN_JOB_END. */
extern void nn_member_loop(NnMember *member);

/* ------------------------------------------------------------------------
 * The shared block
 */

/* Bytes of a block for this leader's work. */
extern size_t nn_share_size(const NnMember *leader);

/*
 * Fills a block (aligned to 64 bytes) with copies of spec, plan, data and
 * validation windows, and with room for what is exchanged.
 */
extern void nn_share_write(const NnMember *leader, void *block);

/* A worker on the block; takes a state of its own from env. */
extern NnMember *nn_share_attach(const NnEnv *env, void *block, const NnKernels *kernels);

/* Points the leader's exchanged arrays into the block; parameters are copied there. */
extern void nn_share_lead(NnMember *leader, void *block);

#endif							/* NN_TEAM_H */
