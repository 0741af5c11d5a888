/*
 * tune.c
 *		lstm.tune: tries settings on the past, keeps what came of each, trains the best.
 *
 * A trial trains and judges one candidate (search.h) on all folds (folds.h).  It runs
 * in a subtransaction, so that one that fails does not end the search; its row in
 * lstm.trials is committed before the next begins, so that a cancel loses only the
 * trial under way.  Rows are read once, before the first trial, unless the search
 * changes what is read.
 *
 * The score is the MASE over all folds, scaled by the season that the caller or the
 * rows give, whatever a trial's own: MAE where there is no scale.
 */
#include "postgres.h"

#include <math.h>

#include "access/xact.h"
#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "nodes/parsenodes.h"
#include "portability/instr_time.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/memutils.h"
#include "utils/resowner.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"

#include "core/nn_auto.h"
#include "pg/env.h"
#include "pg/folds.h"
#include "pg/model_run.h"
#include "pg/progress.h"
#include "pg/registry.h"
#include "pg/search.h"
#include "pg/source_cut.h"

PG_FUNCTION_INFO_V1(lstm_tune);

/* Arguments; the first twelve are those of lstm.train. */
enum
{
	ARG_MODEL, ARG_SOURCE, ARG_OPTIONS = 11, ARG_SEARCH, ARG_TRIALS, ARG_SECONDS, ARG_METHOD, ARG_FOLDS
};

#define TRAIN_ARGUMENTS 12
#define TRIALS_MOST 10000

/* Confidence of intervals plays no part in the score. */
#define TUNE_LEVEL 0.95

typedef struct Outcome
{
	const Candidate *candidate;
	uint32		trial;			/* its number; 0: not tried */
	char	   *options;		/* as tried */
	double		score, mae;		/* NaN: failed */
	double		seconds;
	char	   *error;			/* NULL: none */
} Outcome;

typedef struct Tune
{
	NnEnv	   *env;			/* of the whole call */
	char	   *model;
	TrainCall  *call;
	NnJson	   *search;
	bool		reads;			/* every trial reads the rows */
	NnSpec	   *spec;			/* of the caller's options */
	SourceData *data;
	uint32		season;			/* of the scales */
	uint32		needed;			/* rows before the cut of a fold, for the longest context */
	FoldSettings settings;
	uint32		seconds;		/* 0: no limit */
	instr_time	start;
	int64		id;
	uint32		trials;			/* run so far */
	uint32		planned;		/* in all, if none fails and time is left */
	Outcome    *best;
} Tune;

/* ------------------------------------------------------------------------
 * The table of trials
 */

static int64
trials_next_id(void)
{
	int			nest_level = registry_begin();
	bool		isnull;
	int64		id;

	if (SPI_execute("SELECT pg_catalog.nextval('lstm.trials_id_seq')", false, 1) != SPI_OK_SELECT ||
		SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot number the search in lstm.trials"),
				 errhint("Check that extension \"lstm\" is installed completely.")));
	id = DatumGetInt64(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	registry_end(nest_level);
	return id;
}

static Datum
jsonb_datum(const char *text)
{
	return DirectFunctionCall1(jsonb_in, CStringGetDatum(text));
}

static void
trial_store(const Tune *tune, const Outcome *outcome, TimestampTz started)
{
	static const char *const statement =
		"INSERT INTO lstm.trials (id, model, trial, options, folds, score, mae, seconds, status, "
		"error, started_at) VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)";
	Oid			types[] = {INT8OID, TEXTOID, INT4OID, JSONBOID, INT4OID, FLOAT8OID, FLOAT8OID, FLOAT8OID,
	TEXTOID, TEXTOID, TIMESTAMPTZOID};
	int			nest_level = registry_begin();
	Datum		values[] = {Int64GetDatum(tune->id), CStringGetTextDatum(tune->model),
		Int32GetDatum((int32) outcome->trial), jsonb_datum(outcome->options),
		Int32GetDatum((int32) tune->settings.folds), Float8GetDatum(outcome->score),
		Float8GetDatum(outcome->mae), Float8GetDatum(outcome->seconds),
		CStringGetTextDatum(outcome->error ? "failed" : "done"),
		outcome->error ? CStringGetTextDatum(outcome->error) : (Datum) 0,
	TimestampTzGetDatum(started)};
	char		nulls[lengthof(values) + 1] = "           ";
	int			code;

	nulls[5] = isnan(outcome->score) ? 'n' : ' ';
	nulls[6] = isnan(outcome->mae) ? 'n' : ' ';
	nulls[9] = outcome->error ? ' ' : 'n';
	code = SPI_execute_with_args(statement, lengthof(values), types, values, nulls, false, 0);
	if (code != SPI_OK_INSERT)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("statement on lstm.trials failed: %s", SPI_result_code_string(code))));
	registry_end(nest_level);
}

