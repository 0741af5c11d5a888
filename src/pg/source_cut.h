/*
 * source_cut.h
 *		Rows of a part of the past, as if no others had been read.
 */
#ifndef LSTM_SOURCE_CUT_H
#define LSTM_SOURCE_CUT_H

#include "postgres.h"

#include "pg/source.h"

/* Rows of each series, counted from its first: [nseries] each. */
typedef struct SourceCut
{
	uint32	   *from;			/* first row */
	uint32	   *known;			/* from there on targets and past covariates are unknown */
	uint32	   *to;				/* behind the last row; not above from: without the series */
} SourceCut;

/*
 * A copy of those rows in env.  nknown: channels that are targets and past covariates.
 * history becomes the rows up to known; or, with least above 0, those up to the last
 * known target among the first ntargets channels, and a series with fewer than least is
 * left out.  *kept [nseries of the result] (NULL: not asked for) gets the number that
 * each series had.  Costs a pass over the rows.  Texts and keys are shared with data.
 */
extern SourceData *source_cut(const NnEnv *env, const SourceData *data, const SourceCut *cut,
							  uint32 ntargets, uint32 nknown, uint32 least, uint32 **kept);

#endif							/* LSTM_SOURCE_CUT_H */
