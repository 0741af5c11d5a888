-- jobs.sql
--		Background jobs: submitting, waiting, what the row says, who sees it, errors.

SET client_min_messages = warning;
-- numbers of jobs are printed
DELETE FROM lstm.job_rows;
ALTER SEQUENCE lstm.job_rows_job_seq RESTART;
CREATE ROLE regress_lstm_job_alice LOGIN;
CREATE ROLE regress_lstm_job_bob LOGIN;
CREATE ROLE regress_lstm_job_team;
GRANT regress_lstm_job_team TO regress_lstm_job_alice;
CREATE TABLE sine AS SELECT t, sin(t / 4.0) AS y FROM generate_series(1, 120) t;
GRANT SELECT ON sine TO PUBLIC;
CREATE FUNCTION error_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE detail text; hint text;
BEGIN
	EXECUTE query;
	RETURN 'no error';
EXCEPTION WHEN OTHERS THEN
	GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, hint = PG_EXCEPTION_HINT;
	RETURN concat_ws(E'\n', SQLSTATE || ': ' || SQLERRM, nullif(detail, ''), nullif(hint, ''));
END $$;
-- a worker that ends starts what waits, whatever lstm.max_jobs is here: until none has been left for a while, one being started is not seen
CREATE FUNCTION quiet() RETURNS void LANGUAGE plpgsql AS $$
DECLARE since timestamptz := clock_timestamp();
BEGIN
	WHILE clock_timestamp() < since + interval '150 ms' LOOP
		PERFORM pg_sleep(0.01), pg_stat_clear_snapshot();
		IF EXISTS (SELECT FROM pg_stat_activity WHERE backend_type = 'lstm job') THEN
			since := clock_timestamp();
		END IF;
	END LOOP;
END $$;
\set VERBOSITY terse
RESET client_min_messages;
SET lstm.progress = 0;
-- of pg_regress's client options the zone alone is not the same in all versions
SET TimeZone = 'America/Los_Angeles';
\set options '''{"units": 4, "epochs": 3, "season": 1, "validation_split": 0.2}'''

-- what no other session sees
CREATE TEMP TABLE passing AS SELECT * FROM sine;
CREATE TEMP VIEW through AS SELECT * FROM sine;
SELECT error_of('SELECT lstm.train_async(''temporary'', ''passing'', time_column => ''t'')');
SELECT error_of('SELECT lstm.train_async(''temporary'', ''SELECT * FROM sine UNION SELECT * FROM through'', time_column => ''t'')');
DROP TABLE passing;
DROP VIEW through;

-- everything has a comment
SELECT attrelid::regclass, attname FROM pg_attribute
WHERE attrelid IN ('lstm.job_rows'::regclass, 'lstm.jobs'::regclass) AND attnum > 0
	AND col_description(attrelid, attnum) IS NULL;

-- a job makes the bytes that lstm.train makes
SELECT lstm.train_async('sine', 'sine', time_column => 't', context => 8, options => :options) AS job \gset
SELECT lstm.wait(:job, '1 minute');
SELECT version FROM lstm.train('here', 'sine', time_column => 't', context => 8, options => :options);
SELECT count(DISTINCT md5(model::bytea)) AS models, count(*) AS versions FROM lstm.model_values WHERE name IN ('sine', 'here');
SELECT model, owner, session_role, state, pid IS NOT NULL AS pid, submitted_at <= started_at AND started_at <= ended_at AS ordered,
	seconds > 0 AS seconds, version, sqlstate, message, arguments = jsonb_build_object('model', 'sine', 'source', 'sine', 'time_column', 't',
		'context', 8, 'options', :options::jsonb) AS arguments, settings
FROM lstm.jobs WHERE job = :job;

-- settings go along, also those of no library, but not time limits
BEGIN;
SET LOCAL search_path = pg_temp, public;
SET LOCAL work_mem = '8MB';
SET LOCAL statement_timeout = '1h';
SET LOCAL lock_timeout = '1h';
SET LOCAL "my.tenant" = 'it''s';
SELECT lstm.train_async('tenant', $$SELECT t, y FROM sine WHERE current_setting('my.tenant') = 'it''s'$$, time_column => 't', context => 8,
	options => :options) AS job \gset
