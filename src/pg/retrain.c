/*
 * retrain.c
 *		lstm.retrain: a deployed version, the champion, is challenged by one that knows the
 *		rows there are now.
 *
 * Three steps.  Rows are read twice with one snapshot, as each side needs them, and the
 * transaction is committed, so that no snapshot and no lock is held while epochs run.  The
 * challenger is trained on the rows up to a cut, and both forecast what lies behind it
 * (retrain_judge.h).  Then, in one transaction, the version is stored and maybe deployed.  An
 * error or the end of the process before that leaves nothing.  In a transaction block all of
 * it is one transaction, whose end is the caller's.
 *
 * What is deployed is what was judged: the challenger is not trained once more on the rows it
 * was judged on, which would cost as much again and be another model.  It forecasts from them
 * all the same, and the next time they are among the rows to learn from.
 *
 * The loser is stored, too: it says until which row the model was tried, so that the same call
 * does nothing the next time, and it can be looked at, or deployed by hand.
 *
 * A model is retrained by one session at a time.  The advisory lock is the session's, or the
 * transaction's where it cannot commit, and goes with the process.  It keeps nobody from
 * training, deploying, renaming or dropping the model meanwhile: the champion is looked for
 * again at the end, under the registry's lock.
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/jsonb.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "pg/env.h"
#include "pg/folds.h"
#include "pg/housekeeping.h"
#include "pg/lineage.h"
#include "pg/model_run.h"
#include "pg/progress.h"
#include "pg/retrain_judge.h"
#include "pg/source_cut.h"
#include "pg/train_run.h"

PG_FUNCTION_INFO_V1(lstm_retrain);

enum
{
	ARG_MODEL, ARG_PROMOTE, ARG_WARM_START, ARG_HOLDOUT, ARG_KEEP_VERSIONS, ARG_OPTIONS
};

/* First key of the advisory locks: "lstr" in ASCII; the second hashes the name. */
#define RETRAIN_LOCK_CLASS 0x6c737472

/* Horizons that are held out at the most, unless the caller says. */
#define HOLDOUT_HORIZONS 10

typedef enum Promote
{
	PROMOTE_IF_BETTER, PROMOTE_ALWAYS, PROMOTE_NEVER
} Promote;

typedef struct Retrain
{
	NnEnv	   *env;			/* of the whole call */
	char	   *name;
	Promote		promote;
	bool		warm_start,
				atomic;			/* within somebody else's transaction */
	uint32		holdout,		/* 0: found by the rows */
				keep;			/* versions, 0: all */
	const NnJson *options;		/* NULL: none */

	RegistryRow *champion;
	TimestampTz trained_at;		/* of the champion: tells it from one that got its number */
	char	   *arguments;		/* of the challenger, JSON */
	ModelRun   *old;			/* the champion with all rows */
	TrainRun   *run;			/* the challenger */
	SourceData *all;			/* all rows, as the challenger needs them */
	uint32		newest,			/* series that ends last */
				held;			/* steps held out */
	uint32	   *cut;			/* [nseries] first row that is held out */
	RetrainJudgement judgement;

	int			version;		/* 0: none was stored */
	bool		promoted;
	const char *outcome;
} Retrain;

/* ------------------------------------------------------------------------
 * The champion and its call
 */

/* Reads what registry_find does not; returns the call, NULL: none. */
static char *
champion_call(Retrain *retrain)
{
	Oid			types[2] = {TEXTOID, INT4OID};
	Datum		values[2] = {CStringGetTextDatum(retrain->name),
	Int32GetDatum(retrain->champion->version)};
	MemoryContext caller = CurrentMemoryContext;
	int			nest_level = registry_begin();
	char	   *call = NULL;
	bool		isnull;

	if (registry_run("SELECT trained_at, arguments::text FROM lstm.models WHERE name = $1"
					 " AND version = $2", 2, types, values, NULL, true) > 0)
	{
		HeapTuple	row = SPI_tuptable->vals[0];

		retrain->trained_at = DatumGetTimestampTz(SPI_getbinval(row, SPI_tuptable->tupdesc, 1,
																&isnull));
		call = SPI_getvalue(row, SPI_tuptable->tupdesc, 2);
		call = call == NULL ? NULL : MemoryContextStrdup(caller, call);
	}
	registry_end(nest_level);
	MemoryContextSwitchTo(caller);
	return call;
}

