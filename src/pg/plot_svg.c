/*
 * plot_svg.c
 *		The few shapes that our pictures are drawn with.
 *
 * Knows pixels and text, not time nor models.  Numbers are printed with one
 * decimal, so a picture is the same text wherever it is made.  Contrast of text
 * and lines against both backgrounds is at least 4.5 : 1 (WCAG 2.1, AA); the
 * grid is fainter on purpose.  Blue and orange are apart for all kinds of colour
 * vision, and the one that stands for what was not trained on is dashed as well.
 */
#include "postgres.h"

#include <math.h>

#include "mb/pg_wchar.h"
#include "miscadmin.h"

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
".lstm-plot .forecast,.lstm-plot .loss{stroke:#1d4ed8;fill:none;stroke-width:2;stroke-linejoin:round}"
".lstm-plot .validation{stroke:#c2410c;fill:none;stroke-width:2;stroke-linejoin:round;stroke-dasharray:6 3}"
".lstm-plot circle.history{fill:#475569;stroke:none}"
".lstm-plot circle.forecast,.lstm-plot circle.loss,.lstm-plot .bar{fill:#1d4ed8;stroke:none}"
".lstm-plot circle.validation,.lstm-plot circle.best{fill:#c2410c;stroke:none}"
".lstm-plot .against{fill:#64748b;stroke:none}"
".lstm-plot .band{fill:#3b82f6;fill-opacity:.22;stroke:none}"
".lstm-plot .unknown{fill:none;stroke:#64748b;stroke-width:1}"
".lstm-plot .edge{stroke:#0f172a;stroke-opacity:.55;stroke-width:.75}"
".lstm-plot .halo{paint-order:stroke;stroke:#fff;stroke-width:3px;stroke-linejoin:round}"
"@media (prefers-color-scheme:dark){"
".lstm-plot text{fill:#cbd5e1}"
".lstm-plot .title{fill:#f8fafc}"
".lstm-plot .background{fill:#0f172a}"
".lstm-plot .grid{stroke:#273449}"
".lstm-plot .axis,.lstm-plot .origin,.lstm-plot .unknown{stroke:#94a3b8}"
".lstm-plot .history{stroke:#cbd5e1}"
".lstm-plot .forecast,.lstm-plot .loss{stroke:#60a5fa}"
".lstm-plot .validation{stroke:#fb923c}"
".lstm-plot circle.history{fill:#cbd5e1}"
".lstm-plot circle.forecast,.lstm-plot circle.loss,.lstm-plot .bar{fill:#60a5fa}"
".lstm-plot circle.validation,.lstm-plot circle.best{fill:#fb923c}"
".lstm-plot .against{fill:#94a3b8}"
".lstm-plot .band{fill:#60a5fa;fill-opacity:.28}"
".lstm-plot .edge{stroke:#f8fafc}"
".lstm-plot .halo{stroke:#0f172a}"
"}"
"</style>";

/* ------------------------------------------------------------------------
 * Text
 */

/* U+FFFE and U+FFFF are characters of UTF-8 and none of XML. */
static bool
is_noncharacter(const char *text, size_t length)
{
	return length >= 3 && GetDatabaseEncoding() == PG_UTF8 &&
		(memcmp(text, "\xef\xbf\xbe", 3) == 0 || memcmp(text, "\xef\xbf\xbf", 3) == 0);
}

