/*
 * grants.c
 *		lstm.grant_model, lstm.revoke_model, and asking what was granted.
 *
 * Knows lstm.model_grants, and of lstm.models the owner.  PostgreSQL's GRANT
 * knows no rows, and row-level security cannot tell retraining from changing
 * a row, so a grantee sees models by policy and changes them only through our
 * functions: these ask here, then write as the owner of the tables, as a
 * foreign key does.  What they write is made by our code; no text of a grantee
 * gets into a model that others run (registry.c).
 *
 * A member of the owner costs nothing here, anyone else one lookup by key.
 */
#include "postgres.h"

#include "access/htup_details.h"
#include "catalog/pg_authid.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/guc.h"
#include "utils/rel.h"

#include "pg/grants.h"
#include "pg/model_run.h"
#include "pg/registry.h"

PG_FUNCTION_INFO_V1(lstm_grant_model);
PG_FUNCTION_INFO_V1(lstm_revoke_model);
PG_FUNCTION_INFO_V1(lstm_model_grants_guard);

/* No role can have that name. */
#define EVERYBODY "public"

static const char *const action_name[] = {
	[MODEL_USE] = "use", [MODEL_ACTUALS] = "actuals", [MODEL_RETRAIN] = "retrain",
	[MODEL_DROP] = "drop", [MODEL_OWN] = "own"
};

/* ------------------------------------------------------------------------
 * Asking
 */

static bool
grants_member(const char *owner)
{
	Oid			role = get_role_oid(owner, true);

	return OidIsValid(role) && has_privs_of_role(GetUserId(), role);
}

/* Whether a grant is there; read_only as SPI takes it. */
static bool
grants_find(const char *model, const char *owner, ModelAction action, bool read_only)
{
	Oid			types[3] = {TEXTOID, TEXTOID, TEXTOID};
	Datum		values[3] = {CStringGetTextDatum(model), CStringGetTextDatum(owner),
	CStringGetTextDatum(action_name[action])};

	/* The policy shows the owner's members more than what counts for the caller. */
	return registry_run("SELECT FROM lstm.model_grants WHERE model = $1 AND owner = $2::name"
						" AND (action = $3 OR $3 = 'use')"
						" AND (grantee = '" EVERYBODY "' OR"
						" (grantee_oid = to_regrole(quote_ident(grantee::text))::oid"
						" AND pg_has_role(grantee_oid, 'USAGE'))) LIMIT 1",
						3, types, values, NULL, read_only) > 0;
}

bool
grants_allow(const char *model, const char *owner, ModelAction action)
{
	return grants_member(owner) ||
		(action != MODEL_OWN && OidIsValid(get_role_oid(owner, true)) &&
		 grants_find(model, owner, action, false));
}

/*
 * What such a role calls can make it a superuser, and read-only transactions do
 * not hinder it.
 */
static bool
grants_dangerous(void)
{
	Oid			user = GetUserId();

	return has_privs_of_role(user, ROLE_PG_EXECUTE_SERVER_PROGRAM) ||
		has_privs_of_role(user, ROLE_PG_WRITE_SERVER_FILES) ||
		has_privs_of_role(user, ROLE_PG_READ_SERVER_FILES);
}

bool
grants_lend(const char *model, Oid owner)
{
	int			nest_level;
	bool		found;

	if (!OidIsValid(owner))
		return false;
	if (has_privs_of_role(GetUserId(), owner))
		return true;
	nest_level = registry_begin();
	found = grants_find(model, GetUserNameFromId(owner, false), MODEL_USE, true);
	registry_end(nest_level);
	if (found && grants_dangerous())
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("SQL stored with model \"%s\" is not run as a role that may use files or programs"
						" of the server", model),
				 errdetail("You have a grant, but are no member of the model's owner, and what he wrote"
						   " would run with your rights."),
				 errhint("Look at lstm.models.source, and pass it as argument \"source\" if you trust it.")));
	return found;
}

StoredFence
stored_fence_begin(Oid owner)
{
	StoredFence fence = {0};

	GetUserIdAndSecContext(&fence.before.user, &fence.before.security);
	if (OidIsValid(owner) && has_privs_of_role(fence.before.user, owner))
		return fence;
	fence.nest_level = NewGUCNestLevel();
	SetUserIdAndSecContext(fence.before.user,
						   fence.before.security | SECURITY_RESTRICTED_OPERATION);
	return fence;
}

void
stored_fence_end(StoredFence fence)
{
	if (fence.nest_level == 0)
		return;
	AtEOXact_GUC(false, fence.nest_level);
	SetUserIdAndSecContext(fence.before.user, fence.before.security);
}

