#!/usr/bin/perl
# jobs.pl
#		Background jobs among other processes: no snapshot and no lock while they train,
#		their clients' and their own end, limits, roles, and the server's end.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use LstmSession;
use LstmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time sleep);

my $node = lstm_node('primary', "lstm.progress = 0\nmax_worker_processes = 8\nmax_prepared_transactions = 2\n" .
	"max_logical_replication_workers = 0\nautovacuum = off\nrestart_after_crash = on\n", allows_streaming => 1);
my $jobs = "FROM pg_stat_activity WHERE backend_type = 'lstm job'";

# A call for a model; long: one that does not end by itself.
sub call
{
	my ($model, %how) = @_;
	my $epochs = $how{long} ? 1000000 : 2;
	my $extra = $how{options} // '';
	my $source = $how{source} // 'wave';

	return "SELECT lstm.train_async('$model', '$source', time_column => 't', context => 24, " .
		"options => '{\"units\": 16, \"batch_size\": 72, \"patience\": 0, \"season\": 1, \"epochs\": $epochs $extra}')";
}

sub sql
{
	my ($query, $database) = @_;
	return $node->safe_psql($database // 'postgres', $query);
}

sub submit
{
	my ($model, %how) = @_;
	return sql(($how{before} // '') . call($model, %how), $how{database});
}

sub state_of
{
	my ($job, $database) = @_;
	return sql("SELECT state FROM lstm.jobs WHERE job = $job", $database);
}

sub row_of
{
	my ($job) = @_;
	return sql("SELECT state, sqlstate, message FROM lstm.jobs WHERE job = $job");
}

# Until its epochs run.
sub training
{
	my ($job, $database) = @_;
	$node->poll_query_until('postgres',
		"SELECT EXISTS (SELECT $jobs AND query LIKE '%epoch % of %' AND pid = (SELECT pid FROM lstm.jobs WHERE job = $job))")
		or die "job $job does not train";
}

sub gone
{
	return $node->poll_query_until('postgres', "SELECT NOT EXISTS (SELECT $jobs)");
}

sub cancel
{
	my ($job) = @_;
	return sql("SELECT lstm.cancel($job), lstm.wait($job, '10 s')");
}

# A process that nobody has waited for yet does not count.
sub lives
{
	my ($pid) = @_;
	my $stat = eval { slurp_file("/proc/$pid/stat") } // '';
	return kill(0, $pid) && $stat !~ /\) Z /;
}

sub server_back
{
	my ($from) = @_;
	$node->wait_for_log(qr/database system is ready to accept connections/, $from);
}

sql('CREATE TABLE wave AS SELECT t, sin(t * 0.1) + 0.2 * cos(t * 1.7) AS y FROM generate_series(1, 3000) t;
	GRANT SELECT ON wave TO PUBLIC; CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN; CREATE ROLE carol LOGIN; CREATE ROLE dave LOGIN');

# ---------------------------------------------------------------------------
# What a job holds while it trains, and the end of its client
# ---------------------------------------------------------------------------
my $job = submit('team', long => 1, options => ', "units": 50', before => 'SET max_parallel_maintenance_workers = 1; ');
training($job);
is(state_of($job), 'running', 'it runs though its client is gone');
is(sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker'"), '1', 'with a parallel worker');
is(sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type IN ('lstm job', 'parallel worker') AND (backend_xmin IS NOT NULL OR backend_xid IS NOT NULL)"),
	'0', 'neither has a snapshot');
is(sql("SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE backend_type IN ('lstm job', 'parallel worker') AND relation IS NOT NULL"),
	'0', 'nor a lock on a table');
sql("BEGIN; ALTER TABLE wave ADD z int; ALTER TABLE wave DROP z; COMMIT");
my $begin = time;
is(cancel($job), 't|cancelled', 'cancelled');
cmp_ok(time - $begin, '<', 2, 'at once');
like(row_of($job), qr/^cancelled\|57014\|/, 'its row says so');
is(sql("SELECT lstm.cancel($job)"), 'f', 'twice is once');
ok(gone(), 'no process stays');
is(sql("SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'parallel worker'"), '0', 'nor its worker');
sql(call('base') =~ s/train_async/train/r);
$job = submit('derived', long => 1, options => ', "from_model": "base"');
training($job);
is(sql("SELECT count(*) FROM pg_locks JOIN pg_stat_activity USING (pid) WHERE backend_type = 'lstm job' AND relation IS NOT NULL"),
	'0', 'nor one on the registry, where it begins with another model');
cancel($job);
my $other = LstmSession->new($node);
$other->query('BEGIN; ' . call('shared') =~ s/train_async/train/r);
$job = submit('shared', before => "SET lock_timeout = '100ms'; ");
ok($node->poll_query_until('postgres', "SELECT EXISTS (SELECT $jobs AND wait_event_type = 'Lock' AND backend_xmin IS NULL)"),
	'it waits for another transaction of its model without a snapshot');
sleep 0.3;
$other->query('COMMIT');
is(sql("SELECT lstm.wait($job)"), 'done', 'however long, and goes on');
$other->query('BEGIN; ' . call('shared') =~ s/train_async/train/r);
$job = submit('shared');
like($other->query("SET LOCAL statement_timeout = '10s'; SELECT lstm.wait($job)"), qr/40P01.*waits for a lock that this transaction holds/s,
	'who has the lock that the job waits for cannot wait for the job');
$other->query('ROLLBACK');
sql("SELECT lstm.wait($job)");
$other->close;
my %bytes;
for my $how ('async', 'here')
{
	my $call = call("bytes_$how", options => ', "units": 50, "epochs": 8, "dropout": 0.1');

	$call =~ s/train_async/train/ if $how eq 'here';
	my $result = sql("SET max_parallel_maintenance_workers = 1; $call");
	sql("SELECT lstm.wait($result)") if $how eq 'async';
	$bytes{$how} = sql("SELECT md5(model::bytea) FROM lstm.model_values WHERE name = 'bytes_$how'");
}
is($bytes{async}, $bytes{here}, 'with a parallel worker the same bytes as lstm.train');

# ---------------------------------------------------------------------------
# Rollback, PREPARE, readers with old snapshots
# ---------------------------------------------------------------------------
my $before = sql('SELECT last_value FROM lstm.job_rows_job_seq');
sql('BEGIN; ' . call('never', long => 1) . '; ROLLBACK');
sleep 0.2;
is(sql("SELECT count(*) $jobs"), '0', 'what is rolled back starts nothing');
my ($status, $out, $err) = $node->psql('postgres', 'BEGIN; ' . call('prepared') . "; PREPARE TRANSACTION 'p'");
like($err, qr/stays in the queue after PREPARE/, 'PREPARE TRANSACTION leaves it in the queue');
is(sql("COMMIT PREPARED 'p'"), '', 'and commits');
is(state_of($out), 'queued', 'it is queued');
is(sql('CALL lstm.run_jobs()'), '1|0|0', 'run_jobs starts it');
is(sql("SELECT lstm.wait($out)"), 'done', 'and it is done');
my $old = LstmSession->new($node);
$job = submit('watched', long => 1);
training($job);
$old->query('BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT count(*) FROM lstm.job_rows');
$old->send("SELECT lstm.wait($job)");
sql("SELECT lstm.cancel($job)");
like($old->wait, qr/^cancelled$/m, 'an old snapshot waits, too');
$old->query('ROLLBACK');
$old->send("SELECT pg_sleep(0.1); SELECT lstm.wait(" . ($job = submit('watched', long => 1)) . ")");
sleep 0.5;
$begin = time;
sql('SELECT pg_cancel_backend(' . $old->pid . ')');
like($old->wait, qr/57014/, 'lstm.wait is cancelled');
cmp_ok($old->{ended_at} - $begin, '<', 0.5, 'at once');
is(sql("SELECT lstm.wait($job, '300 ms')"), 'running', 'which is not the job');

# ---------------------------------------------------------------------------
# lstm.max_jobs; two jobs for one model; termination
# ---------------------------------------------------------------------------
my $second = submit('second', long => 1);
($status, my $third, $err) = $node->psql('postgres', call('third', long => 1));
like($err, qr/job $third waits because "lstm.max_jobs" allows 2 at a time/, 'a third waits, and that is said');
($status, my $again, $err) = $node->psql('postgres', call('second'));
is(sql("SELECT string_agg(state, ' ' ORDER BY job) FROM lstm.jobs WHERE job IN ($job, $second, $third, $again)"),
	'running running queued queued', 'two of four run');
is(cancel($job), 't|cancelled', 'one is cancelled');
training($third);
is(state_of($again), 'queued', 'the next begins, in order');
sql("SELECT pg_terminate_backend(pid) FROM lstm.jobs WHERE job = $second");
is(sql("SELECT lstm.wait($again)"), 'done', 'that of the same model begins when the first is terminated');
like(row_of($second), qr/^failed\|57P01\|the worker was terminated/, 'which its row says');
cancel($third);
gone();
cmp_ok(sql("SELECT count(*) FROM lstm.job_log WHERE job = $second"), '>', 0, 'the next that ends moves its epochs to their table');

# A commit that waits for its standby holds the queue; who waits for a job keeps to his time.
$job = submit('patient', before => 'SET lstm.max_jobs = 0; ');
sql("ALTER SYSTEM SET synchronous_standby_names = 'nobody'");
$node->reload;
$node->poll_query_until('postgres', "SELECT current_setting('synchronous_standby_names') = 'nobody'");
$old->send('SET lstm.max_jobs = 0; ' . call('stuck'));
$node->poll_query_until('postgres', "SELECT EXISTS (SELECT FROM pg_stat_activity WHERE wait_event = 'SyncRep')");
$begin = time;
is(sql("SET synchronous_commit = local; SET statement_timeout = '5s'; SELECT lstm.wait($job, '300 ms')"), 'queued', 'lstm.wait with a standby that is gone');
cmp_ok(time - $begin, '<', 2, 'ends in time');
sql('ALTER SYSTEM RESET synchronous_standby_names');
$node->reload;
$old->wait;
sql('CALL lstm.run_jobs()');
gone();

# ---------------------------------------------------------------------------
# Roles, tables and models that are gone
# ---------------------------------------------------------------------------
my $queue = 'SET lstm.max_jobs = 0; ';
sql('CREATE TABLE doomed AS SELECT * FROM wave; CREATE ROLE doomed_team; GRANT doomed_team TO dave');
sql("SELECT lstm.train('doomed_from', 'wave', time_column => 't', context => 24, options => '{\"units\": 16, \"epochs\": 1, \"season\": 1}')");
my %gone = (
	role => [ submit('gone1', before => $queue . 'SET SESSION AUTHORIZATION carol; '), qr/^failed\|42704\|role "carol" does not exist/ ],
	login => [ submit('gone2', before => $queue . 'SET SESSION AUTHORIZATION bob; '), qr/^failed\|42501\|role "bob" is not permitted to log in/ ],
	table => [ submit('gone3', before => $queue, source => 'doomed'), qr/^failed\|42P01\|relation "doomed" does not exist/ ],
	model => [ submit('gone4', before => $queue, options => ', "from_model": "doomed_from"'), qr/^failed\|42704\|model "doomed_from" does not exist/ ],
	member => [ submit('gone5', before => $queue . 'SET SESSION AUTHORIZATION dave; SET ROLE doomed_team; '), qr/^failed\|42501\|permission denied to run a job as role "doomed_team"/ ],
	setting => [ submit('gone6', before => "${queue}SET default_tablespace = ''; SET temp_tablespaces = ''; SET search_path = gone, public; "), qr/^done/ ]);
sql("DROP ROLE carol; ALTER ROLE bob NOLOGIN; DROP TABLE doomed; SELECT lstm.drop_model('doomed_from'); REVOKE doomed_team FROM dave");
sql('CALL lstm.run_jobs()');
for my $what (sort keys %gone)
{
	my ($number, $row) = @{ $gone{$what} };
	sql("SELECT lstm.wait($number, '20 s')");
	like(row_of($number), $row, "$what");
}

sql('CREATE ROLE erin LOGIN');
$job = submit('gone0', before => 'SET SESSION AUTHORIZATION erin; ', options => ', "epochs": 400');
training($job);
sql('DROP ROLE erin');
sql("SELECT lstm.wait($job, '20 s')");
like(row_of($job), qr/^failed\|42704\|role "erin" does not exist/, 'a role that goes while its job trains');

# ---------------------------------------------------------------------------
# A database of its own, whose owner is no superuser; DROP DATABASE
# ---------------------------------------------------------------------------
sql('CREATE DATABASE other OWNER alice');
sql('SET SESSION AUTHORIZATION alice; CREATE EXTENSION lstm; CREATE TABLE wave AS SELECT t, sin(t * 0.1) AS y FROM generate_series(1, 3000) t; GRANT SELECT ON wave TO PUBLIC', 'other');
($status, $out, $err) = $node->psql('other', call('root'));
like($err, qr/a superuser's job cannot be kept/, 'no superuser leaves SQL in tables of others');
my $alices = submit('alices', database => 'other', before => 'SET SESSION AUTHORIZATION alice; ');
is(sql("SET SESSION AUTHORIZATION alice; SELECT lstm.wait($alices)", 'other'), 'done', 'others have jobs');
$alices = submit('alices', database => 'other', before => 'SET lstm.max_jobs = 0; SET SESSION AUTHORIZATION alice; ');
my $forge = "INSERT INTO lstm.job_rows (job, model, owner, session_role, arguments, settings, owner_oid, session_oid) SELECT 1000 + n, 'forged', r, s, '{}', '{}', r::regrole, s::regrole";
sql("$forge FROM (VALUES (1, 'postgres', 'postgres'), (2, 'dave', 'dave')) f (n, r, s)", 'other');

is(sql('CALL lstm.run_jobs()', 'other'), '0|3|0', "nobody starts a superuser's, and a superuser nobody's");
is(sql('SET SESSION AUTHORIZATION alice; CALL lstm.run_jobs()', 'other'), '1|2|0', 'a session starts jobs of its own user only');
($status, $out, $err) = $node->psql('other', "SELECT lstm.wait(1002, '0')");
like($err, qr/job 1002 waits for a session of user "dave" to start it/, 'which is said');
is(sql("SET SESSION AUTHORIZATION alice; SELECT lstm.wait($alices)", 'other'), 'done', "alice's is started by hers");
sql('CREATE ROLE chief SUPERUSER; GRANT chief TO dave');
sql("DELETE FROM lstm.job_rows WHERE model = 'forged'; $forge FROM (VALUES (3, 'chief', 'dave')) f (n, r, s); SET SESSION AUTHORIZATION dave; CALL lstm.run_jobs()", 'other');
sql("SELECT lstm.wait(1003, '10 s')", 'other');
is(sql('SELECT state, message FROM lstm.jobs WHERE job = 1003', 'other'), 'failed|a superuser\'s job cannot be kept in table "lstm.job_rows"',
	'nor does a row make a superuser of who may become one');
$alices = submit('alices', long => 1, database => 'other', before => 'SET SESSION AUTHORIZATION alice; ');
$node->poll_query_until('postgres', "SELECT EXISTS (SELECT $jobs AND query LIKE '%epoch%' AND datname = 'other')");
$begin = time;
sql('DROP DATABASE other WITH (FORCE)');
cmp_ok(time - $begin, '<', 3, 'DROP DATABASE ... FORCE ends jobs');
ok(gone(), 'their processes are gone');

# A worker whose row went with the extension has the lock of a number that is given again.
sql('CREATE DATABASE again');
sql('CREATE EXTENSION lstm; CREATE TABLE wave AS SELECT t, sin(t * 0.1) AS y FROM generate_series(1, 3000) t', 'again');
$job = submit('orphan', long => 1, database => 'again');
$node->poll_query_until('postgres', "SELECT EXISTS (SELECT $jobs AND query LIKE '%epoch%' AND datname = 'again')");
sql('DROP EXTENSION lstm; CREATE EXTENSION lstm', 'again');
is(submit('next', database => 'again'), $job, 'the number again');
sleep 0.3;
sql("SET statement_timeout = '5s'; " . call('free'), 'again');
$node->poll_query_until('again', "SELECT state = 'done' FROM lstm.jobs WHERE model = 'free'");
is(state_of($job, 'again'), 'queued', 'that job waits, and the queue goes on');
sql("SELECT pg_terminate_backend(pid, 5000) $jobs", 'again');
is(sql("SELECT lstm.wait($job, '20 s')", 'again'), 'done', 'until the worker is gone');
# One that ends by itself puts nothing into the tables of the next installation.
submit('stray', long => 1, database => 'again', before => 'SET lstm.train_seconds = 2; ');
$node->poll_query_until('postgres', "SELECT EXISTS (SELECT $jobs AND query LIKE '%epoch%' AND datname = 'again')");
sql('DROP EXTENSION lstm; CREATE EXTENSION lstm', 'again');
ok(gone(), 'a job outlives its extension for as long as it trains');
is(sql('SELECT count(*) FROM lstm.models', 'again'), '0', 'and stores nothing');
# The extension may go, or its making be undone, in the transaction of a job.
is(sql('BEGIN; ' . call('never') . '; DROP EXTENSION lstm; COMMIT; SELECT count(*) FROM pg_extension WHERE extname = $$lstm$$', 'again') =~ s/^\d+\n//r,
	'0', 'no extension, no job');
sql('DROP DATABASE again WITH (FORCE)');

# Names beyond ASCII in a database that is not UTF-8
sql("CREATE DATABASE latin ENCODING 'LATIN1' LC_COLLATE 'C' LC_CTYPE 'C' TEMPLATE template0");
sql('CREATE EXTENSION lstm; CREATE TABLE wave AS SELECT t, sin(t * 0.1) AS y FROM generate_series(1, 300) t', 'latin');
$job = sql(q{SET my.city = E'Z\\xfcrich'; } . call('m', source => 'wave') =~ s/'m', 'wave'/E'Z\\xfcrich', E'SELECT t, y FROM wave \/* \\xfc *\/'/r, 'latin');
is(sql("SELECT lstm.wait($job)", 'latin'), 'done', 'a job in a LATIN1 database');
is(sql("SELECT name = E'Z\\xfcrich', source ~ E'\\xfc', j.settings->>'my.city' = E'Z\\xfcrich' FROM lstm.models, lstm.jobs j", 'latin'), 't|t|t', 'with its names');
like(sql("INSERT INTO wave SELECT t, sin(t * 0.1) FROM generate_series(301, 400) t; CALL lstm.retrain(E'Z\\xfcrich', promote => 'always')", 'latin'),
	qr/^2\|t\|/, 'which is retrained');
sql('DROP DATABASE latin');

# ---------------------------------------------------------------------------
# No free worker
# ---------------------------------------------------------------------------
$node->append_conf('postgresql.conf', "max_worker_processes = 1\nlstm.max_jobs = 5\n");
$node->restart;
my $first = submit('first', long => 1);
training($first);
($status, $second, $err) = $node->psql('postgres', call('second'));
like($err, qr/job $second waits because no background worker is free/, 'all workers are taken, and that is said');
like(row_of($second), qr/^queued\|\|waits because no background worker/, 'by its row, too');
($status, $third, $err) = $node->psql('postgres', 'SET SESSION AUTHORIZATION alice; ' . call('third'));
cancel($first);
is(sql("SELECT count(*) FROM lstm.jobs WHERE job = $second AND state IN ('running', 'done')"), '1', 'the worker that ends goes on with the next')
	if $node->poll_query_until('postgres', "SELECT state = 'done' FROM lstm.jobs WHERE job = $second");
is(sql("SELECT count(DISTINCT pid) FROM lstm.jobs WHERE job IN ($first, $second)"), '1', 'itself');
is(sql("SELECT lstm.wait($third)"), 'done', 'lstm.wait starts another role\'s');
is(sql("SELECT owner FROM lstm.models WHERE name = 'third'"), 'alice', 'which stays that role\'s');
sql("CREATE FUNCTION noisy() RETURNS SETOF wave LANGUAGE plpgsql AS \$\$ BEGIN RAISE NOTICE 'only for bob'; PERFORM pg_sleep(1); RETURN QUERY SELECT * FROM wave; END \$\$; CREATE ROLE frank");
$first = submit('noisy', source => 'SELECT * FROM noisy()', before => 'SET ROLE bob; ');
$second = submit('silent', before => 'SET ROLE frank; ');
sql('DROP ROLE frank');
$node->poll_query_until('postgres', "SELECT state = 'failed' FROM lstm.jobs WHERE job = $second");
is(sql("SELECT string_agg(coalesce(notices::text, 'none'), ', ' ORDER BY job) FROM lstm.jobs WHERE job IN ($first, $second)"),
	'{"NOTICE:  only for bob"}, none', 'what one job was told is not told the next');
gone();
$node->append_conf('postgresql.conf', "max_worker_processes = 8\n");

# ---------------------------------------------------------------------------
# Ends of the server
# ---------------------------------------------------------------------------
$job = submit('restarted', long => 1);
training($job);
$second = submit('waiting', before => 'SET lstm.max_jobs = 0; ');
$node->restart;
like(row_of($job), qr/^failed\|57P01\|the worker was terminated/, 'a restart of the server: the row says what happened');
is(state_of($second), 'queued', 'what waited waits');
is(sql('CALL lstm.run_jobs()'), '1|0|0', 'until run_jobs');
is(sql("SELECT lstm.wait($second)"), 'done', 'starts it');

$job = submit('killed', long => 1);
training($job);
my $from = -s $node->logfile;
kill 'KILL', sql("SELECT pid FROM lstm.jobs WHERE job = $job");
server_back($from);
like(row_of($job), qr/^lost\|\|the worker ended without a word/, 'a killed worker: lost');
is(sql("SELECT lstm.wait($job)"), 'lost', 'for lstm.wait, too');
is(sql("SELECT lstm.cancel($job)"), 'f', 'and nothing to cancel');
is(sql('SELECT state FROM lstm.job_rows WHERE job = ' . $job), 'running', 'the row does not know');
is(sql('CALL lstm.run_jobs()'), '0|0|1', 'run_jobs mends it');
is(sql('SELECT state FROM lstm.job_rows WHERE job = ' . $job), 'lost', 'it knows');

# The postmaster is killed: nobody stays behind for more than two seconds, whatever it does.
$job = submit('orphan', long => 1, options => ', "units": 50', before => 'SET max_parallel_maintenance_workers = 1; ');
$second = submit('busy', source => 'SELECT t, y + (SELECT count(*) FROM generate_series(1, 100000) a, generate_series(1, 100000) b) AS y FROM wave');
training($job);
$node->poll_query_until('postgres', "SELECT state = 'running' FROM lstm.jobs WHERE job = $second");
my @pids = split /\n/, sql("SELECT pid FROM pg_stat_activity WHERE backend_type IN ('lstm job', 'parallel worker')");
cmp_ok(scalar @pids, '>=', 3, 'two jobs and a parallel worker');
my ($postmaster) = slurp_file($node->data_dir . '/postmaster.pid') =~ /^(\d+)/;
kill 'KILL', $postmaster;
$begin = time;
while ((grep { lives($_) } @pids) && time - $begin < 5) { sleep 0.02 }
cmp_ok(time - $begin, '<', 2, 'they end within two seconds of the postmaster');
$node->{_pid} = undef;

done_testing();
