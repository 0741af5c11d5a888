/*
 * joint.h
 *		What is put around the networks: simple members, weights, intervals.
 */
#ifndef LSTM_JOINT_H
#define LSTM_JOINT_H

#include "postgres.h"

#include "pg/trial.h"

/*
 * From what the trial judged: the weights of the model's members (spec.members), the
 * widths of its intervals, and the figures of its report; then the parameters of the
 * simple members on all rows.
 */
extern void joint_fit(const NnEnv *env, const TrainingInput *input, const Trial *trial,
					  NnModel *model);

#endif							/* LSTM_JOINT_H */
