/*
 * joint_model.c
 *		Joint models: what is stored of one, and opening its members.
 *
 * References, not copies: a joint model follows its members' names (the trigger
 * lstm.models_cascade) and keeps their versions; whoever may use both may use it.  The text
 * comes from a table that users insert into, so every number of it is looked at.
 *
 * Costs what opening the members costs: each reads its rows.
 */
#include "postgres.h"

#include <math.h>

#include "utils/elog.h"

#include "core/nn_json.h"
#include "pg/env.h"
#include "pg/joint_model.h"

/* ------------------------------------------------------------------------
 * As text
 */

/* Six digits are more than widths are known to; order is kept. */
static double
digits_cut(double value)
{
	return strtod(psprintf("%.6g", value), NULL);
}

static void
number_member(NnText *text, const char *key, double number)
{
	nn_json_key(text, key);
	nn_json_number(text, number);
}

static void
members_write(NnText *text, const JointModel *joint)
{
	static const char *const roles[] = {"sequence", "space", "other"};

	nn_json_key(text, "members");
	nn_json_begin(text, '[');
	for (uint32 m = 0; m < joint->nmembers; m++)
	{
		const JointMember *member = &joint->member[m];

		nn_json_begin(text, '{');
		nn_json_key(text, "model");
		nn_json_string(text, member->name);
		nn_json_key(text, "version");
		nn_json_integer(text, member->version);
		nn_json_key(text, "role");
		nn_json_string(text, roles[Min(m, 2)]);
		number_member(text, "weight", member->weight);
		number_member(text, "mae", member->mae);
		nn_json_end(text, '}');
	}
	nn_json_end(text, ']');
}

static void
interval_write(NnText *text, const JointModel *joint, bool widths)
{
	const NnInterval *interval = &joint->interval;
	size_t		n = (size_t) interval->steps * joint->ntargets * NN_INTERVAL_POINTS;

	nn_json_key(text, "interval");
	nn_json_begin(text, '{');
	nn_json_key(text, "steps");
	nn_json_integer(text, interval->steps);
	nn_json_key(text, "measure");
	nn_json_string(text, nn_measure_name(interval->unit));
	if (widths)
	{
		nn_json_key(text, "width");
		nn_json_begin(text, '[');
		for (size_t i = 0; i < n; i++)
			nn_json_number(text, digits_cut(interval->width[i]));
		nn_json_end(text, ']');
	}
	nn_json_end(text, '}');
}

static char *
joint_text(const JointModel *joint, bool widths)
{
	NnText		text;

	nn_text_init(&text, joint->env);
	nn_json_begin(&text, '{');
	if (!widths)
	{
		nn_json_key(&text, "kind");
		nn_json_string(&text, "joint");
	}
	number_member(&text, "b", joint->member[0].weight);
	members_write(&text, joint);
	nn_json_key(&text, "horizon");
	nn_json_integer(&text, joint->horizon);
	nn_json_key(&text, "targets");
	nn_json_integer(&text, joint->ntargets);
	number_member(&text, "mae", joint->mae);
	number_member(&text, "skill", joint->skill);
	nn_json_key(&text, "rows");
	nn_json_integer(&text, (int64) joint->rows);
	interval_write(&text, joint, widths);
	nn_json_end(&text, '}');
	return text.data;
}

char *
joint_write(const JointModel *joint)
{
	return joint_text(joint, true);
}

char *
joint_describe(NnEnv *env, const RegistryRow *row)
{
	return joint_text(joint_read(env, row), false);
}

/* ------------------------------------------------------------------------
 * From text
 */

static void
text_require(const RegistryRow *row, bool holds, const char *what)
{
	if (!holds)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("version %d of model \"%s\" is no valid joint model: %s", row->version, row->name,
						what),
				 errhint("Drop the version, and join the models again.")));
}

static const NnJson *
member_get(const RegistryRow *row, const NnJson *object, const char *key, NnJsonType type)
{
	const NnJson *value = object->type == NN_JSON_OBJECT ? nn_json_member(object, key) : NULL;

	text_require(row, value != NULL && value->type == type,
				 psprintf("\"%s\" is missing or of another type", key));
	return value;
}

static uint32
whole_get(const RegistryRow *row, const NnJson *object, const char *key, double max)
{
	double		number = member_get(row, object, key, NN_JSON_NUMBER)->number;

	text_require(row, number >= 0 && number <= max && number == floor(number),
				 psprintf("\"%s\" is out of range", key));
	return (uint32) number;
}

/* NaN for null. */
static double
number_get(const RegistryRow *row, const NnJson *object, const char *key)
{
	const NnJson *value = nn_json_member(object, key);

	if (value != NULL && value->type == NN_JSON_NULL)
		return NAN;
	return member_get(row, object, key, NN_JSON_NUMBER)->number;
}

