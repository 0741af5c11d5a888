-- pad.sql
--		Series of different lengths in one model: windows that begin before their series.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n  ', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;

-- three series of months, of which two are short; the shorter ones tell nobody how far to look back
CREATE TABLE shops AS SELECT shop, (date '2000-01-01' + i * interval '1 month')::date AS month,
	size * (100 + i * 0.1 + 20 * sin(i * pi() / 6) + (hashint4(i * 7 + length(shop)) % 100) / 100.0) AS y
	FROM (VALUES ('long', 200, 1), ('short one', 60, 1000), ('tiny', 20, 0.01)) s(shop, n, size), generate_series(200 - n, 199) i;
SELECT skill > 0 AS skill FROM lstm.train('shops', 'shops', 'y', 'month', horizon => 6);
SELECT o->'pad' AS pad, (o->'season')::int AS season, (lstm.describe('shops')->'context')::int >= 24 AS context FROM (SELECT lstm.describe('shops')->'options' AS o) v;
SELECT series, count(*) AS rows, count(DISTINCT step) AS steps, min(forecast_timestamp)::date AS first,
	max(abs(forecast_value / (size * (100 + (199 + step) * 0.1 + 20 * sin((199 + step) * pi() / 6))) - 1)) < 0.1 AS good
FROM lstm.forecast('shops') JOIN (VALUES ('long', 1), ('short one', 1000), ('tiny', 0.01)) s(shop, size) ON shop = series GROUP BY series ORDER BY series;

-- a series by itself is not padded, unless somebody says so
SELECT version FROM lstm.train('one', 'SELECT month, y FROM shops WHERE shop = ''long''', options => '{"members": ["network"], "folds": 1, "epochs": 2}');
SELECT version FROM lstm.train('two', 'SELECT month, y FROM shops WHERE shop = ''long''', options => '{"members": ["network"], "folds": 1, "epochs": 2, "pad": true}');
SELECT lstm.describe('one')->'options'->'pad' AS one, lstm.describe('two')->'options'->'pad' AS two;

-- a network of one's own: rows that are asked for
\pset format unaligned
\pset tuples_only on
SELECT options || ', ' || source || E'\n  ' || error_of(format('SELECT lstm.train(''own'', %L, ''y'', ''month'', ''shop'', 6, 36, options => %L)',
	source, '{"architecture": "lstm", "units": 4, "epochs": 2, "season": 12, "scale_by_series": true, ' || options || '}'))
FROM (VALUES
	('"pad": false', 'SELECT * FROM shops'),
	('"pad": true', 'SELECT * FROM shops'),
	('"pad": true', 'SELECT * FROM shops WHERE shop = ''tiny'' AND month < ''2016-01-01'''),
	('"pad": true', 'SELECT * FROM shops WHERE shop <> ''tiny'' OR month = ''2015-01-01'''),
	('"pad": true, "difference": 12', 'SELECT * FROM shops'),
	('"pad": true, "difference": 20', 'SELECT * FROM shops'),
	('"pad": 1', 'SELECT * FROM shops')) v(options, source);
\pset format aligned
\pset tuples_only off
SELECT version FROM lstm.train('own', 'shops', 'y', 'month', 'shop', 6, 36,
	options => '{"architecture": "lstm", "units": 4, "epochs": 2, "season": 12, "scale_by_series": true, "difference": 1, "pad": true}');

-- few rows are enough for a forecast, and what comes after an origin changes nothing
CREATE FUNCTION cut(n int) RETURNS text LANGUAGE sql AS $$
	SELECT format('SELECT shop, month, y FROM (SELECT *, row_number() OVER (PARTITION BY shop ORDER BY month) AS r FROM shops) v WHERE r <= %s', n)
$$;
SELECT n, count(*) AS rows, count(DISTINCT series) AS series, count(*) FILTER (WHERE forecast_value IS NULL) AS unknown
FROM unnest('{2,3,12,13,14,36,37,38}'::int[]) n, LATERAL lstm.forecast('own', source => cut(n)) GROUP BY n ORDER BY n;
SELECT error_of($$SELECT * FROM lstm.forecast('own', source => 'SELECT * FROM shops WHERE month < ''2000-02-01''')$$);
SELECT count(*) AS rows, count(DISTINCT h.issued_at) AS origins, bool_and(h.forecast_value = f.forecast_value) AS same FROM lstm.hindcast('own') h,
	LATERAL lstm.forecast('own', as_of => h.issued_at) f WHERE f.series = h.series AND f.step = h.step AND h.series = 'long' AND h.issued_at < '2003-06-01';

