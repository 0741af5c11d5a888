/*
 * join_models.c
 *		lstm.join_models: fits the weights of models that were trained apart.
 *
 * Judged on hindcasts at times that none of the members was trained on: rows that chose a
 * member's weights, or stopped its training, would flatter it, so without others there is
 * no joint model.  One set of weights for all series, targets and steps; each error is
 * divided by the mean absolute deviation of its series' and target's judged values, so that
 * large series do not decide alone.
 *
 * Intervals come from the same rows as the weights: at least ten for each number fitted.
 * Costs the members' forecasts from every stride-th origin after their training.
 */
#include "postgres.h"

#include <math.h>

#include "fmgr.h"
#include "funcapi.h"
#include "miscadmin.h"
#include "portability/instr_time.h"
#include "utils/array.h"
#include "utils/builtins.h"
#include "utils/jsonb.h"
#include "utils/timestamp.h"

#include "catalog/pg_type.h"
#include "core/nn_json.h"
#include "pg/env.h"
#include "pg/joint_model.h"
#include "pg/training.h"

PG_FUNCTION_INFO_V1(lstm_join_models);

enum
{
	ARG_MODEL, ARG_SEQUENCE, ARG_SPACE, ARG_OTHERS, ARG_SOURCE, ARG_OPTIONS
};

#define RESULT_COLUMNS 8

/* Judged values without which there is no joint model, and those for each member. */
#define LEAST_VALUES		20
#define VALUES_PER_MEMBER	10

typedef struct JoinOptions
{
	bool		deploy;
	uint32		stride, horizon;	/* horizon 0: the shortest of the members' */
	const NnJson *from, *to;	/* times judged, NULL: no limit */
} JoinOptions;

typedef struct Joining
{
	JointModel *joint;
	JoinOptions options;
	JointOrigins *origins;
	size_t		values;			/* of an origin: horizon * ntargets */
	double	   *actual;			/* [n][values], NaN: not judged */
	size_t		judged;
} Joining;

/* ------------------------------------------------------------------------
 * Arguments
 */

static void
option_refuse(const NnEnv *env, const char *key, const char *hint)
{
	nn_fail(env, NN_BAD_VALUE, nn_format(env, "option \"%s\" has a value out of its range", key), hint);
}

static uint32
option_steps(const NnEnv *env, const NnJson *value)
{
	if (value->type != NN_JSON_NUMBER || value->number < 1 || value->number > NN_MAX_STEPS ||
		value->number != floor(value->number))
		option_refuse(env, value->key, nn_format(env, "Give a whole number between 1 and %d.", NN_MAX_STEPS));
	return (uint32) value->number;
}

static JoinOptions
options_read(const NnEnv *env, FunctionCallInfo fcinfo)
{
	static const char *const keys[] = {"deploy", "stride", "horizon", "from", "to"};
	JoinOptions options = {.deploy = true, .stride = 1};
	NnJson	   *tree;

	if (PG_ARGISNULL(ARG_OPTIONS))
		return options;
	tree = training_options_parse(env, PG_GETARG_DATUM(ARG_OPTIONS));
	if (tree->type != NN_JSON_OBJECT)
		nn_fail(env, NN_BAD_TYPE, "options are no JSON object", "Write {\"key\": value, ...}.");
	for (const NnJson *e = tree->child; e != NULL; e = e->next)
	{
		if (strcmp(e->key, "deploy") == 0)
		{
			if (e->type != NN_JSON_TRUE && e->type != NN_JSON_FALSE)
				option_refuse(env, e->key, "Give true or false.");
			options.deploy = e->type == NN_JSON_TRUE;
		}
		else if (strcmp(e->key, "stride") == 0)
			options.stride = option_steps(env, e);
		else if (strcmp(e->key, "horizon") == 0)
			options.horizon = option_steps(env, e);
		else if (strcmp(e->key, "from") == 0 || strcmp(e->key, "to") == 0)
		{
			if (e->type != NN_JSON_STRING && e->type != NN_JSON_NUMBER)
				option_refuse(env, e->key, "Give a time as text, or a number where times are integers.");
			*(e->key[0] == 'f' ? &options.from : &options.to) = e;
		}
		else
		{
			const char *nearest = nn_nearest(e->key, keys, lengthof(keys));

			nn_fail(env, NN_BAD_KEY, nn_format(env, "unknown option \"%s\"", e->key),
					nearest ? nn_format(env, "Did you mean \"%s\"?", nearest) :
					"Options are deploy, stride, horizon, from, to.");
		}
	}
	return options;
}

