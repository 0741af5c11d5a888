/*
 * nn_plan.c
 *		Expands the layers of a spec and lays out all memory.
 *
 * What the user wrote is turned into plain rows of the op table: a
 * bidirectional layer becomes two and a join, "return_sequences": false a row
 * "last", an activation of a dense layer a row of its own; known-future and
 * static inputs that no layer names are joined in before the last dense layer.
 * Costs nothing worth naming; allocates the plan (about 100 kB) only.
 */
#include <stdio.h>
#include <string.h>

#include "core/nn_op.h"
#include "core/nn_plan.h"

/* Where the builder stands: number of the row each spec layer ended in. */
typedef struct Builder
{
	NnPlanner	planner;
	uint32_t	end[NN_MAX_LAYERS / 2]; /* [spec layer] */
	bool		names_future, names_static; /* some layer names that input itself */
} Builder;

static size_t
shape_reals(const Builder *builder, NnShape shape)
{
	const NnEnv *env = builder->planner.env;
	size_t		n = nn_size_mul(env, shape.T, shape.S);

	return nn_size_mul(env, nn_size_mul(env, n, shape.C), builder->planner.lanes);
}

/* The row that row_add fills next, for what must be set before. */
static NnLayer *
row_next(const Builder *builder)
{
	const NnEnv *env = builder->planner.env;
	NnPlan	   *plan = builder->planner.plan;

	if (plan->nlayers == NN_MAX_LAYERS)
		nn_fail(env, NN_TOO_LARGE,
				nn_format(env, "the network has more than %d layers, those put in by themselves included",
						  NN_MAX_LAYERS), "Use fewer layers.");
	return &plan->layer[plan->nlayers];
}

static bool
type_is_recurrent(const char *type)
{
	return nn_op_takes(&nn_ops[nn_op_find(type)], "return_sequences");
}

/* Does the op treat every step by itself? */
static bool
type_is_stepwise(const char *type)
{
	static const char *const types[] = {
		"dense", "activation", "dropout", "add", "concat", "fuse", "graph", "graph_attention", "conv2d",
		"max_pool", "mean_pool", "global_pool", "flatten_grid"
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

/* What the output depends on; a type not named here is taken to see the window. */
static NnTime
row_time(const NnPlan *plan, const NnLayer *layer, const char *type, const NnLayerSpec *spec)
{
	bool		has[NN_TIME_WINDOW + 1] = {false};

	if (layer->ninputs == 0)
		return plan->nlayers == NN_LAYER_PAST ? NN_TIME_PAST : layer->arrays ? NN_TIME_WINDOW :
			NN_TIME_APART;
	for (uint32_t i = 0; i < layer->ninputs; i++)
		has[plan->layer[layer->input[i]].time] = true;
	if (has[NN_TIME_WINDOW])
		return NN_TIME_WINDOW;
	if (!has[NN_TIME_PAST])
		return has[NN_TIME_END] ? NN_TIME_END : NN_TIME_APART;
	/* The past itself is the residual's second input: only its newest row counts, or its season. */
	if (strcmp(type, "residual") == 0)
		return plan->layer[layer->input[0]].time == NN_TIME_PAST || spec->season > 1 ?
			NN_TIME_WINDOW : NN_TIME_END;
	if (has[NN_TIME_END] || has[NN_TIME_APART] || layer->reverse)
		return NN_TIME_WINDOW;
	if (strcmp(type, "last") == 0)
		return NN_TIME_END;
	return type_is_recurrent(type) || type_is_stepwise(type) ? NN_TIME_PAST : NN_TIME_WINDOW;
}

/* Adds one row of the op table; its plan function sets everything but place. */
static uint32_t
row_add(Builder *builder, const char *type, const char *name, uint32_t ninputs,
		const uint32_t *inputs, const NnLayerSpec *spec)
{
	const NnEnv *env = builder->planner.env;
	NnPlan	   *plan = builder->planner.plan;
	NnLayer    *layer = row_next(builder);

	layer->op = (uint32_t) nn_op_find(type);
	snprintf(layer->name, sizeof(layer->name), "%s", name);
	layer->ninputs = ninputs;
	for (uint32_t i = 0; i < ninputs; i++)
	{
		layer->input[i] = inputs[i];
		layer->needs_gradient = layer->needs_gradient || plan->layer[inputs[i]].ntensors > 0 ||
			plan->layer[inputs[i]].needs_gradient;
		layer->arrays |= plan->layer[inputs[i]].arrays;
	}
	if (ninputs > 0)
		layer->in = plan->layer[inputs[0]].out;
	layer->time = row_time(plan, layer, type, spec);
	layer->first_tensor = plan->ntensors;
	layer->first_pack = plan->npacks;
	nn_ops[layer->op].plan(&builder->planner, layer, spec);
	if (layer->out.rows == 0 && layer->out.S == layer->in.S)
		layer->out.rows = layer->in.rows;	/* what keeps the sites keeps the grid */
	layer->ntensors = plan->ntensors - layer->first_tensor;
	layer->npacks = plan->npacks - layer->first_pack;
	layer->output.offset = plan->nactivations;
	layer->output.count = shape_reals(builder, layer->out);
	plan->nactivations = nn_size_add(env, plan->nactivations, layer->output.count);
	return plan->nlayers++;
}

static uint32_t
row_add_one(Builder *builder, const char *type, const char *name, uint32_t input,
			const NnLayerSpec *spec)
{
	return row_add(builder, type, name, 1, &input, spec);
}

/* Name of a row put in by the builder: the layer's own and a suffix. */
static const char *
row_name(const Builder *builder, const NnLayerSpec *spec, const char *suffix)
{
	return nn_format(builder->planner.env, "%.40s%s", spec->name, suffix);
}

/* Does an array column fit where it is to be an input? */
static void
array_check(const NnEnv *env, const NnSpec *spec, const NnArraySpec *array)
{
	static const char *const taken[] = {"past", "future", "static"};
	bool		clashes = false;

	if (spec->nsites > 1 && array->rows * array->cols > 1)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "array column \"%s\" is an image, and %u sites are forecast at once",
						  array->name, spec->nsites),
				"Train one model for each series (\"space\": \"none\" does not join them), or give a vector "
				"at each site.");
	for (size_t i = 0; i < sizeof(taken) / sizeof(taken[0]); i++)
		clashes = clashes || strcmp(taken[i], array->name) == 0;
	for (uint32_t i = 0; i < spec->nlayers; i++)
		clashes = clashes || strcmp(spec->layer[i].name, array->name) == 0;
	if (clashes)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "array column \"%s\" has the name of a layer or an input", array->name),
				"Name the column otherwise with AS, or the layer by \"name\".");
}

