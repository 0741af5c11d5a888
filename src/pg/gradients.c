/*
 * gradients.c
 *		What one forecast of a series is made of: lstm.explain's "gradients".
 *
 * The series' own rows are told lag by lag.  Where several series are forecast together,
 * what another one adds is summed over its rows: a line for each column of it that has a
 * share worth a line, and one for all the rest.  Runs 32 to 2,048 windows forward and
 * backward for each step.
 */
#include "postgres.h"

#include <math.h>

#include "core/nn_explain.h"
#include "pg/env.h"
#include "pg/explain.h"

/* What another series' column must make up of a forecast to get a line. */
#define SHARE_SHOWN 0.005

/* What the rest of them are called. */
#define OTHERS "other series"

typedef struct Gradients
{
	const Explain *e;
	NnExplainer *explainer;
	NnAttribution one;
	NnWindow	window;
	uint32		step;			/* from 0 */
	uint32		own;			/* newest rows of the window that are no padding */
	double		weight;			/* of the networks in the forecast */
	double		total;			/* of all |importance| of the step and target */
} Gradients;

/* Value of an input at a row of the series; NaN where it is several, or unknown. */
static double
input_value(const Explain *e, const ExplainInput *input, const NnWindow *window, int64 lag)
{
	const NnSeries *series = &e->run->data->series;

	if (input->n > 1 || input->kind == EXPLAIN_ARRAY)
		return NAN;
	if (input->kind == EXPLAIN_STATIC)
		return series->statics[(size_t) window->series * series->Cs + input->first];
	return series->value[(size_t) ((int64) window->origin + 1 - lag) * series->C + input->first];
}

/*
 * Attribution of channel c of an input at lag, of series s; rows ahead of the origin have
 * lags below 1.
 */
static double
channel_at(const Gradients *g, ExplainKind kind, uint32 s, uint32 c, int64 lag)
{
	const NnSpec *spec = &g->e->run->model->spec;
	const NnData *data = g->e->run->prepared;
	size_t		S = spec->nsites,
				site = S > 1 ? nn_series_site(data, s) : 0;

	if (kind == EXPLAIN_STATIC)
		return g->one.statics[site * spec->nstatic + c];
	if (kind == EXPLAIN_ARRAY)
		return g->one.arrays[((size_t) c * spec->context + (size_t) (spec->context - lag)) * S + site];
	if (lag >= 1)
		return g->one.past[((size_t) (spec->context - lag) * S + site) * data->C + c];
	return g->one.future[((size_t) -lag * S + site) * spec->nfuture + c - spec->ntargets - spec->npast];
}

/* Sum of the attributions of an input's channels at lag. */
static double
gradient_at(const Gradients *g, const ExplainInput *input, uint32 s, int64 lag)
{
	double		sum = 0;

	for (uint32 c = input->first; c < input->first + input->n; c++)
		sum += channel_at(g, input->kind, s, c, lag);
	return g->weight * sum;
}

/* Lags of an input's rows. */
static void
input_lags(const Gradients *g, const ExplainInput *input, int64 *newest, int64 *oldest)
{
	const NnSpec *spec = &g->e->run->model->spec;
	bool		future = input->kind == EXPLAIN_COLUMN && input->first >= spec->ntargets + spec->npast;

	*newest = future ? 1 - (int64) spec->horizon : 1;
	*oldest = input->kind == EXPLAIN_STATIC ? 1 : g->own;
}

/* What all rows of an input of another series add. */
static double
neighbour_sum(const Gradients *g, const ExplainInput *input, uint32 s)
{
	int64		newest,
				oldest;
	double		sum = 0;

	input_lags(g, input, &newest, &oldest);
	for (int64 lag = newest; lag <= oldest; lag++)
		sum += gradient_at(g, input, s, lag);
	return sum;
}

/* The name of series s, where that says anything. */
static const char *
source_name(const Gradients *g, uint32 s)
{
	return g->e->run->model->spec.nsites > 1 ? model_run_series(g->e->run, s) : NULL;
}

/* A line of the step at hand without a lag. */
static ExplainRow
gradient_row(const Gradients *g, uint32 k, const char *input, double importance)
{
	ExplainRow	row = explain_row(k);

	row.series = g->window.series;
	row.step = g->step + 1;
	row.input = input;
	row.importance = importance;
	row.share = g->total > 0 ? fabs(importance) / g->total : NAN;
	return row;
}

/* Calls for each input and lag: sums |importance| (put false), or puts the row. */
static void
own_walk(Gradients *g, uint32 k, bool put)
{
	const Explain *e = g->e;

	for (uint32 i = 0; i < e->ninputs; i++)
	{
		const ExplainInput *input = &e->input[i];
		int64		newest,
					oldest;

		input_lags(g, input, &newest, &oldest);
		for (int64 lag = newest; lag <= oldest; lag++)
		{
			double		importance = gradient_at(g, input, g->window.series, lag);
			ExplainRow	row;

			if (!put)
			{
				g->total += fabs(importance);
				continue;
			}
			row = gradient_row(g, k, input->name, importance);
			row.value = input_value(e, input, &g->window, lag);
			row.source = source_name(g, g->window.series);
			if (input->kind != EXPLAIN_STATIC)
			{
				row.lag = lag;
				row.lags = 1;
				row.timed = true;
				row.row = (int64) g->window.origin + 1 - lag -
					e->run->data->series.first[g->window.series];
			}
			explain_put(e, &row);
		}
	}
}

