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

# PostGIS brings libraries of its own (GEOS, PROJ).
SKIP:
{
	skip 'no PostGIS', 3 if !$node->safe_psql('postgres', q{SELECT 1 FROM pg_available_extensions WHERE name = 'postgis'});
	$session->query('CREATE EXTENSION postgis');
	$session->query('CREATE EXTENSION lstm_postgis');
	is(threads(), 1, 'after CREATE EXTENSION lstm_postgis');
	$session->query(q{CREATE TABLE place AS SELECT t, s, sin((t + s) / 4.0) AS y,
		ST_SetSRID(ST_MakePoint(s / 10.0, 50 + s % 7), 4326) AS geom FROM generate_series(1, 60) t, generate_series(1, 600) s});
	$session->query(q{SELECT lstm.train('place', 'place', time_column => 't', series => 's', geom => 'geom', context => 6, horizon => 1,
		options => '{"architecture": "graph", "units": 4, "epochs": 2, "progress": 0}')});
	like($session->query(q{SELECT count(*), (SELECT count(*) FROM lstm.forecast_at('place', ST_SetSRID(ST_MakePoint(6000000, 6500000), 3857))),
		length(lstm.forecast_tile(0, 0, 0, 'place')) > 0 FROM lstm.forecast_geom('place')}), qr/^600\|1\|t$/, 'trained and forecast with places');
	is(threads(), 1, 'after training and forecasting with places');
}
is(signals(), $signals, 'signals are blocked, caught and ignored as before');

$session->close;
$node->stop;
done_testing();
