/*
 * bench_profile.c
 *		Where the time of a training goes, by a table of kernels that look at the clock.
 *
 * Gathering and the optimiser are no kernels: they are run once more by
 * themselves, as often as the training ran them.
 */
#include <math.h>

#include "bench.h"
#include "bench_profile.h"
#include "core/nn_tile.h"

/* The fastest of so many counts: others may use the core too. */
#define RUNS 5

/* A kernel has no argument for a host, so this is where it finds its own. */
static struct
{
	const NnKernels *kernels;
	NnKernels	timed;
	struct
	{
		const nn_real *at;
		bool		backward;
	}			pack[NN_MAX_PACKS];
	uint32_t	npacks;
	Profile		profile;
} now;

static void
spent_add(ProfilePart part, double start, double flops)
{
	now.profile.seconds[part] += bench_wall() - start;
	now.profile.flops[part] += flops;
}

/* Number of the weights packed there, a new one when they are not known yet. */
static uint32_t
pack_find(const nn_real *packed)
{
	uint32_t	i = 0;

	while (i < now.npacks && now.pack[i].at != packed)
		i++;
	if (i == now.npacks && i < NN_MAX_PACKS)
		now.pack[now.npacks++].at = packed;
	return i % NN_MAX_PACKS;
}

/* What backward multiplies with are transposes: their columns lie apart. */
static void
pack_timed(nn_real *packed, const nn_real *w, size_t rs, size_t cs, uint32_t M, uint32_t K)
{
	double		start;

	now.pack[pack_find(packed)].backward = cs > 1;
	start = bench_wall();
	now.kernels->pack(packed, w, rs, cs, M, K);
	spent_add(PROFILE_PACK, start, 0);
}

static void
matmul_timed(nn_real *out, const nn_real *packed, const nn_real *bias, const nn_real *x,
			 uint32_t M, uint32_t K, uint32_t L, bool accumulate)
{
	ProfilePart part = now.pack[pack_find(packed)].backward ? PROFILE_BACKWARD : PROFILE_FORWARD;
	double		start = bench_wall();

	now.kernels->matmul(out, packed, bias, x, M, K, L, accumulate);
	spent_add(part, start, 2.0 * M * K * L);
}

static void
matmul_pair_timed(nn_real *out, const nn_real *bias, const nn_real *packed_a, const nn_real *a,
				  uint32_t Ka, const nn_real *packed_b, const nn_real *b, uint32_t Kb, uint32_t M,
				  uint32_t L)
{
	double		start = bench_wall();

	now.kernels->matmul_pair(out, bias, packed_a, a, Ka, packed_b, b, Kb, M, L);
	spent_add(PROFILE_FORWARD, start, 2.0 * M * (Ka + Kb) * L);
}

static void
matmul_taps_timed(nn_real *out, size_t stride, uint32_t n, const nn_real *bias, const NnTap *tap,
				  uint32_t ntaps, uint32_t M, uint32_t L, bool accumulate)
{
	ProfilePart part = ntaps > 0 && now.pack[pack_find(tap->w)].backward ? PROFILE_BACKWARD :
		PROFILE_FORWARD;
	double		K = 0,
				start;

	for (uint32_t i = 0; i < ntaps; i++)
		K += tap[i].K;
	start = bench_wall();
	now.kernels->matmul_taps(out, stride, n, bias, tap, ntaps, M, L, accumulate);
	spent_add(part, start, 2.0 * n * M * K * L);
}

static void
outer_timed(nn_real *dw, size_t ldw, const nn_real *dz, ptrdiff_t dz_stride, const nn_real *x,
			ptrdiff_t x_stride, uint32_t T, uint32_t M, uint32_t K, uint32_t L)
{
	double		start = bench_wall();

	now.kernels->outer(dw, ldw, dz, dz_stride, x, x_stride, T, M, K, L);
	spent_add(PROFILE_WEIGHTS, start, 2.0 * T * M * K * L);
}

static void
lane_sum_timed(nn_real *db, const nn_real *dz, ptrdiff_t dz_stride, uint32_t T, uint32_t M,
			   uint32_t L)
{
	double		start = bench_wall();

	now.kernels->lane_sum(db, dz, dz_stride, T, M, L);
	spent_add(PROFILE_WEIGHTS, start, 0);
}

static void
lstm_forward_timed(nn_real *z, const nn_real *c_prev, nn_real *c, nn_real *tanh_c, nn_real *h,
				   uint32_t H, uint32_t L)
{
	double		start = bench_wall();

	now.kernels->lstm_forward(z, c_prev, c, tanh_c, h, H, L);
	spent_add(PROFILE_GATES, start, 0);
}

