/*
 * registry.c
 *		Models as rows: reading them, and adding versions.
 *
 * Knows the two tables of the registry and nothing of networks; the model's
 * bytes go through nn_model_read.  Everything but three things runs with the
 * caller's rights.  One is registry_name_owner, which asks as the tables' owner,
 * as a foreign key does: a name that row-level security hides is taken all the
 * same, and that is better said before hours of training than after.  It gives
 * away that a name exists, as a unique index would.  Another is the trigger
 * lstm_models_cascade.  The third is a version that lstm.retrain adds to another's
 * model: what of it is SQL must be the owner's own.
 *
 * Reading a model costs two index lookups and, the first time in a session, a
 * detoasted copy of its bytes (about 5 ms for 4 MB) and what nn_model_read takes to
 * check them; see model_cache.h.
 */
#include "postgres.h"

#include "access/detoast.h"
#include "access/htup_details.h"
#include "catalog/namespace.h"
#include "catalog/pg_class.h"
#include "catalog/pg_type.h"
#include "commands/trigger.h"
#include "common/hashfn.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "miscadmin.h"
#include "utils/acl.h"
#include "utils/builtins.h"
#include "utils/fmgrprotos.h"
#include "utils/guc.h"
#include "utils/lsyscache.h"
#include "utils/rel.h"
#include "utils/syscache.h"

#include "core/nn_env.h"
#include "pg/env.h"
#include "pg/lineage.h"
#include "pg/model_cache.h"
#include "pg/registry.h"

#define REGISTRY_NAME_BYTES 63

/* First key of the advisory locks: "lstm" in ASCII; the second hashes the name. */
#define REGISTRY_LOCK_CLASS 0x6c73746d

/* Names that a misspelt one is compared with. */
#define REGISTRY_HINT_NAMES 1000

PG_FUNCTION_INFO_V1(lstm_models_guard);
PG_FUNCTION_INFO_V1(lstm_models_cascade);

/* ------------------------------------------------------------------------
 * Statements under a fixed search_path
 */

int
registry_begin(void)
{
	int			nest_level = NewGUCNestLevel();

	(void) set_config_option("search_path", "pg_catalog, pg_temp", PGC_USERSET, PGC_S_SESSION,
							 GUC_ACTION_SAVE, true, 0, false);
	if (SPI_connect() != SPI_OK_CONNECT)
		ereport(ERROR,
				(errcode(ERRCODE_CONNECTION_FAILURE),
				 errmsg("cannot run statements on the model registry")));
	return nest_level;
}

void
registry_end(int nest_level)
{
	SPI_finish();
	AtEOXact_GUC(false, nest_level);
}

uint64
registry_run(const char *statement, int nargs, Oid *types, Datum *values, const char *nulls,
			 bool read_only)
{
	int			code = SPI_execute_with_args(statement, nargs, types, values, nulls, read_only, 0);

	if (code < 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("statement on the model registry failed: %s",
						SPI_result_code_string(code)),
				 errhint("Check that extension \"lstm\" is installed completely.")));
	return SPI_processed;
}

/* The same for a statement whose only parameters are a name and maybe a number. */
static uint64
registry_run_name(const char *statement, const char *name, int number, bool read_only)
{
	Oid			types[2] = {TEXTOID, INT4OID};
	Datum		values[2] = {CStringGetTextDatum(name), Int32GetDatum(number)};

	return registry_run(statement, strstr(statement, "$2") ? 2 : 1, types, values, NULL, read_only);
}

/* ------------------------------------------------------------------------
 * Names
 */

void
registry_check_spelling(const char *name)
{
	size_t		length = strlen(name);

	if (length == 0)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("name of a model must not be empty"),
				 errhint("Give a name of 1 to %d bytes.", REGISTRY_NAME_BYTES)));
	if (length > REGISTRY_NAME_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_INVALID_NAME),
				 errmsg("name of a model is too long: %zu bytes, at most %d", length,
						REGISTRY_NAME_BYTES),
				 errhint("Give a name of 1 to %d bytes.", REGISTRY_NAME_BYTES)));
	for (const unsigned char *c = (const unsigned char *) name; *c; c++)
		if (*c < 0x20 || *c == 0x7f)
			ereport(ERROR,
					(errcode(ERRCODE_INVALID_NAME),
					 errmsg("name of a model has a control character (code %d)", *c),
					 errhint("Use letters, digits and punctuation.")));
}

