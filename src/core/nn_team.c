/*
 * nn_team.c
 *		Several participants computing the gradient of one batch.
 */
#include <string.h>

#include "core/nn_array.h"
#include "core/nn_loss.h"
#include "core/nn_team.h"
#include "core/nn_tile.h"

/* Values and lanes that a loss is taken of between two polls: some 10 ms of the slowest one. */
#define POLL_LOSSES 200000

uint32_t
nn_shard_count(uint32_t n)
{
	uint32_t	tiles = nn_tile_count(n);

	return tiles < NN_SHARDS ? tiles : NN_SHARDS;
}

/* First of ntiles tiles that belongs to shard s of nshards; s = nshards: the end. */
static uint32_t
shard_first(uint32_t ntiles, uint32_t nshards, uint32_t s)
{
	return (uint32_t) ((uint64_t) ntiles * s / nshards);
}

/* Brings the tile's windows into the input layers and the targets, runs forward. */
static void
tile_forward(NnMember *member, const NnWindow *windows, const NnTile *tile)
{
	NnState    *state = member->state;

	state->L = tile->L;
	state->first_lane = tile->first;
	nn_window_gather(member->data, windows + tile->first, tile->count, tile->L,
					 nn_state_output(state, NN_LAYER_PAST),
					 nn_state_output(state, NN_LAYER_FUTURE),
					 nn_state_output(state, NN_LAYER_STATIC), member->target);
	nn_window_identity(member->data, windows + tile->first, tile->count, tile->L, state->identity);
	nn_window_arrays(state, member->data, windows + tile->first, tile->count);
	nn_state_forward(state);
}

/*
 * Loss of the tile in state; with factor > 0 also the gradient of loss * factor.  Many sites
 * come a slice at a time; the cut depends on the sizes only.
 */
static void
tile_loss(NnMember *member, const NnTile *tile, double factor, NnShard *shard)
{
	NnState    *state = member->state;
	const NnPlan *plan = member->plan;
	const nn_real *raw = nn_state_output(state, plan->output_layer);
	nn_real    *draw = factor > 0 ? nn_state_gradient(state, plan->output_layer) : NULL;
	uint32_t	values = plan->horizon * plan->ntargets,	/* of a site */
				slice = (uint32_t) (POLL_LOSSES / ((size_t) values * tile->L)) + 1;

	for (uint32_t s = 0; s < plan->nsites; s += slice)
	{
		size_t		at = (size_t) s * values * tile->L;

		state->env->poll(state->env->host);
		shard->loss += nn_loss_compute(member->spec, values * (plan->nsites - s < slice ?
															   plan->nsites - s : slice), tile->L,
									   raw + at * plan->outputs, member->target + at, factor,
									   draw ? draw + at * plan->outputs : NULL, &shard->known);
	}
}

/*
 * Moves the past in state by epsilon against the network: x += epsilon * sign(gradient)
 * (Goodfellow et al. 2015), targets and past covariates only.  What is known ahead and
 * masks stay; padding has no gradient.
 */
static void
tile_attack(NnMember *member, nn_real epsilon)
{
	NnState    *state = member->state;
	const NnShape *shape = &member->plan->layer[NN_LAYER_PAST].out;
	nn_real    *past = nn_state_output(state, NN_LAYER_PAST);
	const nn_real *gradient = nn_state_gradient(state, NN_LAYER_PAST);
	size_t		row = (size_t) shape->C * state->L,
				moved = (size_t) (member->spec->ntargets + member->spec->npast) * state->L;

	for (size_t t = 0; t < (size_t) shape->T * shape->S; t++, past += row, gradient += row)
	{
		if (t % 1024 == 0)
			state->env->poll(state->env->host);
		for (size_t i = 0; i < moved; i++)
			past[i] += epsilon * (nn_real) ((gradient[i] > 0) - (gradient[i] < 0));
	}
}

/*
 * Loss of a tile as it is, and the gradient of the mean of that and of the loss under
 * attack: half of the weight each.
 */
static void
tile_learn_attacked(NnMember *member, const NnTile *tile, NnShard *shard)
{
	NnState    *state = member->state;
	NnShard		attacked = {0, 0};
	double		half = member->job->factor / 2;

	state->explain = true;
	tile_loss(member, tile, half, shard);
	nn_state_backward(state);
	tile_attack(member, (nn_real) member->spec->adversarial_epsilon);
	nn_state_forward(state);
	state->explain = false;		/* where the attacked past would go is nobody's business */
	tile_loss(member, tile, half, &attacked);
	nn_state_backward(state);
}

/* Packs parameters that changed; an attack goes through the transposes of the inputs too. */
static void
params_pack(NnMember *member)
{
	if (member->version == member->job->version)
		return;
	member->state->explain = member->spec->adversarial_epsilon > 0;
	nn_state_pack(member->state);
	member->version = member->job->version;
}

