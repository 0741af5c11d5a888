/*
 * train_call.h
 *		Arguments and rows of lstm.train, as lstm.backtest and lstm.tune take them, too.
 *
 * Names and options are checked before the source is read.
 */
#ifndef LSTM_TRAIN_CALL_H
#define LSTM_TRAIN_CALL_H

#include "postgres.h"

#include "fmgr.h"

#include "core/nn_json.h"
#include "core/nn_spec.h"
#include "pg/source.h"

typedef struct TrainCall
{
	NnJson	   *options;		/* NULL: none */
	uint32		horizon, context;
	bool		context_given;
	Source	   *source;
} TrainCall;

/*
 * From eleven arguments, source to options in the order of lstm.train; the first is
 * argument number first.  Lives in env.  Errors as of lstm.train.
 */
extern TrainCall *train_call_open(const NnEnv *env, FunctionCallInfo fcinfo, int first);

/* Refuses "from_model", which would have seen rows that are to be judged. */
extern void train_call_refuse_transfer(const NnEnv *env, const TrainCall *call);

/* A number between min and max; error 22004 when it is NULL, 22023 out of range. */
extern uint32 argument_number(FunctionCallInfo fcinfo, int i, const char *name, int32 min,
							  int32 max);

/* Options (NULL: none) as a spec for this call's columns; sets split_given. */
extern NnSpec *train_call_spec(const NnEnv *env, const TrainCall *call, const NnJson *options,
							   bool *split_given);

/*
 * Reads and prepares the rows as lstm.train does; completes what spec says of columns
 * (categories, calendar).
 */
extern SourceData *train_call_read(const NnEnv *env, const TrainCall *call, NnSpec *spec);

/* What train_call_read put into spec, for another spec on the same rows. */
extern void train_call_copy(const NnSpec *spec, NnSpec *to);

#endif							/* LSTM_TRAIN_CALL_H */