/* The owner of a model that the caller sees; error 42704 when there is none. */
static char *
grants_owner(const char *name)
{
	Oid			types[1] = {TEXTOID};
	Datum		values[1] = {CStringGetTextDatum(name)};

	if (registry_run("SELECT owner FROM lstm.models WHERE name = $1 LIMIT 1", 1, types, values,
					 NULL, false) == 0)
		registry_fail_unknown(name, false);
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

static void __attribute__((noreturn))
grants_refuse(const char *name, const char *owner, ModelAction action)
{
	if (action == MODEL_OWN)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("must be a member of role \"%s\", the owner of model \"%s\"", owner, name),
				 errhint("What can be granted to others is use, actuals, retrain and drop.")));
	ereport(ERROR,
			(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
			 errmsg("permission denied for model \"%s\"", name),
			 errdetail("It belongs to role \"%s\", and action \"%s\" was not granted to you.", owner,
					   action_name[action]),
			 errhint("A member of the owner can grant it: SELECT lstm.grant_model(%s, %s, '%s').",
					 quote_literal_cstr(name),
					 quote_literal_cstr(GetUserNameFromId(GetUserId(), false)),
					 action_name[action])));
}

/* ------------------------------------------------------------------------
 * Writing
 */

RegistryRole
registry_role_begin(const char *table)
{
	RegistryRole before;

	GetUserIdAndSecContext(&before.user, &before.security);
	SetUserIdAndSecContext(registry_table_owner(table),
						   before.security | SECURITY_LOCAL_USERID_CHANGE | SECURITY_NOFORCE_RLS);
	return before;
}

void
registry_write_end(RegistryRole before)
{
	SetUserIdAndSecContext(before.user, before.security);
}

RegistryRole
registry_act_begin(const char *name, const char *owner)
{
	/* The owner of the tables would change the versions of both. */
	if (registry_name_owner(name, owner) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" has versions of several roles", name),
				 errhint("The owner of table lstm.models can give them to one.")));
	return registry_role_begin("models");
}

RegistryRole
registry_write_begin(const char *name, ModelAction action)
{
	char	   *owner = grants_owner(name);
	RegistryRole before;

	GetUserIdAndSecContext(&before.user, &before.security);
	/* Who may, and those whom row-level security does not hold: as themselves. */
	if (grants_member(owner) || has_bypassrls_privilege(before.user) ||
		has_privs_of_role(before.user, registry_table_owner("models")))
		return before;
	if (!grants_allow(name, owner, action))
		grants_refuse(name, owner, action);
	return registry_act_begin(name, owner);
}

char *
grants_require(const char *name, ModelAction action)
{
	char	   *owner = grants_owner(name);

	if (!grants_allow(name, owner, action))
		grants_refuse(name, owner, action);
	return owner;
}

void
registry_check_action(const char *name, ModelAction action)
{
	int			nest_level = registry_begin();

	(void) grants_require(name, action);
	registry_end(nest_level);
}

void
grants_cascade(const char *name, const char *owner, const char *new_name)
{
	Oid			types[3] = {TEXTOID, TEXTOID, TEXTOID};
	Datum		values[3] = {CStringGetTextDatum(name), CStringGetTextDatum(owner),
	CStringGetTextDatum(new_name != NULL ? new_name : "")};
	RegistryRole before;

	if ((new_name != NULL && strcmp(name, new_name) == 0) ||
		registry_run("SELECT FROM lstm.models WHERE name = $1 LIMIT 1", 1, types, values, NULL,
					 false) > 0)
		return;
	before = registry_role_begin("model_grants");
	if (new_name != NULL)
	{
		/* The same grant there may be an old one that counts no more. */
		registry_run("DELETE FROM lstm.model_grants n USING lstm.model_grants o"
					 " WHERE n.model = $3 AND o.model = $1 AND o.owner = $2::name"
					 " AND n.grantee = o.grantee AND n.action = o.action",
					 3, types, values, NULL, false);
		registry_run("UPDATE lstm.model_grants SET model = $3 WHERE model = $1 AND owner = $2::name",
					 3, types, values, NULL, false);
	}
	registry_run("DELETE FROM lstm.model_grants WHERE model = $1", 1, types, values, NULL, false);
	registry_write_end(before);
}

/* ------------------------------------------------------------------------
 * SQL functions
 */

/* Raises 22023 unless it is the name of an action that can be granted. */
static void
action_check(const char *action)
{
	for (int i = 0; i < MODEL_OWN; i++)
		if (strcmp(action, action_name[i]) == 0)
			return;
	ereport(ERROR,
			(errcode(ERRCODE_INVALID_PARAMETER_VALUE),
			 errmsg("action \"%s\" is unknown", action),
			 errhint("The actions are use, actuals, retrain and drop.")));
}

static bool
role_exists(const char *role)
{
	return strcmp(role, EVERYBODY) == 0 || OidIsValid(get_role_oid(role, true));
}

static void __attribute__((noreturn))
role_fail(const char *role)
{
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("role \"%s\" does not exist", role),
			 errhint("Write its name without quotes, or public for every role.")));
}