void
registry_lock(const char *name)
{
	uint32		hash = hash_bytes((const unsigned char *) name, (int) strlen(name));

	DirectFunctionCall2(pg_advisory_xact_lock_int4, Int32GetDatum(REGISTRY_LOCK_CLASS),
						Int32GetDatum((int32) hash));
}

Oid
registry_table_owner(const char *table)
{
	Oid			relid = get_relname_relid(table, get_namespace_oid("lstm", false));
	HeapTuple	tuple = SearchSysCache1(RELOID, ObjectIdGetDatum(relid));
	Oid			owner;

	if (!HeapTupleIsValid(tuple))
		ereport(ERROR,
				(errcode(ERRCODE_UNDEFINED_TABLE),
				 errmsg("table \"lstm.%s\" does not exist", table),
				 errhint("Run CREATE EXTENSION lstm.")));
	owner = ((Form_pg_class) GETSTRUCT(tuple))->relowner;
	ReleaseSysCache(tuple);
	return owner;
}

char *
registry_name_owner(const char *name, const char *other_than)
{
	Oid			types[2] = {TEXTOID, TEXTOID};
	Datum		values[2];
	char		nulls[2] = {' ', other_than == NULL ? 'n' : ' '};
	RegistryRole before;
	uint64		found;

	values[0] = CStringGetTextDatum(name);
	values[1] = other_than == NULL ? (Datum) 0 : CStringGetTextDatum(other_than);

	before = registry_role_begin("models");
	found = registry_run("SELECT owner FROM lstm.models"
						 " WHERE name = $1 AND owner::text IS DISTINCT FROM $2 LIMIT 1",
						 2, types, values, nulls, false);
	registry_write_end(before);

	return found == 0 ? NULL : SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

/* Raises 42710 when another role than the current one has the name. */
static void
registry_require_own(const char *name)
{
	char	   *owner = registry_name_owner(name, GetUserNameFromId(GetUserId(), false));
	Oid			role;

	if (owner == NULL)
		return;

	/*
	 * Who may act as the owner is told whom to act as, who has a grant what it allows;
	 * others learn only that the name is taken.
	 */
	role = get_role_oid(owner, true);
	if (OidIsValid(role) && has_privs_of_role(GetUserId(), role))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("model \"%s\" belongs to role \"%s\"", name, owner),
				 errhint("SET ROLE to it to add a version, or choose another name.")));
	if (grants_allow(name, owner, MODEL_USE))
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("model \"%s\" belongs to role \"%s\"", name, owner),
				 grants_allow(name, owner, MODEL_RETRAIN) ?
				 errhint("What you were granted is lstm.retrain, which adds a version with the settings of"
						 " another; for settings of your own choose another name.") :
				 errhint("What you were granted does not add versions.  Choose another name.")));
	ereport(ERROR,
			(errcode(ERRCODE_DUPLICATE_OBJECT),
			 errmsg("model \"%s\" belongs to another role", name),
			 errhint("Choose another name.")));
}

void
registry_check_name(const char *name)
{
	int			nest_level;

	registry_check_spelling(name);
	nest_level = registry_begin();
	registry_require_own(name);
	registry_end(nest_level);
}

/*
 * Trigger of lstm.models, for rows that are written past this file: a name stays
 * with one role, and a row is its inserter's also where BYPASSRLS lets the
 * policies be.  The tables' owner and superusers, who could switch it off, pass:
 * restoring a dump must never fail here.
 */
