\echo Use "CREATE EXTENSION lstm" to load this file. \quit

/*
 * lstm--0.1.0.sql
 *		Everything that SQL sees: the type, the registry, the functions.
 *
 * Functions and operators inside of policies, checks and defaults are written
 * with their schema, so that nothing here depends on what else lives in the
 * schema or on anybody's search_path.
 */

COMMENT ON SCHEMA lstm IS
'recurrent neural networks: models trained on the rows of queries, and their forecasts';

/* ------------------------------------------------------------------------
 * The type of a trained model
 */

CREATE TYPE lstm.model;

CREATE FUNCTION lstm.model_in(cstring) RETURNS lstm.model
	AS 'MODULE_PATHNAME', 'lstm_model_in' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lstm.model_in(cstring) IS
'input of lstm.model: text as of bytea (hex), checked whole; 22P03 when it is no model';

CREATE FUNCTION lstm.model_out(lstm.model) RETURNS cstring
	AS 'MODULE_PATHNAME', 'lstm_model_out' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lstm.model_out(lstm.model) IS
'output of lstm.model: the bytes in hex, whatever bytea_output says';

CREATE FUNCTION lstm.model_recv(internal) RETURNS lstm.model
	AS 'MODULE_PATHNAME', 'lstm_model_recv' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lstm.model_recv(internal) IS
'binary input of lstm.model: the bytes, checked whole; 22P03 when they are no model';

CREATE FUNCTION lstm.model_send(lstm.model) RETURNS bytea
	AS 'MODULE_PATHNAME', 'lstm_model_send' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lstm.model_send(lstm.model) IS
'binary output of lstm.model: the bytes';

-- Weights do not compress; external storage leaves out the attempt.
CREATE TYPE lstm.model (
	INPUT = lstm.model_in,
	OUTPUT = lstm.model_out,
	RECEIVE = lstm.model_recv,
	SEND = lstm.model_send,
	INTERNALLENGTH = VARIABLE,
	ALIGNMENT = int4,
	STORAGE = external
);
COMMENT ON TYPE lstm.model IS
'a trained model as a value: the bytes of one safetensors file (at most 256 MiB) with settings, preparation, weights and training log; equal data, options and seed give equal bytes';

CREATE FUNCTION lstm.model(bytes bytea) RETURNS lstm.model
	AS 'MODULE_PATHNAME', 'lstm_model_from_bytea' LANGUAGE C IMMUTABLE STRICT PARALLEL SAFE;
COMMENT ON FUNCTION lstm.model(bytea) IS
'the model whose safetensors file these bytes are, checked whole; 22P03 when they are no model, 54000 above 256 MiB';

CREATE CAST (bytea AS lstm.model) WITH FUNCTION lstm.model(bytea);
COMMENT ON CAST (bytea AS lstm.model) IS 'checks the bytes whole';

CREATE CAST (lstm.model AS bytea) WITHOUT FUNCTION;
COMMENT ON CAST (lstm.model AS bytea) IS
'the bytes as they are stored: a safetensors file; md5(model::bytea) tells whether two models are equal';

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
	CONSTRAINT models_pkey PRIMARY KEY (name, version),
	CONSTRAINT models_name_check CHECK (pg_catalog.octet_length(name) OPERATOR(pg_catalog.>=) 1
		AND pg_catalog.octet_length(name) OPERATOR(pg_catalog.<=) 63
		AND name OPERATOR(pg_catalog.!~) '[\x01-\x1f\x7f]'),
	CONSTRAINT models_version_check CHECK (version OPERATOR(pg_catalog.>=) 1)
);
CREATE UNIQUE INDEX models_deployed_key ON lstm.models (name) WHERE deployed;

