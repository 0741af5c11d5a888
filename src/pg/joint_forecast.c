/*
 * joint_forecast.c
 *		Forecasts of a joint model from those of its members.
 *
 * Newest rows: each member forecasts all its series; series are merged by name (both
 * lists ascend) and steps by time, since one member's rows may end before another's.
 * Past rows: the first member's origins, and of the others those of the same series and
 * time, in whatever order each member walks over its own.
 *
 * Costs the members' forecasts, and 8 bytes per member, origin, step and target.
 */
#include "postgres.h"

#include <math.h>

#include "miscadmin.h"
#include "utils/memutils.h"

#include "core/nn_interval.h"
#include "core/nn_tile.h"
#include "pg/env.h"
#include "pg/joint_model.h"

int64
joint_time(const ModelRun *run, uint32 s, int64 row)
{
	/* Instants of wall clocks do not always ascend; those of timestamptz do. */
	return run->data->kind == NN_TIME_TIMESTAMPTZ ? source_instant(run->data, s, row) :
		source_time(run->data, s, row);
}

/*
 * Intervals around point [horizon][ntargets], in units of the window of that member;
 * point and they keep the bounds of the first member.  low, high [nlevels][horizon][ntargets]
 */
static void
bounds_put(const JointModel *joint, const JointMember *member, const NnWindow *window,
		   uint32 horizon, const double *level, uint32 nlevels, double *unit, double *point,
		   double *low, double *high)
{
	const NnSpec *spec = &joint->member[0].run->model->spec;
	const NnInterval *interval = &joint->interval;
	uint32		G = joint->ntargets;
	size_t		values = (size_t) horizon * G;

	nn_window_units(member->run->prepared, window, unit);
	for (size_t v = 0; v < values; v++)
		point[v] = nn_bounded(spec, point[v]);
	for (uint32 i = 0; i < nlevels; i++)
	{
		NnIntervalPlace place = nn_interval_place(level[i]);

		for (size_t v = 0; v < values; v++)
		{
			uint32		k = (uint32) (v % G);
			double		width = NAN;

			if (interval->steps > 0)
				width = nn_interval_width(interval, G, (uint32) (v / G), k, place) *
					unit[(size_t) member->target[k] * NN_MEASURES + interval->unit];
			low[i * values + v] = nn_bounded(spec, point[v] - width);
			high[i * values + v] = nn_bounded(spec, point[v] + width);
		}
	}
}

/* Room for the units of any member's window. */
static double *
units_alloc(const JointModel *joint)
{
	uint32		most = 0;

	for (uint32 m = 0; m < joint->nmembers; m++)
		most = Max(most, (uint32) joint->member[m].run->roles.ntargets);
	return NN_NEW_ARRAY(joint->env, double, (size_t) most * NN_MEASURES);
}

/* ------------------------------------------------------------------------
 * From the newest rows
 */

/* One member's forecasts of all its series. */
typedef struct Newest
{
	bool	   *has;			/* [nseries] rows enough for a forecast */
	NnWindow   *window;			/* [nseries] */
	double	   *point;			/* [nseries][horizon][its targets] */
	uint32		next;			/* series that the merge has come to */
} Newest;

typedef struct Merge
{
	JointModel *joint;
	uint32		horizon;
	Newest		newest[NN_BLEND_MAX];
	const double *level;
	uint32		nlevels;
	double	   *point, *low, *high, *unit;
	JointPut	put;
	void	   *host;
} Merge;

static void
newest_forecast(const JointMember *member, uint32 horizon, Newest *newest)
{
	const ModelRun *run = member->run;
	uint32		nseries = run->data->series.nseries,
				lanes = nn_tile_lanes(nseries),
				n = 0;
	size_t		values = nn_size_mul(run->env, horizon, run->model->spec.ntargets);
	NnPredictor *predictor = model_run_predictor(run, lanes, horizon);
	NnWindow	windows[NN_TILE_LANES];
	uint32		place[NN_TILE_LANES];
	double	   *point = NN_NEW_ARRAY(run->env, double, nn_size_mul(run->env, values, lanes));

	newest->has = NN_NEW_ARRAY(run->env, bool, nseries);
	newest->window = NN_NEW_ARRAY(run->env, NnWindow, nseries);
	newest->point = NN_NEW_ARRAY(run->env, double, nn_size_mul(run->env, values, nseries));
	for (uint32 s = 0; s < nseries; s++)
	{
		if (run->data->series.history[s] >= nn_rows_least(&run->model->spec) && model_run_alive(run, s))
		{
			newest->has[s] = true;
			newest->window[s] = windows[n] = model_run_newest(run, s);
			model_run_future_check(run, &windows[n], horizon);
			place[n++] = s;
		}
		if (n == 0 || (n < lanes && s + 1 < nseries))
			continue;
		model_run_predict(predictor, run->prepared, windows, n, horizon, NULL, 0, point, NULL, NULL);
		for (uint32 i = 0; i < n; i++)
			memcpy(newest->point + place[i] * values, point + i * values, values * sizeof(double));
		n = 0;
	}
}

