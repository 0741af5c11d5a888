-- A trusted extension's objects belong to the bootstrap superuser; its data
-- belongs to who installed it, who can then dump and restore it.
ALTER TABLE lstm.model_grants OWNER TO @extowner@;
ALTER TABLE lstm.models OWNER TO @extowner@;
ALTER TABLE lstm.model_values OWNER TO @extowner@;
ALTER TABLE lstm.trials OWNER TO @extowner@;

-- A grant to a role that is gone must not become that of a new role of its name.
SELECT pg_catalog.pg_extension_config_dump('lstm.model_grants', 'WHERE grantee_oid OPERATOR(pg_catalog.=) 0'
	' OR grantee_oid OPERATOR(pg_catalog.=) pg_catalog.to_regrole(pg_catalog.quote_ident(grantee::text))::oid');
SELECT pg_catalog.pg_extension_config_dump('lstm.models', '');
SELECT pg_catalog.pg_extension_config_dump('lstm.model_values', '');
SELECT pg_catalog.pg_extension_config_dump('lstm.trials', '');
SELECT pg_catalog.pg_extension_config_dump('lstm.trials_id_seq', '');