COMMENT ON TABLE lstm.models IS
'one row per version of a model, without its weights; a role sees and changes the models of the roles it is a member of';
COMMENT ON COLUMN lstm.models.name IS 'name of the model, 1 to 63 bytes; all versions of a name belong to one role';
COMMENT ON COLUMN lstm.models.version IS 'counts from 1; a version never changes';
COMMENT ON COLUMN lstm.models.deployed IS 'whether forecasts use this version; at most one of each model';
COMMENT ON COLUMN lstm.models.owner IS
'role that trained it; after a role is renamed the owner of this table updates it';
COMMENT ON COLUMN lstm.models.spec IS 'settings it was trained with, defaults included';
COMMENT ON COLUMN lstm.models.source IS 'table, view or SELECT it was trained on and reads for forecasts';
COMMENT ON COLUMN lstm.models.search_path IS 'search_path under which source runs';
COMMENT ON COLUMN lstm.models.trained_at IS 'start of the transaction that trained it';
COMMENT ON COLUMN lstm.models.rows IS 'rows it was trained on, validation part included';
COMMENT ON COLUMN lstm.models.metrics IS 'what lstm.train found: epochs, losses, and on the validation rows mae, baseline_mae (original units) and skill';
COMMENT ON COLUMN lstm.models.joint IS 'of a joint model (lstm.join_models): b, members with version and weight, intervals; NULL for models that were trained';
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
GRANT SELECT, INSERT, UPDATE (name, deployed), DELETE ON lstm.models TO PUBLIC;
GRANT SELECT, INSERT ON lstm.model_values TO PUBLIC;

-- to_regrole is NULL, and so is pg_has_role, for an owner who is gone.
CREATE POLICY models_select ON lstm.models FOR SELECT
	USING (pg_catalog.pg_has_role(
		pg_catalog.to_regrole(pg_catalog.quote_ident(owner::text))::oid, 'USAGE'));
CREATE POLICY models_insert ON lstm.models FOR INSERT
	WITH CHECK (owner OPERATOR(pg_catalog.=) CURRENT_USER);
CREATE POLICY models_update ON lstm.models FOR UPDATE
	USING (pg_catalog.pg_has_role(
		pg_catalog.to_regrole(pg_catalog.quote_ident(owner::text))::oid, 'USAGE'));
CREATE POLICY models_delete ON lstm.models FOR DELETE
	USING (pg_catalog.pg_has_role(
		pg_catalog.to_regrole(pg_catalog.quote_ident(owner::text))::oid, 'USAGE'));
COMMENT ON POLICY models_select ON lstm.models IS 'members of the owner';
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

-- A trusted extension's objects belong to the bootstrap superuser; its data
-- belongs to who installed it, who can then dump and restore it.
ALTER TABLE lstm.models OWNER TO @extowner@;
ALTER TABLE lstm.model_values OWNER TO @extowner@;
ALTER TABLE lstm.trials OWNER TO @extowner@;

SELECT pg_catalog.pg_extension_config_dump('lstm.models', '');
SELECT pg_catalog.pg_extension_config_dump('lstm.model_values', '');
SELECT pg_catalog.pg_extension_config_dump('lstm.trials', '');
SELECT pg_catalog.pg_extension_config_dump('lstm.trials_id_seq', '');

/* ------------------------------------------------------------------------
 * Train and forecast
 */

CREATE FUNCTION lstm.train(
	model				text,
	source				text,
	target				text DEFAULT NULL,
	time_column			text DEFAULT NULL,
	series				text DEFAULT NULL,
	horizon				int DEFAULT NULL,
	context				int DEFAULT NULL,
	past_covariates		text DEFAULT NULL,
	future_covariates	text DEFAULT NULL,
	static_covariates	text DEFAULT NULL,
	geom				text DEFAULT NULL,
	options				jsonb DEFAULT NULL,
	OUT model			text,
	OUT version			int,
	OUT parameters		bigint,
	OUT epochs			int,
	OUT train_loss		float8,
	OUT validation_loss	float8,
	OUT baseline_loss	float8,
	OUT skill			float8,
	OUT seconds			float8)
	AS 'MODULE_PATHNAME', 'lstm_train' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lstm.train(text, text, text, text, text, int, int, text, text, text, text, jsonb) IS
