/*
 * nn_solo.c
 *		The network for one window: units in the vectors instead of windows.
 *
 * One short function per operation, each the forward of its row in nn_ops.c with
 * rows of channels where that has rows of lanes.  The cells are the same code
 * (nn_cell.c) with L = 1.  Gates lie one after the other without padding between,
 * so that the weights take no more cache than they must: read once per step, at
 * the speed of the cache they lie in, they are what the time goes for.  Behind the
 * last unit the vectors leave numbers that no product reads.
 */
#include <string.h>

#include "core/nn_cell.h"
#include "core/nn_normalize.h"
#include "core/nn_op.h"
#include "core/nn_solo.h"

typedef void (*SoloForward) (NnSolo *solo, uint32_t i);

struct NnSolo
{
	const NnEnv *env;
	const NnPlan *plan;
	const NnKernels *kernels;
	nn_real    *weights;		/* tensors at tensor[], matrices packed, biases padded */
	size_t		tensor[NN_MAX_TENSORS];
	nn_real    *activations;	/* layers' outputs at output[] */
	size_t		output[NN_MAX_LAYERS];
	nn_real    *memory;			/* states of the layers along the past, at state[]; each h, c */
	size_t		state[NN_MAX_LAYERS];
	nn_real    *scratch;		/* of one step: z, zh, two of c */
	bool		leaves, resumes;	/* memory: as in NnState */
	SoloForward forward[NN_MAX_LAYERS];
};

static size_t
padded(size_t n)
{
	return (n + NN_LANES - 1) / NN_LANES * NN_LANES;
}

size_t
nn_solo_width(const NnPlan *plan, uint32_t i)
{
	uint32_t	C = plan->layer[i].out.C;

	return i < NN_LAYER_ARRAY ? C : padded(C);
}

nn_real *
nn_solo_output(const NnSolo *solo, uint32_t i)
{
	return solo->activations + solo->output[i];
}

/* Rows of the first input and of the output of layer i. */
typedef struct Rows
{
	const NnLayer *layer;
	const nn_real *x;			/* [T][width_in] */
	nn_real    *y;				/* [T][width] */
	size_t		width_in, width;
} Rows;

static Rows
rows_of(const NnSolo *solo, uint32_t i)
{
	const NnLayer *layer = &solo->plan->layer[i];
	uint32_t	input = layer->input[0];

	return (Rows) {layer, nn_solo_output(solo, input), nn_solo_output(solo, i),
		nn_solo_width(solo->plan, input), nn_solo_width(solo->plan, i)};
}

static const nn_real *
weight_of(const NnSolo *solo, const NnLayer *layer, uint32_t i)
{
	return solo->weights + solo->tensor[layer->first_tensor + i];
}

/* ------------------------------------------------------------------------
 * Recurrent layers, as in nn_recurrent.c
 */

/* z = W_ih x + b (+ W_hh h_prev), then the cell. */
static void
step_forward(const NnSolo *solo, const NnCell *cell, const NnStep *step, const nn_real *x)
{
	const NnKernels *kernels = solo->kernels;
	const NnLayer *layer = step->layer;
	const nn_real *weight_hh = weight_of(solo, layer, 1);
	uint32_t	M = cell->gates * step->H;

	kernels->matvec(step->z, weight_of(solo, layer, 0), weight_of(solo, layer, 2), x, M,
					layer->in.C, false);
	if (cell->apart)
		kernels->matvec(step->zh, weight_hh, weight_of(solo, layer, 3), step->h_prev, M,
						step->h_prev ? layer->out.C : 0, false);
	else if (step->h_prev)
		kernels->matvec(step->z, weight_hh, NULL, step->h_prev, M, layer->out.C, true);
	cell->forward(step);
}