Datum
lstm_models_guard(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	HeapTuple	row;
	TupleDesc	tupdesc;
	char	   *name,
			   *owner;
	int			nest_level;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_BEFORE(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("lstm.models_guard() must be called as a BEFORE ROW trigger")));
	row = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event) ? trigger->tg_newtuple : trigger->tg_trigtuple;
	if (has_privs_of_role(GetUserId(), trigger->tg_relation->rd_rel->relowner))
		return PointerGetDatum(row);

	tupdesc = trigger->tg_relation->rd_att;
	name = SPI_getvalue(row, tupdesc, SPI_fnumber(tupdesc, "name"));
	owner = SPI_getvalue(row, tupdesc, SPI_fnumber(tupdesc, "owner"));
	if (name == NULL || owner == NULL)
		return PointerGetDatum(row);	/* NOT NULL is checked next */

	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event) &&
		strcmp(owner, GetUserNameFromId(GetUserId(), false)) != 0)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("cannot add a model in the name of role \"%s\"", owner),
				 errhint("SET ROLE to it first.")));

	nest_level = registry_begin();
	if (TRIGGER_FIRED_BY_INSERT(trigger->tg_event))
		registry_require_own(name);
	else if (registry_name_owner(name, owner) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("model \"%s\" belongs to another role", name),
				 errhint("Choose another name.")));
	registry_end(nest_level);
	return PointerGetDatum(row);
}

/*
 * Joint models with version $2 of model $1 for a member, whose owners may use that of $3.
 * Anyone can write any name into a joint model of his own: those of others neither hold a
 * model nor learn what it is renamed to.
 */
#define JOINT_MODELS_OF_MEMBER \
	" WHERE joint->'members' @> jsonb_build_array(jsonb_build_object('model', $1, 'version', $2))" \
	" AND (owner = $3 OR pg_has_role(to_regrole(quote_ident(owner::text))::oid," \
	" to_regrole(quote_ident($3::text))::oid, 'USAGE'))"

char *
registry_member_of(const char *name, int version)
{
	Oid			types[3] = {TEXTOID, INT4OID, NAMEOID};
	Datum		values[3] = {CStringGetTextDatum(name), Int32GetDatum(version)};
	bool		isnull;

	if (registry_run("SELECT owner FROM lstm.models WHERE name = $1 AND version = $2",
					 2, types, values, NULL, false) == 0)
		return NULL;
	values[2] = SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull);
	if (registry_run("SELECT name FROM lstm.models" JOINT_MODELS_OF_MEMBER " ORDER BY name LIMIT 1",
					 3, types, values, NULL, false) == 0)
		return NULL;
	return SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1);
}

/*
 * Raises 2BP01 when a joint model whose owner may use that of the member has that version (name, number,
 * owner) for a member.  Joint models of others do not hold it: they say what they lack when
 * they are used.
 */
static void
registry_require_unused(Datum *member)
{
	Oid			types[3] = {TEXTOID, INT4OID, NAMEOID};
	HeapTuple	row;

	if (registry_run("SELECT name, version FROM lstm.models" JOINT_MODELS_OF_MEMBER
					 " ORDER BY name, version LIMIT 1", 3, types, member, NULL, false) == 0)
		return;
	row = SPI_tuptable->vals[0];
	ereport(ERROR,
			(errcode(ERRCODE_DEPENDENT_OBJECTS_STILL_EXIST),
			 errmsg("cannot drop version %d of model \"%s\": it is a member of joint model \"%s\"",
					DatumGetInt32(member[1]), TextDatumGetCString(member[0]),
					SPI_getvalue(row, SPI_tuptable->tupdesc, 1)),
			 errhint("Drop version %s of \"%s\" first.", SPI_getvalue(row, SPI_tuptable->tupdesc, 2),
					 SPI_getvalue(row, SPI_tuptable->tupdesc, 1))));
}

/*
 * Trigger of lstm.models: what a foreign key with ON UPDATE and ON DELETE CASCADE
 * would do, with the rights of the tables' owner as there.  A key cannot be: its
 * tables must be restored one after the other, and pg_restore --jobs does not.
 */
