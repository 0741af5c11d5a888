/*
 * probe.c
 *		Windows of a source cut out, changed, and forecast.
 *
 * Memory is planned: a piece holds its rows once as they are, once changed and once
 * prepared.  Everything of a changed copy is given back after its forecasts.
 */
#include "postgres.h"

#include <float.h>
#include <math.h>

#include "fmgr.h"
#include "miscadmin.h"
#include "utils/memutils.h"

#include "core/nn_array.h"
#include "core/nn_tile.h"
#include "pg/env.h"
#include "pg/probe.h"

/* ------------------------------------------------------------------------
 * Pieces
 */

uint32
probe_begin(const ModelRun *run, uint32 series, uint32 origin)
{
	const NnSpec *spec = &run->model->spec;
	uint64		reach = 2 * (uint64) spec->context + spec->difference,
				first = run->data->series.first[series];

	/* As far as simple members look: nn_classic.h. */
	if (nn_member_count(spec) > 1)
		reach = Max(reach, Max(10 * (uint64) spec->season, 2000));
	return origin + 1 - first > reach ? (uint32) (origin + 1 - reach) : (uint32) first;
}

static bool
has_sites(const ModelRun *run)
{
	return run->model->spec.nsites > 1;
}

static uint32
piece_rows(const ProbePiece *piece)
{
	return piece->end - piece->begin;
}

/* The run's series that series number i of n pieces is cut from, and its piece. */
static uint32
series_of(const ModelRun *run, const ProbePiece *piece, uint32 n, uint32 i,
		  const ProbePiece **its)
{
	*its = has_sites(run) ? &piece[i % n] : &piece[i];
	return has_sites(run) ? i / n : piece[i].series;
}

NnSeries *
probe_series(const NnEnv *env, const ModelRun *run, const ProbePiece *piece, uint32 n)
{
	const NnSeries *from = &run->data->series;
	NnSeries   *series = NN_NEW(env, NnSeries);
	uint32		nseries = has_sites(run) ? n * from->nseries : n;
	uint32_t   *first = NN_NEW_ARRAY(env, uint32_t, (size_t) nseries + 1),
			   *history = NN_NEW_ARRAY(env, uint32_t, nseries);
	const char **name = NN_NEW_ARRAY(env, const char *, nseries);
	double	   *statics = NN_NEW_ARRAY(env, double, nn_size_mul(env, nseries, from->Cs));
	const ProbePiece *its;

	for (uint32 i = 0; i < nseries; i++)
	{
		uint32		s = series_of(run, piece, n, i, &its);

		first[i + 1] = first[i] + piece_rows(its);
		history[i] = its->history - its->begin;
		name[i] = from->name[s];
		for (uint32 c = 0; c < from->Cs; c++)
			statics[(size_t) i * from->Cs + c] = from->statics[(size_t) s * from->Cs + c];
	}
	*series = *from;
	series->nseries = nseries;
	series->first = first;
	series->history = history;
	series->name = name;
	series->statics = statics;
	series->row_name = NULL;
	series->value = NN_NEW_ARRAY(env, double, nn_size_mul(env, first[nseries], from->C));
	series->array = nn_arrays_create(env, from, first[nseries]);
	for (uint32 i = 0; i < nseries; i++)
	{
		uint32		s = series_of(run, piece, n, i, &its),
					begin = its->begin - from->first[its->series] + from->first[s];

		memcpy(series->value + (size_t) first[i] * from->C, from->value + (size_t) begin * from->C,
			   (size_t) piece_rows(its) * from->C * sizeof(double));
		nn_arrays_copy(series->array, first[i], from, begin, piece_rows(its));
		CHECK_FOR_INTERRUPTS();
	}
	return series;
}

uint32
probe_first(const ModelRun *run, const NnSeries *series, uint32 n, uint32 i, uint32 s)
{
	return series->first[has_sites(run) ? s * n + i : i];
}

