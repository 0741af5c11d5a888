/*
 * model_run.c
 *		A model of the registry together with rows to run it on.
 *
 * Cost: reading all rows of the source; the first time a session uses a version,
 * reading and checking its bytes.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "pg/env.h"
#include "pg/model_run.h"

static char **
names_of(char **names, int n)
{
	return n > 0 ? names : NULL;
}

static void
roles_of(const NnModel *model, SourceRoles *roles)
{
	const NnSpec *spec = &model->spec;

	roles->time_column = model->time_column;
	roles->ntargets = (int) spec->ntargets;
	roles->npast = (int) spec->npast;
	roles->nfuture = (int) spec->nfuture;
	roles->nstatic = (int) spec->nstatic;
	roles->nseries = (int) model->nseries_columns;
	roles->target = names_of(model->target, roles->ntargets);
	roles->past = names_of(model->past, roles->npast);
	roles->future = names_of(model->future, roles->nfuture);
	roles->statics = names_of(model->statics, roles->nstatic);
	roles->series = names_of(model->series_column, roles->nseries);
}

/*
 * A stored source is SQL that the model's owner wrote.  It runs with the
 * caller's rights, so a superuser would run anyone's SQL as a superuser, and the
 * owner of the registry's tables, who sees all models, that of roles he is no
 * member of.
 */
static void
stored_source_check(const RegistryRow *row)
{
	if (row->source == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" has no source of its own", row->name),
				 errhint("Pass the rows to look back on as argument \"source\".")));
	if (superuser() && !superuser_arg(row->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("the stored source of model \"%s\" is not run as a superuser", row->name),
				 errdetail("Its owner is not a superuser, and the source would run with your rights."),
				 errhint("Look at lstm.models.source, and pass it as argument \"source\" if you trust it.")));
	if (!superuser() &&
		!(OidIsValid(row->owner) && has_privs_of_role(GetUserId(), row->owner)))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("the stored source of model \"%s\" belongs to another role", row->name),
				 errdetail("You are no member of its owner, and the source would run with your rights."),
				 errhint("Look at lstm.models.source, and pass it as argument \"source\" if you trust it.")));
}

static Source *
source_open(ModelRun *run, const char *text, bool need_target)
{
	return source_bind(text, &run->roles, run->model->time_kind, need_target);
}

static void
rows_read(ModelRun *run, const char *text, const char *future, const TimestampTz *as_of)
{
	const NnModel *model = run->model;
	const char *path = text == NULL ? run->row->search_path : NULL;
	const char *zone = model->zone[0] ? model->zone : NULL;
	SearchPathGuard guard = search_path_push(path, text == NULL ? zone : NULL);
	Source	   *rows = source_open(run, text ? text : run->row->source, true),
			   *later;

	/* The caller's text is the caller's: not under the stored search_path. */
	search_path_pop(guard);
	rows->search_path = path;
	/* Its days are cut where the training cut them, whoever asks. */
	rows->time_zone = text == NULL ? zone : NULL;
	rows->read_only = text == NULL;
	later = future ? source_open(run, future, false) : NULL;
	run->data = source_read(run->env, rows, later, &model->frequency, zone, as_of);
}

/* Group of each series in the preparation: its place among the trained ones. */
static uint32_t *
groups_find(const ModelRun *run)
{
	const NnModel *model = run->model;
	const NnSeries *series = &run->data->series;
	uint32_t   *group = NN_NEW_ARRAY(run->env, uint32_t, series->nseries);

	for (uint32 s = 0; model->prep->ngroups > 1 && s < series->nseries; s++)
	{
		uint32_t	low = 0,
					high = model->nseries;

		while (low < high)
		{
			uint32_t	middle = low + (high - low) / 2;

			if (strcmp(model->series[middle], series->name[s]) < 0)
				low = middle + 1;
			else
				high = middle;
		}
		if (low == model->nseries || strcmp(model->series[low], series->name[s]) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_DATA_EXCEPTION),
					 errmsg("series \"%s\" was not among those that model \"%s\" was trained on",
							series->name[s], run->row->name),
					 errhint("Leave it out of the source, or train with \"scale_by_series\" set to false, "
							 "so that new series can be scaled.")));
		group[s] = low;
	}
	return group;
}

static bool
row_known(const NnSeries *series, uint32 row)
{
	for (uint32 c = 0; c < series->C; c++)
		if (!isnan(series->value[(size_t) row * series->C + c]))
			return true;
	return false;
}

/*
 * Rows of another step than the model's (days for an hourly model) fit its grid
 * and leave it nearly empty; a forecast from filled gaps deserves a word.
 */