/* Options that retraining decides about, or that name another model. */
static bool
option_is_ours(const char *key)
{
	return strcmp(key, "deploy") == 0 || strcmp(key, "from_model") == 0 || strcmp(key, "freeze") == 0;
}

static void
options_check(const Retrain *retrain)
{
	if (retrain->options == NULL)
		return;
	if (retrain->options->type != NN_JSON_OBJECT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"options\" is no JSON object"),
				 errhint("Write it like '{\"epochs\": 50}'.")));
	for (const NnJson *e = retrain->options->child; e; e = e->next)
		if (option_is_ours(e->key))
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("option \"%s\" has no place in lstm.retrain", e->key),
					 errhint("Arguments \"promote\" and \"warm_start\" say what is deployed and how it "
							 "begins.")));
	/* Some options are SQL, which others would run: registry_insert takes it from the owner alone. */
	if (retrain->champion->owner != GetUserId())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("only the owner of model \"%s\" can retrain it with other options",
						retrain->name),
				 errhint("Leave \"options\" out, or SET ROLE to the owner.")));
}

/* The stored options but ours, and the caller's over them. */
static void
options_write(const Retrain *retrain, NnText *text, const NnJson *stored)
{
	nn_json_begin(text, '{');
	for (const NnJson *e = stored && stored->type == NN_JSON_OBJECT ? stored->child : NULL; e; e = e->next)
		if (!option_is_ours(e->key) &&
			(retrain->options == NULL || nn_json_member(retrain->options, e->key) == NULL))
		{
			nn_json_key(text, e->key);
			nn_json_tree(text, e);
		}
	for (const NnJson *e = retrain->options ? retrain->options->child : NULL; e; e = e->next)
	{
		nn_json_key(text, e->key);
		nn_json_tree(text, e);
	}
	nn_json_end(text, '}');
}

/*
 * The champion's call as the challenger's, under the name that the model has now.  The source
 * is that of lstm.models.source: what one looks at there is what runs.
 */
static char *
call_write(const Retrain *retrain, const char *stored)
{
	const NnJson *call = train_arguments_parse(retrain->env, stored);
	NnText		text;

	if (call->type != NN_JSON_OBJECT)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("the call stored with model \"%s\" is no JSON object", retrain->name)));
	nn_text_init(&text, retrain->env);
	nn_json_begin(&text, '{');
	nn_json_key(&text, "model");
	nn_json_string(&text, train_arguments_utf8(retrain->name));
	nn_json_key(&text, "source");
	nn_json_string(&text, train_arguments_utf8(retrain->champion->source));
	for (const NnJson *e = call->child; e; e = e->next)
		if (strcmp(e->key, "model") != 0 && strcmp(e->key, "source") != 0 &&
			strcmp(e->key, "options") != 0)
		{
			nn_json_key(&text, e->key);
			nn_json_tree(&text, e);
		}
	nn_json_key(&text, "options");
	options_write(retrain, &text, nn_json_member(call, "options"));
	nn_json_end(&text, '}');
	return train_arguments_server(text.data);
}

/* Everything that can be wrong before rows are read. */
static void
champion_open(Retrain *retrain)
{
	RegistryRow *row = registry_find(retrain->name, 0);
	char	   *call;
	uint8_t    *bytes;
	size_t		length;

	retrain->champion = row;
	registry_check_action(retrain->name, MODEL_RETRAIN);
	if (retrain->keep > 0)
		registry_check_action(retrain->name, MODEL_DROP);
	if (row->joint != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("model \"%s\" is a joint model, which is not trained", retrain->name),
				 errhint("Retrain its members, and join them again with lstm.join_models.")));
	call = champion_call(retrain);
	if (row->source == NULL || call == NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("version %d of model \"%s\" does not say how it was trained", row->version,
						retrain->name),
				 errhint("Train it once more with lstm.train, which stores its call.")));
	model_run_source_check(row, "Retrain it as a member of its owner.");
	options_check(retrain);
	retrain->arguments = call_write(retrain, call);
	/* A copy: the session's cache lets go of its own with the transaction. */
	bytes = nn_model_write(retrain->env, row->model, &length);
	row->model = nn_model_read(retrain->env, bytes, length);
}

