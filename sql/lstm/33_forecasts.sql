/* ------------------------------------------------------------------------
 * The store of forecasts that lstm.refresh_forecasts fills
 *
 * A row is what one version said at one origin of one moment, and later what
 * came.  Whose it is follows from the model's row: no owner is kept beside it.
 * Nobody can write here but through the procedure, which acts as the owner of
 * the table after it has looked at the caller's rights; a policy alone would let
 * roles with BYPASSRLS write forecasts of anybody's models.
 *
 * series is NULL where the model has none, as lstm.forecast prints it; the key
 * takes it for '' (NULLS NOT DISTINCT is younger than the oldest server).
 */

CREATE TABLE lstm.forecasts (
	model				text COLLATE "C" NOT NULL,
	version				int NOT NULL,
	series				text COLLATE "C",
	series_key			jsonb,
	target				text COLLATE "C" NOT NULL,
	issued_at			timestamptz,
	issued_index		bigint,
	forecast_timestamp	timestamptz,
	forecast_index		bigint,
	step				int NOT NULL,
	value				float8 NOT NULL,
	lower				float8,
	upper				float8,
	confidence_level	float8 NOT NULL,
	actual				float8,
	-- Halves: the difference of the largest numbers is none.
	error				float8 GENERATED ALWAYS AS (CASE WHEN pg_catalog.abs(
		actual OPERATOR(pg_catalog./) 2 OPERATOR(pg_catalog.-) (value OPERATOR(pg_catalog./) 2))
			OPERATOR(pg_catalog.<) 8.9e307 THEN actual OPERATOR(pg_catalog.-) value END) STORED,
	written_at			timestamptz NOT NULL DEFAULT pg_catalog.now()
) WITH (fillfactor = 90);	-- what came is filled in row by row, most often on the same page
CREATE UNIQUE INDEX forecasts_key ON lstm.forecasts (model, target, (coalesce(series, '')),
	(coalesce(forecast_timestamp, '-infinity')), (coalesce(forecast_index, 0)),
	(coalesce(issued_at, '-infinity')), (coalesce(issued_index, 0)), step, version);
CREATE INDEX forecasts_issued_idx ON lstm.forecasts (model, issued_at, issued_index);

COMMENT ON TABLE lstm.forecasts IS
'forecasts as they were issued, beside what came; lstm.refresh_forecasts writes them; who sees a model sees the rows of which nothing came yet, its owner''s members and grantees of actuals all; its owner''s members delete them';
COMMENT ON COLUMN lstm.forecasts.model IS 'name of the model; follows its renaming';
COMMENT ON COLUMN lstm.forecasts.version IS 'version that forecast; it may have been dropped since';
COMMENT ON COLUMN lstm.forecasts.series IS 'name of the series, NULL where the model has no series columns';
COMMENT ON COLUMN lstm.forecasts.series_key IS 'values of the series columns by their names, NULL where there are none';
COMMENT ON COLUMN lstm.forecasts.target IS 'name of the target column';
COMMENT ON COLUMN lstm.forecasts.issued_at IS 'origin: time of the last row that the forecast knew; NULL with an integer time column';
COMMENT ON COLUMN lstm.forecasts.issued_index IS 'the same with an integer time column, else NULL';
COMMENT ON COLUMN lstm.forecasts.forecast_timestamp IS 'time that is forecast; NULL with an integer time column';
COMMENT ON COLUMN lstm.forecasts.forecast_index IS 'the same with an integer time column, else NULL';
COMMENT ON COLUMN lstm.forecasts.step IS 'rows after the origin, from 1';
COMMENT ON COLUMN lstm.forecasts.value IS 'forecast, in the target''s own unit';
COMMENT ON COLUMN lstm.forecasts.lower IS 'lower bound of the interval; NULL where the model has none';
COMMENT ON COLUMN lstm.forecasts.upper IS 'upper bound of the interval; NULL where the model has none';
COMMENT ON COLUMN lstm.forecasts.confidence_level IS 'probability between lower and upper, such as 0.95';
COMMENT ON COLUMN lstm.forecasts.actual IS 'what came, NULL until it has; follows corrections of the source';
COMMENT ON COLUMN lstm.forecasts.error IS 'actual - value; NULL also where the difference is beyond the range of numbers';
COMMENT ON COLUMN lstm.forecasts.written_at IS 'start of the transaction that wrote the forecast';
COMMENT ON INDEX lstm.forecasts_key IS 'a version forecasts a moment from an origin once';
COMMENT ON INDEX lstm.forecasts_issued_idx IS 'the newest forecasts of a model, and the oldest';

ALTER TABLE lstm.forecasts ENABLE ROW LEVEL SECURITY;
GRANT SELECT, DELETE ON lstm.forecasts TO PUBLIC;

-- Policies of lstm.models and lstm.model_grants decide within.  What came are values of the
-- source, which its row-level security may hide from who uses the model.
CREATE POLICY forecasts_select ON lstm.forecasts FOR SELECT
	USING ((actual IS NULL AND model OPERATOR(pg_catalog.=) ANY (SELECT m.name FROM lstm.models m))
		OR model OPERATOR(pg_catalog.=) ANY (SELECT m.name FROM lstm.models m
			WHERE pg_catalog.pg_has_role(
					pg_catalog.to_regrole(pg_catalog.quote_ident(m.owner::text))::oid, 'USAGE')
				OR EXISTS (SELECT FROM lstm.model_grants g
					WHERE g.model OPERATOR(pg_catalog.=) m.name
						AND g.owner OPERATOR(pg_catalog.=) m.owner
						AND g.action OPERATOR(pg_catalog.=) 'actuals')));
CREATE POLICY forecasts_delete ON lstm.forecasts FOR DELETE
	USING (model OPERATOR(pg_catalog.=) ANY (SELECT m.name FROM lstm.models m
		WHERE pg_catalog.pg_has_role(
			pg_catalog.to_regrole(pg_catalog.quote_ident(m.owner::text))::oid, 'USAGE')));
COMMENT ON POLICY forecasts_select ON lstm.forecasts IS
'who sees the model in lstm.models; rows with what came: members of the owner, and who was granted actuals';
COMMENT ON POLICY forecasts_delete ON lstm.forecasts IS 'members of the model''s owner';

ALTER TABLE lstm.forecasts OWNER TO @extowner@;
SELECT pg_catalog.pg_extension_config_dump('lstm.forecasts', '');