NnWindow
probe_window(const ModelRun *run, const NnSeries *series, uint32 n, uint32 i, uint32 s, uint32 row)
{
	return (NnWindow) {has_sites(run) ? s : i, probe_first(run, series, n, i, s) + row};
}

/*
 * Rows before the first known target of each piece get the level of its origin: what it would
 * be taken for, if the piece were a series (nn_unscale).
 */
static void
levels_fill(const NnSeries *series, uint32 ntargets, NnData *data)
{
	for (uint32 i = 0; i < series->nseries; i++)
	{
		CHECK_FOR_INTERRUPTS();
		for (uint32 k = 0; k < ntargets; k++)
		{
			uint32		origin = series->first[i] + series->history[i] - 1,
						end = Min(data->start[(size_t) i * series->C + k], origin);

			for (uint32 row = series->first[i]; row < end; row++)
				data->level[(size_t) row * ntargets + k] = data->level[(size_t) origin * ntargets + k];
		}
	}
}

/* The pieces of each site's series, prepared, as one series of it. */
static void
sites_join(const NnEnv *env, const ModelRun *run, uint32 n, NnData *data)
{
	const NnSeries *from = data->series;
	NnSeries   *series = NN_NEW(env, NnSeries);
	uint32		nseries = run->data->series.nseries,
				C = from->C,
				Cs = from->Cs;
	uint32_t   *first = NN_NEW_ARRAY(env, uint32_t, (size_t) nseries + 1),
			   *history = NN_NEW_ARRAY(env, uint32_t, nseries),
			   *start = NN_NEW_ARRAY(env, uint32_t, nn_size_mul(env, nseries, C));
	double	   *statics = NN_NEW_ARRAY(env, double, nn_size_mul(env, nseries, Cs));

	if (n > 1)
		levels_fill(from, run->model->spec.ntargets, data);
	for (uint32 s = 0; s < nseries; s++)
	{
		CHECK_FOR_INTERRUPTS();
		first[s + 1] = from->first[(s + 1) * n];
		history[s] = first[s + 1] - first[s];
		memcpy(statics + (size_t) s * Cs, from->statics + (size_t) s * n * Cs, Cs * sizeof(double));
		memmove(data->statics + (size_t) s * Cs, data->statics + (size_t) s * n * Cs,
				Cs * sizeof(nn_real));
		for (uint32 c = 0; c < C; c++)
		{
			uint32_t   *known = &start[(size_t) s * C + c];

			*known = first[s + 1];
			for (uint32 i = s * n; i < (s + 1) * n && *known == first[s + 1]; i++)
				if (data->start[(size_t) i * C + c] < from->first[i + 1])
					*known = data->start[(size_t) i * C + c];
		}
	}
	*series = *from;
	series->nseries = nseries;
	series->first = first;
	series->history = history;
	series->name = run->data->series.name;
	series->statics = statics;
	data->series = series;
	data->start = start;
	data->group = run->prepared->group;
	data->identity = run->prepared->identity;
}

NnData *
probe_prepare(const NnEnv *env, const ModelRun *run, const NnSeries *series,
			  const ProbePiece *piece, uint32 n)
{
	uint32_t   *group = NN_NEW_ARRAY(env, uint32_t, series->nseries),
			   *identity = NN_NEW_ARRAY(env, uint32_t, series->nseries);
	const ProbePiece *its;
	NnData	   *data;

	for (uint32 i = 0; i < series->nseries; i++)
	{
		uint32		s = series_of(run, piece, n, i, &its);

		group[i] = run->prepared->group[s];
		identity[i] = run->prepared->identity ? run->prepared->identity[s] : s;
	}
	data = nn_data_prepare(env, &run->model->spec, run->model->prep, series, group);
	data->identity = identity;
	if (has_sites(run))
		sites_join(env, run, n, data);
	return data;
}

/* ------------------------------------------------------------------------
 * Which windows
 */

