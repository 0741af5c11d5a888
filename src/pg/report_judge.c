/*
 * report_judge.c
 *		The part of lstm.report that holds forecasts against what came, beside classical methods.
 *
 * One walk over the origins of the run that the report has open, for the model and all methods:
 * each method is judged on what the model is judged on.  Where enough rows are newer
 * than the training, on those alone.
 *
 * Costs about ORIGINS forecasts, or one of each series where there are more.  Methods that are
 * fitted (holt_winters, theta, ar) take part as far as that is about a second at the most,
 * by the rows that they would read; the others look at a few rows of each origin.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"

#include "pg/env.h"
#include "pg/metrics.h"
#include "pg/opponent.h"
#include "pg/report.h"

/* Origins that are taken, about. */
#define ORIGINS 300

/* Series with a line of their own. */
#define SERIES_LINES 12


/* Newer rows of the longest series that suffice: so many, and so many horizons. */
#define FRESH_ROWS 20
#define FRESH_HORIZONS 3

/* A joint model forecasts from all origins, so these may be more where only newer ones count. */
#define JOINT_ORIGINS (20 * ORIGINS)

/* What fitted methods may read, in rows; and what a fit reads, of which there are two or so. */
#define FITTED_ROWS 1e8
#define FIT_PASSES (2 * 220)

typedef struct Method
{
	const char *name;
	NnClassicKind kind;
} Method;

static const Method methods[] = {
	{"naive", NN_CLASSIC_NAIVE},
	{"seasonal naive", NN_CLASSIC_SEASONAL_NAIVE},
	{"mean", NN_CLASSIC_MEAN},
	{"drift", NN_CLASSIC_DRIFT},
	{"Holt-Winters", NN_CLASSIC_HOLT_WINTERS},
	{"theta", NN_CLASSIC_THETA},
	{"autoregression", NN_CLASSIC_AR}
};

#define METHODS lengthof(methods)

/* What is carried along of a series and target. */
typedef struct Cell
{
	uint32		seen;			/* rows that the mean is of */
	uint64		known;			/* of which have a value */
	double		mean;
	uint32		fitted;			/* rows that the parameters are from; 0: none */
	double	   *parameter;		/* [METHODS][NN_CLASSIC_PARAMETERS]; NULL: none are fitted */
} Cell;

typedef struct Judge
{
	Origins		origins;
	double		level;
	bool		takes[METHODS];
	uint32		against;		/* the method that the first table compares with */
	bool		fits;			/* methods that are fitted take part */
	bool		only_fresh;
	uint32		every;			/* of the rows that count, one in so many is an origin */
	uint32	   *fresh;			/* [nseries] first row that no training has seen */
	uint64		nfresh, nrows;	/* of all series */
	uint32		longest, longest_fresh; /* of one; fresh: that can be origins */
	Opponent   *opponent;
	Cell	   *cell;			/* [nseries][ntargets] */
	MetricScale *scale;			/* [nseries][ntargets] */
	MetricSums *sums;			/* [nseries][ntargets] */
	MetricSums *beside;			/* [METHODS][ntargets] */
	double	   *baseline;		/* [METHODS][horizon] */
} Judge;

/* ------------------------------------------------------------------------
 * Which origins
 */

/* Of a joint model: newer than the training of every member. */
static void
fresh_find(Judge *judge, const JointModel *joint)
{
	const ModelRun *run = judge->origins.run;
	const NnSeries *series = &run->data->series;

	judge->fresh = NN_NEW_ARRAY(run->env, uint32, series->nseries);
	for (uint32 s = 0; s < series->nseries; s++)
	{
		uint32		rows = series->history[s],
					first = model_run_fresh(run, s, rows);

		for (uint32 m = 1; joint != NULL && m < joint->nmembers; m++)
			while (first < rows &&
				   source_time(run->data, s, first) <= joint->member[m].run->model->trained_to)
				first++;
		judge->fresh[s] = first;
		judge->nrows += rows;
		judge->nfresh += rows - first;
		/* Rows that a window fits before. */
		first = Max(first, nn_rows_needed(&run->model->spec));
		judge->longest = Max(judge->longest, rows);
		judge->longest_fresh = Max(judge->longest_fresh, rows > first ? rows - first : 0);
	}
}

/* One row in how many, so that there are about ORIGINS; one of each series at the least. */
static uint32
origins_every(const Judge *judge, uint64 rows, uint32 longest)
{
	if (judge->origins.run->model->spec.nsites > 1)
		rows /= judge->origins.run->data->series.nseries;	/* one forecast for all series */
	return (uint32) Min(Max(rows / ORIGINS, 1), Min(Max(longest, 1), NN_MAX_STEPS));
}