static void
recurrent_solo(NnSolo *solo, uint32_t i, const NnCell *cell)
{
	Rows		rows = rows_of(solo, i);
	const NnLayer *layer = rows.layer;
	uint32_t	T = layer->in.T;
	size_t		n = rows.width;
	nn_real    *memory = solo->memory + solo->state[i],
			   *zh = solo->scratch + (cell->gates + 1) * n,
			   *c = zh + (cell->apart ? (cell->gates + 1) * n : 0);
	bool		along = layer->time == NN_TIME_PAST;
	/* A single gate can count its padding, as kernels other than the fused ones ask. */
	uint32_t	H = cell->gates > 1 ? layer->out.C : (uint32_t) n;
	NnStep		step = {.kernels = solo->kernels, .layer = layer, .H = H, .L = 1, .n = H,
	.z = solo->scratch, .zh = cell->apart ? zh : solo->scratch};

	if (solo->resumes && along)
	{
		step.h_prev = memory;
		step.c_prev = cell->has_c ? memory + n : NULL;
	}
	for (uint32_t k = 0; k < T; k++)
	{
		uint32_t	t = layer->reverse ? T - 1 - k : k;

		solo->env->poll(solo->env->host);
		step.h = rows.y + t * n;
		step.c = cell->has_c ? c + k % 2 * n : NULL;
		step_forward(solo, cell, &step, rows.x + t * rows.width_in);
		step.h_prev = step.h;
		step.c_prev = step.c;
	}
	if (!solo->leaves || !along)
		return;
	memcpy(memory, step.h, n * sizeof(nn_real));
	if (cell->has_c)
		memcpy(memory + n, step.c, n * sizeof(nn_real));
}

static void
rnn_solo(NnSolo *solo, uint32_t i)
{
	recurrent_solo(solo, i, &nn_rnn_cell);
}

static void
gru_solo(NnSolo *solo, uint32_t i)
{
	recurrent_solo(solo, i, &nn_gru_cell);
}

static void
lstm_solo(NnSolo *solo, uint32_t i)
{
	recurrent_solo(solo, i, &nn_lstm_cell);
}

/* ------------------------------------------------------------------------
 * The other operations
 */

static void
dense_solo(NnSolo *solo, uint32_t i)
{
	Rows		rows = rows_of(solo, i);

	for (uint32_t t = 0; t < rows.layer->in.T; t++)
	{
		solo->env->poll(solo->env->host);
		solo->kernels->matvec(rows.y + t * rows.width, weight_of(solo, rows.layer, 0),
							  weight_of(solo, rows.layer, 1), rows.x + t * rows.width_in,
							  (uint32_t) rows.width, rows.layer->in.C, false);
	}
}

static void
activation_solo(NnSolo *solo, uint32_t i)
{
	Rows		rows = rows_of(solo, i);

	for (uint32_t t = 0; t < rows.layer->in.T; t++)
		solo->kernels->activate(rows.layer->activation, rows.y + t * rows.width,
								rows.x + t * rows.width_in, rows.width);
}

/* Dropout is off when forecasting. */
static void
dropout_solo(NnSolo *solo, uint32_t i)
{
	Rows		rows = rows_of(solo, i);

	for (uint32_t t = 0; t < rows.layer->in.T; t++)
		memcpy(rows.y + t * rows.width, rows.x + t * rows.width_in, rows.width * sizeof(nn_real));
}

static void
add_solo(NnSolo *solo, uint32_t i)
{
	Rows		rows = rows_of(solo, i);

	dropout_solo(solo, i);		/* the first input, as it is */
	for (uint32_t k = 1; k < rows.layer->ninputs; k++)
	{
		const nn_real *x = nn_solo_output(solo, rows.layer->input[k]);
		size_t		width = nn_solo_width(solo->plan, rows.layer->input[k]);

		for (uint32_t t = 0; t < rows.layer->in.T; t++)
			solo->kernels->axpy(rows.y + t * rows.width, 1, x + t * width, rows.width);
	}
}

static void
concat_solo(NnSolo *solo, uint32_t i)
{
	Rows		rows = rows_of(solo, i);

	for (uint32_t k = 0; k < rows.layer->ninputs; k++)
	{
		uint32_t	input = rows.layer->input[k],
					C = solo->plan->layer[input].out.C,
					T = solo->plan->layer[input].out.T;
		const nn_real *x = nn_solo_output(solo, input);
		size_t		width = nn_solo_width(solo->plan, input);

		for (uint32_t t = 0; t < rows.layer->out.T; t++)
			memcpy(rows.y + t * rows.width, x + (T == 1 ? 0 : t) * width, C * sizeof(nn_real));
		rows.y += C;
	}
}

