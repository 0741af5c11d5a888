/*
 * test_optim.c
 *		Steps of the optimisers by hand, penalties, clipping, learning rates.
 *
 * test_golden.c compares ten steps with PyTorch's; here are two steps that a
 * reader can follow, and what PyTorch has no word for.
 */
#include "core/nn_optim.h"

#include "unit.h"

#ifdef NN_DOUBLE
#define TOLERANCE 1e-13
#else
#define TOLERANCE 1e-6
#endif

/* A plan of a bias [1] between two weights [17] and [2]: 20 parameters. */
#define NPARAMS 20

static NnPlan *
plan_make(void)
{
	static const size_t counts[] = {17, 1, 2};
	NnPlan	   *plan = NN_NEW(unit_env(), NnPlan);

	for (uint32_t i = 0; i < 3; i++)
	{
		NnTensor   *tensor = &plan->tensor[plan->ntensors++];

		tensor->span = (NnSpan) {plan->nparams, counts[i]};
		tensor->decay = i != 1;
		plan->nparams += counts[i];
		plan->nactive = plan->nparams;
	}
	return plan;
}

static NnSpec *
spec_make(NnOptimizerKind optimizer)
{
	NnSpec	   *spec = NN_NEW(unit_env(), NnSpec);

	nn_spec_default(spec);
	spec->optimizer = optimizer;
	spec->epsilon = 0.25;
	return spec;
}

/* All parameters start at 1; gradients are 2, then -1.  Parameters after each step. */
static void
steps_expect(const NnSpec *spec, double first, double second)
{
	NnPlan	   *plan = plan_make();
	NnOptim    *optim = nn_optim_create(unit_env(), spec, plan);
	nn_real		params[NPARAMS],
				gradient[NPARAMS];

	for (int i = 0; i < NPARAMS; i++)
	{
		params[i] = 1;
		gradient[i] = 2;
	}
	nn_optim_step(optim, 0.5, params, gradient);
	for (int i = 0; i < NPARAMS; i++)
	{
		UNIT_NEAR(params[i], first, TOLERANCE);
		gradient[i] = -1;
	}
	nn_optim_step(optim, 0.5, params, gradient);
	for (int i = 0; i < NPARAMS; i++)
		UNIT_NEAR(params[i], second, TOLERANCE);
	UNIT_INTEGER(optim->step, 2);
}

static void
sgd_by_hand(void)
{
	NnSpec	   *spec = spec_make(NN_SGD);

	steps_expect(spec, 0, 0.5);
	/* Buffers 2, then 0.5 * 2 - 1 = 0. */
	spec->momentum = 0.5;
	steps_expect(spec, 0, 0);
	/* Updates 2 + 0.5 * 2 = 3, then -1 + 0.5 * 0 = -1. */
	spec->nesterov = true;
	steps_expect(spec, -0.5, 0);
}

static void
rmsprop_by_hand(void)
{
	NnSpec	   *spec = spec_make(NN_RMSPROP);
	double		first,
				second;

	spec->rho = 0.75;
	/* Squares 0.25 * 4 = 1, then 0.75 + 0.25 = 1. */
	first = 2 / 1.25;
	second = -1 / 1.25;
	steps_expect(spec, 1 - 0.5 * first, 1 - 0.5 * first - 0.5 * second);
	spec->momentum = 0.5;
	steps_expect(spec, 1 - 0.5 * first, 1 - 0.5 * first - 0.5 * (0.5 * first + second));
}

static void
adagrad_by_hand(void)
{
	double		first = 1 - 0.5 * 2 / 2.25;

	steps_expect(spec_make(NN_ADAGRAD), first, first + 0.5 * 1 / (sqrt(5) + 0.25));
}

static void
adam_by_hand(void)
{
	NnSpec	   *spec = spec_make(NN_ADAM);
	double		first,
				second;

	spec->beta_1 = 0.5;
	spec->beta_2 = 0.75;
	/* m = 1, corrected 2; v = 1, corrected 4. */
	first = 1 - 0.5 * 2 / (2 + 0.25);
	/* m = 0.5 - 0.5 = 0; v = 0.75 + 0.25 = 1. */
	second = first;
	steps_expect(spec, first, second);
	spec->beta_1 = 0.25;
	/* m = 1.5, then 0.375 - 0.75, corrected by 1 - 1/16; v corrected by 1 - 9/16. */
	second = first + 0.5 * (0.375 / 0.9375) / (sqrt(1 / 0.4375) + 0.25);
	steps_expect(spec, first, second);
}

/* Weights shrink by rate * decay before the step, biases do not. */
static void
adamw_decays_weights(void)
{
	NnSpec	   *spec = spec_make(NN_ADAMW);
	NnOptim    *optim;
	nn_real		params[NPARAMS],
				gradient[NPARAMS] = {0};

	spec->weight_decay = 0.125;
	optim = nn_optim_create(unit_env(), spec, plan_make());
	for (int i = 0; i < NPARAMS; i++)
		params[i] = 2;
	nn_optim_step(optim, 0.5, params, gradient);
	for (int i = 0; i < NPARAMS; i++)
		UNIT_NEAR(params[i], i == 17 ? 2 : 2 * (1 - 0.0625), TOLERANCE);
}

