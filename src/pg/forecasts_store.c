/*
 * forecasts_store.c
 *		CALL lstm.refresh_forecasts: forecasts that are kept, beside what came.
 *
 * The rows of the source are read once: forecasts are made of them, and they are what
 * came of earlier forecasts.  Both go into tuple stores that SQL sees as relations, so
 * the table is written by one INSERT, one UPDATE and one DELETE, whatever the number of
 * series.  Everything is one transaction: who is killed leaves nothing.
 *
 * The source runs with the caller's rights.  The statements on lstm.forecasts run as its
 * owner, after the caller's right to refresh this model was checked: nobody else may
 * write there.
 *
 * Costs what lstm.forecast costs, and a comparison of all stored rows of the model with
 * the rows of the source from the oldest of them on: argument "keep" bounds it.
 */
#include "postgres.h"

#include <math.h>

#include "catalog/pg_type.h"
#include "commands/async.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/queryenvironment.h"
#include "utils/snapmgr.h"
#include "utils/timestamp.h"
#include "utils/tuplestore.h"

#include "pg/env.h"
#include "pg/forecast.h"
#include "pg/grants.h"
#include "pg/model_run.h"

PG_FUNCTION_INFO_V1(lstm_refresh_forecasts);

enum
{
	ARG_MODEL, ARG_HORIZON, ARG_LEVEL, ARG_SOURCE, ARG_FUTURE, ARG_KEEP, ARG_ABOVE, ARG_BELOW,
	ARG_CHANNEL
};

/* First key of the advisory lock: "lsfc" in ASCII; the second hashes the model's name. */
#define REFRESH_LOCK_CLASS 0x6c736663

/* Rows as SQL sees them. */
typedef struct RowStore
{
	const char *name;
	TupleDesc	tupdesc;
	Tuplestorestate *rows;
	uint64		count;
} RowStore;

typedef struct Refresh
{
	char	   *model;
	int			version;
	uint32		horizon;
	double		level;
	Interval   *keep;			/* NULL: all */
	double		above, below;	/* NaN: none */
	char	   *channel;
	bool		integer;		/* time column */
	RowStore	fresh;			/* forecasts */
	RowStore	arrived;		/* actual values */
	int64		newest;			/* origin of fresh; PG_INT64_MIN: none */
	bool		prunes;
	TimestampTz cutoff;			/* issued before it: pruned */
	uint64		written, filled, pruned, notified;
} Refresh;

/* ------------------------------------------------------------------------
 * Rows for SQL
 */

typedef struct RowColumn
{
	const char *name;
	Oid			type;
} RowColumn;

static const RowColumn fresh_columns[] = {
	{"series", TEXTOID}, {"series_key", JSONBOID}, {"target", TEXTOID}, {"issued_at", TIMESTAMPTZOID},
	{"issued_index", INT8OID}, {"forecast_timestamp", TIMESTAMPTZOID}, {"forecast_index", INT8OID},
	{"step", INT4OID}, {"value", FLOAT8OID}, {"lower", FLOAT8OID}, {"upper", FLOAT8OID}
};

static const RowColumn arrived_columns[] = {
	{"series", TEXTOID}, {"target", TEXTOID}, {"forecast_timestamp", TIMESTAMPTZOID},
	{"forecast_index", INT8OID}, {"actual", FLOAT8OID}
};

static RowStore
rows_create(const char *name, const RowColumn *columns, int n)
{
	RowStore	store = {.name = name, .tupdesc = CreateTemplateTupleDesc(n)};

	for (int i = 0; i < n; i++)
		TupleDescInitEntry(store.tupdesc, (AttrNumber) (i + 1), columns[i].name, columns[i].type, -1, 0);
	store.rows = tuplestore_begin_heap(true, false, work_mem);
	return store;
}

static void
rows_put(RowStore *store, Datum *values, bool *nulls)
{
	CHECK_FOR_INTERRUPTS();
	tuplestore_putvalues(store->rows, store->tupdesc, values, nulls);
	store->count++;
}

