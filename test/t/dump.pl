#!/usr/bin/perl
# dump.pl
#		Models survive pg_dump and restore, by a superuser and by the extension's
#		installer, with owners, deployments and bytes as they were.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use LstmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = lstm_node('primary');
my $digest = q{SELECT md5(string_agg(m::text, ',' ORDER BY name, version)) FROM lstm.models m
	UNION ALL SELECT md5(string_agg(v::text, ',' ORDER BY name, version)) FROM lstm.model_values v};
my $forecast = q{SET ROLE analyst; SELECT md5(string_agg(f::text, ',' ORDER BY step)) FROM lstm.forecast('sine') f};
my $bytes = q{SELECT string_agg(name || version || md5(model::bytea), ',' ORDER BY name, version) FROM lstm.model_values};
my $dump = $node->basedir . '/models.dump';

sub train
{
	my ($database, $role) = @_;

	$node->safe_psql($database, qq{
		CREATE TABLE sine AS SELECT t, sin(t / 4.0) AS y FROM generate_series(1, 120) t;
		GRANT SELECT ON sine TO PUBLIC;
		SET ROLE $role;
		SELECT lstm.train('sine', 'public.sine', time_column => 't', context => 8, options => '{"units": 4, "epochs": 2}');
		SELECT lstm.train('sine', 'public.sine', time_column => 't', context => 8,
			options => '{"units": 5, "epochs": 2, "deploy": false}');
	});
	return;
}

$node->safe_psql('postgres', 'CREATE ROLE analyst; CREATE ROLE installer LOGIN; CREATE DATABASE copy;');

# A superuser, one format each.
train('postgres', 'analyst');
my ($before, $forecast_before) = map { $node->safe_psql('postgres', $_) } ($digest, $forecast);
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump');
# Jobs load the two tables in any order.
$node->command_ok([ 'pg_restore', '-e', '-j', '2', '-d', $node->connstr('copy'), $dump ], 'pg_restore');
is($node->safe_psql('copy', $digest), $before, 'registry is equal');
is($node->safe_psql('copy', $forecast), $forecast_before, 'forecasts are equal');
is($node->safe_psql('copy', $bytes), $node->safe_psql('postgres', $bytes), 'model::bytea is equal');
is($node->safe_psql('copy', q{SET ROLE analyst; SELECT count(*) FROM lstm.models WHERE owner = 'analyst'}),
	'2', 'models are their owner\'s');

# A cluster without the owner's role keeps the models; nobody but administrators sees them.
$node->safe_psql('postgres', 'DROP DATABASE copy; CREATE DATABASE copy');
$node->safe_psql('postgres', 'ALTER ROLE analyst RENAME TO scientist');
$node->command_ok([ 'pg_restore', '-e', '-d', $node->connstr('copy'), $dump ], 'restore without the role');
is($node->safe_psql('copy', $digest), $before, 'registry is equal without the role');
is($node->safe_psql('copy', 'SET ROLE scientist; SELECT count(*) FROM lstm.models'), '0',
	'a renamed role does not see them');
$node->safe_psql('copy', q{UPDATE lstm.models SET owner = 'scientist' WHERE owner = 'analyst'});
is($node->safe_psql('copy', 'SET ROLE scientist; SELECT count(*) FROM lstm.model_values'), '2',
	'until they are handed over');

# The owner of a database, who is no superuser, installs, dumps and restores.
$node->safe_psql('postgres', 'CREATE DATABASE theirs OWNER installer; CREATE DATABASE theirs2 OWNER installer');
$node->safe_psql('theirs', 'SET ROLE installer; CREATE EXTENSION lstm');
is($node->safe_psql('theirs', q{SELECT DISTINCT tableowner FROM pg_tables WHERE schemaname = 'lstm'}),
	'installer', 'tables belong to the installer');
train('theirs', 'scientist');
$before = $node->safe_psql('theirs', $digest);
my @as_installer = ('-U', 'installer');
$node->safe_psql('theirs', 'ALTER TABLE sine OWNER TO installer');
$node->command_ok([ 'pg_dump', @as_installer, '-Fc', '-f', $dump, '-d', $node->connstr('theirs') ],
	'pg_dump by the installer');
$node->command_ok([ 'pg_restore', @as_installer, '-e', '-d', $node->connstr('theirs2'), $dump ],
	'pg_restore by the installer');
