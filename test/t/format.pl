#!/usr/bin/perl
# format.pl
#		Models of every released version load and forecast as they did.
#
# test/golden/model-VERSION*.hex are models' bytes, model-VERSION.forecast what the
# release that made them forecast (make_model.sql); floats differ between CPUs, so
# numbers are compared to 1e-5.  Between them the four models of a version have
# every kind of loss, column, member and time, and most types of layer.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use LstmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = lstm_node('primary', "timezone = 'Europe/Dublin'\n");
my @versions = map { m,/model-(.*)\.forecast$, } glob('test/golden/model-*.forecast');
my $load = q{INSERT INTO lstm.models (name, version, deployed) VALUES ('%1$s', 1, true);
	INSERT INTO lstm.model_values VALUES ('%1$s', 1, decode('%2$s', 'hex')::lstm.model)};

my @kernels = grep { query_error($node, "LOAD 'lstm'; SET lstm.kernels = $_") eq '' } qw(generic avx2 avx512);

$node->safe_psql('postgres', slurp_file('test/golden/model_source.sql'));

sub hex_of
{
	my ($file) = @_;

	return slurp_file($file) =~ s/\s+//gr;
}

# Names of lines, and their fields.
sub fields
{
	my ($text) = @_;

	return map { [ split /\|/, $_ ] } split /\n/, $text;
}

# Whether two fields are equal, as numbers to 1e-5.
sub near
{
	my ($a, $b) = @_;
	my $number = qr/^-?[0-9.]+(e[+-]?\d+)?$/;

	return $a eq $b if $a !~ $number || $b !~ $number;
	return abs($a - $b) <= 1e-5 * (abs($b) > 1 ? abs($b) : 1);
}

sub compare
{
	my ($version, $wanted, $got) = @_;

	is(join(' ', map { $_->[0] } @$got), join(' ', map { $_->[0] } @$wanted), "$version: all is forecast");
	foreach my $i (0 .. $#$wanted)
	{
		my ($w, $g) = ($wanted->[$i], $got->[$i] // []);
		my $off = grep { !near($g->[$_] // '', $w->[$_]) } 1 .. $#$w;

		ok($off == 0 && @$g == @$w, "$version: $w->[0]: " . $#$w . ' fields')
			or diag "have @$g\nwant @$w";
	}
}

cmp_ok(scalar @versions, '>', 0, 'there are golden models');
foreach my $version (@versions)
{
	my %file = (
		golden_plain => "test/golden/model-$version.hex",
		golden_series => "test/golden/model-$version-series.hex",
		golden_months => "test/golden/model-$version-months.hex",
		golden_joint => "test/golden/model-$version-joint.hex");

	foreach my $name (sort keys %file)
	{
		my $hex = hex_of($file{$name});

		is(query_error($node, sprintf $load, $name, $hex), '', "$version: $name loads");
		is($node->safe_psql('postgres', "SELECT encode(model::bytea, 'hex') FROM lstm.model_values WHERE name = '$name'"),
			$hex, "$version: $name is kept as it is");
		is($node->safe_psql('postgres', "SELECT count(*) > 0 FROM lstm.tensors('$name'), lstm.layers('$name'), lstm.training_log('$name')"),
			't', "$version: $name can be looked at");
	}
	foreach my $kernels (@kernels)
	{
		compare("$version, $kernels", [ fields(slurp_file("test/golden/model-$version.forecast")) ],
			[ fields(($node->psql('postgres',
				"SET lstm.kernels = $kernels;\n" . slurp_file('test/golden/model_forecast.sql')))[1]) ]);
	}
	$node->safe_psql('postgres', 'DELETE FROM lstm.models');
}

# One changed bit of a golden model's header, and one number less, are refused.
my $hex = hex_of("test/golden/model-$versions[0].hex");
like(query_error($node, "SELECT '\\x" . substr($hex, 0, -8) . "'::lstm.model"), qr/ERROR:  22P03/, 'too short');
like(query_error($node, "SELECT '\\x" . $hex =~ s/^(.{40})../${1}01/r . "'::lstm.model"), qr/ERROR:  22P03/, 'changed');

$node->stop;
done_testing();