COMMIT;
SELECT lstm.wait(:job);
SELECT state, version, settings FROM lstm.jobs WHERE job = :job;

-- SET ROLE goes along, and to a role that cannot log in
SET SESSION AUTHORIZATION regress_lstm_job_alice;
SET ROLE regress_lstm_job_team;
SELECT lstm.train_async('team', 'sine', time_column => 't', context => 8, options => :options) AS job \gset
SELECT lstm.wait(:job);
SELECT owner, session_role, state, sqlstate, message FROM lstm.jobs;
SELECT name, owner FROM lstm.models WHERE owner = 'regress_lstm_job_team';
RESET ROLE;
-- what others cannot see
SELECT count(*) FROM lstm.jobs;
RESET SESSION AUTHORIZATION;
SET ROLE regress_lstm_job_bob;
SELECT count(*) FROM lstm.jobs;
SELECT error_of(format('SELECT lstm.cancel(%s)', :job));
SELECT error_of(format('SELECT lstm.wait(%s)', :job));
SELECT error_of('SELECT lstm.cancel(1000000)');
SELECT error_of('SELECT lstm.wait(0)');
SELECT error_of('SELECT lstm.wait(-1)');
-- and nobody can write
SELECT error_of('INSERT INTO lstm.job_rows (job, model, owner, session_role, arguments, settings) VALUES (99, ''x'', CURRENT_USER, CURRENT_USER, ''{}'', ''{}'')');
SELECT error_of('UPDATE lstm.job_rows SET owner = ''postgres''');
SELECT error_of('SELECT nextval(''lstm.job_rows_job_seq'')');
DELETE FROM lstm.job_rows;
RESET ROLE;
SELECT count(*) FROM lstm.job_rows;
-- a role that cannot log in has no jobs of its own
SET SESSION AUTHORIZATION regress_lstm_job_team;
SELECT error_of('SELECT lstm.train_async(''team2'', ''sine'')');
RESET SESSION AUTHORIZATION;
-- nor has one that another function's owner lends
CREATE FUNCTION lend() RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$ SELECT lstm.train_async('lent', 'public.sine') $$;
ALTER FUNCTION lend() OWNER TO regress_lstm_job_alice;
SELECT error_of('SELECT lend()');
SET SESSION AUTHORIZATION regress_lstm_job_bob;
SELECT error_of('SELECT lend()');
RESET SESSION AUTHORIZATION;
CREATE MATERIALIZED VIEW mine AS SELECT lstm.train_async('lent', 'public.sine', time_column => 't') WITH NO DATA;
SELECT error_of('REFRESH MATERIALIZED VIEW mine');
CREATE PROCEDURE lend_run() LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE n int; BEGIN CALL lstm.run_jobs(n, n, n); END $$;
SELECT error_of('CALL lend_run()');
-- nor does a source become the session's user
CREATE FUNCTION climb() RETURNS SETOF sine LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('role', 'none', false);
	RETURN QUERY SELECT * FROM public.sine;
END $$;
CREATE TABLE ladder (i int);
GRANT INSERT ON ladder TO regress_lstm_job_bob;
CREATE FUNCTION ladder() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
	PERFORM set_config('role', 'none', false);
	RETURN NULL;
END $$;
CREATE CONSTRAINT TRIGGER ladder AFTER INSERT ON ladder DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION ladder();
CREATE FUNCTION climb_later() RETURNS SETOF sine LANGUAGE plpgsql AS $$
BEGIN
	INSERT INTO public.ladder VALUES (1);
	RETURN QUERY SELECT * FROM public.sine;