static void
optimisers_take_what_they_say(void)
{
	NnPlan	   *plan = plan_make();
	NnSpec	   *spec = spec_make(NN_ADAM);
	size_t		bytes = nn_optim_memory(unit_env(), plan);
	size_t		before = unit_host.nbytes;

	nn_optim_create(unit_env(), spec, plan);
	UNIT_INTEGER(unit_host.nbytes - before, bytes);
}

static void
penalties_are_of_weights(void)
{
	NnSpec	   *spec = spec_make(NN_ADAM);
	NnPlan	   *plan = plan_make();
	nn_real		params[NPARAMS],
				gradient[NPARAMS];

	for (int i = 0; i < NPARAMS; i++)
	{
		params[i] = i == 3 ? 0 : i % 2 ? -2 : 1;
		gradient[i] = 10;
	}
	UNIT_CHECK(nn_penalty_add(spec, plan, params, gradient) == 0);
	UNIT_CHECK(gradient[0] == 10);

	/* Weights: 10 of value 1 (0, 2, ..., 18), 8 of -2 (odd but 3 and the bias at 17), a zero. */
	spec->l1 = 0.5;
	spec->l2 = 0.25;
	UNIT_NEAR(nn_penalty_add(spec, plan, params, gradient), 0.5 * (10 + 16) + 0.25 * (10 + 32),
			  TOLERANCE);
	UNIT_NEAR(gradient[0], 10 + 0.5 + 0.5, TOLERANCE);
	UNIT_NEAR(gradient[1], 10 - 0.5 - 1, TOLERANCE);
	UNIT_NEAR(gradient[3], 10, TOLERANCE);
	UNIT_NEAR(gradient[17], 10, TOLERANCE);
	UNIT_NEAR(gradient[19], 10 - 0.5 - 1, TOLERANCE);
}

static void
gradients_are_clipped(void)
{
	NnSpec	   *spec = spec_make(NN_ADAM);
	nn_real		gradient[NPARAMS] = {0};

	gradient[0] = 3;
	gradient[19] = -4;
	UNIT_NEAR(nn_gradient_clip(spec, NPARAMS, gradient), 5, TOLERANCE);
	UNIT_CHECK(gradient[0] == 3);
	spec->clip_norm = 6;
	UNIT_NEAR(nn_gradient_clip(spec, NPARAMS, gradient), 5, TOLERANCE);
	UNIT_CHECK(gradient[0] == 3);
	spec->clip_norm = 2.5;
	UNIT_NEAR(nn_gradient_clip(spec, NPARAMS, gradient), 5, TOLERANCE);
	UNIT_NEAR(gradient[0], 1.5, TOLERANCE);
	UNIT_NEAR(gradient[19], -2, TOLERANCE);

	/* By value first: then the norm is that of 1 and -1. */
	spec->clip_value = 1;
	spec->clip_norm = 1;
	UNIT_NEAR(nn_gradient_clip(spec, NPARAMS, gradient), sqrt(2), TOLERANCE);
	UNIT_NEAR(gradient[0], 1 / sqrt(2), TOLERANCE);
	UNIT_NEAR(gradient[19], -1 / sqrt(2), TOLERANCE);
}

/* Training must see that it diverged. */
static void
clipping_hides_nothing(void)
{
	NnSpec	   *spec = spec_make(NN_ADAM);
	nn_real		gradient[NPARAMS] = {0};

	spec->clip_norm = 1;
	gradient[5] = (nn_real) NAN;
	UNIT_CHECK(isnan(nn_gradient_clip(spec, NPARAMS, gradient)));
	gradient[5] = (nn_real) INFINITY;
	UNIT_CHECK(isinf(nn_gradient_clip(spec, NPARAMS, gradient)));
	spec->clip_value = 1;
	gradient[5] = (nn_real) NAN;
	UNIT_CHECK(isnan(nn_gradient_clip(spec, NPARAMS, gradient)));
}

static void
rates_follow_schedules(void)
{
	NnSpec	   *spec = spec_make(NN_ADAM);

	spec->learning_rate = 0.5;
	spec->epochs = 8;
	UNIT_NEAR(nn_learning_rate(spec, 7, 0, 1, 3), 0.5, 0);
	spec->schedule = NN_SCHEDULE_STEP;
	spec->schedule_patience = 3;
	spec->schedule_factor = 0.5;
	UNIT_NEAR(nn_learning_rate(spec, 2, 0, 1, 0), 0.5, 0);
	UNIT_NEAR(nn_learning_rate(spec, 3, 0, 1, 0), 0.25, 0);
	UNIT_NEAR(nn_learning_rate(spec, 6, 0, 1, 9), 0.125, 0);
	spec->schedule = NN_SCHEDULE_PLATEAU;
	UNIT_NEAR(nn_learning_rate(spec, 6, 0, 1, 0), 0.5, 0);
	UNIT_NEAR(nn_learning_rate(spec, 6, 0, 1, 2), 0.125, 0);
	spec->schedule = NN_SCHEDULE_COSINE;
	UNIT_NEAR(nn_learning_rate(spec, 0, 0, 1, 0), 0.5, 1e-15);
	UNIT_NEAR(nn_learning_rate(spec, 4, 0, 1, 0), 0.25, 1e-15);
	UNIT_NEAR(nn_learning_rate(spec, 6, 0, 1, 0), 0.25 * (1 - sqrt(0.5)), 1e-15);
}

