/* ------------------------------------------------------------------------
 * Rights on models
 *
 * Who else but its owner may use, retrain or drop a model.  The table comes
 * before lstm.models, whose policies look into it; its own policy knows nothing
 * of lstm.models, or the two would ask each other for ever.
 *
 * Roles are names, as in lstm.models, so that a dump carries them.  A role that
 * is dropped and made anew is another role: grantee_oid remembers which one was
 * meant, and a grant counts while name and number are of one role.  The trigger
 * fills it in, also when a dump is restored into a cluster with other numbers.
 * A grant counts only while owner is the model's.
 */

CREATE TABLE lstm.model_grants (
	model		text COLLATE "C" NOT NULL,
	owner		name NOT NULL,
	grantee		name NOT NULL,
	action		text COLLATE "C" NOT NULL,
	grantor		name NOT NULL,
	granted_at	timestamptz NOT NULL DEFAULT pg_catalog.now(),
	grantee_oid	oid,
	CONSTRAINT model_grants_pkey PRIMARY KEY (model, grantee, action),
	CONSTRAINT model_grants_action_check CHECK (action OPERATOR(pg_catalog.=) ANY (ARRAY['use', 'actuals', 'retrain', 'drop']))
);

COMMENT ON TABLE lstm.model_grants IS
'who may do what with another role''s model; written by lstm.grant_model and lstm.revoke_model only. A role sees the grants of its models and those it was given';
COMMENT ON COLUMN lstm.model_grants.model IS 'name of the model, as in lstm.models; all its versions';
COMMENT ON COLUMN lstm.model_grants.owner IS
'owner of the model when it was granted; the grant counts only while lstm.models says the same';
COMMENT ON COLUMN lstm.model_grants.grantee IS 'role that may, and with it its members; public: every role';
COMMENT ON COLUMN lstm.model_grants.action IS
'use: see, forecast and judge; actuals: see in lstm.forecasts what came of forecasts, values of the source that row-level security may hide; retrain: add versions by lstm.retrain, deploy, roll back, refresh forecasts; drop: drop versions. All imply use';
COMMENT ON COLUMN lstm.model_grants.grantor IS 'role that granted it';
COMMENT ON COLUMN lstm.model_grants.granted_at IS 'start of the transaction that granted it';
COMMENT ON COLUMN lstm.model_grants.grantee_oid IS
'number of the role grantee in this cluster (0: public, NULL: there was none), set by the trigger model_grants_guard; a role of that name with another number is not the grantee';
COMMENT ON CONSTRAINT model_grants_pkey ON lstm.model_grants IS 'an action is granted to a role once';
COMMENT ON CONSTRAINT model_grants_action_check ON lstm.model_grants IS 'use, actuals, retrain or drop';

ALTER TABLE lstm.model_grants ENABLE ROW LEVEL SECURITY;
GRANT SELECT ON lstm.model_grants TO PUBLIC;

-- to_regrole is NULL, and so is pg_has_role, for a role that is gone.
CREATE POLICY model_grants_select ON lstm.model_grants FOR SELECT
	USING (grantee OPERATOR(pg_catalog.=) 'public'
		OR pg_catalog.pg_has_role(
			pg_catalog.to_regrole(pg_catalog.quote_ident(owner::text))::oid, 'USAGE')
		OR (grantee_oid OPERATOR(pg_catalog.=)
				pg_catalog.to_regrole(pg_catalog.quote_ident(grantee::text))::oid
			AND pg_catalog.pg_has_role(grantee_oid, 'USAGE')));
COMMENT ON POLICY model_grants_select ON lstm.model_grants IS
'members of the owner, and who has the grant';

CREATE FUNCTION lstm.model_grants_guard() RETURNS trigger
	AS 'MODULE_PATHNAME', 'lstm_model_grants_guard' LANGUAGE C;
REVOKE EXECUTE ON FUNCTION lstm.model_grants_guard() FROM PUBLIC;
COMMENT ON FUNCTION lstm.model_grants_guard() IS
'trigger of lstm.model_grants: sets grantee_oid to the number that the role grantee has here and now';

CREATE TRIGGER model_grants_guard BEFORE INSERT OR UPDATE OF grantee ON lstm.model_grants
	FOR EACH ROW EXECUTE FUNCTION lstm.model_grants_guard();
COMMENT ON TRIGGER model_grants_guard ON lstm.model_grants IS
'a restored grant is of the role that has the name in the new cluster';

CREATE FUNCTION lstm.grant_model(model text, role text, action text DEFAULT 'use') RETURNS void
	AS 'MODULE_PATHNAME', 'lstm_grant_model' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lstm.grant_model(text, text, text) IS
'lets a role (public: every role) act on a model. action: use (see it, forecast, judge), actuals (see in lstm.forecasts what came of forecasts), retrain (lstm.retrain, deploy, rollback, refresh_forecasts), drop (drop_model, keep_versions); all imply use. Granting again changes nothing. For members of the model''s owner. Who uses a model runs its stored source with his own rights, and sees the model''s weights, names of series and metrics.
Errors: 22004 NULL, 42704 no such model or role, 42501 the caller is no member of the owner, 22023 unknown action.';

CREATE FUNCTION lstm.revoke_model(model text, role text, action text DEFAULT NULL) RETURNS void
	AS 'MODULE_PATHNAME', 'lstm_revoke_model' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lstm.revoke_model(text, text, text) IS
'takes back what lstm.grant_model gave, one action or with NULL all; a NOTICE when there was nothing to take. For members of the model''s owner.
Errors: 22004 NULL model or role, 42704 no such model, or no such role and nothing granted to its name, 42501 the caller is no member of the owner, 22023 unknown action.';

