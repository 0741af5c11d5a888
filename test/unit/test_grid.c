/*
 * test_grid.c
 *		Layers over a grid: what fits, what comes out, and that neither tiles nor
 *		instruction sets nor a pause between two forecasts change a result.
 *
 * Gradients are in test_gradient.c, PyTorch's values in test_golden.c.
 */
#include "core/nn_op.h"
#include "core/nn_rng.h"

#include "network.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

#define GRID_ROWS 5
#define GRID_COLUMNS 4
#define GRID_SITES (GRID_ROWS * GRID_COLUMNS)
#define CONTEXT 6
#define CHANNELS 2				/* of "past": the target and a covariate */

static const char *const kernel_names[] = {"generic", "avx2", "avx512"};

/* Layers on a grid of 5 x 4; hexagonal: the same as one. */
static NnSpec *
grid_spec(const char *layers, bool hexagonal)
{
	NnSpec	   *spec = spec_of(nn_format(unit_env(), "\"layers\":[%s]", layers));

	spec->context = CONTEXT;
	spec->horizon = spec->forecast_horizon = 2;
	spec->ntargets = spec->npast = 1;
	spec->nsites = GRID_SITES;
	spec->grid_rows = GRID_ROWS;
	spec->hexagonal = hexagonal;
	return spec;
}

static NnPlan *
plan_of(const NnSpec *spec, uint32_t lanes)
{
	return nn_plan_build(unit_env(), spec, nn_kernels_get(NULL), lanes);
}

static const NnLayer *
layer_of(const NnPlan *plan, const char *name)
{
	int			i = nn_plan_layer(plan, name);

	if (i < 0)
		UNIT_FAILED("no layer \"%s\"", name);
	return &plan->layer[i < 0 ? 0 : i];
}

static nn_real *
numbers(size_t n, uint32_t stream)
{
	nn_real    *x = NN_NEW_ARRAY(unit_env(), nn_real, n);

	for (size_t i = 0; i < n; i++)
		x[i] = 2 * (nn_real) nn_rng_unit(1, stream, 0, i) - 1;
	return x;
}

/* ------------------------------------------------------------------------
 * The kernel
 */

/* matmul_taps is a matmul for each site and tap: the same bits. */
static void
taps_case(const NnKernels *kernels, uint32_t M, uint32_t K, uint32_t L, uint32_t n, bool accumulate)
{
	enum {TAPS = 4};
	const uint32_t rows[TAPS] = {K, 1, K + 3, 2};
	size_t		apart = (size_t) M * L + NN_LANES;
	nn_real    *bias = numbers(M, 1),
			   *out = numbers(n * apart, 2),
			   *wanted = numbers(n * apart, 2);
	NnTap		tap[TAPS];

	for (uint32_t i = 0; i < TAPS; i++)
	{
		nn_real    *packed = NN_NEW_ARRAY(unit_env(), nn_real, kernels->packed_size(M, rows[i]));

		kernels->pack(packed, numbers((size_t) M * rows[i], 3 + i), rows[i], 1, M, rows[i]);
		tap[i] = (NnTap) {packed, NULL, (size_t) (i % 3) * rows[i] * L, rows[i]};
		tap[i].x = numbers((n * tap[i].stride) + (size_t) rows[i] * L, 10 + i);
	}
	for (uint32_t s = 0; s < n; s++)
		for (uint32_t i = 0; i < TAPS; i++)
			kernels->matmul(wanted + s * apart, tap[i].w, bias, tap[i].x + s * tap[i].stride, M,
							rows[i], L, accumulate || i > 0);
	kernels->matmul_taps(out, apart, n, bias, tap, TAPS, M, L, accumulate);
	if (!reals_equal(out, wanted, n * apart))
		UNIT_FAILED("%s: %u sites, M %u, K %u, L %u differ from single products", kernels->name, n,
					M, K, L);
}

