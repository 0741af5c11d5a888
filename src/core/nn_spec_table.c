/*
 * nn_spec_table.c
 *		Values of settings from JSON and back, by the kind of their field.
 *
 * Knows how an integer, a word, a set of words, ... is read, checked and written;
 * which settings there are is the business of the tables that are passed in.
 */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "core/nn_spec_table.h"

const char *const nn_activation_words[] = {
	"linear", "tanh", "sigmoid", "relu", "softplus", "gelu", NULL
};

void
nn_reader_fail(const NnReader *reader, NnCode code, const char *message, const char *hint)
{
	nn_fail(reader->env, reader->model ? NN_BAD_MODEL : code, message, hint);
}

/* ------------------------------------------------------------------------
 * Reading one value
 */

const char *
nn_json_type_name(NnJsonType type)
{
	static const char *const names[] = {
		"null", "a boolean", "a boolean", "a number", "a string", "an array", "an object"
	};

	return names[type];
}

void
nn_expect_type(const NnReader *reader, const char *key, const NnJson *value, NnJsonType type,
			const char *wanted)
{
	bool		fits = value->type == type;

	if (type == NN_JSON_TRUE)
		fits = fits || value->type == NN_JSON_FALSE;
	if (!fits)
		nn_reader_fail(reader, NN_BAD_TYPE,
					nn_format(reader->env, "%s \"%s\" must be %s, not %s", reader->where, key,
							  wanted, nn_json_type_name(value->type)), NULL);
}