Datum
lstm_models_cascade(PG_FUNCTION_ARGS)
{
	TriggerData *trigger = (TriggerData *) fcinfo->context;
	static const char *const columns[] = {"name", "version", "owner"};
	Oid			types[5] = {TEXTOID, INT4OID, NAMEOID, TEXTOID, INT4OID};
	Datum		values[5];		/* of the old row, then of the new one */
	TupleDesc	tupdesc;
	bool		isnull,
				updated;
	int			nest_level;
	RegistryRole before;

	if (!CALLED_AS_TRIGGER(fcinfo) || !TRIGGER_FIRED_AFTER(trigger->tg_event) ||
		!TRIGGER_FIRED_FOR_ROW(trigger->tg_event))
		ereport(ERROR,
				(errcode(ERRCODE_E_R_I_E_TRIGGER_PROTOCOL_VIOLATED),
				 errmsg("lstm.models_cascade() must be called as an AFTER ROW trigger")));
	tupdesc = trigger->tg_relation->rd_att;
	updated = TRIGGER_FIRED_BY_UPDATE(trigger->tg_event);
	for (int i = 0; i < (updated ? 5 : 3); i++)
		values[i] = SPI_getbinval(i < 3 ? trigger->tg_trigtuple : trigger->tg_newtuple, tupdesc,
								  SPI_fnumber(tupdesc, columns[i % 3]), &isnull);

	nest_level = registry_begin();
	if (!updated)
		registry_require_unused(values);
	/* An error in between restores the user with the (sub)transaction. */
	before = registry_role_begin("models");
	if (updated)
	{
		registry_run("UPDATE lstm.model_values SET name = $4, version = $5"
					 " WHERE name = $1 AND version = $2", 5, types, values, NULL, false);
		registry_run("UPDATE lstm.models SET joint = jsonb_set(joint, '{members}', (SELECT jsonb_agg("
					 " CASE WHEN m.value @> jsonb_build_object('model', $1, 'version', $2)"
					 " THEN m.value || jsonb_build_object('model', $4, 'version', $5)"
					 " ELSE m.value END ORDER BY m.ordinality)"
					 " FROM jsonb_array_elements(joint->'members') WITH ORDINALITY m))"
					 JOINT_MODELS_OF_MEMBER, 5, types, values, NULL, false);
		registry_run("UPDATE lstm.forecasts SET model = $4,"
					 " version = CASE version WHEN $2 THEN $5 ELSE version END"
					 " WHERE model = $1 AND (version = $2"
					 " OR NOT EXISTS (SELECT FROM lstm.models WHERE name = $1))",
					 5, types, values, NULL, false);
	}
	else
	{
		registry_run("DELETE FROM lstm.model_values WHERE name = $1 AND version = $2",
					 2, types, values, NULL, false);
		/* Numbers above those that remain are given again. */
		registry_run("DELETE FROM lstm.forecasts WHERE model = $1 AND version >"
					 " coalesce((SELECT max(version) FROM lstm.models WHERE name = $1), 0)",
					 1, types, values, NULL, false);
	}
	grants_cascade(TextDatumGetCString(values[0]), NameStr(*DatumGetName(values[2])),
				   updated ? TextDatumGetCString(values[3]) : NULL);
	registry_write_end(before);
	registry_end(nest_level);
	return PointerGetDatum(NULL);
}

/* ------------------------------------------------------------------------
 * Versions
 */

void
registry_fail_unknown(const char *name, bool read_only)
{
	uint64		count = registry_run_name("SELECT DISTINCT name FROM lstm.models WHERE name <> $1"
										  " ORDER BY name LIMIT $2",
										  name, REGISTRY_HINT_NAMES, read_only);
	const char **names = palloc0((count + 1) * sizeof(char *));
	const char *nearest;

	for (uint64 i = 0; i < count; i++)
		names[i] = SPI_getvalue(SPI_tuptable->vals[i], SPI_tuptable->tupdesc, 1);
	nearest = nn_nearest(name, names, count);
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("model \"%s\" does not exist", name),
			 nearest != NULL ? errhint("The nearest name is \"%s\".", nearest) :
			 count > 0 ? errhint("Table lstm.models lists the models that you can use.") :
			 errhint("There is no model that you can use yet; lstm.train makes one.")));
}

