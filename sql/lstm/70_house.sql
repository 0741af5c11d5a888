/* ------------------------------------------------------------------------
 * Keep house
 */

CREATE FUNCTION lstm.deploy(model text, version int) RETURNS void
	AS 'MODULE_PATHNAME', 'lstm_deploy' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lstm.deploy(text, int) IS
'makes version the one that forecasts use.
Errors: 22004 NULL, 42704 no such model or version (lists the versions).';

CREATE FUNCTION lstm.rollback(model text) RETURNS int
	AS 'MODULE_PATHNAME', 'lstm_rollback' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lstm.rollback(text) IS
'deploys the newest version below the deployed one and returns its number.
Errors: 22004 NULL, 42704 no such model, 55000 no version is deployed or none is below.';

CREATE FUNCTION lstm.rename_model(model text, new_name text) RETURNS void
	AS 'MODULE_PATHNAME', 'lstm_rename_model' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lstm.rename_model(text, text) IS
'renames a model, all versions.
Errors: 22004 NULL, 42704 no such model, 42602 a name that is empty, longer than 63 bytes or has control characters, 42710 the new name is taken.';

CREATE FUNCTION lstm.drop_model(model text, version int DEFAULT NULL) RETURNS void
	AS 'MODULE_PATHNAME', 'lstm_drop_model' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lstm.drop_model(text, int) IS
'drops a version of a model, or all with version NULL.  When the deployed version goes, the newest that remains is deployed, with a NOTICE.
Errors: 22004 NULL model, 42704 no such model or version (lists the versions).';

CREATE FUNCTION lstm.version() RETURNS text
	AS 'MODULE_PATHNAME', 'lstm_version' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lstm.version() IS 'version of the loaded library';

CREATE FUNCTION lstm.kernels() RETURNS text
	AS 'MODULE_PATHNAME', 'lstm_kernels_in_use' LANGUAGE C STABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lstm.kernels() IS
'instruction set that computations use here: generic, avx2 or avx512; the setting lstm.kernels chooses';

