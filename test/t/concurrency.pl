#!/usr/bin/perl
# concurrency.pl
#		Sessions that train, deploy, rename and drop the same model at once: every
#		training gets a number of its own, one version is deployed, and a forecast
#		that has begun goes on with the model that it read.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use LstmSession;
use LstmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = lstm_node('primary', "lstm.progress = 0\nclient_min_messages = error\ndeadlock_timeout = 200ms\n");
my ($a, $b, @sessions);

sub train
{
	my ($name, $options) = @_;

	return qq{SELECT version FROM lstm.train('$name', 'sine', time_column => 't', context => 8,
		options => '{"units": 4, "epochs": 3} '::jsonb || '$options')};
}

# Versions of a model, the deployed one marked.
sub versions
{
	my ($name) = @_;

	return $node->safe_psql('postgres', qq{SELECT string_agg(version || CASE WHEN deployed THEN '*' ELSE '' END, ' ' ORDER BY version)
		FROM lstm.models JOIN lstm.model_values USING (name, version) WHERE name = '$name'});
}

# Waits until the session waits for a lock.
sub blocked
{
	my ($session) = @_;

	return $node->poll_query_until('postgres',
		"SELECT wait_event_type = 'Lock' FROM pg_stat_activity WHERE pid = " . $session->pid);
}

# Waits until an epoch of its training has run.
sub training
{
	my ($session) = @_;

	return $node->poll_query_until('postgres',
		"SELECT query LIKE 'lstm.train %' FROM pg_stat_activity WHERE pid = " . $session->pid);
}

$node->safe_psql('postgres', q{
	CREATE ROLE alice; CREATE ROLE bob;
	CREATE TABLE sine AS SELECT t, sin(t / 4.0) AS y FROM generate_series(1, 120) t;
	GRANT SELECT ON sine TO PUBLIC;
});
@sessions = map { LstmSession->new($node) } 1 .. 4;
($a, $b) = @sessions;