static void
taps_are_products(void)
{
	static const uint32_t rows[] = {1, 3, 4, 5, 8, 9, 17};

	for (size_t k = 0; k < COUNT(kernel_names); k++)
		for (size_t i = 0; nn_kernels_get(kernel_names[k]) && i < COUNT(rows); i++)
			for (uint32_t n = 1; n <= 7; n++)
				for (uint32_t L = 16; L <= 64; L += 16)
				{
					taps_case(nn_kernels_get(kernel_names[k]), rows[i], 1 + n, L, n, n % 2);
					unit_env_reset();
				}
}

/* ------------------------------------------------------------------------
 * Plans
 */

static void
check_grid(const NnPlan *plan, const char *name, uint32_t T, uint32_t rows, uint32_t cols, uint32_t C)
{
	const NnLayer *layer = layer_of(plan, name);

	UNIT_INTEGER(layer->out.T, T);
	UNIT_INTEGER(layer->out.S, (rows ? rows : 1) * cols);
	UNIT_INTEGER(layer->out.rows, rows);
	UNIT_INTEGER(layer->out.C, C);
}

static void
shapes_are_right(void)
{
	NnPlan	   *plan = plan_of(grid_spec(
		"{\"type\":\"conv2d\",\"filters\":3,\"strides\":2,\"name\":\"half\",\"activation\":\"relu\"},"
		"{\"type\":\"conv_lstm\",\"units\":4,\"name\":\"deep\"},"
		"{\"type\":\"max_pool\",\"name\":\"quarter\"},"
		"{\"type\":\"conv_gru\",\"units\":2,\"kernel_size\":1,\"name\":\"end\"},"
		"{\"type\":\"flatten_grid\",\"name\":\"one\"},"
		"{\"type\":\"mean_pool\",\"pool_size\":3,\"strides\":1,\"name\":\"mean\",\"inputs\":[\"past\"]},"
		"{\"type\":\"conv2d\",\"units\":1,\"kernel_size\":2,\"padding\":\"valid\",\"name\":\"low\"},"
		"{\"type\":\"global_pool\",\"name\":\"all\"},"
		"{\"type\":\"last\",\"name\":\"newest\"},"
		"{\"type\":\"conv_rnn\",\"units\":3,\"inputs\":[\"past\"],\"name\":\"cells\"},"
		"{\"type\":\"concat\",\"inputs\":[\"one\",\"cells\",\"newest\"]}", false), 16);

	check_grid(plan, "half", CONTEXT, 3, 2, 3);
	check_grid(plan, "half_activation", CONTEXT, 3, 2, 3);
	check_grid(plan, "deep", CONTEXT, 3, 2, 4);
	UNIT_INTEGER(nn_plan_layer(plan, "deep_last"), -1);	/* a recurrent layer follows the pool */
	check_grid(plan, "quarter", CONTEXT, 1, 1, 4);
	check_grid(plan, "end_last", 1, 1, 1, 2);
	check_grid(plan, "one", 1, 1, 1, 2);	/* one cell is a grid still */
	check_grid(plan, "mean", CONTEXT, 3, 2, 2);
	check_grid(plan, "low", CONTEXT, 2, 1, 1);
	check_grid(plan, "all", CONTEXT, 0, 1, 1);
	check_grid(plan, "cells_last", 1, GRID_ROWS, GRID_COLUMNS, 3);
	check_grid(plan, "concat", 1, GRID_ROWS, GRID_COLUMNS, 6);
	UNIT_INTEGER(plan->tensor[layer_of(plan, "deep")->first_tensor].dim[1], 9 * 3);
	UNIT_INTEGER(plan->tensor[layer_of(plan, "deep")->first_tensor + 1].dim[1], 9 * 4);
}

