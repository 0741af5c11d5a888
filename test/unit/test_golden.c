/*
 * test_golden.c
 *		Layers, losses, optimisers and a short training against PyTorch's values.
 *
 * Each case of test/golden/ is one test, run once with every kernel set that
 * this CPU has: 1e-9 in the double build, 1e-5 in float, relative above 1.
 * Batches are cut into tiles as in training; the lanes that pad a tile get
 * numbers, not zeros, so a lane that leaks into a sum is seen.
 */
#include "core/nn_graph.h"
#include "core/nn_loss.h"
#include "core/nn_op.h"
#include "core/nn_optim.h"

#include "golden.h"
#include "unit.h"

#define MAX_CASES 256

/* One case being run on one kernel set. */
typedef struct Run
{
	const NnEnv *env;
	const GoldenCase *golden;
	const char *kernels;		/* their name, for messages */
	NnSpec		spec;
	NnPlan	   *plan;
	NnState    *state;
	NnOptim    *optim;
} Run;

static char case_names[MAX_CASES][NN_MAX_NAME];
static const char *case_name;	/* of the running test */

static const char *const kernel_names[] = {"generic", "avx2", "avx512"};

static void
run_compare(const Run *run, const char *name, const nn_real *actual)
{
	GoldenDifference worst = golden_compare(golden_need(run->env, run->golden, name), actual);

	if (!(worst.error <= golden_tolerance()))
		UNIT_FAILED("%s (%s), %s: element %zu is %.12g, PyTorch's %.12g",
					run->golden->name, run->kernels, name, worst.element,
					worst.actual, worst.expected);
}

/* The sizes of a case that gives them, see golden_segment.py. */
static void
sizes_read(Run *run, uint32_t channels)
{
	const GoldenArray *sizes = golden_find(run->golden, "sizes");
	NnSpec	   *spec = &run->spec;
	uint32_t   *const member[] = {
		&spec->horizon, &spec->ntargets, &spec->nfuture, &spec->nstatic, &spec->nseries
	};

	if (sizes == NULL)
		return;
	for (size_t i = 0; i < sizeof(member) / sizeof(member[0]); i++)
		*member[i] = (uint32_t) sizes->value[i];
	spec->npast = channels - spec->ntargets - spec->nfuture;
}

/* The sites of a case that has them, see golden_graph.py. */
static void
space_read(Run *run)
{
	const GoldenArray *space = golden_find(run->golden, "space"),
			   *edges = golden_find(run->golden, "edges");
	NnSpec	   *spec = &run->spec;

	if (space == NULL)
		return;
	spec->nsites = (uint32_t) space->value[0];
	spec->grid_rows = (uint32_t) space->value[1];
	spec->hexagonal = space->value[2] != 0;
	spec->nedges = edges ? edges->shape[0] : 0;
	spec->horizon = spec->forecast_horizon = spec->horizon / spec->nsites;
}

/* The case's edges [E][3], source, target and weight, as the plan wants them. */
static void
edges_set(const Run *run, nn_real *params)
{
	const GoldenArray *edges = golden_find(run->golden, "edges");
	uint32_t	n = run->plan->nedges,
			   *source = NN_NEW_ARRAY(run->env, uint32_t, n),
			   *target = NN_NEW_ARRAY(run->env, uint32_t, n);
	double	   *weight = NN_NEW_ARRAY(run->env, double, n);

	for (uint32_t e = 0; e < n; e++)
	{
		source[e] = (uint32_t) edges->value[3 * e];
		target[e] = (uint32_t) edges->value[3 * e + 1];
		weight[e] = edges->value[3 * e + 2];
	}
	nn_graph_fill(run->env, run->plan,
				  nn_graph_make(run->env, run->plan->nsites, n, source, target, weight), params);
}

