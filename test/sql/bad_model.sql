-- bad_model.sql
--		Wrong arguments of the functions that take a model, and bytes that are no model.

\set VERBOSITY terse
SET lstm.progress = 0;
SET client_min_messages = error;
SET datestyle = 'ISO, YMD';
SET timezone = 'UTC';
CREATE TABLE sine AS SELECT t, sin(t / 4.0) AS y FROM generate_series(1, 60) t;
CREATE TABLE daily AS SELECT date '2024-01-01' + i AS day, place, sin(i / 4.0) AS y, i % 2 AS odd
	FROM generate_series(0, 59) i, (VALUES ('a'), ('b')) AS p(place);
SELECT version FROM lstm.train('sine', 'sine', 'y', 't', context => 8, options => '{"units": 4, "epochs": 1}');
SELECT version FROM lstm.train('past', 'daily', 'y', past_covariates => 'odd', context => 8, options => '{"units": 4, "epochs": 1}');
SELECT version FROM lstm.train('future', 'daily', 'y', future_covariates => 'odd', context => 8, horizon => 2, options => '{"units": 4, "epochs": 1}');
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n  ', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
\pset format unaligned
\pset tuples_only on

SELECT query || E'\n  ' || error_of('SELECT * FROM lstm.' || query) FROM (VALUES
	($$forecast(NULL)$$),
	($$forecast('')$$),
	($$forecast('sinus')$$),
	($$forecast('sine', version => 2)$$),
	($$forecast('sine', version => 0)$$),
	($$forecast('sine', version => -2147483648)$$),
	($$forecast('sine', horizon => 0)$$),
	($$forecast('sine', horizon => -1)$$),
	($$forecast('sine', horizon => 65537)$$),
	($$forecast('sine', horizon => 2147483647)$$),
	($$forecast('sine', confidence_level => 0)$$),
	($$forecast('sine', confidence_level => 1)$$),
	($$forecast('sine', confidence_level => 95)$$),
	($$forecast('sine', confidence_level => 'NaN')$$),
	($$forecast('sine', confidence_level => NULL)$$),
	($$forecast('sine', as_of => now())$$),
	($$forecast('sine', future => 'sine')$$),
	($$forecast('sine', source => '')$$),
	($$forecast('sine', source => 'nothing')$$),
	($$forecast('sine', source => 'SELECT t FROM sine')$$),
	($$forecast('sine', source => 'SELECT t, y::text AS y FROM sine')$$),
	($$forecast('sine', source => 'SELECT t::text AS t, y FROM sine')$$),
	($$forecast('sine', source => 'SELECT date ''2024-01-01'' + t AS t, y FROM sine')$$),
	($$forecast('sine', source => 'SELECT * FROM sine WHERE false')$$),
	($$forecast('sine', source => 'SELECT * FROM sine WHERE t < 8')$$),
	($$forecast('sine', source => 'SELECT t, NULL::float8 AS y FROM sine')$$),
	($$forecast('sine', source => 'SELECT t, CASE WHEN t = 50 THEN ''Infinity'' ELSE y END AS y FROM sine')$$),
	($$forecast('sine', source => 'SELECT t, CASE WHEN t = 60 THEN 1e300 ELSE y END AS y FROM sine')$$),
	($$forecast('sine', source => 'SELECT * FROM sine UNION ALL SELECT * FROM sine WHERE t = 50')$$),
	($$forecast('sine', source => 'SELECT t * 2 AS t, y FROM sine')$$),
	($$forecast('sine', source => 'DELETE FROM sine RETURNING *')$$),
	($$forecast('past', horizon => 2)$$),
	($$forecast('past', as_of => 'infinity')$$),
	($$forecast('past', as_of => '2023-12-31')$$),
	($$forecast('past', as_of => '2024-01-03')$$),
	($$forecast('past', source => 'SELECT day, y, odd FROM daily WHERE place = ''a''')$$),
	($$forecast('past', source => 'SELECT day, place, y FROM daily')$$),
	($$forecast('future')$$),
	($$forecast('future', future => 'SELECT day + 60 AS day, place, odd FROM daily WHERE place = ''a''')$$),
	($$forecast('future', future => 'SELECT day + 61 AS day, place, odd FROM daily')$$),
	($$forecast('future', future => 'SELECT day + 60 AS day, place, CASE WHEN day = ''2024-01-02'' THEN NULL ELSE odd END AS odd FROM daily')$$),
	($$forecast('future', future => 'SELECT day + 60 AS day, ''c'' AS place, odd FROM daily WHERE place = ''a''')$$),
	($$forecast('future', future => 'SELECT day + 60 AS day, odd FROM daily WHERE place = ''a''')$$),
	($$forecast('future', future => 'SELECT day + 60 AS day, place FROM daily')$$),
	($$forecast('future', future => 'nothing')$$),
	($$hindcast(NULL)$$),
	($$hindcast('nothing')$$),
	($$hindcast('sine', horizon => 0)$$),
	($$hindcast('sine', stride => 0)$$),
	($$hindcast('sine', stride => -5)$$),
	($$hindcast('sine', stride => NULL) LIMIT 1$$),
	($$hindcast('sine', confidence_level => 2)$$),
	($$hindcast('sine', 'SELECT * FROM sine WHERE t <= 8')$$),
	($$hindcast('past', horizon => 2)$$),
	($$hindcast('sine', horizon => 65536, stride => 60) LIMIT 1$$),
	($$evaluate(NULL)$$),
	($$evaluate('nothing')$$),
	($$evaluate('sine', baseline => 'best')$$),
	($$evaluate('sine', baseline => NULL)$$),
	($$evaluate('sine', baseline => '')$$),
	($$evaluate('sine', stride => 0)$$),
	($$evaluate('sine', horizon => -1)$$),
	($$evaluate('sine', 'SELECT * FROM sine WHERE t <= 8')$$),
	($$evaluate('sine', 'SELECT t, CASE WHEN t < 9 THEN y END AS y FROM sine')$$),
	($$evaluate('sine', version => 3)$$),
	($$plot_forecast('sine', confidence_level => 1)$$),
	($$plot_forecast('sine', horizon => 0)$$),
	($$plot_forecast('past', series => 'c')$$)) AS v(query);