-- everything else that looks at windows
SELECT count(DISTINCT series) AS series, bool_and(forecast_value IS NOT NULL) AS known FROM lstm.hindcast('own');
SELECT series, n > 0 AS n, mae > 0 AS mae FROM lstm.evaluate('own') WHERE level = 'series' ORDER BY series;
SELECT count(DISTINCT series) AS series, count(*) > 200 AS rows FROM lstm.detect_anomalies('own');
SELECT count(*) AS rows, bool_and(rmse IS NOT NULL) AS known FROM lstm.robustness('own');
SELECT method, count(*) > 5 AS rows FROM unnest('{permutation,gradients,decomposition}'::text[]) m, LATERAL lstm.explain('own', method => m, series => 'tiny') GROUP BY method ORDER BY method;
SELECT max(lag) AS rows, abs(sum(importance) - max(value) FILTER (WHERE input = 'forecast') + max(value) FILTER (WHERE input = 'baseline')) < 1e-3 AS adds_up,
	count(*) FILTER (WHERE lag > 0 AND input_timestamp IS NULL) AS timeless
FROM lstm.explain('own', method => 'gradients', series => 'tiny', horizon => 1);
SELECT count(*) > 0 AS rows FROM lstm.backtest('shops', 'y', 'month', 'shop', 6, 36, folds => 2, options => '{"architecture": "lstm", "units": 4, "epochs": 2, "season": 12, "scale_by_series": true, "pad": true}');

-- adaptive intervals learn from the origins that there are
SELECT version FROM lstm.train('own', 'shops', 'y', 'month', 'shop', 6, 36,
	options => '{"architecture": "lstm", "units": 4, "epochs": 2, "season": 12, "scale_by_series": true, "calibration": "adaptive", "pad": true}');
SELECT count(DISTINCT series) AS series, bool_and(prediction_interval_lower_bound < prediction_interval_upper_bound) AS bounds FROM lstm.forecast('own', source => cut(13));

-- a group and a history: the value of a model without a registry
CREATE TABLE fitted AS SELECT lstm.fit(month, y, '{"architecture": "lstm", "units": 4, "epochs": 2, "horizon": 6, "context": 36, "season": 12, "pad": true}') AS model FROM shops WHERE shop = 'long';
SELECT n, array_length(lstm.predict(model, (SELECT array_agg(y ORDER BY month) FROM (SELECT * FROM shops WHERE shop = 'long' ORDER BY month LIMIT n) v), 14), 1) AS steps
FROM fitted, unnest('{1,5,12,35,36,200}'::int[]) n ORDER BY n;

-- a series that nobody trained on gets a scale of its own: it is forecast as its likes are
SELECT series, abs(forecast_value / 1000 / first_value(forecast_value) OVER (ORDER BY series) - 1) < 0.02 AS own_scale FROM lstm.forecast('shops',
	source => 'SELECT ''a'' AS shop, month, y FROM shops WHERE shop = ''long'' UNION ALL SELECT ''new'', month, 1000 * y FROM shops WHERE shop = ''long''') WHERE step = 1 ORDER BY series OFFSET 1;

-- bad series are left out, short ones are not
SELECT version FROM lstm.train('skip', 'SELECT * FROM shops UNION ALL SELECT ''single'', ''2016-08-01'', 1', 'y', 'month', 'shop', 6,
	options => '{"on_error": "skip", "members": ["network"], "folds": 1, "epochs": 2}');
SELECT count(DISTINCT series) AS series, lstm.describe('skip')->'report'->'skipped' AS skipped FROM lstm.forecast('skip', source => 'shops');

-- judging on rows that begin too late says so
CREATE TABLE weeks AS SELECT t, sin(t / 7.0 * 6.28) AS y FROM generate_series(1, 200) t;
SELECT version FROM lstm.train('late', 'SELECT * FROM weeks WHERE t <= 150', 'y', 't', horizon => 2, context => 40,
	options => '{"pad": true, "season": 7, "units": 4, "epochs": 2}');
SET client_min_messages = notice;
SELECT n FROM lstm.evaluate('late', 'SELECT * FROM weeks WHERE t > 150') WHERE level = 'all';
SELECT n FROM lstm.evaluate('late', 'SELECT * FROM weeks WHERE t > 110') WHERE level = 'all';
SET client_min_messages = warning;
DROP TABLE weeks;

SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
DROP TABLE shops, fitted;
DROP FUNCTION error_of, cut;
