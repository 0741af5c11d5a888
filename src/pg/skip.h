/*
 * skip.h
 *		Series that are left out: which, why, and who is told.
 *
 * With "on_error": "skip" one bad series does not stop the others.  Reading leaves
 * out what cannot be laid on a grid (source_skip.c); here is what a model cannot
 * use.  Everybody left out is in SourceData.skip.
 */
#ifndef LSTM_SKIP_H
#define LSTM_SKIP_H

#include "postgres.h"

#include "core/nn_model.h"
#include "pg/source.h"

/* Adds a series to data->skip. */
extern void skips_add(const NnEnv *env, SourceData *data, const char *name, const char *reason);

/*
 * Leaves out the series whose reason[s] [nseries] is not NULL; the others move
 * together, in place.  Linear in the rows.  Error 22000 when none is left.
 */
extern void series_drop(const NnEnv *env, SourceData *data, const char *const *reason);

/*
 * Leaves out series with fewer than needed rows up to their last known target,
 * without a known target, or with numbers that cannot be computed with: beyond
 * 1e30, not above -1 under log1p, unknown under "missing": "error".  trains: nor may
 * a given future covariate be unknown behind the first context rows.
 */
extern void series_drop_unfit(const NnEnv *env, const NnSpec *spec, SourceData *data,
							  uint32 needed, bool trains);

/*
 * Rows that training asks of a series where bad ones are left out.  Unless the context
 * is given: three of the contexts that a series of median length gets, so that a
 * few short series do not shorten it for all.  Where windows are padded, two and "difference".
 */
extern uint32 skip_needed_rows(const NnEnv *env, const NnSpec *spec, const SourceData *data,
							   bool context_given);

/* Error 22000 that names the first series left out: no other is there. */
extern void skips_refuse_all(SourceData *data) __attribute__((noreturn));

/* One WARNING with up to 10 series and the number of the others; nothing when there is none. */
extern void skips_warn(SourceData *data);

/* Their number and up to NN_MAX_SKIPPED names, in order, into the report. */
extern void skips_report(const NnEnv *env, SourceData *data, NnReport *report);

#endif							/* LSTM_SKIP_H */