-- where a set cannot be taken, or the tables are out of reach
SELECT error_of($$SELECT lstm.forecast('sine') || 'x'$$);
SELECT error_of($$UPDATE sine SET y = lstm.forecast('sine')$$);

-- bytes: a safetensors file is 8 bytes of length, a JSON header, numbers
CREATE TABLE genuine AS SELECT v.model::bytea AS bytes, convert_from(substr(v.model::bytea, 9, length), 'UTF8') AS header,
	substr(v.model::bytea, 9 + length) AS numbers
FROM lstm.model_values v, LATERAL (SELECT get_byte(v.model::bytea, 0) + 256 * get_byte(v.model::bytea, 1) AS length) l WHERE name = 'sine';
CREATE FUNCTION assemble(header text, numbers bytea) RETURNS bytea LANGUAGE sql AS $$
	SELECT set_byte(set_byte('\x0000000000000000', 0, octet_length(padded) % 256), 1, octet_length(padded) / 256) || convert_to(padded, 'UTF8') || numbers
	FROM (SELECT rpad(header, (octet_length(header) + 7) / 8 * 8) AS padded) p
$$;
CREATE FUNCTION load(bytes bytea) RETURNS text LANGUAGE plpgsql AS $$
DECLARE hint text;
BEGIN
	RETURN CASE WHEN bytes::lstm.model::bytea = bytes THEN 'loads' ELSE 'loads as something else' END;
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n  ', SQLSTATE || ': ' || SQLERRM, nullif(hint, ''));
END $$;
SELECT 'genuine: ' || load(bytes) || ', reassembled: ' || load(assemble(header, numbers)) FROM genuine;
-- Lengths of the header differ from CPU to CPU, as the digits of the losses in it do.
SELECT what || E'\n  ' || regexp_replace(load(forged), '[0-9]{3,}', 'N', 'g') FROM genuine, LATERAL (VALUES
	('empty', ''::bytea),
	('text', 'not a model'),
	('a million zeros', decode(repeat('00', 1000000), 'hex')),
	('length only', substr(bytes, 1, 8)),
	('header cut', substr(bytes, 1, 500)),
	('one number cut', substr(bytes, 1, length(bytes) - 4)),
	('one byte cut', substr(bytes, 1, length(bytes) - 1)),
	('one byte more', bytes || '\x00'),
	('length of 2^63', set_byte(bytes, 7, 128)),
	('length of 2^24', set_byte(bytes, 3, 1)),
	('bytes that are no UTF-8', set_byte(bytes, 40, 255)),
	('a zero in the header', set_byte(bytes, 40, 0)),
	('infinite weight', overlay(bytes PLACING '\x0000807f' FROM length(bytes) - 3)),
	('weight that is no number', overlay(bytes PLACING '\x0000c07f' FROM length(bytes) - 3)),
	('header {}', assemble('{}', numbers)),
	('header []', assemble('[]', numbers)),
	('deep header', assemble(repeat('[', 5000), numbers)),
	('key twice', assemble(regexp_replace(header, '"dense.bias"', '"lstm.bias"'), numbers)),
	('tensor renamed', assemble(replace(header, '"lstm.bias"', '"lstm.bia2"'), numbers)),
	('overlap', assemble(regexp_replace(header, '("dense.weight":.*?"data_offsets":\[)(\d+),', '\1' || (regexp_match(header, '"dense.bias":.*?"data_offsets":\[(\d+),'))[1] || ','), numbers)),
	('shape too large', assemble(regexp_replace(header, '("lstm.weight_ih":.*?"shape":\[)16,', '\1160000000,'), numbers)),
	('other shape', assemble(regexp_replace(header, '("lstm.weight_ih":.*?"shape":\[)16,1', '\11,16'), numbers)),
	('other dtype', assemble(regexp_replace(header, '("lstm.weight_ih":.*?"dtype":)"F32"', '\1"I32"'), numbers)),
	('negative offset', assemble(regexp_replace(header, '"data_offsets":\[0,', '"data_offsets":[-1,'), numbers)),
	('offset beyond the end', assemble(regexp_replace(header, '("lstm.weight_ih":.*?"data_offsets":\[\d+,)\d+', '\199999999'), numbers)),
	('other format', assemble(replace(header, '"format":"lstm"', '"format":"pt"'), numbers)),
	('later format_version', assemble(replace(header, '"format_version":"1"', '"format_version":"999"'), numbers)),
	('huge layer', assemble(replace(header, '\"units\":4', '\"units\":40000'), numbers)),
	('unknown layer', assemble(replace(header, '\"type\":\"lstm\"', '\"type\":\"conv\"'), numbers)),
	('unknown setting', assemble(replace(header, '\"l1\":0', '\"l9\":0'), numbers)),
	('huge context', assemble(replace(header, '\"context\":8', '\"context\":99999999'), numbers)),
	('context 0', assemble(replace(header, '\"context\":8', '\"context\":0'), numbers)),
	('two targets', assemble(replace(header, '\"target\":[\"y\"]', '\"target\":[\"y\",\"z\"]'), numbers)),
	('a frequency that is none', assemble(replace(header, '\"frequency\":\"integer 1\"', '\"frequency\":\"often\"'), numbers)),
	('a zone that is none', assemble(replace(header, '\"zone\":\"\"', '\"zone\":\"Moon/Tycho\"'), numbers)),
	('negative rows', assemble(regexp_replace(header, '\\"rows\\":60', '\\"rows\\":-60'), numbers))) AS f(what, forged);
SELECT error_of($$SELECT ('\x' || repeat('z', 10))::lstm.model$$), error_of($$SELECT 'hello'::lstm.model$$), error_of($$SELECT NULL::bytea::lstm.model$$);

-- the session goes on and nothing is left behind
SELECT count(*) FROM lstm.forecast('sine');
SELECT name, version FROM lstm.models ORDER BY name;
SELECT count(lstm.drop_model(name)) FROM (SELECT DISTINCT name FROM lstm.models) m;
\pset format aligned
\pset tuples_only off
DROP FUNCTION error_of, assemble, load;
DROP TABLE sine, daily, genuine;
