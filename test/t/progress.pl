#!/usr/bin/perl
# progress.pl
#		A training tells how far it is: its session by NOTICEs, others by
#		pg_stat_activity; afterwards nothing is left of that.
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

my $node = lstm_node('primary', "track_activity_query_size = 4096\n", extra => [ '--encoding=UTF8', '--locale=C' ]);
my ($session, $other) = (LstmSession->new($node), LstmSession->new($node));
my $activity = 'SELECT query FROM pg_stat_activity WHERE pid = ' . $session->pid;

$session->query(q{
	CREATE TABLE sine AS SELECT t, sin(t / 4.0) AS y FROM generate_series(1, 400) t;
	CREATE TABLE waves AS SELECT t, sin(t / 4.0) AS y FROM generate_series(1, 4000) t});

sub train
{
	my ($name, $source, $options) = @_;

	return qq{SELECT version FROM lstm.train('$name', '$source', time_column => 't', context => 24,
		options => '{"architecture": "lstm", "patience": 0$options}')};
}

# The epochs that NOTICEs name.
sub epochs
{
	my ($output) = @_;

	return join ' ', $output =~ /^NOTICE:  00000: model "\w+": epoch (\d+) of \d+, loss [0-9.e+-]+/mg;
}

# NOTICEs.
like($session->query(train('sine', 'sine', ', "epochs": 7, "progress": 1')),
	qr/^NOTICE:  00000: model "sine": epoch 7 of 7, loss [0-9.e+-]+, validation loss [0-9.e+-]+$/m,
	'a line names model, epoch, loss and validation loss');
is(epochs($session->query(train('sine', 'sine', ', "epochs": 7, "progress": 1'))), '1 2 3 4 5 6 7', 'every epoch');
is(epochs($session->query(train('sine', 'sine', ', "epochs": 7, "progress": 3'))), '3 6', 'every third epoch');
is(epochs($session->query(train('sine', 'sine', ', "epochs": 7, "progress": 0'))), '', 'none');
is(epochs($session->query(train('sine', 'sine', ', "epochs": 25'))), '10 20', 'every tenth by default');
$session->query('SET lstm.progress = 2');
is(epochs($session->query(train('sine', 'sine', ', "epochs": 5'))), '2 4', 'lstm.progress sets the default');
is(epochs($session->query(train('sine', 'sine', ', "epochs": 5, "progress": 5'))), '5', 'the option goes before');
$session->query('SET lstm.progress = 0');
is(epochs($session->query(train('sine', 'sine', ', "epochs": 5'))), '', 'lstm.progress = 0: none');
unlike($session->query(train('sine', 'sine', ', "epochs": 2, "progress": 1, "validation_split": 0')),
	qr/validation loss/, 'no validation loss without a validation part');

# They arrive while it trains, not at its end.
$session->send(train('waves', 'waves', ', "epochs": 1000, "progress": 1'));
my $until = time + 20;
sleep 0.01 while $session->partial !~ /epoch 3 of/ && time < $until;
ok($session->partial =~ /epoch 3 of/ && !$session->ended, 'lines come while it trains');

# What others see: it goes on.
my @seen;
$until = time + 20;
while (@seen < 5 && time < $until)
{
	my $query = $other->query($activity);

	push @seen, $1 if $query =~ /^lstm\.train "waves": epoch (\d+) of 1000, loss [0-9.e+-]+, validation loss [0-9.e+-]+/
		&& (!@seen || $1 > $seen[-1]);
	sleep 0.01;
}
is(scalar @seen, 5, 'pg_stat_activity shows epoch after epoch');
like($other->query($activity), qr/ -- SELECT version FROM lstm\.train\('waves'/, 'and the statement after it');
is($other->query('SELECT state FROM pg_stat_activity WHERE pid = ' . $session->pid), "active\n", 'state is active');

# Afterwards the statement is what it was.
$other->query('SELECT pg_cancel_backend(' . $session->pid . ')');
like($session->wait, qr/ERROR:  57014/, 'cancelled');
unlike($other->query($activity), qr/^lstm\.train/, 'reset after a cancel');
like($other->query($activity), qr/^SELECT version FROM lstm\.train/, 'to the statement');

$session->send(train('waves', 'sine', ', "epochs": 2') . ' WHERE pg_sleep(0) IS NOT NULL AND pg_sleep(1) IS NOT NULL');
sleep 0.5;
like($other->query($activity), qr/^SELECT version FROM lstm\.train.*pg_sleep/s,
	'reset when training has ended and its statement goes on');
$session->wait;

# A statement longer than what is shown is cut between characters: of three bytes
# each here, at three places.
foreach my $shift (0 .. 2)
{
	my $until = time + 20;
	my $query;

	$session->send(train('waves', 'waves', ', "epochs": 100000') . ' /* ' . 'x' x $shift . "\xe2\x82\xac" x 5000 . ' */');
	do { sleep 0.01; $query = $other->query($activity) } while $query !~ /^lstm.train/ && time < $until;
	$other->query('SELECT pg_cancel_backend(' . $session->pid . ')');
	$session->wait;
	chomp $query;
	ok(utf8::decode($query), 'the statement is cut between characters');
	cmp_ok(length $query, '<', 1000, 'and short');
}
like($session->query(train(q{o"b''c}, 'waves', ', "epochs": 2') . ' /*' . 'x' x 20000 . '*/'), qr/^1$/m,
	'a long statement and a name with quotes');

$session->close;
$other->close;
$node->stop;
done_testing();
