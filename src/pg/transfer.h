/*
 * transfer.h
 *		Training that begins with what another model has learned.
 */
#ifndef LSTM_TRANSFER_H
#define LSTM_TRANSFER_H

#include "postgres.h"

#include "core/nn_train.h"
#include "pg/training.h"

/*
 * With "from_model": reads that model (with the caller's rights) and takes its
 * layers, context and loss where the caller gives none of his own.  In env.
 */
extern void transfer_prepare(const NnEnv *env, TrainingInput *input);

/*
 * Parameters of tensors that have the same name and shape in the other model, before
 * the first step; freezes those of the layers that "freeze" names.  Error 22023 when
 * nothing matches (a NOTICE where input resumes), or no layer has such a name.
 */
extern void transfer_begin(TrainingInput *input, NnTrainer *trainer);

#endif							/* LSTM_TRANSFER_H */
