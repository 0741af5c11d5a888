/*
 * plot.h
 *		Pictures of forecasts as SVG.
 *
 * A picture is one self-contained <svg> element: styled for light and dark pages
 * by a media query, no script, no font of its own, no reference to the outside;
 * it carries a <title> for those who cannot see it.  Text is in the server's
 * encoding and escaped.
 */
#ifndef LSTM_PLOT_H
#define LSTM_PLOT_H

#include "postgres.h"

#include "core/nn_calendar.h"

/*
 * Times ascend; they are as nn_calendar.h says for the kind: local (wall-clock)
 * microseconds, or integers.  Values that are NaN or infinite are gaps.
 */
typedef struct PlotForecast
{
	const char *title;			/* "pm25, next 24 steps" */
	const char *y_label;		/* the target's column, with its unit if known */
	NnTimeKind	kind;
	double		confidence_level;	/* of the interval, for the legend */

	uint32		nhistory;
	const int64 *history_time;	/* [nhistory] */
	const double *history;		/* [nhistory] */

	uint32		nforecast;
	const int64 *forecast_time; /* [nforecast] */
	const double *forecast;		/* [nforecast] */
	const double *lower, *upper;	/* [nforecast], NaN: no interval; NULL: none at all */
} PlotForecast;

/*
 * The picture's text, in env's memory.  Long series are thinned to what the
 * width can show (first, least, greatest and last value of each pixel column), so
 * the text stays below about 100 kB.
 */
extern char *plot_forecast_svg(const NnEnv *env, const PlotForecast *plot);

#endif							/* LSTM_PLOT_H */