/* "filters" is another word for "units"; a pool's "strides" are its size unless given. */
static void
settings_come_back(void)
{
	const char *text = spec_text(grid_spec(
		"{\"type\":\"conv2d\",\"filters\":3},{\"type\":\"max_pool\",\"pool_size\":3},"
		"{\"type\":\"mean_pool\",\"strides\":2},{\"type\":\"global_pool\",\"pool\":\"max\"}", false));

	UNIT_CHECK(strstr(text, "\"units\":3") != NULL);
	UNIT_CHECK(strstr(text, "filters") == NULL);
	UNIT_CHECK(strstr(text, "\"kernel_size\":3,\"strides\":1,\"padding\":\"same\"") != NULL);
	UNIT_CHECK(strstr(text, "\"name\":\"max_pool\",\"pool_size\":3}") != NULL);
	UNIT_CHECK(strstr(text, "\"name\":\"mean_pool\",\"strides\":2,\"pool_size\":2}") != NULL);
	UNIT_CHECK(strstr(text, "\"pool\":\"max\"") != NULL);
}

static void
misfits_are_refused(void)
{
	static const struct
	{
		const char *layers;
		bool		grid, hexagonal;
		const char *message, *hint;
	}			cases[] = {
		{"{\"type\":\"conv2d\",\"units\":2}", false, false,
		"layer \"conv2d\" of type \"conv2d\" needs a grid", "cell of a grid"},
		{"{\"type\":\"conv_lstm\",\"units\":2}", false, false,
		"layer \"conv_lstm\" of type \"conv_lstm\" needs a grid", "cell of a grid"},
		{"{\"type\":\"max_pool\"}", false, false, "of type \"max_pool\" needs a grid", "cell of a grid"},
		{"{\"type\":\"conv2d\"}", true, false, "layer \"conv2d\" has no \"units\"", "channels"},
		{"{\"type\":\"conv_gru\"}", true, false, "layer \"conv_gru\" has no \"units\"", "channels"},
		{"{\"type\":\"conv2d\",\"units\":2,\"kernel_size\":4}", true, false,
		"layer \"conv2d\" has the even \"kernel_size\" 4", "\"valid\""},
		{"{\"type\":\"conv_rnn\",\"units\":2,\"kernel_size\":2,\"padding\":\"valid\"}", true, false,
		"layer \"conv_rnn\" has the even \"kernel_size\" 2", "state"},
		{"{\"type\":\"conv2d\",\"units\":2,\"kernel_size\":5,\"padding\":\"valid\"}", true, false,
		"kernel of 5 x 5 cells on a grid of 5 x 4", "\"same\""},
		{"{\"type\":\"mean_pool\",\"pool_size\":5}", true, false,
		"layer \"mean_pool\" has \"pool_size\" 5 on a grid of 5 x 4", "\"global_pool\""},
		{"{\"type\":\"conv2d\",\"units\":2,\"strides\":2}", true, true,
		"layer \"conv2d\" does not fit a hexagonal grid", "\"strides\" 1"},
		{"{\"type\":\"conv_lstm\",\"units\":2,\"kernel_size\":5}", true, true,
		"layer \"conv_lstm\" does not fit a hexagonal grid", "\"kernel_size\" is 3"},
		{"{\"type\":\"max_pool\"}", true, true, "squares of a hexagonal grid", "\"global_pool\""}
	};

	for (size_t i = 0; i < COUNT(cases); i++)
	{
		NnSpec	   *spec = grid_spec(nn_format(unit_env(), "%s,{\"type\":\"last\"}", cases[i].layers),
									 cases[i].hexagonal);

		spec->grid_rows = cases[i].grid ? spec->grid_rows : 0;
		UNIT_FAILS(unit_env(), NN_BAD_VALUE, plan_of(spec, 16));
		if (strstr(unit_host.message, cases[i].message) == NULL)
			UNIT_FAILED("message is \"%s\", without \"%s\"", unit_host.message, cases[i].message);
		if (strstr(unit_host.hint, cases[i].hint) == NULL)
			UNIT_FAILED("hint is \"%s\", without \"%s\"", unit_host.hint, cases[i].hint);
	}
}