/* ------------------------------------------------------------------------
 * One trial
 */

/* Fold f of the trial under way begins, as others see it. */
static void
progress_tell(const Tune *tune, uint32 f)
{
	uint32		folds = tune->settings.folds;
	char	   *part = psprintf("trial %u of %u", tune->trials, tune->planned);

	if (folds > 1)
		part = psprintf("%s, fold %u of %u", part, f + 1, folds);
	/* The training of the best comes last. */
	progress_part(part, (tune->trials - 1) * folds + f, tune->planned * folds + 1);
}

/* Adds up all folds and sets score and mae; everything else lives in env. */
static void
candidate_judge(const Tune *tune, const NnEnv *env, const NnJson *options, Outcome *outcome)
{
	TrainCall	call = *tune->call;
	bool		split_given;
	NnSpec	   *spec;
	const SourceData *data = tune->data;
	FoldPlan   *plan;
	FoldResult *result;
	Metrics    *each;
	Metrics		all;

	if (outcome->candidate->context > 0)
	{
		call.context = outcome->candidate->context;
		call.context_given = true;
	}
	spec = train_call_spec(env, &call, options, &split_given);
	spec->progress = 0;
	progress_tell(tune, 0);
	if (tune->reads)
	{
		progress_phase("reading rows");
		data = train_call_read(env, &call, spec);
	}
	else
		train_call_copy(tune->spec, spec);
	plan = folds_plan(env, data, &call.source->roles, call.horizon, tune->needed, TUNE_LEVEL,
					  &tune->settings);
	result = fold_result(env, spec->ntargets);
	for (uint32 f = 0; f < plan->folds; f++)
	{
		progress_tell(tune, f);
		fold_run(plan, f, spec, call.context_given, split_given, tune->season, false, result);
	}
	each = NN_NEW_ARRAY(env, Metrics, spec->ntargets);
	for (uint32 k = 0; k < spec->ntargets; k++)
		each[k] = metrics_of(&result->sums[FOLD_MODEL][k]);
	all = metrics_average(each, spec->ntargets);
	outcome->mae = all.value[METRIC_MAE];
	outcome->score = all.value[isnan(all.value[METRIC_MASE]) ? METRIC_MAE : METRIC_MASE];
	if (isnan(outcome->score))
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("no fold has a known target to judge a forecast by"),
				 errhint("Look at the last rows of the source's target column.")));
}

/* Whether an error is the trial's own, rather than an end of the whole statement. */
static bool
error_is_of_trial(const ErrorData *error)
{
	return error->elevel == ERROR && error->sqlerrcode != ERRCODE_QUERY_CANCELED &&
		ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_OPERATOR_INTERVENTION &&
		ERRCODE_TO_CATEGORY(error->sqlerrcode) != ERRCODE_INTERNAL_ERROR;
}

/* As candidate_judge, in a subtransaction; an error becomes outcome->error, in tune's memory. */
static void
candidate_try(Tune *tune, const NnJson *options, Outcome *outcome)
{
	MemoryContext before = CurrentMemoryContext;
	ResourceOwner owner = CurrentResourceOwner;
	CallMemory	memory = call_memory_begin();

	outcome->score = outcome->mae = NAN;
	BeginInternalSubTransaction(NULL);
	MemoryContextSwitchTo(memory.own);
	PG_TRY();
	{
		PushActiveSnapshot(GetTransactionSnapshot());
		candidate_judge(tune, env_create(memory.own), options, outcome);
		PopActiveSnapshot();
		ReleaseCurrentSubTransaction();
	}
	PG_CATCH();
	{
		ErrorData  *error;

		MemoryContextSwitchTo(before);
		error = CopyErrorData();
		FlushErrorState();
		/* In any case: an error that left it open would leave a transaction block behind. */
		RollbackAndReleaseCurrentSubTransaction();
		MemoryContextSwitchTo(before);
		CurrentResourceOwner = owner;
		if (!error_is_of_trial(error))
			ReThrowError(error);
		outcome->error = psprintf("%s: %s", unpack_sql_state(error->sqlerrcode), error->message);
		outcome->score = outcome->mae = NAN;
	}
	PG_END_TRY();
	CurrentResourceOwner = owner;
	call_memory_end(memory);
	MemoryContextSwitchTo(before);
}

static bool
budget_is_spent(const Tune *tune)
{
	return tune->seconds > 0 && tune->trials > 0 && seconds_since(tune->start) >= tune->seconds;
}

