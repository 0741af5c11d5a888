/*
 * nn_spec.c
 *		Settings from JSON and back, by one table.
 *
 * The table below is the only place that knows a setting's key, type, limits
 * and where it is stored.  Layers have a table of attributes of the same form;
 * which attributes a type takes is said by its row in nn_ops.c.
 */
#include <math.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "core/nn_op.h"
#include "core/nn_spec.h"

typedef enum FieldKind
{
	FIELD_INT, FIELD_SEED, FIELD_REAL, FIELD_BOOL, FIELD_WORD, FIELD_TEXT, FIELD_BOUNDS,
	FIELD_QUANTILES, FIELD_LAYERS
} FieldKind;

/* Where a field lives and when it is written. */
typedef enum FieldUse
{
	USE_SPEC,					/* in NnSpec, written to the model */
	USE_SHAPE,					/* in NnSpec, set by the caller, written to the model */
	USE_HOST,					/* in NnSpec, never written */
	USE_SHORT,					/* in the short form of the network, expanded into layers */
	USE_LAYER					/* in NnLayerSpec */
} FieldUse;

typedef struct Field
{
	const char *key;
	FieldKind	kind;
	FieldUse	use;
	size_t		offset;
	double		min, max;		/* inclusive; FIELD_REAL: min may be excluded, see open */
	bool		open;			/* min and max themselves are not allowed */
	const char *const *words;	/* FIELD_WORD: NULL-terminated */
} Field;

/* The network in its short form. */
typedef struct ShortForm
{
	uint32_t	architecture;	/* number in recurrent_words */
	uint32_t	units, num_layers;
	NnActivation activation, recurrent_activation;
	bool		peephole, bidirectional, residual;
	double		dropout, recurrent_dropout;
} ShortForm;

static const char *const loss_words[] = {
	"mse", "mae", "huber", "quantile", "gaussian", "student_t", NULL
};
static const char *const optimizer_words[] = {"sgd", "rmsprop", "adagrad", "adam", "adamw", NULL};
static const char *const schedule_words[] = {"constant", "step", "cosine", "plateau", NULL};
static const char *const scaling_words[] = {"standard", "minmax", "robust", "log1p", "none", NULL};
static const char *const missing_words[] = {
	"linear", "previous", "mean", "seasonal", "mask", "error", NULL
};
static const char *const outlier_words[] = {"none", "iqr", "zscore", "winsorise", NULL};
static const char *const activation_words[] = {
	"linear", "tanh", "sigmoid", "relu", "softplus", "gelu", NULL
};
static const char *const recurrent_words[] = {"lstm", "gru", "rnn", NULL};

#define SPEC(member) offsetof(NnSpec, member)
#define SHORT(member) offsetof(ShortForm, member)
#define LAYER(member) offsetof(NnLayerSpec, member)
#define BIG 1e300

