/*
 * retrain_judge.c
 *		Two versions of a model, judged on rows that neither has seen.
 *
 * Each has rows of its own, prepared as it learned to; they meet in names of series and
 * times.  What only one of them can forecast is no part of the comparison: a series that one
 * of them left out, an origin with too few rows before it for one of them, or with unknown
 * future covariates.
 *
 * Costs two forecasts of each origin.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "core/nn_tile.h"
#include "pg/env.h"
#include "pg/folds.h"
#include "pg/metrics.h"
#include "pg/retrain_judge.h"

/* Origins at the most, or a little more. */
#define JUDGED_ORIGINS 20000

enum
{
	CHAMPION, CHALLENGER
};

typedef struct Side
{
	const ModelRun *run;
	NnPredictor *predictor;
	NnWindow   *window;			/* [lanes] */
	double	   *point;			/* [lanes][horizon][targets] */
	MetricSums *sums;			/* [targets] */
	bool		broken;			/* a forecast was no finite number */
} Side;

typedef struct Duel
{
	NnEnv	   *env;
	Side		side[2];
	const uint32 *cut;
	uint32	   *other;			/* [series of the challenger] in the champion's data, UINT32_MAX: none */
	MetricScale *scale;			/* [series of the challenger][targets] */
	uint32		horizon,
				ntargets,
				lanes,
				n,				/* origins under way */
				stride;
} Duel;

/* ------------------------------------------------------------------------
 * What both know
 */

/* Can that side forecast series s from behind its row? */
static bool
origin_fits(const Duel *duel, const Side *side, const NnWindow *window)
{
	const NnSeries *series = &side->run->data->series;
	const NnSpec *spec = &side->run->model->spec;
	uint32		rows = window->origin + 1 - series->first[window->series];
	uint32_t	column;

	return rows >= nn_rows_needed(spec) &&
		(uint64) rows + duel->horizon <= series->history[window->series] &&
		(spec->nfuture == 0 ||
		 nn_future_missing(side->run->prepared, window, duel->horizon, &column) == 0);
}

/* The same origin on both sides; false where one of them has none. */
static bool
origin_place(Duel *duel, uint32 s, uint32 row, NnWindow *window)
{
	const SourceData *data = duel->side[CHALLENGER].run->data,
			   *other = duel->side[CHAMPION].run->data;
	uint32		c = duel->other[s];
	int64		time = source_time(data, s, row);
	uint32		at;

	if (c == PG_UINT32_MAX)
		return false;
	at = fold_row_at(other, c, time);
	if (at >= other->series.history[c] || source_time(other, c, at) != time)
		return false;
	window[CHALLENGER] = (NnWindow) {s, data->series.first[s] + row};
	window[CHAMPION] = (NnWindow) {c, other->series.first[c] + at};
	return origin_fits(duel, &duel->side[CHALLENGER], &window[CHALLENGER]) &&
		origin_fits(duel, &duel->side[CHAMPION], &window[CHAMPION]);
}

/* ------------------------------------------------------------------------
 * Forecasts
 */

static void
value_add(Duel *duel, uint32 i, uint32 h, uint32 k)
{
	const NnWindow *window = &duel->side[CHALLENGER].window[i];
	const NnSeries *series = &duel->side[CHALLENGER].run->data->series;
	MetricPair	pair = {.actual = series->value[((size_t) window->origin + 1 + h) * series->C + k],
	.baseline = NAN};
	MetricScale scale = duel->scale[(size_t) window->series * duel->ntargets + k];

	if (isnan(pair.actual))
		return;
	for (int v = 0; v < METRIC_LEVELS; v++)
		pair.low[v] = pair.high[v] = NAN;
	for (int side = CHAMPION; side <= CHALLENGER; side++)
	{
		Side	   *one = &duel->side[side];

		pair.point = one->point[((size_t) i * duel->horizon + h) * duel->ntargets + k];
		if (isfinite(pair.point))
			metrics_add(&one->sums[k], &pair, scale, 0.5);
		else
			one->broken = true;
	}
}

static void
origins_flush(Duel *duel)
{
	if (duel->n == 0)
		return;
	for (int side = CHAMPION; side <= CHALLENGER; side++)
	{
		Side	   *one = &duel->side[side];

		model_run_predict(one->predictor, one->run->prepared, one->window, duel->n, duel->horizon,
						  NULL, 0, one->point, NULL, NULL);
	}
	for (uint32 i = 0; i < duel->n; i++)
		for (uint32 h = 0; h < duel->horizon; h++)
			for (uint32 k = 0; k < duel->ntargets; k++)
				value_add(duel, i, h, k);
	duel->n = 0;
}

static void
origin_add(Duel *duel, uint32 s, uint32 row)
{
	NnWindow	window[2];

	if (!origin_place(duel, s, row, window))
		return;
	for (int side = CHAMPION; side <= CHALLENGER; side++)
		duel->side[side].window[duel->n] = window[side];
	if (++duel->n == duel->lanes)
		origins_flush(duel);
}

