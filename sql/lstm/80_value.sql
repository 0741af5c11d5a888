/* ------------------------------------------------------------------------
 * The value layer: models without names
 */

CREATE FUNCTION lstm.fit_trans(internal, timestamptz, float8, jsonb) RETURNS internal
	AS 'MODULE_PATHNAME', 'lstm_fit_trans_timestamptz' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lstm.fit_trans(internal, timestamptz, float8, jsonb) IS 'transition function of lstm.fit';

CREATE FUNCTION lstm.fit_trans(internal, timestamp, float8, jsonb) RETURNS internal
	AS 'MODULE_PATHNAME', 'lstm_fit_trans_timestamp' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lstm.fit_trans(internal, timestamp, float8, jsonb) IS 'transition function of lstm.fit';

CREATE FUNCTION lstm.fit_trans(internal, date, float8, jsonb) RETURNS internal
	AS 'MODULE_PATHNAME', 'lstm_fit_trans_date' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lstm.fit_trans(internal, date, float8, jsonb) IS 'transition function of lstm.fit';

CREATE FUNCTION lstm.fit_trans(internal, bigint, float8, jsonb) RETURNS internal
	AS 'MODULE_PATHNAME', 'lstm_fit_trans_bigint' LANGUAGE C IMMUTABLE PARALLEL SAFE;
COMMENT ON FUNCTION lstm.fit_trans(internal, bigint, float8, jsonb) IS 'transition function of lstm.fit';

CREATE FUNCTION lstm.fit_final(internal) RETURNS lstm.model
	AS 'MODULE_PATHNAME', 'lstm_fit_final' LANGUAGE C STABLE PARALLEL SAFE;
COMMENT ON FUNCTION lstm.fit_final(internal) IS 'final function of lstm.fit';

-- The final function trains: READ_WRITE keeps it from running for every row of a
-- window.  It is stable, not immutable: days begin where the session's zone says.
CREATE AGGREGATE lstm.fit(ts timestamptz, value float8, options jsonb) (
	SFUNC = lstm.fit_trans, STYPE = internal, FINALFUNC = lstm.fit_final,
	FINALFUNC_MODIFY = READ_WRITE, PARALLEL = SAFE);
COMMENT ON AGGREGATE lstm.fit(timestamptz, float8, jsonb) IS
'trains one model per group on values at points in time, in any order; options as of lstm.train, with horizon and context among them (NULL: all defaults).
Rows without a time are an error, values that are NULL are missing.  NULL without rows.
Errors as of lstm.train.';

CREATE AGGREGATE lstm.fit(ts timestamp, value float8, options jsonb) (
	SFUNC = lstm.fit_trans, STYPE = internal, FINALFUNC = lstm.fit_final,
	FINALFUNC_MODIFY = READ_WRITE, PARALLEL = SAFE);
COMMENT ON AGGREGATE lstm.fit(timestamp, float8, jsonb) IS
'as lstm.fit(timestamptz, float8, jsonb), for times without a time zone';

CREATE AGGREGATE lstm.fit(ts date, value float8, options jsonb) (
	SFUNC = lstm.fit_trans, STYPE = internal, FINALFUNC = lstm.fit_final,
	FINALFUNC_MODIFY = READ_WRITE, PARALLEL = SAFE);
COMMENT ON AGGREGATE lstm.fit(date, float8, jsonb) IS
'as lstm.fit(timestamptz, float8, jsonb), for dates';

CREATE AGGREGATE lstm.fit(ts bigint, value float8, options jsonb) (
	SFUNC = lstm.fit_trans, STYPE = internal, FINALFUNC = lstm.fit_final,
	FINALFUNC_MODIFY = READ_WRITE, PARALLEL = SAFE);
COMMENT ON AGGREGATE lstm.fit(bigint, float8, jsonb) IS
'as lstm.fit(timestamptz, float8, jsonb), for integer times';

CREATE FUNCTION lstm.predict(model lstm.model, history float8[], horizon int) RETURNS float8[]
	AS 'MODULE_PATHNAME', 'lstm_predict' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lstm.predict(lstm.model, float8[], int) IS
'the horizon values that follow history ([time] or [time][channel], oldest first, NULL elements are missing), in original units.
Errors: 22023 horizon or a history of the wrong width, 22000 a history shorter than the model''s context.';

CREATE FUNCTION lstm.fit_ar("values" float8[], lags int) RETURNS float8[]
	AS 'MODULE_PATHNAME', 'lstm_fit_ar' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lstm.fit_ar(float8[], int) IS
'fits the autoregression y[t] = c[0] + c[1] y[t-1] + ... + c[lags] y[t-lags] by ordinary least squares (Householder QR) to equally spaced values, oldest first; equations with a NULL or NaN are left out.
Returns {c[0], ..., c[lags]}.  A yardstick for lstm models.
Errors: 22023 lags not in 1 to 1024 or an array of several dimensions, 22000 fewer equations than coefficients, or infinite values.';

CREATE FUNCTION lstm.predict_ar(coefficients float8[], history float8[], horizon int) RETURNS float8[]
	AS 'MODULE_PATHNAME', 'lstm_predict_ar' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lstm.predict_ar(float8[], float8[], int) IS
'the horizon values that follow history (oldest first) by the coefficients of lstm.fit_ar, each forecast serving as a lag of the later ones; NULL when one of the last values is missing.
Errors: 22023 horizon not in 1 to 65536, or coefficients that are none.';
