/*
 * housekeeping.c
 *		Deploying, rolling back, renaming and dropping models and versions.
 *
 * A version's weights and settings never change; these functions move the mark
 * of deployment, change names and delete rows, with the caller's rights or what he
 * was granted (grants.h).  Each takes the lock of the name first and reads the
 * versions after it, so that two sessions on one name come one after the other.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "lib/stringinfo.h"
#include "miscadmin.h"
#include "utils/builtins.h"

#include "pg/housekeeping.h"
#include "pg/model_run.h"
#include "pg/train_call.h"

PG_FUNCTION_INFO_V1(lstm_deploy);
PG_FUNCTION_INFO_V1(lstm_rollback);
PG_FUNCTION_INFO_V1(lstm_rename_model);
PG_FUNCTION_INFO_V1(lstm_drop_model);
PG_FUNCTION_INFO_V1(lstm_keep_versions);

/* Runs a statement on name ($1) and argument ($2); returns the rows it changed. */
static uint64
house_change(const char *statement, const char *name, Oid type, Datum argument)
{
	Oid			types[2] = {TEXTOID, type};
	Datum		values[2] = {CStringGetTextDatum(name), argument};

	return registry_run(statement, 2, types, values, NULL, false);
}

Datum
lstm_deploy(PG_FUNCTION_ARGS)
{
	char	   *name = argument_text_required(fcinfo, 0, "model");
	int			version,
				nest_level;
	RegistryRole before;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"version\" must not be null")));
	version = PG_GETARG_INT32(1);

	nest_level = registry_begin();
	registry_lock(name);
	before = registry_write_begin(name, MODEL_RETRAIN);
	registry_require_version(registry_versions(name, false), version);
	registry_set_deployed(name, version);
	registry_write_end(before);
	registry_end(nest_level);
	PG_RETURN_VOID();
}

int
house_rollback_version(const RegistryVersions *versions)
{
	int			version = 0;

	/* One that lost to the deployed version is nothing to go back to. */
	for (int i = 0; i < versions->count && versions->version[i] < versions->deployed; i++)
		if (versions->promoted[i])
			version = versions->version[i];
	return version;
}

Datum
lstm_rollback(PG_FUNCTION_ARGS)
{
	char	   *name = argument_text_required(fcinfo, 0, "model");
	int			nest_level = registry_begin();
	RegistryVersions *versions;
	RegistryRole before;
	int			version;

	registry_lock(name);
	before = registry_write_begin(name, MODEL_RETRAIN);
	versions = registry_versions(name, false);
	if (versions->deployed == 0)
		registry_fail_undeployed(versions);
	version = house_rollback_version(versions);
	if (version == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" has no version before %d, the deployed one, that was ever deployed",
						name, versions->deployed),
				 errhint("lstm.deploy deploys any version.")));
	registry_set_deployed(name, version);
	registry_write_end(before);
	registry_end(nest_level);
	PG_RETURN_INT32(version);
}

Datum
lstm_rename_model(PG_FUNCTION_ARGS)
{
	char	   *name = argument_text_required(fcinfo, 0, "model");
	char	   *new_name = argument_text_required(fcinfo, 1, "new_name");
	int			order = strcmp(name, new_name);
	int			nest_level;

	registry_check_spelling(new_name);
	nest_level = registry_begin();

	/* In one order, so that two renamings that cross do not wait for each other. */
	registry_lock(order < 0 ? name : new_name);
	registry_lock(order < 0 ? new_name : name);
	(void) registry_write_begin(name, MODEL_OWN);
	if (registry_name_owner(new_name, NULL) != NULL)
		ereport(ERROR,
				(errcode(ERRCODE_DUPLICATE_OBJECT),
				 errmsg("model \"%s\" already exists", new_name),
				 errhint("Choose another name, or drop that model first.")));
	house_change("UPDATE lstm.models SET name = $2 WHERE name = $1", name,
				 TEXTOID, CStringGetTextDatum(new_name));
	registry_end(nest_level);
	PG_RETURN_VOID();
}