typedef struct Choice
{
	const ModelRun *run;
	uint32		horizon, stride, only;
	uint32		after;			/* rows that follow an origin, at least */
	NnWindow   *out;			/* NULL: counting */
	uint64		n;
} Choice;

static void
windows_walk(Choice *choice)
{
	const ModelRun *run = choice->run;
	const NnSeries *series = &run->data->series;
	uint64		needed = nn_rows_needed(&run->model->spec);

	choice->n = 0;
	for (uint32 s = 0; s < (has_sites(run) ? 1 : series->nseries); s++)
	{
		if (choice->only != PG_UINT32_MAX && s != choice->only && !has_sites(run))
			continue;
		for (uint64 row = needed; row + choice->after <= series->history[s];
			 row += choice->stride)
		{
			if (choice->out)
				choice->out[choice->n] =
					(NnWindow) {s, series->first[s] + (uint32) row - 1};
			if (choice->n++ % 65536 == 0)
				CHECK_FOR_INTERRUPTS();
		}
	}
}

/* Bytes of a window's piece in all its copies. */
static size_t
piece_bytes(const ModelRun *run, const ProbePiece *piece)
{
	const NnSpec *spec = &run->model->spec;
	size_t		row = run->data->series.C * (2 * sizeof(double) + 1) +
		nn_spec_channels(spec) * sizeof(nn_real) +
		spec->ntargets * (sizeof(nn_real) + sizeof(double));

	/* And a gradient of its context. */
	return nn_size_mul(run->env, piece_rows(piece) * row + (size_t) spec->context *
					   nn_spec_channels(spec) * sizeof(double),
					   has_sites(run) ? run->data->series.nseries : 1);
}

/* Windows looked at unless the caller says otherwise; of several sites, times. */
static uint32
windows_usual(const ModelRun *run)
{
	uint32		times = PROBE_SITE_WINDOWS / run->data->series.nseries;

	return has_sites(run) ? Min(Max(times, PROBE_TIMES_LEAST), PROBE_WINDOWS) : PROBE_WINDOWS;
}

/* All windows, or as many evenly spaced ones as are wanted. */
static void
windows_choose(Probe *probe, uint32 stride, uint32 only)
{
	const NnEnv *env = probe->run->env;
	Choice		choice = {probe->run, probe->horizon, Max(stride, 1), only, probe->horizon, NULL, 0};
	uint32		most = windows_usual(probe->run);

	windows_walk(&choice);
	if (choice.n == 0 && probe->run->roles.nfuture == 0)
	{
		choice.after = 1;
		windows_walk(&choice);
	}
	if (choice.n == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the source has no row with %u rows before it and %u after it",
						nn_rows_needed(&probe->run->model->spec) - 1,
						choice.after),
				 errhint("Give more rows: model \"%s\" looks back on %u.", probe->run->row->name,
						 nn_rows_needed(&probe->run->model->spec))));
	choice.out = NN_NEW_ARRAY(env, NnWindow, choice.n);
	windows_walk(&choice);
	probe->origin = choice.out;
	probe->npieces = (uint32) choice.n;
	if (stride > 0 || choice.n <= most)
		return;
	probe->npieces = most;
	for (uint32 i = 0; i < most; i++)
		probe->origin[i] = probe->origin[choice.n * i / most];
}

static void
pieces_cut(Probe *probe)
{
	const ModelRun *run = probe->run;
	const NnSeries *series = &run->data->series;
	uint32		block = run->model->spec.horizon,
				ahead = (probe->horizon + block - 1) / block * block;

	probe->piece = NN_NEW_ARRAY(run->env, ProbePiece, probe->npieces);
	for (uint32 i = 0; i < probe->npieces; i++)
	{
		const NnWindow *w = &probe->origin[i];
		uint64		end = (uint64) w->origin + 1 + ahead;

		probe->piece[i] = (ProbePiece)
		{
			w->series, probe_begin(run, w->series, w->origin), w->origin + 1,
				(uint32) Min(end, series->first[w->series + 1])
		};
	}
}

