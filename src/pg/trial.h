/*
 * trial.h
 *		One choice of settings, trained and judged on parts of the past.
 *
 * Rows of a series are cut in time order, once for each fold: before the cut one
 * trains, on the rows after it, up to the series' end, one stops, judges and
 * calibrates.  A training window's targets all lie before the cut, a judged
 * window's all after it (its context may reach back).
 */
#ifndef LSTM_TRIAL_H
#define LSTM_TRIAL_H

#include "postgres.h"

#include "portability/instr_time.h"

#include "core/nn_train.h"
#include "pg/training.h"

/* Rows of each series: trained on before cut, judged from there to end. [nseries] each. */
typedef struct TrialFold
{
	uint32_t   *cut;
	const uint32_t *end;
	uint32_t	first, n;		/* its windows among the judged ones */
} TrialFold;

typedef struct Trial
{
	NnSpec	   *spec;			/* with context and layers */
	NnPrep	   *prep;			/* of the last fold, like all that follows */
	NnReport	report;
	size_t		nparams;
	nn_real    *params;			/* [networks of a fold][nparams] */
	uint32_t	epochs;			/* best number of epochs, median over the folds */
	bool		stopped;		/* by the time budget */

	/* Judged windows of all folds; values are [n][steps][G] in original units. */
	uint32_t	nfolds;
	TrialFold  *fold;			/* [nfolds] */
	uint32_t	n, steps, G;
	NnWindow   *window;			/* [n] */
	double	   *actual, *network, *baseline;	/* NaN: unknown */
	double	   *head;			/* [n][steps][G][2] half-widths of the loss's interval, or NULL */
	double	   *unit;			/* [n][G][NN_MEASURES] */
	double	   *scale;			/* [n][G] of the series, as for MASE */
	double		baseline_loss;	/* of the spec's loss, where it depends on the error alone */
} Trial;

/* When to stop: never with seconds 0. */
typedef struct TrialClock
{
	instr_time	start;
	double		seconds;
} TrialClock;

/*
 * Trains and judges spec on its folds.  What it returns lives in env; all else is given
 * back.  Errors as of training_run.
 */
extern Trial *trial_run(const NnEnv *env, TrainingInput *input, const NnSpec *spec,
						const TrialClock *clock);

/*
 * Networks of the model [spec->ensemble_size][nparams]: the trial's and such that differ
 * in their seed, or all of them trained anew on all rows where the spec says "refit"
 * (prep then becomes that of all rows).  Updates what the trial's judged windows say.
 */
extern nn_real *trial_networks(const NnEnv *env, TrainingInput *input, Trial *trial,
							   const TrialClock *clock);

/* Part of the time that is for the trial of spec: every training gets the same. */
extern double trial_share(const NnSpec *spec);

/* Is a series of that many rows long enough to be judged on its end? */
extern bool trial_can_judge(const NnSpec *spec, uint32_t history);

#endif							/* LSTM_TRIAL_H */