/* An option's time, an instant or the integer; otherwise for none. */
static int64
option_time(const JointModel *joint, const NnJson *value, int64 otherwise)
{
	const char *text;

	if (value == NULL)
		return otherwise;
	text = value->type == NN_JSON_STRING ? value->string : psprintf("%.17g", value->number);
	if (joint->member[0].run->data->kind == NN_TIME_INTEGER)
		return DatumGetInt64(DirectFunctionCall1(int8in, CStringGetDatum(text)));
	return DatumGetTimestampTz(DirectFunctionCall3(timestamptz_in, CStringGetDatum(text),
												   ObjectIdGetDatum(InvalidOid), Int32GetDatum(-1)));
}

static void
member_add(JointModel *joint, char *name)
{
	if (strcmp(name, joint->name) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("joint model \"%s\" cannot be a member of itself", name),
				 errhint("Give the joint model a name of its own.")));
	for (uint32 m = 0; m < joint->nmembers; m++)
		if (strcmp(joint->member[m].name, name) == 0)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("model \"%s\" is named twice", name),
					 errhint("A model joined with itself is that model; name different ones.")));
	if (joint->nmembers == NN_BLEND_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
				 errmsg("joint model \"%s\" has more than %d members", joint->name, NN_BLEND_MAX),
				 errhint("Join at most %d models.", NN_BLEND_MAX)));
	joint->member[joint->nmembers++].name = name;
}

static void
members_get(FunctionCallInfo fcinfo, JointModel *joint)
{
	Datum	   *others;
	bool	   *nulls;
	int			n;

	member_add(joint, argument_text_required(fcinfo, ARG_SEQUENCE, "seq_model"));
	member_add(joint, argument_text_required(fcinfo, ARG_SPACE, "space_model"));
	if (PG_ARGISNULL(ARG_OTHERS))
		return;
	deconstruct_array(PG_GETARG_ARRAYTYPE_P(ARG_OTHERS), TEXTOID, -1, false, TYPALIGN_INT, &others,
					  &nulls, &n);
	for (int i = 0; i < n; i++)
	{
		if (nulls[i])
			ereport(ERROR,
					(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
					 errmsg("an element of argument \"others\" is null"),
					 errhint("Name models.")));
		member_add(joint, TextDatumGetCString(others[i]));
	}
}

/* ------------------------------------------------------------------------
 * Fitting
 */

/* Actual values at times that nobody was trained on and everybody forecast. */
static void
values_judge(Joining *join)
{
	const JointModel *joint = join->joint;
	const ModelRun *run = joint->member[0].run;
	const JointOrigins *o = join->origins;
	uint32		G = joint->ntargets;
	int64		from = option_time(joint, join->options.from, PG_INT64_MIN),
				to = option_time(joint, join->options.to, PG_INT64_MAX);

	join->actual = NN_NEW_ARRAY(joint->env, double, nn_size_mul(joint->env, join->values, o->n));
	for (uint32 i = 0; i < o->n; i++)
	{
		const NnWindow *window = &o->window[i];
		int64		row = (int64) window->origin + 1 - run->data->series.first[window->series];

		CHECK_FOR_INTERRUPTS();
		for (uint32 h = 0; h < joint->horizon; h++)
		{
			int64		time = run->data->kind == NN_TIME_INTEGER ?
				source_time(run->data, window->series, row + h) :
				source_instant(run->data, window->series, row + h);
			bool		known = o->members[i] == joint->nmembers && h >= o->fresh[i] &&
				time >= from && time <= to;

			for (uint32 k = 0; k < G; k++)
			{
				double	   *actual = &join->actual[i * join->values + (size_t) h * G + k];

				*actual = known ? origin_actual(run, window, h, k) : NAN;
				join->judged += !isnan(*actual);
			}
		}
	}
}

static void
judged_require(const Joining *join)
{
	const JointModel *joint = join->joint;
	size_t		least = Max(LEAST_VALUES, VALUES_PER_MEMBER * joint->nmembers);
	uint32		shared = 0;

	for (uint32 i = 0; i < join->origins->n; i++)
		shared += join->origins->members[i] == joint->nmembers;
	if (join->origins->n > 0 && shared == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DATA_EXCEPTION),
				 errmsg("the members of joint model \"%s\" have no series and time in common", joint->name),
				 errdetail("Model \"%s\" forecasts %u times what it was not trained on, but not all others "
						   "have rows of the same series and times.", joint->member[0].name,
						   join->origins->n),
				 errhint("Their sources must give the same names to series, and overlap in time.")));
	if (join->judged >= least)
		return;
	ereport(ERROR,
			(errcode(ERRCODE_DATA_EXCEPTION),
			 errmsg("joint model \"%s\" needs " UINT64_FORMAT " known values to be fitted, and there are "
					UINT64_FORMAT, joint->name, (uint64) least, (uint64) join->judged),
			 errdetail("Only values at times that no member was trained on count."),
			 errhint("Train the members on earlier rows, as in \"SELECT ... WHERE time < ...\", and pass all "
					 "rows as argument \"source\".")));
}

