/*
 * plot.c
 *		The picture of a forecast: history, forecast, interval.
 *
 * Knows the layout and nothing of where the numbers come from.  The time axis
 * has calendar ticks; both lines and the interval meet in the last known value,
 * so the eye sees where knowledge ends.  Linear in the points.
 */
#include "postgres.h"

#include <math.h>

#include "pg/plot.h"
#include "pg/plot_svg.h"

#define PLOT_WIDTH 860
#define PLOT_HEIGHT 400
#define PLOT_TOP 88
#define PLOT_BOTTOM 350
#define PLOT_RIGHT 838
#define PLOT_MARGIN 16
#define PLOT_Y_TICKS 7

/* Pixels that a label of the time axis wants, the gap beside it included. */
#define PLOT_X_TICK 96
#define PLOT_X_GAP 16

/* The points of one line, history's last one first for those that follow it. */
typedef struct PlotLine
{
	uint32		n;
	double	   *x, *value, *lower, *upper;	/* [n] */
} PlotLine;

static bool
has_interval(const PlotForecast *plot)
{
	for (uint32 i = 0; plot->lower != NULL && plot->upper != NULL && i < plot->nforecast; i++)
		if (isfinite(plot->lower[i]) && isfinite(plot->upper[i]))
			return true;
	return false;
}

static void
range_widen(double *low, double *high, uint32 n, const double *values)
{
	for (uint32 i = 0; values != NULL && i < n; i++)
		if (isfinite(values[i]))
		{
			*low = Min(*low, values[i]);
			*high = Max(*high, values[i]);
		}
}

/* False when there is nothing to draw. */
static bool
value_range(const PlotForecast *plot, double *low, double *high)
{
	*low = INFINITY;
	*high = -INFINITY;
	range_widen(low, high, plot->nhistory, plot->history);
	range_widen(low, high, plot->nforecast, plot->forecast);
	if (has_interval(plot))
	{
		range_widen(low, high, plot->nforecast, plot->lower);
		range_widen(low, high, plot->nforecast, plot->upper);
	}
	return *low <= *high;
}

static void
time_range(const PlotForecast *plot, int64 *from, int64 *to)
{
	*from = plot->nhistory > 0 ? plot->history_time[0] : plot->forecast_time[0];
	*to = plot->nforecast > 0 ? plot->forecast_time[plot->nforecast - 1] :
		plot->history_time[plot->nhistory - 1];
}

/* The longest label decides how much room the axis takes. */
static double
axis_left(const PlotTicks *ticks)
{
	double		widest = 0;

	for (int i = 0; i < ticks->n; i++)
		widest = Max(widest, plot_text_width(ticks->label[i], 12));
	return PLOT_MARGIN + widest + 8;
}

static void
draw_value_axis(NnText *svg, const PlotScale *y, const PlotTicks *ticks, double left)
{
	for (int i = 0; i < ticks->n; i++)
	{
		double		at = plot_scale(y, ticks->at[i]);

		plot_line(svg, "grid", left, at, PLOT_RIGHT, at);
		plot_text(svg, left - 8, at + 4, "label", "end", ticks->label[i], 0);
	}
}

static void
draw_time_axis(NnText *svg, const NnEnv *env, const PlotForecast *plot, const PlotScale *x)
{
	NnTick		ticks[16];
	int64		from,
				to;
	double		left = x->from;
	double		wanted = PLOT_X_TICK;
	uint32		n;

	time_range(plot, &from, &to);
	if (plot->kind == NN_TIME_INTEGER)
		wanted = Max(wanted, PLOT_X_GAP +
					 plot_text_width(nn_time_print(env, plot->kind, to), 12));
	n = nn_calendar_ticks(plot->kind, from, to,
						  Max(3, Min(16, (uint32) ((PLOT_RIGHT - left) / wanted))), ticks);
	plot_line(svg, "axis", left, PLOT_BOTTOM, PLOT_RIGHT, PLOT_BOTTOM);
	for (uint32 i = 0; i < n; i++)
	{
		double		at = plot_scale(x, (double) ticks[i].time);
		double		half = plot_text_width(ticks[i].label, 12) / 2;

		plot_line(svg, "axis", at, PLOT_BOTTOM, at, PLOT_BOTTOM + 5);
		/* Labels at the ends lean inwards rather than over the edge. */
		plot_text(svg, Min(Max(at, PLOT_MARGIN / 2 + half), PLOT_WIDTH - PLOT_MARGIN / 2 - half),
				  PLOT_BOTTOM + 20, "label", "middle", ticks[i].label, 0);
	}
}

/* What the ticks leave open: the year of a day, the day of an hour. */
static void
draw_time_range(NnText *svg, const NnEnv *env, const PlotForecast *plot)
{
	int64		from,
				to;

	time_range(plot, &from, &to);
	plot_text(svg, PLOT_RIGHT, PLOT_HEIGHT - 10, "label", "end",
			  nn_format(env, "%s to %s", nn_time_print(env, plot->kind, from),
						nn_time_print(env, plot->kind, to)), 0);
}

