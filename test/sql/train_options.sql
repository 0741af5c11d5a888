-- train_options.sql
--		Every loss, optimiser, schedule and kind of layer learns; what cannot be honoured is an error.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
CREATE TABLE sine AS
	SELECT i, 50 + 10 * sin(i * 0.4) + 5 * cos(i * 0.25) AS y FROM generate_series(1, 400) i;
-- Trains with options, judges one step ahead: skill against repeating the last value (differs by 3.4 on average).
CREATE FUNCTION skill_of(options jsonb) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE result numeric;
BEGIN
	PERFORM lstm.train('skill', 'public.sine', 'y', 'i', context => 12, options =>
		'{"season": 1, "units": 10, "epochs": 25, "batch_size": 16, "learning_rate": 0.01, "seed": 3}'::jsonb || options);
	SELECT skill INTO STRICT result FROM lstm.evaluate('skill') WHERE level = 'all';
	PERFORM lstm.drop_model('skill');
	RETURN result;
END $$;
CREATE FUNCTION layers_skill(layers jsonb, options jsonb DEFAULT '{}') RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE result numeric;
BEGIN
	PERFORM lstm.train('skill', 'public.sine', 'y', 'i', context => 12, options => jsonb_build_object(
		'layers', layers, 'season', 1, 'epochs', 25, 'batch_size', 16, 'learning_rate', 0.01, 'seed', 3) || options);
	SELECT skill INTO STRICT result FROM lstm.evaluate('skill') WHERE level = 'all';
	PERFORM lstm.drop_model('skill');
	RETURN result;
END $$;
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n  ', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;

-- losses and optimisers
SELECT loss, skill_of(jsonb_build_object('loss', loss)) > 0.5 AS learns
FROM unnest('{mse,mae,huber,quantile,gaussian,student_t}'::text[]) loss;
SELECT options, skill_of(options) > 0.5 AS learns FROM (VALUES
	(jsonb '{"optimizer": "sgd", "learning_rate": 0.1}'),
	('{"optimizer": "sgd", "momentum": 0.9, "learning_rate": 0.02}'),
	('{"optimizer": "sgd", "momentum": 0.9, "nesterov": true, "learning_rate": 0.02}'),
	('{"optimizer": "rmsprop"}'),
	('{"optimizer": "rmsprop", "momentum": 0.5, "rho": 0.95}'),
	('{"optimizer": "adagrad", "learning_rate": 0.1}'),
	('{"optimizer": "adam", "beta_1": 0.8, "beta_2": 0.99, "epsilon": 1e-6}'),
	('{"optimizer": "adamw", "weight_decay": 0.02}'),
	('{"clip_norm": 1}'), ('{"clip_value": 0.1}'), ('{"l1": 1e-5, "l2": 1e-4}'),
	('{"schedule": "step", "schedule_patience": 10, "schedule_factor": 0.3}'),
	('{"schedule": "cosine", "minimum_learning_rate": 0.0001}'),
	('{"schedule": "plateau", "schedule_patience": 2}'),
	('{"shuffle": false}'), ('{"batch_size": 1, "epochs": 5, "learning_rate": 0.003}'), ('{"batch_size": 400, "learning_rate": 0.05}'),
	('{"huber_delta": 0.5, "loss": "huber"}'),
	('{"loss": "quantile", "quantiles": [0.05, 0.25, 0.5, 0.75, 0.95]}')) AS v(options);

-- networks, in short and in full
SELECT options, skill_of(options) > 0.5 AS learns FROM (VALUES
	(jsonb '{"architecture": "lstm"}'), ('{"architecture": "gru"}'), ('{"architecture": "rnn"}'),
	('{"peephole": true}'), ('{"bidirectional": true}'), ('{"num_layers": 2}'),
	('{"activation": "relu"}'), ('{"activation": "softplus"}'), ('{"activation": "gelu"}'),
	('{"activation": "sigmoid"}'), ('{"activation": "linear"}'),
	('{"recurrent_activation": "softplus"}'), ('{"residual": false}'),
	('{"dropout": 0.1}'), ('{"recurrent_dropout": 0.1}')) AS v(options);