static void
last_solo(NnSolo *solo, uint32_t i)
{
	Rows		rows = rows_of(solo, i);
	uint32_t	t = rows.layer->reverse ? 0 : rows.layer->in.T - 1;

	memcpy(rows.y, rows.x + t * rows.width_in, rows.layer->in.C * sizeof(nn_real));
}

static void
flatten_solo(NnSolo *solo, uint32_t i)
{
	Rows		rows = rows_of(solo, i);
	uint32_t	C = rows.layer->in.C;

	for (uint32_t t = 0; t < rows.layer->in.T; t++)
		memcpy(rows.y + (size_t) t * C, rows.x + t * rows.width_in, C * sizeof(nn_real));
}

static void
residual_solo(NnSolo *solo, uint32_t i)
{
	Rows		rows = rows_of(solo, i);
	const NnLayer *layer = rows.layer;
	const nn_real *past = nn_solo_output(solo, layer->input[1]);
	size_t		width = nn_solo_width(solo->plan, layer->input[1]);

	for (uint32_t v = 0; v < layer->in.C; v++)
	{
		rows.y[v] = rows.x[v];
		if (v % layer->outputs < layer->locations)
			rows.y[v] += past[nn_residual_step(solo->plan, layer, v) * width +
							  v / layer->outputs % solo->plan->ntargets];
	}
}

/* The operations of nn_normalize.c, with one lane. */
static NnNormalizing
normalizing_of(const NnSolo *solo, const Rows *rows)
{
	const NnLayer *layer = rows->layer;

	return (NnNormalizing) {
		.env = solo->env,
		.layer = layer,
		.targets = solo->plan->ntargets,
		.L = 1,
		.x = rows->x,
		.y = rows->y,
		.x_step = rows->width_in,
		.y_step = rows->width,
		.statistics = layer->ninputs > 1 ? nn_solo_output(solo, layer->input[1]) : NULL
	};
}

static void
affine_set(const NnSolo *solo, const NnLayer *normalizes, NnNormalizing *run)
{
	if (normalizes == NULL || !normalizes->affine)
		return;
	run->gain = weight_of(solo, normalizes, 0);
	run->shift = weight_of(solo, normalizes, 1);
}

static void
statistics_solo(NnSolo *solo, uint32_t i)
{
	Rows		rows = rows_of(solo, i);
	NnNormalizing run = normalizing_of(solo, &rows);

	nn_statistics_run(&run);
}

static void
normalize_solo(NnSolo *solo, uint32_t i)
{
	Rows		rows = rows_of(solo, i);
	NnNormalizing run = normalizing_of(solo, &rows);

	affine_set(solo, rows.layer, &run);
	nn_normalize_run(&run);
}

static void
denormalize_solo(NnSolo *solo, uint32_t i)
{
	Rows		rows = rows_of(solo, i);
	NnNormalizing run = normalizing_of(solo, &rows);

	affine_set(solo, nn_denormalize_undoes(solo->plan, rows.layer), &run);
	nn_denormalize_run(&run);
}

static const struct
{
	const char *type;
	SoloForward forward;
}			operations[] = {
	{"lstm", lstm_solo}, {"gru", gru_solo}, {"rnn", rnn_solo}, {"dense", dense_solo},
	{"activation", activation_solo}, {"dropout", dropout_solo}, {"add", add_solo},
	{"concat", concat_solo}, {"last", last_solo}, {"flatten", flatten_solo},
	{"residual", residual_solo}, {"statistics", statistics_solo}, {"normalize", normalize_solo},
	{"denormalize", denormalize_solo}
};

static SoloForward
operation_of(const NnLayer *layer)
{
	for (size_t k = 0; k < sizeof(operations) / sizeof(operations[0]); k++)
		if (strcmp(operations[k].type, nn_ops[layer->op].name) == 0)
			return operations[k].forward;
	return NULL;
}

/* Gates side by side without padding ask for the fused kernels; rnn has but one. */
static bool
cell_supported(const NnLayer *layer)
{
	const char *type = nn_ops[layer->op].name;

	return (strcmp(type, "lstm") != 0 && strcmp(type, "gru") != 0) || nn_cell_is_fused(layer);
}

