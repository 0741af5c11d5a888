/*
 * forecast.h
 *		Forecasts from the newest rows of a model that is open.
 *
 * What lstm.forecast and lstm.refresh_forecasts share: where the forecasts go is the
 * caller's matter.
 */
#ifndef LSTM_FORECAST_H
#define LSTM_FORECAST_H

#include "postgres.h"

#include "pg/joint_model.h"

/*
 * Of every series: put gets a window, point, low and high [horizon][ntargets] (NaN: nothing
 * is known), in a memory context that is emptied now and then.  run, joint and horizon are
 * what joint_or_model_open gave; level: of the intervals, between 0 and 1.
 * Errors 22000: too few rows, future covariates that are missing.
 */
extern void forecast_newest(const ModelRun *run, JointModel *joint, uint32 horizon, double level,
							JointPut put, void *host);

#endif							/* LSTM_FORECAST_H */