static bool
origin_is_fresh(const Judge *judge, const NnWindow *window)
{
	const NnSeries *series = &judge->origins.run->data->series;

	return window->origin + 1 - series->first[window->series] >= judge->fresh[window->series];
}

/* Thins the newer rows by itself: the walk's stride counts from the first row. */
static bool
origin_wanted(void *host, const NnWindow *window)
{
	const Judge *judge = host;
	const NnSeries *series = &judge->origins.run->data->series;

	CHECK_FOR_INTERRUPTS();
	return origin_is_fresh(judge, window) &&
		(window->origin + 1 - series->first[window->series] - judge->fresh[window->series]) %
		judge->every == 0;
}

/* Whether only newer rows count, and which of those that count are origins. */
static void
origins_choose(Judge *judge, bool joint)
{
	uint64		enough = Max(FRESH_ROWS, FRESH_HORIZONS * (uint64) judge->origins.horizon);

	judge->only_fresh = judge->longest_fresh >= enough;
	if (judge->only_fresh)
		judge->every = origins_every(judge, judge->nfresh, joint ? judge->longest_fresh / 8 :
									 judge->longest_fresh);
	if (joint && judge->only_fresh && judge->nrows / judge->every > JOINT_ORIGINS)
		judge->only_fresh = false;
	if (!judge->only_fresh)
		judge->every = origins_every(judge, judge->nrows, judge->longest);
	judge->origins.stride = judge->only_fresh && !joint ? 1 : judge->every;
	judge->origins.wanted = judge->only_fresh ? origin_wanted : NULL;
}

/* ------------------------------------------------------------------------
 * Methods
 */

/* About the rows that fitted methods would read. */
static double
fitted_rows(const Judge *judge)
{
	const ModelRun *run = judge->origins.run;
	const NnSeries *series = &run->data->series;
	double		sum = 0;

	for (uint32 s = 0; s < series->nseries; s++)
	{
		uint32		rows = series->history[s],
					judged = judge->only_fresh ? rows - judge->fresh[s] : rows;

		sum += (double) Min(rows, judge->opponent->most) *
			(FIT_PASSES + (double) judged / judge->every);
	}
	return 3 * sum * run->model->spec.ntargets;
}

static void
cell_advance(Cell *cell, const NnSeries *series, uint32 s, uint32 k, uint32 rows)
{
	for (; cell->seen < rows; cell->seen++)
	{
		double		value = series->value[((size_t) series->first[s] + cell->seen) * series->C + k];

		if (isnan(value))
			continue;
		cell->known++;
		/* Parts, not sums: values may be near the largest number. */
		cell->mean += value / (double) cell->known - cell->mean / (double) cell->known;
	}
}

/* Anew each time the rows have doubled, up to those that a fit reads: as lstm.evaluate does. */
static void
cell_fit(Judge *judge, Cell *cell, uint32 s, uint32 k, uint32 rows)
{
	if (!judge->fits || (cell->fitted > 0 && (rows < 2 * (uint64) cell->fitted ||
											  cell->fitted >= judge->opponent->most)))
		return;
	cell->fitted = rows;
	for (uint32 m = 0; m < METHODS; m++)
		if (judge->takes[m])
			opponent_fit(judge->opponent, methods[m].kind, &judge->origins.run->data->series, s, k,
						 rows, cell->parameter + (size_t) m * NN_CLASSIC_PARAMETERS);
}

/* All methods' forecasts of target k after the first rows rows. */
static void
methods_forecast(Judge *judge, uint32 s, uint32 k, uint32 rows)
{
	const ModelRun *run = judge->origins.run;
	const NnSeries *series = &run->data->series;
	Cell	   *cell = &judge->cell[(size_t) s * run->model->spec.ntargets + k];
	uint32		horizon = judge->origins.horizon;

	cell_advance(cell, series, s, k, rows);
	cell_fit(judge, cell, s, k, rows);
	for (uint32 m = 0; m < METHODS; m++)
	{
		double	   *out = judge->baseline + (size_t) m * horizon;

		if (!judge->takes[m])
			continue;
		if (methods[m].kind == NN_CLASSIC_MEAN)
			for (uint32 h = 0; h < horizon; h++)
				out[h] = cell->known > 0 ? cell->mean : NAN;
		else
			opponent_forecast(judge->opponent, methods[m].kind, cell->parameter == NULL ? NULL :
							  cell->parameter + (size_t) m * NN_CLASSIC_PARAMETERS,
							  series, s, k, rows, horizon, out);
	}
}