RegistryVersions *
registry_versions(const char *name, bool read_only)
{
	uint64		count = registry_run_name("SELECT version, deployed, deployed_at IS NOT NULL"
										  " FROM lstm.models"
										  " WHERE name = $1 ORDER BY version",
										  name, 0, read_only);
	RegistryVersions *versions;

	if (count == 0)
		registry_fail_unknown(name, read_only);
	versions = palloc0(sizeof(RegistryVersions));
	versions->name = pstrdup(name);
	versions->count = (int) count;
	versions->version = palloc(count * sizeof(int));
	versions->promoted = palloc(count * sizeof(bool));
	for (uint64 i = 0; i < count; i++)
	{
		bool		isnull;
		HeapTuple	row = SPI_tuptable->vals[i];

		versions->version[i] = DatumGetInt32(SPI_getbinval(row, SPI_tuptable->tupdesc, 1, &isnull));
		if (DatumGetBool(SPI_getbinval(row, SPI_tuptable->tupdesc, 2, &isnull)))
			versions->deployed = versions->version[i];
		versions->promoted[i] = DatumGetBool(SPI_getbinval(row, SPI_tuptable->tupdesc, 3, &isnull));
	}
	return versions;
}

/* "Versions: 1, 2, 3 (deployed)." for messages; the last 20 of them. */
static char *
registry_versions_text(const RegistryVersions *versions)
{
	StringInfoData text;
	int			first = Max(versions->count - 20, 0);

	initStringInfo(&text);
	appendStringInfoString(&text, first > 0 ? "Versions: ..." : "Versions:");
	for (int i = first; i < versions->count; i++)
		appendStringInfo(&text, "%s %d%s", i > 0 ? "," : "", versions->version[i],
						 versions->version[i] == versions->deployed ? " (deployed)" : "");
	appendStringInfoChar(&text, '.');
	return text.data;
}

void
registry_require_version(const RegistryVersions *versions, int version)
{
	for (int i = 0; i < versions->count; i++)
		if (versions->version[i] == version)
			return;
	ereport(ERROR,
			(errcode(ERRCODE_UNDEFINED_OBJECT),
			 errmsg("model \"%s\" has no version %d", versions->name, version),
			 errdetail("%s", registry_versions_text(versions))));
}

void
registry_fail_undeployed(const RegistryVersions *versions)
{
	ereport(ERROR,
			(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
			 errmsg("model \"%s\" has no deployed version", versions->name),
			 errdetail("%s", registry_versions_text(versions)),
			 errhint("Deploy a version with lstm.deploy, or name one.")));
}

void
registry_set_deployed(const char *name, int version)
{
	/* Two statements: the unique index is checked row by row. */
	registry_run_name("UPDATE lstm.models SET deployed = false"
					  " WHERE name = $1 AND deployed AND version <> $2",
					  name, version, false);
	if (version != 0)
		registry_run_name("UPDATE lstm.models SET deployed = true, deployed_at = now()"
						  " WHERE name = $1 AND version = $2 AND NOT deployed",
						  name, version, false);
}

/* ------------------------------------------------------------------------
 * Reading a model
 */

/* Column number column of the only row, in context; NULL when it is. */
static char *
registry_column(int column, MemoryContext context)
{
	char	   *value = SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column);

	return value == NULL ? NULL : MemoryContextStrdup(context, value);
}

/*
 * The role of that name, if the row can be believed.  Whoever owns the tables can
 * write any name there; if that is no superuser, a row that names one may be a
 * trap for the superuser who runs the row's source.
 */
static Oid
registry_row_owner(const char *owner)
{
	Oid			role = get_role_oid(owner, true);

	if (OidIsValid(role) && superuser_arg(role) && !superuser_arg(registry_table_owner("models")))
		return InvalidOid;
	return role;
}

static Datum
registry_value(int column)
{
	bool		isnull;

	return SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, column, &isnull);
}