static void
window_inputs_add(Builder *builder)
{
	static const char *const names[] = {"past", "future", "static"};
	const NnSpec *spec = builder->planner.spec;
	NnPlan	   *plan = builder->planner.plan;
	uint32_t	S = spec->nsites,
				rows = spec->grid_rows;
	NnShape		shapes[] = {
		{spec->context, S, nn_spec_channels(spec), rows},
		{spec->horizon, S, spec->nfuture, rows},
		{1, S, spec->nstatic, rows}
	};

	for (uint32_t i = 0; i < NN_LAYER_ARRAY; i++)
	{
		plan->layer[i].out = shapes[i]; /* the op keeps it */
		row_add(builder, "input", names[i], 0, NULL, NULL);
	}
	for (uint32_t i = 0; i < spec->narrays; i++)
	{
		const NnArraySpec *array = &spec->array[i];
		bool		image = array->rows * array->cols > 1;

		array_check(builder->planner.env, spec, array);
		plan->layer[plan->nlayers].out = (NnShape) {spec->context,
			image ? array->rows * array->cols : S, array->C, image ? array->rows : rows};
		plan->layer[plan->nlayers].arrays = 1u << i;
		row_add(builder, "input", array->name, 0, NULL, NULL);
	}
	plan->first_layer = plan->nlayers;
}

/* The edges, as tensors that the caller fills and training leaves alone (nn_graph.h). */
static void
graph_add(Builder *builder)
{
	static const char *const names[] = {"source", "target", "weight"};
	const NnSpec *spec = builder->planner.spec;
	NnPlan	   *plan = builder->planner.plan;
	NnLayer		graph = {.name = "edges"};

	plan->graph = plan->ntensors;
	for (uint32_t i = 0; spec->nedges > 0 && i < 3; i++)
	{
		uint32_t	tensor = nn_planner_tensor(&builder->planner, &graph, names[i], NN_INIT_GIVEN, 1,
											   spec->nedges, 0);

		plan->tensor[tensor].idle = true;
	}
}