static PlotLine
history_line(const NnEnv *env, const PlotForecast *plot, const PlotScale *x, const PlotScale *y)
{
	PlotLine	line = {.n = plot->nhistory};

	line.x = NN_NEW_ARRAY(env, double, line.n + 1);
	line.value = NN_NEW_ARRAY(env, double, line.n + 1);
	for (uint32 i = 0; i < line.n; i++)
	{
		line.x[i] = plot_scale(x, (double) plot->history_time[i]);
		line.value[i] = isfinite(plot->history[i]) ? plot_scale(y, plot->history[i]) : NAN;
	}
	return line;
}

static PlotLine
forecast_line(const NnEnv *env, const PlotForecast *plot, const PlotLine *history,
			  const PlotScale *x, const PlotScale *y)
{
	PlotLine	line = {0};
	uint32		last = history->n;

	line.x = NN_NEW_ARRAY(env, double, plot->nforecast + 1);
	line.value = NN_NEW_ARRAY(env, double, plot->nforecast + 1);
	line.lower = NN_NEW_ARRAY(env, double, plot->nforecast + 1);
	line.upper = NN_NEW_ARRAY(env, double, plot->nforecast + 1);
	if (last > 0 && plot->nforecast > 0 && isfinite(history->value[last - 1]))
	{
		line.x[0] = history->x[last - 1];
		line.value[0] = line.lower[0] = line.upper[0] = history->value[last - 1];
		line.n = 1;
	}
	for (uint32 i = 0; i < plot->nforecast; i++, line.n++)
	{
		line.x[line.n] = plot_scale(x, (double) plot->forecast_time[i]);
		line.value[line.n] = isfinite(plot->forecast[i]) ? plot_scale(y, plot->forecast[i]) : NAN;
		line.lower[line.n] = plot->lower != NULL && isfinite(plot->lower[i]) ?
			plot_scale(y, plot->lower[i]) : NAN;
		line.upper[line.n] = plot->upper != NULL && isfinite(plot->upper[i]) ?
			plot_scale(y, plot->upper[i]) : NAN;
	}
	return line;
}

static void
draw_lines(NnText *svg, const NnEnv *env, const PlotForecast *plot, const PlotScale *x,
		   const PlotScale *y)
{
	PlotLine	history = history_line(env, plot, x, y);
	PlotLine	forecast = forecast_line(env, plot, &history, x, y);

	if (has_interval(plot))
		plot_band(svg, "band", forecast.n, forecast.x, forecast.lower, forecast.upper);
	if (plot->nhistory > 0 && plot->nforecast > 0)
		plot_line(svg, "origin", history.x[history.n - 1], PLOT_TOP, history.x[history.n - 1],
				  PLOT_BOTTOM);
	plot_polyline(svg, "history", history.n, history.x, history.value);
	plot_polyline(svg, "forecast", forecast.n, forecast.x, forecast.value);
}

static void
draw_legend(NnText *svg, const NnEnv *env, const PlotForecast *plot)
{
	double		x = PLOT_MARGIN;

	if (plot->nhistory > 0)
		x = plot_legend(svg, x, 52, "history", false, "history");
	if (plot->nforecast > 0)
		x = plot_legend(svg, x, 52, "forecast", false, "forecast");
	if (has_interval(plot))
		plot_legend(svg, x, 52, "band", true,
					nn_format(env, "%g%% prediction interval", plot->confidence_level * 100));
}

static void
draw_plot(NnText *svg, const NnEnv *env, const PlotForecast *plot, double low, double high)
{
	PlotTicks	ticks;
	PlotScale	x = {.to = PLOT_RIGHT},
				y = {.from = PLOT_BOTTOM, .to = PLOT_TOP};
	int64		from,
				to;

	plot_ticks_nice(&low, &high, PLOT_Y_TICKS, &ticks);
	y.low = low;
	y.high = high;
	time_range(plot, &from, &to);
	x.low = (double) from;
	x.high = (double) to;
	x.from = axis_left(&ticks);

	draw_value_axis(svg, &y, &ticks, x.from);
	draw_time_axis(svg, env, plot, &x);
	draw_lines(svg, env, plot, &x, &y);
	draw_time_range(svg, env, plot);
	plot_text(svg, PLOT_MARGIN, PLOT_TOP - 14, "label", "start", plot->y_label, 80);
	draw_legend(svg, env, plot);
}

char *
plot_forecast_svg(const NnEnv *env, const PlotForecast *plot)
{
	NnText		svg;
	double		low,
				high;

	nn_text_init(&svg, env);
	plot_begin(&svg, PLOT_WIDTH, PLOT_HEIGHT, plot->title);
	plot_text(&svg, PLOT_MARGIN, 28, "title", "start", plot->title, 76);
	if (value_range(plot, &low, &high))
		draw_plot(&svg, env, plot, low, high);
	else
		plot_text(&svg, PLOT_WIDTH / 2.0, PLOT_HEIGHT / 2.0, "label", "middle",
				  "no known values to draw", 0);
	plot_end(&svg);
	return svg.data;
}
