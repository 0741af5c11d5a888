-- grid.sql
--		Memory and time of a large grid: 64 x 64 cells, 12 frames in, a ConvLSTM of 32 units, batches of 16.
--
-- Must: one epoch within lstm.max_memory = 2GB; with 512MB it is refused before anything
-- of that size is taken, and the error says how much it wants.  Time is that of a step:
-- forward, backward and update over a batch of 16 windows, on one core.
-- Beside PyTorch: job "e64" of the benchmark of speed.
\ir common.sql
CREATE TABLE frame AS
SELECT i, y, x, sin((y + 2 * i) / 7.0) * cos((x - i) / 5.0) + 0.1 * sin(i * y * 0.37 + x * 1.3) AS v
FROM generate_series(0, 43) AS i, generate_series(0, 63) AS y, generate_series(0, 63) AS x;
ANALYZE;
SET max_parallel_maintenance_workers = 0;
CREATE TABLE about (place int GENERATED ALWAYS AS IDENTITY, figure text, value numeric);

-- 44 frames are 32 windows, 2 steps.
CREATE PROCEDURE grid_run(epochs int) LANGUAGE sql AS $$
CALL fit(format('%s epochs', epochs), 'SELECT i, y, x, v FROM frame', 1, 12, format('{"grid": "y, x", "validation_split": 0, "patience": 0, "calibration": "none",
	"batch_size": 16, "epochs": %s, "layers": [{"type": "conv_lstm", "units": 32}, {"type": "dense"}]}', epochs)::jsonb, target => 'v', time_column => 'i',
	series => 'y, x') $$;

-- Largest resident memory of this session so far, MB; NULL where the system does not say.
CREATE FUNCTION resident() RETURNS numeric LANGUAGE sql AS $$
SELECT round(substring(pg_read_file('/proc/self/status', 0, 65536, true) FROM 'VmHWM:\s*(\d+)')::numeric / 1024) $$;

SET lstm.max_memory = '512MB';
DO $$
DECLARE
	message text;
BEGIN
	CALL grid_run(1);
	INSERT INTO result (data, figure, met) VALUES ('grid of 64 x 64', 'refused with 512MB', false);
EXCEPTION WHEN out_of_memory THEN
	GET STACKED DIAGNOSTICS message = MESSAGE_TEXT;
	INSERT INTO result (data, figure, met) VALUES ('grid of 64 x 64', 'refused with 512MB: ' || message, true);
	INSERT INTO about (figure, value) VALUES ('MB that the error names', substring(message FROM '([\d.]+) MB')::numeric);
END $$;
INSERT INTO about (figure, value) VALUES ('MB resident after that', resident());

SET lstm.max_memory = '2GB';
CALL grid_run(1);
INSERT INTO about (figure, value) VALUES ('MB resident at the most while training', resident());
CALL grid_run(3);
INSERT INTO about (figure, value)
VALUES ('s for reading the rows, one epoch and keeping the model', r(seconds_of('1 epochs'), 1)),
	('ms per step of 16 windows', r(1000 * (seconds_of('3 epochs') - seconds_of('1 epochs')) / 4, 0));

SELECT figure, value FROM about ORDER BY place;
SELECT judge('grid of 64 x 64', 'MB of an epoch, as planned', (SELECT value FROM about WHERE figure = 'MB that the error names'), '<=', 2048),
	judge('grid of 64 x 64', 'MB of an epoch, resident', (SELECT value FROM about WHERE figure LIKE '%at the most%'), '<=', 2048),
	judge('grid of 64 x 64', 'versions trained with 2GB', (SELECT count(*) FROM training), '>=', 2) \g /dev/null
