/* ------------------------------------------------------------------------
 * The registry
 *
 * owner is a role's name, as a dump carries it to any cluster.  A regrole would
 * follow a renamed role, but its COPY fails as a whole in a cluster that lacks
 * one of the roles, and all models with it; the number it leaves of a dropped
 * role is another role's number there.  After ALTER ROLE ... RENAME the owner of
 * the tables hands the models over: UPDATE lstm.models SET owner = 'new' WHERE
 * owner = 'old'.  Models of a role that is gone are seen by the owner of the
 * tables and superusers only.
 *
 * Names sort in collation "C": their index survives a change of the system's
 * collations.
 */

CREATE TABLE lstm.models (
	name		text COLLATE "C" NOT NULL,
	version		int NOT NULL,
	deployed	bool NOT NULL DEFAULT false,
	owner		name NOT NULL DEFAULT CURRENT_USER,
	spec		jsonb,
	source		text,
	search_path	text,
	trained_at	timestamptz NOT NULL DEFAULT pg_catalog.now(),
	rows		bigint,
	metrics		jsonb,
	joint		jsonb,
	arguments	jsonb,
	data		jsonb,
	extension_version	text,
	seconds		float8,
	deployed_at	timestamptz,
	warm_from	int,
	trained_by	name DEFAULT CURRENT_USER,
	CONSTRAINT models_pkey PRIMARY KEY (name, version),
	CONSTRAINT models_name_check CHECK (pg_catalog.octet_length(name) OPERATOR(pg_catalog.>=) 1
		AND pg_catalog.octet_length(name) OPERATOR(pg_catalog.<=) 63
		AND name OPERATOR(pg_catalog.!~) '[\x01-\x1f\x7f]'),
	CONSTRAINT models_version_check CHECK (version OPERATOR(pg_catalog.>=) 1)
);
CREATE UNIQUE INDEX models_deployed_key ON lstm.models (name) WHERE deployed;

COMMENT ON TABLE lstm.models IS
'one row per version of a model, without its weights; a role sees and changes the models of the roles it is a member of, and sees those it has a grant on';
COMMENT ON COLUMN lstm.models.name IS 'name of the model, 1 to 63 bytes; all versions of a name belong to one role';
COMMENT ON COLUMN lstm.models.version IS 'counts from 1; a version never changes, but for its deployment';
COMMENT ON COLUMN lstm.models.deployed IS 'whether forecasts use this version; at most one of each model';
COMMENT ON COLUMN lstm.models.owner IS
'role that the model belongs to; after a role is renamed the owner of this table updates it';
COMMENT ON COLUMN lstm.models.spec IS 'settings it was trained with, defaults included';
COMMENT ON COLUMN lstm.models.source IS 'table, view or SELECT it was trained on and reads for forecasts';
COMMENT ON COLUMN lstm.models.search_path IS 'search_path under which source runs';
COMMENT ON COLUMN lstm.models.trained_at IS 'start of the transaction that trained it';
COMMENT ON COLUMN lstm.models.rows IS 'rows it was trained on, validation part included';
COMMENT ON COLUMN lstm.models.metrics IS 'what lstm.train found: epochs, losses, and on the validation rows mae, baseline_mae (original units) and skill';
COMMENT ON COLUMN lstm.models.joint IS 'of a joint model (lstm.join_models): b, members with version and weight, intervals; NULL for models that were trained';
COMMENT ON COLUMN lstm.models.arguments IS
'the call of lstm.train that made it, enough to train it again; NULL for joint models and models of other ways';
COMMENT ON COLUMN lstm.models.data IS
'what it was trained on: from and to (times of the first and the last known target), series, rows, and sha256, equal for equal rows in any order; NULL for joint models';
COMMENT ON COLUMN lstm.models.extension_version IS 'version of the extension that trained it';
COMMENT ON COLUMN lstm.models.seconds IS 'wall time of the training, reading included';
COMMENT ON COLUMN lstm.models.deployed_at IS 'when it was last deployed; NULL: never';
COMMENT ON COLUMN lstm.models.warm_from IS 'version whose parameters lstm.retrain began with; NULL: it began anew';
COMMENT ON COLUMN lstm.models.trained_by IS 'role that ran the training: the owner, a member, or who was granted retrain';
COMMENT ON CONSTRAINT models_pkey ON lstm.models IS 'a version is trained once';
COMMENT ON CONSTRAINT models_name_check ON lstm.models IS 'names have 1 to 63 bytes and no control characters';
COMMENT ON CONSTRAINT models_version_check ON lstm.models IS 'versions count from 1';
COMMENT ON INDEX lstm.models_deployed_key IS 'one deployed version of each model';

CREATE TABLE lstm.model_values (
	name		text COLLATE "C" NOT NULL,
	version		int NOT NULL,
	model		lstm.model NOT NULL,
	CONSTRAINT model_values_pkey PRIMARY KEY (name, version)
);