static const Field spec_fields[] = {
	{"context", FIELD_INT, USE_SHAPE, SPEC(context), 1, NN_MAX_STEPS, false, NULL},
	{"horizon", FIELD_INT, USE_SHAPE, SPEC(horizon), 1, NN_MAX_STEPS, false, NULL},
	{"targets", FIELD_INT, USE_SHAPE, SPEC(ntargets), 1, NN_MAX_COLUMNS, false, NULL},
	{"past_covariates", FIELD_INT, USE_SHAPE, SPEC(npast), 0, NN_MAX_COLUMNS, false, NULL},
	{"future_covariates", FIELD_INT, USE_SHAPE, SPEC(nfuture), 0, NN_MAX_COLUMNS, false, NULL},
	{"static_covariates", FIELD_INT, USE_SHAPE, SPEC(nstatic), 0, NN_MAX_COLUMNS, false, NULL},
	{"layers", FIELD_LAYERS, USE_SPEC, 0, 0, 0, false, NULL},
	{"loss", FIELD_WORD, USE_SPEC, SPEC(loss), 0, 0, false, loss_words},
	{"huber_delta", FIELD_REAL, USE_SPEC, SPEC(huber_delta), 0, BIG, true, NULL},
	{"quantiles", FIELD_QUANTILES, USE_SPEC, 0, 0, 0, false, NULL},
	{"optimizer", FIELD_WORD, USE_SPEC, SPEC(optimizer), 0, 0, false, optimizer_words},
	{"learning_rate", FIELD_REAL, USE_SPEC, SPEC(learning_rate), 0, 1000, true, NULL},
	{"momentum", FIELD_REAL, USE_SPEC, SPEC(momentum), 0, 1, false, NULL},
	{"nesterov", FIELD_BOOL, USE_SPEC, SPEC(nesterov), 0, 0, false, NULL},
	{"rho", FIELD_REAL, USE_SPEC, SPEC(rho), 0, 1, false, NULL},
	{"beta_1", FIELD_REAL, USE_SPEC, SPEC(beta_1), 0, 0.999999, false, NULL},
	{"beta_2", FIELD_REAL, USE_SPEC, SPEC(beta_2), 0, 0.9999999, false, NULL},
	{"epsilon", FIELD_REAL, USE_SPEC, SPEC(epsilon), 0, 1, true, NULL},
	{"weight_decay", FIELD_REAL, USE_SPEC, SPEC(weight_decay), 0, 1000, false, NULL},
	{"schedule", FIELD_WORD, USE_SPEC, SPEC(schedule), 0, 0, false, schedule_words},
	{"schedule_factor", FIELD_REAL, USE_SPEC, SPEC(schedule_factor), 0, 1, true, NULL},
	{"schedule_patience", FIELD_INT, USE_SPEC, SPEC(schedule_patience), 1, 1000000, false, NULL},
	{"minimum_learning_rate", FIELD_REAL, USE_SPEC, SPEC(minimum_learning_rate), 0, 1000, false,
	NULL},
	{"epochs", FIELD_INT, USE_SPEC, SPEC(epochs), 1, 1000000, false, NULL},
	{"batch_size", FIELD_INT, USE_SPEC, SPEC(batch_size), 1, 65536, false, NULL},
	{"shuffle", FIELD_BOOL, USE_SPEC, SPEC(shuffle), 0, 0, false, NULL},
	{"validation_split", FIELD_REAL, USE_SPEC, SPEC(validation_split), 0, 0.9, false, NULL},
	{"patience", FIELD_INT, USE_SPEC, SPEC(patience), 0, 1000000, false, NULL},
	{"min_delta", FIELD_REAL, USE_SPEC, SPEC(min_delta), 0, BIG, false, NULL},
	{"clip_norm", FIELD_REAL, USE_SPEC, SPEC(clip_norm), 0, BIG, false, NULL},
	{"clip_value", FIELD_REAL, USE_SPEC, SPEC(clip_value), 0, BIG, false, NULL},
	{"l1", FIELD_REAL, USE_SPEC, SPEC(l1), 0, 1000, false, NULL},
	{"l2", FIELD_REAL, USE_SPEC, SPEC(l2), 0, 1000, false, NULL},
	{"seed", FIELD_SEED, USE_SPEC, SPEC(seed), 0, 9007199254740991.0, false, NULL},
	{"scaling", FIELD_WORD, USE_SPEC, SPEC(scaling), 0, 0, false, scaling_words},
	{"scale_by_series", FIELD_BOOL, USE_SPEC, SPEC(scale_by_series), 0, 0, false, NULL},
	{"missing", FIELD_WORD, USE_SPEC, SPEC(missing), 0, 0, false, missing_words},
	{"outliers", FIELD_WORD, USE_SPEC, SPEC(outliers), 0, 0, false, outlier_words},
	{"outlier_threshold", FIELD_REAL, USE_SPEC, SPEC(outlier_threshold), 0, 1000, false, NULL},
	{"difference", FIELD_INT, USE_SPEC, SPEC(difference), 0, NN_MAX_STEPS, false, NULL},
	{"season", FIELD_INT, USE_SPEC, SPEC(season), 0, NN_MAX_STEPS, false, NULL},
	{"bounds", FIELD_BOUNDS, USE_SPEC, 0, 0, 0, false, NULL},
	{"stateful", FIELD_BOOL, USE_SPEC, SPEC(stateful), 0, 0, false, NULL},
	{"frequency", FIELD_TEXT, USE_SPEC, SPEC(frequency), 0, 0, false, NULL},
	{"deploy", FIELD_BOOL, USE_HOST, SPEC(deploy), 0, 0, false, NULL},
	{"progress", FIELD_INT, USE_HOST, SPEC(progress), 0, 1000000, false, NULL},
	{"architecture", FIELD_WORD, USE_SHORT, SHORT(architecture), 0, 0, false, recurrent_words},
	{"units", FIELD_INT, USE_SHORT, SHORT(units), 1, NN_MAX_UNITS, false, NULL},
	{"num_layers", FIELD_INT, USE_SHORT, SHORT(num_layers), 1, 8, false, NULL},
	{"activation", FIELD_WORD, USE_SHORT, SHORT(activation), 0, 0, false, activation_words},
	{"recurrent_activation", FIELD_WORD, USE_SHORT, SHORT(recurrent_activation), 0, 0, false,
	activation_words},
	{"peephole", FIELD_BOOL, USE_SHORT, SHORT(peephole), 0, 0, false, NULL},
	{"bidirectional", FIELD_BOOL, USE_SHORT, SHORT(bidirectional), 0, 0, false, NULL},
	{"residual", FIELD_BOOL, USE_SHORT, SHORT(residual), 0, 0, false, NULL},
	{"dropout", FIELD_REAL, USE_SHORT, SHORT(dropout), 0, 0.95, false, NULL},
	{"recurrent_dropout", FIELD_REAL, USE_SHORT, SHORT(recurrent_dropout), 0, 0.95, false, NULL}
};

