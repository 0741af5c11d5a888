-- tourism.sql
--		Tourism (Athanasopoulos, Hyndman, Song and Wu 2011): 366 monthly series, 24
--		months, and 427 quarterly ones, 8 quarters; one model for each period.
--
-- MASE scaled by the seasonal differences of the training part, mean over series.  Must:
-- that of the default call below seasonal naive's (1.631 and 1.699).  Aim: within 5 % of
-- R's ets.
\if :{?recipe}
\else
\set recipe ''
\endif
\ir common.sql
CREATE TABLE loaded (series text, period text, part text, t int, value float8, year float8);
\copy loaded FROM PROGRAM '"$LOAD" tourism' (FORMAT csv)

\set period monthly
\set season 12
\set horizon 24
\ir tourism_part.sql
\set period quarterly
\set season 4
\set horizon 8
\ir tourism_part.sql