/*
 * Forecasts of one member for the times of the lead's steps: value [horizon][M][ntargets] gets
 * its part, NaN where it has none.
 */
static void
steps_take(Merge *merge, uint32 m, bool present, const ModelRun *lead, const NnWindow *origin,
		   double *value)
{
	const JointModel *joint = merge->joint;
	const JointMember *member = &joint->member[m];
	const ModelRun *run = member->run;
	const Newest *newest = &merge->newest[m];
	uint32		s = newest->next,
				own = 0,
				G = joint->ntargets,
				its = run->model->spec.ntargets;
	int64		from = (int64) origin->origin + 1 - lead->data->series.first[origin->series],
				at = present ? (int64) newest->window[s].origin + 1 - run->data->series.first[s] : 0;

	for (uint32 h = 0; h < merge->horizon; h++)
	{
		int64		time = joint_time(lead, origin->series, from + h);
		bool		found;

		while (present && own < merge->horizon && joint_time(run, s, at + own) < time)
			own++;
		found = present && own < merge->horizon && joint_time(run, s, at + own) == time;
		for (uint32 k = 0; k < G; k++)
			value[((size_t) h * joint->nmembers + m) * G + k] = found ?
				newest->point[((size_t) s * merge->horizon + own) * its + member->target[k]] : NAN;
	}
}

/* The member whose rows of the series end last, of the first two; its number. */
static uint32
lead_choose(const Merge *merge, const bool *present)
{
	int64		end[2] = {0, 0};

	for (uint32 m = 0; m < 2; m++)
		if (present[m])
		{
			const ModelRun *run = merge->joint->member[m].run;
			uint32		s = merge->newest[m].next;

			end[m] = joint_time(run, s, (int64) run->data->series.history[s] - 1);
		}
	return !present[0] || (present[1] && end[1] > end[0]) ? 1 : 0;
}

/* value [horizon][M][ntargets] of the members at the series that all of them have come to. */
static void
series_blend(Merge *merge, const bool *present, double *value)
{
	JointModel *joint = merge->joint;
	uint32		M = joint->nmembers,
				G = joint->ntargets,
				lead = lead_choose(merge, present),
				unit = present[0] ? 0 : 1;
	const ModelRun *run = joint->member[lead].run;
	const NnWindow *window = &merge->newest[lead].window[merge->newest[lead].next];
	ModelRun	view = *run;
	double		weight[NN_BLEND_MAX],
				one[NN_BLEND_MAX];

	for (uint32 m = 0; m < M; m++)
	{
		weight[m] = joint->member[m].weight;
		steps_take(merge, m, present[m], run, window, value);
	}
	for (uint32 h = 0; h < merge->horizon; h++)
		for (uint32 k = 0; k < G; k++)
		{
			for (uint32 m = 0; m < M; m++)
			{
				one[m] = value[((size_t) h * M + m) * G + k];
				joint->member[m].lacking += isnan(one[m]);
			}
			merge->point[(size_t) h * G + k] = nn_blend_value(M, weight, one);
		}
	bounds_put(joint, &joint->member[unit], &merge->newest[unit].window[merge->newest[unit].next],
			   merge->horizon, merge->level, merge->nlevels, merge->unit, merge->point, merge->low,
			   merge->high);
	view.roles.ntargets = (int) G;
	view.roles.target = joint->member[0].run->roles.target;
	merge->put(merge->host, &view, window, merge->point, merge->low, merge->high);
}

