\echo Use "CREATE EXTENSION lstm_postgis" to load this file. \quit

/*
 * lstm_postgis--0.1.0.sql
 *		Maps: what lstm asks of PostGIS, and forecasts with their geometry.
 *
 * PostGIS may live in any schema, and users may create objects in it.  So each of its
 * names is written @postgis@.name, and the text below is defined with the schema that it
 * is in now (PostGIS cannot be moved).  A function that a user added there is called in
 * place of PostGIS's where it fits better: so types are those that PostGIS declares, by casts
 * (which users cannot add), and all arguments are given, also those that have defaults.
 * Functions that run a model's source must leave the search_path as it is, so their
 * operators carry their schema; all others set it.
 */

SELECT pg_catalog.set_config('search_path', 'pg_catalog, pg_temp', true);

-- The name gets into quoted text below, and this script may run with more rights than its caller's.
DO $script$
DECLARE
	name		text := (SELECT n.nspname FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace WHERE e.extname = 'postgis');
BEGIN
	IF name ~ '["$''\\]' THEN
		RAISE invalid_schema_name USING MESSAGE = format('the schema of PostGIS, %s, has a character in its name that is not allowed', name),
			HINT = 'Rename the schema so that it has none of " $ '' \.';
	END IF;
END $script$;

DO $script$ BEGIN EXECUTE replace($lstm$

/* ------------------------------------------------------------------------
 * What lstm.train asks
 */

CREATE FUNCTION lstm.srid_is_geographic(srid int) RETURNS boolean
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT EXISTS (SELECT FROM @postgis@.spatial_ref_sys s WHERE s.srid = $1
		AND (s.srtext LIKE 'GEOGC%' OR s.proj4text ~ '\+proj=(longlat|latlong)'))
$$;
COMMENT ON FUNCTION lstm.srid_is_geographic(int) IS
'whether coordinates of an SRID are degrees of longitude and latitude, by spatial_ref_sys; false for one that is not there';

CREATE FUNCTION lstm.geom_describe(geom bytea[], geography boolean)
	RETURNS TABLE (
		site				int,
		kind				text,
		srid				int,
		is_empty			boolean,
		geographic			boolean,
		x					float8,
		y					float8)
	LANGUAGE sql STABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	WITH sites AS MATERIALIZED (
		SELECT u.n::int AS site, g.geom, @postgis@.ST_SRID(g.geom) AS srid, @postgis@.ST_IsEmpty(g.geom) AS is_empty
		FROM unnest($1) WITH ORDINALITY AS u(ewkb, n), LATERAL (SELECT @postgis@.ST_GeomFromEWKB(u.ewkb) AS geom) g
	), systems AS MATERIALIZED (
		SELECT d.srid, $2 OR lstm.srid_is_geographic(d.srid) AS geographic FROM (SELECT DISTINCT s.srid FROM sites s) d
	), centres AS MATERIALIZED (
		SELECT s.*, CASE WHEN NOT s.is_empty THEN @postgis@.ST_Centroid(s.geom) END AS centre FROM sites s
	)
	SELECT c.site, @postgis@.ST_GeometryType(c.geom), c.srid, c.is_empty, coalesce(s.geographic, $2),
		@postgis@.ST_X(c.centre), @postgis@.ST_Y(c.centre)
	FROM centres c LEFT JOIN systems s ON s.srid = c.srid
	ORDER BY c.site
$$;
COMMENT ON FUNCTION lstm.geom_describe(bytea[], boolean) IS
'what the geometries of sites (EWKB, in the order of their numbers from 1) are: ST_GeometryType, SRID, emptiness, whether coordinates are longitude and latitude (geography, or an SRID that is), centroid.
All NULL but site and geographic for a NULL element; x and y NULL for an empty geometry.';

CREATE FUNCTION lstm.geom_edges(geom bytea[], geography boolean, neighbors int, max_distance float8)
	RETURNS TABLE (
		source				int,
		target				int,
		distance			float8)
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE ROWS 10000
	SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off
AS $$
#variable_conflict use_column
DECLARE
	n			int := coalesce(cardinality($1), 0);
	at_most		int := nullif(least($3, n), 0);
	measured	text := 'geometry';
	spheroid	text := '';
	srids		int[];
	sites		text;
	number		int := 0;
BEGIN
	IF $1 IS NULL OR $2 IS NULL OR $3 IS NULL THEN
		RAISE null_value_not_allowed USING MESSAGE = 'arguments "geom", "geography" and "neighbors" must not be null';
	END IF;
	IF array_position($1, NULL) IS NOT NULL THEN
		RAISE null_value_not_allowed USING MESSAGE = format('the geometry of site %s is NULL', array_position($1, NULL));
	END IF;
	IF $3 < 0 OR NOT ($4 IS NULL OR $4 >= 0) OR $4 = 'NaN' THEN
		RAISE invalid_parameter_value USING MESSAGE = format('neighbors are %s and the distance is %s', $3, coalesce($4::text, 'NULL')),
			HINT = 'Give numbers that are not negative; 0 neighbors and distance NULL mean no limit.';
	END IF;
	SELECT array_agg(DISTINCT @postgis@.ST_SRID(@postgis@.ST_GeomFromEWKB(e))) INTO srids FROM unnest($1) e;
	IF cardinality(srids) > 1 THEN
		RAISE invalid_parameter_value USING MESSAGE = format('the geometries have SRIDs %s and %s', srids[1], srids[2]),
			HINT = 'Bring them into one with ST_Transform.';
	END IF;
	IF $2 OR lstm.srid_is_geographic(srids[1]) THEN
		measured := 'geography';
		spheroid := ', true';
	END IF;
	IF n > 4000 AND at_most IS NULL AND $4 IS NULL THEN
		RAISE program_limit_exceeded USING MESSAGE = format('%s sites have %s edges, more than 16 million', n, n::bigint * (n - 1)),
			HINT = 'Limit the neighbors of a site, or their distance.';
	END IF;

	-- Few sites: every pair, and no table, so that it works read-only.
	IF n <= 500 THEN
		RETURN QUERY EXECUTE format($query$
			WITH sites AS MATERIALIZED (
				SELECT u.n::int AS site, @postgis@.ST_GeomFromEWKB(u.ewkb)::@postgis@.%1$s AS geom
				FROM unnest($1) WITH ORDINALITY AS u(ewkb, n)
			), pairs AS (
				SELECT s.site AS source, t.site AS target, @postgis@.ST_Distance(s.geom, t.geom%2$s) AS distance
				FROM sites t, sites s WHERE s.site <> t.site
			), ranked AS (
				SELECT p.*, row_number() OVER (PARTITION BY p.target ORDER BY p.distance, p.source) AS rank
				FROM pairs p WHERE $3 IS NULL OR p.distance <= $3
			)
			SELECT r.source, r.target, r.distance FROM ranked r
			WHERE r.distance IS NOT NULL AND ($2 IS NULL OR r.rank <= $2)
			ORDER BY r.target, r.distance, r.source
			$query$, measured, spheroid) USING $1, at_most, $4;
		RETURN;
	END IF;

	IF NOT has_database_privilege(current_database(), 'TEMPORARY') THEN
		RAISE insufficient_privilege USING
			MESSAGE = format('role "%s" may not make temporary tables, which finding the neighbours of %s sites needs', current_user, n),
			HINT = format('GRANT TEMPORARY ON DATABASE %I TO %I; up to 500 sites do without.', current_database(), current_user);
	END IF;
	LOOP
		sites := format('pg_temp.lstm_sites_%s', number);
		EXIT WHEN to_regclass(sites) IS NULL;
		number := number + 1;
	END LOOP;
	EXECUTE format('CREATE TEMPORARY TABLE %s (site int NOT NULL, geom @postgis@.%s NOT NULL) ON COMMIT DROP', sites, measured);
	EXECUTE format('INSERT INTO %s SELECT u.n::int, g.geom::@postgis@.%s FROM unnest($1) WITH ORDINALITY AS u(ewkb, n),
		LATERAL (SELECT @postgis@.ST_GeomFromEWKB(u.ewkb) AS geom) g WHERE NOT @postgis@.ST_IsEmpty(g.geom)', sites, measured) USING $1;
	EXECUTE format('CREATE INDEX ON %s USING gist (geom @postgis@.%s)', sites,
		CASE measured WHEN 'geography' THEN 'gist_geography_ops' ELSE 'gist_geometry_ops_2d' END);
	EXECUTE format('ANALYZE %s', sites);

	-- The index orders by bounding boxes or on a sphere, and breaks ties as it likes.  What it
	-- finds says within which distance the nearest are; those are then put in order.
	RETURN QUERY EXECUTE format($query$
		SELECT e.source, t.site, e.distance
		FROM %1$s t, LATERAL (
			SELECT least($3, r.radius) AS radius FROM (
				SELECT max(@postgis@.ST_Distance(c.geom, t.geom%3$s)) * (1 + 1e-9) + 1e-9 AS radius FROM (
					SELECT s.geom FROM %1$s s WHERE $2 IS NOT NULL ORDER BY s.geom OPERATOR(@postgis@.<->) t.geom LIMIT $2 + 1) c) r) near,
			LATERAL (
			SELECT s.site AS source, @postgis@.ST_Distance(s.geom, t.geom%3$s) AS distance
			FROM %1$s s
			WHERE s.site <> t.site%2$s
			ORDER BY 2, 1 LIMIT $2) e
		WHERE $3 IS NULL OR e.distance <= $3
		ORDER BY t.site, e.distance, e.source
		$query$, sites, CASE WHEN at_most IS NOT NULL OR $4 IS NOT NULL
			THEN format(' AND @postgis@.ST_DWithin(s.geom, t.geom, near.radius%s)', spheroid) END, spheroid) USING $1, at_most, $4;
	EXECUTE format('DROP TABLE %s', sites);
END
$$;
COMMENT ON FUNCTION lstm.geom_edges(bytea[], boolean, int, float8) IS
'the neighbours of each site: for each target its nearest sources, at most so many (0: any number), within max_distance (NULL: any), in metres for longitude and latitude, else in units of the SRID; never itself.
Sites are numbered from 1 in the order of geom (EWKB); equal distances count in order of site; empty geometries have no neighbours.
Above 500 sites it makes a temporary table with an index, which is gone when it returns; below it reads only.
Errors: 22004 NULL, 22023 negative limits or several SRIDs, 42501 no right to temporary tables, 25006 read-only, 54000 above 16 million edges.';

/* ------------------------------------------------------------------------
 * Forecasts with their geometry
 */

CREATE FUNCTION lstm.site_geometries(model text, version int DEFAULT NULL)
	RETURNS TABLE (
		site				int,
		series				text,
		"row"				int,
		"column"			int,
		geom				@postgis@.geometry,
		geographic			boolean)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	known		bigint;
	system		int;
	degrees		boolean;
BEGIN
	IF $1 IS NULL THEN
		RAISE null_value_not_allowed USING MESSAGE = 'argument "model" must not be null';
	END IF;
	SELECT count(s.geom), max(@postgis@.ST_SRID(@postgis@.ST_GeomFromEWKB(s.geom))), bool_or(s.geography)
		INTO known, system, degrees FROM lstm.sites($1, $2) s;
	IF known = 0 THEN
		RAISE object_not_in_prerequisite_state USING MESSAGE = format('model "%s" knows no places', $1),
			HINT = 'Train it with lstm.train(..., geom => ''column'').';
	END IF;
	degrees := degrees OR lstm.srid_is_geographic(system);
	RETURN QUERY SELECT s.site, s.series, s."row", s."column", @postgis@.ST_GeomFromEWKB(s.geom), degrees
		FROM lstm.sites($1, $2) s WHERE s.geom IS NOT NULL ORDER BY s.site;
END
$$;
COMMENT ON FUNCTION lstm.site_geometries(text, int) IS
'lstm.sites with geometries, in the source''s SRID, of the series whose place is known; geographic: longitude and latitude.
Errors as of lstm.describe; 55000 a model that was trained without geom.';

CREATE FUNCTION lstm.forecast_geom(
	model				text,
	horizon				int DEFAULT NULL,
	confidence_level	float8 DEFAULT 0.95,
	source				text DEFAULT NULL,
	future				text DEFAULT NULL,
	as_of				timestamptz DEFAULT NULL,
	version				int DEFAULT NULL)
	RETURNS TABLE (
		series				text,
		target				text,
		step				int,
		forecast_timestamp	timestamptz,
		forecast_index		bigint,
		forecast_value		float8,
		confidence_level	float8,
		prediction_interval_lower_bound	float8,
		prediction_interval_upper_bound	float8,
		series_key			jsonb,
		geom				@postgis@.geometry)
	LANGUAGE sql STABLE PARALLEL RESTRICTED
AS $$
	WITH s AS MATERIALIZED (SELECT g.series, g.geom FROM lstm.site_geometries($1, $7) g)
	SELECT f.series, f.target, f.step, f.forecast_timestamp, f.forecast_index, f.forecast_value, f.confidence_level,
		f.prediction_interval_lower_bound, f.prediction_interval_upper_bound, f.series_key, s.geom
	FROM lstm.forecast($1, $2, $3, $4, $5, $6, $7) f
		LEFT JOIN s ON coalesce(s.series, '') OPERATOR(pg_catalog.=) coalesce(f.series, '')
$$;
COMMENT ON FUNCTION lstm.forecast_geom(text, int, float8, text, text, timestamptz, int) IS
'lstm.forecast with the geometry of each series, in the source''s SRID (geography comes as geometry); NULL for a series that the model was not trained on.
Errors as of lstm.forecast; 55000 a model that was trained without geom.';

CREATE FUNCTION lstm.kriging_weights(
	model				text,
	series				text[],
	distances			float8[],
	place_distances		float8[],
	centre_distances	float8[],
	confidence_level	float8 DEFAULT 0.95,
	source				text DEFAULT NULL,
	as_of				timestamptz DEFAULT NULL,
	version				int DEFAULT NULL)
	RETURNS TABLE (
		target				text,
		series				text,
		weight				float8,
		shift				float8,
		margin				float8)
	AS 'MODULE_PATHNAME', 'lstm_kriging_weights' LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 64;
COMMENT ON FUNCTION lstm.kriging_weights(text, text[], float8[], float8[], float8[], float8, text, timestamptz, int) IS
'how a value at a place is made from those of at most 64 series around it: shift + sum of weight times value; the weights have sum 1.
Anomalies by ordinary kriging (Matheron 1963) with the correlation (1 - nugget) exp(-distance / range), fitted by least squares to the correlations of the series over their newest 1,024 rows; levels, the series'' means over those rows, by kriging with a weak trend in the distance from the centre, of their logarithms where no value in the rows is below 0.
distances: between the series, row by row; place_distances: to the place; centre_distances: of the series, then of the place, from the centre of all; all in one unit.
margin: half-width at confidence_level of what the place has to itself, scaled by what leaving out each series would have missed (Dubrule 1983); NULL where nothing is known of it: then the weights are those of inverse squared distance.
Errors as of lstm.forecast; 22004 NULL, also as a series, 22023 distances that are none, an unknown series.';

CREATE FUNCTION lstm.place_sites(model text, version int, place @postgis@.geometry, among text[])
	RETURNS TABLE (
		geom				@postgis@.geometry,
		series				text[],
		distances			float8[],
		place_distances		float8[],
		centre_distances	float8[])
	-- Unsafe: it catches errors of ST_Transform, which parallel mode does not allow before 17.
	LANGUAGE plpgsql STABLE PARALLEL UNSAFE ROWS 1 SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	system		int;
	measured	text;
	spheroid	text;
	centre		@postgis@.geometry := $3;
BEGIN
	IF $3 IS NULL THEN
		RAISE null_value_not_allowed USING MESSAGE = 'argument "place" must not be null';
	END IF;
	IF @postgis@.ST_IsEmpty($3) OR @postgis@.ST_GeometryType($3) <> 'ST_Point' THEN
		RAISE invalid_parameter_value USING
			MESSAGE = format('argument "place" is %s %s, not a point', CASE WHEN @postgis@.ST_IsEmpty($3) THEN 'an empty' ELSE 'a' END,
				@postgis@.ST_GeometryType($3)),
			HINT = 'Give a point, such as ST_PointOnSurface of an area.';
	END IF;
	SELECT @postgis@.ST_SRID(g.geom), CASE WHEN g.geographic THEN 'geography' ELSE 'geometry' END INTO system, measured
		FROM lstm.site_geometries($1, $2) g LIMIT 1;
	IF @postgis@.ST_SRID($3) = 0 THEN
		centre := @postgis@.ST_SetSRID($3, system);
	ELSIF system = 0 THEN
		RAISE invalid_parameter_value USING
			MESSAGE = format('argument "place" has SRID %s, but the places of model "%s" have none', @postgis@.ST_SRID($3), $1),
			HINT = 'Give coordinates as in the source, without SRID.';
	ELSIF @postgis@.ST_SRID($3) <> system THEN
		IF NOT EXISTS (SELECT FROM @postgis@.spatial_ref_sys s WHERE s.srid = @postgis@.ST_SRID($3)) THEN
			RAISE invalid_parameter_value USING MESSAGE = format('argument "place" has SRID %s, which spatial_ref_sys does not have', @postgis@.ST_SRID($3));
		END IF;
		BEGIN
			centre := @postgis@.ST_Transform($3, system);
		EXCEPTION WHEN internal_error THEN
			RAISE invalid_parameter_value USING MESSAGE = format('argument "place" cannot be transformed from SRID %s to %s',
				@postgis@.ST_SRID($3), system), DETAIL = SQLERRM;
		END;
	END IF;
	IF NOT (abs(@postgis@.ST_X(centre)) < 'Infinity' AND abs(@postgis@.ST_Y(centre)) < 'Infinity') THEN
		RAISE invalid_parameter_value USING MESSAGE = format('argument "place" has no finite coordinates in SRID %s', system);
	END IF;
	spheroid := CASE measured WHEN 'geography' THEN ', true' ELSE '' END;
	RETURN QUERY EXECUTE format($query$
		WITH sites AS MATERIALIZED (
			SELECT g.site, g.series, g.geom, @postgis@.ST_Centroid(g.geom) AS middle
			FROM lstm.site_geometries($1, $2) g WHERE NOT @postgis@.ST_IsEmpty(g.geom)
		), centre AS MATERIALIZED (
			SELECT @postgis@.ST_Centroid(@postgis@.ST_Collect(s.middle))::@postgis@.%1$s AS geom FROM sites s
		), near AS MATERIALIZED (
			SELECT row_number() OVER (ORDER BY d.distance, s.site) AS n, s.series, d.distance, s.middle::@postgis@.%1$s AS geom
			FROM sites s, LATERAL (SELECT CASE WHEN @postgis@.ST_Intersects(s.geom, $3) THEN 0
				ELSE @postgis@.ST_Distance(s.middle::@postgis@.%1$s, $3::@postgis@.%1$s%2$s) END AS distance) d
			WHERE coalesce(s.series, '') IN (SELECT coalesce(a.series, '') FROM unnest($4) a(series))
			ORDER BY 1 LIMIT 64
		)
		SELECT $3, (SELECT array_agg(a.series ORDER BY a.n) FROM near a),
			(SELECT array_agg(@postgis@.ST_Distance(a.geom, b.geom%2$s) ORDER BY a.n, b.n) FROM near a, near b),
			(SELECT array_agg(a.distance ORDER BY a.n) FROM near a),
			(SELECT array_agg(@postgis@.ST_Distance(a.geom, c.geom%2$s) ORDER BY a.n) FROM near a, centre c)
				|| (SELECT @postgis@.ST_Distance($3::@postgis@.%1$s, c.geom%2$s) FROM centre c)
		WHERE EXISTS (SELECT FROM near)
		$query$, measured, spheroid) USING $1, $2, centre, $4;
	IF NOT FOUND THEN
		RAISE data_exception USING MESSAGE = format('none of the series to forecast has a place in model "%s"', $1),
			HINT = 'Forecast series that the model was trained on.';
	END IF;
END
$$;
COMMENT ON FUNCTION lstm.place_sites(text, int, @postgis@.geometry, text[]) IS
'the 64 series of a model that are nearest to a point, of those named, with their distances to each other (row by row) and to the point, and from the centre of all, as lstm.kriging_weights wants them: between centroids, 0 where the point lies within the series'' geometry, in metres for longitude and latitude.
geom: the point in the model''s SRID; one without SRID is taken to be in it.
Errors: 22004 NULL, 22023 no point, or one that cannot be transformed, 55000 a model that was trained without geom, 22000 no series left.';

CREATE FUNCTION lstm.forecast_at(
	model				text,
	place				@postgis@.geometry,
	horizon				int DEFAULT NULL,
	confidence_level	float8 DEFAULT 0.95,
	source				text DEFAULT NULL,
	future				text DEFAULT NULL,
	as_of				timestamptz DEFAULT NULL,
	version				int DEFAULT NULL)
	RETURNS TABLE (
		target				text,
		step				int,
		forecast_timestamp	timestamptz,
		forecast_index		bigint,
		forecast_value		float8,
		confidence_level	float8,
		prediction_interval_lower_bound	float8,
		prediction_interval_upper_bound	float8,
		geom				@postgis@.geometry)
	LANGUAGE sql STABLE PARALLEL UNSAFE
AS $$
	WITH f AS MATERIALIZED (
		SELECT * FROM lstm.forecast($1, $3, $4, $5, $6, $7, $8)
	), near AS MATERIALIZED (
		SELECT * FROM lstm.place_sites($1, $8, $2, ARRAY(SELECT DISTINCT f.series FROM f))
	), w AS MATERIALIZED (
		SELECT k.* FROM near, lstm.kriging_weights($1, near.series, near.distances, near.place_distances, near.centre_distances, $4, $5, $7, $8) k
		WHERE k.weight OPERATOR(pg_catalog.<>) 0
	), mixed AS (
		SELECT f.target, f.step, f.forecast_timestamp, f.forecast_index, pg_catalog.max(w.margin) AS margin,
			pg_catalog.max(w.shift) OPERATOR(pg_catalog.+) pg_catalog.sum(w.weight OPERATOR(pg_catalog.*) f.forecast_value ORDER BY f.series) AS value,
			pg_catalog.sum(pg_catalog.abs(w.weight) OPERATOR(pg_catalog.*) (f.forecast_value OPERATOR(pg_catalog.-)
				f.prediction_interval_lower_bound) ORDER BY f.series) OPERATOR(pg_catalog./) pg_catalog.sum(pg_catalog.abs(w.weight)) AS below,
			pg_catalog.sum(pg_catalog.abs(w.weight) OPERATOR(pg_catalog.*) (f.prediction_interval_upper_bound OPERATOR(pg_catalog.-)
				f.forecast_value) ORDER BY f.series) OPERATOR(pg_catalog./) pg_catalog.sum(pg_catalog.abs(w.weight)) AS above
		FROM f JOIN w ON w.target OPERATOR(pg_catalog.=) f.target
			AND coalesce(w.series, '') OPERATOR(pg_catalog.=) coalesce(f.series, '')
		GROUP BY f.target, f.step, f.forecast_timestamp, f.forecast_index
	)
	SELECT m.target, m.step, m.forecast_timestamp, m.forecast_index, m.value, $4,
		m.value OPERATOR(pg_catalog.-) pg_catalog.sqrt(m.below OPERATOR(pg_catalog.*) m.below
			OPERATOR(pg_catalog.+) coalesce(m.margin OPERATOR(pg_catalog.*) m.margin, 0)),
		m.value OPERATOR(pg_catalog.+) pg_catalog.sqrt(m.above OPERATOR(pg_catalog.*) m.above
			OPERATOR(pg_catalog.+) coalesce(m.margin OPERATOR(pg_catalog.*) m.margin, 0)),
		near.geom
	FROM mixed m, near
	ORDER BY m.target, m.step
$$;
COMMENT ON FUNCTION lstm.forecast_at(text, @postgis@.geometry, int, float8, text, text, timestamptz, int) IS
'forecasts for a point without a sensor: made from those of the 64 nearest series by lstm.kriging_weights; at a series'' place, or within its geometry, that series'' own.
The half-width of the interval is the root of the sum of two squares: the series'' own, averaged by weight, and the margin of the place.
place: in any SRID, it is transformed; geom is the place in the source''s SRID. Other arguments as of lstm.forecast.
Reads the source twice: for the forecasts, and for levels and correlations of its newest rows.
Errors as of lstm.forecast; 22004 NULL place, 22023 a place that is no point or cannot be transformed, 55000 a model that was trained without geom.';

/* ------------------------------------------------------------------------
 * Maps
 */

CREATE FUNCTION lstm.tile_sites(z int, x int, y int, model text, version int DEFAULT NULL)
	RETURNS TABLE (
		site				int,
		series				text,
		geom				@postgis@.geometry)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	bounds		@postgis@.geometry;
	system		int;
BEGIN
	IF $1 IS NULL OR $2 IS NULL OR $3 IS NULL THEN
		RAISE null_value_not_allowed USING MESSAGE = 'arguments "z", "x" and "y" must not be null';
	END IF;
	IF $1 NOT BETWEEN 0 AND 30 THEN
		RAISE invalid_parameter_value USING MESSAGE = format('argument "z" is %s, outside of 0 to 30', $1);
	END IF;
	IF $2 NOT BETWEEN 0 AND (1 << $1) - 1 OR $3 NOT BETWEEN 0 AND (1 << $1) - 1 THEN
		RAISE invalid_parameter_value USING MESSAGE = format('there is no tile %s/%s/%s', $1, $2, $3),
			HINT = format('At zoom %s, x and y are 0 to %s.', $1, (1 << $1) - 1);
	END IF;
	SELECT @postgis@.ST_SRID(g.geom) INTO system FROM lstm.site_geometries($4, $5) g LIMIT 1;
	IF system = 0 THEN
		RAISE object_not_in_prerequisite_state USING MESSAGE = format('the places of model "%s" have no SRID', $4),
			HINT = 'Train on geometries that say where they are, with ST_SetSRID.';
	END IF;
	-- ST_AsMVT takes rows of any type, so one of the same name that takes just these would come before it.
	IF EXISTS (SELECT FROM pg_proc p WHERE p.proname = 'st_asmvt' AND p.pronamespace = '@postgis@'::regnamespace
			AND NOT EXISTS (SELECT FROM pg_depend d JOIN pg_extension e ON d.refclassid = 'pg_extension'::regclass AND d.refobjid = e.oid
				WHERE d.classid = 'pg_proc'::regclass AND d.objid = p.oid AND d.deptype = 'e' AND e.extname = 'postgis')) THEN
		RAISE ambiguous_function USING MESSAGE = 'schema @postgis@ has a function st_asmvt that is not of PostGIS',
			HINT = 'Drop it; nobody but the owner of PostGIS should create functions there.';
	END IF;
	bounds := @postgis@.ST_TileEnvelope($1, $2, $3,
		'SRID=3857;LINESTRING(-20037508.342789244 -20037508.342789244, 20037508.342789244 20037508.342789244)'::@postgis@.geometry, 0.0::float8);
	-- A margin of a 64th keeps points at the edge from being cut in both tiles.
	RETURN QUERY SELECT m.site, m.series, m.geom FROM (
		SELECT g.site, g.series, @postgis@.ST_AsMVTGeom(t.geom, bounds::@postgis@.box2d, 4096, 64, true) AS geom
		FROM lstm.site_geometries($4, $5) g, LATERAL (SELECT @postgis@.ST_Transform(g.geom, 3857) AS geom) t
		WHERE t.geom OPERATOR(@postgis@.&&) @postgis@.ST_Expand(bounds, (@postgis@.ST_XMax(bounds::@postgis@.box3d) - @postgis@.ST_XMin(bounds::@postgis@.box3d)) / 64)) m
	WHERE m.geom IS NOT NULL ORDER BY m.site;
END
$$;
COMMENT ON FUNCTION lstm.tile_sites(int, int, int, text, int) IS
'the series of a model within a tile of the web Mercator pyramid, with their geometry in the tile''s own units (4,096 to a side).
Errors: 22004 NULL, 22023 no such tile, 42725 a function st_asmvt beside that of PostGIS, 55000 a model that was trained without geom, or whose geometries have no SRID.';

CREATE FUNCTION lstm.forecast_tile(
	z					int,
	x					int,
	y					int,
	model				text,
	step				int DEFAULT 1,
	confidence_level	float8 DEFAULT 0.95,
	version				int DEFAULT NULL,
	layer				text DEFAULT 'forecast')
	RETURNS bytea
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
AS $$
DECLARE
	tile		pg_catalog.bytea;
BEGIN
	IF layer IS NULL THEN
		RAISE null_value_not_allowed USING MESSAGE = 'argument "layer" must not be null';
	END IF;
	-- No forecast where there is nothing to show.
	IF NOT EXISTS (SELECT FROM lstm.tile_sites($1, $2, $3, $4, $7)) THEN
		RETURN '';
	END IF;
	SELECT @postgis@.ST_AsMVT(q.*, $8, 4096, 'geom', 'id') INTO tile FROM (
		SELECT (pg_catalog.row_number() OVER (ORDER BY s.site, f.target, f.step))::pg_catalog.int4 AS id, s.geom, f.series, f.target, f.step,
			pg_catalog.to_char(pg_catalog.timezone('UTC', f.forecast_timestamp), 'YYYY-MM-DD"T"HH24:MI:SS"Z"') AS forecast_timestamp,
			f.forecast_index, f.forecast_value AS value, f.prediction_interval_lower_bound AS lower, f.prediction_interval_upper_bound AS upper
		FROM lstm.tile_sites($1, $2, $3, $4, $7) s
			JOIN lstm.forecast($4, horizon => $5, confidence_level => $6, version => $7) f
				ON coalesce(s.series, '') OPERATOR(pg_catalog.=) coalesce(f.series, '')
		WHERE $5 IS NULL OR f.step OPERATOR(pg_catalog.=) $5
		ORDER BY 1) q;
	RETURN coalesce(tile, '');
END
$$;
COMMENT ON FUNCTION lstm.forecast_tile(int, int, int, text, int, float8, int, text) IS
'forecasts as a Mapbox vector tile, for a tile server to hand out: one feature per series and target in the tile z/x/y, with attributes series, target, step, forecast_timestamp (ISO 8601, UTC), forecast_index, value, lower and upper; those that are NULL are left out.
step: which step ahead, NULL: all of the trained horizon; layer: name of the tile''s layer.  Empty where the tile has no series; then nothing is forecast.
Every tile costs a forecast of the whole model: cache them, or serve a table made from lstm.forecast_geom.
Errors as of lstm.forecast; 22023 no such tile, 42725 a function st_asmvt beside that of PostGIS, 55000 a model that was trained without geom, or whose geometries have no SRID.';

CREATE FUNCTION lstm.map_type(model text) RETURNS text
	LANGUAGE sql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT '@postgis@.geometry' || CASE WHEN count(DISTINCT k.dims) = 1 THEN '(' || CASE WHEN count(DISTINCT k.kind) = 1 THEN min(k.kind) ELSE 'Geometry' END
		|| (ARRAY['', 'M', 'Z', 'ZM'])[min(k.dims) + 1] || ', ' || max(k.srid) || ')' ELSE '' END
	FROM (SELECT substr(@postgis@.ST_GeometryType(g.geom), 4) AS kind, @postgis@.ST_Zmflag(g.geom)::int AS dims, @postgis@.ST_SRID(g.geom) AS srid
		FROM lstm.site_geometries($1) g) k
$$;
COMMENT ON FUNCTION lstm.map_type(text) IS
'type of geometry, with SRID, that the places of all series of a model have; without where some have Z or M and others not.
Errors as of lstm.site_geometries.';

CREATE FUNCTION lstm.map_view_define(model text, schema text, name text) RETURNS text
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
DECLARE
	type		text := lstm.map_type($1);
	view		text := format('%I.%I', $2, $3);
BEGIN
	IF to_regclass(view) IS NOT NULL AND NOT EXISTS (
		SELECT FROM pg_rewrite r JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = r.oid
			JOIN pg_proc p ON d.refclassid = 'pg_proc'::regclass AND d.refobjid = p.oid
		WHERE r.ev_class = to_regclass(view) AND p.proname = 'forecast_geom' AND p.pronamespace = 'lstm'::regnamespace) THEN
		RAISE duplicate_table USING MESSAGE = format('%s is there, and is no view that lstm.create_map_view made', view),
			HINT = 'Give another name as argument "view".';
	END IF;
	BEGIN
		EXECUTE format($view$CREATE OR REPLACE VIEW %s AS
			SELECT (row_number() OVER (ORDER BY f.series, f.target, f.step))::int AS id, f.geom::%s AS geom,
				f.series, f.target, f.step, f.forecast_timestamp, f.forecast_value,
				f.prediction_interval_lower_bound AS lower, f.prediction_interval_upper_bound AS upper, f.forecast_index
			FROM lstm.forecast_geom(%L) f$view$, view, type, $1);
	EXCEPTION WHEN invalid_table_definition THEN
		RAISE invalid_table_definition USING MESSAGE = format('geometries of view %s have another type than %s', view, type),
			HINT = format('DROP VIEW %s, and create it again.', view);
	END;
	EXECUTE format($view$
		COMMENT ON VIEW %1$s IS %2$L;
		COMMENT ON COLUMN %1$s.id IS 'unique number';
		COMMENT ON COLUMN %1$s.geom IS 'place of the series';
		COMMENT ON COLUMN %1$s.series IS 'series, NULL where the model has one';
		COMMENT ON COLUMN %1$s.target IS 'column that is forecast';
		COMMENT ON COLUMN %1$s.step IS 'steps ahead of the newest row, from 1';
		COMMENT ON COLUMN %1$s.forecast_timestamp IS 'time that is forecast';
		COMMENT ON COLUMN %1$s.forecast_value IS 'forecast, in units of target';
		COMMENT ON COLUMN %1$s.lower IS 'lower bound of the 95 %% interval';
		COMMENT ON COLUMN %1$s.upper IS 'upper bound of the 95 %% interval';
		COMMENT ON COLUMN %1$s.forecast_index IS 'time that is forecast, of models with integer times'
		$view$, view, format('forecasts of model "%s" with their places, made when they are read; by lstm.create_map_view', $1));
	RETURN view;
END
$$;
COMMENT ON FUNCTION lstm.map_view_define(text, text, text) IS
'what lstm.create_map_view does, once the schema is known';

CREATE FUNCTION lstm.create_map_view(model text, view text DEFAULT NULL) RETURNS text
	LANGUAGE plpgsql VOLATILE PARALLEL UNSAFE
AS $$
DECLARE
	parts		pg_catalog.text[] := CASE WHEN $2 IS NULL THEN ARRAY[pg_catalog.concat($1, '_map')] ELSE pg_catalog.parse_ident($2) END;
	n			pg_catalog.int4 := pg_catalog.cardinality(parts);
BEGIN
	IF n OPERATOR(pg_catalog.>) 2 OR pg_catalog.octet_length(parts[n]) OPERATOR(pg_catalog.>) 63 THEN
		RAISE invalid_name USING MESSAGE = pg_catalog.format('"%s" is no name of a view', pg_catalog.array_to_string(parts, '.')),
			HINT = 'Give a name of at most 63 bytes, with or without a schema, as argument "view".';
	END IF;
	IF n OPERATOR(pg_catalog.=) 1 AND pg_catalog.current_schema() IS NULL THEN
		RAISE invalid_schema_name USING MESSAGE = 'no schema of the search_path is there',
			HINT = 'Name the view with its schema.';
	END IF;
	RETURN lstm.map_view_define($1, CASE n WHEN 1 THEN pg_catalog.current_schema()::pg_catalog.text ELSE parts[1] END, parts[n]);
END
$$;
COMMENT ON FUNCTION lstm.create_map_view(text, text) IS
'creates (or renews) a view over lstm.forecast_geom of the deployed version that QGIS loads at once: key id, geom with the type and SRID that the model''s places have, series, target, step, forecast_timestamp, forecast_value, lower, upper, forecast_index.
view: its name, as SQL would write it, in the first schema of search_path unless it names one; left out: the model''s name with _map.  Returns the name.
Each reading forecasts anew, with the reader''s rights.
Errors: 42P07 something else has the name, 42P16 the type of the places has changed, 42602 no name, 3F000 no schema, 55000 a model that was trained without geom.';

/* ------------------------------------------------------------------------
 * Pictures
 */

CREATE FUNCTION lstm.map_picture(title text, label text, geographic boolean, unit float8, series text[], value float8[],
	place int[], ring int[], kind int[], x float8[], y float8[], cell_x float8, cell_y float8)
	RETURNS xml
	AS 'MODULE_PATHNAME', 'lstm_map_picture' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lstm.map_picture(text, text, boolean, float8, text[], float8[], int[], int[], int[], float8[], float8[], float8, float8) IS
'what lstm.plot_map draws: series with their values, and vertices of each: place (its number among the series, from 1, ascending), ring (equal for what is joined), kind (0 point, 1 line, 2 area), x and y.
unit: metres of a unit of x and y, NULL: unknown, then no scale is drawn; cell_x, cell_y: points are cells of that size, NULL: dots.
Errors: 22004 NULL, but for values, unit and cells; 22023 arrays of different lengths, vertices out of order or not finite.';

CREATE FUNCTION lstm.map_places(model text, version int DEFAULT NULL,
	OUT series text[], OUT place int[], OUT ring int[], OUT kind int[], OUT x float8[], OUT y float8[],
	OUT geographic boolean, OUT unit float8, OUT cell_x float8, OUT cell_y float8)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	square		boolean := lstm.describe($1, $2)->'space'->>'cells' = 'square';
BEGIN
	-- What is finer than a pixel is not worth its text.
	WITH sites AS MATERIALIZED (
		SELECT row_number() OVER (ORDER BY g.site)::int AS number, g.* FROM lstm.site_geometries($1, $2) g WHERE NOT @postgis@.ST_IsEmpty(g.geom)
	), extent AS MATERIALIZED (
		SELECT greatest(max(@postgis@.ST_XMax(b.box)) - min(@postgis@.ST_XMin(b.box)), max(@postgis@.ST_YMax(b.box)) - min(@postgis@.ST_YMin(b.box))) / 1500 AS fine
		FROM sites s, LATERAL (SELECT s.geom::@postgis@.box3d AS box) b
	), vertices AS MATERIALIZED (
		SELECT s.number, d.path, @postgis@.ST_Dimension(s.geom) AS kind, @postgis@.ST_X(d.geom) AS x, @postgis@.ST_Y(d.geom) AS y,
			dense_rank() OVER (ORDER BY s.number, d.path[1:cardinality(d.path) - 1])::int AS ring
		FROM sites s, extent e, LATERAL (SELECT CASE WHEN @postgis@.ST_NPoints(s.geom) > 20
			THEN @postgis@.ST_Simplify(s.geom, e.fine, true) ELSE s.geom END AS geom) f, LATERAL @postgis@.ST_DumpPoints(f.geom) d
	), cells AS MATERIALIZED (
		SELECT abs(regr_slope(c.x, s."column")) AS dx, abs(regr_slope(c.y, s."row")) AS dy,
			bool_and(@postgis@.ST_Dimension(s.geom) = 0) AND coalesce(regr_r2(c.x, s."column"), 1) > 0.999 AND coalesce(regr_r2(c.y, s."row"), 1) > 0.999
				AND square AS drawn
		FROM sites s, LATERAL (SELECT @postgis@.ST_X(p.geom) AS x, @postgis@.ST_Y(p.geom) AS y FROM @postgis@.ST_Centroid(s.geom) AS p(geom)) c
	), system AS (
		SELECT r.proj4text AS proj FROM @postgis@.spatial_ref_sys r WHERE r.srid = (SELECT @postgis@.ST_SRID(s.geom) FROM sites s LIMIT 1)
	)
	SELECT (SELECT array_agg(coalesce(s.series, '') ORDER BY s.number) FROM sites s),
		v.place, v.ring, v.kind, v.x, v.y, (SELECT bool_or(s.geographic) FROM sites s),
		-- A map that stretches towards the poles has no one scale.
		(SELECT CASE WHEN r.proj ~ '\+proj=(merc|webmerc)' THEN NULL WHEN r.proj ~ '\+units=m( |$)' THEN 1
			ELSE substring(r.proj FROM '\+to_meter=([0-9.]+)')::float8 END FROM system r),
		(SELECT coalesce(c.dx, c.dy) FROM cells c WHERE c.drawn), (SELECT coalesce(c.dy, c.dx) FROM cells c WHERE c.drawn)
	INTO series, place, ring, kind, x, y, geographic, unit, cell_x, cell_y
	FROM (SELECT array_agg(u.number ORDER BY u.number, u.path) AS place, array_agg(u.ring ORDER BY u.number, u.path) AS ring,
		array_agg(u.kind ORDER BY u.number, u.path) AS kind, array_agg(u.x ORDER BY u.number, u.path) AS x,
		array_agg(u.y ORDER BY u.number, u.path) AS y FROM vertices u) v;
END
$$;
COMMENT ON FUNCTION lstm.map_places(text, int) IS
'the places of a model''s series as lstm.map_picture wants them; series without a name as empty text.
Errors as of lstm.site_geometries.';

CREATE FUNCTION lstm.plot_map(
	model				text,
	step				int DEFAULT 1,
	target				text DEFAULT NULL,
	source				text DEFAULT NULL,
	future				text DEFAULT NULL,
	as_of				timestamptz DEFAULT NULL,
	version				int DEFAULT NULL)
	RETURNS xml
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED
AS $$
DECLARE
	p			record;
	f			record;
	targets		pg_catalog.text[];
	shown		pg_catalog.text;
BEGIN
	IF step IS NULL THEN
		RAISE null_value_not_allowed USING MESSAGE = 'argument "step" must not be null';
	END IF;
	IF step OPERATOR(pg_catalog.<) 1 THEN
		RAISE invalid_parameter_value USING MESSAGE = pg_catalog.format('argument "step" is %s, outside of its range', step),
			HINT = 'Steps ahead of the newest row are counted from 1.';
	END IF;
	targets := ARRAY(SELECT pg_catalog.jsonb_array_elements_text(pg_catalog.jsonb_extract_path(lstm.describe($1, $7), 'target')));
	SELECT * INTO p FROM lstm.map_places($1, $7);
	shown := coalesce($3, targets[1]);
	IF shown OPERATOR(pg_catalog.<>) ALL (targets) THEN
		RAISE invalid_parameter_value USING MESSAGE = pg_catalog.format('model "%s" has no target "%s"', $1, $3),
			HINT = pg_catalog.format('Its targets are: %s.', pg_catalog.array_to_string(targets, ', '));
	END IF;
	IF $3 IS NULL AND pg_catalog.cardinality(targets) OPERATOR(pg_catalog.>) 1 THEN
		RAISE NOTICE USING MESSAGE = pg_catalog.format('plotting target "%s", the first of %s', shown, pg_catalog.cardinality(targets)),
			HINT = 'Name another with argument "target".';
	END IF;
	SELECT pg_catalog.array_agg(q.forecast_value ORDER BY s.n) AS value, pg_catalog.min(q.forecast_timestamp) AS at, pg_catalog.min(q.forecast_index) AS index
		INTO f FROM ROWS FROM (pg_catalog.unnest(p.series)) WITH ORDINALITY AS s(series, n)
		LEFT JOIN (SELECT a.* FROM lstm.forecast($1, $2, 0.95, $4, $5, $6, $7) a
			WHERE a.target OPERATOR(pg_catalog.=) shown AND a.step OPERATOR(pg_catalog.=) $2) q
			ON coalesce(q.series, '') OPERATOR(pg_catalog.=) s.series;
	RETURN lstm.map_picture(
		pg_catalog.format('%s: %s', $1, coalesce(
			pg_catalog.to_char(f.at, CASE WHEN pg_catalog.date_trunc('day', f.at) OPERATOR(pg_catalog.=) f.at THEN 'YYYY-MM-DD' ELSE 'YYYY-MM-DD HH24:MI' END),
			f.index::pg_catalog.text, 'no forecast')),
		pg_catalog.format('%s, %s step%s ahead', shown, $2, CASE WHEN $2 OPERATOR(pg_catalog.>) 1 THEN 's' ELSE '' END),
		p.geographic, p.unit, p.series, f.value, p.place, p.ring, p.kind, p.x, p.y, p.cell_x, p.cell_y);
END
$$;
COMMENT ON FUNCTION lstm.plot_map(text, int, text, text, text, timestamptz, int) IS
'a picture (SVG, light and dark, no script) of the forecast of one step ahead at the places of the series: dots, lines or areas as the geometries are, points of a square grid as cells, in the colours of viridis, with their scale and, where its unit is known, that of the map; names beside at most 40 dots, as far as there is room.
step: from 1; target: the first when left out, with a NOTICE where there are others.  Time stamps are in the session''s time zone.  North is up; longitude and latitude are drawn with the middle latitude''s scale.
Text: about 0.6 MB for 10,000 cells.  Costs a forecast of all series.
Errors as of lstm.forecast; 22023 no such target, step below 1, 55000 a model that was trained without geom, 0A000 a joint model.';

/* ------------------------------------------------------------------------
 * Rasters
 */

CREATE FUNCTION lstm.raster_cells(model text, version int DEFAULT NULL)
	RETURNS TABLE (
		series				text,
		"column"			int,
		"row"				int,
		width				int,
		height				int,
		frame				bytea)
	LANGUAGE plpgsql STABLE PARALLEL RESTRICTED SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
#variable_conflict use_column
DECLARE
	grid		record;
	wide		int;
	high		int;
	dx			float8;
	dy			float8;
BEGIN
	SELECT min(g."column") AS c0, max(g."column") AS c1, min(g."row") AS r0, max(g."row") AS r1, max(@postgis@.ST_SRID(g.geom)) AS srid,
		min(c.x) AS x0, max(c.x) AS x1, min(c.y) AS y0, max(c.y) AS y1,
		regr_slope(c.x, g."column") AS right, regr_slope(c.y, g."row") AS down,
		max(@postgis@.ST_XMax(b.box) - @postgis@.ST_XMin(b.box)) AS cell_x, max(@postgis@.ST_YMax(b.box) - @postgis@.ST_YMin(b.box)) AS cell_y
		INTO grid
	FROM lstm.site_geometries($1, $2) g, LATERAL (SELECT g.geom::@postgis@.box3d AS box) b, LATERAL (
		SELECT @postgis@.ST_X(p.geom) AS x, @postgis@.ST_Y(p.geom) AS y FROM @postgis@.ST_Centroid(g.geom) AS p(geom)) c;
	IF grid.c0 IS NULL OR grid.r0 IS NULL THEN
		RAISE invalid_parameter_value USING MESSAGE = format('the series of model "%s" are no grid', $1),
			HINT = 'lstm.forecast_geom gives forecasts with their geometry.';
	END IF;
	IF lstm.describe($1, $2)->'space'->>'cells' = 'hexagonal' THEN
		RAISE feature_not_supported USING MESSAGE = format('the cells of model "%s" are hexagons, which no raster has', $1),
			HINT = 'lstm.forecast_geom gives forecasts with their geometry.';
	END IF;
	wide := grid.c1 - grid.c0 + 1;
	high := grid.r1 - grid.r0 + 1;
	IF greatest(wide, high) > 65535 THEN
		RAISE program_limit_exceeded USING MESSAGE = format('a raster of %s x %s pixels is too large', wide, high),
			HINT = 'Rasters have at most 65535 x 65535 pixels.';
	END IF;
	-- A single column or row has no spacing: its cells say it, points are taken to be square.
	dx := coalesce((grid.x1 - grid.x0) / nullif(wide - 1, 0), nullif(grid.cell_x, 0), (grid.y1 - grid.y0) / nullif(high - 1, 0), 1);
	dy := coalesce((grid.y1 - grid.y0) / nullif(high - 1, 0), nullif(grid.cell_y, 0), dx);
	-- Cells of a column lie above each other, those of a row beside each other.
	IF EXISTS (SELECT FROM lstm.site_geometries($1, $2) g GROUP BY g."column"
			HAVING max(@postgis@.ST_X(@postgis@.ST_Centroid(g.geom))) - min(@postgis@.ST_X(@postgis@.ST_Centroid(g.geom))) > dx / 4)
		OR EXISTS (SELECT FROM lstm.site_geometries($1, $2) g GROUP BY g."row"
			HAVING max(@postgis@.ST_Y(@postgis@.ST_Centroid(g.geom))) - min(@postgis@.ST_Y(@postgis@.ST_Centroid(g.geom))) > dy / 4) THEN
		RAISE feature_not_supported USING MESSAGE = format('the grid of model "%s" is not parallel to the axes of its SRID', $1),
			HINT = 'lstm.forecast_geom gives forecasts with their geometry.';
	END IF;
	-- North is up, west is left.
	RETURN QUERY SELECT g.series, CASE WHEN grid.right < 0 THEN grid.c1 - g."column" ELSE g."column" - grid.c0 END + 1,
		CASE WHEN grid.down > 0 THEN grid.r1 - g."row" ELSE g."row" - grid.r0 END + 1, wide, high,
		float8send(dx) || float8send(-dy) || float8send(grid.x0 - dx / 2) || float8send(grid.y1 + dy / 2) || float8send(0) || float8send(0)
			|| int4send(grid.srid) || substr(int4send(wide), 3) || substr(int4send(high), 3)
		FROM lstm.site_geometries($1, $2) g;
END
$$;
COMMENT ON FUNCTION lstm.raster_cells(text, int) IS
'the pixel of each series of a grid model in a raster with north up, counted from 1 at the upper left; frame: what its WKB says of place and size.
Errors as of lstm.forecast_raster.';

-- WKB of rasters, most significant byte first: version 0; bands of doubles (type 11) with a
-- value for "none" (64).  Written here, as the functions of postgis_raster work only when
-- the search_path leads to them.
CREATE FUNCTION lstm.raster_write(frame bytea, width int, height int, columns int[], rows int[],
	value float8[], lower float8[], upper float8[]) RETURNS bytea
	LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE SET search_path = pg_catalog, pg_temp SET jit = off
AS $$
	SELECT '\x0000000003'::bytea || $1 || string_agg('\x4b'::bytea || float8send(-1.7976931348623157e308) || b.pixels, ''::bytea ORDER BY b.band)
	FROM (SELECT v.band, string_agg(float8send(coalesce(v.value, -1.7976931348623157e308)), ''::bytea ORDER BY y, x) AS pixels
		FROM generate_series(1, $3) y CROSS JOIN generate_series(1, $2) x
			LEFT JOIN unnest($4, $5, $6, $7, $8) c("column", "row", value, lower, upper) ON c."column" = x AND c."row" = y,
			LATERAL (VALUES (1, c.value), (2, c.lower), (3, c.upper)) v(band, value)
		GROUP BY v.band) b
$$;
COMMENT ON FUNCTION lstm.raster_write(bytea, int, int, int[], int[], float8[], float8[], float8[]) IS
'a raster of three bands as WKB: frame, width and height of lstm.raster_cells, and the values of its cells; NULL where there is none';

CREATE FUNCTION lstm.forecast_raster(
	model				text,
	horizon				int DEFAULT NULL,
	confidence_level	float8 DEFAULT 0.95,
	source				text DEFAULT NULL,
	future				text DEFAULT NULL,
	as_of				timestamptz DEFAULT NULL,
	version				int DEFAULT NULL)
	RETURNS TABLE (
		target				text,
		step				int,
		forecast_timestamp	timestamptz,
		forecast_index		bigint,
		raster				bytea)
	LANGUAGE sql STABLE PARALLEL RESTRICTED ROWS 20
AS $$
	WITH c AS MATERIALIZED (
		SELECT * FROM lstm.raster_cells($1, $7)
	)
	SELECT f.target, f.step, f.forecast_timestamp, f.forecast_index, lstm.raster_write((pg_catalog.array_agg(c.frame))[1], pg_catalog.min(c.width),
		pg_catalog.min(c.height), pg_catalog.array_agg(c."column"), pg_catalog.array_agg(c."row"), pg_catalog.array_agg(f.forecast_value),
		pg_catalog.array_agg(f.prediction_interval_lower_bound), pg_catalog.array_agg(f.prediction_interval_upper_bound))
	FROM c JOIN lstm.forecast($1, $2, $3, $4, $5, $6, $7) f ON coalesce(c.series, '') OPERATOR(pg_catalog.=) coalesce(f.series, '')
	GROUP BY f.target, f.step, f.forecast_timestamp, f.forecast_index
	ORDER BY f.target, f.step
$$;
COMMENT ON FUNCTION lstm.forecast_raster(text, int, float8, text, text, timestamptz, int) IS
'forecasts of a grid as rasters, one per target and step, north up, in the source''s SRID: band 1 the forecast, 2 and 3 the bounds of its interval; cells without a series have no value.
raster: WKB, which ST_RastFromWKB of postgis_raster reads; that extension is not needed to make it.  Arguments as of lstm.forecast.
Errors as of lstm.forecast; 0A000 a grid that is not parallel to the axes, 22023 a model that is no grid, 55000 one that was trained without geom.';

$lstm$, '@postgis@', (SELECT quote_ident(n.nspname) FROM pg_extension e JOIN pg_namespace n ON n.oid = e.extnamespace
	WHERE e.extname = 'postgis')); END $script$;