static void
rows_show(const RowStore *store)
{
	EphemeralNamedRelation relation = palloc0(sizeof(EphemeralNamedRelationData));

	relation->md.name = pstrdup(store->name);
	relation->md.reliddesc = InvalidOid;
	relation->md.tupdesc = store->tupdesc;
	relation->md.enrtype = ENR_NAMED_TUPLESTORE;
	relation->md.enrtuples = (double) store->count;
	relation->reldata = store->rows;
	if (SPI_register_relation(relation) != SPI_OK_REL_REGISTER)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("cannot hand rows to the statements on lstm.forecasts")));
}

/* The forecasts of one series. */
static void
fresh_put(void *host, const ModelRun *run, const NnWindow *window, const double *point,
		  const double *low, const double *high)
{
	Refresh    *refresh = host;
	uint32		s = window->series;
	int64		origin = (int64) window->origin - run->data->series.first[s];
	const char *name = model_run_series(run, s);
	Datum		values[lengthof(fresh_columns)];
	bool		nulls[lengthof(fresh_columns)] = {false};

	nulls[0] = nulls[1] = name == NULL;
	values[0] = name ? CStringGetTextDatum(name) : (Datum) 0;
	values[1] = model_run_series_key(run, s);
	values[3] = model_run_time(run, s, origin, &nulls[3]);
	values[4] = model_run_index(run, s, origin, &nulls[4]);
	refresh->newest = Max(refresh->newest, DatumGetInt64(nulls[3] ? values[4] : values[3]));
	for (int k = 0; k < run->roles.ntargets; k++)
	{
		values[2] = CStringGetTextDatum(run->roles.target[k]);
		for (uint32 h = 0; h < refresh->horizon; h++)
		{
			size_t		at = (size_t) h * run->roles.ntargets + k;

			if (isnan(point[at]))
				continue;		/* the members of a joint model do not reach so far */
			values[5] = model_run_time(run, s, origin + 1 + h, &nulls[5]);
			values[6] = model_run_index(run, s, origin + 1 + h, &nulls[6]);
			values[7] = Int32GetDatum((int32) h + 1);
			values[8] = Float8GetDatum(point[at]);
			result_float(low[at], &values[9], &nulls[9]);
			result_float(high[at], &values[10], &nulls[10]);
			rows_put(&refresh->fresh, values, nulls);
		}
	}
}

/* What came of series s after the oldest origin that is stored. */
static void
arrived_put_series(Refresh *refresh, const ModelRun *run, uint32 s, int64 oldest)
{
	const NnSeries *series = &run->data->series;
	const char *name = model_run_series(run, s);
	Datum		values[lengthof(arrived_columns)];
	bool		nulls[lengthof(arrived_columns)] = {name == NULL};
	int64		later = PG_INT64_MAX;	/* time of the row after */

	values[0] = name ? CStringGetTextDatum(name) : (Datum) 0;
	for (int64 row = (int64) series->history[s] - 1; row >= 0; row--)
	{
		const double *value = series->value + ((size_t) series->first[s] + (size_t) row) * series->C;
		int64		time;

		values[2] = model_run_time(run, s, row, &nulls[2]);
		values[3] = model_run_index(run, s, row, &nulls[3]);
		time = DatumGetInt64(nulls[2] ? values[3] : values[2]);
		if (time <= oldest)
			break;
		if (time == later)
			continue;			/* wall clocks: an hour that did not exist is the next one */
		later = time;
		for (int k = 0; k < run->roles.ntargets; k++)
		{
			values[1] = CStringGetTextDatum(run->roles.target[k]);
			result_float(value[k], &values[4], &nulls[4]);
			rows_put(&refresh->arrived, values, nulls);
			pfree(DatumGetPointer(values[1]));
		}
	}
}

/* ------------------------------------------------------------------------
 * Statements
 */

/* The statement with those columns of time that the model has. */
static char *
store_statement(const Refresh *refresh, const char *text)
{
	static const char *const words[][3] = {
		{"@issued", "issued_at", "issued_index"},
		{"@at", "forecast_timestamp", "forecast_index"},
		{"@none", "'-infinity'", "0"}
	};
	StringInfoData statement;

	initStringInfo(&statement);
	while (*text)
	{
		size_t		w = 0;

		while (w < lengthof(words) && strncmp(text, words[w][0], strlen(words[w][0])) != 0)
			w++;
		if (w < lengthof(words))
			appendStringInfoString(&statement, words[w][refresh->integer ? 2 : 1]);
		else
			appendStringInfoChar(&statement, *text);
		text += w < lengthof(words) ? strlen(words[w][0]) : 1;
	}
	return statement.data;
}