static void
run_read_spec(Run *run, uint32_t context, uint32_t channels, uint32_t horizon)
{
	NnJson	   *options = nn_json_parse(run->env, run->golden->spec, strlen(run->golden->spec),
										"golden spec", NN_BAD_VALUE);
	const GoldenArray *vector = golden_find(run->golden, "vector");

	nn_spec_parse(run->env, options, &run->spec);
	run->spec.context = context;
	run->spec.horizon = run->spec.forecast_horizon = horizon;
	run->spec.ntargets = 1;
	run->spec.npast = channels - 1;
	sizes_read(run, channels);
	space_read(run);
	if (vector != NULL)
		run->spec.array[run->spec.narrays++] =
			(NnArraySpec) {"vector", 1, 1, (uint32_t) vector->shape[vector->ndim - 1]};
}

/* Of the engine's own output layer, or of the graph: nothing that PyTorch has. */
static bool
is_output(const NnTensor *tensor)
{
	return tensor->init == NN_INIT_GIVEN || strncmp(tensor->name, "output.", strlen("output.")) == 0;
}

/* The output layer that the engine put behind the case's: y = 1 x + 0. */
static void
output_set(const NnTensor *tensor, nn_real *values)
{
	for (uint32_t i = 0; i < tensor->dim[0] && tensor->ndim == 2; i++)
		values[i * tensor->dim[1] + i] = 1;
}

static void
tensor_set(const Run *run, const NnTensor *tensor, nn_real *values)
{
	const GoldenArray *array = golden_need(run->env, run->golden, tensor->name);

	UNIT_INTEGER(tensor->ndim, array->ndim);
	UNIT_INTEGER(tensor->dim[0], array->shape[0]);
	UNIT_INTEGER(tensor->span.count, array->size);
	for (size_t k = 0; k < array->size && k < tensor->span.count; k++)
		values[k] = (nn_real) array->value[k];
}

/* Plan and state of the case's network, its parameters set. */
static void
run_build(Run *run, uint32_t context, uint32_t channels, uint32_t horizon)
{
	const NnKernels *kernels = nn_kernels_get(run->kernels);
	nn_real    *params;

	run_read_spec(run, context, channels, horizon);
	run->plan = nn_plan_build(run->env, &run->spec, kernels, NN_MAX_LANES);
	params = NN_NEW_ARRAY(run->env, nn_real, run->plan->nparams);
	run->state = nn_state_create(run->env, run->plan, kernels, params, true);
	run->state->training = run->state->explain = true;
	for (uint32_t i = 0; i < run->plan->ntensors; i++)
	{
		const NnTensor *tensor = &run->plan->tensor[i];

		if (is_output(tensor))
			output_set(tensor, params + tensor->span.offset);
		else
			tensor_set(run, tensor, params + tensor->span.offset);
	}
	edges_set(run, params);
	nn_state_pack(run->state);
}

/* The engine has just the parameters that PyTorch has. */
static void
parameters_count(const Run *run)
{
	uint32_t	count = 0;

	for (uint32_t i = 0; i < run->plan->ntensors; i++)
		count += !is_output(&run->plan->tensor[i]);
	for (const GoldenArray *array = run->golden->arrays; array != NULL; array = array->next)
		if (array->name[0] == 'l' && strchr(array->name, '.') == array->name + 2)
			count--;
	UNIT_INTEGER(count, 0);
}

/* Lanes of the tile that starts at window first of B. */
static uint32_t
tile_set(NnState *state, size_t first, size_t B)
{
	size_t		rest = B - first;
	uint32_t	used = rest < NN_MAX_LANES ? (uint32_t) rest : NN_MAX_LANES;

	state->L = (used + NN_LANES - 1) / NN_LANES * NN_LANES;
	state->first_lane = (uint32_t) first;
	return used;
}

/* slab [n][L] = source [B][n], windows from first on; other lanes: pad. */
static void
tile_gather(const NnState *state, uint32_t used, nn_real *slab, const double *source, size_t n,
			nn_real pad)
{
	for (size_t i = 0; i < n; i++)
		for (uint32_t l = 0; l < state->L; l++)
			slab[i * state->L + l] = l < used ?
				(nn_real) source[(state->first_lane + l) * n + i] : pad;
}

/* The reverse. */
static void
tile_scatter(const NnState *state, uint32_t used, nn_real *target, const nn_real *slab, size_t n)
{
	for (size_t i = 0; i < n; i++)
		for (uint32_t l = 0; l < used; l++)
			target[(state->first_lane + l) * n + i] = slab[i * state->L + l];
}