# Two at once.
$_->send(train('two', '{}')) foreach $a, $b;
is(join(' ', sort map { s/\s+//gr } map { $_->wait } $a, $b), '1 2', 'two trainings at once: versions 1 and 2');
is(versions('two'), '1 2*', 'the newer is deployed');
is($node->safe_psql('postgres', q{SELECT count(DISTINCT md5(model::bytea)) FROM lstm.model_values WHERE name = 'two'}), '1',
	'their bytes are equal');

# Many at once.
foreach my $round (1 .. 4)
{
	$_->send(train('many', '{"seed": ' . $round . '}')) foreach @sessions;
	$_->wait foreach @sessions;
}
is(versions('many'), join(' ', 1 .. 15, '16*'), 'sixteen trainings by four sessions');

# One waits for the other's transaction.
$a->query('BEGIN');
is($a->query(train('queue', '{}')), "1\n", 'first, not committed');
$b->send(train('queue', '{}'));
ok(blocked($b), 'the second waits');
is($node->safe_psql('postgres', q{SELECT count(*) FROM lstm.models WHERE name = 'queue'}), '0', 'nobody sees the first');
is($node->safe_psql('postgres', train('elsewhere', '{}')), '1', 'other names do not wait');
$a->query('COMMIT');
is($b->wait, "2\n", 'the second is version 2');
is(versions('queue'), '1 2*', 'and deployed');

$a->query('BEGIN');
$a->query(train('queue', '{}'));
$b->send(train('queue', '{}'));
blocked($b);
$a->query('ROLLBACK');
is($b->wait, "3\n", 'a number of a training that was rolled back is taken');
is(versions('queue'), '1 2 3*', 'no hole');

# While it waits, it can be cancelled.
$a->query('BEGIN');
$a->query(train('queue', '{}'));
$b->send(train('queue', '{}'));
blocked($b);
$node->safe_psql('postgres', 'SELECT pg_cancel_backend(' . $b->pid . ')');
like($b->wait, qr/ERROR:  57014/, 'cancelled while it waits');
$a->query('ROLLBACK');

# A snapshot from before cannot see the number that is taken: an error that says to try again.
$a->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
$a->query('SELECT count(*) FROM lstm.models');
$b->query(train('queue', '{}'));
like($a->query(train('queue', '{}')), qr/ERROR:  40001/, 'repeatable read: serialization failure');
$a->query('ROLLBACK');
is(versions('queue'), '1 2 3 4*', 'nothing is left of it');

# The same new name, two roles.
$a->query('SET ROLE alice');
$b->query('SET ROLE bob');
$a->query('BEGIN');
$a->query(train('roles', '{}'));
$b->send(train('roles', '{}'));
ok(blocked($b), 'another role waits');
$a->query('COMMIT');
like($b->wait, qr/ERROR:  42710: model "roles" belongs to another role/, 'and learns that the name is taken');
$_->query('RESET ROLE') foreach $a, $b;

# Deployments at random by all: one is left, and no deadlock.
my $errors = 0;
srand(7);
foreach my $round (1 .. 25)
{
	foreach my $session (@sessions)
	{
		$session->send(rand() < 0.3 ? q{SELECT lstm.rollback('many')} :
			q{SELECT lstm.deploy('many', } . (1 + int rand 16) . ')');
	}
	# Below the lowest version there is nothing to go back to.
	$errors += grep { /ERROR/ && !/ERROR:  55000/ } map { $_->wait } @sessions;
}
is($errors, 0, 'a hundred deployments at once');
is(scalar(() = versions('many') =~ /\*/g), 1, 'one version is deployed');

# A forecast goes on while its model is dropped; the next one finds none.
$node->safe_psql('postgres', train('gone', '{}'));
my $hindcast = q{SELECT count(*), sum(forecast_value) FROM lstm.hindcast('gone', source => 'SELECT t, y FROM sine, pg_sleep(1)')};
my $expected = $a->query($hindcast);
$a->send($hindcast);
ok($node->poll_query_until('postgres', "SELECT wait_event = 'PgSleep' FROM pg_stat_activity WHERE pid = " . $a->pid),
	'it has read its model, and reads rows');
$b->query(q{SELECT lstm.drop_model('gone')});
is($node->safe_psql('postgres', q{SELECT count(*) FROM lstm.models WHERE name = 'gone'}), '0', 'its model is dropped meanwhile');
is($a->wait, $expected, 'it goes on');
like($a->query($hindcast), qr/ERROR:  42704: model "gone" does not exist/, 'the next one fails');

# In one snapshot the model stays.
$node->safe_psql('postgres', train('snapshot', '{}'));
$a->query('BEGIN ISOLATION LEVEL REPEATABLE READ');
$expected = $a->query(q{SELECT forecast_value FROM lstm.forecast('snapshot')});
$b->query(q{SELECT lstm.rename_model('snapshot', 'renamed')});
is($a->query(q{SELECT forecast_value FROM lstm.forecast('snapshot')}), $expected, 'a snapshot keeps name and model');
$a->query('COMMIT');

# Dropped and renamed while the next version is trained.
my $long = train('moved', '{"epochs": 15000, "patience": 0}');
$node->safe_psql('postgres', train('moved', '{}'));
$a->send($long);
ok(training($a), 'it trains');
$b->query(q{SELECT lstm.rename_model('moved', 'there')});
is($a->wait, "1\n", 'a model renamed meanwhile: the first version of the old name');
is(versions('moved') . ', ' . versions('there'), '1*, 1*', 'both are there');
$a->send($long);
training($a);
$b->query(q{SELECT lstm.drop_model('moved')});
is($a->wait, "1\n", 'a model dropped meanwhile: version 1 again');

# A session that is killed leaves nothing.
$a->send(train('killed', '{"epochs": 1000000, "patience": 0}'));
training($a);
$node->safe_psql('postgres', 'SELECT pg_terminate_backend(' . $a->pid . ')');
$node->poll_query_until('postgres', 'SELECT count(*) = 0 FROM pg_stat_activity WHERE pid = ' . $a->pid);
is($node->safe_psql('postgres', q{SELECT count(*) FROM lstm.models WHERE name = 'killed'}), '0', 'terminated: nothing is left');
is($node->safe_psql('postgres', train('killed', '{}')), '1', 'and the name is free');

$_->close foreach @sessions[ 1 .. 3 ];
$node->stop;
done_testing();