static void
step_check(const ModelRun *run)
{
	const NnSeries *series = &run->data->series;
	uint64		known = 0;

	for (uint32 s = 0; s < series->nseries; s++)
	{
		bool		before = false;

		for (uint32 row = series->first[s]; row < series->first[s] + series->history[s]; row++)
		{
			bool		now = row_known(series, row);

			if (row % 65536 == 0)
				CHECK_FOR_INTERRUPTS();
			if (now && before)
				return;
			known += now;
			before = now;
		}
	}
	if (known > series->nseries)
		ereport(WARNING,
				(errmsg("no two neighbouring rows of the source are one step of model \"%s\" apart",
						run->row->name),
				 errdetail("The step is %s; all between the rows is filled in.",
						   nn_frequency_print(run->env, &run->model->frequency)),
				 errhint("Give rows of that step.")));
}

ModelRun *
model_run_open(const char *name, int version, const char *source, const char *future,
			   const TimestampTz *as_of)
{
	NnEnv	   *env = env_create(CurrentMemoryContext);
	ModelRun   *run = NN_NEW(env, ModelRun);

	run->env = env;
	run->row = registry_get(name, version);
	run->model = run->row->model;
	if (run->model->time_column[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("model \"%s\" was made by lstm.fit and knows no columns", name),
				 errhint("Call lstm.predict with its value from lstm.model_values.")));
	roles_of(run->model, &run->roles);
	roles_check_names(&run->roles, (const char *const *) run->model->series, run->model->nseries);
	if (source == NULL)
		stored_source_check(run->row);
	if (future != NULL && run->roles.nfuture == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" has no future covariates", name),
				 errhint("Leave the argument \"future\" out.")));
	rows_read(run, source, future, as_of);
	step_check(run);
	run->prepared = nn_data_prepare(env, &run->model->spec, run->model->prep, &run->data->series,
									groups_find(run));
	return run;
}

const char *
model_run_series(const ModelRun *run, uint32 s)
{
	return run->roles.nseries > 0 ? run->data->series.name[s] : NULL;
}

Datum
model_run_series_key(const ModelRun *run, uint32 s)
{
	NnText		text;

	if (run->roles.nseries == 0)
		return (Datum) 0;
	nn_text_init(&text, env_create(CurrentMemoryContext));
	nn_json_begin(&text, '{');
	for (int i = 0; i < run->roles.nseries; i++)
	{
		nn_json_key(&text, run->roles.series[i]);
		nn_json_string(&text, run->data->key[s][i]);
	}
	nn_json_end(&text, '}');
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(text.data));
}

Datum
model_run_time(const ModelRun *run, uint32 s, int64 row, bool *isnull)
{
	*isnull = run->data->kind == NN_TIME_INTEGER;
	return *isnull ? (Datum) 0 : TimestampTzGetDatum(source_instant(run->data, s, row));
}

Datum
model_run_index(const ModelRun *run, uint32 s, int64 row, bool *isnull)
{
	*isnull = run->data->kind != NN_TIME_INTEGER;
	return *isnull ? (Datum) 0 : Int64GetDatum(source_time(run->data, s, row));
}

const char *
model_run_when(const ModelRun *run, uint32 s, int64 row)
{
	if (run->data->kind == NN_TIME_INTEGER)
		return psprintf(INT64_FORMAT, source_time(run->data, s, row));
	/* The server's function prints into a buffer of its own; a message may name two times. */
	return pstrdup(timestamptz_to_str(source_instant(run->data, s, row)));
}

void
model_run_forecast(NnForecaster *forecaster, const NnData *data, const NnWindow *windows,
				   uint32_t n, uint32_t horizon, double level, double *point, double *low,
				   double *high)
{
	uint32		control = compute_begin();

	PG_TRY();
	{
		nn_forecast(forecaster, data, windows, n, horizon, level, point, low, high);
	}
	PG_FINALLY();
	{
		compute_end(control);
	}
	PG_END_TRY();
}

NnWindow
model_run_newest(const ModelRun *run, uint32 s)
{
	const NnSeries *series = &run->data->series;
	const NnSpec *spec = &run->model->spec;

	if (series->history[s] < spec->context + spec->difference)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("%s%s%s has %u rows, but model \"%s\" looks back on %u",
						run->roles.nseries > 0 ? "series \"" : "the source",
						run->roles.nseries > 0 ? series->name[s] : "",
						run->roles.nseries > 0 ? "\"" : "", series->history[s], run->row->name,
						spec->context + spec->difference),
				 errhint("Give more rows of the past; those after the last known target do not count.")));
	return (NnWindow) {s, series->first[s] + series->history[s] - 1};
}

