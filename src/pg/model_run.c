/*
 * model_run.c
 *		A model of the registry together with rows to run it on.
 *
 * Cost: reading all rows of the source, or for a forecast those that it needs (newest.h);
 * the first time a session uses a version, reading and checking its bytes.
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

#include "core/nn_array.h"
#include "pg/env.h"
#include "pg/categories.h"
#include "pg/features.h"
#include "pg/model_run.h"
#include "pg/newest.h"
#include "pg/skip.h"
#include "pg/source_cache.h"
#include "pg/space.h"

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
	roles->nfuture = (int) (spec->nfuture - nn_future_made(spec));
	roles->nstatic = (int) model->nstatic_columns;
	roles->categories = model->categories;
	roles->nseries = (int) model->nseries_columns;
	roles->narrays = (int) spec->narrays;
	roles->array = spec->array;
	roles->arrays = palloc(sizeof(char *) * Max(roles->narrays, 1));
	for (int i = 0; i < roles->narrays; i++)
		roles->arrays[i] = pstrdup(spec->array[i].name);
	roles->target = names_of(model->target, roles->ntargets);
	roles->past = names_of(model->past, roles->npast);
	roles->future = names_of(model->future, roles->nfuture);
	roles->statics = names_of(model->statics, roles->nstatic);
	roles->series = names_of(model->series_column, roles->nseries);
	roles->raster = model->geom_column;
}

/*
 * A stored source is SQL that the model's owner wrote.  It runs with the
 * caller's rights, so a superuser would run anyone's SQL as a superuser, and the
 * owner of the registry's tables, who sees all models, that of roles he is no
 * member of and has no grant from.
 */
static void
stored_text_check(const RegistryRow *row, const char *what, const char *hint)
{
	if (superuser() && !superuser_arg(row->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("the stored %s of model \"%s\" is not run as a superuser", what, row->name),
				 errdetail("Its owner is not a superuser, and the %s would run with your rights.", what),
				 errhint("%s", hint)));
	if (!superuser() && !grants_lend(row->name, row->owner))
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("the stored %s of model \"%s\" belongs to another role", what, row->name),
				 errdetail("You are no member of its owner, and the %s would run with your rights.", what),
				 errhint("%s", hint)));
}

static void
stored_source_check(const RegistryRow *row)
{
	if (row->source == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" has no source of its own", row->name),
				 errhint("Pass the rows to look back on as argument \"source\".")));
	stored_text_check(row, "source",
					  "Look at lstm.models.source, and pass it as argument \"source\" if you trust it.");
}

void
model_run_source_check(const RegistryRow *row, const char *hint)
{
	stored_text_check(row, "source", hint);
}

/* Who wrote the stored text that will run: the caller himself where there is none. */
static Oid
stored_owner(const ModelRun *run, const char *source)
{
	if (source == NULL && !has_privs_of_role(GetUserId(), run->lender->owner))
		return run->lender->owner;
	return run->model->spec.holidays[0] != '\0' ? run->row->owner : GetUserId();
}

/* What model_run_open was asked for. */
typedef struct RowsWanted
{
	const char *source,			/* NULL: the stored one */
			   *future;			/* NULL: none */
	const TimestampTz *as_of;	/* NULL: none */
	uint32		horizon;
	uint64		least;			/* of the newest rows, which may be enough; 0: all */
} RowsWanted;

static Source *
source_open(ModelRun *run, const char *text, bool need_target)
{
	return source_bind(text, &run->roles, run->model->time_kind, need_target);
}

static void
kept_release(ModelRun *run)
{
	SourceKept *kept = run->kept;

	run->kept = NULL;
	source_kept_release(kept);
}

/* The source of the rows, from what the session keeps of it where it can. */
static Source *
source_reopen(ModelRun *run, const char *text)
{
	Source	   *rows;

	kept_release(run);
	run->kept = source_kept_get(text, &run->row->key);
	rows = run->kept ? source_kept_bound(run->kept) : NULL;
	if (rows == NULL)
	{
		rows = source_open(run, text, true);
		if (run->kept)
			source_kept_bind(run->kept, rows);
	}
	rows->roles = run->roles;
	return rows;
}