/* ------------------------------------------------------------------------
 * Rows
 */

/* As the version that the call made reads them, and never more than the caller may. */
static void
challenger_open(Retrain *retrain)
{
	LOCAL_FCINFO(call, TRAIN_NARGS);
	const NnModel *model = retrain->champion->model;
	StoredFence fence = stored_fence_begin(retrain->champion->owner);
	SearchPathGuard guard = search_path_push(retrain->champion->search_path,
											 model->zone[0] != '\0' ? model->zone : NULL);
	bool		before = XactReadOnly;

	InitFunctionCallInfoData(*call, NULL, TRAIN_NARGS, InvalidOid, NULL, NULL);
	train_arguments_fill(retrain->env, retrain->arguments, call);
	PG_TRY();
	{
		/* Also holidays and edges are queries that are stored. */
		XactReadOnly = true;
		retrain->run = train_open_stored(call);
	}
	PG_FINALLY();
	{
		XactReadOnly = before;
	}
	PG_END_TRY();
	search_path_pop(guard);
	stored_fence_end(fence);
	retrain->run->search_path = retrain->champion->search_path;
	retrain->run->retrain_of = retrain->champion->version;
	retrain->all = unconstify(SourceData *, retrain->run->input.data);
}

static void
rows_check(const Retrain *retrain)
{
	const NnFrequency *now = &retrain->all->frequency,
			   *then = &retrain->champion->model->frequency;

	if (retrain->all->kind == retrain->champion->model->time_kind && now->unit == then->unit &&
		now->count == then->count)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("rows of model \"%s\" have another step than when it was trained", retrain->name),
			 errdetail("The step is %s, and was %s.", nn_frequency_print(retrain->env, now),
					   nn_frequency_print(retrain->env, then)),
			 errhint("Train it with lstm.train.")));
}

/* The newest row that the same call was tried on, as lineage_position; the least number: never. */
static int64
position_tried(const Retrain *retrain)
{
	Oid			types[2] = {TEXTOID, TEXTOID};
	Datum		values[2] = {CStringGetTextDatum(retrain->name), CStringGetTextDatum(retrain->arguments)};
	MemoryContext caller = CurrentMemoryContext;
	int			nest_level = registry_begin();
	int64		tried = PG_INT64_MIN;
	uint64		n = registry_run("SELECT metrics->'retrain'->>'to' FROM lstm.models WHERE name = $1"
								 " AND metrics->'retrain'->>'to' IS NOT NULL"
								 " AND arguments - 'model' = $2::jsonb - 'model'",
								 2, types, values, NULL, true);

	for (uint64 i = 0; i < n; i++)
		tried = Max(tried, lineage_position_read(retrain->all,
												 SPI_getvalue(SPI_tuptable->vals[i],
															  SPI_tuptable->tupdesc, 1)));
	registry_end(nest_level);
	MemoryContextSwitchTo(caller);
	return tried;
}

/*
 * Steps at the end of the series that ends last: *unseen that the champion was not trained on,
 * *fresh that the call was not tried on either.
 */
static void
steps_count(const Retrain *retrain, uint32 *unseen, uint32 *fresh)
{
	const SourceData *data = retrain->all;
	uint32		s = retrain->newest;
	int64		trained_to = retrain->champion->model->trained_to,
				tried = position_tried(retrain);

	*unseen = *fresh = 0;
	for (uint32 row = data->series.history[s]; row-- > 0 && source_time(data, s, row) > trained_to;)
	{
		++*unseen;
		*fresh += lineage_position(data, s, row) > tried;
	}
}

