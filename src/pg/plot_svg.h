/*
 * plot_svg.h
 *		The few shapes that our pictures are drawn with.
 *
 * Coordinates are pixels of the picture, y downwards.  A class is one of the
 * names in the style sheet of plot_svg.c ("history", "grid", ...); colours and
 * widths are there and nowhere else.
 */
#ifndef LSTM_PLOT_SVG_H
#define LSTM_PLOT_SVG_H

#include "postgres.h"

#include "core/nn_json.h"

/* A straight map of low .. high to the pixels from .. to. */
typedef struct PlotScale
{
	double		low, high;
	double		from, to;
} PlotScale;

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

/* Opens and closes the picture. */
extern void plot_begin(NnText *svg, int width, int height, const char *title);
extern void plot_end(NnText *svg);

/* anchor: "start", "middle" or "end"; text is escaped, and cut to max_bytes (0: whole). */
extern void plot_text(NnText *svg, double x, double y, const char *class, const char *anchor,
					  const char *text, int max_bytes);

extern void plot_line(NnText *svg, const char *class, double x1, double y1, double x2, double y2);

/* Through n points; NaN in y parts the line, a lone point becomes a dot. */
extern void plot_polyline(NnText *svg, const char *class, uint32 n, const double *x,
						  const double *y);

/* Between y1 and y2; NaN in either parts the band. */
extern void plot_band(NnText *svg, const char *class, uint32 n, const double *x,
					  const double *y1, const double *y2);

/* A sample (a line, or a box for a band) and its name; returns where the next one starts. */
extern double plot_legend(NnText *svg, double x, double y, const char *class, bool band,
						  const char *name);

/* About how wide text is in pixels at the font size. */
extern double plot_text_width(const char *text, double font_size);

#endif							/* LSTM_PLOT_SVG_H */
