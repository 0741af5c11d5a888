/*
 * nn_auto.c
 *		Settings from the rows: season, context, network, how long to train.
 *
 * Knows rules of thumb that were tried on public series (docs/accuracy.md), each
 * beside the number it gives.  Looks at rows once, to find the season.
 */
#include <math.h>
#include <string.h>

#include "core/nn_auto.h"
#include "core/nn_member.h"
#include "core/nn_stats.h"

/* What is looked at to find the season. */
#define SEASON_SERIES	200
#define SEASON_ROWS		5000
#define SEASON_LAGS		400		/* where the frequency suggests nothing */

/* Change over a season must be below this share of the change over shorter distances. */
#define SEASON_SHARE	0.9
/* The same where the frequency suggests nothing: chance has many lags to choose from. */
#define SEASON_SHARE_ANY 0.75

/* ------------------------------------------------------------------------
 * Season
 */

/*
 * Mean |y(t) - y(t - lag) - trend| over the rows where both are known, trend being the
 * mean of such differences; NaN without any.
 */
static double
lag_change(const double *y, uint32_t n, uint32_t lag)
{
	double		sum = 0,
				count = 0,
				trend = 0;

	for (uint32_t t = lag; t < n; t++)
	{
		double		change = y[t] - y[t - lag];

		if (isnan(change))
			continue;
		trend += change;
		count += 1;
	}
	if (count == 0)
		return NAN;
	trend /= count;
	for (uint32_t t = lag; t < n; t++)
	{
		double		change = fabs(y[t] - y[t - lag] - trend);

		sum += isnan(change) ? 0 : change;
	}
	return sum / count;
}

typedef struct Seasons
{
	const NnEnv *env;
	uint32_t	n;				/* lags looked at */
	uint32_t	lag[SEASON_LAGS + 8];
	double		share[SEASON_LAGS + 8]; /* sums over series of change(lag) / mean change up to it */
	double		count[SEASON_LAGS + 8];
	bool		any;			/* all lags are looked at */
	double		change[SEASON_ROWS / 3 + 1];	/* by lag, of the series at hand; -1: not measured */
} Seasons;

static void
season_add(Seasons *seasons, uint64_t lag)
{
	if (lag > 1 && lag <= NN_MAX_STEPS)
		seasons->lag[seasons->n++] = (uint32_t) lag;
}

/* The lags that are worth a look. */
static void
seasons_list(Seasons *seasons, const NnFrequency *f)
{
	int64_t		day = INT64_C(86400000000);

	seasons->any = f->unit == NN_UNIT_INTEGER;
	if (f->unit == NN_UNIT_MICROSECOND && f->count < day)
	{
		if (day % f->count == 0)
		{
			season_add(seasons, (uint64_t) (day / f->count));
			season_add(seasons, (uint64_t) (7 * (day / f->count)));
		}
		if (3600000000 % f->count == 0 && f->count < 900000000)
			season_add(seasons, (uint64_t) (3600000000 / f->count));
	}
	else if (f->unit == NN_UNIT_DAY && f->count == 1)
	{
		season_add(seasons, 7);
		season_add(seasons, 365);
	}
	else if (f->unit == NN_UNIT_BUSINESS_DAY && f->count == 1)
	{
		season_add(seasons, 5);
		season_add(seasons, 261);
	}
	else if (seasons->any)
		for (uint32_t lag = 2; lag <= SEASON_LAGS; lag++)
			season_add(seasons, lag);
	else
		season_add(seasons, nn_season_default(f));
}

/* lag_change, measured once for each lag of a series. */
static double
change_of(Seasons *seasons, const double *y, uint32_t n, uint32_t lag)
{
	double	   *change = &seasons->change[lag];

	if (*change == -1)
		*change = lag_change(y, n, lag);
	return *change;
}

/*
 * Adds one series to the shares: the mean change over the lag beside the mean of the mean
 * changes over the shorter ones (up to 64 of them).
 */
static void
seasons_measure(Seasons *seasons, const double *y, uint32_t n)
{
	for (size_t lag = 0; lag < sizeof(seasons->change) / sizeof(seasons->change[0]); lag++)
		seasons->change[lag] = -1;
	for (uint32_t i = 0; i < seasons->n; i++)
	{
		uint32_t	lag = seasons->lag[i],
					step = lag / 64 + 1;
		double		change,
					sum = 0,
					count = 0;

		if (n < 3 * lag)
			continue;
		seasons->env->poll(seasons->env->host);
		change = change_of(seasons, y, n, lag);
		for (uint32_t other = 1; other < lag; other += step)
		{
			double		x = change_of(seasons, y, n, other);

			if (isnan(x))
				continue;
			sum += x;
			count += 1;
		}
		if (isnan(change) || !(sum > 0))
			continue;
		seasons->share[i] += change / (sum / count);
		seasons->count[i] += 1;
	}
}

