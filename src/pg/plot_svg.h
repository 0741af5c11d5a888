/*
 * plot_svg.h
 *		The few shapes that our pictures are drawn with.
 *
 * Coordinates are pixels of the picture, y downwards.  A class is one of the
 * names in the style sheet of plot_svg.c ("history", "grid", ...); colours and
 * widths are there and nowhere else, but for those of maps (plot_map.c).
 */
#ifndef LSTM_PLOT_SVG_H
#define LSTM_PLOT_SVG_H

#include "postgres.h"

#include "core/nn_json.h"

/* Opens and closes the picture. */
extern void plot_begin(NnText *svg, int width, int height, const char *title);
extern void plot_end(NnText *svg);

/* Text as XML and HTML hold it: what they reserve becomes entities, what they forbid blanks. */
extern void plot_escape(NnText *svg, const char *text);

/* The same, but line feeds stay. */
extern void plot_escape_lines(NnText *svg, const char *text);

/*
 * anchor: "start", "middle" or "end"; text is escaped, and cut to what fits into
 * max_width pixels at the size of the class (0: whole).
 */
extern void plot_text(NnText *svg, double x, double y, const char *class, const char *anchor,
					  const char *text, double max_width);

extern void plot_line(NnText *svg, const char *class, double x1, double y1, double x2, double y2);
extern void plot_rect(NnText *svg, const char *class, double x, double y, double width,
					  double height);
extern void plot_circle(NnText *svg, const char *class, double x, double y, double radius);

/*
 * Through n points, x ascending; NaN in y parts the line where the gap can be seen, which
 * is from a pixel on; a lone point becomes a dot.  Of the points that share a pixel
 * column the first, least, greatest and last are drawn, so that the text is bounded by
 * the width: about 60 bytes a pixel.  Linear in the points.
 */
extern void plot_polyline(NnText *svg, const char *class, uint32 n, const double *x,
						  const double *y);

/* Between y1 and y2; NaN in either parts the band.  Bounded in the same way. */
extern void plot_band(NnText *svg, const char *class, uint32 n, const double *x,
					  const double *y1, const double *y2);

/* About how wide text is in pixels at the font size. */
extern double plot_text_width(const char *text, double font_size);

#endif							/* LSTM_PLOT_SVG_H */