/* Sets held and cut; false where there are too few new rows. */
static bool
rows_hold_out(Retrain *retrain)
{
	const SourceData *data = retrain->all;
	uint32		horizon = retrain->run->call->horizon,
				unseen,
				fresh;
	int64		time;

	if (retrain->holdout > 0 && retrain->holdout < horizon)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"holdout\" is %u, fewer than the %u steps that model \"%s\" forecasts",
						retrain->holdout, horizon, retrain->name),
				 errhint("Hold out a horizon at least.")));
	retrain->newest = fold_series_newest(data);
	steps_count(retrain, &unseen, &fresh);
	if (fresh < horizon)
	{
		ereport(NOTICE,
				(errmsg("model \"%s\" is not retrained: %u new time steps, at least %u are needed",
						retrain->name, fresh, horizon),
				 errdetail("A comparison needs a whole horizon of rows that were not there the last time."),
				 errhint("A source whose WHERE ends at a fixed time never has new rows.")));
		return false;
	}
	retrain->held = retrain->holdout > 0 ? retrain->holdout :
		Max(horizon, Min(unseen / 2, (uint64) HOLDOUT_HORIZONS * horizon));
	retrain->held = Min(retrain->held, unseen);
	time = source_time(data, retrain->newest, data->series.history[retrain->newest] - retrain->held);
	retrain->cut = NN_NEW_ARRAY(retrain->env, uint32, data->series.nseries);
	for (uint32 s = 0; s < data->series.nseries; s++)
		retrain->cut[s] = fold_row_at(data, s, time);
	return true;
}

/* What source_cut leaves as it was: places, where series were left out. */
static void
places_cut(const Retrain *retrain, SourceData *past, const uint32 *kept)
{
	const SourceData *all = retrain->all;
	uint32		n = past->series.nseries;

	past->nskips = all->nskips;
	if (n == all->series.nseries)
		return;
	if (all->place != NULL)
	{
		past->place = NN_NEW_ARRAY(retrain->env, SourcePlace, n);
		for (uint32 v = 0; v < n; v++)
			past->place[v] = all->place[kept[v]];
	}
	if (all->sites != NULL)
	{
		past->sites = NN_NEW(retrain->env, NnSites);
		*past->sites = *all->sites;
		past->sites->site = NN_NEW_ARRAY(retrain->env, uint32_t, n);
		for (uint32 v = 0; v < n; v++)
			past->sites->site[v] = all->sites->site[kept[v]];
		if (all->sites->geom != NULL)
			past->sites->geom = NN_NEW_ARRAY(retrain->env, char *, n);
		for (uint32 v = 0; v < n && all->sites->geom != NULL; v++)
			past->sites->geom[v] = all->sites->geom[kept[v]];
	}
	ereport(NOTICE,
			(errmsg("%u series of model \"%s\" have too few rows to be trained on before the %u time "
					"steps that are held out", all->series.nseries - n, retrain->name, retrain->held)));
}

/* The rows before the cut become those that are trained on. */
static void
rows_cut(Retrain *retrain)
{
	TrainingInput *input = &retrain->run->input;
	const NnSpec *spec = input->spec;
	SourceCut	cut = {.known = retrain->cut, .to = retrain->cut};
	uint32	   *kept;
	SourceData *past;

	cut.from = NN_NEW_ARRAY(retrain->env, uint32, retrain->all->series.nseries);
	past = source_cut(retrain->env, retrain->all, &cut, spec->ntargets, spec->ntargets + spec->npast,
					  folds_needed(spec, input->context_given, retrain->all->series.nseries), &kept);
	if (past->series.nseries == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("no series of model \"%s\" has enough rows before the %u time steps that are held "
						"out", retrain->name, retrain->held),
				 errhint("Hold out fewer steps, or give more rows.")));
	places_cut(retrain, past, kept);
	input->data = past;
	if (retrain->warm_start)
	{
		input->from = retrain->champion->model;
		input->resumes = true;
		retrain->run->warm_from = retrain->champion->version;
	}
}

/* All that needs a snapshot before epochs run; false where there is nothing to do. */
static bool
retrain_read(Retrain *retrain)
{
	progress_phase("reading rows");
	champion_open(retrain);
	challenger_open(retrain);
	rows_check(retrain);
	progress_rows(retrain->all->rows);
	if (!rows_hold_out(retrain))
	{
		retrain->outcome = "no new rows";
		return false;
	}
	retrain->old = model_run_open_row(retrain->champion, retrain->champion, NULL, NULL, NULL,
									  retrain->run->call->horizon);
	rows_cut(retrain);
	return true;
}