static uint32_t
input_find(Builder *builder, uint32_t position, const char *name)
{
	const NnSpec *spec = builder->planner.spec;
	const NnEnv *env = builder->planner.env;

	if (strcmp(name, "past") == 0)
		return NN_LAYER_PAST;
	if (strcmp(name, "future") == 0 && spec->nfuture > 0)
	{
		builder->names_future = true;
		return NN_LAYER_FUTURE;
	}
	if (strcmp(name, "static") == 0 && spec->nstatic > 0)
	{
		builder->names_static = true;
		return NN_LAYER_STATIC;
	}
	for (uint32_t i = 0; i < spec->narrays; i++)
		if (strcmp(spec->array[i].name, name) == 0)
			return NN_LAYER_ARRAY + i;
	for (uint32_t i = 0; i < position; i++)
		if (strcmp(spec->layer[i].name, name) == 0)
			return builder->end[i];
	nn_fail(env, NN_BAD_VALUE,
			nn_format(env, "layer \"%s\" names the input \"%s\", which is no earlier layer",
					  spec->layer[position].name, name),
			"Inputs are earlier layers, \"past\", and \"future\" or \"static\" where there are such "
			"covariates.");
}

static bool
layer_names(const NnLayerSpec *layer, const char *name)
{
	for (uint32_t i = 0; i < layer->ninputs; i++)
		if (strcmp(layer->input[i], name) == 0)
			return true;
	return false;
}

