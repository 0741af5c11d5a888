/*
 * golden.h
 *		Reference values from PyTorch: reading a case and comparing with it.
 *
 * The files and their format are those of test/golden/make_golden.py.  They are
 * found relative to the working directory, which is the repository's root.
 * Everything lives in the arena of env; a malformed file ends the program's
 * test through nn_fail.  Cost: one pass over the file.
 */
#ifndef GOLDEN_H
#define GOLDEN_H

#include "core/nn_env.h"

#define GOLDEN_MAX_DIMS 4

typedef struct GoldenArray
{
	char	   *name;
	uint32_t	ndim;
	size_t		shape[GOLDEN_MAX_DIMS];
	size_t		size;			/* elements of the whole array */
	size_t		every;			/* value i is element i * every, C order */
	size_t		nvalues;
	double	   *value;			/* [nvalues] */
	struct GoldenArray *next;
} GoldenArray;

typedef struct GoldenCase
{
	char	   *name;
	char	   *kind;			/* "layers", "loss", "optimizer", "training" */
	char	   *spec;			/* options, a JSON object */
	GoldenArray *arrays;		/* in the file's order */
} GoldenCase;

/* What a comparison found: the worst of the stored elements. */
typedef struct GoldenDifference
{
	double		error;			/* |a - b| / max(1, |b|), infinite when a is not finite */
	size_t		element;		/* of the whole array */
	double		actual, expected;
} GoldenDifference;

/* Names of all cases in index order, NULL at the end. */
extern char **golden_index(const NnEnv *env);

/* Reads test/golden/<name>.txt. */
extern GoldenCase *golden_read(const NnEnv *env, const char *name);

/* The array of that name, or NULL. */
extern const GoldenArray *golden_find(const GoldenCase *golden, const char *name);

/* As golden_find, but fails when there is none. */
extern const GoldenArray *golden_need(const NnEnv *env, const GoldenCase *golden,
									  const char *name);

/* Compares with actual [array->size], C order. */
extern GoldenDifference golden_compare(const GoldenArray *array, const nn_real *actual);

/* 1e-9 in the double build, 1e-5 in the float build. */
extern double golden_tolerance(void);

#endif							/* GOLDEN_H */