/* As many of the newest rows as were enough the last times; other times have other gaps. */
static uint64
newest_first(const ModelRun *run, const RowsWanted *wanted)
{
	uint64		last;

	if (wanted->least == 0 || wanted->as_of != NULL || run->kept == NULL)
		return wanted->least;
	last = source_kept_newest(run->kept);
	return last == PG_UINT64_MAX ? 0 : Max(wanted->least, last);
}

/* newest: as Source has it; in place of wanted->least comes what is known to be enough. */
static void
rows_read(ModelRun *run, const RowsWanted *wanted, uint64 *newest)
{
	const NnModel *model = run->model;
	bool		stored = wanted->source == NULL;
	const char *path = stored ? run->lender->search_path : NULL;
	const char *zone = model->zone[0] ? model->zone : NULL;
	SearchPathGuard guard = search_path_push(path, stored ? zone : NULL);
	Source	   *rows = source_reopen(run, stored ? run->lender->source : wanted->source),
			   *later;

	/* The caller's text is the caller's: not under the stored search_path. */
	search_path_pop(guard);
	rows->search_path = path;
	/* Its days are cut where the training cut them, whoever asks. */
	rows->time_zone = stored ? zone : NULL;
	rows->read_only = stored;
	rows->skip = run->skips;
	if (*newest == wanted->least)
		*newest = newest_first(run, wanted);
	rows->newest = source_by_name(rows) ? *newest : 0;
	rows->kept = run->kept;
	later = wanted->future ? source_open(run, wanted->future, false) : NULL;
	run->data = source_read(run->env, rows, later, &model->frequency, zone, wanted->as_of);
}

/* Number of each series among the trained ones, UINT32_MAX where it is unseen. */
static uint32_t *
identity_find(const ModelRun *run)
{
	const NnModel *model = run->model;
	const NnSeries *series = &run->data->series;
	uint32_t   *identity = NN_NEW_ARRAY(run->env, uint32_t, series->nseries);

	for (uint32 s = 0; s < series->nseries; s++)
		identity[s] = nn_name_find((const char *const *) model->series, model->nseries,
								   series->name[s]);
	return identity;
}

/*
 * A copy of the run's model whose preparation has room for more groups; those of the model
 * come first.
 */
static NnPrep *
prep_widen(ModelRun *run, uint32_t more)
{
	const NnPrep *from = run->model->prep;
	NnModel    *model = NN_NEW(run->env, NnModel);
	NnPrep	   *prep = NN_NEW(run->env, NnPrep);
	double	   *const old[] = {from->center, from->scale, from->low, from->high, from->mean};
	double	  **const new[] = {&prep->center, &prep->scale, &prep->low, &prep->high, &prep->mean};
	size_t		kept = (size_t) from->ngroups * from->C;

	*prep = *from;
	prep->ngroups = from->ngroups + more;
	for (size_t i = 0; i < lengthof(old); i++)
	{
		*new[i] = NN_NEW_ARRAY(run->env, double, nn_size_mul(run->env, prep->ngroups, prep->C));
		memcpy(*new[i], old[i], kept * sizeof(double));
	}
	*model = *run->model;
	model->prep = prep;
	run->model = model;
	return prep;
}

/* Group of to becomes what was fitted as group of from. */
static void
group_take(NnPrep *to, uint32_t at, const NnPrep *from, uint32_t of)
{
	double	   *const old[] = {from->center, from->scale, from->low, from->high, from->mean};
	double	   *const new[] = {to->center, to->scale, to->low, to->high, to->mean};

	for (size_t i = 0; i < lengthof(old); i++)
		memcpy(new[i] + (size_t) at * to->C, old[i] + (size_t) of * to->C, to->C * sizeof(double));
}

/*
 * Group of each series in the preparation: its place among the trained ones.  Where each
 * series has a group and one was not trained, it gets its own, from the rows that it has
 * here.
 */
