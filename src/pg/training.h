/*
 * training.h
 *		From series on a grid to a trained model: what train and fit share.
 *
 * Knows neither tables nor the registry.  Fills in what the rows decide (season,
 * context), splits in time order, fits the preparation on the training part,
 * runs the epochs and judges the result on the validation part.
 */
#ifndef LSTM_TRAINING_H
#define LSTM_TRAINING_H

#include "postgres.h"

#include "core/nn_model.h"
#include "core/nn_spec.h"
#include "pg/source.h"

typedef struct TrainingInput
{
	const char *label;			/* model's name for progress lines; NULL: silent */
	NnSpec	   *spec;			/* parsed options; horizon and counts of columns set */
	bool		context_given;	/* spec->context was chosen by the caller */
	bool		split_given;	/* so was validation_split: refuse rather than go without */
	const SourceData *data;
	const SourceRoles *roles;
	const NnModel *from;		/* whose parameters to begin with (transfer_prepare), NULL: none */
	bool		resumes;		/* from is an earlier version of this model: its networks are gone on
								 * with one by one, what is only judged begins anew, and nothing
								 * has to fit */
	/* Set by training_run: */
	uint32		network;		/* number of the one that is trained */
	bool		transfer_told;	/* what begins anew was said once */
	bool		cold;			/* nothing of from fitted */
	const char *part;			/* "fold 2 of 6", for progress lines; NULL: the only training */
} TrainingInput;

/* A jsonb of options, parsed. */
extern NnJson *training_options_parse(const NnEnv *env, Datum jsonb);

/* Options of the caller (NULL: none) as a spec; sets split_given. */
extern void training_options(const NnEnv *env, const NnJson *options, NnSpec *spec,
							 bool *split_given);

/* What to call series s in a message: the source itself where it has no name. */
extern const char *training_series_label(const NnSeries *series, uint32_t s);

/* The whole; the model lives in env. */
extern NnModel *training_run(const NnEnv *env, TrainingInput *input);

#endif							/* LSTM_TRAINING_H */
