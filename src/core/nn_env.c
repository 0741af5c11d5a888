/*
 * nn_env.c
 *		The small things every part of the core asks of its environment.
 *
 * Knows the callbacks of NnEnv and nothing of numbers or networks.  Formatting
 * measures first and prints second, so a message costs two runs of vsnprintf
 * and one allocation.  Sizes are checked here once, so that no caller multiplies
 * two counts by itself.
 */
#include "core/nn_env.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Words longer than this are near to nothing; keeps nn_nearest off the arena. */
#define NEAREST_MAX_LENGTH 63

void
nn_fail(const NnEnv *env, NnCode code, const char *message, const char *hint)
{
	env->fail(env->host, code, message, hint);

	/* A host whose fail returns breaks its contract; going on would be worse. */
	abort();
}

char *
nn_format(const NnEnv *env, const char *format, ...)
{
	va_list		args;
	int			length;
	char	   *text;

	va_start(args, format);
	length = vsnprintf(NULL, 0, format, args);
	va_end(args);
	if (length < 0)
		nn_fail(env, NN_BAD_VALUE, "text cannot be formatted", NULL);

	text = nn_alloc(env, (size_t) length + 1, 1);
	va_start(args, format);
	vsnprintf(text, (size_t) length + 1, format, args);
	va_end(args);
	return text;
}

void *
nn_alloc(const NnEnv *env, size_t count, size_t size)
{
	return env->alloc(env->host, nn_size_mul(env, count, size));
}

size_t
nn_size_mul(const NnEnv *env, size_t a, size_t b)
{
	size_t		product;

	if (__builtin_mul_overflow(a, b, &product) || product > PTRDIFF_MAX)
		nn_fail(env, NN_TOO_LARGE,
				nn_format(env, "size of %zu times %zu bytes is out of range", a, b),
				"Use fewer rows or a smaller network.");
	return product;
}

size_t
nn_size_add(const NnEnv *env, size_t a, size_t b)
{
	size_t		sum;

	if (__builtin_add_overflow(a, b, &sum) || sum > PTRDIFF_MAX)
		nn_fail(env, NN_TOO_LARGE,
				nn_format(env, "size of %zu plus %zu bytes is out of range", a, b),
				"Use fewer rows or a smaller network.");
	return sum;
}

char *
nn_strdup(const NnEnv *env, const char *text)
{
	size_t		length = strlen(text);
	char	   *copy = nn_alloc(env, length + 1, 1);

	memcpy(copy, text, length);
	return copy;
}

/*
 * Edit distance with swaps of neighbours (optimal string alignment): insert,
 * delete, replace and swap cost 1 each.  Both words have at most
 * NEAREST_MAX_LENGTH bytes.
 */
static size_t
edit_distance(const char *a, size_t na, const char *b, size_t nb)
{
	size_t		rows[3][NEAREST_MAX_LENGTH + 1];
	size_t	   *before = rows[0],
			   *above = rows[1],
			   *row = rows[2];

	for (size_t j = 0; j <= nb; j++)
		row[j] = j;
	for (size_t i = 1; i <= na; i++)
	{
		size_t	   *spare = before;

		before = above;
		above = row;
		row = spare;
		row[0] = i;
		for (size_t j = 1; j <= nb; j++)
		{
			size_t		best = above[j - 1] + (a[i - 1] != b[j - 1]);

			if (above[j] + 1 < best)
				best = above[j] + 1;
			if (row[j - 1] + 1 < best)
				best = row[j - 1] + 1;
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] &&
				before[j - 2] + 1 < best)
				best = before[j - 2] + 1;
			row[j] = best;
		}
	}
	return row[nb];
}

const char *
nn_nearest(const char *word, const char *const *names, size_t count)
{
	size_t		length = strlen(word);
	size_t		limit = length / 2;
	const char *nearest = NULL;

	if (length > NEAREST_MAX_LENGTH)
		return NULL;

	for (size_t i = 0; i < count; i++)
	{
		size_t		name_length = strlen(names[i]);
		size_t		distance;

		if (name_length > NEAREST_MAX_LENGTH)
			continue;
		distance = edit_distance(word, length, names[i], name_length);
		if (distance > limit)
			continue;

		/* The first of equals stays: the next one has to be nearer. */
		nearest = names[i];
		if (distance == 0)
			break;
		limit = distance - 1;
	}
	return nearest;
}