static void
pair_add(Judge *judge, MetricPair *pair, uint32 s, uint32 k, uint32 h)
{
	uint32		ntargets = judge->origins.run->model->spec.ntargets;
	size_t		cell = (size_t) s * ntargets + k;

	pair->baseline = judge->baseline[(size_t) judge->against * judge->origins.horizon + h];
	metrics_add(&judge->sums[cell], pair, judge->scale[cell], judge->level);
	for (uint32 m = 0; m < METHODS; m++)
	{
		if (!judge->takes[m])
			continue;
		pair->baseline = judge->baseline[(size_t) m * judge->origins.horizon + h];
		metrics_add(&judge->beside[(size_t) m * ntargets + k], pair, judge->scale[cell], judge->level);
	}
}

static void
origin_add(void *host, const NnWindow *window, const double *point, const double *low,
		   const double *high)
{
	Judge	   *judge = host;
	const ModelRun *run = judge->origins.run;
	uint32		ntargets = run->model->spec.ntargets,
				s = window->series;

	CHECK_FOR_INTERRUPTS();
	/* A joint model asks for all origins. */
	if (judge->only_fresh && !origin_is_fresh(judge, window))
		return;
	for (uint32 k = 0; k < ntargets; k++)
	{
		methods_forecast(judge, s, k, window->origin + 1 - run->data->series.first[s]);
		for (uint32 h = 0; h < judge->origins.horizon; h++)
		{
			size_t		at = (size_t) h * ntargets + k;
			MetricPair	pair = {.actual = origin_actual(run, window, h, k), .point = point[at]};

			if (isnan(pair.actual) || isnan(pair.point))
				continue;
			for (int v = 0; v < METRIC_LEVELS - 1; v++)
				pair.low[v] = pair.high[v] = NAN;
			pair.low[METRIC_LEVELS - 1] = low[at];
			pair.high[METRIC_LEVELS - 1] = high[at];
			pair_add(judge, &pair, s, k, h);
		}
	}
}

static void
judge_prepare(Judge *judge, const JointModel *joint)
{
	const ModelRun *run = judge->origins.run;
	const NnEnv *env = run->env;
	const NnSeries *series = &run->data->series;
	uint32		ntargets = run->model->spec.ntargets,
				season = run->model->spec.season;
	size_t		cells = nn_size_mul(env, series->nseries, ntargets);

	fresh_find(judge, joint);
	origins_choose(judge, joint != NULL);
	judge->opponent = opponent_create(env, season);
	judge->fits = fitted_rows(judge) <= FITTED_ROWS;
	for (uint32 m = 0; m < METHODS; m++)
		judge->takes[m] = opponent_is_fitted(methods[m].kind) ? judge->fits :
			season > 1 || methods[m].kind != NN_CLASSIC_SEASONAL_NAIVE;
	judge->against = season > 1 ? 1 : 0;
	judge->cell = NN_NEW_ARRAY(env, Cell, cells);
	judge->scale = NN_NEW_ARRAY(env, MetricScale, cells);
	judge->sums = NN_NEW_ARRAY(env, MetricSums, cells);
	judge->beside = NN_NEW_ARRAY(env, MetricSums, nn_size_mul(env, METHODS, ntargets));
	judge->baseline = NN_NEW_ARRAY(env, double, nn_size_mul(env, METHODS, judge->origins.horizon));
	for (size_t i = 0; i < cells; i++)
	{
		uint32		s = (uint32) (i / ntargets);

		judge->scale[i] = metrics_scale(series, s, series->history[s], season, (uint32) (i % ntargets));
		if (judge->fits)
			judge->cell[i].parameter = NN_NEW_ARRAY(env, double, METHODS * NN_CLASSIC_PARAMETERS);
	}
}

/* ------------------------------------------------------------------------
 * The page
 */

static void
introduction(const Judge *judge, bool joint, NnText *html)
{
	const NnEnv *env = judge->origins.run->env;

	nn_text_print(html, "<p>Forecasts from %s beside what came. ", judge->every == 1 ? "every row" :
				  judge->every >= (judge->only_fresh ? judge->longest_fresh : judge->longest) ?
				  "one row of each series" : nn_format(env, "one row in %u", judge->every));
	if (judge->only_fresh)
		nn_text_print(html, "Judged only on the " UINT64_FORMAT " of " UINT64_FORMAT " rows that are newer "
					  "than the training%s.", judge->nfresh, judge->nrows, joint ?
					  " of all members; the weights of the members may come from some of them" : "");
	else if (judge->nfresh > 0)
		nn_text_print(html, "Only " UINT64_FORMAT " of " UINT64_FORMAT " rows are newer than the training, "
					  "too few to judge on them alone: the model has seen the others, so trust the "
					  "validation more.", judge->nfresh, judge->nrows);
	else
		nn_text_print(html, "None of the " UINT64_FORMAT " rows is newer than the training: the model has "
					  "seen them, so trust the validation more.", judge->nrows);
	nn_text_print(html, " Coverage is of the %g%% intervals.</p>\n", judge->level * 100);
}