static void
lacking_notice(const JointModel *joint)
{
	for (uint32 m = 0; m < joint->nmembers; m++)
		if (joint->member[m].lacking > 0)
			ereport(NOTICE,
					(errmsg("member \"%s\" of joint model \"%s\" lacks " UINT64_FORMAT " forecasts",
							joint->member[m].name, joint->name, joint->member[m].lacking),
					 m < 2 ? errdetail("There the forecast is that of \"%s\" and the other members.",
									   joint->member[1 - m].name) :
					 errdetail("There the mixture of the first two members stands in its place.")));
}

/* Least name that the merge has come to, NULL at the end. */
static const char *
name_next(const Merge *merge)
{
	const char *next = NULL;

	for (uint32 m = 0; m < merge->joint->nmembers; m++)
	{
		const NnSeries *series = &merge->joint->member[m].run->data->series;
		uint32		s = merge->newest[m].next;

		if (s < series->nseries && (next == NULL || strcmp(series->name[s], next) < 0))
			next = series->name[s];
	}
	return next;
}

void
joint_forecast(JointModel *joint, uint32 horizon, const double *level, uint32 nlevels,
			   JointPut put, void *host)
{
	Merge		merge = {.joint = joint, .horizon = horizon, .level = level, .nlevels = nlevels,
	.put = put, .host = host};
	size_t		values = nn_size_mul(joint->env, horizon, joint->ntargets),
				bounds = nn_size_mul(joint->env, values, nlevels);
	double	   *value = NN_NEW_ARRAY(joint->env, double,
									 nn_size_mul(joint->env, values, joint->nmembers));
	MemoryContext before = CurrentMemoryContext,
				scratch = AllocSetContextCreate(before, "lstm rows", ALLOCSET_DEFAULT_SIZES);
	const char *name;
	uint32		series = 0;

	merge.point = NN_NEW_ARRAY(joint->env, double, values);
	merge.low = NN_NEW_ARRAY(joint->env, double, bounds);
	merge.high = NN_NEW_ARRAY(joint->env, double, bounds);
	merge.unit = units_alloc(joint);
	for (uint32 m = 0; m < joint->nmembers; m++)
		newest_forecast(&joint->member[m], horizon, &merge.newest[m]);
	while ((name = name_next(&merge)) != NULL)
	{
		bool		present[NN_BLEND_MAX],
					here[NN_BLEND_MAX];

		CHECK_FOR_INTERRUPTS();
		for (uint32 m = 0; m < joint->nmembers; m++)
		{
			const NnSeries *series = &joint->member[m].run->data->series;
			uint32		s = merge.newest[m].next;

			here[m] = s < series->nseries && strcmp(series->name[s], name) == 0;
			present[m] = here[m] && merge.newest[m].has[s];
		}
		MemoryContextSwitchTo(scratch);
		if (present[0] || present[1])
		{
			series_blend(&merge, present, value);
			series++;
		}
		MemoryContextSwitchTo(before);
		MemoryContextReset(scratch);
		for (uint32 m = 0; m < joint->nmembers; m++)
			merge.newest[m].next += here[m];
	}
	if (series == 0)
		(void) model_run_newest(joint->member[0].run, 0);	/* says how short it is */
	lacking_notice(joint);
}

/* ------------------------------------------------------------------------
 * From past rows
 */

typedef struct Collect
{
	const JointModel *joint;
	JointOrigins *origins;
	uint32		m,				/* member under way */
				horizon;
	uint32	   *fresh;			/* [its nseries] first row that it was not trained on */
	uint32	   *same;			/* [its nseries] the first member's series of that name, UINT32_MAX: none */
} Collect;

static int64
window_time(const ModelRun *run, const NnWindow *window)
{
	return joint_time(run, window->series,
					  (int64) window->origin - run->data->series.first[window->series]);
}

/* Steps after the window that the member knows from its training. */
static uint32
steps_trained(const Collect *c, const ModelRun *run, const NnWindow *window)
{
	uint32		row = window->origin + 1 - run->data->series.first[window->series],
				fresh = c->fresh[window->series];

	return fresh > row ? fresh - row : 0;
}

