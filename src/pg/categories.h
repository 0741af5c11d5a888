/*
 * categories.h
 *		Static covariates that are words: a 0/1 channel for each word.
 *
 * Which words there are is learned from the series that are trained on and kept in
 * the model.  A word that it does not know, and NULL, are all zeros.
 */
#ifndef LSTM_CATEGORIES_H
#define LSTM_CATEGORIES_H

#include "postgres.h"

#include "pg/source.h"

/*
 * The words of data's series [data->nstatic]; NULL when no static covariate is a
 * category.  roles: their names.  Errors: 54000 more than NN_MAX_CATEGORIES words in
 * a column, or too many channels; 22000 a column without any word.
 */
extern NnCategories *categories_learn(const NnEnv *env, const SourceData *data,
									  const SourceRoles *roles);

/*
 * Widens data->series.statics to one channel per number and word, in place.
 * categories: [data->nstatic], or NULL (then nothing is done).
 */
extern void categories_apply(const NnEnv *env, SourceData *data, const SourceRoles *roles,
							 const NnCategories *categories);

/*
 * WARNINGs of words that were not among those applied: up to 5 series by name, then the
 * number of the others.
 */
extern void categories_warn(const SourceData *data, const SourceRoles *roles);

#endif							/* LSTM_CATEGORIES_H */
