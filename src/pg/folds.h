/*
 * folds.h
 *		Rolling origin: a model trained on each part of the past and judged on what came.
 *
 * A fold is a moment.  Series are cut at the same moment, so that none tells another's
 * future; a series that ends before it is trained on but not judged, one with too few
 * rows before it is left out.  Training, preparation included, sees rows before the
 * moment less the gap; forecasts look back on all rows before the moment, and on known
 * future covariates after it (Tashman 2000, "Out-of-sample tests of forecasting
 * accuracy").
 *
 * A fold costs a training, copies of its rows, and a forecast of each series.
 */
#ifndef LSTM_FOLDS_H
#define LSTM_FOLDS_H

#include "postgres.h"

#include "pg/metrics.h"
#include "pg/train_call.h"

typedef enum FoldMethod
{
	FOLD_NETWORK,				/* the networks alone */
	FOLD_MODEL,					/* with simple members, where there are any */
	FOLD_NAIVE, FOLD_SEASONAL_NAIVE, FOLD_DRIFT, FOLD_MEAN, FOLD_HOLT_WINTERS, FOLD_THETA, FOLD_AR
} FoldMethod;

#define FOLD_METHODS 9

/* Folds of one call at the most. */
#define FOLDS_MOST 1000

typedef struct FoldSettings
{
	uint32		folds, stride, gap;
	bool		expanding;		/* else each trains on as many rows as the first */
} FoldSettings;

/* Rows of each series [nseries], counted from its first. */
typedef struct Fold
{
	uint32		row;			/* of the plan's series: the first that is judged */
	uint32	   *from, *cut, *test;	/* trained on from..cut - 1, judged from test on */
} Fold;

typedef struct FoldPlan
{
	const SourceData *data;
	const SourceRoles *roles;
	uint32		horizon;
	uint32		needed;			/* rows before the cut that a series must have */
	double		level;			/* of the intervals */
	uint32		series;			/* whose end is the last: it gives the moments */
	uint32		folds;
	Fold	   *fold;			/* [folds], ascending in time */
} FoldPlan;

typedef struct FoldResult
{
	MetricSums *sums[FOLD_METHODS]; /* [ntargets] each */
	bool		joint;			/* the model has simple members */
	uint64		rows;			/* trained on */
} FoldResult;

/*
 * Plans over data.  needed: rows that every judged series must have before a fold's
 * cut.  Error 22000 when the folds do not fit, with all numbers.
 */
extern FoldPlan *folds_plan(const NnEnv *env, const SourceData *data, const SourceRoles *roles,
							uint32 horizon, uint32 needed, double level,
							const FoldSettings *settings);

/*
 * Rows before the cut that spec cannot do without, for so many series; a context that nobody
 * gave, or that is padded, counts little.
 */
extern uint32 folds_needed(const NnSpec *spec, bool context_given, uint32 nseries);

/* Result with empty sums. */
extern FoldResult *fold_result(const NnEnv *env, uint32 ntargets);

/*
 * Trains spec (not changed) on fold f and adds to result.  season: of the scales and
 * the simple methods, 0: found in the fold's rows.  methods: the classical methods, too.
 * All memory is given back.  Errors as of lstm.train.
 */
extern void fold_run(const FoldPlan *plan, uint32 f, const NnSpec *spec, bool context_given,
					 bool split_given, uint32 season, bool methods, FoldResult *result);

/* The series whose last known target is the newest; of several the longest. */
extern uint32 fold_series_newest(const SourceData *data);

/* First row of series s at or after time, at most its rows up to the last known target. */
extern uint32 fold_row_at(const SourceData *data, uint32 s, int64 time);

/* "network", "model", "naive", ... */
extern const char *fold_method_name(FoldMethod method);

#endif							/* LSTM_FOLDS_H */