/* The model of the row just read, from the cache or from its bytes. */
static void
registry_row_model(RegistryRow *row)
{
	Datum		value = registry_value(5);
	ModelKey	key = {DatumGetObjectId(registry_value(6)),
	*(ItemPointer) DatumGetPointer(registry_value(7)), DatumGetTransactionId(registry_value(8))};
	const NnModel *model = model_cache_find(&key);

	row->key = key;
	row->length = toast_raw_datum_size(value) - VARHDRSZ;
	if (model == NULL)
	{
		bytea	   *bytes = DatumGetByteaPP(value);

		model = model_cache_add(&key, (const uint8_t *) VARDATA_ANY(bytes),
								VARSIZE_ANY_EXHDR(bytes));
	}
	row->model = model;
}

#define REGISTRY_ROW \
	"SELECT m.version, m.owner, m.source, m.search_path, v.model," \
	" v.tableoid, v.ctid, v.xmin, m.joint" \
	" FROM lstm.models m LEFT JOIN lstm.model_values v" \
	" ON v.name = m.name AND v.version = m.version" \
	" WHERE (v.model IS NOT NULL OR m.joint IS NOT NULL)" \
	" AND m.name = $1 AND "

/*
 * The row of that version (0: the deployed one); the number of rows.  What every forecast
 * begins with is planned once in a session: the server plans anew when tables, policies, the
 * role or the search_path are others.
 */
static uint64
registry_run_version(const char *name, int version)
{
	static SPIPlanPtr plans[2] = {NULL, NULL};
	SPIPlanPtr *plan = &plans[version != 0];
	Oid			types[2] = {TEXTOID, INT4OID};
	Datum		values[2] = {CStringGetTextDatum(name), Int32GetDatum(version)};

	if (*plan == NULL)
	{
		SPIPlanPtr	fresh = SPI_prepare(version != 0 ? REGISTRY_ROW "m.version = $2" :
										REGISTRY_ROW "m.deployed", 2, types);

		if (fresh == NULL || SPI_keepplan(fresh) != 0)
			ereport(ERROR,
					(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
					 errmsg("statement on the model registry failed: %s",
							SPI_result_code_string(SPI_result)),
					 errhint("Check that extension \"lstm\" is installed completely.")));
		*plan = fresh;
	}
	(void) SPI_execute_plan(*plan, values, NULL, true, 0);
	return SPI_processed;
}

RegistryRow *
registry_find(const char *name, int version)
{
	MemoryContext caller = CurrentMemoryContext;
	RegistryRow *row = palloc0(sizeof(RegistryRow));
	int			nest_level = registry_begin();
	bool		isnull;

	if (registry_run_version(name, version) == 0)
	{
		RegistryVersions *versions = registry_versions(name, true);

		if (version != 0)
			registry_require_version(versions, version);
		else if (versions->deployed == 0)
			registry_fail_undeployed(versions);
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("version %d of model \"%s\" has no row in lstm.model_values",
						version != 0 ? version : versions->deployed, name),
				 errhint("Drop the version, or insert its model into lstm.model_values.")));
	}

	row->name = MemoryContextStrdup(caller, name);
	row->version = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1,
											   &isnull));
	row->owner = registry_row_owner(SPI_getvalue(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 2));
	row->source = registry_column(3, caller);
	row->search_path = registry_column(4, caller);
	row->joint = registry_column(9, caller);
	MemoryContextSwitchTo(caller);
	if (row->joint == NULL)
		registry_row_model(row);
	registry_end(nest_level);
	MemoryContextSwitchTo(caller);
	return row;
}

RegistryRow *
registry_get(const char *name, int version)
{
	RegistryRow *row = registry_find(name, version);

	if (row->joint != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_FEATURE_NOT_SUPPORTED),
				 errmsg("model \"%s\" is a joint model, and a model that was trained is needed here", name),
				 errdetail("Joint models have forecast, hindcast, evaluate, exceedance, describe, "
						   "plot_forecast, report, refresh_forecasts and create_views."),
				 errhint("Name one of the members that lstm.describe shows.")));
	return row;
}

/* ------------------------------------------------------------------------
 * Adding a version
 */

static Datum
registry_text_or_null(const char *text, char *null)
{
	*null = text == NULL ? 'n' : ' ';
	return text == NULL ? (Datum) 0 : CStringGetTextDatum(text);
}

