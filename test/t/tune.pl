#!/usr/bin/perl
# tune.pl
#		A cancelled or crashed lstm.tune keeps the trials that had ended, and dumps carry them.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use LstmSession;
use LstmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep time);

my $LIMIT_MS = 250;
my $node = lstm_node('primary');

$node->safe_psql('postgres', q{
	CREATE TABLE waves AS SELECT t, sin(t / 4.0) + sin(t::float8 * t) / 10 AS y FROM generate_series(1, 1000) t;
});

my $session = LstmSession->new($node);
my $other = LstmSession->new($node);

# Quick trials first, then one that does not end.
sub tune
{
	my ($model) = @_;

	return "CALL lstm.tune('$model', 'waves', 'y', 't', context => 24, folds => 2, method => 'grid',
		options => '{\"units\": 4, \"patience\": 0, \"progress\": 0}', search => '{\"epochs\": [1, 2, 3, 1000000]}')";
}

sub finished
{
	my ($model) = @_;

	return $other->query("SELECT count(*) FROM lstm.trials WHERE model = '$model'") + 0;
}

# Others see each trial as soon as it has ended.
sub wait_for_trials
{
	my ($model, $n) = @_;

	for (1 .. 600)
	{
		return 1 if finished($model) >= $n;
		sleep 0.1;
	}
	return 0;
}

$session->send(tune('cancelled'));
ok(wait_for_trials('cancelled', 3), 'trials are seen by others while the search goes on');
is($other->query(q{SELECT count(*) FROM pg_locks WHERE locktype = 'advisory'}), "0\n", 'no lock between trials');
sleep 0.3;
my $sent = time;
$other->query('SELECT pg_cancel_backend(' . $session->pid . ')');
like($session->wait(qr/^ERROR:/m), qr/57014: canceling statement due to user request/, 'cancelled');
cmp_ok(1000 * ($session->{ended_at} - $sent), '<', $LIMIT_MS, "within $LIMIT_MS ms");
is(finished('cancelled'), 3, 'three trials are kept');
is($other->query(q{SELECT count(*) FROM lstm.trials WHERE status = 'done' AND score > 0}), "3\n", 'with their scores');
is($other->query('SELECT count(*) FROM lstm.models'), "0\n", 'no model is left');
is($session->query('SELECT 1'), "1\n", 'the session goes on');
like($session->query(q{CALL lstm.tune('after', 'waves', 'y', 't', context => 24, folds => 1,
	options => '{"epochs": 1, "progress": 0}', search => '{"units": [1, 2]}')} . "; SELECT 'done'"), qr/done/, 'and tunes again');

# A timeout ends the call like a cancel, not one trial.
$session->query('SET statement_timeout = 1500');
like($session->query(tune('timeout')), qr/57014: canceling statement due to statement timeout/, 'statement_timeout');
$session->query('RESET statement_timeout');
is(finished('timeout'), 3, 'its trials are kept');

# Nor is a terminated session a failed trial.
$session->send(tune('terminated'));
ok(wait_for_trials('terminated', 3), 'once more');
sleep 0.3;
$other->query('SELECT pg_terminate_backend(' . $session->pid . ')');
sleep 0.5;
is($other->query(q{SELECT count(*) FROM lstm.trials WHERE model = 'terminated' AND status = 'failed'}), "0\n",
	'a terminated session records no failure');

# A dump carries the trials and the number of the next search.
my $dump = $node->backup_dir . '/dump.sql';
$node->command_ok([ 'pg_dump', '--file', $dump, 'postgres' ], 'pg_dump');
$node->safe_psql('postgres', 'CREATE DATABASE restored');
$node->command_ok([ 'psql', '-qX', '-v', 'ON_ERROR_STOP=1', '-d', 'restored', '-f', $dump ], 'restore');
my $rows = 'SELECT md5(string_agg(t::text, chr(10) ORDER BY id, trial)) FROM lstm.trials t';
is($node->safe_psql('restored', $rows), $node->safe_psql('postgres', $rows), 'the same trials');
is($node->safe_psql('restored', q{SELECT nextval('lstm.trials_id_seq')}),
	$node->safe_psql('postgres', q{SELECT nextval('lstm.trials_id_seq')}), 'the next search has the same number');

$other->close;
$node->stop;
done_testing();
