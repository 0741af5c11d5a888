-- load.sql
--		The table of the end-to-end benchmark: Beijing PM2.5, hourly 2010 to 2014.
--
-- Missing pm2.5 are 0, wind direction is a number, the first 24 rows are left out.
-- psql variable "data": the folder with beijing_pm25/.
\set ON_ERROR_STOP on
CREATE TEMP TABLE prsa (no int, year int, month int, day int, hour int, pm25 float8, dewp float8,
	temp float8, pres float8, cbwd text, iws float8, "is" float8, ir float8);
\set file :data '/beijing_pm25/PRSA_data_2010.1.1-2014.12.31.csv'
SELECT format('COPY prsa FROM %L WITH (FORMAT csv, HEADER, NULL ''NA'')', :'file') \gexec
CREATE TABLE pollution AS
SELECT (no - 24)::int AS i, coalesce(pm25, 0) AS pm25, dewp AS dew, temp, pres AS press,
	(dense_rank() OVER (ORDER BY cbwd COLLATE "C") - 1)::float8 AS wnd, iws AS wspd, "is" AS snow, ir AS rain
FROM prsa WHERE no > 24 ORDER BY no;
ALTER TABLE pollution ADD PRIMARY KEY (i);
VACUUM ANALYZE pollution;
