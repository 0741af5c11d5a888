\echo Use "CREATE EXTENSION lstm" to load this file. \quit

/*
 * lstm--0.1.0.sql, put together from the files of sql/lstm in their order
 *		Everything that SQL sees: the type, the registry, the functions.
 *
 * Functions and operators inside of policies, checks and defaults are written
 * with their schema, so that nothing here depends on what else lives in the
 * schema or on anybody's search_path.
 */

COMMENT ON SCHEMA lstm IS
'recurrent neural networks: models trained on the rows of queries, and their forecasts';