/* Last rows before forecasts of series s: from cut - 1 on, so many. */
static uint32
origins_of(const Duel *duel, uint32 s)
{
	uint32		history = duel->side[CHALLENGER].run->data->series.history[s],
				held = history > duel->cut[s] ? history - duel->cut[s] : 0;

	return duel->cut[s] == 0 || held < duel->horizon ? 0 : held - duel->horizon + 1;
}

static void
origins_walk(Duel *duel)
{
	const NnSeries *series = &duel->side[CHALLENGER].run->data->series;
	uint32		most = 0;

	for (uint32 s = 0; s < series->nseries; s++)
		most = Max(most, origins_of(duel, s));
	/* By time where there are sites: the network runs once for all of one moment. */
	if (duel->side[CHAMPION].run->model->spec.nsites > 1 ||
		duel->side[CHALLENGER].run->model->spec.nsites > 1)
		for (uint32 i = 0; i < most; i += duel->stride)
			for (uint32 s = 0; s < series->nseries; s++)
			{
				CHECK_FOR_INTERRUPTS();
				if (i < origins_of(duel, s))
					origin_add(duel, s, duel->cut[s] - 1 + i);
			}
	else
		for (uint32 s = 0; s < series->nseries; s++)
			for (uint32 i = 0; i < origins_of(duel, s); i += duel->stride)
			{
				CHECK_FOR_INTERRUPTS();
				origin_add(duel, s, duel->cut[s] - 1 + i);
			}
	origins_flush(duel);
}

/* ------------------------------------------------------------------------
 * The whole
 */

static void
side_open(Duel *duel, int number, const ModelRun *run)
{
	Side	   *side = &duel->side[number];

	side->run = run;
	nn_forecast_check(duel->env, &run->model->spec, duel->horizon);
	side->predictor = model_run_predictor(run, duel->lanes, duel->horizon);
	side->window = NN_NEW_ARRAY(duel->env, NnWindow, duel->lanes);
	side->point = NN_NEW_ARRAY(duel->env, double,
							   nn_size_mul(duel->env, duel->lanes,
										   nn_size_mul(duel->env, duel->horizon, duel->ntargets)));
	side->sums = NN_NEW_ARRAY(duel->env, MetricSums, duel->ntargets);
}

static void
series_match(Duel *duel)
{
	const ModelRun *run = duel->side[CHALLENGER].run;
	const NnSeries *series = &run->data->series;
	uint64		total = 0;

	duel->other = NN_NEW_ARRAY(duel->env, uint32, series->nseries);
	duel->scale = NN_NEW_ARRAY(duel->env, MetricScale,
							   nn_size_mul(duel->env, series->nseries, duel->ntargets));
	for (uint32 s = 0; s < series->nseries; s++)
	{
		CHECK_FOR_INTERRUPTS();
		duel->other[s] = nn_series_find(&duel->side[CHAMPION].run->data->series, series->name[s]);
		total += origins_of(duel, s);
		for (uint32 k = 0; k < duel->ntargets; k++)
			duel->scale[(size_t) s * duel->ntargets + k] =
				metrics_scale(series, s, duel->cut[s], run->model->spec.season, k);
	}
	duel->stride = (uint32) Max((total + JUDGED_ORIGINS - 1) / JUDGED_ORIGINS, 1);
}

RetrainJudgement
retrain_judge(NnEnv *env, const ModelRun *champion, const ModelRun *challenger, const uint32 *cut,
			  uint32 horizon)
{
	RetrainJudgement judgement = {0};
	Duel		duel = {.env = env, .cut = cut, .horizon = horizon,
		.ntargets = challenger->model->spec.ntargets,
	.lanes = nn_forecast_windows(&challenger->model->spec)};
	Metrics		all[2];
	Metrics    *each = NN_NEW_ARRAY(env, Metrics, duel.ntargets);

	side_open(&duel, CHAMPION, champion);
	side_open(&duel, CHALLENGER, challenger);
	series_match(&duel);
	origins_walk(&duel);
	for (int side = CHAMPION; side <= CHALLENGER; side++)
	{
		for (uint32 k = 0; k < duel.ntargets; k++)
			each[k] = metrics_of(&duel.side[side].sums[k]);
		all[side] = metrics_average(each, duel.ntargets);
	}
	judgement.n = Max(all[CHAMPION].n, all[CHALLENGER].n);
	judgement.scaled = !isnan(all[CHAMPION].value[METRIC_MASE]) &&
		!isnan(all[CHALLENGER].value[METRIC_MASE]);
	for (int side = CHAMPION; side <= CHALLENGER; side++)
	{
		judgement.mae[side] = duel.side[side].broken ? NAN : all[side].value[METRIC_MAE];
		judgement.score[side] = duel.side[side].broken ? NAN :
			all[side].value[judgement.scaled ? METRIC_MASE : METRIC_MAE];
	}
	return judgement;
}