/* Leaves windows out, evenly, until all copies fit the limit; with a stride it is an error. */
static void
pieces_plan(Probe *probe, uint32 stride)
{
	const NnEnv *env = probe->run->env;
	size_t		bytes = 0;
	uint32		fit;

	for (uint32 i = 0; i < probe->npieces; i++)
		bytes = nn_size_add(env, bytes, piece_bytes(probe->run, &probe->piece[i]));
	if (bytes <= env->max_memory)
		return;
	fit = (uint32) ((double) probe->npieces * env->max_memory / bytes);
	if (stride > 0 || fit < 2)
		ereport(ERROR,
				(errcode(ERRCODE_OUT_OF_MEMORY),
				 errmsg("%u windows need %.1f MB of memory, above the limit of %.1f MB", probe->npieces,
						bytes / 1048576.0, env->max_memory / 1048576.0),
				 errhint("Raise \"lstm.max_memory\", or give fewer rows or a larger \"stride\".")));
	for (uint32 i = 0; i < fit; i++)
	{
		uint32		from = (uint32) ((uint64) probe->npieces * i / fit);

		probe->origin[i] = probe->origin[from];
		probe->piece[i] = probe->piece[from];
	}
	probe->npieces = fit;
}

/* Windows of all series in place of those of the first. */
static void
sites_list(Probe *probe)
{
	const NnSeries *series = &probe->run->data->series;
	NnWindow   *time = probe->origin;

	probe->per = has_sites(probe->run) ? series->nseries : 1;
	probe->n = probe->npieces * probe->per;
	if (probe->per == 1)
		return;
	probe->origin = NN_NEW_ARRAY(probe->run->env, NnWindow, probe->n);
	for (uint32 i = 0; i < probe->n; i++)
	{
		uint32		s = i % probe->per;

		probe->origin[i] = (NnWindow) {s, time[i / probe->per].origin - series->first[0] + series->first[s]};
	}
}

static double
actual_of(const ModelRun *run, const NnWindow *window, uint32 h, uint32 k)
{
	const NnSeries *series = &run->data->series;
	uint64		row = (uint64) window->origin + 1 + h;

	if (row >= (uint64) series->first[window->series] + series->history[window->series])
		return NAN;
	return series->value[row * series->C + k];
}

/* Windows in the pieces' own rows, what came, and the scales of errors. */
static void
windows_fill(Probe *probe)
{
	const ModelRun *run = probe->run;
	const NnEnv *env = run->env;
	uint32		G = run->model->spec.ntargets;
	size_t		values = nn_size_mul(env, nn_size_mul(env, probe->n, probe->horizon), G);
	double	   *unit = NN_NEW_ARRAY(env, double, (size_t) G * NN_MEASURES);

	probe->window = NN_NEW_ARRAY(env, NnWindow, probe->n);
	probe->begin = NN_NEW_ARRAY(env, uint32, probe->n);
	probe->end = NN_NEW_ARRAY(env, uint32, probe->n);
	probe->actual = NN_NEW_ARRAY(env, double, values);
	probe->point = NN_NEW_ARRAY(env, double, values);
	probe->scale = NN_NEW_ARRAY(env, double, (size_t) probe->n * G);
	for (uint32 i = 0; i < probe->n; i++)
	{
		const NnWindow *origin = &probe->origin[i];
		const ProbePiece *piece = &probe->piece[i / probe->per];
		uint32		before = probe->origin[i - i % probe->per].origin - piece->begin;	/* rows */

		probe->window[i] = probe_window(run, probe->series, probe->npieces, i / probe->per,
										origin->series, before);
		probe->begin[i] = probe->window[i].origin - before;
		probe->end[i] = probe->begin[i] + piece_rows(piece);
		nn_window_units(run->prepared, origin, unit);
		for (uint32 k = 0; k < G; k++)
		{
			probe->scale[(size_t) i * G + k] = unit[(size_t) k * NN_MEASURES + NN_MEASURE_SCALE];
			for (uint32 h = 0; h < probe->horizon; h++)
				probe->actual[((size_t) i * probe->horizon + h) * G + k] =
					actual_of(run, origin, h, k);
		}
	}
}