static void
number_read(const NnReader *reader, const NnField *field, const NnJson *value, void *base)
{
	double		x = value->number;
	bool		whole = field->kind != NN_FIELD_REAL;
	void	   *place = (char *) base + field->offset;

	nn_expect_type(reader, field->key, value, NN_JSON_NUMBER, whole ? "an integer" : "a number");
	if (whole && x != floor(x))
		nn_reader_fail(reader, NN_BAD_TYPE,
					nn_format(reader->env, "%s \"%s\" must be an integer, not %g", reader->where,
							  field->key, x), NULL);
	if (!(x >= field->min && x <= field->max) ||
		(field->open && (x == field->min || x == field->max)))
		nn_reader_fail(reader, NN_BAD_VALUE,
					nn_format(reader->env, "%s \"%s\" is %.15g, outside of its range",
							  reader->where, field->key, x),
					field->max >= NN_BIG ?
					nn_format(reader->env, "Give a number %s %g.",
							  field->open ? "greater than" : "of at least", field->min) :
					nn_format(reader->env, "Give a number between %.16g and %.16g%s.",
							  field->min, field->max, field->open ? ", both excluded" : ""));
	if (field->kind == NN_FIELD_INT)
		*(uint32_t *) place = (uint32_t) x;
	else if (field->kind == NN_FIELD_SEED)
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
word_read(const NnReader *reader, const NnField *field, const NnJson *value, void *base)
{
	nn_expect_type(reader, field->key, value, NN_JSON_STRING, "a string");
	for (uint32_t i = 0; field->words[i]; i++)
		if (strcmp(field->words[i], value->string) == 0)
		{
			memcpy((char *) base + field->offset, &i, sizeof(i));
			return;
		}
	nn_reader_fail(reader, NN_BAD_VALUE,
				nn_format(reader->env, "%s \"%s\" cannot be \"%.64s\"", reader->where, field->key,
						  value->string),
				nn_format(reader->env, "Give %s.", words_join(reader->env, field->words)));
}

static void
text_read(const NnReader *reader, const NnField *field, const NnJson *value, void *base,
		  size_t room)
{
	nn_expect_type(reader, field->key, value, NN_JSON_STRING, "a string");
	if (strlen(value->string) >= room)
		nn_reader_fail(reader, NN_BAD_VALUE,
					   nn_format(reader->env, "%s \"%s\" is longer than %zu bytes", reader->where,
								 field->key, room - 1), NULL);
	strcpy((char *) base + field->offset, value->string);
}

/* Number of the word in the table, or -1. */
static int
word_find(const NnField *field, const char *word)
{
	for (int i = 0; field->words[i]; i++)
		if (strcmp(field->words[i], word) == 0)
			return i;
	return -1;
}

/* An array of words, a bit each; see NN_FIELD_SET for what may stand alone. */
static void
set_read(const NnReader *reader, const NnField *field, const NnJson *value, void *base)
{
	uint32_t	bits = 0;
	bool		lone = field->max == 31;

	if (lone && value->type == NN_JSON_STRING && strcmp(value->string, "auto") == 0)
		bits = 0x80000000u;
	else if (!(lone && value->type == NN_JSON_STRING && strcmp(value->string, "none") == 0))
		nn_expect_type(reader, field->key, value, NN_JSON_ARRAY,
					   lone ? "\"auto\", \"none\" or an array of words" : "an array of words");
	for (const NnJson *e = value->type == NN_JSON_ARRAY ? value->child : NULL; e; e = e->next)
	{
		int			i;

		nn_expect_type(reader, field->key, e, NN_JSON_STRING, "an array of words");
		i = word_find(field, e->string);
		if (i < 0)
			nn_reader_fail(reader, NN_BAD_VALUE,
						   nn_format(reader->env, "%s \"%s\" cannot contain \"%.64s\"",
									 reader->where, field->key, e->string),
						   nn_format(reader->env, "Its words are %s.",
									 words_join(reader->env, field->words)));
		if (bits >> i & 1)
			nn_reader_fail(reader, NN_BAD_VALUE,
						   nn_format(reader->env, "%s \"%s\" contains \"%s\" twice", reader->where,
									 field->key, e->string), NULL);
		bits |= 1u << i;
	}
	*(uint32_t *) (void *) ((char *) base + field->offset) = bits;
}

static void
names_read(const NnReader *reader, const NnField *field, const NnJson *value, NnSpec *spec)
{
	nn_expect_type(reader, field->key, value, NN_JSON_ARRAY, "an array of layer names");
	if (value->count < 1 || value->count > NN_MAX_FREEZE)
		nn_reader_fail(reader, NN_BAD_VALUE,
					   nn_format(reader->env, "%s \"%s\" has %u elements", reader->where, field->key,
								 value->count),
					   nn_format(reader->env, "Name 1 to %d layers.", NN_MAX_FREEZE));
	for (const NnJson *e = value->child; e; e = e->next)
	{
		nn_expect_type(reader, field->key, e, NN_JSON_STRING, "an array of layer names");
		if (strlen(e->string) >= NN_MAX_NAME)
			nn_reader_fail(reader, NN_BAD_VALUE,
						   nn_format(reader->env, "%s \"%s\": no layer has a name as long as \"%.80s\"",
									 reader->where, field->key, e->string), NULL);
		strcpy(spec->freeze[spec->nfreeze++], e->string);
	}
}

static void
lags_read(const NnReader *reader, const NnField *field, const NnJson *value, NnLayerSpec *layer)
{
	NnField		element = *field;

	nn_expect_type(reader, field->key, value, NN_JSON_ARRAY, "an array of integers");
	if (value->count < 1 || value->count > NN_MAX_LAGS)
		nn_reader_fail(reader, NN_BAD_VALUE,
					   nn_format(reader->env, "%s \"%s\" has %u elements", reader->where, field->key,
								 value->count),
					   nn_format(reader->env, "Give 1 to %d rows, counted back from the newest, which is 1.",
								 NN_MAX_LAGS));
	element.kind = NN_FIELD_INT;
	element.offset = 0;
	for (const NnJson *e = value->child; e; e = e->next)
		number_read(reader, &element, e, &layer->lag[layer->nlags++]);
}

/* A whole number of an array column that is member of its object. */
static uint32_t
array_size_read(const NnReader *reader, const NnJson *object, const char *key)
{
	const NnField field = {key, NN_FIELD_INT, NN_USE_SHAPE, 0, 1, NN_MAX_SITES, false, NULL};
	const NnJson *value = nn_json_member(object, key);
	uint32_t	size;

	if (value == NULL)
		nn_reader_fail(reader, NN_BAD_VALUE,
					   nn_format(reader->env, "an array column has no \"%s\"", key), NULL);
	number_read(reader, &field, value, &size);
	return size;
}

static void
array_read(const NnReader *reader, const NnJson *value, NnSpec *spec)
{
	NnArraySpec *array = &spec->array[spec->narrays];
	const NnJson *name = nn_json_member(value, "name");

	if (value->type != NN_JSON_OBJECT || value->count != 4 || name == NULL ||
		name->type != NN_JSON_STRING || strlen(name->string) >= NN_MAX_NAME)
		nn_reader_fail(reader, NN_BAD_VALUE,
					   "an array column has other members than name, rows, cols and channels", NULL);
	strcpy(array->name, name->string);
	array->rows = array_size_read(reader, value, "rows");
	array->cols = array_size_read(reader, value, "cols");
	array->C = array_size_read(reader, value, "channels");
	for (uint32_t i = 0; i < spec->narrays; i++)
		if (strcmp(spec->array[i].name, array->name) == 0)
			nn_reader_fail(reader, NN_BAD_VALUE,
						   nn_format(reader->env, "array column \"%s\" is there twice", array->name), NULL);
	if ((double) array->rows * array->cols * array->C > NN_MAX_ARRAY)
		nn_reader_fail(reader, NN_BAD_VALUE,
					   nn_format(reader->env, "array column \"%s\" has more than %d numbers", array->name,
								 NN_MAX_ARRAY), NULL);
	spec->narrays++;
}

static void
arrays_read(const NnReader *reader, const NnField *field, const NnJson *value, NnSpec *spec)
{
	nn_expect_type(reader, field->key, value, NN_JSON_ARRAY, "an array of objects");
	if (value->count > NN_MAX_ARRAYS)
		nn_reader_fail(reader, NN_BAD_VALUE,
					   nn_format(reader->env, "there are %u array columns, above the limit of %d",
								 value->count, NN_MAX_ARRAYS), NULL);
	for (const NnJson *e = value->child; e; e = e->next)
		array_read(reader, e, spec);
}

/* {"epsilon": 0.1} */
static void
epsilon_read(const NnReader *reader, const NnField *field, const NnJson *value, void *base)
{
	NnField		inner = *field;
	NnReader	within = *reader;
	const NnJson *epsilon;

	nn_expect_type(reader, field->key, value, NN_JSON_OBJECT, "an object");
	epsilon = nn_json_member(value, "epsilon");
	for (const NnJson *e = value->child; e; e = e->next)
		if (e != epsilon)
			nn_reader_fail(reader, NN_BAD_KEY,
						   nn_format(reader->env, "%s \"%s\" has no member \"%.64s\"", reader->where,
									 field->key, e->key), "Its only member is \"epsilon\".");
	if (epsilon == NULL)
		nn_reader_fail(reader, NN_BAD_VALUE,
					   nn_format(reader->env, "%s \"%s\" has no \"epsilon\"", reader->where,
								 field->key),
					   "Write {\"epsilon\": 0.1}: the size of the attack on scaled inputs.");
	inner.key = "epsilon";
	inner.kind = NN_FIELD_REAL;
	within.where = nn_format(reader->env, "%s \"%s\":", reader->where, field->key);
	number_read(&within, &inner, epsilon, base);
}


static void
bounds_read(const NnReader *reader, const NnJson *value, NnSpec *spec)
{
	double		bound[2] = {NAN, NAN};
	int			i = 0;

	nn_expect_type(reader, "bounds", value, NN_JSON_ARRAY, "an array of two numbers or nulls");
	if (value->count != 2)
		nn_reader_fail(reader, NN_BAD_VALUE,
					nn_format(reader->env, "%s \"bounds\" has %u elements instead of 2",
							  reader->where, value->count),
					"Write [lower, upper]; null means unbounded, as in [0, null].");
	for (const NnJson *e = value->child; e; e = e->next, i++)
	{
		if (e->type == NN_JSON_NULL)
			continue;
		nn_expect_type(reader, "bounds", e, NN_JSON_NUMBER, "an array of two numbers or nulls");
		bound[i] = e->number;
	}
	if (bound[0] >= bound[1])
		nn_reader_fail(reader, NN_BAD_VALUE,
					nn_format(reader->env, "%s \"bounds\": lower bound %g is not below upper bound %g",
							  reader->where, bound[0], bound[1]), NULL);
	spec->lower_bound = bound[0];
	spec->upper_bound = bound[1];
}

static void
quantiles_read(const NnReader *reader, const NnJson *value, NnSpec *spec)
{
	bool		median = false;
	uint32_t	n = 0;

	nn_expect_type(reader, "quantiles", value, NN_JSON_ARRAY, "an array of numbers");
	if (value->count < 1 || value->count > NN_MAX_QUANTILES)
		nn_reader_fail(reader, NN_BAD_VALUE,
					nn_format(reader->env, "%s \"quantiles\" has %u elements", reader->where,
							  value->count),
					nn_format(reader->env, "Give 1 to %d numbers.", NN_MAX_QUANTILES));
	for (const NnJson *e = value->child; e; e = e->next)
	{
		nn_expect_type(reader, "quantiles", e, NN_JSON_NUMBER, "an array of numbers");
		if (!(e->number > 0 && e->number < 1) || (n > 0 && e->number <= spec->quantile[n - 1]))
			nn_reader_fail(reader, NN_BAD_VALUE,
						nn_format(reader->env, "%s \"quantiles\": %g is out of order or not between 0 and 1",
								  reader->where, e->number),
						"Give ascending numbers above 0 and below 1, as in [0.1, 0.5, 0.9].");
		median = median || e->number == 0.5;
		spec->quantile[n++] = e->number;
	}
	if (!median)
		nn_reader_fail(reader, NN_BAD_VALUE,
					nn_format(reader->env, "%s \"quantiles\" lacks 0.5", reader->where),
					"The median is the forecast itself: put 0.5 among the quantiles.");
	spec->nquantiles = n;
}

void
nn_field_read(const NnReader *reader, const NnField *field, const NnJson *value, void *base)
{
	switch (field->kind)
	{
		case NN_FIELD_INT:
		case NN_FIELD_SEED:
		case NN_FIELD_REAL:
			number_read(reader, field, value, base);
			break;
		case NN_FIELD_BOOL:
			nn_expect_type(reader, field->key, value, NN_JSON_TRUE, "true or false");
			*(bool *) ((char *) base + field->offset) = value->type == NN_JSON_TRUE;
			break;
		case NN_FIELD_TRISTATE:
			nn_expect_type(reader, field->key, value, NN_JSON_TRUE, "true or false");
			*(int *) ((char *) base + field->offset) = value->type == NN_JSON_TRUE;
			break;
		case NN_FIELD_WORD:
			word_read(reader, field, value, base);
			break;
		case NN_FIELD_TEXT:
			text_read(reader, field, value, base, NN_MAX_NAME);
			break;
		case NN_FIELD_QUERY:
			text_read(reader, field, value, base, NN_MAX_QUERY);
			break;
		case NN_FIELD_SET:
			set_read(reader, field, value, base);
			break;
		case NN_FIELD_NAMES:
			names_read(reader, field, value, base);
			break;
		case NN_FIELD_LAGS:
			lags_read(reader, field, value, base);
			break;
		case NN_FIELD_ARRAYS:
			arrays_read(reader, field, value, base);
			break;
		case NN_FIELD_EPSILON:
			epsilon_read(reader, field, value, base);
			break;
		case NN_FIELD_BOUNDS:
			bounds_read(reader, value, base);
			break;
		case NN_FIELD_QUANTILES:
			quantiles_read(reader, value, base);
			break;
		case NN_FIELD_LAYERS:
			nn_layers_read(reader, value, base);
			break;
	}
}

const NnField *
nn_field_find(const NnField *fields, size_t n, const char *key)
{
	for (size_t i = 0; i < n; i++)
		if (strcmp(fields[i].key, key) == 0)
			return &fields[i];
	return NULL;
}

/* ------------------------------------------------------------------------
 * Writing
 */

static void
lags_write(NnText *text, const NnLayerSpec *layer)
{
	nn_json_begin(text, '[');
	for (uint32_t i = 0; i < layer->nlags; i++)
		nn_json_integer(text, layer->lag[i]);
	nn_json_end(text, ']');
}

static void
arrays_write(NnText *text, const NnSpec *spec)
{
	nn_json_begin(text, '[');
	for (uint32_t i = 0; i < spec->narrays; i++)
	{
		const NnArraySpec *array = &spec->array[i];

		nn_json_begin(text, '{');
		nn_json_key(text, "name");
		nn_json_string(text, array->name);
		nn_json_key(text, "rows");
		nn_json_integer(text, array->rows);
		nn_json_key(text, "cols");
		nn_json_integer(text, array->cols);
		nn_json_key(text, "channels");
		nn_json_integer(text, array->C);
		nn_json_end(text, '}');
	}
	nn_json_end(text, ']');
}

void
nn_field_write(NnText *text, const NnField *field, const void *base)
{
	const void *place = (const char *) base + field->offset;
	const NnSpec *spec = base;

	nn_json_key(text, field->key);
	switch (field->kind)
	{
		case NN_FIELD_INT:
			nn_json_integer(text, *(const uint32_t *) place);
			break;
		case NN_FIELD_SEED:
			nn_json_integer(text, (int64_t) *(const uint64_t *) place);
			break;
		case NN_FIELD_REAL:
			nn_json_number(text, *(const double *) place);
			break;
		case NN_FIELD_BOOL:
			nn_json_bool(text, *(const bool *) place);
			break;
		case NN_FIELD_TRISTATE:
			nn_json_bool(text, *(const int *) place > 0);
			break;
		case NN_FIELD_WORD:
			nn_json_string(text, field->words[*(const uint32_t *) place]);
			break;
		case NN_FIELD_TEXT:
		case NN_FIELD_QUERY:
			nn_json_string(text, place);
			break;
		case NN_FIELD_BOUNDS:
			nn_json_begin(text, '[');
			nn_json_number(text, spec->lower_bound);
			nn_json_number(text, spec->upper_bound);
			nn_json_end(text, ']');
			break;
		case NN_FIELD_QUANTILES:
			nn_json_begin(text, '[');
			for (uint32_t i = 0; i < spec->nquantiles; i++)
				nn_json_number(text, spec->quantile[i]);
			nn_json_end(text, ']');
			break;
		case NN_FIELD_LAYERS:
			nn_layers_write(text, spec);
			break;
		case NN_FIELD_NAMES:
			nn_json_begin(text, '[');
			for (uint32_t i = 0; i < spec->nfreeze; i++)
				nn_json_string(text, spec->freeze[i]);
			nn_json_end(text, ']');
			break;
		case NN_FIELD_LAGS:
			lags_write(text, base);
			break;
		case NN_FIELD_ARRAYS:
			arrays_write(text, base);
			break;
		case NN_FIELD_SET:
			nn_json_begin(text, '[');
			for (uint32_t i = 0; field->words[i]; i++)
				if (*(const uint32_t *) place >> i & 1)
					nn_json_string(text, field->words[i]);
			nn_json_end(text, ']');
			break;
		case NN_FIELD_EPSILON:
			nn_json_begin(text, '{');
			nn_json_key(text, "epsilon");
			nn_json_number(text, *(const double *) place);
			nn_json_end(text, '}');
			break;
	}
}
