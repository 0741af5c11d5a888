/*
 * golden.c
 *		Reads the text files that test/golden/make_golden.py wrote.
 *
 * The reader trusts the repository's own files as far as their meaning goes,
 * but checks every line, so that a truncated file is a message and not a
 * comparison of zeros.  The format is described in make_golden.py.
 */
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "golden.h"

#define GOLDEN_FOLDER "test/golden/"

/* What is left to read of one file. */
typedef struct GoldenReader
{
	const NnEnv *env;
	const char *path;
	char	   *rest;
} GoldenReader;

static void __attribute__((noreturn))
golden_fail(const GoldenReader *reader, const char *what)
{
	nn_fail(reader->env, NN_BAD_VALUE, nn_format(reader->env, "%s: %s", reader->path, what),
			"Write the golden files anew with test/golden/make_golden.py.");
}

/* The whole file as text. */
static GoldenReader
golden_open(const NnEnv *env, const char *name)
{
	GoldenReader reader = {env, nn_format(env, GOLDEN_FOLDER "%s.txt", name), NULL};
	FILE	   *file = fopen(reader.path, "rb");
	long		size = -1;
	size_t		got;

	if (file == NULL)
		golden_fail(&reader, "cannot be opened from the working directory");
	if (fseek(file, 0, SEEK_END) == 0)
		size = ftell(file);
	if (size < 0 || size > (1L << 26))
	{
		fclose(file);
		golden_fail(&reader, "has no size or is too large");
	}
	rewind(file);
	reader.rest = nn_alloc(env, (size_t) size + 1, 1);
	got = fread(reader.rest, 1, (size_t) size, file);
	fclose(file);
	if (got != (size_t) size)
		golden_fail(&reader, "cannot be read");
	return reader;
}

/* The next line that is no comment, ended by a NUL, or NULL at the end. */
static char *
golden_line(GoldenReader *reader)
{
	while (*reader->rest != '\0')
	{
		char	   *line = reader->rest;
		char	   *end = strchr(line, '\n');

		if (end == NULL)
			golden_fail(reader, "its last line is cut off");
		*end = '\0';
		reader->rest = end + 1;
		if (*line != '\0' && *line != '#')
			return line;
	}
	return NULL;
}

/* The next word of a line, ended by a NUL; fails when there is none. */
static char *
golden_word(const GoldenReader *reader, char **line)
{
	char	   *word = *line;
	size_t		length = strcspn(word, " ");

	if (length == 0)
		golden_fail(reader, "a line ends too early");
	*line = word + length;
	if (**line == ' ')
		*(*line)++ = '\0';
	return word;
}

static size_t
golden_count(const GoldenReader *reader, char **line)
{
	char	   *word = golden_word(reader, line);
	char	   *end;
	unsigned long count = strtoul(word, &end, 10);

	if (*end != '\0' || count > (1UL << 28))
		golden_fail(reader, "a size is no number");
	return (size_t) count;
}

/* The same integers as hash32 in make_golden.py. */
static uint32_t
golden_hash(uint32_t seed, uint32_t index)
{
	uint32_t	h = index * 0x9E3779B1u + seed * 0x85EBCA77u + 0x27D4EB2Fu;

	h ^= h >> 15;
	h *= 0x2C1B3C6Du;
	h ^= h >> 12;
	h *= 0x297A2D39u;
	return h ^ (h >> 15);
}

static void
golden_read_values(GoldenReader *reader, GoldenArray *array)
{
	for (size_t i = 0; i < array->nvalues; i++)
	{
		char	   *end;

		array->value[i] = strtod(reader->rest, &end);
		if (end == reader->rest || (*end != ' ' && *end != '\n'))
			golden_fail(reader, "an array has too few values");
		reader->rest = end;
	}
	if (*reader->rest != '\n')
		golden_fail(reader, "an array has too many values");
	reader->rest++;
}

