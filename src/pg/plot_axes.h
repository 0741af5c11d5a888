/*
 * plot_axes.h
 *		Axes, legends and frames: what all our pictures have in common.
 *
 * A picture has a title, below it a legend, below that the area of the data with its
 * axes; so a legend never covers data.
 */
#ifndef LSTM_PLOT_AXES_H
#define LSTM_PLOT_AXES_H

#include "postgres.h"

#include "core/nn_calendar.h"
#include "pg/plot_svg.h"

#define PLOT_WIDTH 860
#define PLOT_HEIGHT 400
#define PLOT_MARGIN 16

/* Baselines of the title, the legend and the label over the value axis. */
#define PLOT_TITLE_Y 28
#define PLOT_LEGEND_Y 52
#define PLOT_LABEL_Y 76

/* A straight map of low .. high to the pixels from .. to. */
typedef struct PlotScale
{
	double		low, high;
	double		from, to;
	bool		log;			/* low and high are logarithms to base 10; values are not */
} PlotScale;

/* Pixel of a value; NaN for one that is none, or has no logarithm. */
extern double plot_scale(const PlotScale *scale, double value);

#define PLOT_MAX_TICKS 12

typedef struct PlotTicks
{
	int			n;
	double		at[PLOT_MAX_TICKS + 2];
	char		label[PLOT_MAX_TICKS + 2][32];
} PlotTicks;

/*
 * Widens low .. high to multiples of 1, 2 or 5 times a power of ten and lists
 * them, at most max.  Works over the whole range of finite doubles; low = high is
 * widened around the value.
 */
extern void plot_ticks_nice(double *low, double *high, int max, PlotTicks *ticks);

/*
 * The same on a logarithmic axis, low > 0: powers of ten, and 2 and 5, or 3, times them
 * where there is room; *low and *high become logarithms.
 */
extern void plot_ticks_log(double *low, double *high, int max, PlotTicks *ticks);

/* The area of the data, in pixels. */
typedef struct PlotFrame
{
	double		left, right, top, bottom;
	int			width, height;	/* of the picture */
} PlotFrame;

/* Opens a picture of that size; the frame leaves room for title, legend and labels. */
extern PlotFrame plot_frame(NnText *svg, int width, int height, const char *title);

/* A line in the middle of the picture, in place of data. */
extern void plot_nothing(NnText *svg, const PlotFrame *frame, const char *why);

/* Widens *low .. *high to take in those of n values (NULL: none) that are finite. */
extern void plot_range(double *low, double *high, uint32 n, const double *values);

/*
 * Draws an upright axis for low .. high with grid and label, and returns its scale; the
 * frame's left becomes what the longest tick leaves.
 */
extern PlotScale plot_value_axis(NnText *svg, PlotFrame *frame, double low, double high, bool log,
								 const char *label);

/* Draws an axis of times (NN_TIME_INTEGER: of numbers) below the frame, and returns its scale. */
extern PlotScale plot_time_axis(NnText *svg, const PlotFrame *frame, NnTimeKind kind, int64 from,
								int64 to);

/* The note at the lower right. */
extern void plot_note(NnText *svg, const PlotFrame *frame, const char *text);

typedef enum PlotSample
{
	PLOT_SAMPLE_LINE, PLOT_SAMPLE_BOX, PLOT_SAMPLE_DOT
} PlotSample;

/* A sample and its name on the legend's line; returns where the next one starts. */
extern double plot_legend(NnText *svg, double x, const char *class, PlotSample sample,
						  const char *name);

#endif							/* LSTM_PLOT_AXES_H */
