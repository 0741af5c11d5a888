/*
 * nn_train.c
 *		Fitting the parameters: epochs, batches, validation, early stopping.
 */
#include <math.h>
#include <string.h>

#include "core/nn_loss.h"
#include "core/nn_rng.h"
#include "core/nn_tile.h"
#include "core/nn_train.h"

size_t
nn_trainer_memory(const NnEnv *env, const NnSpec *spec, const NnPlan *plan, uint32_t ntrain)
{
	size_t		reals = nn_size_mul(env, plan->nparams, 3), /* params, best, gradient */
				bytes;

	reals = nn_size_add(env, reals, (size_t) plan->horizon * plan->ntargets * plan->lanes);
	bytes = nn_size_mul(env, reals, sizeof(nn_real));
	bytes = nn_size_add(env, bytes, nn_plan_memory(env, plan, true));
	bytes = nn_size_add(env, bytes, nn_optim_memory(env, plan));
	bytes = nn_size_add(env, bytes, nn_params_memory(env, plan));
	bytes = nn_size_add(env, bytes, nn_size_mul(env, spec->epochs, sizeof(NnEpoch)));
	bytes = nn_size_add(env, bytes, nn_size_mul(env, ntrain, sizeof(uint32_t)));
	return nn_size_add(env, bytes, nn_size_mul(env, spec->batch_size, sizeof(NnWindow)));
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
	trainer->target = NN_NEW_ARRAY(env, nn_real,
								   (size_t) plan->horizon * plan->ntargets * plan->lanes);
	trainer->order = NN_NEW_ARRAY(env, uint32_t, ntrain);
	trainer->batch = NN_NEW_ARRAY(env, NnWindow, spec->batch_size);
	trainer->report.epoch = NN_NEW_ARRAY(env, NnEpoch, spec->epochs);
	trainer->state = nn_state_create(env, plan, kernels, trainer->params, true);
	trainer->state->seed = spec->seed;
	trainer->optim = nn_optim_create(env, spec, plan);
	nn_params_init(env, plan, spec->seed, trainer->params);
	nn_state_pack(trainer->state);
	return trainer;
}

/* Known targets of a window: what its loss is averaged over. */
static uint64_t
window_known(const NnData *data, const NnWindow *window)
{
	const nn_real *y = data->y + (size_t) (window->origin + 1) * data->spec->ntargets;
	uint32_t	n = data->spec->horizon * data->spec->ntargets;
	uint64_t	known = 0;

	for (uint32_t i = 0; i < n; i++)
		known += !isnan(y[i]);
	return known;
}

/* Brings the tile's windows into the input layers and the targets, runs forward. */
static void
tile_forward(NnTrainer *trainer, const NnWindow *windows, const NnTile *tile)
{
	NnState    *state = trainer->state;

	state->L = tile->L;
	state->first_lane = tile->first;
	nn_window_gather(trainer->data, windows + tile->first, tile->count, tile->L,
					 nn_state_output(state, NN_LAYER_PAST),
					 nn_state_output(state, NN_LAYER_FUTURE),
					 nn_state_output(state, NN_LAYER_STATIC), trainer->target);
	nn_state_forward(state);
}

/* Loss of the tile in state; with factor > 0 also the gradient of loss * factor. */
static double
tile_loss(NnTrainer *trainer, const NnTile *tile, double factor, uint64_t *known)
{
	NnState    *state = trainer->state;
	uint32_t	output = trainer->plan->output_layer;

	return nn_loss_compute(trainer->spec, trainer->plan->horizon * trainer->plan->ntargets,
						   tile->L, nn_state_output(state, output), trainer->target, factor,
						   factor > 0 ? nn_state_gradient(state, output) : NULL, known);
}

double
nn_trainer_step(NnTrainer *trainer, uint32_t n, double learning_rate, uint64_t *known,
				double *norm)
{
	const NnPlan *plan = trainer->plan;
	uint64_t	batch_known = 0;
	double		sum = 0,
				penalty;

	for (uint32_t i = 0; i < n; i++)
		batch_known += window_known(trainer->data, &trainer->batch[i]);
	trainer->state->training = true;
	trainer->state->step = trainer->optim->step;
	memset(trainer->gradient, 0, plan->nparams * sizeof(nn_real));
	for (uint32_t i = 0; i < nn_tile_count(n) && batch_known > 0; i++)
	{
		NnTile		tile = nn_tile_get(n, i);
		nn_real    *part = trainer->state->dparams;
		uint64_t	tile_known = 0;

		memset(part, 0, plan->nparams * sizeof(nn_real));
		tile_forward(trainer, trainer->batch, &tile);
		sum += tile_loss(trainer, &tile, 1.0 / (double) batch_known, &tile_known);
		nn_state_backward(trainer->state);
		for (size_t k = 0; k < plan->nparams; k++)
			trainer->gradient[k] += part[k];
	}
	trainer->env->poll(trainer->env->host);
	penalty = nn_penalty_add(trainer->spec, plan, trainer->params, trainer->gradient);
	*norm = nn_gradient_clip(trainer->spec, plan->nparams, trainer->gradient);
	nn_optim_step(trainer->optim, learning_rate, trainer->params, trainer->gradient);
	nn_state_pack(trainer->state);
	*known += batch_known;
	return sum + penalty * (double) batch_known;
}

double
nn_trainer_loss(NnTrainer *trainer, const NnWindow *windows, uint32_t n)
{
	double		sum = 0;
	uint64_t	known = 0;

	trainer->state->training = false;
	for (uint32_t first = 0; first < n; first += trainer->plan->lanes)
	{
		uint32_t	count = n - first < trainer->plan->lanes ? n - first : trainer->plan->lanes;
		NnTile		tile = {0, count, (count + NN_LANES - 1) / NN_LANES * NN_LANES};

		tile_forward(trainer, windows + first, &tile);
		sum += tile_loss(trainer, &tile, 0, &known);
	}
	return known > 0 ? sum / (double) known : NAN;
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

/* One pass over the training windows. */
static void
epoch_run(NnTrainer *trainer, uint32_t epoch, NnEpoch *log)
{
	const NnSpec *spec = trainer->spec;
	double		sum = 0,
				norm_sum = 0;
	uint64_t	known = 0;
	uint32_t	steps = 0;

	for (uint32_t i = 0; i < trainer->ntrain; i++)
		trainer->order[i] = i;
	if (spec->shuffle)
		nn_rng_shuffle(spec->seed, NN_STREAM_ORDER, epoch, trainer->order, trainer->ntrain);
	for (uint32_t first = 0; first < trainer->ntrain; first += spec->batch_size, steps++)
	{
		uint32_t	n = trainer->ntrain - first < spec->batch_size ?
			trainer->ntrain - first : spec->batch_size;
		double		norm;

		for (uint32_t i = 0; i < n; i++)
			trainer->batch[i] = trainer->train[trainer->order[first + i]];
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

	for (uint32_t epoch = 0; epoch < spec->epochs; epoch++)
	{
		NnEpoch    *log = &report->epoch[epoch];
		double		watched;

		log->learning_rate = nn_learning_rate(spec, epoch, cuts);
		epoch_run(trainer, epoch, log);
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
		nn_state_pack(trainer->state);
	}
	else
		report->best_epoch = report->nepochs - 1;
	params_check(trainer);
	report->train_loss = report->epoch[report->best_epoch].loss;
	report->validation_loss = report->epoch[report->best_epoch].validation_loss;
}