static const Field layer_fields[] = {
	{"units", FIELD_INT, USE_LAYER, LAYER(units), 1, NN_MAX_UNITS, false, NULL},
	{"activation", FIELD_WORD, USE_LAYER, LAYER(activation), 0, 0, false, activation_words},
	{"recurrent_activation", FIELD_WORD, USE_LAYER, LAYER(recurrent_activation), 0, 0, false,
	activation_words},
	{"peephole", FIELD_BOOL, USE_LAYER, LAYER(peephole), 0, 0, false, NULL},
	{"bidirectional", FIELD_BOOL, USE_LAYER, LAYER(bidirectional), 0, 0, false, NULL},
	{"return_sequences", FIELD_BOOL, USE_LAYER, LAYER(return_sequences), 0, 0, false, NULL},
	{"dropout", FIELD_REAL, USE_LAYER, LAYER(dropout), 0, 0.95, false, NULL},
	{"recurrent_dropout", FIELD_REAL, USE_LAYER, LAYER(recurrent_dropout), 0, 0.95, false, NULL},
	{"rate", FIELD_REAL, USE_LAYER, LAYER(rate), 0, 0.95, false, NULL}
};

#define NFIELDS(table) (sizeof(table) / sizeof((table)[0]))

/* What a parse knows beside the field: whom to blame, and with which code. */
typedef struct Reader
{
	const NnEnv *env;
	bool		model;			/* reading a model file: every failure is NN_BAD_MODEL */
	const char *where;			/* "option" or "layer \"x\": attribute" */
} Reader;

static void __attribute__((noreturn))
reader_fail(const Reader *reader, NnCode code, const char *message, const char *hint)
{
	nn_fail(reader->env, reader->model ? NN_BAD_MODEL : code, message, hint);
}

const char *
nn_loss_name(NnLossKind kind)
{
	return loss_words[kind];
}

const char *
nn_activation_name(NnActivation kind)
{
	return activation_words[kind];
}

uint32_t
nn_spec_outputs(const NnSpec *spec)
{
	switch (spec->loss)
	{
		case NN_LOSS_QUANTILE:
			return spec->nquantiles;
		case NN_LOSS_GAUSSIAN:
			return 2;
		case NN_LOSS_STUDENT_T:
			return 3;
		default:
			return 1;
	}
}

uint32_t
nn_spec_channels(const NnSpec *spec)
{
	uint32_t	columns = spec->ntargets + spec->npast + spec->nfuture;

	return spec->missing == NN_MISSING_MASK ? 2 * columns : columns;
}

void
nn_spec_default(NnSpec *spec)
{
	memset(spec, 0, sizeof(*spec));
	spec->context = spec->horizon = spec->ntargets = 1;
	spec->loss = NN_LOSS_MSE;
	spec->huber_delta = 1.0;
	spec->nquantiles = 3;
	spec->quantile[0] = 0.1;
	spec->quantile[1] = 0.5;
	spec->quantile[2] = 0.9;
	spec->optimizer = NN_ADAM;
	spec->learning_rate = 0.001;
	spec->rho = 0.9;
	spec->beta_1 = 0.9;
	spec->beta_2 = 0.999;
	spec->epsilon = 1e-7;
	spec->schedule = NN_SCHEDULE_CONSTANT;
	spec->schedule_factor = 0.5;
	spec->schedule_patience = 5;
	spec->epochs = 50;
	spec->batch_size = 32;
	spec->patience = 10;
	spec->validation_split = 0.2;
	spec->shuffle = true;
	spec->scaling = NN_SCALING_STANDARD;
	spec->missing = NN_MISSING_LINEAR;
	spec->outliers = NN_OUTLIERS_NONE;
	spec->lower_bound = spec->upper_bound = NAN;
	strcpy(spec->frequency, "auto");
	spec->deploy = true;
}

static void
layer_default(NnLayerSpec *layer, const char *type)
{
	memset(layer, 0, sizeof(*layer));
	snprintf(layer->type, sizeof(layer->type), "%s", type);
	layer->return_sequences = -1;
	layer->recurrent_activation = NN_SIGMOID;
	for (int i = 0; recurrent_words[i]; i++)
		if (strcmp(type, recurrent_words[i]) == 0)
			layer->activation = NN_TANH;
	if (strcmp(type, "dropout") == 0)
		layer->rate = 0.5;
}

/* ------------------------------------------------------------------------
 * Reading one value
 */

static const char *
type_name(NnJsonType type)
{
	static const char *const names[] = {
		"null", "a boolean", "a boolean", "a number", "a string", "an array", "an object"
	};

	return names[type];
}

static void
expect_type(const Reader *reader, const char *key, const NnJson *value, NnJsonType type,
			const char *wanted)
{
	bool		fits = value->type == type;

	if (type == NN_JSON_TRUE)
		fits = fits || value->type == NN_JSON_FALSE;
	if (!fits)
		reader_fail(reader, NN_BAD_TYPE,
					nn_format(reader->env, "%s \"%s\" must be %s, not %s", reader->where, key,
							  wanted, type_name(value->type)), NULL);
}