/* Does the op learn nothing and keep the steps, so that what it is put before decides? */
static bool
type_is_transparent(const char *type)
{
	static const char *const types[] = {
		"dropout", "activation", "max_pool", "mean_pool", "global_pool", "flatten_grid"
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

/*
 * Does the layer that takes the output of the one at position want the whole
 * sequence?  Looks through layers that only change the values or the sites of a step.
 */
static bool
sequence_wanted(const NnSpec *spec, uint32_t position)
{
	const char *name = spec->layer[position].name;

	for (uint32_t i = position + 1; i < spec->nlayers; i++)
	{
		const char *type = spec->layer[i].type;

		if (strcmp(type, "embedding") == 0)
			continue;
		/* Without inputs of its own a layer takes the one just before it. */
		if (spec->layer[i].ninputs == 0 ? strcmp(spec->layer[i - 1].name, name) != 0 :
			!layer_names(&spec->layer[i], name))
			continue;
		if (type_is_recurrent(type) || strcmp(type, "flatten") == 0 || strcmp(type, "last") == 0 ||
			strcmp(type, "attention") == 0 || strcmp(type, "segment") == 0 ||
			strcmp(type, "lags") == 0)
			return true;
		if (!type_is_transparent(type))
			return false;
		name = spec->layer[i].name;
	}
	return false;
}

static uint32_t
recurrent_add(Builder *builder, uint32_t position, uint32_t input)
{
	const NnLayerSpec *spec = &builder->planner.spec->layer[position];
	bool		sequence = spec->return_sequences >= 0 ? spec->return_sequences :
		sequence_wanted(builder->planner.spec, position);
	uint32_t	ends[2],
				ndirections = spec->bidirectional ? 2 : 1;

	for (uint32_t d = 0; d < ndirections; d++)
	{
		row_next(builder)->reverse = d == 1;
		ends[d] = row_add_one(builder, spec->type, row_name(builder, spec, d ? "_reverse" : ""),
							  input, spec);
	}
	for (uint32_t d = 0; d < ndirections && !sequence; d++)
	{
		/* The last step of the reversed layer is the window's first. */
		row_next(builder)->reverse = d == 1;
		ends[d] = row_add_one(builder, "last",
							  row_name(builder, spec, d ? "_reverse_last" : "_last"), ends[d], spec);
	}
	if (ndirections == 1)
		return ends[0];
	return row_add(builder, "concat", row_name(builder, spec, "_both"), 2, ends, spec);
}

/*
 * Joins the inputs that no layer names to the last dense layer's input.  Where that
 * has a step for each of the segments of the output, of length rows, so have the
 * future covariates.
 */
static uint32_t
covariates_join(Builder *builder, uint32_t input, uint32_t length)
{
	const NnSpec *spec = builder->planner.spec;
	NnLayerSpec none;
	uint32_t	parts[3] = {input},
				n = 1;

	memset(&none, 0, sizeof(none));
	none.length = length;
	if (spec->nfuture > 0 && !builder->names_future)
		parts[n++] = builder->planner.plan->layer[input].out.T == 1 ?
			row_add_one(builder, "flatten", "future_flat", NN_LAYER_FUTURE, &none) :
			row_add_one(builder, "segment", "future_segments", NN_LAYER_FUTURE, &none);
	if (spec->nstatic > 0 && !builder->names_static)
		parts[n++] = NN_LAYER_STATIC;
	return n == 1 ? input : row_add(builder, "concat", "joined", n, parts, &none);
}

/* Does the type shift, scale or join finished outputs, behind the layer that makes them? */
static bool
type_is_trailing(const char *type)
{
	static const char *const types[] = {
		"join", "recall", "residual", "denormalize", "recompose"
	};

	for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
		if (strcmp(type, types[i]) == 0)
			return true;
	return false;
}

/* Does the layer at position add up outputs that were joined before? */
static bool
adds_joined(const NnSpec *spec, uint32_t position)
{
	const NnLayerSpec *layer = &spec->layer[position];
	uint32_t	joined = 0;

	if (strcmp(layer->type, "add") != 0)
		return false;
	for (uint32_t i = 0; i < position; i++)
		if (strcmp(spec->layer[i].type, "join") == 0)
			for (uint32_t j = 0; j < layer->ninputs; j++)
				joined += strcmp(layer->input[j], spec->layer[i].name) == 0;
	return joined > 0 && joined == layer->ninputs;
}

/* Number of the spec's layer that makes the outputs: the last but for trailing ones. */
uint32_t
nn_plan_output_position(const NnSpec *spec)
{
	uint32_t	last = spec->nlayers - 1;

	while (last > 0 && (type_is_trailing(spec->layer[last].type) || adds_joined(spec, last)))
		last--;
	return last;
}

/* Rows of the segments that the outputs are joined from; 0: they are not. */
static uint32_t
join_length(const NnSpec *spec)
{
	for (uint32_t i = nn_plan_output_position(spec) + 1; i < spec->nlayers; i++)
		if (strcmp(spec->layer[i].type, "join") == 0)
			return spec->layer[i].length;
	return 0;
}

/* Units of the layer that makes the outputs, from an input of shape in. */
static uint32_t
output_units(const Builder *builder, const NnLayerSpec *given, NnShape in)
{
	const NnEnv *env = builder->planner.env;
	const NnSpec *spec = builder->planner.spec;
	uint32_t	length = join_length(spec),
				steps = length > 0 ? length : spec->horizon,
				targets = spec->nsites > 1 ? spec->ntargets : spec->ntargets / in.S;
	size_t		needed = nn_size_mul(env, nn_size_mul(env, steps, targets), nn_spec_outputs(spec));

	if (length == 0 && in.T != 1)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\", the last one, gets %u steps instead of one",
						  given->name, in.T),
				"Put a layer of type \"last\" or \"flatten\" before it, or set "
				"\"return_sequences\" to false.");
	if (spec->nsites > 1 && in.S != spec->nsites)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\", the last one, gets %u sites instead of %u",
						  given->name, in.S, spec->nsites),
				"The sites of the output are those of the rows: end pooled branches in a layer of type "
				"\"global_pool\" or \"flatten\", and join them to one that keeps the sites.");
	if (spec->nsites == 1 && in.S != 1 && (length == 0 || in.S != spec->ntargets))
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\", the last one, gets %u sites instead of one",
						  given->name, in.S),
				"Put a layer of type \"join\" after it; behind an image, \"global_pool\" before it.");
	if (needed > NN_MAX_UNITS)
		nn_fail(env, NN_TOO_LARGE,
				nn_format(env, "%u steps x %u targets x %u outputs are more than %d values",
						  steps, targets, nn_spec_outputs(spec), NN_MAX_UNITS),
				"Use a smaller horizon or fewer targets.");
	if (given->units != 0 && given->units != needed)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\", the last one, has %u units, but %u steps x %u targets x %u "
						  "outputs of loss \"%s\" need %zu",
						  given->name, given->units, steps, targets, nn_spec_outputs(spec),
						  nn_loss_name(spec->loss), needed),
				"Leave \"units\" out of the last dense layer.");
	return (uint32_t) needed;
}