/* "cosine" goes by steps, the others by epochs. */
static void
rates_fall_within_epochs(void)
{
	NnSpec	   *spec = spec_make(NN_ADAM);

	spec->learning_rate = 0.5;
	spec->epochs = 2;
	spec->schedule_factor = 0.5;
	spec->schedule_patience = 1;
	for (uint32_t step = 0; step < 4; step++)
	{
		spec->schedule = NN_SCHEDULE_COSINE;
		UNIT_NEAR(nn_learning_rate(spec, 0, step, 4, 0), 0.25 * (1 + cos(M_PI * step / 8)), 1e-15);
		UNIT_NEAR(nn_learning_rate(spec, 1, step, 4, 0), 0.25 * (1 + cos(M_PI * (4 + step) / 8)),
				  1e-15);
		spec->schedule = NN_SCHEDULE_CONSTANT;
		UNIT_NEAR(nn_learning_rate(spec, 1, step, 4, 0), 0.5, 0);
		spec->schedule = NN_SCHEDULE_STEP;
		UNIT_NEAR(nn_learning_rate(spec, 1, step, 4, 0), 0.25, 0);
		spec->schedule = NN_SCHEDULE_PLATEAU;
		UNIT_NEAR(nn_learning_rate(spec, 0, step, 4, 3), 0.0625, 0);
	}
}

static void
rates_warm_up(void)
{
	NnSpec	   *spec = spec_make(NN_ADAM);

	spec->learning_rate = 0.5;
	spec->epochs = 4;
	spec->warmup_steps = 8;
	UNIT_NEAR(nn_learning_rate(spec, 0, 0, 5, 0), 0.5 / 8, 0);
	UNIT_NEAR(nn_learning_rate(spec, 0, 3, 5, 0), 0.25, 0);
	UNIT_NEAR(nn_learning_rate(spec, 1, 1, 5, 0), 0.5 * 7 / 8, 0);
	UNIT_NEAR(nn_learning_rate(spec, 1, 2, 5, 0), 0.5, 0);
	UNIT_NEAR(nn_learning_rate(spec, 3, 4, 5, 0), 0.5, 0);
	/* Times the schedule, below its minimum too; no count of steps is too large. */
	spec->schedule = NN_SCHEDULE_COSINE;
	spec->minimum_learning_rate = 0.125;
	UNIT_NEAR(nn_learning_rate(spec, 0, 3, 5, 0),
			  (0.125 + 0.1875 * (1 + cos(M_PI * 0.6 / 4))) / 2, 1e-15);
	UNIT_NEAR(nn_learning_rate(spec, 0, 0, 5, 0), 0.5 / 8, 1e-15);
	UNIT_CHECK(nn_learning_rate(spec, UINT32_MAX, 0, UINT32_MAX, 0) >= 0.125);
}

static void
rates_keep_the_minimum(void)
{
	NnSpec	   *spec = spec_make(NN_ADAM);

	spec->learning_rate = 0.5;
	spec->minimum_learning_rate = 0.125;
	spec->epochs = 8;
	spec->schedule = NN_SCHEDULE_STEP;
	spec->schedule_patience = 1;
	spec->schedule_factor = 0.5;
	UNIT_NEAR(nn_learning_rate(spec, 2, 0, 1, 0), 0.125, 0);
	UNIT_NEAR(nn_learning_rate(spec, 1000000, 0, 1, 0), 0.125, 0);
	spec->schedule = NN_SCHEDULE_PLATEAU;
	UNIT_NEAR(nn_learning_rate(spec, 0, 0, 1, 1000000), 0.125, 0);
	spec->schedule = NN_SCHEDULE_COSINE;
	UNIT_NEAR(nn_learning_rate(spec, 4, 0, 1, 0), 0.125 + 0.375 / 2, 1e-15);
	UNIT_NEAR(nn_learning_rate(spec, 8, 0, 1, 0), 0.125, 1e-15);
}

int
main(void)
{
	UNIT_RUN(sgd_by_hand);
	UNIT_RUN(rmsprop_by_hand);
	UNIT_RUN(adagrad_by_hand);
	UNIT_RUN(adam_by_hand);
	UNIT_RUN(adamw_decays_weights);
	UNIT_RUN(optimisers_take_what_they_say);
	UNIT_RUN(penalties_are_of_weights);
	UNIT_RUN(gradients_are_clipped);
	UNIT_RUN(clipping_hides_nothing);
	UNIT_RUN(rates_follow_schedules);
	UNIT_RUN(rates_fall_within_epochs);
	UNIT_RUN(rates_warm_up);
	UNIT_RUN(rates_keep_the_minimum);
	return unit_finish();
}
