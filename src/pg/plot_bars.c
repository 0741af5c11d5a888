/*
 * plot_bars.c
 *		lstm.plot_importance: which inputs a model's errors need, as bars.
 *
 * The numbers are those that lstm.explain gives for whole inputs; bars are their means over
 * the targets.  Costs three forecasts of 256 windows for each input, beyond reading the
 * source.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"

#include "pg/env.h"
#include "pg/explain.h"
#include "pg/plot.h"
#include "pg/plot_axes.h"

PG_FUNCTION_INFO_V1(lstm_plot_importance);

enum
{
	ARG_MODEL, ARG_SERIES, ARG_TARGET, ARG_SOURCE, ARG_HORIZON, ARG_VERSION, ARG_SEED
};

#define BAR_HEIGHT 24

/* ------------------------------------------------------------------------
 * Drawing
 */

typedef struct BarLayout
{
	PlotFrame	frame;
	PlotScale	x;
	double		name_width;		/* of the column of names */
	int			decimals;		/* of the numbers: three digits of the largest */
} BarLayout;

static double
names_width(const PlotBar *bars, uint32 n)
{
	double		widest = 40;

	for (uint32 i = 0; i < n; i++)
		widest = Max(widest, plot_text_width(bars[i].name, 12));
	return Min(widest, 240);
}

/* The axis below, its grid, and the line of 0. */
static void
draw_axis(NnText *svg, BarLayout *l, double low, double high)
{
	PlotTicks	ticks;

	plot_ticks_nice(&low, &high, 6, &ticks);
	l->x = (PlotScale) {.low = low, .high = high, .from = l->frame.left, .to = l->frame.right};
	for (int i = 0; i < ticks.n; i++)
	{
		double		at = plot_scale(&l->x, ticks.at[i]);

		plot_line(svg, ticks.at[i] == 0 ? "axis" : "grid", at, l->frame.top, at, l->frame.bottom);
		plot_text(svg, at, l->frame.bottom + 18, "label", "middle", ticks.label[i], 0);
	}
}

/* Numbers of one picture have the same decimals, unless they are far from 1. */
static const char *
number_print(const NnEnv *env, double value, int decimals)
{
	if (decimals > 8 || decimals < -4)
		return nn_format(env, "%.3g", value);
	value = fabs(value) < 0.5 * pow(10, -decimals) ? 0 : value;
	return nn_format(env, "%.*f", Max(decimals, 0), value);
}

static void
draw_bar(NnText *svg, const BarLayout *l, const PlotBar *bar, uint32 i)
{
	double		y = l->frame.top + i * BAR_HEIGHT,
				zero = plot_scale(&l->x, 0),
				at = plot_scale(&l->x, bar->value);

	plot_text(svg, l->frame.left - 10, y + BAR_HEIGHT / 2 + 4, "label", "end", bar->name,
			  l->name_width);
	plot_rect(svg, bar->value < 0 ? "against" : "bar", Min(zero, at), y + 4,
			  Max(fabs(at - zero), 1), BAR_HEIGHT - 8);
	plot_text(svg, Max(at, zero) + 6, y + BAR_HEIGHT / 2 + 4, "label halo", "start",
			  number_print(svg->env, bar->value, l->decimals), 0);
}

static void
draw_bars(NnText *svg, BarLayout *l, const char *axis, const PlotBar *bars, uint32 n,
		  uint32 shown)
{
	double		low = 0,
				high = 0;

	for (uint32 i = 0; i < shown; i++)
		plot_range(&low, &high, 1, &bars[i].value);
	l->decimals = Max(high, -low) > 0 ? 2 - (int) floor(log10(Max(high, -low))) : 0;
	l->name_width = names_width(bars, shown);
	l->frame.left = PLOT_MARGIN + l->name_width + 10;
	l->frame.right -= 40;		/* for the numbers beside the bars */
	draw_axis(svg, l, low, high);
	for (uint32 i = 0; i < shown; i++)
		draw_bar(svg, l, &bars[i], i);
	plot_text(svg, PLOT_MARGIN, PLOT_LEGEND_Y, "label", "start", axis, 0);
	if (n > shown)
		plot_note(svg, &l->frame, nn_format(svg->env, "and %u more of at most %s", n - shown,
											number_print(svg->env, bars[shown - 1].value,
														 l->decimals)));
}

