#!/usr/bin/perl
# order.pl
#		Equal data, options and seed give equal bytes: whatever the order of the
#		rows, the plan of the query, memory, the session and who else is at work;
#		and a model forecasts the same bits with every set of vector kernels.
use strict;
use warnings;

use FindBin;
use lib $FindBin::Bin;
use LstmSession;
use LstmTest;
use PostgreSQL::Test::Cluster;
use PostgreSQL::Test::Utils;
use Test::More;

my $node = lstm_node('primary', "lstm.progress = 0\nclient_min_messages = error\n");
my $count = 0;

# Rows of five series with gaps, ascending and in two other orders.
$node->safe_psql('postgres', q{
	CREATE TABLE ascending (day date, station text, speed float8, rain float8);
	INSERT INTO ascending SELECT date '2020-01-01' + d, 's' || s, 10 + s * sin(d / 5.0), d * s % 7
		FROM generate_series(1, 5) s, generate_series(0, 299) d WHERE (d * s) % 31 <> 11;
	CREATE TABLE descending AS SELECT * FROM ascending ORDER BY day DESC, station DESC;
	CREATE TABLE shuffled AS SELECT * FROM ascending ORDER BY md5(day::text || station);
	CREATE TABLE keyed AS SELECT * FROM shuffled;
	CREATE INDEX ON keyed (station, rain);
	ANALYZE keyed;
	CREATE TABLE parted (LIKE ascending) PARTITION BY HASH (day);
	CREATE TABLE parted_0 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 0);
	CREATE TABLE parted_1 PARTITION OF parted FOR VALUES WITH (MODULUS 2, REMAINDER 1);
	INSERT INTO parted SELECT * FROM shuffled;
});

sub train
{
	my ($source, $name) = @_;

	return qq{SELECT lstm.train('$name', '$source', target => 'speed', time_column => 'day', series => 'station',
		past_covariates => 'rain', horizon => 3, context => 14,
		options => '{"units": 12, "epochs": 3, "loss": "quantile", "dropout": 0.2, "recurrent_dropout": 0.1, "missing": "mask"}')};
}

sub digest
{
	my ($name) = @_;

	return $node->safe_psql('postgres', "SELECT md5(model::bytea) FROM lstm.model_values WHERE name = '$name'");
}