static bool
registry_texts_equal(const char *one, const char *other)
{
	return one == NULL || other == NULL ? one == other : strcmp(one, other) == 0;
}

/* What lstm.retrain repeats of a call: not the name, nor options that were of the first training only. */
#define CALL_REPEATED(call) \
	"(" call " - '{model,options}'::text[], coalesce(nullif(" call "->'options', 'null'), '{}')" \
	" - '{deploy,from_model,freeze}'::text[])"

/* Whether the call is that of the version that was trained again: the next one repeats it. */
static bool
registry_arguments_equal(const RegistryEntry *entry)
{
	Oid			types[3] = {TEXTOID, INT4OID, TEXTOID};
	Datum		values[3] = {CStringGetTextDatum(entry->name), Int32GetDatum(entry->retrain_of)};
	char		nulls[3] = {' ', ' ', ' '};

	values[2] = registry_text_or_null(entry->arguments, &nulls[2]);
	return registry_run("SELECT FROM lstm.models WHERE name = $1 AND version = $2"
						" AND " CALL_REPEATED("arguments") " = " CALL_REPEATED("$3::jsonb"),
						3, types, values, nulls, false) > 0;
}

/*
 * Raises 42501 unless what of the entry is SQL, or where its names are looked up, is what
 * the version that was trained again has: the owner will run it.
 */
static void
registry_require_texts(const RegistryEntry *entry)
{
	const RegistryRow *base = registry_find(entry->name, entry->retrain_of);
	const char *different = NULL;

	if (base->joint != NULL || entry->bytes == NULL)
		different = "kind";
	else if (!registry_texts_equal(entry->source, base->source))
		different = "source";
	else if (!registry_texts_equal(entry->search_path, base->search_path))
		different = "search_path";
	else if (strcmp(nn_model_read(env_create(CurrentMemoryContext), entry->bytes,
								  entry->length)->spec.holidays, base->model->spec.holidays) != 0)
		different = "option \"holidays\"";
	else if (!registry_arguments_equal(entry))
		different = "call";
	if (different != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_INSUFFICIENT_PRIVILEGE),
				 errmsg("only the owner of model \"%s\" can train it with another %s", entry->name,
						different),
				 errdetail("Others would run what you wrote.")));
}

/*
 * The role that the new version will belong to, and who writes it: the caller, or for
 * the model of another the tables' owner.
 */
static RegistryRole
registry_insert_begin(const RegistryEntry *entry, char **owner)
{
	RegistryRole before;

	GetUserIdAndSecContext(&before.user, &before.security);
	*owner = GetUserNameFromId(before.user, false);
	if (entry->retrain_of == 0)
	{
		registry_require_own(entry->name);
		return before;
	}
	*owner = grants_require(entry->name, MODEL_RETRAIN);
	if (strcmp(*owner, GetUserNameFromId(before.user, false)) == 0)
		return before;
	registry_require_texts(entry);
	return registry_act_begin(entry->name, *owner);
}