static void
number_read(const Reader *reader, const Field *field, const NnJson *value, void *base)
{
	double		x = value->number;
	bool		whole = field->kind != FIELD_REAL;
	void	   *place = (char *) base + field->offset;

	expect_type(reader, field->key, value, NN_JSON_NUMBER, whole ? "an integer" : "a number");
	if (whole && x != floor(x))
		reader_fail(reader, NN_BAD_TYPE,
					nn_format(reader->env, "%s \"%s\" must be an integer, not %g", reader->where,
							  field->key, x), NULL);
	if (!(x >= field->min && x <= field->max) ||
		(field->open && (x == field->min || x == field->max)))
		reader_fail(reader, NN_BAD_VALUE,
					nn_format(reader->env, "%s \"%s\" is %.15g, outside of its range",
							  reader->where, field->key, x),
					field->max >= BIG ?
					nn_format(reader->env, "Give a number %s %g.",
							  field->open ? "greater than" : "of at least", field->min) :
					nn_format(reader->env, "Give a number between %.16g and %.16g%s.",
							  field->min, field->max, field->open ? ", both excluded" : ""));
	if (field->kind == FIELD_INT)
		*(uint32_t *) place = (uint32_t) x;
	else if (field->kind == FIELD_SEED)
		*(uint64_t *) place = (uint64_t) x;
	else
		*(double *) place = x;
}

static const char *
words_join(const NnEnv *env, const char *const *words)
{
	NnText		text;

	nn_text_init(&text, env);
	for (int i = 0; words[i]; i++)
		nn_text_print(&text, "%s\"%s\"", i == 0 ? "" : words[i + 1] ? ", " : " or ", words[i]);
	return text.data;
}

static void
word_read(const Reader *reader, const Field *field, const NnJson *value, void *base)
{
	expect_type(reader, field->key, value, NN_JSON_STRING, "a string");
	for (uint32_t i = 0; field->words[i]; i++)
		if (strcmp(field->words[i], value->string) == 0)
		{
			memcpy((char *) base + field->offset, &i, sizeof(i));
			return;
		}
	reader_fail(reader, NN_BAD_VALUE,
				nn_format(reader->env, "%s \"%s\" cannot be \"%.64s\"", reader->where, field->key,
						  value->string),
				nn_format(reader->env, "Give %s.", words_join(reader->env, field->words)));
}

static void
text_read(const Reader *reader, const Field *field, const NnJson *value, void *base)
{
	expect_type(reader, field->key, value, NN_JSON_STRING, "a string");
	if (strlen(value->string) >= NN_MAX_NAME)
		reader_fail(reader, NN_BAD_VALUE,
					nn_format(reader->env, "%s \"%s\" is longer than %d bytes", reader->where,
							  field->key, NN_MAX_NAME - 1), NULL);
	strcpy((char *) base + field->offset, value->string);
}

static void
bounds_read(const Reader *reader, const NnJson *value, NnSpec *spec)
{
	double		bound[2] = {NAN, NAN};
	int			i = 0;

	expect_type(reader, "bounds", value, NN_JSON_ARRAY, "an array of two numbers or nulls");
	if (value->count != 2)
		reader_fail(reader, NN_BAD_VALUE,
					nn_format(reader->env, "%s \"bounds\" has %u elements instead of 2",
							  reader->where, value->count),
					"Write [lower, upper]; null means unbounded, as in [0, null].");
	for (const NnJson *e = value->child; e; e = e->next, i++)
	{
		if (e->type == NN_JSON_NULL)
			continue;
		expect_type(reader, "bounds", e, NN_JSON_NUMBER, "an array of two numbers or nulls");
		bound[i] = e->number;
	}
	if (bound[0] >= bound[1])
		reader_fail(reader, NN_BAD_VALUE,
					nn_format(reader->env, "%s \"bounds\": lower bound %g is not below upper bound %g",
							  reader->where, bound[0], bound[1]), NULL);
	spec->lower_bound = bound[0];
	spec->upper_bound = bound[1];
}

static void
quantiles_read(const Reader *reader, const NnJson *value, NnSpec *spec)
{
	bool		median = false;
	uint32_t	n = 0;

	expect_type(reader, "quantiles", value, NN_JSON_ARRAY, "an array of numbers");
	if (value->count < 1 || value->count > NN_MAX_QUANTILES)
		reader_fail(reader, NN_BAD_VALUE,
					nn_format(reader->env, "%s \"quantiles\" has %u elements", reader->where,
							  value->count),
					nn_format(reader->env, "Give 1 to %d numbers.", NN_MAX_QUANTILES));
	for (const NnJson *e = value->child; e; e = e->next)
	{
		expect_type(reader, "quantiles", e, NN_JSON_NUMBER, "an array of numbers");
		if (!(e->number > 0 && e->number < 1) || (n > 0 && e->number <= spec->quantile[n - 1]))
			reader_fail(reader, NN_BAD_VALUE,
						nn_format(reader->env, "%s \"quantiles\": %g is out of order or not between 0 and 1",
								  reader->where, e->number),
						"Give ascending numbers above 0 and below 1, as in [0.1, 0.5, 0.9].");
		median = median || e->number == 0.5;
		spec->quantile[n++] = e->number;
	}
	if (!median)
		reader_fail(reader, NN_BAD_VALUE,
					nn_format(reader->env, "%s \"quantiles\" lacks 0.5", reader->where),
					"The median is the forecast itself: put 0.5 among the quantiles.");
	spec->nquantiles = n;
}

