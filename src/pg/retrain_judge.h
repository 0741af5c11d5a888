/*
 * retrain_judge.h
 *		Two versions of a model, judged on rows that neither has seen.
 */
#ifndef LSTM_RETRAIN_JUDGE_H
#define LSTM_RETRAIN_JUDGE_H

#include "postgres.h"

#include "pg/model_run.h"

typedef struct RetrainJudgement
{
	uint64		n;				/* values compared */
	bool		scaled;			/* score is the MASE, else the MAE: nothing had a scale */
	double		score[2];		/* of champion and challenger; NaN: none */
	double		mae[2];			/* means over the targets, original units; NaN: none */
} RetrainJudgement;

/*
 * Both forecast horizon steps from the same origins, those whose targets all lie at or behind
 * row cut[s] of series s of the challenger's data; errors are scaled as MASE is (metrics.h), by
 * the rows before the cut.  Of many origins about 20,000 are taken, evenly spaced.  A side with
 * a forecast that is no finite number has no score.  Needs neither snapshot nor table; polls.
 */
extern RetrainJudgement retrain_judge(NnEnv *env, const ModelRun *champion,
									  const ModelRun *challenger, const uint32 *cut,
									  uint32 horizon);

#endif							/* LSTM_RETRAIN_JUDGE_H */