static void
line_put(NnText *html, const char *series, const char *target, const MetricSums *sums)
{
	static const Metric shown[] = {
		METRIC_MAE, METRIC_RMSE, METRIC_MASE, METRIC_COVERAGE, METRIC_BASELINE_MAE, METRIC_SKILL
	};
	Metrics		metrics = metrics_of(sums);

	nn_text_print(html, "<tr>");
	html_text(html, series);
	html_text(html, target);
	html_integer(html, (int64) metrics.n);
	for (size_t i = 0; i < lengthof(shown); i++)
		html_number(html, metrics.value[shown[i]]);
	nn_text_print(html, "</tr>\n");
}

static void
errors_table(const Judge *judge, NnText *html)
{
	static const char *const columns[] = {
		"series", "target", "#n", "#MAE", "#RMSE", "#MASE", "#coverage", "#baseline MAE", "#skill"
	};
	const ModelRun *run = judge->origins.run;
	uint32		ntargets = run->model->spec.ntargets,
				nseries = run->data->series.nseries;

	html_table(html, lengthof(columns), columns);
	if (nseries > 1 && nseries * ntargets <= SERIES_LINES)
		for (uint32 s = 0; s < nseries; s++)
			for (uint32 k = 0; k < ntargets; k++)
				line_put(html, model_run_series(run, s), run->roles.target[k],
						 &judge->sums[(size_t) s * ntargets + k]);
	for (uint32 k = 0; k < ntargets; k++)
	{
		MetricSums	sums = {0};

		for (uint32 s = 0; s < nseries; s++)
			metrics_merge(&sums, &judge->sums[(size_t) s * ntargets + k]);
		line_put(html, "all", run->roles.target[k], &sums);
	}
	html_table_end(html);
}

static void
method_put(NnText *html, const char *name, double mae, double rmse, double skill)
{
	nn_text_print(html, "<tr>");
	html_text(html, name);
	html_number(html, mae);
	html_number(html, rmse);
	html_number(html, skill);
	nn_text_print(html, "</tr>\n");
}

/* Means over the targets, as lstm.evaluate has them at level "all". */
static void
methods_table(const Judge *judge, NnText *html)
{
	static const char *const columns[] = {"method", "#MAE", "#RMSE", "#skill of this model beside it"};
	uint32		ntargets = judge->origins.run->model->spec.ntargets;
	Metrics    *each = palloc0(sizeof(Metrics) * ntargets),
				all;

	for (uint32 m = 0; m < METHODS; m++)
	{
		if (!judge->takes[m])
			continue;
		for (uint32 k = 0; k < ntargets; k++)
			each[k] = metrics_of(&judge->beside[(size_t) m * ntargets + k]);
		all = metrics_average(each, ntargets);
		if (m == 0)
		{
			html_table(html, lengthof(columns), columns);
			method_put(html, "this model", all.value[METRIC_MAE], all.value[METRIC_RMSE], NAN);
		}
		method_put(html, methods[m].name, all.value[METRIC_BASELINE_MAE],
				   all.value[METRIC_BASELINE_RMSE], all.value[METRIC_SKILL]);
	}
	html_table_end(html);
}

void
report_evaluation(Report *report, NnText *html)
{
	Judge		judge = {.level = REPORT_LEVEL};

	if (report->run == NULL)
		return;
	judge.origins = (Origins) {
		.run = report->run, .horizon = report->horizon, .level = &judge.level, .nlevels = 1,
		.put = origin_add, .host = &judge
	};
	judge_prepare(&judge, report->joint);
	if (report->joint != NULL)
		joint_origins(report->joint, &judge.origins);
	else
		origins_forecast(&judge.origins);
	introduction(&judge, report->joint != NULL, html);
	errors_table(&judge, html);
	nn_text_print(html, "<p>%s methods on the same rows, over all series%s.%s</p>\n",
				  judge.fits ? "Classical" : "Simple",
				  report->run->model->spec.ntargets > 1 ? ", means over the targets" : "", judge.fits ? "" :
				  " Holt-Winters, theta and autoregression would take too long here: "
				  "lstm.evaluate(baseline =&gt; 'theta') asks for one.");
	methods_table(&judge, html);
}