COMMENT ON TABLE lstm.model_values IS
'the trained models themselves, apart from lstm.models so that looking at that table fetches no weights';
COMMENT ON COLUMN lstm.model_values.name IS 'name of the model, as in lstm.models';
COMMENT ON COLUMN lstm.model_values.version IS 'version of the model, as in lstm.models';
COMMENT ON COLUMN lstm.model_values.model IS 'the model; model::bytea is a safetensors file';
COMMENT ON CONSTRAINT model_values_pkey ON lstm.model_values IS 'a version has one value';

-- Who may see and change what.  Versions are immutable: of lstm.models only the
-- name and the deployment can be updated, of lstm.model_values nothing (renaming
-- and dropping reach it through the trigger models_cascade).
ALTER TABLE lstm.models ENABLE ROW LEVEL SECURITY;
ALTER TABLE lstm.model_values ENABLE ROW LEVEL SECURITY;

GRANT USAGE ON SCHEMA lstm TO PUBLIC;
GRANT SELECT, INSERT, UPDATE (name, deployed, deployed_at), DELETE ON lstm.models TO PUBLIC;
GRANT SELECT, INSERT ON lstm.model_values TO PUBLIC;

-- to_regrole is NULL, and so is pg_has_role, for an owner who is gone.
-- Grants are looked up as the caller, who sees only what counts for him.  They open
-- SELECT alone: what a grantee may write goes through functions that check the action
-- and write no text of his.
CREATE POLICY models_select ON lstm.models FOR SELECT
	USING (pg_catalog.pg_has_role(
			pg_catalog.to_regrole(pg_catalog.quote_ident(owner::text))::oid, 'USAGE')
		OR (pg_catalog.to_regrole(pg_catalog.quote_ident(owner::text)) IS NOT NULL
			AND EXISTS (SELECT FROM lstm.model_grants g
				WHERE g.model OPERATOR(pg_catalog.=) models.name
					AND g.owner OPERATOR(pg_catalog.=) models.owner)));
CREATE POLICY models_insert ON lstm.models FOR INSERT
	WITH CHECK (owner OPERATOR(pg_catalog.=) CURRENT_USER);
CREATE POLICY models_update ON lstm.models FOR UPDATE
	USING (pg_catalog.pg_has_role(
		pg_catalog.to_regrole(pg_catalog.quote_ident(owner::text))::oid, 'USAGE'));
CREATE POLICY models_delete ON lstm.models FOR DELETE
	USING (pg_catalog.pg_has_role(
		pg_catalog.to_regrole(pg_catalog.quote_ident(owner::text))::oid, 'USAGE'));
COMMENT ON POLICY models_select ON lstm.models IS 'members of the owner, and who has a grant';
COMMENT ON POLICY models_insert ON lstm.models IS 'only in one''s own name';
COMMENT ON POLICY models_update ON lstm.models IS 'members of the owner';
COMMENT ON POLICY models_delete ON lstm.models IS 'members of the owner';

CREATE POLICY model_values_select ON lstm.model_values FOR SELECT
	USING (EXISTS (SELECT FROM lstm.models m
		WHERE m.name OPERATOR(pg_catalog.=) model_values.name
			AND m.version OPERATOR(pg_catalog.=) model_values.version));
CREATE POLICY model_values_insert ON lstm.model_values FOR INSERT
	WITH CHECK (EXISTS (SELECT FROM lstm.models m
		WHERE m.name OPERATOR(pg_catalog.=) model_values.name
			AND m.version OPERATOR(pg_catalog.=) model_values.version
			AND m.owner OPERATOR(pg_catalog.=) CURRENT_USER));
COMMENT ON POLICY model_values_select ON lstm.model_values IS 'who sees the row in lstm.models';
COMMENT ON POLICY model_values_insert ON lstm.model_values IS 'only for one''s own row in lstm.models';

CREATE FUNCTION lstm.models_guard() RETURNS trigger
	AS 'MODULE_PATHNAME', 'lstm_models_guard' LANGUAGE C;
REVOKE EXECUTE ON FUNCTION lstm.models_guard() FROM PUBLIC;
COMMENT ON FUNCTION lstm.models_guard() IS
'trigger of lstm.models: a name belongs to one role (42710), a row to its inserter (42501)';

CREATE TRIGGER models_guard BEFORE INSERT OR UPDATE OF name, owner ON lstm.models
	FOR EACH ROW EXECUTE FUNCTION lstm.models_guard();
COMMENT ON TRIGGER models_guard ON lstm.models IS
'row-level security cannot see the names of others; this does';

CREATE FUNCTION lstm.models_cascade() RETURNS trigger
	AS 'MODULE_PATHNAME', 'lstm_models_cascade' LANGUAGE C;
REVOKE EXECUTE ON FUNCTION lstm.models_cascade() FROM PUBLIC;
COMMENT ON FUNCTION lstm.models_cascade() IS
'trigger of lstm.models: a value in lstm.model_values is renamed and dropped with its row, and a joint model follows its members'' names; 2BP01 when a member of a joint model is dropped';

CREATE TRIGGER models_cascade AFTER UPDATE OF name, version OR DELETE ON lstm.models
	FOR EACH ROW EXECUTE FUNCTION lstm.models_cascade();
COMMENT ON TRIGGER models_cascade ON lstm.models IS
'in place of a foreign key, which pg_restore --jobs would break: it loads the tables in any order';