'trains a network on the rows of source (a table, a view or one SELECT, run with the caller''s rights) and keeps it as the next version of model.
target, series and the covariates are column lists as in SQL; columns left out are found by their types.
horizon: steps to forecast (1); context: steps looked back on; options: settings in the words of Keras, an unknown key is an error.
Returns one row: losses of the kept weights, baseline_loss of the (seasonal) naive forecast, skill = 1 - MAE / its MAE on the validation rows, seconds of wall time.
Backpropagation through time (Werbos 1990) of LSTM (Hochreiter and Schmidhuber 1997), GRU (Cho et al. 2014) or simple recurrent layers.
Errors: 22004 NULL name or source, 42703 and 42702 columns, 22023 options, 22000 rows that cannot be used, 42710 the name is another role''s, 53200 above lstm.max_memory.';

CREATE FUNCTION lstm.forecast(
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
		series_key			jsonb)
	AS 'MODULE_PATHNAME', 'lstm_forecast' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION lstm.forecast(text, int, float8, text, text, timestamptz, int) IS
'forecasts every series of a model, in the targets'' own units, steps 1 to horizon (the trained one) after the newest rows.
confidence_level: of the interval, between 0 and 1; bounds are NULL when the loss gives none (quantile, gaussian and student_t do).
source: rows to look back on instead of the model''s own; future: rows with the future covariates; as_of: use no later row.
forecast_index is the time with an integer time column, forecast_timestamp otherwise.
Errors: 22004 NULL model, 42704 no such model or version, 22023 horizon or confidence_level, 22000 too few rows or missing future covariates.';

CREATE FUNCTION lstm.hindcast(
	model				text,
	source				text DEFAULT NULL,
	horizon				int DEFAULT NULL,
	stride				int DEFAULT 1,
	confidence_level	float8 DEFAULT 0.95,
	version				int DEFAULT NULL)
	RETURNS TABLE (
		series				text,
		target				text,
		issued_at			timestamptz,
		step				int,
		forecast_timestamp	timestamptz,
		forecast_index		bigint,
		forecast_value		float8,
		prediction_interval_lower_bound	float8,
		prediction_interval_upper_bound	float8,
		actual				float8)
	AS 'MODULE_PATHNAME', 'lstm_hindcast' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION lstm.hindcast(text, text, int, int, float8, int) IS
'the forecasts that the model would have issued from every stride-th row with enough rows before it, beside what came; one row per origin and step.
issued_at is the origin, the last row the forecast knows; NULL with an integer time column, where it is forecast_index - step times the frequency.
Errors as of lstm.forecast.';

CREATE FUNCTION lstm.evaluate(
	model				text,
	source				text DEFAULT NULL,
	horizon				int DEFAULT NULL,
	stride				int DEFAULT 1,
	baseline			text DEFAULT 'auto',
	version				int DEFAULT NULL,
	confidence_level	float8 DEFAULT 0.95,
	by_step				boolean DEFAULT false)
	RETURNS TABLE (
		level				text,
		series				text,
		target				text,
		n					bigint,
		mae					float8,
		mse					float8,
		rmse				float8,
		mape				float8,
		smape				float8,
		mase				float8,
		coverage			float8,
		baseline_mae		float8,
		baseline_rmse		float8,
		skill				float8,
		rmsse				float8,
		pinball				float8,
		crps				float8,
		winkler				float8,
		step				int)
	AS 'MODULE_PATHNAME', 'lstm_evaluate' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION lstm.evaluate(text, text, int, int, text, int, float8, boolean) IS