/* Number of the origin of that window; UINT32_MAX when there is none. */
static uint32
origin_find(const Collect *c, const NnWindow *window)
{
	const JointOrigins *o = c->origins;
	uint32		series = c->same[window->series],
				low,
				high;
	int64		time;

	if (series == PG_UINT32_MAX)
		return PG_UINT32_MAX;
	time = window_time(c->joint->member[c->m].run, window);
	low = o->first[series];
	high = o->first[series + 1];
	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (o->time[o->sorted[middle]] < time)
			low = middle + 1;
		else
			high = middle;
	}
	return low < o->first[series + 1] && o->time[o->sorted[low]] == time ? o->sorted[low] :
		PG_UINT32_MAX;
}

static bool
other_wanted(void *host, const NnWindow *window)
{
	return origin_find(host, window) != PG_UINT32_MAX;
}

static bool
first_unseen(void *host, const NnWindow *window)
{
	const Collect *c = host;

	return steps_trained(c, c->joint->member[0].run, window) < c->horizon;
}

/* The member's forecasts become those of origin i. */
static void
values_take(const Collect *c, uint32 i, const NnWindow *window, const double *point)
{
	const JointModel *joint = c->joint;
	const JointMember *member = &joint->member[c->m];
	uint32		its = member->run->model->spec.ntargets,
				G = joint->ntargets;
	double	   *to = c->origins->value[c->m] + (size_t) i * c->horizon * G;

	for (uint32 h = 0; h < c->horizon; h++)
		for (uint32 k = 0; k < G; k++)
			to[(size_t) h * G + k] = point[(size_t) h * its + member->target[k]];
	c->origins->members[i]++;
	c->origins->fresh[i] = Max(c->origins->fresh[i], steps_trained(c, member->run, window));
}

static void
other_put(void *host, const NnWindow *window, const double *point, const double *low,
		  const double *high)
{
	values_take(host, origin_find(host, window), window, point);
}

/* Doubles the room; the arrays stay in the context that they were made in. */
static void
room_double(const Collect *c)
{
	JointOrigins *o = c->origins;
	const NnEnv *env = c->joint->env;
	uint32		room = o->room * 2;
	size_t		values = nn_size_mul(env, nn_size_mul(env, c->horizon, c->joint->ntargets), room),
				bytes = nn_size_mul(env, nn_size_mul(env, values, c->joint->nmembers), sizeof(double));

	if (bytes > env->max_memory || room < o->room)
		nn_fail(env, NN_NO_MEMORY,
				nn_format(env, "forecasts of %u models from %u rows need %.1f MB of memory, above the limit "
						  "of %.1f MB", c->joint->nmembers, room, bytes / 1048576.0,
						  env->max_memory / 1048576.0),
				"Use a longer \"stride\", or raise \"lstm.max_memory\".");
	o->room = room;
	o->window = repalloc_huge(o->window, room * sizeof(NnWindow));
	o->time = repalloc_huge(o->time, room * sizeof(int64));
	o->members = repalloc_huge(o->members, room * sizeof(uint32));
	o->fresh = repalloc_huge(o->fresh, room * sizeof(uint32));
	o->value[0] = repalloc_huge(o->value[0], values * sizeof(double));
}

static void
first_put(void *host, const NnWindow *window, const double *point, const double *low,
		  const double *high)
{
	Collect    *c = host;
	JointOrigins *o = c->origins;

	if (o->n == o->room)
		room_double(c);
	o->window[o->n] = *window;
	o->time[o->n] = window_time(c->joint->member[0].run, window);
	o->members[o->n] = o->fresh[o->n] = 0;
	values_take(c, o->n++, window, point);
}

static JointOrigins *
origins_alloc(uint32 room, size_t values)
{
	JointOrigins *o = palloc0(sizeof(JointOrigins));

	o->room = room;
	o->window = palloc(room * sizeof(NnWindow));
	o->time = palloc(room * sizeof(int64));
	o->members = palloc(room * sizeof(uint32));
	o->fresh = palloc(room * sizeof(uint32));
	o->value[0] = MemoryContextAllocHuge(CurrentMemoryContext, room * values * sizeof(double));
	return o;
}