# Trains under settings; the digest of the bytes.
sub trained
{
	my ($source, $settings) = @_;
	my $name = 'm' . ++$count;

	$node->safe_psql('postgres', join(";\n", @{ $settings // [] }, train($source, $name)));
	return digest($name);
}

my $first = trained('ascending');

is(trained('ascending'), $first, 'once more');
is(trained($_), $first, "rows: $_") foreach qw(descending shuffled parted);
is(trained('SELECT * FROM ascending ORDER BY random()'), $first, 'rows in random order');
is(trained('SELECT DISTINCT rain, speed, station, day FROM ascending'), $first, 'columns in another order');
is(trained('shuffled', [ q{SET work_mem = '64kB'} ]), $first, 'work_mem = 64kB');
is(trained('shuffled', [ q{SET work_mem = '256MB'}, q{SET lstm.max_memory = '100MB'} ]), $first, 'much work_mem, less lstm.max_memory');
is(trained('keyed', [ 'SET enable_seqscan = off' ]), $first, 'by an index');
is(trained('SELECT a.* FROM ascending a JOIN shuffled USING (day, station)', [ "SET enable_$_ = off" ]), $first, "enable_$_ = off")
	foreach qw(hashjoin mergejoin nestloop sort);
is(trained('parted', [ 'SET max_parallel_workers_per_gather = 2', 'SET parallel_setup_cost = 0', 'SET parallel_tuple_cost = 0',
	'SET min_parallel_table_scan_size = 0' ]), $first, 'parallel query');
is(trained('ascending', [ q{SET timezone = 'Asia/Kathmandu'}, q{SET datestyle = 'German'}, 'SET extra_float_digits = -10' ]),
	$first, 'another time zone, date style and float format');
is(trained('ascending', [ 'SET jit = on', 'SET jit_above_cost = 0' ]), $first, 'JIT');
is(trained('ascending', [ 'SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL SERIALIZABLE' ]), $first, 'serializable');
isnt(trained('SELECT day, station, CASE WHEN day = date \'\'2020-03-01\'\' THEN speed + 1e-3 ELSE speed END AS speed, rain FROM ascending'),
	$first, 'but another value gives other bytes');

# Models over space and of images: sites come in any order of rows, edges too.
$node->safe_psql('postgres', q{
	CREATE TABLE site AS SELECT t, s, sin((t + 3 * s) / 4.0) + cos(t * s / 9.0) / 5 AS y FROM generate_series(1, 80) t, generate_series(1, 12) s
		WHERE (t * s) % 37 <> 5;
	CREATE TABLE road AS SELECT a, b, 1.0 / (1 + a % 3) AS weight FROM generate_series(1, 12) a, generate_series(1, 12) b
		WHERE (a * b) % 5 = 1 AND a <> b;
	CREATE TABLE cell AS SELECT t, y, x, sin((t + x) / 3.0) * cos(y / 2.0) AS v FROM generate_series(1, 60) t, generate_series(1, 6) y,
		generate_series(1, 7) x WHERE y <> 3 OR x <> 5;
	CREATE TABLE picture AS SELECT t, sin(t / 3.0) AS v, ARRAY[[sin(t / 3.0), t % 5], [cos(t / 4.0), t % 3], [t % 2, 1]]::float4[] AS image
		FROM generate_series(1, 120) t;
});
my %space = (
	graph => [ 'SELECT t, s, y FROM site', q{target => 'y', series => 's'},
		'"graph": "edge", "layers": [{"type": "graph_attention", "units": 4}, {"type": "graph_gru", "units": 5, "hops": 2}, {"type": "dropout"}, {"type": "dense"}]' ],
	grid => [ 'SELECT t, y, x, v FROM cell', q{target => 'v'},
		'"grid": "y, x", "layers": [{"type": "conv_lstm", "units": 4}, {"type": "dropout"}, {"type": "dense"}]' ],
	array => [ 'SELECT t, v, image FROM picture', q{target => 'v', past_covariates => 'image'}, '"units": 6, "architecture": "gru", "dropout": 0.1' ]);
my $space_options = '"epochs": 3, "batch_size": 20, "seed": 5';

sub space_trained
{
	my ($kind, $order, $edges, $settings) = @_;
	my ($source, $roles, $options) = @{ $space{$kind} };
	my $name = 'm' . ++$count;

	$node->safe_psql('postgres', join(";\n", @{ $settings // [] }, "CREATE OR REPLACE VIEW edge AS SELECT * FROM road ORDER BY $edges", qq{SELECT lstm.train('$name', '$source ORDER BY $order', time_column => 't', $roles,
		context => 6, horizon => 2, options => '{$options, $space_options}')}));
	return digest($name);
}

foreach my $kind (sort keys %space)
{
	my $ascending = space_trained($kind, 't', 'a, b');

	like($ascending, qr/^[0-9a-f]{32}$/, "$kind: a model");
	is(space_trained($kind, 'random()', 'random()'), $ascending, "$kind: rows in random order");
	is(space_trained($kind, 't DESC', 'b DESC, a'), $ascending, "$kind: rows from the end");
	is(space_trained($kind, 't', 'a, b', [ q{SET work_mem = '64kB'} ]), $ascending, "$kind: work_mem = 64kB");
	isnt(space_trained($kind, 't OFFSET 1', 'a, b'), $ascending, "$kind: but a row less gives other bytes");
}

# Two backends at once, and one after the other's failure.
my @sessions = map { LstmSession->new($node) } 1 .. 2;
$_->send(train('shuffled', 'side' . $_->pid)) foreach @sessions;
$_->wait foreach @sessions;
is(digest('side' . $_->pid), $first, 'two at once') foreach @sessions;
$sessions[0]->query("SET statement_timeout = 5; " . train('shuffled', 'late'));
$sessions[0]->query('RESET statement_timeout');
$sessions[0]->query(train('shuffled', 'after'));
is(digest('after'), $first, 'in a session that was cut off before');
$_->close foreach @sessions;

# Vector kernels.
sub forecasts
{
	my ($kernels) = @_;

	return $node->safe_psql('postgres', qq{
		SET lstm.kernels = $kernels;
		SET extra_float_digits = 3;
		SELECT md5(string_agg(f::text, ',' ORDER BY series, target, step)) FROM lstm.forecast('m1', horizon => 3) f
		UNION ALL SELECT md5(string_agg(h::text, ',' ORDER BY series, issued_at, step)) FROM lstm.hindcast('m1') h
		UNION ALL SELECT lstm.predict(model, (SELECT array_agg(ARRAY[speed, rain] ORDER BY day) FROM ascending WHERE station = 's3'), 3)::text
			FROM lstm.model_values WHERE name = 'm1'});
}

SKIP:
{
	my @has = grep { query_error($node, "LOAD 'lstm'; SET lstm.kernels = $_") eq '' } qw(avx2 avx512);

	skip 'this CPU has not both of avx2 and avx512', 3 if @has < 2;
	is(forecasts('avx512'), forecasts('avx2'), 'avx2 and avx512 forecast the same bits');
	is(trained('ascending', [ 'SET lstm.kernels = avx2' ]), trained('ascending', [ 'SET lstm.kernels = avx512' ]),
		'avx2 and avx512 train the same bytes');
	is(trained('ascending', [ 'SET lstm.kernels = avx2' ]), trained('shuffled', [ 'SET lstm.kernels = avx2' ]),
		'rows in another order with avx2');
}
is(trained('ascending', [ 'SET lstm.kernels = generic' ]), trained('shuffled', [ 'SET lstm.kernels = generic' ]),
	'rows in another order with generic kernels');
diag 'generic kernels forecast ' . (forecasts('generic') eq forecasts('auto') ? 'the same bits as' : 'otherwise than') . ' the best';

$node->stop;
done_testing();