/* Mean absolute deviation of the judged values of each series and target. [nseries][ntargets] */
static double *
scales_find(const Joining *join)
{
	const JointModel *joint = join->joint;
	uint32		G = joint->ntargets;
	size_t		cells = (size_t) joint->member[0].run->data->series.nseries * G;
	double	   *mean = NN_NEW_ARRAY(joint->env, double, cells),
			   *count = NN_NEW_ARRAY(joint->env, double, cells),
			   *scale = NN_NEW_ARRAY(joint->env, double, cells);

	for (int pass = 0; pass < 2; pass++)
	{
		for (size_t v = 0; v < join->origins->n * join->values; v++)
		{
			size_t		cell = (size_t) join->origins->window[v / join->values].series * G + v % G;

			if (isnan(join->actual[v]))
				continue;
			if (pass == 0)
			{
				count[cell] += 1;
				mean[cell] += (join->actual[v] - mean[cell]) / count[cell];
			}
			else
				scale[cell] += fabs(join->actual[v] - mean[cell]) / count[cell];
		}
	}
	for (size_t cell = 0; cell < cells; cell++)
		if (!(scale[cell] > 0 && isfinite(scale[cell])))
			scale[cell] = 1;
	return scale;
}

static void
weights_fit(Joining *join)
{
	JointModel *joint = join->joint;
	const NnEnv *env = joint->env;
	uint32		M = joint->nmembers,
				G = joint->ntargets;
	size_t		n = 0;
	double	   *forecast = NN_NEW_ARRAY(env, double, nn_size_mul(env, join->judged, M)),
			   *actual = NN_NEW_ARRAY(env, double, join->judged),
			   *scale = NN_NEW_ARRAY(env, double, join->judged),
			   *scales = scales_find(join),
				weight[NN_BLEND_MAX];
	bool		differ = false;

	for (size_t v = 0; v < join->origins->n * join->values; v++)
	{
		if (isnan(join->actual[v]))
			continue;
		for (uint32 m = 0; m < M; m++)
			forecast[m * join->judged + n] = join->origins->value[m][v];
		differ = differ || join->origins->value[0][v] != join->origins->value[1][v];
		scale[n] = scales[(size_t) join->origins->window[v / join->values].series * G + v % G];
		actual[n++] = join->actual[v];
	}
	nn_blend_fit(env, M, n, forecast, actual, scale, weight);
	for (uint32 m = 0; m < M; m++)
		joint->member[m].weight = weight[m];
	if (!differ)
		ereport(NOTICE,
				(errmsg("models \"%s\" and \"%s\" forecast the same", joint->member[0].name,
						joint->member[1].name),
				 errdetail("Nothing tells them apart: b is 0.5.")));
}

/* Joint forecast of value v of all origins. */
static double
value_blend(const Joining *join, size_t v)
{
	double		weight[NN_BLEND_MAX],
				one[NN_BLEND_MAX];

	for (uint32 m = 0; m < join->joint->nmembers; m++)
	{
		weight[m] = join->joint->member[m].weight;
		one[m] = join->origins->value[m][v];
	}
	return nn_blend_value(join->joint->nmembers, weight, one);
}

/* Errors of all, and the widths of the joint model's. */
static void
errors_find(Joining *join)
{
	JointModel *joint = join->joint;
	const ModelRun *run = joint->member[0].run;
	uint32		n = join->origins->n;
	NnErrors	errors = {.n = n, .steps = joint->horizon, .ntargets = joint->ntargets};
	size_t		units = (size_t) joint->ntargets * NN_MEASURES;

	errors.error = NN_NEW_ARRAY(joint->env, double, n * join->values);
	errors.unit = NN_NEW_ARRAY(joint->env, double, nn_size_mul(joint->env, n, units));
	for (uint32 i = 0; i < n; i++)
		nn_window_units(run->prepared, &join->origins->window[i], errors.unit + i * units);
	for (size_t v = 0; v < n * join->values; v++)
	{
		errors.error[v] = NAN;
		if (isnan(join->actual[v]))
			continue;
		errors.error[v] = join->actual[v] - value_blend(join, v);
		joint->mae += fabs(errors.error[v]) / (double) join->judged;
		for (uint32 m = 0; m < joint->nmembers; m++)
			joint->member[m].mae += fabs(join->actual[v] - join->origins->value[m][v]) /
				(double) join->judged;
	}
	joint->rows = join->judged;
	joint->skill = 1 - joint->mae / Min(joint->member[0].mae, joint->member[1].mae);
	nn_interval_fit(joint->env, &errors, &joint->interval);
}