/* Runs and commits a trial of the candidate, with other epochs unless they are 0. */
static void
trial_run_and_commit(Tune *tune, const Candidate *candidate, uint32 epochs, Outcome *outcome)
{
	TimestampTz started = GetCurrentTimestamp();
	instr_time	start;
	const NnJson *options = candidate->options;

	INSTR_TIME_SET_CURRENT(start);
	*outcome = (Outcome) {.candidate = candidate, .trial = ++tune->trials, .options = candidate->text};
	if (epochs > 0)
	{
		NnJson	   *all = nn_json_parse(tune->env, candidate->text, strlen(candidate->text), "options",
										NN_BAD_VALUE);
		NnText		text;

		options = search_epochs(tune->env, options, epochs);
		nn_text_init(&text, tune->env);
		nn_json_tree(&text, search_epochs(tune->env, all, epochs));
		outcome->options = text.data;
	}
	candidate_try(tune, options, outcome);
	outcome->seconds = seconds_since(start);
	PushActiveSnapshot(GetTransactionSnapshot());
	trial_store(tune, outcome, started);
	PopActiveSnapshot();
	SPI_commit();
	SPI_start_transaction();
}

/* ------------------------------------------------------------------------
 * The search
 */

static void
candidates_run(Tune *tune, const Candidate *candidate, uint32 n, Outcome *outcome)
{
	for (uint32 i = 0; i < n && !budget_is_spent(tune); i++)
	{
		trial_run_and_commit(tune, &candidate[i], 0, &outcome[i]);
		if (!isnan(outcome[i].score) && (tune->best == NULL || outcome[i].score < tune->best->score))
			tune->best = &outcome[i];
	}
}

/* The lower score first; failures, then those not tried, last; equal ones as they came. */
static int
outcome_compare(const void *a, const void *b)
{
	const Outcome *x = a,
			   *y = b;
	double		p = isnan(x->score) ? INFINITY : x->score,
				q = isnan(y->score) ? INFINITY : y->score;

	if (p != q)
		return p < q ? -1 : 1;
	return x->trial < y->trial ? -1 : x->trial > y->trial;
}

/* Epochs of a candidate's options in a round: a quarter, half, all. */
static uint32
round_epochs(const Tune *tune, const Candidate *candidate, int round)
{
	const NnJson *epochs = nn_json_member(candidate->options, "epochs");
	uint32		all = tune->spec->epochs;

	if (epochs != NULL && epochs->type == NN_JSON_NUMBER && epochs->number >= 1 &&
		epochs->number <= PG_INT32_MAX)
		all = (uint32) epochs->number;
	return round == 2 ? 0 : Max(1, all / (round == 0 ? 4 : 2));
}

/*
 * Successive halving (Jamieson and Talwalkar 2016) in three rounds: the better half of
 * each goes on.  The best is that of the last round begun that has any success.
 */
static void
halving_run(Tune *tune, const Candidate *candidate, uint32 n, Outcome *outcome)
{
	const Candidate **left = NN_NEW_ARRAY(tune->env, const Candidate *, n);

	for (uint32 i = 0; i < n; i++)
		left[i] = &candidate[i];
	for (int round = 0; round < 3 && n > 0; round++)
	{
		uint32		run = 0,
					good = 0;

		for (; run < n && !budget_is_spent(tune); run++)
			trial_run_and_commit(tune, left[run], round_epochs(tune, left[run], round),
								 &outcome[run]);
		qsort(outcome, run, sizeof(Outcome), outcome_compare);
		while (good < run && !isnan(outcome[good].score))
			good++;
		if (good > 0)
		{
			tune->best = NN_NEW(tune->env, Outcome);
			*tune->best = outcome[0];
		}
		if (run < n)
			break;
		n = Min((n + 1) / 2, good);
		for (uint32 i = 0; i < n; i++)
			left[i] = outcome[i].candidate;
	}
}

