/* ------------------------------------------------------------------------
 * Keep house
 */

CREATE FUNCTION lstm.deploy(model text, version int) RETURNS void
	AS 'MODULE_PATHNAME', 'lstm_deploy' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lstm.deploy(text, int) IS
'makes version the one that forecasts use.
Errors: 22004 NULL, 42704 no such model or version (lists the versions), 42501 no right to retrain it.';

CREATE FUNCTION lstm.rollback(model text) RETURNS int
	AS 'MODULE_PATHNAME', 'lstm_rollback' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lstm.rollback(text) IS
'deploys the newest version below the deployed one that was ever deployed and returns its number. Forecasts are what they were then, bit for bit, on the same rows.
Errors: 22004 NULL, 42704 no such model, 42501 no right to retrain it, 55000 no version is deployed or none below was ever.';

CREATE FUNCTION lstm.rename_model(model text, new_name text) RETURNS void
	AS 'MODULE_PATHNAME', 'lstm_rename_model' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lstm.rename_model(text, text) IS
'renames a model, all versions.
Errors: 22004 NULL, 42704 no such model, 42602 a name that is empty, longer than 63 bytes or has control characters, 42710 the new name is taken, 42501 the caller is no member of the owner.';

CREATE FUNCTION lstm.drop_model(model text, version int DEFAULT NULL) RETURNS void
	AS 'MODULE_PATHNAME', 'lstm_drop_model' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lstm.drop_model(text, int) IS
'drops a version of a model, or all with version NULL.  When the deployed version goes, the newest of those that ever were is deployed, or else the newest, with a NOTICE.
Errors: 22004 NULL model, 42704 no such model or version (lists the versions), 42501 no right to drop it.';

CREATE FUNCTION lstm.keep_versions(model text, versions int) RETURNS int
	AS 'MODULE_PATHNAME', 'lstm_keep_versions' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lstm.keep_versions(text, int) IS
'drops all versions of a model but the newest ones, as many as versions says, and returns how many went. The deployed version and members of joint models stay in any case: a NOTICE says which.
Errors: 22004 NULL, 22023 versions below 1, 42704 no such model, 42501 no right to drop it.';

CREATE FUNCTION lstm.version() RETURNS text
	AS 'MODULE_PATHNAME', 'lstm_version' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lstm.version() IS 'version of the loaded library';

CREATE FUNCTION lstm.kernels() RETURNS text
	AS 'MODULE_PATHNAME', 'lstm_kernels_in_use' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lstm.kernels() IS
'instruction set that computations use here: generic, avx2 or avx512; the setting lstm.kernels chooses';

