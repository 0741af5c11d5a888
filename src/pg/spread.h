/*
 * spread.h
 *		Where a value lies in the distribution around a forecast.
 *
 * The distribution is read from central intervals of several probabilities: half of
 * what lies outside of one lies on each side.  Between two of them, and beyond the
 * outermost, half-widths are taken for straight along the normal distribution's z.
 */
#ifndef LSTM_SPREAD_H
#define LSTM_SPREAD_H

#include "postgres.h"

#include "pg/model_run.h"

typedef struct Spread
{
	uint32		nlevels;
	double		level[NN_MAX_LEVELS];	/* ascending */
} Spread;

/* Levels that tell a distribution, and extra (0: none) among them; its place in *at. */
extern Spread spread_levels(double extra, uint32 *at);

/*
 * Probability of the central interval around point that just reaches value.  low and
 * high are those of the first level; the next level's are stride further.  NaN without
 * interval.
 */
extern double spread_level(const Spread *spread, double point, const double *low,
						   const double *high, size_t stride, double value);

/* Error 22023 unless the model gives intervals, whatever their source. */
extern void spread_check(const ModelRun *run);

#endif							/* LSTM_SPREAD_H */