'errors of the forecasts of lstm.hindcast in original units, by series, by target, over all and, with by_step, by step of the horizon (level).
n counts pairs of origin and step with an actual; skill = 1 - mae / baseline_mae; mase and rmsse are scaled by the seasonal naive errors (Hyndman and Koehler 2006; Makridakis et al. 2022).
coverage and winkler are of the interval of confidence_level (Winkler 1972); pinball is the mean loss of the deciles 0.1 to 0.9, crps twice that. NULL without intervals.
baseline: auto (seasonal naive where the series has a season, else naive), naive, seasonal_naive, mean, drift, holt_winters, holt_winters_multiplicative, holt_winters_damped, holt_winters_multiplicative_damped, theta or ar, fitted to rows before the origins.
Errors as of lstm.forecast; 22023 unknown baseline; 22004 NULL by_step.';

CREATE FUNCTION lstm.backtest(
	source				text,
	target				text DEFAULT NULL,
	time_column			text DEFAULT NULL,
	series				text DEFAULT NULL,
	horizon				int DEFAULT NULL,
	context				int DEFAULT NULL,
	past_covariates		text DEFAULT NULL,
	future_covariates	text DEFAULT NULL,
	static_covariates	text DEFAULT NULL,
	geom				text DEFAULT NULL,
	options				jsonb DEFAULT NULL,
	folds				int DEFAULT 3,
	stride				int DEFAULT NULL,
	gap					int DEFAULT 0,
	expanding			boolean DEFAULT true,
	confidence_level	float8 DEFAULT 0.95)
	RETURNS TABLE (
		method				text,
		fold				int,
		n					bigint,
		mae					float8,
		mse					float8,
		rmse				float8,
		mape				float8,
		smape				float8,
		mase				float8,
		rmsse				float8,
		coverage			float8,
		winkler				float8,
		crps				float8,
		skill				float8,
		cut					timestamptz,
		cut_index			bigint,
		train_rows			bigint)
	AS 'MODULE_PATHNAME', 'lstm_backtest' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lstm.backtest(text, text, text, text, int, int, text, text, text, text, jsonb, int, int, int, boolean, float8) IS
'trains a model on the rows before each of several cuts and judges it on the horizon steps from the cut on, beside classical methods on the same rows (rolling origin, Tashman 2000); stores nothing.
Arguments up to options as of lstm.train; folds: cuts, the last one horizon rows before the end; stride: steps between two (horizon); gap: rows before a cut that nothing is trained on; expanding: trains on all rows before, else on as many as in the first fold; confidence_level: of coverage and winkler.
One row per method and fold, and one over all folds (fold NULL). method: network (alone), model (with its simple members, where it has any), naive, seasonal_naive, drift, mean, holt_winters (the variant that forecast the end of the training rows best), theta, ar.
cut (cut_index with an integer time column): time of the first row judged; train_rows: rows of all series trained on; metrics as of lstm.evaluate, skill against the seasonal naive, or naive, method.
Errors as of lstm.train; 22000 the folds do not fit; 22023 folds, stride or gap.';

CREATE PROCEDURE lstm.tune(
	model				text,
	source				text,
	target				text DEFAULT NULL,
	time_column			text DEFAULT NULL,
	series				text DEFAULT NULL,
	horizon				int DEFAULT NULL,
	context				int DEFAULT NULL,
	past_covariates		text DEFAULT NULL,
	future_covariates	text DEFAULT NULL,
	static_covariates	text DEFAULT NULL,
	geom				text DEFAULT NULL,
	options				jsonb DEFAULT NULL,
	search				jsonb DEFAULT NULL,
	trials				int DEFAULT 20,
	seconds				int DEFAULT NULL,
	method				text DEFAULT 'random',
	folds				int DEFAULT 3)
	AS 'MODULE_PATHNAME', 'lstm_tune' LANGUAGE C;