static uint32_t *
groups_find(ModelRun *run, const uint32_t *identity)
{
	const NnSeries *series = &run->data->series;
	NnSeries	columns = *series;
	uint32_t   *group = NN_NEW_ARRAY(run->env, uint32_t, series->nseries),
				next = run->model->prep->ngroups,
				unseen = 0;
	NnPrep	   *fitted,
			   *prep;

	if (!run->model->spec.scale_by_series)
		return group;
	for (uint32 s = 0; s < series->nseries; s++)
	{
		group[s] = identity[s];
		unseen += identity[s] == PG_UINT32_MAX;
	}
	if (unseen == 0)
		return group;
	columns.Cs = 0;				/* static covariates and arrays keep the model's scale */
	columns.narrays = 0;
	fitted = nn_prep_fit(run->env, &run->model->spec, &columns, series->history);
	prep = prep_widen(run, unseen);
	for (uint32 s = 0; s < series->nseries; s++)
		if (identity[s] == PG_UINT32_MAX)
		{
			group_take(prep, next, fitted, fitted->ngroups > 1 ? s : 0);
			group[s] = next++;
		}
	return group;
}

bool
model_run_row_known(const NnSeries *series, uint32 row)
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
			bool		now = model_run_row_known(series, row);

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

/* Leaves out series that the model cannot forecast. */
static void
unfit_drop(ModelRun *run)
{
	const NnSpec *spec = &run->model->spec;

	/* Of several sites one with few rows is forecast with the others. */
	if (run->skips)
		series_drop_unfit(run->env, spec, run->data, spec->nsites > 1 ? 0 : nn_rows_least(spec),
						  false);
}

/* Calendar and holidays; the query of the latter is the model's, whoever asks. */
static void
features_read(ModelRun *run, uint32 horizon)
{
	const NnModel *model = run->model;
	Source		how = {.search_path = run->row->search_path, .read_only = true, .bound = true};

	how.time_zone = model->zone[0] ? model->zone : NULL;
	features_forecast(run->env, &model->spec, run->data, &how,
					  horizon > 0 ? horizon : model->spec.forecast_horizon);
}

ModelRun *
model_run_open(const char *name, int version, const char *source, const char *future,
			   const TimestampTz *as_of, uint32 horizon)
{
	RegistryRow *row = registry_get(name, version);

	return model_run_open_row(row, row, source, future, as_of, horizon);
}

/* A dashboard shows several models: an error says whose source it is about. */
static void
stored_source_context(void *arg)
{
	errcontext("stored source of model \"%s\"", ((const ModelRun *) arg)->row->name);
}

/*
 * Reads the rows and all that is made of them.  newest: as rows_read has it; false where those
 * are not enough for the same forecasts.
 */
static bool
rows_prepare(ModelRun *run, const RowsWanted *wanted, uint64 *newest)
{
	NnEnv	   *env = run->env;
	ErrorContextCallback context = {.previous = error_context_stack, .callback = stored_source_context,
	.arg = run};
	StoredFence fence;
	uint32_t   *identity,
			   *group;
	bool		enough;

	run->model = run->row->model;
	if (wanted->source == NULL)
		error_context_stack = &context;
	fence = stored_fence_begin(stored_owner(run, wanted->source));
	rows_read(run, wanted, newest);
	enough = newest_rows_suffice(run, wanted->horizon);
	if (enough)
	{
		step_check(run);
		unfit_drop(run);
		identity = identity_find(run);
		space_bind(env, run->model, run->row->name, identity, run->data);
		features_read(run, wanted->horizon);
	}
	stored_fence_end(fence);
	error_context_stack = context.previous;
	if (!enough)
		return false;
	categories_apply(env, run->data, &run->roles, run->model->categories);
	group = groups_find(run, identity);
	run->prepared = nn_data_prepare(env, &run->model->spec, run->model->prep, &run->data->series,
									group);
	run->prepared->identity = identity;
	enough = newest_data_suffice(run, wanted->horizon);
	if (enough)
	{
		categories_warn(run->data, &run->roles);
		skips_warn(run->data);
	}
	return enough;
}

/* Reads more rows until they are enough, and remembers how many those were. */
static void
rows_open(ModelRun *run, const RowsWanted *wanted)
{
	uint64		newest = wanted->least;
	bool		enough = rows_prepare(run, wanted, &newest);
	uint64		first = newest;

	while (!enough)
	{
		newest = newest_rows_more(run, newest);
		enough = rows_prepare(run, wanted, &newest);
	}
	if (run->kept && newest != first && wanted->as_of == NULL)
		source_kept_set_newest(run->kept, newest == 0 ? PG_UINT64_MAX : newest);
}

