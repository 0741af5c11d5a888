/*
 * plot_svg.c
 *		The few shapes that our pictures are drawn with.
 *
 * Knows pixels and text, not time nor models.  Numbers are printed with one
 * decimal, so a picture is the same text wherever it is made.  Contrast of text
 * and lines against both backgrounds is at least 4.5 : 1 (WCAG 2.1, AA); the
 * grid is fainter on purpose.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "mb/pg_wchar.h"

#include "pg/plot_svg.h"

/* Names carry a prefix: several pictures and other styles may share a page. */
static const char style_sheet[] =
"<style>"
".lstm-plot{font-family:system-ui,-apple-system,\"Segoe UI\",\"DejaVu Sans\",sans-serif;font-size:12px}"
".lstm-plot text{fill:#334155;stroke:none}"
".lstm-plot .title{font-size:16px;font-weight:600;fill:#0f172a}"
".lstm-plot .background{fill:#fff}"
".lstm-plot .grid{stroke:#e2e8f0;stroke-width:1}"
".lstm-plot .axis{stroke:#64748b;stroke-width:1}"
".lstm-plot .origin{stroke:#64748b;stroke-width:1;stroke-dasharray:3 3}"
".lstm-plot .history{stroke:#475569;fill:none;stroke-width:1.5;stroke-linejoin:round}"
".lstm-plot .forecast{stroke:#1d4ed8;fill:none;stroke-width:2;stroke-linejoin:round}"
".lstm-plot circle.history{fill:#475569;stroke:none}"
".lstm-plot circle.forecast{fill:#1d4ed8;stroke:none}"
".lstm-plot .band{fill:#3b82f6;fill-opacity:.22;stroke:none}"
"@media (prefers-color-scheme:dark){"
".lstm-plot text{fill:#cbd5e1}"
".lstm-plot .title{fill:#f8fafc}"
".lstm-plot .background{fill:#0f172a}"
".lstm-plot .grid{stroke:#273449}"
".lstm-plot .axis,.lstm-plot .origin{stroke:#94a3b8}"
".lstm-plot .history{stroke:#cbd5e1}"
".lstm-plot .forecast{stroke:#60a5fa}"
".lstm-plot circle.history{fill:#cbd5e1}"
".lstm-plot circle.forecast{fill:#60a5fa}"
".lstm-plot .band{fill:#60a5fa;fill-opacity:.28}"
"}"
"</style>";

/* Halves first: high - low of two finite numbers may not be finite. */
double
plot_scale(const PlotScale *scale, double value)
{
	double		span = scale->high / 2 - scale->low / 2;
	double		part = span > 0 ? (value / 2 - scale->low / 2) / span : 0.5;

	return scale->from + part * (scale->to - scale->from);
}

/* ------------------------------------------------------------------------
 * Ticks
 */

/* The least of 1, 2, 5, 10 times a power of ten that is not below step. */
static double
step_nice(double step)
{
	double		power = pow(10, floor(log10(step)));
	double		digit = step / power;

	/* A hair of slack, so that 0.2 computed as 0.20000000000000001 stays 0.2. */
	return power * (digit <= 1 + 1e-9 ? 1 : digit <= 2 + 1e-9 ? 2 : digit <= 5 + 1e-9 ? 5 : 10);
}

/* As many decimals as the step has; powers of ten where that gets long. */
static void
tick_label(char label[32], double value, double step)
{
	int			decimals = (int) ceil(-log10(step) - 1e-9);

	if (fabs(value) < step / 2)
		value = 0;				/* no "-0", no rounding residue */
	if (fabs(value) >= 1e7 || decimals > 6)
		snprintf(label, 32, "%.6g", value);
	else
		snprintf(label, 32, "%.*f", Max(decimals, 0), value);
}

void
plot_ticks_nice(double *low, double *high, int max, PlotTicks *ticks)
{
	double		step,
				first,
				last;

	max = Min(max, PLOT_MAX_TICKS);
	if (!(*high > *low))
	{
		double		around = *low == 0 ? 1 : fabs(*low) / 10;

		*low -= around;
		*high += around;
	}

	/* One tick is lost to rounding outwards at either end. */
	step = step_nice(Max((*high / 2 - *low / 2) / (max - 1) * 2, DBL_MIN * 1e16));
	first = floor(*low / step);
	last = ceil(*high / step);
	while (last - first + 1 > max)
	{
		step = step_nice(step * 1.5);
		first = floor(*low / step);
		last = ceil(*high / step);
	}

	/* Near the ends of the doubles, and where the step drowns in the value's own digits. */
	if (!isfinite(first * step) || !isfinite(last * step) || last - first < 1)
	{
		ticks->n = 2;
		ticks->at[0] = *low;
		ticks->at[1] = *high;
		snprintf(ticks->label[0], 32, "%.6g", *low);
		snprintf(ticks->label[1], 32, "%.6g", *high);
		return;
	}
	*low = first * step;
	*high = last * step;
	ticks->n = (int) (last - first) + 1;
	for (int i = 0; i < ticks->n; i++)
	{
		ticks->at[i] = (first + i) * step;
		tick_label(ticks->label[i], ticks->at[i], step);
	}
}

/* ------------------------------------------------------------------------
 * Text
 */

/* U+FFFE and U+FFFF are characters of UTF-8 and none of XML. */
static bool
is_noncharacter(const char *text, int length)
{
	return length >= 3 && GetDatabaseEncoding() == PG_UTF8 &&
		(memcmp(text, "\xef\xbf\xbe", 3) == 0 || memcmp(text, "\xef\xbf\xbf", 3) == 0);
}

