/*
 * lineage.h
 *		Where a version comes from: what of its rows is worth keeping beside it.
 *
 * The call that trained it is train_arguments_text's (train_run.h); here is the summary
 * of its rows.
 */
#ifndef LSTM_LINEAGE_H
#define LSTM_LINEAGE_H

#include "postgres.h"

#include "pg/source.h"

/* Of the extension, as in lstm.control. */
#define LSTM_VERSION "0.1.0"

/*
 * {"from", "to", "series", "rows", "sha256"} of the rows that a model is trained on: times of
 * the first and the last known target as lineage_time prints them, numbers of series and of
 * rows, and a digest of all that is known of them.  In env.  Costs 10 to 30 ms per million
 * values, by the processor's way of SHA-256; polls.
 */
extern char *lineage_data_text(const NnEnv *env, const SourceData *data);

/*
 * Time of a row of series s: text that its SQL type reads back, with the zone UTC where the
 * type has one; the number itself of integers.
 */
extern char *lineage_time(const NnEnv *env, const SourceData *data, uint32 s, int64 row);

/* The same as a number that orders times: UTC, wall clock, or the integer. */
extern int64 lineage_position(const SourceData *data, uint32 s, int64 row);

/* The number of a text that lineage_time made.  Errors 22007, 22008, 22P02. */
extern int64 lineage_position_read(const SourceData *data, const char *text);

#endif							/* LSTM_LINEAGE_H */