COMMENT ON PROCEDURE lstm.tune(text, text, text, text, text, int, int, text, text, text, text, jsonb, jsonb, int, int, text, int) IS
'tries options on the past, as lstm.backtest judges them, commits every trial to lstm.trials, and trains a version of model with the best.
Arguments up to options as of lstm.train; search: an object from options (and "context") to arrays of values or {"min", "max", "log"}; trials: at most; seconds: none begins later; folds: cuts that each is judged at, a horizon apart.
method: random (drawn by the seed in options), grid (every combination of arrays) or halving (drawn; a quarter of the epochs, the better half with half of them, the better half of those with all; Jamieson and Talwalkar 2016).
A trial that fails is recorded with its error.  Cannot run in a transaction block.
Errors as of lstm.backtest; 22004 NULL search; 22023 search, trials, seconds or method; 25001 inside a transaction block; 22000 all trials failed.';

CREATE FUNCTION lstm.join_models(
	model				text,
	seq_model			text,
	space_model			text,
	others				text[] DEFAULT '{}',
	source				text DEFAULT NULL,
	options				jsonb DEFAULT NULL,
	OUT model			text,
	OUT version			int,
	OUT b				float8,
	OUT weights			jsonb,
	OUT validation_mae	float8,
	OUT member_mae		jsonb,
	OUT skill			float8,
	OUT rows			bigint)
	AS 'MODULE_PATHNAME', 'lstm_join_models' LANGUAGE C VOLATILE PARALLEL UNSAFE;
COMMENT ON FUNCTION lstm.join_models(text, text, text, text[], text, jsonb) IS
'joins the deployed versions of models that were trained apart: y = b y_seq + (1 - b) y_space + sum of w_k y_k over others, b between 0 and 1, w_k of either sign.
Weights and intervals are fitted by least squares to forecasts of times that no member was trained on, joined by series, target and time; weights: {model: weight}, rows: values judged, skill = 1 - validation_mae / that of the better of the first two.
source: rows that all members look back on, kept; NULL: each its own.  options: horizon (the members'' shortest), stride (1) between origins, from and to (times judged), deploy (true).
Keeps a version of model that refers to its members: they forecast with the rights of who asks.  lstm.forecast, hindcast, evaluate, exceedance and describe take it.
Errors as of lstm.forecast; 22004 NULL, 22023 a model named twice, kinds of time, frequencies or targets that differ, options, 0A000 a joint model as member, 22000 fewer than 20 values to judge, or 10 for each member.';

/* ------------------------------------------------------------------------
 * Trust: what forecasts rest on, where rows leave them, what they stand
 */

CREATE FUNCTION lstm.explain(
	model				text,
	source				text DEFAULT NULL,
	method				text DEFAULT 'permutation',
	horizon				int DEFAULT NULL,
	series				text DEFAULT NULL,
	target				text DEFAULT NULL,
	as_of				timestamptz DEFAULT NULL,
	version				int DEFAULT NULL,
	seed				bigint DEFAULT 0)
	RETURNS TABLE (
		method				text,
		series				text,
		target				text,
		step				int,
		input				text,
		lag					int,
		lags				int,
		importance			float8,
		share				float8,
		value				float8,
		input_timestamp		timestamptz,
		input_index			bigint,
		source_series		text)
	AS 'MODULE_PATHNAME', 'lstm_explain' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION lstm.explain(text, text, text, int, text, text, timestamptz, int, bigint) IS
'what the forecasts of a model rest on.  lag 1 is the newest row, 0 and below are rows ahead; lags: how many rows the line stands for, from lag on.
method ''permutation'': increase of the mean absolute error, in scales of the target, when an input is shuffled among at most 256 windows (Breiman 2001; Fisher et al. 2019), whole (lag NULL) and by blocks of lags; value is the error then.
''gradients'': integrated gradients (Sundararajan et al. 2017) of the newest forecast, or that of as_of, in the target''s units; they add up to the value of line "forecast" less that of "baseline", where every input is at the middle of its scale.
''attention'': weights of the attention layers, means over heads and networks; of graph_attention layers one line per neighbour.
''fusion'': shares of the branches of fuse layers in the newest forecast, or that of as_of; input is layer.branch.
''decomposition'': value, trend, season and remainder of the newest rows and the forecast (step).
source_series: series that the input is of, where a model forecasts several together: another one''s rows are one line, small ones together "other series" (gradients); with series, its neighbours are shuffled one by one as well (permutation).
Errors as of lstm.forecast; 22023 unknown method, series or target, a horizon that the network does not forecast at once (gradients), no attention or fuse layer.';