/* A grid of 64 x 64, 12 steps, 32 channels of state: what a machine of a few GB trains. */
static void
a_large_grid_fits(void)
{
	NnSpec	   *spec = grid_spec("{\"type\":\"conv_lstm\",\"units\":32},{\"type\":\"dense\"}", false);

	spec->nsites = 64 * 64;
	spec->grid_rows = 64;
	spec->context = 12;
	UNIT_CHECK(nn_plan_memory(unit_env(), plan_of(spec, 16), true) / sizeof(nn_real) < (size_t) 1 << 28);
	UNIT_CHECK(nn_plan_memory(unit_env(), plan_of(spec, 32), true) / sizeof(nn_real) < (size_t) 1 << 29);
	UNIT_CHECK(nn_plan_memory(unit_env(), plan_of(spec, 32), false) / sizeof(nn_real) < (size_t) 1 << 27);
}

/* ------------------------------------------------------------------------
 * Results
 */

/* A state of plan, its parameters and the first L lanes of its window made up. */
static NnState *
state_fill(const NnPlan *plan, const char *kernels, uint32_t L, bool training)
{
	NnState    *state = nn_state_create(unit_env(), plan, nn_kernels_get(kernels),
										numbers(plan->nparams, 1), training);
	const NnShape *in = &plan->layer[NN_LAYER_PAST].out;

	state->training = false;
	state->L = L;
	nn_state_pack(state);
	for (size_t i = 0; i < (size_t) in->T * in->S * in->C; i++)
		for (uint32_t l = 0; l < L; l++)
			nn_state_output(state, NN_LAYER_PAST)[i * L + l] =
				2 * (nn_real) nn_rng_unit(2, l, 0, i) - 1;
	return state;
}

static size_t
outputs_of(const NnPlan *plan)
{
	const NnShape *out = &plan->layer[plan->output_layer].out;

	return (size_t) out->S * out->C;
}

/* Forward, and backward from a gradient of the outputs that depends on the lane. */
static void
state_run(NnState *state)
{
	nn_state_forward(state);
	if (state->gradients == NULL)
		return;
	for (size_t i = 0; i < outputs_of(state->plan); i++)
		for (uint32_t l = 0; l < state->L; l++)
			nn_state_gradient(state, state->plan->output_layer)[i * state->L + l] =
				(nn_real) nn_rng_unit(3, l, 0, i);
	nn_state_backward(state);
}

static const char *const networks[] = {
	"{\"type\":\"conv_lstm\",\"units\":3,\"peephole\":true},{\"type\":\"conv_gru\",\"units\":9}",
	"{\"type\":\"conv2d\",\"units\":11,\"activation\":\"gelu\"},{\"type\":\"conv_rnn\",\"units\":2}"
};

static void
instruction_sets_agree(void)
{
	if (nn_kernels_get("avx2") == NULL || nn_kernels_get("avx512") == NULL)
	{
		printf("# skipped: this processor does not run both\n");
		return;
	}
	for (size_t i = 0; i < 2 * COUNT(networks); i++)
	{
		NnSpec	   *spec = grid_spec(networks[i % COUNT(networks)], i >= COUNT(networks));
		NnState    *state[2];

		for (uint32_t k = 0; k < 2; k++)
		{
			const char *name = kernel_names[1 + k];

			state[k] = state_fill(nn_plan_build(unit_env(), spec, nn_kernels_get(name), 32), name, 32,
								  true);
			state_run(state[k]);
		}
		UNIT_CHECK(reals_equal(nn_state_output(state[0], state[0]->plan->output_layer),
							   nn_state_output(state[1], state[1]->plan->output_layer),
							   outputs_of(state[0]->plan) * 32));
		UNIT_CHECK(reals_equal(state[0]->dparams, state[1]->dparams, state[0]->plan->nparams));
	}
}

