-- ar.sql
--		fit_ar and predict_ar, the autoregressive yardstick.

-- a sine obeys y[t] = 2 cos(w) y[t-1] - y[t-2]
SELECT array_agg(round(c::numeric, 6)) AS coefficients, round((2 * cos(0.2))::numeric, 6) AS expected
FROM (SELECT unnest(lstm.fit_ar(array_agg(sin(i * 0.2) ORDER BY i), 2)) AS c
	FROM generate_series(1, 100) i) f;
SELECT bool_and(abs(u.y - sin((100 + n) * 0.2)) < 1e-9) AS goes_on
FROM (SELECT lstm.predict_ar(lstm.fit_ar(y, 2), y, 10) AS p
	FROM (SELECT array_agg(sin(i * 0.2) ORDER BY i) AS y FROM generate_series(1, 100) i) s) f,
	unnest(p) WITH ORDINALITY AS u(y, n);

-- missing values leave equations out
SELECT array_agg(round(c::numeric, 6)) AS coefficients
FROM (SELECT unnest(lstm.fit_ar(array_agg(CASE WHEN i % 17 = 0 THEN NULL WHEN i % 23 = 0 THEN 'NaN'
	ELSE sin(i * 0.2) END ORDER BY i), 2)) AS c FROM generate_series(1, 100) i) f;

-- a constant is its mean
SELECT lstm.fit_ar('{5,5,5,5,5,5}', 2), lstm.predict_ar('{5,0,0}', '{5,5}', 3);

-- strict, and NULL where the last values are not known
SELECT lstm.fit_ar(NULL, 1), lstm.fit_ar('{1,2}', NULL), lstm.predict_ar('{0,1}', '{1,NULL}', 2),
	lstm.predict_ar('{0,1,1}', '{1}', 2);

-- mistakes
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
SELECT query, error_of('SELECT lstm.' || query) FROM (VALUES
	($$fit_ar('{1,2,3}', 0)$$),
	($$fit_ar('{1,2,3}', 100000)$$),
	($$fit_ar('{1,2,3}', 3)$$),
	($$fit_ar('{}', 1)$$),
	($$fit_ar('{{1,2},{3,4}}', 1)$$),
	($$fit_ar('{1,2,Infinity,4}', 1)$$),
	($$predict_ar('{0,1}', '{1}', 0)$$),
	($$predict_ar('{0,1}', '{1}', 1000000000)$$),
	($$predict_ar('{0}', '{1}', 1)$$),
	($$predict_ar('{0,NaN}', '{1}', 1)$$)) AS v(query);
DROP FUNCTION error_of;