CREATE FUNCTION lstm.detect_anomalies(
	model				text,
	source				text DEFAULT NULL,
	probability			float8 DEFAULT 0.99,
	horizon				int DEFAULT 1,
	version				int DEFAULT NULL)
	RETURNS TABLE (
		series				text,
		target				text,
		forecast_timestamp	timestamptz,
		forecast_index		bigint,
		actual				float8,
		forecast_value		float8,
		lower_bound			float8,
		upper_bound			float8,
		is_anomaly			boolean,
		anomaly_probability	float8,
		series_key			jsonb)
	AS 'MODULE_PATHNAME', 'lstm_detect_anomalies' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION lstm.detect_anomalies(text, text, float8, int, int) IS
'every known row with enough rows before it, beside the forecast made horizon steps earlier: an anomaly lies outside of the interval of that probability.
anomaly_probability is the share of errors that are expected to be smaller.  In the context of later forecasts an anomaly is replaced by its forecast, unless more than a quarter of the last context (3 rows at least) are anomalies.
Errors as of lstm.forecast; 22023 a probability not between 0 and 1, a model without intervals.';

CREATE FUNCTION lstm.exceedance(
	model				text,
	threshold			float8,
	horizon				int DEFAULT NULL,
	source				text DEFAULT NULL,
	future				text DEFAULT NULL,
	as_of				timestamptz DEFAULT NULL,
	version				int DEFAULT NULL,
	below				boolean DEFAULT false)
	RETURNS TABLE (
		series				text,
		target				text,
		step				int,
		forecast_timestamp	timestamptz,
		forecast_index		bigint,
		threshold			float8,
		forecast_value		float8,
		probability			float8,
		series_key			jsonb)
	AS 'MODULE_PATHNAME', 'lstm_exceedance' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION lstm.exceedance(text, float8, int, text, text, timestamptz, int, boolean) IS
'probability that a value of the next steps lies above threshold (below it, with below), from the intervals of the model.
The line with step NULL is the probability that any step up to horizon does: 1 - product of (1 - probability), which errs on the side of warning where errors of neighbouring steps go together.
Errors as of lstm.forecast; 22004 NULL threshold, 22023 a threshold that is no number, a model without intervals.';

CREATE FUNCTION lstm.robustness(
	model				text,
	source				text DEFAULT NULL,
	horizon				int DEFAULT NULL,
	stride				int DEFAULT NULL,
	seed				bigint DEFAULT 0,
	version				int DEFAULT NULL)
	RETURNS TABLE (
		target				text,
		perturbation		text,
		strength			float8,
		n					bigint,
		mae					float8,
		rmse				float8,
		mae_ratio			float8)
	AS 'MODULE_PATHNAME', 'lstm_robustness' LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION lstm.robustness(text, text, int, int, bigint, int) IS
'errors in original units when the rows a forecast looks back on are disturbed: noise and level_shift of strength scales of a column, missing_block over that share of the context, spikes of strength scales in 5 % of it, gradient_sign: every value moved by strength scales to where the error grows (Goodfellow et al. 2015).
mae_ratio is to the error of perturbation ''clean''.  Every stride-th window, or at most 256 evenly spaced; the same seed disturbs alike.
Errors as of lstm.forecast.';

/* ------------------------------------------------------------------------
 * Look at models
 */

CREATE FUNCTION lstm.describe(model text, version int DEFAULT NULL) RETURNS jsonb
	AS 'MODULE_PATHNAME', 'lstm_describe' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION lstm.describe(text, int) IS