is($node->safe_psql('theirs2', $digest), $before, 'registry is equal');
is($node->safe_psql('theirs2', $bytes), $node->safe_psql('theirs', $bytes), 'model::bytea is equal');
is($node->safe_psql('theirs2', $forecast =~ s/analyst/scientist/r), $node->safe_psql('theirs', $forecast =~ s/analyst/scientist/r),
	'forecasts are equal');
is($node->safe_psql('theirs2', q{SET ROLE scientist; SELECT lstm.describe('sine')->'version'}), '1',
	'deployment is kept');

# As a script, of statements, for psql; the restored models get further versions.
$node->safe_psql('postgres', 'CREATE DATABASE theirs3 OWNER installer');
$node->command_ok([ 'pg_dump', @as_installer, '--inserts', '-f', $dump, '-d', $node->connstr('theirs') ],
	'pg_dump --inserts by the installer');
$node->command_ok([ 'psql', '-qX', @as_installer, '-v', 'ON_ERROR_STOP=1', '-o', "$dump.out", '-f', $dump,
	'-d', $node->connstr('theirs3') ], 'psql by the installer');
is($node->safe_psql('theirs3', $digest), $before, 'registry is equal');
is($node->safe_psql('theirs3', $bytes), $node->safe_psql('theirs', $bytes), 'model::bytea is equal');
is($node->safe_psql('theirs3', q{SET ROLE scientist; SELECT version FROM lstm.train('sine', 'public.sine', time_column => 't',
	context => 8, options => '{"units": 4, "epochs": 2, "progress": 0}')}), '3', 'the next version follows');

# Models over space, with places and a map, and a model of models.
SKIP:
{
	skip 'no PostGIS', 11 if !$node->safe_psql('postgres', q{SELECT 1 FROM pg_available_extensions WHERE name = 'postgis'});
	my %reads = (
		'registry' => $digest,
		'model::bytea' => $bytes,
		'forecasts' => q{SELECT md5(string_agg(f::text, ',' ORDER BY series, step)) FROM lstm.forecast('places') f},
		'forecasts with places' => q{SELECT md5(string_agg(f::text, ',' ORDER BY series, step)) FROM lstm.forecast_geom('places') f},
		'forecasts between places' => q{SELECT md5(string_agg(f::text, ',' ORDER BY step))
			FROM lstm.forecast_at('places', public.ST_SetSRID(public.ST_MakePoint(-6.2, 53.31), 4326)) f},
		'forecasts of a joint model' => q{SELECT md5(string_agg(f::text, ',' ORDER BY series, step)) FROM lstm.forecast('joint') f},
		'the map' => q{SELECT md5(string_agg(m::text, ',' ORDER BY id)) FROM places_map m},
		'the type of the map' => q{SELECT type, srid, coord_dimension FROM geometry_columns WHERE f_table_name = 'places_map'});
	my %before;

	$node->safe_psql('postgres', 'CREATE DATABASE map; CREATE DATABASE map2');
	$node->safe_psql('map', q{
		SET client_min_messages = error;
		CREATE EXTENSION postgis;
		CREATE EXTENSION lstm_postgis CASCADE;
		CREATE TABLE places AS SELECT t, 's' || s AS id, sin((t + 2 * s) / 4.0) + s AS y,
			ST_SetSRID(ST_MakePoint(-6.26 + 0.03 * s, 53.34 - 0.01 * (s * s % 7)), 4326) AS place
			FROM generate_series(1, 120) t, generate_series(1, 8) s;
		SELECT lstm.train(kind, 'SELECT * FROM public.places WHERE t <= ' || until, time_column => 't', series => 'id', target => 'y', geom => 'place',
			context => 6, horizon => 2, options => jsonb_build_object('architecture', kind, 'units', 4, 'epochs', 2))
		FROM (VALUES ('graph_gru', 90), ('gru', 90)) m(kind, until);
		SELECT lstm.rename_model('graph_gru', 'places');
		SELECT lstm.join_models('joint', 'places', 'gru', source => 'SELECT * FROM public.places');
		SELECT lstm.create_map_view('places', 'public.places_map');
	});
	$before{$_} = $node->safe_psql('map', $reads{$_}) foreach keys %reads;
	is($before{'the type of the map'}, 'POINT|4326|2', 'a map');
	$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('map') ], 'pg_dump of a map');
	$node->command_ok([ 'pg_restore', '-e', '-j', '2', '-d', $node->connstr('map2'), $dump ], 'pg_restore of a map');
	is($node->safe_psql('map2', $reads{$_}), $before{$_}, "$_: equal") foreach sort keys %reads;
}

$node->stop;
done_testing();
