/*
 * forecast.h
 *		Forecasts from the newest rows of a model that is open.
 *
 * What lstm.forecast, lstm.refresh_forecasts, lstm.exceedance and the plots share: where the
 * forecasts go is the caller's matter.
 */
#ifndef LSTM_FORECAST_H
#define LSTM_FORECAST_H

#include "postgres.h"

#include "pg/joint_model.h"

/*
 * Of every series: put gets a window, point [horizon][ntargets], low and high
 * [nlevels][horizon][ntargets] (NaN: nothing is known), in a memory context that is emptied
 * now and then.  run, joint and horizon are what joint_or_model_open gave; level [nlevels]: of
 * the intervals, between 0 and 1.
 * Errors 22000: too few rows, future covariates that are missing.
 */
extern void forecast_newest(const ModelRun *run, JointModel *joint, uint32 horizon,
							const double *level, uint32 nlevels, JointPut put, void *host);

/* The same for series s of a model that is not joint, at one level. */
extern void forecast_series(const ModelRun *run, uint32 s, uint32 horizon, double level,
							JointPut put, void *host);

#endif							/* LSTM_FORECAST_H */