static void
members_read(JointModel *joint, const RegistryRow *row, const NnJson *tree)
{
	const NnJson *members = member_get(row, tree, "members", NN_JSON_ARRAY);

	text_require(row, members->count >= NN_BLEND_MIN && members->count <= NN_BLEND_MAX,
				 "\"members\" are too few or too many");
	for (const NnJson *e = members->child; e != NULL; e = e->next)
	{
		JointMember *member = &joint->member[joint->nmembers++];

		member->name = nn_strdup(joint->env, member_get(row, e, "model", NN_JSON_STRING)->string);
		member->version = (int) whole_get(row, e, "version", PG_INT32_MAX);
		member->weight = member_get(row, e, "weight", NN_JSON_NUMBER)->number;
		member->mae = number_get(row, e, "mae");
		text_require(row, member->version >= 1, "\"version\" is out of range");
		text_require(row, isfinite(member->weight), "\"weight\" is out of range");
	}
	text_require(row, joint->member[0].weight >= 0 && joint->member[0].weight <= 1 &&
				 fabs(joint->member[0].weight + joint->member[1].weight - 1) < 1e-9,
				 "the weights of the first two members are not b and 1 - b");
}

static void
interval_read(JointModel *joint, const RegistryRow *row, const NnJson *tree)
{
	NnInterval *interval = &joint->interval;
	const NnJson *object = member_get(row, tree, "interval", NN_JSON_OBJECT),
			   *widths = member_get(row, object, "width", NN_JSON_ARRAY);
	int			unit = nn_measure_find(member_get(row, object, "measure", NN_JSON_STRING)->string);
	size_t		i = 0;

	interval->steps = whole_get(row, object, "steps", NN_MAX_STEPS);
	text_require(row, unit >= 0 && unit < NN_MEASURES, "\"measure\" is unknown");
	interval->unit = (NnMeasure) unit;
	text_require(row, widths->count == (uint64) interval->steps * joint->ntargets * NN_INTERVAL_POINTS,
				 "\"width\" has not as many numbers as there are steps");
	interval->width = NN_NEW_ARRAY(joint->env, double, widths->count);
	for (const NnJson *e = widths->child; e != NULL; e = e->next, i++)
	{
		double		before = i % NN_INTERVAL_POINTS > 0 ? interval->width[i - 1] : 0;

		interval->width[i] = e->number;
		text_require(row, e->type == NN_JSON_NUMBER && isfinite(e->number) && e->number >= before,
					 "\"width\" does not ascend");
	}
}

JointModel *
joint_read(NnEnv *env, const RegistryRow *row)
{
	JointModel *joint = NN_NEW(env, JointModel);
	const NnJson *tree = nn_json_parse(env, row->joint, strlen(row->joint), "joint model",
									   NN_BAD_VALUE);

	joint->env = env;
	joint->name = row->name;
	members_read(joint, row, tree);
	joint->horizon = whole_get(row, tree, "horizon", NN_MAX_STEPS);
	joint->ntargets = whole_get(row, tree, "targets", NN_MAX_STEPS);
	text_require(row, joint->horizon >= 1, "\"horizon\" is out of range");
	text_require(row, joint->ntargets >= 1, "\"targets\" is out of range");
	joint->mae = number_get(row, tree, "mae");
	joint->skill = number_get(row, tree, "skill");
	joint->rows = whole_get(row, tree, "rows", PG_UINT32_MAX);
	interval_read(joint, row, tree);
	return joint;
}

/* ------------------------------------------------------------------------
 * Members
 */

typedef struct MemberContext
{
	const JointModel *joint;
	const JointMember *member;
} MemberContext;

static void
member_context(void *arg)
{
	MemberContext *context = arg;

	errcontext("member \"%s\" of joint model \"%s\"", context->member->name, context->joint->name);
}

/* Opens one; lender, future as joint_members_open says. */
static void
member_open(JointModel *joint, JointMember *member, const RegistryRow *lender,
			const char *source, const char *future, const TimestampTz *as_of, uint32 horizon)
{
	MemberContext context = {joint, member};
	ErrorContextCallback callback = {error_context_stack, member_context, &context};
	RegistryRow *row;

	error_context_stack = &callback;
	row = registry_get(member->name, member->version);
	member->version = row->version;
	member->run = model_run_open_row(row, lender != NULL ? lender : row, source,
									 row->model->spec.nfuture > nn_future_made(&row->model->spec) ?
									 future : NULL, as_of, horizon);
	if (horizon > 0)
		nn_forecast_check(member->run->env, &member->run->model->spec, horizon);
	error_context_stack = callback.previous;
}

/* Raises 22023: the member does not go with the first. */
static void
member_refuse(const JointModel *joint, const JointMember *member, const char *what,
			  const char *first, const char *its)
{
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("models \"%s\" and \"%s\" cannot be joined: their %s differs", joint->member[0].name,
					member->name, what),
			 errdetail("It is %s in the one and %s in the other.", first, its),
			 errhint("Train them on rows of one kind; forecasts are joined by series, target and time.")));
}

