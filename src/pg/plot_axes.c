/*
 * plot_axes.c
 *		Axes, legends and frames: what all our pictures have in common.
 *
 * Knows numbers and times, not where they come from.  Ticks are round numbers or
 * calendar times (nn_calendar.h); no two labels touch: there are only as many as the
 * widest leaves room for.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "pg/plot_axes.h"

#define VALUE_TICKS 7

/* Pixels that a label of the time axis wants, the gap beside it included. */
#define TIME_TICK 96
#define TIME_GAP 16

#define FONT_SIZE 12

/* Halves first: high - low of two finite numbers may not be finite. */
double
plot_scale(const PlotScale *scale, double value)
{
	double		span = scale->high / 2 - scale->low / 2;
	double		part;

	if (scale->log)
		value = value > 0 ? log10(value) : NAN;
	if (!isfinite(value))
		return NAN;
	part = span > 0 ? (value / 2 - scale->low / 2) / span : 0.5;
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

/* As many decimals as the step has; powers of ten, with the digits it takes, where that gets long. */
static void
tick_label(char label[32], double value, double step)
{
	int			decimals = (int) ceil(-log10(step) - 1e-9);

	if (fabs(value) < step / 2)
		value = 0;				/* no "-0", no rounding residue */
	if (fabs(value) >= 1e7 || decimals > 6)
		snprintf(label, 32, "%.*g", value == 0 ? 1 :
				 Max(1, Min(15, (int) ceil(log10(fabs(value)) + 1e-9) + decimals)), value);
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
	/* What differs in its last digits only is a constant, and looks like one. */
	if (!(*high / 2 - *low / 2 > 1e-12 * Max(fabs(*low), fabs(*high))))
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

/* Powers of ten and their parts; a step is one of 1; 1 and 3; 1, 2 and 5; or many decades. */
static void
log_label(char label[32], int decade, int digit)
{
	if (decade >= -4 && decade < 6)
		snprintf(label, 32, "%.*f", Max(-decade, 0), digit * pow(10, decade));
	else
		snprintf(label, 32, "%de%d", digit, decade);
}

static void
log_tick_add(PlotTicks *ticks, int decade, int digit, double low, double high)
{
	double		at = decade + log10(digit);

	if (ticks->n >= PLOT_MAX_TICKS || at < low - 1e-9 || at > high + 1e-9)
		return;
	ticks->at[ticks->n] = at;
	log_label(ticks->label[ticks->n++], decade, digit);
}

void
plot_ticks_log(double *low, double *high, int max, PlotTicks *ticks)
{
	int			first,
				last,
				step;

	*low = log10(*low);
	*high = log10(*high);
	first = (int) floor(*low);
	last = (int) ceil(*high);
	step = (last - first) / max + 1;
	ticks->n = 0;

	/* A little air, but no empty decade. */
	*low -= (*high - *low) * 0.04;
	*high += (*high - *low) * 0.04;
	for (int decade = first; decade <= last; decade += step)
	{
		log_tick_add(ticks, decade, 1, *low, *high);
		if (step == 1 && (last - first) * 3 <= max)
		{
			log_tick_add(ticks, decade, 2, *low, *high);
			log_tick_add(ticks, decade, 5, *low, *high);
		}
		else if (step == 1 && (last - first) * 2 <= max)
			log_tick_add(ticks, decade, 3, *low, *high);
	}
}

/* ------------------------------------------------------------------------
 * The frame
 */

PlotFrame
plot_frame(NnText *svg, int width, int height, const char *title)
{
	PlotFrame	frame = {
		.left = PLOT_MARGIN, .right = width - 22, .top = PLOT_LABEL_Y + 14, .bottom = height - 50,
		.width = width, .height = height
	};

	plot_begin(svg, width, height, title);
	plot_text(svg, PLOT_MARGIN, PLOT_TITLE_Y, "title", "start", title, width - 2 * PLOT_MARGIN);
	return frame;
}

void
plot_nothing(NnText *svg, const PlotFrame *frame, const char *why)
{
	plot_text(svg, frame->width / 2.0, (frame->top + frame->bottom) / 2, "label", "middle", why,
			  frame->width - 2 * PLOT_MARGIN);
}

void
plot_note(NnText *svg, const PlotFrame *frame, const char *text)
{
	plot_text(svg, frame->right, frame->height - 10, "label", "end", text,
			  frame->right - PLOT_MARGIN);
}

double
plot_legend(NnText *svg, double x, const char *class, PlotSample sample, const char *name)
{
	double		y = PLOT_LEGEND_Y;

	if (sample == PLOT_SAMPLE_BOX)
		plot_rect(svg, class, x, y - 9, 22, 10);
	else if (sample == PLOT_SAMPLE_DOT)
		plot_circle(svg, class, x + 11, y - 4, 4);
	else
		plot_line(svg, class, x, y - 4, x + 22, y - 4);
	plot_text(svg, x + 28, y, "label", "start", name, 0);
	return x + 28 + plot_text_width(name, FONT_SIZE) + 18;
}

/* ------------------------------------------------------------------------
 * Axes
 */

void
plot_range(double *low, double *high, uint32 n, const double *values)
{
	for (uint32 i = 0; values != NULL && i < n; i++)
		if (isfinite(values[i]))
		{
			*low = Min(*low, values[i]);
			*high = Max(*high, values[i]);
		}
}

/* The longest label decides how much room the axis takes. */
static double
axis_left(const PlotTicks *ticks)
{
	double		widest = 0;

	for (int i = 0; i < ticks->n; i++)
		widest = Max(widest, plot_text_width(ticks->label[i], FONT_SIZE));
	return PLOT_MARGIN + widest + 8;
}

PlotScale
plot_value_axis(NnText *svg, PlotFrame *frame, double low, double high, bool log, const char *label)
{
	PlotScale	scale = {.from = frame->bottom, .to = frame->top};
	PlotTicks	ticks;

	if (log)
		plot_ticks_log(&low, &high, VALUE_TICKS, &ticks);
	else
		plot_ticks_nice(&low, &high, VALUE_TICKS, &ticks);
	scale.low = low;
	scale.high = high;
	frame->left = axis_left(&ticks);
	for (int i = 0; i < ticks.n; i++)
	{
		double		at = plot_scale(&scale, ticks.at[i]);

		plot_line(svg, "grid", frame->left, at, frame->right, at);
		plot_text(svg, frame->left - 8, at + 4, "label", "end", ticks.label[i], 0);
	}
	scale.log = log;
	plot_text(svg, PLOT_MARGIN, PLOT_LABEL_Y, "label", "start", label, frame->width / 2.0);
	return scale;
}

/* Ticks that there is room for between the frame's sides. */
static uint32
time_ticks(const NnEnv *env, const PlotFrame *frame, NnTimeKind kind, int64 from, int64 to,
		   NnTick ticks[16])
{
	double		wanted = TIME_TICK,
				room = frame->right - frame->left;

	if (kind == NN_TIME_INTEGER)
		wanted = TIME_GAP + Max(plot_text_width(nn_time_print(env, kind, from), FONT_SIZE),
								Max(plot_text_width(nn_time_print(env, kind, to), FONT_SIZE), 40));
	return nn_calendar_ticks(kind, from, to, Max(3, Min(16, (uint32) (room / wanted))), ticks);
}

PlotScale
plot_time_axis(NnText *svg, const PlotFrame *frame, NnTimeKind kind, int64 from, int64 to)
{
	PlotScale	scale = {.low = (double) from, .high = (double) to,.from = frame->left,.to = frame->right};
	NnTick		ticks[16];
	uint32		n = time_ticks(svg->env, frame, kind, from, to, ticks);
	double		free_from = 0;	/* where the last label ended */

	plot_line(svg, "axis", frame->left, frame->bottom, frame->right, frame->bottom);
	for (uint32 i = 0; i < n; i++)
	{
		double		at = plot_scale(&scale, (double) ticks[i].time);
		double		half = plot_text_width(ticks[i].label, FONT_SIZE) / 2;

		plot_line(svg, "axis", at, frame->bottom, at, frame->bottom + 5);
		/* Labels at the ends lean inwards rather than over the edge; none covers the one before. */
		at = Min(Max(at, PLOT_MARGIN / 2 + half), frame->width - PLOT_MARGIN / 2 - half);
		if (at - half < free_from)
			continue;
		plot_text(svg, at, frame->bottom + 20, "label", "middle", ticks[i].label, 0);
		free_from = at + half + 6;
	}
	return scale;
}