static uint32_t
dense_add(Builder *builder, const NnLayerSpec *given, uint32_t input, bool is_output)
{
	const NnEnv *env = builder->planner.env;
	NnLayerSpec layer = *given;
	uint32_t	end;

	if (is_output)
	{
		layer.units = output_units(builder, given, builder->planner.plan->layer[input].out);
		input = covariates_join(builder, input, join_length(builder->planner.spec));
	}
	else if (layer.units == 0)
		nn_fail(env, NN_BAD_VALUE, nn_format(env, "layer \"%s\" has no \"units\"", given->name),
				"Only the last dense layer may leave them out.");
	end = row_add_one(builder, "dense", given->name, input, &layer);
	if (layer.activation != NN_LINEAR)
		end = row_add_one(builder, "activation", row_name(builder, given, "_activation"), end,
						  &layer);
	return end;
}

/* A layer of one input whose activation is a row of its own. */
static uint32_t
activated_add(Builder *builder, const NnLayerSpec *layer, uint32_t input)
{
	uint32_t	end = row_add_one(builder, layer->type, layer->name, input, layer);

	return layer->activation == NN_LINEAR ? end :
		row_add_one(builder, "activation", row_name(builder, layer, "_activation"), end, layer);
}

static uint32_t
residual_add(Builder *builder, const NnLayerSpec *spec, uint32_t input)
{
	uint32_t	inputs[2] = {input, NN_LAYER_PAST};

	return row_add(builder, "residual", spec->name, 2, inputs, spec);
}

static bool
spec_has_name(const NnSpec *spec, const char *name)
{
	for (uint32_t i = 0; i < spec->nlayers; i++)
		if (strcmp(spec->layer[i].name, name) == 0)
			return true;
	return false;
}

/*
 * An output layer of its own, where the user's last layer is not dense.  Its
 * tensors need names of their own, so it evades a layer called "output".
 */
static uint32_t
output_add(Builder *builder, uint32_t input)
{
	NnLayerSpec dense;

	memset(&dense, 0, sizeof(dense));
	strcpy(dense.name, "output");
	for (uint32_t i = 2; spec_has_name(builder->planner.spec, dense.name); i++)
		snprintf(dense.name, sizeof(dense.name), "output_%u", i);
	return dense_add(builder, &dense, input, true);
}

/* How many inputs a type takes; one that is not named here takes one. */
static const struct
{
	const char *type;
	uint32_t	least, most;
}			type_inputs[] = {
	{"add", 1, NN_MAX_INPUTS},
	{"concat", 1, NN_MAX_INPUTS},
	{"fuse", 2, NN_MAX_INPUTS},
	{"attention", 1, 2},		/* query, states */
	{"normalize", 2, 2},		/* sequence, statistics */
	{"denormalize", 2, 3},		/* outputs, statistics, the layer that normalized */
	{"remainder", 2, 2},		/* past, smoothing */
	{"recompose", 2, 2},		/* outputs, smoothing */
	{"recall", 3, 3}			/* outputs, logits, window */
};

static void
inputs_check(const Builder *builder, const NnLayerSpec *layer, uint32_t ninputs)
{
	const NnEnv *env = builder->planner.env;
	uint32_t	least = 1,
				most = 1;

	for (size_t i = 0; i < sizeof(type_inputs) / sizeof(type_inputs[0]); i++)
		if (strcmp(layer->type, type_inputs[i].type) == 0)
		{
			least = type_inputs[i].least;
			most = type_inputs[i].most;
		}
	if (ninputs > most)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" of type \"%s\" takes %s, not %u", layer->name,
						  layer->type, most == 1 ? "one input" : nn_format(env, "at most %u inputs", most),
						  ninputs),
				"Join them first with a layer of type \"concat\" or \"add\".");
	if (ninputs < least)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" of type \"%s\" takes %u inputs, not %u", layer->name,
						  layer->type, least, ninputs),
				"Name them in its \"inputs\", in the order of the documentation.");
}

/* It depends on the series alone: the layer before is not its input. */
static uint32_t
embedding_add(Builder *builder, const NnLayerSpec *layer)
{
	const NnEnv *env = builder->planner.env;

	if (layer->ninputs > 0)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "layer \"%s\" of type \"embedding\" takes no inputs", layer->name),
				"Leave \"inputs\" out, and join it to others with a layer of type \"concat\".");
	return row_add(builder, "embedding", layer->name, 0, NULL, layer);
}