/* The shortest lag whose share is nearly the least, if that is low enough; else 1. */
static uint32_t
season_choose(const Seasons *seasons, double nmeasured)
{
	double		least = seasons->any ? SEASON_SHARE_ANY : SEASON_SHARE;
	uint32_t	best = 1;

	for (uint32_t i = 0; i < seasons->n; i++)
		if (seasons->count[i] > 0.5 * nmeasured)
			least = fmin(least, seasons->share[i] / seasons->count[i]);
	for (uint32_t i = 0; i < seasons->n; i++)
	{
		double		share = seasons->share[i] / seasons->count[i];

		/* A longer one must be better by a tenth. */
		if (seasons->count[i] > 0.5 * nmeasured && share <= 1.1 * least &&
			share < (seasons->any ? SEASON_SHARE_ANY : SEASON_SHARE))
			return seasons->lag[i];
	}
	return best;
}

uint32_t
nn_auto_season(const NnEnv *env, const NnSeries *series, uint32_t ntargets,
			   const NnFrequency *frequency)
{
	Seasons    *seasons = NN_NEW(env, Seasons);
	double	   *y = NN_NEW_ARRAY(env, double, SEASON_ROWS);
	uint32_t	stride = series->nseries / SEASON_SERIES + 1;
	double		nmeasured = 0;

	seasons->env = env;
	seasons_list(seasons, frequency);
	if (seasons->n == 0)
		return 1;
	/* All lags of many series would take seconds: fewer rows do there. */
	for (uint32_t s = 0; s < series->nseries; s += stride)
	{
		uint32_t	most = seasons->any ? 1000 : SEASON_ROWS,
					history = series->history[s],
					n = history < most ? history : most;

		for (uint32_t k = 0; k < ntargets && k < 3; k++)
		{
			for (uint32_t t = 0; t < n; t++)
				y[t] = series->value[((size_t) series->first[s] + history - n + t) * series->C + k];
			seasons_measure(seasons, y, n);
			nmeasured += 1;
		}
		if (seasons->any && s / stride >= 40)
			break;
	}
	return season_choose(seasons, nmeasured);
}

/* ------------------------------------------------------------------------
 * Candidates
 */

/* What is known of the rows. */
typedef struct Facts
{
	uint32_t	nseries, longest;
	uint32_t	typical;		/* rows of the shortest series; where windows are padded, of the median */
	uint64_t	rows;
	uint32_t	season;			/* 1: none */
} Facts;

static Facts
facts_of(const NnEnv *env, const NnSpec *spec, const NnSeries *series, bool pads)
{
	Facts		facts = {.nseries = series->nseries,.season = spec->season > 1 ? spec->season : 1};
	double	   *length = NN_NEW_ARRAY(env, double, series->nseries);

	for (uint32_t s = 0; s < series->nseries; s++)
	{
		length[s] = series->history[s];
		facts.rows += series->history[s];
	}
	nn_stats_sort(length, series->nseries);
	facts.typical = (uint32_t) length[pads ? series->nseries / 2 : 0];
	facts.longest = (uint32_t) length[series->nseries - 1];
	return facts;
}

static uint32_t
clamp(double x, double low, double high)
{
	return (uint32_t) (x < low ? low : x > high ? high : x);
}

/* ------------------------------------------------------------------------
 * Context
 */

/*
 * For a named network: two seasons of context where that leaves enough windows, else a third of the
 * shortest series (of the median where windows are padded); 16 steps where there is no season.
 */
static uint32_t
context_plain(const NnSpec *spec, const Facts *facts)
{
	uint32_t	context = facts->season > 1 ? 2 * facts->season : 16,
				room = facts->typical > spec->horizon ? facts->typical - spec->horizon : 1;

	context = context < 96 ? context : 96;
	context = context < room / 3 ? context : room / 3;
	return context > 0 ? context : 1;
}

/* Training windows of a typical series that a choice should leave. */
#define LEAST_WINDOWS 8

