/*
 * plot_training.c
 *		lstm.plot_training: losses by epoch.
 *
 * Read from the model's bytes alone, so it costs no source.  The axis of losses is
 * logarithmic where they span more than a factor of LOG_SPAN and all lie above 0, which
 * those of probabilistic losses need not.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"

#include "pg/env.h"
#include "pg/model_run.h"
#include "pg/plot.h"
#include "pg/plot_axes.h"

PG_FUNCTION_INFO_V1(lstm_plot_training);

#define LOG_SPAN 20

/* The losses as the axis wants them. */
typedef struct Losses
{
	uint32		n;
	double	   *loss, *validation;	/* [n] */
	bool		validated;		/* some validation loss is known */
	bool		known;			/* anything is */
	double		low, high;
} Losses;

static Losses
losses_of(const NnEnv *env, const NnReport *report)
{
	Losses		l = {.n = report->nepochs, .low = INFINITY, .high = -INFINITY};

	l.loss = NN_NEW_ARRAY(env, double, l.n + 1);
	l.validation = NN_NEW_ARRAY(env, double, l.n + 1);
	for (uint32 i = 0; i < l.n; i++)
	{
		l.loss[i] = report->epoch[i].loss;
		l.validation[i] = report->epoch[i].validation_loss;
		l.validated |= isfinite(l.validation[i]);
	}
	plot_range(&l.low, &l.high, l.n, l.loss);
	plot_range(&l.low, &l.high, l.n, l.validation);
	l.known = l.low <= l.high;
	return l;
}

static void
draw_curve(NnText *svg, const char *class, uint32 n, const double *losses, const PlotScale *x,
		   const PlotScale *y)
{
	double	   *at = NN_NEW_ARRAY(svg->env, double, n),
			   *value = NN_NEW_ARRAY(svg->env, double, n);

	for (uint32 i = 0; i < n; i++)
	{
		at[i] = plot_scale(x, i + 1.0);
		value[i] = plot_scale(y, losses[i]);
	}
	plot_polyline(svg, class, n, at, value);
}

/* The epoch whose weights were kept: a line and a point. */
static void
draw_best(NnText *svg, const PlotFrame *frame, const Losses *l, uint32 best, const PlotScale *x,
		  const PlotScale *y)
{
	double		at = plot_scale(x, best + 1.0),
				value = plot_scale(y, l->validated ? l->validation[best] : l->loss[best]);

	plot_line(svg, "origin", at, frame->top, at, frame->bottom);
	if (isfinite(value))
		plot_circle(svg, "best", at, value, 4);
}

static void
draw_training(NnText *svg, PlotFrame *frame, const NnReport *report, const Losses *l)
{
	bool		log = l->low > 0 && l->high / l->low > LOG_SPAN;
	uint32		best = Min(report->best_epoch, l->n - 1);
	double		legend = PLOT_MARGIN;
	PlotScale	x,
				y = plot_value_axis(svg, frame, l->low, l->high, log,
									log ? "loss, logarithmic" : "loss");

	x = plot_time_axis(svg, frame, NN_TIME_INTEGER, 1, l->n);
	plot_note(svg, frame, "epoch");
	draw_best(svg, frame, l, best, &x, &y);
	draw_curve(svg, "loss", l->n, l->loss, &x, &y);
	draw_curve(svg, "validation", l->n, l->validation, &x, &y);
	legend = plot_legend(svg, legend, "loss", PLOT_SAMPLE_LINE, "training");
	if (l->validated)
		legend = plot_legend(svg, legend, "validation", PLOT_SAMPLE_LINE, "validation");
	plot_legend(svg, legend, "best", PLOT_SAMPLE_DOT,
				nn_format(svg->env, "best epoch: %u of %u", best + 1, l->n));
}

char *
plot_training_svg(const NnEnv *env, const char *title, const NnReport *report)
{
	Losses		losses = losses_of(env, report);
	NnText		svg;
	PlotFrame	frame;

	nn_text_init(&svg, env);
	frame = plot_frame(&svg, PLOT_WIDTH, PLOT_HEIGHT, title);
	if (losses.known)
		draw_training(&svg, &frame, report, &losses);
	else
		plot_nothing(&svg, &frame, "no epoch of training is known");
	plot_end(&svg);
	return svg.data;
}

Datum
lstm_plot_training(PG_FUNCTION_ARGS)
{
	CallMemory	memory = call_memory_begin();
	NnEnv	   *env = env_create(memory.own);
	char	   *name = argument_text_required(fcinfo, 0, "model");
	RegistryRow *row = registry_get(name, argument_version(fcinfo, 1));
	Datum		result = plot_xml(memory.caller,
								  plot_training_svg(env, nn_format(env, "%s, version %d: training",
																   row->name, row->version),
													&row->model->report));

	call_memory_end(memory);
	PG_RETURN_DATUM(result);
}