static void
member_targets(JointModel *joint, JointMember *member)
{
	const SourceRoles *wanted = &joint->member[0].run->roles,
			   *own = &member->run->roles;

	member->target = NN_NEW_ARRAY(joint->env, uint32, joint->ntargets);
	for (int k = 0; k < wanted->ntargets; k++)
	{
		int			at = 0;

		while (at < own->ntargets && strcmp(own->target[at], wanted->target[k]) != 0)
			at++;
		if (at == own->ntargets)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
					 errmsg("model \"%s\" has no target \"%s\", which model \"%s\" has", member->name,
							wanted->target[k], joint->member[0].name),
					 errhint("Give the columns one name, as in SELECT ... AS \"%s\", and train again.",
							 wanted->target[k])));
		member->target[k] = (uint32) at;
	}
}

static void
member_check(JointModel *joint, JointMember *member)
{
	static const char *const kinds[] = {
		[NN_TIME_TIMESTAMPTZ] = "timestamptz", [NN_TIME_TIMESTAMP] = "timestamp",
		[NN_TIME_DATE] = "date", [NN_TIME_INTEGER] = "integer"
	};
	const NnModel *first = joint->member[0].run->model,
			   *own = member->run->model;
	const char *step = nn_frequency_print(joint->env, &first->frequency),
			   *its = nn_frequency_print(joint->env, &own->frequency);

	if (own->time_kind != first->time_kind)
		member_refuse(joint, member, "type of time", kinds[first->time_kind], kinds[own->time_kind]);
	if (strcmp(step, its) != 0)
		member_refuse(joint, member, "frequency", step, its);
	member_targets(joint, member);
}

void
joint_members_open(JointModel *joint, const RegistryRow *lender, const char *source,
				   const char *future, const TimestampTz *as_of, uint32 horizon)
{
	uint32		shortest = NN_MAX_STEPS,
				targets;

	for (uint32 m = 0; m < joint->nmembers; m++)
	{
		JointMember *member = &joint->member[m];

		member_open(joint, member, lender, source, future, as_of, horizon);
		shortest = Min(shortest, member->run->model->spec.forecast_horizon);
	}
	targets = (uint32) joint->member[0].run->roles.ntargets;
	if (joint->ntargets != 0 && joint->ntargets != targets)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_TEXT_REPRESENTATION),
				 errmsg("joint model \"%s\" is of %u targets, but its member \"%s\" has %u", joint->name,
						joint->ntargets, joint->member[0].name, targets),
				 errhint("Join the models again.")));
	joint->ntargets = targets;
	for (uint32 m = 0; m < joint->nmembers; m++)
		member_check(joint, &joint->member[m]);
	if (joint->horizon == 0)
		joint->horizon = shortest;
}

/* A source of future covariates that no member reads is a mistake. */
static void
future_check(const JointModel *joint)
{
	for (uint32 m = 0; m < joint->nmembers; m++)
		if (joint->member[m].run->roles.nfuture > 0)
			return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("no member of joint model \"%s\" has future covariates", joint->name),
			 errhint("Leave the argument \"future\" out.")));
}

typedef ModelRun *(*RunOpener) (RegistryRow *row, const RegistryRow *lender, const char *source,
								const char *future, const TimestampTz *as_of, uint32 horizon);

static ModelRun *
open_with(RunOpener opener, const char *name, int version, const char *source, const char *future,
		  const TimestampTz *as_of, uint32 *horizon, JointModel **joint)
{
	RegistryRow *row = registry_find(name, version);
	ModelRun   *run;

	*joint = NULL;
	if (row->joint == NULL)
	{
		run = opener(row, row, source, future, as_of, *horizon);
		if (*horizon == 0)
			*horizon = run->model->spec.forecast_horizon;
		nn_forecast_check(run->env, &run->model->spec, *horizon);
		return run;
	}
	*joint = joint_read(env_create(CurrentMemoryContext), row);
	if (*horizon == 0)
		*horizon = (*joint)->horizon;
	joint_members_open(*joint, row->source != NULL ? row : NULL, source, future, as_of, *horizon);
	if (future != NULL)
		future_check(*joint);
	return (*joint)->member[0].run;
}

ModelRun *
joint_or_model_open(const char *name, int version, const char *source, const char *future,
					const TimestampTz *as_of, uint32 *horizon, JointModel **joint)
{
	return open_with(model_run_open_row, name, version, source, future, as_of, horizon, joint);
}

ModelRun *
joint_or_model_open_newest(const char *name, int version, const char *source, const char *future,
						   const TimestampTz *as_of, uint32 *horizon, JointModel **joint)
{
	return open_with(model_run_open_newest, name, version, source, future, as_of, horizon, joint);
}
