/*
 * train_run.h
 *		lstm.train in steps, for those who do something in between.
 *
 * lstm.train takes them in one statement.  A background job commits after the
 * rows are read, so that no snapshot and no lock is held while epochs run, and
 * lstm.retrain cuts the rows and judges the model before it is stored.
 */
#ifndef LSTM_TRAIN_RUN_H
#define LSTM_TRAIN_RUN_H

#include "postgres.h"

#include "fmgr.h"
#include "portability/instr_time.h"

#include "pg/train_call.h"
#include "pg/training.h"

/* Arguments of lstm.train: the model's name, then those of train_call.h from the source on. */
#define TRAIN_NARGS 12

typedef struct TrainRun
{
	const NnEnv *env;			/* everything lives in its memory context */
	char	   *name;
	char	   *arguments;		/* the call as JSON, see train_arguments_text */
	char	   *search_path;	/* that its queries are looked up in */
	TrainCall  *call;
	TrainingInput input;		/* data: the rows; may be replaced by a cut before train_fit */
	NnModel    *model;			/* NULL before train_fit */
	instr_time	start;

	/* For lstm.retrain; train_open leaves them as lstm.train wants them. */
	bool		deploy;			/* set by train_fit; the version is deployed */
	int			retrain_of;		/* version that is trained again; 0: none */
	int			warm_from;		/* version whose parameters it begins with; 0: none */
	const char *verdict;		/* JSON that becomes "retrain" of the metrics; NULL: none */
} TrainRun;

/*
 * Checks names and options and reads the rows, with the caller's rights; all of it lives
 * in the current memory context, which must last as long as the run.  Needs a snapshot;
 * touches no table afterwards.  Errors as of lstm.train.
 */
extern TrainRun *train_open(FunctionCallInfo fcinfo);

/*
 * The same for a call that was stored: the caller has set search_path and time zone, and
 * checked who may add a version.  The rows are read as a stored source's are: without
 * writing, and as the active snapshot sees them.
 */
extern TrainRun *train_open_stored(FunctionCallInfo fcinfo);

/* Reads the model of option "from_model", where there is one.  Needs a snapshot. */
extern void train_prepare(TrainRun *run);

/* Trains; needs a transaction, but neither snapshot nor table. */
extern void train_fit(TrainRun *run);

/*
 * Inserts the model as the next version, and says by NOTICE or WARNING what is to be
 * said of it.  Needs a snapshot.  Returns the version.
 */
extern int	train_store(TrainRun *run);

/* Seconds since train_open. */
extern double train_seconds(const TrainRun *run);

/* ------------------------------------------------------------------------
 * The call as a value
 */

/*
 * {"model": ..., "source": ..., ...}: the arguments of lstm.train that are not NULL.  Text is
 * in the database's encoding, and UTF-8 once it is parsed.
 */
extern char *train_arguments_text(const NnEnv *env, FunctionCallInfo fcinfo);

/*
 * The other way: sets the TRAIN_NARGS arguments of fcinfo (what is not in the text becomes
 * NULL), in the current memory context.  Error 22023 when the text is no such object.
 */
extern void train_arguments_fill(const NnEnv *env, const char *text, FunctionCallInfo fcinfo);

extern NnJson *train_arguments_parse(const NnEnv *env, const char *text);
extern const char *train_arguments_utf8(const char *text);
extern char *train_arguments_server(const char *utf8);

#endif							/* LSTM_TRAIN_RUN_H */