/*
 * One statement; returns the number of its rows.  Its parameters: $1 model, $2 version,
 * $3 confidence level, $4 and $5 thresholds, $6 oldest origin that is kept.  @issued and
 * @at stand for the columns of time that the model has, @none for what the key takes their
 * NULL for.
 */
static uint64
store_run(const Refresh *refresh, const char *text)
{
	Oid			types[] = {TEXTOID, INT4OID, FLOAT8OID, FLOAT8OID, FLOAT8OID, TIMESTAMPTZOID};
	Datum		values[] = {
		CStringGetTextDatum(refresh->model), Int32GetDatum(refresh->version),
		Float8GetDatum(refresh->level), Float8GetDatum(refresh->above),
		Float8GetDatum(refresh->below), TimestampTzGetDatum(refresh->cutoff)
	};
	char		nulls[] = {
		' ', ' ', ' ', isnan(refresh->above) ? 'n' : ' ', isnan(refresh->below) ? 'n' : ' ',
		refresh->prunes ? ' ' : 'n'
	};
	char	   *statement = store_statement(refresh, text);
	int			code = SPI_execute_with_args(statement, lengthof(types), types, values,
											 nulls, false, 0);

	if (code < 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("statement on lstm.forecasts failed: %s", SPI_result_code_string(code)),
				 errhint("Check that extension \"lstm\" is installed completely.")));
	return SPI_processed;
}

/* The first column of the only row; PG_INT64_MIN when it is NULL. */
static int64
store_answer(void)
{
	bool		isnull;
	Datum		value = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);

	return isnull ? PG_INT64_MIN : DatumGetInt64(value);
}

/*
 * "min" or "max" of the stored origins, those included that the caller does not see;
 * PG_INT64_MIN: there are none.
 */
static int64
store_issued(const Refresh *refresh, const char *which)
{
	RegistryRole before = registry_role_begin("forecasts");

	store_run(refresh, psprintf("SELECT %s(@issued) FROM lstm.forecasts WHERE model = $1", which));
	registry_write_end(before);
	return store_answer();
}

/* ------------------------------------------------------------------------
 * Rights and locks
 */

/* False: another session refreshes the model. */
static bool
refresh_lock(const char *model)
{
	uint32		hash = hash_bytes((const unsigned char *) model, (int) strlen(model));

	return DatumGetBool(DirectFunctionCall2(pg_try_advisory_xact_lock_int4,
											Int32GetDatum(REFRESH_LOCK_CLASS),
											Int32GetDatum((int32) hash)));
}

/*
 * From here to the end of the transaction nobody drops or renames the model; whether
 * somebody did since the forecasts began is asked now.
 */
static void
store_require_model(const Refresh *refresh)
{
	registry_lock(refresh->model);
	(void) grants_require(refresh->model, MODEL_RETRAIN);
	if (store_run(refresh, "SELECT FROM lstm.models WHERE name = $1 AND version = $2") == 0)
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_OBJECT),
				 errmsg("version %d of model \"%s\" was dropped meanwhile", refresh->version,
						refresh->model),
				 errhint("Run lstm.refresh_forecasts again.")));
}

/* ------------------------------------------------------------------------
 * What is written
 */

static void
cutoff_find(Refresh *refresh)
{
	int64		newest;

	if (refresh->keep == NULL)
		return;
	newest = Max(refresh->newest, store_issued(refresh, "max"));
	if (newest == PG_INT64_MIN)
		return;
	refresh->prunes = true;
	refresh->cutoff = DatumGetTimestampTz(
		DirectFunctionCall2(timestamptz_mi_interval, TimestampTzGetDatum(newest),
							IntervalPGetDatum(refresh->keep)));
}

/*
 * Notifications of fresh forecasts that pass a threshold; called before those are
 * stored.  500 characters of a series leave the payload below the server's 8,000 bytes
 * even where each is written as \uxxxx.
 */
