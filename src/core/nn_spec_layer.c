/*
 * nn_spec_layer.c
 *		The layers of a network as the user wrote them.
 *
 * One table of attributes; which of them a type takes is said by its row in
 * nn_ops.c.
 */
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/nn_op.h"
#include "core/nn_spec_table.h"

#define LAYER(member) offsetof(NnLayerSpec, member)

static const char *const initializer_words[] = {"glorot", "zeros", NULL};
static const char *const center_words[] = {"none", "last", "mean", NULL};
static const char *const support_words[] = {
	"forward", "both", "chebyshev", "adaptive", "all", NULL
};
static const char *const padding_words[] = {"same", "valid", NULL};
static const char *const pool_words[] = {"mean", "max", NULL};
static const char *const fusion_words[] = {"gated", "weighted", NULL};
static const char *const spread_words[] = {"none", "standard", "mean", NULL};

static const NnField layer_fields[] = {
	{"units", NN_FIELD_INT, NN_USE_LAYER, LAYER(units), 1, NN_MAX_UNITS, false, NULL},
	{"activation", NN_FIELD_WORD, NN_USE_LAYER, LAYER(activation), 0, 0, false, nn_activation_words},
	{"recurrent_activation", NN_FIELD_WORD, NN_USE_LAYER, LAYER(recurrent_activation), 0, 0, false,
	nn_activation_words},
	{"peephole", NN_FIELD_BOOL, NN_USE_LAYER, LAYER(peephole), 0, 0, false, NULL},
	{"bidirectional", NN_FIELD_BOOL, NN_USE_LAYER, LAYER(bidirectional), 0, 0, false, NULL},
	{"return_sequences", NN_FIELD_TRISTATE, NN_USE_LAYER, LAYER(return_sequences), 0, 0, false, NULL},
	{"dropout", NN_FIELD_REAL, NN_USE_LAYER, LAYER(dropout), 0, 0.95, false, NULL},
	{"recurrent_dropout", NN_FIELD_REAL, NN_USE_LAYER, LAYER(recurrent_dropout), 0, 0.95, false, NULL},
	{"rate", NN_FIELD_REAL, NN_USE_LAYER, LAYER(rate), 0, 0.95, false, NULL},
	{"kernel_initializer", NN_FIELD_WORD, NN_USE_LAYER, LAYER(initializer), 0, 0, false,
	initializer_words},
	{"center", NN_FIELD_WORD, NN_USE_LAYER, LAYER(center), 0, 0, false, center_words},
	{"scale", NN_FIELD_WORD, NN_USE_LAYER, LAYER(spread), 0, 0, false, spread_words},
	{"affine", NN_FIELD_BOOL, NN_USE_LAYER, LAYER(affine), 0, 0, false, NULL},
	{"length", NN_FIELD_INT, NN_USE_LAYER, LAYER(length), 1, NN_MAX_STEPS, false, NULL},
	{"steps", NN_FIELD_INT, NN_USE_LAYER, LAYER(steps), 0, NN_MAX_STEPS, false, NULL},
	{"heads", NN_FIELD_INT, NN_USE_LAYER, LAYER(heads), 1, 64, false, NULL},
	{"season", NN_FIELD_INT, NN_USE_LAYER, LAYER(season), 0, NN_MAX_STEPS, false, NULL},
	{"filters", NN_FIELD_INT, NN_USE_LAYER, LAYER(units), 1, NN_MAX_UNITS, false, NULL},	/* Keras */
	{"kernel_size", NN_FIELD_INT, NN_USE_LAYER, LAYER(kernel_size), 1, NN_MAX_KERNEL, false,
	NULL},
	{"strides", NN_FIELD_INT, NN_USE_LAYER, LAYER(strides), 1, 1024, false, NULL},
	{"padding", NN_FIELD_WORD, NN_USE_LAYER, LAYER(padding), 0, 0, false, padding_words},
	{"pool_size", NN_FIELD_INT, NN_USE_LAYER, LAYER(pool_size), 1, 1024, false, NULL},
	{"pool", NN_FIELD_WORD, NN_USE_LAYER, LAYER(pool), 0, 0, false, pool_words},
	{"hops", NN_FIELD_INT, NN_USE_LAYER, LAYER(hops), 1, 8, false, NULL},
	{"fusion", NN_FIELD_WORD, NN_USE_LAYER, LAYER(fusion), 0, 0, false, fusion_words},
	{"lags", NN_FIELD_LAGS, NN_USE_LAYER, LAYER(nlags), 1, NN_MAX_STEPS, false, NULL},
	{"support", NN_FIELD_WORD, NN_USE_LAYER, LAYER(support), 0, 0, false, support_words}
};

#define NFIELDS (sizeof(layer_fields) / sizeof(layer_fields[0]))

bool
nn_layer_attribute(const char *key)
{
	return nn_field_find(layer_fields, NFIELDS, key) != NULL;
}