static uint32_t
spec_layer_add(Builder *builder, uint32_t position, uint32_t previous)
{
	const NnSpec *spec = builder->planner.spec;
	const NnLayerSpec *layer = &spec->layer[position];
	uint32_t	inputs[NN_MAX_INPUTS] = {previous},
				ninputs = layer->ninputs ? layer->ninputs : 1;

	for (uint32_t i = 0; i < layer->ninputs; i++)
		inputs[i] = input_find(builder, position, layer->input[i]);
	if (strcmp(layer->type, "embedding") == 0)
		return embedding_add(builder, layer);
	inputs_check(builder, layer, ninputs);
	if (type_is_recurrent(layer->type))
		return recurrent_add(builder, position, inputs[0]);
	if (strcmp(layer->type, "dense") == 0)
		return dense_add(builder, layer, inputs[0], position == nn_plan_output_position(spec));
	if (strcmp(layer->type, "residual") == 0)
		return residual_add(builder, layer, inputs[0]);
	if (strcmp(layer->type, "graph") == 0 || strcmp(layer->type, "graph_attention") == 0 ||
		strcmp(layer->type, "conv2d") == 0)
		return activated_add(builder, layer, inputs[0]);
	return row_add(builder, layer->type, layer->name, ninputs, inputs, layer);
}

/* Layers whose output nobody takes would be trained for nothing. */
static void
unused_reject(const Builder *builder)
{
	const NnPlan *plan = builder->planner.plan;
	bool		used[NN_MAX_LAYERS] = {false};

	for (uint32_t i = 0; i < plan->nlayers; i++)
		for (uint32_t j = 0; j < plan->layer[i].ninputs; j++)
			used[plan->layer[i].input[j]] = true;
	for (uint32_t i = NN_LAYER_ARRAY; i < plan->first_layer; i++)
		if (!used[i])
			nn_fail(builder->planner.env, NN_BAD_VALUE,
					nn_format(builder->planner.env, "no layer takes array column \"%s\"",
							  plan->layer[i].name),
					"Name it among the \"inputs\" of a layer, or leave it out of past_covariates.");
	for (uint32_t i = plan->first_layer; i + 1 < plan->nlayers; i++)
		if (!used[i])
			nn_fail(builder->planner.env, NN_BAD_VALUE,
					nn_format(builder->planner.env, "no later layer takes the output of layer \"%s\"",
							  plan->layer[i].name),
					"Name it among the \"inputs\" of a later layer, or leave it out.");
}

/*
 * Lays out the parameters: those that training moves first.  An idle tensor is
 * only passed over where no penalty or decay moves it either.
 */
static void
params_place(const NnSpec *spec, NnPlan *plan)
{
	bool		decay = spec->l1 > 0 || spec->l2 > 0 || spec->weight_decay > 0;
	size_t		at = 0;

	for (int idle = 0; idle < 2; idle++)
	{
		for (uint32_t i = 0; i < plan->ntensors; i++)
		{
			NnTensor   *tensor = &plan->tensor[i];

			tensor->idle = tensor->idle && (!decay || tensor->init == NN_INIT_GIVEN);
			if (tensor->idle != (idle == 1))
				continue;
			tensor->span.offset = at;
			at += tensor->span.count;
		}
		if (idle == 0)
			plan->nactive = at;
	}
}

/* With a context of one row the weights of the state were never trained. */
static bool
can_continue(const NnSpec *spec, const NnPlan *plan)
{
	return plan->layer[plan->output_layer].time == NN_TIME_END && spec->context > 1;
}

NnPlan *
nn_plan_build(const NnEnv *env, const NnSpec *spec, const NnKernels *kernels, uint32_t lanes)
{
	Builder		builder = {.planner = {env, spec, kernels, NN_NEW(env, NnPlan), lanes}};
	NnPlan	   *plan = builder.planner.plan;
	uint32_t	previous = NN_LAYER_PAST,
				output = nn_plan_output_position(spec);

	plan->lanes = lanes;
	plan->context = spec->context;
	plan->horizon = spec->horizon;
	plan->ntargets = spec->ntargets;
	plan->outputs = nn_spec_outputs(spec);
	plan->nsites = spec->nsites;
	plan->nedges = spec->nedges;
	plan->narrays = spec->narrays;
	window_inputs_add(&builder);
	graph_add(&builder);
	for (uint32_t i = 0; i < spec->nlayers; i++)
	{
		previous = spec_layer_add(&builder, i, previous);
		if (i == output && strcmp(spec->layer[i].type, "dense") != 0)
			previous = output_add(&builder, previous);
		builder.end[i] = previous;
	}
	unused_reject(&builder);
	params_place(spec, plan);
	plan->output_layer = previous;
	if (spec->stateful && !can_continue(spec, plan))
		nn_fail(env, NN_BAD_VALUE, "this network cannot be \"stateful\"",
				"The state is carried on by forward recurrent layers that end in their last step, "
				"with a context of more than one row.");
	return plan;
}