'all that is known about the deployed or the given version of a model: owner, versions, columns, frequency, time zone, settings, layers, learned weights of fusions, training report.
Errors: 22004 NULL model, 42704 no such model or version, 55000 no version is deployed.';

CREATE FUNCTION lstm.layers(model text, version int DEFAULT NULL)
	RETURNS TABLE (
		"position"		int,
		name			text,
		type			text,
		inputs			text[],
		output_shape	int[],
		parameters		bigint)
	AS 'MODULE_PATHNAME', 'lstm_layers' LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 10;
COMMENT ON FUNCTION lstm.layers(text, int) IS
'the layers of a model in order of computation; output_shape is {time, channels}.
Errors as of lstm.describe.';

CREATE FUNCTION lstm.sites(model text, version int DEFAULT NULL)
	RETURNS TABLE (
		site			int,
		series			text,
		"row"			int,
		"column"		int,
		geom			bytea,
		geography		boolean)
	AS 'MODULE_PATHNAME', 'lstm_sites' LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION lstm.sites(text, int) IS
'where the series of a model are: its site from 1, row and column from 1 where sites are cells of a grid, the place as extended well-known binary where geom was given, and whether that is geography.  No row for a model that knows nothing of places.
Errors: 22004 NULL model, 42704 no such model or version, 55000 no version is deployed.';

CREATE FUNCTION lstm.graph(model text, version int DEFAULT NULL)
	RETURNS TABLE (
		source			text,
		target			text,
		weight			float8)
	AS 'MODULE_PATHNAME', 'lstm_graph' LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 100;
COMMENT ON FUNCTION lstm.graph(text, int) IS
'the edges between the series of a model: series target sees series source with that weight.  No row for a model without a graph.
Errors: 22004 NULL model, 42704 no such model or version, 55000 no version is deployed.';

CREATE FUNCTION lstm.tensors(model text, version int DEFAULT NULL)
	RETURNS TABLE (
		name			text,
		shape			int[],
		"values"		float4[])
	AS 'MODULE_PATHNAME', 'lstm_tensors' LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 20;
COMMENT ON FUNCTION lstm.tensors(text, int) IS
'the weights of a model: names as in PyTorch (weight_ih, weight_hh, bias; gates in the order i, f, g, o), values row by row as in model::bytea.
Errors as of lstm.describe.';

CREATE FUNCTION lstm.training_log(model text, version int DEFAULT NULL)
	RETURNS TABLE (
		epoch			int,
		loss			float8,
		validation_loss	float8,
		learning_rate	float8,
		gradient_norm	float8)
	AS 'MODULE_PATHNAME', 'lstm_training_log' LANGUAGE C STABLE PARALLEL RESTRICTED ROWS 50;
COMMENT ON FUNCTION lstm.training_log(text, int) IS
'one row per epoch of the training: losses on the scaled axis (validation_loss NULL without a validation part), mean norm of the gradient before clipping.
Errors as of lstm.describe.';

CREATE FUNCTION lstm.plot_forecast(
	model				text,
	series				text DEFAULT NULL,
	target				text DEFAULT NULL,
	horizon				int DEFAULT NULL,
	history				int DEFAULT NULL,
	confidence_level	float8 DEFAULT 0.95,
	source				text DEFAULT NULL,
	future				text DEFAULT NULL,
	version				int DEFAULT NULL)
	RETURNS xml
	AS 'MODULE_PATHNAME', 'lstm_plot_forecast' LANGUAGE C STABLE PARALLEL RESTRICTED;
COMMENT ON FUNCTION lstm.plot_forecast(text, text, text, int, int, float8, text, text, int) IS
'a picture (SVG, light and dark, no script) of the forecast of one series and target with its interval, after the last history rows.
series and target: the first when left out, with a NOTICE where there are others; history: rows shown (four horizons, the context at least).
Errors as of lstm.forecast; 22023 no such series or target.';

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