/* ------------------------------------------------------------------------
 * Training and judging
 */

static void
retrain_fit(Retrain *retrain)
{
	TrainRun   *run = retrain->run;

	train_fit(run);
	/* Nothing fitted, and a NOTICE said so. */
	if (run->input.resumes && run->input.cold)
		run->warm_from = 0;
	progress_phase("comparing");
	retrain->judgement = retrain_judge(retrain->env, retrain->old,
									   model_run_on(retrain->env, run->model, retrain->all),
									   retrain->cut, run->call->horizon);
}

static bool
challenger_is_better(const RetrainJudgement *judgement)
{
	return isfinite(judgement->score[0]) && isfinite(judgement->score[1]) &&
		judgement->score[1] < judgement->score[0];
}

/* Times of the first and the last row held out, of the series that ends last. */
static char *
held_time(const Retrain *retrain, bool last)
{
	uint32		history = retrain->all->series.history[retrain->newest];

	return lineage_time(retrain->env, retrain->all, retrain->newest,
						last ? history - 1 : history - retrain->held);
}

static void
verdict_number(NnText *text, const char *key, double value)
{
	nn_json_key(text, key);
	nn_json_number(text, value);
}

static char *
verdict_write(const Retrain *retrain)
{
	static const char *const promote_name[] = {"if_better", "always", "never"};
	const RetrainJudgement *judgement = &retrain->judgement;
	NnText		text;

	nn_text_init(&text, retrain->env);
	nn_json_begin(&text, '{');
	nn_json_key(&text, "champion");
	nn_json_integer(&text, retrain->champion->version);
	nn_json_key(&text, "promote");
	nn_json_string(&text, promote_name[retrain->promote]);
	nn_json_key(&text, "outcome");
	nn_json_string(&text, retrain->outcome);
	nn_json_key(&text, "score");
	nn_json_string(&text, judgement->scaled ? "mase" : "mae");
	verdict_number(&text, "champion_score", judgement->score[0]);
	verdict_number(&text, "challenger_score", judgement->score[1]);
	verdict_number(&text, "champion_mae", judgement->mae[0]);
	verdict_number(&text, "challenger_mae", judgement->mae[1]);
	nn_json_key(&text, "n");
	nn_json_integer(&text, (int64_t) judgement->n);
	nn_json_key(&text, "holdout");
	nn_json_integer(&text, retrain->held);
	nn_json_key(&text, "from");
	nn_json_string(&text, held_time(retrain, false));
	nn_json_key(&text, "to");
	nn_json_string(&text, held_time(retrain, true));
	nn_json_end(&text, '}');
	return text.data;
}

/* "0.71 against 0.83" and by how much, for people. */
static const char *
verdict_text(const RetrainJudgement *judgement)
{
	double		old = judgement->score[0],
				new = judgement->score[1];
	const char *what = judgement->scaled ? "mean absolute scaled error" : "mean absolute error";

	if (judgement->n == 0)
		return "no row held out has a known target and a forecast of both";
	if (!isfinite(old) || !isfinite(new))
		return psprintf("%s %.4g against %.4g", what, new, old);
	if (old == 0)
		return psprintf("%s %.4g against 0", what, new);
	return psprintf("%s %.4g against %.4g, %.1f %% %s", what, new, old,
					fabs(new / old - 1) * 100, new < old ? "less" : "more");
}

static void
verdict_tell(const Retrain *retrain)
{
	const char *text = verdict_text(&retrain->judgement);
	const char *detail = psprintf("Compared on " UINT64_FORMAT " values from %s to %s, which neither was "
								  "trained on.", retrain->judgement.n, held_time(retrain, false),
								  held_time(retrain, true));

	if (retrain->promoted)
		ereport(NOTICE,
				(errmsg("version %d of model \"%s\" is deployed in place of version %d: %s",
						retrain->version, retrain->name, retrain->champion->version, text),
				 errdetail("%s", detail)));
	else
		ereport(NOTICE,
				(errmsg("version %d of model \"%s\" is stored, version %d stays deployed: %s",
						retrain->version, retrain->name, retrain->champion->version, text),
				 errdetail("%s", detail)));
}