/* Trains the best candidate by the caller's other arguments: a version of the model. */
static void
best_train(Tune *tune, FunctionCallInfo fcinfo, const Datum *arguments)
{
	static const char *const statement =
		"SELECT version FROM lstm.train($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)";
	Oid			types[TRAIN_ARGUMENTS] = {TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID, INT4OID, INT4OID,
	TEXTOID, TEXTOID, TEXTOID, TEXTOID, JSONBOID};
	Datum		values[TRAIN_ARGUMENTS];
	char		nulls[TRAIN_ARGUMENTS + 1];
	const Outcome *best = tune->best;
	NnText		options;
	bool		isnull;
	int			version;

	for (int i = 0; i < TRAIN_ARGUMENTS; i++)
	{
		values[i] = arguments[i];
		nulls[i] = fcinfo->args[i].isnull ? 'n' : ' ';
	}
	if (best->candidate->context > 0)
	{
		values[6] = Int32GetDatum((int32) best->candidate->context);
		nulls[6] = ' ';
	}
	nn_text_init(&options, tune->env);
	nn_json_tree(&options, best->candidate->options);
	values[ARG_OPTIONS] = jsonb_datum(options.data);
	nulls[ARG_OPTIONS] = ' ';
	progress_part("the best", tune->planned * tune->settings.folds,
				  tune->planned * tune->settings.folds + 1);
	PushActiveSnapshot(GetTransactionSnapshot());
	if (SPI_execute_with_args(statement, TRAIN_ARGUMENTS, types, values, nulls, false, 1) != SPI_OK_SELECT ||
		SPI_processed != 1)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("lstm.train returned no row")));
	version = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	PopActiveSnapshot();
	ereport(NOTICE,
			(errmsg("version %d of model \"%s\" has the options of trial %u of %u", version,
					tune->model, best->trial, tune->trials),
			 errdetail("Score %.4g with %s.", best->score, best->options)));
}

static void __attribute__((noreturn))
all_failed(const Tune *tune, const Outcome *outcome)
{
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("none of the %u trials of model \"%s\" succeeded", tune->trials, tune->model),
			 errdetail("Trial %u failed with %s", outcome->trial, outcome->error),
			 errhint("Look at column \"error\" of lstm.trials, id " INT64_FORMAT ".", tune->id)));
}

/* ------------------------------------------------------------------------
 * The call
 */

/* Each trial is committed: not within anybody else's transaction. */
static void
atomic_refuse(FunctionCallInfo fcinfo)
{
	if (fcinfo->context != NULL && IsA(fcinfo->context, CallContext) &&
		!castNode(CallContext, fcinfo->context)->atomic)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_ACTIVE_SQL_TRANSACTION),
			 errmsg("lstm.tune cannot run inside a transaction block"),
			 errdetail("It commits every trial."),
			 errhint("CALL it by itself, outside of BEGIN, functions and exception blocks.")));
}

/* Rows and contexts that every trial must find before a fold's cut. */
static uint32
needed_rows(const Tune *tune, const Candidate *candidate, uint32 n)
{
	uint32		most = folds_needed(tune->spec, tune->call->context_given,
									tune->data->series.nseries);

	for (uint32 i = 0; i < n; i++)
	{
		const NnJson *difference = nn_json_member(candidate[i].options, "difference");
		uint32		lag = tune->spec->difference,
					context = candidate[i].context;

		if (context == 0)
			context = tune->call->context_given ? tune->call->context : 1;
		if (difference != NULL && difference->type == NN_JSON_NUMBER &&
			difference->number >= 0 && difference->number <= NN_MAX_STEPS)
			lag = (uint32) difference->number;
		most = Max(most, context + lag + tune->call->horizon);
	}
	return most;
}

static void
rows_open(Tune *tune)
{
	static const char *const reading[] = {"calendar", "holidays", "frequency", "on_error", "space",
		"graph", "directed", "neighbors", "distance", "kernel", "sigma", "threshold", "grid", "cells"};

	for (size_t i = 0; i < lengthof(reading); i++)
		tune->reads = tune->reads || search_has(tune->search, reading[i]);
	/* Also where trials read for themselves: folds that do not fit are told at once. */
	progress_phase("reading rows");
	tune->data = train_call_read(tune->env, tune->call, tune->spec);
	progress_rows(tune->data->rows);
}

static uint32
score_season(const Tune *tune, const FoldPlan *plan)
{
	const Fold *first = &plan->fold[0];
	SourceCut	cut = {first->from, first->cut, first->cut};
	CallMemory	memory = call_memory_begin();
	SourceData *past;
	uint32		season;

	if (tune->spec->season > 0)
		season = tune->spec->season;
	else
	{
		past = source_cut(env_create(memory.own), tune->data, &cut, tune->spec->ntargets,
						  tune->spec->ntargets + tune->spec->npast, tune->needed, NULL);
		season = past->series.nseries == 0 ? 1 :
			nn_auto_season(env_create(memory.own), &past->series, tune->spec->ntargets,
						   &tune->data->frequency);
	}
	call_memory_end(memory);
	return season;
}