SELECT layers, layers_skill(layers) > 0.5 AS learns FROM (VALUES
	(jsonb '[{"type": "lstm", "units": 10}, {"type": "dense", "units": 1}]'),
	('[{"type": "lstm", "units": 8}, {"type": "gru", "units": 6}, {"type": "dense"}, {"type": "residual"}]'),
	('[{"type": "lstm", "units": 8, "bidirectional": true, "peephole": true}, {"type": "dense", "units": 6, "activation": "gelu"}, {"type": "dense"}]'),
	('[{"type": "rnn", "units": 8, "return_sequences": true}, {"type": "flatten"}, {"type": "dense", "units": 1}]'),
	('[{"type": "gru", "units": 8, "return_sequences": true}, {"type": "last"}, {"type": "dropout", "rate": 0.05}, {"type": "dense"}]'),
	('[{"type": "lstm", "units": 5, "name": "a"}, {"type": "gru", "units": 5, "name": "b", "inputs": ["past"]}, {"type": "add", "inputs": ["a", "b"]}, {"type": "activation", "activation": "tanh"}, {"type": "dense"}]'),
	('[{"type": "lstm", "units": 5, "name": "a"}, {"type": "gru", "units": 3, "name": "b", "inputs": ["past"]}, {"type": "concat", "inputs": ["a", "b"]}, {"type": "dense"}]'),
	('[{"type": "flatten"}, {"type": "dense"}]')) AS v(layers);

-- early stopping keeps the best weights
SELECT epochs < 1000 AS stopped_early FROM lstm.train('stop', 'sine', 'y', 'i', context => 12,
	options => '{"units": 10, "epochs": 1000, "patience": 3, "learning_rate": 0.05}');
SELECT count(*) = max(epoch) AS one_row_per_epoch, min(epoch) AS first,
	max(epoch) - 3 = (array_agg(epoch ORDER BY validation_loss))[1] AS three_after_the_best,
	min(validation_loss) = (lstm.describe('stop')->'metrics'->>'validation_loss')::float8 AS best_kept,
	bool_and(learning_rate = 0.05) AS constant_rate
FROM lstm.training_log('stop');
SELECT version FROM lstm.train('stop', 'sine', 'y', 'i', context => 12,
	options => '{"units": 4, "epochs": 12, "patience": 0, "schedule": "step", "schedule_patience": 4, "schedule_factor": 0.1, "validation_split": 0}');
SELECT array_agg(learning_rate::numeric ORDER BY epoch) AS rates, count(validation_loss) AS validated FROM lstm.training_log('stop');
SELECT lstm.drop_model('stop');

-- options that are none, or have no meaning with the others
\pset format unaligned
\pset tuples_only on
SELECT options || E'\n  ' || error_of(format('SELECT lstm.train(%L, %L, %L, %L, options => %L)', 'bad', 'sine', 'y', 'i', options))
FROM (VALUES
	('{"unit": 5}'), ('{"colour": "red"}'), ('{"context": 5}'), ('{"Units": 5}'), ('{"": 1}'), ('[]'), ('"lstm"'), ('null'),
	('{"units": 0}'), ('{"units": 1000000000}'), ('{"units": 1e300}'), ('{"units": 2.5}'), ('{"units": "5"}'), ('{"units": null}'),
	('{"units": 5, "layers": [{"type": "lstm", "units": 5}]}'),
	('{"epochs": 0}'), ('{"epochs": -1}'), ('{"batch_size": 0}'), ('{"batch_size": 100000}'),
	('{"learning_rate": 0}'), ('{"learning_rate": -1}'), ('{"learning_rate": "fast"}'),
	('{"loss": "mean"}'), ('{"loss": 1}'), ('{"optimizer": "Adam"}'), ('{"schedule": "sometimes"}'),
	('{"architecture": "transformer"}'), ('{"activation": "swish"}'), ('{"architecture": "gru", "peephole": true}'),
	('{"architecture": "rnn", "recurrent_activation": "tanh"}'), ('{"peephole": "yes"}'),
	('{"dropout": 1}'), ('{"dropout": -0.1}'), ('{"num_layers": 9}'),
	('{"momentum": 0.9}'), ('{"nesterov": true}'), ('{"weight_decay": 0.1}'), ('{"minimum_learning_rate": 1}'),
	('{"quantiles": [0.1, 0.5, 0.9]}'), ('{"loss": "quantile", "quantiles": [0.1, 0.9]}'),
	('{"loss": "quantile", "quantiles": [0.9, 0.5]}'), ('{"loss": "quantile", "quantiles": [0, 0.5]}'),
	('{"loss": "quantile", "quantiles": []}'), ('{"loss": "quantile", "quantiles": 0.5}'),
	('{"huber_delta": 2}'), ('{"beta_1": 0.5, "optimizer": "sgd"}'), ('{"rho": 0.5}'), ('{"schedule_factor": 0.1}'),
	('{"validation_split": 1}'), ('{"validation_split": -0.1}'),
	('{"scaling": "z"}'), ('{"missing": "drop"}'), ('{"outliers": "box"}'), ('{"outlier_threshold": 3}'),
	('{"outliers": "winsorise", "outlier_threshold": 0.5}'), ('{"difference": -1}'), ('{"difference": 1000, "units": 4}'), ('{"season": -1}'),
	('{"bounds": [1, 0]}'), ('{"bounds": [0]}'), ('{"bounds": 0}'), ('{"bounds": ["0", null]}'),
	('{"frequency": 1}'), ('{"frequency": ""}'), ('{"seed": -1}'), ('{"seed": 1e20}'), ('{"deploy": "no"}'), ('{"progress": -1}'),
	('{"scale_by_series": 1}')) AS v(options);
