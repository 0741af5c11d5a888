#!/usr/bin/perl
# roles.pl
#		Every function that takes the name of a model, tried by its owner, a member of
#		the owner, roles with a grant for each action, and a stranger; and what of
#		hidden rows a model passes on.
#
# A function of schema lstm with an argument "model" must have a line in %call, or
# this test fails.  The line says what kind of right it asks for, how it is called
# on model "m", and which SQLSTATE the owner gets where that is not success.
#
#	read	who may use the model gets what its owner gets
#	retrain, drop	who has that grant gets what the owner gets, other grantees 42501
#	own		grantees get 42501
#	train	adds a version of one's own choice: for others, members too, 42710
#	free	knows no owners: everybody gets what the owner gets
#
# A stranger gets 42704, as if there were no such model, or 42710 from "train".
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use LstmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $small = q{options => '{"units": 2, "epochs": 1}'};
my %call = (
	train => ['train', qq{lstm.train('m', 'rows', 'y', 'i', 'place', context => 6, $small)}],
	train_async => ['train', qq{lstm.train_async('m', 'rows', 'y', 'i', 'place', context => 6, $small)}],
	tune => ['train', q{CALL lstm.tune('m', 'rows', 'y', 'i', trials => 1,
		search => '{"units": [2, 3], "epochs": [1, 1]}')}],
	join_models => ['train', q{lstm.join_models('m', 'n', 'n2', source => 'later')}],

	forecast => ['read', q{lstm.forecast('m')}],
	hindcast => ['read', q{lstm.hindcast('m')}],
	evaluate => ['read', q{lstm.evaluate('m')}],
	explain => ['read', q{lstm.explain('m')}],
	detect_anomalies => ['read', q{lstm.detect_anomalies('m')}],
	exceedance => ['read', q{lstm.exceedance('m', 1)}],
	robustness => ['read', q{lstm.robustness('m')}],
	drift => ['read', q{lstm.drift('m', 'later')}],
	describe => ['read', q{lstm.describe('m')}],
	layers => ['read', q{lstm.layers('m')}],
	sites => ['read', q{lstm.sites('m')}],
	graph => ['read', q{lstm.graph('m')}],
	tensors => ['read', q{lstm.tensors('m')}],
	training_log => ['read', q{lstm.training_log('m')}],
	plot_forecast => ['read', q{lstm.plot_forecast('m')}],
	plot_training => ['read', q{lstm.plot_training('m')}],
	plot_importance => ['read', q{lstm.plot_importance('m')}],
	report => ['read', q{lstm.report('m')}],
	create_views => ['read', q{lstm.create_views('m', 'desk')}],

	deploy => ['retrain', q{lstm.deploy('m', 1)}],
	rollback => ['retrain', q{lstm.rollback('m')}],
	retrain => ['retrain', q{CALL lstm.retrain('m', 'never')}],
	refresh_forecasts => ['retrain', q{CALL lstm.refresh_forecasts('m')}],
	drop_model => ['drop', q{lstm.drop_model('m')}],
	keep_versions => ['drop', q{lstm.keep_versions('m', 1)}],
	rename_model => ['own', q{lstm.rename_model('m', 'other')}],
	grant_model => ['own', q{lstm.grant_model('m', 'stranger')}],
	revoke_model => ['own', q{lstm.revoke_model('m', 'reader')}],

	# pg_cron is asked, which is not here.
	schedule => ['retrain', q{lstm.schedule('m', 'retrain', '0 3 * * *')}, '55000'],
	unschedule => ['free', q{lstm.unschedule('m')}, '55000'],
);
# Those of lstm_postgis, on the model "s" of five sites.
my %postgis = (
	create_map_view => ['read', q{lstm.create_map_view('s', 'desk.view')}],
	forecast_at => ['read', q{lstm.forecast_at('s', ST_SetSRID(ST_MakePoint(1, 2), 4326))}],
	forecast_geom => ['read', q{lstm.forecast_geom('s')}],
	forecast_raster => ['read', q{lstm.forecast_raster('s')}],
	forecast_tile => ['read', q{lstm.forecast_tile(0, 0, 0, 's')}],
	kriging_weights => ['read', q{lstm.kriging_weights('s', '{a}', '{0}', '{1}', '{0,1}')}],
	map_places => ['read', q{lstm.map_places('s')}],
	map_type => ['read', q{lstm.map_type('s')}],
	map_view_define => ['read', q{lstm.map_view_define('s', 'desk', 'view')}],
	place_sites => ['read', q{lstm.place_sites('s', NULL, ST_SetSRID(ST_MakePoint(1, 2), 4326), '{a,b,c}')}],
	plot_map => ['read', q{lstm.plot_map('s')}],
	raster_cells => ['read', q{lstm.raster_cells('s')}],
	site_geometries => ['read', q{lstm.site_geometries('s')}],
	tile_sites => ['read', q{lstm.tile_sites(0, 0, 0, 's')}],
);
# Functions whose argument "model" is not the name of a model.
my %exempt = ();

