-- plots.sql
--		Pictures, the report and the sparkline: well-formed whatever the names and numbers are.
\set VERBOSITY terse
SET client_min_messages = error;
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
	hint	text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n  ', SQLSTATE || ': ' || SQLERRM, nullif(hint, ''));
END $$;
-- number of times that a text is there
CREATE FUNCTION times(picture text, what text) RETURNS int LANGUAGE plpgsql AS $$
BEGIN
	RETURN (length(picture) - length(replace(picture, what, ''))) / length(what);
END $$;
-- parsed anew, as the type's output alone says nothing; a server without libxml cannot
CREATE FUNCTION is_document(text text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RETURN xmlparse(DOCUMENT text) IS DOCUMENT;
EXCEPTION WHEN feature_not_supported THEN
	RETURN true;
END $$;
CREATE FUNCTION is_svg(picture xml) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RETURN is_document(picture::text) AND picture::text LIKE '<svg %</svg>' AND picture::text !~ '<script|href|url\(';
END $$;

-- hourly rows with a day's season, a covariate, several series with names that mean harm
CREATE TABLE evil AS
SELECT timestamptz '2024-01-01 00:00+00' + i * interval '1 hour' AS at, s AS name, 10 + 3 * sin(2 * pi() * i / 24) + length(s) / 10.0 AS y, cos(i / 5.0) AS x
FROM generate_series(0, 199) i, unnest(ARRAY['</svg><script>alert(1)</script>', E'two\nlines & "quotes"', U&'non\FFFEcharacter', $$'; DROP TABLE evil; --$$]) s;
CREATE FUNCTION train(model text, source text, options jsonb DEFAULT '{}', horizon int DEFAULT 3, series text DEFAULT NULL) RETURNS int LANGUAGE sql AS $$
	SELECT version FROM lstm.train(model, source, target => 'y', time_column => 'at', series => series, horizon => horizon, context => 6,
		options => '{"architecture": "lstm", "units": 4, "epochs": 3, "seed": 1}' || options) $$;
SELECT train('</title><script>x</script>', 'evil', series => 'name');
SELECT name, is_svg(p) AS is_svg, p::text LIKE '%&lt;/title&gt;&lt;script&gt;x%' AS escaped, times(p::text, '<polyline class="history"') AS histories,
	times(p::text, '<polyline class="forecast"') AS forecasts, times(p::text, 'prefers-color-scheme:dark') AS dark
FROM (SELECT DISTINCT name FROM evil) e, lstm.plot_forecast('</title><script>x</script>', series => e.name) p ORDER BY name;

-- the interval and the legend's entries, which name their lines
SELECT times(p, '<polygon class="band"') AS bands, times(p, 'class="band"') AS band,
	ARRAY(SELECT m[1] || ': ' || m[2] FROM regexp_matches(p, '<(?:line|rect) class="(history|forecast|band)"[^>]*/><text class="label"[^>]*>([^<]*)', 'g') m) AS legend
FROM CAST(lstm.plot_forecast('</title><script>x</script>', series => (SELECT min(name) FROM evil), confidence_level => 0.8) AS text) p;

-- training: two lines, the best epoch; logarithmic where losses span much
SELECT is_svg(p) AS is_svg, times(p::text, '<polyline class="loss"') AS loss, times(p::text, '<polyline class="validation"') AS validation,
	times(p::text, '<circle class="best"') > 0 AS best, p::text LIKE '%best epoch: % of 3%' AS said
FROM lstm.plot_training('</title><script>x</script>') p;
CREATE TABLE line AS SELECT i AS at, i / 10.0 AS y FROM generate_series(1, 200) i;
SELECT train('line', 'line', '{"loss": "mse", "epochs": 60, "learning_rate": 0.02, "patience": 0}');
SELECT is_svg(p) AS is_svg, max(l.loss) / min(least(l.loss, l.validation_loss)) > 30 AS spans_much, p::text LIKE '%loss, logarithmic%' AS logarithmic
FROM lstm.plot_training('line') p, lstm.training_log('line') l GROUP BY p::text, is_svg(p);
SELECT train('once', 'line', '{"epochs": 1, "validation_split": 0}');
SELECT is_svg(p) AS is_svg, times(p::text, 'class="validation"') AS validation, times(p::text, '<circle class="loss"') AS points FROM lstm.plot_training('once') p;

-- importance: the numbers of lstm.explain, largest first
SELECT is_svg(p) AS is_svg, times(p::text, '<rect class="bar"') + times(p::text, '<rect class="against"') AS bars,
	(SELECT count(DISTINCT input) FROM lstm.explain('</title><script>x</script>') WHERE lag IS NULL) AS inputs,
	position('>y</text>' in p::text) BETWEEN 1 AND position('>x</text>' in p::text) AS ordered
FROM lstm.plot_importance('</title><script>x</script>') p;
SELECT is_svg(lstm.plot_importance('</title><script>x</script>', series => E'two\nlines & "quotes"', target => 'y', horizon => 1)) AS is_svg;

-- every kind of step
CREATE FUNCTION step_picture(step interval) RETURNS xml LANGUAGE plpgsql AS $$
BEGIN
	EXECUTE format('CREATE TABLE steps AS SELECT timestamp ''2024-02-27 22:00'' + i * %L::interval AS at, sin(i / 3.0) AS y FROM generate_series(0, 59) i', step);
	PERFORM train('steps', 'steps');
	DROP TABLE IF EXISTS kept;
	ALTER TABLE steps RENAME TO kept;
	RETURN lstm.plot_forecast('steps', source => 'kept', horizon => 2);
END $$;
SELECT s AS step, is_svg(p) AS is_svg, (SELECT string_agg(m[1], ', ') FROM regexp_matches(p::text, 'class="label" x="[0-9.]+" y="370.0" text-anchor="middle">([^<]*)', 'g') m) AS ticks
FROM unnest('{1 second,20 minutes,1 hour,1 month,1 year}'::interval[]) s, step_picture(s) p;
SELECT is_svg(p) AS is_svg, times(p::text, '<circle class="forecast"') AS one_step, p::text LIKE '%next 1 step<%' AS said FROM lstm.plot_forecast('line', horizon => 1, history => 1) p;

-- constant, gaps, a million points of which half are unknown
SELECT is_svg(p) AS is_svg, times(p::text, '<polyline class="history"') AS lines FROM lstm.plot_forecast('line', source => 'SELECT at, 7.0 AS y FROM line') p;
SELECT is_svg(p) AS is_svg, times(p::text, '<polyline class="history"') AS lines, times(p::text, '<circle class="history"') AS points
FROM lstm.plot_forecast('line', source => $$SELECT at, CASE WHEN at IN (190, 192, 193, 196) THEN 'NaN' ELSE y END AS y FROM line$$, history => 20) p;
SELECT is_svg(p) AS is_svg, length(p::text) < 100000 AS bounded FROM lstm.plot_forecast('line', history => 1000000,
	source => 'SELECT i AS at, CASE WHEN i % 2 = 0 THEN hashint4(i) / 1e8 END AS y FROM generate_series(1, 1000000) i') p;
SELECT is_svg(p) AS is_svg, length(p::text) < 100000 AS bounded FROM lstm.plot_forecast('line', history => 100000,
	source => 'SELECT i AS at, 1e20 * sin(i) AS y FROM generate_series(1, 100000) i') p;

-- an interval many times wider than what is known
CREATE TABLE noise AS SELECT i AS at, hashint4(i) / 1e8 AS y FROM generate_series(1, 200) i;
SELECT train('noise', 'noise', '{"scaling": "standard"}');
SELECT is_svg(p) AS is_svg, p::text LIKE '%, wider than the axis<%' AS cut
FROM lstm.plot_forecast('noise', source => 'SELECT at, y * 1e-6 AS y FROM noise', confidence_level => 0.999) p;
-- no number of a picture is none
SELECT bool_or(p ~* '"[^"<>]*\m(nan|inf)\M[^"<>]*"') AS nan FROM (SELECT lstm.plot_forecast('line', source => 'SELECT at, CASE WHEN at > 190 THEN y END AS y FROM line')::text) q(p);

-- several targets
CREATE TABLE two AS SELECT at, y, 3 - y AS z FROM line;
SELECT version FROM lstm.train('two', 'two', target => 'y, z', time_column => 'at', horizon => 2, context => 4, options => '{"architecture": "lstm", "units": 3, "epochs": 1}');
SET client_min_messages = notice;
SELECT is_svg(lstm.plot_forecast('two')) AS is_svg;
SELECT is_svg(lstm.plot_forecast('two', target => 'z')) AS is_svg;
SET client_min_messages = error;

-- the report: one document, all parts, escaped, nothing from outside
CREATE FUNCTION is_page(page text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
	RETURN is_document(page) AND page LIKE '<!DOCTYPE html>%</html>%' AND page !~ '<script|href=|src=|url\(|@import';
END $$;
CREATE FUNCTION parts(page text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN (SELECT string_agg(m[1], ' ') FROM regexp_matches(page, '<section id="([a-z]+)"', 'g') m);
END $$;
SELECT is_page(p), times(p, '<svg ') AS pictures, parts(p), p NOT LIKE '%could not be made%' AS whole FROM lstm.report('</title><script>x</script>', series => 4) p;
SELECT is_page(p), times(p, '<svg ') AS pictures, parts(p) FROM lstm.report('two', 1, series => 0) p;
-- beside classical methods; on newer rows alone where they suffice
CREATE FUNCTION judged(page text) RETURNS TABLE(methods text, words text, fresh boolean) LANGUAGE plpgsql AS $$
BEGIN
	page := substring(page from '<section id="evaluation".*?</section>');
	RETURN QUERY SELECT (SELECT string_agg(m[1], ', ') FROM regexp_matches(substring(page from '>method<.*'), '<tr><td>([^<]*)', 'g') m),
		substring(page from '((Judged only on|Only|None of) .*?) (newer|rows is)'), page LIKE '%Judged only on%';
END $$;
SELECT source, (judged(lstm.report('line', source => source, series => 0))).* FROM (VALUES ('line'), ('SELECT i AS at, i / 10.0 AS y FROM generate_series(1, 206) i'),
	('SELECT i AS at, i / 10.0 AS y FROM generate_series(1, 300) i')) v(source);
SELECT (judged(lstm.report('</title><script>x</script>', series => 0))).methods;
-- few newer rows of each of many series are enough, wherever they begin
SELECT (judged(p)).words, (regexp_match(p, '<td>all</td><td>y</td><td class="number">([0-9]+)'))[1]::int BETWEEN 900 AND 4000 AS bounded
FROM lstm.report('</title><script>x</script>', series => 0, source => $$SELECT timestamptz '2024-01-01 00:00+00' + i * interval '1 hour' AS at, 's' || s AS name, sin(i / 4.0) AS y, cos(i / 5.0) AS x
	FROM generate_series(0, 229) i, generate_series(1, 100) s$$) p;
-- its numbers are those of lstm.evaluate
SELECT count(*) AS equal FROM unnest('{naive,mean,drift}'::text[]) b, lstm.report('noise', source => 'SELECT * FROM noise', series => 0) p,
	lstm.evaluate('noise', baseline => b) e
WHERE e.level = 'all' AND p LIKE format('%%<td>%s</td><td class="number">%s</td>%%', b, (regexp_match(p, format('<td>%s</td><td class="number">([0-9.]+)', b)))[1])
	AND abs((regexp_match(p, format('<td>%s</td><td class="number">([0-9.]+)', b)))[1]::float8 / e.baseline_mae - 1) < 1e-3;
-- what it was trained on
SELECT p LIKE '%<dt>Range trained on</dt><dd>1 to 200</dd>%' AS range, p LIKE format('%%<dd>%s</dd>%%', (SELECT data->>'sha256' FROM lstm.models WHERE name = 'line')) AS sha256,
	p LIKE format('%%<dt>Trained by</dt><dd>%s</dd>%%', current_user) AS by_whom, p LIKE '%<dt>Seconds of training</dt><dd>%' AS seconds, p LIKE '%<dt>Version of lstm</dt><dd>0.%' AS extension
FROM lstm.report('line', series => 0) p;
-- its source is gone: what needs rows says so
CREATE TABLE lost AS TABLE line;
SELECT train('lost', 'lost');
DROP TABLE lost;
SELECT is_page(p), parts(p), (SELECT array_agg(DISTINCT m[1]) FROM regexp_matches(p, 'could not be made: ([^<]*)', 'g') m) AS failed, times(p, '<svg ') AS pictures FROM lstm.report('lost') p;
SELECT is_page(lstm.report('lost', source => 'line')) AS with_another;
BEGIN READ ONLY;
SELECT is_page(lstm.report('line')) AS read_only;
COMMIT;
-- a joint model has what it has
SELECT train(m, 'SELECT * FROM line WHERE at <= 120') FROM unnest('{first,second}'::text[]) m;
SELECT version FROM lstm.join_models('joint', 'first', 'second', source => 'line');
SELECT is_svg(p) AS is_svg, times(p::text, '<polyline class="forecast"') AS forecasts FROM lstm.plot_forecast('joint') p;
SELECT is_page(p), parts(p), times(p, '<svg ') AS pictures, p NOT LIKE '%could not be made%' AS whole FROM lstm.report('joint') p;

SELECT (judged(lstm.report('joint', series => 0))).*;

-- sparklines
SELECT lstm.sparkline('{1,2,3,4,5,6,7,8}') AS rising, lstm.sparkline('{1,NULL,8,NaN,Infinity,-Infinity}') AS holes, lstm.sparkline('{5,5,5}') AS equal,
	lstm.sparkline('{7}') AS one, lstm.sparkline('{}') = '' AS empty, lstm.sparkline(NULL) IS NULL AS none, lstm.sparkline('{NULL,NaN}') = '  ' AS unknown;
SELECT lstm.sparkline('{{1,2},{3,4}}') AS two_dimensions, lstm.sparkline('{-1.7e308,0,1.7e308}') AS far, lstm.sparkline('{Infinity,-Infinity}') AS ends,
	char_length(lstm.sparkline(array_agg(i))) AS long FROM generate_series(1, 100000) i;
SELECT provolatile, proparallel, proisstrict FROM pg_proc WHERE oid = 'lstm.sparkline(float8[])'::regprocedure;

-- what cannot be drawn
SELECT query, error_of('SELECT lstm.' || query) FROM (VALUES
	($$plot_forecast(NULL)$$),
	($$plot_forecast('nothing')$$),
	($$plot_forecast('line', history => -1)$$),
	($$plot_forecast('line', horizon => 0)$$),
	($$plot_forecast('line', confidence_level => 'NaN')$$),
	($$plot_forecast('line', series => 'b')$$),
	($$plot_forecast('line', source => 'SELECT at, y FROM line LIMIT 1')$$),
	($$plot_forecast('line', source => 'SELECT at, y FROM line LIMIT 0')$$),
	($$plot_forecast('line', source => 'SELECT at, NULL::float8 AS y FROM line')$$),
	($$plot_training(NULL)$$),
	($$plot_training('lime')$$),
	($$plot_training('line', 7)$$),
	($$plot_training('joint')$$),
	($$plot_importance(NULL)$$),
	($$plot_importance('line', seed => NULL)$$),
	($$plot_importance('line', target => 'z')$$),
	($$plot_importance('lost')$$),
	($$plot_importance('joint')$$),
	($$report(NULL)$$),
	($$report('lime')$$),
	($$report('line', 7)$$),
	($$report('line', series => NULL)$$),
	($$report('line', series => 51)$$)) AS v(query);
UPDATE lstm.models SET deployed = false WHERE name = 'line';
SELECT error_of($$SELECT lstm.report('line')$$), error_of($$SELECT lstm.plot_training('line')$$);
SELECT is_svg(lstm.plot_training('line', 1)) AS by_version;

-- no right on the rows ends the report; no right on the model hides it
CREATE ROLE regress_lstm_reader;
GRANT USAGE ON SCHEMA public TO regress_lstm_reader;
SELECT error_of($$SELECT lstm.report('once', source => 'line')$$) AS owner;
SET ROLE regress_lstm_reader;
SELECT error_of($$SELECT lstm.report('once')$$), error_of($$SELECT lstm.plot_training('once')$$), error_of($$SELECT lstm.plot_importance('once')$$);
RESET ROLE;
UPDATE lstm.models SET owner = 'regress_lstm_reader' WHERE name = 'once';
SET ROLE regress_lstm_reader;
SELECT error_of($$SELECT lstm.report('once')$$);
RESET ROLE;
DROP OWNED BY regress_lstm_reader;
DELETE FROM lstm.models WHERE owner = 'regress_lstm_reader';
DROP ROLE regress_lstm_reader;

SELECT lstm.drop_model('joint');
DELETE FROM lstm.models WHERE name IN ('</title><script>x</script>', 'line', 'once', 'steps', 'noise', 'two', 'lost', 'first', 'second');
DROP TABLE evil, line, kept, noise, two;
DROP FUNCTION error_of, times, is_document, is_svg, train, step_picture, is_page, parts, judged;