/* ------------------------------------------------------------------------
 * Storing
 */

typedef enum Champion
{
	CHAMPION_REIGNS, CHAMPION_REPLACED, CHAMPION_GONE
} Champion;

/* What has become of it; until the end of the transaction nothing else will. */
static Champion
champion_find(const Retrain *retrain)
{
	Oid			types[3] = {TEXTOID, INT4OID, TIMESTAMPTZOID};
	Datum		values[3] = {CStringGetTextDatum(retrain->name),
		Int32GetDatum(retrain->champion->version), TimestampTzGetDatum(retrain->trained_at)};
	int			nest_level = registry_begin();
	Champion	champion = CHAMPION_GONE;
	bool		isnull;

	registry_lock(retrain->name);
	if (registry_run("SELECT deployed FROM lstm.models WHERE name = $1 AND version = $2"
					 " AND trained_at = $3", 3, types, values, NULL, false) > 0)
		champion = DatumGetBool(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
											  &isnull)) ? CHAMPION_REIGNS : CHAMPION_REPLACED;
	registry_end(nest_level);
	return champion;
}

static void
old_versions_drop(const Retrain *retrain)
{
	int			nest_level = registry_begin();
	RegistryRole before = registry_write_begin(retrain->name, MODEL_DROP);

	(void) house_keep_versions(retrain->name, retrain->keep, true);
	registry_write_end(before);
	registry_end(nest_level);
}

static void
retrain_store(Retrain *retrain)
{
	TrainRun   *run = retrain->run;
	Champion	champion = champion_find(retrain);

	progress_phase("storing");
	retrain->outcome = "superseded";
	if (champion == CHAMPION_GONE)
	{
		ereport(NOTICE,
				(errmsg("version %d of model \"%s\" is gone: nothing is stored",
						retrain->champion->version, retrain->name),
				 errdetail("The model was dropped or renamed while it was retrained.")));
		return;
	}
	retrain->promoted = champion == CHAMPION_REIGNS && retrain->promote != PROMOTE_NEVER &&
		(retrain->promote == PROMOTE_ALWAYS || challenger_is_better(&retrain->judgement));
	if (champion == CHAMPION_REIGNS)
		retrain->outcome = retrain->promoted ? "promoted" :
			retrain->promote == PROMOTE_NEVER ? "stored" : "not better";
	run->deploy = retrain->promoted;
	run->verdict = verdict_write(retrain);
	retrain->version = train_store(run);
	if (champion == CHAMPION_REIGNS)
		verdict_tell(retrain);
	else
		ereport(NOTICE,
				(errmsg("version %d of model \"%s\" is stored, but not deployed", retrain->version,
						retrain->name),
				 errdetail("Version %d, which it was compared with, is no longer the deployed one.",
						   retrain->champion->version)));
	if (retrain->keep > 0)
		old_versions_drop(retrain);
}

/* ------------------------------------------------------------------------
 * The call
 */

static bool
retrain_lock(const Retrain *retrain)
{
	uint32		hash = hash_bytes((const unsigned char *) retrain->name, (int) strlen(retrain->name));

	return DatumGetBool(DirectFunctionCall2(retrain->atomic ? pg_try_advisory_xact_lock_int4 :
											pg_try_advisory_lock_int4,
											Int32GetDatum(RETRAIN_LOCK_CLASS),
											Int32GetDatum((int32) hash)));
}

/* A lock of the transaction goes by itself. */
static void
retrain_unlock(const Retrain *retrain)
{
	uint32		hash = hash_bytes((const unsigned char *) retrain->name, (int) strlen(retrain->name));

	if (!retrain->atomic)
		(void) DirectFunctionCall2(pg_advisory_unlock_int4, Int32GetDatum(RETRAIN_LOCK_CLASS),
								   Int32GetDatum((int32) hash));
}

static void
transaction_end(const Retrain *retrain)
{
	if (retrain->atomic)
		return;
	SPI_commit();
	SPI_start_transaction();
}