/* Characters that XML reserves become entities, those it forbids blanks. */
static void
text_escape(NnText *svg, const char *text, int length)
{
	for (int i = 0; i < length; i++)
	{
		unsigned char c = (unsigned char) text[i];

		if (c == '&')
			nn_text_print(svg, "&amp;");
		else if (c == '<')
			nn_text_print(svg, "&lt;");
		else if (c == '>')
			nn_text_print(svg, "&gt;");
		else if (c == '"')
			nn_text_print(svg, "&quot;");
		else if (c < 0x20 || c == 0x7f)
			nn_text_append(svg, " ", 1);
		else if (is_noncharacter(&text[i], length - i))
		{
			nn_text_append(svg, " ", 1);
			i += 2;
		}
		else
			nn_text_append(svg, &text[i], 1);
	}
}

double
plot_text_width(const char *text, double font_size)
{
	return 0.58 * font_size * pg_mbstrlen(text);
}

void
plot_text(NnText *svg, double x, double y, const char *class, const char *anchor,
		  const char *text, int max_bytes)
{
	int			length = (int) strlen(text);
	bool		cut = max_bytes > 0 && length > max_bytes;

	nn_text_print(svg, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", class, x, y,
				  anchor);
	text_escape(svg, text, cut ? pg_mbcliplen(text, length, max_bytes) : length);
	nn_text_print(svg, "%s</text>", cut ? "..." : "");
}

void
plot_begin(NnText *svg, int width, int height, const char *title)
{
	nn_text_print(svg, "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"lstm-plot\" role=\"img\""
				  " width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\"><title>", width, height, width,
				  height);
	text_escape(svg, title, (int) strlen(title));
	nn_text_print(svg, "</title>");
	nn_text_append(svg, style_sheet, sizeof(style_sheet) - 1);
	nn_text_print(svg, "<rect class=\"background\" width=\"%d\" height=\"%d\"/>", width, height);
}

void
plot_end(NnText *svg)
{
	nn_text_print(svg, "</svg>");
}

double
plot_legend(NnText *svg, double x, double y, const char *class, bool band, const char *name)
{
	if (band)
		nn_text_print(svg, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"22\" height=\"10\"/>",
					  class, x, y - 9);
	else
		plot_line(svg, class, x, y - 4, x + 22, y - 4);
	plot_text(svg, x + 28, y, "label", "start", name, 0);
	return x + 28 + plot_text_width(name, 12) + 22;
}

/* ------------------------------------------------------------------------
 * Lines and bands
 */

void
plot_line(NnText *svg, const char *class, double x1, double y1, double x2, double y2)
{
	nn_text_print(svg, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", class,
				  x1, y1, x2, y2);
}

/* Points i .. end - 1 share a pixel column: what of them an eye can tell apart. */
static void
column_append(NnText *svg, const double *x, const double *y, uint32 i, uint32 end)
{
	uint32		least = i,
				greatest = i;

	for (uint32 k = i; k < end; k++)
	{
		if (y[k] < y[least])
			least = k;
		if (y[k] > y[greatest])
			greatest = k;
	}
	for (uint32 k = i; k < end; k++)
		if (k == i || k == least || k == greatest || k == end - 1)
			nn_text_print(svg, " %.1f,%.1f", x[k], y[k]);
}

/* The points start .. end - 1, all known, as one line. */
static void
run_append(NnText *svg, const char *class, const double *x, const double *y, uint32 start,
		   uint32 end)
{
	if (end - start == 1)
	{
		nn_text_print(svg, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"2\"/>", class, x[start],
					  y[start]);
		return;
	}
	nn_text_print(svg, "<polyline class=\"%s\" points=\"", class);
	for (uint32 i = start; i < end;)
	{
		uint32		next = i + 1;

		while (next < end && floor(x[next]) == floor(x[i]))
			next++;
		column_append(svg, x, y, i, next);
		i = next;
	}
	nn_text_print(svg, "\"/>");
}

void
plot_polyline(NnText *svg, const char *class, uint32 n, const double *x, const double *y)
{
	for (uint32 i = 0; i < n;)
	{
		uint32		end = i;

		while (end < n && isfinite(y[end]))
			end++;
		if (end > i)
			run_append(svg, class, x, y, i, end);
		i = Max(end, i + 1);
	}
}

static void
band_append(NnText *svg, const char *class, const double *x, const double *y1, const double *y2,
			uint32 start, uint32 end)
{
	uint32		step = (end - start) / 2000 + 1;	/* more corners than pixels help nobody */

	nn_text_print(svg, "<polygon class=\"%s\" points=\"", class);
	for (uint32 i = start; i < end; i += step)
		nn_text_print(svg, " %.1f,%.1f", x[i], y1[i]);
	for (uint32 i = start + (end - 1 - start) / step * step;; i -= step)
	{
		nn_text_print(svg, " %.1f,%.1f", x[i], y2[i]);
		if (i == start)
			break;
	}
	nn_text_print(svg, "\"/>");
}

void
plot_band(NnText *svg, const char *class, uint32 n, const double *x, const double *y1,
		  const double *y2)
{
	for (uint32 i = 0; i < n;)
	{
		uint32		end = i;

		while (end < n && isfinite(y1[end]) && isfinite(y2[end]))
			end++;
		if (end - i > 1)
			band_append(svg, class, x, y1, y2, i, end);
		else if (end - i == 1)
			plot_line(svg, "forecast", x[i], y1[i], x[i], y2[i]);
		i = Max(end, i + 1);
	}
}