static void
thresholds_tell(Refresh *refresh)
{
	if (isnan(refresh->above) && isnan(refresh->below))
		return;
	refresh->notified = store_run(refresh,
		"SELECT DISTINCT ON (f.target, coalesce(f.series, '')) json_build_object('model', $1,"
		" 'series', left(f.series, 500), 'target', f.target, 'step', f.step, '@at', f.@at,"
		" 'value', f.value, 'threshold', CASE WHEN f.value > $4 THEN $4 ELSE $5 END,"
		" 'lower', f.lower, 'upper', f.upper)::text"
		" FROM fresh f WHERE (f.value > $4 OR f.value < $5) AND ($6 IS NULL OR f.issued_at >= $6)"
		" AND NOT EXISTS (SELECT FROM lstm.forecasts o WHERE o.model = $1 AND o.target = f.target"
		" AND coalesce(o.series, '') = coalesce(f.series, '') AND o.@issued = f.@issued"
		" AND (o.value > $4 OR o.value < $5))"
		" ORDER BY f.target, coalesce(f.series, ''), f.step");
	for (uint64 i = 0; i < refresh->notified; i++)
		Async_Notify(refresh->channel,
					 SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1));
}

/* What one version said from one origin stays, unless another interval is asked for. */
static void
fresh_write(Refresh *refresh)
{
	refresh->written = store_run(refresh,
		"INSERT INTO lstm.forecasts AS s (model, version, series, series_key, target, issued_at,"
		" issued_index, forecast_timestamp, forecast_index, step, value, lower, upper,"
		" confidence_level)"
		" SELECT $1, $2, f.series, f.series_key, f.target, f.issued_at, f.issued_index,"
		" f.forecast_timestamp, f.forecast_index, f.step, f.value, f.lower, f.upper, $3"
		" FROM fresh f WHERE $6 IS NULL OR f.issued_at >= $6"
		" ON CONFLICT (model, target, (coalesce(series, '')),"
		" (coalesce(forecast_timestamp, '-infinity')), (coalesce(forecast_index, 0)),"
		" (coalesce(issued_at, '-infinity')), (coalesce(issued_index, 0)), step, version)"
		" DO UPDATE SET value = excluded.value, lower = excluded.lower, upper = excluded.upper,"
		" confidence_level = excluded.confidence_level, written_at = excluded.written_at"
		" WHERE s.confidence_level <> excluded.confidence_level");
}

static void
store_prune(Refresh *refresh)
{
	if (refresh->prunes)
		refresh->pruned = store_run(refresh, "DELETE FROM lstm.forecasts"
									" WHERE model = $1 AND issued_at < $6");
}

static void
arrived_write(Refresh *refresh)
{
	refresh->filled = store_run(refresh,
		"UPDATE lstm.forecasts s SET actual = a.actual FROM arrived a"
		" WHERE s.model = $1 AND s.target = a.target"
		" AND coalesce(s.series, '') = coalesce(a.series, '') AND coalesce(s.@at, @none) = a.@at"
		" AND s.actual IS DISTINCT FROM a.actual");
}

static void
refresh_write(Refresh *refresh)
{
	int			nest_level = registry_begin();
	RegistryRole before;

	store_require_model(refresh);
	rows_show(&refresh->fresh);
	rows_show(&refresh->arrived);
	before = registry_role_begin("forecasts");
	cutoff_find(refresh);
	thresholds_tell(refresh);
	fresh_write(refresh);
	store_prune(refresh);
	arrived_write(refresh);
	registry_write_end(before);
	registry_end(nest_level);
}

/* ------------------------------------------------------------------------
 * The procedure
 */

/* A threshold, NaN: none. */
static double
argument_threshold(FunctionCallInfo fcinfo, int i, const char *name)
{
	double		value;

	if (PG_ARGISNULL(i))
		return NAN;
	value = PG_GETARG_FLOAT8(i);
	if (!isfinite(value))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"%s\" is %g, but must be a number", name, value),
				 errhint("Leave it out for no notification.")));
	return value;
}

static void
arguments_notify(FunctionCallInfo fcinfo, Refresh *refresh)
{
	refresh->above = argument_threshold(fcinfo, ARG_ABOVE, "notify_above");
	refresh->below = argument_threshold(fcinfo, ARG_BELOW, "notify_below");
	if (refresh->below > refresh->above)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"notify_below\" is %g, above \"notify_above\", which is %g",
						refresh->below, refresh->above),
				 errhint("Every forecast would pass one of them.")));
	refresh->channel = argument_text_required(fcinfo, ARG_CHANNEL, "channel");
	if (refresh->channel[0] == '\0' || strlen(refresh->channel) >= NAMEDATALEN)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"channel\" has %zu bytes, outside of its range",
						strlen(refresh->channel)),
				 errhint("Give a name of 1 to %d bytes, as LISTEN takes it.", NAMEDATALEN - 1)));
}