static void
registry_insert_row(const RegistryEntry *entry, int version, const char *owner, Oid trainer)
{
	Oid			types[] = {TEXTOID, INT4OID, BOOLOID, TEXTOID, TEXTOID, TEXTOID, INT8OID, TEXTOID, TEXTOID,
	TEXTOID, TEXTOID, TEXTOID, TEXTOID, FLOAT8OID, INT4OID, TEXTOID};
	Datum		values[lengthof(types)];
	char		nulls[lengthof(types)];

	memset(nulls, ' ', sizeof(nulls));
	values[0] = CStringGetTextDatum(entry->name);
	values[1] = Int32GetDatum(version);
	values[2] = BoolGetDatum(entry->deploy);
	values[3] = registry_text_or_null(entry->spec, &nulls[3]);
	values[4] = registry_text_or_null(entry->source, &nulls[4]);
	values[5] = registry_text_or_null(entry->search_path, &nulls[5]);
	values[6] = Int64GetDatum((int64) entry->rows);
	values[7] = registry_text_or_null(entry->metrics, &nulls[7]);
	values[8] = registry_text_or_null(entry->joint, &nulls[8]);
	values[9] = CStringGetTextDatum(owner);
	values[10] = registry_text_or_null(entry->arguments, &nulls[10]);
	values[11] = registry_text_or_null(entry->data, &nulls[11]);
	values[12] = CStringGetTextDatum(LSTM_VERSION);
	values[13] = Float8GetDatum(entry->seconds);
	nulls[13] = entry->seconds > 0 ? ' ' : 'n';
	values[14] = Int32GetDatum(entry->warm_from);
	nulls[14] = entry->warm_from == 0 ? 'n' : ' ';
	values[15] = CStringGetTextDatum(GetUserNameFromId(trainer, false));

	/* What still is in the way is a row that neither we nor the lock can see. */
	if (registry_run("INSERT INTO lstm.models"
					 " (name, version, deployed, spec, source, search_path, rows, metrics, joint, owner,"
					 " arguments, data, extension_version, seconds, warm_from, trained_by, deployed_at)"
					 " VALUES ($1, $2, $3, $4::jsonb, $5, $6, $7, $8::jsonb, $9::jsonb, $10::name,"
					 " $11::jsonb, $12::jsonb, $13, $14, $15, $16::name, CASE WHEN $3 THEN now() END)"
					 " ON CONFLICT DO NOTHING",
					 lengthof(types), types, values, nulls, false) == 0)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("model \"%s\" belongs to another role", entry->name),
				 errhint("Choose another name.")));
}

/* Our own bytes need no check, so they go in as the type they are. */
static void
registry_insert_value(const RegistryEntry *entry, int version)
{
	Oid			types[3] = {TEXTOID, INT4OID, InvalidOid};
	Datum		values[3];
	bytea	   *bytes = MemoryContextAllocHuge(CurrentMemoryContext, entry->length + VARHDRSZ);

	SET_VARSIZE(bytes, entry->length + VARHDRSZ);
	memcpy(VARDATA(bytes), entry->bytes, entry->length);
	types[2] = GetSysCacheOid2(TYPENAMENSP, Anum_pg_type_oid, CStringGetDatum("model"),
							   ObjectIdGetDatum(get_namespace_oid("lstm", false)));
	values[0] = CStringGetTextDatum(entry->name);
	values[1] = Int32GetDatum(version);
	values[2] = PointerGetDatum(bytes);
	registry_run("INSERT INTO lstm.model_values (name, version, model) VALUES ($1, $2, $3)",
				 3, types, values, NULL, false);
	pfree(bytes);
}

int
registry_insert(const RegistryEntry *entry)
{
	int			nest_level;
	int			version;
	char	   *owner;
	RegistryRole before;
	bool		isnull;

	if (entry->length > NN_MAX_MODEL_BYTES)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("model \"%s\" has %zu bytes, at most %zu", entry->name, entry->length,
						NN_MAX_MODEL_BYTES),
				 errhint("Use fewer units or layers.")));
	registry_check_spelling(entry->name);
	nest_level = registry_begin();
	registry_lock(entry->name);
	before = registry_insert_begin(entry, &owner);
	registry_run_name("SELECT coalesce(max(version), 0) FROM lstm.models WHERE name = $1",
					  entry->name, 0, false);
	version = DatumGetInt32(SPI_getbinval(SPI_tuptable->vals[0], SPI_tuptable->tupdesc, 1, &isnull));
	if (version == PG_INT32_MAX)
		ereport(ERROR,
				(errcode(ERRCODE_PROGRAM_LIMIT_EXCEEDED),
				 errmsg("model \"%s\" has reached the last version number, %d", entry->name, version),
				 errhint("Rename it, or drop the newest version.")));
	version++;
	if (entry->deploy)
		registry_set_deployed(entry->name, 0);
	registry_insert_row(entry, version, owner, before.user);
	if (entry->bytes != NULL)
		registry_insert_value(entry, version);
	registry_write_end(before);
	registry_end(nest_level);
	return version;
}