static ModelRun *
run_create(RegistryRow *row, const RegistryRow *lender, const RowsWanted *wanted)
{
	NnEnv	   *env = env_create(CurrentMemoryContext);
	ModelRun   *run = NN_NEW(env, ModelRun);

	run->env = env;
	run->row = row;
	run->lender = lender;
	run->model = row->model;
	if (run->model->time_column[0] == '\0')
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("model \"%s\" was made by lstm.fit and knows no columns", row->name),
				 errhint("Call lstm.predict with its value from lstm.model_values.")));
	roles_of(run->model, &run->roles);
	roles_check_names(&run->roles, (const char *const *) run->model->series, run->model->nseries);
	run->skips = run->model->spec.on_error == NN_ON_ERROR_SKIP && run->roles.nseries > 0;
	if (wanted->source == NULL)
		stored_source_check(lender);
	if (run->model->spec.holidays[0] != '\0')
		stored_text_check(run->row, "query of holidays",
						  "Look at it in lstm.describe, and forecast as the model's owner if you trust it.");
	if (wanted->future != NULL && run->roles.nfuture == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("model \"%s\" has no future covariates", row->name),
				 errhint("Leave the argument \"future\" out.")));
	return run;
}

static ModelRun *
run_open(RegistryRow *row, const RegistryRow *lender, RowsWanted *wanted, bool newest_only)
{
	ModelRun   *run = run_create(row, lender, wanted);

	if (newest_only)
		wanted->least = newest_rows(run, wanted->horizon, wanted->as_of);
	PG_TRY();
	{
		rows_open(run, wanted);
	}
	PG_FINALLY();
	{
		kept_release(run);
	}
	PG_END_TRY();
	return run;
}

ModelRun *
model_run_open_row(RegistryRow *row, const RegistryRow *lender, const char *source,
				   const char *future, const TimestampTz *as_of, uint32 horizon)
{
	RowsWanted	wanted = {source, future, as_of, horizon, 0};

	return run_open(row, lender, &wanted, false);
}

ModelRun *
model_run_on(NnEnv *env, const NnModel *model, SourceData *data)
{
	ModelRun   *run = NN_NEW(env, ModelRun);
	uint32_t   *identity,
			   *group;

	run->env = env;
	run->model = model;
	run->data = data;
	roles_of(model, &run->roles);
	identity = identity_find(run);
	group = groups_find(run, identity);
	run->prepared = nn_data_prepare(env, &run->model->spec, run->model->prep, &data->series, group);
	run->prepared->identity = identity;
	return run;
}

ModelRun *
model_run_open_newest(RegistryRow *row, const RegistryRow *lender, const char *source,
					  const char *future, const TimestampTz *as_of, uint32 horizon)
{
	RowsWanted	wanted = {source, future, as_of, horizon, 0};

	return run_open(row, lender, &wanted, true);
}

uint32
model_run_fresh(const ModelRun *run, uint32 s, uint32 rows)
{
	uint32		low = 0,
				high = rows;

	while (low < high)
	{
		uint32		middle = low + (high - low) / 2;

		if (source_time(run->data, s, middle) <= run->model->trained_to)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

const char *
model_run_series(const ModelRun *run, uint32 s)
{
	return run->roles.nseries > 0 ? run->data->series.name[s] : NULL;
}

static const char *
names_list(const NnEnv *env, const char *const *names, uint32 n)
{
	NnText		text;

	nn_text_init(&text, env);
	for (uint32 i = 0; i < n && i < 10; i++)
		nn_text_print(&text, "%s\"%s\"", i > 0 ? ", " : "", names[i]);
	if (n > 10)
		nn_text_print(&text, " and %u more", n - 10);
	return text.data;
}

uint32
model_run_series_find(const ModelRun *run, const char *name)
{
	const NnSeries *series = &run->data->series;

	for (uint32 s = 0; s < series->nseries; s++)
		if (strcmp(series->name[s], name) == 0)
			return s;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("the source of model \"%s\" has no series \"%s\"", run->row->name, name),
			 run->roles.nseries == 0 ? errhint("The model has a single series without a name.") :
			 errhint("Its series are: %s.", names_list(run->env, series->name, series->nseries))));
}