void
model_run_future_check(const ModelRun *run, const NnWindow *window, uint32 horizon)
{
	uint32_t	column,
				row;
	const char *series = model_run_series(run, window->series);

	if (run->roles.nfuture == 0)
		return;
	row = nn_future_missing(run->prepared, window, horizon, &column);
	if (row == 0)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("future covariate \"%s\" is unknown at %s%s%s%s",
					run->roles.future[column],
					model_run_when(run, window->series,
								   (int64) row - run->data->series.first[window->series]),
					series ? " in series \"" : "", series ? series : "", series ? "\"" : ""),
			 errdetail("A forecast of %u steps needs it from %s to %s.", horizon,
					   model_run_when(run, window->series, (int64) window->origin + 1 -
									  run->data->series.first[window->series]),
					   model_run_when(run, window->series, (int64) window->origin + horizon -
									  run->data->series.first[window->series])),
			 errhint("Add rows with the covariates known and the targets NULL, or pass them as "
					 "argument \"future\".")));
}

/* ------------------------------------------------------------------------
 * Arguments and results of SQL functions
 */

char *
argument_text(FunctionCallInfo fcinfo, int i)
{
	return PG_ARGISNULL(i) ? NULL : text_to_cstring(PG_GETARG_TEXT_PP(i));
}

char *
argument_text_required(FunctionCallInfo fcinfo, int i, const char *name)
{
	if (PG_ARGISNULL(i))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"%s\" must not be null", name)));
	return argument_text(fcinfo, i);
}

uint32
argument_steps(FunctionCallInfo fcinfo, int i, const char *name, uint32 otherwise)
{
	int32		value;

	if (PG_ARGISNULL(i))
		return otherwise;
	value = PG_GETARG_INT32(i);
	if (value < 1 || value > NN_MAX_STEPS)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" is %d, outside of its range", name, value),
				 errhint("Give a number of steps between 1 and %d.", NN_MAX_STEPS)));
	return (uint32) value;
}

int
argument_version(FunctionCallInfo fcinfo, int i)
{
	int32		value;

	if (PG_ARGISNULL(i))
		return 0;
	value = PG_GETARG_INT32(i);
	if (value < 1)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"version\" is %d, but versions begin with 1", value),
				 errhint("Leave it out for the deployed version.")));
	return value;
}

double
argument_level(FunctionCallInfo fcinfo, int i)
{
	double		level;

	if (PG_ARGISNULL(i))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"confidence_level\" must not be null")));
	level = PG_GETARG_FLOAT8(i);
	/* Nearer to 1 than numbers go, the upper bound would be infinite. */
	if (!(level > 0 && (1 + level) / 2 < 1))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"confidence_level\" is %.16g, outside of its range", level),
				 errhint("Give a probability between 0 and 1, such as 0.95.")));
	return level;
}

ReturnSetInfo *
result_begin(FunctionCallInfo fcinfo)
{
#if PG_VERSION_NUM >= 160000
	InitMaterializedSRF(fcinfo, MAT_SRF_USE_EXPECTED_DESC);
	return (ReturnSetInfo *) fcinfo->resultinfo;
#else
	ReturnSetInfo *rsinfo = (ReturnSetInfo *) fcinfo->resultinfo;
	MemoryContext old;

	if (rsinfo == NULL || !IsA(rsinfo, ReturnSetInfo) ||
		!(rsinfo->allowedModes & SFRM_Materialize) || rsinfo->expectedDesc == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("set-valued function called in context that cannot accept a set"),
				 errhint("Call it in FROM, as in SELECT * FROM lstm.forecast(...).")));
	old = MemoryContextSwitchTo(rsinfo->econtext->ecxt_per_query_memory);
	rsinfo->setDesc = CreateTupleDescCopy(rsinfo->expectedDesc);
	rsinfo->setResult = tuplestore_begin_heap((rsinfo->allowedModes & SFRM_Materialize_Random) != 0,
											  false, work_mem);
	rsinfo->returnMode = SFRM_Materialize;
	MemoryContextSwitchTo(old);
	return rsinfo;
#endif
}

void
result_float(double value, Datum *datum, bool *isnull)
{
	*isnull = isnan(value);
	*datum = Float8GetDatum(value);
}

void
result_put(ReturnSetInfo *rsinfo, Datum *values, bool *nulls)
{
	CHECK_FOR_INTERRUPTS();
	tuplestore_putvalues(rsinfo->setResult, rsinfo->setDesc, values, nulls);
}