/* The same for the other series that are forecast together. */
static void
neighbours_walk(Gradients *g, uint32 k, bool put)
{
	const Explain *e = g->e;
	uint32		n = e->run->model->spec.nsites > 1 ? e->run->data->series.nseries : 0;
	double		others = 0;

	for (uint32 s = 0; s < n; s++)
		for (uint32 i = 0; i < e->ninputs && s != g->window.series; i++)
		{
			double		importance = neighbour_sum(g, &e->input[i], s);
			ExplainRow	row;

			if (!put)
				g->total += fabs(importance);
			else if (fabs(importance) > SHARE_SHOWN * g->total)
			{
				row = gradient_row(g, k, e->input[i].name, importance);
				row.source = source_name(g, s);
				explain_put(e, &row);
			}
			else
				others += importance;
		}
	if (put && n > 1)
	{
		ExplainRow	row = gradient_row(g, k, OTHERS, others);

		explain_put(e, &row);
	}
}

/* The rows that are no input: both ends of the path, and the simple members. */
static void
gradients_put_ends(const Gradients *g, uint32 k, double forecast)
{
	ExplainRow	row = explain_row(k);
	double		members = forecast - g->weight * g->one.forecast;

	row.series = g->window.series;
	row.step = g->step + 1;
	row.input = "baseline";
	row.value = g->weight * g->one.baseline;
	explain_put(g->e, &row);
	row.input = "forecast";
	row.value = forecast;
	explain_put(g->e, &row);
	if (nn_member_count(&g->e->run->model->spec) == 1)
		return;
	row = gradient_row(g, k, "members", members);
	explain_put(g->e, &row);
}

static void
gradients_compute(Gradients *g, uint32 k)
{
	uint32		control = compute_begin();

	PG_TRY();
	{
		nn_explain_forecast(g->explainer, g->e->run->prepared, &g->window, g->step, k, &g->one);
	}
	PG_FINALLY();
	{
		compute_end(control);
	}
	PG_END_TRY();
}

static void
gradients_begin(Gradients *g, double *point)
{
	const Explain *e = g->e;
	ModelRun   *run = e->run;
	const NnSpec *spec = &run->model->spec;
	size_t		sites;

	if (e->horizon > spec->horizon)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"horizon\" is %u, but the network of model \"%s\" forecasts %u "
						"at once", e->horizon, run->row->name, spec->horizon),
				 errhint("Steps beyond are forecast from forecasts and have no gradients.")));
	g->window = model_run_newest(run, e->series);
	g->own = spec->context - nn_window_pad(spec, &run->data->series, &g->window);
	model_run_future_check(run, &g->window, run->roles.nfuture > 0 ? spec->horizon : 0);
	model_run_predict(model_run_predictor(run, 1, e->horizon), run->prepared, &g->window, 1,
					  e->horizon, NULL, 0, point, NULL, NULL);
	g->explainer = nn_explainer_create(run->env, run->model, env_kernels(), NN_EXPLAIN_FIRST_POINTS);
	g->weight = run->model->weight ? run->model->weight[0] : 1;
	sites = spec->nsites;
	g->one.past = NN_NEW_ARRAY(run->env, double, sites * spec->context * run->prepared->C);
	g->one.future = NN_NEW_ARRAY(run->env, double, sites * spec->horizon * spec->nfuture);
	g->one.statics = NN_NEW_ARRAY(run->env, double, sites * spec->nstatic);
	g->one.arrays = NN_NEW_ARRAY(run->env, double, sites * spec->narrays * spec->context);
}

void
gradients_run(const Explain *e)
{
	const NnSpec *spec = &e->run->model->spec;
	double	   *point = NN_NEW_ARRAY(e->run->env, double, (size_t) e->horizon * spec->ntargets);
	Gradients	g = {.e = e};
	bool		exact = true;

	gradients_begin(&g, point);
	for (uint32 k = 0; k < spec->ntargets; k++)
		for (g.step = 0; g.step < e->horizon && explain_wants(e, k); g.step++)
		{
			double		forecast = point[(size_t) g.step * spec->ntargets + k];

			gradients_compute(&g, k);
			exact = exact && g.one.exact;
			g.total = nn_member_count(spec) > 1 ? fabs(forecast - g.weight * g.one.forecast) : 0;
			own_walk(&g, k, false);
			neighbours_walk(&g, k, false);
			gradients_put_ends(&g, k, forecast);
			own_walk(&g, k, true);
			neighbours_walk(&g, k, true);
		}
	if (!exact)
		ereport(NOTICE,
				(errmsg("some attributions do not add up within 1 %%"),
				 errdetail("The forecast bends too much between its inputs and the baseline for %d "
						   "points on the way.", NN_EXPLAIN_LAST_POINTS)));
}
