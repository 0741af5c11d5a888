-- lstm.schedule and lstm.unschedule where pg_cron is not installed; test/t/cron.pl has the rest.
SET client_min_messages = error;
CREATE TABLE s AS SELECT g AS t, sin(g / 3.0) AS y FROM generate_series(1, 200) g;
SELECT version FROM lstm.train('it''s "m"', 's', time_column => 't', options => '{"layers": [{"type": "lstm", "units": 4}], "epochs": 1}');

SELECT lstm.schedule('it''s "m"', 'retrain', '0 3 * * *');
SELECT lstm.schedule('it''s "m"', 'refresh_forecasts', '0 3 * * *', '{"keep": "90 days", "notify_above": 1.5}');
SELECT lstm.unschedule('it''s "m"');

-- What is wrong is told first.
SELECT lstm.schedule('nothing', 'retrain', '0 3 * * *');
SELECT lstm.schedule('it''s "m"', 'train', '0 3 * * *');
SELECT lstm.schedule('it''s "m"', 'retrain', '0 3 * * *', '[1]');
SELECT lstm.schedule('it''s "m"', 'retrain', '0 3 * * *', '{"keep_version": 3}');
SELECT lstm.schedule('it''s "m"', 'retrain', '0 3 * * *', '{"promote); DROP TABLE s; --": "x"}');
SELECT lstm.schedule(NULL, 'retrain', '0 3 * * *');
SELECT lstm.schedule('it''s "m"', NULL, '0 3 * * *');
SELECT lstm.schedule('it''s "m"', 'retrain', NULL);
SELECT lstm.unschedule(NULL);
SELECT lstm.unschedule('it''s "m"', 'train');
CREATE ROLE regress_lstm_reader;
SELECT lstm.grant_model('it''s "m"', 'regress_lstm_reader', 'use');
SET ROLE regress_lstm_reader;
SELECT lstm.schedule('it''s "m"', 'refresh_forecasts', '0 3 * * *');
RESET ROLE;
DROP ROLE regress_lstm_reader;
SELECT count(*) FROM s;

\set ECHO none
\i test/sql/clean.inc
