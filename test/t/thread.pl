#!/usr/bin/perl
# thread.pl
#		A backend has one thread: after LOAD 'lstm', while it trains, and after
#		training and forecasting.  A second thread would take the server's signals.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use LstmSession;
use LstmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(sleep);

plan skip_all => 'no /proc/PID/task here' if !-d "/proc/$$/task";

my $node = lstm_node('primary');
my $session = LstmSession->new($node);

sub threads
{
	my @tasks = glob('/proc/' . $session->pid . '/task/*');

	return scalar @tasks;
}

# The signals that a process blocks, catches and ignores: bit masks in hex.
sub signals
{
	open my $status, '<', '/proc/' . $session->pid . '/status' or die "no status: $!";
	return join ' ', grep { /^Sig(Blk|Cgt|Ign)/ } map { s/\s+/ /gr } <$status>;
}

my $train = q{SELECT * FROM lstm.train('sine', 'sine', time_column => 't', context => 24, options =>
	'{"epochs": %d, "units": 128, "num_layers": 2, "patience": 0, "progress": 0}')};
my $signals = signals();

is(threads(), 1, 'before');
$session->query(q{LOAD 'lstm'});
is(threads(), 1, q{after LOAD 'lstm'});
$session->query('CREATE TABLE sine AS SELECT t, sin(t / 4.0) AS y FROM generate_series(1, 1000) t');

$session->send(sprintf $train, 100000);
my $most = 0;
for (1 .. 30)
{
	my $now = threads();

	$most = $now if $now > $most;
	sleep 0.01;
}
ok(!$session->ended, 'it trains');
is($most, 1, 'while it trains');
$node->safe_psql('postgres', 'SELECT pg_cancel_backend(' . $session->pid . ')');
$session->wait;

like($session->query(sprintf $train, 2), qr/^sine\|1\|/m, 'trained');
is(threads(), 1, 'after training');
like($session->query(q{SELECT count(*) FROM lstm.forecast('sine', horizon => 3)}), qr/^3$/, 'forecast');
like($session->query(q{SELECT n FROM lstm.evaluate('sine') WHERE level = 'all'}), qr/^976$/, 'evaluated');
is(threads(), 1, 'after forecast and evaluate');
is(signals(), $signals, 'signals are blocked, caught and ignored as before');

$session->close;
$node->stop;
done_testing();
