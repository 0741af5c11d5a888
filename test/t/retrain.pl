#!/usr/bin/perl
# retrain.pl
#		lstm.retrain beside other sessions: one at a time, no snapshot while it trains, nothing
#		half done when it is cancelled or killed, and no promotion over what others deployed.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use LstmSession;
use LstmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $LIMIT_MS = 250;
my $node = lstm_node('primary', "restart_after_crash = on\nlstm.progress = 0\nmax_parallel_maintenance_workers = 1\n");

# A model of the first half of the rows, whose level shifts in the second half.
sub model
{
	my ($name) = @_;

	$node->safe_psql('postgres', qq{
		SELECT lstm.drop_model(name) FROM lstm.models WHERE name = '$name' LIMIT 1;
		DELETE FROM waves WHERE t > 400;
		SELECT version FROM lstm.train('$name', 'waves', 'y', 't', horizon => 6, context => 24,
			options => '{"units": 8, "epochs": 2, "season": 1, "members": ["network"], "deploy": false}');
		SELECT version FROM lstm.train('$name', 'waves', 'y', 't', horizon => 6, context => 24,
			options => '{"units": 8, "epochs": 2, "season": 1, "members": ["network"]}');
		INSERT INTO waves SELECT t, 30 + 3 * sin(t * 0.26) FROM generate_series(401, 700) t;
	});
	return;
}

# Trains until lstm.train_seconds end it, or for ever; more: options beside.
sub retrain
{
	my ($name, $promote, $more) = @_;

	$more = defined $more ? ", $more" : '';
	return qq{CALL lstm.retrain('$name', '$promote', options => '{"epochs": 1000000, "patience": 0, "progress": 0$more}')};
}

# Waits until an epoch has run.
sub training
{
	my ($session) = @_;

	return $node->poll_query_until('postgres',
		"SELECT query LIKE 'lstm.train %' FROM pg_stat_activity WHERE pid = " . $session->pid);
}

sub versions
{
	my ($name) = @_;

	return $node->safe_psql('postgres', qq{SELECT string_agg(version || CASE WHEN deployed THEN '*' ELSE '' END, ' ' ORDER BY version)
		FROM lstm.models JOIN lstm.model_values USING (name, version) WHERE name = '$name'});
}