/* What a window has beside its past: known-future and static covariates, its series. */
static void
tile_gather_beside(const Run *run, uint32_t used)
{
	const NnState *state = run->state;
	static const char *const names[] = {NULL, "future", "static", "vector"};
	const GoldenArray *series = golden_find(run->golden, "series"),
			   *missing = golden_find(run->golden, "missing");

	for (uint32_t i = NN_LAYER_FUTURE; i < NN_LAYER_ARRAY + run->plan->narrays; i++)
	{
		const GoldenArray *array = golden_find(run->golden, names[i]);

		if (array != NULL)
			tile_gather(state, used, nn_state_output(state, i), array->value,
						array->size / array->shape[0], NN_R(0.75));
	}
	for (uint32_t l = 0; missing != NULL && l < state->L; l++)
		state->missing[l] = l < used ? (uint32_t) missing->value[state->first_lane + l] : 0;
	for (uint32_t l = 0; l < state->L; l++)
		state->identity[l] = series == NULL || l >= used ? NN_IDENTITY_NONE :
			(uint32_t) series->value[state->first_lane + l];
}

static void
layers_run(Run *run)
{
	const GoldenArray *x = golden_need(run->env, run->golden, "x");
	const GoldenArray *y = golden_need(run->env, run->golden, "y");
	const GoldenArray *dy = golden_need(run->env, run->golden, "dy");
	size_t		B = x->shape[0];
	size_t		nx = x->size / B,
				ny = y->size / B;
	nn_real    *actual_y = NN_NEW_ARRAY(run->env, nn_real, y->size);
	nn_real    *actual_dx = NN_NEW_ARRAY(run->env, nn_real, x->size);
	NnState    *state;
	uint32_t	used;

	run_build(run, (uint32_t) x->shape[1], (uint32_t) x->shape[x->ndim - 1], (uint32_t) ny);
	state = run->state;
	parameters_count(run);
	for (size_t first = 0; first < B; first += used)
	{
		used = tile_set(state, first, B);
		tile_gather(state, used, nn_state_output(state, NN_LAYER_PAST), x->value, nx,
					NN_R(0.75));
		tile_gather_beside(run, used);
		nn_state_forward(state);
		tile_scatter(state, used, actual_y, nn_state_output(state, run->plan->output_layer), ny);
		tile_gather(state, used, nn_state_gradient(state, run->plan->output_layer), dy->value,
					ny, NN_R(0.0));
		nn_state_backward(state);
		tile_scatter(state, used, actual_dx, nn_state_gradient(state, NN_LAYER_PAST), nx);
	}

	run_compare(run, "y", actual_y);
	run_compare(run, "grad.x", actual_dx);
	for (uint32_t i = 0; i < run->plan->ntensors; i++)
		if (!is_output(&run->plan->tensor[i]))
			run_compare(run, nn_format(run->env, "grad.%s", run->plan->tensor[i].name),
						state->dparams + run->plan->tensor[i].span.offset);
}