/* A window's forecast does not depend on how many lie beside it, nor on a backward to come. */
static void
tiles_agree(void)
{
	for (size_t i = 0; i < COUNT(networks); i++)
	{
		NnPlan	   *plan = plan_of(grid_spec(networks[i], i % 2), 48);
		NnState    *narrow = state_fill(plan, NULL, 16, false),
				   *wide = state_fill(plan, NULL, 48, false),
				   *trained = state_fill(plan, NULL, 16, true);
		const nn_real *a,
				   *b,
				   *c;

		state_run(narrow);
		state_run(wide);
		state_run(trained);
		a = nn_state_output(narrow, plan->output_layer);
		b = nn_state_output(wide, plan->output_layer);
		c = nn_state_output(trained, plan->output_layer);
		for (size_t k = 0; k < outputs_of(plan); k++)
		{
			UNIT_CHECK(reals_equal(a + k * 16, b + k * 48, 16));
			for (uint32_t l = 0; l < 16; l++)
				UNIT_NEAR(a[k * 16 + l], c[k * 16 + l], 1e-4);
		}
	}
}

/* A forecast that goes on from a state is one over all rows. */
static void
states_are_carried(void)
{
	static const char *const cells[] = {"conv_rnn", "conv_gru", "conv_lstm"};

	for (size_t i = 0; i < COUNT(cells); i++)
	{
		const char *layers = nn_format(unit_env(), "{\"type\":\"conv2d\",\"units\":2,\"kernel_size\":1},"
									   "{\"type\":\"%s\",\"units\":3},{\"type\":\"last\"}", cells[i]);
		NnSpec	   *spec = grid_spec(layers, false);
		NnPlan	   *whole,
				   *first,
				   *next;
		NnState    *one,
				   *begin,
				   *end;
		const nn_real *x;
		size_t		step = (size_t) GRID_SITES * CHANNELS * 16;

		spec->ntargets = CHANNELS;	/* what is fed back is all there is */
		spec->npast = 0;
		spec->stateful = true;
		whole = plan_of(spec, 16);
		spec->context = CONTEXT - spec->horizon;
		first = plan_of(spec, 16);
		next = nn_plan_continue(unit_env(), spec, nn_kernels_get(NULL), first);
		UNIT_CHECK(next != NULL);
		one = state_fill(whole, NULL, 16, false);
		begin = state_fill(first, NULL, 16, false);
		end = nn_state_continue(begin, next);
		x = nn_state_output(one, NN_LAYER_PAST);
		memcpy(nn_state_output(begin, NN_LAYER_PAST), x, spec->context * step * sizeof(nn_real));
		memcpy(nn_state_output(end, NN_LAYER_PAST), x + spec->context * step,
			   spec->horizon * step * sizeof(nn_real));
		nn_state_forward(one);
		nn_state_forward(begin);
		nn_state_forward(end);
		UNIT_CHECK(reals_equal(nn_state_output(one, whole->output_layer),
							   nn_state_output(end, next->output_layer), outputs_of(whole) * 16));
	}
}

/* A long call can be cancelled: polls come with the cells. */
static void
grids_poll(void)
{
	NnPlan	   *plan = plan_of(grid_spec("{\"type\":\"conv_lstm\",\"units\":2}", false), 16);
	NnState    *state = state_fill(plan, NULL, 16, true);
	size_t		before = unit_host.npolls;

	state_run(state);
	UNIT_CHECK(unit_host.npolls - before > 4 * CONTEXT * GRID_ROWS);
}

int
main(void)
{
	UNIT_RUN(taps_are_products);
	UNIT_RUN(shapes_are_right);
	UNIT_RUN(settings_come_back);
	UNIT_RUN(misfits_are_refused);
	UNIT_RUN(a_large_grid_fits);
	UNIT_RUN(instruction_sets_agree);
	UNIT_RUN(tiles_agree);
	UNIT_RUN(states_are_carried);
	UNIT_RUN(grids_poll);
	return unit_finish();
}