void
nn_layer_spec_default(NnLayerSpec *layer, const char *type)
{
	memset(layer, 0, sizeof(*layer));
	snprintf(layer->type, sizeof(layer->type), "%s", type);
	layer->return_sequences = -1;
	layer->recurrent_activation = NN_SIGMOID;
	layer->heads = layer->length = 1;
	layer->kernel_size = 3;
	layer->strides = 1;
	layer->pool_size = 2;
	layer->hops = 2;
	layer->center = NN_CENTER_LAST;
	if (nn_op_takes(&nn_ops[nn_op_find(type)], "return_sequences"))
		layer->activation = NN_TANH;
	if (strcmp(type, "max_pool") == 0 || strcmp(type, "mean_pool") == 0)
		layer->strides = 0;
	if (strcmp(type, "dropout") == 0)
		layer->rate = 0.5;
}

static const char *
ops_join(const NnEnv *env)
{
	NnText		text;

	nn_text_init(&text, env);
	for (uint32_t i = 0; i < nn_nops; i++)
		if (strcmp(nn_ops[i].name, "input") != 0)
			nn_text_print(&text, "%s%s", text.length ? ", " : "", nn_ops[i].name);
	return text.data;
}

static void
layer_inputs_read(const NnReader *reader, const NnJson *value, NnLayerSpec *layer)
{
	nn_expect_type(reader, "inputs", value, NN_JSON_ARRAY, "an array of layer names");
	if (value->count < 1 || value->count > NN_MAX_INPUTS)
		nn_reader_fail(reader, NN_BAD_VALUE,
					nn_format(reader->env, "%s \"inputs\" has %u elements", reader->where,
							  value->count),
					nn_format(reader->env, "Name 1 to %d layers.", NN_MAX_INPUTS));
	for (const NnJson *e = value->child; e; e = e->next)
	{
		nn_expect_type(reader, "inputs", e, NN_JSON_STRING, "an array of layer names");
		snprintf(layer->input[layer->ninputs++], NN_MAX_NAME, "%s", e->string);
	}
}

/* Does an earlier layer have the name of the one at position? */
static bool
name_is_taken(const NnSpec *spec, uint32_t position)
{
	for (uint32_t i = 0; i < position; i++)
		if (strcmp(spec->layer[i].name, spec->layer[position].name) == 0)
			return true;
	return false;
}

static void
layer_name_check(const NnReader *reader, const NnSpec *spec, uint32_t position)
{
	const NnLayerSpec *layer = &spec->layer[position];

	if (name_is_taken(spec, position))
		nn_reader_fail(reader, NN_BAD_VALUE,
					nn_format(reader->env, "two layers are named \"%s\"", layer->name),
					"Give each layer a name of its own.");
	if (strcmp(layer->name, "past") == 0 || strcmp(layer->name, "future") == 0 ||
		strcmp(layer->name, "static") == 0 || strcmp(layer->name, "prep") == 0 ||
		strcmp(layer->name, "log") == 0 || strcmp(layer->name, "edges") == 0)
		nn_reader_fail(reader, NN_BAD_VALUE,
					nn_format(reader->env, "a layer cannot be named \"%s\"", layer->name),
					"The names past, future, static, prep, log and edges are taken.");
	for (const char *c = layer->name; *c; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
			  *c == '_' || *c == '-'))
			nn_reader_fail(reader, NN_BAD_VALUE,
						nn_format(reader->env, "layer name \"%s\" has a character that is not allowed",
								  layer->name),
						"Use letters, digits, underscores and hyphens.");
}

/* A name nobody gave: the type, with a number from the second of the type on. */
void
nn_layer_spec_name(NnSpec *spec, uint32_t position)
{
	NnLayerSpec *layer = &spec->layer[position];
	size_t		length = strlen(layer->type);
	uint32_t	number = 1;

	for (uint32_t i = 0; i < position; i++)
		number += strcmp(spec->layer[i].type, layer->type) == 0;
	/* An earlier layer may have been given the very name. */
	for (bool free = false; !free; number++)
	{
		memcpy(layer->name, layer->type, sizeof(layer->name));
		if (number > 1)
			snprintf(layer->name + length, sizeof(layer->name) - length, "_%u", number);
		free = !name_is_taken(spec, position);
	}
}

bool
nn_spec_has(const NnSpec *spec, const char *type)
{
	for (uint32_t i = 0; i < spec->nlayers; i++)
		if (strcmp(spec->layer[i].type, type) == 0)
			return true;
	return false;
}

/* "units activation" as "units, activation". */
static const char *
attributes_join(const NnEnv *env, const NnOp *op)
{
	NnText		text;

	nn_text_init(&text, env);
	for (const char *c = op->attributes; *c; c++)
		nn_text_append(&text, *c == ' ' ? ", " : c, *c == ' ' ? 2 : 1);
	return text.data;
}

