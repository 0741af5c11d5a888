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
my $has_places = $node->safe_psql('postgres', q{SELECT 1 FROM pg_available_extensions WHERE name = 'postgis'});
$node->safe_psql('postgres', q{
	SET client_min_messages = error;
	CREATE EXTENSION postgis;
	CREATE EXTENSION lstm_postgis;
	CREATE TABLE places AS SELECT t, s, sin((t + 2 * s) / 4.0) + s AS y,
		ST_SetSRID(ST_MakePoint(-9 + 0.01 * s, 53 + 0.001 * (s * 37 % 600)), 4326) AS place
		FROM generate_series(1, 80) t, generate_series(1, 600) s;
	SELECT lstm.train('places', 'places', time_column => 't', series => 's', target => 'y', geom => 'place',
		context => 6, horizon => 2, options => '{"architecture": "graph", "units": 4, "epochs": 1}');
	SELECT lstm.create_map_view('places');
}) if $has_places;
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
if ($has_places)
{
	my $point = 'public.ST_SetSRID(public.ST_MakePoint(-6.2, 53.31), 4326)';

	%reads = (%reads,
		'forecast_geom' => q{lstm.forecast_geom('places')},
		'forecast_at' => qq{lstm.forecast_at('places', $point)},
		'forecast_at in a source' => qq{lstm.forecast_at('places', $point, source => 'SELECT * FROM public.places WHERE t < 60')},
		'forecast_tile' => q{(SELECT md5(tile) FROM lstm.forecast_tile(0, 0, 0, 'places') tile WHERE octet_length(tile) > 600)},
		'sites' => q{lstm.sites('places')},
		'graph' => q{lstm.graph('places')},
		'a map' => q{public.places_map},
		'geom_edges of few places' => q{lstm.geom_edges(ARRAY(SELECT geom FROM lstm.sites('places') WHERE site <= 300), false, 3, NULL)});
}
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
	'train_async' => $long =~ s/train/train_async/r,
	'cancel' => 'SELECT lstm.cancel(1)',
	'run_jobs' => 'CALL lstm.run_jobs()',
	'deploy' => q{SELECT lstm.deploy('sine', 1)},
	'rollback' => q{SELECT lstm.rollback('sine')},
	'rename_model' => q{SELECT lstm.rename_model('sine', 'cosine')},
	'drop_model' => q{SELECT lstm.drop_model('sine')});

# A job runs on the primary only; the standby knows what the primary wrote.
my $job = $node->safe_psql('postgres', $writes{train_async});
$node->poll_query_until('postgres', "SELECT state = 'running' FROM lstm.jobs WHERE job = $job");
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($standby->safe_psql('postgres', "SELECT state, lstm.wait(job, '100 ms') FROM lstm.jobs WHERE job = $job"), 'running|running',
	'a job of the primary runs, seen from the standby');
foreach my $name (sort keys %writes)
{
	my $begin = time;
	my ($status, $out, $err) =
		$standby->psql('postgres', "\\set VERBOSITY verbose\nSET statement_timeout = '10s';\n$writes{$name}");

	like($err, qr/ERROR:  25006: cannot execute /, "$name is refused: 25006");
	diag $err =~ /(ERROR.*)/;
}

is($node->safe_psql('postgres', "SELECT lstm.cancel($job), lstm.wait($job)"), 't|cancelled', 'it is cancelled on the primary');
$node->wait_for_catchup($standby, 'replay', $node->lsn('insert'));
is($standby->safe_psql('postgres', "SELECT lstm.wait($job)"), 'cancelled', 'which the standby learns');

# Many places want a temporary table, which a standby cannot make.
SKIP:
{
	skip 'no PostGIS', 1 if !$has_places;
	my ($status, $out, $err) = $standby->psql('postgres', q{\set VERBOSITY verbose
		SELECT count(*) FROM lstm.geom_edges(ARRAY(SELECT geom FROM lstm.sites('places')), false, 3, NULL)});

	like($err, qr/ERROR:  25006: /, 'geom_edges of many places is refused: 25006');
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
