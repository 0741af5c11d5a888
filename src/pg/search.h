/*
 * search.h
 *		Which options lstm.tune tries: a grid, or draws from lists and ranges.
 *
 * Knows no rows and no models.  Draws are functions of the seed and their number.
 */
#ifndef LSTM_SEARCH_H
#define LSTM_SEARCH_H

#include "postgres.h"

#include "core/nn_json.h"

typedef enum SearchMethod
{
	SEARCH_GRID,				/* every combination */
	SEARCH_RANDOM,				/* draws, each combination once */
	SEARCH_HALVING				/* draws, the better half of which go on with more epochs */
} SearchMethod;

typedef struct Candidate
{
	NnJson	   *options;		/* the caller's with those drawn */
	char	   *text;			/* the same as JSON, "context" among them where it is searched */
	uint32		context;		/* 0: not searched */
} Candidate;

/* Error 22023: none of the names. */
extern SearchMethod search_method_parse(const char *word);

/*
 * Up to trials candidates of the search (an object: option or "context" -> array of
 * values, or {"min", "max", "log"}); options: the caller's, or NULL.  Returns their
 * number, at least 1.  Errors, 22023: an unknown option (hint: the nearest), one that
 * cannot be searched, an empty search, a range that is none, a grid that has ranges or
 * more than trials combinations.
 */
extern uint32 search_candidates(const NnEnv *env, const NnJson *search, const NnJson *options,
								SearchMethod method, uint32 trials, uint64 seed,
								Candidate **candidates);

/* Does the search try values of that option? */
extern bool search_has(const NnJson *search, const char *key);

/* options with another number of epochs. */
extern NnJson *search_epochs(const NnEnv *env, const NnJson *options, uint32 epochs);

#endif							/* LSTM_SEARCH_H */