/* line: "NAME NDIM D0 D1 ... all|every K|hash SEED BITS". */
static GoldenArray *
golden_read_array(GoldenReader *reader, char *line)
{
	GoldenArray *array = NN_NEW(reader->env, GoldenArray);
	const char *how;
	size_t		seed = 0,
				bits = 0;

	array->name = golden_word(reader, &line);
	array->ndim = (uint32_t) golden_count(reader, &line);
	if (array->ndim < 1 || array->ndim > GOLDEN_MAX_DIMS)
		golden_fail(reader, "an array has a wrong number of dimensions");
	array->size = 1;
	for (uint32_t d = 0; d < array->ndim; d++)
	{
		array->shape[d] = golden_count(reader, &line);
		array->size = nn_size_mul(reader->env, array->size, array->shape[d]);
	}

	how = golden_word(reader, &line);
	array->every = strcmp(how, "every") == 0 ? golden_count(reader, &line) : 1;
	if (array->size == 0 || array->every == 0)
		golden_fail(reader, "an array is empty");
	array->nvalues = (array->size - 1) / array->every + 1;
	array->value = NN_NEW_ARRAY(reader->env, double, array->nvalues);
	if (strcmp(how, "hash") != 0)
	{
		golden_read_values(reader, array);
		return array;
	}

	seed = golden_count(reader, &line);
	bits = golden_count(reader, &line);
	for (size_t i = 0; i < array->size; i++)
	{
		int			grid = (int) (golden_hash((uint32_t) seed, (uint32_t) i) >> 20) - 2048;

		array->value[i] = ldexp((double) grid, -(int) bits);
	}
	return array;
}

char **
golden_index(const NnEnv *env)
{
	GoldenReader reader = golden_open(env, "index");
	size_t		count = 0;
	char	  **names;
	char	   *line;

	for (const char *c = reader.rest; *c != '\0'; c++)
		count += *c == '\n';
	names = NN_NEW_ARRAY(env, char *, count + 1);
	count = 0;
	while ((line = golden_line(&reader)) != NULL)
		names[count++] = line;
	return names;
}

GoldenCase *
golden_read(const NnEnv *env, const char *name)
{
	GoldenReader reader = golden_open(env, name);
	GoldenCase *golden = NN_NEW(env, GoldenCase);
	GoldenArray **tail = &golden->arrays;
	char	   *line;

	golden->name = nn_strdup(env, name);
	while ((line = golden_line(&reader)) != NULL)
	{
		const char *word = golden_word(&reader, &line);

		if (strcmp(word, "kind") == 0)
			golden->kind = line;
		else if (strcmp(word, "spec") == 0)
			golden->spec = line;
		else if (strcmp(word, "array") == 0)
		{
			*tail = golden_read_array(&reader, line);
			tail = &(*tail)->next;
		}
		else
			golden_fail(&reader, "has a line of unknown kind");
	}
	if (golden->kind == NULL || golden->spec == NULL || golden->arrays == NULL)
		golden_fail(&reader, "lacks its kind, spec or arrays");
	return golden;
}

const GoldenArray *
golden_find(const GoldenCase *golden, const char *name)
{
	for (const GoldenArray *array = golden->arrays; array != NULL; array = array->next)
		if (strcmp(array->name, name) == 0)
			return array;
	return NULL;
}

const GoldenArray *
golden_need(const NnEnv *env, const GoldenCase *golden, const char *name)
{
	const GoldenArray *array = golden_find(golden, name);

	if (array == NULL)
		nn_fail(env, NN_BAD_VALUE,
				nn_format(env, "golden case %s has no array %s", golden->name, name), NULL);
	return array;
}

GoldenDifference
golden_compare(const GoldenArray *array, const nn_real *actual)
{
	GoldenDifference worst = {-1, 0, 0, 0};

	for (size_t i = 0; i < array->nvalues; i++)
	{
		size_t		element = i * array->every;
		double		a = (double) actual[element],
					b = array->value[i];
		double		error = isfinite(a) ? fabs(a - b) / fmax(1.0, fabs(b)) : INFINITY;

		if (error > worst.error)
			worst = (GoldenDifference) {error, element, a, b};
	}
	return worst;
}

double
golden_tolerance(void)
{
#ifdef NN_DOUBLE
	return 1e-9;
#else
	return 1e-5;
#endif
}
