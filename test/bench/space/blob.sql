-- blob.sql
--		A blob that wanders over a grid and bounces off its edges: can a ConvLSTM see motion?
--
-- 16 x 16 cells, a Gaussian of sigma 1.5 with a constant velocity and noise of 0.05, 600
-- frames: 70 % train, 15 % validate, 15 % test; 6 frames in, one ahead.  Made of md5, so
-- the same everywhere.  Must: at most half of persistence.  Control: a kernel of one cell,
-- which cannot see where the blob comes from.
--
-- Chosen on the validation part.
\ir common.sql
-- A number between 0 and 1 for each place in a sequence, by name.
CREATE FUNCTION chance(name text) RETURNS float8 LANGUAGE sql IMMUTABLE
RETURN (('x' || left(md5(name), 12))::bit(48)::bigint + 0.5) / 2.0 ^ 48;
-- Where a ball is after so long a way between two walls.
CREATE FUNCTION bounced(way float8, size float8) RETURNS float8 LANGUAGE sql IMMUTABLE
RETURN size - abs(size - (way::numeric % (2 * size)::numeric)::float8);
CREATE TABLE frame AS
SELECT i, y, x, exp(-((y - bounced(3.2 + 0.83 * i, 15)) ^ 2 + (x - bounced(7.9 + 1.27 * i, 15)) ^ 2) / (2 * 1.5 ^ 2))
	-- Box and Muller 1958
	+ 0.05 * sqrt(-2 * ln(chance(format('%s %s %s a', i, y, x)))) * cos(2 * pi() * chance(format('%s %s %s b', i, y, x))) AS v
FROM generate_series(0, 599) AS i, generate_series(0, 15) AS y, generate_series(0, 15) AS x;
ANALYZE;

\set common '"grid": "y, x", "validation_split": 0.17647, "epochs": 24, "patience": 0, "batch_size": 8, "learning_rate": 0.01, "schedule": "cosine", "clip_norm": 1'
\set body '"layers": [{"type": "conv_lstm", "units": 8, "kernel_size": SIZE}, {"type": "dense"}]'

CREATE PROCEDURE blob_run(method text, seed int, options jsonb) LANGUAGE plpgsql AS $$
BEGIN
	CALL fit(method, 'SELECT i, y, x, v FROM frame WHERE i < 510', 1, 6, options || jsonb_build_object('seed', seed), target => 'v', time_column => 'i',
		series => 'y, x');
	INSERT INTO score
	SELECT 'blob', method, seed, 'all', sqrt(avg((forecast_value - actual) ^ 2)), avg(abs(forecast_value - actual)), seconds_of(method)
	FROM lstm.hindcast(method, 'SELECT i, y, x, v FROM frame WHERE i >= 504');
END $$;

SELECT format('CALL blob_run(%L, %s, %L)', method, seed, format('{%s, %s}', :'common', replace(:'body', 'SIZE', size)))
FROM (VALUES ('ConvLSTM', '5'), ('a kernel of one cell', '1')) AS m (method, size), generate_series(1, 3) AS seed
ORDER BY method, seed \gexec

INSERT INTO score
SELECT 'blob', 'last frame', NULL, 'all', sqrt(avg((a.v - b.v) ^ 2)), avg(abs(a.v - b.v))
FROM frame AS a JOIN frame AS b USING (y, x) WHERE a.i >= 510 AND b.i = a.i - 1;

SELECT method, seeds, "RMSE, median", least, greatest, "MAE, median", "trains in, s" FROM score_table ORDER BY "RMSE, median";
SELECT judge('blob', 'RMSE of the ConvLSTM over persistence', r(median_rmse('blob', 'ConvLSTM') / median_rmse('blob', 'last frame')), '<=', 0.5),
	judge('blob', 'RMSE over that of one cell alone', r(median_rmse('blob', 'ConvLSTM') / median_rmse('blob', 'a kernel of one cell')), '<', 1) \g /dev/null