bool
nn_solo_supports(const NnPlan *plan)
{
	if (plan->nsites != 1 || plan->narrays != 0)
		return false;
	for (uint32_t i = 0; i < plan->nlayers; i++)
	{
		const NnLayer *layer = &plan->layer[i];

		if (i < plan->first_layer)
			continue;
		if (layer->out.S != 1 || operation_of(layer) == NULL || !cell_supported(layer))
			return false;
	}
	return true;
}

/* ------------------------------------------------------------------------
 * Memory
 */

/* Reals of each slab, and where the parts lie. */
typedef struct Layout
{
	size_t		weights, activations, memory, scratch;
} Layout;

static size_t
tensor_reals(const NnEnv *env, const NnTensor *tensor)
{
	size_t		rows = padded(tensor->dim[0]);

	return tensor->ndim == 1 ? rows : nn_size_mul(env, rows, tensor->dim[1]);
}

/* Sets the offsets too where solo is given. */
static Layout
layout_make(const NnEnv *env, const NnPlan *plan, NnSolo *solo)
{
	Layout		layout = {0};

	for (uint32_t i = 0; i < plan->ntensors; i++)
	{
		if (solo)
			solo->tensor[i] = layout.weights;
		layout.weights = nn_size_add(env, layout.weights, tensor_reals(env, &plan->tensor[i]));
	}
	for (uint32_t i = 0; i < plan->nlayers; i++)
	{
		const NnLayer *layer = &plan->layer[i];
		size_t		width = nn_solo_width(plan, i),
					reals = nn_size_mul(env, layer->out.T, width);

		if (solo)
		{
			solo->output[i] = layout.activations;
			solo->state[i] = layout.memory;
			solo->forward[i] = operation_of(layer);
		}
		/* Vectors of the last row may reach beyond it. */
		layout.activations = nn_size_add(env, layout.activations, padded(reals) + NN_LANES);
		if (layer->memory.count > 0)
			layout.memory += 2 * width;
		if (layout.scratch < 8 * width)
			layout.scratch = 8 * width; /* of a cell: gru z and zh, lstm z and two of c */
	}
	return layout;
}

size_t
nn_solo_memory(const NnEnv *env, const NnPlan *plan, const NnPlan *next)
{
	Layout		layout = layout_make(env, plan, NULL);
	size_t		reals = nn_size_add(env, layout.weights, layout.activations);

	reals = nn_size_add(env, reals, layout.memory + layout.scratch);
	if (next)
		reals = nn_size_add(env, reals, layout_make(env, next, NULL).activations);
	return nn_size_mul(env, reals, sizeof(nn_real));
}

static void
weights_pack(const NnSolo *solo, const nn_real *params)
{
	for (uint32_t i = 0; i < solo->plan->ntensors; i++)
	{
		const NnTensor *tensor = &solo->plan->tensor[i];

		solo->env->poll(solo->env->host);
		solo->kernels->vector_pack(solo->weights + solo->tensor[i], params + tensor->span.offset,
								   tensor->dim[0], tensor->ndim == 1 ? 1 : tensor->dim[1]);
	}
}

NnSolo *
nn_solo_create(const NnEnv *env, const NnPlan *plan, const NnKernels *kernels,
			   const nn_real *params)
{
	NnSolo	   *solo = NN_NEW(env, NnSolo);
	Layout		layout = layout_make(env, plan, solo);

	solo->env = env;
	solo->plan = plan;
	solo->kernels = kernels;
	solo->weights = NN_NEW_ARRAY(env, nn_real, layout.weights);
	solo->activations = NN_NEW_ARRAY(env, nn_real, layout.activations);
	solo->memory = NN_NEW_ARRAY(env, nn_real, layout.memory + 1);
	solo->scratch = NN_NEW_ARRAY(env, nn_real, layout.scratch);
	weights_pack(solo, params);
	return solo;
}

NnSolo *
nn_solo_continue(NnSolo *solo, const NnPlan *next)
{
	NnSolo	   *more = NN_NEW(solo->env, NnSolo);

	solo->leaves = true;
	*more = *solo;
	more->plan = next;
	more->activations = NN_NEW_ARRAY(solo->env, nn_real,
									 layout_make(solo->env, next, more).activations);
	more->resumes = true;
	return more;
}

void
nn_solo_forward(NnSolo *solo)
{
	for (uint32_t i = solo->plan->first_layer; i < solo->plan->nlayers; i++)
		solo->forward[i] (solo, i);
}