Datum
lstm_grant_model(PG_FUNCTION_ARGS)
{
	char	   *name = argument_text_required(fcinfo, 0, "model"),
			   *role = argument_text_required(fcinfo, 1, "role"),
			   *action = argument_text_required(fcinfo, 2, "action");
	Oid			types[5] = {TEXTOID, TEXTOID, TEXTOID, TEXTOID, TEXTOID};
	Datum		values[5] = {CStringGetTextDatum(name), 0, CStringGetTextDatum(role),
		CStringGetTextDatum(action),
	CStringGetTextDatum(GetUserNameFromId(GetUserId(), false))};
	int			nest_level;
	RegistryRole before;

	action_check(action);
	nest_level = registry_begin();
	registry_lock(name);
	values[1] = CStringGetTextDatum(grants_require(name, MODEL_OWN));
	if (!role_exists(role))
		role_fail(role);
	before = registry_role_begin("model_grants");
	registry_run("INSERT INTO lstm.model_grants AS g (model, owner, grantee, action, grantor)"
				 " VALUES ($1, $2::name, $3::name, $4, $5::name)"
				 " ON CONFLICT (model, grantee, action) DO UPDATE SET owner = excluded.owner,"
				 " grantee_oid = excluded.grantee_oid, grantor = excluded.grantor,"
				 " granted_at = excluded.granted_at"
				 " WHERE (g.owner, g.grantee_oid) IS DISTINCT FROM (excluded.owner, excluded.grantee_oid)",
				 5, types, values, NULL, false);
	registry_write_end(before);
	registry_end(nest_level);
	PG_RETURN_VOID();
}

/* Says what a revocation did not do: nothing was there, or another grant implies the same. */
static void
revoke_notice(const char *name, const char *role, const char *action, uint64 revoked)
{
	Oid			types[2] = {TEXTOID, TEXTOID};
	Datum		values[2] = {CStringGetTextDatum(name), CStringGetTextDatum(role)};

	if (revoked == 0 && !role_exists(role))
		role_fail(role);
	if (revoked == 0)
		ereport(NOTICE,
				(action == NULL ?
				 errmsg("nothing was granted on model \"%s\" to role \"%s\"", name, role) :
				 errmsg("action \"%s\" was not granted on model \"%s\" to role \"%s\"", action, name,
						role)));
	if (action != NULL && strcmp(action, action_name[MODEL_USE]) == 0 &&
		registry_run("SELECT FROM lstm.model_grants WHERE model = $1 AND grantee::text = $2 LIMIT 1",
					 2, types, values, NULL, false) > 0)
		ereport(NOTICE,
				(errmsg("role \"%s\" may still use model \"%s\"", role, name),
				 errdetail("It was granted actuals, retrain or drop, which imply use."),
				 errhint("Without an action lstm.revoke_model takes back all.")));
}

Datum
lstm_revoke_model(PG_FUNCTION_ARGS)
{
	char	   *name = argument_text_required(fcinfo, 0, "model"),
			   *role = argument_text_required(fcinfo, 1, "role"),
			   *action = argument_text(fcinfo, 2);
	Oid			types[3] = {TEXTOID, TEXTOID, TEXTOID};
	Datum		values[3] = {CStringGetTextDatum(name), CStringGetTextDatum(role)};
	char		nulls[3] = {' ', ' ', action == NULL ? 'n' : ' '};
	int			nest_level;
	uint64		revoked;
	RegistryRole before;

	if (action != NULL)
	{
		action_check(action);
		values[2] = CStringGetTextDatum(action);
	}
	nest_level = registry_begin();
	registry_lock(name);
	(void) grants_require(name, MODEL_OWN);
	before = registry_role_begin("model_grants");
	revoked = registry_run("DELETE FROM lstm.model_grants WHERE model = $1 AND grantee::text = $2"
						   " AND ($3 IS NULL OR action = $3)", 3, types, values, nulls, false);
	revoke_notice(name, role, action, revoked);
	registry_write_end(before);
	registry_end(nest_level);
	PG_RETURN_VOID();
}

Datum
lstm_model_grants_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	HeapTuple	row;
	char	   *grantee;
	int			column;
	Datum		value;
	bool		isnull;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("lstm.model_grants_guard() must be called as a BEFORE ROW trigger")));
	row = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
	grantee = SPI_getvalue(row, trigger->tg_relation->rd_att,
						   SPI_fnumber(trigger->tg_relation->rd_att, "grantee"));
	if (grantee == NULL)
		return PointerGetDatum(row);	/* NOT NULL is checked next */
	column = SPI_fnumber(trigger->tg_relation->rd_att, "grantee_oid");
	value = ObjectIdGetDatum(get_role_oid(grantee, true));
	isnull = !role_exists(grantee);
	return PointerGetDatum(heap_modify_tuple_by_cols(row, trigger->tg_relation->rd_att, 1, &column,
													 &value, &isnull));
}
