#!/usr/bin/perl
# safetensors.pl
#		model::bytea is a safetensors file: a strict reader of its own (Python, no
#		packages) finds the tensors of lstm.tensors, number for number.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use LstmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $checker = 'test/tools/safetensors_check.py';

plan skip_all => "no $checker here" if !-f $checker;
plan skip_all => 'no python3' if system('python3 -c "import math, struct; math.prod([1])" 2>/dev/null') != 0;

my $node = lstm_node('primary', undef, extra => [ '--encoding=UTF8', '--locale=C' ]);
my $path = $node->basedir . '/model.safetensors';
my %options = (
	'small' => '{"units": 4}',
	'stack' => '{"layers": [{"type": "lstm", "units": 9, "peephole": true, "bidirectional": true},
		{"type": "gru", "units": 5}, {"type": "rnn", "units": 3}, {"type": "dense"}], "loss": "quantile"}',
	'named' => '{"layers": [{"type": "dense", "name": "A-1_b", "units": 3}, {"type": "lstm", "units": 2},
		{"type": "dense"}], "loss": "student_t"}',
	'wide' => '{"units": 129, "num_layers": 2}');

$node->safe_psql('postgres', q{
	CREATE TABLE sine AS SELECT t, sin(t / 4.0) AS y, cos(t / 4.0) AS "x\ ""é" FROM generate_series(1, 200) t});

# Writes the model's bytes as they are; returns what the checker prints.
sub check
{
	my ($hex) = @_;
	my ($out, $err) = ('', '');

	open my $file, '>:raw', $path or die "cannot write $path: $!";
	print $file pack('H*', $hex);
	close $file;
	my $ok = IPC::Run::run([ 'python3', $checker, '--values', $path ], '>', \$out, '2>', \$err);
	return ($ok, $out, $err);
}

my $count = 0;
foreach my $name (sort keys %options)
{
	my $model = 'model ' . ++$count;
	my $hex = $node->safe_psql('postgres', qq{SET lstm.progress = 0; SET client_min_messages = error;
		CREATE TEMP TABLE done AS SELECT * FROM lstm.train('$model', 'sine', time_column => 't', target => 'y',
			past_covariates => '"x\\ ""é"', context => 8, horizon => 2, options => '$options{$name}'::jsonb || '{"epochs": 2}');
		SELECT encode(model::bytea, 'hex') FROM lstm.model_values WHERE name = '$model'});
	my ($ok, $out, $err) = check($hex);

	ok($ok, "$name: the strict reader takes it") or diag $err;

	# Tensors of the network are single; those of preparation and log are double.
	my (%shape, %values, %dtype, $now);
	foreach my $line (split /\n/, $out)
	{
		if ($line =~ /^([^\t]+)\t(\w+)\t([\d,]*)$/)
		{
			($now, $dtype{$1}, $shape{$1}, $values{$1}) = ($1, $2, $3, []);
		}
		else
		{
			push @{ $values{$now} }, $line;
		}
	}
	my @tensors = map { [ split /\|/, $_ ] } split /\n/, $node->safe_psql('postgres', qq{
		SELECT name, array_to_string(shape, ','), array_to_string("values", ' ') FROM lstm.tensors('$model')});
	my @single = grep { $dtype{$_} eq 'F32' } keys %dtype;
	my ($numbers, $equal) = (0, 0);

	cmp_ok(scalar @tensors, '>', 3, "$name: lstm.tensors has some");
	is(join("\n", sort @single), join("\n", sort map { $_->[0] } @tensors), "$name: the same names");
	is(join("\n", map { "$_->[0] $shape{$_->[0]}" } @tensors), join("\n", map { "$_->[0] $_->[1]" } @tensors),
		"$name: the same shapes");
	foreach my $tensor (@tensors)
	{
		my @ours = split / /, $tensor->[2];
		my @theirs = @{ $values{ $tensor->[0] } };

		$numbers += @ours > @theirs ? @ours : @theirs;
		$equal += grep { pack('f', $ours[$_]) eq pack('f', $theirs[$_]) } 0 .. ($#ours < $#theirs ? $#ours : $#theirs);
	}
	is($equal, $numbers, "$name: $numbers numbers are equal");

	# The reader is strict indeed.
	($ok) = check(substr $hex, 0, -2);
	ok(!$ok, "$name: a byte less is refused");
	($ok) = check($hex . '00');
	ok(!$ok, "$name: a byte more is refused");
}

# The other way: a file read from disk becomes a model again.
$node->safe_psql('postgres', qq{COPY (SELECT encode(model::bytea, 'hex') FROM lstm.model_values WHERE name = 'model 1') TO '$path'});
is($node->safe_psql('postgres', qq{CREATE TABLE file (content text); COPY file FROM '$path';
	SELECT decode(content, 'hex')::lstm.model::bytea = model::bytea FROM file, lstm.model_values WHERE name = 'model 1'}), 't',
	'bytes from a file are the model');

$node->stop;
done_testing();
