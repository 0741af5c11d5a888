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
#include "pg/plot_axes.h"

/* An interval may take so many times the values' own range on either side. */
#define INTERVAL_SPANS 2.5

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

/* The range of the value axis. */
typedef struct ValueRange
{
	double		low, high;
	bool		cut;			/* the interval goes on beyond it */
} ValueRange;

/* False when there is nothing to draw. */
static bool
value_range(const PlotForecast *plot, ValueRange *range)
{
	double		low = INFINITY,
				high = -INFINITY,
				most;

	plot_range(&low, &high, plot->nhistory, plot->history);
	plot_range(&low, &high, plot->nforecast, plot->forecast);
	*range = (ValueRange) {low, high, false};
	if (has_interval(plot))
	{
		plot_range(&range->low, &range->high, plot->nforecast, plot->lower);
		plot_range(&range->low, &range->high, plot->nforecast, plot->upper);
	}
	most = INTERVAL_SPANS * (high - low);
	if (low < high && isfinite(most) && range->low < low - most)
	{
		range->low = low - most;
		range->cut = true;
	}
	if (low < high && isfinite(most) && range->high > high + most)
	{
		range->high = high + most;
		range->cut = true;
	}
	return range->low <= range->high;
}

static void
time_range(const PlotForecast *plot, int64 *from, int64 *to)
{
	*from = plot->nhistory > 0 ? plot->history_time[0] : plot->forecast_time[0];
	*to = plot->nforecast > 0 ? plot->forecast_time[plot->nforecast - 1] :
		plot->history_time[plot->nhistory - 1];
}

/* Seconds are left out where both times have none. */
static void
seconds_cut(char *from, char *to)
{
	size_t		n = strlen(from),
				m = strlen(to);

	if (n < 19 || m < 19 || strcmp(from + n - 3, ":00") != 0 || strcmp(to + m - 3, ":00") != 0)
		return;
	from[n - 3] = to[m - 3] = '\0';
}

/* What the ticks leave open: the year of a day, the day of an hour. */
static void
draw_time_range(NnText *svg, const PlotFrame *frame, const PlotForecast *plot)
{
	int64		first,
				last;
	char	   *from,
			   *to;

	time_range(plot, &first, &last);
	from = nn_time_print(svg->env, plot->kind, first);
	to = nn_time_print(svg->env, plot->kind, last);
	if (plot->kind != NN_TIME_INTEGER)
		seconds_cut(from, to);
	plot_note(svg, frame, first == last ? from : nn_format(svg->env, "%s to %s", from, to));
}

/* The pixel of a bound, at the axis' end where it is beyond. */
static double
bound_scale(const PlotScale *y, const double *bound, uint32 i)
{
	if (bound == NULL || !isfinite(bound[i]))
		return NAN;
	return plot_scale(y, Min(Max(bound[i], y->low), y->high));
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
		line.value[i] = plot_scale(y, plot->history[i]);
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
		line.value[line.n] = plot_scale(y, plot->forecast[i]);
		line.lower[line.n] = bound_scale(y, plot->lower, i);
		line.upper[line.n] = bound_scale(y, plot->upper, i);
	}
	return line;
}

static void
draw_lines(NnText *svg, const PlotFrame *frame, const PlotForecast *plot, const PlotScale *x,
		   const PlotScale *y)
{
	PlotLine	history = history_line(svg->env, plot, x, y);
	PlotLine	forecast = forecast_line(svg->env, plot, &history, x, y);

	if (has_interval(plot))
		plot_band(svg, "band", forecast.n, forecast.x, forecast.lower, forecast.upper);
	if (plot->nhistory > 0 && plot->nforecast > 0)
		plot_line(svg, "origin", history.x[history.n - 1], frame->top, history.x[history.n - 1],
				  frame->bottom);
	plot_polyline(svg, "history", history.n, history.x, history.value);
	plot_polyline(svg, "forecast", forecast.n, forecast.x, forecast.value);
	/* Where history ends unknown, one step ahead is a point, and deserves to be seen. */
	if (forecast.n > 0 && forecast.n <= 2 && isfinite(forecast.value[forecast.n - 1]))
		plot_circle(svg, "forecast", forecast.x[forecast.n - 1], forecast.value[forecast.n - 1], 3);
}

static void
draw_legend(NnText *svg, const PlotForecast *plot, bool cut)
{
	double		x = PLOT_MARGIN;

	if (plot->nhistory > 0)
		x = plot_legend(svg, x, "history", PLOT_SAMPLE_LINE, "history");
	if (plot->nforecast > 0)
		x = plot_legend(svg, x, "forecast", PLOT_SAMPLE_LINE, "forecast");
	if (has_interval(plot))
		plot_legend(svg, x, "band", PLOT_SAMPLE_BOX,
					nn_format(svg->env, "%.12g%% prediction interval%s", plot->confidence_level * 100,
							  cut ? ", wider than the axis" : ""));
}

static void
draw_plot(NnText *svg, PlotFrame *frame, const PlotForecast *plot, const ValueRange *range)
{
	PlotScale	x,
				y = plot_value_axis(svg, frame, range->low, range->high, false, plot->y_label);
	int64		from,
				to;

	time_range(plot, &from, &to);
	x = plot_time_axis(svg, frame, plot->kind, from, to);
	draw_lines(svg, frame, plot, &x, &y);
	draw_time_range(svg, frame, plot);
	draw_legend(svg, plot, range->cut);
}

char *
plot_forecast_svg(const NnEnv *env, const PlotForecast *plot)
{
	NnText		svg;
	ValueRange	range;
	PlotFrame	frame;

	nn_text_init(&svg, env);
	frame = plot_frame(&svg, PLOT_WIDTH, PLOT_HEIGHT, plot->title);
	if (value_range(plot, &range))
		draw_plot(&svg, &frame, plot, &range);
	else
		plot_nothing(&svg, &frame, "no known values to draw");
	plot_end(&svg);
	return svg.data;
}