static void
loss_run(Run *run)
{
	const GoldenArray *raw = golden_need(run->env, run->golden, "raw");
	const GoldenArray *target = golden_need(run->env, run->golden, "target");
	const GoldenArray *known = golden_need(run->env, run->golden, "known");
	uint32_t	B = (uint32_t) raw->shape[0],
				values = (uint32_t) raw->shape[1],
				n = values * (uint32_t) raw->shape[2];
	nn_real    *lanes = NN_NEW_ARRAY(run->env, nn_real, n * NN_LANES);
	nn_real    *wanted = NN_NEW_ARRAY(run->env, nn_real, values * NN_LANES);
	nn_real    *draw = NN_NEW_ARRAY(run->env, nn_real, n * NN_LANES);
	nn_real    *actual = NN_NEW_ARRAY(run->env, nn_real, raw->size);
	double		nknown = 0;
	uint64_t	counted = 0;
	nn_real		loss;
	NnState		lane = {.L = NN_LANES};

	run_read_spec(run, 1, 1, values);
	UNIT_INTEGER(nn_spec_outputs(&run->spec), raw->shape[2]);
	tile_gather(&lane, B, lanes, raw->value, n, NN_R(0.75));
	tile_gather(&lane, B, wanted, target->value, values, (nn_real) NAN);
	for (uint32_t b = 0; b < B; b++)
		for (uint32_t v = 0; v < values; v++)
		{
			nknown += known->value[b * values + v];
			if (known->value[b * values + v] == 0)
				wanted[v * NN_LANES + b] = (nn_real) NAN;
		}

	loss = (nn_real) (nn_loss_compute(&run->spec, values, NN_LANES, lanes, wanted, 1 / nknown,
									  draw, &counted) / nknown);
	UNIT_INTEGER(counted, nknown);
	tile_scatter(&lane, B, actual, draw, n);
	run_compare(run, "loss", &loss);
	run_compare(run, "grad.raw", actual);
	for (uint32_t i = 0; i < n; i++)
		for (uint32_t l = B; l < NN_LANES; l++)
			if (draw[i * NN_LANES + l] != 0)
				UNIT_FAILED("raw output %u of the padding lane %u has a gradient", i, l);
}

/* Compares one tensor's values after a step with row step of the stored path. */
static void
optimizer_compare(const Run *run, const NnTensor *tensor, size_t step)
{
	GoldenArray row = *golden_need(run->env, run->golden,
								   nn_format(run->env, "path.%s", tensor->name));
	GoldenDifference worst;

	row.size = row.nvalues = tensor->span.count;
	row.value += step * tensor->span.count;
	worst = golden_compare(&row, run->state->params + tensor->span.offset);
	if (!(worst.error <= golden_tolerance()))
		UNIT_FAILED("%s after step %zu: element %zu is %.12g, PyTorch's %.12g",
					tensor->name, step + 1, worst.element, worst.actual, worst.expected);
}

static void
optimizer_run(Run *run)
{
	size_t		steps = golden_need(run->env, run->golden, "path.l0.weight")->shape[0];
	nn_real    *gradient;

	run_build(run, 1, 8, 1);
	run->optim = nn_optim_create(run->env, &run->spec, run->plan);
	gradient = NN_NEW_ARRAY(run->env, nn_real, run->plan->nparams);
	for (size_t step = 0; step < steps; step++)
	{
		for (uint32_t i = 0; i < run->plan->ntensors; i++)
		{
			const NnTensor *tensor = &run->plan->tensor[i];
			const GoldenArray *stored = golden_need(run->env, run->golden,
													nn_format(run->env, "gradient.%s",
															  tensor->name));

			for (size_t k = 0; k < tensor->span.count; k++)
				gradient[tensor->span.offset + k] =
					(nn_real) stored->value[step * tensor->span.count + k];
		}
		nn_optim_step(run->optim, run->spec.learning_rate, run->state->params, gradient);
		for (uint32_t i = 0; i < run->plan->ntensors; i++)
			optimizer_compare(run, &run->plan->tensor[i], step);
	}
}

/* One step of training on the whole batch (one tile); returns the mean loss before it. */
static nn_real
training_step(Run *run, const GoldenArray *x, const GoldenArray *target)
{
	NnState    *state = run->state;
	uint32_t	B = (uint32_t) x->shape[0];
	uint32_t	used = tile_set(state, 0, B);
	uint32_t	values = (uint32_t) target->shape[1];
	nn_real    *wanted = NN_NEW_ARRAY(run->env, nn_real, values * state->L);
	uint64_t	known = 0;
	double		sum;

	memset(state->dparams, 0, run->plan->nparams * sizeof(nn_real));
	tile_gather(state, used, nn_state_output(state, NN_LAYER_PAST), x->value, x->size / B,
				NN_R(0.75));
	tile_gather(state, used, wanted, target->value, values, (nn_real) NAN);
	nn_state_forward(state);
	sum = nn_loss_compute(&run->spec, values, state->L,
						  nn_state_output(state, run->plan->output_layer), wanted,
						  1.0 / (double) target->size,
						  nn_state_gradient(state, run->plan->output_layer), &known);
	UNIT_INTEGER(known, target->size);
	nn_state_backward(state);
	nn_optim_step(run->optim, run->spec.learning_rate, state->params, state->dparams);
	nn_state_pack(state);
	return (nn_real) (sum / (double) known);
}

