/*
 * looks.c
 *		What a network shows of itself: lstm.explain's "attention" and "fusion".
 *
 * Weights of the newest forecast of one series: of attention layers on steps and on
 * neighbours, and of fuse layers on their branches.  Costs one forecast.
 */
#include "postgres.h"

#include <math.h>

#include "core/nn_explain.h"
#include "pg/env.h"
#include "pg/explain.h"

typedef struct Looks
{
	const Explain *e;
	NnExplainer *explainer;
	NnWindow	window;
	uint32		site;
	uint32		n;
	NnLook		look[NN_MAX_LAYERS];
	size_t		size;			/* of all weights */
} Looks;

static ExplainRow
look_row(const Looks *l, const char *input, double weight)
{
	ExplainRow	row = explain_row(l->e->target == PG_UINT32_MAX ? 0 : l->e->target);

	row.series = l->window.series;
	row.input = input;
	row.importance = row.share = weight;
	return row;
}

static const char *
layer_name(const Looks *l, uint32 layer)
{
	return l->explainer->plan->layer[layer].name;
}

/* Rows of an attention along time: weight [queries][states]. */
static void
steps_put(const Looks *l, const NnLook *look, const double *weight)
{
	const Explain *e = l->e;
	const NnSpec *spec = &e->run->model->spec;
	uint32		queries = look->rows,
				states = look->columns,
				lags = spec->context % states == 0 ? spec->context / states : 0;
	/* A query for each step of the forecast has rows of its own; others are averaged. */
	bool		steps = queries > 1 && queries == spec->horizon && queries != states;

	for (uint32 q = 0; q < (steps ? queries : 1); q++)
		for (uint32 i = 0; i < states; i++)
		{
			ExplainRow	row;
			double		sum = 0;

			for (uint32 from = q; from < (steps ? q + 1 : queries); from++)
				sum += weight[(size_t) from * states + i] / (steps ? 1 : queries);
			row = look_row(l, layer_name(l, look->layer), sum);
			row.step = steps ? q + 1 : 0;
			row.lags = lags;
			row.lag = (int64) (states - 1 - i) * lags + 1;
			row.row = (int64) l->window.origin + 1 - row.lag - e->run->data->series.first[row.series];
			row.timed = lags > 0 && row.row >= 0;	/* padding has no time */
			explain_put(e, &row);
		}
}

/* The series of a site, which the source may lack. */
static const char *
site_name(const ModelRun *run, uint32 site)
{
	const NnModel *model = run->model;
	uint32		s = nn_series_at(run->prepared, site);

	if (s != PG_UINT32_MAX)
		return model_run_series(run, s);
	for (s = 0; s < model->nseries; s++)
		if (model->sites->site[s] == site)
			return model->series[s];
	return NULL;
}

/* Rows of an attention to neighbours: weight [1 + sources]. */
static void
sites_put(const Looks *l, const NnLook *look, const double *weight)
{
	for (uint32 i = 0; i < look->columns; i++)
	{
		ExplainRow	row = look_row(l, layer_name(l, look->layer), weight[i]);

		row.source = site_name(l->e->run, nn_explain_source(l->explainer, look, l->site, i));
		explain_put(l->e, &row);
	}
}

/* Rows of a fusion: weight [branches]; weights beyond the first two may be anything. */
static void
branches_put(const Looks *l, const NnLook *look, const double *weight)
{
	const NnLayer *layer = &l->explainer->plan->layer[look->layer];
	double		sum = 0;

	for (uint32 i = 0; i < look->columns; i++)
		sum += fabs(weight[i]);
	for (uint32 i = 0; i < look->columns; i++)
	{
		const char *name = nn_format(l->e->run->env, "%s.%s", layer->name,
									 layer_name(l, layer->input[i]));
		ExplainRow	row = look_row(l, name, weight[i]);

		row.share = sum > 0 ? fabs(weight[i]) / sum : NAN;
		explain_put(l->e, &row);
	}
}

static void
looks_compute(const Looks *l, double *weight)
{
	uint32		control = compute_begin();

	PG_TRY();
	{
		nn_explain_looks(l->explainer, l->e->run->prepared, &l->window, l->look, l->n, weight);
	}
	PG_FINALLY();
	{
		compute_end(control);
	}
	PG_END_TRY();
}

static void
looks_run(const Explain *e, bool fusion)
{
	ModelRun   *run = e->run;
	Looks		l = {.e = e};
	double	   *weight;

	l.explainer = nn_explainer_create(run->env, run->model, env_kernels(), 1);
	l.site = run->model->spec.nsites > 1 ? nn_series_site(run->prepared, e->series) : 0;
	for (uint32 i = 0; i < l.explainer->plan->nlayers; i++)
	{
		NnLook	   *look = &l.look[l.n];

		if (!nn_explain_look(l.explainer, i, l.site, look) ||
			(look->kind == NN_LOOK_BRANCHES) != fusion)
			continue;
		l.size = nn_size_add(run->env, l.size, nn_size_mul(run->env, look->rows, look->columns));
		l.n++;
	}
	if (l.n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" has no %s layer", run->row->name, fusion ? "fuse" : "attention"),
				 errhint("Use method \"permutation\" or \"gradients\".")));
	l.window = model_run_newest(run, e->series);
	model_run_future_check(run, &l.window, run->roles.nfuture > 0 ? run->model->spec.horizon : 0);
	weight = NN_NEW_ARRAY(run->env, double, l.size);
	looks_compute(&l, weight);
	for (uint32 i = 0; i < l.n; i++)
	{
		const NnLook *look = &l.look[i];

		if (look->kind == NN_LOOK_STEPS)
			steps_put(&l, look, weight);
		else if (look->kind == NN_LOOK_SITES)
			sites_put(&l, look, weight);
		else
			branches_put(&l, look, weight);
		weight += (size_t) look->rows * look->columns;
	}
}

void
attention_run(const Explain *e)
{
	looks_run(e, false);
}

void
fusion_run(const Explain *e)
{
	looks_run(e, true);
}