/*
 * Whole seasons: for few rows a sixth of them, 2 to 8 seasons; for many as many as
 * leave a typical series half of its rows to cut windows from, up to 14.  Long
 * seasons (a year of days) 2 or 3.
 */
static uint32_t
context_seasonal(const NnSpec *spec, const Facts *facts, bool large)
{
	double		m = facts->season,
				n = facts->typical;
	uint32_t	seasons;

	if (m > 60)
		seasons = n >= 6 * m ? 3 : 2;
	else if (large)
		seasons = clamp((n - 2.0 * spec->horizon) / (2 * m), 1, m > 12 ? 14 : 4);
	else
		seasons = clamp(n / (6 * m), 2, 8);
	while (seasons > 1 && seasons * m + spec->horizon + LEAST_WINDOWS > n)
		seasons--;
	return (uint32_t) (seasons * m);
}

/* Without a season: 8 rows of few, up to 32 of many. */
static uint32_t
context_short(const Facts *facts, bool large)
{
	return clamp(facts->typical / 3.0, 1, large ? 32 : 8);
}

/* ------------------------------------------------------------------------
 * The choice for "auto"
 */

/* Windows to train on. */
static double
windows_of(const NnSpec *spec, const NnSeries *series)
{
	double		windows = 0;

	for (uint32_t s = 0; s < series->nseries; s++)
		if (series->history[s] >= nn_rows_needed(spec) + spec->horizon)
			windows += series->history[s] - nn_rows_needed(spec) - spec->horizon + 1;
	return windows;
}

/* So many optimiser steps, spread over epochs of which one can see the losses. */
static void
steps_set(NnSpec *spec, double windows, uint32_t steps)
{
	uint32_t	epoch = clamp(ceil(windows / spec->batch_size), 1, 1e6);

	/* Epochs that the caller counts are no longer than those counted here. */
	if (!nn_spec_given(spec, "steps_per_epoch") && epoch > steps / 20)
		spec->steps_per_epoch = steps / 20;
	if (nn_spec_given(spec, "epochs"))
		return;
	spec->epochs = 20;
	if (epoch <= steps / 20)
		spec->epochs = (steps + epoch - 1) / epoch;
}

static void
real_set(NnSpec *spec, const char *key, double *place, double value)
{
	if (!nn_spec_given(spec, key))
		*place = value;
}

static void
integer_set(NnSpec *spec, const char *key, uint32_t *place, uint32_t value)
{
	if (!nn_spec_given(spec, key))
		*place = value;
}

/* What all networks that are chosen here are trained with. */
static void
training_set(NnSpec *spec)
{
	if (!nn_spec_given(spec, "loss"))
		spec->loss = NN_LOSS_MAE;
	if (!nn_spec_given(spec, "schedule"))
		spec->schedule = NN_SCHEDULE_COSINE;
	real_set(spec, "clip_norm", &spec->clip_norm, 1);
	integer_set(spec, "patience", &spec->patience, 0);
	if (!nn_spec_given(spec, "refit"))
		spec->refit = spec->validation_split > 0;
}

/*
 * Many windows, mostly from many series: one network of 64 units for all.  Rates,
 * steps and batches as tried on M4 hourly and the tourism series.
 */
static void
training_large(NnSpec *spec, double windows)
{
	bool		huge = windows >= 100000;

	training_set(spec);
	integer_set(spec, "batch_size", &spec->batch_size, huge ? 256 : 128);
	integer_set(spec, "warmup_steps", &spec->warmup_steps, 30);
	real_set(spec, "learning_rate", &spec->learning_rate, huge ? 7e-3 : 3e-3);
	steps_set(spec, windows, huge ? 1000 : 500);
}

/* Few windows: a small network held back by dropout and weight decay. */
static void
training_small(NnSpec *spec, double windows)
{
	training_set(spec);
	integer_set(spec, "batch_size", &spec->batch_size, 64);
	if (!nn_spec_given(spec, "optimizer"))
	{
		spec->optimizer = NN_ADAMW;
		real_set(spec, "weight_decay", &spec->weight_decay, 1e-2);
	}
	real_set(spec, "learning_rate", &spec->learning_rate, 3e-3);
	steps_set(spec, windows, 600);
}

/*
 * Fewer steps at once where the horizon leaves too few windows; the rest goes on
 * recursively, which unknown covariates forbid.
 */