static void layers_read(const Reader *reader, const NnJson *value, NnSpec *spec);

static void
field_read(const Reader *reader, const Field *field, const NnJson *value, void *base)
{
	switch (field->kind)
	{
		case FIELD_INT:
		case FIELD_SEED:
		case FIELD_REAL:
			number_read(reader, field, value, base);
			break;
		case FIELD_BOOL:
			expect_type(reader, field->key, value, NN_JSON_TRUE, "true or false");
			if (field->use == USE_LAYER && field->offset == LAYER(return_sequences))
				*(int *) ((char *) base + field->offset) = value->type == NN_JSON_TRUE;
			else
				*(bool *) ((char *) base + field->offset) = value->type == NN_JSON_TRUE;
			break;
		case FIELD_WORD:
			word_read(reader, field, value, base);
			break;
		case FIELD_TEXT:
			text_read(reader, field, value, base);
			break;
		case FIELD_BOUNDS:
			bounds_read(reader, value, base);
			break;
		case FIELD_QUANTILES:
			quantiles_read(reader, value, base);
			break;
		case FIELD_LAYERS:
			layers_read(reader, value, base);
			break;
	}
}

static const Field *
field_find(const Field *fields, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(fields[i].key, key) == 0)
			return &fields[i];
	return NULL;
}

