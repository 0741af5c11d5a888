/*
 * origins.h
 *		Forecasts from many past rows of a source: what hindcast and evaluate share.
 *
 * Walks over all series and, within each, over every stride-th row that has
 * context rows up to it and at least one row after it, forecasts tile by tile
 * and hands each origin to a callback, whose memory is taken back after it.  With
 * future covariates an origin needs all horizon rows after it.
 */
#ifndef LSTM_ORIGINS_H
#define LSTM_ORIGINS_H

#include "postgres.h"

#include "pg/model_run.h"

typedef struct Origins
{
	ModelRun   *run;
	uint32		horizon, stride;
	const double *level;		/* [nlevels] of the intervals wanted */
	uint32		nlevels;
	/*
	 * point [horizon][ntargets], low and high [nlevels][horizon][ntargets], NaN without
	 * interval.
	 */
	void		(*put) (void *host, const NnWindow *window, const double *point,
						const double *low, const double *high);
	/* Is a forecast from there wanted?  NULL: from all; else none at all is no error. */
	bool		(*wanted) (void *host, const NnWindow *window);
	void	   *host;
} Origins;

/* Returns the number of origins; error 22000 when there is none. */
extern uint64 origins_forecast(Origins *origins);

/* Actual value of target k, step h (from 0) after the window, or NaN. */
extern double origin_actual(const ModelRun *run, const NnWindow *window, uint32 h, uint32 k);

#endif							/* LSTM_ORIGINS_H */
