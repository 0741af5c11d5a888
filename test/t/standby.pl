#!/usr/bin/perl
# standby.pl
#		On a streaming standby everything that only reads works and gives what the
#		primary gives; what writes says so at once.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use LstmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;
use Time::HiRes qw(time);

my $node = lstm_node('primary', "wal_level = replica\n", allows_streaming => 1);

$node->safe_psql('postgres', q{
	CREATE TABLE sine AS SELECT t, sin(t / 4.0) AS y FROM generate_series(1, 400) t;
	SET lstm.progress = 0;
	SELECT lstm.train('sine', 'sine', time_column => 't', context => 16, horizon => 4,
		options => '{"units": 8, "epochs": 2, "loss": "gaussian"}');
	SELECT lstm.train('sine', 'sine', time_column => 't', context => 16, horizon => 4,
		options => '{"units": 9, "epochs": 2, "loss": "gaussian"}');
});
$node->backup('base');

my $standby = PostgreSQL::Test::Cluster->new('standby');
$standby->init_from_backup($node, 'base', has_streaming => 1);
$standby->start;

# A version that comes through the stream, after the copy was taken.
$node->safe_psql('postgres', q{
	SELECT lstm.train('streamed', 'sine', time_column => 't', context => 8, options => '{"units": 4, "epochs": 2}')});
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($standby->safe_psql('postgres', 'SELECT pg_is_in_recovery()'), 't', 'it is a standby');

my %reads = (
	'forecast' => q{lstm.forecast('sine', horizon => 6)},
	'forecast of a streamed model' => q{lstm.forecast('streamed')},
	'forecast with a source' => q{lstm.forecast('sine', source => 'SELECT * FROM public.sine WHERE t < 300')},
	'hindcast' => q{lstm.hindcast('sine', stride => 10)},
	'evaluate' => q{lstm.evaluate('sine')},
	'describe' => q{lstm.describe('sine')},
	'layers' => q{lstm.layers('sine')},
	'tensors' => q{lstm.tensors('sine')},
	'training_log' => q{lstm.training_log('sine', version => 1)},
	'fit and predict' => q{(SELECT lstm.predict(lstm.fit(t, y, '{"epochs": 1, "units": 4, "context": 8}'),
		array_agg(y ORDER BY t), 3) FROM public.sine)});
foreach my $name (sort keys %reads)
{
	my $query = "SELECT x::text FROM $reads{$name} AS x";
	my ($status, $out, $err) = $standby->psql('postgres', $query);

	is($err, '', "$name works");
	ok($out ne '' && $out eq $node->safe_psql('postgres', $query), "$name gives what the primary gives");
}

# An hour of training that cannot be kept is not begun.
my $long = q{SELECT lstm.train('sine', 'sine', time_column => 't', context => 16,
	options => '{"epochs": 1000000, "patience": 0}')};
my %writes = (
	'train' => $long,
	'deploy' => q{SELECT lstm.deploy('sine', 1)},
	'rollback' => q{SELECT lstm.rollback('sine')},
	'rename_model' => q{SELECT lstm.rename_model('sine', 'cosine')},
	'drop_model' => q{SELECT lstm.drop_model('sine')});
foreach my $name (sort keys %writes)
{
	my $begin = time;
	my ($status, $out, $err) =
		$standby->psql('postgres', "\\set VERBOSITY verbose\nSET statement_timeout = '10s';\n$writes{$name}");

	like($err, qr/ERROR:  25006: cannot execute /, "$name is refused: 25006");
	diag $err =~ /(ERROR.*)/;
}
my ($status, $out, $err) = $node->psql('postgres',
	"\\set VERBOSITY verbose\nSET statement_timeout = '10s';\nBEGIN READ ONLY;\n$long");
like($err, qr/ERROR:  25006: cannot execute lstm.train\(\) in a read-only transaction/,
	'train in a read-only transaction is refused');

# A promoted standby trains.
$standby->promote;
is($standby->safe_psql('postgres', q{SET lstm.progress = 0; SELECT version
	FROM lstm.train('sine', 'sine', time_column => 't', context => 16, options => '{"epochs": 1}')}), '3',
	'a promoted standby trains the next version');

$standby->stop;
$node->stop;
done_testing();