static void
horizon_shorten(NnSpec *spec, uint32_t rows, uint32_t season)
{
	uint32_t	by = season / 2 > 0 ? season / 2 : 1;

	if (spec->npast + spec->narrays > 0)
		return;
	while (spec->horizon > by && rows < nn_rows_needed(spec) + spec->horizon + LEAST_WINDOWS - 1)
		spec->horizon -= by;
}

/*
 * Time-ordered folds: several where series are few or short, one where windows abound.
 * Each begins half a horizon or more after the one before; the first must leave three seasons.
 */
static void
folds_set(NnSpec *spec, const Facts *facts, bool large)
{
	double		stride = spec->forecast_horizon / 2 > 0 ? spec->forecast_horizon / 2 : 1,
				least = 3.0 * facts->season;
	uint32_t	most = spec->narrays > 0 ? 2 : large ? 3 : facts->season > 100 ? 4 : 6;

	if (nn_spec_given(spec, "folds") || nn_spec_given(spec, "validation_split"))
		return;
	if (facts->season <= 1)
		least = facts->typical > 48 ? 24 : facts->typical / 2.0;
	if (least < nn_rows_needed(spec) + 4.0)
		least = nn_rows_needed(spec) + 4.0;
	/* Enough windows in one horizon of each series. */
	if (facts->rows > 200000 || facts->typical > 3000)
	{
		spec->validation_split = fmin((double) spec->forecast_horizon / facts->longest, 0.5);
		spec->folds = 1;
		if (facts->nseries < 20 && spec->validation_split < 0.1)
			spec->validation_split = 0.1;
		return;
	}
	spec->folds = clamp((facts->typical - least) / stride, 1, most);
	/* Many series judge enough windows on few rows each: the more rows train. */
	if (spec->folds > 1 && facts->nseries >= 20)
		spec->validation_split = fmin(spec->validation_split, spec->folds * stride / facts->longest);
}

/* Simple members that may help: all of them for few rows, the fast ones for many. */
static void
members_set(NnSpec *spec, const Facts *facts)
{
	const uint32_t seasonal = facts->season <= 1 ? 0 :
		NN_MEMBER(NN_CLASSIC_SEASONAL_NAIVE) | NN_MEMBER(NN_CLASSIC_HOLT_WINTERS_MULTIPLICATIVE) |
		NN_MEMBER(NN_CLASSIC_HOLT_WINTERS_MULTIPLICATIVE_DAMPED),
				all = seasonal | NN_MEMBER(NN_CLASSIC_NAIVE) | NN_MEMBER(NN_CLASSIC_HOLT_WINTERS) |
		NN_MEMBER(NN_CLASSIC_HOLT_WINTERS_DAMPED) | NN_MEMBER(NN_CLASSIC_THETA) |
		NN_MEMBER(NN_CLASSIC_AR);

	if (nn_spec_given(spec, "members"))
		return;
	if (spec->form.architecture == NN_ARCHITECTURE_ENSEMBLE)
		spec->members = all | NN_MEMBER(NN_CLASSIC_MEAN) | NN_MEMBER(NN_CLASSIC_DRIFT);
	else if (facts->rows <= 150000)
		spec->members = all;
	else
		spec->members = NN_MEMBER(NN_CLASSIC_THETA) |
			NN_MEMBER(facts->season > 1 ? NN_CLASSIC_SEASONAL_NAIVE : NN_CLASSIC_NAIVE);
	spec->members |= NN_MEMBER_NETWORK;
}

/* Rows of a series that the first fold does not train on, about as trial.c cuts them. */
static uint32_t
judged_rows(const NnSpec *spec, uint32_t history)
{
	double		rows = spec->validation_split * history,
				least = spec->folds > 1 ? spec->folds * spec->forecast_horizon / 2.0 :
		spec->forecast_horizon;

	return clamp(rows > least ? rows : least, 0, history);
}

