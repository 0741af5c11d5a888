/*
 * plot.h
 *		Pictures of models as SVG.
 *
 * A picture is one self-contained <svg> element: styled for light and dark pages
 * by a media query, no script, no font of its own, no reference to the outside;
 * it carries a <title> for those who cannot see it.  Text is in the server's
 * encoding and escaped.  All pictures live in env's memory.
 *
 *	plot.c			a forecast after its history
 *	plot_model.c	lstm.plot_forecast: its numbers
 *	plot_training.c lstm.plot_training: losses by epoch
 *	plot_bars.c		lstm.plot_importance
 *	plot_map.c		lstm.map_picture, which lstm.plot_map of lstm_postgis calls
 *	plot_axes.c		axes, legends and frames of them all
 *	plot_svg.c		lines, bands, text
 */
#ifndef LSTM_PLOT_H
#define LSTM_PLOT_H

#include "postgres.h"

#include "core/nn_calendar.h"
#include "pg/joint_model.h"

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
 * Long series are thinned to what the width can show (first, least, greatest and last
 * value of each pixel column), so the text stays below about 100 kB.  An interval that is
 * many times wider than all values is cut at the axis, and the legend says so.
 */
extern char *plot_forecast_svg(const NnEnv *env, const PlotForecast *plot);

/* What of a model is drawn. */
typedef struct PlotCall
{
	const char *model;
	uint32		series, target;
	uint32		horizon;		/* checked */
	uint32		history;		/* rows; 0: as lstm.plot_forecast says */
	double		level;
} PlotCall;

/* The forecast of one series and target of an open model; joint: NULL, or the joint model. */
extern char *plot_model_svg(const ModelRun *run, JointModel *joint, const PlotCall *call);

/* Losses by epoch; one that never got a validation loss has one line. */
extern char *plot_training_svg(const NnEnv *env, const char *title, const NnReport *report);

typedef struct PlotBar
{
	const char *name;
	double		value;			/* finite */
} PlotBar;

/* Bars to be drawn; further ones are counted in a line below. */
#define PLOT_MAX_BARS 20

/* Horizontal bars in the order given; axis: what the numbers are. */
extern char *plot_bars_svg(const NnEnv *env, const char *title, const char *axis,
						   const PlotBar *bars, uint32 n);

/* The picture of lstm.plot_importance of an open model that is not joint. */
typedef struct PlotImportance
{
	const char *model;
	ModelRun   *run;
	uint32		series, target; /* PG_UINT32_MAX: all */
	uint32		horizon;		/* checked */
	uint64		seed;
} PlotImportance;

extern char *plot_importance_svg(const PlotImportance *call);

/* The text of a picture as a value of type xml, in context. */
extern Datum plot_xml(MemoryContext context, const char *svg);

#endif							/* LSTM_PLOT_H */