/* Who searches over units may not know that he gives up what "auto" chooses. */
static void
architecture_tell(const Tune *tune, const Candidate *candidate)
{
	bool		split_given;
	const NnSpec *spec = train_call_spec(tune->env, tune->call, candidate->options, &split_given);

	if (nn_spec_form_given(spec) && !nn_spec_given(spec, "architecture"))
		ereport(NOTICE,
				(errmsg("the search has keys of the network: it is one of architecture \"%s\"",
						nn_architecture_name(spec->form.architecture)),
				 errhint("Say \"architecture\" in the options or the search; without keys of the "
						 "network it is chosen from the rows.")));
}

/* Everything that can be wrong is told before the first trial. */
static uint32
tune_open(Tune *tune, FunctionCallInfo fcinfo, SearchMethod method, uint32 trials,
		  Candidate **candidates)
{
	Datum		search = PG_GETARG_DATUM(ARG_SEARCH);
	char	   *text = DatumGetCString(DirectFunctionCall1(jsonb_out, search));
	uint32		n;
	bool		split_given;

	tune->search = nn_json_parse(tune->env, text, strlen(text), "search", NN_BAD_VALUE);
	tune->call = train_call_open(tune->env, fcinfo, ARG_SOURCE);
	train_call_refuse_transfer(tune->env, tune->call);
	tune->spec = train_call_spec(tune->env, tune->call, tune->call->options, &split_given);
	n = search_candidates(tune->env, tune->search, tune->call->options, method, trials,
						  tune->spec->seed, candidates);
	architecture_tell(tune, *candidates);
	rows_open(tune);
	tune->needed = needed_rows(tune, *candidates, n);
	tune->settings.stride = tune->call->horizon;
	tune->settings.expanding = true;
	tune->season = score_season(tune, folds_plan(tune->env, tune->data, &tune->call->source->roles,
												 tune->call->horizon, tune->needed, TUNE_LEVEL,
												 &tune->settings));
	tune->id = trials_next_id();
	return n;
}

/* Copies of the first arguments that outlive commits. */
static Datum *
arguments_keep(FunctionCallInfo fcinfo)
{
	Datum	   *arguments = palloc0(sizeof(Datum) * TRAIN_ARGUMENTS);

	for (int i = 0; i < TRAIN_ARGUMENTS; i++)
	{
		if (fcinfo->args[i].isnull)
			continue;
		arguments[i] = i == 5 || i == 6 ? PG_GETARG_DATUM(i) :
			PointerGetDatum(PG_DETOAST_DATUM_COPY(PG_GETARG_DATUM(i)));
	}
	return arguments;
}

Datum
lstm_tune(PG_FUNCTION_ARGS)
{
	CallMemory	memory;
	Tune		tune = {0};
	SearchMethod method;
	uint32		trials,
				n;
	Candidate  *candidates;
	Outcome    *outcomes;
	Datum	   *arguments;

	atomic_refuse(fcinfo);
	PreventCommandIfReadOnly("CALL lstm.tune()");
	if (SPI_connect_ext(SPI_OPT_NONATOMIC) != SPI_OK_CONNECT)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("lstm.tune cannot run statements")));
	memory = call_memory_begin();
	tune.env = env_create(memory.own);
	INSTR_TIME_SET_CURRENT(tune.start);
	tune.model = argument_text_required(fcinfo, ARG_MODEL, "model");
	method = search_method_parse(argument_text_required(fcinfo, ARG_METHOD, "method"));
	trials = argument_number(fcinfo, ARG_TRIALS, "trials", 1, TRIALS_MOST);
	tune.settings.folds = argument_number(fcinfo, ARG_FOLDS, "folds", 1, FOLDS_MOST);
	if (!PG_ARGISNULL(ARG_SECONDS))
		tune.seconds = argument_number(fcinfo, ARG_SECONDS, "seconds", 1, PG_INT32_MAX);
	if (PG_ARGISNULL(ARG_SEARCH))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"search\" must not be null")));
	PushActiveSnapshot(GetTransactionSnapshot());
	registry_check_name(tune.model);
	progress_begin("tune", tune.model, 0);
	arguments = arguments_keep(fcinfo);
	n = tune_open(&tune, fcinfo, method, trials, &candidates);
	PopActiveSnapshot();
	outcomes = NN_NEW_ARRAY(tune.env, Outcome, n);
	tune.planned = n;
	if (method == SEARCH_HALVING)
		tune.planned += (n + 1) / 2 + ((n + 1) / 2 + 1) / 2;
	if (method == SEARCH_HALVING)
		halving_run(&tune, candidates, n, outcomes);
	else
		candidates_run(&tune, candidates, n, outcomes);
	if (tune.best == NULL)
		all_failed(&tune, &outcomes[0]);
	best_train(&tune, fcinfo, arguments);
	progress_end();
	call_memory_end(memory);
	SPI_finish();
	return (Datum) 0;
}