/* One network for all windows there are. */
static void
choose_network(NnSpec *spec, const Facts *facts, const NnSeries *series, bool context_given)
{
	double		windows;
	bool		large = facts->rows > 5000;

	spec->pad = nn_auto_pads(spec, facts->nseries);
	if (!context_given)
		spec->context = facts->season > 1 && facts->typical >= 3 * facts->season ?
			context_seasonal(spec, facts, large) : context_short(facts, large);
	members_set(spec, facts);
	/* A plain network has a place to join images to. */
	spec->form.architecture = spec->narrays > 0 ? NN_ARCHITECTURE_GRU : NN_ARCHITECTURE_SEASONAL;
	spec->form.units = large ? 64 : 16;
	spec->form.dropout = large ? 0 : 0.3;
	folds_set(spec, facts, large);
	horizon_shorten(spec, facts->typical -
					judged_rows(spec, facts->typical), facts->season);
	/* A long horizon that was not shortened leaves what it leaves. */
	if (!context_given && nn_rows_needed(spec) + spec->horizon > facts->typical)
		spec->context = facts->typical > spec->horizon + spec->difference ?
			facts->typical - spec->horizon - spec->difference : 1;
	windows = windows_of(spec, series);
	if (!nn_spec_given(spec, "scale_by_series"))
		spec->scale_by_series = series->nseries > 1;
	if (!nn_spec_given(spec, "ensemble_size"))
		spec->ensemble_size = spec->narrays > 0 ? 1 : 3;	/* images take their time */
	if (large)
		training_large(spec, windows);
	else
		training_small(spec, windows);
}

/*
 * One network over all sites at once.  Simple methods look at one series at a time, so none
 * is beside it; one fold, since a training of all sites is a long one.
 */
static void
choose_sites(NnSpec *spec, const Facts *facts, const NnSeries *series, bool context_given)
{
	const NnSiteRecipe *recipe;
	double		windows;

	spec->form.architecture = spec->grid_rows > 0 ? NN_ARCHITECTURE_CONV_LSTM : NN_ARCHITECTURE_GRAPH;
	recipe = nn_site_recipe(spec->form.architecture);
	spec->pad = false;
	if (!context_given)
	{
		uint32_t	season = facts->season > 1 && facts->season <= 48 ? facts->season : 0,
					room = facts->typical > spec->horizon ? facts->typical - spec->horizon : 1;

		spec->context = clamp(season > 0 ? season : recipe->context, 1, room / 3 > 0 ? room / 3 : 1);
	}
	training_set(spec);
	integer_set(spec, "batch_size", &spec->batch_size, recipe->batch_size);
	real_set(spec, "learning_rate", &spec->learning_rate, recipe->learning_rate);
	/* Every series has the windows of the first. */
	windows = windows_of(spec, series) / series->nseries;
	steps_set(spec, windows, recipe->steps);
}

/* What a named architecture takes from the rows, where the caller does not say. */
static void
form_fill(NnSpec *spec)
{
	NnShortForm *form = &spec->form;
	uint32_t	season = spec->season > 1 && spec->context >= spec->season ? spec->season : 0;

	if (form->architecture == NN_ARCHITECTURE_HYBRID && !nn_spec_given(spec, "residual_season"))
		form->residual_season = season;
	/* Four segments or more: whole seasons if they fit in, else quarters of the context. */
	if (form->architecture == NN_ARCHITECTURE_SEGMENT && form->segment_length == 0)
		form->segment_length = season > 0 && spec->context >= 4 * season ? season :
			spec->context >= 4 ? spec->context / 4 : 1;
	if (form->head == NN_HEAD_RECURSIVE)
		spec->horizon = form->architecture == NN_ARCHITECTURE_SEGMENT &&
			form->segment_length < spec->horizon ? form->segment_length : 1;
}

/* Is the network to be chosen here? */
static bool
network_open(const NnSpec *spec)
{
	return spec->nlayers == 0 && (spec->form.architecture == NN_ARCHITECTURE_AUTO ||
								  spec->form.architecture == NN_ARCHITECTURE_ENSEMBLE);
}

bool
nn_auto_pads(const NnSpec *spec, uint32_t nseries)
{
	if (network_open(spec) && !nn_spec_given(spec, "pad"))
		return nseries > 1 && spec->nsites == 1;
	return spec->pad;
}

NnSpec *
nn_auto_choose(const NnEnv *env, const NnSpec *spec, const NnSeries *series, bool context_given)
{
	Facts		facts = facts_of(env, spec, series, nn_auto_pads(spec, series->nseries));
	NnSpec	   *choice = NN_NEW(env, NnSpec);

	*choice = *spec;
	if (network_open(spec) && spec->nsites > 1)
		choose_sites(choice, &facts, series, context_given);
	else if (network_open(spec))
		choose_network(choice, &facts, series, context_given);
	else
	{
		if (!context_given)
			choice->context = context_plain(spec, &facts);
		form_fill(choice);
	}
	return choice;
}
