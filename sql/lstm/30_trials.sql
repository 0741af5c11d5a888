/* ------------------------------------------------------------------------
 * What lstm.tune has tried
 *
 * The key has the owner in it, so that rows of others, which nobody sees, are in
 * nobody's way.
 */

CREATE TABLE lstm.trials (
	id			bigint NOT NULL,
	model		text COLLATE "C" NOT NULL,
	trial		int NOT NULL,
	options		jsonb NOT NULL,
	folds		int NOT NULL,
	score		float8,
	mae			float8,
	seconds		float8 NOT NULL,
	status		text NOT NULL,
	error		text,
	started_at	timestamptz NOT NULL,
	owner		name NOT NULL DEFAULT CURRENT_USER,
	CONSTRAINT trials_pkey PRIMARY KEY (id, trial, owner),
	CONSTRAINT trials_status_check CHECK (status OPERATOR(pg_catalog.=) 'done' OR status OPERATOR(pg_catalog.=) 'failed')
);
CREATE SEQUENCE lstm.trials_id_seq OWNED BY lstm.trials.id;

COMMENT ON TABLE lstm.trials IS
'one row per trial of lstm.tune; a role sees and deletes those of the roles it is a member of';
COMMENT ON COLUMN lstm.trials.id IS 'number of the search: the trials of one CALL share it';
COMMENT ON COLUMN lstm.trials.model IS 'model that was tuned, by the name it had then';
COMMENT ON COLUMN lstm.trials.trial IS 'counts from 1 within the search';
COMMENT ON COLUMN lstm.trials.options IS 'options tried, those of the CALL included; "context" where it was searched';
COMMENT ON COLUMN lstm.trials.folds IS 'cuts that it was judged at';
COMMENT ON COLUMN lstm.trials.score IS 'mean absolute scaled error (MASE) over all folds, mae where there is no scale; less is better; NULL when it failed';
COMMENT ON COLUMN lstm.trials.mae IS 'mean absolute error over all folds, original units';
COMMENT ON COLUMN lstm.trials.seconds IS 'wall time of the trial';
COMMENT ON COLUMN lstm.trials.status IS 'done or failed';
COMMENT ON COLUMN lstm.trials.error IS 'SQLSTATE and message of what failed';
COMMENT ON COLUMN lstm.trials.started_at IS 'when the trial began';
COMMENT ON COLUMN lstm.trials.owner IS 'role that called lstm.tune';
COMMENT ON CONSTRAINT trials_pkey ON lstm.trials IS 'a search numbers its trials';
COMMENT ON CONSTRAINT trials_status_check ON lstm.trials IS 'done or failed';
COMMENT ON SEQUENCE lstm.trials_id_seq IS 'numbers of searches';

ALTER TABLE lstm.trials ENABLE ROW LEVEL SECURITY;
GRANT SELECT, INSERT, DELETE ON lstm.trials TO PUBLIC;
GRANT USAGE ON SEQUENCE lstm.trials_id_seq TO PUBLIC;

CREATE POLICY trials_select ON lstm.trials FOR SELECT
	USING (pg_catalog.pg_has_role(
		pg_catalog.to_regrole(pg_catalog.quote_ident(owner::text))::oid, 'USAGE'));
CREATE POLICY trials_insert ON lstm.trials FOR INSERT
	WITH CHECK (owner OPERATOR(pg_catalog.=) CURRENT_USER);
CREATE POLICY trials_delete ON lstm.trials FOR DELETE
	USING (pg_catalog.pg_has_role(
		pg_catalog.to_regrole(pg_catalog.quote_ident(owner::text))::oid, 'USAGE'));
COMMENT ON POLICY trials_select ON lstm.trials IS 'members of the owner';
COMMENT ON POLICY trials_insert ON lstm.trials IS 'only in one''s own name';
COMMENT ON POLICY trials_delete ON lstm.trials IS 'members of the owner';