static void
arguments_keep(FunctionCallInfo fcinfo, Refresh *refresh)
{
	Interval	none = {0};

	if (PG_ARGISNULL(ARG_KEEP))
		return;
	refresh->keep = PG_GETARG_INTERVAL_P(ARG_KEEP);
	if (DatumGetBool(DirectFunctionCall2(interval_lt, IntervalPGetDatum(refresh->keep),
										 IntervalPGetDatum(&none))))
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"keep\" is below zero"),
				 errhint("Give how long forecasts are kept, such as '90 days'.")));
}

/* What came after the oldest stored origin; the caller sees the rows of a model he may refresh. */
static void
arrived_collect(Refresh *refresh, const ModelRun *run)
{
	int			nest_level = registry_begin();
	int64		oldest = store_issued(refresh, "min");

	registry_end(nest_level);
	if (oldest == PG_INT64_MIN)
		return;
	for (uint32 s = 0; s < run->data->series.nseries; s++)
		arrived_put_series(refresh, run, s, oldest);
}

static void
refresh_run(Refresh *refresh, const char *source, const char *future)
{
	JointModel *joint;
	ModelRun   *run;

	refresh->version = registry_find(refresh->model, 0)->version;
	registry_check_action(refresh->model, MODEL_RETRAIN);
	run = joint_or_model_open(refresh->model, refresh->version, source, future, NULL,
							  &refresh->horizon, &joint);
	refresh->integer = run->data->kind == NN_TIME_INTEGER;
	if (refresh->integer && refresh->keep != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("argument \"keep\" is an interval, but the time column of model \"%s\" is an integer",
						refresh->model),
				 errhint("Leave it out, and delete rows by lstm.forecasts.issued_index.")));
	refresh->fresh = rows_create("fresh", fresh_columns, lengthof(fresh_columns));
	refresh->arrived = rows_create("arrived", arrived_columns, lengthof(arrived_columns));
	forecast_newest(run, joint, refresh->horizon, &refresh->level, 1, fresh_put, refresh);
	arrived_collect(refresh, run);
	refresh_write(refresh);
	tuplestore_end(refresh->fresh.rows);
	tuplestore_end(refresh->arrived.rows);
}

Datum
lstm_refresh_forecasts(PG_FUNCTION_ARGS)
{
	CallMemory	memory = call_memory_begin();
	Refresh		refresh = {.newest = PG_INT64_MIN};

	PreventCommandIfReadOnly("CALL lstm.refresh_forecasts()");
	refresh.model = argument_text_required(fcinfo, ARG_MODEL, "model");
	refresh.horizon = argument_steps(fcinfo, ARG_HORIZON, "horizon", 0);
	refresh.level = argument_level(fcinfo, ARG_LEVEL);
	arguments_keep(fcinfo, &refresh);
	arguments_notify(fcinfo, &refresh);
	if (refresh_lock(refresh.model))
	{
		/* Rows that were committed before we had the lock are seen. */
		PushActiveSnapshot(GetTransactionSnapshot());
		refresh_run(&refresh, argument_text(fcinfo, ARG_SOURCE), argument_text(fcinfo, ARG_FUTURE));
		PopActiveSnapshot();
		ereport(NOTICE,
				(errmsg("model \"%s\", version %d: forecasts written " UINT64_FORMAT ", actual values filled "
						"in " UINT64_FORMAT ", forecasts pruned " UINT64_FORMAT, refresh.model,
						refresh.version, refresh.written, refresh.filled, refresh.pruned),
				 refresh.notified == 0 ? 0 :
				 errdetail_plural(UINT64_FORMAT " notification on channel \"%s\".",
								  UINT64_FORMAT " notifications on channel \"%s\".",
								  (unsigned long) refresh.notified, refresh.notified,
								  refresh.channel)));
	}
	else
		ereport(NOTICE,
				(errmsg("forecasts of model \"%s\" are being refreshed by another session: nothing to do",
						refresh.model)));
	call_memory_end(memory);
	return (Datum) 0;
}
