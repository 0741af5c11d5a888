/*
 * model_run.h
 *		A model of the registry together with rows to run it on.
 *
 * forecast, hindcast and evaluate begin the same way: find the version, read the
 * rows (the model's own source or the caller's), prepare them with what the
 * model learned.  All of it lives in one memory context.
 */
#ifndef LSTM_MODEL_RUN_H
#define LSTM_MODEL_RUN_H

#include "postgres.h"

#include "core/nn_predict.h"
#include "funcapi.h"
#include "pg/registry.h"
#include "pg/source.h"

typedef struct ModelRun
{
	NnEnv	   *env;
	RegistryRow *row;
	const RegistryRow *lender;	/* whose stored source is read, where one is: row, or that of a joint
								 * model */
	const NnModel *model;
	SourceRoles roles;
	bool		skips;			/* bad series are left out */
	SourceData *data;
	NnData	   *prepared;
	struct SourceKept *kept;	/* what the session keeps of the source (source_cache.h) while it is
								 * being opened; NULL: nothing */
} ModelRun;

/*
 * Errors: those of registry_get, source_bind, source_read and features_forecast; 42501
 * when a superuser, or a role that is no member of the owner, would run the stored
 * source or holidays of another's model.  Where the model's "on_error" is "skip", bad and
 * too short series are left out with a WARNING.  source, future, as_of may be NULL.
 * model is a copy where a series is new to a model that scales each by itself: the
 * scale of such a series is that of its rows in the source.
 * horizon: steps that will be forecast after any row; 0: the model's own.
 */
extern ModelRun *model_run_open(const char *name, int version, const char *source,
								const char *future, const TimestampTz *as_of, uint32 horizon);

/* The same for a row that registry_get returned; lender: whose stored source is read. */
extern ModelRun *model_run_open_row(RegistryRow *row, const RegistryRow *lender,
									const char *source, const char *future,
									const TimestampTz *as_of, uint32 horizon);

/*
 * The same for forecasts from the newest rows only: fewer rows may be read where they give the
 * same ones (newest.h).  Windows at other origins would not be the same.
 */
extern ModelRun *model_run_open_newest(RegistryRow *row, const RegistryRow *lender,
									   const char *source, const char *future,
									   const TimestampTz *as_of, uint32 horizon);

/*
 * A model that was trained on a part of data (train_call.h, source_cut.h) together with all of
 * it.  The result has no row, and lives in env.
 */
extern ModelRun *model_run_on(NnEnv *env, const NnModel *model, SourceData *data);

/* Is anything known in that row of the whole? */
extern bool model_run_row_known(const NnSeries *series, uint32 row);

/* Error 42501, with that hint, where model_run_open would not run the stored source of row. */
extern void model_run_source_check(const RegistryRow *row, const char *hint);

/*
 * First row of series s, among the first so many, that is later than all that the model
 * was trained on; rows when none is.
 */
extern uint32 model_run_fresh(const ModelRun *run, uint32 s, uint32 rows);

/* Name of series s for output: NULL where the model has no series columns. */
extern const char *model_run_series(const ModelRun *run, uint32 s);

/* Number of the named series or target; error 22023 when there is none. */
extern uint32 model_run_series_find(const ModelRun *run, const char *name);
extern uint32 model_run_target_find(const ModelRun *run, const char *name);

/* {"column": "value", ...} of the series columns as jsonb, or 0. */
extern Datum model_run_series_key(const ModelRun *run, uint32 s);

/* Time of a row of the series for output; *index for integer time columns. */
extern Datum model_run_time(const ModelRun *run, uint32 s, int64 row, bool *isnull);
extern Datum model_run_index(const ModelRun *run, uint32 s, int64 row, bool *isnull);

/* Position in time as text, for messages. */
extern const char *model_run_when(const ModelRun *run, uint32 s, int64 row);

/* The window that ends at the last known row of series s; error 22000 when it is too short. */
extern NnWindow model_run_newest(const ModelRun *run, uint32 s);

/* Runs nn_predict with denormals flushed, whatever happens. */
extern void model_run_predict(NnPredictor *predictor, const NnData *data,
							  const NnWindow *windows, uint32_t n, uint32_t horizon,
							  const double *level, uint32_t nlevels, double *point, double *low,
							  double *high);

/* A predictor for the run's model. */
extern NnPredictor *model_run_predictor(const ModelRun *run, uint32 windows, uint32 horizon);

/*
 * The same for one window at a time, from the session's cache where it can be;
 * model_run_predictor_done gives it back.
 */
extern NnPredictor *model_run_predictor_kept(const ModelRun *run, uint32 horizon);
extern void model_run_predictor_done(const ModelRun *run);

/* Fails unless the future covariates of a window are known for horizon steps. */
extern void model_run_future_check(const ModelRun *run, const NnWindow *window, uint32 horizon);

/*
 * False where sites are forecast together and no target of series s is known within the
 * newest context: it died while others went on, and there is nothing to forecast it from.
 */
extern bool model_run_alive(const ModelRun *run, uint32 s);

/* A NOTICE that names those series. */
extern void model_run_dead_notice(const ModelRun *run);

/* A NOTICE for each array column that no row of the newest context of some series knows. */
extern void model_run_arrays_notice(const ModelRun *run);

/* ------------------------------------------------------------------------
 * Arguments of SQL functions
 */

/* Text argument, or NULL. */
extern char *argument_text(FunctionCallInfo fcinfo, int i);

/* The same, but NULL is error 22004 naming the argument. */
extern char *argument_text_required(FunctionCallInfo fcinfo, int i, const char *name);

/* A number of steps, 1 to NN_MAX_STEPS; otherwise when NULL. */
extern uint32 argument_steps(FunctionCallInfo fcinfo, int i, const char *name, uint32 otherwise);

/* A version number (0 when NULL: the deployed one). */
extern int	argument_version(FunctionCallInfo fcinfo, int i);

/* A probability between 0 and 1, both excluded; NULL is an error. */
extern double argument_level(FunctionCallInfo fcinfo, int i);

/*
 * Prepares the result of a function RETURNS TABLE, written whole into a tuple
 * store; the function then returns (Datum) 0.  Error 0A000 where no set is taken.
 */
extern ReturnSetInfo *result_begin(FunctionCallInfo fcinfo);

/* A number of a result row; NaN becomes NULL. */
extern void result_float(double value, Datum *datum, bool *isnull);

/* Adds a row to it. */
extern void result_put(ReturnSetInfo *rsinfo, Datum *values, bool *nulls);

#endif							/* LSTM_MODEL_RUN_H */