NnPlan *
nn_plan_continue(const NnEnv *env, const NnSpec *spec, const NnKernels *kernels, const NnPlan *plan)
{
	NnSpec	   *shorter;
	NnPlan	   *next;

	if (!spec->stateful || !can_continue(spec, plan))
		return NULL;
	shorter = NN_NEW(env, NnSpec);
	*shorter = *spec;
	shorter->context = spec->horizon;
	shorter->stateful = false;
	next = nn_plan_build(env, shorter, kernels, plan->lanes);
	/* Where the parameters lie depends on the context, see params_place. */
	memcpy(next->tensor, plan->tensor, sizeof(next->tensor));
	next->nactive = plan->nactive;
	return next;
}

uint32_t
nn_planner_tensor(NnPlanner *planner, NnLayer *layer, const char *name, NnInit init,
				  uint32_t blocks, uint32_t dim0, uint32_t dim1)
{
	NnPlan	   *plan = planner->plan;
	NnTensor   *tensor = &plan->tensor[plan->ntensors];
	size_t		length = strlen(layer->name),
				suffix = strlen("_reverse");
	bool		reverse = layer->reverse && length > suffix;

	if (plan->ntensors == NN_MAX_TENSORS)
		nn_fail(planner->env, NN_TOO_LARGE, "the network has too many tensors",
				"Use fewer layers.");
	/* As in PyTorch: the reversed direction's tensors belong to the same layer. */
	snprintf(tensor->name, sizeof(tensor->name), "%.*s.%s%s",
			 (int) (reverse ? length - suffix : length), layer->name, name,
			 reverse ? "_reverse" : "");
	tensor->ndim = dim1 ? 2 : 1;
	tensor->dim[0] = dim0;
	tensor->dim[1] = dim1;
	tensor->blocks = blocks;
	tensor->init = init;
	tensor->decay = init == NN_INIT_GLOROT || init == NN_INIT_ORTHOGONAL;
	tensor->span.offset = plan->nparams;
	tensor->span.count = nn_size_mul(planner->env, dim0, dim1 ? dim1 : 1);
	plan->nparams = nn_size_add(planner->env, plan->nparams, tensor->span.count);
	return plan->ntensors++;
}

static void
pack_add(NnPlanner *planner, const NnPack *pack)
{
	NnPlan	   *plan = planner->plan;
	size_t		size = nn_size_mul(planner->env, planner->kernels->packed_size(pack->M, pack->K),
								   pack->taps);

	if (plan->npacks == NN_MAX_PACKS)
		nn_fail(planner->env, NN_TOO_LARGE, "the network has too many weight matrices",
				"Use fewer layers.");
	plan->pack[plan->npacks] = *pack;
	plan->pack[plan->npacks++].offset = plan->npacked;
	/* Each pack starts on a cache line. */
	size = nn_size_add(planner->env, size, NN_LANES - 1) / NN_LANES * NN_LANES;
	plan->npacked = nn_size_add(planner->env, plan->npacked, size);
}

void
nn_planner_pack(NnPlanner *planner, NnLayer *layer, uint32_t tensor, bool transpose)
{
	const NnTensor *t = &planner->plan->tensor[tensor];
	NnPack		pack = {.tensor = tensor, .M = t->dim[0], .K = t->dim[1], .rs = t->dim[1], .cs = 1,
	.taps = 1};

	pack_add(planner, &pack);
	if (!transpose)
		return;
	pack = (NnPack) {.tensor = tensor, .M = t->dim[1], .K = t->dim[0], .rs = 1, .cs = t->dim[1],
		.taps = 1, .backward = true, .explain = !layer->needs_gradient};
	pack_add(planner, &pack);
}