/* Lists the origins by series; within one they came in order of time. */
static void
origins_sort(const JointModel *joint, JointOrigins *o)
{
	uint32		nseries = joint->member[0].run->data->series.nseries;
	uint32	   *at = NN_NEW_ARRAY(joint->env, uint32, nseries);

	o->first = NN_NEW_ARRAY(joint->env, uint32, (size_t) nseries + 1);
	o->sorted = NN_NEW_ARRAY(joint->env, uint32, o->n);
	for (uint32 i = 0; i < o->n; i++)
		o->first[o->window[i].series + 1]++;
	for (uint32 s = 0; s < nseries; s++)
	{
		o->first[s + 1] += o->first[s];
		at[s] = o->first[s];
	}
	for (uint32 i = 0; i < o->n; i++)
		o->sorted[at[o->window[i].series]++] = i;
}

/* The first member's series of each name; both lists ascend. */
static uint32 *
series_match(const JointModel *joint, const ModelRun *run)
{
	const NnSeries *first = &joint->member[0].run->data->series,
			   *own = &run->data->series;
	uint32	   *same = NN_NEW_ARRAY(joint->env, uint32, own->nseries),
				at = 0;

	for (uint32 s = 0; s < own->nseries; s++)
	{
		while (at < first->nseries && strcmp(first->name[at], own->name[s]) < 0)
			at++;
		same[s] = at < first->nseries && strcmp(first->name[at], own->name[s]) == 0 ? at : PG_UINT32_MAX;
	}
	return same;
}

JointOrigins *
joint_collect(const JointModel *joint, uint32 stride, uint32 horizon, bool unseen)
{
	size_t		values = nn_size_mul(joint->env, horizon, joint->ntargets);
	JointOrigins *o = origins_alloc(64, values);

	for (uint32 m = 0; m < joint->nmembers; m++)
	{
		Collect		c = {.joint = joint, .origins = o, .m = m, .horizon = horizon};
		ModelRun   *run = joint->member[m].run;
		Origins		walk = {.run = run, .horizon = horizon, .stride = m == 0 ? stride : 1, .host = &c};

		c.fresh = NN_NEW_ARRAY(joint->env, uint32, run->data->series.nseries);
		for (uint32 s = 0; s < run->data->series.nseries; s++)
			c.fresh[s] = model_run_fresh(run, s, run->data->series.history[s]);
		c.same = series_match(joint, run);
		if (m == 1)
			origins_sort(joint, o);
		if (m > 0)
			o->value[m] = MemoryContextAllocHuge(CurrentMemoryContext,
												 Max(o->n * values, 1) * sizeof(double));
		walk.put = m == 0 ? first_put : other_put;
		walk.wanted = m > 0 ? other_wanted : unseen ? first_unseen : NULL;
		origins_forecast(&walk);
	}
	return o;
}

void
joint_origins(JointModel *joint, Origins *origins)
{
	uint32		M = joint->nmembers;
	size_t		values = nn_size_mul(joint->env, origins->horizon, joint->ntargets),
				bounds = nn_size_mul(joint->env, values, origins->nlevels);
	JointOrigins *o = joint_collect(joint, origins->stride, origins->horizon, false);
	double	   *point = NN_NEW_ARRAY(joint->env, double, values),
			   *low = NN_NEW_ARRAY(joint->env, double, bounds),
			   *high = NN_NEW_ARRAY(joint->env, double, bounds),
			   *unit = units_alloc(joint),
				weight[NN_BLEND_MAX],
				one[NN_BLEND_MAX];
	MemoryContext before = CurrentMemoryContext,
				scratch = AllocSetContextCreate(before, "lstm rows", ALLOCSET_DEFAULT_SIZES);
	uint32		shared = 0;

	for (uint32 m = 0; m < M; m++)
		weight[m] = joint->member[m].weight;
	for (uint32 i = 0; i < o->n; i++)
	{
		if (o->members[i] < M)
			continue;
		shared++;
		for (size_t v = 0; v < values; v++)
		{
			for (uint32 m = 0; m < M; m++)
				one[m] = o->value[m][i * values + v];
			point[v] = nn_blend_value(M, weight, one);
		}
		bounds_put(joint, &joint->member[0], &o->window[i], origins->horizon, origins->level,
				   origins->nlevels, unit, point, low, high);
		MemoryContextSwitchTo(scratch);
		origins->put(origins->host, &o->window[i], point, low, high);
		MemoryContextSwitchTo(before);
		MemoryContextReset(scratch);
	}
	if (shared == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the members of joint model \"%s\" have no series and time in common", joint->name),
				 errhint("Their sources must give the same names to series, and overlap in time.")));
}