void
nn_member_shard(NnMember *member, uint32_t s, nn_real *slot)
{
	uint32_t	n = member->job->n,
				tiles = nn_tile_count(n),
				shards = nn_shard_count(n);

	params_pack(member);
	member->state->training = true;
	member->state->step = member->job->step;
	member->state->dparams = slot;
	member->shard[s] = (NnShard) {0, 0};
	memset(slot, 0, member->plan->nactive * sizeof(nn_real));
	for (uint32_t i = shard_first(tiles, shards, s); i < shard_first(tiles, shards, s + 1); i++)
	{
		NnTile		tile = nn_tile_get(n, i);

		tile_forward(member, member->batch, &tile);
		if (member->spec->adversarial_epsilon > 0)
		{
			tile_learn_attacked(member, &tile, &member->shard[s]);
			continue;
		}
		tile_loss(member, &tile, member->job->factor, &member->shard[s]);
		nn_state_backward(member->state);
	}
}

uint32_t
nn_loss_shards(const NnMember *member, uint32_t n)
{
	uint32_t	tiles = n / member->plan->lanes + (n % member->plan->lanes > 0);

	return tiles < NN_LOSS_SHARDS ? tiles : NN_LOSS_SHARDS;
}

void
nn_member_loss(NnMember *member, const NnWindow *windows, uint32_t n, uint32_t s)
{
	uint32_t	lanes = member->plan->lanes,
				tiles = n / lanes + (n % lanes > 0),
				shards = nn_loss_shards(member, n);

	params_pack(member);
	member->state->training = false;
	member->shard[s] = (NnShard) {0, 0};
	for (uint32_t i = shard_first(tiles, shards, s); i < shard_first(tiles, shards, s + 1); i++)
	{
		uint32_t	count = n - i * lanes < lanes ? n - i * lanes : lanes;
		NnTile		tile = {0, count, (count + NN_LANES - 1) / NN_LANES * NN_LANES};

		tile_forward(member, windows + (size_t) i * lanes, &tile);
		tile_loss(member, &tile, 0, &member->shard[s]);
	}
}

void
nn_member_work(NnMember *member)
{
	const NnJob *job = member->job;

	if (job->command == NN_JOB_STEP)
		for (uint32_t s = member->number; s < nn_shard_count(job->n); s += member->count)
			nn_member_shard(member, s, member->slot + s * member->stride);
	else if (job->command == NN_JOB_LOSS)
		for (uint32_t s = member->number; s < nn_loss_shards(member, member->nvalidation);
			 s += member->count)
			nn_member_loss(member, member->validation, member->nvalidation, s);
}

void
nn_member_loop(NnMember *member)
{
	for (;;)
	{
		member->meet(member->host);
		if (member->job->command == NN_JOB_END)
			return;
		nn_member_work(member);
		member->meet(member->host);
	}
}

/* ------------------------------------------------------------------------
 * The shared block: a header of offsets, then the parts, each on a cache line.
 */

typedef enum Part
{
	PART_SPEC, PART_PLAN, PART_JOB, PART_PARAMS, PART_SLOTS, PART_SHARDS, PART_BATCH,
	PART_VALIDATION, PART_FIRST, PART_HISTORY, PART_X, PART_Y, PART_LEVEL, PART_KNOWN,
	PART_STATICS, PART_START, PART_GAP_FIRST, PART_GAP, PART_GROUP, PART_IDENTITY,
	PART_CENTER, PART_SCALE, PART_SITE, PART_AT_SITE, PART_ARRAY_CENTER, PART_ARRAY_SCALE,
	PART_ARRAY_AT,				/* and one for each further array column, likewise ... */
	PART_ARRAY_VALUE = PART_ARRAY_AT + NN_MAX_ARRAYS,	/* ... those from here on */
	NPARTS = PART_ARRAY_VALUE + NN_MAX_ARRAYS
} Part;

typedef struct Share
{
	size_t		size;
	size_t		offset[NPARTS];	/* 0: the part is not there */
	size_t		stride;
	uint64_t	seed;
	uint32_t	nvalidation, nseries, C, Cs, data_C, ngroups;
} Share;

typedef struct PartCopy
{
	const void *from;			/* NULL: room only */
	size_t		bytes;
} PartCopy;

static size_t
aligned(size_t bytes)
{
	return (bytes + 63) / 64 * 64;
}

/* Vectors of an array column's pool: as far as the rows look into it. */
static size_t
vectors_count(const NnArray *array, size_t rows)
{
	uint32_t	last = 0;

	for (size_t row = 0; row < rows; row++)
		if (array->at[row] != NN_ARRAY_UNKNOWN && array->at[row] >= last)
			last = array->at[row] + 1;
	return last;
}