/* ------------------------------------------------------------------------
 * Layers
 */

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
layer_inputs_read(const Reader *reader, const NnJson *value, NnLayerSpec *layer)
{
	expect_type(reader, "inputs", value, NN_JSON_ARRAY, "an array of layer names");
	if (value->count < 1 || value->count > NN_MAX_INPUTS)
		reader_fail(reader, NN_BAD_VALUE,
					nn_format(reader->env, "%s \"inputs\" has %u elements", reader->where,
							  value->count),
					nn_format(reader->env, "Name 1 to %d layers.", NN_MAX_INPUTS));
	for (const NnJson *e = value->child; e; e = e->next)
	{
		expect_type(reader, "inputs", e, NN_JSON_STRING, "an array of layer names");
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
layer_name_check(const Reader *reader, const NnSpec *spec, uint32_t position)
{
	const NnLayerSpec *layer = &spec->layer[position];

	if (name_is_taken(spec, position))
		reader_fail(reader, NN_BAD_VALUE,
					nn_format(reader->env, "two layers are named \"%s\"", layer->name),
					"Give each layer a name of its own.");
	if (strcmp(layer->name, "past") == 0 || strcmp(layer->name, "future") == 0 ||
		strcmp(layer->name, "static") == 0 || strcmp(layer->name, "prep") == 0 ||
		strcmp(layer->name, "log") == 0)
		reader_fail(reader, NN_BAD_VALUE,
					nn_format(reader->env, "a layer cannot be named \"%s\"", layer->name),
					"The names past, future, static, prep and log are taken.");
	for (const char *c = layer->name; *c; c++)
		if (!((*c >= 'a' && *c <= 'z') || (*c >= 'A' && *c <= 'Z') || (*c >= '0' && *c <= '9') ||
			  *c == '_' || *c == '-'))
			reader_fail(reader, NN_BAD_VALUE,
						nn_format(reader->env, "layer name \"%s\" has a character that is not allowed",
								  layer->name),
						"Use letters, digits, underscores and hyphens.");
}

/* A name nobody gave: the type, with a number from the second of the type on. */
static void
layer_name_make(NnSpec *spec, uint32_t position)
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
layer_attribute_read(const Reader *outer, const NnOp *op, const NnJson *value, NnLayerSpec *layer)
{
	const NnEnv *env = outer->env;
	Reader		reader = *outer;
	const Field *field = field_find(layer_fields, NFIELDS(layer_fields), value->key);

	reader.where = nn_format(env, "layer \"%s\": attribute", layer->name);
	if (strcmp(value->key, "type") == 0 || strcmp(value->key, "name") == 0)
		return;
	if (strcmp(value->key, "inputs") == 0)
	{
		layer_inputs_read(&reader, value, layer);
		return;
	}
	if (field == NULL || !nn_op_takes(op, value->key))
		reader_fail(&reader, NN_BAD_KEY,
					nn_format(env, "layer \"%s\" of type \"%s\" has no attribute \"%.64s\"",
							  layer->name, op->name, value->key),
					op->attributes[0] == '\0' ?
					"Its attributes are: type, name, inputs." :
					nn_format(env, "Its attributes are: type, name, inputs, %s.",
							  attributes_join(env, op)));
	field_read(&reader, field, value, layer);
}

static void
layer_read(const Reader *reader, const NnJson *value, NnSpec *spec)
{
	const NnEnv *env = reader->env;
	NnLayerSpec *layer = &spec->layer[spec->nlayers];
	const NnJson *type,
			   *name;
	int			op;

	expect_type(reader, "layers", value, NN_JSON_OBJECT, "an array of objects");
	type = nn_json_member(value, "type");
	name = nn_json_member(value, "name");
	if (type == NULL || type->type != NN_JSON_STRING)
		reader_fail(reader, NN_BAD_VALUE,
					nn_format(env, "layer %u has no \"type\"", spec->nlayers + 1),
					nn_format(env, "Types are: %s.", ops_join(env)));
	op = nn_op_find(type->string);
	if (op < 0 || strcmp(type->string, "input") == 0)
		reader_fail(reader, NN_BAD_VALUE,
					nn_format(env, "unknown layer type \"%.64s\"", type->string),
					nn_format(env, "Types are: %s.", ops_join(env)));
	layer_default(layer, type->string);
	layer_name_make(spec, spec->nlayers);
	if (name != NULL)
	{
		expect_type(reader, "name", name, NN_JSON_STRING, "a string");
		if (name->string[0] == '\0' || strlen(name->string) > NN_MAX_NAME / 2)
			reader_fail(reader, NN_BAD_VALUE,
						nn_format(env, "layer name \"%.80s\" is empty or longer than %d bytes",
								  name->string, NN_MAX_NAME / 2), NULL);
		strcpy(layer->name, name->string);
	}
	layer_name_check(reader, spec, spec->nlayers);
	for (const NnJson *e = value->child; e; e = e->next)
		layer_attribute_read(reader, &nn_ops[op], e, layer);
	spec->nlayers++;
}

static void
layers_read(const Reader *reader, const NnJson *value, NnSpec *spec)
{
	uint32_t	most = NN_MAX_LAYERS / 2;

	expect_type(reader, "layers", value, NN_JSON_ARRAY, "an array of objects");
	if (value->count < 1 || value->count > most)
		reader_fail(reader, NN_BAD_VALUE,
					nn_format(reader->env, "option \"layers\" has %u layers", value->count),
					nn_format(reader->env, "Give 1 to %u layers.", most));
	for (const NnJson *e = value->child; e; e = e->next)
		layer_read(reader, e, spec);
}

/* LSTM (or GRU, RNN) layers, dropout, dense, and the residual connection. */
static void
short_form_expand(const NnEnv *env, const ShortForm *form, NnSpec *spec)
{
	const char *type = recurrent_words[form->architecture];
	NnLayerSpec *layer;

	if (form->peephole && strcmp(type, "lstm") != 0)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "option \"peephole\" has no meaning for architecture \"%s\"", type),
				"Peepholes belong to \"lstm\".");
	if (form->recurrent_activation != NN_SIGMOID && strcmp(type, "rnn") == 0)
		nn_fail(env, NN_BAD_VALUE,
				"option \"recurrent_activation\" has no meaning for architecture \"rnn\"",
				"A plain RNN has no gates; set \"activation\".");
	for (uint32_t i = 0; i < form->num_layers; i++)
	{
		layer = &spec->layer[spec->nlayers];
		layer_default(layer, type);
		layer->units = form->units;
		layer->activation = form->activation;
		layer->recurrent_activation = form->recurrent_activation;
		layer->peephole = form->peephole;
		layer->bidirectional = form->bidirectional;
		layer->recurrent_dropout = form->recurrent_dropout;
		layer_name_make(spec, spec->nlayers++);
		if (form->dropout > 0)
		{
			layer = &spec->layer[spec->nlayers];
			layer_default(layer, "dropout");
			layer->rate = form->dropout;
			layer_name_make(spec, spec->nlayers++);
		}
	}
	layer_default(&spec->layer[spec->nlayers], "dense");
	layer_name_make(spec, spec->nlayers++);
	if (form->residual)
	{
		layer_default(&spec->layer[spec->nlayers], "residual");
		layer_name_make(spec, spec->nlayers++);
	}
}

/* ------------------------------------------------------------------------
 * The whole
 */

static void __attribute__((noreturn))
unknown_key(const Reader *reader, const char *key)
{
	const char *names[NFIELDS(spec_fields)];
	const char *near;
	size_t		n = 0;

	for (size_t i = 0; i < NFIELDS(spec_fields); i++)
		if (spec_fields[i].use != USE_SHAPE)
			names[n++] = spec_fields[i].key;
	near = nn_nearest(key, names, n);
	reader_fail(reader, NN_BAD_KEY, nn_format(reader->env, "unknown option \"%.64s\"", key),
				near ? nn_format(reader->env, "Perhaps you meant \"%s\".", near) :
				"The options are listed in the documentation of training.");
}

/*
 * Settings given for a choice that was not made: nothing would read them.  (A
 * model holds them all.)
 */
