/*
 * newest.h
 *		Which rows of its source a forecast from the newest ones depends on.
 *
 * A network looks back on its context, simple members on ten seasons or 2,000 rows,
 * adaptive intervals on the origins that they learn from; all of it ends at the last row
 * with a known target.  Rows before that change nothing, unless something is unknown: a
 * gap is filled from the last known value, however long ago.  So the newest rows are read,
 * more than seem needed, and then it is checked, on the rows themselves, that those before
 * them could change nothing.  Where they could, more are read, and at last all.
 *
 * What is checked is enough for the same bits:
 *	- places on the grid count from the first row; steps of microseconds, integers, days and
 *	  business days lie alike from wherever one counts (months do not: all is read);
 *	- as many rows up to the last known target as are needed stand on the grid, and one
 *	  before them, which may have a twin that was not read;
 *	- every channel knows a value at or before the first of these rows (but not in that one
 *	  before), so that filling from earlier ones is at its end there ("seasonal" reaches
 *	  farther: then nothing may be unknown; "mean" and "mask" do not look back);
 *	- static covariates are known, and two neighbours are one step apart, as the check
 *	  against rows of another step wants.
 */
#ifndef LSTM_NEWEST_H
#define LSTM_NEWEST_H

#include "postgres.h"

#include "pg/model_run.h"

/*
 * Rows to ask the source of a run for, whose model and roles are known; 0: all of them.
 * horizon: steps to forecast from its end.  as_of may be NULL.
 */
extern uint64 newest_rows(const ModelRun *run, uint32 horizon, const TimestampTz *as_of);

/* Are those that were read enough, as far as rows alone can say? */
extern bool newest_rows_suffice(const ModelRun *run, uint32 horizon);

/* And the same of rows that were prepared. */
extern bool newest_data_suffice(const ModelRun *run, uint32 horizon);

/* How many to ask for where so many were not enough; 0: all. */
extern uint64 newest_rows_more(const ModelRun *run, uint64 rows);

#endif							/* LSTM_NEWEST_H */