Probe *
probe_create(ModelRun *run, uint32 horizon, uint32 stride, uint32 only)
{
	Probe	   *probe = NN_NEW(run->env, Probe);

	probe->run = run;
	probe->horizon = horizon;
	windows_choose(probe, stride, only);
	pieces_cut(probe);
	pieces_plan(probe, stride);
	sites_list(probe);
	for (uint32 i = 0; i < probe->n; i++)
		model_run_future_check(run, &probe->origin[i], run->roles.nfuture > 0 ? horizon : 0);
	probe->series = probe_series(run->env, run, probe->piece, probe->npieces);
	windows_fill(probe);
	probe->predictor = model_run_predictor(run, has_sites(run) ? nn_forecast_windows(&run->model->spec) :
										   nn_tile_lanes(probe->n), horizon);
	probe->scratch = AllocSetContextCreate(CurrentMemoryContext, "lstm probe",
										   ALLOCSET_DEFAULT_SIZES);
	return probe;
}

void
probe_forecast(Probe *probe, ProbeChange change, void *host)
{
	const NnSeries *from = probe->series;
	MemoryContext before = MemoryContextSwitchTo(probe->scratch);
	NnEnv	   *env = env_create(probe->scratch);
	NnSeries	series = *from;
	size_t		values = (size_t) from->first[from->nseries] * from->C,
				statics = (size_t) from->nseries * from->Cs;
	double	   *copy = NN_NEW_ARRAY(env, double, statics);

	series.value = NN_NEW_ARRAY(env, double, values);
	memcpy(series.value, from->value, values * sizeof(double));
	if (statics > 0)
		memcpy(copy, from->statics, statics * sizeof(double));
	series.statics = copy;
	series.array = nn_arrays_create(env, from, from->first[from->nseries]);
	nn_arrays_copy(series.array, 0, from, 0, from->first[from->nseries]);
	if (change)
		change(host, probe, &series);
	nn_predictor_forget(probe->predictor);
	model_run_predict(probe->predictor, probe_prepare(env, probe->run, &series, probe->piece, probe->npieces),
					  probe->window, probe->n, probe->horizon, NULL, 0, probe->point, NULL, NULL);
	nn_predictor_forget(probe->predictor);
	MemoryContextSwitchTo(before);
	MemoryContextReset(probe->scratch);
}

double
probe_move(const ModelRun *run, uint32 group, uint32 c, double value, double share)
{
	const NnSpec *spec = &run->model->spec;
	double		by = share * run->model->prep->scale[(size_t) group * run->model->prep->C + c];

	if (spec->scaling == NN_SCALING_LOG1P && value > -1 &&
		c < run->model->prep->C - nn_future_made(spec))
		return Max(Min(expm1(log1p(value) + by), DBL_MAX), -1 + 1e-9);
	value += by;
	return isinf(value) ? copysign(DBL_MAX, value) : value;
}

uint32
probe_context_begin(const Probe *probe, uint32 i)
{
	uint32		origin = probe->window[i].origin,
				rows = origin + 1 - probe->begin[i];

	return origin + 1 - Min(rows, probe->run->model->spec.context);
}

/* ------------------------------------------------------------------------
 * Arguments
 */

uint64
probe_seed(FunctionCallInfo fcinfo, int i)
{
	if (PG_ARGISNULL(i))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"seed\" must not be null")));
	return (uint64) PG_GETARG_INT64(i);
}

uint32
probe_horizon(const ModelRun *run, uint32 horizon)
{
	if (horizon == 0)
		horizon = run->model->spec.forecast_horizon;
	nn_forecast_check(run->env, &run->model->spec, horizon);
	return horizon;
}
