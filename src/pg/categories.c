/*
 * categories.c
 *		Static covariates that are words: a 0/1 channel for each word.
 *
 * Costs a sort of one word per series and column, and a binary search per series
 * and column.  Channels stand in order of the columns, and of the words within one.
 */
#include "postgres.h"

#include <math.h>

#include "pg/categories.h"
#include "pg/env.h"
#include "pg/source_parts.h"

/* Series whose unknown words are told one by one. */
#define UNKNOWN_SHOWN 5

static int
word_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/* The sorted words of column k. */
static NnCategories
column_learn(const NnEnv *env, const SourceData *data, uint32 k, const char *name)
{
	uint32		nseries = data->series.nseries,
				n = 0,
				distinct = 0;
	char	  **word = NN_NEW_ARRAY(env, char *, nseries);

	for (uint32 s = 0; s < nseries; s++)
	{
		char	   *text = data->category[(size_t) s * data->nstatic + k];

		if (text != NULL)
			word[n++] = text;
	}
	if (n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("static covariate \"%s\" has no known value", name),
				 errhint("Leave the column out.")));
	qsort(word, n, sizeof(char *), word_compare);
	for (uint32 i = 0; i < n; i++)
		if (i == 0 || strcmp(word[i], word[i - 1]) != 0)
			word[distinct++] = word[i];
	if (distinct > NN_MAX_CATEGORIES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("static covariate \"%s\" has %u categories, above the limit of %d", name,
						distinct, NN_MAX_CATEGORIES),
				 errhint("Group them into fewer, or leave the column out and set \"series_embedding\", "
						 "which learns from each series.")));
	return (NnCategories) {distinct, word};
}

NnCategories *
categories_learn(const NnEnv *env, const SourceData *data, const SourceRoles *roles)
{
	NnCategories *categories;
	uint32		channels = 0;

	if (data->category == NULL)
		return NULL;
	categories = NN_NEW_ARRAY(env, NnCategories, data->nstatic);
	for (uint32 k = 0; k < data->nstatic; k++)
	{
		/* A column has a word in some series, or it is a column of numbers. */
		if (data->is_category[k])
			categories[k] = column_learn(env, data, k, roles->statics[k]);
		env_check_names("category", (const char *const *) categories[k].word, categories[k].n);
		channels += Max(categories[k].n, 1);
	}
	if (channels > NN_MAX_COLUMNS)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("static covariates have %u categories, above the limit of %d", channels,
						NN_MAX_COLUMNS),
				 errhint("Leave some of the columns out.")));
	return categories;
}

/* ------------------------------------------------------------------------
 * Applying
 */

/* Number of the word, or -1. */
static int
word_find(const NnCategories *categories, const char *word)
{
	char	  **found = bsearch(&word, categories->word, categories->n, sizeof(char *), word_compare);

	return found == NULL ? -1 : (int) (found - categories->word);
}

/* Text of a category, NULL where it is unknown. */
static const char *
category_text(const SourceData *data, uint32 s, uint32 k)
{
	return data->category ? data->category[(size_t) s * data->nstatic + k] : NULL;
}

/* One series' channels. */
static void
series_apply(const SourceData *data, uint32 s, const NnCategories *categories, double *out)
{
	const double *number = data->series.statics + (size_t) s * data->nstatic;

	for (uint32 k = 0; k < data->nstatic; k++)
	{
		const char *text = category_text(data, s, k);
		int			found;

		if (categories[k].n == 0)
		{
			*out++ = number[k];
			continue;
		}
		/* [n] are zeros already. */
		found = text == NULL ? -1 : word_find(&categories[k], text);
		if (found >= 0)
			out[found] = 1;
		out += categories[k].n;
	}
}

static const char **
channels_name(const NnEnv *env, const SourceRoles *roles, const NnCategories *categories,
			  uint32 nstatic, uint32 channels)
{
	const char **name = NN_NEW_ARRAY(env, const char *, channels);
	uint32		n = 0;

	for (uint32 k = 0; k < nstatic; k++)
	{
		if (categories[k].n == 0)
			name[n++] = roles->statics[k];
		for (uint32 i = 0; i < categories[k].n; i++)
			name[n++] = nn_format(env, "%s = %s", roles->statics[k], categories[k].word[i]);
	}
	return name;
}

/* The first column whose word is not among the known ones, or -1. */
static int
unknown_find(const SourceData *data, uint32 s)
{
	for (uint32 k = 0; k < data->nstatic; k++)
	{
		const char *text = category_text(data, s, k);

		if (data->categories[k].n > 0 && text != NULL && word_find(&data->categories[k], text) < 0)
			return (int) k;
	}
	return -1;
}

static void
unknown_warn(const SourceData *data, const SourceRoles *roles, uint32 s, uint32 k)
{
	const char *series = data->series.name[s];

	ereport(WARNING,
			(errmsg("static covariate \"%s\"%s%s%s is \"%s\", a category that the model was not trained on",
					roles->statics[k], series[0] ? " of series \"" : "", series,
					series[0] ? "\"" : "", category_text(data, s, k)),
			 errdetail("It is taken as none of the known ones.")));
}

void
categories_apply(const NnEnv *env, SourceData *data, const SourceRoles *roles,
				 const NnCategories *categories)
{
	NnSeries   *series = &data->series;
	uint32		channels = 0;
	double	   *statics;
	size_t		used = 0;

	if (categories == NULL)
		return;
	for (uint32 k = 0; k < data->nstatic; k++)
		channels += Max(categories[k].n, 1);
	source_account(&used, env->max_memory,
				   nn_size_mul(env, series->nseries, channels * sizeof(double)), data->rows);
	statics = NN_NEW_ARRAY(env, double, nn_size_mul(env, series->nseries, channels));
	for (uint32 s = 0; s < series->nseries; s++)
		series_apply(data, s, categories, statics + (size_t) s * channels);
	series->Cs = channels;
	series->statics = statics;
	series->static_column = channels_name(env, roles, categories, data->nstatic, channels);
	data->categories = categories;
}

void
categories_warn(const SourceData *data, const SourceRoles *roles)
{
	uint32		unknown = 0;

	if (data->categories == NULL)
		return;
	for (uint32 s = 0; s < data->series.nseries; s++)
	{
		int			k = unknown_find(data, s);

		if (k >= 0 && unknown++ < UNKNOWN_SHOWN)
			unknown_warn(data, roles, s, (uint32) k);
	}
	if (unknown > UNKNOWN_SHOWN)
		ereport(WARNING,
				(errmsg_plural("%u more series has a category that the model was not trained on",
							   "%u more series have categories that the model was not trained on",
							   unknown - UNKNOWN_SHOWN, unknown - UNKNOWN_SHOWN)));
}
