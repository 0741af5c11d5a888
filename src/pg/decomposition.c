/*
 * decomposition.c
 *		Trend, season and remainder of a model's history and forecast.
 *
 * Classical additive decomposition: the trend is the centred mean over one season (over
 * an odd number of rows with half weights at the ends where the season is even), the
 * season the mean of what is left of each phase, less their mean, the remainder the
 * rest.  The forecast's steps follow the rows as if they had come.  Where the mean finds
 * no rows, at both ends, the trend goes on in the line through the half season of trend next
 * to them.  Without a season the trend is a mean over TREND_ROWS.
 */
#include "postgres.h"

#include "miscadmin.h"

#include <math.h>

#include "miscadmin.h"

#include "pg/explain.h"

/* Seasons of history that are shown, the context at least. */
#define SEASONS		4

#define TREND_ROWS	7

typedef struct Decomposition
{
	const Explain *e;
	NnWindow	window;
	uint32		k;
	uint32		rows;			/* of the history */
	uint32		n;				/* rows and steps */
	uint32		length;			/* of the trend's mean */
	uint32		season;			/* 1: none */
	double	   *value;			/* [n] NaN: unknown */
	double	   *filled;			/* [n] straight lines over the unknown */
	double	   *trend;			/* [n] */
	double	   *phase;			/* [season] */
} Decomposition;

static void
gaps_fill(Decomposition *d)
{
	uint32		known = PG_UINT32_MAX;

	for (uint32 i = 0; i < d->n; i++)
	{
		if (isnan(d->value[i]))
			continue;
		d->filled[i] = d->value[i];
		for (uint32 j = known == PG_UINT32_MAX ? 0 : known + 1; j < i; j++)
			d->filled[j] = known == PG_UINT32_MAX ? d->value[i] :
				d->value[known] + (d->value[i] - d->value[known]) * (j - known) / (i - known);
		known = i;
	}
	/* The last step is always known: it is forecast. */
}

/* Least squares line through trend[from .. to - 1], at at. */
static double
line_at(const double *trend, uint32 from, uint32 to, uint32 at)
{
	double		n = to - from,
				middle = (n - 1) / 2,
				mean = 0,
				slope = 0,
				square = 0;

	for (uint32 i = from; i < to; i++)
		mean += trend[i] / n;
	for (uint32 i = from; i < to; i++)
	{
		slope += (i - from - middle) * (trend[i] - mean);
		square += (i - from - middle) * (i - from - middle);
	}
	return mean + (square > 0 ? slope / square * ((double) at - from - middle) : 0);
}

static void
trend_compute(Decomposition *d)
{
	uint32		half = d->length / 2,
				line = Max(d->length / 2, 2),
				begin = half,
				end = d->n - half;
	bool		even = d->length % 2 == 0;

	for (uint32 i = begin; i < end; i++)
	{
		double		sum = 0;

		for (uint32 j = i - half; j <= i + half; j++)
			sum += d->filled[j] * (even && (j == i - half || j == i + half) ? 0.5 : 1);
		d->trend[i] = sum / d->length;
		CHECK_FOR_INTERRUPTS();
	}
	for (uint32 i = 0; i < begin; i++)
		d->trend[i] = line_at(d->trend, begin, Min(begin + line, end), i);
	for (uint32 i = end; i < d->n; i++)
		d->trend[i] = line_at(d->trend, end > begin + line ? end - line : begin, end, i);
}

/* Means of the known rows of each phase, less their mean. */
static void
season_compute(Decomposition *d)
{
	double		mean = 0;

	for (uint32 s = 0; s < d->season && d->season > 1; s++)
	{
		double		sum = 0;
		uint32		n = 0;

		for (uint32 i = s; i < d->n; i += d->season)
		{
			if (isnan(d->value[i]))
				continue;
			sum += d->value[i] - d->trend[i];
			n++;
		}
		d->phase[s] = n > 0 ? sum / n : 0;
		mean += d->phase[s] / d->season;
	}
	for (uint32 s = 0; s < d->season; s++)
		d->phase[s] -= mean;
}

static void
part_put(const Decomposition *d, uint32 i, const char *name, double value)
{
	ExplainRow	row = explain_row(d->k);

	row.series = d->window.series;
	row.input = name;
	row.value = value;
	row.step = i < d->rows ? 0 : i - d->rows + 1;
	row.lag = (int64) d->rows - i;
	row.lags = 1;
	row.timed = true;
	row.row = (int64) d->window.origin + 1 - row.lag -
		d->e->run->data->series.first[d->window.series];
	explain_put(d->e, &row);
}

static void
parts_put(const Decomposition *d)
{
	for (uint32 i = 0; i < d->n; i++)
	{
		double		season = d->season > 1 ? d->phase[i % d->season] : 0;

		part_put(d, i, "value", d->value[i]);
		part_put(d, i, "trend", d->trend[i]);
		part_put(d, i, "season", season);
		part_put(d, i, "remainder", d->value[i] - d->trend[i] - season);
	}
}

/* History and forecast of one target; point [horizon][ntargets]. */
static void
target_run(Decomposition *d, const double *point)
{
	const Explain *e = d->e;
	const NnSeries *series = &e->run->data->series;
	uint32		G = e->run->model->spec.ntargets;

	for (uint32 i = 0; i < d->rows; i++)
		d->value[i] = series->value[((size_t) d->window.origin + 1 - d->rows + i) * series->C + d->k];
	for (uint32 h = 0; h < e->horizon; h++)
		d->value[d->rows + h] = point[(size_t) h * G + d->k];
	gaps_fill(d);
	trend_compute(d);
	season_compute(d);
	parts_put(d);
}

void
decomposition_run(const Explain *e)
{
	ModelRun   *run = e->run;
	const NnSpec *spec = &run->model->spec;
	Decomposition d = {.e = e,.window = model_run_newest(run, e->series)};
	double	   *point = NN_NEW_ARRAY(run->env, double, (size_t) e->horizon * spec->ntargets);

	model_run_future_check(run, &d.window, run->roles.nfuture > 0 ? e->horizon : 0);
	model_run_predict(model_run_predictor(run, 1, e->horizon), run->prepared, &d.window, 1,
					  e->horizon, NULL, 0, point, NULL, NULL);
	d.rows = (uint32) Min(Max((uint64) spec->context, SEASONS * (uint64) spec->season),
						  run->data->series.history[e->series]);
	d.n = d.rows + e->horizon;
	d.season = spec->season > 1 && d.n >= 2 * (uint64) spec->season ? spec->season : 1;
	d.length = d.season > 1 ? d.season : TREND_ROWS;
	if (d.length >= d.n)
		d.length = d.n > 2 ? (d.n - 1) / 2 * 2 - 1 : 1;
	d.value = NN_NEW_ARRAY(run->env, double, d.n);
	d.filled = NN_NEW_ARRAY(run->env, double, d.n);
	d.trend = NN_NEW_ARRAY(run->env, double, d.n);
	d.phase = NN_NEW_ARRAY(run->env, double, d.season);
	for (d.k = 0; d.k < spec->ntargets; d.k++)
		if (explain_wants(e, d.k))
			target_run(&d, point);
}