my %grant = (reader => 'use', trainer => 'retrain', dropper => 'drop');
my $node = lstm_node('primary', "lstm.progress = 0\nclient_min_messages = error\n");

# A table of which a policy hides half of the rows from all but the owner.
$node->safe_psql('postgres', q{
	CREATE ROLE proprietor; CREATE ROLE member IN ROLE proprietor; CREATE ROLE reader; CREATE ROLE trainer;
	CREATE ROLE dropper; CREATE ROLE stranger;
	CREATE SCHEMA desk; GRANT ALL ON SCHEMA desk TO PUBLIC;
	CREATE TABLE rows AS SELECT date '2024-01-01' + i AS i, place, length(place) + sin(i * 0.4) AS y
		FROM generate_series(1, 100) i, (VALUES ('open'), ('hidden')) v (place);
	CREATE TABLE later AS SELECT date '2024-01-01' + i AS i, place, length(place) + sin(i * 0.4) AS y
		FROM generate_series(1, 180) i, (VALUES ('open'), ('hidden')) v (place);
	GRANT SELECT ON rows, later TO PUBLIC;
	ALTER TABLE rows ENABLE ROW LEVEL SECURITY;
	CREATE POLICY half ON rows USING (place = 'open' OR pg_has_role('proprietor', 'USAGE'));
});
$node->safe_psql('postgres', qq{SET ROLE proprietor;}
	. join('', map { "SELECT lstm.train('$_', 'rows', 'y', 'i', 'place', context => 6, $small);" } qw(m m m n n2))
	. join('', map { "SELECT lstm.grant_model('m', '$_', '$grant{$_}');" } sort keys %grant));

# Where PostGIS is installed, its functions as well.
if ($node->safe_psql('postgres', q{SELECT 1 FROM pg_available_extensions WHERE name = 'postgis'}))
{
	$node->safe_psql('postgres', qq{
		CREATE EXTENSION lstm_postgis CASCADE;
		CREATE TABLE map AS SELECT i, chr(96 + s) AS name, ST_SetSRID(ST_MakePoint(s, s * s % 3), 4326) AS place, s + sin(i * 0.4) AS y
			FROM generate_series(1, 60) i, generate_series(1, 5) s;
		GRANT SELECT ON map TO PUBLIC;
		SET ROLE proprietor;
		SELECT lstm.train('s', 'map', 'y', 'i', 'name', context => 6, geom => 'place', $small);}
		. join('', map { "SELECT lstm.grant_model('s', '$_', '$grant{$_}');" } sort keys %grant));
	%call = (%call, %postgis);
}

# outcomes(role): name => SQLSTATE.  What a function did is undone, what a procedure did is not.
sub outcomes
{
	my ($role) = @_;
	my $script = "SET ROLE $role;\n";

	# So that there is something to train on again.
	$node->safe_psql('postgres', q{INSERT INTO rows SELECT i + n, place, y FROM rows, (SELECT max(i) - min(i) + 1 AS n FROM rows) r
		WHERE i < date '2024-01-21'});

	for my $name (sort keys %call)
	{
		my $call = $call{$name}->[1];

		$script .= $call =~ /^CALL/ ? "$call;\n\\echo \@$name :SQLSTATE\n" :
			"BEGIN;\nSELECT * FROM $call;\n\\echo \@$name :SQLSTATE\nROLLBACK;\n";
	}
	my ($status, $out, $err) = $node->psql('postgres', $script, on_error_stop => 0);
	my %state = $out =~ /^\@(\w+) (\w+)$/mg;

	return \%state;
}

sub expected
{
	my ($role, $name, $owners) = @_;
	my $kind = $call{$name}->[0];

	return $owners if $role eq 'proprietor' || $kind eq 'free';
	return '42710' if $kind eq 'train';
	return '42704' if $role eq 'stranger';
	return $owners if $role eq 'member' || $kind eq 'read' || $kind eq $grant{$role};
	return '42501';
}

# No function is forgotten; those that are not there are not called.
my @there = split /\n/, $node->safe_psql('postgres', q{
	SELECT DISTINCT p.proname FROM pg_proc p, unnest(p.proargnames) WITH ORDINALITY a (name, n)
	WHERE p.pronamespace = 'lstm'::regnamespace AND a.name = 'model' AND p.proargtypes[a.n - 1] = 'text'::regtype
		AND coalesce(p.proargmodes[a.n], 'i') IN ('i', 'b') ORDER BY 1});