static void
layer_attribute_read(const NnReader *outer, const NnOp *op, const NnJson *value, NnLayerSpec *layer)
{
	const NnEnv *env = outer->env;
	NnReader		reader = *outer;
	const NnField *field = nn_field_find(layer_fields, NFIELDS, value->key);

	reader.where = nn_format(env, "layer \"%s\": attribute", layer->name);
	if (strcmp(value->key, "type") == 0 || strcmp(value->key, "name") == 0)
		return;
	if (strcmp(value->key, "inputs") == 0)
	{
		layer_inputs_read(&reader, value, layer);
		return;
	}
	if (field == NULL || !nn_op_takes(op, value->key))
		nn_reader_fail(&reader, NN_BAD_KEY,
					nn_format(env, "layer \"%s\" of type \"%s\" has no attribute \"%.64s\"",
							  layer->name, op->name, value->key),
					op->attributes[0] == '\0' ?
					"Its attributes are: type, name, inputs." :
					nn_format(env, "Its attributes are: type, name, inputs, %s.",
							  attributes_join(env, op)));
	nn_field_read(&reader, field, value, layer);
}

static void
layer_read(const NnReader *reader, const NnJson *value, NnSpec *spec)
{
	const NnEnv *env = reader->env;
	NnLayerSpec *layer = &spec->layer[spec->nlayers];
	const NnJson *type,
			   *name;
	int			op;

	nn_expect_type(reader, "layers", value, NN_JSON_OBJECT, "an array of objects");
	type = nn_json_member(value, "type");
	name = nn_json_member(value, "name");
	if (type == NULL || type->type != NN_JSON_STRING)
		nn_reader_fail(reader, NN_BAD_VALUE,
					nn_format(env, "layer %u has no \"type\"", spec->nlayers + 1),
					nn_format(env, "Types are: %s.", ops_join(env)));
	op = nn_op_find(type->string);
	if (op < 0 || strcmp(type->string, "input") == 0)
		nn_reader_fail(reader, NN_BAD_VALUE,
					nn_format(env, "unknown layer type \"%.64s\"", type->string),
					nn_format(env, "Types are: %s.", ops_join(env)));
	nn_layer_spec_default(layer, type->string);
	nn_layer_spec_name(spec, spec->nlayers);
	if (name != NULL)
	{
		nn_expect_type(reader, "name", name, NN_JSON_STRING, "a string");
		if (name->string[0] == '\0' || strlen(name->string) > NN_MAX_NAME / 2)
			nn_reader_fail(reader, NN_BAD_VALUE,
						nn_format(env, "layer name \"%.80s\" is empty or longer than %d bytes",
								  name->string, NN_MAX_NAME / 2), NULL);
		strcpy(layer->name, name->string);
	}
	layer_name_check(reader, spec, spec->nlayers);
	for (const NnJson *e = value->child; e; e = e->next)
		layer_attribute_read(reader, &nn_ops[op], e, layer);
	spec->nlayers++;
}

void
nn_layers_read(const NnReader *reader, const NnJson *value, NnSpec *spec)
{
	uint32_t	most = NN_MAX_LAYERS / 2;

	nn_expect_type(reader, "layers", value, NN_JSON_ARRAY, "an array of objects");
	if (value->count < 1 || value->count > most)
		nn_reader_fail(reader, NN_BAD_VALUE,
					nn_format(reader->env, "option \"layers\" has %u layers", value->count),
					nn_format(reader->env, "Give 1 to %u layers.", most));
	for (const NnJson *e = value->child; e; e = e->next)
		layer_read(reader, e, spec);
}

static void
layer_write(NnText *text, const NnLayerSpec *layer)
{
	const NnOp *op = &nn_ops[nn_op_find(layer->type)];

	nn_json_begin(text, '{');
	nn_json_key(text, "type");
	nn_json_string(text, layer->type);
	nn_json_key(text, "name");
	nn_json_string(text, layer->name);
	if (layer->ninputs > 0)
	{
		nn_json_key(text, "inputs");
		nn_json_begin(text, '[');
		for (uint32_t i = 0; i < layer->ninputs; i++)
			nn_json_string(text, layer->input[i]);
		nn_json_end(text, ']');
	}
	for (size_t i = 0; i < NFIELDS; i++)
	{
		const NnField *field = &layer_fields[i];

		if (!nn_op_takes(op, field->key) ||
			(field->offset == LAYER(units) && layer->units == 0) ||
			strcmp(field->key, "filters") == 0 ||	/* it is units */
			(field->offset == LAYER(strides) && layer->strides == 0) ||
			(field->offset == LAYER(return_sequences) && layer->return_sequences < 0))
			continue;
		nn_field_write(text, field, layer);
	}
	nn_json_end(text, '}');
}

void
nn_layers_write(NnText *text, const NnSpec *spec)
{
	nn_json_begin(text, '[');
	for (uint32_t i = 0; i < spec->nlayers; i++)
		layer_write(text, &spec->layer[i]);
	nn_json_end(text, ']');
}