/* The array columns' parts of a block. */
static void
arrays_list(const NnMember *leader, PartCopy *part)
{
	const NnSeries *series = leader->data->series;
	const NnPrep *prep = leader->data->prep;
	size_t		rows = series->first[series->nseries],
				scales = nn_array_channels(leader->spec) * sizeof(double);

	part[PART_ARRAY_CENTER] = (PartCopy) {prep->array_center, scales};
	part[PART_ARRAY_SCALE] = (PartCopy) {prep->array_scale, scales};
	for (uint32_t i = 0; i < series->narrays; i++)
	{
		const NnArray *array = &series->array[i];

		part[PART_ARRAY_AT + i] = (PartCopy) {array->at, rows * sizeof(uint32_t)};
		part[PART_ARRAY_VALUE + i] = (PartCopy) {array->value,
			vectors_count(array, rows) * array->width * sizeof(float)};
	}
}

/* What goes into a block.  Every product fits: the arrays exist in memory, save slots. */
static void
parts_list(const NnMember *leader, PartCopy *part)
{
	const NnEnv *env = leader->env;
	const NnData *data = leader->data;
	const NnSeries *series = data->series;
	const NnPrep *prep = data->prep;
	size_t		rows = series->first[series->nseries],
				targets = rows * leader->spec->ntargets,
				starts = (size_t) series->nseries * series->C,
				scales = (size_t) prep->ngroups * prep->C,
				stride = aligned(leader->plan->nactive * sizeof(nn_real));
	PartCopy	list[NPARTS] = {
		[PART_SPEC] = {leader->spec, sizeof(NnSpec)},
		[PART_PLAN] = {leader->plan, sizeof(NnPlan)},
		[PART_JOB] = {NULL, sizeof(NnJob)},
		[PART_PARAMS] = {NULL, leader->plan->nparams * sizeof(nn_real)},
		[PART_SLOTS] = {NULL, nn_size_mul(env, nn_shard_count(leader->spec->batch_size), stride)},
		[PART_SHARDS] = {NULL, NN_LOSS_SHARDS * sizeof(NnShard)},
		[PART_BATCH] = {NULL, leader->spec->batch_size * sizeof(NnWindow)},
		[PART_VALIDATION] = {leader->validation, leader->nvalidation * sizeof(NnWindow)},
		[PART_FIRST] = {series->first, ((size_t) series->nseries + 1) * sizeof(uint32_t)},
		[PART_HISTORY] = {series->history, series->nseries * sizeof(uint32_t)},
		[PART_X] = {data->x, rows * data->C * sizeof(nn_real)},
		[PART_Y] = {data->y, targets * sizeof(nn_real)},
		[PART_LEVEL] = {data->level, targets * sizeof(double)},
		[PART_KNOWN] = {data->known, rows * series->C},
		[PART_STATICS] = {data->statics, (size_t) series->nseries * series->Cs * sizeof(nn_real)},
		[PART_START] = {data->start, starts * sizeof(uint32_t)},
		[PART_GAP_FIRST] = {data->gap_first, ((size_t) series->C + 1) * sizeof(size_t)},
		[PART_GAP] = {data->gap, data->gap ? data->gap_first[series->C] * sizeof(uint32_t) : 0},
		[PART_GROUP] = {data->group, series->nseries * sizeof(uint32_t)},
		[PART_IDENTITY] = {data->identity,
			data->identity ? series->nseries * sizeof(uint32_t) : 0},
		[PART_CENTER] = {prep->center, scales * sizeof(double)},
		[PART_SCALE] = {prep->scale, scales * sizeof(double)},
		[PART_SITE] = {series->site, series->site ? series->nseries * sizeof(uint32_t) : 0},
		[PART_AT_SITE] = {series->at_site,
			series->at_site ? leader->spec->nsites * sizeof(uint32_t) : 0}
	};

	if (data->gap == NULL)
		list[PART_GAP_FIRST].bytes = 0;
	memcpy(part, list, sizeof(list));
	arrays_list(leader, part);
}

size_t
nn_share_size(const NnMember *leader)
{
	PartCopy	part[NPARTS];
	size_t		size = aligned(sizeof(Share));

	parts_list(leader, part);
	for (int i = 0; i < NPARTS; i++)
		size = nn_size_add(leader->env, size, aligned(part[i].bytes));
	return size;
}