static void
meaning_check(const Reader *reader, const NnJson *options, const NnSpec *spec)
{
	const NnEnv *env = reader->env;
	NnOptimizerKind optimizer = spec->optimizer;
	bool		adam = optimizer == NN_ADAM || optimizer == NN_ADAMW,
				cut = spec->schedule == NN_SCHEDULE_STEP || spec->schedule == NN_SCHEDULE_PLATEAU;
	const char *loss = loss_words[spec->loss],
			   *schedule = schedule_words[spec->schedule];
	const struct
	{
		const char *key;
		bool		is_read;
		const char *choice,
				   *chosen,
				   *hint;
	}			rules[] = {
		{"quantiles", spec->loss == NN_LOSS_QUANTILE, "loss", loss,
		"Set \"loss\" to \"quantile\"."},
		{"huber_delta", spec->loss == NN_LOSS_HUBER, "loss", loss,
		"Set \"loss\" to \"huber\"."},
		{"rho", optimizer == NN_RMSPROP, "optimizer", optimizer_words[optimizer],
		"It belongs to \"rmsprop\"."},
		{"beta_1", adam, "optimizer", optimizer_words[optimizer],
		"It belongs to \"adam\" and \"adamw\"."},
		{"beta_2", adam, "optimizer", optimizer_words[optimizer],
		"It belongs to \"adam\" and \"adamw\"."},
		{"epsilon", optimizer != NN_SGD, "optimizer", optimizer_words[optimizer],
		"Leave it out, or use another optimizer."},
		{"schedule_factor", cut, "schedule", schedule,
		"Set \"schedule\" to \"step\" or \"plateau\"."},
		{"schedule_patience", cut, "schedule", schedule,
		"Set \"schedule\" to \"step\" or \"plateau\"."},
		{"minimum_learning_rate", spec->schedule != NN_SCHEDULE_CONSTANT, "schedule", schedule,
		"Set \"schedule\" to \"step\", \"cosine\" or \"plateau\"."},
		{"outlier_threshold", spec->outliers != NN_OUTLIERS_NONE, "outliers", "none",
		"Set \"outliers\" to \"iqr\", \"zscore\" or \"winsorise\"."}
	};

	for (size_t i = 0; i < NFIELDS(rules); i++)
		if (!rules[i].is_read && nn_json_member(options, rules[i].key))
			reader_fail(reader, NN_BAD_VALUE,
						nn_format(env, "option \"%s\" has no meaning for %s \"%s\"", rules[i].key,
								  rules[i].choice, rules[i].chosen), rules[i].hint);
}

/* Settings that contradict each other. */
static void
spec_check(const Reader *reader, const NnSpec *spec)
{
	const NnEnv *env = reader->env;

	if (spec->nesterov && !(spec->momentum > 0 && spec->optimizer == NN_SGD))
		reader_fail(reader, NN_BAD_VALUE,
					"option \"nesterov\" needs optimizer \"sgd\" and a momentum above 0", NULL);
	if (spec->momentum > 0 && spec->optimizer != NN_SGD && spec->optimizer != NN_RMSPROP)
		reader_fail(reader, NN_BAD_VALUE,
					nn_format(env, "optimizer \"%s\" has no momentum",
							  optimizer_words[spec->optimizer]),
					"Leave \"momentum\" out, or use \"sgd\" or \"rmsprop\".");
	if (spec->weight_decay > 0 && spec->optimizer != NN_ADAMW)
		reader_fail(reader, NN_BAD_VALUE,
					nn_format(env, "optimizer \"%s\" has no weight decay",
							  optimizer_words[spec->optimizer]),
					"Use \"adamw\", or the penalty \"l2\".");
	if (spec->minimum_learning_rate > spec->learning_rate)
		reader_fail(reader, NN_BAD_VALUE,
					nn_format(env, "option \"minimum_learning_rate\" is %g, above the learning rate %g",
							  spec->minimum_learning_rate, spec->learning_rate), NULL);
	if (spec->outliers == NN_OUTLIERS_WINSORISE && spec->outlier_threshold >= 0.5)
		reader_fail(reader, NN_BAD_VALUE,
					nn_format(env, "option \"outlier_threshold\" is %g, but winsorise wants a share "
							  "below 0.5",
							  spec->outlier_threshold), NULL);
}

void
nn_spec_parse(const NnEnv *env, const NnJson *options, NnSpec *spec)
{
	Reader		reader = {env, false, "option"};
	ShortForm	form = {.units = 50, .num_layers = 1, .activation = NN_TANH,
	.recurrent_activation = NN_SIGMOID, .residual = true};
	const char *short_key = NULL;

	nn_spec_default(spec);
	if (options != NULL && options->type != NN_JSON_OBJECT)
		nn_fail(env, NN_BAD_TYPE, nn_format(env, "options must be a JSON object, not %s",
											type_name(options->type)),
				"Write options as in '{\"units\": 64, \"epochs\": 100}'.");
	for (const NnJson *e = options ? options->child : NULL; e; e = e->next)
	{
		const Field *field = field_find(spec_fields, NFIELDS(spec_fields), e->key);

		if (field == NULL || field->use == USE_SHAPE)
			unknown_key(&reader, e->key);
		if (field->use == USE_SHORT)
			short_key = field->key;
		field_read(&reader, field, e, field->use == USE_SHORT ? (void *) &form : spec);
	}
	if (spec->nlayers > 0 && short_key != NULL)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "option \"%s\" cannot be combined with \"layers\"", short_key),
				"Say it in the layer it is meant for, or leave \"layers\" out.");
	/* Differences need no last value added: that is what differencing does. */
	if (spec->difference > 0 && !(options && nn_json_member(options, "residual")))
		form.residual = false;
	/* Decoupled decay is what one takes adamw for; PyTorch's default. */
	if (spec->optimizer == NN_ADAMW && !(options && nn_json_member(options, "weight_decay")))
		spec->weight_decay = 0.01;
	if (spec->nlayers == 0)
		short_form_expand(env, &form, spec);
	spec_check(&reader, spec);
	if (options != NULL)
		meaning_check(&reader, options, spec);
}

