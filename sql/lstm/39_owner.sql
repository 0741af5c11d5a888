-- A trusted extension's objects belong to the bootstrap superuser; its data
-- belongs to who installed it, who can then dump and restore it.
ALTER TABLE lstm.models OWNER TO @extowner@;
ALTER TABLE lstm.model_values OWNER TO @extowner@;
ALTER TABLE lstm.trials OWNER TO @extowner@;

SELECT pg_catalog.pg_extension_config_dump('lstm.models', '');
SELECT pg_catalog.pg_extension_config_dump('lstm.model_values', '');
SELECT pg_catalog.pg_extension_config_dump('lstm.trials', '');
SELECT pg_catalog.pg_extension_config_dump('lstm.trials_id_seq', '');