static void
training_run(Run *run)
{
	const GoldenArray *x = golden_need(run->env, run->golden, "x");
	const GoldenArray *target = golden_need(run->env, run->golden, "target");
	size_t		steps = golden_need(run->env, run->golden, "losses")->size;
	nn_real    *losses = NN_NEW_ARRAY(run->env, nn_real, steps);

	run_build(run, (uint32_t) x->shape[1], (uint32_t) x->shape[2], (uint32_t) target->shape[1]);
	run->optim = nn_optim_create(run->env, &run->spec, run->plan);
	for (size_t step = 0; step < steps; step++)
		losses[step] = training_step(run, x, target);
	run_compare(run, "losses", losses);
	for (uint32_t i = 0; i < run->plan->ntensors; i++)
		run_compare(run, nn_format(run->env, "after.%s", run->plan->tensor[i].name),
					run->state->params + run->plan->tensor[i].span.offset);
}

static void
golden_case(void)
{
	static const struct
	{
		const char *kind;
		void		(*run) (Run *run);
		bool		by_kernels; /* its numbers come through the kernels */
	}			kinds[] = {
		{"layers", layers_run, true},
		{"loss", loss_run, false},
		{"optimizer", optimizer_run, false},
		{"training", training_run, true},
	};
	Run			run = {.env = unit_env()};
	bool		found = false;

	run.golden = golden_read(run.env, case_name);
	for (size_t k = 0; k < sizeof(kinds) / sizeof(kinds[0]); k++)
	{
		size_t		nkernels = kinds[k].by_kernels ?
			sizeof(kernel_names) / sizeof(kernel_names[0]) : 1;

		if (strcmp(run.golden->kind, kinds[k].kind) != 0)
			continue;
		found = true;
		for (size_t i = 0; i < nkernels; i++)
		{
			run.kernels = kernel_names[i];
			if (nn_kernels_get(run.kernels) != NULL)
				kinds[k].run(&run);
		}
	}
	if (!found)
		UNIT_FAILED("case of unknown kind \"%s\"", run.golden->kind);
}

/* A comparison that cannot fail proves nothing. */
static void
golden_compare_sees_differences(void)
{
	const GoldenCase *golden = golden_read(unit_env(), "lstm_h129");
	const GoldenArray *array = golden_need(unit_env(), golden, "grad.l0.weight_hh");
	nn_real    *copy = NN_NEW_ARRAY(unit_env(), nn_real, array->size);
	size_t		last = (array->nvalues - 1) * array->every;

	UNIT_CHECK(array->every > 1);
	UNIT_INTEGER(array->size, 4 * 129 * 129);
	for (size_t i = 0; i < array->nvalues; i++)
		copy[i * array->every] = (nn_real) array->value[i];
	UNIT_CHECK(golden_compare(array, copy).error <= golden_tolerance());
	copy[last] += (nn_real) (4 * golden_tolerance());
	UNIT_CHECK(golden_compare(array, copy).error > golden_tolerance());
	UNIT_INTEGER(golden_compare(array, copy).element, last);
	copy[last] = (nn_real) NAN;
	UNIT_CHECK(golden_compare(array, copy).error > golden_tolerance());
}

int
main(void)
{
	size_t		ncases = 0;

	unit_env_reset();
	for (char **name = golden_index(unit_env()); *name != NULL; name++)
	{
		if (ncases == MAX_CASES || strlen(*name) >= NN_MAX_NAME)
		{
			printf("# test/golden/index.txt has too many or too long names\n");
			return 2;
		}
		strcpy(case_names[ncases++], *name);
	}
	UNIT_RUN(golden_compare_sees_differences);
	for (size_t i = 0; i < ncases; i++)
	{
		case_name = case_names[i];
		unit_run(case_name, golden_case);
	}
	return unit_finish();
}