/*
 * What to deploy in place of dropped: the newest other version that ever was, since one that
 * lost a comparison is no better for being newer; else the newest; 0 when there is none.
 */
static int
house_newest_but(const RegistryVersions *versions, int dropped)
{
	int			newest = 0;

	for (int i = versions->count - 1; i >= 0; i--)
	{
		if (versions->version[i] == dropped)
			continue;
		if (versions->promoted[i])
			return versions->version[i];
		newest = Max(newest, versions->version[i]);
	}
	return newest;
}

static void
house_drop_version(const RegistryVersions *versions, int version)
{
	int			next = house_newest_but(versions, version);

	registry_require_version(versions, version);
	house_change("DELETE FROM lstm.models WHERE name = $1 AND version = $2", versions->name,
				 INT4OID, Int32GetDatum(version));
	if (version != versions->deployed || next == 0)
		return;
	registry_set_deployed(versions->name, next);
	ereport(NOTICE,
			(errmsg("version %d of model \"%s\" is now deployed", next, versions->name)));
}

Datum
lstm_drop_model(PG_FUNCTION_ARGS)
{
	char	   *name = argument_text_required(fcinfo, 0, "model");
	int			nest_level = registry_begin();
	RegistryVersions *versions;
	RegistryRole before;

	registry_lock(name);
	before = registry_write_begin(name, MODEL_DROP);
	versions = registry_versions(name, false);
	if (PG_ARGISNULL(1))
		house_change("DELETE FROM lstm.models WHERE name = $1 AND version >= $2", name,
					 INT4OID, Int32GetDatum(1));
	else
		house_drop_version(versions, PG_GETARG_INT32(1));
	registry_write_end(before);
	registry_end(nest_level);
	PG_RETURN_VOID();
}

/* ------------------------------------------------------------------------
 * Keeping the newest versions
 */

/* Why an old version stays, NULL: it goes. */
static const char *
version_hold(const RegistryVersions *versions, int version, bool way_back)
{
	char	   *joint;

	if (version == versions->deployed)
		return "deployed";
	if (way_back && version == house_rollback_version(versions))
		return "what lstm.rollback goes back to";
	joint = registry_member_of(versions->name, version);
	return joint == NULL ? NULL : psprintf("member of joint model \"%s\"", joint);
}

int
house_keep_versions(const char *name, uint32 keep, bool way_back)
{
	RegistryVersions *versions = registry_versions(name, false);
	StringInfoData stay;
	int			dropped = 0,
				held = 0;

	initStringInfo(&stay);
	for (int i = 0; i < versions->count - (int64) keep; i++)
	{
		const char *hold = version_hold(versions, versions->version[i], way_back);

		CHECK_FOR_INTERRUPTS();
		if (hold == NULL)
			dropped += (int) house_change("DELETE FROM lstm.models WHERE name = $1 AND version = $2",
										  name, INT4OID, Int32GetDatum(versions->version[i]));
		else if (held++ < 20)
			appendStringInfo(&stay, "%s%d (%s)", held > 1 ? ", " : "", versions->version[i], hold);
	}
	if (held > 0)
		ereport(NOTICE,
				(errmsg("%d of the old versions of model \"%s\" stay", held, name),
				 errdetail("Versions: %s%s.", stay.data, held > 20 ? ", ..." : "")));
	return dropped;
}

Datum
lstm_keep_versions(PG_FUNCTION_ARGS)
{
	char	   *name = argument_text_required(fcinfo, 0, "model");
	uint32		keep = argument_number(fcinfo, 1, "versions", 1, PG_INT32_MAX);
	int			nest_level = registry_begin(),
				dropped;
	RegistryRole before;

	registry_lock(name);
	before = registry_write_begin(name, MODEL_DROP);
	dropped = house_keep_versions(name, keep, false);
	registry_write_end(before);
	registry_end(nest_level);
	PG_RETURN_INT32(dropped);
}