END $$;
SET ROLE regress_lstm_job_bob;
SELECT lstm.train_async('climb', 'SELECT * FROM public.climb_later()', time_column => 't', context => 8, options => :options) AS climb \gset
SELECT lstm.wait(:climb);
SELECT owner, session_role, state, sqlstate, message FROM lstm.jobs WHERE job = :climb;
SELECT lstm.train_async('climb', 'SELECT * FROM public.climb()', time_column => 't', context => 8, options => :options) AS climb \gset
SELECT lstm.wait(:climb);
SELECT owner, session_role, state, sqlstate, message FROM lstm.jobs WHERE job = :climb;
RESET ROLE;
SET SESSION AUTHORIZATION regress_lstm_job_bob;
-- names of others
SELECT error_of('SELECT lstm.train_async(''team'', ''sine'')');
RESET SESSION AUTHORIZATION;

-- what is told at once
SELECT error_of('SELECT lstm.train_async(NULL, ''sine'')');
SELECT error_of('SELECT lstm.train_async(''x'', NULL)');
SELECT error_of('SELECT lstm.train_async('''', ''sine'')');
SELECT error_of('SELECT lstm.train_async(''x'', ''nowhere'')');
SELECT error_of('SELECT lstm.train_async(''x'', ''SELEC 1'')');
SELECT error_of('SELECT lstm.train_async(''x'', ''sine'', target => ''z'')');
SELECT error_of('SELECT lstm.train_async(''x'', ''sine'', horizon => 0)');
SELECT error_of('SELECT lstm.train_async(''x'', ''sine'', options => ''{"unit": 3}'')');
SELECT error_of('SELECT lstm.train_async(''x'', ''sine'', time_column => ''t'', options => ''{"from_model": "none"}'')');
SELECT error_of('SELECT lstm.cancel(NULL)');
SELECT error_of('SELECT lstm.wait(NULL)');
SELECT error_of('SELECT lstm.wait(1, ''-1 second'')');
BEGIN READ ONLY;
SELECT error_of('SELECT lstm.train_async(''x'', ''sine'')');
SELECT error_of('CALL lstm.run_jobs()');
SELECT state = lstm.wait(job) AS same FROM lstm.jobs LIMIT 1;
COMMIT;

-- what is told by the row
CREATE TABLE empty (t int, y float8);
CREATE TABLE one AS SELECT 1 AS t, 1.0 AS y;
CREATE TABLE infinite AS SELECT t, CASE WHEN t = 50 THEN 'Infinity'::float8 ELSE t END AS y FROM generate_series(1, 100) t;
CREATE TABLE constant AS SELECT t, 1.0 AS y FROM generate_series(100, 1, -1) t;
CREATE TABLE twice AS SELECT t % 60 AS t, t::float8 AS y FROM generate_series(1, 120) t;
CREATE VIEW broken AS SELECT t, y / (t - 60) AS y FROM sine;
CREATE FUNCTION failure(source text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
	RETURN lstm.train_async('failure', source, time_column => 't', context => 8, options => '{"units": 4, "epochs": 2, "season": 1}');
END $$;
CREATE TABLE tried AS SELECT source, failure(source)::bigint AS job
FROM unnest(ARRAY['empty', 'one', 'infinite', 'constant', 'twice', 'broken']) source;
SET client_min_messages = warning;
SELECT source, lstm.wait(job) FROM tried ORDER BY job;
RESET client_min_messages;
SELECT source, state, sqlstate, message, detail, hint, version FROM tried JOIN lstm.jobs USING (job) ORDER BY job;
-- NOTICEs and WARNINGs stay with the job
CREATE FUNCTION noisy() RETURNS SETOF sine LANGUAGE plpgsql AS $$
BEGIN
	RAISE NOTICE 'the source says so';
	RETURN QUERY SELECT * FROM sine;
END $$;
SELECT lstm.train_async('noisy', 'SELECT * FROM noisy()', time_column => 't', context => 8, options => :options) AS job \gset
SELECT lstm.wait(:job), notices @> ARRAY['NOTICE:  the source says so'] AS said FROM lstm.jobs WHERE job = :job;
SELECT notices @> ARRAY['NOTICE:  the source says so'] AS said FROM lstm.jobs WHERE job = :job;

-- a job that is rolled back never was; one of this transaction cannot be waited for
BEGIN;
SELECT lstm.train_async('never', 'sine', time_column => 't', context => 8, options => :options) AS job \gset
SELECT error_of(format('SELECT lstm.wait(%s)', :job));
ROLLBACK;
SELECT error_of(format('SELECT lstm.wait(%s)', :job));
BEGIN;
SAVEPOINT s;
SELECT lstm.train_async('never', 'sine', time_column => 't', context => 8, options => :options) AS job \gset
ROLLBACK TO s;
COMMIT;
SELECT count(*) FROM lstm.jobs WHERE model = 'never';
-- a transaction that says late that it only reads
BEGIN;
SELECT lstm.train_async('late', 'sine', time_column => 't', context => 8, options => :options) AS job \gset
SET TRANSACTION READ ONLY;
COMMIT;
SELECT lstm.wait(:job);
-- commits of a procedure
DO $$
BEGIN
	FOR i IN 1..2 LOOP
		PERFORM lstm.train_async('loop' || i, 'sine', time_column => 't', context => 8, options => '{"units": 4, "epochs": 1, "season": 1}');
		COMMIT;
	END LOOP;
END $$;
SELECT model, lstm.wait(job) FROM lstm.jobs WHERE model ~ '^loop' ORDER BY job;

-- the queue: limits, one after the other, cancel, timeout
SELECT quiet();
SET lstm.max_jobs = 0;
SELECT lstm.train_async('queued', 'sine', time_column => 't', context => 8, options => :options) AS job \gset
SELECT state, message FROM lstm.jobs WHERE job = :job;
SELECT lstm.wait(:job, '0');
SELECT lstm.wait(:job, '100 ms');
CALL lstm.run_jobs();
SELECT lstm.cancel(:job), lstm.cancel(:job), lstm.wait(:job);
SELECT state, sqlstate, message FROM lstm.jobs WHERE job = :job;
SET SESSION AUTHORIZATION regress_lstm_job_alice;
SELECT lstm.train_async('mine', 'sine', time_column => 't', context => 8, options => :options) AS job \gset
DELETE FROM lstm.job_rows WHERE job = :job RETURNING model;
SELECT lstm.cancel(:job);
DELETE FROM lstm.job_rows WHERE job = :job RETURNING model;
RESET SESSION AUTHORIZATION;
SELECT lstm.train_async('queued', 'sine', time_column => 't', context => 8, options => :options) AS job \gset
SELECT lstm.train_async('queued', 'sine', time_column => 't', context => 8, options => :options) AS second \gset
RESET lstm.max_jobs;
SET client_min_messages = warning;
DO $$
DECLARE started int; queued int; lost int;
BEGIN
	CALL lstm.run_jobs(started, queued, lost);
	RAISE WARNING 'started %, lost %', started > 0, lost;
END $$;
SELECT lstm.wait(:second), lstm.wait(:job);
RESET client_min_messages;
SELECT job - :job AS job, version FROM lstm.jobs WHERE model = 'queued' AND state = 'done' ORDER BY job;
SELECT a.ended_at <= b.started_at AS in_order FROM lstm.jobs a, lstm.jobs b WHERE a.job = :job AND b.job = :second;

-- workers do not see yet what this transaction has ended
SELECT quiet();
SET lstm.max_jobs = 0;
SELECT lstm.train_async('after', 'sine', time_column => 't', context => 8, options => :options) AS job \gset
SELECT lstm.train_async('after', 'sine', time_column => 't', context => 8, options => :options) AS second \gset
RESET lstm.max_jobs;
BEGIN;
SELECT lstm.cancel(:job);
SAVEPOINT s;
SELECT lstm.wait(:second);
ROLLBACK TO s;
SET client_min_messages = warning;
CALL lstm.run_jobs();
RESET client_min_messages;
COMMIT;
SELECT lstm.wait(:second);

-- a later role of the same name does not get the job
SELECT quiet();
SET lstm.max_jobs = 0;
CREATE ROLE regress_lstm_job_carol LOGIN;
SET SESSION AUTHORIZATION regress_lstm_job_carol;
SELECT lstm.train_async('carols', 'sine', time_column => 't', context => 8, options => :options) AS job \gset
RESET SESSION AUTHORIZATION;
SET ROLE regress_lstm_job_carol;
SELECT lstm.train_async('carols', 'sine', time_column => 't', context => 8, options => :options) AS second \gset
RESET ROLE;
DROP ROLE regress_lstm_job_carol;
CREATE ROLE regress_lstm_job_carol LOGIN;
RESET lstm.max_jobs;
SELECT lstm.wait(:job);
SELECT lstm.wait(:second);
SELECT sqlstate, message, hint FROM lstm.jobs WHERE job IN (:job, :second) ORDER BY job;
SELECT count(*) FROM lstm.models WHERE name = 'carols';
DROP ROLE regress_lstm_job_carol;

-- a source that takes its time does not hold a snapshot for ever
SET lstm.job_read_timeout = '300ms';
SELECT lstm.train_async('slow', 'SELECT s.* FROM sine s, pg_sleep(60)', time_column => 't', context => 8, options => :options) AS job \gset
SELECT lstm.wait(:job, '30 s');
SELECT sqlstate, message, hint, ended_at - started_at < interval '5 s' AS soon FROM lstm.jobs WHERE job = :job;
RESET lstm.job_read_timeout;

-- rights are those of when it runs
CREATE TABLE shown AS SELECT * FROM sine;
GRANT SELECT ON shown TO regress_lstm_job_alice;
SELECT quiet();
SET lstm.max_jobs = 0;
SET SESSION AUTHORIZATION regress_lstm_job_alice;
SELECT lstm.train_async('shown', 'shown', time_column => 't', context => 8, options => :options) AS job \gset
RESET SESSION AUTHORIZATION;
REVOKE SELECT ON shown FROM regress_lstm_job_alice;
RESET lstm.max_jobs;
SELECT lstm.wait(:job);
SELECT sqlstate, message FROM lstm.jobs WHERE job = :job;
DROP TABLE shown;

-- why a job waits is what is in its way now
SELECT quiet();
SET lstm.max_jobs = 0;
SELECT lstm.train_async('reason', 'sine', time_column => 't', context => 8, options => :options) AS job \gset
SELECT lstm.train_async('reason', 'sine', time_column => 't', context => 8, options => :options) AS second \gset
SELECT job - :job AS job, replace(message, (:job)::text, 'first') AS message FROM lstm.jobs WHERE model = 'reason' ORDER BY job;
RESET lstm.max_jobs;
SELECT lstm.cancel(:second);
SELECT message FROM lstm.jobs WHERE job = :job;
BEGIN;
SELECT lstm.train_async('reason', 'sine', time_column => 't', context => 8, options => :options) AS third \gset
SELECT message FROM lstm.jobs WHERE job = :third;
ROLLBACK;
SELECT lstm.wait(:job);

-- names are values
SELECT lstm.train_async('</svg><script>''; DROP TABLE sine --', 'sine', time_column => 't', context => 8, options => :options) AS job \gset
SELECT lstm.wait(:job);
SELECT model, state FROM lstm.jobs WHERE job = :job;

-- roles
SET ROLE regress_lstm_job_alice;
DELETE FROM lstm.job_rows;
RESET ROLE;
SELECT count(*) FROM lstm.jobs WHERE owner = 'regress_lstm_job_team';
SET client_min_messages = warning;
DELETE FROM lstm.models WHERE name IN (SELECT model FROM lstm.job_rows UNION VALUES ('here'), ('team'));
DELETE FROM lstm.job_rows;
DROP MATERIALIZED VIEW mine;
DROP VIEW broken;
DROP FUNCTION lend(), climb(), climb_later(), failure(text), noisy(), error_of(text), quiet();
DROP PROCEDURE lend_run();
DROP TABLE sine, ladder, empty, one, infinite, constant, twice, tried;
DROP FUNCTION ladder();
DROP ROLE regress_lstm_job_alice, regress_lstm_job_bob, regress_lstm_job_team;
