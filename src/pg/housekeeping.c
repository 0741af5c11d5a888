/*
 * housekeeping.c
 *		Deploying, rolling back, renaming and dropping models.
 *
 * A version's weights and settings never change; these functions move the mark
 * of deployment, change names and delete rows, with the caller's rights.  Each
 * takes the lock of the name first and reads the versions after it, so that two
 * sessions on one name come one after the other.
 */
#include "postgres.h"

#include "catalog/pg_type.h"
#include "executor/spi.h"
#include "fmgr.h"
#include "utils/builtins.h"

#include "pg/model_run.h"
#include "pg/registry.h"

PG_FUNCTION_INFO_V1(lstm_deploy);
PG_FUNCTION_INFO_V1(lstm_rollback);
PG_FUNCTION_INFO_V1(lstm_rename_model);
PG_FUNCTION_INFO_V1(lstm_drop_model);

/* Runs a statement on name ($1) and argument ($2); returns the rows it changed. */
static uint64
house_change(const char *statement, const char *name, Oid type, Datum argument)
{
	Oid			types[2] = {TEXTOID, type};
	Datum		values[2] = {CStringGetTextDatum(name), argument};
	int			code = SPI_execute_with_args(statement, 2, types, values, NULL, false, 0);

	if (code < 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("statement on the model registry failed: %s",
						SPI_result_code_string(code))));
	return SPI_processed;
}

Datum
lstm_deploy(PG_FUNCTION_ARGS)
{
	char	   *name = argument_text_required(fcinfo, 0, "model");
	int			version,
				nest_level;

	if (PG_ARGISNULL(1))
		ereport(ERROR,
				(errcode(ERRCODE_NULL_VALUE_NOT_ALLOWED),
				 errmsg("argument \"version\" must not be null")));
	version = PG_GETARG_INT32(1);

	nest_level = registry_begin();
	registry_lock(name);
	registry_require_version(registry_versions(name, false), version);
	registry_set_deployed(name, version);
	registry_end(nest_level);
	PG_RETURN_VOID();
}

Datum
lstm_rollback(PG_FUNCTION_ARGS)
{
	char	   *name = argument_text_required(fcinfo, 0, "model");
	int			nest_level = registry_begin();
	RegistryVersions *versions;
	int			version = 0;

	registry_lock(name);
	versions = registry_versions(name, false);
	if (versions->deployed == 0)
		registry_fail_undeployed(versions);
	for (int i = 0; i < versions->count && versions->version[i] < versions->deployed; i++)
		version = versions->version[i];
	if (version == 0)
		ereport(ERROR,
				(errcode(ERRCODE_OBJECT_NOT_IN_PREREQUISITE_STATE),
				 errmsg("model \"%s\" has no version before %d, the deployed one", name,
						versions->deployed),
				 errhint("lstm.deploy deploys any version.")));
	registry_set_deployed(name, version);
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
	(void) registry_versions(name, false);
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

/* The newest version other than dropped, 0 when there is none. */
static int
house_newest_but(const RegistryVersions *versions, int dropped)
{
	for (int i = versions->count - 1; i >= 0; i--)
		if (versions->version[i] != dropped)
			return versions->version[i];
	return 0;
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

	registry_lock(name);
	versions = registry_versions(name, false);
	if (PG_ARGISNULL(1))
		house_change("DELETE FROM lstm.models WHERE name = $1 AND version >= $2", name,
					 INT4OID, Int32GetDatum(1));
	else
		house_drop_version(versions, PG_GETARG_INT32(1));
	registry_end(nest_level);
	PG_RETURN_VOID();
}