void
nn_spec_read(const NnEnv *env, const NnJson *object, NnSpec *spec)
{
	Reader		reader = {env, true, "setting"};
	uint64_t	seen = 0;

	_Static_assert(NFIELDS(spec_fields) <= 64, "seen is one bit per field");
	nn_spec_default(spec);
	if (object->type != NN_JSON_OBJECT)
		nn_fail(env, NN_BAD_MODEL, "the spec of the model is not a JSON object", NULL);
	for (const NnJson *e = object->child; e; e = e->next)
	{
		const Field *field = field_find(spec_fields, NFIELDS(spec_fields), e->key);

		if (field == NULL || (field->use != USE_SPEC && field->use != USE_SHAPE))
			nn_fail(env, NN_BAD_MODEL,
					nn_format(env, "the spec of the model has an unknown setting \"%.64s\"", e->key),
					NULL);
		field_read(&reader, field, e, spec);
		seen |= (uint64_t) 1 << (field - spec_fields);
	}
	for (size_t i = 0; i < NFIELDS(spec_fields); i++)
		if (spec_fields[i].use <= USE_SHAPE && !(seen >> i & 1))
			nn_fail(env, NN_BAD_MODEL,
					nn_format(env, "the spec of the model lacks the setting \"%s\"",
							  spec_fields[i].key), NULL);
	spec_check(&reader, spec);
}

/* ------------------------------------------------------------------------
 * Writing
 */

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
	for (size_t i = 0; i < NFIELDS(layer_fields); i++)
	{
		const Field *field = &layer_fields[i];
		const void *place = (const char *) layer + field->offset;
		bool		sequences = field->offset == LAYER(return_sequences);

		if (!nn_op_takes(op, field->key) ||
			(field->offset == LAYER(units) && layer->units == 0) ||
			(sequences && layer->return_sequences < 0))
			continue;
		nn_json_key(text, field->key);
		if (field->kind == FIELD_INT)
			nn_json_integer(text, *(const uint32_t *) place);
		else if (field->kind == FIELD_WORD)
			nn_json_string(text, field->words[*(const uint32_t *) place]);
		else if (field->kind == FIELD_REAL)
			nn_json_number(text, *(const double *) place);
		else
			nn_json_bool(text, sequences ? layer->return_sequences : *(const bool *) place);
	}
	nn_json_end(text, '}');
}

static void
field_write(NnText *text, const Field *field, const NnSpec *spec)
{
	const void *place = (const char *) spec + field->offset;

	nn_json_key(text, field->key);
	switch (field->kind)
	{
		case FIELD_INT:
			nn_json_integer(text, *(const uint32_t *) place);
			break;
		case FIELD_SEED:
			nn_json_integer(text, (int64_t) *(const uint64_t *) place);
			break;
		case FIELD_REAL:
			nn_json_number(text, *(const double *) place);
			break;
		case FIELD_BOOL:
			nn_json_bool(text, *(const bool *) place);
			break;
		case FIELD_WORD:
			nn_json_string(text, field->words[*(const uint32_t *) place]);
			break;
		case FIELD_TEXT:
			nn_json_string(text, place);
			break;
		case FIELD_BOUNDS:
			nn_json_begin(text, '[');
			nn_json_number(text, spec->lower_bound);
			nn_json_number(text, spec->upper_bound);
			nn_json_end(text, ']');
			break;
		case FIELD_QUANTILES:
			nn_json_begin(text, '[');
			for (uint32_t i = 0; i < spec->nquantiles; i++)
				nn_json_number(text, spec->quantile[i]);
			nn_json_end(text, ']');
			break;
		case FIELD_LAYERS:
			nn_json_begin(text, '[');
			for (uint32_t i = 0; i < spec->nlayers; i++)
				layer_write(text, &spec->layer[i]);
			nn_json_end(text, ']');
			break;
	}
}

void
nn_spec_write(NnText *text, const NnSpec *spec)
{
	nn_json_begin(text, '{');
	for (size_t i = 0; i < NFIELDS(spec_fields); i++)
		if (spec_fields[i].use <= USE_SHAPE)
			field_write(text, &spec_fields[i], spec);
	nn_json_end(text, '}');
}