sub advisory
{
	return $node->safe_psql('postgres', q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'});
}

$node->safe_psql('postgres', 'CREATE TABLE waves AS SELECT t, 10 + 3 * sin(t * 0.26) AS y FROM generate_series(1, 400) t');
my $session = LstmSession->new($node);
my $other = LstmSession->new($node);

# Two at once: the second steps aside; other models are free.  Nothing is held meanwhile.
model('m');
$session->send(retrain('m', 'if_better'));
ok(training($session), 'it trains');
like($other->query(retrain('m', 'if_better')), qr/"m" is being retrained by another session.*\|f\|\|\|busy$/s, 'a second one of the same name steps aside');
is($other->query("SELECT backend_xid IS NULL, backend_xmin IS NULL FROM pg_stat_activity WHERE pid = " . $session->pid),
	"t|t\n", 'no snapshot is held while epochs run');
is($other->query("SELECT count(*) FROM pg_locks WHERE locktype <> 'virtualxid' AND locktype <> 'advisory' AND pid = " . $session->pid),
	"0\n", 'nor any lock but that of the name');
is($other->query(q{SELECT count(*) FROM lstm.forecast('m')}), "6\n", 'the champion forecasts meanwhile');

# Cancelled: answered at once, nothing is left, and it can be done again.
my $sent = time;
$other->query('SELECT pg_cancel_backend(' . $session->pid . ')');
my $answer = $session->wait(qr/ERROR/);
my $ms = 1000 * ($session->{ended_at} - $sent);
like($answer, qr/ERROR:  57014/, 'a cancel ends it');
cmp_ok($ms, '<', $LIMIT_MS, "within $LIMIT_MS ms");
is(versions('m'), '1 2*', 'no version is left');
is(advisory(), 0, 'nor a lock');
like($session->query(q{CALL lstm.retrain('m', options => '{"epochs": 30, "learning_rate": 0.01}')}), qr/\n3\|t\|.*\|promoted$/, 'the same session retrains it');
is(versions('m'), '1 2 3*', 'the better one is deployed');
like($session->query(q{CALL lstm.retrain('m', options => '{"epochs": 30, "learning_rate": 0.01}')}), qr/no new rows$/, 'and does nothing the next time');

# The same with a parallel worker: it holds no snapshot either.
$session->send(retrain('m', 'never', '"units": 64, "batch_size": 256'));
ok($node->poll_query_until('postgres', 'SELECT count(*) = 1 FROM pg_stat_activity WHERE leader_pid = ' . $session->pid), 'a worker helps');
ok(training($session), 'and epochs run');
is($other->query('SELECT count(*), count(backend_xmin) FROM pg_stat_activity WHERE leader_pid = ' . $session->pid . ' OR pid = ' . $session->pid),
	"2|0\n", 'neither leader nor worker hold a snapshot');

# Killed: the server starts anew, no trace of it, and it can be done again.
my $pid = $session->pid;
kill 'KILL', $pid;
ok(!eval { $other->query('SELECT pg_sleep(60)'); 1 }, 'the crash ends all sessions');
ok($node->poll_query_until('postgres', 'SELECT NOT pg_is_in_recovery()'), 'the server has started anew');
$session = LstmSession->new($node);
$other = LstmSession->new($node);
is(versions('m'), '1 2 3*', 'nothing of the killed one is left');
is(advisory(), 0, 'nor a lock');
$node->safe_psql('postgres', 'INSERT INTO waves SELECT t, 30 + 3 * sin(t * 0.26) FROM generate_series(701, 730) t');
like($session->query(q{CALL lstm.retrain('m', 'always', keep_versions => 1)}), qr/\n4\|t\|.*\|promoted$/, 'the next one works');
is(versions('m'), '3 4*', 'what lstm.rollback needs stays');

# A client that goes away takes its retraining along.
$session->send(retrain('m', 'never', '"seed": 2'));
ok(training($session), 'another trains');
$pid = $session->pid;
$other->query("SELECT pg_terminate_backend($pid)");
ok($node->poll_query_until('postgres', "SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = $pid"), 'it is terminated');
is(advisory(), 0, 'and lets its lock go');

# Others deploy, drop, rename or replace the model meanwhile: nothing is promoted over that.
for my $change ([ 'deploy', q{SELECT lstm.deploy('s', 1)}, qr/\n3\|f\|.*\|superseded$/, '1* 2 3' ],
	[ 'drop', q{SELECT lstm.drop_model('s')}, qr/\n\|f\|.*\|superseded$/, '' ],
	[ 'rename', q{SELECT lstm.rename_model('s', 'renamed')}, qr/\n\|f\|.*\|superseded$/, '' ],
	[ 'replace', q{SELECT lstm.drop_model('s', 2);
		SELECT version FROM lstm.train('s', 'waves', 'y', 't', options => '{"units": 2, "epochs": 1}')}, qr/\n\|f\|.*\|superseded$/, '1 2*' ])
{
	my ($what, $statement, $expected, $left) = @$change;

	model('s');
	$session = LstmSession->new($node);
	$session->query('SET lstm.train_seconds = 1.5');
	$session->send(retrain('s', 'always'));
	ok(training($session), "$what: it trains");
	$other->query($statement);
	like($session->wait, $expected, "$what: the outcome says so");
	is(versions('s'), $left, "$what: what is there is what the other left");
	is(advisory(), 0, "$what: no lock");
	$session->close;
}

# The isolation level of the session makes no difference.
model('r');
is($node->psql('postgres', q{SET default_transaction_isolation = 'serializable'; CALL lstm.retrain('r', 'always')}), 0, 'serializable, too');
is(versions('r'), '1 2 3*', 'it is deployed');
$other->close;

done_testing();