void
nn_planner_pack_taps(NnPlanner *planner, NnLayer *layer, uint32_t tensor, uint32_t taps)
{
	const NnTensor *t = &planner->plan->tensor[tensor];
	uint32_t	M = t->dim[0],
				C = t->dim[1] / taps;
	NnPack		pack = {.tensor = tensor, .M = M, .K = C, .rs = t->dim[1], .cs = 1, .taps = taps,
	.next = C};

	pack_add(planner, &pack);
	pack = (NnPack) {.tensor = tensor, .M = C, .K = M, .rs = 1, .cs = t->dim[1], .taps = taps,
		.next = C, .backward = true, .explain = !layer->needs_gradient};
	pack_add(planner, &pack);
}

void
nn_planner_pack_columns(NnPlanner *planner, NnLayer *layer, uint32_t tensor, uint32_t first,
						uint32_t count)
{
	const NnTensor *t = &planner->plan->tensor[tensor];
	NnPack		pack = {.tensor = tensor, .M = t->dim[0], .K = count, .first = first,
	.rs = t->dim[1], .cs = 1, .taps = 1};

	(void) layer;
	pack_add(planner, &pack);
	pack = (NnPack) {.tensor = tensor, .M = count, .K = t->dim[0], .first = first, .rs = 1,
		.cs = t->dim[1], .taps = 1, .backward = true};
	pack_add(planner, &pack);
}

void
nn_planner_require_single(const NnPlanner *planner, const NnLayer *layer)
{
	if (planner->spec->nsites > 1)
		nn_fail(planner->env, NN_BAD_VALUE,
				nn_format(planner->env, "layer \"%s\" of type \"%s\" looks at one series at a time, not at "
						  "%u sites at once", layer->name, nn_ops[layer->op].name, planner->spec->nsites),
				"Use layers that keep the sites, such as \"gru\", \"graph\" or \"conv_lstm\", or set "
				"\"space\" to \"none\".");
}

void
nn_planner_kept(NnPlanner *planner, NnLayer *layer, size_t reals_per_lane)
{
	NnPlan	   *plan = planner->plan;

	layer->kept.offset = plan->nactivations;
	layer->kept.count = nn_size_mul(planner->env, reals_per_lane, planner->lanes);
	plan->nactivations = nn_size_add(planner->env, plan->nactivations, layer->kept.count);
}

void
nn_planner_saved(NnPlanner *planner, NnLayer *layer, size_t reals_per_lane)
{
	layer->saved.offset = planner->plan->nsaved;
	layer->saved.count = nn_size_mul(planner->env, reals_per_lane, planner->lanes);
	planner->plan->nsaved = nn_size_add(planner->env, planner->plan->nsaved, layer->saved.count);
}

void
nn_planner_scratch(NnPlanner *planner, NnLayer *layer, size_t reals_per_lane)
{
	layer->scratch.offset = 0;
	layer->scratch.count = nn_size_mul(planner->env, reals_per_lane, planner->lanes);
	if (layer->scratch.count > planner->plan->nscratch)
		planner->plan->nscratch = layer->scratch.count;
}

void
nn_planner_memory(NnPlanner *planner, NnLayer *layer, size_t reals_per_lane)
{
	if (layer->time != NN_TIME_PAST)
		return;
	layer->memory.offset = planner->plan->nmemory;
	layer->memory.count = nn_size_mul(planner->env, reals_per_lane, planner->lanes);
	planner->plan->nmemory = nn_size_add(planner->env, planner->plan->nmemory, layer->memory.count);
}

size_t
nn_plan_memory(const NnEnv *env, const NnPlan *plan, bool training)
{
	size_t		reals = nn_size_add(env, plan->npacked, plan->nscratch);

	reals = nn_size_add(env, reals, plan->nactivations);
	if (training)
	{
		reals = nn_size_add(env, reals, plan->nsaved);
		reals = nn_size_add(env, reals, plan->nactivations);
		reals = nn_size_add(env, reals, plan->nparams);
	}
	return nn_size_mul(env, reals, sizeof(nn_real));
}

int
nn_plan_tensor(const NnPlan *plan, const char *name)
{
	for (uint32_t i = 0; i < plan->ntensors; i++)
		if (strcmp(plan->tensor[i].name, name) == 0)
			return (int) i;
	return -1;
}

int
nn_plan_layer(const NnPlan *plan, const char *name)
{
	for (uint32_t i = 0; i < plan->nlayers; i++)
		if (strcmp(plan->layer[i].name, name) == 0)
			return (int) i;
	return -1;
}