/* ------------------------------------------------------------------------
 * Keeping and returning it
 */

static int
name_compare(const void *a, const void *b)
{
	return strcmp(*(const char *const *) a, *(const char *const *) b);
}

/*
 * Nobody drops or renames a member from here on.  In the order of names, so that two
 * calls that join the same models do not wait for each other.
 */
static void
members_lock(const JointModel *joint)
{
	const char *names[NN_BLEND_MAX + 1] = {joint->name};
	int			nest_level = registry_begin();

	for (uint32 m = 0; m < joint->nmembers; m++)
		names[m + 1] = joint->member[m].name;
	qsort(names, joint->nmembers + 1, sizeof(char *), name_compare);
	for (uint32 m = 0; m <= joint->nmembers; m++)
		registry_lock(names[m]);
	for (uint32 m = 0; m < joint->nmembers; m++)
		registry_require_version(registry_versions(joint->member[m].name, false),
								 joint->member[m].version);
	registry_end(nest_level);
}

/* {"model": number, ...} */
static char *
numbers_text(const JointModel *joint, bool weights)
{
	NnText		text;

	nn_text_init(&text, joint->env);
	nn_json_begin(&text, '{');
	for (uint32 m = 0; m < joint->nmembers; m++)
	{
		nn_json_key(&text, joint->member[m].name);
		nn_json_number(&text, weights ? joint->member[m].weight : joint->member[m].mae);
	}
	nn_json_end(&text, '}');
	return text.data;
}

static int
joint_store(const Joining *join, const char *source)
{
	const JointModel *joint = join->joint;
	RegistryEntry entry = {.name = joint->name, .source = source, .deploy = join->options.deploy,
	.rows = joint->rows, .joint = joint_write(joint)};
	NnText		metrics;

	nn_text_init(&metrics, joint->env);
	nn_json_begin(&metrics, '{');
	nn_json_key(&metrics, "mae");
	nn_json_number(&metrics, joint->mae);
	nn_json_key(&metrics, "skill");
	nn_json_number(&metrics, joint->skill);
	nn_json_end(&metrics, '}');
	entry.metrics = metrics.data;
	entry.search_path = source != NULL ? search_path_current() : NULL;
	members_lock(joint);
	return registry_insert(&entry);
}

static Datum
result_row(FunctionCallInfo fcinfo, const JointModel *joint, int version)
{
	TupleDesc	desc;
	Datum		values[RESULT_COLUMNS];
	bool		nulls[RESULT_COLUMNS] = {false};

	if (get_call_result_type(fcinfo, NULL, &desc) != TYPEFUNC_COMPOSITE)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("lstm.join_models called in a context that cannot take a row")));
	values[0] = CStringGetTextDatum(joint->name);
	values[1] = Int32GetDatum(version);
	values[2] = Float8GetDatum(joint->member[0].weight);
	values[3] = DirectFunctionCall1(jsonb_in, CStringGetDatum(numbers_text(joint, true)));
	values[4] = Float8GetDatum(joint->mae);
	values[5] = DirectFunctionCall1(jsonb_in, CStringGetDatum(numbers_text(joint, false)));
	result_float(joint->skill, &values[6], &nulls[6]);
	values[7] = Int64GetDatum((int64) joint->rows);
	return HeapTupleGetDatum(heap_form_tuple(BlessTupleDesc(desc), values, nulls));
}

Datum
lstm_join_models(PG_FUNCTION_ARGS)
{
	CallMemory	memory = call_memory_begin();
	JointModel	joint = {.env = env_create(memory.own)};
	Joining		join = {.joint = &joint};
	char	   *source = argument_text(fcinfo, ARG_SOURCE);
	int			version;
	Datum		result;

	PreventCommandIfReadOnly("lstm.join_models()");
	joint.name = argument_text_required(fcinfo, ARG_MODEL, "model");
	registry_check_name(joint.name);
	members_get(fcinfo, &joint);
	join.options = options_read(joint.env, fcinfo);
	joint.horizon = join.options.horizon;
	joint_members_open(&joint, NULL, source, NULL, NULL, joint.horizon);
	join.values = nn_size_mul(joint.env, joint.horizon, joint.ntargets);
	join.origins = joint_collect(&joint, join.options.stride, joint.horizon, true);
	values_judge(&join);
	judged_require(&join);
	weights_fit(&join);
	errors_find(&join);
	version = joint_store(&join, source);
	MemoryContextSwitchTo(memory.caller);
	result = result_row(fcinfo, &joint, version);
	call_memory_end(memory);
	return result;
}