SELECT layers || E'\n  ' || regexp_replace(error_of(format('SELECT lstm.train(%L, %L, %L, %L, options => %L)', 'bad', 'sine', 'y', 'i', '{"layers": ' || layers || '}')),
	'needs [0-9.]+', 'needs N')
FROM (VALUES
	('[]'), ('{}'), ('"lstm"'), ('["lstm"]'), ('[{}]'), ('[{"type": "conv"}]'), ('[{"type": "input"}]'), ('[{"type": 5}]'),
	('[{"type": "lstm"}]'), ('[{"type": "lstm", "units": 0}]'), ('[{"type": "lstm", "units": 1000000000}]'),
	('[{"type": "lstm", "units": 60000}]'), ('[{"type": "lstm", "units": 5, "rate": 0.5}]'), ('[{"type": "gru", "units": 5, "peephole": true}]'),
	('[{"type": "lstm", "units": 5, "color": 1}]'), ('[{"type": "lstm", "units": 5, "activation": "x"}]'),
	('[{"type": "lstm", "units": 5}, {"type": "dense", "units": 7}]'),
	('[{"type": "dense", "inputs": ["nothing"]}]'), ('[{"type": "dense", "inputs": []}]'), ('[{"type": "dense", "inputs": "past"}]'),
	('[{"type": "lstm", "units": 5, "name": "past"}]'), ('[{"type": "lstm", "units": 5, "name": "a b"}]'), ('[{"type": "lstm", "units": 5, "name": ""}]'),
	('[{"type": "lstm", "units": 5, "name": "a"}, {"type": "lstm", "units": 5, "name": "a"}]'),
	('[{"type": "lstm", "units": 5, "name": "a"}, {"type": "gru", "units": 3, "name": "b", "inputs": ["past"]}, {"type": "add", "inputs": ["a", "b"]}, {"type": "dense"}]'),
	('[{"type": "lstm", "units": 5, "name": "a"}, {"type": "dense", "inputs": ["past"]}]'),
	('[{"type": "last"}, {"type": "lstm", "units": 5}]'),
	('[{"type": "dense", "inputs": ["future"]}]'), ('[{"type": "dense", "inputs": ["static"]}]')) AS v(layers);

-- memory and numbers have limits
SET lstm.max_memory = '8MB';
SELECT regexp_replace(error_of($$SELECT lstm.train('bad', 'sine', 'y', 'i', options => '{"units": 2000}')$$),
	'needs [0-9.]+', 'needs N');
RESET lstm.max_memory;
SELECT split_part(error_of($$SELECT lstm.train('diverges', 'sine', 'y', 'i', options =>
	'{"units": 5, "optimizer": "sgd", "learning_rate": 999, "activation": "linear", "architecture": "rnn", "residual": false}')$$), ' at ', 1);
SELECT name, count(*) FROM lstm.models GROUP BY name;
SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
\pset format aligned
\pset tuples_only off
DROP FUNCTION skill_of, layers_skill, error_of;
DROP TABLE sine;