static void
lstm_backward_timed(nn_real *dz, nn_real *dc, const nn_real *dh, const nn_real *gates,
					const nn_real *c_prev, const nn_real *tanh_c, uint32_t H, uint32_t L)
{
	double		start = bench_wall();

	now.kernels->lstm_backward(dz, dc, dh, gates, c_prev, tanh_c, H, L);
	spent_add(PROFILE_GATES, start, 0);
}

static void
gru_forward_timed(nn_real *zx, const nn_real *zh, const nn_real *h_prev, nn_real *h, uint32_t H,
				  uint32_t L)
{
	double		start = bench_wall();

	now.kernels->gru_forward(zx, zh, h_prev, h, H, L);
	spent_add(PROFILE_GATES, start, 0);
}

static void
gru_backward_timed(nn_real *dzx, nn_real *dzh, nn_real *dh, const nn_real *gates,
				   const nn_real *zh, const nn_real *h_prev, uint32_t H, uint32_t L)
{
	double		start = bench_wall();

	now.kernels->gru_backward(dzx, dzh, dh, gates, zh, h_prev, H, L);
	spent_add(PROFILE_GATES, start, 0);
}

const NnKernels *
profile_kernels(const NnKernels *kernels)
{
	now.kernels = kernels;
	now.npacks = 0;
	now.timed = *kernels;
	now.timed.pack = pack_timed;
	now.timed.matmul = matmul_timed;
	now.timed.matmul_pair = matmul_pair_timed;
	now.timed.matmul_taps = matmul_taps_timed;
	now.timed.outer = outer_timed;
	now.timed.lane_sum = lane_sum_timed;
	now.timed.lstm_forward = lstm_forward_timed;
	now.timed.lstm_backward = lstm_backward_timed;
	now.timed.gru_forward = gru_forward_timed;
	now.timed.gru_backward = gru_backward_timed;
	return &now.timed;
}

/* What it costs to gather the windows of an epoch. */
static double
gather_time(const NnTrainer *trainer)
{
	const NnEnv *env = trainer->env;
	const NnPlan *plan = trainer->plan;
	NnState    *state = nn_state_create(env, plan, now.kernels, trainer->params, false);
	NnWindow   *batch = NN_NEW_ARRAY(env, NnWindow, trainer->spec->batch_size);
	nn_real    *target = NN_NEW_ARRAY(env, nn_real,
									  (size_t) plan->horizon * plan->ntargets * plan->nsites *
									  plan->lanes);
	uint32_t	size = trainer->spec->batch_size;
	double		start = bench_wall();

	for (uint32_t first = 0; first < trainer->ntrain; first += size)
	{
		uint32_t	n = trainer->ntrain - first < size ? trainer->ntrain - first : size;

		for (uint32_t i = 0; i < n; i++)
			batch[i] = trainer->train[trainer->order[first + i]];
		for (uint32_t i = 0; i < nn_tile_count(n); i++)
		{
			NnTile		tile = nn_tile_get(n, i);

			nn_window_gather(trainer->data, batch + tile.first, tile.count, tile.L,
							 nn_state_output(state, NN_LAYER_PAST),
							 nn_state_output(state, NN_LAYER_FUTURE),
							 nn_state_output(state, NN_LAYER_STATIC), target);
		}
	}
	return bench_wall() - start;
}

static double
optimiser_time(const NnTrainer *trainer, uint32_t steps)
{
	NnOptim    *optim = nn_optim_create(trainer->env, trainer->spec, trainer->plan);
	double		start = bench_wall();

	for (uint32_t i = 0; i < steps; i++)
	{
		nn_gradient_clip(trainer->spec, trainer->plan->nparams, trainer->gradient);
		nn_optim_step(optim, trainer->spec->learning_rate, trainer->params, trainer->gradient);
	}
	return bench_wall() - start;
}

/* One run of the trainer; its seconds. */
static double
training_time(NnTrainer *trainer)
{
	double		start = bench_wall();

	now.profile = (Profile) {0};
	nn_trainer_run(trainer);
	return bench_wall() - start;
}

Profile
profile_run(NnTrainer *trainer)
{
	uint32_t	batch = trainer->spec->batch_size,
				epochs = trainer->spec->epochs,
				steps = (trainer->ntrain + batch - 1) / batch * epochs;
	Profile		best;
	double		least = training_time(trainer),	/* warms up */
				gather = INFINITY,
				optimiser = INFINITY;

	best = now.profile;
	for (int i = 0; i < RUNS; i++)
	{
		double		whole = training_time(trainer);

		if (whole < least)
		{
			least = whole;
			best = now.profile;
		}
		gather = fmin(gather, gather_time(trainer) * epochs);
		optimiser = fmin(optimiser, optimiser_time(trainer, steps));
	}
	best.seconds[PROFILE_GATHER] = gather;
	best.seconds[PROFILE_OPTIMISER] = optimiser;
	for (int i = 0; i < PROFILE_REST; i++)
		least -= best.seconds[i];
	best.seconds[PROFILE_REST] = fmax(least, 0);
	return best;
}