uint32
model_run_target_find(const ModelRun *run, const char *name)
{
	uint32		ntargets = (uint32) run->roles.ntargets;

	for (uint32 k = 0; k < ntargets; k++)
		if (strcmp(run->roles.target[k], name) == 0)
			return k;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("model \"%s\" has no target \"%s\"", run->row->name, name),
			 errhint("Its targets are: %s.",
					 names_list(run->env, (const char *const *) run->roles.target, ntargets))));
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
model_run_predict(NnPredictor *predictor, const NnData *data, const NnWindow *windows,
				  uint32_t n, uint32_t horizon, const double *level, uint32_t nlevels,
				  double *point, double *low, double *high)
{
	uint32		control = compute_begin();

	PG_TRY();
	{
		nn_predict(predictor, data, windows, n, horizon, level, nlevels, point, low, high);
	}
	PG_FINALLY();
	{
		compute_end(control);
	}
	PG_END_TRY();
}

NnPredictor *
model_run_predictor(const ModelRun *run, uint32 windows, uint32 horizon)
{
	return nn_predictor_create(run->env, run->model, env_kernels(), windows, horizon);
}

NnPredictor *
model_run_predictor_kept(const ModelRun *run, uint32 horizon)
{
	NnPredictor *predictor = model_cache_predictor(run->model, horizon);

	return predictor ? predictor : model_run_predictor(run, 1, horizon);
}

void
model_run_predictor_done(const ModelRun *run)
{
	model_cache_predictor_done(run->model);
}

NnWindow
model_run_newest(const ModelRun *run, uint32 s)
{
	const NnSeries *series = &run->data->series;
	const NnSpec *spec = &run->model->spec;

	if (series->history[s] < nn_rows_least(spec))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("%s%s%s has %u rows, but model \"%s\" looks back on %u",
						run->roles.nseries > 0 ? "series \"" : "the source",
						run->roles.nseries > 0 ? series->name[s] : "",
						run->roles.nseries > 0 ? "\"" : "", series->history[s], run->row->name,
						nn_rows_least(spec)),
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

bool
model_run_alive(const ModelRun *run, uint32 s)
{
	const NnSeries *series = &run->data->series;
	const NnSpec *spec = &run->model->spec;
	uint32		rows = Min(series->history[s], spec->context);
	const double *value = series->value +
		((size_t) series->first[s] + series->history[s] - rows) * series->C;

	if (spec->nsites == 1)
		return true;
	for (uint32 row = 0; row < rows; row++, value += series->C)
		for (uint32 k = 0; k < spec->ntargets; k++)
			if (!isnan(value[k]))
				return true;
	return false;
}

void
model_run_dead_notice(const ModelRun *run)
{
	const NnSeries *series = &run->data->series;
	const char **name = palloc(sizeof(char *) * series->nseries);
	uint32		n = 0;

	for (uint32 s = 0; s < series->nseries; s++)
	{
		CHECK_FOR_INTERRUPTS();
		if (!model_run_alive(run, s))
			name[n++] = series->name[s];
	}
	if (n > 0)
		ereport(NOTICE,
				(errmsg("%u series have no forecast: no target of theirs is known in the newest %u rows of "
						"the source", n, run->model->spec.context),
				 errdetail("The series are: %s.", names_list(run->env, name, n))));
	pfree(name);
}

void
model_run_arrays_notice(const ModelRun *run)
{
	const NnSpec *spec = &run->model->spec;
	const NnSeries *series = &run->data->series;
	const char **name = palloc(sizeof(char *) * series->nseries);

	for (uint32 i = 0; i < spec->narrays; i++)
	{
		uint32		n = 0;

		for (uint32 s = 0; s < series->nseries; s++)
		{
			NnWindow	window = model_run_newest(run, s);

			CHECK_FOR_INTERRUPTS();
			if (nn_array_missing(run->prepared, &window) >> i & 1)
				name[n++] = series->name[s];
		}
		if (n == 0)
			continue;
		ereport(NOTICE,
				(run->roles.nseries == 0 ?
				 errmsg("forecast without array column \"%s\": it is unknown in the whole context",
						spec->array[i].name) :
				 errmsg("forecast without array column \"%s\" for %u series: it is unknown in their whole "
						"context", spec->array[i].name, n),
				 run->roles.nseries == 0 ? 0 :
				 errdetail("The series are: %s.", names_list(run->env, name, n))));
	}
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