char *
plot_bars_svg(const NnEnv *env, const char *title, const char *axis, const PlotBar *bars, uint32 n)
{
	NnText		svg;
	BarLayout	layout;
	uint32		shown = Min(n, PLOT_MAX_BARS);
	int			height = 66 + BAR_HEIGHT * Max((int) shown, 2) + (n > shown ? 50 : 32);

	nn_text_init(&svg, env);
	layout.frame = plot_frame(&svg, PLOT_WIDTH, height, title);
	layout.frame.top = 66;
	layout.frame.bottom = layout.frame.top + BAR_HEIGHT * Max(shown, 2);
	if (shown > 0)
		draw_bars(&svg, &layout, axis, bars, n, shown);
	else
		plot_nothing(&svg, &layout.frame, "no importance is known");
	plot_end(&svg);
	return svg.data;
}

/* ------------------------------------------------------------------------
 * The numbers of lstm.explain
 */

typedef struct Importances
{
	const ModelRun *run;
	uint32		n, room;
	PlotBar    *bar;			/* [n] sums over targets */
	uint32	   *targets;		/* [n] how many */
} Importances;

/* Where an input, or one of a neighbour, adds up. */
static uint32
importance_place(Importances *all, const char *name)
{
	uint32		i = 0;

	while (i < all->n && strcmp(all->bar[i].name, name) != 0)
		i++;
	if (i == all->n && i == all->room)
	{
		all->room = Max(64, 2 * all->room);
		all->bar = all->n == 0 ? palloc0(all->room * sizeof(PlotBar)) :
			repalloc(all->bar, all->room * sizeof(PlotBar));
		all->targets = all->n == 0 ? palloc0(all->room * sizeof(uint32)) :
			repalloc(all->targets, all->room * sizeof(uint32));
	}
	if (i == all->n)
	{
		all->bar[all->n] = (PlotBar) {name, 0};
		all->targets[all->n++] = 0;
	}
	return i;
}

/* A row of a whole input. */
static void
importance_add(void *host, const ExplainRow *row)
{
	Importances *all = host;
	uint32		i;

	if (!isfinite(row->importance))
		return;
	i = importance_place(all, row->source == NULL ? row->input :
						 nn_format(all->run->env, "%s of %s", row->input, row->source));
	all->bar[i].value += row->importance;
	all->targets[i]++;
}

static int
bar_compare(const void *a, const void *b)
{
	const PlotBar *x = a,
			   *y = b;

	if (x->value != y->value)
		return x->value > y->value ? -1 : 1;
	return strcmp(x->name, y->name);
}

char *
plot_importance_svg(const PlotImportance *call)
{
	const ModelRun *run = call->run;
	Importances all = {.run = run};
	Explain		e = {
		.run = call->run, .horizon = call->horizon, .series = call->series,
		.target = call->target, .seed = call->seed, .put = importance_add, .host = &all
	};
	const char *series = call->series != PG_UINT32_MAX ? model_run_series(run, call->series) : NULL,
			   *target = call->target != PG_UINT32_MAX ? run->roles.target[call->target] : NULL,
			   *title = nn_format(run->env, "%s%s%s%s%s: importance of inputs", call->model,
								  series ? ", " : "", series ? series : "", target ? ", " : "",
								  target ? target : "");

	explain_importance(&e);
	for (uint32 i = 0; i < all.n; i++)
		all.bar[i].value /= all.targets[i];
	if (all.n > 0)
		qsort(all.bar, all.n, sizeof(PlotBar), bar_compare);
	return plot_bars_svg(run->env, title, "growth of the mean absolute error when the input is shuffled, "
						 "in scales of the target", all.bar, all.n);
}

Datum
lstm_plot_importance(PG_FUNCTION_ARGS)
{
	CallMemory	memory = call_memory_begin();
	uint32		horizon = argument_steps(fcinfo, ARG_HORIZON, "horizon", 0);
	PlotImportance call = {
		.model = argument_text_required(fcinfo, ARG_MODEL, "model"),
		.series = PG_UINT32_MAX, .target = PG_UINT32_MAX, .seed = probe_seed(fcinfo, ARG_SEED)
	};
	Datum		result;

	call.run = model_run_open(call.model, argument_version(fcinfo, ARG_VERSION),
							  argument_text(fcinfo, ARG_SOURCE), NULL, NULL, horizon);
	call.horizon = probe_horizon(call.run, horizon);
	if (!PG_ARGISNULL(ARG_SERIES))
		call.series = model_run_series_find(call.run, argument_text(fcinfo, ARG_SERIES));
	if (!PG_ARGISNULL(ARG_TARGET))
		call.target = model_run_target_find(call.run, argument_text(fcinfo, ARG_TARGET));
	result = plot_xml(memory.caller, plot_importance_svg(&call));
	call_memory_end(memory);
	PG_RETURN_DATUM(result);
}
