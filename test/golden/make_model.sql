-- make_model.sql
--		Makes the golden models of a release and their forecasts, the files that
--		test/t/format.pl loads and compares for ever after:
--
--		tools/dev psql -X -v version=0.1.0 -f test/golden/make_model.sql
--
-- in the root of the tree.  Changes nothing in the database.  Never makes the
-- files of a version anew that has been released: those stay as they are.
\set ON_ERROR_STOP on
\set plain test/golden/model- :version .hex
\set series test/golden/model- :version -series.hex
\set months test/golden/model- :version -months.hex
\set joint test/golden/model- :version -joint.hex
\set forecast test/golden/model- :version .forecast
\pset format unaligned
\pset tuples_only on
SET client_min_messages = warning;
SET timezone = 'Europe/Dublin';
SET extra_float_digits = 1;
BEGIN;
\i test/golden/model_source.sql

SELECT version FROM lstm.train('golden_plain', 'golden_plain', target => 'y', time_column => 't', past_covariates => 'x',
	horizon => 3, context => 12, options => '{
		"layers": [
			{"type": "lstm", "name": "reader", "units": 4, "peephole": true, "bidirectional": true, "return_sequences": true,
				"dropout": 0.1, "recurrent_dropout": 0.1},
			{"type": "dropout", "rate": 0.1},
			{"type": "gru", "name": "summary", "units": 5, "activation": "softplus"},
			{"type": "last", "name": "end", "inputs": ["reader"]},
			{"type": "concat", "inputs": ["summary", "end"]},
			{"type": "dense", "units": 6, "activation": "gelu"},
			{"type": "dense"},
			{"type": "residual"}],
		"loss": "quantile", "quantiles": [0.05, 0.25, 0.5, 0.75, 0.95],
		"optimizer": "adamw", "weight_decay": 0.001, "learning_rate": 0.01, "schedule": "cosine", "minimum_learning_rate": 0.0001,
		"epochs": 6, "batch_size": 16, "patience": 4, "clip_norm": 5, "l1": 0.0001, "l2": 0.0002, "seed": 7,
		"scaling": "robust", "missing": "mask", "outliers": "iqr", "outlier_threshold": 3, "bounds": [0, null], "season": 19}');

SELECT version FROM lstm.train('golden_series', 'golden_series', target => 'load', time_column => 'ts', series => 'area, kind',
	future_covariates => 'weekday', static_covariates => 'size', horizon => 4, context => 14, options => '{
		"layers": [
			{"type": "rnn", "name": "state", "units": 6, "activation": "relu"},
			{"type": "flatten", "name": "ahead", "inputs": ["future"]},
			{"type": "concat", "inputs": ["state", "ahead", "static"]},
			{"type": "dense", "units": 8, "activation": "tanh"},
			{"type": "dense"}],
		"loss": "gaussian", "optimizer": "rmsprop", "momentum": 0.5, "learning_rate": 0.003, "schedule": "step",
		"schedule_patience": 2, "epochs": 5, "batch_size": 64, "clip_value": 1, "seed": 8,
		"scaling": "standard", "scale_by_series": true, "difference": 7, "missing": "seasonal"}');

SELECT version FROM lstm.train('golden_months', 'golden_months', target => 'sold, "Back Orders"', time_column => 'month',
	horizon => 2, context => 13, options => '{
		"layers": [
			{"type": "lstm", "name": "one", "units": 5, "return_sequences": true},
			{"type": "gru", "name": "two", "units": 5, "return_sequences": true},
			{"type": "add", "inputs": ["one", "two"]},
			{"type": "activation", "activation": "sigmoid"},
			{"type": "lstm", "units": 4, "activation": "gelu", "recurrent_activation": "relu"},
			{"type": "dense"}],
		"loss": "student_t", "optimizer": "sgd", "momentum": 0.9, "nesterov": true, "learning_rate": 0.01,
		"schedule": "plateau", "epochs": 5, "batch_size": 8, "clip_norm": 1, "seed": 9,
		"scaling": "log1p", "outliers": "winsorise", "missing": "previous", "bounds": [0, 1000]}');

SELECT version FROM lstm.train('golden_joint', 'golden_joint', target => 'load', time_column => 'ts', series => 'area, kind',
	static_covariates => 'climate', horizon => 3, context => 14, options => '{
		"architecture": "segment", "segment_length": 7, "units": 4, "normalization": "standard", "series_embedding": 2,
		"members": ["network", "seasonal_naive", "holt_winters", "theta", "ar"], "ensemble_size": 2, "folds": 2,
		"calendar": ["weekday"], "loss": "mae", "epochs": 4, "batch_size": 64, "seed": 10, "season": 7}');

\o :plain
SELECT regexp_replace(encode(model::bytea, 'hex'), '(.{96})', E'\\1\n', 'g') FROM lstm.model_values WHERE name = 'golden_plain';
\o :series
SELECT regexp_replace(encode(model::bytea, 'hex'), '(.{96})', E'\\1\n', 'g') FROM lstm.model_values WHERE name = 'golden_series';
\o :months
SELECT regexp_replace(encode(model::bytea, 'hex'), '(.{96})', E'\\1\n', 'g') FROM lstm.model_values WHERE name = 'golden_months';
\o :joint
SELECT regexp_replace(encode(model::bytea, 'hex'), '(.{96})', E'\\1\n', 'g') FROM lstm.model_values WHERE name = 'golden_joint';
\o :forecast
\i test/golden/model_forecast.sql
\o
ROLLBACK;