is(join(' ', grep { !$call{$_} && !$exempt{$_} } @there), '', 'every function that takes a model has a line');
my %there = map { $_ => 1 } @there;
for my $name (grep { !$there{$_} } sort keys %call)
{
	diag("function lstm.$name is not there");
	delete $call{$name};
}

# differences(role, outcomes, of the owner): those that were not expected.
sub differences
{
	my ($role, $got, $owners) = @_;

	return join(', ', map { "$_ $got->{$_} and not " . expected($role, $_, $owners->{$_}) }
			grep { ($got->{$_} // '') ne expected($role, $_, $owners->{$_}) } sort keys %call);
}

my $owners = { map { $_ => $call{$_}->[2] // '00000' } keys %call };
for my $role (qw(proprietor member reader trainer dropper stranger))
{
	is(differences($role, outcomes($role), $owners), '', "what the $role may do");
}
is($node->safe_psql('postgres', q{SELECT count(*) FROM lstm.models WHERE owner <> 'proprietor'}), '0',
	'nobody else came to own a version');
is($node->safe_psql('postgres', q{SELECT count(DISTINCT (source, search_path, spec->>'holidays')) FROM lstm.models WHERE name = 'm'}),
	'1', 'whoever trained again, the SQL is the owner\'s');

# Who may retrain writes no SQL into a model that its owner runs, and a superuser retrains nobody's.
my $trap = q{CALL lstm.retrain('m', 'always', options => '{"holidays": "SELECT current_date"}')};
my $versions = $node->safe_psql('postgres', 'SELECT count(*) FROM lstm.models');
like(query_error($node, "SET ROLE trainer; $trap"), qr/42501/, 'a grantee brings no query of his own');
like(query_error($node, "SET ROLE member; $trap"), qr/42501/, 'nor does a member in the name of the owner');
like(query_error($node, q{CALL lstm.retrain('m')}), qr/42501.*as a superuser/, 'nor is the owner\'s run as a superuser');
is($node->safe_psql('postgres', 'SELECT count(*) FROM lstm.models'), $versions, 'and no version is left');
is($node->safe_psql('postgres', q{SELECT DISTINCT trained_by FROM lstm.models WHERE name = 'm' AND trained_by = 'trainer'}),
	'trainer', 'who trained a version is written down');

# What a policy hides is not told by forecasts, and a model knows what its trainer saw.
my $series = q{SELECT string_agg(DISTINCT series, ' ') FROM lstm.forecast('m', version => 1)};
is($node->safe_psql('postgres', "SET ROLE proprietor; $series"), 'hidden open', 'the owner forecasts all rows');
is($node->safe_psql('postgres', "SET ROLE reader; $series"), 'open', 'a grantee those he sees');
$node->safe_psql('postgres', "SET ROLE reader; SELECT lstm.train('seen', 'rows', 'y', 'i', 'place', context => 6, $small)");
is($node->safe_psql('postgres', q{SELECT m.rows = (SELECT count(*) FROM rows WHERE place = 'open'),
	position('hidden' IN encode(v.model::bytea, 'escape')) FROM lstm.models m
	JOIN lstm.model_values v USING (name, version) WHERE name = 'seen'}), 't|0', 'a model of what its trainer saw');
is($node->safe_psql('postgres', q{SET ROLE reader; SELECT position('hidden' IN encode(model::bytea, 'escape')) > 0
	FROM lstm.model_values WHERE name = 'm' AND version = 1}), 't', 'names of series are in the model, which a grant shows');

# Grants live in dumps, and belong to the role that has the name there, but a role made anew is none of them.
my $dump = $node->basedir . '/grants.dump';
my $grants = q{SELECT string_agg(concat_ws(' ', model, owner, grantee, action), ', ' ORDER BY grantee) FROM lstm.model_grants WHERE model = 'm'};
$node->safe_psql('postgres', 'DROP ROLE dropper; CREATE ROLE dropper; CREATE DATABASE copy');
is($node->safe_psql('postgres', q{SET ROLE dropper; SELECT count(*) FROM lstm.models}), '0', 'a role made anew has no grant');
$node->command_ok([ 'pg_dump', '-Fc', '-f', $dump, '-d', $node->connstr('postgres') ], 'pg_dump');
$node->command_ok([ 'pg_restore', '-e', '-d', $node->connstr('copy'), $dump ], 'pg_restore');
is($node->safe_psql('copy', $grants), 'm proprietor reader use, m proprietor trainer retrain', 'grants are restored');
is($node->safe_psql('copy', q{SET ROLE reader; SELECT count(*) > 0 FROM lstm.models}), 't', 'and count there');

$node->stop;
done_testing();