void
nn_share_write(const NnMember *leader, void *block)
{
	Share	   *share = block;
	PartCopy	part[NPARTS];
	size_t		at = aligned(sizeof(Share));

	memset(share, 0, sizeof(Share));
	parts_list(leader, part);
	for (int i = 0; i < NPARTS; i++)
	{
		char	   *to = (char *) block + at;

		if (part[i].bytes == 0)
			continue;
		share->offset[i] = at;
		if (part[i].from)
			memcpy(to, part[i].from, part[i].bytes);
		else
			memset(to, 0, part[i].bytes);
		at += aligned(part[i].bytes);
	}
	share->size = at;
	share->stride = aligned(leader->plan->nactive * sizeof(nn_real)) / sizeof(nn_real);
	share->seed = leader->state->seed;
	share->nvalidation = leader->nvalidation;
	share->nseries = leader->data->series->nseries;
	share->C = leader->data->series->C;
	share->Cs = leader->data->series->Cs;
	share->data_C = leader->data->C;
	share->ngroups = leader->data->prep->ngroups;
}

static void *
share_part(void *block, Part part)
{
	size_t		offset = ((Share *) block)->offset[part];

	return offset ? (char *) block + offset : NULL;
}

static NnArray *
share_arrays(const NnEnv *env, void *block)
{
	const NnSpec *spec = share_part(block, PART_SPEC);
	NnArray    *array = NN_NEW_ARRAY(env, NnArray, spec->narrays);

	for (uint32_t i = 0; i < spec->narrays; i++)
		array[i] = (NnArray) {spec->array[i].name, nn_array_width(&spec->array[i]),
			share_part(block, (Part) (PART_ARRAY_AT + i)),
			share_part(block, (Part) (PART_ARRAY_VALUE + i))};
	return array;
}

/* The prepared rows as a worker sees them: views into the block. */
static const NnData *
share_data(const NnEnv *env, void *block)
{
	const Share *share = block;
	NnData	   *data = NN_NEW(env, NnData);
	NnSeries   *series = NN_NEW(env, NnSeries);
	NnPrep	   *prep = NN_NEW(env, NnPrep);

	series->nseries = share->nseries;
	series->C = prep->C = share->C;
	series->Cs = prep->Cs = share->Cs;
	series->first = share_part(block, PART_FIRST);
	series->history = share_part(block, PART_HISTORY);
	series->site = share_part(block, PART_SITE);
	series->at_site = share_part(block, PART_AT_SITE);
	series->narrays = ((const NnSpec *) share_part(block, PART_SPEC))->narrays;
	series->array = share_arrays(env, block);
	prep->array_center = share_part(block, PART_ARRAY_CENTER);
	prep->array_scale = share_part(block, PART_ARRAY_SCALE);
	prep->ngroups = share->ngroups;
	prep->center = share_part(block, PART_CENTER);
	prep->scale = share_part(block, PART_SCALE);
	data->env = env;
	data->spec = share_part(block, PART_SPEC);
	data->prep = prep;
	data->series = series;
	data->group = share_part(block, PART_GROUP);
	data->identity = share_part(block, PART_IDENTITY);
	data->C = share->data_C;
	data->x = share_part(block, PART_X);
	data->y = share_part(block, PART_Y);
	data->level = share_part(block, PART_LEVEL);
	data->known = share_part(block, PART_KNOWN);
	data->statics = share_part(block, PART_STATICS);
	data->start = share_part(block, PART_START);
	data->gap_first = share_part(block, PART_GAP_FIRST);
	data->gap = share_part(block, PART_GAP);
	return data;
}

static void
exchange_open(NnMember *member, void *block)
{
	member->job = share_part(block, PART_JOB);
	member->batch = share_part(block, PART_BATCH);
	member->slot = share_part(block, PART_SLOTS);
	member->stride = ((Share *) block)->stride;
	member->shard = share_part(block, PART_SHARDS);
	member->state->params = share_part(block, PART_PARAMS);
}

NnMember *
nn_share_attach(const NnEnv *env, void *block, const NnKernels *kernels)
{
	const Share *share = block;
	NnMember   *member = NN_NEW(env, NnMember);

	member->env = env;
	member->spec = share_part(block, PART_SPEC);
	member->plan = share_part(block, PART_PLAN);
	member->data = share_data(env, block);
	member->validation = share_part(block, PART_VALIDATION);
	member->nvalidation = share->nvalidation;
	member->state = nn_state_create(env, member->plan, kernels, share_part(block, PART_PARAMS),
									true);
	member->state->seed = share->seed;
	member->target = NN_NEW_ARRAY(env, nn_real, (size_t) member->plan->horizon * member->plan->ntargets *
								  member->plan->lanes * member->plan->nsites);
	exchange_open(member, block);
	member->version = 0;
	return member;
}

void
nn_share_lead(NnMember *leader, void *block)
{
	nn_real    *params = leader->state->params;
	NnJob		job = *leader->job;

	exchange_open(leader, block);
	*leader->job = job;
	memcpy(leader->state->params, params, leader->plan->nparams * sizeof(nn_real));
}
