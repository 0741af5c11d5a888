/*
 * nn_train.c
 *		Fitting the parameters: epochs, batches, validation, early stopping.
 */
#include <math.h>
#include <string.h>

#include "core/nn_graph.h"
#include "core/nn_rng.h"
#include "core/nn_train.h"

size_t
nn_trainer_memory(const NnEnv *env, const NnSpec *spec, const NnPlan *plan, uint32_t ntrain)
{
	size_t		reals = nn_size_mul(env, plan->nparams, 3), /* params, best, gradient */
				bytes;

	reals = nn_size_add(env, reals, nn_size_mul(env, (size_t) plan->horizon * plan->ntargets * plan->lanes,
												plan->nsites));
	bytes = nn_size_mul(env, reals, sizeof(nn_real));
	bytes = nn_size_add(env, bytes, nn_plan_memory(env, plan, true));
	bytes = nn_size_add(env, bytes, nn_optim_memory(env, plan));
	bytes = nn_size_add(env, bytes, nn_params_memory(env, plan));
	bytes = nn_size_add(env, bytes, nn_size_mul(env, spec->epochs, sizeof(NnEpoch)));
	bytes = nn_size_add(env, bytes, nn_size_mul(env, ntrain, sizeof(uint32_t)));
	return nn_size_add(env, bytes, nn_size_mul(env, spec->batch_size, sizeof(NnWindow)));
}

static NnMember *
leader_create(NnTrainer *trainer)
{
	const NnEnv *env = trainer->env;
	const NnPlan *plan = trainer->plan;
	NnMember   *leader = NN_NEW(env, NnMember);

	leader->env = env;
	leader->spec = trainer->spec;
	leader->plan = plan;
	leader->data = trainer->data;
	leader->state = nn_state_create(env, plan, trainer->kernels, trainer->params, true);
	leader->state->seed = trainer->spec->seed;
	leader->target = NN_NEW_ARRAY(env, nn_real,
								  nn_size_mul(env, (size_t) plan->horizon * plan->ntargets *
											  plan->lanes, plan->nsites));
	leader->count = 1;
	leader->job = &trainer->job;
	leader->job->version = 1;	/* nothing is packed so far */
	leader->batch = NN_NEW_ARRAY(env, NnWindow, trainer->spec->batch_size);
	leader->validation = trainer->validation;
	leader->nvalidation = trainer->nvalidation;
	leader->slot = leader->state->dparams;
	leader->shard = NN_NEW_ARRAY(env, NnShard, NN_LOSS_SHARDS);
	return leader;
}

NnTrainer *
nn_trainer_create(const NnEnv *env, const NnSpec *spec, const NnPlan *plan,
				  const NnKernels *kernels, const NnData *data,
				  const NnWindow *train, uint32_t ntrain,
				  const NnWindow *validation, uint32_t nvalidation)
{
	size_t		bytes = nn_trainer_memory(env, spec, plan, ntrain);
	NnTrainer  *trainer;

	if (bytes > env->max_memory)
		nn_fail(env, NN_NO_MEMORY,
				nn_format(env, "training needs %.1f MB of memory, above the limit of %.1f MB",
						  bytes / 1048576.0, env->max_memory / 1048576.0),
				"Raise \"lstm.max_memory\", or use fewer units, a shorter context or a smaller batch.");
	trainer = NN_NEW(env, NnTrainer);
	trainer->env = env;
	trainer->spec = spec;
	trainer->plan = plan;
	trainer->data = data;
	trainer->kernels = kernels;
	trainer->train = train;
	trainer->ntrain = ntrain;
	trainer->validation = validation;
	trainer->nvalidation = nvalidation;
	trainer->params = NN_NEW_ARRAY(env, nn_real, plan->nparams);
	if (spec->patience > 0)
		trainer->best = NN_NEW_ARRAY(env, nn_real, plan->nparams);
	trainer->gradient = NN_NEW_ARRAY(env, nn_real, plan->nparams);
	trainer->order = NN_NEW_ARRAY(env, uint32_t, ntrain);
	trainer->report.epoch = NN_NEW_ARRAY(env, NnEpoch, spec->epochs);
	trainer->leader = leader_create(trainer);
	trainer->optim = nn_optim_create(env, spec, plan);
	nn_params_init(env, plan, spec->seed, trainer->params);
	if (plan->nedges > 0)
		nn_graph_fill(env, plan, data->series->graph, trainer->params);
	trainer->epochs = spec->epochs;
	return trainer;
}

void
nn_trainer_freeze(NnTrainer *trainer, const bool *frozen)
{
	const NnPlan *plan = trainer->plan;

	trainer->frozen = NN_NEW_ARRAY(trainer->env, bool, plan->ntensors);
	memcpy(trainer->frozen, frozen, plan->ntensors * sizeof(bool));
	trainer->initial = NN_NEW_ARRAY(trainer->env, nn_real, plan->nparams);
	memcpy(trainer->initial, trainer->params, plan->nparams * sizeof(nn_real));
}