static void
text_escape(NnText *svg, const char *text, size_t length)
{
	for (size_t i = 0; i < length; i++)
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

void
plot_escape(NnText *svg, const char *text)
{
	text_escape(svg, text, strlen(text));
}

void
plot_escape_lines(NnText *svg, const char *text)
{
	for (;;)
	{
		const char *end = strchr(text, '\n');

		text_escape(svg, text, end ? (size_t) (end - text) : strlen(text));
		if (end == NULL)
			return;
		nn_text_append(svg, "\n", 1);
		text = end + 1;
	}
}

/* Characters of the far east take two columns, others 0.58 of the font's size. */
static double
character_width(const char *at, double font_size)
{
	return 0.58 * font_size * Max(pg_dsplen(at), 0);
}

double
plot_text_width(const char *text, double font_size)
{
	double		width = 0;

	for (; *text != '\0'; text += pg_mblen(text))
		width += character_width(text, font_size);
	return width;
}

/* Bytes of text that fit into so many pixels, with room for an ellipsis. */
static size_t
text_fit(const char *text, double font_size, double max_width)
{
	const char *at = text;
	double		width = 3 * 0.58 * font_size;

	while (*at != '\0' && (width += character_width(at, font_size)) <= max_width)
		at += pg_mblen(at);
	return at - text;
}

void
plot_text(NnText *svg, double x, double y, const char *class, const char *anchor,
		  const char *text, double max_width)
{
	size_t		length = strlen(text);
	double		size = strcmp(class, "title") == 0 ? 16 : 12;
	bool		cut = max_width > 0 && plot_text_width(text, size) > max_width;

	nn_text_print(svg, "<text class=\"%s\" x=\"%.1f\" y=\"%.1f\" text-anchor=\"%s\">", class, x, y,
				  anchor);
	text_escape(svg, text, cut ? text_fit(text, size, max_width) : length);
	nn_text_print(svg, "%s</text>", cut ? "..." : "");
}

void
plot_begin(NnText *svg, int width, int height, const char *title)
{
	nn_text_print(svg, "<svg xmlns=\"http://www.w3.org/2000/svg\" class=\"lstm-plot\" role=\"img\""
				  " width=\"%d\" height=\"%d\" viewBox=\"0 0 %d %d\"><title>", width, height, width,
				  height);
	plot_escape(svg, title);
	nn_text_print(svg, "</title>");
	nn_text_append(svg, style_sheet, sizeof(style_sheet) - 1);
	nn_text_print(svg, "<rect class=\"background\" width=\"%d\" height=\"%d\"/>", width, height);
}

void
plot_end(NnText *svg)
{
	nn_text_print(svg, "</svg>");
}

/* ------------------------------------------------------------------------
 * Shapes
 */

void
plot_line(NnText *svg, const char *class, double x1, double y1, double x2, double y2)
{
	nn_text_print(svg, "<line class=\"%s\" x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\"/>", class,
				  x1, y1, x2, y2);
}

void
plot_rect(NnText *svg, const char *class, double x, double y, double width, double height)
{
	nn_text_print(svg, "<rect class=\"%s\" x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\"/>",
				  class, x, y, width, height);
}

void
plot_circle(NnText *svg, const char *class, double x, double y, double radius)
{
	nn_text_print(svg, "<circle class=\"%s\" cx=\"%.1f\" cy=\"%.1f\" r=\"%.1f\"/>", class, x, y,
				  radius);
}

/* ------------------------------------------------------------------------
 * Lines and bands
 */

/* Polls every few thousand points. */
static void
poll_sometimes(uint32 i)
{
	if (i % 65536 == 0)
		CHECK_FOR_INTERRUPTS();
}

/* After the last point of i's pixel column. */
static uint32
column_end(const double *x, uint32 i, uint32 end)
{
	uint32		next = i + 1;

	while (next < end && floor(x[next]) == floor(x[i]))
		next++;
	return next;
}

/*
 * After the last point of the line that begins at start, where y is known: gaps that are
 * narrower than a pixel part nothing.
 */
static uint32
run_end(const double *x, const double *y1, const double *y2, uint32 start, uint32 n)
{
	uint32		last = start;

	for (uint32 i = start + 1; i < n; i++)
	{
		poll_sometimes(i);
		if (!isfinite(y1[i]) || !isfinite(y2[i]))
			continue;
		if (i > last + 1 && x[i] - x[last] >= 1)
			break;
		last = i;
	}
	return last + 1;
}

/* Points i .. end - 1 share a pixel column: what of them an eye can tell apart. */
static void
column_append(NnText *svg, const double *x, const double *y, uint32 i, uint32 end)
{
	uint32		first = end,
				least = end,
				greatest = end,
				last = end;

	for (uint32 k = i; k < end; k++)
	{
		if (!isfinite(y[k]))
			continue;
		if (first == end)
			first = least = greatest = k;
		if (y[k] < y[least])
			least = k;
		if (y[k] > y[greatest])
			greatest = k;
		last = k;
	}
	for (uint32 k = first; k < end && k <= last; k++)
		if (k == first || k == least || k == greatest || k == last)
			nn_text_print(svg, " %.1f,%.1f", x[k], y[k]);
}

/* The points start .. end - 1, the outer ones known, as one line. */
static void
run_append(NnText *svg, const char *class, const double *x, const double *y, uint32 start,
		   uint32 end)
{
	if (end - start == 1)
	{
		plot_circle(svg, class, x[start], y[start], 2);
		return;
	}
	nn_text_print(svg, "<polyline class=\"%s\" points=\"", class);
	for (uint32 i = start, next; i < end; i = next)
	{
		poll_sometimes(i);
		next = column_end(x, i, end);
		column_append(svg, x, y, i, next);
	}
	nn_text_print(svg, "\"/>");
}

void
plot_polyline(NnText *svg, const char *class, uint32 n, const double *x, const double *y)
{
	for (uint32 i = 0; i < n;)
	{
		uint32		end;

		poll_sometimes(i);
		if (!isfinite(y[i]))
		{
			i++;
			continue;
		}
		end = run_end(x, y, y, i, n);
		run_append(svg, class, x, y, i, end);
		i = end;
	}
}

/* The widest of the band among the points i .. end - 1; false: none is known. */
static bool
column_bounds(const double *y1, const double *y2, uint32 i, uint32 end, double *high, double *low)
{
	*low = -INFINITY;
	*high = INFINITY;
	for (; i < end; i++)
	{
		if (!isfinite(y1[i]) || !isfinite(y2[i]))
			continue;
		*low = Max(*low, Max(y1[i], y2[i]));
		*high = Min(*high, Min(y1[i], y2[i]));
	}
	return isfinite(*low);
}

static void
band_append(NnText *svg, const char *class, const double *x, const double *y1, const double *y2,
			uint32 start, uint32 end)
{
	double	   *corner = NN_NEW_ARRAY(svg->env, double, 3 * (size_t) (end - start));
	uint32		n = 0;

	for (uint32 i = start, next; i < end; i = next)
	{
		double	   *at = corner + 3 * (size_t) n;

		poll_sometimes(i);
		next = column_end(x, i, end);
		at[0] = x[i];
		n += column_bounds(y1, y2, i, next, &at[1], &at[2]);
	}
	nn_text_print(svg, "<polygon class=\"%s\" points=\"", class);
	for (uint32 i = 0; i < n; i++)
		nn_text_print(svg, " %.1f,%.1f", corner[3 * i], corner[3 * i + 1]);
	for (uint32 i = n; i-- > 0;)
		nn_text_print(svg, " %.1f,%.1f", corner[3 * i], corner[3 * i + 2]);
	nn_text_print(svg, "\"/>");
}

void
plot_band(NnText *svg, const char *class, uint32 n, const double *x, const double *y1,
		  const double *y2)
{
	for (uint32 i = 0; i < n;)
	{
		uint32		end;

		poll_sometimes(i);
		if (!isfinite(y1[i]) || !isfinite(y2[i]))
		{
			i++;
			continue;
		}
		end = run_end(x, y1, y2, i, n);
		if (end - i > 1)
			band_append(svg, class, x, y1, y2, i, end);
		else
			plot_line(svg, "forecast", x[i], y1[i], x[i], y2[i]);
		i = end;
	}
}
