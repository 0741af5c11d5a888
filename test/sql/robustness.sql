-- robustness.sql
--		Disturbed rows make forecasts worse, and training against attacks makes that less.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
-- A fixed noise that is close to normal: sums of twelve uniform numbers from md5.
CREATE FUNCTION noise(i int) RETURNS float8 LANGUAGE sql IMMUTABLE AS $$
	SELECT sum(('x' || substr(md5(i::text || '/' || k), 1, 7))::bit(28)::int / 268435456.0)::float8 - 6 FROM generate_series(1, 12) k
$$;
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n  ', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
-- next is shown by one column with noise, and by forty others in traces
CREATE TABLE traces AS SELECT i, noise(i) AS y, noise(i + 1) + 0.6 * noise(i + 20000) AS strong, w.weak
	FROM generate_series(1, 700) i, LATERAL (SELECT array_agg(0.15 * noise(i + 1) + noise(i + 50000 + 1000 * c) ORDER BY c) AS weak FROM generate_series(1, 30) c) w;
SELECT format('CREATE VIEW wide AS SELECT i, y, strong, %s FROM traces', string_agg(format('weak[%1$s] AS w%1$s', c), ', ')) FROM generate_series(1, 30) c \gexec
SELECT version FROM lstm.train('plain', 'wide', 'y', 'i', context => 2,
	options => '{"architecture": "lstm", "units": 16, "epochs": 30, "learning_rate": 0.01, "patience": 0}');
SELECT version FROM lstm.train('hardened', 'wide', 'y', 'i', context => 2,
	options => '{"architecture": "lstm", "units": 16, "epochs": 30, "learning_rate": 0.01, "patience": 0, "adversarial": {"epsilon": 0.2}}');
CREATE TABLE plain AS SELECT * FROM lstm.robustness('plain');
SELECT perturbation, strength, n, CASE perturbation WHEN 'clean' THEN mae_ratio = 1 ELSE mae_ratio > 1 END AS worse, rmse >= mae AS rmse FROM plain;
SELECT abs(p.mae - e.mae) < 1e-9 AS clean_is_evaluate FROM lstm.robustness('plain', 'SELECT * FROM wide WHERE i > 600', stride => 1) p, lstm.evaluate('plain', 'SELECT * FROM wide WHERE i > 600') e
WHERE perturbation = 'clean' AND level = 'all';
SELECT bool_and(g.mae_ratio > n.mae_ratio) AS attack_is_worse_than_noise FROM plain g, plain n
WHERE g.perturbation = 'gradient_sign' AND g.strength = 0.1 AND n.perturbation = 'noise' AND n.strength = 0.1;
SELECT bool_and(mae > before) AS stronger_is_worse FROM (SELECT mae, lag(mae) OVER (ORDER BY strength) AS before FROM plain WHERE perturbation = 'gradient_sign') s WHERE before IS NOT NULL;
SELECT max(h.mae) FILTER (WHERE h.strength = 0.2) - max(h.mae) FILTER (WHERE h.strength = 0) <
	0.5 * (max(p.mae) FILTER (WHERE p.strength = 0.2) - max(p.mae) FILTER (WHERE p.strength = 0)) AS hardened
FROM plain p JOIN lstm.robustness('hardened') h USING (perturbation, strength) WHERE perturbation IN ('clean', 'gradient_sign');
SELECT count(*) = 0 AS repeats_itself FROM (TABLE plain EXCEPT SELECT * FROM lstm.robustness('plain', seed => 0)) d;
SELECT count(*) AS changed_by_seed FROM (TABLE plain EXCEPT SELECT * FROM lstm.robustness('plain', seed => 5)) d;

-- two targets, series, future covariates, differences; gaps refused
CREATE TABLE rich AS SELECT i, p AS place, 50 + 8 * sin(i * pi() / 12) + noise(i + 1000 * length(p)) AS y, 20 + 2 * noise(i + 7777 * length(p)) AS z,
	10 + 3 * sin(i * pi() / 12 + 1) AS ahead FROM generate_series(0, 200) i, unnest('{a,bb}'::text[]) p;
SELECT version FROM lstm.train('rich', 'rich', 'y, z', 'i', 'place', 6, 24, future_covariates => 'ahead',
	options => '{"architecture": "lstm", "units": 4, "epochs": 2, "difference": 24, "missing": "error", "members": ["network", "theta"]}');
SELECT target, count(*) AS rows, bool_and((mae IS NULL) = (perturbation = 'missing_block')) AS gaps_refused, sum(n) AS n FROM lstm.robustness('rich', stride => 10) GROUP BY target ORDER BY target;
SELECT version FROM lstm.train('constant', 'SELECT i, 5 AS y FROM generate_series(1, 80) i', 'y', 'i', context => 4, options => '{"architecture": "lstm", "units": 2, "epochs": 1}');
SELECT count(*) AS rows, count(*) FILTER (WHERE mae > 1e300 OR rmse > 1e300 OR mae_ratio > 1e300) AS strange FROM lstm.robustness('constant');

-- what cannot be
CREATE TABLE fitted AS SELECT lstm.fit(i, y, '{"units": 2, "epochs": 1, "context": 4}') AS model FROM traces;
INSERT INTO lstm.models (name, version, deployed) VALUES ('fitted', 1, true);
INSERT INTO lstm.model_values SELECT 'fitted', 1, model FROM fitted;
CREATE ROLE regress_lstm_stranger;
\pset format unaligned
\pset tuples_only on
SELECT query || E'\n  ' || error_of('SELECT * FROM lstm.robustness(' || query || ')') FROM (VALUES ($$NULL$$), ($$'nobody'$$), ($$'plain', horizon => 0$$),
	($$'plain', horizon => 2$$), ($$'plain', stride => 0$$), ($$'plain', version => 7$$), ($$'plain', 'SELECT * FROM wide WHERE false'$$), ($$'plain', 'SELECT * FROM wide WHERE i = 1'$$),
	($$'plain', 'SELECT i, y FROM wide'$$), ($$'fitted', 'wide'$$), ($$'plain', seed => NULL$$), ($$'plain', stride => NULL$$)) AS v(query);
SET ROLE regress_lstm_stranger;
SELECT error_of($$SELECT * FROM lstm.robustness('plain')$$);
RESET ROLE;
SET lstm.max_memory = '1MB';
SELECT error_of($$SELECT * FROM lstm.robustness('plain', stride => 1)$$);
RESET lstm.max_memory;
\pset format aligned
\pset tuples_only off
DELETE FROM lstm.models WHERE name = 'fitted';
SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
DROP VIEW wide;
DROP TABLE traces, plain, rich, fitted;
DROP FUNCTION noise, error_of;
DROP ROLE regress_lstm_stranger;