/* Takes frozen tensors out of a gradient, or puts their values back. */
static void
frozen_restore(const NnTrainer *trainer, nn_real *slab, const nn_real *from)
{
	for (uint32_t i = 0; trainer->frozen && i < trainer->plan->ntensors; i++)
	{
		NnSpan		span = trainer->plan->tensor[i].span;

		if (!trainer->frozen[i])
			continue;
		if (from)
			memcpy(slab + span.offset, from + span.offset, span.count * sizeof(nn_real));
		else
			memset(slab + span.offset, 0, span.count * sizeof(nn_real));
	}
}

/* The whole team computes the job; alone, the leader does in its own order. */
static void
team_work(NnMember *leader)
{
	leader->meet(leader->host);
	nn_member_work(leader);
	leader->meet(leader->host);
}

/* trainer->gradient [nactive] = sum of the shards' gradients, in their order. */
static void
gradient_compute(NnTrainer *trainer)
{
	NnMember   *leader = trainer->leader;
	size_t		n = trainer->plan->nactive;
	uint32_t	shards = nn_shard_count(leader->job->n);

	leader->job->command = NN_JOB_STEP;
	if (leader->count > 1)
		team_work(leader);
	for (uint32_t s = 0; s < shards; s++)
	{
		nn_real    *slot = leader->slot;

		if (leader->count > 1)
			slot += s * leader->stride;
		else
			nn_member_shard(leader, s, slot);
		if (s == 0)
			memcpy(trainer->gradient, slot, n * sizeof(nn_real));
		else
			nn_gradient_add(n, trainer->gradient, slot);
	}
}

static double
shards_sum(const NnMember *leader, uint32_t shards, uint64_t *known)
{
	double		sum = 0;

	for (uint32_t s = 0; s < shards; s++)
	{
		sum += leader->shard[s].loss;
		*known += leader->shard[s].known;
	}
	return sum;
}

double
nn_trainer_step(NnTrainer *trainer, uint32_t n, double learning_rate, uint64_t *known,
				double *norm)
{
	const NnPlan *plan = trainer->plan;
	NnMember   *leader = trainer->leader;
	uint64_t	batch_known = 0;
	double		sum,
				penalty;

	for (uint32_t i = 0; i < n; i++)
	{
		trainer->env->poll(trainer->env->host);
		batch_known += nn_window_known(trainer->data, &leader->batch[i]);
	}
	*norm = 0;
	if (batch_known == 0)
		return 0;				/* nothing to learn from: no step, no momentum */
	leader->job->n = n;
	leader->job->step = trainer->optim->step;
	leader->job->factor = 1.0 / (double) batch_known;
	gradient_compute(trainer);
	sum = shards_sum(leader, nn_shard_count(n), known);
	trainer->env->poll(trainer->env->host);
	/* Each is a pass over all parameters: up to a tenth of a second for the largest models. */
	penalty = nn_penalty_add(trainer->spec, plan, trainer->params, trainer->gradient);
	trainer->env->poll(trainer->env->host);
	frozen_restore(trainer, trainer->gradient, NULL);
	*norm = nn_gradient_clip(trainer->spec, plan->nactive, trainer->gradient);
	trainer->env->poll(trainer->env->host);
	nn_optim_step(trainer->optim, learning_rate, trainer->params, trainer->gradient);
	frozen_restore(trainer, trainer->params, trainer->initial);
	leader->job->version++;
	return sum + penalty * (double) batch_known;
}

double
nn_trainer_loss(NnTrainer *trainer, const NnWindow *windows, uint32_t n)
{
	NnMember   *leader = trainer->leader;
	uint32_t	shards = nn_loss_shards(leader, n);
	uint64_t	known = 0;
	double		sum;

	leader->job->command = NN_JOB_LOSS;
	if (leader->count > 1 && windows == trainer->validation && n == trainer->nvalidation)
		team_work(leader);
	else
		for (uint32_t s = 0; s < shards; s++)
			nn_member_loss(leader, windows, n, s);
	sum = shards_sum(leader, shards, &known);
	return known > 0 ? sum / (double) known : NAN;
}

void
nn_trainer_join(NnTrainer *trainer, void *block, uint32_t count, void (*meet) (void *host),
				void *host)
{
	NnMember   *leader = trainer->leader;

	nn_share_lead(leader, block);
	trainer->params = leader->state->params;
	leader->count = count;
	leader->meet = meet;
	leader->host = host;
}

void
nn_trainer_leave(NnTrainer *trainer)
{
	NnMember   *leader = trainer->leader;
	nn_real    *params = NN_NEW_ARRAY(trainer->env, nn_real, trainer->plan->nparams);

	leader->job->command = NN_JOB_END;
	leader->meet(leader->host);
	memcpy(params, trainer->params, trainer->plan->nparams * sizeof(nn_real));
	trainer->params = leader->state->params = params;
	leader->count = 1;
}