static void
retrain_run(Retrain *retrain)
{
	bool		any;

	PushActiveSnapshot(GetTransactionSnapshot());
	any = retrain_read(retrain);
	PopActiveSnapshot();
	if (!any)
		return;
	transaction_end(retrain);
	retrain_fit(retrain);
	PushActiveSnapshot(GetTransactionSnapshot());
	retrain_store(retrain);
	PopActiveSnapshot();
	/* Before the lock goes: who gets it next sees the new version. */
	transaction_end(retrain);
}

static void
retrain_run_locked(Retrain *retrain)
{
	PG_TRY();
	{
		progress_begin("retrain", retrain->name, 0);
		retrain_run(retrain);
		progress_end();
	}
	PG_CATCH();
	{
		retrain_unlock(retrain);
		PG_RE_THROW();
	}
	PG_END_TRY();
	retrain_unlock(retrain);
}

static Promote
promote_parse(const char *word)
{
	if (strcmp(word, "if_better") == 0)
		return PROMOTE_IF_BETTER;
	if (strcmp(word, "always") == 0)
		return PROMOTE_ALWAYS;
	if (strcmp(word, "never") == 0)
		return PROMOTE_NEVER;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("argument \"promote\" is \"%s\"", word),
			 errhint("Write if_better, always or never.")));
}

static void
arguments_read(Retrain *retrain, FunctionCallInfo fcinfo)
{
	retrain->name = argument_text_required(fcinfo, ARG_MODEL, "model");
	retrain->promote = promote_parse(argument_text_required(fcinfo, ARG_PROMOTE, "promote"));
	if (PG_ARGISNULL(ARG_WARM_START))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"warm_start\" must not be null")));
	retrain->warm_start = PG_GETARG_BOOL(ARG_WARM_START);
	if (!PG_ARGISNULL(ARG_HOLDOUT))
		retrain->holdout = argument_number(fcinfo, ARG_HOLDOUT, "holdout", 1, PG_INT32_MAX);
	if (!PG_ARGISNULL(ARG_KEEP_VERSIONS))
		retrain->keep = argument_number(fcinfo, ARG_KEEP_VERSIONS, "keep_versions", 1, PG_INT32_MAX);
	if (!PG_ARGISNULL(ARG_OPTIONS))
		retrain->options = training_options_parse(retrain->env, PG_GETARG_DATUM(ARG_OPTIONS));
}

static Datum
result_row(FunctionCallInfo fcinfo, const Retrain *result)
{
	TupleDesc	desc;
	Datum		values[5];
	bool		nulls[5] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("lstm.retrain called in a context that cannot take a row")));
	values[0] = Int32GetDatum(result->version);
	nulls[0] = result->version == 0;
	values[1] = BoolGetDatum(result->promoted);
	result_float(result->judgement.mae[0], &values[2], &nulls[2]);
	result_float(result->judgement.mae[1], &values[3], &nulls[3]);
	values[4] = CStringGetTextDatum(result->outcome);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

Datum
lstm_retrain(PG_FUNCTION_ARGS)
{
	Retrain		retrain = {.judgement = {.mae = {NAN, NAN}}};
	CallMemory	memory;

	PreventCommandIfReadOnly("CALL lstm.retrain()");
	/* Whoever has begun a transaction block, or catches errors, ends it himself. */
	retrain.atomic = fcinfo->context == NULL || !IsA(fcinfo->context, CallContext) ||
		castNode(CallContext, fcinfo->context)->atomic || IsSubTransaction();
	if (SPI_connect_ext(retrain.atomic ? 0 : SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("lstm.retrain cannot run statements")));
	memory = call_memory_begin();
	retrain.env = env_create(memory.own);
	arguments_read(&retrain, fcinfo);
	if (!retrain_lock(&retrain))
	{
		retrain.outcome = "busy";
		ereport(NOTICE,
				(errmsg("model \"%s\" is being retrained by another session", retrain.name)));
	}
	else
		retrain_run_locked(&retrain);
	call_memory_end(memory);
	SPI_finish();
	return result_row(fcinfo, &retrain);
}