static void __attribute__((noreturn))
diverged(const NnTrainer *trainer, uint32_t epoch, const char *what)
{
	nn_fail(trainer->env, NN_DIVERGED,
			nn_format(trainer->env, "training diverged in epoch %u: %s is not a finite number",
					  epoch + 1, what),
			"Use a smaller \"learning_rate\", or limit gradients with \"clip_norm\".");
}

/* The last step of all is followed by no loss that would show it. */
static void
params_check(const NnTrainer *trainer)
{
	for (size_t k = 0; k < trainer->plan->nparams; k++)
		if (!isfinite(trainer->params[k]))
			diverged(trainer, trainer->report.best_epoch, "a parameter");
}

/* One pass over the training windows; cuts as in nn_learning_rate. */
static void
epoch_run(NnTrainer *trainer, uint32_t epoch, uint32_t cuts, NnEpoch *log)
{
	const NnSpec *spec = trainer->spec;
	double		sum = 0,
				norm_sum = 0;
	uint64_t	known = 0;
	uint32_t	steps = 0,
				wanted = trainer->ntrain;

	if (spec->steps_per_epoch > 0 && wanted / spec->batch_size >= spec->steps_per_epoch)
		wanted = spec->steps_per_epoch * spec->batch_size;
	for (uint32_t i = 0; i < trainer->ntrain; i++)
		trainer->order[i] = i;
	if (spec->shuffle)
		nn_rng_shuffle(spec->seed, NN_STREAM_ORDER, epoch, trainer->order, trainer->ntrain);
	for (uint32_t first = 0; first < wanted; first += spec->batch_size, steps++)
	{
		uint32_t	n = wanted - first < spec->batch_size ? wanted - first : spec->batch_size;
		double		norm;

		if (steps > 0 && trainer->expired && trainer->expired(trainer->host))
		{
			trainer->stopped = true;
			break;
		}
		/* The log keeps that of the last step. */
		log->learning_rate = nn_learning_rate(spec, epoch, steps,
											  (wanted - 1) / spec->batch_size + 1, cuts);
		for (uint32_t i = 0; i < n; i++)
			trainer->leader->batch[i] = trainer->train[trainer->order[first + i]];
		sum += nn_trainer_step(trainer, n, log->learning_rate, &known, &norm);
		norm_sum += norm;
		if (!isfinite(sum) || !isfinite(norm))
			diverged(trainer, epoch, isfinite(sum) ? "the gradient" : "the loss");
	}
	log->loss = known > 0 ? sum / (double) known : NAN;
	log->gradient_norm = norm_sum / steps;
	log->validation_loss = nn_trainer_loss(trainer, trainer->validation, trainer->nvalidation);
	if (trainer->nvalidation > 0 && !isfinite(log->validation_loss))
		diverged(trainer, epoch, "the validation loss");
}

void
nn_trainer_run(NnTrainer *trainer)
{
	const NnSpec *spec = trainer->spec;
	NnReport   *report = &trainer->report;
	double		best = INFINITY;
	uint32_t	since_best = 0,
				since_cut = 0,
				cuts = 0;

	for (uint32_t epoch = 0; epoch < trainer->epochs && !trainer->stopped; epoch++)
	{
		NnEpoch    *log = &report->epoch[epoch];
		double		watched;

		/* Before the first step of an epoch it is asked here: an epoch without a step has no line. */
		if (epoch > 0 && trainer->expired && trainer->expired(trainer->host))
		{
			trainer->stopped = true;
			break;
		}
		epoch_run(trainer, epoch, cuts, log);
		report->nepochs = epoch + 1;
		watched = trainer->nvalidation > 0 ? log->validation_loss : log->loss;
		since_best++;
		since_cut++;
		if (watched < best - spec->min_delta || epoch == 0)
		{
			best = watched;
			since_best = since_cut = 0;
			report->best_epoch = epoch;
			if (trainer->best)
				memcpy(trainer->best, trainer->params, trainer->plan->nparams * sizeof(nn_real));
		}
		if (trainer->on_epoch)
			trainer->on_epoch(trainer->host, trainer, epoch);
		if (spec->patience > 0 && since_best >= spec->patience)
			break;
		if (since_cut >= spec->schedule_patience)
		{
			cuts++;
			since_cut = 0;
		}
	}
	if (trainer->best)
	{
		memcpy(trainer->params, trainer->best, trainer->plan->nparams * sizeof(nn_real));
		trainer->leader->job->version++;
	}
	else
		report->best_epoch = report->nepochs - 1;
	params_check(trainer);
	report->train_loss = report->epoch[report->best_epoch].loss;
	report->validation_loss = report->epoch[report->best_epoch].validation_loss;
}
